"""A person's own measurements: `$XDG_CONFIG_HOME/sizeup/measured/*.toml`, written by `sizeup measured --keep`.

A file that is taken away takes its measurements with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from catalog.errors import CatalogError
from catalog.schema import read_toml
from engine.parts.hardware import Facts
from engine.parts.own import OwnCurve, OwnRatio

MOST_FILES = 256
MOST_POINTS = 256


def files(folder: Path) -> list[Path]:
    """The files of a folder of measurements, in name order; none where there is no such folder."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".toml")[:MOST_FILES]
    except OSError:
        return []


def with_own(facts: Facts, folder: Path) -> tuple[Facts, tuple[str, ...]]:
    """The facts with a person's measurements over them, and what is wrong with files that are left out."""
    found = files(folder)
    if not found:
        return facts, ()
    curves: list[OwnCurve] = []
    ratios: list[OwnRatio] = []
    problems: list[str] = []
    for path in found:
        try:
            more_curves, more_ratios = read(path)
        except CatalogError as problem:
            problems.append(str(problem))
            continue
        known = {link.id for link in facts.links}
        problems += [f"{path}: link: no link {one.link!r}" for one in more_curves if one.link not in known]
        curves += [one for one in more_curves if one.link in known]
        ratios += more_ratios
    links = tuple(
        replace(link, own_curves=own) if (own := tuple(one for one in curves if one.link == link.id)) else link
        for link in facts.links
    )
    cards = tuple(
        replace(card, own=said) if (said := tuple(one for one in ratios if one.accelerator == card.id)) else card
        for card in facts.accelerators
    )
    known = {card.id for card in facts.accelerators}
    problems += [f"accelerator: no accelerator {one.accelerator!r}" for one in ratios if one.accelerator not in known]
    return replace(facts, links=links, accelerators=cards), tuple(problems)


def read(path: Path) -> tuple[list[OwnCurve], list[OwnRatio]]:
    """The measurements of one file. Raises CatalogError."""
    return of_document(read_toml(path), str(path))


@lru_cache(maxsize=1)
def _schema() -> type[Any]:
    """The pydantic model of such a file; made once, where the first is read."""
    from pydantic import BaseModel, ConfigDict, Field

    name = Annotated[str, Field(min_length=1, max_length=200)]
    positive = Annotated[float, Field(gt=0, lt=1e18)]

    class Curve(BaseModel):
        model_config = ConfigDict(extra="forbid", strict=False)
        link: name
        op: Literal["all_reduce", "all_gather", "reduce_scatter", "all_to_all", "send_recv"]
        gpus: Annotated[int, Field(ge=2, le=1024)]
        points: Annotated[list[tuple[positive, positive]], Field(min_length=2, max_length=MOST_POINTS)]

    class Ratio(BaseModel):
        model_config = ConfigDict(extra="forbid", strict=False)
        accelerator: name
        engine: name
        model: str = Field("", max_length=200)
        figure: Literal["ttft", "inter_token", "tokens_per_s", "train_tokens_per_s", "train_step", "train_peak"]
        sharing: Literal["", "one", "data", "tensor", "pipeline"] = ""
        ratio: Annotated[float, Field(gt=0.01, lt=100)]

    class Own(BaseModel):
        model_config = ConfigDict(extra="forbid")
        schema_: Literal[1] = Field(alias="schema")
        source: str = Field("", max_length=400)
        curve: Annotated[list[Curve], Field(max_length=64)] = []
        ratio: Annotated[list[Ratio], Field(max_length=256)] = []

    return Own


def of_document(data: Mapping[str, Any], where: str) -> tuple[list[OwnCurve], list[OwnRatio]]:
    """The measurements of such a file as plain data. where: its name for errors. Raises CatalogError."""
    from pydantic import ValidationError

    from catalog.schema import explain, first_error

    try:
        own = _schema().model_validate(data)
    except ValidationError as problem:
        key, reason = explain(first_error(problem), data)
        raise CatalogError(where, key, reason) from None
    source = own.source or Path(where).stem
    return (
        [OwnCurve(one.link, one.op, one.gpus, rising(one.points), source) for one in own.curve],
        [
            OwnRatio(one.accelerator, one.engine, one.model, one.figure, one.ratio, source, one.sharing)
            for one in own.ratio
        ],
    )


def rising(points: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Points by payload, each at least as long as the one before: a larger message takes no less time."""
    made: list[tuple[float, float]] = []
    for payload, seconds in sorted(points):
        least = made[-1][1] if made else 0.0
        if made and made[-1][0] == payload:
            made.pop()
        made.append((payload, max(seconds, least)))
    return tuple(made)
