"""What stands around the code: one version, links that lead somewhere, hooks and steps that say no."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped] # as where the app reads it

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    broken = [
        goal
        for goal in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
        if "://" not in goal and not (page.parent / goal).exists()
    ]
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    if page.name == "CHANGELOG.md":
        return  # it tells of files that are gone
    named = re.findall(
        r"`((?:engine|catalog|tui|tests|scripts|docs|examples)/[\w./-]*\w)`", page.read_text(encoding="utf-8")
    )
    assert not [name for name in named if "ID" not in name and not (ROOT / name).exists()]


def test_the_readme_is_one_that_people_read() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 200


SPEEDS = (
    ("time per token, dense", "serving-speed", ("dense time per token {}", "Of tables with one vote: dense {}")),
    ("time per token, MoE", "serving-speed", ("MoE {}",)),
    ("first token, low load; under load", "serving-speed", ("first token {}", "under load {}")),
    ("maximum throughput; at a load", "serving-speed", ("maximum throughput {}", "at a load {}")),
)
"""Rows of the README's table of errors that no script writes, and how their page says each figure."""


@pytest.mark.parametrize(("row", "page", "says"), SPEEDS, ids=[row for row, *_ in SPEEDS])
def test_the_readme_repeats_the_errors_of_its_page(row: str, page: str, says: tuple[str, ...]) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    told = re.search(rf"^\| {row} \|[^|]*\|([^|]*)\|", readme, re.MULTILINE)
    assert told is not None
    figures = re.findall(r"\d+(?:\.\d+)? / \d+(?:\.\d+)?", told[1])
    text = " ".join((ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8").split())
    assert [
        words.format(each) for words, each in zip(says, figures, strict=True) if words.format(each) not in text
    ] == []


def test_every_page_of_the_docs_is_found_from_the_readme() -> None:
    linked = set(re.findall(r"\((docs/[\w-]+\.md)\)", (ROOT / "README.md").read_text(encoding="utf-8")))
    linked |= set(re.findall(r"\((docs/[\w-]+\.md)\)", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    assert {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} <= linked


def test_the_version_stands_in_one_place() -> None:
    version = PROJECT["version"]
    made = subprocess.run([ROOT / "scripts" / "version"], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == version
    quoting = [
        path
        for package in ("engine", "catalog", "tui", "scripts")
        for path in (ROOT / package).rglob("*.py")
        if re.search(rf"""["']{re.escape(version)}["']""", path.read_text(encoding="utf-8"))
    ]
    assert not quoting


@pytest.mark.parametrize(
    ("tag", "changelog", "problem"),
    [
        ("v1.2.0", "## 1.2.0 (2026-12-01)\n", ""),
        ("v1.2.0", "## Unreleased\n", "CHANGELOG.md has no section '## 1.2.0'"),
        ("v1.2.1", "## 1.2.1\n", "would be v1.2.0"),
        ("1.2.0", "## 1.2.0\n", "would be v1.2.0"),
    ],
)
def test_a_tag_is_that_of_the_version_and_told_in_the_changelog(tag: str, changelog: str, problem: str) -> None:
    found = runpy.run_path(str(ROOT / "scripts" / "version"))["problem_of"](tag, "1.2.0", changelog)
    assert problem in found
    assert bool(problem) == bool(found)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("A card is added\n\nWhy.\n", 0),
        ("A card is added\n", 0),
        ("# a comment\nA card is added\n", 0),
        (f"{'x' * 73}\n", 1),
        (f"{'x' * 72}\n", 0),
        ("A card is added\nand its price\n", 1),
    ],
)
def test_the_hook_of_messages_says_no_to_a_subject_that_no_log_shows(tmp_path: Path, message: str, code: int) -> None:
    written = tmp_path / "message"
    written.write_text(message)
    done = subprocess.run(["sh", ROOT / ".githooks" / "commit-msg", written], capture_output=True, check=False)
    assert done.returncode == code


def test_a_step_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "check", tmp_path / "scripts" / "check")
    script = tmp_path / "scripts" / "check"
    without = subprocess.run(["sh", script, "lint"], capture_output=True, text=True, check=False)
    assert (without.returncode, "scripts/setup dev" in without.stderr) == (1, True)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    shutil.copy("/bin/sh", tmp_path / ".venv" / "bin" / "python")
    wrong = subprocess.run(["sh", script, "everything"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, "there are lint, docs, tests, wheel" in wrong.stderr) == (2, True)


def test_the_hosted_run_is_the_run_at_home() -> None:
    hosted = yaml.safe_load((ROOT / ".github" / "workflows" / "check.yml").read_text(encoding="utf-8"))
    steps = hosted["jobs"]["check"]["steps"]
    assert "bash .ci/run" in [step.get("run") for step in steps]
    local = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "scripts/check lint docs wheel" in local
    assert hosted["jobs"]["check"]["strategy"]["matrix"]["python"][0] in PROJECT["requires-python"]


def test_the_licence_that_is_declared_is_there() -> None:
    assert PROJECT["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")
