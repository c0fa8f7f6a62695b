"""Flip points, Builds, Compare and What if at work: searches in slices, limits, pins, and taking what was found."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, get_args

from textual.worker import Worker

from engine.decide.builds import Limits, Option, rank_options
from engine.decide.what_if import LINK_FIELDS, Figure, changes_to, figures
from engine.decide.what_if import fields as sweep_fields
from engine.figures.sentences import text_of
from tui.app.screens.dialog import AskText, Question
from tui.app.screens.list_dialog import Column, Item, ListDialog
from tui.app.widgets.canvas import Canvas
from tui.files import fields, numbers
from tui.files.numbers import NumberError
from tui.files.pins import PIN_LENGTH, PIN_NAMES, Pin
from tui.pages.builds import LIMIT_LABELS, build_words, found_table, limit_words, option_at
from tui.pages.studies import Counsel, Flips, Load, Search, Sweep

if TYPE_CHECKING:
    from tui.app.screens.bench import Bench
    from tui.app.widgets.results import Results
    from tui.pages.scaling_study import ScalingStudy

COUNSEL = "counsel"
FLIPS = "flips"
BANNER = (COUNSEL, FLIPS)
PAGES = ("Speed", "Scaling", "Builds", "What if")
SHOW_FOUND = ("Overview", "Verdict", "Memory", "Builds")
PAUSE_S = 0.2
"""How long the edits must rest before a search starts."""
UNEDITED = 0.1
"""The share of it that a build waits which nobody has edited yet: its first frame is all there is to wait for."""
SLICE_S = 0.008
"""How long a search may hold the loop: a key pressed meanwhile waits no longer than this and the step under way."""
DRAW_S = 0.15
GROUP = "study"
WAITING = ("stop:", "again:", f"limit:{LIMIT_LABELS[0][0]}")


def look_ahead(bench: Bench) -> None:
    """Start what the screen still lacks; anything under way for an earlier build is given up."""
    if bench.sizeup.store.problem is None and any(_lacks(bench, name) for name in _wanted(bench)):

        async def job() -> None:
            await _study(bench)

        # by a function: a job that the next edit gives up before its first turn is then no coroutine left alone
        _: Worker[None] = bench.run_worker(job, group=GROUP, exclusive=True)


def _wanted(bench: Bench) -> list[str]:
    """What the band always shows, the one thing to do first, and the pages in sight that are searched for."""
    return [*BANNER, *(panel.page for panel in _panels(bench) if panel.page in PAGES)]


def _panels(bench: Bench) -> list[Results]:
    return [bench.results, bench.detail]


def _lacks(bench: Bench, name: str) -> bool:
    return _work(bench, name).stale(bench.sizeup.store.scenario)


def _work(bench: Bench, name: str) -> Counsel | Flips | Load | Search | Sweep | ScalingStudy:
    studies = bench.sizeup.studies
    if name == COUNSEL:
        return studies.counsel
    if name == FLIPS:
        return studies.flips
    if name == "Speed":
        return studies.load
    if name == "Scaling":
        return studies.scaling
    return studies.search if name == "Builds" else studies.sweep


async def _study(bench: Bench) -> None:
    await asyncio.sleep(PAUSE_S if bench.sizeup.store.can_undo else PAUSE_S * UNEDITED)
    for name in _wanted(bench):
        if bench.sizeup.store.problem is not None:  # an edit since the start left nothing to search around
            return
        if not _lacks(bench, name):
            continue
        job = _work(bench, name).steps(bench.sizeup.store.scenario)
        try:
            await _run(bench, job, name)
        finally:
            job.close()
        for panel in _panels(bench):
            if panel.page == name and panel.chosen in WAITING:  # chosen for want of anything better: now there is
                panel.chosen = ""
        _draw(bench, name)


async def _run(bench: Bench, job: Generator[None], name: str) -> None:
    """Run a job to its end in slices, drawing its progress now and then."""
    drawn = started = time.monotonic()
    for _ in job:
        now = time.monotonic()
        if now - started >= SLICE_S:
            if now - drawn >= DRAW_S and name not in BANNER:
                _draw(bench, name)
                drawn = now
            await asyncio.sleep(0)
            started = time.monotonic()


def _draw(bench: Bench, name: str) -> None:
    if not bench.is_running:  # the app is leaving, and the panels are gone already
        return
    if name in BANNER:
        bench.query_one("#verdict", Canvas).update_lines()
    for panel in _panels(bench):
        if panel.page == name or (name in BANNER and panel.page in SHOW_FOUND):
            panel.update_lines()


def stop(bench: Bench) -> None:
    """Stop the search, or start it again."""
    search = bench.sizeup.studies.search
    if search.running:
        search.stopped = True
        bench.workers.cancel_group(bench, GROUP)
        search.running = False
        search.ranked = rank_options(search.found)
        bench.say(f"Stopped. {len(search.found)} builds were found on {search.done} cards.")
        _draw(bench, "Builds")
    else:
        search.forget()
        look_ahead(bench)
        _draw(bench, "Builds")


def act(bench: Bench, verb: str, what: str) -> None:
    """What Enter or a click on the three pages does; the verb is the first part of the action."""
    if verb == "build":
        _open_build(bench, int(what))
    elif verb == "limit":
        bench.converse("ask_limits", _ask_limit(bench, what))
    elif verb in ("stop", "again"):
        stop(bench)
    elif verb == "pin":
        bench.converse("ask_pin", _ask_pin(bench, what))
    elif verb == "pin-now":
        pin(bench)
    elif verb == "sweep":
        _sweep_input(bench, what)
    elif verb == "show":
        figure = next(name for name in get_args(Figure) if name == what)
        bench.sizeup.studies.sweep.figure = figure
        _draw(bench, "What if")
    elif verb == "take":
        _take(bench, what)
    elif verb == "cure":
        take_advice(bench, int(what))
    elif verb == "links":
        turn_links(bench)


# --- builds


async def all_found(bench: Bench) -> None:
    """Every build that was found, to filter and to sort by any column; the chosen one is opened."""
    search, glyphs = bench.sizeup.studies.search, bench.sizeup.glyphs
    if not search.found:
        bench.say("No build is found yet." if search.running else "No build was found.")
        return
    heads, rows = found_table(search.found, glyphs.times)
    columns = (Column("build", limit=44), *(Column(head, right=True) for head in heads))
    items = [Item(number, cells, cells[0], figures=figures) for number, (cells, figures) in enumerate(rows)]
    found = list(search.found)
    picked = await bench.app.push_screen_wait(
        ListDialog(f"{len(found)} builds that carry it: type to filter", columns, items)
    )
    if isinstance(picked, int):
        _open_option(bench, found[picked])


def _open_build(bench: Bench, number: int) -> None:
    option = option_at(bench.sizeup.studies.search, number)
    if option is not None:
        _open_option(bench, option)


def _open_option(bench: Bench, option: Option) -> None:
    store = bench.sizeup.store
    store.seal()
    if not bench.make(dict(option.changes)):
        return
    found = store.scenario
    bench.say(
        f"{build_words(found, bench.sizeup.glyphs.times)}, {found.format_held} is open.",
        f"{bench.key('undo')} comes back.",
    )


def take_advice(bench: Bench, number: int | None = None) -> None:
    """Do what is on offer under a number, the one thing to do without one, exactly as it was sized.

    While it is looked for, nothing.
    """
    store = bench.sizeup.store
    found = bench.sizeup.studies.counsel.of(store.scenario)
    if found is None or store.stale:
        bench.say("Still looking for what to do; nothing was changed.")
        return
    cure = found.first if number is None else found.offered[number] if number < len(found.offered) else None
    if cure is None:
        bench.say("Nothing to apply: no change is on offer.")
        return
    store.seal()
    store.edit(dataclasses.replace(cure.scenario, title=store.scenario.title, notes=store.scenario.notes))
    bench.say(f"{text_of(cure.what)}.", f"{bench.key('undo')} takes it back.")


async def ask_limits(bench: Bench) -> None:
    """Choose a limit, then its value."""
    limits = bench.sizeup.studies.search.limits
    items = [Item(name, (label, limit_words(limits, name))) for name, label in LIMIT_LABELS]
    columns = (Column("limit", limit=20), Column("now", limit=44))
    name = await bench.app.push_screen_wait(ListDialog("Builds within", columns, items, large=False))
    if isinstance(name, str):
        await _ask_limit(bench, name)


async def _ask_limit(bench: Bench, name: str) -> None:
    studies, catalog = bench.sizeup.studies, bench.sizeup.catalog
    limits = studies.search.limits or Limits()
    label = dict(LIMIT_LABELS)[name]
    value: object
    if name in ("vendors", "form_factors", "owned"):
        cards = catalog.facts.accelerators
        if name == "owned":
            here = bench.sizeup.store.scenario.hardware.accelerator
            choices = [(here.id, f"only {here.name}, owned: costs nothing to buy")]
        elif name == "vendors":
            choices = [(vendor, vendor) for vendor in sorted({card.vendor for card in cards})]
        else:
            choices = [(form, form) for form in sorted({card.form_factor for card in cards if card.form_factor})]
        items = [Item("", ("any" if name != "owned" else "all cards of the catalog",))]
        items += [Item(choice, (words,)) for choice, words in choices]
        current = (getattr(limits, name) or ("",))[0]
        answer = await bench.app.push_screen_wait(
            ListDialog(f"Builds within: {label}", (Column("allowed", limit=60),), items, current=current, large=False)
        )
        if not isinstance(answer, str):
            return
        value = (answer,) if answer else ()
    else:
        now = getattr(limits, name)
        shown = "none" if now is None else numbers.typed(now / 1000 if name == "power_w" else now)
        text = await bench.app.push_screen_wait(
            AskText(f"Builds within: {label}", f"{_UNITS[name]} at most, or none:", shown, _wrong_amount)
        )
        if text is None:
            return
        amount = _amount(text)
        value = amount if amount is None or name != "power_w" else amount * 1000
        if name == "max_gpus" and amount is not None:
            value = max(1, int(amount))
    changed = {name: value}
    studies.search.limits = dataclasses.replace(limits, **changed)  # type: ignore[arg-type]  # one field of Limits
    studies.search.forget()
    look_ahead(bench)
    _draw(bench, "Builds")
    bench.say(f"{label.capitalize()}: {limit_words(studies.search.limits, name)}.")


_UNITS = {"buy_usd": "$", "rent_usd_per_month": "$ a month", "power_w": "kW", "max_gpus": "GPUs"}


def _amount(text: str) -> float | None:
    if text.strip().lower() in ("", "none", "any", "no"):
        return None
    return numbers.decimal(text)


def _wrong_amount(text: str) -> str:
    try:
        amount = _amount(text)
    except NumberError as error:
        return str(error)
    return "more than 0 is needed, or none" if amount is not None and amount <= 0 else ""


# --- pins


def pin(bench: Bench) -> None:
    """Put the build at hand aside under the next free letter."""
    store = bench.sizeup.store
    if store.sizing is None or store.stale:
        bench.say("Only a build that could be sized can be pinned.")
        return
    if any(entry.scenario == store.scenario for entry in store.pins):
        bench.say("This very build is pinned already.")
        return
    letters = [entry.name.partition(" ")[0] for entry in store.pins]
    free = [name for name in PIN_NAMES if name not in letters]
    if len(store.pins) >= len(PIN_NAMES) or not free:
        bench.say(f"{', '.join(PIN_NAMES)} are taken: unpin one on the Compare page (9) with {bench.key('unpin')}.")
        return
    _pins(bench, (*store.pins, Pin(free[0], store.scenario)))
    bench.say(f"Pinned as {free[0]}. The Compare page (9) sets it beside what you change.")


def _pins(bench: Bench, pins: tuple[Pin, ...]) -> None:
    bench.sizeup.store.seal()
    bench.sizeup.store.edit(bench.sizeup.store.scenario, pins=pins)


def chosen_pin(bench: Bench, panel: Results) -> Pin | None:
    """The pin that a key of the Compare page means: the chosen one, or the only one; says so when there is none."""
    pins = bench.sizeup.store.pins
    if panel.page != "Compare":
        bench.say("That works on the Compare page (9).")
        return None
    # a figure of a pinned build means that build too
    name = panel.chosen.removeprefix("figure:").rpartition("@")[0] or panel.chosen
    name = name.removeprefix("pin:")
    found = next((entry for entry in pins if entry.name == name), pins[0] if len(pins) == 1 else None)
    if found is None:
        choose = "Choose a pinned build with Up and Down first."
        bench.say(choose if pins else f"Nothing is pinned yet: {bench.key('pin')} pins.")
    return found


def swap(bench: Bench, entry: Pin) -> None:
    """The pinned build comes to hand, and the one at hand takes its place among the pins."""
    store = bench.sizeup.store
    if store.stale or store.sizing is None:
        bench.say("The build at hand has an input that cannot be sized: correct it first.")
        return
    store.seal()
    pins = tuple(Pin(p.name, store.scenario) if p is entry else p for p in store.pins)
    store.edit(entry.scenario, pins=pins)
    bench.say(f"{entry.name} is at hand; what was is now {entry.name}.", f"{bench.key('undo')} swaps back.")


def unpin(bench: Bench, entry: Pin) -> None:
    """Forget a pinned build."""
    _pins(bench, tuple(p for p in bench.sizeup.store.pins if p is not entry))
    bench.say(f"Unpinned {entry.name}.", f"{bench.key('undo')} pins it again.")


async def rename(bench: Bench, entry: Pin) -> None:
    """Ask for another name of a pinned build."""
    others = [p.name for p in bench.sizeup.store.pins if p is not entry]

    def wrong(text: str) -> str:
        if len(text) > PIN_LENGTH:
            return f"at most {PIN_LENGTH} characters"
        if not text.isprintable():
            return "printable characters only"
        return f"{text} is the name of another pin" if text in (*others, "now") else ""

    text = await bench.app.push_screen_wait(AskText(f"Rename {entry.name}", "Name", entry.name, wrong))
    if text is not None and text != entry.name:
        pins = tuple(Pin(text, p.scenario) if p is entry else p for p in bench.sizeup.store.pins)
        _pins(bench, pins)
        bench.say(f"{entry.name} is now {text}.")


async def _ask_pin(bench: Bench, name: str) -> None:
    entry = next((p for p in bench.sizeup.store.pins if p.name == name), None)
    if entry is None:
        return
    words = f"{build_words(entry.scenario)}, {entry.scenario.model.id or entry.scenario.model.name}"
    answer = await bench.app.push_screen_wait(
        Question(
            f"Pinned build {name}",
            words,
            (("s", "Swap", "swap"), ("o", "Open", "open"), ("r", "Rename", "rename"), ("u", "Unpin", "unpin")),
        )
    )
    if answer == "swap":
        swap(bench, entry)
    elif answer == "open":
        bench.sizeup.store.seal()
        bench.sizeup.store.edit(entry.scenario)
        bench.say(f"{name} is open.", f"{bench.key('undo')} comes back.")
    elif answer == "rename":
        await rename(bench, entry)
    elif answer == "unpin":
        unpin(bench, entry)


# --- what if


def turn_links(bench: Bench) -> None:
    """Show all links of the catalog on the Fabric page, or put those away again that are not usual."""
    bench.sizeup.studies.every_link = not bench.sizeup.studies.every_link
    _draw(bench, "Fabric")


def _sweep_input(bench: Bench, field: str) -> None:
    bench.sizeup.studies.sweep.field = field
    look_ahead(bench)
    _draw(bench, "What if")


def next_input(bench: Bench) -> None:
    """Sweep the next input on offer."""
    scenario, sweep = bench.sizeup.store.scenario, bench.sizeup.studies.sweep
    offered = sweep_fields(scenario)
    _sweep_input(bench, offered[(offered.index(sweep.of(scenario)) + 1) % len(offered)])


def next_figure(bench: Bench) -> None:
    """Show the next figure on offer."""
    scenario, sweep = bench.sizeup.store.scenario, bench.sizeup.studies.sweep
    offered = figures(scenario)
    sweep.figure = offered[(offered.index(sweep.shown(scenario)) + 1) % len(offered)]
    _draw(bench, "What if")


def _take(bench: Bench, text: str) -> None:
    """Enter a value of the sweep, the layout left to choose where the build itself changes."""
    store = bench.sizeup.store
    field = bench.sizeup.studies.sweep.of(store.scenario)
    value = text if field in LINK_FIELDS else int(text)
    store.seal()
    if bench.make(changes_to(store.scenario, field, value)):
        bench.say(f"{fields.BY_KEY[field].label}: {text}.", f"{bench.key('undo')} comes back.")
