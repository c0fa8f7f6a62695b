"""What was understood of a pasted text, assumed and not understood, before the session that it makes."""

from __future__ import annotations

from engine.figures.text import clipped, harmless, printable
from engine.scenario import Scenario
from tui.files import session
from tui.paste.found import Found

LONGEST = 160
MOST_PASSED = 24


def lines_of(found: Found) -> list[str]:
    """The list, a line each, with a heading before each part that has any."""
    lines = [f"read: {', '.join(dict.fromkeys(found.kinds))}"]
    shown = [one for one in found.understood if one.key]
    parts = (
        ("understood", [f"{_line(one.words)} → {one.key} = {_line(one.value)}" for one in shown]),
        ("assumed", [_line(one) for one in found.assumed]),
        ("not understood", [_line(one) for one in (*found.strangers, *found.unknown)]),
    )
    for heading, entries in parts:
        if entries:
            lines += [f"{heading}:", *(f"  {entry}" for entry in dict.fromkeys(entries))]
    if found.passed:
        passed = list(dict.fromkeys(_line(one) for one in found.passed))
        more = f" and {len(passed) - MOST_PASSED} more" if len(passed) > MOST_PASSED else ""
        lines.append(f"changes nothing that is sized: {'; '.join(passed[:MOST_PASSED])}{more}")
    return lines


def _line(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return clipped(printable(" ".join(text.split())), LONGEST)


def render(found: Found, scenario: Scenario) -> str:
    """The session file, with the list as comments on top."""
    head = "".join(f"# {line}\n" for line in lines_of(found))
    return harmless(head) + "\n" + session.dump(scenario)
