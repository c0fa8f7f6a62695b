"""What `engine.decide.size` returns: every figure that a screen or report shows, computed once.

The JSON report uses these names. Units are in the names; a figure that does not apply is None.
"""

from __future__ import annotations

from engine.figures.kinds import FigureKind, Interval
from engine.figures.records import dataclass
from engine.scenario import Layout, Scenario
from engine.sizing.common import Rows, Suggestion
from engine.sizing.decision import (
    Answer,
    Build,
    Evidence,
    Flip,
    Notice,
    Outcome,
    Severity,
    Status,
    Step,
    Verdict,
    flip_id,
)
from engine.sizing.fabric import FINE_FROM, FabricQuality, FabricRow, FabricWord, ScalingRow
from engine.sizing.memory import Headroom, Memory, MemoryGroup, TrainingDetail, TrainingPhase
from engine.sizing.money import Advised, Cost, Horizon, Offer, PriceLine
from engine.sizing.power import Circuit, Power
from engine.sizing.speed import Miss, Serving, Training

__all__ = [
    "FINE_FROM",
    "Advised",
    "Answer",
    "Build",
    "Circuit",
    "Cost",
    "Evidence",
    "FabricQuality",
    "FabricRow",
    "FabricWord",
    "FigureKind",
    "Flip",
    "Headroom",
    "Horizon",
    "Interval",
    "Memory",
    "MemoryGroup",
    "Miss",
    "ModelFacts",
    "Notice",
    "Offer",
    "Outcome",
    "Power",
    "PriceLine",
    "Resolved",
    "Rows",
    "ScalingRow",
    "Serving",
    "Severity",
    "Sizing",
    "Status",
    "Step",
    "Suggestion",
    "Training",
    "TrainingDetail",
    "TrainingPhase",
    "Verdict",
    "flip_id",
]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Counted facts of the model in the chosen formats."""

    id: str
    params_total: int
    params_active: int
    weight_bytes: int  # the whole model in the chosen format
    kv_bytes_per_token: int  # all layers, chosen cache format, one copy (before TP)
    state_bytes_per_sequence: int


@dataclass(frozen=True, slots=True)
class Resolved:
    """What each setting or price is that a person may leave open: as entered or, where open, as filled in.

    total_tokens, global_batch_tokens: of a training run and of its steps.
    Prices are the catalog's own, whatever was entered. None: unknown, or nothing that this workload has.
    """

    gpu_price_usd: float | None = None
    usd_per_gpu_hour: float | None = None
    electricity_usd_per_kwh: float | None = None
    memory_utilization: float | None = None
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    speculative_tokens: int | None = None
    speculative_accepted: float | None = None
    total_tokens: int | None = None
    global_batch_tokens: int | None = None
    gradient_accumulation: int | None = None
    lora_precision: str | None = None
    base_precision: str | None = None
    gradient_precision: str | None = None
    residual_precision: str | None = None
    virtual_stages: int | None = None
    loss: str | None = None
    software: str | None = None
    attention_kernel: str | None = None


@dataclass(frozen=True)  # without slots, which leave no place for a table to wait in
class Sizing:
    """The answer to one Scenario. `fabric` and `scaling` are made when they are first read."""

    scenario: Scenario
    model: ModelFacts
    layout: Layout
    memory: Memory
    serving: Serving | None
    training: Training | None
    verdict: Verdict
    warnings: tuple[Notice, ...]
    cost: Cost
    power: Power
    answer: Outcome
    resolved: Resolved = Resolved()
    fabric: Rows[FabricRow] = Rows()
    scaling: Rows[ScalingRow] = Rows()
