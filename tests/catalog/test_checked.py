"""What a file may hold is what pydantic's core takes in strict mode, refused in the same words."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic_core import CoreConfig, SchemaValidator, ValidationError, core_schema

from catalog import checked
from catalog.checked import Check, Refused, Table
from catalog.schema import explain, first_error

STRICT = CoreConfig(extra_fields_behavior="forbid", strict=True, allow_inf_nan=False)
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 7, 8, 9, 2**70, 0.0, 0.5, 1.0, -0.5, 8.0, 8.5, 1e300, math.inf, -math.inf,
    math.nan, "", "a", "bf16", "eight le", "nine long", "über", (), ("a",), (1,), (1, 2.5), (1, 2.5, 3), ("a", 1),
    ((1, 2.5),), {}, {"a": 1},
)  # fmt: skip

CASES: dict[str, tuple[Check, core_schema.CoreSchema]] = {
    "text": (checked.text(), core_schema.str_schema()),
    "short text": (checked.text(8), core_schema.str_schema(max_length=8)),
    "flag": (checked.flag, core_schema.bool_schema()),
    "whole": (checked.whole(), core_schema.int_schema()),
    "whole in limits": (checked.whole(0, 8), core_schema.int_schema(ge=0, le=8)),
    "whole above": (checked.whole(above=0), core_schema.int_schema(gt=0)),
    "number": (checked.number(), core_schema.float_schema()),
    "number in limits": (checked.number(0, 8), core_schema.float_schema(ge=0, le=8)),
    "number above": (checked.number(above=0), core_schema.float_schema(gt=0)),
    "word": (checked.one_of(("bf16", "fp8", "a")), core_schema.literal_schema(["bf16", "fp8", "a"])),
    "one word": (checked.one_of(("bf16",)), core_schema.literal_schema(["bf16"])),
    "number or nothing": (checked.optional(checked.number()), core_schema.nullable_schema(core_schema.float_schema())),
    "words": (
        checked.several(checked.text()),
        core_schema.tuple_schema([core_schema.str_schema()], variadic_item_index=0),
    ),
    "pairs": (
        checked.several(checked.exactly(checked.whole(), checked.number())),
        core_schema.tuple_schema(
            [core_schema.tuple_schema([core_schema.int_schema(), core_schema.float_schema()])], variadic_item_index=0
        ),
    ),
}


def judged_by_pydantic(schema: core_schema.CoreSchema, given: Any) -> tuple[Any, str]:
    """(the value, what is wrong), one of them empty."""
    try:
        return SchemaValidator(schema).validate_python(given), ""
    except ValidationError as problem:
        return None, explain(first_error(problem), ["value"])[1]


def judged(check: Check, given: Any) -> tuple[Any, str]:
    """Likewise by the check."""
    try:
        return check(given), ""
    except Refused as problem:
        return None, explain(problem.fault, ["value"])[1]


@pytest.mark.parametrize("name", CASES)
def test_a_check_judges_as_pydantic_does(name: str) -> None:
    check, schema = CASES[name]
    table = core_schema.typed_dict_schema({"value": core_schema.typed_dict_field(schema)}, config=STRICT)
    for value in VALUES:
        ours, theirs = judged(Table({"value": check}), {"value": value}), judged_by_pydantic(table, {"value": value})
        assert ours == theirs, value
        if ours[0] is not None:
            assert repr(ours[0]) == repr(theirs[0]), value  # 1 is no 1.0


def test_a_pair_has_two_values() -> None:
    check = checked.exactly(checked.whole(), checked.number())
    assert check([1, 2]) == (1, 2.0)
    assert judged(check, [1])[1].endswith("allowed: a longer list")
    assert judged(check, [1, 2, 3])[1].endswith("allowed: up to 2 values")


def test_a_whole_number_that_no_float_can_hold_is_no_finite_number() -> None:
    assert judged(checked.number(), 10**400)[1].endswith("allowed: a finite number")
    assert judged(checked.number(0, 8), 10**400)[1].endswith("allowed: up to 8")


@pytest.mark.parametrize(
    ("given", "key", "reason"),
    [
        ({"nmae": "a"}, "nmae", "unknown key; the nearest known one is name"),
        ({"nmae": "a", "gpus": "x"}, "nmae", "unknown key; the nearest known one is name"),
        ({"gpus": "x"}, "gpus", "'x' is not accepted; allowed: a whole number"),
        ({"links": ["a", 1], "name": "b"}, "links.1", "1 is not accepted; allowed: text in quotes"),
        ({"name": 1}, "name", "1 is not accepted; allowed: text in quotes"),
        ({}, "name", "this key is required"),
    ],
)
def test_the_first_fault_of_a_table_is_told(given: dict[str, Any], key: str, reason: str) -> None:
    checks = {"name": checked.text(), "gpus": checked.whole(), "links": checked.several(checked.text())}
    table = Table(checks, required=["name"])
    with pytest.raises(Refused) as refused:
        table(given)
    assert explain(refused.value.fault, checks) == (key, reason)
    assert table({"links": ["a"], "name": "b"}) == {"links": ("a",), "name": "b"}
