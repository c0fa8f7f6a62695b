"""What engines printed at start-up, against `engine`: weights, KV space, users, and whether they started.

A row's stated settings become a Scenario; what it leaves unsaid takes the default of the engine version it names. KV
capacity is compared in tokens at the row's context (printed concurrency x length where groups make the printed token
count mislead); memory in GiB per GPU.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import catalog
from catalog import UnknownId, build_scenario
from catalog.format_names import format_of_name
from catalog.names import resolve_accelerator
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.figures.units import GIB, MIB
from engine.layout.sharding import kv_copies
from engine.model.architecture import Architecture
from engine.parts.hardware import Accelerator
from engine.runtimes.engine import ServingEngine
from engine.scenario import Layout, LayoutChoice, Runtime, Scenario, Speculation, Workload
from engine.scenario.runtime import StateType
from engine.serving.kv_pool import state_bytes
from engine.serving.ranks import STATE_ELEMENT, loaded
from engine.serving.settings import visible_bytes
from engine.sizing import Memory
from tests.accuracy.harness import REFERENCE, Case, Evaluation, Outcome, Row, each_row, load_rows
from tests.accuracy.served_models import architecture_of, key_of

WEIGHTS = "weights per GPU"
KV_SPACE = "KV GiB per GPU"
KV_TOKENS = "KV capacity in tokens"
KV_BYTES = "KV GiB of the stated tokens (other engines)"
ACTIVATION = "activation peak (no bar)"
STARTS = "starts"


UNSORTED_SAMPLER = (0, 17)
"""vLLM from here on samples without sorting: 37 starts of one laboratory on 0.11 to 0.20 differ by it."""
GRAPHS_CHARGED = (0, 20)
"""vLLM from here on takes its estimate of the CUDA graphs out of the budget."""
CURRENT_UTILIZATION = (0, 21)
"""vLLM from here on takes 0.92 of the card unless told otherwise."""


class Unreadable(ValueError):
    """A row that cannot be written as a scenario; the message says why."""


# (pattern on the lower-case name, catalog id). The first match counts.
GPUS: tuple[tuple[str, str], ...] = (
    (r"rtx 3090", "rtx-3090"),
    (r"rtx 4090", "rtx-4090"),
    (r"rtx 5090", "rtx-5090"),
    (r"rtx pro 6000", "rtx-pro-6000-server"),
    (r"rtx pro 5000.*72", "rtx-pro-5000-72gb"),
    (r"rtx pro 5000", "rtx-pro-5000"),
    (r"(rtx )?a6000", "rtx-a6000"),
    (r"rtx 6000 ada", "rtx-6000-ada"),
    (r"gh200.*(144|141)", "gh200-144gb"),
    (r"gh200", "gh200-96gb"),
    (r"gb200", "gb200"),
    (r"gb300", "gb300"),
    (r"gb10|dgx spark", "gb10"),
    (r"h100.*nvl", "h100-nvl"),
    (r"h100.*pcie", "h100-pcie"),
    (r"h100", "h100-sxm"),
    (r"h200.*nvl", "h200-nvl"),
    (r"h200", "h200-sxm"),
    (r"h20", "h20"),
    (r"b200", "b200-sxm"),
    (r"b300", "b300-sxm"),
    (r"a100.*pcie.*80", "a100-pcie-80gb"),
    (r"a100.*pcie", "a100-pcie-40gb"),
    (r"a100.*40", "a100-sxm4-40gb"),
    (r"a100", "a100-sxm4-80gb"),
    (r"l40s", "l40s"),
    (r"l40", "l40"),
    (r"l4\b", "l4"),
    (r"a10g", "a10g"),
    (r"a10\b", "a10"),
    (r"a30", "a30"),
    (r"a40", "a40"),
    (r"v100", "v100-sxm2-32gb"),
    (r"t4\b", "t4"),
    (r"mi300x", "mi300x"),
    (r"mi325x", "mi325x"),
    (r"mi355x", "mi355x"),
    (r"mi350x", "mi350x"),
    (r"mi250", "mi250x"),
    (r"mi210", "mi210"),
    (r"r9700", "radeon-ai-pro-r9700"),
    (r"48 ?gb class", "l40s"),
)
# Cards that the catalog does not have: the nearest one with another memory (MiB that the driver reports).
OTHER_GPUS: tuple[tuple[str, str, int], ...] = (
    (r"rtx 3090 ti", "rtx-3090", 24564),
    (r"rtx (5080|5070 ti)", "rtx-5090", 16303),
    (r"rtx 5070", "rtx-5090", 12227),
    (r"rtx 4060 ti.*16", "rtx-4090", 16380),
    (r"rtx 4000 ada|(rtx )?a4500", "rtx-4090", 20475),
    (r"rtx 2000 ada", "rtx-4090", 16380),
    (r"titan rtx", "t4", 24576),
    (r"quadro rtx 8000|rtx 8000", "t4", 49152),
    (r"quadro rtx 6000|rtx 6000 24", "t4", 24576),
    (r"cmp 170hx 64", "a100-pcie-80gb", 65536),
    (r"p100", "t4", 16384),
    (r"p40\b", "t4", 23040),
    (r"rtx 5060 ti", "rtx-5090", 16311),
    (r"rtx 4080", "rtx-4090", 16376),
    (r"rtx 4070 ti super", "rtx-4090", 16376),
    (r"rtx 4070 laptop|rtx 4060", "rtx-4090", 8188),
    (r"rtx 4070", "rtx-4090", 12282),
    (r"rtx (3080 ti|3060)", "rtx-3090", 12288),
    (r"rtx 3080", "rtx-3090", 10240),
    (r"rtx (3070|3060 ti)", "rtx-3090", 8192),
    (r"rtx 2080 ti", "t4", 11264),
    (r"v100.*16", "v100-sxm2-32gb", 16384),
    (r"(rtx )?a5000", "rtx-3090", 24564),
    (r"(rtx )?a4000", "rtx-3090", 16376),
)
WEIGHTS_BY_NAME: tuple[tuple[str, str], ...] = (
    (r"nvfp4.*(fp8|mixed)", "nvfp4-fp8"),
    (r"nvfp4|modelopt.?fp4", "nvfp4"),
    (r"mxfp4|fp8/fp4", "mxfp4"),
    (r"fp4", "nvfp4"),
    (r"q8.?0", "gguf-q8_0"),
    (r"q6.?k", "gguf-q6_k"),
    (r"q5.?k", "gguf-q5_k_m"),
    (r"q4.?k|gguf", "gguf-q4_k_m"),
    (r"q4.?0", "gguf-q4_0"),
    (r"awq", "int4-awq"),
    (r"gptq|autoround", "int4-gptq"),
    (r"w4a16|w4a8", "w4a16"),
    (r"int4", "int4-gptq"),
    (r"nf4|bnb|bitsandbytes", "nf4"),
    (r"int8|w8a8", "int8"),
    (r"fp8", "fp8"),
    (r"bf16|bfloat16", "bf16"),
    (r"fp16|float16|half", "fp16"),
    (r"4-?bit", "int4-gptq"),
    (r"8-?bit", "int8"),
)


Name = TypeVar("Name", bound=str)


def matched(text: str, rules: tuple[tuple[str, Name], ...]) -> Name | Literal[""]:
    """The value of the first rule whose pattern occurs in the text; empty when none does."""
    return next((value for pattern, value in rules if re.search(pattern, text)), "")


def accelerator_of(row: Row) -> Accelerator:
    """The card of a row; of several different ones the smallest. Raises Unreadable for an unknown name."""
    found: list[Accelerator] = []
    for name in re.split(r"\s\+\s", str(row["gpu"]).lower()):
        known = None
        for pattern, like, mib in OTHER_GPUS:
            if re.search(pattern, name):
                known = replace(catalog.load().accelerator(like), memory_mib_reported=mib)
                break
        if known is None:
            found_id = matched(name, GPUS) or resolve_accelerator(name)
            if not found_id:
                raise Unreadable(f"unknown GPU {row['gpu']!r}")
            known = catalog.load().accelerator(found_id)
        found.append(known)
    card = min(found, key=lambda each: each.memory_bytes)
    stated = row.get("gpu_total_gib")
    visible = re.search(r"([\d.]+) gib visible", str(row["gpu"]).lower())
    if visible and not stated:
        stated = visible.group(1)
    if stated:
        card = _with_visible(card, float(stated))
    return card


def _with_visible(card: Accelerator, gib: float) -> Accelerator:
    """The card with as much memory reported as makes `gib` visible to a process, as the log states it."""
    mib = round(gib * 1024)
    for _ in range(4):
        changed = replace(card, memory_mib_reported=mib)
        mib += round(gib * 1024 - visible_bytes(changed) / 2**20)
    return replace(card, memory_mib_reported=mib)


def version_of(row: Row) -> tuple[int, int]:
    """(major, minor) of a vLLM version text; without one the newest, by "latest"; V0 texts as they say."""
    text = str(row.get("engine_version") or "")
    found = re.search(r"(\d+)\.(\d+)(x?)", text)
    if found and found.group(3):
        return int(found.group(1)), 10 * int(found.group(2)) + 9  # "0.2x": one of the newest of them
    if found:
        return int(found.group(1)), int(found.group(2))
    return (0, 7) if "v0" in re.split(r"[^a-z0-9.]+", text.lower()) else (0, 99)


def engine_of(row: Row) -> ServingEngine:
    """The engine choice of a row. Raises Unreadable for engines that `engine` does not model."""
    name = str(row["engine"]).lower()
    if "sglang" in name:
        return "sglang"
    if "vllm" in name:
        return "vllm-earlier" if version_of(row) < UNSORTED_SAMPLER else "vllm"
    if _kv_only(row):
        return "vllm"
    raise Unreadable(f"{row['engine']} sizes its cache by its own settings, which the row does not state")


def _kv_only(row: Row) -> bool:
    """Whether a row of an engine that is not modelled still states how many tokens its cache holds in how many GiB."""
    observed = row["observed"]
    known = any(name in str(row["engine"]).lower() for name in ("vllm", "sglang"))
    return not known and bool(observed.get("kv_gib_per_gpu")) and bool(observed.get("kv_tokens"))


def _is_v0(row: Row) -> bool:
    text = str(row.get("engine_version") or "").lower()
    return "v0" in re.split(r"[^a-z0-9.]+", text) or (version_of(row) < (0, 8) and "v1" not in text)


def _sglang_04_fraction(row: Row, memory_mib: float, ranks: int) -> float:
    """SGLang's default mem_fraction_static before 0.5 (server_args.py): by ranks to 0.4.6, then by size of card."""
    patch = re.search(r"0\.4\.(\d+)", str(row.get("engine_version")))
    if version_of(row) < (0, 4) or (patch is not None and int(patch.group(1)) <= 6):
        of_eight = 0.83 if version_of(row) < (0, 4) else 0.81
        by_ranks = ((16, 0.79), (8, of_eight), (4, 0.85), (2, 0.87), (1, 0.88))
        return next(fraction for least, fraction in by_ranks if ranks >= least)
    gib = memory_mib / 1024
    if gib < 35:
        reserved = 2.8 + ranks / 10
    elif gib < 90:
        reserved = 9.5 + ranks / 2
    elif gib < 160:
        reserved = 12 + ranks / 2
    else:
        reserved = 32.0
    return round((gib - reserved) / gib, 3)


