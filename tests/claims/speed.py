"""Claims on serving speed: one card, many users, several nodes."""

from __future__ import annotations

import bisect
from collections.abc import Iterator

from engine.decide.size import size
from engine.scenario import LayoutChoice
from engine.sizing import Serving
from tests.claims.claim import Claim, Entry, catalog_facts, overlaps, within
from tests.engine.builds import build


def single_card(entry: Entry, key: str) -> Iterator[Claim]:
    """What one 96 GB card handles."""
    pro: Entry = {"accelerator": "rtx-pro-6000-workstation", "gpus_per_node": 1}
    chat = {"input_tokens": 2000, "output_tokens": 500}
    cases: dict[str, Entry] = {
        "70B Q4, long context, one user": {
            "weights": "int4",
            "concurrency": 1,
            "input_tokens": 28000,
            "output_tokens": 2000,
        },
        "32-34B FP16": {"model": "qwen2.5-32b", "weights": "bf16", "concurrency": 4, **chat},
        "13B and smaller FP16 with concurrent serving": {
            "model": "llama-2-13b",
            "weights": "bf16",
            "concurrency": 16,
            "input_tokens": 1500,
            "output_tokens": 500,
        },
        "QLoRA of 70B": {"weights": "bf16", "kind": "qlora"},
        "LoRA of 32-34B": {"model": "qwen2.5-32b", "weights": "bf16", "kind": "lora"},
        "full fine-tune of 13B": {
            "model": "llama-2-13b",
            "weights": "bf16",
            "kind": "full-finetune",
            "sequence_length": 2048,
        },
    }
    for handled in entry["handles"]:
        sizing = size(build(**{**pro, **cases[handled]}))
        agrees, why, shown = sizing.memory.fits, "", str(sizing.memory.headroom)
        if handled.startswith("full"):
            eight = size(build(**{**pro, **cases[handled], "optimizer": "adamw-8bit", "master_weights": False}))
            shown = (
                f"ordinary AdamW: {sizing.memory.headroom}; 8-bit AdamW without a master copy: {eight.memory.headroom}"
            )
            agrees = eight.memory.fits
            why = "Only with 8-bit states: 13B at 16 bytes a parameter is 208 GB."
        yield Claim(key, entry["source"], f"one 96 GB card handles {handled}", shown, agrees, why)


def concurrency(entry: Entry, key: str) -> Iterator[Claim]:
    """Users a card serves."""
    case = entry["case"]
    fields: Entry
    if case.startswith("13B"):
        fields = {
            "model": "llama-2-13b",
            "weights": "int8",
            "accelerator": "l40s",
            "gpus_per_node": 1,
            "input_tokens": 1500,
            "output_tokens": 500,
        }
        setting = "2k tokens a user"
    else:
        gpus = 2 if "two" in case else 1
        fields = {
            "weights": "int4",
            "accelerator": "rtx-pro-6000-workstation",
            "gpus_per_node": gpus,
            "input_tokens": 14000,
            "output_tokens": 2000,
        }
        setting = "16k tokens a user"
    if "data parallel" in case:
        fields |= {"layout": LayoutChoice(tp=1, pp=1, dp=2)}
    users = size(build(**fields, concurrency=1)).memory.max_concurrency
    agrees = within(users, entry["users"], 0.15)
    low, high = entry["users"]
    yield Claim(
        key,
        entry["source"],
        f"{case}: {low}-{high} users",
        f"KV for {users:,.0f} users at {setting}",
        agrees,
        "" if agrees else "The KV that fits depends on the length asked; the article names none.",
    )


# Rows inf-1079 and inf-1151 (8x H200), inf-1666 (2x 8x H100) of inference_perf.jsonl.
OLD_ENGINES = (
    "Measured: 8x H200 write 97-117 tokens/s for each of 4 users under SGLang 0.5.9 and TensorRT-LLM 1.1; 2x 8x H100 wrote 23 "
    "under TensorRT-LLM 0.17. The article's figures are those of the engines of early 2025."
)


