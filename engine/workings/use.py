"""Workings of cost over months of use: owning, renting, an API, people."""

from __future__ import annotations

from collections.abc import Callable

from engine.figures.units import SECONDS_PER_HOUR
from engine.money.cost import OPERATIONS_FACTOR_PER_NODE, OPERATIONS_NODES
from engine.money.prices import billed_usd_per_gpu_hour
from engine.money.use import DAYS_PER_MONTH, HOURS_PER_MONTH, WRITE_OFF_MONTHS, capital_share_per_month, resale_share
from engine.sizing import Cost, Horizon
from engine.workings.case import Case
from engine.workings.record import Sheet, Working, unknown

MODEL = "engine.money.use"
BILLED = {"reserved": ("Reserved", "reserved"), "spot": ("Spot", "spot")}


def cost_of(case: Case) -> Cost:
    """The money of a sized case. Raises KeyError for one that is only planned."""
    if case.sizing is None:
        raise KeyError("cost")
    return case.sizing.cost


def hours(case: Case, sheet: Sheet) -> str:
    """Hours of a month in which the build works, before growth, as an expression."""
    money = case.scenario.money
    if money.hours_per_day is None and money.days_per_month is None:
        return sheet.put("hours_a_month", HOURS_PER_MONTH, "h", "8,760 hours a year / 12")
    day = sheet.entered("hours_a_day", 24.0 if money.hours_per_day is None else money.hours_per_day, "h")
    days = DAYS_PER_MONTH if money.days_per_month is None else min(money.days_per_month, DAYS_PER_MONTH)
    return f"{day} * {sheet.entered('days_a_month', days, 'days')}"


def _people(case: Case, sheet: Sheet, months: str) -> str:
    people = cost_of(case).operations_usd_per_month
    if not people:
        return ""
    return f" + {months} * {sheet.see('people', people, 'USD', 'cost.operations_usd_per_month', 'entered')}"


def _used(sheet: Sheet, entry: Horizon) -> str:
    return sheet.put("hours", entry.hours, "h", f"hours of use in {entry.months} months, with growth or runs")


def _own(case: Case, entry: Horizon) -> Working:
    cost, sheet, money = cost_of(case), Sheet(), case.scenario.money
    figure, title = f"cost.own_{entry.months}_usd", f"Owning for {entry.months} months"
    if entry.own_usd is None or cost.buy_usd is None:
        return unknown(figure, title, "USD", f"the price of the cards is not known; enter {cost.ask}")
    expression = sheet.see("purchase", cost.buy_usd, "USD", "cost.buy_usd", "data sheet")
    if entry.builds > 1:
        expression += f" * {sheet.put('builds', entry.builds, 'builds', 'that the growth takes by the end')}"
    bought = expression
    if cost.electricity_usd_per_month is not None:
        power = sheet.see(
            "electricity_a_month",
            cost.electricity_usd_per_month,
            "USD",
            "cost.electricity_usd_per_month",
            "rule of thumb",
        )
        expression += f" + {power} / ({hours(case, sheet)}) * {_used(sheet, entry)}"
    share = capital_share_per_month(money)
    if share:
        held = sheet.put("build_months", entry.build_months, "months", "of all builds")
        each = sheet.put("interest_and_support", share, "a month", "entered, of the purchase", "entered")
        expression += f" + purchase * {each} * {held}"
    left = resale_share(money, entry.months)
    if left:
        expression += f" - {bought} * {sheet.put('left', left, '', 'of the price, by the entered resale', 'entered')}"
    expression += _people(case, sheet, sheet.put("months", entry.months, "months", "horizon"))
    formula = "purchase + electricity of the hours used, and what was entered beside them"
    return sheet.working(figure, title, entry.own_usd, "USD", formula, expression, "data sheet", MODEL)


def _rent(case: Case, entry: Horizon) -> Working:
    cost, sheet = cost_of(case), Sheet()
    figure, title = f"cost.rent_{entry.months}_usd", f"Renting for {entry.months} months"
    if entry.rent_usd is None or cost.rent_usd_per_hour is None:
        return unknown(figure, title, "USD", cost.rent_note)
    hour = sheet.see("usd_per_hour", cost.rent_usd_per_hour, "USD", "cost.rent_usd_per_hour", "data sheet")
    expression = f"{_used(sheet, entry)} * {hour}"
    expression += _people(case, sheet, sheet.put("months", entry.months, "months", "horizon"))
    return sheet.working(figure, title, entry.rent_usd, "USD", "hours used x rent", expression, "data sheet", MODEL)


