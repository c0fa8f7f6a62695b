"""A Sizing as a report without a terminal: text for people and pipes, markdown for documents, JSON for programs.

Every figure comes from the Sizing; nothing is computed here but its rounding.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import catalog
from engine.decide.advice import CATALOG, Advice, Cure, advice, bigger_card, ended, second_sentence
from engine.decide.advice import line as line_of
from engine.decide.answer import STATUS_WORDS, holds
from engine.decide.corpus import CorpusPoint, corpus_curve
from engine.decide.plan import Plan
from engine.decide.prospects import prospects
from engine.decide.whole import whole
from engine.figures.sentences import joined, text_of
from engine.figures.text import printable
from engine.model.formats import FORMATS as WEIGHT_FORMATS
from engine.money.power import SUPPLY_NAMES
from engine.scenario import Layout, Scenario, Workload
from engine.sizing import (
    Cost,
    FabricRow,
    Interval,
    Memory,
    MemoryGroup,
    Power,
    PriceLine,
    Serving,
    Sizing,
    Suggestion,
    Training,
)
from tui.files.drift import CatalogTable, Drift, with_figures
from tui.files.drift import changes as drifted
from tui.pages import words
from tui.pages.doc import shorten
from tui.shell.blocks import WIDTH, Block, Bullets, Heading, Paragraph, Table, as_markdown, as_text, json_line

Format = Literal["text", "markdown", "json"]
FORMATS: tuple[Format, ...] = ("text", "markdown", "json")
SCHEMA = 1
NOTES_OF_PLAIN = 3


@dataclass(frozen=True, slots=True)
class Past:
    """A session as it was saved: what the catalog says otherwise now, and its sizing with the figures of that day."""

    drifts: tuple[Drift, ...]
    sizing: Sizing


def past_of(table: CatalogTable | None, scenario: Scenario, size: Callable[[Scenario], Sizing]) -> Past | None:
    """A session as it was saved, from the catalog figures that its file keeps; None when the catalog is the same.

    Raises ScenarioError when it could not be sized with the figures of that day.
    """
    drifts = drifted(table, scenario) if table is not None else ()
    return Past(drifts, size(with_figures(table, scenario))) if table is not None and drifts else None


def render(sizing: Sizing, form: Format, past: Past | None = None, full: bool = True) -> str:
    """The report in one form, ending in a line end; JSON is a single line, and always full.

    past: of a file whose catalog drifted. full: else what fits one page of text.
    """
    sized = whole(sizing)
    found = advice(sizing.scenario, catalog.load())
    sized = _told(sized, found)
    if form == "json":
        data = _data(sized, found) | ({"drift": _past_data(past)} if past is not None else {})
        return json_line(data)
    blocks = list(_blocks(sized, past, found) if full else _plain(sized, past, found))
    return as_markdown(blocks) if form == "markdown" else as_text(blocks)


# JSON


def as_data(sizing: Sizing) -> dict[str, Any]:
    """The report as plain data under its stable names. Floats have six significant digits, unknowns are null."""
    found = advice(sizing.scenario, catalog.load())
    return _data(_told(whole(sizing), found), found)


def _told(sizing: Sizing, found: Advice) -> Sizing:
    """The sizing with what the advice adds to its notices: what ends the first of them, and a build of larger cards."""
    larger = bigger_card(sizing, found)
    told = () if larger is None else (larger,)
    warnings = (*told, *(ended(notice, found) for notice in sizing.warnings))
    verdict, second = sizing.verdict, second_sentence(sizing, found)
    if second:
        verdict = dataclasses.replace(verdict, headline=f"{verdict.headline}. {second}")
    return dataclasses.replace(sizing, warnings=warnings, verdict=verdict)


def _past_data(past: Past) -> dict[str, Any]:
    verdict, cost = past.sizing.verdict, past.sizing.cost
    return {
        "figures": [_fields(drift) for drift in past.drifts],
        "as_saved": {
            "answer": verdict.answer,
            "headline": verdict.headline,
            "carried": verdict.carried,
            "tokens_per_s_total": data_of(tokens_per_s(past.sizing)),
            "rent_usd_per_month": data_of(cost.rent_usd_per_month),
            "buy_usd": data_of(cost.buy_usd),
        },
    }


def _data(sizing: Sizing, found: Advice) -> dict[str, Any]:
    scenario, memory, verdict = sizing.scenario, sizing.memory, sizing.verdict
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "title": scenario.title,
        "notes": scenario.notes,
        "model": {
            **_fields(sizing.model),
            "name": scenario.model.name,
            "weights": scenario.model.weights,
            "kv_cache": scenario.model.kv_cache,
            "config": scenario.model.config,
        },
        "hardware": _hardware_data(scenario),
        "workload": _workload_data(sizing),
        "layout": _fields(sizing.layout),
        "memory": _fields(memory),
        "serving": None,
        "training": None,
        "fabric": [_fields(row) for row in sizing.fabric],
        "scaling": [_fields(row) for row in sizing.scaling],
        "verdict": _fields(verdict),
        "fixes": [suggestion_data(change) for change in found.fixes],
        "warnings": [_fields(notice) for notice in sizing.warnings],
        "cost": _fields(sizing.cost),
        "power": _fields(sizing.power),
        "answer": _answer_data(sizing, found),
    }
    if sizing.serving is not None:
        data["serving"] = _fields(sizing.serving) | {"interval": data_of(sizing.serving.tokens_per_s_interval)}
        if sizing.serving.days is not None:
            data["serving"] |= _corpus_data(scenario)
    if sizing.training is not None:
        data["training"] = _fields(sizing.training) | {"supposed": not memory.fits}
        if not memory.fits:  # its step is that of cards with the memory, but no run comes of it
            data["training"] |= dict.fromkeys(("days", "days_interval", "gpu_hours", "cost_usd", "meets_deadline"))
            data["memory"]["nvidia_smi_bytes"] = data["cost"]["run_usd"] = None
    return data


def _corpus_data(scenario: Scenario) -> dict[str, Any]:
    """The corpus of a batch against GPUs, and the smallest build that is in time."""
    found = corpus_curve(scenario)

    def of(point: CorpusPoint) -> dict[str, Any]:
        return {"gpus": point.gpus} | {name: data_of(value) for name, value in point._asdict().items()}

    smallest = found.smallest
    return {
        "by_gpus": [of(point) for point in found.points],
        "smallest": of(smallest) if smallest is not None else None,
        "smallest_words": found.words,
    }


def _answer_data(sizing: Sizing, advised: Advice) -> dict[str, Any]:
    found = sizing.answer
    return {
        "status": found.status,
        "headline": f"{STATUS_WORDS[found.status]}: {text_of(found.why)}",
        "why": text_of(found.why),
        "speed": text_of(joined(found.speed, ", ")),
        "price": text_of(joined(found.price, ", ")),
        "rung": text_of(found.rung),
        "misses": [_fields(miss) for miss in found.misses],
        "cure": _cure_data(advised.cure),
        "smaller": _cure_data(advised.smaller),
        "others": [_cure_data(cure) for cure in advised.others],
        "api": text_of(advised.api),
    }


def _cure_data(cure: Cure | None) -> dict[str, Any] | None:
    """A change on offer: the keys that a session takes, and what the changed build does."""
    if cure is None:
        return None
    return {
        "changes": [{"field": key, "to": data_of(value)} for key, value in cure.changes],
        "status": cure.status,
        "headline": text_of(cure.headline),
        "usd": data_of(cure.usd),
    }


def _workload_data(sizing: Sizing) -> dict[str, Any]:
    data, run = _fields(sizing.scenario.workload), sizing.training
    # accumulation steps, where entered, are the batch: the tokens beside them are not what was asked
    return data if run is None else data | {"global_batch_tokens": run.asked_step_tokens}


def _hardware_data(scenario: Scenario) -> dict[str, Any]:
    hardware = scenario.hardware
    return {
        "accelerator": hardware.accelerator.id,
        "gpus_per_node": hardware.gpus_per_node,
        "nodes": hardware.nodes,
        "gpus": hardware.gpus,
        "intra_link": hardware.intra_link.id,
        "inter_link": hardware.inter_link.id,
        "platform": hardware.platform.id if hardware.platform is not None else None,
    }


def _fields(record: Any) -> dict[str, Any]:
    # a row of a table is a named tuple
    names = getattr(record, "_fields", None) or [field.name for field in dataclasses.fields(record)]
    return {name: data_of(getattr(record, name)) for name in (*names, *_WORKED_OUT.get(type(record), ()))}


_WORKED_OUT: dict[type, tuple[str, ...]] = {
    FabricRow: ("place", "quality", "quality_tp", "quality_pp", "quality_dp"),
    MemoryGroup: ("used_bytes", "over_bytes", "available_bytes"),
    PriceLine: ("usd",),
    Training: ("bubble_s", "hidden_communication_s", "exposed_share", "tokens_per_day", "days_interval"),
}
"""What a record of the report says beside its fields: quantities that the engine works out of them."""


def suggestion_data(offered: Suggestion) -> dict[str, Any]:
    """A change on offer as JSON data: its first key and value, the others, and all of them as named pairs."""
    return {
        "field": offered.field,
        "value": data_of(offered.value),
        "effect": offered.effect,
        "also": data_of(offered.also),
        "layout": data_of(offered.layout),
        "changes": [{"field": key, "to": data_of(value)} for key, value in offered.changes],
    }


def data_of(value: Any) -> Any:
    """A record, tuple or figure as JSON data."""
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, tuple | list):
        return [data_of(item) for item in value]
    if isinstance(value, Suggestion):
        return suggestion_data(value)
    if dataclasses.is_dataclass(value):
        return _fields(value)
    raise TypeError(f"{type(value).__name__} has no place in a report")


# Content


def _blocks(sizing: Sizing, past: Past | None, found: Advice) -> Iterator[Block]:
    scenario = sizing.scenario
    yield from answer_lines(sizing, found)
    yield Heading(printable(scenario.title) or "Untitled build", 1)
    yield Paragraph(build_line(scenario))
    yield Paragraph(workload_line(scenario, sizing.training if sizing.memory.fits else None))
    for line in scenario.notes.splitlines():
        if line.strip():
            yield Paragraph(printable(line))
    yield from _verdict(sizing)
    if past is not None and past.drifts:
        yield from _drift(sizing, past)
    yield from _to_do(sizing, found)
    yield from _warnings(sizing)
    yield from _memory(sizing)
    if sizing.serving is not None:
        yield from _serving(sizing.serving)
    if sizing.training is not None and sizing.memory.fits:
        yield from _training(sizing.training)
    yield from _cost(sizing)
    yield from _power(sizing)
    yield from _steps(sizing)
    yield from _fabric(sizing.fabric)
    yield from _scaling(sizing)
    yield from _prospects(sizing)


def _plain(sizing: Sizing, past: Past | None, found: Advice) -> Iterator[Block]:
    """The answer, the build and the load; what changed since it was saved; and a page of the rest."""
    from tui.shell.report_plain import plain

    scenario = sizing.scenario
    yield from answer_lines(sizing, found)
    yield Heading(printable(scenario.title) or "Untitled build", 1)
    yield Paragraph(build_line(scenario))
    yield Paragraph(workload_line(scenario, sizing.training if sizing.memory.fits else None))
    for line in [line for line in scenario.notes.splitlines() if line.strip()][:NOTES_OF_PLAIN]:
        yield Paragraph(shorten(printable(line), WIDTH))
    if past is not None and past.drifts:
        yield from _drift(sizing, past)
    yield from plain(sizing, found)


def answer_lines(sizing: Sizing, advised: Advice) -> Iterator[Block]:
    """The answer in four lines: the word and why, how well and for how much, what to do, which rung and how far."""
    found = sizing.answer
    yield Paragraph(f"{STATUS_WORDS[found.status]}: {text_of(found.why)}.", strong=True)
    speed, price = text_of(joined(found.speed, ", ")), text_of(joined(found.price, ", "))
    yield Paragraph(f"{speed[:1].upper()}{speed[1:]}. {price[:1].upper()}{price[1:]}.")
    cure = advised.first
    if cure is not None:
        yield Paragraph(f"Do: {text_of(line_of(cure))}.")
    else:
        yield Paragraph("Do: nothing." if found.carries else "Do: no single change that was tried makes it run.")
    edges = text_of(joined(holds(sizing.verdict.flips), ", "))
    yield Paragraph(f"{text_of(found.rung)}.{f' Holds to {edges}.' if edges else ''}")


def build_line(scenario: Scenario) -> str:
    """Model, formats and hardware in one line."""
    model, hardware = scenario.model, scenario.hardware
    formats = f"{model.weights} weights"
    if scenario.workload.kind == "qlora":
        formats = f"{scenario.workload.base_format} base"
    if scenario.workload.is_inference:
        formats += f", {model.kv_cache} KV cache"
    build = f"{hardware.gpus}x {hardware.accelerator.name}"
    if hardware.nodes > 1:
        build += f" ({hardware.nodes} nodes of {hardware.gpus_per_node}), {hardware.inter_link.id} between nodes"
    if hardware.gpus_per_node > 1:
        build += f", {hardware.intra_link.id} inside"
    return printable(f"{model.name}, {formats}, on {build}")


def workload_line(scenario: Scenario, run: Training | None = None) -> str:
    """What is asked of the build, with the targets, in one line. run: of a sized one, whose step it tells."""
    load = scenario.workload
    if load.is_inference:
        text = (
            f"{load.kind}: {load.concurrency:,} users at once, {load.input_tokens:,} tokens in, "
            f"{load.output_tokens:,} out"
        )
        targets: tuple[tuple[str, float | None], ...] = (
            ("first token within {:g} s", load.ttft_target_s),
            ("{:g} tokens/s for each user", load.tokens_per_s_user_target),
            ("{:g} requests/s", load.requests_per_s),
            ("done in {:g} days", load.deadline_days if load.corpus_tokens is not None else None),
        )
        if load.corpus_tokens is not None:
            text = (
                f"{load.kind}: {words.count(load.corpus_tokens)} tokens of prompts and answers, "
                f"{load.input_tokens:,} tokens in, {load.output_tokens:,} out"
            )
    else:
        text = (
            f"{load.kind}: {words.count(load.run_tokens)} tokens in sequences of {load.sequence_length:,}, "
            f"{_a_step(load, run)}, {load.optimizer}, {load.sharding}, "
            f"{load.recompute} recomputation"
        )
        targets = (("done in {:g} days", load.deadline_days),)
    wanted = [phrase.format(value) for phrase, value in targets if value is not None]
    if load.budget_usd is not None:
        wanted.append(f"within {words.usd(load.budget_usd)}")
    return f"{text}; wanted: {', '.join(wanted)}" if wanted else text


def _a_step(load: Workload, run: Training | None) -> str:
    """Tokens of a step, and those that were asked where whole micro-batches make more."""
    if run is not None:
        return f"{words.count(run.step_tokens)} a step{_more_than_asked(run, ' ({} asked)')}"
    if load.gradient_accumulation is not None:
        return f"{load.gradient_accumulation} micro-batches a step on every replica"
    return f"{words.count(load.global_batch_tokens)} a step"


def _more_than_asked(run: Training, phrase: str) -> str:
    asked = words.count(run.asked_step_tokens)
    return phrase.format(asked) if words.count(run.step_tokens) != asked else ""


def _verdict(sizing: Sizing) -> Iterator[Block]:
    verdict = sizing.verdict
    yield Heading("Verdict")
    yield Paragraph(f"{verdict.answer}: {verdict.headline}", strong=True)
    if verdict.flips:
        yield Bullets(tuple((flip.words, ()) for flip in verdict.flips))
    if verdict.reason:
        yield Paragraph(verdict.reason)
    best = verdict.recommended
    if best is not None and best.nodes and sizing.scenario.workload.is_inference:
        yield Paragraph(f"Build: {verdict.build}, {WEIGHT_FORMATS[best.weights].label} weights")
    elif verdict.build:
        yield Paragraph(f"Build: {verdict.build}")
    carried = "yes" if verdict.carried else "no"
    yield Paragraph(f"Carries the workload as entered: {carried}")
    yield Paragraph(f"Layout: {layout_words(sizing.layout)}")
    if verdict.assumed:
        yield Paragraph("Assumed: " + "; ".join(verdict.assumed))


def layout_words(layout: Layout) -> str:
    """Every degree of a layout, and why it was chosen."""
    spread = f"TP {layout.tp}, PP {layout.pp}, DP {layout.dp}, EP {layout.ep}"
    if layout.dp_attention:
        spread += ", data-parallel attention"
    return spread + (f" ({layout.reason})" if layout.reason else "")


def tokens_per_s(sizing: Sizing | Plan) -> float | None:
    """Tokens/s in all, served or trained on; None for a build that does not start."""
    if sizing.serving is not None:
        return sizing.serving.tokens_per_s_total
    return sizing.training.tokens_per_s_total if sizing.training is not None else None


def _drift(sizing: Sizing, past: Past) -> Iterator[Block]:
    yield Heading("Since it was saved")
    yield Bullets(tuple((drift.words, ()) for drift in past.drifts))
    yield then_and_now(past, sizing)


def then_and_now(past: Past, sizing: Sizing) -> Table:
    """The answer with the catalog of the day of saving, and the answer now."""
    rows = []
    for label, one in (("as saved", past.sizing), ("now", sizing)):
        speed, cost = tokens_per_s(one), one.cost
        rows.append(
            (
                label,
                one.verdict.answer,
                "yes" if one.verdict.carried else "no",
                "-" if speed is None else words.rate(speed),
                _usd(cost.rent_usd_per_month),
                _usd(cost.buy_usd),
            )
        )
    head = ("", "verdict", "carried", "tokens/s", "rent a month", "buy")
    return Table(head, tuple(rows), left=(0, 1))


def _to_do(sizing: Sizing, found: Advice) -> Iterator[Block]:
    """Single changes that make the build carry the workload, other builds that do, and what gives room in memory."""
    verdict, changes = sizing.verdict, found.fixes
    room = [item for item in sizing.memory.suggestions if all(item.field != other.field for other in changes)]
    others = [cure for cure in found.found if verdict.carried or cure.kind in CATALOG]
    if verdict.carried and not room and not others:
        return
    yield Heading("What to do")
    if changes:
        yield Paragraph("Any one of these makes the build carry the workload:")
        yield Bullets(tuple((change_words(item), ()) for item in changes))
    elif not verdict.carried:
        yield Paragraph("No single change makes this build carry the workload; sizeup recommend looks for others.")
    if others:
        yield Paragraph("Other builds that do:" if not verdict.carried else "Any one of these makes it run:")
        yield Bullets(tuple((text_of(line_of(cure)), ()) for cure in others))
    if found.api:
        yield Paragraph(f"Or {text_of(found.api)}.")
    if room:
        yield Paragraph("Room in memory:")
        yield Bullets(tuple((change_words(item), ()) for item in room))


def change_words(change: Suggestion) -> str:
    """A change as the session's keys, their new values and what that does."""
    return f"{keys_words(change)}: {change.effect}"


