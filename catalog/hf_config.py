"""From a Hugging Face config.json to an `engine.model.architecture.Architecture`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from catalog.bounded import Unusable, json_of, read_file
from catalog.errors import CatalogError
from catalog.hf.families import FAMILIES, GENERIC, LATENT, Family
from catalog.hf.methods import cache_format, quantization_of
from catalog.hf.quantization import format_of, plain_format, rules_of, stored_by
from catalog.hf.reader import Config
from catalog.hf.text_encoder import TEXT_ENCODERS
from catalog.hf.towers import towers
from catalog.hf.variants import decoder_for
from engine.model.architecture import Architecture

# The largest published config.json (with its id2label and quantization lists) is below 1 MiB.
LARGEST_CONFIG_BYTES: Final = 4 * 2**20
_SHIPPED: Final = Path(__file__).parent / "data"

TEXT_SECTIONS: Final = ("text_config", "llm_config", "language_config")


def read_architecture(path: Path | str) -> Architecture:
    """Read the architecture of a config.json. Raises CatalogError naming the file, and the key when one is at fault."""
    return _read(Path(path))


@lru_cache(maxsize=256)
def _read(path: Path) -> Architecture:
    config = read_config(path)
    beside = path.with_name("hf_quant_config.json")  # ModelOpt's own file, where it left config.json as it was
    if "quantization_config" not in config and path.name == "config.json" and beside.is_file():
        config = {**config, "quantization_config": read_config(beside)}
    return architecture_from_config(config, str(path))


def read_config(path: Path) -> dict[str, Any]:
    """The JSON object of a config file. The literal Infinity, which some published files hold, is accepted.

    Raises CatalogError, for a file beyond the limits of `catalog.boundary` as well.
    """
    where = str(path)
    try:
        data = json_of(read_file(path, LARGEST_CONFIG_BYTES, "config.json").decode("utf-8-sig"))
    except Unusable as problem:
        raise CatalogError(where, "", str(problem)) from None
    except UnicodeDecodeError:
        raise CatalogError(where, "", "is not text: a config.json is UTF-8 JSON") from None
    if _SHIPPED in path.parents and isinstance(data, dict):
        return data  # the tests have read it
    from catalog.boundary import published_config  # here: 90 ms that only a person's own file pays

    return published_config(data, where)


def architecture_from_config(config: Mapping[str, Any], where: str) -> Architecture:
    """Derive the architecture that `config` describes; `where` names the file in errors.

    Raises CatalogError naming the key when a needed key is missing or is not what it must be.
    """
    whole = Config(_typed(_flattened(config)), where)
    _refuse_encoders(whole)
    if whole.raw("hybrid_override_pattern") == "":
        raise whole.error("hybrid_override_pattern", "is empty: it says which layer is what")
    if isinstance(whole.raw("thinker_config"), Mapping):  # Qwen Omni: the talker beside it serves speech, not text
        whole = whole.section("thinker_config")
    text, family = _text_config(whole)
    decoder = decoder_for(text, family)
    tied = _tied(whole, text, family)
    side = towers(whole, decoder.hidden_size)
    said = quantization_of(whole, text)
    quantized = plain_format(*said) if said else "bf16"
    embeds = _embeds(whole, text)
    head = [tensor for tensor in decoder.head(tied) if not (embeds and tensor.part == "lm_head")]
    arch = Architecture(
        model_type=whole.text("model_type", "generic"),
        hidden_size=decoder.hidden_size,
        vocab_size=decoder.vocab_size,
        max_position=_longest_context(text, decoder.heads > 0),
        layers=decoder.layers(),
        embedding=tuple(decoder.embedding()),
        head=tuple(head),
        towers=side.tensors,
        mtp=tuple(decoder.prediction_layers()),
        tied=tied and not embeds,
        heads=decoder.heads,
        kv_heads=decoder.kv_heads,
        head_dim=decoder.head_dim,
        intermediate_size=decoder.widest_mlp(),
        gated_mlp=family.gated,
        experts=decoder.experts,
        experts_per_token=decoder.experts_per_token,
        shared_experts=text.integer("shared_experts", 1) if decoder.shared_width else 0,
        expert_intermediate_size=decoder.expert_width,
        # experts of their own type (DeepSeek-V4) are most weights
        checkpoint_format="mxfp4" if text.text("expert_dtype") == "fp4" else quantized,
        fp8_blocks=quantized == "fp8",
        cache_format=cache_format(said[0]) if said else "bf16",
        vision_tokens_max=side.largest_item_tokens,
        patches_per_token=side.patches_per_token,
        # 51B parameters of which a token reads sixteen rows: vLLM, SGLang and others keep them in host memory
        table_on_host=any(tensor.name == "ngram_table" for tensor in decoder.embedding()),
        whole_items=side.whole,
        embeds=embeds,
        unread=tuple(dict.fromkeys((*text.unread(), *(whole.unread() if whole is not text else ())))),
    )
    _refuse_no_cache(text, arch)
    return _as_stored(arch, *said) if said else arch


def _embeds(whole: Config, text: Config) -> bool:
    """Whether a model reads texts and writes none: encoders, and decoders whose class has no head (MistralModel), or a
    score in its place. ChatGLM's class of that name has one."""
    if text.text("model_type") in TEXT_ENCODERS:
        return True
    names = whole.raw("architectures")
    name = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else ""
    if name == "ChatGLMModel" or not name.endswith(("Model", "ForSequenceClassification")):
        return False
    return _type_of_class(whole.data, ("model", "forsequenceclassification")) != ""


