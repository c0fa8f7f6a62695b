"""`sizeup import` and `sizeup measured`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.decide.beside import Row
from engine.decide.size import size
from engine.figures.records import dataclass
from engine.figures.text import LONGEST_NAME, clipped, printable
from engine.scenario import Scenario
from tui.paste import listing, reading
from tui.paste import measured as beside
from tui.paste.found import LONGEST_BYTES, CannotRead, Found
from tui.paste.run import Run
from tui.shell.command import CARRIED, STDIN, CommandError, Parser, built, parsed, place_of, say


def texts_of(files: list[str], limit: int, what: str) -> list[str]:
    """The text of each file, or of standard input for `-`. Raises CommandError."""
    import os
    import sys

    from tui.files import session
    from tui.files.session_tables import SessionError

    found = []
    for file in files:
        try:
            if file == STDIN:
                if sys.stdin is None:
                    raise SessionError("standard input", "it is closed")
                raw = sys.stdin.buffer.read(limit + 1)
            else:
                raw = session.read_bytes(Path(os.path.expanduser(file)), limit, what)
        except SessionError as problem:
            raise CommandError(str(problem)) from None
        if len(raw) > limit:
            raise CommandError(f"{printable(file)}: more than {limit:,} bytes are no {what}")
        found.append(raw.decode("utf-8-sig", "replace"))
    return found


def import_text(arguments: list[str]) -> int:
    """Read what people have as a session, and print it with a list of what was understood."""
    parser = Parser(
        prog="sizeup import",
        description="Read a command, manifest, config or what a machine says as a session, printed as a session file.",
        epilog=f"reads {reading.KINDS}. exit code: 0 read, 2 nothing in it is understood",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="texts to read together; - is standard input")
    options, given = parsed(parser, arguments)
    try:
        found = Found()
        for file in options.files:
            model = "" if file == STDIN else reading.model_at(file)
            if model:
                reading.take_model(model, found)
            else:
                text = texts_of([file], LONGEST_BYTES, "pasted text")[0]
                try:
                    reading.add(text, found)
                except CannotRead as problem:
                    raise _at(file, problem) from None
        scenario = reading.scenario_of(found, given)
    except CannotRead as problem:
        raise CommandError(str(problem)) from None
    say(listing.render(found, scenario))
    return CARRIED


def _at(file: str, problem: CannotRead) -> CannotRead:
    """What is wrong with a text, and the file that it stands in."""
    return CannotRead(f"{clipped(printable(place_of(file)), LONGEST_NAME)}: {problem}")


def _into(file: str, compared: list[tuple[str, Run, list[Row]]]) -> str:
    """Keep what logs measured in a session file, in the place of what the same logs measured before; what to say of it."""
    from engine.decide.beside import build_words
    from tui.files import session
    from tui.files.session_measured import MOST
    from tui.files.session_tables import SessionError

    try:
        held = session.opened(file)
        words = build_words(size(held.scenario))
        made = tuple(
            beside.measurement(run, words, rows, Path(log).name)
            for log, run, rows in compared
            if rows and not run.points
        )
        if not made:
            raise CannotRead("nothing here belongs into a session: times of collectives are kept with --keep")
        again = {(one.source, one.tool) for one in made}
        before = tuple(one for one in held.scenario.measured if (one.source, one.tool) not in again)
        every = (*before, *made)
        if len(every) > MOST:
            raise CannotRead(f"{printable(file)} would hold {len(every)} measurements; allowed: up to {MOST}")
        session.write(replace(held.scenario, measured=every), file, file, held.pins)
    except SessionError as problem:
        raise CommandError(str(problem)) from None
    count = f"{len(made)} logs" if len(made) > 1 else "the log"
    return f"kept {count} in {printable(file)}, [[measured]]\n\n"


@dataclass(slots=True)
class _Asked:
    """What `sizeup measured` is given: logs, the session beside them if any, keys of options, and what to do with them."""

    logs: list[str]
    session: str | None
    given: dict[str, Any]
    keep: str | None
    into: str | None


def measured(arguments: list[str]) -> int:
    """Print what logs measured beside what is predicted, and keep it when asked."""
    asked = _asked(arguments)
    found = Found()
    try:
        runs = _runs(asked.logs, found)
        scenario = _measured_build(asked, runs, found)
        compared = [(file, run, beside.rows_of(run, scenario)) for file, run in runs]
        if asked.into is not None:
            say(_into(asked.into, compared))
        for _, run, rows in compared:
            say(f"{beside.table(run, rows, scenario)}\n")
        if asked.session is None and found.kinds:
            say("".join(f"# {line}\n" for line in listing.lines_of(found)))
        if asked.keep is not None:
            document = beside.kept(
                [(run, scenario, rows) for _, run, rows in compared], ", ".join(Path(file).name for file in asked.logs)
            )
            if not document:
                raise CannotRead("nothing here can be kept: only speeds of a server, and collectives of one node")
            where = beside.keep(document, asked.keep or Path(asked.logs[0]).stem)
            say(f"kept in {where}; take the file away to undo it\n")
    except CannotRead as problem:
        raise CommandError(str(problem)) from None
    return CARRIED


def _asked(arguments: list[str]) -> _Asked:
    """The command's options. Raises CommandError for files that do not go together."""
    parser = Parser(
        prog="sizeup measured",
        description="What logs and benchmarks measured, beside what is predicted of the same build under the same load.",
        epilog="FILE: logs, and what says the build: a session (.toml), a command, a manifest, nvidia-smi; options set the rest. "
        "exit code: 0 read, 2 nothing measured is understood, or no build is known",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="texts to read; - is standard input")
    parser.add_argument(
        "--keep",
        nargs="?",
        const="",
        metavar="NAME",
        help="as your own calibration: links, and speeds of like builds",
    )
    parser.add_argument(
        "--into", metavar="SESSION", help="keep the figures in this session file, beside what is predicted of it"
    )
    options, given = parsed(parser, arguments)
    sessions = [file for file in options.files if file.lower().endswith(".toml")]
    others = [file for file in options.files if file not in sessions]
    if options.into is not None:
        if sessions or given:
            raise CommandError("--into names the session, which says the build: no other one and no options beside it")
        sessions = [options.into]
    if len(sessions) > 1 or not others:
        raise CommandError("give logs, and at most one session" if others else "no log beside the session")
    return _Asked(others, sessions[0] if sessions else None, given, options.keep, options.into)


