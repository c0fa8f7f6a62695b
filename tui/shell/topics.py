"""What `sizeup help TOPIC` tells beside words and fields: what stands in no command's own help, as a man page has it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

from engine.figures.records import NamedTuple
from tui.shell.command import BAD_INPUT, CARRIED, FAILED, NOT_CARRIED


class Topic(NamedTuple):
    """A topic: what it is about in one line, and its rows, each a name with what it means; text alone has no name."""

    about: str
    rows: Callable[[], Sequence[tuple[str, str]]]


def _keys() -> Sequence[tuple[str, str]]:
    from tui.files import own_keys
    from tui.files.commands import COMMANDS, GROUPS
    from tui.files.commands import own_keys as changeable

    keymap, problems = own_keys.read()
    rows = [
        (
            "",
            f"Keys of your own stand in {own_keys.file()}, a line a command: its name, and a key or a list of keys, such as "
            'save = "ctrl+w" or jump = ["f11", "alt+j"]. Where the results have the focus one letter is a key too. '
            "Commands without a name here have keys that every terminal program has.",
        )
    ]
    for group in GROUPS:
        rows.append(("", ""))
        for command in COMMANDS:
            if command.group == group:
                name = command.id if changeable(command) else ""
                rows.append((f"{name:<17} {keymap.words(command.id)}", command.help))
    return [*rows, *(("left out", problem) for problem in problems)]


def _files() -> Sequence[tuple[str, str]]:
    from catalog.user import user_folder
    from tui.files import own_keys, paths, settings

    return (
        ("*.toml", "a session: what you save and what report, recommend, export and the rest take; docs/session.md"),
        (str(user_folder()), "your own cards, links, prices and models, any name that ends in .toml; docs/catalog.md"),
        (str(paths.config_folder() / "measured"), "what `sizeup measured --keep` keeps of your machines"),
        (str(own_keys.file()), "keys of your own; `sizeup help keys`"),
        (str(paths.config_folder() / settings.FILE), "the colour theme, written by the app"),
        (str(paths.state_folder()), "recent sessions, and unsaved work, which the next start offers"),
    )


def _environment() -> Sequence[tuple[str, str]]:
    return (
        ("NO_COLOR", "if set, no colours: words and glyphs tell all"),
        ("SIZEUP_ASCII", "1: ASCII in place of Unicode glyphs, also where the locale is UTF-8"),
        ("SIZEUP_DEBUG", "1: where a defect happened, in full"),
        ("XDG_CONFIG_HOME", "the folder of settings, else ~/.config; `sizeup help files`"),
        ("XDG_STATE_HOME", "the folder of recent sessions and unsaved work, else ~/.local/state"),
        ("TERM, COLORTERM", "how many colours the terminal has; the app does not start on TERM=dumb"),
        ("LC_ALL, LC_CTYPE, LANG", "whether the terminal shows UTF-8"),
    )


def _exits() -> Sequence[tuple[str, str]]:
    return (
        (str(CARRIED), "the build carries its workload; of other commands, all went well"),
        (str(FAILED), "something went wrong that is no fault of what was given, such as a full disk"),
        (
            str(BAD_INPUT),
            "a file, an option or a word is wrong: one line on standard error says which and what is allowed",
        ),
        (
            str(NOT_CARRIED),
            "the build misses a target, is overloaded or does not fit; of recommend, nothing carries it",
        ),
    )


def _words() -> Sequence[tuple[str, str]]:
    return (
        ("", "A build in a few words, for the lists of the app and in place of options on the command line:"),
        ("70b q4", "a model and its weight format"),
        ("2x 4090, 8 h100", "so many cards in a node"),
        ("2x8 h100", "so many nodes of so many cards"),
        ("4090 48, a100-40", "a card of so much memory, where there are several"),
        ("405b for 20", "a model and its users at once"),
        ("8b on 1x 5090 llama.cpp for 4", "and the engine: vllm, sglang, trt-llm, llama.cpp, ollama, mlx"),
        ("8b qlora on 1x 4090", "a model, what to do with it, and on what"),
        ("x1 96GB 1800GB/s 500TF", "in the app's list of GPUs: a card of your own by its figures"),
        ("", "Numbers may end in k, M, B or T, and Ki or Mi; a share may be a per cent."),
    )


TOPICS: dict[str, Topic] = {
    "shorthand": Topic("a build in a few words", _words),
    "keys": Topic("the keys of the app, and keys of your own", _keys),
    "files": Topic("where sessions, settings and your own catalog stand", _files),
    "environment": Topic("variables that are read", _environment),
    "exits": Topic("exit codes", _exits),
}


def told(name: str, width: int) -> str:
    """A topic as text of so many columns."""
    topic = TOPICS[name]
    rows = topic.rows()
    wide = max((len(row[0]) for row in rows), default=0)
    beside = wide <= width // 2
    indent = " " * (wide + 4 if beside else 6)
    lines = [f"{name}: {topic.about}", ""]
    for title, words in rows:
        if not title:
            lines += textwrap.wrap(words, width, break_on_hyphens=False) or [""]
        elif beside:
            first = f"  {title:<{wide}}  "
            lines += textwrap.wrap(words, width, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False)
        else:
            lines += [f"  {title}", *textwrap.wrap(words, width, initial_indent=indent, subsequent_indent=indent)]
    return "\n".join(lines) + "\n"
