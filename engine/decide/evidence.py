"""The words and figures of evidence: why a build carries a workload or does not, what it misses, how it is laid out."""

from __future__ import annotations

from engine.decide.attempts import Attempt, attempt
from engine.decide.layouts import layout_words
from engine.decide.plan import Plan
from engine.decide.replicas import without_load
from engine.decide.scaling import FLOOR, scaling_table
from engine.figures.sentences import Figure, Sentence, joined
from engine.figures.units import GIB, SECONDS_PER_DAY, days, digits, duration
from engine.scenario import Scenario
from engine.serving.memory import COMFORTABLE_WEIGHTS, RULE_WEIGHTS
from engine.sizing import Evidence

# The share of a card that weights should leave for KV and everything else: seed_claims.toml, rule.weights_share.
WEIGHTS_RULE = (COMFORTABLE_WEIGHTS, RULE_WEIGHTS)
# Below this projected efficiency a cluster has the wrong shape: seed_claims.toml, efficiency_floor.
EFFICIENCY_FLOOR = FLOOR
SHARDING_WORDS = {"ddp": "DDP", "zero1": "ZeRO-1", "zero2": "ZeRO-2", "zero3": "ZeRO-3"}

KIND_WORDS = {
    "serve": "serving",
    "batch": "batch inference",
    "embed": "embedding",
    "lora": "LoRA",
    "qlora": "QLoRA",
    "full-finetune": "full fine-tune",
    "pretrain": "pretraining",
    "dpo": "preference tuning",
    "reward": "reward model",
    "grpo": "GRPO",
    "ppo": "PPO",
}
"""What a build does, as the verdict names it."""


def why(found: Attempt) -> Sentence:
    """Why a build does or does not carry the workload, in one clause that starts with figures."""
    if found.plan is None:
        return (found.why_not,)
    memory, speed, work = found.plan.memory, found.plan.serving, found.plan.scenario.workload
    if found.pinned is not None:
        pinned, free = layout_words(found.pinned.layout), layout_words(found.plan.layout)
        return (f"no with {pinned}, as pinned; yes with {free}: ", *memory.headroom_reason)
    if found.plan.fits and speed is not None and speed.days is not None:
        length = Figure(days(speed.days), "serving.days")
        return missed(found.plan) or (*memory.headroom_reason, "; the corpus takes ", length)
    asked = Figure(f"{work.concurrency:,}", "load.concurrency")
    if not found.plan.fits:
        if work.is_inference and memory.starts:
            return ("KV for ", Figure(f"{memory.users_that_fit:,}", "memory.users_that_fit"), " of ", asked, " users")
        if memory.worst.over_bytes > 0:
            over = Figure(f"{memory.worst.over_bytes / GIB:,.1f} GiB", "memory.over_bytes")
            return (over, f" over on {'each of ' if found.gpus > 1 else ''}{found.build}")
        return memory.headroom_reason
    if not memory.fits:
        at_once = Figure(f"{speed.served_concurrency if speed is not None else 0:,}", "serving.served_concurrency")
        return missed(found.plan) or (at_once, " of ", asked, " sequences run at once, the others wait")
    return missed(found.plan) or memory.headroom_reason


def alone(one: Scenario) -> Attempt | None:
    """One node with a single user, where it misses something; None where it does not."""
    found = attempt(without_load(one), one.hardware.gpus_per_node)
    return None if found.plan is None or found.carries else found


def missed(found: Plan) -> Sentence:
    parts = list(found.serving.missed) if found.serving is not None else []
    if found.training is not None and found.training.meets_deadline is False:
        length = Figure(duration(found.training.days * SECONDS_PER_DAY), "training.days")
        deadline = Figure(digits(found.scenario.workload.deadline_days or 0.0), "load.deadline_days")
        parts.append((length, " against a deadline of ", deadline, " days"))
    if found.over_budget:
        parts.append(over_budget(found.scenario, found.spend_usd or 0.0))
    return joined(parts, "; ")


def over_budget(scenario: Scenario, usd: float) -> Sentence:
    """What a run or a purchase costs, against the budget that it is over."""
    run, budget = scenario.workload.is_run, scenario.workload.budget_usd or 0.0
    spent = Figure(f"${usd:,.0f}", "cost.run_usd" if run else "cost.buy_usd")
    against = " of GPU time against a budget of " if run else " to buy against a budget of "
    return (spent, against, Figure(f"${budget:,.0f}", "load.budget_usd"))


