"""Workings of cost."""

from __future__ import annotations

from collections.abc import Callable

from engine.figures.units import SECONDS_PER_HOUR
from engine.model.parameters import count_parameters
from engine.money.cost import electricity_rule, facility_ratio, facility_rule, usd_per_kwh
from engine.money.disks import CHECKPOINT_BYTES_PER_PARAMETER
from engine.money.use import capital_share_per_month, hours_per_month
from engine.sizing import Advised, FigureKind, Power
from engine.workings.case import Case
from engine.workings.price import put_hourly
from engine.workings.record import Sheet, Working, unknown
from engine.workings.use import (
    api_crossing,
    break_even,
    break_even_runs,
    found_horizon,
    hours,
    hours_month,
    operations,
    operations_fte,
    operations_month,
    own_month,
    put_gpu_hours,
    tokens_month,
)
from engine.workings.use import cost_of as _cost

MODEL = "engine.money.cost"


def _power(case: Case) -> Power:
    if case.sizing is None:
        raise KeyError("power")
    return case.sizing.power


def _buy(case: Case) -> Working:
    cost, sheet = _cost(case), Sheet()
    if cost.buy_usd is None:
        return unknown("cost.buy_usd", "Purchase", "USD", f"the main price is not known; enter {cost.ask}")
    terms = []
    for number, line in enumerate(cost.lines, 1):
        if line.usd_each is not None:
            quantity = sheet.put(f"item_{number}_count", line.quantity, "", line.item, "entered")
            source = f"{line.item}: {line.source or 'catalog'} {line.as_of}".strip()
            kind: FigureKind = "entered" if line.source == "entered" else "data sheet"
            terms.append(f"{quantity} * {sheet.put(f'item_{number}_usd', line.usd_each, 'USD', source, kind)}")
    missing = [line.item for line in cost.lines if line.usd_each is None]
    note = f"Not counted, since no price is known: {', '.join(missing)}." if missing else ""
    return sheet.working(
        "cost.buy_usd",
        "Purchase",
        cost.buy_usd,
        "USD",
        "items x price, the known ones",
        " + ".join(terms),
        "data sheet",
        MODEL,
        note=note,
    )


def _hour(case: Case) -> Working:
    cost, sheet = _cost(case), Sheet()
    if cost.rent_usd_per_hour is None:
        return unknown("cost.rent_usd_per_hour", "Rent an hour", "USD", cost.rent_note)
    gpus = sheet.put("gpus", case.scenario.hardware.gpus, "GPUs", "entered", "entered")
    return sheet.working(
        "cost.rent_usd_per_hour",
        "Rent an hour",
        cost.rent_usd_per_hour,
        "USD",
        "price of a GPU-hour x GPUs",
        f"{put_hourly(case, sheet)} * {gpus}",
        "data sheet",
        cost.rent_note,
    )


def _month(case: Case) -> Working:
    cost, sheet = _cost(case), Sheet()
    if cost.rent_usd_per_month is None or cost.rent_usd_per_hour is None:
        return unknown("cost.rent_usd_per_month", "Rent a month", "USD", cost.rent_note)
    hour = sheet.see("usd_per_hour", cost.rent_usd_per_hour, "USD", "cost.rent_usd_per_hour", "data sheet")
    used = hours(case, sheet)
    return sheet.working(
        "cost.rent_usd_per_month",
        "Rent a month",
        cost.rent_usd_per_month,
        "USD",
        "price an hour x hours of a month",
        f"{hour} * {used}",
        "data sheet",
        MODEL,
    )


def _electricity(case: Case) -> Working:
    cost, power, sheet = _cost(case), _power(case), Sheet()
    figure, title = "cost.electricity_usd_per_month", "Electricity a month"
    if cost.electricity_usd_per_month is None or power.total_w is None:
        return unknown(figure, title, "USD", "the card's power or the price of electricity is not known")
    watts = sheet.see("total_w", power.total_w, "W", "power.total_w", "data sheet")
    used = hours(case, sheet)
    scenario = case.scenario
    if scenario.money.pue:
        ratio = sheet.entered("facility_ratio", scenario.money.pue)
    else:
        hall = facility_rule(scenario.facts)
        source = f"{hall.text}: {hall.source}" if hall is not None else "no rule in the catalog"
        ratio = sheet.put("facility_ratio", facility_ratio(scenario), "", source, "rule of thumb")
    rule, kwh = electricity_rule(scenario.facts, scenario.money.region), usd_per_kwh(scenario)
    if scenario.money.electricity_usd_per_kwh:
        price = sheet.entered("usd_per_kwh", scenario.money.electricity_usd_per_kwh, "USD")
    else:
        words = f"{rule.text} {rule.source}".strip() if rule is not None else "no rule in the catalog"
        price = sheet.put("usd_per_kwh", kwh or 0.0, "USD", words, "rule of thumb")
    return sheet.working(
        figure,
        title,
        cost.electricity_usd_per_month,
        "USD",
        "kW at full load x facility over machines x hours of a month x price of a kWh",
        f"{watts} / 1000 * {ratio} * {used} * {price}",
        "rule of thumb",
        MODEL,
    )


