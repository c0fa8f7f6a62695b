"""Reports: the design's JSON names, every warning and step in text, nothing that harms a terminal."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from pathlib import Path
from typing import Any

import pytest

from engine.decide.advice import advice
from engine.decide.answer import enough
from engine.decide.flips import flip_points
from engine.decide.size import size
from engine.figures.sentences import text_of
from engine.scenario import LayoutChoice
from engine.sizing import Sizing
from tests.engine.builds import build
from tui.files import drift, session
from tui.pages import words
from tui.shell import blocks, report, report_data, report_money, report_words

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


def flat(text: str) -> str:
    """Text without its line ends and alignment."""
    return " ".join(text.split())


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
    assert " ".join(text_of(sizing.verdict.headline).split()) in flat
    for step in sizing.verdict.steps:
        assert " ".join(step.question.split()) in flat
        for evidence in step.evidence:
            assert text_of(evidence.figure) in flat
    for notice in sizing.warnings:
        assert notice.id in flat
        assert " ".join(text_of(notice.message).split()) in flat
    for group in sizing.memory.per_gpu:
        assert group.rank_group in flat
    for row in sizing.fabric:
        assert row.link in flat


def test_text_has_no_line_end_blanks_and_keeps_to_its_width(sizing: Sizing) -> None:
    lines = report.render(sizing, "text").splitlines()
    assert [line for line in lines if line != line.rstrip()] == []
    assert [line for line in lines if len(line) > blocks.WIDTH] == []


def test_flip_points_stand_right_under_the_headline(sizing: Sizing) -> None:
    flips = flip_points(sizing.scenario)
    assert flips
    lines = report.render(sizing, "text").splitlines()
    headline = next(place for place, line in enumerate(lines) if line.startswith(f"{sizing.verdict.answer}: "))
    first = next(place for place, line in enumerate(lines) if line.startswith("- "))
    assert lines[first].startswith(f"- {text_of(flips[0].words)[:60]}")
    assert first - headline <= 2  # a long headline takes a second line
    told = json.loads(report.render(sizing, "json"))["verdict"]["flips"]
    assert [flip["words"] for flip in told] == [text_of(flip.words) for flip in flips]
    assert all(set(flip) == {"field", "at", "to", "words", "last", "layout"} for flip in told)


def test_the_most_important_comes_first(sizing: Sizing) -> None:
    text = report.render(sizing, "text")
    titles = ("Verdict", "Memory per GPU", "speed (fitted)", "Cost", "Power and host", "Steps of", "The fabric")
    places = [text.index(f"{title}") for title in titles]
    assert places == sorted(places)


def test_what_a_build_costs_is_told_line_by_line_and_unknown_prices_as_unknown(sizing: Sizing) -> None:
    text = flat(report.render(sizing, "text"))
    cost, power = sizing.cost, sizing.power
    for line in cost.lines:
        assert f"{line.quantity}x {line.item}: " + ("unknown" if line.usd is None else "$") in text
        assert line.as_of in text
    assert [line for line in cost.lines if line.part in ("host", "kit")]
    for offer in sorted(cost.offers, key=lambda offer: offer.usd_per_hour)[: report_money.SHOWN_OFFERS]:
        assert f"{offer.provider} {offer.billing} ${offer.usd_per_hour:,.2f}" in text
    for span in cost.horizons:
        assert f"{span.months} months" in text
    assert " ".join(text_of(cost.operations_note).split()) in text
    assert power.psu_w is not None
    assert words.kilowatts(power.psu_w) in text
    assert f"{power.circuits_per_node} of {power.circuit}" in text
    data = json.loads(report.render(sizing, "json"))
    assert len(data["cost"]["offers"]) == len(cost.offers)
    for told, line in zip(data["cost"]["lines"], cost.lines, strict=True):
        assert (told["usd"] is None) is (line.usd is None)
    assert [span["months"] for span in data["cost"]["horizons"]] == [12, 24, 36]


def test_a_build_that_falls_short_says_what_to_change() -> None:
    scenario = sized("70b-fp8-one-node").scenario
    short = size(dataclasses.replace(scenario, hardware=dataclasses.replace(scenario.hardware, gpus_per_node=1)))
    text = flat(report.render(short, "text"))
    changes = advice(short.scenario).fixes
    assert changes
    for change in changes:
        assert flat(report_words.change_words(change)) in text
    assert [fix["field"] for fix in json.loads(report.render(short, "json"))["fixes"]] == [c.field for c in changes]
    hopeless = dataclasses.replace(
        short.scenario, workload=dataclasses.replace(scenario.workload, tokens_per_s_user_target=1e5)
    )
    assert "No single change" in report.render(size(hopeless), "text")


def test_what_training_memory_assumes_is_told() -> None:
    sizing = sized("full-finetune-70b")
    assert sizing.memory.training is not None
    text = flat(report.render(sizing, "text"))
    for line in sizing.memory.training.lines:
        assert flat(text_of(line)) in text
    assert "a checkpoint" in text


def test_a_training_report_names_its_base_and_the_batch_it_really_takes() -> None:
    quantized = report.render(size(build(kind="qlora", weights="bf16", nodes=1)), "text")
    assert "nf4-double base, on" in quantized.replace("\n", " ")
    assert "asked: every replica" not in quantized
    many = size(
        build(
            kind="pretrain",
            weights="bf16",
            accelerator="h100-sxm",
            nodes=64,
            global_batch_tokens=1 << 19,
            layout=LayoutChoice(1, 1, 512),
        )
    )
    assert "(more than the 524k asked: every replica takes whole micro-batches)" in " ".join(
        report.render(many, "text").split()
    )


def test_a_drifted_catalog_is_told_with_both_results() -> None:
    now = sized("deepseek-v3-two-nodes")
    figures = dataclasses.replace(drift.figures_of(now.scenario), usd_per_gpu_hour=2.5)
    drifts = drift.changes(figures, now.scenario)
    past = report_words.Past(drifts, size(drift.with_figures(figures, now.scenario)))
    text = flat(report.render(now, "text", past))
    assert drifts[0].words in text
    assert "$29,200" in text  # 2.5 x 16 x 730
    assert f"${now.cost.rent_usd_per_month:,.0f}" in text
    data = json.loads(report.render(now, "json", past))["drift"]
    assert data["figures"][0]["key"] == "usd_per_gpu_hour"
    assert data["as_saved"]["rent_usd_per_month"] == 29200.0
    assert "drift" not in json.loads(report.render(now, "json"))


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
    assert report_data.data_of(math.inf) is None
    assert report_data.data_of(math.nan) is None
    assert report_data.data_of((1, 2.0000001)) == [1, 2.0]
    with pytest.raises(TypeError):
        report_data.data_of(object())


@pytest.mark.parametrize(
    ("rate", "short", "words"),
    [
        (4.9, "too slow", "slower than people read"),
        (5.0, "for chat", "tens of tok/s"),
        (25.0, "for code", "agents too"),
    ],
)
def test_a_speed_is_judged_for_chat_and_code(rate: float, short: str, words: str) -> None:
    told = enough(rate)
    assert told[0] == short
    assert words in told[1]


def test_the_judgement_stands_beside_the_speed_of_people_who_wait_alone() -> None:
    for kind, stands in (("serve", True), ("batch", False)):
        sizing = size(build(kind=kind))
        assert sizing.serving is not None
        words = enough(sizing.serving.tokens_per_s_user)[1]
        for full in (False, True):
            assert (words in " ".join(report.render(sizing, "text", full=full).split())) is stands
