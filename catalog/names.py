"""From names as people and tools write them to catalog ids, of models and of accelerators.

A fine-tune, a distillation or a quantization has the architecture of what it was made from. A card's name may carry
its maker, its memory, a rack, or how many there are. An unknown name is None, never the nearest guess.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from catalog.loading import load

# What names carry beside the model: how it was tuned, how its weights are stored, and when it was released.
_TUNING: Final = (
    "instruct", "chat", "it", "hf", "base", "thinking", "reasoning", "preview", "distilled", "tuned", "unsloth", "abliterated",
    "heretic", "uncensored", "latest", "derestricted",
)  # fmt: skip
_STORAGE: Final = (
    "mxfp4-moe", "fp8", "fp4", "nvfp4", "mxfp4", "bf16", "fp16", "fp32", "f16", "f32", "int4", "int8", "awq", "gptq", "autoround", "gguf",
    "autofp8", "qat", "bnb", "4bit", "8bit", "dynamic", "block", "static", "quantized", "mlx", "eagle3", "marlin", "nvda", "turbo",
    "2bit", "3bit", "int2", "int3", "5bit", "6bit", "dwq", "exl3", "w4afp8", "ud", "imatrix", "i1", "aqlm", "hqq", "exl2", "eetq", "mxfp8", "float8", "torchao", "nvfp4a16", "unquantized", "wmxfp4", "amxfp4", "kvfp8", "quip", "mixed", "1x16", "pv", "sym", "asym", "inc", "ct", "16bit",
    "vptq", "mxfp6", "float16", "float32", "w-mxfp4-a-fp8", "asq", "q2ks", "paddle",
)  # fmt: skip
_DATES: Final = (
    r"(?<=fp4-)v2",
    r"2[0-9][01][0-9]",
    r"0[0-9][0-3][0-9]",
    r"\d\d-20\d\d",
    r"\d{6}",
    "v1",
    "v01",
    "128k",
    "1m",
)
_MIXES: Final = (
    r"w\d+a\d+",
    r"(?:i?q|tq)\d(?:-(?:[01klmspx]|xs|xl|xxs|nl|k[slt]|kss|r[48]|4|8))*",
    r"g\d+",
    r"\d+g(?:-actorder-\w+)?",
    r"gs\d+",
    r"kv\d?",
    r"\d+(?:\.\d+)?bpw",
)
_NOISE: Final = re.compile(f"-(?:{'|'.join((*_TUNING, *_STORAGE, *_MIXES, *_DATES))})(?=-|$)")
_NO_TUNING: Final = re.compile(f"-(?:{'|'.join((*_STORAGE, *_MIXES, *_DATES))})(?=-|$)")
_MAKERS: Final = re.compile(
    r"^(?:qwen-(?=qwen)|meta-llama-(?=llama)|deepseek-ai-|zai-org-|microsoft-|allenai-|tiiuae-|ibm-granite-(?=granite)|"
    r"nousresearch-|moonshotai-|minimaxai-|coherelabs-|meta-|nvidia-|redhatai-|neuralmagic-|unsloth-|c4ai-|ai21-|openai-|mistralai-|google-|huihui-(?=\w))"
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
    ("deepseek-r1-distill-qwen-7b", "qwen2.5-7b"),
    ("deepseek-v3.1-terminus", "deepseek-v3"),
    ("deepseek-v3.2-exp", "deepseek-v3.2"),
    ("deepseek-v3-671b", "deepseek-v3"),
    ("deepseek-r1-671b", "deepseek-r1"),
    ("deepseek-v3.2-speciale", "deepseek-v3.2"),
    ("deepseek-prover-v2-671b", "deepseek-v3"),
    ("deepseek-r1-70b", "llama-3.3-70b"),
    ("deepseek-r1-8b", "qwen3-8b"),
    ("deepseek-r1-7b", "qwen2.5-7b"),
    ("deepseek-r1-1.5b", "qwen2.5-1.5b"),
    ("deepseek-r1-32b", "deepseek-r1-distill-qwen-32b"),
    ("deepseek-r1-14b", "qwen2.5-14b"),
    ("kimi-k2", "kimi-k2"),
    ("kimi-k2-thinking", "kimi-k2.5"),
    ("kimi-k2.6", "kimi-k2.5"),
    ("qwq-32b", "qwen2.5-32b"),
    ("qwen2-7b", "qwen2.5-7b"),
    ("qwen2-72b", "qwen2.5-72b"),
    ("qwen1.5-7b", "qwen-7b"),
    ("qwen1.5-14b", "qwen-14b"),
    ("qwen1.5-72b", "qwen-72b"),
    ("qwen3.6-27b", "qwen3.5-27b"),
    ("qwen3.8-27b", "qwen3.5-27b"),
    ("qwen3.6-35b-a3b", "qwen3.5-35b-a3b"),
    ("qwen2.5-coder-7b", "qwen2.5-7b"),
    ("qwen2.5-coder-14b", "qwen2.5-14b"),
    ("qwen2.5-coder-32b", "qwen2.5-32b"),
    ("qwen2.5-math-72b", "qwen2.5-72b"),
    ("qwen3-30b", "qwen3-30b-a3b"),
    ("qwen3-235b", "qwen3-235b-a22b"),
    ("qwen3-coder-30b", "qwen3-coder-30b-a3b"),
    ("qwen3-coder-480b", "qwen3-coder-480b-a35b"),
    ("qwen3-coder-next", "qwen3-next-80b-a3b"),
    ("olmo-3-7b-think", "olmo-3-7b"),
    ("olmo-3-32b-think", "olmo-3-32b"),
    ("olmo-3.1-32b-think", "olmo-3-32b"),
    ("olmo-3.1-32b", "olmo-3-32b"),
    ("mistral-large-3", "mistral-large-3-675b"),
    ("ernie-4.5-300b", "ernie-4.5-300b-a47b"),
    ("minimax-m2", "minimax-m2.7"),
    ("minimax-m2.1", "minimax-m2.7"),
    ("minimax-m2.5", "minimax-m2.7"),
    ("glm-4.5", "glm-4.6"),
    ("glm-4.7", "glm-4.6"),
    ("glm-4.5-air-106b-a12b", "glm-4.5-air"),
    ("llama-3-405b", "llama-3.1-405b"),
    ("hermes-4-70b", "llama-3.1-70b"),
    ("hermes-4-405b", "llama-3.1-405b"),
    ("llama-guard-3-8b", "llama-3.1-8b"),
    ("llama-3.3-nemotron-super-49b-v1.5", "nemotron-super-49b"),
    ("llama-3.3-nemotron-super-49b-v1-5", "nemotron-super-49b"),
    ("llama-3.1-nemotron-70b", "llama-3.1-70b"),
    ("llama-3.1-nemotron-nano-8b", "llama-3.1-8b"),
    ("hermes-3-llama-3.1-70b", "llama-3.1-70b"),
    ("hermes-3-llama-3.1-405b", "llama-3.1-405b"),
    ("vicuna-7b", "llama-2-7b"),
    ("vicuna-7b-v1.5", "llama-2-7b"),
    ("vicuna-13b", "llama-2-13b"),
    ("vicuna-13b-v1.5", "llama-2-13b"),
    ("wizardlm-70b", "llama-2-70b"),
    ("platypus2-70b", "llama-2-70b"),
    ("codellama-7b", "llama-2-7b"),
    ("codellama-13b", "llama-2-13b"),
    ("llama-7b", "llama-2-7b"),
    ("llama-13b", "llama-2-13b"),
    ("llama-33b", "llama-1-33b"),
    ("llama-30b", "llama-1-33b"),
    ("llama-65b", "llama-1-65b"),
    ("llama-34b", "codellama-34b"),
    ("codellama-70b", "llama-2-70b"),
    ("codestral-22b", "mistral-small-22b"),
    ("codestral-22b-v0.1", "mistral-small-22b"),
    ("devstral-small", "mistral-small-24b"),
    ("devstral-24b", "mistral-small-24b"),
    ("magistral-24b", "mistral-small-24b"),
    ("magistral-small", "mistral-small-24b"),
    ("mistral-small3.1-24b", "mistral-small-3.2-24b"),
    ("mistral-small3.2-24b", "mistral-small-3.2-24b"),
    ("zephyr-7b", "mistral-7b-v0.1"),
    ("zephyr-7b-beta", "mistral-7b-v0.1"),
    ("mistral-small-3.1-24b", "mistral-small-3.2-24b"),
    ("mistral-small-3-24b", "mistral-small-24b"),
    ("mistral-large", "mistral-large-123b"),
    ("mistral-nemo", "mistral-nemo-12b"),
    ("mistral-7b", "mistral-7b-v0.3"),
    ("mistral-7b-v0.2", "mistral-7b-v0.3"),
    ("phi-3-mini", "phi-3.5-mini"),
    ("phi-3-mini-4k", "phi-3.5-mini"),
    ("phi-3-mini-128k", "phi-3.5-mini"),
    ("phi-3-medium-4k", "phi-3-medium"),
    ("phi-3-medium-128k", "phi-3-medium"),
    ("phi-3-14b", "phi-3-medium"),
    ("phi-4-14b", "phi-4"),
    ("phi-4-reasoning-plus", "phi-4"),
    ("yi-1.5-6b", "yi-6b"),
    ("yi-1.5-34b", "yi-34b"),
    ("granite-3.0-8b", "granite-3.3-8b"),
    ("granite-3.1-8b", "granite-3.3-8b"),
    ("granite-3.2-8b", "granite-3.3-8b"),
    ("jamba-1.5-mini", "jamba-mini-1.5"),
    ("command-r", "command-r-35b"),
    ("command-r-plus", "command-r-plus-104b"),
    ("command-a", "command-a-111b"),
    ("llava-v1.6-mistral-7b", "llava-1.6-mistral-7b"),
    ("nemotron-340b", "nemotron-4-340b"),
    ("nvidia-nemotron-3-nano-30b-a3b", "nemotron-3-nano-30b-a3b"),
    ("qwen3.6-122b-a10b", "qwen3.5-122b-a10b"),
    ("qwen3.6-9b", "qwen3.5-9b"),
    ("qwen3.6-4b", "qwen3.5-4b"),
    ("mxbai-embed-large", "bge-large-en-v1.5"),
    ("mxbai-embed-large-v1", "bge-large-en-v1.5"),
    ("snowflake-arctic-embed-l-v2.0", "bge-m3"),
    ("all-minilm", "all-minilm-l6-v2"),
    ("nomic-embed-text", "nomic-embed-text-v1.5"),
    ("sfr-embedding-mistral", "e5-mistral-7b"),
    ("glm-5.1", "glm-5"),
    ("gpt-oss-safeguard-20b", "gpt-oss-20b"),
    ("gpt-oss-safeguard-120b", "gpt-oss-120b"),
    ("internlm2-7b", "internlm2.5-7b"),
    ("stablelm-2-zephyr-1.6b", "stablelm-2-1.6b"),
    ("stablelm-2-zephyr-1-6b", "stablelm-2-1.6b"),
)  # fmt: skip


def plain_name(text: str, noise: re.Pattern[str] = _NOISE) -> str:
    """A published name without its organisation, remarks, tuning, weight format and date, in lower case."""
    name = re.sub(r"\(.*?\)", " ", text.strip().casefold()).split("/")[-1]
    name = re.sub(r"(?:-\d{5}-of-\d{5})?\.gguf$|\.config\.json$", "", name.split(",")[0].strip())
    name = re.sub(
        r"[\s_:]+|\.(?=w\d+a\d+|(?:i1-)?(?:i?q|tq)\d_|b?f(?:p)?16|f32)", "-", name.replace("llama-3_", "llama-3.")
    ).strip("-")
    before = ""
    while name != before:
        before = name
        name = _MAKERS.sub("", noise.sub("", name)).strip("-")
    return re.sub(r"^(llama|qwen|gemma|phi|granite)-?(\d)", _joined, name)


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


def stand_in(text: str) -> str | None:
    """The catalog id of another model, whose architecture a published name's model has; None where it is a model of its own."""
    model_id = resolve_name(text)
    if model_id is None:
        return None
    model = load().model(model_id)
    own, plain = {plain_name(name) for name in (model.id, model.hf_id, model.name) if name}, plain_name(text)
    same = text.strip().casefold() == model_id or plain in own or model_id.startswith(f"{plain}-")  # its size left out
    return None if same else model_id


