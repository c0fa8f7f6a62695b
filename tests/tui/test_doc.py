"""Lines of text: wrapping, shortening, and which cells differ."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui.pages.doc import Span, changed_cells, flow, line, plain, shorten, shorten_name, width_of, wrap

_TEXT = st.text(alphabet="abc -/,.%0123456789 ", max_size=120)
_LINES = st.lists(st.tuples(st.text("ab ", max_size=6), st.sampled_from(["", "x"])), max_size=6).map(
    lambda parts: tuple(Span(text, style) for text, style in parts)
)


@given(_TEXT, st.integers(4, 40))
def test_wrapped_lines_fit_and_keep_every_letter(text: str, width: int) -> None:
    rows = wrap(text, width)
    assert all(len(row) <= width for row in rows)
    assert "".join("".join(rows).split()) == "".join(text.split())


def test_a_figure_and_its_unit_stay_together() -> None:
    assert wrap("weights take 51 % of it", 15) == ["weights take", "51 % of it"]


@given(_TEXT, st.integers(8, 40))
def test_flowing_keeps_the_words(text: str, width: int) -> None:
    rows = flow(line((text, "a")), width)
    assert "".join("".join(plain(row) for row in rows).split()) == "".join(text.split())


def test_a_full_row_ends_with_its_last_word() -> None:
    assert [plain(row) for row in flow(line(("aaaa bbbb cccc", "a")), 9)] == ["aaaa bbbb", " cccc"]


def test_a_name_keeps_its_end_where_size_and_format_stand() -> None:
    assert shorten_name("nvidia/Llama-3.1-8B-FP8", 16) == "Llama-3.1-8B-FP8"
    assert shorten_name("deepseek-r1-distill-qwen-32b", 20) == "deepseek-r1…qwen-32b"
    assert shorten_name("Qwen/Qwen3-235B-A22B-Instruct-2507-FP8", 20) == "Qwen3-235B…2507-FP8"
    for width in range(1, 31):
        for name in ("nemotron-3-super-120b-a12b", "x" * 50, "a/" + "b" * 40, "-" * 40):
            assert len(shorten_name(name, width)) <= width
    assert shorten_name("short", 14) == "short"


def test_shortening_cuts_between_words() -> None:
    assert shorten("nvlink-4-bridge-4way", 14) == "nvlink-4…"
    assert shorten("short", 14) == "short"
    assert len(shorten("x" * 50, 10)) == 10


@given(_LINES, _LINES)
def test_only_differing_cells_are_named(old: tuple[Span, ...], new: tuple[Span, ...]) -> None:
    def cells(row: tuple[Span, ...], length: int) -> list[tuple[str, str]]:
        found = [(char, span.style) for span in row for char in span.text]
        return found + [(" ", "")] * (length - len(found))

    length = max(width_of(old), width_of(new))
    before, after = cells(old, length), cells(new, length)
    for start, end in changed_cells(old, new):
        before[start:end] = after[start:end]
    assert before == after
