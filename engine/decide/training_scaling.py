"""A training run on more and fewer of its GPUs: time and money against GPUs, long against short, the smallest in time.

Each count is planned in full: the same run and global batch in the fastest layout that fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from engine.decide.plan import Plan, plan, resized
from engine.decide.scaling import FLOOR
from engine.figures.errors import ScenarioError
from engine.figures.records import NamedTuple, dataclass
from engine.figures.sentences import Figure, Sentence, said
from engine.figures.units import HOURS_PER_DAY, SECONDS_PER_DAY
from engine.money.prices import usd_per_gpu_hour as gpu_hour_price
from engine.scenario import Hardware, Layout, LayoutChoice, Scenario, Workload
from engine.scenario.fields.field import TRAINING
from engine.sizing import Training
from engine.training.batch import keeps_batch, useful_tokens
from engine.training.body import body
from engine.training.goodput import goodput
from engine.training.speed import efficiency_of, serial_share


@dataclass(frozen=True, slots=True)
class ScalingPoint:
    """One count of GPUs on the strong-scaling curve: the same run, the same global batch, the fastest layout.

    speedup and efficiency: against one GPU. marginal: speed gained over GPUs added since the point before.
    """

    gpus: int
    nodes: int
    layout: Layout
    days: float
    gpu_hours: float
    cost_usd: float | None
    tokens_per_s_total: float
    speedup: float
    efficiency: float
    marginal: float
    fits: bool


@dataclass(frozen=True, slots=True)
class StrongScaling:
    """Time to finish against GPUs. stops_paying: the last count before added GPUs work below the floor.

    serial_share: Amdahl's, from the largest point. words: one sentence for people.
    """

    points: tuple[ScalingPoint, ...]
    stops_paying: int | None
    serial_share: float
    words: Sentence

    @property
    def least_days(self) -> float:
        """The shortest run, however many GPUs: what of one GPU's run does not get faster with more."""
        return self.points[0].days * self.serial_share


class Timed(NamedTuple):
    """Useful tokens/s on a count of GPUs as planned, the layout, and whether it fits."""

    speed: float
    layout: Layout
    fits: bool


def point_of(
    scenario: Scenario,
    hardware: Hardware,
    timed: Timed,
    alone: float,
    before: Sequence[ScalingPoint],
    price: float | None,
) -> ScalingPoint:
    """One point of the curve. alone: tokens/s of one GPU. before: the point before it, none of the first. price: USD a GPU-hour."""
    count, speed = hardware.gpus, timed.speed
    keep = goodput(hardware, body(scenario.model.architecture, scenario.workload.sequence_length).parameters)
    days = scenario.workload.run_tokens / speed / keep / SECONDS_PER_DAY
    hours = days * HOURS_PER_DAY * count
    marginal = 1.0
    for last in before:
        marginal = (speed / last.tokens_per_s_total - 1) / (count / last.gpus - 1)
    return ScalingPoint(
        gpus=count,
        nodes=hardware.nodes,
        layout=timed.layout,
        days=days,
        gpu_hours=hours,
        cost_usd=None if price is None else hours * price,
        tokens_per_s_total=speed,
        speedup=speed / alone,
        efficiency=efficiency_of(speed / count, alone),
        marginal=marginal,
        fits=timed.fits,
    )


DEFAULT_COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def hourly_usd(scenario: Scenario) -> float | None:
    """What a GPU costs an hour: as entered, else the median on-demand offer of the catalog; None when unknown."""
    return gpu_hour_price(scenario)[0]


