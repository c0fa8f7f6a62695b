"""YAML and JSON: compose files, manifests of Kubernetes, configurations of trainers."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from tui.paste.found import Found
from tui.paste.servers import begun, commands, gpus_asked, of_image, read_command, read_server
from tui.paste.trainers import TRAINERS
from tui.paste.tunings import TUNINGS

MOST_DOCUMENTS = 64
_SETS = ("Deployment", "StatefulSet", "Pod", "Job", "DaemonSet", "ReplicaSet")


def parsed(text: str) -> list[Any]:
    """The documents of a JSON or YAML text; none where it is neither."""
    start = text.lstrip("\ufeff \t\r\n")
    if re.search(r"^\[[\w.]+\]\s*$", start, re.M):
        try:
            return [tomllib.loads(start)]
        except (ValueError, RecursionError):
            pass
    if start.startswith("{"):
        try:
            return [json.loads(start)]
        except (ValueError, RecursionError):
            pass
    import yaml  # type: ignore[import-untyped] # 25 ms that only such a text pays

    found = []
    try:
        for document in yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            found.append(document)
            if len(found) >= MOST_DOCUMENTS:
                break
    except (yaml.YAMLError, RecursionError, ValueError):
        return []
    return found


def read(documents: list[Any], found: Found, files: dict[str, dict[str, Any]]) -> bool:
    """Read what documents say; whether any of them was of a kind that is known."""
    known = False
    for document in documents:
        if not isinstance(document, Mapping):
            continue
        kind = document.get("kind")
        if isinstance(document.get("services"), Mapping):
            known |= _compose(document["services"], found, files)
        elif isinstance(document.get("applications"), list):
            known |= _ray(document["applications"], found, files)
        elif kind == "LeaderWorkerSet":
            known |= _lws(document, found, files)
        elif kind in _SETS:
            known |= _pods(document, found, files)
        elif kind is not None and document.get("apiVersion") is not None:
            found.passed.append(f"a {kind}")
        else:
            known |= any(trainer(document, found) for trainer in (*TRAINERS, *TUNINGS))
    return known


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        try:
            return shlex.split(value)
        except ValueError:
            return value.split()
    return [str(word) for word in value] if isinstance(value, list) else []


def _started(words: list[str], image: str, found: Found, files: dict[str, dict[str, Any]]) -> bool:
    """Read what a container starts: words, a script for a shell with words after it, or its image's server."""
    shell = next((place for place, word in enumerate(words[:3]) if word.rsplit("/", 1)[-1] in ("sh", "bash")), None)
    if shell is not None and {"-c", "-lc"} & set(words[shell : shell + 3]):
        flag = words.index("-c") if "-c" in words else words.index("-lc")
        script, after = (words[flag + 1 : flag + 2] or [""])[0], words[flag + 3 :]
        if sum(read_command(command, found, files) for command in commands(script)):
            return True
        words = after
    if begun(words) is not None:
        return read_command(words, found, files)
    engine = of_image(image)
    if engine is None or not words:
        return False
    found.kinds.append(engine)
    read_server(engine, words, found, files)
    return True


SERVICE = ("image", "entrypoint", "command", "environment", "deploy")
"""Keys of a compose service that are read."""


def _compose(services: Mapping[str, Any], found: Found, files: dict[str, dict[str, Any]]) -> bool:
    for service in services.values():
        if not isinstance(service, Mapping):
            continue
        words = [
            word.replace("$$", "$") for word in (*_words(service.get("entrypoint")), *_words(service.get("command")))
        ]
        if not _started(words, str(service.get("image", "")), found, files):
            continue
        found.kinds.append("compose")
        environment = service.get("environment")
        if isinstance(environment, Mapping):
            environment = [f"{key}={value}" for key, value in environment.items()]
        told = [str(one) for one in environment] if isinstance(environment, list) else []
        asked = gpus_asked(told)
        found.variables(one.partition("=")[0] for one in told if "_VISIBLE_DEVICES" not in one)
        found.passed += [f"service {key}" for key in service if key not in SERVICE]
        for device in _at(service, "deploy", "resources", "reservations", "devices", kind=list):
            count = device.get("count") if isinstance(device, Mapping) else None
            ids = device.get("device_ids") if isinstance(device, Mapping) else None
            asked = count if isinstance(count, int) else len(ids) if isinstance(ids, list) else asked
        found.gpus = asked or found.gpus
        return True
    return False


