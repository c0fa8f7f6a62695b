"""Published names and the weight formats that they state."""

from __future__ import annotations

import pytest

import catalog
from catalog.format_names import UnsizedFormat, doubt_of_name, format_of_name
from catalog.names import resolve_name
from tui.cli import main
from tui.paste import reading
from tui.shell.presets import WrongOption, changes_of


@pytest.mark.parametrize(
    ("name", "format_id"),
    [
        ("Qwen/Qwen3-32B-GPTQ-Int8", "int8-gptq"),
        ("Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4", "int4-gptq"),
        ("someone/Qwen3-32B-GPTQ-8bit", "int8-gptq"),
        ("someone/Qwen3-32B-AWQ-4bit", "int4-awq"),
        ("RedHatAI/Qwen3-32B-quantized.w8a16", "int8-gptq"),
        ("RedHatAI/Qwen3-32B-quantized.w8a8", "int8"),
        ("RedHatAI/Qwen3-32B-quantized.w4a16", "w4a16"),
        ("someone/Qwen3-32B-w4a8", "w4a16"),
        ("nvidia/Qwen3.6-27B-NVFP4", "nvfp4-fp8"),
        ("nvidia/Qwen3-32B-NVFP4", "nvfp4"),
        ("unsloth/Qwen3-32B-GGUF:Q4_K_S", "gguf-q4_k_s"),
        ("unsloth/Qwen3-32B-GGUF:Q3_K_L", "gguf-q3_k_l"),
        ("unsloth/Qwen3-32B-GGUF:IQ4_NL", "gguf-iq4_nl"),
        ("unsloth/Qwen3-32B-GGUF:UD-Q4_K_XL", "gguf-q4_k_xl"),
        ("unsloth/Qwen3-32B-GGUF:UD-IQ2_XXS", "gguf-ud-iq2_xxs"),
        ("bartowski/Qwen3-32B-GGUF:Q3_K_XL", "gguf-q3_k_xl"),
        ("unsloth/Qwen3-32B-GGUF:UD-Q3_K_XL", "gguf-ud-q3_k_xl"),
        ("google/gemma-3-27b-it-qat-q4_0-gguf", "gguf-q4_0-f16"),
        ("bartowski/google_gemma-3-27b-it-qat-GGUF:Q4_K_M", "gguf-q4_k_m"),
        ("unsloth/gpt-oss-20b-GGUF:F16", "gguf-mxfp4-f16"),
        ("mlx-community/gpt-oss-120b-MXFP4-Q4", "mlx-mxfp4-q4"),
        ("bartowski/Qwen3-32B-GGUF/Qwen3-32B-Q6_K_L.gguf", "gguf-q6_k_l"),
        ("Qwen/Qwen3-32B-GGUF", "gguf-q4_k_m"),
        ("unsloth/Qwen3-32B-GGUF:BF16", "bf16"),
        ("ggml-org/gpt-oss-20b-GGUF:mxfp4", "gguf-mxfp4"),
        ("mlx-community/Qwen3-32B-4bit", "mlx-4bit"),
        ("mlx-community/Qwen3-32B-8bit", "mlx-8bit"),
        ("mlx-community/Qwen3-32B-3bit", "mlx-3bit"),
        ("mlx-community/Qwen3-32B-5bit", "mlx-5bit"),
        ("unsloth/Qwen3-32B-GGUF:Q4_K", "gguf-q4_k_m"),
        ("unsloth/Qwen3-32B-GGUF:UD-Q2_K_XL", "gguf-q2_k_xl"),
        ("bartowski/Qwen_Qwen3-32B-GGUF:Q4_K_L", "gguf-q4_k_l"),
        ("google/gemma-3-27b-it-qat-q4_0-unquantized", "bf16"),
        ("someone/Qwen3-32B-W8A8-FP8", "fp8"),
        ("someone/Qwen3-32B-NVFP4A16", "nvfp4"),
        ("amd/Llama-3.3-70B-Instruct-WMXFP4-AMXFP4-KVFP8", "mxfp4"),
        ("Qwen/Qwen3-32B-MLX-6bit", "mlx-6bit"),
        ("unsloth/Qwen3-32B-bnb-4bit", "nf4-double"),
        ("unsloth/Qwen3-14B-unsloth-bnb-4bit", "nf4-double"),
        ("amd/Llama-3.3-70B-Instruct-MXFP4-Preview", "mxfp4"),
        ("Qwen/Qwen3-32B-FP8", "fp8"),
        ("Qwen/Qwen3.5-35B-A3B-FP8", "fp8"),
        ("RedHatAI/Qwen3.5-35B-A3B-FP8-dynamic", "fp8-dynamic"),
        ("RedHatAI/Qwen3-Coder-Next-FP8-dynamic", "fp8-dynamic"),
        ("RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic", "fp8"),
        ("Qwen/Qwen3.5-27B-GPTQ-Int4", "int4-gptq-mlp"),
        ("someone/Qwen3.5-27B-GPTQ-Int4", "int4-gptq"),
        ("someone/Qwen3-32B-Int8-GPTQ", "int8-gptq"),
        ("someone/Qwen3-32B-AWQ-g32", "int4-g32"),
        ("TheBloke/Llama-2-13B-chat-GPTQ:gptq-4bit-32g-actorder_True", "int4-g32"),
        ("someone/Qwen3-32B-AWQ-g128", "int4-awq"),
        ("mlx-community/GLM-4.7-Flash-8bit-gs32", "mlx-8bit-g32"),
        ("mlx-community/Qwen3-30B-A3B-4bit-g64", "mlx-4bit"),
        ("Intel/Qwen3-235B-A22B-Instruct-2507-gguf-q2ks-mixed-AutoRound", "gguf-q2_k_s"),
        ("ggml-org/gemma-3-27b-it-qat-GGUF", "gguf-q4_0"),
        ("unsloth/Qwen3-Coder-Next-GGUF:MXFP4_MOE", "gguf-mxfp4"),
        ("amd/gpt-oss-120b-w-mxfp4-a-fp8", "mxfp4"),
        ("openai/gpt-oss-safeguard-20b", None),
        ("ArliAI/GLM-4.5-Air-Derestricted-GPTQ-Int4", "int4-gptq"),
        ("Qwen/Qwen3-32B", None),
        ("Qwen3-235B-A22B-Instruct-2507", None),
    ],
)
def test_a_name_states_its_format(name: str, format_id: str | None) -> None:
    assert format_of_name(name) == format_id
    assert resolve_name(name) is not None