def strong_scaling_curve(
    scenario: Scenario, gpus: Sequence[int] = DEFAULT_COUNTS, usd_per_gpu_hour: float | None = None
) -> StrongScaling:
    """Time and cost of the scenario's run on each count of its GPUs, in nodes of the scenario's size.

    The global batch stays: more replicas than the batch has sequences do nothing. usd_per_gpu_hour: None takes what
    `hourly_usd` knows. Raises ScenarioError for an inference workload or a count that nodes cannot make.
    """
    _only_training(scenario)
    price = hourly_usd(scenario) if usd_per_gpu_hour is None else usd_per_gpu_hour
    points: list[ScalingPoint] = []
    base = _fastest(scenario, 1)
    for count in sorted(set(gpus)):
        timed = base if count == 1 else _fastest(scenario, count)
        points.append(point_of(scenario, _build_of(scenario.hardware, count), timed, base.speed, points[-1:], price))
    fitting = [point for point in points if point.fits]
    stops: int | None = None
    for before, after in pairwise(fitting):
        if after.marginal < FLOOR:
            stops = before.gpus
            break
    last = points[-1]
    share = serial_share(last.efficiency, last.gpus)
    return StrongScaling(tuple(points), stops, share, _curve_words(fitting, stops, last))


def _curve_words(fitting: Sequence[ScalingPoint], stops: int | None, last: ScalingPoint) -> Sentence:
    """Up to how many GPUs adding them pays."""
    if not fitting:
        return ("No count of these GPUs holds the training state.",)
    if stops is None:
        most = Figure(f"{last.gpus}", "curve.stops_paying")
        each = Figure(f"{100 * last.efficiency:.0f} %", "curve.last.efficiency")
        return ("Adding GPUs pays up to ", most, ": each still does ", each, " of one alone.")
    floor = Figure(f"{100 * FLOOR:.0f} %", "curve.stops_paying")
    wall = Figure(f"{stops}", "curve.stops_paying")
    return ("Beyond ", wall, " GPUs an added GPU does less than ", floor, " of its work.")


def _only_training(scenario: Scenario) -> None:
    if scenario.workload.is_inference:
        raise ScenarioError("workload.kind", "has no training run to scale", ", ".join(TRAINING))


