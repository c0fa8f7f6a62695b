"""A batch script for Slurm: the server or the trainer, a task on each node. Source: sbatch(1), srun(1)."""

from __future__ import annotations

from tui.shell.exports import engines, fabric, llama_server, sglang, torchrun, trtllm, vllm
from tui.shell.exports.build import MASTER_PORT, Build
from tui.shell.exports.text import CannotExport, Word, command, label

CHECKED = "Slurm 25.05"
_FIRST = '"$FIRST_NODE"'
_RANK = '"$SLURM_NODEID"'
_START = '"$START_RANK"'
_HEADLESS = "$HEADLESS"


def _script(items: str) -> str:
    """A task's command inside `bash -c`, whose variables are that task's own."""
    return "srun bash <<'EACH_NODE'\n" + items + "\nEACH_NODE"


def write(build: Build) -> str:
    """A batch script.

    Raises CannotExport for an engine that it starts on one node only.
    """
    hardware, servers = build.scenario.hardware, build.servers
    training = not build.work.is_inference
    nodes = hardware.nodes if training else servers.nodes
    cards = build.in_node if training else build.cards
    name = label(build.scenario.model.id or build.scenario.model.name)
    options = [
        f"--job-name={name}",
        f"--nodes={nodes}",
        "--ntasks-per-node=1",
        f"--gpus-per-node={cards}",
        "--exclusive",
        f"--output={name}-%j.log",
    ]
    notes: list[str] = []
    if training:
        checked, body = torchrun.CHECKED, _training(build)
        notes += torchrun.notes(build)
    else:
        begun = engines.NAMES[build.runtime.engine]
        if nodes > 1 and begun == "llama.cpp":
            raise CannotExport("llama-server is one process on one node, and this server takes several: use vllm")
        checked, body, more = _serving(build, begun, nodes)
        notes += [*more, *build.behind_a_balancer()]
    if nodes > 1:
        notes.append(fabric.NAMES_ARE_YOURS)
    lines = [
        "#!/bin/bash",
        *(f"#SBATCH {option}" for option in options),
        *build.head(f"{CHECKED}; {checked}", *notes),
        "set -e",
    ]
    if nodes > 1:
        lines += [
            'FIRST_NODE=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)',
            "export FIRST_NODE",
            *fabric.exports(build.sizing),
        ]
    return "\n".join([*lines, body]) + "\n"


def _training(build: Build) -> str:
    several = build.scenario.hardware.nodes > 1
    text = torchrun.launch(build, first="FIRST_NODE_ADDRESS" if several else "")
    return _script(text.replace("FIRST_NODE_ADDRESS", '"$FIRST_NODE"'))


def _serving(build: Build, engine: str, nodes: int) -> tuple[str, str, list[str]]:
    if engine == "vllm":
        return vllm.CHECKED, _script(_vllm(build, nodes)), vllm.notes(build)
    if engine == "sglang":
        marked = sglang.arguments(build, "FIRST_NODE_ADDRESS", _RANK)
        text = command(sglang.start(build), marked, literal=frozenset({_RANK}))
        return sglang.CHECKED, _script(text.replace("FIRST_NODE_ADDRESS", _FIRST)), sglang.notes(build)
    if engine == "trtllm":
        whole = trtllm.write(build).splitlines()
        body = [line for line in whole if not line.startswith(("#", "export "))]
        return trtllm.CHECKED, "\n".join(body), trtllm.notes(build)
    text = command(llama_server.start(build), llama_server.arguments(build))
    return llama_server.CHECKED, _script(text), llama_server.notes(build)


def _vllm(build: Build, nodes: int) -> str:
    """vLLM joins nodes by its own processes here: ranks of one group, or data-parallel ranks that report to the first."""
    flags = [flag for flag in vllm.arguments(build, "mp") if flag[0] != "--data-parallel-backend"]
    if nodes == 1:
        return command(vllm.start(build), flags)
    more: list[tuple[Word, ...]] = [
        ("--nnodes", nodes),
        ("--node-rank", _RANK),
        ("--master-addr", _FIRST),
        ("--master-port", MASTER_PORT),
    ]
    if build.servers.dp > 1:
        more = [
            ("--data-parallel-address", _FIRST),
            ("--data-parallel-rpc-port", MASTER_PORT),
            ("--data-parallel-start-rank", _START),
        ]
    text = command(
        vllm.start(build), [*flags, *more, (_HEADLESS,)], literal=frozenset({_RANK, _FIRST, _START, _HEADLESS})
    )
    local = -(-build.servers.dp // nodes)
    return "\n".join(
        [
            f"START_RANK=$((SLURM_NODEID * {local}))",
            'HEADLESS=""',
            f"[ {_RANK} = 0 ] || HEADLESS=--headless",
            text,
        ]
    )