@pytest.mark.parametrize(
    "name",
    ["turboderp/Qwen3-32B-exl3", "x/Qwen3-32B-3bit", "someone/Qwen3-32B-GPTQ-Int3", "x/Qwen3-32B-4.0bpw-exl2",
     "x/Qwen3-32B-GGUF:F32", "x/Qwen3-32B-IQ4_KS", "x/Qwen3-32B-Q4_K_R4", "x/Qwen3-32B-mxfp8", "x/Qwen3-32B-EETQ",
     "x/Qwen3-32B-GGUF:Q8_K_XL", "VPTQ-community/Qwen3-32B-v8-k65536-0-woft", "RedHatAI/Qwen3-32B-quantized.w4a4", "amd/Qwen3-32B-MXFP6",
     "x/Qwen3-32B-MLX-3.8bit", "x/Qwen3-32B-fp32", "x/Qwen3-32B-w6a16", "x/Qwen3-32B-mxfp6", "mlx-community/Qwen3-32B-mxfp8", "ISTA-DASLab/Qwen3-32B-AQLM-2Bit",
     "x/Qwen3-32B-AWQ-g64", "mlx-community/Qwen3-32B-4bit-gs128"],
)  # fmt: skip
def test_a_format_that_cannot_be_sized_is_not_replaced(name: str) -> None:
    with pytest.raises(UnsizedFormat):
        format_of_name(name)
    with pytest.raises(WrongOption, match="cannot be sized"):
        changes_of({"model.id": name}, ())
    assert changes_of({"model.id": name, "model.weights": "int4"}, ())["model.weights"] == "int4"


def doubt(name: str) -> str:
    format_id, model_id = format_of_name(name), resolve_name(name)
    assert format_id is not None
    assert model_id is not None
    return doubt_of_name(name, format_id, catalog.load().model(model_id).architecture)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("unsloth/Qwen3-14B-unsloth-bnb-4bit", "5 to 13 % more than is sized"),
        ("unsloth/Qwen3.6-27B-GGUF:UD-Q5_K_XL", "up to 10 % more"),
        ("Intel/Qwen3-Next-80B-A3B-Instruct-int4-mixed-AutoRound", "with attention in 16 bits: 6 % more"),
        ("Intel/Qwen3-235B-A22B-Instruct-2507-gguf-q2ks-mixed-AutoRound", "sized without them"),
        ("cyankiwi/Qwen3.5-35B-A3B-AWQ-4bit", "in groups of 32: 10 % more; with attention in 16 bits: 10 % more"),
        ("QuantTrio/Qwen3.5-27B-AWQ", "with attention in 16 bits: 57 % more"),
        ("RedHatAI/gemma-4-31B-it-NVFP4", "with attention in FP8: 26 % less"),
    ],
)
def test_what_a_name_leaves_open_is_said_with_its_range(
    name: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in doubt(name)
    main(["report", "--model", name, "--accelerator", "b200-sxm"])
    assert words in capsys.readouterr().err
    main(["report", "--model", name, "--accelerator", "b200-sxm", "--weights", "int4"])
    assert words not in capsys.readouterr().err
    found = reading.read(f"vllm serve {name}")
    scenario = reading.scenario_of(found, {})
    assert scenario.model.weights == format_of_name(name)
    assert any(words in one for one in found.assumed)


@pytest.mark.parametrize(
    "name",
    ["Qwen/Qwen3-32B-AWQ", "Qwen/Qwen3.5-27B-GPTQ-Int4", "unsloth/Qwen3-32B-bnb-4bit", "someone/Qwen3-32B-AWQ-g128", "Qwen3-32B-AWQ",
     "nvidia/Gemma-4-31B-IT-NVFP4", "RedHatAI/Qwen3-32B-NVFP4", "bartowski/Qwen3-32B-GGUF:Q4_K_M", "mlx-community/Qwen3-32B-4bit",
     "RedHatAI/Qwen3-32B-quantized.w4a16", "Qwen/Qwen3-32B-FP8"],
)  # fmt: skip
def test_a_name_that_tells_its_size_raises_no_doubt(name: str) -> None:
    assert doubt(name) == ""
