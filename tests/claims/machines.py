"""Claims on machines and money: power, lanes, cases, prices, rent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import catalog
from engine.decide.builds import priced
from engine.decide.plan import plan
from engine.decide.size import size
from engine.figures.units import GB
from engine.model.formats import FORMATS
from tests.claims.claim import Claim, Entry, catalog_facts, near, overlaps, within
from tests.claims.speed import OLD_ENGINES
from tests.engine.builds import build


def power(entry: Entry, key: str) -> Iterator[Claim]:
    """Board power and what feeds it."""
    ids = {"rtx-pro-6000": "rtx-pro-6000-server", "h100-sxm": "h100-sxm", "b200": "b200-sxm"}
    for name, watts in entry["gpu_w"].items():
        ours = catalog.load().accelerator(ids[name]).tdp_w
        yield Claim(key, entry["source"], f"{name}: {watts} W", f"{ours:,.0f} W", ours == watts)
    dual = size(build(accelerator="rtx-pro-6000-workstation", gpus_per_node=2)).power
    low, high = entry["psu_for_dual_600w_w"]
    yield Claim(
        key,
        entry["source"],
        "two 600 W cards want a 1,600-2,000 W supply",
        f"{dual.psu_w:,.0f} W for a load of {dual.load_w:,.0f} W",
        dual.psu_w is not None and low <= dual.psu_w <= high,
    )
    four = size(build(accelerator="rtx-pro-6000-server", gpus_per_node=4)).power
    delivered = (four.psu_w or 0.0) / 1000
    yield Claim(
        key,
        entry["source"],
        "a four-GPU server wants 4-5 kW of delivery",
        f"{delivered:.1f} kW of supplies and a spare",
        within(delivered, entry["four_gpu_server_kw"], 0.0),
    )


def lanes(entry: Entry, key: str) -> Iterator[Claim]:
    """PCIe lanes of GPUs and platforms."""
    needed = size(build(gpus_per_node=2)).power.pcie_lanes_needed
    yield Claim(
        key,
        entry["source"],
        f"{entry['per_gpu']} lanes a GPU",
        f"2 GPUs: {needed} lanes",
        needed == 2 * entry["per_gpu"],
    )
    rules = {r.id: r for r in catalog_facts().rules}
    boards = {
        name: size(build(accelerator=card, gpus_per_node=gpus)).power.pcie_lanes_board
        for name, card, gpus in (("pc", "rtx-4090", 1), ("workstation", "rtx-pro-6000-workstation", 2))
    }
    trpro = rules["lanes-trpro"].value
    epyc = rules["lanes-epyc-2p"].value_range
    platform = entry["platform_lanes"]
    yield Claim(
        key,
        entry["source"],
        "Threadripper PRO: 128 lanes",
        f"{boards['workstation']} of a workstation's board",
        trpro == boards["workstation"] == platform["threadripper-pro-9000wx"],
    )
    yield Claim(
        key,
        entry["source"],
        "EPYC 9005: 128-160 lanes",
        f"{rules['lanes-epyc-1p'].value:,.0f} one socket, {epyc[0]:.0f}-{epyc[1]:.0f} two" if epyc else "unknown",
        epyc is not None and list(epyc) == [float(n) for n in platform["epyc-9005"]],
    )
    consumer = platform["consumer"]
    yield Claim(
        key,
        entry["source"],
        f"consumer CPUs have {consumer[0]}-{consumer[1]} lanes: not two GPUs at x16",
        f"2 GPUs at x16 need {needed}, a PC has {boards['pc']}",
        needed is not None and needed > consumer[1] and boards["pc"] == consumer[0],
    )


def node_geometry(entry: Entry, key: str) -> Iterator[Claim]:
    """The one-node build that the article ships."""
    sizing = size(build())
    lanes_needed = sizing.power.pcie_lanes_needed or 0
    yield Claim(
        key,
        entry["source"],
        f"{entry['cpu']}: {entry['lanes']} lanes",
        f"8 cards at x16: {lanes_needed}",
        lanes_needed <= entry["lanes"],
    )
    ram = (sizing.power.host_memory_gib_min or 0.0) * 2**30 / GB
    yield Claim(
        key, entry["source"], "768-1,000 GB of RAM", f"at least {ram:,.0f} GB", within(ram, entry["ram_gb"], 0.01)
    )
    ids = {"rtx-5090": "rtx-5090", "rtx-pro-6000": "rtx-pro-6000-server", "l40": "l40", "l4": "l4"}
    for name in entry["no_nvlink_on"]:
        link = catalog.load().accelerator(ids[name]).default_intra_link
        yield Claim(key, entry["source"], f"no NVLink on {name}", link, "nvlink" not in link)
    yield Claim(
        key,
        entry["source"],
        f"network {entry['network']}, storage {entry['storage']}",
        "one node needs no fabric: 2x 100 GbE carry egress and storage",
        sizing.verdict.answer == "one-node",
    )


def price(entry: Entry, key: str) -> Iterator[Claim]:
    """A rental price of the article beside the catalog's dated offers."""
    claimed = entry["usd_per_hour"]
    offers = [r for r in catalog_facts().rentals if r.accelerator == "h100-sxm"]
    per_hour = sorted(r.usd_per_gpu_hour * 8 for r in offers)
    agrees = bool(per_hour) and per_hour[0] * 0.95 <= claimed <= per_hour[-1] * 1.05
    yield Claim(
        key,
        entry["source"],
        f"{entry['shape']} at {entry['provider']}: ${claimed}/h, ${entry['usd_per_month']:,}/month",
        f"catalog: ${per_hour[0]:,.2f}-${per_hour[-1]:,.2f}/h over {len(per_hour)} dated offers",
        agrees and near(claimed * 720, entry["usd_per_month"], 0.02),
    )


