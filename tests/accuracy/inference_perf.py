"""Serving speed against published measurements: time per token, first-token time, throughput.

Each row becomes a Scenario; what a row leaves unsaid follows the published method of its source:
- InferenceX rows draw prompt and answer lengths evenly from 0.8 to 1.0 of the stated ones and send ten requests a
  user, all users starting together, to engines that keep an FP8 cache beside FP8 and FP4 weights (its README:
  `--random-range-ratio 0.8 --num-prompts CONC*10 --request-rate inf --max-num-batched-tokens 8192`); its TensorRT-LLM
  script gathers prompts for 20 steps at 1024/1024 below TP 8 (benchmarks/70b_fp8_h200_trt_slurm.sh), its SGLang
  scripts for Blackwell poll for prompts every 10 steps, 30 from 16 users on (benchmarks/dsr1_fp8_b200_slurm.sh); which
  TensorRT-LLM release ran with drafts, and how far ahead, stands in its .github/configs/nvidia-master.yaml (dsr1-fp8-*-trt-mtp);
- aiconfigurator's own rows are ten requests a user of exact lengths (src/aiconfigurator/eval/benchmarks/genai_perf_runner.py);
- MLPerf rows take the mean lengths and the latency limits of the benchmark's rules (mlcommons/inference_policies and the
  task forces' notes); the submission's format is the narrowest that the accelerator computes in.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import lru_cache

import catalog
from catalog import UnknownId
from catalog.names import resolve_accelerator, resolve_name
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.figures.units import GB, TERA
from engine.layout.sharding import stage_weights
from engine.model.architecture import Architecture
from engine.model.flops import attention_flops_per_token, matmul_flops_per_token
from engine.model.formats import FORMATS as WEIGHT_FORMATS
from engine.model.parameters import count_parameters
from engine.parts.hardware import Accelerator
from engine.runtimes.engine import ServingEngine
from engine.scenario import Kind, Layout, LayoutChoice, Runtime, Scenario, Workload
from engine.serving.settings import stored_weights
from engine.serving.shapes import compute_class
from engine.sizing import Serving
from tests.accuracy.cards import EXTRA_CARDS
from tests.accuracy.engine_logs import WEIGHTS_BY_NAME, matched
from tests.accuracy.harness import Case, Evaluation, Row, each_row
from tests.accuracy.served_models import architecture_of
from tests.accuracy.speed_loads import (
    MLPERF,
    MLPERF_INTERACTIVE,
    PUBLISHED_RUN,
    UNSTATED_RUN,
    WHOLE_RUNS,
    Unusable,
    answer_of,
    arrived,
    benchmark_of,
    drafts_of,
    drafts_unsaid,
    sent_at_a_rate,
    spread_of,
    steady,
)

TPOT_DENSE = "time per token, dense"
TPOT_MOE = "time per token, MoE"
MAXIMUM = "maximum throughput"
LIMITED = "best load inside latency limits"
LOADED = "throughput at the asked load"
TTFT_LOW = "first token, low load"
TTFT_LOADED = "first token, under load"

# users of one engine up to which a first token waits for nobody to speak of
LOW_LOAD_USERS = 8

# export versions, slower only between GPUs
GPUS = {"h800": "h100-sxm", "a800": "a100-sxm4-80gb"}

FORMATS = {
    "bf16": "bf16",
    "fp16": "fp16",
    "fp8": "fp8",
    "int8": "int8",
    "w8a8": "int8",
    "fp4": "nvfp4",
    "nvfp4": "nvfp4",
    "mxfp4": "mxfp4",
    "int4": "int4-awq",
    "awq": "int4-awq",
    "awq-int4": "int4-awq",
    "w4a16": "int4-gptq",
    "gptq": "int4-gptq",
    "gptq-int4": "int4-gptq",
}


STAND_IN = "rtx-4090"
EXTRA_LINKS = {card.id: card.default_intra_link for card in EXTRA_CARDS.values()}

GGUF = frozenset(name for name in WEIGHT_FORMATS if name.startswith("gguf"))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A row as a Scenario, and what of it was measured. cached_prompt: the prompt was read before the clock started."""

    scenario: Scenario
    groups: dict[str, str]
    moe: bool
    low_load: bool
    cached_prompt: bool
    observed: tuple[tuple[str, float], ...]


