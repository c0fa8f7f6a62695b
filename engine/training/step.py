"""One optimizer step, taken apart into what every GPU computes, moves and waits for.

A micro-batch passes a stage's layers (`engine.training.kernels`). Tensor- and expert-parallel collectives sit on that path;
pipelines add their bubble (Narayanan et al. 2021, arXiv 2104.04473, section 2.2: (p - 1) / (v m) of the work);
gradients and ZeRO's parameters travel beside it (Rajbhandari et al. 2019, arXiv 1910.02054) and hide in part. The
optimizer ends the step. Collectives: `engine.links.collectives`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from engine.figures.kept import keep
from engine.figures.records import dataclass
from engine.figures.units import GB
from engine.links.collectives import slot_gb_s
from engine.links.curves import Segments
from engine.links.traffic import ACTIVATION_BYTES, Span, curve_of
from engine.model.architecture import Architecture
from engine.money.power import Host, host_of
from engine.runtimes.frameworks import ACCOUNTS, Sharding
from engine.scenario import Hardware, Layout, ShardingGroup, Workload
from engine.scenario.frameworks import framework_of, software_of
from engine.training.batch import Batch, batch_of, context_ranks, stage_chunks
from engine.training.body import Body, body
from engine.training.flops import training_flops_per_token
from engine.training.kernels import Kernels, kernels
from engine.training.own import OwnShares, own_factors
from engine.training.rates import FITTED, Constants, Rates, rates
from engine.training.rollout import rollout_seconds
from engine.training.traffic import NF4_BYTES, Held, traffic_of

BACKWARD_SHARE = 0.67
"""Share of a pass over the layers in which gradients appear: the backward two of three forwards."""
OPTIMIZER_BYTES = {
    "adamw": 28.0,
    "adamw-paged": 28.0,
    "adamw-bf16": 14.0,
    "adamw-8bit": 16.0,
    "adamw-paged-8bit": 16.0,
    "adamw-4bit": 14.0,
    "adafactor": 14.0,
    "sgd": 12.0,
    "muon": 20.0,
}
"""Memory traffic of an update for each parameter: gradient, states and master copy read, states and weights written."""
HOST_STEP_SHARE = 0.43
"""Of a host's memory bandwidth, what a vectorized Adam on the CPU moves: 2.57 s for 10B parameters of 28 bytes on a DGX-2, whose twelve
channels of DDR4-2666 have 256 GB/s (Ren et al. 2021, ZeRO-Offload, arXiv 2101.06840, section 6.2)."""
HOST_MEMORY_GB_S: dict[Host, float] = {
    "pc": 60.0,
    "workstation": 307.0,
    "small server": 307.0,
    "server": 614.0,
    "board": 614.0,
    "rack": 1000.0,
    "own": 273.0,
}
"""Peak memory bandwidth of a node's CPUs, GB/s: two channels of DDR5 of a PC, as they are measured, eight of DDR5-4800 a socket (Intel's and
AMD's data sheets), two Grace with LPDDR5X (NVIDIA's data sheet), the one memory of a small computer."""
MUON_FLOPS_PER_WIDTH = 30.0
"""Five Newton-Schulz steps of three products, 2 FLOPs each, a parameter and unit of width (Jordan et al. 2024)."""


@dataclass(slots=True)
class Step:
    """One optimizer step, seconds; tokens: of all replicas. `*_each_s` are of one micro-batch on the busiest stage.

    compute: kernels. tp, ep, pp, dp: collectives along each dimension of the layout, hidden or not. window:
    micro-batches behind which dp can hide. bubble_slots: idle micro-batch times of the pipeline. tail_s: optimizer,
    offload and rollout_s, which answers take. seconds: the whole step; exposed_s: what communication adds to it.
    sent_after_step: share of dp_s that begins when the step is over, with nothing left to hide behind. own: how much
    longer a person's measurements of like runs make all of it, whose parts are the catalog's; None without any.
    """

    tokens: int
    micro_batches: int
    bubble_slots: float
    compute_each_s: float
    tp_each_s: float
    ep_each_s: float
    pp_each_s: float
    dp_s: float
    window: float
    tail_s: float
    hidden_pp: float
    held: Held
    seconds: float
    exposed_s: float
    rollout_s: float = 0.0
    sent_after_step: float = 0.0
    own: float | None = None

    def longer(self, seconds: float) -> float:
        """Seconds of a part of the step as the person's own measurements of like runs have them."""
        return seconds if self.own is None else seconds * self.own

    def total(self, hidden_tp: float, hidden_ep: float, hidden_dp: float) -> tuple[float, float]:
        """Seconds of the step, and of them communication, when those shares of it hide behind compute."""
        each = self.compute_each_s
        path = (
            self.tp_each_s * (1 - hidden_tp) + self.ep_each_s * (1 - hidden_ep) + self.pp_each_s * (1 - self.hidden_pp)
        )
        slots = self.micro_batches + self.bubble_slots
        # no more can hide than there is to hide behind
        after = self.dp_s * self.sent_after_step
        beside = self.dp_s - after
        waited = path * slots + max(beside * (1 - hidden_dp), beside - (each + path) * self.window) + after
        return self.longer(each * slots + waited + self.tail_s), self.longer(waited)

    def exposed(
        self, hidden_tp: float, hidden_ep: float, hidden_dp: float
    ) -> Callable[[float, float, float, float], float]:
        """What collectives add to the step by their seconds along tp, ep and cp, pp, dp, as any links take them.

        The second figure of `total`, for the many links of a table.
        """
        count, compute, window = self.micro_batches, self.compute_each_s, self.window
        slots = (count + self.bubble_slots) / count
        tp, ep, pp, dp = 1 - hidden_tp, 1 - hidden_ep, 1 - self.hidden_pp, 1 - hidden_dp
        late = self.sent_after_step

        def waited(tp_s: float, ep_s: float, pp_s: float, dp_s: float) -> float:
            path = tp_s * tp + ep_s * ep + pp_s * pp
            after = dp_s * late
            beside = dp_s - after
            shown = beside * dp
            least = beside - (compute + path / count) * window
            return path * slots + (least if least > shown else shown) + after

        if self.own is None:
            return waited
        return lambda tp_s, ep_s, pp_s, dp_s: self.longer(waited(tp_s, ep_s, pp_s, dp_s))

    @property
    def bubble_s(self) -> float:
        """Idle time of the pipeline, without the communication in it: seconds = compute + bubble + exposed + tail."""
        return self.longer(self.bubble_slots * self.compute_each_s)

    @property
    def communication_s(self) -> float:
        """All collectives of the step, hidden or not."""
        return self.longer((self.tp_each_s + self.ep_each_s + self.pp_each_s) * self.micro_batches + self.dp_s)

    @property
    def compute_s(self) -> float:
        """Kernels of all micro-batches on the busiest stage."""
        return self.longer(self.compute_each_s * self.micro_batches)

    @property
    def tokens_per_s(self) -> float:
        """Tokens a second of the whole build."""
        return self.tokens / self.seconds


