"""The working of a flip point: the last value with this verdict, the first with another, and what each rests on."""

from __future__ import annotations

from engine.decide.flips import FIELD_UNITS, flip_points, verdict_at
from engine.figures.sentences import text_of
from engine.sizing import Flip, Verdict
from engine.workings.case import Case
from engine.workings.record import Sheet, Working

SEARCH = "engine.decide.flips: doubling, then halving, the build decided anew by the six steps at each value"


def flip_id(flip: Flip, entered: float) -> str:
    """The id of a flip's working: `flip.concurrency.up`. entered: the person's own value of its field."""
    return f"flip.{flip.field.partition('.')[2]}.{'up' if flip.at > entered else 'down'}"


def found(case: Case, name: str) -> Working:
    """`flip.FIELD.up` or `flip.FIELD.down`: of one field of the workload. Raises KeyError where nothing flips."""
    field, _, way = name.partition(".")
    entered = getattr(case.scenario.workload, field, None)
    for flip in flip_points(case.scenario):
        if entered is not None and flip_id(flip, entered) == f"flip.{name}":
            return _working(case, flip, field, float(entered), way == "up", isinstance(entered, int))
    raise KeyError(f"flip.{name}")


def _working(case: Case, flip: Flip, field: str, entered: float, up: bool, whole: bool) -> Working:
    sheet, unit = Sheet(), FIELD_UNITS[flip.field]
    now = _told(verdict_at(case.scenario, field, entered))
    sheet.put("entered", int(entered) if whole else entered, unit, f"entered. {now}", "entered")
    first = flip.at
    if whole:
        step = 1 if up else -1
        before = verdict_at(case.scenario, field, first - step)
        last = sheet.put("last_with_this_verdict", int(first) - step, unit, _told(before), "fitted")
        expression = f"{last} + 1" if up else f"{last} - 1"
        formula = f"the {'largest' if up else 'smallest'} value whose verdict is that of the entered one, and one on"
    else:
        sheet.put("last_with_this_verdict", flip.last, unit, f"found on the way. {now}", "fitted")
        expression = sheet.put("first", first, unit, "to within half a percent", "fitted")
        formula = "the nearest value, to within half a percent, whose verdict differs"
    return sheet.working(
        flip_id_of(flip, up),
        "Where the verdict changes",
        int(first) if whole else first,
        unit,
        formula,
        expression,
        "fitted",
        SEARCH,
        note=f"{_sentence(flip.words)} There: {_told(verdict_at(case.scenario, field, first))}",
    )


def flip_id_of(flip: Flip, up: bool) -> str:
    """The same id where the direction is known."""
    return f"flip.{flip.field.partition('.')[2]}.{'up' if up else 'down'}"


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."


def _told(verdict: Verdict | None) -> str:
    """A verdict in words."""
    return "no verdict" if verdict is None else f"{text_of(verdict.headline)}: {text_of(verdict.reason)}."