def keys_words(change: Suggestion) -> str:
    """The session's keys that a change sets, as a session or `--set` writes them."""
    return ", ".join(f"{key} = {_written(value)}" for key, value in change.changes)


def _written(value: object) -> str:
    return "auto" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _steps(sizing: Sizing) -> Iterator[Block]:
    yield Heading("Steps of the verdict")
    steps = []
    for step in sizing.verdict.steps:
        passed = "" if step.reached else " (not reached; it would have said)"
        evidence = tuple(f"{item.what}: {item.figure} [{item.kind}]" for item in step.evidence)
        steps.append((f"Step {step.number}: {step.question}{passed} {step.answer}", evidence))
    yield Bullets(tuple(steps))


def _warnings(sizing: Sizing) -> Iterator[Block]:
    if not sizing.warnings:
        return
    yield Heading("Warnings")
    items = []
    for notice in sizing.warnings:
        fix = notice.fix
        todo = (f"fix: {keys_words(fix)}" + (f" ({fix.effect})" if fix.effect else ""),) if fix else ()
        items.append((f"{notice.severity}: {notice.message} [{notice.id}]", todo))
    yield Bullets(tuple(items))


_MEMORY_COLUMNS = {
    "weights": "weights_bytes",
    "kv": "kv_bytes",
    "activation": "activation_bytes",
    "runtime": "runtime_bytes",
    "optimizer": "optimizer_bytes",
    "gradient": "gradient_bytes",
    "over": "over_bytes",
    "free": "available_bytes",
    "kept": "reserved_bytes",
    "total": "total_bytes",
}
"""Columns by head: what a GPU holds, what is free of the memory that may be used, and what is kept from it."""


