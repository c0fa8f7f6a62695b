"""What lives beside weights and cache: activations, buffers of the runtime, captured graphs."""

from __future__ import annotations

import math
from collections.abc import Callable

from engine.calibration import serving_memory as fitted
from engine.figures.units import GB, GIB
from engine.layout.sharding import expert_group, expert_split, split
from engine.serving.memory import (
    HOST_STAGED_SHARE,
    PATCHES_PER_TOKEN,
    activation_bytes,
    buffer_terms,
    captured_sizes,
    graph_bytes,
    sampler_bytes,
    visible_bytes,
)
from engine.workings.case import Case
from engine.workings.groups import group_bytes, memory_id, where
from engine.workings.record import Sheet, Working
from engine.workings.serving_memory.shared import (
    CALIBRATION,
    error_of,
    has_nvlink,
    is_rocm,
    kind_of_setting,
    non_torch_value,
)


def _budget(case: Case) -> tuple[int, int, int]:
    """(static budget, runtime before loading, spare) of SGLang, bytes."""
    start = non_torch_value(case)
    visible = visible_bytes(case.card)
    budget = int((visible - start) * case.settings.utilization)
    return budget, start, visible - start - budget


def _activation(case: Case, index: int) -> Working:
    group, sheet, settings, arch = case.group(index), Sheet(), case.settings, case.arch
    last = case.stage(index) + 1 == case.layout.pp or (case.layout.pp > 1 and _is_last(case, index))
    batched = sheet.put(
        "batched_tokens",
        settings.max_num_batched_tokens,
        "tokens",
        case.setting("max_num_batched_tokens"),
        kind_of_setting(case, "max_num_batched_tokens"),
    )
    width = sheet.put("hidden_size", arch.hidden_size, "elements", case.config)
    widest, workspace = buffer_terms(arch, case.layout)
    each = sheet.see("layer_buffers", widest, "bytes a token", "memory.layer_buffers", "counted")
    copies = sheet.put("layer_copies", fitted.LAYER_COPIES, "hidden states", error_of("LAYER_COPIES"), "fitted")
    body = f"{batched} * {each} + {copies} * 2 * {batched} * {width}"
    if workspace:
        what = "up-projected keys and values of a 64k context chunk (vLLM mla/common.py)"
        body += f" + {sheet.put('latent_workspace', workspace, 'bytes', what)}"
    parts = [body]
    if last:
        seqs = sheet.put(
            "sequences",
            settings.max_num_seqs,
            "sequences",
            case.setting("max_num_seqs"),
            kind_of_setting(case, "max_num_seqs"),
        )
        vocabulary = sheet.put("vocabulary", arch.vocab_size, "tokens", case.config)
        which = "SAMPLER_SORTED_BYTES" if settings.engine == "vllm-earlier" else "SAMPLER_BYTES"
        sampler = sheet.put("sampler_bytes", sampler_bytes(settings.engine), "bytes", error_of(which), "fitted")
        alive = sheet.put("hidden_copies", fitted.HIDDEN_COPIES, "hidden states", error_of("HIDDEN_COPIES"), "fitted")
        parts.append(f"{sampler} * min({seqs}, {batched}) * {vocabulary} + {alive} * 2 * {batched} * {width}")
    ending = ""
    if arch.vision_tokens_max:
        item = sheet.put("largest_item", arch.vision_tokens_max, "tokens", case.config)
        tower = activation_tower(case)
        if tower:
            patch = sheet.put("tower_bytes", tower, "bytes a patch", f"widest block of the vision tower, {case.config}")
            per = sheet.put(
                "patches_per_token", PATCHES_PER_TOKEN, "patches", "most towers merge 2 x 2", "rule of thumb"
            )
            parts.append(f"{per} * max({batched}, {item}) * {patch}")
        ending = f" + 2 * max({batched}, {item}) * {width}"
    largest = f"max({', '.join(parts)})" if len(parts) > 1 else parts[0]
    expression = f"floor({largest}{ending})"
    if settings.engine == "sglang":
        spare = sheet.put("spare", _budget(case)[2], "bytes", "what the static fraction leaves of the card")
        graphs = sheet.see("graphs", graph_bytes(group.layers, settings), "bytes", memory_id(index, "graph_bytes"))
        expression = f"min({expression}, max(0, {spare} - {graphs}))"
    return group_bytes(
        case,
        index,
        sheet,
        "activation_bytes",
        "Activations, peak of the profile run",
        "the larger of a layer's buffers and the sampler's, which never coincide; a vision encoder's output stays",
        expression,
        "fitted",
        CALIBRATION,
    )


