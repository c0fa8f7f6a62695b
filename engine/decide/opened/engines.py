"""What the numbers in entries of `engine.runtimes` are called, and where they come from."""

from __future__ import annotations

from typing import Any, Final

from engine.figures.number import Kind, Number

_ENGINES: Final[dict[str, tuple[str, str, Kind, str]]] = {
    "utilization": ("default memory utilization", "", "data sheet", "the engine's own default, from its sources"),
    "tokens": ("tokens of a pass", "tokens", "counted", "the engine's own default, from its sources"),
    "tokens_large": ("tokens of a pass", "tokens", "counted", "the engine's own default for large cards"),
    "sequences": ("sequences at once", "sequences", "counted", "the engine's own default, from its sources"),
    "sequences_large": ("sequences at once", "sequences", "counted", "the engine's own default for large cards"),
    "batches": ("default by the memory of the card", "", "counted", "SGLang, server_args.py"),
    "wide_tp": ("TP from which larger batches are captured", "GPUs", "counted", "SGLang, server_args.py"),
    "fixed": ("fixed reserve", "MiB", "counted", "SGLang, server_args.py"),
    "least_chunk": ("least chunk", "tokens", "counted", "SGLang, server_args.py"),
    "chunk_token": ("reserve of a chunk token", "MiB", "counted", "SGLang, server_args.py"),
    "graph_entry": ("reserve of a captured batch entry", "MiB", "counted", "SGLang, server_args.py"),
    "group_of_eight": ("reserve of eight GPUs", "MiB", "counted", "SGLang, server_args.py"),
    "rank": ("reserve of a captured batch entry and rank", "MiB", "counted", "SGLang, server_args.py"),
    "rank_large": ("reserve of a captured batch entry and rank", "MiB", "counted", "SGLang, server_args.py"),
    "large_batch": ("batch from which that reserve is larger", "sequences", "counted", "SGLang, server_args.py"),
    "large": ("least reserve of large cards", "MiB", "counted", "SGLang, server_args.py"),
    "large_card": ("cards that it is of", "MiB", "counted", "SGLang, server_args.py"),
    "least_fraction": ("least static fraction", "", "counted", "SGLang, server_args.py"),
    "prefill_sizes": ("captured lengths of prompt", "tokens", "counted", "SGLang, cuda_graph_hook.py"),
    "prefill_entry": ("reserve of a captured length of prompt", "MiB", "counted", "SGLang, arg_groups"),
    "prefill_latent": ("reserve of captured prompts, latent attention", "MiB", "counted", "SGLang, arg_groups"),
    "copies": (
        "fp32 copies in a compute buffer",
        "",
        "rule of thumb",
        "llama.cpp: two start-up logs of a 27B; MLX: half",
    ),
    "cell_tokens": ("tokens by which a sequence's cache grows", "tokens", "counted", "MLX: mlx_lm, models/cache.py"),
    "mask_bytes": ("bytes of an entry of the attention mask", "bytes", "counted", "16 bits"),
    "draft": ("buffer of a drafter against the model's", "", "rule of thumb", "two start-up logs of a 27B"),
    "context_gib": (
        "context of the process",
        "GiB",
        "rule of thumb",
        "llama.cpp: one start-up log on an RTX 3090; MLX: a guess",
    ),
    "capture_step": (
        "step of captured batch sizes above",
        "sequences",
        "counted",
        "vLLM, config: _set_cudagraph_sizes",
    ),
    "drafted_rows": (
        "rows of logits a sequence, drafting",
        "",
        "counted",
        "vLLM, gpu_model_runner.py, _dummy_sampler_run",
    ),
    "drafted_sequences": ("sequences that run at most, drafting", "sequences", "counted", "SGLang, server_args.py"),
    "prefix_states": (
        "states of a sequence whose prefix is cached",
        "",
        "rule of thumb",
        "vLLM, kv_cache_interface.py, align mode",
    ),
    "window_bytes": ("bytes of an element of a convolution's window", "bytes", "counted", "the engine's compute type"),
    "pool_of_windows": ("tokens of the window pool for one of the full", "", "counted", "SGLang, server_args.py"),
    "pool_of_states": ("bytes of the state pool for one of the KV pool", "", "counted", "SGLang, server_args.py"),
    "chunk_tokens": (
        "prompt tokens of a pass",
        "tokens",
        "rule of thumb",
        "max_num_batched_tokens, or n_ubatch of llama.cpp",
    ),
    "held_share": (
        "share of its answer that a running request holds",
        "",
        "rule of thumb",
        "pages are taken as the answer grows",
    ),
    "hop_s": ("handing a step to the next host", "s", "rule of thumb", "llama.cpp over RPC, one to four hosts"),
    "logs": ("start-up logs of the engine", "logs", "counted", "docs/memory.md"),
    "sequence_limit": ("sequences at once", "sequences", "counted", "max_batch_size of trtllm-serve"),
}
"""(label, unit, kind, source) of the numbers in entries of `engine.runtimes`, by field."""


def of_an_engine(key: str, value: Any) -> Number:
    """A number of an engine's entry. key: `ID.FIELD`, `ID.FIELD.PLACE` or `ID.RECORD.FIELD`."""
    label, unit, kind, source = _ENGINES[[part for part in key.split(".") if not part.isdecimal()][-1]]
    return Number(value, label=label, unit=unit, kind=kind, source=source)
