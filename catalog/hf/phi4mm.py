"""What Phi-4-multimodal carries beside its text model: a SigLIP tower, a conformer, projections, and a LoRA adapter for each.

Sizes that its config.json leaves to the class are those of modeling_phi4mm.py and vision_siglip_navit.py (microsoft/
Phi-4-multimodal-instruct). Approximate to 1 % of the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from catalog.hf.encoder import Encoder, Towers, layer_norm, mlp_projector, table
from catalog.hf.reader import Config
from catalog.hf.tensors import linear
from engine.model.architecture import Part, Tensor

SIGLIP: Final = (27, 1152, 4304, 16)
"""Layers, width, feed-forward and heads of siglip-so400m-patch14-448."""
PATCH: Final = 14
SIDE: Final = 448
MERGED: Final = 2
"""Sides of pixels of a patch and of a crop; patches on a side that become one token."""
CROPS: Final = 36
"""Crops of the largest picture (dynamic_hd), beside its thumbnail."""
ADAPTERS: Final[tuple[tuple[str, Part], ...]] = (("vision_lora", "vision"), ("speech_lora", "audio"))


def phi4mm_towers(whole: Config, text_hidden: int) -> Towers:
    """Towers and adapters of a config of that class; none where it names neither adapter."""
    if not any(isinstance(whole.raw(name), Mapping) for name, _ in ADAPTERS):
        return Towers()
    layers, width, inner, heads = SIGLIP
    side = SIDE // PATCH
    made = linear("patch_embed", "vision", width, 3 * PATCH * PATCH, bias=True)
    made += [*table("pos_embed", side * side, width), *Encoder(layers, width, inner, heads).tensors()]
    made += [*layer_norm("post_norm", width, True), *mlp_projector("projector", (width, text_hidden, text_hidden))]
    made += _conformer(whole, text_hidden) + _adapters(whole, text_hidden)
    return Towers(tuple(made), (CROPS + 1) * (side // MERGED) ** 2, MERGED**2)


def _conformer(whole: Config, text_hidden: int) -> list[Tensor]:
    """The listening encoder: blocks of two gated feed-forwards, attention and a gated convolution; two projections."""
    said = whole.section("audio_processor").section("config") if whole.has("audio_processor") else whole
    width, inner = said.positive("attention_dim", 1024), said.positive("linear_units", 1536)
    blocks = said.positive("num_blocks", 24)
    made: list[Tensor] = []
    for name, rows, cols, each in (
        ("feed_forward.up", 2 * inner, width, 2),
        ("feed_forward.down", width, inner, 2),
        ("attention", width, width, 4),
        ("convolution.in", 2 * width, width, 1),
        ("convolution.out", width, width, 1),
    ):
        made += linear(f"audio.{name}", "audio", rows, cols, bias=True, copies=blocks * each)
    made += linear("audio.subsampling", "audio", width, width, bias=True, copies=3)
    made += linear("audio.subsampling.out", "audio", width, width * said.positive("input_size", 80) // 8, bias=True)
    for name in ("speech", "vision"):  # sounds on their own, and beside pictures
        made += linear(f"audio.projector.{name}", "audio", text_hidden, width, bias=True)
        made += linear(f"audio.projector.{name}.out", "audio", text_hidden, text_hidden, bias=True)
    return made


def _adapters(whole: Config, hidden: int) -> list[Tensor]:
    """Both factors of each adapted matrix of each layer: attention and feed-forward, as the modules are fused."""
    layers, inner = whole.positive("num_hidden_layers"), whole.positive("intermediate_size")
    heads = whole.positive("num_attention_heads")
    keys = whole.positive("num_key_value_heads", heads)
    head = hidden // heads
    matrices = ((hidden, (heads + 2 * keys) * head), (hidden, hidden), (hidden, 2 * inner), (inner, hidden))
    made: list[Tensor] = []
    for name, part in ADAPTERS:
        if not isinstance(whole.raw(name), Mapping):
            continue
        rank = whole.section(name).positive("r")
        for number, (read, written) in enumerate(matrices):
            made += linear(f"{name}.{number}.a", part, rank, read, copies=layers)
            made += linear(f"{name}.{number}.b", part, written, rank, copies=layers)
    return made
