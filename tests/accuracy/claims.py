"""Every checkable claim of the five source articles beside our own figure: agrees or not, and why not.

`all_claims()` walks tests/reference/seed_claims.toml entry by entry; `scripts/write_docs.py` prints it as docs/claims.md.
A range agrees when our figure (or its interval) meets it; a single round number agrees within 15 %, the precision
that "about 75 GB" carries.
"""

from __future__ import annotations

import bisect
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import catalog
from engine.decide.builds import priced
from engine.decide.plan import plan
from engine.decide.size import size
from engine.figures.sentences import text_of
from engine.figures.units import GB, TB
from engine.model.formats import FORMATS, model_weight_bytes
from engine.model.parameters import count_parameters
from engine.parts.hardware import Facts
from engine.scenario import LayoutChoice
from engine.sizing import Serving, Sizing
from tests.accuracy.harness import REFERENCE
from tests.accuracy.training_claims import TrainingClaim, training_claims
from tests.claims.paths import article_penalty, path_claim
from tests.claims.world import ARTICLE_TOLERANCE, article_scaling
from tests.engine.builds import build

ROUND_NUMBER = 0.15
Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Claim:
    """One row: what the article says, what we say, whether they agree, and the reason where they do not."""

    key: str  # section and position in seed_claims.toml
    source: str
    claim: str
    ours: str
    agrees: bool
    why: str = ""


def claims_file() -> Entry:
    """The claims as data."""
    return tomllib.loads((REFERENCE / "seed_claims.toml").read_text(encoding="utf-8"))


def near(ours: float, theirs: float, tolerance: float = ROUND_NUMBER) -> bool:
    """Whether two figures agree within a relative tolerance of theirs."""
    return abs(ours - theirs) <= tolerance * abs(theirs)


def within(ours: float, claimed: list[float], tolerance: float = 0.0) -> bool:
    """Whether a figure lies in a claimed range, widened by a tolerance of its ends."""
    return claimed[0] * (1 - tolerance) <= ours <= claimed[-1] * (1 + tolerance)


def overlaps(low: float, high: float, claimed: list[float]) -> bool:
    """Whether our interval meets a claimed range."""
    return low <= claimed[-1] and high >= claimed[0]


def _facts() -> Facts:
    return catalog.load().facts


def _arch(model: str) -> Any:
    return catalog.load().model(model).architecture


def _fit_word(sizing: Sizing) -> str:
    return sizing.memory.headroom


# ---------------------------------------------------------------- fit

# The load that a bare "does it fit" is asked with: a small team at a usual prompt.
CEILING_LOAD: Entry = {"concurrency": 16, "input_tokens": 3000, "output_tokens": 1000}
# What a heavier, still ordinary load does to the marginal cases: the articles' "under load".
HEAVY_LOAD = {"concurrency": 64, "input_tokens": 7000, "output_tokens": 1000}


def _weights(entry: Entry, name: str, key: str) -> Iterator[Claim]:
    formats = {
        "weights_fp16_gb": ("bf16", "FP16"),
        "weights_fp8_gb": ("fp8", "FP8"),
        "weights_int4_gb": ("int4", "INT4"),
    }
    for field, (format_id, label) in formats.items():
        if field not in entry:
            continue
        ours = model_weight_bytes(_arch(entry["model"]), format_id) / GB
        theirs = entry[field]
        why = ""
        if not near(ours, theirs):
            parameters = count_parameters(_arch(entry["model"]))
            why = (
                f"The article counts active parameters only; all {parameters.total / GB:,.0f}B must be resident."
                if parameters.active < parameters.total
                else f"Embeddings, head and scales stay wider than {label}."
            )
        yield Claim(key, entry["source"], f"{name} weights at {label}: {theirs} GB", f"{ours:,.0f} GB", not why, why)


def _bounded(model: str, load: Entry) -> Entry:
    """The load, with prompts cut to what the model's context allows."""
    room = _arch(model).max_position - load["output_tokens"]
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
        words = ", ".join(f"{w.upper()} {_fit_word(s)}" for w, s in sized.items())
        words += f"; FP8 under 64 users of 8k {_fit_word(heavy)}"
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


# ---------------------------------------------------------------- the flow

