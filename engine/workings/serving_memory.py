"""Workings of serving memory: what one GPU holds, what is left for the KV cache, and how many users that is."""

from __future__ import annotations

import math
from collections.abc import Callable

from engine.calibration import serving_memory as fitted
from engine.formats import kv_format, weight_format
from engine.kv_pool import Group, KvPool, cache_specs, kv_pool
from engine.serving_memory import (
    HOST_STAGED_SHARE,
    PATCHES_PER_TOKEN,
    PREEMPTION_LINE,
    activation_bytes,
    buffer_terms,
    captured_sizes,
    engine_extra_bytes,
    expert_tile,
    graph_bytes,
    non_torch_bytes,
    plain_latent,
    sampler_bytes,
    visible_bytes,
)
from engine.sharding import (
    attention_ranks,
    expert_group,
    expert_split,
    kv_copies,
    split,
    stage_range,
    stage_weights,
)
from engine.sizing import FigureKind
from engine.units import GB, GIB, MIB
from engine.workings.case import Case
from engine.workings.record import Sheet, Working
from engine.workings.tensors import bytes_expression, counted, parts_of, rank_pieces

CALIBRATION = "engine.calibration.serving_memory, fitted on start-up logs (scripts/calibrate_serving_memory.py)"
ACCOUNT = "engine.serving_memory: the engine's own accounting at start-up"


def _error(name: str) -> str:
    """Where a fitted constant comes from, and its error."""
    return f"{CALIBRATION}: {fitted.ERRORS[name]}"


def _rocm(case: Case) -> bool:
    return case.card.vendor.upper() == "AMD"


def _engine(case: Case) -> str:
    return case.settings.engine


def pool_of(case: Case, index: int) -> KvPool:
    """The KV pool of one GPU of a memory group."""
    model, settings = case.scenario.model, case.settings
    ranks = attention_ranks(case.layout)
    return kv_pool(
        case.arch,
        model.kv_cache,
        ranks,
        case.layout.pp,
        case.stage(index),
        settings.engine,
        settings.block_size,
        plain_latent(case.card, settings.engine),
    )


