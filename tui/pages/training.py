"""What the Speed and Memory pages say of training: a step taken apart, what hides, what is assumed, the run, its peak."""

from __future__ import annotations

from collections.abc import Sequence

from engine.decide.training_choices import training_choices
from engine.scenario.frameworks import software_of
from engine.sizing import Sizing, Training, TrainingPhase
from tui.pages.advised import cures
from tui.pages.doc import BLANK, Line, Span, flow, heading, paragraphs, shorten
from tui.pages.look import Figure, Look, figures, sentence
from tui.pages.words import count, days, digits, gib, interval, percent, rate, seconds, size, usd

# --- a step


def step_parts(sizing: Sizing, look: Look) -> list[Line]:
    """One step taken apart: computing, bubble, exposed communication and optimizer, which add up to it."""
    run, glyphs = sizing.training, look.glyphs
    if run is None or not run.step_s:
        return []
    parts = [
        ("computing", run.compute_s, "weights", glyphs.weights, "compute_s"),
        ("pipeline bubble", run.bubble_s, "activations", glyphs.activations, "bubble_s"),
        ("in links, exposed", run.exposed_communication_s, "kv", glyphs.kv, "exposed_communication_s"),
        ("optimizer", run.optimizer_s, "optimizer", glyphs.optimizer, "optimizer_s"),
    ]
    if run.generation_s:
        parts.insert(0, ("answers", run.generation_s, "free", glyphs.free, "generation_s"))
    lines = [heading("ONE STEP", look.width, glyphs.rule, seconds(run.step_s), "figure", "figure:training.step_s")]
    room = max(10, look.width - 2)
    ends = [round(sum(part[1] for part in parts[: at + 1]) / run.step_s * room) for at in range(len(parts))]
    spans, before = [Span(" ")], 0
    for (_, _, style, glyph, _), end in zip(parts, ends, strict=True):
        spans.append(Span(glyph * (min(room, end) - before), style))
        before = min(room, end)
    lines.append(tuple(spans))
    for name, value, style, glyph, field in parts:
        spans = [Span(f" {glyph} ", style), Span(f"{name:<18}")]
        spans.append(Span(f"{seconds(value):>9}", "figure", f"figure:training.{field}"))
        share = f"figure:ratio(training.{field},training.step_s)"
        lines.append((*spans, Span(f" {percent(value / run.step_s):>6}", "dim", share)))
    each = [
        (name, value, field)
        for name, value, field in (
            ("TP", run.tp_communication_s, "tp_communication_s"),
            ("experts", run.ep_communication_s, "ep_communication_s"),
            ("PP", run.pp_communication_s, "pp_communication_s"),
            ("data parallel", run.dp_communication_s, "dp_communication_s"),
        )
        if value > 0
    ]
    if not each:
        lines.append((Span(" Nothing crosses a link.", "dim"),))
        return lines + flow(_batch_words(sizing, run), look.width)
    spans = [
        Span(" Collectives take ", "dim"),
        _time_span(run.communication_s, "communication_s"),
        Span(" in all (", "dim"),
    ]
    for at, (name, value, field) in enumerate(each):
        spans += [Span(f"{', ' if at else ''}{name} ", "dim"), _time_span(value, field)]
    spans += [
        Span("); ", "dim"),
        _time_span(run.hidden_communication_s, "hidden_communication_s"),
        Span(" hide behind computing.", "dim"),
    ]
    return lines + flow(spans, look.width) + flow(_batch_words(sizing, run), look.width)


def _time_span(value_s: float, field: str) -> Span:
    return Span(seconds(value_s), "figure", f"figure:training.{field}")


