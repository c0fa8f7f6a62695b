"""The picture encoder of Step 3.5 and 3.7: a ViT with layer scales, two strided convolutions, and one projection."""

from __future__ import annotations

from catalog.hf.encoder import Encoder, Towers, layer_norm, patches, table
from catalog.hf.reader import Config
from catalog.hf.tensors import linear


def step_tower(whole: Config, vision: Config, text_hidden: int) -> Towers:
    """Tensors by transformers' Step3p7VisionModel; keys by their later and their earlier names."""

    def size(later: str, earlier: str, default: int) -> int:
        return vision.positive(earlier if vision.has(earlier) else later, default)

    hidden = size("hidden_size", "width", 1536)
    encoder = Encoder(
        size("num_hidden_layers", "layers", 47),
        hidden,
        int(hidden * vision.number("mlp_ratio", 8960 / 1536)),
        size("num_attention_heads", "heads", 16),
        scales=2,
    )
    side = vision.positive("image_size", 728) // vision.positive("patch_size", 14)
    made = [*patches(vision, hidden, bias=False), *table("pos_embed", side * side, hidden)]
    made += [*layer_norm("pre_norm", hidden, True), *encoder.tensors()]
    for number in (1, 2):
        made += linear(f"downsample_{number}", "vision", 2 * hidden, 9 * hidden, bias=True)
        hidden *= 2
    made += linear("projector", "vision", text_hidden, hidden, bias=whole.flag("projector_bias"))
    return Towers(tuple(made), (side // 4) ** 2)
