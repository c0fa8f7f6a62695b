"""The house: engine imports neither catalog nor tui, catalog does not import tui, and tui's pure modules no textual."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.decide.opened.constants import RULES, constant
from engine.decide.opened.names import hooks
from engine.decide.opened.searches import SEARCHES
from engine.figures.number import Number
from engine.figures.replay import Replay
from engine.figures.words import field_words
from tui.pages.contents import PAGES

ROOT = Path(__file__).parent.parent
THIRD_PARTY = {"pydantic", "pydantic_core", "textual", "rich", "tomli_w", "typing_extensions"}
ENGINE = (
    "figures",
    "parts",
    "model",
    "runtimes",
    "scenario",
    "sizing",
    "calibration",
    "layout",
    "links",
    "money",
    "serving",
    "training",
    "decide",
)
TUI = ("files", "pages", "shell", "paste", "app", "cli", "__main__")
"""The rooms, lowest first: each imports from those before it and from itself."""
PURE = ("files", "pages", "shell", "paste")


def imported(path: Path) -> set[str]:
    """Top-level names of everything a module imports, wherever in it the import stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found.add((node.module or "").partition(".")[0])
    return found


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", modules("engine"), ids=lambda path: path.stem)
def test_engine_imports_only_the_standard_library_and_itself(path: Path) -> None:
    names = imported(path)
    assert not names & ({"catalog", "tui"} | THIRD_PARTY)
    assert names <= set(sys.stdlib_module_names) | {"engine"}


@pytest.mark.parametrize("path", modules("catalog"), ids=lambda path: path.stem)
def test_catalog_does_not_import_the_app(path: Path) -> None:
    assert not imported(path) & {"tui", "textual", "rich"}


