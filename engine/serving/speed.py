"""How fast a build serves: first-token time, time per token, throughput, and the best load under the targets.

A prompt costs its FLOPs, attention and collectives (engine.serving.passes); while others decode, each prompt read
delays them all, which is the prefill interference. GPU time is conserved: a cycle of a user holds one prompt of every
other one, waited for before the first token or between the rest. The KV cache that fits caps how many requests run at once; the
rest wait, which is what the first-token time under load is made of. Constants: engine.calibration.serving_speed.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal

from engine.figures.records import NamedTuple
from engine.figures.units import HOURS_PER_DAY
from engine.scenario import Layout, Scenario, Statistic, Workload
from engine.serving.intervals import LOADED_USERS, interval
from engine.serving.memory import Room
from engine.serving.mix import Mix, Request, busy_of, left_of, mix_of, request_of, share_of, together_of, wait_of
from engine.serving.own_load import Times, own_times, own_token_s
from engine.serving.passes import DecodeStep, Rates, rates, step_of
from engine.serving.prefix import cached_tokens, shared_tokens
from engine.serving.settings import settings_of
from engine.serving.shapes import engine_split
from engine.serving.spread import first_extra_s, token_extra_s
from engine.serving.targets import Latency, corpus_days, has_targets, latency_of, missed, misses_of
from engine.sizing import Memory, Serving

Bound = Literal["memory bandwidth", "compute", "communication", "overhead"]


class Load(NamedTuple):
    """One engine with `running` of its users served at once. Totals are of the engine."""

    ttft_s: float
    inter_token_s: float
    tokens_per_s: float
    running: float
    interference_s: float
    interference_wire_s: float
    step: DecodeStep
    busy: float  # share of time in prompts, as far as they queue
    wait_s: float  # for a turn, beside others
    served_s: float  # the first token of a request that has its place
    cycle_s: float  # a whole request that has its place
    mix: Mix | None = None  # how its users share the engine; None of an embedder's
    share_s: float = 0.0  # what a prompt takes from users who decode
    place_s: float = 0.0  # the mean wait for a place

    def first_at(self, at: Statistic) -> float:
        """Seconds to the first token, of a statistic of the requests: `engine.serving.spread`."""
        if at == "mean" or self.mix is None:
            return self.ttft_s
        if self.running <= 1.0 and not self.place_s:
            return self.ttft_s
        return self.ttft_s + first_extra_s(self.mix, self.step.seconds, self.share_s, self.wait_s, self.place_s, at)

    def token_at(self, at: Statistic) -> float:
        """Seconds between tokens, of a statistic of the requests' own means."""
        if at == "mean" or self.mix is None:
            return self.inter_token_s
        return self.inter_token_s + token_extra_s(self.mix, self.share_s, self.wait_s, at)


def load(
    r: Rates,
    users: float,
    cap: float,
    prompt: int,
    answer: int,
    requests: float = 0.0,
    gather_steps: int = 0,
    spread: float = 0.0,
    arriving: bool = False,
    cached: int = 0,
) -> Load:
    """One engine under `users` who each send the next request when the answer ends.

    cap: requests that run at once. requests: how many are sent in all, starting together; 0 is a steady state.
    gather_steps: decode steps for which the engine waits for more prompts before it reads any. spread: standard deviation
    of the answers over their mean. arriving: whether requests arrive at random, whoever is served. cached: of a prompt, tokens
    that a prefix cache holds.

    A prompt waits for those before it as in an M/D/1 queue (wait = service x load / (2 (1 - load))), at most for
    half of all others, or all where one pass reads them; `queueing` scales the load, since users who wait for answers do not arrive at random.
    """
    return _under(r, request_of(r, prompt, answer, spread, arriving, cached), users, cap, requests, gather_steps)


