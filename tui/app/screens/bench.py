"""The panels of the workbench: inputs on one side, the verdict on top, results beside or behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget

from engine.figures.errors import ScenarioError
from engine.figures.text import printable
from engine.scenario.change import Changes, change
from engine.scenario.fields import Value
from engine.sizing import Suggestion
from tui.app.base import SizeupBase, sizeup_of
from tui.app.news import News, news_of
from tui.app.textual_privates import Still, laid_out_for, lay_out
from tui.app.widgets.canvas import Canvas
from tui.app.widgets.form import Form
from tui.app.widgets.frame import Banner, Footer, NewsLine, Title
from tui.app.widgets.hint import Hint
from tui.app.widgets.results import PAGE_NAMES, Results, Tabs
from tui.files import commands, fields
from tui.files.fields import Field, has_list
from tui.pages.doc import Line, line, wrap

if TYPE_CHECKING:
    from tui.app.screens.dialog import Dialog

NARROW, WIDE = 100, 160
SMALLEST = (60, 20)
AUTOSAVE_S = 2.0
"""Work is kept when the edits pause for so long."""
UNKEPT_S = 3.0
"""And at this age whatever their pace: with keys that wait for their turn and the writing it is never older than 5 s."""


class TooSmall(Canvas):
    """What is shown when the terminal has no room for the workbench."""

    LEAST_WIDTH = 0

    def get_lines(self, width: int) -> Sequence[Line]:
        """The size there is and the size it takes."""
        size = self.app.size
        words = (
            f"This terminal is {size.width} x {size.height}. sizeup needs at least "
            f"{SMALLEST[0]} x {SMALLEST[1]}. Make it larger; your work is kept. {self.sizeup.keymap.shown('quit')} quits."
        )
        return [line(text) for text in wrap(words, max(10, width - 1))]


class Column(Vertical, Still):
    """Panels one above another."""


class Row(Horizontal, Still):
    """Panels side by side."""


class Bench(Screen[None], Still):
    """The panels and the focus. Every change of the store ends in `refresh_panels`, and each panel sends what differs.

    `begin` and `look_ahead` are what a workbench does beside: at the start, and whenever the store or a page changes.
    """

    # Textual repaints the whole screen when the focus moves; here nothing outside the two panels depends on it.
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    AUTO_FOCUS = ""

    @property
    def sizeup(self) -> SizeupBase:
        """The app, typed."""
        return sizeup_of(self)

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """A layout paints what it moves; the screen itself has nothing of its own to paint again."""
        return super().refresh(*regions, repaint=repaint and not layout, layout=layout, recompose=recompose)

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        """Lay out when it must be; Textual would repaint everything once more than the layout or the pop does."""
        event.prevent_default()
        self.stack_updates += 1
        if laid_out_for(self) != self.app.size:
            lay_out(self, self.app.size)
        self.call_after_refresh(self._refocus)

    def compose(self) -> ComposeResult:
        """Title, verdict, news, panels, footer."""
        self._columns(self.app.size)
        self._known: set[str] = set()
        self._waiting: set[str] = set()
        self._was_on_results = False
        self._conversation = asyncio.Lock()
        yield Title(id="title")
        yield Banner(id="verdict")
        yield NewsLine(id="news")
        with Row(id="body"):
            with Column(id="inputs"):
                yield Form(id="form")
                yield Hint(id="hint")
            with Column(id="middle"):
                yield Tabs(PAGE_NAMES, "Overview", id="tabs")
                yield Results("Overview", id="results")
            with Column(id="right"):
                yield Tabs(PAGE_NAMES[1:], "Verdict", id="detail-tabs")
                yield Results("Verdict", id="detail")
        yield Footer(id="footer")
        yield TooSmall(id="too-small")

    def on_mount(self) -> None:
        """Start in the form."""
        self.form = self.query_one("#form", Form)
        self.results = self.query_one("#results", Results)
        self.detail = self.query_one("#detail", Results)
        self.footer = self.query_one("#footer", Footer)
        self._tell()
        self.sizeup.store.subscribe(self.refresh_panels)
        self._give_focus(self.form)
        problem = self.sizeup.store.problem
        if (
            problem is not None and self.sizeup.store.sizing is None
        ):  # an opened file that cannot be sized: at the fault
            self.form.go_to(problem.field)
        self.sizeup.store.subscribe(self._keep_soon)
        self._keeping: Timer | None = None
        self._unkept_since: float | None = None
        self.call_after_refresh(self.begin)

    def _keep_soon(self) -> None:
        """Autosave once the edits pause, or when the first of them is old enough."""
        now = time.monotonic()
        if self._unkept_since is None:
            self._unkept_since = now
        if self._keeping is not None:
            self._keeping.stop()
        left = self._unkept_since + UNKEPT_S - now
        if left > 0:
            self._keeping = self.set_timer(min(AUTOSAVE_S, left), self.keep_work)
        else:  # at once: keys faster than they are dealt with would put off any timer
            self.keep_work()

    def on_resize(self, event: events.Resize) -> None:
        """One, two or three columns by the width."""
        self._columns(event.size)
        self._footer()
        self.call_after_refresh(self._refocus)

    def _refocus(self) -> None:
        """Give the focus back where the panel that had it was hidden: without one, most keys are dead."""
        if self.has_class("tiny") or self.app.screen is not self:
            return
        if self.focused is None or not self.focused.is_on_screen:
            self.show_results(self._was_on_results)

    def _columns(self, size: Size) -> None:
        width, height = size
        self.set_class(width < SMALLEST[0] or height < SMALLEST[1], "tiny")
        self.set_class(width < NARROW, "narrow")
        self.set_class(width >= WIDE, "wide")
        self._beside()

    def _beside(self) -> None:
        """Tell the middle column what stands next to it, so that it does not say the same."""
        for results in self.query("#results").results(Results):
            page = self.query_one("#detail", Results).page if self.has_class("wide") else ""
            if page != results.beside:
                results.beside = page
                results.update_lines()

    # --- store

    def refresh_panels(self) -> None:
        """Let every panel compare itself with the store and send what differs."""
        self.footer.message = ""
        self._tell()
        self.form.refill()
        for panel in self.query(Canvas):
            if panel is not self.form:
                panel.update_lines()
        self.look_ahead()

    @on(Canvas.Struck)
    def _struck(self) -> None:
        """The keys come back when the next one is pressed."""
        if self.footer.message:
            self.footer.message = ""
            self.footer.update_lines()

    @on(Form.Changed)
    def _changed(self, event: Form.Changed) -> None:
        if event.typed:
            self.form.on_the_way -= 1
        self.set_value(event.field, event.value, group=event.field.key if event.typed else f"step {event.field.key}")

    @on(Form.Rejected)
    def _rejected(self, event: Form.Rejected) -> None:
        self.form.on_the_way -= 1
        self.sizeup.store.reject(event.field.key, event.text, event.reason)

    @on(Form.Reverted)
    def _reverted(self, event: Form.Reverted) -> None:
        self.sizeup.store.accept(event.field.key)

    def set_value(self, field: Field, value: object, group: str = "") -> None:
        """Change one field of the scenario; what cannot be read is said and changes nothing."""
        store = self.sizeup.store
        try:
            named = fields.named(store.scenario, {field.key: cast(Value, value)}, new=store.path is None)
            scenario = change(store.scenario, named, self.sizeup.catalog)
        except ScenarioError as error:
            if field.kind == "id":  # chosen from a list: there is no text of one's own to correct
                self.complain("Nothing was changed", str(error))
            else:
                store.reject(field.key, str(value), f"{error.reason}; allowed: {error.allowed}")
            return
        store.rejected.pop(field.key, None)
        if scenario == store.scenario:
            self.refresh_panels()
        else:
            store.edit(scenario, group)

    def make(self, changes: Changes) -> bool:
        """Make changes that were offered, all of them or none; False, and the reason said, where they cannot be made."""
        store = self.sizeup.store
        try:
            named = fields.named(store.scenario, changes, new=store.path is None)
            scenario = change(store.scenario, named, self.sizeup.catalog)
        except ScenarioError as error:
            self.complain("Nothing was changed", str(error))
            return False
        self.form.edit = None
        for key in changes:
            store.rejected.pop(key, None)
        if scenario == store.scenario:
            self.refresh_panels()
        else:
            store.edit(scenario)
        return True

    @staticmethod
    def changes_words(offered: Suggestion) -> str:
        """What a change sets, by the names of its fields."""
        parts = [f"{fields.BY_KEY[key].label}: {fields.value_words(key, value)}" for key, value in offered.changes]
        return ", ".join(parts)

    # --- news

    @property
    def news(self) -> tuple[News, ...]:
        """What there is to know beside the build."""
        app = self.sizeup
        return news_of(app.catalog.problems, app.store.past, app.keeper.problem, app.set_aside, app.key_problems)

    def _tell(self) -> None:
        """Show the line of news while there is something that was not dismissed."""
        words = tuple(item.words for item in self.news if item.words not in self._known)
        told = self.query_one("#news", NewsLine)
        told.words = words
        self.set_class(bool(words), "news")
        told.update_lines()

    def dismiss_news(self) -> None:
        """The line goes; the command `news` still shows what it told."""
        self._known |= {item.words for item in self.news}
        self._tell()

    # --- focus and pages

    @property
    def is_narrow(self) -> bool:
        """Whether inputs and results take turns."""
        return self.has_class("narrow")

    @property
    def on_results(self) -> bool:
        """Whether the results have the focus."""
        return isinstance(self.focused, Results)

    def show_results(self, show: bool) -> None:
        """Move the focus, and in a narrow terminal the page, to the results or to the inputs."""
        if self.is_narrow:
            self.set_class(show, "on-results")
        self._give_focus(self.results if show else self.form)

    def _give_focus(self, panel: Canvas) -> None:
        self.set_focus(panel, scroll_visible=False)

    @on(Form.Left)
    def _left_form(self, event: Form.Left) -> None:
        if self.is_narrow:
            self.form.go_to(self.form.stops[0 if event.forward else -1])
        elif event.forward or not self.has_class("wide"):
            self._give_focus(self.results)
        else:
            self._give_focus(self.detail)

    @on(Results.Left)
    def _left_results(self, event: Results.Left) -> None:
        if event.forward and self.has_class("wide") and self.focused is self.results:
            self._give_focus(self.detail)
        elif not event.forward and self.focused is self.detail:
            self._give_focus(self.results)
        else:
            self.show_results(False)
            self.form.go_to(self.form.stops[0 if event.forward else -1])

    @on(Form.Moved)
    def _moved(self) -> None:
        self._footer()
        self.query_one(Hint).update_lines()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The footer follows the focus; a click into a panel counts as switching to it."""
        if not self.has_class("tiny"):  # else the panel that had it was hidden, and it only went on
            self._was_on_results = self.on_results
        if self.is_narrow:
            self.set_class(self.on_results, "on-results")
        self._footer()

    def _footer(self) -> None:
        footer, banner = self.query_one("#footer", Footer), self.query_one("#verdict", Banner)
        footer.message = ""
        if banner.does_it != (does_it := "apply" if self.on_results else "advise"):
            banner.does_it = does_it
            banner.update_lines()
        if self.on_results:
            footer.commands, labels = commands.FOOTER_PAGES.get(self._panel().page, (commands.FOOTER_RESULTS, {}))
            footer.labels = {"switch": "Inputs"} | labels
        else:
            form = self.query_one("#form", Form)
            picker = has_list(form.field) or form.fold is not None
            footer.commands = commands.FOOTER_PICKER if picker else commands.FOOTER_INPUTS
            footer.labels = {"next_field": "Next"}
        footer.update_lines()

    def _panel(self) -> Results:
        return self.detail if self.focused is self.detail else self.results

    @on(Results.Turned)
    def _turned(self, event: Results.Turned) -> None:
        panel = self._panel()
        if event.number:
            if event.number <= len(PAGE_NAMES):
                self._give_focus(self.open_page(PAGE_NAMES[event.number - 1]))
            return
        beside = self.results if panel is self.detail else self.detail
        names = tuple(
            name
            for name in (PAGE_NAMES[1:] if panel is self.detail else PAGE_NAMES)
            if name == panel.page or name != beside.page or not self.has_class("wide")
        )
        self.open_page(names[(names.index(panel.page) + event.step) % len(names)], panel)

    def open_page(self, page: str, panel: Results | None = None) -> Results:
        """Show a page, in the detail column when there is one and the page is not the overview; where it is shown."""
        if panel is None:
            panel = self.detail if self.has_class("wide") and page != "Overview" else self.results
        tabs = self.query_one("#detail-tabs" if panel is self.detail else "#tabs", Tabs)
        tabs.page = page
        tabs.update_lines()
        panel.open_page(page)
        self._beside()
        if panel is self.focused:
            self._footer()
        self.look_ahead()
        return panel

    @on(Tabs.Chosen)
    def _tab(self, event: Tabs.Chosen) -> None:
        self.open_page(event.page, self.detail if event.tabs.id == "detail-tabs" else self.results)

    # --- for the dialogs

    def show(self, dialog: Dialog[Any], answered: Callable[[Any], None] | None = None) -> None:
        """Open a dialog, unless one is open: the same key twice in one turn of the loop asks for one."""
        if self.app.screen is self:
            self.app.push_screen(dialog, answered)

    def converse(self, name: str, job: Coroutine[Any, Any, object]) -> None:
        """Run a job that asks by dialogs. Such jobs take turns, and one that waits for its turn is not asked for twice."""
        if name in self._waiting:
            job.close()
        else:
            self._waiting.add(name)
            self.run_worker(self._in_turn(name, job), exclusive=False)

    async def _in_turn(self, name: str, job: Coroutine[Any, Any, object]) -> None:
        async with self._conversation:
            self._waiting.discard(name)
            await job

    def begin(self) -> None:
        """What comes once the first frame stands: nothing, where no workbench adds to it."""

    def look_ahead(self) -> None:
        """What to search for while nobody types: nothing, where no workbench adds to it."""

    def key(self, command: str) -> str:
        """The key of a command, for words about it."""
        return self.sizeup.keymap.shown(command)

    def say(self, words: str, then: str = "") -> None:
        """A short answer in the footer, until the next key. then: what stays in sight where not all fits."""
        self.footer.say(words, then)

    def complain(self, heading: str, words: str) -> None:
        """What could not be done and why: in the footer where all of it fits, else to be read in full."""
        words = printable(words)
        if len(words) + 2 <= self.app.size.width:
            self.say(words)
        else:
            from tui.app.screens.dialog import OK, Question

            self.show(Question(heading, words, OK))

    def keep_work(self) -> None:
        """Write unsaved work to the recovery file; that it cannot be kept is news."""
        if self._keeping is not None:
            self._keeping.stop()
        self._keeping = self._unkept_since = None
        self.sizeup.keeper.keep(self.sizeup.store)
        self._tell()

    def opened(self, path: Path | None) -> None:
        """After another session came in: start at its first field."""
        self.form.edit = None
        self.form.go_to(self.form.fields[0].key)
        self.results.scroll_lines(0)
        self.say(f"Opened {path}." if path else "New session.")
