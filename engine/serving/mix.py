"""How users share an engine: what a request costs it, and what each waits for the prompts of others.

A cycle of a user holds one prompt of every other one: waited for before the first token, as in an M/D/1 queue or with those that
come together, or between the rest of its tokens. Constants: engine.calibration.serving_speed.
"""

from __future__ import annotations

from engine.figures.records import NamedTuple
from engine.serving.passes import DecodeStep, Prompt, Rates, prompt_of, read_s, riding_s

# A queue of users who wait for their answers is never without a gap: what M/D/1 divides by at the least.
LEAST_IDLE = 0.02
DRIFTED_CYCLES = 3.0
"""Answers over which users drift apart: the square root of the ten or so that benchmarks and sessions hold."""


class Request(NamedTuple):
    """What each request costs one engine whatever the load.

    kv_s, attention_s: seconds of its sequence in a decode step, half of the answer written. prompt: of its prompt. reads:
    prompts that a pass reads of an embedder, whose `answer` are the tokens read; 0 of a model that writes. spread: standard
    deviation of the answers over their mean. arriving: whether requests arrive at a rate, at random, whoever is served.
    abreast: prompts that fit into one pass.
    """

    answer: int
    kv_s: float
    attention_s: float
    prompt: Prompt
    reads: int = 0
    spread: float = 0.0
    arriving: bool = False
    abreast: float = 1.0


