"""What the workings of training speed share: the step of a case and its parts, and where constants come from."""

from __future__ import annotations

from engine.scenario import Workload
from engine.sizing import Training
from engine.training.batch import Batch, batch_of
from engine.training.speed import (
    FITTED,
    Body,
    Kernels,
    Rates,
    Step,
    body,
    interval_group,
    kernels,
    rates,
    step,
)
from engine.training.speed import hidden_shares as shares_of
from engine.workings.case import Case
from engine.workings.record import Sheet

MODEL = "engine.training.speed: kernels, collectives, pipeline and optimizer of one step"


def error_of(case: Case) -> str:
    """The error of the fit, in words."""
    low, high = FITTED.intervals[interval_group(case.arch, case.scenario.workload)]
    return f"engine.calibration.training_speed; 80 % of unseen runs lie within {low:g} to {high:g} of the estimate"


def fitted_words(case: Case, name: str) -> str:
    """Where fitted constants come from, and their error."""
    return f"{name}: {error_of(case)}"


def run_of(case: Case) -> Training:
    """The speed of the run. Raises KeyError for a build without one."""
    if case.plan.training is None:
        raise KeyError("training")
    return case.plan.training


def workload_of(case: Case) -> Workload:
    """The workload."""
    return case.scenario.workload


def step_in(case: Case) -> Step:
    """The optimizer step of the case."""
    return step(case.arch, case.scenario.hardware, workload_of(case), case.layout)


def body_in(case: Case) -> Body:
    """The counted facts of the model at this sequence length."""
    return body(case.arch, workload_of(case).sequence_length)


def rates_in(case: Case) -> Rates:
    """The rates of the card for this software and these types."""
    return rates(case.card, workload_of(case).compute_dtype, workload_of(case).software)


def batch_in(case: Case) -> Batch:
    """The batch of a step."""
    return batch_of(workload_of(case), case.layout.dp)


def micro_batch_tokens(case: Case) -> float:
    """Tokens of a micro-batch on one context rank."""
    return batch_in(case).rank_tokens


def kernels_in(case: Case) -> Kernels:
    """The kernels of a micro-batch."""
    return kernels(
        body_in(case), rates_in(case), workload_of(case), micro_batch_tokens(case), case.layout.tp, case.layout.ep
    )


def hidden_shares(case: Case) -> tuple[float, float, float]:
    """(tensor, expert, data parallel) shares of communication that hide behind compute."""
    return shares_of(rates_in(case), workload_of(case))


def put_slots(case: Case, sheet: Sheet) -> str:
    """Times that a micro-batch takes in a step, bubble included."""
    made = step_in(case)
    count = sheet.see("micro_batches", made.micro_batches, "", "training.micro_batches", "counted")
    if not made.bubble_slots:
        return count
    what = f"(PP {case.layout.pp} - 1) / chunks of layers a rank holds (Narayanan et al. 2021, section 2.2)"
    return f"({count} + {sheet.put('bubble_slots', made.bubble_slots, 'micro-batches', what)})"


def put_compute_each(case: Case, sheet: Sheet) -> str:
    """Kernels of one micro-batch on the busiest stage, seconds, as arithmetic."""
    made = step_in(case)
    total = sheet.see("compute", made.compute_s, "s", "training.compute_s")
    count = sheet.see("micro_batches", made.micro_batches, "", "training.micro_batches", "counted")
    return f"{total} / {count}"
