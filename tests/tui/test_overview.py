"""The first page: the answer's four lines and a dozen more, few enough words to read at once, nothing said twice."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from catalog import build_scenario, load
from engine.decide.advice import OTHERS, advice
from engine.decide.fabric import article_links
from engine.decide.size import size
from engine.scenario import Scenario, Workload
from engine.scenario.change import change
from engine.scenario.fields import FIELDS
from tests.tui.builds import BUILDS, CHAT
from tests.tui.driver import FIRST_PAGE, app_of, running, words_in_sight
from tests.tui.figures import page_lines
from tui.app.widgets.canvas import Canvas
from tui.files import folds
from tui.pages.contents import overview
from tui.pages.doc import plain
from tui.pages.glyphs import UNICODE
from tui.pages.look import Look
from tui.pages.studies import Counsel, Studies

ASKED: dict[str, Callable[[], Scenario]] = {
    **BUILDS,
    "QLoRA of 70B on one card": lambda: build_scenario(
        "llama-3.1-70b", "bf16", "rtx-4090", 1, workload=Workload(kind="qlora", total_tokens=100_000_000)
    ),
    "405B on 8 cards of 96 GB": lambda: build_scenario(
        "llama-3.1-405b", "bf16", "rtx-pro-6000-server", 8, workload=replace(CHAT, concurrency=20)
    ),
    "R1 on two nodes": lambda: build_scenario("deepseek-r1", "fp8", "h100-sxm", 8, 2, workload=CHAT),
    "overloaded": lambda: build_scenario("llama-3.1-70b", "fp8", "rtx-pro-6000-server", 2, workload=CHAT),
}


@pytest.mark.parametrize("name", ASKED)
async def test_the_first_page_is_few_words(name: str) -> None:
    async with running(app_of(ASKED[name]()), 80, 24) as app:
        await app.press("ctrl+t")
        for screen, most in FIRST_PAGE.items():
            await app.resize(*screen)
            await app.settle()
            assert app.app.screen.query_one("#results", Canvas).size.height
            assert 40 < words_in_sight(app) < most, screen


async def test_rows_that_are_free_have_changes_and_what_stands_below_does_not_jump() -> None:
    async with running(app_of(ASKED["405B on 8 cards of 96 GB"]()), 80, 24) as app:
        await app.press("ctrl+t")
        await app.settle()
        after = app.text("#results").splitlines()
        app.app.studies.counsel = Counsel()
        app.app.workbench.results.update_lines()
        before = app.text("#results").splitlines()
    assert not any("more on Verdict" in row for row in after)
    assert sum(row.endswith("apply") for row in after) == OTHERS
    assert [row[:6] for row in before].index("PRICE ") == [row[:6] for row in after].index("PRICE ")


@pytest.mark.parametrize("rows", [9, 13, 17, 30])
def test_what_to_do_leaves_the_rest_of_a_screen_in_sight(rows: int) -> None:
    sizing = size(ASKED["405B on 8 cards of 96 GB"]())
    counsel = Counsel(asked=sizing.scenario, told=sizing.scenario, advice=advice(sizing.scenario, load()))
    lines = overview(sizing, Look(78, UNICODE, studies=Studies(size, counsel=counsel), rows=rows))
    texts = [plain(line) for line in lines]
    assert len(texts) <= max(rows, 12)
    assert any("more on Verdict" in text for text in texts) == (rows < 13)


@pytest.mark.parametrize("name", ASKED)
def test_the_overview_is_a_dozen_lines_or_a_few_more(name: str) -> None:
    sizing = size(ASKED[name]())
    for width in (60, 74, 78):
        rows = [plain(row) for row in page_lines(sizing, None, "Overview", width)]
        assert len(rows) <= 18
        assert max(map(len, rows)) <= width
        text = "\n".join(rows)
        assert "MEMORY" in text
        assert "WHAT TO DO" in text
        assert "PRICE" in text
        assert "FABRIC" in text
        for once in ("SPEED", "tok/s", "Holds", "VERDICT"):  # the answer above says them
            assert once not in text


def test_a_change_of_memory_says_what_made_it() -> None:
    scenario = BUILDS["llama70b"]()
    before, now = size(scenario), size(change(scenario, {"model.kv_cache": "fp8"}))
    shown = "\n".join(plain(row) for row in overview(now, Look(100, UNICODE, before)))
    assert re.search(r"by this edit: memory [-+]\d+\.\d GiB", shown), shown
    assert "by this edit" not in "\n".join(plain(row) for row in overview(now, Look(100, UNICODE)))


def test_the_fabric_page_leads_with_the_layout_in_use() -> None:
    sizing = size(ASKED["R1 on two nodes"]())
    for width in (60, 78, 120):
        rows = [plain(row) for row in page_lines(sizing, None, "Fabric", width)]
        assert rows[0].startswith("FABRIC  TP 8 x PP 2")
        text = "\n".join(rows)
        assert text.index("this layout on each link") < text.index("CROSSED IT INSTEAD")
        assert max(map(len, rows)) <= width
        inside, between = rows.index(" in the box"), rows.index(" between boxes")
        near = next(at for at, row in enumerate(rows) if row.lstrip().startswith("pcie5-switch"))
        far = next(at for at, row in enumerate(rows) if row.lstrip().startswith("eth-25-tcp"))
        assert inside < near < between < far
        assert (rows[near].split()[-1], rows[far].split()[-1]) == ("viable", "fine")
        for word in ("in-box", "optimal", "intra-node"):
            assert word not in text


async def test_all_links_are_shown_on_demand() -> None:
    sizing = size(ASKED["R1 on two nodes"]())
    more = len(sizing.fabric) - len(article_links(sizing.fabric))
    async with running(app_of(sizing.scenario), 80, 24) as app:
        await app.press("ctrl+t", "5")
        assert f"{more} more links of the catalog" in app.text("#results")
        assert "slingshot-11" not in app.text("#results")
        assert "m Links" in app.text("#footer")
        await app.press("m")
        assert all(row.link in app.text("#results") for row in sizing.fabric)
        await app.click("#results", f"{more} links beside the usual ones")
        assert "slingshot-11" not in app.text("#results")


def test_what_an_engine_takes_for_its_answers_is_no_activation() -> None:
    asked = build_scenario("qwen3-8b", "bf16", "h100-sxm", 8, workload=Workload(kind="grpo"))
    rolled, tuned = size(asked), size(change(asked, {"workload.kind": "full-finetune"}))
    for sizing, word, whole in (
        (rolled, "engine", "engine that answers, with its KV"),
        (tuned, "activations", "activations and loss, peak"),
    ):
        seen = "\n".join(plain(row) for row in page_lines(sizing, None, "Overview", 78))
        amount = f"{sizing.memory.worst.activation_bytes / 2**30:,.1f}"
        assert f" {word} {amount}" in seen
        assert re.search(
            rf"{whole} +{amount} GiB", "\n".join(plain(row) for row in page_lines(sizing, None, "Memory", 78))
        )


def test_the_format_of_a_base_is_told_where_there_is_one() -> None:
    full = build_scenario("qwen3-8b", "bf16", "h100-sxm", 8, workload=Workload(kind="dpo"))
    fold = next(fold for fold in folds.FOLDS if "workload.base_format" in fold.keys)
    for scenario, said in ((full, False), (change(full, {"workload.tuning": "qlora"}), True)):
        inside = [field for field in FIELDS if field.key in fold.keys]
        assert ("nf4" in folds.told(fold, inside, scenario, None)) == said
