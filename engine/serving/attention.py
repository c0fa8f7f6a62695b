"""Attention kernels of a serving engine, where measured kernel tables tell them apart.

The constants of attention are those of the kernels that an engine takes by itself; another one is the slower by what the tables of
aiconfigurator-core 0.12.0 (see NOTICE) say of the same shapes, or of long ones of heads of 128 in BF16 where no shape is in both:
medians, by class of card. FlashAttention-2 on Hopper has no table there: FlashAttention-3 is 1.5 to 2.0 times as fast (Shah et al. 2024, arXiv
2407.08608, section 4). Decode of long contexts reads memory whichever it is, so kernels differ less there. Latent and sparse
attention have kernels of their own, which this leaves as they are.
"""

from __future__ import annotations

from typing import Final

from engine.figures.records import NamedTuple
from engine.scenario import Scenario
from engine.serving.shapes import gpu_class

PROMPTS: Final[dict[str, float]] = {
    "hopper flash3": 1.0,
    "hopper flash2": 0.57,
    "blackwell trtllm": 1.0,
    "blackwell flashinfer": 0.76,
    "blackwell triton": 0.19,
    "blackwell-ultra trtllm": 1.0,
    "blackwell-ultra flashinfer": 0.77,
    "blackwell-ultra triton": 0.16,
    "blackwell-gddr flashinfer": 1.0,
    "blackwell-gddr flash2": 0.82,
    "blackwell-gddr triton": 0.42,
    "ada flashinfer": 1.0,
    "ada flash2": 0.89,
}
"""Rate of a prompt's attention by class of card and kernel, over the fastest one's."""
TOKENS: Final[dict[str, float]] = {
    "hopper flash3": 1.0,
    "hopper flash2": 1.0,
    "blackwell trtllm": 1.0,
    "blackwell flashinfer": 0.60,
    "blackwell triton": 0.36,
    "blackwell-ultra trtllm": 1.0,
    "blackwell-ultra flashinfer": 0.59,
    "blackwell-ultra triton": 0.35,
    "blackwell-gddr flashinfer": 1.0,
    "blackwell-gddr flash2": 0.94,
    "blackwell-gddr triton": 0.81,
    "ada flashinfer": 1.0,
    "ada flash2": 0.90,
}
"""Rate at which decode reads the KV cache, likewise."""


class Kernel(NamedTuple):
    """What the chosen attention kernel does in the time in which the engine's own does one: of prompts, and of tokens."""

    prompts: float
    tokens: float


def known_kernels(scenario: Scenario) -> tuple[str, ...]:
    """The kernels that are told apart on the scenario's card under its engine; none where nothing is known."""
    card = gpu_class(scenario.hardware.accelerator)
    if card not in scenario.runtime.rules.attention or any(
        layer.mixer == "mla" for layer, _ in scenario.model.architecture.layer_runs()
    ):
        return ()
    return tuple(key.partition(" ")[2] for key in PROMPTS if key.partition(" ")[0] == card)


def kernel_of(scenario: Scenario) -> Kernel | None:
    """The chosen kernel beside the engine's own; None where it is that, or nothing tells them apart."""
    chosen = scenario.runtime.attention_backend
    if chosen is None or chosen not in known_kernels(scenario):
        return None
    card = gpu_class(scenario.hardware.accelerator)
    own = scenario.runtime.rules.attention[card]
    if chosen == own:
        return None
    key, usual = f"{card} {chosen}", f"{card} {own}"
    return Kernel(PROMPTS[key] / PROMPTS[usual], TOKENS[key] / TOKENS[usual])
