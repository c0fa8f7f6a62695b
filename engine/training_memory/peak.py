"""The peak of one rank: resident state plus the worst moment of a step.

A step passes through four moments whose needs do not add up: the loss, the backward of the first layer (all
activations still kept), the end of the backward (all gradients there), the optimizer step. The peak is the largest.

Activations follow Korthikanti et al. 2022 (Reducing Activation Recomputation in Large Transformer Models) with
flash attention and gated feed-forwards: a layer keeps multiples of a few widths, and the multiples are fitted
(engine.calibration.training_memory).
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.calibration import training_memory as fitted
from engine.scenario import Workload
from engine.sizing import TrainingPhase
from engine.training_memory.elements import StageElements
from engine.training_memory.recipe import Recipe
from engine.units import GB


@dataclass(frozen=True, slots=True)
class RankPeak:
    """The worst moment of one rank of a stage, and what it costs beyond PyTorch's own count, bytes.

    needs_bytes: what must be there for a step to run: the peak, the context and the cache that cannot be returned.
    shown_bytes: what nvidia-smi shows, the allocator's whole cache included, at most the card.
    """

    stage: StageElements
    phases: tuple[TrainingPhase, ...]
    worst: TrainingPhase
    trainable: int
    allocated_bytes: int
    reserved_bytes: int
    needs_bytes: int
    shown_bytes: int
    host_bytes: int


def logit_bytes(workload: Workload) -> float:
    """Bytes a logit at the loss under the workload's implementation."""
    match workload.loss:
        case "eager":
            return fitted.LOGIT_EAGER
        case "eager-16bit":
            return fitted.LOGIT_EAGER_16BIT
        case "compiled":
            return fitted.LOGIT_COMPILED_WHOLE if workload.compile else fitted.LOGIT_COMPILED
        case "chunked":
            return fitted.LOGIT_CHUNKED
        case "fused":
            return fitted.LOGIT_FUSED


