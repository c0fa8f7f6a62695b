"""Training as people run it, class by class: what bytes and FLOPs by hand say of builds that nobody here has measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import catalog
from engine.decide.advice import advice
from engine.decide.answer import status_of
from engine.decide.builds import Limits, option_steps
from engine.decide.plan import Plan, plan
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.figures.units import GIB
from engine.model.parameters import count_parameters
from engine.scenario import LayoutChoice, Scenario
from engine.scenario.change import change
from tests.engine.builds import build


def run(model: str, card: str, gpus: int, nodes: int = 1, layout: LayoutChoice | None = None, **keys: Any) -> Scenario:
    return build(model, "bf16", card, gpus, nodes, layout, **keys)


# ---------------------------------------------------------------- layouts of frameworks that only shard

WHOLE: dict[str, tuple[Scenario, bool]] = {
    "14B in full at 32k, HF Trainer, 4x A100": (
        run("qwen3-14b", "a100-sxm4-80gb", 4, kind="full-finetune", framework="hf-trainer", sequence_length=32768),
        False,
    ),
    "70B LoRA, Unsloth's copies, 4x L40S": (run("llama-3.1-70b", "l40s", 4, kind="lora", framework="unsloth"), False),
    "70B in full, DeepSpeed, 8x H100": (
        run("llama-3.1-70b", "h100-sxm", 8, kind="full-finetune", framework="deepspeed"),
        False,
    ),
    "32B QLoRA at 32k, LLaMA-Factory, 2x 4090": (
        run("qwen2.5-32b", "rtx-4090", 2, kind="qlora", framework="llama-factory", sequence_length=32768),
        False,
    ),
    "70B LoRA, Axolotl, 8x RTX PRO 6000": (
        run("llama-3.1-70b", "rtx-pro-6000-server", 8, kind="lora", framework="axolotl"),
        True,
    ),
    "8B in full, FSDP1, 8x A100": (run("qwen3-8b", "a100-sxm4-80gb", 8, kind="full-finetune", framework="fsdp1"), True),
}


@pytest.mark.parametrize("name", WHOLE)
def test_no_layer_is_split_where_the_framework_only_shards(name: str) -> None:
    scenario, fits = WHOLE[name]
    made = plan(scenario)
    assert (made.layout.tp, made.layout.pp, made.layout.ep) == (1, 1, 1)
    assert made.fits == fits
    for cure in advice(scenario).found:
        if not any(key in ("workload.framework", "workload.kind", "model.id") for key, _ in cure.changes):
            assert cure.plan.layout.tp * cure.plan.layout.pp == 1, cure.changes


@pytest.mark.parametrize("framework", ["deepspeed", "hf-trainer", "trl", "openrlhf"])
def test_no_build_of_the_catalog_rests_on_a_split_that_the_framework_has_not(framework: str) -> None:
    scenario = run("qwen2.5-7b", "l40s", 2, kind="full-finetune", framework=framework)
    found = [option for option in option_steps(scenario, Limits(buy_usd=40_000)) if not isinstance(option, str)]
    assert len(found) > 3
    assert {option.plan.layout.tp * option.plan.layout.pp for option in found} == {1}


# ---------------------------------------------------------------- past the context of the config


@pytest.mark.parametrize(
    ("model", "card", "keys"),
    [
        ("llama-2-13b", "a100-sxm4-80gb", {"kind": "lora", "sequence_length": 16_384}),
        ("mistral-7b-v0.3", "h100-sxm", {"kind": "dpo", "sequence_length": 65_536}),
        ("qwen3-14b", "h200-sxm", {"kind": "pretrain", "sequence_length": 131_072}),
        ("qwen3-8b", "b200-sxm", {"kind": "grpo", "sequence_length": 81_920}),
        ("qwen3-32b", "mi300x", {"kind": "full-finetune", "sequence_length": 65_536}),
    ],
)
def test_training_past_the_context_is_sized_and_serving_is_not(model: str, card: str, keys: dict[str, Any]) -> None:
    scenario = run(model, card, 8, **keys)
    made = size(scenario)
    assert made.training is not None
    assert made.training.step_s > 0
    assert [one.severity for one in made.warnings if one.id == "past-context"] == ["info"]
    with pytest.raises(ScenarioError, match="context"):
        size(change(scenario, {"workload.kind": "serve", "workload.input_tokens": keys["sequence_length"]}))


# ---------------------------------------------------------------- activations of mixtures

MIXTURES = {
    "mixtral-8x7b": (4096, 32, 4096, 2 * 1024, 2, 14336, 32000),
    "qwen3-30b-a3b": (2048, 48, 4096, 2 * 512, 8, 768, 151936),
    "gpt-oss-20b": (2880, 24, 4096, 2 * 512, 4, 2880, 201088),
    "qwen3-235b-a22b": (4096, 94, 8192, 2 * 512, 8, 1536, 151936),
}
"""Of the published configs: hidden size, layers, widths of the queries and of keys with values, experts of a token, their
width, vocabulary."""


def mixture(model: str, framework: str, recompute: str) -> Plan:
    card, nodes = ("b200-sxm", 8) if model == "qwen3-235b-a22b" else ("h200-sxm", 1)
    spread = LayoutChoice(tp=1, pp=1, dp=8 * nodes, ep=8)
    keys: dict[str, Any] = {"kind": "pretrain", "micro_batch": 2, "sequence_length": 4096}
    return plan(run(model, card, 8, nodes, spread, framework=framework, recompute=recompute, **keys))


@pytest.mark.parametrize("model", MIXTURES)
def test_what_a_mixture_keeps_without_recomputation_is_what_its_widths_say(model: str) -> None:
    hidden, layers, queries, keys, chosen, width, vocabulary = MIXTURES[model]
    # of each token, in 16 bits: both norms and what they read, queries, what attention gives, keys and values in and out;
    # of each expert of it what comes in and goes out, and three products of its width; logits once in fp32
    kept = 4 * hidden + 2 * queries + 2 * keys + chosen * (2 * hidden + 3 * width)
    by_hand = 2 * 4096 * (2 * layers * kept + 4 * vocabulary)
    made = mixture(model, "megatron", "none")
    assert made.memory.worst.activation_bytes == pytest.approx(by_hand, rel=0.25)


@pytest.mark.parametrize("framework", ["fsdp2", "torchtitan", "megatron", "nemo"])
@pytest.mark.parametrize("model", MIXTURES)
def test_the_more_is_computed_again_the_less_a_mixture_keeps(model: str, framework: str) -> None:
    none, selective, full = (
        mixture(model, framework, recompute).memory.worst.activation_bytes
        for recompute in ("none", "selective", "full")
    )
    assert none >= selective > full
    # Megatron-LM's own set is attention, which flash attention keeps nothing of; FSDP's keeps every second product alone
    assert (selective < 0.5 * none) == (framework in ("fsdp2", "torchtitan"))


# ---------------------------------------------------------------- long sequences

LONG: dict[str, tuple[str, str, int, int, int, int, int, int, float]] = {
    "8B, half a million, 8x H200": ("llama-3.1-8b", "h200-sxm", 1, 524_288, 32, 4096, 8, 7_504_924_672, 0.45),
    "14B, half a million, 16x H100": ("qwen3-14b", "h100-sxm", 2, 524_288, 40, 5120, 16, 13_212_000_000, 0.45),
    "1B, a million, 8x B200": ("llama-3.2-1b", "b200-sxm", 1, 1_048_576, 16, 2048, 8, 973_146_112, 0.30),
    "7B, a quarter of a million, 8x A100": (
        "qwen2.5-7b",
        "a100-sxm4-80gb",
        1,
        262_144,
        28,
        3584,
        8,
        6_525_621_760,
        0.35,
    ),
}
"""Model, card, nodes, tokens, layers, width of the queries, GPUs, weights of products, the least share of the card's peak."""
PEAK = {"h200-sxm": 989e12, "h100-sxm": 989e12, "b200-sxm": 2250e12, "a100-sxm4-80gb": 312e12}