def runtime_of(row: Row, engine: ServingEngine, architecture: Architecture) -> Runtime:
    """Settings of a row with the defaults that its engine version had."""
    length = row.get("max_model_len") or architecture.max_position
    batched, seqs = row.get("max_num_batched_tokens"), row.get("max_num_seqs")
    if engine == "vllm-earlier" and _is_v0(row):
        # V0 profiled one whole prompt of max_model_len unless chunked prefill came on, above 32k tokens.
        seqs = seqs or 256
        batched = batched or (2048 if length > 32768 else max(2048, length))
    utilization = row.get("gpu_memory_utilization") or row.get("mem_fraction_static")
    if engine == "sglang" and utilization is None and (0, 0) < version_of(row) < (0, 5):
        utilization = _sglang_04_fraction(row, accelerator_of(row).memory_bytes / MIB, int(row.get("tp") or 1))
    graphs = not row.get("enforce_eager", False)
    block = row.get("block_size") or 16
    if engine == "vllm" and not _kv_only(row):
        graphs = graphs and version_of(row) >= GRAPHS_CHARGED
        if utilization is None and version_of(row) < CURRENT_UTILIZATION:
            utilization = 0.90
    return Runtime(
        engine=engine,
        memory_utilization=utilization,
        max_num_batched_tokens=batched,
        max_num_seqs=seqs,
        max_model_len=length,
        cuda_graphs=graphs,
        block_size=int(block) if block in (16, 32, 64, 128) else 16,
    )


