"""`sizeup import`."""

from __future__ import annotations

from pathlib import Path

from engine.figures.text import printable
from tui.paste import listing, reading
from tui.paste.found import LONGEST_BYTES, CannotRead
from tui.shell.command import CARRIED, STDIN, CommandError, Parser, add_presets, changes_of, say


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
        allow_abbrev=False,
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="texts to read together; - is standard input")
    add_presets(parser)
    options = parser.parse_args(arguments)
    given = changes_of(options)
    try:
        found = reading.read(*texts_of(options.files, LONGEST_BYTES, "pasted text"))
        scenario = reading.scenario_of(found, given)
    except CannotRead as problem:
        raise CommandError(str(problem)) from None
    say(listing.render(found, scenario))
    return CARRIED
