"""The peak of one rank: resident state plus the worst moment of a step.

A step passes through four moments whose needs do not add up: the loss, the backward of the first layer (all
activations still kept), the end of the backward (all gradients there), the optimizer step. The peak is the largest.

Activations follow Korthikanti et al. 2022 (Reducing Activation Recomputation in Large Transformer Models) with
flash attention and gated feed-forwards: a layer keeps multiples of a few widths, and the multiples are fitted
(engine.calibration.training_memory).
"""

from __future__ import annotations

from dataclasses import replace

from engine.calibration import training_memory as fitted
from engine.figures.records import dataclass
from engine.figures.units import GB
from engine.sizing import TrainingPhase
from engine.training.memory.elements import StageElements
from engine.training.memory.recipe import HALF_BYTES, Method, Recipe

LOSS, FIRST, LAST, STEP = "the loss", "the first backward layer", "the last backward layer", "the optimizer step"
ANSWERS = "the generation of answers"
SCORE_BYTES = 5.0
"""Bytes an attention score without flash attention: softmax output, its dropout mask and product (section 4.1)."""


@dataclass(frozen=True, slots=True)
class RankPeak:
    """The worst moment of one rank of a stage, and what it costs beyond PyTorch's own count, bytes.

    needs_bytes: what must be there for a step to run: the peak, the context and the cache that cannot be returned.
    shown_bytes: what nvidia-smi shows, the allocator's whole cache included, at most the card while it fits.
    """

    layers: int
    phases: tuple[TrainingPhase, ...]
    worst: TrainingPhase
    trainable: int
    allocated_bytes: int
    reserved_bytes: int
    needs_bytes: int
    shown_bytes: int
    host_bytes: int


@dataclass(frozen=True, slots=True)
class RankCost:
    """What one rank of a stage holds: fixed bytes, and bytes for each token of its micro-batch.

    early: gradients that are there from the start of a micro-batch. buffers: gathered ends, buckets. fixed and
    working: of the backward of one layer. tile: of the feed-forward
    of one layer where it goes tile after tile, a token of a tile. kept: activations of all layers. lingering: what outlives its layer.
    engine: of one that generates answers on this card between steps. own: factor of a person's own measurements of like runs on
    what is allocated; None without any.
    """

    layers: int
    trainable: int
    last: bool
    weights: float
    gradients: float
    early: float
    states: float
    temporary: float
    buffers: float
    fixed: float
    working: float
    tile: float
    tile_tokens: int
    kept: float
    lingering: float
    loss: float
    host_fixed: float
    host_token: float
    offloads_kept: bool
    context: float
    cache_share: float
    spare: float
    overlap_share: float
    engine: float
    own: float | None = None

    def measured(self, allocated: float, gradients: float) -> float:
        """What is allocated at a moment as the person's own measurements of like runs have it; never less than what is counted.

        gradients: of the moment. Weights, gradients and states are counted; what is passing was measured with them.
        """
        if self.own is None:
            return allocated
        return max(allocated * self.own, self.weights + self.states + gradients)

    def moments(self, tokens: float, held: int) -> list[tuple[str, float, float]]:
        """(moment, gradients, everything that a step allocates and frees), holding so many micro-batches at once."""
        kept = self.kept * tokens * (1 if self.offloads_kept else held)
        backward = self.fixed + self.working * tokens + self.tile * min(tokens, self.tile_tokens)
        listed = [
            (FIRST, self.early, kept + self.lingering * tokens * held + backward),
            (LAST, self.gradients, backward),
            (STEP, self.gradients, self.temporary),
        ]
        if self.last:
            listed.insert(0, (LOSS, self.early, kept + self.loss * tokens))
        if self.engine:
            listed.append((ANSWERS, 0.0, self.engine))
        return listed

    def needs(self, tokens: float, held: int) -> float:
        """Bytes that must be there for micro-batches of so many tokens, so many of them held at once."""
        gradients = step = 0.0
        worst = ""
        for name, early, passing in self.moments(tokens, held):
            if early + passing > gradients + step:
                worst, gradients, step = name, early, passing
        allocated = self.measured(self.weights + self.states + self.buffers + gradients + step, gradients)
        if worst == ANSWERS:  # the trainer's allocator has no part in it
            return allocated + self.context
        return allocated + self.context + fitted.STUCK_SHARE * self.cache_share * step

    def peak(self, tokens: float, held: int, usable_bytes: int) -> RankPeak:
        """The same with its parts, and what PyTorch and nvidia-smi will show on a card of that size."""
        weights, states = round(self.weights), round(self.states)
        phases = tuple(
            TrainingPhase(name, weights, round(gradient), states, round(step + self.buffers))
            for name, gradient, step in self.moments(tokens, held)
        )
        worst = max(phases, key=lambda phase: phase.allocated_bytes)
        step_bytes = worst.activation_bytes - self.buffers if worst.name != ANSWERS else 0.0
        if self.own is not None:
            phases = tuple(map(self._as_measured, phases))
            worst = max(phases, key=lambda phase: phase.allocated_bytes)
        allocated = worst.allocated_bytes
        cache = self.spare + self.cache_share * step_bytes + self.overlap_share * min(self.loss, self.working) * tokens
        needs = round(allocated + self.context + fitted.STUCK_SHARE * self.cache_share * step_bytes)
        room = max(needs, usable_bytes) - self.context  # under pressure the allocator gives its cache back
        reserved = round(max(allocated, min(allocated + cache, room)))
        return RankPeak(
            layers=self.layers,
            phases=phases,
            worst=worst,
            trainable=self.trainable,
            allocated_bytes=allocated,
            reserved_bytes=reserved,
            needs_bytes=needs,
            shown_bytes=round(reserved + self.context),
            host_bytes=round(self.host_fixed + self.host_token * tokens * held),
        )

    def _as_measured(self, phase: TrainingPhase) -> TrainingPhase:
        """A moment as the person's own measurements have it: what is not counted takes the difference."""
        more = self.measured(phase.allocated_bytes, phase.gradient_bytes) - phase.allocated_bytes
        return replace(phase, activation_bytes=max(0, round(phase.activation_bytes + more)))


