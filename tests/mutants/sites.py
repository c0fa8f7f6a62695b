"""Every place of the formula modules where one small change makes a wrong formula."""

from __future__ import annotations

import ast
import copy
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
EQUIVALENT = Path(__file__).parent / "equivalent.toml"
NO_FORMULAS = ("calibration", "figures", "opened", "leaves")
"""Parts of the engine without formulas of their own: fitted constants, and figures in words."""

OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Div, ast.Mult),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
}
COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
TWINS = {"min": "max", "max": "min", "ceil": "floor", "floor": "ceil", "any": "all", "all": "any"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One wrong formula: where it stands, and what it was and becomes, as text.

    file: from the root of the repository. place: function or class, dotted. before, after: the smallest expression that
    shows the change. number, variant: which node of the file, and which of its changes.
    """

    file: str
    line: int
    place: str
    before: str
    after: str
    number: int
    variant: int

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What it is known by when lines move."""
        return self.file, self.place, self.before, self.after


def formula_modules() -> list[Path]:
    """Modules of the engine that the app reaches by imports, without those that hold no formulas."""
    engine = {module_name(path): path for path in sorted((ROOT / "engine").rglob("*.py"))}
    reached: set[str] = set()
    waiting = [path for package in ("tui", "catalog") for path in (ROOT / package).rglob("*.py")]
    while waiting:
        for name in _imports(waiting.pop(), engine) - reached:
            reached.add(name)
            waiting.append(engine[name])
    return [engine[name] for name in sorted(reached) if not set(name.split(".")) & set(NO_FORMULAS)]


def module_name(path: Path) -> str:
    """Dotted name of a module of the repository."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _imports(path: Path, known: dict[str, Path]) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found & known.keys()


def mutants_of(path: Path, source: str | None = None) -> Iterator[Mutant]:
    """Every mutant of a module, in the order of its text."""
    tree = ast.parse(source if source is not None else path.read_text(encoding="utf-8"))
    for number, (node, parent, place) in enumerate(_sites(tree)):
        shown = _shown(node, parent)
        for variant, changed in enumerate(_changes(node)):
            after = _with(shown, node, changed)
            where = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name
            line = getattr(node, "lineno", getattr(shown, "lineno", 0))
            yield Mutant(where, line, place, ast.unparse(shown), ast.unparse(after), number, variant)


def mutated(source: str, mutant: Mutant) -> str:
    """The module's source with the mutant in it."""
    tree = ast.parse(source)
    node, parent, _ = list(_sites(tree))[mutant.number]
    changed = list(_changes(node))[mutant.variant]
    for name, value in ast.iter_fields(parent):
        if value is node:
            setattr(parent, name, changed)
        elif isinstance(value, list) and any(item is node for item in value):
            value[:] = [changed if item is node else item for item in value]
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


_Site = tuple[ast.AST, ast.AST, str]


def _sites(tree: ast.Module) -> Iterator[_Site]:
    """Nodes that can be changed, each with its parent and the dotted name of its function."""
    yield from _walk(tree, "")


def _walk(parent: ast.AST, place: str) -> Iterator[_Site]:
    for child in _children(parent):
        inside = place
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            inside = f"{place}.{child.name}" if place else child.name
            if isinstance(child, ast.FunctionDef) and _is_wording(child):
                continue
        if any(True for _ in _changes(child)):
            yield child, parent, place or "module"
        yield from _walk(child, inside)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a node that compute: no text, types, decorators, defaults of records, limits of caches."""
    if isinstance(node, ast.JoinedStr) or _is_limit_of_a_cache(node):
        return
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases", "type_comment"):
            continue
        if isinstance(node, ast.keyword) and node.arg == "strict":  # of zip: a check of ours, not a figure
            continue
        if isinstance(node, ast.ClassDef) and name == "body":
            value = [item for item in value if not isinstance(item, ast.AnnAssign)]
        if isinstance(node, ast.Assign | ast.AnnAssign) and name == "value" and _is_alias(node):
            continue
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, ast.AST):
                yield item


def _is_limit_of_a_cache(node: ast.AST) -> bool:
    """Whether a statement only empties a cache that has grown too large."""
    if not isinstance(node, ast.If) or len(node.body) != 1 or not isinstance(node.body[0], ast.Expr):
        return False
    call = node.body[0].value
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "clear"


def _is_alias(node: ast.Assign | ast.AnnAssign) -> bool:
    """Whether an assignment names a type, such as a Literal."""
    return (
        isinstance(node.value, ast.Subscript)
        and not isinstance(node.value.slice, ast.Slice)
        and any(
            isinstance(part, ast.Name) and part.id in ("Literal", "Callable", "Mapping", "tuple", "dict", "list")
            for part in ast.walk(node.value.value)
        )
    )


def _is_wording(function: ast.FunctionDef) -> bool:
    """Whether a function makes a sentence: it returns text, and puts it together."""
    returns = isinstance(function.returns, ast.Name) and function.returns.id == "str"
    return returns and any(isinstance(node, ast.JoinedStr) for node in ast.walk(function))


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """The node as it would be in each wrong formula."""
    if isinstance(node, ast.BinOp | ast.AugAssign):
        for operator in OPERATORS.get(type(node.op), ()):
            yield _copy(node, op=operator())
    elif isinstance(node, ast.Compare):
        for at, sign in enumerate(node.ops):
            for other in COMPARISONS.get(type(sign), ()):
                yield _copy(node, ops=[*node.ops[:at], other(), *node.ops[at + 1 :]])
    elif isinstance(node, ast.BoolOp):
        yield _copy(node, op=ast.And() if isinstance(node.op, ast.Or) else ast.Or())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield node.operand
    elif isinstance(node, ast.Constant):
        yield from _other_numbers(node)
    elif isinstance(node, ast.Call):
        yield from _twin_call(node)
    elif isinstance(node, ast.Slice):
        for name in ("lower", "upper"):
            end = getattr(node, name)
            if end is not None:
                yield _copy(node, **{name: ast.BinOp(end, ast.Add(), ast.Constant(1))})


def _other_numbers(node: ast.Constant) -> Iterator[ast.AST]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield ast.Constant(value + 1)
        if value > 1:
            yield ast.Constant(value - 1)
    elif isinstance(value, float):
        yield ast.Constant(value * 1.25 if value else 1.0)


def _twin_call(node: ast.Call) -> Iterator[ast.AST]:
    if isinstance(node.func, ast.Name) and node.func.id in TWINS:
        yield _copy(node, func=ast.Name(TWINS[node.func.id], ast.Load()))
    elif isinstance(node.func, ast.Attribute) and node.func.attr in TWINS:
        yield _copy(node, func=_copy(node.func, attr=TWINS[node.func.attr]))


def _copy(node: ast.AST, **changed: object) -> ast.AST:
    new = copy.copy(node)
    for name, value in changed.items():
        setattr(new, name, value)
    return new


def _shown(node: ast.AST, parent: ast.AST) -> ast.AST:
    """What shows a change: the node, or where that is a bare number what it stands in."""
    if isinstance(node, ast.Constant | ast.Slice) and isinstance(parent, ast.expr | ast.stmt | ast.keyword):
        return parent if not isinstance(parent, ast.FunctionDef | ast.ClassDef) else node
    return node


def _with(shown: ast.AST, node: ast.AST, changed: ast.AST) -> ast.AST:
    if shown is node:
        return changed
    new = copy.copy(shown)
    for name, value in ast.iter_fields(shown):
        if value is node:
            setattr(new, name, changed)
        elif isinstance(value, list):
            setattr(new, name, [changed if item is node else item for item in value])
    return new


def equivalents() -> dict[tuple[str, str, str, str], str]:
    """Mutants that change no figure and no answer, with the reason."""
    listed = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))
    rows = listed.get("mutant", [])
    return {(row["file"], row["place"], row["before"], row["after"]): row["reason"] for row in rows}


@cache
def all_places() -> list[list[Mutant]]:
    """Every place of the formula modules with its mutants, those that are equivalent left out."""
    known = equivalents()
    places: dict[tuple[str, int], list[Mutant]] = {}
    for path in formula_modules():
        for mutant in mutants_of(path):
            if mutant.key not in known:
                places.setdefault((mutant.file, mutant.number), []).append(mutant)
    return list(places.values())


def readers(mutant: Mutant) -> tuple[set[str], set[tuple[str, str]]] | None:
    """The constants that a mutant outside of functions changes, and (file, function) of what reads them; None: not known.

    Constants made of such a constant count as it does. What a class, a default or a decorator reads is not followed.
    """
    names = _assigned_at(mutant)
    if not names:
        return None
    modules = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "engine").rglob("*.py"))}
    found: set[tuple[str, str]] = set()
    grown = -1
    while grown != len(names):
        grown = len(names)
        for path, tree in modules.items():
            for statement in tree.body:
                if isinstance(statement, ast.Assign | ast.AnnAssign):
                    if _reads(statement.value, names):
                        names |= _targets(statement)
                    continue
                parts, inside = ([statement], "")
                if isinstance(statement, ast.ClassDef):
                    parts, inside = (statement.body, f"{statement.name}.")
                for part in parts:
                    if isinstance(part, ast.FunctionDef):
                        if any(_reads(item, names) for item in (*part.decorator_list, part.args)):
                            return None
                        if any(_reads(item, names) for item in part.body):
                            found.add((str(path.relative_to(ROOT)), inside + part.name))
                    elif not isinstance(part, ast.Import | ast.ImportFrom) and _reads(part, names):
                        return None
    return names, found


def _assigned_at(mutant: Mutant) -> set[str]:
    for statement in ast.parse((ROOT / mutant.file).read_text(encoding="utf-8")).body:
        if statement.lineno <= mutant.line <= (statement.end_lineno or 0):
            return _targets(statement) if isinstance(statement, ast.Assign | ast.AnnAssign) else set()
    return set()


def _targets(statement: ast.Assign | ast.AnnAssign) -> set[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}


def _reads(node: ast.AST | None, names: set[str]) -> bool:
    if node is None:
        return False
    parts = ast.walk(node)
    return any(
        (isinstance(part, ast.Name) and part.id in names) or (isinstance(part, ast.Attribute) and part.attr in names)
        for part in parts
    )
