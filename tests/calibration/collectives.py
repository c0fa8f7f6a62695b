"""Fit the constants of engine.links.collectives to tests/reference/collectives.jsonl and to the catalog's link facts.

    python -m tests.calibration collectives                       # the fit
    python -m tests.calibration collectives --left-out --write    # its errors with each source left out, and rewrite

Per class of link: latency base and hop, the extra start-up of the middle and the bandwidth-bound protocol, and the
three bandwidths as shares of the peak. A class starts from PRIOR and is pulled back to it (one e-fold off costs as
much as six rows an e-fold off), so that classes with few rows stay near physics; weaker and stronger pulls do worse on
sources left out. Loss: the sum of absolute log errors, where a table of n rows has the square root of n votes; search: one constant at a time, steps from 50 % down to 1 %. Standard library and the repository only.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import catalog
from engine.calibration import collectives as fit
from engine.links import collectives as model
from engine.links import evidence
from tests.accuracy import collectives as rows_of
from tests.accuracy.harness import REFERENCE, spread

ROWS = REFERENCE / "collectives.jsonl"
TARGET = Path(fit.__file__)

NAMES = ("base_us", "hop_us", "mid_us", "bulk_us", "bulk_hop_us", "low", "mid", "wire")
# Where each class starts. Latencies: base and hop of NCCL's LL ring and tree in its own cost model
# (NVIDIA/nccl src/graph/tuning.cc: base 3.6 to 8.4 us; a step 0.5 us on NVLink, 1 us on PCIe, 2.7 to 5 us on the
# network), raised to what small messages measure; through host memory 2x RTX 4090 without peer access take 8.4 us
# (tinygrad/open-gpu-kernel-modules issue 45). LL carries 4 data bytes in 8 and reaches a quarter to a half of the
# wire; LL128 loses 8 bytes in 128 but starts slower. Wire: ring efficiency 0.76 to 0.82 of the one-way peak
# (stas00/ml-engineering network tables), network cards 0.94 InfiniBand, 0.75 to 0.95 tuned and 0.4 to 0.6 untuned
# RoCE.
PRIOR: dict[str, tuple[float, ...]] = {
    "nvlink-3": (5.0, 1.0, 5.0, 25.0, 1.0, 0.30, 0.60, 0.79),
    "nvlink-4": (5.0, 1.0, 5.0, 25.0, 1.0, 0.30, 0.60, 0.79),
    "nvlink-5": (5.0, 1.5, 5.0, 25.0, 1.0, 0.30, 0.60, 0.79),
    "nvlink-bridge": (5.0, 0.8, 5.0, 15.0, 1.0, 0.30, 0.60, 0.60),
    "xgmi": (5.0, 0.8, 6.0, 25.0, 1.0, 0.30, 0.60, 0.72),
    "scale-up": (8.0, 1.5, 6.0, 25.0, 1.0, 0.30, 0.60, 0.75),
    "pcie-switch": (3.5, 1.5, 3.0, 12.0, 1.0, 0.40, 0.60, 0.74),
    "pcie-root": (3.5, 1.5, 3.0, 12.0, 1.0, 0.50, 0.70, 0.61),
    "pcie-cross": (3.5, 1.5, 3.0, 12.0, 1.0, 0.50, 0.70, 0.62),
    "pcie-host": (3.5, 2.5, 8.0, 30.0, 2.0, 0.35, 0.60, 1.10),
    "infiniband": (8.0, 4.0, 15.0, 40.0, 10.0, 0.35, 0.60, 0.95),
    "roce": (12.0, 5.0, 15.0, 40.0, 10.0, 0.35, 0.60, 0.80),
    "roce-untuned": (12.0, 5.0, 15.0, 40.0, 10.0, 0.35, 0.60, 0.45),
    "efa": (30.0, 12.0, 20.0, 60.0, 20.0, 0.35, 0.60, 0.90),
    "tcp": (15.0, 20.0, 30.0, 60.0, 20.0, 0.50, 0.70, 0.92),
    "tcpx": (45.0, 15.0, 25.0, 50.0, 15.0, 0.35, 0.60, 0.90),
    "fabric": (12.0, 8.0, 20.0, 40.0, 10.0, 0.35, 0.60, 0.90),
}
SWITCH = {"switch": 1.25, "switch_low": 1.6}
# What is left of the two-GPU ring rate with 4 and 8 GPUs across sockets at NCCL's own number of channels, and through
# host memory: 28 of 35 GB/s from 4 to 8 RTX 5090 (NVIDIA/nccl issue 1639).
RING_SHARE = {
    "pcie-cross": {"at_4": 0.30, "at_8": 0.10},
    "pcie-host": {"at_4": 1.00, "at_8": 0.82},
}
# send_fill: how much of the protocols' start-up a point-to-point copy pays. socket_gb_s: what one node's kernel sockets
# carry at most (NVIDIA/nccl issue 450: 4 to 6 GB/s on 100 GbE). two_shot: latency of two shots over one. root_gb_s:
# what a CPU's root complex forwards of a ring of four GPUs and more at NCCL's own number of channels: 22 to 26 GB/s on
# Gen5 slots, where two GPUs get 38. driver_gain: widest protocol of a driver patched for peer access over staging.
SHARED = {"send_fill": 0.2, "socket_gb_s": 5.0, "two_shot": 1.8, "root_gb_s": 23.5, "driver_gain": 1.4}
# cap_gb_s: what the kernel's thread blocks move at most; vLLM's two-GPU all-reduce of 8 MiB takes 51 us on B200 and
# 90 us (25 us at 4 MiB) on A100, far from the links' difference.
KERNELS: dict[str, dict[str, float]] = {
    "vllm": {"base_us": 3.7, "hop_us": 0.4, "wire": 0.6, "cap_gb_s": 220.0, "call_us": 1.5},
    "trtllm": {"base_us": 2.8, "hop_us": 0.3, "wire": 0.5, "cap_gb_s": 500.0, "call_us": 1.5},
    "mscclpp": {"base_us": 2.8, "hop_us": 0.3, "wire": 0.6, "cap_gb_s": 500.0, "call_us": 1.5},
    "one-shot": {"base_us": 5.0, "hop_us": 0.4, "wire": 0.5, "cap_gb_s": 220.0, "call_us": 1.5},
    "vllm-pcie": {"base_us": 4.0, "hop_us": 0.4, "wire": 0.5, "cap_gb_s": 220.0, "call_us": 1.5},
    "trtllm-pcie": {"base_us": 4.0, "hop_us": 0.4, "wire": 0.5, "cap_gb_s": 220.0, "call_us": 1.5},
}
KERNEL_CLASS = {"nvlink-3": 1.0, "nvlink-4": 1.0, "nvlink-5": 1.5}
# Generations of one family whose latency was measured apart: EFA on p4d, and on p6.
LATENCY_SCALE = {"efa-v1": 2.0, "efa-v4": 2.0}
PULL = 6.0
VOTE = 0.5
PULL_OF_KERNELS = 0.5  # the constants of serving speed rest on them: what engines are seen to take decides

HEADER = '''\
"""Constants of `engine.links.collectives`. Written by `python -m tests.calibration collectives`; not by hand.

