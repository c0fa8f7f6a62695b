"""Names for what functions return that is no field of a record, and facts that formulas look up."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

from engine.figures.number import Number, plain
from engine.figures.replay import Forgetful, Hook, Replay
from engine.scenario import leaves

PARTS: Final[dict[str, str]] = {
    "embedding": "input embedding",
    "table": "per-layer embeddings",
    "lm_head": "output matrix",
    "attention": "attention projections",
    "indexer": "sparse-attention indexers",
    "recurrent": "recurrent mixers",
    "mlp": "dense feed-forward",
    "routed_expert": "routed experts",
    "shared_expert": "shared experts",
    "router": "routers",
    "norm": "norms",
    "vision": "vision tower",
    "audio": "audio tower",
    "other": "other tensors",
}
"""Parts of a model in words."""
_OPERATIONS: Final = {
    "all_reduce": "all-reduce",
    "all_gather": "all-gather",
    "reduce_scatter": "reduce-scatter",
    "all_to_all": "all-to-all",
    "send_recv": "send",
}
DEFAULTS: Final = "the engine's own default for this card, from its sources"


def named(value: Any, label: str, unit: str = "") -> Any:
    """The value with that name, where it remembers and has none."""
    return value.named(label, unit) if isinstance(value, Number) and not value.is_leaf else value


def hooks(replay: Replay) -> dict[str, Hook]:
    """What names the results of functions, by qualified name."""

    known: dict[int, tuple[Any, Any]] = {}

    def lookup(result: Any, arguments: tuple[Any, ...]) -> Any:
        if id(result) not in known:
            name = getattr(result, "label", "") or result.name
            known[id(result)] = (result, leaves.fact(replay.copied, result, "counted", f"the format {name}", name))
        return known[id(result)][1]

    def settings(result: Any, arguments: tuple[Any, ...]) -> Any:
        changes = {}
        for entry in fields(result):
            value = getattr(result, entry.name)
            if isinstance(value, (int, float)) and not isinstance(value, bool) and value:
                label, unit = replay.name(type(result), entry.name)
                changes[entry.name] = Number(value, label=label, unit=unit, kind="data sheet", source=DEFAULTS)
        return replay.copied(result, changes) if changes else result

    return {
        "engine.model.formats.tensor_scheme": lookup,
        "engine.model.formats.kv_format": lookup,
        "engine.model.formats.tensor_bytes": lambda result, given: named(result, f"bytes of {given[0].name}", "bytes"),
        "engine.model.architecture.Tensor.elements": lambda result, given: named(
            result, f"parameters of {given[0].name}"
        ),
        "engine.model.parameters.elements": _elements,
        "engine.model.parameters.layer_elements": _layer_parameters,
        "engine.model.parameters.idle_elements": lambda result, _: named(
            result, "parameters of idle experts of a layer"
        ),
        "engine.serving.settings.resolved_settings": settings,
        "engine.serving.settings.batch_by_memory": _batch_defaults,
        "engine.serving.buffers.captured_sizes": lambda result, _: named(result, "batch sizes captured"),
        "engine.serving.buffers.non_torch_bytes": lambda result, _: named(result, "context and communication", "bytes"),
        "engine.serving.buffers.graph_bytes": lambda result, _: named(result, "CUDA graphs", "bytes"),
        "engine.serving.buffers.engine_extra_bytes": lambda result, _: named(
            result, "rotary table and padding", "bytes"
        ),
        "engine.serving.settings.visible_bytes": lambda result, _: named(result, "memory a process can take", "bytes"),
        "engine.serving.buffers.sampler_bytes": lambda result, _: result,
        "engine.serving.buffers.buffer_terms": _buffers,
        "engine.serving.buffers._layer_buffers": lambda result, _: named(result, "buffers of a layer a token", "bytes"),
        "engine.serving.speed.running_limit": lambda result, _: result,
        "engine.parts.hardware.Accelerator.memory_bytes": lambda result, _: named(
            result, "memory of the card", "bytes"
        ),
        "engine.model.formats.layer_kinds": _kinds,
        "engine.layout.sharding.stage_kinds": _kinds,
        "engine.layout.sharding.shard_tensor": _shard,
        "engine.layout.sharding.piece_bytes": lambda result, given: named(result, f"bytes of {given[0].name}", "bytes"),
        "engine.layout.sharding._layer_weights": _layer_weights,
        "engine.layout.sharding._stage_weights": _stage_weights,
        "engine.layout.sharding.kv_heads_on_rank": lambda result, _: named(result, "KV heads on a GPU"),
        "engine.layout.sharding.kv_copies": lambda result, _: named(result, "independent KV caches"),
        "engine.serving.kv_pool.KvPool.blocks": lambda result, given: named(
            result, "blocks of a sequence" if not plain(given[2]) else "blocks of a sequence that is read", "blocks"
        ),
        "engine.serving.kv_pool.KvPool._prefill_blocks": lambda result, _: named(
            result, "blocks of one step of prompt", "blocks"
        ),
        "engine.serving.kv_pool.KvPool.concurrency": lambda result, _: named(
            result, "users that the KV of a GPU holds", "users"
        ),
        "engine.parts.power_limit.left_share": lambda result, _: named(result, "share of power left to the clock"),
        "engine.parts.power_limit.compute_share": lambda result, _: named(result, "share of the arithmetic left"),
        "engine.parts.power_limit.stream_share": lambda result, _: named(result, "share of the bandwidth left"),
        "engine.links.collectives._make": _curve,
        "engine.links.collectives._wire_gb_s": lambda result, _: named(
            result, "rate of a ring on large payloads", "GB/s"
        ),
        "engine.links.collectives.slot_gb_s": lambda result, _: named(
            result, "one-way rate of the card's slot", "GB/s"
        ),
        "engine.links.collectives._through_root": lambda result, _: named(result, "through the root complex", "GB/s"),
        "engine.links.collectives._ring_share": lambda result, _: named(result, "share of the ring that is left"),
        "engine.links.collectives._mesh_share": lambda result, _: named(result, "share of the mesh in use"),
        "engine.links.link_prices.board_of": lambda board, _: replay.copied(
            board, {name: Forgetful() for name in ("curves", "columns", "passes")}
        ),
        "engine.links.link_prices.Board.placed": _on_links,
        "engine.links.link_prices.Board.column": _on_links,
        "engine.decide.fabric_terms._on_links": _passes,
        "engine.decide.fabric_terms.serving_waits": _waits,
        "engine.decide.fabric_terms.training_waits": _waits,
        "engine.links.traffic.message_s": lambda result, given: named(result, f"one {_OPERATIONS[given[0].op]}", "s"),
        "engine.links.traffic.communication_s": lambda result, _: named(result, "collectives of a sampled pass", "s"),
        "engine.serving.passes.wire_s": lambda result, _: named(result, "collectives of so many tokens", "s"),
        "engine.serving.speed.Server.cap": lambda result, _: named(result, "most sequences at once", "sequences"),
        "engine.serving.shapes.Band.mean_seen": lambda result, _: named(
            result, "tokens that a query of a prompt sees", "tokens"
        ),
        "engine.training.kernels.tiling": lambda result, _: named(result, "loss of whole tiles"),
        "engine.training.peak.sixteen_bit_tflops": lambda result, _: named(result, "dense 16-bit rate", "TFLOP/s"),
        "engine.training.rates._capped": lambda result, _: named(result, "rate under the power limit", "TFLOP/s"),
        "engine.training.kernels._often": lambda result, _: named(result, "passes in units of a forward"),
        "engine.training.kernels._scored": lambda result, _: named(result, "passes in units of a forward"),
        "engine.training.traffic.passes_of": lambda result, _: named(result, "passes over the layers"),
        "engine.training.step.slowest": lambda result, _: named(
            result, "time of the slowest GPU over an average one's"
        ),
        "engine.training.step._ending": lambda result, _: named(result, "optimizer and offload", "s"),
        "engine.training.goodput.goodput": lambda result, _: named(result, "share of time that makes progress"),
        "engine.training.step._priced_traffic": _patterns,
        "engine.training.memory.core.Card.usable_bytes": lambda result, _: named(result, "usable memory", "bytes"),
        "engine.training.memory.core.Card.driver_bytes": lambda result, _: named(result, "kept by the driver", "bytes"),
        "engine.training.memory.elements.adapter_widths": lambda result, _: tuple(
            named(width, "rows and columns that are adapted") for width in result
        ),
        "engine.training.memory.peak._saved": lambda result, _: named(result, "kept of layers, a token", "bytes"),
        "engine.training.memory.peak.RankCost.needs": lambda result, _: named(
            result, "needed on the fullest GPU", "bytes"
        ),
        "engine.training.memory.peak.logit_bytes": lambda result, _: result,
        "engine.model.flops.attention_flops_per_token": lambda result, _: named(
            result, "FLOPs of attention a token", "FLOPs"
        ),
        "engine.model.flops.matmul_flops_per_token": lambda result, _: named(
            result, "FLOPs of products a token", "FLOPs"
        ),
        "engine.money.prices.usd_per_gpu_hour": _price,
        "engine.decide.prospects.instance_usd_per_gpu_hour": lambda result, _: named(
            result, "price of a GPU-hour", "USD"
        ),
    }


def _elements(result: Any, arguments: tuple[Any, ...]) -> Any:
    tensors = arguments[0]
    if not isinstance(tensors, tuple) or len(tensors) < 2:
        return result
    if tensors[0].part in ("vision", "audio"):
        return named(result, "parameters of the towers")
    return named(result, f"parameters of {' and '.join(one.name for one in tensors)}") if len(tensors) < 4 else result


def _layer_parameters(result: Any, arguments: tuple[Any, ...]) -> Any:
    return named(result, f"parameters of a layer, {leaves.what(arguments[0])}")


def _kinds(result: Any, arguments: tuple[Any, ...]) -> Any:
    made = leaves.Alike(result)
    made.source = "the config: layers that are stored the same"
    return made


def _batch_defaults(result: Any, arguments: tuple[Any, ...]) -> Any:
    words = ("chunk of a prompt", "tokens"), ("largest batch captured", "sequences")
    return tuple(
        Number(plain(value), label=label, unit=unit, kind="data sheet", source=DEFAULTS)
        for value, (label, unit) in zip(result, words, strict=True)
    )


def _buffers(result: Any, arguments: tuple[Any, ...]) -> Any:
    widest, workspace = result
    return named(widest, "widest buffers of a layer a token", "bytes"), named(workspace, "workspace of MLA", "bytes")


def _shard(result: Any, arguments: tuple[Any, ...]) -> Any:
    """The piece of one tensor: its sides with the tensor's name."""
    tensor = arguments[0]
    for side, words in (("rows", "rows"), ("cols", "columns"), ("copies", "copies")):
        value = getattr(result, side)
        if isinstance(value, Number) and not value.is_leaf and value.label.endswith("on a GPU"):
            value.label = f"{words} of {tensor.name} on a GPU"
    return result


