"""The characters that pictures are drawn with, and their ASCII stand-ins for terminals without UTF-8."""

from __future__ import annotations

import locale
import os

from engine.figures.records import dataclass


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One set of drawing characters. Every memory part has its own, so bars read without colour."""

    unicode: bool
    weights: str
    kv: str
    activations: str
    runtime: str
    optimizer: str
    gradients: str
    free: str
    reserved: str
    over: str
    mark: str
    edge: str
    rule: str
    bar: str
    bar_rest: str
    pointer: str
    here: str
    yes: str
    no: str
    skipped: str
    bullet: str
    arrow: str
    up: str
    down: str
    left: str
    right: str
    dot: str
    times: str
    dash: str
    unsaved: str
    enter: str
    updown: str
    leftright: str
    opens: str
    more: str
    ellipsis: str
    column: str
    thumb: str
    track: str

    def text(self, words: str) -> str:
        """Words with what this set cannot show replaced."""
        return words if self.unicode else words.translate(_TO_ASCII).encode("ascii", "replace").decode()


_TO_ASCII = str.maketrans(
    {
        "×": "x",
        "–": "-",
        "—": "-",
        "−": "-",
        "→": "->",
        "·": "-",
        "…": "...",
        "≤": "<=",
        "≥": ">=",
        "µ": "u",
        "±": "+-",
        "’": "'",
        "≈": "~",
        "²": "2",
        "•": "*",
        "▸": ">",
        "°": "",
        "\u00a0": " ",
        "\u202f": " ",
        "\u2009": " ",
    }
)

UNICODE = Glyphs(
    unicode=True,
    weights="█",
    kv="▓",
    activations="▒",
    runtime="░",
    optimizer="▚",
    gradients="≡",
    free="·",
    reserved="╱",
    over="×",
    mark="▴",
    edge="┃",
    rule="─",
    bar="■",
    bar_rest="·",
    pointer="▸",
    here="◂",
    yes="✓",
    no="✗",
    skipped="○",
    bullet="•",
    arrow="→",
    up="▲",
    down="▼",
    left="◂",
    right="▸",
    dot="·",
    times="×",
    dash="–",
    unsaved="●",
    enter="⏎",
    updown="↑↓",
    leftright="←→",
    opens="▾",
    more="▼",
    ellipsis="…",
    column="│",
    thumb="▐",
    track="▕",
)

ASCII = Glyphs(
    unicode=False,
    weights="#",
    kv="=",
    activations="+",
    runtime="-",
    optimizer="%",
    gradients="~",
    free=".",
    reserved="/",
    over="X",
    mark="^",
    edge="|",
    rule="-",
    bar="#",
    bar_rest=".",
    pointer=">",
    here="<",
    yes="+",
    no="x",
    skipped="o",
    bullet="*",
    arrow="->",
    up="^",
    down="v",
    left="<",
    right=">",
    dot="-",
    times="x",
    dash="-",
    unsaved="*",
    enter="Enter",
    updown="Up/Down",
    leftright="Left/Right",
    opens="v",
    more="v",
    ellipsis="..",
    column="|",
    thumb="#",
    track=":",
)


def for_this_terminal() -> Glyphs:
    """Unicode where the locale's encoding is UTF-8, ASCII elsewhere; SIZEUP_ASCII=1 forces ASCII."""
    if os.environ.get("SIZEUP_ASCII", "") not in ("", "0"):
        return ASCII
    named = os.environ.get("LC_ALL") or os.environ.get("LC_CTYPE") or os.environ.get("LANG") or ""
    encoding = named.partition(".")[2] or locale.getpreferredencoding(False)
    return UNICODE if encoding.lower().replace("-", "").startswith("utf8") else ASCII
