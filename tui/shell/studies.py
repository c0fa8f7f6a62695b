"""`sizeup solve`, `sizeup diff`, and several builds in one table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tui.shell.command import (
    CARRIED,
    NOT_CARRIED,
    Parser,
    built,
    impossible,
    parsed,
    say,
    sized,
    tell_problems,
)

SAME, DIFFER = 0, 1


def solve(arguments: list[str]) -> int:
    """How far one field may go."""
    parser = Parser(
        prog="sizeup solve",
        description="The largest and the smallest value of a field with which a build still runs, and what stops it beyond.",
        epilog="exit code: 0 some value runs, 3 none that was tried does, 2 the file or the field is bad",
    )
    parser.add_argument("file", metavar="FILE", help="a session file; - is standard input")
    parser.add_argument("field", metavar="FIELD", help="a key of the session, such as workload.concurrency")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text (default) or json")
    options, changes = parsed(parser, arguments)
    import catalog
    from engine.decide import solve as search
    from engine.figures.errors import ScenarioError
    from tui.shell import compare
    from tui.shell.command import CommandError

    tell_problems()
    scenario = built(options.file, changes)
    key = options.field if "." in options.field or options.field in ("title", "notes") else _whole_key(options.field)
    try:
        found = search.solve(scenario, key, catalog.load())
    except ScenarioError as problem:
        if problem.field == key:
            near = _near(key)
            raise CommandError(f"{key}: {problem.reason}{near or f'; allowed: {problem.allowed}'}") from None
        raise impossible(options.file, problem) from None
    say(compare.solved(found, options.format))
    return CARRIED if found.found else NOT_CARRIED


def _whole_key(name: str) -> str:
    """The dotted key of a field that is named without its table."""
    from engine.scenario.fields import BY_KEY

    named = [key for key in BY_KEY if key.rpartition(".")[2] == name]
    return named[0] if len(named) == 1 else name


def _near(key: str) -> str:
    """The nearest key to one that no field has; empty of a field's."""
    from catalog.ids import nearest
    from engine.scenario.fields import BY_KEY

    return "" if key in BY_KEY else f"; the nearest is {nearest(key, tuple(BY_KEY), 1)[0]}"


def diff(arguments: list[str]) -> int:
    """How two sessions differ."""
    parser = Parser(
        prog="sizeup diff",
        description="The fields that two sessions have otherwise, and the figures that differ for it.",
        epilog="exit code: 0 they are the same build, 1 they differ, 2 a file is bad",
    )
    parser.add_argument("files", nargs=2, metavar="FILE", help="session files; one may be -, standard input")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text (default) or json")
    options = parser.parse_args(arguments)
    from tui.shell import compare

    tell_problems()
    sizings = [sized(file, {}) for file in options.files]
    names = [Path(file).stem for file in options.files]
    if names[0] == names[1]:
        names = list(options.files)
    differ, text = compare.differences((names[0], names[1]), (sizings[0], sizings[1]), options.format)
    say(text)
    return DIFFER if differ else SAME


def together(files: list[str | None], changes: dict[str, Any], form: str) -> int:
    """Several builds in one table: side by side, or their shapes for a spreadsheet."""
    from engine.decide.whole import whole
    from tui.shell import compare, sheets

    names = [file.rsplit("/", 1)[-1].removesuffix(".toml") if file else "build" for file in files]
    sizings = [sized(file, changes) for file in files]
    if form == "csv":
        sizings = [whole(sizing) for sizing in sizings]
    say(sheets.scaling(zip(names, sizings, strict=True)) if form == "csv" else compare.table(names, sizings))
    return CARRIED if all(one.verdict.carried for one in sizings) else NOT_CARRIED
