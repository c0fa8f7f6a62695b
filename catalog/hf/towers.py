"""Vision and audio towers: a shared encoder block, and what each kind puts around it.

Shapes follow the modules of Hugging Face transformers 5.23 (modeling_NAME.py of each tower); defaults are the
classes' own, since a nested vision_config often leaves them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from catalog.hf.encoder import Encoder, Towers, layer_norm, mlp_projector, pair, patches, table
from catalog.hf.gemma4 import unified_tower
from catalog.hf.perception import step_tower
from catalog.hf.phi4mm import phi4mm_towers
from catalog.hf.reader import Config
from catalog.hf.tensors import linear, norm
from engine.model.architecture import Tensor

# Pictures are cut to this many patches before they reach the tower: preprocessor_config.json of Qwen2.5-VL
# (max_pixels 12845056, 28 x 28 pixels a token) and of Qwen3-VL (longest_edge 16777216, 32 x 32): both 16384 tokens.
_QWEN_LARGEST_TOKENS: Final = 16384


def _qwen2_vl(whole: Config, vision: Config, text_hidden: int) -> Towers:
    windowed = (
        vision.has("out_hidden_size")
        or vision.has("fullatt_block_indexes")
        or whole.text("model_type").startswith("qwen2_5")
    )
    hidden = vision.positive("hidden_size" if windowed else "embed_dim", 1280)
    merge = vision.positive("spatial_merge_size", 2) ** 2
    out = vision.positive("out_hidden_size" if windowed else "hidden_size", text_hidden)
    width = int(hidden * vision.number("mlp_ratio", 4))
    if windowed:
        width = vision.positive("intermediate_size", 3420)
    encoder = Encoder(
        vision.positive("depth", 32),
        hidden,
        width,
        vision.positive("num_heads", 16),
        gated=windowed,
        norm_bias=not windowed,
    )
    made = patches(vision, hidden, bias=False, temporal=vision.positive("temporal_patch_size", 2))
    made += encoder.tensors()
    made += layer_norm("merger.norm", hidden, not windowed)
    made += mlp_projector("merger", (hidden * merge, hidden * merge, out))
    return Towers(tuple(made), _QWEN_LARGEST_TOKENS)


def _qwen3_vl(whole: Config, vision: Config, text_hidden: int) -> Towers:
    hidden = vision.positive("hidden_size", 1152)
    merged = hidden * vision.positive("spatial_merge_size", 2) ** 2
    out = vision.positive("out_hidden_size", text_hidden)
    encoder = Encoder(
        vision.positive("depth", 27),
        hidden,
        vision.positive("intermediate_size", 4304),
        vision.positive("num_heads", 16),
    )
    made = patches(vision, hidden, bias=True, temporal=vision.positive("temporal_patch_size", 2))
    made += table("pos_embed", vision.positive("num_position_embeddings", 2304), hidden)
    made += encoder.tensors()
    made += [*layer_norm("merger.norm", hidden, True), *mlp_projector("merger", (merged, merged, out))]
    deep = vision.items("deepstack_visual_indexes")
    taps = 3 if whole.text("model_type").startswith("qwen3_vl") else 0
    for number in range(taps if deep is None else len(deep)):
        name = f"deepstack_{number}"
        made += [*layer_norm(f"{name}.norm", merged, True), *mlp_projector(name, (merged, merged, out))]
    return Towers(tuple(made), _QWEN_LARGEST_TOKENS)


def _siglip(vision: Config, pooled: bool = False) -> list[Tensor]:
    """SigLIP (Zhai et al. 2023, arXiv 2303.15343), with its pooling head only when asked."""
    hidden, patch = vision.positive("hidden_size", 768), vision.positive("patch_size", 16)
    encoder = Encoder(
        vision.positive("num_hidden_layers", 12),
        hidden,
        vision.positive("intermediate_size", 3072),
        vision.positive("num_attention_heads", 12),
    )
    positions = (vision.positive("image_size", 224) // patch) ** 2
    made = linear("patch_embed", "vision", hidden, 3 * patch * patch, bias=True)
    made += [*table("pos_embed", positions, hidden), *encoder.tensors(), *layer_norm("post_norm", hidden, True)]
    if pooled:
        one = replace(encoder, depth=1, norms=1)
        made += [*table("probe", 1, hidden), *one.tensors(name="pooling_head")]
    return made


def _gemma3(whole: Config, vision: Config, text_hidden: int) -> Towers:
    hidden = vision.positive("hidden_size", 768)
    made = _siglip(vision, vision.flag("vision_use_head", True))
    made += [*linear("projector", "vision", text_hidden, hidden), *layer_norm("projector.norm", hidden, False)]
    tokens = whole.integer("mm_tokens_per_image", 256)
    side = vision.positive("image_size", 224) // vision.positive("patch_size", 16)
    return Towers(tuple(made), tokens, max(1, side * side // max(1, tokens)), whole=True)


def _pixtral_encoder(vision: Config) -> list[Tensor]:
    hidden = vision.positive("hidden_size", 1024)
    encoder = Encoder(
        vision.positive("num_hidden_layers", 24),
        hidden,
        vision.positive("intermediate_size", 4096),
        vision.positive("num_attention_heads", 16),
        qkv_bias=False,
        o_bias=False,
        mlp_bias=False,
        gated=True,
        norm_bias=False,
        replicated=True,
    )
    patch = vision.positive("patch_size", 16)
    made = linear("patch_embed", "vision", hidden, 3 * patch * patch)
    return [*made, *layer_norm("pre_norm", hidden, False), *encoder.tensors()]


def _mistral3(whole: Config, vision: Config, text_hidden: int) -> Towers:
    hidden = vision.positive("hidden_size", 1024)
    merge = whole.positive("spatial_merge_size", 2)
    bias = whole.flag("multimodal_projector_bias")
    made = _pixtral_encoder(vision)
    made += [*layer_norm("projector.norm", hidden, False), *linear("patch_merger", "vision", hidden, hidden * merge**2)]
    made += mlp_projector("projector", (hidden, text_hidden, text_hidden), bias=bias)
    side = vision.positive("image_size", 1540) // vision.positive("patch_size", 14) // merge
    return Towers(tuple(made), side * side)


def _clip(vision: Config) -> list[Tensor]:
    """The CLIP picture encoder (Radford et al. 2021, arXiv 2103.00020) as LLaVA holds it."""
    hidden = vision.positive("hidden_size", 1024)
    patch = vision.positive("patch_size", 14)
    positions = (vision.positive("image_size", 336) // patch) ** 2 + 1
    encoder = Encoder(
        vision.positive("num_hidden_layers", 24),
        hidden,
        vision.positive("intermediate_size", 4096),
        vision.positive("num_attention_heads", 16),
    )
    made = linear("patch_embed", "vision", hidden, 3 * patch * patch)
    made += [*table("class_embed", 1, hidden), *table("pos_embed", positions, hidden)]
    return [*made, *layer_norm("pre_norm", hidden, True), *encoder.tensors(), *layer_norm("post_norm", hidden, True)]


def _llava(whole: Config, vision: Config, text_hidden: int) -> Towers:
    """A picture encoder and a two-layer projector (Liu et al. 2023, arXiv 2310.03744); LLaVA-NeXT tiles pictures."""
    kind = vision.text("model_type", "clip_vision_model")
    encoders: Mapping[str, Callable[[Config], list[Tensor]]] = {
        "clip_vision_model": _clip,
        "siglip_vision_model": _siglip,
        "pixtral": _pixtral_encoder,
    }
    if kind not in encoders:
        raise vision.error("model_type", f"is {kind!r}; known picture encoders: {', '.join(sorted(encoders))}")
    defaults = {"siglip_vision_model": 768}
    hidden = vision.positive("hidden_size", defaults.get(kind, 1024))
    layers = whole.raw("vision_feature_layer")
    taken = len(layers) if isinstance(layers, list) else 1
    bias = whole.flag("multimodal_projector_bias", True)
    made = encoders[kind](vision)
    made += mlp_projector("projector", (hidden * taken, text_hidden, text_hidden), bias=bias)
    tokens = (vision.positive("image_size", 336) // vision.positive("patch_size", 14)) ** 2
    if whole.text("model_type") in ("llava_next", "llava_onevision"):
        made += norm("image_newline", text_hidden, part="vision")
        tokens *= 5  # a base view and four tiles
    return Towers(tuple(made), tokens, 1)


def _llama4(whole: Config, vision: Config, text_hidden: int) -> Towers:
    hidden = vision.positive("hidden_size", 768)
    patch = vision.positive("patch_size", 14)
    side = vision.positive("image_size", 448) // patch
    projected = vision.positive("projector_output_dim", 4096)
    encoder = Encoder(
        vision.positive("num_hidden_layers", 34),
        hidden,
        vision.positive("intermediate_size", 5632),
        vision.positive("num_attention_heads", 16),
    )
    made = linear("patch_embed", "vision", hidden, 3 * patch * patch)
    made += [*table("class_embed", 1, hidden), *table("pos_embed", side * side + 1, hidden)]
    made += [*layer_norm("pre_norm", hidden, True), *encoder.tensors(), *layer_norm("post_norm", hidden, True)]
    ratio = vision.number("pixel_shuffle_ratio", 0.5)
    shuffled = encoder.intermediate_size
    made += mlp_projector("adapter", (shuffled, vision.positive("projector_input_dim", 4096), projected), bias=False)
    made += linear("projector", "vision", text_hidden, vision.positive("vision_output_dim", 7680))
    tiles = 17  # sixteen tiles and the whole picture: max_patches of the published preprocessor
    return Towers(tuple(made), tiles * int(side * side * ratio**2))


def _moonvit(whole: Config, vision: Config, text_hidden: int) -> Towers:
    """MoonViT (Kimi-VL, arXiv 2504.07491): learned positions that are resized to the picture."""

    def size(name: str, default: int) -> int:
        return vision.positive(f"vt_{name}" if vision.has(f"vt_{name}") else name, default)

    hidden = size("hidden_size", 1152)
    encoder = Encoder(
        size("num_hidden_layers", 27), hidden, size("intermediate_size", 4304), size("num_attention_heads", 16)
    )
    rows = vision.positive("init_pos_emb_height", 64) * vision.positive("init_pos_emb_width", 64)
    merge = vision.integers("merge_kernel_size", 2) or [2, 2]
    merged = hidden * merge[0] * merge[1]
    made = patches(vision, hidden, bias=True)
    made += [*table("pos_embed", rows, hidden), *encoder.tensors(), *layer_norm("final_norm", hidden, True)]
    made += [*layer_norm("projector.norm", hidden, True), *mlp_projector("projector", (merged, merged, text_hidden))]
    return Towers(tuple(made), rows // (merge[0] * merge[1]))


def _gemma4(whole: Config, vision: Config, text_hidden: int) -> Towers:
    hidden = vision.positive("hidden_size", 768)
    bounds = 4 if vision.flag("use_clipped_linears") else 0
    encoder = Encoder(
        vision.positive("num_hidden_layers", 16),
        hidden,
        vision.positive("intermediate_size", 3072),
        vision.positive("num_attention_heads", 12),
        vision.positive("head_dim", 64),
        vision.positive("num_key_value_heads", 12),
        qkv_bias=False,
        o_bias=False,
        mlp_bias=False,
        gated=True,
        norms=4,
        norm_bias=False,
        head_norms=2,
        gates=7 * bounds,
    )
    made = patches(vision, hidden, bias=False)
    made += [*table("pos_embed", 2 * vision.positive("position_embedding_size", 10240), hidden), *encoder.tensors()]
    if vision.flag("standardize"):
        made += [*norm("standard_bias", hidden, part="vision"), *norm("standard_scale", hidden, part="vision")]
    made += linear("projector", "vision", text_hidden, hidden)
    made += _gemma4_audio(whole, text_hidden)
    largest = max(whole.integer("vision_soft_tokens_per_image", 280), _GEMMA4_VIDEO_TOKENS)
    return Towers(tuple(made), largest, vision.positive("pooling_kernel_size", 3) ** 2, whole=True)


_GEMMA4_VIDEO_TOKENS: Final = 32 * (70 + 8)
"""Tokens of the longest video that Gemma 4's processor hands on: 32 frames of 70, each with a time stamp and marks. vLLM's
error where a step takes fewer names the 2,496."""


def _gemma4_audio(whole: Config, text_hidden: int) -> list[Tensor]:
    """The conformer of the small Gemma 4 models: two half feed-forwards, attention and a light convolution a block."""
    if not whole.has("audio_config"):
        return []
    audio = whole.section("audio_config")
    hidden, depth = audio.positive("hidden_size", 1024), audio.positive("num_hidden_layers", 12)
    heads, kernel = audio.positive("num_attention_heads", 8), audio.positive("conv_kernel_size", 5)
    first, second = audio.integers("subsampling_conv_channels", 2) or [128, 32]
    out = audio.positive("output_proj_dims", 1536)
    bounds = 4 if audio.flag("use_clipped_linears", True) else 0
    squares = 4 + 1 + 3 + 4 * 4  # q, k, v, o; relative keys; light convolution's two; four 4x feed-forward matrices
    shapes = (
        ("matrices", squares * hidden, hidden),
        ("depthwise", hidden, kernel),
        ("norms", 3 + 4 + 2, hidden),
        ("per_dim_scale", hidden // heads, 1),
        ("bounds", bounds * (4 + 2 + 4), 1),
    )
    made = [Tensor(f"audio.{name}", "audio", rows, cols, depth) for name, rows, cols in shapes if rows]
    made += [
        Tensor("audio.subsample_0", "audio", first, 9),
        Tensor("audio.subsample_1", "audio", second, 9 * first),
        *norm("audio.subsample_norms", first + second, part="audio"),
        Tensor("audio.input", "audio", hidden, first // 4 * second),
        *linear("audio.output", "audio", out, hidden, bias=True),
        *linear("audio.projector", "audio", text_hidden, out),
    ]
    return made


def _paligemma(whole: Config, vision: Config, text_hidden: int) -> Towers:
    hidden = vision.positive("hidden_size", 768)
    made = _siglip(vision) + linear("projector", "vision", text_hidden, hidden, bias=True)
    side = vision.positive("image_size", 224) // vision.positive("patch_size", 16)
    return Towers(tuple(made), side * side, 1, whole=True)


def _idefics3(whole: Config, vision: Config, text_hidden: int) -> Towers:
    """Idefics 3 and SmolVLM: SigLIP, pixels shuffled by scale_factor, one projection; pictures cut into tiles."""
    hidden = vision.positive("hidden_size", 1152)
    scale = whole.positive("scale_factor", 2) ** 2
    named = Config(
        vision.data, vision.where, vision.path, {"hidden_size": 1152, "patch_size": 32, "num_attention_heads": 16}
    )
    made = _siglip(named) + linear("projector", "vision", text_hidden, hidden * scale)
    side = named.positive("image_size", 224) // named.positive("patch_size")
    return Towers(tuple(made), 17 * (side * side // scale))


def _internvl(whole: Config, vision: Config, text_hidden: int) -> Towers:
    """InternViT with layer scales, pixels shuffled two by two, a normed two-layer projector; up to 12 tiles."""
    hidden = vision.positive("hidden_size", 1024)
    patch, size = pair(vision, "patch_size", 14), pair(vision, "image_size", 448)
    bias = vision.flag("attention_bias", vision.flag("qkv_bias"))
    encoder = Encoder(
        vision.positive("num_hidden_layers", 24),
        hidden,
        vision.positive("intermediate_size", 4096),
        vision.positive("num_attention_heads", 16),
        qkv_bias=bias,
        scales=2,
        norm_bias=vision.text("norm_type", "layer_norm") == "layer_norm",
    )
    side = size // patch
    made = linear("patch_embed", "vision", hidden, 3 * patch * patch, bias=True)
    made += [*table("class_embed", 1, hidden), *table("pos_embed", side * side + 1, hidden), *encoder.tensors()]
    if vision.flag("use_qk_norm", vision.flag("qk_normalization")):
        depth = encoder.depth
        made += [
            *norm("q_norm", hidden, copies=depth, part="vision"),
            *norm("k_norm", hidden, copies=depth, part="vision"),
        ]
    ratio = whole.number("downsample_ratio", 0.5)
    shuffled = int(hidden / ratio**2)
    made += [
        *layer_norm("projector.norm", shuffled, True),
        *mlp_projector("projector", (shuffled, text_hidden, text_hidden)),
    ]
    return Towers(tuple(made), 13 * int(side * side * ratio**2))


def _glm4v(whole: Config, vision: Config, text_hidden: int) -> Towers:
    """GLM-4.1V and later: a ViT with gated MLPs, a strided convolution, and a gated merger."""
    hidden = vision.positive("hidden_size", 1536)
    patch, merge = vision.positive("patch_size", 14), vision.positive("spatial_merge_size", 2)
    out, width = vision.positive("out_hidden_size", 4096), vision.positive("intermediate_size", 13696)
    # The blocks are as wide as the merged output; the merger has the width that the config names.
    encoder = Encoder(
        vision.positive("depth", 24),
        hidden,
        out,
        vision.positive("num_heads", 12),
        qkv_bias=vision.flag("attention_bias"),
        o_bias=False,
        mlp_bias=False,
        gated=True,
        norm_bias=False,
    )
    positions = (vision.positive("image_size", 336) // patch) ** 2
    made = patches(vision, hidden, bias=True, temporal=vision.positive("temporal_patch_size", 2))
    made += [*table("pos_embed", positions, hidden), *layer_norm("post_conv_norm", hidden, False), *encoder.tensors()]
    made += [
        *layer_norm("post_norm", hidden, False),
        *linear("downsample", "vision", out, hidden * merge**2, bias=True),
    ]
    made += [*linear("merger.proj", "vision", out, out), *layer_norm("merger.norm", out, True)]
    made += [*linear("merger.gate_up", "vision", 2 * width, out), *linear("merger.down", "vision", out, width)]
    return Towers(tuple(made), _GLM_LARGEST_TOKENS)


# preprocessor_config.json of GLM-4.5V: longest_edge 9633792 pixels for two frames, 28 x 28 pixels a token.
_GLM_LARGEST_TOKENS: Final = 9633792 // 2 // (28 * 28)


def _mllama(whole: Config, vision: Config, text_hidden: int) -> Towers:
    """The tiled encoder of Llama 3.2 Vision: local and gated global blocks, positions by tile and aspect ratio."""
    hidden, patch = vision.positive("hidden_size", 1280), vision.positive("patch_size", 14)
    size, tiles = vision.positive("image_size", 448), vision.positive("max_num_tiles", 4)
    positions = (size // patch) ** 2 + 1
    ratios = len(vision.items("supported_aspect_ratios") or range(8)) + 1

    def blocks(depth: int, gates: int) -> Encoder:
        return Encoder(
            depth,
            hidden,
            vision.positive("intermediate_size", 5120),
            vision.positive("attention_heads" if vision.has("attention_heads") else "num_heads", 16),
            qkv_bias=False,
            o_bias=False,
            gates=gates,
        )

    made = linear("patch_embed", "vision", hidden, 3 * patch * patch)
    made += [*table("class_embed", 1, hidden), *table("pos_embed", positions, hidden)]
    made += table("tile_pos_embed", ratios, tiles * positions * hidden)
    made += [*table("pre_tile_embed", ratios, tiles * hidden), *table("post_tile_embed", ratios, tiles * hidden)]
    made += [
        *norm("gates", 3, part="vision"),
        *layer_norm("pre_norm", hidden, True),
        *layer_norm("post_norm", hidden, True),
    ]
    made += blocks(vision.positive("num_hidden_layers", 32), 0).tensors(name="local")
    made += blocks(vision.positive("num_global_layers", 8), 2).tensors(name="global")
    output = vision.positive("vision_output_dim", 7680)
    made += linear("projector", "vision", text_hidden, output, bias=True)
    return Towers(tuple(made), tiles * positions)


def _command_vision(whole: Config, vision: Config, text_hidden: int) -> Towers:
    """Aya Vision and Command A Vision: SigLIP, shuffled pixels, a gated projector."""
    hidden, factor = vision.positive("hidden_size", 1152), whole.positive("downsample_factor", 2)
    gated = whole.text("model_type") == "cohere2_vision"
    width = whole.positive("alignment_intermediate_size", 36864 if gated else text_hidden)
    merged = hidden * factor**2
    made = _siglip(vision, vision.flag("vision_use_head", True))
    if not gated:
        made += layer_norm("projector.norm", merged, True)
    made += linear("projector.linear_0", "vision", width, merged, bias=True)
    made += linear("projector.linear_1", "vision", text_hidden, width // 2, bias=True)
    side = vision.positive("image_size", 384) // vision.positive("patch_size", 14)
    return Towers(tuple(made), 13 * (side * side // factor**2))


def _unknown(whole: Config, vision: Config, text_hidden: int) -> Towers:
    """A tower of a kind that has no builder: a plain encoder from its sizes and a two-layer projector.

    Approximate, and close: in every known model the blocks hold nine tenths of a tower. Raises CatalogError when
    the sizes are not there.
    """

    def size(*names: str) -> int:
        for name in names:
            if name in vision.data and vision.data[name] is not None:
                return vision.positive(name)
        raise vision.error(names[0], f"is missing, and the tower of {whole.text('model_type')!r} needs it")

    hidden = size("hidden_size", "embed_dim", "width")
    depth = size("num_hidden_layers", "depth", "layers")
    heads = size("num_attention_heads", "num_heads", "heads")
    width = vision.integer("intermediate_size", int(hidden * vision.number("mlp_ratio", 4.0)))
    patch = pair(vision, "patch_size", 14)
    made = linear("patch_embed", "vision", hidden, 3 * patch * patch, bias=True)
    made += Encoder(depth, hidden, width, heads).tensors()
    made += mlp_projector("projector", (hidden, text_hidden, text_hidden))
    side = pair(vision, "image_size", 448) // patch
    return Towers(tuple(made), side * side)


_Builder = Callable[[Config, Config, int], Towers]
BUILDERS: Final[Mapping[str, _Builder]] = MappingProxyType(
    {
        "qwen2_vl": _qwen2_vl,
        "qwen2_5_vl": _qwen2_vl,
        "qwen3_vl": _qwen3_vl,
        "qwen3_vl_moe": _qwen3_vl,
        "qwen2_5_omni_thinker": _qwen2_vl,
        "qwen3_omni_moe_thinker": _qwen3_vl,
        "qwen3_5": _qwen3_vl,
        "qwen3_5_moe": _qwen3_vl,
        "qwen4_exp": _qwen3_vl,
        "gemma3": _gemma3,
        "gemma4": _gemma4,
        "gemma4_unified": unified_tower,
        "mistral3": _mistral3,
        "llama4": _llama4,
        "kimi_k25": _moonvit,
        "kimi_vl": _moonvit,
        "paligemma": _paligemma,
        "idefics3": _idefics3,
        "smolvlm": _idefics3,
        "internvl": _internvl,
        "internvl_chat": _internvl,
        "step3p7": step_tower,
        "glm4v": _glm4v,
        "glm4v_moe": _glm4v,
        "glm46v": _glm4v,
        "mllama": _mllama,
        "aya_vision": _command_vision,
        "cohere2_vision": _command_vision,
        "llava": _llava,
        "llava_next": _llava,
        "llava_onevision": _llava,
    }
)


def towers(whole: Config, text_hidden_size: int) -> Towers:
    """The towers of a config: nothing for a text model, a plain encoder for a tower of unknown kind."""
    if whole.text("model_type") == "phi4mm":
        return phi4mm_towers(whole, text_hidden_size)
    if not isinstance(whole.raw("vision_config"), Mapping):
        return Towers()
    kind = whole.text("model_type")
    builder = BUILDERS.get(kind, _unknown)
    side = builder(whole, whole.section("vision_config"), text_hidden_size)
    return replace(side, tensors=side.tensors + tuple(_listening_encoder(whole, text_hidden_size)))


def _listening_encoder(whole: Config, text_hidden: int) -> list[Tensor]:
    """The Whisper-like encoder of the Qwen Omni models, three convolutions and a projection; approximate to 1 %."""
    if not whole.text("model_type").endswith("_thinker") or not whole.has("audio_config"):
        return []
    audio = whole.section("audio_config")
    width = audio.positive("d_model", 1280)
    encoder = Encoder(
        audio.positive("encoder_layers", 32),
        width,
        audio.positive("encoder_ffn_dim", 5120),
        audio.positive("encoder_attention_heads", 20),
    )
    out = audio.positive("output_dim", text_hidden)
    return [*encoder.tensors("audio", "audio"), *linear("audio.projector", "audio", out, width, bias=True)]
