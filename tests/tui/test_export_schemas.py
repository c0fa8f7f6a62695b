"""Files for trainers against what their releases read, from their sources (scripts/read_schemas.py): keys and words.

Axolotl 0.13.2 and 0.19.0, LLaMA-Factory 0.9.4 and 0.9.5 with transformers 4.57.1, Accelerate 1.12.0 and 1.15.0, DeepSpeed 0.18.9
and 0.19.8, torchtitan 0.2.1, whose job files 0.3 no longer reads, TRL 1.16.0, Unsloth 2026.10.9, verl 0.9.1, OpenRLHF 0.11.2,
torchtune 0.6.1, Megatron-Bridge 0.3.1 (model keys are Megatron-Core's, those that its recipes set).
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tui import exported
from tests.tui.test_export import EVERY, OTHER_RUNS, golden, other_run
from tui.shell.exports import Target, export, fitting

SCHEMAS: dict[str, dict[str, list[str] | None]] = {
    path.stem: json.loads(path.read_text()) for path in sorted((exported.FACTS / "schemas").glob("*.json"))
}
COMMANDS: tuple[Target, ...] = ("nemo", "openrlhf", "torchtune", "verl")
TARGETS: tuple[Target, ...] = (
    "accelerate", "axolotl", "deepspeed", "llamafactory", "torchtitan", "trl", "unsloth", *COMMANDS,
)  # fmt: skip
OURS = {"_comment", "--nnodes", "--nproc-per-node", "--rdzv-backend", "--rdzv-endpoint", "--module", "--hostfile"}
"""What DeepSpeed does not read, and says so on top; and what starts a command, of torchrun and deepspeed."""
CORE = {"optimizer.optimizer_cpu_offload", "ddp.use_megatron_fsdp"}
CORE |= {"checkpoint.pretrained_checkpoint", "checkpoint.ckpt_format"}
"""Of Megatron-Core's OptimizerConfig and DistributedDataParallelConfig, which Megatron-Bridge's inherit, and of its CheckpointConfig."""
FLAGS = {"--recipe", "--dataset", "--hf_path", "--packed_sequence", "--config"}
"""Of run_recipe.py, which stands beside Megatron-Bridge's wheel, and of `tune run`."""


def read(text: str, target: Target) -> dict[str, Any]:
    if target == "deepspeed":
        made: dict[str, Any] = json.loads(text)
    elif target == "torchtitan":
        made = tomllib.loads(text)
    elif target in COMMANDS:
        made = exported.settings(text)
    else:
        (made,) = exported.documents(text)
    return made


def leaves(table: dict[str, Any], known: dict[str, list[str] | None], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The keys of a file as a schema has them; a table that it does not open is one value."""
    for key, value in table.items():
        dotted = prefix + key
        if isinstance(value, dict) and any(name.startswith(f"{key}.") for name in known):
            yield from leaves(value, known, f"{key}.")
        else:
            yield dotted, value


@pytest.mark.parametrize("release", SCHEMAS)
def test_every_key_of_every_file_is_read_by_the_release(release: str) -> None:
    target, known, files = release.partition("-")[0], SCHEMAS[release], 0
    others = [(name, other) for name in OTHER_RUNS for other in fitting(other_run(name))]
    for name, other in (*EVERY, *others):
        if other != target:
            continue
        files += 1
        sizing = other_run(name) if name in OTHER_RUNS else golden(name)
        for key, value in leaves(read(export(sizing, other), other), known):
            if key in OURS | FLAGS:
                if key in ("--recipe", "--config") and "YOUR_" not in str(value):
                    assert value in known, (release, name, value)
                continue
            assert key in known or (target == "nemo" and key in CORE), (release, name, key)
            allowed = known.get(key)
            if allowed and isinstance(value, str):
                assert value in allowed, (release, name, key, value)
    assert files >= 2, release


def test_each_target_is_held() -> None:
    assert {release.partition("-")[0] for release in SCHEMAS} == set(TARGETS)
    page = Path("docs/exports.md").read_text()
    for release in SCHEMAS:
        assert release.partition("-")[2] in page, release
