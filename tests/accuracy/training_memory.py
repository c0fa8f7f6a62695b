"""Peak memory and out-of-memory of training runs that other people measured, against `engine`.

Compared figure by the row's `observed_metric`: allocated or active, reserved, or what nvidia-smi shows; each against
the prediction of the same thing. A row that ran out of memory is an outcome, and so is every row that ran.
Rows marked `in_fit: false` are not read: they are formulas, or measurements whose settings nobody stated.
"""

from __future__ import annotations

import re

from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.figures.units import GB, GIB, MIB
from engine.model.architecture import Architecture, dense_decoder
from engine.parts.hardware import Accelerator, Link
from engine.runtimes.frameworks import FRAMEWORKS, Loss, Optimizer, Sharding, Software, TrainingFramework
from engine.scenario import (
    BaseFormat,
    Hardware,
    Kind,
    Layout,
    LayoutChoice,
    LoraTargets,
    Model,
    Offload,
    PipelineSchedule,
    Precision,
    Recompute,
    Scenario,
    Workload,
)
from engine.sizing import Memory
from tests.accuracy.harness import Case, Evaluation, Outcome, Row, each_row
from tests.accuracy.served_models import architecture_of

PEAK = "peak memory"
NVIDIA_SMI = "nvidia-smi beside it"
OUT_OF_MEMORY = "out of memory"

TARGETS: dict[str, LoraTargets] = {
    "qkvo": "attention",
    "qkv": "attention",
    "qv": "attention-qv",
    "m": "mlp",
    "qkvom": "all-linear",
    "qkvm": "attention-qkv-mlp",
    "qvom": "attention-qvo-mlp",
    "qkvomH": "all-linear-and-head",
}
# What the driver reports, MiB, by marketed GB: for cards that a row names by their memory only.
REPORTED_MIB = {16: 15360, 24: 24564, 32: 32607, 40: 40960, 48: 46068, 80: 81920, 96: 97871, 141: 143771, 192: 183359}
INTRA = Link("intra", "not stated", "intra-node", "other", 50.0)
INTER = Link("inter", "not stated", "inter-node", "other", 25.0)


class Unreadable(ValueError):
    """A row that cannot be written as a scenario; the message says why."""


def _kind(row: Row) -> Kind:
    # the trainer's side of reinforcement learning is a run of its own: its engine is on other cards in these rows
    method = re.sub(r"[ _-]", "", str(row["method"]).lower()).removeprefix("grpotrainer")
    if method.startswith("qlora"):
        return "qlora"
    if method.startswith("lora"):
        return "lora"
    if method.startswith(("full", "sft", "pretrain")):
        return "pretrain" if "pretrain" in method else "full-finetune"
    raise Unreadable(f"method {row['method']} has no counterpart")


def _targets(row: Row) -> LoraTargets:
    """Where the adapters are: in the letters of TARGETS, or by the modules' own names. Raises Unreadable."""
    stated = str(row.get("lora_targets") or "")
    if stated in TARGETS:
        return TARGETS[stated]
    words = set(re.split(r"[^a-z]+", re.sub(r"[ _-](?=proj|linear)", "", stated.lower()))) - {""}
    if words & {"alllinear", "all", "linear"}:
        return "all-linear"
    letters = "".join(letter for letter in "qkvo" if f"{letter}proj" in words)
    letters += "m" * bool(words & {"gateproj", "upproj", "downproj", "mlp"})
    if letters not in TARGETS or not words <= {f"{name}proj" for name in ("q", "k", "v", "o", "gate", "up", "down")} | {
        "mlp"
    }:
        raise Unreadable(f"LoRA targets {row.get('lora_targets')} have no counterpart")
    return TARGETS[letters]


def _optimizer(row: Row) -> tuple[Optimizer, bool]:
    """The optimizer and whether it is fused (no whole-model temporaries)."""
    name = str(row.get("optimizer") or "AdamW").lower()
    states = str(row.get("optim_dtype") or "")
    fused = not row.get("foreach_temp", False) and "foreach" not in name
    if "adafactor" in name:
        return "adafactor", fused
    if "sgd" in name:
        return "sgd", fused
    if "muon" in name:
        return "muon", fused
    if "paged" in name:
        return ("adamw-paged-8bit" if "8bit" in name else "adamw-paged"), fused
    if "8bit" in name or states.startswith("int8"):
        return "adamw-8bit", True
    if "4bit" in name or states.startswith("int4"):
        return "adamw-4bit", True
    if "adam" not in name:
        raise Unreadable(f"optimizer {row.get('optimizer')} has no counterpart")
    return ("adamw-bf16" if states.startswith("bf16") else "adamw"), fused


