"""Figures inside sentences: what a number of a sentence is, so that it opens like any other.

The engine writes sentences; each phrase of theirs that holds figures stands here with the ids of their workings. A test
walks all pages and fails on a figure that no phrase knows, and on one whose working does not hold the number shown.
"""

from __future__ import annotations

import re
from functools import lru_cache

from engine.figures.sentences import Sentence, about
from tui.pages.doc import Line, Span, flow
from tui.pages.look import spans_of

_N = r"(\$?[\d,]*\.?\d+(?:[kMBT]\b)?"  # an amount, up to its unit
_S = r"(?:µs|ms|s|min|h|days)"  # units of engine.figures.units.duration
_KV = "memory.kv_share"
_FILL = "ratio(memory.used_bytes,memory.usable_bytes)"

PHRASES: tuple[tuple[str, tuple[str, ...]], ...] = (
    # memory of serving
    (rf"[Ww]eights take {_N} %)", ("memory.weights_share",)),
    (rf"load needs {_N} %|times) of the KV", (_KV,)),
    (rf"load needs {_N} times) the KV", (_KV,)),
    (rf"load fills {_N} %)", (_FILL,)),
    (rf"KV for {_N}) of {_N}) users", ("memory.users_that_fit", "load.concurrency")),
    (rf"serves {_N}) of {_N}) users", ("node.users", "load.concurrency")),
    (rf"serves {_N}) of {_N}) requests/s", ("node.requests_per_s", "load.requests_per_s")),
    (rf"lost node leaves {_N} %)(?:, {_N}) nodes keep)?", ("node.left", "node.keep_all")),
    (rf"^(?:about )?{_N}) replicas of", ("verdict.replicas",)),
    (rf"[Ii]n use (?:one run of )?{_N}) hours", ("cost.hours_per_month",)),
    (
        rf"below about {_N}) answer tokens a month; this build writes {_N})",
        ("cost.api_crossing_tokens_per_month", "cost.tokens_per_month"),
    ),
    (rf"{_N}) to buy against a budget of {_N})", ("cost.buy_usd", "load.budget_usd")),
    (rf"{_N}) of GPU time against a budget of {_N})", ("cost.run_usd", "load.budget_usd")),
    (rf"deadline takes {_N}) of them", ("replicas",)),
    (rf"about {_N}) .* for {_N}) tokens in {_N}) days", ("training.frontier_gpus",) * 3),
    (rf"{_N}) users fit", ("memory.users_that_fit",)),
    (rf"{_N}) of {_N}) (?:users|sequences) run at once", ("serving.served_concurrency", "load.concurrency")),
    (rf"marginal from about {_N}) users", ("memory.marginal_users",)),
    (rf"one sequence of {_N}) tokens", ("load.max_model_len",)),
    (rf"{_N} GiB) over\b", ("memory.over_bytes",)),
    (rf"load is {_N}) users", ("load.concurrency",)),
    (rf"Stages differ by {_N} GiB)", ("memory.stage_spread_bytes",)),
    (rf"{_N} GiB), {_N} %) of the card", ("memory.weights_bytes", "memory.weights_share")),
    (rf"{_N}) / {_N}) tokens", ("memory.kv_needed_tokens", "memory.kv_capacity_tokens")),
    # memory of training
    (rf"peak on the worst GPU: {_N} GiB)", ("memory.peak_bytes",)),
    (rf"step needs {_N}) of {_N} GiB)", ("memory.peak_bytes", "memory.usable_bytes")),
    (rf", {_N} GiB) too many", ("memory.over_bytes",)),
    (rf"needs {_N} GiB) instead of {_N})", ("fix@memory.peak_bytes", "memory.peak_bytes")),
    (rf"{_N} GiB) of host RAM a node", ("fix@memory.host_bytes",)),
    (rf"needs {_N} GiB) a GPU", ("fix@memory.peak_bytes",)),
    (rf"room for {_N}) users at {_N}) tokens", ("fix@memory.users_that_fit", "fix@load.tokens_per_request")),
    (rf"\({_N}) parameters\)", ("model.params_total",)),
    (rf"All {_N}) parameters must be resident; the {_N}) active", ("model.params_total", "model.params_active")),
    # speed
    (rf"first token after {_N} {_S})(?:, target {_N} {_S}))?", ("serving.ttft_s", "load.ttft_target_s")),
    (
        rf"{_N}) tokens/s per user, target {_N})",
        ("serving.tokens_per_s_user", "load.tokens_per_s_user_target"),
    ),
    (rf"{_N}) tokens/s a user\. Enter", ("serving.tokens_per_s_user",)),
    (rf"at the best load: {_N}) requests/s", ("serving.best_requests_per_s",)),
    (rf"at most {_N}) requests/s, target {_N})", ("serving.best_requests_per_s", "load.requests_per_s")),
    (rf"{_N} {_S}) against a deadline of {_N})", ("training.days", "load.deadline_days")),
    (rf"projected efficiency {_N} %)", ("training.efficiency",)),
    (rf"{_N} %) of a step in communication", ("serving.communication_share",)),
    (rf"{_N}) tokens/s a user, TTFT {_N} {_S})", ("serving.tokens_per_s_user", "serving.ttft_s")),
    (rf"run: {_N} {_S}), {_N} %) of one", ("training.days", "training.efficiency")),
    (
        rf"\({_N}) tokens/s a GPU in one node, {_N}) split over",
        ("verdict.build.tokens_per_s_gpu", "build.tokens_per_s_gpu"),
    ),
    # growth of a training run
    (rf"pays up to {_N}): each still does {_N} %)", ("curve.stops_paying", "curve.last.efficiency")),
    (rf"[Bb]eyond {_N}) GPUs", ("curve.stops_paying",)),
    (
        rf"{_N} (?:days|hours|minutes)) instead of {_N} (?:days|hours|minutes)), {_N}) times faster",
        ("choice.many.days", "choice.one.days", "choice.times_faster"),
    ),
    (rf"for {_N}) times the money", ("choice.premium",)),
    (rf"{_N} USD) for each day saved", ("choice.usd_per_day_saved",)),
    (rf"also save {_N} USD)", ("choice.usd_saved",)),
    (
        rf"^(?:\d+ nodes of )?{_N}) GPUs?: {_N} (?:days|hours|minutes))(?:, {_N} USD))?",
        ("smallest.gpus", "smallest.days", "smallest.cost_usd"),
    ),
    (rf"at the least \({_N} (?:days|hours|minutes))\)", ("smallest.days",)),
    (rf"costs {_N} USD), over the {_N})", ("smallest.cost_usd", "load.budget_usd")),
    (rf"finish in {_N} (?:days|hours|minutes));", ("load.deadline_days",)),
    (rf"the fastest takes {_N} (?:days|hours|minutes))\.$", ("smallest.days",)),
    # money
    (rf"{_N}) prompt tokens for each of the answer", ("ratio(load.input_tokens,load.output_tokens)",)),
    (rf"{_N}) added nodes?: ([\d]+-[\d]+) times", ("cost.operations_factor", "cost.operations_factor")),
    # power
    (rf"[Nn]ode draws {_N} kW): {_N}) circuits?", ("power.node_w", "power.circuits_per_node")),
    (rf"[Nn]ode draws {_N} kW), a rack gives {_N} kW)", ("power.node_w", "power.rack_w")),
)
_STATES = (
    (rf"{_N}) bytes, {_N} [TG]B)", ("states.{0}", "states.{0}")),
    (
        rf"{_N}) bytes a parameter are {_N} [TG]B), {_N} GB) a GPU",
        ("states.{0}",) * 2 + ("states.{0}.each",),
    ),
    (rf"plan counts {_N}) bytes a parameter, {_N} [TG]B)", ("states.bytes_per_parameter", "states.plan")),
    (rf"{_N}) GPUs? with {_N} [TG]B)", ("build.gpus", "states.room")),
    (rf"{_N})(?: parameters)? at {_N})(?: bytes)?(?=,| and|$)", ("states.held.{1}", "states.held.{1}")),
    (rf"frozen base of .* is {_N} [TG]B): {_N}) bits", ("states.base", "states.base")),
    (
        rf"train {_N}) parameters at {_N}) bytes: {_N} [TG]B)",
        ("states.adapters", "states.bytes_per_parameter", "states.plan"),
    ),
    (rf"instead takes {_N} [TG]B) of states at {_N}) bytes", ("states.{1}", "states.{1}")),
)


