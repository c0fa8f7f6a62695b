"""A sized build as something to run: vllm, NIM, a LeaderWorkerSet, NCCL settings, torchrun. Text only; starts nothing.

People paste it into a shell, and sessions and catalogs come by mail: every name goes in as one quoted word, a manifest
has lists of quoted words, and a comment never ends before its line does.

Flags and variables are those of the tools' own documentation: vLLM's engine arguments and data-parallel deployment,
NVIDIA NIM for LLMs (multi-node deployment), the Kubernetes LeaderWorkerSet API v1, NCCL's environment variables, torchrun.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from engine.figures.text import printable
from engine.model.formats import FORMATS
from engine.parts.hardware import Link
from engine.sizing import Sizing

Target = Literal["vllm", "nim", "lws", "nccl", "torchrun"]
TARGETS: tuple[Target, ...] = get_args(Target)
# What vLLM calls a format that it quantizes on load; published checkpoints carry their own and need no flag.
VLLM_QUANTIZATION = {"fp8": "fp8"}
# What vLLM calls a cache format; 16-bit follows the model.
VLLM_KV_CACHE = {"fp8": "fp8"}
PORT = 8000
MASTER_PORT = 29500
# A pod's health is asked for only after the weights are loaded: 10 minutes for the largest checkpoints.
READY_AFTER_S = 600
# Publishers whose name at NGC is not the one at Hugging Face.
LABEL_LENGTH = 50  # Kubernetes takes 63, and a set's pods have numbers after its name
NGC_PUBLISHERS = {"meta-llama": "meta", "zai-org": "z-ai", "coherelabs": "cohere", "minimaxai": "minimax"}


class CannotExport(ValueError):
    """A sizing that this target cannot run; the message says why and what to use."""


def export(sizing: Sizing, target: Target, hf_id: str) -> str:
    """The text for one target. hf_id: the model's name on Hugging Face.

    Raises CannotExport for a training plan on a serving target, and the other way round, and for a name that no
    repository has: letters outside ASCII, or a dash first, which a command would take for an option.
    """
    if not hf_id.isascii() or not hf_id.isprintable() or hf_id.startswith("-"):
        raise CannotExport(f"{printable(hf_id)} is no name of a repository: ASCII, and no dash first")
    serving = sizing.scenario.workload.is_inference
    if target == "torchrun" and serving:
        raise CannotExport("torchrun starts training; this session serves: use vllm, nim, lws or nccl")
    if target in ("vllm", "nim", "lws") and not serving:
        raise CannotExport(f"{target} serves; this session trains: use torchrun or nccl")
    writers = {"vllm": _vllm, "nim": _nim, "lws": _lws, "nccl": _nccl, "torchrun": _torchrun}
    return writers[target](sizing, hf_id)


def _comment(text: str) -> str:
    """A comment of a shell script or of YAML; it stays one line, whatever is in the text."""
    return f"# {printable(text)}"


def _title(sizing: Sizing) -> list[str]:
    verdict = sizing.verdict
    lines = [_comment(verdict.headline), _comment(verdict.reason)]
    if not verdict.carried:
        lines.append(_comment("WARNING: the build as entered does not carry this workload"))
    return lines


@dataclass(frozen=True, slots=True)
class _Servers:
    """How a layout is started: so many servers, each over `nodes` nodes with `dp` replicas inside."""

    count: int
    nodes: int
    dp: int


def _servers(sizing: Sizing) -> _Servers:
    """Replicas that share a node are one server; replicas on other nodes are servers of their own."""
    layout, in_node = sizing.layout, sizing.scenario.hardware.gpus_per_node
    if layout.dp_attention:
        return _Servers(1, max(1, -(-layout.gpus // in_node)), layout.dp)
    one = layout.tp * layout.pp
    if one > in_node:
        return _Servers(layout.dp, -(-one // in_node), 1)
    inside = max(1, min(layout.dp, in_node // one))
    return _Servers(-(-layout.dp // inside), 1, inside)


def vllm_arguments(sizing: Sizing) -> list[str]:
    """The engine arguments of one server, one flag with its value an entry."""
    scenario, layout, servers = sizing.scenario, sizing.layout, _servers(sizing)
    workload, runtime = scenario.workload, scenario.runtime
    flags = [f"--tensor-parallel-size {layout.tp}"]
    if layout.pp > 1:
        flags.append(f"--pipeline-parallel-size {layout.pp}")
    if servers.dp > 1:
        flags.append(f"--data-parallel-size {servers.dp}")
    if servers.nodes > 1 and servers.dp > 1:
        flags.append(f"--data-parallel-size-local {-(-servers.dp // servers.nodes)}")
        flags.append("--data-parallel-backend ray")
    elif servers.nodes > 1:
        flags.append("--distributed-executor-backend ray")
    if layout.ep > 1:
        flags.append("--enable-expert-parallel")
    flags.append(f"--max-model-len {runtime.max_model_len or workload.tokens_per_request}")
    seats = runtime.max_num_seqs or max(1, -(-workload.concurrency // max(1, layout.dp)))
    flags.append(f"--max-num-seqs {seats}")
    if runtime.max_num_batched_tokens:
        flags.append(f"--max-num-batched-tokens {runtime.max_num_batched_tokens}")
    if runtime.memory_utilization:
        flags.append(f"--gpu-memory-utilization {runtime.memory_utilization:g}")
    checkpoint = scenario.model.architecture.checkpoint_format
    if checkpoint != scenario.model.weights and scenario.model.weights in VLLM_QUANTIZATION:
        flags.append(f"--quantization {VLLM_QUANTIZATION[scenario.model.weights]}")
    if scenario.model.kv_cache in VLLM_KV_CACHE:
        flags.append(f"--kv-cache-dtype {VLLM_KV_CACHE[scenario.model.kv_cache]}")
    if not runtime.cuda_graphs:
        flags.append("--enforce-eager")
    return flags


def _needs_checkpoint(sizing: Sizing) -> list[str]:
    model = sizing.scenario.model
    label = FORMATS[model.weights].label
    if model.weights in ("bf16", "fp16", model.architecture.checkpoint_format) or model.weights in VLLM_QUANTIZATION:
        return []
    return [f"# name a checkpoint that is published in {label}; the sizing assumes one"]


def _command(hf_id: str, flags: list[str], indent: str = "  ") -> list[str]:
    lines = [f"vllm serve {shlex.quote(hf_id)} \\", *(f"{indent}{flag} \\" for flag in flags)]
    return [*lines[:-1], lines[-1].removesuffix(" \\")]


def _vllm(sizing: Sizing, hf_id: str) -> str:
    servers = _servers(sizing)
    lines = [*_title(sizing), *_needs_checkpoint(sizing)]
    if servers.count > 1:
        where = f"each on {servers.nodes} nodes" if servers.nodes > 1 else "each on its own node"
        lines.append(f"# {servers.count} servers of this, {where}, behind a load balancer")
    if servers.nodes > 1:
        lines += [
            "",
            "# on every node, before Ray: its workers take the environment that it was started in",
            *_nccl_lines(sizing),
            "",
            "# on the first node, then on each other one",
            f"ray start --head --port 6379   # node 1 of {servers.nodes}",
            "ray start --address NODE_1_ADDRESS:6379   # the others",
            "",
            "# then on the first node",
            *_command(hf_id, vllm_arguments(sizing)),
        ]
    else:
        lines += ["", *_command(hf_id, vllm_arguments(sizing))]
    return "\n".join(lines) + "\n"


def _nim_image(hf_id: str) -> str:
    publisher, _, name = hf_id.lower().rpartition("/")
    parts = (
        "nvcr.io/nim",
        _image_part(NGC_PUBLISHERS.get(publisher, publisher)),
        f"{_image_part(name) or 'your-model'}:latest",
    )
    return "/".join(filter(None, parts))


def _image_part(text: str) -> str:
    """A part of an image's name in the letters that registries take."""
    return "".join(char if char in _IMAGE_LETTERS else "-" for char in text).strip("-._/")