def _framework(row: Row) -> TrainingFramework:
    sharding, framework = str(row.get("sharding", "none")), str(row.get("framework", "")).lower()
    if "Megatron" in sharding or "megatron" in framework:
        return "megatron"
    if "internevo" in framework:
        return "internevo"
    if "swift" in framework and (row.get("pp") or 1) > 1:
        return "megatron"
    if "ZeRO" in sharding and (row.get("tp") or 1) * (row.get("pp") or 1) * (row.get("ep") or 1) == 1:
        return "deepspeed"
    if "FSDP2" in sharding or framework in ("torchtune", "torchtitan", "unsloth", "litgpt"):
        return "fsdp2"
    return "fsdp1"


def _sharding(row: Row) -> Sharding:
    sharding = str(row.get("sharding", "none"))
    stages: tuple[tuple[str, Sharding], ...] = (("1", "zero1"), ("2", "zero2"), ("3", "zero3"))
    for stage, name in stages:
        if f"ZeRO-{stage}" in sharding:
            return name
    if "FSDP" in sharding:
        return "zero3"
    return "zero1" if "distributed optimizer" in sharding or "Megatron" in sharding else "ddp"


def _software(row: Row) -> Software:
    """Kernels: fused ones are named by the row; litgpt and Qwen-1's own code are plain PyTorch of 2023."""
    framework = str(row.get("framework", "")).lower()
    if framework in FRAMEWORKS:
        return FRAMEWORKS[framework].software
    if any(word in framework for word in ("accelerated", "foak", "liger", "unsloth", "megatron")) or row.get("compile"):
        if (row.get("arch") or {}).get("experts", 1) > 1 and "foak" in framework:
            return "standard"  # its kernels are for attention and loss: experts run in the library's loop
        return "tuned"
    if framework == "litgpt" or "16-bit" in str(row.get("loss_impl") or ""):
        return "eager"
    return "standard"


def _loss(row: Row) -> Loss:
    name = str(row.get("loss_impl") or "").lower()
    if any(
        word in name for word in ("liger", "fused linear", "fused lm head", "cut cross", "no logits", "unsloth", "none")
    ):
        return "fused"
    if "chunked" in name:
        # litgpt splits the loss, but autograd keeps every piece of the logits
        if str(row.get("framework")) == "litgpt":
            return "eager-16bit"
        return "chunked-16bit" if str(row.get("framework")) == "torchtune" else "chunked"
    if any(word in name for word in ("triton", "compiled", "vocab-parallel")):
        return "compiled"
    if "16-bit" in name or "bf16" in name:
        return "eager-16bit"
    return "eager"


def _recompute(row: Row) -> tuple[Recompute, bool]:
    """How much is recomputed, and whether what is kept goes to host memory."""
    name = str(row.get("act_ckpt") or "none")
    if name.startswith("offload"):
        return "full", True
    if name.startswith("selective"):
        return "selective", False
    return ("full" if name == "full" else "none"), False


def _base(row: Row) -> BaseFormat:
    quant = str(row.get("quant") or "nf4-dq")
    if quant.startswith("gptq"):
        return "gptq"
    if quant.startswith("nf4"):
        return "nf4-double" if "dq" in quant else "nf4"
    if quant.startswith("int8"):
        return "int8"
    raise Unreadable(f"base format {quant} has no counterpart")


def _offload(row: Row) -> Offload:
    offload = str(row.get("cpu_offload") or "none")
    if offload == "none":
        return "none"
    return "parameters" if "params" in offload else "optimizer"


def _card(row: Row) -> Accelerator:
    memory_gb = row.get("gpu_mem_gb") or 80
    mib = REPORTED_MIB.get(memory_gb) or round(memory_gb * GB / MIB)
    name = str(row.get("gpu") or f"{memory_gb} GB card")
    return Accelerator(name, name, "", "", "", "", memory_gb, mib, 1000.0, tflops_bf16_dense=100.0)


def _architecture(row: Row) -> Architecture:
    """The model from the row's own dimensions, or from the catalog where it gives only a name."""
    arch = row.get("arch")
    if not arch:
        known = architecture_of(str(row["model"] or ""))
        if known is None:
            raise Unreadable("arch not stated, and the catalog has no such model")
        return known
    for key in ("hidden", "layers", "ffn", "heads", "kv_heads", "head_dim", "vocab"):
        if not arch[key]:
            raise Unreadable(f"arch states no {key}")
    return dense_decoder(
        hidden_size=arch["hidden"],
        layers=arch["layers"],
        intermediate_size=arch["ffn"],
        heads=arch["heads"],
        kv_heads=arch["kv_heads"],
        head_dim=arch["head_dim"],
        vocab_size=arch["vocab"],
        tied=bool(arch["tied"]),
        gated_mlp=arch["gated_mlp"] is not False,
        experts=arch.get("experts") or 1,
        experts_per_token=arch.get("experts_per_token") or 1,
        max_position=1 << 20,
    )


