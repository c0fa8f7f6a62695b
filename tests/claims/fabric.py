"""Claims on links and on scaling: paths, the cliff, efficiencies, the lab that misleads."""

from __future__ import annotations

from collections.abc import Iterator

from engine.decide.size import size
from engine.figures.sentences import text_of
from engine.scenario import LayoutChoice
from tests.accuracy.training_claims import TrainingClaim, training_claims
from tests.claims.claim import Claim, Entry, catalog_facts, within
from tests.claims.paths import article_penalty, path_claim
from tests.claims.world import ARTICLE_TOLERANCE, article_scaling, by_default
from tests.engine.builds import build


def path(entry: Entry, key: str) -> Iterator[Claim]:
    """A row of an article's path table."""
    compared = path_claim(entry, catalog_facts())
    yield Claim(key, entry["source"], compared.claim, compared.ours, compared.agrees, compared.why)


def cliff(entry: Entry, key: str) -> Iterator[Claim]:
    """The penalty of leaving the box."""
    for compared in article_penalty(entry, catalog_facts()):
        yield Claim(key, entry["source"], compared.claim, compared.ours, compared.agrees, compared.why)


def efficiency(entry: Entry, key: str) -> Iterator[Claim]:
    """One row of the article's scaling table in its own world of assumptions, and by the app's defaults."""
    row = next(r for r in article_scaling() if r.configuration == entry["configuration"])
    claimed = entry["per_gpu"]
    agrees = abs(row.efficiency - claimed) <= ARTICLE_TOLERANCE
    yield Claim(
        key,
        entry["source"],
        f"{entry['configuration']}: {claimed:.2f} per GPU",
        f"{row.efficiency:.2f} under the article's assumptions, {by_default(row.configuration):.2f} by the app's defaults",
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
    if made.default is not None:
        ours += f" under its assumptions, {made.default:.2f} by the app's defaults"
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
    two = next(k for k in rows if k.startswith("2 nodes x 4"))
    one = next(k for k in rows if k.startswith("8 GPU") and "TP" in k)
    split, whole = rows[two], rows[one]
    yield Claim(
        key,
        entry["source"],
        f"{entry['claim']}: {entry['training']['two_by_four']} against {entry['training']['one_by_eight']}",
        f"{split:.2f} against {whole:.2f} under the article's assumptions, {by_default(two):.2f} against {by_default(one):.2f} by "
        f"the app's defaults; verdict: {text_of(sizing.verdict.headline)}",
        split < whole and by_default(two) < by_default(one) and "two-small-nodes" in {w.id for w in sizing.warnings},
    )
