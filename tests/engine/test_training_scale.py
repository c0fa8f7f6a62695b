"""What training keeps of its speed where cards, links, watts and experts set the pace, beside what was measured of each."""

from __future__ import annotations

import random
import statistics
from collections import defaultdict
from dataclasses import replace

import pytest

import catalog
from engine.decide.size import size
from engine.scenario import Layout, Scenario
from engine.training.rates import FITTED, rates
from engine.training.step import Step, slowest, step
from engine.training.traffic import training_traffic
from tests.accuracy import training_perf
from tests.engine.builds import build


def ran(scenario: Scenario, layout: Layout) -> Step:
    return step(scenario.model.architecture, scenario.hardware, scenario.workload, layout)


FOUR_PORTS = replace(catalog.load().link("roce-100"), nics_per_node=4)


def replicas(nodes: int, reach: str) -> float:
    """Tokens a second and GPU of a 7B under InternEvo's ZeRO-1 on nodes of eight A100, four micro-batches a step."""
    scenario = build(
        "llama-2-7b", "bf16", "a100-sxm4-80gb", 8, nodes, kind="pretrain", sequence_length=2048, micro_batch=2,
        sharding="zero1", sharding_group=reach, framework="internevo", gradient_accumulation=4,
    )  # fmt: skip
    slim = replace(scenario, hardware=replace(scenario.hardware, inter_link=FOUR_PORTS))
    return ran(slim, Layout(dp=8 * nodes)).tokens_per_s / 8 / nodes


def test_sharding_inside_a_node_keeps_what_sharding_over_a_thousand_ranks_loses() -> None:
    # InternEvo's table of a 7B from 8 to 1,024 A100: 89 % kept inside the node, 56 % over all ranks
    inside, everywhere = (replicas(128, reach) / replicas(1, reach) for reach in ("node", "all"))
    assert inside == pytest.approx(0.89, abs=0.055)
    assert everywhere == pytest.approx(0.56, abs=0.10)
    assert everywhere < inside - 0.25
    # 97 to 96 % and 95 to 88 % of it from 16 to 128 ranks
    kept = [replicas(nodes, reach) / replicas(1, reach) for reach in ("node", "all") for nodes in (2, 16)]
    assert kept == pytest.approx([0.966, 0.963, 0.946, 0.879], abs=0.035)


def test_a_step_waits_for_the_slowest_of_its_gpus() -> None:
    drawn, spread = random.Random(7), FITTED["spread"]
    for gpus in (8, 64, 512):
        worst = statistics.mean(max(drawn.gauss(0.0, spread) for _ in range(gpus)) for _ in range(400))
        assert slowest(gpus, spread) - 1.0 == pytest.approx(worst, abs=0.004)
    assert slowest(1, spread) == 1.0
    growing = [slowest(2**power, spread) for power in range(1, 15)]
    assert growing == sorted(growing)
    assert growing[-1] < 1.08
    one, many = (
        ran(build("llama-3.1-8b", "bf16", "h100-sxm", 8, nodes, kind="pretrain", sharding="ddp", gradient_accumulation=4), Layout(dp=8 * nodes))
        for nodes in (1, 64)
    )  # fmt: skip
    assert many.compute_each_s / one.compute_each_s == pytest.approx(slowest(512, spread) / slowest(8, spread))


def again(framework: str, trains: str = "full-finetune") -> float:
    """How much longer a step on one GPU takes with full recomputation, under kernels of one kind."""
    taken = [
        ran(build("llama-3.1-8b", "bf16", "h200-sxm", 1, kind=trains, recompute=recompute, framework=framework, software="standard", loss="fused"), Layout()).compute_each_s
        for recompute in ("none", "full")
    ]  # fmt: skip
    return taken[1] - taken[0]


