"""One training plan sized: architecture, workload, layout and card in, Memory out, without advice."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from engine.calibration import training_memory as fitted
from engine.figures.errors import ScenarioError
from engine.figures.records import NamedTuple, dataclass
from engine.figures.sentences import Figure, Sentence
from engine.figures.units import GIB, percent
from engine.model.architecture import Architecture, routed_width
from engine.model.parameters import count_parameters
from engine.scenario import Layout, Workload
from engine.sizing import Headroom, Interval, Memory, MemoryGroup, TrainingDetail
from engine.training.batch import Batch, batch_of, in_flight, shard_ranks
from engine.training.memory.elements import adapter_inputs, adapter_widths, stage_elements
from engine.training.memory.peak import RankCost, RankPeak, Shape, rank_cost
from engine.training.memory.recipe import HALF_BYTES, Method, Recipe, least_resident_bytes, method_of, recipe
from engine.training.own import OwnShares
from engine.training.rollout import engine_bytes

COMFORTABLE_FILL = 0.80
FITS_FILL = 0.90
TIGHT_FILL = 0.95

HEADROOM_WORDS: tuple[tuple[Headroom, str], ...] = (
    ("comfortable", f"a step needs up to {percent(COMFORTABLE_FILL)} of the usable memory"),
    ("fits", f"a step needs up to {percent(FITS_FILL)} of the usable memory"),
    ("tight", f"a step needs up to {percent(TIGHT_FILL)} of the usable memory"),
    ("marginal", f"a step fits past the {percent(TIGHT_FILL)} line, within the error of the estimate"),
    ("does not fit", "a step needs more than the usable memory"),
)
"""Each headroom word of a training plan and its meaning; the fullest GPU decides."""


@dataclass(frozen=True, slots=True)
class Card:
    """The memory of one GPU as the driver reports it, bytes, and how many of them a node has.

    own: factors of a person's own measurements on the peak of a run, by its kind of sharing, and left: the powers by which they
    narrow its interval; None without any.
    """

    total_bytes: int
    per_node: int = 8
    own: OwnShares | None = None
    left: OwnShares | None = None

    @property
    def driver_bytes(self) -> int:
        """What the driver keeps: torch reports 0.6 to 1.4 % less than nvidia-smi on cards from T4 to B200."""
        return round(self.total_bytes * fitted.DRIVER_SHARE)

    @property
    def usable_bytes(self) -> int:
        """What a process can allocate, its context included."""
        return self.total_bytes - self.driver_bytes


def check(workload: Workload) -> None:
    """Refuse what cannot run. Raises ScenarioError naming the field."""
    for name in ("sequence_length", "micro_batch", "context_parallel"):
        value = getattr(workload, name)
        if value < 1:
            raise ScenarioError(f"workload.{name}", f"{value} is too few", "1 or more", 1)
    if workload.trains != "full" and workload.lora_rank < 1:
        raise ScenarioError("workload.lora_rank", f"{workload.lora_rank} is too few", "1 or more", 1)
    if workload.optimizer_in_backward and (workload.gradient_accumulation or 1) > 1:
        raise ScenarioError(
            "workload.optimizer_in_backward",
            "the optimizer steps inside the backward pass, so gradients cannot be accumulated",
            "gradient_accumulation = 1",
            "false",
        )


def plan_recipe(workload: Workload, layout: Layout, card: Card) -> Recipe:
    """The bytes an element takes under this workload and layout."""
    return _recipe(method_of(workload), layout, card, batch_of(workload, layout.dp).micro_batches > 1)


def _recipe(method: Method, layout: Layout, card: Card, accumulates: bool) -> Recipe:
    return recipe(method, layout.dp, shard_ranks(layout, method.sharding_group, card.per_node), accumulates)


class Costs(NamedTuple):
    """The cost of one rank of every pipeline stage, in order, and the micro-batches it holds at once (`in_flight`).

    fullest: of stages that are alike the one that needs most: they share one cost, and the first holds most micro-batches.
    """

    stages: tuple[tuple[RankCost, int], ...]
    fullest: tuple[tuple[RankCost, int], ...]


def stage_costs(architecture: Architecture, workload: Workload, layout: Layout, card: Card) -> Costs:
    """The costs of a workload's plan."""
    return costs_of(architecture, workload, layout, card, method_of(workload), batch_of(workload, layout.dp))


