"""What a claim is, and when it agrees with our figure.

A range agrees when our figure (or its interval) meets it; a single round number agrees within 15 %, the precision
that "about 75 GB" carries.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Any

import catalog
from engine.parts.hardware import Facts
from engine.sizing import Sizing
from tests.accuracy.harness import REFERENCE

ROUND_NUMBER = 0.15
Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Claim:
    """One row: what the article says, what we say, whether they agree, and the reason where they do not."""

    key: str  # section and position in seed_claims.toml
    source: str
    claim: str
    ours: str
    agrees: bool
    why: str = ""


def claims_file() -> Entry:
    """The claims as data."""
    return tomllib.loads((REFERENCE / "seed_claims.toml").read_text(encoding="utf-8"))


def near(ours: float, theirs: float, tolerance: float = ROUND_NUMBER) -> bool:
    """Whether two figures agree within a relative tolerance of theirs."""
    return abs(ours - theirs) <= tolerance * abs(theirs)


def within(ours: float, claimed: list[float], tolerance: float = 0.0) -> bool:
    """Whether a figure lies in a claimed range, widened by a tolerance of its ends."""
    return claimed[0] * (1 - tolerance) <= ours <= claimed[-1] * (1 + tolerance)


def overlaps(low: float, high: float, claimed: list[float]) -> bool:
    """Whether our interval meets a claimed range."""
    return low <= claimed[-1] and high >= claimed[0]


def catalog_facts() -> Facts:
    """The catalog's cards, links and prices."""
    return catalog.load().facts


def architecture_of(model: str) -> Any:
    """The architecture of a model of the catalog."""
    return catalog.load().model(model).architecture


def fit_word(sizing: Sizing) -> str:
    """The word that says how much room is left."""
    return sizing.memory.headroom


# The load that a bare "does it fit" is asked with: a small team at a usual prompt.
CEILING_LOAD: Entry = {"concurrency": 16, "input_tokens": 3000, "output_tokens": 1000}
# What a heavier, still ordinary load does to the marginal cases: the articles' "under load".
HEAVY_LOAD = {"concurrency": 64, "input_tokens": 7000, "output_tokens": 1000}
