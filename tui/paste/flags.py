"""Options of servers as sessions name them, engine by engine. Sources: the argument lists of each engine's documentation."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from engine.figures.records import dataclass
from engine.scenario.fields.options import not_modelled
from tui.paste.found import Found
from tui.paste.switches import stands_alone

Reader = Callable[[str], Any]


class Unreadable(ValueError):
    """A value that its option does not take."""


def whole(text: str) -> int:
    """A whole number, with the suffixes of vLLM: k is 1,000, K is 1,024. Raises Unreadable."""
    match = re.fullmatch(r"(\d{1,12})(?:\.0+)?([kKmMgG]?)", text.strip())
    if match is None:
        raise Unreadable("not a whole number")
    scale = {"": 1, "k": 1000, "m": 10**6, "g": 10**9, "K": 2**10, "M": 2**20, "G": 2**30}[match[2]]
    return int(match[1]) * scale


def share(text: str) -> float:
    """A number. Raises Unreadable."""
    try:
        value = float(text)
    except ValueError:
        raise Unreadable("not a number") from None
    if not 0.0 <= value < 1e9:
        raise Unreadable("out of range")
    return value


def gib(text: str) -> float:
    """Bytes, with the suffixes of vLLM, as GiB. Raises Unreadable."""
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)([kKmMgGtT])i?[bB]?", text.strip())
    if match is None:
        return whole(text) / 2**30
    scale = {"k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}[match[2]]
    return float(match[1]) * scale / 2**30


def one_of(**values: Any) -> Reader:
    """A reader of words, each with what it means."""

    def read(text: str) -> Any:
        try:
            return values[text.strip().casefold().replace("-", "_").replace(".", "_")]
        except KeyError:
            raise Unreadable(f"not one of {', '.join(values)}") from None

    return read


KV_CACHE = one_of(
    auto=None, bfloat16="bf16", bf16="bf16", float16="fp16", fp16="fp16", f16="fp16", half="fp16", fp8="fp8",
    fp8_e4m3="fp8", fp8_e5m2="fp8", fp8_inc="fp8", int8="int8", int8_per_token_head="int8", nvfp4="nvfp4", q8_0="q8_0", q4_0="q4_0",
)  # fmt: skip
STATES = one_of(auto=None, float32="fp32", fp32="fp32", float16="bf16", bfloat16="bf16", bf16="bf16")
QUANTIZED = {
    "fp8": "fp8", "bitsandbytes": "nf4", "awq": "int4-awq", "awq_marlin": "int4-awq", "awq-marlin": "int4-awq",
    "gptq": "int4-gptq", "gptq_marlin": "int4-gptq", "gptq-marlin": "int4-gptq", "modelopt_fp4": "nvfp4",
    "modelopt": "fp8", "mxfp4": "mxfp4", "w8a8_int8": "int8", "w8a8_fp8": "fp8", "fbgemm_fp8": "fp8", "petit_nvfp4": "nvfp4",
    "auto_awq": "int4-awq", "auto_gptq": "int4-gptq", "modelopt_fp8": "fp8", "fp8_per_tensor": "fp8", "fp8_per_block": "fp8",
    "fp8_per_channel": "fp8", "ptpc_fp8": "fp8", "gpt_oss_mxfp4": "mxfp4", "nvfp4_per_token": "nvfp4", "nvfp4_online": "nvfp4",
}  # fmt: skip
BY_CHECKPOINT = (
    "compressed-tensors", "none", "auto", "gguf", "moe_wna16", "quark", "torchao", "auto-round", "modelopt_mixed", "inc",
)  # fmt: skip
"""Words of --quantization that leave the format to what the checkpoint holds."""


def some_of(**values: Any) -> Reader:
    """A reader of words of which some mean what is sized, and others change nothing."""
    return lambda text: values.get(text.strip().casefold().replace("-", "_"))


@dataclass(frozen=True, slots=True)
class Option:
    """An option: the key of the session that it sets and how its value is read. alone: what it means without a value."""

    key: str
    read: Reader = whole
    alone: Any = None
    takes: bool = True


def switch(key: str, value: Any) -> Option:
    """An option that stands alone."""
    return Option(key, alone=value, takes=False)


VLLM: Mapping[str, Option] = {
    "--tensor-parallel-size": Option("layout.tp"),
    "-tp": Option("layout.tp"),
    "--pipeline-parallel-size": Option("layout.pp"),
    "-pp": Option("layout.pp"),
    "--data-parallel-size": Option("layout.dp"),
    "-dp": Option("layout.dp"),
    "--decode-context-parallel-size": Option("layout.dcp"),
    "-dcp": Option("layout.dcp"),
    "--max-model-len": Option("runtime.max_model_len"),
    "--max-num-seqs": Option("runtime.max_num_seqs"),
    "--max-num-batched-tokens": Option("runtime.max_num_batched_tokens"),
    "--gpu-memory-utilization": Option("runtime.memory_utilization", share),
    "--kv-cache-dtype": Option("model.kv_cache", KV_CACHE),
    "--block-size": Option("runtime.block_size"),
    "--enforce-eager": switch("runtime.cuda_graphs", False),
    "--no-enforce-eager": switch("runtime.cuda_graphs", True),
    "--enable-prefix-caching": switch("runtime.prefix_caching", True),
    "--no-enable-prefix-caching": switch("runtime.prefix_caching", False),
    "--attention-backend": Option(
        "runtime.attention_backend",
        some_of(flashinfer="flashinfer", triton_attn="triton"),
    ),
    "--cpu-offload-gb": Option("runtime.cpu_offload_gb", share),
    "--language-model-only": switch("runtime.text_only", True),
    "--skip-mm-profiling": switch("runtime.skip_mm_profiling", True),
    "--kv-cache-memory-bytes": Option("runtime.kv_cache_gib", gib),
    "--mamba-ssm-cache-dtype": Option("runtime.state_dtype", STATES),
    "--max-loras": Option("runtime.max_loras"),
    "--max-lora-rank": Option("runtime.max_lora_rank"),
}
SGLANG: Mapping[str, Option] = {
    **{flag: Option("layout.tp") for flag in ("--tp-size", "--tp", "--tensor-parallel-size")},
    **{flag: Option("layout.pp") for flag in ("--pp-size", "--pp", "--pipeline-parallel-size")},
    **{flag: Option("layout.dp") for flag in ("--dp-size", "--dp", "--data-parallel-size")},
    **{flag: Option("layout.ep") for flag in ("--ep-size", "--ep", "--expert-parallel-size")},
    "--enable-dp-attention": switch("layout.dp_attention", True),
    "--is-embedding": switch("workload.kind", "embed"),
    "--context-length": Option("runtime.max_model_len"),
    "--mem-fraction-static": Option("runtime.memory_utilization", share),
    "--max-running-requests": Option("runtime.max_num_seqs"),
    "--chunked-prefill-size": Option("runtime.max_num_batched_tokens"),
    "--kv-cache-dtype": Option("model.kv_cache", KV_CACHE),
    "--disable-cuda-graph": switch("runtime.cuda_graphs", False),
    "--attention-backend": Option(
        "runtime.attention_backend",
        some_of(fa3="flash3", flashinfer="flashinfer", triton="triton", trtllm_mha="trtllm"),
    ),
    "--disable-radix-cache": switch("runtime.prefix_caching", False),
    "--speculative-algorithm": Option(
        "runtime.speculative",
        one_of(nextn="mtp", mtp="mtp", eagle="eagle", eagle3="eagle", ngram="ngram", dspark="dspark"),
    ),
    "--speculative-num-steps": Option("runtime.speculative_tokens"),
    **{flag: Option("layout.dcp") for flag in ("--dcp-size", "--decode-context-parallel-size")},
    "--page-size": Option("runtime.block_size"),
    "--cpu-offload-gb": Option("runtime.cpu_offload_gb", share),
    "--mamba-ssm-dtype": Option("runtime.state_dtype", STATES),
    "--max-mamba-cache-size": Option("runtime.state_slots"),
    "--kt-num-gpu-experts": Option("runtime.kt_gpu_experts"),
    "--max-loras-per-batch": Option("runtime.max_loras"),
    "--max-lora-rank": Option("runtime.max_lora_rank"),
}
TRTLLM: Mapping[str, Option] = {
    "--tp-size": Option("layout.tp"),
    "--pp-size": Option("layout.pp"),
    "--ep-size": Option("layout.ep"),
    "--max-seq-len": Option("runtime.max_model_len"),
    "--max-batch-size": Option("runtime.max_num_seqs"),
    "--max-num-tokens": Option("runtime.max_num_batched_tokens"),
}
LLAMA: Mapping[str, Option] = {
    **{flag: Option("runtime.max_num_seqs") for flag in ("--parallel", "-np")},
    **{flag: Option("runtime.max_num_batched_tokens") for flag in ("--ubatch-size", "-ub")},
    **{flag: Option("model.kv_cache", KV_CACHE) for flag in ("--cache-type-k", "-ctk")},
    **{flag: Option("runtime.n_cpu_moe") for flag in ("--n-cpu-moe", "-ncmoe")},
    **{flag: switch("workload.kind", "embed") for flag in ("--embeddings", "--embedding", "--reranking", "--rerank")},
}
MLX: Mapping[str, Option] = {
    "--decode-concurrency": Option("runtime.max_num_seqs"),
    "--prefill-step-size": Option("runtime.max_num_batched_tokens"),
    "--max-kv-size": Option("runtime.max_model_len"),
    # groups of 64 with a scale and a bias of 16 bits: half a bit more, as llama.cpp's blocks of 32 have
    "--kv-bits": Option("model.kv_cache", one_of(**{"8": "q8_0", "4": "q4_0"})),
}
OPTIONS = {"vllm": VLLM, "sglang": SGLANG, "trtllm": TRTLLM, "llama.cpp": LLAMA, "mlx": MLX}

# Read by name in `servers.py`: they mean more than one key, or a key together with others.
READ_APART = {
    "vllm": {
        "--model", "--quantization", "-q", "--dtype", "--enable-expert-parallel", "-ep", "--data-parallel-size-local",
        "-dpl", "--speculative-config", "-sc", "--enable-lora", "--limit-mm-per-prompt", "--nnodes", "--task", "--runner", "--convert",
    },
    "sglang": {"--model-path", "--model", "--quantization", "--dtype", "--nnodes"},
    "trtllm": {"--extra-llm-api-options", "--config", "--kv-cache-free-gpu-memory-fraction", "--backend"},
    "mlx": {"--model"},
    "llama.cpp": {
        "--model", "-m", "--hf-repo", "-hf", "-hfr", "--ctx-size", "-c", "--n-gpu-layers", "-ngl", "--gpu-layers",
        "--split-mode", "-sm", "--tensor-split", "-ts", "--cpu-moe", "-cmoe", "--override-tensor", "-ot", "--cache-type-v", "-ctv", "--batch-size", "-b",
    },
}  # fmt: skip
REPEATED = ("--override-tensor", "-ot")
"""Options whose every mention counts."""
NOTHING_SIZED = {
    "--host", "--port", "--served-model-name", "--api-key", "--api-keys", "--trust-remote-code", "--tokenizer", "--tokenizer-mode",
    "--chat-template", "--tool-call-parser", "--enable-auto-tool-choice", "--reasoning-parser", "--download-dir", "--revision",
    "--seed", "--disable-log-requests", "--disable-log-stats", "--uvicorn-log-level", "--load-format", "--config-format",
    "--distributed-executor-backend", "--data-parallel-backend", "--data-parallel-address", "--data-parallel-rpc-port",
    "--headless", "--node-rank", "--master-addr", "--master-port", "--dist-init-addr", "--log-level", "--generation-config",
    "--allowed-origins", "--middleware", "--ssl-keyfile", "--ssl-certfile", "--root-path", "--no-mmap", "--mlock", "--jinja", "-fa",
    "--flash-attn", "--threads", "-t", "--alias", "-a", "--metrics", "--enable-metrics", "--cont-batching", "-cb", "--no-webui",
    "--backend", "--log-disable", "--verbose", "-v", "--tokenizer-path", "--random-seed", "--watchdog-timeout",
    "--enable-chunked-prefill", "--main-gpu", "-mg", "--device", "--no-warmup", "--temp", "--top-p", "--top-k", "--min-p",
    "--chat-template-file", "--default-chat-template-kwargs", "--data-parallel-rank", "--data-parallel-start-rank",
    "--enable-request-id-headers", "--swap-space", "--max-tokens",
    "--override-generation-config", "--pooling", "--pooler-config", "--override-pooler-config", "--embd-normalize", "--hf-file", "-hff", "--batch-size", "-b", "--cache-type-v", "-ctv", "--tp-rank",
    "--cuda-graph-max-bs", "--max-cudagraph-capture-size", "--all2all-backend", "--moe-backend", "--moe-runner-backend",
    "--mm-processor-kwargs", "--max-prefill-tokens", "--schedule-policy", "--schedule-conservativeness", "--async-scheduling", "--compilation-config", "--enable-reasoning",
}  # fmt: skip
"""Options that change nothing that is sized."""


def plain(flag: str) -> str:
    """A flag as the tables have it: underscores of long ones are dashes."""
    return flag.replace("_", "-") if flag.startswith("--") else flag


def paired(words: list[str], engine: str) -> tuple[list[str], list[tuple[str, str | None]]]:
    """The words that are no option, and each option with its value, None where it stands alone."""
    table = OPTIONS[engine]
    rest: list[str] = []
    found: list[tuple[str, str | None]] = []
    place = 0
    while place < len(words):
        word = words[place]
        place += 1
        if not re.match(r"--?[A-Za-z]", word):
            rest.append(word)
            continue
        flag, equals, value = word.partition("=")
        flag = plain(flag)
        option = table.get(flag)
        if equals:
            found.append((flag, value))
        elif stands_alone(flag) or (option is not None and not option.takes):
            found.append((flag, None))
        elif place < len(words) and not re.match(r"--?[A-Za-z]", words[place]):
            found.append((flag, words[place]))
            place += 1
        else:
            found.append((flag, None))
    return rest, found


def take(found: Found, engine: str, options: list[tuple[str, str | None]]) -> dict[str, str]:
    """Take the options of the tables; what `READ_APART` names comes back with its text ("" where it stands alone)."""
    table = OPTIONS[engine]
    apart: dict[str, str] = {}
    for flag, value in options:
        words = flag if value is None else f"{flag} {value}"
        option = table.get(flag)
        if flag in READ_APART[engine]:
            # one that may stand there more than once says all of it
            before = f"{apart[flag]}," if flag in REPEATED and apart.get(flag) else ""
            apart[flag] = before + (value or "")
            if flag in NOTHING_SIZED:
                found.passed.append(words)
        elif option is not None:
            try:
                meant = option.alone if value is None or not option.takes else option.read(value)
            except Unreadable as problem:
                found.unknown.append(f"{words}: {problem}")
                continue
            if meant is not None:
                found.say(words, option.key, meant)
            elif value is None and option.takes:
                found.unknown.append(f"{words}: without its value")
            else:
                found.passed.append(words)
        elif flag in NOTHING_SIZED:
            found.passed.append(words)
        elif not_modelled(flag):
            found.unknown.append(f"{words}: not modelled")
        else:
            found.unknown.append(words)
    return apart


def parsed_json(text: str) -> dict[str, Any]:
    """A JSON object of an option. Raises Unreadable."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable("not JSON") from None
    if not isinstance(value, dict):
        raise Unreadable("not a JSON object")
    return value