def long_run(name: str, **keys: Any) -> Plan:
    model, card, nodes, tokens, _, _, gpus, _, _ = LONG[name]
    given: dict[str, Any] = {
        "kind": "full-finetune",
        "sequence_length": tokens,
        "gradient_accumulation": 1,
        "global_batch_tokens": tokens,
        "framework": "fsdp2",
        "loss": "chunked",
        "context_parallel": gpus,
        "activation_offload": True,
    }
    return plan(run(model, card, 8, nodes, LayoutChoice(tp=1, pp=1, dp=gpus), **given | keys))


@pytest.mark.parametrize("name", LONG)
def test_a_step_of_a_long_sequence_runs_at_the_rate_of_attention_kernels(name: str) -> None:
    _, card, _, tokens, layers, queries, gpus, products, least = LONG[name]
    # causal attention: 2 x width x tokens squared a layer; forward, again, and a backward pass of two and a half
    attention = 4.5 * 2 * queries * tokens**2 * layers
    others = 8 * products * tokens
    made = long_run(name)
    assert made.training is not None
    share = (attention + others) / (gpus * PEAK[card]) / made.training.step_s
    assert least < share < 0.75


@pytest.mark.parametrize("name", LONG)
def test_a_long_sequence_fits_by_what_is_offloaded_and_tiled(name: str) -> None:
    made = long_run(name)
    parameters = count_parameters(made.scenario.model.architecture).total
    assert made.fits
    assert made.memory.peak_bytes > 16 * parameters / LONG[name][6]
    kept, whole = long_run(name, activation_offload=False), long_run(name, loss="eager")
    tiled = long_run(name, tiled_mlp=True)
    assert tiled.memory.peak_bytes < made.memory.peak_bytes < min(kept.memory.peak_bytes, whole.memory.peak_bytes)
    # a checkpoint of each layer by hand, the hidden state of a rank's tokens in 16 bits: less where the peak moves to another moment
    _, _, _, tokens, layers, _, gpus, _, _ = LONG[name]
    checkpoints = 2 * made.scenario.model.architecture.hidden_size * layers * tokens / gpus
    assert 0.4 * checkpoints < kept.memory.peak_bytes - made.memory.peak_bytes < 1.1 * checkpoints