def _nim(sizing: Sizing, hf_id: str) -> str:
    layout, servers, in_node = sizing.layout, _servers(sizing), sizing.scenario.hardware.gpus_per_node
    tp, pp, inside = layout.tp, layout.pp, servers.dp
    lines = [*_title(sizing), *_needs_checkpoint(sizing), "# NGC's catalog has the image's exact name: check it there"]
    if layout.dp_attention:
        tp, pp, inside = min(in_node, layout.gpus), servers.nodes, 1
        lines.append(
            "# sized with data-parallel attention, which NIM's profile decides; TP and PP here hold the same GPUs"
        )
    if servers.count > 1:
        lines.append(f"# {servers.count} times this, each on its own nodes, behind a load balancer")
    for rank in range(servers.nodes):
        for replica in range(inside):
            settings = {
                "NGC_API_KEY": '"$NGC_API_KEY"',
                "NIM_TENSOR_PARALLEL_SIZE": str(tp),
                "NIM_PIPELINE_PARALLEL_SIZE": str(pp),
                "NIM_MAX_MODEL_LEN": str(sizing.scenario.workload.tokens_per_request),
            }
            devices, role = "all", "one node"
            if inside > 1:
                first = replica * tp * pp
                devices = f"""'"device={",".join(str(first + place) for place in range(tp * pp))}"'"""
                settings["NIM_SERVER_PORT"] = str(PORT + replica)
                role = f"replica {replica + 1} of {inside} in the node"
            elif servers.nodes > 1:
                role = "leader" if rank == 0 else f"worker {rank}"
                settings |= {
                    "NIM_MULTI_NODE": "1",
                    "NIM_NUM_COMPUTE_NODES": str(servers.nodes),
                    "NIM_NODE_RANK": str(rank),
                    "NIM_LEADER_ROLE": "1" if rank == 0 else "0",
                    "MASTER_ADDR": "NODE_1_ADDRESS",
                    "MASTER_PORT": str(MASTER_PORT),
                }
                settings |= nccl_settings(sizing)
            elif tp * pp < in_node:
                devices = str(tp * pp)
            lines += ["", f"# {role}"]
            lines += [f"docker run --rm --gpus {devices} --network host --ipc host --ulimit memlock=-1 \\"]
            lines += [f"  -e {name}={value} \\" for name, value in settings.items()]
            lines += ["  -v /models:/opt/nim/.cache \\", f"  {shlex.quote(_nim_image(hf_id))}"]
    return "\n".join(lines) + "\n"


