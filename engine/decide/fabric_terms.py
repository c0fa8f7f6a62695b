"""What each row of a fabric table is priced from: the messages of a workload, the step around them, what waits.

The messages are those that the speed models price (engine.training.traffic, engine.serving.shapes.pass_messages), and so
is the step around them: weights, KV, compute, launches, pipeline bubble, what hides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from engine.figures.records import NamedTuple, dataclass
from engine.links.link_prices import Board
from engine.links.traffic import Message, Span, communication_s, decode_traffic, prefill_traffic
from engine.model.architecture import Architecture
from engine.parts.hardware import Link
from engine.scenario import Hardware, Layout, Scenario, Workload
from engine.scenario.frameworks import software_of
from engine.serving.mix import Mix, mix_of, request_of, share_of, token_of
from engine.serving.passes import Rates, link_factors, rates, step_of, wire_s
from engine.serving.prefix import cached_tokens
from engine.serving.settings import stored_weights
from engine.serving.shapes import DECODE_POINTS, PREFILL_POINTS, engine_split, pass_messages, shape_of
from engine.sizing import Serving
from engine.training.own import model_name
from engine.training.rates import rates as training_rates
from engine.training.step import PATH_SPANS, Step, hidden_shares, step
from engine.training.traffic import training_traffic

PREFILL_CHUNK_TOKENS = 8192
"""Prompt tokens of one forward pass: the default max_num_batched_tokens of serving engines on large cards."""
LEAST_REST = 0.05
"""Share of a token's time that is left to everything beside links, where rounding would leave less."""
SCALE_RANGE = (0.25, 4.0)
"""How far the speed model's links of a token may lie from the plain price of their messages."""


def _assumed_tp(hardware: Hardware, heads: int) -> int:
    """The tensor-parallel size to show when the layout has none: the widest on a node that divides the heads."""
    size = max(2, hardware.gpus_per_node)
    while size > 2 and heads % size:
        size -= 1
    return size


@lru_cache(maxsize=256)
def _border(architecture: Architecture, tp: int, pp: int, tokens: int) -> tuple[Message, ...]:
    messages = decode_traffic(architecture, Layout(tp=tp, pp=pp), tokens)
    return tuple(message for message in messages if message.op == "send_recv")


@dataclass(frozen=True, slots=True)
class Samples:
    """How serving's seconds on a link follow from the priced sizes of a pass, as the speed model has it.

    messages: of a pass of so many tokens, by size. latency, growth: what the fit makes of the smallest pass, and of
    what more tokens add. A line joins two sizes (`engine.serving.passes.wire_s`).
    """

    points: tuple[int, ...]
    messages: tuple[tuple[Message, ...], ...]
    latency: float
    growth: float

    def seconds(self, priced: tuple[float, ...], tokens: float) -> float:
        """Seconds of a pass of so many tokens. priced: those of `messages` on the link."""
        first = priced[0]
        return self.latency * first + self.growth * (wire_s(self.points, priced, tokens) - first) if first else 0.0

    def on(self, latency: float, growth: float) -> Samples:
        """The same where the fit makes so many times as much of the collectives."""
        return Samples(self.points, self.messages, self.latency * latency, self.growth * growth)


@dataclass(frozen=True, slots=True)
class ServingTerms:
    """What each row of a serving table is priced from: the messages, and the step around them.

    layout: whose messages they are. base_s: a token without its links. decode, prompt: passes by size; tokens,
    prompt_tokens: the sizes asked. scale: what the speed model's links of a token are over this pricing of them, 1 but
    for rounding. slowest: the longest pipeline stage over the mean, which a token waits for. prompts: prompts of others
    that a token of a user waits for. mix, step_s, share_s: how the users share an engine, and a step and a prompt without their
    links, from which a token on another link follows; None where the layout is assumed. assumed: set where the layout sends nothing and another is priced.

    across: with only that dimension across a link: tp, pp and tp_prompt, pp_prompt; of one pass of `chunk` tokens,
    `passes` of which a prompt takes, each at across_scale of its plain price; across_prompts: prompts for each token;
    groups: TP groups that speak at a border at once; base_pp_s: the step around a border.
    """

    layout: Layout
    base_s: float
    base_pp_s: float
    decode: Samples
    prompt: Samples
    tokens: float
    prompt_tokens: float
    scale: float
    slowest: float
    prompts: float
    mix: Mix | None
    step_s: float
    share_s: float
    stages: int
    tp: tuple[Message, ...]
    tp_prompt: tuple[Message, ...]
    pp: tuple[Message, ...]
    pp_prompt: tuple[Message, ...]
    across_scale: float
    across_prompts: float
    passes: float
    groups: int
    assumed: str


