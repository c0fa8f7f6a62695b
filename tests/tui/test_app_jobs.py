"""Seven jobs that people come with, by keyboard in a new session and one by mouse: each ends with its answer on screen."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from catalog import load
from scripts.write_docs import keys_page
from tests.tui import jobs
from tests.tui.driver import Driver, app_of, running
from tests.tui.jobs import Job
from tui.files.fields import new_scenario

ROOT = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def done(job: Job, columns: int = 80, rows: int = 24) -> AsyncIterator[Driver]:
    """A new session in which the keys of a job were pressed."""
    async with running(app_of(new_scenario(load())), columns, rows) as app:
        for step in job.steps:
            if step == "|":
                await app.settle()
            elif len(step) == 1:
                await app.type(step)
            else:
                await app.press(step)
        yield app


async def test_405b_for_twenty_people() -> None:
    async with done(jobs.PEOPLE) as app:
        scenario, sizing = app.app.store.scenario, app.app.store.sizing
        assert (scenario.model.id, scenario.workload.concurrency) == ("llama-3.1-405b", 20)
        assert sizing is not None
        assert sizing.memory.fits
        assert "Ctrl+Z takes it back" in app.text("#footer")
        await app.press("ctrl+z")
        assert "DOES NOT FIT" in app.text("#verdict")


async def test_boxes_of_5090_under_a_price() -> None:
    async with done(jobs.BOXES) as app:
        hardware, sizing = app.app.store.scenario.hardware, app.app.store.sizing
        assert hardware.accelerator.id == "rtx-5090"
        assert sizing is not None
        assert sizing.memory.fits
        assert sizing.cost.buy_usd is not None
        assert sizing.cost.buy_usd <= 60_000


async def test_a_full_fine_tune_rented_or_bought() -> None:
    async with done(jobs.FINE_TUNE, 120, 50) as app:
        scenario = app.app.store.scenario
        assert (scenario.workload.kind, scenario.model.id) == ("full-finetune", "llama-3.1-70b")
        sizing, shown = app.app.store.sizing, app.text("#results")
        assert sizing is not None
        assert sizing.memory.fits
        assert all(words in shown for words in ("This run", "Rent a month", "Own a month", "TO RENT"))


async def test_r1_over_two_fabrics() -> None:
    async with done(jobs.FABRICS, 120, 50) as app:
        scenario, shown = app.app.store.scenario, app.text("#results")
        assert (scenario.model.id, scenario.hardware.nodes) == ("deepseek-r1", 2)
        assert "InfiniBand" in shown or "ib-" in shown
        assert "roce-" in shown or "GbE" in shown or "eth-" in shown


async def test_qlora_on_one_4090() -> None:
    async with done(jobs.ONE_CARD) as app:
        scenario = app.app.store.scenario
        assert (scenario.workload.kind, scenario.model.id) == ("qlora", "llama-3.1-8b")
        assert (scenario.hardware.accelerator.id, scenario.hardware.gpus) == ("rtx-4090", 1)
        assert "RUNS" in app.text("#verdict")


async def test_ones_own_model_on_ones_own_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 4096, "vocab_size": 32000}
    config |= {"num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 11008}
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "config.json").write_text(
        json.dumps(config | {"max_position_embeddings": 8192, "torch_dtype": "bfloat16"})
    )
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    async with done(jobs.OWN) as app:
        scenario = app.app.store.scenario
        assert scenario.model.name == "here"
        assert scenario.hardware.accelerator.id == "x1"
        assert scenario.hardware.accelerator.memory_bytes == 96_000_000_000
        assert scenario.hardware.accelerator.bandwidth_gb_s == 1800
    assert load().accelerator("x1").tflops_bf16_dense == 500  # another start knows it
    async with done(jobs.OWN) as app:  # a second of this name is refused, and says so
        assert "x1 is in the catalog already" in app.text("#dialog-list")


async def test_a_job_by_mouse_alone() -> None:
    async with running(app_of(new_scenario(load())), 120, 36) as app:
        for selector, begins, clicked in jobs.CLICKS:
            row = next(row for row in app.text(selector).splitlines() if begins in row)
            await app.click(selector, begins, row.rindex(clicked) - row.index(begins))
        hardware = app.app.store.scenario.hardware
        assert (hardware.accelerator.id, hardware.gpus) == ("h200-sxm", 8)
        assert "TO BUY" in app.text("#results")


@pytest.mark.parametrize("job", jobs.JOBS, ids=lambda job: job.asks)
def test_a_job_takes_fewer_keys_than_it_did(job: Job) -> None:
    assert job.count < (job.before if isinstance(job.before, int) else 40)


def test_the_page_of_keys_is_what_the_jobs_and_the_commands_make() -> None:
    assert (ROOT / "docs" / "keys.md").read_text(encoding="utf-8") == keys_page()