def _billed(case: Case, entry: Horizon, way: str) -> Working:
    sheet, hardware = Sheet(), case.scenario.hardware
    title, billing = BILLED[way]
    figure, value = f"cost.{way}_{entry.months}_usd", entry.reserved_usd if way == "reserved" else entry.spot_usd
    each = billed_usd_per_gpu_hour(case.scenario.facts, hardware.accelerator.id, billing)
    if value is None or each is None:
        return unknown(figure, title, "USD", f"no {billing} price in the catalog")
    price = sheet.put("usd_per_gpu_hour", each, "USD", f"median of the catalog's {billing} offers", "data sheet")
    gpus = sheet.put("gpus", hardware.gpus, "GPUs", "entered", "entered")
    paid = _used(sheet, entry)
    if way == "reserved":
        held = sheet.put("build_months", entry.build_months, "months", "of all builds, used or not")
        paid = f"{held} * {sheet.put('hours_of_a_month', HOURS_PER_MONTH, 'h', '8,760 hours a year / 12')}"
    expression = f"{paid} * {price} * {gpus}"
    expression += _people(case, sheet, sheet.put("months", entry.months, "months", "horizon"))
    formula = "all hours x price" if way == "reserved" else "hours used x price"
    return sheet.working(
        figure, f"{title}, {entry.months} months", value, "USD", formula, expression, "data sheet", MODEL
    )


def _hosted(case: Case, entry: Horizon) -> Working:
    cost, sheet, serving = cost_of(case), Sheet(), case.plan.serving
    figure, title = f"cost.api_{entry.months}_usd", f"A hosted API for {entry.months} months"
    if entry.api_usd is None or cost.api_usd_per_million_tokens is None or serving is None:
        return unknown(figure, title, "USD", "no hosted price of this model is known")
    speed = sheet.see("tokens_s", serving.tokens_per_s_total, "tokens/s", "serving.tokens_per_s_total")
    seconds = sheet.put("seconds_an_hour", SECONDS_PER_HOUR, "s", "by definition")
    price = sheet.see(
        "usd_per_million", cost.api_usd_per_million_tokens, "USD", "cost.api_usd_per_million_tokens", "data sheet"
    )
    expression = f"{speed} * {seconds} * {_used(sheet, entry)} / 1000000 * {price}"
    formula = "answer tokens of the hours used x price of a million"
    return sheet.working(figure, title, entry.api_usd, "USD", formula, expression, "fitted", MODEL)


WAYS: dict[str, Callable[[Case, Horizon], Working]] = {
    "own": _own,
    "rent": _rent,
    "reserved": lambda case, entry: _billed(case, entry, "reserved"),
    "spot": lambda case, entry: _billed(case, entry, "spot"),
    "api": _hosted,
}
"""The ways of having the work done over a horizon: `cost.own_12_usd` and so on."""


def found_horizon(case: Case, name: str) -> Working:
    """The working of `cost.WAY_MONTHS_usd`. Raises KeyError."""
    way, _, rest = name.partition("_")
    entry = next((h for h in cost_of(case).horizons if f"{h.months}_usd" == rest), None)
    if entry is None or way not in WAYS:
        raise KeyError(f"cost.{name}")
    return WAYS[way](case, entry)


def own_month(case: Case) -> Working:
    """A month of owning, over 36."""
    cost, sheet = cost_of(case), Sheet()
    figure, title = "cost.own_usd_per_month", "Owning, a month"
    if cost.own_usd_per_month is None or cost.buy_usd is None:
        return unknown(figure, title, "USD", f"the price of the cards is not known; enter {cost.ask}")
    months = sheet.put("months", WRITE_OFF_MONTHS, "months", "written off over", "rule of thumb")
    last = cost.horizons[-1]
    if case.plan.run_gpu_hours is None and last.own_usd is not None:
        whole = sheet.see("own", last.own_usd, "USD", f"cost.own_{last.months}_usd", "data sheet")
        expression = f"{whole} / {months}"
    else:
        money = case.scenario.money
        lost = sheet.put("lost", 1.0 - resale_share(money, WRITE_OFF_MONTHS), "", "of the price, by the entered resale")
        each = sheet.put("interest_and_support", capital_share_per_month(money), "a month", "entered", "entered")
        buy = sheet.see("purchase", cost.buy_usd, "USD", "cost.buy_usd", "data sheet")
        expression = f"{buy} * ({lost} / {months} + {each})"
        if cost.electricity_usd_per_month is not None:
            expression += " + " + sheet.see(
                "electricity", cost.electricity_usd_per_month, "USD", "cost.electricity_usd_per_month", "rule of thumb"
            )
        if cost.operations_usd_per_month:
            expression += " + " + sheet.see(
                "people", cost.operations_usd_per_month, "USD", "cost.operations_usd_per_month", "entered"
            )
    formula = "purchase over 36 months + electricity, and what was entered beside them"
    return sheet.working(figure, title, cost.own_usd_per_month, "USD", formula, expression, "data sheet", MODEL)


