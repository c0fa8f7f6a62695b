"""Memory: bars, the figures behind them, what the load needs, every group in a table, the model's counted facts."""

from __future__ import annotations

from engine.figures.sentences import capital
from engine.sizing import MemoryGroup, Sizing
from tui.pages import bars
from tui.pages.doc import NBSP, Line, Span, flow, heading, line
from tui.pages.look import HEADROOM_STYLE, Figure, Look, figures, sentence
from tui.pages.words import count, gib, size, users


def memory(sizing: Sizing, look: Look) -> list[Line]:
    """Bars, the exact figures behind them, and what the load needs against what fits."""
    facts = sizing.memory
    word = facts.headroom
    lines = [heading("MEMORY per GPU", look.width, look.glyphs.rule, word, HEADROOM_STYLE[word])]
    lines += bars.bars(sizing, look.width, look.glyphs)
    lines += bars.legend(sizing, look.width, look.glyphs, look.before)
    lines += load_lines(sizing, look)
    return lines


def load_lines(sizing: Sizing, look: Look) -> list[Line]:
    """KV needed against KV that fits, or what the training state peaks at."""
    facts, workload = sizing.memory, sizing.scenario.workload
    arrow = look.glyphs.arrow
    if workload.embeds:
        return flow([Span(" Nothing is kept of what is read: no KV cache", "dim")], look.width, "   ")
    if workload.is_inference:
        short = facts.users_that_fit < workload.concurrency
        needed, room = "figure:memory.kv_needed_tokens", "figure:memory.users_that_fit"
        was = look.before.memory.users_that_fit if look.before is not None else facts.users_that_fit
        needs = [
            *flow(
                line(
                    Span(" Load needs ", "", needed),
                    Span(count(facts.kv_needed_tokens), "figure", needed),
                    f" tokens of KV cache: {users(workload.concurrency)} {look.glyphs.times} ",
                    f"{count(workload.tokens_per_request)} tokens{_once(sizing)}",
                ),
                look.width,
                "   ",
            )
        ]
        if not facts.starts:
            words = " The engine does not start: no room for the KV of one sequence"
            return [*needs, *flow([Span(words, "bad", "figure:memory.kv_capacity_tokens")], look.width, "   ")]
        return [
            *needs,
            *flow(
                line(
                    Span(" KV holds ", "", "figure:memory.kv_capacity_tokens"),
                    Span(count(facts.kv_capacity_tokens), "figure", "figure:memory.kv_capacity_tokens"),
                    f" tokens {arrow} ",
                    Span(
                        f"{users(facts.users_that_fit)} at full length",
                        "bad" if short else "strong",
                        room,
                    ),
                    (_change(facts.users_that_fit - was), "delta"),
                    Span(
                        f"; or one of {count(facts.longest_context_tokens)} tokens",
                        "dim",
                        "figure:memory.longest_context_tokens",
                    ),
                ),
                look.width,
                "   ",
            ),
        ]
    lines = flow(
        line(
            Span(" Peak on the fullest GPU ", "", "figure:memory.peak_bytes"),
            Span(size(facts.peak_bytes), "figure", "figure:memory.peak_bytes"),
            Span(
                f"; nvidia-smi will show {size(facts.nvidia_smi_bytes)}"
                if facts.nvidia_smi_bytes and facts.fits
                else "",
                "dim",
                "figure:memory.nvidia_smi_bytes",
            ),
        ),
        look.width,
        "   ",
    )
    if facts.largest_micro_batch or facts.longest_sequence_tokens:
        lines += flow(
            line(
                " Largest micro-batch ",
                Span(count(facts.largest_micro_batch), "figure", "figure:memory.largest_micro_batch"),
                "; longest sequence ",
                Span(count(facts.longest_sequence_tokens), "figure", "figure:memory.longest_sequence_tokens"),
                " tokens, on this layout",
            ),
            look.width,
            "   ",
        )
    if facts.host_bytes:
        host = Span(size(facts.host_bytes), "figure", "figure:memory.host_bytes")
        lines.append(line(" Offload needs ", host, " of host memory per node"))
    return lines


def _once(sizing: Sizing) -> str:
    """Says that a beginning which all prompts share is held once, where it is."""
    load = sizing.scenario.workload
    once = sizing.memory.kv_needed_tokens < load.concurrency * load.tokens_per_request
    return f", of which the {count(load.cached_tokens)} that all begin with are held once" if once else ""


