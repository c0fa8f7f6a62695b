"""The working of each figure: words, formula, the inputs that the Sizing holds, and where they come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.sizing import Sizing
from tui.doc import BLANK, Line, heading, line, paragraphs
from tui.glyphs import Glyphs
from tui.pages.words import count, digits, gib, percent, seconds, size


@dataclass(frozen=True, slots=True)
class Working:
    """One figure opened. arithmetic: lines that a person can check by hand; kind: how it is known."""

    title: str
    value: str
    kind: str
    meaning: str
    arithmetic: tuple[str, ...] = ()
    inputs: tuple[tuple[str, str, str], ...] = ()  # name, value, where from


def working(sizing: Sizing, figure: str) -> Working:
    """The working of a figure by its name; an unknown one says only what it is."""
    section, _, name = figure.partition(".")
    maker = _MAKERS.get(figure)
    if maker is not None:
        return maker(sizing)
    if section == "fabric":
        return _fabric(sizing, name)
    if section == "scaling":
        return _scaling(sizing, name)
    value = getattr(getattr(sizing, section, None), name, None)
    return Working(name.replace("_", " "), "unknown" if value is None else str(value), "fitted", "")


def working_lines(sizing: Sizing, figure: str, width: int, glyphs: Glyphs) -> Sequence[Line]:
    """A working as lines to read."""
    opened = working(sizing, figure)
    lines: list[Line] = [
        BLANK,
        line((opened.title, "strong"), "   ", (opened.value, "figure"), ("   " + opened.kind, "kind")),
    ]
    if opened.meaning:
        lines += [BLANK, *paragraphs(opened.meaning, width)]
    if opened.arithmetic:
        lines += [BLANK, heading("HOW IT COMES ABOUT", width, glyphs.rule)]
        for text in opened.arithmetic:
            lines += paragraphs(text, width, "", "     ", " ")
    if opened.inputs:
        lines += [BLANK, heading("FROM", width, glyphs.rule)]
        name = min(30, max(len(row[0]) for row in opened.inputs))
        for label, value, source in opened.inputs:
            lines += paragraphs(source, width, "dim", " " * (name + 18), f" {label:<{name}} {value:>14}  ")
    return lines


def _hardware_inputs(sizing: Sizing) -> tuple[tuple[str, str, str], ...]:
    card = sizing.scenario.hardware.accelerator
    reported = "as the driver reports it" if card.memory_mib_reported is not None else "marketed size"
    return (
        ("card memory", f"{gib(card.memory_bytes)} GiB", f"{card.name}, {reported}: {card.source}"),
        ("layout", _layout(sizing), sizing.layout.reason or "entered"),
    )


def _layout(sizing: Sizing) -> str:
    layout = sizing.layout
    return f"TP{layout.tp} PP{layout.pp} DP{layout.dp}"


def _memory_part(field: str, title: str, kind: str, meaning: str) -> Callable[[Sizing], Working]:
    def make(sizing: Sizing) -> Working:
        group = sizing.memory.worst
        value = getattr(group, field)
        model = sizing.model
        weights = sizing.scenario.model.weights
        inputs = [
            (
                "model weights",
                size(model.weight_bytes),
                f"{count(model.params_total)} parameters in {weights}, counted",
            ),
            (
                "KV per token",
                size(model.kv_bytes_per_token),
                f"all layers, one copy, {sizing.scenario.model.kv_cache}",
            ),
            *_hardware_inputs(sizing),
        ]
        share = (
            f"{gib(value)} GiB / {gib(group.total_bytes)} GiB of the card = {percent(value / group.total_bytes)}"
        )
        return Working(title, f"{gib(value)} GiB", kind, meaning, (share,), tuple(inputs))

    return make


def _free(sizing: Sizing) -> Working:
    group = sizing.memory.worst
    parts = [
        ("weights", group.weights_bytes),
        ("KV cache", group.kv_bytes),
        ("activations", group.activation_bytes),
        ("runtime", group.runtime_bytes),
        ("optimizer", group.optimizer_bytes),
        ("gradients", group.gradient_bytes),
    ]
    held = [(name, value) for name, value in parts if value]
    left = group.usable_bytes - group.used_bytes
    sums = " - ".join(gib(value) for _, value in held)
    return Working(
        "Free",
        f"{gib(max(0, left))} GiB",
        "fitted",
        "What the fullest GPU has left inside the memory that the engine may use.",
        (
            "free = usable" + "".join(f" - {name}" for name, _ in held),
            f"= {gib(group.usable_bytes)} - {sums} = {gib(left)} GiB",
            f"usable = card - kept back = {gib(group.total_bytes)} - {gib(group.reserved_bytes)} = "
            f"{gib(group.usable_bytes)} GiB",
        ),
        _hardware_inputs(sizing),
    )


def _kept(sizing: Sizing) -> Working:
    group = sizing.memory.worst
    return Working(
        "Kept back",
        f"{gib(group.reserved_bytes)} GiB",
        "entered",
        "The share of the card that the engine leaves alone: 1 - memory utilization.",
        (f"{gib(group.total_bytes)} - {gib(group.usable_bytes)} = {gib(group.reserved_bytes)} GiB",),
        _hardware_inputs(sizing),
    )


def _kv_needed(sizing: Sizing) -> Working:
    load, facts = sizing.scenario.workload, sizing.memory
    return Working(
        "Tokens of KV cache the load needs",
        f"{facts.kv_needed_tokens:,}",
        "entered",
        "Every user in flight holds the prompt and the answer in the cache.",
        (
            "needed = users at once x (prompt + answer)",
            f"= {load.concurrency:,} x ({load.input_tokens:,} + {load.output_tokens:,}) = "
            f"{load.concurrency * load.tokens_per_request:,}",
        ),
        (
            ("users at once", f"{load.concurrency:,}", "entered"),
            ("prompt", f"{load.input_tokens:,}", "entered"),
            ("answer", f"{load.output_tokens:,}", "entered"),
        ),
    )


def _users(sizing: Sizing) -> Working:
    load, facts = sizing.scenario.workload, sizing.memory
    group = facts.worst
    return Working(
        "Users that fit",
        digits(facts.max_concurrency),
        "fitted",
        "What is left for KV cache after weights, activations and runtime, in tokens over all replicas, divided by "
        "the length of one conversation.",
        (
            "users = tokens that fit / (prompt + answer), rounded to the engine's blocks",
            f"{facts.kv_capacity_tokens:,} / {load.tokens_per_request:,} = "
            f"{facts.kv_capacity_tokens / max(1, load.tokens_per_request):,.2f}",
        ),
        (
            ("room for KV", f"{gib(group.kv_capacity_bytes)} GiB", "on the fullest GPU"),
            ("tokens that fit", f"{facts.kv_capacity_tokens:,}", "over all replicas"),
            ("one token", size(sizing.model.kv_bytes_per_token), "all layers, one copy, counted"),
            *_hardware_inputs(sizing),
        ),
    )


def _training_peak(sizing: Sizing) -> Working:
    facts, group, detail = sizing.memory, sizing.memory.worst, sizing.memory.training
    if detail is None:
        return Working("Peak on the fullest GPU", f"{gib(facts.peak_bytes)} GiB", "fitted", "")
    moments = tuple(
        f"{phase.name} = weights + states + gradients + activations = {gib(phase.weights_bytes)} + "
        f"{gib(phase.optimizer_bytes)} + {gib(phase.gradient_bytes)} + {gib(phase.activation_bytes)} = "
        f"{gib(phase.allocated_bytes)} GiB"
        for phase in detail.phases
    )
    needs = (
        f"needs = the largest, {detail.phase} + context and cache that stays = {gib(detail.allocated_bytes)} + "
        f"{gib(group.runtime_bytes)} = {gib(facts.peak_bytes)} GiB"
    )
    span = f"80 % interval, from sources that a fit had not seen: {gib(detail.interval.low)} to {gib(detail.interval.high)} GiB"
    return Working(
        "Peak of a training step on the fullest GPU",
        f"{gib(facts.peak_bytes)} GiB",
        "fitted",
        "What a step needs: it decides whether the plan fits. The moments of a step do not add up, the largest counts. "
        "nvidia-smi shows more: PyTorch keeps freed blocks until memory runs short.",
        (*moments, needs, span),
        (
            ("PyTorch will say allocated", f"{gib(detail.allocated_bytes)} GiB", "max_memory_allocated"),
            ("PyTorch will say reserved", f"{gib(detail.reserved_bytes)} GiB", "max_memory_reserved"),
            ("nvidia-smi will show", f"{gib(facts.nvidia_smi_bytes)} GiB", "with the CUDA context"),
            ("trained on this GPU's stage", count(detail.trainable_parameters), "parameters, counted"),
            ("bytes of a trained parameter", digits(detail.bytes_per_parameter), "weights, gradients and states"),
            *(("assumed", "", text) for text in detail.lines),
            *_hardware_inputs(sizing),
        ),
    )


def _per_user(sizing: Sizing) -> Working:
    speed = sizing.serving
    assert speed is not None
    return Working(
        "Tokens a second for one user",
        digits(speed.tokens_per_s_user),
        "fitted",
        "How fast an answer grows for one user while all the others are served.",
        (
            "tokens/s = 1 / time per token",
            f"= 1 / {seconds(speed.inter_token_s)} = {digits(1 / speed.inter_token_s)}"
            if speed.inter_token_s
            else "",
        ),
        _speed_inputs(sizing),
    )


def _speed_inputs(sizing: Sizing) -> tuple[tuple[str, str, str], ...]:
    speed = sizing.serving
    assert speed is not None
    card = sizing.scenario.hardware.accelerator
    return (
        (
            "reading weights",
            seconds(speed.weight_stream_s),
            f"at {card.bandwidth_gb_s:,.0f} GB/s peak, {card.source}",
        ),
        ("reading KV cache", seconds(speed.kv_stream_s), f"{speed.served_concurrency} users served at once"),
        ("computing", seconds(speed.compute_s), "overlaps with reading"),
        ("in links", seconds(speed.communication_s), sizing.scenario.hardware.intra_link.name),
        ("overhead", seconds(speed.overhead_s), "calibrated on measured runs"),
        ("prefill of others", seconds(speed.prefill_interference_s), "prompts that are read between tokens"),
    )


def _serving(title: str, value: Callable[[Sizing], str], meaning: str) -> Callable[[Sizing], Working]:
    def make(sizing: Sizing) -> Working:
        return Working(title, value(sizing), "fitted", meaning, (), _speed_inputs(sizing))

    return make


def _fabric(sizing: Sizing, link: str) -> Working:
    row = next((row for row in sizing.fabric if row.link == link), None)
    if row is None:
        return Working(link, "", "fitted", "")
    unit = "token" if sizing.scenario.workload.is_inference else "step"
    inputs = [
        ("bandwidth", f"{digits(row.bandwidth_gb_s)} GB/s", f"one way. {row.bandwidth_note}".strip()),
        ("latency", f"{digits(row.latency_us)} µs", "of one message"),
        ("in links", seconds(row.seconds), f"per {unit}"),
    ]
    if row.prefill_seconds:
        inputs.append(("in links, prompt", seconds(row.prefill_seconds), "for reading one prompt"))
    for label, value in (("with PP across", row.relative_speed_pp), ("with DP across", row.relative_speed_dp)):
        if value is not None:
            inputs.append((label, percent(value), "of the fastest link's speed"))
    return Working(
        row.name,
        row.word,
        row.kind,
        f"The traffic of this workload over this link, and the speed that is left beside the fastest link of the table: "
        f"{percent(row.relative_speed)}.",
        (),
        tuple(inputs),
    )


def _scaling(sizing: Sizing, configuration: str) -> Working:
    row = next((row for row in sizing.scaling if row.configuration == configuration), None)
    if row is None:
        return Working(configuration, "", "fitted", "")
    inputs = [("parallelism", row.parallelism or "none", f"{row.gpus} GPUs"), ("fabric", row.fabric or "none", "")]
    if row.article_efficiency is not None:
        inputs.append(("published", percent(row.article_efficiency), "the article's figure for this shape"))
    return Working(
        row.configuration,
        percent(row.efficiency),
        "fitted",
        f"Speed per GPU against one GPU alone. {row.source}",
        (),
        tuple(inputs),
    )


_MAKERS: dict[str, Callable[[Sizing], Working]] = {
    "memory.weights_bytes": _memory_part(
        "weights_bytes",
        "Weights on the fullest GPU",
        "counted",
        "The tensors that this GPU holds, scales included.",
    ),
    "memory.kv_bytes": _memory_part(
        "kv_bytes", "KV cache for the load", "fitted", "What the asked users need on this GPU, in whole blocks."
    ),
    "memory.activation_bytes": _memory_part(
        "activation_bytes",
        "Activations, peak",
        "fitted",
        "The largest scratch memory of a step, calibrated on logs.",
    ),
    "memory.runtime_bytes": _memory_part(
        "runtime_bytes", "Runtime", "fitted", "CUDA context, communication buffers and recorded graphs."
    ),
    "memory.optimizer_bytes": _memory_part(
        "optimizer_bytes", "Optimizer states", "counted", "Moments and master weights that this GPU holds."
    ),
    "memory.gradient_bytes": _memory_part(
        "gradient_bytes", "Gradients", "counted", "Gradients that this GPU holds at the peak."
    ),
    "memory.free_bytes": _free,
    "memory.over_bytes": _free,
    "memory.reserved_bytes": _kept,
    "memory.kv_needed_tokens": _kv_needed,
    "memory.max_concurrency": _users,
    "memory.peak_bytes": _training_peak,
    "serving.tokens_per_s_user": _per_user,
    "serving.inter_token_s": _serving(
        "Time per token",
        lambda sizing: seconds(sizing.serving.inter_token_s) if sizing.serving else "",
        "One decode step of the asked load, with the prompts of other users in between.",
    ),
    "serving.ttft_s": _serving(
        "Time to the first token",
        lambda sizing: seconds(sizing.serving.ttft_s) if sizing.serving else "",
        "Reading the prompt, and waiting for a turn under the asked load.",
    ),
}
