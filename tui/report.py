"""A Sizing as a report without a terminal: text for people and pipes, markdown for documents, JSON for programs.

Every figure comes from the Sizing; nothing is computed here but its rounding.
"""

from __future__ import annotations

import dataclasses
import json
import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from engine.scenario import Scenario
from engine.sizing import Cost, FabricRow, Interval, Memory, MemoryGroup, Serving, Sizing, Training
from tui.pages import words
from tui.session import printable

Format = Literal["text", "markdown", "json"]
FORMATS: tuple[Format, ...] = ("text", "markdown", "json")
WIDTH = 88
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of the report (level 1) or of a section (level 2)."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text; strong for what must not be overlooked."""

    text: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list; an item may have items of its own."""

    items: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a head; columns named in `left` are aligned left, the others right."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: tuple[int, ...] = (0,)


Block = Heading | Paragraph | Bullets | Table


def render(sizing: Sizing, form: Format) -> str:
    """The report in one form, ending in a line end; JSON is a single line."""
    if form == "json":
        return json.dumps(as_data(sizing), ensure_ascii=False, allow_nan=False) + "\n"
    blocks = list(_blocks(sizing))
    return _as_markdown(blocks) if form == "markdown" else _as_text(blocks)


# JSON


def as_data(sizing: Sizing) -> dict[str, Any]:
    """The report as plain data under its stable names. Floats have six significant digits, unknowns are null."""
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
        "workload": _fields(scenario.workload),
        "layout": _fields(sizing.layout),
        "memory": _fields(memory),
        "serving": None,
        "training": None,
        "fabric": [_fields(row) for row in sizing.fabric],
        "scaling": [_fields(row) for row in sizing.scaling],
        "verdict": _fields(verdict),
        "warnings": [_fields(notice) for notice in sizing.warnings],
        "cost": _fields(sizing.cost),
        "power": _fields(sizing.power),
    }
    if sizing.serving is not None:
        data["serving"] = _fields(sizing.serving) | {"interval": data_of(sizing.serving.tokens_per_s_interval)}
    if sizing.training is not None:
        data["training"] = _fields(sizing.training)
    return data


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
    return {field.name: data_of(getattr(record, field.name)) for field in dataclasses.fields(record)}


def data_of(value: Any) -> Any:
    """A record, tuple or figure as JSON data."""
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, tuple | list):
        return [data_of(item) for item in value]
    if dataclasses.is_dataclass(value):
        return _fields(value)
    raise TypeError(f"{type(value).__name__} has no place in a report")


# Content


def _blocks(sizing: Sizing) -> Iterator[Block]:
    scenario = sizing.scenario
    yield Heading(printable(scenario.title) or "Untitled build", 1)
    yield Paragraph(_build_line(scenario))
    yield Paragraph(_workload_line(scenario))
    for line in scenario.notes.splitlines():
        if line.strip():
            yield Paragraph(printable(line))
    yield from _verdict(sizing)
    yield from _warnings(sizing)
    yield from _memory(sizing)
    if sizing.serving is not None:
        yield from _serving(sizing.serving)
    if sizing.training is not None:
        yield from _training(sizing.training)
    yield from _fabric(sizing.fabric)
    yield from _scaling(sizing)
    yield from _cost(sizing.cost)
    yield from _power(sizing)


def _build_line(scenario: Scenario) -> str:
    model, hardware = scenario.model, scenario.hardware
    formats = f"{model.weights} weights"
    if scenario.workload.is_inference:
        formats += f", {model.kv_cache} KV cache"
    build = f"{hardware.gpus}x {hardware.accelerator.name}"
    if hardware.nodes > 1:
        build += f" ({hardware.nodes} nodes of {hardware.gpus_per_node}), {hardware.inter_link.id} between nodes"
    if hardware.gpus_per_node > 1:
        build += f", {hardware.intra_link.id} inside"
    return printable(f"{model.name}, {formats}, on {build}")


def _workload_line(scenario: Scenario) -> str:
    load = scenario.workload
    if load.is_inference:
        text = (
            f"{load.kind}: {load.concurrency:,} users at once, {load.input_tokens:,} tokens in, "
            f"{load.output_tokens:,} out"
        )
        targets = (
            ("first token within {:g} s", load.ttft_target_s),
            ("{:g} tokens/s for each user", load.tokens_per_s_user_target),
            ("{:g} requests/s", load.requests_per_s),
        )
    else:
        text = (
            f"{load.kind}: {words.count(load.total_tokens)} tokens in sequences of {load.sequence_length:,}, "
            f"{words.count(load.global_batch_tokens)} a step, {load.optimizer}, {load.sharding}, "
            f"{load.recompute} recomputation"
        )
        targets = (("done in {:g} days", load.deadline_days), ("", None), ("", None))
    wanted = [phrase.format(value) for phrase, value in targets if value is not None]
    if load.budget_usd is not None:
        wanted.append(f"within {words.usd(load.budget_usd)}")
    return f"{text}; wanted: {', '.join(wanted)}" if wanted else text


def _verdict(sizing: Sizing) -> Iterator[Block]:
    verdict = sizing.verdict
    yield Heading("Verdict")
    yield Paragraph(f"{verdict.answer}: {verdict.headline}", strong=True)
    if verdict.reason:
        yield Paragraph(verdict.reason)
    if verdict.build:
        yield Paragraph(f"Build: {verdict.build}")
    carried = "yes" if verdict.carried else "no"
    yield Paragraph(f"Carries the workload as entered: {carried}")
    layout = sizing.layout
    spread = f"TP {layout.tp}, PP {layout.pp}, DP {layout.dp}, EP {layout.ep}"
    if layout.dp_attention:
        spread += ", data-parallel attention"
    yield Paragraph(f"Layout: {spread}" + (f" ({layout.reason})" if layout.reason else ""))
    if verdict.flips:
        yield Paragraph("What would change it:")
        yield Bullets(tuple((flip.words, ()) for flip in verdict.flips))
    if verdict.assumed:
        yield Paragraph("Assumed: " + "; ".join(verdict.assumed))
    yield Heading("Steps")
    steps = []
    for step in verdict.steps:
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
        todo = (f"fix: {fix.field} = {fix.value}" + (f" ({fix.effect})" if fix.effect else ""),) if fix else ()
        items.append((f"{notice.severity}: {notice.message} [{notice.id}]", todo))
    yield Bullets(tuple(items))


_MEMORY_COLUMNS = ("weights", "kv", "activation", "runtime", "optimizer", "gradient", "free", "usable", "total")


def _memory(sizing: Sizing) -> Iterator[Block]:
    memory = sizing.memory
    yield Heading("Memory per GPU, GiB")
    shown = [name for name in _MEMORY_COLUMNS if _is_shown(name, memory.per_gpu)]
    rows = tuple(
        (group.rank_group, str(group.gpus), *(words.gib(getattr(group, f"{name}_bytes")) for name in shown))
        for group in memory.per_gpu
    )
    yield Table(("group", "GPUs", *shown), rows)
    headroom = f"Headroom: {memory.headroom}"
    yield Paragraph(headroom + (f" ({memory.headroom_reason})" if memory.headroom_reason else ""))
    yield Paragraph(_memory_line(sizing, memory))
    if memory.rule_note:
        yield Paragraph(memory.rule_note)
    if memory.suggestions:
        items = ((f"{item.field} = {item.value}: {item.effect}", ()) for item in memory.suggestions)
        yield Paragraph("Single changes that would help:")
        yield Bullets(tuple(items))
    if memory.training is not None and memory.training.lines:
        yield Paragraph("Assumed of training memory:")
        yield Bullets(tuple((text, ()) for text in memory.training.lines))


def _is_shown(name: str, groups: Sequence[MemoryGroup]) -> bool:
    always = ("weights", "activation", "runtime", "free", "usable", "total")
    return name in always or any(getattr(group, f"{name}_bytes") for group in groups)


def _memory_line(sizing: Sizing, memory: Memory) -> str:
    share = f"Weights take {words.percent(memory.weights_share)} of the fullest GPU."
    if sizing.scenario.workload.is_inference:
        return (
            f"{share} The load needs KV for {memory.kv_needed_tokens:,} tokens; "
            f"{memory.kv_capacity_tokens:,} fit, {memory.max_concurrency:,.1f} users at this length, "
            f"or one of {memory.longest_context_tokens:,} tokens."
        )
    text = f"{share} Peak of the fullest GPU {words.size(memory.peak_bytes)}"
    if memory.training is not None:
        span = memory.training.interval
        text += f" (80 % interval {words.gib(span.low)}–{words.gib(span.high)} GiB)"
    if memory.nvidia_smi_bytes:
        text += f"; nvidia-smi will show {words.size(memory.nvidia_smi_bytes)}"
    if memory.host_bytes:
        text += f"; {words.size(memory.host_bytes)} of host memory a node"
    text += f". Largest micro-batch {memory.largest_micro_batch:,}"
    if memory.longest_sequence_tokens:
        text += f", longest sequence {memory.longest_sequence_tokens:,} tokens"
    return text + "."


def _between(value: str, interval: Interval, scale: float = 1.0) -> str:
    return f"{value} (80 % interval {words.interval(interval, scale)})"


def _serving(serving: Serving) -> Iterator[Block]:
    yield Heading("Serving speed (fitted)")
    meets = {True: "met", False: "missed: " + "; ".join(serving.missed), None: "none given"}[serving.meets_targets]
    rows = (
        ("time to first token, s", _between(words.digits(serving.ttft_s), serving.ttft_interval)),
        (
            "time between tokens, ms",
            _between(words.digits(serving.inter_token_s * 1e3), serving.inter_token_interval, 1e3),
        ),
        ("tokens/s for a user", words.digits(serving.tokens_per_s_user)),
        (
            "tokens/s in all",
            _between(words.digits(serving.tokens_per_s_total), serving.tokens_per_s_interval),
        ),
        ("requests/s", words.digits(serving.requests_per_s)),
        ("users served at once", f"{serving.served_concurrency:,}"),
        ("alone, tokens/s", words.digits(serving.single_stream_tokens_per_s)),
        ("offline, tokens/s", words.digits(serving.offline_tokens_per_s)),
        (
            "best load",
            f"{serving.best_concurrency:,} users, {words.digits(serving.best_tokens_per_s_total)} tokens/s",
        ),
        ("time communicating", words.percent(serving.communication_share)),
        ("bound by", serving.bound_by),
        ("targets", meets),
    )
    yield Table(("", ""), rows, left=(0, 1))


def _training(training: Training) -> Iterator[Block]:
    yield Heading("Training speed (fitted)")
    rows = [
        ("step", words.seconds(training.step_s)),
        (
            "tokens/s for a GPU",
            _between(words.digits(training.tokens_per_s_gpu), training.interval),
        ),
        ("tokens/s in all", words.digits(training.tokens_per_s_total)),
        ("MFU", words.percent(training.mfu)),
        ("days", words.digits(training.days)),
        ("GPU-hours", words.digits(training.gpu_hours)),
        ("efficiency against one GPU", words.percent(training.efficiency)),
        ("exposed communication, s a step", words.digits(training.exposed_communication_s)),
        ("pipeline bubble", words.percent(training.bubble_share)),
    ]
    if training.cost_usd is not None:
        rows.append(("rent of the run", words.usd(training.cost_usd)))
    if training.meets_deadline is not None:
        rows.append(("deadline", "met" if training.meets_deadline else "missed"))
    yield Table(("", ""), tuple(rows), left=(0, 1))


def _fabric(rows: Sequence[FabricRow]) -> Iterator[Block]:
    if not rows:
        return
    yield Heading("The fabric cliff")
    assumed = next((row.assumed for row in rows if row.assumed), "")
    if assumed:
        yield Paragraph(assumed)
    table = tuple(
        (
            row.link + (" *" if row.in_use else ""),
            words.digits(row.bandwidth_gb_s),
            words.digits(row.latency_us, 2),
            words.seconds(row.seconds),
            words.percent(row.share),
            words.percent(row.relative_speed),
            row.word,
            *(
                "" if value is None else words.percent(value)
                for value in (row.relative_speed_tp, row.relative_speed_pp, row.relative_speed_dp)
            ),
            row.kind,
            row.bandwidth_note,
        )
        for row in rows
    )
    head = ("link (* in use)", "GB/s one way", "latency us", "time", "share", "speed left", "")
    yield Table((*head, "TP across", "PP across", "DP across", "", ""), table, left=(0, 6, 10, 11))


def _scaling(sizing: Sizing) -> Iterator[Block]:
    if not sizing.scaling:
        return
    yield Heading("Scaling")
    rows = []
    for row in sizing.scaling:
        floor = "below the 60 % floor" if row.below_floor else ""
        better = f"better: {row.better}" if row.better else ""
        rows.append(
            (
                row.configuration,
                row.parallelism,
                row.fabric,
                words.percent(row.efficiency),
                "; ".join(part for part in (floor, better) if part),
            )
        )
    yield Table(("shape", "parallelism", "fabric", "efficiency", ""), tuple(rows), left=(0, 1, 2, 4))


def _noted(value: str, note: str) -> str:
    return f"{value} ({note})" if note else value


def _cost(cost: Cost) -> Iterator[Block]:
    yield Heading("Cost")
    rows: list[tuple[str, str]] = []
    if cost.buy_usd is not None:
        rows.append(("buy", _noted(words.usd(cost.buy_usd), cost.buy_note)))
    if cost.rent_usd_per_hour is not None:
        rows.append(("rent an hour", _noted(words.usd(cost.rent_usd_per_hour), cost.rent_note)))
    for label, value in (
        ("rent a month", cost.rent_usd_per_month),
        ("electricity a month", cost.electricity_usd_per_month),
        ("a million tokens", cost.usd_per_million_tokens),
        ("rent of the run", cost.run_usd),
    ):
        if value is not None:
            rows.append((label, words.usd(value)))
    if cost.break_even_months is not None:
        rows.append(("buying pays after", f"{words.digits(cost.break_even_months)} months"))
    if rows:
        yield Table(("", ""), tuple(rows), left=(0, 1))
    if cost.unknown:
        yield Paragraph("Unknown: " + ", ".join(cost.unknown))


def _power(sizing: Sizing) -> Iterator[Block]:
    power = sizing.power
    rows: list[tuple[str, str]] = []
    if power.total_w is not None:
        rows.append(("in all", _noted(f"{power.total_w:,.0f} W", power.note)))
    if power.node_w is not None:
        rows.append(("a node", f"{power.node_w:,.0f} W"))
    if power.heat_btu_h is not None:
        rows.append(("heat", f"{power.heat_btu_h:,.0f} BTU/h"))
    if power.circuit:
        rows.append(("circuit", power.circuit))
    if power.pcie_lanes_needed is not None:
        rows.append(("PCIe lanes a node", f"{power.pcie_lanes_needed:,}"))
    if power.host_memory_gib_min is not None:
        rows.append(("host memory a node", f"{power.host_memory_gib_min:,.0f} GiB or more"))
    if rows:
        yield Heading("Power and host")
        yield Table(("", ""), tuple(rows), left=(0, 1))


# Text


def _as_text(blocks: Iterable[Block]) -> str:
    lines: list[str] = []
    previous: Block | None = None
    for block in blocks:
        if isinstance(block, Heading) and previous is not None:
            lines.append("")
        if isinstance(block, Heading):
            lines += [block.text, ("=" if block.level == 1 else "-") * min(WIDTH, len(block.text))]
        elif isinstance(block, Paragraph):
            lines += _wrapped(block.text, "", "")
        elif isinstance(block, Bullets):
            for item, below in block.items:
                lines += _wrapped(item, "- ", "  ")
                for line in below:
                    lines += _wrapped(line, "    - ", "      ")
        else:
            lines += _text_table(block)
        previous = block
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    ) or [first.rstrip()]


def _text_table(table: Table) -> list[str]:
    rows = [table.head, *table.rows] if any(table.head) else list(table.rows)
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.head))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column in table.left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells))
    return lines


# Markdown


def _as_markdown(blocks: Iterable[Block]) -> str:
    parts: list[str] = []
    for block in blocks:
        if isinstance(block, Heading):
            parts.append(f"{'#' * block.level} {_escaped(block.text)}")
        elif isinstance(block, Paragraph):
            parts.append(f"**{_escaped(block.text)}**" if block.strong else _escaped(block.text))
        elif isinstance(block, Bullets):
            lines = []
            for item, below in block.items:
                lines.append(f"- {_escaped(item)}")
                lines += [f"  - {_escaped(line)}" for line in below]
            parts.append("\n".join(lines))
        else:
            parts.append(_markdown_table(block))
    return "\n\n".join(parts) + "\n"


def _markdown_table(table: Table) -> str:
    rule = [":---" if column in table.left else "---:" for column in range(len(table.head))]
    cells = [[_escaped(cell) for cell in row] for row in (table.head, *table.rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (cells[0], rule, *cells[1:]))


_MARKDOWN = str.maketrans({mark: "\\" + mark for mark in "\\`*_<>|[]#~"})


def _escaped(text: str) -> str:
    return text.translate(_MARKDOWN)