def _memory(sizing: Sizing) -> Iterator[Block]:
    memory = sizing.memory
    yield Heading("Memory per GPU, GiB")
    shown = [name for name in _MEMORY_COLUMNS if _is_shown(name, memory.per_gpu)]
    rows = tuple(
        (group.rank_group, str(group.gpus), *(words.gib(getattr(group, _MEMORY_COLUMNS[name])) for name in shown))
        for group in memory.per_gpu
    )
    yield Table(("group", "GPUs", *shown), rows)
    headroom = f"Headroom: {memory.headroom}"
    yield Paragraph(headroom + (f" ({memory.headroom_reason})" if memory.headroom_reason else ""))
    yield Paragraph(_memory_line(sizing, memory))
    if memory.rule_note:
        yield Paragraph(memory.rule_note)
    if memory.training is not None and memory.training.lines:
        yield Paragraph("Assumed of training memory:")
        yield Bullets(tuple((text, ()) for text in memory.training.lines))


def _is_shown(name: str, groups: Sequence[MemoryGroup]) -> bool:
    always = ("weights", "activation", "runtime", "free", "total")
    return name in always or any(getattr(group, _MEMORY_COLUMNS[name]) for group in groups)


def _memory_line(sizing: Sizing, memory: Memory) -> str:
    share = f"Weights take {words.percent(memory.weights_share)} of the fullest GPU."
    if sizing.scenario.workload.is_inference:
        return (
            f"{share} The load needs KV for {memory.kv_needed_tokens:,} tokens; "
            f"{memory.kv_capacity_tokens:,} fit: {words.users(memory.users_that_fit)} "
            f"user{'s' * (memory.users_that_fit != 1)} at this length, or one of "
            f"{memory.longest_context_tokens:,} tokens."
        )
    text = f"{share} Peak of the fullest GPU {words.size(memory.peak_bytes)}"
    if memory.training is not None:
        span = memory.training.interval
        text += f" (80 % interval {words.gib(span.low)}–{words.gib(span.high)} GiB)"
    if memory.nvidia_smi_bytes and memory.fits:
        text += f"; nvidia-smi will show {words.size(memory.nvidia_smi_bytes)}"
    if memory.host_bytes:
        text += f"; {words.size(memory.host_bytes)} of host memory a node"
    text += f". Largest micro-batch {memory.largest_micro_batch:,}"
    if memory.longest_sequence_tokens:
        text += f", longest sequence {memory.longest_sequence_tokens:,} tokens"
    return text + "."