def _batch_words(sizing: Sizing, run: Training) -> list[Span]:
    workload = sizing.scenario.workload
    tokens, asked = count(run.step_tokens), count(run.asked_step_tokens)
    plural = "s" * (sizing.layout.dp != 1)
    sequences = "sequence" if workload.micro_batch == 1 else "sequences"
    spans = [
        Span(" A step is ", "dim"),
        Span(f"{tokens} tokens", "figure", "figure:training.step_tokens"),
        Span(": ", "dim"),
        Span(
            f"{run.micro_batches} micro-batch{'es' * (run.micro_batches != 1)}",
            "figure",
            "figure:training.micro_batches",
        ),
        Span(" of ", "dim"),
        Span(
            f"{count(workload.micro_batch)} {sequences} of {workload.sequence_length:,} tokens on "
            f"{count(sizing.layout.dp)} replica{plural}",
            "dim",
            "figure:training.step_tokens",
        ),
        Span(".", "dim"),
    ]
    if tokens != asked:
        spans += [
            Span(" That is more than the ", "dim"),
            Span(asked, "figure", "figure:load.global_batch_tokens"),
            Span(" asked: every replica takes whole micro-batches.", "dim"),
        ]
    return spans


# --- overlap


def overlap(sizing: Sizing, look: Look) -> list[Line]:
    """Tokens/s with no communication hidden, as estimated, and with the most that was measured."""
    run, glyphs = sizing.training, look.glyphs
    if run is None or run.communication_s <= 0 or run.overlap_range.high <= 0:
        return []
    given = sizing.scenario.workload.overlap
    said = "as estimated" if given is None else f"{percent(given)}, entered"
    rows = [
        ("none hidden", run.overlap_range.low, "training.none_hidden_tokens_per_s"),
        (said, run.tokens_per_s_gpu, "training.tokens_per_s_gpu"),
        ("most measured, 86 %", run.overlap_range.high, "training.most_hidden_tokens_per_s"),
    ]
    lines = [heading("IF COMMUNICATION HIDES", look.width, glyphs.rule, "tokens/s a GPU")]
    return lines + _bars(rows, said, look)


def _bars(rows: Sequence[tuple[str, float, str]], marked: str, look: Look, notes: Sequence[str] = ()) -> list[Line]:
    """Named rates as bars on one scale from zero, the one in use marked."""
    glyphs = look.glyphs
    name = max(len(row[0]) for row in rows)
    note = max((len(words) for words in notes), default=0)
    room = max(6, min(44, look.width - name - 13 - (note + 2 if note else 0)))
    top = max(value for _, value, _ in rows) or 1.0
    lines: list[Line] = []
    for at, (label, value, figure) in enumerate(rows):
        here = label == marked
        cells = max(1, round(value / top * room))
        action = f"figure:{figure}" if figure else ""
        spans = [
            Span(f" {glyphs.pointer if here else ' '} ", "key"),
            Span(f"{label:<{name}} ", "strong" if here else ""),
            Span(f"{rate(value):>7} ", "figure", action),
            Span(glyphs.bar * cells, "accent"),
            Span(glyphs.bar_rest * (room - cells), "rest"),
        ]
        if notes and notes[at]:
            spans.append(Span(f"  {notes[at]}", "bad"))
        lines.append(tuple(spans))
    return lines


# --- what is assumed


SOFTWARE_WORDS = {
    "tuned": "fused kernels and overlapped collectives, as Megatron, NeMo or torchtitan have them",
    "standard": "flash attention and some fusion, as a usual framework has it",
    "eager": "plain modules one after another, as a first script has it",
}
RECOMPUTE_WORDS = {
    "none": "Nothing is computed twice; all activations stay in memory.",
    "selective": "Attention's inner products are computed again in the backward pass.",
    "full": "Every layer is computed again in the backward pass: a third more work for the least memory.",
}


def assumed(sizing: Sizing, look: Look) -> list[Line]:
    """Software and recomputation: what the estimate assumes, and what the others would give on the same layout."""
    if sizing.training is None:
        return []
    work, glyphs = sizing.scenario.workload, look.glyphs
    software = software_of(work)
    others = training_choices(sizing.scenario, sizing.layout)
    lines: list[Line] = []
    for kind, title, current, words in (
        ("software", "SOFTWARE", software, f"{software.capitalize()}: {SOFTWARE_WORDS[software]}."),
        ("recompute", "RECOMPUTATION", work.recompute, RECOMPUTE_WORDS[work.recompute]),
    ):
        mine = [choice for choice in others if choice.field == kind]
        lines += [BLANK] if lines else []
        lines.append(heading(title, look.width, glyphs.rule, "tokens/s a GPU, same layout"))
        rows = [(one.value, one.tokens_per_s_gpu, f"if.{kind}.{one.value}.training.tokens_per_s_gpu") for one in mine]
        lines += _bars(rows, current, look, [f"{glyphs.no} does not fit" if not one.fits else "" for one in mine])
        lines += paragraphs(words, look.width - 1, "dim", " ", " ")
    if sizing.training.peak_tflops is None:
        return lines
    peak = digits(sizing.training.peak_tflops)
    spans = [
        Span(" MFU counts the model's own work, nothing recomputed, against ", "dim"),
        Span(f"{peak} dense {work.compute_dtype.upper()} TFLOP/s", "figure", "figure:training.mfu"),
        Span(" of the data sheet.", "dim"),
    ]
    return lines + flow(spans, look.width)


