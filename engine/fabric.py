"""The fabric cliff: one workload's traffic priced over every link of the catalog.

The main figures of a row put all messages of the layout over that link, whatever the build uses: a link inside the
box joins all ranks of a group; a link between nodes joins two halves of the group, each half inside a node on the
build's own in-node link. Beside it, the same work with only a tensor-parallel group, only a border between two
pipeline stages, or only data-parallel replicas across the link, and the rest of the layout left in the box.

The step around the traffic (weights, KV, compute, launches, pipeline bubble) is the speed model's; here only its
communication is exchanged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from engine.architecture import Architecture
from engine.collectives import Curve, Segments, curve, evidence_kind, one_card_a_gpu
from engine.hardware import Link
from engine.scenario import Hardware, Layout, Scenario, Workload
from engine.sizing import FabricRow, FabricWord, FigureKind, Serving, Training
from engine.traffic import Message, communication_s, decode_traffic, prefill_traffic, workload_traffic

OPTIMAL_FROM = 0.85
"""A link that costs at most 15 %: what the articles accept for data-parallel training over PCIe (seed claim
`speedup`, overscale: 10 to 15 %), and about the error of the estimate itself."""
VIABLE_FROM = 0.60
"""The articles' efficiency floor (seed claim `efficiency_floor`): below it another shape of build is better."""
PAINFUL_FROM = 0.25
"""Below a quarter, four GPUs do the work of one: one GPU with offload, or replicas, would be faster."""

PREFILL_CHUNK_TOKENS = 8192
"""Prompt tokens of one forward pass: the default max_num_batched_tokens of serving engines on large cards."""

HEADLINE_LINKS = (
    "nvlink-5",
    "nvlink-4",
    "pcie5-switch",
    "pcie5-root",
    "pcie-no-p2p",
    "ib-xdr",
    "ib-ndr",
    "ib-hdr",
    "roce-100",
    "eth-25-tcp",
    "eth-10-tcp",
    "eth-1-tcp",
)
"""What a small screen shows: one link of each kind that the articles name."""

DEFAULT_OVERLAP = 0.5
"""Share of data-parallel communication that hides behind compute when nobody said: about the middle of the range
measured inside nodes, 0 to 0.86 (engine.training_speed.OVERLAP_RANGE)."""


def fabric_word(relative_speed: float, inside: bool) -> FabricWord:
    """The one word for what a link leaves of the speed.

    in-box: inside the node, at or above the floor. Otherwise by what is left: optimal from 85 %, viable from 60 %,
    painful from 25 %, unusable below.
    """
    if inside and relative_speed >= VIABLE_FROM:
        return "in-box"
    if relative_speed >= OPTIMAL_FROM:
        return "optimal"
    if relative_speed >= VIABLE_FROM:
        return "viable"
    return "painful" if relative_speed >= PAINFUL_FROM else "unusable"


