"""Variants of golden builds: each one change away from its build, a line of figures each.

Every choice of every field, and numbers about the places where something begins to count: a format, an engine, a card,
a limit of the engine, one token more than a block. They reach what whole builds of common kinds do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from catalog import Catalog
from engine.decide.answer import missed_targets, slow, status_of
from engine.decide.fabric import fabric_table
from engine.decide.plan import Plan, plan
from engine.decide.prospects import prospects
from engine.decide.size import size
from engine.decide.whole import with_changes
from engine.figures.errors import ScenarioError
from engine.figures.sentences import Figure, Sentence, text_of
from engine.model.formats import FORMATS
from engine.money.cost import cost
from engine.money.power import power
from engine.scenario import KINDS, Scenario
from engine.scenario.change import change
from engine.scenario.fields import FIELDS, Field
from engine.sizing import Sizing

Changes = Mapping[str, Any]
LOADS: tuple[Changes, ...] = (
    *({"workload.concurrency": users} for users in (1, 3, 33, 257, 1025, 20_000)),
    *({"workload.input_tokens": tokens} for tokens in (1, 15, 17, 1024, 4095, 4097, 9000, 60_000)),
    *({"workload.output_tokens": tokens} for tokens in (1, 2, 129, 4000)),
    *({"workload.requests": count, "workload.concurrency": 40} for count in (1, 39, 40, 41, 400)),
    *({"workload.ttft_target_s": seconds} for seconds in (0.05, 0.5, 5.0, 50.0)),
    *({"workload.tokens_per_s_user_target": rate} for rate in (1.0, 15.0, 60.0, 500.0)),
    *({"workload.requests_per_s": rate} for rate in (0.01, 1.0, 30.0)),
    *({"workload.input_tokens": 10**7, "workload.output_tokens": tokens} for tokens in (10, 10**7)),
    {"workload.kind": "batch"},
    {"workload.budget_usd": 10_000.0},
)
ENGINE: tuple[Changes, ...] = (
    *({"runtime.max_num_seqs": count} for count in (1, 5, 127, 129, 257, 3000)),
    *({"runtime.max_num_batched_tokens": count} for count in (1, 300, 2048, 4097, 40_000)),
    *({"runtime.max_model_len": count} for count in (20_000, 100_000)),
    *({"runtime.block_size": count} for count in (1, 8, 64, 100)),
    *({"runtime.memory_utilization": share} for share in (0.3, 0.95, 1.0)),
    {"runtime.admission_wait_steps": 7},
)
LAYOUTS: tuple[Changes, ...] = (
    *({"layout.tp": ranks, "layout.pp": None, "layout.dp": None} for ranks in (1, 2, 3, 8)),
    *({"layout.pp": stages, "layout.tp": None, "layout.dp": None} for stages in (1, 2, 3, 5)),
    *({"layout.dp": ranks, "layout.tp": None, "layout.pp": None} for ranks in (1, 2, 3)),
    *({"layout.ep": ranks} for ranks in (1, 2, 4, 8)),
    {"layout.tp": None, "layout.pp": None, "layout.dp": None, "layout.ep": None, "layout.dp_attention": None},
    {"layout.dp_attention": True},
)
WORK: tuple[Changes, ...] = (
    *({"workload.micro_batch": count} for count in (1, 2, 3, 16)),
    *({"workload.sequence_length": tokens} for tokens in (127, 1000, 4097, 32_768)),
    *({"workload.global_batch_tokens": tokens} for tokens in (1, 45_000, 10_000_000)),
    *({"workload.gradient_accumulation": count} for count in (1, 2, 7)),
    *({"workload.virtual_stages": count, "workload.pipeline_schedule": "interleaved"} for count in (1, 3, 40)),
    *({"workload.lora_rank": rank} for rank in (1, 7, 64)),
    *({"workload.overlap": share} for share in (0.0, 0.37, 1.0)),
    *({"workload.deadline_days": days} for days in (0.01, 3.0, 300.0)),
    *({"workload.budget_usd": usd} for usd in (10.0, 3000.0, 1e7)),
    *({"workload.context_parallel": 2, "workload.sequence_length": tokens} for tokens in (2048, 16_384, 10**7)),
    *({"workload.flash_attention": False, "workload.recompute": kept} for kept in ("none", "selective", "full")),
    *({"workload.software": software, "workload.compile": True} for software in ("eager", "fused", "tuned")),
    {"workload.activation_offload": True, "workload.recompute": "full"},
    {"workload.total_tokens": 10**13},
)
HELD: tuple[Changes, ...] = (
    *({"model.weights": name} for name in FORMATS),
    *({"model.weights": name, "workload.kind": "batch"} for name in ("int4", "q4_k_m", "fp8")),
    *({"workload.kind": kind, "model.weights": "bf16"} for kind in KINDS),
    *({"workload.kind": kind, "workload.sequence_length": 2048} for kind in KINDS),
)
"""Every format of weights, and every kind of work."""
SHAPES: tuple[Changes, ...] = tuple(
    {"hardware.gpus_per_node": gpus, "hardware.nodes": nodes}
    for gpus, nodes in ((1, 1), (2, 1), (3, 1), (4, 1), (6, 1), (8, 1), (8, 2), (8, 3), (4, 5), (8, 40))
)
SERVED = (
    "serve-8b-bf16-one-4090",
    "serve-deepseek-v3-tp8-pp2",
    "serve-gemma-3-earlier-vllm",
    "serve-gpt-oss-mxfp4-trtllm",
    "serve-nemotron-3-nano-ssm",
    "serve-qwen3-235b-mi300x-ep",
    "serve-deepseek-v3.2-mtp",
    "serve-qwen3-vl-8b",
)
TRAINED = (
    "full-8b-zero1-offload",
    "full-qwen3-30b-node-sharding",
    "lora-qwen2.5-vl-ddp",
    "qlora-13b-gptq",
    "pretrain-70b-interleaved-fp8",
    "pretrain-mixtral-8x7b-ep8",
    "pretrain-8b-64k-cp4",
)
EVERYWHERE = ("serve-8b-bf16-one-4090", "full-8b-zero1-offload")
"""Builds that are tried on every card, and with every model and link."""
JUDGED = ("serve-8b-bf16-one-4090", "serve-gpt-oss-mxfp4-trtllm", "full-qwen3-30b-node-sharding", "lora-qwen2.5-vl-ddp")
"""Builds whose variants of shape and load are judged too: verdict, warnings, bill."""
SUFFIX = ".variants"
"""What the name of a build's variants ends with."""


