"""Commands against the parsers of released servers, read from their sources (scripts/read_flags.py): flags, words, switches.

vLLM 0.11.0, 0.25.1 (which exports are written for) and 0.33.0, SGLang 0.5.9 and 0.5.23 from their wheels; llama.cpp at commit
0c1e57098 from the sources of llama-cpp-python 0.3.36; trtllm-serve from tensorrt_llm/commands/serve.py at commit 00209af.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tui import exported
from tests.tui.test_export import EVERY, golden
from tui.paste.flags import BY_CHECKPOINT, OPTIONS, QUANTIZED, READ_APART, paired
from tui.paste.switches import stands_alone
from tui.shell.exports import Target, export, kind_of

Words = dict[str, list[str] | None]
PARSERS: dict[str, Words] = {
    path.stem: json.loads(path.read_text()) for path in sorted((exported.FACTS / "parsers").glob("*.json"))
}
ENGINES = {"vllm": "vllm", "sglang": "sglang", "llama-server": "llama.cpp", "trtllm-serve": "trtllm"}
ABBREVIATED = {"--tp", "--pp", "--dp", "--ep"}
"""What people type of SGLang's sizes: argparse takes the beginning of a long flag."""
GONE: dict[str, set[tuple[str, str | None]]] = {
    "vllm-0.33.0": {("--quantization", "bitsandbytes")},
    "vllm-0.11.0": {(flag, None) for flag in ("--nnodes", "--node-rank", "--master-addr", "--master-port")},
}
"""What exports say that a release does not take: notes on top and docs/exports.md name it."""


def parsers_of(tool: str) -> dict[str, Words]:
    found = {name: words for name, words in PARSERS.items() if name.startswith(f"{tool}-")}
    assert found, tool
    return found


def commands(name: str, target: Target) -> list[tuple[str, dict[str, str]]]:
    """Each start of a server in an export, with its options."""
    text = export(golden(name), target)
    ending = kind_of(target).ending
    if ending != "sh":
        return [one for document in exported.documents(text) for one in _inside(document)]
    found = filter(None, map(exported.starts, exported.commands(text)))
    return [(tool, exported.options(words)) for tool, words in found]


def _inside(part: object) -> list[tuple[str, dict[str, str]]]:
    """The same of a document: lists of words anywhere in it."""
    if isinstance(part, list) and part and all(isinstance(word, str) for word in part):
        begun = exported.starts(part)
        return [] if begun is None else [(begun[0], exported.options(begun[1]))]
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return [one for each in inner for one in _inside(each)]


SERVED = [(name, target) for name, target in EVERY if kind_of(target).ending in ("sh", "yaml")]


def test_every_flag_of_every_export_is_taken_with_its_word_by_each_release() -> None:
    seen: dict[str, set[str]] = {tool: set() for tool in ENGINES}
    for name, target in SERVED:
        for tool, options in commands(name, target):
            if tool not in ENGINES:
                continue
            seen[tool] |= options.keys()
            for release, words in parsers_of(tool).items():
                for flag, value in options.items():
                    gone = GONE.get(release, set())
                    if (flag, value) in gone or (flag, None) in gone:
                        continue
                    assert flag in words, (release, name, target, flag)
                    allowed = words[flag]
                    if allowed:
                        assert value in allowed, (release, name, target, flag, value)
                    elif allowed == []:
                        assert value == "", (release, name, target, flag, value)
    for tool, least in {"vllm": 14, "sglang": 12, "llama-server": 10, "trtllm-serve": 8}.items():
        assert len(seen[tool]) >= least, tool


@pytest.mark.parametrize("release", [name for name in PARSERS if name.startswith("vllm")])
def test_a_draft_is_one_that_vllm_knows(release: str) -> None:
    words, found = PARSERS[release], 0
    for name, target in SERVED:
        for tool, options in commands(name, target):
            if tool == "vllm" and "--speculative-config" in options:
                said = json.loads(options["--speculative-config"])
                assert {f"speculative-config.{key}" for key in said} <= words.keys()
                methods = words["speculative-config.method"]
                assert methods is not None
                if not (release == "vllm-0.11.0" and said["method"] == "dflash"):
                    assert said["method"] in methods, (release, name)
                found += 1
    assert found


@pytest.mark.parametrize("tool", ENGINES)
def test_what_is_read_of_a_command_is_a_flag_of_some_release(tool: str) -> None:
    known = {flag for words in parsers_of(tool).values() for flag in words}
    known |= {flag.replace("_", "-") for flag in known}
    engine = ENGINES[tool]
    for flag in {*OPTIONS[engine], *READ_APART[engine]}:
        if flag in ABBREVIATED:
            assert any(one.startswith(flag) for one in known), flag
        else:
            assert flag in known, flag


@pytest.mark.parametrize("release", PARSERS)
def test_an_option_takes_its_value_and_nothing_else(release: str) -> None:
    tool = release.rpartition("-2026")[0] or release.rpartition("-")[0]
    engine = ENGINES[tool]
    for flag, words in PARSERS[release].items():
        if not flag.startswith("-"):
            continue
        flag = flag if tool != "trtllm-serve" else flag.replace("_", "-")  # as `paired` has it
        option = OPTIONS[engine].get(flag)
        alone = stands_alone(flag) or (option is not None and not option.takes)
        assert alone == (words == []), flag
        rest, found = paired([flag, "a/model"], engine)
        assert (rest, found[0][1]) == ((["a/model"], None) if words == [] else ([], "a/model")), flag


def test_every_word_of_a_quantization_is_read_or_told() -> None:
    for release, words in PARSERS.items():
        if not release.startswith(("vllm", "sglang")):
            continue
        allowed = words["--quantization"]
        assert allowed
        read = set(allowed) & {*QUANTIZED, *BY_CHECKPOINT}
        assert len(read) >= 0.5 * len(allowed), release
    every = {word for words in PARSERS.values() for word in words.get("--quantization") or ()}
    assert {*QUANTIZED} - {word.replace("_", "-") for word in every} - every <= {"w8a8_int8"}


def test_the_files_say_what_docs_say() -> None:
    page = Path("docs/exports.md").read_text()
    for release in PARSERS:
        tool, _, version = release.partition("-") if not release.startswith(("llama", "trtllm")) else ("", "", "")
        if tool:
            assert version in page, release
