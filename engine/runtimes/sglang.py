"""SGLang: a static fraction of the memory for weights and KV, one pool for each kind of cache."""

from __future__ import annotations

from engine.runtimes.engine import ByMemory, Engine

MIB_PER_GIB = 1024.0
"""SGLang counts memory in MiB."""

SGLANG = Engine(
    id="sglang",
    label="SGLang",
    source="sglang/srt/server_args.py and arg_groups, sglang/srt/model_executor/model_runner_kv_cache_mixin.py",
    # handle_gpu_memory_settings of summer 2026: batches by memory, and mem_fraction_static from what is kept back
    defaults=ByMemory(
        batches=(
            (20 * MIB_PER_GIB, 2048, 8, 8),
            (35 * MIB_PER_GIB, 4096, 48, 160),
            (60 * MIB_PER_GIB, 4096, 32, 160),
            (160 * MIB_PER_GIB, 8192, 256, 512),
            (float("inf"), 16384, 512, 512),
        ),
        wide_tp=4,
        fixed=512,
        least_chunk=2048,
        chunk_token=1.5,
        graph_entry=2,
        group_of_eight=1024,
        rank=3,
        rank_large=4.5,
        large_batch=300,
        large=10 * 1024,
        large_card=60 * 1024,
        least_fraction=0.1,
        # generate_prefill_cuda_graph_batch_sizes, reserve_for_graph_mb
        prefill_sizes=((32, 4), (256, 16), (512, 32), (1024, 64), (4096, 256), (2**20, 512)),
        prefill_entry=8,
        prefill_latent=1.5 * 1024,
    ),
    budget="static",
    kv_layout="pools",
    host="copied",  # --cpu-offload-gb
    host_experts=True,  # sglang/srt/layers/moe/kt_ep_wrapper.py: --kt-num-gpu-experts
    state_slots=True,  # --max-mamba-cache-size
    takes_any_kv=True,
    logs=3,
    drafted_sequences=48,  # server_args.py, max_running_requests of speculative decoding; handle_max_mamba_cache reserves by it
    # init_lm_head hands the model's tensors to the draft after init_target_memory_pool has sized the KV cache: 2.4 GiB a GPU of a
    # 27B on two (sgl-project/sglang, issue 36452, pull requests 37155 and 38364, open in September 2026)
    copied_vocabulary=True,
    pads_rocm=False,
    marlin=False,  # MXFP4 experts run in Triton's kernels (layers/quantization/mxfp4.py)
    pool_of_windows=0.8,  # swa_full_tokens_ratio
    pool_of_states=0.9,  # mamba_full_memory_ratio
    # docs.sglang.io, advanced_features/attention_backend
    attention={
        "hopper": "flash3",
        "blackwell": "trtllm",
        "blackwell-ultra": "trtllm",
        "blackwell-gddr": "flashinfer",
        "ada": "flashinfer",
    },
    speed="sglang",
    mark="sglang",
    sequence_limit=2048,
    gguf="as an experiment",
)
