"""Exports under validators of others, which the extra `test` brings; what is not installed is skipped, and said.

shellcheck reads every script, kubernetes-validate every document against the schemas of that release, strictly, and compose-spec
every service. Each validator is shown to refuse a document with one wrong key, so that its silence says something.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tui import exported
from tests.tui.test_export import EVERY, golden
from tui.shell.exports import Target, export, kind_of

RELEASE = "1.34"
"""Of Kubernetes: the one that docs/exports.md names."""


def texts(*targets: Target) -> Iterator[tuple[str, str]]:
    for name, target in EVERY:
        if target in targets:
            yield f"{name} to {target}", export(golden(name), target)


def test_shellcheck_has_nothing_to_say(tmp_path: Path) -> None:
    tool = shutil.which("shellcheck") or shutil.which("shellcheck", path=str(Path(sys.executable).parent))
    if tool is None:
        pytest.skip("shellcheck is not installed")
    scripts: list[Target] = [
        target for target in dict.fromkeys(target for _, target in EVERY) if kind_of(target).ending == "sh"
    ]
    files = []
    for number, (_, text) in enumerate(texts(*scripts)):
        files.append(tmp_path / f"{number}.sh")
        files[-1].write_text(text)
    assert len(files) > 100
    command = [tool, "--shell=bash", "--format=gcc"]
    done = subprocess.run([*command, *map(str, files)], text=True, capture_output=True, timeout=120, check=False)
    assert done.stdout == ""
    wrong = tmp_path / "wrong.sh"
    wrong.write_text("#!/bin/bash\nrm -r $1/*\n")
    assert subprocess.run([*command, str(wrong)], capture_output=True, timeout=20, check=False).returncode == 1


def pods(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The pods of a LeaderWorkerSet, which is no kind of Kubernetes' own, each as a document."""
    template = document["spec"]["leaderWorkerTemplate"]
    for name in ("leaderTemplate", "workerTemplate"):
        if name in template:
            part = template[name]
            metadata = {"name": "pod", **part.get("metadata", {})}
            yield {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": part["spec"]}


def test_manifests_fit_the_schemas_of_kubernetes() -> None:
    tool: Any = pytest.importorskip("kubernetes_validate")
    checked = 0
    for where, text in texts("k8s", "lws"):
        for document in exported.documents(text):
            for one in pods(document) if document["kind"] == "LeaderWorkerSet" else [document]:
                try:
                    tool.validate(one, RELEASE, strict=True)
                except Exception as problem:
                    pytest.fail(f"{where}: {problem}")
                checked += 1
    assert checked > 50
    one["spec"]["noSuchKey"] = 1
    with pytest.raises(Exception, match="noSuchKey"):
        tool.validate(one, RELEASE, strict=True)


def test_sets_fit_the_schema_of_leaderworkerset() -> None:
    tool: Any = pytest.importorskip("jsonschema")
    schema = json.loads((exported.FACTS / "leaderworkerset.json").read_text())
    tool.Draft202012Validator.check_schema(schema)
    validator, checked = tool.Draft202012Validator(schema), 0
    for where, text in texts("lws"):
        for document in exported.documents(text):
            if document["kind"] != "LeaderWorkerSet":
                continue
            problems = [problem.message for problem in validator.iter_errors(document)]
            assert not problems, where
            group = document["spec"]["leaderWorkerTemplate"]
            checked += 1
    assert checked > 10
    for wrong in ({"sizes": 2}, {"size": "2"}, {"size": 0}, {"restartPolicy": "Always"}):
        bad = {**group, **wrong}
        with pytest.raises(tool.ValidationError):
            validator.validate({**HEAD, "spec": {"leaderWorkerTemplate": bad}})


HEAD = {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet", "metadata": {"name": "a"}}


def test_services_fit_the_compose_specification() -> None:
    tool: Any = pytest.importorskip("compose_spec").PyCompose
    checked = 0
    for where, text in texts("compose"):
        text = text.replace("${HOME}", "/root")  # interpolated before anything is read
        try:
            tool.from_yaml(text).validate()
        except Exception as problem:
            pytest.fail(f"{where}: {problem}")
        checked += 1
    assert checked > 10
    with pytest.raises(Exception, match="imagee"):
        tool.from_yaml(text.replace("image:", "imagee:")).validate()
