"""What people type for a build: `2x 4090`, `8 h100`, `70b q4`, `llama 70b on 2x 4090`. Pure.

A count and a format are read from the words; what is left is looked for in the catalog. Where it may be several things,
all of them are named and none is taken. The catalog is imported where it is needed: every command passes here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from engine.figures.records import NamedTuple

_TIMES: Final = r"(?:\s*[x×*]\s*|\s+)"
_UNIT: Final = r"(?!gi?b\b)"
_COUNTED: Final = rf"^(\d{{1,3}}){_TIMES}(?:gpus?\s+|cards?\s+|pcs\s+)?(?:of\s+)?{_UNIT}(?=.*[a-z0-9])(\S.*)$"
_TIMES_LAST: Final = r"^(.*[a-z0-9])(?:\s+[x×*]\s*|(?<=\d)[x×*]|\s*[×*]\s*)(\d{1,3})$"
_BOXES: Final = rf"^(\d{{1,3}})(?:\s*[x×*]\s*|\s+(?:nodes?|boxes|box|servers?|hosts?)\s+(?:of\s+|with\s+)?){_UNIT}(?=\d{{1,3}}{_TIMES}{_UNIT}\S)(.*)$"
"""How builds are counted, upper case or lower; compiled at first use, since every command passes here."""
_SAID: Final = {
    "q2": "gguf-q2_k",
    "q3": "gguf-q3_k_m",
    "q4": "gguf-q4_k_m",
    "q5": "gguf-q5_k_m",
    "q6": "gguf-q6_k",
    "q8": "gguf-q8_0",
    "awq": "int4-awq",
    "gptq": "int4-gptq",
    "fp4": "nvfp4",
    "f16": "fp16",
    "4bit": "int4",
    "8bit": "int8",
    "16bit": "bf16",
}
"""Short words for a weight format: of a GGUF the mix that llama.cpp makes of that many bits, of `4bit` groups of 128."""
_FOR: Final = r" for (\d{1,7})(?: users?| people| persons?)?(?= )"
_ENGINES: Final = {
    "vllm": "vllm",
    "sglang": "sglang",
    "trtllm": "trtllm",
    "trt-llm": "trtllm",
    "tensorrt-llm": "trtllm",
    "tensorrt_llm": "trtllm",
    "tensorrt": "trtllm",
    "llama.cpp": "llama.cpp",
    "llamacpp": "llama.cpp",
    "llama-cpp": "llama.cpp",
    "llama_cpp": "llama.cpp",
    "llama-server": "llama.cpp",
    "ollama": "llama.cpp",
    "mlx": "mlx",
    "mlx-lm": "mlx",
    "mlx_lm": "mlx",
}
"""Engines by the names that people use; Ollama runs llama.cpp."""
_KINDS: Final = {
    "serve": "serve",
    "chat": "serve",
    "batch": "batch",
    "embed": "embed",
    "lora": "lora",
    "qlora": "qlora",
    "full": "full-finetune",
    "full-finetune": "full-finetune",
    "pretrain": "pretrain",
    "dpo": "dpo",
    "grpo": "grpo",
    "ppo": "ppo",
}
"""Words for what a build must do. A first word is the model's."""
_LINKING: Final = ("at", "in", "as")
_WITH: Final = ("with", "using", "via", "under", "by", "in")
"""Words before an engine's name."""


def cards(text: str) -> tuple[int | None, str]:
    """How many, and which accelerators: (2, `4090`) of `2x 4090`, `2 4090`, `4090 x2`; None where no number is said.

    A number with a unit is a memory and no count: `96 GB` is looked for.
    """
    words = " ".join(text.split())
    found = re.match(_COUNTED, words, re.I)
    if found:
        return int(found.group(1)), found.group(2)
    last = re.match(_TIMES_LAST, words, re.I)
    return (int(last.group(2)), last.group(1)) if last else (None, words)


def boxes(text: str) -> tuple[int | None, str]:
    """How many nodes, and the rest, which `cards` reads: (2, `8 h100`) of `2x8 h100` and `2 nodes of 8x h100`."""
    words = " ".join(text.split())
    found = re.match(_BOXES, words, re.I)
    return (int(found.group(1)), found.group(2)) if found else (None, words)


def counts(number: int | None, nodes: int | None, most: int | None) -> dict[str, int]:
    """The keys that a number of cards and of nodes stand for. most: cards that a box of this card takes; two of a card that
    every box has one of are two boxes."""
    if number is not None and nodes is None and most is not None and number > most and number % most == 0:
        number, nodes = most, number // most
    said = {"hardware.gpus_per_node": number, "hardware.nodes": nodes}
    return {key: value for key, value in said.items() if value is not None}


