"""Workings of the fabric table: messages priced over each link."""

from __future__ import annotations

from collections.abc import Callable

from engine.fabric import Terms, price_table, serving_terms, training_terms
from engine.hardware import Link
from engine.sizing import FabricRow, FigureKind
from engine.traffic import Message
from engine.workings.case import Case
from engine.workings.record import Sheet, Working

MODEL = "engine.fabric: the same traffic priced over every link (engine.traffic, engine.collectives)"


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


def _terms(case: Case) -> Terms:
    plan = case.plan
    if plan.serving is not None:
        return serving_terms(plan.scenario, plan.layout, plan.serving)
    if plan.training is not None:
        return training_terms(plan.scenario, plan.layout, plan.training)
    raise KeyError("fabric")


def _words(message: Message) -> str:
    return f"{message.op.replace('_', ' ')} of {message.payload_bytes:,.0f} bytes over {message.ranks} ranks ({message.span})"


def _price(case: Case, link: str, message: Message, groups: int = 1) -> float:
    return price_table(case.scenario, message, groups)[link]


def _kind(case: Case, link: str) -> FigureKind:
    return _row(case, link).kind


def _sum(case: Case, sheet: Sheet, link: str, messages: tuple[Message, ...], groups: int = 1) -> str:
    """Count x seconds of each message over that link, as arithmetic."""
    terms = []
    for message in messages:
        name = f"{message.op}_{message.span}"
        count = sheet.put(f"{name}_count", message.count, "", f"{_words(message)}: engine.traffic")
        each = sheet.put(
            f"{name}_s",
            _price(case, link, message, groups),
            "s",
            f"{_words(message)} over {_row(case, link).name}: engine.collectives",
            _kind(case, link),
        )
        terms.append(f"{count} * {each}")
    return " + ".join(terms) or "0"


def _spans(messages: tuple[Message, ...]) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """(messages that a step waits for, data-parallel ones beside it)."""
    return tuple(m for m in messages if m.span != "dp"), tuple(m for m in messages if m.span == "dp")


def _scale(sheet: Sheet, terms: Terms) -> str:
    if terms.scale == 1.0:
        return ""
    what = "what the speed model makes of this traffic over the links in use, against its plain price"
    return f"{sheet.put('scale', terms.scale, '', what, 'fitted')} * "


def _seconds(case: Case, link: str) -> Working:
    sheet, row, terms = Sheet(), _row(case, link), _terms(case)
    unit = "token" if case.scenario.workload.is_inference else "step"
    total = _sum(case, sheet, link, terms.messages)
    return sheet.working(
        f"fabric.{link}.seconds",
        f"In links over {row.name}",
        row.seconds,
        "s",
        f"messages of one {unit} x seconds of each",
        f"{_scale(sheet, terms)}({total})",
        row.kind,
        MODEL,
        note=row.assumed,
    )


def _prefill(case: Case, link: str) -> Working:
    sheet, row, terms = Sheet(), _row(case, link), _terms(case)
    expression = "0"
    if terms.prompt:
        passes = sheet.put("passes", terms.passes, "", "passes of one prompt, with the speed model's scale", "fitted")
        expression = f"{passes} * ({_sum(case, sheet, link, terms.prompt)})"
    return sheet.working(
        f"fabric.{link}.prefill_seconds",
        f"In links over {row.name}, one prompt",
        row.prefill_seconds,
        "s",
        "passes of a prompt x messages x seconds of each",
        expression,
        row.kind,
        MODEL,
        note=row.assumed,
    )


def _wait_value(case: Case, link: str, terms: Terms) -> float:
    row = _row(case, link)
    if case.scenario.workload.is_inference:
        return row.seconds + terms.prompts * row.prefill_seconds
    path, beside = _spans(terms.messages)
    waited = sum(m.count * _price(case, link, m) for m in path)
    hidden = sum(m.count * _price(case, link, m) for m in beside)
    return waited + max(hidden * (1.0 - terms.overlap), hidden - terms.hidden_s)


def _hidden(sheet: Sheet, terms: Terms, total: str) -> str:
    overlap = sheet.put("overlap", terms.overlap, "", "share of data-parallel messages behind compute", "fitted")
    behind = sheet.put("most_hidden", terms.hidden_s, "s", "no more hides than this share of the step", "fitted")
    return f"max(({total}) * (1 - {overlap}), {total} - {behind})"


