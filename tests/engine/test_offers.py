"""What is offered was sized as it will be applied: over a grid of builds, every change and every build on offer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from typing import Any

import pytest

import catalog
from engine.decide.advice import advice
from engine.decide.builds import options
from engine.decide.plan import plan
from engine.decide.size import size
from engine.decide.suggestions import advised
from engine.decide.whole import with_changes
from engine.figures.sentences import Figure, text_of
from engine.figures.units import GIB
from engine.scenario import Layout, LayoutChoice, Scenario, Workload
from engine.scenario.change import change
from engine.sizing import Suggestion

KNOWN = catalog.load()
FREE = LayoutChoice()


@dataclass(frozen=True)
class Case:
    model: str
    weights: str
    card: str
    gpus: int = 1
    nodes: int = 1
    layout: LayoutChoice = FREE
    work: dict[str, Any] = field(default_factory=dict)

    def scenario(self) -> Scenario:
        """The build as entered."""
        return catalog.build_scenario(
            self.model,
            self.weights,
            self.card,
            self.gpus,
            self.nodes,
            layout=self.layout,
            workload=Workload(**self.work),
        )


def long(users: int, prompt: int = 7000, answer: int = 1000, **targets: float) -> dict[str, Any]:
    return {"concurrency": users, "input_tokens": prompt, "output_tokens": answer, **targets}


PINNED_2 = LayoutChoice(tp=2, pp=1, dp=1)
GRID: dict[str, Case] = {
    "a box that takes one": Case("llama-3.1-70b", "fp8", "gb10", 1, work=long(200)),
    "carries over two nodes": Case("qwen3-235b-a22b", "int4", "rtx-5090", 4, 2, work=long(10, 31000)),
    "a large mixture of experts": Case("deepseek-v3", "fp8", "rtx-pro-6000-server", 8, work=long(32)),
    "pinned, with a speed": Case(
        "llama-3.1-70b", "fp8", "h100-sxm", 2, layout=PINNED_2, work=long(32, tokens_per_s_user_target=25.0)
    ),
    "pinned TP alone": Case("llama-3.1-70b", "fp8", "h100-sxm", 4, layout=LayoutChoice(tp=2), work=long(300)),
    "pinned data parallel": Case("llama-3.1-8b", "bf16", "l4", 4, layout=LayoutChoice(tp=1, dp=4), work=long(64)),
    "pinned pipeline": Case("llama-3.1-70b", "bf16", "l40s", 8, layout=LayoutChoice(tp=4, pp=2), work=long(64)),
    "pinned pipeline over nodes": Case(
        "llama-3.1-70b", "fp8", "rtx-5090", 4, 2, layout=LayoutChoice(pp=2), work=long(64)
    ),
    "pinned experts": Case("mixtral-8x7b", "bf16", "h100-sxm", 2, layout=LayoutChoice(ep=2), work=long(200)),
    "pinned attention": Case(
        "deepseek-v3", "fp8", "h200-sxm", 8, layout=LayoutChoice(dp_attention=True), work=long(500, 15000)
    ),
    "pinned TP across nodes": Case("llama-3.1-70b", "fp8", "h100-sxm", 2, 2, LayoutChoice(tp=4), work=long(16)),
    "pinned past the KV heads": Case("llama-3.1-8b", "bf16", "a100-sxm4-80gb", 16, layout=LayoutChoice(tp=16)),
    "one small card": Case("llama-3.1-8b", "bf16", "l4", 1, work=long(16)),
    "no start": Case("llama-3.1-405b", "bf16", "h100-sxm", 8, work=long(4)),
    "no start at all": Case("llama-3.1-405b", "bf16", "rtx-4090", 1, work=long(4)),
    "overloaded": Case("llama-3.1-70b", "fp8", "h100-sxm", 2, work=long(2000)),
    "bridged pairs": Case("llama-3.1-70b", "fp8", "h100-nvl", 2, work=long(200)),
    "no peer access": Case("llama-3.1-70b", "int4", "rtx-4090", 4, work=long(60)),
    "no peer access, tight": Case("qwen2.5-32b", "int4", "rtx-3090", 2, work=long(16)),
    "first token late": Case("llama-3.1-70b", "fp8", "rtx-pro-6000-server", 4, work=long(32, ttft_target_s=1.0)),
    "requests too many": Case("llama-3.1-8b", "fp8", "l40s", 1, work=long(32, requests_per_s=20.0)),
    "spare cards": Case("llama-3.1-8b", "fp8", "h100-sxm", 4, work=long(4)),
    "two small nodes": Case("llama-3.1-405b", "fp8", "h100-sxm", 4, 2, work=long(4)),
    "two nodes for one": Case("llama-3.1-70b", "fp8", "h100-sxm", 8, 2, work=long(32)),
    "an unpatched driver": Case("llama-3.1-70b", "int4", "rtx-4090", 4, work=long(8)),
    "offline": Case("llama-3.1-70b", "fp8", "h100-sxm", 2, work={"kind": "batch", **long(500)}),
    "a block format": Case("llama-3.1-70b", "gguf-q4_k_m", "rtx-3090", 2, work=long(8)),
    "four bits published": Case("gpt-oss-120b", "mxfp4", "rtx-5090", 2, work=long(64)),
    "a mixture on Macs": Case("gpt-oss-120b", "mxfp4", "apple-m3-ultra", 1, work=long(32)),
    "full fine-tune": Case("llama-3.1-8b", "bf16", "h100-sxm", 1, work={"kind": "full-finetune"}),
    "full fine-tune, four": Case(
        "llama-3.1-8b", "bf16", "a100-sxm4-80gb", 4, work={"kind": "full-finetune", "recompute": "none"}
    ),
    "full fine-tune, pinned": Case(
        "llama-3.1-8b",
        "bf16",
        "a100-sxm4-80gb",
        4,
        layout=LayoutChoice(tp=4, pp=1, dp=1),
        work={"kind": "full-finetune"},
    ),
    "data parallel by copies": Case(
        "llama-3.1-8b", "bf16", "h100-sxm", 8, work={"kind": "full-finetune", "sharding": "ddp"}
    ),
    "adapters, no room": Case("llama-3.1-70b", "bf16", "rtx-4090", 2, work={"kind": "lora"}),
    "adapters, no time": Case(
        "llama-3.1-8b",
        "bf16",
        "rtx-4090",
        2,
        work={"kind": "lora", "total_tokens": 50_000_000_000, "deadline_days": 7.0},
    ),
    "adapters on four bits": Case("llama-3.1-70b", "bf16", "rtx-4090", 1, work={"kind": "qlora", "micro_batch": 4}),
    "weights in four bits": Case("llama-3.1-8b", "int4", "rtx-4090", 1, work={"kind": "lora"}),
    "long sequences": Case(
        "llama-3.1-8b", "bf16", "h100-sxm", 8, work={"kind": "full-finetune", "sequence_length": 65536, "loss": "eager"}
    ),
    "pretraining": Case("llama-3.1-8b", "bf16", "h100-sxm", 8, work={"kind": "pretrain", "deadline_days": 30.0}),
    "pretraining over nodes": Case("llama-3.1-70b", "bf16", "h100-sxm", 8, 2, work={"kind": "pretrain"}),
}


@lru_cache(maxsize=len(GRID))
def offered(scenario: Scenario) -> dict[str, tuple[Suggestion, ...]]:
    """All that is on offer for a build, searched once for all tests."""
    sizing = with_changes(size(scenario))
    return {
        "fixes": advice(scenario).fixes,
        "room": sizing.memory.suggestions,
        "warnings": tuple(notice.fix for notice in sizing.warnings if notice.fix is not None),
    }


@pytest.mark.parametrize("case", GRID.values(), ids=GRID)
def test_every_change_on_offer_does_what_it_promises(case: Case) -> None:
    scenario = case.scenario()
    before = plan(scenario)
    for where, suggestions in offered(scenario).items():
        for suggestion in suggestions:
            made = change(scenario, dict(suggestion.changes), KNOWN)
            after = size(made)  # as the app sizes what it has applied: checks and all
            told = f"{where}: {suggestion}"
            assert after.verdict.carried or (where != "fixes" and not before.carries), told
            assert after.memory.starts or not before.memory.starts, told
            assert after.memory.fits or not before.memory.fits, told
            for word in ("comfortable", "marginal", "tight", "does not fit"):
                assert word not in text_of(suggestion.effect) or after.memory.headroom == word, told
            promised = {
                "memory.users_that_fit": f"{after.memory.users_that_fit:,}",
                "memory.peak_bytes": f"{after.memory.peak_bytes / GIB:,.1f} GiB",
            }
            for part in suggestion.effect if where != "fixes" else ():  # whose figures are told in fewer digits
                if isinstance(part, Figure) and part.figure in promised:
                    assert part.text == promised[part.figure], told
            if suggestion.layout is not None:
                assert replace(after.layout, reason=()) == replace(suggestion.layout, reason=()), told


@pytest.mark.parametrize("case", GRID.values(), ids=GRID)
def test_a_pinned_layout_changes_only_by_name(case: Case) -> None:
    scenario = case.scenario()
    for suggestions in offered(scenario).values():
        for suggestion in suggestions:
            named = {key.removeprefix("layout.") for key, _ in suggestion.changes if key.startswith("layout.")}
            made = change(scenario, dict(suggestion.changes), KNOWN)
            for name in set(LayoutChoice.__dataclass_fields__) - named:
                assert getattr(made.layout, name) == getattr(scenario.layout, name)


@pytest.mark.parametrize("name", ["pinned, with a speed", "a box that takes one", "adapters, no room"])
def test_a_recommended_build_is_what_its_changes_make(name: str) -> None:
    scenario = GRID[name].scenario()
    priced = replace(scenario, money=replace(scenario.money, gpu_price_usd=5000.0, usd_per_gpu_hour=1.0))
    found = list(islice((option for option in options(priced) if option is not None), 25))
    assert found
    for option in found:
        made = change(priced, dict(option.changes), KNOWN)
        assert made == option.scenario
        after = size(made)
        assert after.verdict.carried
        assert replace(after.layout, reason=()) == replace(option.plan.layout, reason=())
        assert after.serving == option.plan.serving
        assert after.memory.per_gpu == option.plan.memory.per_gpu
        own = made.hardware.accelerator.id == scenario.hardware.accelerator.id
        assert made.money.gpu_price_usd == (5000.0 if own else None)


def test_a_pinned_layout_takes_the_one_that_the_larger_node_needs() -> None:
    """Offered and applied were two things: four GPUs were sized with a free layout, and applied with TP 2 pinned."""
    scenario = GRID["pinned, with a speed"].scenario()
    larger = next(fix for fix in advice(scenario).fixes if fix.field == "hardware.gpus_per_node")
    assert isinstance(larger.layout, Layout)
    assert dict(larger.changes)["layout.tp"] == larger.layout.tp > 2
    assert size(change(scenario, dict(larger.changes), KNOWN)).verdict.carried
    assert not plan(change(scenario, {"hardware.gpus_per_node": larger.value}, KNOWN)).carries


@pytest.mark.parametrize(
    ("model", "weights", "card", "gpus", "users"),
    [
        ("llama-3.1-70b", "bf16", "h100-sxm", 2, 8),
        ("llama-3.1-8b", "bf16", "rtx-4090", 1, 8),
        ("deepseek-v3", "fp8", "h100-sxm", 8, 1),
    ],
)
def test_a_build_that_does_not_start_is_offered_what_does(
    model: str, weights: str, card: str, gpus: int, users: int
) -> None:
    work = {"concurrency": users, "input_tokens": 100_000, "output_tokens": 500}
    scenario = Case(model, weights, card, gpus, work=work).scenario()
    memory = advised(plan(scenario)).memory
    assert not memory.starts
    assert memory.suggestions
    for suggestion in memory.suggestions:
        assert plan(change(scenario, dict(suggestion.changes), KNOWN)).memory.starts, suggestion.field
