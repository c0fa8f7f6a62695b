"""Claims on which build a model takes: the flow, what must scale out, builds by model, when to scale."""

from __future__ import annotations

from collections.abc import Iterator

from engine.decide.size import size
from engine.figures.sentences import text_of
from engine.figures.units import GB, TB
from engine.model.formats import model_weight_bytes
from engine.model.parameters import count_parameters
from engine.money.use import HOURS_PER_MONTH
from engine.sizing import Sizing
from tests.claims.claim import Claim, Entry, architecture_of, overlaps, within
from tests.engine.builds import build

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
            f"{sizing.verdict.answer}; 1.5T tokens in 180 days take about {gpus:,.0f} H100, {training.gpu_hours / HOURS_PER_MONTH:,.0f} GPU-months",
            sizing.verdict.answer == "frontier" and gpus >= entry["gpus"][0],
            "" if gpus <= entry["gpus"][1] else "the article's range is a floor: 128+ at 1.5T tokens in half a year",
        )
    elif case.startswith("full-rank"):
        sizing = size(build(weights="bf16", kind="full-finetune", nodes=2))
        total = (
            sum(g.gpus * (g.weights_bytes + g.optimizer_bytes + g.gradient_bytes) for g in sizing.memory.per_gpu) / TB
        )
        parameters = count_parameters(architecture_of("llama-3.1-70b")).total
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
        whole = size(build("llama-3.1-405b", "bf16", kind="lora"))
        yield row(
            "LoRA up to 405B on 8x RTX PRO 6000 (the article's last paragraph)",
            whole,
            whole.memory.fits,
            ""
            if whole.memory.fits
            else "The frozen base alone is 812 GB in 16 bits, past 8 cards of 96 GB: QLoRA holds, LoRA does not.",
        )
        full = size(build("llama-2-13b", "bf16", kind="full-finetune"))
        yield row("a 13B in full on 8x RTX PRO 6000 (the same)", full, full.memory.fits)
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
    if entry["workload"] == "LoRA fine-tune 7B":
        usual = size(build(**{key: value for key, value in right[0].items() if key not in ("sequence_length", "loss")}))
        shown += f" at 1k tokens and a fused loss; by the app's defaults, 4k and an eager loss, {usual.memory.headroom}"
    if entry["workload"] == "full fine-tune 70B":
        ordinary = size(build(weights="bf16", accelerator="h200-sxm", kind="full-finetune"))
        shown += f" with 8-bit AdamW; with fp32 states and a master copy {ordinary.memory.headroom}"
    yield Claim(key, entry["source"], f"{entry['workload']}: {entry['configuration']}", shown, agrees, why)
    if "fine-tune 405B" in entry["workload"]:
        yield _fine_tune_405b(entry, key)
    if "weights_gb" in entry:
        ours = model_weight_bytes(architecture_of("llama-3.1-405b"), "gguf-q4_k_m") / GB
        yield Claim(
            key,
            entry["source"],
            f"405B Q4 weights: {entry['weights_gb'][0]}-{entry['weights_gb'][1]} GB",
            f"{ours:,.0f} GB (GGUF Q4_K_M)",
            within(ours, entry["weights_gb"], 0.03),
        )


def _fine_tune_405b(entry: Entry, key: str) -> Claim:
    """What kind of fine-tune of a 405B one node holds."""
    told: list[str] = []
    held: dict[str, bool] = {}
    for card in ("h200-sxm", "b200-sxm"):
        found = {
            kind: size(build("llama-3.1-405b", "bf16", card, kind=kind)) for kind in ("full-finetune", "lora", "qlora")
        }
        for kind, sizing in found.items():
            held[kind] = held.get(kind, False) or sizing.memory.fits
        label = found["lora"].scenario.hardware.accelerator.label
        told.append(f"8x {label}: " + ", ".join(f"{kind} {sizing.memory.headroom}" for kind, sizing in found.items()))
    return Claim(
        key,
        entry["source"],
        "fine-tune 405B: 8x H200 or 8x B200",
        "; ".join(told),
        held["qlora"] or held["lora"],
        "" if held["full-finetune"] else "True of adapters: every weight at 16 bytes is 6.5 TB.",
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
    runs = [
        size(build("llama-3.1-8b", "bf16", "h100-sxm", gpus, kind="pretrain", total_tokens=100_000_000_000))
        for gpus in (1, 8)
    ]
    (alone, one_usd), (together, eight_usd) = (
        (made.training.days if made.training is not None else 0.0, made.cost.run_usd or 0.0) for made in runs
    )
    yield Claim(
        key,
        entry["source"],
        entry["indicators"][3],
        f"the same run on one H100: {alone:,.0f} days for ${one_usd:,.0f}; on eight: {together:,.1f} days for ${eight_usd:,.0f}",
        0 < eight_usd < 1.5 * one_usd and together < alone / 5,
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
