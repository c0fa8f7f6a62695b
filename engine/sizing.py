"""What `engine.decide.size` returns: every figure that a screen or report shows, computed once.

The JSON report uses these names. Units are in the names; a figure that does not apply is None.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, NamedTuple, TypeVar, overload

from engine.figures.sentences import Sentence
from engine.scenario import Layout, Scenario

Headroom = Literal["comfortable", "fits", "tight", "marginal", "does not fit"]
FigureKind = Literal["counted", "measured", "fitted", "data sheet", "rule of thumb", "entered"]
FINE_FROM = 0.85
"""Of the best link's speed: what costs at most 15 %, as the articles accept (`engine.decide.fabric.OPTIMAL_FROM`)."""
FabricWord = Literal["in-box", "optimal", "viable", "painful", "unusable"]
FabricQuality = Literal["fine", "viable", "painful", "unusable"]
Answer = Literal["one-gpu", "one-node", "one-node-int4", "replicas", "multi-node", "frontier", "does-not-fit"]
Severity = Literal["error", "warning", "info"]
Status = Literal["runs", "slow", "misses", "overloaded", "does-not-fit"]


_Row = TypeVar("_Row")


class Rows(Generic[_Row]):
    """A table that a record takes as its rows, or as a function that makes them when somebody first reads them.

    Most sizings are made to show a handful of figures, and their tables cost as much as all of those. Empty where
    nothing is given.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, record: None, owner: type) -> tuple[_Row, ...]: ...
    @overload
    def __get__(self, record: Any, owner: type) -> tuple[_Row, ...]: ...
    def __get__(self, record: Any, owner: type) -> tuple[_Row, ...]:
        if record is None:
            return ()
        given = record.__dict__[self._name]
        if callable(given):
            given = record.__dict__[self._name] = given()
        found: tuple[_Row, ...] = given
        return found

    def __set__(self, record: Any, given: tuple[_Row, ...] | Callable[[], tuple[_Row, ...]]) -> None:
        record.__dict__[self._name] = given


@dataclass(frozen=True, slots=True)
class Interval:
    """An 80 % interval of an estimate: the spread of the model's error on cases it had not seen."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Counted facts of the model in the chosen formats."""

    id: str
    params_total: int
    params_active: int
    weight_bytes: int  # the whole model in the chosen format
    kv_bytes_per_token: int  # all layers, chosen cache format, one copy (before TP)
    state_bytes_per_sequence: int


