"""The plain report is one page: the answer, the build, and of everything else what decides."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import pytest

from engine.decide.fabric import ARTICLE_LINKS
from engine.decide.size import size
from engine.figures.sentences import text_of
from engine.scenario import Scenario
from engine.sizing import Sizing
from tests.engine.builds import build
from tests.tui.builds import BUILDS
from tests.tui.test_overview import ASKED
from tui.shell import report
from tui.shell.blocks import WIDTH

MOST_LINES = 60
SHOWN: dict[str, Callable[[], Scenario]] = {
    **ASKED,
    "many stages": lambda: build("llama-3.1-405b", "bf16", "h100-sxm", 8, 4),
    "full fine-tune that does not fit": lambda: build(kind="full-finetune", weights="bf16", accelerator="rtx-4090"),
}


@lru_cache(maxsize=32)
def told(name: str) -> tuple[Sizing, str]:
    sizing = size(SHOWN[name]())
    return sizing, report.render(sizing, "text", full=False)


@pytest.mark.parametrize("name", SHOWN)
def test_a_plain_report_is_one_page(name: str) -> None:
    sizing, text = told(name)
    lines = text.splitlines()
    assert len(lines) <= MOST_LINES
    assert [line for line in lines if len(line) > WIDTH or line != line.rstrip()] == []
    full = report.render(sizing, "text")
    assert lines[:2] == full.splitlines()[:2]
    assert len(full.splitlines()) > MOST_LINES
    assert "--full" in text
    steps = text.partition("\n\nVerdict: ")[2].partition("\n\n")[0].splitlines()
    for step in sizing.verdict.steps:
        assert sum(line.startswith(f"- {step.number} ") for line in steps) == 1
    for group in sizing.memory.per_gpu[:3]:
        assert group.rank_group in text
    shown = {row.link for row in sizing.fabric if re.search(rf"\b{row.link}\b", text)}
    used = {row.link for row in sizing.fabric if row.in_use}
    if sizing.fabric:
        assert used | set(ARTICLE_LINKS) <= shown
        assert f"{next(iter(used))} (in use)" in text
    for notice in sizing.warnings:
        if notice.severity == "info":
            assert " ".join(text_of(notice.message).split()) not in " ".join(text.split())


@pytest.mark.parametrize("name", ["QLoRA of 70B on one card", "full fine-tune that does not fit"])
@pytest.mark.parametrize("full", [False, True])
def test_a_run_that_does_not_fit_has_no_speed_and_no_length(name: str, full: bool) -> None:
    from tests.tui.figures import page_lines
    from tui.pages.doc import plain

    sizing, _ = told(name)
    assert sizing.answer.status == "does-not-fit"
    text = report.render(sizing, "text", full=full)
    own = text.partition("Memory per GPU")[2].partition("Steps of the verdict")[0].partition("\nVerdict")[0]
    assert "nvidia-smi" not in text
    assert not re.search(r"\bMFU\b|GPU-hours|rent of the run {2,}\$|tokens/s", own)
    for page in ("Overview", "Memory", "Speed"):
        shown = "\n".join(plain(row) for row in page_lines(sizing, None, page, 78))
        assert "nvidia-smi" not in shown
        assert not re.search(r"\bMFU\b|GPU-hours|tok/s|\bRun\b", shown)


def test_markdown_is_as_short_as_text() -> None:
    sizing = size(BUILDS["deepseek"]())
    plain_one, whole = (report.render(sizing, "markdown", full=full) for full in (False, True))
    assert len(plain_one) < 0.5 * len(whole)
    assert "| nvlink-6 " not in plain_one
    assert "| nvlink-6 " in whole


def test_json_is_whole_either_way() -> None:
    sizing = size(BUILDS["new"]())
    assert report.render(sizing, "json", full=False) == report.render(sizing, "json")
