"""`python -m tests.accuracy SET [FILE] [--json|--rows]`: the error tables of one set of measured rows.

`own`: the errors of held-out figures before and after a person's own calibration, as the table of docs/imports.md.
`peer`: ours beside aiconfigurator's predictions of the same rows, `tests/accuracy/peer.py`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

from tests.accuracy import harness

SETS = ("engine_logs", "training_memory", "collectives", "inference_perf", "training_perf")


def main(arguments: list[str] | None = None) -> int:
    """Print the tables. Returns the exit code: 0, or 2 for a file that cannot be read."""
    if (arguments if arguments is not None else sys.argv[1:])[:1] == ["peer"]:
        from tests.accuracy import peer

        return peer.main((arguments if arguments is not None else sys.argv[1:])[1:])
    parser = argparse.ArgumentParser(prog="python -m tests.accuracy", description=__doc__)
    parser.add_argument("set", choices=(*SETS, "own"))
    parser.add_argument("file", nargs="?", type=Path, help="rows with the same fields; default: the repository's own")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--rows", action="store_true", help="every row by itself instead of tables")
    options = parser.parse_args(arguments)
    if options.set == "own":
        from tests.accuracy import own

        print(own.render(own.evaluate()))
        return 0
    path = options.file or harness.REFERENCE / f"{options.set}.jsonl"
    try:
        rows = harness.load_rows(path)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    evaluation = importlib.import_module(f"tests.accuracy.{options.set}").evaluate(rows)
    if options.rows:
        print(harness.render_rows(evaluation))
        return 0
    print(
        json.dumps(harness.as_json(options.set, evaluation))
        if options.json
        else harness.render(options.set, evaluation)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
