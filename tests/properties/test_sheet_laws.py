"""Laws of a card's data sheet, over every card of the catalog: rates are dense, known or said to be unknown, and never exceeded."""

from __future__ import annotations

from dataclasses import replace

import pytest

import catalog
from engine.decide.builds import Limits, left_out
from engine.decide.size import size
from engine.parts.hardware import Accelerator
from engine.serving.shapes import block_class, sixteen_tflops
from tests.engine.builds import build

CARDS = catalog.load().facts.accelerators
RATED = [card for card in CARDS if card.tflops_bf16_dense or card.tflops_fp16_dense]
SERVERS = [card for card in RATED if card.memory_bytes >= 15e9 and card.segment not in ("embedded",)]
PARAMETERS_OF_1B = 1.2e9


def names(cards: list[Accelerator]) -> list[str]:
    return [card.id for card in cards]


def test_a_card_whose_rate_nobody_states_says_so() -> None:
    unknown = [card for card in CARDS if card not in RATED]
    assert len(unknown) <= 3
    assert all("arithmetic unknown" in card.source for card in unknown)
    assert all("arithmetic unknown" not in card.source for card in RATED)


@pytest.mark.parametrize("card", RATED, ids=names(RATED))
def test_rates_of_narrower_types_are_dense_ones(card: Accelerator) -> None:
    """An 8-bit product is one or two 16-bit ones (four where those sum in 32 bits at half the rate), never a sparse figure."""
    sixteen, made_for_eight = (
        sixteen_tflops(card),
        card.segment == "datacenter, rack scale" or card.architecture.startswith(("Rubin", "NeuronCore-v4")),
    )
    if card.tflops_fp8_dense and not made_for_eight:
        assert 0.99 <= card.tflops_fp8_dense / sixteen <= 2.05
    if card.tflops_fp4_dense and card.tflops_fp8_dense:
        assert 1.9 <= card.tflops_fp4_dense / card.tflops_fp8_dense <= 4.05
    halved = card.vendor == "NVIDIA" and card.segment == "consumer"
    if card.tops_int8_dense and not halved:
        assert card.tops_int8_dense <= 4.05 * sixteen
    if halved and card.tflops_fp16_fp16acc_dense:
        assert card.tflops_fp16_fp16acc_dense == pytest.approx(2 * sixteen, rel=0.01)


@pytest.mark.parametrize("card", SERVERS, ids=names(SERVERS))
@pytest.mark.parametrize("weights", ["fp16", "gguf-q4_k_m"])
def test_no_prompt_is_read_faster_than_the_sheet_multiplies(card: Accelerator, weights: str) -> None:
    scenario = build("llama-3.2-1b", weights, card.id, 1, concurrency=1, input_tokens=8192, output_tokens=16)
    serving = size(replace(scenario, runtime=replace(scenario.runtime, engine="llama.cpp"))).serving
    assert serving is not None
    rate = 2 * PARAMETERS_OF_1B * 8192 / serving.ttft_s / 1e12
    peak = block_class(card)[1] if weights != "fp16" else sixteen_tflops(card)
    assert rate < 0.92 * peak
    # and no card is a hundred times as slow as its sheet
    assert rate > 0.01 * peak


def test_apple_multiplies_blocks_in_16_bits() -> None:
    for card in CARDS:
        kind = block_class(card)[0]
        assert (kind == "weight-only") == (card.vendor == "Apple")


def test_a_search_tries_every_card_whose_rate_is_known() -> None:
    scenario = build("llama-3.1-8b", "bf16", "rtx-4090", 1, concurrency=1, input_tokens=512, output_tokens=64)
    assert not [card.id for card in left_out(scenario, Limits()) if card in RATED]
    assert {"gb10", "apple-m4-max-128gb", "apple-m3-ultra"} <= {card.id for card in RATED}
