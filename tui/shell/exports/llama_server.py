"""llama.cpp's server. Source: tools/server/README.md of ggml-org/llama.cpp."""

from __future__ import annotations

from engine.runtimes import ENGINES
from tui.shell.exports.build import PORT, Build
from tui.shell.exports.text import Word, command

CHECKED = "llama.cpp b7000 and of November 2026, arguments of its source"
_KV_CACHE = {"bf16": "bf16", "fp16": "f16", "q8_0": "q8_0", "q4_0": "q4_0"}
ALL_LAYERS = 999
HELD = {f"openai/gpt-oss-{size}": f"ggml-org/gpt-oss-{size}-GGUF" for size in ("20b", "120b")}
"""Repositories of files that hold a model's own MXFP4 (llama.cpp's own, at Hugging Face)."""


def start(build: Build) -> list[str]:
    """The words before the flags."""
    return ["llama-server", "--model", _file(build)]


def _file(build: Build) -> str:
    name, weights = build.checkpoint.name, build.scenario.model.weights
    if name.lower().endswith(".gguf"):
        return name
    stored = ENGINES["llama.cpp"].stored.get(weights, weights)
    return f"YOUR_MODEL-{stored.removeprefix('gguf-').upper()}.gguf"


def arguments(build: Build) -> list[tuple[Word, ...]]:
    """The arguments of one server. Its context is that of all users together, one share of it each."""
    layout, model = build.sizing.layout, build.scenario.model
    users = build.runtime.max_num_seqs or build.seats
    flags: list[tuple[Word, ...]] = [
        ("--n-gpu-layers", ALL_LAYERS if build.runtime.n_gpu_layers is None else build.runtime.n_gpu_layers),
        ("--parallel", users),
        ("--ctx-size", users * build.max_model_len),
        ("--flash-attn", "on"),
    ]
    if model.kv_cache in _KV_CACHE:
        flags += [("--cache-type-k", _KV_CACHE[model.kv_cache]), ("--cache-type-v", _KV_CACHE[model.kv_cache])]
    if build.scenario.workload.embeds:  # a whole input is one physical batch: tools/server refuses a longer one
        flags += [("--embeddings",), ("--ubatch-size", build.max_model_len), ("--batch-size", build.max_model_len)]
    elif build.runtime.max_num_batched_tokens is not None:
        flags.append(("--ubatch-size", build.runtime.max_num_batched_tokens))
        flags.append(("--batch-size", max(2048, build.runtime.max_num_batched_tokens)))
    if build.runtime.n_cpu_moe:
        flags.append(("--n-cpu-moe", build.runtime.n_cpu_moe))
    cards = layout.tp * layout.pp
    flags.append(("--split-mode", "none" if cards == 1 else "row" if layout.tp > 1 else "layer"))
    flags += [("--host", "0.0.0.0"), ("--port", PORT)]
    return flags


def notes(build: Build) -> list[str]:
    """What was sized and no argument says."""
    model, found = build.scenario.model, []
    if _file(build).startswith("YOUR_MODEL"):
        plain = build.checkpoint.plain
        where = f", as {HELD[plain]} holds it," if plain in HELD else ""
        found.append(f"put the GGUF file of {plain}{where} in place of {_file(build)}")
    if model.kv_cache not in _KV_CACHE:
        found.append(f"not expressible: a KV cache in {model.kv_cache}; this one takes 16 bits and more memory")
    if build.scenario.workload.embeds:
        found.append("its physical batch holds a whole input, which takes more memory than the one that was sized")
    if build.sizing.layout.dp > 1:
        found.append(
            f"{build.sizing.layout.dp} servers of this, each with its own cards and port, behind a load balancer"
        )
    if build.runtime.memory_utilization is not None:
        found.append("not expressible: a share of the card that it may fill; it takes what the context needs")
    return found


def write(build: Build) -> str:
    """A command."""
    return "\n".join([*build.head(CHECKED, *notes(build)), "", command(start(build), arguments(build))]) + "\n"