def _between(value: str, interval: Interval, scale: float = 1.0) -> str:
    return f"{value} (80 % interval {words.interval(interval, scale)})"


def _spread(value: str, interval: Interval) -> str:
    return f"{value} (80 % interval {words.seconds_interval(interval)})"


def _within(serving: Serving) -> str:
    """The users inside the latency targets, as the Speed page has them."""
    within = serving.users_within_targets
    if within is None:
        return "no latency target given"
    if not within:
        return "not one user"
    told = f"{words.count(within)} user{'s' * (within != 1)}"
    if within < serving.best_concurrency:
        return f"{told}, all that the KV holds"
    return f"{told}, {words.rate(serving.best_tokens_per_s_total)} tokens/s"


def _corpus_rows(serving: Serving) -> Iterator[tuple[str, str]]:
    """What the corpus of a batch comes to."""
    if serving.days is None or serving.corpus_requests is None or serving.gpu_hours is None:
        return
    yield "requests of the corpus", words.count(serving.corpus_requests)
    between = serving.days_interval
    spread = "" if between is None else f" (80 % interval {words.days(between.low)} to {words.days(between.high)})"
    yield "time for the corpus", f"{words.days(serving.days)}{spread}"
    yield "GPU-hours", words.count(serving.gpu_hours)


