"""What a person measured beside what is predicted of the same build under the same load, figure by figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from engine.decide.layouts import layout_words
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.figures.kept import keep
from engine.figures.records import NamedTuple, dataclass
from engine.figures.units import GIB
from engine.parts.own import Measurement
from engine.scenario import Scenario
from engine.scenario.change import change
from engine.sizing import Sizing
from engine.sizing.memory import TrainingDetail
from engine.training.own import sharing_of


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: as measured and as predicted, in one unit, with the predicted's 80 % interval where it has one.

    term: what the figure is made of that would be off. own: its name as own calibration, where it can be kept. key: of the
    log's figures. sharing: how the GPUs of a training run share it.
    """

    label: str
    unit: str
    measured: float
    predicted: float
    low: float | None = None
    high: float | None = None
    term: str = ""
    own: str = ""
    key: str = ""
    sharing: str = ""

    @property
    def ratio(self) -> float:
        """Measured over predicted."""
        return self.measured / self.predicted

    @property
    def inside(self) -> bool | None:
        """Whether the measured lies inside the interval; None without one."""
        if self.low is None or self.high is None:
            return None
        return self.low <= self.measured <= self.high


LOAD = {
    **{
        name: f"workload.{name}"
        for name in ("concurrency", "input_tokens", "output_tokens", "requests", "requests_per_s", "cached_share")
    },
    "max_model_len": "runtime.max_model_len",
}
"""What a tool ran and says, by its name in a session: keys that its figures are of."""


class Beside(NamedTuple):
    """A measurement kept with a session, and its figures beside ours; other: it is of another build, so that none stand there."""

    measurement: Measurement
    rows: tuple[Row, ...]
    other: bool = False


def build_words(sizing: Sizing) -> str:
    """What ran, in words that two measurements of one build share: model, format, cards, engine and layout."""
    scenario = sizing.scenario
    model, hardware, work = scenario.model, scenario.hardware, scenario.workload
    software = scenario.runtime.engine if work.is_inference else f"{work.kind} by {work.framework}"
    count = f"{hardware.nodes}x {hardware.gpus_per_node}" if hardware.nodes > 1 else str(hardware.gpus_per_node)
    cards = f"{count}x {hardware.accelerator.id}"
    return f"{model.id or model.name} {scenario.format_held}, {cards}, {software}, {layout_words(sizing.layout)}"


def under(scenario: Scenario, load: Mapping[str, Any]) -> Scenario:
    """The build under the load that a tool ran, by keys of a session. Raises ScenarioError."""
    return change(scenario, load) if load else scenario


def rows_of(figures: Mapping[str, float], load: Mapping[str, Any], scenario: Scenario) -> list[Row]:
    """Measured figures beside those of the build under that load. Raises ScenarioError where it cannot be sized so."""
    sizing = size(under(scenario, load))
    found = (row_of(key, measured, sizing) for key, measured in figures.items())
    # a median speaks of the build where no mean does
    return [
        replace(row, own="")
        if row.key.replace("_p50", "") != row.key and row.key.replace("_p50", "") in figures
        else row
        for row in found
        if row is not None
    ]


_known: dict[int, tuple[Sizing, tuple[Beside, ...]]] = {}


def beside(sizing: Sizing) -> tuple[Beside, ...]:
    """The measurements that a session keeps, each beside what is predicted of it now; worked out once for a sizing."""
    if not sizing.scenario.measured:
        return ()
    found = _known.get(id(sizing))
    if found is None:
        # the sizing is kept beside the answer, so that its identity stays taken
        found = keep(_known, id(sizing), (sizing, tuple(_beside(one, sizing) for one in sizing.scenario.measured)), 8)
    return found[1]


def _beside(one: Measurement, sizing: Sizing) -> Beside:
    if one.build != build_words(sizing):
        return Beside(one, (), other=True)
    load = {LOAD[key]: value for key, value in one.load}
    try:
        return Beside(one, tuple(rows_of(dict(one.figures), load, sizing.scenario)))
    except ScenarioError:  # a load that this build, as it is entered now, does not take
        return Beside(one, (), other=True)


def row_of(key: str, measured: float, sizing: Sizing) -> Row | None:
    """One figure of a log beside what a sizing says of it; None where it says nothing."""
    reader = FIGURES.get(key)
    made = reader(sizing, measured) if reader is not None else None
    return replace(made, key=key) if made is not None and made.predicted > 0 else None


def _memory(label: str, read: Callable[[Sizing], float], term: str) -> Callable[[Sizing, float], Row | None]:
    def row(sizing: Sizing, measured: float) -> Row | None:
        if not sizing.scenario.workload.is_inference:
            return None
        return Row(label, "GiB", measured, read(sizing) / GIB, term=term)

    return row


def _kv(label: str, unit: str, measured: float, predicted: float, sizing: Sizing, term: str) -> Row | None:
    """Room for KV, with the interval of the tokens that fit around it."""
    if not sizing.scenario.workload.is_inference:
        return None
    span, whole = sizing.memory.kv_interval, sizing.memory.kv_capacity_tokens
    low, high = (None, None) if span is None else (predicted * span.low / whole, predicted * span.high / whole)
    return Row(label, unit, measured, predicted, low, high, term)


def _kv_space(sizing: Sizing, measured: float) -> Row | None:
    room = sizing.memory.worst.kv_capacity_bytes / GIB
    return _kv("KV space", "GiB", measured, room, sizing, "what the engine keeps beside weights and KV")


def _kv_tokens(sizing: Sizing, measured: float) -> Row | None:
    tokens = sizing.memory.kv_capacity_tokens / max(1, sizing.layout.dp)
    return _kv("KV cache", "tokens", measured, tokens, sizing, "what weights and activations leave")


