"""Sentences of parts: words, and figures that know the id of their working.

A sentence is a tuple; text, Markdown, JSON and widgets are made from it, and nobody reads a number back out of words.
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.figures.records import NamedTuple


class Figure(NamedTuple):
    """A figure inside a sentence: the number as it is shown, and the id of its working (`engine.decide.opened`)."""

    text: str
    figure: str = ""


HERE = "here:"
"""Before the id of a figure of the build at hand, in a sentence that is about another one."""

Part = str | Figure
Sentence = tuple[Part, ...]


def text_of(sentence: Iterable[Part]) -> str:
    """The words of a sentence."""
    return "".join(part if isinstance(part, str) else part.text for part in sentence)


def said(*parts: Part | Sentence) -> Sentence:
    """A sentence of words, figures and other sentences, one after another; empty words are left out."""
    found: list[Part] = []
    for part in parts:
        if isinstance(part, Figure):
            found.append(part)
        elif isinstance(part, str):
            if part:
                found.append(part)
        else:
            found += part
    return tuple(found)


def joined(sentences: Iterable[Sentence], between: str) -> Sentence:
    """Several sentences as one, with the same words between each two; empty ones are left out."""
    parts: list[Part] = []
    for sentence in sentences:
        if sentence:
            parts += [between, *sentence] if parts else sentence
    return tuple(parts)


def about(sentence: Iterable[Part], of: str) -> Sentence:
    """The sentence told of another build: the ids of its figures start with `of`, as in `verdict.2.`; `HERE` ends at its own."""
    return tuple(part if isinstance(part, str) or not part.figure else _about(part, of) for part in sentence)


def _about(part: Figure, of: str) -> Figure:
    here = part.figure.removeprefix(HERE)
    return part._replace(figure=here if here != part.figure else of + part.figure)


def capital(sentence: Sentence) -> Sentence:
    """The sentence with a capital letter in front."""
    if not sentence:
        return ()
    first = sentence[0]
    if isinstance(first, str):
        return (first[:1].upper() + first[1:], *sentence[1:])
    return (first._replace(text=first.text[:1].upper() + first.text[1:]), *sentence[1:])


def figures_of(sentence: Iterable[Part]) -> tuple[str, ...]:
    """The ids of the figures in a sentence, in reading order."""
    return tuple(part.figure for part in sentence if isinstance(part, Figure) and part.figure)
