"""Words of models, weight formats and what fills the memory."""

from __future__ import annotations

from typing import Final

from engine.figures.units import digits, percent
from engine.model.formats import FORMATS
from engine.serving import memory as serving
from engine.training.memory.recipe import BASE_BITS
from tui.pages.glossary.term import Term


def _bits(format_id: str) -> str:
    return digits(FORMATS[format_id].bits_per_weight, 4)


FORMAT_TERMS: Final = (
    Term(
        "BF16",
        "Sixteen bits a weight, the format that most models are published in. FP16 takes the same room.",
        "engine/model/formats.py",
        ("FP16", "bfloat16"),
    ),
    Term(
        "FP8",
        "Eight bits a weight and scales: half of BF16, and computes twice as fast on Hopper, Ada and newer; on Ampere it only saves memory.",
        "Micikevicius et al. 2022 (arXiv 2209.05433)",
        ("weight-only",),
    ),
    Term(
        "INT8",
        "Eight-bit integers with a scale for each output: half of BF16.",
        "Dettmers et al. 2022, LLM.int8() (arXiv 2208.07339)",
        ("W8A8",),
    ),
    Term(
        "INT4",
        f"Four bits a weight in groups of 128 with scales and zero points: {_bits('int4')} bits in all. AWQ and GPTQ are ways to make it.",
        "Frantar et al. 2022, GPTQ (arXiv 2210.17323); Lin et al. 2023, AWQ (arXiv 2306.00978)",
        ("AWQ", "GPTQ", "W4A16"),
    ),
    Term(
        "NVFP4",
        f"Four-bit floats with a scale for every 16: {_bits('nvfp4')} bits a weight. Blackwell computes in it; elsewhere it only saves memory.",
        "NVIDIA, Introducing NVFP4 (2025)",
        ("FP4",),
    ),
    Term(
        "MXFP4",
        f"Four-bit floats with a scale for every 32: {_bits('mxfp4')} bits a weight; gpt-oss stores its experts so.",
        "Open Compute Project, Microscaling Formats 1.0",
    ),
    Term(
        "NF4",
        f"The four-bit format of QLoRA: {digits(BASE_BITS['nf4'], 3)} bits a weight, {digits(BASE_BITS['nf4-double'], 4)} with double quantization.",
        "Dettmers et al. 2023, QLoRA (arXiv 2305.14314)",
        ("double quantization",),
        ("workload.base_format",),
    ),
    Term(
        "GGUF",
        f"llama.cpp's files. Their mixes are named by bits and kind: Q4_K_M is mostly {_bits('gguf-q4_k_m')} bits a weight with finer parts.",
        "ggml-org/llama.cpp, gguf-py and quantize",
        ("Q4_K_M", "quant", "quantization"),
        ("model.weights",),
    ),
)
MODELS: Final = (
    Term(
        "parameters",
        "The model's weights, counted from its config.json. Of a MoE all must be held, though a token only passes the active ones.",
        "docs/memory.md",
        ("active", "params"),
        ("model.id", "model.params_total", "model.params_active"),
    ),
    Term(
        "MoE",
        "Mixture of experts: each token passes a few of many feed-forwards. All take memory; only the active ones take time.",
        "Shazeer et al. 2017 (arXiv 1701.06538)",
        ("mixture of experts", "expert", "experts"),
    ),
    Term(
        "GQA",
        "Grouped-query attention: several query heads share one KV head, so that the cache is a fraction as large.",
        "Ainslie et al. 2023 (arXiv 2305.13245)",
        ("KV heads",),
    ),
    Term(
        "MLA",
        "Multi-head latent attention: one small vector a token in place of keys and values; every TP rank holds all of it.",
        "DeepSeek-V2 (arXiv 2405.04434)",
        ("latent attention",),
    ),
    Term(
        "MTP",
        "Layers that guess several tokens at once, for speculative decoding. Their weights take memory too.",
        "DeepSeek-V3 (arXiv 2412.19437)",
        ("MTP layers",),
        ("model.mtp",),
    ),
    Term(
        "context",
        "Tokens that a sequence may have, prompt and answer together; the KV cache grows with it.",
        "the model's config.json",
        ("context length", "sequence"),
    ),
    Term(
        "config.json",
        "The file that tells a model's shape: layers, heads, widths, experts. Everything counted comes from it.",
        "Hugging Face transformers",
    ),
)
MEMORY: Final = (
    Term(
        "KV cache",
        "Keys and values of every token so far, kept so that they are not computed again: grows with users and context.",
        "Pope et al. 2022 (arXiv 2211.05102)",
        ("KV", "KV-cache"),
        ("model.kv_cache", "memory.kv_capacity_tokens", "memory.kv_needed_tokens"),
    ),
    Term(
        "activations",
        "What a pass keeps while it computes: in serving the peak of the profile run, in training what the backward pass needs.",
        "vLLM's start-up logs; Korthikanti et al. 2022 (arXiv 2205.05198)",
        ("activation",),
    ),
    Term(
        "runtime",
        "What the engine itself takes: CUDA context, communication buffers, CUDA graphs.",
        "fitted on start-up logs, engine/calibration/serving_memory.py",
        ("CUDA graphs", "non-torch"),
    ),
    Term(
        "utilization",
        "The share of the card that the engine may use; vLLM's gpu_memory_utilization. What it is kept back from is not free to it.",
        "vLLM documentation, engine arguments",
        ("memory utilization", "kept back"),
        ("runtime.memory_utilization",),
    ),
    Term(
        "preemption",
        f"A request is thrown out and later computed again, since the KV cache is full; likely past {percent(serving.PREEMPTION_LINE)} of the usable memory.",
        "vLLM documentation, optimization and tuning",
        ("95 % line", "preempt"),
    ),
    Term(
        "offload",
        "Weights or states kept in the host's memory and sent over the slot when needed: fits more, runs much slower.",
        "Rajbhandari et al. 2021 (arXiv 2104.07857)",
        (),
        ("workload.offload", "runtime.cpu_offload_gb"),
    ),
    Term(
        "paged",
        "The KV cache is kept in blocks of a few tokens, so that sequences of uneven length waste little.",
        "Kwon et al. 2023, PagedAttention (arXiv 2309.06180)",
        ("block", "blocks"),
        ("runtime.block_size",),
    ),
)
