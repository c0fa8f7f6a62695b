"""Exports of hostile sessions and catalogs, run in `sh` where stubs stand for vllm, docker, ray and torchrun.

Nothing but a stub may run, no file may appear, and the model's name must arrive as one word.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from tests.fuzz import Failure, Stop, _cli, _hostile

SERVING = ("vllm", "sglang", "llama-server", "trtllm-serve", "nim", "slurm", "nccl", "compose", "k8s", "lws", "ray")
TRAINING = ("torchrun", "slurm", "nccl", "accelerate", "deepspeed", "torchtitan", "axolotl", "llamafactory")
SHELL = ("vllm", "sglang", "llama-server", "trtllm-serve", "nim", "slurm", "nccl", "torchrun")
MANIFESTS = ("k8s", "lws")
TOOLS = (
    "vllm", "docker", "ray", "torchrun", "bash", "sleep", "python3", "llama-server", "trtllm-serve", "srun", "scontrol",
    "head", "cat", "nvidia-smi", "ibv_devinfo",
)  # fmt: skip
MADE = {"trtllm-options.yaml"}
TRAPS = ("canary", "touch", "rm")
_STUB = '#!/bin/sh\n{ printf "%s\\0" NAME "$@"; printf "\\1\\0"; } >> "$RECORD"\n'
_IMAGE = re.compile(r"nvcr\.io/nim/[a-z0-9._/-]+:latest")
_LINE = re.compile(r"#.*|\[\w+\]|\s*(- )?[\w./-]+(:| =)( .*)?")
_MANIFEST = re.compile(r'#.*|---|\s*(- )?[\w./-]+:( ([\w./:-]+|".*"|\[.*\]))?')


def run(seed: int, stop: Stop) -> Counter[str]:
    """Export hostile models to every target. Counts: refused, sized, commands that the stubs saw."""
    chance = random.Random(f"exports {seed}")
    counts: Counter[str] = Counter()
    number = 0
    while not stop():
        number += 1
        with tempfile.TemporaryDirectory() as name:
            counts += _case(chance, Path(name), f"exports, seed {seed}, case {number}")
    return counts


def _case(chance: random.Random, folder: Path, case: str) -> Counter[str]:
    serving = chance.random() < 0.6
    target = chance.choice(SERVING if serving else TRAINING)
    session, names = _session(chance, folder, serving)
    with _cli.home(folder / "home"):
        ran = _cli.run("export", str(session), "--to", target, encoding=chance.choice(("utf-8", "latin-1", "ascii")))
    case = f"{case}, {target}, {names!r}"
    _cli.expect_harmless(ran, case)
    counts = Counter(cases=1)
    if ran.code == 2:
        return counts + Counter(refused=1)
    if ran.code not in (0, 3):
        raise Failure(f"{case}: exit {ran.code}: {ran.err}")
    if target in SHELL:
        commands = in_shell(ran.out, folder, case)
    elif target in MANIFESTS:
        commands = _manifest(ran.out, folder, case)
    else:
        commands = []
        _check_file(ran.out, names, case)
    for words in commands:
        _check_words(words, names, case)
    return counts + Counter(sized=1, commands=len(commands))


def _session(chance: random.Random, folder: Path, serving: bool) -> tuple[Path, tuple[str, ...]]:
    """A session whose model has hostile names: by a shared catalog, or by a config.json in a folder of such a name."""
    model: dict[str, object] = {"weights": "bf16"}
    config = _hostile.config_of("llama-3.2-1b")
    names: tuple[str, ...]
    if chance.random() < 0.6:
        own = folder / "home" / ".config" / "sizeup" / "catalog"
        own.mkdir(parents=True)
        model_id = _hostile.name(chance, 2) if chance.random() < 0.5 else "mine"
        hf_id = _hostile.name(chance) if chance.random() < 0.9 else ""
        entry = {"id": model_id, "name": _hostile.name(chance), "hf_id": hf_id, "config": str(config)}
        (own / "shared.toml").write_text(_hostile.toml({"model": [entry]}), encoding="utf-8")
        model["id"] = model_id
        names = (hf_id or model_id, model_id)
    else:
        place = folder / (_hostile.name(chance).replace("/", "_").replace("\0", "_")[:60].strip(".") or "plain")
        place.mkdir()
        shutil.copy(config, place / "config.json")
        model["config"] = str(place / "config.json") if chance.random() < 0.5 else f"{place.name}/config.json"
        if chance.random() < 0.5:
            model["id"] = _hostile.name(chance)
        names = (place.name, str(model.get("id", "")))
    nodes = chance.choice((1, 1, 2))
    document = {
        "schema": 1,
        "title": _hostile.name(chance),
        "notes": _hostile.name(chance, 6),
        "model": model,
        "hardware": {"accelerator": "h100-sxm", "gpus_per_node": chance.choice((1, 2, 8)), "nodes": nodes},
        "workload": {"kind": "serve" if serving else "lora", "input_tokens": 500, "output_tokens": 100},
    }
    if nodes > 1 and serving:
        document["layout"] = {"pp": 2}
    session = folder / "session.toml"
    session.write_text(_hostile.toml(document), encoding="utf-8")
    return session, names


def in_shell(text: str, folder: Path, case: str) -> list[list[str]]:
    """The words of each stub that ran when a shell read the text. Raises Failure when anything else did."""
    stubs, record, place = folder / "bin", folder / "record", folder / "empty"
    for path in (stubs, place):
        path.mkdir(exist_ok=True)
    record.write_bytes(b"")
    for tool in (*TOOLS, *TRAPS):
        stub = stubs / tool
        stub.write_text(_STUB.replace("NAME", tool))
        stub.chmod(0o755)
    script = folder / "script.sh"
    script.write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["/bin/sh", str(script)],
        env={
            "PATH": str(stubs),
            "RECORD": str(record),
            "HOME": str(place),
            "NGC_API_KEY": "key",
            "SLURM_JOB_NODELIST": "a",
        },
        cwd=place,
        capture_output=True,
        timeout=20,
        check=False,
    )
    if done.returncode or done.stderr or done.stdout:
        raise Failure(f"{case}: the shell said {done.stderr or done.stdout!r} (exit {done.returncode})\n{text}")
    commands = [part.split("\0")[:-1] for part in record.read_text(encoding="utf-8").split("\1\0") if part]
    ran = {words[0] for words in commands}
    left = [path.name for path in place.iterdir() if path.name not in MADE]
    if not ran <= set(TOOLS) or left:
        raise Failure(f"{case}: it ran {sorted(ran)} and left {left}\n{text}")
    return commands


def _check_words(words: list[str], names: tuple[str, ...], case: str) -> None:
    """The model's name stands where it belongs, as one word and whole."""
    if words[0] == "vllm":
        place = words[2]
        if words[1] != "serve" or any(not word.startswith("--") for word in words[3::2] if "-" in word[:2]):
            raise Failure(f"{case}: {words}")
    elif words[0] in ("trtllm-serve", "python3", "llama-server"):
        place = (
            words[1 if words[0] == "trtllm-serve" else words.index("--model-path") + 1]
            if words[0] != "llama-server"
            else ""
        )
        if words[0] == "llama-server" and not words[2].endswith(".gguf"):
            raise Failure(f"{case}: {words}")
    elif words[0] == "torchrun":
        place = words[words.index("--model") + 1]
    elif words[0] == "docker":
        if sum(bool(_IMAGE.fullmatch(word)) for word in words) != 1:
            raise Failure(f"{case}: no image in {words!r}")
        if "NGC_API_KEY" not in words:
            raise Failure(f"{case}: the key is not handed over: {words}")
        return
    else:
        return
    if place and place not in (*names, "YOUR_MODEL"):
        raise Failure(f"{case}: the model arrived as {place!r}")


