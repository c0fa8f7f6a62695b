"""Every command once: its keys, footer label, help and palette words. Pure.

The keymap, the footer, the help page, the palette and the docs are all made from COMMANDS, so none of them can disagree.
A command named `undo` runs `action_undo` of the workbench. A person's own keys stand in a `Keymap` over these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from engine.figures.records import dataclass

Where = Literal["everywhere", "inputs", "results"]


@dataclass(frozen=True, slots=True)
class Command:
    """One thing the app can do.

    keys: as Textual names them; the first is the one shown. label: for the footer, one or two words.
    where: which part must have the focus. listed: whether help shows it as a row of its own.
    """

    id: str
    keys: tuple[str, ...]
    label: str
    help: str
    where: Where = "everywhere"
    group: str = ""
    palette: bool = True


GROUPS = SESSION, EDIT, VIEW, MOVE = "Session", "Editing", "Looking", "Moving"
COMMANDS: tuple[Command, ...] = (
    Command(
        "help",
        ("f1",),
        "Help",
        "What this field or figure means, the words of the page, all keys; also ? outside text fields",
        group=VIEW,
    ),
    Command("switch", ("ctrl+t", "f2"), "Results", "Between the inputs and the results", group=MOVE),
    Command("jump", ("f7",), "Jump", "Go to a field or a heading by its letter, or to a page by its digit", group=MOVE),
    Command("palette", ("ctrl+p",), "Commands", "Find and run any command", group=VIEW, palette=False),
    Command("advise", ("f8",), "Do it", "Do the one thing to do, the first change offered", group=EDIT),
    Command("undo", ("ctrl+z",), "Undo", "Take back the last change", group=EDIT),
    Command("redo", ("ctrl+y",), "Redo", "Do again what was taken back", group=EDIT),
    Command("save", ("ctrl+s",), "Save", "Save the session", group=SESSION),
    Command("open", ("ctrl+o",), "Open", "Open a session: recent ones first, or any path", group=SESSION),
    Command("quit", ("ctrl+q",), "Quit", "Leave; asks when there is unsaved work", group=SESSION),
    Command("save_as", ("f12",), "Save as", "Save the session under another name", group=SESSION),
    Command("new", ("ctrl+n",), "New", "Start a new session", group=SESSION),
    Command(
        "paste", ("ctrl+v",), "Paste", "Read a command, a manifest or what a machine says as a session", group=SESSION
    ),
    Command("export", ("ctrl+e",), "Report", "Copy or write the report, the parts, or what runs it", group=SESSION),
    Command("reset", ("ctrl+r",), "Default", "Back to the field's default", "inputs", EDIT),
    Command("next_field", ("tab", "enter"), "Next", "Next field", "inputs", MOVE, palette=False),
    Command("previous_field", ("shift+tab",), "Back", "Previous field", "inputs", MOVE, palette=False),
    Command("step", ("left", "right"), "Change", "Step a number or a choice", "inputs", EDIT, palette=False),
    Command("move", ("up", "down"), "Move", "The field above or below", "inputs", MOVE, palette=False),
    Command("next_section", ("pagedown",), "Section", "Next group of fields", "inputs", MOVE, palette=False),
    Command("previous_section", ("pageup",), "Section", "Previous group of fields", "inputs", MOVE, palette=False),
    Command("revert", ("escape",), "Revert", "Give up what was typed in the field", "inputs", EDIT, palette=False),
    Command("next_page", ("right", "f4"), "Page", "Next page of results", "results", VIEW),
    Command("previous_page", ("left", "f3"), "Page", "Previous page of results", "results", VIEW),
    Command("select", ("up", "down"), "Select", "Choose a figure or a change", "results", MOVE, palette=False),
    Command(
        "beside",
        ("full_stop", "comma"),
        "Beside",
        "The next or the last one in the row",
        "results",
        MOVE,
        palette=False,
    ),
    Command("working", ("enter",), "Explain", "Open the working of the chosen figure", "results", VIEW, palette=False),
    Command("apply", ("a",), "Apply", "Apply the chosen change, or the first one offered", "results", EDIT),
    Command("pin", ("p",), "Pin", "Pin this build for comparing", "results", VIEW),
    Command("swap_pin", ("s",), "Swap", "Compare: swap the chosen pinned build with this one", "results", EDIT),
    Command("rename_pin", ("r",), "Rename", "Compare: rename the chosen pinned build", "results", EDIT),
    Command("unpin", ("u",), "Unpin", "Compare: forget the chosen pinned build", "results", EDIT),
    Command("sweep_input", ("c",), "Change", "What if: sweep the next input", "results", VIEW),
    Command("sweep_figure", ("f",), "Figure", "What if: show the next figure", "results", VIEW),
    Command("every_link", ("m",), "Links", "Fabric: all links of the catalog, or the usual ones", "results", VIEW),
    Command("limits", ("w",), "Within", "Builds: the limits they must stay within", "results", EDIT),
    Command("all_found", ("b",), "All", "Builds: all that were found, to filter and to sort", "results", VIEW),
    Command("stop_search", ("x",), "Stop", "Builds: stop the search, or search again", "results", VIEW),
    Command("inputs", ("escape",), "Inputs", "Back to the inputs", "results", MOVE, palette=False),
    Command("news", ("ctrl+g",), "News", "What changed in the catalog since the save; faults in your own", group=VIEW),
    Command("redraw", ("ctrl+l",), "Redraw", "Draw the whole screen again", group=VIEW),
    Command("theme", ("f9",), "Theme", "Next colour theme", group=VIEW),
)
BY_ID: dict[str, Command] = {command.id: command for command in COMMANDS}
# At most seven, so that they fit 80 columns.
FOOTER_INPUTS = ("help", "switch", "palette", "undo", "save", "open", "quit")
FOOTER_RESULTS = ("help", "switch", "working", "apply", "next_page", "palette", "quit")
FOOTER_PAGES: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "Fabric": (("help", "switch", "working", "every_link", "next_page", "palette", "quit"), {}),
    "Builds": (("help", "switch", "working", "apply", "all_found", "limits", "palette"), {"working": "Open"}),
    "Compare": (("help", "switch", "pin", "swap_pin", "unpin", "palette", "quit"), {}),
    "What if": (("help", "switch", "working", "sweep_input", "sweep_figure", "palette", "quit"), {"working": "Take"}),
}
"""Pages with keys of their own: what stands in the footer, and by which words."""
FOOTER_MORE = ("jump", "advise", "undo", "redo", "save", "open", "new", "paste", "export", "theme")
"""What follows where a wide terminal has room."""
FOOTER_PICKER = ("help", "switch", "next_field", "palette", "undo", "save", "quit")

HANDS = frozenset(
    {"tab", "shift+tab", "enter", "space", "escape", "up", "down", "left", "right", "pageup", "pagedown", "home", "end"}
    | {"full_stop", "comma", "question_mark", "backspace", "delete", "ctrl+c", *"0123456789"}
)
"""Keys that move, type and open: they mean what they mean in every terminal, and no command takes them over."""


def own_keys(command: Command) -> tuple[str, ...]:
    """The keys of a command that may be changed: those that no panel or field reads for itself."""
    return tuple(key for key in command.keys if key not in HANDS and (command.where != "inputs" or key != "ctrl+r"))


@dataclass(frozen=True, eq=False)
class Keymap:
    """Which keys run which command. own: a person's keys, by the ids of commands; any other command has the registry's."""

    own: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def keys(self, command: str) -> tuple[str, ...]:
        """All keys of a command, the one to show first."""
        given, usual = self.own.get(command), BY_ID[command].keys
        return usual if given is None else (*given, *(key for key in usual if key in HANDS))

    def shown(self, command: str, short: bool = False) -> str:
        """The first key of a command, as people read it."""
        return key_name(self.keys(command)[0], short)

    def words(self, command: str) -> str:
        """All keys of a command, for the help page."""
        return " or ".join(key_name(key) for key in self.keys(command))

    @property
    def in_results(self) -> dict[str, str]:
        """What each key runs where the results have the focus, beside the keys that every command has everywhere."""
        return {
            key: command.id
            for command in COMMANDS
            if command.where == "results"
            for key in self.keys(command.id)
            if key not in HANDS
        }


_NAMES = {
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "escape": "Esc",
    "shift+tab": "Shift+Tab",
    "tab": "Tab",
    "enter": "Enter",
    "up": "Up",
    "down": "Down",
    "left": "Left",
    "right": "Right",
    "full_stop": ".",
    "comma": ",",
}


def key_name(key: str, short: bool = False) -> str:
    """A key as people read it: Ctrl+S, or ^S when short."""
    if key.startswith("ctrl+"):
        letter = key.removeprefix("ctrl+").upper()
        return f"^{letter}" if short else f"Ctrl+{letter}"
    if key.startswith(("alt+", "shift+f")):
        first, _, rest = key.partition("+")
        return f"{first.capitalize()}+{rest.upper()}"
    return _NAMES.get(key, key.upper() if key.startswith("f") and len(key) > 1 else key)


def key_of(text: str) -> str:
    """A key as Textual names it, of what people write: `Ctrl+S`, `^S`, `F8` and `ctrl+s` alike."""
    plain = text.strip()
    if len(plain) == 2 and plain[0] == "^":
        plain = f"ctrl+{plain[1]}"
    if len(plain) > 1:
        plain = plain.casefold().replace("control+", "ctrl+").replace("ctrl-", "ctrl+").replace("alt-", "alt+")
    named = {name.casefold(): key for key, name in _NAMES.items()}
    return named.get(plain, plain)