# ---------------------------------------------------------------- sharding under pipeline stages

STAGED = {
    "8B, 4 nodes of H100, HDR": ("llama-3.1-8b", "h100-sxm", 4, "ib-hdr", 2, 16, 1),
    "14B, 8 nodes of H200, NDR": ("qwen3-14b", "h200-sxm", 8, "ib-ndr", 4, 16, 1),
    "70B, 16 nodes of B200, NDR": ("llama-3.1-70b", "b200-sxm", 16, "ib-ndr", 4, 32, 1),
    "30B-A3B, 8 nodes of A100, HDR": ("qwen3-30b-a3b", "a100-sxm4-80gb", 8, "ib-hdr", 4, 16, 8),
    "8B, 4 nodes of RTX PRO 6000, RoCE": ("llama-3.1-8b", "rtx-pro-6000-server", 4, "roce-100", 2, 16, 1),
}


def staged(name: str, group: str, link: str = "") -> Plan:
    model, card, nodes, usual, pp, dp, ep = STAGED[name]
    layout = LayoutChoice(tp=1, pp=pp, dp=dp, ep=ep)
    keys = {"kind": "pretrain", "framework": "fsdp2", "global_batch_tokens": 2**22, "sharding_group": group}
    scenario = run(model, card, 8, nodes, layout, **keys)
    between = catalog.load().link(link or usual)
    return plan(replace(scenario, hardware=replace(scenario.hardware, inter_link=between)))


