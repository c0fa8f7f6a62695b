"""The lines around the panels: title, verdict and footer."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.message import Message

from engine.sizing import Sizing
from tui import actions, fields
from tui.doc import BLANK, Line, Span, balanced, line, shorten, width_of, wrap
from tui.pages.sections import flip_action, flip_points, flip_short
from tui.widgets.canvas import Canvas

BADGES: dict[str, tuple[str, str]] = {
    "one-gpu": ("ONE GPU", "badge-good"),
    "one-node": ("ONE NODE", "badge-good"),
    "one-node-int4": ("ONE NODE, INT4", "badge-warn"),
    "replicas": ("REPLICAS", "badge-warn"),
    "multi-node": ("CLUSTER", "badge-warn"),
    "frontier": ("FRONTIER", "badge-warn"),
    "does-not-fit": ("DOES NOT FIT", "badge-bad"),
}


TOLD = ("one gpu", "one node", "one node at int4", "replicas", "a cluster", "the frontier")


def _told_once(headline: str) -> str:
    """A headline without the answer in front, which the badge beside it gives."""
    answer, colon, rest = headline.partition(": ")
    answer, bracket, but = answer.partition(" (")
    if not colon or answer.casefold() not in TOLD:
        return headline
    told = f"{but.rstrip(')')}: {rest}" if bracket else rest
    return told[:1].upper() + told[1:]


class Title(Canvas):
    """The program, the session's name, whether it is saved, and the build in short."""

    SCROLLS = False

    def get_lines(self, width: int) -> Sequence[Line]:
        """One line."""
        store, glyphs = self.sizeup.store, self.sizeup.glyphs
        scenario = store.scenario
        name = scenario.title or (store.path.stem if store.path else "new session")
        unsaved = f" {glyphs.unsaved} unsaved" if store.dirty else ""
        hardware, workload = scenario.hardware, scenario.workload
        gpus = hardware.gpus_per_node
        number = f"{hardware.nodes}{glyphs.times}{gpus}" if hardware.nodes > 1 else f"{gpus}{glyphs.times}"
        build = f"{number} {hardware.accelerator.id}"
        if hardware.mixed:
            kinds = " + ".join(f"{count}{glyphs.times} {card.id}" for card, count in hardware.mixed)
            build = f"{hardware.nodes}{glyphs.times}({kinds})" if hardware.nodes > 1 else kinds
        model = f"{scenario.model.id or scenario.model.name} {scenario.model.weights}"
        load = f"{workload.kind}, {workload.concurrency} users" if workload.is_inference else workload.kind
        room = width - len(" sizeup  ") - len(unsaved) - 3
        right = ""
        for words in (f"{model} on {build} {glyphs.dot} {load} ", f"{model} on {build} ", f"{build} "):
            if len(words) + min(len(name), 24) <= room:
                right = words
                break
        name = shorten(name, max(8, room - len(right)), glyphs.ellipsis)
        left = [Span(" sizeup", "bar-dim"), Span(f"  {name}", "bar-strong"), Span(unsaved, "bar-key")]
        gap = max(1, width - width_of(left) - len(right))
        return [(*left, Span(" " * gap, "bar"), Span(right, "bar-dim"))]


