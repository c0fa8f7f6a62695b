"""Constants of formulas and calibrations as numbers that remember: what each is called, and what it rests on."""

from __future__ import annotations

import math
from typing import Any, Final

from engine.calibration import collectives, kernels, own, serving_memory, serving_speed, training_memory, training_speed
from engine.decide.opened.counted import COUNTED
from engine.decide.opened.engines import of_an_engine
from engine.decide.opened.more_rules import LIMITS_AND_REQUESTS
from engine.figures.number import Kind, Number
from engine.parts.own import WORDS as OWN_WORDS

RULES: Final[dict[str, tuple[str, str, str]]] = {
    **COUNTED,
    **LIMITS_AND_REQUESTS,
    "ASSISTANT_LAYERS": ("layers of a Gemma 4 assistant", "layers", "vLLM, pull request 41745"),
    "ASSISTANT_WIDTH": ("width of a Gemma 4 assistant", "", "vLLM, pull request 41745"),
    "DEEPSPEED_HOST_FACTOR": ("host memory over the states", "", "DeepSpeed, zero/stage3.py: additional_buffer_factor"),
    "DFLASH_HEADS": ("heads of a DFlash drafter", "", "published drafters of z-lab"),
    "DFLASH_HEAD_DIM": ("head size of a DFlash drafter", "", "published drafters of z-lab"),
    "DFLASH_KV_HEADS": ("KV heads of a DFlash drafter", "", "published drafters of z-lab"),
    "DFLASH_KV_HEADS_NARROW": ("KV heads of a DFlash drafter", "", "published drafters of z-lab"),
    "DFLASH_NARROW": ("hidden size of mixtures with fewer of them", "", "published drafters of z-lab"),
    "DFLASH_WINDOW": ("window of a DFlash drafter", "tokens", "published drafters of z-lab"),
    "DFLASH_WINDOW_SPARSE": ("window of a DFlash drafter", "tokens", "published drafters of z-lab"),
    "DFLASH_WIDTH_SECOND": ("feed-forward of a drafter over its hidden size", "", "published drafters of z-lab"),
    "DFLASH_WIDTH_GEMMA": ("feed-forward of a drafter over its hidden size", "", "published drafters of z-lab"),
    "DFLASH_LAYERS": ("layers of a DFlash drafter", "layers", "published drafters of z-lab"),
    "DFLASH_LAYERS_SPARSE": ("layers of a DFlash drafter", "layers", "published drafters of z-lab"),
    "DFLASH_WIDTH": ("feed-forward of a drafter over its hidden size", "", "published drafters of z-lab"),
    "EAGLE_STATES": ("hidden states that an EAGLE-3 head reads", "", "arXiv 2503.01840, section 3.1"),
    "EAGLE_VOCABULARY": ("vocabulary of an EAGLE-3 head", "entries", "SafeAILab/EAGLE"),
    "GEN3_LANE_GB_S": ("one way through a lane of PCIe Gen3", "GB/s", "8 GT/s x 128/130 coding / 8"),
    "GAUDI_GRAPH_SHARE": ("kept for HPU graphs", "", "VLLM_GRAPH_RESERVED_MEM of vllm-gaudi"),
    "HOST_RESERVE_GIB": ("held by the host", "GiB", "three start-up logs of DGX Sparks: 9.7 to 20 GiB"),
    "SHARED_STEPS": ("steps of the share", "", "a twentieth, as people enter it"),
    "SHARED_UTILIZATION": ("default memory utilization beside a host", "", "starts of DGX Sparks: 0.80 to 0.85"),
    "XPU_BLOCK_ALIGNMENT": ("blocks are a multiple of", "tokens", "vLLM on Intel GPUs"),
    "ACCEPTED": ("share of drafts that are kept", "", "vLLM's recipe of Qwen3.8 27B; arXiv 2503.01840 and 2602.06036"),
    "AHEAD": ("tokens drafted ahead", "tokens", "what the method is usually started with"),
    "ATTENTION_BACKWARD": (
        "backward over forward FLOPs of attention",
        "",
        "five products against two: Dao 2023, section 3.1",
    ),
    "BACKWARD_SHARE": ("share of a pass in which gradients appear", "", "the backward two of three forwards"),
    "FP32_ROUTED": ("bytes of a routed hidden state, in and out", "bytes", "torchtitan, models/moe/moe.py"),
    "RING_HOP_PCIE_US": ("step of NCCL's ring by protocol", "µs", "NVIDIA/nccl, src/graph/tuning.cc: hwLat"),
    "RING_HOP_US": ("step of NCCL's ring by protocol", "µs", "NVIDIA/nccl, src/graph/tuning.cc: hwLat"),
    "AIR_KW": ("power of a rack that air cools", "kW", "flashgenius.net, data center power guide"),
    "BOARD_GPUS": ("GPUs of a board", "GPUs", "NVIDIA HGX; OCP's universal baseboard"),
    "BOARD_SHARE": (
        "fans and regulators of a board, share of its modules",
        "",
        "least squares of DGX A100, H100, B200 and B300, within 4 % of each",
    ),
    "BOARD_W_PER_GPU": (
        "network card and switch of a module",
        "W",
        "least squares of DGX A100, H100, B200 and B300, within 4 % of each",
    ),
    "CHECKPOINT_BYTES": (
        "bytes of a parameter in a checkpoint",
        "bytes",
        "16-bit weights, fp32 master copy and AdamW states",
    ),
    "CHECKPOINT_WRITE_GB_S_PER_NODE": ("writing checkpoints, a node", "GB/s", "a planning figure for shared storage"),
    "CHECKPOINT_BYTES_PER_PARAMETER": (
        "bytes of a parameter in a checkpoint",
        "bytes",
        "16-bit weights, fp32 copy and two moments: Rajbhandari et al. 2020, section 3.1",
    ),
    "CONTINUOUS": ("share of a breaker for loads of three hours and more", "", "NEC 210.20(A)"),
    "COPIES": ("copies on disk", "", "the one in use, and the next one or the one being written"),
    "DECODE_POINTS": (
        "tokens of a sampled step",
        "tokens",
        "sizes at which collectives are priced; straight lines between",
    ),
    "DEQUANTIZED_BYTES": ("traffic of dequantizing a parameter", "bytes", "NF4 read, 16-bit written and read back"),
    "DRIVER_FIXED_GIB": ("kept by the driver", "GiB", "CUDA against nvidia-smi on H100, H200, RTX PRO 6000, RTX 3090"),
    "DRIVER_PART": ("share kept by the driver", "", "CUDA against nvidia-smi on H100, H200, RTX PRO 6000, RTX 3090"),
    "EFFICIENCY": ("efficiency of supplies at half load", "", "80 PLUS: Gold at 115 V, Platinum at 230 V"),
    "ENGINE_BANDWIDTH_FACTOR": (
        "factor on bandwidth in a running engine",
        "",
        "engines take 2 to 4.5 times a kernel's time",
    ),
    "ENGINE_WAIT_ACROSS_S": ("wait for the last rank, across nodes", "s", "DeepSeek-R1 over two nodes of eight H100"),
    "ENGINE_WAIT_S": ("wait for the last rank", "s", "engines take 2 to 4.5 times a kernel's time on NVLink"),
    "FEW_ROWS": (
        "most of reading weights that products of few rows take",
        "",
        "kernels for few rows are bound by what they read",
    ),
    "FLOOR": ("floor of efficiency", "", "below it another shape of build is better: docs/claims.md"),
    "FRONTIER_DAYS": ("planned wall time", "days", "where no deadline is given"),
    "GPU_HOURS_BETWEEN_FAILURES": (
        "GPU-hours between failures",
        "h",
        "419 in 54 days on 16,384 H100: Llama Team 2024, 3.3.4",
    ),
    "GROUP_SLACK": ("slack of layer groups", "", "vLLM, kv_cache_utils.py"),
    "HORIZONS_MONTHS": ("months", "months", "the horizons of docs/money.md"),
    "HOST_W": (
        "CPU, board, RAM, fans and disks of a node",
        "W",
        "makers' figures of such boxes at full load: docs/power.md",
    ),
    "HOST_SHARE": ("share of the host link's peak", "", "copies over PCIe reach about this"),
    "HOST_STAGED_SHARE": (
        "communication buffers without peer access",
        "",
        "the engine's own all-reduce is off; NCCL's buffers remain",
    ),
    "HOST_GB_S": ("host memory at", "GB/s", "a rule: two channels of DDR5-5600, of which two thirds are reached"),
    "LANES": ("lanes of a slot", "lanes", "where nobody published them"),
    "SLOT_GB_S": ("PCIe rate of a lane", "GB/s", "PCI-SIG, after encoding"),
    "SLOT_SHARE": ("share of the slot's peak", "", "copies over PCIe reach about this"),
    "CPU_LANES": ("PCIe lanes of the CPUs", "lanes", "makers' data sheets of such CPUs: docs/power.md"),
    "LARGE_CARD_BYTES": ("large cards from", "bytes", "vLLM, arg_utils.py"),
    "LATENT_HEADS": ("heads of a tile of latent attention", "heads", "FlashMLA pads to its block of rows"),
    "LEAST_IDLE": ("least idle share of a queue", "", "a full queue is held off by its own users"),
    "GROUPED_MLP": ("inner widths of an expert that a grouped product keeps", "", "Megatron-LM, moe/experts.py"),
    "ANSWER_BYTES": ("bytes of a weight that answers are made with", "bytes", "16 bits"),
    "ANSWER_FILL": ("part of a sequence's cache in the middle of its answer", "", "prompt and half of the answer"),
    "ANSWER_HOST_S": ("host and sampler of a decode step", "s", "engines under CUDA graphs"),
    "ANSWER_LONGEST": ("longest answers over the mean", "", "a rule of thumb: a step waits for its last answers"),
    "ANSWER_PRODUCT_SHARE": ("share of the 16-bit rate that prompts reach", "", "a rule of thumb of ours"),
    "ANSWER_READ_SHARE": (
        "share of memory bandwidth that a decode step reaches",
        "",
        "two thirds to four fifths, A100 to B200",
    ),
    "ANSWER_ROOM": ("share of a card that an engine apart takes", "", "vLLM's default utilization"),
    "ANSWER_WEIGHTS": ("part of an engine's share that weights may fill", "", "a rule of thumb of ours"),
    "FROZEN_BYTES": ("bytes of a weight of a frozen model beside", "bytes", "16 bits"),
    "LOG_FOUR_PI": ("log of 4 pi", "", "Cramer 1946, Mathematical Methods of Statistics, section 28.6"),
    "ONE_FORWARD": ("a forward pass", "", "the unit in which passes are counted"),
    "TURN_SHARE": ("launches of an expert's turn over a layer's", "", "transformers: the loop over experts"),
    "FETCH_S": ("fetch of a module's shards", "s", "modelscope/ms-swift: Qwen3 30B-A3B under ZeRO-3"),
    "UNFUSED_CASTS": ("passes of casts that no other kernel does", "", "torchtitan's own runs in FP8 and MXFP8"),
    "LIVE_PARAMETERS": ("parameters that DeepSpeed keeps gathered", "", "stage3_max_live_parameters"),
    "LONG_ATTENTION": (
        "length of half the rise of attention's rate",
        "tokens",
        "steps of 4k to 8k against two runs of a million",
    ),
    "LEAST_GOODPUT": ("least share of progress", "", "a run that makes less is not run"),
    "LEAST_REST": (
        "least share of a token's time beside links",
        "",
        "what rounding may leave of a token between two messages",
    ),
    "LOSS_BYTES": ("traffic of a logit at the loss", "bytes", "fp32 logits and gradients, or kept on chip"),
    "MEMORY_SHARE": ("share of peak memory bandwidth", "", "babelstream-class figures lie at 0.85 to 0.93"),
    "MEAN_OF_LONGEST": ("the longest of exponential lengths, beside ln n", "", "Euler's constant"),
    "DRAINING": (
        "sequences at first over those while a run drains",
        "",
        "a quarter runs on average of an exponential drain",
    ),
    "DRIFTED_CYCLES": (
        "answers over which users drift apart",
        "",
        "the square root of about ten, which a session holds",
    ),
    "HOST_STEP_SHARE": (
        "share of a host's memory bandwidth that Adam on the CPU moves",
        "",
        "10B parameters in 2.57 s on a DGX-2 of 256 GB/s: ZeRO-Offload, arXiv 2101.06840",
    ),
    "HOST_MEMORY_GB_S": (
        "peak memory bandwidth of a node's CPUs",
        "GB/s",
        "channels of DDR5 a socket, LPDDR5X of a Grace: makers' data sheets",
    ),
    "NARROW_BYTES": ("bytes of an element of a product's input", "bytes", "8 bits; NVFP4 4 and a scale of 8 for 16"),
    "MOST_OF_COMPUTE": ("most of the arithmetic", "", "the best tables of products reach 0.82"),
    "MOST_OF_PEAK": ("most of a peak", "", "STREAM-like copies reach 0.92 to 0.94 on HBM and GDDR"),
    "MUON_FLOPS_PER_WIDTH": ("FLOPs of Muon a parameter and width", "", "five Newton-Schulz steps: Jordan et al. 2024"),
    "MUON_MATRIX_SAVING": ("bytes that Muon saves a matrix weight", "bytes", "one state where AdamW keeps two"),
    "NEAR": ("what rounding may leave", "", "a guard against rounding"),
    "NON_TORCH_CARD_BYTES": ("card that they were measured on", "bytes", "80 GB cards"),
    "OPERATIONS_FACTOR_PER_NODE": (
        "engineering time of an added node against one",
        "",
        "4 to 5 times: the articles' operational tax, docs/claims.md",
    ),
    "OPERATIONS_NODES": ("largest build of that source", "nodes", "the articles' builds end there: docs/claims.md"),
    "OPTIMIZER_BYTES": (
        "memory traffic of an update a parameter",
        "bytes",
        "gradient, states and master copy read, written back",
    ),
    "OVERLAP_POWER": (
        "sharpness of the overlap",
        "",
        "a smooth maximum: streaming and multiplying overlap well, not perfectly",
    ),
    "OVERLAP_RANGE": ("share of communication hidden", "", "from worst to best of the measured runs"),
    "PACKED_PADDING": ("padding of packed blocks", "", "two start-up logs of DeepSeek-V4"),
    "RECURRENT_COPIES": (
        "copies of a recurrent mixer's projections",
        "",
        "three start-up logs that profile 65,536 tokens",
    ),
    "LEAST_INPUT": ("features that a projection reads at least", "", "convolutions and gates read fewer"),
    "METAL_SHARE": ("share of a Mac's memory for Metal", "", "llama.cpp's start-up lines"),
    "METAL_SHARE_SMALL": ("share of a Mac's memory for Metal", "", "llama.cpp's start-up lines"),
    "METAL_SMALL_BYTES": ("Macs that get the smaller share", "bytes", "llama.cpp's start-up lines"),
    "NON_TORCH_XPU_GIB": ("context of an Intel card", "GiB", "one start-up log"),
    "UNIFIED_EXPERTS_GIB": ("mixtures in a shared memory", "GiB", "four start-up logs of DGX Sparks"),
    "UNIFIED_HOSTS_GIB": ("a network in a shared memory", "GiB", "one start-up log of two DGX Sparks"),
    "PACKED_HOPPER_GIB": ("buffers of compressed caches on Hopper", "GiB", "two start-up logs, 7.9 and 8.2 GiB"),
    "PCIE_GB_S_PER_LANE": ("PCIe rate of a lane", "GB/s", "PCI-SIG, after encoding"),
    "POWER_SHARPNESS": ("sharpness of the power limit", "", "a card throttles before it is at its limit"),
    "PREEMPTION_LINE": ("share of memory above which engines preempt", "", "where engines begin to preempt"),
    "PREFILL_CHUNK_TOKENS": (
        "prompt tokens of a pass",
        "tokens",
        "the default max_num_batched_tokens of serving engines on large cards",
    ),
    "PREFILL_POINTS": (
        "tokens of a sampled prompt",
        "tokens",
        "sizes at which collectives are priced; straight lines between",
    ),
    "PSU_LOAD": ("most load of a supply", "", "supplies run best below this share of their rating: specscalc.com"),
    "RACK_GPUS": ("GPUs of a rack", "GPUs", "NVL72"),
    "RACK_CIRCUITS": ("a circuit of racks", "", "usual feeds of racks in North America and elsewhere"),
    "RACK_SHARE": ("CPUs, switches and pumps of a rack over its GPUs", "", "GB200 NVL72 120 kW, GB300 NVL72 135 kW"),
    "RACK_UNITS": ("height of such a box", "U", "ASUS ESC8000A-E13 4U, DGX H100 8U"),
    "RESTART_S": ("restart after a failure", "s", "a planning figure"),
    "USUAL_TOKENS_A_GPU": ("tokens of a step a GPU", "tokens", "where nobody entered a batch: published runs"),
    "LEAST_USUAL_BATCH": ("least batch", "tokens", "where nobody entered one: GPT-3's smallest"),
    "LARGEST_USUAL_BATCH": ("largest batch", "tokens", "where nobody entered one: Llama 3 405B"),
    "RUN_TOKENS": ("tokens of a run", "tokens", "where nobody entered how many"),
    "SCALE_RANGE": (
        "bound on the speed model's links of a token over the plain price",
        "",
        "engines take 2 to 4.5 times a kernel's time",
    ),
    "SCORE_BYTES": ("bytes of an attention score", "bytes", "Korthikanti et al. 2022, section 4.1"),
    "HEAD_SCALE_BYTES": (
        "scales of a head's keys and values",
        "bytes",
        "vLLM, kv_cache_interface.py: int8_per_token_head",
    ),
    "SCALES_APART": ("widths that are padded to whole multiples", "", "vLLM, pull request 40391"),
    "INDEX_SCALE_WIDTH": ("elements of an index key a scale", "", "vLLM, deepseek_v2.py"),
    "MESH_GPUS": ("GPUs of a mesh", "GPUs", "where nobody published its size"),
    "RECURRENT_FLOPS_PER_STATE_ELEMENT": (
        "FLOPs of a recurrent state element",
        "FLOPs",
        "decay, write and read: a multiply and an add each",
    ),
    "SLOT_LANES": ("lanes of a slot", "lanes", "where nobody published them"),
    "_SLOT_GEN3": ("slot beside a bridge of Turing boards, PCIe Gen3 x16", "GB/s", "PCI-SIG, after encoding"),
    "_SLOT_GEN4": ("slot beside a bridge, PCIe Gen4 x16", "GB/s", "PCI-SIG, after encoding"),
    "_SLOT_GEN5": ("slot beside a bridge, PCIe Gen5 x16", "GB/s", "PCI-SIG, after encoding"),
    "SMALL_HEAD_ELSEWHERE": ("power of 128 / head size", "", "Dao 2023: size 64 reaches 0.9 of size 128 on A100"),
    "TFLOPS_PER_GB_S": ("TFLOP/s of a GB/s", "", "parts with matrix units do about 100 FLOPs a byte"),
    "TILE_ELSEWHERE": ("widest side of an output tile", "", "NVIDIA, Matrix Multiplication Background"),
    "UNKNOWN_TFLOPS": ("16-bit rate of a card that publishes none", "TFLOP/s", "a guess of the least"),
    "VIRTUAL_FLOOR_S": ("least time of a collective between virtual functions", "s", "ROCm/rccl issue 1562"),
    "WHOLE_HEAD": ("head size that attention kernels are made for", "", "Shah et al. 2024 (arXiv 2407.08608)"),
    "WRITE_OFF_MONTHS": ("written off over", "months", "the longest horizon of docs/money.md"),
    "NEARLY": ("what rounding may leave short of a user", "users", "a guard against rounding"),
    "SMALL_HEAD": ("power of 128 / head size", "", "Shah et al. 2024 (arXiv 2407.08608), Dao 2023"),
    "STEP_GRADIENT": ("bytes of a gradient while DeepSpeed steps", "bytes", "DeepSpeed, zero/stage_1_and_2.py"),
    "STEP_GROUP": ("parameters that DeepSpeed steps at once", "", "DeepSpeed, zero/stage3.py: sub_group_size"),
    "SPARE_SUPPLIES": ("spare supplies", "", "N+1 in servers"),
    "SUPPLIES_W": ("rating of a supply as they are sold", "W", "makers' lists of ATX and CRPS supplies"),
    "TILE": ("widest side of an output tile", "", "128 x 256 on Hopper, 256 x 256 by two SMs on Blackwell"),
    "TOWER_CIRCUITS": ("a circuit of a building", "", "usual circuits in North America and elsewhere"),
    "TRAFFIC_BACKWARD": ("backward over forward element-wise traffic", "", "two passes against one"),
    "UNMEASURED_MATRIX_SHARE": (
        "share of the data sheet's rate",
        "",
        "MAMF sweeps give 0.75 to 0.9 where nobody measured the part",
    ),
    "USABLE_UNITS": ("usable height of a rack", "U", "of 42 U, two for a switch"),
    "USABLE_SHARE": (
        "share of a card for weights, gradients and states",
        "",
        "the rest is context and activations",
    ),
    "VIRTUAL_STAGES": ("chunks a pipeline rank holds", "", "where nobody entered how many"),
}
"""(label, unit, source) of the constants of formulas, by name."""
_CIRCUITS: Final = {"RACK_CIRCUITS": "{} of a circuit of racks", "TOWER_CIRCUITS": "{} of a circuit of a building"}
"""Tables of (volts, amperes, phases)."""

