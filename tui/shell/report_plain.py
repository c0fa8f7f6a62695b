"""The plain report: what a person reads first of a build, on one page. `--full` has the rest.

Every figure comes from the Sizing; nothing is computed here but its rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.decide.advice import Advice
from engine.decide.advice import line as line_of
from engine.decide.answer import LAST_STEP, RUNGS, enough
from engine.decide.fabric import article_links
from engine.decide.layouts import layout_words
from engine.figures.sentences import text_of
from engine.scenario import Workload
from engine.sizing import FabricRow, ScalingRow, Serving, Sizing, Training
from tui.pages import words
from tui.pages.doc import shorten
from tui.shell.blocks import WIDTH, Block, Bullets, Heading, Paragraph, Table

MOST_WARNINGS, MOST_GROUPS, MOST_SHAPES, MOST_CURES = 3, 3, 6, 3
UNKNOWN = "unknown"


def plain(sizing: Sizing, found: Advice) -> Iterator[Block]:
    """What stands below the answer and the build."""
    yield from _cures(found)
    yield from _warnings(sizing)
    yield from _memory(sizing, found)
    yield from _speed(sizing)
    if sizing.scenario.measured:
        from tui.shell.report_measured import measured_blocks  # most sessions keep none

        yield from measured_blocks(sizing, 3)
    yield from _money(sizing)
    yield from _verdict(sizing)
    yield from _fabric(sizing)
    yield from _scaling(sizing)
    yield Paragraph("All of it, with bills, evidence and every link: sizeup report --full")


def _cures(found: Advice) -> Iterator[Block]:
    told = [text_of(line_of(cure)) for cure in found.others[:MOST_CURES]]
    told += [text_of(found.api)] if found.api else []
    if told:
        yield Heading("Or", 3)
        yield Bullets(tuple((words, ()) for words in told))


def _warnings(sizing: Sizing) -> Iterator[Block]:
    told = [notice for notice in sizing.warnings if notice.severity != "info"]
    if not told:
        return
    yield Heading("Warnings", 3)
    items = [(shorten(f"{n.severity}: {text_of(n.message)}", 2 * WIDTH - 10), ()) for n in told[:MOST_WARNINGS]]
    if len(told) > MOST_WARNINGS:
        items.append((f"and {len(told) - MOST_WARNINGS} more", ()))
    yield Bullets(tuple(items))


_COLUMNS = {
    "weights": "weights_bytes",
    "KV": "kv_bytes",
    "gradients": "gradient_bytes",
    "optimizer": "optimizer_bytes",
    "activation": "activation_bytes",
    "runtime": "runtime_bytes",
    "over": "over_bytes",
    "free": "available_bytes",
    "total": "total_bytes",
}
_ALWAYS = ("weights", "free", "total")


def _memory(sizing: Sizing, found: Advice) -> Iterator[Block]:
    """The fullest groups, what of the load they hold, and how the one thing to do comes to need less."""
    memory, load = sizing.memory, sizing.scenario.workload
    yield Heading(f"Memory per GPU, GiB: {memory.headroom}", 3)
    groups = memory.per_gpu[:MOST_GROUPS]
    shown = {head: name for head, name in _COLUMNS.items() if head in _ALWAYS or any(getattr(g, name) for g in groups)}
    rows = tuple(
        (group.rank_group, str(group.gpus), *(words.gib(getattr(group, name)) for name in shown.values()))
        for group in groups
    )
    yield Table(("group", "GPUs", *shown), rows)
    left = len(memory.per_gpu) - len(groups)
    rest = f" {left} more groups hold less." if left else ""
    if load.is_inference:
        if load.embeds:
            yield from (Paragraph(rest.strip()),) if rest else ()
            return
        fit = memory.users_that_fit
        room = f"Room for {words.users(fit)}" if fit else "No room for one user"
        text = f"{room} of {words.count(load.tokens_per_request)} tokens, "
        yield Paragraph(f"{text}{words.count(load.concurrency)} asked.{rest}")
    elif memory.fits:
        text = f"Fits micro-batches of {memory.largest_micro_batch:,}"
        if memory.longest_sequence_tokens:
            text += f", sequences of {memory.longest_sequence_tokens:,} tokens"
        yield Paragraph(f"{text}{' on this layout' if sizing.layout.gpus > 1 else ''}.{rest}")
    elif rest:
        yield Paragraph(rest.strip())
    saved = found.first.saving(memory) if found.first is not None else ()
    if saved and found.first is not None:
        yield Paragraph(text_of(("With ", *found.first.what, ": ", *saved, ".")))


def _speed(sizing: Sizing) -> Iterator[Block]:
    if sizing.answer.status == "does-not-fit":
        return
    if sizing.serving is not None:
        yield Heading("Speed, estimated, with 80 % intervals", 3)
        yield Table(("", ""), _serving(sizing.serving, sizing.scenario.workload), left=(0, 1), wrapped=1)
    elif sizing.training is not None:
        yield Heading("Speed, estimated, with 80 % intervals", 3)
        yield Table(("", ""), _training(sizing.training), left=(0, 1), wrapped=1)


def _serving(speed: Serving, load: Workload) -> tuple[tuple[str, str], ...]:
    first, token = words.seconds_interval(speed.ttft_interval), words.seconds_interval(speed.inter_token_interval)
    total = words.interval(speed.tokens_per_s_interval)
    share = words.percent(speed.communication_share)
    each = speed.tokens_per_s_user
    corpus = () if speed.days is None else (("the corpus", words.days(speed.days)),)
    if load.embeds:
        return (
            ("requests/s", words.digits(speed.requests_per_s)),
            ("a request", f"{words.seconds(speed.ttft_s)} ({first})"),
            ("tokens/s read", f"{words.rate(speed.tokens_per_s_total)} in all ({total})"),
            ("bound by", f"{speed.bound_by}; {share} of the time is lost on links"),
        )
    return (
        *corpus,
        ("first token", f"{words.seconds(speed.ttft_s)} ({first})"),
        ("between tokens", f"{words.seconds(speed.inter_token_s)} ({token})"),
        ("tokens/s", f"{words.rate(speed.tokens_per_s_total)} in all ({total})"),
        *((("a user", f"{words.rate(each)} tokens/s: {enough(each)[1]}"),) if load.kind == "serve" else ()),
        ("bound by", f"{speed.bound_by}; {share} of the time is lost on links"),
    )


def _training(run: Training) -> tuple[tuple[str, str], ...]:
    took = run.days_interval
    between = f" ({words.days(took.low)} to {words.days(took.high)})" if took is not None else ""
    each = words.rate(run.tokens_per_s_gpu)
    return (
        ("the run", f"{words.days(run.days)}{between}, {words.rate(run.gpu_hours)} GPU-hours"),
        ("a step", f"{words.seconds(run.step_s)}, {words.count(run.step_tokens)} tokens"),
        *((("its answers", f"{words.seconds(run.generation_s)} of it"),) if run.generation_s else ()),
        ("tokens/s for a GPU", f"{each} ({words.interval(run.interval)}), MFU {words.percent(run.mfu)}"),
        ("lost on links", f"{words.percent(run.exposed_share)} of a step"),
    )


def _usd(value: float | None) -> str:
    return UNKNOWN if value is None else words.usd(value)


def _money(sizing: Sizing) -> Iterator[Block]:
    """Buying, renting, a million tokens or the run, when buying pays; then power."""
    cost, draw = sizing.cost, sizing.power
    starts = sizing.answer.status != "does-not-fit"
    hour = UNKNOWN if cost.rent_usd_per_hour is None else words.usd_per_hour(cost.rent_usd_per_hour)
    rows = [
        words.buy_row(cost),
        ("rent", f"{hour} an hour, {_usd(cost.rent_usd_per_month)} a month"),
        ("own", f"{_usd(cost.own_usd_per_month)} a month over 36, {_usd(cost.electricity_usd_per_month)} of it power"),
    ]
    if sizing.scenario.workload.is_inference:
        api = _usd(cost.api_usd_per_million_tokens)
        if starts:
            rows.append(("a million tokens", f"{_usd(cost.usd_per_million_tokens)} rented, {api} from an API"))
    elif starts:
        rows.append(("rent of the run", _usd(cost.run_usd)))
    paid = words.pays_after(cost)
    if paid and starts:
        rows.append(("buying pays after", paid))
    if cost.unknown:
        rows.append(("unknown", shorten("; ".join(cost.unknown), WIDTH - 20)))
    total = UNKNOWN if draw.total_w is None else words.kilowatts(draw.total_w)
    feeds = f", {draw.circuits_per_node} of {draw.circuit} a node" if draw.circuits_per_node is not None else ""
    heat = "" if draw.heat_btu_h is None else f"; {draw.heat_btu_h:,.0f} BTU/h to cool"
    rows.append(("power", f"{total}{feeds}{heat}"))
    yield Heading("Money and power", 3)
    yield Table(("", ""), tuple(rows), left=(0, 1), wrapped=1)


def _verdict(sizing: Sizing) -> Iterator[Block]:
    """The steps, one line each: what each asks, and what it says."""
    yield Heading(f"Verdict: {RUNGS[sizing.verdict.answer]}", 3)
    rungs = list(RUNGS.values())
    lines = []
    for step in sizing.verdict.steps:
        mark = "" if step.reached else " (not reached)"
        text = f"{step.number} {rungs[min(step.number, LAST_STEP)]}{mark}: {text_of(step.answer)}"
        lines.append((shorten(text, WIDTH - 2), ()))
    yield Bullets(tuple(lines))


def _fabric(sizing: Sizing) -> Iterator[Block]:
    """The layout in use, and what is kept of its speed with each link in its place."""
    if not sizing.fabric:
        return
    yield Heading(f"Fabric, {layout_words(sizing.layout)}: speed kept with each link in its place", 3)
    assumed = next((row.assumed for row in sizing.fabric if row.assumed), "")
    if assumed:
        yield Paragraph(f"Assumed: {assumed}.")
    rows = article_links(sizing.fabric)
    places = (("in the node", "intra-node"), ("between nodes", "inter-node"))
    table = tuple((name, ", ".join(_link(row) for row in rows if row.scope == scope)) for name, scope in places)
    yield Table(("", ""), table, left=(0, 1), wrapped=1)


def _link(row: FabricRow) -> str:
    return f"{row.link}{' (in use)' if row.in_use else ''} {words.percent(row.relative_speed)}"


def _scaling(sizing: Sizing) -> Iterator[Block]:
    """The best shape of each size, and the one in use."""
    rows = _shapes(sizing.scaling)
    if not rows:
        return
    names = tuple(_shape(row) for row in rows)
    if sizing.scenario.workload.is_inference:
        yield Heading("Scaling: the best shape of each size under its best load; * is this build", 3)
        table: tuple[tuple[str, ...], ...] = (
            ("tokens/s", *(words.rate(row.tokens_per_s_total or 0.0) if row.users else "-" for row in rows)),
            ("users", *(words.count(row.users) if row.users else "-" for row in rows)),
        )
    else:
        yield Heading("Scaling: speed of a GPU against one alone; * is this shape", 3)
        table = (("speed", *(words.percent(row.efficiency) if row.fits else "-" for row in rows)),)
    yield Table(("GPUs", *names), table)


def _shape(row: ScalingRow) -> str:
    each = row.gpus // row.nodes if row.nodes else row.gpus
    return f"{row.nodes}x{each}{'*' * row.in_use}" if row.nodes > 1 else f"{row.gpus}{'*' * row.in_use}"


def _shapes(rows: Sequence[ScalingRow]) -> list[ScalingRow]:
    """One row a shape: the one in use, else the one that does most; the smallest and largest of many."""
    best: dict[tuple[int, int], ScalingRow] = {}
    for row in rows:
        key = (row.gpus, row.nodes)
        have = best.get(key)
        if have is None or (row.in_use, _does(row)) > (have.in_use, _does(have)):
            best[key] = row
    shapes = [best[key] for key in sorted(best)]
    while len(shapes) > MOST_SHAPES:
        drop = next(at for at in range(len(shapes) - 2, -1, -1) if not shapes[at].in_use)
        del shapes[drop]
    return shapes


def _does(row: ScalingRow) -> float:
    if not row.fits:
        return 0.0
    return row.tokens_per_s_total if row.tokens_per_s_total is not None else row.efficiency