def _slug(name: str) -> str:
    plain = re.sub(r"\(.*?\)", "", str(name)).strip().lower()
    return re.sub(r"[\s_/]+", "-", plain)


def accelerator_of(name: str) -> Accelerator:
    """The catalog's accelerator that a row names, or a card it does not sell. Raises Unusable."""
    slug = re.sub(r"^(?:nvidia-|amd-)?(?:geforce-|radeon-)?", "", _slug(name))
    for wanted_card in (slug, f"rtx-{slug}", re.sub(r"-\d+gb?$", "", slug)):
        if wanted_card in EXTRA_CARDS:
            return EXTRA_CARDS[wanted_card]
    wanted = GPUS.get(_slug(name)) or resolve_accelerator(str(name))
    if wanted is not None:
        return catalog.load().accelerator(wanted)
    raise Unusable(f"GPU {name!r} is not in the catalog")


@lru_cache(maxsize=256)
def model_of(name: str, billions: float | None = None) -> tuple[str, Architecture]:
    """(id, architecture) of the model that a row names, of a size that the row may state. Raises Unusable."""
    model_id = resolve_name(name)
    if model_id is not None:
        return model_id, catalog.load().model(model_id).architecture
    # looser rules, which the stated size must bear out
    architecture = architecture_of(name) if billions else None
    if architecture is None or not 0.9 < count_parameters(architecture).total / 1e9 / (billions or 1) < 1.1:
        raise Unusable(f"model {name!r} is not in the catalog")
    return name, architecture


def _engine(row: Row) -> ServingEngine:
    low = str(row["engine"]).lower()
    if "sglang" in low:
        return "sglang"
    if "mlperf" in low and "vllm" in str(row["notes"]).lower():
        return "vllm"  # a submission whose system names what it ran
    if any(word in low for word in ("trt", "tensorrt", "mlperf")) or re.search(r"\bnim\b", low):
        return "trtllm"
    if "llama.cpp" in low or "ollama" in low or "ik_llama" in low:
        return "llama.cpp"
    return "vllm-earlier" if _before(row, FIRST_LOOP) else "vllm"


FIRST_LOOP = 8
"""vLLM 0.8 is the first whose scheduler and workers run apart by default (the V1 engine)."""


def _before(row: Row, minor: int) -> bool:
    """Whether a row names a vLLM before 0.minor."""
    found = re.search(r"vllm\D*0\.(\d+)", str(row["engine"]).lower())
    return found is not None and int(found[1]) < minor


def _weights(row: Row, accelerator: Accelerator, architecture: Architecture) -> str:
    named = str(row["quant"] or "").lower()
    if "unstated" in named:
        raise Unusable("the weight format is not stated")
    if not named:
        return matched(str(row["model"]).lower(), WEIGHTS_BY_NAME) or architecture.checkpoint_format
    if "submission" in named:
        if accelerator.supports_fp4:
            return "nvfp4"
        return "fp8" if accelerator.supports_fp8 else "int4-awq"
    if architecture.checkpoint_format == "mxfp4" and named in ("fp4", "fp8", "mxfp4", "bf16"):
        return "mxfp4"
    if named in GGUF:
        return named
    if re.match(r"i?q\d", named) and f"gguf-{named}" in GGUF:
        return f"gguf-{named}"
    for word in (named, *re.split(r"[^a-z0-9]+", named)):
        if word in FORMATS:
            return FORMATS[word]
    spelled = matched(named, WEIGHTS_BY_NAME)
    if spelled:
        return spelled
    raise Unusable(f"weight format {row['quant']!r} is not known")


