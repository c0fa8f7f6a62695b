"""Memory of a serving build, per GPU and worst rank first: what vLLM or SGLang will report at start-up.

vLLM: KV = visible memory x utilization - weights - activation peak - non-torch (- CUDA graphs, current builds).
SGLang: KV = free memory before loading x static fraction - weights; the rest serves activations and graphs.
`HEADROOM_WORDS` defines the words for how much room is left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from engine.calibration import serving_memory as fitted
from engine.figures.units import GIB
from engine.layout.sharding import attention_ranks, kv_copies, stage_kinds, stage_weights
from engine.model.architecture import Architecture
from engine.parts.hardware import Accelerator
from engine.scenario import Layout, Runtime, Scenario, ServingEngine
from engine.serving.buffers import (
    Tile,
    activation_bytes,
    engine_extra_bytes,
    expert_tile,
    graph_bytes,
    non_torch_bytes,
    plain_latent,
)
from engine.serving.kv_pool import KvPool, kv_pool
from engine.serving.settings import EngineSettings, engine_settings, plain_layout, resolved_settings, visible_bytes
from engine.sizing import Headroom, Memory, MemoryGroup

COMFORTABLE_WEIGHTS = 0.60
"""Weights share up to which the rule of thumb is at ease: weights take 60-70 % of VRAM, the rest is for the load."""
RULE_WEIGHTS = 0.70
"""Weights share above which the rule of thumb fails."""
COMFORTABLE_KV = 0.70
"""Share of the KV that fits which the load may need and still grow by four tenths."""
FITS_KV = 0.85
"""Share of the KV that fits which leaves room for uneven lengths."""
NOTED_WEIGHTS = 0.45
"""Weights share from which the rule of thumb is quoted even where the bytes agree: it is then what people argue by."""
PREEMPTION_LINE = 0.95
"""Share of the usable memory above which engines begin to preempt requests."""

HEADROOM_WORDS: tuple[tuple[Headroom, str], ...] = (
    ("comfortable", "weights up to 60 % of the card and the load needs up to 70 % of the KV that fits"),
    ("fits", "weights up to 70 % of the card and the load needs up to 85 % of the KV that fits"),
    ("tight", "weights above 70 % of the card, or the load needs above 85 % of the KV that fits"),
    ("marginal", "the load fits, but fills the usable memory past the 95 % line, where engines preempt"),
    ("does not fit", "the engine does not start, or the load needs more KV than fits"),
)

# --- stages ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Stage:
    """Pipeline stages that hold the same. first: number from 1."""

    first: int
    stages: int
    weights: int
    layers: int
    pool: KvPool
    last: bool


@lru_cache(maxsize=1024)
def _stages(
    arch: Architecture,
    weights: str,
    kv: str,
    layout: Layout,
    mtp: bool,
    engine: ServingEngine,
    block: int,
    tile: Tile,
    rocm: bool,
    plain: bool,
) -> tuple[_Stage, ...]:
    ranks = attention_ranks(layout)
    found: list[_Stage] = []
    kinds: tuple[int, ...] = ()
    for stage in range(layout.pp):
        before, kinds = kinds, stage_kinds(arch, weights, layout.pp, stage)
        if kinds == before and 1 < stage < layout.pp - 1:  # neither an embedding nor a head tells them apart
            found[-1] = replace(found[-1], stages=found[-1].stages + 1)
            continue
        held = stage_weights(arch, weights, layout, stage, mtp)
        loaded = held.total_bytes + engine_extra_bytes(arch, weights, layout, held.layers, tile)
        if rocm and engine != "sglang":
            loaded = int(loaded * fitted.ROCM_WEIGHTS)
        if engine == "sglang":
            loaded += int(fitted.SGLANG_LOAD_GIB * GIB)
        entry = _Stage(
            stage + 1,
            1,
            loaded,
            held.layers,
            kv_pool(arch, kv, ranks, layout.pp, stage, engine, block, plain),
            stage == layout.pp - 1,
        )
        if found:
            last = found[-1]
            if replace(entry, first=last.first, stages=last.stages) == last:
                found[-1] = replace(last, stages=last.stages + 1)
                continue
        found.append(entry)
    return tuple(found)


def _label(stage: _Stage, pp: int, gpus: int) -> str:
    if pp == 1:
        return f"all {gpus} GPUs" if gpus > 1 else "the GPU"
    if stage.stages == 1:
        return f"stage {stage.first}"
    return f"stages {stage.first}-{stage.first + stage.stages - 1}"


@dataclass(frozen=True, slots=True)
class _Rank:
    """What one GPU of some equal stages holds before any load. room: left for KV, negative when over."""

    label: str
    gpus: int
    weights: int
    activation: int
    runtime: int
    usable: int
    room: int
    layers: int
    longest: int  # tokens of the longest single sequence that fits
    pool: KvPool

    @property
    def kv_room(self) -> int:
        """Bytes that the KV cache gets."""
        return max(0, self.room)


@lru_cache(maxsize=1024)  # a search around thousands of GPUs comes back to hundreds of layouts at each step
def _ranks(
    arch: Architecture,
    weights: str,
    kv: str,
    mtp: bool,
    card: Accelerator,
    nvlink: bool,
    layout: Layout,
    runtime: Runtime,
) -> tuple[_Rank, ...]:
    """One rank of each kind of stage. No load is among the arguments: an edit of the load finds them here."""
    settings = resolved_settings(runtime, card, layout, arch, 0)
    visible = visible_bytes(card)
    rocm = card.vendor.upper() == "AMD"
    plain = plain_latent(card, settings.engine)
    stages = _stages(
        arch, weights, kv, layout, mtp, settings.engine, settings.block_size, expert_tile(card), rocm, plain
    )
    non_torch = non_torch_bytes(card, layout, settings.engine, nvlink)
    ranks: list[_Rank] = []
    for stage in stages:
        activation = activation_bytes(arch, layout, settings, stage.last)
        graphs = graph_bytes(stage.layers, settings)
        runtime_bytes = non_torch + graphs
        if settings.engine == "sglang":
            # The static fraction holds weights and KV; everything else lives in the rest of the card.
            budget = int((visible - non_torch) * settings.utilization)
            spare = visible - non_torch - budget
            activation = min(activation, max(0, spare - graphs))
            usable = budget + non_torch + graphs + activation
            room = budget - stage.weights
        elif settings.engine == "vllm-earlier":
            # Graphs are captured after the KV cache took its share: they come out of what utilization leaves.
            budget = int(visible * settings.utilization)
            usable = budget + min(graphs, visible - budget)
            room = budget - stage.weights - activation - non_torch
        else:
            usable = int(visible * settings.utilization)
            room = usable - stage.weights - activation - runtime_bytes
        ranks.append(
            _Rank(
                label=_label(stage, layout.pp, layout.gpus),
                gpus=layout.tp * layout.dp * stage.stages,
                weights=stage.weights,
                activation=activation,
                runtime=runtime_bytes,
                usable=usable,
                room=room,
                layers=stage.layers,
                longest=stage.pool.longest(max(0, room), arch.max_position, settings.max_num_batched_tokens),
                pool=stage.pool,
            )
        )
    return tuple(ranks)


# --- the sizing -----------------------------------------------------------------------------------------------


class Room(NamedTuple):
    """What a layout's memory leaves for the load: enough to choose among layouts by, `serving_memory` tells the rest.

    short: what is missing where the engine does not start, `weights` or `kv`. kv_needed: bytes on a rank of each kind
    of stage. free_bytes: of the worst rank. fill: of the memory that may be used, on the fullest rank. copies:
    independent KV caches, on one of which a user is whole.
    """

    starts: bool
    short: str
    fits: bool
    max_concurrency: float
    reported: float
    kv_needed: tuple[int, ...]
    free_bytes: int
    fill: float = 0.0
    copies: int = 1

    @property
    def users_that_fit(self) -> int:
        """As of `Memory`: a fraction of a user past the last whole one of a copy of the cache is room for nobody."""
        return self.copies * math.floor(self.max_concurrency / self.copies)

    @property
    def preempts(self) -> bool:
        """Whether the load fills the memory past the line where engines preempt."""
        return self.fill > PREEMPTION_LINE


class Rooms(NamedTuple):
    """The memory of one layout with requests of one length, before its users are counted.

    users: that one copy of the KV cache holds. reported: see `Memory`. starts, short: see `Room`.
    """

    ranks: tuple[_Rank, ...]
    settings: EngineSettings
    total: int
    copies: int
    tokens: int
    starts: bool
    short: str
    users: float
    reported: float

    def fits(self, concurrency: int) -> bool:
        """Whether so many users fit: a fraction of a user past the last whole block is not room for that user."""
        return self.starts and self.users >= -(-concurrency // self.copies)

    def at(self, concurrency: int) -> Room:
        """The room under so many users."""
        per_copy = -(-concurrency // self.copies)
        batched = self.settings.max_num_batched_tokens
        needed: list[int] = []
        free = self.total
        fill = 0.0
        for rank in self.ranks:
            kv_needed = rank.pool.needed_bytes(per_copy, self.tokens, batched)
            needed.append(kv_needed)
            used = rank.weights + kv_needed + rank.activation + rank.runtime
            free = min(free, self.total - used)
            fill = max(fill, used / rank.usable)
        max_users = self.users * self.copies
        return Room(
            starts=self.starts,
            short=self.short,
            fits=self.fits(concurrency),
            max_concurrency=float(concurrency) if math.isinf(max_users) else max_users,
            reported=self.reported,
            kv_needed=tuple(needed),
            free_bytes=free,
            fill=fill,
            # a model that keeps nothing holds as many as asked, on however many copies
            copies=1 if math.isinf(max_users) else self.copies,
        )


def headroom_of(rooms: Rooms, room: Room) -> tuple[Headroom, float, float]:
    """(headroom word, share of the card that weights take, share of the KV that fits which is needed), worst rank."""
    share = max(rank.weights for rank in rooms.ranks) / rooms.total
    needed = 0.0
    for rank, kv_needed in zip(rooms.ranks, room.kv_needed, strict=True):
        needed = max(needed, kv_needed / rank.kv_room if rank.room > 0 else math.inf)
    return _word(room.fits, share, needed, room.fill), share, needed


def serving_rooms(scenario: Scenario, layout: Layout) -> Rooms:
    """The memory of a serving scenario in one layout whatever its users. Raises what `serving_memory` does."""
    layout = plain_layout(layout)
    ranks, settings = _ranks_of(scenario, layout), engine_settings(scenario, layout)
    tokens, batched = scenario.workload.tokens_per_request, settings.max_num_batched_tokens
    users = reported = math.inf
    starts = True
    short = ""
    for rank in ranks:
        pool = rank.pool
        users = min(users, pool.concurrency(rank.kv_room, tokens, batched))
        sequences = pool.reported_concurrency(rank.kv_room, settings.max_model_len, batched)
        reported = min(reported, sequences)
        if rank.room < 0:
            starts, short = False, "weights"
        elif sequences < 1 and (settings.engine != "sglang" or rank.kv_room < pool.block_bytes):
            # SGLang starts with any KV pool and refuses what is longer; vLLM wants room for one whole sequence.
            starts, short = False, short or "kv"
    total, copies = scenario.hardware.accelerator.memory_bytes, kv_copies(layout)
    return Rooms(ranks, settings, total, copies, tokens, starts, short, users, reported)


def serving_room(scenario: Scenario, layout: Layout) -> Room:
    """The room for the load of a serving scenario in one layout. Raises what `serving_memory` does."""
    return serving_rooms(scenario, layout).at(scenario.workload.concurrency)


def _ranks_of(scenario: Scenario, layout: Layout) -> tuple[_Rank, ...]:
    model, hardware = scenario.model, scenario.hardware
    nvlink = hardware.intra_link.family in ("nvlink", "xgmi")
    return _ranks(
        model.architecture,
        model.weights,
        model.kv_cache,
        model.mtp,
        hardware.accelerator,
        nvlink,
        layout,
        scenario.runtime,
    )


def serving_memory(scenario: Scenario, layout: Layout, rooms: Rooms | None = None, room: Room | None = None) -> Memory:
    """Memory per GPU of a serving scenario in one layout, worst group first.

    weights + kv + activation + runtime + free is the card's total in every group, exactly; kv_bytes is what the asked
    load needs, kv_capacity_bytes what fits. Capacity, users and longest context are the poorest stage's, over all
    replicas. Suggestions are left empty: `engine.serving.advice` adds them to the one build that is shown. rooms: of the
    layout, where they are known already; room: that of the load. Raises ScenarioError for unknown formats and layouts that cannot be cut.
    """
    rooms = rooms or serving_rooms(scenario, layout)
    ranks, settings, total, tokens = rooms.ranks, rooms.settings, rooms.total, rooms.tokens
    found = room or rooms.at(scenario.workload.concurrency)
    groups = [
        MemoryGroup(
            rank_group=rank.label,
            gpus=rank.gpus,
            weights_bytes=rank.weights,
            kv_bytes=kv_needed,
            activation_bytes=rank.activation,
            runtime_bytes=rank.runtime,
            optimizer_bytes=0,
            gradient_bytes=0,
            free_bytes=total - rank.weights - kv_needed - rank.activation - rank.runtime,
            usable_bytes=rank.usable,
            total_bytes=total,
            reserved_bytes=total - rank.usable,
            kv_capacity_bytes=rank.kv_room,
            layers=rank.layers,
        )
        for rank, kv_needed in zip(ranks, found.kv_needed, strict=True)
    ]
    groups.sort(key=lambda group: group.free_bytes)
    capacity: float = min(
        (
            rank.kv_room // rank.pool.block_bytes * rank.pool.block_tokens
            for rank in ranks
            if rank.pool.uniform and rank.pool.groups
        ),
        default=math.inf,
    )
    max_users = found.max_concurrency
    kv_capacity = int(max_users * tokens) if math.isinf(capacity) else int(capacity) * rooms.copies
    word, share, needed_share = headroom_of(rooms, found)
    return Memory(
        per_gpu=tuple(groups),
        weights_share=share,
        kv_needed_tokens=scenario.workload.concurrency * tokens,
        kv_capacity_tokens=kv_capacity,
        max_concurrency=max_users,
        users_that_fit=found.users_that_fit,
        kv_share=needed_share if math.isfinite(needed_share) else None,
        reported_concurrency=0.0 if math.isinf(found.reported) else found.reported,
        longest_context_tokens=min(rank.longest for rank in ranks),
        fits=found.fits,
        starts=found.starts,
        headroom=word,
        headroom_reason=_reason(word, found.starts, found.short, share, needed_share, found.fill, settings),
        peak_bytes=max(group.used_bytes for group in groups),
        rule_note=_rule_note(word, share, needed_share, found.users_that_fit, found.starts),
    )


def _word(fits: bool, share: float, needed_share: float, fill: float) -> Headroom:
    """The headroom word by the definitions of `HEADROOM_WORDS`."""
    if not fits:
        return "does not fit"
    if fill > PREEMPTION_LINE:
        return "marginal"
    if share > RULE_WEIGHTS or needed_share > FITS_KV:
        return "tight"
    if share > COMFORTABLE_WEIGHTS or needed_share > COMFORTABLE_KV:
        return "fits"
    return "comfortable"


def _times(share: float) -> str:
    return f"{100 * share:.0f} % of" if share < 2 else f"{share:.1f} times"


def _reason(
    word: Headroom, starts: bool, short: str, share: float, needed: float, fill: float, settings: EngineSettings
) -> str:
    if not starts and short == "weights":
        return "weights and activations alone exceed the usable memory"
    if not starts:
        return f"no room for the KV of one sequence of {settings.max_model_len:,} tokens"
    kv = f"the load needs {_times(needed)} the KV that fits"
    if word == "does not fit":
        return kv
    if word == "marginal":
        return f"the load fills {100 * fill:.0f} % of the usable memory; engines preempt above 95 %"
    return f"weights take {100 * share:.0f} % of the card and {kv}"


def marginal_users(users_that_fit: int) -> int:
    """From how many users on the memory is so full that engines preempt."""
    return max(1, int(users_that_fit * PREEMPTION_LINE))


def _rule_note(word: Headroom, share: float, needed: float, users: int, starts: bool) -> str:
    """Both verdicts where the rule of thumb and the bytes disagree, or where the rule alone decides little."""
    percent = f"{100 * share:.0f} %"
    if share > RULE_WEIGHTS:
        if word == "does not fit":
            return ""
        return (
            f"Rule of thumb: no, weights take {percent} of VRAM, above 60-70 %. Bytes: yes, {users:,} users fit. "
            "The bytes decide: they count this load's KV, the rule assumes one."
        )
    if word in ("tight", "marginal", "does not fit"):
        why = f"the load needs {_times(needed)} the KV that fits" if starts else "the engine does not start"
        return (
            f"Rule of thumb: yes, weights take {percent} of VRAM. Bytes: {word}, {why}. "
            "The bytes decide: the rule does not look at context and concurrency."
        )
    if share >= NOTED_WEIGHTS:
        return (
            f"Rule of thumb and bytes agree here: weights take {percent} of VRAM, {users:,} users fit. Under more "
            f"load only the bytes change: marginal from about {marginal_users(users):,} users at this length."
        )
    return ""
