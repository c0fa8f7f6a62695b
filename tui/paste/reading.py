"""A pasted text as a session: read by every reader that knows a part of it, and completed with what it does not say."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import catalog
from catalog.model_files import model_file_in
from catalog.names import resolve_name
from engine.figures.errors import ScenarioError
from engine.figures.text import says_nothing, shown
from engine.layout.candidates import valid_tp
from engine.scenario import Scenario
from engine.scenario.change import change
from tui.files.fields import new_scenario
from tui.paste import documents, launches, machine, servers
from tui.paste.found import LONGEST_BYTES, CannotRead, Found
from tui.shell import presets

KINDS = (
    "a command of vllm serve, sglang.launch_server, llama-server, ollama run, trtllm-serve or docker run; a compose file; a Deployment or "
    "LeaderWorkerSet; a configuration of DeepSpeed, Axolotl, LLaMA-Factory, Accelerate, torchtitan, TRL or Unsloth; a command of verl, "
    "OpenRLHF, Megatron-LM, Megatron-Bridge or torchtune; what nvidia-smi, nvidia-smi topo -m, "
    "rocm-smi, amd-smi, xpu-smi, lspci or free printed"
)
NODE_GPUS = 8
"""Cards of a node that nobody describes."""
_ONE_PROCESS = ("llama.cpp", "mlx")
"""Engines whose command starts one process, which names its cards only where it wants other than those it sees."""


def read(*texts: str) -> Found:
    """What texts say together. Raises CannotRead for one that no reader knows, or that is too long."""
    found = Found()
    for text in texts:
        add(text, found)
    return found


def add(text: str, found: Found) -> None:
    """Add what one text says. Raises CannotRead likewise."""
    if len(text) > LONGEST_BYTES:
        raise CannotRead(f"{len(text):,} characters; allowed: up to {LONGEST_BYTES:,}")
    text = text.replace("\r\n", "\n").lstrip("\ufeff")
    before = found.gpus if found.value("hardware.gpus_per_node") is not None else None
    files = _files(text)
    of_machine = machine.read(text, found)
    asked = found.gpus
    known = False
    if not text.startswith("#!") and re.search(r"^\s*\[[\w.]+\]\s*$|^\s*[\"'\w][^\s=]*\"?\s*:|^\s*\{", text, re.M):
        known = documents.read(documents.parsed(text), found, files)
    if not known:
        servers.read_batch(text, found)
        for words in servers.commands(text):
            if servers.read_command(words, found, files) or launches.read_launch(words, found):
                known = True
    if of_machine or before is not None:
        found.gpus = asked if of_machine else before
    if not (known or of_machine):
        raise CannotRead(_what_else(text))


def _what_else(text: str) -> str:
    """What a text is that no reader knows."""
    if says_nothing(text):
        return says_nothing(text)
    if re.search(r"^schema\s*=\s*\d", text, re.M) and re.search(r"^\[model\]", text, re.M):
        return "it is a session, which is opened or reported as it is"
    return f"nothing here is understood; what can be read: {KINDS}"


def model_at(name: str) -> str:
    """The model file that a path is or holds: a config.json, a GGUF file, a folder of a repository; empty for any other."""
    path = Path(os.path.expanduser(name))
    try:
        if path.is_dir():
            held = (path / "config.json").is_file() or any(path.glob("*.gguf"))
            return str(model_file_in(path).absolute()) if held else ""
        if path.suffix.lower() == ".gguf" and path.is_file():
            return str(path.absolute())
        if path.suffix.lower() == ".json" and path.is_file() and path.stat().st_size < LONGEST_BYTES * 16:
            said = json.loads(path.read_text("utf-8", "replace"))
            return (
                str(path.absolute()) if isinstance(said, dict) and said.keys() & {"model_type", "architectures"} else ""
            )
    except (OSError, ValueError, RecursionError):
        return ""
    return ""


def take_model(file: str, found: Found) -> None:
    """Take a model file as the model of the session."""
    found.kinds.append("a model file")
    found.say(os.path.basename(file), "model.config", file)


def _files(text: str) -> dict[str, dict[str, Any]]:
    """Here-documents of a script by the file that they are written to, where they are YAML."""
    made: dict[str, dict[str, Any]] = {}
    for match in re.finditer(f">{servers.HERE_DOCUMENT}", text, re.S | re.M):
        parsed = documents.parsed(match[4])
        if parsed and isinstance(parsed[0], dict):
            made[match[1].rsplit("/", 1)[-1]] = parsed[0]
    return made


def scenario_of(found: Found, given: Mapping[str, Any], known: catalog.Catalog | None = None) -> Scenario:
    """The session that a text means. given: keys that the person sets beside it; they come first.

    Raises CannotRead for a model that nobody knows, and for what cannot be changed so.
    """
    known = known or catalog.load()
    wanted: dict[str, Any] = {**_model(found, given), **found.changes, **_hardware(found, given), **given}
    if given.keys() & {"model.id", "model.config"} and "model.weights" not in given:
        wanted.setdefault("model.weights", None)
    start = new_scenario(known)
    if wanted.get("workload.kind", "serve") in ("serve", "batch", "embed"):
        wanted |= _load(found, given, start)
    elif "workload.total_tokens" not in wanted and not any("length of the run" in one for one in found.assumed):
        found.assumed.append("the length of the run: nothing says it")
    try:
        made = change(start, wanted, known)
        across = made.layout.tp or 1
        if made.layout.dp_attention and across not in valid_tp(made.model.architecture, across):
            # heads that so many ranks cannot share are not shared: replicas of one GPU each
            made = change(made, {"layout.tp": 1, "layout.dp": across}, known)
        return made
    except ScenarioError as problem:
        said = next((one.words for one in found.understood if one.key == problem.field), "")
        allowed = f"; allowed: {problem.allowed}" if problem.allowed else ""
        raise CannotRead(f"{shown(said) + ': ' if said else ''}{problem.field}: {problem.reason}{allowed}") from None


def _model(found: Found, given: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of the model that the text names, with the format that its name states."""
    if given.keys() & {"model.id", "model.config"}:
        return {}
    if found.value("model.config"):
        return {} if found.value("model.weights") else {"model.weights": None}
    if not found.model:
        start = "the model of a new session, Llama 3.1 70B: the text names none; give it with --model"
        found.assumed.append(start)
        return {}
    name = found.model
    file = name.replace("\\", "/").rsplit("/", 1)[-1].partition(":")[0]
    stem = re.sub(r"(?:-\d{5}-of-\d{5})?\.gguf$", "", file)
    for part in (name, file, stem, name.partition(":")[0]):
        if part.endswith((".gguf", ".json")) and not os.path.isfile(os.path.expanduser(part)):
            continue
        try:
            keys = presets.changes_of({"model.id": part}, ())
        except presets.WrongOption as problem:
            raise CannotRead(str(problem)) from None
        known = "model.config" in keys or resolve_name(part) is not None
        if known or any(entry.id == part for entry in catalog.load().models):
            found.say(f"model {name}", "model.id" if "model.id" in keys else "model.config", next(iter(keys.values())))
            if "model.weights" in keys:
                if found.value("model.weights") is None:
                    found.say(f"the name {name}", "model.weights", keys["model.weights"])
                    if doubt := presets.doubt_of(part):
                        found.assumed.append(doubt)
            elif found.value("model.weights") is None:
                return {"model.weights": None}
            return {}
    raise CannotRead(
        f"{shown(name)}: the catalog has no model of this name; give one beside it with --model: an id, or the path of its config.json"
    )


