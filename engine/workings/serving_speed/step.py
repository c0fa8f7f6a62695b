"""The decode step, part by part."""

from __future__ import annotations

from collections.abc import Callable

from engine.figures.units import GB
from engine.serving.speed import DECODE_POINTS, GROWN_SHARE, OVERLAP_POWER, DecodeStep, Rates, decode_step, segment_of
from engine.workings.case import Case
from engine.workings.record import Sheet, Working
from engine.workings.serving_speed.shared import (
    MODEL,
    answer_tokens,
    context_tokens,
    engines_of,
    fitted_words,
    links_words,
    load_asked,
    rates_in,
    running_cap,
    serving_in,
    shape_in,
    users_of_engine,
)


def _flight(case: Case, running: float) -> tuple[float, float]:
    """(sequences in one pass, of them in one attention copy)."""
    r = rates_in(case)
    flight = running / r.stages if running > r.stages else 1.0
    return flight, flight / r.copies if flight > r.copies else 1.0


def _put_flight(case: Case, sheet: Sheet) -> str:
    """Sequences in one pass, as arithmetic."""
    r, running = rates_in(case), sheet.see("running", load_asked(case).running, "sequences", "serving.running")
    if r.stages == 1:
        return running
    return f"max(1, {running} / {sheet.put('stages', r.stages, '', 'pipeline stages: layout')})"


def _put_local(case: Case, sheet: Sheet) -> str:
    """Sequences of one attention copy in one pass, as arithmetic."""
    r, flight = rates_in(case), _put_flight(case, sheet)
    if r.copies == 1:
        return flight
    copies = sheet.put("attention_copies", r.copies, "", "ways in which the engine's sequences are split: layout")
    return f"max(1, {flight} / {copies})"


def _put_context(case: Case, sheet: Sheet) -> str:
    prompt = sheet.entered("prompt", case.scenario.workload.input_tokens, "tokens")
    answer = sheet.entered("answer", answer_tokens(case), "tokens")
    return f"({prompt} + {answer} / 2)"


def _step(case: Case) -> DecodeStep:
    return load_asked(case).step


def _running(case: Case) -> Working:
    sheet, work, now = Sheet(), case.scenario.workload, load_asked(case)
    if work.corpus_tokens is None:
        users = sheet.entered("users", work.concurrency)
        used = sheet.put("engines", engines_of(case)[1], "", "independent engines of the layout that the load uses")
        waiting = f"{users} / {used}"
    else:
        what = "of the corpus, whose queue never runs dry: the best load inside the targets"
        waiting = sheet.put("users", users_of_engine(case), "sequences", what, "fitted")
    most = sheet.see("most", running_cap(case), "sequences", "serving.running_limit")
    return sheet.working(
        "serving.running",
        "Requests that one engine runs at once",
        now.running,
        "sequences",
        "users of one engine, at most what its memory and settings allow",
        f"max(1, min({waiting}, {most}))",
        "fitted",
        MODEL,
    )


def _running_limit(case: Case) -> Working:
    sheet, work, r = Sheet(), case.scenario.workload, rates_in(case)
    users = sheet.see("users_that_fit", case.plan.memory.max_concurrency, "users", "memory.max_concurrency")
    engines = sheet.put("engines", engines_of(case)[0], "", "independent engines of the layout")
    prompt = sheet.entered("prompt", work.input_tokens, "tokens")
    answer = sheet.entered("answer", work.output_tokens, "tokens")
    rule = (
        "pages are taken as the answer grows" if r.grown == GROWN_SHARE else "pages are reserved for the whole answer"
    )
    grown = sheet.put("grown_share", r.grown, "", rule, "rule of thumb")
    held = max(1.0, work.input_tokens + r.grown * work.output_tokens)
    room = case.plan.memory.max_concurrency / engines_of(case)[0] * work.tokens_per_request / held
    value = running_cap(case)
    expression = f"{users} / {engines} * ({prompt} + {answer}) / max(1, {prompt} + {grown} * {answer})"
    if value < room:
        limit = sheet.put(
            "sequence_limit", value, "sequences", case.setting("max_num_seqs") + ", over copies and stages"
        )
        expression = f"min({expression}, {limit})"
    return sheet.working(
        "serving.running_limit",
        "Most requests of one engine at once",
        value,
        "sequences",
        "users whose KV fits, counted by what an average running request holds; at most the engine's limit",
        f"max(1, {expression})",
        "fitted",
        MODEL,
    )


