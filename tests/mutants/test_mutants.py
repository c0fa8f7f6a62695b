"""The mutants themselves: drawn by a seed alone, of every kind of change, and killed where a figure depends on them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutants.__main__ import COUNT, Copy, drawn
from tests.mutants.forked import functions
from tests.mutants.sites import (
    COMPARISONS,
    OPERATORS,
    ROOT,
    TWINS,
    Mutant,
    all_places,
    equivalents,
    formula_modules,
    module_name,
    mutants_of,
    mutated,
    readers,
)

SAMPLE = '''
LIMIT = 4

def price(cards: int, each: float = 2.5) -> float:
    """What some cards cost, at least 10."""
    if cards < 3 or each > 9:
        return max(10.0, cards * each)
    return -cards + each // LIMIT

def words(cards: int) -> str:
    return f"{cards + 1} cards"
'''


def sample() -> list[Mutant]:
    return list(mutants_of(Path("sample.py"), SAMPLE))


def test_a_seed_draws_the_same_mutants_and_another_seed_others() -> None:
    first = drawn(1, COUNT)
    assert len(first) == COUNT
    assert drawn(1, COUNT) == first
    assert len({(one.file, one.number) for one in first}) == COUNT, "a place is drawn twice"
    assert {one.key for one in drawn(2, COUNT)} != {one.key for one in first}


def test_each_kind_of_change_has_places_among_the_formulas() -> None:
    kinds: set[type[ast.AST] | str] = set()
    for path in formula_modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.BinOp):
                kinds.add(type(node.op))
            elif isinstance(node, ast.Compare):
                kinds |= {type(sign) for sign in node.ops}
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                kinds.add(node.func.id)
    assert set(OPERATORS) <= kinds
    assert set(COMPARISONS) <= kinds
    assert {"min", "max", "any"} <= kinds & set(TWINS)


def test_what_computes_is_drawn_and_what_words_or_types_is_not() -> None:
    changes = {(one.place, one.before, one.after) for one in sample()}
    assert ("price", "cards * each", "cards / each") in changes
    assert ("price", "cards < 3", "cards <= 3") in changes
    assert ("price", "cards < 3", "cards < 4") in changes
    assert ("price", "-cards", "cards") in changes
    assert ("price", "max(10.0, cards * each)", "min(10.0, cards * each)") in changes
    assert ("price", "cards < 3 or each > 9", "cards < 3 and each > 9") in changes
    assert ("module", "LIMIT = 4", "LIMIT = 5") in changes
    assert not [one for one in changes if one[0] == "words"]


@pytest.mark.parametrize("mutant", sample(), ids=lambda one: f"{one.before} to {one.after}")
def test_one_mutant_changes_one_thing(mutant: Mutant) -> None:
    right = ast.unparse(ast.parse(SAMPLE)).splitlines()
    wrong = mutated(SAMPLE, mutant).splitlines()
    assert len(right) == len(wrong)
    assert sum(before != after for before, after in zip(right, wrong, strict=True)) == 1


def test_modules_without_formulas_are_not_drawn_from() -> None:
    names = {module_name(path) for path in formula_modules()}
    assert {"engine.decide.fabric", "engine.money.use", "engine.training.memory.peak"} <= names
    assert not [name for name in names if ".calibration" in name or ".opened" in name]


def test_equivalent_mutants_have_a_reason_and_are_not_drawn() -> None:
    known = equivalents()
    assert all(len(reason) > 20 for reason in known.values())
    assert not known.keys() & {one.key for place in all_places() for one in place}


def test_an_equivalent_mutant_that_is_listed_still_exists() -> None:
    there = {one.key for path in formula_modules() for one in mutants_of(path)}
    assert not equivalents().keys() - there, "the code moved on: take these out of the list"


def test_functions_of_a_module_and_of_its_classes_are_found_by_name() -> None:
    source = "class A:\n    def one(self):\n        return [x for x in (1, 2)]\n\ndef two():\n    return lambda: 3\n"
    assert functions(compile(source, "a.py", "exec")).keys() == {"A.one", "two"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("copy"))


def test_a_wrong_formula_is_killed_and_the_copy_is_right_again(tree: Copy) -> None:
    path = ROOT / "engine" / "money" / "use.py"
    share = [one for one in mutants_of(path) if one.place == "capital_share_per_month" and "/ MONTHS" in one.before]
    name = "grids money"
    assert tree.killer(share[0], [name]) == name
    assert (tree.folder / "engine" / "money" / "use.py").read_text(encoding="utf-8") == path.read_text(encoding="utf-8")


def test_a_file_that_fails_already_kills_nothing(tree: Copy) -> None:
    path = ROOT / "engine" / "money" / "use.py"
    share = next(one for one in mutants_of(path) if one.place == "capital_share_per_month" and "/ MONTHS" in one.before)
    test = tree.folder / "tests" / "test_one.py"
    name = "tests/test_one.py"
    test.write_text("def test_fails() -> None:\n    assert False\n", encoding="utf-8")
    assert not tree.killer(share, [name])
    test.write_text("def test_passes() -> None:\n    pass\n", encoding="utf-8")
    assert not tree.killer(share, [name])
    text = (tree.folder / share.file).read_text(encoding="utf-8").splitlines()[share.line - 1].strip()
    reads = "from pathlib import Path\n\ndef test_reads() -> None:\n"
    test.write_text(f"{reads}    assert {text!r} in Path({share.file!r}).read_text()\n", encoding="utf-8")
    assert tree.killer(share, [name]) == name


def test_readers_of_a_constant_are_followed_through_constants_made_of_it() -> None:
    path = ROOT / "engine" / "money" / "use.py"
    months = next(one for one in mutants_of(path) if "(12, 24, 36)" in one.before)
    found = readers(months)
    assert found is not None
    names, functions = found
    assert "HORIZONS_MONTHS" in names
    assert functions
    assert all(file.startswith("engine/") for file, _ in functions)
