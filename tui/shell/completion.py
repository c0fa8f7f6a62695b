"""Completion for bash, zsh and fish: commands, options, and the ids and words that options take.

A script holds the catalog as it is when it is made, one's own entries too; a shell that makes it at its start is current.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Final

SHELLS: Final = ("bash", "zsh", "fish")
LISTS: Final = ("models", "accelerators", "links", "platforms")
OWN: Final[Mapping[str, tuple[str, ...]]] = {
    "report": ("--format", "--full", "--table", "--watch"),
    "recommend": (
        "--format", "--max-buy", "--max-rent-month", "--max-power", "--max-gpus", "--vendor", "--form-factor", "--owned",
        "--save",
    ),
    "parts": ("--format", "--recommended"),
    "export": ("--to",),
    "import": (),
    "solve": ("--format",),
    "diff": ("--format",),
    "measured": ("--keep", "--into",),
    "models": ("--format",),
    "accelerators": ("--format",),
    "links": ("--format",),
    "platforms": ("--format",),
    "detect": ("--from", "--format"),
    "examples": ("--save",),
    "help": (),
    "completion": (),
}  # fmt: skip
"""The commands, and the options of each beside those that set keys of the session."""
SETS_KEYS: Final = ("report", "recommend", "parts", "export", "import", "measured", "solve")
"""Commands that take the options of the session, and its file."""
FREE: Final = ("--full", "--table", "--watch", "--keep", "--recommended", "--version", "--help")
"""Options that take no value."""


def script(shell: str) -> str:
    """The completion script of a shell of `SHELLS`."""
    makers: dict[str, Callable[[], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
    return makers[shell]()


def session_options() -> tuple[str, ...]:
    """The options that set keys of the session."""
    from tui.shell import presets

    return (*(preset.option for preset in presets.PRESETS), "--set")


def options_of(command: str) -> tuple[str, ...]:
    """The options of a command; of the app where it is empty."""
    own = OWN[command] if command else ("--version",)
    return (*own, *(session_options() if not command or command in SETS_KEYS else ()), "--help")


def values() -> dict[str, tuple[str, ...]]:
    """The words that an option takes, by the option; an option that takes a number or a file is not there."""
    import catalog
    from engine.scenario.fields import BY_KEY
    from tui.shell import exports, presets

    known = catalog.load()
    cards = tuple(card.id for card in known.facts.accelerators)
    links = tuple(link.id for link in known.facts.links)
    found = {
        "--model": tuple(entry.id for entry in known.models),
        "--accelerator": cards,
        "--owned": cards,
        "--intra-link": links,
        "--inter-link": links,
        "--format": ("text", "markdown", "json", "csv"),
        "--to": tuple(exports.TARGETS),
        "--vendor": tuple(dict.fromkeys(card.vendor for card in known.facts.accelerators)),
        "--set": tuple(f"{key}=" for key in BY_KEY),
    }
    for preset in presets.PRESETS:
        choices = tuple(str(value) for value in BY_KEY[preset.key].values if isinstance(value, str))
        if choices:
            found[preset.option] = choices
    return found


def words() -> dict[str, tuple[str, ...]]:
    """The words that stand behind a command in place of a file."""
    import catalog
    from engine.scenario.fields import BY_KEY
    from tui.files.examples import examples
    from tui.pages import glossary
    from tui.shell.topics import TOPICS

    known = catalog.load()
    told = tuple(term.word for term in glossary.terms() if " " not in term.word and "$" not in term.word)
    return {
        "models": tuple(entry.id for entry in known.models),
        "accelerators": tuple(card.id for card in known.facts.accelerators),
        "links": tuple(link.id for link in known.facts.links),
        "platforms": tuple(platform.id for platform in known.facts.platforms),
        "help": (*told, *TOPICS, *OWN, *BY_KEY),
        "examples": tuple(example.name for example in examples()),
        "completion": SHELLS,
    }


def _listed(items: Iterable[str]) -> str:
    return shlex.quote(" ".join(items))


def _cases(kept: Mapping[str, tuple[str, ...]], indent: str) -> list[str]:
    """Lines of a `case` that put words into `choices`."""
    return [f"{indent}{name}) choices={_listed(items)} ;;" for name, items in kept.items() if items]


def _body(indent: str) -> list[str]:
    """What bash and zsh share: which words may stand here, from `before` (the word before) and `command`."""
    free = "|".join(FREE)
    taken, after = values(), words()
    number = "|".join(
        option
        for option in dict.fromkeys(option for command in ("", *OWN) for option in options_of(command))
        if option not in taken and option not in FREE
    )
    return [
        f"{indent}case $before in",
        *_cases(taken, f"{indent}  "),
        f"{indent}  {number}) files=1 ;;",
        f"{indent}  {free}|*) case $command in",
        *(
            f"{indent}    {command}) choices={_listed((*after.get(command, ()), *options_of(command)))}; files={int(command not in after)} ;;"
            for command in OWN
        ),
        f"{indent}    *) choices={_listed((*OWN, *options_of('')))}; files=1 ;;",
        f"{indent}  esac ;;",
        f"{indent}esac",
    ]


def _bash() -> str:
    return "\n".join(
        [
            "# bash completion of sizeup; in ~/.bashrc: eval \"$(sizeup completion bash)\"",
            "_sizeup() {",
            "  local here=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= choices= files=0",
            "  [ \"$COMP_CWORD\" -gt 1 ] && command=${COMP_WORDS[1]}",
            "  [ \"$COMP_CWORD\" -eq 1 ] && before=",
            *_body("  "),
            "  COMPREPLY=($(compgen -W \"$choices\" -- \"$here\"))",
            "  if [ \"$files\" = 1 ]; then COMPREPLY+=($(compgen -f -- \"$here\")); fi",
            "  case ${COMPREPLY[0]} in *=) compopt -o nospace ;; esac",
            "}",
            "complete -o filenames -F _sizeup sizeup",
            "",
        ]
    )  # fmt: skip


def _zsh() -> str:
    return "\n".join(
        [
            "#compdef sizeup",
            "# zsh completion of sizeup; in ~/.zshrc, after compinit: eval \"$(sizeup completion zsh)\"",
            "_sizeup() {",
            "  local here=${words[CURRENT]} before=${words[CURRENT-1]} command= files=0",
            "  (( CURRENT > 2 )) && command=${words[2]}",
            "  (( CURRENT == 2 )) && before=",
            "  local choices=",
            *_body("  "),
            "  compadd -- ${=choices}",
            "  (( files )) && _files",
            "}",
            "compdef _sizeup sizeup",
            "",
        ]
    )  # fmt: skip


def _fish() -> str:
    taken, after = values(), words()
    lines = [
        "# fish completion of sizeup; in ~/.config/fish/config.fish: sizeup completion fish | source",
        f"complete -c sizeup -n __fish_use_subcommand -a {_listed(OWN)}",
    ]
    for command, items in after.items():
        lines.append(f"complete -c sizeup -f -n '__fish_seen_subcommand_from {command}' -a {_listed(items)}")
    by_option: dict[str, list[str]] = {}
    for command in OWN:
        for option in options_of(command):
            by_option.setdefault(option, []).append(command)
    for option in options_of(""):
        by_option.setdefault(option, [])
    for option, commands in by_option.items():
        shared = option in options_of("")
        where = "" if shared else f" -n '__fish_seen_subcommand_from {' '.join(commands)}'"
        kept = f" -x -a {_listed(taken[option])}" if option in taken else "" if option in FREE else " -r"
        lines.append(f"complete -c sizeup{where} -l {option.removeprefix('--')}{kept}")
    return "\n".join([*lines, ""])
