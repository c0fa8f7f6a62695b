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
from dataclasses import replace

from engine.decide.fabric_terms import (
    ServingTerms,
    only_tp,
    serving_terms,
    serving_waits,
    training_terms,
    training_waits,
)
from engine.figures.number import plain
from engine.figures.records import NamedTuple, dataclass
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
    made = columns(scenario, layout, serving, training, memory)
    return () if made is None else table_of(scenario, made)


class Columns(NamedTuple):
    """What each link costs, by link in the order of the board's rows.

    seconds, prefill, waited: as `Waits`. tp, pp, dp: what is waited with only that dimension across the link; no dp where
    replicas share no traffic. base_s: a token or a step without its links; base_pp_s: around a border between stages.
    """

    board: Board
    assumed: str
    base_s: float
    base_pp_s: float
    seconds: list[float]
    prefill: list[float]
    waited: list[float]
    tp: list[float]
    pp: list[float]
    dp: list[float] | None

    @property
    def fastest(self) -> frozenset[str]:
        """The links that are waited for the least, whatever crosses them."""
        waits = (self.waited, self.tp, self.pp, *(() if self.dp is None else (self.dp,)))
        return frozenset(self.board.links[found.index(min(found))].link.id for found in waits)


def columns(
    scenario: Scenario, layout: Layout, serving: Serving | None, training: Training | None, memory: Memory | None = None
) -> Columns | None:
    """What the table is made from; arguments as of `fabric_table`, None where it has no row."""
    if scenario.hardware.gpus <= 1:
        return None
    if serving is not None:
        return _of_serving(scenario, layout, serving)
    if training is not None:
        return _of_training(scenario, layout, "" if memory is None or memory.fits else DOES_NOT_FIT)
    if memory is None or not scenario.workload.is_inference:
        return None
    return _of_serving(scenario, layout, supposed_serving(scenario, layout, memory), DOES_NOT_START)


def _of_serving(scenario: Scenario, layout: Layout, serving: Serving, short: str = "") -> Columns:
    """short: what to say of a build that lacks the memory."""
    board = board_of(scenario)
    t = serving_terms(scenario, layout, serving)
    seconds, prefill, waited = serving_waits(board, t)
    tp = waited if only_tp(scenario, t) else _across(board, t, t.across_scale, t.tp, t.tp_prompt, 1)
    pp = _across(board, t, 1.0, t.pp, t.pp_prompt, t.groups)
    # replicas share no traffic: a router sends them text
    assumed = _both(short, t.assumed)
    return Columns(board, assumed, t.base_s, t.base_pp_s, seconds, prefill, waited, tp, pp, None)


def _across(
    board: Board,
    t: ServingTerms,
    scale: float,
    token: tuple[Message, ...],
    prompt: tuple[Message, ...],
    groups: int,
) -> list[float]:
    sent, read = board.total(token, groups), board.total(prompt, groups)
    return [scale * one + t.across_prompts * t.passes * two for one, two in zip(sent, read, strict=True)]


def _both(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def _of_training(scenario: Scenario, layout: Layout, short: str = "") -> Columns:
    board = board_of(scenario)
    t = training_terms(scenario, layout)
    seconds, prefill, waits = training_waits(board, t)
    waited, none = t.step.exposed(*t.hidden), [0.0] * len(seconds)
    tp, pp, dp = board.total(t.tp), board.total(t.pp, groups=t.groups), board.total(t.dp, groups=t.groups)
    return Columns(
        board,
        _both(short, t.assumed),
        t.base_s,
        t.base_s,
        seconds,
        prefill,
        waits,
        tp=list(map(waited, tp, none, none, none)),
        pp=list(map(waited, none, none, pp, none)),
        dp=list(map(waited, none, none, none, dp)),
    )


def _relative(base: float, waits: Sequence[float]) -> list[float]:
    # the fastest link of the table is one that was found, not the least of fifty
    best = base + min(waits, key=plain)
    if best <= 0.0:
        return [1.0] * len(waits)
    return [best / (base + wait) for wait in waits]


def table_of(scenario: Scenario, made: Columns) -> tuple[FabricRow, ...]:
    """The rows of the table from what each link costs."""
    hardware, base = scenario.hardware, made.base_s
    intra = hardware.intra_link.id if hardware.gpus_per_node > 1 else ""
    inter = hardware.inter_link.id if hardware.nodes > 1 else ""
    main = _relative(base, made.waited)
    tp = main if made.tp is made.waited else _relative(base, made.tp)
    pp = _relative(made.base_pp_s, made.pp)
    dp = [1.0] * len(main) if made.dp is None else _relative(base, made.dp)
    rows = []
    for i, fixed in enumerate(made.board.links):
        link = fixed.link
        name = link.id
        inside = fixed.inside
        rows.append(
            FabricRow(
                name,
                link.name,
                "intra-node" if inside else "inter-node",
                link.peak_gb_s_unidir,
                fixed.bandwidth_note,
                fixed.latency_us,
                fixed.startup_us,
                made.seconds[i],
                made.prefill[i],
                made.waited[i] / (base + made.waited[i]),
                main[i],
                fabric_word(main[i], inside),
                fixed.kind,
                "intra" if name == intra else "inter" if name == inter else "",
                pp[i],
                dp[i],
                tp[i],
                fabric_word(tp[i], inside),
                fabric_word(pp[i], inside),
                fabric_word(dp[i], inside),
                made.assumed,
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
