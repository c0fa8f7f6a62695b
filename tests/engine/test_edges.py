"""The edges of rules: what holds at the very value at which a rule turns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.decide.attempts import CLUSTER_NODES, cluster
from engine.decide.builds import PATIENCE_TOKENS, caveats_of
from engine.decide.plan import plan
from engine.decide.size import size
from engine.decide.suggestions import advised
from engine.decide.tries import owned
from engine.figures.errors import ScenarioError
from engine.figures.sentences import text_of
from engine.links.collectives import collective_s
from engine.model.architecture import Cache, Part, Tensor
from engine.model.formats import tensor_scheme, weight_format
from engine.model.kv_cache import cache_profile
from engine.model.parameters import count_parameters
from engine.money.bill import bought_gpus, kit_price
from engine.money.power import power
from engine.money.shopping import shopping
from engine.money.use import LONGEST_MONTHS, Rates, break_even_months
from engine.parts.hardware import Link
from engine.scenario import LayoutChoice, Money
from engine.scenario.change import change
from engine.scenario.checks import check_scenario
from engine.training.memory.states import frozen_base
from tests.engine.builds import build


def test_sequences_of_exactly_the_requests_length_are_allowed() -> None:
    scenario = build(input_tokens=3000, output_tokens=1000)
    exactly = replace(scenario, runtime=replace(scenario.runtime, max_model_len=4000))
    check_scenario(exactly)
    assert size(exactly).memory.fits
    shorter = size(replace(scenario, runtime=replace(scenario.runtime, max_model_len=3999)))
    assert shorter.memory.starts
    assert shorter.answer.status == "overloaded"
    assert "max_model_len" in text_of(shorter.memory.headroom_reason)
    longer = next(tried for tried in owned(plan(shorter.scenario)) if "runtime.max_model_len" in tried.changes)
    assert size(change(shorter.scenario, dict(longer.changes))).answer.status == "runs"


def test_the_last_month_of_ten_years_may_be_the_one_that_pays() -> None:
    """With next to no growth the purchase is paid by month n: looked for to the last month of ten years, and no further."""
    money = Money(growth_percent_per_month=1e-9)

    def months(needed: float) -> float | None:
        rates = Rates(buy_usd=needed * 100.0, rent_usd_per_hour=1.0, electricity_usd_per_hour=0.0)
        return break_even_months(100.0, rates, money)

    assert months(LONGEST_MONTHS - 0.5) == LONGEST_MONTHS
    assert months(LONGEST_MONTHS - 1.5) == LONGEST_MONTHS - 1
    assert months(LONGEST_MONTHS + 0.5) is None


def test_patience_for_a_first_token_is_six_seconds_and_grows_with_long_prompts() -> None:
    found = plan(build(concurrency=4))
    assert found.serving is not None

    def waits(seconds: float, prompt: int) -> bool:
        scenario = replace(found.scenario, workload=replace(found.scenario.workload, input_tokens=prompt))
        assert found.serving is not None
        slower = replace(found, scenario=scenario, serving=replace(found.serving, ttft_s=seconds))
        return any("first token" in text_of(caveat) for caveat in caveats_of(slower))

    assert not waits(6.0, 1000)
    assert waits(6.01, 1000)
    assert not waits(12.0, 2 * PATIENCE_TOKENS)
    assert waits(12.02, 2 * PATIENCE_TOKENS)


def test_a_build_keeps_no_host_memory_of_a_run_that_nobody_named() -> None:
    scenario = build()
    assert power(scenario) == power(scenario, 0)
    kept = power(scenario).host_memory_gib_min
    assert kept is not None
    assert power(scenario, 8 * 2**30).host_memory_gib_min == pytest.approx(kept + 8)


def test_a_persons_own_price_of_a_card_goes_before_a_kits() -> None:
    scenario = build("llama-3.1-70b", "fp8", "b200-sxm", 8)
    assert kit_price(scenario) is not None
    card = replace(scenario.hardware.accelerator, origin="user", price_usd=30_000.0)
    assert kit_price(replace(scenario, hardware=replace(scenario.hardware, accelerator=card))) is None
    unpriced = replace(card, price_usd=None)
    assert kit_price(replace(scenario, hardware=replace(scenario.hardware, accelerator=unpriced))) is not None


def test_index_keys_beside_a_window_are_counted_in_16_bits() -> None:
    arch = build("deepseek-v3.2", "fp8", "h200-sxm").model.architecture
    layer = next(one for one in arch.layers if one.caches)
    windowed = replace(
        layer, caches=(Cache("sliding", kv_heads=8, k_width=128, v_width=128, window=4096, index_width=96),)
    )
    made = cache_profile(replace(arch, layers=(windowed,) * 3))
    assert made.indexer_bytes_per_token_bf16 == 3 * 96 * 2


def test_the_feeds_and_racks_of_a_site_are_worded_by_their_number() -> None:
    tower, servers, rack = (
        [part.item for part in shopping(scenario, "").parts if part.section == "at the site"]
        for scenario in (
            build("llama-3.1-8b", "fp8", "rtx-4090", 1, 2),
            build("llama-3.1-8b", "fp8", "l40s", 4, 2),
            build("llama-3.1-8b", "fp8", "h100-sxm", 8, 2),
        )
    )
    assert not any("feed B" in item for item in tower)
    assert any("half on feed A and half on feed B" in item for item in servers)
    rooms = [item.partition("room for ")[2] for item in (*servers, *rack) if "room for " in item]
    assert rooms
    for words in rooms:
        assert words.split()[1] == ("node" if words.split()[0] == "1" else "nodes")
    assert {words.split()[0] == "1" for words in rooms} == {True, False}


LADDER = (1, 2, 3, 4, 6, 8, 12, 16, 32, 64)


@pytest.mark.parametrize(
    ("model", "card", "gpus", "nodes"),
    [
        ("llama-3.1-8b", "h100-sxm", 1, 2),
        ("qwen2.5-14b", "rtx-4090", 4, 3),
        ("llama-3.1-8b", "l40s", 1, 4),
        ("llama-3.1-405b", "h200-sxm", 8, 6),
        ("qwen2.5-32b", "h100-sxm", 1, 8),
        ("llama-3.1-8b", "rtx-4090", 1, 12),
        ("qwen2.5-32b", "rtx-4090", 2, 16),
        ("qwen2.5-14b", "rtx-4090", 1, 32),
        ("llama-3.1-70b", "l40s", 1, 64),
    ],
)
def test_the_first_number_of_nodes_that_holds_a_run_is_offered(model: str, card: str, gpus: int, nodes: int) -> None:
    """Sharded over all ranks: the number on offer holds the run, and the one before it on the ladder does not."""
    entered = build(model, "bf16", card, gpus, kind="full-finetune", sharding="zero3")
    on_offer = [one.value for one in advised(plan(entered)).memory.suggestions if one.field == "hardware.nodes"]
    assert on_offer == [nodes]
    layout = plan(entered).layout

    def held(count: int) -> bool:
        hardware = replace(entered.hardware, nodes=count)
        pinned = LayoutChoice(tp=layout.tp, pp=layout.pp, dp=layout.dp * count)
        return plan(replace(entered, hardware=hardware, layout=pinned)).memory.fits

    assert held(nodes)
    assert not held(LADDER[LADDER.index(nodes) - 1])


def test_host_memory_of_a_cure_is_of_one_node() -> None:
    entered = build("llama-3.1-70b", "bf16", "h100-sxm", 8, 2, kind="full-finetune", sharding="zero3")
    before = plan(entered)
    cure = next(one for one in advised(before).memory.suggestions if one.field == "workload.offload")
    after = plan(change(entered, dict(cure.changes)))
    more = (after.memory.host_bytes - before.memory.host_bytes) / 2**30
    assert f"{more:,.0f} GiB of host RAM a node" in text_of(cure.effect)


def test_sequences_on_offer_are_as_long_as_the_request() -> None:
    entered = build("llama-3.1-8b", "bf16", "rtx-4090", 1, concurrency=1, input_tokens=3000, output_tokens=1000)
    long = replace(entered, runtime=replace(entered.runtime, max_model_len=131_072))
    assert not plan(long).memory.starts
    offered = next(one for one in owned(plan(long)) if set(one.changes) == {"runtime.max_model_len"})
    assert offered.changes["runtime.max_model_len"] == 4096
    assert plan(change(long, dict(offered.changes))).memory.starts


@pytest.mark.parametrize(
    ("gpus", "pinned"), [(3, {"pp": 2, "ep": 2}), (5, {"tp": 1, "pp": 2, "ep": 8}), (1, {"ep": 2})]
)
def test_experts_that_divide_no_layout_are_refused_and_not_left_whole(gpus: int, pinned: dict[str, Any]) -> None:
    scenario = build("mixtral-8x7b", "fp8", "h100-sxm", gpus, layout=LayoutChoice(**pinned))
    with pytest.raises(ScenarioError, match="divide") as refused:
        plan(scenario)
    assert refused.value.field == "layout.ep"


def test_a_run_from_scratch_takes_no_fewer_cards_than_were_tried_in_vain() -> None:
    """A short run of a model whose state the largest cluster does not hold: its time alone would take few cards."""
    run = build("kimi-k2", "bf16", "rtx-4090", 8, kind="pretrain", total_tokens=1_000_000, deadline_days=3000.0)
    assert not cluster(run).holds
    said = size(run).verdict
    assert said.answer == "frontier"
    assert f"bout {8 * CLUSTER_NODES[-1]:,} RTX 4090" in text_of(said.reason)


def test_what_an_audio_tower_weighs_is_not_read_for_each_token() -> None:
    """Towers of pictures and sound run over a prompt's parts of theirs: a step of text does not read them."""
    scenario = build("qwen2.5-14b", "bf16", "h100-sxm", 1, concurrency=4)
    arch = scenario.model.architecture

    def speed(part: Part | None) -> float:
        tower = Tensor("tower", part, 5120, 5120 * 16) if part is not None else None
        made = replace(arch, towers=(tower,) if tower is not None else ())
        found = plan(replace(scenario, model=replace(scenario.model, architecture=made))).serving
        assert found is not None
        return found.tokens_per_s_user

    assert speed("audio") == pytest.approx(speed(None))
    assert speed("vision") == pytest.approx(speed(None))