def _kv_cache(row: Row, engine: ServingEngine, weights: str, accelerator: Accelerator) -> str:
    notes, named = str(row["notes"]).lower(), str(row["kv_dtype"] or "").lower()
    if "fp8 kv" in notes or named.startswith("fp8"):
        return "fp8"
    if "fp16 kv" in notes or "bf16 kv" in notes or "16" in named:
        return "bf16"
    if named.startswith("q8"):
        return "q8_0"
    narrow = weights in ("fp8", "nvfp4") and accelerator.supports_fp8
    if engine == "trtllm" and narrow:
        return "fp8"
    if benchmark_of(row) == "InferenceX" and narrow and (engine == "vllm" or accelerator.supports_fp4):
        return "fp8"
    return "bf16"


def _flag(command: str, *names: str) -> int | None:
    for name in names:
        found = re.search(rf"(?:^|\s)--?{name}[= ](\d+)", command)
        if found:
            return int(found.group(1))
    return None


def _layout(row: Row, architecture: Architecture) -> tuple[int, LayoutChoice]:
    """(GPUs, layout) of a row. Raises Unusable for a layout that no engine runs."""
    gpus = row["n_gpus"]
    if gpus is None:
        raise Unusable("the number of GPUs is not stated")
    tp, pp, dp, ep = row["tp"], row["pp"] or 1, row["dp"], row["ep"] or 1
    command = str(row["notes"])
    dp_attention = "dp-attention" in command  # SGLang's flag, or the words of a source
    if dp_attention and ("DeepEP" in command or "/EP8" in command):
        ep = tp or 1  # whole experts over the ranks of the attention
    if command.startswith("cmd:"):
        tp = _flag(command, "tensor-parallel-size", "tp-size", "tp_size", "tp") or tp
        pp = _flag(command, "pipeline-parallel-size", "pp-size", "pp_size", "pp") or pp
        ep = _flag(command, "ep-size", "ep_size") or (tp if "--enable-ex" in command else ep)
        gpus = max(gpus, (tp or 1) * pp)
    if benchmark_of(row) == "InferenceX" and ep > 1:
        # this dump multiplies the expert-parallel size into the counts: the same runs stand in it with the true ones
        if tp and tp > 1 and dp == tp and ep == tp * dp:
            gpus, dp, ep = tp, 1, tp
        elif gpus // ep >= ep:
            gpus //= ep
            tp, dp = (1, gpus) if tp == 1 else (gpus, 1)
    if tp is None:
        return gpus, LayoutChoice()
    if "attention DP" in command or (tp == 1 and ep > 1 and (dp or 1) > 1):
        tp, dp, dp_attention = 1, gpus // pp, True
    if tp > 1 and architecture.heads % tp:
        raise Unusable("tensor parallelism does not divide the heads: pools of an engine that is not described")
    room = gpus // (tp * pp)
    if dp is None or tp * pp * dp != gpus:
        dp = max(1, room)
    if tp * pp * dp > gpus:
        raise Unusable("the layout needs more GPUs than the row has")
    if architecture.experts == 0:
        ep = 1
    # experts that are spread over replicas make one engine of them
    dp_attention |= dp > 1 and ep > tp
    return gpus, LayoutChoice(tp=tp, pp=pp, dp=dp, ep=min(ep, tp * dp), dp_attention=dp_attention)


def _nodes(row: Row, gpus: int, accelerator: Accelerator) -> tuple[int, int]:
    """(GPUs in a node, nodes)."""
    most = accelerator.max_gpus_per_node or 8
    if (row["nodes"] or 1) > 1 and gpus % row["nodes"] == 0:
        return gpus // row["nodes"], int(row["nodes"])
    if accelerator.id in ("gb200", "gb300"):
        most = 72  # a rack is one NVLink domain
    return (gpus, 1) if gpus <= most else (most, math.ceil(gpus / most))