def _serving(serving: Serving) -> Iterator[Block]:
    yield Heading("Serving speed (fitted)")
    meets = {True: "met", False: "missed: " + "; ".join(serving.missed), None: "none given"}[serving.meets_targets]
    rows = (
        ("time to first token", _spread(words.seconds(serving.ttft_s), serving.ttft_interval)),
        ("time between tokens", _spread(words.seconds(serving.inter_token_s), serving.inter_token_interval)),
        ("tokens/s for a user", words.rate(serving.tokens_per_s_user)),
        ("tokens/s in all", _between(words.rate(serving.tokens_per_s_total), serving.tokens_per_s_interval)),
        ("requests/s", words.digits(serving.requests_per_s)),
        *_corpus_rows(serving),
        ("users running, of those asked", words.count(serving.served_concurrency)),
        (
            "at most at once, as answers grow",
            f"{words.count(serving.most_at_once)} users, {words.rate(serving.offline_tokens_per_s)} tokens/s",
        ),
        ("within the targets", _within(serving)),
        ("one user alone, tokens/s", words.rate(serving.single_stream_tokens_per_s)),
        ("time communicating", words.percent(serving.communication_share)),
        ("bound by", serving.bound_by),
        ("targets", meets),
    )
    yield Table(("", ""), rows, left=(0, 1), wrapped=1)


