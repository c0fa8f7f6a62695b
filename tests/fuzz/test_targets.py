"""A short round of each target in the suite, with a seed of its own; `python -m tests.fuzz` makes long ones."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import pytest

from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.scenario import LayoutChoice, Money, Workload
from tests.engine.builds import build
from tests.fuzz import after, scenarios, target

TRAINING = Workload(kind="full-finetune", context_parallel=2)
CASES = {"catalogs": 15, "configs": 250, "detect": 60, "ggufs": 250, "scenarios": 25, "sessions": 40}


@pytest.mark.parametrize("name", CASES)
def test_a_round_breaks_no_promise(name: str) -> None:
    counts = target(name).run(11, after(CASES[name]))
    assert counts["cases"] == CASES[name]
    assert counts["refused"] > 0
    assert counts["sized"] > 0


@pytest.mark.parametrize("recompute", ["none", "selective", "full"])
@pytest.mark.parametrize("kind", ["qlora", "lora"])
@pytest.mark.parametrize("card", ["rtx-5090", "rtx-4090", "h100-sxm"])
def test_adapters_are_no_faster_than_the_card(kind: str, recompute: str, card: str) -> None:
    """Tuned, without recomputation, a QLoRA of a 7B counted products that nobody computes."""
    training: dict[str, Any] = {"kind": kind, "sequence_length": 2048, "recompute": recompute, "software": "tuned"}
    sizing = size(build("llama-2-7b", "bf16", card, 1, **training))
    scenarios.check(sizing, f"{kind} on a {card}")
    assert sizing.training is not None
    assert 0.2 < sizing.training.mfu <= 1


@pytest.mark.parametrize(
    ("field", "wanted"),
    [
        ("workload.lora_rank", {"workload": Workload(kind="lora", lora_rank=10**18)}),
        ("layout.dp", {"layout": LayoutChoice(dp=2**63 - 1), "workload": TRAINING}),
        ("workload.context_parallel", {"workload": replace(TRAINING, context_parallel=2**63 - 1)}),
        ("money.gpu_price_usd", {"money": Money(gpu_price_usd=-1.0)}),
        ("money.gpu_price_usd", {"money": Money(gpu_price_usd=1e308)}),
        ("money.electricity_usd_per_kwh", {"money": Money(electricity_usd_per_kwh=math.nan)}),
        ("workload.concurrency", {"workload": Workload(concurrency=10**5000)}),
    ],
    ids=["rank", "replicas", "context ranks", "negative price", "endless price", "no number", "digits"],
)
def test_what_no_build_has_is_refused_at_once(field: str, wanted: dict[str, Any]) -> None:
    before = time.process_time()
    with pytest.raises(ScenarioError) as caught:
        size(replace(build("llama-3.1-8b", "bf16", "h100-sxm", 8), **wanted))
    assert caught.value.field == field
    assert len(str(caught.value)) < 500
    assert time.process_time() - before < 2


def test_a_build_without_room_for_any_kv_keeps_the_laws() -> None:
    """No share of nothing: what the load needs over no room at all is unknown, not infinite."""
    sizing = size(build("kimi-k2.5", "bf16", "a10", 2))
    scenarios.check(sizing, "a model of a terabyte on two small cards")
    assert sizing.memory.kv_share is None