def logit_bytes(workload: Method) -> float:
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
        case "chunked-16bit":
            return fitted.LOGIT_CHUNKED_16BIT
        case _:
            return fitted.LOGIT_FUSED


@dataclass(frozen=True, slots=True)
class Shape:
    """What of the layout and the model a rank's cost depends on beside its stage.

    routed: width of what routed experts read. score_tokens: length of the sequences whose attention scores are kept; 0 with flash attention, which keeps none. engine:
    bytes of one that generates answers on the same card. own: factor of a person's own measurements on what is allocated.
    """

    hidden: int
    routed: int
    vocab: int
    adapter_elements: int
    adapter_inputs: int
    tp: int
    pp: int
    ep: int
    ranks: int
    score_tokens: int
    engine: float = 0.0
    own: float | None = None


@dataclass(slots=True)
class _State:
    """Resident bytes while they are worked out."""

    trainable: int
    weights: float
    gradients: float
    states: float
    temporary: float
    host: float


def _state(stage: StageElements, recipe: Recipe, workload: Method, shape: Shape) -> _State:
    """Weights, gradients and optimizer states of a rank, and what offload moves to the host."""

    def share(elements: float, experts: float, ranks: int) -> float:
        """Elements of this rank when `ranks` data-parallel ranks split them; whole experts already are spread."""
        if ranks == 1 or shape.ep == 1:
            return elements / ranks
        return (elements - experts) / ranks + experts / max(1.0, ranks * shape.tp / shape.ep)

    experts = stage.expert
    if recipe.peft:
        copies = stage.ends if workload.trainable_embeddings else 0  # trained 16-bit copies beside the frozen ends
        adapters = shape.adapter_elements
        base = share(stage.linear, experts, recipe.weight_shard) * recipe.frozen_linear
        loose = (
            stage.ends + stage.other + stage.towers
        ) * recipe.frozen_loose  # upcast together with the residual stream
        state = _State(
            trainable=adapters + copies,
            weights=base + (loose + adapters * recipe.weight + copies * 2.0) / recipe.weight_shard,
            gradients=(adapters * recipe.gradient + copies * 2.0) / recipe.gradient_shard,
            states=(adapters * recipe.state + copies * recipe.state_16bit) / recipe.state_shard,
            temporary=(adapters + copies * 0.5) * recipe.step_temporary / recipe.state_shard,
            host=0.0,
        )
    else:
        stepped = share(stage.all, experts, recipe.state_shard)
        # quantized weights wait for the next micro-batch where they are whole; of shards a layer's at a time
        copied = stage.linear * workload.copied_bytes if recipe.weight_shard == 1 else 0.0
        matrices = share(stage.linear, experts, recipe.state_shard)
        state = _State(
            trainable=stage.all,
            weights=share(stage.all, experts, recipe.weight_shard) * recipe.weight + copied,
            gradients=share(stage.all, experts, recipe.gradient_shard) * recipe.gradient,
            states=stepped * recipe.state - matrices * recipe.state_matrix_saving,
            temporary=min(stepped, recipe.step_elements) * recipe.step_temporary,
            host=0.0,
        )
    if workload.trained_models > 1 and not recipe.peft:  # a value model of the same size learns beside it
        for name in ("trainable", "weights", "gradients", "states", "temporary"):
            setattr(state, name, getattr(state, name) * workload.trained_models)
    if workload.frozen_models:
        whole = share(stage.all, experts, recipe.weight_shard) * FROZEN_BYTES
        state.weights += whole * (workload.frozen_models + (workload.trained_models - 1 if recipe.peft else 0))
    state.host = state.trainable * recipe.host_state / recipe.state_shard
    if workload.optimizer_in_backward:
        state.gradients = 0.0
    if workload.offload != "none":
        state.host += state.states
        state.states = state.temporary = 0.0
    if workload.offload == "parameters" or _gradients_leave(workload):
        state.host += state.gradients
        state.gradients = 0.0
    if workload.offload == "parameters":
        state.host += state.weights
        state.weights = 0.0
    if workload.offload != "none" and workload.rules.pins_host:
        state.host *= DEEPSPEED_HOST_FACTOR
    return state


