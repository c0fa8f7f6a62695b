"""Words of the answer, the verdict, the headroom, the fabric and the kinds of figures."""

from __future__ import annotations

from typing import Final

from engine.decide import answer, builds, fabric, scaling, steps
from engine.figures.units import digits, percent
from engine.serving import memory as serving
from engine.sizing.memory import Headroom
from engine.training.memory import core as training
from tui.pages.glossary.term import Term

_SERVED: Final = dict(serving.HEADROOM_WORDS)
_TRAINED: Final = dict(training.HEADROOM_WORDS)
_HEADROOM: Final = (
    "engine/serving/memory.py and engine/training/memory/core.py, after the 60-70 % weights rule and vLLM's preemption"
)
_FLOOR: Final = "the articles' efficiency floor (docs/claims.md: efficiency_floor)"
_FLOW: Final = "the articles' decision flow (docs/verdict.md)"
_READING: Final = digits(builds.READING_TOKENS_PER_S, 2)


def _headroom(word: Headroom) -> str:
    """What a headroom word says of serving and of training."""
    served, trained = _SERVED[word], _TRAINED[word]
    return f"Serving: {served}. Training: {trained}."


STATUS: Final = (
    Term(
        "RUNS",
        "The build as entered holds the load, and meets every target, deadline and budget that was given.",
        "engine/decide/answer.py; exit code 0",
    ),
    Term(
        "SLOW",
        f"It runs, and nobody gave a target, but the first token takes over {answer.SLOW_TTFT_S:g} s or a user gets under "
        f"{answer.SLOW_TOKENS_PER_S:g} tokens/s, slower than people read.",
        "Nielsen, Usability Engineering, 1993 (10 s); Brysbaert 2019 (238 words a minute); exit code 0",
    ),
    Term(
        "MISSES",
        "It runs, but a target, a deadline or a budget that was given is not met; the line says which, and by how much.",
        "engine/decide/answer.py; exit code 3",
    ),
    Term(
        "OVERLOADED",
        "It starts, but the KV cache of the load asked for does not fit; the line says for how many users it does.",
        "engine/decide/answer.py; exit code 3",
    ),
    Term(
        "DOES NOT FIT",
        "The engine does not start, or a training step runs out of memory; the line says what is missing, and how much.",
        "engine/decide/answer.py; exit code 3",
    ),
)
HEADROOM: Final = (
    Term(
        "headroom",
        "How much room the fullest GPU keeps, in one of five words, from comfortable to does not fit.",
        _HEADROOM,
    ),
    Term("comfortable", _headroom("comfortable"), _HEADROOM),
    Term("fits", _headroom("fits"), _HEADROOM),
    Term("tight", _headroom("tight"), _HEADROOM),
    Term("marginal", _headroom("marginal"), _HEADROOM),
    Term(
        "70 % rule",
        f"A rule of thumb: weights take {percent(serving.COMFORTABLE_WEIGHTS)} to {percent(serving.RULE_WEIGHTS)} of the memory, "
        "the rest is for KV cache and runtime. The real accounting decides; both are shown.",
        "docs/claims.md: rule.weights_share",
        ("weights rule", "weights mark", "60-70 % rule"),
        ("memory.weights_share",),
    ),
)
FABRIC: Final = (
    Term("in-box", f"A link inside the node that keeps at least {percent(fabric.VIABLE_FROM)} of the speed.", _FLOOR),
    Term(
        "fine",
        f"The link keeps at least {percent(fabric.OPTIMAL_FROM)} of the speed that the fastest link would give; of a link "
        "between nodes also said as optimal.",
        "docs/claims.md: speedup, 10 to 15 % lost",
        ("optimal",),
    ),
    Term(
        "viable",
        f"The link keeps {percent(fabric.VIABLE_FROM)} to {percent(fabric.OPTIMAL_FROM)} of the speed: a loss, but the shape is right.",
        _FLOOR,
    ),
    Term(
        "painful",
        f"The link keeps {percent(fabric.PAINFUL_FROM)} to {percent(fabric.VIABLE_FROM)} of the speed: another shape of build does better.",
        _FLOOR,
    ),
    Term(
        "unusable",
        f"The link keeps less than {percent(fabric.PAINFUL_FROM)} of the speed: four GPUs do the work of one.",
        "engine/decide/fabric.py",
    ),
    Term(
        "efficiency",
        "What a GPU of the build does, against the same GPU working alone; "
        f"below {percent(scaling.FLOOR)} the build has the wrong shape.",
        _FLOOR,
        ("60 % floor", "efficiency floor", "floor"),
        ("training.efficiency",),
    ),
    Term(
        "alpha-beta",
        "What a message costs: a start-up time (alpha) and its bytes over the bandwidth (beta). Small messages pay the first.",
        "Hockney 1994; both fitted on measured collectives (docs/fabric.md)",
        ("startup", "latency"),
    ),
)
KINDS: Final = (
    Term("counted", "Exact: counted from the model's own config.json, tensor by tensor.", "docs/memory.md"),
    Term(
        "measured",
        "Somebody measured this very thing and published it; the source stands beside it.",
        "tests/reference",
    ),
    Term(
        "fitted",
        "By our model, whose constants were fitted on published measurements; the working names its error and its sources.",
        "engine/calibration",
    ),
    Term(
        "data sheet",
        "As the vendor prints it: memory, bandwidth, TFLOPS without sparsity, watts.",
        "catalog/data, each entry with its source",
    ),
    Term("entered", "A person typed it into a field, or the session file holds it.", "the session file"),
    Term(
        "rule of thumb",
        "A rule that people plan by, with its source; nothing measured stands behind the very figure.",
        "catalog/data/rules.toml",
        ("rule",),
    ),
    Term(
        "interval",
        "Low to high: four of five measured figures of this kind fell inside. Wider where less was measured.",
        "the README's accuracy table",
        ("band",),
    ),
    Term(
        "working",
        "How a figure came about: its formula, the same with numbers, its inputs and where each comes from. Enter opens it.",
        "engine/decide/opened",
    ),
)
VERDICT: Final = (
    Term(
        "one GPU",
        "Step 0 of the verdict: a single card carries the load with headroom and meets the targets.",
        _FLOW,
        ("step 0",),
    ),
    Term(
        "one node",
        f"Step 1: one box carries it at the format entered, weights within {percent(serving.COMFORTABLE_WEIGHTS)} to "
        f"{percent(serving.RULE_WEIGHTS)} of the memory and the load's KV in the rest.",
        _FLOW,
        ("step 1",),
    ),
    Term(
        "one node at INT4",
        "Step 2: one box carries it with four-bit weights. Serving only; QLoRA counts as itself.",
        _FLOW,
        ("step 2",),
    ),
    Term(
        "replicas",
        "Step 3: the model fits but the load does not, so whole copies share the users behind a router; they need no fabric.",
        _FLOW,
        ("replica", "step 3"),
    ),
    Term(
        "cluster",
        "Step 4: the model does not fit one box, so boxes are joined: TP inside, PP across, on a fabric that keeps the floor.",
        _FLOW,
        ("a cluster", "step 4", "multi-node"),
    ),
    Term(
        "frontier",
        f"Step 5: a model of {digits(steps.FRONTIER_PARAMETERS / 1e9, 2)}B parameters and more trained from scratch: hundreds of GPUs on the fastest fabric.",
        _FLOW,
        ("the frontier", "step 5"),
    ),
    Term(
        "verdict",
        "The smallest step of six, from one GPU to the frontier, that carries the load, with its evidence.",
        _FLOW,
        ("rung",),
    ),
    Term(
        "flip",
        "The number of users, context, size or load at which the verdict becomes another.",
        "engine/decide/flips.py",
        ("flips", "flip point"),
    ),
    Term(
        "trap",
        "A plan that looks cheaper and is not: active parameters taken for all, TP over Ethernet, FP8 where the card has none.",
        "docs/verdict.md",
        ("traps",),
    ),
    Term(
        "all-in",
        "The price of everything to buy: cards, hosts, switches, cables; said so only when no part's price is missing.",
        "docs/money.md",
    ),
    Term(
        "tokens/s for a reader",
        f"People read about {_READING} tokens/s; below {answer.SLOW_TOKENS_PER_S:g} a chat is called slow; code and agents want {answer.CODE_TOKENS_PER_S:g}.",
        "238 words a minute (Brysbaert 2019) at 0.75 words a token; 40 ms a token in MLPerf Inference v5.0's interactive scenario",
        ("reading speed",),
        ("serving.tokens_per_s_user",),
    ),
)