def request_of(
    r: Rates, prompt: int, answer: int, spread: float = 0.0, arriving: bool = False, cached: int = 0
) -> Request:
    """The costs of a request of so many prompt and answer tokens; without an answer, of an embedder's.

    cached: of the prompt's tokens, those that a prefix cache holds.
    """
    if not answer:
        return Request(max(1, prompt), 0.0, 0.0, prompt_of(r, max(1, prompt)), reads=max(1, r.chunk // max(1, prompt)))
    answer = max(1, answer)
    kv, attention = read_s(r, prompt + answer / 2)
    prompt = max(1, prompt)
    abreast = max(1.0, r.chunk / (prompt - cached if cached else prompt))
    return Request(answer, kv, attention, prompt_of(r, prompt, cached), 0, spread, arriving, abreast)


class Mix(NamedTuple):
    """How the users of an engine share it: what a token's time follows from, beside a step's and a prompt's.

    others: prompts that delay a user in each cycle. after: tokens after the first. pieces: passes of a prompt. burst: share
    of a run in which all start at once. in_step: share of users of alike answers who finish together. spread: of answers.
    given: tokens that a step gives. half: of the prompts that are sent together, what the middle one waits for. abreast: of them, those that a pass reads.
    arriving: as of `Request`.
    """

    running: float
    others: float
    after: int
    pieces: int
    burst: float
    in_step: float
    spread: float
    queueing: float
    given: float
    half: float
    abreast: float
    arriving: bool = False


def mix_of(r: Rates, each: Request, running: float, users: float, requests: float) -> Mix:
    """The mix of an engine that serves so many of its users at once, of a run of so many requests (0: a steady state)."""
    burst = 1.0 if 0.0 < requests <= users else running / requests if requests else 0.0
    # the attention copies read as many prompts at once
    others = max(0.0, running - max(1.0, min(running, r.copies)))
    # who arrives at random neither waits for an answer of his own nor keeps in step with others
    in_step, queueing = (0.0, 1.0) if each.arriving else (r.in_step, r.queueing)
    after, pieces = each.answer - 1, each.prompt.pieces
    half = half_of(running / r.copies, each.abreast)
    return Mix(
        running,
        others,
        after,
        pieces,
        burst,
        in_step,
        each.spread,
        queueing,
        r.given,
        half,
        each.abreast,
        each.arriving,
    )


def half_of(together: float, abreast: float) -> float:
    """Of prompts that are sent together, the share of the others that the middle one waits for.

    Half of them where they are read one after another; those of one pass all end with it, so that a pass of them all makes
    each wait for every other one.
    """
    if together <= 1.0:
        return 0.5
    return 0.5 + 0.5 * (min(together, abreast) - 1.0) / (together - 1.0)


def share_of(r: Rates, each: Request, step: DecodeStep, running: float) -> float:
    """Seconds that a prompt takes from an engine whose users decode."""
    prompt = each.prompt
    share = prompt.share_s
    if r.mixed and running > 1.0:
        # as far as there are steps to ride on
        riding = min(1.0, (each.answer - 1) / (running * prompt.pieces))
        share += riding * (riding_s(r, step, prompt) - share)
    return share / r.stages  # a pipeline reads the next prompt behind it


def busy_of(mix: Mix, step_s: float, share_s: float) -> float:
    """Share of an engine's time that goes to prompts."""
    return mix.running * share_s / (mix.running * share_s + mix.after * step_s / mix.given)


def kept_in_step(mix: Mix, step_s: float, share_s: float) -> float:
    """Share of the users whose answers end in one step with those of the prompts that were read with theirs.

    Answers that differ drift apart, the sooner the less time their prompts take beside the drift.
    """
    prompts = mix.others * share_s
    drift = DRIFTED_CYCLES * mix.spread * mix.after * step_s / mix.given
    return mix.in_step * prompts / (prompts + drift) if prompts > 0.0 else mix.in_step


def together_of(mix: Mix, step_s: float, share_s: float) -> float:
    """Share of the users whose prompts come together: those of a run's start, and those who keep in step."""
    return mix.burst + (1.0 - mix.burst) * kept_in_step(mix, step_s, share_s)


class Waits(NamedTuple):
    """The mean wait of a prompt for others by its form, seconds: in a queue, at a run's start, and with those of its pass.

    queued: share of prompts that wait in the queue. kept: share of users who keep in step.
    """

    queue_s: float
    started_s: float
    again_s: float
    queued: float
    kept: float


def waits_of(mix: Mix, step_s: float, share_s: float) -> Waits:
    """The forms of waiting of a load whose prompts delay others."""
    others = mix.others * share_s
    queued = min(1.0, busy_of(mix, step_s, share_s) * mix.queueing)
    alike = share_s * queued / (2.0 * max(LEAST_IDLE, 1.0 - queued))
    # what answers are too short to spread over their tokens is waited for before the first
    wait = max(alike * others / (2.0 * alike + others), others - mix.after * pass_of(mix, share_s))
    # at a start all prompts come at once; from then on those that one pass read come together again, each pass in its turn
    kept = kept_in_step(mix, step_s, share_s)
    started, again = max(wait, others * mix.half), max(wait, min(others, (mix.abreast - 1.0) * share_s))
    return Waits(wait, started, again, queued, kept)


def wait_of(mix: Mix, step_s: float, share_s: float) -> float:
    """Seconds that a prompt waits for those of others, of all that they take in a cycle."""
    others = mix.others * share_s
    if others <= 0.0:
        return 0.0
    if mix.burst >= 1.0:
        return others * mix.half  # who starts with all others, and is followed by nobody
    waits = waits_of(mix, step_s, share_s)
    kept = waits.kept
    return mix.burst * waits.started_s + (1.0 - mix.burst) * (kept * waits.again_s + (1.0 - kept) * waits.queue_s)


def pass_of(mix: Mix, share_s: float) -> float:
    """Seconds of prompts that stand between two tokens at most: those of one pass."""
    return share_s * mix.abreast / mix.pieces


def left_of(mix: Mix, wait_s: float, share_s: float) -> float:
    """Seconds by which the others' prompts delay a user's tokens after the first, of those not waited for before it.

    Of a run in which all start at once, and nobody after them, that is what is read behind a user, evenly from nothing to
    twice the mean, but no longer than the answer lasts.
    """
    left = mix.others * share_s - wait_s
    most = mix.after * pass_of(mix, share_s)
    if mix.burst < 1.0 or most >= 2.0 * left:
        return left
    return most - most * most / (4.0 * left)


def token_of(mix: Mix, step_s: float, share_s: float) -> float:
    """Seconds between a user's tokens: a step, and what of the others' prompts delays those after the first."""
    left = left_of(mix, wait_of(mix, step_s, share_s), share_s)
    return step_s / mix.given + (left / mix.after if mix.after else 0.0)
