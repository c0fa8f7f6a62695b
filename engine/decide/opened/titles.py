"""What figures of memory and speed are called, and what stands beside their workings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from engine.decide.plan import Plan
from engine.links.evidence import why_wide
from engine.serving.intervals import TAIL_WIDER, noted
from engine.serving.shapes import engine_split
from engine.sizing import Interval
from engine.training.own import told

BELOW: Final = {"p50": "half of the requests", "p95": "95 of 100 requests", "p99": "99 of 100 requests"}
"""Statistics of the requests of a load."""

TITLES: Final[dict[str, tuple[str, str]]] = {
    "model.params_total": ("Parameters", "parameters"),
    "model.params_active": ("Parameters that one token meets", "parameters"),
    "model.weight_bytes": ("Weights of the whole model", "bytes"),
    "model.kv_bytes_per_token": ("KV cache of one token", "bytes"),
    "model.state_bytes_per_sequence": ("Recurrent state of one sequence", "bytes"),
    "memory.weights_bytes": ("Weights on one GPU", "bytes"),
    "memory.kv_bytes": ("KV cache that the load needs on one GPU", "bytes"),
    "memory.activation_bytes": ("Activations, peak of the profile run", "bytes"),
    "memory.runtime_bytes": ("Runtime", "bytes"),
    "memory.optimizer_bytes": ("Optimizer", "bytes"),
    "memory.gradient_bytes": ("Gradient", "bytes"),
    "memory.free_bytes": ("Free of the whole card", "bytes"),
    "memory.available_bytes": ("Free", "bytes"),
    "memory.over_bytes": ("Over the limit", "bytes"),
    "memory.used_bytes": ("What one GPU holds", "bytes"),
    "memory.usable_bytes": ("Memory the engine may use", "bytes"),
    "memory.reserved_bytes": ("Kept from the engine", "bytes"),
    "memory.total_bytes": ("Memory of one card", "bytes"),
    "memory.kv_capacity_bytes": ("Room for KV cache on one GPU", "bytes"),
    "memory.kv_needed_tokens": ("Tokens of KV cache that the load needs", "tokens"),
    "memory.kv_capacity_tokens": ("Tokens of KV cache that fit", "tokens"),
    "memory.max_concurrency": ("KV that fits in users of this length", "users"),
    "memory.users_that_fit": ("Users that fit at this length", "users"),
    "memory.reported_concurrency": ("Maximum concurrency that the engine prints", "users"),
    "memory.longest_context_tokens": ("Longest single conversation", "tokens"),
    "memory.weights_share": ("Weights as a share of the card", ""),
    "memory.peak_bytes": ("Held by the fullest GPU", "bytes"),
    "memory.kv_share": ("KV that the load needs of what fits", ""),
    "serving.ttft_s": ("Time to the first token", "s"),
    **{f"serving.ttft_{at}_s": (f"Time to the first token, {words}", "s") for at, words in BELOW.items()},
    **{f"serving.inter_token_{at}_s": (f"Time per token, {words}", "s") for at, words in BELOW.items()},
    **{
        f"serving.tokens_per_s_user_{at}": (f"Tokens a second for one user, {words}", "tokens/s")
        for at, words in BELOW.items()
    },
    "serving.inter_token_s": ("Time per token", "s"),
    "serving.tokens_per_s_user": ("Tokens a second for one user", "tokens/s"),
    "serving.tokens_per_s_total": ("Tokens a second for all users", "tokens/s"),
    "serving.requests_per_s": ("Requests a second", "requests/s"),
    "serving.communication_share": ("Share of a token's time in links", ""),
    "serving.prefill_tokens_per_s": ("Prompt tokens a second", "tokens/s"),
    "serving.served_concurrency": ("Users served at once", "users"),
    "serving.most_at_once": ("The most that run at once", "users"),
    "serving.best_requests_per_s": ("Requests a second at the best load", "requests/s"),
    "serving.single_stream_tokens_per_s": ("Tokens a second of one user alone", "tokens/s"),
    "serving.offline_tokens_per_s": ("Tokens a second with the batch kept full", "tokens/s"),
    "serving.best_concurrency": ("Best load", "users"),
    "serving.best_tokens_per_s_total": ("Tokens a second at the best load", "tokens/s"),
    "serving.weight_stream_s": ("Reading weights", "s"),
    "serving.kv_stream_s": ("Reading the KV cache", "s"),
    "serving.compute_s": ("Computing", "s"),
    "serving.overhead_s": ("Overhead of one step", "s"),
    "serving.communication_s": ("In links, one step", "s"),
    "serving.prefill_interference_s": ("Prompts of others, per token", "s"),
    "serving.users_within_targets": ("Users within the targets", "users"),
    "memory.marginal_users": ("Marginal from so many users on", "users"),
    "memory.stage_spread_bytes": ("How far stages differ in weights", "bytes"),
    "memory.pool_bytes": ("Memory of all cards of a node", "bytes"),
    "memory.pool_lost_bytes": ("Memory past the poorer card's", "bytes"),
    "memory.nvidia_smi_bytes": ("What nvidia-smi will show", "bytes"),
    "memory.allocated_bytes": ("What torch says is allocated at most", "bytes"),
    "memory.torch_reserved_bytes": ("What torch says is reserved at most", "bytes"),
    "memory.host_bytes": ("Host memory that offload needs, per node", "bytes"),
    "memory.largest_micro_batch": ("Largest micro-batch", "sequences"),
    "memory.longest_sequence_tokens": ("Longest sequence", "tokens"),
    "training.step_s": ("One optimizer step", "s"),
    "training.communication_s": ("In links, all of one step", "s"),
    "training.exposed_communication_s": ("In links, exposed, one step", "s"),
    "training.bubble_share": ("Pipeline bubble", ""),
    "training.bubble_s": ("Pipeline bubble of one step", "s"),
    "training.hidden_communication_s": ("In links, hidden behind compute", "s"),
    "training.tp_communication_s": ("Tensor-parallel collectives of one step", "s"),
    "training.ep_communication_s": ("Expert- and context-parallel collectives of one step", "s"),
    "training.pp_communication_s": ("Pipeline messages of one step", "s"),
    "training.dp_communication_s": ("Data-parallel collectives of one step", "s"),
    "training.optimizer_s": ("Optimizer", "s"),
    "training.generation_s": ("Answers of one step", "s"),
    "training.micro_batches": ("Micro-batches of one step", ""),
    "training.tokens_per_s_gpu": ("Tokens a second per GPU", "tokens/s"),
    "training.tokens_per_s_total": ("Tokens a second, whole build", "tokens/s"),
    "training.days": ("Length of the run", "days"),
    "training.step_tokens": ("Tokens of one step", "tokens"),
    "training.gpu_hours": ("GPU-hours", "GPU-hours"),
    "training.peak_bytes": ("Peak memory", "bytes"),
    "training.cost_usd": ("Rent of the run", "USD"),
    "training.goodput": ("Share of time that makes progress", ""),
    "training.tokens_per_day": ("Tokens a day", "tokens"),
    "training.mfu": ("MFU", ""),
    "training.gpus_worth": ("GPUs that would do the same if nothing were lost", "GPUs"),
    "training.efficiency": ("Efficiency per GPU", ""),
    "training.flops_per_token": ("FLOPs of one token", "FLOP"),
    "training.achieved_tflops": ("Useful TFLOP/s per GPU", "TFLOP/s"),
    "training.none_hidden_tokens_per_s": ("Tokens/s per GPU, nothing hidden", "tokens/s"),
    "training.most_hidden_tokens_per_s": ("Tokens/s per GPU, the most hidden", "tokens/s"),
    "training.one_gpu_tokens_per_s": ("Tokens a second of one GPU", "tokens/s"),
    "training.serial_share": ("Serial share (Amdahl)", ""),
    "training.compute_s": ("Kernels of one step", "s"),
    "serving.corpus_requests": ("Requests of the corpus", "requests"),
    "serving.days": ("Days that the corpus takes", "days"),
    "serving.gpu_hours": ("GPU-hours of the corpus", "GPU-hours"),
    "training.most_gpus_worth": ("GPUs whose work no number of them exceeds", "GPUs"),
    "training.frontier_gpus": ("GPUs that finish in time", "GPUs"),
}
"""(title, unit) of a figure by its id."""

SOURCES: Final[dict[str, str]] = {
    "model": "every tensor and cache of the config, counted: docs/catalog.md",
    "model of training": "every tensor and cache of the config, counted: docs/catalog.md",
    "memory": "how the serving engine accounts for a card's memory: docs/memory.md",
    "memory of training": "what a training step holds at its fullest moment: docs/training-memory.md",
    "serving": "a roofline by stream (Williams et al. 2009; Pope et al. 2022, section 3): docs/serving-speed.md",
    "training of training": "kernels, collectives, pipeline and optimizer of one step: docs/training-speed.md",
}
"""Where the formulas of a section come from."""


def _days(plan: Plan) -> Interval | None:
    return None if plan.training is None else plan.training.days_interval


def _of_requests(figure: str, name: str) -> Callable[[Plan], Interval | None]:
    """The interval of a statistic of the requests, as wide as that of their mean and a rule's part more."""

    def find(plan: Plan) -> Interval | None:
        speed = plan.serving
        if speed is None:
            return None
        mean, span = (
            (speed.ttft_s, speed.ttft_interval) if name == "ttft" else (speed.inter_token_s, speed.inter_token_interval)
        )
        value = getattr(speed, figure)
        return Interval(*(value * (end / mean) ** TAIL_WIDER for end in (span.low, span.high)))

    return find


