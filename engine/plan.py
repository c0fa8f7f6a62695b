"""One build evaluated: the layout, its memory and its speed. The verdict, the flips and the searches compare these."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from engine.layout import candidate_layouts, check_choice
from engine.scenario import Hardware, Layout, LayoutChoice, Scenario
from engine.serving_advice import with_suggestions
from engine.serving_memory import serving_memory
from engine.serving_speed import serving_speed, throughput_score
from engine.sizing import Memory, Serving, Training
from engine.training_memory import training_memory
from engine.training_speed import step, training_speed

# How many of the layouts that fit are timed: beyond the best few by memory the order no longer changes.
TIMED_LAYOUTS = 8
NOTABLE_GAIN = 1.05  # below this two layouts are said to be about as fast


@dataclass(frozen=True, slots=True)
class Plan:
    """A scenario with its layout decided and its memory and speed known."""

    scenario: Scenario
    layout: Layout
    memory: Memory
    serving: Serving | None
    training: Training | None

    @property
    def meets_targets(self) -> bool:
        """Whether no target that the person set is missed; true when none was set."""
        if self.serving is not None:
            return self.serving.meets_targets is not False
        return self.training is None or self.training.meets_deadline is not False

    @property
    def carries(self) -> bool:
        """Whether the build carries the workload: it fits, with no target missed."""
        return self.memory.fits and self.meets_targets


def memory_of(scenario: Scenario, layout: Layout, suggest: bool = False) -> Memory:
    """Memory per GPU of a scenario in one layout; suggest adds the single changes that would help."""
    if scenario.workload.is_inference:
        memory = serving_memory(scenario, layout)
        return with_suggestions(scenario, layout, memory) if suggest else memory
    return training_memory(scenario, layout, suggest=suggest)


def _timed(scenario: Scenario, layout: Layout, memory: Memory) -> tuple[Serving | None, Training | None]:
    if scenario.workload.is_inference:
        return serving_speed(scenario, layout, memory), None
    return None, training_speed(scenario, layout, memory)


def _score(scenario: Scenario, layout: Layout, memory: Memory) -> float:
    """Tokens/s that rank serving layouts; one that misses a target scores a thousandth."""
    workload = scenario.workload
    targets = (workload.ttft_target_s, workload.tokens_per_s_user_target, workload.requests_per_s)
    if all(target is None for target in targets):
        return throughput_score(scenario, layout, memory)
    serving = serving_speed(scenario, layout, memory)
    score = serving.offline_tokens_per_s if workload.kind == "batch" else serving.tokens_per_s_total
    return score * 1e-3 if serving.meets_targets is False else score


def _against(score: float, chosen: Layout, others: list[tuple[float, Layout]]) -> str:
    """The chosen layout against the runner-up and against the widest TP, which is what most people would start."""
    runner_up = max(others, key=lambda pair: pair[0])
    widest = max(others, key=lambda pair: (pair[1].tp, pair[0]))
    parts = []
    for value, other in (widest, runner_up) if widest[1] is not runner_up[1] else (runner_up,):
        ratio = score / value
        if ratio >= 100:
            parts.append(f"inside the targets, unlike {_words(other)}")
        elif ratio >= NOTABLE_GAIN:
            parts.append(f"{ratio:.1f}x the tokens/s of {_words(other)}")
        else:
            parts.append(f"about as fast as {_words(other)}")
    return ", ".join(parts)


def _words(layout: Layout) -> str:
    parts = [f"TP {layout.tp}"]
    if layout.pp > 1:
        parts.append(f"PP {layout.pp}")
    if layout.dp > 1:
        parts.append(f"{layout.dp} replicas")
    if layout.ep > 1:
        parts.append(f"EP {layout.ep}")
    if layout.dp_attention:
        parts.append("DP attention")
    return " x ".join(parts)


def _worth_trying(scenario: Scenario, layouts: tuple[Layout, ...]) -> list[Layout]:
    """Leave out pipelines inside a node wherever some TP without them fills it: they never win there."""
    nodes = scenario.hardware.nodes
    if scenario.layout.pp is not None:
        return list(layouts)
    lean = [layout for layout in layouts if layout.pp == 1 or (nodes > 1 and layout.pp <= nodes)]
    return lean or list(layouts)


def _without_fabric(scenario: Scenario, fitting: list[tuple[Layout, Memory]]) -> list[tuple[Layout, Memory]]:
    """For serving, only layouts whose replicas stay inside a node, where there are any: they need no fabric to run."""
    if scenario.hardware.nodes == 1 or not scenario.workload.is_inference:
        return fitting
    per_node = scenario.hardware.gpus_per_node
    inside = [p for p in fitting if (p[0].gpus if p[0].dp_attention else p[0].tp * p[0].pp) <= per_node]
    return [pair for pair in inside if pair[0].pp == 1] or inside or fitting


@lru_cache(maxsize=4096)
def _choose(scenario: Scenario) -> Plan:
    layouts = _worth_trying(scenario, candidate_layouts(scenario))
    if scenario.workload.is_inference:
        sized = [(layout, memory_of(scenario, layout)) for layout in layouts]
        fitting = _without_fabric(scenario, [pair for pair in sized if pair[1].fits])
        # fewest GPUs a replica first: the larger TP of two equals only adds collectives
        fitting.sort(key=lambda pair: (pair[0].pp, pair[0].tp))
        ranked = [(_score(scenario, layout, memory), layout, memory) for layout, memory in fitting[:TIMED_LAYOUTS]]
        ranked.sort(key=lambda entry: -entry[0])
    else:
        sized, ranked = _fastest_that_fit(scenario, layouts)
    if not ranked:
        return _closest(scenario, sized)
    score, layout, memory = ranked[0]
    serving, training = _timed(scenario, layout, memory)
    others = [(value, other) for value, other, _ in ranked[1:] if value > 0]
    if len(layouts) == 1:
        reason = "the only layout of this build" if scenario.hardware.gpus > 1 else "one GPU"
    elif not others:
        reason = "the only layout that fits"
    else:
        reason = _against(score, layout, others)
    return Plan(scenario, replace(layout, reason=reason), memory, serving, training)


def _fastest_that_fit(
    scenario: Scenario, layouts: list[Layout]
) -> tuple[list[tuple[Layout, Memory]], list[tuple[float, Layout, Memory]]]:
    """For training: layouts from the fastest on, sized until two fit. A step's time does not depend on its memory."""
    architecture, hardware, workload = scenario.model.architecture, scenario.hardware, scenario.workload
    timed = [(step(architecture, hardware, workload, layout).tokens_per_s, layout) for layout in layouts]
    timed.sort(key=lambda pair: -pair[0])
    sized: list[tuple[Layout, Memory]] = []
    ranked: list[tuple[float, Layout, Memory]] = []
    for score, layout in timed:
        memory = memory_of(scenario, layout)
        sized.append((layout, memory))
        if memory.fits:
            ranked.append((score, layout, memory))
            if len(ranked) == 2:
                break
    return sized, ranked


