"""How the work scales: efficiency of common shapes of build, and the curve of time and cost against GPUs."""

from __future__ import annotations

from dataclasses import replace

from engine.scenario import Hardware, Layout, Scenario, Sharding
from engine.sizing import ScalingRow
from engine.training_speed import single_gpu_tokens_per_s, step

FLOOR = 0.60
"""Below this the build is the wrong shape: [efficiency_floor] of the seed claims."""

SHAPES = ((1, 1), (1, 4), (1, 8), (2, 4), (2, 8), (4, 8))


def scaling_table(scenario: Scenario, layout: Layout) -> tuple[ScalingRow, ...]:
    """Per-GPU efficiency of common shapes against one GPU, for training workloads; empty for inference."""
    if scenario.workload.is_inference:
        return ()
    hardware, architecture = scenario.hardware, scenario.model.architecture
    alone = single_gpu_tokens_per_s(architecture, hardware, scenario.workload)
    rows: list[ScalingRow] = []
    for nodes, per_node in SHAPES:
        build = Hardware(
            hardware.accelerator, per_node, nodes, hardware.intra_link, hardware.inter_link, hardware.platform
        )
        gpus = nodes * per_node
        plans: list[tuple[str, Layout, Sharding]] = []
        if gpus == 1:
            plans.append(("one GPU", Layout(), "ddp"))
        else:
            plans.append(("FSDP", Layout(dp=gpus), "zero3"))
            plans.append(("DDP", Layout(dp=gpus), "ddp"))
            heads = architecture.heads or per_node
            if heads % per_node == 0:
                plans.append(("TP", Layout(tp=per_node, dp=nodes), "zero1"))
                if nodes > 1 and len(architecture.layers) >= nodes:
                    plans.append(("TP inside, PP across", Layout(tp=per_node, pp=nodes), "zero1"))
        shape = f"{nodes} x {per_node} GPU" if nodes > 1 else f"{per_node} GPU"
        for name, plan, sharding in plans:
            made = step(architecture, build, replace(scenario.workload, sharding=sharding), plan)
            efficiency = min(1.0, made.tokens / made.seconds / gpus / alone)
            fabric = hardware.intra_link.name if nodes == 1 else hardware.inter_link.name
            rows.append(
                ScalingRow(
                    configuration=f"{shape}, {name}" if gpus > 1 else shape,
                    gpus=gpus,
                    parallelism=name,
                    fabric=fabric if gpus > 1 else "",
                    efficiency=efficiency,
                    source="fitted",
                    below_floor=efficiency < FLOOR,
                )
            )
    return tuple(rows)
