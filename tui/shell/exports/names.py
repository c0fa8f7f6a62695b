"""Which repository a build is run from: that of its format, and for people's questions the one that was taught to answer."""

from __future__ import annotations

import os
from pathlib import Path

from engine.figures.records import dataclass
from engine.figures.text import printable
from engine.model.formats import FORMATS
from engine.scenario import Scenario
from tui.shell.exports.text import CannotExport

ANY_MODEL = "YOUR_MODEL"
WIDE = ("", "bf16", "fp16")
ON_LOAD = ("fp8", "nf4")
"""Formats that vLLM and SGLang make themselves from a 16-bit checkpoint while they load it."""

# Names at Hugging Face (their model cards), 2026-11. A base model, and the one of the same shape that answers in turns.
_CHAT = {
    "meta-llama/Llama-2-7b-hf": "meta-llama/Llama-2-7b-chat-hf",
    "meta-llama/Llama-2-13b-hf": "meta-llama/Llama-2-13b-chat-hf",
    "meta-llama/Llama-2-70b-hf": "meta-llama/Llama-2-70b-chat-hf",
    "meta-llama/Meta-Llama-3-8B": "meta-llama/Meta-Llama-3-8B-Instruct",
    "meta-llama/Meta-Llama-3-70B": "meta-llama/Meta-Llama-3-70B-Instruct",
    "meta-llama/Llama-3.1-8B": "meta-llama/Llama-3.1-8B-Instruct",
    "meta-llama/Llama-3.1-70B": "meta-llama/Llama-3.1-70B-Instruct",
    "meta-llama/Llama-3.1-405B": "meta-llama/Llama-3.1-405B-Instruct",
    "meta-llama/Llama-3.2-3B": "meta-llama/Llama-3.2-3B-Instruct",
    "meta-llama/Llama-3.2-11B-Vision": "meta-llama/Llama-3.2-11B-Vision-Instruct",
    "codellama/CodeLlama-34b-hf": "codellama/CodeLlama-34b-Instruct-hf",
    "Qwen/Qwen2.5-0.5B": "Qwen/Qwen2.5-0.5B-Instruct",
    "Qwen/Qwen2.5-1.5B": "Qwen/Qwen2.5-1.5B-Instruct",
    "Qwen/Qwen2.5-14B": "Qwen/Qwen2.5-14B-Instruct",
    "Qwen/Qwen2-57B-A14B": "Qwen/Qwen2-57B-A14B-Instruct",
    "Qwen/Qwen1.5-MoE-A2.7B": "Qwen/Qwen1.5-MoE-A2.7B-Chat",
    "Qwen/Qwen-1_8B": "Qwen/Qwen-1_8B-Chat",
    "Qwen/Qwen-7B": "Qwen/Qwen-7B-Chat",
    "Qwen/Qwen-14B": "Qwen/Qwen-14B-Chat",
    "Qwen/Qwen-72B": "Qwen/Qwen-72B-Chat",
    "deepseek-ai/DeepSeek-V2-Lite": "deepseek-ai/DeepSeek-V2-Lite-Chat",
    "deepseek-ai/DeepSeek-V2": "deepseek-ai/DeepSeek-V2-Chat",
    "deepseek-ai/deepseek-llm-7b-base": "deepseek-ai/deepseek-llm-7b-chat",
    "mistralai/Mistral-7B-v0.1": "mistralai/Mistral-7B-Instruct-v0.1",
    "mistralai/Mixtral-8x7B-v0.1": "mistralai/Mixtral-8x7B-Instruct-v0.1",
    "mistralai/Mixtral-8x22B-v0.1": "mistralai/Mixtral-8x22B-Instruct-v0.1",
    "google/gemma-2b": "google/gemma-2b-it",
    "google/gemma-7b": "google/gemma-7b-it",
    "google/gemma-2-2b": "google/gemma-2-2b-it",
    "google/gemma-4-26B-A4B": "google/gemma-4-26B-A4B-it",
    "tiiuae/falcon-7b": "tiiuae/falcon-7b-instruct",
    "tiiuae/falcon-40b": "tiiuae/falcon-40b-instruct",
    "tiiuae/falcon-180B": "tiiuae/falcon-180B-chat",
    "allenai/OLMo-2-1124-7B": "allenai/OLMo-2-1124-7B-Instruct",
    "allenai/OLMo-2-1124-13B": "allenai/OLMo-2-1124-13B-Instruct",
    "allenai/OLMo-2-0325-32B": "allenai/OLMo-2-0325-32B-Instruct",
    "allenai/OLMoE-1B-7B-0924": "allenai/OLMoE-1B-7B-0924-Instruct",
    "01-ai/Yi-6B": "01-ai/Yi-6B-Chat",
    "01-ai/Yi-34B": "01-ai/Yi-34B-Chat",
    "THUDM/glm-4-9b": "THUDM/glm-4-9b-chat",
    "internlm/internlm2_5-7b": "internlm/internlm2_5-7b-chat",
    "stabilityai/stablelm-2-1_6b": "stabilityai/stablelm-2-1_6b-chat",
    "swiss-ai/Apertus-8B-2509": "swiss-ai/Apertus-8B-Instruct-2509",
    "upstage/SOLAR-10.7B-v1.0": "upstage/SOLAR-10.7B-Instruct-v1.0",
    "mosaicml/mpt-7b": "mosaicml/mpt-7b-chat",
    "mosaicml/mpt-30b": "mosaicml/mpt-30b-chat",
}
_ONLY_COMPLETE = frozenset(
    {
        "EleutherAI/gpt-neox-20b",
        "EleutherAI/gpt-j-6b",
        "EleutherAI/pythia-6.9b",
        "EleutherAI/pythia-12b",
        "bigcode/starcoder2-3b",
        "bigcode/starcoder2-7b",
        "bigcode/santacoder",
        "bigscience/bloom",
        "facebook/opt-6.7b",
        "facebook/opt-13b",
        "facebook/opt-30b",
        "facebook/opt-66b",
        "huggyllama/llama-30b",
        "huggyllama/llama-65b",
        "microsoft/phi-1_5",
        "microsoft/phi-2",
        "openai-community/gpt2-xl",
        "openlm-research/open_llama_3b",
    }
)
# Repositories that hold a model in fewer bits, in groups of 128 where these are INT4.
_QUANTIZED = {
    ("meta-llama/Llama-3.1-8B-Instruct", "int4-awq"): "hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4",
    ("meta-llama/Llama-3.1-70B-Instruct", "int4-awq"): "hugging-quants/Meta-Llama-3.1-70B-Instruct-AWQ-INT4",
    ("meta-llama/Llama-3.1-405B-Instruct", "int4-awq"): "hugging-quants/Meta-Llama-3.1-405B-Instruct-AWQ-INT4",
    ("meta-llama/Llama-3.1-8B-Instruct", "int4-gptq"): "hugging-quants/Meta-Llama-3.1-8B-Instruct-GPTQ-INT4",
    ("meta-llama/Llama-3.1-70B-Instruct", "int4-gptq"): "hugging-quants/Meta-Llama-3.1-70B-Instruct-GPTQ-INT4",
    ("meta-llama/Llama-3.1-405B-Instruct", "int4-gptq"): "hugging-quants/Meta-Llama-3.1-405B-Instruct-GPTQ-INT4",
    **{
        (f"Qwen/Qwen2.5-{size}-Instruct", weights): f"Qwen/Qwen2.5-{size}-Instruct-{ending}"
        for size in ("3B", "7B", "14B", "32B", "72B")
        for weights, ending in (("int4-awq", "AWQ"), ("int4-gptq", "GPTQ-Int4"))
    },
    ("Qwen/Qwen3-8B", "int4-awq"): "Qwen/Qwen3-8B-AWQ",
    ("Qwen/Qwen3-32B", "int4-awq"): "Qwen/Qwen3-32B-AWQ",
    ("Qwen/Qwen3-235B-A22B", "int4-gptq"): "Qwen/Qwen3-235B-A22B-GPTQ-Int4",
    ("Qwen/Qwen3-30B-A3B", "int4-gptq"): "Qwen/Qwen3-30B-A3B-GPTQ-Int4",
}
_NGC_PUBLISHERS = {"meta-llama": "meta", "zai-org": "z-ai", "coherelabs": "cohere", "minimaxai": "minimax"}
_IMAGE_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-._/")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is loaded. name: a repository, a folder, a file, or what stands for one. plain: the model's own name, in no
    format. on_load: the format that the engine makes of it. notes, format_notes: what a reader must know of either."""

    name: str
    plain: str
    on_load: str = ""
    notes: tuple[str, ...] = ()
    format_notes: tuple[str, ...] = ()


def repository(scenario: Scenario) -> str:
    """The model's name at Hugging Face; of a config.json or GGUF of one's own the folder or file with the weights, if
    they lie there, or else YOUR_MODEL."""
    import catalog

    model = scenario.model
    if not model.config:
        return catalog.load().model(model.id).hf_id or model.id
    path = Path(os.path.abspath(os.path.expanduser(model.config)))
    try:
        if path.suffix.lower() == ".gguf":
            return str(path)
        beside = any(entry.name.endswith((".safetensors", ".bin", ".gguf")) for entry in os.scandir(path.parent))
    except (OSError, ValueError):  # gone, unreadable, or a name that no file can have
        beside = False
    return str(path.parent) if beside else ANY_MODEL


def checked(name: str) -> str:
    """The name as given. Raises CannotExport for one that a command would take for an option, or that no host has."""
    if not name.isascii() or not name.isprintable() or name.startswith("-"):
        raise CannotExport(f"{printable(name)[:200]} is no name of a repository: ASCII, and no dash first")
    return name


def checkpoint(scenario: Scenario, name: str) -> Checkpoint:
    """What a build is run from, by the model's own name (`repository`)."""
    model, notes = scenario.model, []
    plain = checked(name) or ANY_MODEL
    if plain == ANY_MODEL:
        notes.append(
            f"put the repository, or the folder with the weights, in place of {ANY_MODEL}: the session names none"
        )
    if scenario.workload.kind == "serve":
        if plain in _CHAT:
            notes.append(f"{plain} only completes text; this serves its chat model, of the same shape: {_CHAT[plain]}")
            plain = _CHAT[plain]
        elif plain in _ONLY_COMPLETE:
            notes.append(f"{plain} only completes text: for chat name a model that was taught to")
    if not scenario.workload.is_inference or _holds(model.config, model.weights) or plain == ANY_MODEL:
        return Checkpoint(plain, plain, notes=tuple(notes))
    own, wanted = model.architecture.checkpoint_format, model.weights
    if wanted == own or (wanted in WIDE and own in WIDE):
        return Checkpoint(plain, plain, notes=tuple(notes))
    label = FORMATS[wanted].label
    if wanted in ON_LOAD and own in WIDE:
        made = f"{label} is made of the 16-bit checkpoint while it loads, which downloads all of it"
        return Checkpoint(plain, plain, wanted, tuple(notes), (made,))
    kinds = ("int4-awq", "int4-gptq") if wanted == "int4" else (wanted,)
    for kind in kinds:
        if (plain, kind) in _QUANTIZED:
            return Checkpoint(_QUANTIZED[plain, kind], plain, notes=tuple(notes))
    stand_in = f"YOUR_{wanted.upper().replace('-', '_')}_CHECKPOINT"
    needed = f"put a repository that holds {plain} in {label} in place of {stand_in}: the figures are of such a one"
    return Checkpoint(stand_in, plain, notes=tuple(notes), format_notes=(needed,))


def _holds(config: str, weights: str) -> bool:
    """Whether the person's own file is the weights themselves."""
    return config.lower().endswith(".gguf") and weights.startswith("gguf")


def nim_image(name: str) -> str:
    """The image of a model in NGC's letters."""
    publisher, _, short = name.lower().rpartition("/")
    if name.startswith("/") or name == ANY_MODEL:
        publisher, short = "", "your-model"
    parts = ("nvcr.io/nim", _part(_NGC_PUBLISHERS.get(publisher, publisher)), f"{_part(short) or 'your-model'}:latest")
    return "/".join(filter(None, parts))


def _part(text: str) -> str:
    return "".join(char if char in _IMAGE_LETTERS else "-" for char in text).strip("-._/")
