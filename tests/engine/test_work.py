"""How much one `size()` does after an edit, in calls of functions: a budget that a busy machine does not move."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from types import FrameType

import pytest

from engine.decide.size import size
from engine.scenario import Scenario
from tests.engine.builds import build

BUILDS: dict[str, tuple[Callable[[], Scenario], int]] = {
    "one card": (lambda: build("llama-3.1-8b", "bf16", "rtx-4090", 1, concurrency=8), 1100),
    "one node": (lambda: build("llama-3.1-70b", "fp8", "rtx-pro-6000-server", 8, concurrency=32), 1250),
    "two nodes": (lambda: build("deepseek-v3", "fp8", "h100-sxm", 8, 2, concurrency=32), 2100),
    "a fine-tune": (
        lambda: build("llama-3.1-70b", "bf16", "h100-sxm", 8, 2, kind="full-finetune", total_tokens=500_000_000),
        3600,
    ),
}
"""By name: the build, and the most calls that an edit of it may take; a third above what it takes."""


def work_of(run: Callable[[], object]) -> Counter[str]:
    """How often each function of the engine is called in a run, by its module and name."""
    found: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _: object) -> None:
        module = str(frame.f_globals.get("__name__", ""))
        if event == "call" and module.startswith("engine."):
            found[f"{module}.{frame.f_code.co_name}"] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        run()
    finally:
        sys.setprofile(before)
    return found


def after_an_edit(scenario: Scenario) -> Counter[str]:
    """The work of sizing one more user, or a longer sequence, where the build itself was sized before."""
    size(scenario)
    work = scenario.workload
    more = replace(work, concurrency=work.concurrency + 1)
    if not work.is_inference:
        more = replace(work, sequence_length=work.sequence_length + 16)
    edited = replace(scenario, workload=more)
    return work_of(lambda: size(edited))


@pytest.mark.parametrize("name", BUILDS)
def test_an_edit_costs_a_bounded_number_of_calls(name: str) -> None:
    make, most = BUILDS[name]
    work = after_an_edit(make())
    assert sum(work.values()) <= most, work.most_common(20)


@pytest.mark.parametrize("name", BUILDS)
def test_tables_and_later_steps_wait_for_their_readers(name: str) -> None:
    scenario = BUILDS[name][0]()
    sizing = size(replace(scenario, title="read once"))
    tables = {
        "engine.decide.fabric.fabric_table": lambda: sizing.fabric,
        "engine.decide.scaling.scaling_table": lambda: sizing.scaling,
    }
    tables["engine.decide.verdict._steps"] = lambda: sizing.verdict.steps
    work = after_an_edit(scenario)
    for table, read in tables.items():
        assert not work[table]
        assert work_of(read)[table] == 1
        assert not work_of(read)[table], "read a second time it is there"


def test_a_build_that_one_card_carries_plans_no_other() -> None:
    scenario = build("llama-3.1-8b", "bf16", "h100-sxm", 1, concurrency=8)
    work = after_an_edit(scenario)
    assert work["engine.decide.verdict._int4_step"] == 0
    assert len(size(scenario).verdict.steps) == 6
