"""NVIDIA NIM for LLMs 2.x. Its image takes the backend's own arguments after its name, before any variable of NIM's.

Source: NIM LLM 2.1, advanced configuration and multi-node deployment.
"""

from __future__ import annotations

from engine.model.formats import FORMATS
from tui.shell.exports import vllm
from tui.shell.exports.build import PORT, Build
from tui.shell.exports.names import nim_image
from tui.shell.exports.text import CannotExport, Word, command

CHECKED = "NIM LLM 2.1.6, whose backend is vLLM; NIM 1.x takes other settings"
_OF_WEIGHTS = ("--quantization", "--dtype")
_LAYOUT = ("--data-parallel", "--distributed-executor")


def write(build: Build) -> str:
    """`docker run` for each replica of a node.

    Raises CannotExport for a server over several nodes.
    """
    layout, servers = build.sizing.layout, build.servers
    if servers.nodes > 1:
        raise CannotExport(
            "nim starts no server over several nodes: NIM 2 forms its Ray cluster through NVIDIA's Helm chart only; "
            "use vllm, lws or slurm"
        )
    inside = 1 if layout.dp_attention else servers.dp
    flags = [
        flag
        for flag in vllm.arguments(build)
        if flag[0] not in _OF_WEIGHTS and (inside == 1 or not str(flag[0]).startswith(_LAYOUT))
    ]
    weights = FORMATS[build.scenario.model.weights].label
    lines = build.head(
        CHECKED,
        *build.checkpoint.notes,
        *vllm.notes(build),
        *build.behind_a_balancer(),
        "NGC's catalog has the image's exact name and newest tag: check them there",
        f"the image brings its own weights: sized in {weights}, so set NIM_MODEL_PROFILE to a profile of that format "
        "(list-model-profiles in the image names them)",
        loads=False,
    )
    each = layout.gpus if layout.dp_attention else layout.tp * layout.pp
    for replica in range(inside):
        first = replica * each
        cards = ",".join(str(first + place) for place in range(each))
        docker: list[tuple[Word, ...]] = [
            ("--gpus", "all" if each >= build.in_node else f'"device={cards}"'),
            ("--network", "host"),
            ("--ipc", "host"),
            ("--ulimit", "memlock=-1"),
            ("-e", "NGC_API_KEY"),
            ("-e", f"NIM_SERVER_PORT={PORT + replica}"),
            ("-v", "/models:/opt/nim/.cache"),
            (nim_image(build.checkpoint.plain),),
            *flags,
        ]
        if inside > 1:
            lines += ["", f"# replica {replica + 1} of {inside} in the node"]
        else:
            lines.append("")
        lines.append(command(["docker", "run", "--rm"], docker))
    return "\n".join(lines) + "\n"
