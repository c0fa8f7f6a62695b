"""A person's own calibration, each figure held out: errors fall, and intervals hold what they held."""

from __future__ import annotations

from tests.accuracy import own


def test_held_out_figures_are_nearer_after_own_calibration() -> None:
    """`python -m tests.accuracy own` prints them by reader, as docs/imports.md has them."""
    held = own.evaluate()
    assert len({one.person for one in held}) >= 60
    assert {one.reader for one in held} >= {
        "vllm bench serve",
        "sglang.bench_serving",
        "llama-bench",
        "nccl-tests",
        "a Trainer's log",
    }
    by_figure = own.medians(one._replace(reader="all") for one in held)
    bars = {"ttft": 0.75, "inter_token": 0.75, "tokens_per_s": 0.85, "collective": 0.85}
    # a step is within 7 % before anything is entered, so there is less to gain
    bars |= {"train_step": 0.9, "train_peak": 0.9}
    for figure, bar in bars.items():
        _, count, before, after, inside, still = by_figure["all", figure]
        assert count >= 30, figure
        assert after < bar * before, figure
        # those of training are wider than they promise on rows that their fit has seen
        assert still > min(inside, 0.88) - 0.03, figure
