"""One step has one list of messages and one count of micro-batches, wherever it is read."""

from __future__ import annotations

from typing import Any

import pytest

from engine.decide.size import size
from engine.scenario import LayoutChoice, Scenario
from engine.sizing import Sizing
from tests.engine.builds import build

WORK: dict[str, Any] = {
    "kind": "pretrain",
    "sequence_length": 4096,
    "micro_batch": 1,
    "global_batch_tokens": 4096 * 64,
    "recompute": "full",
    "framework": "megatron",
    "software": "tuned",
}
ONE_NODE: dict[str, tuple[str, LayoutChoice, dict[str, Any]]] = {
    "tp 8": ("llama-3.1-8b", LayoutChoice(tp=8, pp=1), {}),
    "pp 8": ("llama-3.1-8b", LayoutChoice(tp=1, pp=8), {}),
    "tp 4 pp 2": ("llama-3.1-8b", LayoutChoice(tp=4, pp=2), {}),
    "tp 2 dp 4 zero1": ("llama-3.1-8b", LayoutChoice(tp=2, pp=1, dp=4), {"sharding": "zero1"}),
    "ddp": ("llama-3.1-8b", LayoutChoice(dp=8), {"sharding": "ddp"}),
    "zero1": ("llama-3.1-8b", LayoutChoice(dp=8), {"sharding": "zero1"}),
    "zero2": ("llama-3.1-8b", LayoutChoice(dp=8), {"sharding": "zero2"}),
    "zero3": ("llama-3.1-8b", LayoutChoice(dp=8), {"sharding": "zero3", "framework": "fsdp2"}),
    "lora": ("llama-3.1-8b", LayoutChoice(dp=8), {"kind": "lora", "sharding": "ddp", "framework": "fsdp2"}),
    "qlora zero3": ("llama-3.1-70b", LayoutChoice(dp=8), {"kind": "qlora", "sharding": "zero3", "framework": "fsdp2"}),
    "ep 8": ("mixtral-8x7b", LayoutChoice(tp=1, pp=1, ep=8), {"sharding": "zero1"}),
    "ep 4 pp 2": ("mixtral-8x7b", LayoutChoice(tp=1, pp=2, ep=4), {"sharding": "zero1"}),
    "cp 4": (
        "llama-3.1-8b",
        LayoutChoice(dp=8),
        {"sharding": "zero3", "framework": "fsdp2", "context_parallel": 4, "sequence_length": 65536},
    ),
    "interleaved": (
        "llama-3.1-8b",
        LayoutChoice(tp=1, pp=4, dp=2),
        {"sharding": "zero1", "pipeline_schedule": "interleaved", "virtual_stages": 4},
    ),
}
CARDS = {"nvlink": "h100-sxm", "pcie": "l40s", "no peer access": "rtx-4090"}


def trained(name: str, card: str = "h100-sxm") -> Sizing:
    """The sizing of one of the layouts on a node of eight."""
    model, layout, work = ONE_NODE[name]
    asked = WORK | work
    asked["global_batch_tokens"] = max(asked["global_batch_tokens"], 8 * asked["sequence_length"])
    return size(build(model, "bf16", card, 8, 1, layout, **asked))


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
@pytest.mark.parametrize("name", ONE_NODE)
def test_the_link_in_use_takes_the_communication_of_the_step(name: str, card: str) -> None:
    sizing = trained(name, card)
    assert sizing.training is not None
    (row,) = [row for row in sizing.fabric if row.in_use]
    assert row.seconds == pytest.approx(sizing.training.communication_s, rel=1e-6)


@pytest.mark.parametrize("tp", [2, 4, 8])
@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_the_link_in_use_takes_the_communication_of_a_token(tp: int, card: str) -> None:
    load = {"concurrency": 16, "input_tokens": 2000, "output_tokens": 400}
    sizing = size(build("llama-3.1-8b", "bf16", card, 8, 1, LayoutChoice(tp=tp, pp=1), **load))
    assert sizing.serving is not None
    (row,) = [row for row in sizing.fabric if row.in_use]
    assert row.seconds == pytest.approx(sizing.serving.communication_s, rel=1e-6)


def batch(dp: int, tokens: int, cp: int = 1, **work: Any) -> Scenario:
    """An 8B on dp H100 with so many tokens a step."""
    asked = WORK | {"kind": "full-finetune", "framework": "fsdp2", "sharding": "ddp", "global_batch_tokens": tokens}
    return build(
        "llama-3.1-8b", "bf16", "h200-sxm", dp, 1, LayoutChoice(dp=dp), **asked | {"context_parallel": cp} | work
    )


@pytest.mark.parametrize(
    ("dp", "tokens", "cp"),
    [
        (8, 8 * 4096, 1),
        (8, 2 * 8 * 4096, 1),
        (8, 45_000, 1),
        (8, 45_000, 4),
        (4, 45_000, 1),
        (2, 1, 1),
        (8, 123_456, 2),
    ],
)
def test_speed_and_memory_count_the_same_micro_batches(dp: int, tokens: int, cp: int) -> None:
    sizing = size(batch(dp, tokens, cp))
    training, memory = sizing.training, sizing.memory
    assert training is not None
    assert memory.training is not None
    each = 4096 * dp // cp
    assert tokens // each <= training.micro_batches <= max(1, -(-tokens // each))
    assert training.tokens_per_s_total * training.step_s == pytest.approx(training.micro_batches * each)
    # gradients are there before the backward only where an earlier micro-batch left them
    loss = next(phase for phase in memory.training.phases if phase.name == "the loss")
    assert (loss.gradient_bytes > 0) is (training.micro_batches > 1)
