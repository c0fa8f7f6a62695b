"""The fields: what they read, how they step, and what follows a change."""

from __future__ import annotations

import pytest

from catalog import load
from catalog.schema import keys_of
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.scenario import KINDS, Scenario
from engine.scenario.change import change, value_of
from tests.tui.builds import BUILDS
from tests.tui.driver import app_of, running
from tui.app.screens import study
from tui.files import fields, session, session_tables
from tui.files.fields import BY_KEY, FIELDS, InvalidEntry

START = BUILDS["llama70b"]()
MIXED = change(START, {"hardware.second_accelerator": "l40s"}, load())
NO_FIELD = {"model.config": "a file, which the Model field shows; its session is opened or written by hand"}


@pytest.mark.parametrize("field", [field for field in FIELDS if field.kind == "number"], ids=lambda field: field.key)
def test_numbers_step_both_ways_within_their_range(field: fields.Field) -> None:
    for up in (True, False):
        scenario = MIXED if field.key.startswith("hardware.second") else START
        for _ in range(40):
            value = fields.stepped(scenario, None, field, up)
            assert field.low <= value <= field.high
            scenario = change(scenario, {field.key: value}, load())
            assert fields.parse(field, fields.text_of(scenario, field)) == value


def every_kind(kind: str) -> list[Scenario]:
    """Builds of a kind of work: one card, two mixed kinds, two nodes with a pipeline; every price open."""
    weights = "bf16" if kind not in ("serve", "batch") else "fp8"
    found = []
    for start in (START, MIXED, change(START, {"hardware.nodes": 2}, load())):
        scenario = change(change(start, {"workload.kind": kind}), {"model.weights": weights})
        found.append(scenario)
    found[-1] = change(found[-1], {"layout.pp": 2, "workload.pipeline_schedule": "interleaved"})
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_steps_from_what_it_came_to(kind: str) -> None:
    open_numbers = set()
    for scenario in every_kind(kind):
        sizing = size(scenario)
        for field in fields.shown(scenario):
            opened = change(scenario, {field.key: None}, load()) if field.optional else scenario
            came_to = fields.auto_value(sizing, field) if fields.is_auto(opened, field) else None
            values = {up: fields.stepped(opened, sizing, field, up) for up in (True, False)}
            if field.kind == "number":
                assert all(field.low <= value <= field.high for value in values.values()), field.key
                for value in values.values():
                    assert change(opened, {field.key: value}, load()) is not None
            elif field.choices:
                assert all(value in dict(field.choices) for value in values.values()), field.key
            if field.kind == "number" and came_to is not None:
                open_numbers.add(field.key)
                assert values[False] <= came_to <= values[True], field.key
                assert values[False] < values[True], field.key
    assert {"money.gpu_price_usd", "money.electricity_usd_per_kwh", "layout.tp"} <= open_numbers


@pytest.mark.parametrize("kind", ["serve", "pretrain"])
async def test_left_and_right_on_every_field_of_the_form(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "PAUSE_S", 3600.0)
    scenario = every_kind(kind)[1]
    async with running(app_of(scenario)) as driver:
        form, store = driver.app.workbench.form, driver.app.store
        for field in form.fields:
            stepped = []
            for pressed in ("right", "left"):
                store.edit(change(scenario, {field.key: None}, load()) if field.optional else scenario)
                form.go_to(field.key)
                shown = fields.auto_value(store.sizing, field) if field.optional and store.sizing else None
                await driver.press(pressed, "escape")  # a list of the catalog opens
                stepped.append(value_of(store.scenario, field.key))
            if field.kind == "number":
                assert all(field.low <= value <= field.high for value in stepped), field.key
                assert stepped[0] > stepped[1] or (field.optional and shown is None), field.key
        assert {"money.gpu_price_usd", "money.electricity_usd_per_kwh"} <= {field.key for field in form.fields}


async def test_a_step_on_an_open_price_starts_at_the_catalogs() -> None:
    async with running(app_of(START)) as app:
        await app.go_to("money.electricity_usd_per_kwh")
        shown = fields.auto_value(app.app.store.sizing, BY_KEY["money.electricity_usd_per_kwh"])
        await app.press("right", "left", "left")
        stepped = app.app.store.scenario.money.electricity_usd_per_kwh
        assert stepped is not None
        assert shown - 0.02 < stepped < shown


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("workload.concurrency", "8k", 8000),
        ("workload.total_tokens", "1.5T", 1_500_000_000_000),
        ("workload.input_tokens", "7,000", 7000),
        ("layout.tp", "", None),
        ("layout.tp", "auto", None),
        ("workload.ttft_target_s", "500 ms", 0.5),
        ("runtime.memory_utilization", "92 %", 0.92),
        ("workload.deadline_days", "36 h", 1.5),
    ],
)
def test_what_a_field_reads(key: str, text: str, value: object) -> None:
    assert fields.parse(BY_KEY[key], text) == value


