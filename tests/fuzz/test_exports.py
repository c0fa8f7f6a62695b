"""A short round of the exports in the suite, and the shapes that once ran what a session said."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.fuzz import _cli, _hostile, after, exports


def test_nothing_but_the_tools_runs() -> None:
    counts = exports.run(1, after(60))
    assert counts["cases"] == 60
    assert counts["sized"] > 3
    assert counts["commands"] > 3


@pytest.mark.parametrize("target", exports.SERVING)
def test_a_folder_of_two_lines_is_a_name_and_no_command(target: str, tmp_path: Path) -> None:
    place = tmp_path / "a\ncanary\n#"
    place.mkdir()
    shutil.copy(_hostile.config_of("llama-3.2-1b"), place / "config.json")
    session = place / "x.toml"
    session.write_text(
        'schema = 1\n[model]\nconfig = "config.json"\nweights = "bf16"\n[hardware]\naccelerator = "h100-sxm"\n'
    )
    ran = _cli.run("export", str(session), "--to", target)
    assert ran.code in (0, 3), ran.err
    if target in exports.SHELL:
        exports.in_shell(ran.out, tmp_path, "a folder of two lines")
    assert "\ncanary" not in ran.out


def test_an_id_of_two_lines_is_refused(tmp_path: Path) -> None:
    session = tmp_path / "x.toml"
    session.write_text(
        f'schema = 1\n[model]\nid = "a\\ncanary"\nconfig = "{_hostile.config_of("llama-3.2-1b")}"\n'
        '[hardware]\naccelerator = "h100-sxm"\n'
    )
    ran = _cli.run("export", str(session), "--to", "vllm")
    assert ran.code == 2
    assert "model.id: 'a\\ncanary' is not accepted; allowed: printable characters" in ran.err


def test_a_manifest_of_a_model_without_an_id_has_a_name(tmp_path: Path) -> None:
    place = tmp_path / "7B_模型.v2"
    place.mkdir()
    shutil.copy(_hostile.config_of("llama-3.2-1b"), place / "config.json")
    ran = _cli.run("export", "--to", "lws", "--model", str(place / "config.json"), "--accelerator", "h100-sxm")
    assert ran.code == 0, ran.err
    assert "  name: model-7b-v2\n" in ran.out
