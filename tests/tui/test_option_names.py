"""What people write as keys and engines take as options: said where a session has another key for it, or none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.figures.errors import ScenarioError
from engine.scenario.fields import BY_KEY, field_of
from engine.scenario.fields.options import NOT_MODELLED, WRITTEN
from tui.cli import main

PARSERS = Path(__file__).parent / "export_facts" / "parsers"
SESSION = """schema = 1
[model]
id = "qwen3-30b-a3b"
weights = "int4-awq"
[hardware]
accelerator = "rtx-5090"
[runtime]
{key} = 4
"""


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("swap_space", "runtime.swap_space: not modelled: nothing is sized by it"),
        ("kv_transfer_config", "runtime.kv_transfer_config: not modelled"),
        ("hicache_ratio", "runtime.hicache_ratio: not modelled"),
        ("flash_attn", "runtime.flash_attn: not modelled"),
        ("tensor_split", "runtime.tensor_split: not modelled"),
        ("tensor_parallel_size", "runtime.tensor_parallel_size: not a key here; layout.tp says it"),
        ("gpu_memory_utilization", "not a key here; runtime.memory_utilization says it"),
        ("enforce_eager", "not a key here; runtime.cuda_graphs says it"),
        ("ctx_size", "not a key here; runtime.max_model_len says it"),
        ("max_num_seq", "unknown key; the nearest known one is runtime.max_num_seqs"),
    ],
)
def test_an_option_of_an_engine_is_known_by_its_name(
    key: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my.toml").write_text(SESSION.format(key=key), encoding="utf-8")
    assert main(["report", str(tmp_path / "my.toml")]) == 2
    assert said in capsys.readouterr().err
    assert main(["report", "--model", "qwen3-8b", "--accelerator", "l4", "--set", f"runtime.{key}=4"]) == 2
    assert said.partition(";")[0].rpartition(": ")[2] in capsys.readouterr().err


def test_what_is_pointed_to_is_a_key_and_no_key_is_called_otherwise() -> None:
    assert set(WRITTEN.values()) <= set(BY_KEY)
    names = {field.name for field in BY_KEY.values()}
    assert not names & (set(WRITTEN) | NOT_MODELLED)
    assert not set(WRITTEN) & NOT_MODELLED
    for name in (*WRITTEN, *NOT_MODELLED):
        with pytest.raises(ScenarioError, match=r"not modelled|not a key here"):
            field_of(f"runtime.{name}")


def test_names_are_those_of_released_parsers() -> None:
    flags = {
        flag.lstrip("-").replace("-", "_")
        for path in PARSERS.glob("*.json")
        for flag in json.loads(path.read_text(encoding="utf-8"))
    }
    strange = NOT_MODELLED - flags
    assert len(strange) < len(NOT_MODELLED) / 5, sorted(strange)
