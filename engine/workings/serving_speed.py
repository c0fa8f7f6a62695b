"""Workings of serving speed: the decode step part by part, the prompt, and the load."""

from __future__ import annotations

from collections.abc import Callable

from engine.serving_speed import (
    DECODE_POINTS,
    GROWN_SHARE,
    OVERLAP_POWER,
    DecodeStep,
    Load,
    Rates,
    Shape,
    decode_step,
    engine_split,
    gpu_class,
    load,
    prompt_s,
    rates,
    running_limit,
    shape_of,
    spread_of,
)
from engine.sizing import Interval, Serving
from engine.units import GB
from engine.workings.case import Case
from engine.workings.record import Sheet, Working

MODEL = "engine.serving_speed: roofline by stream (Williams et al. 2009; Pope et al. 2022, section 3)"


def _spread(case: Case, name: str) -> str:
    low, high = spread_of(name, case.scenario)
    return f"engine.calibration.serving_speed; 80 % of unseen figures lie within {low:g} to {high:g} of the estimate"


def _fitted(case: Case, *names: str) -> str:
    """Where fitted constants come from: the names, the card's class, and the error of the fit."""
    what = ", ".join(names)
    return f"{what} of {gpu_class(case.card)} and {case.scenario.runtime.engine}: {_spread(case, 'inter_token')}"


def _rates(case: Case) -> Rates:
    return rates(case.scenario, case.layout)


def _shape(case: Case) -> Shape:
    model = case.scenario.model
    return shape_of(case.arch, model.weights, model.kv_cache, case.layout, case.scenario.hardware)


def _serving(case: Case) -> Serving:
    if case.plan.serving is None:
        raise KeyError("serving")
    return case.plan.serving


def _engines(case: Case) -> tuple[int, int]:
    """(engines of the layout, engines that the load uses)."""
    engines = engine_split(case.layout)[0]
    return engines, min(engines, case.scenario.workload.concurrency)


def _cap(case: Case) -> float:
    return running_limit(case.scenario, case.layout, case.plan.memory, _rates(case))


def _answer(case: Case) -> int:
    return max(1, case.scenario.workload.output_tokens)


def _requests(case: Case) -> float:
    work = case.scenario.workload
    return work.requests / _engines(case)[1] if work.requests else 0.0


def _load(case: Case) -> Load:
    work = case.scenario.workload
    return load(
        _rates(case),
        work.concurrency / _engines(case)[1],
        _cap(case),
        work.input_tokens,
        _answer(case),
        _requests(case),
        case.scenario.runtime.admission_wait_steps,
    )


def _at(case: Case, users: float) -> Load:
    """The load of one engine with so many users that keep sending, as the searches price it."""
    return load(_rates(case), users, _cap(case), case.scenario.workload.input_tokens, _answer(case))


def _flight(case: Case, running: float) -> tuple[float, float]:
    """(sequences in one pass, of them in one attention copy)."""
    r = _rates(case)
    flight = running / r.stages if running > r.stages else 1.0
    return flight, flight / r.copies if flight > r.copies else 1.0


def _context(case: Case) -> float:
    return case.scenario.workload.input_tokens + _answer(case) / 2


# --- inputs that several workings share ---------------------------------------------------------


def _put_flight(case: Case, sheet: Sheet) -> str:
    """Sequences in one pass, as arithmetic."""
    r, running = _rates(case), sheet.see("running", _load(case).running, "sequences", "serving.running")
    if r.stages == 1:
        return running
    return f"max(1, {running} / {sheet.put('stages', r.stages, '', 'pipeline stages: layout')})"


def _put_local(case: Case, sheet: Sheet) -> str:
    """Sequences of one attention copy in one pass, as arithmetic."""
    r, flight = _rates(case), _put_flight(case, sheet)
    if r.copies == 1:
        return flight
    copies = sheet.put("attention_copies", r.copies, "", "ways in which the engine's sequences are split: layout")
    return f"max(1, {flight} / {copies})"