_NAMED: Final[dict[str, tuple[str, str]]] = {
    "ADAPTER_INPUT": ("bytes an adapter keeps of its input", "bytes"),
    "BACKWARD_HIDDEN": ("hidden sizes more in a layer's backward", ""),
    "BACKWARD_MLP": ("feed-forward widths more in a layer's backward", ""),
    "CACHE_OTHER_PHASE": ("cache over the smaller phase", ""),
    "CACHE_SHARE": ("allocator cache over what a step frees", ""),
    "CACHE_SHARE_GATHERED": ("allocator cache over what a step frees, gathered", ""),
    "COMMUNICATORS_GB": ("communicators", "GB"),
    "CONTEXT_GB": ("CUDA context and libraries", "GB"),
    "DEEPSPEED_BUCKETS_GB": ("communication buckets of DeepSpeed", "GB"),
    "DRIVER_SHARE": ("share of the memory that the driver keeps", ""),
    "GATHERED_HIDDEN": ("hidden states gathered in a layer", ""),
    "GPTQ_UNPACK": ("bytes to unpack an element", "bytes"),
    "GRAPH_BYTES": ("bytes of a captured batch size and layer", "bytes"),
    "GRAPH_POOL_GIB": ("pool of CUDA graphs", "GiB"),
    "INDEXER_S": ("launches that an indexer adds to a layer", "s"),
    "HIDDEN_COPIES": ("hidden states alive while sampling", ""),
    "LAYER_COPIES": ("hidden states alive in a layer", ""),
    "LOSS_HIDDEN": ("hidden states alive beside the logits", ""),
    "NON_TORCH_ONE_GIB": ("context growth of one card", "GiB"),
    "NON_TORCH_ROCM_GIB": ("context growth on ROCm", "GiB"),
    "NON_TORCH_TOGETHER_EARLIER_GIB": ("communication buffers a doubling", "GiB"),
    "NON_TORCH_TOGETHER_GIB": ("communication buffers a doubling", "GiB"),
    "QUANTIZED_INPUT": ("bytes that 4-bit kernels keep of an input", "bytes"),
    "RESIDUAL_FP32": ("factor of an fp32 residual stream", ""),
    "ROCM_WEIGHTS": ("padding of weights on ROCm", ""),
    "SAMPLER_BYTES": ("sampler bytes a logit", "bytes"),
    "SAMPLER_SORTED_BYTES": ("sampler bytes a logit, sorted", "bytes"),
    "SAVED_HIDDEN": ("hidden sizes that a layer keeps", ""),
    "SAVED_MLP": ("feed-forward widths that a layer keeps", ""),
    "SAVED_QKV": ("query, key and value widths that a layer keeps", ""),
    "SGLANG_LOAD_GIB": ("what loading adds to weights", "GiB"),
    "SGLANG_NVLINK_GIB": ("NCCL and symmetric buffers", "GiB"),
    "SGLANG_START_GIB": ("SGLang's process at its start", "GiB"),
    "STUCK_SHARE": ("share of the cache that cannot be given back", ""),
    "NARROWS": ("power by which measurements narrow an interval", ""),
    "UNFUSED_HIDDEN": ("hidden sizes more with unfused norms", ""),
}
"""(label, unit) of fitted constants whose own name says too little."""
_COLLECTIVE: Final[dict[str, tuple[str, str]]] = {
    "base_us": ("latency", "µs"),
    "hop_us": ("latency of a step", "µs"),
    "mid_us": ("start of the middle protocol", "µs"),
    "bulk_us": ("start of the bulk protocol", "µs"),
    "bulk_hop_us": ("step of the bulk protocol", "µs"),
    "call_us": ("call of the fallback", "µs"),
    "low": ("bandwidth share of the low-latency protocol", ""),
    "mid": ("bandwidth share of the middle protocol", ""),
    "wire": ("share of the one-way peak", ""),
    "switch": ("gain of in-switch reduction", ""),
    "switch_low": ("gain of in-switch reduction, small messages", ""),
    "cap_gb_s": ("most that the kernel moves", "GB/s"),
    "at_4": ("share of the ring that is left at 4 GPUs", ""),
    "at_8": ("share of the ring that is left at 8 GPUs", ""),
    "send_fill": ("part of a protocol's start that a send pays", ""),
    "socket_gb_s": ("most of a socket", "GB/s"),
    "two_shot": ("latency of two shots against one", ""),
    "root_gb_s": ("most that a root complex forwards of a ring", "GB/s"),
    "driver_gain": ("gain of a driver patched for peer access", ""),
}


