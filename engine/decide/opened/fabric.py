"""The fabric table on numbers that remember: this layout's messages with each link in its place."""

from __future__ import annotations

from typing import Any, Final

from engine.decide.fabric import columns, table_of
from engine.decide.opened.base import REPLAY, Base, Found
from engine.scenario import leaves

SOURCE: Final = "this layout's messages, alpha + bytes x beta each, with every link in its place: docs/fabric.md"
TITLES: Final[dict[str, tuple[str, str]]] = {
    "seconds": ("In links with {}", "s"),
    "prefill_seconds": ("In links with {}, one prompt", "s"),
    "share": ("Share of the time in {}", ""),
    "relative_speed": ("Speed left with {}", ""),
    "relative_speed_tp": ("Speed left with only TP across {}", ""),
    "relative_speed_pp": ("Speed left with only PP across {}", ""),
    "relative_speed_dp": ("Speed left with only DP across {}", ""),
    "bandwidth_gb_s": ("Bandwidth of {}", "GB/s"),
    "latency_us": ("Latency of {}", "µs"),
    "startup_us": ("Start-up of a message over {}", "µs"),
    "wait_s": ("Waiting for {}", "s"),
}
"""(title with the name of the link, unit) by the field of a row; wait_s: what the share and the speed left rest on."""


def found(build: Base, name: str) -> Found:
    """`fabric.LINK` (the speed left) or `fabric.LINK.FIELD`. Raises KeyError."""
    link, _, field = name.rpartition(".")
    if not link or field not in TITLES:
        link, field = name, "relative_speed"
    made = build.keep(f"fabric.{link}", lambda: _priced(build, link))
    place = next(place for place, row in enumerate(made.board.links) if row.link.id == link)
    row = build.keep(f"fabric.{link}.rows", lambda: build.run(table_of, build.scenario, made))[place]
    value = made.waited[place] if field == "wait_s" else getattr(row, field)
    title, unit = TITLES[field]
    if value is None:
        raise KeyError(f"fabric.{name}")
    note = row.bandwidth_note if field == "bandwidth_gb_s" else "" if field.endswith("_us") else row.assumed
    return Found(value, title.format(row.name), unit, SOURCE, note)


def _priced(build: Base, link: str) -> Any:
    """The columns of that link and of the fastest ones, which it is held against. Raises KeyError."""
    plan = build.plan
    table = build.keep("fabric", lambda: columns(plan.scenario, plan.layout, plan.serving, plan.training, plan.memory))
    if table is None:
        raise KeyError("fabric")
    wanted = {row.link.id: row.link for row in table.board.links if row.link.id in {link, *table.fastest}}
    if link not in wanted:
        raise KeyError(f"fabric.{link}")
    hardware, scenario = build.scenario.hardware, build.scenario
    own = {one.id: one for one in (hardware.inter_link, hardware.intra_link)}
    links = tuple(own.get(name) or leaves.link(REPLAY.copied, one) for name, one in wanted.items())
    priced = REPLAY.copied(scenario, {"facts": REPLAY.copied(scenario.facts, {"links": links})})
    speed = build.speed if build.timed else None
    serving, training = (speed, None) if scenario.workload.is_inference else (None, speed)
    return build.run(columns, priced, build.layout, serving, training, build.memory)