def _runs(files: list[str], found: Found) -> list[tuple[str, Run]]:
    """What each log measured; what is no log and says the build is added to what was found.

    Raises CannotRead naming a file that is neither, and where none is a log.
    """
    from tui.paste import logs

    runs: list[tuple[str, Run]] = []
    for file, text in zip(files, texts_of(files, logs.LONGEST_BYTES, "log"), strict=True):
        try:
            runs += [(file, run) for run in logs.read(text)]
        except CannotRead as problem:
            try:
                reading.add(text, found)
            except CannotRead:  # what was asked for are logs
                raise _at(file, problem) from None
    return runs or [("", run) for run in logs.read("")]


def _measured_build(asked: _Asked, runs: list[tuple[str, Run]], found: Found) -> Scenario:
    """The build that was measured: of the session, or of what the texts and the logs themselves say. Raises CannotRead."""
    for _, run in runs:
        if run.arguments and asked.session is None:
            from tui.paste.servers import read_server

            found.kinds.append(run.tool)
            read_server(run.engine or "vllm", list(run.arguments), found, {})
    for _, run in runs:
        if run.model and not found.model:
            found.model = run.model
            found.kinds.append(run.tool)
    if asked.session is not None:
        return built(asked.session, asked.given)
    if found.empty and not {"model.id", "model.config"} & asked.given.keys():
        raise CannotRead("which build is it? Give its session, its command, or --model, --accelerator and --gpus")
    engine = next((run.engine for _, run in runs if run.engine), "")
    if engine and found.value("runtime.engine") is None:
        found.say("the log", "runtime.engine", engine)
    return reading.scenario_of(found, asked.given)
