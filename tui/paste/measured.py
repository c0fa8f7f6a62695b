"""Measured beside predicted, figure by figure, and what is kept of it as a person's own calibration."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomli_w

from catalog.user import user_folder
from engine.decide import beside
from engine.decide.beside import Row
from engine.figures.errors import ScenarioError
from engine.figures.text import clipped, harmless, printable
from engine.links.collectives import collective_s, slot_gb_s
from engine.links.evidence import generation_of, why_wide
from engine.links.evidence import interval as collective_interval
from engine.parts.hardware import Link
from engine.parts.own import Measurement
from engine.scenario import Scenario
from tui.files import disk
from tui.pages import beside as words
from tui.paste.found import CannotRead
from tui.paste.run import Run
from tui.shell.listing import aligned


def loaded(scenario: Scenario, run: Run) -> Scenario:
    """The build under the load that a benchmark ran. Raises CannotRead."""
    try:
        return beside.under(scenario, load_of(run))
    except ScenarioError as problem:
        raise CannotRead(f"the load of {run.tool}: {problem}") from None


def load_of(run: Run) -> dict[str, Any]:
    """The keys of a session that a tool ran."""
    return {key: value for key, value in run.load.items() if key in beside.LOAD.values()}


def rows_of(run: Run, scenario: Scenario) -> list[Row]:
    """What a log measured beside what is predicted of the build. Raises CannotRead for a build that cannot be sized so."""
    if run.points:
        return _collective(run, scenario)
    try:
        return beside.rows_of(run.figures, load_of(run), scenario)
    except ScenarioError as problem:
        raise CannotRead(f"the build cannot be sized under the load of {run.tool}: {problem}") from None


def by_catalog(scenario: Scenario) -> Scenario:
    """The build as the catalog alone knows its card, without what the person measured on it."""
    hardware = scenario.hardware
    if not hardware.accelerator.own:
        return scenario
    return replace(scenario, hardware=replace(hardware, accelerator=replace(hardware.accelerator, own=())))


def _collective(run: Run, scenario: Scenario) -> list[Row]:
    hardware, card = scenario.hardware, scenario.hardware.accelerator
    gpus, nodes = run.gpus or hardware.gpus_per_node, int(run.load.get("nodes", 1))
    inter = _network(run, scenario)
    found = []
    for payload, seconds in run.points:
        predicted = collective_s(
            run.op,  # type: ignore[arg-type] # one of the operations, by its reader
            payload,
            gpus,
            -(-gpus // nodes),
            hardware.intra_link,
            inter,
            peer_access=card.peer_access,
            slot_gb_s=slot_gb_s(card),
            nics_per_node=hardware.platform.nics if hardware.platform is not None else None,
        )
        low, high = collective_interval(
            payload, hardware.intra_link, inter, "nccl", card.peer_access, generation_of(card)
        )
        label = f"{run.op.replace('_', '-')} of {_bytes(payload)}"
        found.append(Row(label, "s", seconds, predicted, predicted * low, predicted * high, "", "curve"))
    return found


def _network(run: Run, scenario: Scenario) -> Link | None:
    """What a log's collectives crossed between nodes; None inside one."""
    return scenario.hardware.inter_link if int(run.load.get("nodes", 1)) > 1 else None


def _bytes(value: float) -> str:
    for unit, scale in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if value >= scale:
            return f"{value / scale:.4g} {unit}"
    return f"{value:.0f} B"


def table(run: Run, rows: list[Row], scenario: Scenario) -> str:
    """The figures of one log side by side, then which term is off, and why an interval is wider than others."""
    lines = aligned([words.HEAD, *map(words.cells, rows)], (True, False, False, False, False, True))
    lines += words.off(rows)
    hardware = scenario.hardware
    wide = why_wide(hardware.intra_link, _network(run, scenario), hardware.accelerator) if run.points else ""
    lines += [f"note: {clipped(printable(note), 200)}" for note in [*run.notes, *filter(None, [wide])]]
    return harmless("\n".join([run.tool, *lines]) + "\n")


def measurement(run: Run, build: str, rows: list[Row], source: str) -> Measurement:
    """What a session keeps of a log. build: what ran, in the engine's words."""
    ran = load_of(run)
    load = tuple((name, ran[key]) for name, key in beside.LOAD.items() if key in ran)
    figures = tuple((row.key, float(f"{row.measured:.6g}")) for row in rows)
    return Measurement(run.tool, build, figures, load, clipped(printable(source), 200))


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
                    "engine": scenario.workload.framework if row.sharing else scenario.runtime.engine,
                    "model": model.id or model.name,
                    "figure": row.own,
                    "ratio": round(row.ratio, 5),
                }
                if row.sharing:
                    ratio["sharing"] = row.sharing
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