def _refuse_no_cache(text: Config, arch: Architecture) -> None:
    """A model that attends keeps keys of some layer for every token: none at all is a pattern that was misread."""
    if text.text("model_type") in TEXT_ENCODERS:
        return
    caches = [cache for layer in arch.layers for cache in layer.caches]
    recurrent = any(cache.kind == "recurrent" for cache in caches)
    key = next((name for name in _PATTERN_KEYS if text.has(name)), "")
    if recurrent and text.text("model_type") in HYBRIDS and all(cache.kind == "recurrent" for cache in caches):
        raise text.error(key or "layer_types", "has no layer that attends, and models of this type have some")
    if not arch.heads or any(cache.kind != "recurrent" and not cache.window for cache in caches):
        return
    if recurrent or text.mentions("window_size"):
        return
    if not key and text.text("model_type") in FAMILIES:
        return
    reason = "leaves no layer that keeps every token: which layers attend to all of them is not known of this model"
    raise text.error(key or "sliding_window", reason)


HYBRIDS: Final = frozenset({
    "granitemoehybrid", "nemotron_h", "jamba", "bamba", "falcon_h1", "zamba2", "qwen3_next", "qwen3_5_text", "qwen3_5_moe_text", "kimi_linear", "qwen4_exp_text", "glm5_next_text",
})  # fmt: skip
"""Types of recurrent models some of whose layers attend."""
_PATTERN_KEYS: Final = (
    "hybrid_override_pattern",
    "layers_block_type",
    "num_kv_shared_layers",
    "hybrid_layer_pattern",
    "layer_types",
    "compress_ratios",
    "sliding_window_pattern",
)


def _as_stored(arch: Architecture, said: Config, method: str) -> Architecture:
    """The architecture with each tensor stored as quantization_config says, where it says more than a format's name."""
    rules = rules_of(said, method)
    if rules is None:
        return arch
    stored, most = stored_by(rules, arch)
    if most is None:
        return replace(arch, checkpoint_format="bf16", stored=None)
    return replace(arch, checkpoint_format=format_of(most, method), stored=stored)


# Models that read text, or turn it into other text with a separate decoder: nothing here sizes those.
_ENCODERS: Final = frozenset({
    "albert", "bart", "clip", "deberta", "deberta-v2", "distilbert", "electra", "longformer", "mbart", "mt5", "pegasus",
    "siglip", "t5", "whisper",
})  # fmt: skip


def _refuse_encoders(whole: Config) -> None:
    kind = whole.text("model_type")
    if kind in _ENCODERS:
        raise whole.error("model_type", f"{kind!r} generates no text token by token; nothing here sizes it")
    if whole.flag("is_encoder_decoder"):
        raise whole.error("is_encoder_decoder", "is true; only decoders can be sized")


