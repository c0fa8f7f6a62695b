"""The command line. `--help`, `--version`, `report` and the listings never import textual.

Exit codes: 0 the build carries the workload, 3 it does not, 2 a bad file or argument (one line on standard error),
1 anything else that went wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from engine.figures.text import clipped, harmless, printable
from tui.files import numbers, shorthand
from tui.shell import asked, presets

if TYPE_CHECKING:
    from engine.decide.recommend import Limits
    from engine.figures.errors import ScenarioError
    from engine.scenario import Scenario
    from tui.files.drift import CatalogTable
    from tui.files.session import Opened

CARRIED, FAILED, BAD_INPUT, NOT_CARRIED = 0, 1, 2, 3
STDIN = "-"
TOLD_PROBLEMS = 20
INTERRUPTED, BROKEN_PIPE = 130, 141  # as a shell reports SIGINT and SIGPIPE


class CommandError(Exception):
    """Something to tell in one line, and the exit code that goes with it."""

    def __init__(self, message: str, code: int = BAD_INPUT) -> None:
        self.code = code
        super().__init__(message)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line instead of argparse's usage and message."""
        raise CommandError(f"{message} (see {self.prog} --help)")


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import PackageNotFoundError, version  # 30 ms that only --version pays

        try:
            number = version("sizeup")
        except PackageNotFoundError:
            number = "(not installed)"
        sys.stdout.write(f"sizeup {number}\n")
        raise SystemExit(0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code. Nothing but SystemExit leaves it, unless SIZEUP_DEBUG is set."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if sys.stdout is None:  # closed by the caller
        _complain("standard output must be open")
        return FAILED
    try:
        code = _dispatch(given)
        sys.stdout.flush()
    except CommandError as problem:
        _complain(str(problem))
        return problem.code
    except BrokenPipeError:
        _forget_output()
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as problem:
        _forget_output()
        _complain(f"cannot write: {problem.strerror or problem}")
        return FAILED
    except Exception as problem:
        if os.environ.get("SIZEUP_DEBUG"):
            raise
        _complain(_defect(problem))
        return FAILED
    return code


def _defect(problem: Exception) -> str:
    """What to say of an error that nothing in the program expects."""
    return f"internal error: {type(problem).__name__}: {clipped(str(problem), 200)} (SIZEUP_DEBUG=1 shows where)"


def _forget_output() -> None:
    """Point standard output nowhere, so that the interpreter's own flush at exit does not fail too."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(message: str) -> None:
    line = clipped(printable(" ".join(f"sizeup: {message}".split("\n"))))
    if sys.stderr is None:
        return
    with contextlib.suppress(OSError):  # nowhere to complain to
        sys.stderr.write(_encodable(line, sys.stderr.encoding) + "\n")


_PLAIN = str.maketrans({"–": "-", "—": "-", "×": "x", "µ": "u", "≤": "<=", "≥": ">=", "→": "->", "’": "'", "…": "..."})


def _encodable(text: str, encoding: str | None) -> str:
    """The text in what a non-UTF-8 terminal or pipe can take."""
    name = encoding or "ascii"
    try:
        text.encode(name)
    except UnicodeEncodeError:
        return text.translate(_PLAIN).encode(name, "replace").decode(name)
    return text


def _print(text: str) -> None:
    sys.stdout.write(_encodable(harmless(text), sys.stdout.encoding))


def _dispatch(arguments: list[str]) -> int:
    commands = {"report": _report, "recommend": _recommend, "parts": _parts, "export": _export, "detect": _detect}
    arguments = shorthand.spelled_out(arguments, commands)
    if arguments and arguments[0] in commands:
        return commands[arguments[0]](arguments[1:])
    if arguments and arguments[0] in LISTS:
        return _list(arguments[0], arguments[1:])
    if len(arguments) == 2 and arguments[0] == "help" and arguments[1] in (*commands, *LISTS):
        return _dispatch([arguments[1], "--help"])
    if arguments and arguments[0] in asked.COMMANDS:
        try:
            _print(asked.answer(arguments[0], arguments[1:]))
        except asked.WrongWord as problem:
            raise CommandError(str(problem)) from None
        return CARRIED
    if arguments and arguments[0].isalpha() and not os.path.exists(arguments[0]):
        from catalog.ids import nearest

        like = nearest(arguments[0], (*commands, *LISTS, *asked.COMMANDS), 1)[0]
        raise CommandError(f"{arguments[0]}: no such file, and no command of this name; the nearest is {like}")
    return _open(arguments)


LISTS = ("models", "accelerators", "links")


def _presets(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("preset fields")
    for preset in presets.PRESETS:
        group.add_argument(preset.option, dest=preset.key, metavar="X", help=preset.help)
    group.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any key of the session")


def _open(arguments: list[str]) -> int:
    gc.disable()  # nothing made on the way to the first frame is garbage; the app turns it on again
    parser = _Parser(
        prog="sizeup",
        description="Size a multi-GPU build for an LLM: memory per GPU, fabric, speed, cost and a verdict.",
        epilog=asked.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help="a session file to open")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and leave")
    _presets(parser)
    options = parser.parse_args(arguments)
    changes = _changes(options)
    scenario, held = _start(options.file, changes)
    if sys.stdin is None or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CommandError("the app needs a terminal; `sizeup report FILE` works without one", FAILED)
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise CommandError("the app cannot draw on TERM=dumb; `sizeup report FILE` can", FAILED)
    path = Path(os.path.expanduser(options.file)) if held is not None else None
    return _run_app(scenario, path, held)


def _run_app(scenario: Scenario, path: Path | None, held: Opened | None) -> int:
    import catalog
    from engine.decide.size import size
    from engine.figures.errors import ScenarioError
    from tui.app import SizeupApp  # 150 ms that only the app pays
    from tui.files import paths

    damaged: tuple[str, ...] = ()
    if path is not None:
        damaged = paths.set_aside_damaged()  # before it is written; without a file the workbench looks, when it stands
        paths.remember(path)
    app = SizeupApp(scenario, path, catalog=catalog.load(), size=size, set_aside=damaged)
    if held is not None:
        app.store.holds(held.scenario, held.pins, held.stamp)
    if held is not None and held.table is not None:
        from tui.shell import report_words  # 10 ms that only a saved session pays

        with contextlib.suppress(ScenarioError):  # the screen says what is wrong with it
            app.store.past = report_words.past_of(held.table, held.scenario, size)
    try:
        app.run()
    finally:  # whatever ended it: there is nothing to keep where the person has decided
        app.keeper.keep(app.store)
    return app.return_code or 0


def _start(file: str | None, changes: dict[str, Any]) -> tuple[Scenario, Opened | None]:
    """The Scenario to open, and what its file holds, to tell unsaved work. Raises CommandError."""
    if file is None or file == STDIN:
        return _built(file, changes), None
    from tui.files import session, session_tables

    try:
        held = session.opened(_named(file))
    except session_tables.SessionError as problem:
        raise CommandError(str(problem)) from None
    return (_read(file, changes, held.text)[0] if changes else held.scenario), held


def _built(file: str | None, changes: dict[str, Any]) -> Scenario:
    """A Scenario from a file, or from the new session, with keys changed. Raises CommandError."""
    return _read(file, changes)[0]


def _read(file: str | None, changes: dict[str, Any], text: str | None = None) -> tuple[Scenario, CatalogTable | None]:
    """A Scenario likewise, and the catalog figures that the file keeps, if it does. Raises CommandError.

    text: of the file, where it was read already.
    """
    import catalog
    from tui.files import session, session_tables
    from tui.files.fields import new_scenario

    known, table, place = catalog.load(), None, _place(file)
    try:
        if file is None:
            scenario = new_scenario(known)
        else:
            folder = session_tables.folder_of(file if file != STDIN else "")
            text = text if text is not None else _text(file)
            document = session.document_of(text, place)
            scenario = session.from_document(document, file=place, folder=folder, text=text)
            table = session.table_of(document)
        return presets.made(scenario, changes, known, place, new=file is None), table
    except (presets.WrongOption, session_tables.SessionError) as problem:
        raise CommandError(str(problem)) from None


def _place(file: str | None) -> str:
    """What messages call the place that a session came from."""
    if file is None:
        return "command line"
    return "standard input" if file == STDIN else file


def _text(file: str) -> str:
    """The text of a session file, or of standard input for `-`. Raises SessionError."""
    from tui.files import session, session_tables

    if file != STDIN:
        return session.read_text(_named(file))
    if sys.stdin is None:
        raise session_tables.SessionError("standard input", "it is closed")
    return session.text_of(sys.stdin.buffer.read(session.MAX_BYTES + 1), "standard input")


def _named(file: str) -> str:
    """The name of a file. Raises SessionError for an empty one."""
    from tui.files import session_tables

    if not file:
        raise session_tables.SessionError("''", "this is no name of a file")
    return file


def _changes(options: argparse.Namespace) -> dict[str, Any]:
    """The keys that the options set. Raises CommandError naming the option."""
    for remark in presets.remarks(vars(options)):
        _complain(remark)
    try:
        return presets.changes_of(vars(options), options.set)
    except presets.WrongOption as problem:
        raise CommandError(str(problem)) from None


def _report(arguments: list[str]) -> int:
    parser = _Parser(
        prog="sizeup report",
        description="Size session files and print a report of each; without a file, size what the presets say.",
        epilog="exit code: 0 every build carries its workload, 3 one does not, 2 a file is bad",
        allow_abbrev=False,
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="session files; - is standard input")
    parser.add_argument(
        "--format",
        choices=("text", "markdown", "json"),
        default="text",
        help="text (default), markdown, or json: one object a line",
    )
    parser.add_argument(
        "--full", action="store_true", help="all of it: bills, evidence, every link and shape (json always is)"
    )
    _presets(parser)
    options = parser.parse_args(arguments)
    changes = _changes(options)
    code, failed = CARRIED, False
    _tell_problems()
    for number, file in enumerate(options.files or [None]):
        try:
            carried, text = _sized(file, changes, options.format, options.full)
        except CommandError as problem:
            _complain(str(problem))
            code = BAD_INPUT
            continue
        except Exception as problem:  # a defect that one file meets must not cost the others their report
            if os.environ.get("SIZEUP_DEBUG"):
                raise
            _complain(f"{_place(file)}: {_defect(problem)}")
            failed = True
            continue
        if number and options.format != "json":
            _print("\n")
        _print(text)
        if not carried and code == CARRIED:
            code = NOT_CARRIED
    return FAILED if failed else code


def _sized(file: str | None, changes: dict[str, Any], form: Any, full: bool) -> tuple[bool, str]:
    from engine.decide.size import size
    from engine.figures.errors import ScenarioError
    from tui.shell import report, report_words

    scenario, table = _read(file, changes)
    try:
        sizing = size(scenario)
        past = report_words.past_of(table, scenario, size)
    except ScenarioError as problem:
        raise _impossible(file, problem) from None
    return sizing.verdict.carried, report.render(sizing, form, past, full)


def _impossible(file: str | None, problem: ScenarioError) -> CommandError:
    """What is wrong with a Scenario that cannot be sized, with the line of the file that it stands on."""
    from tui.files import session, session_tables

    where = printable(_place(file))
    line = session_tables.line_of(session.read_text(file), problem.field) if file and file != STDIN else 0
    return CommandError(f"{where}{f':{line}' if line else ''}: {problem}")


def _recommend(arguments: list[str]) -> int:
    parser = _Parser(
        prog="sizeup recommend",
        description="The smallest changes that make a build carry its workload, and the catalog's best builds for it.",
        epilog="exit code: 0 something carries the workload, 3 nothing does, 2 the file or a limit is bad",
        allow_abbrev=False,
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help="a session file; - is standard input")
    parser.add_argument(
        "--format", choices=("text", "markdown", "json"), default="text", help="text (default), markdown, or json"
    )
    limits = parser.add_argument_group("limits", "--vendor, --form-factor and --owned take several names, after FILE")
    limits.add_argument("--max-buy", metavar="USD", help="to buy the cards")
    limits.add_argument("--max-rent-month", metavar="USD", help="to rent, a month")
    limits.add_argument("--max-power", metavar="W", help="power of the whole build")
    limits.add_argument("--max-gpus", metavar="N", help="GPUs in all")
    limits.add_argument("--vendor", nargs="+", action="extend", default=[], metavar="NAME", help="NVIDIA, AMD, ...")
    limits.add_argument(
        "--form-factor",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="as it begins: SXM, PCIe, OAM, ...",
    )
    limits.add_argument("--owned", nargs="+", action="extend", default=[], metavar="ID", help="only cards you own: $0")
    parser.add_argument("--save", metavar="DIR", help="write each recommended build as a session file")
    _presets(parser)
    options = parser.parse_args(arguments)
    changes = _changes(options)
    from engine.figures.errors import ScenarioError
    from tui.files import session_tables
    from tui.shell import recommended

    _tell_problems()
    scenario = _built(options.file, changes)
    try:
        found = recommended.search(scenario, _limits(options))
        if options.save is not None:
            opened_from = (
                Path(os.path.expanduser(options.file)) if options.file not in (None, STDIN) else Path("session.toml")
            )
            found = recommended.save(found, Path(os.path.expanduser(options.save)), opened_from)
    except ScenarioError as problem:
        raise _impossible(options.file, problem) from None
    except (recommended.WrongLimit, session_tables.SessionError) as problem:
        raise CommandError(str(problem)) from None
    _print(recommended.render(found, options.format))
    return CARRIED if found.something_carries else NOT_CARRIED


def _limits(options: argparse.Namespace) -> Limits:
    """The limits that the options set. Raises CommandError naming the option, or WrongLimit."""
    import catalog
    from tui.shell import recommended

    def number(option: str, text: str | None, read: Callable[[str], Any]) -> Any:
        try:
            return None if text is None else read(text)
        except numbers.NumberError as problem:
            raise CommandError(f"{option}: {problem}") from None

    return recommended.limits_of(
        buy_usd=number("--max-buy", options.max_buy, numbers.decimal),
        rent_usd_per_month=number("--max-rent-month", options.max_rent_month, numbers.decimal),
        power_w=number("--max-power", options.max_power, numbers.decimal),
        vendors=options.vendor,
        form_factors=options.form_factor,
        owned=options.owned,
        max_gpus=number("--max-gpus", options.max_gpus, numbers.whole),
        known=catalog.load(),
    )


def _parts(arguments: list[str]) -> int:
    from tui.shell import parts

    parser = _Parser(
        prog="sizeup parts",
        description="The shopping list of a build and of the verdict's: parts, counts, prices or ask, power, space.",
        epilog="exit code: 0 the build carries the workload, 3 it does not, 2 the file is bad",
        allow_abbrev=False,
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help="a session file; - is standard input")
    parser.add_argument("--format", choices=parts.FORMS, default="text", help="text (default), markdown, csv or json")
    parser.add_argument("--recommended", action="store_true", help="and of each build that `recommend` finds")
    _presets(parser)
    options = parser.parse_args(arguments)
    changes = _changes(options)
    from engine.decide.recommend import recommend
    from engine.decide.size import size
    from engine.figures.errors import ScenarioError

    _tell_problems()
    scenario = _built(options.file, changes)
    try:
        sizing = size(scenario)
        ranked = recommend(scenario) if options.recommended else ()
    except ScenarioError as problem:
        raise _impossible(options.file, problem) from None
    _print(parts.render(scenario, parts.lists_of(sizing, ranked), options.format))
    return CARRIED if sizing.verdict.carried else NOT_CARRIED


def _export(arguments: list[str]) -> int:
    from tui.shell import exports

    parser = _Parser(
        prog="sizeup export",
        description="A sized build as something to run. Text only: nothing is started.",
        epilog="exit code: 0 the build carries the workload, 3 it does not, 2 the file is bad or the target cannot run it",
        allow_abbrev=False,
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help="a session file; - is standard input")
    parser.add_argument(
        "--to", choices=exports.TARGETS, nargs="?", required=True, help="what is to run it; alone, lists them"
    )
    _presets(parser)
    options = parser.parse_args(arguments)
    changes = _changes(options)
    if not options.to and options.file is None and not changes:
        _print(exports.listed())
        return CARRIED
    from engine.decide.size import size
    from engine.figures.errors import ScenarioError

    _tell_problems()
    scenario = _built(options.file, changes)
    try:
        sizing = size(scenario)
        text = exports.export(sizing, options.to) if options.to else exports.listed(exports.fitting(sizing))
    except ScenarioError as problem:
        raise _impossible(options.file, problem) from None
    except exports.CannotExport as problem:
        raise CommandError(str(problem)) from None
    _print(text)
    return CARRIED if sizing.verdict.carried else NOT_CARRIED


def _tell_problems() -> None:
    """Say what is wrong with the person's own catalog files; the rest of them is in use."""
    import catalog

    problems = catalog.load().problems
    for problem in problems[:TOLD_PROBLEMS]:
        _complain(f"left out of the catalog: {problem}")
    if len(problems) > TOLD_PROBLEMS:
        _complain(f"left out of the catalog: {len(problems) - TOLD_PROBLEMS:,} more entries and files")


def _list(what: str, arguments: list[str]) -> int:
    parser = _Parser(prog=f"sizeup {what}", description=f"List the catalog's {what}.", allow_abbrev=False)
    parser.add_argument("word", nargs="*", metavar="WORD", help="only those that match")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text (default) or json")
    options = parser.parse_args(arguments)
    from tui.shell import listing

    _tell_problems()
    text = listing.render(what, " ".join(options.word), options.format)
    _print(text)
    if not text:
        near = ", ".join(listing.nearest_ids(what, " ".join(options.word)))
        raise CommandError(f"no {what.removesuffix('s')} matches {' '.join(options.word)!r}; nearest: {near}", FAILED)
    return CARRIED


def _detect(arguments: list[str]) -> int:
    parser = _Parser(
        prog="sizeup detect",
        description="Read this machine's GPUs with nvidia-smi and name them as the catalog does.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--from",
        dest="source",
        metavar="FILE",
        help="what nvidia-smi, rocm-smi or xpu-smi printed, saved on another machine",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text (default) or json")
    options = parser.parse_args(arguments)
    from tui.shell import detect

    try:
        text = detect.render(detect.machine(options.source), options.format)
    except detect.DetectError as problem:
        raise CommandError(str(problem), BAD_INPUT if options.source else FAILED) from None
    _print(text)
    return CARRIED