# --- the run


def the_run(sizing: Sizing, look: Look) -> list[Line]:
    """What the run is of, what failures and checkpoints leave of it, and the limits it is held to."""
    run, work = sizing.training, sizing.scenario.workload
    if run is None:
        return []
    items = [
        Figure("Tokens", count(work.run_tokens), "entered", "figure:load.total_tokens"),
        Figure(
            "A day",
            f"{count(run.tokens_per_day)} tokens",
            "",
            "figure:training.tokens_per_day",
        ),
        Figure("Goodput", f"{100 * run.goodput:.1f} %", "checkpoints, failures", "figure:training.goodput"),
    ]
    cost = run.cost_usd
    if cost is not None and sizing.scenario.money.usd_per_gpu_hour is None:  # an entered price stands with the speed
        items.append(Figure("Rent", usd(cost), "at catalog prices", "figure:cost.run_usd"))
    if work.deadline_days is not None:
        late = run.days > work.deadline_days
        said = "late" if late else "in time"
        style, opens = "bad" if late else "good", "figure:load.deadline_days"
        items.append(Figure("Deadline", f"{digits(work.deadline_days)} days", said, opens, style))
    if work.budget_usd is not None:
        over = cost is not None and cost > work.budget_usd
        said = "no price to hold it" if cost is None else "over it" if over else "kept"
        style, opens = "bad" if over else "figure", "figure:load.budget_usd"
        items.append(Figure("Budget", usd(work.budget_usd), said, opens, style))
    if sizing.cost.checkpoint_bytes:
        items.append(Figure("Checkpoint", size(sizing.cost.checkpoint_bytes), "each", "figure:cost.checkpoint_bytes"))
    lines = [heading("THE RUN", look.width, look.glyphs.rule), *figures(items, look)]
    took = run.days_interval
    if took is not None:
        spans = [
            Span(" Speed is ", "dim"),
            Span(f"{interval(run.interval)} tokens/s", "figure", "figure:training.tokens_per_s_gpu"),
            Span(" a GPU in four cases of five, so the run takes ", "dim"),
            Span(f"{days(took.low)} to {days(took.high)}", "figure", "figure:training.days"),
            Span(".", "dim"),
        ]
        lines += flow(spans, look.width)
    return lines


# --- memory


def peak(sizing: Sizing, look: Look) -> list[Line]:
    """What the fullest GPU needs, what each tool will show, and the most that fits."""
    memory, glyphs = sizing.memory, look.glyphs
    detail = memory.training
    if detail is None:
        return []
    total = memory.worst.total_bytes
    rows = [
        ("a step needs", memory.peak_bytes, "memory.peak_bytes", "decides whether it fits"),
        ("torch allocated", detail.allocated_bytes, "memory.allocated_bytes", "max_memory_allocated"),
        ("torch reserved", detail.reserved_bytes, "memory.torch_reserved_bytes", "its allocator's cache included"),
        ("nvidia-smi", memory.nvidia_smi_bytes, "memory.nvidia_smi_bytes", "cache and context included"),
    ]
    if not memory.fits:
        rows = rows[:1]  # no tool will ever show what does not start
    lines = [
        heading(
            "PEAK",
            look.width,
            glyphs.rule,
            f"fullest GPU of {gib(total)} GiB",
            right_action="figure:memory.total_bytes",
        )
    ]
    lines += figures(
        [Figure(name, size(value), note, f"figure:{figure}" if figure else "") for name, value, figure, note in rows],
        look._replace(width=min(look.width, 70)),
    )
    span = detail.interval
    spans = [
        Span(" Four cases of five need ", "dim"),
        Span(f"{gib(span.low)} to {gib(span.high)} GiB", "figure", "figure:memory.peak_bytes"),
        Span(f". The peak is reached in: {detail.phase}.", "dim"),
    ]
    return lines + flow(spans, look.width)