FLOW: dict[int, tuple[Entry, str]] = {
    1: ({"model": "llama-3.1-70b", "weights": "fp8", "concurrency": 32}, "one-node"),
    2: ({"model": "deepseek-v3", "weights": "fp8", "concurrency": 8}, "one-node-int4"),
    3: ({"model": "llama-3.1-70b", "weights": "fp8", "concurrency": 4000}, "replicas"),
    4: ({"model": "llama-3.1-70b", "weights": "bf16", "kind": "full-finetune", "nodes": 2}, "multi-node"),
    5: (
        {"model": "llama-3.1-70b", "weights": "bf16", "accelerator": "h100-sxm", "kind": "pretrain", "nodes": 4},
        "frontier",
    ),
}


def decision_step(entry: Entry, key: str) -> Iterator[Claim]:
    """Each step of the flow ends on a case made for it."""
    fields, expected = FLOW[entry["number"]]
    verdict = size(build(**fields)).verdict
    yield Claim(
        key,
        "kentino",
        f"step {entry['number']}: {entry['question']} yes: {entry['yes']}",
        f"{text_of(verdict.headline)} (step {verdict.step})",
        verdict.answer == expected and verdict.step == entry["number"],
    )


def must_scale_out(entry: Entry, key: str) -> Iterator[Claim]:
    """The cases where one node is not enough."""
    case = entry["case"]
    if case.startswith("train 70B"):
        sizing = size(
            build(
                weights="bf16",
                accelerator="h100-sxm",
                nodes=8,
                kind="pretrain",
                total_tokens=1_500_000_000_000,
                deadline_days=180,
            )
        )
        training = sizing.training
        assert training is not None
        gpus = training.gpu_hours / 24 / 180
        yield Claim(
            key,
            entry["source"],
            f"{case}: {entry['gpus'][0]}-{entry['gpus'][1]}+ GPUs",
            f"{sizing.verdict.answer}; 1.5T tokens in 180 days take about {gpus:,.0f} H100",
            sizing.verdict.answer == "frontier" and gpus >= entry["gpus"][0],
            "" if gpus <= entry["gpus"][1] else "the article's range is a floor: 128+ at 1.5T tokens in half a year",
        )
    elif case.startswith("full-rank"):
        sizing = size(build(weights="bf16", kind="full-finetune", nodes=2))
        total = (
            sum(g.gpus * (g.weights_bytes + g.optimizer_bytes + g.gradient_bytes) for g in sizing.memory.per_gpu) / TB
        )
        parameters = count_parameters(_arch("llama-3.1-70b")).total
        span = [16 * parameters / TB, 20 * parameters / TB]
        yield Claim(
            key,
            entry["source"],
            f"{case}: {entry['state_tb'][0]}-{entry['state_tb'][1]} TB of state",
            f"{span[0]:.2f} / {18 * parameters / TB:.2f} / {span[1]:.2f} TB at 16 / 18 / 20 bytes a parameter; ours {total:.2f} TB",
            overlaps(span[0], span[1], entry["state_tb"]),
        )
        yield Claim(
            key,
            entry["source"],
            f"{case}: {entry['nodes'][0]}-{entry['nodes'][1]} nodes",
            text_of(sizing.verdict.headline),
            sizing.verdict.answer == "multi-node" and f"{entry['nodes'][0]} nodes" in text_of(sizing.verdict.build),
        )
    elif case.startswith("405B"):
        load: Entry = {"concurrency": 64, "input_tokens": 7000, "output_tokens": 1000}
        sizing = size(build("llama-3.1-405b", "fp8", nodes=2, **load))
        one = size(build("llama-3.1-405b", "fp8", **load))
        layouts = [f"TP={sizing.layout.tp} x PP={sizing.layout.pp}"]
        held = sizing.memory.fits and (not one.memory.fits or one.memory.headroom in ("tight", "marginal"))
        yield Claim(
            key,
            entry["source"],
            f"{case}: {' or '.join(entry['layouts'])} on {entry['nodes']} nodes",
            f"64 users of 8k: one node is {one.memory.headroom}, two are {sizing.memory.headroom} as {layouts[0]}, DP {sizing.layout.dp}",
            held,
            "" if held else "By bytes one node holds 64 users of 8k; two nodes buy speed, not fit.",
        )
    else:
        sizing = size(build(concurrency=32, requests_per_s=100_000.0))
        yield Claim(
            key,
            entry["source"],
            f"{case}: {entry['answer']}",
            text_of(sizing.verdict.headline),
            sizing.verdict.answer == "replicas",
        )