def _training(training: Training) -> Iterator[Block]:
    yield Heading("Training speed (fitted)")
    why = _more_than_asked(training, " (more than the {} asked: every replica takes whole micro-batches)")
    rows = [
        ("step", words.seconds(training.step_s)),
        ("tokens a step", words.count(training.step_tokens) + why),
        ("micro-batches a step", f"{training.micro_batches:,}"),
        (
            "tokens/s for a GPU",
            _between(words.rate(training.tokens_per_s_gpu), training.interval),
        ),
        ("tokens/s in all", words.rate(training.tokens_per_s_total)),
        ("MFU", words.percent(training.mfu)),
        ("the run", words.days(training.days)),
        ("GPU-hours", words.rate(training.gpu_hours)),
        ("efficiency against one GPU", words.percent(training.efficiency)),
        ("exposed communication a step", words.seconds(training.exposed_communication_s)),
        ("pipeline bubble", words.percent(training.bubble_share)),
    ]
    if training.cost_usd is not None:
        rows.append(("rent of the run", words.usd(training.cost_usd)))
    if training.meets_deadline is not None:
        rows.append(("deadline", "met" if training.meets_deadline else "missed"))
    yield Table(("", ""), tuple(rows), left=(0, 1), wrapped=1)


def _fabric(rows: Sequence[FabricRow]) -> Iterator[Block]:
    if not rows:
        return
    yield Heading("The fabric cliff")
    assumed = next((row.assumed for row in rows if row.assumed), "")
    if assumed:
        yield Paragraph(f"{assumed[:1].upper()}{assumed[1:]}.")
    yield Paragraph(
        "This layout with each link in its place. time: all collectives of a token or step, hidden or not; lost, kept: "
        "what is waited for. latency: the link's own, where stated, us; "
        "start: start-up of the smallest message, us. GB/s are one way: what a maker prints both ways is halved. * in use; m "
        "measured, f fitted, d data sheet."
    )
    for place in ("in the box", "between boxes"):
        yield Heading(f"Links {place}", 3)
        yield Table(
            ("link", "GB/s", "latency", "start", "time", "lost", "kept", "", "", ""),
            tuple(_fabric_row(row) for row in rows if row.place == place),
            left=(0, 7, 8, 9),
            markdown_only=(9,),
        )
    yield Heading("Speed kept if TP, PP or DP crossed the link instead", 3)
    yield Table(
        ("link", "TP", "", "PP", "", "DP", "", "place"),
        tuple(_across_row(row) for row in rows),
        left=(0, 2, 4, 6, 7),
    )


def _fabric_row(row: FabricRow) -> tuple[str, ...]:
    return (
        row.link + (" *" if row.in_use else ""),
        words.digits(row.bandwidth_gb_s),
        "-" if row.latency_us is None else words.digits(row.latency_us, 2),
        words.digits(row.startup_us, 2),
        words.seconds(row.seconds),
        words.percent(row.share),
        words.percent(row.relative_speed),
        row.quality,
        row.kind[:1],
        row.bandwidth_note,
    )


def _across_row(row: FabricRow) -> tuple[str, ...]:
    across = (
        (row.relative_speed_tp, row.quality_tp),
        (row.relative_speed_pp, row.quality_pp),
        (row.relative_speed_dp, row.quality_dp),
    )
    told = [text for kept, quality in across for text in ("" if kept is None else words.percent(kept), quality or "")]
    return (row.link + (" *" if row.in_use else ""), *told, row.place)


def _scaling(sizing: Sizing) -> Iterator[Block]:
    if not sizing.scaling:
        return
    if sizing.scenario.workload.is_inference:
        yield from _serving_scaling(sizing)
        return
    hardware = sizing.scenario.hardware
    yield Heading("Scaling")
    yield Paragraph(
        f"Speed of a GPU against one alone. {hardware.intra_link.name} inside a node and {hardware.inter_link.name} "
        "between nodes, where a shape names no other. * this shape."
    )
    rows = []
    for row in sizing.scaling:
        marks = ("below the 60 % floor" if row.below_floor else "", "" if row.fits else "over the card")
        rows.append(
            (
                row.configuration + (" *" if row.in_use else ""),
                words.percent(row.efficiency),
                ", ".join(mark for mark in marks if mark),
                row.parallelism,
                row.fabric,
                row.source,
            )
        )
    head = ("shape", "speed", "", "parallelism", "fabric", "")
    yield Table(head, tuple(rows), left=(0, 2, 3, 4, 5), markdown_only=(3, 4, 5))
    better = tuple((f"{row.configuration}: better as {row.better}", ()) for row in sizing.scaling if row.better)
    if better:
        yield Bullets(better)


