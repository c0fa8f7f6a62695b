"""Training by framework and kind, each source left out: its rows under constants that never saw one of them.

The constants come from `tests/calibration/left_out`, kept by the fits; the formulas are those of today. A source that nothing
was fitted on is predicted by the constants in force, which have not seen it either. Tables of one publisher are one source.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict

from engine.figures.units import GIB
from engine.training import rates
from engine.training.memory import training_memory
from tests.accuracy import harness
from tests.accuracy import training_memory as memory
from tests.calibration import folds
from tests.calibration import training_memory as memory_fit
from tests.calibration import training_speed as speed_fit

MEMORY = ("training_memory", "training_memory_public", "training_memory_wave2")
SPEED = ("training_perf", "training_perf_public", "training_perf_wave2")
FRAMEWORKS = (
    ("megatron-bridge", "Megatron-Bridge, NeMo"),
    ("automodel", "NeMo AutoModel"),
    ("nemo", "Megatron-Bridge, NeMo"),
    ("megatron-deepspeed", "Megatron-DeepSpeed"),
    ("megatron", "Megatron-LM"),
    ("torchtitan", "torchtitan"),
    ("torchtune", "torchtune"),
    ("litgpt", "litgpt"),
    ("fsdp_qlora", "fsdp_qlora"),
    ("llm-foundry", "llm-foundry"),
    ("llmq", "llmq"),
    ("internevo", "InternEvo"),
    ("prime-rl", "prime-rl"),
    ("fms-acceleration", "HF Trainer, PEFT, TRL"),
    ("fms-fsdp", "FSDP"),
    ("kempnerforge", "FSDP"),
    ("fsdp", "FSDP"),
    ("ms-swift", "HF Trainer with DeepSpeed"),
    ("deepspeed", "HF Trainer with DeepSpeed"),
    ("hf", "HF Trainer, PEFT, TRL"),
    ("trl", "HF Trainer, PEFT, TRL"),
)
"""Names of frameworks as rows have them, first match wins, and what the table calls them."""
LEAST = 5
"""A framework and kind of fewer rows stands in the line of all others."""
KINDS = {
    "pretrain": "pretraining",
    "full": "full fine-tune",
    "full-finetune": "full fine-tune",
    "lora": "LoRA",
    "qlora": "QLoRA",
}


def framework(name: str) -> str:
    """What the table calls a framework that a row names."""
    plain = name.lower()
    return next((called for word, called in FRAMEWORKS if word in plain), "others")


def kind(row: harness.Row) -> str:
    """Pretraining, full fine-tune, LoRA or QLoRA."""
    words = re.sub(r"[^a-z]", "", str(row.get("method") or row.get("task")).lower())
    for word in ("qlora", "lora", "pretrain", "scratch"):
        if word in words:
            return KINDS.get(word, "pretraining")
    return "full fine-tune"


def groups(row: harness.Row, source: str) -> dict[str, str]:
    """How the tables split a row."""
    return {"framework": framework(str(row.get("framework"))), "kind": kind(row), "source": source}


def memory_cases() -> list[harness.Case]:
    """Peaks of every published run that ran, each under constants fitted without its publisher."""
    kept, in_force = folds.read("training_memory"), memory_fit.current()
    by_source: dict[str, list[harness.Row]] = defaultdict(list)
    for name in MEMORY:
        for row in harness.load_rows(harness.REFERENCE / f"{name}.jsonl"):
            if row.get("in_fit", True) and not row.get("oom") and row.get("observed_gib"):
                by_source[memory_fit.publisher(row)].append(row)
    cases: list[harness.Case] = []
    try:
        for source, rows in sorted(by_source.items()):
            memory_fit.put(folds.without(kept, in_force, source))
            for row in rows:
                try:
                    made = training_memory(*memory.scenario_of(row), suggest=False)
                except memory.Unreadable:
                    continue
                predicted = memory.predicted_bytes(made, str(row.get("observed_metric") or "")) / GIB
                interval = memory.interval_of(made, predicted)
                cases.append(
                    harness.Case(
                        str(row["id"]), memory.PEAK, row["observed_gib"], predicted, groups(row, source), interval
                    )
                )
    finally:
        memory_fit.put(in_force)
    return cases


def speed_cases() -> list[harness.Case]:
    """Tokens a second and GPU of every published run, each under constants fitted without its publisher."""
    kept, in_force = folds.read("training_speed"), dict(rates.FITTED.values)
    rows = {str(row["id"]): row for name in SPEED for row in harness.load_rows(harness.REFERENCE / f"{name}.jsonl")}
    by_source: dict[str, list[speed_fit.Sample]] = defaultdict(list)
    for name in SPEED:
        for sample in speed_fit.samples(harness.REFERENCE / f"{name}.jsonl"):
            by_source[sample.source].append(sample)
    cases: list[harness.Case] = []
    for source, samples in sorted(by_source.items()):
        errors = speed_fit.log_errors(folds.without(kept, in_force, source), samples)
        for sample, error in zip(samples, errors, strict=True):
            predicted = sample.observed * math.exp(error)
            low, high = rates.FITTED.intervals[sample.group]
            cases.append(
                harness.Case(
                    sample.row_id,
                    "tokens/s/GPU",
                    sample.observed,
                    predicted,
                    groups(rows[sample.row_id], source),
                    (predicted * low, predicted * high),
                )
            )
    return cases


def by_framework(cases: list[harness.Case]) -> list[tuple[str, str, int, harness.Stats]]:
    """(framework, kind, sources, statistics) of each with enough rows, the rest together, and all."""
    split: dict[tuple[str, str], list[harness.Case]] = defaultdict(list)
    for case in cases:
        split[case.groups["framework"], case.groups["kind"]].append(case)
    few = [key for key, listed in split.items() if len(listed) < LEAST or key[0] == "others"]
    rest = [case for key in few for case in split.pop(key)]
    listed = [(*key, split[key]) for key in sorted(split)]
    if rest:
        listed.append(("others", "", rest))
    listed.append(("all", "", cases))
    return [
        (name, what, len({case.groups["source"] for case in part}), harness.stats(part)) for name, what, part in listed
    ]


def fitted_publishers() -> tuple[set[str], set[str]]:
    """The publishers of rows that memory and speed are fitted on: each has its fold."""
    memory_rows = [row for row, _, _ in memory_fit.prepare()]
    speed_rows = speed_fit.samples(harness.REFERENCE / "training_perf.jsonl")
    return {memory_fit.publisher(row) for row in memory_rows}, {row.source for row in speed_rows}
