"""Weight and KV formats: published bits, which tensors they touch, native or weight-only."""

from __future__ import annotations

import pytest

import catalog
from engine.figures.errors import ScenarioError
from engine.model.architecture import dense_decoder
from engine.model.formats import (
    FORMATS,
    KV_FORMATS,
    is_native,
    kv_bytes_per_element,
    kv_format,
    model_weight_bytes,
    tensor_scheme,
    weight_format,
)
from engine.model.parameters import count_parameters

SMALL = dense_decoder(
    hidden_size=4096, layers=32, intermediate_size=14336, heads=32, kv_heads=8, head_dim=128, vocab_size=128256
)


@pytest.mark.parametrize(
    ("format_id", "bits"),
    [
        ("bf16", 16),
        ("fp8", 8),
        ("int8", 8),
        ("int4-awq", 4.15625),
        ("int4-gptq", 4.15625),
        ("nvfp4", 4.5),
        ("mxfp4", 4.25),
        ("gguf-q4_0", 4.5),
        ("gguf-q4_k_m", 4.5),
        ("gguf-q5_k_m", 5.5),
        ("gguf-q6_k", 6.5625),
        ("gguf-q8_0", 8.5),
        ("nf4", 4.5),
        ("nf4-double", 4.127),
    ],
)
def test_bits_of_a_quantized_weight(format_id: str, bits: float) -> None:
    assert FORMATS[format_id].bits_per_weight == pytest.approx(bits, abs=0.001)


def test_16_bit_model_is_two_bytes_a_parameter() -> None:
    assert model_weight_bytes(SMALL, "bf16") == 2 * count_parameters(SMALL).total


@pytest.mark.parametrize(
    "format_id",
    [f for f in FORMATS if FORMATS[f].is_quantized and not f.startswith(("gguf", "mlx")) and f != "nvfp4-fp8"],
)
def test_embeddings_head_and_norms_stay_16_bit(format_id: str) -> None:
    for tensor in (*SMALL.embedding, *SMALL.head):
        assert tensor_scheme(tensor, FORMATS[format_id], SMALL, None).bits == 16


def test_mixed_nvfp4_has_its_head_in_four_bits_and_attention_in_eight() -> None:
    """A start of a 27B hybrid in ModelOpt's mixed file takes 19.78 GiB on a DGX Spark."""
    arch, weights = catalog.load().model("qwen3.5-27b").architecture, FORMATS["nvfp4-fp8"]
    bits = {}
    for index in (0, 3):
        for tensor in arch.layers[index].tensors:
            if tensor.is_matrix and min(tensor.rows, tensor.cols) >= 64:
                bits[tensor.part] = tensor_scheme(tensor, weights, arch, index).bits
    assert bits == {"recurrent": 8, "attention": 8, "mlp": 4}
    head = next(tensor for tensor in arch.head if tensor.part == "lm_head")
    assert tensor_scheme(head, weights, arch, None).bits == 4
    assert model_weight_bytes(arch, "nvfp4-fp8") / 2**30 == pytest.approx(19.78, rel=0.02)


@pytest.mark.parametrize(("format_id", "gib"), [("w4a16", 24.12), ("int8", 33.39)])
def test_compressed_checkpoints_keep_recurrent_mixers_in_16_bits(format_id: str, gib: float) -> None:
    """The sizes of two files of a 27B hybrid, which start-up logs on Arc Pro B70 print."""
    arch = catalog.load().model("qwen3.5-27b").architecture
    assert model_weight_bytes(arch, format_id) / 2**30 == pytest.approx(gib, rel=0.05)


@pytest.mark.parametrize(
    ("model", "gib"), [("qwen3.5-35b-a3b", 34.43), ("qwen3.5-122b-a10b", 2 * 59.44), ("qwen3.5-397b-a17b", 4 * 94.87)]
)
def test_fp8_dynamic_keeps_recurrent_mixers_in_16_bits(model: str, gib: float) -> None:
    """What starts of RedHatAI's files print, without towers; a publisher's own FP8 file has those mixers in FP8."""
    arch = catalog.load().model(model).architecture
    towers = sum(2 * tensor.elements for tensor in arch.towers)
    assert (model_weight_bytes(arch, "fp8-dynamic") - towers) / 2**30 == pytest.approx(gib, rel=0.01)
    assert model_weight_bytes(arch, "fp8") < 0.99 * model_weight_bytes(arch, "fp8-dynamic")
    plain = catalog.load().model("llama-3.1-8b").architecture
    assert model_weight_bytes(plain, "fp8") == model_weight_bytes(plain, "fp8-dynamic")


def test_every_quantized_format_shrinks_every_model() -> None:
    for entry in catalog.load().models:
        arch = entry.architecture
        whole = model_weight_bytes(arch, "bf16")
        for format_id, weights in FORMATS.items():
            if format_id == "int4-gptq-mlp" and all(layer.ffn == "none" for layer in arch.layers):
                continue
            if weights.is_quantized and (format_id != "mxfp4" or arch.experts):
                assert model_weight_bytes(arch, format_id) < whole, (entry.id, format_id)


