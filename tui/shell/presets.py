"""The options of the command line that set keys of a session, and `--set` for any other: read, and made by one change."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.figures.records import NamedTuple
from engine.figures.text import LONGEST_NAME, clipped, printable
from tui.files import numbers

if TYPE_CHECKING:
    from catalog import Catalog
    from engine.scenario import Scenario


class WrongOption(ValueError):
    """An option that says nothing usable; the text names it, what is wrong and what is allowed."""


class Preset(NamedTuple):
    """An option that sets one key of the session: its dotted key, how its text is read, and its help.

    VALUES in the help stands for the words that the key takes.
    """

    option: str
    key: str
    read: Callable[[str], Any]
    help: str


def _weights(text: str) -> str:
    from tui.files import shorthand

    return shorthand.weight_format(text) or text.lower()


PRESETS = (
    Preset(
        "--model",
        "model.id",
        str,
        "a model id or Hugging Face name, words such as 'llama-3.1 70b q4', or the path of a config.json or .gguf",
    ),
    Preset("--weights", "model.weights", _weights, "weight format: bf16, fp8, int4, nvfp4, ..."),
    Preset("--kv-cache", "model.kv_cache", str.lower, "KV-cache format: bf16, fp8, ..."),
    Preset(
        "--accelerator",
        "hardware.accelerator",
        str,
        "an accelerator id, its name as nvidia-smi prints it, or with a number: '2x 4090', '8 h100', '2x8 h100'",
    ),
    Preset("--gpus", "hardware.gpus_per_node", numbers.whole, "GPUs in a node"),
    Preset("--nodes", "hardware.nodes", numbers.whole, "nodes"),
    Preset("--intra-link", "hardware.intra_link", str, "link inside a node"),
    Preset("--inter-link", "hardware.inter_link", str, "link between nodes"),
    Preset("--kind", "workload.kind", str, "VALUES"),
    Preset("--concurrency", "workload.concurrency", numbers.whole, "users at once"),
    Preset("--input", "workload.input_tokens", numbers.whole, "prompt, tokens"),
    Preset("--output", "workload.output_tokens", numbers.whole, "answer, tokens"),
    Preset("--cached", "workload.cached_share", numbers.share, "share of the prompt that a prefix cache holds"),
    Preset("--ttft", "workload.ttft_target_s", numbers.seconds, "target: first token within, s"),
    Preset("--user-rate", "workload.tokens_per_s_user_target", numbers.decimal, "target: tokens/s a user"),
    Preset("--sequence", "workload.sequence_length", numbers.whole, "training: sequence length, tokens"),
    Preset(
        "--tokens", "workload.total_tokens", numbers.whole, "tokens of the training run, or of the corpus of a batch"
    ),
    Preset("--optimizer", "workload.optimizer", str, "training: VALUES"),
    Preset("--sharding", "workload.sharding", str, "training: VALUES"),
    Preset("--framework", "workload.framework", str.lower, "training: VALUES"),
    Preset("--deadline", "workload.deadline_days", numbers.days, "target: run or corpus done within, days"),
    Preset("--tp", "layout.tp", numbers.whole, "tensor parallel, else automatic"),
    Preset("--pp", "layout.pp", numbers.whole, "pipeline parallel, else automatic"),
    Preset("--dp", "layout.dp", numbers.whole, "data parallel, else automatic"),
    Preset("--title", "title", str, "a title"),
)


def help_of(preset: Preset) -> str:
    """What an option is for, with the words that its key takes."""
    if "VALUES" not in preset.help:
        return preset.help
    from engine.scenario.fields import BY_KEY  # only who asks for help needs the table

    return preset.help.replace("VALUES", BY_KEY[preset.key].allowed)


def changes_of(given: Mapping[str, Any], items: Iterable[str]) -> dict[str, Any]:
    """The keys that options set. given: the text of each preset by its key; items: those of --set. Raises WrongOption."""
    changes: dict[str, Any] = {}
    for preset in PRESETS:
        text = given.get(preset.key)
        if text is not None:
            try:
                changes[preset.key] = preset.read(text)
            except numbers.NumberError as problem:
                raise WrongOption(f"{preset.option}: {problem}") from None
    if "model.id" in changes:
        changes = _model_named(changes.pop("model.id"), "model.weights" in changes) | changes
    if "hardware.accelerator" in changes:
        changes |= _cards_named(changes.pop("hardware.accelerator"), changes)
    for item in items:
        key, equals, text = item.partition("=")
        if not equals or not key.strip():
            raise WrongOption(f"--set {item[:60]}: not KEY=VALUE, such as runtime.max_num_seqs=64")
        changes[key.strip()] = _value(key.strip(), text.strip())
    return changes


def remarks(given: Mapping[str, Any]) -> tuple[str, ...]:
    """What was taken of several that a name may mean, for people to see. given: the text of each preset by its key."""
    return (*_model_remarks(given), *_card_remarks(given))


def _model_remarks(given: Mapping[str, Any]) -> tuple[str, ...]:
    """Whose architecture stands for the model that is named, and what the name of a checkpoint leaves open of its size where
    no format is given beside it."""
    text = given.get("model.id")
    if not isinstance(text, str):
        return ()
    from catalog.names import stand_in

    name, other = clipped(printable(text), LONGEST_NAME), stand_in(text)
    told = [f"--model: {name} is sized as {other}, whose architecture it has"] if other else []
    doubt = doubt_of(text) if given.get("model.weights") is None else ""
    return (*told, f"--model: {name}: {doubt}") if doubt else tuple(told)


def doubt_of(text: str) -> str:
    """What a published name leaves open of the size of its checkpoint; empty where nothing, or where it is no such name."""
    if "/" not in text:
        return ""
    import catalog
    from catalog.format_names import UnsizedFormat, doubt_of_name, format_of_name
    from catalog.names import resolve_name

    model_id = resolve_name(text)
    if model_id is None:
        return ""
    try:
        weights = format_of_name(text)
    except UnsizedFormat:
        return ""
    return doubt_of_name(text, weights, catalog.load().model(model_id).architecture) if weights else ""


def _card_remarks(given: Mapping[str, Any]) -> tuple[str, ...]:
    """Other cards that have every word of the one that is named."""
    text = given.get("hardware.accelerator")
    if not isinstance(text, str):
        return ()
    from tui.files import shorthand

    _, query = shorthand.cards(shorthand.boxes(text)[1])
    found = shorthand.card_ids(query)
    others = shorthand.others_named(query, found[0]) if len(found) == 1 else ()
    return (
        (f"--accelerator: {query[:60]!r} is taken as {found[0]}; also: {', '.join(others[:MOST_NAMED])}",)
        if others
        else ()
    )


MOST_NAMED = 8


def _cards_named(text: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that --accelerator sets: a card, and how many where that is said. Raises WrongOption for one of several."""
    from tui.files import shorthand

    nodes, rest = shorthand.boxes(text)
    count, query = shorthand.cards(rest)
    found = shorthand.card_ids(query)
    card = _one_of("--accelerator", query, found)
    if found and (left := shorthand.unread(query, card)):
        words = ", ".join(repr(word[:40]) for word in left[:MOST_NAMED])
        raise WrongOption(
            f"--accelerator: {text[:60]!r}: {card} is read, and not {words}; leave it out, or say it with an option"
        )
    for key, option, number in (("hardware.gpus_per_node", "--gpus", count), ("hardware.nodes", "--nodes", nodes)):
        if number is not None and given.get(key, number) != number:
            raise WrongOption(f"--accelerator: {text[:60]!r} says {number} and {option} says {given[key]}; say one")
    return {"hardware.accelerator": card, **shorthand.counts(count, nodes or given.get("hardware.nodes"), _most(card))}


