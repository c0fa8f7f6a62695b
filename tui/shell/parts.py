"""Shopping lists of builds as text, Markdown, CSV and JSON: what `sizeup parts` prints, and a seller quotes from.

A cell of the CSV that a spreadsheet would take for a formula is quoted with an apostrophe: names come from files of others.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from engine.decide.builds import Option, Recommendation
from engine.figures.text import printable
from engine.layout.candidates import works_alone
from engine.money.shopping import SECTIONS, Part, Shopping, shopping, shopping_of
from engine.scenario import Scenario
from engine.sizing import Sizing
from tui.pages import words
from tui.shell.blocks import Block, Bullets, Heading, Paragraph, Table, as_markdown, as_text, json_line
from tui.shell.report_data import data_of
from tui.shell.report_words import build_line, workload_line

Form = Literal["text", "markdown", "csv", "json"]
FORMS: tuple[Form, ...] = ("text", "markdown", "csv", "json")
SCHEMA = 1
ASK = "ask"
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes a cell for a formula by (OWASP, CSV injection)
CSV_HEAD = (
    "build",
    "why",
    "section",
    "quantity",
    "part",
    "usd_each",
    "usd",
    "price_of",
    "age_days",
    "source",
    "remark",
)


def lists_of(sizing: Sizing, ranked: Sequence[Recommendation] = ()) -> tuple[Shopping, ...]:
    """The lists of the entered build, of the verdict's, and of each recommended build once, with what it leads in."""
    found = list(shopping_of(sizing))
    options: list[Option] = []
    for item in ranked:
        if not any(item.option is option for option in options):
            options.append(item.option)
    for option in options:
        leads = ", ".join(item.rank for item in ranked if item.option is option)
        alone = works_alone(option.scenario, option.plan.layout)
        found.append(shopping(option.scenario, f"recommended: {leads}", option.plan.memory.host_bytes, alone))
    return tuple(found)


def render(scenario: Scenario, lists: Sequence[Shopping], form: Form) -> str:
    """The lists in one form, ending in a line end; JSON is a single line."""
    if form == "csv":
        return _csv(lists)
    if form == "json":
        return json_line({"schema": SCHEMA, "title": scenario.title, "builds": [_data(one) for one in lists]})
    blocks = list(_blocks(scenario, lists, tables=form == "markdown"))
    return as_markdown(blocks) if form == "markdown" else as_text(blocks)


def _blocks(scenario: Scenario, lists: Sequence[Shopping], tables: bool) -> Iterator[Block]:
    yield Heading(f"Parts: {printable(scenario.title) or 'untitled build'}", 1)
    yield Paragraph(build_line(scenario))
    yield Paragraph(workload_line(scenario))
    yield Paragraph(
        "Prices are the catalog's, each with its date and source, in US dollars without tax; please quote what says ask."
    )
    for one in lists:
        yield Heading(f"{one.name} ({one.why})")
        yield Paragraph(_summary(one), strong=True)
        for section in SECTIONS:
            rows = [part for part in one.parts if part.section == section]
            if not rows:
                continue
            yield Heading(section.capitalize(), 3)
            if tables:
                head = ("count", "part", "each", "in all", "price of", "source")
                yield Table(head, tuple(_cells(part) for part in rows), left=(1, 4, 5))
            else:
                yield Bullets(tuple((_line(part), ()) for part in rows))


def _summary(one: Shopping) -> str:
    if one.known_usd is None:
        price = f"In all: {ASK}"
    else:
        price = f"In all: {words.usd(one.known_usd)}" + ("" if one.whole else ", and what says ask")
    draw = one.power
    parts = [price, "power unknown" if draw.total_w is None else f"{words.kilowatts(draw.total_w)} at the wall"]
    if draw.racks is not None and draw.rack_units is not None:
        racks = f"{draw.racks:,} rack{'s' if draw.racks > 1 else ''}"
        parts.append(f"{one.nodes * draw.rack_units:,} U in {racks}")
    return "; ".join(parts) + "."


def _price(part: Part) -> tuple[str, str]:
    """What one costs, and all of the line."""
    if part.usd_each is None or part.usd is None:
        word = "included" if part.included else ASK
        return word, word
    return words.usd(part.usd_each), words.usd(part.usd)


def _cells(part: Part) -> tuple[str, ...]:
    each, all_of_it = _price(part)
    when = words.dated(part.as_of, part.age_days) if part.usd_each is not None else ""
    return f"{part.quantity:,}", printable(part.item), each, all_of_it, when, printable(part.source)


def _line(part: Part) -> str:
    each, all_of_it = _price(part)
    price = all_of_it if part.usd is None or part.quantity == 1 else f"{all_of_it}, {each} each"
    when = words.dated(part.as_of, part.age_days) if part.usd_each is not None else ""
    note = ", ".join(text for text in (printable(part.source), when) if text)
    return f"{part.quantity:,}x {printable(part.item)}: {price}" + (f" ({note})" if note else "")


def _csv(lists: Iterable[Shopping]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_HEAD)
    for one in lists:
        for part in one.parts:
            priced = part.usd_each is not None
            remark = "" if priced else "included" if part.included else ASK
            numbers = ("", "") if part.usd_each is None else (f"{part.usd_each:.2f}", f"{part.usd or 0.0:.2f}")
            age = "" if part.age_days is None or not priced else str(part.age_days)
            row = (
                one.name,
                one.why,
                part.section,
                str(part.quantity),
                part.item,
                *numbers,
                part.as_of,
                age,
                part.source,
                remark,
            )
            writer.writerow([cell_of(text) for text in row])
        total = "" if one.known_usd is None else f"{one.known_usd:.2f}"
        remark = ASK if one.known_usd is None else "" if one.whole else "and what says ask"
        writer.writerow(
            [cell_of(text) for text in (one.name, one.why, "in all", "1", _summary(one), "", total, "", "", "", remark)]
        )
    return out.getvalue()


def cell_of(text: str) -> str:
    """A cell that no spreadsheet takes for a formula and no terminal obeys."""
    shown = printable(text)
    return f"'{shown}" if shown.lstrip().startswith(FORMULA) else shown


def _data(one: Shopping) -> dict[str, Any]:
    return {
        "build": one.name,
        "why": one.why,
        "usd": data_of(one.known_usd),
        "whole": one.whole,
        "total_w": data_of(one.total_w),
        "racks": one.power.racks,
        "rack_units": None if one.power.rack_units is None else one.power.rack_units * one.nodes,
        "parts": [{**data_of(part), "usd": data_of(part.usd)} for part in one.parts],
    }