def _intra_link(row: Row, accelerator: Accelerator) -> str:
    named = str(row["interconnect"] or "").lower()
    notes = str(row["notes"]).lower()
    if "p2p_disable" in notes:
        return "pcie-no-p2p"
    if named.startswith("pcie") and "nvl bridge" not in named and "pcie" not in accelerator.default_intra_link:
        return "pcie5-root" if accelerator.pcie_gen == 5 else "pcie4-x16"
    return ""


def _link_group(scenario: Scenario) -> str:
    hardware = scenario.hardware
    return "one GPU" if hardware.gpus == 1 else "across nodes" if hardware.nodes > 1 else hardware.intra_link.family


def _prompt_group(scenario: Scenario) -> str:
    share = scenario.workload.input_tokens / scenario.workload.tokens_per_request
    return "to a half" if share <= 0.5 else "to 0.85" if share <= 0.85 else "over 0.85"


def prepare(row: Row) -> Prepared:
    """A row as a Scenario with its measured figures. Raises Unusable with the reason."""
    mode = str(row["mode"])
    for key in ("model", "gpu"):
        if not row[key]:
            raise Unusable(f"the {key} is not stated")
    if "unstated" in str(row["model"]) or "not stated" in str(row["model"]):
        raise Unusable("the model is not stated")
    accelerator = accelerator_of(row["gpu"])
    model_id, architecture = model_of(str(row["model"]), row["params_b"])
    weights = _weights(row, accelerator, architecture)
    engine = _engine(row)
    if mode.startswith("MLPerf") and accelerator.vendor != "NVIDIA":
        engine = "vllm"
    gpus, layout = _layout(row, architecture)
    per_node, nodes = _nodes(row, gpus, accelerator)
    prompt, answer, users = row["isl"], row["osl"], row["concurrency"]
    rate = None
    benchmark = benchmark_of(row)
    requests: int | None = None
    ttft_limit = user_limit = None
    kind: Kind = "serve"
    runtime = Runtime(engine=engine)
    if mode.startswith("MLPerf"):
        if model_id not in MLPERF:
            raise Unusable("the lengths of this MLPerf data set are not known")
        prompt, mean_answer, ttft_limit, user_limit = MLPERF[model_id]
        answer = round(row["osl"] or mean_answer)
        kind = "batch" if "Offline" in mode else "serve"
        users = 256 * gpus
        if kind == "batch":
            ttft_limit = user_limit = None
        elif "Interactive" in mode:
            ttft_limit, user_limit = MLPERF_INTERACTIVE.get(model_id, (ttft_limit, user_limit))
    elif mode.startswith("max throughput"):
        if "all requests at once" in str(row["notes"]) and not row["requests"]:
            raise Unusable("how many requests were sent at once is not stated")
        kind, users = "batch", users or 2048 * max(1, layout.dp or 1)
    elif mode.startswith("Poisson"):
        rate = row["request_rate"] or (row["output_tok_s"] or 0.0) / (answer or 1) or None
        users = users or arrived(row)
    elif mode.startswith("burst") or mode == "static batch":
        requests = users
        if mode == "static batch" and users:
            # the batch runs as one, whatever an engine admits by default
            runtime = Runtime(engine=engine, max_num_seqs=max(256, round(users)))
    if users is None and not mode.startswith(("single", "prefill")):
        raise Unusable("the load is not stated")
    if answer is None:
        answer = answer_of(row)
    if prompt is None:
        prompt = 512
    if answer is None:
        answer = 256
    if benchmark == "InferenceX":
        prompt, answer = round(0.9 * prompt), round(0.9 * answer)
        requests = PUBLISHED_RUN * int(users or 1)
        if engine == "vllm":
            runtime = Runtime(engine=engine, memory_utilization=0.9, max_num_batched_tokens=8192)
        elif engine == "trtllm" and architecture.experts == 0 and row["isl"] == row["osl"] == 1024 and row["tp"] < 8:
            runtime = Runtime(engine=engine, admission_wait_steps=20)
        elif engine == "sglang" and accelerator.supports_fp4:
            # a prompt arrives half an interval before the poll
            runtime = Runtime(engine=engine, admission_wait_steps=15 if users >= 16 else 5)
    elif row["requests"] and not mode.startswith(("max", "MLPerf", "Poisson")):
        requests = round(row["requests"])
    elif mode.startswith("closed") and users and users > 1 and not steady(row):
        # a benchmark of equal prompts that all start at once, of a length that nobody stated
        requests = (PUBLISHED_RUN if benchmark else UNSTATED_RUN) * round(users)
    command = str(row["notes"])
    if command.startswith("cmd:"):
        batched = _flag(command, "max-num-batched-tokens")
        if batched:
            runtime = Runtime(engine=engine, max_num_batched_tokens=batched)
    workload = Workload(
        kind=kind,
        concurrency=max(1, round(users or 1)),
        input_tokens=max(1, round(prompt)),
        output_tokens=max(1, round(answer)),
        ttft_target_s=ttft_limit,
        tokens_per_s_user_target=user_limit,
        requests=requests,
        requests_per_s=rate,
        output_spread=spread_of(row) if requests else None,
        cached_share=min(1.0, row["cached_prompt_share"]) if row["cached_prompt_share"] else None,
    )
    if row["max_num_seqs"]:
        runtime = replace(runtime, max_num_seqs=row["max_num_seqs"])
    runtime = replace(runtime, **drafts_of(row, bool(layout.dp_attention)))
    try:
        scenario = catalog.build_scenario(
            model_id,
            weights,
            # a card that the catalog does not sell stands in the place of one like it
            STAND_IN if accelerator.id in EXTRA_CARDS else accelerator.id,
            per_node,
            nodes,
            architecture=architecture,
            kv_cache=_kv_cache(row, engine, weights, accelerator),
            intra_link=_intra_link(row, accelerator) or EXTRA_LINKS.get(accelerator.id, "") if gpus > 1 else "",
            power_limit_w=row["power_limit_w"] or None,
            workload=workload,
            layout=layout,
            runtime=runtime,
        )
    except UnknownId as error:
        raise Unusable(str(error)) from error
    if accelerator.id in EXTRA_CARDS:
        scenario = replace(scenario, hardware=replace(scenario.hardware, accelerator=accelerator, platform=None))
    moe = architecture.experts > 0
    engines = 1 if layout.dp_attention else (layout.dp or 1)
    observed = _observed(row, mode, moe, workload.concurrency / engines <= LOW_LOAD_USERS)
    if not observed:
        raise Unusable("no figure of the row is measured")
    if (
        not mode.startswith("MLPerf")
        and answer_of(row) is None
        and any(name in (MAXIMUM, LOADED) for name, _ in observed)
    ):
        raise Unusable("a throughput whose answers have no stated length")
    groups = {
        "gpu": accelerator.id,
        "model": str(row["model"]),
        "engine": engine,
        "format": weights,
        "kind": "MoE" if moe else "dense",
        "mode": mode,
        "link": _link_group(scenario),
        "prompts": _prompt_group(scenario),
    }
    prepared = Prepared(
        scenario=scenario,
        groups=groups,
        moe=moe,
        low_load=workload.concurrency / engines <= LOW_LOAD_USERS,
        cached_prompt=mode.startswith("decode"),
        observed=observed,
    )
    if max(share_of_peak(prepared), first_of_peak(prepared)) > 1.0:
        raise Unusable("more arithmetic a second than the card has")
    if read_of_peak(prepared) > 1.0:
        raise Unusable("more bytes of weights a second than the card reads")
    return prepared


