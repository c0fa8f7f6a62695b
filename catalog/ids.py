"""Finding ids: what was probably meant, and what a search word matches."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

from engine.figures.text import LONGEST_NAME

_SPLIT = re.compile(r"[^a-z0-9.]+|(?<=[a-z])(?=[0-9])|(?<=[0-9])(?=[a-z])")


def _words(text: str) -> list[str]:
    return [word for word in _SPLIT.split(text.casefold()) if word]


def _squeezed(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.casefold())


def _likeness(wrong: str, wrong_words: set[str], candidate: str) -> float:
    """0 to 1: half how alike the letters are, half how many of the wrong id's words the candidate has."""
    words = _words(candidate)
    shared = sum(1 for word in wrong_words if word in words) / max(1, len(wrong_words))
    squeezed = _squeezed(candidate)
    letters = difflib.SequenceMatcher(None, wrong, squeezed).ratio()
    starts = 0.2 if wrong and (squeezed.startswith(wrong) or wrong.startswith(squeezed)) else 0.0
    return (letters + shared) / 2 + starts


def nearest(wrong: str, ids: Iterable[str], count: int = 3, names: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The `count` ids most like `wrong`, best first. names: what else an id is known by."""
    wrong = wrong[:LONGEST_NAME]  # alikeness takes the square of the length, and no id is longer
    pairs = [(key, names[key] if names is not None else key) for key in ids]
    squeezed, words = _squeezed(wrong), set(_words(wrong))
    scored = [
        (max(_likeness(squeezed, words, key), 0.95 * _likeness(squeezed, words, name)), key) for key, name in pairs
    ]
    scored.sort(key=lambda item: (-item[0], len(item[1]), item[1]))
    return tuple(key for _, key in scored[:count])


def matches(word: str, *texts: str) -> bool:
    """Whether every part of a search word occurs in one of the texts; punctuation and case do not count."""
    together = _squeezed(" ".join(texts))
    return all(_squeezed(part) in together for part in word[: 10 * LONGEST_NAME].split())
