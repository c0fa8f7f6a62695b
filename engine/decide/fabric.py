"""The fabric cliff: one workload's messages priced over every link of the catalog.

The main figures of a row are those of the layout in use with that link in its place: inside the nodes, or between
them, the rest of the build as it is. The row of a link in use is then the build itself. Where there is no such place,
a link between nodes joins two halves of every group, and a link inside a node all of it. Beside it, the same work with
only a tensor-parallel group, only a border between two pipeline stages, or only data-parallel replicas across the
link, and the rest of the layout left in the box.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.decide.fabric_terms import (
    ServingTerms,
    only_tp,
    serving_terms,
    serving_waits,
    training_terms,
    training_waits,
)
from engine.links.link_prices import Board, board_of
from engine.links.traffic import Message
from engine.scenario import Layout, Scenario
from engine.serving.speed import serving_speed
from engine.sizing import FINE_FROM, FabricRow, FabricWord, Memory, Serving, Training

OPTIMAL_FROM = FINE_FROM
"""A link that costs at most 15 %: what the articles accept for data-parallel training over PCIe (seed claim
`speedup`, overscale: 10 to 15 %), and about the error of the estimate itself."""
VIABLE_FROM = 0.60
"""The articles' efficiency floor (seed claim `efficiency_floor`): below it another shape of build is better."""
PAINFUL_FROM = 0.25
"""Below a quarter, four GPUs do the work of one: one GPU with offload, or replicas, would be faster."""

ARTICLE_LINKS = ("pcie5-switch", "pcie5-root", "ib-ndr", "ib-hdr", "roce-100", "eth-25-tcp")
"""The six paths of the articles' table (seed claims `path`, kentino)."""


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


def _relative(base: float, waits: Sequence[float]) -> list[float]:
    best = base + min(waits)
    if best <= 0.0:
        return [1.0] * len(waits)
    return [best / (base + wait) for wait in waits]


DOES_NOT_START = "this build does not start: priced as if its cards held the load"
DOES_NOT_FIT = "this build does not fit: priced as if its cards had the memory"


def supposed_serving(scenario: Scenario, layout: Layout, memory: Memory) -> Serving:
    """The speed that an engine which does not start would have if its cards held the load asked.

    What a link costs depends on the messages and the step around them, not on whether the weights find room.
    """
    users = max(1, scenario.workload.concurrency)
    return serving_speed(scenario, layout, replace(memory, max_concurrency=float(users), users_that_fit=users))


def fabric_table(
    scenario: Scenario,
    layout: Layout,
    serving: Serving | None,
    training: Training | None,
    memory: Memory | None = None,
) -> tuple[FabricRow, ...]:
    """One row a link, widest first by its one-way bandwidth; no row for a build of one GPU.

    seconds: in collectives per generated token, or per optimizer step whether they hide behind compute or not: for a
    link in use `communication_s` of the speed. prefill_seconds: per prompt of the asked length. share counts what a
    user or a step waits for: both, as users mix them, since the prompts of the others pass between one's own tokens;
    in training what does not hide. relative_speed: of the layout in use with that link in its place, against the best
    link of the table. A layout that sends nothing is priced as parallelism over the node instead, and each row says so
    in `assumed`. memory: of the layout; with it a build that does not start, or a run that does not fit, is priced too,
    as if it did, and says so in `assumed`.
    """
    if scenario.hardware.gpus <= 1:
        return ()
    if serving is not None:
        return _serving_rows(scenario, layout, serving)
    if training is not None:
        return _training_rows(scenario, layout, "" if memory is None or memory.fits else DOES_NOT_FIT)
    if memory is None or not scenario.workload.is_inference:
        return ()
    return _serving_rows(scenario, layout, supposed_serving(scenario, layout, memory), DOES_NOT_START)


def _serving_rows(scenario: Scenario, layout: Layout, serving: Serving, short: str = "") -> tuple[FabricRow, ...]:
    """short: what to say of a build that lacks the memory."""
    board = board_of(scenario)
    t = serving_terms(scenario, layout, serving)
    seconds, prefill, waits = serving_waits(board, t)
    main = _relative(t.base_s, waits)
    tp_relative = main
    if not only_tp(scenario, t):
        tp_relative = _across(board, t, t.base_s, t.across_scale, t.tp, t.tp_prompt, 1)
    pp_relative = _across(board, t, t.base_pp_s, 1.0, t.pp, t.pp_prompt, t.groups)
    shares = [value / (t.base_s + value) for value in waits]
    # replicas share no traffic: a router sends them text
    return _rows(
        board, scenario, seconds, prefill, shares, main, tp_relative, pp_relative, None, _both(short, t.assumed)
    )


def _across(
    board: Board,
    t: ServingTerms,
    base: float,
    scale: float,
    token: tuple[Message, ...],
    prompt: tuple[Message, ...],
    groups: int,
) -> list[float]:
    sent, read = board.total(token, groups), board.total(prompt, groups)
    return _relative(
        base, [scale * one + t.across_prompts * t.passes * two for one, two in zip(sent, read, strict=True)]
    )


def _both(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def _training_rows(scenario: Scenario, layout: Layout, short: str = "") -> tuple[FabricRow, ...]:
    board = board_of(scenario)
    t = training_terms(scenario, layout)
    seconds, prefill, waits = training_waits(board, t)
    base = t.base_s
    waited, none = t.step.exposed(*t.hidden), [0.0] * len(seconds)
    tp, pp, dp = board.total(t.tp), board.total(t.pp, groups=t.groups), board.total(t.dp, groups=t.groups)
    tp_relative = _relative(base, list(map(waited, tp, none, none, none)))
    pp_relative = _relative(base, list(map(waited, none, none, pp, none)))
    dp_relative = _relative(base, list(map(waited, none, none, none, dp)))
    shares = [value / (base + value) for value in waits]
    main = _relative(base, waits)
    assumed = _both(short, t.assumed)
    return _rows(board, scenario, seconds, prefill, shares, main, tp_relative, pp_relative, dp_relative, assumed)


def _rows(
    board: Board,
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
                fixed.startup_us,
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


def article_links(rows: Sequence[FabricRow]) -> tuple[FabricRow, ...]:
    """The rows of this hardware's links and of the articles' six, in their order."""
    return tuple(row for row in rows if row.in_use or row.link in ARTICLE_LINKS)


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
