"""A sized build as something to run: one module a target. Text only; starts nothing.

People paste it into a shell, and sessions and catalogs come by mail: every name goes in as one quoted word, a manifest
has lists of quoted words, and a comment never ends before its line does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, get_args

from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.figures.records import dataclass
from engine.runtimes import ENGINES
from engine.runtimes.engine import ServingEngine
from engine.runtimes.frameworks import FRAMEWORKS, TrainingFramework
from engine.scenario import Scenario
from engine.scenario.frameworks import framework_of, framework_words
from engine.sizing import Sizing
from tui.shell.exports import (
    accelerate,
    axolotl,
    compose,
    deepspeed,
    engines,
    k8s,
    llama_server,
    llamafactory,
    lws,
    megatron,
    mlx,
    names,
    nccl,
    nemo,
    nim,
    openrlhf,
    ray,
    sglang,
    slurm,
    torchrun,
    torchtitan,
    torchtune,
    trl,
    trtllm,
    unsloth,
    verl,
    vllm,
)
from tui.shell.exports.build import Build
from tui.shell.exports.cards import Maker, maker
from tui.shell.exports.text import CannotExport

__all__ = ["TARGETS", "CannotExport", "Kind", "Target", "export", "fitting", "kind_of", "listed"]

Target = Literal[
    "vllm",
    "sglang",
    "llama-server",
    "mlx",
    "trtllm-serve",
    "nim",
    "compose",
    "k8s",
    "lws",
    "slurm",
    "ray",
    "nccl",
    "accelerate",
    "deepspeed",
    "torchtitan",
    "axolotl",
    "llamafactory",
    "trl",
    "unsloth",
    "torchtune",
    "megatron",
    "nemo",
    "verl",
    "openrlhf",
    "torchrun",
]
TARGETS: tuple[Target, ...] = get_args(Target)
Does = Literal["serves", "trains", "both"]
_GPUS: tuple[Maker, ...] = ("nvidia", "amd")


@dataclass(frozen=True, slots=True)
class Kind:
    """A target. ending: of a file that holds it. engines: those whose sizing it takes; of any other the build is sized
    anew for the first. makers: whose cards it runs on. frameworks: of a trainer, those that keep their state as it does, the
    one to size it by first; none where it takes any.
    """

    what: str
    does: Does
    ending: str
    write: Callable[[Build], str]
    checked: str
    makers: tuple[Maker, ...]
    engines: tuple[ServingEngine, ...] = ()
    frameworks: tuple[TrainingFramework, ...] = ()


_ANY: tuple[ServingEngine, ...] = get_args(ServingEngine)
_VLLM: tuple[ServingEngine, ...] = ("vllm", "vllm-earlier")
_INTEL: tuple[Maker, ...] = ("gaudi", "arc")
_KINDS: dict[Target, Kind] = {
    "vllm": Kind("a command", "serves", "sh", vllm.write, vllm.CHECKED, (*_GPUS, *_INTEL), _VLLM),
    "sglang": Kind("a command", "serves", "sh", sglang.write, sglang.CHECKED, _GPUS, ("sglang",)),
    "llama-server": Kind(
        "a command", "serves", "sh", llama_server.write, llama_server.CHECKED, (*_GPUS, "arc", "apple"), ("llama.cpp",)
    ),
    "mlx": Kind("a command", "serves", "sh", mlx.write, mlx.CHECKED, ("apple",), ("mlx",)),
    "trtllm-serve": Kind("a command", "serves", "sh", trtllm.write, trtllm.CHECKED, ("nvidia",), ("trtllm",)),
    "nim": Kind("docker run", "serves", "sh", nim.write, nim.CHECKED, ("nvidia",), _VLLM),
    "compose": Kind("one node's service", "serves", "yaml", compose.write, compose.CHECKED, (*_GPUS, *_INTEL), _ANY),
    "k8s": Kind("a Deployment, servers of one node", "serves", "yaml", k8s.write, k8s.CHECKED, (*_GPUS, *_INTEL), _ANY),
    "lws": Kind("a LeaderWorkerSet", "serves", "yaml", lws.write, lws.CHECKED, (*_GPUS, *_INTEL), _ANY),
    "slurm": Kind("a batch script", "both", "sh", slurm.write, slurm.CHECKED, _GPUS, _ANY),
    "ray": Kind("Ray Serve's file", "serves", "yaml", ray.write, ray.CHECKED, _GPUS, _VLLM),
    "nccl": Kind("the links' environment", "both", "sh", nccl.write, nccl.CHECKED, _GPUS, _ANY),
    "accelerate": Kind(
        "its config file", "trains", "yaml", accelerate.write, accelerate.CHECKED, _GPUS, (), ("hf-trainer", "fsdp2")
    ),
    "deepspeed": Kind(
        "its config file", "trains", "json", deepspeed.write, deepspeed.CHECKED, _GPUS, (), ("deepspeed",)
    ),
    "torchtitan": Kind(
        "its job file", "trains", "toml", torchtitan.write, torchtitan.CHECKED, _GPUS, (), ("torchtitan",)
    ),
    "axolotl": Kind("its config file", "trains", "yaml", axolotl.write, axolotl.CHECKED, _GPUS, (), ("axolotl",)),
    "llamafactory": Kind(
        "its config file", "trains", "yaml", llamafactory.write, llamafactory.CHECKED, _GPUS, (), ("llama-factory",)
    ),
    "trl": Kind("its config file", "trains", "yaml", trl.write, trl.CHECKED, _GPUS, (), ("hf-trainer", "fsdp2")),
    "unsloth": Kind("its config file", "trains", "yaml", unsloth.write, unsloth.CHECKED, _GPUS, (), ("unsloth",)),
    "torchtune": Kind("a command", "trains", "sh", torchtune.write, torchtune.CHECKED, _GPUS, (), ("torchtune",)),
    "megatron": Kind("a command", "trains", "sh", megatron.write, megatron.CHECKED, _GPUS, (), ("megatron",)),
    "nemo": Kind("a command", "trains", "sh", nemo.write, nemo.CHECKED, _GPUS, (), ("nemo",)),
    "verl": Kind("a command", "trains", "sh", verl.write, verl.CHECKED, _GPUS, (), ("fsdp1", "fsdp2")),
    "openrlhf": Kind("a command", "trains", "sh", openrlhf.write, openrlhf.CHECKED, _GPUS, (), ("deepspeed",)),
    "torchrun": Kind("a command", "trains", "sh", torchrun.write, torchrun.CHECKED, _GPUS),
}


def kind_of(target: Target) -> Kind:
    """What a target is."""
    return _KINDS[target]


def listed(targets: tuple[Target, ...] = TARGETS) -> str:
    """Targets, one a line: name, what it is, what it was checked against."""
    width = max(map(len, TARGETS))
    lines = ((target, _KINDS[target]) for target in targets)
    return "".join(f"{target:<{width}}  {kind.does:<6}  {kind.what}; {kind.checked}\n" for target, kind in lines)


def fitting(sizing: Sizing) -> tuple[Target, ...]:
    """The targets that can run this build."""
    return tuple(target for target in TARGETS if _fits(sizing, target))


def _fits(sizing: Sizing, target: Target) -> bool:
    try:
        export(sizing, target)
    except CannotExport:
        return False
    return True


def export(sizing: Sizing, target: Target, repository: str | None = None) -> str:
    """The text for one target. repository: the model's name on Hugging Face; None takes what the session names.

    Raises CannotExport for a build that this target cannot run: training on a serving one and the other way round, cards
    of another maker, a format that it does not read; and for a name that no repository has.
    """
    kind, scenario = _KINDS[target], sizing.scenario
    _check(scenario, target, kind)
    name = names.repository(scenario) if repository is None else repository
    notes: tuple[str, ...] = ()
    if kind.engines and scenario.workload.is_inference and scenario.runtime.engine not in kind.engines:
        engine = kind.engines[0]
        notes = (f"sized anew for {target}; the session's own figures are of {scenario.runtime.engine}",)
        try:
            sizing = size(replace(scenario, runtime=replace(scenario.runtime, engine=engine)))
        except ScenarioError as problem:
            raise CannotExport(f"{target} cannot run it as entered: {problem}") from None
    notes = (*notes, *_of_another_framework(scenario, target, kind))
    if scenario.hardware.mixed:
        notes = (*notes, "a node holds two kinds of card; every rank is sized as the poorer one")
    build = Build(sizing, names.checkpoint(sizing.scenario, name), notes)
    if target in ("compose", "k8s", "lws") and not engines.runs_in_a_container(build):
        raise CannotExport(
            f"{target}: no image of {scenario.runtime.engine} is known for {scenario.hardware.accelerator.label}; "
            "set runtime.engine to another"
        )
    return kind.write(build)


def _of_another_framework(scenario: Scenario, target: Target, kind: Kind) -> tuple[str, ...]:
    """That the figures are of a framework which keeps its state otherwise than the trainer that reads the file."""
    work = scenario.workload
    if work.is_inference or not kind.frameworks:
        return ()
    if framework_of(work).family in {FRAMEWORKS[one].family for one in kind.frameworks}:
        return ()
    words = f"sized under {framework_words(work)}, which keeps the state of a step otherwise than {target}"
    return (f"{words}: with workload.framework = {kind.frameworks[0]} it is sized as this runs",)


def _check(scenario: Scenario, target: Target, kind: Kind) -> None:
    serving, card = scenario.workload.is_inference, scenario.hardware.accelerator
    does: Does = "serves" if serving else "trains"
    others = ", ".join(other for other in TARGETS if _KINDS[other].does in (does, "both") and _runs(other, scenario))
    instead = f"use {others}" if others else "no target here runs on these cards"
    if kind.does not in (does, "both"):
        this = "serves; this session trains" if kind.does == "serves" else "starts training; this session serves"
        raise CannotExport(f"{target} {this}: {instead}")
    if maker(card) not in kind.makers:
        raise CannotExport(f"{target} does not run on {card.label}: {instead}")
    if not _reads(target, scenario):
        raise CannotExport(f"{target} does not read weights in {scenario.model.weights}: {instead}")


def _runs(target: Target, scenario: Scenario) -> bool:
    return maker(scenario.hardware.accelerator) in _KINDS[target].makers and _reads(target, scenario)


def _reads(target: Target, scenario: Scenario) -> bool:
    """Whether the target's engine reads the format: GGUF is llama.cpp's, and the only one that it reads."""
    kind = _KINDS[target]
    if kind.does == "trains" or not scenario.workload.is_inference or target == "nccl":
        return True
    gguf = scenario.model.weights.startswith("gguf")
    engine = scenario.runtime.engine if scenario.runtime.engine in kind.engines else kind.engines[0]
    if engine == "llama.cpp":
        return gguf or scenario.model.weights in (*names.WIDE, *ENGINES["llama.cpp"].stored)
    if engine == "mlx":  # beside its own, what it loads as it is published
        return scenario.model.weights.startswith("mlx") or scenario.model.weights in (*names.WIDE, "mxfp4")
    return not gguf
