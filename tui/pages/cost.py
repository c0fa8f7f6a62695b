"""The Cost page: the bill, rent by provider, own against rent, unit prices, the tax of added nodes, and power."""

from __future__ import annotations

from engine.money.bill import lacking
from engine.money.cost import OPERATIONS_NODES
from engine.sizing import Sizing
from tui.pages.doc import Line, Span, ends, flow, heading, line, paragraphs, wrap
from tui.pages.look import Figure, Look, figures, sentence
from tui.pages.words import (
    advised_rows,
    count,
    dated,
    digits,
    kilowatts,
    old,
    pays_after,
    size,
    supply_words,
    usd,
    usd_per_hour,
    use_words,
    ways,
)

ENTER_IT = "enter it under Money and limits"


def summary(sizing: Sizing, look: Look) -> list[Line]:
    """The few figures that most people come for."""
    money = sizing.cost
    items = [
        Figure(
            "Buy",
            _known(money.buy_usd),
            "known lines" if money.buy_usd and any(row.usd is None for row in money.lines) else "",
            "figure:cost.buy_usd",
        ),
        Figure("Rent an hour", _hourly(money.rent_usd_per_hour), "", "figure:cost.rent_usd_per_hour"),
        Figure("Rent a month", _known(money.rent_usd_per_month), "", "figure:cost.rent_usd_per_month"),
        Figure("Own a month", _known(money.own_usd_per_month), "36 months", "figure:cost.own_usd_per_month"),
    ]
    if money.electricity_usd_per_month is not None:
        items.append(
            Figure(
                "Electricity",
                usd(money.electricity_usd_per_month),
                "a month",
                "figure:cost.electricity_usd_per_month",
            )
        )
    if money.usd_per_million_tokens is not None:
        items.append(
            Figure(
                "Per M tokens",
                usd(money.usd_per_million_tokens),
                "read" if sizing.scenario.workload.embeds else "of output",
                "figure:cost.usd_per_million_tokens",
            )
        )
    runs = sizing.answer.status != "does-not-fit"
    if money.run_usd is not None and runs:
        items.append(Figure("This run", usd(money.run_usd), "rented", "figure:cost.run_usd"))
    if money.checkpoint_bytes:
        items.append(Figure("Checkpoint", size(money.checkpoint_bytes), "each", "figure:cost.checkpoint_bytes"))
    if money.break_even_months is not None and runs:
        words = f"{digits(money.break_even_months)} months"
        items.append(Figure("Break-even", words, "", "figure:cost.break_even_months"))
    budget = sizing.scenario.workload.budget_usd
    if budget is not None and sizing.scenario.workload.is_inference:
        style = "bad" if money.buy_usd is not None and money.buy_usd > budget else "figure"
        said = "to buy" if style == "figure" else "is less than it costs"
        items.append(Figure("Budget", usd(budget), said, "figure:load.budget_usd", style))
    lines = [heading("COST", look.width, look.glyphs.rule), *figures(items, look)]
    if not runs:
        words = "The build does no work as entered: these are prices of the hardware alone."
        lines += paragraphs(words, look.width - 1, "warn", " ", " ")
    return lines


def _known(value: float | None) -> str:
    return "unknown" if value is None else usd(value)


def _hourly(value: float | None) -> str:
    return "unknown" if value is None else usd_per_hour(value)


def bill(sizing: Sizing, look: Look) -> list[Line]:
    """The purchase line by line, each price with its date and source."""
    money = sizing.cost
    if not money.lines:
        return []
    lines = [heading("TO BUY", look.width, look.glyphs.rule)]
    for number, row in enumerate(money.lines, 1):
        item = f" {row.quantity:,} {look.glyphs.times} {row.item}"
        if row.usd is None or row.usd_each is None:
            right: tuple[Span, ...] = (Span("ask", "warn"),)
            note = f"{ENTER_IT}: {row.key}" if row.key else ENTER_IT
        else:
            each = f"{usd(row.usd_each)} each" if row.quantity > 1 else ""
            right = (
                Span(f"{each}  " if each else "", "dim", f"figure:cost.item_{number}_usd" if each else ""),
                Span(usd(row.usd), "figure", f"figure:cost.item_{number}_usd"),
            )
            note = ", ".join(part for part in (row.source or "catalog", dated(row.as_of, row.age_days)) if part)
        room = look.width - sum(len(span.text) for span in right) - 3
        rows = wrap(item.strip(), room - 1)
        lines.append(ends([Span(f" {rows[0]}")], right, look.width - 1))
        lines += [line(f"     {row}") for row in rows[1:]]
        lines += paragraphs(note, look.width - 4, "dim", "   ", "   ")
    lines += sentence(money.network_note, look.width, "dim")
    if money.buy_usd is not None:
        unpriced = sum(row.usd is None for row in money.lines)
        words = f" In all, without the {unpriced} unknown" if unpriced else " In all"
        lines.append(
            ends(
                [Span(words, "strong", "figure:cost.buy_usd")],
                [Span(usd(money.buy_usd), "strong", "figure:cost.buy_usd")],
                look.width - 1,
            )
        )
    return lines


