"""States of training by rule and by plan: parameters x bytes of each, before any sharding or activation."""

from __future__ import annotations

from engine.figures.records import dataclass
from engine.model.architecture import Architecture
from engine.model.parameters import count_parameters
from engine.scenario import Layout, Scenario, Workload
from engine.training.memory.core import Card, plan_recipe
from engine.training.memory.elements import adapter_widths, stage_elements
from engine.training.memory.recipe import BASE_BITS, HALF_BYTES
from engine.training.own import left_of, model_name, own_factors

RULES = (
    (16.0, "bf16 weights and gradients, fp32 master copy and AdamW states (ZeRO paper, section 3.1)"),
    (18.0, "the same with fp32 gradients (Megatron-LM)"),
    (20.0, "the same with 16-bit gradients and their fp32 sum (DeepSpeed)"),
)
"""(bytes a parameter, what they consist of) with an fp32 master copy."""
WITHOUT = ((8.0, "bf16 weights, gradients and states, no master copy"), (6.0, "bf16 with an 8-bit optimizer"))
"""The same without one."""


@dataclass(frozen=True, slots=True)
class States:
    """What claims about the memory of a training run rest on.

    parameters: of the whole model. weight, gradient, state: bytes of one trained parameter. trained: parameters that have a
    gradient; under PEFT those of the adapters. projections and others: elements of a frozen base, base_bits of one in a
    projection. card_bytes: of one card, usable_bytes of it.
    """

    parameters: int
    weight: float
    gradient: float
    state: float
    trained: int
    projections: int
    others: int
    base_bits: float
    gpus: int
    card_bytes: int
    usable_bytes: int

    @property
    def bytes_per_parameter(self) -> float:
        """Weight, gradient and optimizer states of one trained parameter."""
        return self.weight + self.gradient + self.state

    @property
    def plan_bytes(self) -> float:
        """States of what this plan trains."""
        return self.trained * self.bytes_per_parameter

    @property
    def base_bytes(self) -> float:
        """The frozen base of adapters."""
        return self.projections * self.base_bits / 8.0 + self.others * HALF_BYTES

    @property
    def room_bytes(self) -> int:
        """Memory of all cards."""
        return self.card_bytes * self.gpus

    def at(self, each: float) -> float:
        """States of all parameters at so many bytes each."""
        return self.parameters * each

    def on_a_gpu(self, each: float) -> float:
        """Of these, what an even split leaves on one GPU."""
        return self.at(each) / self.gpus

    def held(self, each: float) -> float:
        """Parameters whose states one card holds at so many bytes each, before activations."""
        return self.usable_bytes / each


def frozen_base(architecture: Architecture, workload: Workload) -> tuple[int, int, float]:
    """Elements of a PEFT run's frozen base in projections, the other elements, and bits of one in a projection."""
    stage = stage_elements(architecture, 1, 1, 1)[0]
    if workload.trains == "qlora":
        return stage.linear, stage.all - stage.linear, BASE_BITS[workload.base_format]
    return count_parameters(architecture).total, 0, 8.0 * HALF_BYTES


def states_of(architecture: Architecture, workload: Workload, layout: Layout, card: Card) -> States:
    """The states of a training run in a layout."""
    parameters = count_parameters(architecture).total
    recipe = plan_recipe(workload, layout, card)
    trained, base = parameters, (0, 0, 0.0)
    if workload.trains != "full":
        trained = adapter_widths(architecture, workload.lora_targets, 1, 1, 1)[0] * workload.lora_rank
        base = frozen_base(architecture, workload)
    return States(
        parameters=parameters,
        weight=recipe.weight,
        gradient=recipe.gradient,
        state=recipe.state,
        trained=trained,
        projections=base[0],
        others=base[1],
        base_bits=base[2],
        gpus=layout.gpus,
        card_bytes=card.total_bytes,
        usable_bytes=card.usable_bytes,
    )


def card_of(scenario: Scenario) -> Card:
    """The memory of one GPU of a scenario."""
    accelerator, per_node = scenario.hardware.accelerator, scenario.hardware.gpus_per_node
    if not accelerator.own:
        return Card(accelerator.memory_bytes, per_node)
    measured = ("train_peak", accelerator.own, scenario.workload.framework, model_name(scenario))
    return Card(accelerator.memory_bytes, per_node, own_factors(*measured), left_of(*measured))


def planned_states(scenario: Scenario, layout: Layout) -> States:
    """The states of a training scenario in one layout."""
    return states_of(scenario.model.architecture, scenario.workload, layout, card_of(scenario))
