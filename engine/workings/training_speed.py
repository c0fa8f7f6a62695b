"""Workings of training speed: one optimizer step taken apart, and what follows from it."""

from __future__ import annotations

import math
from collections.abc import Callable

from engine.flops import RECURRENT_FLOPS_PER_STATE_ELEMENT, active_elements, attention_flops_per_token
from engine.scenario import Layout, Workload
from engine.sizing import Interval, Training
from engine.training_speed import (
    ACTIVATION_BYTES,
    ATTENTION_BACKWARD,
    CHECKPOINT_WRITE_GB_S_PER_NODE,
    DEQUANTIZED_BYTES,
    FITTED,
    GPU_HOURS_BETWEEN_FAILURES,
    LOSS_BYTES,
    OVERLAP_RANGE,
    RESTART_S,
    SMALL_HEAD,
    TILE,
    TRAFFIC_BACKWARD,
    Body,
    Kernels,
    Rates,
    Step,
    alignment,
    body,
    context_ranks,
    interval_group,
    kernels,
    rates,
    step,
    tiling,
)
from engine.units import GB, SECONDS_PER_DAY, SECONDS_PER_HOUR, TERA
from engine.verdict import FRONTIER_DAYS
from engine.workings.case import Case
from engine.workings.record import Sheet, Working

MODEL = "engine.training_speed: kernels, collectives, pipeline and optimizer of one step"


def _error(case: Case) -> str:
    low, high = FITTED.intervals[interval_group(case.arch, case.scenario.workload)]
    return f"engine.calibration.training_speed; 80 % of unseen runs lie within {low:g} to {high:g} of the estimate"


def _fitted(case: Case, name: str) -> str:
    return f"{name}: {_error(case)}"


def _run(case: Case) -> Training:
    if case.plan.training is None:
        raise KeyError("training")
    return case.plan.training


def _work(case: Case) -> Workload:
    return case.scenario.workload


def _step(case: Case) -> Step:
    return step(case.arch, case.scenario.hardware, _work(case), case.layout)


def _body(case: Case) -> Body:
    return body(case.arch, _work(case).sequence_length)


def _rates(case: Case) -> Rates:
    return rates(case.card, _work(case).compute_dtype, _work(case).software)


def _tokens_value(case: Case) -> float:
    work = _work(case)
    return work.micro_batch * work.sequence_length / context_ranks(work, case.layout)


def _kernels(case: Case) -> Kernels:
    return kernels(_body(case), _rates(case), _work(case), _tokens_value(case), case.layout.tp, case.layout.ep)


def _hidden(case: Case) -> tuple[float, float, float]:
    pinned, tier = _work(case).overlap, _rates(case).tier
    if pinned is not None:
        return pinned, pinned, pinned
    return tier.overlap_tp, tier.overlap_ep, tier.overlap_dp


# --- one step ----------------------------------------------------------------------------------


def _exposed_each(case: Case, sheet: Sheet) -> str:
    """Communication of one micro-batch that does not hide, as arithmetic."""
    made, (tp, ep, _) = _step(case), _hidden(case)
    pinned = _work(case).overlap is not None
    terms = []
    for name, seconds, share, figure in (
        ("tp", made.tp_each_s, tp, "tp_communication_s"),
        ("ep", made.ep_each_s, ep, "ep_communication_s"),
        ("pp", made.pp_each_s, made.hidden_pp, "pp_communication_s"),
    ):
        if seconds:
            total = sheet.see(name, seconds * made.micro_batches, "s", f"training.{figure}")
            count = sheet.see("micro_batches", made.micro_batches, "", "training.micro_batches", "counted")
            source = "entered" if pinned and name != "pp" else _fitted(case, f"overlap.{name}")
            overlap = sheet.put(f"{name}_hidden", share, "", source, "entered" if pinned and name != "pp" else "fitted")
            terms.append(f"{total} / {count} * (1 - {overlap})")
    return " + ".join(terms) or "0"


def _slots(case: Case, sheet: Sheet) -> str:
    made = _step(case)
    count = sheet.see("micro_batches", made.micro_batches, "", "training.micro_batches", "counted")
    if not made.bubble_slots:
        return count
    what = f"(PP {case.layout.pp} - 1) / chunks of layers a rank holds (Narayanan et al. 2021, section 2.2)"
    return f"({count} + {sheet.put('bubble_slots', made.bubble_slots, 'micro-batches', what)})"


def _exposed_dp(case: Case, sheet: Sheet, each: str) -> str:
    made, (_, _, dp) = _step(case), _hidden(case)
    if not made.dp_s:
        return "0"
    total = sheet.see("dp", made.dp_s, "s", "training.dp_communication_s")
    pinned = _work(case).overlap is not None
    source = "entered" if pinned else _fitted(case, "overlap.dp")
    hidden = sheet.put("dp_hidden", dp, "", source, "entered" if pinned else "fitted")
    window = sheet.put("window", made.window, "micro-batches", f"{_work(case).sharding} can hide behind so many")
    return f"max({total} * (1 - {hidden}), {total} - ({each}) * {window})"


