"""One command fits every module of constants again, and gives what is shipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.calibration import serving_memory as shipped
from engine.calibration import training_memory as memory
from engine.calibration import training_speed as speed
from tests.accuracy.harness import REFERENCE
from tests.calibration import training_memory, training_speed
from tests.calibration.__main__ import SETS, main
from tests.calibration.serving_memory import all_fits, logs

CONSTANTS = Path(shipped.__file__).parent


def test_a_folder_without_tables_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["kernels", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"{tmp_path}: no measured tables")


def test_every_module_of_constants_has_its_fit() -> None:
    assert {path.stem for path in CONSTANTS.glob("*.py")} - {"__init__"} == set(SETS)


def test_there_is_nothing_to_leave_out_of_kernels(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["kernels", str(tmp_path), "--left-out"]) == 2
    assert "each table is fitted by itself" in capsys.readouterr().err


@pytest.mark.parametrize("name", SETS)
def test_a_module_of_constants_says_what_wrote_it(name: str) -> None:
    head = (CONSTANTS / f"{name}.py").read_text(encoding="utf-8").partition('"""\n')[0]
    assert f"tests.calibration {name}" in head or f"tests/calibration/{name}.py" in head


def test_a_fit_gives_the_constants_that_are_shipped(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serving_memory"]) == 0
    told = capsys.readouterr().out
    for fit in all_fits(logs()):
        assert getattr(shipped, fit.name) == pytest.approx(fit.value, rel=1e-3)
        assert fit.name in told


def test_workings_say_how_much_the_constants_rest_on() -> None:
    assert training_memory.counted(training_memory.prepare()) == (memory.RUNS, memory.SOURCES)
    rows = training_speed.samples(REFERENCE / "training_perf.jsonl")
    assert (len(rows), len({row.framework for row in rows})) == (speed.RUNS, speed.FRAMEWORKS)


def test_rows_that_cannot_be_read_end_in_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["training_speed", str(tmp_path / "none.jsonl")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
