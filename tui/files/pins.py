"""Builds that are put aside for comparing. Pure."""

from __future__ import annotations

from engine.figures.records import dataclass
from engine.scenario import Scenario

PIN_NAMES = ("A", "B", "C")
"""What pins are called until a person renames them; there are no more of them than this."""
PIN_LENGTH = 24
"""The longest name, in characters."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A build put aside, by a name that no other pin has."""

    name: str
    scenario: Scenario
