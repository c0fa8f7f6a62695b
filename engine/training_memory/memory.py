"""`training_memory`: the Memory of a training scenario in one layout."""

from __future__ import annotations

from engine.calibration import training_memory as fitted
from engine.errors import ScenarioError
from engine.scenario import Layout, Scenario
from engine.sizing import Headroom, Memory, MemoryGroup, TrainingDetail
from engine.training_memory.elements import adapter_inputs, adapter_widths, stage_elements
from engine.training_memory.peak import RankPeak, rank_peak
from engine.training_memory.recipe import Recipe, recipe


def _check(scenario: Scenario, layout: Layout) -> None:
    workload = scenario.workload
    for name in ("sequence_length", "micro_batch", "context_parallel"):
        value = getattr(workload, name)
        if value < 1:
            raise ScenarioError(f"workload.{name}", f"{value} is not a positive number", "1 or more", 1)
    if workload.kind in ("lora", "qlora") and workload.lora_rank < 1:
        raise ScenarioError("workload.lora_rank", f"{workload.lora_rank} is not a rank", "1 or more", 1)
    if layout.dp % workload.context_parallel:
        raise ScenarioError(
            "workload.context_parallel",
            f"{workload.context_parallel} ranks a sequence do not divide {layout.dp} data-parallel ranks",
            f"a divisor of {layout.dp}",
            1,
        )


def stage_peaks(
    scenario: Scenario, layout: Layout, plan: Recipe, micro_batch: int, sequence: int
) -> list[RankPeak]:
    """The peak of one rank of every pipeline stage, in stage order."""
    architecture, workload = scenario.model.architecture, scenario.workload
    stages = stage_elements(architecture, layout.tp, layout.pp, layout.ep)
    adapters: tuple[int, ...] = (0,) * layout.pp
    inputs = 0
    if plan.peft:
        widths = adapter_widths(architecture, workload.lora_targets, layout.tp, layout.pp, layout.ep)
        adapters = tuple(width * workload.lora_rank for width in widths)
        inputs = adapter_inputs(architecture, workload.lora_targets, layout.tp, layout.ep)
    card = scenario.hardware.accelerator.memory_bytes
    return [
        rank_peak(
            stage,
            plan,
            workload,
            hidden=architecture.hidden_size,
            vocab=architecture.vocab_size,
            adapter_elements=adapters[index],
            adapter_inputs=inputs,
            tp=layout.tp,
            pp=layout.pp,
            in_flight=layout.pp - index,
            micro_batch=micro_batch,
            sequence=sequence,
            ranks=layout.gpus,
            card_bytes=card,
        )
        for index, stage in enumerate(stages)
    ]


def _headroom(free: int, total: int) -> tuple[Headroom, str]:
    share = free / total
    if share < 0:
        return "does not fit", f"{-share:.0%} of the card short"
    if share < 0.05:
        return "marginal", "under 5 % of the card free"
    if share < 0.10:
        return "tight", "under 10 % of the card free"
    if share < 0.25:
        return "fits", f"{share:.0%} of the card free"
    return "comfortable", f"{share:.0%} of the card free"


def training_memory(scenario: Scenario, layout: Layout) -> Memory:
    """Memory per GPU of a training scenario, worst pipeline stage first, bytes.

    Raises ScenarioError for an impossible workload.
    """
    _check(scenario, layout)
    workload = scenario.workload
    plan = recipe(workload, layout.dp)
    peaks = stage_peaks(scenario, layout, plan, workload.micro_batch, workload.sequence_length)
    total = scenario.hardware.accelerator.memory_bytes
    driver = round(total * fitted.DRIVER_SHARE)
    groups: list[tuple[MemoryGroup, RankPeak]] = []
    for index, peak in enumerate(peaks):
        worst = peak.worst
        group = MemoryGroup(
            rank_group="all GPUs" if layout.pp == 1 else f"stage {index + 1} of {layout.pp}",
            gpus=layout.tp * layout.dp,
            weights_bytes=worst.weights_bytes,
            kv_bytes=0,
            activation_bytes=worst.activation_bytes,
            runtime_bytes=peak.needs_bytes - peak.allocated_bytes,
            optimizer_bytes=worst.optimizer_bytes,
            gradient_bytes=worst.gradient_bytes,
            free_bytes=total - peak.needs_bytes,
            usable_bytes=total - driver,
            total_bytes=total,
            reserved_bytes=driver,
            layers=peak.stage.layers,
        )
        groups.append((group, peak))
    groups.sort(key=lambda pair: pair[0].free_bytes)
    worst_group, worst_peak = groups[0]
    headroom, reason = _headroom(worst_group.free_bytes - driver, total)
    gpus_per_node = min(scenario.hardware.gpus_per_node, layout.gpus)
    return Memory(
        per_gpu=tuple(group for group, _ in groups),
        weights_share=worst_group.weights_bytes / total,
        kv_needed_tokens=0,
        kv_capacity_tokens=0,
        max_concurrency=0.0,
        longest_context_tokens=0,
        fits=worst_group.over_bytes == 0,
        starts=worst_group.over_bytes == 0,
        headroom=headroom,
        headroom_reason=reason,
        peak_bytes=worst_peak.needs_bytes,
        nvidia_smi_bytes=max(peak.shown_bytes for _, peak in groups),
        host_bytes=worst_peak.host_bytes * gpus_per_node,
        training=TrainingDetail(
            allocated_bytes=worst_peak.allocated_bytes,
            reserved_bytes=worst_peak.reserved_bytes,
            phase=worst_peak.worst.name,
            phases=worst_peak.phases,
            trainable_parameters=worst_peak.trainable,
            bytes_per_parameter=plan.bytes_per_parameter,
        ),
    )