def _hardware(found: Found, given: Mapping[str, Any]) -> dict[str, Any]:
    """Cards and nodes: those that the text lists or asks for, else as many as its layout takes."""
    keys: dict[str, Any] = {}
    if "hardware.accelerator" not in given and found.value("hardware.accelerator") is None:
        if found.strangers:
            raise CannotRead(
                f"{found.strangers[0]}; name a card beside it with --accelerator, or add an entry of your own"
            )
        found.assumed.append(
            "the cards of a new session: the text names none; paste nvidia-smi beside it, or --accelerator"
        )
    dims = [found.value(f"layout.{name}") for name in ("tp", "pp", "dp")]
    ranks = math.prod(dim for dim in dims if dim) if any(dims) else None
    per_node = given.get("hardware.gpus_per_node") or found.value("hardware.gpus_per_node") or found.gpus
    nodes = given.get("hardware.nodes") or found.nodes
    kind = given.get("workload.kind") or found.value("workload.kind") or "serve"
    trains = kind not in ("serve", "batch", "embed")
    if per_node is None:
        if ranks is None and found.value("runtime.engine") not in _ONE_PROCESS:
            return keys
        if (ranks is None or ranks == 1) and (trains or found.value("runtime.engine") in _ONE_PROCESS):
            found.assumed.append("one GPU: the text does not say how many there are; --gpus and --nodes say it")
        ranks = ranks or 1
        per_node = min(ranks, NODE_GPUS) if nodes is None else max(1, -(-ranks // nodes))
        if ranks > NODE_GPUS and nodes is None:
            found.assumed.append(f"nodes of {NODE_GPUS} cards: the text does not say how its {ranks} GPUs stand")
    if nodes is None:
        nodes = max(1, -(-ranks // per_node)) if ranks else 1
    keys["hardware.gpus_per_node"] = per_node
    keys["hardware.nodes"] = nodes
    # what a command leaves open is one server's replicas: they fill the cards
    # (a trainer's ranks are those of its launcher: where neither says them, the layout is chosen for the cards)
    if found.value("layout.tp") is not None and found.value("layout.dp") is None and ranks and not trains:
        keys["layout.dp"] = 1
    return keys


def _load(found: Found, given: Mapping[str, Any], start: Scenario) -> dict[str, Any]:
    """Users and lengths, which no command says: those of a new session, cut to the longest sequence that it takes."""
    keys: dict[str, Any] = {}
    work = start.workload
    asked = {"workload.input_tokens", "workload.output_tokens"} & given.keys()
    longest = found.value("runtime.max_model_len")
    said, answer = work.input_tokens, work.output_tokens
    embeds = {**found.changes, **given}.get("workload.kind") == "embed"
    if embeds:
        if longest is not None and not asked and said > longest:
            keys["workload.input_tokens"] = said = longest
    elif longest is not None and not asked and said + answer > longest:
        answer = max(1, min(answer, longest // 4))
        said = max(1, longest - answer)
        keys |= {"workload.input_tokens": said, "workload.output_tokens": answer}
    users = found.value("workload.concurrency") or work.concurrency
    seats = found.value("runtime.max_num_seqs")
    if seats is not None and seats < users and "workload.concurrency" not in given:
        keys["workload.concurrency"] = users = seats
    if found.understood and "workload.concurrency" not in given and not found.value("workload.concurrency"):
        found.assumed.append(
            f"the load: {users} requests at once of {said:,} tokens; --concurrency and --input say it"
            if embeds
            else f"the load: {users} users, prompts of {said:,} and answers of {answer:,} tokens; "
            "--concurrency, --input and --output say it"
        )
    return keys
