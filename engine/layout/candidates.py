"""Which layouts are valid on a build, and which one to take when the person pinned none.

Validity follows what serving engines and Megatron accept: TP divides the attention heads; KV heads divide TP or
TP divides KV heads (vllm/config/model.py, verify_with_parallel_config; Megatron-LM arguments.py); PP is at most the
number of layers; the product of TP, PP and DP is the number of GPUs.
"""

from __future__ import annotations

from functools import lru_cache

from engine.figures.errors import ScenarioError
from engine.model.architecture import Architecture
from engine.scenario import Layout, LayoutChoice, Scenario
from engine.scenario.frameworks import missing_splits


def divisors(number: int) -> tuple[int, ...]:
    """All divisors of a positive number, ascending."""
    return tuple(n for n in range(1, number + 1) if number % n == 0)


def works_alone(scenario: Scenario, layout: Layout) -> bool:
    """Whether several nodes answer each by itself, as replicas that need no fabric between them."""
    hardware = scenario.hardware
    replica = layout.gpus if layout.dp_attention else layout.tp * layout.pp
    return scenario.workload.is_inference and hardware.nodes > 1 and replica <= hardware.gpus_per_node


def _nearest(value: int, allowed: tuple[int, ...]) -> int:
    return min(allowed, key=lambda candidate: (abs(candidate - value), -candidate))


@lru_cache(maxsize=256)
def valid_tp(architecture: Architecture, gpus: int) -> tuple[int, ...]:
    """TP sizes up to `gpus` that this model can be split by."""
    sizes = []
    for tp in range(1, gpus + 1):
        if architecture.heads and architecture.heads % tp:
            continue
        kv = architecture.kv_heads
        if kv and kv % tp and tp % kv:
            continue
        sizes.append(tp)
    return tuple(sizes)


def _positive(field: str, value: int | None) -> None:
    if value is not None and value < 1:
        raise ScenarioError(f"layout.{field}", f"{value} is not a number of ranks", "1 or more", 1)


