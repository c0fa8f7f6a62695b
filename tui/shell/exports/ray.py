"""A configuration for Ray Serve LLM (`serve run`). Source: Ray's documentation of ray.serve.llm (LLMConfig)."""

from __future__ import annotations

from typing import Any

from tui.shell.exports import vllm
from tui.shell.exports.build import Build
from tui.shell.exports.text import CannotExport, yaml

CHECKED = "Ray 2.52, ray.serve.llm:build_openai_app"


def engine_settings(build: Build) -> dict[str, Any]:
    """vLLM's arguments as Ray Serve takes them, by name: one replica, without its copies."""
    found: dict[str, Any] = {}
    for flag in vllm.arguments(build):
        name = str(flag[0]).removeprefix("--").replace("-", "_")
        if name.startswith("data_parallel") or name == "distributed_executor_backend":
            continue
        found[name] = flag[1] if len(flag) > 1 else True
    if "speculative_config" in found:
        found["speculative_config"] = vllm.speculation(build)
    return found


def write(build: Build) -> str:
    """YAML for `serve run`. Raises CannotExport for data-parallel attention, which is another kind of deployment."""
    layout = build.sizing.layout
    if layout.dp_attention:
        raise CannotExport("ray has no word here for data-parallel attention: use vllm, sglang or lws")
    config: dict[str, Any] = {
        "model_loading_config": {"model_id": build.checkpoint.plain, "model_source": build.checkpoint.name},
        "deployment_config": {"autoscaling_config": {"min_replicas": layout.dp, "max_replicas": layout.dp}},
        "engine_kwargs": engine_settings(build),
    }
    application = {
        "name": "llm",
        "route_prefix": "/",
        "import_path": "ray.serve.llm:build_openai_app",
        "args": {"llm_configs": [config]},
    }
    notes = [*vllm.notes(build), "start Ray on every node first (`--to vllm` shows how), then `serve run` this file"]
    head = build.head(f"{CHECKED}; {vllm.CHECKED}", *notes)
    return "\n".join([*head, *yaml({"applications": [application]})]) + "\n"