def _build_of(hardware: Hardware, count: int) -> Hardware:
    """Hardware of `count` of the same GPUs in nodes of the same size. Raises ScenarioError when they do not divide."""
    per_node = min(count, max(hardware.gpus_per_node, 1))
    if count % per_node:
        lower = count - count % per_node
        raise ScenarioError("gpus", f"{count} GPUs do not fill nodes of {per_node}", f"multiples of {per_node}", lower)
    return replace(hardware, gpus_per_node=per_node, nodes=count // per_node)


def planned_at(scenario: Scenario, count: int) -> Plan:
    """The run on `count` of its GPUs, in nodes of the same size, in the layout that the curve has it in.

    Raises ScenarioError for a count that nodes cannot make.
    """
    return plan(_at(scenario, count))


def _at(scenario: Scenario, count: int) -> Scenario:
    """The run on `count` of its GPUs, the layout left to choose but for the entered count. Its batch stays, entered or not."""
    hardware = _build_of(scenario.hardware, count)
    if hardware == scenario.hardware:
        return scenario
    work = replace(scenario.workload, global_batch_tokens=scenario.workload.batch_tokens)
    return replace(scenario, hardware=hardware, workload=work, layout=LayoutChoice())


def _fastest(scenario: Scenario, count: int) -> Timed:
    """The run on `count` GPUs as planned."""
    planned = planned_at(scenario, count)
    if planned.training is None:
        raise ScenarioError("workload.kind", "has no training run to scale")
    return Timed(useful_speed(scenario.workload, planned.layout, planned.training), planned.layout, planned.memory.fits)


def useful_speed(workload: Workload, layout: Layout, run: Training) -> float:
    """Useful tokens/s of a run: of a batch that is outgrown, those that were asked."""
    if keeps_batch(workload, layout.dp):
        return run.tokens_per_s_total
    return useful_tokens(workload, run.step_tokens) / run.step_s


@dataclass(frozen=True, slots=True)
class RunOption:
    """One way to do the run: so many GPUs for so long at an hourly price."""

    gpus: int
    days: float
    usd_per_gpu_hour: float
    cost_usd: float
    fits: bool


@dataclass(frozen=True, slots=True)
class LongOrShort:
    """A long run on one GPU against a short one on several. premium: how many times more the short one costs."""

    one: RunOption
    many: RunOption
    times_faster: float
    premium: float
    usd_per_day_saved: float
    words: Sentence

    @property
    def days_saved(self) -> float:
        """Days by which the short run is sooner."""
        return self.one.days - self.many.days

    @property
    def usd_saved(self) -> float:
        """What the short run costs less, USD; negative where it costs more."""
        return self.one.cost_usd - self.many.cost_usd


def option(point: ScalingPoint, price: float) -> RunOption:
    """A point of the curve as a way to do the run, at an hourly price."""
    return RunOption(point.gpus, point.days, price, point.gpu_hours * price, point.fits)


def compared(one: RunOption, many: RunOption) -> tuple[float, float, float]:
    """How many times faster the second way is, how many times dearer, and USD for each day that it saves; 0 where it saves both."""
    premium = many.cost_usd / one.cost_usd if one.cost_usd else float("inf")
    saved = one.days - many.days
    return one.days / many.days, premium, (many.cost_usd - one.cost_usd) / saved if saved > 0 else 0.0


def long_or_short(
    scenario: Scenario, gpus: int, usd_per_gpu_hour_one: float, usd_per_gpu_hour_many: float
) -> LongOrShort:
    """The single-GPU long run against the multi-GPU short run, each at its own hourly price per GPU.

    Raises ScenarioError for inference, or a count of GPUs that nodes cannot make.
    """
    curve = strong_scaling_curve(scenario, (1, gpus), 1.0).points
    one, many = option(curve[0], usd_per_gpu_hour_one), option(curve[-1], usd_per_gpu_hour_many)
    faster, premium, each = compared(one, many)
    if each > 0:
        saved: Sentence = (Figure(f"{each:,.0f} USD", "choice.usd_per_day_saved"), " for each day saved.")
    else:
        money = Figure(f"{one.cost_usd - many.cost_usd:,.0f} USD", "choice.usd_saved")
        saved = ("they also save ", money, ".")
    words = said(
        f"{gpus} GPUs finish in ",
        Figure(_span(many.days), "choice.many.days"),
        " instead of ",
        Figure(_span(one.days), "choice.one.days"),
        ", ",
        Figure(f"{faster:.1f}", "choice.times_faster"),
        " times faster, for ",
        Figure(f"{premium:.2f}", "choice.premium"),
        " times the money: ",
        saved,
        "" if one.fits else " One GPU would not hold the training state.",
    )
    return LongOrShort(one, many, faster, premium, each, words)


@dataclass(frozen=True, slots=True)
class SmallestBuild:
    """The smallest build that meets the deadline and the budget, or why there is none.

    plan: that build sized; None when nothing meets both. days, cost_usd: of it, or of the closest. payable: where a build
    in time is over the budget, the fastest within it.
    """

    found: bool
    plan: Plan | None
    gpus: int
    nodes: int
    days: float
    cost_usd: float | None
    words: Sentence
    payable: Plan | None = None


BUILD_COUNTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
"""Node counts that the search tries once a single node is not enough."""


def smallest_build(
    scenario: Scenario,
    deadline_days: float | None = None,
    budget_usd: float | None = None,
    usd_per_gpu_hour: float | None = None,
    max_gpus: int = 1024,
) -> SmallestBuild:
    """The fewest GPUs of the scenario's kind that finish the run in time and within the budget, or a clear no.

    deadline_days, budget_usd: None takes the workload's own. Each count is planned in full: layout chosen, memory
    checked. Raises ScenarioError for inference, or when there is neither a deadline nor a budget.
    """
    _only_training(scenario)
    workload = scenario.workload
    deadline = workload.deadline_days if deadline_days is None else deadline_days
    budget = workload.budget_usd if budget_usd is None else budget_usd
    if deadline is None and budget is None:
        raise ScenarioError("workload.deadline_days", "is needed to look for the smallest build", "days above 0")
    price = hourly_usd(scenario) if usd_per_gpu_hour is None else usd_per_gpu_hour
    if budget is not None and price is None:
        raise ScenarioError(
            "money.usd_per_gpu_hour", "is needed to hold a budget: nobody in the catalog rents this GPU"
        )
    in_time: tuple[float, float | None, Plan] | None = None
    affordable: tuple[float, float | None, Plan] | None = None
    held = False
    for per_node, nodes in _counts(scenario.hardware.gpus_per_node, max_gpus):
        made = plan(resized(scenario, per_node, nodes))
        if made.training is None or not made.memory.fits:
            continue
        held = True
        days = made.training.days
        cost = None if price is None else made.training.gpu_hours * price
        timely = deadline is None or days <= deadline
        payable = budget is None or (cost is not None and cost <= budget)
        if timely and payable:
            count = per_node * nodes
            words: Sentence = (_count(per_node, nodes), ": ", _days(days))
            if cost is not None:
                words = (*words, ", ", Figure(f"{cost:,.0f} USD", "smallest.cost_usd"))
            return SmallestBuild(True, made, count, nodes, days, cost, words)
        if timely and in_time is None:
            in_time = (days, cost, made)
        if payable and (affordable is None or days < affordable[0]):
            affordable = (days, cost, made)
    return _refusal(held, deadline, budget, in_time, affordable, max_gpus)


def _counts(per_node: int, max_gpus: int) -> list[tuple[int, int]]:
    inside = [(count, 1) for count in (1, 2, 4, 8, 16, 32, 64) if count <= per_node]
    if (per_node, 1) not in inside:
        inside.append((per_node, 1))
    return inside + [(per_node, nodes) for nodes in BUILD_COUNTS[1:] if per_node * nodes <= max_gpus]


def _span(days: float) -> str:
    """A length of time in words, in the unit that people use for it."""
    if days >= 1:
        return f"{days:,.1f} days"
    return f"{days * 24:,.1f} hours" if days >= 1 / 12 else f"{days * 24 * 60:,.1f} minutes"


def _days(days: float) -> Figure:
    return Figure(_span(days), "smallest.days")


def _count(per_node: int, nodes: int) -> Figure:
    words = f"{per_node} GPUs" if per_node > 1 else "1 GPU"
    return Figure(f"{nodes} nodes of {words}" if nodes > 1 else words, "smallest.gpus")


def _refusal(
    held: bool,
    deadline: float | None,
    budget: float | None,
    in_time: tuple[float, float | None, Plan] | None,
    affordable: tuple[float, float | None, Plan] | None,
    max_gpus: int,
) -> SmallestBuild:
    if not held:
        none = f"No: up to {max_gpus:,} of these GPUs, none holds the training state."
        return SmallestBuild(False, None, 0, 0, float("inf"), None, (none,))
    if in_time is not None and in_time[1] is not None and budget is not None:
        days, cost, made = in_time
        hardware = made.scenario.hardware
        words = said(
            "No: in time is ",
            _count(hardware.gpus_per_node, hardware.nodes),
            " at the least (",
            _days(days),
            "), which costs ",
            Figure(f"{in_time[1]:,.0f} USD", "smallest.cost_usd"),
            ", over the ",
            Figure(f"{budget:,.0f}", "load.budget_usd"),
            ".",
        )
        if affordable is not None:
            fastest = Figure(_span(affordable[0]), "smallest.payable_days")
            words = said(words, " Within the budget the fastest takes ", fastest, ".")
        payable = affordable[2] if affordable is not None else None
        return SmallestBuild(False, made, hardware.gpus, hardware.nodes, days, cost, words, payable)
    if affordable is not None:
        days, cost, made = affordable
        hardware = made.scenario.hardware
        words = (
            "No: not even ",
            _count(hardware.gpus_per_node, hardware.nodes),
            " finish in ",
            Figure(_span(deadline or 0.0), "load.deadline_days"),
            "; the fastest takes ",
            _days(days),
            ".",
        )
        return SmallestBuild(False, made, hardware.gpus, hardware.nodes, days, cost, words)
    none = f"No: no build up to {max_gpus:,} GPUs is in time or within the budget."
    return SmallestBuild(False, None, 0, 0, float("inf"), None, (none,))