@dataclass(frozen=True, slots=True)
class MemoryGroup:
    """GPUs that hold the same: one pipeline stage, or all of them.

    weights + kv + activation + runtime + optimizer + gradient + free = total, exactly. kv_bytes is what the asked
    load needs. free_bytes is of the whole card, the engine's reserve included, and negative when the group is over the
    card; reserved_bytes is the part that is kept out of the engine's reach (1 - memory_utilization of the card). What
    pages and reports call free is `available_bytes`.
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
class Suggestion:
    """One change that would help: dotted session keys with their new values, and what they do in words.

    changes: applied together, by `engine.scenario.change.change`; the first names the suggestion. effect: the whole sentence;
    what: the part of it that says what is changed. layout: the one that the words were sized on, where it is told: for room
    in memory, and where the changes pin it in place of the pinned one.
    """

    changes: tuple[tuple[str, str | int | float | bool | None], ...]
    effect: str
    what: str = ""
    layout: Layout | None = None

    @property
    def field(self) -> str:
        """The key that comes first."""
        return self.changes[0][0]

    @property
    def value(self) -> str | int | float | bool | None:
        """Its new value."""
        return self.changes[0][1]

    @property
    def relays(self) -> bool:
        """Whether a pinned layout is among what it changes."""
        return any(key.startswith("layout.") for key, _ in self.changes)

    @property
    def also(self) -> tuple[tuple[str, str | int | float | bool | None], ...]:
        """The keys that belong to the same change, with their values."""
        return self.changes[1:]


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


@dataclass(frozen=True, slots=True)
class TrainingDetail:
    """Where a training peak comes from, on the worst GPU.

    allocated_bytes: what torch.cuda.max_memory_allocated will say. reserved_bytes: max_memory_reserved, the
    allocator's cache included. interval: of what a step needs, bytes. bytes_per_parameter: weights, gradients and optimizer states of one trained
    parameter before any sharding. lines: the assumptions, one sentence each.
    """

    allocated_bytes: int
    reserved_bytes: int
    phase: str
    phases: tuple[TrainingPhase, ...]
    trainable_parameters: int
    bytes_per_parameter: float
    interval: Interval
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of the build, worst group first.

    weights_share: weights over the card's total, of the worst group. kv_needed_tokens: concurrency x tokens.
    kv_capacity_tokens: what fits over all replicas. kv_share: KV that the load needs over the KV that fits, on the worst
    rank; None where none fits.
    max_concurrency: the KV that fits in users of the asked length, with a fraction. users_that_fit: whole users whose KV
    fits at that length, all at once and each on one replica: the most for which `fits` is true in this layout. Fewer than
    run at once (`Serving.most_at_once`), since most answers are not at their end. reported_concurrency: the "maximum
    concurrency" that one replica's vLLM prints for max_model_len; it charges every sequence of a sliding-window model a
    whole step of prefill.
    peak_bytes (training): what it needs on the worst GPU; nvidia_smi_bytes: what nvidia-smi will show.
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
    headroom_reason: str
    peak_bytes: int = 0
    nvidia_smi_bytes: int = 0
    host_bytes: int = 0  # host RAM that offload needs, per node
    largest_micro_batch: int = 0
    longest_sequence_tokens: int = 0
    suggestions: tuple[Suggestion, ...] = ()
    training: TrainingDetail | None = None
    reported_concurrency: float = 0.0
    users_that_fit: int = 0
    kv_share: float | None = 0.0
    rule_note: str = ""  # where the 60-70 % rule and the byte accounting disagree: both, and which decides

    @property
    def worst(self) -> MemoryGroup:
        """The group with least free memory."""
        return self.per_gpu[0]


class Miss(NamedTuple):
    """A target that is not met: its session key, what was asked and what the build does, in the key's unit."""

    target: str
    asked: float
    got: float


@dataclass(frozen=True, slots=True)
class Serving:
    """Speed of one build under the asked load. Totals are over all replicas.

    most_at_once: the most that run at once, by the KV that their requests hold on average (answers half written, so
    more than `Memory.users_that_fit`) and by the engine's limit of sequences. served_concurrency: how many of the asked
    do; the others wait.
    best_*: the best load inside the person's latency targets, 0 when one user already misses them; without latency
    targets, the most that run at once. users_within_targets: users that this layout carries: inside the latency targets
    with the KV of each at its full length; None without latency targets.
    A batch with a corpus keeps every replica at its best load until the corpus is done, whatever number of users is named:
    that is then its asked load, and days and gpu_hours are of the whole corpus.
    """

    ttft_s: float
    inter_token_s: float
    tokens_per_s_user: float
    tokens_per_s_total: float
    requests_per_s: float
    communication_share: float
    prefill_tokens_per_s: float
    served_concurrency: int
    single_stream_tokens_per_s: float
    offline_tokens_per_s: float
    best_concurrency: int
    best_tokens_per_s_total: float
    ttft_interval: Interval
    inter_token_interval: Interval
    tokens_per_s_interval: Interval
    bound_by: Literal["memory bandwidth", "compute", "communication", "overhead"]
    meets_targets: bool | None  # None when nobody set a target
    missed: tuple[str, ...] = ()  # which targets are missed, in words
    misses: tuple[Miss, ...] = ()  # the same, each with its figures
    # parts of one decode step, seconds
    weight_stream_s: float = 0.0
    kv_stream_s: float = 0.0
    compute_s: float = 0.0
    overhead_s: float = 0.0
    communication_s: float = 0.0
    prefill_interference_s: float = 0.0
    most_at_once: int = 0
    best_requests_per_s: float = 0.0
    users_within_targets: int | None = None
    # a batch with a corpus
    corpus_requests: float | None = None
    days: float | None = None
    gpu_hours: float | None = None  # of all GPUs of the build, for these days

    @property
    def days_interval(self) -> Interval | None:
        """Of the days that a corpus takes, from that of the speed; None without one, or where the speed has none."""
        low, high = self.tokens_per_s_interval.low, self.tokens_per_s_interval.high
        if self.days is None or low <= 0 or high <= 0:
            return None
        return Interval(*(self.days * self.tokens_per_s_total / bound for bound in (high, low)))