@pytest.mark.parametrize(
    ("key", "text"),
    [("workload.concurrency", ""), ("workload.concurrency", "0"), ("workload.concurrency", "1.5"), ("layout.tp", "x")],
)
def test_what_a_field_refuses_says_what_it_takes(key: str, text: str) -> None:
    with pytest.raises(InvalidEntry, match=r"allowed|needed"):
        fields.parse(BY_KEY[key], text)


def test_every_key_of_a_session_has_a_field_and_every_field_a_key() -> None:
    tables = {name: table for name, table in session_tables.TABLES.items() if name != "catalog"}
    keys = {f"{name}.{part}" for name, table in tables.items() for part in keys_of(table)}
    keys |= {key for key in session_tables.TOP_LEVEL if key != "schema"}
    assert keys - set(NO_FIELD) == set(BY_KEY)


def test_two_kinds_of_card_are_set_kept_and_taken_away() -> None:
    catalog = load()
    assert [(card.id, count) for card, count in MIXED.hardware.mixed] == [("rtx-pro-6000-server", 4), ("l40s", 4)]
    assert size(MIXED).memory.per_gpu[0].total_bytes < size(START).memory.per_gpu[0].total_bytes
    assert fields.current(MIXED, BY_KEY["hardware.accelerator"]) == "rtx-pro-6000-server"
    two = change(MIXED, {"hardware.second_gpus": 2}, catalog)
    assert session.parse(session.dump(two)) == two
    other = change(two, {"hardware.accelerator": "h100-pcie"}, catalog)
    assert [(card.id, count) for card, count in other.hardware.mixed] == [("h100-pcie", 6), ("l40s", 2)]
    assert change(two, {"hardware.accelerator": "l40s"}, catalog).hardware.mixed == ()
    assert change(MIXED, {"hardware.second_accelerator": None}, catalog).hardware == START.hardware
    with pytest.raises(ScenarioError, match=r"hardware.second_gpus.*1 to 7"):
        change(MIXED, {"hardware.second_gpus": 8}, catalog)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_its_fields_and_a_sizing(kind: str) -> None:
    scenario = change(START, {"workload.kind": kind})
    if kind not in ("serve", "batch"):
        scenario = change(scenario, {"model.weights": "bf16"})
    shown = {field.key for field in fields.shown(scenario)}
    assert ("workload.concurrency" in shown) == scenario.workload.is_inference
    assert ("workload.sequence_length" in shown) != scenario.workload.is_inference
    assert size(scenario)


def test_a_card_brings_its_links_and_a_count_keeps_a_chosen_one() -> None:
    catalog = load()
    changed = change(START, {"hardware.accelerator": "h100-sxm"}, catalog)
    assert changed.hardware.intra_link.id == "nvlink-4"
    kept = change(changed, {"hardware.intra_link": "pcie5-switch"}, catalog)
    assert change(kept, {"hardware.gpus_per_node": 4}, catalog).hardware.intra_link.id == "pcie5-switch"


def test_a_platform_sets_the_build() -> None:
    catalog = load()
    platform = next(entry for entry in catalog.facts.platforms if entry.accelerator and entry.gpus)
    changed = change(START, {"hardware.platform": platform.id}, catalog)
    assert changed.hardware.accelerator.id == platform.accelerator
    assert changed.hardware.gpus_per_node == platform.gpus


def test_a_published_format_follows_the_model() -> None:
    catalog = load()
    changed = change(START, {"model.id": "gpt-oss-120b"}, catalog)
    assert changed.model.weights == "mxfp4"
    assert change(changed, {"model.id": "llama-3.1-8b"}, catalog).model.weights != "mxfp4"


@pytest.mark.parametrize("build", BUILDS)
def test_every_field_left_open_shows_what_it_came_to(build: str) -> None:
    scenario = BUILDS[build]()
    sizing = size(scenario)
    opened = [
        field
        for field in fields.shown(scenario)
        if fields.is_auto(scenario, field) and "auto" in (field.empty, fields.current(scenario, field))
    ]
    assert len(opened) >= 4
    for field in opened:
        assert fields.chosen_by_auto(sizing, field), field.key


def test_what_a_field_came_to_is_what_is_sized() -> None:
    sizing = size(START)
    shown = fields.chosen_by_auto(sizing, BY_KEY["runtime.max_num_seqs"])
    entered = change(START, {"runtime.max_num_seqs": fields.parse(BY_KEY["runtime.max_num_seqs"], shown)})
    assert size(entered).memory.per_gpu == sizing.memory.per_gpu
    fewer = change(START, {"runtime.max_num_seqs": 16})
    assert fields.chosen_by_auto(size(fewer), BY_KEY["runtime.max_num_seqs"]) == "16"


def test_a_catalog_price_stands_beside_an_open_price() -> None:
    sizing = size(BUILDS["llama405b"]())
    assert fields.chosen_by_auto(sizing, BY_KEY["money.usd_per_gpu_hour"]).startswith("$")
    assert fields.chosen_by_auto(sizing, BY_KEY["money.host_price_usd"]) == ""