def costs_of(
    architecture: Architecture, workload: Workload, layout: Layout, card: Card, method: Method, batch: Batch
) -> Costs:
    """`stage_costs` by a method, the workload's or another, at the workload's lengths. batch: of a step in the layout."""
    scores = 0 if method.flash_attention else workload.sequence_length
    count = batch.micro_batches
    # no stage holds more micro-batches than there are stages, so longer steps share their costs
    return _stage_costs(architecture, method, layout, card, count > 1, scores, min(count, layout.pp))


@lru_cache(maxsize=1024)  # a run from scratch on thousands of GPUs has hundreds of layouts, all looked at in each edit
def _stage_costs(
    architecture: Architecture,
    method: Method,
    layout: Layout,
    card: Card,
    accumulates: bool,
    score_tokens: int,
    micro_batches: int,
) -> Costs:
    plan = _recipe(method, layout, card, accumulates)
    widths: tuple[int, ...] = (0,) * layout.pp
    inputs = 0
    if plan.peft:
        widths = adapter_widths(architecture, method.lora_targets, layout.tp, layout.pp, layout.ep)
        inputs = adapter_inputs(architecture, method.lora_targets, layout.tp, layout.ep)
    costs: list[tuple[RankCost, int]] = []
    alike: dict[tuple[int, ...], RankCost] = {}
    for index, stage in enumerate(stage_elements(architecture, layout.tp, layout.pp, layout.ep)):
        key = (stage.layers, stage.linear, stage.other, stage.ends, stage.towers, widths[index])
        cost = alike.get(key)
        if cost is None:
            shape = Shape(
                hidden=architecture.hidden_size,
                routed=routed_width(architecture),
                vocab=architecture.vocab_size,
                adapter_elements=widths[index] * method.lora_rank,
                adapter_inputs=inputs,
                tp=layout.tp,
                pp=layout.pp,
                ep=layout.ep,
                ranks=layout.gpus,
                score_tokens=score_tokens,
                engine=engine_bytes(
                    count_parameters(architecture).total,
                    plan.frozen_linear if plan.quantized else HALF_BYTES,
                    method.engine_share,
                    card.total_bytes,
                    layout.gpus,
                ),
                own=None if card.own is None else card.own.of(layout),
            )
            cost = alike[key] = rank_cost(stage, plan, method, shape)
        costs.append((cost, in_flight(index, layout.pp, micro_batches)))
    return Costs(tuple(costs), tuple({id(cost): (cost, held) for cost, held in reversed(costs)}.values()))


def forget() -> None:
    """Drop what was sized, for a calibration that tries many constants."""
    recipe.cache_clear()
    _stage_costs.cache_clear()
    sized.cache_clear()


def needed_bytes(architecture: Architecture, workload: Workload, layout: Layout, card: Card, method: Method) -> float:
    """Bytes that a step needs on the fullest rank. method: of the workload."""
    batch = batch_of(workload, layout.dp)
    costs, tokens = costs_of(architecture, workload, layout, card, method, batch), batch.rank_tokens
    return max([cost.needs(tokens, held) for cost, held in costs.fullest])


def resident_floor(architecture: Architecture, workload: Workload, gpus: int) -> float:
    """Bytes of weights, gradients and optimizer states that the fullest of so many GPUs keeps in any layout, at least.

    Split evenly over all of them, no activation counted: for searches, since what is over the card here fits in no
    layout. 0 where most of a state is frozen or on the host.
    """
    if workload.trains != "full" or workload.offload != "none":
        return 0.0
    elements = sum(stage.all for stage in stage_elements(architecture, 1, 1, 1))
    return elements * least_resident_bytes(method_of(workload)) / gpus


def headroom_word(fill: float) -> Headroom:
    """The word of `HEADROOM_WORDS` for a share of the usable memory."""
    if fill > 1.0:
        return "does not fit"
    if fill > TIGHT_FILL:
        return "marginal"
    if fill > FITS_FILL:
        return "tight"
    return "fits" if fill > COMFORTABLE_FILL else "comfortable"