def _choices(field: Field, base: Scenario) -> Iterator[Changes]:
    """Every choice of a field that is no number and no id."""
    if base.workload.kind in field.kinds and field.key != "workload.kind" and field.kind == "choice":
        yield from ({field.key: choice[0]} for choice in field.choices)


def _prices() -> Iterator[Changes]:
    """A small and a larger value of everything about money that can be entered."""
    yield from ({field.key: value} for field in FIELDS if field.table == "money" for value in (0.5, 20.0))


def changes_of(name: str, base: Scenario, known: Catalog) -> Iterator[Changes]:
    """The changes that a build is varied by."""
    for field in FIELDS:
        yield from _choices(field, base)
    if name in JUDGED:
        yield from _prices()
    yield from LAYOUTS
    yield from SHAPES
    yield from HELD
    yield from (*LOADS, *ENGINE) if base.workload.is_inference else WORK
    if name in EVERYWHERE:
        yield from ({"hardware.accelerator": card.id} for card in known.facts.accelerators)
        yield from ({"model.id": model.id} for model in known.models)
        for link in known.facts.links:
            side = "hardware.intra_link" if link.scope == "intra-node" else "hardware.inter_link"
            yield {side: link.id, "hardware.gpus_per_node": 4, "hardware.nodes": 2, "layout.tp": 8, "layout.dp": 1}


def table_of(name: str, base: Scenario, known: Catalog) -> dict[str, Any]:
    """The figures of each variant of a build by its change, in words, under common columns; a refusal is a sentence."""
    found: dict[str, dict[str, Any] | str] = {}
    for changes in changes_of(name, base, known):
        label = ", ".join(f"{key} = {value}" for key, value in changes.items())
        try:
            varied = change(base, changes, known)
            made = plan(varied)
            line = _figures(made)
            of_catalog = changes.keys() & {"model.id", "hardware.accelerator", "model.weights"}
            if not of_catalog:
                line |= _fabric(made)
            if name in JUDGED and changes in (*_prices(), *SHAPES, *LOADS, *WORK):
                line |= _judged(varied)
            elif "model.weights" in changes or (of_catalog and base.workload.is_inference):
                line["warnings"] = _warnings(size(varied))
            found[label] = line
        except ScenarioError as refused:
            found[label] = str(refused)
    columns = list(dict.fromkeys(key for line in found.values() if isinstance(line, dict) for key in line))
    rows = {
        label: line if isinstance(line, str) else [line.get(column) for column in columns]
        for label, line in found.items()
    }
    return {"columns": columns, "rows": rows}


