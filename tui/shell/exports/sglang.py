"""SGLang's server. Source: its documentation of server arguments and of multi-node deployment."""

from __future__ import annotations

from tui.shell.exports import fabric
from tui.shell.exports.build import FIRST_NODE, NODE_RANK, PORT, Build
from tui.shell.exports.cards import SGLANG
from tui.shell.exports.text import Word, command

CHECKED = f"SGLang {SGLANG}, arguments of its parser, which 0.5.23 takes too"
RENDEZVOUS_PORT = 20000
_KV_CACHE = {"fp8": "fp8_e4m3"}
_STATES = {"fp32": "float32", "bf16": "bfloat16"}
_ATTENTION = {"flash3": "fa3", "flashinfer": "flashinfer", "triton": "triton", "trtllm": "trtllm_mha"}


def start(build: Build) -> list[str]:
    """The words before the flags."""
    return ["python3", "-m", "sglang.launch_server", "--model-path", build.checkpoint.name]


def arguments(build: Build, first: str = FIRST_NODE, rank: str = "0") -> list[tuple[Word, ...]]:
    """The arguments of one server. first, rank: the first node's address and this node's number, where it has several."""
    layout, servers, filled = build.sizing.layout, build.servers, build.sizing.resolved
    across = layout.tp * layout.dp if layout.dp_attention else layout.tp
    flags: list[tuple[Word, ...]] = [("--tp-size", across)]
    if layout.pp > 1:
        flags.append(("--pp-size", layout.pp))
    if layout.dp_attention:
        # one group on each GPU where the layout names no replicas
        flags.append(("--dp-size", layout.dp if layout.dp > 1 else across))
    elif servers.dp > 1:
        flags.append(("--dp-size", servers.dp))
    if layout.dp_attention:
        flags.append(("--enable-dp-attention",))
    if layout.ep > 1:
        flags.append(("--ep-size", min(layout.ep, across)))
    if build.scenario.workload.embeds:
        flags.append(("--is-embedding",))
    flags.append(("--context-length", build.max_model_len))
    if filled.memory_utilization is not None:
        flags.append(("--mem-fraction-static", filled.memory_utilization))
    if build.runtime.max_num_seqs is not None:
        flags.append(("--max-running-requests", build.runtime.max_num_seqs))
    if filled.max_num_batched_tokens is not None:
        flags.append(("--chunked-prefill-size", filled.max_num_batched_tokens))
    if build.checkpoint.on_load:
        flags.append(("--quantization", build.checkpoint.on_load))
    model, card = build.scenario.model, build.scenario.hardware.accelerator
    if model.weights == "fp16" or (model.weights == "bf16" and not card.supports_bf16):
        flags.append(("--dtype", "float16"))
    if model.kv_cache in _KV_CACHE:
        flags.append(("--kv-cache-dtype", _KV_CACHE[model.kv_cache]))
    if not build.runtime.cuda_graphs:
        flags.append(("--disable-cuda-graph",))
    if build.runtime.attention_backend in _ATTENTION:
        flags.append(("--attention-backend", _ATTENTION[build.runtime.attention_backend]))
    if build.runtime.cpu_offload_gb:
        flags.append(("--cpu-offload-gb", round(build.runtime.cpu_offload_gb)))
    if build.runtime.state_dtype is not None:
        flags.append(("--mamba-ssm-dtype", _STATES[build.runtime.state_dtype]))
    if build.runtime.state_slots is not None:
        flags.append(("--max-mamba-cache-size", build.runtime.state_slots))
    if build.runtime.kt_gpu_experts is not None and model.architecture.experts:
        flags.append(("--kt-num-gpu-experts", build.runtime.kt_gpu_experts))
    if not build.runtime.prefix_caching:
        flags.append(("--disable-radix-cache",))
    if model.mtp:
        flags.append(("--speculative-algorithm", "NEXTN"))
    if servers.nodes > 1:
        flags.append(("--nnodes", servers.nodes))
        flags.append(("--node-rank", rank))
        flags.append(("--dist-init-addr", f"{first}:{RENDEZVOUS_PORT}"))
    flags += [("--host", "0.0.0.0"), ("--port", PORT)]
    return flags


def notes(build: Build) -> list[str]:
    """What was sized and no argument says."""
    model, layout, found = build.scenario.model, build.sizing.layout, []
    if build.runtime.attention_backend not in (None, *_ATTENTION):
        found.append(f"not expressible: attention by {build.runtime.attention_backend}")
    if model.kv_cache not in (*_KV_CACHE, "bf16", "fp16"):
        found.append(
            f"not expressible: a KV cache in {model.kv_cache}; this one takes the model's 16 bits and more memory"
        )
    if build.runtime.kt_gpu_experts is not None and model.architecture.experts:
        found.append("name the CPU's files and kernels too: --kt-weight-path, --kt-method, --kt-cpuinfer")
    if layout.ep > 1 and not layout.dp_attention and layout.ep > layout.tp:
        found.append(
            f"not expressible: experts spread over {layout.ep} GPUs of several replicas; here over {layout.tp}"
        )
    return found


def write(build: Build) -> str:
    """A command; with several nodes the same on each, with its own rank."""
    servers = build.servers
    lines = build.head(CHECKED, *notes(build), *build.behind_a_balancer())
    if servers.nodes == 1:
        return "\n".join([*lines, "", command(start(build), arguments(build))]) + "\n"
    lines += [
        f"# note: {fabric.NAMES_ARE_YOURS}",
        "",
        f"# on each of {servers.nodes} nodes; {NODE_RANK} is 0 on the first, 1 on the next",
        *fabric.exports(build.sizing),
        f'{NODE_RANK}="${{{NODE_RANK}:-0}}"',
        command(start(build), arguments(build, rank="$RANK_OF_NODE")).replace("'$RANK_OF_NODE'", f'"${NODE_RANK}"'),
    ]
    return "\n".join(lines) + "\n"
