"""Small GGUF files for tests, written by hand: a header, and weights that nobody reads."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

F32, F16, Q4_K, Q6_K = 0, 1, 12, 14


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value: Any) -> bytes:
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<Ii", 5, value) if value < 0 else struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    items = [_value(item) for item in value]
    kind = items[0][:4] if items else struct.pack("<I", 4)
    return struct.pack("<I", 9) + kind + struct.pack("<Q", len(items)) + b"".join(item[4:] for item in items)


def write_gguf(path: Path, metadata: Mapping[str, Any], tensors: Sequence[tuple[str, tuple[int, ...], int]]) -> Path:
    """Write a GGUF header of version 3."""
    parts = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(metadata))]
    parts += [_text(key) + _value(value) for key, value in metadata.items()]
    for name, shape, kind in tensors:
        parts.append(_text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape))
        parts.append(struct.pack("<IQ", kind, 0))
    path.write_bytes(b"".join(parts))
    return path


def llama_metadata(layers: int = 2) -> dict[str, Any]:
    """A two-layer Llama of 256 features and 512 tokens."""
    return {
        "general.architecture": "llama",
        "general.name": "Tiny Llama",
        "llama.block_count": layers,
        "llama.context_length": 2048,
        "llama.embedding_length": 256,
        "llama.feed_forward_length": 512,
        "llama.attention.head_count": 8,
        "llama.attention.head_count_kv": 2,
        "llama.rope.freq_base": 10000.0,
        "tokenizer.ggml.tokens": [f"t{number}" for number in range(512)],
    }


def llama_tensors(layers: int = 2, kind: int = Q4_K, first: int = 0) -> list[tuple[str, tuple[int, ...], int]]:
    """The tensors of that model: projections in `kind`, the head in Q6_K, norms in F32."""
    made: list[tuple[str, tuple[int, ...], int]] = []
    if first == 0:
        made = [("token_embd.weight", (256, 512), kind), ("output.weight", (256, 512), Q6_K)]
        made.append(("output_norm.weight", (256,), F32))
    for index in range(first, layers):
        block = f"blk.{index}"
        made += [
            (f"{block}.attn_norm.weight", (256,), F32),
            (f"{block}.attn_q.weight", (256, 256), kind),
            (f"{block}.attn_k.weight", (256, 64), kind),
            (f"{block}.attn_v.weight", (256, 64), kind),
            (f"{block}.attn_output.weight", (256, 256), kind),
            (f"{block}.ffn_norm.weight", (256,), F32),
            (f"{block}.ffn_gate.weight", (256, 512), kind),
            (f"{block}.ffn_up.weight", (256, 512), kind),
            (f"{block}.ffn_down.weight", (512, 256), kind),
        ]
    return made
