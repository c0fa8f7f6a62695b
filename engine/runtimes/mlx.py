"""MLX on Macs: mlx_lm's server, whose memory is what Metal wires of the machine's."""

from __future__ import annotations

from engine.runtimes.engine import ByCard, Computed, Engine

MLX = Engine(
    id="mlx",
    label="MLX",
    source="ml-explore/mlx-lm: mlx_lm/server.py, mlx_lm/generate.py, mlx_lm/models/cache.py",
    # it wires up to Metal's recommended working set (generate.py, wired_limit); prefill_step_size and decode_concurrency (server.py)
    defaults=ByCard(utilization=1.0, tokens=2048, tokens_large=2048, sequences=32, sequences_large=32),
    budget="what is free",
    # as llama.cpp's in 16 bits, a rule: no log of it was there to fit. Its attention masks by a word, not by a matrix
    buffers=Computed(copies=0.86, mask_bytes=0, context_gib=0.25),
    kv_layout="cells",
    cell_tokens=256,  # models/cache.py: KVCache.step
    takes_any_kv=True,
    towers_apart=True,  # models/*.py: sanitize drops the tensors of towers, which mlx-vlm serves
    shares_prefixes=False,
    speed="llama.cpp",
    mark="mlx",
    whole_layers=True,
    chunk_tokens=2048,
    kernels_measured=False,
    makers=("APPLE",),
    reads_mlx=True,
)
