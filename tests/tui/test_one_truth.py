"""A quantity that is shown in several places is the same in all of them: pages, answer, text, Markdown and JSON.

Figures are bound by the ids that they carry, and rows of a report by their labels; what stands in the JSON report is what
all of them are held against.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engine.decide.scaling import FLOOR
from engine.decide.size import size
from engine.figures.sentences import Figure
from engine.figures.units import percent
from engine.scenario import LayoutChoice
from engine.scenario.change import change
from engine.serving.memory import RULE_WEIGHTS
from engine.sizing import Sizing
from tests.tui.figures import page_lines, studied
from tests.tui.test_figures import SHOWN
from tui.pages.contents import PAGES
from tui.pages.doc import Line
from tui.pages.studies import Studies
from tui.shell import report

WIDTHS = (60, 78, 120)
ROOT = Path(__file__).parent.parent.parent

# --- numbers as people read them

_AMOUNT = re.compile(
    r"(?<![\w.])(?P<number>[\d,]*\.?\d+)(?P<letter>[kMBT](?![a-zA-Z]))?"
    r"(?:\s?(?P<unit>µs|ms|s|min|h|days?|GiB|MiB|KiB|%|kW|W|months?)(?![a-zA-Z/]))?"
)
_LETTERS = {None: 1.0, "k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_UNITS = {
    None: 1.0, "%": 0.01, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "day": 86400.0, "days": 86400.0,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "W": 1.0, "kW": 1e3, "month": 1.0, "months": 1.0,
}  # fmt: skip
_TIMES = ("µs", "ms", "s", "min", "h", "day", "days")


def amounts(text: str) -> Iterator[tuple[float, float, str | None]]:
    """Each number in the base of its unit (bytes, seconds, watts, shares), half of its last digit, and the unit."""
    for match in _AMOUNT.finditer(text):
        digits, unit = match["number"].replace(",", ""), match["unit"]
        scale = _LETTERS[match["letter"]] * _UNITS[unit]
        yield float(digits) * scale, 0.51 * 10 ** -len(digits.partition(".")[2]) * scale, unit


def agrees(text: str, path: str, exact: float) -> bool:
    """Whether the first number of a text is this value of the JSON report, as far as its digits go."""
    value, half, unit = next(amounts(text))
    if path.endswith("_bytes") and unit is None:
        value, half = value * 2**30, half * 2**30  # a column of GiB
    if path.endswith("days") and unit in _TIMES:
        exact = exact * 86400
    if "_gib" in path:
        exact = exact * 2**30
    three = 0.0051 * abs(value)  # three figures are shown of most numbers, and JSON keeps six
    return abs(value - exact) <= max(half, min(three, 50 * half)) + 1e-5 * abs(exact)


def at(data: Any, path: str) -> float | None:
    """The number at a path of the JSON report, `memory.1.kv_bytes` being of the second group; None where it has none."""
    if path.startswith("memory."):
        index, _, name = path.removeprefix("memory.").partition(".")
        group, name = (int(index), name) if index.isdigit() else (0, path.removeprefix("memory."))
        if name in data["memory"]["per_gpu"][group]:
            return float(data["memory"]["per_gpu"][group][name])
    for part in path.split("."):
        if not isinstance(data, dict) or part not in data:
            return None
        data = data[part]
    return float(data) if isinstance(data, int | float) and not isinstance(data, bool) else None


# --- what is shown


@lru_cache(maxsize=32)
def shown(name: str) -> tuple[Sizing, Studies, dict[str, Any]]:
    """A build sized, studied, and as the JSON report."""
    scenario = SHOWN[name]()
    sizing = size(scenario)
    return sizing, studied(scenario, vendors=("AMD",)), json.loads(report.render(sizing, "json"))


def whole(rows: list[Line]) -> Iterator[tuple[str, str]]:
    """Each span's action and text, one that wraps onto the next row in one piece."""
    action, text = "", ""
    for row in rows:
        spans = [span for span in row if span.text.strip()]
        for number, span in enumerate(spans):
            if number == 0 and span.action and span.action == action:
                text = f"{text} {span.text.strip()}"
                continue
            if text:
                yield action, text
            action, text = span.action, span.text
    yield action, text


