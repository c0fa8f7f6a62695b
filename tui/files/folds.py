"""Which fields stand in sight and which under a heading that opens. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase

from engine.decide.layouts import layout_words
from engine.figures.records import dataclass
from engine.scenario import Scenario
from engine.sizing import Sizing
from tui.files import fields
from tui.files.fields import Field


@dataclass(frozen=True, slots=True)
class Fold:
    """A heading that opens. keys: the fields under it beside those of `section`; told: those whose value it always says."""

    name: str
    keys: tuple[str, ...] = ()
    section: str = ""
    told: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What stands for it among the keys of fields."""
        return f"fold:{self.name}"


FOLDS: tuple[Fold, ...] = (
    Fold("KV cache, MTP", ("model.kv_cache", "model.mtp"), told=("model.kv_cache",)),
    Fold(
        "Links, platform",
        (
            "hardware.second_accelerator",
            "hardware.second_gpus",
            "hardware.intra_link",
            "hardware.inter_link",
            "hardware.platform",
            "hardware.power_limit_w",
        ),
        told=("hardware.intra_link", "hardware.inter_link"),
    ),
    Fold(
        "More of load",
        (
            "workload.requests_per_s",
            "workload.requests",
            "workload.output_spread",
            "workload.ttft_target_at",
            "workload.tokens_per_s_user_target_at",
            "workload.cached_share",
            "workload.cached_by",
            "workload.dataset_tokens",
            "workload.epochs",
        ),
    ),
    Fold(
        "Batch, adapters",
        (
            "workload.global_batch_tokens",
            "workload.gradient_accumulation",
            "workload.lora_rank",
            "workload.lora_targets",
            "workload.base_format",
        ),
        told=("workload.base_format",),
    ),
    Fold(
        "Memory of a step",
        (
            "workload.master_weights",
            "workload.sharding",
            "workload.recompute",
            "workload.loss",
            "workload.offload",
            "workload.software",
        ),
        told=("workload.sharding", "workload.recompute"),
    ),
    Fold("Preferences", section="PREFERENCES AND REWARDS"),
    Fold("Layout", section="LAYOUT"),
    Fold("Training detail", section="TRAINING IN DETAIL"),
    Fold("Engine", section="RUNTIME", told=("runtime.engine",)),
    Fold("Money, limits", section="MONEY AND LIMITS"),
    Fold("Title, notes", section="SESSION", told=("title",)),
)
"""In the order of the form. A field of none of them is always in sight: those that decide."""
BY_KEY: dict[str, Fold] = {fold.key: fold for fold in FOLDS}
ALWAYS = frozenset({"workload.deadline_days"})
"""Fields in sight although their section folds: a run is asked for by its end."""
_OF: dict[str, Fold] = {key: fold for fold in FOLDS for key in fold.keys}
_SECTIONS: dict[str, Fold] = {fold.section: fold for fold in FOLDS if fold.section}
LAYOUT = "Layout"
BASE = "workload.base_format"
"""Told where the base is packed: runs by preferences and rewards may train every weight instead."""
USUAL = "as usual"


def fold_of(field: Field) -> Fold | None:
    """The heading that a field stands under; None for one that is always in sight."""
    if field.key in ALWAYS:
        return None
    return _OF.get(field.key) or _SECTIONS.get(field.section)


IN_SIGHT = ""
"""What `grouped` keeps the fields by that stand under no heading."""


def grouped(shown: Sequence[Field]) -> dict[str, list[Field]]:
    """Fields by the key of the heading that they stand under, in the order of the screen: those in sight come first."""
    found: dict[str, list[Field]] = {IN_SIGHT: [], **{fold.key: [] for fold in FOLDS}}
    for field in shown:
        fold = fold_of(field)
        found[IN_SIGHT if fold is None else fold.key].append(field)
    return found


def ordered(shown: Sequence[Field]) -> list[Field]:
    """Fields as they stand on the screen: those in sight, then those of each heading."""
    return [field for found in grouped(shown).values() for field in found]


def head_of(key: str, shown: Sequence[Field]) -> str:
    """The heading that a field stands under, else the first field in sight of its section; of a heading itself."""
    if key in BY_KEY:
        return key
    field = fields.BY_KEY[key]
    fold = fold_of(field)
    return fold.key if fold is not None else next(one.key for one in shown if one.section == field.section)


def letters(stops: Sequence[str], shown: Sequence[Field]) -> dict[str, str]:
    """A letter for each field in sight and each heading, of its own name where one is free, and where it leads.

    Letters that begin a word of the name come first; where all are taken the last stops have none.
    """
    labels = {field.key: field.label for field in shown}
    found: dict[str, str] = {}
    for key in stops:
        name = (BY_KEY[key].name if key in BY_KEY else labels.get(key, "")).casefold()
        wanted = [word[0] for word in name.split()] + [*name, *ascii_lowercase]
        letter = next((one for one in wanted if one in ascii_lowercase and one not in found), "")
        if letter:
            found[letter] = key
    return found


def told(fold: Fold, inside: Sequence[Field], scenario: Scenario, sizing: Sizing | None) -> str:
    """What is inside, in a few words: what decides, then whatever is not at its default."""
    words = []
    if fold.name == LAYOUT and sizing is not None:
        pinned = any(not fields.is_default(scenario, field) for field in inside)
        words.append(f"{'' if pinned else 'auto: '}{layout_words(sizing.layout)}")
    else:
        for field in inside:
            value = fields.text_of(scenario, field)
            if field.key in fold.told and (field.key != BASE or scenario.workload.trains == "qlora"):
                words.append(fields.chosen_by_auto(sizing, field) or value)
            elif not fields.is_default(scenario, field) and value and fields.current(scenario, field) is not None:
                words.append(f"{field.label} {value}")
    return ", ".join(word for word in words if word) or USUAL
