"""Every word that the pages use and a newcomer may not know: one table, which help, the app and docs/glossary.md read.

Thresholds in it are the engine's own constants.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from tui.pages.glossary import answers, machines, models, work
from tui.pages.glossary.term import Term

__all__ = ["SECTIONS", "Term", "find", "nearest_words", "of_figure", "standing_in", "terms"]

SECTIONS: Final[tuple[tuple[str, tuple[Term, ...]], ...]] = (
    ("The answer", answers.STATUS),
    ("Headroom", answers.HEADROOM),
    ("The verdict", answers.VERDICT),
    ("What a link leaves", answers.FABRIC),
    ("Kinds of figures", answers.KINDS),
    ("Layouts", machines.LAYOUTS),
    ("Links", machines.LINKS),
    ("Hardware", machines.HARDWARE),
    ("Models", models.MODELS),
    ("Formats of weights", models.FORMAT_TERMS),
    ("Memory", models.MEMORY),
    ("Serving", work.SERVING),
    ("Training", work.TRAINING),
    ("Money", work.MONEY),
)


def terms() -> Iterator[Term]:
    """All of them, in order."""
    for _, section in SECTIONS:
        yield from section


def _plain(word: str) -> str:
    """Letters and digits of a word, in lower case: ZeRO-3, zero3 and "zero 3" are the same."""
    return "".join(char for char in word.casefold() if char.isalnum() or char in "$/")


@lru_cache(maxsize=1)
def _by_word() -> dict[str, Term]:
    found: dict[str, Term] = {}
    for term in terms():
        found.setdefault(_plain(term.word), term)
    for term in terms():
        for word in term.also:
            found.setdefault(_plain(word), term)
    return found


def find(word: str) -> Term | None:
    """The term that a word is, in the singular or the plural, or None."""
    known, plain = _by_word(), _plain(word)
    return known.get(plain) or known.get(plain.removesuffix("s"))


def nearest_words(word: str, count: int = 3) -> tuple[str, ...]:
    """The words of the table most like one that it does not have."""
    from catalog.ids import nearest  # only a word that nobody knows needs it

    words = {name: term.word for term in terms() for name in (term.word, *term.also)}
    return tuple(dict.fromkeys(words[near] for near in nearest(word, words, count + 2)))[:count]


def of_figure(name: str) -> Term | None:
    """The term that a field's key or a figure's id is, of whichever build (`cure:1@serving.ttft_s`), or None."""
    plain = name.rpartition("@")[2]
    return next((term for term in terms() if plain in term.of), None)


def standing_in(texts: Iterable[str]) -> tuple[Term, ...]:
    """The terms whose words stand in texts, in the order of the table; for a list to read, nothing is decided by it.

    A word in capitals is found as it is written, any other in either case.
    """
    written = f" {' '.join(''.join(_letter(char) for char in text) for text in texts)} "
    written = " ".join(written.split())
    written, lowered = f" {written} ", f" {written.casefold()} "
    return tuple(term for term in terms() if any(_stands(word, written, lowered) for word in (term.word, *term.also)))


def _letter(char: str) -> str:
    return char if char.isalnum() or char in "%$/-" else " "


def _stands(word: str, written: str, lowered: str) -> bool:
    if word.isupper() or any(char.isupper() for char in word[1:]):
        return f" {word} " in written
    return f" {word.casefold()} " in lowered
