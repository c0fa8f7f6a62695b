"""What the command line is asked that needs no build: what words mean and which commands there are."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

from engine.figures.text import harmless
from tui.shell.blocks import WIDTH

COMMANDS = ("help",)
"""The commands that this module answers."""
EPILOG = """\
commands:
  sizeup report [FILE...] [--format text|markdown|json]    size without a terminal
  sizeup recommend [FILE] [--max-buy USD] [--save DIR]     the catalog's best builds for it
  sizeup parts [FILE] [--recommended] [--format csv]       the shopping list of it, for a seller
  sizeup export [FILE] --to TARGET                         something to run; --to alone lists targets
  sizeup import FILE...                                    a command, manifest or config as a session
  sizeup measured FILE... [--keep]                         logs and benchmarks beside the predicted
  sizeup models|accelerators|links [WORD]                  list the catalog
  sizeup detect                                            this machine's GPUs
  sizeup help [WORD]                                       what a word, a field or a command means

Every option but --set is short for a key of the session file; --set KEY=VALUE takes any other,
such as --set runtime.max_num_seqs=64 or --set layout.tp=auto. Numbers may end in k, M, B or T.
"""


class WrongWord(ValueError):
    """A word that nothing is known of; the text says which, and what is near."""


def answer(command: str, arguments: Sequence[str]) -> str:
    """What a command of `COMMANDS` prints. Raises WrongWord."""
    answers: dict[str, Callable[[Sequence[str]], str]] = {"help": _help}
    return answers[command](arguments)


def _help(words: Sequence[str]) -> str:
    """The commands and all words of the glossary, or what one of them means."""
    from tui.pages import glossary

    if not words or words[0] in ("-h", "--help"):
        lines = [EPILOG.rstrip(), "", "words that `sizeup help WORD` explains:"]
        for title, section in glossary.SECTIONS:
            lines += ["", f"  {title}", *_wrapped(", ".join(term.word for term in section), "    ")]
        return harmless("\n".join([*lines, "", "and every field by its key, such as `sizeup help layout.tp`.", ""]))
    word = " ".join(words)
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
        near = ", ".join(repr(name) for name in glossary.nearest_words(word))
        raise WrongWord(f"help {word[:60]}: no such word; the nearest are {near}; `sizeup help` lists all")
    return harmless("\n\n".join("\n".join(part) for part in parts) + "\n")


def _wrapped(text: str, indent: str) -> list[str]:
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


def _field_text(key: str) -> list[str]:
    from engine.scenario.fields import BY_KEY
    from tui.files import fields

    field = BY_KEY[key]
    facts = [fields.range_words(field), "", fields.default_words(field)]
    if field.choices:
        facts[0] = ", ".join(str(label) for _, label in field.choices)
    takes = f" Takes {facts[0]}." if facts[0] else ""
    default = f" Default: {facts[2]}." if facts[2] else ""
    unit = f" Unit: {field.unit}." if field.unit else ""
    return [f"{field.key}  ({field.label} in the app)", *_wrapped(f"{field.help}{takes}{unit}{default}", "  ")]