def linked(text: str | Sentence, style: str = "", of: str = "", fix: str = "") -> list[Span]:
    """A sentence as spans whose figures open.

    of: what the ids start with when the sentence is about another build of the same sizing, `verdict.1.`. fix: the
    change that figures of the build after it are about, `model.weights=int4`.
    """
    if not isinstance(text, str):
        return spans_of(about(text, of) if of else text, style)
    spans: list[Span] = []
    end = 0
    for start, stop, figure in _figures(text):
        if start < end:
            continue
        if figure.startswith("fix@"):
            if not fix:
                continue
            figure = f"fix:{fix}@{figure.removeprefix('fix@')}"
        else:
            figure = f"{of}{figure}" if of else figure
        spans += [Span(text[end:start], style)] if start > end else []
        spans.append(Span(text[start:stop], "figure" if style in ("", "dim") else style, f"figure:{figure}"))
        end = stop
    return [*spans, Span(text[end:], style)] if end < len(text) or not spans else spans


@lru_cache(maxsize=1)
def _keyed() -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """The phrases, each with words that a sentence holding it has: patterns are compiled when first needed."""
    return tuple((_keyword(pattern), pattern, figures) for pattern, figures in (*PHRASES, *_STATES))


def _keyword(pattern: str) -> str:
    """The longest run of plain letters outside of groups and classes; empty where the pattern has alternatives."""
    flat, depth, skip = "", 0, False
    for char in pattern:
        if skip:
            skip, char = False, "\0"  # an escaped character
        elif char == "\\":
            skip, char = True, "\0"
        depth += (char in "([") - (char in ")]")
        flat += "\0" if depth or char in ")].*^$" else char
    if "|" in flat:
        return ""
    runs = re.split(r"[^A-Za-z /']|.\?", flat)
    return max(runs, key=len)


@lru_cache(maxsize=256)
def _figures(text: str) -> tuple[tuple[int, int, str], ...]:
    """(start, end, id) of every figure that a phrase names, in reading order."""
    found: list[tuple[int, int, str]] = []
    for keyword, pattern, figures in _keyed():
        if keyword not in text:
            continue
        for match in re.finditer(pattern, text):
            groups = [group or "" for group in match.groups()]
            for number, figure in enumerate(figures, 1):
                if match.group(number) is not None:
                    found.append((*match.span(number), figure.format(*groups)))
    return tuple(sorted(found))


def sentence(
    text: str | Sentence,
    width: int,
    style: str = "",
    indent: str = " ",
    first: str = " ",
    of: str = "",
    first_style: str = "",
) -> list[Line]:
    """A sentence wrapped between words, its figures open. first starts the first line, indent the others."""
    if not text or text == " ":
        return []
    told = " ".join(text.split()) if isinstance(text, str) else text
    return flow([Span(first, first_style), *linked(told, style, of)], width, indent)