def rent(sizing: Sizing, look: Look) -> list[Line]:
    """What each provider asks for as many GPUs as the build has, cheapest first."""
    money = sizing.cost
    gpus = sizing.scenario.hardware.gpus
    note = f"{gpus} GPU{'s' * (gpus > 1)}, an hour"
    lines = [heading("TO RENT", look.width, look.glyphs.rule, note)]
    if money.rent_usd_per_hour is not None:
        spans = [
            Span(" Counted with "),
            Span(f"{usd_per_hour(money.rent_usd_per_hour)} an hour", "figure", "figure:cost.rent_usd_per_hour"),
            Span(f": {money.rent_note}"),
        ]
        lines += flow(spans, look.width)
    if not money.offers:
        return [*lines, line((" No offer in the catalog for this card.", "dim"))]
    offers = sorted(money.offers, key=lambda offer: offer.usd_per_hour)
    name = max(len(offer.provider) for offer in offers)
    billing = max(len(offer.billing) for offer in offers)
    price = max(len(f"{offer.usd_per_hour:,.2f}") for offer in offers)
    dates = [dated(offer.as_of, offer.age_days) for offer in offers]
    bar = min(24, look.width - name - billing - price - max(map(len, dates)) - 9)
    top = offers[-1].usd_per_hour
    for offer, date in zip(offers, dates, strict=True):
        style = "" if offer.billing == "on-demand" else "dim"
        cells = max(1, round(offer.usd_per_hour / top * bar))
        picture = look.glyphs.bar * cells + " " * (bar - cells) if bar >= 6 else ""
        lines.append(
            line(
                (f" {offer.provider:<{name}}  {offer.billing:<{billing}}  ", style),
                Span(
                    f"${offer.usd_per_hour:>{price},.2f} ",
                    style or "figure",
                    f"figure:cost.offer_{money.offers.index(offer) + 1}_usd_per_hour",
                ),
                (picture, "accent" if not style else "rest"),
                (f" {date}", "warn" if old(offer.age_days) else "dim"),
            )
        )
    return lines