Fitted to tests/reference/collectives.jsonl and the measured figures of catalog/data/links.toml.
CLASSES, per class of link: base_us and hop_us, latency of the low-latency protocol and of each of its steps;
mid_us, bulk_us and bulk_hop_us, what the other two protocols take longer to start; wire, ring bandwidth as share
of the one-way peak; low and mid, the bandwidths of the first two protocols as share of wire; switch and
switch_low, how much in-switch reduction gains. RING_SHARE: what is left of the two-GPU rate on a shared PCIe
tree. KERNELS: an engine's own all-reduce; call_us is what it adds to NCCL where it falls back to it.
KERNEL_CLASS: their latency against NVLink 4. LATENCY_SCALE: latency of a generation against its family.
SHARED: see the script. INTERVALS: observed over predicted time by place and size, tenth and ninetieth percent of rows
whose source the fit had not seen, votes as in the fit; INTERVAL: of all places. NEW_INTERVALS: the same where the fit had
seen nothing of the kind (class of link and generation of cards), one vote a kind. MEASURED_LINKS: links that a row
or fact was measured on; MEASURED_KINDS: kinds; FITTED_CLASSES: classes whose bandwidth a row moved. ASSUMED: constants that no row moved from
where they start.
"""'''

TABLES = ("CLASSES", "RING_SHARE", "KERNELS", "KERNEL_CLASS", "LATENCY_SCALE", "SHARED")

Position = tuple[dict[str, Any], str]


@dataclass(frozen=True, slots=True)
class Point:
    """One observation: a call, its time, who measured it and on which link."""

    call: rows_of.Call
    observed_us: float
    repository: str
    source: str
    link: str
    is_row: bool

    @property
    def table(self) -> str:
        """What one source measured on one link: one vote."""
        return f"{self.source} {self.link}"

    @property
    def place(self) -> str:
        """Where and how large: the key of its interval."""
        return evidence.interval_key(self.call.payload_bytes, self.call.intra, self.call.inter, self.call.kernel)

    @property
    def kind(self) -> str:
        """Class of link and generation of cards: what is new together."""
        return evidence.kind_of(self.call.intra, self.call.inter, self.call.peer_access, self.call.generation)

    @property
    def series(self) -> str:
        """Rows of one run: link, operation, GPUs, kernel and source."""
        return f"{self.link} {self.call.op} {self.call.ranks} {self.call.kernel} {self.source[-20:]}"

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes whose constants the prediction reads; the network's last."""
        inside = model.class_in_use(self.call.intra, self.call.peer_access)
        if inside == "pcie-driver":
            inside = "pcie-host"
        if self.call.inter is None:
            return (inside,)
        return (inside, model.link_class(self.call.inter))

    def error(self) -> float:
        """Log of predicted over observed."""
        return math.log(self.call.seconds() * 1e6 / self.observed_us)


