"""A line of text being typed: what a key does to it. Pure, and without a blinking cursor."""

from __future__ import annotations

from engine.figures.records import dataclass

LIMIT = 2000


@dataclass(slots=True)
class LineEdit:
    """Text with a cursor. fresh: the next typed character replaces everything."""

    text: str = ""
    cursor: int = 0
    fresh: bool = False

    @classmethod
    def of(cls, text: str, fresh: bool = False) -> LineEdit:
        """Text with the cursor at its end."""
        return cls(text, len(text), fresh)

    def insert(self, words: str) -> None:
        """Type or paste; line breaks become spaces and control characters are dropped."""
        clean = "".join(char if char.isprintable() else " " if char in "\n\t" else "" for char in words)
        if self.fresh:
            self.text, self.cursor, self.fresh = "", 0, False
        clean = clean[: LIMIT - len(self.text)]
        self.text = self.text[: self.cursor] + clean + self.text[self.cursor :]
        self.cursor += len(clean)

    def key(self, key: str) -> bool:
        """Do what an editing key does. False when the key is not one of editing."""
        text, at = self.text, self.cursor
        if key == "left":
            self.cursor = max(0, at - 1)
        elif key == "right":
            self.cursor = min(len(text), at + 1)
        elif key == "home":
            self.cursor = 0
        elif key == "end":
            self.cursor = len(text)
        elif key == "backspace":
            if self.fresh:
                self.text, self.cursor = "", 0
            else:
                self.text, self.cursor = text[: max(0, at - 1)] + text[at:], max(0, at - 1)
        elif key == "delete":
            self.text = "" if self.fresh else text[:at] + text[at + 1 :]
            self.cursor = min(at, len(self.text))
        elif key == "ctrl+u":
            self.text, self.cursor = "", 0
        elif key == "ctrl+w":
            kept = text[:at].rstrip()
            kept = kept[: max(kept.rfind(mark) + 1 for mark in " -/")]
            self.text, self.cursor = kept + text[at:], len(kept)
        else:
            return False
        self.fresh = False
        return True

    def window(self, width: int) -> tuple[str, int]:
        """The part of the text around the cursor that fits `width`, and the cursor's place in it."""
        start = max(0, self.cursor - width + 1)
        return self.text[start : start + width], self.cursor - start
