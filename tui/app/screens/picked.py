"""What is done with the answer of a list: a value, several at once, the model of a file, a card of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.figures.errors import ScenarioError
from engine.figures.records import dataclass
from engine.figures.text import printable
from engine.scenario.change import change
from engine.scenario.fields import Value
from tui.files import fields, own_card
from tui.files.fields import Field
from tui.files.own_card import OwnCard

if TYPE_CHECKING:
    from tui.app.screens.bench import Bench


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A config.json or .gguf that was chosen in place of a model of the catalog."""

    path: str


@dataclass(frozen=True, slots=True)
class Several:
    """What a few words ask for beside the row that they find, by the keys of fields. card: to be kept before."""

    changes: tuple[tuple[str, Value], ...]
    card: OwnCard | None = None


def take(bench: Bench, field: Field, answer: object) -> None:
    """Do what was chosen for a field; None, no answer, changes nothing."""
    if isinstance(answer, Several):
        if answer.card is None or _kept(bench, answer.card):
            bench.make(dict(answer.changes))
    elif isinstance(answer, ModelFile):
        _take_model_file(bench, answer.path)
    elif answer is not None:
        bench.set_value(field, None if answer == fields.UNSET else answer)


def _kept(bench: Bench, card: OwnCard) -> bool:
    """Keep a card in the person's own catalog, and read the catalog anew; False, and the reason said, where it cannot be."""
    from catalog.loading import reload

    try:
        path = own_card.keep(card)
    except own_card.CardError as problem:
        bench.complain("This card was not kept", str(problem))
        return False
    bench.sizeup.catalog = reload()
    wrong = [line for line in bench.sizeup.catalog.problems if str(path) in line]
    if wrong:
        path.unlink(missing_ok=True)
        bench.sizeup.catalog = reload()
        bench.complain("This card was not kept", wrong[0])
    return not wrong


def _take_model_file(bench: Bench, path: str) -> None:
    """Size the model of a file; one that cannot be read changes nothing and says why, in full."""
    try:
        change(bench.sizeup.store.scenario, {"model.config": path}, bench.sizeup.catalog)
    except ScenarioError as error:
        bench.complain("This is no model file", printable(error.reason))
    else:
        bench.make({"model.config": path})
