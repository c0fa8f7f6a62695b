"""Models that read texts and write none: what they hold, and that they embed by whatever name or class they come."""

from __future__ import annotations

from typing import Any

import pytest

import catalog
from catalog.hf_config import architecture_from_config, read_config
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.model.parameters import count_parameters
from engine.scenario.change import change

EMBEDDERS = [entry.id for entry in catalog.load().models if entry.architecture.embeds]


@pytest.mark.parametrize("model_id", EMBEDDERS)
def test_an_embedder_embeds_and_keeps_no_tokens(model_id: str) -> None:
    served = change(
        catalog.build_scenario("llama-3.1-8b", "bf16", "l40s", 1),
        {"model.id": model_id, "workload.input_tokens": 256},
        catalog.load(),
    )
    assert served.workload.kind == "embed"
    sizing = size(served)
    assert sizing.serving is not None
    assert sizing.memory.kv_capacity_tokens == 0
    read_flops = 2 * count_parameters(served.model.architecture).active_excl_input_embedding
    rate = sizing.serving.requests_per_s * served.workload.input_tokens * read_flops
    assert 0 < rate < 0.9 * (served.hardware.accelerator.tflops_bf16_dense or 0) * 1e12
    with pytest.raises(ScenarioError, match="writes none"):
        size(change(served, {"workload.kind": "serve"}))
    assert change(served, {"model.id": "llama-3.1-8b"}, catalog.load()).workload.kind == "serve"


@pytest.mark.parametrize("name", ["Qwen3Model", "Qwen3ForSequenceClassification"])
def test_a_class_without_a_head_embeds(name: str) -> None:
    config: dict[str, Any] = dict(read_config(catalog.load().model("qwen3-8b").config))
    whole = architecture_from_config(config, "config.json")
    arch = architecture_from_config({**config, "architectures": [name]}, "config.json")
    assert arch.embeds
    assert not whole.embeds
    lost = count_parameters(whole).total - count_parameters(arch).total
    assert lost == whole.vocab_size * whole.hidden_size


def test_chatglm_writes_whatever_its_class_is_called() -> None:
    config = {
        "model_type": "chatglm", "architectures": ["ChatGLMModel"], "hidden_size": 4096, "num_layers": 28, "ffn_hidden_size": 13696,
        "num_attention_heads": 32, "multi_query_group_num": 2, "kv_channels": 128, "padded_vocab_size": 65024,
        "add_qkv_bias": True, "multi_query_attention": True, "seq_length": 8192, "rmsnorm": True,
    }  # fmt: skip
    arch = architecture_from_config(config, "config.json")
    assert not arch.embeds
    assert count_parameters(arch).total == pytest.approx(6_243_584_000, rel=1e-6)  # THUDM/chatglm3-6b
