"""Public runs whose command is stated: imported, sized, and what came of them beside it (`pytest -s` prints the table)."""

from __future__ import annotations

import re
import statistics

import pytest

from catalog.names import resolve_accelerator
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from tests.accuracy.harness import REFERENCE, Row, load_rows
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
        },
    )
    assert found.value("layout.tp") in (row["tp"], 1)
    sizing = size(scenario)
    predicted = sizing.serving.tokens_per_s_total if sizing.serving is not None else 0.0
    return found.unknown, found.assumed, sizing.answer.status, predicted, row["output_tok_s"]


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
    # bursts of a thousand requests, start and tail in the figure: what a steady load would give lies above
    assert 0.8 < statistics.median(ratios) < 2.5


@pytest.mark.parametrize("row", ROWS[:10], ids=lambda row: row["id"])
def test_no_word_of_the_first_ten_is_lost(row: Row) -> None:
    unknown, _, _, _, _ = imported(row)
    assert not unknown