def must_not_scale_out(entry: Entry, key: str) -> Iterator[Claim]:
    """The cases where a second node, or a second card, is money lost."""
    case, source = entry["case"], entry["source"]
    one_place = ("one-gpu", "one-node", "one-node-int4")

    def row(claim: str, sizing: Sizing, agrees: bool, why: str = "") -> Claim:
        return Claim(key, source, claim, f"{text_of(sizing.verdict.headline)}; {sizing.memory.headroom}", agrees, why)

    if case.startswith("inference of any"):
        sizing = size(build(nodes=2))
        yield row(f"{case}: one node", sizing, sizing.verdict.answer in one_place)
    elif case.startswith("70B at moderate"):
        for users in entry["concurrency"]:
            sizing = size(build(concurrency=users))
            yield row(
                f"{case}, {users} users: one node",
                sizing,
                sizing.verdict.answer in one_place and sizing.verdict.carried,
            )
    elif case == "LoRA / QLoRA":
        for gpus in (4, 8):
            sizing = size(build(weights="bf16", kind="lora", gpus_per_node=gpus))
            yield row(f"70B LoRA on {gpus} GPUs of one node", sizing, sizing.memory.fits)
        sizing = size(build("llama-3.1-405b", "bf16", kind="qlora"))
        yield row("405B QLoRA on 8x RTX PRO 6000", sizing, sizing.memory.fits)
    elif case.startswith("batch"):
        sizing = size(build(kind="batch", concurrency=64))
        yield row(f"{case}: one node", sizing, sizing.verdict.answer in one_place)
    elif case.startswith("LoRA / QLoRA up to 70B"):
        sizing = size(build(weights="bf16", kind="qlora", accelerator="a100-sxm4-80gb", gpus_per_node=1))
        yield row("70B QLoRA on one A100 80 GB", sizing, sizing.memory.fits)
        lora = size(build(weights="bf16", kind="lora", accelerator="a100-sxm4-80gb", gpus_per_node=1))
        yield row(
            "70B LoRA on one A100 80 GB",
            lora,
            lora.memory.fits,
            "" if lora.memory.fits else "16-bit base weights alone are 141 GB; only QLoRA fits one 80 GB card.",
        )
    elif case.startswith("training models under 30B"):
        model = "qwen3-32b"
        full = size(build(model, "bf16", "h100-sxm", 1, kind="full-finetune"))
        lora = size(build(model, "bf16", "h100-sxm", 1, kind="lora"))
        qlora = size(build(model, "bf16", "h100-sxm", 1, kind="qlora"))
        yield row(
            f"{case} (32B: full {full.memory.headroom}, LoRA {lora.memory.headroom}, QLoRA {qlora.memory.headroom})",
            qlora,
            qlora.memory.fits and not full.memory.fits,
            "True for adapters only: 30B at 16 bytes a parameter is 480 GB of state.",
        )
    else:
        sizing = size(build("llama-3.1-8b", "bf16", gpus_per_node=2, concurrency=1))
        yield row(f"{case}: a second card adds nothing", sizing, sizing.verdict.answer == "one-gpu")


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


# ---------------------------------------------------------------- fabric and scaling


def path(entry: Entry, key: str) -> Iterator[Claim]:
    """A row of an article's path table."""
    compared = path_claim(entry, _facts())
    yield Claim(key, entry["source"], compared.claim, compared.ours, compared.agrees, compared.why)


def cliff(entry: Entry, key: str) -> Iterator[Claim]:
    """The penalty of leaving the box."""
    for compared in article_penalty(entry, _facts()):
        yield Claim(key, entry["source"], compared.claim, compared.ours, compared.agrees, compared.why)


def efficiency(entry: Entry, key: str) -> Iterator[Claim]:
    """One row of the article's scaling table in its own world of assumptions."""
    row = next(r for r in article_scaling() if r.configuration == entry["configuration"])
    claimed = entry["per_gpu"]
    agrees = abs(row.efficiency - claimed) <= ARTICLE_TOLERANCE
    yield Claim(
        key,
        entry["source"],
        f"{entry['configuration']}: {claimed:.2f} per GPU",
        f"{row.efficiency:.2f} under the article's assumptions",
        agrees,
        "" if agrees else "TP 8 already costs what the row above says; adding pipeline stages cannot give it back.",
    )


def sxm_penalty(entry: Entry, key: str) -> Iterator[Claim]:
    """PCIe against SXM in training wall-clock."""
    for made in training_claims():
        if made.section == "sxm_penalty":
            yield _training_row(key, entry["source"], made)


