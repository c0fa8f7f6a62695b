"""Workings of the fabric table: messages priced over each link."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from engine.decide.fabric import supposed_serving
from engine.decide.fabric_terms import (
    Samples,
    ServingTerms,
    TrainingTerms,
    of_spans,
    only_tp,
    price_across,
    price_in_place,
    samples_on,
    serving_terms,
    training_terms,
    waits_by_link,
)
from engine.links.traffic import Message
from engine.parts.hardware import Link
from engine.serving.speed import segment_of
from engine.sizing import FabricRow, FigureKind
from engine.training.speed import PATH_SPANS
from engine.workings.case import Case
from engine.workings.record import Sheet, Working

MESSAGES = "engine.links.traffic, engine.training.traffic"
MODEL = (
    f"engine.decide.fabric: this layout's messages with every link in its place ({MESSAGES}, engine.links.collectives)"
)


def _row(case: Case, link: str) -> FabricRow:
    rows = case.sizing.fabric if case.sizing is not None else ()
    for row in rows:
        if row.link == link:
            return row
    raise KeyError(f"fabric.{link}")


def _link(case: Case, link: str) -> Link:
    hardware = case.scenario.hardware
    for entry in (hardware.intra_link, hardware.inter_link, *case.scenario.facts.links):
        if entry.id == link:
            return entry
    raise KeyError(f"fabric.{link}")


def _terms(case: Case) -> ServingTerms | TrainingTerms:
    plan = case.plan
    if plan.serving is not None:
        return serving_terms(plan.scenario, case.layout, plan.serving)
    if plan.training is not None:
        return training_terms(plan.scenario, case.layout)
    if plan.scenario.workload.is_inference:
        return serving_terms(plan.scenario, case.layout, supposed_serving(plan.scenario, case.layout, plan.memory))
    raise KeyError("fabric")


def _words(message: Message) -> str:
    return f"{message.op.replace('_', ' ')} of {message.payload_bytes:,.0f} bytes over {message.ranks} ranks ({message.span})"


def _kind(case: Case, link: str) -> FigureKind:
    return _row(case, link).kind


def _sum(case: Case, sheet: Sheet, link: str, messages: Sequence[Message], price: Callable[[Message], float]) -> str:
    """Count x seconds of each message over that link, as arithmetic."""
    terms = []
    for message in messages:
        name, source = f"{message.op}_{message.span}", f"{_words(message)}: {MESSAGES}"
        count = sheet.put(f"{name}_count", message.count, "", source)
        words = f"{_words(message)} over {_row(case, link).name}: engine.links.collectives"
        terms.append(f"{count} * {sheet.put(f'{name}_s', price(message), 's', words, _kind(case, link))}")
    return " + ".join(terms) or "0"


def _in_place(case: Case, sheet: Sheet, link: str, messages: Sequence[Message], gpus: int) -> str:
    return _sum(case, sheet, link, messages, lambda one: price_in_place(case.scenario, one, gpus)[link])


def _across_link(case: Case, sheet: Sheet, link: str, messages: Sequence[Message], groups: int) -> str:
    return _sum(case, sheet, link, messages, lambda one: price_across(case.scenario, one, groups)[link])


def _pass(case: Case, sheet: Sheet, link: str, samples: Samples, gpus: int, tokens: float, name: str) -> str:
    """Seconds of a pass between two priced sizes, with the fitted factors, as arithmetic."""

    def at(index: int) -> str:
        return f"({_in_place(case, sheet, link, samples.messages[index], gpus)})"

    points = samples.points
    low = segment_of(points, tokens)
    size = sheet.put(name, tokens, "tokens", "of a pass: engine.serving.speed")
    line = f"({at(low)} + ({at(low + 1)} - {at(low)}) * ({size} - {points[low]}) / ({points[low + 1]} - {points[low]}))"
    ends = [
        sum(m.count * price_in_place(case.scenario, m, gpus)[link] for m in samples.messages[index])
        for index in (low, low + 1)
    ]
    if ends[0] + (ends[1] - ends[0]) * (tokens - points[low]) / (points[low + 1] - points[low]) <= 0.0:
        line = f"({at(0)} * {size} / {points[0]})"
    what = "what the fit makes of collectives in an engine: engine.calibration.serving_speed"
    growth = sheet.put("growth", samples.growth, "", what, "fitted")
    if samples.growth == samples.latency:
        return f"{growth} * {line}"
    latency = sheet.put("latency", samples.latency, "", what, "fitted")
    return f"({latency} * {at(0)} + {growth} * ({line} - {at(0)}))"


def _seconds(case: Case, link: str) -> Working:
    sheet, row, terms = Sheet(), _row(case, link), _terms(case)
    if isinstance(terms, ServingTerms):
        samples = samples_on(case.scenario.hardware, terms, _link(case, link))[0]
        expression = _pass(case, sheet, link, samples, terms.layout.gpus, terms.tokens, "tokens")
        if terms.scale != 1.0:
            what = "links of a token in the speed figures over this pricing of them"
            expression = f"{sheet.put('scale', terms.scale, '', what, 'fitted')} * {expression}"
        formula = "messages of one token x seconds of each, straight between two sizes of a pass"
    else:
        expression = _in_place(case, sheet, link, terms.messages, terms.layout.gpus)
        formula = "messages of one step x seconds of each, hidden behind compute or not"
    return sheet.working(
        f"fabric.{link}.seconds",
        f"In links with {row.name}",
        row.seconds,
        "s",
        formula,
        expression,
        row.kind,
        MODEL,
        note=row.assumed,
    )


def _prefill(case: Case, link: str) -> Working:
    sheet, row, terms = Sheet(), _row(case, link), _terms(case)
    expression = "0"
    if isinstance(terms, ServingTerms):
        samples = samples_on(case.scenario.hardware, terms, _link(case, link))[1]
        expression = _pass(case, sheet, link, samples, terms.layout.gpus, terms.prompt_tokens, "prompt_tokens")
    return sheet.working(
        f"fabric.{link}.prefill_seconds",
        f"In links with {row.name}, one prompt",
        row.prefill_seconds,
        "s",
        "messages of one prompt x seconds of each, straight between two sizes of a pass",
        expression,
        row.kind,
        MODEL,
        note=row.assumed,
    )


def _exposed(case: Case, sheet: Sheet, terms: TrainingTerms, totals: Sequence[str]) -> str:
    """What of a step's collectives does not hide, as arithmetic; totals: those of tp, ep and cp, pp, dp."""
    made = terms.step
    entered = case.scenario.workload.overlap is not None
    shares = (terms.hidden[0], terms.hidden[1], made.hidden_pp)
    path = []
    for name, share, total in zip(("tp", "ep", "pp"), shares, totals, strict=False):
        if total != "0":
            kind: FigureKind = "entered" if entered and name != "pp" else "fitted"
            hides = sheet.put(f"{name}_hidden", share, "", "share behind compute: engine.training.speed", kind)
            path.append(f"({total}) * (1 - {hides})")
    count = sheet.put("micro_batches", made.micro_batches, "", "of a step: engine.training.batch")
    each = f"({' + '.join(path) or '0'}) / {count}"
    slots = count
    if made.bubble_slots:
        slots = f"({count} + {sheet.put('bubble_slots', made.bubble_slots, 'micro-batches', 'engine.training.speed')})"
    expression = f"{each} * {slots}"
    if totals[3] != "0":
        kind = "entered" if entered else "fitted"
        hides = sheet.put("dp_hidden", terms.hidden[2], "", "share behind compute: engine.training.speed", kind)
        kernels = sheet.put("kernels_each", made.compute_each_s, "s", "kernels of one micro-batch", "fitted")
        window = sheet.put("window", made.window, "micro-batches", "behind which replicas' messages can hide")
        dp = f"({totals[3]})"
        expression += f" + max({dp} * (1 - {hides}), {dp} - ({kernels} + {each}) * {window})"
    return expression


