"""Seven jobs that people come with, each as the keys that it takes in a new session: the tests run them, the docs count them.

In `keys` a key by name stands in angle brackets, any other character is typed, and `|` waits until what was searched for is
found, which is no key. before: keys that it took before the inputs folded and lists ranked; words where nobody counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tui.files.commands import key_name

_TOKEN = re.compile(r"<(\w+)>|(.)")


@dataclass(frozen=True, slots=True)
class Job:
    """A job by keyboard. asks: what a person wants to know; shows: what stands on screen at the end."""

    asks: str
    before: int | str
    keys: str
    shows: str

    @property
    def steps(self) -> list[str]:
        """The keys one by one, and `|` where the app is waited for."""
        return [name or char for name, char in _TOKEN.findall(self.keys)]

    @property
    def words(self) -> str:
        """The keys as people read them."""
        found = ""
        for step in self.steps:
            found += "" if step == "|" else f" {key_name(step)} " if len(step) > 1 else step
        return " ".join(f"`{word}`" for word in found.split("  ") for word in [word.strip()] if word)

    @property
    def count(self) -> int:
        """How many keys are pressed."""
        return sum(step != "|" for step in self.steps)


PEOPLE = Job(
    "Does 405B serve 20 people; what would make it?",
    19,
    "405<enter><f7>u20|<f8>",
    "the answer, and the change that makes it run, made",
)
BOXES = Job(
    "Which boxes of 5090 carry 70B under $60k?",
    35,
    "<f7>8|w<enter>60k<enter>|b5090<enter>",
    "the list of those, and the chosen one opened",
)
FINE_TUNE = Job(
    "A full fine-tune of 70B: what runs it, rent or buy?",
    20,
    "<f7>kf<enter>|<f8><f7>7|",
    "the change that makes it run, made; the run rented, the bill, and owning against renting",
)
FABRICS = Job(
    "R1 on two nodes: InfiniBand or Ethernet?",
    "few",
    "r1 on 2x8 h200<enter><f7>5",
    "the same traffic on every link, with its share of the time",
)
ONE_CARD = Job(
    "QLoRA of 8B on one 4090: does it fit, how long?",
    22,
    "8b qlora on 1x 4090<enter>",
    "the answer: memory of a step, days, tokens/s",
)
OWN = Job(
    "My config.json on a card of my own?",
    "impossible",
    "./<enter><f7>gx1 96GB 1800GB/s 500TF<enter>",
    "the answer; the card is kept in one's own catalog",
)
JOBS = (PEOPLE, BOXES, FINE_TUNE, FABRICS, ONE_CARD, OWN)

MOUSE_ASKS, MOUSE_BEFORE = "70B on eight H200, by mouse alone: what does it cost?", 8
CLICKS: tuple[tuple[str, str, str], ...] = (
    ("#form", "GPU ", "▾"),
    ("#dialog-list", "h200-sxm", "h200-sxm"),
    ("#form", "GPUs per node", "▸"),
    ("#tabs", "Cost", "Cost"),
)
"""Where each click goes: the widget, the words that its row begins with, and what in the row is clicked."""


def mouse_words() -> str:
    """The clicks in words."""
    return ", ".join(
        f"`{begins.strip()}`" if begins == clicked else f"`{clicked}` of `{begins.strip()}`"
        for _, begins, clicked in CLICKS
    )
