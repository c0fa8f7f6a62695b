"""Every figure of a sizing opens, and the arithmetic that is shown gives the figure."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from time import process_time
from typing import Any

import pytest

from engine.decide.opened import Working, figure_ids, working, workings
from engine.decide.size import size
from engine.scenario import LayoutChoice, Money, Runtime, Scenario
from engine.sizing import Sizing
from tests.arithmetic import FUNCTIONS, computed, evaluate
from tests.engine.builds import build

TUNE: dict[str, Any] = {"sequence_length": 4096, "total_tokens": 500_000_000}


def _engine(scenario: Scenario, **runtime: Any) -> Scenario:
    return replace(scenario, runtime=replace(Runtime(), **runtime))


SCENARIOS: dict[str, Callable[[], Scenario]] = {
    "one node, 70B": lambda: build(ttft_target_s=2.0, tokens_per_s_user_target=15.0),
    "one GPU, 8B": lambda: build("llama-3.1-8b", "bf16", "h100-sxm", 1, concurrency=8, input_tokens=900),
    "one GPU, vision": lambda: build("qwen2.5-vl-7b", "bf16", "l40s", 1, concurrency=4, input_tokens=2000),
    "MLA over two nodes": lambda: build(
        "deepseek-v3", "fp8", "h100-sxm", 8, 2, layout=LayoutChoice(tp=8, pp=2), concurrency=32
    ),
    "MLA, latents in FP8, DP attention": lambda: build(
        "deepseek-v3", "fp8", "h200-sxm", 8, 1, layout=LayoutChoice(tp=1, dp=8, ep=8, dp_attention=True), concurrency=64
    ),
    "mixture, gaming cards": lambda: build("mixtral-8x22b", "int4", "rtx-5090", 8, concurrency=32),
    "sliding window": lambda: build("gemma-3-27b", "bf16", "h100-sxm", 2, concurrency=16, input_tokens=30000),
    "MXFP4": lambda: build("gpt-oss-120b", "mxfp4", "h100-sxm", 2, concurrency=64),
    "hybrid": lambda: build("qwen3-next-80b-a3b", "fp8", "h100-sxm", 4, concurrency=64),
    "AMD": lambda: build("llama-3.1-70b", "fp8", "mi300x", 8, concurrency=64),
    "SGLang": lambda: _engine(build("llama-3.1-70b", "fp8", "h100-sxm", 4, concurrency=64), engine="sglang"),
    "earlier vLLM": lambda: _engine(build("llama-3.1-70b", "int4", "a100-sxm4-80gb", 2), engine="vllm-earlier"),
    "llama.cpp": lambda: _engine(
        build("llama-3.1-8b", "gguf-q4_k_m", "rtx-4090", 1, concurrency=1, input_tokens=500), engine="llama.cpp"
    ),
    "pipeline of four": lambda: build(
        "llama-3.1-405b", "fp8", "h100-sxm", 4, 4, layout=LayoutChoice(tp=4, pp=4, dp=1), concurrency=16
    ),
    "replicas": lambda: build("llama-3.1-8b", "fp8", "l4", 4, concurrency=100, input_tokens=4000),
    "a burst": lambda: build("llama-3.1-70b", "fp8", "h100-sxm", 4, concurrency=64, requests=200),
    "too many users": lambda: build("llama-3.1-70b", "fp8", "h100-sxm", 2, concurrency=2000),
    "over the card": lambda: build("llama-3.1-405b", "bf16", "rtx-4090", 2),
    "batch": lambda: build("qwen2.5-72b", "int4", "a100-sxm4-80gb", 4, kind="batch", concurrency=256),
    "embedder": lambda: build("qwen3-8b", "bf16", "l40s", 2, kind="embed", concurrency=256, input_tokens=512),
    "LoRA": lambda: build("llama-3.1-70b", "bf16", "h100-sxm", 8, kind="lora", **TUNE),
    "QLoRA": lambda: build("llama-3.1-70b", "bf16", "rtx-4090", 2, kind="qlora", **TUNE),
    "QLoRA, one GPU": lambda: build(
        "llama-3.1-8b", "bf16", "rtx-4090", 1, kind="qlora", software="eager", recompute="none", **TUNE
    ),
    "LoRA, trained embeddings": lambda: build(
        "llama-3.1-8b", "bf16", "a100-sxm4-80gb", 2, kind="lora", trainable_embeddings=True, framework="fsdp1", **TUNE
    ),
    "full fine-tune": lambda: build("llama-3.1-70b", "bf16", "h100-sxm", 8, 2, kind="full-finetune", **TUNE),
    "no recomputation": lambda: build(
        "llama-3.1-8b", "bf16", "h100-sxm", 8, kind="full-finetune", recompute="none", optimizer="muon", **TUNE
    ),
    "selective, DDP": lambda: build(
        "llama-3.1-8b", "bf16", "h200-sxm", 8, kind="full-finetune", recompute="selective", sharding="ddp", **TUNE
    ),
    "offload": lambda: build("llama-3.1-8b", "bf16", "rtx-4090", 2, kind="full-finetune", offload="parameters", **TUNE),
    "checkpoints in host memory": lambda: build(
        "llama-3.1-8b",
        "bf16",
        "h100-sxm",
        2,
        kind="full-finetune",
        activation_offload=True,
        offload="optimizer",
        **TUNE,
    ),
    "scores kept": lambda: build(
        "llama-3.1-8b", "bf16", "h100-sxm", 4, kind="full-finetune", flash_attention=False, recompute="none", **TUNE
    ),
    "pretrain, 3D": lambda: build(
        "llama-3.1-70b",
        "bf16",
        "h100-sxm",
        8,
        4,
        kind="pretrain",
        layout=LayoutChoice(tp=8, pp=2, dp=2),
        framework="megatron",
        software="tuned",
        sharding="zero1",
        deadline_days=90.0,
        total_tokens=1_000_000_000_000,
    ),
    "pretrain, mixture": lambda: build(
        "mixtral-8x7b",
        "bf16",
        "h100-sxm",
        8,
        2,
        kind="pretrain",
        layout=LayoutChoice(tp=1, pp=1, dp=16, ep=8),
        compute_dtype="fp8",
        software="tuned",
    ),
    "long sequences": lambda: build(
        "llama-3.1-8b", "bf16", "h100-sxm", 8, kind="full-finetune", sequence_length=65536, context_parallel=4
    ),
}


def priced(scenario: Scenario) -> Scenario:
    """The same with every price entered."""
    money = Money(30_000.0, 25_000.0, 2.5, 0.2)
    return replace(scenario, money=money)


_sized: dict[str, Sizing] = {}


def sizing_of(name: str) -> Sizing:
    """A scenario sized, once."""
    if name not in _sized:
        _sized[name] = size(SCENARIOS[name]())
    return _sized[name]


def shown(sizing: Sizing, figure: str) -> Any:
    """The figure as the Sizing holds it, or None where it is worked out only for a working."""
    section, _, name = figure.partition(".")
    if section == "fabric":
        link, _, name = name.rpartition(".")
        return getattr(next(row for row in sizing.fabric if row.link == link), name, None)
    if section == "scaling":
        return sizing.scaling[int(name)].efficiency
    if section == "memory":
        index, _, rest = name.partition(".")
        if index.isdigit():
            return getattr(sizing.memory.per_gpu[int(index)], rest, None)
        held = getattr(sizing.memory.worst, name, None)
        return held if held is not None else getattr(sizing.memory, name, None)
    return getattr(getattr(sizing, section, None), name, None)


def close(one: float, other: float) -> bool:
    """Equal for whole numbers, else to a millionth."""
    if isinstance(one, int) and isinstance(other, int):
        return one == other
    return one == pytest.approx(other, rel=1e-6, abs=1e-12)


WHOLE = ("model.weight_bytes#", "memory.peak_bytes#", "memory.max_concurrency#", "serving.ttft_s#", "training.days#")
"""Figures whose every step is opened: others rest on the same."""


def opened(sizing: Sizing, figure: str, done: dict[str, Working]) -> None:
    """Open a figure and every input that has a working of its own; check each one's arithmetic."""
    if figure in done:
        return
    made = done[figure] = working(sizing, figure)
    assert made.figure == figure
    assert made.title
    assert made.formula
    if made.value is None:
        assert made.expression == ""
        return
    assert close(made.value, computed(made)), (figure, made.value, computed(made), made)
    names = {node.id for node in ast.walk(ast.parse(made.expression)) if isinstance(node, ast.Name)}
    names -= FUNCTIONS
    assert names <= {entry.name for entry in made.inputs}, figure
    for entry in made.inputs:
        assert entry.source, (figure, entry)
        if entry.figure and ("#" not in entry.figure or entry.figure.startswith(WHOLE)):
            opened(sizing, entry.figure, done)
            assert close(entry.value, done[entry.figure].value or 0), (figure, entry)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_figure_opens_to_arithmetic_that_gives_it(name: str) -> None:
    sizing = sizing_of(name)
    done: dict[str, Working] = {}
    for figure in figure_ids(sizing):
        opened(sizing, figure, done)
        held = shown(sizing, figure) if not figure.startswith(("verdict.", "if.")) else None
        if held is not None:
            value = done[figure].value
            assert value is not None, figure
            assert close(value, held), (figure, held, value)


