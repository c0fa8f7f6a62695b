"""Saving, opening, exporting and leaving: what the workbench does with files, question by question."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from catalog.bounded import Unusable, read_file
from engine.figures.errors import ScenarioError
from engine.figures.sentences import text_of
from engine.figures.text import printable
from engine.scenario import Scenario
from engine.sizing import Sizing
from tui.app.screens.dialog import OK, AskText, Question
from tui.app.screens.list_dialog import Column, Item, ListDialog
from tui.files import disk, fields, paths, session
from tui.files.examples import Example, examples
from tui.files.session_tables import SessionError

if TYPE_CHECKING:
    from tui.app.recovery import Kept
    from tui.app.screens.bench import Bench
    from tui.app.store import Store
    from tui.files.pins import Pin
    from tui.files.session import Opened
    from tui.shell.report_words import Past

OPEN = ("o", "Open it", "open")
DISCARD = ("d", "Discard it", "discard")
LATER = ("l", "Later", "later")
CANCEL = ("c", "Cancel", "cancel")
REPLACE = ("r", "Replace", "replace")
SAVE_AS = ("a", "Save as", "as")


async def recover(bench: Bench, left: Sequence[Kept]) -> None:
    """Offer the unsaved work of runs that ended without asking, until one is opened or the question is left."""
    for kept in left:
        if kept.damaged:
            words = f"{kept.file} holds no session: {kept.damaged}. {kept.set_aside().capitalize()}."
            await _ask(bench, "Unsaved work is damaged", printable(words), OK)
            continue
        try:
            scenario, pins = kept.content()
        except SessionError as error:
            words = f"Unsaved work is kept, but it cannot be opened: {error}"
            if await _ask(bench, "Unsaved work was found", words, (LATER, DISCARD)) == "discard":
                kept.discard()
            continue
        name = scenario.title or f"{scenario.model.name} on {scenario.hardware.accelerator.name}"
        answer = await _ask(bench, "Unsaved work was found", _found(kept, name), (OPEN, DISCARD, LATER))
        if answer == "discard":
            kept.discard()
        elif answer == "open":
            _take_over(bench, kept, scenario, pins)
            return
        elif answer is None:
            return


def _found(kept: Kept, name: str) -> str:
    """Whose work was found, of when and of which file, in words."""
    of = f"{name}, {_short(kept.path)}" if kept.path is not None else name
    if kept.fate == "gone":
        words = f"A run ended {_age(kept.age_s)} without saving: {of}. Open it?"
    else:
        host = f"on {kept.header.host} " if kept.header is not None else ""
        words = (
            f"A run {host}kept this {_age(kept.age_s)}: {of}. Whether it still goes on cannot be told from here. "
            "Open a copy?"
        )
    return printable(words)


def _age(seconds: float) -> str:
    """How long ago, as people say it."""
    for unit, word in ((86400, "day"), (3600, "hour"), (60, "minute")):
        number = int(seconds // unit)
        if number:
            return f"{number} {word}{'s' if number > 1 else ''} ago"
    return "just now"


def _take_over(bench: Bench, kept: Kept, scenario: Scenario, pins: tuple[Pin, ...]) -> None:
    """Go on with kept work; its file goes only once the work is kept or saved by this run."""
    app = bench.sizeup
    app.store.replace(scenario, kept.path, saved=False, pins=pins, stamp=kept.stamp)
    app.keeper.take(kept)
    bench.opened(None)
    bench.keep_work()
    where = f" to {kept.path.name}" if kept.path is not None else ""
    stays = "" if kept.fate == "gone" else " What was found stays too, until it is discarded."
    bench.say(printable(f"Unsaved work is back. {bench.key('save')} saves it{where}.{stays}"))


async def _ask(bench: Bench, heading: str, words: str, answers: Sequence[tuple[str, str, str]]) -> str | None:
    """The answer to a question; None where it was left."""
    return await bench.app.push_screen_wait(Question(heading, words, answers))


async def save(bench: Bench) -> bool:
    """Save under the session's name, asking for one when it has none. False when nothing was saved."""
    path = bench.sizeup.store.path
    return await save_as(bench) if path is None else await _save_to(bench, path)


