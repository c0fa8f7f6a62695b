"""What targets that train share: batch, sharding, precision, adapters, as Hugging Face's trainers name them."""

from __future__ import annotations

from engine.runtimes.frameworks import Optimizer
from engine.scenario import TUNED_KINDS, Kind, LoraTargets
from engine.scenario.frameworks import framework_of, loss_of
from engine.training.batch import Batch, batch_of
from engine.training.memory.elements import WITH_EXPERTS
from engine.training.rollout import engine_ranks
from tui.shell.exports.build import Build
from tui.shell.exports.text import CannotExport

_OPTIMIZERS: dict[Optimizer, str] = {
    "adamw": "adamw_torch",
    "adamw-8bit": "adamw_8bit",
    "adamw-paged-8bit": "paged_adamw_8bit",
    "adamw-paged": "paged_adamw_32bit",
    "adamw-4bit": "adamw_torch_4bit",
    "adafactor": "adafactor",
    "sgd": "sgd",
}
_ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
_MLP = ["gate_proj", "up_proj", "down_proj"]
_TARGETS: dict[LoraTargets, list[str]] = {
    "attention": _ATTENTION,
    "attention-qv": ["q_proj", "v_proj"],
    "mlp": _MLP,
    "attention-qkv-mlp": [*_ATTENTION[:3], *_MLP],
    "attention-qvo-mlp": ["q_proj", "v_proj", "o_proj", *_MLP],
}
DATASET = "YOUR_DATASET"


def batch(build: Build) -> Batch:
    """One step's batch, as the engine cuts it."""
    return batch_of(build.work, build.sizing.layout.dp)


def steps(build: Build) -> int:
    """Optimizer steps of the run: its tokens in whole steps."""
    return max(1, -(-build.work.run_tokens // batch(build).tokens))


def optimizer(build: Build) -> tuple[str, tuple[str, ...]]:
    """The optimizer's name among Hugging Face's, and what is not said by it."""
    name = _OPTIMIZERS.get(build.work.optimizer)
    if name is None:
        return "adamw_torch", (
            f"not expressible: the optimizer {build.work.optimizer}; AdamW with 32-bit states in its place",
        )
    return name + ("_fused" if name == "adamw_torch" and build.work.optimizer_fused else ""), ()


def engine_tp(build: Build) -> int:
    """Tensor parallelism of the engine that answers, as sized; a node's cards at most, which the trainers' engines stay in."""
    scenario = build.scenario
    ranks = engine_ranks(scenario.model.architecture, scenario.hardware, build.work, build.sizing.layout.gpus)
    return min(ranks, build.in_node)


def adapters(build: Build) -> bool:
    """Whether adapters are trained and the model is frozen."""
    return build.work.trains != "full"


def lora_modules(build: Build) -> list[str] | None:
    """The matrices that get adapters, by name; None: all linear ones."""
    return _TARGETS.get(build.work.lora_targets)


def unsaid(build: Build, carries: tuple[Kind, ...] = ()) -> tuple[str, ...]:
    """What is sized and no trainer here takes from a file of this kind. carries: kinds of training by preferences and rewards
    that the file does start."""
    work, found = build.work, []
    if work.compute_dtype != "bf16":
        found.append(f"not expressible: matrix products in {work.compute_dtype}; here BF16")
    if loss_of(work) not in ("eager", "eager-16bit", framework_of(work).loss):
        found.append(f"sized with a {loss_of(work)} loss: turn on your trainer's own (Liger, cut cross-entropy)")
    if work.kind in TUNED_KINDS and work.kind not in carries:
        found.append(
            f"sized as {work.kind}: this file starts the trainer's supervised run, its reward and engine are yours to add"
        )
    if work.offload == "parameters" and work.sharding != "zero3":
        found.append("parameters are only offloaded under zero3")
    if work.activation_offload:
        found.append("sized with activation checkpoints in host memory: turn that on in your trainer")
    if adapters(build) and work.lora_targets == WITH_EXPERTS:
        found.append("sized with adapters on the experts too: name them as PEFT's target_parameters")
    if work.optimizer_in_backward:
        found.append("sized with an optimizer step inside the backward pass, which this file cannot say")
    return tuple(found)


def no_pipeline(build: Build, target: str, tensor: bool = True) -> None:
    """Raises CannotExport for a layout that the target has no word for. tensor: whether it knows TP."""
    layout = build.sizing.layout
    if layout.pp > 1:
        raise CannotExport(
            f"{target} has no pipeline stages, and this is sized with PP {layout.pp}: use torchtitan or torchrun"
        )
    if layout.tp > 1 and not tensor:
        raise CannotExport(
            f"{target} has no tensor parallelism, and this is sized with TP {layout.tp}: use torchtitan or torchrun"
        )
    if layout.ep > 1:
        raise CannotExport(
            f"{target} spreads no experts, and this is sized with EP {layout.ep}: use torchtitan or torchrun"
        )


def shards(build: Build) -> tuple[int, int]:
    """Of the data-parallel ranks that hold different sequences: copies of the model, and shards of each copy."""
    replicas = batch(build).replicas
    if build.work.sharding == "ddp":
        return replicas, 1
    if build.work.sharding_group == "node" and build.scenario.hardware.nodes > 1:
        layout = build.sizing.layout
        inside = max(1, build.in_node // (layout.tp * layout.pp * batch(build).context))
        if replicas % inside == 0:
            return replicas // inside, inside
    return 1, replicas
