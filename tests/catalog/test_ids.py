"""What a wrong id is answered with."""

from __future__ import annotations

import pytest

import catalog
from catalog.ids import matches, nearest


@pytest.mark.parametrize(
    ("what", "wrong", "expected"),
    [
        ("model", "llama-3.1-70", "llama-3.1-70b"),
        ("model", "llama3.1-70b", "llama-3.1-70b"),
        ("model", "meta-llama/Llama-3.1-70B", "llama-3.1-70b"),
        ("model", "deepseekv3", "deepseek-v3"),
        ("model", "mixtral-8x22", "mixtral-8x22b"),
        ("accelerator", "h100", "h100-sxm"),
        ("accelerator", "H100 SXM", "h100-sxm"),
        ("accelerator", "h100-sxm5", "h100-sxm"),
        ("accelerator", "H100-80GB", "h100-sxm"),
        ("accelerator", "rtx-pro-6000", "rtx-pro-6000-server"),
        ("accelerator", "4090", "rtx-4090"),
        ("accelerator", "a100-80gb", "a100-sxm4-80gb"),
        ("accelerator", "mi300", "mi300x"),
        ("accelerator", "b200", "b200-sxm"),
        ("link", "ndr", "ib-ndr"),
        ("link", "infiniband-ndr", "ib-ndr"),
        ("link", "ib-400", "ib-ndr"),
        ("link", "nvlink4", "nvlink-4"),
        ("link", "pcie5", "pcie5-switch"),
        ("link", "25gbe", "eth-25-tcp"),
        ("platform", "dgx-h10", "dgx-h100"),
    ],
)
def test_the_one_that_was_meant_is_among_the_nearest_three(what: str, wrong: str, expected: str) -> None:
    find = getattr(catalog.load(), what)
    with pytest.raises(catalog.UnknownId) as caught:
        find(wrong)
    assert len(caught.value.nearest) == 3
    assert expected in caught.value.nearest
    assert wrong in str(caught.value)
    assert expected in str(caught.value)


def test_nearest_of_plain_names_and_of_nothing() -> None:
    assert nearest("concurency", ("concurrency", "input_tokens", "kind"), 1) == ("concurrency",)
    assert nearest("x", ()) == ()
    assert len(nearest("", ("a", "b"))) == 2


def test_a_search_matches_all_its_words_without_regard_to_punctuation() -> None:
    assert matches("llama 70b", "llama-3.1-70b", "Llama 3.1 70B")
    assert matches("RTX6000", "rtx-6000-ada")
    assert matches("", "anything")
    assert not matches("llama 8b", "llama-3.1-70b")
