"""The collective set, on the repository's own rows."""

from __future__ import annotations

import copy
import re
import statistics
from collections.abc import Iterator
from types import ModuleType

import pytest

import catalog
from engine.calibration import collectives as fit
from engine.decide.opened.constants import constant
from engine.links import collectives as model
from engine.links import evidence
from tests.accuracy import bars, collectives, harness
from tests.calibration import collectives as collectives_fit

ROWS = harness.load_rows(harness.REFERENCE / "collectives.jsonl")
PUBLIC = harness.load_rows(harness.REFERENCE / "collectives_public.jsonl")
TABLES = ("CLASSES", "RING_SHARE", "KERNELS", "KERNEL_CLASS", "LATENCY_SCALE", "SHARED")


@pytest.fixture
def calibration() -> Iterator[ModuleType]:
    """The fit; the shipped constants are back afterwards."""
    kept = {name: copy.deepcopy(getattr(fit, name)) for name in TABLES}
    try:
        yield collectives_fit
    finally:
        for name, table in kept.items():
            getattr(fit, name).clear()
            getattr(fit, name).update(table)
        model.forget()


def test_few_rows_are_set_aside() -> None:
    evaluation = bars.evaluation("collectives")
    print("\n" + harness.render("collectives", evaluation))
    assert len(evaluation.set_aside) <= len(ROWS) / 5


_LEFT: dict[str, list[float]] = {}


def by_source(calibration: ModuleType) -> dict[str, list[float]]:
    """The errors of each source by a fit without it: half a minute, once for all tests."""
    if not _LEFT:
        _LEFT.update(calibration.leave_out(calibration.read_points(), lambda point: point.source))
    return _LEFT


def test_bar_with_each_source_left_out(calibration: ModuleType) -> None:
    left = by_source(calibration)
    calibration.report("each source left out; errors in %", left)
    errors = [abs(2.718281828**error - 1.0) for found in left.values() for error in found]
    assert len(errors) == len(ROWS) - len(bars.evaluation("collectives").set_aside)
    assert statistics.median(errors) <= 0.15
    assert sorted(errors)[int(0.9 * len(errors))] <= 0.45


def test_intervals_hold_what_they_say_of_unseen_sources(calibration: ModuleType) -> None:
    """75 to 90 % of the rows of sources that the fit had not seen lie inside, in each group of 20 rows and more."""
    points = calibration.read_points()
    found = calibration.places(points, by_source(calibration))
    for name, ratios in found.items():
        low, high = fit.INTERVALS.get(name, fit.INTERVAL)
        inside = sum(low <= ratio <= high for ratio, _ in ratios) / len(ratios)
        assert 0.75 <= inside <= 0.90 or len(ratios) < 20, f"{name}: {inside:.2f} of {len(ratios)}"


def test_intervals_hold_what_they_say_of_kinds_that_nobody_measured(calibration: ModuleType) -> None:
    """A class of link between a generation of cards is left out of the fit and of its interval: 75 to 90 % lie inside."""
    points = calibration.read_points()
    rows = calibration.unseen(points, calibration.leave_out(points, lambda point: point.kind), lambda point: point.kind)
    known = {"": fit.INTERVAL, **fit.INTERVALS}
    held = calibration.inside_of_new(rows, known)
    assert len(held) > 25
    assert 0.75 <= statistics.mean(share for _, share in held.values()) <= 0.90
    assert 0.75 <= sum(count * share for count, share in held.values()) / len(rows) <= 0.90
    assert {
        name: pytest.approx(span, abs=0.006) for name, span in calibration.new_intervals(rows, known).items()
    } == fit.NEW_INTERVALS


