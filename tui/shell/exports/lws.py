"""A LeaderWorkerSet: servers over several nodes in Kubernetes. Sources: its API v1; vLLM's and SGLang's pages on it."""

from __future__ import annotations

from typing import Any

from tui.shell.exports import engines, fabric, k8s, sglang
from tui.shell.exports.build import Build
from tui.shell.exports.text import CannotExport, in_kubernetes, words, yaml

CHECKED = "LeaderWorkerSet 0.7 (API v1)"
# Where the images keep vLLM's examples (docker/Dockerfile, docker/Dockerfile.rocm).
_EXAMPLES = {"nvidia": "/vllm-workspace/examples", "amd": "/app/vllm/examples"}
_SCRIPT = "ray_serving/multi-node-serving.sh"


def _commands(build: Build, begun: engines.Start) -> tuple[list[str], list[str]]:
    """The leader's command and the workers'. Kubernetes puts the group's size and addresses in."""
    if build.servers.nodes == 1:
        return in_kubernetes(begun.command), ["sleep", "infinity"]
    if begun.engine == "sglang":
        flags = sglang.arguments(build, "LWS_LEADER", "LWS_RANK")
        known = {"LWS_RANK": "$(LWS_WORKER_INDEX)", f"LWS_LEADER:{sglang.RENDEZVOUS_PORT}": _sglang_address()}
        fixed = in_kubernetes(sglang.start(build))
        same = [*fixed, *(known.get(word, word) for word in words(flags))]
        return same, same
    script = f"bash {_EXAMPLES[begun.host.maker]}/{_SCRIPT}"
    # The shell starts Ray and then what follows its script, word by word.
    leader = ["sh", "-c", f'{script} leader --ray_cluster_size=$(LWS_GROUP_SIZE) && exec "$@"', "leader"]
    worker = ["sh", "-c", f"{script} worker --ray_address=$(LWS_LEADER_ADDRESS)"]
    return [*leader, *in_kubernetes(begun.command)], worker


def _sglang_address() -> str:
    return f"$(LWS_LEADER_ADDRESS):{sglang.RENDEZVOUS_PORT}"


def write(build: Build) -> str:
    """The set and its Service. Raises CannotExport where no image is known to join several nodes."""
    servers, begun, name = build.servers, engines.start(build), k8s.name_of(build)
    if servers.nodes > 1 and begun.engine != "sglang" and begun.host.maker not in _EXAMPLES:
        raise CannotExport(
            "lws over several nodes takes vLLM's image with Ray, which is published for NVIDIA and AMD: use vllm"
        )
    if servers.nodes > 1 and begun.engine not in ("vllm", "sglang"):
        raise CannotExport(
            f"lws over several nodes starts vLLM or SGLang, and this is sized for {begun.engine}: use slurm"
        )
    leader, worker = _commands(build, begun)
    notes = list(begun.notes)
    settings = fabric.settings(build.sizing) if servers.nodes > 1 else {}
    family = build.scenario.hardware.inter_link.family
    on_host = servers.nodes > 1 and family in fabric.RDMA
    if on_host:
        notes.append(f"pods are in the host's network, for its {family} ports; {fabric.NAMES_ARE_YOURS}")
    else:
        settings.pop(fabric.INTERFACE, None)  # a pod has one interface of its own, which is the default

    def pod(command: list[str], serves: bool) -> dict[str, Any]:
        container = k8s.container(begun, build.cards, command, serves)
        if settings:
            container["env"] = [{"name": key, "value": value} for key, value in settings.items()]
        if on_host:
            container["securityContext"] = {"capabilities": {"add": ["IPC_LOCK"]}}
            return {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet", **k8s.pod(container)}
        return k8s.pod(container)

    group = {
        "apiVersion": "leaderworkerset.x-k8s.io/v1",
        "kind": "LeaderWorkerSet",
        "metadata": {"name": name},
        "spec": {
            "replicas": servers.count,
            "leaderWorkerTemplate": {
                "size": servers.nodes,
                "restartPolicy": "RecreateGroupOnPodRestart",
                "leaderTemplate": {
                    "metadata": {"labels": {"app": name, "role": "leader"}},
                    "spec": pod(leader, True),
                },
                "workerTemplate": {"spec": pod(worker, False)},
            },
        },
    }
    notes.append("a repository behind a gate needs HF_TOKEN from a Secret of yours")
    head = build.head(f"{CHECKED}; {begun.checked}", *notes)
    return "\n".join([*head, *yaml(group), "---", *yaml(k8s.service(name, role="leader"))]) + "\n"