DRAFTERS: tuple[tuple[str, Speculation], ...] = (
    (r"dspark", "dspark"),
    (r"dflash2", "dflash2"),
    (r"dflash", "dflash"),
    (r"eagle", "eagle"),
    (r"n-?gram|suffix", "ngram"),
    (r"mtp|nextn|assistant", "mtp"),
)
"""(pattern on what a row says of its draft, method)."""


def draft_of_row(row: Row) -> tuple[Speculation | None, int | None]:
    """(who drafts, how many tokens ahead) by the row's own field, else by the model's name; None: nobody, not stated.

    Raises Unreadable for a drafter that is not modelled.
    """
    said = row.get("spec_decode")
    if not said and "speculation method not shown" in str(row.get("notes") or "").lower():
        raise Unreadable("which drafter shares the card is not stated")
    names = f"{row['model']} {row.get('hf_id') or ''}".lower()
    if not said and "possible mtp layer" in str(row.get("check") or "").lower() + str(row.get("notes") or "").lower():
        raise Unreadable("whether its MTP layer is loaded is not stated")
    if said is False:
        return None, None
    words = f"{said} {names}".lower() if said else names
    found = matched(words if said else names.partition(" ")[2] or names, DRAFTERS)
    if not found and (said or "drafter" in names):
        raise Unreadable("a drafter of unstated size shares the card")
    ahead = re.search(r"[nk] ?= ?(\d+)", str(said or "").lower())
    method: Speculation | None = found or None
    return method, int(ahead.group(1)) if ahead and method else None


