"""TensorRT-LLM: requests that are started are never put back, so that each holds its whole answer."""

from __future__ import annotations

from engine.runtimes.engine import ByCard, Engine

TRTLLM = Engine(
    id="trtllm",
    label="TensorRT-LLM",
    source="tensorrt_llm/llmapi/llm_args.py, tensorrt_llm/commands/serve.py, tensorrt_llm/_torch/pyexecutor/_util.py",
    # KvCacheConfig.free_gpu_memory_fraction, of the card less the peak of a profiled pass (_cal_max_memory)
    budget="what is left",
    defaults=ByCard(utilization=0.9, tokens=2048, tokens_large=8192, sequences=256, sequences_large=1024),
    speed="trtllm",
    mark="trtllm",
    mixed_passes=True,
    held_share=1.0,  # CapacitySchedulerPolicy.GUARANTEED_NO_EVICT
    sequence_limit=2048,  # max_batch_size of trtllm-bench and trtllm-serve
)
