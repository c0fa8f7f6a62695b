"""Cards whose arithmetic nobody publishes: what a report, a recommendation and a catalog file of one's own make of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.cli import main


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    main(list(arguments))
    return " ".join(capsys.readouterr().out.split())


def test_a_report_says_what_stands_in_and_a_recommendation_whom_it_did_not_try(
    capsys: pytest.CaptureFixture[str],
) -> None:
    load = ("--model", "llama-3.1-8b", "--concurrency", "1")
    assert "has no 16-bit rate in the catalog" in said(
        capsys, "report", *load, "--gpus", "1", "--accelerator", "mi308x"
    )
    found = said(capsys, "recommend", *load, "--vendor", "amd")
    assert "Not tried:" in found
    assert "MI308X" in found
    assert "tflops_bf16_dense" in found
    owned = said(capsys, "recommend", *load, "--owned", "mi308x")
    assert "Not tried:" not in owned


def test_a_rate_that_is_entered_ends_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "sizeup" / "catalog"
    folder.mkdir(parents=True)
    (folder / "mac.toml").write_text('[[accelerator]]\nid = "apple-m4-max-64gb"\ntflops_bf16_dense = 34.0\n')
    load = ("--model", "llama-3.1-8b", "--concurrency", "1", "--gpus", "1", "--accelerator", "apple-m4-max-64gb")
    assert "has no 16-bit rate" not in said(capsys, "report", *load)