def told(sizing: Sizing, studies: Studies) -> Iterator[tuple[str, str, str]]:
    """(where, id, text) of every figure with a number: on all pages at several widths, and in the answer."""
    for width in WIDTHS:
        for page in PAGES:
            for action, text in whole(page_lines(sizing, studies, page, width)):
                if action.startswith("figure:") and re.search(r"\d", text):
                    yield f"{page}, {width} columns", action.removeprefix("figure:"), text
    answer = sizing.answer
    for sentence in (answer.why, *answer.speed, *answer.price, answer.rung):
        for part in sentence:
            if isinstance(part, Figure):
                yield "the answer", part.figure, part.text


INTERVALS = re.compile(r"^\D*[\d.,]+ ?[–-] ?[\d.,]+|^[\d.,]+ to [\d.,]+")
"""An interval beside a figure opens the same working."""
OF_ANOTHER = {
    "power.circuits_per_node": re.compile(r"\d+ V"),
    "power.psu_w": re.compile(r"of [\d,]+ W"),  # the single supplies that it is the sum of
    "cost.operations_factor": re.compile(r"^\d$|^\d-\d$"),  # the range that it is taken from
    "training.mfu": re.compile(r"TFLOP/s"),  # the peak that it is a share of
    "training.tokens_per_s_gpu": re.compile(r"tokens/s$"),
    "training.step_tokens": re.compile(r"sequences? of"),  # what it is the product of
    "training.days": re.compile(r" to "),  # by the interval of the speed
    "memory.weights_share": re.compile("▴"),  # the rule that it is held against
    "cost.own_usd_per_month": re.compile(r"36 months"),  # over which it is spread
}
"""Remarks that open the working of the figure that they stand beside."""
WITH_INPUTS = re.compile(r" each\s*$|^under the floor|^Most for a GPU|of TP |as TP |replica|users? ×|GPUs?\s*$")
"""Texts that name a shape or an input of what they open."""


@pytest.mark.parametrize("name", SHOWN)
def test_every_page_and_the_answer_show_what_the_json_report_has(name: str) -> None:
    sizing, studies, data = shown(name)
    checked: set[str] = set()
    wrong: list[str] = []
    for where, figure, text in told(sizing, studies):
        exact = at(data, figure)
        if (
            exact is None
            or INTERVALS.search(text)
            or (figure in OF_ANOTHER and OF_ANOTHER[figure].search(text.strip()))
        ):
            continue
        checked.add(figure)
        if not agrees(text, figure, exact):
            wrong.append(f"{where}: {text.strip()!r} where {figure} is {exact:g}")
    assert not wrong, "\n".join(wrong)
    assert len(checked) >= 20
    assert "memory.available_bytes" in checked or "memory.over_bytes" in checked


@pytest.mark.parametrize("name", SHOWN)
def test_a_figure_has_one_value_wherever_it_stands(name: str) -> None:
    sizing, studies, _ = shown(name)
    seen: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for where, figure, text in told(sizing, studies):
        beside = figure in OF_ANOTHER and OF_ANOTHER[figure].search(text.strip())
        if not INTERVALS.search(text) and not beside and not WITH_INPUTS.search(text) and next(amounts(text), None):
            seen[figure].append((where, text))
    for figure, places in seen.items():
        if figure.startswith("states.") or figure.endswith(".frontier_gpus"):
            continue  # sentences that tell a sum with its inputs, all of which open it
        found = [(*next(amounts(text)), where, text) for where, text in places]
        in_words = {unit for _, _, unit, _, _ in found}
        if len(in_words) > 1 and None in in_words:
            found = [entry for entry in found if entry[2] is not None]  # a bare number is of a column with its unit
        first = min(found, key=lambda entry: entry[1] / (entry[0] or 1.0))
        for value, half, _, where, text in found:
            close = abs(value - first[0]) <= max(half + first[1], 0.0051 * abs(first[0]))
            assert close, f"{figure}: {text.strip()!r} ({where}) and {first[4].strip()!r} ({first[3]})"


