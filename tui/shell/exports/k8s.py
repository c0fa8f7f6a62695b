"""Kubernetes: a Deployment and a Service of servers that each stand on one node; `lws` takes the pods from here.

Source: the API reference of Kubernetes (apps/v1, core/v1), and the device plugins of each maker.
"""

from __future__ import annotations

from typing import Any

from tui.shell.exports import engines
from tui.shell.exports.build import PORT, Build
from tui.shell.exports.text import CannotExport, in_kubernetes, label, yaml

CHECKED = "Kubernetes 1.34"
LOAD_S = 3600
"""Longest that a start may take before the pod is started anew: a large checkpoint over a slow line."""
_PROBE_S = 10


def name_of(build: Build) -> str:
    """The name of what is deployed."""
    return label(build.scenario.model.id or build.scenario.model.name)


def container(begun: engines.Start, cards: int, command: list[str], serves: bool = True) -> dict[str, Any]:
    """A container of a pod, with its probes where it answers people."""
    found: dict[str, Any] = {
        "name": begun.word,
        "image": begun.host.image,
        "command": command,
        "resources": {"limits": {begun.host.resource: str(cards)}},
        "volumeMounts": [{"mountPath": "/dev/shm", "name": "shared"}],
    }
    if serves:
        get = {"path": "/health", "port": PORT}
        found |= {
            "ports": [{"containerPort": PORT}],
            "startupProbe": {"httpGet": get, "periodSeconds": _PROBE_S, "failureThreshold": LOAD_S // _PROBE_S},
            "readinessProbe": {"httpGet": get, "periodSeconds": _PROBE_S},
        }
    return found


def pod(*containers: dict[str, Any]) -> dict[str, Any]:
    """A pod with memory to share between ranks."""
    return {"containers": list(containers), "volumes": [{"name": "shared", "emptyDir": {"medium": "Memory"}}]}


def service(name: str, **more: str) -> dict[str, Any]:
    """The address of all replicas."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name, **more}, "ports": [{"port": PORT, "targetPort": PORT}]},
    }


def write(build: Build) -> str:
    """A Deployment with a Service. Raises CannotExport for a server over several nodes."""
    if build.servers.nodes > 1:
        raise CannotExport("k8s is for servers of one node, and this one takes several: use lws")
    begun, name = engines.start(build), name_of(build)
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": build.servers.count,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": pod(container(begun, build.cards, in_kubernetes(begun.command))),
            },
        },
    }
    head = build.head(
        f"{CHECKED}; {begun.checked}", *begun.notes, "a repository behind a gate needs HF_TOKEN from a Secret of yours"
    )
    return "\n".join([*head, *yaml(deployment), "---", *yaml(service(name))]) + "\n"
