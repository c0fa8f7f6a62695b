"""The articles' path tables and penalties beside our own figures, like with like.

An article's bandwidth may be one way or both ways, its latency that of an idle operation or of a loaded collective,
its penalty a ratio of bandwidths. Each comparison says which it is and, where the figures differ, why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from engine.decide.fabric import fabric_table
from engine.links.collectives import collective_s
from engine.model.architecture import dense_decoder
from engine.parts.hardware import Facts, Link
from engine.scenario import Hardware, Layout, Model, Scenario, Workload
from engine.sizing import FabricRow, FabricWord, Interval, Serving

ROUND = 0.15
"""How far a round number of an article may be off: what "about 50" carries."""

LINK_OF_PATH = {
    "GPU to GPU, same PCIe switch, Gen5 x16": "pcie5-switch",
    "GPU to GPU, across switches through the root complex": "pcie5-root",
    "PCIe Gen5 x16": "pcie5-switch",
    "InfiniBand XDR": "ib-xdr",
    "InfiniBand NDR": "ib-ndr",
    "InfiniBand NDR 400": "ib-ndr",
    "InfiniBand HDR": "ib-hdr",
    "InfiniBand HDR 200": "ib-hdr",
    "100 GbE RoCE": "roce-100",
    "25 GbE TCP": "eth-25-tcp",
    "25 GbE": "eth-25-tcp",
    "1 GbE": "eth-1-tcp",
    "NVLink, Hopper": "nvlink-4",
    "NVLink, Blackwell": "nvlink-5",
}
LINK_OF_PENALTY = {"infiniband_hdr": "ib-hdr", "roce_100g": "roce-100", "ethernet_25g": "eth-25-tcp"}

WORDS: tuple[FabricWord, ...] = ("unusable", "painful", "viable", "optimal", "in-box")
WORDS_OF_ARTICLE: dict[str, tuple[FabricWord, ...]] = {
    "unusable": ("unusable",),
    "too slow": ("unusable", "painful"),
    "small models only": ("painful", "viable"),
    "production viable (the minimum)": ("viable", "optimal"),
    "recommended": ("viable", "optimal"),
    "optimal": ("optimal",),
}

BULK_BYTES = 2**30
"""A payload at which bandwidth alone counts."""
DECODE_BYTES = 2**19
"""One all-reduce of a decode step: 32 users x 8192 hidden x 2 bytes."""
REFERENCE_STEP_S = 0.010
"""A decode step of a 70B at FP8 for 32 users on 8x H100, without its communication: weights 3.3 ms at 80 % of 3.35 TB/s,
the rest KV and launches (tests/reference/inference_perf.jsonl: 10 to 13 ms with communication)."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One claim and ours. agrees: inside the claimed range or within 15 % of a round number."""

    claim: str
    ours: str
    agrees: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class PathRow:
    """One path as the articles list it, from our facts: one way."""

    name: str
    link: str
    bandwidth_gb_s: float
    achieved_gb_s: float | None
    latency_us: tuple[float, float]
    word_tp: FabricWord
    word_pp: FabricWord


def path_table(facts: Facts) -> tuple[PathRow, ...]:
    """The articles' paths with our one-way bandwidths, latencies and words. Raises KeyError for a missing link."""
    rows = _reference_rows(facts)
    found = []
    for name, link_id in LINK_OF_PATH.items():
        link = facts.link(link_id)
        row = rows[link_id]
        found.append(
            PathRow(
                name,
                link_id,
                link.peak_gb_s_unidir,
                link.achieved_gb_s_unidir,
                link.latency_us_range or (_latency(row), _latency(row)),
                row.word_tp or row.word,
                row.word_pp or row.word,
            )
        )
    return tuple(found)


def _latency(row: FabricRow) -> float:
    return row.startup_us if row.latency_us is None else row.latency_us


@lru_cache(maxsize=8)
def _reference_rows(facts: Facts) -> Mapping[str, FabricRow]:
    """The fabric table of the articles' case: a 70B at TP 8 on an NVLink node, 32 users."""
    arch = dense_decoder(
        hidden_size=8192,
        layers=80,
        intermediate_size=28672,
        heads=64,
        kv_heads=8,
        head_dim=128,
        vocab_size=128256,
    )
    accelerator = next(a for a in facts.accelerators if a.id == "h100-sxm")
    hardware = Hardware(accelerator, 8, 2, facts.link("nvlink-4"), facts.link("ib-hdr"))
    layout = Layout(tp=8, pp=2)
    scenario = Scenario(
        Model("70b", "70B", "llama", arch, "fp8"), hardware, Workload(concurrency=32, input_tokens=4096), facts=facts
    )
    unknown = Interval(0.0, 0.0)
    home = 161 * collective_s("all_reduce", DECODE_BYTES, 8, 8, hardware.intra_link, None, in_engine=True)
    step = REFERENCE_STEP_S + home
    serving = Serving(
        ttft_s=0.0,
        inter_token_s=step,
        tokens_per_s_user=1.0 / step,
        tokens_per_s_total=64.0 / step,
        requests_per_s=0.0,
        communication_share=home / step,
        prefill_tokens_per_s=0.0,
        served_concurrency=64,
        single_stream_tokens_per_s=0.0,
        offline_tokens_per_s=0.0,
        best_concurrency=64,
        best_tokens_per_s_total=0.0,
        ttft_interval=unknown,
        inter_token_interval=unknown,
        tokens_per_s_interval=unknown,
        best_tokens_per_s_interval=unknown,
        bound_by="memory bandwidth",
        meets_targets=None,
        communication_s=home,
    )
    return {row.link: row for row in fabric_table(scenario, layout, serving, None)}