GENERATIONS = {
    "nvlink-3": "Ampere",
    "nvlink-4": "Hopper",
    "nvlink-5": "Blackwell",
    "xgmi-mi300x": "CDNA3",
}
"""Of the cards that the catalog's link facts were measured on."""


def read_points() -> list[Point]:
    """The reference rows as points, then what the catalog's links say of themselves; rows of unknown links are not."""
    points = []
    for line in ROWS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        repository = str(row["source"].get("repo"))
        try:
            call = rows_of.call_of(row)
        except rows_of.UnknownLink:
            continue
        points.append(Point(call, row["time_us"], repository, rows_of.source_of(row), row["interconnect"], True))
    return points + list(link_facts())


def link_facts() -> Iterator[Point]:
    """Measured all-reduces that the link catalog quotes and the rows do not hold."""
    facts = catalog.load()

    def point(link_id: str, payload: float, microseconds: float, gpus: int, nodes: int, blocking: bool) -> Point:
        link = facts.link(link_id)
        inside = (
            link if nodes == 1 else facts.link({"efa-v1": "nvlink-3", "efa-v2": "nvlink-4"}.get(link_id, "nvlink-5"))
        )
        call = rows_of.Call(
            "all_reduce",
            payload,
            gpus,
            gpus // nodes,
            inside,
            None if nodes == 1 else link,
            "nccl",
            True,
            None,
            rows_of.HOST_TIMED_S if blocking else 0.0,
            generation=GENERATIONS[inside.id],
        )
        return Point(call, microseconds, link.source.split(" ")[0], f"catalog {link_id}", link_id, False)

    def by_busbw(link_id: str, payload: float, busbw: float, gpus: int, nodes: int, blocking: bool) -> Point:
        microseconds = payload * 2 * (gpus - 1) / gpus / busbw / 1e3
        return point(link_id, payload, microseconds, gpus, nodes, blocking)

    for payload, busbw in facts.link("nvlink-4").allreduce_busbw_by_bytes:
        yield by_busbw("nvlink-4", payload, busbw, 8, 1, True)
    for payload, busbw in facts.link("efa-v4-b200").allreduce_busbw_by_bytes:
        if payload >= 2**18:  # the three smallest are one warm-up, milliseconds long
            yield by_busbw("efa-v4-b200", payload, busbw, 32, 4, True)
    yield by_busbw("nvlink-3", 2**34, 234.9, 8, 1, False)
    yield point("nvlink-3", 2**15, 43.8, 8, 1, True)
    yield by_busbw("xgmi-mi300x", 2**32, 312.9, 8, 1, False)
    yield by_busbw("xgmi-mi300x", 2**32, 47.7, 2, 1, False)
    yield point("efa-v1", 2**12, 170.0, 16, 2, False)
    yield by_busbw("efa-v1", 2**31, 78.3, 16, 2, False)
    yield point("efa-v2", 2**11, 70.0, 16, 2, False)
    yield point("efa-v2", 2**20, 123.0, 16, 2, False)
    yield by_busbw("efa-v2", 2**34, 487.1, 16, 2, False)