# A fine-tune that names the Llama 3 it was made from and that one's size; a drafter or a pruned model is no fine-tune.
_LLAMA_TUNE: Final = re.compile(r"(?:^|-)llama-?3(?:\.([0-3]))?(?=-)")
_SIZE: Final = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)b(?![\w.])")
_NO_TUNE: Final = re.compile(r"eagle|draft|medusa|prun|minitron|vision|llava|embed|lora|merge|moe|\dx\d")


def _tuned_llama(name: str) -> str:
    """The Llama 3 that a fine-tune's name tells, as `llama-3.1-8b`; empty when it tells none, or two sizes."""
    base, sizes = _LLAMA_TUNE.search(name), set(_SIZE.findall(name))
    if base is None or len(sizes) != 1 or _NO_TUNE.search(name):
        return ""
    minor = f".{base.group(1)}" if base.group(1) not in (None, "0") else ""
    return f"llama-3{minor}-{sizes.pop()}b"


def resolve_name(text: str) -> str | None:
    """The catalog id of the model that a published name means, or None when no rule knows it.

    The name may carry an organisation, a weight format, a tuning, a release date or a remark in brackets
    ("RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic"). An unknown name is None, never the nearest guess.
    """
    known = _known()
    lowered = text.strip().casefold()
    if lowered in known:
        return known[lowered]
    tuned, plain = plain_name(text, _NO_TUNING), plain_name(text)  # a tuning may have another architecture's weights
    return known.get(tuned) or known.get(plain) or known.get(_tuned_llama(plain))