def _training_row(key: str, source: str, made: TrainingClaim) -> Claim:
    claimed = f"{made.low:.2f}" if made.low == made.high else f"{made.low:.2f}-{made.high:.2f}"
    ours = "-".join(dict.fromkeys(f"{value:.2f}" for value in (min(made.ours), max(made.ours))))
    return Claim(key, source, f"{made.claim}: {claimed}", ours, made.inside, "" if made.inside else made.why)


def speedup(entry: Entry, key: str) -> Iterator[Claim]:
    """What a second and a fourth card bring."""
    workload = entry["workload"]
    if "inference" not in workload:
        for made in training_claims():
            words = "30 days on one GPU" if "days" in entry else workload
            if "throughput_lost" in entry:
                words = "throughput lost"
            if made.section == "speedup" and made.claim.startswith(words):
                yield _training_row(key, entry["source"], made)
        return
    split = workload.startswith("tensor")
    for field, card, gpus, words in (
        ("gpus_2_nvlink", "h200-sxm", 2, "2 GPUs over NVLink"),
        ("gpus_2_pcie5", "rtx-pro-6000-workstation", 2, "2 GPUs over PCIe 5"),
        ("gpus_4_nvlink", "h200-sxm", 4, "4 GPUs over NVLink"),
    ):
        cards: Entry = {"weights": "fp8", "accelerator": card, "input_tokens": 1000, "output_tokens": 500}
        one = size(build(**cards, gpus_per_node=1, concurrency=8, layout=LayoutChoice(1, 1, 1))).serving
        layout = LayoutChoice(gpus, 1, 1) if split else LayoutChoice(1, 1, gpus)
        users = 8 if split else 8 * gpus
        many = size(build(**cards, gpus_per_node=gpus, concurrency=users, layout=layout)).serving
        assert one is not None
        assert many is not None
        ours = many.tokens_per_s_total / one.tokens_per_s_total
        agrees = within(ours, entry[field], 0.05)
        low, high = entry[field]
        yield Claim(
            key,
            entry["source"],
            f"{workload}, {words}: {low}-{high}x",
            f"{ours:.2f}x (70B FP8, {users} users of 1k + 500)",
            agrees,
            ""
            if agrees
            else "Measured serving gains less: H200 under vLLM at 8 users 1.57x with two and 2.22x with four (inference_perf.jsonl).",
        )


def efficiency_floor(entry: Entry, key: str) -> Iterator[Claim]:
    """Below 60 % the shape is wrong."""
    rows = [r for r in size(build(weights="bf16", kind="pretrain")).scaling if r.below_floor]
    yield Claim(
        key,
        entry["source"],
        f"under {entry['per_gpu']:.2f} per GPU: {entry['below']}",
        f"{len(rows)} shapes of the 70B table are flagged, each with a better one",
        bool(rows) and all(r.efficiency < entry["per_gpu"] and r.better for r in rows),
    )


def lab_trap(entry: Entry, key: str) -> Iterator[Claim]:
    """Two small nodes against one big one."""
    sizing = size(build("llama-3.1-405b", "fp8", gpus_per_node=4, nodes=2, concurrency=4))
    rows = {r.configuration: r.efficiency for r in article_scaling()}
    split = next(v for k, v in rows.items() if k.startswith("2 nodes x 4"))
    whole = next(v for k, v in rows.items() if k.startswith("8 GPU") and "TP" in k)
    yield Claim(
        key,
        entry["source"],
        f"{entry['claim']}: {entry['training']['two_by_four']} against {entry['training']['one_by_eight']}",
        f"{split:.2f} against {whole:.2f}; verdict: {text_of(sizing.verdict.headline)}",
        split < whole and "two-small-nodes" in {w.id for w in sizing.warnings},
    )


# ---------------------------------------------------------------- mapping