def reset() -> None:
    """Set every constant to where it starts."""
    fit.CLASSES.clear()
    for name, values in PRIOR.items():
        fit.CLASSES[name] = dict(zip(NAMES, values, strict=True))
        if name in ("nvlink-4", "nvlink-5"):
            fit.CLASSES[name].update(SWITCH)
    for table, start in (
        (fit.RING_SHARE, RING_SHARE),
        (fit.KERNELS, KERNELS),
    ):
        table.clear()
        table.update({name: dict(values) for name, values in start.items()})
    fit.KERNEL_CLASS.clear()
    fit.KERNEL_CLASS.update(KERNEL_CLASS)
    fit.LATENCY_SCALE.clear()
    fit.LATENCY_SCALE.update(LATENCY_SCALE)
    fit.SHARED.clear()
    fit.SHARED.update(SHARED)


def errors(points: Iterable[Point]) -> list[float]:
    """Log errors with the constants as they stand."""
    model.forget()
    return [point.error() for point in points]


_SEARCHED: dict[tuple[object, ...], tuple[Sequence[Point], tuple[float, ...]]] = {}
"""The constants that each search ended with; its points are kept, so that their identities stay taken."""


def _stands_on(points: Sequence[Point]) -> tuple[object, ...]:
    """Every constant that prices some points, as it stands: two searches of the same points from there end alike."""
    classes = {name for point in points for name in point.classes}
    kernels = any(not point.call.kernel.startswith("nccl") for point in points)
    return (
        *((name, key, value) for name in sorted(classes) for key, value in fit.CLASSES[name].items()),
        *((name, key, value) for name in sorted(classes) for key, value in fit.RING_SHARE.get(name, {}).items()),
        *fit.LATENCY_SCALE.items(),
        *fit.SHARED.items(),
        *((name, key, value) for name, part in fit.KERNELS.items() if kernels for key, value in part.items()),
        *((name, value) for name, value in fit.KERNEL_CLASS.items() if kernels),
    )


def search(points: Sequence[Point], positions: Sequence[Position], pulled: float = PULL) -> None:
    """Lower the loss of `points` by moving the constants at `positions`, one at a time.

    A search that was made before from the same constants on the same points is not made again: of a fit without one source,
    only the classes of that source's rows and what stands on them are new.
    """
    if not points:
        return
    key = (tuple(map(id, points)), tuple(name for _, name in positions), pulled, _stands_on(points))
    if key not in _SEARCHED:
        _search(points, positions, pulled)
        _SEARCHED[key] = points, tuple(table[name] for table, name in positions)
    for (table, name), value in zip(positions, _SEARCHED[key][1], strict=True):
        table[name] = value


def _search(points: Sequence[Point], positions: Sequence[Position], pulled: float) -> None:
    start = {id(table) + hash(key): table[key] for table, key in positions}
    sizes = Counter(point.table for point in points)
    weights: list[float] = [sizes[point.table] ** -VOTE for point in points]
    scale = len(points) / sum(weights)

    def loss() -> float:
        pull = sum(math.log(table[key] / start[id(table) + hash(key)]) ** 2 for table, key in positions)
        return scale * sum(w * abs(e) for w, e in zip(weights, errors(points), strict=True)) + pulled * pull

    best = loss()
    for step in (1.5, 1.2, 1.1, 1.04, 1.01):
        for _ in range(6):
            before = best
            for table, key in positions:
                for factor in (step, 1.0 / step):
                    kept = table[key]
                    table[key] = kept * factor
                    tried = loss()
                    if tried < best - 1e-9:
                        best = tried
                        break
                    table[key] = kept
            if before - best < 0.02:
                break


