"""Training speed rows: tokens a second and GPU as somebody measured them, against what the engine says.

A row names a model, GPUs, a parallel layout, a batch, a dtype and a framework. The framework decides the software
tier (an input of the engine), never anything else. Rows that give only TFLOP/s are turned into tokens by the
convention that their source counts with."""

from __future__ import annotations

import math
from dataclasses import replace

from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.model.architecture import Architecture
from engine.model.flops import active_elements
from engine.runtimes.frameworks import TrainingFramework
from engine.scenario import (
    Hardware,
    Kind,
    Layout,
    LayoutChoice,
    Model,
    PipelineSchedule,
    Recompute,
    Scenario,
    Workload,
)
from engine.training.memory import training_memory
from tests.accuracy.harness import Case, Evaluation, Row, each_row
from tests.accuracy.training_words import (
    RECOMPUTE,
    UNFUSED_ATTENTION,
    UNSTATED_RECOMPUTE,
    architecture_of,
    dtype_of,
    hardware_of,
    kind_of,
    power_limit_of,
    sharding_of,
    software_of,
)


def _split(gpus: int, gpus_per_node: int, nodes: int) -> tuple[int, int]:
    """GPUs a node and nodes that hold exactly `gpus`."""
    if gpus <= gpus_per_node:
        return gpus, 1
    count = min(gpus, max(nodes, math.ceil(gpus / gpus_per_node)))  # no node is without a GPU
    while gpus % count:
        count += 1
    return gpus // count, count


def observed_tokens_per_s_gpu(row: Row, architecture: Architecture) -> float | None:
    """The measured figure of a row, from tokens, step time, or TFLOP/s in the source's own counting."""
    if row.get("tokens_s_per_gpu"):
        return float(row["tokens_s_per_gpu"])
    if row.get("step_time_s") and row.get("global_batch_tokens"):
        return float(row["global_batch_tokens"]) / float(row["step_time_s"]) / int(row["n_gpus"] or 1)
    sequence = int(row.get("seq_len") or 2048)
    parameters = active_elements(architecture).total
    attention = 12.0 * len(architecture.layers) * architecture.heads * architecture.head_dim * sequence
    per_token = 6.0 * parameters + attention
    if "HFU" in str(row.get("mfu_convention") or ""):
        per_token *= 4 / 3
    if row.get("tflops_per_gpu"):
        return float(row["tflops_per_gpu"]) * 1e12 / per_token
    if row.get("mfu") and row.get("peak_tflops_ref"):
        return float(row["mfu"]) * float(row["peak_tflops_ref"]) * 1e12 / per_token
    return None


