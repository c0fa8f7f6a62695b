"""`sizeup parts`: what a seller quotes from, in every form, and that nothing in it is a formula or steers a terminal."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.decide.builds import recommend
from engine.decide.size import size
from engine.money.shopping import SECTIONS, shopping, shopping_of
from engine.scenario import Money
from tests.engine.builds import build
from tests.fuzz import _cli, _hostile
from tests.tui.driver import app_of, running
from tui.cli import main
from tui.files import session
from tui.shell import parts

Run = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parents[2]
ONE_NODE = ROOT / "examples" / "70b-fp8-one-node.toml"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line here: its code, output and errors."""

    def ran(*arguments: str | Path) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return ran


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# --- what is on the list


def test_the_lines_to_buy_are_the_bill() -> None:
    sizing = size(build(accelerator="h100-sxm", nodes=2))
    entered = shopping_of(sizing)[0]
    buy = [part for part in entered.parts if part.section == "to buy"]
    assert [(part.item, part.quantity, part.usd) for part in buy] == [
        (line.item, line.quantity, line.usd) for line in sizing.cost.lines
    ]
    assert entered.known_usd == sizing.cost.buy_usd
    assert entered.total_w == sizing.power.total_w


def test_the_verdicts_build_has_a_list_of_its_own() -> None:
    sizing = size(build(accelerator="h100-sxm", nodes=2, concurrency=4))
    entered, named = shopping_of(sizing)
    assert sizing.cost.advised is not None
    assert (entered.why, named.known_usd) == ("as entered", sizing.cost.advised.buy_usd)
    same = size(build("llama-3.1-8b", accelerator="l40s", gpus_per_node=1, concurrency=1))
    assert len(shopping_of(same)) == 1


def test_what_a_node_holds_and_the_place_gives_is_counted_for_all_nodes() -> None:
    two = shopping(build(accelerator="h100-sxm", nodes=2), "")
    assert next(part.quantity for part in two.parts if part.item.startswith("power supply")) == 2 * (4 + 1)
    assert next(part.quantity for part in two.parts if part.item.startswith("circuit")) == 2 * 2  # feeds A and B
    assert next(part.quantity for part in two.parts if part.item.startswith("power strip")) == 2 * 2
    tower = shopping(build("llama-3.1-8b", accelerator="rtx-4090", gpus_per_node=1), "")
    assert (
        next(part.item for part in tower.parts if part.item.startswith("power supply")) == "power supply 1,000 W, ATX"
    )
    assert not any(part.item.startswith(("rack", "power strip")) for part in tower.parts)


def test_a_rack_is_fed_whole_however_few_of_its_gpus_are_used() -> None:
    eight = shopping(build("llama-3.1-8b", accelerator="gb200", gpus_per_node=8), "")
    assert eight.total_w == pytest.approx(120_000, rel=0.03)
    assert next(part.quantity for part in eight.parts if part.item.startswith("circuit")) == 7 * 2


def test_what_nobody_prices_is_asked_for() -> None:
    one = shopping(build("llama-3.1-8b", accelerator="mi325x"), "")
    assert one.known_usd is None
    assert not one.whole
    cards = next(part for part in one.parts if part.section == "to buy")
    assert (cards.usd, cards.key) == (None, "money.gpu_price_usd")
    site = [part for part in one.parts if part.section == "at the site"]
    assert site
    assert all(part.usd is None for part in site)
    mine = shopping(replace(build("llama-3.1-8b", accelerator="mi325x"), money=Money(gpu_price_usd=15_000.0)), "")
    assert mine.known_usd is not None


# --- its forms


def test_text_says_each_price_with_its_date_source_and_age(run: Run) -> None:
    code, out, err = run("parts", ONE_NODE)
    assert (code, err) == (0, "")
    assert [line for line in out.splitlines() if len(line) > 88] == []
    text = " ".join(out.split())
    for line in size(session.load(ONE_NODE)).cost.lines:
        assert f"{line.quantity}x {line.item}: " in text
        assert line.source in text
        assert line.as_of in text
    assert "days old" in run("parts", "--model", "llama-3.1-405b", "--accelerator", "h100-sxm", "--nodes", "2")[1]