def horizons(sizing: Sizing, look: Look) -> list[Line]:
    """Every way of having the work done over 12, 24 and 36 months, the cheapest one marked."""
    money, glyphs = sizing.cost, look.glyphs
    shown = ways(money)
    if not shown or (sizing.training is not None and not sizing.memory.fits):
        return []  # a run that does not fit takes no hours
    wide = max(9, min(13, (look.width - 8) // len(shown) - 2))
    shown = shown[: max(2, (look.width - 8) // (wide + 2))]
    title = "OWN, RENT OR API" if any(way == "api" for way, _ in shown) else "OWN OR RENT"
    rows = money.horizons
    once = len({tuple(getattr(row, f"{way}_usd") for way, _ in shown if way != "reserved") for row in rows}) == 1
    rows = rows[:1] if once else rows  # a single run costs the same whenever it ends
    lines = [
        heading(title, look.width, glyphs.rule),
        line((f" {'one run' if once else 'months':>7}" + "".join(f"  {word:>{wide}}" for _, word in shown), "dim")),
    ]
    for row in rows:
        values = {way: getattr(row, f"{way}_usd") for way, _ in shown}
        known = [value for value in values.values() if value is not None]
        best = min(known) if len(known) > 1 else None
        spans = [Span(f" {'' if once else row.months:>7}")]
        for way, value in values.items():
            mark = glyphs.yes if value is not None and value == best else " "
            style = "figure" if value is not None else "dim"
            figure = f"figure:cost.{way}_{row.months}_usd"
            spans += [Span("  "), Span(f"{_known(value):>{wide - 1}}", style, figure), Span(mark, "good")]
        lines.append(tuple(spans))
    lines += sentence(use_words(sizing), look.width, "dim")
    paid = pays_after(money)
    if paid:
        name = "break_even_months" if money.break_even_months is not None else "break_even_runs"
        action = f"figure:cost.{name}"
        lines.append(line(Span(" Buying beats renting after ", "", action), Span(paid, "figure", action)))
    elif money.buy_usd is None:
        lines += paragraphs(
            f"No break-even: the price of the cards is unknown; {ENTER_IT}.", look.width - 1, "dim", " ", " "
        )
    if any(row.usd is None for row in money.lines) and money.buy_usd is not None:
        lines += paragraphs("Own counts the known lines of the bill only.", look.width - 1, "warn", " ", " ")
    return lines


def advised(sizing: Sizing, look: Look) -> list[Line]:
    """The bill of the build that the verdict names, where it is another one."""
    named = sizing.cost.advised
    if named is None:
        return []
    lines = [heading("THE BUILD OF THE VERDICT", look.width, look.glyphs.rule, "to buy")]
    for number, row in enumerate(named.lines, 1):
        action = f"figure:cost.advised_{number}_usd"
        right = Span(usd(row.usd), "figure", action) if row.usd is not None else Span("ask", "warn", action)
        rows = wrap(f"{row.quantity:,} {look.glyphs.times} {row.item}", look.width - len(right.text) - 4)
        lines.append(ends([Span(f" {rows[0]}")], [right], look.width - 1))
        lines += [line(f"     {rest}") for rest in rows[1:]]
    whole = Span(_known(named.buy_usd), "strong", "figure:cost.advised_usd")
    lacks = lacking(named.lines) if named.buy_usd is not None else ""
    title = f" In all, without {lacks}" if lacks else " In all"
    lines.append(ends([Span(title, "strong", "figure:cost.advised_usd")], [whole], look.width - 1))
    for title, name, text in advised_rows(named):
        action = f"figure:cost.advised_{name}"
        lines.append(ends([Span(f" {title}", "", action)], [Span(text, "figure", action)], look.width - 1))
    return lines


def tokens(sizing: Sizing, look: Look) -> list[Line]:
    """Per million output tokens: this build rented and kept busy, against a hosted API."""
    money = sizing.cost
    own, api = money.usd_per_million_tokens, money.api_usd_per_million_tokens
    if own is None and api is None:
        return []
    lines = [
        heading(
            "PER MILLION OUTPUT TOKENS", look.width, look.glyphs.rule, "at the load asked" if look.width > 50 else ""
        )
    ]
    top = max(value for value in (own, api) if value is not None) or 1.0
    room = max(8, look.width - 36)
    for label, value, name in (
        ("this build, rented", own, "usd_per_million_tokens"),
        ("hosted API", api, "api_usd_per_million_tokens"),
    ):
        action = f"figure:cost.{name}"
        if value is None:
            lines.append(line(Span(f" {label:<19} ", "", action), ("unknown", "dim")))
            continue
        cells = max(1, round(value / top * room))
        lines.append(
            line(
                Span(f" {label:<19} ", "", action),
                Span(f"{usd(value):>9}  ", "figure", action),
                (look.glyphs.bar * cells, "accent"),
            )
        )
    if own is not None and api is not None and own > 0 and api > 0:
        names = ["cost.usd_per_million_tokens", "cost.api_usd_per_million_tokens"]
        cheaper, ratio = ("The API", own / api) if api < own else ("This build", api / own)
        names = names if api < own else names[::-1]
        if ratio > 1.02:
            times = Span(f"{digits(ratio, 2)}x", "figure", f"figure:ratio({names[0]},{names[1]})")
            lines += flow([Span(f" {cheaper} is "), times, Span(" cheaper for each token.")], look.width)
        else:
            lines.append(line(" About the same for each token."))
    return lines + sentence(money.api_note, look.width, "dim") + sentence(money.api_words, look.width)


def operations(sizing: Sizing, look: Look) -> list[Line]:
    """The tax of running it in people's time."""
    money = sizing.cost
    if not money.operations_note:
        return []
    factor = money.operations_factor
    lines = [heading("TO RUN IT", look.width, look.glyphs.rule)]
    if factor > 1:
        times = Span(f"{digits(factor, 2)}x", "warn", "figure:cost.operations_factor")
        least = " at least" if sizing.scenario.hardware.nodes > OPERATIONS_NODES else ""
        lines += flow([Span(" "), times, Span(f" the engineering time of one node{least}")], look.width)
    if money.operations_fte is not None:
        spans = [
            Span(" "),
            Span(digits(money.operations_fte), "figure", "figure:cost.operations_fte"),
            Span(" engineers"),
        ]
        if money.operations_usd_per_month is not None:
            month = Span(usd(money.operations_usd_per_month), "figure", "figure:cost.operations_usd_per_month")
            spans += [Span(", "), month, Span(" a month")]
        lines += flow(spans, look.width)
    return lines + sentence(money.operations_note, look.width)


def unknown(sizing: Sizing, look: Look) -> list[Line]:
    """Prices that nobody knows, and where to enter them."""
    names = list(dict.fromkeys(sizing.cost.unknown))
    if not names:
        return []
    lines = [heading("UNKNOWN PRICES", look.width, look.glyphs.rule, ENTER_IT)]
    for name in names:
        lines += paragraphs(name, look.width - 3, "warn", "   ", " ? ")
    return lines


def power(sizing: Sizing, look: Look) -> list[Line]:
    """What it draws, the supplies and circuits that feed it, the heat it leaves, lanes and host memory."""
    draw = sizing.power
    items: list[Figure] = []
    if draw.gpu_w is not None:
        items.append(Figure("A GPU", kilowatts(draw.gpu_w), "", "figure:power.gpu_w"))
    if draw.node_w is not None:
        items.append(Figure("A node", kilowatts(draw.node_w), "at the wall", "figure:power.node_w"))
    if draw.total_w is not None:
        items.append(Figure("In all", kilowatts(draw.total_w), "", "figure:power.total_w"))
    if draw.psu_w is not None:
        items.append(Figure("Supplies", kilowatts(draw.psu_w), supply_words(draw), "figure:power.psu_w"))
    if draw.circuits_per_node is not None:
        note = f"{'on A and on B' if draw.feeds > 1 else 'per node'}, {draw.circuit}"
        items.append(Figure("Circuits", count(draw.circuits_per_node), note, "figure:power.circuits_per_node"))
    if draw.heat_btu_h is not None:
        items.append(Figure("Heat", f"{count(draw.heat_btu_h)} BTU/h", "to cool", "figure:power.heat_btu_h"))
    lines = [heading("POWER", look.width, look.glyphs.rule)]
    lines += figures(items, look) or [line((" unknown: no draw is published for this card", "dim"))]
    return lines + sentence((f"Node power: {draw.note}",) if draw.note else (), look.width, "dim")


def housing(sizing: Sizing, look: Look) -> list[Line]:
    """Where it stands and what a node holds beside its cards: racks, cooling, slots, host memory, disks."""
    draw = sizing.power
    items: list[Figure] = []
    if draw.nodes_per_rack is not None and draw.rack_units is not None and draw.rack_w is not None:
        items.append(Figure("A node's height", f"{draw.rack_units} U", "", "figure:power.rack_units"))
        items.append(Figure("Nodes in a rack", count(draw.nodes_per_rack), "", "figure:power.nodes_per_rack"))
        items.append(Figure("A rack's power", kilowatts(draw.rack_w), "to give", "figure:power.rack_w"))
    if draw.racks is not None:
        items.append(Figure("Racks", count(draw.racks), "", "figure:power.racks"))
    if draw.pcie_lanes_needed is not None:
        items.append(Figure("PCIe lanes", count(draw.pcie_lanes_needed), "per node", "figure:power.pcie_lanes_needed"))
    if draw.pcie_lanes_board is not None:
        items.append(Figure("On the board", count(draw.pcie_lanes_board), "lanes", "figure:power.pcie_lanes_board"))
    if draw.host_memory_gib_min is not None:
        memory = f"{count(draw.host_memory_gib_min)} GiB"
        items.append(Figure("Host memory", memory, "a node, at least", "figure:power.host_memory_gib_min"))
    if draw.nvme_bytes_min is not None:
        items.append(Figure("Disks", size(draw.nvme_bytes_min), "a node, at least", "figure:power.nvme_bytes_min"))
    lines = [heading("SPACE AND SLOTS", look.width, look.glyphs.rule), *figures(items, look)]
    for label, words in (("Slots", draw.slots), ("Cooling", draw.cooling), ("Noise", draw.noise)):
        lines += paragraphs(f"{label}: {words}.", look.width - 1, "dim", " ", "   ")
    return lines
