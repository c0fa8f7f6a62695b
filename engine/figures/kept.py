"""Answers that are kept by identity, and how many of them."""

from __future__ import annotations

from itertools import islice
from typing import TypeVar

_Key = TypeVar("_Key")
_Answer = TypeVar("_Answer")


def keep(kept: dict[_Key, _Answer], key: _Key, answer: _Answer, most: int) -> _Answer:
    """Add an answer to those that are kept, at most so many, and return it. A full store gives up its older half.

    For what `lru_cache` cannot keep, such as answers by the identity of what they belong to. A store that is emptied
    whole would make the next edit work out everything anew, and one that drops the oldest at each answer would search
    for it.
    """
    if len(kept) >= most:
        for old in list(islice(kept, most - most // 2)):
            del kept[old]
    kept[key] = answer
    return answer
