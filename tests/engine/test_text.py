"""Text that others wrote: nothing in it reaches a terminal raw, and nothing makes a message long."""

from __future__ import annotations

import json
import unicodedata
from datetime import date, datetime

import pytest

from engine.figures.text import clipped, harmless, nameable, printable, shown

STEERING = [
    *map(chr, range(0x20)),
    *map(chr, range(0x7F, 0xA0)),
    *"\u200b\u200e\u202e\u2066\u2069\u2028\ufeff\U000e0041",
]


@pytest.mark.parametrize("char", [char for char in STEERING if char != "\n"], ids=lambda char: f"{ord(char):x}")
def test_a_character_that_steers_is_an_escape_that_json_reads_back(char: str) -> None:
    told = harmless(f"a{char}b\n")
    assert told[:-1].isprintable()
    assert told[-1] == "\n"
    assert json.loads(f'"{told[:-1]}"') == f"a{char}b"


def test_no_control_and_no_format_character_passes() -> None:
    raw = "".join(map(chr, range(0x3000))) + "\U000e0001\ud800"
    assert not {unicodedata.category(char) for char in harmless(raw) if char != "\n"} & {
        "Cc",
        "Cf",
        "Cs",
        "Co",
        "Cn",
        "Zl",
    }


def test_harmless_text_stays_as_it_is() -> None:
    for text in ("", "70B chat", "模型 π × – …", "two\nlines"):
        assert harmless(text) == text
    assert printable("two\nlines") == "two\\nlines"


def test_long_text_keeps_its_ends() -> None:
    text = clipped("a" * 5000 + "b" * 5000, 100)
    assert len(text) == 100
    assert text[0] == "a"
    assert text[-1] == "b"
    assert clipped("short", 100) == "short"


@pytest.mark.parametrize(
    "value",
    ["x" * 10**6, 10**5000, -(10**5000), [[]] * 10**5, {"a": "b" * 999}, b"\x1b" * 99, "\x1b[2J"],
    ids=["text", "digits", "negative", "lists", "table", "bytes", "escape"],
)
def test_a_value_is_shown_in_a_few_characters(value: object) -> None:
    assert len(shown(value)) <= 46
    assert shown(value).isprintable()


def test_what_can_be_a_name() -> None:
    assert nameable("RTX PRO 6000 (lab), Käthe's")
    for text in ("a\nb", "a\x1b[31m", "a\u202eb", "x" * 201):
        assert not nameable(text)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, "true"),
        (False, "false"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, 4), "2026-01-02T03:04:00"),
        (1.5, "1.5"),
        ("many", "'many'"),
        ("x" * 38, f"'{'x' * 38}'"),
        ("x" * 39, f"'{'x' * 35}...'"),
        ([1, 2], "a list of 2"),
        ({}, "{}"),
    ],
)
def test_a_value_is_shown_in_the_words_of_its_file(value: object, words: str) -> None:
    assert shown(value) == words
