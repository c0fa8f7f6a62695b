"""Tables beside the builds: what models hold in each format, what sweeps find, what the articles' worlds come to."""

from __future__ import annotations

from typing import Any

from catalog import Catalog
from engine import sweep
from engine.flops import active_elements, attention_flops_per_token, decode_attention_flops
from engine.formats import FORMATS, KV_FORMATS, model_weight_bytes
from engine.kv_cache import cache_profile
from engine.kv_pool import kv_pool
from engine.parameters import count_parameters
from engine.scaling import article_scaling
from engine.scenario import Scenario

SWEPT = {
    "serve-8b-bf16-one-4090": ("workload.concurrency", "workload.input_tokens"),
    "full-qwen2.5-zero2-8bit": ("hardware.gpus_per_node", "hardware.nodes", "workload.sequence_length"),
    "serve-spark-pair": ("hardware.inter_link",),
}
"""Builds and the fields that they are swept over."""
ENGINES = ("vllm", "sglang", "llama.cpp")
LENGTHS = (1, 100, 5000, 70_000)


def models(known: Catalog) -> dict[str, Any]:
    """Counts of each model: parameters, caches, elements that a token meets, bytes in each format, blocks of caches."""
    found: dict[str, Any] = {}
    for entry in known.models:
        arch = entry.architecture
        profile = cache_profile(arch)
        counts = {
            name: getattr(profile, name)
            for name in type(profile).__dataclass_fields__
            if not name.endswith("kv_layers")
        }
        found[entry.id] = {
            "parameters": count_parameters(arch),
            "caches": counts | {"layers": dict(profile.kv_layers)},
            "met": active_elements(arch),
            "weights": {name: model_weight_bytes(arch, name) for name in FORMATS},
            "attention": [attention_flops_per_token(arch, length) for length in LENGTHS],
            "decode": [decode_attention_flops(arch, length) for length in LENGTHS],
            "pools": {f"{engine} {kv}": _pool(arch, kv, engine) for engine in ENGINES for kv in ("bf16", "fp8")},
        }
    return found


def _pool(arch: Any, kv: str, engine: Any) -> list[Any]:
    pool = kv_pool(arch, kv, 2, 1, 0, engine)
    sizes = [pool.sequence_bytes(length, 2048) for length in LENGTHS]
    return [*sizes, pool.block_bytes, pool.waste, pool.longest(2**33, 500_000, 2048), pool.longest(0, 500_000, 2048)]


def formats() -> dict[str, Any]:
    """Bits of each format of weights and caches."""
    weights = {name: form.bits_per_weight for name, form in FORMATS.items()}
    return {"weights": weights, "caches": {name: form.bytes_each for name, form in KV_FORMATS.items()}}


def sweeps(name: str, scenario: Scenario) -> dict[str, Any]:
    """Points and flips of each field that a build is swept over."""
    found: dict[str, Any] = {}
    for field in SWEPT[name]:
        points = list(sweep.sweep(scenario, field, sweep.values(scenario, field, 1)))
        found[field] = {"points": points, "flips": list(sweep.flips(scenario, field, points))}
    return found


def articles() -> list[Any]:
    """The scaling table of the articles' world."""
    return list(article_scaling())
