"""Memory of a serving build, per GPU and worst rank first: what vLLM or SGLang will report at start-up.

vLLM: KV = visible memory x utilization - weights - activation peak - non-torch (- CUDA graphs, current builds).
SGLang: KV = free memory before loading x static fraction - weights; the rest serves activations and graphs.
`HEADROOM_WORDS` defines the words for how much room is left.
"""

from __future__ import annotations

import math

from engine.calibration import serving_memory as fitted
from engine.figures.records import NamedTuple
from engine.figures.sentences import Figure, Sentence
from engine.figures.units import percent
from engine.layout.sharding import (
    kv_copies,
)
from engine.scenario import Layout, Scenario
from engine.serving.draft import BLOCKS
from engine.serving.prefix import shared_tokens
from engine.serving.ranks import Rank, loaded
from engine.serving.settings import (
    EngineSettings,
    host_reserve_bytes,
    longest_taken,
    plain_layout,
    visible_bytes,
)
from engine.sizing import Headroom, Interval, Memory, MemoryGroup

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
    (
        "comfortable",
        f"weights up to {percent(COMFORTABLE_WEIGHTS)} of the card and the load needs up to {percent(COMFORTABLE_KV)} of the KV that fits",
    ),
    (
        "fits",
        f"weights up to {percent(RULE_WEIGHTS)} of the card and the load needs up to {percent(FITS_KV)} of the KV that fits",
    ),
    (
        "tight",
        f"weights above {percent(RULE_WEIGHTS)} of the card, or the load needs above {percent(FITS_KV)} of the KV that fits",
    ),
    (
        "marginal",
        f"the load fits, but fills the usable memory past the {percent(PREEMPTION_LINE)} line, where engines preempt",
    ),
    ("does not fit", "the engine does not start, or the load needs more KV than fits"),
)
"""Each headroom word and its meaning, most room first; the worst GPU decides."""

# --- the sizing -----------------------------------------------------------------------------------------------


class Room(NamedTuple):
    """What a layout's memory leaves for the load: enough to choose among layouts by, `serving_memory` tells the rest.

    short: what is missing where the engine does not start: `host` (the share asked of a memory that the host shares),
    `weights`, `kv` or `states` (a block for the state of each sequence), `items` (a step that takes a picture whole); and
    `length` of one that starts and takes no sequence as long as the requests. kv_needed: bytes on a rank of each kind
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

    users: that one copy of the KV cache holds. longest: see `longest_taken`. shared: of the tokens of a request, those that all hold once. reported, states: see `Memory`. starts, short: see `Room`.
    """

    ranks: tuple[Rank, ...]
    settings: EngineSettings
    total: int
    copies: int
    tokens: int
    longest: int
    starts: bool
    short: str
    users: float
    reported: float
    states: float = math.inf
    shared: int = 0

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
            kv_needed = rank.pool.needed_bytes(per_copy, self.tokens, batched, self.shared)
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
    (ranks, settings), longest = loaded(scenario, layout), longest_taken(scenario)
    tokens, batched = scenario.workload.tokens_per_request, settings.max_num_batched_tokens
    shared = shared_tokens(scenario)
    users = reported = states = math.inf
    starts = True
    short = ""
    for rank in ranks:
        pool, room = rank.pool, rank.kv_room
        users = min(users, pool.concurrency(room, tokens, batched, shared))
        sequences = pool.reported_concurrency(room, longest, batched)
        reported = min(reported, sequences)
        blocks = pool.states(room)
        states = min(states, blocks)
        if rank.room < 0:
            starts, short = False, "weights"
        elif sequences < 1 and (not settings.rules.takes_any_kv or room < pool.block_bytes):
            # SGLang starts with any KV pool and refuses what is longer; vLLM wants room for one whole sequence.
            starts, short = False, short or "kv"
        elif wants_states(settings, scenario) and blocks < settings.max_num_seqs:
            starts, short = False, short or "states"
    if settings.max_num_batched_tokens < settings.item:
        starts, short = False, "items"
    if asks_of_host(settings, scenario):
        starts, short = False, "host"
    if (scenario.runtime.max_model_len or tokens) < tokens:
        users = 0.0
        if starts:
            short = "length"
    total, copies = scenario.hardware.accelerator.memory_bytes, kv_copies(layout)
    return Rooms(ranks, settings, total, copies, tokens, longest, starts, short, users, reported, states, shared)


def wants_states(settings: EngineSettings, scenario: Scenario) -> bool:
    """Whether the engine refuses fewer blocks than sequences: current vLLM does, before it captures whole decode steps.

    vllm/config/compilation.py, since pull request 38270; Intel GPUs capture no whole step.
    """
    if not (settings.rules.states_for_all and settings.cuda_graphs):
        return False
    return scenario.hardware.accelerator.vendor.upper() != "INTEL"


