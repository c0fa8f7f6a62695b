"""What a report offers is what applying it gives: by the keys of the JSON report, through a session's own text."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import catalog
from engine.decide.builds import Limits
from engine.decide.size import size
from engine.scenario import Scenario
from engine.scenario.change import change
from engine.sizing import Sizing
from tui.files import session
from tui.shell import builds, report_data, report_words

BUILDS = Path(__file__).parent.parent / "golden" / "builds"
NAMES = sorted(path.stem for path in BUILDS.glob("*.toml"))
SLOW = ("serve-kimi-nvl72", "pretrain-405b-2048-nodes", "pretrain-deepseek-v3-pp-ep", "pretrain-gb200-nvfp4")
QUICK = [name for name in NAMES if name not in SLOW]
SEARCHED = ("serve-8b-bf16-one-4090", "full-qwen2.5-zero2-8bit")


@cache
def entered(name: str) -> tuple[Scenario, Sizing]:
    """A build and its sizing."""
    scenario = session.load(BUILDS / f"{name}.toml")
    return scenario, size(scenario)


@cache
def told(name: str) -> dict[str, Any]:
    """The JSON report of a build."""
    return report_data.as_data(entered(name)[1])


def applied(scenario: Scenario, offer: Mapping[str, Any]) -> Sizing:
    """The sizing after an offer of the report, changed key by key, written to a session and read from it again."""
    changes = {offer["field"]: offer["value"], **dict(offer["also"])}
    changed = change(scenario, changes, catalog.load())
    return size(session.parse(session.dump(changed)))


@pytest.mark.parametrize("name", QUICK)
def test_each_fix_carries_the_workload(name: str) -> None:
    scenario, _ = entered(name)
    for fix in told(name)["fixes"]:
        after = applied(scenario, fix)
        assert after.verdict.carried, fix
        assert after.memory.headroom in fix["effect"], fix


@pytest.mark.parametrize("name", QUICK)
def test_each_change_for_room_gives_no_less_than_there_was(name: str) -> None:
    scenario, sizing = entered(name)
    for offer in told(name)["memory"]["suggestions"]:
        after = applied(scenario, offer)
        assert after.memory.starts, offer
        assert after.memory.fits or after.memory.max_concurrency > sizing.memory.max_concurrency, offer
        assert after.verdict.carried or not sizing.verdict.carried, offer


@pytest.mark.parametrize("name", QUICK)
def test_each_change_of_a_warning_ends_that_warning(name: str) -> None:
    scenario, _ = entered(name)
    for warning in told(name)["warnings"]:
        if warning["fix"] is not None:
            after = applied(scenario, warning["fix"])
            assert warning["id"] not in [notice.id for notice in after.warnings], warning


@pytest.mark.parametrize("name", QUICK)
def test_the_build_of_the_verdict_carries_the_workload(name: str) -> None:
    scenario, sizing = entered(name)
    best = told(name)["verdict"]["recommended"]
    if best is None or not best["nodes"] or sizing.verdict.answer in ("does-not-fit", "frontier"):
        pytest.skip("no build is named")
    keys: dict[str, Any] = {"hardware.gpus_per_node": best["gpus_per_node"], "hardware.nodes": best["nodes"]}
    if scenario.workload.is_inference:
        keys["model.weights"] = best["weights"]
    keys |= {one["field"]: one["to"] for one in best["changes"]}
    free = dict.fromkeys(("layout.tp", "layout.pp", "layout.dp", "layout.ep", "layout.dp_attention"))
    after = size(change(scenario, keys | free, catalog.load()))
    assert after.verdict.carried, best


@pytest.mark.parametrize("name", SEARCHED)
def test_a_build_that_is_recommended_is_as_it_was_told_when_it_is_opened(name: str, tmp_path: Path) -> None:
    scenario, _ = entered(name)
    found = builds.save(builds.search(scenario, Limits()), tmp_path / "found", None)
    rows = builds.as_data(found)["recommendations"]
    assert rows
    for row in rows:
        opened = size(session.load(row["session"]))
        assert opened.verdict.carried
        assert opened.memory.headroom == row["headroom"]
        assert report_data.data_of(report_words.tokens_per_s(opened)) == row["tokens_per_s_total"]
        assert report_data.data_of(opened.power.total_w) == row["power_w"]
        assert opened.scenario.hardware.gpus == row["gpus"]