def scenario_of(row: Row) -> tuple[Scenario, Layout, float] | str:
    """The row as a Scenario with its pinned layout and measured tokens/s/GPU, or why it cannot be written."""
    architecture = architecture_of(row)
    if architecture is None:
        return f"shape of {row['model']} not known"
    for key in ("gpu", "task"):
        if not row[key]:
            return f"the {key} is not stated"
    observed = observed_tokens_per_s_gpu(row, architecture)
    if observed is None:
        return "no absolute speed: only a ratio to another run"
    gpus = int(row["n_gpus"] or (row["tp"] or 1) * (row["pp"] or 1) * (row["dp"] or 0))
    if not gpus:
        return "the number of GPUs is not stated"
    per_node, nodes = _split(gpus, int(row.get("gpus_per_node") or 8), int(row.get("nodes") or 1))
    hardware = hardware_of(
        str(row["gpu"]), per_node, nodes, str(row["interconnect_intra"] or ""), str(row["interconnect_inter"] or "")
    )
    if hardware is None:
        return f"GPU {row['gpu']} not in the catalog"
    hardware = replace(hardware, power_limit_w=power_limit_of(row))
    parallelism = str(row.get("parallelism") or "")
    kind = kind_of(str(row["task"]))
    if kind is None:
        return f"task {row['task']} is not a training workload"
    dtype = dtype_of(str(row.get("dtype") or "bf16"))
    if dtype is None:
        return f"dtype {row['dtype']} has no rate"
    tp, pp = int(row.get("tp") or 1), int(row.get("pp") or 1)
    if not parallelism:
        tp, pp = _assumed(architecture, gpus, kind)
    if gpus % (tp * pp):
        return f"TP {tp} x PP {pp} does not divide {gpus} GPUs"
    dp = gpus // tp // pp
    cp = int(row.get("cp") or 1)
    framework = str(row["framework"]).lower()
    ep = int(row.get("ep") or 1) if architecture.experts else 1
    if architecture.experts and not row.get("ep") and "automodel" in framework:
        ep = math.gcd(dp, architecture.experts)  # its recipes spread experts over every rank that shards
    sharding, offload = sharding_of(parallelism)
    if not parallelism or (sharding == "ddp" and dp > 1 and "megatron" in framework):
        sharding = "zero1"  # the distributed optimizer of Megatron-LM, which calls it data parallelism
    virtual = int(row.get("vp") or 1)
    interleaved = virtual > 1 or "interleaved" in parallelism.lower()
    schedule: PipelineSchedule = "interleaved" if interleaved else "1f1b"
    sequence = int(row.get("seq_len") or 2048)
    micro = int(float(row.get("micro_batch") or 0)) or _micro_batch(row, sequence, dp // cp, kind)
    accumulation = row.get("grad_accum")
    batch = row.get("global_batch_tokens")
    recompute = RECOMPUTE.get(str(row.get("act_ckpt") or "").lower())
    software = software_of(framework)
    if "automodel" in framework and architecture.experts:
        software = "tuned"  # its experts are its own: grouped products, DeepEP
    if recompute is None:
        # Hugging Face stacks checkpoint every layer of a fine-tune; of pretraining stacks nothing is taken for granted
        recompute = UNSTATED_RECOMPUTE.get(software, "full")
        if kind in ("lora", "qlora") and software != "tuned":
            recompute = "full"
    if offload != "none" and "footnote" in parallelism and _crowded(architecture, hardware):
        offload, recompute = "parameters", "full"
    workload = Workload(
        kind=kind,
        sequence_length=sequence,
        micro_batch=micro,
        global_batch_tokens=int(batch) if batch else None,
        gradient_accumulation=int(accumulation) if accumulation and not row.get("global_batch_tokens") else None,
        sharding=sharding,
        sharding_group="node" if "(node)" in parallelism.lower() or "hsdp" in parallelism.lower() else "all",
        offload=offload,
        recompute=recompute,
        recompute_modules="moe" if str(row.get("act_ckpt")).lower() == "moe" else "framework",
        compute_dtype=dtype,
        software=software,
        loss="fused" if "automodel" in framework else "auto",  # its cross-entropy holds no logits
        flash_attention=not any(name in framework for name in UNFUSED_ATTENTION),
        framework=_framework(framework),
        context_parallel=cp,
        pipeline_schedule=schedule,
        virtual_stages=virtual if virtual > 1 else None,
        total_tokens=1_000_000_000,
    )
    if sequence > architecture.max_position:
        # trained past the published context
        architecture = replace(architecture, max_position=sequence)
    layout = Layout(tp=tp, pp=pp, dp=dp, ep=ep, reason=("as measured",))
    made = Scenario(
        model=Model(id=str(row["model"]), name=str(row["model"]), family="measured", architecture=architecture),
        hardware=hardware,
        workload=workload,
        layout=LayoutChoice(tp=tp, pp=pp, dp=dp, ep=ep),
    )
    if kind in ("lora", "qlora") and software == "standard" and not row.get("act_ckpt"):
        # such stacks have a switch, no lists: off where the run fits so
        off = replace(made, workload=replace(workload, recompute="none"))
        made = off if may_fit(off, layout) else made
    return made, layout, observed


def may_fit(scenario: Scenario, layout: Layout) -> bool:
    """Whether a run fits within the error of the estimate."""
    memory = training_memory(scenario, layout, suggest=False)
    assert memory.training is not None
    return memory.training.interval.low <= memory.worst.usable_bytes


def that_fits(scenario: Scenario, layout: Layout) -> Recompute | None:
    """The least recomputation with which a run that ran fits, from that of the scenario upwards; None where none does."""
    steps: tuple[Recompute, ...] = ("none", "selective", "full")
    for more in steps[steps.index(scenario.workload.recompute) :]:
        tried = replace(scenario, workload=replace(scenario.workload, recompute=more))
        if training_memory(tried, layout, suggest=False).fits:
            return more
    return None


def _framework(name: str) -> TrainingFramework:
    """The entry that a framework is of: those with Transformer Engine's kernels, torchtitan, DeepSpeed, else FSDP2."""
    if "automodel" in name:
        return "fsdp2"
    if "internevo" in name:
        return "internevo"
    if any(word in name for word in ("megatron-bridge", "nemo", "transformerengine", "maxtext", "llmq")):
        return "nemo"
    if "megatron" in name:
        return "megatron" if "deepspeed" not in name else "deepspeed"
    if "deepspeed" in name or "colossal" in name:
        return "deepspeed"
    if any(word in name for word in ("hf", "peft", "trl", "fms-acceleration")):
        return "hf-trainer"
    return "torchtitan" if "torchtitan" in name else "fsdp2"


def _crowded(architecture: Architecture, hardware: Hardware) -> bool:
    """Whether 16-bit weights and gradients leave less than a third of the card: offload then takes the weights."""
    return active_elements(architecture).total * 4 > 0.67 * hardware.accelerator.memory_bytes


def _assumed(architecture: Architecture, gpus: int, kind: Kind) -> tuple[int, int]:
    """TP and PP of a row that does not print them: the least that hold 18 bytes a parameter in 80 GB."""
    billions = active_elements(architecture).total / 1e9
    need = billions * (2.5 if kind in ("lora", "qlora") else 8) / 60
    tp = 1
    while tp < 8 and tp < need:
        tp *= 2
    pp = 1
    while tp * pp < need and tp * pp < gpus and len(architecture.layers) % (2 * pp) == 0:
        pp *= 2
    while gpus % (tp * pp):
        pp = max(1, pp // 2)
    return min(tp, gpus), pp


def _micro_batch(row: Row, sequence: int, replicas: int, kind: Kind) -> int:
    batch = row.get("global_batch_tokens")
    if batch:
        each = int(batch) // sequence // max(1, replicas)
        return max(1, min(each, 8192 // sequence or 1))
    return max(1, 8192 // sequence)


def evaluate(rows: list[Row]) -> Evaluation:
    """Tokens a second and GPU of every usable row."""
    return each_row(rows, _compare)


def _compare(row_id: str, row: Row, found: Evaluation) -> None:
    made = scenario_of(row)
    if isinstance(made, str):
        found.aside(row_id, made)
        return
    scenario, _, observed = made
    try:
        training = size(scenario).training
    except ScenarioError as error:
        found.aside(row_id, f"refused: {error.field}")
        return
    if training is None:
        found.aside(row_id, "does not fit by the memory model")
        return
    found.cases.append(
        Case(
            row_id=row_id,
            metric="tokens_per_s_gpu",
            observed=observed,
            predicted=training.tokens_per_s_gpu,
            groups=groups_of(row, scenario),
            interval=(training.interval.low, training.interval.high),
        )
    )


def groups_of(row: Row, scenario: Scenario) -> dict[str, str]:
    """How the tables split a row."""
    return {
        "framework": str(row["framework"]).split(" 2")[0],
        "gpu": scenario.hardware.accelerator.id,
        "dtype": str(row.get("dtype")),
        "kind": scenario.workload.kind,
        "software": scenario.workload.software,
        "model": "moe" if scenario.model.architecture.experts else "dense",
        "gpus": "1" if scenario.hardware.gpus == 1 else "node" if scenario.hardware.nodes == 1 else "cluster",
    }
