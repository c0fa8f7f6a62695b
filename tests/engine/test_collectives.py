"""Laws that every collective time keeps, and the facts that the model must show."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catalog
from engine.links.collectives import (
    VIRTUAL_FLOOR_S,
    Kernel,
    Op,
    collective_s,
    curve,
    link_class,
)
from engine.links.curves import floored, lower_envelope
from engine.links.evidence import LARGE_BYTES, SMALL_BYTES, evidence_kind, interval, why_wide
from engine.parts.hardware import Link

LINKS = catalog.load().facts.links
INSIDE = [link for link in LINKS if link.scope == "intra-node"]
BETWEEN = [link for link in LINKS if link.scope == "inter-node"]
OPS: tuple[Op, ...] = get_args(Op)


def link(link_id: str) -> Link:
    return catalog.load().link(link_id)


payloads = st.integers(min_value=1, max_value=2**34)
ranks = st.sampled_from([2, 3, 4, 6, 8])


@given(st.sampled_from(OPS), payloads, payloads, ranks, st.sampled_from(INSIDE), st.booleans())
@settings(max_examples=200, deadline=None)
def test_time_rises_with_bytes(op: Op, one: int, other: int, n: int, inside: Link, in_engine: bool) -> None:
    small, large = sorted((one, other))
    here = collective_s(op, small, n, n, inside, None, in_engine=in_engine)
    assert 0.0 < here <= collective_s(op, large, n, n, inside, None, in_engine=in_engine)


@given(st.sampled_from(OPS), payloads, ranks, st.sampled_from(BETWEEN), st.integers(2, 4))
@settings(max_examples=200, deadline=None)
def test_time_rises_with_bytes_across_nodes(op: Op, payload: int, n: int, between: Link, nodes: int) -> None:
    inside = link("nvlink-4")
    total = n * nodes if op != "send_recv" else 2
    within = n if op != "send_recv" else 1
    here = collective_s(op, payload, total, within, inside, between)
    assert here < collective_s(op, 2 * payload + 2**20, total, within, inside, between)


@given(st.sampled_from(OPS), payloads, ranks, st.sampled_from(LINKS), st.floats(1.0, 4.0))
@settings(max_examples=200, deadline=None)
def test_a_wider_link_of_a_class_is_never_slower(op: Op, payload: int, n: int, base: Link, factor: float) -> None:
    wider = replace(
        base,
        peak_gb_s_unidir=base.peak_gb_s_unidir * factor,
        per_peer_gb_s_unidir=None,
        achieved_gb_s_unidir=base.achieved_gb_s_unidir * factor if base.achieved_gb_s_unidir else None,
    )
    if link_class(wider) != link_class(base):
        return
    if base.scope == "intra-node":
        assert collective_s(op, payload, n, n, wider, None) <= collective_s(op, payload, n, n, base, None) * 1.0001
    else:
        home = link("nvlink-4")
        here = collective_s(op, payload, 2 * n, n, home, base)
        assert collective_s(op, payload, 2 * n, n, home, wider) <= here * 1.0001


@given(payloads, ranks, st.sampled_from(BETWEEN))
@settings(max_examples=100, deadline=None)
def test_a_network_is_never_faster_than_the_nvlink_it_joins(payload: int, n: int, between: Link) -> None:
    home = link("nvlink-4")
    inside = collective_s("all_gather", payload, 2 * n, 2 * n, home, None)
    across = collective_s("all_gather", payload, 2 * n, n, home, between, nics_per_node=1)
    assert across >= inside * 0.999 or payload < 2**16


@given(payloads, st.sampled_from([2, 4, 8]), st.sampled_from(["pcie5-switch", "pcie5-root", "pcie4-x16", "pcie3-x16"]))
@settings(max_examples=100, deadline=None)
def test_staging_through_host_memory_is_never_faster(payload: int, n: int, link_id: str) -> None:
    slot = link(link_id).peak_gb_s_unidir
    peer = collective_s("all_reduce", payload, n, n, link(link_id), None, slot_gb_s=slot)
    staged = collective_s("all_reduce", payload, n, n, link("pcie-no-p2p"), None, slot_gb_s=slot)
    assert staged >= peer


@given(payloads, st.sampled_from([1, 2, 4, 8]), st.sampled_from(BETWEEN))
@settings(max_examples=100, deadline=None)
def test_groups_that_share_cards_wait_for_each_other(payload: int, groups: int, between: Link) -> None:
    home = link("pcie5-switch")
    alone = collective_s("all_reduce", payload, 2, 1, home, between, nics_per_node=1)
    shared = collective_s("all_reduce", payload, 2, 1, home, between, nics_per_node=1, groups_per_node=groups)
    assert shared >= alone * 0.9999


@given(st.lists(st.tuples(st.floats(1e-6, 1e-2), st.floats(1e-13, 1e-8)), min_size=1, max_size=6), payloads)
def test_the_envelope_is_the_least_line(lines: list[tuple[float, float]], payload: int) -> None:
    least = min(alpha + payload * beta for alpha, beta in lines)
    assert lower_envelope(lines).seconds(payload) == pytest.approx(least, rel=1e-9)


def test_one_rank_says_nothing() -> None:
    assert collective_s("all_reduce", 2**20, 1, 1, link("nvlink-4"), None) == 0.0


def busbw(payload: float, n: int, seconds: float) -> float:
    return payload * 2 * (n - 1) / n / seconds / 1e9


def test_a_mesh_gives_two_gpus_a_fraction_of_what_eight_get() -> None:
    mesh = link("xgmi-mi300x")
    two, eight = (busbw(2**32, n, collective_s("all_reduce", 2**32, n, n, mesh, None)) for n in (2, 8))
    assert two < 0.2 * eight


def test_engine_kernels_run_only_where_they_exist() -> None:
    torus = link("ici-v5p")
    alone = collective_s("all_reduce", 2**16, 8, 8, torus, None)
    assert collective_s("all_reduce", 2**16, 8, 8, torus, None, in_engine=True) > alone
    nvlink = link("nvlink-4")
    assert collective_s("all_reduce", 2**16, 8, 8, nvlink, None, kernel="vllm") < collective_s(
        "all_reduce", 2**16, 8, 8, nvlink, None
    )


def test_more_gpus_than_a_bridge_joins_fall_back_to_the_slot() -> None:
    bridge = link("nvlink-4-bridge")
    four = collective_s("all_reduce", 2**28, 4, 4, bridge, None)
    assert four > 3 * collective_s("all_reduce", 2**28, 2, 2, bridge, None)
    # rings cross at both cards of a pair: faster than one slot, slower than two
    one = collective_s("all_reduce", 2**28, 2, 2, link("pcie5-root"), None) * 1.5
    assert one / 2 < four < one


def test_islands_of_bridges_reach_what_was_measured_between_them() -> None:
    """A100 PCIe pairs on Gen4 25.9 GB/s at 32 MiB, H200 NVL fours on Gen5 68.7 at 32 GiB."""
    pairs = collective_s("all_gather", 2**25, 4, 4, link("nvlink-4-bridge"), None, slot_gb_s=31.5)
    assert 2**25 * 3 / 4 / pairs / 1e9 == pytest.approx(25.9, rel=0.2)
    fours = collective_s("all_reduce", 2**35, 8, 8, link("nvlink-4-bridge-4way"), None, slot_gb_s=63.0)
    assert busbw(2**35, 8, fours) == pytest.approx(68.7, rel=0.2)


@pytest.mark.parametrize("op", ["all_gather", "reduce_scatter"])
def test_gathers_pass_every_rank_and_all_reduces_climb_a_tree(op: Op) -> None:
    inside, between = link("nvlink-4"), link("ib-ndr")

    def seconds(kind: Op, nodes: int) -> float:
        return collective_s(kind, 1000, 8 * nodes, 8, inside, between)

    assert seconds(op, 128) > 127 * 2.7e-6 + 896 * 0.6e-6
    assert seconds(op, 128) == pytest.approx(4 * seconds(op, 32), rel=0.1)
    assert seconds("all_reduce", 128) < 1.5 * seconds("all_reduce", 32)


def test_the_switch_helps_large_all_reduces_only() -> None:
    nvlink = link("nvlink-4")
    ring = collective_s("all_reduce", 2**32, 8, 8, nvlink, None, kernel="nccl-ring")
    assert collective_s("all_reduce", 2**32, 8, 8, nvlink, None) < 0.85 * ring
    assert collective_s("all_gather", 2**32, 8, 8, nvlink, None) == pytest.approx(ring / 2, rel=0.05)


def test_the_cliff_is_deep_for_small_payloads_and_shallow_for_large_ones() -> None:
    home, between = link("nvlink-5"), link("efa-v4-b200")

    def ratio(payload: int) -> float:
        across = collective_s("all_reduce", payload, 32, 8, home, between)
        return across / collective_s("all_reduce", payload, 8, 8, home, None)

    assert ratio(2**18) > 8.0
    assert 1.5 < ratio(2**34) < 3.0


@pytest.mark.parametrize("link_id", ["nvlink-3", "nvlink-4", "nvlink-5"])
@pytest.mark.parametrize("n", [2, 4, 8])
def test_an_engine_pays_two_to_four_and_a_half_times_its_kernel(link_id: str, n: int) -> None:
    payload = 32 * 8192 * 2
    alone = collective_s("all_reduce", payload, n, n, link(link_id), None, kernel="vllm")
    inside = collective_s("all_reduce", payload, n, n, link(link_id), None, in_engine=True)
    assert 1.3 < inside / alone < 4.5
    small = collective_s("all_reduce", 2**14, n, n, link(link_id), None, kernel="vllm")
    assert 1.8 < collective_s("all_reduce", 2**14, n, n, link(link_id), None, in_engine=True) / small < 4.5


def test_untuned_roce_and_sockets_lose_what_is_known_to_be_lost() -> None:
    home = link("nvlink-3")

    def share(between: Link, rate: float) -> float:
        return 2**32 / collective_s("send_recv", 2**32, 2, 1, home, between, nics_per_node=1) / 1e9 / rate

    roce = replace(link("roce-200"), achieved_gb_s_unidir=None)
    assert 0.9 < share(link("ib-hdr"), 25.0) < 0.97
    assert 0.75 < share(roce, 25.0) < 0.95
    assert 0.35 < share(replace(roce, id="roce-200-untuned"), 25.0) < 0.6
    assert 0.3 < share(link("eth-100-tcp"), 12.5) < 0.5


def test_every_link_says_what_its_figures_are() -> None:
    kinds = {each.id: evidence_kind(each) for each in LINKS}
    assert kinds["nvlink-4"] == "measured"
    assert kinds["ib-xdr"] == "fitted"
    assert kinds["ici-v5e"] == "data sheet"
    assert set(kinds.values()) == {"measured", "fitted", "data sheet"}


@pytest.mark.parametrize(
    ("inside", "between", "card", "unmeasured"),
    [
        ("nvlink-4", None, "h200-sxm", ""),
        ("nvlink-5", None, "b200-sxm", ""),
        ("nvlink-4-bridge", None, "h100-nvl", ""),
        ("nvlink-3-bridge", None, "rtx-3090", "NVLink bridge, GA102 pairs"),
        ("nvlink-6", None, "b200-sxm", "NVLink 6"),
        ("pcie5-root", None, "rtx-pro-6000-workstation", ""),
        ("pcie5-root", None, "h100-pcie", "between Hopper cards"),
        ("pcie4-x16", None, "rtx-4090", ""),
        ("pcie4-x16", None, "rtx-3090", "between Ampere cards"),
        ("nvlink-4", "ib-ndr", "h100-sxm", ""),
        ("nvlink-5", "ib-ndr", "b200-sxm", "between Blackwell cards"),
        ("nvlink-4", "ib-xdr", "h100-sxm", "InfiniBand XDR"),
        ("ici-v5p", None, "tpu-v5p", "ICI"),
    ],
)
def test_a_link_between_cards_that_nobody_measured_has_a_wider_interval_and_says_why(
    inside: str, between: str | None, card: str, unmeasured: str
) -> None:
    part = catalog.load().accelerator(card)
    links = link(inside), link(between) if between else None
    told = why_wide(*links, part)
    assert bool(told) == bool(unmeasured)
    assert unmeasured in told
    for payload in (SMALL_BYTES, LARGE_BYTES, 2**30):
        low, high = interval(payload, *links, "nccl", part.peer_access, part.architecture.split()[0])
        seen = interval(payload, link("nvlink-4"), None, generation="Hopper")
        assert 0.0 < low < 1.0 < high
        if links[0].family == "nvlink" and between is None:
            assert (low <= seen[0] and high > seen[1]) if unmeasured else (low, high) == seen


def test_links_of_equal_figures_share_nothing_by_accident() -> None:
    slow = replace(link("nvlink-4"), peak_gb_s_unidir=360.0)
    fast = curve("all_reduce", 8, 8, link("nvlink-4"), None)
    assert curve("all_reduce", 8, 8, slow, None).seconds(2**30) > fast.seconds(2**30)


@given(payloads, st.floats(1e-6, 1e-2))
def test_a_floor_is_the_least_and_changes_nothing_above_it(payload: int, least: float) -> None:
    bare = lower_envelope([(5e-6, 8e-12), (9e-6, 5e-12), (3e-5, 3e-12)])
    assert floored(bare, least).seconds(payload) == pytest.approx(max(least, bare.seconds(payload)))


def test_virtual_functions_have_a_floor_and_lose_nothing_above_it() -> None:
    bare, virtual = link("xgmi-mi300x"), link("xgmi-mi300x-virtual")
    for op in OPS:
        for payload in (2**n for n in range(8, 35, 2)):
            alone, under = (collective_s(op, payload, 8, 8, one, None) for one in (bare, virtual))
            assert under == pytest.approx(max(alone, VIRTUAL_FLOOR_S))


@pytest.mark.clock
def test_a_call_is_fast() -> None:
    nvlink, between = link("nvlink-4"), link("ib-ndr")
    best = 1.0
    for _ in range(5):
        start = time.process_time()
        for payload in range(1000):
            collective_s("all_reduce", payload, 16, 8, nvlink, between, in_engine=True)
        best = min(best, (time.process_time() - start) / 1000)
    # 0.6 us on an idle machine
    assert best < 6e-6


def test_what_leaves_a_node_over_infiniband_is_a_tree_from_two_nodes_on() -> None:
    """A switch sums the node first, and 2 (N - 1) / N of one GPU's payload leaves it: two H100 nodes beat their cards' wire."""
    payload, wire = 2**34, 8 * 42.9

    def rate(nodes: int, home: str, between: str, kernel: Kernel = "nccl") -> float:
        seconds = collective_s("all_reduce", payload, 8 * nodes, 8, link(home), link(between), kernel=kernel)
        return busbw(payload, 8 * nodes, seconds)

    assert rate(2, "nvlink-4", "ib-ndr") > 1.2 * wire
    # more nodes: twice the payload of one GPU leaves each, and no more
    assert rate(2, "nvlink-4", "ib-ndr") > rate(4, "nvlink-4", "ib-ndr") > rate(16, "nvlink-4", "ib-ndr")
    # a flat ring, which A100 nodes take, is bound by all cards; told to take trees, it is not
    assert rate(2, "nvlink-3", "ib-hdr") < 8 * 24.0
    assert rate(2, "nvlink-3", "ib-hdr", "nccl-tree") > 1.05 * rate(2, "nvlink-3", "ib-hdr")