def per_copy(case: Case) -> int:
    """Users that one KV cache of the layout carries."""
    return -(-case.scenario.workload.concurrency // kv_copies(case.layout))


def _id(index: int, name: str) -> str:
    return f"memory.{index}.{name}" if index else f"memory.{name}"


def _where(case: Case, index: int) -> str:
    groups = case.plan.memory.per_gpu
    return f", {groups[index].rank_group}" if len(groups) > 1 else ""


# --- the card ---------------------------------------------------------------------------------


def _total(case: Case, index: int) -> Working:
    card, sheet = case.card, Sheet()
    if card.memory_mib_reported is not None:
        mib = sheet.put("reported_mib", card.memory_mib_reported, "MiB", case.sheet, "data sheet")
        expression = f"{mib} * {sheet.put('bytes_per_mib', MIB, 'bytes', 'by definition')}"
        formula = "what the driver reports"
    else:
        gb = sheet.put("marketed_gb", card.memory_gb_marketed, "GB", case.sheet, "data sheet")
        expression = f"round({gb} * {sheet.put('bytes_per_gb', GB, 'bytes', 'by definition')})"
        formula = "the marketed size, since nobody published what the driver reports"
    value = case.group(index).total_bytes
    return sheet.working(
        _id(index, "total_bytes"), "Memory of one card", value, "bytes", formula, expression, "data sheet", case.sheet
    )


def _visible(case: Case) -> Working:
    card, sheet = case.card, Sheet()
    total = sheet.see("card", card.memory_bytes, "bytes", "memory.total_bytes", "data sheet")
    source = "engine.serving_memory.visible_bytes: nvidia-smi totals against torch totals on eight cards"
    if card.vendor.upper() == "APPLE":
        expression, formula = f"{total} * 3 // 4", "Metal lets a process take three quarters"
    elif visible_bytes(card) == card.memory_bytes:
        expression, formula = total, "all that the driver reports"
    else:
        fixed = sheet.put("driver_gib", 0.33, "GiB", source, "measured")
        share = sheet.put("driver_share", 0.002, "", source, "measured")
        gib = sheet.put("bytes_per_gib", GIB, "bytes", "by definition")
        expression = f"{total} - floor({fixed} * {gib} + {share} * {total})"
        formula = "what the driver reports, less what it keeps for itself"
    return sheet.working(
        "memory.visible_bytes",
        "Memory a process can take",
        visible_bytes(card),
        "bytes",
        formula,
        expression,
        "measured",
        source,
    )


def _budget(case: Case) -> tuple[int, int, int]:
    """(static budget, runtime before loading, spare) of SGLang, bytes."""
    start = _non_torch_value(case)
    visible = visible_bytes(case.card)
    budget = int((visible - start) * case.settings.utilization)
    return budget, start, visible - start - budget


def _usable(case: Case, index: int) -> Working:
    group, sheet, settings = case.group(index), Sheet(), case.settings
    visible = sheet.see("visible", visible_bytes(case.card), "bytes", "memory.visible_bytes", "measured")
    share = sheet.put(
        "utilization",
        settings.utilization,
        "",
        case.setting("memory_utilization"),
        _entered(case, "memory_utilization"),
    )
    layers = case.group(index).layers
    if settings.engine == "sglang":
        start = sheet.see("start", _non_torch_value(case), "bytes", "memory.non_torch_bytes")
        graphs = sheet.see("graphs", graph_bytes(layers, settings), "bytes", _id(index, "graph_bytes"))
        activation = sheet.see("activations", group.activation_bytes, "bytes", _id(index, "activation_bytes"))
        expression = f"floor(({visible} - {start}) * {share}) + {start} + {graphs} + {activation}"
        formula = "static fraction of what is free before loading, and what lives beside it"
    elif settings.engine == "vllm-earlier":
        graphs = sheet.see("graphs", graph_bytes(layers, settings), "bytes", _id(index, "graph_bytes"))
        expression = f"floor({visible} * {share}) + min({graphs}, {visible} - floor({visible} * {share}))"
        formula = "visible memory x utilization; graphs come out of the rest"
    else:
        expression, formula = f"floor({visible} * {share})", "visible memory x utilization"
    return sheet.working(
        _id(index, "usable_bytes"),
        "Memory the engine may use" + _where(case, index),
        group.usable_bytes,
        "bytes",
        formula,
        expression,
        "entered",
        ACCOUNT,
    )


def _entered(case: Case, name: str) -> FigureKind:
    return "entered" if getattr(case.scenario.runtime, name, None) is not None else "data sheet"


def _reserved(case: Case, index: int) -> Working:
    group, sheet = case.group(index), Sheet()
    total = sheet.see("card", group.total_bytes, "bytes", _id(index, "total_bytes"), "data sheet")
    usable = sheet.see("usable", group.usable_bytes, "bytes", _id(index, "usable_bytes"), "entered")
    return sheet.working(
        _id(index, "reserved_bytes"),
        "Kept from the engine" + _where(case, index),
        group.reserved_bytes,
        "bytes",
        "card - usable",
        f"{total} - {usable}",
        "entered",
        ACCOUNT,
    )


# --- weights -----------------------------------------------------------------------------------


def _weights(case: Case, index: int) -> Working:
    model, group, sheet, stage = case.scenario.model, case.group(index), Sheet(), case.stage(index)
    held = stage_weights(case.arch, model.weights, case.layout, stage, model.mtp)
    names = [
        sheet.see(part, size, "bytes", _id(index, f"weights.{part}"), "counted") for part, size in held.parts.items()
    ]
    extra = engine_extra_bytes(case.arch, model.weights, case.layout, held.layers, expert_tile(case.card))
    if extra:
        what = "rotary table, absorbed latent projections and padding: engine.serving_memory.engine_extra_bytes"
        names.append(sheet.put("engine_extra", extra, "bytes", what))
    expression = " + ".join(names)
    if _rocm(case) and _engine(case) != "sglang":
        rows = sheet.put("rocm_padding", fitted.ROCM_WEIGHTS, "", _error("ROCM_WEIGHTS"), "fitted")
        expression = f"floor(({expression}) * {rows})"
    if _engine(case) == "sglang":
        load = sheet.put("loading_gib", fitted.SGLANG_LOAD_GIB, "GiB", _error("SGLANG_LOAD_GIB"), "fitted")
        expression += f" + floor({load} * {sheet.put('bytes_per_gib', GIB, 'bytes', 'by definition')})"
    layout = case.layout
    return sheet.working(
        _id(index, "weights_bytes"),
        "Weights on one GPU" + _where(case, index),
        group.weights_bytes,
        "bytes",
        f"the parts that this rank holds under TP {layout.tp}, PP {layout.pp}, EP {layout.ep}, in {model.weights}",
        expression,
        "counted",
        "engine.sharding: tensors cut as vLLM cuts them; scales included",
    )


def _part(case: Case, index: int, part: str) -> Working:
    model, sheet = case.scenario.model, Sheet()
    pieces = list(rank_pieces(case.arch, model.weights, case.layout, case.stage(index), model.mtp))
    sums = {str(name): size for name, size in parts_of(pieces).items()}
    if part not in sums:
        raise KeyError(_id(index, f"weights.{part}"))
    form = weight_format(model.weights)
    source = f"{case.config}, cut by TP {case.layout.tp}, PP {case.layout.pp}, EP {case.layout.ep}"
    expression = bytes_expression(sheet, counted(pieces, part), source, f"{form.label}: {form.source}")
    return sheet.working(
        _id(index, f"weights.{part}"),
        f"Weights on one GPU: {part.replace('_', ' ')}{_where(case, index)}",
        sums[part],
        "bytes",
        "matrices on this rank x (rows x columns x bits / 8 + scales)",
        expression,
        "counted",
        "engine.sharding and engine.formats",
    )


def _weights_share(case: Case) -> Working:
    memory, sheet = case.plan.memory, Sheet()
    index = max(range(len(memory.per_gpu)), key=lambda at: memory.per_gpu[at].weights_bytes)
    group = memory.per_gpu[index]
    weights = sheet.see("weights", group.weights_bytes, "bytes", _id(index, "weights_bytes"), "counted")
    total = sheet.see("card", group.total_bytes, "bytes", _id(index, "total_bytes"), "data sheet")
    return sheet.working(
        "memory.weights_share",
        "Weights as a share of the card",
        memory.weights_share,
        "",
        "weights of the GPU that holds most / memory of the card; the planning rule wants 60-70 % at most",
        f"{weights} / {total}",
        "counted",
        "engine.serving_memory" if case.scenario.workload.is_inference else "engine.training_memory",
    )


# --- activations and runtime --------------------------------------------------------------------


def _activation(case: Case, index: int) -> Working:
    group, sheet, settings, arch = case.group(index), Sheet(), case.settings, case.arch
    last = case.stage(index) + 1 == case.layout.pp or (case.layout.pp > 1 and _is_last(case, index))
    batched = sheet.put(
        "batched_tokens",
        settings.max_num_batched_tokens,
        "tokens",
        case.setting("max_num_batched_tokens"),
        _entered(case, "max_num_batched_tokens"),
    )
    width = sheet.put("hidden_size", arch.hidden_size, "elements", case.config)
    widest, workspace = buffer_terms(arch, case.layout)
    each = sheet.see("layer_buffers", widest, "bytes a token", "memory.layer_buffers", "counted")
    copies = sheet.put("layer_copies", fitted.LAYER_COPIES, "hidden states", _error("LAYER_COPIES"), "fitted")
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
            _entered(case, "max_num_seqs"),
        )
        vocabulary = sheet.put("vocabulary", arch.vocab_size, "tokens", case.config)
        which = "SAMPLER_SORTED_BYTES" if settings.engine == "vllm-earlier" else "SAMPLER_BYTES"
        sampler = sheet.put("sampler_bytes", sampler_bytes(settings.engine), "bytes", _error(which), "fitted")
        alive = sheet.put("hidden_copies", fitted.HIDDEN_COPIES, "hidden states", _error("HIDDEN_COPIES"), "fitted")
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
        graphs = sheet.see("graphs", graph_bytes(group.layers, settings), "bytes", _id(index, "graph_bytes"))
        expression = f"min({expression}, max(0, {spare} - {graphs}))"
    return sheet.working(
        _id(index, "activation_bytes"),
        "Activations, peak of the profile run" + _where(case, index),
        group.activation_bytes,
        "bytes",
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
    """Bytes a patch in the widest block of the vision tower, as `engine.serving_memory` counts them."""
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
        "engine.serving_memory.buffer_terms",
    )


