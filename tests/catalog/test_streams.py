"""Models of several residual streams: Qwen3.8-Flash-Next (qwen4_exp) and GLM-5.3-Flash (glm5_next), by transformers' own classes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import catalog
from catalog.hf_config import architecture_from_config
from engine.decide.size import size
from engine.model.architecture import Architecture
from engine.model.parameters import count_parameters
from engine.scenario import Workload
from tests.accuracy.served_models import GLM_FLASH, QWEN_FLASH_NEXT


def read(config: dict[str, Any], **changed: Any) -> Architecture:
    return architecture_from_config({**config, **changed}, "config.json")


def elements(arch: Architecture, part: str) -> int:
    return sum(
        one.rows * one.cols * one.copies
        for tensors in (arch.embedding, arch.head, *(layer.tensors for layer in arch.layers))
        for one in tensors
        if one.part == part
    )


def test_flash_next_counts_what_its_publisher_says() -> None:
    # 180B: 125B beside 51B of n-grams, and 4B that predict ahead with the copies of table and head that they share
    arch = read(QWEN_FLASH_NEXT)
    counted = count_parameters(arch)
    assert elements(arch, "table") == 16 * 20_000_000 * 160
    assert counted.total - elements(arch, "table") == pytest.approx(125e9, rel=0.01)
    assert counted.active == pytest.approx(6e9, rel=0.2)
    assert not arch.unread


def test_glm_flash_counts_what_its_publisher_says() -> None:
    # 321.3B with the layer that predicts ahead and a tower of 0.6B (unslothai/llama.cpp, pull request 116)
    arch = read(GLM_FLASH)
    ahead = sum(one.rows * one.cols * one.copies for one in arch.mtp)
    assert count_parameters(arch).total + ahead == pytest.approx(320.7e9, rel=2e-3)
    assert count_parameters(arch).active == pytest.approx(18e9, rel=0.05)
    assert not arch.unread


def test_every_fourth_layer_keeps_tokens_and_the_others_a_state() -> None:
    for config, width, states in ((QWEN_FLASH_NEXT, 2 * 2 * 256, 36), (GLM_FLASH, 512, 34)):
        arch = read(config)
        caches = [cache for layer in arch.layers for cache in layer.caches]
        grows = [cache for cache in caches if cache.kind != "recurrent"]
        assert len(caches) - len(grows) == states
        assert len(grows) == len(arch.layers) - states
        assert {cache.latent_width or cache.kv_heads * (cache.k_width + cache.v_width) for cache in grows} == {width}
        assert {cache.index_width for cache in grows} == {128 // 4}  # a key of 128 for four tokens
    assert {layer.mixer for layer in read(GLM_FLASH).layers} == {"mla", "recurrent"}


def test_the_table_of_n_grams_is_the_hosts_under_every_engine() -> None:
    arch = read(QWEN_FLASH_NEXT)
    asked = catalog.build_scenario(
        "qwen3-next-80b-a3b", "nvfp4", "rtx-pro-6000-server", workload=Workload(input_tokens=1000), architecture=arch
    )
    table = 2 * elements(arch, "table")
    for engine in ("vllm", "sglang", "llama.cpp"):
        found = size(replace(asked, runtime=replace(asked.runtime, engine=engine))).memory
        assert found.host_bytes >= table or engine == "llama.cpp"
        assert found.worst.weights_bytes < 80 * 2**30
    without = read(QWEN_FLASH_NEXT, ple_layer_ids=None)
    assert size(replace(asked, model=replace(asked.model, architecture=without))).memory.host_bytes == 0


@pytest.mark.parametrize("named", ["full_attention", "qwen_sparse_attention", "deepseek_sparse_attention"])
def test_the_layers_that_attend_have_several_names(named: str) -> None:
    listed = [named if index % 4 == 3 else "linear_attention" for index in range(48)]
    assert read(QWEN_FLASH_NEXT, layer_types=listed).layers == read(QWEN_FLASH_NEXT).layers
