"""`python -m tests.golden`: what moved. `--write`: the figures anew. `--freeze`: facts of new builds into the catalog."""

from __future__ import annotations

import argparse
import json
import sys

from tests.golden import compare, frozen


def main() -> int:
    """Do what the command line says; 1 when figures moved and were not written."""
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write figures and keys anew, and print what moved")
    parser.add_argument("--freeze", action="store_true", help="add what builds name and the frozen catalog lacks")
    parser.add_argument("--json", action="store_true", help="print figures and keys as JSON, for the tests")
    chosen = parser.parse_args()
    new = frozen.hold_constants()
    if chosen.freeze:
        print("\n".join(frozen.freeze_catalog()) or "nothing to add")
        return 0
    from tests.golden.figures import everything  # only now: it imports the engine

    found = everything()
    if chosen.json:
        json.dump({"unfrozen": new, **found}, sys.stdout)
        return 0
    moved = compare.all_differences(found["figures"])
    keys = {name: found[name] for name in ("report", "recommend")}
    before = compare.stored_keys()
    for name, listed in keys.items():
        for mark, lines in (
            ("-", set(before.get(name, [])) - set(listed)),
            ("+", set(listed) - set(before.get(name, []))),
        ):
            print(*(f"{mark} {name}: {line}" for line in sorted(lines)), sep="\n", end="\n" if lines else "")
    if moved:
        print(compare.told(moved))
    if not chosen.write:
        return 1 if moved or keys != before else 0
    if new:
        print("frozen from now on:", ", ".join(new))
    frozen.freeze_constants()
    compare.write(found["figures"])
    compare.write_keys(keys)
    return 0


if __name__ == "__main__":
    sys.exit(main())
