"""Scenarios that have no answer are refused here, each with the field that is at fault."""

from __future__ import annotations

from engine.errors import ScenarioError
from engine.formats import kv_format, weight_format
from engine.scenario import Scenario

MAX_GPUS_PER_NODE = 72  # an NVL72 rack is one NVLink domain
MAX_NODES = 4096


def _at_least_one(field: str, value: int) -> None:
    if value < 1:
        raise ScenarioError(field, f"{value:,} is too few", "1 or more", 1)


def _positive(field: str, value: float | None) -> None:
    if value is not None and value <= 0:
        raise ScenarioError(field, f"{value:g} is not above zero", "a number above 0")


def _check_context_parallel(scenario: Scenario) -> None:
    """The ranks that share a sequence are data-parallel ranks: they divide them."""
    shared = scenario.workload.context_parallel
    _at_least_one("workload.context_parallel", shared)
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
    _at_least_one("hardware.gpus_per_node", hardware.gpus_per_node)
    _at_least_one("hardware.nodes", hardware.nodes)
    if hardware.gpus_per_node > MAX_GPUS_PER_NODE:
        raise ScenarioError(
            "hardware.gpus_per_node",
            f"{hardware.gpus_per_node} GPUs in one node",
            f"1 to {MAX_GPUS_PER_NODE}",
            MAX_GPUS_PER_NODE,
        )
    accelerator, platform = hardware.accelerator, hardware.platform
    if hardware.mixed:
        second = hardware.mixed[1][1]
        if not 0 < second < hardware.gpus_per_node:
            left = hardware.gpus_per_node - 1
            raise ScenarioError(
                "hardware.second_gpus", f"{second} of {hardware.gpus_per_node} GPUs a node", f"1 to {left}", left
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
    if hardware.nodes > MAX_NODES:
        raise ScenarioError("hardware.nodes", f"{hardware.nodes:,} nodes", f"1 to {MAX_NODES}", MAX_NODES)
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
    limit = scenario.model.architecture.max_position
    if workload.is_inference:
        for field in ("concurrency", "input_tokens", "output_tokens"):
            _at_least_one(f"workload.{field}", getattr(workload, field))
        if limit and workload.output_tokens >= limit:
            raise ScenarioError(
                "workload.output_tokens",
                f"{workload.output_tokens:,} tokens and a prompt exceed the context of {limit:,}",
                f"at most {max(1, limit - 1):,}",
                max(1, limit - 1),
            )
        if limit and workload.tokens_per_request > limit:
            raise ScenarioError(
                "workload.input_tokens",
                f"{workload.input_tokens:,} + {workload.output_tokens:,} tokens exceed the context of {limit:,}",
                f"at most {max(1, limit - workload.output_tokens):,} with this output",
                max(1, limit - workload.output_tokens),
            )
        if runtime.max_model_len is not None and runtime.max_model_len < workload.tokens_per_request:
            raise ScenarioError(
                "runtime.max_model_len",
                f"{runtime.max_model_len:,} is below the request's {workload.tokens_per_request:,} tokens",
                f"{workload.tokens_per_request:,} to {limit:,}" if limit else "",
                workload.tokens_per_request,
            )
        if limit and runtime.max_model_len is not None and runtime.max_model_len > limit:
            raise ScenarioError(
                "runtime.max_model_len",
                f"{runtime.max_model_len:,} exceeds the model's context of {limit:,}",
                f"up to {limit:,}",
                limit,
            )
        if workload.requests is not None:
            _at_least_one("workload.requests", workload.requests)
        if runtime.admission_wait_steps < 0:
            raise ScenarioError(
                "runtime.admission_wait_steps", f"{runtime.admission_wait_steps} is below zero", "0 or more", 0
            )
        for field in ("ttft_target_s", "tokens_per_s_user_target", "requests_per_s"):
            _positive(f"workload.{field}", getattr(workload, field))
    else:
        for field in ("sequence_length", "micro_batch", "global_batch_tokens", "total_tokens", "lora_rank"):
            _at_least_one(f"workload.{field}", getattr(workload, field))
        _check_context_parallel(scenario)
        if workload.gradient_accumulation is not None:
            _at_least_one("workload.gradient_accumulation", workload.gradient_accumulation)
        if workload.virtual_stages is not None:
            _at_least_one("workload.virtual_stages", workload.virtual_stages)
        if workload.overlap is not None and not 0.0 <= workload.overlap <= 1.0:
            nearest = min(1.0, max(0.0, workload.overlap))
            raise ScenarioError("workload.overlap", f"{workload.overlap:g} is not a share", "0 to 1", nearest)
        if limit and workload.sequence_length > limit:
            raise ScenarioError(
                "workload.sequence_length",
                f"{workload.sequence_length:,} tokens exceed the model's context of {limit:,}",
                f"up to {limit:,}",
                limit,
            )
        for field in ("deadline_days", "budget_usd"):
            _positive(f"workload.{field}", getattr(workload, field))
    utilization = runtime.memory_utilization
    if utilization is not None and not 0.1 <= utilization <= 1.0:
        raise ScenarioError("runtime.memory_utilization", f"{utilization:g} is out of range", "0.1 to 1.0", 0.9)
    for field in ("max_num_batched_tokens", "max_num_seqs", "max_model_len"):
        value = getattr(runtime, field)
        if value is not None:
            _at_least_one(f"runtime.{field}", value)
    _at_least_one("runtime.block_size", runtime.block_size)
