"""No figure may err more on measured rows than its bar, and a bar only falls."""

from __future__ import annotations

import pytest

from tests.accuracy import bars

LISTED = [(file, figure) for file, figures in bars.stored().items() for figure in figures]


@pytest.mark.parametrize(("file", "figure"), LISTED, ids=lambda value: value.replace(" ", "_"))
def test_no_error_is_over_its_bar(file: str, figure: str) -> None:
    today = bars.errors(file).get(figure)
    assert today is not None, f"{figure} of {file} is compared no more"
    for name, bar in bars.stored()[file][figure].items():
        assert today[name] <= bar, f"{name} of {figure} in {file}: {today[name]:.4g}, bar {bar:.4g}"


def test_every_figure_with_rows_enough_has_a_bar() -> None:
    missing = [(file, figure) for file in bars.FILES for figure in bars.errors(file) if (file, figure) not in LISTED]
    assert not missing, "python -m tests.accuracy.bars --lower adds them"


def test_a_bar_falls_with_the_error_and_never_rises() -> None:
    table = {"file": {"figure": {"median": 0.10, "p90": 0.50}}}
    made = bars.lowered(table, {"file": {"figure": {"median": 0.05, "p90": 0.60}, "new": {"wrong": 3}}})
    assert made == {"file": {"figure": {"median": 0.055, "p90": 0.50}, "new": {"wrong": 3}}}