def test_a_bridge_of_a_generation_that_no_row_covers_lies_inside_its_interval() -> None:
    """An NVLink bridge between two Turing cards, which nothing was fitted on, most of it far off."""
    rows = [row for row in PUBLIC if "2080" in row["gpu"]]
    cases = collectives.evaluate(rows).cases
    assert len(cases) == 13
    assert statistics.mean(bool(case.inside) for case in cases) >= 0.75
    call = collectives.call_of(rows[0])
    measured = evidence.interval(call.payload_bytes, catalog.load().link("nvlink-4-bridge"), None, generation="Hopper")
    low, high = evidence.interval(call.payload_bytes, call.intra, None, generation=call.generation)
    assert high > 1.4 * measured[1]
    assert low <= measured[0]


def test_shipped_constants_are_the_fits(calibration: ModuleType) -> None:
    shipped = {name: copy.deepcopy(getattr(fit, name)) for name in ("CLASSES", "RING_SHARE", "KERNELS")}
    calibration.refit(calibration.read_points())
    for name, tables in shipped.items():
        for key, table in tables.items():
            assert getattr(fit, name)[key] == pytest.approx(table, rel=1e-3), f"{name} {key}"


@pytest.mark.parametrize(
    ("interconnect", "gpu", "link_text", "expected", "cards"),
    [
        ("ib_8xndr400_h100", "H100-SXM", "8x400Gb NDR per node", "ib-ndr", 8),
        ("ib_4xhdr200_a100", "A100", "", "ib-hdr", 4),
        ("ib_1xedr100_v100", "V100-SXM", "", "ib-edr", 1),
        ("roce_4x200_h20", "H20", "", "roce-200", 4),
        ("roce_8x400_b200", "B200", "", "roce-400", 8),
        ("roce_100g_l40s", "L40S", "100Gb RoCE", "roce-100", 1),
        ("ib_ndr_h100", "H100-SXM", "", "ib-ndr", None),
        ("ib_8xxdr800_b300", "B300", "", "ib-xdr", 8),
        ("nvl72_2racks_ib_ndr", "GB200", "two NVL72 racks", "ib-ndr", None),
        ("efa_p4d", "A100-SXM", "4x100Gb EFA per node", "efa-v1", None),
        ("efa_32x100_h100", "H100-SXM", "", "efa-v2", None),
        ("efa_b200", "B200", "p6-b200", "efa-v4-b200", None),
        ("tcp_25g_a10", "A10", "", "eth-25-tcp", 1),
        ("tcpx_4x200_h100", "H100", "", "gcp-tcpx", None),
    ],
)
def test_network_names_follow_rules(
    interconnect: str, gpu: str, link_text: str, expected: str, cards: int | None
) -> None:
    row = {"interconnect": interconnect, "gpu": gpu, "link": link_text}
    assert collectives.in_box_link(row) is None
    link, found = collectives.network_link(row)
    assert link.id == expected
    assert found == cards


@pytest.mark.parametrize(
    ("interconnect", "gpu", "link_text", "expected", "peer"),
    [
        ("nvlink3_a100_engine", "A100-SXM", "", "nvlink-3", True),
        ("nvlink4_h20", "H20", "", "nvlink-4", True),
        ("nvlink5_gb200", "GB200", "", "nvlink-5-nvl72", True),
        ("nvl72_gb200", "GB200", "", "nvlink-5-nvl72", True),
        ("nvlbridge_a40", "A40", "", "nvlink-3-bridge", True),
        ("a100_pairwise_nvlink", "A100-PCIe", "", "nvlink-4-bridge", True),
        ("nvlink5_b300_ring", "B300", "", "nvlink-5", True),
        ("nvlbridge_3090", "RTX-3090", "", "nvlink-3-bridge", True),
        ("xgmi_mi300x", "MI300X", "", "xgmi-mi300x", True),
        ("xgmi_mi355x", "MI355X", "", "xgmi-mi355x", True),
        ("pcie5_5090", "RTX-5090", "PCIe Gen5 x16", "pcie-no-p2p", False),
        ("pcie4_4090", "RTX-4090", "", "pcie-no-p2p", False),
        ("pcie4_4090_p2p", "RTX-4090", "patched driver with P2P", "pcie4-x16", False),
        ("nvlink_pairs_a100pcie_sys", "A100-PCIe", "NVLink pairs (NV12)", "nvlink-4-bridge", True),
        ("nvl4_pairs_h200nvl", "H200-NVL", "two 4-way NVLink bridges", "nvlink-4-bridge-4way", True),
        ("xgmi_mi300x", "MI300X", "full mesh, 7 links per GPU (Azure VF)", "xgmi-mi300x-virtual", True),
        ("pcie5_pro6000", "RTX-PRO-6000", "", "pcie5-root", True),
        ("pcie5_pro6000_switched", "RTX-PRO-6000", "", "pcie5-switch", True),
        ("pcie4_l40s", "L40S", "dual-socket host", "pcie4-cross-socket", True),
        ("pcie5_b60_x8", "Arc B60", "", "pcie5-x8", True),
    ],
)
def test_in_box_names_follow_rules(interconnect: str, gpu: str, link_text: str, expected: str, peer: bool) -> None:
    found = collectives.in_box_link({"interconnect": interconnect, "gpu": gpu, "link": link_text})
    assert found is not None
    assert found[0].id == expected
    assert found[1] is peer