def _serving_scaling(sizing: Sizing) -> Iterator[Block]:
    yield Heading("Scaling")
    within = "inside the latency targets" if _has_latency_targets(sizing) else "all that run at once"
    yield Paragraph(f"Output tokens/s under each shape's best load, {within}. * this build.")
    rows = []
    for row in sizing.scaling:
        serves = bool(row.fits and row.users)
        rows.append(
            (
                row.configuration + (" *" if row.in_use else ""),
                words.rate(row.tokens_per_s_gpu or 0.0) if serves else "",
                words.rate(row.tokens_per_s_total or 0.0) if serves else "",
                words.count(row.users or 0) if serves else "",
                "" if serves else "misses a target" if row.fits else "too small",
                row.fabric,
            )
        )
    head = ("shape", "a GPU", "in all", "users", "", "fabric")
    yield Table(head, tuple(rows), left=(0, 4, 5), markdown_only=(5,))


def _has_latency_targets(sizing: Sizing) -> bool:
    workload = sizing.scenario.workload
    return workload.ttft_target_s is not None or workload.tokens_per_s_user_target is not None


def _corpus_curve(sizing: Sizing) -> Iterator[Block]:
    """The corpus of a batch on more and fewer of its GPUs, and the smallest build in time."""
    if sizing.scenario.workload.corpus_tokens is None:
        return
    found = corpus_curve(sizing.scenario)
    yield Heading("Time and money against GPUs")
    yield Paragraph(f"Smallest build in time: {found.words}.", strong=True)
    yield Paragraph("Nodes that hold the model work alone, each on its part of the corpus. * as many as entered.")
    rows = tuple(
        (
            f"{point.gpus:,}" + (" *" if point.gpus == sizing.scenario.hardware.gpus else ""),
            words.days(point.days),
            words.count(point.gpu_hours),
            _usd(point.usd),
            "" if point.in_time else "late",
        )
        for point in found.points
    )
    yield Table(("GPUs", "time", "GPU-hours", "rent", ""), rows, left=(4,))


def _prospects(sizing: Sizing) -> Iterator[Block]:
    """A training run on more and fewer of its GPUs: the curve, the smallest build in time, one GPU against many."""
    if sizing.scenario.workload.is_inference:
        yield from _corpus_curve(sizing)
        return
    found = prospects(sizing.scenario)
    yield Heading("Time and money against GPUs")
    yield Paragraph(found.curve.words, strong=True)
    if found.curve.serial_share:
        share = f"{100 * found.curve.serial_share:.2g} %"
        yield Paragraph(f"Amdahl's serial share up to {found.curve.points[-1].gpus:,} GPUs: {share}.")
    rows = tuple(
        (
            f"{point.gpus:,}" + (" *" if point.gpus == sizing.scenario.hardware.gpus else ""),
            *(
                (
                    words.days(point.days),
                    _usd(point.cost_usd),
                    words.percent(point.efficiency),
                    "" if point.gpus == 1 else words.percent(point.marginal),
                    "",
                    words.rate(point.gpu_hours),
                )
                if point.fits
                else ("-", "-", "-", "-", "does not hold the training", "-")
            ),
        )
        for point in found.curve.points
    )
    head = ("GPUs", "time", "cost", "speed of each", "of those added", "", "GPU-hours")
    yield Table(head, rows, left=(5,), markdown_only=(6,))
    price = found.usd_per_gpu_hour
    at = "" if price is None else f" Costs at {words.usd(price)} a GPU-hour."
    yield Paragraph(f"The same global batch in nodes of {found.per_node} GPUs. * this build.{at}")
    smallest = found.smallest.words if found.smallest is not None else found.no_smallest
    yield Paragraph(f"Smallest build in time: {smallest}")
    if found.choice is not None:
        one, many = found.choice.one, found.choice.many
        prices = f"{words.usd(one.usd_per_gpu_hour)} and {words.usd(many.usd_per_gpu_hour)} a GPU-hour"
        yield Paragraph(f"Long or short, at {prices}: {found.choice.words}")


def _noted(value: str, note: str) -> str:
    return f"{value} ({note})" if note else value


UNKNOWN = "unknown"
SHOWN_OFFERS = 6


def _usd(value: float | None) -> str:
    return UNKNOWN if value is None else words.usd(value)


def _hourly(value: float | None) -> str:
    return UNKNOWN if value is None else words.usd_per_hour(value)


def _cost(sizing: Sizing) -> Iterator[Block]:
    cost = sizing.cost
    yield Heading("Cost")
    if sizing.serving is None and sizing.training is None:
        yield Paragraph("The build does no work as entered: these are prices of the hardware alone.")
    rows = [
        words.buy_row(cost),
        ("own a month, over 36", _usd(cost.own_usd_per_month)),
        ("rent an hour", _noted(_hourly(cost.rent_usd_per_hour), cost.rent_note)),
        ("rent a month", _usd(cost.rent_usd_per_month)),
        ("electricity a month", _usd(cost.electricity_usd_per_month)),
    ]
    if sizing.scenario.workload.is_inference:
        rows.append(("a million tokens", _usd(cost.usd_per_million_tokens)))
        rows.append(("the same from an API", _noted(_usd(cost.api_usd_per_million_tokens), cost.api_note)))
    elif sizing.memory.fits:
        rows.append(("rent of the run", _usd(cost.run_usd)))
    never = "no saving against rent" if cost.buy_usd is not None and cost.rent_usd_per_month is not None else UNKNOWN
    if sizing.answer.status != "does-not-fit":
        rows.append(("buying pays after", words.pays_after(cost) or never))
    if cost.checkpoint_bytes:
        rows.append(("a checkpoint", f"{words.size(cost.checkpoint_bytes)} of storage"))
    yield Table(("", ""), tuple(rows), left=(0, 1), wrapped=1)
    if sizing.training is None or sizing.memory.fits:
        yield from _over_time(sizing)
    if cost.lines:
        yield Paragraph("Bill:")
        yield Bullets(tuple((_price_words(line), ()) for line in cost.lines))
    if cost.network_note:
        yield Paragraph(cost.network_note)
    if cost.advised is not None:
        named = cost.advised
        yield Paragraph(f"Bill of the build that the verdict names, {words.advised_words(named)}")
        yield Bullets(tuple((_price_words(line), ()) for line in named.lines))
    yield from _offers(cost)
    if cost.unknown:
        yield Paragraph("Unknown: " + "; ".join(cost.unknown) + ". A price of your own goes into [money].")