def _put_context(case: Case, sheet: Sheet) -> str:
    prompt = sheet.entered("prompt", case.scenario.workload.input_tokens, "tokens")
    answer = sheet.entered("answer", _answer(case), "tokens")
    return f"({prompt} + {answer} / 2)"


def _step(case: Case) -> DecodeStep:
    return _load(case).step


def _running(case: Case) -> Working:
    sheet, work, now = Sheet(), case.scenario.workload, _load(case)
    users = sheet.entered("users", work.concurrency)
    used = sheet.put("engines", _engines(case)[1], "", "independent engines of the layout that the load uses")
    most = sheet.see("most", _cap(case), "sequences", "serving.running_limit")
    return sheet.working(
        "serving.running",
        "Requests that one engine runs at once",
        now.running,
        "sequences",
        "users of one engine, at most what its memory and settings allow",
        f"max(1, min({users} / {used}, {most}))",
        "fitted",
        MODEL,
    )


def _running_limit(case: Case) -> Working:
    sheet, work, r = Sheet(), case.scenario.workload, _rates(case)
    users = sheet.see("users_that_fit", case.plan.memory.max_concurrency, "users", "memory.max_concurrency")
    engines = sheet.put("engines", _engines(case)[0], "", "independent engines of the layout")
    prompt = sheet.entered("prompt", work.input_tokens, "tokens")
    answer = sheet.entered("answer", work.output_tokens, "tokens")
    rule = (
        "pages are taken as the answer grows" if r.grown == GROWN_SHARE else "pages are reserved for the whole answer"
    )
    grown = sheet.put("grown_share", r.grown, "", rule, "rule of thumb")
    held = max(1.0, work.input_tokens + r.grown * work.output_tokens)
    room = case.plan.memory.max_concurrency / _engines(case)[0] * work.tokens_per_request / held
    value = _cap(case)
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


# --- the parts of a decode step -----------------------------------------------------------------


def _rate_input(case: Case, sheet: Sheet, name: str, seconds: float, amount: float, constant: str) -> str:
    """bytes / (bandwidth x share): the share is what the fitted constants make of the data sheet's peak."""
    peak = sheet.put("bandwidth", case.card.bandwidth_gb_s * GB, "bytes/s", case.sheet, "data sheet")
    share = amount / seconds / (case.card.bandwidth_gb_s * GB) if seconds else 1.0
    of_peak = sheet.put(f"{name}_share", share, "", _fitted(case, constant), "fitted")
    return f"({peak} * {of_peak})"


def _weight_stream(case: Case) -> Working:
    sheet, r, shape = Sheet(), _rates(case), _shape(case)
    source = f"weights that one GPU reads a step, over all stages: engine.sharding, {case.config}"
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
        spread = sheet.put("expert_spread", r.expert_spread, "", _fitted(case, "expert_spread"), "fitted")
        touched = f"(1 - (1 - {used} / {total}) ** ({_put_flight(case, sheet)} ** {spread}))"
        expression += f" + {experts} / {rate} * {touched}"
        formula += "; of the experts, those that the batch touches: 1 - (1 - k/E) ** (sequences ** spread)"
    return sheet.working(
        "serving.weight_stream_s",
        "Reading weights",
        _serving(case).weight_stream_s,
        "s",
        formula,
        expression,
        "fitted",
        MODEL,
    )


def _kv_stream(case: Case) -> Working:
    sheet, r, shape = Sheet(), _rates(case), _shape(case)
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
        _serving(case).kv_stream_s,
        "s",
        "sequences x tokens each x bytes a token on one GPU / (bandwidth x share that kernels reach)",
        expression,
        "fitted",
        MODEL,
    )


def _compute(case: Case) -> Working:
    sheet, r, step = Sheet(), _rates(case), _step(case)
    products = sheet.see("products", step.compute_s, "s", "serving.products_s")
    attention = sheet.see("attention", step.attention_s, "s", "serving.attention_s")
    del r
    return sheet.working(
        "serving.compute_s",
        "Computing",
        _serving(case).compute_s,
        "s",
        "matrix products + attention of one step",
        f"{products} + {attention}",
        "fitted",
        MODEL,
    )


