"""Sentences of the golden builds: no number stands in their words, each figure is what it opens to, all forms say the same."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, get_type_hints

import pytest

from catalog import load
from engine.decide.advice import Advice
from engine.decide.opened import working
from engine.decide.size import size
from engine.figures.sentences import Figure, Sentence, text_of
from engine.scenario import Scenario
from engine.sizing import Sizing
from engine.sizing.common import Later, Rows
from tests.golden.frozen import sessions
from tests.tui.figures import page_lines, shown_by
from tests.tui.test_figures import figureless, names_of, unopened
from tests.tui.test_one_truth import INTERVALS, OF_ANOTHER, agrees, at
from tui.app.elsewhere import opened
from tui.files import session
from tui.pages.doc import plain
from tui.pages.studies import Studies
from tui.shell import report
from tui.shell.report_data import sizing_data

NAMES = tuple(sessions())
MARKED_DOWN = NAMES[::6]
"""Builds that are written as Markdown: the tables of a whole report take their time."""


@lru_cache(maxsize=len(NAMES))
def golden(name: str) -> tuple[Sizing, Studies]:
    """A golden build as it is sized today, with nothing searched beside it."""
    return size(session.parse(sessions()[name], file=name, known=load())), Studies(size)


def told(record: Any, path: str = "") -> Iterator[tuple[str, Sentence]]:
    """Every sentence of a record and of those in it, with where it stands; the scenario is what was asked."""
    if isinstance(record, tuple) and not hasattr(record, "_fields"):
        for number, one in enumerate(record):
            yield from told(one, f"{path}[{number}]")
        return
    names = getattr(record, "_fields", None) or [field.name for field in dataclasses.fields(record)]
    hints = _hints(record.__class__)
    for name in names:
        value, where = getattr(record, name), f"{path}.{name}".lstrip(".")
        if hints.get(name) == Sentence:
            yield where, value
        elif hints.get(name) == tuple[Sentence, ...]:
            yield from ((f"{where}[{number}]", one) for number, one in enumerate(value))
        elif not isinstance(value, Scenario) and _holds(value):
            yield from told(value, where)


@lru_cache(maxsize=64)
def _hints(kind: type[Any]) -> dict[str, Any]:
    """The types of a record's fields, as what is made later is read."""
    read = {Later[Sentence]: Sentence, Rows[Sentence]: tuple[Sentence, ...]}
    return {name: read.get(hint, hint) for name, hint in get_type_hints(kind).items()}


def _holds(value: Any) -> bool:
    """Whether a value may have sentences in it."""
    if isinstance(value, tuple):
        return bool(value) and (hasattr(value, "_fields") or _holds(value[0]))
    return dataclasses.is_dataclass(value)


@pytest.mark.parametrize("name", NAMES)
def test_no_number_of_a_sentence_stands_in_its_words(name: str) -> None:
    sizing, studies = golden(name)
    names = names_of(sizing, studies)
    sentences = dict(told(sizing))
    assert len(sentences) >= 40
    assert {"answer.why", "layout.reason", "verdict.headline", "verdict.reason"} <= sentences.keys()
    left = [
        f"{where}: {part!r}"
        for where, sentence in sentences.items()
        for part in sentence
        if isinstance(part, str) and re.search(r"\d", figureless(part, names))
    ]
    assert not left, "\n".join(left)


@pytest.mark.parametrize("name", NAMES)
def test_every_number_on_the_pages_of_a_golden_build_opens(name: str) -> None:
    left = unopened(*golden(name))
    assert not left, "\n".join(left)


@pytest.mark.parametrize("name", NAMES)
def test_each_figure_of_a_sentence_is_what_it_opens_to(name: str) -> None:
    sizing, studies = golden(name)
    names, data = names_of(sizing, studies), _json(sizing)
    wrong, seen = [], set[tuple[str, str]]()
    for where, sentence in told(sizing):
        change = _change(sizing, where)
        for part in sentence:
            if not isinstance(part, Figure) or not re.search(r"\d", part.text):
                continue
            assert part.figure, f"{where}: {part.text!r} opens to nothing"
            figure = part.figure.removeprefix("here:")
            figure = f"{change}{figure}" if change and figure == part.figure else figure
            if (part.text, figure) in seen:
                continue
            seen.add((part.text, figure))
            exact = at(data, figure)
            beside = figure in OF_ANOTHER and OF_ANOTHER[figure].search(part.text)
            if exact is not None and not INTERVALS.search(part.text) and not beside:
                good = agrees(part.text, figure, exact)
            else:
                found = opened(figure, sizing, studies)
                assert found is not None, f"{where}: {figure} does not open"
                good = shown_by(figureless(part.text, names), working(found.sizing, found.figure))
            if not good:
                wrong.append(f"{where}: {part.text!r} is not {figure}")
    assert len(seen) >= 10
    assert not wrong, "\n".join(wrong)


def _change(sizing: Sizing, where: str) -> str:
    """What the ids of a change on offer start with, of a sentence about one."""
    found = re.fullmatch(r"warnings\[(\d+)\]\.fix\.\w+", where)
    fix = sizing.warnings[int(found[1])].fix if found is not None else None
    return f"fix:{fix.field}={fix.value}@" if fix is not None else ""


def _json(sizing: Sizing) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(sizing_data(sizing, Advice(sizing.scenario))))
    return data


@pytest.mark.parametrize("name", NAMES)
def test_json_says_the_sentences_that_the_pages_show(name: str) -> None:
    sizing, studies = golden(name)
    data = _json(sizing)
    answer = sizing.answer
    assert data["answer"]["why"] == text_of(answer.why)
    assert data["answer"]["headline"].endswith(text_of(answer.why))
    assert data["answer"]["rung"] == text_of(answer.rung)
    assert [warning["message"] for warning in data["warnings"]] == [text_of(one.message) for one in sizing.warnings]
    assert [step["answer"] for step in data["verdict"]["steps"]] == [text_of(s.answer) for s in sizing.verdict.steps]
    assert data["layout"]["reason"] == text_of(sizing.layout.reason)
    shown = {page: _flat(page_lines(sizing, studies, page, 100)) for page in ("Verdict", "Memory")}
    for sentence in (*(one.message for one in sizing.warnings), *(step.answer for step in sizing.verdict.steps)):
        assert _one_line(text_of(sentence)) in shown["Verdict"]
    for sentence in (sizing.layout.reason, sizing.memory.headroom_reason[1:]):
        assert _one_line(text_of(sentence)) in shown["Memory"]


@pytest.mark.parametrize("name", MARKED_DOWN)
def test_markdown_says_the_sentences_of_the_json_report(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sizing, _ = golden(name)
    monkeypatch.setattr(report, "whole", lambda one: one)  # flips and changes on offer are searches of their own
    monkeypatch.setattr(report, "advice", lambda scenario, _: Advice(scenario))
    written = _one_line(report.render(sizing, "markdown").replace("\\", ""))
    data = json.loads(report.render(sizing, "json"))
    told_there = [data["answer"]["headline"], data["answer"]["rung"], data["verdict"]["headline"]]
    told_there += [warning["message"] for warning in data["warnings"]]
    told_there += [step["answer"] for step in data["verdict"]["steps"]]
    for words in told_there:
        assert _one_line(words) in written, words


def _flat(rows: list[Any]) -> str:
    return _one_line(" ".join(plain(row) for row in rows))


def _one_line(text: str) -> str:
    return " ".join(text.split())
