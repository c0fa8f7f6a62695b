"""Traps that apply to a sized build, most severe first, each with a change that removes it where one exists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from engine.decide import card_notices, training_notices
from engine.decide.answer import slow
from engine.decide.attempts import attempt
from engine.decide.evidence import WEIGHTS_RULE
from engine.decide.host_notices import host, supply
from engine.decide.offers import fix_of
from engine.decide.plan import Plan
from engine.decide.time_for_money import time_for_money
from engine.figures.sentences import Figure, Sentence, joined, said
from engine.figures.units import GIB, SECONDS_PER_DAY, digits, duration
from engine.layout.candidates import shares_one_cache, valid_tp, works_alone
from engine.model.formats import FORMATS, is_native, model_weight_bytes
from engine.scenario import Scenario
from engine.scenario.change import Changes
from engine.scenario.fields import Value
from engine.serving.memory import NEAR_STATES, near_start, wants_states
from engine.serving.settings import longest_taken, settings_of
from engine.serving.shapes import UNKNOWN_TFLOPS
from engine.sizing import Build, Notice, Power, Suggestion, Verdict
from engine.sizing.memory import stage_spread_bytes
from engine.training.batch import batch_of, keeps_batch

_ORDER = {"error": 0, "warning": 1, "info": 2}


NARROW = ("tight", "marginal")
"""Words of a memory that holds the load with little to spare."""


def _first(offered: Iterable[Suggestion]) -> Suggestion | None:
    """The first change on offer; one that pins no layout holds in whatever layout is chosen."""
    fix = next(iter(offered), None)
    return fix if fix is None or fix.relays else replace(fix, layout=None)


def _memory(plan: Plan) -> Iterator[Notice]:
    memory = plan.memory
    worst = memory.worst
    fix = _first(memory.suggestions)
    if not memory.starts and plan.scenario.workload.is_inference:
        message = ("The engine will not start: ", *memory.headroom_reason, ".", *_almost(plan))
        yield Notice("no-start", "error", message, fix)
    elif plan.scenario.workload.is_inference and (close := _close(plan)):
        yield Notice("start-margin", "warning", close, fix)
    elif not plan.fits:
        yield Notice("over-memory", "error", ("Does not fit: ", *memory.headroom_reason, "."), fix)
    elif not memory.fits and plan.serving is not None and plan.scenario.workload.corpus_tokens is None:
        yield Notice(
            "batch-waits",
            "info",
            (
                Figure(f"{plan.serving.served_concurrency:,}", "serving.served_concurrency"),
                " of ",
                Figure(f"{plan.scenario.workload.concurrency:,}", "load.concurrency"),
                " sequences run at once; the others wait, which offline work can.",
            ),
        )
    elif memory.headroom in NARROW:
        fix = _first(one for one in memory.suggestions if one.room not in NARROW)  # others give room, but not enough
        yield Notice("headroom", "warning", (f"Headroom is {memory.headroom}: ", *memory.headroom_reason, "."), fix)
    by_rule = memory.weights_share <= WEIGHTS_RULE[1]
    if by_rule != (memory.headroom in ("comfortable", "fits", "tight")) and memory.rule_note:
        yield Notice("rule-of-thumb", "info", memory.rule_note)
    if worst.usable_bytes and plan.scenario.workload.is_inference and worst.weights_bytes > 0.95 * worst.total_bytes:
        yield Notice("preempts", "warning", ("Weights above 95 % of the card leave no room to serve anybody.",), fix)
    for group in memory.per_gpu:
        if group.weights_bytes and group.rank_group and len(memory.per_gpu) > 1:
            spread = stage_spread_bytes(memory)
            if spread > 0.1 * memory.worst.weights_bytes:
                apart = Figure(f"{spread / GIB:,.1f} GiB", "memory.stage_spread_bytes")
                message = ("Stages differ by ", apart, f"; the fullest ({memory.worst.rank_group}) decides.")
                yield Notice("uneven-stages", "info", message)
            break


def _almost(plan: Plan) -> Sentence:
    """What is said of a refusal that the error of the KV figure may undo; empty of a clear one."""
    memory, settings = plan.memory, settings_of(plan.scenario, plan.layout)
    near, held, blocks = near_start(plan.scenario), memory.reported_concurrency, memory.state_blocks
    if not settings.rules.refuses_short_kv or held <= 1 / near:
        return ()
    if held < 1:
        room = Figure(f"{held:.2f}", "memory.reported_concurrency")
        return (
            " By a hair: the KV holds ",
            room,
            f" of one, and the figure may err by {_percent(near)}: it may start.",
        )
    wanted = wants_states(settings, plan.scenario) and blocks is not None
    if wanted and blocks is not None and settings.max_num_seqs / NEAR_STATES < blocks < settings.max_num_seqs:
        return (f" By a hair: the figure may err by {_percent(NEAR_STATES)}, so that it may start.",)
    return ()


def _percent(near: float) -> str:
    return f"{100 * (near - 1):.0f} %"


def _close(plan: Plan) -> Sentence:
    """What is said of a start that the error of the KV figure may undo; empty of a safe one."""
    memory, settings = plan.memory, settings_of(plan.scenario, plan.layout)
    near = near_start(plan.scenario)
    head, error = "The engine starts by a hair: ", "figure may err by "
    if not memory.may_not_start:
        return ()
    if 0 < memory.reported_concurrency < near:
        held = Figure(f"{memory.reported_concurrency:.2f}", "memory.reported_concurrency")
        length = Figure(f"{longest_taken(plan.scenario):,}", "load.max_model_len")
        return (f"{head}the KV holds ", held, " sequences of ", length, f" tokens, and the {error}{_percent(near)}.")
    short = f"{memory.state_blocks or 0:,} blocks for the states of {settings.max_num_seqs:,} sequences, and the "
    return (f"{head}{short}{error}{_percent(NEAR_STATES)}. Ask for fewer (max_num_seqs).",)


def _speed(plan: Plan) -> Iterator[Notice]:
    """A yes that people would call slow, where nobody said how fast it must be."""
    waits, crawls = slow(plan)
    if plan.serving is None or not (waits or crawls):
        return
    first = Figure(duration(plan.serving.ttft_s), "serving.ttft_s")
    user = Figure(digits(plan.serving.tokens_per_s_user), "serving.tokens_per_s_user")
    waiting: Sentence = ("a first token after ", first) if waits else ()
    reading: Sentence = (user, " tokens/s a user") if crawls else ()
    told = joined((waiting, reading), " and ")
    message = ("Slow, though nobody asked for a speed: ", *told, ". Enter a target to hold the build to.")
    yield Notice("slow", "warning", message)


def _batch(plan: Plan) -> Iterator[Notice]:
    """Replicas that a step has no work for: what trainers do is a larger batch, or they refuse."""
    run, workload = plan.training, plan.scenario.workload
    if run is None or keeps_batch(workload, plan.layout.dp):
        return
    batch = batch_of(workload, plan.layout.dp)
    most = max(1, workload.batch_tokens // workload.micro_tokens)
    yield Notice(
        "batch-outgrown",
        "warning",
        (
            f"{batch.replicas:,} replicas take {run.step_tokens:,} tokens a step at the least, more than the "
            f"{workload.batch_tokens:,} asked, which {most:,} of them would do: the others could only stand idle. "
            "Split the model or the sequence over more GPUs, use fewer, or ask for a larger batch.",
        ),
    )


def _formats(plan: Plan) -> Iterator[Notice]:
    scenario = plan.scenario
    accelerator, weights = scenario.hardware.accelerator, scenario.model.weights
    label = FORMATS[weights].label
    if not is_native(weights, accelerator) and weights not in ("bf16", "fp16"):
        wants = {"fp8": accelerator.supports_fp8, "nvfp4": accelerator.supports_fp4, "mxfp4": accelerator.supports_fp4}
        if wants.get(weights) is False:
            yield Notice(
                "weight-only",
                "warning" if scenario.workload.is_inference else "info",
                (
                    f"{accelerator.label} has no {label} compute: it saves memory, and arithmetic runs at the 16-bit rate.",
                ),
            )
    if not (accelerator.tflops_bf16_dense or accelerator.tflops_fp16_dense):
        yield Notice(
            "unknown-compute",
            "warning",
            (
                f"{accelerator.label} has no 16-bit rate in the catalog: {UNKNOWN_TFLOPS:g} TFLOP/s stand in for it, so the time of "
                "a prompt is a guess. Enter tflops_bf16_dense for it in a catalog file of your own.",
            ),
        )
    if (
        scenario.workload.is_inference
        and weights.startswith("gguf")
        and scenario.runtime.rules.gguf == "as an experiment"
    ):
        yield Notice(
            "gguf-engine",
            "info",
            (
                "GGUF is the format of llama.cpp; other engines read it as an experiment, slower than they read their own.",
            ),
            partial(fix_of, plan, {"runtime.engine": "llama.cpp"}, "whole layers on each GPU"),
        )
    if scenario.workload.is_inference and weights.startswith("mlx") and not scenario.runtime.rules.reads_mlx:
        on_mac = accelerator.vendor.upper() == "APPLE"
        yield Notice(
            "mlx-engine",
            "info",
            (
                f"{scenario.runtime.rules.label} does not read MLX's files: their bits are sized, another file of them is needed.",
            ),
            partial(fix_of, plan, {"runtime.engine": "mlx"}, "the engine that reads them") if on_mac else None,
        )
    if (
        not scenario.workload.is_inference
        and scenario.workload.trains != "qlora"
        and FORMATS[weights].bits_per_weight < 8
    ):
        yield Notice(
            "int4-training",
            "warning",
            (f"{label} weights carry no gradients: the state is sized at 16 bits. QLoRA trains over 4-bit weights.",),
            partial(fix_of, plan, {"workload.kind": "qlora"}, "adapters over 4-bit weights"),
        )


def _model(plan: Plan, params_total: int, params_active: int) -> Iterator[Notice]:
    scenario = plan.scenario
    if scenario.model.architecture.experts and params_active < 0.7 * params_total:
        yield Notice(
            "moe-active",
            "info",
            (
                "All ",
                Figure(f"{params_total / 1e9:,.0f}B", "model.params_total"),
                " parameters must be resident; the ",
                Figure(f"{params_active / 1e9:,.0f}B", "model.params_active"),
                " active ones set the speed, not the memory.",
            ),
        )
    unread = scenario.model.architecture.unread
    if unread and scenario.model.config:
        names = ", ".join(unread[:6]) + (" and others" if len(unread) > 6 else "")
        yield Notice(
            "config-keys",
            "warning",
            (
                f"{names} of {scenario.model.config} say how the model is built, and no reader knows them: parameters and KV "
                "may be others.",
            ),
        )
    yield from _files(scenario)
    shared = shares_one_cache(scenario.model.architecture)
    if plan.layout.dp_attention and scenario.workload.is_inference and not shared:
        yield Notice(
            "dp-attention-without-mla",
            "info",
            (
                "Data-parallel attention saves cache for models with MLA; here each rank only holds more attention weights.",
            ),
            partial(fix_of, plan, {"layout.dp_attention": False}, "attention split by TP"),
        )
    kv = scenario.model.architecture.kv_heads
    if scenario.workload.is_inference and kv and plan.layout.tp > kv and not shared:
        yield Notice(
            "kv-replicated",
            "warning",
            (
                f"TP {plan.layout.tp} is more than the ",
                Figure(f"{kv}", "build.kv_heads"),
                " KV heads: each is stored ",
                Figure(f"{plan.layout.tp // kv}", "build.kv_copies"),
                " times.",
            ),
            partial(fix_of, plan, {"layout.tp": kv}, "one copy of the KV cache"),
        )


FILES_DIFFER = 0.03
"""Share by which files and config may differ: small tables and buffers that one counts and the other does not."""


def _files(scenario: Scenario) -> Iterator[Notice]:
    """What the files of a checkpoint hold against what its config makes, with prediction layers or without."""
    arch, weights = scenario.model.architecture, scenario.model.weights
    if not arch.file_bytes or weights != arch.checkpoint_format:
        return
    sizes = [model_weight_bytes(arch, weights, mtp=mtp) for mtp in (False, True)]
    twice = 2 * arch.vocab_size * arch.hidden_size if arch.tied else 0  # some files hold a tied head all the same
    if sizes[0] * (1 - FILES_DIFFER) <= arch.file_bytes <= (sizes[1] + twice) * (1 + FILES_DIFFER):
        return
    yield Notice(
        "checkpoint-bytes",
        "warning",
        (
            f"The safetensors beside the config hold {arch.file_bytes / 1e9:,.1f} GB, and the config as read makes "
            f"{sizes[0] / 1e9:,.1f} GB: weights may be stored otherwise than it says.",
        ),
    )


def _fabric(plan: Plan) -> Iterator[Notice]:
    scenario, layout = plan.scenario, plan.layout
    hardware = scenario.hardware
    inside = max(t for t in valid_tp(scenario.model.architecture, hardware.gpus_per_node))
    if layout.tp > hardware.gpus_per_node:
        ends = ", which Ethernet does not survive." if hardware.inter_link.family in ("tcp", "roce") else "."
        yield Notice(
            "tp-across-nodes",
            "error" if hardware.inter_link.family == "tcp" else "warning",
            (f"TP {layout.tp} crosses nodes: every layer waits for {hardware.inter_link.name}{ends}",),
            partial(fix_of, plan, {"layout.tp": inside}, "TP inside the node, PP across"),
        )
    if layout.tp > 1 and not hardware.intra_link.peer_access:
        yield Notice(
            "no-peer-access",
            "warning",
            (f"{hardware.intra_link.name}: without peer access every all-reduce passes through host memory.",),
        )
    elif layout.tp > 1 and not hardware.accelerator.peer_access and hardware.intra_link.family == "pcie":
        yield Notice(
            "peer-access-patched",
            "info",
            (
                f"The stock driver gives {hardware.accelerator.label} no peer access: "
                f"{hardware.intra_link.name} needs a patched one.",
            ),
            partial(fix_of, plan, {"hardware.intra_link": "pcie-no-p2p"}, "what the stock driver does"),
        )


def _shape(plan: Plan, verdict: Verdict) -> Iterator[Notice]:
    hardware = plan.scenario.hardware
    build = verdict.recommended
    own = FORMATS[plan.scenario.model.weights].bits_per_weight
    fewer = build is not None and build.weights in FORMATS and FORMATS[build.weights].bits_per_weight < own
    if hardware.nodes > 1 and build is not None and verdict.answer == "one-node" and fewer:
        label = FORMATS[build.weights].label
        yield Notice(
            "fp8-saves-nodes",
            "info",
            said(f"At {label} one node carries this: ", build.words, f" instead of {hardware.nodes} nodes."),
            partial(_one_node_of, plan, build),
        )
    elif (trade := _trade(plan, verdict)) is not None:
        yield trade
    elif hardware.nodes > 1 and build is not None and verdict.answer in ("one-gpu", "one-node"):
        yield _split_budget(plan, build)
    elif hardware.nodes > 1 and build is not None and verdict.answer == "one-node-int4":
        yield Notice(
            "int4-saves-nodes",
            "info",
            said("At INT4 one node carries this: ", build.words, f" instead of {hardware.nodes} nodes."),
            partial(_one_node_of, plan, build),
        )
    elif hardware.gpus > 1 and verdict.answer == "one-gpu" and plan.carries:
        yield Notice(
            "spare-gpus",
            "info",
            (
                "One GPU of the ",
                Figure(f"{hardware.gpus}", "build.gpus"),
                " carries this; the others only add throughput nobody asked for.",
            ),
            partial(fix_of, plan, {"hardware.gpus_per_node": 1, "hardware.nodes": 1}, "one GPU"),
        )
    elif hardware.nodes > 1 and verdict.answer == "replicas" and plan.layout.pp > 1:
        one_each: Changes = {"layout.pp": 1}
        words = "one replica per node"
        if verdict.replicas != hardware.nodes:
            words = f"{verdict.replicas:,} nodes of one replica each"
            one_each = {"hardware.nodes": verdict.replicas, "layout.pp": 1}
        yield Notice(
            "cluster-for-replicas",
            "warning",
            ("Replicas of one node serve this load; a pipeline across nodes adds latency and a fabric.",),
            partial(fix_of, plan, one_each, words),
        )


def _trade(plan: Plan, verdict: Verdict) -> Notice | None:
    """Fewer GPUs would do for a run that nobody set a date for: they take longer, and often cost as much."""
    build = verdict.recommended
    if build is None or verdict.answer not in ("one-gpu", "one-node") or not plan.scenario.workload.is_run:
        return None
    small = attempt(plan.scenario, build.gpus_per_node, build.nodes).plan
    trade = time_for_money(small, plan) if small is not None and build.weights == plan.scenario.model.weights else None
    if trade is None:
        return None
    alone = Figure(duration(trade.alone_days * SECONDS_PER_DAY), f"verdict.{trade.figure}")
    message = said(build.words, " would do in ", alone, "; ", trade.words, ". Enter a deadline to hold the build to.")
    return Notice("time-for-money", "info", message)


def _split_budget(plan: Plan, build: Build) -> Notice:
    """Several nodes for what one carries: dear where they wait for each other, needless where each works alone."""
    hardware, alone = plan.scenario.hardware, works_alone(plan.scenario, plan.layout)
    speeds, fix = _against_one_node(plan, build), partial(_one_node_of, plan, build)
    if alone:
        many = f"{hardware.nodes} nodes run it as replicas that need no fabric, at the price of {hardware.nodes} hosts and a router"
        message = said("One node carries this: ", build.words, f". {many}", speeds, ".")
        return Notice("two-small-nodes", "info", message, fix)
    message = said(f"{hardware.nodes} nodes split a budget that one carries: ", build.words, " is enough", speeds, ".")
    return Notice("two-small-nodes", "warning", message, fix)


def _one_node_of(plan: Plan, build: Build) -> Suggestion | None:
    """The change from the entered nodes to the one node that carries the workload."""
    scenario = plan.scenario
    changes: dict[str, Value] = {"hardware.nodes": 1}
    if build.gpus_per_node != scenario.hardware.gpus_per_node:
        changes["hardware.gpus_per_node"] = build.gpus_per_node
    if build.weights != scenario.model.weights and FORMATS[scenario.model.weights].bits_per_weight > (
        FORMATS[build.weights].bits_per_weight
    ):
        changes["model.weights"] = build.weights
    return fix_of(plan, changes, *build.words, ", no fabric to run")


def _against_one_node(plan: Plan, build: Build) -> Sentence:
    """The entered nodes against the one node, tokens/s of each GPU; empty when either has no speed."""
    one = attempt(plan.scenario, build.gpus_per_node)
    if build.weights != plan.scenario.model.weights or one.plan is None:
        return ()
    split, whole = plan.tokens_per_s_gpu, one.plan.tokens_per_s_gpu
    if not split or not whole:
        return ()
    together = Figure(f"{whole:,.0f}", "verdict.build.tokens_per_s_gpu")
    apart = Figure(f"{split:,.0f}", "build.tokens_per_s_gpu")
    return (" (", together, " tokens/s a GPU in one node, ", apart, f" split over {plan.scenario.hardware.nodes})")


def notices(plan: Plan, verdict: Verdict, power: Power, params_total: int, params_active: int) -> tuple[Notice, ...]:
    """All traps that apply to the entered build, errors first."""
    found = [
        *_memory(plan),
        *_speed(plan),
        *_batch(plan),
        *training_notices.framework(plan),
        *training_notices.optimizer(plan),
        *training_notices.offloaded(plan),
        *training_notices.padded(plan),
        *training_notices.stands_in(plan),
        *training_notices.experts(plan),
        *training_notices.adapted(plan),
        *training_notices.length(plan),
        *training_notices.rollout(plan),
        *_fabric(plan),
        *_shape(plan, verdict),
        *card_notices.bigger_card(plan, verdict),
        *card_notices.mixed(plan.scenario),
        *card_notices.prefixes(plan),
        *card_notices.kernels(plan),
        *_formats(plan),
        *_model(plan, params_total, params_active),
        *host(plan.scenario, plan.layout),
        *supply(power),
    ]
    return tuple(sorted(found, key=lambda notice: _ORDER[notice.severity]))
