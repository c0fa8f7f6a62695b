"""Write catalog/data/parsed.json: the shipped TOML files as JSON, so that the program starts faster.

Run after every change of catalog/data: python scripts/parse_catalog.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from catalog.hardware import DATA, FILES
from catalog.models import INDEX
from catalog.schema import PARSED, fingerprint, read_toml


def parsed() -> str:
    """The file's text."""
    paths = [*(DATA / name for name in FILES), INDEX]
    twins = {path.name: {"of": fingerprint(path.read_bytes()), "data": read_toml(path)} for path in paths}
    return json.dumps(twins, ensure_ascii=False, separators=(",", ":")) + "\n"


if __name__ == "__main__":
    PARSED.write_text(parsed(), encoding="utf-8")
