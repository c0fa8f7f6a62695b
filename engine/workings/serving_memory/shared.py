"""What the workings of serving memory share: where their constants come from, and the cache of one rank."""

from __future__ import annotations

from engine.calibration import serving_memory as fitted
from engine.layout.sharding import attention_ranks
from engine.serving.kv_pool import KvPool, kv_pool
from engine.serving.memory import non_torch_bytes, plain_latent
from engine.sizing import FigureKind
from engine.workings.case import Case

CALIBRATION = "engine.calibration.serving_memory, fitted on start-up logs (scripts/calibrate_serving_memory.py)"
ACCOUNT = "engine.serving.memory: the engine's own accounting at start-up"


def error_of(name: str) -> str:
    """Where a fitted constant comes from, and its error."""
    return f"{CALIBRATION}: {fitted.ERRORS[name]}"


def is_rocm(case: Case) -> bool:
    """Whether the card runs on ROCm."""
    return case.card.vendor.upper() == "AMD"


def kind_of_setting(case: Case, name: str) -> FigureKind:
    """Whether a person entered an engine setting, or it is a default."""
    return "entered" if getattr(case.scenario.runtime, name, None) is not None else "data sheet"


def has_nvlink(case: Case) -> bool:
    """Whether the GPUs of a node are joined by NVLink or Infinity Fabric."""
    return case.scenario.hardware.intra_link.family in ("nvlink", "xgmi")


def non_torch_value(case: Case) -> int:
    """Memory outside of PyTorch before the weights are loaded, bytes."""
    return non_torch_bytes(case.card, case.layout, case.settings.engine, has_nvlink(case))


def pool_of(case: Case, index: int) -> KvPool:
    """The KV pool of one GPU of a memory group."""
    model, settings = case.scenario.model, case.settings
    ranks = attention_ranks(case.layout)
    return kv_pool(
        case.arch,
        model.kv_cache,
        ranks,
        case.layout.pp,
        case.stage(index),
        settings.engine,
        settings.block_size,
        plain_latent(case.card, settings.engine),
    )
