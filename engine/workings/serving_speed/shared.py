"""What the workings of serving speed share: the rates and the loads of one engine, and where constants come from."""

from __future__ import annotations

from engine.serving.speed import (
    Load,
    Rates,
    Shape,
    best_load,
    engine_split,
    engines_of_corpus,
    gpu_class,
    load,
    rates,
    running_limit,
    shape_of,
    spread_of,
)
from engine.sizing import Serving
from engine.workings.case import Case

MODEL = "engine.serving.speed: roofline by stream (Williams et al. 2009; Pope et al. 2022, section 3)"


def spread_words(case: Case, name: str) -> str:
    """The error of a figure of speed, in words."""
    low, high = spread_of(name, case.scenario)
    return f"engine.calibration.serving_speed; 80 % of unseen figures lie within {low:g} to {high:g} of the estimate"


def fitted_words(case: Case, *names: str) -> str:
    """Where fitted constants come from: the names, the card's class, and the error of the fit."""
    what = ", ".join(names)
    return f"{what} of {gpu_class(case.card)} and {case.scenario.runtime.engine}: {spread_words(case, 'inter_token')}"


def rates_in(case: Case) -> Rates:
    """The rates of one engine of the case."""
    return rates(case.scenario, case.layout)


def shape_in(case: Case) -> Shape:
    """The counted facts of one engine of the case."""
    model = case.scenario.model
    return shape_of(case.arch, model.weights, model.kv_cache, case.layout, case.scenario.hardware)


def serving_in(case: Case) -> Serving:
    """The speed of the case. Raises KeyError for a build that does not start."""
    if case.plan.serving is None:
        raise KeyError("serving")
    return case.plan.serving


def engines_of(case: Case) -> tuple[int, int]:
    """(engines of the layout, engines that the load uses)."""
    engines, work = engine_split(case.layout)[0], case.scenario.workload
    if work.corpus_requests is not None:
        return engines, engines_of_corpus(engines, work.corpus_requests)
    return engines, min(engines, work.concurrency)


def users_of_engine(case: Case) -> float:
    """Users that reach one engine under the asked load; of a corpus, what the best load takes of its queue."""
    work, used = case.scenario.workload, engines_of(case)[1]
    if work.corpus_requests is None:
        return work.concurrency / used
    return min(best_users(case) or running_cap(case), max(1.0, work.corpus_requests / used))


def best_users(case: Case) -> float:
    """Users of one engine at the best load inside the targets; 0 when one user already misses them."""
    work = case.scenario.workload
    return best_load(
        work.ttft_target_s,
        work.tokens_per_s_user_target,
        rates_in(case),
        running_cap(case),
        work.input_tokens,
        answer_tokens(case),
        engines_of(case)[0],
    )[0]


def running_cap(case: Case) -> float:
    """Requests that one engine runs at once."""
    return running_limit(case.scenario, case.layout, case.plan.memory, rates_in(case))


def answer_tokens(case: Case) -> int:
    """Tokens of an answer, at least one."""
    return max(1, case.scenario.workload.output_tokens)


def requests_of_engine(case: Case) -> float:
    """Requests that one engine is sent in a finite run; 0 is a steady state."""
    work = case.scenario.workload
    return work.requests / engines_of(case)[1] if work.requests and work.corpus_tokens is None else 0.0


def load_asked(case: Case) -> Load:
    """One engine under the asked users."""
    work = case.scenario.workload
    return load(
        rates_in(case),
        users_of_engine(case),
        running_cap(case),
        work.input_tokens,
        answer_tokens(case),
        requests_of_engine(case),
        case.scenario.runtime.admission_wait_steps,
    )


def load_under(case: Case, users: float) -> Load:
    """The load of one engine with so many users that keep sending, as the searches price it."""
    return load(rates_in(case), users, running_cap(case), case.scenario.workload.input_tokens, answer_tokens(case))


def context_tokens(case: Case) -> float:
    """Tokens of a sequence with half of its answer written."""
    return case.scenario.workload.input_tokens + answer_tokens(case) / 2


def links_words(case: Case) -> str:
    """The links that the collectives run over, in words."""
    hardware = case.scenario.hardware
    across = f" and {hardware.inter_link.name}" if hardware.nodes > 1 else ""
    return (
        f"collectives of one pass over {hardware.intra_link.name}{across}: engine.links.traffic, engine.links.collectives "
        f"({hardware.intra_link.source or 'catalog'})"
    )
