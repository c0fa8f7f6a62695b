"""What the catalog said when a session was saved, against what it says now.

A saved session keeps the few catalog figures that decide its answer. They are compared by id: the figures of a card or
a link that the session no longer uses tell nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from engine.figures.records import NamedTuple, dataclass
from engine.money.bill import card_price, kit_price
from engine.money.prices import on_demand_usd_per_gpu_hour
from engine.parts.hardware import Accelerator, Link
from engine.scenario import Scenario


@dataclass(frozen=True, slots=True)
class CatalogTable:
    """The [catalog] table: figures of the chosen card and links on the day the session was saved.

    as_of: the catalog's own date. price_usd: one card. usd_per_gpu_hour: median on-demand rental. *_link_gb_s: peak of
    a link, one way. A figure that the catalog did not have, or that did not count, is None.
    """

    as_of: str = ""
    accelerator: str = ""
    memory_mib_reported: int | None = None
    bandwidth_gb_s: float | None = None
    tflops_bf16_dense: float | None = None
    tflops_fp8_dense: float | None = None
    price_usd: float | None = None
    usd_per_gpu_hour: float | None = None
    intra_link: str = ""
    intra_link_gb_s: float | None = None
    inter_link: str = ""
    inter_link_gb_s: float | None = None


@dataclass(frozen=True, slots=True)
class Drift:
    """One figure of the [catalog] table that is no longer the catalog's. now None: no longer known.

    change: what it was and what it is; words: the same as a sentence.
    """

    key: str
    saved: float
    now: float | None
    words: str
    change: str


class _Figure(NamedTuple):
    """How a figure is told: the key that names its owner, its text with {}, its format; and the most that it can be."""

    owner: str
    text: str
    form: str
    most: float = 1e6


LEAST = 1e-6
FIGURES = {
    "memory_mib_reported": _Figure("accelerator", "{owner} memory was {value}", "{:,.0f} MiB", 2**30),
    "bandwidth_gb_s": _Figure("accelerator", "{owner} memory bandwidth was {value}", "{:,.4g} GB/s"),
    "tflops_bf16_dense": _Figure("accelerator", "{owner} BF16 was {value}", "{:,.4g} TFLOPS"),
    "tflops_fp8_dense": _Figure("accelerator", "{owner} FP8 was {value}", "{:,.4g} TFLOPS"),
    "price_usd": _Figure("accelerator", "{owner} price was {value}", "${:,.0f}", 1e9),
    "usd_per_gpu_hour": _Figure("accelerator", "{owner} rental was {value}", "${:,.2f} a GPU-hour", 1e9),
    "intra_link_gb_s": _Figure("intra_link", "{owner} was {value}", "{:,.4g} GB/s one way"),
    "inter_link_gb_s": _Figure("inter_link", "{owner} was {value}", "{:,.4g} GB/s one way"),
}
PLACES = 4  # a median of prices has no more meaning than that


def figures_of(scenario: Scenario) -> CatalogTable:
    """The figures that the scenario's catalog has for its card and the links it uses."""
    hardware, money = scenario.hardware, scenario.money
    accelerator = hardware.accelerator
    by_the_card = money.gpu_price_usd is None and kit_price(scenario) is None
    price = card_price(scenario.facts, accelerator).usd_each if by_the_card else None
    rental = None
    if money.usd_per_gpu_hour is None:
        rental, _ = on_demand_usd_per_gpu_hour(scenario.facts, accelerator.id)
    table = CatalogTable(
        as_of=scenario.facts.as_of,
        accelerator=accelerator.id,
        memory_mib_reported=accelerator.memory_mib_reported,
        bandwidth_gb_s=_rounded(accelerator.bandwidth_gb_s),
        tflops_bf16_dense=_rounded(accelerator.tflops_bf16_dense),
        tflops_fp8_dense=_rounded(accelerator.tflops_fp8_dense),
        price_usd=_rounded(price),
        usd_per_gpu_hour=_rounded(rental),
    )
    if hardware.gpus_per_node > 1:
        peak = _rounded(hardware.intra_link.peak_gb_s_unidir)
        table = dataclasses.replace(table, intra_link=hardware.intra_link.id, intra_link_gb_s=peak)
    if hardware.nodes > 1:
        peak = _rounded(hardware.inter_link.peak_gb_s_unidir)
        table = dataclasses.replace(table, inter_link=hardware.inter_link.id, inter_link_gb_s=peak)
    return table


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), PLACES)