def _lws(sizing: Sizing, hf_id: str) -> str:
    hardware, layout, servers = sizing.scenario.hardware, sizing.layout, _servers(sizing)
    nodes, replicas = servers.nodes, servers.count
    name = _label(sizing.scenario.model.id or sizing.scenario.model.name)
    flags = [word for flag in vllm_arguments(sizing) for word in flag.split(" ", 1)]
    start = ["vllm", "serve", hf_id.replace("$", "$$"), *flags]  # Kubernetes would put a variable in place of $(NAME)
    ray = "bash /vllm-workspace/examples/online_serving/multi-node-serving.sh"
    leader, worker = start, ["sleep", "infinity"]
    if nodes > 1:
        # The shell starts Ray and then what follows its script, word by word.
        leader = ["sh", "-c", f'{ray} leader --ray_cluster_size=$(LWS_GROUP_SIZE); exec "$@"', "leader", *start]
        worker = ["sh", "-c", f"{ray} worker --ray_address=$(LWS_LEADER_ADDRESS)"]
    environment = [
        line
        for key, value in (nccl_settings(sizing) if nodes > 1 else {}).items()
        for line in (f"            - name: {key}", f"              value: {json.dumps(value)}")
    ]

    def container(command: Iterable[str], ready: bool) -> list[str]:
        lines = [
            "      spec:",
            "        containers:",
            "        - name: vllm",
            "          image: vllm/vllm-openai:latest",
            f"          command: {json.dumps(list(command))}",  # YAML reads JSON
        ]
        if environment:
            lines += ["          env:", *environment]
        lines += [
            "          resources:",
            "            limits:",
            f'              nvidia.com/gpu: "{min(hardware.gpus_per_node, layout.tp * layout.pp * servers.dp)}"',
        ]
        if ready:
            lines += [
                "          ports:",
                f"          - containerPort: {PORT}",
                "          readinessProbe:",
                "            httpGet:",
                "              path: /health",
                f"              port: {PORT}",
                f"            initialDelaySeconds: {READY_AFTER_S}",
            ]
        return [
            *lines,
            "          volumeMounts:",
            "          - mountPath: /dev/shm",
            "            name: shared",
            "        volumes:",
            "        - name: shared",
            "          emptyDir:",
            "            medium: Memory",
        ]

    lines = [
        *_title(sizing),
        "apiVersion: leaderworkerset.x-k8s.io/v1",
        "kind: LeaderWorkerSet",
        "metadata:",
        f"  name: {name}",
        "spec:",
        f"  replicas: {replicas}",
        "  leaderWorkerTemplate:",
        f"    size: {nodes}",
        "    restartPolicy: RecreateGroupOnPodRestart",
        "    leaderTemplate:",
        "      metadata:",
        "        labels:",
        f"          app: {name}",
        "          role: leader",
        *container(leader, ready=True),
        "    workerTemplate:",
        *container(worker, ready=False),
        "---",
        "apiVersion: v1",
        "kind: Service",
        "metadata:",
        f"  name: {name}",
        "spec:",
        "  selector:",
        f"    app: {name}",
        "    role: leader",
        "  ports:",
        f"  - port: {PORT}",
        f"    targetPort: {PORT}",
    ]
    return "\n".join(lines) + "\n"