async def save_as(bench: Bench) -> bool:
    """Ask for a name and save."""
    store = bench.sizeup.store
    suggested = str(store.path) if store.path else f"{_slug(store.scenario.title) or 'session'}.toml"
    text = await bench.app.push_screen_wait(AskText("Save as", "File", suggested, _wrong_target, _here()))
    return False if text is None else await _save_to(bench, _completed(text))


async def _save_to(bench: Bench, target: Path) -> bool:
    """Save, after a question where this would take the place of what somebody else has done to the file."""
    store = bench.sizeup.store
    own = store.path is not None and _same(target, store.path)
    agreed = store.stamp if own else disk.MISSING
    answers: tuple[tuple[str, str, str], ...]
    while (now := disk.stamp_now(target)) != agreed:
        if not own:
            heading, words = "The file exists", f"{target} is there already. Replace it?"
            answers = (REPLACE, CANCEL)
        elif now == disk.MISSING:
            heading = "The file is gone"
            words = f"Somebody has moved or deleted {target} since it was opened. Write it again?"
            answers = (SAVE_AS, ("w", "Write it again", "replace"), CANCEL)
        else:
            heading = "The file was changed"
            words = f"Somebody else has written {target} since it was opened. Replace what is there now?"
            answers = (SAVE_AS, REPLACE, CANCEL)
        answer = await _ask(bench, heading, printable(words), answers)
        if answer == "as":
            return await save_as(bench)
        if answer != "replace":
            return False
        agreed = now  # and no other content: that of the moment of the question
    return _write(bench, target)


def _same(one: Path, other: Path) -> bool:
    """Whether two names lead to one file."""
    try:
        return os.path.realpath(one) == os.path.realpath(other)
    except (OSError, ValueError):  # a name that no file can have
        return one == other


def _wrong_target(text: str) -> str:
    try:
        target = _completed(text)
        os.path.abspath(target)
        if target.is_dir():
            return f"{target} is a folder"
        if not target.parent.is_dir():
            return f"there is no folder {target.parent}"
        target.stat()
    except FileNotFoundError:
        return "" if _has_folder() else "the working folder is gone: give a whole path"
    except (OSError, ValueError, RuntimeError) as problem:  # too long a name, links in a circle
        return f"no file can have this name: {disk.reason_of(problem)}"
    return ""


def _has_folder() -> bool:
    """Whether the working folder is still there."""
    try:
        Path.cwd()
    except OSError:
        return False
    return True


def _completed(text: str) -> Path:
    target = Path(os.path.expanduser(text))
    return target if target.suffix or target.is_dir() else target.with_suffix(".toml")


def _slug(title: str) -> str:
    return "-".join("".join(char if char.isalnum() else " " for char in title.casefold()).split())[:60]


def _write(bench: Bench, target: Path) -> bool:
    store = bench.sizeup.store
    try:
        written = session.write(store.scenario, target, store.path, store.pins)
    except SessionError as error:
        bench.complain("Not saved", f"Not saved: {error}")
        return False
    if written.scenario != store.scenario or written.pins != store.pins:
        store.edit(written.scenario, pins=written.pins)
    paths.remember(target)
    store.mark_saved(target, written.stamp)
    bench.keep_work()
    bench.say(f"Saved {target}.")
    return True


async def settled(bench: Bench, doing: str) -> bool:
    """Whether unsaved work is saved or given up, so that `doing` may go on."""
    store = bench.sizeup.store
    if not store.dirty:
        return True
    name = store.path.name if store.path else store.scenario.title or "This session"
    words = f"{name} has changes that no file holds. Save them before {doing}?"
    answer = await _ask(bench, "Unsaved changes", words, (("s", "Save", "save"), ("d", "Discard", "discard"), CANCEL))
    if answer == "save":
        return await save(bench)
    return answer == "discard"