def break_even(case: Case) -> Working:
    """The months after which owning has cost less than renting."""
    cost, sheet, money = cost_of(case), Sheet(), case.scenario.money
    figure, title = "cost.break_even_months", "Buying beats renting after"
    if cost.break_even_months is None or cost.buy_usd is None or cost.rent_usd_per_hour is None:
        why = "needs a purchase and a rental price, a use that goes on, and rent that pays within ten years"
        return unknown(figure, title, "months", why)
    if money.growth_percent_per_month:
        first = sheet.put(
            "months", cost.break_even_months, "months", "the first in which owning has cost less, tried one by one"
        )
        return sheet.working(figure, title, cost.break_even_months, "months", "tried", first, "data sheet", MODEL)
    buy = sheet.see("purchase", cost.buy_usd, "USD", "cost.buy_usd", "data sheet")
    if (builds := cost.horizons[0].builds) > 1:
        buy += f" * {sheet.put('builds', builds, 'builds', 'that the runs take')}"
    hour = sheet.see("usd_per_hour", cost.rent_usd_per_hour, "USD", "cost.rent_usd_per_hour", "data sheet")
    if cost.electricity_usd_per_month is not None:
        power = sheet.see(
            "electricity_a_month",
            cost.electricity_usd_per_month,
            "USD",
            "cost.electricity_usd_per_month",
            "rule of thumb",
        )
        hour = f"({hour} - {power} / ({hours(case, sheet)}))"
    each = sheet.put("hours_used", cost.hours_per_month, "h", "of a month, in use")
    saved = f"{hour} * {each}"
    if share := capital_share_per_month(money):
        saved += (
            f" - {buy} * {sheet.put('interest_and_support', share, 'a month', 'entered, of the purchase', 'entered')}"
        )
    formula = "purchase / (rent - electricity) of the hours used a month"
    return sheet.working(
        figure, title, cost.break_even_months, "months", formula, f"{buy} / ({saved})", "data sheet", MODEL
    )


def put_gpu_hours(case: Case, sheet: Sheet) -> str:
    """The GPU-hours of a training run or of a batch's corpus, as arithmetic."""
    spent = case.plan.run_gpu_hours or 0.0
    name = "training.gpu_hours" if case.plan.training is not None else "serving.gpu_hours"
    return sheet.see("gpu_hours", spent, "GPU-hours", name)


def break_even_runs(case: Case) -> Working:
    """The training runs whose rent would have bought the build."""
    cost, sheet = cost_of(case), Sheet()
    figure, title = "cost.break_even_runs", "Runs that would have bought it"
    if cost.break_even_runs is None or cost.buy_usd is None or cost.rent_usd_per_hour is None:
        return unknown(figure, title, "runs", "needs a run, a purchase and a rental price")
    buy = sheet.see("purchase", cost.buy_usd, "USD", "cost.buy_usd", "data sheet")
    hour = sheet.see("usd_per_hour", cost.rent_usd_per_hour, "USD", "cost.rent_usd_per_hour", "data sheet")
    if cost.electricity_usd_per_month is not None:
        power = sheet.see(
            "electricity_a_month",
            cost.electricity_usd_per_month,
            "USD",
            "cost.electricity_usd_per_month",
            "rule of thumb",
        )
        hour = f"({hour} - {power} / ({hours(case, sheet)}))"
    spent = put_gpu_hours(case, sheet)
    gpus = sheet.put("gpus", case.scenario.hardware.gpus, "GPUs", "entered", "entered")
    formula = "purchase / (rent - electricity) of the hours of a run"
    return sheet.working(
        figure, title, cost.break_even_runs, "runs", formula, f"{buy} / ({hour} * {spent} / {gpus})", "fitted", MODEL
    )


def api_crossing(case: Case) -> Working:
    """Answer tokens a month below which the API costs less."""
    cost, sheet = cost_of(case), Sheet()
    figure, title = "cost.api_crossing_tokens_per_month", "An API costs less below"
    price = cost.api_usd_per_million_tokens
    if cost.api_crossing_tokens_per_month is None or not price:
        return unknown(figure, title, "tokens", "needs a price of an API, and of the build")
    last = cost.horizons[-1]
    ways = [("own", last.own_usd), ("rent", last.rent_usd), ("reserved", last.reserved_usd)]
    names = [
        sheet.see(way, usd, "USD", f"cost.{way}_{last.months}_usd", "data sheet")
        for way, usd in ways
        if usd is not None
    ]
    least = names[0] if len(names) == 1 else f"min({', '.join(names)})"
    months = sheet.put("months", last.months, "months", "horizon")
    each = sheet.see("usd_per_million", price, "USD", "cost.api_usd_per_million_tokens", "data sheet")
    return sheet.working(
        figure,
        title,
        cost.api_crossing_tokens_per_month,
        "tokens",
        "the cheapest way of having the build, a month / price of a million tokens",
        f"{least} / {months} / {each} * 1000000",
        "data sheet",
        MODEL,
    )