def _nvlink(case: Case) -> bool:
    return case.scenario.hardware.intra_link.family in ("nvlink", "xgmi")


def _non_torch_value(case: Case) -> int:
    return non_torch_bytes(case.card, case.layout, case.settings.engine, _nvlink(case))


def _non_torch(case: Case) -> Working:
    card, layout, sheet = case.card, case.layout, Sheet()
    together = expert_group(layout) * layout.pp
    gib = sheet.put("bytes_per_gib", GIB, "bytes", "by definition")
    if case.settings.engine == "sglang":
        start = sheet.put("start_gib", fitted.SGLANG_START_GIB, "GiB", _error("SGLANG_START_GIB"), "fitted")
        if together > 1 and _nvlink(case):
            start += (
                f" + {sheet.put('nvlink_gib', fitted.SGLANG_NVLINK_GIB, 'GiB', _error('SGLANG_NVLINK_GIB'), 'fitted')}"
            )
        expression = f"floor(({start}) * {gib})"
    else:
        if _rocm(case):
            alone = sheet.put("alone_gib", fitted.NON_TORCH_ROCM_GIB, "GiB", _error("NON_TORCH_ROCM_GIB"), "fitted")
        else:
            base = sheet.put("alone_gib", fitted.NON_TORCH_ONE_GIB, "GiB", _error("NON_TORCH_ONE_GIB"), "fitted")
            size = sheet.see("card", card.memory_bytes, "bytes", "memory.total_bytes", "data sheet")
            alone = f"{base} * min(1, {size} / {sheet.put('of_80_gb', 80 * GB, 'bytes', 'the cards it was fitted on')})"
        if case.settings.engine == "vllm-earlier":
            what, value = "NON_TORCH_TOGETHER_EARLIER_GIB", fitted.NON_TORCH_TOGETHER_EARLIER_GIB
        else:
            what, value = "NON_TORCH_TOGETHER_GIB", fitted.NON_TORCH_TOGETHER_GIB
        buffers = sheet.put("doubling_gib", value, "GiB", _error(what), "fitted")
        doublings = sheet.put(
            "doublings", math.log2(together), "", f"log2 of {together} GPUs that work together; three at most"
        )
        term = f"{buffers} * min({doublings}, 3)"
        if not card.peer_access:
            rule = "communication buffers without peer access: engine.serving_memory.HOST_STAGED_SHARE"
            term += f" * {sheet.put('without_peer_access', HOST_STAGED_SHARE, '', rule, 'rule of thumb')}"
        expression = f"floor(({alone} + {term}) * {gib})"
    return sheet.working(
        "memory.non_torch_bytes",
        "Context, libraries and communication buffers",
        _non_torch_value(case),
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
        each = sheet.put("bytes_each", fitted.GRAPH_BYTES, "bytes", _error("GRAPH_BYTES"), "fitted")
        held = sheet.put("layers", layers, "", "layers on this GPU")
        sizes = sheet.put("captured_sizes", captured_sizes(settings), "", "batch sizes the engine captures")
        pool = sheet.put("pool_gib", fitted.GRAPH_POOL_GIB, "GiB", _error("GRAPH_POOL_GIB"), "fitted")
        gib = sheet.put("bytes_per_gib", GIB, "bytes", "by definition")
        expression = f"floor({pool} * {gib} + {each} * {held} * {sizes})"
    return sheet.working(
        _id(index, "graph_bytes"),
        "CUDA graphs" + _where(case, index),
        value,
        "bytes",
        "a pool, and bytes for each layer and captured batch size",
        expression,
        "fitted",
        CALIBRATION,
    )


def _runtime(case: Case, index: int) -> Working:
    group, sheet = case.group(index), Sheet()
    start = sheet.see("non_torch", _non_torch_value(case), "bytes", "memory.non_torch_bytes")
    graphs = sheet.see("graphs", graph_bytes(group.layers, case.settings), "bytes", _id(index, "graph_bytes"))
    return sheet.working(
        _id(index, "runtime_bytes"),
        "Runtime" + _where(case, index),
        group.runtime_bytes,
        "bytes",
        "context, libraries and communication buffers + recorded CUDA graphs",
        f"{start} + {graphs}",
        "fitted",
        CALIBRATION,
    )


# --- what is left -------------------------------------------------------------------------------


def room(case: Case, index: int) -> Working:
    """`memory.kv_capacity_bytes`: what is left for the KV cache in a group."""
    group, sheet = case.group(index), Sheet()
    weights = sheet.see("weights", group.weights_bytes, "bytes", _id(index, "weights_bytes"), "counted")
    if case.settings.engine == "sglang":
        visible = sheet.see("visible", visible_bytes(case.card), "bytes", "memory.visible_bytes", "measured")
        start = sheet.see("start", _non_torch_value(case), "bytes", "memory.non_torch_bytes")
        share = sheet.put(
            "static_fraction",
            case.settings.utilization,
            "",
            case.setting("memory_utilization"),
            _entered(case, "memory_utilization"),
        )
        expression = f"max(0, floor(({visible} - {start}) * {share}) - {weights})"
        formula = "free memory before loading x static fraction - weights"
    else:
        activation = sheet.see("activations", group.activation_bytes, "bytes", _id(index, "activation_bytes"))
        if case.settings.engine == "vllm-earlier":
            visible = sheet.see("visible", visible_bytes(case.card), "bytes", "memory.visible_bytes", "measured")
            share = sheet.put(
                "utilization",
                case.settings.utilization,
                "",
                case.setting("memory_utilization"),
                _entered(case, "memory_utilization"),
            )
            start = sheet.see("non_torch", _non_torch_value(case), "bytes", "memory.non_torch_bytes")
            expression = f"max(0, floor({visible} * {share}) - {weights} - {activation} - {start})"
        else:
            usable = sheet.see("usable", group.usable_bytes, "bytes", _id(index, "usable_bytes"), "entered")
            runtime = sheet.see("runtime", group.runtime_bytes, "bytes", _id(index, "runtime_bytes"))
            expression = f"max(0, {usable} - {weights} - {activation} - {runtime})"
        formula = "usable - weights - activations - runtime"
    return sheet.working(
        _id(index, "kv_capacity_bytes"),
        "Room for KV cache on one GPU" + _where(case, index),
        group.kv_capacity_bytes,
        "bytes",
        formula,
        expression,
        "fitted",
        ACCOUNT,
    )


# --- the KV cache -------------------------------------------------------------------------------


def _blocks_term(sheet: Sheet, group: Group, tokens: str, batched: str, source: str) -> str:
    """Blocks that one sequence of `tokens` takes in a group of layers, as arithmetic."""
    count = (
        sheet.put("tables", group.count, "", "block tables of equal layers: engine.kv_pool") if group.count > 1 else ""
    )
    times = f"{count} * " if count else ""
    spec = group.spec
    if spec.kind == "state":
        return count or "1"
    seen = tokens
    if spec.kind in ("sliding", "chunked"):
        window = sheet.put("window", spec.window, "tokens", source)
        less = f"{window} - 1" if spec.kind == "sliding" else window
        seen = f"min({less} + {batched}, {tokens})" if batched != "0" else f"min({less}, {tokens})"
    entries = seen
    if spec.compression > 1:
        entries = f"ceil({seen} / {sheet.put('tokens_per_entry', spec.compression, 'tokens', source)})"
    block = sheet.put("block", group.block, "entries", "entries a block: the engine's, widened where kernels need it")
    held = f"ceil({entries} / {block})"
    return f"{times}({held} + 1)" if spec.kind == "sliding" else f"{times}{held}"


def _blocks_sum(sheet: Sheet, pool: KvPool, tokens: str, batched: str, source: str) -> str:
    return " + ".join(_blocks_term(sheet, group, tokens, batched, source) for group in pool.groups) or "0"


def _prefill_sum(sheet: Sheet, pool: KvPool, batched: str, source: str) -> str:
    terms = []
    for group in pool.groups:
        if group.spec.kind in ("sliding", "chunked"):
            count = (
                f"{sheet.put('tables', group.count, '', 'block tables of equal layers')} * " if group.count > 1 else ""
            )
            block = sheet.put("block", group.block, "entries", "entries a block")
            each = f" * {sheet.put('tokens_per_entry', group.spec.compression, 'tokens', source)}"
            terms.append(f"{count}ceil({batched} / ({block}{each if group.spec.compression > 1 else ''}))")
    return " + ".join(terms)


def _length(case: Case, sheet: Sheet) -> str:
    work = case.scenario.workload
    prompt, answer = (
        sheet.entered("prompt", work.input_tokens, "tokens"),
        sheet.entered("answer", work.output_tokens, "tokens"),
    )
    return f"({prompt} + {answer})"


def _batched(case: Case, sheet: Sheet) -> str:
    return sheet.put(
        "batched_tokens",
        case.settings.max_num_batched_tokens,
        "tokens",
        case.setting("max_num_batched_tokens"),
        _entered(case, "max_num_batched_tokens"),
    )


def _block_bytes(case: Case, index: int) -> Working:
    """Bytes of one block on one GPU: what each layer keeps, over the layers that share the block."""
    pool, sheet, model, settings = pool_of(case, index), Sheet(), case.scenario.model, case.settings
    store = kv_format(model.kv_cache)
    ranks = attention_ranks(case.layout)
    layers: dict[tuple[object, ...], tuple[str, int, object]] = {}
    source = f"{case.config}, KV heads over {ranks} ranks, cache in {store.label}"
    plain = plain_latent(case.card, settings.engine)
    specs: dict[object, int] = {}
    for at in stage_range(len(case.arch.layers), case.layout.pp, case.stage(index)):
        for cache in case.arch.layers[at].caches:
            for spec in cache_specs(cache, model.kv_cache, ranks, settings.engine, plain):
                specs[(spec, cache)] = specs.get((spec, cache), 0) + 1
    del layers
    expression, formula = "", "layers x KV heads on this GPU x (key + value width) x bytes x tokens a block"
    terms = []
    for key, count in specs.items():
        spec, cache = key  # type: ignore[misc]  # the pair put in above
        held = sheet.put("layers", count, "", case.config)
        tokens = 1 if spec.kind == "state" else pool.groups[0].block if pool.groups else 1
        if spec.kind == "state":
            size = sheet.put("state_bytes", spec.bytes_each, "bytes", source)
            terms.append(f"{held} * {size}")
            continue
        if cache.kind == "latent" or cache.index_width:
            each = sheet.put(
                "layer_bytes", spec.bytes_each, "bytes", f"latent vector and index keys of a token, {source}"
            )
        else:
            heads = max(1, -(-cache.kv_heads // ranks))
            kv_heads = sheet.put("kv_heads", heads, "", f"of {cache.kv_heads} over {ranks} ranks, at least one")
            key_width = sheet.put("key_width", cache.k_width, "elements", case.config)
            value_width = sheet.put("value_width", cache.v_width, "elements", case.config)
            size = sheet.put("bytes_each", store.bytes_each, "bytes", f"cache in {store.label}", "entered")
            each = f"{kv_heads} * ({key_width} + {value_width}) * {size}"
        block = sheet.put("block", tokens, "tokens", "tokens a block: the engine's, widened where kernels need it")
        terms.append(f"{held} * ceil({each} * {block})")
    expression = " + ".join(terms) or "1"
    if (
        Working("", "", 0, "", "", expression, tuple(sheet.inputs.values()), "counted", "").computed()
        != pool.block_bytes
    ):
        # layers of several kinds share blocks of one size, padded to the widest
        sheet = Sheet()
        expression = sheet.put(
            "block_bytes",
            pool.block_bytes,
            "bytes",
            f"layers of several kinds share blocks of one size, {100 * pool.waste:.1f} % of it padding: engine.kv_pool",
        )
        formula = "widest page of a layer x layers of a group, padding included"
    return sheet.working(
        _id(index, "block_bytes"),
        "One block of KV cache on one GPU" + _where(case, index),
        pool.block_bytes,
        "bytes",
        formula,
        expression,
        "counted",
        "engine.kv_pool: blocks as vLLM lays them out" if settings.engine != "sglang" else "engine.kv_pool",
    )


def _blocks(case: Case, index: int, name: str) -> Working:
    """Blocks of one user: steady, or while a whole step of prompt is being read."""
    pool, sheet, work = pool_of(case, index), Sheet(), case.scenario.workload
    length = _length(case, sheet)
    prefilling = name == "blocks_prefilling"
    batched = _batched(case, sheet) if prefilling else "0"
    value = pool.blocks(work.tokens_per_request, case.settings.max_num_batched_tokens if prefilling else 0)
    return sheet.working(
        _id(index, name),
        "KV blocks of one user" + (" while a prompt is read" if prefilling else "") + _where(case, index),
        value,
        "blocks",
        "tokens kept / tokens a block, rounded up, for each group of layers",
        _blocks_sum(sheet, pool, length, batched, case.config),
        "counted",
        "engine.kv_pool",
    )


def _kv(case: Case, index: int) -> Working:
    group, pool, sheet, work = case.group(index), pool_of(case, index), Sheet(), case.scenario.workload
    users = per_copy(case)
    copies = kv_copies(case.layout)
    asked = sheet.entered("users", work.concurrency)
    if copies > 1:
        asked = f"ceil({asked} / {sheet.put('kv_copies', copies, '', 'independent KV caches of the layout')})"
    block = sheet.see("block_bytes", pool.block_bytes, "bytes", _id(index, "block_bytes"), "counted")
    steady = sheet.see(
        "blocks_a_user", pool.blocks(work.tokens_per_request, 0), "blocks", _id(index, "blocks_steady"), "counted"
    )
    batched = min(case.settings.max_num_batched_tokens, users * work.tokens_per_request)
    if any(entry.prefill_blocks(batched) for entry in pool.groups):
        own = _batched(case, sheet)
        step = f"min({own}, {asked} * {_length(case, sheet)})"
        prefill = _prefill_sum(sheet, pool, step, case.config)
        full = sheet.see(
            "blocks_while_read",
            pool.blocks(work.tokens_per_request, case.settings.max_num_batched_tokens),
            "blocks",
            _id(index, "blocks_prefilling"),
            "counted",
        )
        expression = f"min({asked} * {steady} + {prefill}, {asked} * {full}) * {block}"
        formula = "users x blocks of one, and the step of prompt being read past the windows, x bytes of a block"
    else:
        expression, formula = f"{asked} * {steady} * {block}", "users x blocks of one x bytes of a block"
    return sheet.working(
        _id(index, "kv_bytes"),
        "KV cache that the load needs on one GPU" + _where(case, index),
        group.kv_bytes,
        "bytes",
        formula,
        expression,
        "counted",
        "engine.kv_pool: blocks as the engine hands them out",
    )


def _needed(case: Case) -> Working:
    sheet, work = Sheet(), case.scenario.workload
    users = sheet.entered("users", work.concurrency)
    return sheet.working(
        "memory.kv_needed_tokens",
        "Tokens of KV cache that the load needs",
        case.plan.memory.kv_needed_tokens,
        "tokens",
        "users at once x (prompt + answer)",
        f"{users} * {_length(case, sheet)}",
        "entered",
        "every user in flight holds the prompt and the answer",
    )


def _limiting(case: Case, value: Callable[[int], float]) -> int:
    """The group with the least of something."""
    return min(range(len(case.plan.memory.per_gpu)), key=value)


def _users_of(case: Case, index: int) -> float:
    group, settings = case.group(index), case.settings
    tokens = case.scenario.workload.tokens_per_request
    return pool_of(case, index).concurrency(group.kv_capacity_bytes, tokens, settings.max_num_batched_tokens)


def _marginal_users(case: Case) -> Working:
    """From how many users on the memory is so full that engines preempt."""
    sheet, users = Sheet(), case.plan.memory.max_concurrency
    fit = sheet.see("users", users, "users", "memory.max_concurrency")
    line = sheet.put("preemption_line", PREEMPTION_LINE, "", "engines preempt above this share", "rule of thumb")
    return sheet.working(
        "memory.marginal_users",
        "Marginal from so many users on",
        max(1, int(users * PREEMPTION_LINE)),
        "users",
        "users that fit x the share above which engines preempt",
        f"max(1, floor({fit} * {line}))",
        "fitted",
        "engine.serving_memory",
    )


def _max_concurrency(case: Case) -> Working:
    memory, sheet, work = case.plan.memory, Sheet(), case.scenario.workload
    index = _limiting(case, lambda at: _users_of(case, at))
    pool = pool_of(case, index)
    if not pool.groups:
        sheet.entered("users", work.concurrency)
        return sheet.working(
            "memory.max_concurrency",
            "Users that fit",
            memory.max_concurrency,
            "users",
            "the model keeps nothing between tokens: as many as asked",
            "users",
            "counted",
            "engine.kv_pool",
        )
    space = sheet.see("room", case.group(index).kv_capacity_bytes, "bytes", _id(index, "kv_capacity_bytes"))
    block = sheet.see("block_bytes", pool.block_bytes, "bytes", _id(index, "block_bytes"), "counted")
    steady = sheet.see(
        "blocks_a_user", pool.blocks(work.tokens_per_request, 0), "blocks", _id(index, "blocks_steady"), "counted"
    )
    copies = sheet.put("kv_copies", kv_copies(case.layout), "", "independent KV caches of the layout")
    batched = case.settings.max_num_batched_tokens
    formula = "blocks that fit / blocks of one user x independent caches"
    expression = f"{space} // {block} / {steady} * {copies}"
    if any(entry.prefill_blocks(batched) for entry in pool.groups):
        prefill = _prefill_sum(sheet, pool, _batched(case, sheet), case.config)
        full = sheet.see(
            "blocks_while_read",
            pool.blocks(work.tokens_per_request, batched),
            "blocks",
            _id(index, "blocks_prefilling"),
            "counted",
        )
        expression = f"max(({space} // {block} - ({prefill})) / {steady}, {space} // {block} / {full}) * {copies}"
        formula = "blocks that fit, less one step of prompt, / blocks of one user x independent caches"
    return sheet.working(
        "memory.max_concurrency",
        "Users that fit at this length",
        memory.max_concurrency,
        "users",
        formula + _poorest(case, index),
        expression,
        "fitted",
        ACCOUNT,
    )


def _poorest(case: Case, index: int) -> str:
    groups = case.plan.memory.per_gpu
    return f"; the poorest stage decides: {groups[index].rank_group}" if len(groups) > 1 else ""


def _capacity(case: Case) -> Working:
    memory, sheet, work = case.plan.memory, Sheet(), case.scenario.workload
    groups = range(len(memory.per_gpu))
    uniform = [at for at in groups if pool_of(case, at).uniform and pool_of(case, at).groups]
    source = ACCOUNT
    if uniform:
        index = min(
            uniform,
            key=lambda at: (
                case.group(at).kv_capacity_bytes // pool_of(case, at).block_bytes * pool_of(case, at).block_tokens
            ),
        )
        pool = pool_of(case, index)
        space = sheet.see("room", case.group(index).kv_capacity_bytes, "bytes", _id(index, "kv_capacity_bytes"))
        block = sheet.see("block_bytes", pool.block_bytes, "bytes", _id(index, "block_bytes"), "counted")
        held = sheet.put("tokens_a_block", pool.block_tokens, "tokens", "engine.kv_pool")
        copies = sheet.put("kv_copies", kv_copies(case.layout), "", "independent KV caches of the layout")
        expression = f"{space} // {block} * {held} * {copies}"
        formula = "room / bytes of a block x tokens a block x independent caches" + _poorest(case, index)
    else:
        users = sheet.see("users", memory.max_concurrency, "users", "memory.max_concurrency")
        expression = f"floor({users} * {_length(case, sheet)})"
        formula = "users that fit x their tokens, since layers keep different numbers of tokens"
        del work
    return sheet.working(
        "memory.kv_capacity_tokens",
        "Tokens of KV cache that fit",
        memory.kv_capacity_tokens,
        "tokens",
        formula,
        expression,
        "fitted",
        source,
    )


def _longest(case: Case) -> Working:
    memory, settings, sheet = case.plan.memory, case.settings, Sheet()
    limit, batched = case.arch.max_position, settings.max_num_batched_tokens
    index = _limiting(case, lambda at: pool_of(case, at).longest(case.group(at).kv_capacity_bytes, limit, batched))
    pool, space = pool_of(case, index), case.group(index).kv_capacity_bytes
    most = sheet.put("model_limit", limit, "tokens", case.config)
    value = memory.longest_context_tokens
    expression, formula = most, "the model's own limit"
    if value < limit:
        held = sheet.see("room", space, "bytes", _id(index, "kv_capacity_bytes"))
        block = sheet.see("block_bytes", pool.block_bytes, "bytes", _id(index, "block_bytes"), "counted")
        if pool.uniform:
            each = sheet.put("tokens_a_block", pool.block_tokens, "tokens", "engine.kv_pool")
            expression, formula = f"min({most}, {held} // {block} * {each})", "room / bytes of a block x tokens a block"
        else:
            growing = [g for g in pool.groups if g.spec.kind == "full"]
            fixed = sum(g.blocks(value, batched) for g in pool.groups if g.spec.kind != "full")
            tokens = min((g.block * g.spec.compression for g in growing), default=1)
            tables = sheet.put("tables", sum(g.count for g in growing), "", "block tables of layers that keep all")
            kept = sheet.put("blocks_fixed", fixed, "blocks", "windows and states, which no longer grow")
            each = sheet.put("tokens_a_block", tokens, "tokens", "engine.kv_pool")
            expression = f"max(0, min({most}, ({held} // {block} - {kept}) // {tables} * {each}))" if growing else most
            formula = "(blocks that fit - those of windows and states) / growing tables x tokens a block"
    made = sheet.working(
        "memory.longest_context_tokens",
        "Longest single conversation",
        value,
        "tokens",
        formula + (_poorest(case, index) if value < limit else ""),
        expression,
        "fitted",
        ACCOUNT,
    )
    if value < limit and made.computed() != value:
        sheet = Sheet()
        blocks = pool.blocks(value, batched)
        length = sheet.put("length", value, "tokens", "found by halving: the longest whose blocks fit")
        takes = sheet.put("blocks", blocks, "blocks", "blocks of that length: engine.kv_pool")
        block = sheet.see("block_bytes", pool.block_bytes, "bytes", _id(index, "block_bytes"), "counted")
        held = sheet.see("room", space, "bytes", _id(index, "kv_capacity_bytes"))
        return sheet.working(
            "memory.longest_context_tokens",
            "Longest single conversation",
            value,
            "tokens",
            "the longest length whose blocks x bytes of a block fit the room (0 if one block does not)",
            f"{length} * min(1, {held} // max(1, {takes} * {block}))",
            "fitted",
            ACCOUNT,
        )
    return made


def _reported(case: Case) -> Working:
    memory, settings, sheet = case.plan.memory, case.settings, Sheet()
    batched = settings.max_num_batched_tokens
    index = _limiting(
        case,
        lambda at: pool_of(case, at).reported_concurrency(
            case.group(at).kv_capacity_bytes, settings.max_model_len, batched
        ),
    )
    pool = pool_of(case, index)
    blocks = pool.blocks(settings.max_model_len, batched)
    expression = "0"
    if blocks:
        space = sheet.see("room", case.group(index).kv_capacity_bytes, "bytes", _id(index, "kv_capacity_bytes"))
        block = sheet.see("block_bytes", pool.block_bytes, "bytes", _id(index, "block_bytes"), "counted")
        longest = sheet.put(
            "max_model_len",
            settings.max_model_len,
            "tokens",
            case.setting("max_model_len"),
            _entered(case, "max_model_len"),
        )
        expression = f"{space} // {block} / ({_blocks_sum(sheet, pool, longest, _batched(case, sheet), case.config)})"
    return sheet.working(
        "memory.reported_concurrency",
        "Maximum concurrency that the engine prints",
        memory.reported_concurrency,
        "users",
        "blocks that fit / blocks of one sequence of max_model_len, each charged a step of prompt",
        expression,
        "fitted",
        "engine.kv_pool: vLLM's start-up line",
    )


def found(case: Case, name: str, index: int) -> Working:
    """The working of `memory.NAME` of a serving build; index: the memory group, worst first. Raises KeyError."""
    if name.startswith("weights."):
        return _part(case, index, name.removeprefix("weights."))
    if name in ("blocks_steady", "blocks_prefilling"):
        return _blocks(case, index, name)
    if name in GROUP:
        return GROUP[name](case, index)
    return WHOLE[name](case)


GROUP: dict[str, Callable[[Case, int], Working]] = {
    "total_bytes": _total,
    "usable_bytes": _usable,
    "reserved_bytes": _reserved,
    "weights_bytes": _weights,
    "activation_bytes": _activation,
    "runtime_bytes": _runtime,
    "graph_bytes": _graphs,
    "kv_capacity_bytes": room,
    "kv_bytes": _kv,
    "block_bytes": _block_bytes,
}
WHOLE: dict[str, Callable[[Case], Working]] = {
    "visible_bytes": _visible,
    "weights_share": _weights_share,
    "layer_buffers": _layer_buffers,
    "non_torch_bytes": _non_torch,
    "kv_needed_tokens": _needed,
    "kv_capacity_tokens": _capacity,
    "max_concurrency": _max_concurrency,
    "marginal_users": _marginal_users,
    "longest_context_tokens": _longest,
    "reported_concurrency": _reported,
}