def test_different_quantities_have_labels_of_their_own() -> None:
    """A label that opens two figures of one build would be two quantities under one name."""
    for name in ("new", "llama70b", "finetune", "LoRA with limits", "priced"):
        sizing, studies, data = shown(name)
        named: dict[str, set[str]] = defaultdict(set)
        for page in PAGES:
            for row in page_lines(sizing, studies, page, 120):
                for label, value in pairwise(row):
                    if label.action != value.action or re.search(r"\d", label.text) or not value.text.strip():
                        continue
                    figure = value.action.removeprefix("figure:")
                    if value.action.startswith("figure:") and at(data, figure) is not None:
                        named[label.text.strip()].add(figure)
        assert len(named) >= 20
        both = {label: figures for label, figures in named.items() if label and len(figures) > 1}
        assert not both, name


ROWS: dict[str, tuple[str, ...]] = {
    "time to first token": ("serving.ttft_s",),
    "time between tokens": ("serving.inter_token_s",),
    "tokens/s for a user": ("serving.tokens_per_s_user",),
    "requests/s": ("serving.requests_per_s",),
    "users running, of those asked": ("serving.served_concurrency",),
    "at most at once, as answers grow": ("serving.most_at_once", "serving.offline_tokens_per_s"),
    "one user alone, tokens/s": ("serving.single_stream_tokens_per_s",),
    "time communicating": ("serving.communication_share",),
    "step": ("training.step_s",),
    "tokens/s for a GPU": ("training.tokens_per_s_gpu",),
    "MFU": ("training.mfu",),
    "the run": ("training.days",),
    "GPU-hours": ("training.gpu_hours",),
    "efficiency against one GPU": ("training.efficiency",),
    "pipeline bubble": ("training.bubble_share",),
    "buy": ("cost.buy_usd",),
    "buy, all-in": ("cost.buy_usd",),
    "own a month, over 36": ("cost.own_usd_per_month",),
    "rent an hour": ("cost.rent_usd_per_hour",),
    "rent a month": ("cost.rent_usd_per_month",),
    "electricity a month": ("cost.electricity_usd_per_month",),
    "a million tokens": ("cost.usd_per_million_tokens",),
    "the same from an API": ("cost.api_usd_per_million_tokens",),
    "rent of the run": ("cost.run_usd", "training.cost_usd"),
    "buying pays after": ("cost.break_even_months", "cost.break_even_runs"),
    "a checkpoint": ("cost.checkpoint_bytes",),
    "in all": ("power.total_w",),
    "a node": ("power.node_w",),
    "supplies of a node": ("power.psu_w",),
    "heat": ("power.heat_btu_h",),
    "nodes in a rack": ("power.nodes_per_rack",),
    "racks": ("power.racks",),
    "disks of a node": ("power.nvme_bytes_min",),
    "PCIe lanes of a node": ("power.pcie_lanes_needed",),
    "host memory of a node": ("power.host_memory_gib_min",),
}
"""Rows of the report by their label, and what their numbers are; the run's rent stands in JSON twice."""
BESIDE = re.compile(r"\([^()]*\)")


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("form", ["text", "markdown"])
def test_the_rows_of_a_report_are_the_figures_of_its_json(name: str, form: report.Format) -> None:
    sizing, _, data = shown(name)
    lines = report.render(sizing, form).splitlines()
    checked = 0
    for label, paths in ROWS.items():
        start = f"| {label} | " if form == "markdown" else f"{label}  "
        rows = [line.removeprefix(start) for line in lines if line.startswith(start)]
        for text in rows:
            told_numbers = [match.group() for match in _AMOUNT.finditer(BESIDE.sub("", text))]
            known = [path for path in paths if at(data, path) is not None]
            if not known:
                assert not told_numbers, f"{label}: {text!r} stands for what the JSON report does not know"
            if label == "rent of the run":
                told_numbers *= len(known)
            for number, path in zip(told_numbers, known, strict=False):
                exact = at(data, path)
                assert exact is not None
                assert agrees(number, path, exact), f"{label}: {text!r} where {path} is {exact:g}"
                checked += 1
    assert checked >= 10
    if data["serving"] is not None:
        users, flat = data["memory"]["users_that_fit"], " ".join(" ".join(lines).split())
        assert f"fit: {users if users else 'not one'} user" in flat or users >= 1000


