"""What cannot be is refused at its field, just past the last value that can be, and the nearest value named is taken."""

from __future__ import annotations

from typing import Any

import pytest

import catalog
from catalog.scenarios import build_scenario
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.scenario import LayoutChoice, Scenario, Workload
from engine.scenario.change import change
from tests.engine.builds import build

TRAINED: dict[str, Any] = {"kind": "full-finetune", "global_batch_tokens": 4096 * 64}


def serving(**load: Any) -> Scenario:
    """Llama 3.1 8B, context 131,072, on two nodes of eight H100."""
    return build("llama-3.1-8b", "bf16", "h100-sxm", 8, 2, **load)


def training(**work: Any) -> Scenario:
    """The same, trained."""
    return build("llama-3.1-8b", "bf16", "h100-sxm", 8, 2, **(TRAINED | work))


def mixture() -> Scenario:
    """Mixtral 8x7B: eight experts, 32 heads of which 8 for keys."""
    return build("mixtral-8x7b", "bf16", "h200-sxm", 8, 2)


LIMITS: list[tuple[str, Scenario, dict[str, Any], dict[str, Any]]] = [
    # the field at fault, the scenario, what is just taken, what is just refused
    ("workload.output_tokens", serving(), {"workload.output_tokens": 131071, "workload.input_tokens": 1},
     {"workload.output_tokens": 131072, "workload.input_tokens": 1}),
    ("workload.input_tokens", serving(output_tokens=1000), {"workload.input_tokens": 130072},
     {"workload.input_tokens": 130073}),
    ("runtime.max_model_len", serving(), {"runtime.max_model_len": 131072}, {"runtime.max_model_len": 131073}),
    ("workload.context_parallel", training(), {"workload.context_parallel": 16}, {"workload.context_parallel": 12}),
    ("layout.tp", mixture(), {"layout.tp": 16}, {"layout.tp": 12}),
    ("layout.pp", mixture(), {"layout.pp": 16}, {"layout.pp": 17}),
    ("layout.dp", mixture(), {"layout.tp": 4, "layout.dp": 4}, {"layout.tp": 4, "layout.dp": 5}),
    ("layout.ep", mixture(), {"layout.tp": 8, "layout.ep": 8}, {"layout.tp": 8, "layout.ep": 3}),
    ("layout.ep", serving(), {"layout.ep": 1}, {"layout.ep": 2}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "scenario", "taken", "refused"), LIMITS, ids=[f"{n} {x[0]}" for n, x in enumerate(LIMITS)]
)
def test_a_limit_is_where_it_is(field: str, scenario: Scenario, taken: dict[str, Any], refused: dict[str, Any]) -> None:
    size(change(scenario, taken))
    with pytest.raises(ScenarioError) as found:
        size(change(scenario, refused))
    assert found.value.field == field
    if found.value.nearest is not None:
        size(change(scenario, refused | {field: found.value.nearest}))


def test_data_parallel_ranks_that_are_pinned_are_those_that_share_a_sequence() -> None:
    scenario = build("llama-3.1-8b", "bf16", "h100-sxm", 8, 1, LayoutChoice(tp=2, dp=4), **TRAINED)
    size(change(scenario, {"workload.context_parallel": 4}))
    with pytest.raises(ScenarioError, match="4 data-parallel ranks") as found:
        size(change(scenario, {"workload.context_parallel": 8}))
    assert found.value.nearest == 4


def test_heads_are_what_tensor_parallelism_divides() -> None:
    # Qwen2.5 7B has 28 heads and 4 of keys: 1, 2, 4, 28; 7 divides the heads and not the keys
    scenario = build("qwen2.5-7b", "bf16", "h100-sxm", 8, 1)
    for tp in range(1, 9):
        pinned = change(scenario, {"layout.tp": tp})
        if tp in (1, 2, 4):
            assert size(pinned).layout.tp == tp
        else:
            with pytest.raises(ScenarioError, match=r"layout\.tp"):
                size(pinned)


def test_a_box_takes_as_many_cards_as_it_has_places_for() -> None:
    known = catalog.load()
    for card in known.facts.accelerators:
        most = card.max_gpus_per_node
        if most is not None and most < 16:
            load = Workload(concurrency=1, input_tokens=100, output_tokens=10)
            size(build_scenario("llama-3.2-1b", "bf16", card.id, most, workload=load))
            with pytest.raises(ScenarioError) as found:
                size(build_scenario("llama-3.2-1b", "bf16", card.id, most + 1, workload=load))
            assert found.value.field in ("hardware.gpus_per_node", "hardware.intra_link")


def test_a_bridge_joins_as_many_as_it_has_plugs() -> None:
    load = Workload(concurrency=1, input_tokens=100, output_tokens=10)
    size(build_scenario("llama-3.2-1b", "bf16", "rtx-3090", 2, intra_link="nvlink-3-bridge", workload=load))
    with pytest.raises(ScenarioError, match="joins at most 2 GPUs, not 4"):
        size(build_scenario("llama-3.2-1b", "bf16", "rtx-3090", 4, intra_link="nvlink-3-bridge", workload=load))


@pytest.mark.parametrize(("key", "link"), [("intra_link", "ib-ndr"), ("inter_link", "nvlink-4")])
def test_a_link_has_its_side_of_the_box(key: str, link: str) -> None:
    load = Workload(concurrency=1, input_tokens=100, output_tokens=10)
    named: dict[str, Any] = {key: link}
    with pytest.raises(ScenarioError) as found:
        size(build_scenario("llama-3.2-1b", "bf16", "h100-sxm", 8, workload=load, **named))
    assert found.value.field == f"hardware.{key}"


@pytest.mark.parametrize(("second", "right"), [(1, True), (3, True), (4, False), (5, False)])
def test_a_second_kind_of_card_leaves_one_of_the_first(second: int, right: bool) -> None:
    load = Workload(concurrency=1, input_tokens=100, output_tokens=10)
    scenario = build_scenario(
        "llama-3.2-1b", "bf16", "rtx-4090", 4, second_accelerator="rtx-3090", second_gpus=2, workload=load
    )
    if right:
        sizing = size(change(scenario, {"hardware.second_gpus": second}))
        assert [count for _, count in sizing.scenario.hardware.mixed] == [4 - second, second]
    else:
        with pytest.raises(ScenarioError, match="second_gpus"):
            size(change(scenario, {"hardware.second_gpus": second}))
