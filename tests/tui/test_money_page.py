"""What the articles say of money, asked of the command line as docs/money.md does, with the answers that stand there."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tui import cli

PAGE = (Path(__file__).parents[2] / "docs" / "money.md").read_text(encoding="utf-8")
CLAIMS = PAGE.partition("## What the articles say of money")[2]
H100 = "sizeup report --accelerator h100-sxm --gpus 8"
H200 = "sizeup report --accelerator h200-sxm --gpus 8"
BURST = "--set money.hours_per_day=2 --set money.days_per_month=20"
API = "sizeup report --model llama-3.1-70b --accelerator h100-sxm --gpus 8 --concurrency 4 --input 2000 --output 500"
SMALL = "sizeup report --accelerator l40s --gpus 4 --nodes 2 --concurrency 200 --input 2000 --output 500"


def spread(data: dict[str, Any]) -> str:
    asked = sorted(offer["usd_per_hour"] for offer in data["cost"]["offers"] if offer["billing"] == "on-demand")
    return f"${asked[0]:.2f} to ${asked[-1]:.2f} an hour, {asked[-1] / asked[0]:.1f}x apart"


def pays(data: dict[str, Any]) -> str:
    return f"{data['cost']['break_even_months']:.1f} months"


def two_years(data: dict[str, Any]) -> str:
    row = next(row for row in data["cost"]["horizons"] if row["months"] == 24)
    return f"own ${row['own_usd']:,.0f}, rent ${row['rent_usd']:,.0f} over 24 months"


def crossing(data: dict[str, Any]) -> str:
    cost = data["cost"]
    limit, made = cost["api_crossing_tokens_per_month"], cost["tokens_per_month"]
    return f"below {limit / 1e9:.2f}B answer tokens a month; this load writes {made / 1e9:.2f}B"


def lines(rows: list[dict[str, Any]]) -> str:
    said = [f"{row['quantity']}x {row['item'].partition(' (')[0].partition(':')[0]} ${row['usd']:,.0f}" for row in rows]
    return "; ".join(said)


def both_bills(data: dict[str, Any]) -> str:
    cost = data["cost"]
    assert cost["advised"]["buy_usd"] < cost["buy_usd"]
    entered, named = lines(cost["lines"]), lines(cost["advised"]["lines"])
    return f"${cost['buy_usd']:,.0f} ({entered}) against ${cost['advised']['buy_usd']:,.0f} ({named})"


ANSWERS: list[tuple[str, Callable[[dict[str, Any]], str]]] = [
    (H100, spread),
    (H100, pays),
    (H200, pays),
    (f"{H200} --set money.usd_per_gpu_hour=4.30", pays),
    (f"{H200} --set money.usd_per_gpu_hour=9.87", pays),
    (f"{H100} {BURST}", two_years),
    (H100, two_years),
    (API, crossing),
    (SMALL, both_bills),
]


@pytest.mark.parametrize(("command", "answer"), ANSWERS)
def test_the_answer_on_the_page_is_what_the_command_says(
    command: str, answer: Callable[[dict[str, Any]], str], capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main([*shlex.split(command)[1:], "--format", "json"])
    said = answer(json.loads(capsys.readouterr().out))
    rows = [row for row in CLAIMS.splitlines() if f"`{command}`" in row]
    assert any(f"| {said} |" in row for row in rows), said


def test_no_claim_of_the_page_goes_unasked() -> None:
    commands = re.findall(r"`(sizeup report [^`]+)`", CLAIMS)
    assert set(commands) == {command for command, _ in ANSWERS}
