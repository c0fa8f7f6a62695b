"""Purchase, rent, months of use and people on numbers that remember, of the build and of the one that the verdict names."""

from __future__ import annotations

from typing import Any, Final

from engine.decide.opened.base import REPLAY, Base, Found
from engine.decide.opened.power import power_of
from engine.decide.verdict import decide
from engine.figures.sentences import text_of
from engine.money.cost import billed, cost, named_build, tokens_per_usd
from engine.scenario import leaves
from engine.sizing import Interval

SOURCE: Final = "prices of the catalog or as entered, and months of use: docs/money.md"
NO_RENT: Final = "nobody in the catalog rents this GPU, and no price is entered"
NO_PRICE: Final = "no price is known"
NEVER: Final = "needs a purchase and a rental price, a use that goes on, and rent that pays within ten years"
NO_API: Final = "no hosted price of this model is known"
NO_KWH: Final = "the card's power or the price of electricity is not known"

TITLES: Final[dict[str, tuple[str, str, str]]] = {
    "buy_usd": ("Purchase", "USD", "the main price is not known; enter {ask}"),
    "rent_usd_per_hour": ("Rent an hour", "USD", "{rent_note}"),
    "rent_usd_per_month": ("Rent a month", "USD", "{rent_note}"),
    "own_usd_per_month": ("Owning, a month", "USD", "the price of the cards is not known; enter {ask}"),
    "usd_per_million_tokens": ("A million tokens of answers", "USD", "needs a rental price and a build that serves"),
    "tokens_per_usd": ("Tokens for a dollar of rent", "tokens", "needs a rental price and a build with a speed"),
    "api_usd_per_million_tokens": ("The same from a hosted API", "USD", NO_API),
    "run_usd": ("Rent of the run", "USD", "needs a rental price, and a training run or the corpus of a batch"),
    "break_even_months": ("Buying beats renting after", "months", NEVER),
    "break_even_runs": ("Runs that would have bought it", "runs", "needs a run, a purchase and a rental price"),
    "electricity_usd_per_month": ("Electricity a month", "USD", NO_KWH),
    "checkpoint_bytes": ("One checkpoint", "bytes", ""),
    "operations_factor": ("Engineering time against one node", "", ""),
    "operations_fte": ("Engineers", "FTE", "enter money.engineer_share: the engineer that one node takes"),
    "operations_usd_per_month": (
        "Engineers, a month",
        "USD",
        "enter money.engineer_share and money.engineer_usd_per_year",
    ),
    "api_crossing_tokens_per_month": (
        "An API costs less below",
        "tokens",
        "needs a price of an API, and of the build",
    ),
    "hours_per_month": ("Hours in use, a month", "h", ""),
    "tokens_per_month": ("Answer tokens, a month", "tokens", "needs a build that serves"),
}
"""(title, unit, why nobody knows it) by the field of `Cost`."""
WAYS: Final[dict[str, tuple[str, str]]] = {
    "own": ("Owning for {} months", "the price of the cards is not known; enter {ask}"),
    "rent": ("Renting for {} months", "{rent_note}"),
    "reserved": ("Reserved, {} months", "no reserved price in the catalog"),
    "spot": ("Spot, {} months", "no spot price in the catalog"),
    "api": ("A hosted API for {} months", NO_API),
}
"""(title, why nobody knows it) of the ways of having the work done over a horizon: `cost.own_12_usd` and so on."""
ADVISED: Final[dict[str, tuple[str, str, str, str]]] = {
    "advised_usd": ("buy_usd", "{}", "USD", NO_PRICE),
    "advised_rent_usd_per_month": ("rent_usd_per_month", "{}, to rent a month", "USD", NO_RENT),
    "advised_electricity_usd_per_month": (
        "electricity_usd_per_month",
        "{}, electricity a month",
        "USD",
        "the power of the card is not published",
    ),
    "advised_break_even_months": ("break_even_months", "{}: buying beats renting after", "months", NEVER),
}
"""(field of `Advised`, title, unit, why nobody knows it) of the build that the verdict names."""


