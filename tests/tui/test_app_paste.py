"""The paste box: text of many lines is read as a session, shown with its list, and opened when somebody says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events

from catalog.scenarios import build_scenario
from engine.scenario import Scenario
from tests.tui.driver import app_of, running
from tests.tui.test_import import SMI

COMMAND = "vllm serve Qwen/Qwen3-32B \\\n  --tensor-parallel-size 2 \\\n  --max-model-len 16384 --frobnicate 7\n"


@pytest.fixture
def scenario() -> Scenario:
    return build_scenario("llama-3.1-8b", "bf16", "rtx-4090", 1)


async def test_a_command_is_pasted_read_and_opened(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await app.press("ctrl+v")
        assert "Paste it here" in app.text()
        await app.send(events.Paste(COMMAND))
        assert "4 lines" in app.text()
        await app.press("enter")
        text = app.text()
        assert "Read as a session" in text
        assert "layout.tp = 2" in text
        assert "not understood" in text
        assert "--frobnicate 7" in text
        await app.press("o")
        assert app.app.store.scenario.model.id == "qwen3-32b"
        assert app.app.store.scenario.layout.tp == 2


@pytest.mark.parametrize("at", ["inputs", "results"])
async def test_lines_pasted_anywhere_are_read(scenario: Scenario, at: str) -> None:
    async with running(app_of(scenario)) as app:
        if at == "results":
            await app.press("ctrl+t")
        await app.send(events.Paste(SMI))
        assert "hardware.accelerator = l40s" in app.text()
        await app.press("o")
        assert app.app.store.scenario.hardware.gpus_per_node == 4


async def test_what_is_not_understood_stays_in_the_box_with_the_reason(scenario: Scenario, tmp_path: Path) -> None:
    file = tmp_path / "start.sh"
    file.write_text(COMMAND)
    async with running(app_of(scenario)) as app:
        await app.press("ctrl+v", "enter")
        assert "nothing is pasted yet" in app.text()
        await app.type("hello")
        await app.press("enter")
        assert "nothing here is understood" in app.text()
        assert "hello" in app.text()
        await app.press("ctrl+u")
        await app.type(str(file))
        await app.press("enter")
        assert "layout.tp = 2" in app.text()
        await app.press("escape")
        assert app.app.store.scenario == scenario


async def test_unsaved_work_is_asked_about(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await app.go_to("workload.concurrency")
        await app.type("9")
        await app.press("tab")
        await app.send(events.Paste(COMMAND))
        await app.press("o")
        assert "opening what was pasted" in " ".join(app.text().split()) or "unsaved" in app.text().lower()
        await app.press("escape")
        assert app.app.store.scenario.model.id == "llama-3.1-8b"


async def test_one_line_in_a_field_is_the_fields(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await app.go_to("workload.concurrency")
        await app.send(events.Paste("12"))
        await app.press("tab")
        assert app.app.store.scenario.workload.concurrency == 12