_OWN_LEVELS: Final = ("builds", "models on a build", "runs of a model")


def constant(module: str, name: str, value: Any) -> Number:
    """A constant of a module, or an entry of its table (`NAME.key`), as a leaf."""
    if module.startswith("engine.calibration."):
        label, unit = _fitted_words(module, name)
        told = _assumed(module, name)
        assumed, source = bool(told), told or _rests_on(module, name)
        label = label.removeprefix("fitted ") if assumed else label
        return Number(value, label=label, unit=unit, kind="rule of thumb" if assumed else "fitted", source=source)
    base, _, key = name.partition(".")
    if base == "ENGINES":
        return of_an_engine(key, value)
    label, unit, source = RULES.get(base, (base.lower().replace("_", " "), "", ""))
    if base in _CIRCUITS:
        label, unit = _CIRCUITS[base].format(("volts", "amperes", "phases")[int(key[-1])]), "VA "[int(key[-1])].strip()
    elif key and not key.isdigit():
        rest, _, place = key.rpartition(".")
        key = rest if rest and place.isdecimal() else key
        label = f"{label} ({key})"
    kind: Kind = "counted" if base in COUNTED else "rule of thumb"
    return Number(value, label=label, unit=unit, kind=kind, source=source)


def _assumed(module: str, name: str) -> str:
    """Why a constant of a calibration stands where it starts; empty where rows moved it."""
    if module.endswith("collectives") and name in collectives.ASSUMED:
        return "no row moved it from where it starts: docs/fabric.md"
    if module.endswith("serving_speed") and name.removeprefix("CONSTANTS.") in serving_speed.ASSUMED:
        return "a textbook value, which no fit on other sources betters: docs/serving-speed.md"
    return ""


