"""Lines of the product's code, room by room: without docstrings, comments, blank lines and tables of literals.

python scripts/lines.py
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("engine", "catalog", "tui")
SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}
LITERAL = (ast.Constant, ast.Dict, ast.List, ast.Set, ast.Tuple, ast.UnaryOp, ast.USub, ast.Load)


def is_data(node: ast.stmt) -> bool:
    """Whether a statement of a module gives a name to a table of literals over several lines."""
    if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None or node.end_lineno == node.lineno:
        return False
    return all(isinstance(part, LITERAL) for part in ast.walk(node.value))


def code_lines(text: str) -> int:
    """Lines of a module that do something."""
    tree = ast.parse(text)
    told = [node for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)]
    left_out = [*told, *(node for node in tree.body if is_data(node))]
    without = {number for node in left_out for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    lines = {
        number
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in SILENT
        for number in range(token.start[0], token.end[0] + 1)
    }
    return len(lines - without)


def main() -> None:
    """Print the lines of each room, then of each package, then of all."""
    rooms: Counter[str] = Counter()
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            room = "/".join(parts[:2]) if len(parts) > 1 and parts[1] != "__init__" else package
            rooms[room] += code_lines(path.read_text(encoding="utf-8"))
    for room, lines in sorted(rooms.items()):
        print(f"{lines:7,}  {room}")
    for package in PACKAGES:
        whole = sum(lines for room, lines in rooms.items() if room.partition("/")[0] == package)
        print(f"{whole:7,}  {package}, all of it")
    print(f"{sum(rooms.values()):7,}  in all")


if __name__ == "__main__":
    main()
