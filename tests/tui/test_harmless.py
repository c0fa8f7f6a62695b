"""Nothing that a session, a catalog or a tool says reaches the terminal raw, whatever command prints it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from engine.decide.size import size
from engine.figures.sentences import text_of
from tests.fuzz import _cli, _hostile
from tui.files.session import from_document

TRICKS = "".join(_hostile.TERMINAL)
SESSION = {
    "schema": 1,
    "title": f"a{TRICKS}b",
    "notes": f"x{TRICKS}\ny",
    "model": {"id": "llama-3.1-8b", "weights": "bf16"},
    "hardware": {"accelerator": "h100-sxm"},
    "workload": {"kind": "serve", "concurrency": 1, "input_tokens": 500, "output_tokens": 100},
}


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """A session whose title and notes hold every trick."""
    path = tmp_path / "tricks.toml"
    path.write_text(_hostile.toml(SESSION), encoding="utf-8")
    return path


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
@pytest.mark.parametrize("command", ["report", "recommend"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_titles_and_notes(session: Path, command: str, form: str, encoding: str) -> None:
    limits = ("--owned", "h100-sxm") if command == "recommend" else ()
    ran = _cli.run(command, str(session), "--format", form, *limits, encoding=encoding)
    assert ran.code in (0, 3), ran.err
    _cli.expect_harmless(ran, command)


def test_json_gives_them_back(session: Path) -> None:
    data = json.loads(_cli.run("report", str(session), "--format", "json").out)
    assert data["title"] == SESSION["title"]
    assert data["notes"] == SESSION["notes"]


def test_the_name_of_a_folder(tmp_path: Path) -> None:
    place = tmp_path / "my\x1b]52;c;AAAA\x07\n\u202emodel"
    place.mkdir()
    (place / "config.json").write_bytes(_hostile.config_of("llama-3.2-1b").read_bytes())
    scenario = from_document(
        {"schema": 1, "model": {"config": "config.json"}, "hardware": {"accelerator": "h100-sxm"}}, folder=place
    )
    assert scenario.model.name.isprintable()
    assert text_of(size(scenario).verdict.headline).isprintable()


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("price_usd", "1e308", "up to 1,000,000,000"),
        ("bandwidth_gb_s", "1e308", "up to 1,000,000"),
        ("intra_link_gb_s", "1e-300", "above 0"),
        ("memory_mib_reported", "9223372036854775807", "up to 1,073,741,824"),
        ("accelerator", '"a\\u001b[2J"', "printable characters"),
    ],
)
def test_saved_figures_keep_limits(key: str, value: str, allowed: str, tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(_hostile.toml(SESSION) + f"[catalog]\n{key} = {value}\n", encoding="utf-8")
    ran = _cli.run("report", str(path))
    assert ran.code == 2
    assert f"catalog.{key}: " in ran.err
    assert allowed in ran.err
    _cli.expect_harmless(ran, key)


@pytest.mark.parametrize("target", ["vllm", "sglang", "nim", "compose", "k8s", "lws", "slurm", "ray", "nccl"])
def test_exports(session: Path, target: str) -> None:
    ran = _cli.run("export", str(session), "--to", target)
    assert ran.code in (0, 3), ran.err
    _cli.expect_harmless(ran, target)


@pytest.mark.parametrize("trick", _hostile.TERMINAL, ids=[ascii(trick)[1:-1] for trick in _hostile.TERMINAL])
def test_messages(trick: str, tmp_path: Path) -> None:
    missing = tmp_path / f"no{trick.replace('/', '')}.toml"
    for line in (
        ("report", str(missing)),
        ("report", "--set", f"{trick}=1"),
        ("report", "--set", f"model.id={trick}"),
        ("report", "--weights", trick),
        ("report", "--gpus", trick),
        ("report", "--model", trick),
        ("report", f"--{trick}"),
        ("models", f"no such {trick} model"),
        ("detect", "--from", str(missing)),
        (trick,),
    ):
        ran = _cli.run(*line)
        assert ran.code in (1, 2)
        _cli.expect_harmless(ran, repr(line))


@pytest.mark.parametrize("what", ["models", "accelerators"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_listings_of_a_shared_catalog(what: str, form: str, tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "sizeup" / "catalog"
    folder.mkdir(parents=True)
    config = str(_hostile.config_of("llama-3.2-1b"))
    kept = {"id": "mine", "name": "mine", "notes": TRICKS, "source": TRICKS, "config": config}
    card = {"id": "ours", "memory_gb_marketed": 80.0, "bandwidth_gb_s": 2000.0, "source": TRICKS, "notes": TRICKS}
    bad = kept | {"id": "bad", "name": TRICKS}
    (folder / "a.toml").write_text(_hostile.toml({"model": [kept], "accelerator": [card]}), encoding="utf-8")
    (folder / "b.toml").write_text(_hostile.toml({"model": [bad]}), encoding="utf-8")
    with _cli.home(tmp_path):
        ran = _cli.run(what, "--format", form)
    assert ran.code == 0
    assert ("mine" if what == "models" else "ours") in ran.out
    assert "bad: name" in ran.err
    _cli.expect_harmless(ran, what)


def test_an_answer_of_the_drivers_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for answer, code in (
        ("printf 'name, memory.total [MiB]\\nH100 \\033[31m\\302\\233, 81559 MiB\\n'", 1),
        ("printf '\\033]52;c;AAAA\\007 \\302\\2332J' >&2; exit 9", 1),
        ("printf 'name, memory.total [MiB]\\nH100, %s MiB\\n' $(printf '9%.0s' $(seq 400))", 1),
        ("yes 'name, memory.total [MiB]'", 1),
        ("yes >&2", 1),
        ("printf 'name, memory.total [MiB]\\nNVIDIA H100 80GB HBM3, 81559 MiB\\n'; echo warned >&2", 0),
    ):
        tool.write_text(f"#!/bin/sh\n{answer}\n")
        tool.chmod(0o755)
        for form in ("text", "json"):
            ran = _cli.run("detect", "--format", form)
            assert ran.code == code, (answer, ran)
            _cli.expect_harmless(ran, answer)
            assert "Infinity" not in ran.out
