"""The time of a collective by its size: rising lines, of which the least counts, and a floor under them."""

from __future__ import annotations

import math
from collections.abc import Iterable

from engine.figures.records import dataclass

Segments = tuple[tuple[float, float, float], ...]
"""(Largest payload in bytes that a line serves, seconds, seconds a byte), by payload; the last serves every payload."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Time of one collective by its size: rising line segments, the least of its protocols everywhere."""

    segments: Segments

    def seconds(self, payload_bytes: float) -> float:
        """Seconds for a payload, nccl-tests' size."""
        for limit, alpha, beta in self.segments:
            if payload_bytes <= limit:
                return alpha + payload_bytes * beta
        return math.inf

    @property
    def latency_s(self) -> float:
        """Seconds of the smallest message."""
        return self.segments[0][1]


def lower_envelope(lines: Iterable[tuple[float, float]]) -> Curve:
    """The curve that takes the least of some (seconds, seconds a byte) lines at every payload."""
    ordered = sorted(lines)
    chosen: list[tuple[float, float]] = [ordered[0]]
    starts = [0.0]
    for alpha, beta in ordered[1:]:
        if beta >= chosen[-1][1]:
            continue
        while True:
            start = (alpha - chosen[-1][0]) / (chosen[-1][1] - beta)
            if start > starts[-1] or len(chosen) == 1:
                break
            chosen.pop()
            starts.pop()
        chosen.append((alpha, beta))
        starts.append(start)
    limits = [*starts[1:], math.inf]
    return Curve(tuple((limit, alpha, beta) for limit, (alpha, beta) in zip(limits, chosen, strict=True)))


def floored(curve: Curve, floor_s: float) -> Curve:
    """The curve that takes at least so many seconds."""
    segments: list[tuple[float, float, float]] = []
    start = 0.0
    for limit, alpha, beta in curve.segments:
        reached = max(start, (floor_s - alpha) / beta) if beta > 0.0 else (math.inf if alpha < floor_s else start)
        if reached > start:
            segments.append((min(limit, reached), floor_s, 0.0))
        if reached < limit:
            segments.append((limit, alpha, beta))
        start = limit
    return Curve(tuple(segments))