INTERVALS: Final[dict[str, Callable[[Plan], Interval | None]]] = {
    "serving.ttft_s": lambda plan: None if plan.serving is None else plan.serving.ttft_interval,
    "serving.inter_token_s": lambda plan: None if plan.serving is None else plan.serving.inter_token_interval,
    **{f"serving.ttft_{at}_s": _of_requests(f"ttft_{at}_s", "ttft") for at in BELOW},
    **{f"serving.inter_token_{at}_s": _of_requests(f"inter_token_{at}_s", "inter_token") for at in BELOW},
    "serving.tokens_per_s_total": lambda plan: None if plan.serving is None else plan.serving.tokens_per_s_interval,
    "serving.best_tokens_per_s_total": lambda plan: (
        None if plan.serving is None else plan.serving.best_tokens_per_s_interval
    ),
    "training.tokens_per_s_gpu": lambda plan: None if plan.training is None else plan.training.interval,
    "training.days": _days,
    "memory.peak_bytes": lambda plan: None if plan.memory.training is None else plan.memory.training.interval,
}
"""80 % intervals of figures that have one."""


def _batch(plan: Plan) -> str:
    run, work = plan.training, plan.scenario.workload
    if run is None:
        return ""
    each = f"{work.micro_batch} x {work.sequence_length:,} tokens"
    return f"{run.micro_batches} micro-batches of {each} on {plan.layout.dp} data-parallel ranks."


