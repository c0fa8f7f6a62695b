"""What a prefix cache spares: tokens of a prompt that are not read again, and tokens that all requests keep once.

vLLM keeps whole blocks by the hash of all that stands before them (vllm/v1/core/kv_cache_utils.py), SGLang a tree of
prefixes (Zheng et al. 2024, arXiv 2312.07104, section 3); the last token of a prompt is always read. llama.cpp's server
reuses what the same slot holds (`cache_prompt`), each slot for itself.
"""

from __future__ import annotations

from engine.scenario import Scenario


def cached_tokens(scenario: Scenario) -> int:
    """Tokens of each prompt that are found in the cache; none where the engine keeps none."""
    return scenario.workload.cached_tokens if scenario.runtime.prefix_caching else 0


def shared_tokens(scenario: Scenario) -> int:
    """Of those, tokens whose KV all requests of an engine hold once."""
    one = scenario.workload.cached_by == "everyone" and scenario.runtime.rules.shares_prefixes
    return cached_tokens(scenario) if one else 0
