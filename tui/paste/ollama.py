"""`ollama run MODEL:TAG`: llama.cpp with the model that a tag names. Source: docs.ollama.com, FAQ and context length."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from catalog.format_names import UnsizedFormat, format_of_name
from tui.paste.found import CannotRead, Found

CONTEXT: Final = 4096
"""Tokens of a context that nobody sets."""
_LATEST: Final = {
    "codellama": "7b", "deepseek-coder-v2": "16b", "deepseek-r1": "8b", "gemma2": "9b", "gemma3": "4b", "gpt-oss": "20b", "llama2": "7b",
    "llama3": "8b", "llama3.1": "8b", "llama3.2": "3b", "llama3.3": "70b", "mistral": "7b", "mistral-nemo": "12b", "mistral-small": "24b",
    "mixtral": "8x7b", "phi4": "14b", "qwen2.5": "7b", "qwen2.5-coder": "7b", "qwen3": "8b", "qwen3-coder": "30b", "qwq": "32b",
}  # fmt: skip
"""The size that a name without a tag brings (ollama.com/library)."""
_ALONE: Final = ("--verbose", "--nowordwrap", "--insecure", "--hidethinking", "--experimental")


def read_ollama(before: Sequence[str], arguments: Sequence[str], found: Found) -> None:
    """The words of `ollama run`, and before it the variables that its server takes. Raises CannotRead without a model."""
    words: list[str] = []
    place = 0
    while place < len(arguments):
        word = arguments[place]
        place += 1
        if not word.startswith("--"):
            words.append(word)
            continue
        found.passed.append(word)
        if "=" not in word and word not in _ALONE:
            place += 1  # its value
    if not words:
        raise CannotRead("ollama run: without the name of a model")
    found.say("ollama runs llama.cpp", "runtime.engine", "llama.cpp")
    name = words[0].removeprefix("library/")
    model, _, tag = name.rpartition(":") if ":" in name else (name, "", "")
    if tag in ("", "latest") and model in _LATEST:
        found.assumed.append(f"{model}:{_LATEST[model]}, which is what Ollama loads for {words[0]}")
        name = f"{model}:{_LATEST[model]}"
    found.model = name
    if words[1:]:
        found.passed.append("a prompt")
    try:
        weights = format_of_name(name)
    except UnsizedFormat as problem:
        raise CannotRead(f"{name} states weights in {problem}, which cannot be sized") from None
    if weights is None or not re.search(r"q\d|fp?16|bf16|mxfp4", name.casefold()):
        weights = weights or "gguf-q4_k_m"
        found.assumed.append(f"weights in {weights.removeprefix('gguf-')}: the tag names no quantization")
    found.say(f"the tag of {name}", "model.weights", weights)
    _server(dict(one.split("=", 1) for one in before if re.match(r"OLLAMA_\w+=", one)), found)


def _server(said: dict[str, str], found: Found) -> None:
    """What the server's variables say, and what it does where they do not."""
    context = said.get("OLLAMA_CONTEXT_LENGTH", "")
    if context.isdigit() and 0 < int(context) < 10**9:
        found.say(f"OLLAMA_CONTEXT_LENGTH={context}", "runtime.max_model_len", int(context))
    else:
        found.say("Ollama's num_ctx", "runtime.max_model_len", CONTEXT)
        found.assumed.append(f"a context of {CONTEXT:,} tokens, Ollama's num_ctx: OLLAMA_CONTEXT_LENGTH says another")
    users = said.get("OLLAMA_NUM_PARALLEL", "")
    many = int(users) if users.isdigit() and 0 < int(users) < 10**4 else 1
    if not users:
        found.assumed.append("one request at a time: OLLAMA_NUM_PARALLEL says more")
    found.say(f"OLLAMA_NUM_PARALLEL={many}", "runtime.max_num_seqs", many)
    found.say(f"OLLAMA_NUM_PARALLEL={many}", "workload.concurrency", many)
    kept = said.get("OLLAMA_KV_CACHE_TYPE", "")
    if kept in ("q8_0", "q4_0"):
        found.say(f"OLLAMA_KV_CACHE_TYPE={kept}", "model.kv_cache", kept)
    elif kept and kept != "f16":
        found.unknown.append(f"OLLAMA_KV_CACHE_TYPE={kept[:20]}")


READ: Final = ("OLLAMA_CONTEXT_LENGTH", "OLLAMA_NUM_PARALLEL", "OLLAMA_KV_CACHE_TYPE")
"""Variables that `read_ollama` takes."""
