"""Golden figures or tests in one process: all is imported once, and each mutant runs in forks in which one function is wrong.

Only those builds, tables and files of tests run that enter the function, the quickest first, each in a fork of its own, so
that nothing one leaves behind changes another. Which do is found once, in such forks too. What fails is a kill only if the
same build or file, in the same kind of fork, passes with the right function put in at once after. A mutant outside of
functions, or of one that is called while the engine is imported, cannot be put in this way: nothing is said of it.

``python -m tests.mutants.forked golden`` says first which parts fail already and what each file enters, then reads
requests, a line of JSON each, and answers each with one: what killed it, an empty text, or null. With folders of tests in
place of ``golden`` it runs those: they are a process apart, since golden figures rest on frozen constants and tests on
those of today. ``golden NAME ...`` compares these builds and parts of tables once, in a fresh process.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

ROOT = Path(__file__).parent.parent.parent
Place = tuple[str, str]
"""Name of a file, and of a function as Python qualifies it."""
QUICK = ("-q", "-x", "-p", "no:cacheprovider", "--no-header", "--tb=line", "-m", "not clock")
"""What tests run with: a test of time says nothing of a formula, and much of what else runs on the machine."""


@dataclass(frozen=True, slots=True)
class Part:
    """A build, a part of a table or a file of tests: whether it fails, the functions that it enters, and its seconds."""

    name: str
    fails: Callable[[], bool]
    enters: frozenset[Place]
    seconds: float


def _forked(work: Callable[[], Any]) -> Any:
    """What some work returns in a fork of this process, as JSON data; None where the fork died."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            with os.fdopen(writing, "w") as pipe:
                json.dump(work(), pipe)
            status = 0
        finally:
            os._exit(status)  # whatever failed: the parent sees that nothing came
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else None


def _outermost(code: CodeType) -> str:
    """The function of a module or class that some code belongs to; comprehensions and inner functions have their own."""
    return code.co_qualname.split(".<locals>")[0]


def _watched(work: Callable[[], Any]) -> list[Any]:
    """The functions of the engine that some work enters, its seconds, and what it returns."""
    entered: dict[int, CodeType] = {}

    def watch(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            entered[id(frame.f_code)] = frame.f_code  # the hash of a code reads all of it

    start = time.process_time()
    sys.setprofile(watch)
    returned = work()
    sys.setprofile(None)
    seconds = time.process_time() - start
    engine = str(ROOT / "engine")
    places = {(code.co_filename, _outermost(code)) for code in entered.values() if code.co_filename.startswith(engine)}
    return [sorted(places), seconds, returned]


def _figures() -> Iterator[tuple[str, Callable[[], bool]]]:
    """Whether each build, and each part of each table, has moved; by its name."""
    from tests.golden import compare, figures

    def table(name: str, key: str, make: Callable[[], Any]) -> Callable[[], bool]:
        def moved() -> bool:
            stored = compare.stored(name)
            return bool(compare.differences(name, stored.get(key, {}) if key else stored, figures.plain(make())))

        return moved

    def build(name: str) -> Callable[[], bool]:
        return lambda: bool(compare.differences(name, compare.stored(name), figures.of_build(name)[0]))

    for name, makers in figures.table_makers().items():
        yield from ((f"{name} {key}".strip(), table(name, key, make)) for key, make in makers.items())
    yield from ((name, build(name)) for name in figures.build_names())


def _files(folders: list[str]) -> Iterator[tuple[str, Callable[[], bool]]]:
    """Whether some test fails, file by file; each imports its tests anew, after the wrong function was put in."""
    import pytest

    def run(path: Path) -> Callable[[], bool]:
        return lambda: pytest.main([*QUICK, str(path)]) != pytest.ExitCode.OK

    for folder in folders:
        yield from ((str(path.relative_to(ROOT)), run(path)) for path in sorted((ROOT / folder).rglob("test_*.py")))


def functions(code: CodeType) -> dict[str, CodeType]:
    """The code of each function of a module or class by its qualified name, those inside of functions left out."""
    found: dict[str, CodeType] = {}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_flags & 0x02:  # CO_NEWLOCALS: of a function
                found[constant.co_qualname] = constant
            else:
                found |= functions(constant)
    return found


def _import_all(package: str) -> None:
    for item in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        importlib.import_module(item.name)


def _import_golden() -> None:
    importlib.import_module("tests.golden.figures")


def _import_tested() -> None:
    for name in ("hypothesis", "catalog", "tui.shell.report"):
        importlib.import_module(name)
    _import_all("engine")


class Parts:
    """Golden figures or files of tests, ready to be asked what fails when a function is wrong.

    already: the names of those that fail with the right code.
    """

    def __init__(self, folders: list[str]) -> None:
        if folders:
            imports, parts = _import_tested, _files(folders)
        else:
            from tests.golden import frozen

            frozen.hold_constants()
            imports, parts = _import_golden, _figures()
        self.at_import = frozenset(map(tuple, _watched(imports)[0]))
        self.parts: list[Part] = []
        self.already: list[str] = []
        for name, fails in parts:
            found = _forked(partial(_watched, fails))
            entered, seconds, already = found if found is not None else ([], 0.0, True)
            if already:
                self.already.append(name)
            self.parts.append(Part(name, fails, frozenset(map(tuple, entered)), seconds))
        self.parts.sort(key=lambda part: part.seconds)

    def kills(self, path: str, right: str, wrong: str, limit: float) -> str | None:
        """What fails when a module's right source is replaced by a wrong one; empty: nothing does; None: it is not known.

        limit: how many times its seconds, and so many seconds more, a part may take.
        """
        before, after = (compile(text, path, "exec") for text in (right, wrong))
        old, new = functions(before), functions(after)
        changed = [name for name in old if old[name] != new.get(name)]
        if len(changed) != 1 or (path, changed[0]) in self.at_import:
            return None
        (name,) = changed
        live = [one for one in gc.get_objects() if isinstance(one, FunctionType) and one.__code__.co_filename == path]
        live = [one for one in live if one.__code__.co_qualname == name]
        if len(live) != 1 or live[0].__code__.co_freevars != new[name].co_freevars:
            return None

        def passes(part: Part, code: CodeType) -> bool:
            def works() -> bool:
                import resource

                seconds = int(limit * part.seconds + limit)
                resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
                live[0].__code__ = code
                return not part.fails()

            return _forked(works) is True

        related = (part for part in self.parts if (path, name) in part.enters)
        return next((part.name for part in related if not passes(part, new[name]) and passes(part, old[name])), "")


def first_moved(names: list[str]) -> str:
    """The first of some golden builds and parts of tables, by name and in that order, that moved; empty: none did."""
    from tests.golden import frozen

    frozen.hold_constants()
    _import_golden()
    parts = dict(_figures())
    return next((name for name in names if parts[name]()), "")


def main() -> int:
    """Answer requests until there are none; with names after ``golden``, say which of those moved first."""
    if sys.argv[1] == "golden" and sys.argv[2:]:
        moved = first_moved(sys.argv[2:])
        print(f"FAILED {moved}" if moved else "")
        return 1 if moved else 0
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what tests print is no answer
    parts = Parts([name for name in sys.argv[1:] if name != "golden"])
    entered = [(part.name, sorted(part.enters)) for part in parts.parts]
    print(json.dumps({"already": parts.already, "parts": entered}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(parts.kills(**json.loads(line))), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