def test_cards_that_a_row_says_are_shared_are() -> None:
    row = next(row for row in ROWS if "shared by 8 GPUs" in str(row.get("link")))
    call = collectives.call_of(row)
    assert (call.groups_per_node, call.nics_per_node) == (8, 4)
    alone = collectives.call_of({**row, "link": "AINIC 400G class"})
    assert (alone.groups_per_node, alone.nics_per_node) == (1, 1)
    assert call.seconds() > 1.5 * alone.seconds()


def test_a_network_card_with_a_switch_of_its_own_joins_the_gpus_beside_it() -> None:
    row = next(row for row in ROWS if "ConnectX-8" in str(row.get("link")))
    assert collectives.call_of(row).intra.id == "pcie5-switch"


def test_an_unknown_name_is_set_aside() -> None:
    row = dict(ROWS[0], interconnect="carrier_pigeon", link="")
    evaluation = collectives.evaluate([row])
    assert not evaluation.cases
    assert "carrier_pigeon" in evaluation.set_aside[0][1]


@pytest.mark.parametrize("op", ["AllReduce", "all-reduce", "ncclAllReduce", "all_reduce_perf", "ALL_REDUCE"])
def test_an_operation_in_any_spelling(op: str) -> None:
    assert collectives.op_of({"op": op}) == "all_reduce"


@pytest.mark.parametrize(
    ("words", "gpu", "nodes", "links"),
    [
        ("NVLink 4 + NVSwitch", "NVIDIA H100 80GB HBM3", 1, ("nvlink-4", None)),
        ("NVSwitch", "NVIDIA B200", 1, ("nvlink-5", None)),
        (None, "NVIDIA H100 80GB HBM3", 1, ("nvlink-4", None)),
        ("not stated", "A100-SXM4-80GB", 1, ("nvlink-3", None)),
        ("PCIe Gen5 x16", "NVIDIA H100 PCIe", 1, ("pcie5-root", None)),
        ("PCIe", "RTX PRO 6000", 1, ("pcie5-root", None)),
        ("PCIe 4.0 x16", "L40S", 1, ("pcie4-x16", None)),
        ("Infinity Fabric", "MI300X", 1, ("xgmi-mi300x", None)),
        ("HDR InfiniBand", "A100-SXM4-80GB", 2, ("nvlink-3", "ib-hdr")),
        ("IB NDR400", "H100", 2, ("nvlink-4", "ib-ndr")),
        ("RoCE 8x400", "H100", 2, ("nvlink-4", "roce-400")),
        ("25GbE", "H100", 2, ("nvlink-4", "eth-25-tcp")),
    ],
)
def test_a_link_in_other_words(words: str | None, gpu: str, nodes: int, links: tuple[str, str | None]) -> None:
    row = {"op": "AllReduce", "interconnect": words, "gpu": gpu, "n_gpus": 8 * nodes, "nodes": nodes, "bytes": 2**20}
    call = collectives.call_of(row)
    assert (call.intra.id, call.inter.id if call.inter else None) == links


