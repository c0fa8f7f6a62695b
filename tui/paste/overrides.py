"""llama.cpp's `--override-tensor`: which tensors stay in host memory, as the layers whose experts do."""

from __future__ import annotations

import re

EVERY_LAYER = 999
"""What stands for all layers of a model: llama.cpp takes more than there are."""
MOST_LAYERS = 512
LONGEST_PATTERN = 200
_PARTS = ("up", "gate", "down")


def experts_on_host(text: str) -> int | str:
    """Layers whose routed experts `PATTERN=CPU,...` leaves on the host, `EVERY_LAYER` for all; or why that is not said by it."""
    held: set[tuple[int, str]] = set()
    for one in re.split(r",(?=[^,=]+=[A-Za-z])", text):
        pattern, equals, place = one.strip().rpartition("=")
        if not equals:
            return "not written PATTERN=PLACE"
        if place.upper() != "CPU":
            return "which card holds a tensor is not modelled"
        if not _short_work(pattern):
            return "a pattern that takes long to match"
        try:
            found = re.compile(pattern)
        except (re.error, RecursionError):
            return "not a pattern"
        for layer in range(MOST_LAYERS):
            held.update((layer, part) for part in _PARTS if found.search(f"blk.{layer}.ffn_{part}_exps.weight"))
    whole = sum(all((layer, part) in held for part in _PARTS) for layer in range(MOST_LAYERS))
    if whole * len(_PARTS) != len(held):
        return "part of a layer's experts is not modelled"
    if not whole:
        return "it names no experts, and others are not modelled"
    return EVERY_LAYER if whole == MOST_LAYERS else whole


def _short_work(pattern: str) -> bool:
    """Whether a pattern is matched in few steps whatever the name: no repeated group, few repetitions."""
    repeated = len(re.findall(r"[*+{]", pattern))
    return len(pattern) <= LONGEST_PATTERN and repeated <= 4 and not re.search(r"\)[*+?{]", pattern)
