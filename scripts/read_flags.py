"""The options that released servers take, read from their sources without importing them, as tests hold exports against them.

    python scripts/read_flags.py TOOL VERSION FOLDER   # the unpacked wheel or source; writes tests/tui/export_facts/parsers/TOOL-VERSION.json

TOOL: vllm, sglang, llama-server. Of vLLM its engine arguments and those of its server, of SGLang its groups of fields, of llama.cpp
common/arg.cpp. A file holds each flag with the words that it allows: null where any, none where it stands alone.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "tests" / "tui" / "export_facts" / "parsers"
Flags = dict[str, list[str] | None]


def trees(folder: Path, *patterns: str) -> Iterator[ast.Module]:
    """The modules of a folder, parsed."""
    for pattern in patterns:
        for path in sorted(folder.glob(pattern)):
            yield ast.parse(path.read_text(encoding="utf-8"))


def strings(node: ast.AST | None) -> list[str]:
    """The strings of a list, tuple, set or Literal."""
    if isinstance(node, ast.Subscript):
        node = node.slice
    parts = getattr(node, "elts", [node])
    return [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]


def is_literal(node: ast.AST) -> bool:
    """Whether an annotation is a Literal of its own."""
    return isinstance(node, ast.Subscript) and getattr(node.value, "id", getattr(node.value, "attr", "")) == "Literal"


def named(node: ast.AST) -> str:
    """A name, or the last part of a dotted one."""
    return str(getattr(node, "id", None) or getattr(node, "attr", ""))


def stands_alone(call: ast.Call) -> bool:
    """Whether an argument is added that takes no value."""
    action = next((one.value for one in call.keywords if one.arg == "action"), None)
    word = str(action.value) if isinstance(action, ast.Constant) else named(action) if action is not None else ""
    return word.startswith("store_") or "StoreTrue" in word or word == "BooleanOptionalAction"


class Types:
    """The fields of classes and the aliases of Literals in some modules."""

    def __init__(self, modules: list[ast.Module]) -> None:
        self.aliases: dict[str, ast.AST] = {}
        self.fields: dict[str, dict[str, ast.AST]] = {}
        for module in modules:
            for node in module.body:
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    self.aliases.setdefault(node.targets[0].id, node.value)
                elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
                    self.aliases.setdefault(node.target.id, node.value)
                elif isinstance(node, ast.ClassDef):
                    own = {
                        one.target.id: one.annotation
                        for one in node.body
                        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
                    }
                    inherited = [self.fields.get(named(base), {}) for base in node.bases]
                    self.fields[node.name] = {key: value for part in inherited for key, value in part.items()} | own

    def words(self, node: ast.AST, depth: int = 4) -> list[str]:
        """The words of every Literal in an annotation, through aliases."""
        if is_literal(node):
            parts = getattr(node.slice, "elts", [node.slice])  # type: ignore[attr-defined] # a Subscript, as looked at
            return [word for part in parts for word in strings(part) or self.words(part, depth)]
        if isinstance(node, ast.Name) and depth and node.id in self.aliases:
            return self.words(self.aliases[node.id], depth - 1)
        return [word for child in ast.iter_child_nodes(node) for word in self.words(child, depth)]

    def has(self, node: ast.AST, name: str) -> bool:
        """Whether an annotation holds a type of that name, outside Literals."""
        if is_literal(node):
            return False
        return named(node) == name or any(self.has(child, name) for child in ast.iter_child_nodes(node))

    def flags(self, flag: str, annotation: ast.AST | None) -> Flags:
        """A flag with its words as vLLM derives them from a field's type."""
        if annotation is None:
            return {flag: None}
        if self.has(annotation, "bool") and not self.has(annotation, "str"):
            return {flag: [], f"--no-{flag.removeprefix('--')}": []}
        # a `str` beside words is checked against them later, or against those of a plugin
        return {flag: self.words(annotation) or None}


def vllm(folder: Path) -> Flags:
    """vLLM: `X.add_argument("--flag", **kwargs["field"])`, where kwargs are of a config's class; fields of its server."""
    modules = list(trees(folder / "vllm", "config/*.py", "model_executor/layers/quantization/__init__.py"))
    arguments = list(trees(folder / "vllm", "engine/arg_utils.py"))
    servers = list(trees(folder / "vllm", "entrypoints/*/cli_args.py"))
    types, found = Types([*modules, *arguments, *servers]), Flags()
    for module in (*arguments, *servers):
        of: dict[str, str] = {}
        for node in ast.walk(module):
            if (
                isinstance(node, ast.Assign)
                and isinstance(node.value, ast.Call)
                and named(node.value.func) == "get_kwargs"
            ):
                of[named(node.targets[0])] = named(node.value.args[0])
        for node in ast.walk(module):
            if not isinstance(node, ast.Call) or named(node.func) != "add_argument":
                continue
            annotation: ast.AST | None = None
            for keyword in node.keywords:
                for part in ast.walk(keyword.value) if keyword.arg is None else ():
                    if isinstance(part, ast.Subscript) and named(part.value) in of:
                        (field,) = strings(part)
                        annotation = types.fields[of[named(part.value)]].get(field)
            for flag in [one for one in node.args if isinstance(one, ast.Constant)]:
                if str(flag.value).startswith("-"):
                    found |= {str(flag.value): []} if stands_alone(node) else types.flags(str(flag.value), annotation)
    for name, annotation in types.fields["FrontendArgs"].items():
        found |= types.flags(f"--{name.replace('_', '-')}", annotation)
    drafts = types.fields["SpeculativeConfig"]
    found["--speculative-config"] = None
    found |= {f"speculative-config.{name}": types.words(annotation) or None for name, annotation in drafts.items()}
    return found