def serving_terms(scenario: Scenario, layout: Layout, serving: Serving) -> ServingTerms:
    """The messages of a serving build and the step around them."""
    hardware, work, arch = scenario.hardware, scenario.workload, scenario.model.architecture
    engines = engine_split(layout)[0]
    users = serving.served_concurrency if work.corpus_tokens is not None else work.concurrency
    running = max(1.0, serving.served_concurrency / min(engines, max(1, users)))
    batch = max(1, math.ceil(serving.served_concurrency / layout.dp / layout.pp))
    home = serving.communication_s
    # what the other requests' prompts wait on links while this one decodes
    prompts_home = max(0.0, serving.communication_share * serving.inter_token_s - home)
    shown, assumed = layout, ""
    if not decode_traffic(arch, layout, batch):
        shown = Layout(tp=_assumed_tp(hardware, arch.heads))
        assumed = f"this layout sends nothing between GPUs: TP {shown.tp} shown instead"
    r = rates(scenario, shown)
    decode, prompt = _samples(scenario, shown, r)
    slowest = r.imbalance if running > r.stages > 1 else 1.0
    flight = max(1.0, running / r.stages)
    tokens = batch if assumed else max(1.0, flight / r.copies)
    cached = cached_tokens(scenario)
    read_tokens = work.input_tokens - cached if cached else work.input_tokens
    prompt_tokens = max(1, read_tokens) / r.copies
    # prompts that pass for each token that a user gets: the engine's other users over the tokens of an answer
    prompts, scale = batch / work.counted_tokens, 1.0
    mix, step_s, share_s = None, 0.0, 0.0
    if assumed:
        base = max(serving.inter_token_s, 0.0) / shown.tp
    else:
        base = max(serving.inter_token_s - slowest * home - prompts_home, LEAST_REST * serving.inter_token_s)
        if home > 0.0:
            scale = home / decode.seconds(r.decode_wire, tokens)
            prompt_home = wire_s(PREFILL_POINTS, r.prefill_wire, prompt_tokens)
            prompts = prompts_home / prompt_home if prompt_home > 0.0 else 0.0
        each = request_of(r, work.input_tokens, work.answer_tokens, cached=cached)
        if not each.reads:
            used = min(engines, max(1, users))
            mix = mix_of(r, each, running, users / used, work.requests / used if work.requests else 0.0)
            made = step_of(r, running, each.kv_s, each.attention_s)
            step_s = (serving.inter_token_s - serving.prefill_interference_s) * r.given - slowest * home
            share_s = share_of(r, each, made, running) - each.prompt.wire_s / r.stages
    chunk = max(1, min(read_tokens, PREFILL_CHUNK_TOKENS))
    sent, read = decode_traffic(arch, shown, batch), prefill_traffic(arch, shown, chunk)
    across_scale, across_prompts = 1.0, batch / work.counted_tokens
    passes = max(1.0, read_tokens / chunk)
    if not assumed and home > 0.0:
        # the speed model's own scale of their plain price
        priced = communication_s(sent, shown, hardware, in_engine=True)
        across_scale = min(SCALE_RANGE[1], max(SCALE_RANGE[0], home / priced)) if priced > 0.0 else 1.0
        read_home = across_scale * passes * communication_s(read, shown, hardware, in_engine=True)
        across_prompts = prompts_home / read_home if prompts_home > 0.0 and read_home > 0.0 else across_prompts
    return ServingTerms(
        layout=shown,
        base_s=base,
        base_pp_s=base if assumed else base + home + prompts_home,
        decode=decode,
        prompt=prompt,
        tokens=tokens,
        prompt_tokens=prompt_tokens,
        scale=scale,
        slowest=slowest,
        prompts=prompts,
        mix=mix,
        step_s=step_s,
        share_s=share_s,
        stages=r.stages,
        tp=tuple(message for message in sent if message.span == "tp"),
        tp_prompt=tuple(message for message in read if message.span == "tp"),
        pp=_border(arch, shown.tp, max(2, shown.pp), batch),
        pp_prompt=_border(arch, shown.tp, max(2, shown.pp), chunk),
        across_scale=across_scale,
        across_prompts=across_prompts,
        passes=across_scale * passes,
        groups=min(shown.tp, hardware.gpus_per_node),
        assumed=assumed,
    )


