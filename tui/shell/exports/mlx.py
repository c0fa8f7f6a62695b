"""mlx_lm's server on a Mac. Source: mlx_lm/server.py of ml-explore/mlx-lm."""

from __future__ import annotations

from tui.shell.exports.build import PORT, Build
from tui.shell.exports.text import CannotExport, Word, command

CHECKED = "mlx-lm of 2026, arguments of its server"
_KV_BITS = {"q8_0": 8, "q4_0": 4}


def arguments(build: Build) -> list[tuple[Word, ...]]:
    """The arguments of one server."""
    filled, kv_cache = build.sizing.resolved, build.scenario.model.kv_cache
    flags: list[tuple[Word, ...]] = [
        ("--host", "0.0.0.0"),
        ("--port", PORT),
        ("--max-tokens", build.work.answer_tokens),
        ("--decode-concurrency", filled.max_num_seqs or build.seats),
    ]
    if filled.max_num_batched_tokens is not None:
        flags.append(("--prefill-step-size", filled.max_num_batched_tokens))
    if kv_cache in _KV_BITS:
        flags.append(("--kv-bits", _KV_BITS[kv_cache]))
    return flags


def notes(build: Build) -> list[str]:
    """What was sized and no argument says."""
    kv_cache, found = build.scenario.model.kv_cache, []
    if kv_cache not in (*_KV_BITS, "bf16", "fp16"):
        found.append(f"not expressible: a KV cache in {kv_cache}; this one takes 16 bits and more memory")
    found.append(
        f"not expressible: sequences of {build.max_model_len} tokens at most; its cache grows with each request, up to what fits"
    )
    if kv_cache in _KV_BITS:
        found.append("--kv-bits is an argument of late releases: earlier ones keep 16 bits and refuse it")
    if build.runtime.memory_utilization is not None:
        found.append("not expressible: a share of the memory; Metal wires what it recommends (iogpu.wired_limit_mb)")
    if build.sizing.layout.dp > 1:
        found.append(f"{build.sizing.layout.dp} servers of this, each on its own Mac, behind a load balancer")
    return found


def write(build: Build) -> str:
    """A command. Raises CannotExport for embeddings, which it does not serve, and for a model over several Macs."""
    layout = build.sizing.layout
    if build.work.embeds:
        raise CannotExport("mlx serves no embeddings: use llama-server")
    if layout.tp * layout.pp > 1:
        raise CannotExport(f"mlx is written here for one Mac, and this is sized over {layout.tp * layout.pp}")
    start = ["mlx_lm.server", "--model", build.checkpoint.name]
    return "\n".join([*build.head(CHECKED, *notes(build)), "", command(start, arguments(build))]) + "\n"
