"""The three people of the design at work by keyboard alone, and all of it by mouse alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from catalog import load
from tests.tui.builds import BUILDS
from tests.tui.driver import Driver, app_of, running
from tui.files import session
from tui.files.fields import BY_KEY, new_scenario


async def pick(app: Driver, key: str, words: str) -> None:
    """Go to a field with a list and take the first match."""
    await app.go_to(key)
    await app.press("enter")
    await app.type(words)
    await app.press("enter")


async def enter(app: Driver, key: str, text: str) -> None:
    """Go to a field and type into it."""
    await app.go_to(key)
    await app.type(text)


async def test_an_engineer_on_a_jump_host_finds_the_smallest_change() -> None:
    """80x24: will 405B carry 64 users on eight H100; if not, what is the smallest change?"""
    async with running(app_of(new_scenario(load())), 80, 24) as app:
        await pick(app, "model.id", "llama-3.1-405b")
        assert app.app.store.scenario.model.weights == "bf16"  # as it is published
        app.app.workbench.set_value(BY_KEY["model.weights"], "fp8")
        await pick(app, "hardware.accelerator", "h100-sxm")
        await enter(app, "hardware.gpus_per_node", "8")
        await enter(app, "workload.concurrency", "64")
        sizing = app.app.store.sizing
        assert sizing is not None
        assert not sizing.memory.fits
        await app.press("ctrl+t")
        assert "OVERLOADED" in app.text("#verdict")
        await app.settle()
        await app.press("a")
        sizing = app.app.store.sizing
        assert sizing is not None
        assert sizing.memory.fits
        assert sizing.answer.carries
        assert "Ctrl+Z takes it back" in app.text("#footer")
        await app.press("ctrl+z")
        assert app.app.store.scenario.model.kv_cache == "bf16"


async def test_a_builder_describes_defends_and_sends(tmp_path: Path) -> None:
    """Targets, the working of a figure, the session file and a report."""
    async with running(app_of(new_scenario(load()))) as app:
        await enter(app, "hardware.gpus_per_node", "8")
        await enter(app, "workload.ttft_target_s", "2")
        await enter(app, "workload.tokens_per_s_user_target", "15")
        await enter(app, "title", "support chat")
        assert "RUNS" in app.text("#verdict")
        await app.press("ctrl+t", "enter")
        assert "FROM" in app.text("#dialog-text")
        await app.press("escape", "ctrl+s", "ctrl+u")
        await app.type(str(tmp_path / "chat.toml"))
        await app.press("enter")
        assert session.load(tmp_path / "chat.toml").title == "support chat"
        await app.press("ctrl+e")
        await app.type("json")
        await app.press("enter", "ctrl+u")
        await app.type(str(tmp_path / "chat.json"))
        await app.press("enter")
        report = json.loads((tmp_path / "chat.json").read_text())
        assert report["title"] == "support chat"
        await app.press("ctrl+q")
        assert app.app.return_value == 0


async def test_a_lab_weighs_two_small_boxes_against_a_large_one() -> None:
    """Two boxes of four against one of eight, side by side; then which fine-tunes fit."""
    async with running(app_of(BUILDS["llama70b"]()), 200, 50) as app:
        await enter(app, "hardware.gpus_per_node", "4")
        await enter(app, "hardware.nodes", "2")
        await app.press("ctrl+t", "p", "escape")
        await enter(app, "hardware.nodes", "1")
        await enter(app, "hardware.gpus_per_node", "8")
        await app.press("ctrl+t", "9")
        compared = app.text("#detail")
        hardware = next(row for row in compared.splitlines() if "hardware" in row)
        assert "8 × rtx-pro" in hardware
        assert "2 nodes" in hardware
        await app.press("7")
        assert "POWER" in app.text("#detail")
        await app.press("escape")
        await app.go_to("workload.kind")
        fits = {}
        for letter in ("l", "q", "f"):
            await app.press(letter, "enter")
            sizing = app.app.store.sizing
            assert sizing is not None
            fits[sizing.scenario.workload.kind] = sizing.memory.fits
        assert fits == {"lora": True, "qlora": True, "full-finetune": False}


async def command(app: Driver, words: str) -> None:
    """Click a command in the palette; where the footer tells what was done, a click brings its keys back first."""
    if "Commands" not in app.text("#footer"):
        await app.click("#footer", app.text("#footer").strip()[:20])
    await app.click("#footer", "Commands")
    await app.click("#dialog-list", words)


async def test_all_of_it_by_mouse_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Open a session, edit it, open a working, apply a fix, pin, save, write a report, undo and leave: clicks only."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "asked.toml"
    session.save(BUILDS["llama405b"](), path)
    async with running(app_of(new_scenario(load()))) as app:
        store = app.app.store
        await command(app, "Open a session")
        await app.click("#dialog-list", "asked.toml")
        assert store.path is not None
        assert store.path.name == "asked.toml"

        await app.click("#form", "Users at once")
        await app.click("#form", "▸ users")
        assert store.scenario.workload.concurrency == 64
        await app.click("#form", "GPU ", 20)  # the list of cards
        await app.click("#dialog-list", "a100-sxm4-80gb ")
        assert store.scenario.hardware.accelerator.id == "a100-sxm4-80gb"
        assert store.sizing is not None
        assert not store.sizing.verdict.carried

        await app.click("#results", "weights ", skip=8)
        assert "FROM" in app.text("#dialog-text")
        await app.click("#dialog-keys", "back")

        await app.click("#tabs", "Verdict")
        await app.settle()  # what to do is looked for once the edits rest
        before = store.scenario
        await app.click("#results", "  apply")
        assert store.scenario != before
        assert store.sizing is not None
        assert store.sizing.verdict.carried

        await command(app, "Pin this build")
        assert [pin.name for pin in store.pins] == ["A"]

        await command(app, "Save the session")
        assert not store.dirty
        assert session.load(path) == store.scenario

        await command(app, "Copy or write the report")
        await app.click("#dialog-list", "as JSON")
        await app.click("#dialog-keys", "take")
        assert json.loads((tmp_path / "asked-report.json").read_text())["model"]["id"] == "llama-3.1-405b"

        await command(app, "Take back")
        assert store.pins == ()
        await app.click("#footer", "Undone")
        await app.click("#footer", "Quit")
        await app.click("#dialog-body", "Discard")
        assert app.app.return_value == 0
