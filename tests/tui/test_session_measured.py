"""What logs measured, kept with a session: in the file, in reports and in the app, beside what is predicted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from engine.decide import beside
from engine.decide.size import size
from engine.parts.own import Measurement
from engine.scenario import Scenario
from tests.tui.figures import page_lines, studied
from tests.tui.test_measured import BENCH, NCCL, VLLM, written
from tui.cli import main
from tui.files import session, session_measured
from tui.files.pins import Pin
from tui.files.session_tables import SessionError
from tui.pages.doc import plain, width_of

SESSION = """\
schema = 1
[model]
id = "llama-3.1-8b"
weights = "bf16"
[hardware]
accelerator = "h100-sxm"
[workload]
kind = "serve"
concurrency = 8
input_tokens = 500
output_tokens = 100
"""


@pytest.fixture
def kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A session with a benchmark and a start."""
    path = tmp_path / "chat.toml"
    path.write_text(SESSION)
    assert main(["measured", *written(tmp_path, bench=BENCH, start=VLLM), "--into", str(path)]) == 0
    assert "kept 2 logs" in capsys.readouterr().out
    return path


def test_figures_of_logs_go_into_the_session_and_come_back(kept: Path, tmp_path: Path) -> None:
    scenario = session.load(kept)
    bench, start = scenario.measured
    assert bench.build == start.build == "llama-3.1-8b bf16, 1x h100-sxm, vllm, TP 1"
    assert dict(bench.figures)["ttft_s"] == 0.2105
    assert dict(bench.load) == {"concurrency": 32, "input_tokens": 1024, "output_tokens": 256, "requests": 320}
    assert dict(start.figures)["kv_tokens"] == 441504
    text = session.dump(scenario)
    assert session.parse(text) == scenario
    assert session.dump(session.parse(text)) == text
    # it decides nothing
    assert replace(size(scenario), scenario=replace(scenario, measured=())) == size(replace(scenario, measured=()))
    # the same log again takes the place of the first
    assert main(["measured", *written(tmp_path, bench=BENCH), "--into", str(kept)]) == 0
    assert len(session.load(kept).measured) == 2


def test_each_stands_beside_what_is_predicted_under_its_own_load(kept: Path) -> None:
    scenario = session.load(kept)
    bench, start = beside.beside(size(scenario))
    there = size(
        replace(
            scenario,
            workload=replace(scenario.workload, concurrency=32, input_tokens=1024, output_tokens=256, requests=320),
        )
    )
    assert there.serving is not None
    rows = {row.key: row for row in bench.rows}
    assert rows["ttft_s"].predicted == there.serving.ttft_s
    assert rows["tokens_per_s"].predicted == there.serving.tokens_per_s_total
    tokens = next(row for row in start.rows if row.key == "kv_tokens")
    assert tokens.predicted == pytest.approx(441504, rel=0.05)
    concurrency = next(row for row in start.rows if row.key == "concurrency")
    assert concurrency.predicted == pytest.approx(53.89, rel=0.05), "of the 8,192 tokens that the log names"