async def open_session(bench: Bench) -> None:
    """Recent sessions first, and any path that is typed."""
    items = [Item(str(path), (path.name, _short(path.parent))) for path in paths.recent()]
    listed = {item.value for item in items}
    try:
        here = [path for path in sorted(Path.cwd().glob("*.toml"))[:200] if _is_session(path)]
    except OSError:  # the working folder is gone
        here = []
    items += [Item(str(path), (path.name, "this folder")) for path in here if str(path.absolute()) not in listed]
    items += [Item(example, (example.title or example.name, "an example that comes along")) for example in examples()]
    picked = await bench.app.push_screen_wait(
        ListDialog(
            "Open: recent sessions, examples, or type a path",
            (Column("file", limit=36), Column("where", limit=60)),
            items,
            prompt="Path",
            free=lambda text: text,
            large=False,
        )
    )
    if isinstance(picked, Example):
        await _start_from(bench, picked)
    elif isinstance(picked, str):
        await open_path(bench, Path(os.path.expanduser(picked)))


async def _start_from(bench: Bench, example: Example) -> None:
    """A new session that starts as an example is: the example's own file is never written."""
    found = session.opened(example.path)
    if await settled(bench, "opening an example"):
        bench.sizeup.store.replace(found.scenario, None, pins=found.pins)
        bench.opened(None)


def _is_session(path: Path) -> bool:
    """Whether a TOML file looks like a session: other programs keep theirs in the same folders."""
    try:
        head = read_file(path, session.MAX_BYTES)[:4096]  # a pipe of this name is never opened
    except Unusable:
        return False
    return any(line.split(b"=")[0].strip() == b"schema" for line in head.splitlines())


async def open_path(bench: Bench, path: Path) -> None:
    """Open a file; a bad one leaves the session untouched and says why."""
    try:
        found = session.opened(path)
    except SessionError as error:
        await _ask(bench, "Not opened", str(error), OK)
        return
    if not await settled(bench, "opening another"):
        return
    paths.remember(path)
    store = bench.sizeup.store
    store.replace(found.scenario, path, pins=found.pins, past=_past(bench, found), stamp=found.stamp)
    bench.opened(path)


def _past(bench: Bench, found: Opened) -> Past | None:
    """The session as it was saved, where the catalog has changed since."""
    from tui.shell import report_words

    with contextlib.suppress(ScenarioError):  # the screen says what is wrong with it
        return report_words.past_of(found.table, found.scenario, bench.sizeup.store.size)
    return None


def _short(folder: Path) -> str:
    home, text = os.path.expanduser("~"), str(folder)
    return "~" + text[len(home) :] if os.path.isabs(home) and text.startswith(home) else text


def _here() -> str:
    """In which folder a name without one is taken, in words."""
    try:
        return printable(f"in {_short(Path.cwd())}, unless a folder is typed before the name")
    except OSError:
        return "the folder that this was started in is gone: type a whole path"


async def new(bench: Bench) -> None:
    """A new session."""
    if await settled(bench, "starting another"):
        bench.sizeup.store.replace(fields.new_scenario(bench.sizeup.catalog), None)
        bench.opened(None)


async def export(bench: Bench) -> None:
    """Copy the report, or write it to a file."""
    sizing = bench.sizeup.store.sizing
    if sizing is None:
        bench.say("There is no result to report yet.")
        return
    from tui.shell import report

    items = [
        Item("copy-verdict", ("Copy the verdict", "one line, to the clipboard")),
        Item("copy-text", ("Copy the report as text", "to the clipboard")),
        Item("copy-markdown", ("Copy the report as Markdown", "to the clipboard")),
        Item("text", ("Write the report as text", ".txt file")),
        Item("markdown", ("Write the report as Markdown", ".md file")),
        Item("json", ("Write the report as JSON", ".json file")),
        Item("svg", ("Write a picture of this screen", ".svg file")),
        Item("parts-markdown", ("Write the shopping list as Markdown", ".md file")),
        Item("parts-csv", ("Write the shopping list as CSV", ".csv file")),
        Item("run", ("Run it: vLLM, Kubernetes, Slurm", "a command or manifest")),
    ]
    picked = await bench.app.push_screen_wait(
        ListDialog("Report", (Column("what", limit=40), Column("where", limit=30)), items, prompt="Find", large=False)
    )
    if not isinstance(picked, str):
        return
    if picked == "run":
        await _run_with(bench, sizing)
        return
    if picked.startswith("copy-"):
        form = picked.removeprefix("copy-")
        verdict = sizing.verdict
        told = text_of((*verdict.headline, ". ", *verdict.reason))
        _copy(bench, told if form == "verdict" else report.render(sizing, _form(form)))
        return
    picture = bench.app.export_screenshot() if picked == "svg" else ""
    offer = _offered(bench.sizeup.store, picked)
    target = await _where(bench, offer)
    if target is None:
        return
    if picked.startswith("parts-"):
        text = _shopping(bench, sizing, picked)
    else:
        text = picture if picked == "svg" else report.render(sizing, _form(picked))
    _put(bench, target, text)