def scenario_of(row: Row) -> tuple[Scenario, Layout]:
    """The row as a scenario with its layout pinned. Raises Unreadable."""
    for key in ("micro_batch", "seq_len"):
        if row.get(key) is None:
            raise Unreadable(f"{key} not stated")
    architecture = _architecture(row)
    kind = _kind(row)
    targets: LoraTargets = "all-linear"
    if kind in ("lora", "qlora"):
        targets = _targets(row)
    optimizer, fused = _optimizer(row)
    recompute, activation_offload = _recompute(row)
    precision: Precision = "bf16" if row.get("lora_dtype") == "bf16" else "fp32"
    gradient: Precision = "auto"
    if row.get("grad_dtype") in ("bf16", "fp32") and _framework(row) != "megatron":  # it sums in fp32
        gradient = row["grad_dtype"]
    schedule: PipelineSchedule = "interleaved" if "interleaved" in str(row.get("notes", "")).lower() else "1f1b"
    tp, pp, cp = (row.get(key) or 1 for key in ("tp", "pp", "cp"))
    dp = (row.get("dp") or 1) * cp
    workload = Workload(
        kind=kind,
        sequence_length=row["seq_len"],
        micro_batch=row["micro_batch"],
        optimizer=optimizer,
        optimizer_fused=fused,
        optimizer_in_backward=bool(row.get("optim_in_bwd")),
        # DeepSpeed and Megatron-LM step an fp32 copy of 16-bit weights whatever else a row says
        master_weights=bool(row.get("master_fp32"))
        or str(row.get("param_dtype", "")).startswith("fp32")
        or _framework(row) in ("deepspeed", "megatron", "internevo"),
        recompute=recompute,
        sharding=_sharding(row),
        framework=_framework(row),
        lora_rank=row.get("lora_rank") or 16,
        lora_targets=targets,
        trainable_embeddings="emb" in str(row["method"]),
        base_format=_base(row) if kind == "qlora" else "nf4-double",
        loss=_loss(row),
        software=_software(row),
        # a pipeline is fed at least a micro-batch for each of its stages; nobody prints that
        gradient_accumulation=max(row.get("grad_accum") or 1, pp),
        offload=_offload(row),
        lora_precision=precision,
        base_precision="fp32" if str(row.get("param_dtype")).startswith("fp32 sharded") else "auto",
        gradient_precision=gradient,
        residual_precision="fp32" if row.get("residual_fp32") else "auto",
        flash_attention="no" not in str(row.get("flash_attention") or ""),
        compile=bool(row.get("compile")),
        context_parallel=cp,
        pipeline_schedule=schedule,
        activation_offload=activation_offload,
    )
    ep = (row.get("ep") or 1) if architecture.experts else 1
    layout = Layout(tp, pp, dp, ep)
    per_node = min(8, layout.gpus)
    hardware = Hardware(_card(row), per_node, -(-layout.gpus // per_node), INTRA, INTER)
    model = Model(row["model"], row["model"], row["model"], architecture)
    choice = LayoutChoice(layout.tp, layout.pp, layout.dp, layout.ep)
    return Scenario(model, hardware, workload, choice), layout


def predicted_bytes(memory: Memory, metric: str) -> int:
    """The predicted figure of the same kind as the observed one."""
    assert memory.training is not None
    if "reserved" in metric:
        return memory.training.reserved_bytes
    if "nvidia" in metric or "unstated" in metric:
        return memory.nvidia_smi_bytes
    return memory.training.allocated_bytes


def interval_of(memory: Memory, predicted: float) -> tuple[float, float]:
    """The stated interval, carried over to a figure of the same plan."""
    assert memory.training is not None
    stated = memory.training.interval
    return stated.low / memory.peak_bytes * predicted, stated.high / memory.peak_bytes * predicted


def evaluate(rows: list[Row]) -> Evaluation:
    """Compare every row that is not marked as outside the fit."""
    return each_row(rows, _compare)


def _compare(row_id: str, row: Row, found: Evaluation) -> None:
    if row.get("in_fit") is False:
        found.rows_read = 0
        return
    try:
        scenario, _ = scenario_of(row)
        memory = size(scenario).memory
    except (Unreadable, ScenarioError) as reason:
        found.aside(row_id, str(reason))
        return
    groups = {
        "method": str(row["method"]),
        "framework": str(row.get("framework") or "not stated").split(" (")[0],
        "source": str(row.get("source_group") or "not stated"),
        "loss": scenario.workload.loss,
        "sharding": str(row.get("sharding") or "none"),
    }
    found.outcomes.append(Outcome(row_id, OUT_OF_MEMORY, bool(row.get("oom")), not memory.fits, groups))
    if row.get("oom") or not row.get("observed_gib"):
        return
    metric = str(row.get("observed_metric") or "")
    predicted = predicted_bytes(memory, metric) / GIB
    interval = interval_of(memory, predicted)
    found.cases.append(Case(row_id, PEAK, row["observed_gib"], predicted, groups, interval))
    beside = (row.get("also_observed") or {}).get("nvidia_smi_peak_gib")
    if beside:
        found.cases.append(Case(row_id, NVIDIA_SMI, beside, memory.nvidia_smi_bytes / GIB, groups))