def module_name(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def imported_modules(path: Path, names: set[str]) -> set[str]:
    """Modules of the house that one imports, wherever in it the import stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            parts = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= parts & names or {node.module}
    return found & names


def test_no_module_imports_itself_by_a_detour() -> None:
    paths = {module_name(path): path for package in ("engine", "catalog", "tui") for path in modules(package)}
    imports = {name: imported_modules(path, set(paths)) for name, path in paths.items()}
    while leaves := {name for name, needs in imports.items() if not needs & imports.keys()}:
        imports = {name: needs for name, needs in imports.items() if name not in leaves}
    assert not imports, f"a circle among {sorted(imports)}"


@pytest.mark.parametrize("room", PURE)
def test_rooms_that_run_without_a_screen_import_no_textual(room: str) -> None:
    for path in modules(f"tui/{room}"):
        assert not imported(path) & {"textual", "rich"}, path


@pytest.mark.parametrize(("package", "order"), [("engine", ENGINE), ("tui", TUI)], ids=("engine", "tui"))
def test_rooms_import_only_downwards(package: str, order: tuple[str, ...]) -> None:
    paths = {module_name(path): path for path in modules(package)}
    upwards = []
    for name, path in paths.items():
        own = name.split(".")[1:2]
        if not own:
            continue
        assert own[0] in order, f"{path} stands in no room"
        for other in imported_modules(path, set(paths)):
            room = other.split(".")[1:2]
            if room and order.index(room[0]) > order.index(own[0]):
                upwards.append(f"{name} imports {other}")
    assert not upwards


PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("package", "order"), [("engine", ENGINE), ("tui", TUI)], ids=("engine", "tui"))
def test_the_rooms_of_the_page_are_the_rooms_in_their_order(package: str, order: tuple[str, ...]) -> None:
    table = PAGE.partition(f"## The rooms of `{package}/`")[2].partition("\n## ")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == tuple(
        room for room in order if room != "__main__"
    )
    there = {path.relative_to(ROOT / package).parts[0].removesuffix(".py") for path in modules(package)} - {"__init__"}
    assert there == set(order)


def test_rooms_on_one_floor_of_the_picture_know_nothing_of_each_other() -> None:
    drawn = re.findall(
        r"^  (\d)    (\w+(?:  \w+)*)(?:  |$)", PAGE.partition("```\nfloor\n")[2].partition("```")[0], re.MULTILINE
    )
    floors = {room: int(floor) for floor, rooms in drawn for room in rooms.split("  ")}
    assert [room for _, rooms in reversed(drawn) for room in rooms.split("  ")] == list(ENGINE)
    paths = {module_name(path): path for path in modules("engine")}
    for name, path in paths.items():
        for other in imported_modules(path, set(paths)):
            own, room = name.split(".")[1:2], other.split(".")[1:2]
            assert not own or not room or own == room or floors[room[0]] < floors[own[0]], f"{name} imports {other}"


def test_the_page_names_files_that_exist() -> None:
    named = set(re.findall(r"`((?:engine|catalog|tui|tests|scripts)/[\w/.]*)`", PAGE))
    assert len(named) > 25
    assert not sorted(path for path in named if not (ROOT / path).exists())


SEARCHED = ("Verdict", "Fabric", "Scaling", "Builds", "What if")
"""Pages whose idea is the engine's: `engine.decide` has a module of the name."""


def test_an_idea_has_one_name() -> None:
    """A page is written by the module of its name, and worked out by that of its name."""
    assert len(PAGES) == 10
    assert set(SEARCHED) <= set(PAGES)
    rooms = [("tui/pages", tuple(PAGES)), ("engine/decide", SEARCHED)]
    wanted = [f"{room}/{page.lower().replace(' ', '_')}.py" for room, pages in rooms for page in pages]
    assert not [path for path in wanted if not (ROOT / path).exists()]


READERS = {
    "tui/app/base.py": "pictures that Textual writes",
    "tui/app/driver.py": "what a terminal sends",
    "tui/app/recovery.py": "names of files in a folder",
    "tui/app/wire.py": "what Textual sends to a terminal",
    "tui/files/disk.py": "names of files in a folder",
    "tui/files/numbers.py": "numbers as people type them",
    "tui/files/own_card.py": "a card as people type it",
    "tui/files/own_keys.py": "keys as people write them",
    "tui/files/shorthand.py": "builds as people type them",
    "tui/paste/documents.py": "pasted documents",
    "tui/paste/flags.py": "pasted commands",
    "tui/paste/logs.py": "logs of engines and trainers",
    "tui/paste/measured.py": "figures that people measured",
    "tui/paste/ollama.py": "pasted commands of Ollama",
    "tui/paste/overrides.py": "patterns of tensors in pasted commands",
    "tui/paste/reading.py": "names in what is pasted",
    "tui/paste/servers.py": "pasted commands of servers",
    "tui/paste/launches.py": "pasted commands of trainers",
    "tui/paste/trainers.py": "pasted configurations of trainers",
    "tui/shell/exports/nemo.py": "names that people gave models",
    "tui/shell/exports/text.py": "what YAML takes for plain text",
    "tui/shell/exports/torchtitan.py": "names that people gave models",
    "tui/shell/exports/torchtune.py": "names that people gave models",
}
"""The modules that read text by regular expressions, which others wrote: our own sentences are made of parts, and nothing reads
them back."""
PARTS = ("engine/", "tui/pages/", "tui/shell/report")
"""Where sentences are made and told: none of the readers stands here."""


def test_no_regular_expression_reads_our_own_sentences() -> None:
    found = {
        path.relative_to(ROOT).as_posix()
        for package in ("engine", "tui")
        for path in modules(package)
        if imported(path) & {"re", "regex"}
    }
    assert found - READERS.keys() == set(), "a module reads text by patterns: is it other people's?"
    assert READERS.keys() - found == set(), "listed, and reads nothing by patterns any more"
    assert not [name for name in READERS if name.startswith(PARTS)]


LONGEST = 500
"""Lines of a module: what has more is told in two."""


@pytest.mark.parametrize("package", ["engine", "catalog", "tui"])
def test_no_module_is_too_long_to_read(package: str) -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in modules(package)
    }
    assert not {name: length for name, length in lengths.items() if length > LONGEST}


