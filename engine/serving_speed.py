"""How fast a build serves: first-token time, time per token, throughput, and the best load under the targets.

One decode step streams the weights and the KV of the batch, computes, and pays for launches and collectives:
`max(weights / bandwidth, FLOPs / compute) + KV / bandwidth + overheads + collectives`. Prefill is compute-bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from engine.architecture import Architecture
from engine.calibration import serving_speed as fit
from engine.hardware import Accelerator, Link
from engine.scenario import Layout, Scenario
from engine.sizing import Interval, Memory, Serving
from engine.units import GB, TERA

_BITS = {
    "bf16": 16.0, "fp16": 16.0, "fp32": 32.0, "fp8": 8.03, "int8": 8.03, "int4": 4.156, "nvfp4": 4.5, "mxfp4": 4.25,
}  # fmt: skip
_QUANTIZED = frozenset({"attention", "mlp", "routed_expert", "shared_expert", "recurrent", "indexer"})


@dataclass(frozen=True, slots=True)
class Plan:
    """Constants of one replica: what a step on the slowest GPU streams and computes."""

    dense_bytes: float
    expert_bytes: float
    experts: int
    experts_per_token: int
    flops_per_token: float
    kv_bytes_per_token: float
    window_bytes: tuple[tuple[int, float], ...]
    state_bytes: float
    pair_flops: float
    bandwidth: float
    compute: float
    layers: int
    collectives: int
    collective_alpha_s: float
    collective_beta_s: float
    stages: int
    hop_s: float


def _class(accelerator: Accelerator) -> str:
    name = accelerator.architecture.lower()
    if "blackwell" in name:
        return "blackwell" if accelerator.bandwidth_gb_s > 4000 else "blackwell-pcie"
    for key in ("hopper", "ada", "ampere"):
        if key in name:
            return key
    return "amd" if accelerator.vendor.lower() == "amd" else "other"


@lru_cache(maxsize=1024)
def plan(
    architecture: Architecture,
    weights: str,
    kv_cache: str,
    tp: int,
    pp: int,
    ep: int,
    accelerator: Accelerator,
    intra: Link,
    inter: Link,
    gpus_per_node: int,
) -> Plan:
    """The constants of one replica of tp x pp GPUs."""
    bits = _BITS.get(weights, 4.85)
    dense = expert = active = 0.0
    kv = state = pair = 0.0
    windows: dict[int, float] = {}
    kv_bytes = 1 if kv_cache.startswith("fp8") else 2
    for layer, count in architecture.layer_runs():
        for t in layer.tensors:
            size = t.elements * (bits if t.part in _QUANTIZED and t.is_matrix else 16) / 8 * count
            if t.part == "routed_expert":
                expert += size
                active += t.elements * count * architecture.experts_per_token / max(1, architecture.experts)
            else:
                dense += size
                active += t.elements * count
        pair += 2 * layer.score_heads * (layer.qk_width + layer.v_width) * count
        for c in layer.caches:
            if c.kind == "recurrent":
                state += (2 * c.conv_elements + 4 * c.recurrent_elements) * count / tp
                continue
            ranks = 1 if c.kind == "latent" else min(tp, max(1, c.kv_heads))
            width = (c.elements_per_token / ranks + c.index_width) * kv_bytes / c.compression * count
            if c.window:
                windows[c.window] = windows.get(c.window, 0.0) + width
            else:
                kv += width
    head = sum(t.elements for t in architecture.head)
    if architecture.tied:
        head += sum(t.elements for t in architecture.embedding)
    dense += 2 * head
    active += head
    if weights in ("fp8", "int8") and accelerator.supports_fp8 and accelerator.tflops_fp8_dense:
        tflops = accelerator.tflops_fp8_dense
    elif weights in ("nvfp4", "mxfp4") and accelerator.supports_fp4 and accelerator.tflops_fp4_dense:
        tflops = accelerator.tflops_fp4_dense * 0.75
    else:
        tflops = accelerator.tflops_bf16_dense or accelerator.tflops_fp16_dense or 50.0
    family = _class(accelerator)
    across = tp > gpus_per_node
    link = inter if across else intra
    rate = (link.achieved_gb_s_unidir or link.peak_gb_s_unidir * 0.75) * GB
    latency = (link.latency_us or 5.0) * 1e-6
    alpha = 0.0 if tp == 1 else 3e-6 + latency * (2 if across else 1) * max(1.0, tp / 4)
    beta = 0.0 if tp == 1 else 2 * (tp - 1) / tp / rate
    hop = inter if tp * pp > gpus_per_node else intra
    return Plan(
        dense_bytes=dense / tp / pp,
        expert_bytes=expert / tp / pp,
        experts=architecture.experts,
        experts_per_token=architecture.experts_per_token,
        flops_per_token=2 * active / tp / pp,
        kv_bytes_per_token=kv / pp,
        window_bytes=tuple((w, b / pp) for w, b in windows.items()),
        state_bytes=state / pp,
        pair_flops=pair / tp / pp,
        bandwidth=accelerator.bandwidth_gb_s * GB * fit.BANDWIDTH_SHARE[family],
        compute=tflops * TERA * fit.COMPUTE_SHARE[family],
        layers=-(-len(architecture.layers) // pp),
        collectives=0 if tp == 1 else 2 * -(-len(architecture.layers) // pp),
        collective_alpha_s=alpha,
        collective_beta_s=beta * architecture.hidden_size * 2,
        stages=pp,
        hop_s=(hop.latency_us or 5.0) * 1e-6 + 10e-6 if pp > 1 else 0.0,
    )


@dataclass(frozen=True, slots=True)
class DecodeStep:
    """Parts of one decode step on one stage, seconds."""

    weight_s: float
    compute_s: float
    kv_s: float
    overhead_s: float
    communication_s: float

    @property
    def seconds(self) -> float:
        """The step: streams and compute overlap, the rest adds."""
        return max(self.weight_s, self.compute_s) + self.kv_s + self.overhead_s + self.communication_s


def decode_step(p: Plan, batch: float, context: float) -> DecodeStep:
    """One step of `batch` sequences with `context` tokens each, over all stages of the replica."""
    touched = 1.0 - (1.0 - p.experts_per_token / p.experts) ** batch if p.experts else 0.0
    kv = p.kv_bytes_per_token * context + p.state_bytes
    for window, width in p.window_bytes:
        kv += width * min(window, context)
    return DecodeStep(
        weight_s=(p.dense_bytes + p.expert_bytes * touched) / p.bandwidth * p.stages,
        compute_s=batch * (p.flops_per_token + p.pair_flops * context) / p.compute * p.stages,
        kv_s=batch * kv / p.bandwidth * p.stages,
        overhead_s=p.layers * p.stages * fit.LAYER_OVERHEAD_S + fit.STEP_OVERHEAD_S + p.stages * p.hop_s,
        communication_s=p.collectives * p.stages * (p.collective_alpha_s + batch * p.collective_beta_s),
    )


def prefill_s(p: Plan, tokens: float) -> float:
    """Time to read one prompt with nothing else running."""
    flops = tokens * (p.flops_per_token + p.pair_flops * tokens / 2) * p.stages
    comm = p.collectives * p.stages * (p.collective_alpha_s + tokens * p.collective_beta_s)
    weights = (p.dense_bytes + p.expert_bytes) / p.bandwidth * p.stages
    return fit.PREFILL_FIXED_S + max(weights, flops / p.compute) + comm


def _plan_of(scenario: Scenario, layout: Layout) -> Plan:
    hw, model = scenario.hardware, scenario.model
    return plan(
        model.architecture, model.weights, model.kv_cache, layout.tp, layout.pp, layout.ep,
        hw.accelerator, hw.intra_link, hw.inter_link, hw.gpus_per_node,
    )  # fmt: skip


def _load(p: Plan, users: float, prompt: int, answer: int) -> tuple[float, float, float, DecodeStep]:
    """(first-token time, time per token, tokens/s of the replica, step) with `users` in flight on one replica."""
    answer = max(1, answer)
    batch = max(1.0, users)
    step = decode_step(p, batch, prompt + answer / 2)
    one = prefill_s(p, max(1, prompt))
    # every answer's worth of steps the engine also reads one prompt for each user in flight
    interference = batch * (one - fit.PREFILL_FIXED_S) / answer if batch > 1 else 0.0
    token = step.seconds + interference
    first = one * (1 + 0.5 * min(batch, 1 + batch * one / max(1e-9, token * answer)))
    cycle = first + token * (answer - 1)
    return first, token, users * answer / cycle, step


def throughput_score(scenario: Scenario, layout: Layout, memory: Memory) -> float:
    """Tokens/s over all replicas at the asked load; for ranking layouts."""
    w = scenario.workload
    p = _plan_of(scenario, layout)
    per_replica = max(1.0, w.concurrency / layout.dp)
    users = min(per_replica, max(1.0, memory.max_concurrency / layout.dp))
    return _load(p, users, w.input_tokens, w.output_tokens)[2] * min(layout.dp, w.concurrency)


def serving_speed(scenario: Scenario, layout: Layout, memory: Memory) -> Serving:
    """Speed of the build under the asked load, and at the best load under the targets."""
    w = scenario.workload
    p = _plan_of(scenario, layout)
    dp = layout.dp
    room = max(1.0, memory.max_concurrency / dp)
    seqs = scenario.runtime.max_num_seqs or 256
    cap = min(room, seqs)
    asked = max(1.0, w.concurrency / dp)
    users = min(asked, cap)
    first, token, total, step = _load(p, users, w.input_tokens, w.output_tokens)
    cycle = first + token * (w.output_tokens - 1)
    if asked > users:
        first += (asked - users) / users * cycle
    used = min(dp, w.concurrency)
    answer = max(1, w.output_tokens)
    best, best_total = 1, 0.0
    n = 1.0
    while True:
        f, t, tps, _ = _load(p, n, w.input_tokens, w.output_tokens)
        ok = (w.ttft_target_s is None or f <= w.ttft_target_s) and (
            w.tokens_per_s_user_target is None or 1 / t >= w.tokens_per_s_user_target
        )
        if ok and tps > best_total:
            best, best_total = int(n * dp), tps * dp
        if n >= cap:
            break
        n = min(cap, n * 1.25 + 1)
    _, _, offline, _ = _load(p, cap, w.input_tokens, w.output_tokens)
    missed = []
    if w.ttft_target_s is not None and first > w.ttft_target_s:
        missed.append(f"first token after {first:.2f} s, target {w.ttft_target_s:g} s")
    if w.tokens_per_s_user_target is not None and 1 / token < w.tokens_per_s_user_target:
        missed.append(f"{1 / token:.1f} tokens/s per user, target {w.tokens_per_s_user_target:g}")
    if w.requests_per_s is not None and total * used / answer < w.requests_per_s:
        missed.append(f"{total * used / answer:.2f} requests/s, target {w.requests_per_s:g}")
    targets = (w.ttft_target_s, w.tokens_per_s_user_target, w.requests_per_s)
    parts = {
        "memory bandwidth": max(0.0, step.weight_s - step.compute_s) + step.weight_s * 0 + step.kv_s,
        "compute": step.compute_s,
        "communication": step.communication_s,
        "overhead": step.overhead_s,
    }
    if step.weight_s >= step.compute_s:
        parts["memory bandwidth"] = step.weight_s + step.kv_s
        parts["compute"] = 0.0
    bound = max(parts, key=lambda key: parts[key])
    single = decode_step(p, 1, w.input_tokens + answer / 2).seconds
    one = prefill_s(p, max(1, w.input_tokens))
    return Serving(
        ttft_s=first,
        inter_token_s=token,
        tokens_per_s_user=1 / token,
        tokens_per_s_total=total * used,
        requests_per_s=total * used / answer,
        communication_share=step.communication_s / token,
        prefill_tokens_per_s=w.input_tokens / one * dp,
        served_concurrency=int(users * used),
        single_stream_tokens_per_s=1 / single,
        offline_tokens_per_s=offline * dp,
        best_concurrency=best,
        best_tokens_per_s_total=best_total,
        ttft_interval=Interval(first * fit.SPREAD_TTFT[0], first * fit.SPREAD_TTFT[1]),
        inter_token_interval=Interval(token * fit.SPREAD_INTER_TOKEN[0], token * fit.SPREAD_INTER_TOKEN[1]),
        tokens_per_s_interval=Interval(
            total * used * fit.SPREAD_TOKENS_PER_S[0], total * used * fit.SPREAD_TOKENS_PER_S[1]
        ),
        bound_by=bound,  # type: ignore[arg-type]  # the keys above are the literals
        meets_targets=None if all(t is None for t in targets) else not missed,
        missed=tuple(missed),
        weight_stream_s=step.weight_s,
        kv_stream_s=step.kv_s,
        compute_s=step.compute_s,
        overhead_s=step.overhead_s,
        communication_s=step.communication_s,
        prefill_interference_s=token - step.seconds,
    )
