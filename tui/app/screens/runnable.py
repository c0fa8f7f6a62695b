"""A build as something to run, from the app: pick a target that fits, look at its text, copy or write it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.figures.records import NamedTuple
from engine.figures.text import harmless
from engine.sizing import Sizing
from tui.app.screens.dialog import Question, Reader
from tui.app.screens.list_dialog import Column, Item, ListDialog
from tui.pages.doc import Line, line

if TYPE_CHECKING:
    from tui.app.screens.bench import Bench

TAKE = ("t", "take it")


class Taken(NamedTuple):
    """What somebody chose. where: copy or write. ending: of a file's name, with the target in it."""

    text: str
    where: str
    ending: str


async def taken(bench: Bench, sizing: Sizing) -> Taken | None:
    """Ask for a target and show its text; None where that was left."""
    from tui.shell import exports

    fitting = exports.fitting(sizing)
    if not fitting:
        bench.say(f"No target here runs on {sizing.scenario.hardware.accelerator.label}.")
        return None
    items = [Item(target, (target, exports.kind_of(target).what)) for target in fitting]
    columns = (Column("target", limit=14), Column("what", limit=40))
    picked = await bench.app.push_screen_wait(ListDialog("To run with", columns, items, prompt="Find", large=False))
    target = next((target for target in fitting if target == picked), None)
    if target is None:
        return None
    text = harmless(exports.export(sizing, target))
    shown = bench.sizeup.glyphs.text(text)

    def lines(width: int) -> Sequence[Line]:
        wide = max(1, width)
        return [line(row[at : at + wide]) for row in shown.split("\n") for at in range(0, max(1, len(row)), wide)]

    if not await bench.app.push_screen_wait(Reader(target, lines, TAKE)):
        return None
    answers = (("c", "Copy", "copy"), ("w", "Write a file", "write"))
    where = await bench.app.push_screen_wait(Question(target, "Copy it, or write it to a file?", answers))
    return None if where is None else Taken(text, where, f"{target}.{exports.kind_of(target).ending}")
