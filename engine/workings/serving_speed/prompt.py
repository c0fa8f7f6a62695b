"""The prompt: what it takes alone, and from the requests that it is read beside."""

from __future__ import annotations

from collections.abc import Callable

from engine.serving.speed import OVERLAP_POWER, prompt_s
from engine.workings.case import Case
from engine.workings.record import Sheet, Working
from engine.workings.serving_speed.shared import (
    MODEL,
    answer_tokens,
    fitted_words,
    links_words,
    load_asked,
    rates_in,
    requests_of_engine,
    serving_in,
    shape_in,
    users_of_engine,
)


def _prompt_terms(case: Case, sheet: Sheet) -> tuple[str, str]:
    """(products of the prompt, attention and collectives of it), as arithmetic."""
    r, shape, work = rates_in(case), shape_in(case), case.scenario.workload
    tokens = max(1, work.input_tokens)
    prompt = sheet.entered("prompt", tokens, "tokens")
    copies = sheet.put("attention_copies", r.copies, "", "ways in which the engine's sequences are split: layout")
    each = sheet.put(
        "token_s",
        r.prefill_token_s,
        "s",
        f"{shape.dense_flops:,.0f} FLOPs a token on one GPU / (dense rate of {case.card.name} x {fitted_words(case, 'compute')})",
        "fitted",
    )
    own = "0"
    if r.prefill_expert_token_s:
        own = sheet.put(
            "expert_token_s",
            r.prefill_expert_token_s,
            "s",
            f"{shape.expert_flops:,.0f} FLOPs of its experts / (dense rate x {fitted_words(case, 'expert_compute')})",
            "fitted",
        )
    linear = f"{prompt} * ({each} / {copies} + {own})" if own != "0" else f"{prompt} * {each} / {copies}"
    rest = []
    for band, seconds in r.prefill_attention:
        seen_s = sheet.put(
            "pair_s",
            seconds,
            "s",
            f"scores of one query and key on one GPU: {fitted_words(case, 'attention_compute')}",
            "fitted",
        )
        seen = f"{prompt} / 2"
        if band.limit and tokens > band.limit:
            window = sheet.put("window", band.limit, "tokens", case.config)
            seen = f"({window} - {window} * {window} / (2 * {prompt}))"
        rest.append(f"{seen_s} * {seen} * {prompt} / {copies}")
    if r.prefill_wire[0]:
        wire = prompt_s(r, tokens)[2]
        rest.append(
            sheet.put("links", wire, "s", f"{links_words(case)}; {fitted_words(case, 'collective_prefill')}", "fitted")
        )
    return linear, " + ".join(rest) or "0"


def _prompt_share(case: Case) -> Working:
    """What one prompt takes from the others, on the path of a batch."""
    sheet, r = Sheet(), rates_in(case)
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
    sheet, r = Sheet(), rates_in(case)
    linear, rest = _prompt_terms(case, sheet)
    tokens = max(1, case.scenario.workload.input_tokens)
    weights = sheet.put("weights_s", r.dense_s + r.expert_s, "s", "reading all weights of one GPU once", "fitted")
    power = sheet.put(
        "overlap_power", OVERLAP_POWER, "", "a smooth maximum: engine.serving.speed.OVERLAP_POWER", "rule of thumb"
    )
    expression = f"({weights} ** {power} + ({linear}) ** {power}) ** (1 / {power}) + {rest}"
    if r.stages > 1:
        pieces = f"ceil({sheet.entered('prompt', tokens, 'tokens')} / {sheet.put('chunk', r.chunk, 'tokens', 'of one pass: engine.serving.speed', 'rule of thumb')})"
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
    sheet, r, now = Sheet(), rates_in(case), load_asked(case)
    share = sheet.see(
        "prompt_work", prompt_s(r, max(1, case.scenario.workload.input_tokens))[1], "s", "serving.prompt_s"
    )
    stages = sheet.put("stages", r.stages, "", "pipeline stages: the next prompt is read behind")
    running = sheet.see("running", now.running, "sequences", "serving.running")
    answer = sheet.entered("answer", answer_tokens(case), "tokens")
    factor = sheet.put("interference", r.interference, "", fitted_words(case, "interference"), "fitted")
    burst = put_burst(case, sheet)
    expression = f"max(0, {running} - 1) * {share} / {stages} / {answer} * {factor}"
    if burst:
        expression += f" * (1 - {burst} / 2)"
    return sheet.working(
        "serving.prefill_interference_s",
        "Prompts of others, per token",
        serving_in(case).prefill_interference_s,
        "s",
        "each answer's time holds one prompt of every other user: (running - 1) x work of a prompt / answer",
        expression,
        "fitted",
        MODEL,
    )


def put_burst(case: Case, sheet: Sheet) -> str:
    """Share of the requests that start together, as arithmetic; empty in a steady state."""
    requests, now = requests_of_engine(case), load_asked(case)
    if not requests:
        return ""
    if requests <= users_of_engine(case):
        return sheet.put("burst", 1.0, "", "all requests are sent at once")
    running = sheet.see("running", now.running, "sequences", "serving.running")
    return f"min(1, {running} / {sheet.put('requests', requests, 'requests', 'entered, of one engine', 'entered')})"


FIGURES: dict[str, Callable[[Case], Working]] = {
    "prefill_interference_s": _interference,
    "prompt_s": _prompt_share,
    "prompt_alone_s": _prompt_alone,
}