def weight_format(word: str) -> str | None:
    """The weight format that a word is: an id, a GGUF mix, or a short word such as `q4` and `4-bit`; None for no format."""
    from engine.model.formats import FORMATS

    plain = word.casefold().replace("-bit", "bit")
    for name in (_SAID.get(plain, plain), plain, f"gguf-{plain}"):
        if name in FORMATS:
            return name
    return None


def models(text: str) -> tuple[str, str | None]:
    """Which model, and the weight format that is named beside it: (`70b`, `gguf-q4_k_m`) of `70b q4`; the rest is looked for.

    Two formats are none: the words stay as they are.
    """
    words = text.split()
    formats = [(number, found) for number, word in enumerate(words) if number and (found := weight_format(word))]
    if len(formats) != 1:
        return " ".join(words), None
    at, found = formats[0]
    left = [word for number, word in enumerate(words) if number != at]
    if at == len(words) - 1 and len(left) > 1 and left[-1].casefold() in _LINKING:
        left.pop()
    return " ".join(left), found


class Wanted(NamedTuple):
    """A build in a few words. model and cards: what is left to look for; kind, users and engine: None where none is said."""

    model: str
    weights: str | None = None
    kind: str | None = None
    users: int | None = None
    cards: str = ""
    engine: str | None = None

    @property
    def says_more(self) -> bool:
        """Whether anything is said beside the model."""
        return self != Wanted(self.model)


def build(text: str) -> Wanted:
    """What the words of a build say: `70b q4`, `405b for 20`, `8b qlora on 1x 4090 for 2`. What is no such word is the model's
    before `on` and the cards' behind it.
    """
    words, users = f" {' '.join(text.split())} ", None
    asked = list(re.finditer(_FOR, words, re.I))
    if len(asked) == 1:
        words, users = words[: asked[0].start()] + words[asked[0].end() :], int(asked[0][1])
    left, _, on = words.partition(" on ")
    named, behind = left.split(), on.split()
    kind = _taken(named, behind, lambda word: _KINDS.get(word.casefold()))
    engine = _taken(named, behind, lambda word: _ENGINES.get(word.casefold()), _WITH)
    model, weights = models(" ".join(named))
    if weights is None and len(behind) > 1:
        weights = _taken([], behind, weight_format, _LINKING)
    return Wanted(model, weights, kind, users, " ".join(behind), engine)


def _taken(
    model: list[str], cards: list[str], meant: Callable[[str], str | None], before: tuple[str, ...] = ()
) -> str | None:
    """The meaning of the one word of either list that has one, which is taken out with a linking word before it; None where
    none has one or several have. A first word is the model's or the cards'."""
    found = [
        (words, at, said) for words in (model, cards) for at, word in enumerate(words) if at and (said := meant(word))
    ]
    if len(found) != 1:
        return None
    words, at, said = found[0]
    words[at - 1 if at > 1 and words[at - 1].casefold() in before else at : at + 1] = []
    return said


def model_ids(query: str) -> tuple[str, ...]:
    """Ids of the models that words may mean: the one that a name is, else all that have every word."""
    from catalog import load
    from catalog.names import resolve_name

    known = load().models
    if any(entry.id == query for entry in known):
        return (query,)
    named = resolve_name(query)
    if named is not None:
        return (named,)
    return _having(query, ((entry.id, (entry.id, entry.name, entry.family, entry.hf_id)) for entry in known))


def card_ids(query: str) -> tuple[str, ...]:
    """Ids of the accelerators that words may mean, likewise."""
    from catalog import load
    from catalog.names import resolve_accelerator

    named = resolve_accelerator(query)
    if named is not None:
        return (named,)
    facts = load().facts.accelerators
    texts = (
        (card.id, (card.id, card.name, card.vendor, card.architecture, f"{card.memory_gb_marketed:g}GB"))
        for card in facts
    )
    return _having(query, texts)


def unread(query: str, taken: str) -> tuple[str, ...]:
    """Words of what people call an accelerator that say nothing of the one that is taken; those of a search all do."""
    from catalog.card_words import unread_words
    from catalog.names import resolve_accelerator

    return unread_words(query, taken) if resolve_accelerator(query) == taken else ()


