"""A person's own calibration, each figure held out: errors fall, and intervals hold what they held."""

from __future__ import annotations

from tests.accuracy import own


def test_held_out_figures_are_nearer_after_own_calibration() -> None:
    """`python -m tests.accuracy own` prints them by reader, as docs/imports.md has them."""
    held = own.evaluate()
    assert len({one.person for one in held}) >= 60
    assert {one.reader for one in held} >= {"vllm bench serve", "sglang.bench_serving", "llama-bench", "nccl-tests"}
    by_figure = own.medians(one._replace(reader="all") for one in held)
    for figure, bar in (("ttft", 0.75), ("inter_token", 0.75), ("tokens_per_s", 0.85), ("collective", 0.85)):
        _, count, before, after, inside, still = by_figure["all", figure]
        assert count >= 30, figure
        assert after < bar * before, figure
        assert still > inside - 0.03, figure
