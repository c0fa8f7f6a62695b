"""What `sizeup recommend` prints: single changes of the entered build, then the catalog's builds that carry the load.

Every figure comes from the engine; the same build that comes first in several rankings is told once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import catalog
from catalog.ids import nearest
from engine.decide.advice import CARRIES, Advice, advice
from engine.decide.builds import Limits, Option, Recommendation, left_out, recommend
from engine.figures.records import dataclass
from engine.figures.sentences import text_of
from engine.figures.text import printable
from engine.model.formats import FORMATS as WEIGHT_FORMATS
from engine.money.cost import cost
from engine.money.power import power
from engine.scenario import Scenario
from engine.scenario.fields import BY_KEY
from engine.sizing import Cost, Suggestion
from tui.files import disk, session, session_tables
from tui.pages import words
from tui.shell.blocks import Block, Bullets, Heading, Paragraph, Table, as_markdown, as_text, json_line
from tui.shell.report import Format
from tui.shell.report_data import data_of
from tui.shell.report_words import build_line, change_words, layout_words, tokens_per_s, workload_line

WIDTH = 80
SCHEMA = 1


class WrongLimit(ValueError):
    """A limit that names nothing in the catalog; the message says what there is."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found. advice: what to do about the build as entered. files: where builds went."""

    scenario: Scenario
    limits: Limits
    advice: Advice
    ranked: tuple[Recommendation, ...]
    files: tuple[Path, ...] = ()

    @property
    def carried(self) -> bool:
        """Whether the build as entered carries the workload."""
        return self.advice.status in CARRIES

    @property
    def changes(self) -> tuple[Suggestion, ...]:
        """Changes of the entered build that make it do so, empty where it does."""
        return self.advice.fixes

    @property
    def builds(self) -> tuple[tuple[Option, tuple[Recommendation, ...]], ...]:
        """Each build once, with the rankings that it leads, in the order of the rankings."""
        options: list[Option] = []
        for item in self.ranked:
            if not any(item.option is option for option in options):
                options.append(item.option)
        return tuple((one, tuple(item for item in self.ranked if item.option is one)) for one in options)

    @property
    def something_carries(self) -> bool:
        """Whether a build within the limits carries the workload; without limits the entered one counts too."""
        entered = self.limits == Limits() and (self.carried or bool(self.changes))
        return bool(self.ranked) or entered


def limits_of(
    *,
    buy_usd: float | None,
    rent_usd_per_month: float | None,
    power_w: float | None,
    vendors: Iterable[str],
    form_factors: Iterable[str],
    owned: Iterable[str],
    max_gpus: int | None,
    known: catalog.Catalog,
) -> Limits:
    """Limits as a person writes them, in the catalog's words: a vendor in any case, the start of a form factor.

    Raises WrongLimit.
    """
    cards = known.facts.accelerators
    every_vendor = sorted({card.vendor for card in cards})
    every_form = sorted({card.form_factor for card in cards})
    makers = [_one(name, every_vendor, "vendor") for name in vendors]
    forms: list[str] = []
    for text in form_factors:
        meant = [form for form in every_form if form.casefold().startswith(text.casefold())]
        if not meant or not text:
            raise WrongLimit(f"--form-factor: no form factor starts with {text!r}; there are: {', '.join(every_form)}")
        forms += meant
    try:
        cards_owned = tuple(known.accelerator(name).id for name in owned)
    except catalog.UnknownId as problem:
        raise WrongLimit(f"--owned: {problem}") from None
    for option, value in (("--max-buy", buy_usd), ("--max-rent-month", rent_usd_per_month), ("--max-power", power_w)):
        if value is not None and value < 0:
            raise WrongLimit(f"{option}: {value:g} is too little; allowed: 0 or more")
    if max_gpus is not None and max_gpus < 1:
        raise WrongLimit(f"--max-gpus: {max_gpus} is too few; allowed: 1 or more")
    return Limits(buy_usd, rent_usd_per_month, power_w, tuple(makers), tuple(forms), cards_owned, max_gpus)


def _one(name: str, known: Sequence[str], what: str) -> str:
    for item in known:
        if item.casefold() == name.casefold():
            return item
    near = nearest(name, known, 1)[0]
    raise WrongLimit(f"--{what}: no {what} {name!r} (nearest: {near}); allowed: {', '.join(known)}")


def search(scenario: Scenario, limits: Limits) -> Found:
    """Search the whole catalog. Raises ScenarioError when the entered scenario is impossible."""
    return Found(scenario, limits, advice(scenario, catalog.load()), recommend(scenario, limits))


