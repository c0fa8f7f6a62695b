"""What one log or result measured."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from engine.figures.records import dataclass


@dataclass(slots=True)
class Run:
    """One log: which tool wrote it, its figures by key, the load that it ran, and the command inside it.

    figures: weights_gib, kv_gib, activation_gib, graphs_gib, kv_tokens, concurrency; ttft_s, inter_token_s and what 50, 95
    or 99 of 100 stayed below (ttft_p95_s), tokens_per_s, requests_per_s; request_s and read_tokens_per_s of an embedder; step_s,
    train_tokens_per_s, tokens_per_s_gpu, peak_gib, reserved_gib. load: keys of a session. points: seconds of a
    collective by payload. notes: what the figures are of, where a tool names it (a statistic). model: as the tool names it.
    """

    tool: str
    figures: dict[str, float] = field(default_factory=dict)
    load: dict[str, Any] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)
    engine: str = ""
    op: str = ""
    gpus: int = 0
    points: list[tuple[float, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    model: str = ""

    def served(self, requests: float | None, users: float | None, rate: float | None) -> None:
        """Take the load of a serving benchmark: requests in all, users at once, and the rate at which they were sent.

        Without users or a rate all were sent at once. At a rate as many are at once as Little's law says of the measured
        times, and what was answered says what was asked, not what the build can, unless it fell behind.
        """
        if rate:
            self._at_rate(rate, users)
            return
        if users:
            self.load["workload.concurrency"] = max(1, round(users))
        if requests:
            at_once = self.load.setdefault("workload.concurrency", int(requests))
            self.load["workload.requests"] = max(int(requests), int(at_once))

    def _at_rate(self, rate: float, users: float | None) -> None:
        first, token = (
            self.figures.get(f"{key}_s", self.figures.get(f"{key}_p50_s")) for key in ("ttft", "inter_token")
        )
        answered, answer = self.figures.get("requests_per_s"), self.load.get("workload.output_tokens")
        if first and token and answered and answer:
            at_once = answered * (first + token * (answer - 1))
            self.load["workload.concurrency"] = max(1, round(min(at_once, users) if users else at_once))
            self.notes.append(f"sent at {rate:g} requests/s: {at_once:.3g} at once by the measured times")
        elif users:
            self.load["workload.concurrency"] = max(1, round(users))
        if answered is None or answered > KEEPS_UP * rate:
            asked = [self.figures.pop(key, None) for key in ("tokens_per_s", "requests_per_s")]
            if any(asked):
                self.notes.append("tokens/s and requests/s are those that were asked for, and are not compared")


KEEPS_UP = 0.95
"""Share of the rate at which requests are sent from which on the answers keep up with it: the rest is the run's start and tail."""
