"""`solve`, `diff`, `report --table`, `--watch`, and tables for spreadsheets."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

import catalog
from catalog.scenarios import build_scenario
from engine.decide.answer import status_of
from engine.decide.plan import plan
from engine.decide.solve import RUNS, solve
from engine.figures.errors import ScenarioError
from engine.scenario import Scenario
from engine.scenario.change import change
from engine.scenario.fields import Value
from tests.tui.test_export import BUILDS
from tui.cli import main
from tui.files import session
from tui.shell import watching

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "70b-fp8-one-node.toml"


def runs(scenario: Scenario, key: str, value: Value) -> bool:
    try:
        return status_of(plan(change(scenario, {key: value}, catalog.load()))) in RUNS
    except ScenarioError:
        return False


@pytest.mark.parametrize(
    "name", ["serve-8b-bf16-one-4090", "serve-deepseek-v3-tp8-pp2", "full-70b-zero3-deadline", "lora-8b-one-4090"]
)
@pytest.mark.parametrize(
    "key",
    [
        "workload.concurrency",
        "workload.input_tokens",
        "hardware.nodes",
        "workload.sequence_length",
        "workload.micro_batch",
    ],
)
def test_an_edge_runs_and_what_lies_beyond_does_not(name: str, key: str) -> None:
    scenario = session.load(BUILDS / f"{name}.toml")
    found = solve(scenario, key, catalog.load())
    for edge in found.edges:
        assert runs(scenario, key, edge.last)
        if edge.beyond is not None:
            assert not runs(scenario, key, edge.beyond.value)
            assert edge.beyond.why
            assert abs(edge.beyond.value - edge.last) <= 1  # type: ignore[operator] # numbers


def test_a_build_that_does_not_run_says_the_nearest_that_does() -> None:
    scenario = build_scenario("llama-3.1-70b", "fp8", "h100-sxm", 1)
    (edge,) = solve(scenario, "hardware.gpus_per_node", catalog.load()).edges
    assert not edge.up
    assert edge.last == 3
    assert edge.beyond is not None
    assert edge.beyond.value == 2


def test_decimals_are_found_closely() -> None:
    scenario = build_scenario("llama-3.1-8b", "bf16", "h100-sxm", 1)
    scenario = change(scenario, {"runtime.memory_utilization": 0.9}, catalog.load())
    edges = solve(scenario, "runtime.memory_utilization", catalog.load()).edges
    low = next(edge for edge in edges if not edge.up)
    assert low.beyond is not None
    assert 0.2 < low.beyond.value < low.last < low.beyond.value * 1.01 < 0.9  # type: ignore[operator] # numbers


def test_choices_and_layouts_are_told_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["solve", str(EXAMPLE), "layout.tp"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("layout.tp:\n  1: ")
    assert "  8: " in text
    assert "  3: " not in text
    assert main(["solve", str(EXAMPLE), "kv_cache", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["field"] == "model.kv_cache"
    assert {one["value"] for one in told["tried"]} >= {"bf16", "fp8"}


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("wokload.concurency", "the nearest is workload.concurrency"),
        ("title", "not a number"),
        ("workload.ttft_target_s", "left open"),
    ],
)
def test_a_field_that_cannot_be_solved_for_is_one_line(
    field: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["solve", str(EXAMPLE), field]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert words in captured.err


@pytest.fixture
def other(tmp_path: Path) -> Path:
    made = change(session.load(EXAMPLE), {"workload.concurrency": 64}, catalog.load())
    session.save(made, tmp_path / "b.toml")
    return tmp_path / "b.toml"


def test_diff_says_fields_and_figures_and_its_code_is_that_of_diff(
    other: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", str(EXAMPLE), str(EXAMPLE)]) == 0
    assert capsys.readouterr().out == ""
    assert main(["diff", str(EXAMPLE), str(other)]) == 1
    text = capsys.readouterr().out
    assert "workload.concurrency" in text
    assert "tok/s in all" in text
    assert main(["diff", str(EXAMPLE), "nowhere.toml"]) == 2
    assert main(["diff", str(EXAMPLE), str(other), "--format", "json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["fields"] == [{"field": "workload.concurrency", "a": "32", "b": "64"}]


def test_several_files_are_one_table(other: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(EXAMPLE), str(other), "--table"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["70b-fp8-one-node", "b"]
    assert all(len(line) < 160 for line in lines)


def test_shapes_and_builds_are_csv(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(EXAMPLE), "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) > 3
    assert all(float(row["efficiency"]) > 0 for row in rows)
    assert {row["session"] for row in rows} == {"70b-fp8-one-node"}
    assert main(["recommend", str(EXAMPLE), "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows
    assert {"accelerator", "layout.tp", "whole_usd", "power_w"} <= set(rows[0])


def test_a_cell_is_no_formula() -> None:
    from tui.shell.sheets import written

    assert written([["=1+1", "-x", -3, "plain", None, True]]) == "'=1+1,'-x,-3,plain,,yes\n"


def test_a_watched_file_is_reported_after_each_change(tmp_path: Path) -> None:
    file, shown = tmp_path / "a.toml", []
    file.write_text("one")
    steps = iter(["two two", None, "three"])

    def wait(_: float) -> None:
        text = next(steps, "end")
        if text == "end":
            raise KeyboardInterrupt
        if text is None:
            file.unlink()
        else:
            file.write_text(text)

    with pytest.raises(KeyboardInterrupt):
        watching.watch(str(file), lambda: shown.append(file.read_text()), wait)
    assert shown == ["one", "two two", "three"]


def test_watching_takes_one_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "-", "--watch"]) == 2
    assert "--watch takes one session file" in capsys.readouterr().err