def test_csv_adds_up_and_has_a_row_for_every_part(run: Run) -> None:
    code, out, _ = run("parts", ONE_NODE, "--format", "csv")
    assert code == 0
    found = rows(out)
    assert list(found[0]) == list(parts.CSV_HEAD)
    for name in {row["why"] for row in found}:
        of = [row for row in found if row["why"] == name]
        priced = [float(row["usd"]) for row in of if row["usd"] and row["section"] == "to buy"]
        assert float(of[-1]["usd"]) == pytest.approx(sum(priced))
        for row in of[:-1]:
            assert bool(row["usd"]) != (row["remark"] in ("ask", "included"))
            if row["usd"]:
                assert float(row["usd"]) == pytest.approx(int(row["quantity"]) * float(row["usd_each"]))
                assert row["price_of"]
                assert row["source"]


def test_markdown_has_a_table_a_section(run: Run) -> None:
    _, out, _ = run("parts", ONE_NODE, "--format", "markdown")
    assert out.startswith("# Parts: ")
    assert out.count("| count | part | each | in all | price of | source |") == len(SECTIONS) * out.count("\n## ")


def test_json_is_one_line_with_every_build(run: Run) -> None:
    _, out, _ = run("parts", ONE_NODE, "--format", "json")
    data = json.loads(out)
    assert out.count("\n") == 1
    lists = shopping_of(size(session.load(ONE_NODE)))
    assert [one["build"] for one in data["builds"]] == [one.name for one in lists]
    assert len(data["builds"][0]["parts"]) == len(lists[0].parts)


def test_each_recommended_build_has_its_list() -> None:
    scenario = build("llama-3.1-8b", accelerator="rtx-4090", gpus_per_node=1, concurrency=4)
    ranked = recommend(scenario)
    lists = parts.lists_of(size(scenario), ranked)
    told = [one for one in lists if one.why.startswith("recommended: ")]
    assert len(told) == len({id(item.option) for item in ranked})
    for item in ranked:
        mine = next(one for one in told if item.rank in one.why)
        assert mine.whole is (item.option.whole_usd is not None)
        if item.option.whole_usd is not None:
            assert mine.known_usd == pytest.approx(item.option.whole_usd)


def test_a_build_that_falls_short_leaves_with_3_and_a_bad_file_with_2(run: Run, tmp_path: Path) -> None:
    assert run("parts", "--model", "llama-3.1-405b", "--accelerator", "rtx-4090", "--gpus", "1")[0] == 3
    code, out, err = run("parts", tmp_path / "missing.toml")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1


# --- what others wrote


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2", "@SUM(A1)", " =1+1", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert not parts.cell_of(text).lstrip().startswith(parts.FORMULA)
    assert parts.cell_of("8x H100 SXM") == "8x H100 SXM"


def test_a_card_named_like_a_formula_stays_a_name() -> None:
    scenario = build("llama-3.1-8b", accelerator="l40s", gpus_per_node=2)
    card = replace(scenario.hardware.accelerator, id="mine", name='=HYPERLINK("x")', short_name='=HYPERLINK("x")')
    named = replace(scenario, hardware=replace(scenario.hardware, accelerator=card), money=Money(gpu_price_usd=1.0))
    text = parts.render(named, [shopping(named, "as entered")], "csv")
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert '\'=HYPERLINK("x")' in cells
    assert not any(cell.lstrip().startswith(parts.FORMULA) for cell in cells)


@pytest.mark.parametrize("form", parts.FORMS)
def test_titles_stay_harmless(form: str, tmp_path: Path) -> None:
    path = tmp_path / "tricks.toml"
    content = {
        "schema": 1,
        "title": "a" + "".join(_hostile.TERMINAL) + "b",
        "model": {"id": "llama-3.1-8b", "weights": "bf16"},
        "hardware": {"accelerator": "h100-sxm"},
    }
    path.write_text(_hostile.toml(content), encoding="utf-8")
    ran = _cli.run("parts", str(path), "--format", form)
    assert ran.code in (0, 3), ran.err
    _cli.expect_harmless(ran, form)


# --- from the app


@pytest.mark.parametrize(("words", "name"), [("csv", "parts.csv"), ("shopping", "parts.md")])
async def test_the_app_writes_it(tmp_path: Path, words: str, name: str) -> None:
    scenario = session.load(ONE_NODE)
    target = tmp_path / name
    async with running(app_of(scenario)) as app:
        await app.press("ctrl+e")
        await app.press(*words, "enter", "ctrl+u")
        await app.type(str(target))
        await app.press("enter")
        assert "Wrote" in app.text("#footer")
    written = target.read_text(encoding="utf-8")
    lists = parts.lists_of(size(scenario))
    assert written == parts.render(scenario, lists, "csv" if words == "csv" else "markdown")
