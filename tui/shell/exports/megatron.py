"""A command of Megatron-LM. Source: megatron/training/arguments.py."""

from __future__ import annotations

from engine.scenario import TUNED_KINDS
from tui.shell.exports import fabric, training
from tui.shell.exports.build import FIRST_NODE, MASTER_PORT, Build
from tui.shell.exports.text import CannotExport, Word, command

CHECKED = "Megatron-LM, megatron/training/arguments.py of Megatron-Core 0.15"
SHARDS = {"zero1": "optim", "zero2": "optim_grads", "zero3": "optim_grads_params"}
"""ZeRO's stages by the names of Megatron's FSDP; the first is its distributed optimizer."""
EIGHT_BITS = {"fp8": ("--fp8-format", "hybrid"), "nvfp4": ("--fp4-format", "e2m1")}
OPTIMIZERS = {"adamw": "adam", "sgd": "sgd", "muon": "muon"}
"""The optimizers that its `--optimizer` takes."""
RATES: tuple[tuple[Word, ...], ...] = (
    ("--lr", "3e-4"),
    ("--min-lr", "3e-5"),
    ("--lr-decay-style", "cosine"),
    ("--lr-warmup-fraction", "0.01"),
    ("--weight-decay", "0.1"),
    ("--clip-grad", "1.0"),
)
"""What a run from scratch of some billions of weights is usually told (Llama 2's and 3's: arXiv 2307.09288, section 2.2)."""
SHARDED_CHECKPOINTS = "fsdp_dtensor"
"""The one format of checkpoints that its FSDP takes."""
STAGES_OF_A_RANK = 2
"""Chunks of an interleaved pipeline's rank where nobody says."""


def started(build: Build, script: str) -> list[Word]:
    """torchrun with what starts a script on every node."""
    hardware = build.scenario.hardware
    words: list[Word] = ["torchrun", "--nnodes", str(hardware.nodes), "--nproc-per-node", str(hardware.gpus_per_node)]
    if hardware.nodes > 1:
        words += ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"{FIRST_NODE}:{MASTER_PORT}"]
    return [*words, script]


def _shape(build: Build) -> list[tuple[Word, ...]]:
    """The model's shape, which a run from scratch must name."""
    made = build.scenario.model.architecture
    flags: list[tuple[Word, ...]] = [
        ("--num-layers", len(made.layers)),
        ("--hidden-size", made.hidden_size),
        ("--num-attention-heads", made.heads),
        ("--kv-channels", made.head_dim),
        ("--max-position-embeddings", max(made.max_position, build.work.sequence_length)),
        ("--position-embedding-type", "rope"),
        ("--normalization", "RMSNorm"),
        ("--disable-bias-linear",),
    ]
    if made.intermediate_size:
        flags.append(("--ffn-hidden-size", made.intermediate_size))
    if made.gated_mlp:
        flags.append(("--swiglu",))
    if made.kv_heads and made.kv_heads != made.heads:
        flags += [("--group-query-attention",), ("--num-query-groups", made.kv_heads)]
    if not made.tied:
        flags.append(("--untie-embeddings-and-output-weights",))
    if made.experts:
        flags += [
            ("--num-experts", made.experts),
            ("--moe-router-topk", made.experts_per_token),
            ("--moe-ffn-hidden-size", made.expert_intermediate_size),
            ("--moe-grouped-gemm",),
            ("--moe-token-dispatcher-type", "alltoall"),
        ]
    return flags


def _recompute(build: Build) -> list[tuple[Word, ...]]:
    work = build.work
    if work.recompute == "full":
        return [("--recompute-granularity", "full"), ("--recompute-method", "uniform"), ("--recompute-num-layers", 1)]
    if work.recompute == "selective":
        modules = "core_attn" if work.recompute_modules == "framework" else work.recompute_modules
        return [("--recompute-granularity", "selective"), ("--recompute-modules", *modules.split("+"))]
    return []


