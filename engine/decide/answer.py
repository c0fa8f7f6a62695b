"""The answer first: does the build as entered run, how well, for how much, and which rung of the verdict is it on.

Everything here is of one plan: its pinned layout, its formats, its load. What to do instead is `engine.decide.advice`'s.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from engine.decide.host_notices import host_short, weights_on_host
from engine.decide.plan import Plan
from engine.figures.sentences import Figure, Part, Sentence, joined, said
from engine.figures.units import (
    count,
    days,
    digits,
    duration,
    gib,
    kilowatts,
    percent,
    rate,
    thousands_usd,
    usd,
    usd_per_hour,
)
from engine.model.formats import FORMATS
from engine.money.bill import lacking
from engine.scenario import Workload
from engine.scenario.frameworks import framework_words
from engine.serving.settings import longest_taken
from engine.serving.targets import SAID, first_figure, user_figure
from engine.sizing import Answer, Cost, Flip, Memory, Miss, Outcome, Power, Status, Verdict

SLOW_TTFT_S = 10.0
"""How long a first token may take before people think of something else: the ten seconds of Nielsen (Usability
Engineering, 1993, chapter 5), after Miller (Response time in man-computer conversational transactions, 1968)."""
SLOW_TOKENS_PER_S = 5.0
"""Slower than people read: 238 words a minute (Brysbaert 2019, How many words do we read per minute?) at 0.75 words a
token (OpenAI's rule of thumb for English) are 5.3 tokens/s."""
CODE_TOKENS_PER_S = 25.0
"""What code and agents want, whose words nobody reads one by one: 40 ms a token, as MLPerf Inference v5.0 asks of its
interactive scenario (MLCommons, LLM inference v5.0, April 2025), a fifth of the 200 ms of its older server scenario."""
RUNGS: dict[Answer, str] = {
    "one-gpu": "one GPU",
    "one-node": "one node",
    "one-node-int4": "one node at INT4",
    "replicas": "replicas",
    "multi-node": "a cluster",
    "frontier": "the frontier",
    "does-not-fit": "no build of this card",
}
LAST_STEP = 5
STATUS_WORDS: dict[Status, str] = {
    "runs": "RUNS",
    "slow": "SLOW",
    "misses": "MISSES",
    "overloaded": "OVERLOADED",
    "does-not-fit": "DOES NOT FIT",
}
NOT_STARTED = "No speed: it does not start"


def slow(plan: Plan) -> tuple[bool, bool]:
    """Whether people would call it slow: (the wait for the first token, the speed that a user reads at).

    A target that was given replaces what people are taken to expect, and nobody waits for a batch.
    """
    work, speed = plan.scenario.workload, plan.serving
    if speed is None or work.kind != "serve":
        return False, False
    waits = work.ttft_target_s is None and speed.ttft_s > SLOW_TTFT_S
    crawls = work.tokens_per_s_user_target is None and speed.tokens_per_s_user < SLOW_TOKENS_PER_S
    return waits, crawls


def enough(tokens_per_s_user: float) -> tuple[str, str]:
    """Whether a user's tokens/s are enough to chat or to code: in two words, and as a sentence; `sizeup help` has the limits."""
    if tokens_per_s_user < SLOW_TOKENS_PER_S:
        return "too slow", "slower than people read, too slow to chat"
    if tokens_per_s_user < CODE_TOKENS_PER_S:
        return "for chat", "faster than people read, enough to chat; code and agents want tens of tok/s"
    return "for code", "enough to chat, and for code and agents too"


def missed_targets(plan: Plan) -> tuple[Miss, ...]:
    """Every target, deadline and budget that the build does not meet."""
    work = plan.scenario.workload
    misses = list(plan.serving.misses) if plan.serving is not None else []
    if plan.training is not None and plan.training.meets_deadline is False and work.deadline_days is not None:
        misses.append(Miss("workload.deadline_days", work.deadline_days, plan.training.days))
    if plan.over_budget and work.budget_usd is not None:
        misses.append(Miss("workload.budget_usd", work.budget_usd, plan.spend_usd or 0.0))
    return tuple(misses)


def status_of(plan: Plan) -> Status:
    """The one word: `runs`, `slow`, `misses`, `overloaded` or `does-not-fit`."""
    if not plan.fits:
        started = plan.scenario.workload.is_inference and plan.memory.starts
        return "overloaded" if started else "does-not-fit"
    if not plan.meets_targets:
        return "misses"
    return "slow" if any(slow(plan)) else "runs"


def outcome(plan: Plan, verdict: Verdict, cost: Cost, power: Power) -> Outcome:
    """The answer about one build as entered."""
    status = status_of(plan)
    misses = missed_targets(plan) if status == "misses" else ()
    return Outcome(
        status=status,
        why=_why(plan, status, misses),
        speed=speed_words(plan, status),
        price=price_words(plan, cost, power),
        rung=rung_words(plan, verdict),
        misses=misses,
    )


# ---------------------------------------------------------------- why


def _why(plan: Plan, status: Status, misses: tuple[Miss, ...]) -> Sentence:
    if status == "does-not-fit":
        return _too_much(plan)
    if status == "overloaded":
        return _waiting(plan)
    if short := host_short(plan.scenario, on_host(plan)):
        return short
    if status == "misses":
        return _missing(plan, misses)
    if status == "slow":
        return _slowness(plan)
    return _room(plan)


def on_host(plan: Plan) -> int:
    """Bytes that a build keeps in the host memory of a node."""
    inference = plan.scenario.workload.is_inference
    return weights_on_host(plan.scenario, plan.layout) if inference else plan.memory.host_bytes


def _each(plan: Plan) -> str:
    return "on this card" if plan.scenario.hardware.gpus == 1 else "on each card"


def _under(plan: Plan) -> str:
    """The framework of a run, which decides its layout and what a step keeps."""
    return f"under {framework_words(plan.scenario.workload)}"


def _too_much(plan: Plan) -> Sentence:
    memory, worst = plan.memory, plan.memory.worst
    usable = Figure(f"{gib(worst.usable_bytes)} GiB", "memory.usable_bytes")
    if not plan.scenario.workload.is_inference:
        over = Figure(gib(worst.over_bytes), "memory.over_bytes")
        peak = Figure(gib(memory.peak_bytes), "memory.peak_bytes")
        return (f"{_under(plan)} a step needs ", peak, " of ", usable, ", ", over, " over")
    fixed = worst.used_bytes - worst.kv_bytes
    if worst.weights_bytes > worst.usable_bytes:
        held = Figure(gib(worst.weights_bytes), "memory.weights_bytes")
        over = Figure(
            gib(worst.weights_bytes - worst.usable_bytes), "difference(memory.weights_bytes,memory.usable_bytes)"
        )
        return ("weights alone take ", held, " of ", usable, f" {_each(plan)}, ", over, " too many")
    if fixed > worst.usable_bytes:
        held = Figure(gib(fixed), "difference(memory.used_bytes,memory.kv_bytes)")
        return ("weights and buffers take ", held, " of ", usable, f" {_each(plan)}")
    return (*memory.headroom_reason, f" {_each(plan)}")


def _waiting(plan: Plan) -> Sentence:
    work = plan.scenario.workload
    if (plan.scenario.runtime.max_model_len or work.tokens_per_request) < work.tokens_per_request:
        asked = Figure(count(work.tokens_per_request), "load.tokens_per_request")
        longest = Figure(count(longest_taken(plan.scenario)), "load.max_model_len")
        return ("starts, but refuses requests of ", asked, " tokens: it takes up to ", longest)
    held = Figure(f"{plan.memory.users_that_fit:,}", "memory.users_that_fit")
    asked = Figure(f"{plan.scenario.workload.concurrency:,}", "load.concurrency")
    return ("starts, but the KV holds ", held, " of ", asked, " users; the others wait")


_MISS: dict[str, tuple[str, str, str]] = {
    "workload.ttft_target_s": ("first token ", "serving.ttft_s", "load.ttft_target_s"),
    "workload.tokens_per_s_user_target": ("", "serving.tokens_per_s_user", "load.tokens_per_s_user_target"),
    "workload.requests_per_s": ("", "serving.best_requests_per_s", "load.requests_per_s"),
    "workload.deadline_days": ("", "training.days", "load.deadline_days"),
    "workload.budget_usd": ("", "cost.run_usd", "load.budget_usd"),
}


def _amount(target: str, value: float) -> str:
    """A figure of a target in the unit that the target is read in."""
    if target == "workload.ttft_target_s":
        return duration(value)
    if target == "workload.tokens_per_s_user_target":
        return f"{digits(value)} tok/s a user"
    if target == "workload.requests_per_s":
        return f"{digits(value)} requests/s"
    if target == "workload.deadline_days":
        return days(value)
    return usd(value)


def _missing(plan: Plan, misses: tuple[Miss, ...]) -> Sentence:
    told: list[Sentence] = []
    for miss in misses:
        lead, got, asked = _MISS[miss.target]
        statistic = ""
        if miss.target == "workload.ttft_target_s":
            got, statistic = first_figure(plan.scenario.workload), SAID[plan.scenario.workload.ttft_target_at]
        if miss.target == "workload.tokens_per_s_user_target":
            got = user_figure(plan.scenario.workload)
            statistic = SAID[plan.scenario.workload.tokens_per_s_user_target_at]
        if miss.target == "workload.budget_usd" and not plan.scenario.workload.is_run:
            got = "cost.buy_usd"  # what serves is bought, a run is rented
        if miss.target == "workload.deadline_days" and plan.training is None:
            got = "serving.days"
        shown = Figure(_amount(miss.target, miss.got), got)
        under = f" {_under(plan)}" if plan.training is not None and not told else ""
        shown_as: Sentence = (lead, shown, *_either(plan, miss.asked)) if got == "training.days" else (lead, shown)
        told.append((*shown_as, f"{statistic}{under}, asked ", Figure(_amount(miss.target, miss.asked), asked)))
        if len(shown_as) > 2:
            told[-1] = (*told[-1], ", and may be in time")
    rest = "; everything else is met" if len(misses) < _targets(plan.scenario.workload) else ""
    return (*joined(told, "; "), rest) if rest else joined(told, "; ")


def _either(plan: Plan, deadline_days: float) -> Sentence:
    """Between what a run takes, where a deadline lies inside it: it may be in time, and may be late."""
    between = plan.training.days_interval if plan.training is not None else None
    if between is None or not between.low <= deadline_days <= between.high:
        return ()
    return (" (", Figure(f"{days(between.low)} to {days(between.high)}", "training.days"), ")")


def _targets(work: Workload) -> int:
    serving = (work.ttft_target_s, work.tokens_per_s_user_target, work.requests_per_s)
    asked = (*(serving if work.is_inference else ()), work.deadline_days if work.is_run else None, work.budget_usd)
    return sum(value is not None for value in asked)


def _slowness(plan: Plan) -> Sentence:
    assert plan.serving is not None
    waits, crawls = slow(plan)
    first = Figure(duration(plan.serving.ttft_s), "serving.ttft_s")
    reads = Figure(f"{digits(plan.serving.tokens_per_s_user)} tok/s", "serving.tokens_per_s_user")
    if waits and crawls:
        return ("no target given, but a user waits ", first, " and then reads ", reads)
    if waits:
        return ("no target given, but a user waits ", first, " for the first token")
    return ("no target given, but a user reads ", reads, ", slower than people read")


def narrow(memory: Memory) -> str:
    """The words of a memory that holds the load with little to spare, as `tight`, or whose interval reaches over the card; empty where
    it has room, or is too small."""
    word = memory.headroom if memory.headroom in ("tight", "marginal") else ""
    may = "may not start" if memory.may_not_start else "may not fit" if memory.may_not_fit else ""
    return f"{word}, {may}" if word and may else word or may


def _room(plan: Plan) -> Sentence:
    memory, worst = plan.memory, plan.memory.worst
    lead = f"{narrow(memory)}: " if narrow(memory) else ""
    if not plan.scenario.workload.is_inference:
        peak = Figure(gib(memory.peak_bytes), "memory.peak_bytes")
        usable = Figure(f"{gib(worst.usable_bytes)} GiB", "memory.usable_bytes")
        needs: Sentence = (f"{lead}{_under(plan)} a step needs ", peak)
        if memory.may_not_fit and memory.training is not None:
            between = memory.training.interval
            either = Figure(f"{gib(between.low)} to {gib(between.high)}", "memory.peak_bytes")
            needs = (*needs, " (", either, ")")
        needs = (*needs, " of ", usable)
        deadline = plan.scenario.workload.deadline_days
        late = _either(plan, deadline) if deadline is not None else ()
        if not late or plan.training is None:
            return needs
        return (*needs, "; may be late: ", Figure(days(plan.training.days), "training.days"), *late)
    parts: list[Part] = [f"{lead}weights ", Figure(percent(memory.weights_share), "memory.weights_share")]
    parts.append(" of the card" if plan.scenario.hardware.gpus == 1 else " of each card")
    if not memory.fits and plan.serving is not None:
        held = Figure(f"{plan.serving.served_concurrency:,}", "serving.served_concurrency")
        asked = Figure(f"{plan.scenario.workload.concurrency:,}", "load.concurrency")
        parts += [", ", held, " of ", asked, " sequences run at once"]
    elif (
        memory.kv_capacity_tokens
        and memory.kv_share is not None
        and plan.scenario.workload.corpus_tokens is None
        and not plan.scenario.workload.embeds
    ):
        needed = Figure(percent(memory.kv_share), "memory.kv_share")
        parts += [", the load takes ", needed, " of the KV"]
    return tuple(parts)


# ---------------------------------------------------------------- how well, for how much


def speed_words(plan: Plan, status: Status) -> tuple[Sentence, ...]:
    """How fast: what a user gets, the wait and the total; days and MFU of a run; why there is none."""
    speed, run = plan.serving, plan.training
    if status == "does-not-fit" or (speed is None and run is None):
        return ((NOT_STARTED,),)
    if speed is not None and speed.days is not None:
        length = Figure(days(speed.days), "serving.days")
        total = Figure(f"{rate(speed.tokens_per_s_total)} tok/s", "serving.tokens_per_s_total")
        at_once = Figure(f"{speed.served_concurrency:,}", "serving.served_concurrency")
        return (length, " for the corpus"), (total, " written"), (at_once, " sequences at once")
    if speed is not None and plan.scenario.workload.embeds:
        requests = Figure(f"{digits(speed.requests_per_s)} requests/s", "serving.requests_per_s")
        wait = Figure(duration(speed.ttft_s), "serving.ttft_s")
        total = Figure(f"{rate(speed.tokens_per_s_total)} tok/s", "serving.tokens_per_s_total")
        return (requests,), ("each after ", wait), (total, " read")
    if speed is not None:
        user = Figure(f"{digits(speed.tokens_per_s_user)} tok/s a user", "serving.tokens_per_s_user")
        first = Figure(duration(speed.ttft_s), "serving.ttft_s")
        total = Figure(f"{rate(speed.tokens_per_s_total)} tok/s", "serving.tokens_per_s_total")
        return (user,), ("first token ", first), (total, " in all")
    assert run is not None
    length = Figure(days(run.days), "training.days")
    mfu = Figure(percent(run.mfu), "training.mfu")
    total = Figure(f"{rate(run.tokens_per_s_total)} tok/s", "training.tokens_per_s_total")
    return (length,), (total,), ("MFU ", mfu)


def price_words(plan: Plan, cost: Cost, power: Power) -> tuple[Sentence, ...]:
    """For how much: the whole bill, else the rent; of a run its rent first; and what it draws."""
    parts: list[Sentence] = []
    if plan.fits and cost.run_usd is not None:
        parts.append((Figure(usd(cost.run_usd), "cost.run_usd"), " rented"))
    if cost.buy_usd is not None:
        lacks = "" if cost.whole_usd is not None else lacking(cost.lines)
        told = f" without {lacks}" if lacks else " all-in"
        sold = f" {cost.lines[0].sold}" if cost.lines[0].sold else ""
        parts.append((Figure(thousands_usd(cost.buy_usd), "cost.buy_usd"), f"{told}{sold}"))
    elif cost.rent_usd_per_hour is not None and not parts:
        parts.append((Figure(usd_per_hour(cost.rent_usd_per_hour), "cost.rent_usd_per_hour"), "/h to rent"))
    elif not parts:
        parts.append(("price unknown",))
    if power.total_w is not None:
        parts.append((Figure(kilowatts(power.total_w), "power.total_w"),))
    return tuple(parts)


# ---------------------------------------------------------------- the verdict


def rung_words(plan: Plan, verdict: Verdict) -> Sentence:
    """Which rung of the verdict decides, and on what build where that is not the entered one."""
    step = f", step {verdict.step} of {LAST_STEP}"
    words = f"Verdict: {RUNGS[verdict.answer]}{step}"
    build, hardware = verdict.recommended, plan.scenario.hardware
    if build is None or not build.nodes or verdict.answer in ("frontier", "does-not-fit"):
        return (words,)
    same = (build.gpus_per_node, build.nodes) == (hardware.gpus_per_node, hardware.nodes)
    if same and build.weights == plan.scenario.model.weights and build.layout is None and not build.changes:
        return (words,)
    if build.changes:  # the headline says how
        return said(words, ": ", verdict.build, " with the run changed")
    other = build.weights != plan.scenario.model.weights and plan.scenario.workload.is_inference
    other = other and verdict.answer != "one-node-int4"  # the rung says so
    return said(words, ": ", verdict.build, f", {FORMATS[build.weights].label}" if other else "")


_EDGES: dict[str, tuple[str, str]] = {
    "concurrency": ("", " users"),
    "input_tokens": ("prompts of ", " tokens"),
    "output_tokens": ("answers of ", " tokens"),
    "requests_per_s": ("", " requests/s"),
    "tokens_per_s_user_target": ("", " tok/s a user"),
    "ttft_target_s": ("a first token in ", ""),
    "sequence_length": ("sequences of ", " tokens"),
    "micro_batch": ("micro-batches of ", ""),
    "total_tokens": ("", " tokens in all"),
    "deadline_days": ("a deadline of ", ""),
    "budget_usd": ("a budget of ", ""),
}


def hold_words(verdict: Verdict, fresh: bool = True) -> str:
    """What leads `holds`: what holds is the verdict, of a build that is short not the build. fresh: whether it is of the scenario as
    it stands."""
    word = "olds" if fresh else "eld"
    return f"H{word} to" if verdict.carried else f"The verdict h{word} to"


def holds(flips: Iterable[Flip]) -> tuple[Sentence, ...]:
    """How far the verdict holds as more is asked, one sentence a flip point: `241 users`, `prompts of 59k tokens`.

    A layout that two in a row take is named by the first: `497 users as TP 1 x PP 8`, `likewise prompts of 61k tokens`.
    """
    told: list[Sentence] = []
    layout = ""
    for flip in flips:
        if (flip.at > flip.last) != (flip.field in _HARDER_BELOW):
            again = bool(flip.layout) and flip.layout == layout
            told.append(("likewise ", *edge(replace(flip, layout=""))) if again else edge(flip))
            layout = flip.layout
    return tuple(told)


_HARDER_BELOW = ("workload.ttft_target_s", "workload.deadline_days", "workload.budget_usd")
"""Limits: less of them asks for more."""


def edge(flip: Flip) -> Sentence:
    """The last value before a flip point, in words, rounded to the side on which the verdict is still the same."""
    name = flip.field.partition(".")[2]
    up = flip.at > flip.last
    before, after = _EDGES[name]
    if name == "ttft_target_s":
        amount = duration(_safe(flip.last, up))
    elif name == "deadline_days":
        amount = days(_safe(flip.last, up))
    elif name == "budget_usd":
        amount = usd(flip.last)
    else:
        amount = _held(flip.last, up)
    where = f" as {flip.layout}" if flip.layout else ""
    return (before, Figure(amount, flip.figure), f"{after}{where}")


def _held(value: float, up: bool) -> str:
    """A count in three figures, rounded towards the side on which the verdict still holds."""
    near = _safe(value, up)
    return count(near) if value >= 1000.0 else f"{value:,.0f}" if value == round(value) else digits(near)


def _safe(value: float, up: bool) -> float:
    """Three figures, rounded towards the side on which the verdict still holds."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return float((math.floor if up else math.ceil)(value / unit + (1e-9 if up else -1e-9)) * unit)


__all__ = [
    "NOT_STARTED",
    "RUNGS",
    "SLOW_TOKENS_PER_S",
    "SLOW_TTFT_S",
    "STATUS_WORDS",
    "hold_words",
    "holds",
    "missed_targets",
    "narrow",
    "outcome",
    "price_words",
    "rung_words",
    "slow",
    "speed_words",
    "status_of",
]
