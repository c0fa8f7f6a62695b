"""A box for what people have already: a command, a manifest, a config, what a machine says; read as a session."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult

from engine.figures.text import harmless, printable
from engine.scenario import Scenario
from tui.app.screens.dialog import Built, Keys, Label, Reader, Typing
from tui.pages.doc import BLANK, Line, line, shorten, wrap
from tui.paste.found import LONGEST_BYTES, CannotRead, Found

if TYPE_CHECKING:
    from tui.app.screens.bench import Bench

ROWS = 10
HINT = (
    "Paste it here: a command of vllm serve, sglang, llama-server, trtllm-serve or docker run, a compose file, a manifest, a "
    "trainer's config, what nvidia-smi, topo -m, rocm-smi or lspci printed. Or type the name of a file."
)
OPEN = ("o", "open it")


class PasteBox(Typing):
    """Takes text of many lines, and shows its end. note: what was wrong with it when it was read."""

    heading = "Paste"
    size_class = "large"

    def __init__(self, text: str = "", note: str = "") -> None:
        super().__init__()
        self.text = text
        self.note = note

    def parts(self) -> ComposeResult:
        """The text, room for a complaint, keys."""
        self.body = Built(self._shown, id="dialog-text")
        self.body.can_focus = True
        self.complaint = Label([BLANK], id="dialog-head")
        self.complaint.styles.height = 3
        yield self.body
        yield self.complaint
        yield Keys((("Enter", "read it", "take"), ("Ctrl+U", "clear", "clear"), ("Esc", "back", "back")))

    def on_mount(self) -> None:
        """Take the keys."""
        self.set_focus(self.body)
        self._say()

    def _shown(self, width: int) -> Sequence[Line]:
        glyphs, wide = self.sizeup.glyphs, max(20, width - 2)
        if not self.text:
            return [line((row, "dim")) for row in wrap(glyphs.text(HINT), wide)]
        rows = harmless(self.text).split("\n")
        head = f"{len(rows):,} lines" if len(rows) > 1 else ""
        last = [line(shorten(printable(row), wide, glyphs.ellipsis)) for row in rows[-ROWS:]]
        return [*([line((head, "dim"))] if head else []), *last]

    def _say(self) -> None:
        width = max(20, self.app.size.width - 10)
        rows = wrap(self.sizeup.glyphs.text(self.note), width)[:3]
        self.complaint.show([line((row, "bad")) for row in rows] or [BLANK])

    def changed(self) -> None:
        """Show the end of the text."""
        self.note = ""
        if len(self.text) > LONGEST_BYTES:
            self.text = self.text[:LONGEST_BYTES]
            self.note = f"cut to {LONGEST_BYTES:,} characters"
        self.body.update_lines()
        self._say()

    def on_paste(self, event: events.Paste) -> None:
        """Add what is pasted."""
        event.stop()
        self.text += event.text.replace("\r\n", "\n").replace("\r", "\n")
        self.changed()

    def typed(self, event: events.Key) -> bool:
        """Take a key into the text, whose end is what is edited."""
        before = self.text
        if event.key == "ctrl+u":
            self.text = ""
        elif event.key in ("backspace", "delete"):
            self.text = self.text[:-1]
        elif event.is_printable and event.character:
            self.text += event.character
        return self.text != before

    def take(self) -> None:
        """Answer with the text."""
        if self.text.strip():
            self.dismiss(self.text)
        else:
            self.note = "nothing is pasted yet"
            self._say()

    def on_keys_clicked(self, event: Keys.Clicked) -> None:
        """The keys by mouse."""
        if event.action == "clear":
            event.prevent_default()
            self.text = ""
            self.changed()


def read(text: str) -> tuple[Found, Scenario]:
    """What a text, or the file that it names, means. Raises CannotRead."""
    from tui.files import session
    from tui.files.session_tables import SessionError
    from tui.paste import reading

    name = text.strip()
    if "\n" not in name and len(name) < 4096 and (model := reading.model_at(name)):
        found = Found()
        reading.take_model(model, found)
        return found, reading.scenario_of(found, {})
    if "\n" not in name and len(name) < 4096 and os.path.isfile(os.path.expanduser(name)):
        try:
            raw = session.read_bytes(Path(os.path.expanduser(name)), LONGEST_BYTES, "pasted text")
        except SessionError as problem:
            raise CannotRead(str(problem)) from None
        text = raw.decode("utf-8-sig", "replace")
    found = reading.read(text)
    return found, reading.scenario_of(found, {})


async def paste(bench: Bench, text: str = "") -> None:
    """Ask for a text, show what was understood of it, and open it as a session. text: pasted already."""
    from tui.app.screens import files
    from tui.paste import listing

    note = ""
    while True:
        if not text or note:
            given = await bench.app.push_screen_wait(PasteBox(text, note))
            if given is None:
                return
            text = given
        try:
            found, scenario = read(text)
        except CannotRead as problem:
            note = str(problem)
            continue
        break
    told = [bench.sizeup.glyphs.text(row) for row in listing.lines_of(found)]

    def lines(width: int) -> Sequence[Line]:
        made: list[Line] = []
        for row in told:
            style = "" if row.startswith("  ") else "title"
            made += [line((part, style)) for part in wrap(row, max(20, width - 1))]
        return made

    if await bench.app.push_screen_wait(Reader("Read as a session", lines, OPEN)) and await files.settled(
        bench, "opening what was pasted"
    ):
        bench.sizeup.store.replace(scenario, None)
        bench.opened(None)