def monthly(entry: Entry, key: str) -> Iterator[Claim]:
    """Monthly rent and single-stream speed of a setup."""
    nodes = 2 if entry["setup"].startswith("2x") else 1
    model, weights = ("llama-3.1-405b", "fp8") if "405B" in entry["setup"] else ("llama-3.1-70b", "bf16")
    if "DeepSeek" in entry["setup"]:
        model, weights = "deepseek-r1", "fp8"
    found = plan(build(model, weights, "h100-sxm", nodes=nodes, concurrency=1, input_tokens=1000, output_tokens=500))
    option = priced(found)
    rent = option.rent_usd_per_month or 0.0
    low = min(r.usd_per_gpu_hour for r in catalog_facts().rentals if r.accelerator == "h100-sxm") * 8 * nodes * 730
    high = max(r.usd_per_gpu_hour for r in catalog_facts().rentals if r.accelerator == "h100-sxm") * 8 * nodes * 730
    yield Claim(
        key,
        entry["source"],
        f"{entry['setup']}: ${entry['usd']:,} a month",
        f"${rent:,.0f} at the median offer, ${low:,.0f}-${high:,.0f} over all",
        low <= entry["usd"] <= high,
    )
    # the article names no format for the 70B: both that its own ceiling table says fit
    formats = (weights, "fp8") if weights == "bf16" else (weights,)
    spoken = {name: _alone_on(model, name, nodes) for name in formats}
    low_s, high_s = min(span[1] for span in spoken.values()), max(span[2] for span in spoken.values())
    agrees = overlaps(low_s, high_s, [float(n) for n in entry["tokens_per_s"]])
    each = " and ".join(
        f"{span[0]:,.0f}" + (f" at {FORMATS[name].label}" if len(spoken) > 1 else "") for name, span in spoken.items()
    )
    yield Claim(
        key,
        entry["source"],
        f"{entry['setup']}: {entry['tokens_per_s'][0]}-{entry['tokens_per_s'][-1]} tokens/s",
        f"{each} tokens/s for one stream ({low_s:,.0f}-{high_s:,.0f})",
        agrees,
        ""
        if agrees
        else OLD_ENGINES
        if "DeepSeek" in entry["setup"]
        else "Single-stream decode is bound by weight bandwidth and collectives; see docs/serving-speed.md.",
    )


def _alone_on(model: str, weights: str, nodes: int) -> tuple[float, float, float]:
    """One stream's tokens/s on nodes of 8x H100, with the ends of its interval."""
    load: Entry = {"concurrency": 1, "input_tokens": 1000, "output_tokens": 500}
    serving = plan(build(model, weights, "h100-sxm", nodes=nodes, **load)).serving
    assert serving is not None
    speed, span = serving.single_stream_tokens_per_s, serving.tokens_per_s_interval
    scale = speed / serving.tokens_per_s_total
    return speed, span.low * scale, span.high * scale


def buy_against_rent(entry: Entry, key: str) -> Iterator[Claim]:
    """How soon a bought build pays for itself."""
    found = build(gpus_per_node=8, concurrency=32)
    found = replace(found, money=replace(found.money, gpu_price_usd=9000.0, host_price_usd=25000.0))
    months = size(found).cost.break_even_months or 0.0
    yield Claim(
        key,
        entry["source"],
        "buying breaks even in 6-14 months of sustained use",
        f"{months:,.1f} months (8x RTX PRO 6000 at $9,000 a card and $25,000 of host, entered, against median rent)",
        within(months, entry["break_even_months_sustained"], 0.1),
    )
    yield Claim(
        key,
        entry["source"],
        "compare over 12, 24 and 36 months",
        f"ownership and rent are compared by the break-even month, {months:,.1f}",
        months < entry["horizons_months"][0],
    )