def test_pytorchs_checkpoints_leave_the_last_product_of_a_layer() -> None:
    for framework in ("fsdp1", "fsdp2", "torchtune"):
        # w2 is 27 % of the products of a layer
        assert 0.75 < again(framework) / again("deepspeed") < 0.85
    # a frozen product runs before its adapter, whose inner width the backward pass reads
    assert again("fsdp2", "lora") == pytest.approx(again("deepspeed", "lora"))


def sent(framework: str, sharding: str, layout: Layout, **change: object) -> dict[tuple[str, str], float]:
    """Bytes of each collective of a step by its kind and dimension."""
    scenario = build("llama-3.1-8b", "bf16", "h100-sxm", 8, 4, kind="pretrain", sharding=sharding, framework=framework, gradient_accumulation=1, **change)  # type: ignore[arg-type] # fmt: skip
    found: dict[tuple[str, str], float] = defaultdict(float)
    for one in training_traffic(scenario.model.architecture, scenario.workload, layout, 8):
        found[one.op, one.span] += one.payload_bytes * one.count
    return found


def test_a_layer_that_is_computed_again_sums_no_output_that_nothing_reads() -> None:
    tp = Layout(tp=8, dp=4)
    whole, less = (sent(name, "zero3", tp, recompute="full")["all_reduce", "tp"] for name in ("megatron", "fsdp2"))
    assert less / whole == pytest.approx(5 / 6)


def test_gradients_travel_as_the_framework_sums_them() -> None:
    ranks = Layout(dp=32)
    sums = {name: sent(name, "zero1", ranks) for name in ("megatron", "nemo", "deepspeed", "internevo", "fsdp2")}
    assert sums["megatron"]["reduce_scatter", "dp"] == 2 * sums["nemo"]["reduce_scatter", "dp"]
    assert sums["deepspeed"]["reduce_scatter", "dp"] == sums["nemo"]["reduce_scatter", "dp"]
    for name, scattered in (
        ("internevo", "deepspeed"),
        ("fsdp2", "megatron"),
    ):  # every rank gets the sums of all gradients
        assert ("reduce_scatter", "dp") not in sums[name]
        assert sums[name]["all_reduce", "dp"] == sums[scattered]["reduce_scatter", "dp"]


