"""GGUF files: architecture from the header, storage from the tensor list, clear errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from catalog.errors import CatalogError
from catalog.gguf import read_gguf
from catalog.model_files import read_model_file
from engine.model.formats import model_weight_bytes
from engine.model.kv_cache import cache_profile
from engine.model.parameters import count_parameters
from tests.catalog.gguf_files import F16, llama_metadata, llama_tensors, write_gguf


def test_architecture_and_counts(tmp_path: Path) -> None:
    model = read_gguf(write_gguf(tmp_path / "tiny.gguf", llama_metadata(), llama_tensors()))
    counts = count_parameters(model.architecture)
    assert model.name == "Tiny Llama"
    assert counts.total == model.parameters
    assert counts.lm_head == 512 * 256
    assert cache_profile(model.architecture).kv_bytes_per_token_bf16 == 2 * 2 * 2 * 32 * 2
    assert model.architecture.max_position == 2048


def test_storage_of_each_tensor_counts(tmp_path: Path) -> None:
    model = read_gguf(write_gguf(tmp_path / "tiny.gguf", llama_metadata(), llama_tensors()))
    q4 = 512 * 256 + 2 * (2 * 256 * 256 + 2 * 64 * 256 + 3 * 512 * 256)
    q6, f32 = 512 * 256, 5 * 256
    assert model.mix == {"Q4_K": q4, "Q6_K": q6, "F32": f32}
    assert model.weight_bytes == q4 * 144 // 256 + q6 * 210 // 256 + f32 * 4
    assert model.weights == "gguf-q4_k_m"
    assert 4.5 < model.bits_per_weight < 5.1


def test_a_missing_output_matrix_means_tied_embeddings(tmp_path: Path) -> None:
    tensors = [tensor for tensor in llama_tensors(kind=F16) if tensor[0] != "output.weight"]
    model = read_gguf(write_gguf(tmp_path / "tied.gguf", llama_metadata(), tensors))
    assert model.architecture.tied
    assert count_parameters(model.architecture).total == model.parameters
    assert model.weights == "fp16"


def test_split_files_are_read_together(tmp_path: Path) -> None:
    split = {**llama_metadata(), "split.count": 2}
    first = write_gguf(tmp_path / "m-00001-of-00002.gguf", split, llama_tensors(layers=1))
    with pytest.raises(CatalogError, match=r"m-00002-of-00002\.gguf is not beside"):
        read_gguf(first)


def test_split_files_add_up(tmp_path: Path) -> None:
    split = {**llama_metadata(), "split.count": 2}
    first = write_gguf(tmp_path / "m-00001-of-00002.gguf", split, llama_tensors(layers=1))
    write_gguf(tmp_path / "m-00002-of-00002.gguf", {"split.count": 2}, llama_tensors(layers=2, first=1))
    assert read_gguf(first).parameters == count_parameters(read_gguf(first).architecture).total


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"general.architecture": None}, "general.architecture: is missing"),
        ({"llama.block_count": None}, "num_hidden_layers: is missing"),
        ({"llama.block_count": 40}, "tensors: .* this architecture is not known well enough"),
        ({"llama.attention.head_count_kv": 3}, "num_key_value_heads"),
    ],
)
def test_bad_metadata_names_the_key(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    metadata = {key: value for key, value in (llama_metadata() | change).items() if value is not None}
    path = write_gguf(tmp_path / "bad.gguf", metadata, llama_tensors())
    with pytest.raises(CatalogError, match=message) as raised:
        read_gguf(path)
    assert str(path) in str(raised.value)


def test_files_that_are_not_gguf(tmp_path: Path) -> None:
    whole = write_gguf(tmp_path / "tiny.gguf", llama_metadata(), llama_tensors()).read_bytes()
    cases = {
        "text.gguf": (b"{}" * 40, "is not a GGUF file"),
        "empty.gguf": (b"", "is not a GGUF file"),
        "short.gguf": (whole[: len(whole) // 2], "cut short"),
        "old.gguf": (whole[:4] + b"\x01\x00\x00\x00" + whole[8:], "version 1"),
        "damaged.gguf": (whole[:24] + b"\xff" * 8 + whole[32:], "damaged"),
    }
    for name, (data, message) in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(CatalogError, match=message):
            read_gguf(tmp_path / name)
    with pytest.raises(CatalogError, match="is a directory"):
        read_gguf(tmp_path)
    with pytest.raises(CatalogError, match="no such file"):
        read_gguf(tmp_path / "absent.gguf")


def test_a_gguf_file_is_read_wherever_a_config_is(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "tiny.gguf", llama_metadata(), llama_tensors())
    assert read_model_file(path) == read_gguf(path).architecture


def test_a_file_is_sized_by_the_types_of_its_tensors(tmp_path: Path) -> None:
    model = read_gguf(write_gguf(tmp_path / "tiny.gguf", llama_metadata(), llama_tensors()))
    assert model.architecture.checkpoint_format == model.weights
    assert model_weight_bytes(model.architecture, model.weights) == pytest.approx(model.weight_bytes, rel=0.01)