def _compute_each(case: Case, sheet: Sheet) -> str:
    made = _step(case)
    total = sheet.see("compute", made.compute_s, "s", "training.compute_s")
    count = sheet.see("micro_batches", made.micro_batches, "", "training.micro_batches", "counted")
    return f"{total} / {count}"


def _step_s(case: Case) -> Working:
    sheet, run = Sheet(), _run(case)
    each = f"{_compute_each(case, sheet)} + {_exposed_each(case, sheet)}"
    tail = sheet.see("optimizer", run.optimizer_s, "s", "training.optimizer_s")
    return sheet.working(
        "training.step_s",
        "One optimizer step",
        run.step_s,
        "s",
        "(kernels + exposed links of a micro-batch) x (micro-batches + bubble) + exposed data-parallel links + optimizer",
        f"({each}) * {_slots(case, sheet)} + {_exposed_dp(case, sheet, each)} + {tail}",
        "fitted",
        f"{MODEL}; {_error(case)}",
    )


def _exposed(case: Case) -> Working:
    sheet, run = Sheet(), _run(case)
    exposed = _exposed_each(case, sheet)
    each = f"{_compute_each(case, sheet)} + {exposed}"
    return sheet.working(
        "training.exposed_communication_s",
        "In links, exposed, one step",
        run.exposed_communication_s,
        "s",
        "what of the collectives does not hide behind compute",
        f"({exposed}) * {_slots(case, sheet)} + {_exposed_dp(case, sheet, each)}",
        "fitted",
        MODEL,
    )


