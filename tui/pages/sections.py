"""The sections that pages are made of: memory, what to do, speed, fabric, verdict, scaling, model.

Each takes a Sizing and a width and returns lines. They format; they compute nothing about the build.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from engine.decide.advice import SHORT_OF_MEMORY
from engine.sizing import Evidence, Flip, MemoryGroup, Notice, Serving, Severity, Sizing, Step, Suggestion
from tui.pages import bars
from tui.pages.advised import cures, elsewhere
from tui.pages.doc import BLANK, NBSP, Line, Span, ends, flow, heading, line, paragraphs, shorten, width_of, wrap
from tui.pages.found import build_words, found_builds
from tui.pages.look import HEADROOM_STYLE, SEVERITY_STYLE, Figure, Look, figures
from tui.pages.prose import linked, sentence
from tui.pages.words import (
    count,
    days,
    digits,
    gib,
    interval,
    percent,
    rate,
    seconds,
    seconds_interval,
    size,
    usd,
    users,
)

if TYPE_CHECKING:
    from tui.pages.studies import Studies

CHEAPER = 0.95  # of the price of this build: what is named as cheaper


# --- memory -------------------------------------------------------------------------------------


def memory(sizing: Sizing, look: Look) -> list[Line]:
    """Bars, the exact figures behind them, and what the load needs against what fits."""
    facts = sizing.memory
    word = facts.headroom
    lines = [heading("MEMORY per GPU", look.width, look.glyphs.rule, word, HEADROOM_STYLE[word])]
    lines += bars.bars(sizing, look.width, look.glyphs)
    lines += bars.legend(sizing, look.width, look.glyphs, look.before)
    lines += load_lines(sizing, look)
    return lines


def load_lines(sizing: Sizing, look: Look) -> list[Line]:
    """KV needed against KV that fits, or what the training state peaks at."""
    facts, workload = sizing.memory, sizing.scenario.workload
    arrow = look.glyphs.arrow
    if workload.is_inference:
        short = facts.users_that_fit < workload.concurrency
        needed, room = "figure:memory.kv_needed_tokens", "figure:memory.users_that_fit"
        was = look.before.memory.users_that_fit if look.before is not None else facts.users_that_fit
        plural = "s" * (facts.users_that_fit > 1)
        needs = [
            *flow(
                line(
                    Span(" Load needs ", "", needed),
                    Span(count(facts.kv_needed_tokens), "figure", needed),
                    f" tokens of KV cache: {count(workload.concurrency)} users {look.glyphs.times} ",
                    f"{count(workload.tokens_per_request)} tokens",
                ),
                look.width,
                "   ",
            )
        ]
        if not facts.starts:
            words = " The engine does not start: no room for the KV of one sequence"
            return [*needs, *flow([Span(words, "bad", "figure:memory.kv_capacity_tokens")], look.width, "   ")]
        return [
            *needs,
            *flow(
                line(
                    Span(" KV holds ", "", "figure:memory.kv_capacity_tokens"),
                    Span(count(facts.kv_capacity_tokens), "figure", "figure:memory.kv_capacity_tokens"),
                    f" tokens {arrow} ",
                    Span(
                        f"{users(facts.users_that_fit)} such user{plural} at full length",
                        "bad" if short else "strong",
                        room,
                    ),
                    (_change(facts.users_that_fit - was), "delta"),
                    Span(
                        f"; or one of {count(facts.longest_context_tokens)} tokens",
                        "dim",
                        "figure:memory.longest_context_tokens",
                    ),
                ),
                look.width,
                "   ",
            ),
        ]
    lines = flow(
        line(
            Span(" Peak on the fullest GPU ", "", "figure:memory.peak_bytes"),
            Span(size(facts.peak_bytes), "figure", "figure:memory.peak_bytes"),
            Span(
                f"; nvidia-smi will show {size(facts.nvidia_smi_bytes)}"
                if facts.nvidia_smi_bytes and facts.fits
                else "",
                "dim",
                "figure:memory.nvidia_smi_bytes",
            ),
        ),
        look.width,
        "   ",
    )
    if facts.largest_micro_batch or facts.longest_sequence_tokens:
        lines += flow(
            line(
                " Largest micro-batch ",
                Span(count(facts.largest_micro_batch), "figure", "figure:memory.largest_micro_batch"),
                "; longest sequence ",
                Span(count(facts.longest_sequence_tokens), "figure", "figure:memory.longest_sequence_tokens"),
                " tokens, on this layout",
            ),
            look.width,
            "   ",
        )
    if facts.host_bytes:
        host = Span(size(facts.host_bytes), "figure", "figure:memory.host_bytes")
        lines.append(line(" Offload needs ", host, " of host memory per node"))
    return lines


def _change(users_more: int) -> str:
    """How many more users fit by the last edit, after two spaces; empty where it changed none."""
    if not users_more:
        return ""
    more = abs(users_more)
    return f"  {'+' if users_more > 0 else '-'}{count(more)} user{'s' * (more != 1)} by this edit"


def memory_reasons(sizing: Sizing, look: Look) -> list[Line]:
    """Why the headroom has its word, and where the planning rule disagrees with the accounting."""
    reason = sizing.memory.headroom_reason
    lines = sentence(f"{reason[:1].upper()}{reason[1:].rstrip('.')}.", look.width)
    if sizing.memory.rule_note:
        lines += sentence(sizing.memory.rule_note, look.width, "dim")
    return lines


# --- flip points --------------------------------------------------------------------------------


def flip_points(sizing: Sizing, studies: Studies | None) -> tuple[tuple[Flip, ...], bool]:
    """Where the verdict changes, and whether that belongs to this very sizing or to the one before the last edit."""
    return studies.flips.of(sizing) if studies is not None else (sizing.verdict.flips, True)


def flip_action(sizing: Sizing, flip: Flip) -> str:
    """The action text that opens the working of a flip point."""
    name = flip.field.partition(".")[2]
    way = "up" if flip.at > getattr(sizing.scenario.workload, name) else "down"
    return f"figure:flip.{name}.{way}"


def flips(sizing: Sizing, look: Look) -> list[Line]:
    """What would flip the verdict, each with its working; while it is looked for, what held before the edit."""
    points, fresh = flip_points(sizing, look.studies)
    state = "" if fresh else "before this edit" if points else "looking for it"
    lines = [heading("WHAT WOULD FLIP IT", look.width, look.glyphs.rule, state)]
    for flip in points:
        lines += _flip_lines(sizing, look, flip, "" if fresh else "dim")
    if not points and fresh:
        words = "Nothing within thousands of times of what was entered."
        lines += paragraphs(words, look.width - 1, "dim", " ", " ")
    return lines


def _flip_lines(sizing: Sizing, look: Look, flip: Flip, style: str) -> list[Line]:
    action = flip_action(sizing, flip)
    words = look.glyphs.text(flip.words[:1].upper() + flip.words[1:].rstrip("."))
    return [
        line((f" {look.glyphs.bullet} " if number == 0 else "   ", "dim"), Span(text, style, action))
        for number, text in enumerate(wrap(words, look.width - 4))
    ]


# --- what to do ---------------------------------------------------------------------------------


class Fix(NamedTuple):
    """A single change that the person can apply with one key."""

    words: str
    suggestion: Suggestion


def fixes(sizing: Sizing) -> list[Fix]:
    """The changes that the warnings offer, most severe first."""
    found = [Fix(notice.fix.effect, notice.fix) for notice in sizing.warnings if notice.fix is not None]
    unique: dict[tuple[str, object], Fix] = {}
    for fix in found:
        unique.setdefault((fix.suggestion.field, fix.suggestion.value), fix)
    return list(unique.values())


def apply_action(suggestion: Suggestion) -> str:
    """The action text that applies a suggestion."""
    return f"apply:{suggestion.field}={suggestion.value}"


def todo(sizing: Sizing, look: Look) -> list[Line]:
    """What is wrong, what was found to do about it, then warnings and remarks, each with what ends it."""
    rows = [row for block in _todo_blocks(sizing, look) for row in block]
    return [_todo_heading(sizing, look), *(rows or _nothing_to_do(sizing, look))]


def _nothing_to_do(sizing: Sizing, look: Look, brief: bool = False) -> list[Line]:
    """That no notice asks for anything, in words that fit the answer. brief: the one thing to do stands above."""
    found = look.studies.counsel.of(sizing.scenario) if look.studies is not None else None
    if found is not None and found.first is not None and brief:
        words = "Nothing beside the change above."
    elif sizing.answer.carries:
        words = "Nothing: no trap applies to this build."
    else:
        words = "No single change that was tried makes it run: Builds (8) searches the catalog."
    return paragraphs(words, look.width - 1, "dim", " ", " ")


def todo_brief(sizing: Sizing, look: Look, height: int) -> list[Line]:
    """What matters most of the same in exactly `height` lines: what stands below it does not jump."""
    lines = [_todo_heading(sizing, look)]
    blocks = _todo_blocks(sizing, look, remarks=False)
    for number, block in enumerate(blocks):
        last = number == len(blocks) - 1
        if len(lines) + len(block) > height - (0 if last else 1):
            more = len(blocks) - number
            lines.append(line((f" {more} more on the Verdict page", "dim")))
            break
        lines += block
    if not blocks:
        lines += _nothing_to_do(sizing, look, brief=True)
    lines += best_found(sizing, look)[: max(0, height - len(lines))]
    return lines[:height] + [BLANK] * (height - len(lines))


def best_found(sizing: Sizing, look: Look) -> list[Line]:
    """A build that a search for this very load has found cheaper, on one line; none when nobody searched."""
    search = look.studies.search if look.studies is not None else None
    if search is None or not search.ranked or search.running or search.stale(sizing.scenario):
        return []
    for number, option in enumerate(found_builds(search)):
        for now, then, what, figure in (
            (sizing.cost.rent_usd_per_month, option.rent_usd_per_month, "a month rented", "rent_usd_per_month"),
            (sizing.cost.whole_usd, option.whole_usd, "to buy", "buy_usd"),
        ):
            if now is not None and then is not None and then < CHEAPER * now:
                name = f"{build_words(option.scenario, look.glyphs.times)}, {option.scenario.model.weights}"
                action, tail = f"build:{number}", f": {usd(then)} {what}, not {usd(now)}  open"
                return [
                    line(
                        (f" {look.glyphs.arrow} ", "key"),
                        Span(shorten(name, look.width - 4 - len(tail), look.glyphs.ellipsis), "link", action),
                        Span(": "),
                        Span(usd(then), "figure", f"figure:{action}@cost.{figure}"),
                        Span(f" {what}, not "),
                        Span(usd(now), "figure", f"figure:cost.{figure}"),
                        Span("  open", "key", action),
                    )
                ]
    return []


def _todo_heading(sizing: Sizing, look: Look) -> Line:
    errors = sum(notice.severity == "error" for notice in sizing.warnings)
    warnings = sum(notice.severity == "warning" for notice in sizing.warnings)
    tally = [f"{errors} error{'s' * (errors != 1)}"] if errors else []
    tally += [f"{warnings} warning{'s' * (warnings != 1)}"] if warnings else []
    style = "bad" if errors else "warn" if tally else "dim"
    return heading("WHAT TO DO", look.width, look.glyphs.rule, ", ".join(tally), style)


def _todo_blocks(sizing: Sizing, look: Look, remarks: bool = True) -> list[list[Line]]:
    told: set[tuple[str, object]] = set()
    said = () if remarks else SHORT_OF_MEMORY

    def notices(severity: Severity) -> list[list[Line]]:
        wanted = [notice for notice in sizing.warnings if notice.severity == severity and notice.id not in said]
        return [_notice_lines(notice, look, told) for notice in wanted]

    found = cures(sizing, look, brief=not remarks)
    if not remarks:  # the band on top has the first of them already
        return [*notices("error"), *found[1:], *notices("warning")]
    api = elsewhere(sizing, look)
    return [*notices("error"), *found, *([api] if api else []), *notices("warning"), *notices("info")]


def _notice_lines(notice: Notice, look: Look, told: set[tuple[str, object]]) -> list[Line]:
    """A notice and its fix, unless that fix was told before."""
    mark = {"error": look.glyphs.no, "warning": "!", "info": look.glyphs.bullet}[notice.severity]
    style = SEVERITY_STYLE[notice.severity]
    text = style if notice.severity == "error" else ""
    lines = sentence(notice.message, look.width - 1, text, "   ", f" {mark} ", first_style=style)
    if notice.id in SHORT_OF_MEMORY:  # what to do about the build stands below it
        return lines
    if notice.fix is not None and (notice.fix.field, notice.fix.value) not in told:
        told.add((notice.fix.field, notice.fix.value))
        lines += _fix_lines(notice.fix, look, "   ")
    return lines


def _fix_lines(suggestion: Suggestion, look: Look, indent: str) -> list[Line]:
    action = apply_action(suggestion)
    tag = f"{look.glyphs.arrow} "
    change = f"{suggestion.field}={suggestion.value}"
    words = [
        span if span.action else span._replace(style="link", action=action)
        for span in linked(suggestion.effect, "link", fix=change)
    ]
    start = [Span(indent), Span(tag, "key", action)]
    lines = flow([*start, *words], look.width - 8, indent + " " * len(tag))
    lines[-1] = (*lines[-1], Span("  apply", "key", action))
    return lines


# --- speed --------------------------------------------------------------------------------------


def speed(sizing: Sizing, look: Look, brief: bool = False) -> list[Line]:
    """How fast: serving or training, each figure with its interval. brief: as many lines for every load."""
    if sizing.serving is not None:
        return _serving(sizing, look, brief)
    if sizing.training is not None and sizing.memory.fits:
        return _training(sizing, look)
    return [
        heading("SPEED", look.width, look.glyphs.rule),
        line((" No speed: the build does not hold the workload.", "dim")),
    ]


def _serving(sizing: Sizing, look: Look, brief: bool) -> list[Line]:
    speed = sizing.serving
    assert speed is not None
    workload = sizing.scenario.workload
    met = speed.meets_targets
    right, style = (
        ("no targets set", "dim")
        if met is None
        else ("meets the targets", "good")
        if met
        else ("misses a target", "bad")
    )
    lines = [heading("SPEED, estimated", look.width, look.glyphs.rule, right, style)]
    lines += (
        _corpus(sizing, speed, look)
        if speed.days is not None
        else figures(
            [
                Figure("First token", seconds(speed.ttft_s), seconds_interval(speed.ttft_interval), _f("ttft_s")),
                Figure(
                    "Per token",
                    seconds(speed.inter_token_s),
                    seconds_interval(speed.inter_token_interval),
                    _f("inter_token_s"),
                ),
                Figure("One user", f"{rate(speed.tokens_per_s_user)} tok/s", "", _f("tokens_per_s_user")),
                Figure(
                    "All users",
                    f"{rate(speed.tokens_per_s_total)} tok/s",
                    interval(speed.tokens_per_s_interval),
                    _f("tokens_per_s_total"),
                ),
                Figure("Requests", f"{digits(speed.requests_per_s)} /s", "", _f("requests_per_s")),
                Figure("In links", percent(speed.communication_share), "of a step", _f("communication_share")),
            ],
            look,
        )
    )
    lacks = list(speed.missed)
    if speed.served_concurrency < workload.concurrency and workload.corpus_tokens is None:
        at_once, asked = count(speed.served_concurrency), count(workload.concurrency)
        lacks.insert(0, f"Only {at_once} of {asked} users run at once, the others wait")
    if brief and lacks:
        words = shorten("; ".join(lacks), look.width - 3, look.glyphs.ellipsis)
        return [*lines, (Span(f" {look.glyphs.no} ", "bad"), *linked(words, "bad"))]
    for words in lacks:
        lines += sentence(words, look.width - 1, "bad", "   ", f" {look.glyphs.no} ")
    remark = [Span(f" Limited by {speed.bound_by}. ", "dim"), *_best_load(speed)]
    return [*lines, tuple(remark)] if brief and width_of(remark) <= look.width else lines + flow(remark, look.width)


def _corpus(sizing: Sizing, speed: Serving, look: Look) -> list[Line]:
    """How long the corpus of a batch takes and for how much, with what it rests on."""
    work, rent = sizing.scenario.workload, sizing.cost.run_usd
    asked = "" if work.deadline_days is None else f"asked {days(work.deadline_days)}"
    between = speed.days_interval
    if between is not None and not asked:
        asked = f"{days(between.low)} to {days(between.high)}"
    return figures(
        [
            Figure("Corpus", days(speed.days or 0.0), asked, _f("days")),
            Figure("Rent", "unknown" if rent is None else usd(rent), "of the corpus", "figure:cost.run_usd"),
            Figure("GPU-hours", count(speed.gpu_hours or 0.0), "", _f("gpu_hours")),
            Figure(
                "Written",
                f"{rate(speed.tokens_per_s_total)} tok/s",
                interval(speed.tokens_per_s_interval),
                _f("tokens_per_s_total"),
            ),
            Figure("Requests", f"{digits(speed.requests_per_s)} /s", "", _f("requests_per_s")),
            Figure("At once", count(speed.served_concurrency), "sequences", _f("served_concurrency")),
        ],
        look,
    )


def _best_load(speed: Serving) -> list[Span]:
    """The users inside the latency targets, or without any the most that run at once, and what they get in all."""
    rate_of_all = Span(f"{rate(speed.best_tokens_per_s_total)} tok/s", "figure", _f("best_tokens_per_s_total"))
    within = speed.users_within_targets
    if within is None:
        most = Span(f"{count(speed.best_concurrency)} run at once", "figure", _f("best_concurrency"))
        return [Span("At most ", "dim"), most, Span(": ", "dim"), rate_of_all, Span(" in all", "dim")]
    if not within:
        return [Span("Not one user within the targets", "warn", _f("users_within_targets"))]
    users_within = Span(f"{count(within)} user{'s' * (within != 1)}", "figure", _f("users_within_targets"))
    spans = [Span("Within the targets: ", "dim"), users_within]
    if within < speed.best_concurrency:
        return [*spans, Span(", all that the KV holds", "dim")]
    return [*spans, Span(", ", "dim"), rate_of_all, Span(" in all", "dim")]


def _f(name: str) -> str:
    return f"figure:serving.{name}"


def _t(name: str) -> str:
    return f"figure:training.{name}"


def _training(sizing: Sizing, look: Look) -> list[Line]:
    run = sizing.training
    assert run is not None
    met = run.meets_deadline
    right, style = (
        ("no deadline set", "dim")
        if met is None
        else ("meets the deadline", "good")
        if met
        else ("misses the deadline", "bad")
    )
    per_gpu = f"{rate(run.tokens_per_s_gpu)} tok/s"
    items = [
        Figure("Run", days(run.days), "wall time", _t("days"), "strong"),
        Figure("Step", seconds(run.step_s), "", _t("step_s")),
        Figure("Per GPU", per_gpu, interval(run.interval), _t("tokens_per_s_gpu")),
        Figure("GPU-hours", rate(run.gpu_hours), "", _t("gpu_hours")),
        Figure(
            "MFU",
            percent(run.mfu),
            f"{digits(run.achieved_tflops)} TFLOP/s",
            _t("mfu"),
            note_action=_t("achieved_tflops"),
        ),
        Figure("Efficiency", percent(run.efficiency), "of one alone", _t("efficiency")),
    ]
    if run.cost_usd is not None and sizing.scenario.money.usd_per_gpu_hour is not None:
        # at the catalog's price it stands with the run
        items.append(Figure("Rent", usd(run.cost_usd), "for the run", _t("cost_usd")))
    share = "figure:ratio(training.exposed_communication_s,training.step_s)"
    items.append(Figure("In links", percent(run.exposed_share), "of a step", share))
    lines = [heading("SPEED, estimated", look.width, look.glyphs.rule, right, style)]
    return lines + figures(items, look)


def speed_parts(sizing: Sizing, look: Look) -> list[Line]:
    """Where the time of a decode step or a training step goes, as bars."""
    parts: list[tuple[str, float, str]] = []
    if sizing.serving is not None:
        speed = sizing.serving
        title = "ONE DECODE STEP"
        parts = [
            ("reading weights", speed.weight_stream_s, _f("weight_stream_s")),
            ("reading KV cache", speed.kv_stream_s, _f("kv_stream_s")),
            ("computing", speed.compute_s, _f("compute_s")),
            ("in links", speed.communication_s, _f("communication_s")),
            ("overhead", speed.overhead_s, _f("overhead_s")),
            ("prefill of others", speed.prefill_interference_s, _f("prefill_interference_s")),
        ]
        remark = "Weights are read while computing, so the parts overlap and need not add up."
    elif sizing.training is not None:
        run = sizing.training
        title = "ONE TRAINING STEP"
        parts = [
            ("computing", run.compute_s, _t("compute_s")),
            ("in links, exposed", run.exposed_communication_s, _t("exposed_communication_s")),
            (
                "in links, hidden",
                run.hidden_communication_s,
                _t("hidden_communication_s"),
            ),
            ("pipeline bubble", run.bubble_s, _t("bubble_s")),
        ]
        remark = "Hidden communication runs beside computing and takes no time of its own."
    else:
        return []
    longest = max(value for _, value, _ in parts) or 1.0
    room = max(8, look.width - 32)
    lines = [heading(title, look.width, look.glyphs.rule)]
    for name, value, action in parts:
        cells = round(value / longest * room)
        mark = look.glyphs.bar * (cells or (1 if value > 0 else 0))
        lines.append(
            line(Span(f" {name:<18} ", "", action), Span(f"{seconds(value):>9}  ", "figure", action), (mark, "accent"))
        )
    lines += paragraphs(remark, look.width - 1, "dim", " ", " ")
    return lines


def speed_more(sizing: Sizing, look: Look) -> list[Line]:
    """The rest of the serving figures."""
    speed = sizing.serving
    if speed is None:
        return []
    return [
        heading("MORE", look.width, look.glyphs.rule),
        *figures(
            [
                Figure(
                    "Prompt reading", f"{rate(speed.prefill_tokens_per_s)} tok/s", "prefill", _f("prefill_tokens_per_s")
                ),
                Figure(
                    "Alone",
                    f"{rate(speed.single_stream_tokens_per_s)} tok/s",
                    "one user, no others",
                    _f("single_stream_tokens_per_s"),
                ),
                Figure(
                    "Offline",
                    f"{rate(speed.offline_tokens_per_s)} tok/s",
                    "batch kept full",
                    _f("offline_tokens_per_s"),
                ),
                *(
                    []
                    if sizing.scenario.workload.corpus_tokens is not None  # a corpus keeps running what the panel says
                    else [
                        Figure(
                            "Running", count(speed.served_concurrency), "users of those asked", _f("served_concurrency")
                        ),
                        Figure(
                            "At most at once", count(speed.most_at_once), "users, as answers grow", _f("most_at_once")
                        ),
                    ]
                ),
            ],
            look,
        ),
    ]


# --- verdict ------------------------------------------------------------------------------------


def steps(sizing: Sizing, look: Look, evidence: bool) -> list[Line]:
    """The six questions in order with their answers; the deciding one marked, later ones greyed."""
    verdict = sizing.verdict
    lines = [heading("VERDICT, step by step", look.width, look.glyphs.rule)]
    told: dict[tuple[Evidence, ...], int] = {}
    for step in verdict.steps:
        same = told.setdefault(step.evidence, step.number) if step.evidence else step.number
        lines += _step_lines(step, step.number == verdict.step, look, same if evidence else None)
    return lines


def _step_lines(step: Step, decides: bool, look: Look, same: int | None) -> list[Line]:
    """A step. same: the first step with this evidence, which is told there; None for no evidence at all."""
    glyphs = look.glyphs
    if not step.reached:
        mark, mark_style, text = glyphs.skipped, "dim", "dim"
    elif step.yes:
        mark, mark_style, text = glyphs.yes, "good", "strong" if decides else ""
    else:
        mark, mark_style, text = glyphs.no, "bad" if decides else "dim", ""
    pointer = glyphs.pointer if decides else " "
    indent = " " * 6
    question = paragraphs(step.question, look.width - 1, text, indent, f"{pointer}{mark} {step.number}  ")
    if question:
        first = question[0]
        question[0] = (
            Span(pointer, "key"),
            Span(f"{mark} ", mark_style),
            Span(f"{step.number}  ", "dim"),
            *first[1:],
        )
    lines = question
    style = "" if step.reached else "dim"
    lines += sentence(step.answer, look.width - 1, style, indent, indent, f"verdict.{step.number}.")
    if same == step.number:
        for item in step.evidence:
            lines += _evidence_lines(step, item, indent, look)
    elif same is not None and step.evidence:
        lines.append(line((f"{indent}{glyphs.bullet} the same build as in step {same}", "dim")))
    return lines


def _evidence_lines(step: Step, item: Evidence, indent: str, look: Look) -> list[Line]:
    """A line of evidence, whose figures open, with its kind at the right edge."""
    told = linked(f"{item.what}: {item.figure}", "dim", f"verdict.{step.number}.")
    rows = flow([Span(f"{indent}{look.glyphs.bullet} ", "dim"), *told], look.width - KIND_WIDTH, indent + "  ")
    rows[0] = ends(rows[0], [Span(f"{item.kind:>{KIND_WIDTH - 1}}", "kind")], look.width)
    return rows


KIND_WIDTH = 15
"""Cells for the kind of a figure: the longest is `rule of thumb`."""


def verdict_more(sizing: Sizing, look: Look) -> list[Line]:
    """What to build, what would flip it, and what was assumed."""
    verdict, glyphs = sizing.verdict, look.glyphs
    lines: list[Line] = []
    if verdict.build:
        lines += [
            heading("THE BUILD", look.width, glyphs.rule),
            *sentence(verdict.build, look.width),
        ]
    lines += flips(sizing, look)
    if verdict.assumed:
        lines.append(heading("ASSUMED", look.width, glyphs.rule))
        for words in verdict.assumed:
            lines += sentence(words, look.width - 1, "dim", "   ", f" {glyphs.bullet} ")
    return lines


# --- model -------------------------------------------------------------------------


def model(sizing: Sizing, look: Look) -> list[Line]:
    """Counted facts of the model and how it is laid out."""
    facts, layout = sizing.model, sizing.layout
    items = [
        Figure("Parameters", count(facts.params_total), "counted", "figure:model.params_total"),
        Figure("Active", count(facts.params_active), "per token", "figure:model.params_active"),
        Figure("Weights", size(facts.weight_bytes), "whole model", "figure:model.weight_bytes"),
        Figure("KV cache", size(facts.kv_bytes_per_token), "per token", "figure:model.kv_bytes_per_token"),
    ]
    if facts.state_bytes_per_sequence:
        state = "figure:model.state_bytes_per_sequence"
        items.append(Figure("State", size(facts.state_bytes_per_sequence), "per sequence", state))
    lines = [heading("MODEL", look.width, look.glyphs.rule, sizing.scenario.model.name)]
    lines += figures(items, look)
    shape = f"TP {layout.tp} {look.glyphs.times} PP {layout.pp} {look.glyphs.times} DP {layout.dp}"
    if layout.ep > 1:
        shape += f", experts over {layout.ep}"
    if layout.dp_attention:
        shape += ", DP attention"
    lines.append(heading("LAYOUT", look.width, look.glyphs.rule, shape, "figure"))
    return lines + flow([Span(" "), *_reason_spans(layout.reason)], look.width)


def _reason_spans(reason: str) -> list[Span]:
    """Why the layout is this one; each comparison with another layout opens."""
    spans: list[Span] = []
    number = 0
    for at, part in enumerate(reason.split(", ")):
        compares = any(words in part for words in ("the tokens/s of", "about as fast as", "unlike TP"))
        number += compares
        spans += [Span(", ", "dim")] if at else []
        spans.append(Span(part, "dim", f"figure:layout.rival.{number}" if compares else ""))
    return spans


def memory_table(sizing: Sizing, look: Look) -> list[Line]:
    """Every group with its exact figures, for builds with many stages."""
    groups = sorted(sizing.memory.per_gpu, key=lambda group: (len(group.rank_group), group.rank_group))
    if len(groups) < 2:
        return []
    parts = bars.parts_of(sizing)
    label = min(20, max(len(bars.group_name(group, len(groups))) for group in groups))
    lines = [heading("EVERY GROUP", look.width, look.glyphs.rule, "GiB")]
    names = [bars.group_name(group, len(groups))[:label] for group in groups]
    if label + 1 + 9 * (len(parts) + 1) > look.width:
        for group, name in zip(groups, names, strict=True):
            of = _of_group(sizing, group)
            spans = [Span(f" {name}: ")]
            for part in parts:
                amount = Span(gib(getattr(group, part.field)), "figure", of + part.field)
                spans += [Span(f"{_SHORT[part.name]}{NBSP}"), amount, Span(", ")]
            spans += [Span(f"free{NBSP}"), Span(gib(group.available_bytes), "dim", of + "available_bytes")]
            lines += flow(spans, look.width - 1, "   ")
        return lines
    head = "".join(f"{_SHORT[part.name]:>9}" for part in parts)
    lines.append(line((f" {'':<{label}}{head}{'free':>9}", "dim")))
    for group, name in zip(groups, names, strict=True):
        of = _of_group(sizing, group)
        body = [Span(f"{gib(getattr(group, part.field)):>9}", "figure", of + part.field) for part in parts]
        lines.append(
            line(f" {name:<{label}}", *body, Span(f"{gib(group.available_bytes):>9}", "dim", of + "available_bytes"))
        )
    return lines


def _of_group(sizing: Sizing, group: MemoryGroup) -> str:
    """What the actions of a group's figures start with."""
    place = sizing.memory.per_gpu.index(group)
    return f"figure:memory.{f'{place}.' if place else ''}"


_SHORT = {
    "weights": "weights",
    "kv": "KV",
    "activations": "activ.",
    "runtime": "runtime",
    "optimizer": "optim.",
    "gradients": "grads",
}


def spaced(*sections: list[Line]) -> list[Line]:
    """Sections one after another with a blank line between, empty ones left out."""
    lines: list[Line] = []
    for section in sections:
        if section:
            if lines:
                lines.append(BLANK)
            lines += section
    return lines
