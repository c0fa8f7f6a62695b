"""Training memory: what must hold for every plan, and the published formulas it contains."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.figures.errors import ScenarioError
from engine.figures.sentences import text_of
from engine.figures.units import GB, GIB
from engine.layout.candidates import candidate_layouts
from engine.model.architecture import Architecture, dense_decoder
from engine.parts.hardware import Accelerator, Link
from engine.runtimes.frameworks import Loss, Optimizer, Sharding, TrainingFramework
from engine.scenario import (
    INFERENCE_KINDS,
    BaseFormat,
    Hardware,
    Kind,
    Layout,
    LoraTargets,
    Model,
    Offload,
    Recompute,
    Scenario,
    Workload,
)
from engine.scenario.checks import check_scenario
from engine.sizing import Memory, Suggestion
from engine.training.memory import assumption_lines, training_memory
from engine.training.memory.advice import SEARCH_STEPS

CARD = Accelerator("card", "an 80 GB card", "", "", "", "", 80, 81559, 3350.0)
INTRA = Link("intra", "inside", "intra-node", "nvlink", 450.0)
INTER = Link("inter", "between", "inter-node", "infiniband", 50.0)
LLAMA_7B = dense_decoder(
    hidden_size=4096,
    layers=32,
    intermediate_size=11008,
    heads=32,
    kv_heads=32,
    head_dim=128,
    vocab_size=32000,
    max_position=32768,
)
LARGE_VOCABULARY = dense_decoder(
    hidden_size=3072,
    layers=28,
    intermediate_size=24576,
    heads=16,
    kv_heads=16,
    head_dim=256,
    vocab_size=512000,
)
LLAMA_70B = dense_decoder(
    hidden_size=8192,
    layers=80,
    intermediate_size=28672,
    heads=64,
    kv_heads=8,
    head_dim=128,
    vocab_size=128256,
    max_position=131072,
)
MIXTRAL = dense_decoder(
    hidden_size=4096,
    layers=32,
    intermediate_size=14336,
    heads=32,
    kv_heads=8,
    head_dim=128,
    vocab_size=32000,
    experts=8,
    experts_per_token=2,
    max_position=32768,
)


def scenario(architecture: Architecture, workload: Workload, gpus: int = 8) -> Scenario:
    """The workload on nodes of 8 cards."""
    per_node = min(8, gpus)
    hardware = Hardware(CARD, per_node, -(-gpus // per_node), INTRA, INTER)
    return Scenario(Model("model", "Model", "family", architecture), hardware, workload)


def sized(architecture: Architecture, layout: Layout, **workload: Any) -> Memory:
    """The memory of a training workload, one micro-batch a step unless it says otherwise."""
    options: dict[str, Any] = {"kind": "full-finetune", "gradient_accumulation": 1, **workload}
    return training_memory(scenario(architecture, Workload(**options), layout.gpus), layout)


TRAINING_KINDS = tuple(kind for kind in get_args(Kind) if kind not in INFERENCE_KINDS)
workloads = st.builds(
    Workload,
    kind=st.sampled_from(TRAINING_KINDS),
    sequence_length=st.integers(1, 16384),
    micro_batch=st.integers(1, 8),
    optimizer=st.sampled_from(get_args(Optimizer)),
    optimizer_fused=st.booleans(),
    master_weights=st.booleans(),
    recompute=st.sampled_from(get_args(Recompute)),
    sharding=st.sampled_from(get_args(Sharding)),
    framework=st.sampled_from(get_args(TrainingFramework)),
    lora_rank=st.sampled_from((1, 16, 256)),
    lora_targets=st.sampled_from(get_args(LoraTargets)),
    trainable_embeddings=st.booleans(),
    base_format=st.sampled_from(get_args(BaseFormat)),
    loss=st.sampled_from(get_args(Loss)),
    gradient_accumulation=st.sampled_from((None, 1, 4)),
    offload=st.sampled_from(get_args(Offload)),
    flash_attention=st.booleans(),
    compile=st.booleans(),
    activation_offload=st.booleans(),
)
layouts = st.sampled_from(
    (Layout(), Layout(1, 1, 8), Layout(8, 1, 1), Layout(2, 1, 4), Layout(2, 4, 1), Layout(1, 2, 4), Layout(4, 2, 2))
)
architectures = st.sampled_from((LLAMA_7B, LLAMA_70B, MIXTRAL))


@given(architecture=architectures, workload=workloads, layout=layouts)
@settings(max_examples=150, deadline=None)
def test_parts_fill_the_card_exactly_and_the_fullest_stage_comes_first(
    architecture: Architecture, workload: Workload, layout: Layout
) -> None:
    memory = training_memory(scenario(architecture, workload, layout.gpus), layout)
    assert len(memory.per_gpu) == layout.pp
    assert sum(group.gpus for group in memory.per_gpu) == layout.gpus
    for group in memory.per_gpu:
        parts = [group.weights_bytes, group.activation_bytes, group.runtime_bytes]
        parts += [group.optimizer_bytes, group.gradient_bytes]
        assert min(parts) >= 0
        assert sum(parts) + group.kv_bytes + group.free_bytes == group.total_bytes == CARD.memory_bytes
    assert all(one.free_bytes <= other.free_bytes for one, other in pairwise(memory.per_gpu))
    assert memory.peak_bytes == memory.worst.used_bytes
    assert memory.fits == (memory.worst.used_bytes <= memory.worst.usable_bytes)
    detail = memory.training
    assert detail is not None
    assert detail.allocated_bytes == max(phase.allocated_bytes for phase in detail.phases)
    assert detail.allocated_bytes <= detail.reserved_bytes <= memory.nvidia_smi_bytes
    if memory.fits:
        assert memory.nvidia_smi_bytes <= memory.worst.usable_bytes
    assert memory.host_bytes >= 0


@given(architecture=architectures, workload=workloads, layout=layouts)
@settings(max_examples=60, deadline=None)
def test_what_is_said_to_fit_fits_and_the_next_size_does_not(
    architecture: Architecture, workload: Workload, layout: Layout
) -> None:
    steady = replace(workload, gradient_accumulation=workload.gradient_accumulation or 2)
    memory = training_memory(scenario(architecture, steady, layout.gpus), layout)

    def fits(**changed: Any) -> bool:
        trial = scenario(architecture, replace(steady, **changed), layout.gpus)
        return training_memory(trial, layout, suggest=False).fits

    most = memory.largest_micro_batch
    if most:
        assert fits(micro_batch=most)
    if most + 1 < 1 << SEARCH_STEPS:  # nobody trains on a million sequences at once: the search ends there
        assert not fits(micro_batch=most + 1)
    longest = memory.longest_sequence_tokens
    assert longest <= architecture.max_position
    if longest:
        assert fits(sequence_length=longest)
    if longest + 256 <= architecture.max_position:
        assert not fits(sequence_length=longest + 256)
    assert memory.fits == (most >= steady.micro_batch)


def changed_by(suggestion: Suggestion, before: Scenario) -> Scenario:
    """The scenario with the suggested keys changed."""
    for field, value in suggestion.changes:
        owner, name = field.split(".")
        before = replace(before, **{owner: replace(getattr(before, owner), **{name: value})})
    return before


@given(architecture=architectures, workload=workloads, layout=layouts)
@settings(max_examples=60, deadline=None)
def test_every_suggestion_makes_the_plan_fit(architecture: Architecture, workload: Workload, layout: Layout) -> None:
    before = scenario(architecture, workload, layout.gpus)
    memory = training_memory(before, layout)
    if memory.headroom in ("comfortable", "fits") and not memory.may_not_fit:
        assert not memory.suggestions
    for suggestion in memory.suggestions:
        after = changed_by(suggestion, before)
        wider = replace(layout, dp=layout.dp * after.hardware.nodes // before.hardware.nodes)
        again = training_memory(after, wider, suggest=False)
        assert again.fits
        assert again.peak_bytes < memory.peak_bytes
        assert f"{again.peak_bytes / GIB:,.1f} GiB" in text_of(suggestion.effect)


@pytest.mark.parametrize(("sharding", "states_gb"), [("ddp", 120.0), ("zero1", 31.4), ("zero2", 16.6), ("zero3", 1.88)])
def test_states_are_those_of_the_zero_paper(sharding: Sharding, states_gb: float) -> None:
    """7.5B parameters over 64 ranks: Rajbhandari et al. 2020, figure 1."""
    model = dense_decoder(
        hidden_size=4096,
        layers=37,
        intermediate_size=16384,
        heads=32,
        kv_heads=32,
        head_dim=128,
        vocab_size=6200,
        gated_mlp=False,
        tied=True,
    )
    memory = sized(model, Layout(1, 1, 64), sharding=sharding, framework="deepspeed")
    assert memory.training is not None
    phase = next(p for p in memory.training.phases if p.name == "the optimizer step")
    states = phase.weights_bytes + phase.gradient_bytes + phase.optimizer_bytes
    assert states / GB == pytest.approx(states_gb, rel=0.015)


def test_megatron_takes_18_bytes_a_parameter_and_6_plus_12_over_d_with_the_distributed_optimizer() -> None:
    def states(sharding: Sharding, ranks: int) -> float:
        memory = sized(LLAMA_7B, Layout(1, 1, ranks), sharding=sharding, framework="megatron")
        assert memory.training is not None
        step = next(p for p in memory.training.phases if p.name == "the optimizer step")
        return (step.weights_bytes + step.gradient_bytes + step.optimizer_bytes) / 6_738_415_616

    assert states("ddp", 1) == pytest.approx(18.0, rel=1e-3)
    assert states("zero1", 4) == pytest.approx(9.0, rel=1e-3)


@pytest.mark.parametrize(
    ("optimizer", "bytes_per_parameter"),
    [("adamw", 16.0), ("adamw-bf16", 8.0), ("adamw-8bit", 6.03), ("adamw-paged-8bit", 4.0), ("adafactor", 4.02)],
)
def test_bytes_of_a_trained_parameter(optimizer: Optimizer, bytes_per_parameter: float) -> None:
    memory = sized(LLAMA_7B, Layout(), optimizer=optimizer)
    assert memory.training is not None
    assert memory.training.bytes_per_parameter == pytest.approx(bytes_per_parameter, abs=0.01)
    assert memory.training.trainable_parameters == 6_738_415_616


def test_lora_trains_its_rank_times_both_widths_of_each_target() -> None:
    attention = sized(LLAMA_7B, Layout(), kind="lora", lora_rank=16, lora_targets="attention").training
    everything = sized(LLAMA_7B, Layout(), kind="lora", lora_rank=16, lora_targets="all-linear").training
    assert attention is not None
    assert everything is not None
    assert attention.trainable_parameters == 32 * 4 * 16 * (4096 + 4096)
    assert everything.trainable_parameters == 32 * 16 * (4 * 8192 + 3 * (4096 + 11008))


def test_nf4_base_is_a_quarter_and_its_ends_stay_16_bit() -> None:
    memory = sized(LLAMA_7B, Layout(), kind="qlora", base_format="nf4-double", lora_rank=8)
    ends = 2 * 32000 * 4096 + 65 * 4096
    assert memory.training is not None
    adapters = memory.training.trainable_parameters * 4
    assert memory.worst.weights_bytes == pytest.approx(
        (6_738_415_616 - ends) * 4.127 / 8 + ends * 2 + adapters, rel=1e-6
    )


SHORT = {"optimizer": "adamw-bf16", "sharding": "ddp", "loss": "fused", "sequence_length": 256}
LESS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"recompute": "none"}, {"recompute": "selective"}),
    ({"recompute": "selective"}, {"recompute": "full"}),
    ({"kind": "lora", "loss": "eager"}, {"kind": "lora", "loss": "compiled"}),
    ({"kind": "lora", "loss": "compiled"}, {"kind": "lora", "loss": "chunked"}),
    ({"kind": "lora", "loss": "chunked"}, {"kind": "lora", "loss": "fused"}),
    ({"optimizer": "adamw"}, {"optimizer": "muon"}),
    ({"optimizer": "adamw"}, {"optimizer": "adamw-8bit"}),
    ({"optimizer": "adamw-8bit"}, {"optimizer": "adamw-4bit"}),
    ({**SHORT, "optimizer_fused": False}, SHORT),
    (SHORT, {**SHORT, "optimizer_in_backward": True}),
    ({"offload": "none"}, {"offload": "optimizer"}),
    ({"offload": "optimizer"}, {"offload": "parameters"}),
    ({"kind": "full-finetune"}, {"kind": "lora"}),
    ({"kind": "lora"}, {"kind": "qlora"}),
    ({"kind": "lora", "lora_rank": 256}, {"kind": "lora", "lora_rank": 8}),
    ({"kind": "lora", "trainable_embeddings": True}, {"kind": "lora"}),
    ({"kind": "lora", "lora_precision": "fp32"}, {"kind": "lora", "lora_precision": "bf16"}),
    ({"kind": "lora", "loss": "fused", "framework": "fsdp1"}, {"kind": "lora", "loss": "fused"}),
    ({"flash_attention": False, "recompute": "none"}, {"flash_attention": True, "recompute": "none"}),
    ({"software": "standard", "kind": "lora", "loss": "fused"}, {"software": "tuned", "kind": "lora", "loss": "fused"}),
    ({"sharding": "ddp"}, {"sharding": "zero3"}),
    ({"sharding": "zero1", "framework": "deepspeed"}, {"sharding": "zero2", "framework": "deepspeed"}),
    ({"micro_batch": 8}, {"micro_batch": 8, "activation_offload": True}),
    ({"context_parallel": 1}, {"context_parallel": 4}),
]


@pytest.mark.parametrize(("more", "less"), LESS)
def test_options_that_save_memory_save_it(more: dict[str, Any], less: dict[str, Any]) -> None:
    layout = Layout(1, 1, 8)
    common = {"micro_batch": 2, "sequence_length": 4096}
    peaks = [sized(LARGE_VOCABULARY, layout, **{**common, **options}).peak_bytes for options in (more, less)]
    assert peaks[1] < peaks[0]


@given(
    workload=workloads,
    layout=layouts,
    architecture=architectures,
    more=st.sampled_from(("micro_batch", "sequence_length", "lora_rank")),
)
@settings(max_examples=80, deadline=None)
def test_more_work_never_takes_less_memory(
    workload: Workload, layout: Layout, architecture: Architecture, more: str
) -> None:
    steady = replace(workload, gradient_accumulation=2)
    double = replace(steady, **{more: 2 * getattr(steady, more)})
    small = training_memory(scenario(architecture, steady, layout.gpus), layout, suggest=False)
    large = training_memory(scenario(architecture, double, layout.gpus), layout, suggest=False)
    assert large.peak_bytes >= small.peak_bytes


@pytest.mark.parametrize("kind", ["full-finetune", "pretrain", "lora", "qlora"])
def test_tensor_parallel_ranks_share_weights_and_activations(kind: Kind) -> None:
    peaks = [sized(LLAMA_70B, Layout(tp), kind=kind, recompute="none").peak_bytes for tp in (1, 2, 4, 8)]
    assert all(more > less for more, less in pairwise(peaks))


def test_first_pipeline_stage_holds_the_most_micro_batches_and_the_last_one_the_loss() -> None:
    memory = sized(LLAMA_70B, Layout(2, 4, 1), kind="lora", recompute="none")
    order = [group.rank_group for group in memory.per_gpu]
    assert order.index("stage 1 of 4") < order.index("stage 2 of 4") < order.index("stage 3 of 4")
    assert sum(group.layers for group in memory.per_gpu) == 80


def test_experts_spread_over_ranks_are_not_sharded_twice() -> None:
    whole = sized(MIXTRAL, Layout(1, 1, 8), sharding="zero3")
    spread = sized(MIXTRAL, Layout(1, 1, 8, ep=8), sharding="zero3")
    assert spread.worst.weights_bytes == pytest.approx(whole.worst.weights_bytes, rel=1e-6)
    assert spread.peak_bytes < whole.peak_bytes  # it gathers no layer of all experts


def test_hybrid_sharding_replicates_across_nodes() -> None:
    layout = Layout(1, 1, 16)
    everywhere = sized(LLAMA_7B, layout)
    inside = sized(LLAMA_7B, layout, sharding_group="node")
    assert inside.worst.weights_bytes == pytest.approx(2 * everywhere.worst.weights_bytes, rel=1e-6)
    assert inside.peak_bytes == pytest.approx(sized(LLAMA_7B, Layout(1, 1, 8)).peak_bytes, rel=1e-6)


def test_fsdp2_gathers_a_layer_ahead_and_its_ends_one_at_a_time() -> None:
    lora: dict[str, Any] = {"kind": "lora", "sharding": "zero3", "sequence_length": 1, "loss": "fused"}
    ahead, flat = (sized(LLAMA_70B, Layout(1, 1, 8), framework=name, **lora) for name in ("fsdp2", "fsdp1"))
    layer = 2 * (2 * 8192 * (8192 + 1024) + 3 * 8192 * 28672)
    end = 2 * 8192 * 128256
    assert ahead.worst.activation_bytes - flat.worst.activation_bytes == pytest.approx(layer - end, rel=1e-2)
    details = [one.training for one in (ahead, flat) if one.training is not None]
    more = [one.reserved_bytes - one.allocated_bytes for one in details]
    assert len(more) == 2
    assert more[0] - more[1] == pytest.approx(1.25 * layer, rel=1e-2)


def test_sharded_fp32_weights_are_copied_for_their_products_on_one_card_too() -> None:
    lora: dict[str, Any] = {"kind": "lora", "sharding": "zero3", "sequence_length": 1, "loss": "fused"}
    single, double = (sized(LLAMA_7B, Layout(), base_precision=one, **lora) for one in ("bf16", "fp32"))
    copies = 2 * (4 * 4096 * 4096 + 3 * 4096 * 11008) + 2 * 4096 * 32000
    assert double.worst.activation_bytes - single.worst.activation_bytes == pytest.approx(copies, rel=1e-2)


def test_deepspeed_steps_on_fp32_gradients_a_billion_at_a_time_under_zero3() -> None:
    steps = {}
    for sharding in ("zero1", "zero2", "zero3"):
        memory = sized(LLAMA_7B, Layout(1, 1, 4), framework="deepspeed", sharding=sharding, sequence_length=1)
        assert memory.training is not None
        moments = {phase.name: phase.activation_bytes for phase in memory.training.phases}
        steps[sharding] = moments["the optimizer step"]
    billions = 6_738_415_616 / 4
    assert steps["zero1"] == steps["zero2"]
    assert steps["zero2"] - steps["zero3"] == pytest.approx(6 * (billions - 1e9) - 2 * 2 * 4096 * 32000, rel=1e-3)
    assert steps["zero2"] > 6 * billions


def test_routed_states_are_weighted_in_fp32_by_grouped_products_of_fsdp2() -> None:
    tuned: dict[str, Any] = {"software": "tuned", "sharding": "zero3", "recompute": "full", "loss": "fused"}
    routed, plain = (
        sized(MIXTRAL, Layout(1, 1, 8), sequence_length=65536, framework=name, **tuned) for name in ("fsdp2", "fsdp1")
    )
    layer = 2 * (2 * 4096 * (4096 + 1024) + 8 * 3 * 4096 * 14336 + 2 * 4096 + 8 * 4096)
    more = routed.worst.activation_bytes - plain.worst.activation_bytes
    assert more == pytest.approx(65536 * 2 * 2 * 2 * 4096 + layer - 2 * 4096 * 32000, rel=1e-2)


def test_offloaded_weights_still_pass_through_the_card() -> None:
    alone = sized(LLAMA_70B, Layout(), offload="parameters", sequence_length=1, loss="fused")
    layer = 2 * (2 * 8192 * (8192 + 1024) + 3 * 8192 * 28672)
    ends = 2 * 2 * 8192 * 128256
    assert alone.peak_bytes > layer + ends
    assert alone.host_bytes == pytest.approx(16 * 70_553_706_496, rel=1e-6)


def test_offload_and_paging_move_states_to_host_memory() -> None:
    layout = Layout(1, 1, 8)
    parameters = 6_738_415_616
    assert sized(LLAMA_7B, layout).host_bytes == 0
    optimizer = sized(LLAMA_7B, layout, offload="optimizer")
    assert optimizer.host_bytes == pytest.approx(8 * parameters, rel=1e-6)  # AdamW states; FSDP's weights are fp32
    everything = sized(LLAMA_7B, layout, offload="parameters")
    assert everything.host_bytes == pytest.approx(16 * parameters, rel=1e-6)
    paged = sized(LLAMA_7B, layout, optimizer="adamw-paged-8bit")
    assert paged.host_bytes == pytest.approx(2.03 * parameters, rel=1e-2)
    assert sized(LLAMA_7B, layout, activation_offload=True).host_bytes > 0


@pytest.mark.parametrize(
    ("workload", "field"),
    [
        ({"micro_batch": 0}, "workload.micro_batch"),
        ({"sequence_length": 0}, "workload.sequence_length"),
        ({"kind": "lora", "lora_rank": 0}, "workload.lora_rank"),
        ({"optimizer_in_backward": True, "gradient_accumulation": 4}, "workload.optimizer_in_backward"),
    ],
)
def test_plans_that_cannot_run_are_refused_with_their_field(workload: dict[str, Any], field: str) -> None:
    with pytest.raises(ScenarioError) as raised:
        sized(LLAMA_7B, Layout(1, 1, 8), **workload)
    assert raised.value.field == field
    assert raised.value.nearest is not None


def test_ranks_of_a_sequence_divide_the_build() -> None:
    plan = scenario(LLAMA_7B, Workload(kind="full-finetune", context_parallel=3), 8)
    with pytest.raises(ScenarioError) as raised:
        check_scenario(plan)
    assert (raised.value.field, raised.value.nearest) == ("workload.context_parallel", 2)
    shared = replace(plan, workload=replace(plan.workload, context_parallel=4))
    check_scenario(shared)
    assert all(layout.dp % 4 == 0 for layout in candidate_layouts(shared))


def test_accumulation_follows_from_the_global_batch() -> None:
    """Gradients that a later micro-batch adds to are there while the next one's activations are."""
    one = {"kind": "full-finetune", "optimizer": "adamw-bf16", "recompute": "none", "gradient_accumulation": None}
    alone = sized(LLAMA_7B, Layout(), **{**one, "global_batch_tokens": 4096})
    summed = sized(LLAMA_7B, Layout(), **{**one, "global_batch_tokens": 65536})
    assert summed.peak_bytes > alone.peak_bytes


def test_assumptions_name_16_18_and_20_bytes() -> None:
    plan = scenario(LLAMA_70B, Workload(kind="full-finetune"), 16)
    text = "\n".join(text_of(line) for line in assumption_lines(plan, Layout(1, 1, 16)))
    for words in ("16 bytes, 1.13 TB", "18 bytes, 1.27 TB", "20 bytes, 1.41 TB", "master copy"):
        assert words in text
    adapters = assumption_lines(replace(plan, workload=Workload(kind="qlora")), Layout(1, 1, 16))
    assert "4.127 bits" in text_of(adapters[0])