# (pattern on the words of a name, catalog id), first match wins. A bare name is the part that is meant unless somebody
# says otherwise: the SXM module for H100 and A100, the larger memory of two.
ACCELERATORS: Final = (
    (r"gb300", "gb300"),
    (r"gb200", "gb200"),
    (r"gb10|dgx spark", "gb10"),
    (r"gh200", "gh200-144gb gh200-96gb"),
    (r"b300", "b300-sxm"),
    (r"b200", "b200-sxm"),
    (r"b100", "b100"),
    (r"(?:vr200|rubin)", "rubin-sxm"),
    (r"h800.* (?:pcie|pci)", "h800-pcie"),
    (r"h800", "h800-sxm h800-pcie"),
    (r"a800.* (?:pcie|pci)", "a800-pcie-80gb"),
    (r"a800", "a800-sxm4-80gb a800-pcie-80gb a800-40gb"),
    (r"h200.* nvl", "h200-nvl"),
    (r"h200", "h200-sxm"),
    (r"h100.* nvl", "h100-nvl"),
    (r"h100.* (?:pcie|pci)", "h100-pcie"),
    (r"h100", "h100-sxm h100-nvl"),
    (r"h20 3e", "h20-141gb"),
    (r"h20", "h20 h20-141gb"),
    (r"a100.* (?:pcie|pci)", "a100-pcie-80gb a100-pcie-40gb"),
    (r"a100", "a100-sxm4-80gb a100-sxm4-40gb"),
    (r"v100.* (?:pcie|pci)", "v100-pcie-32gb v100-pcie-16gb"),
    (r"v100", "v100-sxm2-32gb v100-sxm2-16gb v100-pcie-32gb"),
    (r"a10g", "a10g"),
    (r"a10", "a10"),
    (r"a30", "a30"),
    (r"a40", "a40"),
    (r"l40s", "l40s"),
    (r"l40", "l40"),
    (r"l4", "l4"),
    (r"t4", "t4"),
    (r"pro 6000.* (?:max ?q|mq)", "rtx-pro-6000-max-q"),
    (r"pro 6000.* (?:workstation|ws|we)", "rtx-pro-6000-workstation"),
    (r"pro 6000", "rtx-pro-6000-server"),
    (r"pro 5000", "rtx-pro-5000 rtx-pro-5000-72gb"),
    (r"pro 4500", "rtx-pro-4500"),
    (r"a?6000 ada", "rtx-6000-ada"),
    (r"5000 ada", "rtx-5000-ada"),
    (r"rtx 6000.* blackwell", "rtx-pro-6000-server"),
    (r"a6000", "rtx-a6000"),
    *((rf"quadro rtx {number}", f"quadro-rtx-{number}") for number in (4000, 5000, 6000, 8000)),
    (r"(?:rtx )?5090 d v2", "rtx-5090-d-v2"),  # 24 GB: another card
    (r"(?:rtx )?5090", "rtx-5090"),
    (r"(?:rtx )?4090", "rtx-4090 rtx-4090-48gb"),
    (r"(?:rtx )?3090(?! ?ti)", "rtx-3090"),
    (r"mi455x?", "mi455x"),
    (r"mi355x?", "mi355x"),
    (r"mi350x?", "mi350x"),
    (r"mi325x?", "mi325x"),
    (r"mi300x?", "mi300x"),
    (r"mi250x?", "mi250x"),
    (r"mi210", "mi210"),
    (r"r9700", "radeon-ai-pro-r9700"),
    (r"gaudi 3", "gaudi-3"),
    (r"gaudi 2", "gaudi-2"),
    (r"arc.* b60|pro b60|b60", "arc-pro-b60"),
    (r"arc.* b70|pro b70|b70", "arc-pro-b70"),
    (r"tpu v?7x?|ironwood", "tpu-v7x"),
    (r"(?:tpu )?v6e|trillium", "tpu-v6e"),
    (r"(?:tpu )?v5p", "tpu-v5p"),
    (r"(?:tpu )?v5e|tpu v5 lite.*", "tpu-v5e"),
    (r"(?:jetson )?(?:agx )?thor|t5000", "jetson-t5000"),
    (r"arc.* a770", "arc-a770"),
    (r"arc.* b580", "arc-b580"),
    (r"(?:arc.* )?b50", "arc-pro-b50"),
    (r"m5(?! (?:pro|max|ultra))", "apple-m5-32gb apple-m5-24gb apple-m5-16gb"),
    (r"m5 pro", "apple-m5-pro-64gb apple-m5-pro-48gb apple-m5-pro-24gb"),
    (r"m4(?! (?:pro|max|ultra))", "apple-m4-32gb apple-m4-24gb apple-m4-16gb"),
    (r"m4 pro", "apple-m4-pro-64gb apple-m4-pro-48gb apple-m4-pro-24gb"),
    (r"m3 ultra", "apple-m3-ultra apple-m3-ultra-96gb apple-m3-ultra-512gb"),
    (r"titan rtx", "titan-rtx"),
    (r"titan xp", "titan-xp"),
    (r"titan v", "titan-v"),
    (r"hl 325l?", "gaudi-3"),
    (r"hl 225b?", "gaudi-2"),
    (r"(?:ascend ?)?910b\d?", "ascend-910b"),
    (r"(?:ascend ?)?910c", "ascend-910c"),
    (r"strix halo|(?:ryzen )?ai max 395|radeon 8060s", "strix-halo-128gb strix-halo-96gb strix-halo-64gb"),
    (r"hl 3[23]8l?", "gaudi-3"),
    (r"(?:jetson )?(?:agx )?orin", "jetson-orin-64gb"),
    (r"radeon vii", "radeon-vii"),
    *((rf"(?:data center gpu|ponte vecchio|pvc)(?: gpu)? max {number}|max {number}", f"intel-max-{number}") for number in (1550, 1100)),
    (r"(?:data center gpu )?flex 170", "intel-flex-170"),
    (r"trainium ?3|trn3[a-z]*(?:\.\S+)?", "trainium3"),
    (r"trainium ?2|trn2[a-z]*(?:\.\S+)?", "trainium2"),
    (r"trainium(?: ?1)?|trn1n?(?:\.\S+)?", "trainium"),
    (r"inferentia ?2|inf2(?:\.\S+)?", "inferentia2"),
)  # fmt: skip
_ACCELERATOR_RULES: Final = tuple(
    (re.compile(rf"(?<![^ ])(?:{pattern})(?![^ ])"), ids.split()) for pattern, ids in ACCELERATORS
)
_NOT_THE_CARD: Final = re.compile(r"(?<![^ ])(?:laptop|mobile|with max q|mig|vgpu|\dg \d+gb)(?![^ ])")
_STATED_GB: Final = re.compile(r"(?<![^ ])(\d{1,3}) ?gi?b?(?![^ ])")
_BARE_NUMBER: Final = re.compile(r"(?<=[\s_/-])(?<![\d\s][x×*] )\d{1,3}(?![\w.]|[ -]*cores?\b)")
"""A number behind the card's name that is neither a count nor a chip's cores: of `4090 48` and `a100-40` the memory."""
# 180 and 192 GB are one part, and so are 270 and 288; 94 and 80 are two.
_SAME_MEMORY: Final = 0.08


