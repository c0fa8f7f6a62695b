"""Workings of what a person entered or left to choose: the load, the GPUs, the layout against others."""

from __future__ import annotations

from engine.decide.plan import layout_words, rivals
from engine.workings.case import Case
from engine.workings.record import Sheet, Working

LOAD = {
    "concurrency": ("Users at once", "users"),
    "input_tokens": ("Prompt", "tokens"),
    "output_tokens": ("Answer", "tokens"),
    "sequence_length": ("Sequence", "tokens"),
    "micro_batch": ("Micro-batch", "sequences"),
    "global_batch_tokens": ("Global batch", "tokens"),
    "total_tokens": ("Tokens of the run", "tokens"),
    "deadline_days": ("Deadline", "days"),
    "budget_usd": ("Budget", "USD"),
    "requests_per_s": ("Requests asked", "requests/s"),
    "ttft_target_s": ("First token in", "s"),
    "tokens_per_s_user_target": ("Speed per user", "tokens/s"),
}
"""Fields of the workload by title and unit."""


def load(case: Case, name: str) -> Working:
    """The working of `load.FIELD`: the field as entered. Raises KeyError."""
    if name == "tokens_per_request":
        return _request(case)
    if name == "max_model_len":
        return _longest(case)
    title, unit = LOAD[name]
    work = case.scenario.workload
    value = work.run_tokens if name == "total_tokens" and not work.is_inference else getattr(work, name)
    if value is None:
        raise KeyError(f"load.{name}")
    sheet = Sheet()
    held = sheet.entered(name, value, unit)
    what = "as entered, or left at its default"
    return sheet.working(f"load.{name}", title, value, unit, what, held, "entered", "the inputs")


def _request(case: Case) -> Working:
    sheet, work = Sheet(), case.scenario.workload
    prompt = sheet.entered("prompt", work.input_tokens, "tokens")
    if work.embeds:
        what, alone = "the text alone: nothing is written", work.tokens_per_request
        return sheet.working(
            "load.tokens_per_request", "Tokens of one request", alone, "tokens", what, prompt, "entered", "the inputs"
        )
    answer = sheet.entered("answer", work.output_tokens, "tokens")
    return sheet.working(
        "load.tokens_per_request",
        "Tokens of one request",
        work.tokens_per_request,
        "tokens",
        "prompt + answer",
        f"{prompt} + {answer}",
        "entered",
        "the inputs",
    )


def _longest(case: Case) -> Working:
    """The longest sequence that the engine must hold before it starts."""
    sheet, value = Sheet(), case.settings.max_model_len
    held = sheet.put("max_model_len", value, "tokens", case.setting("max_model_len"), "entered")
    what = "the longest sequence that the engine promises to hold"
    title = "Longest sequence"
    return sheet.working("load.max_model_len", title, value, "tokens", what, held, "entered", "engine.serving.settings")


def build(case: Case, name: str) -> Working:
    """The working of `build.gpus`, `build.dp` or `build.tokens_per_s_gpu`. Raises KeyError."""
    if name == "dp":
        return _replicas(case)
    if name == "tokens_per_s_gpu":
        return _each(case)
    if name != "gpus":
        raise KeyError(f"build.{name}")
    sheet, hardware = Sheet(), case.scenario.hardware
    nodes = sheet.entered("nodes", hardware.nodes, "nodes")
    each = sheet.entered("gpus_per_node", hardware.gpus_per_node, "GPUs")
    return sheet.working(
        "build.gpus",
        "GPUs of the build",
        hardware.gpus,
        "GPUs",
        "nodes x GPUs in each",
        f"{nodes} * {each}",
        "entered",
        "the inputs",
    )


def _each(case: Case) -> Working:
    """Tokens/s of each GPU, of whatever the work is."""
    sheet, plan = Sheet(), case.plan
    made, section = plan.serving or plan.training, "serving" if plan.serving is not None else "training"
    if made is None:
        raise KeyError("build.tokens_per_s_gpu")
    total = sheet.see("tokens_s", made.tokens_per_s_total, "tokens/s", f"{section}.tokens_per_s_total")
    gpus = sheet.put("gpus", case.layout.gpus, "GPUs", "of the layout")
    return sheet.working(
        "build.tokens_per_s_gpu",
        "Tokens a second and GPU",
        made.tokens_per_s_total / case.layout.gpus,
        "tokens/s",
        "tokens a second in all / GPUs of the layout",
        f"{total} / {gpus}",
        "fitted",
        "engine.decide.plan",
    )


def _replicas(case: Case) -> Working:
    sheet, layout = Sheet(), case.layout
    gpus = sheet.put("gpus", layout.gpus, "GPUs", "of the layout")
    tp = sheet.put("tp", layout.tp, "", "the layout")
    pp = sheet.put("pp", layout.pp, "", "the layout")
    return sheet.working(
        "build.dp",
        "Replicas",
        layout.dp,
        "",
        "GPUs / (TP x PP)",
        f"{gpus} // ({tp} * {pp})",
        "counted",
        "engine.layout.candidates",
    )


def layout(case: Case, name: str) -> Working:
    """The working of `layout.rival.N`: the chosen layout against the N-th that its reason names. Raises KeyError."""
    kind, _, number = name.partition(".")
    score, others = rivals(case.scenario, case.plan.layout)
    if kind != "rival" or not number.isdigit() or not 1 <= int(number) <= len(others):
        raise KeyError(f"layout.{name}")
    value, other = others[int(number) - 1]
    sheet, words = Sheet(), layout_words(other)
    source = "engine.decide.plan: what ranks layouts that fit, each timed under this load"
    mine = sheet.put("tokens_s", score, "tokens/s", f"{layout_words(case.layout)}: {source}", "fitted")
    theirs = sheet.put("tokens_s_other", value, "tokens/s", f"{words}: {source}", "fitted")
    note = "A layout that misses a target, or fills its memory, counts a small share of its tokens."
    return sheet.working(
        f"layout.{name}",
        f"Tokens/s against {words}",
        score / value,
        "",
        "tokens/s of the chosen layout / of the other",
        f"{mine} / {theirs}",
        "fitted",
        "engine.decide.plan",
        note=note,
    )