def _wait(case: Case, link: str) -> Working:
    sheet, row, terms = Sheet(), _row(case, link), _terms(case)
    if isinstance(terms, ServingTerms):
        own = sheet.see("decode", row.seconds, "s", f"fabric.{link}.seconds", row.kind)
        prompts = sheet.put(
            "prompts_per_token", terms.prompts, "", "prompts of others that pass for each token", "fitted"
        )
        prompt = sheet.see("prompt", row.prefill_seconds, "s", f"fabric.{link}.prefill_seconds", row.kind)
        expression, formula = f"{own} + {prompts} * {prompt}", "links of a token + links of the prompts that pass it"
        if terms.slowest != 1.0:
            what = "slowest pipeline stage over the mean: engine.serving.speed"
            expression = f"{sheet.put('slowest', terms.slowest, '', what)} * {expression}"
    else:
        gpus = terms.layout.gpus
        totals = [_in_place(case, sheet, link, of_spans(terms.messages, spans), gpus) for spans in PATH_SPANS]
        expression = _exposed(case, sheet, terms, totals)
        formula = "messages that the step waits for + what of the data-parallel ones does not hide"
    return sheet.working(
        f"fabric.{link}.wait_s",
        f"Waiting for {row.name}",
        waits_by_link(case.scenario, terms)[link],
        "s",
        formula,
        expression,
        row.kind,
        MODEL,
    )


