"""Every link of the catalog with the price of a message on each: the columns that the fabric table is made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from engine.figures.kept import keep
from engine.figures.kinds import FigureKind
from engine.figures.records import dataclass
from engine.figures.units import MICROSECONDS_PER_SECOND
from engine.links.collectives import curve, one_card_a_gpu, slot_gb_s
from engine.links.curves import Curve, Segments
from engine.links.evidence import evidence_kind
from engine.links.traffic import Message, curve_of
from engine.parts.hardware import Link
from engine.scenario import Hardware, Scenario


@dataclass(frozen=True, slots=True)
class Row:
    """What a row of the table shows of a link whatever the workload."""

    link: Link
    bandwidth_note: str
    latency_us: float | None  # the link's own, where somebody states it
    startup_us: float  # what the smallest message takes from one GPU to another
    kind: FigureKind
    inside: bool


Passes = list[tuple[float, ...]]
"""By link in row order: seconds of passes of some sizes."""


@dataclass(frozen=True, slots=True, eq=False)
class Board:
    """All links in row order with the price of every collective on each, filled as asked. passes: prices of a layout's serving passes.

    A message in its place is that of the build with the link swapped in: inside its nodes, or between them. Where the
    build has no such place, one node or one GPU a node, the group is taken apart: a link between nodes joins two
    halves of it, a link inside a node all of it. So is a group that is sent across a link to see what it would cost.
    """

    links: tuple[Row, ...]
    hardware: Hardware
    in_engine: bool
    curves: dict[tuple[object, ...], list[Segments]]
    columns: dict[tuple[object, ...], list[float]]
    passes: dict[tuple[object, ...], tuple[Passes, Passes, object]]

    def column(self, message: Message, groups: int = 1) -> list[float]:
        """Seconds of one collective of a message's group across each link, in row order."""
        key = (message.op, message.ranks, groups, message.payload_bytes)
        known = self.columns.get(key)
        if known is None:
            curves = self.curves.get(key[:3])
            if curves is None:
                curves = self.curves[key[:3]] = [self._across(message, row, groups).segments for row in self.links]
            known = self._priced(key, curves, message.payload_bytes)
        return known

    def placed(self, message: Message, gpus: int) -> list[float]:
        """Seconds of one collective of the message on each link in its place, in a layout of so many GPUs."""
        key = (message.op, message.ranks, message.stride, message.abreast, gpus, message.payload_bytes)
        known = self.columns.get(key)
        if known is None:
            curves = self.curves.get(key[:5])
            if curves is None:
                curves = self.curves[key[:5]] = [self._in_place(message, row, gpus).segments for row in self.links]
            known = self._priced(key, curves, message.payload_bytes)
        return known

    def _priced(self, key: tuple[object, ...], curves: Sequence[Segments], payload: float) -> list[float]:
        found = []
        for segments in curves:
            # `Curve.seconds` of fifty links, without fifty calls
            for limit, alpha, beta in segments:
                if payload <= limit:
                    found.append(alpha + payload * beta)
                    break
        return keep(self.columns, key, found, 256)

    def _in_place(self, message: Message, row: Row, gpus: int) -> Curve:
        hardware = self.hardware
        if row.inside and hardware.gpus_per_node > 1:
            return curve_of(message, hardware, gpus, in_engine=self.in_engine, intra=row.link)
        if not row.inside and hardware.nodes > 1:
            return curve_of(message, hardware, gpus, in_engine=self.in_engine, inter=row.link)
        return self._across(message, row, 1)

    def _across(self, message: Message, row: Row, groups: int) -> Curve:
        hardware = self.hardware
        ranks = 2 if message.op == "send_recv" else message.ranks
        platform = hardware.platform
        return curve(
            message.op,
            ranks,
            ranks if row.inside else max(1, min(hardware.gpus_per_node, math.ceil(ranks / 2))),
            row.link if row.inside else hardware.intra_link,
            None if row.inside else row.link,
            in_engine=self.in_engine,
            peer_access=hardware.accelerator.peer_access,
            groups_per_node=groups,
            nics_per_node=row.link.nics_per_node or (platform.nics if platform is not None else None),
            slot_gb_s=slot_gb_s(hardware.accelerator),
        )

    def total(self, messages: Sequence[Message], groups: int = 1) -> list[float]:
        """Seconds of all messages one after the other across each link."""
        return self._sum(messages, [self.column(message, groups) for message in messages])

    def in_place(self, messages: Sequence[Message], gpus: int) -> list[float]:
        """Seconds of all messages one after the other on each link in its place."""
        return self._sum(messages, [self.placed(message, gpus) for message in messages])

    def _sum(self, messages: Sequence[Message], columns: Sequence[list[float]]) -> list[float]:
        found = [0.0] * len(self.links)
        for message, column in zip(messages, columns, strict=True):
            count = message.count
            found = [so_far + count * value for so_far, value in zip(found, column, strict=True)]
        return found


