"""The entries of serving engines and training frameworks: every word has one, and what they name exists."""

from __future__ import annotations

import ast
from dataclasses import astuple, replace
from pathlib import Path
from typing import get_args

import pytest

import engine
from engine.calibration import serving_memory
from engine.decide.size import size
from engine.model.formats import FORMATS
from engine.runtimes import ENGINES
from engine.runtimes.engine import Engine, ServingEngine
from engine.runtimes.frameworks import ACCOUNTS, FRAMEWORKS, STAND_INS, OtherFramework, TrainingFramework
from engine.scenario import Runtime
from tests.engine.builds import build

ROOT = Path(engine.__file__).parent


def test_every_name_has_an_entry_of_its_own() -> None:
    assert tuple(ENGINES) == get_args(ServingEngine)
    assert set(FRAMEWORKS) == set(get_args(TrainingFramework))
    for table in (ENGINES, FRAMEWORKS):
        assert len({one.label for one in table.values()}) == len(table)
        assert all(name == one.id and one.source for name, one in table.items())


def test_who_has_no_entry_trains_by_one_that_has() -> None:
    assert tuple(STAND_INS) == get_args(OtherFramework)
    assert not set(STAND_INS) & set(FRAMEWORKS)
    assert all(name == one.id and one.by in FRAMEWORKS and one.source for name, one in STAND_INS.items())


@pytest.mark.parametrize("rules", ENGINES.values(), ids=lambda rules: rules.id)
def test_what_an_engine_names_exists(rules: Engine) -> None:
    assert getattr(serving_memory, rules.sampler) > 0
    assert getattr(serving_memory, rules.together) > 0
    assert set(rules.stored) | set(rules.stored.values()) <= set(FORMATS)
    assert rules.speed in ENGINES
    assert (rules.budget == "what is free") == (rules.buffers is not None)


def test_a_family_keeps_its_state_in_a_way_of_its_own() -> None:
    assert {one.family for one in FRAMEWORKS.values()} == set(ACCOUNTS)
    ways = [astuple(one) for one in ACCOUNTS.values()]
    assert len(set(ways)) == len(ways)
    assert all(len(set(rule)) > 1 for rule in zip(*ways, strict=True)), "a rule that tells no family apart"


def compared(tree: ast.AST) -> list[str]:
    """Names of engines and frameworks that a module compares something with."""
    names = {*ENGINES, *FRAMEWORKS, *ACCOUNTS}
    return [
        leaf.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        for leaf in ast.walk(node)
        if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str) and leaf.value in names
    ]


def test_no_formula_asks_for_the_name_of_an_engine_or_a_framework() -> None:
    assert compared(ast.parse('runtime.engine in ("vllm", "sglang")')) == ["vllm", "sglang"]
    assert compared(ast.parse('work.framework == "fsdp2"')) == ["fsdp2"]
    asked = {
        path.relative_to(ROOT).as_posix(): found
        for path in ROOT.rglob("*.py")
        if (found := compared(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert not asked


@pytest.mark.parametrize("name", ENGINES)
def test_an_entry_is_all_that_the_formulas_know(name: ServingEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine of another name with the rules of a known one is sized as that one."""
    twin = f"{name} by another name"
    monkeypatch.setitem(ENGINES, twin, replace(ENGINES[name], id=twin))  # type: ignore[arg-type, misc] # an engine that no session names
    cards = ("apple-m4-max-128gb",) * 2 if ENGINES[name].makers else ("h100-sxm", "mi300x")
    for model, weights, card in zip(("gpt-oss-20b", "qwen3-next-80b-a3b"), ("mxfp4", "fp8"), cards, strict=True):
        scenario = build(model, weights, card, 1 if ENGINES[name].makers else 4)
        known, other = (size(replace(scenario, runtime=Runtime(engine=one))) for one in (name, twin))  # type: ignore[arg-type] # likewise
        assert (other.layout, other.memory, other.serving) == (known.layout, known.memory, known.serving)
        assert other.answer.status == known.answer.status


def test_engines_are_told_apart_by_their_entries_alone() -> None:
    scenario = build("qwen3-next-80b-a3b", "fp8", "h100-sxm", 4)
    mac = build("qwen3-8b", "bf16", "apple-m4-max-128gb", 1)
    for asked, names in (
        (scenario, [name for name, rules in ENGINES.items() if not rules.makers]),
        (mac, [name for name, rules in ENGINES.items() if rules.makers or rules.kv_layout == "cells"]),
    ):
        sized = [size(replace(asked, runtime=Runtime(engine=name))) for name in names]
        assert len({(one.memory.kv_capacity_tokens, one.serving and one.serving.ttft_s) for one in sized}) == len(sized)
