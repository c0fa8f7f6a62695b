"""What a sequence keeps in memory: keys and values by token, windows, compressed histories, recurrent state."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from engine.figures.records import dataclass
from engine.model.architecture import Architecture, Cache

BF16_BYTES: Final = 2
FP32_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class CacheProfile:
    """The whole model's cache before any sharding, keys and values in bf16.

    kv_bytes_per_token_bf16: growth for each token once every window is full (compressed layers divided by their
    ratio). sliding_bytes_per_token_bf16: what windowed layers add for each token until their window is full;
    sliding_bytes_per_seq_max_bf16: their ceiling. indexer_bytes_per_token_bf16: sparse-attention index keys, not
    part of the first figure. state_bytes_per_seq: recurrent state, convolution in bf16 and the rest in fp32;
    state_bytes_per_seq_all_bf16: all of it in bf16. kv_layers: layers by kind (full, sliding, linear, none,
    compressed). window: the widest window, None without one.
    """

    kv_bytes_per_token_bf16: int
    sliding_bytes_per_token_bf16: int
    sliding_bytes_per_seq_max_bf16: int
    indexer_bytes_per_token_bf16: int
    state_bytes_per_seq: int
    state_bytes_per_seq_all_bf16: int
    kv_layers: Mapping[str, int]
    window: int | None

    def bytes_per_sequence_bf16(self, tokens: int) -> int:
        """Cache and state of one sequence of `tokens`, windows of equal width taken as one."""
        sliding = min(self.sliding_bytes_per_token_bf16 * tokens, self.sliding_bytes_per_seq_max_bf16)
        growing = self.kv_bytes_per_token_bf16 + self.indexer_bytes_per_token_bf16
        return growing * tokens + sliding + self.state_bytes_per_seq


def layer_kind(caches: tuple[Cache, ...]) -> str:
    """The kind under which a layer with these caches is counted in `CacheProfile.kv_layers`."""
    if not caches:
        return "none"
    if any(cache.compression > 1 for cache in caches):
        return "compressed"
    if any(cache.kind in ("full", "latent") and not cache.window for cache in caches):
        return "full"
    return "linear" if all(cache.kind == "recurrent" for cache in caches) else "sliding"


@lru_cache(maxsize=256)
def cache_profile(arch: Architecture) -> CacheProfile:
    """Sum the caches of every layer of `arch`; exact."""
    growth = sliding = sliding_max = index = state = state_bf16 = window = 0
    kinds = {"full": 0, "sliding": 0, "linear": 0, "none": 0, "compressed": 0}
    by_ratio: dict[int, list[int]] = {}
    for layer, count in arch.layer_runs():
        kinds[layer_kind(layer.caches)] += count
        for cache in layer.caches:
            if cache.kind == "recurrent":
                conv, recurrent = cache.conv_elements, cache.recurrent_elements
                state += count * (conv * BF16_BYTES + recurrent * FP32_BYTES)
                state_bf16 += count * (conv + recurrent) * BF16_BYTES
                continue
            token_bytes = cache.elements_per_token * BF16_BYTES
            if cache.window:
                sliding += count * token_bytes
                sliding_max += count * token_bytes * cache.window
                window = max(window, cache.window)
                index += count * cache.index_width * BF16_BYTES
            else:
                shares = by_ratio.setdefault(cache.compression, [0, 0])
                shares[0] += count * token_bytes
                shares[1] += count * cache.index_width * BF16_BYTES
    # Layers of one ratio are summed before the division, so that no fraction of a byte is dropped layer by layer.
    for ratio, (token_bytes, index_bytes) in by_ratio.items():
        growth += token_bytes // ratio
        index += index_bytes // ratio
    return CacheProfile(
        kv_bytes_per_token_bf16=growth,
        sliding_bytes_per_token_bf16=sliding,
        sliding_bytes_per_seq_max_bf16=sliding_max,
        indexer_bytes_per_token_bf16=index,
        state_bytes_per_seq=state,
        state_bytes_per_seq_all_bf16=state_bf16,
        kv_layers=MappingProxyType(kinds),
        window=window or None,
    )