@dataclass(frozen=True, slots=True)
class _Fixed:
    """What a row shows of a link whatever the workload."""

    link: Link
    bandwidth_note: str
    latency_us: float
    kind: FigureKind
    inside: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Board:
    """All links in row order with the price of every collective on each, filled as asked."""

    links: tuple[_Fixed, ...]
    hardware: Hardware
    in_engine: bool
    curves: dict[tuple[str, int, int], list[Segments]]
    columns: dict[tuple[str, int, int, float], list[float]]

    def column(self, message: Message, groups: int) -> list[float]:
        """Seconds of one collective of the message over each link, in row order."""
        key = (message.op, message.ranks, groups, message.payload_bytes)
        known = self.columns.get(key)
        if known is None:
            if len(self.columns) > 512:
                self.columns.clear()
            payload = message.payload_bytes
            known = []
            for segments in self._segments(message, groups):
                # `Curve.seconds` of fifty links, without fifty calls
                for limit, alpha, beta in segments:
                    if payload <= limit:
                        known.append(alpha + payload * beta)
                        break
            self.columns[key] = known
        return known

    def _segments(self, message: Message, groups: int) -> list[Segments]:
        key = (message.op, message.ranks, groups)
        known = self.curves.get(key)
        if known is None:
            known = self.curves[key] = [self._curve(message, fixed, groups).segments for fixed in self.links]
        return known

    def _curve(self, message: Message, fixed: _Fixed, groups: int) -> Curve:
        hardware = self.hardware
        ranks = 2 if message.op == "send_recv" else message.ranks
        platform = hardware.platform
        return curve(
            message.op,
            ranks,
            ranks if fixed.inside else max(1, min(hardware.gpus_per_node, math.ceil(ranks / 2))),
            fixed.link if fixed.inside else hardware.intra_link,
            None if fixed.inside else fixed.link,
            in_engine=self.in_engine,
            # another in-node link is priced as it is: staging through host memory is a row of its own
            peer_access=hardware.accelerator.peer_access or (fixed.inside and fixed.link is not hardware.intra_link),
            groups_per_node=groups,
            nics_per_node=fixed.link.nics_per_node or (platform.nics if platform is not None else None),
        )

    def total(self, messages: Sequence[Message], groups: int = 1) -> list[float]:
        """Seconds of all messages one after the other over each link."""
        if not messages:
            return [0.0] * len(self.links)
        first, *others = messages
        count = first.count
        found = [count * value for value in self.column(first, groups)]
        for message in others:
            count = message.count
            found = [so_far + count * value for so_far, value in zip(found, self.column(message, groups), strict=True)]
        return found


_boards: dict[tuple[object, ...], tuple[object, _Board]] = {}


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
    return "; ".join(parts)


def _fixed(link: Link) -> _Fixed:
    inside = link.scope == "intra-node"
    latency = link.latency_us
    if latency is None:
        latency = 1e6 * curve("send_recv", 2, 2 if inside else 1, link, link).latency_s
    return _Fixed(link, _note(link), latency, evidence_kind(link), inside)


def _with_cards(fixed: _Fixed, hardware: Hardware) -> _Fixed:
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
def _order(links: tuple[Link, ...]) -> tuple[_Fixed, ...]:
    ordered = sorted(links, key=lambda link: (-link.peak_gb_s_unidir, link.scope != "intra-node", link.id))
    return tuple(_fixed(link) for link in ordered)


def _board(scenario: Scenario, in_engine: bool) -> _Board:
    hardware = scenario.hardware
    facts = scenario.facts
    key = (
        id(facts),
        id(hardware.intra_link),
        id(hardware.inter_link),
        hardware.accelerator.peer_access,
        hardware.gpus_per_node,
        id(hardware.platform),
        in_engine,
    )
    known = _boards.get(key)
    if known is not None:
        return known[1]
    links = [link for link in facts.links if link.scope != "host"]
    present = {link.id for link in links}
    links += [link for link in (hardware.intra_link, hardware.inter_link) if link.id not in present]
    rows = tuple(_with_cards(fixed, hardware) for fixed in _order(tuple(dict.fromkeys(links))))
    board = _Board(rows, hardware, in_engine, {}, {})
    if len(_boards) > 64:
        _boards.clear()
    # held with the board so that the identities in the key stay taken
    _boards[key] = ((facts, hardware), board)
    return board


def _relative(base: float, waits: Sequence[float]) -> list[float]:
    best = base + min(waits)
    if best <= 0.0:
        return [1.0] * len(waits)
    return [best / (base + wait) for wait in waits]


def _assumed_tp(hardware: Hardware, heads: int) -> int:
    """The tensor-parallel size to show when the layout has none: the widest on a node that divides the heads."""
    size = max(2, hardware.gpus_per_node)
    while size > 2 and heads % size:
        size -= 1
    return size


