"""Command lines of serving engines, wherever they stand: a shell, a script, a container."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from engine.scenario import Speculation
from tui.paste import ollama
from tui.paste.flags import BY_CHECKPOINT, QUANTIZED, Unreadable, paired, parsed_json, share, take, whole
from tui.paste.found import MOST_WORDS, Found
from tui.paste.overrides import EVERY_LAYER, experts_on_host

_STARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("vllm", ("vllm", "serve")),
    ("vllm", ("-m", "vllm.entrypoints.openai.api_server")),
    ("vllm", ("-m", "vllm.entrypoints.cli.main", "serve")),
    ("sglang", ("-m", "sglang.launch_server")),
    ("sglang", ("sglang", "serve")),
    ("trtllm", ("trtllm-serve", "serve")),
    ("trtllm", ("trtllm-serve",)),
    ("llama.cpp", ("llama-server",)),
    ("mlx", ("mlx_lm.server",)),
    ("mlx", ("mlx_lm", "server")),
    ("mlx", ("-m", "mlx_lm.server")),
    ("mlx", ("-m", "mlx_lm", "server")),
    ("ollama", ("ollama", "run")),
)
_IMAGES = (
    ("vllm", re.compile(r"(?:^|/)vllm(?:-[a-z]+)*(?::|@|$)|vllm-openai|rocm/vllm")),
    ("sglang", re.compile(r"(?:^|/)sglang")),
    ("llama.cpp", re.compile(r"llama\.cpp:(?:server|full)")),
    ("trtllm", re.compile(r"tensorrt-llm/release|tensorrt_llm")),
    ("vllm", re.compile(r"nvcr\.io/nim/")),
)
"""Images whose entrypoint is the engine's server, so that what follows are its arguments."""
_DOCKER_ALONE = {
    "-d", "--detach", "-i", "--interactive", "-t", "--tty", "-it", "-ti", "-dit", "-itd", "-id", "--rm", "--init", "--privileged",
    "--read-only", "-P", "--publish-all", "--no-healthcheck",
}  # fmt: skip


HERE_DOCUMENT = r"\s*(\S+)\s*<<-?\s*(['\"]?)(\w+)\2\n(.*?)^\s*\3\s*$"
"""What follows `>`: a file and the lines that are written to it. One that feeds a shell holds commands."""
_SBATCH = re.compile(r"^#SBATCH\s+(.*)$", re.M)
_SLURM = re.compile(r"(?<!\S)(?:--(nodes|gpus-per-node|gres)[= ]|(-N) ?)(?:gpu:(?:\w+:)?)?(\d{1,5})(?!\S)")
_SET = re.compile(
    r"^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)=(\"[^\"\n]*\"|'[^'\n]*'|[^\s;&|#\"'`]*)[ \t]*(?=$|;|#|&&)", re.M
)
_USED = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?::?-([^{}$`]{0,200}))?\})")
_WINDOWS = re.compile(r"(?:^|[\s\"'])(?:[A-Za-z]:|\.{1,2})\\\w")
LONGEST_VALUE = 500
"""Letters of a variable of a script that is put in where it stands."""
_ENDS = ("|", "||", "&&", ";", "&", "|&")
"""Words after which another command begins."""


def read_batch(text: str, found: Found) -> None:
    """The nodes and cards that a batch script of Slurm asks for."""
    asked = [one for line in _SBATCH.findall(text) for one in _SLURM.findall(line)]
    for name, short, count in asked:
        found.kinds.append("Slurm")
        if short or name == "nodes":
            found.nodes = int(count)
        else:
            found.gpus = int(count)


def with_variables(text: str) -> str:
    """A script with the values of the variables that it sets put in where they stand; what it does not set stays."""
    known: dict[str, str] = {}

    def value(match: re.Match[str]) -> str:
        found = known.get(match[1] or match[2], match[3])
        return match[0] if found is None else found

    for name, said in _SET.findall(text):
        bare = said if said.startswith("'") else _USED.sub(value, said)
        known.setdefault(name, bare.strip("\"'")[:LONGEST_VALUE])
    return _USED.sub(value, text) if known or "${" in text else text


def commands(text: str, inside: bool = False) -> Iterator[list[str]]:
    """The words of each command of a script: continued lines joined, comments, prompts and here-documents left out.

    A command that a shell is given as one word (`bash -c "..."`) comes after the shell's own. inside: it is such a word.
    """
    text = text if inside else with_variables(text)
    joined = re.sub(r"(?:\\|\^|`)[ \t]*\r?\n", " ", text)
    joined = re.sub(rf">{HERE_DOCUMENT}", " ", joined, flags=re.S | re.M)
    for line in joined.splitlines():
        bare = re.sub(r"^\s*(?:[$#>] )?\s*(?:[\w.-]+@[\w.-]+[:~\w/.-]*[$#] )?", "", line)
        if not bare or line.lstrip().startswith("#"):
            continue
        if _WINDOWS.search(bare):
            bare = bare.replace("\\", "/")  # where a backslash divides folders and quotes nothing
        try:
            words = shlex.split(bare, comments=True)
        except ValueError:
            words = bare.split()
        yield words[:MOST_WORDS]
        shell = next((place for place, word in enumerate(words) if word in ("-c", "-lc", "-ic")), None)
        if not inside and shell is not None and any(_tail(word) in ("sh", "bash") for word in words[:shell]):
            yield from commands(" ".join(words[shell + 1 : shell + 2]), inside=True)


def _tail(word: str) -> str:
    """The file that a path names, without the ending of Windows' programs."""
    return word.replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".exe")


