"""Claims on what fits: weights, the rule of thumb, the capacity of a card."""

from __future__ import annotations

from collections.abc import Iterator

import catalog
from engine.decide.size import size
from engine.figures.units import GB
from engine.model.formats import model_weight_bytes
from engine.model.parameters import count_parameters
from tests.claims.claim import CEILING_LOAD, HEAVY_LOAD, Claim, Entry, architecture_of, fit_word, near, overlaps
from tests.engine.builds import build


def _weights(entry: Entry, name: str, key: str) -> Iterator[Claim]:
    formats = {
        "weights_fp16_gb": ("bf16", "FP16"),
        "weights_fp8_gb": ("fp8", "FP8"),
        "weights_int4_gb": ("int4", "INT4"),
    }
    for field, (format_id, label) in formats.items():
        if field not in entry:
            continue
        ours = model_weight_bytes(architecture_of(entry["model"]), format_id) / GB
        theirs = entry[field]
        why = ""
        if not near(ours, theirs):
            parameters = count_parameters(architecture_of(entry["model"]))
            why = (
                f"The article counts active parameters only; all {parameters.total / GB:,.0f}B must be resident."
                if parameters.active < parameters.total
                else f"Embeddings, head and scales stay wider than {label}."
            )
        yield Claim(key, entry["source"], f"{name} weights at {label}: {theirs} GB", f"{ours:,.0f} GB", not why, why)


def _bounded(model: str, load: Entry) -> Entry:
    """The load, with prompts cut to what the model's context allows."""
    room = architecture_of(model).max_position - load["output_tokens"]
    return {**load, "input_tokens": min(load["input_tokens"], room)}


def _ceiling_verdicts(entry: Entry, name: str, key: str) -> Iterator[Claim]:
    model = entry["model"]
    for field, accelerator, card in (
        ("verdict_8x_rtx_5090", "rtx-5090", "8x RTX 5090"),
        ("verdict_8x_rtx_pro_6000", "rtx-pro-6000-server", "8x RTX PRO 6000"),
        ("verdict_8x_h100", "h100-sxm", "8x H100"),
    ):
        if field not in entry:
            continue
        said = entry[field]
        high = "bf16" if "FP16" in said else "fp8"
        light = _bounded(model, CEILING_LOAD)
        sized = {w: size(build(model, w, accelerator, **light)) for w in (high, "fp8", "int4")}
        heavy = size(build(model, "fp8", accelerator, **_bounded(model, HEAVY_LOAD)))
        words = ", ".join(f"{w.upper()} {fit_word(s)}" for w, s in sized.items())
        words += f"; FP8 under 64 users of 8k {fit_word(heavy)}"
        fits = {w: s.memory.fits for w, s in sized.items()}
        strained = not heavy.memory.fits or heavy.memory.headroom in ("tight", "marginal")
        if said.startswith("yes"):
            agrees, why = fits["fp8"], ""
        elif said == "no":
            agrees, why = not fits["fp8"], ""
            if entry["source"] == "kentino":  # its table counts INT4 as a way to fit
                agrees = not fits["fp8"] and not (fits["int4"] and sized["int4"].memory.headroom == "comfortable")
                why = "" if agrees else "INT4 fits here by bytes; the table looks at the 60-70 % rule."
        elif said == "INT4 only, tight":
            agrees = not fits["fp8"]
            why = (
                ""
                if agrees
                else (
                    "FP8 takes 52 % of each card, which the article's own 60-70 % rule passes; it turns tight under load."
                )
            )
        elif said == "INT4 yes, FP8 marginal":
            agrees, why = fits["int4"] and (strained or not fits["fp8"]), ""
            if not agrees:
                why = "By bytes FP8 holds this load; it becomes marginal only with longer prompts or more users."
        else:  # FP16 no, FP8 yes
            agrees, why = not fits["bf16"] and fits["fp8"], ""
        yield Claim(key, entry["source"], f"{name} on {card}: {said}", words, agrees, why)


def ceiling(entry: Entry, key: str) -> Iterator[Claim]:
    """Weights of a model and whether an eight-GPU node holds it."""
    name = catalog.load().model(entry["model"]).name
    yield from _weights(entry, name, key)
    yield from _ceiling_verdicts(entry, name, key)


def rule(entry: Entry, key: str) -> Iterator[Claim]:
    """The weights-share rule and the system-RAM rule."""
    share = entry["weights_share"]
    light = size(build("llama-3.1-405b", "fp8", **CEILING_LOAD)).memory
    yield Claim(
        f"{key}.weights_share",
        share["source"],
        "weights at 60-70 % of VRAM leave enough for everything else",
        f"405B FP8 on 8x 96 GB: {100 * light.weights_share:.0f} % and {light.headroom}; the bytes decide, both are shown",
        light.fits and light.weights_share < share["weights_share_of_vram"][1],
    )
    full = size(build("llama-3.1-405b", "fp8", "h100-sxm", concurrency=33, input_tokens=7000)).memory
    used = full.worst.used_bytes / full.worst.usable_bytes
    yield Claim(
        f"{key}.weights_share.preempts_above",
        share["source"],
        "above 95 % of VRAM the engine preempts under load",
        f"filled to {100 * used:.0f} %: {full.headroom}",
        used > share["preempts_above"] and full.headroom in ("marginal", "does not fit"),
    )
    needed = size(build(gpus_per_node=2)).power.host_memory_gib_min or 0.0
    yield Claim(
        f"{key}.system_ram",
        entry["system_ram"]["source"],
        "host RAM is at least the total VRAM",
        f"2x 96 GB: at least {needed * 2**30 / GB:,.0f} GB",
        needed * 2**30 / GB >= 191,
    )


def capacity(entry: Entry, key: str) -> Iterator[Claim]:
    """Aggregate throughput of a node at 70B FP8."""
    node = entry["node_70b_fp8"]
    sizing = size(build(concurrency=64, input_tokens=1000, output_tokens=1000))
    assert sizing.serving is not None
    total = sizing.serving.tokens_per_s_total
    span = sizing.serving.tokens_per_s_interval
    agrees = overlaps(span.low, span.high, node["aggregate_tokens_per_s"])
    yield Claim(
        f"{key}.node_70b_fp8",
        node["source"],
        "an 8-GPU node serves 500-2,000 tokens/s of 70B FP8 in all",
        f"{total:,.0f} tokens/s ({span.low:,.0f}-{span.high:,.0f}) for 64 users of 1k + 1k on 8x RTX PRO 6000",
        agrees,
        "" if agrees else "Conservative: measured continuous batching on such nodes is higher (inference_perf.jsonl).",
    )
