"""The peak of one rank: resident state plus the worst moment of a step.

A step passes through four moments whose needs do not add up: the loss, the backward of the first layer, the end
of the backward, the optimizer step. The peak is the largest of them.
Activations after Korthikanti et al. 2022 (Reducing Activation Recomputation in Large Transformer Models), with
flash attention and gated feed-forwards; the widths' multiples are fitted (engine.calibration.training_memory).
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.calibration import training_memory as fitted
from engine.scenario import Workload
from engine.sizing import TrainingPhase
from engine.training_memory.elements import StageElements
from engine.training_memory.recipe import Recipe


@dataclass(frozen=True, slots=True)
class RankPeak:
    """The worst moment of one stage's rank, and what it costs beyond PyTorch's own count, bytes."""

    stage: StageElements
    phases: tuple[TrainingPhase, ...]
    worst: TrainingPhase
    allocated_bytes: int
    reserved_bytes: int
    runtime_bytes: int
    host_bytes: int

    @property
    def needs_bytes(self) -> int:
        """What must be there for the step to run: the peak, the context, and the cache that cannot be returned."""
        return self.allocated_bytes + self.runtime_bytes

    @property
    def shown_bytes(self) -> int:
        """What nvidia-smi shows: the allocator's cache and the context included."""
        return self.reserved_bytes + self.context_bytes

    @property
    def context_bytes(self) -> int:
        """CUDA context, libraries and NCCL."""
        return self.runtime_bytes - self.stuck_bytes

    @property
    def stuck_bytes(self) -> int:
        """Cache that the allocator cannot give back."""
        return round((self.reserved_bytes - self.allocated_bytes) * fitted.STUCK_SHARE)


def rank_peak(
    stage: StageElements,
    recipe: Recipe,
    workload: Workload,
    *,
    hidden: int,
    vocab: int,
    adapter_elements: int,
    tp: int,
    in_flight: int,
    micro_batch: int,
    sequence: int,
    ranks: int,
) -> RankPeak:
    """The peak of one rank of one stage for a micro-batch and a sequence length."""
    tokens = micro_batch * sequence / workload.context_parallel
    host = 0.0
    # resident state
    ends_and_other = stage.ends + stage.other + stage.towers
    if recipe.peft:
        base = stage.linear * recipe.frozen_linear + ends_and_other * recipe.frozen_other
        trainable = float(adapter_elements)
        if workload.trainable_embeddings:
            trainable += stage.ends
        weights = base / recipe.weight_shard + trainable * recipe.adapter / recipe.weight_shard
    else:
        trainable = float(stage.all)
        weights = stage.all * recipe.weight / recipe.weight_shard
    gradients = trainable * recipe.gradient / recipe.gradient_shard
    states = trainable * recipe.state / recipe.state_shard
    host += trainable * recipe.host_state / recipe.state_shard
    temporary = trainable * recipe.step_temporary / recipe.state_shard
    if workload.offload != "none":
        host += states
        states = temporary = 0.0
    if workload.offload == "parameters":
        host += weights + gradients
        weights = gradients = 0.0
    if workload.optimizer_in_backward:
        gradients = 0.0

    # working copies
    linear_gathered = stage.biggest.linear * (recipe.frozen_linear if recipe.quantized else 2.0)
    layer_copy = (linear_gathered + stage.biggest.other * 2.0) if recipe.gathers else 0.0
    ends_copy = stage.ends * 2.0 if recipe.gathers else 0.0
    layer_gradient = 0.0 if recipe.peft else stage.biggest.all * 2.0
    if not recipe.gathers and not workload.optimizer_in_backward:
        layer_gradient = 0.0
    dequantized = stage.biggest.largest_matrix * 2.0 if recipe.quantized else 0.0

    # activations
    hidden_row = hidden / tp
    layer = stage.biggest
    saved_layer = 2.0 * (
        fitted.SAVED_HIDDEN * hidden_row
        + fitted.SAVED_QKV * layer.qkv_width
        + fitted.SAVED_ATTENTION * layer.attention_width
        + fitted.SAVED_MLP * layer.up_width
    )
    if not workload.flash_attention:
        saved_layer += 5.0 * layer.score_heads * sequence
    working = 2.0 * (fitted.BACKWARD_HIDDEN * hidden_row + fitted.BACKWARD_MLP * layer.up_width)
    checkpoint = recipe.residual * hidden_row
    if workload.recompute == "full":
        kept = checkpoint * stage.layers
        backward = saved_layer + working
    elif workload.recompute == "selective":
        kept = (saved_layer - fitted.SAVED_MLP * layer.up_width) * stage.layers
        backward = fitted.SAVED_MLP * layer.up_width + working
    else:
        kept = saved_layer * stage.layers
        backward = working
    kept_bytes = kept * tokens * in_flight
    if workload.activation_offload:
        host += kept_bytes
        kept_bytes = 2.0 * checkpoint * tokens
    backward_bytes = backward * tokens
    logits = 0.0
    if stage.last:
        logits = tokens * (
            vocab / tp * fitted.LOGIT_BYTES[workload.loss] + 2.0 * fitted.LOSS_HIDDEN_STATES * hidden_row
        )
    early_gradients = gradients if recipe.keeps_gradients else 0.0

    phases = []
    if stage.last:
        phases.append(("loss", early_gradients, states, kept_bytes + logits + ends_copy))
    phases.append(
        (
            "backward, first layer",
            early_gradients,
            states,
            kept_bytes + backward_bytes + ends_copy + layer_copy + layer_gradient + dequantized,
        )
    )
    phases.append(
        (
            "backward, last layer",
            gradients,
            states,
            backward_bytes + ends_copy + layer_copy + layer_gradient + dequantized,
        )
    )
    phases.append(("optimizer step", gradients, states, temporary))
    moments = tuple(
        TrainingPhase(name, round(weights), round(gradient), round(state), round(activation))
        for name, gradient, state, activation in phases
    )
    worst = max(moments, key=lambda phase: phase.allocated_bytes)
    allocated = worst.allocated_bytes
    share = fitted.RESERVED_SHARE_SHARDED if recipe.gathers else fitted.RESERVED_SHARE
    reserved = round(allocated * (1.0 + share))
    runtime = fitted.CONTEXT_BYTES + (fitted.NCCL_BYTES if ranks > 1 else 0)
    runtime += round((reserved - allocated) * fitted.STUCK_SHARE)
    return RankPeak(stage, moments, worst, allocated, reserved, runtime, round(host))
