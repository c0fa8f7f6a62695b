"""The command line: what it prints, where, and the code it leaves with."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import catalog
from catalog.loading import reload
from engine.decide.size import size
from tests.tui.commands import Run
from tui import cli
from tui.files import fields
from tui.shell import report

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples"
ONE_NODE = str(EXAMPLES / "70b-fp8-one-node.toml")
TOO_SMALL = ("--accelerator", "l4", "--gpus", "1")


def test_help_names_every_command_and_option(run: Run) -> None:
    ran = run("--help")
    assert ran.code == 0
    for word in (
        "report",
        "recommend",
        "export",
        "models",
        "accelerators",
        "links",
        "detect",
        "--model",
        "--gpus",
        "--version",
        "FILE",
    ):
        assert word in ran.out
    for command in ("report", "recommend", "export", "models", "accelerators", "links", "detect"):
        assert run(command, "--help").code == 0


def test_version(run: Run) -> None:
    ran = run("--version")
    assert ran.code == 0
    assert re.fullmatch(r"sizeup \d+\.\d+\.\d+, catalog of 20\d\d-\d\d-\d\d\n", ran.out)


def test_a_build_that_carries_leaves_with_0(run: Run) -> None:
    ran = run("report", ONE_NODE)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("RUNS: weights 35 % of each card")
    assert "Carries the workload as entered: yes" in run("report", ONE_NODE, "--full").out


def test_a_build_that_does_not_carry_leaves_with_3(run: Run) -> None:
    ran = run("report", ONE_NODE, *TOO_SMALL)
    assert (ran.code, ran.err) == (3, "")
    assert "Carries the workload as entered: no" in run("report", ONE_NODE, *TOO_SMALL, "--full").out


def test_json_is_one_object_a_line(run: Run) -> None:
    files = [str(path) for path in sorted(EXAMPLES.glob("*.toml"))]
    ran = run("report", *files, "--format", "json")
    titles = [json.loads(line)["title"] for line in ran.out.splitlines()]
    assert titles == ["70B chat for support", "DeepSeek-V3 on two H100 nodes", "Full fine-tune of a 70B"]


def test_a_bad_file_among_good_ones(run: Run, tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("schema = 1\n[model]\nid = 'llama-3.1-8b'\nwieghts = 'fp8'\n[hardware]\naccelerator = 'l4'\n")
    ran = run("report", str(bad), ONE_NODE, "--format", "json")
    assert ran.code == 2
    assert len(ran.out.splitlines()) == 1
    assert ran.err == (f"sizeup: {bad}:4: model.wieghts: unknown key; the nearest known one is model.weights\n")


def test_an_impossible_build_names_file_line_and_key(run: Run, tmp_path: Path) -> None:
    text = (EXAMPLES / "70b-fp8-one-node.toml").read_text()
    bad = tmp_path / "bad.toml"
    bad.write_text(text.replace("concurrency = 32", "concurrency = 0"))
    ran = run("report", str(bad))
    line = text.splitlines().index("concurrency = 32") + 1
    assert ran.code == 2
    assert ran.err.startswith(f"sizeup: {bad}:{line}: workload.concurrency: ")
    assert len(ran.err.splitlines()) == 1
    assert ran.out == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("report", "none.toml"), "none.toml: no such file"),
        (("none.toml",), "none.toml: no such file"),
        (("reprot", "x.toml"), "reprot: no such file, and no command of this name; the nearest is report"),
        (("report", ""), "no name of a file"),
        (("",), "no name of a file"),
        (("report", str(EXAMPLES)), "a directory"),
        (("report", "--gpus", "many"), "--gpus: 'many' is not a number"),
        (("report", "--gpus", "0"), "--gpus: 0 is too few"),
        (("report", "--accelerator", "h1000"), "--accelerator: no accelerator 'h1000'; nearest: h100-"),
        (("report", "--model", "llama-9"), "--model: no model 'llama-9'; nearest: llama-"),
        (("report", "--model", "moonshotai/Kimi-K2.7"), "nearest: kimi-k2, "),
        (("report", "--model", "moonshotai/Kimi-K2.7"), "; or the path of its config.json or .gguf"),
        (("report", "--model", "nowhere/config.json"), "nowhere/config.json: no such file"),
        (("report", "--kind", "srve"), "--kind: 'srve' is not accepted (nearest: serve)"),
        (("report", "--weights", "fp9"), "--weights: 'fp9' is not accepted (nearest: fp8)"),
        (("report", "--set", "x"), "--set x: not KEY=VALUE"),
        (("report", "--set", "workload.concurency=3"), "the nearest known one is workload.concurrency"),
        (
            ("report", "--set", "runtime.cuda_graphs=3"),
            "runtime.cuda_graphs: 3 is not accepted; allowed: true or false",
        ),
        (("report", ONE_NODE, "--tp", "7"), "layout.tp: 7 "),
        (("report", "--format", "pdf"), "invalid choice: 'pdf'"),
        (("--frobnicate",), "unrecognized arguments: --frobnicate (see sizeup --help)"),
        (("report", "--set", "schema=2"), "schema: unknown key"),
        (("report", "--set", "a.b.c=1"), "a.b.c: unknown key"),
        (("report", "--set", f"{'a.' * 20_000}b=1"), "unknown key"),
        (("report", "--model", "x" * 50_000), "--model: 50,000 characters are too many; allowed: up to 200"),
        (("report", "--set", "money.gpu_price_usd=-1"), "money.gpu_price_usd: -1 is too little"),
        (("report", "--set", "money.gpu_price_usd=1e308"), "money.gpu_price_usd: so large a number is too much"),
        (("report", "--set", "hardware.accelerator=\x1b[2J"), "characters that do not print"),
        (("report", "--set", "model=3"), "model: unknown key"),
    ],
)
def test_bad_input_is_one_line_and_code_2(run: Run, arguments: tuple[str, ...], words: str) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert ran.out == ""
    assert words in ran.err
    assert ran.err.startswith("sizeup: ")
    assert len(ran.err.splitlines()) == 1


def test_presets_without_a_file(run: Run) -> None:
    arguments = (
        "--model",
        "deepseek-v3",
        "--accelerator",
        "h200-sxm",
        "--gpus",
        "8",
        "--input",
        "4k",
        "--output",
        "1k",
    )
    ran = run("report", "--format", "json", *arguments, "--ttft", "500ms", "--set", "runtime.max_num_seqs=64")
    data = json.loads(ran.out)
    assert data["model"]["id"] == "deepseek-v3"
    assert data["model"]["weights"].startswith("fp8")
    assert data["hardware"]["intra_link"] == "nvlink-4"
    assert (data["workload"]["input_tokens"], data["workload"]["ttft_target_s"]) == (4000, 0.5)


def test_the_command_line_and_the_app_start_from_the_same_session(run: Run) -> None:
    new = fields.new_scenario(catalog.load())
    assert run("report").out == report.render(size(new), "text", full=False)


@pytest.mark.parametrize(
    ("model", "accelerator", "expected"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "NVIDIA H100 80GB HBM3", ("llama-3.1-8b", "bf16", "h100-sxm")),
        ("Qwen/Qwen3-32B-AWQ", "RTX 4090", ("qwen3-32b", "int4-awq", "rtx-4090")),
        ("RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic", "A100-PCIE-40GB", ("llama-3.3-70b", "fp8", "a100-pcie-40gb")),
        ("llama3.1:70b-instruct-q4_K_M", "h200-sxm", ("llama-3.1-70b", "gguf-q4_k_m", "h200-sxm")),
    ],
)
def test_names_as_publishers_and_drivers_write_them(
    run: Run, model: str, accelerator: str, expected: tuple[str, str, str]
) -> None:
    data = json.loads(run("report", "--format", "json", "--model", model, "--accelerator", accelerator).out)
    assert (data["model"]["id"], data["model"]["weights"], data["hardware"]["accelerator"]) == expected
    chosen = run("report", "--format", "json", "--model", model, "--weights", "FP8", "--accelerator", accelerator)
    assert json.loads(chosen.out)["model"]["weights"] == "fp8"


def test_any_key_can_be_set_as_its_type(run: Run) -> None:
    changes = ("--set", "title=7", "--set", "workload.ttft_target_s=2", "--set", "runtime.cuda_graphs=false")
    data = json.loads(run("report", "--format", "json", *changes, "--set", "workload.kind=batch").out)
    assert (data["title"], data["workload"]["ttft_target_s"], data["workload"]["kind"]) == ("7", 2.0, "batch")
    two_nodes = str(EXAMPLES / "deepseek-v3-two-nodes.toml")
    pinned = json.loads(run("report", two_nodes, "--format", "json").out)
    freed = json.loads(run("report", two_nodes, "--format", "json", "--set", "layout.tp=auto").out)
    assert pinned["layout"]["pp"] == freed["layout"]["pp"] == 2


def test_a_session_from_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(Path(ONE_NODE).read_bytes())

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert run("report", "-").out.startswith("RUNS: weights 35 % of each card")
    Stdin.buffer = io.BytesIO(b"schema = 9\n")
    ran = run("report", "-")
    assert (ran.code, ran.err) == (
        2,
        "sizeup: standard input:1: schema: written by a newer sizeup (schema 9); allowed: schema 1\n",
    )


def test_presets_over_a_file_leave_the_rest_of_it(run: Run) -> None:
    data = json.loads(run("report", ONE_NODE, "--format", "json", "--concurrency", "64", "--title", "x").out)
    assert (data["workload"]["concurrency"], data["title"]) == (64, "x")
    assert data["hardware"]["accelerator"] == "rtx-pro-6000-server"
    data = json.loads(run("report", ONE_NODE, "--format", "json", "--accelerator", "h100-sxm").out)
    assert data["hardware"]["intra_link"] == "nvlink-4"


def test_a_config_of_ones_own(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config.json"
    config.write_text(catalog.load().model("llama-3.1-8b").config.read_text())
    monkeypatch.chdir(tmp_path)
    assert json.loads(run("report", "--format", "json", "--model", "config.json").out)["model"]["config"]
    assert "x.gguf: no such file" in run("report", "--model", "x.gguf").err
    data = json.loads(run("report", "--format", "json", "--model", str(config)).out)
    assert data["model"]["params_total"] == 8030261248
    assert data["model"]["config"] == str(config)


@pytest.mark.parametrize(("what", "count"), [("models", 74), ("accelerators", 57), ("links", 45)])
def test_listings(run: Run, what: str, count: int) -> None:
    ran = run(what)
    assert ran.code == 0
    head, *rows = ran.out.splitlines()
    assert head.startswith("id ")
    assert len(rows) >= count
    assert all(line == line.rstrip() for line in (head, *rows))
    data = [json.loads(line) for line in run(what, "--format", "json").out.splitlines()]
    assert len(data) == len(rows)
    assert all(item["source"] for item in data)


def test_a_search_in_a_listing(run: Run) -> None:
    ran = run("accelerators", "rtx", "pro", "6000")
    assert [line.split()[0] for line in ran.out.splitlines()[1:]] == [
        "rtx-pro-6000-workstation",
        "rtx-pro-6000-max-q",
        "rtx-pro-6000-server",
    ]
    none = run("models", "nothing-like-it")
    assert none.code == 1
    assert none.out == ""
    assert "no model matches 'nothing-like-it'; nearest: " in none.err


def test_ones_own_entries_are_marked(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "sizeup" / "catalog"
    folder.mkdir(parents=True)
    (folder / "own.toml").write_text('[[accelerator]]\nid = "h100-sxm"\ntdp_w = 650\n')
    (folder / "bad.toml").write_text("[[accelerator]\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    reload()
    ran = run("accelerators", "h100-sxm")
    assert ran.out.splitlines()[1].endswith("*")
    assert ran.out.splitlines()[-1] == "* yours"
    assert "bad.toml" in ran.err
    assert run("report", ONE_NODE).code == 0


def test_the_app_does_not_start_without_a_terminal(run: Run) -> None:
    ran = run(ONE_NODE)
    assert ran.code == 1
    assert ran.err == "sizeup: the app needs a terminal; `sizeup report FILE` works without one\n"


def test_an_unexpected_error_is_one_line_unless_asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> object:
        raise RuntimeError("a bug\nover two lines")

    monkeypatch.setattr("tui.shell.report.render", broken)
    ran = run("report", ONE_NODE)
    assert ran.code == 1
    assert len(ran.err.splitlines()) == 1
    assert "internal error: RuntimeError: a bug" in ran.err
    monkeypatch.setenv("SIZEUP_DEBUG", "1")
    with pytest.raises(RuntimeError):
        run("report", ONE_NODE)


def test_detect_reads_what_another_machine_printed(run: Run, tmp_path: Path) -> None:
    saved = tmp_path / "gpus.csv"
    saved.write_text("name, memory.total [MiB]\n" + "NVIDIA H100 80GB HBM3, 81559 MiB\n" * 8)
    ran = run("detect", "--from", str(saved))
    assert ran.code == 0
    assert "h100-sxm" in ran.out
    assert ran.out.splitlines()[-1] == "sizeup --accelerator h100-sxm --gpus 8"
    data = json.loads(run("detect", "--from", str(saved), "--format", "json").out)
    assert (data["accelerator"], data["count"]) == ("h100-sxm", 8)
    saved.write_text("hello\n")
    assert run("detect", "--from", str(saved)).code == 2
    assert run("detect", "--from", str(tmp_path / "none")).code == 2


def test_detect_asks_an_old_driver_again_and_says_when_there_is_none(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = run("detect")
    assert ran.code == 1
    assert "nvidia-smi is not on this machine" in ran.err
    program = tmp_path / "nvidia-smi"
    program.write_text(
        "#!/bin/sh\n"
        'case "$1" in *compute_cap*) echo \'Field "compute_cap" is not a valid field to query.\'; exit 2;; esac\n'
        "echo 'name, memory.total [MiB]'\necho 'Tesla T4, 15360 MiB'\n"
    )
    program.chmod(0o755)
    assert "sizeup --accelerator t4 --gpus 1" in run("detect").out
    program.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed because it could not talk to the driver.'\nexit 9\n")
    ran = run("detect")
    assert ran.code == 1
    assert "could not talk to the driver" in ran.err


def test_python_m_tui_and_a_reader_that_leaves(tmp_path: Path) -> None:
    line = f"{sys.executable} -m tui report {ONE_NODE} | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=ROOT, check=False, timeout=120)
    assert done.stdout.splitlines()[0].startswith("RUNS: ")
    assert done.stdout.splitlines()[1] in ("0", "141")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("redirection", "words"),
    [(">&-", "standard output must be open"), ("> /dev/full", "cannot write: No space left on device")],
)
def test_output_that_cannot_be_written(redirection: str, words: str) -> None:
    line = f"{sys.executable} -m tui report {ONE_NODE} {redirection}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=ROOT, check=False, timeout=120)
    assert done.returncode == 1
    assert done.stderr == f"sizeup: {words}\n"


def test_a_terminal_without_utf_8_gets_plain_letters() -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "tui", "report", ONE_NODE],
        capture_output=True, cwd=ROOT, env=environment, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert done.stderr == b""


def test_a_home_that_nobody_has_is_a_file_that_is_not_there(run: Run) -> None:
    ran = run("report", "~nobody-of-this-name/x.toml")
    assert (ran.code, ran.err) == (2, "sizeup: ~nobody-of-this-name/x.toml: no such file\n")


def test_a_report_needs_no_standard_input() -> None:
    line = f"{sys.executable} -m tui report {ONE_NODE} <&-"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=ROOT, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    line = f"{sys.executable} -m tui report - <&-"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=ROOT, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (2, "sizeup: standard input: it is closed\n")


def test_one_bad_file_costs_the_others_nothing(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    negative = tmp_path / "negative.toml"
    negative.write_text(Path(ONE_NODE).read_text() + "\n[money]\ngpu_price_usd = -1.0\n")
    ran = run("report", str(ONE_NODE), str(negative), str(ONE_NODE), "--format", "json")
    assert (ran.code, ran.out.count("\n")) == (2, 2)
    assert "money.gpu_price_usd" in ran.err
    told = cli._sized

    def defective(file: str | None, *rest: Any) -> Any:
        if file == str(negative):
            raise ZeroDivisionError("a defect")
        return told(file, *rest)

    monkeypatch.setattr(cli, "_sized", defective)
    ran = run("report", str(negative), str(ONE_NODE), "--format", "json")
    assert (ran.code, ran.out.count("\n")) == (1, 1)
    assert ran.err.startswith(f"sizeup: {negative}: internal error: ZeroDivisionError: a defect")


KEYS = ("a.b.c", "a", "model.", ".x", "a." * 20_000 + "a", "model.id.x", "pin.name", "layout")


@pytest.mark.parametrize("key", KEYS, ids=[key[:12] for key in KEYS])
def test_a_key_that_nothing_has_is_told(run: Run, key: str) -> None:
    ran = run("report", "--set", f"{key}=1")
    assert ran.code == 2
    assert len(ran.err) < 500
    assert "internal error" not in ran.err


def test_a_host_of_two_kinds_is_proposed_whole(run: Run, tmp_path: Path) -> None:
    saved = tmp_path / "gpus.csv"
    saved.write_text("name, memory.total [MiB]\n" + "NVIDIA A40, 46068 MiB\n" * 2 + "NVIDIA L40S, 46068 MiB\n" * 3)
    said = run("detect", "--from", str(saved)).out
    assert "--accelerator l40s --gpus 5" in said
    assert "--set hardware.second_accelerator=a40 --set hardware.second_gpus=2" in said
