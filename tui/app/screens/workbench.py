"""The workbench: the panels, and every command with the dialog that it opens."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.message import Message

from engine.figures.sentences import text_of
from tui.app import recovery
from tui.app.screens.bench import Bench
from tui.app.widgets.form import Form
from tui.app.widgets.frame import Banner, Footer, NewsLine
from tui.app.widgets.results import Results
from tui.files import commands, disk, folds, paths
from tui.pages.doc import Line, plain
from tui.pages.to_do import apply_action, fixes


class Workbench(Bench):
    """The main screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key, command.id, command.help, show=False, priority=key.startswith(("ctrl+", "f")), id=command.id)
        for command in commands.COMMANDS
        if command.where == "everywhere" and command.id != "quit"
        for key in command.keys
    ]

    class Begun(Message):
        """The first frame stands. asks: whether a question about unsaved work comes before all else."""

        def __init__(self, asks: bool) -> None:
            super().__init__()
            self.asks = asks

    def begin(self) -> None:
        """Offer unsaved work of an earlier run, once the first frame stands."""
        left = recovery.left_behind()
        self.app.post_message(self.Begun(bool(left) or self.sizeup.first))
        if left:
            from tui.app.screens import files

            self.converse("recover", files.recover(self, left))
        elif self.sizeup.first:
            from tui.app.screens import start

            self.converse("start", start.ask(self))
        for folder in (paths.state_folder(), paths.config_folder()):
            disk.sweep(folder)
        self.look_ahead()
        self.sizeup.set_aside += paths.set_aside_damaged()
        self._tell()
        if not self.app.is_headless:
            from tui.app.screens import pickers

            self.run_worker(pickers.warm(self.sizeup.catalog))

    @on(NewsLine.Clicked)
    def _news_clicked(self, event: NewsLine.Clicked) -> None:
        self.dismiss_news() if event.dismissed else self.action_news()

    def action_news(self) -> None:
        """The news in full, until dismissed."""
        from tui.app.screens.help import NewsReader

        if not self.news:
            self.say(
                "Nothing in the catalog has changed since this was saved, and your own catalog files are in order."
            )
            return

        def answered(dismissed: bool | None) -> None:
            if dismissed:
                self.call_after_refresh(self.dismiss_news)

        self.show(NewsReader(self.news), answered)

    # --- commands

    @on(Footer.Clicked)
    def _footer_clicked(self, event: Footer.Clicked) -> None:
        self.run_command(event.command)

    def run_command(self, command: str) -> None:
        """Run a command of the registry by its name."""
        getattr(self, f"action_{command}")()

    def on_key(self, event: events.Key) -> None:
        """Letters are commands where nobody types; while a jump is chosen they say where to."""
        if self.form.jumps:
            self._jump_to(event.key)
        elif event.character == "?":
            self.action_help()
        elif self.on_results and event.key == "escape":
            self.show_results(False)
        elif self.on_results and (command := self.sizeup.keymap.in_results.get(event.key)):
            self.run_command(command)
        else:
            return
        event.stop()

    def action_jump(self) -> None:
        """Wait for a letter or a digit that says where to."""
        form = self.form
        self._jumping({} if form.jumps else folds.letters(form.stops, form.fields))

    def _jumping(self, marks: dict[str, str]) -> None:
        self.form.jumps = marks
        self.results.jumping = self.detail.jumping = bool(marks)
        self.form.update_lines()
        if marks:
            self.say("Jump: the letter before a name, a digit for a page, Escape")

    def _jump_to(self, key: str) -> None:
        """To the field or heading of a letter, or the page of a digit; any other key only ends the waiting."""
        target = self.form.jumps.get(key)
        self._jumping({})
        if target is not None:
            self.show_results(False)
            self.form.go_to(target)
            fold = self.form.fold
            if fold is not None and fold.key not in self.form.opened:
                self.form.turn(fold)
        elif key.isdigit():
            self.show_results(True)
            self._turned(Results.Turned(number=int(key) or 10))

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

    def action_advise(self) -> None:
        """Do the one thing to do, as the answer above offers it."""
        from tui.app.screens import study

        study.take_advice(self)

    def action_apply(self) -> None:
        """Apply the chosen change, or do the one thing to do."""
        from tui.app.screens import study

        chosen = self._panel().chosen
        if chosen.startswith("figure:cure:"):  # a figure of a change means that change
            chosen = chosen.removeprefix("figure:").partition("@")[0]
        if chosen.startswith("apply:"):
            self.apply(chosen)
        elif chosen.startswith("cure:"):
            study.act(self, *chosen.split(":", 1))
        else:
            study.take_advice(self)

    @on(Results.Opened)
    def _opened(self, event: Results.Opened) -> None:
        if event.action == "cure":
            from tui.app.screens import study

            study.take_advice(self)
        elif event.action.startswith("apply:"):
            self.apply(event.action)
        elif event.action.startswith("figure:"):
            self.open_working(event.action.removeprefix("figure:"))
        else:
            self._study(*event.action.split(":", 1))

    @on(Banner.Opened)
    def _flip_opened(self, event: Banner.Opened) -> None:
        self._opened(Results.Opened(event.action))

    def _study(self, verb: str, what: str) -> None:
        """What the Builds, Compare and What if pages offer."""
        from tui.app.screens import study

        study.act(self, verb, what)

    def apply(self, action: str) -> None:
        """Make a suggested change; the words say what was changed."""
        key = action.removeprefix("apply:").partition("=")[0]
        sizing = self.sizeup.store.sizing
        if sizing is None:
            return
        wanted = next((one for one in fixes(sizing) if apply_action(one) == action), None)
        if wanted is None:
            self.say(f"{key} cannot be changed here; edit it by hand.")
            return
        self.sizeup.store.seal()
        if self.make(dict(wanted.changes)):
            self.say(f"{self.changes_words(wanted)}. {text_of(wanted.effect)}.", f"{self.key('undo')} takes it back.")

    # --- dialogs, loaded when first opened

    def open_working(self, figure: str) -> None:
        """The working of a figure, of this build or of another that the page shows."""
        from tui.app import elsewhere
        from tui.app.screens.working import Working

        sizing = self.sizeup.store.sizing
        if sizing is None:
            return
        opened = elsewhere.opened(figure, sizing, self.sizeup.studies)
        if opened is None:
            self.say("That build is not there any more.")
        else:
            self.show(Working(opened.sizing, opened.figure, opened.whose))

    @on(Form.PickerWanted)
    def _picker(self, event: Form.PickerWanted) -> None:
        from tui.app.screens.picked import take
        from tui.app.screens.pickers import picker_for

        field = event.field

        def chosen(answer: object) -> None:
            self.call_after_refresh(take, self, field, answer)

        self.show(picker_for(self.sizeup, field, event.seed), chosen)

    def action_help(self) -> None:
        """What the focused thing means, the words of the page, keys and commands."""
        from tui.app.screens.help import Help

        self.show(Help(self._meant()))

    def _meant(self) -> Callable[[int], list[list[Line]]]:
        """What the current field or the chosen figure means, and the words of the page in sight, for a width."""
        from tui.app import elsewhere
        from tui.pages import meaning

        panel, app, field = self._panel(), self.sizeup, None if self.on_results else self.form.field
        rows = [plain(row) for row in panel.lines]
        row = next((plain(r) for r in panel.lines if any(span.action == panel.chosen for span in r)), "")
        name = panel.chosen.removeprefix("figure:")

        def lines(width: int) -> list[list[Line]]:
            sizing, here = app.store.sizing, list[Line]()
            if field is not None:
                here = meaning.field_lines(field, width, app.glyphs)
            elif sizing is not None and panel.chosen:
                opened = elsewhere.opened(name, sizing, app.studies)
                if opened is not None:
                    here = meaning.figure_lines(opened.sizing, opened.figure, row, width, app.glyphs)
            return [here, meaning.page_lines(panel.page, rows, here, width, app.glyphs)]

        return lines

    def action_palette(self) -> None:
        """Any command by its name."""
        from tui.app.screens.pickers import palette

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

        self.show(palette(self.sizeup), chosen)

    def action_save(self) -> None:
        """Save, asking for a name when there is none."""
        from tui.app.screens import files

        self.converse("save", files.save(self))

    def action_save_as(self) -> None:
        """Save under another name."""
        from tui.app.screens import files

        self.converse("save_as", files.save_as(self))

    def action_open(self) -> None:
        """Open another session."""
        from tui.app.screens import files

        self.converse("open_session", files.open_session(self))

    def action_new(self) -> None:
        """A new session."""
        from tui.app.screens import files

        self.converse("new", files.new(self))

    def action_paste(self, text: str = "") -> None:
        """Read what somebody has already as a session."""
        from tui.app.screens import pasted

        self.converse("paste", pasted.paste(self, text))

    def on_paste(self, event: events.Paste) -> None:
        """What no field takes, such as several lines, is a text to read."""
        event.stop()
        if event.text.strip():
            self.action_paste(event.text)

    def action_export(self) -> None:
        """Copy or write the report."""
        from tui.app.screens import files

        self.converse("export", files.export(self))

    def action_quit(self) -> None:
        """Leave, asking when there is unsaved work."""
        from tui.app.screens import files

        self.converse("leave", files.leave(self))

    def action_pin(self) -> None:
        """Pin this build for comparing."""
        from tui.app.screens import study

        study.pin(self)

    def action_swap_pin(self) -> None:
        """Swap the chosen pinned build with the one at hand."""
        from tui.app.screens import study

        entry = study.chosen_pin(self, self._panel())
        if entry is not None:
            study.swap(self, entry)

    def action_rename_pin(self) -> None:
        """Rename the chosen pinned build."""
        from tui.app.screens import study

        entry = study.chosen_pin(self, self._panel())
        if entry is not None:
            self.converse("rename", study.rename(self, entry))

    def action_unpin(self) -> None:
        """Forget the chosen pinned build."""
        from tui.app.screens import study

        entry = study.chosen_pin(self, self._panel())
        if entry is not None:
            study.unpin(self, entry)

    def action_limits(self) -> None:
        """What the builds must stay within."""
        from tui.app.screens import study

        self.open_page("Builds", self._panel())
        self.converse("ask_limits", study.ask_limits(self))

    def action_all_found(self) -> None:
        """All builds that were found, as a list."""
        from tui.app.screens import study

        self.open_page("Builds", self._panel())
        self.converse("all_found", study.all_found(self))

    def action_sweep_input(self) -> None:
        """Sweep the next input."""
        from tui.app.screens import study

        self.open_page("What if", self._panel())
        study.next_input(self)

    def action_sweep_figure(self) -> None:
        """Show the next figure of the sweep."""
        from tui.app.screens import study

        self.open_page("What if", self._panel())
        study.next_figure(self)

    def action_every_link(self) -> None:
        """All links of the catalog on the Fabric page, or the usual ones."""
        from tui.app.screens import study

        self.open_page("Fabric", self._panel())
        study.turn_links(self)

    def action_stop_search(self) -> None:
        """Stop the search for builds, or search again."""
        from tui.app.screens import study

        study.stop(self)

    def look_ahead(self) -> None:
        """Search for flip points, and for what the pages in sight need, a little at a time."""
        from tui.app.screens import study

        study.look_ahead(self)
