"""The tables of the whole report: memory, speed, fabric and scaling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.decide.answer import enough
from engine.decide.corpus import corpus_curve
from engine.decide.prospects import prospects
from engine.figures.sentences import joined, text_of
from engine.sizing import FabricRow, Interval, Memory, MemoryGroup, Serving, Sizing, Training
from tui.pages import words
from tui.shell.blocks import Block, Bullets, Heading, Paragraph, Table
from tui.shell.report_words import more_than_asked, usd_or_unknown

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


def memory_blocks(sizing: Sizing) -> Iterator[Block]:
    memory = sizing.memory
    yield Heading("Memory per GPU, GiB")
    shown = [name for name in _MEMORY_COLUMNS if _is_shown(name, memory.per_gpu)]
    rows = tuple(
        (group.rank_group, str(group.gpus), *(words.gib(getattr(group, _MEMORY_COLUMNS[name])) for name in shown))
        for group in memory.per_gpu
    )
    yield Table(("group", "GPUs", *shown), rows)
    headroom = f"Headroom: {memory.headroom}"
    yield Paragraph(headroom + (f" ({text_of(memory.headroom_reason)})" if memory.headroom_reason else ""))
    yield Paragraph(_memory_line(sizing, memory))
    if memory.rule_note:
        yield Paragraph(text_of(memory.rule_note))
    if memory.training is not None and memory.training.lines:
        yield Paragraph("Assumed of training memory:")
        yield Bullets(tuple((text_of(told), ()) for told in memory.training.lines))


def _is_shown(name: str, groups: Sequence[MemoryGroup]) -> bool:
    always = ("weights", "activation", "runtime", "free", "total")
    return name in always or any(getattr(group, _MEMORY_COLUMNS[name]) for group in groups)


def _memory_line(sizing: Sizing, memory: Memory) -> str:
    share = f"Weights take {words.percent(memory.weights_share)} of the fullest GPU."
    if sizing.scenario.workload.embeds:
        return f"{share} Nothing is kept of what is read."
    if sizing.scenario.workload.is_inference:
        span = memory.kv_interval
        spread = "" if span is None else f" 80 % interval of what fits: {span.low:,.0f} to {span.high:,.0f} tokens."
        return (
            f"{share} The load needs KV for {memory.kv_needed_tokens:,} tokens; "
            f"{memory.kv_capacity_tokens:,} fit: {words.users(memory.users_that_fit)} "
            f"at this length, or one of "
            f"{memory.longest_context_tokens:,} tokens.{spread}"
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


def embedding_blocks(serving: Serving) -> Iterator[Block]:
    """The speed of an embedder: what it reads."""
    yield Heading("Embedding speed (fitted)")
    missed = f"missed: {text_of(joined(serving.missed, '; '))}"
    rows = (
        ("requests/s", words.digits(serving.requests_per_s)),
        ("time of a request", _spread(words.seconds(serving.ttft_s), serving.ttft_interval)),
        ("tokens/s read", _between(words.rate(serving.tokens_per_s_total), serving.tokens_per_s_interval)),
        ("at most, requests/s", words.digits(serving.best_requests_per_s)),
        ("requests at once, of those asked", words.count(serving.served_concurrency)),
        ("time communicating", words.percent(serving.communication_share)),
        ("bound by", serving.bound_by),
        ("targets", {True: "met", False: missed, None: "none given"}[serving.meets_targets]),
    )
    yield Table(("", ""), rows, left=(0, 1))


def serving_blocks(serving: Serving, kind: str) -> Iterator[Block]:
    yield Heading("Serving speed (fitted)")
    pace = f": {enough(serving.tokens_per_s_user)[1]}" if kind == "serve" else ""
    missed = f"missed: {text_of(joined(serving.missed, '; '))}"
    meets = {True: "met", False: missed, None: "none given"}[serving.meets_targets]
    rows = (
        ("time to first token", _spread(words.seconds(serving.ttft_s), serving.ttft_interval)),
        ("time between tokens", _spread(words.seconds(serving.inter_token_s), serving.inter_token_interval)),
        ("tokens/s for a user", words.rate(serving.tokens_per_s_user) + pace),
        ("tokens/s in all", _between(words.rate(serving.tokens_per_s_total), serving.tokens_per_s_interval)),
        ("requests/s", words.digits(serving.requests_per_s)),
        *_corpus_rows(serving),
        ("users running, of those asked", words.count(serving.served_concurrency)),
        (
            "at most at once, as answers grow",
            f"{words.users(serving.most_at_once)}, {words.rate(serving.offline_tokens_per_s)} tokens/s",
        ),
        ("within the targets", _within(serving)),
        ("one user alone, tokens/s", words.rate(serving.single_stream_tokens_per_s)),
        ("time communicating", words.percent(serving.communication_share)),
        ("bound by", serving.bound_by),
        ("targets", meets),
    )
    yield Table(("", ""), rows, left=(0, 1), wrapped=1)


def training_blocks(training: Training) -> Iterator[Block]:
    yield Heading("Training speed (fitted)")
    why = more_than_asked(training, " (more than the {} asked: every replica takes whole micro-batches)")
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


def fabric_blocks(rows: Sequence[FabricRow]) -> Iterator[Block]:
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


def scaling_blocks(sizing: Sizing) -> Iterator[Block]:
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
        mark = "over the card" if not row.fits else "below the 60 % floor" if row.below_floor else ""
        rows.append(
            (
                row.configuration + (" *" if row.in_use else ""),
                words.percent(row.efficiency),
                mark,
                row.parallelism,
                row.fabric,
                row.source,
            )
        )
    head = ("shape", "speed", "", "parallelism", "fabric", "")
    yield Table(head, tuple(rows), left=(0, 2, 3, 4, 5), markdown_only=(3, 4, 5))
    better = tuple(
        (f"{row.configuration}: better as {text_of(row.better)}", ()) for row in sizing.scaling if row.better
    )
    if better:
        yield Bullets(better)


def _serving_scaling(sizing: Sizing) -> Iterator[Block]:
    yield Heading("Scaling")
    within = "inside the latency targets" if _has_latency_targets(sizing) else "all that run at once"
    counted = "Tokens/s read" if sizing.scenario.workload.embeds else "Output tokens/s"
    yield Paragraph(f"{counted} under each shape's best load, {within}. * this build.")
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
    yield Paragraph(f"Smallest build in time: {text_of(found.words)}.", strong=True)
    yield Paragraph("Nodes that hold the model work alone, each on its part of the corpus. * as many as entered.")
    rows = tuple(
        (
            f"{point.gpus:,}" + (" *" if point.gpus == sizing.scenario.hardware.gpus else ""),
            words.days(point.days),
            words.count(point.gpu_hours),
            usd_or_unknown(point.usd),
            "" if point.in_time else "late",
        )
        for point in found.points
    )
    yield Table(("GPUs", "time", "GPU-hours", "rent", ""), rows, left=(4,))


def prospect_blocks(sizing: Sizing) -> Iterator[Block]:
    """A training run on more and fewer of its GPUs: the curve, the smallest build in time, one GPU against many."""
    if sizing.scenario.workload.is_inference:
        yield from _corpus_curve(sizing)
        return
    found = prospects(sizing.scenario)
    yield Heading("Time and money against GPUs")
    yield Paragraph(text_of(found.curve.words), strong=True)
    if found.curve.serial_share:
        share = f"{100 * found.curve.serial_share:.2g} %"
        yield Paragraph(f"Amdahl's serial share up to {found.curve.points[-1].gpus:,} GPUs: {share}.")
    rows = tuple(
        (
            f"{point.gpus:,}" + (" *" if point.gpus == sizing.scenario.hardware.gpus else ""),
            *(
                (
                    words.days(point.days),
                    usd_or_unknown(point.cost_usd),
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
    smallest = text_of(found.smallest.words) if found.smallest is not None else found.no_smallest
    yield Paragraph(f"Smallest build in time: {smallest}")
    if found.choice is not None:
        one, many = found.choice.one, found.choice.many
        prices = f"{words.usd(one.usd_per_gpu_hour)} and {words.usd(many.usd_per_gpu_hour)} a GPU-hour"
        yield Paragraph(f"Long or short, at {prices}: {text_of(found.choice.words)}")
