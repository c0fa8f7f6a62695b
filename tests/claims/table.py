"""Every checkable claim of the five source articles beside our own figure: agrees or not, and why not.

`all_claims()` walks tests/reference/seed_claims.toml entry by entry; `scripts/write_docs.py` prints it as docs/claims.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.claims.claim import Claim, Entry, claims_file
from tests.claims.decisions import (
    decision_step,
    mapping,
    must_not_scale_out,
    must_scale_out,
    operational_tax,
    scale_when,
)
from tests.claims.fabric import cliff, efficiency, efficiency_floor, lab_trap, path, speedup, sxm_penalty
from tests.claims.machines import buy_against_rent, lanes, monthly, node_geometry, power, price
from tests.claims.memory import capacity, ceiling, rule
from tests.claims.speed import concurrency, multinode_deployment, multinode_performance, single_card

HANDLERS: dict[str, Callable[[Entry, str], Iterator[Claim]]] = {
    "ceiling": ceiling,
    "rule": rule,
    "decision_step": decision_step,
    "must_scale_out": must_scale_out,
    "must_not_scale_out": must_not_scale_out,
    "capacity": capacity,
    "path": path,
    "cliff": cliff,
    "efficiency": efficiency,
    "efficiency_floor": efficiency_floor,
    "sxm_penalty": sxm_penalty,
    "speedup": speedup,
    "lab_trap": lab_trap,
    "operational_tax": operational_tax,
    "mapping": mapping,
    "single_card": single_card,
    "concurrency": concurrency,
    "power": power,
    "lanes": lanes,
    "node_geometry": node_geometry,
    "price": price,
    "monthly": monthly,
    "buy_against_rent": buy_against_rent,
    "multinode_performance": multinode_performance,
    "multinode_deployment": multinode_deployment,
    "scale_when": scale_when,
}


def all_claims() -> list[Claim]:
    """Every claim of the file, in its order. Raises KeyError for a section that nobody handles."""
    rows: list[Claim] = []
    for section, content in claims_file().items():
        if section == "meta":
            continue
        entries = content if isinstance(content, list) else [content]
        for number, entry in enumerate(entries, start=1):
            key = f"{section}[{number}]" if isinstance(content, list) else section
            rows += HANDLERS[section](entry, key)
    return rows