def _base(sheet: Sheet, value: float) -> str:
    return sheet.put("rest_of_step", value, "s", "the step without its links: the speed model's", "fitted")


def _share(case: Case, link: str) -> Working:
    sheet, row, terms = Sheet(), _row(case, link), _terms(case)
    wait = sheet.see("links", waits_by_link(case.scenario, terms)[link], "s", f"fabric.{link}.wait_s", row.kind)
    base = _base(sheet, terms.base_s)
    return sheet.working(
        f"fabric.{link}.share",
        f"Share of the time in {row.name}",
        row.share,
        "",
        "links / (links + the rest of the step)",
        f"{wait} / ({base} + {wait})",
        row.kind,
        MODEL,
        note=row.assumed,
    )


def _links(case: Case) -> tuple[str, ...]:
    return tuple(row.link for row in case.sizing.fabric) if case.sizing is not None else ()


def _relative(case: Case, link: str) -> Working:
    sheet, row, terms = Sheet(), _row(case, link), _terms(case)
    base = _base(sheet, terms.base_s)
    waits = waits_by_link(case.scenario, terms)
    fastest = min(waits, key=lambda other: waits[other])
    best = sheet.see("fastest_link", waits[fastest], "s", f"fabric.{fastest}.wait_s", "fitted")
    own = sheet.see("this_link", waits[link], "s", f"fabric.{link}.wait_s", row.kind)
    return sheet.working(
        f"fabric.{link}.relative_speed",
        f"Speed left with {row.name}",
        row.relative_speed,
        "",
        f"this layout's step with the fastest link of the table ({fastest}) in its place / with this one",
        f"({base} + {best}) / ({base} + {own})",
        row.kind,
        MODEL,
        note=row.assumed,
    )


def _across(dimension: Literal["tp", "pp", "dp"]) -> Callable[[Case, str], Working]:
    """The speed left when only tp, pp or dp crosses the link."""

    def make(case: Case, link: str) -> Working:
        sheet, row, terms = Sheet(), _row(case, link), _terms(case)
        field = f"relative_speed_{dimension}"
        figure, title = f"fabric.{link}.{field}", f"Speed left with only {dimension.upper()} across {row.name}"
        value: float | None = getattr(row, field)
        if value is None:
            raise KeyError(figure)
        if isinstance(terms, ServingTerms) and dimension == "dp":
            return sheet.working(
                figure, title, value, "", "replicas share no traffic: a router sends them text", "1", "counted", MODEL
            )
        if isinstance(terms, ServingTerms):
            base, best, own, fastest = _serving_across(case, sheet, link, terms, dimension)
        else:
            base, best, own, fastest = _training_across(case, sheet, link, terms, dimension)
        return sheet.working(
            figure,
            title,
            value,
            "",
            f"step with only {dimension.upper()} across the fastest link ({fastest}) / across this one",
            f"({base} + {best}) / ({base} + {own})",
            row.kind,
            MODEL,
            note=row.assumed,
        )

    return make


def _spent(case: Case, messages: Sequence[Message], groups: int) -> dict[str, float]:
    """Seconds of some messages across each link."""
    found = dict.fromkeys(_links(case), 0.0)
    for message in messages:
        price = price_across(case.scenario, message, groups)
        for link in found:
            found[link] += message.count * price[link]
    return found


def _serving_across(
    case: Case, sheet: Sheet, link: str, terms: ServingTerms, dimension: str
) -> tuple[str, str, str, str]:
    """(rest of the step, wait across the fastest link, across this one, the fastest link), as arithmetic."""
    if dimension == "tp" and only_tp(case.scenario, terms):
        waits = waits_by_link(case.scenario, terms)
        fastest = min(waits, key=lambda other: waits[other])
        own = sheet.see("this_link", waits[link], "s", f"fabric.{link}.wait_s", _kind(case, link))
        best = sheet.put("fastest_link", waits[fastest], "s", f"the same over {fastest}", "fitted")
        return _base(sheet, terms.base_s), best, own, fastest
    token, prompt = (terms.tp, terms.tp_prompt) if dimension == "tp" else (terms.pp, terms.pp_prompt)
    base_s, scale, groups = terms.base_pp_s, 1.0, terms.groups
    if dimension == "tp":
        base_s, scale, groups = terms.base_s, terms.across_scale, 1
    sent, read = _spent(case, token, groups), _spent(case, prompt, groups)
    waits = {one: scale * sent[one] + terms.across_prompts * terms.passes * read[one] for one in sent}
    fastest = min(waits, key=lambda other: waits[other])
    base = _base(sheet, base_s)
    best = sheet.put("fastest_link", waits[fastest], "s", f"the same over {fastest}", "fitted")
    own = _across_link(case, sheet, link, token, groups)
    if scale != 1.0:
        what = "what the speed model makes of this traffic over the links in use, against its plain price"
        own = f"{sheet.put('scale', scale, '', what, 'fitted')} * ({own})"
    if prompt:
        many = "prompts of others that pass for each token"
        prompts = sheet.put("prompts_per_token", terms.across_prompts, "", many, "fitted")
        passes = sheet.put("passes", terms.passes, "", "passes of one prompt, with the speed model's scale", "fitted")
        own += f" + {prompts} * {passes} * ({_across_link(case, sheet, link, prompt, groups)})"
    return base, best, own, fastest


