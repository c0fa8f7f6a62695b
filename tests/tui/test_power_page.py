"""What the articles say of power and lanes, asked of the command line as docs/power.md does."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tui import cli

PAGE = (Path(__file__).parents[2] / "docs" / "power.md").read_text(encoding="utf-8")
CLAIMS = PAGE.partition("## What the articles say")[2]


def asked(command: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The JSON report that a command of the page prints."""
    words = [word for word in shlex.split(command)[1:] if word not in ("--format", "json")]
    cli.main([*words, "--format", "json"])
    data = json.loads(capsys.readouterr().out)
    assert isinstance(data, dict)
    return data


def test_every_command_of_the_page_runs_and_answers(capsys: pytest.CaptureFixture[str]) -> None:
    commands = re.findall(r"`(sizeup report [^`]+)`", CLAIMS)
    assert len(commands) >= 6
    said = {command: asked(command, capsys) for command in commands}
    power = {command: data["power"] for command, data in said.items()}

    def of(part: str) -> dict[str, Any]:
        return next(value for command, value in power.items() if part in command)

    assert of("b200-sxm")["gpu_w"] == 1000
    dual, four = of("rtx-pro-6000-workstation --gpus 2"), of("rtx-pro-6000-server --gpus 4")
    assert (dual["psu_w"], dual["circuit"]) == (2000, "120 V, 20 A")
    assert dual["node_w"] == pytest.approx(1780, abs=5)
    assert (dual["pcie_lanes_needed"], dual["pcie_lanes_board"]) == (32, 128)
    assert (four["psu_w"], four["supplies"], four["supply_w"], four["supplies_spare"]) == (4000, 2, 2000, 1)
    eight = of("rtx-pro-6000-server --gpus 8")
    assert eight["pcie_lanes_board"] == 160
    assert eight["host_memory_gib_min"] == pytest.approx(715, abs=1)
    pair = next(data for command, data in said.items() if "rtx-4090" in command)
    assert pair["power"]["pcie_lanes_board"] == 20
    assert "lanes-short" in [notice["id"] for notice in pair["warnings"]]


@pytest.mark.parametrize(
    ("build", "ours"),
    [
        ("DGX A100", "--accelerator a100-sxm4-80gb"),
        ("DGX H100", "--accelerator h100-sxm"),
        ("DGX B200", "--accelerator b200-sxm"),
        ("DGX B300", "--accelerator b300-sxm"),
        ("server with eight 600 W cards", "--accelerator rtx-pro-6000-server"),
        ("server with eight 300 W cards", "--accelerator rtx-pro-6000-max-q"),
    ],
)
def test_the_table_beside_published_builds_is_ours(build: str, ours: str, capsys: pytest.CaptureFixture[str]) -> None:
    row = re.search(rf"^\| {build} \| [\d.-]+ kW \| ([\d.]+) kW \|$", PAGE, re.MULTILINE)
    assert row is not None
    data = asked(f"sizeup report {ours} --gpus 8 --model qwen3-8b", capsys)
    assert data["power"]["node_w"] / 1000 == pytest.approx(float(row[1]), abs=0.051)


def test_the_answer_of_a_session_tells_where_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(
        ["report", "--full", "--accelerator", "h100-sxm", "--gpus", "8", "--nodes", "2", "--set", "money.region=europe"]
    )
    text = capsys.readouterr().out
    assert re.search(
        r"^circuits of a node +1 of 400 V, 32 A, three-phase, on feed A and on feed B$", text, re.MULTILINE
    )
    assert re.search(r"^nodes in a rack +1 \(by 8 U a node and 17\.7 kW a rack\)$", text, re.MULTILINE)