def rank_peak(
    stage: StageElements,
    recipe: Recipe,
    workload: Workload,
    *,
    hidden: int,
    vocab: int,
    adapter_elements: int,
    adapter_inputs: int,
    tp: int,
    pp: int,
    in_flight: int,
    micro_batch: int,
    sequence: int,
    ranks: int,
    card_bytes: int,
) -> RankPeak:
    """The peak of one rank of one stage for a micro-batch and a sequence length."""
    layer = stage.biggest
    tokens = micro_batch * sequence / workload.context_parallel
    hidden_row = hidden / tp  # sequence parallelism shards what tensor parallelism does not
    shard = recipe.weight_shard
    host = 0.0

    # what stays for the whole step
    loose = stage.ends + stage.other + stage.towers
    if recipe.peft:
        saved_modules = stage.ends if workload.trainable_embeddings else 0
        trainable = adapter_elements + saved_modules
        weights = (stage.linear * recipe.frozen_linear + loose * 2.0) / shard
        weights += (adapter_elements * recipe.weight + saved_modules * 2.0) / shard
        gradients = (adapter_elements * recipe.gradient + saved_modules * 2.0) / recipe.gradient_shard
        states = (adapter_elements * recipe.state + saved_modules * recipe.state_16bit) / recipe.state_shard
        temporary = (adapter_elements * recipe.step_temporary) / recipe.state_shard
        temporary += saved_modules * min(2.0, recipe.step_temporary) / recipe.state_shard
    else:
        trainable = stage.all
        weights = trainable * recipe.weight / shard
        gradients = trainable * recipe.gradient / recipe.gradient_shard
        states = trainable * recipe.state / recipe.state_shard
        if recipe.state_matrix_only:
            states -= (stage.linear * recipe.state_matrix_only) / recipe.state_shard
        temporary = trainable * recipe.step_temporary / recipe.state_shard
    host += trainable * recipe.host_state / recipe.state_shard
    if workload.offload != "none":
        host += states
        states = temporary = 0.0
    if workload.offload == "parameters":
        host += weights + gradients
        weights = gradients = 0.0
    if workload.optimizer_in_backward:
        gradients = 0.0

    # copies made while it runs
    buffers = recipe.bucket_bytes
    if recipe.bucket_gradients:
        buffers += trainable * recipe.gradient
    layer_copy = layer_gradient = 0.0
    if recipe.gathers:
        gathered_linear = layer.linear * (recipe.frozen_linear if recipe.quantized else 2.0)
        layer_copy = gathered_linear + layer.other * 2.0
        buffers += stage.ends * 2.0
        if not recipe.peft:
            layer_gradient = layer.all * 2.0
        if pp > 1:  # a pipeline keeps its layers gathered and its gradients whole until the last micro-batch
            buffers += (stage.linear * (recipe.frozen_linear if recipe.quantized else 2.0)) + stage.other * 2.0
            layer_copy = layer_gradient = 0.0
            if not recipe.peft:
                gradients = trainable * recipe.gradient
    unpacked = 0.0
    if recipe.quantized:
        unpacked = layer.largest_matrix * (fitted.GPTQ_UNPACK if recipe.unpacks else 2.0)

    # activations, bytes a token
    unfused = fitted.UNFUSED_HIDDEN if workload.software != "tuned" else 0.0
    saved = 2.0 * (
        fitted.SAVED_HIDDEN * hidden_row
        + fitted.SAVED_QKV * layer.qkv_width
        + layer.attention_width
        + fitted.SAVED_MLP * layer.up_width
    )
    working = 2.0 * ((fitted.BACKWARD_HIDDEN + unfused) * hidden_row + fitted.BACKWARD_MLP * layer.up_width)
    if tp > 1:
        working += 2.0 * fitted.GATHERED_HIDDEN * hidden
    if not workload.flash_attention:
        saved += 5.0 * layer.score_heads * sequence
    if recipe.keeps_quantized_inputs and workload.recompute == "none":
        saved += fitted.QUANTIZED_INPUT * (2.0 * hidden_row + layer.attention_width + 0.5 * layer.up_width)
    if recipe.peft and workload.recompute == "none":
        saved += fitted.ADAPTER_INPUT * adapter_inputs
    checkpoint = recipe.residual * hidden_row
    if workload.recompute == "full":
        kept, backward = checkpoint, saved + working
    elif workload.recompute == "selective":
        # products of every second projection and of attention stay, the rest is computed again
        kept = 2.0 * hidden_row + 2.0 * layer.attention_width
        kept += layer.qkv_width + layer.up_width + 2.0 * hidden_row
        backward = saved + working - kept
    else:
        kept, backward = saved, working
    kept_bytes = kept * stage.layers * tokens * in_flight
    if workload.activation_offload:
        host += kept_bytes
        kept_bytes = 2.0 * checkpoint * tokens
    backward_bytes = backward * tokens
    lingering = recipe.lingering * hidden_row * stage.layers * tokens * in_flight
    loss_bytes = 0.0
    if stage.last:
        loss_bytes = tokens * (vocab / tp * logit_bytes(workload) + 2.0 * fitted.LOSS_HIDDEN * hidden_row)
        if tp > 1:
            loss_bytes += tokens * 4.0 * hidden  # the head reads whole hidden states, and returns their gradient

    early = gradients if recipe.keeps_gradients or pp > 1 else 0.0
    backward_all = backward_bytes + layer_copy + layer_gradient + unpacked
    moments = [("backward, first layer", early, kept_bytes + lingering + backward_all)]
    if stage.last:
        moments.insert(0, ("loss", early, kept_bytes + loss_bytes))
    moments.append(("backward, last layer", gradients, backward_all))
    moments.append(("optimizer step", gradients, temporary))
    phases = tuple(
        TrainingPhase(name, round(weights), round(gradient), round(states), round(activation + buffers))
        for name, gradient, activation in moments
    )
    worst = max(phases, key=lambda phase: phase.allocated_bytes)
    allocated = worst.allocated_bytes
    step_bytes = worst.activation_bytes - buffers
    share = fitted.CACHE_SHARE_GATHERED if recipe.gathers else fitted.CACHE_SHARE
    cache = share * step_bytes
    if not recipe.gathers:
        cache += fitted.CACHE_OTHER_PHASE * min(loss_bytes, backward_bytes)
    context = GB * (fitted.CONTEXT_GB + (fitted.COMMUNICATORS_GB if ranks > 1 else 0.0))
    needs = round(allocated + context + fitted.STUCK_SHARE * share * step_bytes)
    limit = max(needs, card_bytes)  # under pressure the allocator gives its cache back
    reserved = round(min(allocated + cache, max(allocated, limit - context)))
    shown = round(min(reserved + context, limit))
    return RankPeak(stage, phases, worst, trainable, allocated, reserved, needs, shown, round(host))
