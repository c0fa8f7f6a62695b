"""Rows of a file from elsewhere, made readable: what is missing reads as null, numbers and switches may be text.

Nothing is guessed here: a text that is no number, a negative count or a figure in another unit sets the row aside.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


COUNTS: Final = _words(
    "n_gpus gpu_count nodes gpus_per_node tp pp dp ep cp vp bytes seq_len max_model_len max_num_seqs block_size "
    "max_num_batched_tokens requests global_batch_tokens lora_rank hidden layers ffn heads kv_heads head_dim vocab experts "
    "experts_per_token"
)
"""Fields that hold whole numbers of at least 1; 0 says that nobody counted."""
NUMBERS: Final = _words(
    "params_b active_b isl osl concurrency output_tok_s total_tok_s output_tok_s_per_gpu decode_tok_s_per_user "
    "ttft_ms tpot_ms prefill_tok_s time_us micro_batch grad_accum global_batch tokens_s_per_gpu tflops_per_gpu mfu "
    "peak_tflops_ref step_time_s gpu_memory_utilization mem_fraction_static gpu_total_gib gpu_mem_gb observed_gib "
    "kv_tokens kv_gib_per_gpu weights_gib_per_gpu activation_peak_gib max_concurrency nvidia_smi_peak_gib line "
    "request_rate cached_prompt_share power_limit_w"
)
"""Fields that hold numbers of at least 0."""
SWITCHES: Final = _words(
    "oom in_fit enforce_eager enable_expert_parallel dp_attention enable_dp_attention master_fp32 "
    "optim_in_bwd foreach_temp compile residual_fp32 tied gated_mlp"
)
"""Fields that are true or false."""
WORDED_SWITCHES: Final = frozenset({"spec_decode"})
"""Fields that are true or false, or say in words what is on: who drafts, and how far ahead."""
TEXTS: Final = _words(
    "model hf_id gpu engine engine_version quant mode notes interconnect interconnect_intra interconnect_inter op lib "
    "link weight_dtype kv_cache_dtype outcome method lora_targets lora_dtype optimizer optim_dtype param_dtype "
    "kv_dtype grad_dtype sharding cpu_offload act_ckpt flash_attention loss_impl framework observed_metric source_group "
    "parallelism dtype task mfu_convention"
)
"""Fields that hold words."""
TABLES: Final = frozenset({"observed", "also_observed", "arch"})
"""Fields that hold fields."""
UNSTATED: Final = frozenset(
    {"", "-", "--", "?", "n/a", "na", "nan", "none", "null", "unknown", "unstated", "not stated"}
)
SIGNED: Final = frozenset({"kv_gib_per_gpu"})
"""Numbers that a failed start leaves below 0."""
LARGEST: Final = {"layers": 4096, "n_gpus": 1 << 20, "gpu_count": 1 << 20, "nodes": 1 << 20}
"""Counts beyond these are damage; any other count ends at 2^48."""

_NUMBER = re.compile(r"([-+]?(?:\d[\d,_]*(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?)\s*([kKM](?![A-Za-z]))?\s*([A-Za-z/]*|%)")
_FACTORS = {"": 1, "k": 1000, "K": 1000, "M": 1_000_000}
_COUNTED_GPUS = re.compile(r"\s*(\d{1,4})\s*[x×]\s*(?=[A-Za-z])")


class UnreadableRow(ValueError):
    """A row with a field that says nothing usable; the message names the field."""


class _Row(dict[str, Any]):
    """A row whose missing fields read as null."""

    def __missing__(self, key: str) -> None:
        return None


def readable(raw: Any) -> dict[str, Any]:
    """The row with every known field of its type, null where nothing is stated. Raises UnreadableRow."""
    if not isinstance(raw, Mapping):
        raise UnreadableRow("the row is no JSON object")
    row = _Row()
    for key, value in raw.items():
        if key in TABLES:
            if value is not None and not isinstance(value, Mapping):
                raise UnreadableRow(f"{key}: {value!r:.40} is no JSON object")
            row[key] = None if value is None else _Row({name: _field(name, held) for name, held in value.items()})
        else:
            row[key] = _field(key, value)
    gpus = _COUNTED_GPUS.match(row["gpu"] or "")
    if gpus:
        row["gpu"] = row["gpu"][gpus.end() :]
        for key in ("n_gpus", "gpu_count"):
            row[key] = row[key] or int(gpus.group(1))
    return row


def _field(key: str, value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        value = None
    if value is None:
        return None
    if key in COUNTS or key in NUMBERS:
        return _number(key, value)
    if key in SWITCHES:
        return _switch(key, value)
    if key in WORDED_SWITCHES:
        return _switch_or_words(key, value)
    if key in TEXTS:
        if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
            value = ", ".join(value)  # module names, say
        if isinstance(value, list | dict | bool):
            raise UnreadableRow(f"{key}: {value!r:.40} is no text")
        return str(value).strip()
    return value


def _number(key: str, value: Any) -> int | float | None:
    if isinstance(value, str):
        if value.strip().casefold() in UNSTATED:
            return None
        value = _parsed(key, value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnreadableRow(f"{key}: {value!r:.40} is no number")
    if not (0 if key not in SIGNED else -(1 << 48)) <= value < 1 << 48:  # false for infinity too
        raise UnreadableRow(f"{key}: {value!r:.40} is out of range")
    if key not in COUNTS:
        return value
    if value != int(value):
        raise UnreadableRow(f"{key}: {value!r:.40} is not whole")
    if value > LARGEST.get(key, 1 << 48):
        raise UnreadableRow(f"{key}: {value!r:.40} is out of range")
    return int(value) or None


def _parsed(key: str, text: str) -> int | float:
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise UnreadableRow(f"{key}: {text!r:.40} is no number")
    digits, factor, unit = found.groups()
    if unit and unit != "%" and unit.casefold() not in (*key.casefold().split("_"), "tokens", "gpus"):
        raise UnreadableRow(f"{key}: {text!r:.40} is in another unit")
    number = float(digits.replace(",", "").replace("_", "")) * _FACTORS[factor or ""]
    if unit == "%":
        number /= 100
    return int(number) if number.is_integer() else number


def _switch_or_words(key: str, value: Any) -> bool | str | None:
    """Of a field that holds a switch, or words about what is on."""
    try:
        return _switch(key, value)
    except UnreadableRow:
        if not isinstance(value, str):
            raise
        return value.strip()


def _switch(key: str, value: Any) -> bool | None:
    word = str(value).strip().casefold()
    if word in UNSTATED:
        return None
    if word in ("true", "yes", "on", "1"):
        return True
    if word in ("false", "no", "off", "0"):
        return False
    raise UnreadableRow(f"{key}: {value!r:.40} is neither true nor false")
