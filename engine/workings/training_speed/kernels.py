"""The kernels of a micro-batch: layers, output matrix and loss."""

from __future__ import annotations

from collections.abc import Callable

from engine.training.speed import (
    ACTIVATION_BYTES,
    ATTENTION_BACKWARD,
    DEQUANTIZED_BYTES,
    LOSS_BYTES,
    SMALL_HEAD,
    TILE,
    TRAFFIC_BACKWARD,
    alignment,
    tiling,
)
from engine.workings.case import Case
from engine.workings.record import Sheet, Working
from engine.workings.training_speed.shared import (
    MODEL,
    batch_in,
    body_in,
    error_of,
    fitted_words,
    kernels_in,
    micro_batch_tokens,
    rates_in,
    run_of,
    step_in,
    workload_of,
)


def _compute(case: Case) -> Working:
    sheet, run, made, b = Sheet(), run_of(case), step_in(case), body_in(case)
    k, layout, work = kernels_in(case), case.layout, workload_of(case)
    layers = sheet.see("layers", k.layers_s, "s", "training.layers_s")
    launch = sheet.put(
        "launching", k.launch_s, "s", f"the least that launching takes: {fitted_words(case, 'launch')}", "fitted"
    )
    head = sheet.see("head", k.head_s, "s", "training.head_s")
    count = sheet.see("micro_batches", made.micro_batches, "", "training.micro_batches", "counted")
    through = f"max({layers}, {launch})"
    if layout.pp == 1:
        each = f"{through} + {head}"
    else:
        stages = sheet.put("pp", layout.pp, "stages", "layout")
        share = sheet.put(
            "busiest_share", -(-b.layers // layout.pp) / max(1, b.layers), "", "layers of the fullest stage / layers"
        )
        mean = f"({through} + {head}) / {stages}"
        ending = mean if work.software == "tuned" else f"{mean} + {head} / {stages}"
        each = f"max({through} * {share}, {ending})"
    return sheet.working(
        "training.compute_s",
        "Kernels of one step",
        run.compute_s,
        "s",
        "kernels of a micro-batch on the busiest stage x micro-batches",
        f"({each}) * {count}",
        "fitted",
        MODEL,
    )


def _micro(case: Case, sheet: Sheet) -> str:
    work = workload_of(case)
    micro = sheet.entered("micro_batch", work.micro_batch, "sequences")
    length = sheet.entered("sequence_length", work.sequence_length, "tokens")
    cp = batch_in(case).context
    if cp > 1:
        return f"({micro} * {length} / {sheet.entered('context_parallel', cp, 'ranks')})"
    return f"({micro} * {length})"


def _shape_factor(case: Case, sheet: Sheet, tokens: str) -> str:
    """What narrow or crooked matrices cost, as a factor."""
    b, t, tp = body_in(case), rates_in(case).tier, case.layout.tp
    narrow = sheet.put("narrow_width", t.narrow_width, "elements", fitted_words(case, "narrow_width"), "fitted")
    few = sheet.put("few_tokens", t.few_tokens, "tokens", fitted_words(case, "few_tokens"), "fitted")
    hidden = sheet.put("hidden_size", b.hidden, "elements", case.config)
    ranks = sheet.put("tp", tp, "ranks", "layout")
    factor = f"(1 + {narrow} / max(1, {hidden} / {ranks}) + {few} / {tokens})"
    crooked = alignment(b.hidden / tp)
    if crooked:
        loss = sheet.put(
            "misaligned",
            t.misaligned * crooked,
            "",
            f"width not a multiple of 64: {fitted_words(case, 'misaligned')}",
            "fitted",
        )
        factor += f" * (1 + {loss})"
    return factor


def _rate(case: Case, sheet: Sheet, name: str, value: float, what: str) -> str:
    return sheet.put(name, value, "FLOP/s", f"{what}: {case.sheet}; {error_of(case)}", "fitted")


def _layers(case: Case) -> Working:
    sheet, b, r, work, layout = Sheet(), body_in(case), rates_in(case), workload_of(case), case.layout
    t = r.tier
    tokens = _micro(case, sheet)
    value = micro_batch_tokens(case)
    tp = sheet.put("tp", layout.tp, "ranks", "layout")
    elements = sheet.put("projections", b.projections, "elements", f"matrix elements a token meets: {case.config}")
    matrix = _rate(case, sheet, "matrix_rate", r.matrix, f"{r.dtype} products")
    products = f"2 * {tokens} * {elements} / {tp} / {matrix} * {_shape_factor(case, sheet, tokens)}"
    hidden_streams = sheet.put(
        "hidden_streams", b.streams_hidden, "elements", f"norms and residuals a token: {case.config}"
    )
    inner_streams = sheet.put("inner_streams", b.streams_inner, "elements", f"inner products a token: {case.config}")
    elementwise = sheet.put(
        "elementwise", t.elementwise, "", fitted_words(case, f"elementwise.{work.software}"), "fitted"
    )
    moved = f"({hidden_streams} + {inner_streams} / {tp}) * {elementwise}"
    if r.dtype != "bf16":
        moved += f" + {sheet.put('quantize', t.quantize, '', fitted_words(case, 'quantize'), 'fitted')} * {inner_streams} / {tp}"
    if b.routed:
        visits = value * b.per_token * max(1.0, layout.ep / layout.tp) / max(1, b.experts)
        width = b.expert_width / (1 if layout.ep > 1 else layout.tp)
        seen = sheet.put("tokens_an_expert", visits, "tokens", f"tokens x experts a token / experts: {case.config}")
        wide = sheet.put("expert_width", max(1.0, width), "elements", case.config)
        routed = sheet.put("routed", b.routed, "elements", f"elements of the experts a token visits: {case.config}")
        grouped = sheet.put("moe_matmul", t.moe_matmul, "", fitted_words(case, "moe.matmul"), "fitted")
        half = sheet.put(
            "moe_tokens_half", t.moe_tokens_half, "tokens", fitted_words(case, "moe.tokens_half"), "fitted"
        )
        narrow = sheet.put("narrow_width", t.narrow_width, "elements", fitted_words(case, "narrow_width"), "fitted")
        tile = TILE.get(r.family, 128)
        tiled = f"computed over needed in tiles of {tile} elements: engine.training.speed.tiling"
        own = sheet.put("expert_tiling", tiling(width, tile), "", f"width of an expert, {tiled}")
        across = sheet.put("hidden_tiling", tiling(b.hidden, tile), "", f"hidden size, {tiled}")
        products += (
            f" + 2 * {tokens} * {routed} / {tp} / ({matrix} * {grouped}) * (1 + {half} / {seen} + {narrow} / {wide})"
            f" * (2 * {own} + {across}) / 3"
        )
        permuted = sheet.put("permuted", b.permuted, "elements", f"moved to experts and back, a token: {case.config}")
        moved += f" + {sheet.put('moe_permute', t.moe_permute, '', fitted_words(case, 'moe.permute'), 'fitted')} * {permuted} / {tp}"
    if not work.flash_attention:
        pairs = sheet.put("score_pairs", b.score_pairs, "pairs", f"query-key pairs a token: {case.config}")
        passes = sheet.put(
            "unfused_attention", t.unfused_attention, "", fitted_words(case, "unfused_attention"), "fitted"
        )
        moved += f" + {passes} * {pairs} / {tp}"
    two = sheet.put("activation_bytes", ACTIVATION_BYTES, "bytes", "16-bit activations")
    memory = sheet.put("memory_rate", r.memory, "bytes/s", f"{case.sheet}, x 0.85 that streams reach", "data sheet")
    flops = sheet.put("attention_flops", b.attention_flops, "FLOP", f"forward, an average token: {case.config}")
    scores = _rate(case, sheet, "attention_rate", r.attention, "attention kernels")
    attention = f"{tokens} * {flops} / {tp} / {scores}"
    if b.head_dim % 8:
        attention += f" * {sheet.put('odd_head', t.odd_head, '', fitted_words(case, 'odd_head'), 'fitted')}"
    elif 0 < b.head_dim < 128:
        head_dim = sheet.put("head_width", b.head_dim, "elements", case.config)
        loss = "what kernels lose on heads narrower than 128: engine.training.speed.SMALL_HEAD"
        small = sheet.put("small_head", SMALL_HEAD.get(r.family, 0.2), "", loss, "fitted")
        attention += f" * (128 / {head_dim}) ** {small}"
    again = 1.0 if work.recompute == "full" else 0.0
    remade = again or (t.selective if work.recompute == "selective" else 0.0)
    adapter = work.kind in ("lora", "qlora")
    back = sheet.put(
        "backward_products", 1.0 if adapter else 2.0, "", "frozen weights need one product backward, trained ones two"
    )
    back_attention = sheet.put(
        "backward_attention", ATTENTION_BACKWARD, "", "five products against two (Dao 2023, section 3.1)"
    )
    back_traffic = sheet.put("backward_traffic", TRAFFIC_BACKWARD, "", "engine.training.speed", "rule of thumb")
    re_run = sheet.put("recomputed", again, "", f"recomputation {work.recompute}", "entered")
    re_made = sheet.put("recomputed_traffic", remade, "", f"recomputation {work.recompute}", "entered")
    expression = (
        f"({products}) * (1 + {back} + {re_run}) + {attention} * (1 + {back_attention} + {re_run})"
        f" + {two} * {tokens} * ({moved}) / {memory} * (1 + {back_traffic} + {re_made})"
    )
    if adapter:
        lora = sheet.put("lora", t.lora, "", fitted_words(case, "lora.elementwise"), "fitted")
        expression += f" + {lora} * (2 + {re_run}) * {two} * {tokens} * {inner_streams} / {tp} / {memory}"
    if work.kind == "qlora":
        factor = sheet.put("dequantize", t.dequantize, "", fitted_words(case, "dequantize"), "fitted")
        each = sheet.put("dequantized_bytes", DEQUANTIZED_BYTES, "bytes", "NF4 read, 16-bit written and read back")
        held = sheet.put("block_parameters", b.held, "parameters", case.config)
        expression += f" + {factor} * (2 + {re_run}) * {each} * {held} / {tp} / {memory}"
    return sheet.working(
        "training.layers_s",
        "Layers of one micro-batch",
        kernels_in(case).layers_s,
        "s",
        "matrix products, attention and element-wise traffic, forward, backward and recomputed",
        expression,
        "fitted",
        MODEL,
    )


def _head(case: Case) -> Working:
    sheet, b, r, work, layout = Sheet(), body_in(case), rates_in(case), workload_of(case), case.layout
    tokens = _micro(case, sheet)
    tp = sheet.put("tp", layout.tp, "ranks", "layout")
    elements = sheet.put("head", b.head, "elements", f"output matrix: {case.config}")
    rate = _rate(case, sheet, "matrix_rate_16_bit", r.matrix_16bit, "16-bit products")
    adapter = work.kind in ("lora", "qlora")
    back = sheet.put("backward_products", 1.0 if adapter else 2.0, "", "frozen weights need one, trained ones two")
    vocabulary = sheet.put("vocabulary", b.vocabulary, "tokens", case.config)
    each = min(r.tier.loss_bytes, LOSS_BYTES[work.loss])
    loss = sheet.put(
        "bytes_a_logit", each, "bytes", f"loss {work.loss}: {fitted_words(case, f'loss.{work.software}')}", "fitted"
    )
    memory = sheet.put("memory_rate", r.memory, "bytes/s", f"{case.sheet}, x 0.85 that streams reach", "data sheet")
    expression = (
        f"2 * {tokens} * {elements} / {tp} / {rate} * {_shape_factor(case, sheet, tokens)} * (1 + {back})"
        f" + {tokens} * {vocabulary} / {tp} * {loss} / {memory}"
    )
    return sheet.working(
        "training.head_s",
        "Output matrix and loss of one micro-batch",
        kernels_in(case).head_s,
        "s",
        "products of the output matrix + traffic of the logits",
        expression,
        "fitted",
        MODEL,
    )


FIGURES: dict[str, Callable[[Case], Working]] = {
    "compute_s": _compute,
    "layers_s": _layers,
    "head_s": _head,
}