_PARTS = (
    ("weights", "weights_bytes"),
    ("gradients", "gradient_bytes"),
    ("optimizer", "optimizer_bytes"),
    ("activations", "activation_bytes"),
)


def moments(sizing: Sizing, look: Look) -> list[Line]:
    """What is allocated at each moment of a step, to one scale; the fullest marked."""
    detail, glyphs = sizing.memory.training, look.glyphs
    if detail is None or not detail.phases:
        return []
    lines = [heading("MOMENTS OF A STEP", look.width, glyphs.rule, "allocated, GiB")]
    name = min(26, max(len(phase.name) for phase in detail.phases))
    room = max(8, look.width - name - 12)
    top = max(phase.allocated_bytes for phase in detail.phases) or 1
    for number, phase in enumerate(detail.phases, 1):
        here = phase.name == detail.phase
        lines.append(
            (
                Span(f" {glyphs.pointer if here else ' '} ", "key"),
                Span(f"{shorten(phase.name, name, glyphs.ellipsis):<{name}} ", "strong" if here else ""),
                Span(f"{gib(phase.allocated_bytes):>6} ", "figure", f"figure:memory.phase_{number}_bytes"),
                *_stack(phase, room, top, look),
            )
        )
    used = [part for part in _PARTS if any(getattr(phase, part[1]) for phase in detail.phases)]
    spans = [Span(" ")]
    for part, _ in used:
        spans += [Span(f"{getattr(glyphs, part)}\u00a0{part}", part), Span("   ")]  # one word: they wrap together
    lines += flow(spans, look.width)
    return lines + paragraphs("The peak is the largest moment, not their sum.", look.width - 1, "dim", " ", " ")


def _stack(phase: TrainingPhase, room: int, top: int, look: Look) -> list[Span]:
    spans: list[Span] = []
    total, before = 0, 0
    for part, field in _PARTS:
        total += getattr(phase, field)
        end = round(total / top * room)
        spans.append(Span(getattr(look.glyphs, part) * (end - before), part))
        before = end
    return spans


def state_lines(sizing: Sizing, look: Look) -> list[Line]:
    """The assumptions behind the training state, one sentence each, and what is trained."""
    detail, glyphs = sizing.memory.training, look.glyphs
    if detail is None:
        return []
    lines = [heading("TRAINING STATE", look.width, glyphs.rule)]
    lines += flow(
        [
            Span(" One rank trains "),
            Span(count(detail.trainable_parameters), "figure", "figure:states.trainable"),
            Span(" parameters, "),
            Span(f"{digits(detail.bytes_per_parameter, 2)} bytes", "figure", "figure:states.bytes_per_parameter"),
            Span(" each before any sharding."),
        ],
        look.width,
    )
    for words in detail.lines:
        lines += sentence(words, look.width - 1, "", "   ", f" {glyphs.bullet} ")
    return lines


def room(sizing: Sizing, look: Look) -> list[Line]:
    """What was found to do about a run that does not fit."""
    found = [] if sizing.memory.fits else cures(sizing, look)
    rows = [row for block in found for row in block]
    return [heading("WHAT GIVES ROOM", look.width, look.glyphs.rule), *rows] if rows else []


def memory_sections(sizing: Sizing, look: Look) -> list[list[Line]]:
    """What the Memory page adds for training; empty for inference."""
    if sizing.memory.training is None:
        return []
    return [room(sizing, look), peak(sizing, look), moments(sizing, look), state_lines(sizing, look)]


def speed_sections(sizing: Sizing, look: Look) -> list[list[Line]]:
    """What the Speed page says below its figures for training; empty for inference."""
    if sizing.training is None:
        return []
    return [step_parts(sizing, look), overlap(sizing, look), the_run(sizing, look), assumed(sizing, look)]
