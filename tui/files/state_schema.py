"""What the program's own files of a person may hold: pydantic models with limits.

Imported only where such a file is: pydantic costs 90 ms, and a start without any needs it for nothing.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, InstanceOf, RootModel, ValidationError

from catalog.boundary import Boundary
from catalog.schema import explain, first_error

PATH_BYTES = 4096  # PATH_MAX
MOST_LISTED = 1000
"""Names in a recent list: it is written with 20."""

Model = TypeVar("Model", bound=BaseModel)


def _no_longer_than_a_path(name: str) -> str:
    if len(name) > PATH_BYTES:
        raise ValueError(f"up to {PATH_BYTES:,} characters")
    return name


# A name that is not UTF-8 has lone surrogates in Python, which pydantic's own str refuses.
_FileName = Annotated[InstanceOf[str], AfterValidator(_no_longer_than_a_path)]
_Short = Annotated[str, Field(max_length=255)]
_Uri = Annotated[str, Field(max_length=3 * PATH_BYTES + len("file://"), pattern=r"\A(?:file:///.*)?\z")]


class SettingsFile(Boundary):
    """settings.json. Keys of a later version are passed by: a choice is no damage."""

    model_config = ConfigDict(extra="ignore")

    theme: Annotated[str, Field(max_length=40)] = ""


class RecentList(RootModel[Annotated[list[_FileName], Field(max_length=MOST_LISTED)]]):
    """recent.json: the names of sessions, latest first."""

    model_config = ConfigDict(strict=True, frozen=True)


class HeaderLine(Boundary):
    """The first line of a recovery file, after its words; `recovery.Header` says what the keys are."""

    host: _Short
    pid: Annotated[int, Field(gt=0, lt=2**31)]
    boot: _Short = ""
    space: _Short = ""
    started: Annotated[int, Field(ge=0, lt=2**63)] = 0
    path: _Uri = ""
    folder: _Uri = ""
    stamp: Annotated[str, Field(pattern=r"\A(?:[0-9a-f]{64}|missing)?\z")] = ""


def checked(model: type[Model], raw: Any) -> Model:
    """The model of plain data. Raises ValueError saying in one line what is wrong."""
    try:
        return model.model_validate(raw)
    except ValidationError as problem:
        key, reason = explain(first_error(problem), model.model_fields)
        raise ValueError(f"{key}: {reason}" if key else reason) from None