def _products(case: Case) -> Working:
    sheet, r, shape = Sheet(), _rates(case), _shape(case)
    flops = shape.dense_flops + shape.head_flops
    dense = sheet.put("flops_a_token", flops, "FLOP", f"2 x elements a token meets on one GPU: {case.config}")
    rate = sheet.put(
        "flop_s",
        flops / r.token_s if r.token_s else 1.0,
        "FLOP/s",
        f"{case.card.name}'s dense rate x {_fitted(case, 'decode_compute')}",
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
            f"{case.card.name}'s dense rate x {_fitted(case, 'expert_compute')}",
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
    sheet, r, shape = Sheet(), _rates(case), _shape(case)
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
            f"16-bit rate of {case.sheet}; {_fitted(case, 'latent_compute')}",
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
    sheet, r = Sheet(), _rates(case)
    fixed = sheet.put(
        "fixed_s", r.pass_s, "s", _fitted(case, "step_s", "layer_s", "moe_layer_s", "latent_layer_s"), "fitted"
    )
    each = sheet.put("sequence_s", r.sequence_s, "s", _fitted(case, "sequence_s"), "fitted")
    return sheet.working(
        "serving.overhead_s",
        "Overhead of one step",
        _serving(case).overhead_s,
        "s",
        "launching all layers and the engine's own work + sequences x work for each",
        f"{fixed} + {_put_flight(case, sheet)} * {each}",
        "fitted",
        MODEL,
    )


def _segment(points: tuple[int, ...], tokens: float) -> int:
    at = 0
    while at < len(points) - 2 and tokens > points[at + 1]:
        at += 1
    return at


def _wire(
    sheet: Sheet, points: tuple[int, ...], seconds: tuple[float, ...], tokens: str, value: float, what: str
) -> str:
    """Seconds in collectives straight between two priced sizes, as arithmetic."""
    at = _segment(points, value)
    low, high = points[at], points[at + 1]
    small = sheet.put(f"at_{low}_tokens", seconds[at], "s", what, "fitted")
    large = sheet.put(f"at_{high}_tokens", seconds[at + 1], "s", what, "fitted")
    line = f"({small} + ({large} - {small}) * ({tokens} - {low}) / ({high} - {low}))"
    if seconds[at] + (seconds[at + 1] - seconds[at]) * (value - low) / (high - low) > 0.0:
        return line
    return f"({sheet.put(f'at_{points[0]}_tokens', seconds[0], 's', what, 'fitted')} * {tokens} / {points[0]})"


def _links(case: Case) -> str:
    hardware = case.scenario.hardware
    across = f" and {hardware.inter_link.name}" if hardware.nodes > 1 else ""
    return (
        f"collectives of one pass over {hardware.intra_link.name}{across}: engine.traffic, engine.collectives "
        f"({hardware.intra_link.source or 'catalog'})"
    )


def _communication(case: Case) -> Working:
    sheet, r = Sheet(), _rates(case)
    expression = "0"
    if r.wire_s:
        what = _links(case)
        first = sheet.put("at_1_tokens", r.decode_wire[0], "s", what, "fitted")
        latency = sheet.put(
            "collective_latency", r.wire_s / r.decode_wire[0], "", _fitted(case, "collective_latency"), "fitted"
        )
        growth = sheet.put("collective_bytes", r.wire_growth, "", _fitted(case, "collective_bytes"), "fitted")
        _, local = _flight(case, _load(case).running)
        line = _wire(sheet, DECODE_POINTS, r.decode_wire, _put_local(case, sheet), local, what)
        expression = f"{first} * {latency} + {growth} * ({line} - {first})"
    return sheet.working(
        "serving.communication_s",
        "In links, one step",
        _serving(case).communication_s,
        "s",
        "collectives of a pass with one sequence, and what more sequences add",
        expression,
        "fitted",
        MODEL,
    )


def _step_s(case: Case) -> Working:
    sheet, step, r = Sheet(), _step(case), _rates(case)
    return _step_working(case, sheet, step, r, "serving.step_s", "One decode step", _load(case).running, True)


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
        "overlap_power", OVERLAP_POWER, "", "a smooth maximum: engine.serving_speed.OVERLAP_POWER", "rule of thumb"
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


# --- the prompt --------------------------------------------------------------------------------


def _prompt_terms(case: Case, sheet: Sheet) -> tuple[str, str]:
    """(products of the prompt, attention and collectives of it), as arithmetic."""
    r, shape, work = _rates(case), _shape(case), case.scenario.workload
    tokens = max(1, work.input_tokens)
    prompt = sheet.entered("prompt", tokens, "tokens")
    copies = sheet.put("attention_copies", r.copies, "", "ways in which the engine's sequences are split: layout")
    each = sheet.put(
        "token_s",
        r.prefill_token_s,
        "s",
        f"{shape.dense_flops:,.0f} FLOPs a token on one GPU / (dense rate of {case.card.name} x {_fitted(case, 'compute')})",
        "fitted",
    )
    own = "0"
    if r.prefill_expert_token_s:
        own = sheet.put(
            "expert_token_s",
            r.prefill_expert_token_s,
            "s",
            f"{shape.expert_flops:,.0f} FLOPs of its experts / (dense rate x {_fitted(case, 'expert_compute')})",
            "fitted",
        )
    linear = f"{prompt} * ({each} / {copies} + {own})" if own != "0" else f"{prompt} * {each} / {copies}"
    rest = []
    for band, seconds in r.prefill_attention:
        seen_s = sheet.put(
            "pair_s",
            seconds,
            "s",
            f"scores of one query and key on one GPU: {_fitted(case, 'attention_compute')}",
            "fitted",
        )
        seen = f"{prompt} / 2"
        if band.limit and tokens > band.limit:
            window = sheet.put("window", band.limit, "tokens", case.config)
            seen = f"({window} - {window} * {window} / (2 * {prompt}))"
        rest.append(f"{seen_s} * {seen} * {prompt} / {copies}")
    if r.prefill_wire[0]:
        wire = prompt_s(r, tokens)[2]
        rest.append(sheet.put("links", wire, "s", f"{_links(case)}; {_fitted(case, 'collective_prefill')}", "fitted"))
    return linear, " + ".join(rest) or "0"


def _prompt_share(case: Case) -> Working:
    """What one prompt takes from the others, on the path of a batch."""
    sheet, r = Sheet(), _rates(case)
    linear, rest = _prompt_terms(case, sheet)
    value = prompt_s(r, max(1, case.scenario.workload.input_tokens))[1]
    return sheet.working(
        "serving.prompt_s",
        "Work of one prompt",
        value,
        "s",
        "products of its tokens + causal attention + collectives",
        f"{linear} + {rest}",
        "fitted",
        MODEL,
    )


def _prompt_alone(case: Case) -> Working:
    sheet, r = Sheet(), _rates(case)
    linear, rest = _prompt_terms(case, sheet)
    tokens = max(1, case.scenario.workload.input_tokens)
    weights = sheet.put("weights_s", r.dense_s + r.expert_s, "s", "reading all weights of one GPU once", "fitted")
    power = sheet.put(
        "overlap_power", OVERLAP_POWER, "", "a smooth maximum: engine.serving_speed.OVERLAP_POWER", "rule of thumb"
    )
    expression = f"({weights} ** {power} + ({linear}) ** {power}) ** (1 / {power}) + {rest}"
    if r.stages > 1:
        pieces = f"ceil({sheet.entered('prompt', tokens, 'tokens')} / {sheet.put('chunk', r.chunk, 'tokens', 'of one pass: engine.serving_speed', 'rule of thumb')})"
        stages = sheet.put("stages", r.stages, "", "pipeline stages")
        expression = f"({expression}) * ({pieces} + {stages} - 1) / ({pieces} * {stages})"
    return sheet.working(
        "serving.prompt_alone_s",
        "Reading one prompt, alone",
        prompt_s(r, tokens)[0],
        "s",
        "the larger of reading weights and the prompt's products, + attention + collectives; stages work in step",
        expression,
        "fitted",
        MODEL,
    )


def _interference(case: Case) -> Working:
    sheet, r, now = Sheet(), _rates(case), _load(case)
    share = sheet.see(
        "prompt_work", prompt_s(r, max(1, case.scenario.workload.input_tokens))[1], "s", "serving.prompt_s"
    )
    stages = sheet.put("stages", r.stages, "", "pipeline stages: the next prompt is read behind")
    running = sheet.see("running", now.running, "sequences", "serving.running")
    answer = sheet.entered("answer", _answer(case), "tokens")
    factor = sheet.put("interference", r.interference, "", _fitted(case, "interference"), "fitted")
    burst = _burst(case, sheet)
    expression = f"max(0, {running} - 1) * {share} / {stages} / {answer} * {factor}"
    if burst:
        expression += f" * (1 - {burst} / 2)"
    return sheet.working(
        "serving.prefill_interference_s",
        "Prompts of others, per token",
        _serving(case).prefill_interference_s,
        "s",
        "each answer's time holds one prompt of every other user: (running - 1) x work of a prompt / answer",
        expression,
        "fitted",
        MODEL,
    )


def _burst(case: Case, sheet: Sheet) -> str:
    requests, now = _requests(case), _load(case)
    if not requests:
        return ""
    if requests <= case.scenario.workload.concurrency / _engines(case)[1]:
        return sheet.put("burst", 1.0, "", "all requests are sent at once")
    running = sheet.see("running", now.running, "sequences", "serving.running")
    return f"min(1, {running} / {sheet.put('requests', requests, 'requests', 'entered, of one engine', 'entered')})"


# --- what a person sees -------------------------------------------------------------------------


def _inter_token(case: Case) -> Working:
    sheet, now, serving = Sheet(), _load(case), _serving(case)
    step = sheet.see("step", now.step.seconds, "s", "serving.step_s")
    others = sheet.see("prompts_of_others", now.interference_s, "s", "serving.prefill_interference_s")
    return sheet.working(
        "serving.inter_token_s",
        "Time per token",
        serving.inter_token_s,
        "s",
        "one decode step + the prompts of others read in between",
        f"{step} + {others}",
        "fitted",
        f"{MODEL}; {_spread(case, 'inter_token')}",
        serving.inter_token_interval,
    )


def _first(case: Case, sheet: Sheet, now: Load) -> str:
    """The first-token time without waiting for a place, as arithmetic."""
    r, work = _rates(case), case.scenario.workload
    share = prompt_s(r, max(1, work.input_tokens))[1]
    fixed = sheet.put("fixed_s", r.prefill_fixed_s, "s", _fitted(case, "prefill_s"), "fitted")
    alone = sheet.see("prompt_alone", prompt_s(r, max(1, work.input_tokens))[0], "s", "serving.prompt_alone_s")
    step = sheet.see("step", now.step.seconds, "s", "serving.step_s")
    expression = f"{fixed} + {alone}"
    gather = case.scenario.runtime.admission_wait_steps
    if gather:
        expression += f" + {sheet.entered('admission_wait_steps', gather, 'steps')} * {step}"
    if now.running > 1.0:
        running = sheet.see("running", now.running, "sequences", "serving.running")
        names = ("prefill_layer_s", "prefill_moe_layer_s")
        beside = sheet.put("beside_s", r.prefill_beside_s, "s", _fitted(case, *names), "fitted")
        expression += f" + {beside} * (1 - 1 / {running})"
        wait = sheet.see("wait", _wait_value(case, now), "s", "serving.wait_s")
        burst = _burst(case, sheet)
        if burst:
            work_s = sheet.see("prompt_work", share, "s", "serving.prompt_s")
            stages = sheet.put("stages", r.stages, "", "pipeline stages")
            expression += f" + (1 - {burst}) * {wait} + {burst} * ({running} - 1) * {work_s} / {stages} / 2"
        else:
            expression += f" + {wait}"
    return expression


def _wait_value(case: Case, now: Load) -> float:
    r, work = _rates(case), case.scenario.workload
    share = prompt_s(r, max(1, work.input_tokens))[1] / r.stages
    busy = now.running * share / (now.running * share + _answer(case) * now.step.seconds) * r.queueing
    others = max(0.0, now.running - 1.0) * share
    alike = share * busy / (2.0 * max(0.02, 1.0 - busy))
    return alike * others / (2.0 * alike + others) + now.step.seconds / 2


def _wait(case: Case) -> Working:
    sheet, r, now = Sheet(), _rates(case), _load(case)
    running = sheet.see("running", now.running, "sequences", "serving.running")
    step = sheet.see("step", now.step.seconds, "s", "serving.step_s")
    work_s = sheet.see(
        "prompt_work", prompt_s(r, max(1, case.scenario.workload.input_tokens))[1], "s", "serving.prompt_s"
    )
    answer = sheet.entered("answer", _answer(case), "tokens")
    stages = sheet.put("stages", r.stages, "", "pipeline stages")
    share = f"({work_s} / {stages})"
    queueing = sheet.put("queueing", r.queueing, "", _fitted(case, "queueing"), "fitted")
    busy = f"({running} * {share} / ({running} * {share} + {answer} * {step}) * {queueing})"
    alike = f"({share} * {busy} / (2 * max(0.02, 1 - {busy})))"
    others = f"(({running} - 1) * {share})"
    return sheet.working(
        "serving.wait_s",
        "Waiting for a turn",
        _wait_value(case, now),
        "s",
        "a queue of prompts, M/D/1: work x load / (2 (1 - load)), at most half of all others, and half a decode step",
        f"{alike} * {others} / (2 * {alike} + {others}) + {step} / 2",
        "fitted",
        MODEL,
    )


def _cycle(case: Case, sheet: Sheet, now: Load) -> str:
    """Seconds of one whole request of one engine that is not waiting for a place."""
    token = sheet.see("per_token", now.inter_token_s, "s", "serving.inter_token_s")
    answer = sheet.entered("answer", _answer(case), "tokens")
    first = sheet.see("first_served", _first_value(case, now), "s", "serving.first_served_s")
    return f"({first} + {token} * ({answer} - 1))"


def _first_value(case: Case, now: Load) -> float:
    """The first-token time of a request that has its place: what the throughput implies."""
    answer = _answer(case)
    return now.running * answer / now.tokens_per_s - now.inter_token_s * (answer - 1)


def _first_served(case: Case) -> Working:
    sheet, now = Sheet(), _load(case)
    expression = _first(case, sheet, now)
    return sheet.working(
        "serving.first_served_s",
        "First token of a request that is being served",
        _first_value(case, now),
        "s",
        "fixed part + reading the prompt + waiting for the prompts before it",
        expression,
        "fitted",
        MODEL,
    )


def _ttft(case: Case) -> Working:
    sheet, now, serving, work = Sheet(), _load(case), _serving(case), case.scenario.workload
    users = work.concurrency / _engines(case)[1]
    waves = users / now.running
    expression = sheet.see("first_served", _first_value(case, now), "s", "serving.first_served_s")
    formula = "the first token of a request that is being served"
    if waves > 1.0:
        share = 0.5 if 0 < _requests(case) <= users else 1.0
        all_users = sheet.put("users_of_engine", users, "users", "entered, over the engines", "entered")
        running = sheet.see("running", now.running, "sequences", "serving.running")
        expression += f" + {_cycle(case, sheet, now)} * ({all_users} / {running} - 1)"
        if share != 1.0:
            expression += f" * {share}"
        formula += ", and whole requests of those who hold a place first"
    return sheet.working(
        "serving.ttft_s",
        "Time to the first token",
        serving.ttft_s,
        "s",
        formula,
        expression,
        "fitted",
        f"{MODEL}; {_spread(case, 'ttft')}",
        serving.ttft_interval,
    )


def _simple(
    figure: str, title: str, unit: str, formula: str, write: Callable[[Case, Sheet], str], interval: str = ""
) -> Callable[[Case], Working]:
    """A working whose value is the field of Serving of that name."""

    def make(case: Case) -> Working:
        sheet, serving = Sheet(), _serving(case)
        expression = write(case, sheet)
        source = f"{MODEL}; {_spread(case, interval)}" if interval else MODEL
        spread: Interval | None = getattr(serving, f"{interval}_interval") if interval else None
        return sheet.working(
            f"serving.{figure}", title, getattr(serving, figure), unit, formula, expression, "fitted", source, spread
        )

    return make


def _user(case: Case, sheet: Sheet) -> str:
    return f"1 / {sheet.see('per_token', _serving(case).inter_token_s, 's', 'serving.inter_token_s')}"


def _total(case: Case, sheet: Sheet) -> str:
    now = _load(case)
    running = sheet.see("running", now.running, "sequences", "serving.running")
    used = sheet.put("engines", _engines(case)[1], "", "independent engines of the layout that the load uses")
    answer = sheet.entered("answer", _answer(case), "tokens")
    return f"{running} * {answer} / {_cycle(case, sheet, now)} * {used}"


def _requests_s(case: Case, sheet: Sheet) -> str:
    total = sheet.see("tokens_s", _serving(case).tokens_per_s_total, "tokens/s", "serving.tokens_per_s_total")
    return f"{total} / {sheet.entered('answer', _answer(case), 'tokens')}"


def _share(case: Case, sheet: Sheet) -> str:
    serving, now = _serving(case), _load(case)
    links = sheet.see("links", serving.communication_s, "s", "serving.communication_s")
    token = sheet.see("per_token", serving.inter_token_s, "s", "serving.inter_token_s")
    others = sheet.put(
        "links_of_prompts", now.interference_wire_s, "s", f"of the prompts of others: {_links(case)}", "fitted"
    )
    return f"({links} + {others}) / {token}"


def _prefill_rate(case: Case, sheet: Sheet) -> str:
    r, work = _rates(case), case.scenario.workload
    prompt = sheet.entered("prompt", max(1, work.input_tokens), "tokens")
    work_s = sheet.see("prompt_work", prompt_s(r, max(1, work.input_tokens))[1], "s", "serving.prompt_s")
    stages = sheet.put("stages", r.stages, "", "pipeline stages")
    engines = sheet.put("engines", _engines(case)[0], "", "independent engines of the layout")
    return f"{prompt} * {stages} / {work_s} * {engines}"


def _served(case: Case, sheet: Sheet) -> str:
    running = sheet.see("running", _load(case).running, "sequences", "serving.running")
    used = sheet.put("engines", _engines(case)[1], "", "independent engines of the layout that the load uses")
    return f"floor({running} * {used})"


def _single(case: Case, sheet: Sheet) -> str:
    step = decode_step(_rates(case), 1, _context(case)).seconds
    return f"1 / {sheet.see('step_alone', step, 's', 'serving.step_alone_s')}"


def _step_alone(case: Case) -> Working:
    r = _rates(case)
    step = decode_step(r, 1, _context(case))
    return _step_working(case, Sheet(), step, r, "serving.step_alone_s", "One decode step of one user", 1.0, False)


def _throughput(case: Case, sheet: Sheet, state: Load, users: str) -> str:
    answer = sheet.entered("answer", _answer(case), "tokens")
    first = sheet.put(
        "first_served", _first_value(case, state), "s", "as serving.first_served_s, under that load", "fitted"
    )
    token = sheet.put("per_token", state.inter_token_s, "s", "as serving.inter_token_s, under that load", "fitted")
    engines = sheet.put("engines", _engines(case)[0], "", "independent engines of the layout")
    return f"{users} * {answer} / ({first} + {token} * ({answer} - 1)) * {engines}"


def _offline(case: Case, sheet: Sheet) -> str:
    most = sheet.see("most", _cap(case), "sequences", "serving.running_limit")
    return _throughput(case, sheet, _at(case, _cap(case)), most)


def _best_users(case: Case) -> float:
    from engine.serving_speed import best_load

    work = case.scenario.workload
    return best_load(
        work.ttft_target_s, work.tokens_per_s_user_target, _rates(case), _cap(case), work.input_tokens, _answer(case)
    )[0]


def _best(case: Case, sheet: Sheet) -> str:
    users = _best_users(case)
    engines = sheet.put("engines", _engines(case)[0], "", "independent engines of the layout")
    if users == _cap(case):
        return f"floor({sheet.see('most', users, 'sequences', 'serving.running_limit')} * {engines})"
    found = sheet.put("users_of_engine", users, "users", "found by halving: the most inside the targets", "fitted")
    return f"floor({found} * {engines})"


def _best_total(case: Case, sheet: Sheet) -> str:
    users = _best_users(case)
    if users < 1:
        return "0"
    name = sheet.put("users_of_engine", users, "users", "the most inside the targets and the memory", "fitted")
    return _throughput(case, sheet, _at(case, users), name)


FIGURES: dict[str, Callable[[Case], Working]] = {
    "ttft_s": _ttft,
    "inter_token_s": _inter_token,
    "tokens_per_s_user": _simple(
        "tokens_per_s_user", "Tokens a second for one user", "tokens/s", "1 / time per token", _user
    ),
    "tokens_per_s_total": _simple(
        "tokens_per_s_total",
        "Tokens a second for all users",
        "tokens/s",
        "requests at once x answer / time of one request x engines",
        _total,
        "tokens_per_s",
    ),
    "requests_per_s": _simple(
        "requests_per_s", "Requests a second", "requests/s", "tokens a second / answer", _requests_s
    ),
    "communication_share": _simple(
        "communication_share",
        "Share of a token's time in links",
        "",
        "(links of the step + of prompts) / time per token",
        _share,
    ),
    "prefill_tokens_per_s": _simple(
        "prefill_tokens_per_s",
        "Prompt tokens a second",
        "tokens/s",
        "prompt / its work, stages and engines side by side",
        _prefill_rate,
    ),
    "served_concurrency": _simple(
        "served_concurrency", "Users served at once", "users", "requests that one engine runs x engines", _served
    ),
    "single_stream_tokens_per_s": _simple(
        "single_stream_tokens_per_s",
        "Tokens a second of one user alone",
        "tokens/s",
        "1 / decode step of one sequence",
        _single,
    ),
    "offline_tokens_per_s": _simple(
        "offline_tokens_per_s",
        "Tokens a second with the batch kept full",
        "tokens/s",
        "requests that fit x answer / time of one request x engines",
        _offline,
    ),
    "best_concurrency": _simple(
        "best_concurrency", "Best load", "users", "the most users inside the targets x engines", _best
    ),
    "best_tokens_per_s_total": _simple(
        "best_tokens_per_s_total",
        "Tokens a second at the best load",
        "tokens/s",
        "users x answer / time of one request x engines",
        _best_total,
    ),
    "weight_stream_s": _weight_stream,
    "kv_stream_s": _kv_stream,
    "compute_s": _compute,
    "overhead_s": _overhead,
    "communication_s": _communication,
    "prefill_interference_s": _interference,
    "running": _running,
    "running_limit": _running_limit,
    "products_s": _products,
    "attention_s": _attention,
    "step_s": _step_s,
    "step_alone_s": _step_alone,
    "prompt_s": _prompt_share,
    "prompt_alone_s": _prompt_alone,
    "wait_s": _wait,
    "first_served_s": _first_served,
}
"""By the name of the field of `Serving`, then the quantities that these are worked out from."""