def its_own(words: Sequence[str]) -> list[str]:
    """The words of a command up to the next one, without what goes to files."""
    found: list[str] = []
    place = 0
    while place < len(words) and words[place] not in _ENDS:
        word = words[place]
        place += 1
        if re.fullmatch(r"\d?>>?|&>>?", word):
            place += 1
        elif not re.match(r"\d?>>?&?\S|&>", word):
            found.append(word)
    return found


def begun(words: Sequence[str]) -> tuple[str, list[str], list[str]] | None:
    """The engine that a command starts, the words before it and its arguments; None where it starts none."""
    tails = [word if word.startswith("-") else _tail(word) for word in words]
    for place in range(len(words)):
        for engine, start in _STARTS:
            if tuple(tails[place : place + len(start)]) == start:
                return engine, list(words[:place]), list(words[place + len(start) :])
    return None


def of_image(image: str) -> str | None:
    """The engine whose server an image starts."""
    return next((engine for engine, pattern in _IMAGES if pattern.search(image)), None)


def docker(words: Sequence[str]) -> tuple[list[str], str, list[str]] | None:
    """Of `docker run`: its options as flat words, the image, and what follows it; None for another command."""
    tools = [place for place, word in enumerate(words) if word.rsplit("/", 1)[-1] in ("docker", "podman", "nerdctl")]
    if not tools or "run" not in words[tools[0] :] or "exec" in words[tools[0] : list(words).index("run", tools[0])]:
        return None
    place = list(words).index("run", tools[0]) + 1
    options: list[str] = []
    while place < len(words) and words[place].startswith("-"):
        word = words[place]
        options.append(word)
        place += 1
        if "=" not in word and word not in _DOCKER_ALONE and place < len(words):
            options.append(words[place])
            place += 1
    if place >= len(words):
        return None
    return options, words[place], list(words[place + 1 :])


def gpus_asked(options: Sequence[str]) -> int | None:
    """The cards that options of docker or an environment name; None for all, or where they name none."""
    for place, word in enumerate(options):
        name, equals, value = word.partition("=")
        value = value if equals else (options[place + 1] if place + 1 < len(options) else "")
        if name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES") and equals and value:
            return len([one for one in value.split(",") if one.strip()])
        if name == "--gpus":
            value = value.strip("\"'")
            if value.isdigit() and len(value) < 5:
                return int(value)
            if value.startswith("device="):
                return len(value.removeprefix("device=").split(","))
    return None


def read_command(words: Sequence[str], found: Found, files: dict[str, dict[str, Any]]) -> bool:
    """Read one command into what was found; whether it starts a server. files: here-documents by name, parsed."""
    _limit(words, found)
    inside = docker(words)
    if inside is not None:
        options, image, rest = inside
        entry = next((options[i + 1] for i, word in enumerate(options[:-1]) if word == "--entrypoint"), "")
        entry = entry or next((word.partition("=")[2] for word in options if word.startswith("--entrypoint=")), "")
        started = begun([*shlex.split(entry), *rest])
        engine = of_image(image)
        if started is not None:
            engine, _, arguments = started
        elif engine is not None:
            arguments = rest
        else:
            return False
        nim = re.search(r"nvcr\.io/nim/(?:[^/:]+/)*([^/:@]+)", image)
        if nim is not None:
            # the image is the model; which of its profiles is started decides the format, and the command may not say
            found.model = nim[1]
            found.assumed.append(f"the format of {image[:80]}: its profiles decide, and the command names none")
        found.kinds.append("docker run")
        variables = _docker_options(options, found)
        found.gpus = gpus_asked([*options, *variables]) or found.gpus
    else:
        started = begun(words)
        if started is None:
            return False
        engine, before, arguments = started
        found.gpus = gpus_asked(before) or found.gpus
        found.variables(name for name in _names(before) if name not in ollama.READ)
    found.kinds.append(engine)
    if engine == "ollama":
        ollama.read_ollama(before, its_own(arguments), found)
        return True
    read_server(engine, arguments, found, files)
    return True