def check_choice(scenario: Scenario) -> None:
    """Refuse a pinned layout that cannot run. Raises ScenarioError with the reason and the nearest valid value."""
    choice, architecture = scenario.layout, scenario.model.architecture
    gpus = scenario.hardware.gpus
    for field in ("tp", "pp", "dp", "ep"):
        _positive(field, getattr(choice, field))
    if choice.tp is not None:
        sizes = valid_tp(architecture, gpus)
        if choice.tp > gpus:
            raise ScenarioError("layout.tp", f"{choice.tp} ranks on {gpus} GPUs", f"at most {gpus}", sizes[-1])
        if choice.tp not in sizes:
            kv = architecture.kv_heads
            odd = f"{architecture.heads} attention heads"
            if kv and architecture.heads % choice.tp == 0:
                odd = f"{kv} KV heads"
            raise ScenarioError(
                "layout.tp",
                f"{choice.tp} does not divide the model's {odd}",
                ", ".join(map(str, sizes)),
                _nearest(choice.tp, sizes),
            )
    if choice.dcp is not None and choice.dcp > 1:
        sizes = (choice.tp,) if choice.tp is not None else valid_tp(architecture, gpus)
        shared = tuple(n for n in divisors(gpus) if any(shares_tokens(architecture, tp, n) for tp in sizes))
        if choice.dcp not in shared:
            raise ScenarioError(
                "layout.dcp",
                f"{choice.dcp} ranks do not hold the same KV cache",
                ", ".join(map(str, shared)),
                _nearest(choice.dcp, shared),
            )
    layers = len(architecture.layers)
    if choice.pp is not None and choice.pp > min(layers, gpus):
        limit = min(layers, gpus)
        what = f"{layers} layers" if layers < gpus else f"{gpus} GPUs"
        raise ScenarioError("layout.pp", f"{choice.pp} stages for {what}", f"1 to {limit}", limit)
    used = (choice.tp or 1) * (choice.pp or 1) * (choice.dp or 1)
    if used > gpus:
        field = next(f for f in ("dp", "pp", "tp") if (getattr(choice, f) or 1) > 1)
        others = used // (getattr(choice, field) or 1)
        raise ScenarioError(
            f"layout.{field}",
            f"TP x PP x DP is {used} on {gpus} GPUs",
            f"at most {max(1, gpus // others)} beside the others",
            max(1, gpus // others),
        )
    if choice.ep is not None and choice.ep > 1:
        if not architecture.experts:
            raise ScenarioError("layout.ep", "the model has no experts to spread", "1", 1)
        allowed = tuple(n for n in divisors(architecture.experts) if n <= gpus)
        if choice.ep not in allowed:
            raise ScenarioError(
                "layout.ep",
                f"{choice.ep} ranks do not divide {architecture.experts} experts on {gpus} GPUs",
                ", ".join(map(str, allowed)),
                _nearest(choice.ep, allowed),
            )


@lru_cache(maxsize=256)
def shares_one_cache(architecture: Architecture) -> bool:
    """Whether all heads read one cache that every TP rank holds whole: MLA, with a latent or a compressed history.

    It is the mixer that says so: DeepSeek V4's caches are windows and compressed tokens, and no rank holds a share.
    """
    return any(layer.mixer == "mla" for layer in architecture.layers)


def shares_tokens(architecture: Architecture, tp: int, dcp: int | None) -> bool:
    """Whether so many ranks can share the tokens of a cache: those that hold the same one (vllm/config/parallel.py)."""
    alike = tp if shares_one_cache(architecture) else max(1, tp // max(1, architecture.kv_heads))
    return dcp is None or alike % dcp == 0


@lru_cache(maxsize=128)
def _shapes(
    architecture: Architecture, gpus_per_node: int, nodes: int, choice: LayoutChoice, inference: bool
) -> tuple[Layout, ...]:
    gpus = gpus_per_node * nodes
    tps = (choice.tp,) if choice.tp else tuple(t for t in valid_tp(architecture, gpus_per_node))
    layers = len(architecture.layers)
    found: list[Layout] = []
    for tp in tps:
        rest = gpus // tp
        pps = (choice.pp,) if choice.pp else tuple(p for p in divisors(rest) if p <= layers)
        for pp in pps:
            room = rest // pp
            if choice.dp is not None and choice.dp > room:
                continue
            dp = choice.dp or room
            if dp < 1:
                continue
            fills = tp * pp * dp == gpus
            if not fills and choice.tp is None and choice.pp is None and choice.dp is None:
                continue
            ep = choice.ep or 1
            if ep > 1 and (tp * dp) % ep:
                continue
            if not shares_tokens(architecture, tp, choice.dcp):
                continue
            found.append(Layout(tp, pp, dp, ep, bool(choice.dp_attention), dcp=choice.dcp or 1))
            if choice.ep is None:
                found += _expert_layouts(architecture, found[-1], choice, gpus_per_node, inference)
    return tuple(found)


def _expert_layouts(
    architecture: Architecture, base: Layout, choice: LayoutChoice, gpus_per_node: int, inference: bool
) -> list[Layout]:
    """The same GPUs with whole experts on each: EP inside TP, for MLA data-parallel attention, for training EP over DP.

    Data-parallel attention keeps one copy of the latent cache where TP replicates it (vllm docs, data_parallel_deployment;
    sglang docs, --enable-dp-attention); experts are then spread over every rank. In training whole experts spread over
    data-parallel ranks of one node, where the all-to-all stays on the fast link (Megatron-LM, --expert-model-parallel-size).
    """
    if not architecture.experts:
        return []
    layouts: list[Layout] = []
    if not inference:
        ep = min(base.tp * base.dp, gpus_per_node)
        if ep > 1 and (base.tp * base.dp) % ep == 0 and architecture.experts % ep == 0:
            layouts.append(Layout(base.tp, base.pp, base.dp, ep))
        return layouts
    if base.tp > 1 and architecture.experts % base.tp == 0 and not base.dp_attention:
        layouts.append(Layout(base.tp, base.pp, base.dp, base.tp))
    if (
        base.tp == 1
        and base.dp > 1
        and choice.dp_attention is None
        and architecture.experts % base.dp == 0
        and shares_one_cache(architecture)
    ):
        layouts.append(Layout(1, base.pp, base.dp, base.dp, True))
    return layouts


def splits_by_layer(scenario: Scenario) -> bool:
    """Whether the engine spreads a model as whole layers where nobody pins a TP."""
    return scenario.runtime.rules.whole_layers and scenario.layout.tp is None


def _of_the_framework(scenario: Scenario, shapes: tuple[Layout, ...]) -> tuple[Layout, ...]:
    """Of the layouts those that split weights in no way that the framework has not, beside what is pinned so.

    All of them where a pinned count leaves nothing else to fill the build with.
    """
    choice, missing = scenario.layout, missing_splits(scenario.workload)
    if not missing:
        return shapes
    tp, pp, ep = (name not in missing or (getattr(choice, name) or 1) > 1 for name in ("tp", "pp", "ep"))
    kept = tuple([one for one in shapes if (tp or one.tp == 1) and (pp or one.pp == 1) and (ep or one.ep == 1)])
    return kept or shapes


def candidate_layouts(scenario: Scenario) -> tuple[Layout, ...]:
    """Every layout that fills the build and respects what is pinned. Raises ScenarioError when none does.

    TP stays inside a node unless the person pins more; a serving replica takes pipeline stages inside a node only
    where TP cannot fill it, since TP halves the latency that PP leaves as it is. llama.cpp gives each GPU whole
    layers unless it is told otherwise (ggml-org/llama.cpp, tools/server/README.md, --split-mode). A training
    framework splits weights in the ways that it has (`engine.runtimes.frameworks`).
    """
    check_choice(scenario)
    hardware = scenario.hardware
    inference = scenario.workload.is_inference
    shapes = _shapes(scenario.model.architecture, hardware.gpus_per_node, hardware.nodes, scenario.layout, inference)
    if not shapes:
        choice = scenario.layout
        if choice.ep and choice.ep > 1:
            raise ScenarioError(
                "layout.ep", f"{choice.ep} does not divide TP x DP of any layout on {hardware.gpus} GPUs", "1", 1
            )
        raise ScenarioError("layout.tp", f"no layout fills {hardware.gpus} GPUs with what is pinned", "auto")
    if inference and splits_by_layer(scenario):
        shapes = tuple(layout for layout in shapes if layout.tp == 1) or shapes
    if not inference:
        shapes = _of_the_framework(scenario, shapes)
    shared = 1 if inference else scenario.workload.context_parallel
    if (
        shared > 1
    ):  # the ranks of one sequence are data-parallel ranks: layouts that have them come alone, if there are any
        return tuple(layout for layout in shapes if layout.dp % shared == 0) or shapes
    return shapes