def fabric_table(
    scenario: Scenario, layout: Layout, serving: Serving | None, training: Training | None
) -> tuple[FabricRow, ...]:
    """One row a link, widest first by its one-way bandwidth; no row for a build of one GPU.

    seconds: in collectives per generated token or per optimizer step; prefill_seconds: per prompt of the asked
    length. share and relative_speed count both, as users mix them: the prompts of the others pass between one's own
    tokens. relative_speed is against the best link of the table. A layout that
    sends nothing is priced as parallelism over the node instead, and each row says so in `assumed`.
    """
    if scenario.hardware.gpus <= 1:
        return ()
    if serving is not None:
        return _serving_rows(scenario, layout, serving)
    if training is not None:
        return _training_rows(scenario, layout, training)
    return ()


@lru_cache(maxsize=1024)
def _border(architecture: Architecture, tp: int, pp: int, tokens: int) -> tuple[Message, ...]:
    messages = decode_traffic(architecture, Layout(tp=tp, pp=pp), tokens)
    return tuple(message for message in messages if message.op == "send_recv")


@dataclass(frozen=True, slots=True)
class Terms:
    """What each row of the table is priced from: the messages, and the step around them.

    base_s: the step without its links. messages: of one decode or optimizer step. scale: what the speed model makes
    of their plain price. prompt: of one pass over a prompt's tokens; passes: how many of those a prompt takes (scale
    included); prompts: how many prompts pass for each token of a user. tp, pp, dp (each with tp_prompt and pp_prompt):
    the same with only that dimension across a link; groups: TP groups that speak at a border at once; base_pp_s: the
    step around a border. overlap: share of data-parallel messages that hides, behind at most hidden_s. assumed: set
    where the layout sends nothing and another is priced.
    """

    base_s: float
    base_pp_s: float
    messages: tuple[Message, ...]
    scale: float
    prompt: tuple[Message, ...]
    passes: float
    prompts: float
    tp: tuple[Message, ...]
    pp: tuple[Message, ...]
    pp_prompt: tuple[Message, ...]
    dp: tuple[Message, ...]
    groups: int
    overlap: float
    hidden_s: float
    assumed: str


def serving_terms(scenario: Scenario, layout: Layout, serving: Serving) -> Terms:
    """The messages of a serving build and the step around them."""
    hardware, work, arch = scenario.hardware, scenario.workload, scenario.model.architecture
    batch = max(1, math.ceil(serving.served_concurrency / layout.dp / layout.pp))
    home = serving.communication_s
    # what the other requests' prompts wait on links while this one decodes
    prompts_home = max(0.0, serving.communication_share * serving.inter_token_s - home)
    base = max(serving.inter_token_s - home - prompts_home, 0.05 * serving.inter_token_s)
    assumed = ""
    shown = layout
    decode = decode_traffic(arch, layout, batch)
    if decode:
        # the speed model's own scale, so that the link in use costs what the speed figures say it costs
        priced = communication_s(decode, layout, hardware, in_engine=True)
        scale = min(4.0, max(0.25, home / priced)) if home > 0.0 and priced > 0.0 else 1.0
    else:
        shown = Layout(tp=_assumed_tp(hardware, arch.heads))
        assumed = f"this layout sends nothing between GPUs: TP {shown.tp} shown instead"
        base /= shown.tp
        scale = 1.0
        decode = decode_traffic(arch, shown, batch)
    chunk = max(1, min(work.input_tokens, PREFILL_CHUNK_TOKENS))
    passes = scale * max(1.0, work.input_tokens / chunk)
    prompt = prefill_traffic(arch, shown, chunk)
    # prompts that pass for each token that a user gets: the engine's other users over the tokens of an answer
    prompts = batch / work.output_tokens
    prompt_home = passes * communication_s(prompt, shown, hardware, in_engine=True)
    if prompts_home > 0.0 and prompt_home > 0.0:
        prompts = prompts_home / prompt_home
    return Terms(
        base_s=base,
        base_pp_s=base + home + prompts_home,
        messages=decode,
        scale=scale,
        prompt=prompt,
        passes=passes,
        prompts=prompts,
        tp=tuple(message for message in decode if message.span == "tp"),
        pp=_border(arch, shown.tp, max(2, shown.pp), batch),
        pp_prompt=_border(arch, shown.tp, max(2, shown.pp), chunk),
        dp=(),
        groups=min(shown.tp, hardware.gpus_per_node),
        overlap=0.0,
        hidden_s=0.0,
        assumed=assumed,
    )


