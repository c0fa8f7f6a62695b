"""One table of words: complete, short, with sources and the engine's own thresholds, in the shell, the app and the docs."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from engine.decide.answer import RUNGS, STATUS_WORDS
from engine.decide.opened import figure_ids
from engine.decide.size import size
from engine.scenario.fields import BY_KEY
from engine.serving import memory as serving
from engine.sizing import FabricQuality, FabricWord, FigureKind, Headroom
from engine.training.memory import core as training
from scripts.write_docs import glossary_page
from tests.engine.builds import build
from tests.tui.driver import Driver, app_of, running
from tui.cli import main
from tui.pages import glossary
from tui.pages.doc import wrap

TERMS = tuple(glossary.terms())
SHELL = 88


def test_no_word_stands_twice() -> None:
    words = [word.casefold() for term in TERMS for word in (term.word, *term.also)]
    assert sorted(words) == sorted(set(words))


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.word)
def test_a_term_is_told_in_two_lines_and_says_where_from(term: glossary.Term) -> None:
    lines = wrap(term.means, SHELL - 2)
    assert len(lines) <= (3 if term in dict(glossary.SECTIONS)["Headroom"] else 2), lines
    assert term.source


def test_every_word_that_the_engine_judges_with_is_there() -> None:
    said = [get_args(words) for words in (Headroom, FabricWord, FabricQuality, FigureKind)]
    for word in (*(word for words in said for word in words), *STATUS_WORDS.values(), *RUNGS.values()):
        assert word == RUNGS["does-not-fit"] or glossary.find(word) is not None, word


def test_thresholds_are_those_of_the_engine() -> None:
    for words in (serving.HEADROOM_WORDS, training.HEADROOM_WORDS):
        for word, meaning in words:
            term = glossary.find(word)
            assert term is not None
            assert word == "does not fit" or meaning in term.means


def test_fields_and_figures_that_terms_are_of_exist() -> None:
    known = set(BY_KEY)
    for kind in ("serve", "batch", "lora", "full-finetune"):
        known |= set(figure_ids(size(build(accelerator="h200-sxm", nodes=2, kind=kind, total_tokens=10**9))))
    assert not [name for term in TERMS for name in term.of if name not in known]


@pytest.mark.parametrize(
    ("word", "found"),
    [("tp", "TP"), ("KV-Cache", "KV cache"), ("zero 3", "ZeRO-3"), ("replica", "replicas"), ("NVSwitch", "NVLink")],
)
def test_a_word_is_found_as_people_write_it(word: str, found: str) -> None:
    term = glossary.find(word)
    assert term is not None
    assert term.word == found


def test_help_of_a_word_a_field_a_command_and_a_stranger(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "mfu"]) == 0
    assert "Chowdhery" in capsys.readouterr().out
    assert main(["help", "runtime.max_num_seqs"]) == 0
    assert "runtime.max_num_seqs" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["help", "report"])
    assert "sizeup report" in capsys.readouterr().out
    assert main(["help"]) == 0
    out = capsys.readouterr().out
    assert all(term.word.split()[0] in out for term in TERMS)
    assert main(["help", "nvlnik"]) == 2
    assert "'NVLink'" in capsys.readouterr().err


def test_the_page_of_the_docs_is_current() -> None:
    page = Path(__file__).parents[2] / "docs" / "glossary.md"
    assert page.read_text(encoding="utf-8") == glossary_page()


def _shown(app: Driver) -> str:
    return app.text("#dialog-text")


async def test_help_is_of_the_focused_thing_first_then_of_the_page_then_the_keys() -> None:
    async with running(app_of(build()), 120, 36) as app:
        await app.go_to("layout.tp")
        await app.press("f1")
        text = _shown(app)
        assert text.index("THIS FIELD: TP") < text.index("Megatron") < text.index("WORDS ON THIS PAGE: Overview")
        assert text.index("WORDS ON THIS PAGE") < text.index("EVERYWHERE")
        await app.press("escape", "ctrl+t", "4")
        app.app.workbench._panel().chosen = "figure:serving.ttft_s"
        await app.press("question_mark")
        text = _shown(app)
        assert text.index("THIS FIGURE") < text.index("TTFT") < text.index("WORDS ON THIS PAGE: Speed")
        assert "prefill" in text
        assert text.count("\n TTFT  also") == 1  # once above is enough
