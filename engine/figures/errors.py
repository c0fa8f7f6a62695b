"""What the engine says when a scenario cannot be sized."""

from __future__ import annotations


class ScenarioError(ValueError):
    """A scenario that has no answer: an impossible value or an invalid layout.

    field: dotted session key that is at fault, such as ``layout.tp``.
    reason: what is wrong, one sentence without the field.
    allowed: what would be accepted, for people; empty when nothing short describes it.
    nearest: the closest accepted value, when there is one.
    """

    def __init__(self, field: str, reason: str, allowed: str = "", nearest: int | float | str | None = None) -> None:
        self.field = field
        self.reason = reason
        self.allowed = allowed
        self.nearest = nearest
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.field}: {self.reason}"
        if self.allowed:
            text += f"; allowed: {self.allowed}"
        if self.nearest is not None:
            text += f" (nearest: {self.nearest})"
        return text