def asks_of_host(settings: EngineSettings, scenario: Scenario) -> bool:
    """Whether vLLM asks for more of a shared memory than the host leaves free: it then refuses to start."""
    if not settings.rules.refuses_held_memory:
        return False
    card = scenario.hardware.accelerator
    visible = visible_bytes(card)
    return 0 < visible - host_reserve_bytes(card, scenario.runtime) < settings.utilization * visible


def serving_room(scenario: Scenario, layout: Layout) -> Room:
    """The room for the load of a serving scenario in one layout. Raises what `serving_memory` does."""
    return serving_rooms(scenario, layout).at(scenario.workload.concurrency)


NEW_SPREAD = 3.0
"""How much wider the interval of KV tokens is where no log of the kind was there to fit: a rule. Starts of other sources on
unified memory, Intel's cards and with drafters of assumed shape err by 10 % at the median, those of known kinds by 1 to 3."""


def logged_kind(scenario: Scenario) -> bool:
    """Whether constants were fitted on start-up logs of the kind: cards of their own memory, drafters of stated shape."""
    card, runtime = scenario.hardware.accelerator, scenario.runtime
    if card.vendor.upper() not in ("NVIDIA", "AMD") or card.unified_memory:
        return False
    return runtime.rules.logs > 0 and runtime.speculative not in ("eagle", *BLOCKS)


NEAR_START = 1.12
"""A start with less room than this over what it needs is within the error of the KV figure: 12 % of KV tokens hold nine of
ten start-up logs of known kinds."""
NEAR_START_NEW = 1.25
"""The same where no log of the kind was fitted: two of three starts of other sources on such cards lie within a quarter."""

NEAR_STATES = 1.25
"""The same of blocks for states: one start has 2 % fewer than are said, three of another source, of which it is not stated
whether they drafted, 17 to 23 % fewer (939 for 1,132, 1,011 for 1,227, 556 for 718)."""


def near_start(scenario: Scenario) -> float:
    """How far from the line a start is within the error of the KV figure."""
    return NEAR_START if logged_kind(scenario) else NEAR_START_NEW


def starts_by_a_hair(scenario: Scenario, rooms: Rooms) -> bool:
    """Whether an engine that starts by the estimate may not: its KV or its blocks of state lie within their error of the line."""
    settings = rooms.settings
    if not rooms.starts or not settings.rules.refuses_short_kv:
        return False
    if 0 < rooms.reported < near_start(scenario):
        return True
    return wants_states(settings, scenario) and rooms.states < NEAR_STATES * settings.max_num_seqs


NORMAL_80 = 1.2816
"""Standard deviations on each side that hold 80 % of a normal distribution."""


def few_logs(logs: int) -> float:
    """How much wider an 80 % interval is that rests on few logs: Student's t over the normal's, by Fisher's expansion.

    Abramowitz and Stegun, 26.7.5, to the second order: 1.44 for three logs, 1.02 for thirty.
    """
    z2, freedom = NORMAL_80**2, max(1, logs - 1)
    return 1 + (z2 + 1) / (4 * freedom) + (5 * z2**2 + 16 * z2 + 3) / (96 * freedom**2)


def kv_interval(scenario: Scenario, tokens: float) -> Interval | None:
    """80 % interval of the KV tokens that fit; None where nothing is kept. Wider where few logs or none of the kind were there."""
    if scenario.workload.embeds or not tokens:
        return None
    low, high = fitted.KV_SPREAD
    wide = few_logs(scenario.runtime.rules.logs) if logged_kind(scenario) else NEW_SPREAD
    return Interval(tokens * (1 - wide * (1 - low)), tokens * (1 + wide * (high - 1)))


def serving_memory(scenario: Scenario, layout: Layout, rooms: Rooms | None = None, room: Room | None = None) -> Memory:
    """Memory per GPU of a serving scenario in one layout, worst group first.

    weights + kv + activation + runtime + free is the card's total in every group, exactly; kv_bytes is what the asked
    load needs, kv_capacity_bytes what fits. Capacity, users and longest context are the poorest stage's, over all
    replicas. Suggestions are left empty: `engine.serving.advice` adds them to the one build that is shown. rooms: of the
    layout, where they are known already; room: that of the load. Raises ScenarioError for unknown formats and layouts that cannot be cut.
    """
    rooms = rooms or serving_rooms(scenario, layout)
    ranks, total, tokens = rooms.ranks, rooms.total, rooms.tokens
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
            stage=rank.stage,
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
        kv_needed_tokens=0 if scenario.workload.embeds else _needed(scenario.workload.concurrency, rooms),
        kv_capacity_tokens=0 if scenario.workload.embeds else kv_capacity,
        max_concurrency=max_users,
        users_that_fit=found.users_that_fit,
        kv_share=needed_share if math.isfinite(needed_share) else None,
        reported_concurrency=0.0 if math.isinf(found.reported) else found.reported,
        host_bytes=sum(rank.host * rank.gpus for rank in ranks) // min(scenario.hardware.nodes, layout.gpus),
        state_blocks=None if math.isinf(rooms.states) else int(rooms.states),
        longest_context_tokens=min(rank.longest for rank in ranks),
        fits=found.fits,
        starts=found.starts,
        headroom=word,
        headroom_reason=_reason(word, found, rooms, share, needed_share),
        peak_bytes=max(group.used_bytes for group in groups),
        kv_interval=kv_interval(scenario, kv_capacity),
        may_not_start=starts_by_a_hair(scenario, rooms),
        rule_note=_rule_note(word, share, needed_share, found.users_that_fit, found.starts),
    )