def refit(points: Sequence[Point]) -> None:
    """Fit all constants to the points: in-box classes, then engine kernels, then networks."""
    reset()
    inside = [p for p in points if p.call.inter is None and p.call.kernel.startswith("nccl")]
    for name in PRIOR:
        own = [p for p in inside if p.classes[-1] == name]
        positions: list[Position] = [(fit.CLASSES[name], key) for key in fit.CLASSES[name]]
        positions += [(fit.RING_SHARE[name], key) for key in fit.RING_SHARE.get(name, ())]
        shared = {"nvlink-4": "send_fill", "pcie-root": "root_gb_s", "pcie-host": "driver_gain"}.get(name)
        if shared:
            positions.append((fit.SHARED, shared))
        # vLLM leaves larger PCIe groups to NCCL: those rows say what NCCL takes there
        if name == "pcie-cross":
            own += [p for p in points if p.classes == (name,) and p.call.kernel == "vllm" and p.call.ranks > 2]
        search(own, positions)
    kernels = [p for p in points if p.call.inter is None and not p.call.kernel.startswith("nccl")]
    positions = [(values, key) for values in fit.KERNELS.values() for key in values]
    positions += [(fit.KERNEL_CLASS, key) for key in fit.KERNEL_CLASS if key != "nvlink-4"]
    search(kernels, [*positions, (fit.SHARED, "two_shot")], PULL_OF_KERNELS)
    for name in PRIOR:
        own = [p for p in points if p.call.inter is not None and p.classes[-1] == name]
        positions = [(fit.CLASSES[name], key) for key in fit.CLASSES[name]]
        positions += [(fit.LATENCY_SCALE, key) for key in fit.LATENCY_SCALE if key.startswith(name)]
        search(own, positions)


def line(name: str, found: Sequence[float]) -> str:
    """One row of a table: count, median, p90 and bias of some log errors, in percent."""
    median, p90 = spread(math.exp(e) - 1.0 for e in found)
    bias = math.exp(statistics.median(found)) - 1.0
    return f"{name[:60]:<60}{len(found):>5}{100 * median:>8.1f}{100 * p90:>8.1f}{100 * bias:>+8.1f}"


def leave_out(points: Sequence[Point], group: Callable[[Point], str]) -> dict[str, list[float]]:
    """Errors of each group's rows when the fit has not seen the group (the quoted link facts included)."""
    left: dict[str, list[float]] = {}
    for name in dict.fromkeys(group(p) for p in points if p.is_row):
        rows = [p for p in points if p.is_row and group(p) == name]
        refit([p for p in points if group(p) != name])
        left[name] = errors(rows)
    return left


def report(title: str, left: dict[str, list[float]]) -> None:
    """Print one leave-one-out table."""
    print(f"\n{title:<60}{'n':>5}{'median':>8}{'p90':>8}{'bias':>8}")
    for name, found in sorted(left.items()):
        print(line(f"  {name}", found))
    print(line("all", [e for found in left.values() for e in found]))


Group = Callable[[Point], str]


@dataclass(frozen=True, slots=True)
class Unseen:
    """A row that the fit had not seen: where and how large, what was left out with it, and observed over predicted."""

    place: str
    group: str
    ratio: float
    table: str


def unseen(points: Sequence[Point], left: dict[str, list[float]], group: Group) -> list[Unseen]:
    """The rows of what was left out, a group at a time."""
    rest = {name: iter(errors) for name, errors in left.items()}
    return [Unseen(p.place, group(p), math.exp(-next(rest[group(p)])), p.table) for p in points if p.is_row]