def _under(r: Rates, each: Request, users: float, cap: float, requests: float = 0.0, gather_steps: int = 0) -> Load:
    if each.reads:
        return _reading(r, each, users, cap)
    answer, prompt = each.answer, each.prompt
    running = max(1.0, min(users, cap))
    step = step_of(r, running, each.kv_s, each.attention_s)
    mix = mix_of(r, each, running, users, requests)
    share = share_of(r, each, step, running)
    first = r.prefill_fixed_s + prompt.alone_s + gather_steps * step.seconds
    busy = wait = 0.0
    if running > 1.0:
        # a lone prompt goes straight in; beside others it shares passes that no captured graph covers
        first += r.prefill_beside_s * (1.0 - 1.0 / running)
        busy = busy_of(mix, step.seconds, share)
        wait = wait_of(mix, step.seconds, share)
        first += wait + (1.0 - together_of(mix, step.seconds, share)) * step.seconds / 2
    # each cycle of a user holds one prompt of every other one, waited for before the first token or between the rest
    interference = left_of(mix, wait, share) / mix.after if mix.after else 0.0
    token = step.seconds / r.given + interference
    served = first
    cycle = first + step.seconds / r.given * mix.after + (mix.others * share - wait if mix.after else 0.0)
    waves, place = users / running, 0.0
    if waves > 1.0:
        place = cycle * (waves - 1.0) * (0.5 if 0.0 < requests <= users else 1.0)
        first += place
    if r.own is not None:
        first, served, token, cycle = own_times(r, step, prompt, running, mix.after, Times(first, served, token, cycle))
    total = running * answer / cycle
    if requests and each.spread:
        # the longest answers of a finite run end it, beside fewer and fewer others
        whole = max(1.0, requests / running) * cycle
        total *= whole / (whole + tail_s(r, each, running))
    return Load(
        first,
        token,
        total,
        running,
        interference,
        interference * prompt.wire_s / prompt.share_s,
        step,
        busy,
        wait,
        served,
        cycle,
        mix,
        share,
        place,
    )


MEAN_OF_LONGEST = 0.5772
"""Of n answers of exponential lengths the longest is ln n and this (Euler's constant) times the mean, on average."""
DRAINING = 4.0
"""Sequences at once while a run drains: a quarter of those that ran, on average of its time."""


def tail_s(r: Rates, each: Request, running: float) -> float:
    """Seconds that the longest answers of a run take beyond the mean, as far as answers differ."""
    longest = max(0.0, math.log(running) + MEAN_OF_LONGEST - 1.0) * each.spread
    step = step_of(r, max(1.0, running / DRAINING), each.kv_s, each.attention_s)
    seconds = longest * each.answer * step.seconds / r.given
    return seconds if r.own is None else seconds / r.own.total


def _reading(r: Rates, each: Request, users: float, cap: float) -> Load:
    """An embedder under so many requests at once: passes of whole requests, as many as a step takes, one after another.

    Nothing is written or kept, so that a request's time is that of its pass and of those before it.
    """
    running = max(1.0, min(users, cap))
    together = max(1.0, min(running / r.stages, each.reads * r.copies))
    flight = max(1.0, min(r.stages, running / together))  # a pipeline holds as many passes as it has stages
    prompt = each.prompt
    compute = together * (prompt.products_s + prompt.rest_s - prompt.wire_s)
    wire, overhead = together * prompt.wire_s, r.pass_s + r.prefill_fixed_s
    weights = max(0.0, prompt.alone_s - prompt.products_s - prompt.rest_s - r.pass_s)
    seconds = weights + compute + wire + overhead
    step = DecodeStep(weights, compute, 0.0, 0.0, overhead, wire, seconds)
    wait = (max(1.0, running / (together * flight)) - 1.0) * seconds
    served = seconds + wait
    first = served * max(1.0, users / running)
    total = flight * together * each.answer / seconds
    return Load(first, first / each.answer, total, running, 0.0, 0.0, step, 1.0, wait, served, served)


NEARLY = 1e-6
"""A whole user that rounding left so much short is whole."""


