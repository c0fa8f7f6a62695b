"""What the workings of serving speed share: the rates and the loads of one engine, and where constants come from."""

from __future__ import annotations

from engine.serving_speed import (
    Load,
    Rates,
    Shape,
    engine_split,
    gpu_class,
    load,
    rates,
    running_limit,
    shape_of,
    spread_of,
)
from engine.sizing import Serving
from engine.workings.case import Case

MODEL = "engine.serving_speed: roofline by stream (Williams et al. 2009; Pope et al. 2022, section 3)"


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
    engines = engine_split(case.layout)[0]
    return engines, min(engines, case.scenario.workload.concurrency)


def running_cap(case: Case) -> float:
    """Requests that one engine runs at once."""
    return running_limit(case.scenario, case.layout, case.plan.memory, rates_in(case))


def answer_tokens(case: Case) -> int:
    """Tokens of an answer, at least one."""
    return max(1, case.scenario.workload.output_tokens)


def requests_of_engine(case: Case) -> float:
    """Requests that one engine is sent in a finite run; 0 is a steady state."""
    work = case.scenario.workload
    return work.requests / engines_of(case)[1] if work.requests else 0.0


def load_asked(case: Case) -> Load:
    """One engine under the asked users."""
    work = case.scenario.workload
    return load(
        rates_in(case),
        work.concurrency / engines_of(case)[1],
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
        f"collectives of one pass over {hardware.intra_link.name}{across}: engine.traffic, engine.collectives "
        f"({hardware.intra_link.source or 'catalog'})"
    )
