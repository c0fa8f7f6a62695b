"""The time of a token and of a prompt, against arithmetic by hand on sizings of which one thing differs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from engine.decide.size import size
from engine.figures.sentences import text_of
from engine.scenario import Layout, LayoutChoice, Scenario
from engine.serving.mix import half_of, request_of
from engine.serving.passes import rates, riding_s
from engine.serving.speed import load
from engine.sizing import Serving
from tests.engine.builds import build

ONE = LayoutChoice(tp=1)


def speed(scenario: Scenario) -> Serving:
    """The serving figures of a scenario."""
    serving = size(scenario).serving
    assert serving is not None
    return serving


def serve(
    model: str = "llama-3.1-8b",
    weights: str = "bf16",
    card: str = "h100-sxm",
    gpus: int = 1,
    layout: LayoutChoice | None = None,
    nodes: int = 1,
    **load: Any,
) -> Scenario:
    """A serving scenario: eight users of 2,000 and 400 tokens unless told otherwise."""
    usual = {"concurrency": 8, "input_tokens": 2000, "output_tokens": 400}
    return build(model, weights, card, gpus, nodes, layout, **usual | load)


def loaded(scenario: Scenario, **load: Any) -> Scenario:
    """The scenario under another load."""
    return replace(scenario, workload=replace(scenario.workload, **load))


def running(scenario: Scenario, **settings: Any) -> Scenario:
    """The scenario with other engine settings."""
    return replace(scenario, runtime=replace(scenario.runtime, **settings))


def card(scenario: Scenario, **facts: Any) -> Scenario:
    """The scenario on a card of other facts."""
    other = replace(scenario.hardware.accelerator, **facts)
    return replace(scenario, hardware=replace(scenario.hardware, accelerator=other))


# What is read


def test_twice_the_bandwidth_halves_what_is_streamed() -> None:
    scenario = serve()
    rate = scenario.hardware.accelerator.bandwidth_gb_s
    one, two = speed(scenario), speed(card(scenario, bandwidth_gb_s=2 * rate))
    assert two.weight_stream_s == pytest.approx(one.weight_stream_s / 2)
    assert two.kv_stream_s == pytest.approx(one.kv_stream_s / 2)
    assert two.overhead_s == one.overhead_s


def test_twice_the_arithmetic_halves_what_is_computed() -> None:
    scenario = serve()
    rate = scenario.hardware.accelerator.tflops_bf16_dense
    assert rate is not None
    one, two = speed(scenario), speed(card(scenario, tflops_bf16_dense=2 * rate))
    assert two.compute_s == pytest.approx(one.compute_s / 2)
    assert two.weight_stream_s == one.weight_stream_s


def test_weights_are_read_once_a_step_whoever_is_served() -> None:
    few, many = speed(serve(concurrency=2)), speed(serve(concurrency=32))
    assert many.weight_stream_s == few.weight_stream_s
    assert many.kv_stream_s == pytest.approx(16 * few.kv_stream_s)


def test_the_cache_is_read_up_to_the_middle_of_the_answer() -> None:
    short, long = (
        speed(serve(input_tokens=prompt, output_tokens=answer)) for prompt, answer in ((1000, 400), (4000, 1000))
    )
    assert long.kv_stream_s / short.kv_stream_s == pytest.approx((4000 + 500) / (1000 + 200))


def test_a_window_is_read_no_farther_than_it_reaches() -> None:
    near, far, farther = (speed(serve("mistral-7b-v0.1", input_tokens=prompt)) for prompt in (1848, 8000, 20000))
    assert far.kv_stream_s == pytest.approx(farther.kv_stream_s)
    assert far.kv_stream_s / near.kv_stream_s == pytest.approx(4096 / (1848 + 200))


@pytest.mark.parametrize("tp", [2, 4, 8])
def test_ranks_share_what_they_read(tp: int) -> None:
    one, many = (speed(serve(gpus=n, layout=LayoutChoice(tp=n))) for n in (1, tp))
    assert many.kv_stream_s == pytest.approx(one.kv_stream_s / tp)
    # norms and their like are whole on every rank: a hair more than the share
    assert one.weight_stream_s / tp < many.weight_stream_s < 1.001 * one.weight_stream_s / tp


def test_latents_are_read_whole_on_every_rank() -> None:
    four, eight = (speed(serve("deepseek-v3", "int4", "b300-sxm", 8, LayoutChoice(tp=tp, pp=8 // tp))) for tp in (4, 8))
    # two stages take half of the users each, one after the other: half the users, all of the layers
    assert four.kv_stream_s == pytest.approx(eight.kv_stream_s / 2)


def test_an_eight_bit_cache_is_read_in_half_the_time() -> None:
    scenario = serve()
    small = replace(scenario, model=replace(scenario.model, kv_cache="fp8"))
    assert speed(small).kv_stream_s == pytest.approx(speed(scenario).kv_stream_s / 2)


def experts(per_token: int, users: int) -> float:
    """Seconds of weights of a step of a mixture with so many experts a token, under so many users."""
    scenario = serve("qwen3-30b-a3b", "fp8", "h200-sxm", concurrency=users, input_tokens=16, output_tokens=16)
    arch = replace(scenario.model.architecture, experts_per_token=per_token)
    scenario = running(scenario, max_num_seqs=10**6)
    return speed(replace(scenario, model=replace(scenario.model, architecture=arch))).weight_stream_s


def test_a_lone_token_meets_as_many_experts_as_it_is_routed_to() -> None:
    # of 128 experts a token reads k: each one more adds a 128th of what a large batch reads
    eight, sixteen, all_ = experts(8, 1), experts(16, 1), experts(8, 100_000)
    one = (sixteen - eight) / 8
    assert all_ - eight == pytest.approx(120 * one, rel=1e-3)


def test_more_users_meet_more_experts_until_they_meet_all() -> None:
    met = [experts(8, users) for users in (1, 2, 4, 16, 64, 256, 10_000, 100_000)]
    assert met == sorted(met)
    assert met[1] - met[0] < met[0]
    assert met[-2] == pytest.approx(met[-1], rel=1e-3)


# A request and its cycle


def test_a_cycle_is_a_first_token_and_the_rest_of_the_answer() -> None:
    for users in (1, 8, 64):
        serving = speed(serve(concurrency=users))
        assert serving.served_concurrency == users
        cycle = serving.ttft_s + 399 * serving.inter_token_s
        assert serving.tokens_per_s_total == pytest.approx(users * 400 / cycle)
        assert serving.requests_per_s == pytest.approx(serving.tokens_per_s_total / 400)
        assert serving.tokens_per_s_user == pytest.approx(1 / serving.inter_token_s)


def test_a_step_is_its_parts_with_arithmetic_behind_what_is_read() -> None:
    serving = speed(serve(gpus=2, layout=LayoutChoice(tp=2), concurrency=32))
    rest = serving.overhead_s + serving.communication_s + serving.prefill_interference_s
    step = serving.inter_token_s - rest
    read = serving.weight_stream_s + serving.kv_stream_s
    assert read <= step <= read + serving.compute_s
    assert serving.communication_share > serving.communication_s / serving.inter_token_s


def waiting(users: int, **load: Any) -> tuple[Serving, float, float]:
    """(figures, cycle, first token without waiting for a place) where sixteen run at once."""
    serving = speed(running(serve(concurrency=users, **load), max_num_seqs=16))
    assert serving.served_concurrency == 16
    cycle = 16 * 400 / serving.tokens_per_s_total
    return serving, cycle, cycle - 399 * serving.inter_token_s


@pytest.mark.parametrize("waves", [2, 3, 5])
def test_users_past_the_limit_wait_for_those_before_them(waves: int) -> None:
    serving, cycle, first = waiting(16 * waves)
    assert serving.ttft_s == pytest.approx(first + cycle * (waves - 1))


@pytest.mark.parametrize("waves", [2, 3, 5])
def test_in_a_burst_the_middle_wave_is_the_mean(waves: int) -> None:
    # waves 0 .. w - 1 wait for 0 .. w - 1 cycles: (w - 1) / 2 on average
    serving, cycle, first = waiting(16 * waves, requests=16 * waves)
    assert serving.ttft_s == pytest.approx(first + cycle * (waves - 1) / 2)


def test_a_long_run_is_a_steady_state_and_a_short_one_in_part_a_burst() -> None:
    # of r requests the first wave comes at once: as large a part of the others' prompts is read before any answer
    steady = speed(serve(concurrency=16)).prefill_interference_s
    finite = [speed(serve(concurrency=16, requests=requests)).prefill_interference_s for requests in (16, 32, 64, 160)]
    assert finite == sorted(finite)
    assert 1 - half_of(16, rates(serve(), Layout(1)).chunk / serve().workload.input_tokens) <= finite[0] / steady < 0.5
    assert finite[-1] == pytest.approx(steady, rel=0.1)
    # what moves before the first token moves away from between the others
    waits = [speed(serve(concurrency=16, requests=requests)).ttft_s for requests in (16, 32, 64, 160)]
    assert waits == sorted(waits, reverse=True)


def test_each_of_the_others_prompts_is_read_once_an_answer() -> None:
    assert speed(serve(concurrency=1)).prefill_interference_s == 0.0
    for engine in ("vllm", "sglang", "trtllm", "llama.cpp"):
        for users in (2, 5, 17, 64, 256):
            for prompt, answer in ((2000, 400), (8000, 1), (100, 4000), (30000, 64)):
                r = rates(running(serve(), engine=engine), Layout(1))
                each = request_of(r, prompt, answer)
                state = load(r, users, users, prompt, answer)
                # the work that the users of a cycle bring, and what of it each of them lives through: nothing is lost
                after = answer - 1
                riding = min(1.0, after / (users * each.prompt.pieces)) if r.mixed else 0.0
                share = each.prompt.share_s * (1 - riding) + riding_s(r, state.step, each.prompt) * riding
                others = (users - 1) * share
                assert state.interference_s * max(1, after) + state.wait_s == pytest.approx(others)
                least = others + after * state.step.seconds + each.prompt.alone_s
                assert state.cycle_s >= least * (1 - 1e-9)
                assert state.tokens_per_s * least <= users * answer * (1 + 1e-9)
                # and prompts alone never take more than the card has
                flops = 2 * 7.5e9 * prompt * state.tokens_per_s / answer
                assert flops <= 0.85 * 990e12


def test_the_longest_answers_end_a_run_and_no_steady_state() -> None:
    alike, chats = (speed(serve(concurrency=64, requests=64, output_spread=spread)) for spread in (None, 1.0))
    # the longest of 64 exponential answers is ln 64 + 0.577 means, the rest of it beside a quarter of the users
    cycle = 64 * 400 / alike.tokens_per_s_total
    few = speed(serve(concurrency=16))
    step = few.inter_token_s - few.prefill_interference_s
    tail = (math.log(64) + 0.5772 - 1) * 400 * step
    assert chats.tokens_per_s_total == pytest.approx(64 * 400 / (cycle + tail), rel=1e-3)
    assert chats.ttft_s == alike.ttft_s
    longer = [speed(serve(concurrency=64, requests=n, output_spread=1.0)).tokens_per_s_total for n in (64, 640, 6400)]
    assert longer == sorted(longer)
    steady = [speed(serve(concurrency=64, output_spread=spread)).tokens_per_s_total for spread in (None, 1.0)]
    # users whose answers differ come less often together, which moves half a step
    assert steady[0] == pytest.approx(steady[1], rel=0.01)


def test_gathering_prompts_waits_for_decode_steps() -> None:
    scenario = serve(concurrency=8)
    now, later = (speed(running(scenario, admission_wait_steps=steps)) for steps in (0, 10))
    step = now.inter_token_s - now.prefill_interference_s
    assert later.ttft_s - now.ttft_s == pytest.approx(10 * step)


def test_replicas_serve_their_part_of_the_users() -> None:
    one = speed(serve(concurrency=8))
    four = speed(serve(gpus=4, layout=ONE, concurrency=32))
    for name in ("ttft_s", "inter_token_s", "weight_stream_s", "kv_stream_s"):
        assert getattr(four, name) == pytest.approx(getattr(one, name))
    for name in ("tokens_per_s_total", "requests_per_s", "offline_tokens_per_s", "prefill_tokens_per_s"):
        assert getattr(four, name) == pytest.approx(4 * getattr(one, name))
    assert four.single_stream_tokens_per_s == pytest.approx(one.single_stream_tokens_per_s)


def test_users_that_no_replica_is_left_for_leave_the_others_idle() -> None:
    two = speed(serve(gpus=4, layout=ONE, concurrency=2))
    one = speed(serve(concurrency=1))
    assert two.tokens_per_s_total == pytest.approx(2 * one.tokens_per_s_total)
    assert two.inter_token_s == pytest.approx(one.inter_token_s)


def test_alone_is_one_user_in_flight() -> None:
    serving = speed(serve(concurrency=1))
    assert serving.single_stream_tokens_per_s == pytest.approx(serving.tokens_per_s_user)


def test_a_prompt_four_times_as_long_takes_four_times_the_products_and_more_attention() -> None:
    short, long = (speed(serve(concurrency=1, input_tokens=tokens)) for tokens in (16000, 64000))
    fixed = speed(serve(concurrency=1, input_tokens=1)).ttft_s
    assert 4 < (long.ttft_s - fixed) / (short.ttft_s - fixed) < 16


# Loads and targets


def test_as_many_run_as_the_cache_holds() -> None:
    scenario = serve("llama-3.1-70b", "int4", gpus=1, concurrency=500)
    sizing = size(scenario)
    assert sizing.serving is not None
    # an answer is half written on average: a running request holds its prompt and a part of its answer
    whole = int(sizing.memory.max_concurrency)
    assert whole <= sizing.serving.served_concurrency <= whole * 2400 / 2000 + 1


def test_a_target_is_missed_just_past_it() -> None:
    scenario = serve(concurrency=16)
    now = speed(scenario)
    for field, value, better in (
        ("ttft_target_s", now.ttft_s, 1.001),
        ("tokens_per_s_user_target", now.tokens_per_s_user, 0.999),
    ):
        assert speed(loaded(scenario, **{field: value * better})).meets_targets is True
        missing = speed(loaded(scenario, **{field: value / better}))
        assert missing.meets_targets is False
        assert len(missing.missed) == 1
    assert now.meets_targets is None
    assert now.missed == ()


@pytest.mark.parametrize("field", ["ttft_target_s", "tokens_per_s_user_target"])
def test_the_best_load_is_the_last_that_keeps_the_targets(field: str) -> None:
    far = speed(serve(concurrency=100))
    target = far.ttft_s if field == "ttft_target_s" else far.tokens_per_s_user
    asked: dict[str, Any] = {field: target}
    scenario = serve(concurrency=1, **asked)
    best = speed(scenario).best_concurrency
    assert 90 <= best <= 101
    assert speed(loaded(scenario, concurrency=best)).meets_targets
    assert not speed(loaded(scenario, concurrency=int(best * 1.1) + 1)).meets_targets
    at_best = speed(loaded(scenario, concurrency=best)).tokens_per_s_total
    assert speed(scenario).best_tokens_per_s_total == pytest.approx(at_best, rel=0.02)


def test_a_target_that_one_user_misses_has_no_best_load() -> None:
    serving = speed(serve(concurrency=4, tokens_per_s_user_target=100_000.0))
    assert (serving.best_concurrency, serving.best_tokens_per_s_total) == (0, 0.0)


def test_without_targets_the_best_load_is_all_that_runs() -> None:
    serving = speed(running(serve(concurrency=4), max_num_seqs=48))
    assert serving.best_concurrency == 48
    assert serving.best_tokens_per_s_total == serving.offline_tokens_per_s


def test_requests_a_second_are_met_up_to_the_best_load() -> None:
    most = speed(serve(concurrency=4)).offline_tokens_per_s / 400
    assert speed(serve(concurrency=4, requests_per_s=0.99 * most)).meets_targets
    missing = speed(serve(concurrency=4, requests_per_s=1.01 * most))
    assert not missing.meets_targets
    assert "requests/s" in text_of(missing.missed[0])


def test_what_most_of_a_step_goes_to_is_named() -> None:
    assert speed(serve(concurrency=1)).bound_by == "memory bandwidth"
    slow = card(serve(concurrency=256, input_tokens=16), tflops_bf16_dense=20.0)
    assert speed(slow).bound_by == "compute"
    apart = serve("llama-3.1-70b", "fp8", "h100-sxm", 1, LayoutChoice(tp=2, pp=1), 2)
    facts = apart.facts
    slow_wire = replace(apart, hardware=replace(apart.hardware, inter_link=facts.link("eth-1-tcp")))
    assert speed(slow_wire).bound_by == "communication"


def test_intervals_are_the_same_factors_around_every_load() -> None:
    # a first token under load has factors of its own
    one, two = speed(serve(concurrency=2)), speed(serve(concurrency=8))
    for value, span in (
        ("ttft_s", "ttft_interval"),
        ("inter_token_s", "inter_token_interval"),
        ("tokens_per_s_total", "tokens_per_s_interval"),
    ):
        for end in ("low", "high"):
            low, high = (getattr(getattr(serving, span), end) / getattr(serving, value) for serving in (one, two))
            assert low == pytest.approx(high)
        assert getattr(one, span).low < getattr(one, value) < getattr(one, span).high