def _rate_input(case: Case, sheet: Sheet, name: str, seconds: float, amount: float, constant: str) -> str:
    """bytes / (bandwidth x share): the share is what the fitted constants make of the data sheet's peak."""
    peak = sheet.put("bandwidth", case.card.bandwidth_gb_s * GB, "bytes/s", case.sheet, "data sheet")
    share = amount / seconds / (case.card.bandwidth_gb_s * GB) if seconds else 1.0
    of_peak = sheet.put(f"{name}_share", share, "", fitted_words(case, constant), "fitted")
    return f"({peak} * {of_peak})"


def _weight_stream(case: Case) -> Working:
    sheet, r, shape = Sheet(), rates_in(case), shape_in(case)
    source = f"weights that one GPU reads a step, over all stages: engine.layout.sharding, {case.config}"
    dense = sheet.put("dense_bytes", shape.dense_bytes, "bytes", source)
    expression = (
        f"{dense} / {_rate_input(case, sheet, 'weight_bandwidth', r.dense_s, shape.dense_bytes, 'weight_bandwidth')}"
    )
    formula = "bytes of weights / (bandwidth x share of it that kernels reach)"
    if r.expert_s:
        experts = sheet.put("expert_bytes", shape.expert_bytes, "bytes", source)
        rate = _rate_input(case, sheet, "expert_bandwidth", r.expert_s, shape.expert_bytes, "expert_bandwidth")
        total = sheet.put("experts", shape.experts, "", case.config)
        used = sheet.put("experts_per_token", shape.experts_per_token, "", case.config)
        spread = sheet.put("expert_spread", r.expert_spread, "", fitted_words(case, "expert_spread"), "fitted")
        touched = f"(1 - (1 - {used} / {total}) ** ({_put_flight(case, sheet)} ** {spread}))"
        expression += f" + {experts} / {rate} * {touched}"
        formula += "; of the experts, those that the batch touches: 1 - (1 - k/E) ** (sequences ** spread)"
    return sheet.working(
        "serving.weight_stream_s",
        "Reading weights",
        serving_in(case).weight_stream_s,
        "s",
        formula,
        expression,
        "fitted",
        MODEL,
    )


def _kv_stream(case: Case) -> Working:
    sheet, r, shape = Sheet(), rates_in(case), shape_in(case)
    terms = []
    amount = sum(band.kv_bytes for band in shape.bands) + shape.state_bytes
    seconds = sum(each for _, each in r.kv_s) + r.state_s
    constant = "latent_bandwidth" if shape.latent else "kv_bandwidth"
    rate = _rate_input(case, sheet, constant, seconds, amount, constant) if seconds else ""
    for band in shape.bands:
        if band.kv_bytes:
            each = sheet.put("kv_bytes_a_token", band.kv_bytes, "bytes", f"one GPU, its layers: {case.config}")
            seen = _put_context(case, sheet)
            if band.limit:
                seen = f"min({sheet.put('window', band.limit, 'tokens', case.config)}, {seen})"
            terms.append(f"{each} * {seen}")
    if shape.state_bytes:
        what = f"read and written each step, one GPU: {case.config}"
        terms.append(sheet.put("state_bytes", shape.state_bytes, "bytes", what))
    expression = "0"
    if terms:
        expression = f"{_put_local(case, sheet)} * ({' + '.join(terms)}) / {rate}"
    return sheet.working(
        "serving.kv_stream_s",
        "Reading the KV cache",
        serving_in(case).kv_stream_s,
        "s",
        "sequences x tokens each x bytes a token on one GPU / (bandwidth x share that kernels reach)",
        expression,
        "fitted",
        MODEL,
    )


