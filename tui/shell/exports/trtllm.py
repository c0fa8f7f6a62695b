"""`trtllm-serve`. Source: its command reference in TensorRT-LLM's documentation, and the LLM API's options."""

from __future__ import annotations

from typing import Any

from tui.shell.exports import fabric
from tui.shell.exports.build import PORT, Build
from tui.shell.exports.cards import TRTLLM
from tui.shell.exports.text import CannotExport, Word, command, yaml

CHECKED = f"TensorRT-LLM {TRTLLM}, command reference of trtllm-serve, PyTorch backend"
OPTIONS_FILE = "trtllm-options.yaml"
_KV_CACHE = {"fp8": "fp8", "nvfp4": "nvfp4"}


def start(build: Build) -> list[str]:
    """The words before the flags."""
    return ["trtllm-serve", build.checkpoint.name]


def options(build: Build) -> dict[str, Any]:
    """What only the options file can say."""
    found: dict[str, Any] = {}
    cache: dict[str, Any] = {}
    if build.scenario.model.kv_cache in _KV_CACHE:
        cache["dtype"] = _KV_CACHE[build.scenario.model.kv_cache]
    if not build.runtime.prefix_caching:
        cache["enable_block_reuse"] = False
    if cache:
        found["kv_cache_config"] = cache
    if build.sizing.layout.dp_attention:
        found["enable_attention_dp"] = True
    if not build.runtime.cuda_graphs:
        found["cuda_graph_config"] = None
    if build.scenario.model.mtp:
        found["speculative_config"] = {"decoding_type": "MTP", "num_nextn_predict_layers": 1}
    return found


def arguments(build: Build) -> list[tuple[Word, ...]]:
    """The arguments of one server. Raises CannotExport for embedders."""
    if build.scenario.workload.embeds:
        raise CannotExport("trtllm-serve answers with tokens and has no endpoint for embeddings: use vllm or sglang")
    layout, filled = build.sizing.layout, build.sizing.resolved
    across = layout.tp * layout.dp if layout.dp_attention else layout.tp
    flags: list[tuple[Word, ...]] = [("--backend", "pytorch"), ("--tp_size", across)]
    if layout.pp > 1:
        flags.append(("--pp_size", layout.pp))
    if layout.ep > 1:
        flags.append(("--ep_size", min(layout.ep, across)))
    flags.append(("--max_seq_len", build.max_model_len))
    if build.runtime.max_num_seqs is not None:
        flags.append(("--max_batch_size", build.runtime.max_num_seqs))
    if filled.max_num_batched_tokens is not None:
        flags.append(("--max_num_tokens", filled.max_num_batched_tokens))
    if build.runtime.memory_utilization is not None:
        flags.append(("--kv_cache_free_gpu_memory_fraction", build.runtime.memory_utilization))
    if options(build):
        flags.append(("--extra_llm_api_options", OPTIONS_FILE))
    flags += [("--host", "0.0.0.0"), ("--port", PORT)]
    return flags


def notes(build: Build) -> list[str]:
    """What was sized and no argument says."""
    model, layout, found = build.scenario.model, build.sizing.layout, []
    if model.kv_cache not in (*_KV_CACHE, "bf16", "fp16"):
        found.append(
            f"not expressible: a KV cache in {model.kv_cache}; this one takes the model's 16 bits and more memory"
        )
    if layout.dp > 1 and not layout.dp_attention:
        found.append(f"{layout.dp} servers of this, each with its own cards and port, behind a load balancer")
    return found


def write(build: Build) -> str:
    """A command, with its options file before it; over several nodes as one task a GPU."""
    servers, asked = build.servers, options(build)
    lines = [*build.head(CHECKED, *notes(build)), ""]
    if servers.nodes > 1:
        lines += [
            f"# inside an allocation of {servers.nodes} nodes: one task a GPU, joined by MPI",
            *fabric.exports(build.sizing),
        ]
    if asked:
        lines += [f"cat > {OPTIONS_FILE} <<'END_OF_OPTIONS'", *yaml(asked), "END_OF_OPTIONS"]
    before = []
    if servers.nodes > 1:
        tasks = (
            build.sizing.layout.gpus
            if build.sizing.layout.dp_attention
            else build.sizing.layout.tp * build.sizing.layout.pp
        )
        before = ["srun", "--mpi=pmix", f"--nodes={servers.nodes}", f"--ntasks={tasks}", "trtllm-llmapi-launch"]
    lines.append(command([*before, *start(build)], arguments(build)))
    return "\n".join(lines) + "\n"