def _serving_rows(scenario: Scenario, layout: Layout, serving: Serving) -> tuple[FabricRow, ...]:
    board = _board(scenario, True)
    t = serving_terms(scenario, layout, serving)
    base, scale, passes, prompts = t.base_s, t.scale, t.passes, t.prompts
    seconds = [scale * value for value in board.total(t.messages)]
    prefill = [passes * value for value in board.total(t.prompt)]
    waits = [value + prompts * whole for value, whole in zip(seconds, prefill, strict=True)]
    main = _relative(base, waits)
    tp_relative = main
    if len(t.tp) != len(t.messages):
        tp_prompt = board.total([message for message in t.prompt if message.span == "tp"])
        tp_decode = board.total(t.tp)
        tp_relative = _relative(
            base, [scale * one + prompts * passes * two for one, two in zip(tp_decode, tp_prompt, strict=True)]
        )
    across_pp = board.total(t.pp, groups=t.groups)
    pp_prompt = board.total(t.pp_prompt, groups=t.groups)
    pp_relative = _relative(
        t.base_pp_s, [one + prompts * passes * two for one, two in zip(across_pp, pp_prompt, strict=True)]
    )
    shares = [value / (base + value) for value in waits]
    # replicas share no traffic: a router sends them text
    return _rows(board, scenario, seconds, prefill, shares, main, tp_relative, pp_relative, None, t.assumed)


@lru_cache(maxsize=256)
def _steps(arch: Architecture, work: Workload, layout: Layout, tp: int) -> tuple[tuple[Message, ...], ...]:
    """Messages of an optimizer step: of the layout, then with only TP, only PP and only DP across a link."""

    def only(span: str, tp: int, pp: int, dp: int) -> tuple[Message, ...]:
        return tuple(m for m in workload_traffic(arch, work, Layout(tp=tp, pp=pp, dp=dp)) if m.span == span)

    return (
        workload_traffic(arch, work, layout),
        only("tp", tp, 1, layout.dp),
        only("pp", layout.tp, max(2, layout.pp), layout.dp),
        only("dp", layout.tp, layout.pp, max(2, layout.dp)),
    )


def training_terms(scenario: Scenario, layout: Layout, training: Training) -> Terms:
    """The messages of a training build and the step around them."""
    hardware, work, arch = scenario.hardware, scenario.workload, scenario.model.architecture
    base = max(training.step_s - training.exposed_communication_s, 0.05 * training.step_s)
    tp = layout.tp if layout.tp > 1 else _assumed_tp(hardware, arch.heads)
    messages, tp_messages, pp_messages, dp_messages = _steps(arch, work, layout, tp)
    overlap = DEFAULT_OVERLAP if work.overlap is None else work.overlap
    if training.communication_s > 0.0 and all(message.span == "dp" for message in messages):
        # the speed model's own overlap of this very traffic
        overlap = min(0.95, max(0.0, 1.0 - training.exposed_communication_s / training.communication_s))
    assumed = ""
    if not messages:
        shown = Layout(dp=max(2, hardware.gpus_per_node))
        assumed = f"this layout sends nothing between GPUs: data parallelism over {shown.dp} shown instead"
        messages = _steps(arch, work, shown, tp)[0]
    return Terms(
        base_s=base,
        base_pp_s=base,
        messages=messages,
        scale=1.0,
        prompt=(),
        passes=0.0,
        prompts=0.0,
        tp=tp_messages,
        pp=pp_messages,
        pp_prompt=(),
        dp=dp_messages,
        groups=min(layout.tp, hardware.gpus_per_node),
        overlap=overlap,
        hidden_s=overlap * base,
        assumed=assumed,
    )