_BY_TOKEN: Final = ("serving.inter_token_s", "serving.tokens_per_s_user", "serving.single_stream_tokens_per_s")
_BY_TOTAL: Final = tuple(
    f"serving.{name}"
    for name in (
        "tokens_per_s_total",
        "requests_per_s",
        "offline_tokens_per_s",
        "best_tokens_per_s_total",
        "best_requests_per_s",
        "days",
        "gpu_hours",
    )
)
"""Figures that a person's measurements of a token, and of tokens a second, move."""

_BY_STEP: Final = tuple(
    f"training.{name}"
    for name in (
        "step_s",
        "tokens_per_s_gpu",
        "tokens_per_s_total",
        "mfu",
        "achieved_tflops",
        "days",
        "gpu_hours",
        "cost_usd",
        "compute_s",
        "communication_s",
        "exposed_communication_s",
        "tp_communication_s",
        "ep_communication_s",
        "pp_communication_s",
        "dp_communication_s",
        "optimizer_s",
        "generation_s",
        "one_gpu_tokens_per_s",
        "none_hidden_tokens_per_s",
        "most_hidden_tokens_per_s",
    )
)
_BY_PEAK: Final = tuple(
    f"memory.{name}"
    for name in (
        "peak_bytes",
        "nvidia_smi_bytes",
        "allocated_bytes",
        "torch_reserved_bytes",
        "activation_bytes",
        "largest_micro_batch",
        "longest_sequence_tokens",
        "free_bytes",
        "available_bytes",
        "over_bytes",
        "used_bytes",
        "fill",
    )
)
"""Figures that a person's measurements of a training run move: of its step, of its peak."""


