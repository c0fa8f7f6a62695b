"""Published names and the catalog models that they mean."""

from __future__ import annotations

import pytest

import catalog
from catalog.names import resolve_name


@pytest.mark.parametrize(
    ("name", "model_id"),
    [
        ("Llama-3.3-70B-Instruct-FP8-dynamic", "llama-3.3-70b"),
        ("RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic", "llama-3.3-70b"),
        ("meta-llama/Meta-Llama-3-8B-Instruct", "llama-3-8b"),
        ("Llama 3 70B", "llama-3-70b"),
        ("llama3.1-70b", "llama-3.1-70b"),
        ("Llama-3.1-8B-Instruct-quantized.w4a16", "llama-3.1-8b"),
        ("Llama-3.2-3B-Instruct Q8_0 GGUF", "llama-3.2-3b"),
        ("nvidia/DeepSeek-R1-FP4", "deepseek-r1"),
        ("DeepSeek-R1-0528 (FP8)", "deepseek-r1"),
        ("DeepSeek-R1-Distill-Llama-70B", "llama-3.3-70b"),
        ("DeepSeek-R1-Distill-Qwen-14B", "qwen2.5-14b"),
        ("Qwen/Qwen3-32B-AWQ", "qwen3-32b"),
        ("Qwen3-235B-A22B-Instruct-2507-FP8", "qwen3-235b-a22b"),
        ("Qwen2.5-72B-Instruct-GPTQ-Int4", "qwen2.5-72b"),
        ("neuralmagic/Mixtral-8x7B-Instruct-v0.1-AutoFP8", "mixtral-8x7b"),
        ("NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4 (hybrid Mamba2)", "nemotron-3-nano-30b-a3b"),
        ("gemma-3-27b-it-qat", "gemma-3-27b"),
        ("openai/gpt-oss-120b", "gpt-oss-120b"),
        ("MiniMax-M2.5", "minimax-m2.7"),
        ("QwQ-32B", "qwen2.5-32b"),
    ],
)
def test_a_published_name_resolves(name: str, model_id: str) -> None:
    assert resolve_name(name) == model_id


@pytest.mark.parametrize("name", ["", "GPT-181B", "70B", "bert-large", "Llama-5-70B", "unstated (SM120 host)"])
def test_an_unknown_name_is_not_guessed(name: str) -> None:
    assert resolve_name(name) is None


def test_every_model_answers_to_its_own_names() -> None:
    for model in catalog.load().models:
        assert resolve_name(model.id) == model.id
        resolved = resolve_name(model.hf_id)
        assert resolved is not None, model.hf_id
        same = catalog.load().model(resolved).architecture
        assert same.layers == model.architecture.layers, (model.hf_id, resolved)
