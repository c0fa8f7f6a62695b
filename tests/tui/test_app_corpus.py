"""A corpus and its date entered in the app, on a screen of 80 by 24."""

from __future__ import annotations

from dataclasses import replace

from engine.scenario import Scenario, Workload
from tests.tui.builds import BUILDS
from tests.tui.driver import app_of, running, settle
from tui.files import fields
from tui.files.session import dump, parse


def batch() -> Scenario:
    work = Workload(kind="batch", concurrency=64, input_tokens=2000, output_tokens=500)
    return replace(BUILDS["llama70b"](), workload=work)


def labels(scenario: Scenario) -> dict[str, str]:
    return {field.key: field.label for field in fields.shown(scenario)}


async def test_a_corpus_and_a_date_are_entered_and_decide() -> None:
    async with running(app_of(batch()), 80, 24) as app:
        await app.go_to("workload.total_tokens")
        assert "Corpus" in app.text()
        assert "prompts and answers together" in " ".join(app.text().split())
        await app.type("5B")
        assert app.app.store.scenario.workload.corpus_tokens == 5 * 10**9
        assert "for the corpus" in app.text()
        await app.go_to("workload.deadline_days")
        await app.type("1")
        assert "MISSES" in app.text()
        assert "asked 24.0 h" in app.text()
        await app.type("60")
        assert "RUNS" in app.text()


async def test_the_page_on_scaling_holds_the_corpus_against_gpus() -> None:
    scenario = batch()
    asked = replace(scenario, workload=replace(scenario.workload, total_tokens=5 * 10**9, deadline_days=1.0))
    async with running(app_of(asked), 80, 24) as app:
        await app.press("f2")
        for _ in range(12):
            if app.app.workbench.results.page == "Scaling":
                break
            await app.press("right")
        await app.pilot.pause(0.3)
        await settle(app.app)
        shown = app.text("#results")
        assert "Smallest in time: " in shown
        assert "GPU-hours" in shown
        assert "late" in shown
        actions = {span.action for row in app.app.workbench.results.lines for span in row if "corpus." in span.action}
        assert {"figure:corpus.8.days", "figure:corpus.8.gpu_hours", "figure:corpus.8.usd"} <= actions


def test_the_form_calls_the_tokens_of_a_batch_its_corpus() -> None:
    empty = batch()
    assert labels(empty)["workload.total_tokens"] == "Corpus"
    assert fields.text_of(empty, next(f for f in fields.shown(empty) if f.key == "workload.total_tokens")) == "none"
    assert "workload.deadline_days" not in labels(empty), "without a corpus there is nothing to be late with"
    assert "workload.total_tokens" not in labels(replace(empty, workload=Workload(kind="serve")))
    assert labels(replace(empty, workload=Workload(kind="lora")))["workload.total_tokens"] == "Whole run"


def test_a_corpus_comes_back_from_a_session() -> None:
    scenario = batch()
    asked = replace(scenario, workload=replace(scenario.workload, total_tokens=5 * 10**9, deadline_days=1.5))
    text = dump(asked)
    assert "total_tokens = 5000000000" in text
    assert parse(text).workload == asked.workload
    assert "total_tokens" not in dump(scenario)
    assert parse(dump(scenario)).workload.corpus_tokens is None
