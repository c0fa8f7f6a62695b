"""What the room for the KV cache amounts to: users, tokens and the longest context."""

from __future__ import annotations

import math
from collections.abc import Callable

from engine.layout.sharding import kv_copies
from engine.serving.memory import PREEMPTION_LINE
from engine.workings.case import Case
from engine.workings.groups import memory_id
from engine.workings.record import Sheet, Working
from engine.workings.serving_memory.kv_cache import blocks_sum, prefill_sum, put_batched, put_length
from engine.workings.serving_memory.shared import ACCOUNT, kind_of_setting, pool_of


def _limiting(case: Case, value: Callable[[int], float]) -> int:
    """The group with the least of something."""
    return min(range(len(case.plan.memory.per_gpu)), key=value)


def _users_of(case: Case, index: int) -> float:
    group, settings = case.group(index), case.settings
    tokens = case.scenario.workload.tokens_per_request
    return pool_of(case, index).concurrency(group.kv_capacity_bytes, tokens, settings.max_num_batched_tokens)


def _marginal_users(case: Case) -> Working:
    """From how many users on the memory is so full that engines preempt."""
    sheet, users = Sheet(), case.plan.memory.users_that_fit
    fit = sheet.see("users", users, "users", "memory.users_that_fit")
    line = sheet.put("preemption_line", PREEMPTION_LINE, "", "engines preempt above this share", "rule of thumb")
    return sheet.working(
        "memory.marginal_users",
        "Marginal from so many users on",
        max(1, int(users * PREEMPTION_LINE)),
        "users",
        "users that fit x the share above which engines preempt",
        f"max(1, floor({fit} * {line}))",
        "fitted",
        "engine.serving.memory",
    )


def _max_concurrency(case: Case) -> Working:
    memory, sheet, work = case.plan.memory, Sheet(), case.scenario.workload
    index = _limiting(case, lambda at: _users_of(case, at))
    pool = pool_of(case, index)
    if not pool.groups:
        sheet.entered("users", work.concurrency)
        return sheet.working(
            "memory.max_concurrency",
            "Users that the KV amounts to",
            memory.max_concurrency,
            "users",
            "the model keeps nothing between tokens: as many as asked",
            "users",
            "counted",
            "engine.serving.kv_pool",
        )
    space = sheet.see("room", case.group(index).kv_capacity_bytes, "bytes", memory_id(index, "kv_capacity_bytes"))
    block = sheet.see("block_bytes", pool.block_bytes, "bytes", memory_id(index, "block_bytes"), "counted")
    steady = sheet.see(
        "blocks_a_user", pool.blocks(work.tokens_per_request, 0), "blocks", memory_id(index, "blocks_steady"), "counted"
    )
    copies = sheet.put("kv_copies", kv_copies(case.layout), "", "independent KV caches of the layout")
    batched = case.settings.max_num_batched_tokens
    formula = "blocks that fit / blocks of one user x independent caches"
    expression = f"{space} // {block} / {steady} * {copies}"
    if any(entry.prefill_blocks(batched) for entry in pool.groups):
        prefill = prefill_sum(sheet, pool, put_batched(case, sheet), case.config)
        full = sheet.see(
            "blocks_while_read",
            pool.blocks(work.tokens_per_request, batched),
            "blocks",
            memory_id(index, "blocks_prefilling"),
            "counted",
        )
        expression = f"max(({space} // {block} - ({prefill})) / {steady}, {space} // {block} / {full}) * {copies}"
        formula = "blocks that fit, less one step of prompt, / blocks of one user x independent caches"
    return sheet.working(
        "memory.max_concurrency",
        "KV that fits in users of this length",
        memory.max_concurrency,
        "users",
        formula + _poorest(case, index),
        expression,
        "fitted",
        ACCOUNT,
    )


def _whole_users(case: Case) -> Working:
    """Whole users whose KV fits, each on one copy of the cache."""
    sheet, memory = Sheet(), case.plan.memory
    users = sheet.see("users", memory.max_concurrency, "users", "memory.max_concurrency")
    keeps = any(pool_of(case, at).groups for at in range(len(memory.per_gpu)))
    copies = sheet.put(
        "kv_copies", kv_copies(case.layout) if keeps else 1, "", "independent KV caches; a user is whole on one"
    )
    return sheet.working(
        "memory.users_that_fit",
        "Users that fit at this length",
        memory.users_that_fit,
        "users",
        "whole users of one copy of the cache x copies",
        f"{copies} * floor({users} / {copies})",
        "fitted",
        ACCOUNT,
    )