@pytest.mark.parametrize(
    ("model", "format_id", "published_gb"),
    [
        # Sizes of the safetensors files in the publishers' repositories.
        ("llama-3.1-8b", "bf16", 16.06),
        ("llama-3.3-70b", "fp8", 72.7),
        ("llama-3.1-70b", "int4-awq", 39.8),
        ("qwen2.5-7b", "int4-awq", 5.57),
        ("mixtral-8x7b", "int4-awq", 24.65),
        ("qwen3-235b-a22b", "fp8", 236.4),
        ("llama-3.1-405b", "fp8", 410.0),
        ("llama-3.1-8b", "nvfp4", 6.0),
        ("gpt-oss-20b", "mxfp4", 13.76),
        ("gpt-oss-120b", "mxfp4", 65.25),
        ("deepseek-r1", "fp8", 673.0),
        ("kimi-k2.5", "int4", 595.0),
    ],
)
def test_published_checkpoint_sizes(model: str, format_id: str, published_gb: float) -> None:
    arch = catalog.load().model(model).architecture
    assert model_weight_bytes(arch, format_id) / 1e9 == pytest.approx(published_gb, rel=0.01)


def test_gguf_mix_lies_between_its_two_block_formats() -> None:
    low, mixed, high = (model_weight_bytes(SMALL, f"gguf-{name}") for name in ("q4_0", "q4_k_m", "q6_k"))
    assert low < mixed < high


@pytest.mark.parametrize(
    ("model", "mix", "published_gb"),
    [
        # File sizes of the usual GGUF repositories; llama.cpp's quantize README lists the same for Llama 3.1 8B.
        ("llama-3.1-8b", "q2_k", 3.18),
        ("llama-3.1-8b", "q3_k_m", 4.02),
        ("llama-3.1-8b", "q4_0", 4.66),
        ("llama-3.1-8b", "q4_k_m", 4.92),
        ("llama-3.1-8b", "q5_k_m", 5.73),
        ("llama-3.1-8b", "q6_k", 6.60),
        ("llama-3.1-8b", "q8_0", 8.54),
        ("llama-3.1-70b", "q4_k_m", 42.52),
        ("qwen2.5-7b", "q4_k_m", 4.68),
    ],
)
def test_published_gguf_sizes(model: str, mix: str, published_gb: float) -> None:
    arch = catalog.load().model(model).architecture
    assert model_weight_bytes(arch, f"gguf-{mix}") / 1e9 == pytest.approx(published_gb, rel=0.02)


@pytest.mark.parametrize(
    ("mix", "bits"),
    [
        # tools/quantize/README.md of ggml-org/llama.cpp: bits a weight of Llama 3.1 8B.
        ("iq1_s", 2.0042),
        ("iq1_m", 2.1460),
        ("iq2_xxs", 2.3824),
        ("iq2_xs", 2.5882),
        ("iq2_s", 2.7403),
        ("iq2_m", 2.9294),
        ("iq3_xxs", 3.2548),
        ("iq3_xs", 3.4977),
        ("iq3_s", 3.6606),
        ("iq3_m", 3.7628),
        ("iq4_xs", 4.4597),
        ("iq4_nl", 4.6818),
        ("q2_k_s", 2.9697),
        ("q3_k_s", 3.6429),
        ("q3_k_l", 4.2979),
        ("q4_k_s", 4.6672),
        ("q5_k_s", 5.5704),
    ],
)
def test_every_mix_of_llama_quantize_has_its_bits(mix: str, bits: float) -> None:
    arch = catalog.load().model("llama-3.1-8b").architecture
    held = 8 * model_weight_bytes(arch, f"gguf-{mix}") / count_parameters(arch).total
    assert held == pytest.approx(bits, rel=0.026)


@pytest.mark.parametrize(("model", "published_gib"), [("gpt-oss-20b", 11.27), ("gpt-oss-120b", 59.02)])
def test_gguf_of_mxfp4_experts_keeps_the_rest_in_8_bits(model: str, published_gib: float) -> None:
    arch = catalog.load().model(model).architecture
    assert model_weight_bytes(arch, "gguf-mxfp4") / 2**30 == pytest.approx(published_gib, rel=0.005)


def test_dense_models_have_mxfp4_in_every_linear() -> None:
    linear = sum(t.elements for layer in SMALL.layers for t in layer.tensors if t.part in ("attention", "mlp"))
    wide = count_parameters(SMALL).total - linear
    assert model_weight_bytes(SMALL, "mxfp4") == linear * 17 // 32 + 2 * wide


def test_double_quantization_counts_blocks_over_the_whole_matrix() -> None:
    # 4 + 8 / 64 + 32 / (64 x 256) bits, wherever rows end: a row of 28,672 values is no whole number of 16,384.
    held = FORMATS["nf4-double"].scheme.matrix_bytes(8192, 28672)
    assert held == pytest.approx(8192 * 28672 * 4.126953125 / 8, rel=1e-6)