def _trained(figure: str) -> Callable[[Plan], str]:
    def note(plan: Plan) -> str:
        return "" if plan.scenario.workload.is_inference else told(figure, plan.scenario, plan.layout)

    return note


def _over_links(plan: Plan) -> str:
    """What nobody measured of the links that an engine of the layout speaks over: between nodes where it fills several."""
    hardware = plan.scenario.hardware
    gpus = plan.layout.gpus // engine_split(plan.layout)[0]
    if gpus <= 1:
        return ""
    between = hardware.inter_link if gpus > hardware.gpus_per_node else None
    return why_wide(hardware.intra_link, between, hardware.accelerator)


SPREAD: Final = (
    "The spread is that of the load alone: queueing, a run's start, prompts between tokens. No table states it, so the interval is "
    "that of the mean and half as much again, by a rule."
)
NOTES: Final[dict[str, Callable[[Plan], str]]] = {
    "model.kv_bytes_per_token": lambda plan: "Layers with a window stop growing and count with a user's memory.",
    "memory.weights_share": lambda plan: "The planning rule wants 60-70 % at most.",
    "training.step_tokens": _batch,
    **dict.fromkeys(_BY_STEP, _trained("train_tokens_per_s")),
    **dict.fromkeys(_BY_PEAK, _trained("train_peak")),
    "serving.ttft_s": lambda plan: noted("ttft", plan.scenario),
    "serving.communication_s": _over_links,
    "serving.communication_share": _over_links,
    **{f"serving.{name}_{at}_s": lambda _: SPREAD for name in ("ttft", "inter_token") for at in BELOW},
    **dict.fromkeys(_BY_TOKEN, lambda plan: noted("inter_token", plan.scenario)),
    **dict.fromkeys(_BY_TOTAL, lambda plan: noted("tokens_per_s", plan.scenario)),
    "training.frontier_gpus": lambda plan: f"For {plan.scenario.workload.run_tokens / 1e12:,.3g}T tokens.",
}
"""What a working says beside its arithmetic."""


_BY_INFERENCE: Final = (
    "kv_needed_tokens",
    "kv_capacity_tokens",
    "max_concurrency",
    "users_that_fit",
    "reported_concurrency",
    "longest_context_tokens",
    "kv_share",
    "marginal_users",
)
_BY_TRAINING: Final = (
    "nvidia_smi_bytes",
    "allocated_bytes",
    "torch_reserved_bytes",
    "host_bytes",
    "largest_micro_batch",
    "longest_sequence_tokens",
)
_SOMETIMES: Final = frozenset({"training.most_gpus_worth", "training.frontier_gpus"})
_OF_NO_RECORD: Final = frozenset({"training.none_hidden_tokens_per_s", "training.most_hidden_tokens_per_s"})


def names_of(plan: Plan, section: str) -> list[str]:
    """The ids of a section's figures that a plan has; of memory, those of the whole build."""
    if section == "memory":
        inference = plan.scenario.workload.is_inference
        own = _BY_INFERENCE if inference else _BY_TRAINING
        known = (*own, "weights_share", "peak_bytes")
        return [f"memory.{name}" for name in known if name != "kv_share" or plan.memory.kv_share is not None]
    if section == "model":
        return [figure for figure in TITLES if figure.startswith("model.")]
    record = plan.serving if section == "serving" else plan.training
    if record is None:
        return []
    ids = [figure for figure in TITLES if figure.startswith(f"{section}.") and figure not in _SOMETIMES]
    return [one for one in ids if one in _OF_NO_RECORD or getattr(record, one.partition(".")[2], None) is not None]