def _kv_share(case: Case) -> Working:
    """What of the KV that fits the load needs, on the rank where that is most."""
    sheet, memory = Sheet(), case.plan.memory
    shares = [
        group.kv_bytes / group.kv_capacity_bytes if group.kv_capacity_bytes else math.inf for group in memory.per_gpu
    ]
    index = max(range(len(shares)), key=lambda at: shares[at])
    needed = sheet.see("needed", case.group(index).kv_bytes, "bytes", memory_id(index, "kv_bytes"))
    room = sheet.see("room", case.group(index).kv_capacity_bytes, "bytes", memory_id(index, "kv_capacity_bytes"))
    known = memory.kv_share is not None
    return sheet.working(
        "memory.kv_share",
        "KV that the load needs of what fits",
        memory.kv_share,
        "",
        "KV of the load / room for KV" if known else "no KV fits",
        f"{needed} / {room}" if known else "",
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
        space = sheet.see("room", case.group(index).kv_capacity_bytes, "bytes", memory_id(index, "kv_capacity_bytes"))
        block = sheet.see("block_bytes", pool.block_bytes, "bytes", memory_id(index, "block_bytes"), "counted")
        held = sheet.put("tokens_a_block", pool.block_tokens, "tokens", "engine.serving.kv_pool")
        copies = sheet.put("kv_copies", kv_copies(case.layout), "", "independent KV caches of the layout")
        expression = f"{space} // {block} * {held} * {copies}"
        formula = "room / bytes of a block x tokens a block x independent caches" + _poorest(case, index)
    else:
        users = sheet.see("users", memory.max_concurrency, "users", "memory.max_concurrency")
        expression = f"floor({users} * {put_length(case, sheet)})"
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
        held = sheet.see("room", space, "bytes", memory_id(index, "kv_capacity_bytes"))
        block = sheet.see("block_bytes", pool.block_bytes, "bytes", memory_id(index, "block_bytes"), "counted")
        if pool.uniform:
            each = sheet.put("tokens_a_block", pool.block_tokens, "tokens", "engine.serving.kv_pool")
            expression, formula = f"min({most}, {held} // {block} * {each})", "room / bytes of a block x tokens a block"
        else:
            growing = [g for g in pool.groups if g.spec.kind == "full"]
            fixed = sum(g.blocks(value, batched) for g in pool.groups if g.spec.kind != "full")
            tokens = min((g.block * g.spec.compression for g in growing), default=1)
            tables = sheet.put("tables", sum(g.count for g in growing), "", "block tables of layers that keep all")
            kept = sheet.put("blocks_fixed", fixed, "blocks", "windows and states, which no longer grow")
            each = sheet.put("tokens_a_block", tokens, "tokens", "engine.serving.kv_pool")
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
        takes = sheet.put("blocks", blocks, "blocks", "blocks of that length: engine.serving.kv_pool")
        block = sheet.see("block_bytes", pool.block_bytes, "bytes", memory_id(index, "block_bytes"), "counted")
        held = sheet.see("room", space, "bytes", memory_id(index, "kv_capacity_bytes"))
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
        space = sheet.see("room", case.group(index).kv_capacity_bytes, "bytes", memory_id(index, "kv_capacity_bytes"))
        block = sheet.see("block_bytes", pool.block_bytes, "bytes", memory_id(index, "block_bytes"), "counted")
        longest = sheet.put(
            "max_model_len",
            settings.max_model_len,
            "tokens",
            case.setting("max_model_len"),
            kind_of_setting(case, "max_model_len"),
        )
        expression = f"{space} // {block} / ({blocks_sum(sheet, pool, longest, put_batched(case, sheet), case.config)})"
    return sheet.working(
        "memory.reported_concurrency",
        "Maximum concurrency that the engine prints",
        memory.reported_concurrency,
        "users",
        "blocks that fit / blocks of one sequence of max_model_len, each charged a step of prompt",
        expression,
        "fitted",
        "engine.serving.kv_pool: vLLM's start-up line",
    )


WHOLE: dict[str, Callable[[Case], Working]] = {
    "kv_capacity_tokens": _capacity,
    "max_concurrency": _max_concurrency,
    "users_that_fit": _whole_users,
    "kv_share": _kv_share,
    "marginal_users": _marginal_users,
    "longest_context_tokens": _longest,
    "reported_concurrency": _reported,
}
