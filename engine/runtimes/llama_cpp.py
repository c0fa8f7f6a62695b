"""llama.cpp: whole layers on each GPU, its own formats and kernels, and the CPU as one more card."""

from __future__ import annotations

from engine.runtimes.engine import ByCard, Computed, Engine

LLAMA_CPP = Engine(
    id="llama.cpp",
    label="llama.cpp",
    source="ggml-org/llama.cpp: common/common.h, tools/server/README.md, ggml/src/ggml-cuda",
    # it fills the card up to a GiB (--fit-target); a pass has n_ubatch tokens (common/common.h)
    defaults=ByCard(utilization=0.97, tokens=512, tokens_large=512, sequences=256, sequences_large=1024),
    budget="what is free",
    # copies: two logs of a 27B, 142.1 MiB at 512 tokens a pass and 568.5 at 2,048, agree to 1 %; a third, of an 80B with
    # experts, lies 17 % below. context: 239 MiB between the buffers' sum and nvidia-smi in one log
    # draft: MTP contexts of two logs print 130.0 MiB beside 142.1 and 520.1 beside 568.5
    buffers=Computed(copies=1.72, mask_bytes=2, context_gib=0.233, draft=0.915),
    kv_layout="cells",
    host="layers",  # --n-cpu-moe, --n-gpu-layers
    embedding_on_host=True,
    towers_apart=True,  # --mmproj
    shares_prefixes=False,  # a slot reuses its own prompt alone (tools/server/README.md, cache_prompt)
    stored={"mxfp4": "gguf-mxfp4"},  # all but the experts in Q8_0
    window_bytes=4,
    speed="llama.cpp",
    mark="llama.cpp",
    whole_layers=True,  # --split-mode
    rows_keep_kv=True,  # tools/server/README.md: split-mode row, intermediate results and KV on --main-gpu
    chunk_tokens=512,
    # its RPC backend sends each graph anew: gpt-oss-120b takes 29.9, 34.6, 43.4 and 46.3 ms a token on one to four hosts
    # (lhl/strix-halo-testing, rpc-test/README.md)
    hop_s=5.5e-3,
    int8_blocks=True,  # ggml-cuda/mmq.cu
    kernels_measured=False,
    gguf="own",
)