async def _run_with(bench: Bench, sizing: Sizing) -> None:
    """Copy what runs the build, or write it to a file."""
    from tui.app.screens import runnable

    found = await runnable.taken(bench, sizing)
    if found is None:
        return
    if found.where == "copy":
        _copy(bench, found.text)
        return
    target = await _where(bench, _beside(bench.sizeup.store, found.ending))
    if target is not None:
        _put(bench, target, found.text)


def _copy(bench: Bench, text: str) -> None:
    bench.app.copy_to_clipboard(text)
    bench.say(f"Sent to the terminal: {len(text):,} characters. Whether it took them, only pasting tells.")


async def _where(bench: Bench, offer: str) -> Path | None:
    """The file to write to, which may take the place of another only where somebody says so."""
    text = await bench.app.push_screen_wait(AskText("Write to", "File", offer, _wrong_target, _here()))
    if text is None:
        return None
    target = Path(os.path.expanduser(text))
    return target if await _may_replace(bench, target) else None


def _put(bench: Bench, target: Path, text: str) -> None:
    try:
        disk.write(target, text.encode("utf-8", "replace"))
    except disk.DiskError as error:
        bench.complain("Not written", f"Not written: {os.fspath(target)}: {error}")
    else:
        bench.say(f"Wrote {os.fspath(target)}.")


def _shopping(bench: Bench, sizing: Sizing, picked: str) -> str:
    """The shopping lists of the build, of the verdict's, and of those that the search has found for it."""
    from tui.shell import parts

    search = bench.sizeup.studies.search
    found = () if search.stale(sizing.scenario) else search.ranked
    form: Literal["markdown", "csv"] = "csv" if picked == "parts-csv" else "markdown"
    return parts.render(sizing.scenario, parts.lists_of(sizing, found), form)


def _offered(store: Store, what: str) -> str:
    """A name beside the session for a report or a picture: never that of the session, or of a model's config.json."""
    ending = {
        "text": "report.txt",
        "markdown": "report.md",
        "json": "report.json",
        "svg": "screen.svg",
        "parts-markdown": "parts.md",
        "parts-csv": "parts.csv",
    }[what]
    return _beside(store, ending)


def _beside(store: Store, ending: str) -> str:
    """A name beside the session, or one by its title, with this ending."""
    beside = store.path or Path(f"{_slug(store.scenario.title) or 'sizeup'}.toml")
    return os.fspath(beside.with_name(f"{beside.stem}-{ending}"))


async def _may_replace(bench: Bench, target: Path) -> bool:
    """Whether a report may be written there: the person says so where something is there already."""
    store = bench.sizeup.store
    agreed = disk.MISSING
    config = ""
    with contextlib.suppress(OSError):  # the working folder was removed
        config = session.anchored(store.scenario, store.path).model.config
    while (now := disk.stamp_now(target)) != agreed:
        if store.path is not None and _same(target, store.path):
            words = f"{target} is the session itself, which a report cannot take the place of without losing it."
        elif config and _same(target, Path(config)):
            words = f"{target} is the model's config file, and this session cannot be opened without it."
        else:
            words = f"{target} is there already."
        answer = await _ask(bench, "The file exists", printable(f"{words} Replace it?"), (CANCEL, REPLACE))
        if answer != "replace":
            return False
        agreed = now
    return True


def _form(name: str) -> Literal["text", "markdown", "json"]:
    return "markdown" if name == "markdown" else "json" if name == "json" else "text"


async def leave(bench: Bench) -> None:
    """Quit, asking about unsaved work; a second request while the question stands changes nothing."""
    if len(bench.app.screen_stack) > 1:
        return
    if await settled(bench, "leaving"):
        bench.sizeup.keeper.close()
        bench.app.exit(0)
