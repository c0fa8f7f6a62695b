"""The lines around the panels: title, verdict and footer."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.message import Message

from engine.decide.advice import larger_cards
from engine.decide.advice import line as line_of
from engine.decide.answer import STATUS_WORDS, hold_words, holds
from engine.figures.sentences import Figure, Sentence, joined, text_of
from engine.figures.units import count, thousands_usd
from engine.sizing import Sizing
from tui.app.widgets.canvas import Canvas
from tui.files import commands, fields
from tui.pages.doc import BLANK, Line, Span, ends, line, shorten, width_of, wrap
from tui.pages.look import cure_spans, spans_of
from tui.pages.verdict import flip_points
from tui.pages.words import users

STATUS_STYLE: dict[str, str] = {
    "runs": "badge-good",
    "slow": "badge-warn",
    "misses": "badge-warn",
    "overloaded": "badge-warn",
    "does-not-fit": "badge-bad",
}


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
        model = f"{scenario.model.id or scenario.model.name} {scenario.format_held}"
        load = f"{workload.kind}, {users(workload.concurrency)}" if workload.is_inference else workload.kind
        if workload.corpus_tokens is not None:
            load = f"{workload.kind}, {count(workload.corpus_tokens)} tokens"
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


NOTHING = "Nothing to change"
NOTHING_FOUND = "No single change that was tried makes it run; Builds (8) searches the catalog"


class Banner(Canvas):
    """The answer, always in sight: the word and why, how well and for how much, what to do, and how far it holds.

    When stale, what is wrong in place of the last line.
    """

    SCROLLS = False

    class Opened(Message):
        """A flip point was clicked: its working is wanted."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.does_it = "advise"
        """The command whose key does what is offered from where the focus is."""

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
        lines = [
            self._why(store.sizing, width),
            self._how_well(store.sizing, width),
            self._what_to_do(store.sizing, width),
            self._rung(store.sizing, width),
        ][:height]
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

    def _why(self, sizing: Sizing, width: int) -> Line:
        """The word, and what decides in figures."""
        answer = sizing.answer
        badge = Span(f" {STATUS_WORDS[answer.status]} ", STATUS_STYLE[answer.status])
        room = width - len(badge.text) - 3
        return (Span(" "), badge, Span("  "), *self._fitted(spans_of(answer.why, "strong"), room))

    def _how_well(self, sizing: Sizing, width: int) -> Line:
        """Speed at the left, money and power at the right; where both do not fit, the last clauses go."""
        answer, dot = sizing.answer, f" {self.sizeup.glyphs.dot} "
        speed, price = list(answer.speed), list(answer.price)

        def spans(clauses: list[Sentence]) -> list[Span]:
            return spans_of(joined(clauses, dot), "")

        while width_of(spans(speed)) + width_of(spans(price)) + 4 > width and len(speed) + len(price) > 2:
            (price if len(price) > 1 and len(price) >= len(speed) else speed).pop()
        return ends([Span(" "), *spans(speed)], [*spans(price), Span(" ")], width)

    def _what_to_do(self, sizing: Sizing, width: int) -> Line:
        """The one thing to do and its key; while it is looked for, that."""
        found = self.sizeup.studies.counsel.of(sizing.scenario)
        if found is None:
            return line((" Looking for what to do", "dim"))
        cure = found.first
        if cure is None and found.lesser is not None:
            told = f"{NOTHING}. "
            words = cure_spans(line_of(found.lesser, width - len(told) - 3), found.offered.index(found.lesser), "dim")
            return (Span(" "), Span(told, "dim"), *self._fitted(words, width - len(told) - 2))
        if cure is None:
            return line((f" {NOTHING if sizing.answer.carries else NOTHING_FOUND}", "dim"))
        words = [
            span._replace(action=span.action or "cure") for span in cure_spans(line_of(cure, width - 6), 0, "link")
        ]
        key = self.sizeup.keymap.shown(self.does_it)
        return (Span(" "), Span(key, "bar-key", "cure"), Span("  "), *self._fitted(words, width - 4 - len(key)))

    def _rung(self, sizing: Sizing, width: int) -> Line:
        """The verdict's rung, and how far it holds; flip points of before an edit say so."""
        points, fresh = flip_points(sizing, self.sizeup.studies)
        told = [Span(" "), *spans_of(sizing.answer.rung, "")]
        found = self.sizeup.studies.counsel.of(sizing.scenario)
        larger = larger_cards(sizing, found) if found is not None else None
        if (
            found is not None and larger is not None and larger.usd is not None
        ):  # not many replicas without the build that takes their place
            price = Figure(thousands_usd(larger.usd), "cost.buy_usd")
            second = (f". {text_of(larger.what)} does it for ", price)
            number = next(place for place, cure in enumerate(found.known) if cure is larger)
            return tuple(self._fitted([*told, *cure_spans(second, number, "")], width - 1))
        edges = [spans_of(edge, "" if fresh else "dim") for edge in holds(points)]
        lead = f". {hold_words(sizing.verdict, fresh)} "
        longer = len(f". {hold_words(sizing.verdict)} ")  # what is told does not change with an edit
        while edges and width_of(told) + longer + sum(width_of(edge) + 2 for edge in edges) > width:
            edges.pop()
        for number, edge in enumerate(edges):
            told += [Span(", " if number else lead, "" if fresh else "dim"), *edge]
        return tuple(self._fitted(told, width - 1))

    def _fitted(self, spans: list[Span], room: int) -> list[Span]:
        """Spans cut to so many cells, in the characters of this terminal."""
        glyphs, kept = self.sizeup.glyphs, list[Span]()
        for span in spans:
            text = glyphs.text(span.text)
            left = room - width_of(kept)
            if len(text) > left:
                return [*kept, span._replace(text=shorten(text, left, glyphs.ellipsis))] if left > 0 else kept
            kept.append(span._replace(text=text))
        return kept

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
            Span(f"  {self.sizeup.keymap.shown('news', short=True)}", "key", "show"),
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
        self.commands: tuple[str, ...] = commands.FOOTER_INPUTS
        self.labels: dict[str, str] = {}
        self.message = self.then = ""

    def say(self, words: str, then: str = "") -> None:
        """Show words in place of the keys, until a key is pressed. then: what stays in sight where not all fits."""
        self.message, self.then = words, then
        self.update_lines()

    def get_lines(self, width: int) -> Sequence[Line]:
        """One line: a message, or the keys of the moment and, where there is room, more of them."""
        if self.message:
            glyphs = self.sizeup.glyphs
            tail = f" {self.then}" if self.then else ""
            words = shorten(glyphs.text(self.message), width - 2 - len(tail), glyphs.ellipsis) + glyphs.text(tail)
            return [line((f" {words:<{width - 1}}", "bar-strong"))]
        names = list(self.commands)
        spans = self._keys(names)
        while width_of(spans) > width and len(names) > 2:
            names.pop(-2)  # the palette still has it
            spans = self._keys(names)
        for more in commands.FOOTER_MORE:
            if more not in names and width_of(wider := self._keys([*names[:-1], more, names[-1]])) <= width:
                names, spans = [*names[:-1], more, names[-1]], wider
        spans.append(Span(" " * max(0, width - width_of(spans)), "bar"))
        return [tuple(spans)]

    def _keys(self, names: Sequence[str]) -> list[Span]:
        spans: list[Span] = [Span(" ", "bar")]
        for name in names:
            command = commands.BY_ID[name]
            key = self.sizeup.keymap.shown(name, short=True)
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