def _compute(case: Case) -> Working:
    sheet, r, step = Sheet(), rates_in(case), _step(case)
    products = sheet.see("products", step.compute_s, "s", "serving.products_s")
    attention = sheet.see("attention", step.attention_s, "s", "serving.attention_s")
    del r
    return sheet.working(
        "serving.compute_s",
        "Computing",
        serving_in(case).compute_s,
        "s",
        "matrix products + attention of one step",
        f"{products} + {attention}",
        "fitted",
        MODEL,
    )


def _products(case: Case) -> Working:
    sheet, r, shape = Sheet(), rates_in(case), shape_in(case)
    flops = shape.dense_flops + shape.head_flops
    dense = sheet.put("flops_a_token", flops, "FLOP", f"2 x elements a token meets on one GPU: {case.config}")
    rate = sheet.put(
        "flop_s",
        flops / r.token_s if r.token_s else 1.0,
        "FLOP/s",
        f"{case.card.name}'s dense rate x {fitted_words(case, 'decode_compute')}",
        "fitted",
    )
    expression = f"{_put_local(case, sheet)} * {dense} / {rate}"
    if r.expert_token_s:
        experts = sheet.put(
            "expert_flops", shape.expert_flops, "FLOP", f"2 x elements of its experts on one GPU: {case.config}"
        )
        own = sheet.put(
            "expert_flop_s",
            shape.expert_flops / r.expert_token_s,
            "FLOP/s",
            f"{case.card.name}'s dense rate x {fitted_words(case, 'expert_compute')}",
            "fitted",
        )
        expression += f" + {_put_flight(case, sheet)} * {experts} / {own}"
    return sheet.working(
        "serving.products_s",
        "Matrix products of one step",
        _step(case).compute_s,
        "s",
        "sequences x FLOPs of a token / rate",
        expression,
        "fitted",
        MODEL,
    )


def _attention(case: Case) -> Working:
    sheet, r, shape = Sheet(), rates_in(case), shape_in(case)
    terms = []
    flops = sum(band.decode_flops for band in shape.bands)
    seconds = sum(each for _, each in r.attention_s)
    for band in shape.bands:
        if band.decode_flops:
            each = sheet.put("flops_a_token_seen", band.decode_flops, "FLOP", f"all heads of one GPU: {case.config}")
            seen = _put_context(case, sheet)
            if band.limit:
                seen = f"min({sheet.put('window', band.limit, 'tokens', case.config)}, {seen})"
            terms.append(f"{each} * {seen}")
    expression = "0"
    if terms:
        rate = sheet.put(
            "attention_flop_s",
            flops / seconds,
            "FLOP/s",
            f"16-bit rate of {case.sheet}; {fitted_words(case, 'latent_compute')}",
            "fitted",
        )
        expression = f"{_put_local(case, sheet)} * ({' + '.join(terms)}) / {rate}"
    return sheet.working(
        "serving.attention_s",
        "Attention arithmetic of one step",
        _step(case).attention_s,
        "s",
        "sequences x tokens seen x FLOPs of one pair / rate",
        expression,
        "fitted",
        MODEL,
    )


def _overhead(case: Case) -> Working:
    sheet, r = Sheet(), rates_in(case)
    fixed = sheet.put(
        "fixed_s", r.pass_s, "s", fitted_words(case, "step_s", "layer_s", "moe_layer_s", "latent_layer_s"), "fitted"
    )
    each = sheet.put("sequence_s", r.sequence_s, "s", fitted_words(case, "sequence_s"), "fitted")
    return sheet.working(
        "serving.overhead_s",
        "Overhead of one step",
        serving_in(case).overhead_s,
        "s",
        "launching all layers and the engine's own work + sequences x work for each",
        f"{fixed} + {_put_flight(case, sheet)} * {each}",
        "fitted",
        MODEL,
    )