DOUBTFUL_OF_PEAK = 0.75
"""Share of the card's peak from which on a row is doubted: the best tables of products reach 0.82, whole engines 0.7."""


def share_of_peak(prepared: Prepared) -> float:
    """Arithmetic that the measured speed would take, over the card's peak; 0 where the row does not say.

    Little's law for a closed loop of users of which only the times are stated.
    """
    scenario, figures = prepared.scenario, dict(prepared.observed)
    work = scenario.workload
    each = 0.0
    total = next((figures[name] for name in (MAXIMUM, LIMITED, LOADED) if name in figures), None)
    token, first = (
        figures.get(one, figures.get(other)) for one, other in ((TPOT_DENSE, TPOT_MOE), (TTFT_LOW, TTFT_LOADED))
    )
    if total is not None:
        each = total / max(1, work.output_tokens)
    elif token and first:
        each = work.concurrency / (first + token * (work.output_tokens - 1))
    return each * _seconds_at_peak(scenario, work.tokens_per_request)


def first_of_peak(prepared: Prepared) -> float:
    """The same of the prompts before a burst's first tokens, which on average are half of all; 0 for other loads."""
    work, figures = prepared.scenario.workload, dict(prepared.observed)
    first = figures.get(TTFT_LOW, figures.get(TTFT_LOADED))
    if not first or work.requests != work.concurrency or work.cached_share:
        return 0.0
    return (work.concurrency + 1) / 2 / first * _seconds_at_peak(prepared.scenario, work.input_tokens)