def step(
    architecture: Architecture,
    hardware: Hardware,
    workload: Workload,
    layout: Layout,
    constants: Constants = FITTED,
    model: str | None = None,
) -> Step:
    """One optimizer step on a build in one layout, with the global batch that the workload asks.

    Every replica runs whole micro-batches, at least one: the batch may be larger than asked (`engine.training.batch`).
    model: whose name a person's own measurements of like runs are counted for; None leaves them out.
    """
    return next(steps(architecture, hardware, workload, (layout,), constants, model))


def steps(
    architecture: Architecture,
    hardware: Hardware,
    workload: Workload,
    layouts: Iterable[Layout],
    constants: Constants = FITTED,
    model: str | None = None,
) -> Iterator[Step]:
    """The step of each of some layouts; those that split a layer alike share its kernels. model: as in `step`."""
    measured = hardware.accelerator.own if model is not None else ()
    own = own_factors("train_tokens_per_s", measured, workload.framework, model or "") if measured else None
    b = body(architecture, workload.sequence_length)
    r = rates(hardware.working, workload.compute_dtype, software_of(workload), constants)
    known: dict[tuple[int, int, int], Kernels] = {}
    for layout in layouts:
        split = (layout.tp, layout.ep, context_ranks(workload, layout.dp))
        made = known.get(split)
        if made is None:
            tokens = workload.micro_tokens / split[2]
            made = known[split] = kernels(b, r, workload, tokens, layout.tp, layout.ep)
        whole = assemble(architecture, b, r, made, hardware, workload, layout)
        yield whole if own is None else as_measured(whole, own, architecture, r, workload, layout)


def as_measured(
    made: Step, own: OwnShares, architecture: Architecture, r: Rates, workload: Workload, layout: Layout
) -> Step:
    """The same step as a person's measurements of like runs move it, all of its parts alike; never faster than the card.

    own: factors on tokens a second. The least of a step is its FLOPs at the data sheet's rate.
    """
    least = made.tokens * training_flops_per_token(architecture, workload) / (r.peak * layout.gpus)
    made.own = max(1 / own.of(layout), least / made.seconds)
    made.seconds, made.exposed_s = made.longer(made.seconds), made.longer(made.exposed_s)
    return made