def _mapped(workload: str) -> tuple[list[Entry], list[Entry]]:
    """Builds the claim says are right, and smaller ones it implies are not."""
    chat = {"input_tokens": 2000, "output_tokens": 500}
    long = {"input_tokens": 28000, "output_tokens": 2000}
    pro: Entry = {"accelerator": "rtx-pro-6000-workstation"}
    table: dict[str, tuple[list[Entry], list[Entry]]] = {
        "Mistral 7B, one user": (
            [
                {
                    "model": "mistral-7b-v0.3",
                    "weights": "bf16",
                    "accelerator": "rtx-4090",
                    "gpus_per_node": 1,
                    "concurrency": 1,
                    **chat,
                }
            ],
            [],
        ),
        "LoRA fine-tune 7B": (
            [
                {
                    "model": "mistral-7b-v0.3",
                    "weights": "bf16",
                    "accelerator": "rtx-4090",
                    "gpus_per_node": 1,
                    "kind": "lora",
                    "sequence_length": 1024,
                    "loss": "fused",
                }
            ],
            [],
        ),
        "13B for 5-10 concurrent users": (
            [
                {
                    "model": "llama-2-13b",
                    "weights": "bf16",
                    "accelerator": "l40s",
                    "gpus_per_node": 1,
                    "concurrency": 8,
                    "input_tokens": 1500,
                    "output_tokens": 500,
                }
            ],
            [
                {
                    "model": "llama-2-13b",
                    "weights": "bf16",
                    "accelerator": "rtx-4090",
                    "gpus_per_node": 1,
                    "concurrency": 8,
                    "input_tokens": 1500,
                    "output_tokens": 500,
                }
            ],
        ),
        "70B Q4, one user": ([{"weights": "int4", "gpus_per_node": 1, "concurrency": 1, **pro, **long}], []),
        "70B Q4 for 5-10 concurrent users": (
            [{"weights": "int4", "gpus_per_node": 2, "concurrency": 10, **pro, **long}],
            [],
        ),
        "QLoRA fine-tune 70B": ([{"weights": "bf16", "gpus_per_node": 1, "kind": "qlora", **pro}], []),
        "LoRA fine-tune 70B": (
            [{"weights": "bf16", "gpus_per_node": 2, "kind": "lora", **pro}],
            [{"weights": "bf16", "gpus_per_node": 1, "kind": "lora", **pro}],
        ),
        "70B FP16 with long context": (
            [{"weights": "bf16", "gpus_per_node": 2, "concurrency": 2, **pro, **chat, "input_tokens": 32000}],
            [{"weights": "bf16", "gpus_per_node": 1, "concurrency": 1, **pro, **chat}],
        ),
        "405B Q4": (
            [
                {"model": "llama-3.1-405b", "weights": "int4", "gpus_per_node": 4, "concurrency": 1, **pro, **chat},
                {
                    "model": "llama-3.1-405b",
                    "weights": "int4",
                    "accelerator": "h100-sxm",
                    "gpus_per_node": 4,
                    "concurrency": 1,
                    **chat,
                },
            ],
            [{"model": "llama-3.1-405b", "weights": "int4", "gpus_per_node": 2, "concurrency": 1, **pro, **chat}],
        ),
        "full fine-tune 70B": (
            [
                {
                    "weights": "bf16",
                    "accelerator": "h200-sxm",
                    "gpus_per_node": 8,
                    "kind": "full-finetune",
                    "optimizer": "adamw-8bit",
                    "master_weights": False,
                    "loss": "fused",
                }
            ],
            [],
        ),
        "70B for 50+ concurrent users": (
            [{"weights": "fp8", "accelerator": "h100-sxm", "gpus_per_node": 4, "concurrency": 50, **chat}],
            [],
        ),
        "405B FP16, or fine-tune 405B": (
            [
                {
                    "model": "llama-3.1-405b",
                    "weights": "bf16",
                    "accelerator": "b200-sxm",
                    "gpus_per_node": 8,
                    "concurrency": 8,
                    **chat,
                }
            ],
            [
                {
                    "model": "llama-3.1-405b",
                    "weights": "bf16",
                    "accelerator": "h100-sxm",
                    "gpus_per_node": 8,
                    "concurrency": 8,
                    **chat,
                }
            ],
        ),
    }
    return table[workload]


def mapping(entry: Entry, key: str) -> Iterator[Claim]:
    """A workload and the configuration recommended for it."""
    right, wrong = _mapped(entry["workload"])
    sized = [size(build(**fields)) for fields in right]
    too_small = [size(build(**fields)) for fields in wrong]
    agrees = all(s.memory.fits for s in sized) and not any(s.memory.fits for s in too_small)
    shown = "; ".join(
        f"{s.scenario.hardware.gpus}x {s.scenario.hardware.accelerator.label}: {s.memory.headroom}"
        for s in (*sized, *too_small)
    )
    why = "" if agrees else entry.get("note", "The bytes say otherwise for this load.")
    if entry["workload"] == "full fine-tune 70B":
        ordinary = size(build(weights="bf16", accelerator="h200-sxm", kind="full-finetune"))
        shown += f" with 8-bit AdamW; with fp32 states and a master copy {ordinary.memory.headroom}"
    yield Claim(key, entry["source"], f"{entry['workload']}: {entry['configuration']}", shown, agrees, why)
    if "weights_gb" in entry:
        ours = model_weight_bytes(_arch("llama-3.1-405b"), "gguf-q4_k_m") / GB
        yield Claim(
            key,
            entry["source"],
            f"405B Q4 weights: {entry['weights_gb'][0]}-{entry['weights_gb'][1]} GB",
            f"{ours:,.0f} GB (GGUF Q4_K_M)",
            within(ours, entry["weights_gb"], 0.03),
        )


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


