"""Saving, opening, exporting and leaving: what the workbench does with files, question by question."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from engine.errors import ScenarioError
from engine.scenario import Scenario
from tui import disk, fields, paths, recovery, session
from tui.screens.dialog import AskText, Column, Item, ListDialog, Question
from tui.session import SessionError
from tui.store import stamp_of

if TYPE_CHECKING:
    from tui.report import Past
    from tui.screens.bench import Bench


async def recover(bench: Bench) -> None:
    """Offer the unsaved work of a run that ended without asking."""
    for target in recovery.left_behind():
        try:
            scenario, pins = session.load(target), session.pins(target)
        except SessionError as error:
            bench.say(f"Unsaved work could not be read: {error}")
            continue
        name = scenario.title or f"{scenario.model.name} on {scenario.hardware.accelerator.name}"
        answer = await bench.app.push_screen_wait(
            Question(
                "Unsaved work was found",
                f"A run ended without saving: {name}. Open it?",
                (("o", "Open it", "open"), ("d", "Discard it", "discard"), ("l", "Later", "later")),
            )
        )
        if answer not in ("open", "discard"):
            continue
        with contextlib.suppress(OSError):
            target.unlink()
        if answer == "open":
            bench.sizeup.store.replace(scenario, None, saved=False, pins=pins)
            bench.opened(None)
            bench.say("Unsaved work is back. Ctrl+S saves it.")
            return


async def save(bench: Bench) -> bool:
    """Save under the session's name, asking for one when it has none. False when nothing was saved."""
    store = bench.sizeup.store
    if store.path is None:
        return await save_as(bench)
    if store.stamp is not None and stamp_of(store.path) not in (None, store.stamp):
        answer = await bench.app.push_screen_wait(
            Question(
                "The file was changed",
                f"Somebody else has written {store.path} since it was opened. Replace what is there now?",
                (("a", "Save as", "as"), ("r", "Replace", "replace"), ("c", "Cancel", "cancel")),
            )
        )
        if answer == "as":
            return await save_as(bench)
        if answer != "replace":
            return False
    return _write(bench, store.path)


async def save_as(bench: Bench) -> bool:
    """Ask for a name and save; an existing file is replaced only after a question."""
    store = bench.sizeup.store
    suggested = str(store.path) if store.path else f"{_slug(store.scenario.title) or 'session'}.toml"
    text = await bench.app.push_screen_wait(AskText("Save as", "File", suggested, _wrong_target))
    if text is None:
        return False
    target = _completed(text)
    if target.exists() and (store.path is None or target.resolve() != store.path.resolve()):
        answer = await bench.app.push_screen_wait(
            Question(
                "The file exists",
                f"{target} is there already. Replace it?",
                (("r", "Replace", "replace"), ("c", "Cancel", "cancel")),
            )
        )
        if answer != "replace":
            return False
    return _write(bench, target)


def _wrong_target(text: str) -> str:
    target = _completed(text)
    if target.is_dir():
        return f"{target} is a folder"
    if not target.parent.is_dir():
        return f"there is no folder {target.parent}"
    return ""


def _completed(text: str) -> Path:
    target = Path(os.path.expanduser(text))
    return target if target.suffix or target.is_dir() else target.with_suffix(".toml")


def _slug(title: str) -> str:
    return "-".join("".join(char if char.isalnum() else " " for char in title.casefold()).split())[:60]


def _write(bench: Bench, target: Path) -> bool:
    store = bench.sizeup.store
    try:
        written = session.save(store.scenario, target, store.path, store.pins)
        pins = session.pins(target) if store.pins else ()
    except SessionError as error:
        bench.say(f"Not saved: {error}")
        return False
    if written != store.scenario or pins != store.pins:
        store.edit(written, pins=pins)
    paths.remember(target)
    store.mark_saved(target)
    recovery.keep(store)
    bench.say(f"Saved {target}.")
    return True


async def settled(bench: Bench, doing: str) -> bool:
    """Whether unsaved work is saved or given up, so that `doing` may go on."""
    store = bench.sizeup.store
    if not store.dirty:
        return True
    name = store.path.name if store.path else store.scenario.title or "This session"
    answer = await bench.app.push_screen_wait(
        Question(
            "Unsaved changes",
            f"{name} has changes that no file holds. Save them before {doing}?",
            (("s", "Save", "save"), ("d", "Discard", "discard"), ("c", "Cancel", "cancel")),
        )
    )
    if answer == "save":
        return await save(bench)
    return answer == "discard"


