"""The load as entered, the GPUs of the build, and its layout against others, on numbers that remember."""

from __future__ import annotations

from typing import Any, Final

from engine.decide import served, trained
from engine.decide.layouts import layout_words
from engine.decide.opened.base import REPLAY, Base, Found
from engine.decide.plan import plan
from engine.figures.number import Number, node, plain
from engine.scenario import LayoutChoice, leaves
from engine.serving.settings import engine_settings

ENTERED: Final = "the inputs"
SETTINGS: Final = "the engine's settings, as entered or its defaults: docs/memory.md"
GPUS: Final = "the build as entered"
CONFIG: Final = "the configuration of the model"
COPIES: Final = "a head has no parts: ranks of TP past the KV heads hold one again: docs/memory.md"
RANKED: Final = "what ranks layouts that fit, each timed under this load: docs/serving-speed.md, docs/training-speed.md"
RIVAL: Final = "another layout of this build that fits"

LOAD: Final[dict[str, tuple[str, str]]] = {
    "concurrency": ("Users at once", "users"),
    "input_tokens": ("Prompt", "tokens"),
    "output_tokens": ("Answer", "tokens"),
    "sequence_length": ("Sequence", "tokens"),
    "micro_batch": ("Micro-batch", "sequences"),
    "global_batch_tokens": ("Global batch", "tokens"),
    "total_tokens": ("Tokens of the run", "tokens"),
    "deadline_days": ("Deadline", "days"),
    "budget_usd": ("Budget", "USD"),
    "requests_per_s": ("Requests asked", "requests/s"),
    "ttft_target_s": ("First token in", "s"),
    "tokens_per_s_user_target": ("Speed per user", "tokens/s"),
    "tokens_per_request": ("Tokens of one request", "tokens"),
    "cached_share": ("Share of the prompt that is cached", ""),
    "cached_tokens": ("Tokens of a prompt that are cached", "tokens"),
    "rollout_share": ("Share of a card for the answers", ""),
}
"""(title, unit) by the field of the workload."""


def load(build: Base, name: str) -> Found:
    """`load.FIELD` of the workload, or `load.max_model_len`. Raises KeyError."""
    if name == "max_model_len":
        value = build.run(engine_settings, build.scenario, build.layout).max_model_len
        return Found(value, "Longest sequence", "tokens", SETTINGS)
    title, unit = LOAD[name]
    trains = not build.plan.scenario.workload.is_inference
    with build.within:
        held = {"total_tokens": "run_tokens", "global_batch_tokens": "batch_tokens"} if trains else {}
        value = getattr(build.scenario.workload, held.get(name, name))
    return Found(value, title, unit, ENTERED)


def gpus(build: Base, name: str) -> Found:
    """`build.gpus`, `build.nodes`, `build.kv_heads`, `build.kv_copies` or `build.tokens_per_s_gpu`. Raises KeyError."""
    with build.within:
        hardware, heads = build.scenario.hardware, build.scenario.model.architecture.kv_heads
        if name == "gpus":
            return Found(hardware.gpus, "GPUs of the build", "GPUs", GPUS)
        if name == "nodes":
            return Found(hardware.nodes, "Nodes of the build", "nodes", GPUS)
        if name == "kv_heads":
            return Found(heads, "KV heads of the model", "", CONFIG)
        if name == "kv_copies" and plain(heads):
            return Found(build.layout.tp // heads, "Copies of each KV head", "", COPIES)
    if name != "tokens_per_s_gpu" or not build.timed:
        raise KeyError(f"build.{name}")
    with build.within:
        return Found(build.planned.tokens_per_s_gpu, "Tokens a second and GPU", "tokens/s", RANKED)


def rival(build: Base, name: str) -> Found:
    """`layout.rival.N`: the chosen layout against the N-th that its reason names. Raises KeyError."""
    kind, _, number = name.partition(".")
    own = build.plan
    others = build.keep("rivals", lambda: plan(own.scenario).rivals)
    if kind != "rival" or not number.isdigit() or not 1 <= int(number) <= len(others):
        raise KeyError(f"layout.{name}")
    other = others[int(number) - 1]
    made = leaves.layout(REPLAY.copied, other, LayoutChoice(), RIVAL)
    mine, theirs = _ranked(build, build.layout, layout_words(own.layout)), _ranked(build, made, layout_words(other))
    note = "A layout that misses a target, or fills its memory, counts a small share of its tokens."
    with build.within:
        return Found(mine / theirs, f"Tokens/s against {layout_words(other)}", "", RANKED, note)


def _ranked(build: Base, layout: Any, words: str) -> Number:
    """The tokens a second that rank a layout, under the layout's name."""
    ranked_by = served.ranked_by if build.plan.scenario.workload.is_inference else trained.ranked_by
    held = node(build.run(ranked_by, build.scenario, layout))
    return Number(held.value, "float", (held,), f"tokens/s of {words}", "tokens/s")