def _closest(scenario: Scenario, sized: list[tuple[Layout, Memory]]) -> Plan:
    """Of layouts that do not fit, the one that starts with most users, else the one that is least over."""
    starting = [pair for pair in sized if pair[1].starts]
    pool = starting or sized
    layout, memory = max(pool, key=lambda pair: (pair[1].max_concurrency, pair[1].worst.free_bytes))
    # a run that is over the card is still timed: what it would do with room is a figure people compare
    timed = memory.starts or not scenario.workload.is_inference
    serving, training = _timed(scenario, layout, memory) if timed else (None, None)
    reason = "most users of those that start" if starting else "least over the card; nothing fits"
    return Plan(scenario, replace(layout, reason=reason), memory, serving, training)


def plan(scenario: Scenario) -> Plan:
    """The scenario with the best valid layout. Raises ScenarioError for an impossible scenario or layout."""
    choice = scenario.layout
    if choice.tp is not None and choice.pp is not None and choice.dp is not None:
        check_choice(scenario)
        layout = Layout(choice.tp, choice.pp, choice.dp, choice.ep or 1, bool(choice.dp_attention), "pinned")
        memory = memory_of(scenario, layout)
        # a run that is over the card is still timed: what it would do with room is a figure people compare
        timed = memory.starts or not scenario.workload.is_inference
        serving, training = _timed(scenario, layout, memory) if timed else (None, None)
        return Plan(scenario, layout, memory, serving, training)
    found = _choose(scenario)
    # facts are not part of what makes two scenarios equal, and newer prices must not find an older plan
    return found if found.scenario.facts is scenario.facts else replace(found, scenario=scenario)


def advised(found: Plan) -> Plan:
    """The plan with its memory's suggestions, which the searches leave out since nobody reads them there."""
    return replace(found, memory=memory_of(found.scenario, found.layout, suggest=True))


def resized(scenario: Scenario, gpus_per_node: int, nodes: int = 1) -> Scenario:
    """The same workload on another count of the same card, with the layout left to choose."""
    hardware = scenario.hardware
    build = Hardware(
        accelerator=hardware.accelerator,
        gpus_per_node=gpus_per_node,
        nodes=nodes,
        intra_link=hardware.intra_link,
        inter_link=hardware.inter_link,
        platform=hardware.platform,
    )
    return replace(scenario, hardware=build, layout=LayoutChoice())
