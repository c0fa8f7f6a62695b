"""Every claim of the source articles has a row; most agree; each that does not says why."""

from __future__ import annotations

import pytest

from tests.claims.claim import Claim, claims_file
from tests.claims.table import HANDLERS, all_claims

# Of all rows, how many must agree with the claim's own range.
BAR = 0.85


@pytest.fixture(scope="module")
def rows() -> list[Claim]:
    """All claims, computed once."""
    return all_claims()


def test_no_section_and_no_entry_is_left_out(rows: list[Claim]) -> None:
    content = {name: value for name, value in claims_file().items() if name != "meta"}
    assert set(content) == set(HANDLERS)
    keys = {row.key for row in rows}
    for section, value in content.items():
        expected = [f"{section}[{n}]" for n in range(1, len(value) + 1)] if isinstance(value, list) else [section]
        for key in expected:
            assert any(row == key or row.startswith(f"{key}.") for row in keys), f"{key} has no row"


def test_at_least_85_percent_agree(rows: list[Claim]) -> None:
    agreeing = sum(row.agrees for row in rows)
    print(f"\n{agreeing} of {len(rows)} claims agree")
    for row in rows:
        print(f"  {'inside ' if row.agrees else 'OUTSIDE'} {row.key}: {row.claim} | {row.ours} | {row.why}")
    assert agreeing / len(rows) >= BAR


def test_every_disagreement_has_a_reason(rows: list[Claim]) -> None:
    assert [row.key for row in rows if not row.agrees and not row.why] == []