def _most(card: str) -> int | None:
    """Cards that a box takes of a card of the catalog; None where any number goes, or nobody knows the card."""
    import catalog

    known = {one.id: one for one in catalog.load().facts.accelerators}
    return known[card].max_gpus_per_node if card in known else None


def _one_of(option: str, query: str, ids: Sequence[str]) -> str:
    """The one id that a query means, or the query where none does. Raises WrongOption where there are several."""
    if len(ids) > 1:
        more = f" and {len(ids) - MOST_NAMED} more" if len(ids) > MOST_NAMED else ""
        raise WrongOption(f"{option}: {query[:60]!r} may be {', '.join(ids[:MOST_NAMED])}{more}; name one")
    return ids[0] if ids else query


def made(scenario: Scenario, changes: Mapping[str, Any], known: Catalog, place: str, new: bool) -> Scenario:
    """The scenario with the keys changed. new: nobody chose anything in it yet. Raises WrongOption naming the option."""
    from engine.figures.errors import ScenarioError
    from engine.scenario.change import change
    from tui.files.fields import named

    try:
        return change(scenario, named(scenario, changes, new), known)
    except ScenarioError as problem:
        option = next(
            (preset.option for preset in PRESETS if preset.key == problem.field and preset.key in changes), ""
        )
        if problem.field == "model.config" and problem.field in changes:
            option = "--model"
        name = option or (f"--set {problem.field}" if problem.field in changes else f"{place}: {problem.field}")
        near = f" (nearest: {problem.nearest})" if problem.nearest is not None else ""
        allowed = f"; allowed: {problem.allowed}" if problem.allowed else ""
        raise WrongOption(f"{name}: {problem.reason}{near}{allowed}") from None