@pytest.mark.parametrize("name", ["one node, 70B", "full fine-tune", "MLA over two nodes"])
def test_prices_that_a_person_entered_open_too(name: str) -> None:
    sizing = size(priced(SCENARIOS[name]()))
    done: dict[str, Working] = {}
    for figure in figure_ids(sizing):
        if figure.startswith(("cost.", "power.", "training.cost")):
            opened(sizing, figure, done)
    assert {entry.kind for entry in done["cost.rent_usd_per_hour"].inputs} == {"entered"}


def test_figures_held_against_each_other_open_too() -> None:
    sizing = sizing_of("one node, 70B")
    share = working(sizing, "ratio(memory.weights_bytes,memory.total_bytes)")
    assert share.value == pytest.approx(sizing.memory.weights_share)
    assert share.unit == ""
    assert [entry.figure for entry in share.inputs] == ["memory.weights_bytes", "memory.total_bytes"]
    each = working(sizing, "verdict.1.ratio(serving.tokens_per_s_total,build.gpus)")
    assert each.unit == "tokens/s a GPU"
    nested = "ratio(ratio(memory.kv_bytes,memory.total_bytes),ratio(memory.weights_bytes,memory.total_bytes))"
    opened(sizing, nested, {})
    left = working(sizing, "difference(memory.usable_bytes,memory.used_bytes)")
    assert left.value == sizing.memory.worst.usable_bytes - sizing.memory.worst.used_bytes
    for figure in ("ratio(memory.weights_bytes)", "ratio(memory.weights_bytes,memory.gradient_bytes)", "ratio(a,b)"):
        with pytest.raises(KeyError):
            working(sizing, figure)


