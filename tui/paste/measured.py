"""Measured beside predicted, figure by figure, and what is kept of it as a person's own calibration."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomli_w

import catalog
from catalog.user import user_folder
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.figures.text import clipped, harmless, printable
from engine.figures.units import GIB
from engine.links.collectives import collective_s, slot_gb_s
from engine.links.evidence import interval as collective_interval
from engine.scenario import Scenario
from engine.scenario.change import change
from engine.sizing import Sizing
from tui.files import disk
from tui.paste.found import CannotRead
from tui.paste.logs import Run
from tui.shell.listing import aligned


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: as measured and as predicted, in one unit, with the predicted's 80 % interval where it has one.

    term: what the figure is made of that would be off. own: its name as own calibration, where it can be kept. key: of the
    log's figures.
    """

    label: str
    unit: str
    measured: float
    predicted: float
    low: float | None = None
    high: float | None = None
    term: str = ""
    own: str = ""
    key: str = ""

    @property
    def ratio(self) -> float:
        """Measured over predicted."""
        return self.measured / self.predicted

    @property
    def inside(self) -> bool | None:
        """Whether the measured lies inside the interval; None without one."""
        if self.low is None or self.high is None:
            return None
        return self.low <= self.measured <= self.high


def loaded(scenario: Scenario, run: Run) -> Scenario:
    """The build under the load that a benchmark ran. Raises CannotRead."""
    keys = {key: value for key, value in run.load.items() if key.startswith("workload.")}
    try:
        return change(scenario, keys, catalog.load()) if keys else scenario
    except ScenarioError as problem:
        raise CannotRead(f"the load of {run.tool}: {problem}") from None


def rows_of(run: Run, scenario: Scenario) -> list[Row]:
    """What a log measured beside what is predicted of the build. Raises CannotRead for a build that cannot be sized so."""
    if run.points:
        return _collective(run, scenario)
    try:
        sizing = size(loaded(scenario, run))
    except ScenarioError as problem:
        raise CannotRead(f"the build cannot be sized under the load of {run.tool}: {problem}") from None
    found = (row_of(key, measured, sizing) for key, measured in run.figures.items())
    return [row for row in found if row is not None]


def row_of(key: str, measured: float, sizing: Sizing) -> Row | None:
    """One figure of a log beside what a sizing says of it; None where it says nothing."""
    reader = _PREDICTED.get(key)
    made = reader(sizing, measured) if reader is not None else None
    return replace(made, key=key) if made is not None and made.predicted > 0 else None


def by_catalog(scenario: Scenario) -> Scenario:
    """The build as the catalog alone knows its card, without what the person measured on it."""
    hardware = scenario.hardware
    if not hardware.accelerator.own:
        return scenario
    return replace(scenario, hardware=replace(hardware, accelerator=replace(hardware.accelerator, own=())))


def _memory(label: str, read: Callable[[Sizing], float], term: str) -> Callable[[Sizing, float], Row | None]:
    def row(sizing: Sizing, measured: float) -> Row | None:
        if not sizing.scenario.workload.is_inference:
            return None
        return Row(label, "GiB", measured, read(sizing) / GIB, term=term)

    return row


def _kv_tokens(sizing: Sizing, measured: float) -> Row | None:
    if not sizing.scenario.workload.is_inference:
        return None
    replicas = max(1, sizing.layout.dp)
    return Row(
        "KV cache",
        "tokens",
        measured,
        sizing.memory.kv_capacity_tokens / replicas,
        term="what weights and activations leave",
    )


def _concurrency(sizing: Sizing, measured: float) -> Row | None:
    return Row("maximum concurrency", "x", measured, sizing.memory.reported_concurrency, term="the KV of one sequence")


def _speed(label: str, name: str, span: str, own: str) -> Callable[[Sizing, float], Row | None]:
    def row(sizing: Sizing, measured: float) -> Row | None:
        if sizing.serving is None:
            return None
        kept = own if sizing.scenario.workload.kind != "embed" else ""  # whose passes are neither
        predicted = getattr(sizing.serving, name)
        between = getattr(sizing.serving, span) if span else None
        low, high = (between.low, between.high) if between is not None else (None, None)
        bound = f"the step, bound by {sizing.serving.bound_by}" if own == "inter_token" else ""
        bound = "prompts: their FLOPs and the wait for them" if own == "ttft" else bound
        unit = "s" if name.endswith("_s") and "per" not in name else "tokens/s" if "tokens" in name else "requests/s"
        return Row(label, unit, measured, predicted, low, high, bound, kept)

    return row


def _training(label: str, unit: str, read: Callable[[Sizing], tuple[float, float | None, float | None]]) -> Any:
    def row(sizing: Sizing, measured: float) -> Row | None:
        if sizing.training is None:
            return None
        predicted, low, high = read(sizing)
        return Row(label, unit, measured, predicted, low, high)

    return row


def _step(sizing: Sizing) -> tuple[float, float | None, float | None]:
    run = sizing.training
    assert run is not None
    each = run.step_s * run.tokens_per_s_gpu
    return run.step_s, each / run.interval.high, each / run.interval.low


def _tokens(sizing: Sizing) -> tuple[float, float | None, float | None]:
    run = sizing.training
    assert run is not None
    gpus = sizing.layout.gpus
    return run.tokens_per_s_gpu * gpus, run.interval.low * gpus, run.interval.high * gpus


def _peak(sizing: Sizing) -> tuple[float, float | None, float | None]:
    detail = sizing.memory.training
    between = (detail.interval.low / GIB, detail.interval.high / GIB) if detail is not None else (None, None)
    return sizing.memory.peak_bytes / GIB, *between