def places(points: Sequence[Point], left: dict[str, list[float]]) -> dict[str, list[tuple[float, float]]]:
    """By place and size, and "" for all: (observed over predicted, vote) of rows whose source was left out."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    rows = unseen(points, left, lambda p: p.source)
    sizes = Counter((one.table, one.place) for one in rows)
    for one in rows:
        vote = sizes[one.table, one.place] ** -VOTE
        found[one.place].append((one.ratio, vote))
        found[""].append((one.ratio, vote))
    return found


def new_intervals(rows: Sequence[Unseen], known: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """The interval of each place and size where a kind is new, and of "all": one vote a kind, never narrower than `known`."""
    found = {}
    for place in ["all", *sorted({one.place for one in rows})]:
        here = [one for one in rows if place in ("all", one.place)]
        sizes = Counter(one.group for one in here)
        if len(sizes) >= 3:
            low, high = between([(one.ratio, 1.0 / sizes[one.group]) for one in here])
            least, most = known.get(place, known[""])
            found[place] = min(low, least), max(high, most)
    return found


def inside_of_new(rows: Sequence[Unseen], known: dict[str, tuple[float, float]]) -> dict[str, tuple[int, float]]:
    """By kind: rows, and the share inside an interval that was cut without them."""
    found = {}
    for kind in sorted({one.group for one in rows}):
        spans = new_intervals([one for one in rows if one.group != kind], known)
        held = [one for one in rows if one.group == kind]
        inside = 0
        for one in held:
            low, high = spans.get(one.place, spans["all"])
            inside += low <= one.ratio <= high
        found[kind] = len(held), inside / len(held)
    return found


def between(found: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The tenth and ninetieth percent of some ratios by their votes."""
    ordered = sorted(found)
    total = sum(vote for _, vote in ordered)

    def at(share: float) -> float:
        seen = 0.0
        for ratio, vote in ordered:
            seen += vote
            if seen >= share * total:
                return ratio
        return ordered[-1][0]

    return at(0.1), at(0.9)


def intervals(points: Sequence[Point], left: dict[str, list[float]]) -> dict[str, tuple[float, float]]:
    """The interval of each place and size with three tables or more, and of all ("")."""
    tables: dict[str, set[str]] = defaultdict(set)
    for p in points:
        if p.is_row:
            tables[p.place].add(p.table)
            tables[""].add(p.table)
    found = places(points, left)
    return {name: between(found[name]) for name in sorted(found) if len(tables[name]) >= 3}


def assumed() -> list[str]:
    """Constants that stand where they start, by the names that workings give them."""
    now = {name: dict(values) for name, values in fit.CLASSES.items()}
    kernels = {name: dict(values) for name, values in fit.KERNELS.items()}
    shared = dict(fit.SHARED)
    scales = dict(fit.LATENCY_SCALE)
    reset()
    pairs = [(f"CLASSES.{a}.{b}", value, fit.CLASSES[a][b]) for a, row in now.items() for b, value in row.items()]
    pairs += [(f"KERNELS.{a}.{b}", value, fit.KERNELS[a][b]) for a, row in kernels.items() for b, value in row.items()]
    pairs += [(f"SHARED.{a}", value, fit.SHARED[a]) for a, value in shared.items()]
    pairs += [(f"LATENCY_SCALE.{a}", value, fit.LATENCY_SCALE[a]) for a, value in scales.items()]
    # as they are written: a search that went there and back leaves the last digits of a double
    return [name for name, value, start in pairs if _short(value) == _short(start)]