def _concurrency(sizing: Sizing, measured: float) -> Row | None:
    return Row("maximum concurrency", "x", measured, sizing.memory.reported_concurrency, term="the KV of one sequence")


def _speed(label: str, name: str, span: str, own: str) -> Callable[[Sizing, float], Row | None]:
    def row(sizing: Sizing, measured: float) -> Row | None:
        if sizing.serving is None:
            return None
        kept = own if sizing.scenario.workload.kind != "embed" else ""  # whose passes are neither
        predicted = getattr(sizing.serving, name)
        between = getattr(sizing.serving, span) if span else None
        low, high = (between.low, between.high) if between is not None else (None, None)
        bound = f"the step, bound by {sizing.serving.bound_by}" if own == "inter_token" else ""
        bound = "prompts: their FLOPs and the wait for them" if own == "ttft" else bound
        unit = "s" if name.endswith("_s") and "per" not in name else "tokens/s" if "tokens" in name else "requests/s"
        return Row(label, unit, measured, predicted, low, high, bound, kept)

    return row


def _embedded(label: str, unit: str, name: str) -> Callable[[Sizing, float], Row | None]:
    def row(sizing: Sizing, measured: float) -> Row | None:
        if sizing.serving is None or not sizing.scenario.workload.embeds:
            return None
        between = getattr(sizing.serving, INTERVALS[name])
        low, high = (between.low, between.high) if between is not None else (None, None)
        return Row(
            label, unit, measured, getattr(sizing.serving, name), low, high, "passes: their products and weights"
        )

    return row


INTERVALS = {"ttft_s": "ttft_interval", "tokens_per_s_total": "tokens_per_s_interval"}


def _training(
    label: str, unit: str, read: Callable[[Sizing], tuple[float, float | None, float | None]], own: str, term: str
) -> Any:
    def row(sizing: Sizing, measured: float) -> Row | None:
        if sizing.training is None:
            return None
        predicted, low, high = read(sizing)
        return Row(label, unit, measured, predicted, low, high, term, own, sharing=sharing_of(sizing.layout))

    return row


def _step(sizing: Sizing) -> tuple[float, float | None, float | None]:
    run = sizing.training
    assert run is not None
    each = run.step_s * run.tokens_per_s_gpu
    return run.step_s, each / run.interval.high, each / run.interval.low


def _tokens(sizing: Sizing) -> tuple[float, float | None, float | None]:
    run = sizing.training
    assert run is not None
    gpus = sizing.layout.gpus
    return run.tokens_per_s_gpu * gpus, run.interval.low * gpus, run.interval.high * gpus


def _tokens_gpu(sizing: Sizing) -> tuple[float, float | None, float | None]:
    run = sizing.training
    assert run is not None
    return run.tokens_per_s_gpu, run.interval.low, run.interval.high


def _held(read: Callable[[TrainingDetail], int]) -> Callable[[Sizing], tuple[float, float | None, float | None]]:
    """What torch counts of a step, GiB, with the interval of what the step needs around it."""

    def held(sizing: Sizing) -> tuple[float, float | None, float | None]:
        detail, needs = sizing.memory.training, sizing.memory.peak_bytes
        assert detail is not None
        counted = read(detail) / GIB
        return counted, counted * detail.interval.low / needs, counted * detail.interval.high / needs

    return held


STEP = "kernels, or what links add to them: nccl-tests tell them apart"
ACTIVATIONS = "activations, or what is kept between forward and backward"
FIGURES: Mapping[str, Callable[[Sizing, float], Row | None]] = {
    "weights_gib": _memory(
        "weights", lambda s: s.memory.worst.weights_bytes, "the weights' format, or what stays in 16 bits"
    ),
    "kv_gib": _kv_space,
    "activation_gib": _memory("activations", lambda s: s.memory.worst.activation_bytes, "the profile run"),
    "kv_tokens": _kv_tokens,
    "concurrency": _concurrency,
    "ttft_s": _speed("first token", "ttft_s", "ttft_interval", "ttft"),
    "inter_token_s": _speed("time per token", "inter_token_s", "inter_token_interval", "inter_token"),
    **{
        f"{name}_{at}_s": _speed(f"{label}, {at}", f"{name}_{at}_s", "", own if at == "p50" else "")
        for name, label, own in (("ttft", "first token", "ttft"), ("inter_token", "time per token", "inter_token"))
        for at in ("p50", "p95", "p99")
    },
    "tokens_per_s": _speed("tokens/s in all", "tokens_per_s_total", "tokens_per_s_interval", "tokens_per_s"),
    "request_s": _embedded("a request", "s", "ttft_s"),
    "read_tokens_per_s": _embedded("tokens/s read", "tokens/s", "tokens_per_s_total"),
    "requests_per_s": _speed("requests/s", "requests_per_s", "", ""),
    "step_s": _training("optimizer step", "s", _step, "train_step", STEP),
    "train_tokens_per_s": _training("tokens/s in all", "tokens/s", _tokens, "train_tokens_per_s", STEP),
    "tokens_per_s_gpu": _training("tokens/s a GPU", "tokens/s", _tokens_gpu, "train_tokens_per_s", STEP),
    "peak_gib": _training("peak allocated", "GiB", _held(lambda one: one.allocated_bytes), "train_peak", ACTIVATIONS),
    "reserved_gib": _training(
        "peak reserved", "GiB", _held(lambda one: one.reserved_bytes), "", "the allocator's cache"
    ),
}
"""What can be measured and is predicted, by its name in logs and sessions."""