_IMAGE_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-._/")


def _label(text: str) -> str:
    """A name as Kubernetes takes it (RFC 1035): small letters, digits and dashes, a letter first."""
    words = "".join(char if char.isascii() and char.isalnum() else "-" for char in text.lower())
    label = "-".join(filter(None, words.split("-")))
    if not label[:1].isalpha():
        label = f"model-{label}"
    return label[:LABEL_LENGTH].strip("-")


def nccl_settings(sizing: Sizing) -> dict[str, str]:
    """NCCL's environment for the links in use, by variable name."""
    hardware = sizing.scenario.hardware
    settings: dict[str, str] = {"NCCL_DEBUG": "WARN"}
    if not hardware.intra_link.peer_access:
        settings["NCCL_P2P_DISABLE"] = "1"
    if hardware.nodes > 1:
        settings |= _between(hardware.inter_link)
    return settings


def _between(link: Link) -> dict[str, str]:
    if link.family == "infiniband":
        return {"NCCL_IB_DISABLE": "0", "NCCL_SOCKET_IFNAME": "ib0"}
    if link.family == "roce":
        # GID 3 is RoCE v2 over IPv4 on most hosts; traffic class 106 is the one that switch guides give lossless queues.
        return {
            "NCCL_IB_DISABLE": "0",
            "NCCL_IB_GID_INDEX": "3",
            "NCCL_IB_TC": "106",
            "NCCL_SOCKET_IFNAME": "eth0",
        }
    if link.family == "efa":
        return {"FI_PROVIDER": "efa", "NCCL_SOCKET_IFNAME": "eth0"}
    return {"NCCL_IB_DISABLE": "1", "NCCL_SOCKET_IFNAME": "eth0"}


def _nccl_lines(sizing: Sizing) -> list[str]:
    return [f"export {name}={value}" for name, value in nccl_settings(sizing).items()]


def _nccl(sizing: Sizing, _: str) -> str:
    hardware = sizing.scenario.hardware
    links = hardware.intra_link.name + (f" inside, {hardware.inter_link.name} between" if hardware.nodes > 1 else "")
    lines = [
        *_title(sizing),
        _comment(links),
        "# interface names are this host's own: check them",
        *_nccl_lines(sizing),
    ]
    return "\n".join(lines) + "\n"


def _torchrun(sizing: Sizing, hf_id: str) -> str:
    scenario, layout = sizing.scenario, sizing.layout
    hardware, workload = scenario.hardware, scenario.workload
    steps = workload.gradient_accumulation or sizing.resolved.gradient_accumulation or 1
    lines = [
        *_title(sizing),
        f"# {workload.kind}, {workload.sharding}, TP {layout.tp}, PP {layout.pp}, DP {layout.dp}; "
        f"{workload.optimizer}, recompute {workload.recompute}, loss {workload.loss}",
        "# train.py stands for your trainer; its flags carry what was sized",
        "",
        *_nccl_lines(sizing),
        "",
        "torchrun \\",
        f"  --nnodes {hardware.nodes} \\",
        f"  --nproc-per-node {hardware.gpus_per_node} \\",
    ]
    if hardware.nodes > 1:
        lines += ["  --rdzv-backend c10d \\", f"  --rdzv-endpoint NODE_1_ADDRESS:{MASTER_PORT} \\"]
    lines += [
        "  train.py \\",
        f"  --model {shlex.quote(hf_id)} \\",
        f"  --sequence-length {workload.sequence_length} \\",
        f"  --micro-batch {workload.micro_batch} \\",
        f"  --gradient-accumulation {steps}",
    ]
    return "\n".join(lines) + "\n"