def _fitted_words(module: str, name: str) -> tuple[str, str]:
    base, *keys = name.split(".", 1)
    known = _NAMED.get(base)
    if known is not None:
        return known
    if module.endswith("collectives"):
        where, _, key = name.partition(".")[2].partition(".")
        label, unit = _COLLECTIVE.get(key or where, (f"{base.lower().replace('_', ' ')} of {where}", ""))
        return f"{label} ({where})" if key else label, unit
    if module.endswith(".own") and keys:
        figure, _, level = keys[0].partition(".")
        return f"scatter of {OWN_WORDS[figure]} between {_OWN_LEVELS[int(level)]}", ""
    words = (keys[0] if keys else base).lower()
    plainly, _, tag = words.partition("@")
    unit = ""
    if plainly.endswith("_s"):
        plainly, unit = plainly.removesuffix("_s"), "s"
    if tag:
        unit = ""
    label = plainly.replace(".", " ").replace("_", " ") + (f" ({tag})" if tag else "")
    return f"fitted {label}", unit


_INDEXERS: Final = {"INDEXER": " at causal FLOPs", "INDEXER_S": ": DeepSeek-V3.2's attention of one token over V3's"}


def _rests_on(module: str, name: str) -> str:
    """What a fitted constant rests on, and its error."""
    if module.endswith("serving_memory"):
        return f"fitted on start-up logs: {serving_memory.ERRORS.get(name, 'see docs/memory.md')}"
    if module.endswith("collectives"):
        low, high = collectives.INTERVAL
        links = len(collectives.MEASURED_LINKS)
        return f"fitted on collectives measured on {links} links; 80 % of unseen ones at {low:g} to {high:g} of it"
    if module.endswith("training_memory"):
        runs, sources = training_memory.RUNS, training_memory.SOURCES
        low, high = training_memory.INTERVAL_LOW, training_memory.INTERVAL_HIGH
        told = f"fitted on {runs} measured peaks of {sources} sources"
        return f"{told}; 80 % of unseen sources at {low:g} to {high:g} of the estimate"
    if module.endswith("training_speed"):
        low, high = training_speed.INTERVALS["dense"]
        told = f"fitted on {training_speed.RUNS} published runs of {training_speed.FRAMEWORKS} frameworks"
        return f"{told}; 80 % of those of unseen ones at {low:g} to {high:g} of it"
    if module.endswith("kernels"):
        errors = kernels.ERRORS.get(name.partition(".")[0])
        told = f", whose medians and nine in ten it meets within {errors}" if errors else _INDEXERS[name]
        return f"kernel tables of aiconfigurator-core 0.12.0{told}"
    if module.endswith(".own"):
        return f"fitted on {own.SOURCES} sources, each run of theirs held out: docs/imports.md"
    low, high = (
        math.exp(cut * serving_speed.WIDTHS["inter_token"]["base"]) for cut in serving_speed.CUTS["inter_token"]
    )
    tables, sources = serving_speed.TABLES, serving_speed.SOURCES
    return f"fitted on {tables} tables of {sources} sources; 80 % of sources left out at {low:.2f} to {high:.2f} of it"
