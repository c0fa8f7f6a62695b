"""Terms that are small, or seldom read, each with the figure that it alone decides."""

from __future__ import annotations

from dataclasses import replace

import pytest

import catalog
from engine.decide import card_notices
from engine.decide.replicas import replica_words
from engine.decide.size import size
from engine.figures.sentences import text_of
from engine.figures.units import days
from engine.links.link_prices import board_of
from engine.links.traffic import Message
from engine.model.architecture import Tensor
from engine.model.formats import FORMATS, tensor_scheme
from engine.money.bill import host_purchase
from engine.money.shopping import shopping
from engine.runtimes.frameworks import FRAMEWORKS
from engine.serving.draft import draft_of
from tests.engine.builds import build


def test_a_side_of_64_is_quantized_and_one_of_63_stays_wide() -> None:
    arch = build().model.architecture
    sides = {side: tensor_scheme(Tensor("x", "mlp", side, 4096), FORMATS["int4"], arch, 0) for side in (63, 64)}
    assert sides[63].bits == 16
    assert sides[64].bits == 4


def test_weights_on_the_host_are_not_read_on_the_card_too() -> None:
    whole = build("llama-3.1-8b", "bf16", "rtx-4090", 1, concurrency=1)
    runtime = replace(whole.runtime, engine="llama.cpp")
    read = []
    for layers in (None, 16, 0):
        made = size(replace(whole, runtime=replace(runtime, n_gpu_layers=layers))).serving
        assert made is not None
        read.append(made.weight_stream_s)
    head = 2 * 128256 * 4096  # the output matrix stays on the card
    layers_bytes = sum(
        tensor.rows * tensor.cols * tensor.copies * 2
        for layer, count in whole.model.architecture.layer_runs()
        for _ in range(count)
        for tensor in layer.tensors
    )
    assert read[2] / read[0] == pytest.approx(head / (head + layers_bytes), rel=0.02)
    assert read[1] == pytest.approx((read[0] + read[2]) / 2, rel=0.02)


def test_each_prediction_layer_has_a_cache_and_a_checkpoint_without_a_projection_one() -> None:
    arch = catalog.load().model("deepseek-v3").architecture
    assert len(draft_of(arch, "mtp").caches) == 1
    assert len(draft_of(replace(arch, mtp=arch.mtp * 2), "mtp").caches) == 2
    bare = tuple(tensor for tensor in arch.mtp if tensor.name != "mtp.projection")
    assert len(draft_of(replace(arch, mtp=bare), "mtp").caches) == 1


def test_one_larger_card_is_tried_where_one_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = build("llama-3.1-8b", "bf16", "rtx-4090", concurrency=60, input_tokens=2000)

    def named() -> bool:
        return "bigger-card" in [notice.id for notice in size(scenario).warnings]

    assert named()
    monkeypatch.setattr(card_notices, "BIGGER_CARDS_TRIED", 0)
    assert not named()
    monkeypatch.setattr(card_notices, "BIGGER_CARDS_TRIED", 1)
    assert named()


def test_a_message_has_one_group_unless_more_are_said() -> None:
    board = board_of(build("llama-3.1-405b", "fp8", "h100-sxm", 8, 2))
    message = Message("all_reduce", 2**24, 1.0, 8, "tp")
    assert board.column(message) == board.column(message, 1)
    assert board.column(message) != board.column(message, 8)


@pytest.mark.parametrize(
    ("gpus", "words"), [(1, "1 GPU and 1 network card take"), (2, "2 GPUs and 1 network card take")]
)
def test_what_takes_the_lanes_is_counted(gpus: int, words: str) -> None:
    scenario = build("llama-3.1-8b", "bf16", "rtx-4090", gpus, 2)
    known = catalog.load().facts.platforms
    board = next(one for one in known if one.pcie_lanes is not None)
    few = replace(board, pcie_lanes=20, gpus=gpus, accelerator="rtx-4090", intra_link="pcie-no-p2p")
    crowded = replace(scenario, hardware=replace(scenario.hardware, platform=few))
    told = [text_of(notice.message) for notice in size(crowded).warnings if notice.id == "lanes-short"]
    assert [words in one for one in told] == [True]


def test_cooling_is_on_the_shopping_list() -> None:
    bought = shopping(build(accelerator="h100-sxm"), "")
    assert sum("cooling for" in part.item for part in bought.parts) == 1


def test_a_node_that_takes_less_than_a_request_a_second_is_told_by_the_days_of_the_corpus() -> None:
    scenario = build(kind="batch", total_tokens=10**8, deadline_days=0.2, input_tokens=900, output_tokens=100)
    for rate, nodes, rest in (
        (0.5, 16, "in time without one"),
        (0.5, 4, "18.5 h if one is lost"),
        (10.0, 2, "in time"),
    ):
        told = text_of(replica_words(scenario, 10, rate, nodes))
        assert f"takes {days(1e5 / rate / 86400)} for the corpus, {days(0.2)} are asked" in told
        assert rest in told
    assert "for the corpus" not in text_of(replica_words(scenario, 10, 0.0, 3))


def test_of_boxes_of_one_size_the_persons_own_comes_first() -> None:
    facts = catalog.load().facts
    host = next(
        p for p in facts.purchases if p.gpus == 8 and p.box and p.usd and not (p.accelerator or p.part or p.platform)
    )
    own = replace(host, origin="user", usd=host.usd * 2 if host.usd else None)
    for listed in ((host, own), (own, host)):
        found = host_purchase(replace(facts, purchases=listed), 4, host.box or "server")
        assert found is not None
        assert found.usd == own.usd


def test_a_framework_that_splits_nothing_splits_no_adapters() -> None:
    assert [one.id for one in FRAMEWORKS.values() if one.adapters_split and not one.splits] == []