def save(found: Found, folder: Path, opened_from: Path | None) -> Found:
    """Write every recommended build as a session file of its own into a folder, which is made when it is not there.

    Nothing is overwritten. Raises SessionError before the first file is written when one of them is there already.
    """
    targets = [folder / f"{_slug(option)}.toml" for option, _ in found.builds]
    for target in targets:
        if target.exists():
            raise session_tables.SessionError(str(target), "is there already; nothing was saved")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise session_tables.SessionError(str(folder), f"cannot be made: {disk.reason_of(problem)}") from None
    for target, (option, _) in zip(targets, found.builds, strict=True):
        title = found.scenario.title or "Recommended"
        build = _build(option)
        short = title[: BY_KEY["title"].longest - len(build) - 2]  # no longer than a session may say
        session.save(replace(option.scenario, title=f"{short}: {build}"), target, opened_from)
    return replace(found, files=tuple(targets))


def _slug(option: Option) -> str:
    hardware = option.scenario.hardware
    shape = f"{hardware.nodes}x{hardware.gpus_per_node}" if hardware.nodes > 1 else f"{hardware.gpus_per_node}"
    return f"{shape}x-{hardware.accelerator.id}-{option.scenario.format_held}"


def _build(option: Option) -> str:
    hardware = option.scenario.hardware
    count = f"{hardware.nodes} nodes of {hardware.gpus_per_node}x" if hardware.nodes > 1 else f"{hardware.gpus}x"
    return f"{count} {hardware.accelerator.label}"


def render(found: Found, form: Format) -> str:
    """What was found in one form, ending in a line end; JSON is a single line."""
    if form == "json":
        return json_line(as_data(found))
    blocks = list(_blocks(found))
    return as_markdown(blocks) if form == "markdown" else as_text(blocks, WIDTH)


def as_data(found: Found) -> dict[str, Any]:
    """What was found as plain data; unknown prices are null."""
    limits = {name: data_of(getattr(found.limits, name)) for name in Limits.__dataclass_fields__}
    files = _files(found)
    return {
        "schema": SCHEMA,
        "title": found.scenario.title,
        "carried": found.carried,
        "limits": limits,
        "fixes": [data_of(change) for change in found.changes],
        "recommendations": [
            {"rank": item.rank, "reason": text_of(item.reason)} | _option_data(item.option, files.get(id(item.option)))
            for item in found.ranked
        ],
    }


def _files(found: Found) -> dict[int, Path]:
    pairs = zip(found.builds, found.files, strict=False)  # no files when nothing was to be saved
    return {id(option): path for (option, _), path in pairs}


def _option_data(option: Option, file: Path | None) -> dict[str, Any]:
    hardware, memory, money = option.scenario.hardware, option.plan.memory, _cost(option)
    serving, training = option.plan.serving, option.plan.training
    return {
        "build": _build(option),
        "accelerator": hardware.accelerator.id,
        "gpus_per_node": hardware.gpus_per_node,
        "nodes": hardware.nodes,
        "gpus": option.gpus,
        "intra_link": hardware.intra_link.id,
        "inter_link": hardware.inter_link.id,
        "weights": option.scenario.model.weights,
        "kv_cache": option.scenario.model.kv_cache,
        "layout": data_of(option.plan.layout),
        "headroom": memory.headroom,
        "headroom_reason": text_of(memory.headroom_reason),
        "caveats": [text_of(caveat) for caveat in option.caveats],
        "buy_usd": data_of(option.buy_usd),
        "whole_usd": data_of(option.whole_usd),
        "sold": option.sold,
        "lines": data_of(money.lines),
        "rent_usd_per_month": data_of(option.rent_usd_per_month),
        "rent_note": money.rent_note,
        "tokens_per_usd": data_of(option.tokens_per_usd),
        "power_w": data_of(option.power_w),
        "ttft_s": data_of(serving.ttft_s) if serving is not None else None,
        "tokens_per_s_user": data_of(serving.tokens_per_s_user) if serving is not None else None,
        "tokens_per_s_total": data_of(tokens_per_s(option.plan)),
        "days": data_of(training.days) if training is not None else None,
        "session": str(file) if file is not None else None,
    }


def _cost(option: Option) -> Cost:
    return cost(option.plan, power(option.scenario))


def _blocks(found: Found) -> Iterator[Block]:
    scenario = found.scenario
    yield Heading(printable(scenario.title) or "Untitled build", 1)
    yield Paragraph(build_line(scenario))
    yield Paragraph(workload_line(scenario))
    yield Paragraph(f"Carries the workload as entered: {'yes' if found.carried else 'no'}", strong=True)
    if found.changes:
        yield Heading("Single changes that make the entered build carry it")
        yield Bullets(tuple((change_words(change), ()) for change in found.changes))
    elif not found.carried:
        yield Paragraph("No single change of the entered build is enough.")
    yield Heading("Builds of the catalog that carry it")
    limits = _limit_words(found.limits)
    if limits:
        yield Paragraph(f"Within: {limits}")
    if not found.ranked:
        what = "within these limits " if limits else ""
        yield Paragraph(f"None {what}carries it, of one to eight GPUs in a box and up to four boxes of eight.")
        yield from _left_out(found)
        return
    files = _files(found)
    for option, firsts in found.builds:
        yield Heading(_build(option) + _format_words(option), 3)
        yield Bullets(tuple((f"{item.rank}: {text_of(item.reason)}", ()) for item in firsts))
        yield Table(("", ""), tuple(_rows(option, files.get(id(option)))), left=(0, 1), wrapped=1)
    yield from _left_out(found)


