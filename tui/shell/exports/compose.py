"""A Compose file for one node. Source: the Compose specification (services, deploy.resources.reservations.devices)."""

from __future__ import annotations

from typing import Any

from tui.shell.exports import engines
from tui.shell.exports.build import PORT, Build
from tui.shell.exports.text import CannotExport, yaml

CHECKED = "Compose specification 2.39"
CACHE = "/huggingface"
"""Where a container keeps downloads, whoever it runs as: HF_HOME of huggingface_hub."""


def write(build: Build) -> str:
    """A service of one server. Raises CannotExport for a server over several nodes."""
    if build.servers.nodes > 1:
        raise CannotExport("compose is for one node, and this server takes several: use lws, slurm or vllm")
    begun = engines.start(build)
    service: dict[str, Any] = {
        "image": begun.host.image,
        "entrypoint": [word.replace("$", "$$") for word in begun.command],
        "ipc": "host",
        "ports": [f"{PORT}:{PORT}"],
        "environment": {"HF_TOKEN": "${HF_TOKEN:-}", "HF_HOME": CACHE},
        "volumes": [f"${{HOME}}/.cache/huggingface:{CACHE}"],
        "healthcheck": {
            "test": ["CMD-SHELL", f"curl -sf http://localhost:{PORT}/health"],
            "interval": "30s",
            "start_period": "30m",
        },
    }
    kind = begun.host.maker
    if kind == "nvidia":
        service["deploy"] = {
            "resources": {
                "reservations": {"devices": [{"driver": "nvidia", "count": build.cards, "capabilities": ["gpu"]}]}
            }
        }
    elif kind == "gaudi":
        service |= {"runtime": "habana", "cap_add": ["SYS_NICE"]}
        service["environment"] |= {"HABANA_VISIBLE_DEVICES": "all"}
    else:
        devices = ("/dev/dri",) if kind == "arc" else ("/dev/kfd", "/dev/dri")
        service |= {"devices": [f"{one}:{one}" for one in devices], "group_add": ["video"]}
    lines = build.head(f"{CHECKED}; {begun.checked}", *begun.notes, *build.behind_a_balancer())
    return "\n".join([*lines, *yaml({"services": {begun.word: service}})]) + "\n"