def operations(case: Case) -> Working:
    """Engineering time against one node."""
    cost, sheet = cost_of(case), Sheet()
    nodes = sheet.put("nodes", case.scenario.hardware.nodes, "nodes", "entered", "entered")
    most = sheet.put("most_nodes", OPERATIONS_NODES, "nodes", "the largest build of that source", "rule of thumb")
    claim = "each added node costs 4 to 5 times the engineering time of one: seed claims, operational tax"
    low = sheet.put("factor_low", OPERATIONS_FACTOR_PER_NODE[0], "", claim, "rule of thumb")
    high = sheet.put("factor_high", OPERATIONS_FACTOR_PER_NODE[1], "", claim, "rule of thumb")
    return sheet.working(
        "cost.operations_factor",
        "Engineering time against one node",
        cost.operations_factor,
        "",
        "1 + added nodes, as far as the source goes, x the middle of the factor",
        f"1 + (min({nodes}, {most}) - 1) * ({low} + {high}) / 2",
        "rule of thumb",
        "engine.money.cost",
        note=cost.operations_note,
    )


def operations_fte(case: Case) -> Working:
    """Full-time engineers that the build takes."""
    cost, sheet, share = cost_of(case), Sheet(), case.scenario.money.engineer_share
    figure, title = "cost.operations_fte", "Engineers"
    if cost.operations_fte is None or share is None:
        return unknown(figure, title, "FTE", "enter money.engineer_share: the engineer that one node takes")
    each = sheet.entered("engineer_share", share, "FTE")
    factor = sheet.see("factor", cost.operations_factor, "", "cost.operations_factor", "rule of thumb")
    return sheet.working(
        figure,
        title,
        cost.operations_fte,
        "FTE",
        "engineer of one node x factor",
        f"{each} * {factor}",
        "rule of thumb",
        MODEL,
    )


def operations_month(case: Case) -> Working:
    """What these engineers cost a month."""
    cost, sheet, year = cost_of(case), Sheet(), case.scenario.money.engineer_usd_per_year
    figure, title = "cost.operations_usd_per_month", "Engineers, a month"
    if cost.operations_usd_per_month is None or cost.operations_fte is None or year is None:
        return unknown(figure, title, "USD", "enter money.engineer_share and money.engineer_usd_per_year")
    people = sheet.see("engineers", cost.operations_fte, "FTE", "cost.operations_fte", "rule of thumb")
    a_year = sheet.entered("usd_per_year", year, "USD")
    return sheet.working(
        figure,
        title,
        cost.operations_usd_per_month,
        "USD",
        "engineers x a year / 12",
        f"{people} * {a_year} / 12",
        "rule of thumb",
        MODEL,
    )


def hours_month(case: Case) -> Working:
    """Hours of a month in which the build works; of a run those of its runs."""
    cost, sheet, money = cost_of(case), Sheet(), case.scenario.money
    figure, title = "cost.hours_per_month", "Hours in use, a month"
    if case.plan.run_gpu_hours is None:
        return sheet.working(
            figure, title, cost.hours_per_month, "h", "hours a day x days", hours(case, sheet), "entered", MODEL
        )
    spent = put_gpu_hours(case, sheet)
    expression = f"{spent} / {sheet.put('gpus', case.scenario.hardware.gpus, 'GPUs', 'entered', 'entered')}"
    if money.runs_per_month is not None:
        expression = f"{sheet.entered('runs_a_month', money.runs_per_month, 'runs')} * {expression}"
    return sheet.working(figure, title, cost.hours_per_month, "h", "hours of a run x runs", expression, "fitted", MODEL)


def tokens_month(case: Case) -> Working:
    """Answer tokens that the build writes in the hours of a month."""
    cost, sheet, serving = cost_of(case), Sheet(), case.plan.serving
    figure, title = "cost.tokens_per_month", "Answer tokens, a month"
    if cost.tokens_per_month is None or serving is None:
        return unknown(figure, title, "tokens", "needs a build that serves")
    speed = sheet.see("tokens_s", serving.tokens_per_s_total, "tokens/s", "serving.tokens_per_s_total")
    seconds = sheet.put("seconds_an_hour", SECONDS_PER_HOUR, "s", "by definition")
    used = sheet.see("hours", cost.hours_per_month, "h", "cost.hours_per_month", "entered")
    formula = "tokens a second x seconds of the hours in use"
    return sheet.working(
        figure, title, cost.tokens_per_month, "tokens", formula, f"{speed} * {seconds} * {used}", "fitted", MODEL
    )