def arguments(build: Build) -> list[tuple[Word, ...]]:
    """The arguments of its script."""
    work, layout, batch = build.work, build.sizing.layout, training.batch(build)
    flags: list[tuple[Word, ...]] = [
        ("--tensor-model-parallel-size", layout.tp),
        ("--pipeline-model-parallel-size", layout.pp),
        ("--context-parallel-size", batch.context),
        ("--expert-model-parallel-size", layout.ep),
        ("--micro-batch-size", work.micro_batch),
        ("--global-batch-size", work.micro_batch * batch.micro_batches * batch.replicas),
        ("--seq-length", work.sequence_length),
        ("--train-iters", training.steps(build)),
        ("--optimizer", OPTIMIZERS.get(work.optimizer, "adam")),
        *RATES,
        ("--attention-dropout", "0.0"),
        ("--hidden-dropout", "0.0"),
        ("--tokenizer-type", "HuggingFaceTokenizer"),
        ("--tokenizer-model", build.checkpoint.name),
        ("--data-path", training.DATASET),
        ("--bf16",) if build.scenario.hardware.accelerator.supports_bf16 else ("--fp16",),
    ]
    if layout.tp > 1:
        flags.append(("--sequence-parallel",))
    if layout.pp > 1 and work.pipeline_schedule == "interleaved":
        flags.append(("--num-virtual-stages-per-pipeline-rank", work.virtual_stages or STAGES_OF_A_RANK))
    if work.sharding != "ddp":
        flags.append(("--use-distributed-optimizer",))
    if work.sharding in ("zero2", "zero3"):
        flags += [("--use-megatron-fsdp",), ("--data-parallel-sharding-strategy", SHARDS[work.sharding])]
        flags.append(("--ckpt-format", SHARDED_CHECKPOINTS))
    if work.offload == "optimizer":
        flags.append(("--optimizer-cpu-offload",))
    if work.compute_dtype in EIGHT_BITS:
        flags.append(EIGHT_BITS[work.compute_dtype])
    return flags + _recompute(build) + _shape(build)


def _notes(build: Build) -> list[str]:
    work = build.work
    notes = [one for one in training.unsaid(build) if not one.startswith("not expressible: matrix products")]
    notes.append(f"put your preprocessed data in place of {training.DATASET}")
    notes.append("what else the model's config says (rotary base, norms, MLA, leading dense layers) is yours to add")
    notes.append(
        "set --lr and what goes with it: here what runs from scratch usually take, and nothing sized rests on it"
    )
    if work.kind == "full-finetune":
        notes.append("to start from published weights, convert them (Megatron-Bridge) and add --load")
    if work.optimizer not in OPTIMIZERS:
        notes.append(f"not expressible: the optimizer {work.optimizer}; Adam in its place, which takes other memory")
    if work.offload == "parameters":
        notes.append("not expressible: parameters in host memory")
    return notes


def write(build: Build) -> str:
    """The environment and the command. Raises CannotExport for adapters, preferences and rewards."""
    work = build.work
    if training.adapters(build):
        raise CannotExport(
            "megatron trains whole models, and this is sized with adapters: use nemo, axolotl or torchrun"
        )
    if work.kind in TUNED_KINDS:
        raise CannotExport(f"megatron's script trains on text, and this is sized as {work.kind}: use verl or openrlhf")
    more = (fabric.NAMES_ARE_YOURS,) if build.scenario.hardware.nodes > 1 else ()
    head = build.head(CHECKED, *_notes(build), *more)
    start = [str(word) for word in started(build, "pretrain_gpt.py")]
    return "\n".join([*head, "", *_environment(build), "", command(start, arguments(build))]) + "\n"


def _environment(build: Build) -> list[str]:
    """What NCCL is told, and that streams go in order where ranks share a layer or a sequence, which it asserts below Blackwell;
    its FSDP asserts that they do not."""
    shares = build.sizing.layout.tp > 1 or training.batch(build).context > 1
    ordered = shares and build.work.sharding not in ("zero2", "zero3")
    return [*fabric.exports(build.sizing), *(["export CUDA_DEVICE_MAX_CONNECTIONS=1"] if ordered else [])]
