"""From a model's published name to a catalog id: a fine-tune, a distillation or a quantization has the
architecture of what it was made from."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from catalog.loading import load

# What names carry beside the model: how it was tuned, how its weights are stored, and when it was released.
_TUNING: Final = ("instruct", "chat", "it", "hf", "base", "thinking", "reasoning", "preview", "distilled", "tuned")
_STORAGE: Final = (
    "fp8", "fp4", "nvfp4", "mxfp4", "bf16", "fp16", "fp32", "f16", "int4", "int8", "awq", "gptq", "autoround", "gguf",
    "autofp8", "qat", "bnb", "4bit", "8bit", "dynamic", "block", "static", "quantized", "mlx", "eagle3", "marlin", "nvda", "turbo",
)  # fmt: skip
_DATES: Final = (r"2[0-9][01][0-9]", r"0[0-9][0-3][0-9]", r"\d\d-20\d\d", "v1", "v01")
_MIXES: Final = (r"w\d+a\d+", r"i?q\d(?:-(?:[0klmsx]|xs|xl|xxs|nl))*", r"g\d+", r"kv\d?")
_NOISE: Final = re.compile(f"-(?:{'|'.join((*_TUNING, *_STORAGE, *_MIXES, *_DATES))})(?=-|$)")
_MAKERS: Final = re.compile(
    r"^(?:meta-|nvidia-|redhatai-|neuralmagic-|unsloth-|c4ai-|ai21-|openai-|mistralai-|google-)"
)

# Names whose model has another one's architecture, after `plain_name`. Left: the name or its beginning up to a dash.
_SAME_ARCHITECTURE: Final = (
    ("deepseek-r1-distill-llama-8b", "llama-3.1-8b"),
    ("deepseek-r1-distill-llama-70b", "llama-3.3-70b"),
    ("deepseek-r1-distill-qwen-1.5b", "qwen2.5-1.5b"),
    ("deepseek-r1-distill-qwen-14b", "qwen2.5-14b"),
    ("deepseek-r1-qwen3-8b", "qwen3-8b"),
    ("deepseek-v3.1", "deepseek-v3"),
    ("deepseek-v2.5", "deepseek-v2"),
    ("deepseek-coder-v2-lite", "deepseek-v2-lite"),
    ("deepseek-coder-v2", "deepseek-v2"),
    ("kimi-k2", "kimi-k2"),
    ("qwq-32b", "qwen2.5-32b"),
    ("qwen2-7b", "qwen2.5-7b"),
    ("qwen2-72b", "qwen2.5-72b"),
    ("qwen2.5-coder-7b", "qwen2.5-7b"),
    ("qwen2.5-coder-14b", "qwen2.5-14b"),
    ("qwen2.5-coder-32b", "qwen2.5-32b"),
    ("qwen2.5-math-72b", "qwen2.5-72b"),
    ("qwen3-coder-next", "qwen3-next-80b-a3b"),
    ("minimax-m2", "minimax-m2.7"),
    ("minimax-m2.1", "minimax-m2.7"),
    ("minimax-m2.5", "minimax-m2.7"),
    ("glm-4.5", "glm-4.6"),
    ("glm-4.7", "glm-4.6"),
    ("glm-4.5-air-106b-a12b", "glm-4.5-air"),
    ("llama-3-405b", "llama-3.1-405b"),
    ("llama-3.1-nemotron-70b", "llama-3.1-70b"),
    ("llama-3.1-nemotron-nano-8b", "llama-3.1-8b"),
    ("hermes-3-llama-3.1-70b", "llama-3.1-70b"),
    ("hermes-3-llama-3.1-405b", "llama-3.1-405b"),
    ("vicuna-7b", "llama-2-7b"),
    ("vicuna-13b", "llama-2-13b"),
    ("llama-7b", "llama-2-7b"),
    ("llama-13b", "llama-2-13b"),
    ("llama-33b", "llama-1-33b"),
    ("llama-30b", "llama-1-33b"),
    ("llama-65b", "llama-1-65b"),
    ("llama-34b", "codellama-34b"),
    ("codellama-70b", "llama-2-70b"),
    ("codestral-22b", "mistral-small-22b"),
    ("mistral-small-3.1-24b", "mistral-small-3.2-24b"),
    ("mistral-small-3-24b", "mistral-small-24b"),
    ("mistral-large", "mistral-large-123b"),
    ("mistral-nemo", "mistral-nemo-12b"),
    ("mistral-7b", "mistral-7b-v0.3"),
    ("mistral-7b-v0.2", "mistral-7b-v0.3"),
    ("phi-3-mini", "phi-3.5-mini"),
    ("phi-3-mini-4k", "phi-3.5-mini"),
    ("phi-3-mini-128k", "phi-3.5-mini"),
    ("phi-3-medium-128k", "phi-3-medium"),
    ("command-r", "command-r-35b"),
    ("command-r-plus", "command-r-plus-104b"),
    ("command-a", "command-a-111b"),
    ("llava-v1.6-mistral-7b", "llava-1.6-mistral-7b"),
    ("nemotron-340b", "nemotron-4-340b"),
    ("nvidia-nemotron-3-nano-30b-a3b", "nemotron-3-nano-30b-a3b"),
)  # fmt: skip


def plain_name(text: str) -> str:
    """A published name without its organisation, remarks, tuning, weight format and date, in lower case."""
    name = re.sub(r"\(.*?\)", " ", text.strip().casefold()).split("/")[-1]
    name = re.sub(r"\.gguf$|\.config\.json$", "", name.split(",")[0].strip())
    name = re.sub(r"[\s_:]+|\.(?=w\d+a\d+)", "-", name.replace("llama-3_", "llama-3.")).strip("-")
    before = ""
    while name != before:
        before = name
        name = _MAKERS.sub("", _NOISE.sub("", name)).strip("-")
    return re.sub(r"^(llama|qwen|gemma|phi)-?(\d)", _joined, name)


def _joined(match: re.Match[str]) -> str:
    """Llama3 and Qwen-2 in the spelling that the publisher uses."""
    family, number = match.groups()
    return f"{family}{number}" if family == "qwen" else f"{family}-{number}"


@lru_cache(maxsize=1)
def _known() -> dict[str, str]:
    """Catalog ids by every plain name that stands for them; a model's own names before borrowed ones."""
    names: dict[str, str] = {}
    models = load().models
    for model in models:
        names.setdefault(model.id, model.id)
    for model in models:
        for name in (model.id, model.hf_id, model.name):
            if name:
                names.setdefault(plain_name(name), model.id)
    ids = {model.id for model in models}
    for name, model_id in _SAME_ARCHITECTURE:
        if model_id in ids:
            names.setdefault(name, model_id)
            names.setdefault(plain_name(name), model_id)
    return names


def resolve_name(text: str) -> str | None:
    """The catalog id of the model that a published name means, or None when no rule knows it.

    The name may carry an organisation, a weight format, a tuning, a release date or a remark in brackets
    ("RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic"). An unknown name is None, never the nearest guess.
    """
    known = _known()
    lowered = text.strip().casefold()
    if lowered in known:
        return known[lowered]
    return known.get(plain_name(text))
