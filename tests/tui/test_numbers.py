"""Numbers as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.files import numbers
from tui.files.numbers import NumberError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8192", 8192),
        ("8k", 8000),
        ("8 K", 8000),
        ("8Ki", 8192),
        ("1.5T", 1_500_000_000_000),
        ("2M", 2_000_000),
        ("70B", 70_000_000_000),
        ("7,000", 7000),
        ("1,000,000", 1_000_000),
        ("7 000", 7000),
        ("7_000", 7000),
        ("7'000", 7000),
        ("1e9", 10**9),
        ("1.0", 1),
        (".5k", 500),
        ("+3", 3),
        ("-3", -3),
        ("0", 0),
    ],
)
def test_whole_numbers(text: str, value: int) -> None:
    assert numbers.whole(text) == value
    assert numbers.whole(f"  {text} ") == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "x",
        "8x",
        "1,00",
        "nan",
        "inf",
        "0x10",
        "1.2.3",
        "--1",
        "1e",
        "9" * 100,
        "1e30",
        "1e9999",
        "1.5",
        "k",
        "8k8",
        "8 %",
    ],
)
def test_what_is_no_whole_number_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(NumberError) as caught:
        numbers.whole(text)
    assert "allowed: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_decimals_shares_and_times() -> None:
    assert numbers.decimal("$2.99") == 2.99
    assert numbers.decimal("1.5k") == 1500
    assert numbers.share("90 %") == numbers.share("0.9") == 0.9
    assert numbers.share("92.5%") == 0.925
    assert numbers.seconds("500ms") == numbers.seconds("0.5 s") == numbers.seconds("0.5") == 0.5
    assert numbers.seconds("1.5 min") == 90
    assert numbers.days("36h") == 1.5
    assert numbers.days("2 weeks") == 14
    for read, text in (
        (numbers.decimal, "5 s"),
        (numbers.share, "5 s"),
        (numbers.seconds, "5 kg"),
        (numbers.days, "5 s"),
    ):
        with pytest.raises(NumberError, match="allowed: "):
            read(text)


@given(st.integers(-numbers.LARGEST, numbers.LARGEST))
def test_a_whole_number_is_typed_as_it_is_read(value: int) -> None:
    assert numbers.whole(numbers.typed(value)) == value


@given(st.floats(-1e15, 1e15))
def test_a_decimal_is_typed_as_it_is_read(value: float) -> None:
    assert numbers.decimal(numbers.typed(value)) == value


@given(st.text(max_size=30))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    for read in (numbers.whole, numbers.decimal, numbers.share, numbers.seconds, numbers.days):
        try:
            read(text)
        except NumberError:
            continue


def test_typed_is_short_where_it_can_be() -> None:
    assert [numbers.typed(value) for value in (8000, 8192, 524288, 1_500_000_000_000, 0, None, 0.9, 2.0)] == [
        "8k", "8192", "524288", "1.5T", "0", "", "0.9", "2",
    ]  # fmt: skip