def _gradients_leave(workload: Method) -> bool:
    """Whether gradients go to the host with the states; ZeRO-1 keeps them whole on the card until the last micro-batch
    (deepspeed/runtime/zero/stage_1_and_2.py: partition_gradients)."""
    offloaded = workload.offload == "optimizer" and workload.rules.offloads_gradients
    return offloaded and workload.sharding in ("zero2", "zero3")


LIVE_PARAMETERS = 1e9
"""Parameters that DeepSpeed keeps gathered at most (stage3_max_live_parameters, www.deepspeed.ai/docs/config-json)."""
FROZEN_BYTES = 2.0
"""A frozen model beside the trained one is kept in 16 bits."""
DEEPSPEED_HOST_FACTOR = 1.5
"""Host memory that ZeRO-Offload takes over what the states are: pinned buffers and copies (additional_buffer_factor of
deepspeed/runtime/zero/stage3.py and stage_1_and_2.py). A 32B with everything offloaded was killed at 744 GB, where the
states are 590."""


GROUPED_MLP = 1.0
"""Inner widths that a fused product over all experts keeps of them (Megatron-LM, moe/experts.py: the activation is fused, and
takes its input alone); of the hidden states that routing copies it keeps those that go in, not those that come out."""


FP32_ROUTED = 2.0
"""Bytes an element of the routed hidden states, in and out: what experts return is weighted in fp32
(torchtitan/models/moe/moe.py)."""


def _saved(
    hidden: float, qkv: float, attention: float, up: float, element: float, trained: bool, inputs: float
) -> float:
    """Bytes a token that layers of these widths keep for their backward.

    trained: a weight that learns needs the input of its product again: both norms' outputs and the inner product of
    the feed-forward. A frozen one does not. inputs: of what those take in 16 bits, what they do; the input of attention's output
    product is kept so beside the 16-bit one, which attention reads.
    """
    widths = fitted.SAVED_HIDDEN * hidden + fitted.SAVED_QKV * qkv + attention + fitted.SAVED_MLP * up
    if trained:
        widths += inputs * (2.0 * hidden + 0.5 * up)
        if inputs < 1.0:
            widths += inputs * attention
    return element * widths