def needs_words(needs_bytes: int, group: MemoryGroup) -> Sentence:
    """What a step needs of the card, and how far over it that is."""
    peak = Figure(f"{needs_bytes / GIB:,.1f}", "memory.peak_bytes")
    usable = Figure(f"{group.usable_bytes / GIB:,.1f} GiB", "memory.usable_bytes")
    if group.over_bytes == 0:
        return ("a step needs ", peak, " of ", usable)
    over = Figure(f"{group.over_bytes / GIB:,.1f} GiB", "memory.over_bytes")
    return ("a step needs ", peak, " of ", usable, ", ", over, " too many")


PYTORCH: Final = ("fsdp1", "fsdp2")
"""Families whose shards are PyTorch's own: six publishers of whole models on several GPUs, where the other three have as many
between them and differ more in what they gather and copy."""


def interval_group(method: Method, gpus: int) -> str:
    """Whose errors a run is told of: by whether it gathers and reduces, by what of the model learns, and of whole models on several
    GPUs by whose shards they are."""
    group = f"{'alone' if gpus == 1 else 'spread'}.{method.trains}"
    if gpus == 1 or method.trains != "full":
        return group
    return f"{group}.{'fsdp' if method.framework in PYTORCH else 'other'}"


def _interval(needs_bytes: int, method: Method, layout: Layout, card: Card) -> Interval:
    """The 80 % interval of what a step needs."""
    low, high = fitted.INTERVALS[interval_group(method, layout.gpus)]
    if card.left is not None:
        left = card.left.of(layout)
        low, high = low**left, high**left
    return Interval(needs_bytes * low, needs_bytes * high)


@lru_cache(maxsize=192)
def sized(architecture: Architecture, workload: Workload, layout: Layout, card: Card) -> Memory:
    """The Memory without searches, suggestions and notes."""
    check(workload)
    tokens = batch_of(workload, layout.dp).rank_tokens
    costs = stage_costs(architecture, workload, layout, card)
    peaks = [cost.peak(tokens, held, card.usable_bytes) for cost, held in costs.stages]
    groups: list[tuple[MemoryGroup, RankPeak]] = []
    for index, peak in enumerate(peaks):
        worst = peak.worst
        groups.append(
            (
                MemoryGroup(
                    rank_group="all GPUs" if layout.pp == 1 else f"stage {index + 1} of {layout.pp}",
                    gpus=layout.tp * layout.dp,
                    weights_bytes=worst.weights_bytes,
                    kv_bytes=0,
                    activation_bytes=worst.activation_bytes,
                    runtime_bytes=peak.needs_bytes - peak.allocated_bytes,
                    optimizer_bytes=worst.optimizer_bytes,
                    gradient_bytes=worst.gradient_bytes,
                    free_bytes=card.total_bytes - peak.needs_bytes,
                    usable_bytes=card.usable_bytes,
                    total_bytes=card.total_bytes,
                    reserved_bytes=card.driver_bytes,
                    layers=peak.layers,
                    stage=index + 1,
                ),
                peak,
            )
        )
    groups.sort(key=lambda pair: pair[0].free_bytes)
    group, peak = groups[0]
    fill = group.used_bytes / group.usable_bytes
    word = headroom_word(fill)
    fits = group.over_bytes == 0
    plan = plan_recipe(workload, layout, card)
    per_node = min(card.per_node, layout.gpus)
    return Memory(
        per_gpu=tuple(entry for entry, _ in groups),
        weights_share=max(entry.weights_bytes for entry, _ in groups) / card.total_bytes,
        kv_needed_tokens=0,
        kv_capacity_tokens=0,
        max_concurrency=0.0,
        longest_context_tokens=0,
        fits=fits,
        starts=fits,
        headroom=word,
        headroom_reason=(*needs_words(peak.needs_bytes, group), f"; the peak is at: {peak.worst.name}"),
        peak_bytes=peak.needs_bytes,
        nvidia_smi_bytes=max(entry.shown_bytes for _, entry in groups),
        host_bytes=max(entry.host_bytes for _, entry in groups) * per_node,
        training=TrainingDetail(
            allocated_bytes=peak.allocated_bytes,
            reserved_bytes=peak.reserved_bytes,
            phase=peak.worst.name,
            phases=peak.phases,
            trainable_parameters=peak.trainable,
            bytes_per_parameter=plan.bytes_per_parameter,
            interval=_interval(peak.needs_bytes, method_of(workload), layout, card),
        ),
    )