PREFIXES_BY_DEFAULT = (0, 21)
"""vLLM from which a recurrent model is taken to cache prefixes where the row does not say: eleven starts of 0.13 to 0.20
print the tokens of one state for each sequence (within 4 %; two states give 12 to 45 % fewer), later ones of two."""


def _caches_prefixes(row: Row) -> bool:
    """Whether prefixes were cached: as the row says, else as its version does by itself."""
    stated = row.get("prefix_caching")
    return version_of(row) >= PREFIXES_BY_DEFAULT if stated is None else bool(stated)


def _reads_text_alone(row: Row) -> bool:
    """Whether a row says that no tower of the model was loaded."""
    return bool(
        row.get("language_model_only") or re.search(r"language.model.only", str(row.get("notes") or "").lower())
    )


def _asked_kv_gib(row: Row) -> float | None:
    """GiB of KV cache that a start was told to take, whatever a profiled pass leaves."""
    told = re.search(r"kv_cache_memory_bytes[ =]([\d.]+(?:e\d+)?)", str(row.get("log") or ""))
    return float(told.group(1)) / GIB if told else None


def _state_slots(row: Row) -> int | None:
    """Recurrent states that SGLang was told to keep."""
    told = re.search(r"max-mamba-cache-size (\d+)", str(row.get("log") or ""))
    return int(told.group(1)) if told else None