def test_a_network_that_nobody_states_is_not_guessed() -> None:
    row = {"op": "AllReduce", "interconnect": None, "gpu": "H100", "n_gpus": 16, "nodes": 2, "bytes": 2**20}
    with pytest.raises(collectives.UnknownLink, match="not stated"):
        collectives.call_of(row)


def seconds_of(row: harness.Row) -> tuple[float, float]:
    """A row's time, as measured and as priced."""
    return float(row["time_us"]) * 1e-6, collectives.call_of(row).seconds()


def test_a_patched_driver_gains_what_was_measured() -> None:
    """Eight RTX 4090 with and without peer access: nothing up to 256 KiB, about 1.4 times from 64 MiB on."""
    by_bytes = {
        name: {row["bytes"]: seconds_of(row) for row in ROWS if row["interconnect"] == name and row["n_gpus"] == 8}
        for name in ("pcie4_4090_nop2p", "pcie4_4090_p2p")
    }
    stock, patched = by_bytes["pcie4_4090_nop2p"], by_bytes["pcie4_4090_p2p"]
    both = sorted(stock.keys() & patched.keys())
    assert both[0] <= 2**12
    assert both[-1] >= 2**26
    for payload in both:
        measured, priced = (stock[payload][at] / patched[payload][at] for at in (0, 1))
        if payload <= 2**18:
            assert priced == pytest.approx(1.0)
            assert measured == pytest.approx(1.0, abs=0.1)
        if payload >= 2**26:
            assert 1.3 < priced < 1.55
            assert priced == pytest.approx(measured, rel=0.1)


@pytest.mark.parametrize(
    ("interconnect", "median", "worst"),
    [
        ("tcpxo_8x200_h100", 0.05, 0.25),
        ("xgmi_mi300x", 0.12, 0.15),
        ("pcie5_pro6000", 0.08, 0.50),
        ("pcie5_pro6000_switched", 0.10, 0.65),
        ("ib_8xndr400_h100", 0.05, 0.05),
        ("ib_8x200_a100", 0.10, 0.60),
    ],
)
def test_a_link_is_priced_as_it_was_measured(interconnect: str, median: float, worst: float) -> None:
    """The rows of links that had been far off, as fitted: an error in their form shows here first."""
    pairs = [seconds_of(row) for row in ROWS if row["interconnect"] == interconnect]
    errors = [abs(priced / measured - 1.0) for measured, priced in pairs]
    assert statistics.median(errors) <= median
    assert max(errors) <= worst


def test_the_releases_of_an_engine_are_left_out_one_by_one() -> None:
    """So that the interval of its kernels is as wide as two releases differ."""
    points = [p for p in collectives_fit.read_points() if p.call.kernel in ("vllm", "trtllm")]
    releases = {re.findall(r"comm/(vllm|trtllm)/([\d.rc]+)$", p.source)[0] for p in points}
    assert len(releases) >= 5
    assert {p.source for p in points} == {source for source in {p.source for p in points} if "comm/" in source}
    for size in ("small", "middle", "large"):
        low, high = fit.INTERVALS[f"kernel {size}"]
        assert high / low > 1.5


def test_a_constant_that_no_row_moved_is_called_a_rule_of_thumb(calibration: ModuleType) -> None:
    shipped = {name: copy.deepcopy(getattr(fit, name)) for name in ("CLASSES", "KERNELS")}
    calibration.reset()
    for table, classes in shipped.items():
        for name, constants in classes.items():
            for key, value in constants.items():
                stands = getattr(fit, table)[name][key] == value
                full = f"{table}.{name}.{key}"
                assert stands == (full in fit.ASSUMED), full
                leaf = constant("engine.calibration.collectives", full, value)
                assert leaf.kind == ("rule of thumb" if stands else "fitted"), full
    assert "CLASSES.xgmi.hop_us" in fit.ASSUMED
    assert not any(name.startswith("CLASSES.nvlink-4.") for name in fit.ASSUMED)
