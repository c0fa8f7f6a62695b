"""What the commands share: exit codes, errors of one line, the session and the options that they start from.

Exit codes: 0 the build carries the workload, 3 it does not, 2 a bad file or argument (one line on standard error),
1 anything else that went wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from engine.figures.text import clipped, harmless, printable
from tui.shell import presets

if TYPE_CHECKING:
    from engine.figures.errors import ScenarioError
    from engine.scenario import Scenario
    from engine.sizing import Sizing
    from tui.files.drift import CatalogTable

CARRIED, FAILED, BAD_INPUT, NOT_CARRIED = 0, 1, 2, 3
STDIN = "-"
TOLD_PROBLEMS = 20


class CommandError(Exception):
    """Something to tell in one line, and the exit code that goes with it."""

    def __init__(self, message: str, code: int = BAD_INPUT) -> None:
        self.code = code
        super().__init__(message)


class Unbroken(argparse.HelpFormatter):
    """Help whose words are not broken at their hyphens: a value is copied whole."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        import textwrap  # only help needs it

        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)


class AsWritten(Unbroken, argparse.RawDescriptionHelpFormatter):
    """The same under a description and an epilog whose lines stay as they are."""


class Parser(argparse.ArgumentParser):
    """The options of a command, none of which is shortened, and errors of one line."""

    def __init__(self, prog: str, **words: Any) -> None:
        super().__init__(prog=prog, allow_abbrev=False, **{"formatter_class": Unbroken, **words})
        self.of_presets: list[tuple[argparse.Action, presets.Preset]] = []

    def format_help(self) -> str:
        """The help, with the words that keys take."""
        for action, preset in self.of_presets:
            action.help = presets.help_of(preset)
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        """One line instead of argparse's usage and message."""
        raise CommandError(f"{message} (see {self.prog} --help)")


def complain(message: str) -> None:
    line = clipped(printable(" ".join(f"sizeup: {message}".split("\n"))))
    if sys.stderr is None:
        return
    with contextlib.suppress(OSError):  # nowhere to complain to
        sys.stderr.write(encodable(line, sys.stderr.encoding) + "\n")


_PLAIN = str.maketrans({"–": "-", "—": "-", "×": "x", "µ": "u", "≤": "<=", "≥": ">=", "→": "->", "’": "'", "…": "..."})


def encodable(text: str, encoding: str | None) -> str:
    """The text in what a non-UTF-8 terminal or pipe can take."""
    name = encoding or "ascii"
    try:
        text.encode(name)
    except UnicodeEncodeError:
        return text.translate(_PLAIN).encode(name, "replace").decode(name)
    return text


def say(text: str) -> None:
    sys.stdout.write(encodable(harmless(text), sys.stdout.encoding))


def parsed(parser: Parser, arguments: list[str]) -> tuple[argparse.Namespace, dict[str, Any]]:
    """The options of a command that also takes those of a session, and the keys that these set. Raises CommandError."""
    add_presets(parser)
    options = parser.parse_args(arguments)
    return options, changes_of(options)


def sized(file: str | None, changes: dict[str, Any]) -> Sizing:
    """The sizing of a session, likewise `built`. Raises CommandError."""
    from engine.decide.size import size
    from engine.figures.errors import ScenarioError

    scenario = built(file, changes)
    try:
        return size(scenario)
    except ScenarioError as problem:
        raise impossible(file, problem) from None


def add_presets(parser: Parser) -> None:
    """The options that set keys of the session, and `--set`."""
    group = parser.add_argument_group("preset fields")
    for preset in presets.PRESETS:
        option = group.add_argument(preset.option, dest=preset.key, metavar="X", help=preset.help)
        parser.of_presets.append((option, preset))
    group.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any key of the session")


def built(file: str | None, changes: dict[str, Any]) -> Scenario:
    """A Scenario from a file, or from the new session, with keys changed. Raises CommandError."""
    return read(file, changes)[0]


def read(file: str | None, changes: dict[str, Any], text: str | None = None) -> tuple[Scenario, CatalogTable | None]:
    """A Scenario likewise, and the catalog figures that the file keeps, if it does. Raises CommandError.

    text: of the file, where it was read already.
    """
    import catalog
    from tui.files import session_tables

    known, table, place = catalog.load(), None, place_of(file)
    try:
        if file is None:
            from tui.files.fields import new_scenario

            scenario = new_scenario(known)
        else:
            from tui.files import session  # here: 3 ms that a start without a file does not pay

            folder = session_tables.folder_of(file if file != STDIN else "")
            text = text if text is not None else text_from(file)
            document = session.document_of(text, place)
            scenario = session.from_document(document, file=place, folder=folder, text=text)
            table = session.table_of(document)
        return presets.made(scenario, changes, known, place, new=file is None), table
    except (presets.WrongOption, session_tables.SessionError) as problem:
        raise CommandError(str(problem)) from None


def place_of(file: str | None) -> str:
    """What messages call the place that a session came from."""
    if file is None:
        return "command line"
    return "standard input" if file == STDIN else file


def text_from(file: str) -> str:
    """The text of a session file, or of standard input for `-`. Raises SessionError."""
    from tui.files import session, session_tables

    if file != STDIN:
        return session.read_text(named(file))
    if sys.stdin is None:
        raise session_tables.SessionError("standard input", "it is closed")
    return session.text_of(sys.stdin.buffer.read(session.MAX_BYTES + 1), "standard input")


def named(file: str) -> str:
    """The name of a file. Raises SessionError for an empty one."""
    from tui.files import session_tables

    if not file:
        raise session_tables.SessionError("''", "this is no name of a file")
    return file


def changes_of(options: argparse.Namespace) -> dict[str, Any]:
    """The keys that the options set. Raises CommandError naming the option."""
    for remark in presets.remarks(vars(options)):
        complain(remark)
    try:
        return presets.changes_of(vars(options), options.set)
    except presets.WrongOption as problem:
        raise CommandError(str(problem)) from None


def impossible(file: str | None, problem: ScenarioError) -> CommandError:
    """What is wrong with a Scenario that cannot be sized, with the line of the file that it stands on."""
    from tui.files import session, session_tables

    where = printable(place_of(file))
    line = session_tables.line_of(session.read_text(file), problem.field) if file and file != STDIN else 0
    return CommandError(f"{where}{f':{line}' if line else ''}: {problem}")


def tell_problems() -> None:
    """Say what is wrong with the person's own catalog files; the rest of them is in use."""
    import catalog

    problems = catalog.load().problems
    for problem in problems[:TOLD_PROBLEMS]:
        complain(f"left out of the catalog: {problem}")
    if len(problems) > TOLD_PROBLEMS:
        complain(f"left out of the catalog: {len(problems) - TOLD_PROBLEMS:,} more entries and files")
