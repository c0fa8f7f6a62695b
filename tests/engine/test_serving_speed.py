"""Laws of the serving-speed model, through its public functions."""

from __future__ import annotations

from dataclasses import replace
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catalog
from engine.decide.plan import plan
from engine.decide.served import ranked_by
from engine.decide.size import size
from engine.figures.sentences import text_of
from engine.model.architecture import dense_decoder
from engine.runtimes.engine import ServingEngine
from engine.scenario import Layout, LayoutChoice, Runtime, Scenario
from engine.serving.intervals import marks_of, spread_of, why_wide
from engine.serving.memory import serving_memory, serving_room
from engine.serving.mix import request_of, share_of
from engine.serving.passes import decode_step, prompt_s, rates, wire_s
from engine.serving.shapes import DECODE_POINTS, engine_split, shape_of
from engine.serving.speed import load, server_of, serving_speed
from engine.sizing import Serving
from tests.engine.builds import build

LLAMA, DEEPSEEK, OSS = "llama-3.1-70b", "deepseek-v3", "gpt-oss-120b"


def served(scenario: Scenario, layout: Layout) -> Serving:
    """Speed of a layout whether or not it would be chosen."""
    return serving_speed(scenario, layout, serving_memory(scenario, layout))


@pytest.mark.parametrize(("model", "weights"), [(LLAMA, "fp8"), (DEEPSEEK, "fp8"), (OSS, "mxfp4")])
@settings(max_examples=40, deadline=None)
@given(batch=st.floats(1, 2000), more=st.floats(1.0, 4.0), context=st.floats(1, 100_000))
def test_a_step_never_shrinks_with_its_work(
    model: str, weights: str, batch: float, more: float, context: float
) -> None:
    r = rates(build(model, weights, "h200-sxm"), Layout(8))
    step = decode_step(r, batch, context).seconds
    assert decode_step(r, batch * more, context).seconds >= step * 0.999
    assert decode_step(r, batch, context * more).seconds >= step * 0.999
    # and serving more at once is never slower for all together
    assert decode_step(r, batch * more, context).seconds <= step * more * 1.001


@settings(max_examples=40, deadline=None)
@given(
    users=st.floats(1, 500),
    cap=st.floats(1, 500),
    prompt=st.integers(1, 32_000),
    answer=st.integers(1, 4_000),
    requests=st.sampled_from([0.0, 1.0, 10.0]),
)
def test_more_users_never_shorten_the_wait(users: float, cap: float, prompt: int, answer: int, requests: float) -> None:
    r = rates(build(), Layout(8))
    now = load(r, users, cap, prompt, answer, requests * users)
    crowd = load(r, 1.5 * users, cap, prompt, answer, requests * 1.5 * users)
    assert crowd.ttft_s >= now.ttft_s * 0.999
    assert crowd.inter_token_s >= now.inter_token_s * 0.999
    assert now.running <= max(1.0, cap)
    assert now.tokens_per_s <= now.running / now.step.seconds * 1.001


def test_parts_of_a_step_make_the_step() -> None:
    for model, weights, layout in ((LLAMA, "fp8", Layout(4, 1, 2)), (DEEPSEEK, "fp8", Layout(8))):
        step = decode_step(rates(build(model, weights, "h200-sxm"), layout), 32, 4000)
        least = (
            max(step.weight_s, step.compute_s)
            + max(step.kv_s, step.attention_s)
            + step.overhead_s
            + step.communication_s
        )
        assert least <= step.seconds <= least + min(step.weight_s, step.compute_s)


def test_experts_read_grow_with_the_batch_up_to_all() -> None:
    r = rates(build(DEEPSEEK, "fp8", "h200-sxm"), Layout(8))
    reads = [decode_step(r, batch, 1000).weight_s for batch in (1, 8, 64, 512, 4096)]
    assert reads == sorted(reads)
    assert reads[-1] > 4 * reads[0]
    assert reads[-1] == pytest.approx(r.dense_s + r.expert_s, rel=0.05)


