"""The store: one way in, undo and redo, what stays when something is wrong."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.scenario import Scenario
from engine.scenario.change import change
from engine.sizing import Sizing
from tests.tui.builds import BUILDS
from tui.app.store import Store

START = BUILDS["llama70b"]()


def _with_users(users: int) -> Scenario:
    return change(START, {"workload.concurrency": users})


@given(st.lists(st.one_of(st.integers(1, 6), st.sampled_from(["undo", "redo"])), max_size=25))
def test_undo_and_redo_walk_one_line_of_history(steps: list[int | str]) -> None:
    store = Store(START, lambda scenario: SIZING)
    line, at = [START], 0
    for step in steps:
        if step == "undo":
            assert store.undo() == (at > 0)
            at = max(0, at - 1)
        elif step == "redo":
            assert store.redo() == (at < len(line) - 1)
            at = min(len(line) - 1, at + 1)
        else:
            edited = _with_users(int(step))
            store.edit(edited)
            if edited != line[at]:
                line, at = [*line[: at + 1], edited], at + 1
        assert store.scenario == line[at]
        assert store.dirty == (line[at] != START)


SIZING: Sizing = size(START)


def test_typing_in_one_field_is_one_step() -> None:
    store = Store(START, lambda scenario: SIZING)
    for users in (1, 12, 128):
        store.edit(_with_users(users), "workload.concurrency")
    store.seal()
    store.edit(_with_users(5), "workload.concurrency")
    store.undo()
    assert store.scenario == _with_users(128)
    store.undo()
    assert store.scenario == START


def test_the_last_valid_sizing_stays() -> None:
    def sized(scenario: Scenario) -> Sizing:
        if scenario.workload.concurrency == 7:
            raise ScenarioError("workload.concurrency", "seven will not do", "others", 8)
        return SIZING

    store = Store(START, sized)
    store.edit(_with_users(7))
    assert store.stale
    assert store.sizing is SIZING
    assert store.problem is not None
    assert "seven will not do; allowed: others (nearest: 8)" in store.problem.words
    store.edit(_with_users(8))
    assert not store.stale


def test_a_defect_of_the_sizing_costs_no_work() -> None:
    def sized(scenario: Scenario) -> Sizing:
        raise ZeroDivisionError("oops")

    store = Store(START, sized)
    store.edit(_with_users(9))
    assert store.scenario == _with_users(9)
    assert store.problem is not None
    assert "ZeroDivisionError" in store.problem.reason


def test_watchers_are_told_once_for_each_change() -> None:
    store = Store(START, lambda scenario: SIZING)
    told: list[int] = []
    store.subscribe(lambda: told.append(1))
    store.edit(START)
    assert not told
    store.edit(_with_users(3))
    store.undo()
    store.reject("layout.tp", "x", "not a number")
    store.reject("layout.tp", "x", "not a number")
    assert len(told) == 3


def test_saving_and_opening_settle_what_is_unsaved(tmp_path: Path) -> None:
    store = Store(START, lambda scenario: SIZING)
    store.edit(_with_users(3))
    assert store.dirty
    store.mark_saved(tmp_path / "a.toml")
    assert not store.dirty
    store.replace(START, None, saved=False)
    assert store.dirty
    assert not store.can_undo