def _compute(case: Case) -> Working:
    sheet, run, made, b = Sheet(), _run(case), _step(case), _body(case)
    k, layout, work = _kernels(case), case.layout, _work(case)
    layers = sheet.see("layers", k.layers_s, "s", "training.layers_s")
    launch = sheet.put(
        "launching", k.launch_s, "s", f"the least that launching takes: {_fitted(case, 'launch')}", "fitted"
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
    work = _work(case)
    micro = sheet.entered("micro_batch", work.micro_batch, "sequences")
    length = sheet.entered("sequence_length", work.sequence_length, "tokens")
    cp = context_ranks(work, case.layout)
    if cp > 1:
        return f"({micro} * {length} / {sheet.entered('context_parallel', cp, 'ranks')})"
    return f"({micro} * {length})"


def _shape_factor(case: Case, sheet: Sheet, tokens: str) -> str:
    """What narrow or crooked matrices cost, as a factor."""
    b, t, tp = _body(case), _rates(case).tier, case.layout.tp
    narrow = sheet.put("narrow_width", t.narrow_width, "elements", _fitted(case, "narrow_width"), "fitted")
    few = sheet.put("few_tokens", t.few_tokens, "tokens", _fitted(case, "few_tokens"), "fitted")
    hidden = sheet.put("hidden_size", b.hidden, "elements", case.config)
    ranks = sheet.put("tp", tp, "ranks", "layout")
    factor = f"(1 + {narrow} / max(1, {hidden} / {ranks}) + {few} / {tokens})"
    crooked = alignment(b.hidden / tp)
    if crooked:
        loss = sheet.put(
            "misaligned",
            t.misaligned * crooked,
            "",
            f"width not a multiple of 64: {_fitted(case, 'misaligned')}",
            "fitted",
        )
        factor += f" * (1 + {loss})"
    return factor


def _rate(case: Case, sheet: Sheet, name: str, value: float, what: str) -> str:
    return sheet.put(name, value, "FLOP/s", f"{what}: {case.sheet}; {_error(case)}", "fitted")


def _layers(case: Case) -> Working:
    sheet, b, r, work, layout = Sheet(), _body(case), _rates(case), _work(case), case.layout
    t = r.tier
    tokens = _micro(case, sheet)
    value = _tokens_value(case)
    tp = sheet.put("tp", layout.tp, "ranks", "layout")
    elements = sheet.put("projections", b.projections, "elements", f"matrix elements a token meets: {case.config}")
    matrix = _rate(case, sheet, "matrix_rate", r.matrix, f"{r.dtype} products")
    products = f"2 * {tokens} * {elements} / {tp} / {matrix} * {_shape_factor(case, sheet, tokens)}"
    hidden_streams = sheet.put(
        "hidden_streams", b.streams_hidden, "elements", f"norms and residuals a token: {case.config}"
    )
    inner_streams = sheet.put("inner_streams", b.streams_inner, "elements", f"inner products a token: {case.config}")
    elementwise = sheet.put("elementwise", t.elementwise, "", _fitted(case, f"elementwise.{work.software}"), "fitted")
    moved = f"({hidden_streams} + {inner_streams} / {tp}) * {elementwise}"
    if r.dtype != "bf16":
        moved += (
            f" + {sheet.put('quantize', t.quantize, '', _fitted(case, 'quantize'), 'fitted')} * {inner_streams} / {tp}"
        )
    if b.routed:
        visits = value * b.per_token * max(1.0, layout.ep / layout.tp) / max(1, b.experts)
        width = b.expert_width / (1 if layout.ep > 1 else layout.tp)
        seen = sheet.put("tokens_an_expert", visits, "tokens", f"tokens x experts a token / experts: {case.config}")
        wide = sheet.put("expert_width", max(1.0, width), "elements", case.config)
        routed = sheet.put("routed", b.routed, "elements", f"elements of the experts a token visits: {case.config}")
        grouped = sheet.put("moe_matmul", t.moe_matmul, "", _fitted(case, "moe.matmul"), "fitted")
        half = sheet.put("moe_tokens_half", t.moe_tokens_half, "tokens", _fitted(case, "moe.tokens_half"), "fitted")
        narrow = sheet.put("narrow_width", t.narrow_width, "elements", _fitted(case, "narrow_width"), "fitted")
        tile = TILE.get(r.family, 128)
        tiled = f"computed over needed in tiles of {tile} elements: engine.training_speed.tiling"
        own = sheet.put("expert_tiling", tiling(width, tile), "", f"width of an expert, {tiled}")
        across = sheet.put("hidden_tiling", tiling(b.hidden, tile), "", f"hidden size, {tiled}")
        products += (
            f" + 2 * {tokens} * {routed} / {tp} / ({matrix} * {grouped}) * (1 + {half} / {seen} + {narrow} / {wide})"
            f" * (2 * {own} + {across}) / 3"
        )
        permuted = sheet.put("permuted", b.permuted, "elements", f"moved to experts and back, a token: {case.config}")
        moved += f" + {sheet.put('moe_permute', t.moe_permute, '', _fitted(case, 'moe.permute'), 'fitted')} * {permuted} / {tp}"
    if not work.flash_attention:
        pairs = sheet.put("score_pairs", b.score_pairs, "pairs", f"query-key pairs a token: {case.config}")
        passes = sheet.put("unfused_attention", t.unfused_attention, "", _fitted(case, "unfused_attention"), "fitted")
        moved += f" + {passes} * {pairs} / {tp}"
    two = sheet.put("activation_bytes", ACTIVATION_BYTES, "bytes", "16-bit activations")
    memory = sheet.put("memory_rate", r.memory, "bytes/s", f"{case.sheet}, x 0.85 that streams reach", "data sheet")
    flops = sheet.put("attention_flops", b.attention_flops, "FLOP", f"forward, an average token: {case.config}")
    scores = _rate(case, sheet, "attention_rate", r.attention, "attention kernels")
    attention = f"{tokens} * {flops} / {tp} / {scores}"
    if b.head_dim % 8:
        attention += f" * {sheet.put('odd_head', t.odd_head, '', _fitted(case, 'odd_head'), 'fitted')}"
    elif 0 < b.head_dim < 128:
        head_dim = sheet.put("head_width", b.head_dim, "elements", case.config)
        loss = "what kernels lose on heads narrower than 128: engine.training_speed.SMALL_HEAD"
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
    back_traffic = sheet.put("backward_traffic", TRAFFIC_BACKWARD, "", "engine.training_speed", "rule of thumb")
    re_run = sheet.put("recomputed", again, "", f"recomputation {work.recompute}", "entered")
    re_made = sheet.put("recomputed_traffic", remade, "", f"recomputation {work.recompute}", "entered")
    expression = (
        f"({products}) * (1 + {back} + {re_run}) + {attention} * (1 + {back_attention} + {re_run})"
        f" + {two} * {tokens} * ({moved}) / {memory} * (1 + {back_traffic} + {re_made})"
    )
    if adapter:
        lora = sheet.put("lora", t.lora, "", _fitted(case, "lora.elementwise"), "fitted")
        expression += f" + {lora} * (2 + {re_run}) * {two} * {tokens} * {inner_streams} / {tp} / {memory}"
    if work.kind == "qlora":
        factor = sheet.put("dequantize", t.dequantize, "", _fitted(case, "dequantize"), "fitted")
        each = sheet.put("dequantized_bytes", DEQUANTIZED_BYTES, "bytes", "NF4 read, 16-bit written and read back")
        held = sheet.put("block_parameters", b.held, "parameters", case.config)
        expression += f" + {factor} * (2 + {re_run}) * {each} * {held} / {tp} / {memory}"
    return sheet.working(
        "training.layers_s",
        "Layers of one micro-batch",
        _kernels(case).layers_s,
        "s",
        "matrix products, attention and element-wise traffic, forward, backward and recomputed",
        expression,
        "fitted",
        MODEL,
    )


def _head(case: Case) -> Working:
    sheet, b, r, work, layout = Sheet(), _body(case), _rates(case), _work(case), case.layout
    tokens = _micro(case, sheet)
    tp = sheet.put("tp", layout.tp, "ranks", "layout")
    elements = sheet.put("head", b.head, "elements", f"output matrix: {case.config}")
    rate = _rate(case, sheet, "matrix_rate_16_bit", r.matrix_16bit, "16-bit products")
    adapter = work.kind in ("lora", "qlora")
    back = sheet.put("backward_products", 1.0 if adapter else 2.0, "", "frozen weights need one, trained ones two")
    vocabulary = sheet.put("vocabulary", b.vocabulary, "tokens", case.config)
    each = min(r.tier.loss_bytes, LOSS_BYTES[work.loss])
    loss = sheet.put(
        "bytes_a_logit", each, "bytes", f"loss {work.loss}: {_fitted(case, f'loss.{work.software}')}", "fitted"
    )
    memory = sheet.put("memory_rate", r.memory, "bytes/s", f"{case.sheet}, x 0.85 that streams reach", "data sheet")
    expression = (
        f"2 * {tokens} * {elements} / {tp} / {rate} * {_shape_factor(case, sheet, tokens)} * (1 + {back})"
        f" + {tokens} * {vocabulary} / {tp} * {loss} / {memory}"
    )
    return sheet.working(
        "training.head_s",
        "Output matrix and loss of one micro-batch",
        _kernels(case).head_s,
        "s",
        "products of the output matrix + traffic of the logits",
        expression,
        "fitted",
        MODEL,
    )


def _span(name: str, words: str) -> Callable[[Case], Working]:
    """Collectives along one dimension of the layout: each micro-batch's, or the step's for dp."""

    def make(case: Case) -> Working:
        sheet, run, made = Sheet(), _run(case), _step(case)
        hardware, layout = case.scenario.hardware, case.layout
        value: float = getattr(run, f"{name}_communication_s")
        across = f" and {hardware.inter_link.name}" if hardware.nodes > 1 else ""
        source = (
            f"engine.collectives over {hardware.intra_link.name}{across} "
            f"({hardware.intra_link.source or 'catalog'}): alpha-beta curves fitted on measured collectives"
        )
        expression = "0"
        if value:
            if name == "dp":
                repeats = made.micro_batches if _work(case).sharding == "zero3" else 1
                what = "each micro-batch gathers and reduces" if repeats > 1 else "once a step"
                count = sheet.put("times", repeats, "", f"{_work(case).sharding}: {what}")
                each = sheet.put(
                    "each", value / repeats, "s", f"gradients and parameters over DP {layout.dp}: {source}", "fitted"
                )
            else:
                count = sheet.see("micro_batches", made.micro_batches, "", "training.micro_batches", "counted")
                each = sheet.put(
                    "each", value / made.micro_batches, "s", f"all passes of one micro-batch: {source}", "fitted"
                )
            expression = f"{each} * {count}"
        return sheet.working(
            f"training.{name}_communication_s",
            words,
            value,
            "s",
            "seconds of its collectives each time x times, hidden or not",
            expression,
            "fitted",
            MODEL,
        )

    return make


def _communication(case: Case) -> Working:
    sheet, run = Sheet(), _run(case)
    names = [
        sheet.see(name, getattr(run, f"{name}_communication_s"), "s", f"training.{name}_communication_s")
        for name in ("tp", "ep", "pp", "dp")
    ]
    return sheet.working(
        "training.communication_s",
        "In links, all of one step",
        run.communication_s,
        "s",
        "collectives along each dimension of the layout, hidden or not",
        " + ".join(names),
        "fitted",
        MODEL,
    )


def _optimizer(case: Case) -> Working:
    sheet, run, work = Sheet(), _run(case), _work(case)
    parts = sheet.put(
        "optimizer_s",
        run.optimizer_s,
        "s",
        f"bytes that {work.optimizer} moves for each parameter / memory rate, and what offload streams: {_error(case)}",
        "fitted",
    )
    return sheet.working(
        "training.optimizer_s",
        "Optimizer",
        run.optimizer_s,
        "s",
        "one update of the trained parameters",
        parts,
        "fitted",
        MODEL,
    )


def _micro_batches(case: Case) -> Working:
    sheet, run, work, layout = Sheet(), _run(case), _work(case), case.layout
    if work.gradient_accumulation is not None:
        expression = f"max(1, {sheet.entered('gradient_accumulation', work.gradient_accumulation)})"
        formula = "as entered"
    else:
        batch = sheet.entered("global_batch", work.global_batch_tokens, "tokens")
        replicas = sheet.put(
            "replicas", layout.dp / context_ranks(work, layout), "", "data-parallel ranks / context ranks"
        )
        micro = sheet.entered("micro_batch", work.micro_batch, "sequences")
        length = sheet.entered("sequence_length", work.sequence_length, "tokens")
        expression = f"max(1, round({batch} / ({length} * {micro} * {replicas})))"
        formula = "global batch / (sequence x micro-batch x replicas), at least 1"
    return sheet.working(
        "training.micro_batches",
        "Micro-batches of one step",
        run.micro_batches,
        "",
        formula,
        expression,
        "counted",
        "engine.training_speed.micro_batch_count",
    )


def _bubble(case: Case) -> Working:
    sheet, run, made = Sheet(), _run(case), _step(case)
    expression = "0"
    if made.bubble_slots:
        slots = sheet.put("bubble_slots", made.bubble_slots, "micro-batches", f"(PP {case.layout.pp} - 1) / chunks")
        whole = sheet.see("step", run.step_s, "s", "training.step_s")
        expression = f"{slots} * ({_compute_each(case, sheet)}) / {whole}"
    return sheet.working(
        "training.bubble_share",
        "Pipeline bubble",
        run.bubble_share,
        "",
        "idle micro-batch times x kernels of one / the step",
        expression,
        "fitted",
        "Narayanan et al. 2021 (arXiv 2104.04473), section 2.2",
    )


def _bubble_s(case: Case) -> Working:
    sheet, run = Sheet(), _run(case)
    share = sheet.see("bubble", run.bubble_share, "", "training.bubble_share")
    whole = sheet.see("step", run.step_s, "s", "training.step_s")
    value = run.bubble_share * run.step_s
    return sheet.working(
        "training.bubble_s",
        "Pipeline bubble of one step",
        value,
        "s",
        "share x step",
        f"{share} * {whole}",
        "fitted",
        MODEL,
    )


def _hidden_communication(case: Case) -> Working:
    sheet, run = Sheet(), _run(case)
    links = sheet.see("links", run.communication_s, "s", "training.communication_s")
    exposed = sheet.see("exposed", run.exposed_communication_s, "s", "training.exposed_communication_s")
    return sheet.working(
        "training.hidden_communication_s",
        "In links, hidden behind compute",
        max(0.0, run.communication_s - run.exposed_communication_s),
        "s",
        "all collectives - the exposed ones",
        f"max(0, {links} - {exposed})",
        "fitted",
        MODEL,
    )


# --- what follows --------------------------------------------------------------------------------


def _total(case: Case) -> Working:
    sheet, run, work = Sheet(), _run(case), _work(case)
    count = sheet.see("micro_batches", run.micro_batches, "", "training.micro_batches", "counted")
    micro = sheet.entered("micro_batch", work.micro_batch, "sequences")
    length = sheet.entered("sequence_length", work.sequence_length, "tokens")
    replicas = sheet.put(
        "replicas", case.layout.dp / context_ranks(work, case.layout), "", "data-parallel / context ranks"
    )
    whole = sheet.see("step", run.step_s, "s", "training.step_s")
    return sheet.working(
        "training.tokens_per_s_total",
        "Tokens a second, whole build",
        run.tokens_per_s_total,
        "tokens/s",
        "tokens of a step / its seconds",
        f"{count} * {micro} * {length} * {replicas} / {whole}",
        "fitted",
        MODEL,
    )


def _per_gpu(case: Case) -> Working:
    sheet, run = Sheet(), _run(case)
    total = sheet.see("tokens_s", run.tokens_per_s_total, "tokens/s", "training.tokens_per_s_total")
    gpus = sheet.put("gpus", case.layout.gpus, "GPUs", "layout")
    return sheet.working(
        "training.tokens_per_s_gpu",
        "Tokens a second per GPU",
        run.tokens_per_s_gpu,
        "tokens/s",
        "tokens a second of the build / GPUs",
        f"{total} / {gpus}",
        "fitted",
        f"{MODEL}; {_error(case)}",
        run.interval,
    )


def _days(case: Case) -> Working:
    sheet, run = Sheet(), _run(case)
    tokens = sheet.entered("total_tokens", _work(case).total_tokens, "tokens")
    speed = sheet.see("tokens_s", run.tokens_per_s_total, "tokens/s", "training.tokens_per_s_total")
    keep = sheet.see("goodput", run.goodput, "", "training.goodput", "rule of thumb")
    between = run.interval
    slow_fast = None
    if between.low > 0 and between.high > 0:
        slow_fast = Interval(*(run.days * run.tokens_per_s_gpu / bound for bound in (between.high, between.low)))
    day = sheet.put("seconds_a_day", SECONDS_PER_DAY, "s", "by definition")
    return sheet.working(
        "training.days",
        "Length of the run",
        run.days,
        "days",
        "tokens / tokens a second / goodput / seconds a day",
        f"{tokens} / {speed} / {keep} / {day}",
        "fitted",
        MODEL,
        slow_fast,
    )


def _step_tokens(case: Case) -> Working:
    sheet, run, work = Sheet(), _run(case), _work(case)
    speed = sheet.see("tokens_s", run.tokens_per_s_total, "tokens/s", "training.tokens_per_s_total")
    seconds = sheet.see("step_s", run.step_s, "s", "training.step_s")
    shape = (
        f"{run.micro_batches} micro-batches of {work.micro_batch} x {work.sequence_length:,} tokens on "
        f"{case.layout.dp} data-parallel ranks"
    )
    return sheet.working(
        "training.step_tokens",
        "Tokens of one step",
        run.tokens_per_s_total * run.step_s,
        "tokens",
        "tokens a second x seconds of a step",
        f"{speed} * {seconds}",
        "counted",
        MODEL,
        note=f"{shape[:1].upper()}{shape[1:]}.",
    )


def _worth(case: Case) -> Working:
    sheet, run = Sheet(), _run(case)
    share = sheet.see("efficiency", run.efficiency, "", "training.efficiency")
    gpus = sheet.see("gpus", case.scenario.hardware.gpus, "GPUs", "build.gpus", "entered")
    return sheet.working(
        "training.gpus_worth",
        "GPUs that would do the same if nothing were lost",
        run.efficiency * case.scenario.hardware.gpus,
        "GPUs",
        "speed of a GPU against one alone x GPUs",
        f"{share} * {gpus}",
        "fitted",
        MODEL,
    )


def _frontier(case: Case) -> Working:
    """GPUs of this kind that finish in the wall time asked, or in the one that is planned for."""
    sheet, run = Sheet(), _run(case)
    hours = sheet.see("gpu_hours", run.gpu_hours, "GPU-hours", "training.gpu_hours")
    deadline = _work(case).deadline_days
    days = sheet.put(
        "days",
        deadline or FRONTIER_DAYS,
        "days",
        "entered" if deadline else "planned for where no deadline is given: engine.verdict",
        "entered" if deadline else "rule of thumb",
    )
    value = math.ceil(run.gpu_hours / 24.0 / (deadline or FRONTIER_DAYS))
    return sheet.working(
        "training.frontier_gpus",
        "GPUs that finish in time",
        value,
        "GPUs",
        "GPU-hours of the run / 24 / days, up; at the speed of this plan's GPUs",
        f"ceil({hours} / 24 / {days})",
        "fitted",
        MODEL,
        note=f"For {_work(case).total_tokens / 1e12:,.3g}T tokens.",
    )


def _most_worth(case: Case) -> Working:
    sheet, run = Sheet(), _run(case)
    if not run.serial_share:
        raise KeyError("training.most_gpus_worth")
    share = sheet.see("serial_share", run.serial_share, "", "training.serial_share")
    return sheet.working(
        "training.most_gpus_worth",
        "GPUs whose work no number of them exceeds",
        1 / run.serial_share,
        "GPUs",
        "1 / Amdahl's serial share",
        f"1 / {share}",
        "fitted",
        MODEL,
    )


def _gpu_hours(case: Case) -> Working:
    sheet, run = Sheet(), _run(case)
    days = sheet.see("days", run.days, "days", "training.days")
    hours = sheet.put("hours_a_day", 24, "h", "by definition")
    gpus = sheet.put("gpus", case.scenario.hardware.gpus, "GPUs", "entered", "entered")
    return sheet.working(
        "training.gpu_hours",
        "GPU-hours",
        run.gpu_hours,
        "GPU-hours",
        "days x 24 x GPUs",
        f"{days} * {hours} * {gpus}",
        "fitted",
        MODEL,
    )


def _flops(case: Case) -> Working:
    sheet, run, active = Sheet(), _run(case), active_elements(case.arch)
    elements = sheet.put("elements", active.total, "elements", f"matrix elements that a token meets: {case.config}")
    attention = sheet.put(
        "attention",
        attention_flops_per_token(case.arch, _work(case).sequence_length),
        "FLOP",
        "scores and weighted values of an average token, causal (engine.flops)",
    )
    expression = f"2 * {elements}"
    if active.state:
        state = sheet.put("state_elements", active.state, "elements", case.config)
        each = sheet.put("flops_a_state", RECURRENT_FLOPS_PER_STATE_ELEMENT, "FLOP", "decay, write, read: engine.flops")
        expression += f" + {each} * {state}"
    return sheet.working(
        "training.flops_per_token",
        "FLOPs of one token",
        run.flops_per_token,
        "FLOP",
        "3 x (2 x elements a token meets + attention): one forward, two backward; nothing recomputed",
        f"3 * ({expression} + {attention})",
        "counted",
        "engine.flops: Kaplan et al. 2020, section 2.1; Korthikanti et al. 2022, appendix A",
    )


def _achieved(case: Case) -> Working:
    sheet, run = Sheet(), _run(case)
    speed = sheet.see("tokens_s", run.tokens_per_s_gpu, "tokens/s", "training.tokens_per_s_gpu")
    flops = sheet.see("flops", run.flops_per_token, "FLOP", "training.flops_per_token", "counted")
    tera = sheet.put("tera", TERA, "", "by definition")
    return sheet.working(
        "training.achieved_tflops",
        "Useful TFLOP/s per GPU",
        run.achieved_tflops,
        "TFLOP/s",
        "tokens a second per GPU x FLOPs of a token",
        f"{speed} * {flops} / {tera}",
        "fitted",
        MODEL,
    )


def _mfu(case: Case) -> Working:
    sheet, run, r = Sheet(), _run(case), _rates(case)
    speed = sheet.see("tokens_s", run.tokens_per_s_gpu, "tokens/s", "training.tokens_per_s_gpu")
    flops = sheet.see("flops", run.flops_per_token, "FLOP", "training.flops_per_token", "counted")
    peak = sheet.put("peak", r.peak, "FLOP/s", f"dense {r.dtype}: {case.sheet}", "data sheet")
    return sheet.working(
        "training.mfu",
        "MFU",
        run.mfu,
        "",
        "tokens a second per GPU x FLOPs of a token / dense data-sheet rate",
        f"{speed} * {flops} / {peak}",
        "fitted",
        MODEL,
    )


ONE_GPU = Layout()


def _alone(case: Case) -> Working:
    sheet, run, work = Sheet(), _run(case), _work(case)
    made = step(case.arch, case.scenario.hardware, work, ONE_GPU)
    tokens = made.micro_batches * work.micro_batch * work.sequence_length
    expression = (
        f"{sheet.put('tokens', tokens, 'tokens', 'of one step: the same global batch on one GPU')} / "
        f"{sheet.put('step_alone', tokens / run.one_gpu_tokens_per_s, 's', f'the same step without collectives: {MODEL}', 'fitted')}"
    )
    return sheet.working(
        "training.one_gpu_tokens_per_s",
        "Tokens a second of one GPU",
        run.one_gpu_tokens_per_s,
        "tokens/s",
        "one GPU of the kind, imagined with memory enough: tokens of a step / its seconds",
        expression,
        "fitted",
        MODEL,
    )


def _efficiency(case: Case) -> Working:
    sheet, run = Sheet(), _run(case)
    speed = sheet.see("tokens_s", run.tokens_per_s_gpu, "tokens/s", "training.tokens_per_s_gpu")
    alone = sheet.see("alone", run.one_gpu_tokens_per_s, "tokens/s", "training.one_gpu_tokens_per_s")
    return sheet.working(
        "training.efficiency",
        "Efficiency per GPU",
        run.efficiency,
        "",
        "tokens a second per GPU / those of one GPU, at most 1",
        f"min(1, {speed} / {alone})",
        "fitted",
        MODEL,
    )


def _a_day(case: Case) -> Working:
    sheet, run = Sheet(), _run(case)
    speed = sheet.see("tokens_s", run.tokens_per_s_total, "tokens/s", "training.tokens_per_s_total")
    keep = sheet.see("goodput", run.goodput, "", "training.goodput", "rule of thumb")
    day = sheet.put("seconds_a_day", SECONDS_PER_DAY, "s", "by definition")
    value = run.tokens_per_s_total * run.goodput * SECONDS_PER_DAY
    return sheet.working(
        "training.tokens_per_day",
        "Tokens a day",
        value,
        "tokens",
        "tokens a second x goodput x seconds a day",
        f"{speed} * {keep} * {day}",
        "fitted",
        MODEL,
    )


def _overlapped(name: str, at: int, title: str) -> Callable[[Case], Working]:
    """Tokens/s of a GPU with the least and the most communication hidden."""

    def make(case: Case) -> Working:
        sheet, run, made, share = Sheet(), _run(case), _step(case), OVERLAP_RANGE[at]
        count = sheet.see("micro_batches", made.micro_batches, "", "training.micro_batches", "counted")
        hidden = sheet.put(
            "hidden", share, "", "of in-node collectives, worst to best measured: engine.training_speed", "measured"
        )
        each = _compute_each(case, sheet)
        for span, seconds in (("tp", made.tp_each_s), ("ep", made.ep_each_s), ("pp", made.pp_each_s)):
            if seconds:
                total = sheet.see(span, seconds * made.micro_batches, "s", f"training.{span}_communication_s")
                behind = (
                    sheet.put("pp_hidden", made.hidden_pp, "", _fitted(case, "overlap.pp"), "fitted")
                    if span == "pp"
                    else hidden
                )
                each += f" + {total} / {count} * (1 - {behind})"
        spent = f"({each}) * {_slots(case, sheet)}"
        if made.dp_s:
            total = sheet.see("dp", made.dp_s, "s", "training.dp_communication_s")
            window = sheet.put(
                "window", made.window, "micro-batches", f"{_work(case).sharding} can hide behind so many"
            )
            spent += f" + max({total} * (1 - {hidden}), {total} - ({each}) * {window})"
        tail = sheet.see("optimizer", run.optimizer_s, "s", "training.optimizer_s")
        tokens = sheet.put("tokens", made.tokens, "tokens", "of one step")
        gpus = sheet.put("gpus", case.layout.gpus, "GPUs", "layout")
        return sheet.working(
            f"training.{name}",
            title,
            (run.overlap_range.low, run.overlap_range.high)[at],
            "tokens/s",
            "tokens of a step / its seconds with that share of the collectives hidden / GPUs",
            f"{tokens} / ({spent} + {tail}) / {gpus}",
            "fitted",
            MODEL,
        )

    return make


def _goodput(case: Case) -> Working:
    sheet, run, hardware = Sheet(), _run(case), case.scenario.hardware
    parameters = sheet.put("parameters", _body(case).parameters, "parameters", case.config)
    rate = sheet.put("write_gb_s", CHECKPOINT_WRITE_GB_S_PER_NODE, "GB/s", "a node to shared storage", "rule of thumb")
    nodes = sheet.put("nodes", hardware.nodes, "nodes", "entered", "entered")
    gb = sheet.put("bytes_per_gb", GB, "bytes", "by definition")
    hours = sheet.put(
        "gpu_hours_between_failures",
        GPU_HOURS_BETWEEN_FAILURES,
        "GPU-hours",
        "419 interruptions of 16,384 H100 in 54 days: Llama Team 2024 (arXiv 2407.21783, section 3.3.4)",
        "measured",
    )
    gpus = sheet.put("gpus", hardware.gpus, "GPUs", "entered", "entered")
    hour = sheet.put("seconds_an_hour", SECONDS_PER_HOUR, "s", "by definition")
    restart = sheet.put("restart_s", RESTART_S, "s", "engine.training_speed", "rule of thumb")
    write = f"({parameters} * 14 / ({rate} * {nodes} * {gb}))"
    between = f"({hours} / {gpus} * {hour})"
    every = f"(2 * max({write}, 1) * {between}) ** 0.5"
    return sheet.working(
        "training.goodput",
        "Share of time that makes progress",
        run.goodput,
        "",
        "1 - checkpoints at Young's interval - half an interval and a restart for each failure",
        f"max(0.05, 1 - ({write} / {every} + ({every} / 2 + {restart}) / {between}))",
        "rule of thumb",
        "engine.training_speed.goodput: Young 1974; checkpoints of 14 bytes a parameter",
    )


def _serial(case: Case) -> Working:
    sheet, run = Sheet(), _run(case)
    expression = "0"
    if case.layout.gpus > 1:
        share = sheet.see("efficiency", run.efficiency, "", "training.efficiency")
        gpus = sheet.put("gpus", case.layout.gpus, "GPUs", "layout")
        expression = f"max(0, (1 / {share} - 1) / ({gpus} - 1))"
    return sheet.working(
        "training.serial_share",
        "Serial share (Amdahl)",
        run.serial_share,
        "",
        "(1 / efficiency - 1) / (GPUs - 1)",
        expression,
        "fitted",
        "Amdahl 1967, solved for the serial share",
    )


def _cost(case: Case) -> Working:
    run, sheet = _run(case), Sheet()
    hourly = case.scenario.money.usd_per_gpu_hour
    if run.cost_usd is None or hourly is None:
        raise KeyError("training.cost_usd")
    hours = sheet.see("gpu_hours", run.gpu_hours, "GPU-hours", "training.gpu_hours")
    price = sheet.entered("usd_per_gpu_hour", hourly, "USD")
    return sheet.working(
        "training.cost_usd",
        "Rent of the run",
        run.cost_usd,
        "USD",
        "GPU-hours x price",
        f"{hours} * {price}",
        "fitted",
        MODEL,
    )


def _peak(case: Case) -> Working:
    sheet, run = Sheet(), _run(case)
    peak = sheet.see("peak", case.plan.memory.peak_bytes, "bytes", "memory.peak_bytes")
    return sheet.working(
        "training.peak_bytes",
        "Peak memory",
        run.peak_bytes,
        "bytes",
        "what a step needs on the fullest GPU",
        peak,
        "fitted",
        MODEL,
    )


FIGURES: dict[str, Callable[[Case], Working]] = {
    "step_s": _step_s,
    "tokens_per_s_gpu": _per_gpu,
    "tokens_per_s_total": _total,
    "mfu": _mfu,
    "days": _days,
    "step_tokens": _step_tokens,
    "gpus_worth": _worth,
    "gpu_hours": _gpu_hours,
    "peak_bytes": _peak,
    "efficiency": _efficiency,
    "flops_per_token": _flops,
    "achieved_tflops": _achieved,
    "compute_s": _compute,
    "communication_s": _communication,
    "exposed_communication_s": _exposed,
    "bubble_share": _bubble,
    "bubble_s": _bubble_s,
    "hidden_communication_s": _hidden_communication,
    "cost_usd": _cost,
    "goodput": _goodput,
    "tokens_per_day": _a_day,
    "none_hidden_tokens_per_s": _overlapped("none_hidden_tokens_per_s", 0, "Tokens/s per GPU, nothing hidden"),
    "most_hidden_tokens_per_s": _overlapped("most_hidden_tokens_per_s", 1, "Tokens/s per GPU, the most hidden"),
    "tp_communication_s": _span("tp", "Tensor-parallel collectives of one step"),
    "ep_communication_s": _span("ep", "Expert- and context-parallel collectives of one step"),
    "pp_communication_s": _span("pp", "Pipeline messages of one step"),
    "dp_communication_s": _span("dp", "Data-parallel collectives of one step"),
    "optimizer_s": _optimizer,
    "micro_batches": _micro_batches,
    "one_gpu_tokens_per_s": _alone,
    "serial_share": _serial,
    "layers_s": _layers,
    "head_s": _head,
}
"""By the name of the field of `Training`, then the quantities that these are worked out from."""
SOMETIMES: dict[str, Callable[[Case], Working]] = {"most_gpus_worth": _most_worth, "frontier_gpus": _frontier}
"""Figures that a run may lack."""