def _limit(words: Sequence[str], found: Found) -> None:
    """The power limit that `nvidia-smi -pl` sets before a server starts."""
    if "nvidia-smi" not in {word.rsplit("/", 1)[-1] for word in words}:
        return
    joined = re.search(r"(?:^| )(?:-pl|--power-limit)[ =](\d{2,4}(?:\.\d+)?)(?: |$)", " ".join(words))
    if joined is not None:
        found.say(f"nvidia-smi -pl {joined[1]}", "hardware.power_limit_w", float(joined[1]))


def _names(words: Sequence[str]) -> list[str]:
    """The variables that words set, by name."""
    named = [match[1] for word in words if (match := re.match(r"([A-Za-z_]\w*)=", word))]
    return [name for name in named if not name.endswith("_VISIBLE_DEVICES")]


def _docker_options(options: Sequence[str], found: Found) -> list[str]:
    """List what docker is told beside the server, and give back the variables that it sets."""
    variables = []
    for place, word in enumerate(options):
        flag, equals, value = word.partition("=")
        if not word.startswith("-"):
            continue
        if flag in ("-e", "--env"):
            variables.append(value if equals else options[place + 1] if place + 1 < len(options) else "")
        elif flag not in ("--gpus", "--entrypoint"):
            found.passed.append(f"docker {flag}")
    found.variables(_names([one if "=" in one else f"{one}=" for one in variables]))
    return variables


def read_server(engine: str, arguments: list[str], found: Found, files: dict[str, dict[str, Any]]) -> None:
    """The arguments of one server."""
    rest, options = paired(its_own(arguments), engine)
    apart = take(found, engine, options)
    found.say(f"a server of {engine}", "runtime.engine", engine)
    named = [
        (flag, apart.get(flag, ""))
        for flag in ("--model", "--model-path", "-m", "--hf-repo", "-hf", "-hfr")
        if apart.get(flag)
    ]
    if named:
        found.model = named[0][1]
    elif rest and engine in ("vllm", "trtllm"):
        found.model = rest.pop(0)
    found.unknown += [
        word
        for word in rest
        if not word.startswith("$") and word not in ("&", "&&", "|", ";", "2>&1", ">", ">>", "exec", "true")
    ][:20]
    {"vllm": _vllm, "sglang": _sglang, "trtllm": _trtllm, "llama.cpp": _llama, "mlx": _mlx}[engine](apart, found, files)


def _weights(apart: dict[str, str], found: Found) -> None:
    for flag in ("--quantization", "-q"):
        word = apart.get(flag, "").casefold()
        if word in QUANTIZED:
            found.say(f"{flag} {word}", "model.weights", QUANTIZED[word])
        elif word in BY_CHECKPOINT:
            found.passed.append(f"{flag} {word}")
        elif word:
            found.unknown.append(f"{flag} {word}")
    if apart.get("--dtype") in ("float16", "half", "fp16") and found.value("model.weights") is None:
        found.say(f"--dtype {apart['--dtype']}", "model.weights", "fp16")
    elif apart.get("--dtype"):
        found.passed.append(f"--dtype {apart['--dtype']}")


def _number(apart: dict[str, str], flag: str, found: Found) -> int | None:
    if flag not in apart:
        return None
    try:
        return whole(apart[flag])
    except Unreadable as problem:
        found.unknown.append(f"{flag} {apart[flag]}: {problem}")
        return None


def _ones(found: Found, *keys: str) -> None:
    """Layout that a command leaves out is one: an engine splits nothing on its own."""
    left = [key for key in keys if found.value(key) is None]
    for key in left:
        found.say("the engine's default", key, 1)