def sglang(folder: Path) -> Flags:
    """SGLang: fields annotated `A[type, Arg(...)]`, and what its server adds by hand."""
    root = folder / "sglang" / "srt"
    modules = list(trees(root, "arg_groups/choices.py", "arg_groups/fields/*.py"))
    types, found = Types(modules), Flags()
    for fields in types.fields.values():
        for name, annotation in fields.items():
            if isinstance(annotation, ast.Subscript) and named(annotation.value) == "A":
                found |= _of_sglang(name, annotation, types)
    for module in trees(root, "server_args.py"):
        lists = Types([module]).aliases
        for node in ast.walk(module):
            if not isinstance(node, ast.Call) or named(node.func) != "add_argument":
                continue
            said = next((one.value for one in node.keywords if one.arg == "choices"), None)
            choices = lists.get(said.id) if isinstance(said, ast.Name) else said
            words = strings(choices) if isinstance(choices, ast.List | ast.Tuple) else []
            every = [str(one.value) for one in node.args if isinstance(one, ast.Constant)]
            found |= dict.fromkeys(every, [] if stands_alone(node) else words or None)
    return found


def _of_sglang(name: str, annotation: ast.Subscript, types: Types) -> Flags:
    parts = getattr(annotation.slice, "elts", [])
    said: dict[str | None, ast.AST] = {}
    for part in parts[1:]:
        if isinstance(part, ast.Call) and named(part.func) == "Arg":
            said = {keyword.arg: keyword.value for keyword in part.keywords}
        elif isinstance(part, ast.Call) and named(part.func) == "Derived":
            return {}
    if isinstance(said.get("no_cli"), ast.Constant) and said["no_cli"].value:  # type: ignore[attr-defined] # a Constant, as looked at
        return {}
    choices = said.get("choices")
    choices = types.aliases.get(choices.id) if isinstance(choices, ast.Name) else choices
    words = (strings(choices) if isinstance(choices, ast.List | ast.Tuple) else types.words(parts[0])) or None
    if words is None and types.has(parts[0], "bool") and "nargs" not in said and "type_parser" not in said:
        words = []
    own = said.get("cli_name")
    spelled = own.value if isinstance(own, ast.Constant) else f"--{name.replace('_', '-')}"
    names = [str(spelled), *strings(said.get("aliases"))]
    return {flag if flag.startswith("-") else f"--{flag}": words for flag in names}


def llama(folder: Path) -> Flags:
    """llama.cpp: `add_opt(common_arg({flags}, {negated}, ...).set_examples(...))`, those of its server."""
    (path,) = folder.glob("**/common/arg.cpp")
    found = Flags()
    for one in re.split(r"\badd_opt\(common_arg\(", path.read_text(encoding="utf-8"))[1:]:
        examples = re.search(r"set_examples\(\{(.*?)\}\)", one, re.S)
        if examples is not None and not re.search(r"EXAMPLE_(?:SERVER|COMMON)\b", examples[1]):
            continue
        takes = re.search(r"\]\s*\(common_params\s*&[^,)]*,(?!\s*bool)", one)
        for group in re.findall(r"\{((?:\s*\"-[^\"]*\"\s*,?)+)\}", one)[:2]:
            found |= dict.fromkeys(re.findall(r"\"(-[^\"]*)\"", group), None if takes else [])
    return found


READERS = {"vllm": vllm, "sglang": sglang, "llama-server": llama}


def main() -> None:
    """Read one tool's flags and write them."""
    tool, version, folder = sys.argv[1:4]
    flags = READERS[tool](Path(folder))
    FOLDER.mkdir(parents=True, exist_ok=True)
    target = FOLDER / f"{tool}-{version}.json"
    target.write_text(json.dumps(dict(sorted(flags.items())), indent=0) + "\n", encoding="utf-8")
    print(
        f"{target.name}: {len(flags)} flags, {sum(one is not None for one in flags.values())} with words of their own"
    )


if __name__ == "__main__":
    main()
