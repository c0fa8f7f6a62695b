"""A sized build as something to run: vllm, NIM, a LeaderWorkerSet, NCCL settings, torchrun. Text only; starts nothing.

Flags and variables are those of the tools' own documentation: vLLM's engine arguments, NVIDIA NIM for LLMs (multi-node
deployment), the Kubernetes LeaderWorkerSet API v1, NCCL's environment variables, torchrun.
"""

from __future__ import annotations

from typing import Literal, get_args

from engine.formats import FORMATS
from engine.hardware import Link
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


class CannotExport(ValueError):
    """A sizing that this target cannot run; the message says why and what to use."""


def export(sizing: Sizing, target: Target, hf_id: str) -> str:
    """The text for one target. hf_id: the model's name on Hugging Face.

    Raises CannotExport for a training plan on a serving target, and the other way round.
    """
    serving = sizing.scenario.workload.is_inference
    if target == "torchrun" and serving:
        raise CannotExport("torchrun starts training; this session serves: use vllm, nim, lws or nccl")
    if target in ("vllm", "nim", "lws") and not serving:
        raise CannotExport(f"{target} serves; this session trains: use torchrun or nccl")
    writers = {"vllm": _vllm, "nim": _nim, "lws": _lws, "nccl": _nccl, "torchrun": _torchrun}
    return writers[target](sizing, hf_id)


def _title(sizing: Sizing, comment: str = "#") -> list[str]:
    verdict = sizing.verdict
    lines = [f"{comment} {verdict.headline}", f"{comment} {verdict.reason}"]
    if not verdict.carried:
        lines.append(f"{comment} WARNING: the build as entered does not carry this workload")
    return lines


def _replica_nodes(sizing: Sizing) -> int:
    """Nodes that one replica spans."""
    layout, hardware = sizing.layout, sizing.scenario.hardware
    gpus = layout.gpus if layout.dp_attention else layout.tp * layout.pp
    return max(1, -(-gpus // hardware.gpus_per_node))


def vllm_arguments(sizing: Sizing) -> list[str]:
    """The engine arguments of one replica, one flag with its value an entry."""
    scenario, layout = sizing.scenario, sizing.layout
    workload, runtime = scenario.workload, scenario.runtime
    flags = [f"--tensor-parallel-size {layout.tp}"]
    if layout.pp > 1:
        flags.append(f"--pipeline-parallel-size {layout.pp}")
    if layout.dp > 1:
        flags.append(f"--data-parallel-size {layout.dp}")
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
    lines = [f"vllm serve {hf_id} \\", *(f"{indent}{flag} \\" for flag in flags)]
    return [*lines[:-1], lines[-1].removesuffix(" \\")]


def _vllm(sizing: Sizing, hf_id: str) -> str:
    lines = [*_title(sizing), *_needs_checkpoint(sizing)]
    if _replica_nodes(sizing) > 1:
        lines += [
            "",
            "# on the first node, then on each other one with its own shell",
            f"ray start --head --port 6379   # node 1 of {_replica_nodes(sizing)}",
            "ray start --address NODE_1_ADDRESS:6379   # the others",
            "",
            *_nccl_lines(sizing),
            "",
            "# then on the first node",
            *_command(hf_id, [*vllm_arguments(sizing), "--distributed-executor-backend ray"]),
        ]
    else:
        lines += ["", *_command(hf_id, vllm_arguments(sizing))]
    return "\n".join(lines) + "\n"


def _nim(sizing: Sizing, hf_id: str) -> str:
    layout = sizing.layout
    nodes = _replica_nodes(sizing)
    image = f"nvcr.io/nim/{hf_id.lower()}:latest"
    lines = [*_title(sizing), *_needs_checkpoint(sizing)]
    for rank in range(nodes):
        role = "leader" if rank == 0 else f"worker {rank}"
        settings = {
            "NGC_API_KEY": '"$NGC_API_KEY"',
            "NIM_TENSOR_PARALLEL_SIZE": str(layout.tp),
            "NIM_PIPELINE_PARALLEL_SIZE": str(layout.pp),
            "NIM_MAX_MODEL_LEN": str(sizing.scenario.workload.tokens_per_request),
        }
        if nodes > 1:
            settings |= {
                "NIM_MULTI_NODE": "1",
                "NIM_NUM_NODES": str(nodes),
                "NIM_NODE_RANK": str(rank),
                "NIM_LEADER_ROLE": "1" if rank == 0 else "0",
                "NIM_MASTER_ADDR": "NODE_1_ADDRESS",
                "NIM_MASTER_PORT": str(MASTER_PORT),
            }
            settings |= nccl_settings(sizing)
        lines += ["", f"# {role}" if nodes > 1 else "# one node"]
        lines += ["docker run --rm --gpus all --network host --ipc host --ulimit memlock=-1 \\"]
        lines += [f"  -e {name}={value} \\" for name, value in settings.items()]
        lines += ["  -v /models:/opt/nim/.cache \\", f"  {image}"]
    return "\n".join(lines) + "\n"


def _lws(sizing: Sizing, hf_id: str) -> str:
    hardware, layout = sizing.scenario.hardware, sizing.layout
    nodes = _replica_nodes(sizing)
    replicas = max(1, hardware.nodes // nodes)
    name = "".join(letter if letter.isalnum() else "-" for letter in sizing.scenario.model.id.lower()).strip("-")
    in_node = [flag for flag in vllm_arguments(sizing) if not (nodes > 1 and flag.startswith("--data-parallel"))]
    start = " ".join([f"vllm serve {hf_id}", *in_node])
    ray = "bash /vllm-workspace/examples/online_serving/multi-node-serving.sh"
    leader = f"{ray} leader --ray_cluster_size=$(LWS_GROUP_SIZE); {start}" if nodes > 1 else start
    worker = f"{ray} worker --ray_address=$(LWS_LEADER_ADDRESS)"
    environment = [
        line
        for key, value in (nccl_settings(sizing) if nodes > 1 else {}).items()
        for line in (f"            - name: {key}", f'              value: "{value}"')
    ]

    def container(command: str, ready: bool) -> list[str]:
        lines = [
            "      spec:",
            "        containers:",
            "        - name: vllm",
            "          image: vllm/vllm-openai:latest",
            f'          command: ["sh", "-c", "{command}"]',
        ]
        if environment:
            lines += ["          env:", *environment]
        lines += [
            "          resources:",
            "            limits:",
            f'              nvidia.com/gpu: "{min(hardware.gpus_per_node, layout.gpus)}"',
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
        *container(worker if nodes > 1 else "sleep infinity", ready=False),
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
    lines = [*_title(sizing), f"# {links}", "# interface names are this host's own: check them", *_nccl_lines(sizing)]
    return "\n".join(lines) + "\n"


def _torchrun(sizing: Sizing, hf_id: str) -> str:
    scenario, layout = sizing.scenario, sizing.layout
    hardware, workload = scenario.hardware, scenario.workload
    replicas = max(1, layout.dp)
    per_step = workload.micro_batch * workload.sequence_length * replicas
    steps = workload.gradient_accumulation or max(1, round(workload.global_batch_tokens / per_step))
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
        f"  --model {hf_id} \\",
        f"  --sequence-length {workload.sequence_length} \\",
        f"  --micro-batch {workload.micro_batch} \\",
        f"  --gradient-accumulation {steps}",
    ]
    return "\n".join(lines) + "\n"