def _flattened(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """One flat object: MPT and DBRX keep attention and feed-forward keys in objects of their own, and a pattern
    that lists every layer may stand in for their number."""
    raised: dict[str, Any] = {}
    for section in ("attn_config", "ffn_config"):
        part = config.get(section)
        if isinstance(part, Mapping):
            known = ("kv_n_heads", "ffn_hidden_size", "moe_num_experts", "moe_top_k")
            raised |= {key: part[key] for key in known if part.get(key) is not None}
    pattern = config.get("hybrid_override_pattern") or config.get("layers_block_type")
    if isinstance(pattern, str | list):
        raised["num_hidden_layers"] = len(pattern)
    return {**raised, **config} if raised else config


_ENDINGS: Final = ("forcausallm", "forconditionalgeneration", "model", "lmheadmodel")


def _type_of_class(config: Mapping[str, Any], endings: tuple[str, ...] = _ENDINGS) -> str:
    """The known `model_type` that the class of a config belongs to, such as deepseek_v4 of DeepseekV4ForCausalLM; empty of none."""
    classes = config.get("architectures")
    if not isinstance(classes, list | tuple) or not classes or not isinstance(classes[0], str):
        return ""
    name = classes[0].casefold()
    for ending in endings:
        name = name.removesuffix(ending)
    return next((known for known in FAMILIES if known.replace("_", "").replace("-", "") == name), "")


def _typed(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The config with a `model_type` that is known, where its own is not and its class or the object around it says one."""
    made = dict(config)
    own = made.get("model_type")
    if isinstance(own, str | None) and own not in FAMILIES:
        found = _type_of_class(config)
        if found:
            made["model_type"] = found
    for key in TEXT_SECTIONS:
        section = made.get(key)
        if isinstance(section, Mapping) and section.get("model_type") is None:
            outer = made.get("model_type")
            named = [f"{outer}_text", outer, _type_of_class(section), _type_of_class(config)]
            found = next((name for name in named if isinstance(name, str) and name in FAMILIES), "")
            if found:
                made[key] = {**section, "model_type": found}
    return made


def _text_config(whole: Config) -> tuple[Config, Family]:
    """The part that describes the text model, with the class defaults of its family."""
    for key in TEXT_SECTIONS:
        if isinstance(whole.raw(key), Mapping):
            section = whole.section(key)
            family = _family_of(section)
            return section.with_defaults({**family.sizes, **family.defaults}), family
    family = _family_of(whole)
    return whole.with_defaults(family.defaults), family


def _family_of(text: Config) -> Family:
    """The class defaults of a text config; of a type that is not known, by the keys that only latent attention has."""
    known = FAMILIES.get(text.text("model_type"))
    if known is None and {"kv_lora_rank", "qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim"} <= text.data.keys():
        return LATENT
    return known or GENERIC


# A model without attention has no positions to run out of; publishers test to about this length (Codestral Mamba's card).
_UNBOUNDED_CONTEXT: Final = 262144
# Whose positions begin after the padding's (modeling_roberta.py).
_NUMBERED_FROM_TWO: Final = frozenset({"camembert", "mpnet", "roberta", "xlm-roberta"})
# transformers' usual default for a model with attention whose config names no length.
_UNSTATED_CONTEXT: Final = 2048


def _longest_context(text: Config, has_attention: bool) -> int:
    """Tokens of the longest sequence, as vLLM derives them: `model_max_length` where it is longer (Command R), and
    YaRN's factor on the original length (Peng et al. 2023, arXiv 2309.00071)."""
    unstated = _UNSTATED_CONTEXT if has_attention else _UNBOUNDED_CONTEXT
    longest = max(text.integer("max_position_embeddings", unstated), 1)
    if text.text("model_type") in _NUMBERED_FROM_TWO:
        longest = max(longest - 2, 1)
    if "model_max_length" in text.data:
        longest = max(longest, text.integer("model_max_length", 0))
    for key in ("rope_scaling", "rope_parameters"):
        if not isinstance(text.raw(key), Mapping):
            continue
        rope = text.section(key)
        if "yarn" in (rope.raw("rope_type"), rope.raw("type")) and rope.has("original_max_position_embeddings"):
            original = rope.positive("original_max_position_embeddings")
            longest = max(longest, int(original * rope.number("factor", 1.0)))
    return longest


def _tied(whole: Config, text: Config, family: Family) -> bool:
    """Whether the output matrix is the token table: as the file says, else as the class does."""
    if whole.has("tie_word_embeddings"):
        return whole.flag("tie_word_embeddings")
    return text.flag("tie_word_embeddings", family.tied)
