"""Sentences of parts: words, and figures that know the id of their working.

A sentence is a tuple; text, Markdown, JSON and widgets are made from it, and nobody reads a number back out of words.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Figure(NamedTuple):
    """A figure inside a sentence: the number as it is shown, and the id of its working (`engine.workings`)."""

    text: str
    figure: str = ""


Part = str | Figure
Sentence = tuple[Part, ...]


def text_of(sentence: Iterable[Part]) -> str:
    """The words of a sentence."""
    return "".join(part if isinstance(part, str) else part.text for part in sentence)


def joined(sentences: Iterable[Sentence], between: str) -> Sentence:
    """Several sentences as one, with the same words between each two; empty ones are left out."""
    parts: list[Part] = []
    for sentence in sentences:
        if sentence:
            parts += [between, *sentence] if parts else sentence
    return tuple(parts)