def _sequence_limit(scenario: Scenario, layout: Layout) -> int:
    runtime = scenario.runtime
    if runtime.max_num_seqs:
        return runtime.max_num_seqs
    if runtime.rules.sequence_limit:
        return runtime.rules.sequence_limit
    return settings_of(scenario, layout).max_num_seqs


class Server(NamedTuple):
    """One layout's engines with requests of one length, before its users are counted.

    limit: sequences that an engine runs at once whatever the memory. held: tokens that a running request holds for itself,
    of those that it holds for itself at its end (whole). cached: of a prompt, tokens that are not read again.
    """

    work: Workload
    rates: Rates
    each: Request
    engines: int
    limit: float
    held: float
    whole: int
    gather_steps: int
    cached: int = 0

    def under_load(self, work: Workload) -> Server:
        """The same engines under another load of requests of the same lengths."""
        arriving, each = work.requests_per_s is not None, self.each
        if not each.reads and each.arriving != arriving:
            each = each._replace(arriving=arriving)
        return Server(
            work, self.rates, each, self.engines, self.limit, self.held, self.whole, self.gather_steps, self.cached
        )

    def cap(self, memory: Memory | Room) -> float:
        """Requests that one engine runs at once: by the KV that fits, and by the engine's sequence limit."""
        room = memory.max_concurrency / self.engines * self.whole / max(1.0, self.held)
        return max(1.0, min(room, self.limit))

    def under(self, users: int, cap: float) -> Load:
        """One of the engines that so many users reach, with the requests that the workload names."""
        used = min(self.engines, users)
        requests = self.work.requests / used if self.work.requests else 0.0
        return _under(self.rates, self.each, users / used, cap, requests, self.gather_steps)

    def asked(self, users: int, memory: Memory | Room) -> tuple[Load, int]:
        """(one of the engines under the asked load, how many of them that load reaches).

        A corpus waits in a queue that never runs dry, so that it fills every engine up to its best load, whatever number
        of users was named beside it.
        """
        cap, requests = self.cap(memory), self.work.corpus_requests
        if requests is None:
            return self.under(users, cap), min(self.engines, users)
        used = engines_of_corpus(self.engines, requests)
        running = min(self.best(memory)[0] or cap, max(1.0, requests / used))
        return _under(self.rates, self.each, running, cap, 0.0, self.gather_steps), used

    def best(self, memory: Memory | Room) -> tuple[float, float]:
        """(users of one engine, its tokens/s) at the best load inside the targets, as `best_load`."""
        return self.most(memory)[1:]

    def most(self, memory: Memory | Room) -> tuple[Load, float, float]:
        """(one engine with all that it runs at once, users and tokens/s at the best load inside the targets)."""
        return _most(latency_of(self.work), self.rates, self.each, self.cap(memory), self.engines)

    def score(self, users: int, memory: Memory | Room) -> tuple[float, bool]:
        """(tokens/s over all replicas that rank layouts, whether no target is missed).

        At so many users, or for `batch` with all that fits. A layout that misses a target scores a thousandth: of the
        most it can take where requests a second are asked for, so that the one that comes closest leads.
        """
        work, r, each, engines = self.work, self.rates, self.each, self.engines
        cap = self.cap(memory)
        if not has_targets(work):
            if work.kind == "batch":
                return engines * _under(r, each, cap, cap).tokens_per_s, True
            used = min(engines, users)
            return used * _under(r, each, users / used, cap).tokens_per_s, True
        now, used = self.asked(users, memory)
        batch, rate = work.kind == "batch", work.requests_per_s is not None
        full, most = now, 0.0
        if batch or rate:
            full, _, best = self.most(memory)
            most = best * engines if rate else 0.0
        score = full.tokens_per_s * engines if batch else now.tokens_per_s * used
        first, token = now.first_at(work.ttft_target_at), now.token_at(work.tokens_per_s_user_target_at)
        if misses_of(work, first, token, most / each.answer, now.tokens_per_s * used / each.answer):
            return 1e-3 * (most if rate else score), False
        return score, True


