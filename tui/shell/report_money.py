"""The bill and the power of the whole report."""

from __future__ import annotations

from collections.abc import Iterator

from engine.figures.sentences import text_of
from engine.money.power import SUPPLY_NAMES
from engine.sizing import Cost, Power, PriceLine, Sizing
from tui.pages import words
from tui.shell.blocks import Block, Bullets, Heading, Paragraph, Table
from tui.shell.report_words import UNKNOWN, usd_or_unknown


def _noted(value: str, note: str) -> str:
    return f"{value} ({note})" if note else value


SHOWN_OFFERS = 6


def _hourly(value: float | None) -> str:
    return UNKNOWN if value is None else words.usd_per_hour(value)


def cost_blocks(sizing: Sizing) -> Iterator[Block]:
    cost = sizing.cost
    yield Heading("Cost")
    if sizing.serving is None and sizing.training is None:
        yield Paragraph("The build does no work as entered: these are prices of the hardware alone.")
    rows = [
        words.buy_row(cost),
        ("own a month, over 36", usd_or_unknown(cost.own_usd_per_month)),
        ("rent an hour", _noted(_hourly(cost.rent_usd_per_hour), cost.rent_note)),
        ("rent a month", usd_or_unknown(cost.rent_usd_per_month)),
        ("electricity a month", usd_or_unknown(cost.electricity_usd_per_month)),
    ]
    if sizing.scenario.workload.is_inference:
        rows.append(("a million tokens", usd_or_unknown(cost.usd_per_million_tokens)))
        rows.append(
            ("the same from an API", _noted(usd_or_unknown(cost.api_usd_per_million_tokens), text_of(cost.api_note)))
        )
    elif sizing.memory.fits:
        rows.append(("rent of the run", usd_or_unknown(cost.run_usd)))
    never = "no saving against rent" if cost.buy_usd is not None and cost.rent_usd_per_month is not None else UNKNOWN
    if sizing.answer.status != "does-not-fit":
        rows.append(("buying pays after", words.pays_after(cost) or never))
    if cost.checkpoint_bytes:
        rows.append(("a checkpoint", f"{words.size(cost.checkpoint_bytes)} of storage"))
    yield Table(("", ""), tuple(rows), left=(0, 1), wrapped=1)
    if sizing.training is None or sizing.memory.fits:
        yield from _over_time(sizing)
    if cost.lines:
        yield Paragraph("Bill:")
        yield Bullets(tuple((_price_words(line), ()) for line in cost.lines))
    if cost.network_note:
        yield Paragraph(text_of(cost.network_note))
    if cost.advised is not None:
        named = cost.advised
        yield Paragraph(f"Bill of the build that the verdict names, {words.advised_words(named)}")
        yield Bullets(tuple((_price_words(line), ()) for line in named.lines))
    yield from _offers(cost)
    if cost.unknown:
        yield Paragraph("Unknown: " + "; ".join(cost.unknown) + ". A price of your own goes into [money].")


def _over_time(sizing: Sizing) -> Iterator[Block]:
    """People, and every way of having the work done over months of use."""
    cost = sizing.cost
    people = ""
    if cost.operations_fte is not None:
        people = f" {words.digits(cost.operations_fte)} full-time engineers"
        people += (
            f", {usd_or_unknown(cost.operations_usd_per_month)} a month." if cost.operations_usd_per_month else "."
        )
    yield Paragraph(f"Operations: {text_of(cost.operations_note)}.{people}")
    shown = words.ways(cost)
    if shown:
        yield Paragraph(text_of(words.use_words(sizing)))
        heads = ("", *(word for _, word in shown))
        spans = tuple(
            (f"{h.months} months", *(usd_or_unknown(getattr(h, f"{way}_usd")) for way, _ in shown))
            for h in cost.horizons
        )
        yield Table(heads, spans)
    if cost.api_words:
        yield Paragraph(text_of(cost.api_words))


def _price_words(line: PriceLine) -> str:
    count = f"{line.quantity:,}x {line.item}"
    if line.usd_each is None or line.usd is None:
        return f"{count}: ask" + (f" (or enter {line.key})" if line.key else "")
    price = words.usd(line.usd) if line.quantity == 1 else f"{words.usd(line.usd)}, {words.usd(line.usd_each)} each"
    when = words.dated(line.as_of, line.age_days)
    return _noted(f"{count}: {price}", ", ".join(part for part in (line.source, when) if part))


def _offers(cost: Cost) -> Iterator[Block]:
    if not cost.offers:
        return
    ordered = sorted(cost.offers, key=lambda offer: offer.usd_per_hour)
    yield Paragraph("Offers for as many GPUs, cheapest first:")
    rows = [
        (offer.provider, offer.billing, _hourly(offer.usd_per_hour), words.dated(offer.as_of, offer.age_days))
        for offer in ordered
    ]
    yield Table(("provider", "billing", "an hour", "as of"), tuple(rows[:SHOWN_OFFERS]), left=(0, 1, 3))
    left = len(rows) - SHOWN_OFFERS
    if left > 0:
        yield Paragraph(f"and {left} more, up to {_hourly(ordered[-1].usd_per_hour)} an hour (all in --format json)")


def power_blocks(sizing: Sizing) -> Iterator[Block]:
    power = sizing.power
    kind = f", {SUPPLY_NAMES[power.supply]}" if power.supply else ""
    psu = UNKNOWN if power.psu_w is None else f"{words.kilowatts(power.psu_w)} ({words.supply_words(power)}{kind})"
    rows = [
        ("in all", _noted(_watts(power.total_w), power.note)),
        ("a node", _watts(power.node_w)),
        ("supplies of a node", psu),
        ("circuits of a node", _circuits(power)),
        ("heat", UNKNOWN if power.heat_btu_h is None else f"{power.heat_btu_h:,.0f} BTU/h"),
    ]
    if power.nodes_per_rack is not None and power.racks is not None and power.rack_w is not None:
        of = f"(by {power.rack_units} U a node and {words.kilowatts(power.rack_w)} a rack)"
        rows += [("nodes in a rack", f"{power.nodes_per_rack:,} {of}"), ("racks", f"{power.racks:,}")]
    rows += [("cooling", power.cooling), ("noise", power.noise)]
    if power.pcie_lanes_needed is not None:
        board = "" if power.pcie_lanes_board is None else f"of {power.pcie_lanes_board:,} on the board; "
        rows.append(("PCIe lanes of a node", f"{power.pcie_lanes_needed:,} ({board}{power.slots})"))
    if power.host_memory_gib_min is not None:
        rows.append(("host memory of a node", f"{power.host_memory_gib_min:,.0f} GiB or more"))
    if power.nvme_bytes_min is not None:
        rows.append(("disks of a node", f"{words.size(power.nvme_bytes_min)} or more"))
    yield Heading("Power and host")
    yield Table(("", ""), tuple(rows), left=(0, 1), wrapped=1)


def _watts(value: float | None) -> str:
    return UNKNOWN if value is None else words.kilowatts(value)


def _circuits(power: Power) -> str:
    if power.circuits_per_node is None:
        return UNKNOWN
    return f"{power.circuits_per_node} of {power.circuit}{', on feed A and on feed B' if power.feeds > 1 else ''}"