def _model_named(text: str, chosen: bool) -> dict[str, str]:
    """The keys that --model sets: a file's path, an id, or the id and format that a published name means.

    chosen: the format is given beside it. Raises WrongOption for a name that states a format that cannot be sized.
    """
    from catalog.model_files import model_file_in

    path = Path(os.path.expanduser(text))
    with contextlib.suppress(OSError, ValueError):  # a name that no file can have
        if path.suffix.lower() in (".json", ".gguf") or (os.sep in text and path.is_file()):
            return {"model.config": str(path.absolute())}
        if (path / "config.json").is_file() or (path.is_dir() and any(path.glob("*.gguf"))):
            return {"model.config": str(model_file_in(path).absolute())}
    import catalog
    from catalog.format_names import UnsizedFormat, format_of_name
    from catalog.names import resolve_name
    from tui.files import shorthand

    if any(entry.id == text for entry in catalog.load().models):
        return {"model.id": text}
    if text.startswith((f".{os.sep}", f"..{os.sep}", os.sep, "~")):  # no name of a model begins so
        told = "a folder without a config.json or .gguf" if path.is_dir() else "no such file"
        raise WrongOption(f"--model: {clipped(printable(text), LONGEST_NAME)}: {told}")
    query, said = shorthand.models(text)
    if said is not None:
        return {"model.id": _one_of("--model", query, shorthand.model_ids(query))} | (
            {} if chosen else {"model.weights": said}
        )
    try:
        weights = None if chosen else format_of_name(text)
    except UnsizedFormat as problem:
        raise WrongOption(
            f"--model: {text[:80]} states weights in {problem}, which cannot be sized; name a format that can beside it: "
            "--weights int4, gguf-q3_k_m, ..."
        ) from None
    model_id = resolve_name(text) or _one_of("--model", text, shorthand.model_ids(text))
    return {"model.id": model_id} | ({"model.weights": weights} if weights else {})


def _value(key: str, text: str) -> Any:
    """The value that --set means for a key; text where it means none, for `engine.scenario.change` to refuse with the reason."""
    from engine.scenario.fields import BY_KEY, UNSET

    field = BY_KEY.get(key)
    if field is None or field.kind == "text" or text in field.values:
        return text
    word = text.casefold()
    if word in ("", "none", "auto"):
        default = field.default()
        return None if field.optional or field.follows or None in field.values or default == UNSET else default
    if field.kind == "choice" and word in ("true", "false") and True in field.values:
        return word == "true"
    return text if field.kind == "id" else _number(text)


def _number(text: str) -> Any:
    for read in (numbers.whole, numbers.decimal):
        with contextlib.suppress(numbers.NumberError):
            return read(text)
    return text