def test_exposed_communication_stays_flat_as_replicas_are_added() -> None:
    # a pipeline with TP inside the node: from 128 to 2,048 GPUs only the ring of the gradients grows, and it hides
    shares = []
    for nodes in (16, 64, 256):
        scenario = build(
            "llama-3.1-405b", "bf16", "h100-sxm", 8, nodes, kind="pretrain", sequence_length=8192, micro_batch=1,
            sharding="zero1", framework="megatron", gradient_accumulation=64,
        )  # fmt: skip
        made = ran(scenario, Layout(tp=8, pp=8, dp=nodes // 8))
        shares.append(made.exposed_s / made.seconds)
    assert max(shares) - min(shares) < 0.01


@pytest.mark.parametrize("card", ["h100-sxm", "b200-sxm", "a100-sxm4-80gb"])
def test_a_card_under_a_power_limit_trains_slower_and_no_slower_than_its_watts(card: str) -> None:
    free = build("llama-3.1-8b", "bf16", card, 8, kind="pretrain", sequence_length=4096, sharding="zero3")
    watts = free.hardware.accelerator.tdp_w
    assert watts is not None
    kept = []
    for share in (1.0, 0.85, 0.7, 0.55):
        limited = replace(free, hardware=replace(free.hardware, power_limit_w=share * watts))
        kept.append(ran(free, Layout(dp=8)).seconds / ran(limited, Layout(dp=8)).seconds)
    assert kept[0] == 1.0
    assert kept == sorted(kept, reverse=True)
    # clocks fall with the cube root of the watts that drive them, so that a tenth fewer cost less than a tenth
    assert kept[1] > 0.9
    assert kept[3] > 0.55


def test_a_watt_makes_more_on_a_newer_generation() -> None:
    made = {}
    for card in ("l40s", "rtx-pro-6000-server"):
        facts = catalog.load().accelerator(card)
        assert facts.tdp_w is not None
        made[card] = rates(facts, "bf16", "tuned").matrix / facts.tdp_w
    assert 1.1 < made["rtx-pro-6000-server"] / made["l40s"] < 1.8


def in_turn(model: str, **change: object) -> float:
    """Seconds of a step of full fine-tuning on two nodes of A100 under DeepSpeed."""
    given: dict[str, object] = {
        "kind": "full-finetune", "framework": "deepspeed", "sharding": "zero3", "recompute": "full",
        "sequence_length": 8192, "micro_batch": 1, "gradient_accumulation": 1, "loss": "fused",
    }  # fmt: skip
    scenario = build(model, "bf16", "a100-sxm4-80gb", 8, 2, **(given | change))  # type: ignore[arg-type] # keys of a workload, each with a value of its own type
    return ran(scenario, Layout(dp=16)).seconds


def test_experts_in_turn_take_the_host_time_of_each() -> None:
    together, turns = (in_turn("qwen3-30b-a3b", software=name) for name in ("standard", "eager"))
    assert 10 < turns / together < 40  # 9.5 times as long as Megatron-LM's in public, on half as many GPUs a step
    # layers are gathered whole under FSDP: the turns cost launches alone
    assert turns > 3 * in_turn("qwen3-30b-a3b", software="eager", framework="hf-trainer")
    # eight wide experts keep the card busy in their turns
    few = [in_turn("mixtral-8x7b", software=name, framework="hf-trainer") for name in ("standard", "eager")]
    assert few[1] < 1.4 * few[0]


def test_figures_of_experts_in_turn_are_told_as_such_only_where_they_are_not_counted() -> None:
    def told(software: str) -> bool:
        scenario = build(
            "qwen3-30b-a3b", "bf16", "h100-sxm", 8, 2, kind="full-finetune", framework="deepspeed", sharding="zero3",
            software=software,
        )  # fmt: skip
        return "experts-in-turn" in {one.id for one in size(scenario).warnings}

    assert told("standard")
    assert not told("eager")


ROW = {
    "id": "row", "model": "Llama-3-8B", "gpu": "H100-SXM", "n_gpus": 8, "task": "pretrain", "dtype": "bf16", "parallelism": "FSDP2",
    "framework": "torchtitan", "seq_len": 8192, "micro_batch": 1, "global_batch_tokens": 65536, "tokens_s_per_gpu": 6000.0,
}  # fmt: skip


def read(**change: object) -> tuple[Scenario, Layout, float] | str:
    return training_perf.scenario_of(defaultdict(lambda: None, {**ROW, **change}))


@pytest.mark.parametrize("given", [{"notes": "local batch 8; 500 W"}, {"power_limit_w": 500.0}])
def test_a_limit_that_a_row_states_is_entered(given: dict[str, object]) -> None:
    written = read(**given)
    assert not isinstance(written, str)
    assert written[0].hardware.power_limit_w == 500.0


def test_a_limit_that_nobody_stated_is_none() -> None:
    written = read(notes="power-limited B200 (limit not stated)")
    assert not isinstance(written, str)
    assert written[0].hardware.power_limit_w is None


def test_gh200s_of_a_board_of_four_share_its_watts() -> None:
    for per_node, watts in ((4, 680.0), (1, None)):
        written = read(gpu="GH200", n_gpus=4, gpus_per_node=per_node, nodes=4 // per_node)
        assert not isinstance(written, str)
        assert written[0].hardware.power_limit_w == watts


def test_automodels_experts_are_spread_over_the_ranks_that_shard() -> None:
    written = read(model="Qwen3-30B-A3B", framework="NeMo AutoModel TE+DeepEP", parallelism="FSDP8", ep=None)
    assert not isinstance(written, str)
    assert written[1].ep == 8