def _ray(applications: list[Any], found: Found, files: dict[str, dict[str, Any]]) -> bool:
    """Ray Serve's file: the first model of its applications, whose engine_kwargs are vLLM's arguments."""
    for application in applications:
        for config in _at(application, "args", "llm_configs", kind=list):
            loading, arguments = _at(config, "model_loading_config"), _at(config, "engine_kwargs")
            model = loading.get("model_source") or loading.get("model_id")
            if not isinstance(model, str):
                continue
            flags = ["--model", model]
            for key, value in arguments.items():
                if value is True:
                    flags.append(f"--{key}")
                elif value is False:
                    flags.append(f"--no-{key}")
                elif value is not None:
                    flags += [f"--{key}", json.dumps(value) if isinstance(value, dict) else str(value)]
            found.kinds.append("Ray Serve")
            read_server("vllm", flags, found, files)
            least = _at(config, "deployment_config", "autoscaling_config").get("min_replicas")
            fixed = _at(config, "deployment_config").get("num_replicas")
            copies = fixed if isinstance(fixed, int) else least
            if isinstance(copies, int) and 1 < copies < 10_000:
                _copies(copies, found)
            return True
    return False


def _at(value: Any, *keys: str, kind: type = dict) -> Any:
    """What lies at the keys; an empty one of the kind where nothing of it does."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, kind) else kind()


def _containers(pod: Any) -> Iterator[Mapping[str, Any]]:
    yield from (one for one in _at(pod, "containers", kind=list) if isinstance(one, Mapping))


def _container(pod: Any, found: Found, files: dict[str, dict[str, Any]]) -> bool:
    for one in _containers(pod):
        words = [word.replace("$$", "$") for word in (*_words(one.get("command")), *_words(one.get("args")))]
        if not _started(words, str(one.get("image", "")), found, files):
            continue
        limits = {**_at(one, "resources", "requests"), **_at(one, "resources", "limits")}
        variables = [one.get("name") for one in _at(one, "env", kind=list) if isinstance(one, Mapping)]
        found.variables(str(name) for name in variables if name)
        for name, count in limits.items():
            if "gpu" in str(name) or "gaudi" in str(name):
                found.gpus = int(count) if str(count).isdigit() and len(str(count)) < 5 else found.gpus
        return True
    return False


def _pods(document: Mapping[str, Any], found: Found, files: dict[str, dict[str, Any]]) -> bool:
    pod = _at(document, "spec") if document.get("kind") == "Pod" else _at(document, "spec", "template", "spec")
    if not _container(pod, found, files):
        return False
    found.kinds.append(str(document["kind"]))
    replicas = _at(document, "spec").get("replicas")
    if isinstance(replicas, int) and 1 < replicas < 10_000:
        _copies(replicas, found)
    return True


def _copies(count: int, found: Found) -> None:
    """So many servers of the same: replicas, each with its own cards."""
    found.say(f"replicas: {count}", "layout.dp", count * (found.value("layout.dp") or 1))
    found.nodes = count * (found.nodes or 1)


def _lws(document: Mapping[str, Any], found: Found, files: dict[str, dict[str, Any]]) -> bool:
    template = _at(document, "spec", "leaderWorkerTemplate")
    leader = _at(template, "leaderTemplate", "spec") or _at(template, "workerTemplate", "spec")
    if not _container(leader, found, files):
        return False
    found.kinds.append("LeaderWorkerSet")
    size = template.get("size")
    if isinstance(size, int) and 0 < size < 10_000:
        found.nodes = size
    replicas = _at(document, "spec").get("replicas")
    if isinstance(replicas, int) and 1 < replicas < 10_000:
        _copies(replicas, found)
    return True