def test_the_mapping_makes_workings_when_asked() -> None:
    sizing = sizing_of("one node, 70B")
    found = workings(sizing)
    assert len(found) == len(set(found)) == len(figure_ids(sizing))
    assert found["memory.weights_bytes"] == working(sizing, "memory.weights_bytes")
    assert "memory.weights_bytes" in found
    assert "memory.nonsense" not in found
    for figure in ("", "memory", "nonsense.x", "training.days", "fabric.nonsense", "verdict.9.memory.peak_bytes"):
        with pytest.raises(KeyError):
            working(sizing, figure)


def test_kinds_say_how_a_figure_is_known() -> None:
    sizing = sizing_of("one node, 70B")
    assert working(sizing, "memory.weights_bytes").kind == "counted"
    assert working(sizing, "serving.inter_token_s").kind == "fitted"
    assert sizing.serving is not None
    assert working(sizing, "serving.inter_token_s").interval == sizing.serving.inter_token_interval
    inputs = {entry.name: entry for entry in working(sizing, "memory.kv_needed_tokens").inputs}
    assert inputs["users"].kind == "entered"
    card = sizing.scenario.hardware.accelerator
    assert card.source in working(sizing, "memory.total_bytes").inputs[0].source
    unknown = working(size(build("llama-3.1-70b", "fp8", "h100-nvl", 4)), "cost.item_1_usd")
    assert unknown.value is None


def test_an_engine_setting_says_whether_a_person_entered_it() -> None:
    scenario = build(concurrency=8)
    entered = size(_engine(scenario, memory_utilization=0.8))
    for sizing, kind in ((size(scenario), "data sheet"), (entered, "entered")):
        inputs = working(sizing, "memory.usable_bytes").inputs
        assert next(entry for entry in inputs if "utilization" in entry.name).kind == kind


@pytest.mark.parametrize(
    ("text", "value"),
    [("1 + 2 * 3", 7), ("-(7 // 2) % 5", 2), ("max(a, b) ** 2", 9), ("ceil(a / b)", 1), ("floor(2.5) + round(2.6)", 5)],
)
def test_arithmetic(text: str, value: float) -> None:
    assert evaluate(text, {"a": 2, "b": 3}) == value


@pytest.mark.parametrize(
    "text",
    ["", "a.b", "a[0]", "__import__('os')", "open('x')", "a if b else 1", "'a'", "True", "lambda: 1", "a = 1", "max()"],
)
def test_nothing_but_arithmetic(text: str) -> None:
    with pytest.raises(ValueError, match="not arithmetic"):
        evaluate(text, {"a": 1, "b": 2})


@pytest.mark.clock
def test_sizing_pays_nothing_for_workings() -> None:
    """Workings are made on demand, each in a few milliseconds."""
    sizing = sizing_of("one node, 70B")
    figures = figure_ids(sizing)
    for figure in figures:
        working(sizing, figure)
    start = process_time()
    for figure in figures:
        working(sizing, figure)
    assert (process_time() - start) / len(figures) < 0.01
