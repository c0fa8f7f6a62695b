"""`sizeup recommend` and `sizeup export`: what is printed, what is written, and the codes."""

from __future__ import annotations

import dataclasses
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import catalog
from engine.decide.advice import advice
from engine.decide.builds import Limits, recommend
from engine.decide.plan import plan
from engine.figures.sentences import text_of
from tui.cli import main
from tui.files import session
from tui.pages import words
from tui.shell import report_words

ROOT = Path(__file__).parent.parent.parent
ONE_NODE = ROOT / "examples" / "70b-fp8-one-node.toml"
TRAINING = ROOT / "examples" / "full-finetune-70b.toml"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line here: its code, output and errors."""

    def ran(*arguments: str | Path) -> tuple[int, str, str]:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        return code, *capsys.readouterr()

    return ran


def flat(text: str) -> str:
    """Text without its line ends and alignment."""
    return " ".join(text.split())


@pytest.mark.parametrize("path", [ONE_NODE, TRAINING], ids=lambda path: path.stem)
def test_every_ranking_is_told_with_its_build_and_reason_in_80_columns(run: Run, path: Path) -> None:
    code, out, err = run("recommend", path)
    assert (code, err) == (0, "")
    assert [line for line in out.splitlines() if len(line) > 80 or line != line.rstrip()] == []
    text = flat(out)
    for item in recommend(session.load(path)):
        hardware, memory = item.option.scenario.hardware, item.option.plan.memory
        assert f"{item.rank}: {text_of(item.reason)}" in text
        assert hardware.accelerator.label in text
        assert f"headroom {memory.headroom}" in text
        if item.option.buy_usd is not None:
            assert f"buy ${item.option.buy_usd:,.0f} (" in text
        if item.option.rent_usd_per_month is not None:
            assert f"rent ${item.option.rent_usd_per_month:,.0f} a month (" in text
        assert item.option.power_w is not None
        assert words.kilowatts(item.option.power_w) in text


def test_json_has_every_ranking_and_null_for_unknown_prices(run: Run) -> None:
    code, out, _ = run("recommend", ONE_NODE, "--format", "json")
    assert code == 0
    assert out.count("\n") == 1
    data = json.loads(out)
    expected = recommend(session.load(ONE_NODE))
    assert [item["rank"] for item in data["recommendations"]] == [item.rank for item in expected]
    for item, known in zip(data["recommendations"], expected, strict=True):
        assert item["accelerator"] == known.option.scenario.hardware.accelerator.id
        assert item["layout"]["tp"] == known.option.plan.layout.tp
        assert (item["buy_usd"] is None) == (known.option.buy_usd is None)
        assert item["session"] is None
    assert any(line["usd_each"] is None for item in data["recommendations"] for line in item["lines"])


def test_markdown(run: Run) -> None:
    code, out, _ = run("recommend", ONE_NODE, "--format", "markdown")
    assert code == 0
    assert out.startswith("# 70B chat for support\n")
    assert "\n### " in out
    assert "| headroom | " in out


def test_the_changes_that_are_enough_come_first(run: Run) -> None:
    code, out, _ = run("recommend", ONE_NODE, "--gpus", "1")
    assert code == 0
    scenario = session.load(ONE_NODE)
    scenario = dataclasses.replace(scenario, hardware=dataclasses.replace(scenario.hardware, gpus_per_node=1))
    changes = advice(dataclasses.replace(scenario)).fixes
    assert changes
    text = flat(out)
    assert "as entered: no" in text
    for change in changes:
        assert flat(report_words.change_words(change)) in text
    assert text.index(changes[0].field) < text.index("Builds of the catalog")


@pytest.mark.parametrize(
    ("options", "limits"),
    [
        (("--max-buy", "60k"), Limits(buy_usd=60_000)),
        (("--max-rent-month", "8000"), Limits(rent_usd_per_month=8_000)),
        (("--max-power", "3k"), Limits(power_w=3_000)),
        (("--max-gpus", "2"), Limits(max_gpus=2)),
        (("--vendor", "amd"), Limits(vendors=("AMD",))),
        (("--vendor", "amd", "NVIDIA"), Limits(vendors=("AMD", "NVIDIA"))),
        (("--owned", "l40s", "l4"), Limits(owned=("l40s", "l4"))),
        (("--form-factor", "sxm"), Limits(form_factors=("SXM2", "SXM4", "SXM5", "SXM6"))),
    ],
)
def test_limits_are_those_of_the_search(run: Run, options: tuple[str, ...], limits: Limits) -> None:
    code, out, _ = run("recommend", ONE_NODE, "--format", "json", *options)
    assert code == 0
    expected = [item.option.scenario.hardware.accelerator.id for item in recommend(session.load(ONE_NODE), limits)]
    assert [item["accelerator"] for item in json.loads(out)["recommendations"]] == expected


def test_nothing_within_the_limits_leaves_with_3(run: Run) -> None:
    code, out, _ = run("recommend", ONE_NODE, "--max-power", "100")
    assert code == 3
    assert "Within: 100 W" in out
    assert "None within these limits carries it" in out
    code, out, _ = run("recommend", ONE_NODE, "--user-rate", "100000")
    assert code == 3
    assert "No single change" in out


def test_saved_builds_open_and_carry_the_workload(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "builds"
    code, out, _ = run("recommend", ONE_NODE, "--save", folder, "--format", "json")
    assert code == 0
    data = json.loads(out)
    files = sorted(folder.iterdir())
    assert {item["session"] for item in data["recommendations"]} == {str(path) for path in files}
    asked = session.load(ONE_NODE)
    for path in files:
        scenario = session.load(path)
        assert plan(scenario).carries
        assert scenario.workload == asked.workload
        assert scenario.title.startswith(asked.title)
        assert session.drift(path) == ()
        assert "[catalog]" in path.read_text()
    before = {path: path.read_bytes() for path in files}
    code, out, err = run("recommend", ONE_NODE, "--save", folder)
    assert (code, out) == (2, "")
    assert "is there already; nothing was saved" in err
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_config_of_ones_own_goes_with_the_saved_builds(run: Run, tmp_path: Path) -> None:
    source = ROOT / "catalog" / "data" / "models" / "llama-3.1-8b.config.json"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_bytes(source.read_bytes())
    path = tmp_path / "own.toml"
    path.write_text(
        'schema = 1\n[model]\nconfig = "mine/config.json"\nweights = "bf16"\n[hardware]\naccelerator = "l40s"\n'
    )
    code, _, err = run("recommend", path, "--save", tmp_path / "out")
    assert (code, err) == (0, "")
    for saved in (tmp_path / "out").iterdir():
        assert session.load(saved).model.architecture == session.load(path).model.architecture
    code, out, _ = run("export", path, "--gpus", "4", "--to", "vllm")
    assert "vllm serve YOUR_MODEL " in out, "no weights lie beside that config.json"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("recommend", "none.toml"), "none.toml: no such file"),
        (("recommend", ONE_NODE, "--max-buy", "much"), "--max-buy: 'much' is not a number"),
        (("recommend", ONE_NODE, "--max-buy", "-1"), "--max-buy: "),
        (("recommend", ONE_NODE, "--max-gpus", "0"), "--max-gpus: 0 is too few"),
        (("recommend", ONE_NODE, "--vendor", "nvida"), "no vendor 'nvida' (nearest: NVIDIA); allowed: AMD"),
        (("recommend", ONE_NODE, "--form-factor", "XSM"), "no form factor starts with 'XSM'; there are: "),
        (("recommend", ONE_NODE, "--owned", "h1000"), "--owned: no accelerator 'h1000'; nearest: h100-"),
        (("recommend", ONE_NODE, "--tp", "7"), "layout.tp: 7 "),
        (("recommend", ONE_NODE, "--save", ONE_NODE), "cannot be made: "),
        (("export", ONE_NODE), "the following arguments are required: --to"),
        (("export", ONE_NODE, "--to", "helm"), "invalid choice: 'helm'"),
        (("export", ONE_NODE, "--to", "torchrun"), "torchrun starts training; this session serves"),
        (
            ("export", TRAINING, "--to", "vllm"),
            "vllm serves; this session trains: use slurm, nccl, accelerate, deepspeed, torchtitan",
        ),
        (("export", ONE_NODE, "--tp", "7", "--to", "vllm"), "layout.tp: 7 "),
    ],
)
def test_bad_input_is_one_line_and_code_2(run: Run, arguments: tuple[str | Path, ...], words: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1


def test_a_session_from_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(ONE_NODE.read_bytes()))
    monkeypatch.setattr(sys, "stdin", stream)
    assert run("recommend", "-")[1] == run("recommend", ONE_NODE)[1]


@pytest.mark.parametrize(
    "target", ["vllm", "sglang", "trtllm-serve", "nim", "compose", "k8s", "lws", "slurm", "ray", "nccl"]
)
def test_a_serving_build_is_exported_under_its_model_s_own_name(run: Run, target: str) -> None:
    code, out, err = run("export", ONE_NODE, "--to", target)
    assert (code, err) == (0, "")
    name = catalog.load().model("llama-3.1-70b").hf_id
    assert target == "nccl" or name.partition("/")[2].lower() in out.lower()
    assert out.endswith("\n")


def test_an_export_of_a_build_that_falls_short_warns_and_leaves_with_3(run: Run) -> None:
    code, out, _ = run("export", ONE_NODE, "--accelerator", "l4", "--gpus", "1", "--to", "vllm")
    assert code == 3
    assert "WARNING" in out


def test_a_training_build_is_exported(run: Run) -> None:
    code, out, _ = run("export", TRAINING, "--to", "torchrun")
    assert code == 0
    assert "--nnodes 4" in out


def test_a_drifted_catalog_is_told_by_the_report(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "old.toml"
    session.save(session.load(ONE_NODE), path)
    assert "Since it was saved" not in run("report", path)[1]
    lines = path.read_text().splitlines()
    changed = ["bandwidth_gb_s = 1000.0" if line.startswith("bandwidth_gb_s") else line for line in lines]
    path.write_text("\n".join(changed) + "\n")
    code, out, _ = run("report", path)
    assert code == 0
    assert "memory bandwidth was 1,000 GB/s; now " in out
    assert "\nas saved" in out
    assert "Since it was saved" not in run("report", path, "--accelerator", "h100-sxm")[1]


def test_recommend_and_export_do_without_the_app() -> None:
    script = (
        "import sys; from tui.cli import main\n"
        f"main(['recommend', {str(ONE_NODE)!r}]); main(['export', {str(ONE_NODE)!r}, '--to', 'vllm'])\n"
        "assert not {'textual', 'rich'} & set(sys.modules), 'the app was imported'"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