def _having(query: str, entries: Iterable[tuple[str, tuple[str, ...]]]) -> tuple[str, ...]:
    """Ids whose texts have every word of a query: as whole words, else as beginnings of words, else anywhere."""
    known = list(entries)
    wanted = _parts(query)
    if not wanted:
        return ()
    split = [(key, _parts(" ".join(texts))) for key, texts in known]
    whole = [key for key, parts in split if all(word in parts for word in wanted)]
    if whole:
        return tuple(whole)
    begun = [key for key, parts in split if all(any(_begins(part, word) for part in parts) for word in wanted)]
    from catalog.ids import matches

    return tuple(begun) or tuple(key for key, texts in known if matches(query, *texts))


def _begins(part: str, word: str) -> bool:
    """Whether a word begins so; a number is whole: `70` is the beginning of 70b, `9` is none of 90b."""
    return part.startswith(word) and not (word[-1].isdigit() and part[len(word) : len(word) + 1].isdigit())


def _parts(text: str) -> list[str]:
    text = re.sub(r"(?<=\d) (?=gi?b\b)", "", text.casefold())  # 96 GB is one word
    return [part for part in re.split(r"[^a-z0-9.]+", text) if part]


def others_named(query: str, taken: str) -> tuple[str, ...]:
    """Ids of the other accelerators that have every word of a name as a word: a bare `h100` is the SXM module by custom.

    A name with its maker is as a driver prints it, and means one card.
    """
    if query.casefold() == taken:
        return ()
    from catalog import load

    known, wanted = load(), _parts(query)
    if known.accelerator(taken).vendor.casefold() in wanted:
        return ()
    return tuple(
        card.id
        for card in known.facts.accelerators
        if card.id != taken and all(word in _parts(f"{card.id} {card.name} {card.vendor}") for word in wanted)
    )


def spelled_out(arguments: Sequence[str], commands: Iterable[str]) -> list[str]:
    """Arguments in which `MODEL on CARDS` stands for options: `report llama 70b q4 on 2x 4090`, `8b qlora on 4090`.

    commands: those that take a file at this place; any other argument stays, and so do words of which one is a file. The
    words may be one argument, in quotes.
    """
    given = list(arguments)
    start, end = _said(given, commands)
    words = _split(given[start:end])
    if words.count("on") != 1 or words[0] == "on" or words[-1] == "on" or any(os.path.exists(word) for word in words):
        return given
    said = build(" ".join(words))
    model = f"{said.model} {said.weights}" if said.weights is not None else said.model
    more = [*(("--kind", said.kind) if said.kind else ()), *(("--concurrency", str(said.users)) if said.users else ())]
    more += ["--set", f"runtime.engine={said.engine}"] if said.engine else []
    return [*given[:start], "--model", model, "--accelerator", said.cards, *more, *given[end:]]


def missing_on(arguments: Sequence[str], commands: Iterable[str]) -> str:
    """What to say of words that begin as a build does and are none, since no `on` parts the model from the cards.

    commands: of `spelled_out`. Empty where a file has the name of one of the words, or no model that of the first.
    """
    given = list(arguments)
    start, end = _said(given, commands)
    words = _split(given[start:end])
    if not words or "on" in words or any(os.path.exists(word) for word in words) or not model_ids(words[0]):
        return ""
    told = " ".join(words)
    parted = [(" ".join(words[:at]), " ".join(words[at:])) for at in range(len(words) - 1, 0, -1)]
    counted = [(model, rest, *cards(boxes(rest)[1])) for model, rest in parted if _named(model)]
    builds = [(number is not None, f"{model} on {rest}") for model, rest, number, query in counted if card_ids(query)]
    whole = f"{told} on 8 h100" if _named(told) else "70b q4 on 2x 4090"
    _, meant = max(builds, key=lambda said: said[0], default=(False, whole))  # cards with a count, the longest model
    return f"{told}: no such file; a build in words is MODEL on CARDS, such as: {meant} (see sizeup help shorthand)"


def _named(text: str) -> bool:
    """Whether some model has the words that are left when a format, what is to be done and users are taken from them."""
    return bool(model_ids(build(text).model))


def _said(given: Sequence[str], commands: Iterable[str]) -> tuple[int, int]:
    """Where the words before the first option begin and end, a command's name left out."""
    start = 1 if given and given[0] in commands else 0
    end = next((number for number, word in enumerate(given) if number >= start and word.startswith("-")), len(given))
    return start, end


def _split(given: Sequence[str]) -> list[str]:
    """The words of arguments, of which each may have several in quotes; the name of a file is one."""
    return [part for word in given for part in ([word] if os.path.exists(word) else word.split())]
