"""Laws of links inside a node, over every card of the catalog that they concern: slots, staging, bridges, roots."""

from __future__ import annotations

import pytest

import catalog
from catalog.scenarios import build_scenario
from engine.decide.size import size
from engine.links.collectives import Op, collective_s, slot_gb_s
from engine.parts.hardware import Accelerator, Link
from engine.scenario import LayoutChoice, Workload
from engine.scenario.change import PCIE_BY_GENERATION

FACTS = catalog.load().facts
SLOTTED = [card for card in FACTS.accelerators if slot_gb_s(card) and card.default_intra_link.startswith("pcie")]
STAGED = [card for card in SLOTTED if not card.peer_access]
PEERS = [card for card in SLOTTED if card.peer_access]
NO_PEER = catalog.load().link("pcie-no-p2p")
BRIDGED = {
    "nvlink-2-bridge": ("rtx-2080-ti", "rtx-2080-ti-22gb", "titan-rtx", "quadro-rtx-6000", "quadro-rtx-8000"),
    "nvlink-2-bridge-x8": ("rtx-2080", "rtx-2080-super", "quadro-rtx-5000"),
    "nvlink-3-bridge": ("rtx-3090", "rtx-3090-ti", "rtx-a6000", "rtx-a5000", "rtx-a4500", "a40", "a10"),
    "nvlink-4-bridge": ("a100-pcie-40gb", "a100-pcie-80gb", "h100-pcie", "h100-nvl"),
    "nvlink-4-bridge-4way": ("h200-nvl",),
}
"""Bridges, and cards that one was sold for or that share its connector."""
PAYLOADS = [2**n for n in range(10, 35, 2)]
OPS: tuple[Op, ...] = ("all_reduce", "all_gather", "reduce_scatter", "send_recv")


def names(cards: list[Accelerator]) -> list[str]:
    return [card.id for card in cards]


def slot(card: Accelerator) -> Link:
    """The PCIe link of a card's own generation."""
    return catalog.load().link(PCIE_BY_GENERATION[card.pcie_gen or 4])


def seconds(card: Accelerator, link: Link, payload: int, gpus: int, op: Op = "all_reduce") -> float:
    return collective_s(op, payload, gpus, gpus, link, None, peer_access=card.peer_access, slot_gb_s=slot_gb_s(card))


def busbw(card: Accelerator, link: Link, gpus: int) -> float:
    payload = 2**34
    return payload * 2 * (gpus - 1) / gpus / seconds(card, link, payload, gpus) / 1e9


def test_the_laws_concern_many_cards() -> None:
    assert len(STAGED) > 30
    assert len(PEERS) > 30


@pytest.mark.parametrize("card", SLOTTED, ids=names(SLOTTED))
def test_nothing_between_slots_is_faster_than_the_slot(card: Accelerator) -> None:
    rate = slot_gb_s(card) or 0.0
    for link in (link for link in FACTS.links if link.family == "pcie" and link.scope == "intra-node"):
        for gpus in (2, 3, 4, 8):
            for payload in PAYLOADS:
                sent = payload * 2 * (gpus - 1) / gpus
                assert seconds(card, link, payload, gpus) >= sent / (rate * 1e9), (link.id, gpus, payload)


@pytest.mark.parametrize("card", SLOTTED, ids=names(SLOTTED))
def test_staging_through_the_host_is_no_faster_than_peer_access(card: Accelerator) -> None:
    for op in OPS:
        for gpus in (2, 3, 4, 8) if op != "send_recv" else (2,):
            for payload in PAYLOADS:
                peer = seconds(card, slot(card), payload, gpus, op)
                assert seconds(card, NO_PEER, payload, gpus, op) >= peer * 0.9999, (op, gpus, payload)


@pytest.mark.parametrize("card", STAGED, ids=names(STAGED))
def test_a_patched_driver_gains_on_large_messages_and_nothing_below_256_kib(card: Accelerator) -> None:
    for gpus in (2, 4, 8):
        # measured on Gen4 x16: a narrower slot feels its bandwidth sooner
        for payload in (2**12, 2**16, 2**18):
            narrow = int(payload * min(1.0, (slot_gb_s(card) or 0.0) / 31.5))
            assert seconds(card, slot(card), narrow, gpus) == pytest.approx(seconds(card, NO_PEER, narrow, gpus))
        gain = seconds(card, NO_PEER, 2**28, gpus) / seconds(card, slot(card), 2**28, gpus)
        # a root complex forwards no more than it does of any ring
        assert 1.0 <= gain < 1.7
        if busbw(card, slot(card), gpus) < 20.0:
            assert gain > 1.25


@pytest.mark.parametrize(("bridge_id", "card_id"), [(b, c) for b, cards in BRIDGED.items() for c in cards])
def test_a_bridge_is_faster_than_the_slot_beside_it(bridge_id: str, card_id: str) -> None:
    card, bridge = catalog.load().accelerator(card_id), catalog.load().link(bridge_id)
    for op in OPS:
        for payload in PAYLOADS:
            bridged = seconds(card, bridge, payload, 2, op)
            assert bridged <= seconds(card, slot(card), payload, 2, op) * 1.0001, (op, payload)
            assert bridged <= seconds(card, NO_PEER, payload, 2, op) * 1.0001, (op, payload)
    assert busbw(card, bridge, 2) > 1.3 * busbw(card, NO_PEER, 2)


@pytest.mark.parametrize("card", PEERS, ids=names(PEERS))
def test_a_root_complex_has_one_ceiling_for_every_ring_of_four(card: Accelerator) -> None:
    link = slot(card)
    two, four, eight = (busbw(card, link, gpus) for gpus in (2, 4, 8))
    assert four <= 26.0
    assert eight <= 26.0
    if two <= 20.0:
        # Gen3, Gen4 and x8 slots keep theirs
        assert four == pytest.approx(two, rel=0.02)
        assert eight == pytest.approx(two, rel=0.02)
    else:
        assert four >= 20.0


TRAINED = [card for card in STAGED if card.memory_bytes >= 11e9]


@pytest.mark.parametrize("card", TRAINED, ids=names(TRAINED))
def test_a_sharded_step_waits_longest_without_peer_access(card: Accelerator) -> None:
    def communication_s(link: str) -> float:
        scenario = build_scenario(
            "llama-3.2-1b",
            "bf16",
            card.id,
            2,
            intra_link=link,
            workload=Workload(kind="full-finetune", sequence_length=1024, micro_batch=1, sharding="zero3"),
            layout=LayoutChoice(tp=1, pp=1, dp=2),
        )
        training = size(scenario).training
        assert training is not None
        return training.communication_s

    staged, peer, bridge = (communication_s(link) for link in ("pcie-no-p2p", slot(card).id, "nvlink-3-bridge"))
    assert staged >= peer
    if slot_gb_s(card) == 31.5:
        assert peer >= bridge
        assert staged >= 1.5 * bridge
