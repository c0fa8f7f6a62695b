"""Cache and state sizes against the reference, and the laws that hold for every model."""

from __future__ import annotations

from typing import Any

import pytest

import catalog
from engine.model.architecture import Cache, dense_decoder
from engine.model.kv_cache import cache_profile, layer_kind
from tests.engine.test_parameters import EXPECTED, by_hf_id

EXACT = (
    "kv_bytes_per_token_bf16",
    "sliding_bytes_per_token_bf16",
    "sliding_bytes_per_seq_max_bf16",
    "indexer_bytes_per_token_bf16",
    "state_bytes_per_seq",
    "state_bytes_per_seq_all_bf16",
)


@pytest.mark.parametrize("row", EXPECTED, ids=lambda row: row["id"])
def test_reference_caches_are_equal(row: dict[str, Any]) -> None:
    profile = cache_profile(catalog.load().model(by_hf_id()[row["id"]]).architecture)
    assert {key: getattr(profile, key) for key in EXACT} == {key: row[key] for key in EXACT}
    assert profile.window == row["kv_layers"]["window"]
    listed = {key: count for key, count in row["kv_layers"].items() if key != "window"}
    assert {key: profile.kv_layers[key] for key in listed} == listed
    assert sum(profile.kv_layers.values()) == sum(listed.values())


@pytest.mark.parametrize("model_id", [model.id for model in catalog.load().models])
def test_a_longer_sequence_never_needs_less(model_id: str) -> None:
    profile = cache_profile(catalog.load().model(model_id).architecture)
    sizes = [profile.bytes_per_sequence_bf16(tokens) for tokens in (0, 1, 128, 4096, 100_000)]
    assert sizes == sorted(sizes)
    assert sizes[0] == profile.state_bytes_per_seq


def test_grouped_queries_by_hand() -> None:
    arch = dense_decoder(
        hidden_size=64, layers=5, intermediate_size=160, heads=8, kv_heads=2, head_dim=16, vocab_size=1000
    )
    profile = cache_profile(arch)
    assert profile.kv_bytes_per_token_bf16 == 5 * 2 * 2 * 16 * 2
    assert profile.bytes_per_sequence_bf16(10) == 10 * profile.kv_bytes_per_token_bf16


@pytest.mark.parametrize(
    ("caches", "kind"),
    [
        ((), "none"),
        ((Cache("full", 1, 8, 8),), "full"),
        ((Cache("latent", latent_width=576),), "full"),
        ((Cache("sliding", 1, 8, 8, window=128),), "sliding"),
        ((Cache("chunked", 1, 8, 8, window=128),), "sliding"),
        ((Cache("recurrent", recurrent_elements=8),), "linear"),
        ((Cache("full", 1, 8, 8), Cache("recurrent", recurrent_elements=8)), "full"),
        ((Cache("sliding", 1, 8, window=128), Cache("full", 1, 8, compression=4)), "compressed"),
    ],
)
def test_kind_of_a_layer(caches: tuple[Cache, ...], kind: str) -> None:
    assert layer_kind(caches) == kind
