"""Sentences of the report that stand whole."""

from __future__ import annotations

from tests.tui.commands import Run


def test_no_room_and_no_frontier_are_said_in_whole_sentences(run: Run) -> None:
    told = run("report", "--model", "llama-3.1-70b", "--weights", "fp8", "--accelerator", "1x rtx-4090").out
    assert "No room for one user of 8k tokens" in told
    assert "it is not a 70B+ model trained from scratch" in " ".join(told.split())