def _training_rows(scenario: Scenario, layout: Layout, training: Training) -> tuple[FabricRow, ...]:
    board = _board(scenario, False)
    t = training_terms(scenario, layout, training)
    base, overlap, hidden = t.base_s, t.overlap, t.hidden_s

    def exposed(beside: list[float]) -> list[float]:
        return [max(value * (1.0 - overlap), value - hidden) for value in beside]

    path = board.total([message for message in t.messages if message.span != "dp"])
    beside = board.total([message for message in t.messages if message.span == "dp"])
    seconds = [p + b for p, b in zip(path, beside, strict=True)]
    waits = [p + b for p, b in zip(path, exposed(beside), strict=True)]
    main = _relative(base, waits)
    tp_relative = _relative(base, board.total(t.tp))
    pp_relative = _relative(base, board.total(t.pp, groups=t.groups))
    dp_relative = _relative(base, exposed(board.total(t.dp, groups=t.groups)))
    shares = [value / (base + value) for value in waits]
    nothing = [0.0] * len(seconds)
    return _rows(board, scenario, seconds, nothing, shares, main, tp_relative, pp_relative, dp_relative, t.assumed)


def price_table(scenario: Scenario, message: Message, groups: int = 1) -> dict[str, float]:
    """Seconds of one collective of the message over each link of the table, by link id in row order."""
    board = _board(scenario, scenario.workload.is_inference)
    return {fixed.link.id: value for fixed, value in zip(board.links, board.column(message, groups), strict=True)}


def _rows(
    board: _Board,
    scenario: Scenario,
    seconds: list[float],
    prefill: list[float],
    shares: list[float],
    main: list[float],
    tp: list[float],
    pp: list[float],
    dp: list[float] | None,
    assumed: str,
) -> tuple[FabricRow, ...]:
    hardware = scenario.hardware
    intra = hardware.intra_link.id if hardware.gpus_per_node > 1 else ""
    inter = hardware.inter_link.id if hardware.nodes > 1 else ""
    rows = []
    for i, fixed in enumerate(board.links):
        link = fixed.link
        name = link.id
        inside = fixed.inside
        across_dp = 1.0 if dp is None else dp[i]
        rows.append(
            FabricRow(
                name,
                link.name,
                "intra-node" if inside else "inter-node",
                link.peak_gb_s_unidir,
                fixed.bandwidth_note,
                fixed.latency_us,
                seconds[i],
                prefill[i],
                shares[i],
                main[i],
                fabric_word(main[i], inside),
                fixed.kind,
                "intra" if name == intra else "inter" if name == inter else "",
                pp[i],
                across_dp,
                tp[i],
                fabric_word(tp[i], inside),
                fabric_word(pp[i], inside),
                fabric_word(across_dp, inside),
                assumed,
            )
        )
    return tuple(rows)


def headline_links(rows: Sequence[FabricRow]) -> tuple[FabricRow, ...]:
    """The rows that a small screen shows, in their order: one link of each kind, and whatever is in use."""
    return tuple(row for row in rows if row.in_use or row.link in HEADLINE_LINKS)


@dataclass(frozen=True, slots=True)
class Drop:
    """What leaving the box costs this workload: the build's in-node link against a link between nodes."""

    in_box: FabricRow
    between: FabricRow
    bandwidth_ratio: float
    seconds_ratio: float
    speed_ratio: float


def fabric_drop(rows: Sequence[FabricRow], intra: str, inter: str) -> Drop | None:
    """The drop from the link `intra` to the link `inter`; None when either is not in the table."""
    by_id = {row.link: row for row in rows}
    inside, outside = by_id.get(intra), by_id.get(inter)
    if inside is None or outside is None:
        return None
    return Drop(
        in_box=inside,
        between=outside,
        bandwidth_ratio=inside.bandwidth_gb_s / outside.bandwidth_gb_s,
        seconds_ratio=outside.seconds / inside.seconds if inside.seconds else math.inf,
        speed_ratio=inside.relative_speed / outside.relative_speed,
    )