DECIDES = frozenset(
    [
        "MAX_PAIRS",
        "FLEET",
        "KIB",
        "MB",
        "TB",
        "MOST_CURVES",
        "MOST_PRICES",
        "SWITCH_FROM_GPUS",
        "LARGE_BYTES",
        "SMALL_BYTES",
        "SMALLEST_SIDE",
        "ROUGH",
        "STALE_AGAINST_DAYS",
        "BOARD_SLOTS",
        "FEEDS",
        "SLOTS_PER_CARD",
        "TOWER_CARDS",
        "OLD_DAYS",
        "LONGEST_MONTHS",
        "LARGEST_NODE",
        "SMALLER_WEIGHTS",
        "LOADED_USERS",
        "OVERLAPPING_RATIO",
        "COMFORTABLE_KV",
        "COMFORTABLE_WEIGHTS",
        "FITS_KV",
        "NEW_SPREAD",
        "UNFITTED",
        "NEAR_START",
        "NEAR_START_NEW",
        "NEAR_STATES",
        "NORMAL_80",  # widens an interval that few logs hold, and is no input of a figure
        "NOTED_WEIGHTS",
        "RULE_WEIGHTS",
        "OTHER_MODEL",
        "SAME_MODEL",
        "REACH_80",
        "DIFFERING",
        "LONG_PROMPTS",
        "WIDER",
        "LONG_SEQUENCE",
        "MAX_SUGGESTIONS",
        "MOST_GPUS",
        "SEARCH_STEPS",
        "RULES",
        "WITHOUT",
        "COMFORTABLE_FILL",
        "TAIL_WIDER",
        "FITS_FILL",
        "TIGHT_FILL",
        "LATE",
        "_PLACE",
    ]
)
"""Constants of formula modules that choose a word, a way or an interval, or bound a search: in no figure's arithmetic."""
FORMULAS = ("model", "layout", "links", "money", "runtimes", "serving", "training")


def test_every_constant_of_a_formula_says_what_it_is_and_where_it_comes_from() -> None:
    """What a working would show without a name or a source: `engine/decide/opened/constants.py` has the words."""
    nameless = set()

    def known(module: str, name: str, value: Any) -> Number:
        made = constant(module, name, value)
        if not made.source or not made.label:
            nameless.add(name.partition(".")[0])
        return made

    replay = Replay(known, field_words, hooks, SEARCHES, {})
    for path in modules("engine"):
        name = module_name(path)
        if name.split(".")[1:2] and name.split(".")[1] in FORMULAS:
            importlib.import_module(name)
            replay.names(name)
    assert not nameless - DECIDES


def test_a_constant_with_words_stands_in_one_place() -> None:
    """Words go by a constant's name alone: each name is one constant of the engine, and none is left of one that went."""
    homes: dict[str, list[str]] = {name: [] for name in RULES}
    for path in modules("engine"):
        if "opened" in path.parts:
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            for target in targets:
                for one in target.elts if isinstance(target, ast.Tuple) else [target]:
                    if isinstance(one, ast.Name) and one.id in homes:
                        homes[one.id].append(module_name(path))
    assert {name: where for name, where in homes.items() if len(where) != 1} == {}


def run(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


LOADED = "import sys, json; print(' '.join(sorted({name.partition('.')[0] for name in sys.modules})))"


def test_importing_the_engine_loads_nothing_else() -> None:
    loaded = run(f"import engine.decide.size, engine.scenario; {LOADED}").split()
    assert not set(loaded) & ({"catalog", "tui"} | THIRD_PARTY)


def test_loading_the_catalog_loads_no_app() -> None:
    loaded = run(f"import catalog; catalog.load().models[0].architecture; {LOADED}").split()
    assert "engine" in loaded
    assert not set(loaded) & {"tui", "textual", "rich"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "examples/70b-fp8-one-node.toml"),
        ("report", "examples/70b-fp8-one-node.toml", "--format", "json"),
        ("models", "llama"),
        ("detect",),
        ("nothing-there.toml",),
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_the_command_line_does_not_load_textual(arguments: tuple[str, ...]) -> None:
    loaded = run(f"import sys; from tui.cli import main; main(sys.argv[1:]); {LOADED}", *arguments).split()
    assert not set(loaded) & {"textual", "rich"}


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_load_next_to_nothing(option: str) -> None:
    code = f"""
import sys
from tui.cli import main
try:
    main(sys.argv[1:])
except SystemExit as leaving:
    assert leaving.code == 0
{LOADED}
"""
    loaded = run(code, option).split()
    assert not set(loaded) & {"textual", "rich", "pydantic", "catalog"}
