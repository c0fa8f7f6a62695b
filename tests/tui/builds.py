"""The builds that the app is looked at with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from catalog import build_scenario, load
from engine.scenario import LayoutChoice, Scenario, Workload
from tui.files.fields import new_scenario

CHAT = Workload(kind="serve", concurrency=32, input_tokens=7000, output_tokens=1000)


def _llama_70b() -> Scenario:
    load_ = replace(CHAT, ttft_target_s=2.0, tokens_per_s_user_target=15.0)
    return build_scenario(
        "llama-3.1-70b", "fp8", "rtx-pro-6000-server", 8, workload=load_, title="70B chat for support"
    )


def _llama_405b() -> Scenario:
    return build_scenario("llama-3.1-405b", "fp8", "h100-sxm", 8, workload=CHAT, title="405B on one H100 node")


def _deepseek() -> Scenario:
    return build_scenario(
        "deepseek-v3", "fp8", "h100-sxm", 8, 2, workload=CHAT, layout=LayoutChoice(tp=8, pp=2), title="DeepSeek V3"
    )


def _mixtral() -> Scenario:
    return build_scenario("mixtral-8x22b", "fp8", "rtx-5090", 8, workload=CHAT, title="Mixtral on gaming cards")


def _fine_tune() -> Scenario:
    work = Workload(kind="full-finetune", sequence_length=4096, total_tokens=500_000_000)
    return build_scenario("llama-3.1-70b", "bf16", "h100-sxm", 8, 2, workload=work, title="Full fine-tune of 70B")


def _error() -> Scenario:
    return replace(_llama_70b(), layout=LayoutChoice(tp=7))


BUILDS: dict[str, Callable[[], Scenario]] = {
    "new": lambda: new_scenario(load()),
    "llama70b": _llama_70b,
    "llama405b": _llama_405b,
    "deepseek": _deepseek,
    "mixtral": _mixtral,
    "finetune": _fine_tune,
}
"""By name; the error state is the 70B build with a layout that has no answer."""
