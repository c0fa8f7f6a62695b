"""What the command line is asked that needs no build: what words mean and which commands there are."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.figures.text import harmless
from tui.shell.command import Parser

if TYPE_CHECKING:
    from engine.scenario.fields import Value

COMMANDS = ("help", "examples", "completion")
"""The commands that this module answers."""
EPILOG = """\
commands:
  sizeup report [FILE...] [--format text|markdown|json]    size without a terminal
  sizeup recommend [FILE] [--max-buy USD] [--save DIR]     the catalog's best builds for it
  sizeup parts [FILE] [--recommended] [--format csv]       the shopping list of it, for a seller
  sizeup export [FILE] --to TARGET                         something to run; --to alone lists targets
  sizeup solve FILE FIELD                                  how far a field may go, and what stops it
  sizeup diff A B                                          fields and figures that differ
  sizeup import FILE...                                    a command, manifest or config as a session
  sizeup measured FILE... [--keep]                         logs and benchmarks beside the predicted
  sizeup models|accelerators|links|platforms [WORD]        list the catalog; --format toml, every fact
  sizeup detect                                            this machine's GPUs
  sizeup help [WORD|TOPIC]                                 what a word, a field, a command or a topic means
  sizeup examples [NAME] [--save DIR]                      sessions to start from: listed, printed, written
  sizeup completion bash|zsh|fish                          completion with model and card ids

Every preset is short for a key of the session file; --set KEY=VALUE takes any other,
such as --set runtime.max_num_seqs=64 or --set layout.tp=auto. Numbers may end in k, M, B or T.
"""


class WrongWord(ValueError):
    """A word that nothing is known of; the text says which, and what is near."""


def answer(command: str, arguments: Sequence[str]) -> str:
    """What a command of `COMMANDS` prints. Raises WrongWord."""
    answers: dict[str, Callable[[Sequence[str]], str]] = {
        "help": _help,
        "examples": _examples,
        "completion": _completion,
    }
    return answers[command](arguments)


def _completion(words: Sequence[str]) -> str:
    from tui.shell import completion

    if len(words) == 1 and words[0] in completion.SHELLS:
        return completion.script(words[0])
    if words and words[0] not in ("-h", "--help"):
        raise WrongWord(f"completion {' '.join(words)[:60]}: allowed: bash, zsh or fish")
    return (
        "usage: sizeup completion bash|zsh|fish\n\n"
        "Prints a completion script that knows commands, options, models, accelerators, links, formats and fields.\n"
        '  bash  eval "$(sizeup completion bash)"        in ~/.bashrc\n'
        '  zsh   eval "$(sizeup completion zsh)"         in ~/.zshrc, after compinit\n'
        "  fish  sizeup completion fish | source         in ~/.config/fish/config.fish\n"
    )


def _examples(words: Sequence[str]) -> str:
    """The example sessions listed, one of them printed, or some written into a folder."""
    from catalog.ids import nearest
    from tui.files import disk
    from tui.files.examples import examples

    parser = Parser(
        prog="sizeup examples",
        description="Sessions to start from: listed, one of them printed, or written.",
    )
    parser.add_argument(
        "name", nargs="*", metavar="NAME", help="of an example; none lists them, or means all with --save"
    )
    parser.add_argument("--save", metavar="DIR", help="write them into a folder; a file that is there stays")
    options = parser.parse_args(words)
    known = {example.name: example for example in examples()}
    for name in options.name:
        if name not in known:
            raise WrongWord(f"examples {name[:60]}: no such example; the nearest is {nearest(name, known, 1)[0]}")
    chosen = [known[name] for name in options.name or known]
    if options.save is None:
        if options.name:
            return "\n".join(example.path.read_text(encoding="utf-8") for example in chosen)
        wide = max(len(name) for name in known)
        return "".join(f"{example.name:<{wide}}  {example.title}\n" for example in chosen)
    folder, lines = Path(os.path.expanduser(options.save)), []
    for example in chosen:
        target = folder / example.path.name
        if target.exists():
            raise WrongWord(f"examples --save: {target} is there already")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            disk.write(target, example.path.read_bytes())
        except (OSError, disk.DiskError) as problem:
            raise WrongWord(f"examples --save: cannot write {target}: {disk.reason_of(problem)}") from None
        lines.append(f"{target}\n")
    return "".join(lines)


def _help(words: Sequence[str]) -> str:
    """The commands, the topics and all words of the glossary, or what one of them means."""
    from tui.pages import glossary
    from tui.shell.blocks import WIDTH
    from tui.shell.topics import TOPICS, told

    if not words or words[0] in ("-h", "--help"):
        lines = [EPILOG.rstrip(), "", "topics of `sizeup help TOPIC`:"]
        lines += [f"  {name:<12} {topic.about}" for name, topic in TOPICS.items()]
        lines += ["", "words that `sizeup help WORD` explains:"]
        for title, section in glossary.SECTIONS:
            lines += ["", f"  {title}", *_wrapped(", ".join(term.word for term in section), "    ")]
        return harmless("\n".join([*lines, "", "and every field by its key, such as `sizeup help layout.tp`.", ""]))
    word = " ".join(words)
    if word.casefold() in TOPICS:
        return harmless(told(word.casefold(), WIDTH))
    term = glossary.find(word)
    field = _field(word)
    parts = []
    if term is None and field is not None:
        term = glossary.of_figure(field)
    if term is not None:
        also = f"  (also {', '.join(term.also)})" if term.also else ""
        parts.append([term.word + also, *_wrapped(term.means, "  "), *_wrapped(f"From: {term.source}", "  ")])
    if field is not None:
        parts.append(_field_text(field))
    if not parts:
        from difflib import get_close_matches

        near = ", ".join(repr(name) for name in (*get_close_matches(word, TOPICS, 1), *glossary.nearest_words(word)))
        raise WrongWord(f"help {word[:60]}: no such word; the nearest are {near}; `sizeup help` lists all")
    return harmless("\n\n".join("\n".join(part) for part in parts) + "\n")


def _wrapped(text: str, indent: str) -> list[str]:
    from tui.shell.blocks import WIDTH  # every start of the app passes this module: reports are loaded when asked for

    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _field(word: str) -> str | None:
    """The key of the field that a word is: the key itself, its last part where one field has it, or its label."""
    from engine.scenario.fields import FIELDS

    plain = word.strip().casefold()
    for field in FIELDS:
        if field.key == plain:
            return field.key
    named = [f.key for f in FIELDS if plain in (f.key.rpartition(".")[2], f.label.casefold())]
    return named[0] if len(named) == 1 else None


def _choice(value: Value, label: str) -> str:
    """A choice as a session writes it, with what it is called in the app where that is another word."""
    from engine.scenario.fields import word_of

    word = word_of(value)
    called = label.removeprefix(f"{word}: ")
    return word if called == word else f"{word} ({called})"


def _field_text(key: str) -> list[str]:
    from engine.scenario.fields import BY_KEY
    from tui.files import fields

    field = BY_KEY[key]
    facts = [fields.range_words(field), "", fields.default_words(field)]
    if field.choices:
        facts[0] = ", ".join(_choice(value, label) for value, label in field.choices)
    takes = f" Takes {facts[0]}." if facts[0] else ""
    default = f" Default: {facts[2]}." if facts[2] else ""
    unit = f" Unit: {field.unit}." if field.unit else ""
    return [f"{field.key}  ({field.label} in the app)", *_wrapped(f"{field.help}{takes}{unit}{default}", "  ")]
