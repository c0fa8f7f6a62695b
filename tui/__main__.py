"""`python -m tui` is `sizeup`: the command line as a process of its own, whose garbage is rarely collected."""

import gc
import sys

gc.set_threshold(100_000, *gc.get_threshold()[1:])
# A start and a report make some 50,000 objects that stay: looking through them at every 700 new ones is a tenth of it.
# The app collects as usual from its first frame on.

from tui.cli import main  # noqa: E402 - what it imports is most of those objects


def run() -> int:
    """Run the command line, and let what is left go with the process instead of object by object."""
    try:
        return main()
    finally:
        gc.freeze()


if __name__ == "__main__":
    sys.exit(run())
