"""Figures of single functions over grids of what goes in: money over months, collectives, settings of engines, fields.

A build meets a formula at one place; a grid meets it before, at and after each place where it begins to count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, pairwise, product
from typing import Any

from catalog import Catalog
from engine.decide.advice import Cure, advice
from engine.decide.answer import status_of
from engine.decide.fabric import fabric_table
from engine.decide.layouts import layout_words
from engine.decide.plan import plan
from engine.decide.prospects import prospects
from engine.decide.replicas import node_capacity, nodes_for_deadline, replicas_needed
from engine.decide.serving_scaling import best_shape, serving_rows, serving_scaling, share_of, widest_shape
from engine.decide.training_choices import training_choices
from engine.decide.verdict import decide, step_plan
from engine.decide.what_if import fields as swept_fields
from engine.decide.what_if import values as swept_values
from engine.figures import units
from engine.figures.errors import ScenarioError
from engine.layout.candidates import candidate_layouts
from engine.layout.sharding import padded_vocabulary, stage_layers
from engine.links.collectives import Kernel, collective_s
from engine.links.traffic import Message, decode_traffic, message_s, prefill_traffic
from engine.model.formats import FORMATS, compute_type, is_native
from engine.money import prices, use
from engine.money.bill import bill, host_purchase, network_cards
from engine.money.cost import cost
from engine.money.power import power
from engine.parts.hardware import Link
from engine.runtimes import ENGINES
from engine.runtimes.engine import ByMemory, ServingEngine
from engine.scenario import Layout, Money, PipelineSchedule, Scenario, ShardingGroup, Workload
from engine.scenario.change import change
from engine.scenario.checks import check_scenario
from engine.scenario.fields import FIELDS, Field, Value, field_of
from engine.scenario.fields.field import nearest_of
from engine.serving.buffers import captured_sizes, expert_tile, plain_latent
from engine.serving.settings import (
    EngineSettings,
    batch_by_memory,
    static_fraction,
    visible_bytes,
    vision_factor,
)
from engine.training import batch
from engine.training.traffic import training_traffic

Scenarios = dict[str, Scenario]

# Money over months

MONEY: tuple[dict[str, Any], ...] = (
    {},
    {"capital_percent_per_year": 9.0},
    {"support_percent_per_year": 6.0, "capital_percent_per_year": 3.0},
    {"resale_percent": 30.0},
    {"growth_percent_per_month": 4.0},
    {"growth_percent_per_month": 4.0, "capital_percent_per_year": 9.0, "support_percent_per_year": 1.0},
    {"growth_percent_per_month": 25.0, "resale_percent": 10.0, "capital_percent_per_year": 9.0},
    {"hours_per_day": 9.0},
    {"hours_per_day": 9.0, "days_per_month": 21.0},
    {"days_per_month": 31.0},
    {"runs_per_month": 3.0},
)
RATES = (
    use.Rates(10_000.0, 4.0, 0.5),
    use.Rates(10_000.0, 4.0, 0.5, 3.0, 2.0, 7.0, 2e6, 900.0),
    use.Rates(10_000.0, 4.0, 0.5, once_hours=50.0),
    use.Rates(400_000.0, 2.0, 1.9, 1.0, None, 5.0, 1e6),
    use.Rates(300.0, 4.0, 4.0),
    use.Rates(None, 4.0, 0.5, None, 2.0),
    use.Rates(10_000.0, None, 0.5, api_usd_per_million=3.0),
)
HOURS = (0.0, 10.0, 189.0, use.HOURS_PER_MONTH, 1000.0, 1500.0)


def money_over_months() -> Iterator[list[Any]]:
    """What `engine.money.use` says of each way of paying, each kind of use and each amount of it."""
    for entered, rates in product(MONEY, RATES):
        money = Money(**entered)
        found: list[Any] = [use.hours_per_month(money), use.run_hours(money, 30.0), use.resale_share(money, 12.0)]
        for hours in HOURS:
            found += [use.break_even_months(hours, rates, money), use.break_even_runs(hours, rates)]
            found += [use.horizon(months, hours, rates, money) for months in (1, 36)]
        yield found


DATES = ("", "2024", "2025-02", "2025-06-30", "2025-13", "2025-02-30", "x", "2025-06-01-02", "2026-01-01")


def ages() -> list[Any]:
    """Ages of prices by their dates."""
    return [[prices.age_days(then, now), prices.dated(then, now)] for then, now in product(DATES, DATES[1:5])]


def bills(base: Scenario, known: Catalog) -> dict[str, Any]:
    """The bill and the power of builds of each card, from one card to nodes that ask for switches."""
    found: dict[str, Any] = {}
    for card, (gpus, nodes) in product(known.facts.accelerators, ((1, 1), (2, 1), (3, 2), (4, 1), (8, 1), (8, 5))):
        shape: dict[str, Value] = {
            "hardware.accelerator": card.id,
            "hardware.gpus_per_node": gpus,
            "hardware.nodes": nodes,
        }
        try:
            built = change(base, shape, known)
            lines = [[line.part, line.item, line.quantity, line.usd_each, line.usd] for line in bill(built)]
            drawn = power(built, 10**11)
            found[f"{nodes}x{gpus} {card.id}"] = [
                lines,
                [getattr(drawn, part) for part in POWER],
                network_cards(built.hardware),
            ]
        except ScenarioError as refused:
            found[f"{nodes}x{gpus} {card.id}"] = str(refused)
    for platform, gpus in product(known.facts.platforms, (1, 4, 8)):
        built = change(base, {"hardware.platform": platform.id, "hardware.gpus_per_node": gpus}, known)
        lines = [[line.part, line.item, line.quantity, line.usd_each, line.usd] for line in bill(built)]
        found[f"{gpus} of {platform.id}"] = lines
    boxes = ("consumer", "workstation", "server", "hgx")
    found["hosts"] = [host_purchase(known.facts, gpus, box) for gpus, box in product((1, 2, 4, 5, 8, 9), boxes)]
    return found


POWER = (
    "gpu_w", "node_w", "total_w", "heat_btu_h", "psu_w", "circuits_per_node", "pcie_lanes_needed",
    "host_memory_gib_min",
)  # fmt: skip


def costs(bases: Scenarios) -> dict[str, Any]:
    """What each kind of use of each kind of build comes to."""
    found: dict[str, Any] = {}
    for name, base in bases.items():
        rows = []
        for entered in MONEY:
            used = change(base, {f"money.{key}": value for key, value in entered.items()} | STAFF)
            made = plan(used)
            one = cost(made, power(used))
            rows.append([getattr(one, part) for part in COST])
        found[name] = rows
    return found


STAFF = {"money.engineer_share": 0.2, "money.engineer_usd_per_year": 150_000.0, "money.storage_tb": 30.0}
COST = (
    "buy_usd", "rent_usd_per_hour", "rent_usd_per_month", "own_usd_per_month", "usd_per_million_tokens",
    "api_usd_per_million_tokens", "break_even_months", "break_even_runs", "electricity_usd_per_month",
    "operations_factor", "operations_fte", "operations_usd_per_month", "hours_per_month", "tokens_per_month",
    "api_crossing_tokens_per_month", "run_usd", "whole_usd", "checkpoint_bytes", "ask", "unknown",
)  # fmt: skip


# Steps and messages


def batches() -> Iterator[list[Any]]:
    """Micro-batches and tokens of a step, what overlaps in a pipeline, over which ranks states are spread."""
    loads = product((1, 3), (128, 1000), (1, 2, 4), (1, 1000, 45_000), (None, 5))
    for micro_batch, tokens, shared, whole, steps in loads:
        work = Workload(
            kind="pretrain",
            micro_batch=micro_batch,
            sequence_length=tokens,
            context_parallel=shared,
            global_batch_tokens=whole,
            gradient_accumulation=steps,
        )
        row: list[Any] = []
        for dp in (1, 2, 6, 8):
            made = batch.batch_of(work, dp)
            row += [made, batch.asked_tokens(work, dp), batch.keeps_batch(work, dp)]
            row.append(batch.useful_tokens(work, made.tokens))
        yield row
    schedules: tuple[PipelineSchedule, ...] = ("1f1b", "interleaved")
    for chunks, schedule in product((None, 1, 3, 50), schedules):
        work = Workload(kind="pretrain", virtual_stages=chunks, pipeline_schedule=schedule)
        yield [batch.stage_chunks(work, layers, pp) for layers, pp in product((5, 32), (1, 2, 4))]
    yield [batch.in_flight(stage, 4, count) for stage, count in product(range(4), (1, 3, 9))]
    reaches: tuple[ShardingGroup, ...] = ("all", "node")
    yield [
        batch.shard_ranks(Layout(tp=tp, dp=dp), reach, gpus)
        for tp, dp, reach, gpus in product((1, 2, 16), (1, 4, 6), reaches, (1, 8))
    ]
    yield [stage_layers(layers, pp) for layers, pp in ((32, 1), (32, 3), (61, 8), (7, 7), (30, 4))]
    yield [padded_vocabulary(rows, tp) for rows, tp in product((1, 64, 65, 32_000, 50_257), (1, 3, 8))]


SPLITS = (
    Layout(), Layout(tp=2), Layout(dp=2), Layout(dp=6), Layout(pp=2), Layout(2, 2, 2), Layout(2, 1, 4, 4),
    Layout(1, 2, 8, 8), Layout(4, 1, 4, 2), Layout(8, 1, 2, 8),
)  # fmt: skip


def step_messages(bases: Scenarios) -> dict[str, Any]:
    """Every collective of a step in some layouts, sharded in every way."""
    found: dict[str, Any] = {}
    for name, base in bases.items():
        work = base.workload
        for sharding, reach, shared in product(("ddp", "zero1", "zero2", "zero3"), ("all", "node"), (1, 2)):
            if reach == "node" and sharding != "zero3":
                continue
            ways = {"workload.sharding": sharding, "workload.sharding_group": reach}
            work = change(base, ways | {"workload.context_parallel": shared}).workload
            label = f"{name} {sharding} {reach} {shared}"
            found[label] = [
                [_message(message) for message in sent]
                for sent in (training_traffic(base.model.architecture, work, layout, 4) for layout in SPLITS)
            ]
    return found


def _message(message: Message) -> list[Any]:
    return [message.op, message.span, message.ranks, message.stride, message.total_bytes]


SERVING_SPLITS = (
    Layout(), Layout(tp=2), Layout(tp=8), Layout(pp=3), Layout(4, 2, 1), Layout(2, 2, 2), Layout(2, 1, 4, 8),
    Layout(1, 1, 8, 8, True), Layout(2, 1, 4, 8, True), Layout(2, 1, 4, 1, True), Layout(8, 1, 1, 8, True),
    Layout(8, 1, 1, 1, True), Layout(8, 2, 1, 8, True), Layout(4, 2, 2, 8, True),
)  # fmt: skip


def served_messages(bases: Scenarios, known: Catalog) -> dict[str, Any]:
    """Messages of a decode step and of prompts of models of each kind in some layouts, and what they take on some builds."""
    found: dict[str, Any] = {}
    for model, layout in product(known.models[::4], SERVING_SPLITS):
        arch = model.architecture
        passes = (decode_traffic(arch, layout, 24), prefill_traffic(arch, layout, 1000, 3))
        sent = [[[*_message(one), one.count, one.abreast] for one in messages] for messages in passes]
        priced = [
            [
                sum(message_s(one, layout, base.hardware, in_engine=engine) for one in messages)
                for base in bases.values()
            ]
            for messages, engine in product(passes, (True, False))
        ]
        found[f"{model.id} {layout_words(layout)}"] = [sent, priced]
    return found


OPS = ("all_reduce", "all_gather", "reduce_scatter", "all_to_all", "send_recv")
BYTES = (1.0, 1e5, 4e6, 1e9)


def collectives(known: Catalog) -> dict[str, Any]:
    """Seconds of each collective on each link, of groups inside a node and across nodes."""
    links = {link.id: link for link in known.facts.links}
    found: dict[str, Any] = {}
    for link in links.values():
        for op in OPS:
            rows = [_seconds(op, size, ranks, link, links) for ranks in (1, 2, 3, 4, 8, 16) for size in BYTES]
            found[f"{link.id} {op}"] = rows
    kernels: tuple[Kernel, ...] = ("nccl", "nccl-tuned", "nccl-ring", "vllm", "one-shot")
    for name, kernel in product(("nvlink-4", "pcie5-switch", "xgmi-3"), kernels):
        if name in links:
            found[f"{name} {kernel}"] = [
                collective_s("all_reduce", size, ranks, ranks, links[name], None, kernel=kernel)
                for size in BYTES
                for ranks in (2, 4, 8)
            ]
    return found


def _seconds(op: Any, size: float, ranks: int, link: Link, links: dict[str, Link]) -> list[float]:
    inside = link.scope == "intra-node"
    intra, inter = (link, None) if inside else (links["nvlink-4"], link)
    within = ranks if inside else max(1, ranks // 2)
    plainly = collective_s(op, size, ranks, within, intra, inter)
    if size not in (1e5, 1e9):
        return [plainly]
    return [
        plainly,
        collective_s(op, size, ranks, within, intra, inter, in_engine=True),
        collective_s(op, size, ranks, within, intra, inter, peer_access=False, groups_per_node=2),
        collective_s(op, size, ranks, within, intra, inter, nics_per_node=4, groups_per_node=2),
    ]


# Engines and cards


def engine_defaults() -> Iterator[list[Any]]:
    """What engines set by themselves."""
    by_memory = ENGINES["sglang"].defaults
    assert isinstance(by_memory, ByMemory)
    for gib, tp in product((15, 20, 34, 35, 60, 61, 159, 160, 280), (1, 3, 4, 8)):
        yield list(batch_by_memory(by_memory, gib * 1024.0, tp))
    splits = (Layout(), Layout(tp=8, pp=2), Layout(tp=1, dp=8, dp_attention=True), Layout(8, 1, 2, 1, True))
    for gib, layout in product((24, 60, 80, 192), splits):
        graphs = product((2048, 8192), (8, 300, 301, 512))
        yield [static_fraction(by_memory, gib * 1024.0, layout, chunk, most) for chunk, most in graphs]
    engines: tuple[ServingEngine, ...] = ("vllm", "vllm-earlier")
    for engine, sequences, tokens in product(engines, (1, 2, 3, 100, 128, 129, 256, 1024), (2, 8192)):
        settings = EngineSettings(engine, 0.9, sequences, tokens, 4096, True, 16)
        yield [captured_sizes(settings)]


def cards(known: Catalog) -> dict[str, Any]:
    """What engines see in each card, and the arithmetic of each format on it."""
    return {
        card.id: [
            visible_bytes(card),
            expert_tile(card),
            [plain_latent(card, engine) for engine in ("vllm", "vllm-earlier")],
            [[compute_type(FORMATS[name], card), is_native(name, card)] for name in FORMATS],
        ]
        for card in known.facts.accelerators
    }


def layouts(base: Scenario, trained: Scenario, known: Catalog) -> dict[str, Any]:
    """Every layout of each model on some builds, served and trained, and with something pinned."""
    pins: tuple[dict[str, Any], ...] = ({}, {"layout.pp": 2}, {"layout.dp": 2}, {"layout.ep": 2}, {"layout.tp": 6})
    found: dict[str, Any] = {}
    for model, (gpus, nodes) in product(known.models, ((1, 1), (6, 1), (8, 2))):
        for start, pinned in product((base, trained), pins if gpus * nodes == 16 else pins[:1]):
            shape: dict[str, Any] = {"hardware.gpus_per_node": gpus, "hardware.nodes": nodes}
            label = f"{model.id} {nodes}x{gpus} {start.workload.kind} {' '.join(pinned)}"
            try:
                one = change(start, {"model.id": model.id} | shape | pinned, known)
                found[label] = "; ".join(map(layout_words, candidate_layouts(one)))
            except ScenarioError as refused:
                found[label] = str(refused)
    found["vision"] = {model.id: vision_factor(model.architecture) for model in known.models}
    return found


# Tables that a screen or a report shows beside a sizing


def loads_on_links(bases: Scenarios, known: Catalog) -> dict[str, Any]:
    """The rows of every link of some builds over loads from one user to more than run, and over few and many tokens."""
    found: dict[str, Any] = {}
    slow: dict[str, Any] = {"hardware.gpus_per_node": 2, "hardware.nodes": 4, "hardware.inter_link": "eth-1-tcp"}
    slow |= {"layout.tp": 8, "layout.dp": 1, "layout.pp": 1}
    built = {**bases, "slow": change(bases["serve-8b-replicas"], slow, known)}
    for name, base in built.items():
        for users, (prompt, answer) in product((1, 2, 5, 24, 400), ((1, 300), (700, 1), (5000, 700))):
            load = {"workload.concurrency": users, "workload.input_tokens": prompt, "workload.output_tokens": answer}
            made = plan(change(base, load))
            rows = fabric_table(made.scenario, made.layout, made.serving, made.training)
            figures = [[row.seconds, row.prefill_seconds, row.share, row.relative_speed] for row in rows]
            found[f"{name} {users} {prompt} {answer}"] = figures
    return found


def serving_tables(bases: Scenarios) -> dict[str, Any]:
    """How serving scales, by build."""
    found: dict[str, Any] = {}
    for name, base in bases.items():
        made = plan(base)
        shapes = tuple(serving_scaling(base, made.layout))
        best, widest = best_shape(shapes), widest_shape(shapes)
        shares = [share_of(shape, best) for shape in shapes] if best is not None else []
        found[name] = [serving_rows(base, made.layout), shapes, best, widest, shares]
    return found


def sweep_values(bases: Scenarios) -> dict[str, Any]:
    """The fields that a sweep goes over and the values of each, by build."""
    return {
        name: {field: [swept_values(base, field, each) for each in (1, 4)] for field in swept_fields(base)}
        for name, base in bases.items()
    }


STEPS = range(-1, 7)


def verdict_steps(bases: Scenarios) -> dict[str, Any]:
    """The build that each step of the verdict looked at."""
    found: dict[str, Any] = {}
    for name, base in bases.items():
        made = plan(base)
        looked = [step_plan(base, made, number) for number in STEPS]
        builds = [None if one is None else [_build(one.scenario), layout_words(one.layout)] for one in looked]
        found[name] = [decide(base, made), builds]
    return found


def _build(scenario: Scenario) -> str:
    hardware = scenario.hardware
    cards = " + ".join(f"{count} {card.id}" for card, count in hardware.mixed) or hardware.accelerator.id
    platform = hardware.platform.id if hardware.platform is not None else "no platform"
    links = f"{hardware.intra_link.id} {hardware.inter_link.id}"
    return f"{hardware.nodes}x{hardware.gpus_per_node} {cards} {platform} {links} {scenario.model.weights}"


def replicas(bases: Scenarios) -> dict[str, Any]:
    """Nodes that a load or a deadline takes, by build; training runs ask for a deadline, serving for users."""
    found: dict[str, Any] = {}
    for name, base in bases.items():
        made = plan(base)
        if base.workload.is_inference:
            pairs = product((1, 7, 100), (0.0, 0.3, 20.0))
            found[name] = [node_capacity(made.scenario), [replicas_needed(base, users, rate) for users, rate in pairs]]
            continue
        asked = (made.training.days / part for part in (0.5, 1.5, 4.0, 40.0)) if made.training is not None else ()
        runs = [change(base, {"workload.deadline_days": days}) for days in asked]
        found[name] = [nodes_for_deadline(run, plan(run)) for run in runs]
    return found


def smallest(bases: Scenarios) -> dict[str, Any]:
    """The smallest build in time and within a budget, where there is one and where there is none."""
    found: dict[str, Any] = {}
    for name, base in bases.items():
        run = plan(base).training
        assert run is not None
        asked = product((None, run.days / 2, 0.001), (None, (run.cost_usd or 100.0) * 3, 1.0))
        for days, dollars in asked:
            limits = {"workload.deadline_days": days, "workload.budget_usd": dollars}
            if days is not None or dollars is not None:
                made = prospects(change(base, limits))
                found[f"{name} {days} {dollars}"] = [made.smallest, made.no_smallest]
    return found


def choices(bases: Scenarios) -> dict[str, Any]:
    """What each choice of training settings brings on the layout in use."""
    return {name: training_choices(base, plan(base).layout) for name, base in bases.items()}


def changed(bases: Scenarios, known: Catalog) -> dict[str, Any]:
    """What a build becomes with other cards, counts, platforms and links, and what is refused."""
    cards = [card.id for card in known.facts.accelerators]
    tried: list[dict[str, Any]] = [
        *({"hardware.accelerator": card, "hardware.gpus_per_node": gpus} for card in cards for gpus in (1, 2, 3, 8)),
        *({"hardware.platform": platform.id} for platform in known.facts.platforms),
        *({"hardware.platform": platform.id, "hardware.gpus_per_node": 4} for platform in known.facts.platforms),
        *({"hardware.gpus_per_node": gpus} for gpus in (1, 2, 4, 16, 73)),
        *({"hardware.second_accelerator": card} for card in ("rtx-3090", "rtx-4090", "l4")),
        *({"hardware.second_accelerator": "l4", "hardware.second_gpus": count} for count in (1, 2, 8, 9)),
        *({"hardware.second_gpus": count} for count in (1, 3, 8)),
        {"hardware.second_accelerator": "l4", "hardware.gpus_per_node": 1},
        *({"hardware.intra_link": link.id} for link in known.facts.links),
        *({"hardware.inter_link": link.id, "hardware.accelerator": "h100-sxm"} for link in known.facts.links),
        *({"model.id": model.id} for model in known.models),
        *({"model.id": model.id, "model.weights": "int4"} for model in known.models[:3]),
        {"workload.kind": "lora"},
        {"workload.kind": "batch"},
        {"hardware.accelerator": "none such"},
        {"model.id": "none such"},
        {"runtime.max_model_len": 2},
        {"workload.context_parallel": 5},
    ]
    return {
        name: {" ".join(map(str, chain(*asked.items()))): _becomes(base, asked, known) for asked in tried}
        for name, base in bases.items()
    }


def _becomes(base: Scenario, asked: dict[str, Any], known: Catalog) -> str:
    try:
        made = change(base, asked, known)
        check_scenario(made)
    except ScenarioError as refused:
        return str(refused)
    return f"{_build(made)} {made.model.id} {made.model.kv_cache} {made.workload.kind}"


def advised(base: Scenario) -> list[Any]:
    """The one thing to do about a build, and the others, each with what it was sized to."""
    one = advice(base)
    return [status_of(plan(base)), *map(_cure, (one.cure, one.smaller, *one.others))]


def _cure(cure: Cure | None) -> list[Any]:
    if cure is None:
        return []
    speed = cure.plan.serving.tokens_per_s_total if cure.plan.serving is not None else cure.plan.run_usd
    asked = [cure.asks_less, cure.far]
    return [dict(cure.changes), cure.status, cure.kind, cure.usd, speed, layout_words(cure.plan.layout), *asked]


# What a person enters, and what is read


def fields() -> dict[str, Any]:
    """Each field of the table, and what it makes of values at, inside and outside its ends, and of another kind."""
    return {field.key: [_field(field), [_taken(field, value) for value in _tried(field)]] for field in FIELDS}


def _field(field: Field) -> list[Any]:
    ends = [field.low, field.high, field.whole, field.longest]
    return [field.kind, *ends, field.optional, field.follows, field.step, list(field.kinds), field.default()]


def _tried(field: Field) -> list[Any]:
    ends = [end for end in (field.low, field.high) if end < 1e300]
    near = [end + step for end in ends for step in (-1, -0.5, 0, 0.5, 1)]
    words = ["x"] if ends else ["", "x", "x" * 200, "x" * 201, "x" * 5000, "a\nb", "fp", "servee"]
    return [None, True, *near, *words, float("nan"), float("inf"), 1e25, [1]]


def _taken(field: Field, value: Any) -> Any:
    try:
        taken = field.checked(value)
    except ScenarioError as refused:
        return [refused.reason, refused.allowed, refused.nearest]
    return str(taken)[:40]


def words() -> dict[str, Any]:
    """Figures as people read them, at and about the ends of each unit."""
    amounts = [sign * edge for edge in EDGES for sign in (1, -1)]
    ways: tuple[Callable[[float], str], ...] = (
        units.digits, units.duration, units.count, units.gib, units.size, units.percent, units.usd, units.rate,
        units.days, units.kilowatts, units.thousands_usd,
    )  # fmt: skip
    found: dict[str, Any] = {way.__name__: [way(amount) for amount in amounts] for way in ways}
    found["fleet"] = [units.fleet(count) for count in (1, 999, 1000, 1049, 1050, 123_456)]
    found["nearest"] = [nearest_of(word, ("deploy", "serve", "batch")) for word in ("Serv", "q", "batches")]
    found["unknown keys"] = [_unknown(key) for key in ("concurrency", "tp", "x.tp", "worklod.kind", "q" * 300, "a\n")]
    return found


_LIMITS = (0.0, 0.005, 0.001, 1.0, 2.0, 10.0, 100.0, 120.0, 999.5, 1000.0, 7200.0, 1e4, 172_800.0, 1e6, 1e7, 1e9, 1e12)
EDGES = (*_LIMITS, *((low + high) / 2 for low, high in pairwise(sorted(_LIMITS))), 123.456, 2.0**20, 0.1 * 2**30, 1e-7)


def _unknown(key: str) -> str:
    try:
        return field_of(key).key
    except ScenarioError as refused:
        return str(refused)
