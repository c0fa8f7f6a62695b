"""`torchrun` around a trainer of one's own, whose options carry all that was sized. Source: torchrun's documentation."""

from __future__ import annotations

from engine.scenario import TUNED_KINDS
from engine.scenario.frameworks import loss_of
from tui.shell.exports import fabric, training
from tui.shell.exports.build import FIRST_NODE, MASTER_PORT, Build
from tui.shell.exports.text import Word, command

CHECKED = "PyTorch 2.9, torchrun's documentation"


def notes(build: Build) -> tuple[str, ...]:
    """What a reader must know."""
    return ("train.py stands for your trainer; its options name what was sized",)


def launch(build: Build, first: str = FIRST_NODE) -> str:
    """The command. first: address of the first node."""
    hardware, work, layout = build.scenario.hardware, build.work, build.sizing.layout
    flags: list[tuple[Word, ...]] = [("--nnodes", hardware.nodes), ("--nproc-per-node", hardware.gpus_per_node)]
    if hardware.nodes > 1:
        flags += [("--rdzv-backend", "c10d"), ("--rdzv-endpoint", f"{first}:{MASTER_PORT}")]
    flags += [
        ("train.py",),
        ("--model", build.checkpoint.name),
        ("--method", work.kind),
        ("--sequence-length", work.sequence_length),
        ("--micro-batch", work.micro_batch),
        ("--gradient-accumulation", training.batch(build).micro_batches),
        ("--steps", training.steps(build)),
        ("--sharding", work.sharding),
        ("--sharding-group", work.sharding_group),
        ("--tensor-parallel", layout.tp),
        ("--pipeline-parallel", layout.pp),
        ("--data-parallel", layout.dp),
        ("--expert-parallel", layout.ep),
        ("--context-parallel", training.batch(build).context),
        ("--optimizer", work.optimizer),
        ("--recompute", work.recompute),
        ("--loss", loss_of(work)),
        ("--compute-dtype", work.compute_dtype),
        ("--offload", work.offload),
    ]
    if training.adapters(build):
        flags += [("--lora-rank", work.lora_rank), ("--lora-targets", work.lora_targets)]
    if work.kind in TUNED_KINDS:
        flags.append(("--learns", work.trains))
    if work.kind == "dpo":
        flags.append(("--preference-loss", work.preference))
    if work.rolls_out:
        flags += [("--response-tokens", work.rolled_tokens), ("--rollout", work.rollout)]
        if work.rollout == "colocated":
            flags.append(("--rollout-share", work.rollout_share))
    if work.kind == "grpo":
        flags.append(("--group-size", work.group_size))
    if work.trains == "qlora":
        flags.append(("--base-format", work.base_format))
    return command(["torchrun"], flags)


def write(build: Build) -> str:
    """The environment and the command."""
    more = (fabric.NAMES_ARE_YOURS,) if build.scenario.hardware.nodes > 1 else ()
    head = build.head(CHECKED, *notes(build), *more)
    return "\n".join([*head, "", *fabric.exports(build.sizing), "", launch(build)]) + "\n"
