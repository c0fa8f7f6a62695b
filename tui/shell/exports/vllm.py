"""`vllm serve`. Sources: vLLM's engine arguments, parallelism and scaling, data-parallel deployment."""

from __future__ import annotations

import json

from engine.figures.units import GIB
from engine.serving.draft import drafted_ahead, drafted_by
from tui.shell.exports import fabric
from tui.shell.exports.build import FIRST_NODE, Build
from tui.shell.exports.cards import VLLM
from tui.shell.exports.text import Word, command

CHECKED = f"vLLM {VLLM}, arguments of its parser, which 0.33.0 takes too"
_KV_CACHE = {"fp8": "fp8"}
_ATTENTION = {
    "flash2": "FLASH_ATTN",
    "flash3": "FLASH_ATTN",
    "flashinfer": "FLASHINFER",
    "triton": "TRITON_ATTN",
    "trtllm": "FLASHINFER",
}
DRAFT_CHECKPOINTS = {"eagle": "DRAFT_MODEL", "dflash": "DRAFT_MODEL", "dflash2": "DRAFT_MODEL-DFlash2"}
"""What stands for the checkpoint of a drafter that comes on its own."""
_STATES = {"fp32": "float32", "bf16": "float16"}
_ON_LOAD = {"fp8": "fp8", "nf4": "bitsandbytes"}


def start(build: Build) -> list[str]:
    """The words before the flags."""
    return ["vllm", "serve", build.checkpoint.name]


def arguments(build: Build, executor: str = "ray") -> list[tuple[Word, ...]]:
    """The engine arguments of one server, each flag with its value. executor: what joins several nodes, ray or mp."""
    sizing, layout, servers, filled = build.sizing, build.sizing.layout, build.servers, build.sizing.resolved
    flags: list[tuple[Word, ...]] = [("--tensor-parallel-size", layout.tp)]
    if layout.pp > 1:
        flags.append(("--pipeline-parallel-size", layout.pp))
    if servers.dp > 1:
        flags.append(("--data-parallel-size", servers.dp))
    if servers.nodes > 1 and servers.dp > 1:
        flags.append(("--data-parallel-size-local", -(-servers.dp // servers.nodes)))
        flags.append(("--data-parallel-backend", "ray"))
    elif servers.nodes > 1:
        flags.append(("--distributed-executor-backend", executor))
    if layout.ep > 1:
        flags.append(("--enable-expert-parallel",))
    if sizing.scenario.workload.embeds:
        flags.append(("--runner", "pooling"))
    flags.append(("--max-model-len", build.max_model_len))
    for flag, value in (
        ("--max-num-seqs", filled.max_num_seqs),
        ("--max-num-batched-tokens", filled.max_num_batched_tokens),
        ("--gpu-memory-utilization", filled.memory_utilization),
    ):
        if value is not None:
            flags.append((flag, value))
    if build.checkpoint.on_load:
        flags.append(("--quantization", _ON_LOAD[build.checkpoint.on_load]))
    model, card = sizing.scenario.model, sizing.scenario.hardware.accelerator
    if model.weights == "fp16" or (model.weights == "bf16" and not card.supports_bf16):
        flags.append(("--dtype", "float16"))
    if model.kv_cache in _KV_CACHE:
        flags.append(("--kv-cache-dtype", _KV_CACHE[model.kv_cache]))
    if build.runtime.block_size != 16:
        flags.append(("--block-size", build.runtime.block_size))
    if not build.runtime.cuda_graphs:
        flags.append(("--enforce-eager",))
    drafts = speculation(build)
    if drafts is not None:
        flags.append(("--speculative-config", json.dumps(drafts)))
    if build.runtime.cpu_offload_gb:
        flags.append(("--cpu-offload-gb", build.runtime.cpu_offload_gb))
    if build.runtime.text_only and model.architecture.towers:
        flags.append(("--language-model-only",))
    if build.runtime.skip_mm_profiling and model.architecture.vision_tokens_max:
        flags.append(("--skip-mm-profiling",))
    if build.runtime.kv_cache_gib:
        flags.append(("--kv-cache-memory-bytes", round(build.runtime.kv_cache_gib * GIB)))
    if build.runtime.state_dtype is not None:
        flags.append(("--mamba-ssm-cache-dtype", _STATES[build.runtime.state_dtype]))
    if build.runtime.max_loras:
        flags += [("--enable-lora",), ("--max-loras", build.runtime.max_loras)]
        flags.append(("--max-lora-rank", build.runtime.max_lora_rank))
    if layout.dcp > 1:
        flags.append(("--decode-context-parallel-size", layout.dcp))
    if build.runtime.attention_backend is not None:
        flags.append(("--attention-backend", _ATTENTION[build.runtime.attention_backend]))
    if not build.runtime.prefix_caching:
        flags.append(("--no-enable-prefix-caching",))
    return flags


def speculation(build: Build) -> dict[str, object] | None:
    """The draft as vLLM's speculative_config names it; None where nobody drafts."""
    model, runtime = build.scenario.model, build.runtime
    method = drafted_by(model, runtime)
    if method is None:
        return None
    named: dict[str, object] = {"method": {"eagle": "eagle3", "dflash2": "dflash"}.get(method, method)}
    if method in DRAFT_CHECKPOINTS:
        named["model"] = DRAFT_CHECKPOINTS[method]
    return named | {"num_speculative_tokens": drafted_ahead(model, runtime)}


def notes(build: Build) -> list[str]:
    """What was sized and no argument says."""
    model, found = build.scenario.model, []
    if model.kv_cache not in (*_KV_CACHE, "bf16", "fp16"):
        found.append(
            f"not expressible: a KV cache in {model.kv_cache}; this one takes the model's 16 bits and more memory"
        )
    if build.runtime.attention_backend in ("flash2", "flash3"):
        found.append(f"set VLLM_FLASH_ATTN_VERSION={build.runtime.attention_backend[-1]}: the flag does not say which")
    if stands := DRAFT_CHECKPOINTS.get(drafted_by(model, build.runtime) or ""):
        found.append(f"put the drafter's own checkpoint in place of {stands}")
    if build.checkpoint.on_load == "nf4":
        found.append(
            f"releases after {VLLM} drop bitsandbytes (0.33 takes none): keep to this one, or serve an INT4 repository"
        )
    if build.runtime.admission_wait_steps:
        found.append(f"not expressible: prompts that wait for {build.runtime.admission_wait_steps} steps")
    return found


def write(build: Build) -> str:
    """A command, or with several nodes the Ray cluster that it runs in."""
    servers = build.servers
    lines = build.head(CHECKED, *notes(build), *build.behind_a_balancer())
    if servers.nodes > 1:
        lines += [
            f"# note: {fabric.NAMES_ARE_YOURS}",
            "",
            "# on every node, before Ray: its workers take the environment that it was started in",
            *fabric.exports(build.sizing),
            "",
            "# on the first node, then on each other one",
            f"ray start --head --port 6379   # node 1 of {servers.nodes}",
            f"ray start --address {FIRST_NODE}:6379   # the others",
            "",
            "# then on the first node",
        ]
    else:
        lines.append("")
    lines.append(command(start(build), arguments(build)))
    return "\n".join(lines) + "\n"