def assemble(
    architecture: Architecture,
    b: Body,
    r: Rates,
    made: Kernels,
    hardware: Hardware,
    workload: Workload,
    layout: Layout,
    how: tuple[Sharding, ShardingGroup] | None = None,
) -> Step:
    """A step from the kernels of a micro-batch: pipeline, collectives on its path and beside it, optimizer.

    how: a sharding and its reach other than the workload's.
    """
    sharding, reach = how or (workload.sharding, workload.sharding_group)
    t, pp = r.tier, layout.pp
    batch = batch_of(workload, layout.dp)

    # a stage: the busiest one sets the pace
    chunks = stage_chunks(workload, b.layers, pp)
    through = max(made.layers_s, made.launch_s)
    if pp == 1:
        compute = through + made.head_s
    else:
        share = -(-b.layers // pp) / max(1, b.layers)
        mean = (through + made.head_s) / pp
        # planners take layers off the last stage for the head where they can
        compute = max(through * share, mean if software_of(workload) == "tuned" else mean + made.head_s / pp)

    compute *= slowest(layout.gpus, t.spread)

    _, held, patterns = _priced_traffic(architecture, hardware, workload, layout, sharding, reach)
    spent, count, tokens = [0.0, 0.0, 0.0, 0.0, 0.0], batch.micro_batches, batch.rank_tokens
    for kind, each_token, fixed, each, once, segments in patterns:
        payload = each_token * tokens + fixed
        for limit, alpha, beta in segments:  # `Curve.seconds`, without a call for each of a search's messages
            if payload <= limit:
                spent[kind] += (alpha + payload * beta) * (each * count + once)
                break
    data_s = spent[3] + spent[LATE]
    made_step = Step(
        tokens=batch.tokens,
        micro_batches=count,
        bubble_slots=(pp - 1) / chunks,
        compute_each_s=compute,
        tp_each_s=spent[0] / count,
        ep_each_s=spent[1] / count,
        pp_each_s=spent[2] / count,
        dp_s=data_s,
        window=hiding_window(sharding, count),
        tail_s=_ending(b, r, hardware, workload, sharding, held, layout.dp, count),
        hidden_pp=t.overlap_pp,
        held=held,
        seconds=0.0,
        exposed_s=0.0,
        sent_after_step=spent[LATE] / data_s if spent[LATE] else 0.0,
    )
    if workload.rolls_out:
        made_step.rollout_s = rollout_seconds(architecture, hardware, workload, layout.gpus, float(batch.tokens))
        made_step.tail_s += made_step.rollout_s
    made_step.seconds, made_step.exposed_s = made_step.total(*hidden_shares(r, workload))
    return made_step


LOG_FOUR_PI: Final = math.log(4.0 * math.pi)


def slowest(gpus: int, spread: float) -> float:
    """How much longer the slowest of so many GPUs computes than an average one: all of a step wait for it.

    spread: by how much GPUs of one kind differ in speed, one standard deviation. The expected largest of n draws from a normal distribution, by its first two terms (Cramer 1946, Mathematical Methods of
    Statistics, section 28.6).
    """
    if gpus == 1:
        return 1.0
    logarithm = math.log(gpus)
    reach = math.sqrt(2.0 * logarithm)
    return 1.0 + spread * (reach - (math.log(logarithm) + LOG_FOUR_PI) / (2.0 * reach))


PATH_SPANS: tuple[tuple[Span, ...], ...] = (("tp",), ("ep", "cp"), ("pp",), ("dp",))
"""The spans of a step's messages as `Step` sums them: tensor, expert and context, pipeline, data parallel."""
_PLACE: dict[Span, int] = {span: place for place, spans in enumerate(PATH_SPANS) for span in spans}
LATE = 4
"""The place of what data parallelism sends when the step is over (`Accounting.hides_stepped`)."""
_Priced = tuple[tuple[int, float, float, float, float, Segments], ...]
_known_prices: dict[tuple[object, ...], tuple[object, Held, _Priced]] = {}
MOST_PRICES = 1024
"""How many priced layouts are kept, 1 kB each: those of the last edits and of the searches around them."""


def _priced_traffic(
    architecture: Architecture,
    hardware: Hardware,
    workload: Workload,
    layout: Layout,
    sharding: Sharding,
    reach: ShardingGroup,
) -> tuple[object, Held, _Priced]:
    """(keeper, what a rank holds, each pattern of the layout's traffic with its time curve on the build). Cached.

    A pattern: (place in PATH_SPANS, or LATE, bytes a token, fixed bytes, collectives of a micro-batch, of a step, segments).
    """
    intra, inter, platform, per_node = (
        hardware.intra_link, hardware.inter_link, hardware.platform, hardware.gpus_per_node,
    )  # fmt: skip
    tp, pp, dp, ep, w = layout.tp, layout.pp, layout.dp, layout.ep, workload
    key = (
        id(architecture), tp, pp, dp, ep, per_node, sharding, reach, id(intra), id(inter), id(platform),
        hardware.accelerator.peer_access, slot_gb_s(hardware.accelerator), w.kind, w.trains, w.trained_models, w.scoring_passes, w.recompute, w.context_parallel, w.pipeline_schedule,
        w.virtual_stages, w.lora_targets, w.lora_rank, w.framework,
    )  # fmt: skip
    known = _known_prices.get(key)
    if known is not None:
        return known
    traffic = traffic_of(architecture, workload, layout, per_node, sharding, reach)
    batch = Batch(1, 1, 1, 1.0, 1)
    hides = ACCOUNTS[framework_of(w).family].hides_stepped
    made = tuple(
        (
            _PLACE[one.span] if hides or one.op != "all_gather" or not one.once else LATE,
            one.bytes_a_token,
            one.fixed_bytes,
            one.each,
            one.once,
            curve_of(one.message(batch), hardware, layout.gpus).segments,
        )
        for one in traffic.patterns
    )
    # what the key names by identity is kept beside the answer, so that the identities stay taken
    found = ((architecture, intra, inter, platform), traffic.held, made)
    return keep(_known_prices, key, found, MOST_PRICES)


def hidden_shares(r: Rates, workload: Workload) -> tuple[float, float, float]:
    """(tensor, expert and context, data parallel) shares of communication that hide: as entered, else the tier's."""
    pinned, t = workload.overlap, r.tier
    return (t.overlap_tp, t.overlap_ep, t.overlap_dp) if pinned is None else (pinned, pinned, pinned)


def hiding_window(sharding: Sharding, micro_batches: int) -> float:
    """Micro-batches behind which data-parallel collectives can hide.

    zero3: all of them. Else gradients hide behind backward passes: of the last micro-batch, under zero2 of every one.
    """
    if sharding == "zero3":
        return float(micro_batches)
    return BACKWARD_SHARE * (micro_batches if sharding == "zero2" else 1)


def host_bytes_per_s(hardware: Hardware) -> float:
    """Peak memory bandwidth of a node's CPUs, bytes/s."""
    return HOST_MEMORY_GB_S[host_of(hardware)] * GB


def _ending(
    b: Body,
    r: Rates,
    hardware: Hardware,
    workload: Workload,
    sharding: Sharding,
    held: Held,
    dp: int,
    micro_batches: int,
) -> float:
    """Seconds of the optimizer, and of what offload streams over the host's link and cannot hide."""
    t, trainable, local = r.tier, held.all_trained, held.all
    owned = trainable if sharding == "ddp" else held.trained / held.group + held.trained_experts / held.copies
    volume = owned * OPTIMIZER_BYTES[workload.optimizer]
    if workload.offload == "none":
        tail = volume * t.optimizer_passes / r.memory
    else:
        tail = volume * t.offload_optimizer / r.host
        if ACCOUNTS[framework_of(workload).family].steps_on_host:
            # the CPU steps them where they are: all of a node's ranks share its memory
            moved = volume * min(hardware.gpus_per_node, hardware.gpus)
            tail = max(tail, moved / (HOST_STEP_SHARE * host_bytes_per_s(hardware)))
    if workload.optimizer == "muon":
        tail += owned * MUON_FLOPS_PER_WIDTH * b.hidden / r.matrix_16bit
    streamed = 0.0
    if workload.offload == "parameters":
        weight_bytes = NF4_BYTES if workload.trains == "qlora" else 2.0
        share = dp if sharding == "zero3" else 1
        # weights come in forward and backward, gradients go out and are added to
        streamed = local / share * 2 * weight_bytes + trainable / share * 4.0
    if workload.activation_offload:
        tokens = workload.micro_tokens
        streamed += 2.0 * tokens * b.hidden * ACTIVATION_BYTES * b.layers
    return tail + streamed * micro_batches / r.host * t.offload_exposed