def _state_type(row: Row, architecture: Architecture) -> StateType | None:
    """The type of recurrent states by the bytes of one that a row states; None where it states none."""
    told = re.search(r"([\d.]+) MiB/GPU of SSM", str(row.get("notes") or ""))
    if told is None:
        return None
    types: tuple[StateType, StateType] = ("fp32", "bf16")
    sizes = {
        kept: state_bytes(architecture, int(row.get("tp") or 1), 1, 0, "sglang", STATE_ELEMENT[kept]) for kept in types
    }
    return min(types, key=lambda kept: abs(sizes[kept] / MIB - float(told.group(1))))


PUZZLED = "the widths of its experts are not stated: they differ from block to block"
UNNAMED = "which card it ran on is not stated"


def _without(row: Row, engine: ServingEngine, card: Accelerator, architecture: Architecture) -> str:
    """What a row does not say that its KV space hangs on; empty where it says enough. Weights, and what stated tokens take, do not.

    An unstated share is the engine's default, unless the row's own figures fill more of the card than that default is.
    """
    seen = row["observed"]
    if "puzzle" in f"{row['model']} {row.get('hf_id') or ''}".lower() and architecture.model_type == "nemotron_h":
        return PUZZLED
    if _asked_kv_gib(row) is not None:
        return "its KV space was asked for in bytes"
    if not _long_enough(row, engine, architecture):
        return "its longest sequence is not stated, and the model's own would not have started"
    if engine == "sglang" and card.unified_memory and not row.get("mem_fraction_static"):
        return "which share of a unified memory SGLang was given is not stated"
    if (
        not row.get("gpu_memory_utilization")
        and engine == "vllm"
        and row.get("gpu_total_gib")
        and seen.get("consumed_gib")
    ):
        filled = seen["consumed_gib"] + (seen.get("activation_peak_gib") or 0) + (seen.get("kv_gib_per_gpu") or 0)
        if filled > (0.92 if version_of(row) >= CURRENT_UTILIZATION else 0.90) * row["gpu_total_gib"]:
            return "its figures fill more of the card than the share that its version takes by itself"
    return ""


def weights_of(row: Row, architecture: Architecture) -> str:
    """The weight format of a row. Raises Unreadable for an unknown name."""
    text = str(row.get("weight_dtype") or "").lower()
    names = f"{row['model']} {row.get('hf_id') or ''}".lower()
    found = matched(text, WEIGHTS_BY_NAME) or matched(names, WEIGHTS_BY_NAME)
    repacked = "fp8" in str(row.get("hf_id") or "").lower()
    named = format_of_name(str(row.get("hf_id") or ""))
    if (found, named) in (("nvfp4", "nvfp4-fp8"), ("fp8", "fp8-dynamic")):
        return str(named)
    own = found == "fp8" or "fp4 experts" in text
    if own and architecture.fp8_blocks and architecture.checkpoint_format == "mxfp4" and not repacked:
        # People call DeepSeek-V4's own files FP8: their experts are FP4.
        return "mxfp4"
    if found:
        return found
    if not text or text.startswith("auto"):
        return architecture.checkpoint_format
    raise Unreadable(f"unknown weight format {row['weight_dtype']!r}")


def kv_of(row: Row) -> str:
    """The KV-cache format of a row; what is not stated is 16-bit."""
    text = str(row.get("kv_cache_dtype") or "").lower()
    if "fp8" in text and not text.startswith(("bf16", "fp16")):  # of "bf16 latent + fp8 index", the index alone
        return "fp8"
    if "fp4" in text:
        return "nvfp4"
    return "int8" if "int8" in text else "bf16"


def _long_enough(row: Row, engine: ServingEngine, architecture: Architecture) -> bool:
    """Whether a start may have been of the length that it is taken for, its own tokens being fewer where it was not."""
    seen = row["observed"]
    if engine == "sglang" or row.get("max_model_len") or seen.get("max_concurrency") or row.get("outcome"):
        return True
    return int(seen.get("kv_tokens") or architecture.max_position) >= architecture.max_position


