"""Kernels of attention: what another one than the engine's own changes, and the choice by every door."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.decide.opened.build import Build
from engine.decide.plan import plan
from engine.decide.size import size
from engine.figures.opening import leaves
from engine.scenario import Scenario
from engine.serving.attention import PROMPTS, TOKENS, known_kernels
from engine.sizing import Serving
from tests.engine.builds import build
from tui.files.fields import BY_KEY, applies
from tui.paste.reading import read
from tui.shell.exports import export


def chat(
    kernel: Any = None, card: str = "b200-sxm", engine: Any = "vllm", model: str = "llama-3.1-8b", **load: Any
) -> Scenario:
    """Eight users of long prompts on one card."""
    usual = {"concurrency": 8, "input_tokens": 32000, "output_tokens": 400}
    scenario = build(model, "bf16", card, 1, 1, None, **usual | load)
    return replace(scenario, runtime=replace(scenario.runtime, attention_backend=kernel, engine=engine))


def speed(scenario: Scenario) -> Serving:
    """Its speed."""
    serving = size(scenario).serving
    assert serving is not None
    return serving


def test_the_tables_are_of_the_same_kernels_and_none_is_faster_than_the_fastest() -> None:
    assert PROMPTS.keys() == TOKENS.keys()
    for rates in (PROMPTS, TOKENS):
        for card in {key.partition(" ")[0] for key in rates}:
            assert max(value for key, value in rates.items() if key.startswith(f"{card} ")) == 1.0


@pytest.mark.parametrize(
    ("engine", "card", "own"),
    [
        ("vllm", "b200-sxm", "trtllm"),
        ("sglang", "h100-sxm", "flash3"),
        ("vllm", "l40s", "flash2"),
        ("sglang", "l40s", "flashinfer"),
    ],
)
def test_the_engine_s_own_kernel_is_no_news(engine: str, card: str, own: str) -> None:
    assert speed(chat(own, card, engine)) == speed(chat(None, card, engine))


def test_a_slower_kernel_delays_prompts_most_and_touches_no_product() -> None:
    own, other = speed(chat()), speed(chat("triton"))
    assert other.ttft_s > 1.5 * own.ttft_s
    assert other.kv_stream_s == pytest.approx(own.kv_stream_s / TOKENS["blackwell triton"])
    assert (other.weight_stream_s, other.communication_s, other.overhead_s) == (
        own.weight_stream_s,
        own.communication_s,
        own.overhead_s,
    )
    short: dict[str, Any] = {"input_tokens": 256, "output_tokens": 64}
    assert speed(chat("triton", **short)).ttft_s < 1.1 * speed(chat(**short)).ttft_s


def test_an_engine_whose_own_is_not_the_fastest_gains() -> None:
    own, other = speed(chat(card="rtx-pro-6000-server")), speed(chat("flashinfer", "rtx-pro-6000-server"))
    assert other.ttft_s < own.ttft_s


def test_what_nothing_tells_apart_changes_nothing_and_says_so() -> None:
    for scenario in (chat("flash3"), chat("triton", engine="trtllm"), chat("flash3", "a100-sxm4-80gb")):
        plain = replace(scenario, runtime=replace(scenario.runtime, attention_backend=None))
        assert speed(scenario) == speed(plain)
        notice = next(one for one in size(scenario).warnings if one.id == "attention-unknown")
        assert notice.fix is not None
        assert notice.fix.changes == (("runtime.attention_backend", None),)
    assert known_kernels(chat(model="deepseek-v2-lite")) == ()
    assert applies(chat(), BY_KEY["runtime.attention_backend"])
    assert not applies(chat(card="a100-sxm4-80gb"), BY_KEY["runtime.attention_backend"])


def test_its_figures_open() -> None:
    scenario = chat("triton")
    number = Build(plan(scenario)).number("serving.ttft_s")
    assert number.value == speed(scenario).ttft_s
    assert any("attention by kernel" in one.label for one in leaves(number))


def test_flags_say_it_and_are_read() -> None:
    for kernel, engine, flag in (
        ("triton", "vllm", "--attention-backend TRITON_ATTN"),
        ("flashinfer", "sglang", "--attention-backend flashinfer"),
    ):
        text = export(size(chat(kernel, engine=engine)), engine)  # type: ignore[arg-type] # a target of the list above
        assert flag in " ".join(text.replace("\\\n", " ").split())
        assert read(text).value("runtime.attention_backend") == kernel
    assert (
        read("vllm serve meta-llama/Llama-3.1-8B-Instruct --attention-backend FLASH_ATTN").value(
            "runtime.attention_backend"
        )
        is None
    )
    assert "VLLM_FLASH_ATTN_VERSION=2" in export(size(chat("flash2", "h100-sxm")), "vllm")