class VerdictLine(Canvas):
    """The verdict and its reason, always in sight. When stale, what is wrong instead of the reason."""

    SCROLLS = False

    class Opened(Message):
        """A flip point was clicked: its working is wanted."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def on_click(self, event: events.Click) -> None:
        """Open a flip point."""
        offset = event.get_content_offset(self)
        span = self.span_at(offset.x, offset.y)[1] if offset is not None else None
        if span is not None and span.action:
            self.post_message(self.Opened(span.action))

    def get_lines(self, width: int) -> Sequence[Line]:
        """Always as many lines as the widget is high."""
        store, glyphs = self.sizeup.store, self.sizeup.glyphs
        height = max(2, self.size.height)
        if store.sizing is None:
            words = wrap(glyphs.text(self._where()), width - 2)
            lines = [line(" ", (" NOT SIZED ", "badge-bad"))]
            return [*lines, *[line(f" {text}") for text in words]][:height]
        lines = self._verdict(store.sizing, width, height)
        lines += [BLANK] * (height - len(lines))
        if store.stale:
            text = f"{self._where()}. The results are those of the last valid input."
            tag = " STALE "
            wrapped = wrap(glyphs.text(text), width - len(tag) - 3)
            room = 1 if len(wrapped) == 1 else min(2, height - 1)
            shown = wrapped[:room]
            if len(wrapped) > room:
                shown[-1] = shorten(f"{shown[-1]} {wrapped[room]}", width - len(tag) - 3, glyphs.ellipsis)
            first: Line = line(" ", (tag, "stale"), (f" {shown[0]}", "warn"))
            rest = [line(" " * (len(tag) + 2), (text, "warn")) for text in shown[1:]]
            lines[height - room :] = [first, *rest]
        return lines[:height]

    def _verdict(self, sizing: Sizing, width: int, height: int) -> list[Line]:
        glyphs = self.sizeup.glyphs
        verdict = sizing.verdict
        word, style = BADGES.get(verdict.answer, (verdict.answer.upper(), "badge-warn"))
        doubtful = not verdict.carried or sizing.memory.headroom in ("tight", "marginal")
        if doubtful and style == "badge-good":
            style = "badge-warn"
        badge = f" {word} "
        head = balanced(glyphs.text(_told_once(verdict.headline)), width - len(badge) - 3)
        reason = balanced(glyphs.text(verdict.reason), width - 2)
        lines: list[Line] = []
        for number, text in enumerate(head[: max(1, height - 1)]):
            lead = (Span(" "), Span(badge, style), Span(" ")) if number == 0 else (Span(" " * (len(badge) + 2)),)
            lines.append((*lead, Span(text, "strong")))
        for text in reason:
            lines.append(line((f" {text}", "")))
        if len(lines) < height:
            lines += self._flips(sizing, width, height - len(lines))
        if len(lines) > height:
            last = "".join(span.text for span in lines[height - 1])
            rest = " ".join("".join(span.text for span in row).strip() for row in lines[height:])
            lines[height - 1] = line((shorten(f"{last} {rest}", width - 1, glyphs.ellipsis), ""))
        return lines[:height]

    def _flips(self, sizing: Sizing, width: int, rows: int) -> list[Line]:
        """Where the verdict changes, as many whole flip points as the rows hold; those of before an edit say so."""
        glyphs = self.sizeup.glyphs
        points, fresh = flip_points(sizing, self.sizeup.studies)
        if not points:
            return []
        lead, style = ("Holds ", "") if fresh else ("Held  ", "dim")
        lines: list[list[Span]] = [[Span(f" {lead}", style)]]
        more = f" {glyphs.ellipsis}"
        for number, flip in enumerate(points):
            words = glyphs.text(flip_short(flip))
            gap = f" {glyphs.dot} " if any(span.action for span in lines[-1]) else ""
            room = width - 1 - width_of(lines[-1]) - len(gap)
            if number < len(points) - 1 and len(lines) == rows:
                room -= len(more)
            if len(words) > room and gap:
                if len(lines) == rows:
                    lines[-1].append(Span(more, "dim"))
                    break
                lines.append([Span(" " * (len(lead) + 1))])
                gap = ""
            words = shorten(words, width - 1 - width_of(lines[-1]) - len(gap), glyphs.ellipsis)
            lines[-1] += [Span(gap, "dim"), Span(words, "dim", flip_action(sizing, flip))]
        return [tuple(row) for row in lines]

    def _where(self) -> str:
        store = self.sizeup.store
        if store.rejected:
            key, (_, reason) = next(iter(store.rejected.items()))
            return f"{fields.BY_KEY[key].label}: {reason}"
        if store.problem is not None:
            field = fields.BY_KEY.get(store.problem.field)
            label = field.label if field else store.problem.field
            return f"{label}: {store.problem.words}" if label else store.problem.words
        return ""


class NewsLine(Canvas):
    """What changed since the session was saved, or is wrong with catalog files. Shown only while there is something."""

    SCROLLS = False

    class Clicked(Message):
        """It is to be read in full, or to go away."""

        def __init__(self, dismissed: bool) -> None:
            super().__init__()
            self.dismissed = dismissed

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.words: tuple[str, ...] = ()

    def get_lines(self, width: int) -> Sequence[Line]:
        """One line: the first of the news, how many more, and what can be done."""
        glyphs = self.sizeup.glyphs
        if not self.words:
            return [BLANK]
        more = f" +{len(self.words) - 1} more" if len(self.words) > 1 else ""
        doing = (
            Span(more, "warn"),
            Span("  ^G", "key", "show"),
            Span(" Show", "link", "show"),
            Span("  Dismiss ", "link", "dismiss"),
        )
        room = width - 3 - width_of(doing)
        words = shorten(glyphs.text(self.words[0]), room, glyphs.ellipsis)
        return [line((" ! ", "warn"), Span(f"{words:<{room}}", "warn", "show"), *doing)]

    def on_click(self, event: events.Click) -> None:
        """Show, or dismiss."""
        offset = event.get_content_offset(self)
        span = self.span_at(offset.x, offset.y)[1] if offset is not None else None
        if span is not None and span.action:
            self.post_message(self.Clicked(span.action == "dismiss"))


class Footer(Canvas):
    """The keys that matter now, or what was just done. A click runs the command."""

    SCROLLS = False

    class Clicked(Message):
        """A command was clicked."""

        def __init__(self, command: str) -> None:
            super().__init__()
            self.command = command

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.commands: tuple[str, ...] = actions.FOOTER_INPUTS
        self.labels: dict[str, str] = {}
        self.message = ""

    def say(self, words: str) -> None:
        """Show words in place of the keys, until a key is pressed."""
        self.message = words
        self.update_lines()

    def get_lines(self, width: int) -> Sequence[Line]:
        """One line."""
        if self.message:
            words = shorten(self.sizeup.glyphs.text(self.message), width - 2, self.sizeup.glyphs.ellipsis)
            return [line((f" {words:<{width - 1}}", "bar-strong"))]
        names = list(self.commands)
        spans = self._keys(names)
        while width_of(spans) > width and len(names) > 2:
            names.pop(-2)  # the palette still has it
            spans = self._keys(names)
        spans.append(Span(" " * max(0, width - width_of(spans)), "bar"))
        return [tuple(spans)]

    def _keys(self, names: Sequence[str]) -> list[Span]:
        spans: list[Span] = [Span(" ", "bar")]
        for name in names:
            command = actions.BY_ID[name]
            key = actions.key_name(command.keys[0], short=True)
            label = self.labels.get(name, command.label)
            gap = "  " if name != names[-1] else ""
            spans += [Span(key, "bar-key", name), Span(f" {label}", "bar", name), Span(gap, "bar")]
        return spans

    def on_click(self, event: events.Click) -> None:
        """Run the clicked command; a click on a message brings the keys back."""
        if self.message:
            self.message = ""
            self.update_lines()
            return
        offset = event.get_content_offset(self)
        span = self.span_at(offset.x, offset.y)[1] if offset is not None else None
        if span is not None and span.action:
            self.post_message(self.Clicked(span.action))
