"""A model from a file of a person's own: a Hugging Face config.json or a GGUF file, told apart by the name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from catalog.errors import CatalogError
from catalog.hf_config import read_architecture
from catalog.safetensors import tensor_bytes_in
from engine.model.architecture import Architecture


def model_file_in(path: Path) -> Path:
    """The file that describes the model of a folder, of a safetensors file or of the index of such: its config.json, else its
    first .gguf; any other path as it is."""
    if path.name.endswith((".safetensors", ".safetensors.index.json")):
        return path.parent / "config.json"
    if not path.is_dir():
        return path
    config = path / "config.json"
    ggufs = sorted(path.glob("*.gguf"))[:1]
    return ggufs[0] if ggufs and not config.exists() else config


def model_name(path: Path) -> str:
    """What to call the model of a file: what the file itself says, else the name of its folder.

    A downloaded snapshot's folder is a hash: `models--ORG--NAME/snapshots/HASH` is then NAME.
    """
    for folder in path.absolute().parents:
        if folder.name.startswith("models--"):
            return folder.name.rpartition("--")[2]
    stem = path.name.removesuffix(".json").removesuffix(".config").removesuffix("_config")
    if path.suffix.lower() == ".gguf":
        return path.stem
    return stem.rpartition("--")[2] if stem not in ("config", "") else path.absolute().parent.name


def read_model_file(path: Path | str) -> Architecture:
    """The architecture that a config.json, the header of a GGUF file, or a folder with either describes; how many bytes the
    safetensors beside a config.json hold is noted in it.

    Raises CatalogError naming the file, and the key or tensor when one is at fault.
    """
    given, path = Path(path), model_file_in(Path(path))
    if path != given and not path.exists():
        raise CatalogError(str(given), "", "has no config.json beside it, which says what the tensors are")
    if path.suffix.lower() == ".gguf":
        from catalog.gguf import read_gguf  # here, since few sessions name one and start-up pays for each import

        return read_gguf(path).architecture
    architecture = read_architecture(path)
    held = tensor_bytes_in(path.parent) if path.name == "config.json" else 0
    return replace(architecture, file_bytes=held) if held else architecture
