"""One request: its wait, its first token and the time between tokens."""

from __future__ import annotations

from collections.abc import Callable

from engine.serving.speed import Load, prompt_s
from engine.workings.case import Case
from engine.workings.record import Sheet, Working
from engine.workings.serving_speed.prompt import put_burst
from engine.workings.serving_speed.shared import (
    MODEL,
    answer_tokens,
    fitted_words,
    load_asked,
    rates_in,
    requests_of_engine,
    serving_in,
    spread_words,
    users_of_engine,
)


def _inter_token(case: Case) -> Working:
    sheet, now, serving = Sheet(), load_asked(case), serving_in(case)
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
        f"{MODEL}; {spread_words(case, 'inter_token')}",
        serving.inter_token_interval,
    )


def _first(case: Case, sheet: Sheet, now: Load) -> str:
    """The first-token time without waiting for a place, as arithmetic."""
    r, work = rates_in(case), case.scenario.workload
    share = prompt_s(r, max(1, work.input_tokens))[1]
    fixed = sheet.put("fixed_s", r.prefill_fixed_s, "s", fitted_words(case, "prefill_s"), "fitted")
    alone = sheet.see("prompt_alone", prompt_s(r, max(1, work.input_tokens))[0], "s", "serving.prompt_alone_s")
    step = sheet.see("step", now.step.seconds, "s", "serving.step_s")
    expression = f"{fixed} + {alone}"
    gather = case.scenario.runtime.admission_wait_steps
    if gather:
        expression += f" + {sheet.entered('admission_wait_steps', gather, 'steps')} * {step}"
    if now.running > 1.0:
        running = sheet.see("running", now.running, "sequences", "serving.running")
        names = ("prefill_layer_s", "prefill_moe_layer_s")
        beside = sheet.put("beside_s", r.prefill_beside_s, "s", fitted_words(case, *names), "fitted")
        expression += f" + {beside} * (1 - 1 / {running})"
        wait = sheet.see("wait", _wait_value(case, now), "s", "serving.wait_s")
        burst = put_burst(case, sheet)
        if burst:
            work_s = sheet.see("prompt_work", share, "s", "serving.prompt_s")
            stages = sheet.put("stages", r.stages, "", "pipeline stages")
            expression += f" + (1 - {burst}) * {wait} + {burst} * ({running} - 1) * {work_s} / {stages} / 2"
        else:
            expression += f" + {wait}"
    return expression


def _wait_value(case: Case, now: Load) -> float:
    r, work = rates_in(case), case.scenario.workload
    share = prompt_s(r, max(1, work.input_tokens))[1] / r.stages
    busy = now.running * share / (now.running * share + answer_tokens(case) * now.step.seconds) * r.queueing
    others = max(0.0, now.running - 1.0) * share
    alike = share * busy / (2.0 * max(0.02, 1.0 - busy))
    return alike * others / (2.0 * alike + others) + now.step.seconds / 2


def _wait(case: Case) -> Working:
    sheet, r, now = Sheet(), rates_in(case), load_asked(case)
    running = sheet.see("running", now.running, "sequences", "serving.running")
    step = sheet.see("step", now.step.seconds, "s", "serving.step_s")
    work_s = sheet.see(
        "prompt_work", prompt_s(r, max(1, case.scenario.workload.input_tokens))[1], "s", "serving.prompt_s"
    )
    answer = sheet.entered("answer", answer_tokens(case), "tokens")
    stages = sheet.put("stages", r.stages, "", "pipeline stages")
    share = f"({work_s} / {stages})"
    queueing = sheet.put("queueing", r.queueing, "", fitted_words(case, "queueing"), "fitted")
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


def put_cycle(case: Case, sheet: Sheet, now: Load) -> str:
    """Seconds of one whole request of one engine that is not waiting for a place."""
    token = sheet.see("per_token", now.inter_token_s, "s", "serving.inter_token_s")
    answer = sheet.entered("answer", answer_tokens(case), "tokens")
    first = sheet.see("first_served", first_value(case, now), "s", "serving.first_served_s")
    return f"({first} + {token} * ({answer} - 1))"


def first_value(case: Case, now: Load) -> float:
    """The first-token time of a request that has its place: what the throughput implies."""
    answer = answer_tokens(case)
    return now.running * answer / now.tokens_per_s - now.inter_token_s * (answer - 1)


def _first_served(case: Case) -> Working:
    sheet, now = Sheet(), load_asked(case)
    expression = _first(case, sheet, now)
    return sheet.working(
        "serving.first_served_s",
        "First token of a request that is being served",
        first_value(case, now),
        "s",
        "fixed part + reading the prompt + waiting for the prompts before it",
        expression,
        "fitted",
        MODEL,
    )


def _ttft(case: Case) -> Working:
    sheet, now, serving = Sheet(), load_asked(case), serving_in(case)
    users = users_of_engine(case)
    waves = users / now.running
    expression = sheet.see("first_served", first_value(case, now), "s", "serving.first_served_s")
    formula = "the first token of a request that is being served"
    if waves > 1.0:
        share = 0.5 if 0 < requests_of_engine(case) <= users else 1.0
        all_users = sheet.put("users_of_engine", users, "users", "entered, over the engines", "entered")
        running = sheet.see("running", now.running, "sequences", "serving.running")
        expression += f" + {put_cycle(case, sheet, now)} * ({all_users} / {running} - 1)"
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
        f"{MODEL}; {spread_words(case, 'ttft')}",
        serving.ttft_interval,
    )


FIGURES: dict[str, Callable[[Case], Working]] = {
    "ttft_s": _ttft,
    "inter_token_s": _inter_token,
    "wait_s": _wait,
    "first_served_s": _first_served,
}
