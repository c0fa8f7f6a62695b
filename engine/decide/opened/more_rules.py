"""Label, unit and source of constants of power limits and of statistics of requests: a part of `constants.RULES`."""

from __future__ import annotations

from typing import Final

LIMITS_AND_REQUESTS: Final[dict[str, tuple[str, str, str]]] = {
    "FIXED_SHARE": (
        "share of a board's power beside the clock",
        "",
        "a rule after one sweep: engine/parts/power_limit.py",
    ),
    "LEAST_LEFT": ("least share of power that is left to the clock", "", "a card cannot be limited to less"),
    "FLOOR_SLOPE": (
        "clock over power at the lowest voltage",
        "",
        "a rule after one sweep: engine/parts/power_limit.py",
    ),
    "STREAM_SLOPE": ("bandwidth over power that is left", "", "a rule after one sweep: engine/parts/power_limit.py"),
    "PROMPTS": ("rate of a prompt's attention by kernel", "", "measured kernel tables: engine/serving/attention.py"),
    "TOKENS": ("rate of decode's attention by kernel", "", "measured kernel tables: engine/serving/attention.py"),
    "DSPARK_LAYERS": ("layers of a DSpark drafter", "layers", "vllm-project/vllm, pull request 41834"),
    "STATE_ELEMENT": ("bytes of an element of a state", "bytes", "by definition of the type"),
    "HALF": ("half of the requests", "", "by definition"),
    "BELOW_95": ("95 of 100 requests", "", "by definition"),
    "BELOW_99": ("99 of 100 requests", "", "by definition"),
    "DEVIATIONS_95": ("standard deviations that 95 of 100 stay below", "", "the normal distribution"),
    "DEVIATIONS_99": ("standard deviations that 99 of 100 stay below", "", "the normal distribution"),
}
