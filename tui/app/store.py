"""What the app knows: the Scenario being edited, its history and its last valid Sizing. Pure.

Every change goes one way: a new frozen Scenario enters through `edit`, `undo`, `redo` or `replace`, is
sized, and everybody who subscribed is told once. Nothing else holds state about the build.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.figures.errors import ScenarioError
from engine.figures.records import dataclass
from engine.scenario import Scenario
from engine.sizing import Sizing

if TYPE_CHECKING:
    from tui.files.pins import Pin
    from tui.shell.report_words import Past

HISTORY_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the Scenario on screen has no Sizing. field is a dotted session key, empty when none is at fault."""

    field: str
    reason: str
    allowed: str = ""
    nearest: int | float | str | None = None
    detail: str = ""

    @property
    def words(self) -> str:
        """The reason and what would be accepted, without the field."""
        text = self.reason.rstrip(".")
        if self.allowed:
            text += f"; allowed: {self.allowed}"
        if self.nearest is not None:
            text += f" (nearest: {self.nearest})"
        return text


class Store:
    """The open session. `size` is `engine.decide.size`, given so that tests can watch or slow it.

    path, stamp: the file that it came from, and the stamp of what was read from it.
    """

    def __init__(
        self, scenario: Scenario, size: Callable[[Scenario], Sizing], path: Path | None = None, stamp: str = ""
    ) -> None:
        self.size = size
        self._past: list[tuple[Scenario, tuple[Pin, ...], str]] = []
        self._future: list[tuple[Scenario, tuple[Pin, ...]]] = []
        self._group = ""
        self._watchers: list[Callable[[], None]] = []
        self.path = path
        self.scenario = scenario
        self.saved: Scenario | None = scenario
        self.pins: tuple[Pin, ...] = ()
        self.saved_pins: tuple[Pin, ...] = ()
        self.stamp = stamp  # of what was read or written last, to see that somebody changed it; empty: not known
        self._opened: tuple[Scenario, tuple[Pin, ...]] | None = (scenario, ())  # as it came in, which no edit made
        self.past: Past | None = None  # the file as it was saved, where the catalog has changed since
        self.sizing: Sizing | None = None
        self.before: Sizing | None = None  # the Sizing that the current one replaced, for deltas
        self.problem: Problem | None = None
        self.rejected: dict[str, tuple[str, str]] = {}  # field key: text that it cannot take, and why
        self._resize()

    @property
    def dirty(self) -> bool:
        """Whether there is work that no file holds. What was opened, presets and all, is no work yet."""
        now = (self.scenario, self.pins)
        return now != (self.saved, self.saved_pins) and now != self._opened

    @property
    def stale(self) -> bool:
        """Whether the Sizing belongs to an earlier Scenario than the one on screen."""
        return self.problem is not None or bool(self.rejected)

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier Scenario."""
        return bool(self._past)

    def holds(self, saved: Scenario, pins: tuple[Pin, ...], stamp: str) -> None:
        """What the file of the opened session holds, where the session was opened with changes to it."""
        self.saved, self.pins, self.saved_pins, self.stamp = saved, pins, pins, stamp
        self._opened = (self.scenario, pins)

    def subscribe(self, watcher: Callable[[], None]) -> None:
        """Call `watcher` after every change."""
        self._watchers.append(watcher)

    def edit(self, scenario: Scenario, group: str = "", pins: tuple[Pin, ...] | None = None) -> None:
        """Take an edited Scenario. Edits in a row of one non-empty group are one step of undo.

        pins: the pinned builds from now on; None leaves them as they are.
        """
        pins = self.pins if pins is None else pins
        if scenario == self.scenario and pins == self.pins:
            return
        if not (group and group == self._group and self._past):
            self._past.append((self.scenario, self.pins, group))
            del self._past[:-HISTORY_LIMIT]
        self._group = group
        self._future.clear()
        self._take(scenario, pins)

    def reject(self, key: str, text: str, reason: str) -> None:
        """Keep text that a field cannot take beside the last valid Scenario."""
        if self.rejected.get(key) != (text, reason):
            self.rejected[key] = (text, reason)
            self._tell()

    def accept(self, key: str) -> None:
        """Forget rejected text of a field."""
        if self.rejected.pop(key, None) is not None:
            self._tell()

    def seal(self) -> None:
        """End the current undo step: the next edit starts another, even in the same field."""
        self._group = ""

    def undo(self) -> bool:
        """Back to the previous Scenario. False when there is none."""
        if not self._past:
            return False
        scenario, pins, _ = self._past.pop()
        self.rejected.clear()
        self._future.append((self.scenario, self.pins))
        self._group = ""
        self._take(scenario, pins)
        return True

    def redo(self) -> bool:
        """Forward to the Scenario that undo left. False when there is none."""
        if not self._future:
            return False
        self._past.append((self.scenario, self.pins, ""))
        self.rejected.clear()
        self._group = ""
        self._take(*self._future.pop())
        return True

    def replace(
        self,
        scenario: Scenario,
        path: Path | None,
        saved: bool = True,
        pins: tuple[Pin, ...] = (),
        past: Past | None = None,
        stamp: str = "",
    ) -> None:
        """Open another session: history starts again. saved False marks it as unsaved work; past: before a drift."""
        self._past.clear()
        self.rejected.clear()
        self._future.clear()
        self._group = ""
        self.path = path
        self.past = past
        self.stamp = stamp
        self._opened = None
        self.saved = scenario if saved else None
        self.saved_pins = pins
        self.before = self.sizing = None
        self._take(scenario, pins)

    def mark_saved(self, path: Path, stamp: str = "") -> None:
        """The current Scenario is now what `path` holds; stamp: of the bytes that were written."""
        self.path = path
        self.past = None  # the file keeps the figures of today now
        self.stamp = stamp
        self._opened = None
        self.saved, self.saved_pins = self.scenario, self.pins
        self.seal()
        self._tell()

    def _take(self, scenario: Scenario, pins: tuple[Pin, ...]) -> None:
        changed = scenario != self.scenario or self.sizing is None
        self.scenario, self.pins = scenario, pins
        if changed:
            self._resize()
        self._tell()

    def _resize(self) -> None:
        try:
            sizing = self.size(self.scenario)
        except ScenarioError as error:
            self.problem = Problem(error.field, error.reason, error.allowed, error.nearest)
        except Exception as error:  # a defect in the sizing must not cost the person the session
            reason = f"this build could not be sized, which is a defect: {type(error).__name__}: {error}"
            self.problem = Problem("", reason, detail=traceback.format_exc())
        else:
            self.before, self.sizing, self.problem = self.sizing, sizing, None

    def _tell(self) -> None:
        for watcher in list(self._watchers):
            watcher()
