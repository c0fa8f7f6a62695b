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

from engine.figures.text import clipped
from tui.files import numbers, shorthand
from tui.shell import asked
from tui.shell.command import (
    BAD_INPUT,
    CARRIED,
    FAILED,
    NOT_CARRIED,
    STDIN,
    AsWritten,
    CommandError,
    Parser,
    built,
    complain,
    impossible,
    named,
    parsed,
    place_of,
    read,
    say,
    tell_problems,
)

if TYPE_CHECKING:
    from engine.decide.builds import Limits
    from engine.scenario import Scenario
    from tui.files.session import Opened

INTERRUPTED, BROKEN_PIPE = 130, 141  # as a shell reports SIGINT and SIGPIPE


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        import runpy
        from importlib.metadata import PackageNotFoundError, version  # 30 ms that only --version pays

        # By its path, as the build does: importing the package would load the whole of it for one line.
        twin = runpy.run_path(str(Path(__file__).parents[1] / "catalog" / "twin.py"))
        try:
            number = version("sizeup")
        except PackageNotFoundError:
            number = "(not installed)"
        sys.stdout.write(f"sizeup {number}, catalog of {twin['as_of']()}\n")
        raise SystemExit(0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code. Nothing but SystemExit leaves it, unless SIZEUP_DEBUG is set."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if sys.stdout is None:  # closed by the caller
        complain("standard output must be open")
        return FAILED
    try:
        code = _dispatch(given)
        sys.stdout.flush()
    except CommandError as problem:
        complain(str(problem))
        return problem.code
    except BrokenPipeError:
        _forget_output()
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as problem:
        _forget_output()
        complain(f"cannot write: {problem.strerror or problem}")
        return FAILED
    except Exception as problem:
        if os.environ.get("SIZEUP_DEBUG"):
            raise
        complain(_defect(problem))
        return FAILED
    return code


def _defect(problem: Exception) -> str:
    """What to say of an error that nothing in the program expects."""
    return f"internal error: {type(problem).__name__}: {clipped(str(problem), 200)} (SIZEUP_DEBUG=1 shows where)"


def _forget_output() -> None:
    """Point standard output nowhere, so that the interpreter's own flush at exit does not fail too."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _dispatch(arguments: list[str]) -> int:
    commands = {"report": _report, "recommend": _recommend, "parts": _parts, "export": _export, "detect": _detect}
    commands |= {"import": _import, "measured": _measured, "solve": _solve, "diff": _diff}
    arguments = shorthand.spelled_out(arguments, commands)
    if arguments and arguments[0] not in (*LISTS, *asked.COMMANDS):
        wrong = shorthand.missing_on(arguments, commands)
        if wrong:
            raise CommandError(wrong)
    if arguments and arguments[0] in commands:
        return commands[arguments[0]](arguments[1:])
    if arguments and arguments[0] in LISTS:
        return _list(arguments[0], arguments[1:])
    if len(arguments) == 2 and arguments[0] == "help" and arguments[1] in (*commands, *LISTS, "examples", "completion"):
        return _dispatch([arguments[1], "--help"])
    if arguments and arguments[0] in asked.COMMANDS:
        try:
            say(asked.answer(arguments[0], arguments[1:]))
        except asked.WrongWord as problem:
            raise CommandError(str(problem)) from None
        return CARRIED
    if arguments and arguments[0].isalpha() and not os.path.exists(arguments[0]):
        from catalog.ids import nearest

        like = nearest(arguments[0], (*commands, *LISTS, *asked.COMMANDS), 1)[0]
        raise CommandError(f"{arguments[0]}: no such file, and no command of this name; the nearest is {like}")
    return _open(arguments)


LISTS = ("models", "accelerators", "links", "platforms")


def _open(arguments: list[str]) -> int:
    gc.disable()  # nothing made on the way to the first frame is garbage; the app turns it on again
    parser = Parser(
        prog="sizeup",
        description="Size a multi-GPU build for an LLM: memory per GPU, fabric, speed, cost and a verdict.",
        epilog=asked.EPILOG,
        formatter_class=AsWritten,
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help="a session file to open")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and leave")
    options, changes = parsed(parser, arguments)
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
    from tui.files.fields import new_scenario

    damaged: tuple[str, ...] = ()
    if path is not None:
        damaged = paths.set_aside_damaged()  # before it is written; without a file the workbench looks, when it stands
        paths.remember(path)
    first = path is None and held is None and paths.first_start() and scenario == new_scenario(catalog.load())
    app = SizeupApp(scenario, path, catalog=catalog.load(), size=size, set_aside=damaged, first=first)
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
        return built(file, changes), None
    from tui.files import session, session_tables

    try:
        held = session.opened(named(file))
    except session_tables.SessionError as problem:
        raise CommandError(str(problem)) from None
    return (read(file, changes, held.text)[0] if changes else held.scenario), held


def _report(arguments: list[str]) -> int:
    parser = Parser(
        prog="sizeup report",
        description="Size session files and print a report of each; without a file, size what the presets say.",
        epilog="exit code: 0 every build carries its workload, 3 one does not, 2 a file is bad",
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="session files; - is standard input")
    parser.add_argument(
        "--format",
        choices=("text", "markdown", "json", "csv"),
        default="text",
        help="text (default), markdown, json: one object a line, or csv: the shapes of Scaling",
    )
    parser.add_argument("--table", action="store_true", help="the builds side by side, a figure a line")
    parser.add_argument("--watch", action="store_true", help="print it anew each time the file is saved, until Ctrl+C")
    parser.add_argument(
        "--full", action="store_true", help="all of it: bills, evidence, every link and shape (json always is)"
    )
    options, changes = parsed(parser, arguments)
    if options.watch:
        return _watched(options.files, changes, options.format, options.full)
    code, failed = CARRIED, False
    tell_problems()
    if options.table or options.format == "csv":
        from tui.shell.studies import together

        return together(options.files or [None], changes, options.format)
    for number, file in enumerate(options.files or [None]):
        try:
            carried, text = _sized(file, changes, options.format, options.full)
        except CommandError as problem:
            complain(str(problem))
            code = BAD_INPUT
            continue
        except Exception as problem:  # a defect that one file meets must not cost the others their report
            if os.environ.get("SIZEUP_DEBUG"):
                raise
            complain(f"{place_of(file)}: {_defect(problem)}")
            failed = True
            continue
        if number and options.format != "json":
            say("\n")
        say(text)
        if not carried and code == CARRIED:
            code = NOT_CARRIED
    return FAILED if failed else code


def _watched(files: list[str], changes: dict[str, Any], form: str, full: bool) -> int:
    """Report one file again and again, as it is edited."""
    from tui.shell import watching

    if len(files) != 1 or files[0] == STDIN or form == "csv":
        raise CommandError("--watch takes one session file, and prints text, markdown or json")

    def show() -> None:
        if sys.stdout.isatty():
            sys.stdout.write(watching.CLEAR)
        try:
            say(_sized(files[0], changes, form, full)[1])
        except CommandError as problem:  # half an edit is no reason to stop
            complain(str(problem))
        sys.stdout.flush()

    watching.watch(files[0], show)
    return CARRIED


def _sized(file: str | None, changes: dict[str, Any], form: Any, full: bool) -> tuple[bool, str]:
    from engine.decide.size import size
    from engine.figures.errors import ScenarioError
    from tui.shell import report, report_words

    scenario, table = read(file, changes)
    try:
        sizing = size(scenario)
        past = report_words.past_of(table, scenario, size)
    except ScenarioError as problem:
        raise impossible(file, problem) from None
    return sizing.verdict.carried, report.render(sizing, form, past, full)


def _recommend(arguments: list[str]) -> int:
    parser = Parser(
        prog="sizeup recommend",
        description="The smallest changes that make a build carry its workload, and the catalog's best builds for it.",
        epilog="exit code: 0 something carries the workload, 3 nothing does, 2 the file or a limit is bad",
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help="a session file; - is standard input")
    parser.add_argument(
        "--format",
        choices=("text", "markdown", "json", "csv"),
        default="text",
        help="text (default), markdown, json or csv",
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
    options, changes = parsed(parser, arguments)
    from engine.figures.errors import ScenarioError
    from tui.files import session_tables
    from tui.shell import builds

    tell_problems()
    scenario = built(options.file, changes)
    try:
        found = builds.search(scenario, _limits(options))
        if options.save is not None:
            opened_from = (
                Path(os.path.expanduser(options.file)) if options.file not in (None, STDIN) else Path("session.toml")
            )
            found = builds.save(found, Path(os.path.expanduser(options.save)), opened_from)
    except ScenarioError as problem:
        raise impossible(options.file, problem) from None
    except (builds.WrongLimit, session_tables.SessionError) as problem:
        raise CommandError(str(problem)) from None
    if options.format == "csv":
        from tui.shell import sheets

        say(sheets.builds(found))
    else:
        say(builds.render(found, options.format))
    return CARRIED if found.something_carries else NOT_CARRIED


def _limits(options: argparse.Namespace) -> Limits:
    """The limits that the options set. Raises CommandError naming the option, or WrongLimit."""
    import catalog
    from tui.shell import builds

    def number(option: str, text: str | None, read: Callable[[str], Any]) -> Any:
        try:
            return None if text is None else read(text)
        except numbers.NumberError as problem:
            raise CommandError(f"{option}: {problem}") from None

    return builds.limits_of(
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

    parser = Parser(
        prog="sizeup parts",
        description="The shopping list of a build and of the verdict's: parts, counts, prices or ask, power, space.",
        epilog="exit code: 0 the build carries the workload, 3 it does not, 2 the file is bad",
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help="a session file; - is standard input")
    parser.add_argument("--format", choices=parts.FORMS, default="text", help="text (default), markdown, csv or json")
    parser.add_argument("--recommended", action="store_true", help="and of each build that `recommend` finds")
    options, changes = parsed(parser, arguments)
    from engine.decide.builds import recommend
    from engine.decide.size import size
    from engine.figures.errors import ScenarioError

    tell_problems()
    scenario = built(options.file, changes)
    try:
        sizing = size(scenario)
        ranked = recommend(scenario) if options.recommended else ()
    except ScenarioError as problem:
        raise impossible(options.file, problem) from None
    say(parts.render(scenario, parts.lists_of(sizing, ranked), options.format))
    return CARRIED if sizing.verdict.carried else NOT_CARRIED


def _export(arguments: list[str]) -> int:
    from tui.shell import exports

    parser = Parser(
        prog="sizeup export",
        description="A sized build as something to run. Text only: nothing is started.",
        epilog="exit code: 0 the build carries the workload, 3 it does not, 2 the file is bad or the target cannot run it",
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help="a session file; - is standard input")
    parser.add_argument(
        "--to", choices=exports.TARGETS, nargs="?", required=True, help="what is to run it; alone, lists them"
    )
    options, changes = parsed(parser, arguments)
    if not options.to and options.file is None and not changes:
        say(exports.listed())
        return CARRIED
    from engine.decide.size import size
    from engine.figures.errors import ScenarioError

    tell_problems()
    scenario = built(options.file, changes)
    try:
        sizing = size(scenario)
        text = exports.export(sizing, options.to) if options.to else exports.listed(exports.fitting(sizing))
    except ScenarioError as problem:
        raise impossible(options.file, problem) from None
    except exports.CannotExport as problem:
        raise CommandError(str(problem)) from None
    say(text)
    return CARRIED if sizing.verdict.carried else NOT_CARRIED


def _list(what: str, arguments: list[str]) -> int:
    parser = Parser(prog=f"sizeup {what}", description=f"List the catalog's {what}.")
    parser.add_argument("word", nargs="*", metavar="WORD", help="only those that match")
    parser.add_argument(
        "--format",
        choices=("text", "json", "toml"),
        default="text",
        help="text (default), json, or toml: every fact of an entry",
    )
    options = parser.parse_args(arguments)
    from tui.shell import listing

    tell_problems()
    text = listing.render(what, " ".join(options.word), options.format)
    say(text)
    if not text:
        near = ", ".join(listing.nearest_ids(what, " ".join(options.word)))
        raise CommandError(f"no {what.removesuffix('s')} matches {' '.join(options.word)!r}; nearest: {near}", FAILED)
    return CARRIED


def _import(arguments: list[str]) -> int:
    from tui.paste.commands import import_text

    return import_text(arguments)


def _solve(arguments: list[str]) -> int:
    from tui.shell.studies import solve

    return solve(arguments)


def _diff(arguments: list[str]) -> int:
    from tui.shell.studies import diff

    return diff(arguments)


def _measured(arguments: list[str]) -> int:
    from tui.paste.commands import measured

    return measured(arguments)


def _detect(arguments: list[str]) -> int:
    from tui.shell import detect

    parser = Parser(
        prog="sizeup detect",
        description="Read this machine's GPUs with nvidia-smi and name them as the catalog does.",
    )
    parser.add_argument(
        "--from",
        dest="source",
        metavar="FILE",
        help=f"{detect.SAVED}; free or /proc/meminfo too",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text (default) or json")
    options = parser.parse_args(arguments)
    try:
        text = detect.render(detect.machine(options.source), options.format)
    except detect.DetectError as problem:
        raise CommandError(str(problem), BAD_INPUT if options.source else FAILED) from None
    say(text)
    return CARRIED
