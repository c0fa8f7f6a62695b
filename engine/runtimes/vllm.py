"""vLLM: its current releases, and those before 2026, which sized memory in another order."""

from __future__ import annotations

from dataclasses import replace

from engine.runtimes.engine import ByCard, Engine

CURRENT = ByCard(utilization=0.92, tokens=2048, tokens_large=8192, sequences=256, sequences_large=1024)
"""gpu_memory_utilization (vllm/config/cache.py), batch defaults by card (vllm/engine/arg_utils.py, get_batch_defaults)."""

VLLM = Engine(
    id="vllm",
    label="vLLM",
    source="vllm/config, vllm/engine/arg_utils.py, vllm/v1/core, vllm/v1/worker: releases of 2026",
    defaults=CURRENT,
    host="copied",  # --cpu-offload-gb
    refuses_short_kv=True,
    # since pull request 38270, before it captures whole decode steps (vllm/config/compilation.py)
    states_for_all=True,
    refuses_held_memory=True,
    kv_by_bytes=True,  # vllm/config/cache.py: kv_cache_memory_bytes, for which gpu_memory_utilization is not looked at
    whole_items=True,  # vllm/platforms/cuda.py: disable_chunked_mm_input of prefix-LM models; --language-model-only
    expert_adapters=True,  # vllm/lora/layers/fused_moe.py, which stands for every mixture's experts
    logs=35,
    # two rows of logits where tokens are drafted: the last token's, and one to take or refuse (_dummy_sampler_run)
    drafted_rows=2,
    # the running state and that of the last whole block (MambaSpec in `align` mode); a start on GB10 that prints 5.74 x
    # 262,144 tokens over 999 blocks of 1,568 holds 174 each, 168 and 6
    prefix_states=2,
    mamba_spec=True,  # vllm/model_executor/layers/mamba/mamba_utils.py
    packs=True,  # vllm/models/deepseek_v4
    head_scales=True,  # vllm/v1/kv_cache_interface.py: its only INT8 cache is int8_per_token_head
    # vllm/platforms/cuda.py: FlashAttention first, FlashInfer with TensorRT-LLM's kernels on Blackwell of data centers
    attention={
        "hopper": "flash3",
        "blackwell": "trtllm",
        "blackwell-ultra": "trtllm",
        "blackwell-gddr": "flash2",
        "ada": "flash2",
    },
    speed="vllm",
    mixed_passes=True,
    # executors of a pipeline over hosts hand a step on by their hosts: DeepSeek-R1 on eight hosts takes 25 to 27 tokens/s of one
    # user (vllm-project/vllm, pull request 12717), 23 ms a token more than its kernels
    hop_s=3.3e-3,
    gguf="as an experiment",  # docs.vllm.ai, features/quantization/gguf
)

EARLIER = replace(
    VLLM,
    id="vllm-earlier",
    label="vLLM before 2026",
    source="the same files, releases of 2025",
    mark="vllm-earlier",
    defaults=replace(CURRENT, utilization=0.90),
    # graphs are captured after the KV cache took its share: they come out of what utilization leaves
    budget="share, graphs after",
    states_for_all=False,
    expert_adapters=False,
    sampler="SAMPLER_SORTED_BYTES",  # it sorted all logits to sample from them
    together="NON_TORCH_TOGETHER_EARLIER_GIB",
    capture_step=8,  # vllm/config, _set_cudagraph_sizes
    prefix_states=1,
    plain_latents=False,
    logs=41,
)
