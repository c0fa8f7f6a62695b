"""What a report says in lines: the answer, the build, the load, the layout, what changed since a session was saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from engine.decide.advice import Advice
from engine.decide.advice import line as line_of
from engine.decide.answer import STATUS_WORDS, hold_words, holds
from engine.decide.plan import Plan
from engine.figures.records import dataclass
from engine.figures.sentences import joined, text_of
from engine.figures.text import printable
from engine.scenario import Layout, Scenario, Workload
from engine.scenario.frameworks import framework_words
from engine.serving.targets import SAID
from engine.sizing import Sizing, Suggestion, Training
from tui.files.drift import CatalogTable, Drift, with_figures
from tui.files.drift import changes as drifted
from tui.pages import words
from tui.shell.blocks import Block, Bullets, Heading, Paragraph, Table


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
        less = f" {text_of(line_of(advised.lesser))}." if advised.lesser is not None else ""
        yield Paragraph(f"Do: nothing.{less}" if found.carries else "Do: no single change that was tried makes it run.")
    edges = text_of(joined(holds(sizing.verdict.flips), ", "))
    yield Paragraph(f"{text_of(found.rung)}.{f' {hold_words(sizing.verdict)} {edges}.' if edges else ''}")


def build_line(scenario: Scenario) -> str:
    """Model, formats and hardware in one line."""
    model, hardware = scenario.model, scenario.hardware
    formats = f"{scenario.format_held} {'base' if scenario.workload.kind == 'qlora' else 'weights'}"
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
            f"{load.kind}: {load.concurrency:,} user{'s' * (load.concurrency > 1)} at once, {load.input_tokens:,} tokens in, "
            f"{load.output_tokens:,} out"
        )
        targets: tuple[tuple[str, float | None], ...] = (
            (f"first token within {{:g}} s{SAID[load.ttft_target_at]}", load.ttft_target_s),
            (f"{{:g}} tokens/s for each user{SAID[load.tokens_per_s_user_target_at]}", load.tokens_per_s_user_target),
            ("{:g} requests/s", load.requests_per_s),
            ("done in {:g} days", load.deadline_days if load.corpus_tokens is not None else None),
        )
        if load.cached_share:
            whose = "of one beginning that all share" if load.cached_by == "everyone" else "of each user's own"
            text += f", {load.cached_tokens:,} of each prompt cached {whose}"
        if load.embeds:
            text = f"{load.kind}: {load.concurrency:,} requests at once, {load.input_tokens:,} tokens each"
        if load.corpus_tokens is not None:
            text = (
                f"{load.kind}: {words.count(load.corpus_tokens)} tokens of prompts and answers, "
                f"{load.input_tokens:,} tokens in, {load.output_tokens:,} out"
            )
    else:
        text = (
            f"{load.kind} under {framework_words(load)}: {words.count(load.run_tokens)} tokens in sequences of {load.sequence_length:,}, "
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
        return f"{words.count(run.step_tokens)} a step{more_than_asked(run, ' ({} asked)')}"
    if load.gradient_accumulation is not None:
        return f"{load.gradient_accumulation} micro-batches a step on every replica"
    return f"{words.count(load.batch_tokens)} a step"


def more_than_asked(run: Training, phrase: str) -> str:
    asked = words.count(run.asked_step_tokens)
    return phrase.format(asked) if words.count(run.step_tokens) != asked else ""


def layout_words(layout: Layout) -> str:
    """Every degree of a layout, and why it was chosen."""
    spread = f"TP {layout.tp}, PP {layout.pp}, DP {layout.dp}, EP {layout.ep}"
    if layout.dp_attention:
        spread += ", data-parallel attention"
    return spread + (f" ({text_of(layout.reason)})" if layout.reason else "")


def tokens_per_s(sizing: Sizing | Plan) -> float | None:
    """Tokens/s in all, served or trained on; None for a build that does not start."""
    if sizing.serving is not None:
        return sizing.serving.tokens_per_s_total
    return sizing.training.tokens_per_s_total if sizing.training is not None else None


def drift_blocks(sizing: Sizing, past: Past) -> Iterator[Block]:
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
                usd_or_unknown(cost.rent_usd_per_month),
                usd_or_unknown(cost.buy_usd),
            )
        )
    head = ("", "verdict", "carried", "tokens/s", "rent a month", "buy")
    return Table(head, tuple(rows), left=(0, 1))


def change_words(change: Suggestion) -> str:
    """A change as the session's keys, their new values and what that does."""
    return f"{keys_words(change)}: {text_of(change.effect)}"


def keys_words(change: Suggestion) -> str:
    """The session's keys that a change sets, as a session or `--set` writes them."""
    return ", ".join(f"{key} = {_written(value)}" for key, value in change.changes)


def _written(value: object) -> str:
    return "auto" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


UNKNOWN = "unknown"


def usd_or_unknown(value: float | None) -> str:
    return UNKNOWN if value is None else words.usd(value)