def _layer_weights(result: Any, arguments: tuple[Any, ...]) -> Any:
    parts, _ = result
    for part, value in parts.items():
        named(value, f"{PARTS[part]} of one layer", "bytes")
    return result


def _stage_weights(result: Any, arguments: tuple[Any, ...]) -> Any:
    for part, value in result.parts.items():
        named(value, f"{PARTS[part]}", "bytes")
    return result


def _curve(result: Any, arguments: tuple[Any, ...]) -> Any:
    """Alpha and beta of every line of a collective."""
    what = _OPERATIONS[arguments[0]]
    for limit, alpha, beta in result.segments:
        named(limit, f"payload of {what} from which the next protocol is faster", "bytes")
        named(alpha, f"alpha of {what}", "s")
        named(beta, f"beta of {what}", "s/byte")
    return result


def _on_links(result: Any, arguments: tuple[Any, ...]) -> Any:
    """The price of a message on each link."""
    board, message = arguments[:2]
    for row, value in zip(board.links, result, strict=True):
        named(value, f"one {_OPERATIONS[message.op]} over {row.link.name}", "s")
    return result


def _passes(result: Any, arguments: tuple[Any, ...]) -> Any:
    """The collectives of sampled passes on each link."""
    board, samples = arguments[:2]
    for row, column in zip(board.links, result, strict=True):
        for points, value in zip(samples.points, column, strict=True):
            named(value, f"collectives of a pass of {points} over {row.link.name}", "s")
    return result


def _waits(result: Any, arguments: tuple[Any, ...]) -> Any:
    """What is spent on each link, and waited for it."""
    words = "collectives over {}", "collectives of a prompt over {}", "waiting for {}"
    for column, label in zip(result, words, strict=True):
        for row, value in zip(arguments[0].links, column, strict=True):
            named(value, label.format(row.link.name), "s")
    return result


def _patterns(result: Any, arguments: tuple[Any, ...]) -> Any:
    return result


def _price(result: Any, arguments: tuple[Any, ...]) -> Any:
    hourly, note = result
    return named(hourly, "price of a GPU-hour", "USD"), note