_PREDICTED: dict[str, Callable[[Sizing, float], Row | None]] = {
    "weights_gib": _memory(
        "weights", lambda s: s.memory.worst.weights_bytes, "the weights' format, or what stays in 16 bits"
    ),
    "kv_gib": _memory(
        "KV space", lambda s: s.memory.worst.kv_capacity_bytes, "what the engine keeps beside weights and KV"
    ),
    "activation_gib": _memory("activations", lambda s: s.memory.worst.activation_bytes, "the profile run"),
    "kv_tokens": _kv_tokens,
    "concurrency": _concurrency,
    "ttft_s": _speed("first token", "ttft_s", "ttft_interval", "ttft"),
    "inter_token_s": _speed("time per token", "inter_token_s", "inter_token_interval", "inter_token"),
    "tokens_per_s": _speed("tokens/s in all", "tokens_per_s_total", "tokens_per_s_interval", "tokens_per_s"),
    "requests_per_s": _speed("requests/s", "requests_per_s", "", ""),
    "step_s": _training("optimizer step", "s", _step),
    "train_tokens_per_s": _training("tokens/s in all", "tokens/s", _tokens),
    "peak_gib": _training("peak memory", "GiB", _peak),
}


def _collective(run: Run, scenario: Scenario) -> list[Row]:
    hardware = scenario.hardware
    gpus, nodes = run.gpus or hardware.gpus_per_node, int(run.load.get("nodes", 1))
    inter = hardware.inter_link if nodes > 1 else None
    found = []
    for payload, seconds in run.points:
        predicted = collective_s(
            run.op,  # type: ignore[arg-type] # one of the operations, by its reader
            payload,
            gpus,
            -(-gpus // nodes),
            hardware.intra_link,
            inter,
            peer_access=hardware.accelerator.peer_access,
            slot_gb_s=slot_gb_s(hardware.accelerator),
            nics_per_node=hardware.platform.nics if hardware.platform is not None else None,
        )
        low, high = collective_interval(payload, hardware.intra_link, inter, "nccl", hardware.accelerator.peer_access)
        label = f"{run.op.replace('_', '-')} of {_bytes(payload)}"
        found.append(Row(label, "s", seconds, predicted, predicted * low, predicted * high, "", "curve"))
    return found


def _bytes(value: float) -> str:
    for unit, scale in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if value >= scale:
            return f"{value / scale:.4g} {unit}"
    return f"{value:.0f} B"


def table(run: Run, rows: list[Row]) -> str:
    """The figures of one log side by side, then which term is off."""
    cells = [("", "measured", "predicted", "80 % between", "off by", "")]
    for row in rows:
        between = (
            f"{_value(row, row.low)} – {_value(row, row.high)}" if row.low is not None and row.high is not None else ""
        )
        verdict = {True: "inside", False: "outside", None: ""}[row.inside]
        cells.append(
            (
                row.label,
                _value(row, row.measured),
                _value(row, row.predicted),
                between,
                f"{100 * (row.ratio - 1):+.1f} %",
                verdict,
            )
        )
    lines = aligned(cells, (True, False, False, False, False, True))
    off = [
        row for row in rows if row.term and (row.inside is False or (row.inside is None and abs(row.ratio - 1) > 0.05))
    ]
    lines += [f"off: {row.label}, {100 * (row.ratio - 1):+.0f} %: {row.term}" for row in off]
    lines += [f"note: {clipped(printable(note), 200)}" for note in run.notes]
    return harmless("\n".join([run.tool, *lines]) + "\n")


def _value(row: Row, value: float | None) -> str:
    if value is None:
        return ""
    if row.unit == "s":
        scale, unit = (1e6, "µs") if value < 1e-3 else (1e3, "ms") if value < 1.0 else (1.0, "s")
        return f"{value * scale:.3g} {unit}" if value * scale < 1000 else f"{value * scale:,.0f} {unit}"
    if row.unit == "GiB":
        return f"{value:.2f} GiB"
    return f"{value:,.0f} {row.unit}" if value >= 100 else f"{value:.3g} {row.unit}"


def kept(runs: list[tuple[Run, Scenario, list[Row]]], source: str) -> dict[str, Any]:
    """What is kept of logs as a person's own calibration; empty where nothing can be."""
    document: dict[str, Any] = {"schema": 1, "source": clipped(printable(source), 200)}
    for run, scenario, rows in runs:
        hardware, model = scenario.hardware, scenario.model
        if run.points:
            if int(run.load.get("nodes", 1)) == 1 and len(run.points) > 1:
                curve = {
                    "link": hardware.intra_link.id,
                    "op": run.op,
                    "gpus": run.gpus or hardware.gpus_per_node,
                    "points": [[size_bytes, seconds] for size_bytes, seconds in run.points],
                }
                document.setdefault("curve", []).append(curve)
            continue
        # what is kept counts against the catalog, not against what was kept before
        alone = rows_of(run, by_catalog(scenario)) if scenario.hardware.accelerator.own else rows
        for row in alone:
            if row.own and 0.01 < row.ratio < 100:
                ratio = {
                    "accelerator": hardware.accelerator.id,
                    "engine": scenario.runtime.engine,
                    "model": model.id or model.name,
                    "figure": row.own,
                    "ratio": round(row.ratio, 5),
                }
                document.setdefault("ratio", []).append(ratio)
    return document if len(document) > 2 else {}


def folder() -> Path:
    """Where a person's measurements lie."""
    return user_folder().parent / "measured"


def keep(document: dict[str, Any], name: str) -> Path:
    """Write a file of measurements; one of the same name is replaced. Raises CannotRead where it cannot be written."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:80] or "measured"
    target = folder() / f"{stem}.toml"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        disk.write(target, tomli_w.dumps(document).encode())
    except (OSError, disk.DiskError) as problem:
        raise CannotRead(f"{target} cannot be written: {problem}") from None
    return target