def _training_across(
    case: Case, sheet: Sheet, link: str, terms: TrainingTerms, dimension: Literal["tp", "pp", "dp"]
) -> tuple[str, str, str, str]:
    """The same of an optimizer step."""
    messages = {"tp": terms.tp, "pp": terms.pp, "dp": terms.dp}[dimension]
    groups = 1 if dimension == "tp" else terms.groups
    spent = _spent(case, messages, groups)
    waited = terms.step.exposed(*terms.hidden)
    places = [name == dimension for name in ("tp", "ep", "pp", "dp")]
    waits = {one: waited(*(value * place for place in places)) for one, value in spent.items()}
    fastest = min(waits, key=lambda other: waits[other])
    best = sheet.put("fastest_link", waits[fastest], "s", f"the same over {fastest}", "fitted")
    total = _across_link(case, sheet, link, messages, groups)
    totals = [total if name == dimension else "0" for name in ("tp", "ep", "pp", "dp")]
    return _base(sheet, terms.base_s), best, _exposed(case, sheet, terms, totals), fastest


def _bandwidth(case: Case, link: str) -> Working:
    sheet, row, known = Sheet(), _row(case, link), _link(case, link)
    expression = sheet.put("one_way", known.peak_gb_s_unidir, "GB/s", known.source or "catalog", "data sheet")
    if known.peak_gb_s_bidir and known.peak_gb_s_bidir / 2 == known.peak_gb_s_unidir:
        sheet = Sheet()
        both = sheet.put("both_ways", known.peak_gb_s_bidir, "GB/s", known.source or "catalog", "data sheet")
        expression = f"{both} / 2"
    return sheet.working(
        f"fabric.{link}.bandwidth_gb_s",
        f"Bandwidth of {row.name}",
        row.bandwidth_gb_s,
        "GB/s",
        "one way, per GPU inside a node, per port between nodes; what vendors print for both ways is halved",
        expression,
        "data sheet",
        known.source or "catalog",
        note=row.bandwidth_note,
    )


def _latency(case: Case, link: str) -> Working:
    sheet, row, known = Sheet(), _row(case, link), _link(case, link)
    if row.latency_us is None:
        raise KeyError(f"fabric.{link}.latency_us")
    source = known.source or "catalog"
    expression = sheet.put("latency", row.latency_us, "µs", source, "data sheet")
    return sheet.working(
        f"fabric.{link}.latency_us",
        f"Latency of {row.name}",
        row.latency_us,
        "µs",
        "of the link itself, as stated; what a message takes to start is its start-up",
        expression,
        "data sheet",
        source,
    )


def _startup(case: Case, link: str) -> Working:
    sheet, row = Sheet(), _row(case, link)
    source = "smallest message from one GPU to another over this link: engine.links.collectives"
    expression = sheet.put("startup", row.startup_us, "µs", source, row.kind)
    return sheet.working(
        f"fabric.{link}.startup_us",
        f"Start-up of a message over {row.name}",
        row.startup_us,
        "µs",
        "launch, protocol and latency of the smallest message, whatever it carries",
        expression,
        row.kind,
        source,
    )


def found(case: Case, name: str) -> Working:
    """The working of `fabric.LINK` (the speed left) or `fabric.LINK.FIELD`. Raises KeyError."""
    link, _, field = name.rpartition(".")
    if field in FIGURES and link:
        return FIGURES[field](case, link)
    return _relative(case, name)


FIGURES: dict[str, Callable[[Case, str], Working]] = {
    "seconds": _seconds,
    "prefill_seconds": _prefill,
    "share": _share,
    "relative_speed": _relative,
    "relative_speed_tp": _across("tp"),
    "relative_speed_pp": _across("pp"),
    "relative_speed_dp": _across("dp"),
    "bandwidth_gb_s": _bandwidth,
    "latency_us": _latency,
    "startup_us": _startup,
    "wait_s": _wait,
}
"""By the name of the field of `FabricRow`; wait_s is what the share and the speed left are worked out from."""
