"""The long run counts what its targets made, and a failure ends with the seed that brings it back."""

from __future__ import annotations

import signal
import sys
import threading
from collections import Counter
from types import ModuleType

import pytest

from tests import fuzz
from tests.fuzz import Failure, Stop, after, within
from tests.fuzz.__main__ import main


@pytest.fixture
def targets(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """Two targets that stand in for the real ones: one that fails at an odd seed, and one that never does."""

    def odd(seed: int, stop: Stop) -> Counter[str]:
        if seed % 2:
            raise Failure("case 3: this promise was broken")
        return Counter(cases=2, refused=1)

    def even(seed: int, stop: Stop) -> Counter[str]:
        return Counter(cases=3, sized=3, torn=1)

    made = {"odd": ModuleType("odd"), "even": ModuleType("even")}
    made["odd"].run, made["even"].run = odd, even  # type: ignore[attr-defined] # modules are made here
    monkeypatch.setattr(fuzz, "names", lambda: list(made))
    for name in ("names", "target"):
        monkeypatch.setattr(
            sys.modules["tests.fuzz.__main__"], name, {"names": lambda: list(made), "target": made.get}[name]
        )
    return made


def test_a_failure_is_told_with_its_seed(targets: dict[str, ModuleType], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--minutes", "0.0005", "--seed", "7", "--only", "odd"]) == 1
    told = capsys.readouterr()
    assert "this promise was broken" in told.err
    assert "--seed 7 --only odd" in told.out


def test_counts_are_a_table(targets: dict[str, ModuleType], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--minutes", "0.0005", "--only", "even"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["target", "cases", "refused", "sized", "failures"]
    assert row.split()[0] == "even"
    assert int(row.split()[1].replace(",", "")) >= 3
    assert "torn" in row


def test_so_many_cases_are_made() -> None:
    stop = after(3)
    assert [stop() for _ in range(5)] == [False, False, False, True, True]


def loop() -> None:
    """Never end."""
    while True:
        pass


def test_a_case_without_an_end_is_cut_off() -> None:
    with pytest.raises(Failure, match="loops: no answer within"), within(0.05, "loops"):
        loop()
    with pytest.raises(Failure, match="waits: no answer within"), within(0.02, "waits"):
        threading.Event().wait()
    assert signal.getitimer(signal.ITIMER_PROF) == signal.getitimer(signal.ITIMER_REAL) == (0, 0)
