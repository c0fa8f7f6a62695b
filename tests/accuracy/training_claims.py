"""What the articles claim about training speed, beside what the step model says: inside or outside, and why.

Each claim is computed from shipped hardware and a stated workload, so that it can be argued with. `training_claims()`
is the list; tests/accuracy/test_training_claims.py prints it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import catalog
from engine.decide.scaling import scaling_table
from engine.runtimes.frameworks import Sharding, Software
from engine.scenario import Hardware, Layout, Scenario, Workload
from engine.training.speed import OVERLAP_RANGE
from engine.training.step import step
from tests.accuracy.harness import REFERENCE
from tests.claims.world import ARTICLE_EXCEPTION, ARTICLE_TOLERANCE, article_scaling


@dataclass(frozen=True, slots=True)
class TrainingClaim:
    """One claim: section of seed_claims.toml, the claim in words, its range, our range, and why it is outside.

    Our range is over batches of one to four sequences a card, where the claim leaves the batch open. default: the same with
    nothing entered but the build and the kind of training.
    """

    section: str
    claim: str
    low: float
    high: float
    ours: tuple[float, ...]
    why: str = ""
    default: float | None = None

    @property
    def inside(self) -> bool:
        """Whether our range meets the claimed one."""
        return min(self.ours) <= self.high and max(self.ours) >= self.low

    @property
    def line(self) -> str:
        """The claim as one printed line."""
        claimed = f"{self.low:.2f}" if self.low == self.high else f"{self.low:.2f} to {self.high:.2f}"
        word = "inside" if self.inside else f"outside: {self.why}"
        ours = " to ".join(f"{value:.2f}" for value in sorted({min(self.ours), max(self.ours)}))
        return f"[{self.section}] {self.claim}: claimed {claimed}, ours {ours}, {word}"


def _claims() -> dict[str, Any]:
    return tomllib.loads((REFERENCE / "seed_claims.toml").read_text(encoding="utf-8"))


def _scenario(model: str, accelerator: str, gpus: int, intra: str, **workload: Any) -> Scenario:
    return catalog.build_scenario(
        model, "bf16", accelerator, gpus, 1, intra_link=intra, workload=replace(Workload(), **workload)
    )


def _tokens_per_s(scenario: Scenario, layout: Layout) -> float:
    made = step(scenario.model.architecture, scenario.hardware, scenario.workload, layout)
    return made.tokens_per_s


BATCHES = (1, 2, 4)
"""Sequences a card that a claim without a batch is computed for."""


def speedup(model: str, accelerator: str, gpus: int, intra: str, sharding: Sharding, **workload: Any) -> float:
    """Tokens a second of `gpus` data-parallel cards over one of them."""
    scenario = _scenario(model, accelerator, gpus, intra, sharding=sharding, **workload)
    return _tokens_per_s(scenario, Layout(dp=gpus)) / _tokens_per_s(scenario, Layout())


def by_default(accelerator: str, gpus: int, intra: str, kind: str) -> float:
    """Tokens a second of `gpus` cards over one of them, of an 8B with nothing else entered."""
    made = [
        _tokens_per_s(_scenario("llama-3.1-8b", accelerator, count, intra, kind=kind), Layout(dp=count))
        for count in (gpus, 1)
    ]
    return made[0] / made[1]


def _ratio(accelerator: str, fast: str, slow: str, **workload: Any) -> float:
    """Tokens a second of eight data-parallel cards over one link against another."""
    layout = Layout(dp=8)
    over = [_tokens_per_s(_scenario("llama-3.1-8b", accelerator, 8, link, **workload), layout) for link in (fast, slow)]
    return over[0] / over[1]


def _efficiency(claims: dict[str, Any]) -> Iterator[TrainingClaim]:
    ours = {row.configuration: row.efficiency for row in article_scaling()}
    for entry in claims["efficiency"]:
        words, figure = entry["configuration"], entry["per_gpu"]
        why = ""
        if words == ARTICLE_EXCEPTION:
            why = "a pipeline over TP 8 adds its bubble to TP 8's own 0.73"
        yield TrainingClaim(
            "efficiency", words, figure - ARTICLE_TOLERANCE, figure + ARTICLE_TOLERANCE, (ours[words],), why
        )


def _sxm(claims: dict[str, Any]) -> Iterator[TrainingClaim]:
    penalty = claims["sxm_penalty"]
    low, high = penalty["fine_tuning_wall_clock"]
    ratios = [
        _ratio(
            "rtx-pro-6000-server", "nvlink-4", "pcie5-switch", **(FULL | {"sharding": "zero3", "micro_batch": batch})
        )
        for batch in BATCHES
    ]
    yield TrainingClaim(
        "sxm_penalty",
        "full fine-tune of 8B, FSDP on 8 cards: NVLink 4 over switched PCIe Gen5",
        low,
        high,
        tuple(ratios),
        default=_ratio("rtx-pro-6000-server", "nvlink-4", "pcie5-switch", kind="full-finetune"),
    )
    low, high = penalty["tp_training_70b_from_scratch"]
    pretrain: dict[str, Any] = {"kind": "pretrain", "sharding": "zero1", "micro_batch": 1, "software": "tuned"}
    ratios = [
        _tokens_per_s(_scenario("llama-3.1-70b", "h100-sxm", 8, "nvlink-4", overlap=hidden, **pretrain), Layout(tp=8))
        / _tokens_per_s(
            _scenario("llama-3.1-70b", "rtx-pro-6000-server", 8, "pcie5-switch", overlap=hidden, **pretrain),
            Layout(tp=8),
        )
        for hidden in OVERLAP_RANGE
    ]
    usual = [
        _tokens_per_s(_scenario("llama-3.1-70b", card, 8, link, kind="pretrain"), Layout(tp=8))
        for card, link in (("h100-sxm", "nvlink-4"), ("rtx-pro-6000-server", "pcie5-switch"))
    ]
    yield TrainingClaim(
        "sxm_penalty",
        "70B at TP 8, least to most overlap: 8x H100 SXM over 8x RTX PRO 6000",
        low,
        high,
        tuple(ratios),
        default=usual[0] / usual[1],
    )


ADAPTERS: dict[str, Any] = {
    "kind": "lora",
    "sequence_length": 2048,
    "global_batch_tokens": 65536,
    "software": "standard",
}
LARGE: dict[str, Any] = {"micro_batch": 4, "global_batch_tokens": 262144}
FULL: dict[str, Any] = ADAPTERS | {"kind": "full-finetune", "optimizer": "adamw-8bit"}


def _speedups(claims: dict[str, Any]) -> Iterator[TrainingClaim]:
    cases: dict[str, tuple[dict[str, Any], Sharding, str]] = {
        "LoRA / QLoRA fine-tuning": (
            ADAPTERS,
            "zero3",
            "adapters exchange almost nothing, and NVLink gathers an 8B in a tenth of a second",
        ),
        "full fine-tuning, gradient sync": (
            FULL,
            "zero3",
            "NVLink hides the gathers of an 8B even at one sequence a card; the article adds data loading and stragglers",
        ),
    }
    for entry in claims["speedup"]:
        words = entry["workload"]
        if words in cases:
            workload, sharding, why = cases[words]
            for key, gpus, card, link in (
                ("gpus_2_nvlink", 2, "a100-sxm4-80gb", "nvlink-3"),
                ("gpus_2_pcie5", 2, "rtx-pro-6000-workstation", "pcie5-root"),
                ("gpus_4_nvlink", 4, "a100-sxm4-80gb", "nvlink-3"),
            ):
                low, high = entry[key]
                ours = tuple(
                    speedup("llama-3.1-8b", card, gpus, link, sharding, micro_batch=batch, **workload)
                    for batch in BATCHES
                )
                usual = by_default(card, gpus, link, str(workload["kind"]))
                claim = f"{words}, 8B FSDP, {gpus} GPUs over {link}"
                yield TrainingClaim("speedup", claim, low, high, ours, why, usual)
        elif "throughput_penalty" in entry:
            low, high = entry["throughput_penalty"]
            lost = tuple(
                1 - 1 / _ratio("h100-sxm", "nvlink-4", "pcie5-switch", **(FULL | LARGE | {"sharding": kind}))
                for kind in ("ddp", "zero1", "zero3")
            )
            usual = 1 - 1 / _ratio("h100-sxm", "nvlink-4", "pcie5-switch", kind="full-finetune")
            claim = f"{words}, 8B on 8 cards, replicas to FSDP"
            yield TrainingClaim("speedup", claim, low, high, lost, default=usual)
        elif "days" in entry:
            low, high = entry["days"]
            days = tuple(
                30 / speedup("llama-3.1-8b", "h100-sxm", 8, link, "zero3", micro_batch=4, **FULL)
                for link in ("nvlink-4", "pcie5-switch")
            )
            usual = 30 / by_default("h100-sxm", 8, "nvlink-4", "full-finetune")
            yield TrainingClaim(
                "speedup", "30 days on one GPU, on eight: NVLink to PCIe", low, high, days, default=usual
            )
        elif "throughput_lost" in entry:
            low, high = entry["throughput_lost"]
            # sharded as the table's own row of TP inside and DP across, which stands for the layout in use
            own = {"kind": "pretrain", "sharding": "zero1"}
            scenario = _scenario("llama-3.1-70b", "rtx-pro-6000-server", 8, "pcie5-switch", **own)
            rows = [r for r in scaling_table(_two_nodes(scenario), Layout(tp=8, dp=2)) if r.gpus > 1 and r.fits]
            shapes = sorted(1 - row.efficiency for row in rows)
            median = shapes[len(shapes) // 2]
            plain = _scenario("llama-3.1-70b", "rtx-pro-6000-server", 8, "pcie5-switch", kind="pretrain")
            found = [r for r in scaling_table(_two_nodes(plain, "auto"), Layout(tp=8, dp=2)) if r.gpus > 1 and r.fits]
            usual = sorted(1 - row.efficiency for row in found)[len(found) // 2]
            yield TrainingClaim(
                "speedup",
                f"throughput lost by the median of {len(rows)} shapes that hold a 70B on PCIe cards",
                low,
                high,
                (median,),
                "large batches and ZeRO's overlap hide more than the article assumes"
                if median < low
                else "kernels faster than the article's 150 TFLOP/s a GPU leave the bus a larger share of a step",
                usual,
            )


def _two_nodes(scenario: Scenario, software: Software = "tuned") -> Scenario:
    known = catalog.load()
    hardware = scenario.hardware
    return replace(
        scenario,
        hardware=Hardware(hardware.accelerator, 8, 2, hardware.intra_link, known.link("ib-hdr")),
        workload=replace(scenario.workload, software=software),
    )


def _lab_trap(claims: dict[str, Any]) -> Iterator[TrainingClaim]:
    entry = claims["lab_trap"]
    ours = {row.configuration: row.efficiency for row in article_scaling()}
    split = next(v for k, v in ours.items() if k.startswith("2 nodes x 4"))
    whole = next(v for k, v in ours.items() if k.startswith("8 GPU") and "TP" in k)
    claimed = entry["training"]["one_by_eight"] - entry["training"]["two_by_four"]
    yield TrainingClaim(
        "lab_trap", "one 8-GPU node over two 4-GPU nodes, efficiency gained", 0.0, claimed + 0.1, (whole - split,)
    )


def training_claims() -> list[TrainingClaim]:
    """Every claim on training speed with our figure."""
    claims = _claims()
    return [*_efficiency(claims), *_sxm(claims), *_speedups(claims), *_lab_trap(claims)]