GROUP = ("weights", "kv", "activation", "runtime", "optimizer", "gradient", "free")
MEMORY = (
    "max_concurrency", "kv_capacity_tokens", "longest_context_tokens", "reported_concurrency", "host_bytes",
    "nvidia_smi_bytes", "largest_micro_batch", "headroom",
)  # fmt: skip
SERVING = (
    "ttft_s", "inter_token_s", "tokens_per_s_total", "served_concurrency", "single_stream_tokens_per_s",
    "offline_tokens_per_s", "best_concurrency", "best_tokens_per_s_total", "bound_by", "communication_s",
    "communication_share", "meets_targets",
)  # fmt: skip
TRAINING = (
    "step_s", "compute_s", "tp_communication_s", "ep_communication_s", "pp_communication_s", "dp_communication_s",
    "exposed_communication_s", "bubble_share", "optimizer_s", "mfu", "days", "micro_batches", "one_gpu_tokens_per_s",
    "meets_deadline",
)  # fmt: skip


COST = (
    "buy_usd", "rent_usd_per_hour", "own_usd_per_month", "break_even_months", "break_even_runs",
    "electricity_usd_per_month", "usd_per_million_tokens", "run_usd", "operations_factor",
)  # fmt: skip


def _figures(found: Plan) -> dict[str, Any]:
    layout, memory = found.layout, found.memory
    drawn = power(found.scenario, memory.host_bytes)
    priced = cost(found, drawn)
    line: dict[str, Any] = {
        "layout": f"{layout.tp} {layout.pp} {layout.dp} {layout.ep} {'shared' if layout.dp_attention else 'whole'}"
    }
    for which, group in (("worst", memory.per_gpu[0]), ("best", memory.per_gpu[-1])):
        line |= {f"{which}.{name}": getattr(group, f"{name}_bytes") for name in GROUP}
    line |= {name: getattr(memory, name) for name in MEMORY}
    line |= {name: getattr(priced, name) for name in COST}
    line |= {"power": drawn.total_w, "status": status_of(found), "missed": _missed(found), "slow": slow(found)}
    if found.serving is not None:
        serving = found.serving
        line |= {name: getattr(serving, name) for name in SERVING}
        line |= {"ttft.low": serving.ttft_interval.low, "tokens.high": serving.tokens_per_s_interval.high}
    if found.training is not None:
        training = found.training
        line |= {name: getattr(training, name) for name in TRAINING}
        line |= {"tokens.low": training.interval.low, "overlap.high": training.overlap_range.high}
    return line


def _missed(found: Plan) -> str:
    """What targets are missed by; a build that is not judged by them has none, yet the figures are the same."""
    return ", ".join(f"{miss.target} {miss.got:.6g} for {miss.asked:.6g}" for miss in missed_targets(found))


def _judged(scenario: Scenario) -> dict[str, Any]:
    sizing = with_changes(size(scenario))
    verdict = sizing.verdict
    best = verdict.recommended
    return {
        "verdict": f"{verdict.step} {verdict.answer} {'carried' if verdict.carried else 'not'} {verdict.replicas}",
        "build": "" if best is None else f"{best.nodes}x{best.gpus_per_node} {best.weights}",
        "warnings": _warnings(sizing),
        "suggestions": " ".join(item.field for item in sizing.memory.suggestions),
        "own_three_years": sizing.cost.horizons[-1].own_usd,
        "rent_three_years": sizing.cost.horizons[-1].rent_usd,
        "rung": text_of(sizing.answer.rung),
        "why": " ".join(part.figure for part in sizing.answer.why if isinstance(part, Figure)),
        "smallest": _smallest(scenario),
    }


def _warnings(sizing: Sizing) -> str:
    return " ".join(f"{notice.severity[0]}:{notice.id}" for notice in sizing.warnings)


def _fabric(found: Plan) -> dict[str, Any]:
    """The rows of every link, each figure added up over them, and how often each word is said."""
    rows = fabric_table(found.scenario, found.layout, found.serving, found.training)
    summed = {f"fabric.{name}": sum(getattr(row, name) or 0.0 for row in rows) for name in FABRIC}
    words = Counter(word for row in rows for word in (row.word, row.word_tp, row.word_pp, row.word_dp) if word)
    return summed | {"fabric.words": " ".join(f"{word} {count}" for word, count in sorted(words.items()))}


FABRIC = (
    "seconds", "prefill_seconds", "share", "relative_speed", "relative_speed_tp", "relative_speed_pp",
    "relative_speed_dp",
)  # fmt: skip


def _smallest(scenario: Scenario) -> str | Sentence:
    if scenario.workload.is_inference:
        return ""
    found = prospects(scenario)
    return found.no_smallest or (found.smallest.words if found.smallest is not None else "")
