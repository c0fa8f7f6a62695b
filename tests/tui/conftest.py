"""Screens are compared cell by cell, so nothing of the person's terminal may leak in."""

from __future__ import annotations

import os

for name in ("NO_COLOR", "TEXTUAL_THEME", "TEXTUAL_ANIMATIONS", "COLUMNS", "LINES", "SIZEUP_ASCII"):
    os.environ.pop(name, None)  # before textual is imported: it reads them once
os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}

from tests.tui.commands import run  # noqa: E402 - after the environment is settled
from tests.tui.own_folder import own  # noqa: E402 - likewise
from tests.tui.quiet import quiet  # noqa: E402 - likewise
from tests.tui.searched import searched, unsearched  # noqa: E402 - likewise

__all__ = ["own", "quiet", "run", "searched", "unsearched"]
