"""A model that is named gets the format that it is published in, by every door; a new session is the same behind each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import catalog
from engine.scenario import Scenario
from tests.tui.commands import Run
from tests.tui.driver import app_of, running
from tui import cli
from tui.app.screens.picked import ModelFile, Several
from tui.app.screens.pickers import picker_for
from tui.files import fields, session

MODELS = ("llama-3.1-70b", "llama-3.1-8b", "gpt-oss-20b", "deepseek-v3", "kimi-k2.5")


def published(model_id: str) -> str:
    return catalog.load().model(model_id).architecture.checkpoint_format


def _reported(run: Run, *arguments: str) -> tuple[str, str]:
    model = json.loads(run("report", *arguments, "--format", "json").out)["model"]
    return model["id"], model["weights"]


@pytest.mark.parametrize("model_id", MODELS)
async def test_a_named_model_has_its_published_format_by_every_door(
    run: Run,
    model_id: str,
    tmp_path: Path,
) -> None:
    file = tmp_path / "session.toml"
    file.write_text(
        f'schema = 1\n[model]\nid = "{model_id}"\n[hardware]\naccelerator = "h200-sxm"\ngpus_per_node = 8\n',
        encoding="utf-8",
    )
    opened: Scenario = cli._start(None, {"model.id": model_id})[0]
    doors = {
        "report --model": _reported(run, "--model", model_id),
        "report --set": _reported(run, "--set", f"model.id={model_id}"),
        "report FILE": _reported(run, str(file)),
        "sizeup --model": (opened.model.id, opened.model.weights),
    }
    async with running(app_of(fields.new_scenario(catalog.load()))) as app:
        bench = app.app.workbench
        bench.set_value(fields.BY_KEY["model.id"], model_id)
        model = app.app.store.scenario.model
        doors["the app's picker"] = (model.id, model.weights)
    assert doors == dict.fromkeys(doors, (model_id, published(model_id)))


async def test_a_repository_s_name_is_its_model_and_format_in_the_app_too() -> None:
    async with running(app_of(fields.new_scenario(catalog.load()))) as app:
        dialog = picker_for(app.app, fields.BY_KEY["model.id"])
        (row,) = dialog.elsewhere("Qwen/Qwen3-32B-AWQ") or ()
        assert row.value == Several((("model.id", "qwen3-32b"), ("model.weights", "int4-awq")))
        (row,) = dialog.elsewhere("Qwen/Qwen3-32B") or ()
        assert row.value == "qwen3-32b"
        (row,) = dialog.elsewhere("turboderp/Qwen3-32B-exl3") or ()
        assert row.cells[0] == "its format cannot be sized"
        (row,) = dialog.elsewhere("folder/of-ones-own") or ()
        assert isinstance(row.value, ModelFile)


def test_a_new_session_is_the_same_behind_every_door(run: Run) -> None:
    new = fields.new_scenario(catalog.load())
    assert (new.model.id, new.model.weights) == (fields.NEW_MODEL, fields.NEW_WEIGHTS)
    assert cli._start(None, {})[0] == new
    assert _reported(run) == (new.model.id, new.model.weights)
    assert f'weights = "{fields.NEW_WEIGHTS}"' in session.dump(new)


async def test_a_format_that_somebody_chose_stays_by_every_door(run: Run, tmp_path: Path) -> None:
    assert _reported(run, "--model", "llama-3.1-8b", "--weights", "int4") == ("llama-3.1-8b", "int4")
    file = tmp_path / "session.toml"
    file.write_text(
        'schema = 1\n[model]\nid = "llama-3.1-70b"\nweights = "fp8"\n[hardware]\naccelerator = "h200-sxm"\n'
        "gpus_per_node = 8\n",
        encoding="utf-8",
    )
    assert _reported(run, str(file), "--model", "llama-3.1-8b") == ("llama-3.1-8b", "fp8")
    async with running(app_of(fields.new_scenario(catalog.load()))) as app:
        bench = app.app.workbench
        bench.set_value(fields.BY_KEY["model.weights"], "int8")
        bench.set_value(fields.BY_KEY["model.id"], "llama-3.1-8b")
        assert app.app.store.scenario.model.weights == "int8"
    async with running(app_of(session.load(file), file)) as app:
        app.app.workbench.set_value(fields.BY_KEY["model.id"], "llama-3.1-8b")
        assert app.app.store.scenario.model.weights == "fp8"
