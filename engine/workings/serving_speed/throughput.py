"""Tokens and requests a second: of one user, of all, and at the best load."""

from __future__ import annotations

from collections.abc import Callable

from engine.figures.units import HOURS_PER_DAY, SECONDS_PER_DAY
from engine.serving.speed import Load, decode_step, prompt_s
from engine.sizing import Interval
from engine.workings.case import Case
from engine.workings.record import Sheet, Working
from engine.workings.serving_speed.request import first_value, put_cycle
from engine.workings.serving_speed.shared import (
    MODEL,
    answer_tokens,
    best_users,
    context_tokens,
    engines_of,
    links_words,
    load_asked,
    load_under,
    rates_in,
    running_cap,
    serving_in,
    spread_words,
)


def _simple(
    figure: str, title: str, unit: str, formula: str, write: Callable[[Case, Sheet], str], interval: str = ""
) -> Callable[[Case], Working]:
    """A working whose value is the field of Serving of that name."""

    def make(case: Case) -> Working:
        sheet, serving = Sheet(), serving_in(case)
        expression = write(case, sheet)
        source = f"{MODEL}; {spread_words(case, interval)}" if interval else MODEL
        spread: Interval | None = getattr(serving, f"{interval}_interval") if interval else None
        return sheet.working(
            f"serving.{figure}", title, getattr(serving, figure), unit, formula, expression, "fitted", source, spread
        )

    return make


def _user(case: Case, sheet: Sheet) -> str:
    return f"1 / {sheet.see('per_token', serving_in(case).inter_token_s, 's', 'serving.inter_token_s')}"


def _total(case: Case, sheet: Sheet) -> str:
    now = load_asked(case)
    running = sheet.see("running", now.running, "sequences", "serving.running")
    used = sheet.put("engines", engines_of(case)[1], "", "independent engines of the layout that the load uses")
    answer = sheet.entered("answer", answer_tokens(case), "tokens")
    return f"{running} * {answer} / {put_cycle(case, sheet, now)} * {used}"


def _requests_s(case: Case, sheet: Sheet) -> str:
    total = sheet.see("tokens_s", serving_in(case).tokens_per_s_total, "tokens/s", "serving.tokens_per_s_total")
    return f"{total} / {sheet.entered('answer', answer_tokens(case), 'tokens')}"


def _share(case: Case, sheet: Sheet) -> str:
    serving, now = serving_in(case), load_asked(case)
    links = sheet.see("links", serving.communication_s, "s", "serving.communication_s")
    token = sheet.see("per_token", serving.inter_token_s, "s", "serving.inter_token_s")
    others = sheet.put(
        "links_of_prompts", now.interference_wire_s, "s", f"of the prompts of others: {links_words(case)}", "fitted"
    )
    return f"({links} + {others}) / {token}"


def _prefill_rate(case: Case, sheet: Sheet) -> str:
    r, work = rates_in(case), case.scenario.workload
    prompt = sheet.entered("prompt", max(1, work.input_tokens), "tokens")
    work_s = sheet.see("prompt_work", prompt_s(r, max(1, work.input_tokens))[1], "s", "serving.prompt_s")
    stages = sheet.put("stages", r.stages, "", "pipeline stages")
    engines = sheet.put("engines", engines_of(case)[0], "", "independent engines of the layout")
    return f"{prompt} * {stages} / {work_s} * {engines}"


def _served(case: Case, sheet: Sheet) -> str:
    running = sheet.see("running", load_asked(case).running, "sequences", "serving.running")
    used = sheet.put("engines", engines_of(case)[1], "", "independent engines of the layout that the load uses")
    return f"floor({running} * {used})"


def _single(case: Case, sheet: Sheet) -> str:
    step = decode_step(rates_in(case), 1, context_tokens(case)).seconds
    return f"1 / {sheet.see('step_alone', step, 's', 'serving.step_alone_s')}"


def _throughput(case: Case, sheet: Sheet, state: Load, users: str) -> str:
    answer = sheet.entered("answer", answer_tokens(case), "tokens")
    first = sheet.put(
        "first_served", first_value(case, state), "s", "as serving.first_served_s, under that load", "fitted"
    )
    token = sheet.put("per_token", state.inter_token_s, "s", "as serving.inter_token_s, under that load", "fitted")
    engines = sheet.put("engines", engines_of(case)[0], "", "independent engines of the layout")
    return f"{users} * {answer} / ({first} + {token} * ({answer} - 1)) * {engines}"