async def open_session(bench: Bench) -> None:
    """Recent sessions first, and any path that is typed."""
    items = [Item(str(path), (path.name, _short(path.parent))) for path in paths.recent()]
    listed = {item.value for item in items}
    here = [path for path in sorted(Path.cwd().glob("*.toml"))[:200] if _is_session(path)]
    items += [Item(str(path), (path.name, "this folder")) for path in here if str(path.absolute()) not in listed]
    picked = await bench.app.push_screen_wait(
        ListDialog(
            "Open: recent sessions, or type a path",
            (Column("file", limit=36), Column("where", limit=60)),
            items,
            prompt="Path",
            free=lambda text: text,
            large=False,
        )
    )
    if isinstance(picked, str):
        await open_path(bench, Path(os.path.expanduser(picked)))


def _is_session(path: Path) -> bool:
    """Whether a TOML file looks like a session: other programs keep theirs in the same folders."""
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    return any(line.split(b"=")[0].strip() == b"schema" for line in head.splitlines())


async def open_path(bench: Bench, path: Path) -> None:
    """Open a file; a bad one leaves the session untouched and says why."""
    try:
        scenario, pins = session.load(path), session.pins(path)
        past = _past(bench, path, scenario)
    except SessionError as error:
        await bench.app.push_screen_wait(Question("Not opened", str(error), (("o", "OK", "ok"),)))
        return
    if not await settled(bench, "opening another"):
        return
    paths.remember(path)
    bench.sizeup.store.replace(scenario, path, pins=pins, past=past)
    bench.opened(path)


def _past(bench: Bench, path: Path, scenario: Scenario) -> Past | None:
    """The session as it was saved, where the catalog has changed since."""
    from tui import report

    table = session.table_of(session.document_of(session.read_text(path), str(path)))
    with contextlib.suppress(ScenarioError):  # the screen says what is wrong with it
        return report.past_of(table, scenario, bench.sizeup.store.size)
    return None


def _short(folder: Path) -> str:
    home, text = os.path.expanduser("~"), str(folder)
    return "~" + text[len(home) :] if os.path.isabs(home) and text.startswith(home) else text


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
    from tui import report

    items = [
        Item("copy-verdict", ("Copy the verdict", "one line, to the clipboard")),
        Item("copy-text", ("Copy the report as text", "to the clipboard")),
        Item("copy-markdown", ("Copy the report as Markdown", "to the clipboard")),
        Item("text", ("Write the report as text", ".txt file")),
        Item("markdown", ("Write the report as Markdown", ".md file")),
        Item("json", ("Write the report as JSON", ".json file")),
        Item("svg", ("Write a picture of this screen", ".svg file")),
    ]
    picked = await bench.app.push_screen_wait(
        ListDialog("Report", (Column("what", limit=40), Column("where", limit=30)), items, prompt="Find", large=False)
    )
    if not isinstance(picked, str):
        return
    if picked.startswith("copy-"):
        form = picked.removeprefix("copy-")
        verdict = sizing.verdict
        text = f"{verdict.headline}. {verdict.reason}" if form == "verdict" else report.render(sizing, _form(form))
        bench.app.copy_to_clipboard(text)
        bench.say(f"Sent to the terminal: {len(text):,} characters. Whether it took them, only pasting tells.")
        return
    picture = bench.app.export_screenshot() if picked == "svg" else ""
    suffix = {"text": ".txt", "markdown": ".md", "json": ".json", "svg": ".svg"}[picked]
    store = bench.sizeup.store
    beside = store.path or Path(f"{_slug(store.scenario.title) or 'sizeup'}.toml")
    offer = os.fspath(beside.with_suffix(suffix))
    target_text = await bench.app.push_screen_wait(AskText("Write to", "File", offer, _wrong_target))
    if target_text is None:
        return
    target = Path(os.path.expanduser(target_text))
    text = picture if picked == "svg" else report.render(sizing, _form(picked))
    try:
        disk.write(target, text.encode())
    except disk.DiskError as error:
        bench.say(f"Not written: {os.fspath(target)}: {error}")
    else:
        bench.say(f"Wrote {os.fspath(target)}.")


def _form(name: str) -> Literal["text", "markdown", "json"]:
    return "markdown" if name == "markdown" else "json" if name == "json" else "text"


async def leave(bench: Bench) -> None:
    """Quit, asking about unsaved work; a second request while the question stands changes nothing."""
    if len(bench.app.screen_stack) > 1:
        return
    if await settled(bench, "leaving"):
        recovery.forget()
        bench.app.exit(0)
