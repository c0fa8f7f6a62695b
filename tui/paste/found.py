"""What a pasted text says: keys of a session, what had to be assumed for them, and what was not understood."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from typing import Any

from engine.figures.records import dataclass

LONGEST_BYTES = 2**18
"""Of a pasted text: a manifest of a hundred services is a third of that."""
MOST_WORDS = 4000


OF_ENGINES = ("VLLM_", "SGLANG_", "NCCL_", "RCCL_", "TRTLLM_", "LLAMA_ARG_", "OLLAMA_")
"""How variables begin that engines and NCCL read."""
PLACES = (
    "NCCL_DEBUG", "NCCL_SOCKET_IFNAME", "NCCL_IB_DISABLE", "NCCL_IB_HCA", "NCCL_IB_GID_INDEX", "NCCL_IB_TC", "NCCL_IB_TIMEOUT",
    "VLLM_API_KEY", "VLLM_HOST_IP", "VLLM_PORT", "VLLM_LOGGING_LEVEL", "VLLM_CACHE_ROOT", "LLAMA_ARG_HOST", "LLAMA_ARG_PORT",
    "OLLAMA_HOST", "OLLAMA_MODELS", "OLLAMA_ORIGINS", "OLLAMA_DEBUG", "OLLAMA_KEEP_ALIVE",
)  # fmt: skip
"""Of those, which say where things are and what is logged."""


class CannotRead(ValueError):
    """A text that says nothing of a build; the message says what was looked for."""


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that was understood: the words of the text, and the key of the session that they mean."""

    words: str
    key: str
    value: Any


@dataclass(slots=True)
class Found:
    """What a text says, gathered by its readers.

    understood: in the text's order. assumed: sentences. unknown: words that no reader knows. strangers: listed cards that the
    catalog does not know. passed: words that change
    nothing that is sized. gpus: cards of one node that the text asks for, where it says so. ranks: GPUs that its layout takes.
    """

    understood: list[Said] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    model: str = ""
    gpus: int | None = None
    nodes: int | None = None

    def say(self, words: str, key: str, value: Any) -> None:
        """Take a key of the session from the text; the last of several counts."""
        self.understood = [one for one in self.understood if one.key != key]
        self.understood.append(Said(words, key, value))

    def nodes_said(self, words: str, count: int) -> None:
        """Take the number of nodes from the text."""
        self.nodes = count
        self.say(words, "hardware.nodes", count)

    def variables(self, names: Iterable[str]) -> None:
        """List variables of an environment by name; their values may be secrets. Those of engines may change what is sized."""
        for name in names:
            listed = self.unknown if name.startswith(OF_ENGINES) and name not in PLACES else self.passed
            listed.append(f"variable {name}")

    def value(self, key: str) -> Any:
        """What the text says of a key; None where it says nothing."""
        return next((one.value for one in self.understood if one.key == key), None)

    @property
    def changes(self) -> dict[str, Any]:
        """The keys that the text sets."""
        return {one.key: one.value for one in self.understood if one.key}

    @property
    def empty(self) -> bool:
        """Whether nothing was understood."""
        return not (self.understood or self.model)
