"""The Builds page: the smallest change that makes this build carry the workload, and the builds that are better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.scenario import Scenario
from engine.sizing import Sizing
from tui.doc import BLANK, Line, Span, ends, flow, heading, line, paragraphs, wrap
from tui.pages.sections import HEADROOM_STYLE, Look
from tui.pages.words import count, digits, percent, rate, seconds, usd
from tui.studies import Search

if TYPE_CHECKING:
    from engine.recommend import Limits, Option


def build_words(scenario: Scenario, times: str = "×") -> str:
    """The hardware in short: 2 nodes × 8 h100-sxm."""
    hardware = scenario.hardware
    nodes = f"{hardware.nodes} nodes {times} " if hardware.nodes > 1 else ""
    return f"{nodes}{hardware.gpus_per_node} {'' if nodes else times + ' '}{hardware.accelerator.id}"


def builds(sizing: Sizing, look: Look, search: Search) -> list[Line]:
    """The page."""
    return [*_smallest(sizing, look, search), BLANK, *_better(sizing, look, search), BLANK, *_limits(look, search)]


def _smallest(sizing: Sizing, look: Look, search: Search) -> list[Line]:
    word = sizing.memory.headroom
    if sizing.verdict.carried:
        return [
            heading("THIS BUILD CARRIES IT", look.width, look.glyphs.rule, word, HEADROOM_STYLE[word]),
            *paragraphs(
                f"{build_words(sizing.scenario, look.glyphs.times)}, {sizing.scenario.model.weights}: "
                "no change is needed.",
                look.width - 1,
                "",
                " ",
                " ",
            ),
        ]
    lines = [heading("SMALLEST CHANGE THAT MAKES IT FIT", look.width, look.glyphs.rule, word, HEADROOM_STYLE[word])]
    if search.stale(sizing.scenario) or (search.running and not search.fixes):
        return [*lines, line((" looking for it", "dim"))]
    if not search.fixes:
        words = "No single change is enough: see the builds below."
        return [*lines, *paragraphs(words, look.width - 1, "warn", " ", " ")]
    for number, fix in enumerate(search.fixes):
        action = f"fix:{fix.field}={fix.value}"
        tag = f" {look.glyphs.arrow} "
        key = " a apply" if number == 0 else " apply"
        wrapped = wrap(look.glyphs.text(fix.effect), look.width - len(tag) - len(key) - 2)
        for row, words in enumerate(wrapped):
            lead = Span(tag, "key", action) if row == 0 else Span(" " * len(tag))
            tail = (Span(f" {key}", "key", action),) if row == len(wrapped) - 1 else ()
            lines.append((lead, Span(words, "link", action), *tail))
    return lines


LIMIT_LABELS: tuple[tuple[str, str], ...] = (
    ("buy_usd", "to buy"),
    ("rent_usd_per_month", "rent a month"),
    ("power_w", "power"),
    ("max_gpus", "GPUs"),
    ("vendors", "vendor"),
    ("form_factors", "form factor"),
    ("owned", "cards"),
)


def limit_words(limits: Limits | None, name: str) -> str:
    """One limit as the page and the dialogs say it."""
    value = getattr(limits, name) if limits is not None else None
    if not value:
        return "all" if name == "owned" else "any"
    if name in ("buy_usd", "rent_usd_per_month"):
        return f"{usd(value)} at most"
    if name == "power_w":
        return f"{digits(value / 1000)} kW at most"
    if name == "max_gpus":
        return f"{value} at most"
    return f"only owned {', '.join(value)}" if name == "owned" else ", ".join(value)


def _set(search: Search, name: str) -> bool:
    return bool(search.limits is not None and getattr(search.limits, name))


def _limits(look: Look, search: Search) -> list[Line]:
    lines = [heading("WITHIN THESE LIMITS", look.width, look.glyphs.rule, "w changes one")]
    spans: list[Span] = [Span(" ")]
    for number, (name, label) in enumerate(LIMIT_LABELS):
        words = limit_words(search.limits, name)
        action = f"limit:{name}"
        gap = "" if number == len(LIMIT_LABELS) - 1 else "   "
        style = "figure" if words not in ("any", "all") else "dim"
        spans += [Span(f"{label} ".replace(" ", "\u00a0"), "link", action)]
        spans += [Span(words.replace(" ", "\u00a0"), style, action), Span(gap)]
    return lines + flow(spans, look.width)


def _better(sizing: Sizing, look: Look, search: Search) -> list[Line]:
    stale = search.stale(sizing.scenario)
    glyphs = look.glyphs
    if stale:
        state, style = "about to search", "dim"
    elif search.running:
        state, style = f"searching: {search.done} of {search.cards} cards, {len(search.found)} found", "warn"
    elif search.stopped:
        state, style = f"stopped after {search.done} cards", "warn"
    else:
        state, style = f"{len(search.found)} found on {search.done} cards", "dim"
    title = "BUILDS THAT CARRY IT" if look.width >= len(state) + 24 else "BUILDS"
    lines = [heading(title, look.width, glyphs.rule, state, style)]
    if search.running and not stale:
        lines.append(line(" ", Span("Stop the search", "link", "stop:"), ("  x", "key")))
    elif search.stopped and not stale:
        lines.append(line(" ", Span("Search again", "link", "again:"), ("  x", "key")))
    if not search.ranked:
        if not stale and not search.running and not search.stopped:
            words = "No build of the catalog carries this workload within the limits."
            lines += paragraphs(words, look.width - 1, "warn", " ", " ")
        return lines
    outdated = stale or search.running
    kept = [f"{label} {limit_words(search.limits, name)}" for name, label in LIMIT_LABELS if _set(search, name)]
    if kept:
        lines += paragraphs(f"Within: {', '.join(kept)}", look.width - 1, "", " ", " ")
    for number, option in enumerate(found_builds(search)):
        ranks = [entry for entry in search.ranked if entry.option is option]
        action = f"build:{number}"
        lines.append(
            ends(
                [Span(" " + ", ".join(entry.rank for entry in ranks), "dim" if outdated else "title")],
                [Span("" if number else "Enter opens it", "dim")],
                look.width,
            )
        )
        style = "dim" if outdated else "link"
        name = f"{build_words(option.scenario, glyphs.times)}, {option.scenario.model.weights}"
        layout = option.plan.layout
        shape = f"TP {layout.tp}" + (f" PP {layout.pp}" if layout.pp > 1 else "")
        shape += f" DP {layout.dp}" if layout.dp > 1 else ""
        lines.append(line("   ", Span(name, style, action), (f"   {shape}", "dim")))
        lines += paragraphs(
            f" {glyphs.dot} ".join(_figures(option)), look.width - 4, "dim" if outdated else "", "   ", "   "
        )
    words = "A build opens in place of this one; Ctrl+Z comes back, p pins it for comparing."
    return [*lines, *paragraphs(words, look.width - 1, "dim", " ", " ")]


def found_builds(search: Search) -> list[Option]:
    """The first build of each ranking, each build once."""
    found: list[Option] = []
    for entry in search.ranked:
        if not any(entry.option is option for option in found):
            found.append(entry.option)
    return found


def option_at(search: Search, number: int) -> Option | None:
    """The build behind an action of the page."""
    found = found_builds(search)
    return found[number] if 0 <= number < len(found) else None


def _figures(option: Option) -> Sequence[str]:
    found = option.plan
    memory = found.memory.worst
    parts = [
        f"{usd(option.buy_usd)} of cards" if option.buy_usd is not None else "price to buy unknown",
        f"{usd(option.rent_usd_per_month)} a month rented"
        if option.rent_usd_per_month is not None
        else "not rented out",
    ]
    if option.buy_usd == 0:
        parts[0] = "cards owned"
    if option.power_w is not None:
        parts.append(f"{digits(option.power_w / 1000)} kW")
    if option.tokens_per_usd is not None:
        parts.append(f"{count(option.tokens_per_usd)} tokens a dollar")
    if found.serving is not None:
        parts.append(f"{rate(found.serving.tokens_per_s_total)} tok/s in all")
        parts.append(f"{seconds(found.serving.inter_token_s)} a token")
    if found.training is not None:
        parts.append(f"{seconds(found.training.days * 86400)} for the run")
    parts.append(f"{percent(max(0.0, 1 - memory.used_bytes / memory.usable_bytes))} of its memory free")
    return parts