def test_reports_and_the_app_show_it(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options in ([], ["--full"], ["--format", "markdown"]):
        assert main(["report", str(kept), *options]) == 0
        text = capsys.readouterr().out
        assert "Measured beside predicted" in text
        assert "210 ms" in text
        assert "bench.log" in text
    assert main(["report", str(kept), "--format", "json"]) == 0
    bench, _ = json.loads(capsys.readouterr().out)["measured"]
    assert bench["this_build"]
    first = bench["figures"][0]
    assert (first["figure"], first["measured"], first["inside"]) == ("ttft_s", 0.2105, False)
    scenario = session.load(kept)
    for width in (60, 110):
        lines = page_lines(size(scenario), studied(scenario, vendors=("none",)), "Speed", width)
        start = next(at for at, row in enumerate(lines) if plain(row).startswith("MEASURED"))
        shown = [plain(row) for row in lines[start:]]
        assert any("first token" in row and "210 ms" in row and "outside" in row for row in shown) or width == 60
        assert any("first token" in row and "210 ms" in row for row in shown)
        assert max(map(width_of, lines[start:])) <= width


def test_another_build_than_was_measured_says_so(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = session.load(kept)
    other = replace(scenario, runtime=replace(scenario.runtime, engine="sglang"))
    assert [(one.other, one.rows) for one in beside.beside(size(other))] == [(True, ())] * 2
    kept.write_text(session.dump(other))
    assert main(["report", str(kept)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "of another build: llama-3.1-8b bf16, 1x h100-sxm, vllm, TP 1" in text


WRONG = {
    "[[measured]]\ntool = 'x'\n": "measured.figures: this key is required",
    "[[measured]]\nfigurs = {}\n": "measured.figurs: unknown key; the nearest known one is figures",
    "[[measured]]\n[measured.figures]\nttft = 1\n": "measured.figures.ttft: unknown key; the nearest known one is ttft_s",
    "[[measured]]\n[measured.figures]\nttft_s = -1\n": "measured.figures.ttft_s: -1 is not accepted",
    "[[measured]]\n[measured.figures]\nttft_s = true\n": "measured.figures.ttft_s: true is not accepted",
    "[[measured]]\n[measured.figures]\nttft_s = nan\n": "measured.figures.ttft_s: nan is not accepted",
    "[[measured]]\n[measured.figures]\nttft_s = 1\n[measured.load]\nconcurrency = 1.5\n": "measured.load.concurrency: 1.5",
    '[[measured]]\ntool = "a\\u001b[2J"\n[measured.figures]\nttft_s = 1\n': "measured.tool:",
    "measured = 3\n": "measured: 3 is not accepted",
    "[[measured]]\n[measured.figures]\nttft_s = 1\n" * 33: "measured: 33 measurements are too many",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_table_is_named(text: str) -> None:
    whole = f"{text}{SESSION}" if text.startswith("measured") else f"{SESSION}{text}"
    with pytest.raises(SessionError) as refused:
        session.parse(whole)
    assert WRONG[text] in str(refused.value)
    assert "\x1b" not in str(refused.value)


def test_a_load_that_the_build_does_not_take_leaves_the_figures_alone() -> None:
    scenario = session.parse(SESSION)
    figures = (("ttft_s", 0.2),)
    words = beside.build_words(size(scenario))
    for load in ((("max_model_len", 10**9),), (("concurrency", 10**14),)):
        made = replace(scenario, measured=(Measurement("a tool", words, figures, load),))
        assert [one.other for one in beside.beside(size(made))] == [True]


def test_what_a_session_may_hold_is_what_is_compared() -> None:
    assert set(session_measured.FIGURES) == set(beside.FIGURES)
    assert set(session_measured.LOAD) == set(beside.LOAD)


@pytest.mark.parametrize(
    ("more", "said"),
    [(["--gpus", "2"], "no other one and no options"), (["other.toml"], "no other one and no options")],
)
def test_into_takes_the_build_from_its_session_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    path = tmp_path / "chat.toml"
    path.write_text(SESSION)
    assert main(["measured", *written(tmp_path, bench=BENCH), *more, "--into", str(path)]) == 2
    assert said in capsys.readouterr().err
    assert path.read_text() == SESSION


def test_times_of_links_and_missing_sessions_leave_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "chat.toml"
    path.write_text(SESSION)
    assert main(["measured", *written(tmp_path, nccl=NCCL), "--into", str(path)]) == 2
    assert "--keep" in capsys.readouterr().err
    assert path.read_text() == SESSION
    assert main(["measured", *written(tmp_path, bench=BENCH), "--into", str(tmp_path / "none.toml")]) == 2
    assert not (tmp_path / "none.toml").exists()


def test_a_pin_keeps_its_own(kept: Path) -> None:
    scenario = session.load(kept)
    text = session.dump(scenario, pinned=[Pin("as measured", scenario)])
    (pin,) = session.pins(text)
    assert pin.scenario.measured == scenario.measured
    assert isinstance(pin.scenario, Scenario)
