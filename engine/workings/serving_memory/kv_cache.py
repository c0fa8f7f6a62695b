"""The KV cache: the room that is left for it, its blocks, and what the asked load needs."""

from __future__ import annotations

from collections.abc import Callable

from engine.layout.sharding import attention_ranks, kv_copies, stage_range
from engine.model.formats import kv_format
from engine.serving.kv_pool import Group, KvPool, cache_specs
from engine.serving.memory import plain_latent, visible_bytes
from engine.workings.case import Case
from engine.workings.groups import group_bytes, memory_id, where
from engine.workings.record import Sheet, Working
from engine.workings.serving_memory.shared import ACCOUNT, kind_of_setting, non_torch_value, pool_of


def per_copy(case: Case) -> int:
    """Users that one KV cache of the layout carries."""
    return -(-case.scenario.workload.concurrency // kv_copies(case.layout))


def room(case: Case, index: int) -> Working:
    """`memory.kv_capacity_bytes`: what is left for the KV cache in a group."""
    group, sheet = case.group(index), Sheet()
    weights = sheet.see("weights", group.weights_bytes, "bytes", memory_id(index, "weights_bytes"), "counted")
    if case.settings.engine == "sglang":
        visible = sheet.see("visible", visible_bytes(case.card), "bytes", "memory.visible_bytes", "measured")
        start = sheet.see("start", non_torch_value(case), "bytes", "memory.non_torch_bytes")
        share = sheet.put(
            "static_fraction",
            case.settings.utilization,
            "",
            case.setting("memory_utilization"),
            kind_of_setting(case, "memory_utilization"),
        )
        expression = f"max(0, floor(({visible} - {start}) * {share}) - {weights})"
        formula = "free memory before loading x static fraction - weights"
    else:
        activation = sheet.see("activations", group.activation_bytes, "bytes", memory_id(index, "activation_bytes"))
        if case.settings.engine == "vllm-earlier":
            visible = sheet.see("visible", visible_bytes(case.card), "bytes", "memory.visible_bytes", "measured")
            share = sheet.put(
                "utilization",
                case.settings.utilization,
                "",
                case.setting("memory_utilization"),
                kind_of_setting(case, "memory_utilization"),
            )
            start = sheet.see("non_torch", non_torch_value(case), "bytes", "memory.non_torch_bytes")
            expression = f"max(0, floor({visible} * {share}) - {weights} - {activation} - {start})"
        else:
            usable = sheet.see("usable", group.usable_bytes, "bytes", memory_id(index, "usable_bytes"), "entered")
            runtime = sheet.see("runtime", group.runtime_bytes, "bytes", memory_id(index, "runtime_bytes"))
            expression = f"max(0, {usable} - {weights} - {activation} - {runtime})"
        formula = "usable - weights - activations - runtime"
    return group_bytes(
        case, index, sheet, "kv_capacity_bytes", "Room for KV cache on one GPU", formula, expression, "fitted", ACCOUNT
    )


def _blocks_term(sheet: Sheet, group: Group, tokens: str, batched: str, source: str) -> str:
    """Blocks that one sequence of `tokens` takes in a group of layers, as arithmetic."""
    count = (
        sheet.put("tables", group.count, "", "block tables of equal layers: engine.serving.kv_pool")
        if group.count > 1
        else ""
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


def blocks_sum(sheet: Sheet, pool: KvPool, tokens: str, batched: str, source: str) -> str:
    """The blocks of one sequence in all groups of a pool, as a sum."""
    return " + ".join(_blocks_term(sheet, group, tokens, batched, source) for group in pool.groups) or "0"


def prefill_sum(sheet: Sheet, pool: KvPool, batched: str, source: str) -> str:
    """The blocks that one step of prefill adds in all groups of a pool, as a sum."""
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


def put_length(case: Case, sheet: Sheet) -> str:
    """Tokens of one request, as arithmetic over its prompt and answer."""
    work = case.scenario.workload
    prompt, answer = (
        sheet.entered("prompt", work.input_tokens, "tokens"),
        sheet.entered("answer", work.output_tokens, "tokens"),
    )
    return f"({prompt} + {answer})"


def put_batched(case: Case, sheet: Sheet) -> str:
    """Tokens that one step reads of prompts, by their name on the sheet."""
    return sheet.put(
        "batched_tokens",
        case.settings.max_num_batched_tokens,
        "tokens",
        case.setting("max_num_batched_tokens"),
        kind_of_setting(case, "max_num_batched_tokens"),
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
            f"layers of several kinds share blocks of one size, {100 * pool.waste:.1f} % of it padding: engine.serving.kv_pool",
        )
        formula = "widest page of a layer x layers of a group, padding included"
    return sheet.working(
        memory_id(index, "block_bytes"),
        "One block of KV cache on one GPU" + where(case, index),
        pool.block_bytes,
        "bytes",
        formula,
        expression,
        "counted",
        "engine.serving.kv_pool: blocks as vLLM lays them out"
        if settings.engine != "sglang"
        else "engine.serving.kv_pool",
    )


def blocks_of_sequence(case: Case, index: int, name: str) -> Working:
    """Blocks of one user: steady, or while a whole step of prompt is being read."""
    pool, sheet, work = pool_of(case, index), Sheet(), case.scenario.workload
    length = put_length(case, sheet)
    prefilling = name == "blocks_prefilling"
    batched = put_batched(case, sheet) if prefilling else "0"
    value = pool.blocks(work.tokens_per_request, case.settings.max_num_batched_tokens if prefilling else 0)
    return sheet.working(
        memory_id(index, name),
        "KV blocks of one user" + (" while a prompt is read" if prefilling else "") + where(case, index),
        value,
        "blocks",
        "tokens kept / tokens a block, rounded up, for each group of layers",
        blocks_sum(sheet, pool, length, batched, case.config),
        "counted",
        "engine.serving.kv_pool",
    )


def _kv(case: Case, index: int) -> Working:
    pool, sheet, work = pool_of(case, index), Sheet(), case.scenario.workload
    users = per_copy(case)
    copies = kv_copies(case.layout)
    asked = sheet.entered("users", work.concurrency)
    if copies > 1:
        asked = f"ceil({asked} / {sheet.put('kv_copies', copies, '', 'independent KV caches of the layout')})"
    block = sheet.see("block_bytes", pool.block_bytes, "bytes", memory_id(index, "block_bytes"), "counted")
    steady = sheet.see(
        "blocks_a_user", pool.blocks(work.tokens_per_request, 0), "blocks", memory_id(index, "blocks_steady"), "counted"
    )
    batched = min(case.settings.max_num_batched_tokens, users * work.tokens_per_request)
    if any(entry.prefill_blocks(batched) for entry in pool.groups):
        own = put_batched(case, sheet)
        step = f"min({own}, {asked} * {put_length(case, sheet)})"
        prefill = prefill_sum(sheet, pool, step, case.config)
        full = sheet.see(
            "blocks_while_read",
            pool.blocks(work.tokens_per_request, case.settings.max_num_batched_tokens),
            "blocks",
            memory_id(index, "blocks_prefilling"),
            "counted",
        )
        expression = f"min({asked} * {steady} + {prefill}, {asked} * {full}) * {block}"
        formula = "users x blocks of one, and the step of prompt being read past the windows, x bytes of a block"
    else:
        expression, formula = f"{asked} * {steady} * {block}", "users x blocks of one x bytes of a block"
    return group_bytes(
        case,
        index,
        sheet,
        "kv_bytes",
        "KV cache that the load needs on one GPU",
        formula,
        expression,
        "counted",
        "engine.serving.kv_pool: blocks as the engine hands them out",
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
        f"{users} * {put_length(case, sheet)}",
        "entered",
        "every user in flight holds the prompt and the answer",
    )


GROUP: dict[str, Callable[[Case, int], Working]] = {
    "kv_capacity_bytes": room,
    "kv_bytes": _kv,
    "block_bytes": _block_bytes,
}
WHOLE: dict[str, Callable[[Case], Working]] = {
    "kv_needed_tokens": _needed,
}
