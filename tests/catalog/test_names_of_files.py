"""Published names, and the size of the files that stand behind them.

The files' sizes are those that their repositories list (decimal gigabytes). A name is sized by its own words alone.
"""

from __future__ import annotations

import pytest

import catalog
from catalog.format_names import format_of_name
from catalog.names import resolve_name
from engine.model.formats import model_weight_bytes


def size_gb(name: str) -> float:
    """Gigabytes of the checkpoint that a published name means."""
    model_id = resolve_name(name)
    assert model_id is not None
    arch = catalog.load().model(model_id).architecture
    return model_weight_bytes(arch, format_of_name(name) or arch.checkpoint_format) / 1e9


def published(text: str) -> list[tuple[str, float]]:
    """A name and a size a line."""
    return [(name, float(size)) for name, size in map(str.split, filter(str.strip, text.splitlines()))]


# Rows that no 256-weight block fits (2,880 in gpt-oss, 29,568 in Qwen2.5 72B, 10,944 and 1,408 in DeepSeek V2 Lite, 896 in
# Qwen2.5 0.5B) take other blocks; experts published in MXFP4 stay so; towers are a file of their own; fused projections.
GGUF = published("""
    bartowski/Meta-Llama-3.1-8B-Instruct-GGUF:Q5_K_L 6.06
    bartowski/Meta-Llama-3.1-8B-Instruct-GGUF:Q3_K_XL 4.78
    bartowski/Meta-Llama-3.1-8B-Instruct-GGUF:IQ3_XS 3.52
    bartowski/Llama-3.3-70B-Instruct-GGUF:Q3_K_XL 38.06
    bartowski/Llama-3.3-70B-Instruct-GGUF:IQ2_M 24.12
    bartowski/Qwen2.5-72B-Instruct-GGUF:Q4_K_M 47.42
    bartowski/Qwen2.5-72B-Instruct-GGUF:Q2_K 29.81
    bartowski/Qwen2.5-72B-Instruct-GGUF:Q6_K 64.35
    Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q4_K_M 0.398
    bartowski/Qwen2.5-0.5B-Instruct-GGUF:Q6_K 0.506
    bartowski/DeepSeek-Coder-V2-Lite-Instruct-GGUF:Q4_K_M 10.36
    bartowski/DeepSeek-Coder-V2-Lite-Instruct-GGUF:Q6_K 14.07
    bartowski/Phi-3.5-mini-instruct-GGUF:Q4_K_M 2.39
    bartowski/phi-4-GGUF:Q4_K_M 9.05
    bartowski/google_gemma-3-27b-it-GGUF:Q4_K_M 16.55
    bartowski/google_gemma-3-4b-it-GGUF:Q8_0 4.13
    google/gemma-3-27b-it-qat-q4_0-gguf 17.2
    google/gemma-3-4b-it-qat-q4_0-gguf 3.16
    unsloth/Llama-4-Scout-17B-16E-Instruct-GGUF:Q4_K_M 65.4
    unsloth/gpt-oss-20b-GGUF:Q2_K 11.5
    unsloth/gpt-oss-20b-GGUF:Q4_K_M 11.6
    unsloth/gpt-oss-20b-GGUF:Q8_0 12.1
    unsloth/gpt-oss-20b-GGUF:F16 13.8
    unsloth/gpt-oss-120b-GGUF:Q4_K_M 62.8
    unsloth/gpt-oss-120b-GGUF:F16 65.4
    unsloth/Qwen3-30B-A3B-GGUF:UD-Q4_K_XL 17.72
    unsloth/Qwen3-235B-A22B-GGUF:Q3_K_M 112.5
    unsloth/Kimi-K2-Instruct-GGUF:UD-Q2_K_XL 381
    unsloth/DeepSeek-R1-0528-GGUF:UD-Q2_K_XL 251
    unsloth/DeepSeek-R1-0528-GGUF:UD-IQ1_S 185
    unsloth/DeepSeek-R1-0528-GGUF:TQ1_0 162
    bartowski/Mixtral-8x7B-Instruct-v0.1-GGUF:Q4_K_M 28.45
""")


@pytest.mark.parametrize(("name", "gigabytes"), GGUF, ids=[name for name, _ in GGUF])
def test_a_name_of_a_gguf_file_has_its_size(name: str, gigabytes: float) -> None:
    assert size_gb(name) == pytest.approx(gigabytes, rel=0.02)


OTHERS = published("""
    Qwen/Qwen2.5-72B-Instruct-AWQ 41.6
    Qwen/Qwen2.5-7B-Instruct-GPTQ-Int8 8.89
    hugging-quants/Meta-Llama-3.1-70B-Instruct-AWQ-INT4 39.8
    RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w4a16 5.70
    RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w8a8 9.08
    nvidia/Llama-3.3-70B-Instruct-NVFP4 42.7
    nvidia/Kimi-K2-Thinking-NVFP4 591
    unsloth/Llama-3.3-70B-Instruct-bnb-4bit 39.5
    mlx-community/Llama-3.3-70B-Instruct-8bit 75.0
    mlx-community/Qwen3-235B-A22B-4bit-DWQ-053125 132
    mlx-community/Qwen3-8B-4bit-AWQ 4.61
    mlx-community/GLM-4.5-Air-mxfp4 57
    mlx-community/gpt-oss-20b-MXFP4-Q8 12.1
    mlx-community/gpt-oss-20b-MXFP4-Q4 11.2
    lmstudio-community/gpt-oss-20b-MLX-8bit 22.3
    openai/gpt-oss-120b 65.25
    unsloth/gpt-oss-20b-BF16 41.8
    moonshotai/Kimi-K2-Thinking 594
    amd/DeepSeek-R1-MXFP4-Preview 365
    TheBloke/Llama-2-13B-chat-GGUF/llama-2-13b-chat.Q5_K_M.gguf 9.23
    mradermacher/Qwen3-32B-i1-GGUF:i1-Q4_K_M 19.76
    huihui-ai/Huihui-gpt-oss-20b-BF16-abliterated 41.8
    qwen2.5-coder:32b 19.85
    llama3.3:70b-instruct-q4_K_M 42.5
    gpt-oss:20b 13.8
    qwen3-coder:30b 18.6
""")


@pytest.mark.parametrize(("name", "gigabytes"), OTHERS, ids=[name for name, _ in OTHERS])
def test_a_name_of_another_checkpoint_has_its_size(name: str, gigabytes: float) -> None:
    assert size_gb(name) == pytest.approx(gigabytes, rel=0.02)
