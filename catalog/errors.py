"""What the catalog says about a file it cannot use."""

from __future__ import annotations

from engine.figures.text import LONGEST_NAME, clipped, printable, shown


class CatalogError(ValueError):
    """A file of facts that cannot be read: which file, which entry or key, and why.

    where: the file (and entry) as the person knows it.
    key: dotted key at fault; empty when the file as a whole is.
    reason: what is wrong, one sentence without the place.
    """

    def __init__(self, where: str, key: str, reason: str) -> None:
        self.where = where
        self.key = key
        self.reason = reason
        place = clipped(printable(where), LONGEST_NAME)
        named = f"{place}: {clipped(printable(key), LONGEST_NAME // 2)}" if key else place
        super().__init__(clipped(f"{named}: {printable(reason)}"))


class UnknownId(KeyError):
    """An id that the catalog does not have, with the nearest ones that it has.

    what: the kind of thing, such as ``accelerator``. entry: how to write one of one's own, a sentence; empty of what
    cannot be described in a few figures.
    """

    def __init__(self, what: str, wrong: str, nearest: tuple[str, ...], entry: str = "") -> None:
        self.what = what
        self.wrong = wrong
        self.nearest = nearest
        self.entry = entry
        super().__init__(wrong)

    def __str__(self) -> str:
        text = f"no {self.what} {shown(self.wrong, 80)}"
        if self.nearest:
            text += f"; nearest: {', '.join(self.nearest)}"
        return f"{text}; {self.entry}" if self.entry else text
