"""Public runs whose command is stated: imported, sized, and what came of them beside it (`pytest -s` prints the table)."""

from __future__ import annotations

import re
import statistics
from pathlib import Path

import pytest

from catalog.names import resolve_accelerator
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from tests.accuracy.harness import REFERENCE, Row, load_rows
from tests.accuracy.speed_loads import CHATS_DIFFER, of_chats
from tui.paste import reading
from tui.paste.found import CannotRead

COMMAND = re.compile(r"cmd: ((?:vllm serve|(?:python3? -m )?sglang\.?launch_server|.*launch_server) [^;]+)")
ROWS = [row for row in load_rows(REFERENCE / "inference_perf.jsonl") if COMMAND.search(str(row.get("notes") or ""))]


def command_of(row: Row) -> str:
    """The command that a row states, as somebody would paste it."""
    found = COMMAND.search(str(row["notes"]))
    assert found is not None
    return re.sub(r"^.*?launch_server", "python3 -m sglang.launch_server", found[1])


def imported(row: Row) -> tuple[list[str], list[str], str, float, float]:
    """Of a row: what was not understood and assumed, the answer, and tokens/s predicted and observed."""
    found = reading.read(command_of(row))
    scenario = reading.scenario_of(
        found,
        {
            "hardware.accelerator": resolve_accelerator(row["gpu"]),
            "hardware.gpus_per_node": int(row["n_gpus"]),
            "workload.concurrency": int(row["concurrency"]),
            "workload.input_tokens": int(row["isl"]),
            "workload.output_tokens": int(row["osl"]),
            "workload.requests": int(row["concurrency"]),
            "workload.output_spread": CHATS_DIFFER if of_chats(row) else None,
        },
    )
    assert found.value("layout.tp") in (row["tp"], 1)
    sizing = size(scenario)
    predicted = sizing.serving.tokens_per_s_total if sizing.serving is not None else 0.0
    return found.unknown, found.assumed, sizing.answer.status, predicted, row["output_tok_s"]


def ten() -> list[Row]:
    """Ten of them, each of another model or card, spread over the table."""
    found: dict[tuple[str, str], Row] = {}
    for row in ROWS:
        found.setdefault((row["model"], row["gpu"]), row)
    every = list(found.values())
    return [every[number * len(every) // 10] for number in range(10)]


def line_of(row: Row) -> str:
    """A row of the table of docs/imports.md: what was typed, under which load, the answer and what came of it."""
    _, _, status, predicted, observed = imported(row)
    load = f"{row['concurrency']:,} at once, {row['isl']:,} and {row['osl']:,} tokens"
    typed = re.sub(r" --(?:host|port|trust-remote-code)(?: [\d.]+)?", "", command_of(row)).strip()
    return f"| `{typed}` | {row['n_gpus']}x {row['gpu']} | {load} | {status} | {predicted:,.0f} | {observed:,.0f} |"


@pytest.mark.parametrize("number", range(10))
def test_the_ten_runs_of_the_docs_come_out_as_they_say(number: int) -> None:
    """A figure may drift by a tenth before the table is written anew: `python -m tests.tui.test_import_rows`."""
    text = (Path(__file__).parents[2] / "docs" / "imports.md").read_text(encoding="utf-8")
    cells = line_of(ten()[number]).split(" | ")
    (there,) = [line.split(" | ") for line in text.splitlines() if line.startswith(" | ".join(cells[:3]))]
    assert there[3] == cells[3]
    assert there[5] == cells[5]
    said, now = (float(one[4].replace(",", "")) for one in (there, cells))
    assert said == pytest.approx(now, rel=0.1)


def test_public_commands_are_understood_and_answered() -> None:
    assert len(ROWS) >= 40
    ratios, started, refused = [], 0, []
    print()
    for row in ROWS:
        try:
            unknown, _, status, predicted, observed = imported(row)
        except (ScenarioError, CannotRead) as problem:
            refused.append(f"{row['id']}: {problem}")
            continue
        started += status != "does-not-fit"
        ratios.append(predicted / observed)
        print(
            f"{command_of(row)[:88]:<88} {row['gpu']:<9} {status:<12}{observed:>8.0f}{predicted:>8.0f}  {'; '.join(unknown)[:60]}"
        )
    print("\n".join(refused))
    assert len(refused) <= len(ROWS) / 10
    # all of them ran in public
    assert started >= 0.9 * len(ratios)
    # bursts of a thousand requests whose answers differ, start and tail in the figure
    assert 0.8 < statistics.median(ratios) < 1.3


@pytest.mark.parametrize("row", ROWS[:10], ids=lambda row: row["id"])
def test_no_word_of_the_first_ten_is_lost(row: Row) -> None:
    unknown, _, _, _, _ = imported(row)
    assert not unknown


if __name__ == "__main__":
    print("\n".join(map(line_of, ten())))