# ---------------------------------------------------------------- power, lanes, money


def power(entry: Entry, key: str) -> Iterator[Claim]:
    """Board power and what feeds it."""
    ids = {"rtx-pro-6000": "rtx-pro-6000-server", "h100-sxm": "h100-sxm", "b200": "b200-sxm"}
    for name, watts in entry["gpu_w"].items():
        ours = catalog.load().accelerator(ids[name]).tdp_w
        yield Claim(key, entry["source"], f"{name}: {watts} W", f"{ours:,.0f} W", ours == watts)
    dual = size(build(accelerator="rtx-pro-6000-workstation", gpus_per_node=2)).power
    low, high = entry["psu_for_dual_600w_w"]
    yield Claim(
        key,
        entry["source"],
        "two 600 W cards want a 1,600-2,000 W supply",
        f"{dual.psu_w:,.0f} W for a load of {dual.load_w:,.0f} W",
        dual.psu_w is not None and low <= dual.psu_w <= high,
    )
    four = size(build(accelerator="rtx-pro-6000-server", gpus_per_node=4)).power
    delivered = (four.psu_w or 0.0) / 1000
    yield Claim(
        key,
        entry["source"],
        "a four-GPU server wants 4-5 kW of delivery",
        f"{delivered:.1f} kW of supplies and a spare",
        within(delivered, entry["four_gpu_server_kw"], 0.0),
    )


def lanes(entry: Entry, key: str) -> Iterator[Claim]:
    """PCIe lanes of GPUs and platforms."""
    needed = size(build(gpus_per_node=2)).power.pcie_lanes_needed
    yield Claim(
        key,
        entry["source"],
        f"{entry['per_gpu']} lanes a GPU",
        f"2 GPUs: {needed} lanes",
        needed == 2 * entry["per_gpu"],
    )
    rules = {r.id: r for r in _facts().rules}
    boards = {
        name: size(build(accelerator=card, gpus_per_node=gpus)).power.pcie_lanes_board
        for name, card, gpus in (("pc", "rtx-4090", 1), ("workstation", "rtx-pro-6000-workstation", 2))
    }
    trpro = rules["lanes-trpro"].value
    epyc = rules["lanes-epyc-2p"].value_range
    platform = entry["platform_lanes"]
    yield Claim(
        key,
        entry["source"],
        "Threadripper PRO: 128 lanes",
        f"{boards['workstation']} of a workstation's board",
        trpro == boards["workstation"] == platform["threadripper-pro-9000wx"],
    )
    yield Claim(
        key,
        entry["source"],
        "EPYC 9005: 128-160 lanes",
        f"{rules['lanes-epyc-1p'].value:,.0f} one socket, {epyc[0]:.0f}-{epyc[1]:.0f} two" if epyc else "unknown",
        epyc is not None and list(epyc) == [float(n) for n in platform["epyc-9005"]],
    )
    consumer = platform["consumer"]
    yield Claim(
        key,
        entry["source"],
        f"consumer CPUs have {consumer[0]}-{consumer[1]} lanes: not two GPUs at x16",
        f"2 GPUs at x16 need {needed}, a PC has {boards['pc']}",
        needed is not None and needed > consumer[1] and boards["pc"] == consumer[0],
    )


def node_geometry(entry: Entry, key: str) -> Iterator[Claim]:
    """The one-node build that the article ships."""
    sizing = size(build())
    lanes_needed = sizing.power.pcie_lanes_needed or 0
    yield Claim(
        key,
        entry["source"],
        f"{entry['cpu']}: {entry['lanes']} lanes",
        f"8 cards at x16: {lanes_needed}",
        lanes_needed <= entry["lanes"],
    )
    ram = (sizing.power.host_memory_gib_min or 0.0) * 2**30 / GB
    yield Claim(
        key, entry["source"], "768-1,000 GB of RAM", f"at least {ram:,.0f} GB", within(ram, entry["ram_gb"], 0.01)
    )
    ids = {"rtx-5090": "rtx-5090", "rtx-pro-6000": "rtx-pro-6000-server", "l40": "l40", "l4": "l4"}
    for name in entry["no_nvlink_on"]:
        link = catalog.load().accelerator(ids[name]).default_intra_link
        yield Claim(key, entry["source"], f"no NVLink on {name}", link, "nvlink" not in link)
    yield Claim(
        key,
        entry["source"],
        f"network {entry['network']}, storage {entry['storage']}",
        "one node needs no fabric: 2x 100 GbE carry egress and storage",
        sizing.verdict.answer == "one-node",
    )


