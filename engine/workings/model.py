"""Workings of the counted facts: parameters, weights, cache and state of the whole model."""

from __future__ import annotations

from engine.model.architecture import Cache
from engine.model.formats import kv_format, model_weight_bytes, weight_format
from engine.model.kv_cache import BF16_BYTES, FP32_BYTES, cache_profile
from engine.model.parameters import count_parameters
from engine.workings.case import Case
from engine.workings.record import Sheet, Working
from engine.workings.tensors import (
    PART_WORDS,
    bytes_expression,
    counted,
    elements_expression,
    model_pieces,
    parts_of,
)

PARAMETERS = "engine.model.parameters: every tensor of the architecture, counted"


def _parts(case: Case) -> dict[str, int]:
    elements: dict[str, int] = {}
    for piece in model_pieces(case.arch, "bf16"):
        elements[piece.part] = elements.get(piece.part, 0) + piece.copies * piece.rows * piece.cols
    return elements


def _params_total(case: Case) -> Working:
    sheet = Sheet()
    names = [
        sheet.see(part, value, "parameters", f"model.parameters.{part}", "counted")
        for part, value in _parts(case).items()
    ]
    return sheet.working(
        "model.params_total",
        "Parameters",
        count_parameters(case.arch).total,
        "parameters",
        "all tensors of the model, tied embeddings once",
        " + ".join(names),
        "counted",
        PARAMETERS,
    )


def _part_parameters(case: Case, part: str) -> Working:
    parts = _parts(case)
    if part not in parts:
        raise KeyError(f"model.parameters.{part}")
    sheet = Sheet()
    found = counted(model_pieces(case.arch, "bf16"), part)
    expression = elements_expression(sheet, found, case.config)
    return sheet.working(
        f"model.parameters.{part}",
        f"Parameters: {_words(part)}",
        parts[part],
        "parameters",
        "tensors x rows x columns, summed over all layers",
        expression,
        "counted",
        PARAMETERS,
    )


def _params_active(case: Case) -> Working:
    arch, parts = case.arch, _parts(case)
    counts = count_parameters(arch)
    sheet = Sheet()
    expression = sheet.see("parameters", counts.total, "parameters", "model.params_total", "counted")
    if counts.vision_audio:
        expression += f" - {sheet.put('towers', counts.vision_audio, 'parameters', case.config)}"
    routed = parts.get("routed_expert", 0)
    if routed:
        of = sheet.see("routed_experts", routed, "parameters", "model.parameters.routed_expert", "counted")
        each = sheet.put("experts", arch.experts, "per layer", case.config)
        used = sheet.put("experts_per_token", arch.experts_per_token, "per layer", case.config)
        expression += f" - {of} * ({each} - {used}) // {each}"
    return sheet.working(
        "model.params_active",
        "Parameters that one token meets",
        counts.active,
        "parameters",
        "all parameters, less towers and the experts that a token does not visit",
        expression,
        "counted",
        PARAMETERS,
    )


def _weight_bytes(case: Case) -> Working:
    model = case.scenario.model
    sheet = Sheet()
    names = [
        sheet.see(part, value, "bytes", f"model.weights.{part}", "counted")
        for part, value in parts_of(model_pieces(case.arch, model.weights)).items()
    ]
    return sheet.working(
        "model.weight_bytes",
        f"Weights in {model.weights}",
        model_weight_bytes(case.arch, model.weights),
        "bytes",
        "one copy of the model in the chosen format, scales included",
        " + ".join(names),
        "counted",
        f"engine.model.formats: {weight_format(model.weights).source}",
    )


def _part_weights(case: Case, part: str) -> Working:
    weights = case.scenario.model.weights
    sums = {str(name): size for name, size in parts_of(model_pieces(case.arch, weights)).items()}
    if part not in sums:
        raise KeyError(f"model.weights.{part}")
    sheet = Sheet()
    form = weight_format(weights)
    expression = bytes_expression(
        sheet, counted(model_pieces(case.arch, weights), part), case.config, f"{form.label}: {form.source}"
    )
    return sheet.working(
        f"model.weights.{part}",
        f"Weights: {_words(part)}",
        sums[part],
        "bytes",
        "matrices x (rows x columns x bits / 8 + scales)",
        expression,
        "counted",
        f"engine.model.formats: {form.source}",
    )


