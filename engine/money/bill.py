"""What the entered build costs to buy, line by line, as its parts are sold. Unknown prices are None, never 0.

A rack is bought as a rack and a board as a board, whole, however few of its GPUs are used; where the catalog knows a
price of the whole server that beats the sum of parts; a price that the person entered beats all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from engine.links.collectives import one_card_a_gpu
from engine.money.boxes import NEXT_BOX, box_of, computer_of_its_own, in_rack
from engine.money.power import racks
from engine.money.prices import age_days
from engine.parts.hardware import Accelerator, Box, Facts, Platform, Purchase
from engine.scenario import Hardware, Scenario
from engine.sizing import PriceLine

HOST = "host"
HOST_ITEM = f"{HOST}: CPU, board, RAM, chassis, power"
BOARD_GPUS = 8  # GPUs of an HGX board or an OAM universal baseboard
RACK_GPUS = 72  # GPUs of an NVL72 rack
COUNT_WORDS = {2: "pairs", 4: "fours", 8: "eights"}
MAIN_PARTS = ("cards", "kit")  # without the price of these nobody knows what a build costs
ENTER = {
    "cards": "money.gpu_price_usd",
    "kit": "money.gpu_price_usd",
    "host": "money.host_price_usd",
    "network": "money.network_price_usd",
}
"""The session key that a person answers with where the price of a part is not known."""
PART_WORDS = {
    "host": "the hosts",
    "network": "the network",
    "rack": "the racks",
    "cards": "the cards",
    "kit": "the kits",
}
NETWORK_WORDS = {"nic": "network card", "cable": "cable of a port, with what it plugs into"}
CLOUD_ONLY = "cloud only"
"""The segment of what is rented and never sold."""
ROUGH = 0.5  # the uncertainty that a price without one is taken to have, when two are compared
STALE_AGAINST_DAYS = 365  # a price that much older than another of the same thing gives way to it, however sure it was


def card_price(facts: Facts, accelerator: Accelerator) -> PriceLine:
    """The catalog's price of one card: a person's own entry, else what it sells for, else its maker's.

    Of a card that is only sold on boards or in racks it is a share of those, and its item says so.
    """
    street = _street(facts, accelerator.id)
    own = accelerator.origin == "user" and accelerator.price_usd is not None
    if street is not None and street.usd is not None and (street.origin == "user" or not own):
        line = _line("cards", street.item, 1, street.usd, street.as_of, street.source, facts)
    else:
        note = accelerator.price_note if accelerator.price_usd is not None else ""
        usd, as_of = accelerator.price_usd, accelerator.price_as_of
        line = _line("cards", accelerator.label, 1, usd, as_of, note, facts)
    whole = sold_in(facts, accelerator)
    return line if not whole else replace(line, item=f"{line.item}; {sold_words(whole)}")


def _line(
    part: str, item: str, quantity: int, usd_each: float | None, as_of: str, source: str, facts: Facts
) -> PriceLine:
    age = age_days(as_of, facts.as_of) if usd_each is not None else None
    key = ENTER.get(part, "") if usd_each is None else ""
    thing = "" if usd_each is not None else HOST if item == HOST_ITEM else item
    return PriceLine(item, quantity, usd_each, as_of, source, part, age, key, thing)


def _of(part: str, purchase: Purchase, quantity: int, facts: Facts) -> PriceLine:
    return _line(part, _rough(purchase), quantity, purchase.usd, purchase.as_of, purchase.source, facts)


def _in_part(row: PriceLine, used: int, bought: int, sold: tuple[int, ...]) -> PriceLine:
    """A line of what is only sold in counts, with how much of it is used where that is not all of it."""
    if used == bought:
        return row
    told = f"for {bought}, {sold_words(sold)}"
    return replace(row, item=f"{row.item}; {used} of {bought} GPUs used", sold=told)


@lru_cache(maxsize=256)
def _street(facts: Facts, accelerator_id: str) -> Purchase | None:
    found = [p for p in facts.purchases if p.accelerator == accelerator_id and p.gpus == 1]
    return max(found, key=lambda p: p.origin == "user", default=None)


@lru_cache(maxsize=256)
def sold_in(facts: Facts, accelerator: Accelerator) -> tuple[int, ...]:
    """The counts that an accelerator is sold in, where that is not by the card: its boards, or its whole rack.

    SXM and OAM modules come on boards of eight (NVIDIA HGX; OCP's universal baseboard), and of four where the catalog
    has a price of one; superchips of a rack come with the rack. Empty: sold by the card.
    """
    if accelerator.form_factor.startswith(("SXM", "OAM")):
        return tuple(sorted({BOARD_GPUS, *_board_counts(facts, accelerator.id)}))
    if "rack" in accelerator.segment:
        return (RACK_GPUS,)
    return ()


def _board_counts(facts: Facts, accelerator_id: str) -> set[int]:
    return {p.gpus for p in facts.purchases if p.accelerator == accelerator_id and p.gpus is not None and p.gpus > 1}


def sold_words(counts: tuple[int, ...]) -> str:
    """How something that is not sold by the card is sold, in words."""
    if counts == (RACK_GPUS,):
        return f"sold as a rack of {RACK_GPUS}"
    return f"sold in {' and '.join(COUNT_WORDS.get(count, str(count)) for count in counts)}"


@lru_cache(maxsize=256)
def _kits(facts: Facts, accelerator_id: str) -> tuple[tuple[Platform, Purchase], ...]:
    """Every platform of an accelerator that is sold whole at a known price."""
    platforms = {platform.id: platform for platform in facts.platforms if platform.accelerator == accelerator_id}
    return tuple((platforms[p.platform], p) for p in facts.purchases if p.platform in platforms and p.usd is not None)


def _own_price(scenario: Scenario) -> bool:
    """Whether the person has a price of this card of their own, in the session or in a file of theirs."""
    card, street = scenario.hardware.accelerator, _street(scenario.facts, scenario.hardware.accelerator.id)
    by_file = card.origin == "user" and card.price_usd is not None
    return scenario.money.gpu_price_usd is not None or by_file or (street is not None and street.origin == "user")


def kit_price(scenario: Scenario) -> PriceLine | None:
    """The price of the build's nodes where they are sold whole, with the number to buy; None where they are not.

    The chosen platform's kit, else the one of any platform that is as large as what the card is sold in: eight B200
    come as a DGX or as an HGX server of much the same price. A rack counts all of its GPUs.
    """
    hardware = scenario.hardware
    if hardware.mixed or _own_price(scenario):
        return None
    card, chosen = hardware.accelerator, hardware.platform
    kits = _kits(scenario.facts, card.id)
    sold = sold_in(scenario.facts, card)
    fitting = [(p, kit) for p, kit in kits if chosen is not None and p.id == chosen.id]
    fitting = fitting or [(p, kit) for p, kit in kits if sold and p.gpus == sold[-1]]
    for platform, kit in fitting:
        if platform.gpus == RACK_GPUS:
            return _whole(scenario, kit, math.ceil(hardware.gpus / platform.gpus), platform.gpus)
        if platform.gpus >= hardware.gpus_per_node and _smallest(sold, hardware.gpus_per_node) in (None, platform.gpus):
            return _whole(scenario, kit, hardware.nodes, platform.gpus)
    return None


def _whole(scenario: Scenario, kit: Purchase, count: int, size: int) -> PriceLine:
    """So many kits of so many GPUs each for the build."""
    sold = sold_in(scenario.facts, scenario.hardware.accelerator)
    return _in_part(_of("kit", kit, count, scenario.facts), scenario.hardware.gpus, count * size, sold or (size,))


def _smallest(counts: tuple[int, ...], gpus: int) -> int | None:
    """The smallest of the counts that something is sold in that holds so many."""
    return next((count for count in counts if count >= gpus), None)


def bought_gpus(scenario: Scenario) -> int:
    """GPUs that stand in each node, of those that are sold on boards: the whole board, however few are used."""
    hardware = scenario.hardware
    if hardware.mixed or in_rack(hardware):
        return hardware.gpus_per_node
    return _smallest(sold_in(scenario.facts, hardware.accelerator), hardware.gpus_per_node) or hardware.gpus_per_node


def _boarded(scenario: Scenario) -> PriceLine | None:
    """Boards, or whole servers, for nodes of a card that is not sold singly; None where only single prices are known.

    Of several prices of the same thing the surest counts, unless it is a year older than another.
    """
    hardware, facts = scenario.hardware, scenario.facts
    card = hardware.accelerator
    size = _smallest(sold_in(facts, card), hardware.gpus_per_node)
    if size is None or hardware.mixed or _own_price(scenario):
        return None
    offers = [p for p in facts.purchases if p.accelerator == card.id and p.usd is not None and p.gpus in (1, size)]
    if not offers:
        return None
    newest = min((age_days(p.as_of, facts.as_of) or 0) for p in offers)
    fresh = [p for p in offers if (age_days(p.as_of, facts.as_of) or 0) <= newest + STALE_AGAINST_DAYS]
    best = min(fresh, key=lambda p: p.uncertainty if p.uncertainty is not None else ROUGH)
    count = hardware.nodes * (size if best.gpus == 1 else 1)
    row = _of("kit" if best.with_host else "cards", best, count, facts)
    return _in_part(row, hardware.gpus, size * hardware.nodes, sold_in(facts, card))


def _cards(scenario: Scenario) -> Iterator[PriceLine]:
    """The cards at their own price, in whole boards where they come on boards."""
    hardware, money, facts = scenario.hardware, scenario.money, scenario.facts
    for accelerator, count in hardware.mixed or ((hardware.accelerator, hardware.gpus_per_node),):
        if money.gpu_price_usd is not None:
            yield _line("cards", accelerator.label, count * hardware.nodes, money.gpu_price_usd, "", "entered", facts)
            continue
        line, used = card_price(facts, accelerator), count * hardware.nodes
        board = _smallest(sold_in(facts, accelerator), count) or count
        bought = math.ceil(used / RACK_GPUS) * RACK_GPUS if board == RACK_GPUS else board * hardware.nodes
        yield replace(_in_part(line, used, bought, sold_in(facts, accelerator)), quantity=bought)


@lru_cache(maxsize=256)
def host_purchase(facts: Facts, gpus: int, box: Box) -> Purchase | None:
    """The catalog's price of a node without its cards, that takes so many; None where nobody states one.

    A price of the person's own for just so many comes first; then the smallest box of the kind, or of the next larger
    kind, that takes them.
    """
    hosts = [p for p in facts.purchases if p.gpus and not (p.accelerator or p.platform or p.link or p.part)]
    own = next((p for p in hosts if p.origin == "user" and p.gpus == gpus and p.box in ("", box)), None)
    if own is not None:
        return own
    kind: Box | None = box
    while kind is not None:
        taking = [p for p in hosts if p.box in ("", kind) and (p.gpus or 0) >= gpus and p.usd is not None]
        if taking:
            return min(taking, key=lambda p: (p.gpus or 0, p.origin != "user"))
        kind = NEXT_BOX[kind]
    return None


def _host(scenario: Scenario) -> Iterator[PriceLine]:
    """One node without its cards: as entered, else what the catalog has for such a box; none where the card is one."""
    money, hardware = scenario.money, scenario.hardware
    if money.host_price_usd is not None:
        yield _line("host", HOST_ITEM, hardware.nodes, money.host_price_usd, "", "entered", scenario.facts)
        return
    if hardware.accelerator.unified_memory or in_rack(hardware) or CLOUD_ONLY in hardware.accelerator.segment:
        return  # the GPU and its computer are one thing, or nobody sells either
    host = host_purchase(scenario.facts, hardware.gpus_per_node, box_of(hardware))
    if host is None:
        yield _line("host", HOST_ITEM, hardware.nodes, None, "", "", scenario.facts)
    else:
        yield _of("host", host, hardware.nodes, scenario.facts)


def _rough(part: Purchase) -> str:
    return part.item if part.uncertainty is None else f"{part.item} (give or take {100 * part.uncertainty:.0f} %)"


def network_cards(hardware: Hardware) -> int:
    """Network cards of a node, as the speed of the fabric counts them."""
    link, platform = hardware.inter_link, hardware.platform
    stated = link.nics_per_node or (platform.nics if platform is not None else None)
    return stated or (hardware.gpus_per_node if one_card_a_gpu(hardware.intra_link, link) else 1)


def _network(scenario: Scenario, with_cards: bool) -> Iterator[PriceLine]:
    """What joins the nodes: as entered, else cards, cables and switches, each counted whether it has a price or not.

    with_cards: whether the nodes come with their network cards.
    """
    money, hardware, link, facts = scenario.money, scenario.hardware, scenario.hardware.inter_link, scenario.facts
    paired = hardware.nodes == 2 and computer_of_its_own(hardware)  # two of them are joined by one cable
    if hardware.nodes == 1:
        return
    if money.network_price_usd is not None:
        item = f"{'cables' if with_cards else 'network cards'} and switch, {link.name}"
        yield _line("network", item, hardware.nodes, money.network_price_usd, "", "entered", facts)
        return
    parts = _fabric_parts(facts, link.id)
    ports = network_cards(hardware) * hardware.nodes
    switches = sorted((p for p in parts if p.part == "switch"), key=lambda p: p.nics or ports)
    # the smallest that joins all; beyond the largest as many tiers of that as it takes
    switch = next((p for p in switches if (p.nics or ports) >= ports), switches[-1] if switches else None)
    tiers, count = (1, 1) if switch is None else fabric_switches(ports, switch.nics or ports)
    for kind in ("cable",) if with_cards else ("nic", "cable"):
        part = next((part for part in parts if part.part == kind), None)
        if part is None:
            yield _line("network", f"{NETWORK_WORDS[kind]}, {link.short}", 1 if paired else ports, None, "", "", facts)
        else:
            count_of = 1 if paired else ports * tiers if kind == "cable" else ports
            yield _of("network", part, count_of, facts)
    if paired:
        return
    if switch is None:
        yield _line("network", f"switches for {ports:,} ports, {link.short}", 1, None, "", "", facts)
    else:
        yield _of("network", switch, count, facts)


def fabric_switches(ports: int, joins: int) -> tuple[int, int]:
    """(tiers, switches) that join so many ports at full speed, of switches that join so many each: a fat tree.

    Each tier below the top gives half its ports to the next, so that t tiers take 2 x (joins / 2)^t ports and as many
    cables between each two of them as there are ports (Leiserson 1985; Al-Fares et al. 2008).
    """
    half, tiers = max(2, joins // 2), 1
    while ports > (joins if tiers == 1 else 2 * half**tiers):
        tiers += 1
    if tiers == 1:
        return 1, 1
    leaves = math.ceil(ports / half)
    return tiers, (tiers - 1) * leaves + math.ceil(leaves / 2)


@lru_cache(maxsize=64)
def _fabric_parts(facts: Facts, link_id: str) -> tuple[Purchase, ...]:
    return tuple(p for p in facts.purchases if p.link == link_id and p.part and p.usd is not None)


@lru_cache(maxsize=64)
def part_purchase(facts: Facts, part: str) -> Purchase | None:
    """The catalog's price of something that stands beside the nodes: such as a rack."""
    found = [p for p in facts.purchases if p.part == part and not p.link]
    return max(found, key=lambda p: p.origin == "user", default=None)


def _beside(scenario: Scenario) -> Iterator[PriceLine]:
    """The racks of servers of which there are several, and the storage that the person asks for."""
    hardware, money, facts = scenario.hardware, scenario.money, scenario.facts
    count, rack = racks(scenario.site), part_purchase(facts, "rack")
    if hardware.nodes > 1 and count is not None and rack is not None:
        yield _of("rack", rack, count, facts)
    if money.storage_tb:
        tier = part_purchase(facts, "shared-storage" if hardware.nodes > 1 else "local-storage")
        if tier is None or tier.usd_per_tb is None:
            yield _line("storage", "storage, a TB", math.ceil(money.storage_tb), None, "", "", facts)
        else:
            a_tb = f"{_rough(tier)}, a TB"
            yield _line("storage", a_tb, math.ceil(money.storage_tb), tier.usd_per_tb, tier.as_of, tier.source, facts)


def bill(scenario: Scenario, alone: bool = False) -> tuple[PriceLine, ...]:
    """The purchase line by line: racks, kits or boards where that is how it is sold, else cards and hosts; the network,
    racks beside them. The first line is the main one.

    alone: whether each node answers by itself: then no fabric is bought, unless the person entered a price of one.
    """
    kit, no_fabric = kit_price(scenario), alone and scenario.money.network_price_usd is None
    if kit is not None:
        joined = "rack" in scenario.hardware.accelerator.segment and kit.quantity == 1  # by the rack's own switches
        return (kit, *(() if joined or no_fabric else _network(scenario, with_cards=True)), *_beside(scenario))
    network = () if no_fabric else tuple(_network(scenario, computer_of_its_own(scenario.hardware)))
    boards = _boarded(scenario)
    if boards is not None:
        host = () if boards.part == "kit" and scenario.money.host_price_usd is None else _host(scenario)
        return (boards, *host, *network, *_beside(scenario))
    return (*_cards(scenario), *_host(scenario), *network, *_beside(scenario))


def bought(scenario: Scenario, gpus_per_node: int, nodes: int, weights: str = "") -> Scenario:
    """The scenario with another count of the same card to be billed, however many, in other weights where they are named;
    for money only, nothing is checked."""
    hardware = replace(scenario.hardware, gpus_per_node=gpus_per_node, nodes=nodes, mixed=())
    model = replace(scenario.model, weights=weights) if weights else scenario.model
    return replace(scenario, hardware=hardware, model=model)


def known_usd(lines: tuple[PriceLine, ...]) -> float | None:
    """The sum of the known lines of a bill; None where the price of its main part is not among them."""
    if any(line.usd is None and line.part in MAIN_PARTS for line in lines) or not lines:
        return None
    return sum(line.usd or 0.0 for line in lines)


def whole_usd(lines: tuple[PriceLine, ...]) -> float | None:
    """A bill for comparing builds and holding them to a budget: None where any line of it is unknown."""
    return None if any(line.usd is None for line in lines) else known_usd(lines)


def lacking(lines: tuple[PriceLine, ...]) -> str:
    """What of a bill has no price, in words; empty where all of it has."""
    parts = dict.fromkeys(PART_WORDS.get(line.part, line.part) for line in lines if line.usd is None)
    return " and ".join(parts)


def buy_usd(scenario: Scenario, alone: bool = False) -> float | None:
    """What a build costs to buy, the unknown lines left out; None where its cards have no price. alone: as of `bill`."""
    return known_usd(bill(scenario, alone))