def price(entry: Entry, key: str) -> Iterator[Claim]:
    """A rental price of the article beside the catalog's dated offers."""
    claimed = entry["usd_per_hour"]
    offers = [r for r in _facts().rentals if r.accelerator == "h100-sxm"]
    per_hour = sorted(r.usd_per_gpu_hour * 8 for r in offers)
    agrees = bool(per_hour) and per_hour[0] * 0.95 <= claimed <= per_hour[-1] * 1.05
    yield Claim(
        key,
        entry["source"],
        f"{entry['shape']} at {entry['provider']}: ${claimed}/h, ${entry['usd_per_month']:,}/month",
        f"catalog: ${per_hour[0]:,.2f}-${per_hour[-1]:,.2f}/h over {len(per_hour)} dated offers",
        agrees and near(claimed * 720, entry["usd_per_month"], 0.02),
    )


def monthly(entry: Entry, key: str) -> Iterator[Claim]:
    """Monthly rent and single-stream speed of a setup."""
    nodes = 2 if entry["setup"].startswith("2x") else 1
    model, weights = ("llama-3.1-405b", "fp8") if "405B" in entry["setup"] else ("llama-3.1-70b", "bf16")
    if "DeepSeek" in entry["setup"]:
        model, weights = "deepseek-r1", "fp8"
    found = plan(build(model, weights, "h100-sxm", nodes=nodes, concurrency=1, input_tokens=1000, output_tokens=500))
    option = priced(found)
    rent = option.rent_usd_per_month or 0.0
    low = min(r.usd_per_gpu_hour for r in _facts().rentals if r.accelerator == "h100-sxm") * 8 * nodes * 730
    high = max(r.usd_per_gpu_hour for r in _facts().rentals if r.accelerator == "h100-sxm") * 8 * nodes * 730
    yield Claim(
        key,
        entry["source"],
        f"{entry['setup']}: ${entry['usd']:,} a month",
        f"${rent:,.0f} at the median offer, ${low:,.0f}-${high:,.0f} over all",
        low <= entry["usd"] <= high,
    )
    # the article names no format for the 70B: both that its own ceiling table says fit
    formats = (weights, "fp8") if weights == "bf16" else (weights,)
    spoken = {name: _alone_on(model, name, nodes) for name in formats}
    low_s, high_s = min(span[1] for span in spoken.values()), max(span[2] for span in spoken.values())
    agrees = overlaps(low_s, high_s, [float(n) for n in entry["tokens_per_s"]])
    each = " and ".join(
        f"{span[0]:,.0f}" + (f" at {FORMATS[name].label}" if len(spoken) > 1 else "") for name, span in spoken.items()
    )
    yield Claim(
        key,
        entry["source"],
        f"{entry['setup']}: {entry['tokens_per_s'][0]}-{entry['tokens_per_s'][-1]} tokens/s",
        f"{each} tokens/s for one stream ({low_s:,.0f}-{high_s:,.0f})",
        agrees,
        ""
        if agrees
        else OLD_ENGINES
        if "DeepSeek" in entry["setup"]
        else "Single-stream decode is bound by weight bandwidth and collectives; see docs/serving-speed.md.",
    )


def _alone_on(model: str, weights: str, nodes: int) -> tuple[float, float, float]:
    """One stream's tokens/s on nodes of 8x H100, with the ends of its interval."""
    load: Entry = {"concurrency": 1, "input_tokens": 1000, "output_tokens": 500}
    serving = plan(build(model, weights, "h100-sxm", nodes=nodes, **load)).serving
    assert serving is not None
    speed, span = serving.single_stream_tokens_per_s, serving.tokens_per_s_interval
    scale = speed / serving.tokens_per_s_total
    return speed, span.low * scale, span.high * scale