def rank_cost(stage: StageElements, recipe: Recipe, workload: Method, shape: Shape) -> RankCost:
    """The cost of one rank of one stage."""
    layer = stage.biggest
    state = _state(stage, recipe, workload, shape)
    base_bytes = recipe.frozen_linear if recipe.quantized else 2.0

    # copies made while a step runs
    buffers = recipe.bucket_bytes
    if recipe.bucket_gradients:
        buffers += state.trainable * recipe.gradient
    layer_copy = layer_gradient = 0.0
    early = state.gradients if recipe.keeps_gradients or shape.pp > 1 else 0.0
    spare = 0.0
    if recipe.gathers or recipe.casts or workload.offload == "parameters":
        # FSDP2 gathers embedding and output one at a time, as layers of their own
        buffers += 2.0 * (max(stage.embedding, stage.head) if workload.rules.gathers_ends_apart else stage.ends)
        if shape.pp == 1 or not recipe.gathers:
            layer_copy = layer.linear * base_bytes + layer.other * 2.0
            if workload.rules.gathers_ahead and recipe.gathers:
                spare = layer_copy
                layer_copy *= 2.0
            layer_gradient = 0.0 if recipe.peft else layer.all * 2.0
            if workload.rules.reads_ahead and workload.offload == "parameters":
                # it gathers ahead from the host and lets go late, and gradients leave by a buffer of their own
                layer_copy = max(layer_copy, min(LIVE_PARAMETERS, stage.linear) * base_bytes)
                layer_gradient *= 2.0
        else:  # a pipeline keeps its layers gathered and its gradients whole until the last micro-batch
            buffers += stage.linear * base_bytes + stage.other * 2.0
            if not recipe.peft:
                state.gradients = early = state.trainable * recipe.gradient
    if _gradients_leave(workload) and not recipe.peft:
        layer_gradient = layer.all * 2.0  # a layer's gradients leave while the one before it computes
    if (
        workload.optimizer_in_backward and not recipe.peft
    ):  # one gradient at a time, the largest is a layer's or an end's
        layer_gradient = max(layer.all, stage.embedding, stage.head) * 2.0
    unpacked = 0.0
    if recipe.quantized:
        unpacked = layer.largest_matrix * (fitted.GPTQ_UNPACK if recipe.unpacks else 2.0)

    # activations, bytes a token; sequence parallelism shards the hidden size that tensor parallelism does not
    hidden, read = shape.hidden / shape.tp, shape.routed / shape.tp
    wide = stage.widest
    element = 2.0 * (fitted.RESIDUAL_FP32 if recipe.residual > 2.0 else 1.0)
    unfused = fitted.UNFUSED_HIDDEN if workload.software != "tuned" else 0.0
    turn = wide.up_width if workload.software == "tuned" else wide.expert_up_width  # one grouped product, or a loop
    trained = not recipe.peft
    up, all_up, tile = wide.up_width, stage.up_width, 0.0
    if workload.tiled_mlp:  # of the feed-forward nothing is kept but what it reads
        tile = element * ((fitted.SAVED_MLP + 0.5 * trained) * up + fitted.BACKWARD_MLP * turn)
        up = all_up = turn = 0
    # of routed experts Megatron-LM's grouped product keeps less than others do
    grouped = workload.rules.lean_experts and workload.software == "tuned"
    copies, lean = (0.5, fitted.SAVED_MLP - GROUPED_MLP) if grouped else (1.0, 0.0)
    inputs = workload.input_bytes / HALF_BYTES
    saved = _saved(hidden, wide.qkv_width, wide.attention_width, up, element, trained, inputs)
    if up:
        saved -= element * lean * wide.routed_width
    working = element * ((fitted.BACKWARD_HIDDEN + unfused) * hidden + fitted.BACKWARD_MLP * turn)
    saved += element * copies * wide.routed_copies * read
    if workload.rules.fp32_experts and workload.software == "tuned":
        saved += FP32_ROUTED * wide.routed_copies * read
    if workload.software == "tuned":  # gradients of what routing copied, where all experts go at once
        working += element * wide.routed_copies * read
    if not workload.flash_attention:
        saved += SCORE_BYTES * wide.score_heads * shape.score_tokens
    if shape.tp > 1:
        working += element * fitted.GATHERED_HIDDEN * shape.hidden
    checkpoint = recipe.residual * hidden * stage.layers
    if workload.recompute == "full":
        kept, backward = checkpoint, saved + working
    elif workload.recompute == "selective" and workload.recompute_modules != "framework":
        # all is kept but what the named parts hold
        names = workload.recompute_modules.split("+")
        inner = fitted.SAVED_MLP + 0.5 * trained * inputs
        kept = _saved(hidden * stage.layers, stage.qkv_width, stage.attention_width, all_up, element, trained, inputs)
        again = wide_again = 0.0
        if "layernorm" in names and trained:
            again, wide_again = 2.0 * inputs * hidden * stage.layers, 2.0 * inputs * hidden
        if "mla_up_proj" in names:
            again += fitted.SAVED_QKV * stage.qkv_width
            wide_again += fitted.SAVED_QKV * wide.qkv_width
        if "mlp" in names and all_up:
            again += inner * (all_up - stage.routed_width)
            wide_again += inner * (up - wide.routed_width)
        routed, wide_routed = copies * stage.routed_copies * read, copies * wide.routed_copies * read
        kept += element * (routed - (lean * stage.routed_width if all_up else 0.0))
        if "moe" in names and all_up:
            again += (inner - lean) * stage.routed_width + routed
            wide_again += (inner - lean) * wide.routed_width + wide_routed
        elif "moe_act" in names and all_up:
            again += 0.5 * inputs * stage.routed_width
            wide_again += 0.5 * inputs * wide.routed_width
        kept -= element * again
        if not workload.flash_attention and "core_attn" not in names:
            kept += SCORE_BYTES * stage.score_heads * shape.score_tokens
        backward = element * wide_again + working
    elif workload.recompute == "selective":
        # attention and every second projection keep their products, the rest is computed again, all of the experts with it
        dense = all_up - stage.routed_width if all_up else 0
        kept = checkpoint + 2.0 * stage.attention_width + stage.qkv_width + dense
        kept += 2.0 * hidden * stage.layers
        products = 2.0 * wide.attention_width + wide.qkv_width + max(0, up - wide.routed_width) + 2.0 * hidden
        backward = max(0.0, saved - products) + working
    else:
        kept = _saved(hidden * stage.layers, stage.qkv_width, stage.attention_width, all_up, element, trained, inputs)
        if all_up:
            kept -= element * lean * stage.routed_width
        kept += element * copies * stage.routed_copies * read
        if not workload.flash_attention:
            kept += SCORE_BYTES * stage.score_heads * shape.score_tokens
        if recipe.keeps_quantized_inputs:
            inputs = 2.0 * hidden * stage.layers + stage.attention_width + 0.5 * all_up
            kept += fitted.QUANTIZED_INPUT * inputs
        if recipe.peft:
            kept += fitted.ADAPTER_INPUT * shape.adapter_inputs * stage.layers
        backward = working
    host_token = 0.0
    if workload.activation_offload:
        host_token, kept = kept, 2.0 * checkpoint / stage.layers
    loss = 0.0
    if not workload.rollout_sleeps:  # the engine keeps its share while the trainer steps
        buffers += shape.engine
    if stage.last and not workload.scores_only:
        loss = shape.vocab / shape.tp * logit_bytes(workload) + 2.0 * fitted.LOSS_HIDDEN * hidden
        if shape.tp > 1:
            loss += 4.0 * shape.hidden  # the head reads whole hidden states and returns their gradient
    return RankCost(
        layers=stage.layers,
        trainable=state.trainable,
        last=stage.last,
        weights=state.weights,
        gradients=state.gradients,
        early=early,
        states=state.states,
        temporary=state.temporary,
        buffers=buffers,
        fixed=layer_copy + layer_gradient + unpacked,
        working=backward,
        tile=tile,
        tile_tokens=shape.hidden,  # Bekman et al. 2025 (arXiv 2506.13996, section 3.1): tiles of as many tokens as the hidden size
        kept=kept,
        lingering=recipe.lingering * hidden * stage.layers,
        loss=loss,
        host_fixed=state.host,
        host_token=host_token,
        offloads_kept=workload.activation_offload,
        context=GB * (fitted.CONTEXT_GB + (fitted.COMMUNICATORS_GB if shape.ranks > 1 else 0.0)),
        cache_share=fitted.CACHE_SHARE_GATHERED if recipe.gathers else fitted.CACHE_SHARE,
        spare=spare,
        overlap_share=0.0 if recipe.gathers else fitted.CACHE_OTHER_PHASE,
        engine=shape.engine if workload.rollout_sleeps else 0.0,
        own=shape.own,
    )