def same_memory(stated: float, size: float) -> bool:
    """Whether so many GB are told of a part of that size."""
    return abs(stated / size - 1) <= _SAME_MEMORY


def accelerator_words(text: str) -> str:
    """The name in lower case, one blank between words, product letters apart from their numbers."""
    name = re.sub(r"^\s*\d{1,3}\s*[x×*]\s*(?=[a-z])", "", text.strip().casefold())
    name = re.sub(r"(?<![a-z])\s*(?<![a-z])[x×*]\s*\d{1,2}$", "", name)
    name = re.sub(r"macbook (?:pro|air)|mac (?:studio|mini|pro)", " ", name)
    name = re.sub(r"[^a-z0-9.]+", " ", name).replace("gh200 480gb", "gh200 96gb")  # its name tells the CPU's memory
    name = re.sub(r"(?<![^ ])([rg]tx|pro|gaudi|mi|tpu)(?=\d)", r"\1 ", name)
    name = re.sub(r"(?<![^ ])mi (?=\d)", "mi", name)
    return re.sub(r"(?<![^ ])(\d{4})(ti|d|xtx|xt|gre|super)(?![^ ])", r"\1 \2", name).strip()


_NO_PRODUCT: Final = re.compile(
    r"(?<![^ ])(?:nvidia|amd|intel|apple|geforce|radeon|tesla|quadro|instinct|gpu|graphics|generation|blackwell|[rg]tx|rx"
    r"|pro|gddr\dx?|\d+ ?gi?b)(?![^ ])"
)