def changes(saved: CatalogTable, scenario: Scenario) -> tuple[Drift, ...]:
    """What of the saved figures the scenario's catalog has otherwise, in the table's order."""
    now = figures_of(scenario)
    hardware = scenario.hardware
    names = {
        "accelerator": hardware.accelerator.label,
        "intra_link": hardware.intra_link.name,
        "inter_link": hardware.inter_link.name,
    }
    found = []
    for key, figure in FIGURES.items():
        before, today = getattr(saved, key), getattr(now, key)
        same_owner = getattr(saved, figure.owner) == getattr(now, figure.owner)
        if before is None or not same_owner or before == today or _beaten(key, scenario):
            continue
        told = figure.text.format(owner=names[figure.owner], value=figure.form.format(before))
        later = "unknown" if today is None else figure.form.format(today)
        change = f"{told}; now {later}"
        found.append(Drift(key, before, today, f"saved when {change}", change))
    return tuple(found)


def _beaten(key: str, scenario: Scenario) -> bool:
    """Whether another price stands in place of this one: the person's own, or that of a platform sold whole."""
    money = scenario.money
    if key == "price_usd":
        return money.gpu_price_usd is not None or kit_price(scenario) is not None
    return key == "usd_per_gpu_hour" and money.usd_per_gpu_hour is not None


def with_figures(saved: CatalogTable, scenario: Scenario) -> Scenario:
    """The scenario as the catalog of its saving would have it; the very same one when nothing has changed.

    Saved prices stand where a person's own would, so a working calls them entered.
    """
    drifted = {drift.key: drift.saved for drift in changes(saved, scenario)}
    if not drifted:
        return scenario
    hardware = scenario.hardware
    accelerator = _card(hardware.accelerator, drifted)
    intra = _link(hardware.intra_link, drifted.get("intra_link_gb_s"))
    inter = _link(hardware.inter_link, drifted.get("inter_link_gb_s"))
    replaced = {accelerator.id: accelerator}
    links = {intra.id: intra, inter.id: inter}
    facts = dataclasses.replace(
        scenario.facts,
        accelerators=tuple(replaced.get(item.id, item) for item in scenario.facts.accelerators),
        links=tuple(links.get(item.id, item) for item in scenario.facts.links),
    )
    money = dataclasses.replace(
        scenario.money,
        gpu_price_usd=drifted.get("price_usd", scenario.money.gpu_price_usd),
        usd_per_gpu_hour=drifted.get("usd_per_gpu_hour", scenario.money.usd_per_gpu_hour),
    )
    build = dataclasses.replace(hardware, accelerator=accelerator, intra_link=intra, inter_link=inter)
    return dataclasses.replace(scenario, hardware=build, money=money, facts=facts)


def _card(accelerator: Accelerator, drifted: dict[str, float]) -> Accelerator:
    read: dict[str, Callable[[float], float]] = {"memory_mib_reported": int, "bandwidth_gb_s": float}
    read |= {"tflops_bf16_dense": float, "tflops_fp8_dense": float}
    changed = {key: convert(drifted[key]) for key, convert in read.items() if key in drifted}
    if not changed:
        return accelerator
    result: Accelerator = dataclasses.replace(accelerator, **changed)  # type: ignore[arg-type] # int for the one int
    return result


def _link(link: Link, peak_gb_s: float | None) -> Link:
    """The link at a saved peak; what was measured on it shrinks and grows with the peak."""
    if peak_gb_s is None:
        return link
    achieved = link.achieved_gb_s_unidir
    scaled = achieved * peak_gb_s / link.peak_gb_s_unidir if achieved is not None else None
    return dataclasses.replace(link, peak_gb_s_unidir=peak_gb_s, achieved_gb_s_unidir=scaled)
