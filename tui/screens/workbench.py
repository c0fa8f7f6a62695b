"""The workbench: inputs on one side, the verdict on top, results beside or behind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget

from catalog.errors import CatalogError, UnknownId
from engine.errors import ScenarioError
from tui import actions, fields, paths
from tui.doc import Line, line, wrap
from tui.fields import Field
from tui.news import News, news_of
from tui.pages.sections import apply_action, fixes
from tui.widgets.canvas import Canvas
from tui.widgets.form import Form, Hint
from tui.widgets.frame import Footer, NewsLine, Title, VerdictLine
from tui.widgets.results import PAGE_NAMES, Results, Tabs

if TYPE_CHECKING:
    from tui.app import SizeupApp

NARROW, WIDE = 100, 160
TALL = 30
SMALLEST = (60, 20)
AUTOSAVE_S = 2.0


class TooSmall(Canvas):
    """What is shown when the terminal has no room for the workbench."""

    def get_lines(self, width: int) -> Sequence[Line]:
        """The size there is and the size it takes."""
        size = self.app.size
        words = (
            f"This terminal is {size.width} x {size.height}. sizeup needs at least "
            f"{SMALLEST[0]} x {SMALLEST[1]}. Make it larger; your work is kept. Ctrl+Q quits."
        )
        return [line(text) for text in wrap(words, max(10, width - 1))]


class Column(Vertical):
    """Panels one above another. Nothing in it scrolls, so a layout of it never asks for the next."""

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        return super()._size_updated(size, virtual_size, container_size, layout=False)


class Row(Horizontal):
    """Panels side by side, the same way."""

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        return super()._size_updated(size, virtual_size, container_size, layout=False)


class Workbench(Screen[None]):
    """The main screen. Every change of the store ends in `refresh_panels`, and each panel sends what differs."""

    # Textual repaints the whole screen when the focus moves; here nothing outside the two panels depends on it.
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key, command.id, command.help, show=False, priority=key.startswith(("ctrl+", "f")) and key != "ctrl+r")
        for command in actions.COMMANDS
        if command.where == "everywhere" and command.id != "quit"
        for key in command.keys
    ]

    AUTO_FOCUS = ""

    @property
    def sizeup(self) -> SizeupApp:
        """The app, typed."""
        from tui.app import SizeupApp

        return cast(SizeupApp, self.app)

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        return super()._size_updated(size, virtual_size, container_size, layout=False)

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """A layout paints what it moves; the screen itself has nothing of its own to paint again."""
        return super().refresh(*regions, repaint=repaint and not layout, layout=layout, recompose=recompose)

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        """Lay out when it must be; Textual would repaint everything once more than the layout or the pop does."""
        event.prevent_default()
        self.stack_updates += 1
        if self._size != self.app.size:
            self._refresh_layout(self.app.size)

    def compose(self) -> ComposeResult:
        """Title, verdict, news, panels, footer."""
        self._columns(self.app.size)
        self._known: set[str] = set()
        yield Title(id="title")
        yield VerdictLine(id="verdict")
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
        self.sizeup.store.subscribe(self._keep_soon)
        self._keeping: Timer | None = None
        self.call_after_refresh(self._recover)

    def _recover(self) -> None:
        """Offer unsaved work of an earlier run, once the first frame stands."""
        if any(paths.state_folder().glob("unsaved-*.toml")):
            from tui.screens import files

            self._run(files.recover(self))
        self._look_ahead()
        if not self.app.is_headless:
            from tui.screens import pickers

            self._run(pickers.warm(self.sizeup.catalog))

    def _keep_soon(self) -> None:
        """Autosave once the edits pause."""
        if self._keeping is not None:
            self._keeping.stop()
        self._keeping = self.set_timer(AUTOSAVE_S, self.keep_work)

    def on_resize(self, event: events.Resize) -> None:
        """One, two or three columns by the width."""
        self._columns(event.size)
        self._footer()

    def _columns(self, size: Size) -> None:
        width, height = size
        self.set_class(width < SMALLEST[0] or height < SMALLEST[1], "tiny")
        self.set_class(width < NARROW, "narrow")
        self.set_class(width >= WIDE, "wide")
        self.set_class(height >= TALL, "tall")

    # --- store

    def refresh_panels(self) -> None:
        """Let every panel compare itself with the store and send what differs."""
        self.footer.message = ""
        self._tell()
        self.form.refill()
        for panel in self.query(Canvas):
            if panel is not self.form:
                panel.update_lines()
        self._look_ahead()

    @on(Form.Changed)
    def _changed(self, event: Form.Changed) -> None:
        self.set_value(event.field, event.value, group=event.field.key if event.typed else f"step {event.field.key}")

    @on(Form.Rejected)
    def _rejected(self, event: Form.Rejected) -> None:
        self.sizeup.store.reject(event.field.key, event.text, event.reason)

    @on(Form.Reverted)
    def _reverted(self, event: Form.Reverted) -> None:
        self.sizeup.store.accept(event.field.key)

    def set_value(self, field: Field, value: object, group: str = "") -> None:
        """Change one field of the scenario; what cannot be read is said and changes nothing."""
        store = self.sizeup.store
        try:
            scenario = fields.changed(store.scenario, field, value, self.sizeup.catalog)
        except (UnknownId, CatalogError, ScenarioError) as error:
            self.say(str(error))
            return
        store.rejected.pop(field.key, None)
        if scenario == store.scenario:
            self.refresh_panels()
        else:
            store.edit(scenario, group)

    # --- news

    @property
    def news(self) -> tuple[News, ...]:
        """What there is to know beside the build."""
        return news_of(self.sizeup.catalog.problems, self.sizeup.store.past)

    def _tell(self) -> None:
        """Show the line of news while there is something that was not dismissed."""
        words = tuple(item.words for item in self.news if item.words not in self._known)
        told = self.query_one("#news", NewsLine)
        told.words = words
        self.set_class(bool(words), "news")
        told.update_lines()

    def dismiss_news(self) -> None:
        """The line goes; Ctrl+G still shows what it told."""
        self._known |= {item.words for item in self.news}
        self._tell()

    @on(NewsLine.Clicked)
    def _news_clicked(self, event: NewsLine.Clicked) -> None:
        self.dismiss_news() if event.dismissed else self.action_news()

    def action_news(self) -> None:
        """The news in full, until dismissed."""
        from tui.screens.help import NewsReader

        if not self.news:
            self.say(
                "Nothing in the catalog has changed since this was saved, and your own catalog files are in order."
            )
            return

        def answered(dismissed: bool | None) -> None:
            if dismissed:
                self.call_after_refresh(self.dismiss_news)

        self.app.push_screen(NewsReader(self.news), answered)

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
            found = self.form.fields
            self.form.go_to(found[0 if event.forward else -1].key)
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
            self.form.go_to(self.form.fields[0 if event.forward else -1].key)

    @on(Form.Moved)
    def _moved(self) -> None:
        self._footer()
        self.query_one(Hint).update_lines()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The footer follows the focus; a click into a panel counts as switching to it."""
        if self.is_narrow:
            self.set_class(self.on_results, "on-results")
        self._footer()

    def _footer(self) -> None:
        footer = self.query_one("#footer", Footer)
        footer.message = ""
        if self.on_results:
            footer.commands, labels = actions.FOOTER_PAGES.get(self._panel().page, (actions.FOOTER_RESULTS, {}))
            footer.labels = {"switch": "Inputs"} | labels
        else:
            picker = self.query_one("#form", Form).field.kind == "picker"
            footer.commands = actions.FOOTER_PICKER if picker else actions.FOOTER_INPUTS
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
        names = PAGE_NAMES[1:] if panel is self.detail else PAGE_NAMES
        self.open_page(names[(names.index(panel.page) + event.step) % len(names)], panel)

    def open_page(self, page: str, panel: Results | None = None) -> Results:
        """Show a page, in the detail column when there is one and the page is not the overview; where it is shown."""
        if panel is None:
            panel = self.detail if self.has_class("wide") and page != "Overview" else self.results
        tabs = self.query_one("#detail-tabs" if panel is self.detail else "#tabs", Tabs)
        tabs.page = page
        tabs.update_lines()
        panel.open_page(page)
        if panel is self.focused:
            self._footer()
        self._look_ahead()
        return panel

    @on(Tabs.Chosen)
    def _tab(self, event: Tabs.Chosen) -> None:
        self.open_page(event.page, self.detail if event.tabs.id == "detail-tabs" else self.results)

    # --- commands

    @on(Footer.Clicked)
    def _footer_clicked(self, event: Footer.Clicked) -> None:
        self.run_command(event.command)

    def run_command(self, command: str) -> None:
        """Run a command of the registry by its name."""
        getattr(self, f"action_{command}")()

    def on_key(self, event: events.Key) -> None:
        """Letters are commands where nobody types."""
        if event.character == "?":
            self.action_help()
        elif self.on_results and event.key == "escape":
            self.show_results(False)
        elif self.on_results and event.key in actions.LETTERS:
            self.run_command(actions.LETTERS[event.key])
        else:
            return
        event.stop()

    def say(self, words: str) -> None:
        """A short answer in the footer, until the next change."""
        self.footer.say(words)

    def action_switch(self) -> None:
        """To the results, or back to the inputs."""
        self.show_results(not self.on_results)

    def action_undo(self) -> None:
        """Back to the scenario before."""
        self.form.edit = None
        self.say("Undone.") if self.sizeup.store.undo() else self.say("Nothing to undo.")

    def action_redo(self) -> None:
        """Forward again."""
        self.form.edit = None
        self.say("Done again.") if self.sizeup.store.redo() else self.say("Nothing to redo.")

    def action_reset(self) -> None:
        """The current field's default."""
        self.form.reset_field()

    def action_next_field(self) -> None:
        """The next field."""
        self.form.step_to(True)

    def action_next_page(self) -> None:
        """The next page of results."""
        self._turned(Results.Turned(1))

    def action_previous_page(self) -> None:
        """The page before."""
        self._turned(Results.Turned(-1))

    def action_redraw(self) -> None:
        """Everything is sent again."""
        self.sizeup.wire.forget()
        self.refresh()

    def action_theme(self) -> None:
        """The next colour theme."""
        self.say(f"Theme: {self.sizeup.next_theme()}.")

    def action_working(self) -> None:
        """Open what is chosen."""
        panel = self._panel()
        if panel.chosen:
            self._opened(Results.Opened(panel.chosen))

    def action_apply(self) -> None:
        """Apply the chosen change, or the first one on offer."""
        chosen = self._panel().chosen
        if chosen.startswith("apply:"):
            self.apply(chosen)
            return
        if self._panel().page == "Builds":
            from tui.screens import study

            if chosen.startswith("fix:"):
                study.act(self, *chosen.split(":", 1))
                return
            if study.first_fix(self):
                return
        sizing = self.sizeup.store.sizing
        offered = fixes(sizing) if sizing is not None else []
        if offered:
            self.apply(apply_action(offered[0].suggestion))
        else:
            self.say("Nothing to apply: no change is on offer.")

    @on(Results.Opened)
    def _opened(self, event: Results.Opened) -> None:
        if event.action.startswith("apply:"):
            self.apply(event.action)
        elif event.action.startswith("figure:"):
            self.open_working(event.action.removeprefix("figure:"))
        else:
            self._study(*event.action.split(":", 1))

    @on(VerdictLine.Opened)
    def _flip_opened(self, event: VerdictLine.Opened) -> None:
        self._opened(Results.Opened(event.action))

    def _study(self, verb: str, what: str) -> None:
        """What the Builds, Compare and What if pages offer."""
        from tui.screens import study

        study.act(self, verb, what)

    def apply(self, action: str) -> None:
        """Make a suggested change; the words say what was changed."""
        key, _, text = action.removeprefix("apply:").partition("=")
        sizing = self.sizeup.store.sizing
        if sizing is None:
            return
        wanted = next((f.suggestion for f in fixes(sizing) if apply_action(f.suggestion) == action), None)
        field = fields.BY_KEY.get(key)
        if wanted is None or field is None:
            self.say(f"{key} cannot be changed here; edit it by hand.")
            return
        self.sizeup.store.seal()
        for other, value in wanted.also:
            self.set_value(fields.BY_KEY[other], value)
        self.set_value(field, wanted.value)
        self.say(f"{field.label}: {text}. {wanted.effect}. Ctrl+Z takes it back.")

    # --- dialogs, loaded when first opened

    def _run(self, job: Any) -> None:
        self.run_worker(job, exclusive=False)

    def open_working(self, figure: str) -> None:
        """The working of a figure, of this build or of another that the page shows."""
        from tui import elsewhere
        from tui.screens.working import Working

        sizing = self.sizeup.store.sizing
        if sizing is None:
            return
        opened = elsewhere.opened(figure, sizing, self.sizeup.studies)
        if opened is None:
            self.say("That build is not there any more.")
        else:
            self.app.push_screen(Working(opened.sizing, opened.figure, opened.whose))

    @on(Form.PickerWanted)
    def _picker(self, event: Form.PickerWanted) -> None:
        from tui.screens.pickers import picker_for

        field = event.field
        picker = picker_for(self.sizeup, field, event.seed)

        def chosen(value: object) -> None:
            if value is not None:
                self.call_after_refresh(self.set_value, field, None if value == fields.UNSET else value)

        self.app.push_screen(picker, chosen)

    def action_help(self) -> None:
        """Keys and commands."""
        from tui.screens.help import Help

        self.app.push_screen(Help())

    def action_palette(self) -> None:
        """Any command by its name."""
        from tui.screens.pickers import palette

        def run(command: str) -> None:
            if command.startswith("page:"):
                panel = self.open_page(command.removeprefix("page:"))
                self.show_results(True)
                self._give_focus(panel)
            elif command.startswith("theme:"):
                self.sizeup.use_theme(command.removeprefix("theme:"))
            elif command.startswith("field:"):
                self.show_results(False)
                self.form.go_to(command.removeprefix("field:"))
            else:
                self.run_command(command)

        def chosen(command: object) -> None:
            if isinstance(command, str):  # once the workbench is back on screen
                self.call_after_refresh(run, command)

        self.app.push_screen(palette(self.sizeup), chosen)

    def action_save(self) -> None:
        """Save, asking for a name when there is none."""
        from tui.screens import files

        self._run(files.save(self))

    def action_save_as(self) -> None:
        """Save under another name."""
        from tui.screens import files

        self._run(files.save_as(self))

    def action_open(self) -> None:
        """Open another session."""
        from tui.screens import files

        self._run(files.open_session(self))

    def action_new(self) -> None:
        """A new session."""
        from tui.screens import files

        self._run(files.new(self))

    def action_export(self) -> None:
        """Copy or write the report."""
        from tui.screens import files

        self._run(files.export(self))

    def action_quit(self) -> None:
        """Leave, asking when there is unsaved work."""
        from tui.screens import files

        self._run(files.leave(self))

    def action_pin(self) -> None:
        """Pin this build for comparing."""
        from tui.screens import study

        study.pin(self)

    def action_swap_pin(self) -> None:
        """Swap the chosen pinned build with the one at hand."""
        from tui.screens import study

        entry = study.chosen_pin(self, self._panel())
        if entry is not None:
            study.swap(self, entry)

    def action_rename_pin(self) -> None:
        """Rename the chosen pinned build."""
        from tui.screens import study

        entry = study.chosen_pin(self, self._panel())
        if entry is not None:
            self._run(study.rename(self, entry))

    def action_unpin(self) -> None:
        """Forget the chosen pinned build."""
        from tui.screens import study

        entry = study.chosen_pin(self, self._panel())
        if entry is not None:
            study.unpin(self, entry)

    def action_limits(self) -> None:
        """What the builds must stay within."""
        from tui.screens import study

        self.open_page("Builds", self._panel())
        self._run(study.ask_limits(self))

    def action_sweep_input(self) -> None:
        """Sweep the next input."""
        from tui.screens import study

        self.open_page("What if", self._panel())
        study.next_input(self)

    def action_sweep_figure(self) -> None:
        """Show the next figure of the sweep."""
        from tui.screens import study

        self.open_page("What if", self._panel())
        study.next_figure(self)

    def action_stop_search(self) -> None:
        """Stop the search for builds, or search again."""
        from tui.screens import study

        study.stop(self)

    def _look_ahead(self) -> None:
        """Search for flip points, and for what the pages in sight need, a little at a time."""
        from tui.screens import study

        study.look_ahead(self)

    def keep_work(self) -> None:
        """Write unsaved work to the recovery file."""
        from tui.screens import files

        files.keep(self.sizeup.store)

    def opened(self, path: Path | None) -> None:
        """After another session came in: start at its first field."""
        self.form.edit = None
        self.form.go_to(self.form.fields[0].key)
        self.results.scroll_lines(0)
        self.say(f"Opened {path}." if path else "New session.")
