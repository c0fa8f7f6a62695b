"""How far a speed may be off: factors that hold 80 % of what sources left out of the fit observed.

A figure's errors are as wide as its build is strange. The logarithm of a figure's mean error is a base and a part for each
mark that the build bears: what sets it apart from a dense model under vLLM on cards whose kernels were measured. The factors
are quantiles of the errors over that width. Constants and where they come from: engine.calibration.serving_speed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from engine.calibration import serving_speed as fit
from engine.runtimes import ENGINES
from engine.scenario import Scenario
from engine.serving.draft import drafted_by
from engine.serving.own import narrowed, told
from engine.serving.shapes import gpu_class
from engine.sizing import Interval

MEASURED = ("ampere", "ada", "hopper", "blackwell", "blackwell-ultra", "blackwell-gddr")
"""Classes of cards whose kernels were measured one by one; others take the curve of the class nearest to them."""
LOADED_USERS = 8
"""Users of an engine from which on a first token waits for others to speak of."""
DIFFERING = 0.3
"""Spread of the answers from which on they end a run one by one."""
LONG_PROMPTS = 4
"""Prompt tokens for each one written from which on most of the time goes to prompts."""
FAST_FAMILIES = ("nvlink", "xgmi")
"""Families of links whose collectives engines tune their own kernels for."""

MARKS: Final[dict[str, str]] = {
    "mixture": "a mixture of experts",
    "card": "a card whose kernels nobody measured",
    "maker": "a card of another maker than NVIDIA",
    "vllm-earlier": "an earlier vLLM",
    "sglang": "SGLang",
    "trtllm": "TensorRT-LLM",
    "llama.cpp": "llama.cpp",
    "mlx": "MLX, of which no speed was there to fit",
    "link": "GPUs over PCIe",
    "nodes": "several nodes",
    "drafts": "drafts, of which so many are kept",
    "differ": "answers that differ in length",
    "prompts": "prompts that take most of the time",
    "loaded": "a queue of users",
    "best": "the most users inside latency limits",
}
"""What widens an interval, in words."""


UNFITTED: Final[dict[str, tuple[str, float]]] = {"mlx": ("llama.cpp", 1.5)}
"""Marks that no row bears: as wide as another is, so many times over. A rule."""


def marks_of(figure: str, scenario: Scenario) -> tuple[str, ...]:
    """The marks that a build bears. figure: `ttft`, `ttft loaded`, `inter_token`, `tokens_per_s` or `tokens_per_s best`."""
    work, hardware = scenario.workload, scenario.hardware
    card = hardware.accelerator
    slow = hardware.gpus_per_node > 1 and hardware.intra_link.family not in FAST_FAMILIES
    borne = {
        "mixture": scenario.model.architecture.experts > 0,
        "card": gpu_class(card) not in MEASURED or card.unified_memory,
        "maker": card.vendor != "NVIDIA",
        ENGINES[scenario.runtime.engine].mark: True,
        "link": slow,
        "nodes": hardware.nodes > 1,
        "drafts": drafted_by(scenario.model, scenario.runtime) is not None,
        "differ": (work.output_spread or 0.0) >= DIFFERING,
        "prompts": work.input_tokens >= LONG_PROMPTS * work.output_tokens,
        "loaded": figure.endswith("loaded"),
        "best": figure.endswith("best"),
    }
    return tuple([mark for mark in MARKS if borne.get(mark)])


def width_of(figure: str, marks: tuple[str, ...]) -> float:
    """The mean error of a figure's logarithm that is expected of a build with these marks."""
    widths = fit.WIDTHS[figure.partition(" ")[0]]
    return widths["base"] * math.prod(_part(widths, mark) for mark in marks)


def _part(widths: Mapping[str, float], mark: str) -> float:
    """What a mark widens an interval by."""
    like, more = UNFITTED.get(mark, (mark, 1.0))
    return widths.get(like, 1.0) * more


def spread_of(figure: str, scenario: Scenario) -> tuple[float, float]:
    """Factors around a figure that hold 80 % of what the fit had not seen."""
    return _spread(figure, marks_of(figure, scenario))


@lru_cache(maxsize=256)
def _spread(figure: str, marks: tuple[str, ...]) -> tuple[float, float]:
    width = width_of(figure, marks)
    low, high = fit.CUTS[figure]
    return math.exp(low * width), math.exp(high * width)


WIDER = 1.15
"""Factor on an error from which on a working names what made it."""


def why_wide(figure: str, scenario: Scenario) -> str:
    """What makes a figure's interval wider than that of a plain build, in words; empty where nothing does."""
    widths = fit.WIDTHS[figure.partition(" ")[0]]
    found = [MARKS[mark] for mark in marks_of(figure, scenario) if _part(widths, mark) >= WIDER]
    return f"The interval is wider for {', '.join(found)}." if found else ""


def noted(figure: str, scenario: Scenario) -> str:
    """What a working says of its interval: the person's measurements that it rests on, else what makes it wide."""
    return told(figure, scenario) or why_wide(figure, scenario)


TAIL_WIDER = 1.5
"""How much wider the interval of a statistic of requests is than that of their mean, in logarithms: a rule, since no published
row of ours states what 95 or 99 of 100 waited."""


def interval(value: float, figure: str, scenario: Scenario) -> Interval:
    """A figure with those factors around it."""
    low, high = narrowed(spread_of(figure, scenario), figure, scenario)
    return Interval(value * low, value * high)