def mixture(experts: int, width: int) -> Scenario:
    """A made mixture whose tokens meet a quarter of the experts: as many bytes and FLOPs whatever their width."""
    arch = dense_decoder(
        hidden_size=4096,
        layers=32,
        intermediate_size=width,
        heads=32,
        kv_heads=8,
        head_dim=128,
        vocab_size=32000,
        experts=experts,
        experts_per_token=experts // 4,
    )
    scenario = build("mixtral-8x7b", "fp8", "h200-sxm", 2)
    return replace(scenario, model=replace(scenario.model, architecture=arch))


@pytest.mark.parametrize("card", ["h200-sxm", "b200-sxm", "rtx-pro-6000-server"])
def test_narrow_experts_are_slower_than_wide_ones_of_the_same_size(card: str) -> None:
    hardware = build("mixtral-8x7b", "fp8", card, 2).hardware
    few, many = (
        rates(replace(mixture(experts, 8 * 14336 // experts), hardware=hardware), Layout(2)) for experts in (8, 256)
    )
    assert few.expert_token_s == pytest.approx(many.expert_token_s)
    wide, narrow = (decode_step(r, 64, 1000) for r in (few, many))
    assert narrow.weight_s > 1.05 * wide.weight_s
    # each expert that is met costs its products some rows more
    assert prompt_s(many, 512) > prompt_s(few, 512)
    # which large batches make up for
    gaps = [prompt_s(many, tokens) / prompt_s(few, tokens) for tokens in (64, 512, 4096)]
    assert gaps == sorted(gaps, reverse=True)


def test_a_request_costs_the_host_its_part_and_a_sequence_of_a_step_too() -> None:
    r = rates(build(LLAMA, "fp8", "h200-sxm"), Layout(4))
    one = load(r, 1, 1, 1, 100)
    assert one.ttft_s == pytest.approx(r.prefill_fixed_s + prompt_s(r, 1))
    assert r.prefill_fixed_s >= 1e-3
    few, many = (decode_step(r, batch, 1000).overhead_s for batch in (1, 64))
    assert many - few == pytest.approx(63 * r.sequence_s)
    assert r.sequence_s > 1e-6


@pytest.mark.parametrize("link", ["pcie4-x16", "pcie5-root", "nvlink-4"])
def test_reductions_of_large_batches_lie_partly_behind_the_work(link: str) -> None:
    scenario = catalog.build_scenario(LLAMA, "fp8", "h100-sxm", 4, intra_link=link)
    r = rates(scenario, Layout(4))
    one, many = (decode_step(r, batch, 1000).communication_s for batch in (1, 256))
    grown = wire_s(DECODE_POINTS, r.decode_wire, 256) - r.decode_wire[0]
    assert 0 < many - one < 0.8 * grown


def test_kv_that_fits_caps_what_runs_and_the_rest_waits() -> None:
    tight = build(LLAMA, "fp8", "rtx-pro-6000-server", 1, concurrency=64, input_tokens=8000, output_tokens=1000)
    roomy = replace(tight, workload=replace(tight.workload, concurrency=1))
    few, one = served(tight, Layout(1)), served(roomy, Layout(1))
    assert few.served_concurrency < 64
    assert few.ttft_s > 10 * one.ttft_s
    assert (
        few.inter_token_s
        == served(replace(tight, workload=replace(tight.workload, concurrency=200)), Layout(1)).inter_token_s
    )


def test_weight_only_formats_save_streaming_and_not_compute() -> None:
    full = rates(build(LLAMA, "bf16", "a100-sxm4-80gb"), Layout(4))
    eight = rates(build(LLAMA, "fp8", "a100-sxm4-80gb"), Layout(4))
    assert decode_step(eight, 1, 500).seconds < 0.75 * decode_step(full, 1, 500).seconds
    assert prompt_s(eight, 8000) >= 0.99 * prompt_s(full, 8000)
    native = rates(build(LLAMA, "fp8", "h100-sxm"), Layout(4))
    # FP8 products reach 0.53 of a peak that BF16 ones reach 0.79 of, and the all-reduces stay
    assert prompt_s(native, 8000) < 0.9 * prompt_s(rates(build(LLAMA, "bf16", "h100-sxm"), Layout(4)), 8000)


def test_stages_do_not_speed_up_one_stream_and_replicas_multiply() -> None:
    scenario = build(LLAMA, "fp8", "h100-sxm", concurrency=64, input_tokens=1000, output_tokens=300)
    staged, whole = served(scenario, Layout(4, 2, 1)), served(scenario, Layout(4, 1, 1))
    assert staged.single_stream_tokens_per_s <= whole.single_stream_tokens_per_s
    doubled = replace(scenario, workload=replace(scenario.workload, concurrency=128))
    assert served(doubled, Layout(4, 1, 2)).tokens_per_s_total == pytest.approx(2 * whole.tokens_per_s_total)


def test_tensor_parallel_over_a_slow_fabric_collapses() -> None:
    def across(link: str) -> Serving:
        scenario = catalog.build_scenario(LLAMA, "fp8", "h100-sxm", 8, 2, inter_link=link)
        return served(scenario, Layout(16, 1, 1))

    fast, slow = across("ib-ndr"), across("eth-10-tcp")
    assert slow.inter_token_s > 3 * fast.inter_token_s
    assert slow.bound_by == "communication"
    assert 0 < fast.communication_share < slow.communication_share < 1


def test_best_load_keeps_the_targets() -> None:
    scenario = build(
        concurrency=400, input_tokens=4000, output_tokens=500, ttft_target_s=2.0, tokens_per_s_user_target=20.0
    )
    layout = Layout(2, 1, 4)
    best = served(scenario, layout)
    assert best.meets_targets is False
    assert len(best.missed) >= 1
    assert 0 < best.best_concurrency < 400
    at_best = served(replace(scenario, workload=replace(scenario.workload, concurrency=best.best_concurrency)), layout)
    assert at_best.meets_targets is True
    assert at_best.tokens_per_s_total == pytest.approx(best.best_tokens_per_s_total, rel=0.1)
    hopeless = replace(scenario, workload=replace(scenario.workload, tokens_per_s_user_target=5000.0))
    assert served(hopeless, layout).best_concurrency == 0


def test_a_crowd_that_starts_together_waits_longer() -> None:
    steady = build(concurrency=64, input_tokens=4000, output_tokens=500)
    layout = Layout(4, 1, 2)
    together = replace(steady, workload=replace(steady.workload, requests=64))
    assert served(together, layout).ttft_s > served(steady, layout).ttft_s
    gathering = replace(steady, runtime=Runtime(admission_wait_steps=20))
    step = decode_step(rates(steady, layout), 32, 4250).seconds
    waited = served(gathering, layout).ttft_s - served(steady, layout).ttft_s
    assert waited == pytest.approx(20 * step)


def test_requests_that_arrive_at_random_never_keep_in_step() -> None:
    asked = build(LLAMA, "fp8", "h200-sxm", concurrency=64, input_tokens=4000, output_tokens=400)
    arriving = replace(asked, workload=replace(asked.workload, requests_per_s=1.0))
    closed, open_ = served(asked, Layout(4)), served(arriving, Layout(4))
    assert open_.ttft_s < 0.8 * closed.ttft_s
    # what is waited for less before the first token is waited for between the others
    assert open_.inter_token_s > closed.inter_token_s
    assert open_.tokens_per_s_total == pytest.approx(closed.tokens_per_s_total, rel=0.01)


def test_prompts_of_one_pass_all_wait_for_its_end() -> None:
    """Eight prompts that one pass reads each wait for seven others; read one by one, the middle one waits for half of them."""
    base = build(LLAMA, "fp8", "h200-sxm", concurrency=8, input_tokens=1000, output_tokens=200, requests=8)
    r = rates(base, Layout(4))
    burst = load(r, 8, 8, 1000, 200, requests=8)
    each = request_of(r, 1000, 200)
    assert each.abreast == r.chunk / 1000 > 8
    assert burst.wait_s == pytest.approx(7 * share_of(r, each, burst.step, 8), rel=1e-9)
    longer = request_of(r, r.chunk, 200)
    alone = load(r, 8, 8, r.chunk, 200, requests=8)
    assert alone.wait_s == pytest.approx(3.5 * share_of(r, longer, alone.step, 8), rel=1e-9)


def test_prompts_that_are_read_behind_a_user_delay_him_by_a_pass_a_token_at_most() -> None:
    r = rates(build(LLAMA, "fp8", "h200-sxm", concurrency=1000, input_tokens=128, output_tokens=4), Layout(1))
    each = request_of(r, 128, 4)
    short, longer, steady = (
        load(r, 1000, 1000, 128, answer, requests=n) for answer, n in ((4, 1000), (400, 1000), (4, 0))
    )
    share = share_of(r, each, short.step, 1000)
    a_pass = share * each.abreast
    # of a burst the middle user waits for half of all prompts, and one after him for no more than a pass a token
    assert 0.5 * 999 * share <= short.wait_s <= 0.6 * 999 * share
    assert 0.5 * a_pass < short.interference_s <= a_pass
    # answers that outlast the reading meet all that is read behind them: half of the prompts
    assert longer.interference_s * 399 == pytest.approx(
        999 * share_of(r, request_of(r, 128, 400), longer.step, 1000) - longer.wait_s
    )
    # in a steady state what answers are too short for is waited for before the first token
    assert steady.wait_s + 3 * steady.interference_s == pytest.approx(999 * share_of(r, each, steady.step, 1000))
    assert steady.interference_s <= a_pass * (1 + 1e-9)


def test_a_stage_on_the_next_host_costs_a_hand_over() -> None:
    def step(nodes: int, pp: int, engine: ServingEngine) -> float:
        scenario = catalog.build_scenario("llama-3.1-8b", "bf16", "rtx-3090", max(1, pp // nodes), nodes)
        asked = replace(scenario, runtime=Runtime(engine=engine))
        return decode_step(rates(asked, Layout(1, pp)), 1, 500).overhead_s

    assert step(4, 4, "llama.cpp") - step(1, 4, "llama.cpp") == pytest.approx(3 * 5.5e-3)
    assert step(4, 4, "vllm") - step(1, 4, "vllm") == pytest.approx(3 * 3.3e-3)
    assert step(4, 4, "trtllm") == step(1, 4, "trtllm")


def test_replicas_of_two_beat_one_of_eight_over_pcie_and_hardly_matter_on_nvlink() -> None:
    def ratio(accelerator: str) -> float:
        scenario = build(
            LLAMA, "fp8", accelerator, kind="batch", concurrency=1024, input_tokens=2000, output_tokens=500
        )
        small, large = served(scenario, Layout(2, 1, 4)), served(scenario, Layout(8))
        return small.offline_tokens_per_s / large.offline_tokens_per_s

    pcie, nvlink = ratio("rtx-pro-6000-server"), ratio("h100-sxm")
    assert pcie > 2.0
    assert 0.75 < nvlink < 1.5


def test_auto_layout_says_why() -> None:
    chosen = plan(build(concurrency=256, input_tokens=2000, output_tokens=500)).layout
    assert chosen.tp < 8
    assert "TP" in text_of(chosen.reason)
    pinned = plan(build(concurrency=256, layout=LayoutChoice(tp=8, pp=1, dp=1)))
    assert pinned.layout.tp == 8
    assert pinned.serving is not None


def test_data_parallel_attention_is_one_engine() -> None:
    assert engine_split(Layout(1, 1, 8, 8, True)) == (1, 8)
    assert engine_split(Layout(8, 1, 1, 8, True)) == (1, 8)
    assert engine_split(Layout(2, 1, 4)) == (4, 1)
    busy = build(DEEPSEEK, "fp8", "h200-sxm", kind="batch", concurrency=2048, input_tokens=1000, output_tokens=1000)
    spread, plain = served(busy, Layout(1, 1, 8, 8, True)), served(busy, Layout(8))
    assert spread.offline_tokens_per_s > plain.offline_tokens_per_s


def test_every_accelerator_and_format_has_a_speed() -> None:
    for accelerator in catalog.load().facts.accelerators:
        for weights in ("bf16", "fp8", "int4-awq", "nvfp4", "gguf-q4_k_m"):
            scenario = build("llama-3.1-8b", weights, accelerator.id, 1, concurrency=4)
            speed = served(scenario, Layout(1))
            assert 0 < speed.ttft_s < 1e5, accelerator.id
            assert 0 < speed.tokens_per_s_total < 1e5, accelerator.id
            assert speed.single_stream_tokens_per_s < accelerator.bandwidth_gb_s / 3.5, accelerator.id


def test_an_interval_is_wider_for_what_a_build_has_beyond_a_plain_one_and_says_so() -> None:
    def asked(model: str, card: str) -> Scenario:
        return build(model, "fp8", card, 1, input_tokens=2000, output_tokens=1000)

    plain = asked(LLAMA, "h100-sxm")
    assert marks_of("inter_token", plain) == ()
    assert why_wide("inter_token", plain) == ""
    low, high = spread_of("inter_token", plain)
    for changed, mark, word in (
        (asked("qwen3-30b-a3b", "h100-sxm"), "mixture", "experts"),
        (replace(plain, runtime=Runtime(engine="vllm-earlier")), "vllm-earlier", "earlier vLLM"),
        (replace(plain, runtime=Runtime(speculative="eagle")), "drafts", "drafts"),
        (replace(plain, workload=replace(plain.workload, output_spread=0.7)), "differ", "differ"),
        (replace(plain, workload=replace(plain.workload, output_tokens=100)), "prompts", "prompts"),
        (replace(plain, hardware=replace(plain.hardware, nodes=2)), "nodes", "nodes"),
    ):
        assert marks_of("inter_token", changed) == (mark,)
        assert word in why_wide("inter_token", changed)
        if word:
            wide = spread_of("inter_token", changed)
            assert wide[0] < low < 1 < high < wide[1]
    assert set(marks_of("ttft loaded", plain)) == {"loaded"}
    assert marks_of("tokens_per_s best", plain) == ("best",)
    # a card whose kernels nobody measured, and another maker's software
    assert marks_of("tokens_per_s", asked(LLAMA, "gb10")) == ("card",)
    assert marks_of("tokens_per_s", asked(LLAMA, "mi300x")) == ("card", "maker")
    assert "another maker" in why_wide("tokens_per_s", asked(LLAMA, "mi300x"))


def test_intervals_hold_their_figures() -> None:
    speed = size(build()).serving
    assert speed is not None
    assert speed.ttft_interval.low < speed.ttft_s < speed.ttft_interval.high
    assert speed.inter_token_interval.low < speed.inter_token_s < speed.inter_token_interval.high
    assert speed.tokens_per_s_interval.low < speed.tokens_per_s_total < speed.tokens_per_s_interval.high
    best = speed.best_tokens_per_s_interval
    assert best.low < speed.best_tokens_per_s_total < best.high


@pytest.mark.parametrize("card", ["h100-sxm", "b200-sxm", "rtx-pro-6000-server", "gb10"])
@pytest.mark.parametrize(("model", "weights"), [(OSS, "mxfp4"), ("deepseek-r1", "nvfp4"), (LLAMA, "nvfp4")])
def test_products_that_a_format_leaves_in_sixteen_bits_take_what_these_take(
    model: str, weights: str, card: str
) -> None:
    """No prompt is read sooner than its 16-bit products at their peak, no step sooner than its 16-bit bytes at the bandwidth."""
    scenario, layout = build(model, weights, card, 8), Layout(8)
    accelerator, r = scenario.hardware.accelerator, rates(scenario, layout)
    shape = shape_of(scenario.model.architecture, weights, scenario.model.kv_cache, layout, scenario.hardware)
    wide = next(one for one in shape.wider if one.bits == 16)
    sixteen = (accelerator.tflops_bf16_dense or 0.0) * 1e12
    assert wide.head_flops == shape.head_flops  # the output matrix is left alone by all of them
    assert r.prefill_token_s > wide.dense_flops / sixteen
    assert r.dense_s > shape.dense_bytes / (accelerator.bandwidth_gb_s * 1e9)
    # what is as wide as it can be is no part of another format's, and all of the model's own
    own = shape_of(scenario.model.architecture, "bf16", "bf16", layout, scenario.hardware)
    assert own.wider == ()
    assert own.dense_bytes > shape.dense_bytes or model == OSS


def test_attention_of_an_mxfp4_checkpoint_is_read_like_that_of_a_bf16_one() -> None:
    """gpt-oss has nothing but experts in MXFP4: what a step reads beside them is the same bytes, and takes the same time."""
    mixed, wide = (rates(build(OSS, weights, "b200-sxm"), Layout(8)) for weights in ("mxfp4", "bf16"))
    assert mixed.dense_s == pytest.approx(wide.dense_s)
    assert mixed.prefill_token_s == pytest.approx(wide.prefill_token_s)
    assert mixed.expert_s < wide.expert_s


def test_eight_bits_beside_four_are_products_of_eight_where_the_card_has_them() -> None:
    """DeepSeek-V4's dense weights are FP8 beside MXFP4 experts: twice the rate of 16 bits on Hopper, weights alone on Ampere."""
    scenario = build("deepseek-v4-flash", "mxfp4", "h200-sxm")
    shape = shape_of(scenario.model.architecture, "mxfp4", scenario.model.kv_cache, Layout(8), scenario.hardware)
    eight = next(one for one in shape.wider if one.bits == 8)
    assert eight.dense_flops > 0.5 * shape.dense_flops
    assert rates(scenario, Layout(8)).prefill_token_s < shape.dense_flops / (0.85 * 989e12)


def test_experts_in_blocks_of_fp8_run_in_kernels_of_their_own() -> None:
    """On Hopper the tables of block FP8 take longer for many rows than those of FP8; dense products cost alike."""
    blocks, each = (build(DEEPSEEK, "fp8", "h200-sxm") for _ in range(2))
    plain = replace(each, model=replace(each.model, architecture=replace(each.model.architecture, fp8_blocks=False)))
    in_blocks, by_channel = rates(blocks, Layout(8)), rates(plain, Layout(8))
    assert in_blocks.expert_token_s > 1.1 * by_channel.expert_token_s
    assert in_blocks.token_s == pytest.approx(by_channel.token_s)


def test_a_gaudi_is_no_arc() -> None:
    """Gaudi 3 reaches three quarters of its rate in 8 bits, an Arc half: their prompts keep what was measured of each."""
    r = rates(build("llama-3.1-8b", "fp8", "gaudi-3", 1), Layout(1))
    shape = shape_of(
        build("llama-3.1-8b", "fp8").model.architecture, "fp8", "bf16", Layout(1), build("llama-3.1-8b").hardware
    )
    assert 0.6 < shape.dense_flops / r.prefill_token_s / 1677e12 < 0.77


@pytest.mark.parametrize(("users", "of_it"), [(32, 1.0), (200, 1.0), (400, 0.1)])
def test_a_layout_is_ranked_by_its_tokens_and_by_a_tenth_where_it_is_over_full(users: int, of_it: float) -> None:
    layout = Layout(8, 1, 1)
    serves = build(concurrency=users, input_tokens=7000, output_tokens=1000)
    for scenario, left in ((serves, of_it), (replace(serves, workload=replace(serves.workload, kind="batch")), 1.0)):
        room = serving_room(scenario, layout)
        assert room.preempts == (users == 400)
        score, _ = server_of(scenario, layout).score(users, room)
        assert ranked_by(scenario, layout) == pytest.approx(left * score)


@pytest.mark.clock
def test_searches_can_afford_it() -> None:
    scenario, layout = build(), Layout(2, 1, 4)
    memory = serving_memory(scenario, layout)
    r = rates(scenario, layout)

    def microseconds(times: int, work: str) -> float:
        best = float("inf")
        for _ in range(5):
            start = process_time()
            for _ in range(times):
                if work == "step":
                    decode_step(r, 32, 4000)
                elif work == "score":
                    server_of(scenario, layout).score(scenario.workload.concurrency, memory)
                else:
                    serving_speed(scenario, layout, memory)
            best = min(best, (process_time() - start) / times * 1e6)
        return best

    # three times the budgets, for a busy machine
    assert microseconds(300, "step") < 30
    assert microseconds(100, "score") < 75
    assert microseconds(30, "speed") < 750
