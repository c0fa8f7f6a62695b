"""The stepwise decision: one GPU, one node, one node at INT4, replicas, a cluster, or the frontier.

The first yes of the steps (`engine.decide.steps`) ends it; every later step still says what it would have said.
"""

from __future__ import annotations

from functools import partial

from engine.decide.answer import LAST_STEP
from engine.decide.attempts import entered_as
from engine.decide.evidence import (
    why,
)
from engine.decide.headline import room_elsewhere, say
from engine.decide.plan import Plan
from engine.decide.steps import FRONTIER_DAYS, Finding, at_high_precision, findings_of, is_frontier
from engine.figures.sentences import Figure, Sentence, capital, said
from engine.money.bill import buy_usd
from engine.money.prices import usd_per_gpu_hour
from engine.scenario import Scenario
from engine.sizing import Step, Verdict


def _flow(scenario: Scenario, high: Scenario, entered: Plan, whole: bool) -> list[Finding]:
    """The findings up to the first yes, or all of them."""
    findings: list[Finding] = []
    ended = False
    for finding in findings_of(scenario, high, entered):
        findings.append(finding)
        ended = ended or finding.yes
        if ended and not whole:
            return findings
    if entered.carries and not ended:
        _as_entered(findings, entered)
    return findings


def _steps(scenario: Scenario, high: Scenario, entered: Plan) -> tuple[Step, ...]:
    """Every step as it is shown; those after the first yes say what they would have said."""
    findings = _flow(scenario, high, entered, whole=True)
    end = next((finding.number for finding in findings if finding.yes), LAST_STEP)
    return tuple(finding.as_step(reached=finding.number <= end) for finding in findings)


def _as_entered(findings: list[Finding], entered: Plan) -> None:
    """Let the entered build answer where the searches, which try common shapes only, found none that carries it."""
    own = entered_as(entered)
    number = 4 if own.nodes > 1 else 1
    words = partial(said, f"{own.build}, as entered: ", why(own))
    findings[number] = Finding(number, findings[number].question, True, words, own)


def step_plan(scenario: Scenario, entered: Plan, number: int) -> Plan | None:
    """The build that the evidence of a verdict's step is about; None where the step looked at none."""
    findings = _flow(scenario, at_high_precision(scenario), entered, whole=True)
    if not 0 <= number < len(findings):
        return None
    found = findings[number].attempt
    return found.plan if found is not None else None


def decide(scenario: Scenario, entered: Plan) -> Verdict:
    """The verdict for a scenario whose own build is already planned."""
    high = at_high_precision(scenario)
    findings = _flow(scenario, high, entered, whole=False)
    end = next((finding for finding in findings if finding.yes), None)
    answer, headline, build = say(scenario, high, findings, end, entered)
    deciding = end or _closest(findings)
    return Verdict(
        step=deciding.number if end is not None else LAST_STEP,
        answer=answer,
        headline=headline,
        reason=partial(_reason, deciding, end),
        build=build.words,
        steps=partial(_steps, scenario, high, entered),
        assumed=_assumed(scenario),
        replicas=build.replicas,
        carried=entered.carries,
        recommended=build,
    )


def _reason(deciding: Finding, end: Finding | None) -> Sentence:
    """Why it is this step, and the next build with headroom, which is one plan or more, where the one named just fits."""
    return said(deciding.told(capital(deciding.clause)), room_elsewhere(end))


def _assumed(scenario: Scenario) -> tuple[Sentence, ...]:
    workload = scenario.workload
    assumed: list[Sentence] = []
    if workload.is_inference:
        if workload.ttft_target_s is workload.tokens_per_s_user_target is workload.corpus_tokens is None:
            assumed.append(("no latency target: any speed counts as met",))
        if workload.requests_per_s is None and workload.kind == "serve":
            users = Figure(f"{workload.concurrency:,}", "load.concurrency")
            assumed.append(("the load is ", users, " users at once, each always waiting for an answer"))
        if workload.deadline_days is not None and workload.kind == "batch" and not workload.is_run:
            assumed.append(("the deadline is not held: no corpus is entered, tokens in all",))
        if workload.corpus_tokens is not None and workload.deadline_days is None:
            assumed.append(("no deadline: any duration counts as met",))
        if workload.budget_usd is not None and not workload.is_run and buy_usd(scenario) is None:
            assumed.append(("the budget is not held: nobody states a price of this card, and none is entered",))
    else:
        if workload.deadline_days is None and is_frontier(scenario):
            planned = Figure(f"{FRONTIER_DAYS:.0f}", f"verdict.{LAST_STEP}.training.frontier_gpus")
            assumed.append(("no deadline: ", planned, " days are planned for"))
        elif workload.deadline_days is None:
            assumed.append(("no deadline: any duration counts as met",))
    if workload.is_run and workload.budget_usd is not None and usd_per_gpu_hour(scenario)[0] is None:
        assumed.append(("the budget is not held: nobody rents this GPU out, and no price is entered",))
    return tuple(assumed)


def _closest(findings: list[Finding]) -> Finding:
    """The step whose no says most: that of the load where a node holds the model, else that of the cluster."""
    load = findings[3].attempt
    return findings[3] if load is not None and load.holds else findings[4]