def server_of(scenario: Scenario, layout: Layout, r: Rates | None = None) -> Server:
    """The engines of a layout. r: other rates than the calibrated ones."""
    work = scenario.workload
    r = r or rates(scenario, layout)
    cached, shared = cached_tokens(scenario), shared_tokens(scenario)
    own = work.input_tokens - shared if shared else work.input_tokens
    return Server(
        work=work,
        rates=r,
        each=request_of(
            r, work.input_tokens, work.answer_tokens, work.output_spread or 0.0, work.requests_per_s is not None, cached
        ),
        engines=engine_split(layout)[0],
        limit=_sequence_limit(scenario, layout) * r.copies * r.stages,
        held=own + r.grown * work.answer_tokens,
        whole=own + work.answer_tokens if shared else work.tokens_per_request,
        gather_steps=scenario.runtime.admission_wait_steps,
        cached=cached,
    )


def running_limit(scenario: Scenario, layout: Layout, memory: Memory | Room, r: Rates) -> float:
    """Requests that one engine runs at once: by the KV that fits, and by the engine's sequence limit."""
    return server_of(scenario, layout, r).cap(memory)


def engines_of_corpus(engines: int, requests: float) -> int:
    """Of so many engines those that a corpus of so many requests keeps busy."""
    return min(engines, max(1, math.ceil(requests)))


def serving_speed(scenario: Scenario, layout: Layout, memory: Memory, server: Server | None = None) -> Serving:
    """Speed of the build under the asked load, and at the best load under the targets.

    server: the layout's engines, where they are known already.
    """
    server = server or server_of(scenario, layout)
    work, r, each, engines = scenario.workload, server.rates, server.each, server.engines
    now, used = server.asked(work.concurrency, memory)
    full, best, best_total = server.most(memory)
    token, first = now.inter_token_s, now.ttft_s
    total = now.tokens_per_s * used
    # requests that arrive fill the build up to its best load, whatever number of users was named beside them
    held = now.first_at(work.ttft_target_at), now.token_at(work.tokens_per_s_user_target_at)
    misses = misses_of(work, *held, best_total * engines / each.answer, total / each.answer)
    length = corpus_days(work, total / each.answer)
    step = now.step
    best_users = int(best * engines + NEARLY)  # whole users, of which each engine has its part
    latency = not (work.ttft_target_s is work.tokens_per_s_user_target is None)
    return Serving(
        ttft_s=first,
        inter_token_s=token,
        tokens_per_s_user=1 / token,
        tokens_per_s_total=total,
        requests_per_s=total / each.answer,
        communication_share=_wire_share(each, now, r),
        prefill_tokens_per_s=_read(server) * r.stages / each.prompt.share_s * engines,
        served_concurrency=int(now.running * used),
        single_stream_tokens_per_s=_alone_tokens_per_s(r, each),
        offline_tokens_per_s=full.tokens_per_s * engines,
        best_concurrency=best_users,
        best_tokens_per_s_total=best_total * engines,
        best_requests_per_s=best_total * engines / each.answer,
        most_at_once=int(full.running * engines),
        users_within_targets=min(best_users, memory.users_that_fit) if latency else None,
        corpus_requests=work.corpus_requests,
        days=length,
        gpu_hours=None if length is None else length * HOURS_PER_DAY * scenario.hardware.gpus,
        ttft_interval=interval(first, "ttft loaded" if now.running > LOADED_USERS else "ttft", scenario),
        inter_token_interval=interval(token, "inter_token", scenario),
        tokens_per_s_interval=interval(total, "tokens_per_s", scenario),
        best_tokens_per_s_interval=interval(
            best_total * engines, "tokens_per_s best" if latency else "tokens_per_s", scenario
        ),
        bound_by=_bound(step),
        meets_targets=not misses if has_targets(work) else None,
        missed=tuple(missed(miss, work) for miss in misses),
        misses=misses,
        weight_stream_s=step.weight_s,
        kv_stream_s=step.kv_s,
        compute_s=step.compute_s + step.attention_s,
        overhead_s=step.overhead_s,
        communication_s=step.communication_s,
        prefill_interference_s=now.interference_s,
        ttft_p50_s=now.first_at("p50"),
        ttft_p95_s=now.first_at("p95"),
        ttft_p99_s=now.first_at("p99"),
        inter_token_p50_s=now.token_at("p50"),
        inter_token_p95_s=now.token_at("p95"),
        inter_token_p99_s=now.token_at("p99"),
    )