def _r1_over(nodes: int, prompt: int) -> Serving:
    """DeepSeek-R1 for one user over nodes of 8x H100, TP inside and PP across."""
    layout = LayoutChoice(tp=8, pp=nodes, dp=1)
    load: Entry = {"concurrency": 1, "input_tokens": prompt, "output_tokens": 500}
    serving = size(build("deepseek-r1", "fp8", "h100-sxm", nodes=nodes, layout=layout, **load)).serving
    assert serving is not None
    return serving


def _prompt_of(nodes: int, ttft_ms: float) -> str:
    """The prompt length whose first token takes as long, in hundreds of tokens."""
    lengths = range(100, 60_000, 100)
    index = bisect.bisect_left(lengths, ttft_ms / 1e3, key=lambda tokens: _r1_over(nodes, tokens).ttft_s)
    return f"{ttft_ms:,.0f} ms is ours for {lengths[min(index, len(lengths) - 1)]:,} tokens."


def multinode_performance(entry: Entry, key: str) -> Iterator[Claim]:
    """DeepSeek-R1 over several nodes of H100."""
    nodes = int(entry["configuration"][0])
    serving = _r1_over(nodes, 1000)
    speed = serving.single_stream_tokens_per_s
    span = serving.inter_token_interval
    agrees = overlaps(1 / span.high, 1 / span.low, [float(n) for n in entry["tokens_per_s_single_stream"]])
    why = ""
    if nodes == 4:
        two = _r1_over(2, 1000)
        why = f"More stages do not speed up one stream: PP 2 gives {two.single_stream_tokens_per_s:,.0f}, PP 4 {speed:,.0f}."
    elif not agrees:
        why = OLD_ENGINES
    claimed = entry["tokens_per_s_single_stream"]
    yield Claim(
        key,
        entry["source"],
        f"{entry['configuration']}: {claimed[0]}-{claimed[1]} tokens/s single stream",
        f"{speed:,.0f} tokens/s",
        agrees,
        why,
    )
    ttft_ms = serving.ttft_s * 1e3
    low, high = serving.ttft_interval.low * 1e3, serving.ttft_interval.high * 1e3
    inside = low <= entry["ttft_ms"] <= high
    yield Claim(
        key,
        entry["source"],
        f"{entry['configuration']}: TTFT {entry['ttft_ms']} ms",
        f"{ttft_ms:,.0f} ms for 1,000 tokens ({low:,.0f}-{high:,.0f})",
        inside,
        "" if inside else f"The article names no prompt length: {_prompt_of(nodes, entry['ttft_ms'])}",
    )
    offers = sorted(r.usd_per_gpu_hour * 8 * nodes for r in catalog_facts().rentals if r.accelerator == "h100-sxm")
    yield Claim(
        key,
        entry["source"],
        f"{entry['configuration']}: ${entry['usd_per_hour']}/h",
        f"${offers[0]:,.0f}-${offers[-1]:,.0f}/h over dated offers",
        offers[0] <= entry["usd_per_hour"] <= offers[-1],
    )


def multinode_deployment(entry: Entry, key: str) -> Iterator[Claim]:
    """The layout and fabric of a two-node deployment, and what else to consider."""
    sizing = size(build("deepseek-r1", "fp8", "h100-sxm", nodes=2, concurrency=16))
    yield Claim(
        key,
        entry["source"],
        entry["layout"],
        f"auto takes TP {sizing.layout.tp}, PP {sizing.layout.pp}",
        (sizing.layout.tp, sizing.layout.pp) == (8, 2),
    )
    words = {row.link: row.word_tp or row.word for row in sizing.fabric}
    relative = {row.link: row.relative_speed_pp or 0.0 for row in sizing.fabric}
    yield Claim(
        key,
        entry["source"],
        f"minimum fabric: {entry['minimum_fabric']}",
        f"with PP across, HDR keeps {100 * relative['ib-hdr']:.0f} % of the speed ({words['ib-hdr']} for TP across)",
        relative["ib-hdr"] > 0.8,
    )
    int4 = size(build("deepseek-r1", "int4", "h100-sxm", concurrency=16))
    yield Claim(
        key,
        entry["source"],
        f"alternatives: {', '.join(entry['alternatives'])}",
        f"one node at INT4 is {int4.memory.headroom}",
        int4.memory.fits,
    )