def buy_against_rent(entry: Entry, key: str) -> Iterator[Claim]:
    """How soon a bought build pays for itself."""
    found = build(gpus_per_node=8, concurrency=32)
    found = replace(found, money=replace(found.money, gpu_price_usd=9000.0, host_price_usd=25000.0))
    months = size(found).cost.break_even_months or 0.0
    yield Claim(
        key,
        entry["source"],
        "buying breaks even in 6-14 months of sustained use",
        f"{months:,.1f} months (8x RTX PRO 6000 at $9,000 a card and $25,000 of host, entered, against median rent)",
        within(months, entry["break_even_months_sustained"], 0.1),
    )
    yield Claim(
        key,
        entry["source"],
        "compare over 12, 24 and 36 months",
        f"ownership and rent are compared by the break-even month, {months:,.1f}",
        months < entry["horizons_months"][0],
    )


# ---------------------------------------------------------------- across nodes


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
    offers = sorted(r.usd_per_gpu_hour * 8 * nodes for r in _facts().rentals if r.accelerator == "h100-sxm")
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


def scale_when(entry: Entry, key: str) -> Iterator[Claim]:
    """When training wants more than one GPU, and the hybrid advice."""
    small = size(build("llama-3.1-8b", "bf16", "h100-sxm", 1, kind="lora"))
    large = size(build("llama-3.1-70b", "bf16", "h100-sxm", 1, kind="full-finetune"))
    yield Claim(
        key,
        entry["source"],
        entry["indicators"][0],
        f"70B full fine-tune on one H100: {large.memory.headroom}",
        not large.memory.fits,
    )
    month = size(
        build("llama-3.1-8b", "bf16", "h100-sxm", 1, kind="pretrain", total_tokens=100_000_000_000, deadline_days=30)
    )
    days = month.training.days if month.training is not None else 0.0
    yield Claim(
        key, entry["source"], entry["indicators"][1], f"8B over 100B tokens on one H100: {days:,.0f} days", days > 30
    )
    yield Claim(
        key,
        entry["source"],
        entry["indicators"][2],
        f"with a 30-day deadline: {text_of(month.verdict.headline)}",
        month.verdict.answer != "one-gpu",
    )
    run = month.cost.run_usd
    yield Claim(
        key,
        entry["source"],
        entry["indicators"][3],
        f"the run costs ${run:,.0f} whatever the GPU count at equal efficiency" if run else "price unknown",
        run is not None,
    )
    yield Claim(
        key,
        entry["source"],
        entry["hybrid"],
        f"8B LoRA: {text_of(small.verdict.headline)}",
        small.verdict.answer == "one-gpu",
    )


def operational_tax(entry: Entry, key: str) -> Iterator[Claim]:
    """What an added node costs in people."""
    sizing = size(build(nodes=2, concurrency=4, layout=None))
    named = [w for w in sizing.warnings if w.id == "two-small-nodes"]
    yield Claim(
        key,
        entry["source"],
        "each added node costs 4-5 times the engineering time",
        text_of(sizing.cost.operations_note),
        all(item.split()[0].lower() in text_of(sizing.cost.operations_note).lower() for item in entry["items"][:1])
        and bool(named),
    )


HANDLERS: dict[str, Callable[[Entry, str], Iterator[Claim]]] = {
    "ceiling": ceiling,
    "rule": rule,
    "decision_step": decision_step,
    "must_scale_out": must_scale_out,
    "must_not_scale_out": must_not_scale_out,
    "capacity": capacity,
    "path": path,
    "cliff": cliff,
    "efficiency": efficiency,
    "efficiency_floor": efficiency_floor,
    "sxm_penalty": sxm_penalty,
    "speedup": speedup,
    "lab_trap": lab_trap,
    "operational_tax": operational_tax,
    "mapping": mapping,
    "single_card": single_card,
    "concurrency": concurrency,
    "power": power,
    "lanes": lanes,
    "node_geometry": node_geometry,
    "price": price,
    "monthly": monthly,
    "buy_against_rent": buy_against_rent,
    "multinode_performance": multinode_performance,
    "multinode_deployment": multinode_deployment,
    "scale_when": scale_when,
}


def all_claims() -> list[Claim]:
    """Every claim of the file, in its order. Raises KeyError for a section that nobody handles."""
    rows: list[Claim] = []
    for section, content in claims_file().items():
        if section == "meta":
            continue
        entries = content if isinstance(content, list) else [content]
        for number, entry in enumerate(entries, start=1):
            key = f"{section}[{number}]" if isinstance(content, list) else section
            rows += HANDLERS[section](entry, key)
    return rows