def _read(server: Server) -> int:
    """Tokens of each prompt that are read."""
    prompt = max(1, server.work.input_tokens)
    return prompt - server.cached if server.cached else prompt


def _wire_share(each: Request, now: Load, r: Rates) -> float:
    """Share of a token's time as it is built up, or of an embedder's pass, that goes to collectives."""
    if each.reads:
        return now.step.communication_s / now.step.seconds
    token = now.step.seconds / r.given + now.interference_s
    return (now.step.communication_s / r.given + now.interference_wire_s) / token


def _alone_tokens_per_s(r: Rates, each: Request) -> float:
    """Tokens a second of one user alone: written, or read by an embedder."""
    if each.reads:
        return _under(r, each, 1.0, 1.0).tokens_per_s
    step = step_of(r, 1, each.kv_s, each.attention_s)
    return r.given / step.seconds if r.own is None else 1 / own_token_s(r, step)


def _bound(step: DecodeStep) -> Bound:
    """What most of a decode step goes to."""
    memory = (step.weight_s if step.weight_s >= step.compute_s else 0.0) + (
        step.kv_s if step.kv_s >= step.attention_s else 0.0
    )
    compute = (step.compute_s if step.compute_s > step.weight_s else 0.0) + (
        step.attention_s if step.attention_s > step.kv_s else 0.0
    )
    parts: tuple[tuple[float, Bound], ...] = (
        (memory, "memory bandwidth"),
        (compute, "compute"),
        (step.communication_s, "communication"),
        (step.overhead_s, "overhead"),
    )
    return max(parts)[1]


def best_load(
    ttft_target_s: float | None,
    user_target: float | None,
    r: Rates,
    cap: float,
    prompt: int,
    answer: int,
    engines: int = 1,
) -> tuple[float, float]:
    """(users of one engine, tokens/s) at the best load inside the targets; (0, 0) when one user already misses.

    engines: over which the users are spread; a target that binds allows so many whole users of all, and one more
    misses it.
    """
    each = request_of(r, prompt, answer)
    return _best(Latency(ttft_target_s, user_target), r, each, _under(r, each, cap, cap), engines)


@lru_cache(maxsize=512)
def _most(asked: Latency, r: Rates, each: Request, cap: float, engines: int) -> tuple[Load, float, float]:
    """`Server.most`: whatever number of users is asked."""
    full = _under(r, each, cap, cap)
    return full, *_best(asked, r, each, full, engines)


def _best(asked: Latency, r: Rates, each: Request, full: Load, engines: int) -> tuple[float, float]:
    """`best_load` from the costs of a request; full: the load of all that runs at once."""

    def inside(state: Load) -> bool:
        if asked.first_s is not None and state.first_at(asked.first_at) > asked.first_s:
            return False
        return asked.user is None or state.token_at(asked.user_at) * asked.user <= 1.0

    cap = full.running
    if asked.first_s is None and asked.user is None:
        return cap, full.tokens_per_s
    state = _under(r, each, 1.0, cap)
    if not inside(state):
        return 0.0, 0.0
    if inside(full):
        return cap, full.tokens_per_s
    # both figures worsen with each user, so the edge is found by halving, to the whole user of all engines
    low, high = engines, math.ceil(cap * engines)
    while high - low > 1:
        middle = (low + high) // 2 if high < 4 * low else math.isqrt(low * high)
        tried = _under(r, each, middle / engines, cap)
        if inside(tried):
            low, state = middle, tried
        else:
            high = middle
    return low / engines, state.tokens_per_s
