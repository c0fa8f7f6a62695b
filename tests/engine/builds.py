"""Scenarios that several engine tests share, made from the shipped catalog."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import catalog
from engine.decide.size import size
from engine.scenario import LayoutChoice, Money, Runtime, Scenario, Workload
from engine.sizing import Sizing


def build(
    model: str = "llama-3.1-70b",
    weights: str = "fp8",
    accelerator: str = "rtx-pro-6000-server",
    gpus_per_node: int = 8,
    nodes: int = 1,
    layout: LayoutChoice | None = None,
    **workload: Any,
) -> Scenario:
    """A scenario from ids; workload keys as in a session file."""
    return catalog.build_scenario(
        model,
        weights,
        accelerator,
        gpus_per_node,
        nodes,
        workload=replace(Workload(), **workload),
        layout=layout,
    )


TUNE: dict[str, Any] = {"sequence_length": 4096, "total_tokens": 500_000_000}


def on_engine(scenario: Scenario, **runtime: Any) -> Scenario:
    """The same under other settings of a serving engine."""
    return replace(scenario, runtime=replace(Runtime(), **runtime))


SCENARIOS: dict[str, Callable[[], Scenario]] = {
    "one node, 70B": lambda: build(ttft_target_s=2.0, tokens_per_s_user_target=15.0),
    "one GPU, 8B": lambda: build("llama-3.1-8b", "bf16", "h100-sxm", 1, concurrency=8, input_tokens=900),
    "one GPU, vision": lambda: build("qwen2.5-vl-7b", "bf16", "l40s", 1, concurrency=4, input_tokens=2000),
    "MLA over two nodes": lambda: build(
        "deepseek-v3", "fp8", "h100-sxm", 8, 2, layout=LayoutChoice(tp=8, pp=2), concurrency=32
    ),
    "MLA, latents in FP8, DP attention": lambda: build(
        "deepseek-v3", "fp8", "h200-sxm", 8, 1, layout=LayoutChoice(tp=1, dp=8, ep=8, dp_attention=True), concurrency=64
    ),
    "mixture, gaming cards": lambda: build("mixtral-8x22b", "int4", "rtx-5090", 8, concurrency=32),
    "sliding window": lambda: build("gemma-3-27b", "bf16", "h100-sxm", 2, concurrency=16, input_tokens=30000),
    "MXFP4": lambda: build("gpt-oss-120b", "mxfp4", "h100-sxm", 2, concurrency=64),
    "hybrid": lambda: build("qwen3-next-80b-a3b", "fp8", "h100-sxm", 4, concurrency=64),
    "AMD": lambda: build("llama-3.1-70b", "fp8", "mi300x", 8, concurrency=64),
    "SGLang": lambda: on_engine(build("llama-3.1-70b", "fp8", "h100-sxm", 4, concurrency=64), engine="sglang"),
    "earlier vLLM": lambda: on_engine(build("llama-3.1-70b", "int4", "a100-sxm4-80gb", 2), engine="vllm-earlier"),
    "llama.cpp": lambda: on_engine(
        build("llama-3.1-8b", "gguf-q4_k_m", "rtx-4090", 1, concurrency=1, input_tokens=500), engine="llama.cpp"
    ),
    "pipeline of four": lambda: build(
        "llama-3.1-405b", "fp8", "h100-sxm", 4, 4, layout=LayoutChoice(tp=4, pp=4, dp=1), concurrency=16
    ),
    "replicas": lambda: build("llama-3.1-8b", "fp8", "l4", 4, concurrency=100, input_tokens=4000),
    "a burst": lambda: build("llama-3.1-70b", "fp8", "h100-sxm", 4, concurrency=64, requests=200),
    "too many users": lambda: build("llama-3.1-70b", "fp8", "h100-sxm", 2, concurrency=2000),
    "over the card": lambda: build("llama-3.1-405b", "bf16", "rtx-4090", 2),
    "batch": lambda: build("qwen2.5-72b", "int4", "a100-sxm4-80gb", 4, kind="batch", concurrency=256),
    "embedder": lambda: build("qwen3-8b", "bf16", "l40s", 2, kind="embed", concurrency=256, input_tokens=512),
    "LoRA": lambda: build("llama-3.1-70b", "bf16", "h100-sxm", 8, kind="lora", **TUNE),
    "QLoRA": lambda: build("llama-3.1-70b", "bf16", "rtx-4090", 2, kind="qlora", **TUNE),
    "QLoRA, one GPU": lambda: build(
        "llama-3.1-8b", "bf16", "rtx-4090", 1, kind="qlora", software="eager", recompute="none", **TUNE
    ),
    "LoRA, trained embeddings": lambda: build(
        "llama-3.1-8b", "bf16", "a100-sxm4-80gb", 2, kind="lora", trainable_embeddings=True, framework="fsdp1", **TUNE
    ),
    "full fine-tune": lambda: build("llama-3.1-70b", "bf16", "h100-sxm", 8, 2, kind="full-finetune", **TUNE),
    "no recomputation": lambda: build(
        "llama-3.1-8b", "bf16", "h100-sxm", 8, kind="full-finetune", recompute="none", optimizer="muon", **TUNE
    ),
    "selective, DDP": lambda: build(
        "llama-3.1-8b", "bf16", "h200-sxm", 8, kind="full-finetune", recompute="selective", sharding="ddp", **TUNE
    ),
    "offload": lambda: build("llama-3.1-8b", "bf16", "rtx-4090", 2, kind="full-finetune", offload="parameters", **TUNE),
    "checkpoints in host memory": lambda: build(
        "llama-3.1-8b",
        "bf16",
        "h100-sxm",
        2,
        kind="full-finetune",
        activation_offload=True,
        offload="optimizer",
        **TUNE,
    ),
    "scores kept": lambda: build(
        "llama-3.1-8b", "bf16", "h100-sxm", 4, kind="full-finetune", flash_attention=False, recompute="none", **TUNE
    ),
    "pretrain, 3D": lambda: build(
        "llama-3.1-70b",
        "bf16",
        "h100-sxm",
        8,
        4,
        kind="pretrain",
        layout=LayoutChoice(tp=8, pp=2, dp=2),
        framework="megatron",
        software="tuned",
        sharding="zero1",
        deadline_days=90.0,
        total_tokens=1_000_000_000_000,
    ),
    "pretrain, mixture": lambda: build(
        "mixtral-8x7b",
        "bf16",
        "h100-sxm",
        8,
        2,
        kind="pretrain",
        layout=LayoutChoice(tp=1, pp=1, dp=16, ep=8),
        compute_dtype="fp8",
        software="tuned",
    ),
    "long sequences": lambda: build(
        "llama-3.1-8b", "bf16", "h100-sxm", 8, kind="full-finetune", sequence_length=65536, context_parallel=4
    ),
}


def priced(scenario: Scenario) -> Scenario:
    """The same with every price entered."""
    money = Money(30_000.0, 25_000.0, 2.5, 0.2)
    return replace(scenario, money=money)


@lru_cache(maxsize=64)
def sizing_of(name: str) -> Sizing:
    """A scenario sized, once."""
    return size(SCENARIOS[name]())
