"""A person's catalog files with hostile and broken entries: told of, left out, and never in the way of the rest."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import catalog
from catalog.hardware import SECTIONS
from catalog.schema import keys_of
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from tests.fuzz import Failure, Stop, _cli, _hostile, scenarios, within

SLOWEST_S = 20.0
_NUMBERS: tuple[Any, ...] = (
    0,
    -1,
    1,
    0.5,
    80,
    1000,
    1e6,
    1e9,
    1e30,
    1e308,
    2**31,
    2**62,
    -(2**40),
    True,
    "hot",
    [],
    [1, 2],
    [[1, 2]],
)
_USUAL: dict[str, dict[str, Any]] = {
    "accelerator": {"memory_gb_marketed": 80.0, "bandwidth_gb_s": 2000.0, "tflops_bf16_dense": 400.0, "tdp_w": 300.0},
    "link": {"scope": "intra-node", "family": "pcie", "peak_gb_s_unidir": 50.0},
    "platform": {"accelerator": "h100-sxm", "gpus": 8},
    "rental": {"accelerator": "h100-sxm", "usd_per_hour": 2.0, "as_of": "2026-01"},
    "purchase": {"category": "gpu", "usd": 20000.0, "as_of": "2026-01"},
}


def run(seed: int, stop: Stop) -> Counter[str]:
    """Load catalogs with such files and size a build on what was taken. Counts: refused and taken entries, sized."""
    chance = random.Random(f"catalogs {seed}")
    counts: Counter[str] = Counter()
    number = 0
    while not stop():
        number += 1
        case = f"catalogs, seed {seed}, case {number}"
        with tempfile.TemporaryDirectory() as name, _cli.home(Path(name)), within(SLOWEST_S, case):
            folder = Path(name) / ".config" / "sizeup" / "catalog"
            folder.mkdir(parents=True)
            entries = [_entry(chance) for _ in range(chance.randint(1, 5))]
            for place, (section, values) in enumerate(entries):
                text = _hostile.toml({section: [values]})
                if chance.random() < 0.05:
                    text = text.replace("=", chance.choice(("= =", "= [", "\0", "." * 2000)), 1)
                (folder / f"{place}.toml").write_text(text, encoding="utf-8")
            case += f": {entries!r}"[:600]
            _load(case, counts)
            listed = _cli.run(
                chance.choice(("models", "accelerators", "links")), *chance.choice(((), ("--format", "json")))
            )
            _cli.expect_harmless(listed, case)
            counts["cases"] += 1
    return counts


def _entry(chance: random.Random) -> tuple[str, dict[str, Any]]:
    """An entry of a section: some keys usual, some odd."""
    section = chance.choice((*SECTIONS, "model", *["accelerator"] * 4, "link", "purchase"))
    values: dict[str, Any] = {
        "id": _hostile.name(chance, 2) if chance.random() < 0.15 else chance.choice(("mine", "h100-sxm"))
    }
    values |= _USUAL.get(section, {})
    if section == "model":
        values |= {"config": str(_hostile.config_of("llama-3.2-1b")), "name": _hostile.name(chance)}
        return section, values
    for key in chance.sample(keys_of(SECTIONS[section]), chance.choice((0, 1, 1, 2, 4))):
        values[key] = _hostile.name(chance) if chance.random() < 0.15 else chance.choice(_NUMBERS)
    if chance.random() < 0.1:
        values[f"bad{chance.randrange(9)}"] = 1
    return section, values


def _load(case: str, counts: Counter[str]) -> None:
    """The catalog stands, says what it left out, and what it took can be sized under the laws."""
    known = catalog.load()
    for problem in known.problems:
        if len(problem) >= 500 or not problem.isprintable():
            raise Failure(f"{case}: {problem[:600]!r}")
    counts["refused"] += len(known.problems)
    own = [entry for entry in known.facts.accelerators if entry.origin == "user"]
    links = [entry for entry in known.facts.links if entry.origin == "user" and entry.scope == "intra-node"]
    counts["taken"] += len(own) + len(links)
    builds: list[dict[str, Any]] = [{"accelerator_id": entry.id} for entry in own]
    builds += [{"gpus_per_node": 2, "intra_link": entry.id} for entry in links]
    builds += [{"gpus_per_node": 8, "nodes": 2}]  # with the prices of the person
    for build in builds:
        try:
            sizing = size(catalog.build_scenario("llama-3.2-1b", "bf16", **build, catalog=known))
        except ScenarioError:
            continue
        except Exception as problem:  # whatever it is, no entry may end in it
            raise Failure(f"{case}: {type(problem).__name__}: {problem}") from problem
        scenarios.check(sizing, f"{case}: {build}")
        counts["sized"] += 1