def _samples(scenario: Scenario, layout: Layout, r: Rates) -> tuple[Samples, Samples]:
    """The passes of a decode step and of a prompt that the speed model prices, with its fitted factors."""
    model = scenario.model
    shape = shape_of(
        model.architecture, stored_weights(model, scenario.runtime), model.kv_cache, layout, scenario.hardware
    )
    decode, prefill = pass_messages(model.architecture, layout)
    latency = r.wire_s / shape.decode_wire[0] if shape.decode_wire[0] else 1.0
    read = r.prefill_wire[0] / shape.prefill_wire[0] if shape.prefill_wire[0] else 1.0
    return (
        Samples(DECODE_POINTS, decode, latency, r.wire_growth),
        Samples(PREFILL_POINTS, prefill, read, read),
    )


def _on_links(board: Board, samples: Samples, gpus: int) -> list[tuple[float, ...]]:
    """By link in row order: the seconds of each sampled pass."""
    return list(zip(*(board.in_place(messages, gpus) for messages in samples.messages), strict=True))


class Waits(NamedTuple):
    """By link in row order: seconds in collectives of a token or step, of a prompt, and what is waited for."""

    seconds: list[float]
    prefill: list[float]
    waited: list[float]


def serving_waits(board: Board, t: ServingTerms) -> Waits:
    """What a token and a prompt spend on each link."""
    gpus = t.layout.gpus
    key = (id(t.decode.messages), id(t.prompt.messages), gpus)
    priced = board.passes.get(key)
    if priced is None:
        if len(board.passes) > 64:
            board.passes.clear()
        # the messages are kept beside their prices, so that their identities stay taken
        columns = (_on_links(board, t.decode, gpus), _on_links(board, t.prompt, gpus))
        priced = board.passes[key] = (*columns, (t.decode.messages, t.prompt.messages))
    seconds, prefill = [], []
    known: dict[str, tuple[Samples, Samples]] = {}
    for row, sent, read in zip(board.links, priced[0], priced[1], strict=True):
        family = inside_family(board.hardware, row.link)
        made = known.get(family)
        if made is None:
            made = known[family] = samples_on(board.hardware, t, row.link)
        seconds.append(t.scale * made[0].seconds(sent, t.tokens))
        prefill.append(made[1].seconds(read, t.prompt_tokens))
    waits = [_waited(t, value, whole) for value, whole in zip(seconds, prefill, strict=True)]
    return Waits(seconds, prefill, waits)


def _waited(t: ServingTerms, seconds: float, prompt_s: float) -> float:
    """What a token waits for on a link that takes so long of it and of a prompt."""
    if t.mix is None:
        return t.slowest * seconds + t.prompts * prompt_s
    token = token_of(t.mix, t.step_s + t.slowest * seconds, t.share_s + prompt_s / t.stages)
    return max(0.0, token - t.base_s)


def inside_family(hardware: Hardware, link: Link) -> str:
    """The family of the in-node link of the build with a link in its place."""
    return link.family if link.scope == "intra-node" and hardware.gpus_per_node > 1 else hardware.intra_link.family