ALIKE = 0.8
"""Power of the tokens of a batch by which it touches experts at the least: those of alike prompts pick alike."""


def read_of_peak(prepared: Prepared) -> float:
    """Bytes of weights that the measured steps would read a second, over the card's bandwidth; 0 where no time of a step is told.

    A step reads the experts that its batch touches and all else but the input table once; the KV cache comes on top. Drafts give
    more tokens a step, and are left out.
    """
    scenario, figures = prepared.scenario, dict(prepared.observed)
    work, arch, layout = scenario.workload, scenario.model.architecture, scenario.layout
    token = figures.get(TPOT_DENSE, figures.get(TPOT_MOE))
    if not token or scenario.runtime.speculative is not None:
        return 0.0
    first = figures.get(TTFT_LOW, figures.get(TTFT_LOADED, 0.0))
    engines = 1 if layout.dp_attention else layout.dp or 1
    decoding = token * max(1, work.output_tokens - 1)
    batch = max(1.0, work.concurrency / engines * decoding / (first + decoding) / (layout.pp or 1))
    parts = stage_weights(arch, stored_weights(scenario.model, scenario.runtime), Layout(1, 1, 1, 1)).parts
    tables = ("table", "vision", "audio", *(() if arch.tied else ("embedding",)))
    held = float(sum(size for part, size in parts.items() if part not in (*tables, "routed_expert")))
    if arch.experts:
        held += parts["routed_expert"] * (1 - (1 - arch.experts_per_token / arch.experts) ** (batch**ALIKE))
    gpus = scenario.hardware.gpus / engines
    return held / (gpus * scenario.hardware.accelerator.bandwidth_gb_s * GB) / token


def _seconds_at_peak(scenario: Scenario, tokens: int) -> float:
    """Seconds that the card's peak takes for so many tokens of a request, its prompt's attention with them."""
    work, arch = scenario.workload, scenario.model.architecture
    flops = tokens * matmul_flops_per_token(arch, False)
    flops += work.input_tokens * attention_flops_per_token(arch, work.input_tokens)
    tflops = compute_class(scenario.model.weights, scenario.hardware.accelerator)[1]
    return flops / (scenario.hardware.gpus * tflops * TERA)


def doubt_of(row: Row, prepared: Prepared) -> str:
    """Why no constant is fitted on a row, in words; empty for most."""
    if "keep out of fits" in str(row["notes"]):
        return "software that its own source calls untuned"
    if "calls this a defect" in str(row["notes"]):
        return "software that its own source calls defective"
    if _before(row, FIRST_LOOP):
        return "vLLM before 0.8: its host loop was another"
    if sent_at_a_rate(row):
        return "a burst whose requests were sent at a rate: how many ran at once is not stated"
    if drafts_unsaid(row):
        return "a release that was run with and without drafts: which of them is not stated"
    users, prompt = row["concurrency"] or 0, row["isl"] or 0
    if str(row["mode"]).startswith("burst") and users >= 500 and 200 <= prompt <= 230:
        return "a burst of ShareGPT's prompts: how far its answers differ is not stated"
    if share_of_peak(prepared) > DOUBTFUL_OF_PEAK:
        return f"more than {DOUBTFUL_OF_PEAK:g} of the card's peak"
    return ""