def path_claim(entry: Mapping[str, Any], facts: Facts) -> Compared:
    """One row of an article's path table (a `path` entry of seed_claims.toml) beside our link."""
    name = str(entry["name"])
    link = facts.link(LINK_OF_PATH[name])
    claim, ours, reasons = [name], [link.id], []
    both = entry.get("bandwidth_gb_s_bidirectional")
    if both is not None:
        claim.append(f"{both:g} GB/s (both ways)")
        ours.append(f"{link.peak_gb_s_unidir:g} GB/s one way")
        if abs(both / 2 - link.peak_gb_s_unidir) > ROUND * link.peak_gb_s_unidir:
            reasons.append(f"half of {both:g} is not {link.peak_gb_s_unidir:g}")
        elif "18x" in str(entry.get("note", "")):
            ratio = link.peak_gb_s_unidir / facts.link("ib-ndr").peak_gb_s_unidir
            reasons.append(
                f"{both:g} is the sum of both directions; against 50 GB/s one way it must be halved: {ratio:.0f}x, not 18x"
            )
    else:
        claimed = float(entry["bandwidth_gb_s"])
        rates = [link.peak_gb_s_unidir, *_range(link)]
        low, high = min(rates), max(rates)
        claim.append(f"{claimed:g} GB/s")
        ours.append(f"{link.peak_gb_s_unidir:g} GB/s one way, {_achieved(link)}")
        if not low * (1 - ROUND) <= claimed <= high * (1 + ROUND):
            reasons.append(f"measured {_achieved(link)}")
        low_us, high_us = (float(value) for value in entry["latency_us"])
        span = link.latency_us_range or (link.latency_us or 0.0, link.latency_us or 0.0)
        claim.append(f"{low_us:g} µs" if low_us == high_us else f"{low_us:g}-{high_us:g} µs")
        ours.append(f"{span[0]:g} µs" if span[0] == span[1] else f"{span[0]:g}-{span[1]:g} µs")
        if span[1] < low_us * (1 - ROUND):
            reasons.append("an idle peer copy is faster; the article's figure is a loaded one")
        elif span[0] > high_us * (1 + ROUND):
            reasons.append("kernel TCP takes longer" if link.family == "tcp" else "no such latency was measured")
        if "viable" in entry:
            row = _reference_rows(facts)[link.id]
            across_tp, across_pp = row.word_tp or row.word, row.word_pp or row.word
            claim.append(str(entry["viable"]))
            ours.append(f"TP across {across_tp}, PP across {across_pp}")
            allowed = [WORDS.index(word) for word in WORDS_OF_ARTICLE[str(entry["viable"])]]
            if not WORDS.index(across_tp) <= max(allowed) or not WORDS.index(across_pp) >= min(allowed):
                reasons.append(
                    f"the words depend on what crosses the link: {100 * (row.relative_speed_tp or 0):.0f} % of the "
                    f"speed is left with TP across, {100 * (row.relative_speed_pp or 0):.0f} % with PP across"
                )
    return Compared(", ".join(claim), ", ".join(ours), not reasons, "; ".join(reasons))


def article_penalty(entry: Mapping[str, Any], facts: Facts) -> tuple[Compared, ...]:
    """The `cliff` entry: how much slower each network moves a large payload than the in-box PCIe switch."""
    found = []
    inside = facts.link("pcie5-switch")
    for key, claimed in entry["penalty_vs_in_box"].items():
        link = facts.link(LINK_OF_PENALTY[key])
        low, high = (claimed[0], claimed[-1]) if isinstance(claimed, list) else (claimed, claimed)
        bulk = penalty(BULK_BYTES, inside, link)
        small = penalty(DECODE_BYTES, inside, link)
        agrees = low * (1 - ROUND) <= bulk <= high * (1 + ROUND)
        why = (
            f"the article's factor is a ratio of bandwidths; a decode step's {DECODE_BYTES // 1024} KiB all-reduce "
            f"over 8 GPUs, half of them in each node, pays {small:.1f}x"
        )
        shown = f"{low:g}x" if low == high else f"{low:g}-{high:g}x"
        found.append(Compared(f"{link.name}: {shown} slower than in the box", f"{bulk:.1f}x at 1 GiB", agrees, why))
    return tuple(found)


def penalty(payload_bytes: float, inside: Link, between: Link) -> float:
    """How many times longer a payload takes between two nodes of one card each than inside the box.

    From a megabyte up, one copy between two GPUs; below, an all-reduce over eight, as decoding makes them.
    """
    if payload_bytes >= 2**20:
        here = collective_s("send_recv", payload_bytes, 2, 2, inside, None)
        return collective_s("send_recv", payload_bytes, 2, 1, inside, between, nics_per_node=1) / here
    here = collective_s("all_reduce", payload_bytes, 8, 8, inside, None)
    return collective_s("all_reduce", payload_bytes, 8, 4, inside, between, nics_per_node=1) / here


def _range(link: Link) -> tuple[float, ...]:
    if link.achieved_gb_s_unidir_range:
        return link.achieved_gb_s_unidir_range
    return (link.achieved_gb_s_unidir,) if link.achieved_gb_s_unidir else ()


def _achieved(link: Link) -> str:
    rates = _range(link)
    if not rates:
        return "nobody measured it"
    return f"{rates[0]:.3g} achieved" if len(rates) == 1 else f"{rates[0]:.3g}-{rates[-1]:.3g} achieved"
