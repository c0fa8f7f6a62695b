"""Training speed rows: tokens a second and GPU as somebody measured them, against what the engine says.

A row names a model, GPUs, a parallel layout, a batch, a dtype and a framework. The framework decides the software
tier (an input of the engine), never anything else. Rows that give only TFLOP/s are turned into tokens by the
convention that their source counts with.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from functools import lru_cache
from typing import Any

import catalog
from catalog.names import plain_name, resolve_accelerator, resolve_name
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.model.architecture import Architecture, dense_decoder
from engine.model.flops import active_elements
from engine.parts.hardware import Accelerator, Link
from engine.runtimes.frameworks import Sharding, Software, TrainingFramework
from engine.scenario import (
    ComputeDtype,
    Hardware,
    Kind,
    Layout,
    LayoutChoice,
    Model,
    Offload,
    PipelineSchedule,
    Recompute,
    Scenario,
    Workload,
)
from engine.training.memory import training_memory
from tests.accuracy.cards import EXTRA_CARDS
from tests.accuracy.harness import Case, Evaluation, Row, each_row

# Software tier by framework, first match wins. Tuned: fused kernels, overlap and dtype recipes that the vendor or
# the authors maintain for speed. Standard: flash attention and some fusion. Eager: plain modules, Hugging Face style,
# and the stacks of 2022, before flash attention.
TIERS: tuple[tuple[str, Software], ...] = (
    ("megatron-deepspeed", "eager"),
    ("megatron-bridge", "tuned"),
    ("megatron", "tuned"),
    ("automodel", "standard"),  # Hugging Face's modules: eager products, norms and rotations
    ("nemo", "tuned"),
    ("maxtext", "tuned"),
    ("llmq", "tuned"),
    ("torchtitan", "tuned"),
    ("transformerengine", "tuned"),
    ("llm-foundry", "standard"),
    ("composer", "standard"),
    ("fms-fsdp", "standard"),
    ("mosaic", "standard"),
    ("foak", "standard"),
    ("unsloth", "standard"),
    ("liger", "standard"),
    ("torchtune", "standard"),
    ("litgpt", "standard"),
    ("axolotl", "standard"),
    ("fsdp_qlora", "eager"),
    ("llama-factory", "eager"),
    ("accelerated-peft", "eager"),
    ("baseline-peft", "eager"),
    ("zero++", "eager"),
    ("deepspeed", "eager"),
    ("hf", "eager"),
    ("peft", "eager"),
    ("trl", "eager"),
    ("fms-acceleration", "eager"),
)

GPUS = {
    "a100-80g": "a100-sxm4-80gb",
    "a100-sxm-80g": "a100-sxm4-80gb",
    "a100-sxm-40g": "a100-sxm4-40gb",
    "a100-sxm4-80g": "a100-sxm4-80gb",
    "a100-sxm4-40g": "a100-sxm4-40gb",
    "a100-pcie-40g": "a100-pcie-40gb",
    "a100-pcie-80g": "a100-pcie-80gb",
    "a800": "a100-sxm4-80gb",
    "h800": "h100-sxm",
    "gh200": "gh200-96gb",
    "mi250": "mi250x",
    "a100-40g": "a100-sxm4-40gb",
    "a100": "a100-sxm4-80gb",
    "a100-sxm": "a100-sxm4-80gb",
    "a100-pcie": "a100-pcie-80gb",
    "h100": "h100-sxm",
    "h100-80g": "h100-sxm",
    "h200": "h200-sxm",
    "b200": "b200-sxm",
    "b300": "b300-sxm",
    "v100": "v100-sxm2-32gb",
    "v100-sxm": "v100-sxm2-32gb",
    "v100-32g": "v100-sxm2-32gb",
    "v100-sxm2-32g": "v100-sxm2-32gb",
    "rtx-pro-6000-se": "rtx-pro-6000-server",
    "rtx-pro-6000": "rtx-pro-6000-server",
    "pro6000": "rtx-pro-6000-server",
    "rtx-pro-6000-max-q": "rtx-pro-6000-max-q",
    "rtx-a6000": "rtx-a6000",
    "a6000": "rtx-a6000",
    "rtx-6000-ada": "rtx-6000-ada",
    "mi300": "mi300x",
    "a5000": "rtx-a5000",
    "a6000-ada": "rtx-6000-ada",
    "rtx-a6000-ada": "rtx-6000-ada",
    "6000-ada": "rtx-6000-ada",
    "4090": "rtx-4090",
    "3090": "rtx-3090",
    "5090": "rtx-5090",
}


def _gpt(hidden: int, layers: int, heads: int, vocabulary: int, **other: Any) -> dict[str, Any]:
    """A GPT-style decoder: full attention heads, an MLP of four times the width without a gate, tied embeddings."""
    shape = {
        "hidden_size": hidden,
        "layers": layers,
        "heads": heads,
        "kv_heads": heads,
        "head_dim": hidden // heads,
        "intermediate_size": 4 * hidden,
        "vocab_size": vocabulary,
        "tied": True,
        "gated_mlp": False,
    }
    return shape | other


def _llama(
    hidden: int, layers: int, heads: int, kv_heads: int, inner: int, vocabulary: int, **other: Any
) -> dict[str, Any]:
    shape = {
        "hidden_size": hidden,
        "layers": layers,
        "heads": heads,
        "kv_heads": kv_heads,
        "head_dim": hidden // heads,
        "intermediate_size": inner,
        "vocab_size": vocabulary,
    }
    return shape | other


MODELS = {"DeepSeek-V3-16B (torchtitan, V2-Lite shape)": "deepseek-v2-lite"}
"""Models of the catalog that rows name in words of their own."""

# Shapes of models that rows name and the catalog does not carry: their papers, or the tables of the rows' sources.
SHAPES: dict[str, dict[str, Any]] = {
    "mpt-125m": _gpt(768, 12, 12, 50368),
    "mpt-350m": _gpt(1024, 24, 16, 50368),
    "mpt-760m": _gpt(1536, 24, 12, 50368),
    "mpt-1b": _gpt(2048, 24, 16, 50368),
    "mpt-3b": _gpt(2560, 32, 20, 50368),
    "mpt-7b": _gpt(4096, 32, 32, 50368),
    "mpt-13b": _gpt(5120, 40, 40, 50368),
    "mpt-30b": _gpt(7168, 48, 56, 50368),
    "mpt-70b": _gpt(8192, 80, 64, 50368),
    "gpt3-5b": _gpt(4096, 24, 32, 51200),
    "gpt3-20b": _gpt(6144, 44, 48, 51200),
    "gpt3-175b": _gpt(12288, 96, 96, 51200),
    "nemotron-8b": _gpt(4096, 32, 32, 256000, tied=False),
    "nemotron-15b": _gpt(6144, 32, 48, 256000, tied=False, kv_heads=8),
    "nemotron-22b": _gpt(6144, 40, 48, 256000, tied=False),
    "llama-30b": _llama(6656, 60, 52, 52, 17920, 32000),
    "llama-70b": _llama(8192, 80, 64, 8, 28672, 32000),
    "mistral-7b": _llama(4096, 32, 32, 8, 14336, 32000),
    "granite-8b": _llama(4096, 40, 32, 8, 12800, 49155),
    "internlm-7b": _llama(4096, 32, 32, 32, 11008, 103168),
    "llama-like 7b": _llama(4096, 32, 32, 32, 11008, 32000),
    "llama-like 70b": _llama(8192, 80, 64, 8, 28672, 32000),
    "idefics-80b": _llama(8192, 80, 64, 64, 22016, 32000),
}
# Shapes tried before BLOOM, (layers, hidden) by billions of parameters, vocabulary 250,880: headings of
# bigscience-workshop/bigscience train/tr11-176B-ml/chronicles-prequel.md
BLOOM_TRIALS = {
    18: (6, 14336),
    20: (8, 14400),
    176: (70, 14336),
    177: (96, 12288),
    178: (82, 13312),
    181: (72, 14336),
    182: (78, 13824),
    183: (72, 14400),
    184: (100, 12288),
    187: (80, 13824),
    191: (77, 14400),
    194: (78, 14400),
    195: (106, 12288),
    196: (84, 13824),
    200: (80, 14400),
    203: (94, 13312),
    205: (81, 14400),
    206: (82, 14336),
}
BLOOM_VOCABULARY = 250_880
# Two trials are called 182B: these lines of the source stand under NHIDDEN=13312, the others under 13824
NARROW_182B_LINES = ((690, 700), (744, 754), (852, 862))


def _generic_gpt(parameters_b: float, vocabulary: int = 50257, heads: int = 0, ratio: int = 128) -> Architecture:
    """A GPT of that size whose width is `ratio` times its depth (GPT-3's is 128), width in multiples of 1024."""
    hidden = max(1024, round((parameters_b * 1e9 * ratio / 12) ** (1 / 3) / 1024) * 1024)
    layers = max(2, round((parameters_b * 1e9 - vocabulary * hidden) / (12 * hidden * hidden)))
    return dense_decoder(**_gpt(hidden, layers, heads or hidden // 128, vocabulary))


def _heads(notes: str) -> int:
    found = re.search(r"NHEADS\s*=\s*(\d+)", notes)
    return int(found.group(1)) if found else 0


@lru_cache(maxsize=512)
def _named(name: str) -> Architecture | None:
    model_id = resolve_name(MODELS.get(name, name))
    if model_id is not None:
        return catalog.load().model(model_id).architecture
    shape = SHAPES.get(plain_name(name)) or SHAPES.get(name.lower())
    return None if shape is None else dense_decoder(**shape)


@lru_cache(maxsize=512)
def _bloom(billions: int, heads: int, pp: int, line: int) -> Architecture | None:
    shape = BLOOM_TRIALS.get(billions)
    if shape is None:
        return None
    layers, hidden = shape
    if billions == 195 and pp == 11:
        layers, hidden = 77, 14400
    if billions == 182 and any(first <= line <= last for first, last in NARROW_182B_LINES):
        layers, hidden = 84, 13312
    return dense_decoder(**_gpt(hidden, layers, heads or (96 if hidden == 14400 else 64), BLOOM_VOCABULARY))


def architecture_of(row: Row) -> Architecture | None:
    """The architecture that a row means, None when nothing says."""
    name = str(row["model"])
    trial = re.fullmatch(r"GPT-(\d+)B", name)
    if trial and "megatron-deepspeed" in str(row["framework"]).lower():
        billions = int(trial.group(1))
        line = int((row.get("source") or {}).get("line") or 0)
        found = _bloom(billions, _heads(str(row.get("notes") or "")), int(row.get("pp") or 1), line)
        if found is not None:
            return found
        return _generic_gpt(billions, BLOOM_VOCABULARY, _heads(str(row.get("notes") or "")), 170)
    known = _named(name)
    if known is not None:
        return known
    if name.upper().startswith("GPT") and row.get("params_b"):
        return _generic_gpt(float(row["params_b"]))
    return None


@lru_cache(maxsize=128)
def _accelerator(name: str) -> Accelerator | None:
    key = name.lower().replace(" ", "-").replace("_", "-").replace("nvidia-", "")
    key = re.sub(r"(\d0g)b$", r"\1", key) if key.startswith(("a100", "h100", "v100")) else key
    facts = catalog.load().facts.accelerators
    wanted = GPUS.get(key, key)
    if wanted in EXTRA_CARDS:
        return EXTRA_CARDS[wanted]
    if f"rtx-{wanted}" in EXTRA_CARDS:
        return EXTRA_CARDS[f"rtx-{wanted}"]
    for accelerator in facts:
        if accelerator.id == wanted:
            return accelerator
    resolved = resolve_accelerator(name)
    return None if resolved is None else catalog.load().accelerator(resolved)


@lru_cache(maxsize=256)
def _inter_link(text: str, accelerator: Accelerator, gpus_per_node: int) -> Link:
    """The network of a row in its own words: rates per GPU, per node, or so many ports of so much."""
    words = text.lower()
    known = catalog.load()
    usual = catalog.default_inter_link(accelerator)
    family = "infiniband"
    if "tcp" in words or "socket" in words:
        family = "tcp"
    elif "efa" in words:
        family = "efa"
    elif "roce" in words or "ethernet" in words or "gbe" in words:
        family = "roce"
    base = next((link for link in known.facts.links if link.scope == "inter-node" and link.family == family), usual)
    base = {"infiniband": known.link("ib-ndr"), "roce": known.link("roce-200")}.get(family, base)
    ports = re.search(r"(\d+)\s*x\s*(\d+)\s*g", words)
    per_gpu = re.search(r"(\d+)\s*g[a-z]*\s*/\s*gpu", words)
    per_node = re.search(r"(\d+)\s*g[a-z]*\s*/\s*node", words)
    if ports:
        count, gbit = int(ports.group(1)), float(ports.group(2))
    elif per_gpu:
        count, gbit = gpus_per_node, float(per_gpu.group(1))
    elif per_node:
        total = float(per_node.group(1))
        count = max(1, min(8, round(total / 100)))
        gbit = total / count
    else:
        return usual
    return replace(
        base,
        id=f"row-{family}-{count}x{gbit:.0f}",
        name=text,
        peak_gb_s_unidir=gbit / 8,
        peak_gb_s_bidir=None,
        achieved_gb_s_unidir=None,
        nics_per_node=count,
    )


@lru_cache(maxsize=256)
def _intra_link(text: str, accelerator: Accelerator, gpus_per_node: int) -> Link:
    words = text.lower()
    known = catalog.load()
    if "no p2p" in words or "host-staged" in words:
        return known.link("pcie-no-p2p")
    if "old board" in words:
        # two cards on a desktop board share sixteen Gen3 lanes
        link = known.link("pcie3-x16")
        return replace(link, id="row-pcie3-x8", name=text, peak_gb_s_unidir=link.peak_gb_s_unidir / 2)
    if "pcie" in words:
        if "5" in words:
            return known.link("pcie5-switch" if accelerator.peer_access else "pcie-no-p2p")
        return known.link("pcie4-x16")
    return catalog.default_intra_link(accelerator, gpus_per_node)


@lru_cache(maxsize=1024)
def _hardware(gpu: str, gpus_per_node: int, nodes: int, intra: str, inter: str) -> Hardware | None:
    accelerator = _accelerator(gpu)
    if accelerator is None:
        return None
    link = _intra_link(intra, accelerator, gpus_per_node)
    return Hardware(accelerator, gpus_per_node, nodes, link, _inter_link(inter, accelerator, gpus_per_node))


# Runs before flash attention (2022) or with stacks that never had it.
UNFUSED_ATTENTION = ("megatron-deepspeed 2022", "zero-3 baseline", "zero++")


def software_of(framework: str) -> Software:
    """The tier of a framework by name; one that the table does not know counts as standard."""
    name = framework.lower()
    return next((tier for key, tier in TIERS if key in name), "standard")


# Words of a task, first match wins.
KINDS: tuple[tuple[str, Kind], ...] = (
    ("qlora", "qlora"),
    ("lora", "lora"),
    ("pretrain", "pretrain"),
    ("scratch", "pretrain"),
    ("sft", "full-finetune"),
    ("finetun", "full-finetune"),
)
DTYPES: dict[str, ComputeDtype] = {
    "bf16": "bf16",
    "bfloat16": "bf16",
    "fp16": "bf16",
    "float16": "bf16",
    "half": "bf16",
    "tf32": "bf16",
    "fp8": "fp8",
    "mxfp8": "fp8",
    "nvfp4": "nvfp4",
}


def kind_of(task: str) -> Kind | None:
    """The workload that a task names; None for one that is no training, or not this kind of it."""
    words = re.sub(r"[^a-z]", "", task.lower())
    return next((kind for word, kind in KINDS if word in words), None)


def dtype_of(text: str) -> ComputeDtype | None:
    """The rate that a dtype computes at: the narrowest that it names ("bf16 mixed, FP8 (e4m3) GEMMs")."""
    named = {DTYPES[word] for word in re.split(r"[^a-z0-9]+", text.lower()) if word in DTYPES}
    order: tuple[ComputeDtype, ...] = ("nvfp4", "fp8", "bf16")
    return next((dtype for dtype in order if dtype in named), None)


RECOMPUTE: dict[str, Recompute] = {
    "full": "full",
    "none": "none",
    "partial": "selective",
    "selective": "selective",
    "moe": "selective",
}
UNSTATED_RECOMPUTE: dict[Software, Recompute] = {"tuned": "none", "standard": "selective"}


def _sharding(text: str) -> tuple[Sharding, Offload]:
    words = text.lower()
    sharded = re.search(r"fsdp\s*([1-9]\d*)", words)
    plain_fsdp = "fsdp" in words and not re.search(r"fsdp\s*[-0]", words)
    offload: Offload = "none"
    if "zero-3" in words or "zero3" in words or sharded or plain_fsdp:
        if "offload" in words:
            offload = "parameters"
        return "zero3", offload
    if "offload" in words:
        offload = "optimizer"
    if "zero-2" in words:
        return "zero2", offload
    if "zero-1" in words or "pp" in words or "tp" in words:
        return "zero1", offload
    return "ddp", offload


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
    hardware = _hardware(
        str(row["gpu"]), per_node, nodes, str(row["interconnect_intra"] or ""), str(row["interconnect_inter"] or "")
    )
    if hardware is None:
        return f"GPU {row['gpu']} not in the catalog"
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
    ep = int(row.get("ep") or 1) if architecture.experts else 1
    sharding, offload = _sharding(parallelism)
    if not parallelism:
        sharding = "zero1"
    virtual = int(row.get("vp") or 1)
    interleaved = virtual > 1 or "interleaved" in parallelism.lower()
    schedule: PipelineSchedule = "interleaved" if interleaved else "1f1b"
    sequence = int(row.get("seq_len") or 2048)
    micro = int(float(row.get("micro_batch") or 0)) or _micro_batch(row, sequence, dp // cp, kind)
    accumulation = row.get("grad_accum")
    batch = row.get("global_batch_tokens")
    recompute = RECOMPUTE.get(str(row.get("act_ckpt") or "").lower())
    framework = str(row["framework"]).lower()
    software = software_of(framework)
    if "automodel" in framework and architecture.experts:
        software = "tuned"  # its experts are its own: grouped products, DeepEP
    if recompute is None:
        # Hugging Face stacks checkpoint every layer of a fine-tune; pretraining stacks pick what pays
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
    if any(word in name for word in ("megatron", "nemo", "transformerengine", "maxtext", "llmq")):
        return "megatron" if "deepspeed" not in name else "deepspeed"
    if "deepspeed" in name:
        return "deepspeed"
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
