"""What a prefix cache spares: laws on sizings of which one thing differs, and the same by every door."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.decide.opened.build import Build
from engine.decide.plan import plan
from engine.decide.size import size
from engine.figures.opening import leaves
from engine.figures.sentences import text_of
from engine.scenario import Layout, LayoutChoice, Scenario
from engine.serving.mix import request_of
from engine.serving.passes import rates
from engine.serving.shapes import Band
from engine.serving.speed import load
from engine.sizing import Sizing
from tests.engine.builds import build
from tui.paste import logs
from tui.shell.report_words import workload_line

SHARES = (None, 0.2, 0.5, 0.8, 0.95, 1.0)


def sized(share: float | None, model: str = "llama-3.1-70b", whose: str = "each", **load: Any) -> Sizing:
    """A build of four cards under a load of which so much of each prompt is cached."""
    usual = {"concurrency": 32, "input_tokens": 7000, "output_tokens": 500}
    work = usual | load | {"cached_share": share, "cached_by": whose}
    return size(build(model, "fp8", "h100-sxm", 4, 1, LayoutChoice(tp=4), **work))


def test_nothing_cached_is_as_if_nobody_had_said_so() -> None:
    for whose in ("each", "everyone"):
        assert sized(0.0, whose=whose).serving == sized(None).serving
        assert sized(0.0, whose=whose).memory == sized(None).memory


def test_nothing_is_cached_of_a_prompt_of_which_nobody_says_so() -> None:
    r = rates(build(), Layout(8))
    for prompt, answer in ((2000, 400), (2000, 0), (1, 1)):
        assert request_of(r, prompt, answer) == request_of(r, prompt, answer, cached=0)
        assert load(r, 8, 8, prompt, answer) == load(r, 8, 8, prompt, answer, cached=0)
    # and a token that is cached is one that is not read
    assert request_of(r, 2000, 400, cached=1).prompt.share_s < request_of(r, 2000, 400).prompt.share_s


@pytest.mark.parametrize("users", [1, 32])
def test_the_more_is_cached_the_sooner_the_first_token_and_the_more_tokens(users: int) -> None:
    found = [sized(share, concurrency=users).serving for share in SHARES]
    speeds = [one for one in found if one is not None]
    assert len(speeds) == len(SHARES)
    for name, falls in (("ttft_s", True), ("inter_token_s", True), ("tokens_per_s_total", False)):
        values = [getattr(one, name) for one in speeds]
        assert values == sorted(values, reverse=falls)
    # what is read in a step of decoding is the whole context, wherever its KV came from
    assert len({(one.weight_stream_s, one.kv_stream_s, one.compute_s) for one in speeds}) == 1
    assert speeds[0].ttft_s > 3 * speeds[3].ttft_s


def test_a_cached_beginning_is_attended_to_and_not_read() -> None:
    band = Band(0, 1.0, 1.0, 1.0)
    # 1,000 tokens after 3,000 see 3,500 each on average: the whole prompt's pairs less the beginning's
    assert band.mean_seen(4000, 3000) == pytest.approx(3500)
    window = Band(512, 1.0, 1.0, 1.0)
    assert window.mean_seen(4000, 3000) == pytest.approx(512)
    whole = band.mean_seen(4000) * 4000
    assert band.mean_seen(4000, 3000) * 1000 + band.mean_seen(3000) * 3000 == pytest.approx(whole)


def test_only_what_all_begin_with_is_held_once() -> None:
    alone, own, shared = sized(None), sized(0.8), sized(0.8, whose="everyone")
    assert own.memory == alone.memory
    once = int(0.8 * 7000)
    assert alone.memory.kv_needed_tokens - shared.memory.kv_needed_tokens == 31 * once
    blocks = once // 16 * 16
    each = alone.memory.worst.kv_bytes / (32 * 7504)  # 469 blocks of 16 hold 7,500 tokens
    assert alone.memory.worst.kv_bytes - shared.memory.worst.kv_bytes == pytest.approx(31 * blocks * each)
    assert shared.memory.users_that_fit > 2 * alone.memory.users_that_fit
    assert shared.serving is not None
    assert own.serving is not None
    assert shared.serving.most_at_once > 2 * own.serving.most_at_once
    # one user alone shares with nobody
    assert (
        sized(0.8, whose="everyone", concurrency=1).memory.worst.kv_bytes
        == sized(None, concurrency=1).memory.worst.kv_bytes
    )


@pytest.mark.parametrize("model", ["gemma-3-27b", "qwen3-next-80b-a3b", "deepseek-v3.2"])
def test_windows_and_states_are_each_one_s_own(model: str) -> None:
    def at(share: float | None) -> Sizing:
        work = {"concurrency": 16, "input_tokens": 30000, "output_tokens": 500, "cached_share": share}
        return size(build(model, "fp8", "b200-sxm", 8, 1, None, **work, cached_by="everyone"))

    alone, shared = at(None), at(0.9)
    assert alone.memory.worst.kv_bytes / 16 < shared.memory.worst.kv_bytes < alone.memory.worst.kv_bytes
    assert shared.memory.max_concurrency > alone.memory.max_concurrency


def test_users_that_fit_do_fit_and_one_more_does_not() -> None:
    fits = sized(0.8, whose="everyone").memory.users_that_fit
    assert sized(0.8, whose="everyone", concurrency=fits).memory.fits
    assert not sized(0.8, whose="everyone", concurrency=fits + 1).memory.fits


def without(scenario: Scenario) -> Scenario:
    """The scenario with its prefix cache off."""
    return replace(scenario, runtime=replace(scenario.runtime, prefix_caching=False))


def test_an_engine_that_caches_nothing_says_so_and_offers_it() -> None:
    scenario = sized(0.8, whose="everyone").scenario
    off = size(without(scenario))
    alone = size(without(sized(None).scenario))
    assert (off.serving, off.memory) == (alone.serving, alone.memory)
    notice = next(one for one in off.warnings if one.id == "prefix-off")
    assert "5,600" in text_of(notice.message)
    assert notice.fix is not None
    assert notice.fix.changes == (("runtime.prefix_caching", True),)


def test_llama_cpp_keeps_a_beginning_for_each_slot() -> None:
    def on(whose: str) -> Sizing:
        work = {"concurrency": 8, "input_tokens": 4000, "output_tokens": 200, "cached_share": 0.9, "cached_by": whose}
        scenario = build("llama-3.1-8b", "gguf-q4_k_m", "rtx-4090", 1, 1, None, **work)
        return size(replace(scenario, runtime=replace(scenario.runtime, engine="llama.cpp")))

    assert on("everyone").memory == on("each").memory
    assert "prefix-each" in {one.id for one in on("everyone").warnings}


def test_its_figures_open_to_what_was_entered() -> None:
    scenario = sized(0.8, whose="everyone").scenario
    sizing, opened = size(scenario), Build(plan(scenario))
    assert sizing.serving is not None
    for figure, value in (
        ("serving.ttft_s", sizing.serving.ttft_s),
        ("memory.kv_needed_tokens", sizing.memory.kv_needed_tokens),
        ("memory.max_concurrency", sizing.memory.max_concurrency),
        ("load.cached_tokens", scenario.workload.cached_tokens),
    ):
        number = opened.number(figure)
        assert number.value == value
        assert "share of the prompt that is cached" in {one.label for one in leaves(number)}, figure


def test_a_report_says_it_and_logs_tell_it() -> None:
    assert "5,600 of each prompt cached of one beginning that all share" in workload_line(
        sized(0.8, whose="everyone").scenario
    )
    bench = "Serving Benchmark Result\nSuccessful requests: 100\nTotal input tokens: 400000\nTotal generated tokens: 20000\nMean TTFT (ms): 50\n"
    vllm = "Engine 000: Prefix cache hit rate: 10.0%\nEngine 000: Prefix cache hit rate: 75.0%, External prefix cache hit rate: 3.0%\n"
    assert logs.read(bench)[0].load.get("workload.cached_share") is None
    assert logs.read(bench + vllm)[0].load["workload.cached_share"] == pytest.approx(0.75)
    sglang = "Prefill batch. #new-seq: 1, #new-token: 100, #cached-token: 300, token usage: 0.1\n" * 2
    assert logs.read(bench + sglang)[0].load["workload.cached_share"] == pytest.approx(0.75)
