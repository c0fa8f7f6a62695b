"""Laws of collectives over every link of the catalog: more bytes, more GPUs, more nodes or a slower link are never faster."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

import catalog
from engine.links.collectives import SWITCH_FROM_GPUS, Op, collective_s, link_class
from engine.parts.hardware import Link

FACTS = catalog.load().facts
INSIDE = [link for link in FACTS.links if link.scope == "intra-node"]
ACROSS = [link for link in FACTS.links if link.scope == "inter-node"]
PAYLOADS = [2**n for n in range(8, 35)]
OPS: tuple[Op, ...] = ("all_reduce", "all_gather", "reduce_scatter", "all_to_all")
NEARLY = 0.9999


def names(links: list[Link]) -> list[str]:
    return [link.id for link in links]


def inside_s(link: Link, op: Op, payload: float, gpus: int, in_engine: bool = False) -> float:
    return collective_s(op, payload, gpus, gpus, link, None, in_engine=in_engine)


def across_s(inside: Link, across: Link, op: Op, payload: float, nodes: int, gpus: int = 8) -> float:
    return collective_s(op, payload, nodes * gpus, gpus, inside, across)


def test_the_laws_concern_many_links() -> None:
    assert len(INSIDE) >= 25
    assert len(ACROSS) >= 20


@pytest.mark.parametrize("link", INSIDE, ids=names(INSIDE))
def test_more_bytes_are_never_faster_inside_a_node(link: Link) -> None:
    for op in (*OPS, "send_recv"):
        for gpus in (2, 3, 4, 5, 8) if op != "send_recv" else (2,):
            for in_engine in (False, True):
                times = [inside_s(link, op, payload, gpus, in_engine) for payload in PAYLOADS]
                assert all(more >= fewer * NEARLY for fewer, more in itertools.pairwise(times)), (op, gpus)


@pytest.mark.parametrize("link", INSIDE, ids=names(INSIDE))
def test_more_gpus_are_never_faster_but_on_a_mesh_and_where_the_switch_starts_to_sum(link: Link) -> None:
    if link.family == "xgmi":
        return  # each GPU more brings links of its own: two of eight use a seventh of theirs
    for op in OPS:
        for payload in PAYLOADS:
            times = {gpus: inside_s(link, op, payload, gpus) for gpus in (2, 3, 4, 5, 6, 8)}
            for fewer, more in zip(times, list(times)[1:], strict=False):
                switched = link_class(link) in ("nvlink-4", "nvlink-5") and op == "all_reduce"
                if switched and fewer < SWITCH_FROM_GPUS <= more:
                    assert times[more] >= 0.8 * times[fewer], payload
                else:
                    assert times[more] >= times[fewer] * NEARLY, (op, fewer, payload)


@pytest.mark.parametrize("link", [link for link in INSIDE if link.family == "xgmi"])
def test_a_mesh_never_takes_longer_steps_than_a_pair(link: Link) -> None:
    for payload in PAYLOADS[-8:]:
        assert inside_s(link, "all_reduce", payload, 8) <= inside_s(link, "all_reduce", payload, 2)


@pytest.mark.parametrize("link", ACROSS, ids=names(ACROSS))
def test_more_bytes_and_more_nodes_are_never_faster(link: Link) -> None:
    for inside in INSIDE:
        for op in OPS:
            last = 0.0
            for payload in PAYLOADS[::2]:
                times = [inside_s(inside, op, payload, 8)]
                times += [across_s(inside, link, op, payload, nodes) for nodes in (2, 4, 16, 64)]
                assert all(more >= fewer * NEARLY for fewer, more in itertools.pairwise(times)), (
                    inside.id,
                    op,
                )
                assert times[1] >= last * NEARLY
                last = times[1]


@pytest.mark.parametrize("link", [*INSIDE, *ACROSS], ids=names([*INSIDE, *ACROSS]))
def test_a_slower_link_is_never_faster(link: Link) -> None:
    measured = link.achieved_gb_s_unidir
    slower = replace(
        link,
        peak_gb_s_unidir=0.6 * link.peak_gb_s_unidir,
        achieved_gb_s_unidir=0.6 * measured if measured else None,
    )
    host = catalog.load().link("nvlink-4")
    for op in OPS:
        for payload in PAYLOADS[::2]:
            for gpus in (2, 4, 8):
                if link in ACROSS:
                    fast, slow = (across_s(host, one, op, payload, gpus) for one in (link, slower))
                elif link_class(slower) == link_class(link):
                    fast, slow = (inside_s(one, op, payload, gpus) for one in (link, slower))
                else:
                    continue  # of NVLink the rate tells the generation
                assert slow >= fast * NEARLY, (op, gpus, payload)


def test_a_slower_link_inside_slows_what_crosses_nodes() -> None:
    """A node whose GPUs talk more slowly is no better neighbour: the slower of two bandwidths counts, latencies add."""
    ladder = ["nvlink-4", "pcie5-switch", "pcie4-x16", "pcie3-x16"]
    for across in ACROSS:
        for payload in PAYLOADS[-10::3]:
            times = [
                collective_s("all_gather", payload, 16, 8, catalog.load().link(inside), across, nics_per_node=8)
                for inside in ladder
            ]
            # the widest protocol fills NVLink 15 us longer than PCIe
            assert all(slow >= fast * 0.97 for fast, slow in itertools.pairwise(times)), (across.id, payload)