def _kv_bytes_per_token(case: Case) -> Working:
    store = kv_format(case.scenario.model.kv_cache)
    profile = cache_profile(case.arch)
    layers: dict[Cache, int] = {}
    for layer, count in case.arch.layer_runs():
        for cache in layer.caches:
            if cache.kind != "recurrent" and not cache.window:
                layers[cache] = layers.get(cache, 0) + count
    sheet = Sheet()
    ratios: dict[int, list[str]] = {}
    for cache, count in layers.items():
        held = sheet.put("layers", count, "", case.config)
        if cache.kind == "latent":
            term = f"{held} * {sheet.put('latent_width', cache.latent_width, 'elements', case.config)}"
        else:
            heads = sheet.put("kv_heads", cache.kv_heads, "", case.config)
            key = sheet.put("key_width", cache.k_width, "elements", case.config)
            value = sheet.put("value_width", cache.v_width, "elements", case.config)
            term = f"{held} * {heads} * ({key} + {value})"
        ratios.setdefault(cache.compression, []).append(term)
    terms = []
    for ratio, parts in ratios.items():
        total = " + ".join(parts)
        if ratio > 1:
            each = sheet.put("tokens_per_entry", ratio, "tokens", case.config)
            total = f"2 * ({total}) // {each} / 2"
        terms.append(total)
    expression = "0"
    if terms:
        size = sheet.put(
            "bytes_each", store.bytes_each, "bytes", f"KV cache in {store.label}, scales included", "entered"
        )
        expression = f"round(({' + '.join(terms)}) * {size})"
    note = "" if terms else "No layer keeps every token."
    if profile.sliding_bytes_per_token_bf16:
        note = (note + " Layers with a window stop growing and are counted with a user's memory.").strip()
    return sheet.working(
        "model.kv_bytes_per_token",
        "KV cache of one token",
        round(profile.kv_bytes_per_token_bf16 * store.bytes_each / 2),
        "bytes",
        "layers x KV heads x (key + value width) x bytes, one copy; latent layers keep one shared vector",
        expression,
        "counted",
        "engine.model.kv_cache: from the config, before tensor parallelism",
        note=note,
    )


def _state_bytes_per_sequence(case: Case) -> Working:
    caches: dict[Cache, int] = {}
    for layer, count in case.arch.layer_runs():
        for cache in layer.caches:
            if cache.kind == "recurrent":
                caches[cache] = caches.get(cache, 0) + count
    sheet = Sheet()
    terms = []
    for cache, count in caches.items():
        layers = sheet.put("recurrent_layers", count, "", case.config)
        conv = sheet.put("convolution_elements", cache.conv_elements, "elements", case.config)
        state = sheet.put("state_elements", cache.recurrent_elements, "elements", case.config)
        short = sheet.put("bytes_16_bit", BF16_BYTES, "bytes", "convolutions are kept in 16 bits")
        wide = sheet.put("bytes_fp32", FP32_BYTES, "bytes", "states are kept in fp32")
        terms.append(f"{layers} * ({conv} * {short} + {state} * {wide})")
    return sheet.working(
        "model.state_bytes_per_sequence",
        "Recurrent state of one sequence",
        cache_profile(case.arch).state_bytes_per_seq,
        "bytes",
        "recurrent layers x (convolution window + state)",
        " + ".join(terms) or "0",
        "counted",
        "engine.model.kv_cache: from the config",
    )


def _words(part: str) -> str:
    return next((words for name, words in PART_WORDS.items() if name == part), part)


def found(case: Case, name: str) -> Working:
    """The working of `model.NAME`. Raises KeyError."""
    kind, _, part = name.partition(".")
    if kind == "parameters" and part:
        return _part_parameters(case, part)
    if kind == "weights" and part:
        return _part_weights(case, part)
    return FIGURES[name](case)


FIGURES = {
    "params_total": _params_total,
    "params_active": _params_active,
    "weight_bytes": _weight_bytes,
    "kv_bytes_per_token": _kv_bytes_per_token,
    "state_bytes_per_sequence": _state_bytes_per_sequence,
}
"""By the name of the field of `ModelFacts`."""