def _product(text: str) -> str:
    """The words of a card's name without maker, brand and memory."""
    return " ".join(_NO_PRODUCT.sub(" ", accelerator_words(text)).split())


_MAKERS_WORDS: Final = re.compile(
    r"(?<![^ ])(?:nvidia|amd|intel|geforce|radeon|graphics|generation|r|tm|gddr\dx?|\d+ ?gi?b?)(?![^ ])"
)
_OTHER_CARD: Final = "ti|super|d|xt|xtx|gre|m|ada|max|dual|duo|v2|sff"
"""Words that make another card of the one before them."""


def _so_named(text: str) -> list[str]:
    """Ids of the cards whose own name is this one: a name without a size first, then the larger memory."""
    wanted = _product(text)
    if not any(letter.isdigit() for letter in wanted):
        return []
    known = load().facts.accelerators
    cards = [card for card in known if wanted in (_product(card.name), _product(card.label))]
    if not cards and not re.search(
        r"\d{4}[^/]*/ *\d{4}", text
    ):  # among a shop's words: the longest name that stands there whole
        words = f" {_MAKERS_WORDS.sub(' ', accelerator_words(text))} "
        words = f" {' '.join(words.split())} "
        held = {
            card.id: core
            for card in known
            if len(core := " ".join(_MAKERS_WORDS.sub(" ", accelerator_words(card.name)).split()).split()) > 1
            and re.search(rf" {re.escape(' '.join(core))} (?!(?:{_OTHER_CARD}) )", words)
        }
        longest = max(map(len, held.values()), default=0)
        cards = [card for card in known if len(held.get(card.id, ())) == longest] if longest else []
        if len({tuple(held[card.id]) for card in cards}) > 1:
            return []
    return [card.id for card in sorted(cards, key=lambda card: ("GB" in card.name.split(), -card.memory_bytes))]


