"""The golden stage in one process: all is imported once, and each mutant runs in a fork in which one function is wrong.

Only those builds and tables run that enter the function, the quickest first. Which do is found once, each in a fork of
its own, so that no cache of another hides an entry. A mutant outside of functions, or of one that is called while the
engine is imported, cannot be put in this way: nothing is said of it.

``python -m tests.mutants.forked`` says first whether figures moved already, then reads requests, a line of JSON each, and
answers each with one: true, false or null.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

ROOT = Path(__file__).parent.parent.parent
Place = tuple[str, str]
"""Name of a file, and of a function as Python qualifies it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A build or a part of a table: whether its figures moved, the functions that it enters, and its seconds."""

    moved: Callable[[], bool]
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
    entered: set[Place] = set()
    engine = str(ROOT / "engine")

    def watch(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(engine):
            entered.add((frame.f_code.co_filename, _outermost(frame.f_code)))

    start = time.process_time()
    sys.setprofile(watch)
    returned = work()
    sys.setprofile(None)
    return [sorted(entered), time.process_time() - start, returned]


def _parts() -> Iterator[Callable[[], bool]]:
    """Whether each build, and each part of each table, has moved."""
    from tests.golden import compare, figures

    def table(name: str, key: str, make: Callable[[], Any]) -> Callable[[], bool]:
        def moved() -> bool:
            stored = compare.stored(name)
            return bool(compare.differences(name, stored.get(key, {}) if key else stored, figures.plain(make())))

        return moved

    def build(name: str) -> Callable[[], bool]:
        return lambda: bool(compare.differences(name, compare.stored(name), figures.of_build(name)[0]))

    for name, makers in figures.table_makers().items():
        yield from (table(name, key, make) for key, make in makers.items())
    yield from (build(name) for name in figures.build_names())


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


class Figures:
    """The golden figures, ready to be asked what moves when a function is wrong. moved: some have with the right code."""

    def __init__(self) -> None:
        from tests.golden import frozen

        frozen.hold_constants()
        imported = _watched(lambda: bool(__import__("tests.golden.figures")))[0]
        self.at_import = frozenset(imported)
        self.parts: list[Part] = []
        self.moved = False
        for moved in _parts():
            entered, seconds, already = _forked(lambda moved=moved: _watched(moved))
            self.moved |= already
            self.parts.append(Part(moved, frozenset(map(tuple, entered)), seconds))
        self.parts.sort(key=lambda part: part.seconds)

    def fail(self, path: str, right: str, wrong: str, limit: float) -> bool | None:
        """Whether some figure moves when a module's right source is replaced by a wrong one; None where nothing is known.

        limit: how many times its seconds, and so many seconds more, a part may take.
        """
        before, after = (compile(text, path, "exec") for text in (right, wrong))
        old, new = functions(before), functions(after)
        changed = [name for name in old if old[name] != new.get(name)]
        if len(changed) != 1 or (path, changed[0]) in self.at_import:
            return None
        live = [one for one in gc.get_objects() if isinstance(one, FunctionType) and one.__code__.co_filename == path]
        live = [one for one in live if one.__code__.co_qualname == changed[0]]
        if len(live) != 1 or live[0].__code__.co_freevars != new[changed[0]].co_freevars:
            return None
        related = [part for part in self.parts if (path, changed[0]) in part.enters]

        def works() -> bool:
            import resource

            seconds = int(limit * sum(part.seconds for part in related) + limit)
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            live[0].__code__ = new[changed[0]]
            return not any(part.moved() for part in related)

        return _forked(works) is not True


def main() -> int:
    """Answer requests until there are none."""
    figures = Figures()
    print(json.dumps(figures.moved), flush=True)
    for line in sys.stdin:
        print(json.dumps(figures.fail(**json.loads(line))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