def _million(case: Case) -> Working:
    cost, sheet, serving = _cost(case), Sheet(), case.plan.serving
    figure, title = "cost.usd_per_million_tokens", "A million tokens of answers"
    if cost.usd_per_million_tokens is None or cost.rent_usd_per_hour is None or serving is None:
        return unknown(figure, title, "USD", "needs a rental price and a build that serves")
    hour = sheet.see("usd_per_hour", cost.rent_usd_per_hour, "USD", "cost.rent_usd_per_hour", "data sheet")
    seconds = sheet.put("seconds_an_hour", SECONDS_PER_HOUR, "s", "by definition")
    speed = sheet.see("tokens_s", serving.tokens_per_s_total, "tokens/s", "serving.tokens_per_s_total")
    between = serving.tokens_per_s_interval
    from engine.sizing import Interval

    each = cost.rent_usd_per_hour / SECONDS_PER_HOUR * 1e6
    return sheet.working(
        figure,
        title,
        cost.usd_per_million_tokens,
        "USD",
        "rent a second / tokens a second x a million",
        f"{hour} / {seconds} / {speed} * 1000000",
        "fitted",
        MODEL,
        Interval(each / between.high, each / between.low) if between.low > 0 else None,
    )


def _per_usd(case: Case) -> Working:
    cost, sheet, plan = _cost(case), Sheet(), case.plan
    figure, title = "cost.tokens_per_usd", "Tokens for a dollar of rent"
    section = "serving" if plan.serving is not None else "training"
    made = plan.serving or plan.training
    if not cost.rent_usd_per_hour or made is None:
        return unknown(figure, title, "tokens", "needs a rental price and a build with a speed")
    speed = sheet.see("tokens_s", made.tokens_per_s_total, "tokens/s", f"{section}.tokens_per_s_total")
    seconds = sheet.put("seconds_an_hour", SECONDS_PER_HOUR, "s", "by definition")
    hour = sheet.see("usd_per_hour", cost.rent_usd_per_hour, "USD", "cost.rent_usd_per_hour", "data sheet")
    return sheet.working(
        figure,
        title,
        made.tokens_per_s_total * SECONDS_PER_HOUR / cost.rent_usd_per_hour,
        "tokens",
        "tokens a second x seconds of an hour / rent an hour",
        f"{speed} * {seconds} / {hour}",
        "fitted",
        MODEL,
    )


def _api(case: Case) -> Working:
    cost, sheet, work = _cost(case), Sheet(), case.scenario.workload
    figure, title = "cost.api_usd_per_million_tokens", "The same from a hosted API"
    if cost.api_usd_per_million_tokens is None:
        return unknown(figure, title, "USD", "no hosted price of this model is known")
    prices = [p for p in case.scenario.facts.api_prices if p.model_id == case.scenario.model.id]
    price = min(prices, key=lambda entry: entry.usd_per_million_output)
    source = f"{price.provider}, {price.as_of}. {price.source}"
    out = sheet.put("usd_per_million_output", price.usd_per_million_output, "USD", source, "data sheet")
    into = sheet.put("usd_per_million_input", price.usd_per_million_input, "USD", source, "data sheet")
    prompt = sheet.entered("prompt", work.input_tokens, "tokens")
    answer = sheet.entered("answer", work.output_tokens, "tokens")
    return sheet.working(
        figure,
        title,
        cost.api_usd_per_million_tokens,
        "USD",
        "price of answers + prompt tokens for each of the answer x price of prompts",
        f"{out} + {prompt} / {answer} * {into}",
        "data sheet",
        cost.api_note,
    )


def _run(case: Case) -> Working:
    cost, sheet = _cost(case), Sheet()
    figure, title = "cost.run_usd", "Rent of the run"
    if cost.run_usd is None:
        return unknown(figure, title, "USD", "needs a rental price, and a training run or the corpus of a batch")
    hours = put_gpu_hours(case, sheet)
    return sheet.working(
        figure,
        title,
        cost.run_usd,
        "USD",
        "GPU-hours x price of one",
        f"{hours} * {put_hourly(case, sheet)}",
        "fitted",
        MODEL,
    )