def pace(made: Plan) -> float:
    assert made.training is not None
    return made.training.tokens_per_s_gpu


@pytest.mark.parametrize("name", STAGED)
def test_shards_inside_a_node_are_faster_under_stages_and_take_more_memory(name: str) -> None:
    inside, over = staged(name, "node"), staged(name, "all")
    assert pace(inside) > pace(over)
    assert inside.memory.peak_bytes > over.memory.peak_bytes


@pytest.mark.parametrize("name", STAGED)
def test_the_slower_the_network_the_more_shards_inside_a_node_gain(name: str) -> None:
    gains = [pace(staged(name, "node", link)) / pace(staged(name, "all", link)) for link in ("ib-ndr", "eth-25-tcp")]
    assert gains[1] > 1.3 * gains[0]


# ---------------------------------------------------------------- preferences and rewards

SAYABLE: dict[str, tuple[Scenario, tuple[str, ...]]] = {
    # 16 bytes of 14.8B parameters over two cards are 118 GB a card
    "GRPO of 14B in full, 2x H100": (run("qwen3-14b", "h100-sxm", 2, kind="grpo"), ("does-not-fit",)),
    # policy and reference: 18 bytes of 70.6B are 1,270 GB, 8x H200 have 1,128
    "DPO of 70B in full, 8x H200": (run("llama-3.1-70b", "h200-sxm", 8, kind="dpo"), ("does-not-fit",)),
    # policy and value model at 16 bytes, reference and reward model at 2: 36 bytes of 7.6B over eight are 32 GiB, and logits of
    # 4,096 tokens over 152,064 words in fp32, four times, 9: a card has 39.4
    "PPO of 7B in full, 8x A100 40 GB": (run("qwen2.5-7b", "a100-sxm4-40gb", 8, kind="ppo"), ("does-not-fit",)),
    # 16 bytes of 7.5B are 120 GB
    "a reward model of 8B in full, one H100": (run("llama-3.1-8b", "h100-sxm", 1, kind="reward"), ("does-not-fit",)),
    # a base of 65 GB over four, an engine on half of each card
    "GRPO of 32B by adapters, 4x H100": (run("qwen2.5-32b", "h100-sxm", 4, kind="grpo", tuning="lora"), ("runs",)),
    # a base of 4 bits of 8B is 5 GB
    "DPO of 8B over 4 bits, one 4090": (run("llama-3.1-8b", "rtx-4090", 1, kind="dpo", tuning="qlora"), ("runs",)),
}


@pytest.mark.parametrize("name", SAYABLE)
def test_training_by_preferences_and_rewards_fits_as_its_models_say(name: str) -> None:
    scenario, statuses = SAYABLE[name]
    made = plan(scenario)
    assert status_of(made) in statuses
    tuned = change(
        scenario, {"workload.kind": {"full": "full-finetune"}.get(scenario.workload.tuning, scenario.workload.tuning)}
    )
    # an engine, a reference or a value model beside what learns never makes it need less; a score in the place of a vocabulary may
    if scenario.workload.kind != "reward":
        assert made.memory.peak_bytes >= plan(tuned).memory.peak_bytes


def test_a_ppo_run_holds_four_models_by_hand() -> None:
    made = plan(SAYABLE["PPO of 7B in full, 8x A100 40 GB"][0])
    parameters = count_parameters(made.scenario.model.architecture).total
    worst = made.memory.worst
    held = worst.weights_bytes + worst.optimizer_bytes
    # of fp32 shards and two states 12 bytes twice, two frozen models at 2
    assert held == pytest.approx((2 * 12 + 2 * 2) * parameters / 8, rel=0.03)
    assert made.memory.peak_bytes > 30 * GIB