@pytest.mark.parametrize("name", ["new", "llama70b", "mixtral", "deepseek"])
def test_as_many_users_fit_as_are_said_to(name: str) -> None:
    """The law behind the number: so many are held in this layout, and one more is not."""
    sizing = size(SHOWN[name]())
    layout = LayoutChoice(
        sizing.layout.tp, sizing.layout.pp, sizing.layout.dp, sizing.layout.ep, sizing.layout.dp_attention or None
    )
    pinned = replace(sizing.scenario, layout=layout)
    users = sizing.memory.users_that_fit

    def under(count: int) -> Sizing:
        return size(change(pinned, {"workload.concurrency": count}))

    assert under(users).memory.fits
    assert not under(users + 1).memory.fits
    serving = sizing.serving
    assert serving is not None
    assert serving.most_at_once >= users or sizing.scenario.runtime.max_num_seqs is not None
    within = serving.users_within_targets
    if within is not None and 0 < within < users:
        assert under(within).verdict.carried
        assert not under(within + 1).verdict.carried


def test_the_rules_that_the_readme_quotes_are_those_of_the_program() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    prose = re.sub(r"<!-- accuracy.*?-->.*?<!--.*?-->|```.*?```", " ", text, flags=re.DOTALL)
    quoted = re.findall(r"(\d+ %) (weights mark|floor|interval)", prose)
    rules = {"weights mark": percent(RULE_WEIGHTS), "floor": percent(FLOOR), "interval": "80 %"}
    assert {what for _, what in quoted} == set(rules)
    assert all(rules[what] == number for number, what in quoted)
    shares = re.findall(r"\d+ %", prose)
    assert len(shares) == len(quoted), "a share that is quoted is bound to the rule that it is"
    assert not re.findall(r"\d+ (?:users|tok/s|tokens/s)|\$\d", prose), "figures of a build are shown by pictures"


def _page(name: str) -> list[str]:
    return (ROOT / "docs" / name).read_text(encoding="utf-8").splitlines()


def _cells(rows: list[str], first: str) -> list[str]:
    row = next(row for row in rows if row.startswith(f"| {first} |"))
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_the_errors_that_the_readme_leads_with_are_those_of_the_pages() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    speed, memory, fabric, accuracy = map(_page, ("serving-speed.md", "memory.md", "fabric.md", "accuracy.md"))
    for name in ("time per token, dense", "time per token, MoE"):
        errors = [round(float(part)) for part in _cells(speed, name)[3].split("/")]
        assert "{} / {} %".format(*errors) in _cells(readme, name)[2]
    for ours, theirs in (
        ("weights of each GPU, serving", "weights per GPU"),
        ("KV tokens that fit", "KV capacity in tokens"),
    ):
        middle, worst = _cells(memory, theirs)[2:4]
        assert f"{middle.removesuffix(' %')} / {worst}" in _cells(readme, ours)[2]
    middle, worst = _cells(fabric, "one source file")[1:3]
    assert f"{float(middle.split()[0]):.0f} / {worst}" in _cells(readme, "collectives")[2]
    runs = accuracy[accuracy.index("## Training by framework and kind, each source left out") :]
    for number, name in enumerate(("training memory", "training speed")):
        everything = [row for row in runs if row.startswith("| all |")][number]
        votes = [row for row in runs if row.startswith("| a source one vote |")][number]
        shown = [
            [f"{float(cell.removesuffix(' %')):.2g}" for cell in _cells([row], row.split("|")[1].strip())[4:6]]
            for row in (everything, votes)
        ]
        said = "{} / {} %; a source one vote {} / {} %".format(*shown[0], *shown[1])
        assert said in _cells(readme, name)[2]