def _checkpoint(case: Case) -> Working:
    cost, sheet = _cost(case), Sheet()
    expression = "0"
    if cost.checkpoint_bytes:
        parameters = sheet.see(
            "parameters", count_parameters(case.arch).total, "parameters", "model.params_total", "counted"
        )
        what = "16-bit weights, fp32 copy and two moments (Rajbhandari et al. 2020, section 3.1)"
        expression = f"{sheet.put('bytes_a_parameter', CHECKPOINT_BYTES_PER_PARAMETER, 'bytes', what)} * {parameters}"
    return sheet.working(
        "cost.checkpoint_bytes",
        "One checkpoint",
        cost.checkpoint_bytes,
        "bytes",
        "parameters x bytes of a resumable checkpoint",
        expression,
        "counted",
        MODEL,
    )


def _item(case: Case, name: str) -> Working:
    """cost.item_1_usd: one line of the bill, as numbered there."""
    lines = {f"item_{number}_usd": line for number, line in enumerate(_cost(case).lines, 1)}
    line = lines[name]
    if line.usd is None or line.usd_each is None:
        return unknown(f"cost.{name}", line.item, "USD", "no price is known")
    sheet = Sheet()
    kind: FigureKind = "entered" if line.source == "entered" else "data sheet"
    source = f"{line.source or 'catalog'} {line.as_of}".strip()
    each = sheet.put("usd_each", line.usd_each, "USD", source, kind)
    count = sheet.put("count", line.quantity, "", "entered", "entered")
    return sheet.working(f"cost.{name}", line.item, line.usd, "USD", "count x price", f"{count} * {each}", kind, source)


def _advised(case: Case, name: str) -> Working:
    """cost.advised_usd: what the build of the verdict costs; cost.advised_1_usd: one line of its bill."""
    named = _cost(case).advised
    if named is None:
        raise KeyError(f"cost.{name}")
    sheet, terms = Sheet(), []
    lines = {f"advised_{number}_usd": line for number, line in enumerate(named.lines, 1)}
    if name in ADVISED:
        return ADVISED[name](case, named)
    if name != "advised_usd" and name not in lines:
        raise KeyError(f"cost.{name}")
    chosen = named.lines if name == "advised_usd" else (lines[name],)
    value = named.buy_usd if name == "advised_usd" else lines[name].usd
    title = named.words if name == "advised_usd" else lines[name].item
    if value is None:
        return unknown(f"cost.{name}", title, "USD", "no price is known")
    for number, line in enumerate(chosen, 1):
        if line.usd_each is not None:
            count = sheet.put(f"item_{number}_count", line.quantity, "", line.item, "counted")
            source = f"{line.source or 'catalog'} {line.as_of}".strip()
            terms.append(f"{count} * {sheet.put(f'item_{number}_usd', line.usd_each, 'USD', source, 'data sheet')}")
    formula = "items x price, the known ones"
    return sheet.working(f"cost.{name}", title, value, "USD", formula, " + ".join(terms), "data sheet", MODEL)


def _advised_rent(case: Case, named: Advised) -> Working:
    sheet, figure, title = Sheet(), "cost.advised_rent_usd_per_month", f"{named.words}, to rent a month"
    if named.rent_usd_per_month is None or named.rent_usd_per_hour is None:
        return unknown(figure, title, "USD", "nobody in the catalog rents this GPU, and no price is entered")
    each = put_hourly(case, sheet)
    gpus = sheet.put("gpus", named.rent_usd_per_hour / sheet.inputs[each].value, "GPUs", "of the verdict's build")
    hours = sheet.put("hours", hours_per_month(case.scenario.money), "h", "of use in a month", "entered")
    formula = "price of a GPU-hour x GPUs x hours"
    return sheet.working(
        figure, title, named.rent_usd_per_month, "USD", formula, f"{each} * {gpus} * {hours}", "data sheet", MODEL
    )