def test_mxfp4_touches_experts_only() -> None:
    arch = catalog.load().model("gpt-oss-20b").architecture
    touched = {
        tensor.part
        for layer in arch.layers
        for tensor in layer.tensors
        if tensor_scheme(tensor, FORMATS["mxfp4"], arch, 0).bits < 16
    }
    assert touched == {"routed_expert"}


def test_nvfp4_of_experts_on_a_narrower_stream_is_a_hybrid() -> None:
    """Nemotron 3 Super: routed experts in NVFP4, shared ones and the mixers' projections in FP8, all else in BF16."""
    arch, weights = catalog.load().model("nemotron-3-super-120b-a12b").architecture, FORMATS["nvfp4"]
    bits = {
        tensor.name: tensor_scheme(tensor, weights, arch, index).bits
        for index, layer in enumerate(arch.layers)
        for tensor in layer.tensors
        if tensor.is_matrix
    }
    assert bits["experts.up_proj"] == bits["experts.down_proj"] == 4
    assert bits["shared_expert.up_proj"] == bits["in_proj_zx"] == bits["out_proj"] == 8
    assert bits["q_proj"] == bits["o_proj"] == bits["latent_down_proj"] == bits["router"] == 16
    # the smaller sister has no such projection: its publisher's files are another recipe
    nano = catalog.load().model("nemotron-3-nano-30b-a3b").architecture
    outs = [tensor for layer in nano.layers for tensor in layer.tensors if tensor.name == "out_proj"]
    assert {tensor_scheme(tensor, weights, nano, 0).bits for tensor in outs} == {4}


@pytest.mark.parametrize(("model", "bits"), [("gemma-4-31b", 16), ("llama-3.1-8b", 4)])
def test_nvfp4_leaves_attention_of_some_families_alone(model: str, bits: int) -> None:
    arch = catalog.load().model(model).architecture
    queries = next(tensor for tensor in arch.layers[0].tensors if tensor.name.endswith("q_proj"))
    assert tensor_scheme(queries, FORMATS["nvfp4"], arch, 0).bits == bits


def test_fp4_experts_leave_fp8_checkpoints_in_fp8() -> None:
    arch = catalog.load().model("deepseek-v4-flash").architecture
    assert arch.checkpoint_format == "mxfp4"
    attention, expert = (
        next(t for layer in arch.layers for t in layer.tensors if t.part == part and min(t.rows, t.cols) > 1000)
        for part in ("attention", "routed_expert")
    )
    assert tensor_scheme(attention, FORMATS["mxfp4"], arch, 0).bits == 8
    assert tensor_scheme(expert, FORMATS["mxfp4"], arch, 0).bits == 4


@pytest.mark.parametrize(
    ("model", "quantized"),
    [("llama-4-scout", {"routed_expert", "shared_expert"}), ("llama-4-maverick", {"routed_expert"})],
)
def test_llama_4_checkpoints_quantize_little_beside_the_experts(model: str, quantized: set[str]) -> None:
    arch = catalog.load().model(model).architecture
    for format_id in ("fp8", "int4", "nvfp4"):
        touched = {
            tensor.part
            for layer in arch.layers
            for tensor in layer.tensors
            if tensor_scheme(tensor, FORMATS[format_id], arch, 0).bits < 16
        }
        assert touched == quantized, format_id
    assert model_weight_bytes(arch, "nf4") < model_weight_bytes(arch, "nvfp4")


def test_mtp_layers_count_only_when_asked() -> None:
    arch = catalog.load().model("deepseek-r1").architecture
    assert model_weight_bytes(arch, "fp8", mtp=True) > model_weight_bytes(arch, "fp8")


@pytest.mark.parametrize(
    ("format_id", "accelerator", "native"),
    [
        ("fp8", "h100-sxm", True),
        ("fp8", "a100-sxm4-80gb", False),
        ("nvfp4", "h100-sxm", False),
        ("nvfp4", "b200-sxm", True),
        ("nvfp4", "rtx-pro-6000-server", True),
        ("int4-awq", "h100-sxm", False),
        ("bf16", "a100-sxm4-80gb", True),
        ("bf16", "t4", False),
        ("fp16", "t4", True),
    ],
)
def test_native_or_weight_only(format_id: str, accelerator: str, native: bool) -> None:
    assert is_native(format_id, catalog.load().accelerator(accelerator)) is native


def test_kv_formats() -> None:
    assert kv_bytes_per_element("bf16") == 2
    assert kv_bytes_per_element("fp8") == 1
    assert {"bf16", "fp16", "fp8", "int8"} <= set(KV_FORMATS)


def test_unknown_formats_name_their_field() -> None:
    with pytest.raises(ScenarioError, match=r"model\.weights"):
        weight_format("fp7")
    with pytest.raises(ScenarioError, match=r"model\.kv_cache"):
        kv_format("fp7")