def _needed(users: int, rooms: Rooms) -> int:
    """Tokens of KV of so many users; those that all begin with are held once by each copy of the cache in use."""
    tokens = users * rooms.tokens
    return tokens - (users - min(users, rooms.copies)) * rooms.shared if rooms.shared else tokens


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


def _needs(share: float) -> Sentence:
    """The KV of the load against the KV that fits."""
    told = f"{100 * share:.0f} %" if share < 2 else f"{share:.1f} times"
    amount = Figure(told, "memory.kv_share") if math.isfinite(share) else told
    return ("the load needs ", amount, " of the KV that fits" if share < 2 else " the KV that fits")


def _reason(word: Headroom, room: Room, rooms: Rooms, share: float, needed: float) -> Sentence:
    settings, fill = rooms.settings, room.fill
    if not room.starts and room.short == "host":
        return (f"{100 * settings.utilization:.0f} % of the memory is asked for, and the host holds part of it",)
    if not room.starts and room.short == "items":
        item = f"a picture or video of {settings.item:,} tokens must fit one step"
        return (f"{item}, which takes {settings.max_num_batched_tokens:,} (max_num_batched_tokens)",)
    if not room.starts and room.short == "weights":
        if settings.kv_cache_bytes:
            return ("weights, activations and the KV cache that is asked for exceed the memory",)
        return ("weights and activations alone exceed the usable memory",)
    if not room.starts and room.short == "states":
        blocks = (
            f"the cache has {int(rooms.states):,} blocks for the states of {settings.max_num_seqs:,} sequences at once"
        )
        return (blocks, " (max_num_seqs): one each is needed")
    if not room.starts:
        length = Figure(f"{rooms.longest:,}", "load.max_model_len")
        return ("no room for the KV of one sequence of ", length, " tokens")
    if room.short == "length":
        asked = Figure(f"{rooms.tokens:,}", "load.tokens_per_request")
        longest = Figure(f"{rooms.longest:,}", "load.max_model_len")
        return ("a request has ", asked, " tokens and the engine takes up to ", longest, " (max_model_len)")
    if word == "does not fit":
        return _needs(needed)
    if word == "marginal":
        filled = Figure(f"{100 * fill:.0f} %", "ratio(memory.used_bytes,memory.usable_bytes)")
        return ("the load fills ", filled, " of the usable memory; engines preempt above 95 %")
    if not any(rank.pool.groups for rank in rooms.ranks):
        return ("weights take ", _weights(share), " of the card, and nothing is kept of a request")
    return ("weights take ", _weights(share), " of the card and ", *_needs(needed))


def _weights(share: float) -> Figure:
    return Figure(f"{100 * share:.0f} %", "memory.weights_share")


def marginal_users(users_that_fit: int) -> int:
    """From how many users on the memory is so full that engines preempt."""
    return max(1, int(users_that_fit * PREEMPTION_LINE))


def _rule_note(word: Headroom, share: float, needed: float, users: int, starts: bool) -> Sentence:
    """Both verdicts where the rule of thumb and the bytes disagree, or where the rule alone decides little."""
    taken, held = _weights(share), Figure(f"{users:,}", "memory.users_that_fit")
    if share > RULE_WEIGHTS:
        if word == "does not fit":
            return ()
        head: Sentence = ("Rule of thumb: no, weights take ", taken, " of VRAM, above 60-70 %. Bytes: yes, ", held)
        return (*head, " users fit. The bytes decide: they count this load's KV, the rule assumes one.")
    if word in ("tight", "marginal", "does not fit"):
        why = _needs(needed) if starts else ("the engine does not start",)
        head = ("Rule of thumb: yes, weights take ", taken, f" of VRAM. Bytes: {word}, ", *why)
        return (*head, ". The bytes decide: the rule does not look at context and concurrency.")
    if share >= NOTED_WEIGHTS:
        full = Figure(f"{marginal_users(users):,}", "memory.marginal_users")
        head = (
            "Rule of thumb and bytes agree here: weights take ",
            taken,
            " of VRAM, ",
            held,
            " users fit. Under more ",
        )
        return (*head, "load only the bytes change: marginal from about ", full, " users at this length.")
    return ()
