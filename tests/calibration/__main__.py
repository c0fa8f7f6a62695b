"""`python -m tests.calibration SET [--left-out] [--write]`: fit the constants of one module of engine/calibration."""

from __future__ import annotations

import argparse
import importlib
import sys

SETS = ("collectives", "kernels", "own", "serving_memory", "serving_speed", "training_memory", "training_speed")
"""Modules of engine/calibration; the one of that name here fits it."""


def main(arguments: list[str] | None = None) -> int:
    """Fit, print, and write when asked. Returns the exit code: 0, or 2 for what cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m tests.calibration", description=__doc__)
    parser.add_argument("set", choices=SETS)
    parser.add_argument(
        "--left-out",
        action="store_true",
        help="also the errors of each source under constants fitted without it, and the intervals cut from these",
    )
    parser.add_argument(
        "--write", action="store_true", help="rewrite engine/calibration/SET.py; its intervals with --left-out only"
    )
    module = importlib.import_module(f"tests.calibration.{parser.parse_known_args(arguments)[0].set}")
    if hasattr(module, "options"):
        module.options(parser)
    try:
        module.calibrate(parser.parse_args(arguments))
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
