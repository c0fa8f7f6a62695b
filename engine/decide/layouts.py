"""Which layouts of a build are tried, and in which words the chosen one is held against the others."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from engine.figures.records import NamedTuple
from engine.figures.sentences import Figure, Sentence, joined
from engine.layout.candidates import candidate_layouts, splits_by_layer
from engine.scenario import Layout, Money, Scenario, Workload

NOTABLE_GAIN = 1.05  # below this two layouts are said to be about as fast
NOTHING_FITS = "no layout fits; this one is over by least"
_NO_MONEY = Money()


class Why(NamedTuple):
    """Why a layout is chosen, and the layouts that this names, in its order."""

    reason: Sentence
    rivals: tuple[Layout, ...] = ()


def why(scenario: Scenario, count: int, ranked: list[tuple[float, Layout]]) -> Why:
    """Why the first of the ranked layouts was chosen among so many that could be."""
    if count == 1:
        return Why(("the only layout of this build" if scenario.hardware.gpus > 1 else "one GPU",))
    others = [(value, other) for value, other in ranked[1:] if value > 0]
    return _against(ranked[0][0], others) if others else Why(("the only layout that fits",))


def _against(score: float, others: list[tuple[float, Layout]]) -> Why:
    """The chosen layout against the runner-up and against the widest TP, which is what most people would start."""
    runner_up = max(others, key=lambda pair: pair[0])
    widest = max(others, key=lambda pair: (pair[1].tp, pair[0]))
    named = (widest, runner_up) if widest[1] is not runner_up[1] else (runner_up,)
    parts: list[Sentence] = []
    for number, (value, other) in enumerate(named, 1):
        ratio, figure = score / value, f"layout.rival.{number}"
        if ratio >= 100:
            parts.append((Figure("inside the targets", figure), f", unlike {layout_words(other)}"))
        elif ratio >= NOTABLE_GAIN:
            parts.append((Figure(f"{ratio:.1f}x", figure), f" the tokens/s of {layout_words(other)}"))
        else:
            parts.append((Figure("about as fast", figure), f" as {layout_words(other)}"))
    return Why(joined(parts, ", "), tuple(other for _, other in named))


def layout_words(layout: Layout) -> str:
    """A layout in short, as reasons name it: TP 4 x 2 replicas."""
    parts = [f"TP {layout.tp}"]
    if layout.pp > 1:
        parts.append(f"PP {layout.pp}")
    if layout.dp_attention:
        parts.append(f"DP attention {layout.dp}")
    elif layout.dp > 1:
        parts.append(f"{layout.dp} replicas")
    if layout.ep > 1:
        parts.append(f"EP {layout.ep}")
    return " x ".join(parts)


def whatever_load(scenario: Scenario) -> Scenario:
    """The scenario without what no layout's memory of a request, and no step, depends on: users, targets and money."""
    return replace(scenario, workload=_unloaded(scenario.workload), money=_NO_MONEY, title="", notes="")


@lru_cache(maxsize=64)
def _unloaded(work: Workload) -> Workload:
    return replace(
        work,
        concurrency=1,
        requests=None,
        ttft_target_s=None,
        ttft_target_at="mean",
        tokens_per_s_user_target_at="mean",
        tokens_per_s_user_target=None,
        requests_per_s=None,
        total_tokens=None,
        deadline_days=None,
        budget_usd=None,
    )


@lru_cache(maxsize=64)
def tiers(scenario: Scenario) -> tuple[list[Layout], list[Layout]]:
    """The layouts to try first, and those besides: by `whatever_load`, since users come and go."""
    return _worth_trying(scenario, candidate_layouts(scenario))


def _worth_trying(scenario: Scenario, layouts: tuple[Layout, ...]) -> tuple[list[Layout], list[Layout]]:
    """The layouts to try first, and those to try besides where none of the first carries the workload.

    A pipeline inside a node is as slow for one user as a GPU alone, so that a TP that fills the node wins wherever it
    fits. It does not always: KV heads fewer than TP are stored more than once, and PP never stores one twice.
    """
    nodes = scenario.hardware.nodes
    if scenario.layout.pp is not None or splits_by_layer(scenario):
        return list(layouts), []
    most = nodes if nodes > 1 else 1
    lean = [layout for layout in layouts if layout.pp <= most]
    return (lean, [layout for layout in layouts if layout.pp > most]) if lean else (list(layouts), [])