def cost_of(build: Base) -> Any:
    """The money of the build."""

    return build.keep("cost", lambda: build.run(cost, build.planned, power_of(build)))


def _advised(build: Base) -> Any:
    """What the build that the verdict names costs. Raises KeyError where that is the entered one, or none."""

    def made() -> Any:
        scenario, copied = build.plan.scenario, REPLAY.copied
        verdict = decide(scenario, build.plan)
        named, other = verdict.recommended, named_build(scenario, verdict)
        if named is None or other is None:
            raise KeyError("cost.advised_usd")
        own = build.scenario
        hardware = leaves.counted(
            copied, copied(own.hardware, {"mixed": ()}), named.nodes, named.gpus_per_node, "the build of the verdict"
        )
        model = copied(own.model, {"weights": other.model.weights})
        return build.run(billed, own, named, copied(own, {"hardware": hardware, "model": model}))

    return build.keep("advised", made)


def found(build: Base, name: str) -> Found:
    """`cost.NAME`. Raises KeyError."""
    if name in TITLES:
        return _of_cost(build, name)
    if name.startswith("advised_"):
        return _of_advised(build, name)
    made = cost_of(build)
    kind, _, rest = name.partition("_")
    if kind in ("item", "offer"):
        number = rest.partition("_")[0]
        rows = made.lines if kind == "item" else made.offers
        if not number.isdigit() or not 1 <= int(number) <= len(rows):
            raise KeyError(f"cost.{name}")
        return _line(build, rows[int(number) - 1]) if kind == "item" else _offer(rows[int(number) - 1])
    entry = next((one for one in made.horizons if f"{one.months}_usd" == rest), None)
    if entry is None or kind not in WAYS:
        raise KeyError(f"cost.{name}")
    title, why = WAYS[kind]
    return Found(getattr(entry, f"{kind}_usd"), title.format(entry.months), "USD", SOURCE, why=_why(made, why))


def _why(made: Any, words: str) -> str:
    return words.format(ask=made.ask, rent_note=made.rent_note)


def _of_cost(build: Base, name: str) -> Found:
    made, plan = cost_of(build), build.plan
    title, unit, why = TITLES[name]
    value, note, interval = getattr(made, name, None), "", None
    if name == "tokens_per_usd" and made.rent_usd_per_hour is not None and build.timed:
        value = build.run(tokens_per_usd, build.speed.tokens_per_s_total, made.rent_usd_per_hour)
    elif name == "buy_usd" and value is not None:
        missing = [line.item for line in made.lines if line.usd_each is None]
        note = f"Not counted, since no price is known: {', '.join(missing)}." if missing else ""
    elif name == "usd_per_million_tokens" and value is not None and plan.serving is not None:
        between, total = plan.serving.tokens_per_s_interval, plan.serving.tokens_per_s_total
        if between.low > 0:
            interval = Interval(value.value * total / between.high, value.value * total / between.low)
    notes = {
        "operations_factor": text_of(made.operations_note),
        "api_usd_per_million_tokens": text_of(made.api_note),
        "rent_usd_per_hour": made.rent_note,
    }
    return Found(value, title, unit, SOURCE, notes.get(name, note), interval, _why(made, why))


def _line(build: Base, line: Any) -> Found:
    """A line of a bill."""
    with build.within:
        value = line.usd
    note = f"{line.source or 'the catalog'} {line.as_of}".strip()
    return Found(value, line.item, "USD", SOURCE, "" if value is None else note, why=NO_PRICE)


def _offer(offer: Any) -> Found:
    return Found(offer.usd_per_hour, f"{offer.provider}, {offer.billing}", "USD", SOURCE, f"As of {offer.as_of}.")


def _of_advised(build: Base, name: str) -> Found:
    made = _advised(build)
    number, _, rest = name.removeprefix("advised_").partition("_")
    if number.isdigit() and rest == "usd" and 1 <= int(number) <= len(made.lines):
        return _line(build, made.lines[int(number) - 1])
    field, title, unit, why = ADVISED[name]
    return Found(getattr(made, field), title.format(made.words), unit, SOURCE, why=why)