def _left_out(found: Found) -> Iterator[Block]:
    """Cards that were not tried, and what it takes to try them."""
    cards = left_out(found.scenario, found.limits)
    if cards:
        many = f"{len(cards)} cards, such as {cards[0].label}" if len(cards) > 1 else cards[0].label
        yield Paragraph(
            f"Not tried: {many}. No 16-bit rate is known of {'them' if len(cards) > 1 else 'it'}; tflops_bf16_dense in a catalog file of "
            "your own enters one."
        )


def _format_words(option: Option) -> str:
    """The weight format of a build that serves; training has its own, which the search leaves as entered."""
    if not option.scenario.workload.is_inference:
        return ""
    return f", {WEIGHT_FORMATS[option.scenario.model.weights].label} weights"


def _limit_words(limits: Limits) -> str:
    parts = []
    if limits.buy_usd is not None:
        parts.append(f"{words.usd(limits.buy_usd)} to buy")
    if limits.rent_usd_per_month is not None:
        parts.append(f"{words.usd(limits.rent_usd_per_month)} rent a month")
    if limits.power_w is not None:
        parts.append(words.kilowatts(limits.power_w))
    if limits.max_gpus is not None:
        parts.append(f"{limits.max_gpus} GPU{'s' if limits.max_gpus > 1 else ''}")
    for names in (limits.vendors, limits.form_factors):
        if names:
            parts.append(" or ".join(names))
    if limits.owned:
        parts.append(f"owned: {', '.join(limits.owned)}")
    return "; ".join(parts)


def _rows(option: Option, file: Path | None) -> Iterator[tuple[str, str]]:
    hardware, memory, money = option.scenario.hardware, option.plan.memory, _cost(option)
    links = hardware.intra_link.name if hardware.gpus_per_node > 1 else ""
    if hardware.nodes > 1:
        links += f"{' inside, ' if links else ''}{hardware.inter_link.name} between"
    yield "layout", layout_words(option.plan.layout)
    if links:
        yield "links", links
    yield (
        "headroom",
        f"{memory.headroom} ({text_of(memory.headroom_reason)})" if memory.headroom_reason else memory.headroom,
    )
    serving, training = option.plan.serving, option.plan.training
    if serving is not None and option.scenario.workload.embeds:
        read = words.rate(serving.tokens_per_s_total)
        yield "speed", f"{words.digits(serving.requests_per_s)} requests/s, {read} tokens/s read"
    elif serving is not None:
        yield (
            "speed",
            f"{words.rate(serving.tokens_per_s_user)} tokens/s a user, {words.rate(serving.tokens_per_s_total)} "
            f"in all, first token {words.seconds(serving.ttft_s)}",
        )
    elif training is not None:
        yield (
            "speed",
            f"{words.rate(training.tokens_per_s_total)} tokens/s, the run {words.days(training.days)}",
        )
    yield "buy", _buy_words(option, money)
    if option.rent_usd_per_month is None:
        yield "rent", f"unknown ({money.rent_note})"
    else:
        yield "rent", f"{words.usd(option.rent_usd_per_month)} a month ({money.rent_note})"
    yield "power", "unknown" if option.power_w is None else words.kilowatts(option.power_w)
    if file is not None:
        yield "session", printable(str(file))


def _buy_words(option: Option, money: Cost) -> str:
    if option.buy_usd == 0:
        return "owned already"
    cards, rest = money.lines[0], money.lines[1:]
    where = " ".join(
        part for part in (cards.item + ":", cards.source, words.dated(cards.as_of, cards.age_days)) if part
    )
    if option.buy_usd is None:
        sold = f"; {option.sold}" if option.sold else ""
        return f"unknown{sold} (enter {money.ask})"
    what = {"kit": "sold whole"}.get(cards.part, "of cards")
    text = f"{words.usd(option.buy_usd)} ({what}; {where})"
    known = [line for line in rest if line.usd is not None]
    if known and money.buy_usd is not None:
        also = "; ".join(f"{line.quantity} x {line.item}, {words.dated(line.as_of, line.age_days)}" for line in known)
        text += f"; {words.usd(money.buy_usd)} with {also}"
    missing = [line.item for line in rest if line.usd is None]
    if missing:
        text += f"; without {', '.join(missing)}"
    return text