def _change(users_more: int) -> str:
    """How many more users fit by the last edit, after two spaces; empty where it changed none."""
    if not users_more:
        return ""
    more = abs(users_more)
    return f"  {'+' if users_more > 0 else '-'}{users(more)} by this edit"


def memory_reasons(sizing: Sizing, look: Look) -> list[Line]:
    """Why the headroom has its word, and where the planning rule disagrees with the accounting."""
    lines = sentence((*capital(sizing.memory.headroom_reason), "."), look.width)
    if sizing.memory.rule_note:
        lines += sentence(sizing.memory.rule_note, look.width, "dim")
    return lines


def model(sizing: Sizing, look: Look) -> list[Line]:
    """Counted facts of the model and how it is laid out."""
    facts, layout = sizing.model, sizing.layout
    items = [
        Figure("Parameters", count(facts.params_total), "counted", "figure:model.params_total"),
        Figure("Active", count(facts.params_active), "per token", "figure:model.params_active"),
        Figure("Weights", size(facts.weight_bytes), "whole model", "figure:model.weight_bytes"),
        Figure("KV cache", size(facts.kv_bytes_per_token), "per token", "figure:model.kv_bytes_per_token"),
    ]
    if facts.state_bytes_per_sequence:
        state = "figure:model.state_bytes_per_sequence"
        items.append(Figure("State", size(facts.state_bytes_per_sequence), "per sequence", state))
    lines = [heading("MODEL", look.width, look.glyphs.rule, sizing.scenario.model.name)]
    lines += figures(items, look)
    shape = f"TP {layout.tp} {look.glyphs.times} PP {layout.pp} {look.glyphs.times} DP {layout.dp}"
    if layout.ep > 1:
        shape += f", experts over {layout.ep}"
    if layout.dp_attention:
        shape += ", DP attention"
    lines.append(heading("LAYOUT", look.width, look.glyphs.rule, shape, "figure"))
    return lines + sentence(layout.reason, look.width, "dim")


def memory_table(sizing: Sizing, look: Look) -> list[Line]:
    """Every group with its exact figures, for builds with many stages."""
    groups = sorted(sizing.memory.per_gpu, key=lambda group: group.stage)
    if len(groups) <= bars.columns_of(look.width):
        return []  # the legend of the bars has a column for each
    parts = bars.parts_of(sizing)
    label = min(20, max(len(bars.group_name(group, len(groups))) for group in groups))
    lines = [heading("EVERY GROUP", look.width, look.glyphs.rule, "GiB")]
    names = [bars.group_name(group, len(groups))[:label] for group in groups]
    if label + 1 + 9 * (len(parts) + 1) > look.width:
        for group, name in zip(groups, names, strict=True):
            of = _of_group(sizing, group)
            spans = [Span(f" {name}: ")]
            for part in parts:
                amount = Span(gib(getattr(group, part.field)), "figure", of + part.field)
                spans += [Span(f"{_SHORT[part.name]}{NBSP}"), amount, Span(", ")]
            spans += [Span(f"free{NBSP}"), Span(gib(group.available_bytes), "dim", of + "available_bytes")]
            lines += flow(spans, look.width - 1, "   ")
        return lines
    head = "".join(f"{_SHORT[part.name]:>9}" for part in parts)
    lines.append(line((f" {'':<{label}}{head}{'free':>9}", "dim")))
    for group, name in zip(groups, names, strict=True):
        of = _of_group(sizing, group)
        body = [Span(f"{gib(getattr(group, part.field)):>9}", "figure", of + part.field) for part in parts]
        lines.append(
            line(f" {name:<{label}}", *body, Span(f"{gib(group.available_bytes):>9}", "dim", of + "available_bytes"))
        )
    return lines


def _of_group(sizing: Sizing, group: MemoryGroup) -> str:
    """What the actions of a group's figures start with."""
    place = sizing.memory.per_gpu.index(group)
    return f"figure:memory.{f'{place}.' if place else ''}"


_SHORT = {
    "weights": "weights",
    "kv": "KV",
    "activations": "activ.",
    "runtime": "runtime",
    "optimizer": "optim.",
    "gradients": "grads",
}
