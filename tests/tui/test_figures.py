"""Every number on every page opens, to a working in which that number stands."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import pytest

from engine.decide.opened import Working, working
from engine.decide.size import size
from engine.figures.sentences import text_of
from engine.model.formats import FORMATS
from engine.runtimes.frameworks import FRAMEWORKS
from engine.scenario import Scenario, Workload
from engine.sizing import Sizing
from tests.arithmetic import computed
from tests.engine.builds import SCENARIOS, priced
from tests.tui.builds import BUILDS
from tests.tui.figures import numbers, opens, opens_to, page_lines, shown_by, studied
from tui.app import elsewhere
from tui.pages.contents import PAGES
from tui.pages.doc import Span, plain
from tui.pages.studies import Studies

WIDE = 400
"""No sentence wraps here, so that phrases can be told."""


def _deadline() -> Scenario:
    work = Workload(kind="lora", sequence_length=4096, total_tokens=2_000_000_000, deadline_days=1.5, budget_usd=9000)
    return replace(BUILDS["finetune"](), workload=work)


def _frontier() -> Scenario:
    work = Workload(kind="pretrain", total_tokens=15_000_000_000_000, global_batch_tokens=1 << 22, deadline_days=60)
    return replace(BUILDS["finetune"](), workload=work)


SHOWN: dict[str, Callable[[], Scenario]] = {
    **BUILDS,
    "LoRA with limits": _deadline,
    "frontier": _frontier,
    "priced": lambda: priced(BUILDS["llama70b"]()),
    "QLoRA": SCENARIOS["QLoRA"],
    "over the card": SCENARIOS["over the card"],
    "too many users": SCENARIOS["too many users"],
    "pipeline of four": SCENARIOS["pipeline of four"],
    "one GPU": SCENARIOS["one GPU, 8B"],
}

NAMES = (
    (
        r"\b(?:TP|PP|DP|EP) ?\d+|\bINT4|\bg128|\bFP\d+|\bNF4|\bBF16|\bZeRO-\d(?: over \d+)?",
        "how a model is split and its formats",
    ),
    (r"\b\d+ replicas?\b(?! of)|experts over \d+|DP attention \d+", "how the GPUs of a layout are split"),
    (
        r"\b\d[\d,]*(?:-GPU|-bit| bits| nodes?(?: (?:[×x]|of) \d+)?\b| × \d+| ?[x×](?= )| GPUs?\b| cards\b)",
        "counts in the name of a build",
    ),
    (r"^\s*[\d,]+ ×|\beach of \d+|\bstages? \d+(?:-\d+)?(?: of \d+)?", "counts of a line or a group"),
    (r"\bstep \d(?: of \d)?\b|^ *\d *$", "numbers of steps and flips"),
    (r"\b20\d\d(?:-\d\d){0,2}|\breserved-\dy", "dates and terms of an offer"),
    (r"\b\d+ (?:errors?|warnings?|more|unknown|found|of \d+ cards|on-demand offers)\b|\bon \d+ cards", "tallies"),
    (
        r"[\d.kM]+ users? × (?:[\d.k]+ \+ )?[\d.k]+|(?:-finetune|pretrain|lora|dpo|grpo), [\d.k]+ tokens",
        "an input, as entered",
    ),
    (r"70B\+", "the class of a question"),
)
"""Patterns of numbers that name something or echo an input: no figures of a sizing; and why."""
SAID = (
    (
        r"engines preempt above 95 %|Weights above 95 %|split over \d+\)|rule: 60-70 %|above 60-70 %|most measured, 86 %",
        "rules stated beside a figure",
    ),
    (r"(?:from|fine:|viable:|painful:) (?:85|60|25) %|the floor of 0\.60", "what the words of a scale mean"),
    (r"\d+ V, \d+ A|give or take [\d-]+ %|(?<![.\d])\d+ (?:TB|ports)\b", "names of parts and their spread"),
    (r"16-bit|\b16 in embeddings|fp32|section \d\.\d|rank \d+", "how a state is kept"),
    (
        r"less than 60 % of its work|for \d+, sold in|(for \d+, )?sold as a rack of \d+|4-5 times",
        "rules and how things are sold",
    ),
    (r"\d+ x\d+ slots|one x16 slot|a board of 7|, of 7:|\(x8 and x8|air up to 30 kW", "slots and cooling in words"),
    (r"\d+ days old|\b20\d\d to (?=20)", "the date and the age of a price"),
    (
        r"\b\d+ TFLOP/s stand in|tflops_bf16_dense|Up to 3 can be pinned",
        "what stands for a figure that nobody states, and a limit of ours",
    ),
    (r"in nodes of \d+|^\s*(?:12|24|36)\s*$|36 months", "scales"),
)
"""The same of constants that a sentence states."""
AXES = re.compile(r"^ +[$\d.,kMB]+ $|^ *(?:GPUs|months)? +\d+(?: {3,}[\d.,kMB]+)+$")
"""The scales of charts that stand among figures: a value beside the upright axis, or the row of them under the other."""
CHARTS = re.compile(r"^[\s\d.,kMBTdhmsµ$x%◂]*(?:min|days)?\s*$|now [\d,.]+|^\s*cost\s|^flips|^ *link +GB/s")


@lru_cache(maxsize=32)
def shown(name: str) -> tuple[Sizing, Studies]:
    """A build sized and studied, once."""
    scenario = SHOWN[name]()
    others = [BUILDS["llama405b"](), BUILDS["finetune"]()]
    vendors = () if name in ("llama70b", "finetune") else ("AMD",)  # the whole catalog takes its time
    return size(scenario), studied(scenario, *others, vendors=vendors)


def names_of(sizing: Sizing, studies: Studies) -> tuple[list[str], list[str]]:
    """Names with digits that stand on the pages: whole texts of the catalog, then models, cards, links and formats."""
    bought = (*sizing.cost.lines, *(sizing.cost.advised.lines if sizing.cost.advised is not None else ()))
    texts = {text for line in bought for text in (line.source, line.item)}
    found: set[str] = set()
    for scenario in (sizing.scenario, *(pin.scenario for pin in studies.pins)):
        facts, model, hardware = scenario.facts, scenario.model, scenario.hardware
        found |= {model.name, model.id, model.weights, scenario.format_held}
        found |= {hardware.accelerator.name, hardware.accelerator.label}
        found |= {card.id for card in facts.accelerators} | {card.label for card in facts.accelerators}
        found |= {form.label for form in FORMATS.values()} | {platform.id for platform in facts.platforms}
        found |= {link.id for link in facts.links}
        found |= {one.name for one in FRAMEWORKS.values()} | {one.label for one in FRAMEWORKS.values()}
        texts |= {link.name for link in facts.links}
    return _longest_first(texts), _longest_first(found)


def _longest_first(names: set[str]) -> list[str]:
    return sorted((name for name in names if re.search(r"\d", name)), key=len, reverse=True)


def figureless(text: str, names: tuple[list[str], list[str]]) -> str:
    """The text without names, and numbers that are no figures of the build."""
    for name in names[0]:
        text = text.replace(name, " ")
    for pattern, _ in (*SAID, *NAMES):
        text = re.sub(pattern, " ", text)
    for name in names[1]:
        text = text.replace(name, " ")
    return text


def is_scale(page: str, span: Span) -> bool:
    """Whether a span is the scale of a chart, or a value that Enter enters."""
    if span.action.startswith(("take:", "limit:", "pin:")):
        return True
    if span.style == "dim" and not span.action and AXES.search(span.text):
        return True
    return page in ("Scaling", "What if", "Fabric") and not span.action and CHARTS.search(span.text) is not None


def unopened(sizing: Sizing, studies: Studies) -> list[str]:
    """The numbers on all pages that neither open, nor name something, nor are a stated rule."""
    names = names_of(sizing, studies)
    left: list[str] = []
    for page in PAGES:
        for row in page_lines(sizing, studies, page, WIDE):
            for span in row:
                if span.action.startswith("figure:") or is_scale(page, span):
                    continue
                # what a change on offer changes stands before the colon, what it brings after it
                text = span.text.removeprefix("asking for less:")
                text = text.partition(":")[2] if span.action.startswith(("apply:", "fix:")) else text
                if re.search(r"\d", figureless(text, names)):
                    left.append(f"{page}: {span.text!r} {span.action}")
    return left


@pytest.mark.parametrize("name", SHOWN)
def test_every_number_on_every_page_opens(name: str) -> None:
    left = unopened(*shown(name))
    assert not left, "\n".join(left)


@pytest.mark.parametrize("name", SHOWN)
def test_what_opens_holds_the_number_that_was_shown(name: str) -> None:
    sizing, studies = shown(name)
    names = names_of(sizing, studies)
    opened: dict[str, Working] = {}
    wrong: list[str] = []
    for page in PAGES:
        for row in page_lines(sizing, studies, page, 78):
            for span in row:
                if not span.action.startswith("figure:") or not re.search(r"\d", span.text):
                    continue
                figure = span.action.removeprefix("figure:")
                made = opened.get(figure) or opened.setdefault(figure, opens_to(sizing, studies, figure))
                if not shown_by(figureless(span.text, names), made):
                    wrong.append(f"{page}: {span.text!r} is not in {figure}: {made.value} {made.unit}")
    assert opened
    assert not wrong, "\n".join(wrong)


KINDS = {"entered", "counted", "data sheet", "rule of thumb", "fitted", "measured"}
"""How what is given is known: nothing else ends a working."""


def first_figure(sizing: Sizing, studies: Studies, page: str) -> str:
    """The first number of a page that opens."""
    spans = (span for row in page_lines(sizing, studies, page, 118) for span in row)
    opens = (span for span in spans if span.action.startswith("figure:") and re.search(r"\d", span.text))
    return next(opens).action.removeprefix("figure:")


@pytest.mark.parametrize("name", ["llama70b", "finetune"])
def test_a_figure_of_each_page_opens_down_to_what_is_given(name: str) -> None:
    """Step by step, as a person takes them, to named inputs with a source; what is fitted says its error or its logs."""
    sizing, studies = shown(name)
    ended: dict[str, str] = {}
    for page in PAGES:
        found = elsewhere.opened(first_figure(sizing, studies, page), sizing, studies)
        assert found is not None, page
        waiting, known = [found.figure], {found.figure}
        for step in waiting:  # it grows while it is read
            for entry in working(found.sizing, step).inputs:
                if entry.figure:
                    waiting += [] if entry.figure in known else [entry.figure]
                    known.add(entry.figure)
                    continue
                assert entry.label, (page, step, entry)
                assert entry.source, (page, step, entry)
                assert entry.kind != "fitted" or re.search(r"\d %|\d logs?", entry.source), (page, step, entry)
                ended[entry.kind] = page
    assert {"entered", "counted", "data sheet", "rule of thumb", "fitted"} <= ended.keys() <= KINDS


def test_the_arithmetic_of_other_builds_gives_their_figures() -> None:
    sizing, studies = shown("llama70b")
    figures = {
        span.action.removeprefix("figure:")
        for page in ("Builds", "Compare", "What if")
        for row in page_lines(sizing, studies, page, 78)
        for span in row
        if span.action.startswith("figure:") and "@" in span.action
    }
    assert {figure.partition(":")[0] for figure in figures} >= {"build", "pin", "at"}
    for figure in sorted(figures):
        for below in opens(sizing, studies, figure):
            if below.value is not None:
                assert computed(below) == pytest.approx(below.value, rel=1e-6), (figure, below.figure)


def test_a_number_that_is_not_what_it_opens_to_is_found() -> None:
    sizing, studies = shown("llama70b")
    (made, *_) = opens(sizing, studies, "serving.ttft_s")
    assert made.value is not None
    assert shown_by(f"{made.value:.2f} s", made)
    assert not shown_by(f"{made.value * 1.37:.3f} s", made)
    assert list(numbers("1.25M of 12 %")) == [(1_250_000.0, 5_000.0), (12.0, 0.5)]


@pytest.mark.parametrize("name", ["llama405b", "finetune", "mixtral", "over the card", "LoRA with limits"])
def test_sentences_stand_whole_where_their_figures_open(name: str) -> None:
    sizing, studies = shown(name)

    def text(page: str) -> str:
        rows = page_lines(sizing, studies, page, 60)
        return " ".join(" ".join(plain(row) for row in rows).split())

    verdict = text("Verdict")
    for notice in sizing.warnings:
        assert " ".join(text_of(notice.message).split()) in verdict
    for step in sizing.verdict.steps:
        assert " ".join(text_of(step.answer).split()) in verdict
    reason = text_of(sizing.memory.headroom_reason)
    assert reason[1:] in text("Memory")
    assert text_of(sizing.layout.reason) in text("Memory")
    prospects = studies.scaling.prospects
    if prospects is not None and prospects.smallest is not None:
        assert text_of(prospects.smallest.words) in text("Scaling")