def _wait(case: Case, link: str) -> Working:
    sheet, row, terms = Sheet(), _row(case, link), _terms(case)
    if case.scenario.workload.is_inference:
        own = sheet.see("decode", row.seconds, "s", f"fabric.{link}.seconds", row.kind)
        prompts = sheet.put(
            "prompts_per_token", terms.prompts, "", "prompts of others that pass for each token", "fitted"
        )
        prompt = sheet.see("prompt", row.prefill_seconds, "s", f"fabric.{link}.prefill_seconds", row.kind)
        expression, formula = f"{own} + {prompts} * {prompt}", "links of a token + links of the prompts that pass it"
    else:
        path, beside = _spans(terms.messages)
        expression = _sum(case, sheet, link, path)
        if beside:
            expression += f" + {_hidden(sheet, terms, _sum(case, sheet, link, beside))}"
        formula = "messages that the step waits for + what of the data-parallel ones does not hide"
    return sheet.working(
        f"fabric.{link}.wait_s",
        f"Waiting for {row.name}",
        _wait_value(case, link, terms),
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
    wait = sheet.see("links", _wait_value(case, link, terms), "s", f"fabric.{link}.wait_s", row.kind)
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
    waits = {other: _wait_value(case, other, terms) for other in _links(case)}
    fastest = min(waits, key=lambda other: waits[other])
    best = sheet.see("fastest_link", waits[fastest], "s", f"fabric.{fastest}.wait_s", "fitted")
    own = sheet.see("this_link", waits[link], "s", f"fabric.{link}.wait_s", row.kind)
    return sheet.working(
        f"fabric.{link}.relative_speed",
        f"Speed left over {row.name}",
        row.relative_speed,
        "",
        f"step over the fastest link of the table ({fastest}) / step over this one",
        f"({base} + {best}) / ({base} + {own})",
        row.kind,
        MODEL,
        note=row.assumed,
    )


def _across(dimension: str) -> Callable[[Case, str], Working]:
    """The speed left when only tp, pp or dp crosses the link."""

    def make(case: Case, link: str) -> Working:
        sheet, row, terms = Sheet(), _row(case, link), _terms(case)
        field = f"relative_speed_{dimension}"
        figure, title = f"fabric.{link}.{field}", f"Speed left with only {dimension.upper()} across {row.name}"
        value: float | None = getattr(row, field)
        if value is None:
            raise KeyError(figure)
        inference = case.scenario.workload.is_inference
        if inference and dimension == "dp":
            return sheet.working(
                figure, title, value, "", "replicas share no traffic: a router sends them text", "1", "counted", MODEL
            )
        base_s = terms.base_pp_s if dimension == "pp" else terms.base_s
        messages: tuple[Message, ...] = getattr(terms, dimension)
        prompt = terms.pp_prompt if dimension == "pp" else tuple(m for m in terms.prompt if m.span == dimension)
        groups = 1 if dimension == "tp" else terms.groups
        factor = terms.scale if dimension == "tp" else 1.0

        def wait(other: str) -> float:
            if inference and dimension == "tp" and len(messages) == len(terms.messages):
                return _wait_value(case, other, terms)
            total = factor * sum(m.count * _price(case, other, m, groups) for m in messages)
            total += terms.prompts * terms.passes * sum(m.count * _price(case, other, m, groups) for m in prompt)
            if dimension == "dp":
                return max(total * (1.0 - terms.overlap), total - terms.hidden_s)
            return total

        waits = {other: wait(other) for other in _links(case)}
        fastest = min(waits, key=lambda other: waits[other])
        base = _base(sheet, base_s)
        best = sheet.put("fastest_link", waits[fastest], "s", f"the same over {fastest}", "fitted")
        if inference and dimension == "tp" and len(messages) == len(terms.messages):
            own = sheet.see("this_link", waits[link], "s", f"fabric.{link}.wait_s", row.kind)
        else:
            own = _sum(case, sheet, link, messages, groups)
            if factor != 1.0:
                own = f"{_scale(sheet, terms)}({own})"
            if prompt:
                prompts = sheet.put(
                    "prompts_per_token", terms.prompts, "", "prompts of others that pass for each token", "fitted"
                )
                passes = sheet.put(
                    "passes", terms.passes, "", "passes of one prompt, with the speed model's scale", "fitted"
                )
                own += f" + {prompts} * {passes} * ({_sum(case, sheet, link, prompt, groups)})"
            if dimension == "dp":
                own = _hidden(sheet, terms, own)
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
    if known.latency_us is not None:
        kind: FigureKind = "data sheet"
        source = known.source or "catalog"
    else:
        kind, source = row.kind, "smallest message of engine.collectives over this link, since nobody states it"
    expression = sheet.put("latency", row.latency_us, "µs", source, kind)
    return sheet.working(
        f"fabric.{link}.latency_us",
        f"Latency of {row.name}",
        row.latency_us,
        "µs",
        "of one message",
        expression,
        kind,
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
    "wait_s": _wait,
}
"""By the name of the field of `FabricRow`; wait_s is what the share and the speed left are worked out from."""