def _offline(case: Case, sheet: Sheet) -> str:
    most = sheet.see("most", running_cap(case), "sequences", "serving.running_limit")
    return _throughput(case, sheet, load_under(case, running_cap(case)), most)


def _best(case: Case, sheet: Sheet) -> str:
    users = best_users(case)
    engines = sheet.put("engines", engines_of(case)[0], "", "independent engines of the layout")
    if users == running_cap(case):
        return f"floor({sheet.see('most', users, 'sequences', 'serving.running_limit')} * {engines})"
    found = sheet.put("users_of_engine", users, "users", "found by halving: the most inside the targets", "fitted")
    return f"round({found} * {engines})"


def _limit(case: Case, sheet: Sheet) -> str:
    most = sheet.see("most", running_cap(case), "sequences", "serving.running_limit")
    return f"floor({most} * {sheet.put('engines', engines_of(case)[0], '', 'independent engines of the layout')})"


def _best_rate(case: Case, sheet: Sheet) -> str:
    best = serving_in(case).best_tokens_per_s_total
    total = sheet.see("best_tokens_s", best, "tokens/s", "serving.best_tokens_per_s_total")
    return f"{total} / {sheet.entered('answer', answer_tokens(case), 'tokens')}"


def _corpus(case: Case, sheet: Sheet) -> str:
    work = case.scenario.workload
    tokens = sheet.entered("tokens", work.corpus_tokens or 0, "tokens")
    return f"{tokens} / {sheet.see('each', work.tokens_per_request, 'tokens', 'load.tokens_per_request', 'entered')}"


def _days(case: Case, sheet: Sheet) -> str:
    serving = serving_in(case)
    requests = sheet.see("requests", serving.corpus_requests or 0.0, "requests", "serving.corpus_requests", "entered")
    speed = sheet.see("requests_s", serving.requests_per_s, "requests/s", "serving.requests_per_s")
    return f"{requests} / {speed} / {sheet.put('seconds_a_day', SECONDS_PER_DAY, 's', 'by definition')}"


def _gpu_hours(case: Case, sheet: Sheet) -> str:
    length = sheet.see("days", serving_in(case).days or 0.0, "days", "serving.days")
    hours = sheet.put("hours_a_day", HOURS_PER_DAY, "h", "by definition")
    return f"{length} * {hours} * {sheet.put('gpus', case.scenario.hardware.gpus, 'GPUs', 'entered', 'entered')}"


def _within(case: Case, sheet: Sheet) -> str:
    best = sheet.see("best", serving_in(case).best_concurrency, "users", "serving.best_concurrency")
    return f"min({best}, {sheet.see('fit', case.plan.memory.users_that_fit, 'users', 'memory.users_that_fit')})"


def _best_total(case: Case, sheet: Sheet) -> str:
    users = best_users(case)
    if users < 1:
        return "0"
    name = sheet.put("users_of_engine", users, "users", "the most inside the targets and the memory", "fitted")
    return _throughput(case, sheet, load_under(case, users), name)


FIGURES: dict[str, Callable[[Case], Working]] = {
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
    "most_at_once": _simple(
        "most_at_once", "The most that run at once", "users", "requests that one engine runs x engines", _limit
    ),
    "best_requests_per_s": _simple(
        "best_requests_per_s",
        "Requests a second at the best load",
        "requests/s",
        "tokens a second at the best load / answer",
        _best_rate,
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
}
SOMETIMES: dict[str, Callable[[Case], Working]] = {
    "users_within_targets": _simple(
        "users_within_targets",
        "Users within the targets",
        "users",
        "the best load inside the targets, as far as the KV holds its users at full length",
        _within,
    ),
    "corpus_requests": _simple(
        "corpus_requests", "Requests of the corpus", "requests", "tokens / tokens of a prompt and an answer", _corpus
    ),
    "days": _simple(
        "days", "Days that the corpus takes", "days", "requests / requests a second / seconds a day", _days
    ),
    "gpu_hours": _simple("gpu_hours", "GPU-hours of the corpus", "GPU-hours", "days x hours x GPUs", _gpu_hours),
}
"""With latency targets only; with a corpus only."""