@dataclass(frozen=True, slots=True)
class Training:
    """Speed and length of a training run."""

    step_s: float
    tokens_per_s_gpu: float
    tokens_per_s_total: float
    mfu: float
    days: float
    gpu_hours: float
    peak_bytes: int
    efficiency: float  # per GPU, against one GPU of the same kind
    interval: Interval  # of tokens_per_s_gpu
    flops_per_token: float
    achieved_tflops: float
    compute_s: float = 0.0
    communication_s: float = 0.0
    exposed_communication_s: float = 0.0
    bubble_share: float = 0.0
    cost_usd: float | None = None
    meets_deadline: bool | None = None
    goodput: float = 1.0
    # one step taken apart, seconds; collectives hidden or not
    tp_communication_s: float = 0.0
    ep_communication_s: float = 0.0
    pp_communication_s: float = 0.0
    dp_communication_s: float = 0.0
    optimizer_s: float = 0.0
    micro_batches: int = 1
    one_gpu_tokens_per_s: float = 0.0  # the baseline of efficiency
    overlap_range: Interval = Interval(0.0, 0.0)  # tokens_per_s_gpu with no overlap and with the best measured
    serial_share: float = 0.0  # Amdahl: what of the work does not get faster with more GPUs
    step_tokens: int = 0  # of one step over all replicas: whole micro-batches, so perhaps more than was asked
    asked_step_tokens: int = 0  # as entered: the global batch, or the accumulation steps where those are given

    @property
    def bubble_s(self) -> float:
        """Seconds of a step that the pipeline stands still."""
        return self.bubble_share * self.step_s

    @property
    def hidden_communication_s(self) -> float:
        """Seconds of a step's collectives that run beside computing."""
        return max(0.0, self.communication_s - self.exposed_communication_s)

    @property
    def exposed_share(self) -> float:
        """Share of a step that waits for the links."""
        return self.exposed_communication_s / self.step_s if self.step_s else 0.0

    @property
    def tokens_per_day(self) -> float:
        """Tokens trained on in a day, checkpoints and failures counted."""
        return self.tokens_per_s_total * self.goodput * 86400.0

    @property
    def days_interval(self) -> Interval | None:
        """Of the run's length, from that of the speed; None where the speed has none."""
        if self.interval.low <= 0 or self.interval.high <= 0:
            return None
        fast, slow = (self.days * self.tokens_per_s_gpu / bound for bound in (self.interval.high, self.interval.low))
        return Interval(fast, slow)

    @property
    def peak_tflops(self) -> float | None:
        """The dense peak that `mfu` is held against; None where nothing is done."""
        return self.achieved_tflops / self.mfu if self.mfu else None

    @property
    def most_gpus_worth(self) -> float | None:
        """The work of how many GPUs no number of them exceeds, by Amdahl's law; None without a serial share."""
        return 1.0 / self.serial_share if self.serial_share > 0 else None

    @property
    def gpus_worth(self) -> float:
        """The work of how many GPUs alone the build does."""
        gpus = self.tokens_per_s_total / self.tokens_per_s_gpu if self.tokens_per_s_gpu else 0.0
        return self.efficiency * gpus


