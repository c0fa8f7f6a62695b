"""Reports: the design's JSON names, every warning and step in text, nothing that harms a terminal."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from pathlib import Path
from typing import Any

import pytest

from engine.size import size
from engine.sizing import Sizing
from tui import report, session

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
NAMES_OF_EXAMPLES = sorted(path.stem for path in EXAMPLES.glob("*.toml"))

TOP = {
    "schema", "title", "model", "layout", "memory", "serving", "training", "fabric", "scaling", "verdict", "warnings",
    "cost", "power",
}  # fmt: skip
NAMES: dict[str, set[str]] = {
    "model": {"id", "params_total", "params_active", "weight_bytes", "kv_bytes_per_token"},
    "layout": {"tp", "pp", "dp", "ep", "reason"},
    "memory": {
        "per_gpu", "weights_share", "kv_needed_tokens", "kv_capacity_tokens", "max_concurrency", "fits", "headroom",
    },
    "verdict": {"step", "answer", "headline", "steps", "flips"},
}  # fmt: skip
ROWS: dict[tuple[str, ...], set[str]] = {
    ("memory", "per_gpu"): {
        "rank_group", "gpus", "weights_bytes", "kv_bytes", "activation_bytes", "runtime_bytes", "optimizer_bytes",
        "gradient_bytes", "free_bytes", "usable_bytes", "total_bytes",
    },
    ("fabric",): {"link", "bandwidth_gb_s", "latency_us", "seconds", "share", "relative_speed", "word"},
    ("scaling",): {"configuration", "gpus", "efficiency", "source"},
    ("verdict", "steps"): {"number", "question", "answer", "evidence"},
    ("verdict", "flips"): {"field", "at", "to"},
    ("warnings",): {"id", "severity", "message"},
}  # fmt: skip
SERVING = {
    "ttft_s", "inter_token_s", "tokens_per_s_user", "tokens_per_s_total", "communication_share", "interval",
}  # fmt: skip
TRAINING = {
    "step_s", "tokens_per_s_gpu", "mfu", "days", "gpu_hours", "peak_bytes", "efficiency", "interval",
}  # fmt: skip


@functools.cache
def sized(name: str) -> Sizing:
    return size(session.load(EXAMPLES / f"{name}.toml"))


@pytest.fixture(params=NAMES_OF_EXAMPLES)
def sizing(request: pytest.FixtureRequest) -> Sizing:
    """Each example, sized."""
    return sized(request.param)


def test_json_is_one_line_with_the_design_s_names(sizing: Sizing) -> None:
    text = report.render(sizing, "json")
    assert text.count("\n") == 1
    assert text.isascii()
    data: dict[str, Any] = json.loads(text)
    assert set(data) >= TOP
    for section, names in NAMES.items():
        assert set(data[section]) >= names, section
    for path, names in ROWS.items():
        rows: Any = data
        for part in path:
            rows = rows[part]
        for row in rows:
            assert set(row) >= names, path
    kind = "serving" if sizing.serving is not None else "training"
    assert set(data[kind]) >= (SERVING if kind == "serving" else TRAINING)
    assert data["serving" if kind == "training" else "training"] is None
    assert data["verdict"]["answer"] in {
        "one-gpu", "one-node", "one-node-int4", "replicas", "multi-node", "frontier", "does-not-fit",
    }  # fmt: skip


def test_json_figures_are_those_of_the_sizing(sizing: Sizing) -> None:
    data = json.loads(report.render(sizing, "json"))
    worst = sizing.memory.worst
    assert data["memory"]["per_gpu"][0]["weights_bytes"] == worst.weights_bytes
    assert data["memory"]["fits"] is sizing.memory.fits
    assert data["layout"]["tp"] == sizing.layout.tp
    assert len(data["fabric"]) == len(sizing.fabric)
    if sizing.serving is not None:
        assert math.isclose(data["serving"]["ttft_s"], sizing.serving.ttft_s, rel_tol=1e-5)
        interval = sizing.serving.tokens_per_s_interval
        assert math.isclose(data["serving"]["interval"]["low"], interval.low, rel_tol=1e-5)


def test_reports_are_the_same_each_time(sizing: Sizing) -> None:
    again = size(sizing.scenario)
    for form in report.FORMATS:
        assert report.render(again, form) == report.render(sizing, form)


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_reports_for_people_hold_every_step_warning_and_group(sizing: Sizing, form: report.Format) -> None:
    text = report.render(sizing, form)
    flat = " ".join(text.replace("\\", "").split())
    assert " ".join(sizing.verdict.headline.split()) in flat
    for step in sizing.verdict.steps:
        assert " ".join(step.question.split()) in flat
        for evidence in step.evidence:
            assert evidence.figure in flat
    for notice in sizing.warnings:
        assert notice.id in flat
        assert " ".join(notice.message.split()) in flat
    for group in sizing.memory.per_gpu:
        assert group.rank_group in flat
    for row in sizing.fabric:
        assert row.link in flat


def test_text_has_no_line_end_blanks_and_prose_keeps_to_its_width(sizing: Sizing) -> None:
    lines = report.render(sizing, "text").splitlines()
    assert all(line == line.rstrip() for line in lines)
    assert all(len(line) <= report.WIDTH for line in lines if line.startswith(("- ", "  - ", "    - ")))


def test_markdown_tables_are_regular(sizing: Sizing) -> None:
    text = report.render(sizing, "markdown")
    width = 0
    for line in text.splitlines():
        if line.startswith("|"):
            cells = line.replace("\\|", "").count("|")
            assert width in (0, cells), line
            width = cells
        else:
            width = 0


def test_what_a_person_wrote_cannot_harm_a_terminal_or_a_document() -> None:
    scenario = dataclasses.replace(
        sized("70b-fp8-one-node").scenario, title="a\x1b[2J|b\n# c", notes="x\x07\n\n<script>"
    )
    sizing = size(scenario)
    text = report.render(sizing, "text")
    assert "\x1b" not in text
    assert "\x07" not in text
    markdown = report.render(sizing, "markdown")
    assert "\n# c" not in markdown
    assert "<script>" not in markdown.replace("\\<", "")
    assert json.loads(report.render(sizing, "json"))["title"] == scenario.title


def test_what_is_not_finite_is_null() -> None:
    assert report.data_of(math.inf) is None
    assert report.data_of(math.nan) is None
    assert report.data_of((1, 2.0000001)) == [1, 2.0]
    with pytest.raises(TypeError):
        report.data_of(object())
