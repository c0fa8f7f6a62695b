"""Scenarios that have no answer are refused here, each with the field that is at fault."""

from __future__ import annotations

from engine.figures.errors import ScenarioError
from engine.model.formats import kv_format, weight_format
from engine.scenario import Scenario
from engine.scenario.fields import check_ranges


def _check_context_parallel(scenario: Scenario) -> None:
    """The ranks that share a sequence are data-parallel ranks: they divide them."""
    shared = scenario.workload.context_parallel
    pinned = scenario.layout.dp
    ranks = pinned or scenario.hardware.gpus
    if ranks % shared:
        allowed = [n for n in range(1, ranks + 1) if ranks % n == 0]
        raise ScenarioError(
            "workload.context_parallel",
            f"{shared} ranks a sequence do not divide {ranks} {'data-parallel ranks' if pinned else 'GPUs'}",
            ", ".join(map(str, allowed)),
            min(allowed, key=lambda n: abs(n - shared)),
        )


def check_scenario(scenario: Scenario) -> None:
    """Raise ScenarioError naming the first field that makes the scenario impossible."""
    hardware, workload, runtime = scenario.hardware, scenario.workload, scenario.runtime
    weight_format(scenario.model.weights)
    kv_format(scenario.model.kv_cache)
    check_ranges(scenario)
    accelerator, platform = hardware.accelerator, hardware.platform
    if hardware.mixed:
        second = hardware.mixed[1][1]
        if not 0 < second < hardware.gpus_per_node:
            left = hardware.gpus_per_node - 1
            raise ScenarioError(
                "hardware.second_gpus", f"{second} of {hardware.gpus_per_node} GPUs a node", f"1 to {left}", left
            )
    limit, least = hardware.power_limit_w, accelerator.power_limit_min_w
    if limit is not None and least is not None and limit < least:
        raise ScenarioError(
            "hardware.power_limit_w", f"{limit:g} W of {accelerator.label}", f"{least:g} or more", least
        )
    most = accelerator.max_gpus_per_node
    if most is not None and hardware.gpus_per_node > most:
        raise ScenarioError(
            "hardware.gpus_per_node", f"{hardware.gpus_per_node} x {accelerator.label} in one box", f"1 to {most}", most
        )
    if platform is not None and platform.accelerator != accelerator.id:
        raise ScenarioError(
            "hardware.platform",
            f"{platform.id} holds {platform.accelerator}, not {accelerator.id}",
            "a platform with this accelerator, or none",
        )
    if hardware.intra_link.max_gpus is not None and hardware.gpus_per_node > hardware.intra_link.max_gpus:
        raise ScenarioError(
            "hardware.intra_link",
            f"{hardware.intra_link.id} joins at most {hardware.intra_link.max_gpus} GPUs, not {hardware.gpus_per_node}",
            "a switched or PCIe link",
        )
    for field, link, scope in (
        ("hardware.intra_link", hardware.intra_link, "intra-node"),
        ("hardware.inter_link", hardware.inter_link, "inter-node"),
    ):
        if link.scope != scope and not (scope == "intra-node" and hardware.gpus_per_node == 1):
            raise ScenarioError(field, f"{link.id} is an {link.scope} link", f"an {scope} link")
    makers = runtime.rules.makers
    if workload.is_inference and makers and accelerator.vendor.upper() not in makers:
        raise ScenarioError(
            "runtime.engine",
            f"{runtime.rules.label} on {accelerator.label}",
            "on Macs; elsewhere another engine",
            "vllm",
        )
    drafts, arch = runtime.speculative, scenario.model.architecture
    if arch.embeds and workload.is_inference and not workload.embeds:
        raise ScenarioError("workload.kind", f"{scenario.model.name} reads texts and writes none", "embed", "embed")
    if workload.embeds and drafts is not None:
        raise ScenarioError("runtime.speculative", "an embedder writes nothing that could be drafted")
    if workload.is_inference and drafts == "mtp" and not (arch.mtp or arch.model_type.startswith("gemma4")):
        raise ScenarioError(
            "runtime.speculative",
            f"{scenario.model.name} has no layers that predict ahead",
            "eagle, dflash, dflash2, ngram",
            "eagle",
        )
    if workload.is_inference and drafts == "dspark" and not (arch.mtp and arch.model_type == "deepseek_v4"):
        raise ScenarioError(
            "runtime.speculative",
            f"the shape of a DSpark drafter of {scenario.model.name} is not known",
            "mtp, eagle, dflash, dflash2, ngram; dspark of DeepSeek-V4",
            "ngram",
        )
    limit = scenario.model.architecture.max_position
    if workload.is_inference:
        if limit and workload.answer_tokens >= limit:
            raise ScenarioError(
                "workload.output_tokens",
                f"{workload.output_tokens:,} tokens and a prompt exceed the context of {limit:,}",
                f"at most {max(1, limit - 1):,}",
                max(1, limit - 1),
            )
        if limit and workload.tokens_per_request > limit:
            raise ScenarioError(
                "workload.input_tokens",
                f"{workload.input_tokens:,} + {workload.answer_tokens:,} tokens exceed the context of {limit:,}",
                f"at most {max(1, limit - workload.answer_tokens):,} with this output",
                max(1, limit - workload.answer_tokens),
            )
        if limit and runtime.max_model_len is not None and runtime.max_model_len > limit:
            raise ScenarioError(
                "runtime.max_model_len",
                f"{runtime.max_model_len:,} exceeds the model's context of {limit:,}",
                f"up to {limit:,}",
                limit,
            )
    else:
        _check_context_parallel(scenario)