def _observed(row: Row, mode: str, moe: bool, low_load: bool) -> tuple[tuple[str, float], ...]:
    found: list[tuple[str, float]] = []
    total = row["output_tok_s"]
    if mode.startswith(("max throughput", "MLPerf Offline")):
        return ((MAXIMUM, float(total)),) if total else ()
    if mode.startswith("MLPerf"):
        return ((LIMITED, float(total)),) if total else ()
    tpot = row["tpot_ms"] / 1e3 if row["tpot_ms"] else None
    if tpot is None and row["decode_tok_s_per_user"]:
        tpot = 1.0 / row["decode_tok_s_per_user"]
    if tpot:
        found.append((TPOT_MOE if moe else TPOT_DENSE, tpot))
    first = row["ttft_ms"] / 1e3 if row["ttft_ms"] else None
    if first is None and mode.startswith("prefill") and row["prefill_tok_s"] and row["isl"]:
        first = row["isl"] / row["prefill_tok_s"]
    if first:
        found.append((TTFT_LOW if low_load else TTFT_LOADED, first))
    alone = mode.startswith("single") and not tpot
    if total and "DERIVED" not in str(row["notes"]) and (alone or mode.startswith(WHOLE_RUNS)):
        found.append((LOADED, float(total)))
    return tuple(found)


def printed_token_s(prepared: Prepared, token_s: float, others_s: float) -> float:
    """Time per token as benchmarks print it. others_s: of it the part that prompts of others take.

    They print the mean over requests of each one's own mean, in which short answers weigh as much as long ones: prompts
    delay an answer by so many seconds whatever its length, and the mean of 1 / length is 1 + spread^2 times 1 / mean of
    lengths that are log-normal.
    """
    if prepared.cached_prompt:
        return token_s - others_s
    return token_s + others_s * (prepared.scenario.workload.output_spread or 0.0) ** 2


def predicted(metric: str, serving: Serving, prepared: Prepared) -> tuple[float, tuple[float, float]]:
    """(figure, interval) that answers a metric."""
    if metric in (TPOT_DENSE, TPOT_MOE):
        value = printed_token_s(prepared, serving.inter_token_s, serving.prefill_interference_s)
        scale = value / serving.inter_token_s
        interval = serving.inter_token_interval
        return value, (interval.low * scale, interval.high * scale)
    if metric in (TTFT_LOW, TTFT_LOADED):
        return serving.ttft_s, (serving.ttft_interval.low, serving.ttft_interval.high)
    value = serving.tokens_per_s_total
    if metric == LIMITED:
        best = serving.best_tokens_per_s_interval
        return serving.best_tokens_per_s_total, (best.low, best.high)
    if metric == MAXIMUM:
        value = serving.offline_tokens_per_s
    scale = value / serving.tokens_per_s_total
    interval = serving.tokens_per_s_interval
    return value, (interval.low * scale, interval.high * scale)


def evaluate(rows: list[Row]) -> Evaluation:
    """Compare every usable row with what `size` says of it."""
    return each_row(rows, _compare)


def _compare(row_id: str, row: Row, found: Evaluation) -> None:
    try:
        prepared = prepare(row)
        serving = size(prepared.scenario).serving
    except Unusable as reason:
        found.aside(row_id, str(reason))
        return
    except ScenarioError as error:
        found.aside(row_id, f"refused: {error}")
        return
    if serving is None:
        found.aside(row_id, "the model says that the engine would not start")
        return
    for metric, value in prepared.observed:
        answer, interval = predicted(metric, serving, prepared)
        if answer > 0:
            found.cases.append(Case(row_id, metric, value, answer, prepared.groups, interval))