def samples_on(hardware: Hardware, t: ServingTerms, link: Link) -> tuple[Samples, Samples]:
    """The passes of a token and of a prompt as the fit has them on a link: it knows families of in-node links."""
    home, there = link_factors(hardware.intra_link.family), link_factors(inside_family(hardware, link))
    if home == there:
        return t.decode, t.prompt
    latency, growth, prompt = (new / old for new, old in zip(there, home, strict=True))
    return t.decode.on(latency, growth), t.prompt.on(prompt, prompt)


def only_tp(scenario: Scenario, terms: ServingTerms) -> bool:
    """Whether a link in its place already joins, or parts, the tensor-parallel group and nothing else."""
    return scenario.hardware.nodes == 1 and all(message.span == "tp" for message in terms.decode.messages[0])


@dataclass(frozen=True, slots=True)
class TrainingTerms:
    """What each row of a training table is priced from: a layout, its step and the messages of that step.

    tp, pp, dp: messages with only that dimension across a link; groups: TP groups that speak at a border at once.
    assumed: set where the layout sends nothing and another is priced.
    """

    layout: Layout
    step: Step
    hidden: tuple[float, float, float]
    messages: tuple[Message, ...]
    tp: tuple[Message, ...]
    pp: tuple[Message, ...]
    dp: tuple[Message, ...]
    groups: int
    assumed: str

    @property
    def base_s(self) -> float:
        """The step without its links."""
        return self.step.seconds - self.step.exposed_s


def training_terms(scenario: Scenario, layout: Layout) -> TrainingTerms:
    """The messages of a training build and the step around them."""
    hardware, work, arch = scenario.hardware, scenario.workload, scenario.model.architecture
    shown, assumed = layout, ""
    if layout.gpus == 1:
        shown = Layout(dp=max(2, hardware.gpus_per_node))
        assumed = f"this layout sends nothing between GPUs: data parallelism over {shown.dp} shown instead"
    tp = layout.tp if layout.tp > 1 else _assumed_tp(hardware, arch.heads)
    messages, tp_messages, pp_messages, dp_messages = _steps(arch, work, shown, tp, hardware.gpus_per_node)
    r = training_rates(hardware.working, work.compute_dtype, software_of(work))
    return TrainingTerms(
        layout=shown,
        step=step(arch, hardware, work, shown, model=model_name(scenario)),
        hidden=hidden_shares(r, work),
        messages=messages,
        tp=tp_messages,
        pp=pp_messages,
        dp=dp_messages,
        groups=min(layout.tp, hardware.gpus_per_node),
        assumed=assumed,
    )


@lru_cache(maxsize=8)
def _steps(
    arch: Architecture, work: Workload, layout: Layout, tp: int, per_node: int
) -> tuple[tuple[Message, ...], ...]:
    """Messages of an optimizer step: of the layout, then with only TP, only PP and only DP across a link."""

    def only(span: str, tp: int, pp: int, dp: int) -> tuple[Message, ...]:
        sent = training_traffic(arch, work, Layout(tp=tp, pp=pp, dp=dp), per_node)
        return tuple(message for message in sent if message.span == span)

    return (
        training_traffic(arch, work, layout, per_node),
        only("tp", tp, 1, layout.dp),
        only("pp", layout.tp, max(2, layout.pp), layout.dp),
        only("dp", layout.tp, layout.pp, max(2, layout.dp)),
    )


def of_spans(messages: Sequence[Message], spans: Sequence[Span]) -> tuple[Message, ...]:
    """The messages of some spans."""
    return tuple(message for message in messages if message.span in spans)


def training_waits(board: Board, t: TrainingTerms) -> Waits:
    """What a step spends on each link, hidden or not, and what of it does not hide."""
    spent = [board.in_place(of_spans(t.messages, spans), t.layout.gpus) for spans in PATH_SPANS]
    seconds = [sum(parts) for parts in zip(*spent, strict=True)]
    waits = list(map(t.step.exposed(*t.hidden), *spent))
    return Waits(seconds, [0.0] * len(seconds), waits)