class FabricRow(NamedTuple):
    """This workload's traffic over one link. A named tuple: each sizing makes a row for every link of the catalog.

    seconds: time in collectives per generated token (serving) or per step (training).
    """

    link: str
    name: str
    scope: Literal["intra-node", "inter-node"]
    bandwidth_gb_s: float  # one way
    bandwidth_note: str  # "900 GB/s both ways" where a vendor prints that
    latency_us: float | None  # the link's own, of one transfer; None where nobody states it
    startup_us: float  # of the smallest message through the collectives library, fitted where measured
    seconds: float
    prefill_seconds: float
    share: float
    relative_speed: float  # 1.0 is the fastest link of the table
    word: FabricWord
    kind: FigureKind
    in_use: Literal["", "intra", "inter"] = ""
    relative_speed_pp: float | None = None  # the same with PP across this link
    relative_speed_dp: float | None = None  # the same with DP across this link
    relative_speed_tp: float | None = None  # the same with TP across this link
    word_tp: FabricWord | None = None
    word_pp: FabricWord | None = None
    word_dp: FabricWord | None = None
    assumed: str = ""  # set where another layout is priced, since this one sends nothing, or more memory than there is

    @property
    def place(self) -> str:
        """Where the link is: `in the box` or `between boxes`."""
        return "in the box" if self.scope == "intra-node" else "between boxes"

    @property
    def quality(self) -> FabricQuality:
        """What the link leaves of the speed, wherever it is: `fine`, `viable`, `painful` or `unusable`."""
        return _quality(self.word, self.relative_speed)

    @property
    def quality_tp(self) -> FabricQuality | None:
        """The same with TP across this link."""
        return _of_dimension(self.word_tp, self.relative_speed_tp)

    @property
    def quality_pp(self) -> FabricQuality | None:
        """The same with PP across this link."""
        return _of_dimension(self.word_pp, self.relative_speed_pp)

    @property
    def quality_dp(self) -> FabricQuality | None:
        """The same with DP across this link."""
        return _of_dimension(self.word_dp, self.relative_speed_dp)


def _quality(word: FabricWord, relative_speed: float) -> FabricQuality:
    """The quality alone of a word that also says where the link is."""
    if word == "in-box":
        return "fine" if relative_speed >= FINE_FROM else "viable"
    return "fine" if word == "optimal" else word


def _of_dimension(word: FabricWord | None, relative_speed: float | None) -> FabricQuality | None:
    return None if word is None or relative_speed is None else _quality(word, relative_speed)


