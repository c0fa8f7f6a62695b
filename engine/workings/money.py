"""Workings of cost."""

from __future__ import annotations

from collections.abc import Callable

from engine.cost import (
    CHECKPOINT_BYTES_PER_PARAMETER,
    ELECTRICITY_RULE,
    HOURS_PER_MONTH,
    OPERATIONS_FACTOR_PER_NODE,
    PUE_RULE,
    WRITE_OFF_MONTHS,
    facility_ratio,
)
from engine.parameters import count_parameters
from engine.sizing import Cost, FigureKind, Power
from engine.units import SECONDS_PER_HOUR
from engine.workings.case import Case
from engine.workings.price import put_hourly
from engine.workings.record import Sheet, Working, unknown

MODEL = "engine.cost"


def _cost(case: Case) -> Cost:
    if case.sizing is None:
        raise KeyError("cost")
    return case.sizing.cost


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
    hours = sheet.put("hours_a_month", HOURS_PER_MONTH, "h", "8,760 hours a year / 12")
    return sheet.working(
        "cost.rent_usd_per_month",
        "Rent a month",
        cost.rent_usd_per_month,
        "USD",
        "price an hour x hours of a month",
        f"{hour} * {hours}",
        "data sheet",
        MODEL,
    )


def _electricity(case: Case) -> Working:
    cost, power, sheet = _cost(case), _power(case), Sheet()
    figure, title = "cost.electricity_usd_per_month", "Electricity a month"
    if cost.electricity_usd_per_month is None or power.total_w is None:
        return unknown(figure, title, "USD", "the card's power or the price of electricity is not known")
    watts = sheet.see("total_w", power.total_w, "W", "power.total_w", "data sheet")
    hours = sheet.put("hours_a_month", HOURS_PER_MONTH, "h", "8,760 hours a year / 12")
    facts = case.scenario.facts
    facility = next((rule for rule in facts.rules if rule.id == PUE_RULE), None)
    source = f"{facility.text}: {facility.source}" if facility is not None else "no rule in the catalog"
    ratio = sheet.put("facility_ratio", facility_ratio(facts), "", source, "rule of thumb")
    entered = case.scenario.money.electricity_usd_per_kwh
    if entered:
        price = sheet.entered("usd_per_kwh", entered, "USD")
    else:
        rule = case.scenario.facts.rule(ELECTRICITY_RULE)
        price = sheet.put(
            "usd_per_kwh", rule.value or 0.0, "USD", f"{rule.text} {rule.source}".strip(), "rule of thumb"
        )
    return sheet.working(
        figure,
        title,
        cost.electricity_usd_per_month,
        "USD",
        "kW at full load x facility over machines x hours of a month x price of a kWh",
        f"{watts} / 1000 * {ratio} * {hours} * {price}",
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
    cost, sheet, training = _cost(case), Sheet(), case.plan.training
    figure, title = "cost.run_usd", "Rent of the run"
    if cost.run_usd is None or training is None:
        return unknown(figure, title, "USD", "needs a rental price and a training run")
    hours = sheet.see("gpu_hours", training.gpu_hours, "GPU-hours", "training.gpu_hours")
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


def _break_even(case: Case) -> Working:
    cost, sheet = _cost(case), Sheet()
    figure, title = "cost.break_even_months", "Buying beats renting after"
    if cost.break_even_months is None or cost.buy_usd is None or cost.rent_usd_per_month is None:
        return unknown(figure, title, "months", "needs a purchase and a rental price, and rent above the electricity")
    buy = sheet.see("purchase", cost.buy_usd, "USD", "cost.buy_usd", "data sheet")
    month = sheet.see("rent", cost.rent_usd_per_month, "USD", "cost.rent_usd_per_month", "data sheet")
    expression = f"{buy} / {month}"
    if cost.electricity_usd_per_month is not None:
        power = sheet.see(
            "electricity", cost.electricity_usd_per_month, "USD", "cost.electricity_usd_per_month", "rule of thumb"
        )
        expression = f"{buy} / ({month} - {power})"
    return sheet.working(
        figure,
        title,
        cost.break_even_months,
        "months",
        "purchase / (rent - electricity) a month",
        expression,
        "data sheet",
        MODEL,
    )


def _own(case: Case) -> Working:
    cost, sheet = _cost(case), Sheet()
    figure, title = "cost.own_usd_per_month", "Owning, a month"
    if cost.own_usd_per_month is None or cost.buy_usd is None:
        return unknown(figure, title, "USD", "no purchase price is known")
    buy = sheet.see("purchase", cost.buy_usd, "USD", "cost.buy_usd", "data sheet")
    months = sheet.put("months", WRITE_OFF_MONTHS, "months", "written off over", "rule of thumb")
    expression = f"{buy} / {months}"
    if cost.electricity_usd_per_month is not None:
        expression += " + " + sheet.see(
            "electricity", cost.electricity_usd_per_month, "USD", "cost.electricity_usd_per_month", "rule of thumb"
        )
    return sheet.working(
        figure,
        title,
        cost.own_usd_per_month,
        "USD",
        "purchase over 36 months + electricity",
        expression,
        "data sheet",
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


def _operations(case: Case) -> Working:
    cost, sheet = _cost(case), Sheet()
    nodes = sheet.put("nodes", case.scenario.hardware.nodes, "nodes", "entered", "entered")
    claim = "each added node costs 4 to 5 times the engineering time of one: seed claims, operational tax"
    low = sheet.put("factor_low", OPERATIONS_FACTOR_PER_NODE[0], "", claim, "rule of thumb")
    high = sheet.put("factor_high", OPERATIONS_FACTOR_PER_NODE[1], "", claim, "rule of thumb")
    return sheet.working(
        "cost.operations_factor",
        "Engineering time against one node",
        cost.operations_factor,
        "",
        "1 + added nodes x the middle of the factor",
        f"1 + ({nodes} - 1) * ({low} + {high}) / 2",
        "rule of thumb",
        MODEL,
        note=cost.operations_note,
    )


def _horizon(case: Case, name: str) -> Working:
    """cost.own_12_usd, cost.rent_12_usd: owning and renting over so many months."""
    way, _, rest = name.partition("_")
    cost, sheet = _cost(case), Sheet()
    count = rest.removesuffix("_usd")
    entry = next((h for h in cost.horizons if str(h.months) == count), None)
    if entry is None or way not in ("own", "rent") or not rest.endswith("_usd"):
        raise KeyError(f"cost.{name}")
    figure, months = f"cost.{name}", sheet.put("months", entry.months, "months", "horizon")
    if way == "rent":
        title = f"Renting for {entry.months} months"
        if entry.rent_usd is None or cost.rent_usd_per_month is None:
            return unknown(figure, title, "USD", cost.rent_note)
        month = sheet.see("rent", cost.rent_usd_per_month, "USD", "cost.rent_usd_per_month", "data sheet")
        return sheet.working(
            figure, title, entry.rent_usd, "USD", "months x rent", f"{months} * {month}", "data sheet", MODEL
        )
    title = f"Owning for {entry.months} months"
    if entry.own_usd is None or cost.buy_usd is None:
        return unknown(figure, title, "USD", "no purchase price is known")
    expression = sheet.see("purchase", cost.buy_usd, "USD", "cost.buy_usd", "data sheet")
    if cost.electricity_usd_per_month is not None:
        power = sheet.see(
            "electricity", cost.electricity_usd_per_month, "USD", "cost.electricity_usd_per_month", "rule of thumb"
        )
        expression += f" + {months} * {power}"
    return sheet.working(
        figure, title, entry.own_usd, "USD", "purchase + months x electricity", expression, "data sheet", MODEL
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
    return _offer(case, name) if name.startswith("offer_") else _horizon(case, name)


COST: dict[str, Callable[[Case], Working]] = {
    "buy_usd": _buy,
    "rent_usd_per_hour": _hour,
    "rent_usd_per_month": _month,
    "own_usd_per_month": _own,
    "usd_per_million_tokens": _million,
    "tokens_per_usd": _per_usd,
    "api_usd_per_million_tokens": _api,
    "run_usd": _run,
    "break_even_months": _break_even,
    "electricity_usd_per_month": _electricity,
    "checkpoint_bytes": _checkpoint,
    "operations_factor": _operations,
}