def test_boards_that_nobody_sells_as_large_are_counted_as_used() -> None:
    """H200 are sold by eight: of seven the whole board stands in the node; of sixteen in one box, those."""
    scenario = build("llama-3.1-70b", "fp8", "h200-sxm", 8)
    hardware = scenario.hardware

    def counted(gpus: int) -> int:
        return bought_gpus(replace(scenario, hardware=replace(hardware, gpus_per_node=gpus)))

    assert [counted(gpus) for gpus in (1, 7, 8)] == [counted(1), 8, 8]
    assert counted(16) == 16


@pytest.mark.parametrize(("peak", "slot"), [(99.0, 31.5), (100.0, 63.0), (110.0, 63.0)])
def test_four_cards_on_bridges_of_two_are_faster_than_by_their_slots(peak: float, slot: float) -> None:
    """H200 NVL on two bridges measure 76 GB/s among eight: more than the slots give."""
    bridge = Link("some-bridge", "A bridge", "intra-node", "nvlink", peak, max_gpus=2)
    board = Link("some-slot", "A slot", "intra-node", "pcie", slot)
    four = collective_s("all_reduce", 2**28, 4, 4, bridge, None)
    assert four < collective_s("all_reduce", 2**28, 4, 4, board, None)


def test_matrices_of_sixty_four_rows_are_quantized_and_narrower_ones_not() -> None:
    arch = build("llama-3.1-8b", "int4", "h100-sxm", 1).model.architecture
    for rows, stored in ((64, "int4"), (63, "bf16")):
        tensor = Tensor("gate", "mlp", rows, 4096)
        assert tensor_scheme(tensor, weight_format("int4"), arch, 0) == tensor_scheme(
            tensor, weight_format(stored), arch, 0
        )


def test_the_frozen_base_of_adapters_is_the_whole_model() -> None:
    scenario = build("llama-3.1-8b", "bf16", "h100-sxm", 1, kind="lora")
    arch = scenario.model.architecture
    projections, others, bits = frozen_base(arch, scenario.workload)
    assert projections + others == count_parameters(arch).total
    assert bits == 16.0
    quantized = build("llama-3.1-8b", "bf16", "h100-sxm", 1, kind="qlora")
    projections, others, bits = frozen_base(arch, quantized.workload)
    assert projections + others == count_parameters(arch).total
    assert 0 < others < projections
    assert 4.0 <= bits < 5.0