class ScalingRow(NamedTuple):
    """Per-GPU efficiency of one shape of build. A named tuple, as `FabricRow` is.

    Training: a GPU's speed against one GPU that is imagined to hold everything. Serving: a GPU's output tokens a second
    under the shape's best load against those of the shape that has most; tokens_per_s_gpu, tokens_per_s_total and users
    are that best load (`Serving`: inside the latency targets, else all that run at once), None for training. The rows of
    serving are worked out when they are read (`engine.decide.serving_scaling.serving_rows`): a `Sizing` for the screen has none.
    """

    configuration: str
    gpus: int
    parallelism: str
    fabric: str
    efficiency: float
    source: str
    below_floor: bool = False
    better: str = ""  # below the floor: the better shape and its efficiency
    article_efficiency: float | None = None
    fits: bool = True  # whether weights, gradients and optimizer states alone fit the card; whether the engine starts
    nodes: int = 1
    in_use: bool = False  # the person's own shape
    tokens_per_s_gpu: float | None = None
    tokens_per_s_total: float | None = None
    users: int | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """One line a step rests on: what, the figure in words with unit, and its kind."""

    what: str
    figure: str
    kind: FigureKind = "fitted"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the verdict. reached False: what it would have said had the flow come here."""

    number: int
    question: str
    answer: str  # "yes", "no" or "not applicable", then the reason in one clause
    yes: bool
    reached: bool
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Flip:
    """The nearest value of an entered number at which the verdict changes, and to what.

    last: the last value, on the way there, under which the verdict of now still holds.
    """

    field: str
    at: float
    to: Answer
    words: str
    last: float = 0.0


@dataclass(frozen=True, slots=True)
class Build:
    """A build that a verdict names: nodes of gpus_per_node of the entered card, in a weight format.

    layout: where the person pinned one and this build is in another; None where it is the pinned or the automatic one.
    """

    words: str
    gpus_per_node: int
    nodes: int
    weights: str
    replicas: int = 1
    layout: Layout | None = None


@dataclass(frozen=True)  # without slots, as `Sizing`
class Verdict:
    """The stepwise decision. headline: one line; reason: why, one line; build: what to buy or run.

    carried: whether the build as entered carries the workload. recommended: the build of the deciding step. steps: made
    when they are first read.
    """

    step: int
    answer: Answer
    headline: str
    reason: str
    build: str
    assumed: tuple[str, ...] = ()  # what was assumed because no target was given
    replicas: int = 1
    carried: bool = True
    flips: tuple[Flip, ...] = ()
    recommended: Build | None = None
    steps: Rows[Step] = Rows()


@dataclass(frozen=True, slots=True)
class Notice:
    """A trap that applies, most severe first. fix: a single change that removes it."""

    id: str
    severity: Severity
    message: str
    fix: Suggestion | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to a person's first question, of the build as entered, its pinned layout included.

    status: `runs`; `slow` (no target given, and people would call it slow); `misses` (a target, a deadline or a budget
    is not met); `overloaded` (the engine starts, the load's KV does not fit); `does-not-fit`. why: what decides, in
    figures. speed, price: how fast and for how much, each in a few clauses. rung: which rung of the verdict.
    """

    status: Status
    why: Sentence
    speed: tuple[Sentence, ...]
    price: tuple[Sentence, ...]
    rung: Sentence
    misses: tuple[Miss, ...] = ()

    @property
    def carries(self) -> bool:
        """Whether the build does what was asked of it, however slowly where nobody asked for a speed."""
        return self.status in ("runs", "slow")


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One line of a bill: what, how many, what each costs, and the date and source of that price.

    age_days: of the price, on the catalog's own date; None undated or entered. key: the session key that a person
    enters the price with, where it is not known.
    """

    item: str
    quantity: int
    usd_each: float | None  # None: unknown
    as_of: str = ""
    source: str = ""
    part: str = ""  # cards, kit, host, network, rack
    age_days: int | None = None
    key: str = ""

    @property
    def usd(self) -> float | None:
        """The whole line; None when the price is unknown."""
        return None if self.usd_each is None else self.usd_each * self.quantity


@dataclass(frozen=True, slots=True)
class Offer:
    """What one provider asks an hour for as many GPUs as the build has."""

    provider: str
    billing: str
    usd_per_hour: float
    as_of: str
    age_days: int | None = None


@dataclass(frozen=True, slots=True)
class Horizon:
    """The ways of having the work done for so many months, USD; None is unknown, or nothing that this workload has.

    own: purchase, electricity, and what was entered beside them. rent: on demand, for the hours used; spot likewise;
    reserved: all hours of the builds, used or not. api: the tokens of the hours used from a hosted API. builds: of the same
    kind that the growth takes by the end, build_months: the months of all of them.
    """

    months: int
    own_usd: float | None
    rent_usd: float | None
    reserved_usd: float | None = None
    spot_usd: float | None = None
    api_usd: float | None = None
    hours: float = 0.0
    builds: int = 1
    build_months: int = 0
    tokens: float = 0.0


@dataclass(frozen=True, slots=True)
class Advised:
    """What the build that the verdict names costs, where it is another one than that entered.

    break_even_months: of a use that goes on. power_w: of all nodes at the wall. ask: as of Cost.
    """

    words: str
    lines: tuple[PriceLine, ...]
    buy_usd: float | None
    whole_usd: float | None
    rent_usd_per_hour: float | None
    rent_usd_per_month: float | None
    electricity_usd_per_month: float | None = None
    break_even_months: float | None = None
    power_w: float | None = None
    ask: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """Money, each price dated; None is unknown, never 0.

    usd_per_million_tokens: of output tokens, at the speed of the asked load. api_usd_per_million_tokens: what a hosted
    API asks for the same mixture of prompt and answer, per million output tokens.
    """

    buy_usd: float | None = None
    buy_note: str = ""
    lines: tuple[PriceLine, ...] = ()
    network_note: str = ""  # why no fabric is in the bill of several nodes
    rent_usd_per_hour: float | None = None
    rent_note: str = ""
    rent_usd_per_month: float | None = None
    offers: tuple[Offer, ...] = ()
    own_usd_per_month: float | None = None  # purchase over 36 months, and electricity
    horizons: tuple[Horizon, ...] = ()
    usd_per_million_tokens: float | None = None
    api_usd_per_million_tokens: float | None = None
    api_note: str = ""
    run_usd: float | None = None  # a training run, or the corpus of a batch, at the rental price
    break_even_months: float | None = None
    electricity_usd_per_month: float | None = None
    checkpoint_bytes: int = 0  # one training checkpoint with its optimizer states
    operations_factor: float = 1.0  # engineering time against one node
    operations_note: str = ""
    unknown: tuple[str, ...] = ()
    whole_usd: float | None = None  # the bill with every line of it known, for holding it to a budget
    advised: Advised | None = None
    hours_per_month: float = 0.0  # in which the build is used; of a training run those of its runs
    tokens_per_month: float | None = None  # answer tokens that the build writes in these hours
    break_even_runs: float | None = None  # training runs whose rent would have bought the build
    api_crossing_tokens_per_month: float | None = None  # below so many answer tokens a month the API costs less
    api_words: str = ""  # when an API is the better choice
    operations_fte: float | None = None  # full-time engineers, where a share for one node was entered
    operations_usd_per_month: float | None = None
    ask: str = ""  # the one price to ask a seller for, and the key to enter it with; empty when the main ones are known


@dataclass(frozen=True, slots=True)
class Circuit:
    """One usual circuit: the watts that it gives for long, and how many of it feed one node."""

    name: str
    volts: float
    amperes: float
    phases: int
    usable_w: float
    per_node: int


@dataclass(frozen=True, slots=True)
class Power:
    """Electrical draw, and what it takes to feed, house and cool it; None is unknown, or nothing that this build has."""

    gpu_w: float | None = None
    node_w: float | None = None  # at the wall
    total_w: float | None = None
    heat_btu_h: float | None = None
    psu_w: float | None = None  # rating of a node's supplies, without the spare one
    circuits_per_node: int | None = None
    circuit: str = ""
    pcie_lanes_needed: int | None = None
    host_memory_gib_min: float | None = None
    note: str = ""
    host: str = ""  # what a node is, in words
    host_w: float | None = None  # CPU, board, RAM, fans and disks of a node
    load_w: float | None = None  # what the supplies of a node deliver
    supply: str = ""  # ATX or CRPS; empty where they come with the box
    supply_w: float | None = None  # rating of one
    supplies: int | None = None  # of a node, that carry the load
    supplies_spare: int | None = None
    circuits: tuple[Circuit, ...] = ()  # the usual ones, the one to ask for first
    feeds: int = 1  # 2: A and B, each of circuits_per_node
    rack_units: int | None = None  # of a node
    rack_w: float | None = None  # what a rack may draw
    nodes_per_rack: int | None = None  # 0: a node is more than a rack may draw
    racks: int | None = None
    cooling: str = ""
    noise: str = ""
    pcie_lanes_board: int | None = None
    slots: str = ""
    nvme_bytes_min: int | None = None  # of a node


@dataclass(frozen=True, slots=True)
class Resolved:
    """What each setting or price is that a person may leave open: as entered or, where open, as filled in.

    total_tokens: of a training run.
    Prices are the catalog's own, whatever was entered. None: unknown, or nothing that this workload has.
    """

    gpu_price_usd: float | None = None
    usd_per_gpu_hour: float | None = None
    electricity_usd_per_kwh: float | None = None
    memory_utilization: float | None = None
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    total_tokens: int | None = None
    gradient_accumulation: int | None = None
    lora_precision: str | None = None
    gradient_precision: str | None = None
    residual_precision: str | None = None
    virtual_stages: int | None = None


@dataclass(frozen=True)  # without slots, which leave no place for a table to wait in
class Sizing:
    """The answer to one Scenario. `fabric` and `scaling` are made when they are first read."""

    scenario: Scenario
    model: ModelFacts
    layout: Layout
    memory: Memory
    serving: Serving | None
    training: Training | None
    verdict: Verdict
    warnings: tuple[Notice, ...]
    cost: Cost
    power: Power
    answer: Outcome
    resolved: Resolved = Resolved()
    fabric: Rows[FabricRow] = Rows()
    scaling: Rows[ScalingRow] = Rows()
