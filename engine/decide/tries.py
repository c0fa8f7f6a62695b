"""Changes that may help a build, the ones that take least first: `engine.decide.advice` sizes them, and offers what does help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from engine.decide.answer import on_host
from engine.decide.attempts import CLUSTER_NODES, fewer_measured, largest_node
from engine.decide.evidence import KIND_WORDS
from engine.decide.host_notices import host_ram_gb, host_short
from engine.decide.layouts import layout_words
from engine.decide.measures import ASKS_FOR_LESS, Try, measured, other_framework, settings
from engine.decide.offers import sized
from engine.decide.plan import Plan, plan
from engine.decide.suggestions import advised
from engine.decide.verdict import decide
from engine.figures.errors import ScenarioError
from engine.figures.sentences import said, text_of
from engine.figures.units import FLEET, GB, GIB, count
from engine.model.formats import FORMATS, KV_FORMATS, is_gguf
from engine.model.parameters import count_parameters
from engine.runtimes.llama_cpp import LLAMA_CPP
from engine.scenario import TUNED_KINDS, LayoutChoice, Scenario, usual_batch
from engine.scenario.change import LookUps, change, pinned_as, value_of
from engine.scenario.fields import Value, field_of
from engine.serving.advice import settings_to_start
from engine.serving.host import more_experts_on_host
from engine.serving.settings import engine_settings, plain_layout

NEAR_LOSSLESS, COSTS_QUALITY = "fp8", "int4"
"""FP8 weights score as the 16-bit model does, INT4 ones measurably less on hard tasks: Kurtic et al. 2024, "Give Me
BF16 or Give Me Death"? (arXiv 2411.02355), sections 4 and 5."""
QUALITY_WORDS = {NEAR_LOSSLESS: "near lossless", COSTS_QUALITY: "costs some quality"}
FULLER = 0.95
"""The utilization that people raise vLLM to where a build is short: above it engines preempt and drivers fail."""
FAR = 4
"""A load cut to less than a quarter, or a model of less than a quarter of the parameters, is another question."""


def owned(entered: Plan) -> Iterator[Try]:
    """What takes no other box: settings, layout, formats, fewer or more of these cards in the node, kind after kind.

    A format that costs quality comes after more cards in the box.
    """
    yield from _settings(entered)
    yield from _other_layout(entered)
    yield from other_framework(entered)
    yield from _own_engine(entered)
    if entered.over_budget:
        yield from fewer(entered)
    yield from _formats(entered, NEAR_LOSSLESS)
    yield from _more_in_the_box(entered)
    yield from _formats(entered, COSTS_QUALITY)


def in_the_box_in_fewer_bits(entered: Plan) -> Iterator[Try]:
    """More of these cards in the node and fewer bits at once, where neither is enough alone."""
    for smaller in (NEAR_LOSSLESS, COSTS_QUALITY):
        for bits in _formats(entered, smaller):
            if "model.weights" not in bits.changes:
                continue
            for more in _more_in_the_box(entered):
                yield Try("gpus and bits", (*more.what, ", ", *bits.what), {**more.changes, **bits.changes})