def _check_file(text: str, names: tuple[str, ...], case: str) -> None:
    """A file for another program holds keys of ours alone: a name of two lines made no line of its own."""
    if text.startswith("{"):
        json.loads(text)
        return
    for line in text.splitlines():
        if line.strip() and not _LINE.fullmatch(line):
            raise Failure(f"{case}: no line of ours: {line!r} of {names!r}")


def _manifest(text: str, folder: Path, case: str) -> list[list[str]]:
    """The commands of a manifest: lists of words, and what the shell makes of those that are a script."""
    odd = [line for line in text.splitlines() if not _MANIFEST.fullmatch(line)]
    if odd:
        raise Failure(f"{case}: no YAML of ours: {odd}")
    labels = re.findall(r"^ +(?:name|app): (.*)$", text, re.MULTILINE)
    if any(not re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", label) for label in labels):
        raise Failure(f"{case}: labels {labels}")
    commands = []
    for line in re.findall(r"^ +command: (.*)$", text, re.MULTILINE):
        words = [_kubernetes(word) for word in json.loads(line)]
        if words[0] != "sh":
            commands.append(words)
            continue
        quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in words[2:])
        commands += in_shell(f"exec /bin/sh -c {quoted}\n", folder, case)
    return commands


def _kubernetes(word: str) -> str:
    """The word after Kubernetes has put its variables in."""
    known = {"LWS_GROUP_SIZE": "2", "LWS_LEADER_ADDRESS": "leader.example"}
    return re.sub(r"\$\$|\$\((\w+)\)", lambda found: known.get(found[1], found[0]) if found[1] else "$", word)
