"""What an entry of the glossary is."""

from __future__ import annotations

from engine.figures.records import NamedTuple


class Term(NamedTuple):
    """A word that the pages use: what it means in two lines, and where that comes from.

    also: other words for it, as people write them. of: fields and figures, by key and id, that are just this.
    """

    word: str
    means: str
    source: str
    also: tuple[str, ...] = ()
    of: tuple[str, ...] = ()