def _wire(
    sheet: Sheet, points: tuple[int, ...], seconds: tuple[float, ...], tokens: str, value: float, what: str
) -> str:
    """Seconds in collectives straight between two priced sizes, as arithmetic."""
    at = segment_of(points, value)
    low, high = points[at], points[at + 1]
    small = sheet.put(f"at_{low}_tokens", seconds[at], "s", what, "fitted")
    large = sheet.put(f"at_{high}_tokens", seconds[at + 1], "s", what, "fitted")
    line = f"({small} + ({large} - {small}) * ({tokens} - {low}) / ({high} - {low}))"
    if seconds[at] + (seconds[at + 1] - seconds[at]) * (value - low) / (high - low) > 0.0:
        return line
    return f"({sheet.put(f'at_{points[0]}_tokens', seconds[0], 's', what, 'fitted')} * {tokens} / {points[0]})"


def _communication(case: Case) -> Working:
    sheet, r = Sheet(), rates_in(case)
    expression = "0"
    if r.wire_s:
        what = links_words(case)
        first = sheet.put("at_1_tokens", r.decode_wire[0], "s", what, "fitted")
        latency = sheet.put(
            "collective_latency", r.wire_s / r.decode_wire[0], "", fitted_words(case, "collective_latency"), "fitted"
        )
        growth = sheet.put("collective_bytes", r.wire_growth, "", fitted_words(case, "collective_bytes"), "fitted")
        _, local = _flight(case, load_asked(case).running)
        line = _wire(sheet, DECODE_POINTS, r.decode_wire, _put_local(case, sheet), local, what)
        expression = f"{first} * {latency} + {growth} * ({line} - {first})"
    return sheet.working(
        "serving.communication_s",
        "In links, one step",
        serving_in(case).communication_s,
        "s",
        "collectives of a pass with one sequence, and what more sequences add",
        expression,
        "fitted",
        MODEL,
    )


def _step_s(case: Case) -> Working:
    sheet, step, r = Sheet(), _step(case), rates_in(case)
    return _step_working(case, sheet, step, r, "serving.step_s", "One decode step", load_asked(case).running, True)


def _step_working(
    case: Case, sheet: Sheet, step: DecodeStep, r: Rates, figure: str, title: str, running: float, asked: bool
) -> Working:
    def part(name: str, value: float, own: str) -> str:
        if asked:
            return sheet.see(name, value, "s", own)
        return sheet.put(name, value, "s", f"as {own}, with one sequence", "fitted")

    weights = part("weights", step.weight_s, "serving.weight_stream_s")
    products = part("products", step.compute_s, "serving.products_s")
    kv = part("kv", step.kv_s, "serving.kv_stream_s")
    attention = part("attention", step.attention_s, "serving.attention_s")
    overhead = part("overhead", step.overhead_s, "serving.overhead_s")
    links = part("links", step.communication_s, "serving.communication_s")
    power = sheet.put(
        "overlap_power", OVERLAP_POWER, "", "a smooth maximum: engine.serving.speed.OVERLAP_POWER", "rule of thumb"
    )
    expression = f"({weights} ** {power} + {products} ** {power}) ** (1 / {power}) + max({kv}, {attention}) + {overhead} + {links}"
    if running > r.stages > 1:
        imbalance = sheet.put("imbalance", r.imbalance, "", f"slowest stage against the mean: {case.config}")
        expression = f"({expression}) * {imbalance}"
    return sheet.working(
        figure,
        title,
        step.seconds,
        "s",
        "the larger of reading weights and multiplying, + the larger of reading KV and attention, + overhead + links",
        expression,
        "fitted",
        MODEL,
    )


def _step_alone(case: Case) -> Working:
    r = rates_in(case)
    step = decode_step(r, 1, context_tokens(case))
    return _step_working(case, Sheet(), step, r, "serving.step_alone_s", "One decode step of one user", 1.0, False)


FIGURES: dict[str, Callable[[Case], Working]] = {
    "weight_stream_s": _weight_stream,
    "kv_stream_s": _kv_stream,
    "compute_s": _compute,
    "overhead_s": _overhead,
    "communication_s": _communication,
    "running": _running,
    "running_limit": _running_limit,
    "products_s": _products,
    "attention_s": _attention,
    "step_s": _step_s,
    "step_alone_s": _step_alone,
}