_known: dict[tuple[object, ...], tuple[object, Board]] = {}


def _note(link: Link) -> str:
    parts = []
    if link.peak_gb_s_bidir:
        parts.append(f"{link.peak_gb_s_bidir:g} GB/s both ways, halved")
    if link.achieved_gb_s_unidir:
        parts.append(f"{link.achieved_gb_s_unidir:.3g} achieved")
    if link.line_gbit_s:
        parts.append(f"{link.line_gbit_s:g} Gbit/s line rate")
    if link.nics_per_node:
        parts.append(f"{link.nics_per_node} ports a node")
    if link.max_gpus is not None and link.max_gpus < 8:
        parts.append(f"joins {link.max_gpus} GPUs, beyond them PCIe")
    if link.status:
        parts.append(link.status)
    if link.own_curves:
        gpus = sorted({one.gpus for one in link.own_curves})
        parts.append(f"measured by you on {', '.join(map(str, gpus))} GPUs")
    return "; ".join(parts)


def _fixed(link: Link) -> Row:
    inside = link.scope == "intra-node"
    startup = MICROSECONDS_PER_SECOND * curve("send_recv", 2, 2 if inside else 1, link, link).latency_s
    return Row(link, _note(link), link.latency_us, startup, evidence_kind(link), inside)


def _with_cards(fixed: Row, hardware: Hardware) -> Row:
    """The row with the number of network cards that its times assume."""
    if fixed.inside or fixed.link.nics_per_node:
        return fixed
    platform = hardware.platform
    if platform is not None and platform.nics:
        cards = f"{platform.nics} cards a node"
    else:
        cards = "one card a GPU" if one_card_a_gpu(hardware.intra_link, fixed.link) else "one card a node"
    note = f"{fixed.bandwidth_note}; {cards}" if fixed.bandwidth_note else cards
    return replace(fixed, bandwidth_note=note)


@lru_cache(maxsize=64)
def _order(links: tuple[Link, ...]) -> tuple[Row, ...]:
    ordered = sorted(links, key=lambda link: (-link.peak_gb_s_unidir, link.scope != "intra-node", link.id))
    return tuple(_fixed(link) for link in ordered)


def board_of(scenario: Scenario) -> Board:
    """The board of a scenario's build and catalog. Cached; serving pays what its engine adds to every collective."""
    in_engine = scenario.workload.is_inference
    hardware = scenario.hardware
    facts = scenario.facts
    key = (
        id(facts),
        id(hardware.intra_link),
        id(hardware.inter_link),
        hardware.accelerator.peer_access,
        slot_gb_s(hardware.accelerator),
        hardware.gpus_per_node,
        hardware.nodes > 1,
        id(hardware.platform),
        in_engine,
    )
    known = _known.get(key)
    if known is not None:
        return known[1]
    links = [link for link in facts.links if link.scope != "host"]
    present = {link.id for link in links}
    own = {link.id: link for link in (hardware.intra_link, hardware.inter_link)}
    links += [link for name, link in own.items() if name not in present]
    rows = tuple(_with_cards(fixed, hardware) for fixed in _order(tuple(links)))
    board = Board(rows, hardware, in_engine, {}, {}, {})
    # held with the board so that the identities in the key stay taken; a board comes to some hundred kB
    return keep(_known, key, ((facts, hardware), board), 4)[1]
