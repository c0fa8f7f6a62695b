"""How many bytes of tensors a checkpoint's own files hold: by the index of its shards, or by the headers of the files.

The format: eight bytes with the length of a JSON header, then the header, which lists each tensor with its offsets in the data
(huggingface/safetensors, README, Format).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, Final

from catalog.bounded import Unusable, json_of, read_file, regular
from catalog.errors import CatalogError
from engine.figures.text import shown

INDEX: Final = "model.safetensors.index.json"
LARGEST_INDEX: Final = 32 * 2**20
LARGEST_HEADER: Final = 100 * 2**20
"""Of a file: the library itself reads no larger one."""
MOST_FILES: Final = 1000


def tensor_bytes_in(folder: Path) -> int:
    """Bytes of the tensors beside a config.json: what the index states, else what the headers add up to; 0 without either.

    Raises CatalogError naming the file that is damaged.
    """
    index = folder / INDEX
    if index.is_file():
        return _of_index(index)
    files = sorted(folder.glob("*.safetensors"))[: MOST_FILES + 1]
    if len(files) > MOST_FILES:
        raise CatalogError(str(folder), "", f"holds more than {MOST_FILES:,} safetensors files")
    return sum(_of_header(file) for file in files)


def _of_index(path: Path) -> int:
    try:
        said: Any = json_of(read_file(path, LARGEST_INDEX, "index of shards").decode("utf-8"))
    except (Unusable, UnicodeDecodeError) as problem:
        raise CatalogError(str(path), "", str(problem)) from None
    metadata = said.get("metadata") if isinstance(said, dict) else None
    size = metadata.get("total_size") if isinstance(metadata, dict) else None
    if isinstance(size, float) and size.is_integer():
        size = int(size)
    if isinstance(size, bool) or not isinstance(size, int) or not 0 < size < 2**50:
        raise CatalogError(str(path), "metadata.total_size", f"must be a number of bytes, is {shown(size)}")
    return size


def _of_header(path: Path) -> int:
    try:
        regular(path)
        with path.open("rb") as stream:
            start = stream.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            if not 2 <= length <= LARGEST_HEADER:
                raise CatalogError(str(path), "", "is not a safetensors file, or its header is damaged")
            said: Any = json_of(stream.read(length).decode("utf-8"))
    except (Unusable, UnicodeDecodeError) as problem:
        raise CatalogError(str(path), "", str(problem)) from None
    except OSError as problem:
        raise CatalogError(str(path), "", f"cannot be read: {problem.strerror or problem}") from None
    total = 0
    for name, tensor in said.items() if isinstance(said, dict) else ():
        if name == "__metadata__":
            continue
        offsets = tensor.get("data_offsets") if isinstance(tensor, dict) else None
        if not isinstance(offsets, list) or len(offsets) != 2 or not all(type(end) is int for end in offsets):
            raise CatalogError(str(path), shown(name), "has no data_offsets: the header is damaged")
        if not 0 <= offsets[0] <= offsets[1] < 2**50:
            raise CatalogError(str(path), shown(name), f"lies at {shown(offsets)}: the header is damaged")
        total += offsets[1] - offsets[0]
    return total