def _advised_electricity(case: Case, named: Advised) -> Working:
    sheet, figure, title = Sheet(), "cost.advised_electricity_usd_per_month", f"{named.words}, electricity a month"
    price = usd_per_kwh(case.scenario)
    if named.electricity_usd_per_month is None or named.power_w is None or price is None:
        return unknown(figure, title, "USD", "the power of the card is not published")
    watts = sheet.put(
        "power", named.power_w, "W", "of the verdict's build at the wall: engine.money.power", "rule of thumb"
    )
    hall = sheet.put("pue", facility_ratio(case.scenario), "", "the hall's power over that of the machines")
    hours = sheet.put("hours", hours_per_month(case.scenario.money), "h", "of use in a month", "entered")
    each = sheet.put("usd_per_kwh", price, "USD", "as entered, else of the region")
    return sheet.working(
        figure,
        title,
        named.electricity_usd_per_month,
        "USD",
        "kW x hall x hours x price of a kWh",
        f"{watts} / 1000 * {hall} * {hours} * {each}",
        "rule of thumb",
        MODEL,
    )


def _advised_break_even(case: Case, named: Advised) -> Working:
    sheet, figure, title = Sheet(), "cost.advised_break_even_months", f"{named.words}: buying beats renting after"
    months, money = named.break_even_months, case.scenario.money
    if months is None or named.buy_usd is None or named.rent_usd_per_month is None:
        why = "needs a purchase and a rental price, a use that goes on, and rent that pays within ten years"
        return unknown(figure, title, "months", why)
    if money.growth_percent_per_month:
        first = sheet.put("months", months, "months", "the first in which owning has cost less, tried one by one")
        return sheet.working(figure, title, months, "months", "tried", first, "data sheet", MODEL)
    buy = sheet.see("purchase", named.buy_usd, "USD", "cost.advised_usd", "data sheet")
    rent = sheet.see("rent", named.rent_usd_per_month, "USD", "cost.advised_rent_usd_per_month", "data sheet")
    saved = rent
    if named.electricity_usd_per_month is not None:
        fed = "cost.advised_electricity_usd_per_month"
        saved += f" - {sheet.see('electricity', named.electricity_usd_per_month, 'USD', fed, 'rule of thumb')}"
    if share := capital_share_per_month(money):
        saved += f" - {buy} * {sheet.put('interest_and_support', share, 'a month', 'entered', 'entered')}"
    formula = "purchase / what a month of renting costs more than one of owning"
    return sheet.working(figure, title, months, "months", formula, f"{buy} / ({saved})", "data sheet", MODEL)


ADVISED: dict[str, Callable[[Case, Advised], Working]] = {
    "advised_rent_usd_per_month": _advised_rent,
    "advised_electricity_usd_per_month": _advised_electricity,
    "advised_break_even_months": _advised_break_even,
}


def _offer(case: Case, name: str) -> Working:
    """cost.offer_1_usd_per_hour: what one provider asks."""
    offers = {f"offer_{number}_usd_per_hour": offer for number, offer in enumerate(_cost(case).offers, 1)}
    offer, sheet, gpus = offers[name], Sheet(), case.scenario.hardware.gpus
    source = f"{offer.provider}, {offer.billing}, {offer.as_of}"
    each = sheet.put("usd_per_gpu_hour", offer.usd_per_hour / gpus, "USD", source, "data sheet")
    count = sheet.put("gpus", gpus, "GPUs", "entered", "entered")
    title = f"{offer.provider}, {offer.billing}"
    return sheet.working(
        f"cost.{name}",
        title,
        offer.usd_per_hour,
        "USD",
        "price of a GPU-hour x GPUs",
        f"{each} * {count}",
        "data sheet",
        source,
    )


def found_cost(case: Case, name: str) -> Working:
    """The working of `cost.NAME`. Raises KeyError."""
    if name in COST:
        return COST[name](case)
    if name.startswith("item_"):
        return _item(case, name)
    if name.startswith("advised_"):
        return _advised(case, name)
    return _offer(case, name) if name.startswith("offer_") else found_horizon(case, name)


COST: dict[str, Callable[[Case], Working]] = {
    "buy_usd": _buy,
    "rent_usd_per_hour": _hour,
    "rent_usd_per_month": _month,
    "own_usd_per_month": own_month,
    "usd_per_million_tokens": _million,
    "tokens_per_usd": _per_usd,
    "api_usd_per_million_tokens": _api,
    "run_usd": _run,
    "break_even_months": break_even,
    "break_even_runs": break_even_runs,
    "electricity_usd_per_month": _electricity,
    "checkpoint_bytes": _checkpoint,
    "operations_factor": operations,
    "operations_fte": operations_fte,
    "operations_usd_per_month": operations_month,
    "api_crossing_tokens_per_month": api_crossing,
    "hours_per_month": hours_month,
    "tokens_per_month": tokens_month,
}
