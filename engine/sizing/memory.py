"""The memory of each GPU of a build, and where a training peak comes from."""

from __future__ import annotations

from typing import Literal

from engine.figures.kinds import Interval
from engine.figures.records import dataclass
from engine.figures.sentences import Sentence
from engine.sizing.common import Later, Rows, Suggestion

Headroom = Literal["comfortable", "fits", "tight", "marginal", "does not fit"]


@dataclass(frozen=True, slots=True)
class MemoryGroup:
    """GPUs that hold the same: one pipeline stage, or all of them.

    weights + kv + activation + runtime + optimizer + gradient + free = total, exactly. kv_bytes is what the asked
    load needs. free_bytes is of the whole card, the engine's reserve included, and negative when the group is over the
    card; reserved_bytes is the part that is kept out of the engine's reach (1 - memory_utilization of the card). What
    pages and reports call free is `available_bytes`. stage: the first of its pipeline stages, from 1.
    """

    rank_group: str
    gpus: int
    weights_bytes: int
    kv_bytes: int
    activation_bytes: int
    runtime_bytes: int
    optimizer_bytes: int
    gradient_bytes: int
    free_bytes: int
    usable_bytes: int
    total_bytes: int
    reserved_bytes: int = 0
    kv_capacity_bytes: int = 0  # room left for KV in this group (serving)
    layers: int = 0
    stage: int = 1

    @property
    def used_bytes(self) -> int:
        """What the group fills, bytes."""
        return self.total_bytes - self.free_bytes

    @property
    def over_bytes(self) -> int:
        """How far past the usable memory the group is; 0 when it fits."""
        return max(0, self.used_bytes - self.usable_bytes)

    @property
    def available_bytes(self) -> int:
        """What the load leaves of the usable memory, the engine's reserve not counted; 0 when it does not fit."""
        return max(0, self.usable_bytes - self.used_bytes)

    def share_of_card(self, part_bytes: int) -> float:
        """A part of the group as a share of the card's whole memory."""
        return part_bytes / self.total_bytes

    @property
    def fill(self) -> float | None:
        """Share of the usable memory that the group fills, above 1 when it does not fit; None where none is usable."""
        return self.used_bytes / self.usable_bytes if self.usable_bytes else None


@dataclass(frozen=True, slots=True)
class TrainingPhase:
    """One moment of a training step on the worst GPU: what is allocated then, split like a MemoryGroup."""

    name: str
    weights_bytes: int
    gradient_bytes: int
    optimizer_bytes: int
    activation_bytes: int

    @property
    def allocated_bytes(self) -> int:
        """Everything allocated at this moment, without the runtime's own share."""
        return self.weights_bytes + self.gradient_bytes + self.optimizer_bytes + self.activation_bytes


@dataclass(frozen=True)  # without slots, as `Sizing`
class TrainingDetail:
    """Where a training peak comes from, on the worst GPU.

    allocated_bytes: what torch.cuda.max_memory_allocated will say. reserved_bytes: max_memory_reserved, the
    allocator's cache included. interval: of what a step needs, bytes. bytes_per_parameter: weights, gradients and optimizer states of one trained
    parameter before any sharding. lines: the assumptions, one sentence each, written when they are first read.
    """

    allocated_bytes: int
    reserved_bytes: int
    phase: str
    phases: tuple[TrainingPhase, ...]
    trainable_parameters: int
    bytes_per_parameter: float
    interval: Interval
    lines: Rows[Sentence] = Rows()


@dataclass(frozen=True)  # without slots, as `Sizing`
class Memory:
    """Memory of the build, worst group first.

    weights_share: weights over the card's total, of the worst group. kv_needed_tokens: concurrency x tokens,
    of which those that all begin with are counted once a copy of the cache.
    kv_capacity_tokens: what fits over all replicas. kv_share: KV that the load needs over the KV that fits, on the worst
    rank; None where none fits.
    max_concurrency: the KV that fits in users of the asked length, with a fraction. users_that_fit: whole users whose KV
    fits at that length, all at once and each on one replica: the most for which `fits` is true in this layout. Fewer than
    run at once (`Serving.most_at_once`), since most answers are not at their end. reported_concurrency: the "maximum
    concurrency" that one replica's vLLM prints for max_model_len; it charges every sequence of a sliding-window model a
    whole step of prefill. state_blocks: blocks of the cache of a recurrent model, of which each sequence needs one at
    least; None for others. kv_interval: of kv_capacity_tokens, 80 %; None without KV.
    may_not_start: whether a start lies within the error of its KV figure or of its blocks of state.
    peak_bytes (training): what it needs on the worst GPU; nvidia_smi_bytes: what nvidia-smi will show. The largest
    micro-batch and the longest sequence are searched when they are first read.
    """

    per_gpu: tuple[MemoryGroup, ...]
    weights_share: float
    kv_needed_tokens: int
    kv_capacity_tokens: int
    max_concurrency: float
    longest_context_tokens: int
    fits: bool
    starts: bool  # whether the engine would start at all (weights, and KV for one sequence of max_model_len)
    headroom: Headroom
    headroom_reason: Sentence
    peak_bytes: int = 0
    nvidia_smi_bytes: int = 0
    host_bytes: int = 0  # host RAM that offload needs, per node
    largest_micro_batch: Later[int] = Later(0)
    longest_sequence_tokens: Later[int] = Later(0)
    suggestions: tuple[Suggestion, ...] = ()
    training: TrainingDetail | None = None
    reported_concurrency: float = 0.0
    state_blocks: int | None = None
    users_that_fit: int = 0
    kv_share: float | None = 0.0
    kv_interval: Interval | None = None
    may_not_start: bool = False
    rule_note: Later[Sentence] = Later(
        ()
    )  # where the 60-70 % rule and the byte accounting disagree: both, and which decides

    @property
    def worst(self) -> MemoryGroup:
        """The group with least free memory."""
        return self.per_gpu[0]

    @property
    def may_not_fit(self) -> bool:
        """Whether a run that fits by the estimate may yet be too large: its 80 % interval reaches over the card."""
        return self.fits and self.training is not None and self.training.interval.high > self.worst.usable_bytes


def stage_spread_bytes(memory: Memory) -> int:
    """How far the weights of the fullest pipeline stage lie above those of the emptiest."""
    return memory.worst.weights_bytes - min(group.weights_bytes for group in memory.per_gpu)