def _is_last(case: Case, index: int) -> bool:
    """Whether the group is the last stage; a group of several equal stages never is unless it is all of them."""
    settings, group = case.settings, case.group(index)
    stage_first = case.stage(index)
    if stage_first + 1 == case.layout.pp:
        return True
    return (
        activation_bytes(case.arch, case.layout, settings, True)
        == group.activation_bytes
        != activation_bytes(case.arch, case.layout, settings, False)
    )


def activation_tower(case: Case) -> int:
    """Bytes a patch in the widest block of the vision tower, as `engine.serving.memory` counts them."""
    hidden = inner = 0
    for tensor in case.arch.towers:
        if tensor.part == "vision" and tensor.copies > 1 and tensor.is_matrix:
            if tensor.name.endswith("q_proj"):
                hidden = max(hidden, tensor.cols)
            elif tensor.name.endswith(("gate_proj", "up_proj")):
                inner += tensor.rows
    return 2 * (4 * hidden + inner + inner // 2) if hidden else 0


def _layer_buffers(case: Case) -> Working:
    arch, layout, sheet = case.arch, case.layout, Sheet()
    value = buffer_terms(arch, layout)[0]
    inner = expert_split(layout)[1]
    terms = ["0"]
    kinds = {layer.ffn for layer in arch.layers}
    if "moe" in kinds and arch.experts:
        width = split(arch.expert_intermediate_size, inner)
        own = sheet.put("expert_width", width, "elements", f"{case.config}, over {inner} ranks")
        used = sheet.put("experts_per_token", arch.experts_per_token, "", case.config)
        hidden = sheet.put("hidden_size", arch.hidden_size, "elements", case.config)
        terms.append(f"2 * {used} * (max(2 * {own}, {hidden}) + {own})")
    if "dense" in kinds:
        width = split(arch.intermediate_size, layout.tp)
        own = sheet.put("dense_width", width, "elements", f"{case.config}, over {layout.tp} ranks")
        outputs = sheet.put(
            "buffers", 3 if arch.gated_mlp else 2, "", "gate, up and product" if arch.gated_mlp else "in, out"
        )
        terms.append(f"2 * {own} * {outputs}")
    return sheet.working(
        "memory.layer_buffers",
        "Widest feed-forward buffers of a layer",
        value,
        "bytes a token",
        "16-bit inner products of the feed-forward, for each token of the batch",
        f"max({', '.join(terms)})" if len(terms) > 1 else "0",
        "counted",
        "engine.serving.memory.buffer_terms",
    )


def _non_torch(case: Case) -> Working:
    card, layout, sheet = case.card, case.layout, Sheet()
    together = expert_group(layout) * layout.pp
    gib = sheet.put("bytes_per_gib", GIB, "bytes", "by definition")
    if case.settings.engine == "sglang":
        start = sheet.put("start_gib", fitted.SGLANG_START_GIB, "GiB", error_of("SGLANG_START_GIB"), "fitted")
        if together > 1 and has_nvlink(case):
            start += f" + {sheet.put('nvlink_gib', fitted.SGLANG_NVLINK_GIB, 'GiB', error_of('SGLANG_NVLINK_GIB'), 'fitted')}"
        expression = f"floor(({start}) * {gib})"
    else:
        if is_rocm(case):
            alone = sheet.put("alone_gib", fitted.NON_TORCH_ROCM_GIB, "GiB", error_of("NON_TORCH_ROCM_GIB"), "fitted")
        else:
            base = sheet.put("alone_gib", fitted.NON_TORCH_ONE_GIB, "GiB", error_of("NON_TORCH_ONE_GIB"), "fitted")
            size = sheet.see("card", card.memory_bytes, "bytes", "memory.total_bytes", "data sheet")
            alone = f"{base} * min(1, {size} / {sheet.put('of_80_gb', 80 * GB, 'bytes', 'the cards it was fitted on')})"
        if case.settings.engine == "vllm-earlier":
            what, value = "NON_TORCH_TOGETHER_EARLIER_GIB", fitted.NON_TORCH_TOGETHER_EARLIER_GIB
        else:
            what, value = "NON_TORCH_TOGETHER_GIB", fitted.NON_TORCH_TOGETHER_GIB
        buffers = sheet.put("doubling_gib", value, "GiB", error_of(what), "fitted")
        doublings = sheet.put(
            "doublings", math.log2(together), "", f"log2 of {together} GPUs that work together; three at most"
        )
        term = f"{buffers} * min({doublings}, 3)"
        if not card.peer_access:
            rule = "communication buffers without peer access: engine.serving.memory.HOST_STAGED_SHARE"
            term += f" * {sheet.put('without_peer_access', HOST_STAGED_SHARE, '', rule, 'rule of thumb')}"
        expression = f"floor(({alone} + {term}) * {gib})"
    return sheet.working(
        "memory.non_torch_bytes",
        "Context, libraries and communication buffers",
        non_torch_value(case),
        "bytes",
        "what one GPU takes alone, and buffers for each doubling of the GPUs that work together",
        expression,
        "fitted",
        CALIBRATION,
    )


def _graphs(case: Case, index: int) -> Working:
    settings, sheet, layers = case.settings, Sheet(), case.group(index).layers
    value = graph_bytes(layers, settings)
    expression = "0"
    if settings.cuda_graphs:
        each = sheet.put("bytes_each", fitted.GRAPH_BYTES, "bytes", error_of("GRAPH_BYTES"), "fitted")
        held = sheet.put("layers", layers, "", "layers on this GPU")
        sizes = sheet.put("captured_sizes", captured_sizes(settings), "", "batch sizes the engine captures")
        pool = sheet.put("pool_gib", fitted.GRAPH_POOL_GIB, "GiB", error_of("GRAPH_POOL_GIB"), "fitted")
        gib = sheet.put("bytes_per_gib", GIB, "bytes", "by definition")
        expression = f"floor({pool} * {gib} + {each} * {held} * {sizes})"
    return sheet.working(
        memory_id(index, "graph_bytes"),
        "CUDA graphs" + where(case, index),
        value,
        "bytes",
        "a pool, and bytes for each layer and captured batch size",
        expression,
        "fitted",
        CALIBRATION,
    )


def _runtime(case: Case, index: int) -> Working:
    group, sheet = case.group(index), Sheet()
    start = sheet.see("non_torch", non_torch_value(case), "bytes", "memory.non_torch_bytes")
    graphs = sheet.see("graphs", graph_bytes(group.layers, case.settings), "bytes", memory_id(index, "graph_bytes"))
    return group_bytes(
        case,
        index,
        sheet,
        "runtime_bytes",
        "Runtime",
        "context, libraries and communication buffers + recorded CUDA graphs",
        f"{start} + {graphs}",
        "fitted",
        CALIBRATION,
    )


GROUP: dict[str, Callable[[Case, int], Working]] = {
    "activation_bytes": _activation,
    "runtime_bytes": _runtime,
    "graph_bytes": _graphs,
}
WHOLE: dict[str, Callable[[Case], Working]] = {
    "layer_buffers": _layer_buffers,
    "non_torch_bytes": _non_torch,
}
