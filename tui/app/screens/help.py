"""Help: what the focused thing and the words of the page mean, then the keys, made from the command registry."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tui.app.news import News, news_lines
from tui.app.screens.dialog import Reader
from tui.files import commands
from tui.files.commands import Keymap
from tui.pages.doc import BLANK, Line, heading, line, paragraphs, spaced
from tui.pages.glyphs import Glyphs

READING = (
    "The lines on top are the answer about the build as entered, what to do with its key, and the verdict. The bars show "
    "each group of GPUs that hold the same; the letters of the legend are the fills of the bar. GiB are 2^30 bytes, and "
    "links are counted one way.",
    "Type a number into a field and the build is sized at once: 8k, 1.5T and 256Ki are understood. What a field "
    "cannot take stays in it with the reason, and the last valid result stays on screen, marked STALE.",
    "Everything works by mouse too: click a field, an arrow beside it, a page name, a figure, a change or a word "
    "of the footer.",
)
OWN_KEYS = "Keys of your own stand in ~/.config/sizeup/keys.toml; `sizeup help keys` says how."


def help_lines(width: int, glyphs: Glyphs, keymap: Keymap) -> Sequence[Line]:
    """How to read the screen, then every command by the part it works in."""
    lines: list[Line] = []
    lines.append(heading("READING THE SCREEN", width, glyphs.rule))
    for text in READING:
        lines += paragraphs(glyphs.text(text), width)
        lines.append(BLANK)
    lines += [*paragraphs(OWN_KEYS, width, "dim"), BLANK]
    titles = {"everywhere": "EVERYWHERE", "inputs": "IN THE INPUTS", "results": "IN THE RESULTS"}
    for where, title in titles.items():
        lines.append(heading(title, width, glyphs.rule))
        for command in commands.COMMANDS:
            if command.where != where:
                continue
            keys = keymap.words(command.id)
            lines += [
                line((f" {keys:<18} ", "key"), row[-1]) if number == 0 else line(" " * 20, row[-1])
                for number, row in enumerate(paragraphs(command.help, width - 20))
            ]
        if where == "results":
            lines.append(line((f" {'1 to 9, 0':<18} ", "key"), "Open a page by its number"))
        lines.append(BLANK)
    return lines


class Help(Reader):
    """What the focused thing means, the words in sight, and all keys. here: the lines of the first two, for a width."""

    def __init__(self, here: Callable[[int], Sequence[Sequence[Line]]]) -> None:
        def build(width: int) -> Sequence[Line]:
            return spaced(
                *(list(section) for section in here(width)),
                list(help_lines(width, self.sizeup.glyphs, self.sizeup.keymap)),
            )

        super().__init__("Help", build)


class NewsReader(Reader):
    """What changed since the session was saved, with both answers, and what is wrong with catalog files."""

    def __init__(self, news: Sequence[News]) -> None:
        def build(width: int) -> Sequence[Line]:
            return news_lines(news, self.sizeup.store.sizing, width, self.sizeup.glyphs)

        super().__init__("News", build, ("d", "dismiss"))
