"""Tables beside the builds: what models hold in each format, what sweeps find, what the articles' worlds come to."""

from __future__ import annotations

from typing import Any

from catalog import Catalog
from engine.decide import what_if
from engine.model.flops import (
    active_elements,
    attention_flops_per_token,
    decode_attention_flops,
    forward_flops_per_token,
    matmul_flops_per_token,
)
from engine.model.formats import FORMATS, KV_FORMATS, model_weight_bytes
from engine.model.kv_cache import cache_profile
from engine.model.parameters import count_parameters
from engine.scenario import Scenario
from engine.serving.kv_pool import kv_pool
from tests.claims.world import article_scaling

SWEPT = {
    "serve-8b-bf16-one-4090": ("workload.concurrency", "workload.input_tokens"),
    "full-qwen2.5-zero2-8bit": ("hardware.gpus_per_node", "hardware.nodes", "workload.sequence_length"),
    "serve-spark-pair": ("hardware.inter_link",),
}
"""Builds and the fields that they are swept over."""
ENGINES = ("vllm", "vllm-earlier", "sglang", "llama.cpp")
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
            "sequences": [profile.bytes_per_sequence_bf16(length) for length in LENGTHS],
            "whole": [
                [
                    forward_flops_per_token(arch, length),
                    matmul_flops_per_token(arch) + decode_attention_flops(arch, length),
                ]
                for length in LENGTHS
            ],
            "products": [matmul_flops_per_token(arch, head, mtp) for head, mtp in ((True, False), (False, True))],
            "seen": [attention_flops_per_token(arch, length, causal=False) for length in LENGTHS],
            "decode": [decode_attention_flops(arch, length) for length in LENGTHS],
            "pools": {
                f"{engine} {kv}": _pool(arch, kv, engine) for engine in ENGINES for kv in ("bf16", "fp8", "q4_0")
            },
            "stages": [_pool(arch, "fp8", engine, ranks, stage, True) for engine in ENGINES for ranks, stage in STAGES],
        }
    return found


STAGES = ((1, 0), (3, 1), (8, 2))
"""Ranks that share KV heads, and a stage of three."""


def _pool(
    arch: Any, kv: str, engine: Any, ranks: int = 2, stage: int | None = None, plain_latent: bool = False
) -> list[Any]:
    pool = kv_pool(arch, kv, ranks, 1 if stage is None else 3, stage or 0, engine, plain_latent=plain_latent)
    many = [
        value
        for length in LENGTHS
        for value in (
            pool.needed_bytes(5, length, 2048),
            pool.concurrency(2**35, length, 2048),
            pool.reported_concurrency(2**35, length, 2048),
        )
    ]
    sizes = [pool.sequence_bytes(length, 2048) for length in LENGTHS]
    return [
        *sizes,
        *many,
        pool.block_tokens,
        pool.block_bytes,
        pool.waste,
        pool.longest(2**33, 500_000, 2048),
        pool.longest(0, 500_000, 2048),
    ]


def formats() -> dict[str, Any]:
    """Bits of each format of weights and caches."""
    weights = {name: form.bits_per_weight for name, form in FORMATS.items()}
    return {"weights": weights, "caches": {name: form.bytes_each for name, form in KV_FORMATS.items()}}


def sweeps(name: str, scenario: Scenario) -> dict[str, Any]:
    """Points and flips of each field that a build is swept over."""
    found: dict[str, Any] = {}
    for field in SWEPT[name]:
        points = list(what_if.sweep(scenario, field, what_if.values(scenario, field, 1)))
        found[field] = {"points": points, "flips": list(what_if.flips(scenario, field, points))}
    return found


def articles() -> list[Any]:
    """The scaling table of the articles' world."""
    return list(article_scaling())