def _over_time(sizing: Sizing) -> Iterator[Block]:
    """People, and every way of having the work done over months of use."""
    cost = sizing.cost
    people = ""
    if cost.operations_fte is not None:
        people = f" {words.digits(cost.operations_fte)} full-time engineers"
        people += f", {_usd(cost.operations_usd_per_month)} a month." if cost.operations_usd_per_month else "."
    yield Paragraph(f"Operations: {cost.operations_note}.{people}")
    shown = words.ways(cost)
    if shown:
        yield Paragraph(words.use_words(sizing))
        heads = ("", *(word for _, word in shown))
        spans = tuple(
            (f"{h.months} months", *(_usd(getattr(h, f"{way}_usd")) for way, _ in shown)) for h in cost.horizons
        )
        yield Table(heads, spans)
    if cost.api_words:
        yield Paragraph(cost.api_words)


def _price_words(line: PriceLine) -> str:
    count = f"{line.quantity:,}x {line.item}"
    if line.usd_each is None or line.usd is None:
        return f"{count}: ask" + (f" (or enter {line.key})" if line.key else "")
    price = words.usd(line.usd) if line.quantity == 1 else f"{words.usd(line.usd)}, {words.usd(line.usd_each)} each"
    when = words.dated(line.as_of, line.age_days)
    return _noted(f"{count}: {price}", ", ".join(part for part in (line.source, when) if part))


def _offers(cost: Cost) -> Iterator[Block]:
    if not cost.offers:
        return
    ordered = sorted(cost.offers, key=lambda offer: offer.usd_per_hour)
    yield Paragraph("Offers for as many GPUs, cheapest first:")
    rows = [
        (offer.provider, offer.billing, _hourly(offer.usd_per_hour), words.dated(offer.as_of, offer.age_days))
        for offer in ordered
    ]
    yield Table(("provider", "billing", "an hour", "as of"), tuple(rows[:SHOWN_OFFERS]), left=(0, 1, 3))
    left = len(rows) - SHOWN_OFFERS
    if left > 0:
        yield Paragraph(f"and {left} more, up to {_hourly(ordered[-1].usd_per_hour)} an hour (all in --format json)")


def _power(sizing: Sizing) -> Iterator[Block]:
    power = sizing.power
    kind = f", {SUPPLY_NAMES[power.supply]}" if power.supply else ""
    psu = UNKNOWN if power.psu_w is None else f"{words.kilowatts(power.psu_w)} ({words.supply_words(power)}{kind})"
    rows = [
        ("in all", _noted(_watts(power.total_w), power.note)),
        ("a node", _watts(power.node_w)),
        ("supplies of a node", psu),
        ("circuits of a node", _circuits(power)),
        ("heat", UNKNOWN if power.heat_btu_h is None else f"{power.heat_btu_h:,.0f} BTU/h"),
    ]
    if power.nodes_per_rack is not None and power.racks is not None and power.rack_w is not None:
        of = f"(by {power.rack_units} U a node and {words.kilowatts(power.rack_w)} a rack)"
        rows += [("nodes in a rack", f"{power.nodes_per_rack:,} {of}"), ("racks", f"{power.racks:,}")]
    rows += [("cooling", power.cooling), ("noise", power.noise)]
    if power.pcie_lanes_needed is not None:
        board = "" if power.pcie_lanes_board is None else f"of {power.pcie_lanes_board:,} on the board; "
        rows.append(("PCIe lanes of a node", f"{power.pcie_lanes_needed:,} ({board}{power.slots})"))
    if power.host_memory_gib_min is not None:
        rows.append(("host memory of a node", f"{power.host_memory_gib_min:,.0f} GiB or more"))
    if power.nvme_bytes_min is not None:
        rows.append(("disks of a node", f"{words.size(power.nvme_bytes_min)} or more"))
    yield Heading("Power and host")
    yield Table(("", ""), tuple(rows), left=(0, 1), wrapped=1)


def _watts(value: float | None) -> str:
    return UNKNOWN if value is None else words.kilowatts(value)


def _circuits(power: Power) -> str:
    if power.circuits_per_node is None:
        return UNKNOWN
    return f"{power.circuits_per_node} of {power.circuit}{', on feed A and on feed B' if power.feeds > 1 else ''}"