def _settings(entered: Plan) -> Iterator[Try]:
    """What costs nothing: settings of the engine, and of a training run what its verdict names too."""
    scenario = entered.scenario
    if not scenario.workload.is_inference:
        if (measure := measured(entered)) is not None:
            yield measure.option
        return
    runtime, limit = engine_settings(scenario, entered.layout), scenario.model.architecture.max_position
    length = -(-scenario.workload.tokens_per_request // 1024) * 1024
    shorter: dict[str, Value] = {"runtime.max_model_len": min(limit, length) if limit else length}
    fuller: dict[str, Value] = {"runtime.memory_utilization": FULLER}
    for candidate in settings_to_start(scenario, entered.layout, entered.memory):
        yield Try("runtime", (candidate.what,), dict(candidate.changes))
    if (scenario.runtime.max_model_len or length) < scenario.workload.tokens_per_request:
        yield Try("runtime", (f"sequences of up to {count(min(limit or length, length))} tokens",), shorter)
    too_long = not entered.memory.starts and runtime.max_model_len > length
    too_empty = not entered.fits and (scenario.runtime.memory_utilization or 0.0) < FULLER
    if too_long:
        yield Try("runtime", (f"sequences of at most {count(length)} tokens",), shorter)
    if too_empty:
        yield Try("runtime", (f"memory utilization {FULLER:g}",), fuller)
    if too_long and too_empty:
        words = f"sequences of at most {count(length)} tokens at memory utilization {FULLER:g}"
        yield Try("runtime", (words,), shorter | fuller)
    yield from _experts_on_host(entered)


HOST_SIZES_GIB = (32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144)
"""Sizes that hosts are sold with: two to 24 modules of 16 to 256 GiB, twelve channels and eight among them."""


def more_host_memory(entered: Plan) -> Iterator[Try]:
    """The smallest host that has the memory which the build keeps there, where the one that was entered has too little."""
    kept = on_host(entered)
    if host_short(entered.scenario, kept):
        for size in HOST_SIZES_GIB:
            if size * GIB >= kept:
                yield Try("host", (f"{size:,} GiB of host memory a node",), {"runtime.host_ram_gib": float(size)})
                return


SPARE = (1.0, 1.05)
"""What cards are spared beside what they lack: nothing, and a twentieth of what they can use, where buffers grow."""


def _experts_on_host(entered: Plan) -> Iterator[Try]:
    """More of the experts multiplied on the CPU, where the engine does so and the host is not known to have too little memory."""
    scenario, memory = entered.scenario, entered.memory
    runtime, ram_gb = scenario.runtime, host_ram_gb(scenario)
    if entered.fits or scenario.hardware.accelerator.unified_memory:
        return
    for spare in SPARE:
        over = max(group.over_bytes + int((spare - 1.0) * group.usable_bytes) for group in memory.per_gpu)
        found = more_experts_on_host(
            scenario.model.architecture, scenario.model.weights, plain_layout(entered.layout), runtime, over
        )
        if found is None:
            return
        key, value, kept = found
        kept_node = kept * scenario.hardware.gpus_per_node
        if ram_gb is not None and kept_node > ram_gb * GB:
            return
        where = f"experts of {value} layers" if key == "n_cpu_moe" else f"all but {value} experts of each layer"
        yield Try(
            "runtime", (f"{where} in host memory ({kept_node / GIB:,.0f} GiB a node)",), {f"runtime.{key}": value}
        )


def _own_engine(entered: Plan) -> Iterator[Try]:
    """llama.cpp for weights that it has a file of, GGUF or MXFP4: it fills the card further and reserves less."""
    scenario = entered.scenario
    weights, llama = scenario.model.weights, LLAMA_CPP
    if not scenario.workload.is_inference or scenario.runtime.engine == llama.id:
        return
    if is_gguf(weights) or (weights in llama.stored and not entered.memory.starts):
        yield Try("engine", (f"{llama.label}, which fills the card further",), {"runtime.engine": llama.id})


def sure_to_start(entered: Plan) -> Iterator[Try]:
    """Settings with which an engine starts for sure that may not: its KV or its blocks of state are within their error of the line."""
    scenario = entered.scenario
    if not scenario.workload.is_inference:
        return
    length = scenario.workload.tokens_per_request
    offered = [(one.what, dict(one.changes)) for one in settings_to_start(scenario, entered.layout, entered.memory)]
    if (scenario.runtime.max_model_len or 0) > length:
        offered.append((f"sequences of at most {length:,} tokens", {"runtime.max_model_len": length}))
    for what, changes in offered:
        if not plan(change(scenario, changes)).memory.may_not_start:
            yield Try("runtime", (what,), changes)


def _other_layout(entered: Plan) -> Iterator[Try]:
    """The layout that these GPUs take when it is left to choose, where a person pinned another: its pinned keys by name."""
    scenario = entered.scenario
    if scenario.layout == LayoutChoice():
        return
    try:
        layout = plan(replace(scenario, layout=LayoutChoice())).layout
    except ScenarioError:
        return
    moved = {key: value for key, value in pinned_as(scenario, layout).items() if value != value_of(scenario, key)}
    if moved:
        yield Try("layout", (f"{layout_words(layout)} instead of the pinned layout",), moved)


def in_the_box_with_settings(entered: Plan) -> Iterator[Try]:
    """More of these cards in the node for a run that also changes of itself what gives it room or time."""
    scenario = entered.scenario
    if scenario.workload.is_inference:
        return
    for more in _more_in_the_box(entered):
        try:
            measure = measured(plan(change(scenario, at_its_batch(scenario, more.changes))))
        except ScenarioError:
            continue
        if measure is not None:
            changes = {**more.changes, **measure.option.changes}
            yield Try("gpus and training", (*more.what, ", ", *measure.option.what), changes)


def more_boxes_with_settings(entered: Plan, below: float) -> Iterator[Try]:
    """More nodes for a run that also changes of itself what gives it room or time, of fewer GPUs than so many."""
    scenario = entered.scenario
    found = None if scenario.workload.is_inference else fewer_measured(scenario, below)
    if found is not None and found.measure is not None:
        words = f"{found.nodes} nodes"
        if found.gpus_per_node != scenario.hardware.gpus_per_node:
            words += f" of {found.gpus_per_node} GPUs"
        counts = {
            key: value
            for key, value in _counts(found.gpus_per_node, found.nodes).items()
            if value != value_of(scenario, key)
        }
        what = (words, ", ", *found.measure.what)
        yield Try("nodes and training", what, {**counts, **found.measure.changes})


def _formats(entered: Plan, smaller: str) -> Iterator[Try]:
    """Fewer bits: of the cache beside FP8 weights, of the weights, of both."""
    model = entered.scenario.model
    if not entered.scenario.workload.is_inference:
        return
    cache: dict[str, Value] = {"model.kv_cache": "fp8"} if KV_FORMATS[model.kv_cache].bits > 8 else {}
    if cache and smaller == NEAR_LOSSLESS:
        yield Try("kv", ("FP8 KV cache",), cache)
    if FORMATS[model.weights].bits_per_weight <= FORMATS[smaller].bits_per_weight + 0.5:
        return
    words, cost_of = FORMATS[smaller].short, QUALITY_WORDS[smaller]
    weights: dict[str, Value] = {"model.weights": smaller}
    kind = "weights" if smaller == NEAR_LOSSLESS else "few bits"
    yield Try(kind, (f"{words} weights ({cost_of})",), weights)
    if cache:
        yield Try(kind, (f"{words} weights ({cost_of}) and FP8 KV cache",), weights | cache)


def _more_in_the_box(entered: Plan) -> Iterator[Try]:
    hardware = entered.scenario.hardware
    if hardware.mixed:
        return
    for gpus in (2, 4, 8):
        if hardware.gpus_per_node < gpus <= largest_node(hardware):
            words = f"{gpus} GPUs in {'the' if hardware.nodes == 1 else 'each'} node"
            yield Try("gpus", (words,), {"hardware.gpus_per_node": gpus})
    largest = largest_node(hardware)
    if hardware.nodes > 1 and largest != hardware.gpus_per_node:
        yield Try("gpus", (f"one node of {largest} GPUs",), {"hardware.gpus_per_node": largest, "hardware.nodes": 1})


def more_boxes(entered: Plan) -> Iterator[Try]:
    """More nodes of the entered size, then of the largest box; the number that the verdict counts is among them."""
    hardware = entered.scenario.hardware
    largest = max(hardware.gpus_per_node, largest_node(hardware))
    build = decide(entered.scenario, entered).recommended
    counted = (build.gpus_per_node, build.nodes) if build is not None and 1 < build.nodes < FLEET else None
    tried = [
        (per_node, nodes)
        for per_node in dict.fromkeys((hardware.gpus_per_node, largest))
        for nodes in sorted({*CLUSTER_NODES, *([counted[1]] if counted is not None and counted[0] == per_node else [])})
        if nodes > hardware.nodes or (per_node > hardware.gpus_per_node and nodes >= hardware.nodes)
    ]
    for per_node, nodes in tried:
        changes: dict[str, Value] = {"hardware.nodes": nodes}
        words = f"{nodes} nodes"
        if per_node != hardware.gpus_per_node:
            changes["hardware.gpus_per_node"] = per_node
            words += f" of {per_node} GPU{'' if per_node == 1 else 's'}"
        yield Try("nodes", (words,), changes)


def as_the_verdict_names(entered: Plan) -> Iterator[Try]:
    """The build of the verdict as one change of several keys, where nothing smaller was enough."""
    scenario = entered.scenario
    verdict, hardware = decide(scenario, entered), scenario.hardware
    build = verdict.recommended
    if build is None or not build.nodes or build.nodes >= FLEET or verdict.answer in ("frontier", "does-not-fit"):
        return
    changes: dict[str, Value] = {}
    if build.gpus_per_node != hardware.gpus_per_node:
        changes["hardware.gpus_per_node"] = build.gpus_per_node
    if build.nodes != hardware.nodes:
        changes["hardware.nodes"] = build.nodes
    changes |= dict(build.changes)
    words = text_of(said(build.words, " with " if build.measure else "", build.measure))
    if scenario.workload.is_inference and build.weights != scenario.model.weights:
        changes["model.weights"] = build.weights
        words += f", {FORMATS[build.weights].label} weights"
    if changes:
        yield Try("nodes" if build.nodes > hardware.nodes else "gpus", (words,), changes)


def smaller_as_named(entered: Plan) -> Iterator[Try]:
    """The build of the verdict where that is fewer of the entered cards, in no more bits than were entered."""
    scenario = entered.scenario
    verdict, hardware = decide(scenario, entered), scenario.hardware
    build = verdict.recommended
    if build is None or not build.nodes or hardware.mixed or verdict.answer in ("replicas", "frontier", "does-not-fit"):
        return
    gpus = build.gpus_per_node * build.nodes
    if gpus > hardware.gpus or (gpus == hardware.gpus and build.nodes >= hardware.nodes):
        return
    changes, bits = _counts(build.gpus_per_node, build.nodes), ""
    if scenario.workload.is_inference and _fewer_bits(build.weights, scenario.model.weights):
        changes["model.weights"] = build.weights
        bits = f" at {FORMATS[build.weights].short} ({QUALITY_WORDS[build.weights]})"
    words = _fewer_words(entered, *((gpus, 1) if build.nodes == 1 else (build.gpus_per_node, build.nodes)))
    yield Try("fewer", (f"{words}{bits} would do",), changes)


def _fewer_bits(one: str, other: str) -> bool:
    return FORMATS[one].bits_per_weight < FORMATS[other].bits_per_weight


def smaller_models(entered: Plan, facts: LookUps) -> Iterator[Try]:
    """Smaller and distilled models of the same series, the largest first; none for who makes a model from scratch."""
    model = entered.scenario.model
    if entered.scenario.workload.kind == "pretrain" or model.config:
        return
    own = count_parameters(model.architecture).total
    for smaller in facts.smaller(model.id):
        record = facts.model(smaller)
        far = FAR * count_parameters(record.architecture).total < own
        yield Try("model", (f"{record.name}, a smaller model",), {"model.id": smaller}, far=far)


def asking_less(entered: Plan) -> Iterator[Try]:
    """A smaller load, the last resort: fewer users, shorter prompts, adapters instead of all weights; far cuts last."""
    yield from sorted(_asking_less(entered), key=lambda option: option.far)


def _adapted(entered: Plan) -> Iterator[Try]:
    """Adapters in the place of every weight, over 16 bits and then over 4; where that alone is not enough, with a setting more."""
    scenario, work = entered.scenario, entered.scenario.workload
    key = {"full-finetune": "workload.kind"}.get(work.kind, "workload.tuning" if work.kind in TUNED_KINDS else "")
    if work.trains == "qlora" or not key:
        return
    for kind in ("lora", "qlora") if work.trains == "full" else ("qlora",):
        what = ADAPTERS[kind]
        changes: dict[str, Value] = {key: kind}
        yield Try("less", (what,), {**changes}, asks_less=True)
        after = sized(scenario, changes, lambda _: True)
        if after is None or after.fits:
            continue
        for more in settings(after):
            if not changes.keys() & more.changes.keys():
                yield Try("less", (f"{what}, and ", *more.what), {**changes, **more.changes}, asks_less=True)


ADAPTERS: Final = {"lora": "LoRA instead", "qlora": "adapters over 4 bits instead"}
"""Adapters in the place of what learned before, in words."""


def _asking_less(entered: Plan) -> Iterator[Try]:
    scenario = entered.scenario
    yield from _adapted(entered)
    for suggestion in advised(entered).memory.suggestions:
        if suggestion.field in ASKS_FOR_LESS:
            now, then = value_of(scenario, suggestion.field), suggestion.value
            far = isinstance(now, int) and isinstance(then, int) and FAR * then < now
            words = (shown(suggestion.field, then),)
            yield Try("less", words, dict(suggestion.changes), asks_less=True, far=far)
    if scenario.workload.is_inference and not scenario.workload.is_run and entered.serving is not None:
        for users in _halved(scenario.workload.concurrency):
            words = (shown("workload.concurrency", users),)
            far = FAR * users < scenario.workload.concurrency
            yield Try("less", words, {"workload.concurrency": users}, asks_less=True, far=far)


def _halved(users: int) -> Iterator[int]:
    while users > 1:
        users //= 2
        yield users


def fewer(entered: Plan) -> Iterator[Try]:
    """Fewer of the cards of a build, the fewest first: in one node, in one node at near lossless bits, in fewer nodes, in one
    node at bits that cost some quality, as the verdict asks.

    A run without a deadline has no use for fewer within its budget.
    """
    hardware, work = entered.scenario.hardware, entered.scenario.workload
    if hardware.mixed or (work.is_run and work.deadline_days is None and not entered.over_budget):
        return
    box = max(hardware.gpus_per_node, largest_node(hardware))
    sizes = [
        gpus
        for gpus in (1, 2, 4, 8)
        if gpus <= box and (gpus < hardware.gpus or (hardware.nodes > 1 and gpus == hardware.gpus))
    ]
    for gpus in sizes:
        yield Try("fewer", (f"{_fewer_words(entered, gpus, 1)} would do",), _counts(gpus, 1))
    yield from _one_node_in_fewer_bits(entered, sizes, NEAR_LOSSLESS)
    for nodes in range(2, min(hardware.nodes, 9)):
        words = f"{_fewer_words(entered, hardware.gpus_per_node, nodes)} would do"
        yield Try("fewer", (words,), _counts(hardware.gpus_per_node, nodes))
    yield from _one_node_in_fewer_bits(entered, sizes, COSTS_QUALITY)


def _one_node_in_fewer_bits(entered: Plan, sizes: Sequence[int], smaller: str) -> Iterator[Try]:
    """A build of several nodes in one, with smaller weights: two nodes for what one holds is the dearest mistake."""
    if entered.scenario.hardware.nodes == 1:
        return
    bits = f" at {FORMATS[smaller].short} ({QUALITY_WORDS[smaller]})"
    for one in _formats(entered, smaller):
        if "model.weights" in one.changes:
            cache = " with FP8 KV cache" if "model.kv_cache" in one.changes else ""
            for gpus in sizes:
                what = _fewer_words(entered, gpus, 1)
                yield Try("fewer", (f"{what}{bits}{cache}",), {**_counts(gpus, 1), **one.changes})


QUICKER = 1.1
"""A change of a run that works is told of where it makes the run so many times as fast."""


def at_its_batch(scenario: Scenario, changes: Mapping[str, Value]) -> Mapping[str, Value]:
    """Changes of a run with the batch that it has, where nobody entered one and another count of GPUs has another usual one."""
    work, hardware = scenario.workload, scenario.hardware
    if not work.is_run or work.is_inference or work.gradient_accumulation is not None or work.global_batch_tokens:
        return changes
    per_node = changes.get("hardware.gpus_per_node", hardware.gpus_per_node)
    nodes = changes.get("hardware.nodes", hardware.nodes)
    assert isinstance(per_node, int)
    assert isinstance(nodes, int)
    if usual_batch(per_node * nodes) == work.batch_tokens:
        return changes
    return {**changes, "workload.global_batch_tokens": work.batch_tokens}


def _counts(gpus: int, nodes: int) -> dict[str, Value]:
    return {"hardware.gpus_per_node": gpus, "hardware.nodes": nodes}


def _fewer_words(entered: Plan, gpus: int, nodes: int) -> str:
    hardware = entered.scenario.hardware
    if nodes > 1:
        return f"{nodes} of these {hardware.nodes} nodes"
    if gpus == hardware.gpus:
        return f"one node of {gpus} GPUs"
    return f"{gpus} of these {hardware.gpus:,} GPUs"


_PHRASES = {
    "workload.concurrency": "{} users at once",
    "workload.input_tokens": "prompts of {} tokens",
    "workload.output_tokens": "answers of {} tokens",
    "workload.sequence_length": "sequences of {} tokens",
    "workload.micro_batch": "micro-batches of {}",
    "workload.lora_rank": "rank {}",
}


def shown(key: str, value: Value) -> str:
    """A change of one key in words: `prompts of 8k tokens`, `optimizer adamw-8bit`."""
    amount = count(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
    if isinstance(value, bool):
        amount = "on" if value else "off"
    if (key, value) == ("workload.concurrency", 1):
        return "one user at a time"
    if key == "workload.kind":
        return f"{KIND_WORDS.get(str(value), value)} instead"
    phrase = _PHRASES.get(key)
    return phrase.format(amount) if phrase else f"{field_of(key).label.lower()} {amount}"