def rendered(
    points: Sequence[Point], spans: dict[str, tuple[float, float]], new: dict[str, tuple[float, float]]
) -> str:
    """The calibration module as text."""
    facts = catalog.load()
    known = {link.id for link in facts.facts.links}
    measured = sorted({p.call.intra.id for p in points if p.call.inter is None} & known)
    measured = sorted({*measured, *({p.call.inter.id for p in points if p.call.inter is not None} & known)})
    kept = {name: copy.deepcopy(getattr(fit, name)) for name in TABLES}
    same = assumed()
    for name, values in kept.items():
        getattr(fit, name).clear()
        getattr(fit, name).update(values)
    fitted = sorted({p.classes[-1] for p in points} - {n.split(".")[1] for n in same if n.endswith(".wire")})

    def table(values: dict[str, dict[str, float]]) -> list[str]:
        lines = []
        for name, entries in values.items():
            lines.append(f'    "{name}": {{')
            lines += [f'        "{key}": {_short(value)},' for key, value in entries.items()]
            lines.append("    },")
        return lines

    def flat(values: dict[str, float]) -> list[str]:
        return [f'    "{key}": {_short(value)},' for key, value in values.items()]

    return "\n".join(
        [
            *HEADER.splitlines(),
            "",
            "from __future__ import annotations",
            "",
            "CLASSES: dict[str, dict[str, float]] = {",
            *table(fit.CLASSES),
            "}",
            "",
            "RING_SHARE: dict[str, dict[str, float]] = {",
            *table(fit.RING_SHARE),
            "}",
            "",
            "KERNELS: dict[str, dict[str, float]] = {",
            *table(fit.KERNELS),
            "}",
            "",
            "KERNEL_CLASS: dict[str, float] = {",
            *flat(fit.KERNEL_CLASS),
            "}",
            "",
            "LATENCY_SCALE: dict[str, float] = {",
            *flat(fit.LATENCY_SCALE),
            "}",
            "",
            "SHARED: dict[str, float] = {",
            *flat(fit.SHARED),
            "}",
            "",
            f"INTERVAL: tuple[float, float] = ({spans[''][0]:.2f}, {spans[''][1]:.2f})",
            "",
            "INTERVALS: dict[str, tuple[float, float]] = {",
            *(f'    "{name}": ({low:.2f}, {high:.2f}),' for name, (low, high) in spans.items() if name),
            "}",
            "",
            "NEW_INTERVALS: dict[str, tuple[float, float]] = {",
            *(f'    "{name}": ({low:.2f}, {high:.2f}),' for name, (low, high) in new.items()),
            "}",
            "",
            "ASSUMED: frozenset[str] = frozenset(",
            "    {",
            *(f'        "{name}",' for name in sorted(same)),
            "    }",
            ")",
            "",
            "MEASURED_LINKS: frozenset[str] = frozenset(",
            "    {",
            *(f'        "{name}",' for name in measured),
            "    }",
            ")",
            "",
            "MEASURED_KINDS: frozenset[str] = frozenset(",
            "    {",
            *(f'        "{name}",' for name in sorted({p.kind for p in points if p.call.generation})),
            "    }",
            ")",
            "",
            "FITTED_CLASSES: frozenset[str] = frozenset(",
            "    {",
            *(f'        "{name}",' for name in fitted),
            "    }",
            ")",
            "",
        ]
    )


def _short(value: float) -> str:
    return repr(float(f"{value:.4g}"))


def calibrate(options: argparse.Namespace) -> None:
    """Fit, print, and write when asked."""
    points = read_points()
    left = leave_out(points, lambda p: p.source) if options.left_out else {}
    spans = intervals(points, left) if left else {"": fit.INTERVAL, **fit.INTERVALS}
    series = leave_out(points, lambda p: p.series) if left else {}
    kinds = leave_out(points, lambda p: p.kind) if left else {}
    strange = unseen(points, kinds, lambda p: p.kind) if left else []
    new = new_intervals(strange, spans) if left else fit.NEW_INTERVALS
    refit(points)
    by_link: dict[str, list[float]] = defaultdict(list)
    for p, e in zip(points, errors(points), strict=True):
        if p.is_row:
            by_link[p.link].append(e)
    text = rendered(points, spans, new)
    report("fitted, by link; errors in %", by_link)
    if left:
        report("each source (repository and file) left out", left)
        print("\nplace and size: 80 % of unseen rows between, and the share of all rows inside")
        for name, found in sorted(places(points, left).items()):
            low, high = spans.get(name, spans[""])
            inside = sum(low <= ratio <= high for ratio, _ in found) / len(found)
            print(f"  {name or 'all':<20}{len(found):>5}{low:>8.2f}{high:>8.2f}{100 * inside:>8.0f} %")
        report("each series (link, operation, GPUs, library) left out", series)
        report("each repository left out", leave_out(points, lambda p: p.repository))
        report("each link left out", leave_out(points, lambda p: p.link))
        report("each kind (class of link, generation of cards) left out", kinds)
        print("\nkinds left out: rows, and the share inside an interval that was cut without them")
        held = inside_of_new(strange, spans)
        for kind, (rows, inside) in held.items():
            print(f"  {kind:<30}{rows:>5}{100 * inside:>8.0f} %")
        counted = sum(rows * inside for rows, inside in held.values()) / len(strange)
        print(f"  {'all rows':<30}{len(strange):>5}{100 * counted:>8.0f} %")
        print(f"  {'a vote each':<30}{len(held):>5}{100 * statistics.mean(i for _, i in held.values()):>8.0f} %")
    if options.write:
        TARGET.write_text(text, encoding="utf-8")
        print(f"\nwrote {TARGET.name}")
