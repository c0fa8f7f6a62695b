"""What rows of training speed say in their own words, in ours: models, GPUs, links, software, kinds, number formats.

An unknown name is a row set aside, never a guess.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import Any

import catalog
from catalog.names import plain_name, resolve_accelerator, resolve_name
from engine.model.architecture import Architecture, dense_decoder
from engine.parts.hardware import Accelerator, Link
from engine.runtimes.frameworks import Sharding, Software
from engine.scenario import (
    ComputeDtype,
    Hardware,
    Kind,
    Offload,
    Recompute,
)
from tests.accuracy.cards import EXTRA_CARDS
from tests.accuracy.harness import Row

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
    ("torchtitan eager", "eager"),  # plain modules: its kernels are fused by torch.compile
    ("torchtitan", "standard"),
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
    "a800": "a800-sxm4-80gb",
    "h800": "h800-sxm",
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
    "kempnerforge-13b": _llama(5120, 40, 40, 8, 17920, 128256),
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
def hardware_of(gpu: str, gpus_per_node: int, nodes: int, intra: str, inter: str) -> Hardware | None:
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
    "full or selective (on, mode not stated)": "selective",
}
UNSTATED_RECOMPUTE: dict[Software, Recompute] = {"tuned": "none", "standard": "none"}


def sharding_of(text: str) -> tuple[Sharding, Offload]:
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
    if re.search(r"\bzero\b", words):
        return "zero2", offload  # of an unnamed stage, the one that trainers of Hugging Face come with
    return "ddp", offload


def limit_unstated(row: Row) -> bool:
    """Whether a row says that its cards are power-limited, and not to what."""
    return "power-limited" in str(row.get("notes") or "") and power_limit_of(row) is None


GH200_OF_FOUR_W = 680.0
"""Watts of each GH200 of a board of four, its CPU included, where one alone has 900 (apps.fz-juelich.de, JUPITER, configuration)."""


def power_limit_of(row: Row) -> float | None:
    """Watts that each card of a row may draw, where the row states a limit."""
    if row.get("power_limit_w"):
        return float(row["power_limit_w"])
    named = re.search(r"\b(\d{2,4})\s?W\b", str(row.get("notes") or ""))
    if named:
        return float(named.group(1))
    four = str(row.get("gpu")).lower().startswith("gh200") and int(row.get("gpus_per_node") or 1) == 4
    return GH200_OF_FOUR_W if four else None