@dataclass(frozen=True, slots=True)
class Written:
    """A row as a scenario with its layout. without: what it does not say that its KV space hangs on; empty where it says enough."""

    scenario: Scenario
    length: int
    without: str = ""


def write(row: Row) -> Written:
    """A row as a Scenario. Raises Unreadable with the reason when it cannot be written."""
    for key in ("engine", "model", "gpu", "observed"):
        if not row.get(key):
            raise Unreadable(f"the row states no {key}")
    engine = engine_of(row)
    drafts, ahead = draft_of_row(row)
    if "llama-3.2-11b-vision" in key_of(str(row["model"]), str(row.get("hf_id") or "")):
        raise Unreadable("cross-attention vision models: 128 images in the profile run are not modelled")
    architecture = architecture_of(str(row["model"]), str(row.get("hf_id") or ""))
    if architecture is None:
        raise Unreadable(f"no config.json for {row['model']!r}")
    recurrent = any(cache.kind == "recurrent" for layer in architecture.layers for cache in layer.caches)
    if drafts == "mtp" and ahead is None and engine == "sglang":
        ahead = 3  # sglang/srt/server_args.py, auto_choose_speculative_params
    if drafts and ahead is None and recurrent and drafts != "dflash2":  # whose blocks are of eight tokens
        raise Unreadable(
            "how far ahead it drafts is not stated, and a recurrent model keeps a state for each token of it"
        )
    if engine == "vllm-earlier" and version_of(row) < (0, 6):
        raise Unreadable("vLLM before 0.6 counted the allocator's cache as used: not an engine choice")
    unnamed = "unnamed" in str(row["gpu"]).lower()
    if " + " in str(row["gpu"]) and not _kv_only(row):
        raise Unreadable("unlike cards: the poorest one decides, and its free memory is not stated")
    card = catalog.load().accelerator("mi300x") if _kv_only(row) or unnamed else accelerator_of(row)
    if _kv_only(row):
        return _kv_only_scenario(row, architecture, card)
    if engine == "sglang" and architecture.model_type == "deepseek_v4" and card.compute_capability.startswith("9."):
        raise Unreadable("SGLang on Hopper takes a fifth more for DeepSeek-V4 than its files hold: not modelled")
    tp, pp = int(row.get("tp") or 1), int(row.get("pp") or 1)
    gpus = max(int(row.get("gpu_count") or 1), tp * pp)
    dp = int(row.get("dp") or max(1, gpus // (tp * pp)))
    dp_attention = bool(row.get("dp_attention") or row.get("enable_dp_attention"))
    if dp_attention and tp * pp * dp > gpus:
        # SGLang counts the attention replicas inside TP; here TP is what splits one of them.
        tp = max(1, tp // dp)
    ep = int(row.get("ep") or (tp if row.get("enable_expert_parallel") else 1))
    runtime = runtime_of(row, engine, architecture)
    # A context stretched past the config's own is asked at the config's: what fits is the same.
    length = min(int(runtime.max_model_len or 0), architecture.max_position)
    runtime = replace(
        runtime,
        max_model_len=length,
        speculative=drafts,
        speculative_tokens=ahead,
        prefix_caching=_caches_prefixes(row),
        text_only=_reads_text_alone(row),
        kv_cache_gib=_asked_kv_gib(row),
        state_slots=_state_slots(row),
        state_dtype=_state_type(row, architecture),
    )
    per_box = min(8, card.max_gpus_per_node or 8)
    try:
        scenario = build_scenario(
            str(row["model"]),
            weights_of(row, architecture),
            card.id,
            min(gpus, per_box),
            -(-gpus // per_box),
            kv_cache=kv_of(row),
            architecture=architecture,
            workload=Workload(concurrency=1, input_tokens=max(1, length - 1), output_tokens=1),
            layout=LayoutChoice(tp, pp, dp, ep, dp_attention or None, row.get("dcp")),
            runtime=runtime,
        )
    except UnknownId as error:
        raise Unreadable(str(error)) from error
    scenario = replace(scenario, hardware=replace(scenario.hardware, accelerator=card))
    if recurrent and row.get("block_size") and _block(scenario) != row["block_size"]:
        # the tokens of a block say what type its states are of
        scenario = replace(scenario, runtime=replace(runtime, state_dtype="bf16"))
        if _block(scenario) != row["block_size"]:
            raise Unreadable("its blocks are of other tokens than states of any type make")
    return Written(scenario, length, UNNAMED if unnamed else _without(row, engine, card, architecture))


def _block(scenario: Scenario) -> int:
    """Tokens that a block of a hybrid's attention layers holds."""
    (rank, *_) = loaded(scenario, replace(size(scenario).layout, reason=())).ranks
    return rank.pool.block_tokens


def _kv_only_scenario(row: Row, architecture: Architecture, card: Accelerator) -> Written:
    """The stated tokens as sequences of equal length on one GPU of that kind: only their KV bytes are read."""
    tokens = int(row["observed"]["kv_tokens"])
    length = min(tokens, int(row.get("max_model_len") or architecture.max_position), architecture.max_position)
    sequences = max(1, round(tokens / length))
    scenario = build_scenario(
        str(row["model"]),
        "bf16",
        card.id,
        kv_cache=kv_of(row),
        architecture=architecture,
        workload=Workload(concurrency=sequences, input_tokens=tokens // sequences - 1, output_tokens=1),
        layout=LayoutChoice(1, 1, 1, 1),
        runtime=Runtime("llama.cpp" if "llama" in str(row["engine"]) else "vllm", None, 1024, None, length),
    )
    return Written(scenario, tokens // sequences)


TOKENS_OF_REQUESTS = (0, 21)
"""vLLM from which the tokens that it prints are those of whole requests; before, the pool's over its number of groups."""


def _by_groups(scenario: Scenario, layout: Layout) -> int:
    """Tokens of the poorest rank's pool as earlier vLLM prints them; 0 where there is one group of layers."""
    least = 0
    for rank in loaded(scenario, layout).ranks:
        groups = sum(group.count for group in rank.pool.groups)
        if rank.pool.uniform or groups < 2:
            return 0
        tokens = rank.kv_room // rank.pool.block_bytes // groups * rank.pool.block_tokens
        least = min(least or tokens, tokens)
    return least


def _stated_alone(row_id: str, row: Row, written: Written, weights: int, groups: dict[str, str]) -> list[Case]:
    """What a row that does not say what its KV space hangs on still shows: weights, and the KV of so many stated tokens."""
    seen: dict[str, Any] = row["observed"]
    cases = (
        [Case(row_id, WEIGHTS, seen["weights_gib_per_gpu"], weights / GIB, groups)]
        if seen.get("weights_gib_per_gpu") and written.without != PUZZLED
        else []
    )
    scenario, kv, tokens = written.scenario, seen.get("kv_gib_per_gpu"), seen.get("kv_tokens")
    if not (kv and tokens) or not row.get("max_model_len"):
        return cases
    runtime = replace(scenario.runtime, engine="vllm", kv_cache_gib=kv, memory_utilization=0.5)
    roomy = replace(scenario.hardware.accelerator, memory_mib_reported=10**6, unified_memory=False)
    held = replace(scenario, runtime=runtime, hardware=replace(scenario.hardware, accelerator=roomy))
    said = size(held).memory.reported_concurrency * written.length
    return [*cases, Case(row_id, KV_BYTES, kv, kv * tokens / said, groups)]


def _groups(row: Row, engine: str) -> dict[str, str]:
    model = str(row["model"])
    family = re.split(r"[-_ ]", re.sub(r"^(deepseek-r1-distill-)", "", model.lower()))[0]
    return {"engine": engine, "gpu": str(row["gpu"]), "family": family, "tp": str(row.get("tp") or 1)}


def _capacity(row: Row, memory: Memory, length: int, copies: int) -> tuple[float, float] | None:
    """(observed, predicted) tokens of KV capacity of one of `copies` caches: every replica logs its own.

    None when the row states neither tokens nor concurrency.
    """
    observed: dict[str, Any] = row["observed"]
    tokens, users = observed.get("kv_tokens"), observed.get("max_concurrency")
    said = memory.kv_capacity_tokens / copies
    if abs(memory.reported_concurrency * length / max(1.0, said) - 1) > 0.01:
        # Several kinds of layers: the engine's figure follows its own accounting of a whole request.
        said = memory.reported_concurrency * length
    if users and "sum over" in str(row.get("notes") or "").lower() and copies > 1:
        users /= copies  # the row adds up what the replicas print
    if users and row.get("max_model_len"):
        by_users = users * row["max_model_len"]
        if not tokens or abs(by_users / tokens - 1) > 0.05:
            # The printed token count of such models divides by the number of groups; the concurrency is right.
            return by_users, memory.reported_concurrency * length
    return (tokens, said) if tokens else None


def check_rows() -> list[Row]:
    """The public rows that no constant was fitted on."""
    return [row for row in load_rows(REFERENCE / "engine_logs_public.jsonl") if row["used_for"] == "check"]


def evaluate(rows: list[Row]) -> Evaluation:
    """Compare every row that can be written; the others are set aside with the reason."""
    return each_row(rows, _compare)


def _compare(row_id: str, row: Row, found: Evaluation) -> None:
    try:
        written = write(row)
        sizing = size(written.scenario)
    except (Unreadable, ScenarioError, catalog.CatalogError) as error:
        found.aside(row_id, str(error))
        return
    memory = sizing.memory
    observed: dict[str, Any] = row["observed"]
    groups = _groups(row, str(row["engine"]) if _kv_only(row) else written.scenario.runtime.engine)
    if _kv_only(row):
        # such engines print the states of recurrent layers on a line of their own
        work = written.scenario.workload
        states = replace(written.scenario, workload=replace(work, input_tokens=1, output_tokens=1))
        kept = sum(group.kv_bytes for group in size(states).memory.per_gpu) if memory.state_blocks is not None else 0
        said = (sum(group.kv_bytes for group in memory.per_gpu) - kept) / GIB
        found.cases.append(Case(row_id, KV_BYTES, observed["kv_gib_per_gpu"], said, groups))
        return
    worst = memory.worst
    if written.without:
        alone = _stated_alone(row_id, row, written, worst.weights_bytes, groups)
        if not alone:
            found.aside(row_id, written.without)
        found.cases += alone
        return
    cases = []
    if observed.get("weights_gib_per_gpu"):
        cases.append((WEIGHTS, observed["weights_gib_per_gpu"], worst.weights_bytes / GIB))
    if (observed.get("kv_gib_per_gpu") or 0) > 0:
        cases.append((KV_SPACE, observed["kv_gib_per_gpu"], worst.kv_capacity_bytes / GIB))
    if observed.get("activation_peak_gib"):
        cases.append((ACTIVATION, observed["activation_peak_gib"], worst.activation_bytes / GIB))
    capacity = _capacity(row, memory, written.length, kv_copies(sizing.layout))
    if capacity is not None and not observed.get("max_concurrency") and version_of(row) < TOKENS_OF_REQUESTS:
        capacity = capacity[0], _by_groups(written.scenario, sizing.layout) or capacity[1]
    if capacity is not None:
        cases.append((KV_TOKENS, *capacity))
    found.cases += [Case(row_id, metric, seen, said, groups) for metric, seen, said in cases]
    outcome = str(row.get("outcome") or "")
    blocks, running = memory.state_blocks, sizing.resolved.max_num_seqs
    if not row.get("max_num_seqs") and blocks and running is not None and blocks < running:
        return  # how many sequences it was started for is what decides, and the row does not say it
    if outcome or capacity is not None:
        found.outcomes.append(Outcome(row_id, STARTS, not outcome.startswith("fail"), memory.starts, groups))
