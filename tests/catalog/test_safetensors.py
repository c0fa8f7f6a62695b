"""A checkpoint's own files beside its config: the index of shards, headers, ModelOpt's file."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

import catalog
from catalog.errors import CatalogError
from catalog.model_files import read_model_file
from engine.decide.size import size
from engine.model.formats import model_weight_bytes

SMALL: dict[str, Any] = {
    "model_type": "llama", "vocab_size": 1000, "hidden_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 512, "max_position_embeddings": 32768, "tie_word_embeddings": False,
}  # fmt: skip


def repository(tmp_path: Path, config: dict[str, Any] = SMALL) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path


def index(folder: Path, total: Any) -> None:
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {"total_size": total}, "weight_map": {}})
    )


def shard(path: Path, sizes: dict[str, int]) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    start = 0
    for name, count in sizes.items():
        header[name] = {"dtype": "BF16", "shape": [count // 2], "data_offsets": [start, start + count]}
        start += count
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)


def warned(folder: Path) -> bool:
    arch = read_model_file(folder)
    scenario = catalog.build_scenario("own", "", "h100-sxm", architecture=arch, config="m/config.json")
    return any(notice.id == "checkpoint-bytes" for notice in size(scenario).warnings)


def test_an_index_and_headers_say_what_the_files_hold(tmp_path: Path) -> None:
    folder = repository(tmp_path)
    whole = model_weight_bytes(read_model_file(folder), "bf16")
    shard(folder / "model-00001-of-00002.safetensors", {"a": whole - 1000})
    shard(folder / "model-00002-of-00002.safetensors", {"b": 600, "c": 400})
    assert read_model_file(folder).file_bytes == whole
    assert not warned(folder)
    index(folder, whole // 3)
    assert read_model_file(folder).file_bytes == whole // 3
    assert warned(folder)


@pytest.mark.parametrize("name", ["model.safetensors.index.json", "model.safetensors"])
def test_the_files_themselves_name_the_model_beside_them(tmp_path: Path, name: str) -> None:
    folder = repository(tmp_path)
    index(folder, 4_000_000)
    shard(folder / "model.safetensors", {"a": 10})
    assert read_model_file(folder / name).layers == read_model_file(folder).layers
    (folder / "config.json").unlink()
    with pytest.raises(CatalogError, match=r"no config\.json beside it"):
        read_model_file(folder / name)


@pytest.mark.parametrize("total", [None, -1, "5 GB", True, 2**60])
def test_a_damaged_index_is_refused_and_named(tmp_path: Path, total: Any) -> None:
    index(repository(tmp_path), total)
    with pytest.raises(CatalogError, match="total_size"):
        read_model_file(tmp_path)


@pytest.mark.parametrize(
    "data",
    [b"", b"short", struct.pack("<Q", 2**50), struct.pack("<Q", 2) + b"{", struct.pack("<Q", 12) + b'{"a": {"b"}}',
     struct.pack("<Q", 9) + b'{"a": {}}'],
)  # fmt: skip
def test_a_damaged_header_is_refused_and_named(tmp_path: Path, data: bytes) -> None:
    (repository(tmp_path) / "model.safetensors").write_bytes(data)
    with pytest.raises(CatalogError, match=r"model\.safetensors"):
        read_model_file(tmp_path)


def test_the_quantization_that_stands_in_a_file_of_its_own_counts(tmp_path: Path) -> None:
    folder = repository(tmp_path)
    said = {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8",
                                                              "exclude_modules": ["lm_head"]}}  # fmt: skip
    (folder / "hf_quant_config.json").write_text(json.dumps(said))
    arch = read_model_file(folder)
    assert (arch.checkpoint_format, arch.cache_format) == ("nvfp4", "fp8")
