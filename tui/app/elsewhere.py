"""Figures of other builds than the one at hand: a found build, a pinned one, a value of a sweep, a change on offer. Pure.

Their ids say which build and which of its figures: `build:2@cost.buy_usd`, `pin:A@serving.ttft_s`,
`at:workload.concurrency=64@serving.ttft_s`, `fix:model.weights=int4@memory.max_concurrency`, `cure:0@serving.ttft_s`.
"""

from __future__ import annotations

from engine.figures.errors import ScenarioError
from engine.figures.records import NamedTuple
from engine.figures.sentences import text_of
from engine.scenario import Scenario
from engine.scenario.change import change
from engine.sizing import Sizing
from tui.pages.studies import Studies


class Opened(NamedTuple):
    """A figure and the build it belongs to. whose: which build, in words; empty for the one at hand."""

    whose: str
    sizing: Sizing
    figure: str


def opened(figure: str, here: Sizing, studies: Studies) -> Opened | None:
    """The build and the figure that an id means; None when that build is not there any more."""
    reference, separator, name = figure.rpartition("@")
    if not separator:
        return Opened("", here, figure)
    kind, _, what = reference.partition(":")
    try:
        found = _found(kind, what, here, studies)
    except (ScenarioError, KeyError, ValueError, IndexError):
        return None
    if found is None:
        return None
    words, scenario = found
    sizing = studies.sizing_at(scenario)
    return None if sizing is None else Opened(words, sizing, name)


def _found(kind: str, what: str, here: Sizing, studies: Studies) -> tuple[str, Scenario] | None:
    scenario = here.scenario
    if kind == "build":
        from tui.pages.builds import option_at

        option = option_at(studies.search, int(what))
        return None if option is None else (f"Found in the catalog: {_words(option.scenario)}", option.scenario)
    if kind == "passed":
        passed = studies.search.ranked[int(what)].passed
        return None if passed is None else (f"Found in the catalog: {_words(passed.scenario)}", passed.scenario)
    if kind == "pin":
        pin = next((entry for entry in studies.pins if entry.name == what), None)
        return None if pin is None else (f"Pinned build {pin.name}: {_words(pin.scenario)}", pin.scenario)
    if kind == "cure":
        advice = studies.counsel.of(scenario)
        cure = advice.known[int(what)] if advice is not None else None
        return None if cure is None else (f"With this change: {text_of(cure.what)}", cure.scenario)
    field, _, text = what.partition("=")
    if kind == "at":
        from engine.decide.what_if import LINK_FIELDS, at
        from tui.pages.what_if import FIELD_WORDS

        value = text if field in LINK_FIELDS else int(text)
        words = f"With {FIELD_WORDS[field][1]} {text}, all else as entered"
        return words, at(scenario, field, value)
    return _changed(here, field, text)


def _changed(here: Sizing, field: str, text: str) -> tuple[str, Scenario] | None:
    """The build with a change that is on offer."""
    offered = (notice.fix for notice in here.warnings if notice.fix is not None)
    found = next((fix for fix in offered if fix.field == field and str(fix.value) == text), None)
    if found is None:
        return None
    scenario = change(here.scenario, dict(found.changes))
    return f"With this change: {text_of(found.effect)}", scenario


def _words(scenario: Scenario) -> str:
    hardware = scenario.hardware
    nodes = f"{hardware.nodes} nodes of " if hardware.nodes > 1 else ""
    weights = scenario.model.weights
    return f"{nodes}{hardware.gpus_per_node} x {hardware.accelerator.name}, {scenario.model.name}, {weights} weights"
