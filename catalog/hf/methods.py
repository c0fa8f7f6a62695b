"""How a checkpoint says that it is quantized: the one section of a config.json, under the names that each tool gives it.

Key names: transformers and compressed-tensors (`quantization_config`, earlier `compression_config`), ModelOpt (the same, or
hf_quant_config.json, whose object is nested once more), MLX (`quantization`: bits and group_size without a method).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from catalog.hf.reader import Config
from engine.figures.text import shown

_SECTIONS: Final = ("quantization_config", "compression_config", "quantization", "quant_config")
_ALIASES: Final[Mapping[str, str]] = {
    "fbgemm-fp8": "fp8", "petit-nvfp4": "nvfp4", "sparseml": "compressed-tensors",
    "gptq-marlin": "gptq", "gptqmodel": "gptq", "marlin": "gptq", "bitblas": "gptq", "awq-marlin": "awq",
    "intel/auto-round": "auto-round", "inc": "auto-round",
    "modelopt-fp4": "modelopt", "modelopt-fp8": "modelopt", "modelopt-mixed": "modelopt", "modelopt-mxfp8": "modelopt",
}  # fmt: skip
"""Kernels and earlier names of a method that stores weights alike."""
KNOWN: Final = (
    "fp8", "mxfp4", "nvfp4", "awq", "gptq", "auto-round", "bitsandbytes", "compressed-tensors", "modelopt", "quark",
    "torchao", "mlx", "w4afp8",
)  # fmt: skip
"""Methods whose files can be sized."""


def quantization_of(whole: Config, text: Config) -> tuple[Config, str] | None:
    """The section that says how weights are stored, its keys under their usual names, and the method; None without one.

    Raises CatalogError for a method that is stated and that nothing here can size: BF16 in its place would be another model.
    """
    for holder in (whole, text):
        for key in _SECTIONS:
            if holder.raw(key):
                said = holder.section(key)
                plain = Config(_plain(said.data), said.where, said.path, None, said.read)
                method = _method(plain)
                if not method and key != "quantization":
                    raise plain.error("quant_method", "is missing: how the weights are stored is not known")
                if method and method not in KNOWN:
                    known = f"known: {', '.join(KNOWN)}; without {key} the model is read as 16-bit"
                    raise plain.error("quant_method", f"is {shown(method)}, whose files cannot be sized; {known}")
                return plain, method
    return None


def _plain(said: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = said.get("quantization")
    made = {**said, **inner} if isinstance(inner, Mapping) else dict(said)
    for key in ("load_in_4bit", "load_in_8bit"):
        if f"_{key}" in made:
            made.setdefault(key, made[f"_{key}"])
    return made


def _method(said: Config) -> str:
    method = said.text("quant_method").lower().replace("_", "-")
    if method:
        return _ALIASES.get(method, method)
    if isinstance(said.raw("config_groups"), Mapping) and said.raw("config_groups"):
        return "compressed-tensors"
    if said.has("quant_algo"):
        return "modelopt"
    if said.has("load_in_4bit") or said.has("load_in_8bit"):
        return "bitsandbytes"
    return "mlx" if said.has("bits") and said.has("group_size") else ""


def cache_format(said: Config) -> str:
    """The KV-cache format that the checkpoint holds scales for, which engines then keep the cache in; bf16 when it says none.

    compressed-tensors and ModelOpt: `kv_cache_scheme` (bits, type); ModelOpt's other file: `kv_cache_quant_algo`.
    """
    if isinstance(said.raw("kv_cache_scheme"), Mapping):
        scheme = said.section("kv_cache_scheme")
        known = {"8 float": "fp8", "4 float": "nvfp4", "8 int": "int8"}
        return known.get(f"{scheme.integer('num_bits', 0)} {scheme.text('type', 'float')}", "bf16")
    algorithm = said.raw("kv_cache_quant_algo")
    return {"FP8": "fp8", "NVFP4": "nvfp4", "INT8": "int8"}.get(str(algorithm).upper(), "bf16")
