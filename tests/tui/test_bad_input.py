"""What a person reads of a file or an option that cannot be used: one short line, the file, the key, what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.commands import Run

BASE = """schema = 1
title = "x"
[model]
id = "llama-3.1-70b"
[hardware]
accelerator = "h100-sxm"
gpus_per_node = 8
[workload]
concurrency = 32
"""
SESSIONS = {
    "true": (BASE.replace("32", "true"), ":9: workload.concurrency: true is not accepted; allowed: a whole number"),
    "a date": (BASE.replace("32", "2026-01-02"), ":9: workload.concurrency: 2026-01-02 is not accepted"),
    "a table": (BASE.replace("32", "{ a = 1 }"), ":9: workload.concurrency: a table of 1 is not accepted"),
    "nan": (BASE + "ttft_target_s = nan\n", ":10: workload.ttft_target_s: nan is not accepted; allowed: a finite"),
    "negative": (BASE.replace("32", "-3"), ":9: workload.concurrency: -3 is too few (nearest: 1); allowed: 1 to"),
    "huge": (BASE.replace("32", "9" * 30), ":9: workload.concurrency: the number is too large; allowed: up to"),
    "a key twice": (BASE + "concurrency = 3\n", ":10: not TOML: this key stands there twice"),
    "a table twice": (BASE + "[model]\n", ":10: not TOML: the table [model] stands there twice"),
    "an unknown key": (
        BASE.replace("concurrency", "concurency"),
        "unknown key; the nearest known one is workload.conc",
    ),
    "a long key": (BASE + "k" * 5000 + " = 1\n", "...': unknown key; allowed: keys of up to 200 characters"),
    "a key that steers": (BASE + '"\\u001b[2Jkey" = 1\n', ": workload.\\u001b[2Jkey: unknown key"),
    "a name that steers": (BASE.replace("llama-3.1", "\\u001b[31m"), ":4: model.id: '\\x1b[31m-70b' is not accepted"),
    "a newer version": (BASE.replace("schema = 1", "schema = 2"), ":1: schema: written by a newer sizeup (schema 2)"),
    "no TOML": (BASE + "[layout\n", ":10: not TOML: Expected ']' at the end of a table declaration"),
    "empty": ("", ": schema: this key is required; allowed: schema = 1"),
    "JSON": (
        '{"hidden_size": 1}',
        ": this is JSON, not a session, which is TOML; a model's own file goes with --model",
    ),
}
COMMANDS = (
    ("report",),
    ("recommend",),
    ("parts",),
    ("export", "--to", "vllm"),
    ("solve", "concurrency"),
    ("diff",),
)


def _one_line(run: Run, *arguments: str) -> str:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    line = ran.err.removesuffix("\n")
    assert line.startswith("sizeup: ")
    assert line.isprintable()
    assert len(line) < 500
    return line


@pytest.mark.parametrize(("text", "told"), SESSIONS.values(), ids=SESSIONS)
def test_a_bad_session_is_one_line_that_says_where_and_what(run: Run, tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text)
    assert told in _one_line(run, "report", str(file))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("name", ["missing", "a folder", "binary", "GGUF", "Latin-1", "a\x1b[31mname"])
def test_every_command_says_it_of_its_file(run: Run, tmp_path: Path, command: tuple[str, ...], name: str) -> None:
    file = tmp_path / f"{name}.toml"
    made = {"binary": b"\0\1" * 500, "GGUF": b"GGUF\3", "Latin-1": BASE.replace("x", "\xe9").encode("latin-1")}
    if name == "a folder":
        file.mkdir()
    elif name != "missing":
        file.write_bytes(made.get(name, b"schema = 3"))
    other = (str(file),) if command[0] == "diff" else ()
    line = _one_line(run, command[0], str(file), *other, *command[1:])
    told = {
        "missing": "missing.toml: no such file",
        "a folder": "a folder.toml: this is a directory, not a session file",
        "binary": "binary.toml: this is a binary file, not a session; a model's own file goes with --model",
        "GGUF": "GGUF.toml: this is a binary file, not a session; a model's own file goes with --model",
        "Latin-1": "Latin-1.toml:2: not UTF-8 text",
    }.get(name, "a\\u001b[31mname.toml:1: schema: written by a newer sizeup")
    assert told in line


PASTED = {
    "": ": it is empty",
    "\x00\x01" * 40: ": it is no text",
    "\xff\xfe\xe9" * 40: ": it is no text",
    BASE: ": it is a session, which is opened or reported as it is",
    "hello": ": nothing here is understood; what can be read: a command of vllm serve",
}


@pytest.mark.parametrize(("text", "told"), PASTED.items(), ids=["empty", "nul", "bytes", "session", "hello"])
def test_what_cannot_be_imported_is_named_with_its_file(run: Run, tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "good.sh").write_text("vllm serve Qwen/Qwen3-8B")
    (tmp_path / "bad").write_bytes(text.encode("latin-1"))
    assert f"bad{told}" in _one_line(run, "import", str(tmp_path / "good.sh"), str(tmp_path / "bad"))


def test_what_is_no_log_is_named_with_what_logs_are(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("hello")
    told = _one_line(run, "measured", str(tmp_path / "bad"), "--model", "llama-3.1-8b")
    assert "bad: nothing measured is understood; what can be read: start-ups of vLLM" in told


def test_a_path_that_is_no_model_is_told_as_a_path(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "bare").mkdir()
    assert f"--model: {tmp_path}/none: no such file" in _one_line(run, "report", "--model", f"{tmp_path}/none")
    bare = _one_line(run, "report", "--model", f"{tmp_path}/bare")
    assert f"--model: {tmp_path}/bare: a folder without a config.json or .gguf" in bare
    config = _one_line(run, "report", "--model", f"{tmp_path}/config.json")
    assert f"--model: {tmp_path}/config.json: hidden_size: is missing" in config


def test_a_folder_that_cannot_be_made_is_told_without_numbers(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = _one_line(run, "examples", "70b-fp8-one-node", "--save", str(tmp_path / "file" / "below"))
    assert told.endswith(": Not a directory")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", ": it is empty"),
        (b"\xff\xfe" * 50, ": it is no text"),
        (
            b"hello\n",
            ": not the CSV of nvidia-smi: no column 'name' in 'hello'; what can be read: what nvidia-smi, rocm",
        ),
        (b"name, memory.total [MiB]\n", ": no GPUs are listed; what can be read: "),
    ],
    ids=["empty", "bytes", "hello", "no GPUs"],
)
def test_what_is_no_saved_answer_is_named_with_its_file(run: Run, tmp_path: Path, text: bytes, told: str) -> None:
    (tmp_path / "gpus.csv").write_bytes(text)
    assert f"gpus.csv{told}" in _one_line(run, "detect", "--from", str(tmp_path / "gpus.csv"))