def _vllm(apart: dict[str, str], found: Found, files: dict[str, dict[str, Any]]) -> None:
    _weights(apart, found)
    _ones(found, "layout.tp", "layout.pp", "layout.dp")
    tp, dp = found.value("layout.tp"), found.value("layout.dp")
    if apart.keys() & {"--enable-expert-parallel", "-ep"}:
        found.say("--enable-expert-parallel", "layout.ep", tp * dp)
        if dp > 1:
            found.say("--enable-expert-parallel with replicas", "layout.dp_attention", True)
    elif dp > 1:
        found.say("replicas without --enable-expert-parallel", "layout.dp_attention", False)
    local = _number(apart, "--data-parallel-size-local", found) or _number(apart, "-dpl", found)
    if local:
        found.nodes_said(f"--data-parallel-size-local {local}", max(1, -(-dp // local)))
    _nodes(apart, found)
    _pooling(apart, found)
    if "--enable-lora" in apart and found.value("runtime.max_loras") is None:
        found.say("--enable-lora", "runtime.max_loras", 1)
    _pictures(apart, found)
    text = apart.get("--speculative-config") or apart.get("-sc")
    if text:
        try:
            _speculation(parsed_json(text), found)
        except Unreadable as problem:
            found.unknown.append(f"--speculative-config: {problem}")


def _pictures(apart: dict[str, str], found: Found) -> None:
    """Towers are not loaded where no picture and no video may be in a prompt (docs.vllm.ai, multimodal inputs)."""
    text = apart.get("--limit-mm-per-prompt")
    if not text:
        return
    try:
        limits = parsed_json(text)
    except Unreadable:
        limits = dict(re.findall(r"(image|video|audio)=(\d+)", text))
    if limits and {"image", "video"} <= limits.keys() and all(str(limit) == "0" for limit in limits.values()):
        found.say(f"--limit-mm-per-prompt {text[:60]}", "runtime.text_only", True)
    else:
        found.passed.append(f"--limit-mm-per-prompt {text[:60]}")


_POOLED = {"pooling", "embed", "embedding", "score", "classify", "reward"}
"""Words of --runner, --task (before 0.12) and --convert by which vLLM answers with vectors or scores."""


def _pooling(apart: dict[str, str], found: Found) -> None:
    for flag in ("--runner", "--task", "--convert"):
        word = apart.get(flag, "").casefold()
        if word in _POOLED:
            found.say(f"{flag} {word}", "workload.kind", "embed")
        elif word in ("auto", "generate", "none"):
            found.passed.append(f"{flag} {word}")
        elif word:
            found.unknown.append(f"{flag} {word}")


_METHODS = {name: name for name in get_args(Speculation)} | {"eagle3": "eagle", "nextn": "mtp"}


def _speculation(said: dict[str, Any], found: Found) -> None:
    method = str(said.get("method", "")).casefold()
    known = _METHODS.get(method) or ("mtp" if method.endswith("_mtp") else None)
    if known == "dflash" and "dflash2" in str(said.get("model", "")).casefold():
        known = "dflash2"  # one method to vLLM, told apart by the drafter's architecture
    if known is None:
        found.unknown.append(f"--speculative-config: method {method or 'not named'}")
        return
    found.say(f"speculative method {method}", "runtime.speculative", known)
    if known == "mtp":
        found.say(f"speculative method {method}", "model.mtp", True)
    ahead = said.get("num_speculative_tokens")
    if isinstance(ahead, int) and 0 < ahead < 64:
        found.say(f"num_speculative_tokens {ahead}", "runtime.speculative_tokens", ahead)


def _sglang(apart: dict[str, str], found: Found, files: dict[str, dict[str, Any]]) -> None:
    _weights(apart, found)
    _ones(found, "layout.tp", "layout.pp", "layout.dp")
    if found.value("layout.dp_attention"):
        # its TP counts the GPUs of all attention groups
        tp, dp = found.value("layout.tp"), found.value("layout.dp")
        if dp == tp:
            found.say(f"--dp-size {dp}: every GPU attends on its own", "layout.dp", 1)
        elif tp % dp == 0:
            found.say(f"--tp-size {tp} over {dp} attention groups", "layout.tp", tp // dp)
    if found.value("runtime.speculative") == "mtp":
        found.say("--speculative-algorithm NEXTN", "model.mtp", True)
    _nodes(apart, found)


def _mlx(apart: dict[str, str], found: Found, files: dict[str, dict[str, Any]]) -> None:
    _ones(found, "layout.tp", "layout.pp", "layout.dp")


def _nodes(apart: dict[str, str], found: Found) -> None:
    count = _number(apart, "--nnodes", found)
    if count:
        found.nodes_said(f"--nnodes {count}", count)


def _trtllm(apart: dict[str, str], found: Found, files: dict[str, dict[str, Any]]) -> None:
    _ones(found, "layout.tp", "layout.pp")
    backend = apart.get("--backend", "")
    if backend and backend not in ("pytorch", "_autodeploy", "tensorrt", "trt"):
        found.unknown.append(f"--backend {backend}")
    text = apart.get("--kv-cache-free-gpu-memory-fraction")
    if text:
        try:
            found.say(f"--kv_cache_free_gpu_memory_fraction {text}", "runtime.memory_utilization", share(text))
        except Unreadable as problem:
            found.unknown.append(f"--kv_cache_free_gpu_memory_fraction {text}: {problem}")
    name = apart.get("--extra-llm-api-options") or apart.get("--config") or ""
    options = files.get(name.rsplit("/", 1)[-1])
    if name and options is None:
        found.unknown.append(f"the options file {name}: paste it beside the command")
    if options:
        _trtllm_options(options, found)


def _trtllm_options(options: dict[str, Any], found: Found) -> None:
    for key, value in options.items():
        cache = value if key == "kv_cache_config" and isinstance(value, dict) else {}
        if cache.get("enable_block_reuse") is False:
            found.say("kv_cache_config.enable_block_reuse false", "runtime.prefix_caching", False)
        if cache.get("dtype") in ("fp8", "nvfp4"):
            found.say(f"kv_cache_config.dtype {cache['dtype']}", "model.kv_cache", cache["dtype"])
        elif key == "enable_attention_dp" and value is True:
            found.say("enable_attention_dp", "layout.dp_attention", True)
        elif key == "cuda_graph_config":
            found.say("cuda_graph_config", "runtime.cuda_graphs", value is not None)
        elif key == "speculative_config" and isinstance(value, dict) and value.get("decoding_type") == "MTP":
            found.say("speculative_config MTP", "model.mtp", True)
        elif not cache:
            found.unknown.append(f"option {key}")


def _llama(apart: dict[str, str], found: Found, files: dict[str, dict[str, Any]]) -> None:
    users = found.value("runtime.max_num_seqs")
    context = _number(apart, "--ctx-size", found) or _number(apart, "-c", found)
    if context == 0:
        found.assumed.append(
            "a context of the load's length: --ctx-size 0 takes the longest that the model was trained for"
        )
    if context:
        found.say(f"--ctx-size {context} for {users or 1}", "runtime.max_model_len", max(1, context // (users or 1)))
    if users:
        found.say(f"--parallel {users}", "workload.concurrency", users)
    for flag in ("--n-gpu-layers", "-ngl", "--gpu-layers"):
        if apart.get(flag, "").isdigit() and int(apart[flag]) < 200:
            found.say(f"{flag} {apart[flag]}", "runtime.n_gpu_layers", int(apart[flag]))
    parts = apart.get("--tensor-split") or apart.get("-ts") or ""
    cards = len([one for one in re.split(r"[,/]", parts) if one.strip()]) if parts else found.gpus
    mode = apart.get("--split-mode") or apart.get("-sm") or ("layer" if cards and cards > 1 else "")
    if mode == "none":
        cards = 1
    if cards:
        found.gpus = cards
        how = "layout.tp" if mode == "row" else "layout.pp"
        found.say(f"{cards} GPUs, split by {mode or 'layer'}", how, cards)
        _ones(found, "layout.tp", "layout.pp")
    elif mode in ("layer", "row"):
        found.assumed.append("how many GPUs share the model: the command does not say, so the layout is chosen")
    if apart.keys() & {"--cpu-moe", "-cmoe"}:
        found.say("--cpu-moe, all layers", "runtime.n_cpu_moe", EVERY_LAYER)
    for flag in ("--override-tensor", "-ot"):
        if apart.get(flag):
            layers = experts_on_host(apart[flag])
            if isinstance(layers, int):
                told = "all layers" if layers == EVERY_LAYER else f"{layers} layers"
                found.say(f"{flag} {apart[flag][:80]}: experts of {told}", "runtime.n_cpu_moe", layers)
            else:
                found.unknown.append(f"{flag} {apart[flag][:80]}: {layers}")