def efficiency(found: Attempt) -> Sentence:
    if found.plan is None:
        return (found.why_not,)
    if found.plan.training is not None:
        share = found.plan.training.efficiency
        told: Sentence = ("projected efficiency ", Figure(f"{100 * share:.0f} %", "training.efficiency"))
        if share >= EFFICIENCY_FLOOR:
            return told
        return (*told, f", under the {100 * EFFICIENCY_FLOOR:.0f} % floor; better: ", *_better_shape(found.plan))
    if found.plan.serving is not None:
        waits = Figure(f"{100 * found.plan.serving.communication_share:.0f} %", "serving.communication_share")
        return (waits, " of a step in communication")
    return found.plan.memory.headroom_reason


def _better_shape(spread: Plan) -> Sentence:
    """The shape that the scaling table names instead of one under the floor."""
    rows = scaling_table(spread.scenario, spread.layout)
    own = next((row for row in rows if row.in_use), None)
    if own is not None and own.better:
        return own.better
    able = [
        (row.efficiency, place, row)
        for place, row in enumerate(rows)
        if row.fits and row.efficiency >= EFFICIENCY_FLOOR and row.gpus > 1
    ]
    if not able:
        return ("a larger node, or SXM-class hardware",)
    most, place, best = max(able, key=lambda placed: placed[0])
    where = f"{best.configuration}, {best.parallelism}, {best.fabric}: "
    return (where, Figure(f"{most:.2f}", f"scaling.{place}"))


def evidence(found: Attempt) -> tuple[Evidence, ...]:
    if found.plan is None:
        return (Evidence("layout", (found.why_not,), "counted"),)
    memory, worst, layout = found.plan.memory, found.plan.memory.worst, found.plan.layout
    low, high = WEIGHTS_RULE
    held = Figure(f"{worst.weights_bytes / GIB:,.1f} GiB", "memory.weights_bytes")
    share = Figure(f"{100 * memory.weights_share:.0f} %", "memory.weights_share")
    rule = f" of the card (rule: {100 * low:.0f}-{100 * high:.0f} %)"
    lines = [
        Evidence("build", (found.build,), "entered"),
        Evidence("layout", (f"TP {layout.tp}, PP {layout.pp}, DP {layout.dp}",)),
        Evidence("weights on the worst GPU", (held, ", ", share, rule), "counted"),
    ]
    serving, training = found.plan.serving, found.plan.training
    work = found.plan.scenario.workload
    if work.embeds and serving is not None:
        requests = Figure(digits(serving.requests_per_s), "serving.requests_per_s")
        read = Figure(digits(serving.tokens_per_s_total), "serving.tokens_per_s_total")
        lines.append(Evidence("speed", (requests, " requests/s, ", read, " tokens/s read")))
    elif work.is_inference:
        needed = Figure(f"{memory.kv_needed_tokens:,}", "memory.kv_needed_tokens")
        fits = Figure(f"{memory.kv_capacity_tokens:,}", "memory.kv_capacity_tokens")
        lines.append(Evidence("KV asked / that fits", (needed, " / ", fits, " tokens")))
    else:
        peak = Figure(f"{memory.peak_bytes / GIB:,.1f} GiB", "memory.peak_bytes")
        lines.append(Evidence("peak on the worst GPU", (peak,)))
    if serving is not None and not work.embeds:
        user = Figure(digits(serving.tokens_per_s_user), "serving.tokens_per_s_user")
        first = Figure(duration(serving.ttft_s), "serving.ttft_s")
        lines.append(Evidence("speed", (user, " tokens/s a user, TTFT ", first)))
        if serving.days is not None:
            length = Figure(duration(serving.days * SECONDS_PER_DAY), "serving.days")
            lines.append(Evidence("corpus", (length,)))
        if found.plan.scenario.workload.requests_per_s is not None:
            most = Figure(digits(serving.best_requests_per_s), "serving.best_requests_per_s")
            lines.append(Evidence("at the best load", (most, " requests/s")))
    if training is not None and memory.fits:
        length = Figure(duration(training.days * SECONDS_PER_DAY), "training.days")
        each = Figure(f"{100 * training.efficiency:.0f} %", "training.efficiency")
        lines.append(Evidence("run", (length, ", ", each, " of one GPU's speed per GPU")))
    lines.append(Evidence("headroom", (memory.headroom,)))
    return tuple(lines)


def shape_words(scenario: Scenario, found: Attempt) -> str:
    """How the GPUs of a cluster are joined, in words."""
    if found.choice is None:
        return "sharded across"
    layout = found.choice.layout
    parts = [f"TP {layout.tp} inside"] if layout.tp > 1 else []
    if layout.pp > 1:
        parts.append(f"PP {layout.pp} across")
    if layout.dp > 1 and scenario.workload.is_inference:
        parts.append(f"DP {layout.dp} attention" if layout.dp_attention else f"{layout.dp} replicas")
    elif layout.dp > 1:
        parts.append(f"{SHARDING_WORDS[found.choice.scenario.workload.sharding]} over {layout.dp}")
    return ", ".join(parts)