def resolve_accelerator(text: str) -> str | None:
    """The catalog id of the accelerator that a name means ("8x NVIDIA H100 80GB HBM3"), or None.

    A stated memory must be the part's; a bare number that is the memory of one of the card's variants is that memory
    (`h100 94`). A part of a card (MIG) and a laptop's chip are not the card, and of two different names neither is meant.
    """
    known = {entry.id: entry for entry in load().facts.accelerators}
    if text.strip().casefold() in known:
        return text.strip().casefold()
    if not _STATED_GB.search(accelerator_words(text)):
        for number in _BARE_NUMBER.finditer(text):
            found = _resolved(f"{text[: number.start()]} {number[0]}GB {text[number.end() :]}")
            if found and float(number[0]) in (
                known[found].memory_gb_marketed,
                round(known[found].memory_bytes / 2**30),
            ):
                return found
    return _resolved(text)


def _resolved(text: str) -> str | None:
    """The accelerator that a name means, likewise, of which every stated memory has its unit."""
    known = {entry.id: entry for entry in load().facts.accelerators}
    lowered = text.strip().casefold()
    whole = [entry.id for entry in known.values() if entry.name.casefold() == lowered]
    if len(whole) == 1:
        return whole[0]
    name = accelerator_words(text)
    if _NOT_THE_CARD.search(name):
        return None
    stated = _STATED_GB.search(name)
    named: list[list[str]] = []
    for pattern, ids in _ACCELERATOR_RULES:
        name, found = pattern.subn(" ", name)
        if found:
            named.append(ids)
    if not named:
        named = [ids] if (ids := _so_named(text)) else []
    if not named or any(ids != named[0] for ids in named):
        return None
    for accelerator_id in named[0]:
        entry = known.get(accelerator_id)
        if entry is None:
            continue
        sizes = (entry.memory_gb_marketed, entry.memory_bytes / 2**30)
        if stated is None or any(same_memory(float(stated.group(1)), size) for size in sizes):
            return accelerator_id
    return None
