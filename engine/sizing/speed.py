"""The speed of a serving build, and the speed and length of a training run."""

from __future__ import annotations

from typing import Literal

from engine.figures.kinds import Interval
from engine.figures.records import NamedTuple, dataclass
from engine.figures.sentences import Sentence
from engine.figures.units import SECONDS_PER_DAY


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
    best_tokens_per_s_interval: Interval
    bound_by: Literal["memory bandwidth", "compute", "communication", "overhead"]
    meets_targets: bool | None  # None when nobody set a target
    missed: tuple[Sentence, ...] = ()  # which targets are missed, in words
    misses: tuple[Miss, ...] = ()  # the same, each with its figures
    # parts of one decode step, seconds
    weight_stream_s: float = 0.0
    kv_stream_s: float = 0.0
    compute_s: float = 0.0
    overhead_s: float = 0.0
    communication_s: float = 0.0
    prefill_interference_s: float = 0.0
    # what so many of 100 requests stay below: of first tokens, and of their own means of the time per token
    ttft_p50_s: float = 0.0
    ttft_p95_s: float = 0.0
    ttft_p99_s: float = 0.0
    inter_token_p50_s: float = 0.0
    inter_token_p95_s: float = 0.0
    inter_token_p99_s: float = 0.0
    most_at_once: int = 0
    best_requests_per_s: float = 0.0
    users_within_targets: int | None = None
    # a batch with a corpus
    corpus_requests: float | None = None
    days: float | None = None
    gpu_hours: float | None = None  # of all GPUs of the build, for these days

    @property
    def tokens_per_s_user_p50(self) -> float:
        """Tokens a second that half of the users see at least."""
        return 1 / self.inter_token_p50_s

    @property
    def tokens_per_s_user_p95(self) -> float:
        """Tokens a second that 95 of 100 users see at least."""
        return 1 / self.inter_token_p95_s

    @property
    def tokens_per_s_user_p99(self) -> float:
        """Tokens a second that 99 of 100 users see at least."""
        return 1 / self.inter_token_p99_s

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
    generation_s: float = 0.0
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
        return self.tokens_per_s_total * self.goodput * SECONDS_PER_DAY

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
