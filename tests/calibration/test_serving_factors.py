"""What a fit of serving speed may free: factors whose class is crossed, one to a constant, a table with one vote."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from tests.accuracy import inference_perf
from tests.accuracy.harness import REFERENCE, load_rows
from tests.accuracy.inference_perf import Prepared
from tests.accuracy.rows import UnreadableRow, readable
from tests.accuracy.speed_loads import Unusable
from tests.calibration import serving_speed as calibration

FACTORS = [name for name in calibration.FREE if "@" in name]


@pytest.fixture(scope="module")
def fitted() -> list[tuple[str, Prepared]]:
    """(who published it, the row as a scenario) of every row that is fitted on."""
    found = []
    for row in (row for file in calibration.FILES for row in load_rows(REFERENCE / file)):
        try:
            read = readable(row)
            prepared = inference_perf.prepare(read)
        except (Unusable, UnreadableRow, ValueError):
            continue
        if not inference_perf.doubt_of(read, prepared):
            found.append((calibration.origin_of(row), prepared))
    return found


def test_a_constant_has_one_factor_at_most() -> None:
    for name in FACTORS:
        constant, at, engine = name.partition("@")
        assert constant in calibration.SHAPE
        assert at
        assert engine in {"vllm", "vllm-earlier", "sglang", "trtllm", "llama.cpp"}


@pytest.mark.parametrize("name", FACTORS)
def test_a_factor_is_of_a_class_that_is_crossed(name: str, fitted: list[tuple[str, Prepared]]) -> None:
    constant, _, engine = name.partition("@")
    rows = [(source, one) for source, one in fitted if one.scenario.runtime.engine == engine]
    if "moe" in constant:
        rows = [(source, one) for source, one in rows if one.moe]
    else:
        # what a class of models taught would price the other
        assert {one.moe for _, one in rows} == {False, True}
    assert len({source for source, _ in rows}) >= 2
    assert len({one.groups["model"] for _, one in rows}) >= 2


def test_a_table_has_one_vote_nearly() -> None:
    points = calibration.points_of(load_rows(REFERENCE / calibration.FILES[0])[:60])
    calibration.balance(points)
    counts = Counter(map(calibration._like, points))
    votes: dict[tuple[str, ...], float] = defaultdict(float)
    for point in points:
        votes[calibration._like(point)] += point.weight
    (large, many), (small, few) = counts.most_common()[0], counts.most_common()[-1]
    assert many >= 3 * few
    assert votes[large] / votes[small] == pytest.approx((many / few) ** 0.25)
    assert sum(point.weight for point in points) == pytest.approx(len(points))
