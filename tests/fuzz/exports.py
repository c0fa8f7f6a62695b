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

TARGETS = ("vllm", "nim", "nccl", "torchrun", "lws")
TOOLS = ("vllm", "docker", "ray", "torchrun", "bash", "sleep")
TRAPS = ("canary", "touch", "rm")
_STUB = '#!/bin/sh\n{ printf "%s\\0" NAME "$@"; printf "\\1\\0"; } >> "$RECORD"\n'
_IMAGE = re.compile(r"nvcr\.io/nim/[a-z0-9._/-]+:latest")
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
    target = chance.choice(TARGETS)
    session, names = _session(chance, folder, serving=target != "torchrun")
    with _cli.home(folder / "home"):
        ran = _cli.run("export", str(session), "--to", target, encoding=chance.choice(("utf-8", "latin-1", "ascii")))
    case = f"{case}, {target}, {names!r}"
    _cli.expect_harmless(ran, case)
    counts = Counter(cases=1)
    if ran.code == 2:
        return counts + Counter(refused=1)
    if ran.code not in (0, 3):
        raise Failure(f"{case}: exit {ran.code}: {ran.err}")
    commands = _manifest(ran.out, folder, case) if target == "lws" else in_shell(ran.out, folder, case)
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
        env={"PATH": str(stubs), "RECORD": str(record), "HOME": str(place), "NGC_API_KEY": "key of two words"},
        cwd=place,
        capture_output=True,
        timeout=20,
        check=False,
    )
    if done.returncode or done.stderr or done.stdout:
        raise Failure(f"{case}: the shell said {done.stderr or done.stdout!r} (exit {done.returncode})\n{text}")
    commands = [part.split("\0")[:-1] for part in record.read_text(encoding="utf-8").split("\1\0") if part]
    ran = {words[0] for words in commands}
    left = [path.name for path in place.iterdir()]
    if not ran <= set(TOOLS) or left:
        raise Failure(f"{case}: it ran {sorted(ran)} and left {left}\n{text}")
    return commands


def _check_words(words: list[str], names: tuple[str, ...], case: str) -> None:
    """The model's name stands where it belongs, as one word and whole."""
    if words[0] == "vllm":
        place = words[2]
        if words[1] != "serve" or any(not word.startswith("--") for word in words[3::2] if "-" in word[:2]):
            raise Failure(f"{case}: {words}")
    elif words[0] == "torchrun":
        place = words[words.index("--model") + 1]
    elif words[0] == "docker":
        if not _IMAGE.fullmatch(words[-1]):
            raise Failure(f"{case}: image {words[-1]!r}")
        if not any(word == "NGC_API_KEY=key of two words" for word in words):
            raise Failure(f"{case}: the key did not arrive: {words}")
        return
    else:
        return
    if place in names:
        return
    made = "".join(
        char if char.isascii() and (char.isalnum() or char in "-._") else "-" for char in names[1] or names[0]
    )
    if place != (made.strip("-.") or "YOUR_MODEL"):
        raise Failure(f"{case}: the model arrived as {place!r}")


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
