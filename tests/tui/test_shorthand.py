"""What people type for a build: counts, cards, models and formats in a few words, on the command line as in the pickers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import catalog
from engine.parts.hardware import Accelerator
from tests.tui.commands import Ran, Run
from tui.files import shorthand
from tui.files.shorthand import Wanted, boxes, build, cards, models


@pytest.mark.parametrize(
    ("text", "count", "query"),
    [
        ("2x 4090", 2, "4090"),
        ("2 4090", 2, "4090"),
        ("4090 x2", 2, "4090"),
        ("4090x2", 2, "4090"),
        ("8 h100", 8, "h100"),
        ("8xH100-SXM", 8, "H100-SXM"),
        ("8 × RTX PRO 6000", 8, "RTX PRO 6000"),
        ("8x NVIDIA H100 80GB HBM3", 8, "NVIDIA H100 80GB HBM3"),
        ("4 gpus of l40s", 4, "l40s"),
        ("2x 3090 ti", 2, "3090 ti"),
        ("mi300x x8", 8, "mi300x"),
        ("mi300x", None, "mi300x"),
        ("96 GB", None, "96 GB"),
        ("48gb 4090", None, "48gb 4090"),
        ("6000 ada", None, "6000 ada"),
        ("rtx-4090", None, "rtx-4090"),
        ("", None, ""),
    ],
)
def test_a_number_is_a_count_unless_it_has_a_unit(text: str, count: int | None, query: str) -> None:
    assert boxes(text) == (None, " ".join(text.split()))
    assert cards(text) == (count, query)


@pytest.mark.parametrize("text", ["2x8 h100", "2 x 8x h100", "2 nodes of 8 h100", "2 boxes with 8x h100"])
def test_two_numbers_are_boxes_and_cards(text: str) -> None:
    nodes, rest = boxes(text)
    assert (nodes, *cards(rest)) == (2, 8, "h100")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("llama 70b", Wanted("llama 70b")),
        ("70b q4", Wanted("70b", "gguf-q4_k_m")),
        ("405 for 20", Wanted("405", users=20)),
        ("405b for 20 people on 8 h100", Wanted("405b", users=20, cards="8 h100")),
        ("qwen3-8b on 1x 3090 for 4", Wanted("qwen3-8b", users=4, cards="1x 3090")),
        ("8b for 2 users qlora on 4090", Wanted("8b", kind="qlora", users=2, cards="4090")),
        ("8b on 4090 dpo", Wanted("8b", kind="dpo", cards="4090")),
        ("70b on 2x 4090 at q4", Wanted("70b", "gguf-q4_k_m", cards="2x 4090")),
        ("8b on 1x 5090 llama.cpp", Wanted("8b", cards="1x 5090", engine="llama.cpp")),
        ("8b with ollama on 1x 5090", Wanted("8b", cards="1x 5090", engine="llama.cpp")),
        ("8b on h100 using tensorrt-llm for 3", Wanted("8b", users=3, cards="h100", engine="trtllm")),
        ("8b on h100 trt-llm", Wanted("8b", cards="h100", engine="trtllm")),
        ("8b on h100 vLLM", Wanted("8b", cards="h100", engine="vllm")),
        ("8b on h100 sglang", Wanted("8b", cards="h100", engine="sglang")),
        ("8b on m4 max mlx", Wanted("8b", cards="m4 max", engine="mlx")),
        ("8b vllm on h100 sglang", Wanted("8b vllm", cards="h100 sglang")),
        ("8b QLoRA on 1x 4090", Wanted("8b", kind="qlora", cards="1x 4090")),
        ("70b full on 2x8 h200", Wanted("70b", kind="full-finetune", cards="2x8 h200")),
        ("70b lora qlora", Wanted("70b lora qlora")),
        ("lora", Wanted("lora")),
        ("", Wanted("")),
    ],
)
def test_a_build_in_a_few_words(text: str, wanted: Wanted) -> None:
    assert build(text) == wanted
    assert build(text).says_more == (wanted != Wanted(wanted.model))


@pytest.mark.parametrize("card", catalog.load().facts.accelerators, ids=lambda card: card.id)
def test_no_card_of_the_catalog_is_taken_for_a_count_and_each_is_found_behind_one(card: Accelerator) -> None:
    for name in (card.id, card.name):
        assert boxes(name)[0] is None
        assert cards(name)[0] is None
        assert cards(f"4x {name}") == (4, name)
    assert shorthand.card_ids(card.id) == (card.id,)


@pytest.mark.parametrize("entry", catalog.load().models, ids=lambda entry: entry.id)
def test_every_model_is_found_by_its_id_with_a_format_behind_it(entry: catalog.ModelEntry) -> None:
    assert models(f"{entry.id} q4") == (entry.id, "gguf-q4_k_m")
    assert shorthand.model_ids(entry.id) == (entry.id,)


@pytest.mark.parametrize(
    ("text", "query", "weights"),
    [
        ("70b q4", "70b", "gguf-q4_k_m"),
        ("qwen3 32b awq", "qwen3 32b", "int4-awq"),
        ("405b at fp8", "405b", "fp8"),
        ("llama3.1 70b 4-bit", "llama3.1 70b", "int4"),
        ("70b Q5_K_M", "70b", "gguf-q5_k_m"),
        ("Qwen/Qwen3-32B-FP8", "Qwen/Qwen3-32B-FP8", None),
        ("70b fp8 q4", "70b fp8 q4", None),
        ("fp8", "fp8", None),
    ],
)
def test_a_format_is_read_beside_a_model(text: str, query: str, weights: str | None) -> None:
    assert models(text) == (query, weights)


def _built(ran: Ran) -> tuple[str, str, str, int, int]:
    data = json.loads(ran.out)
    hardware = data["hardware"]
    return (
        data["model"]["id"],
        data["model"]["weights"],
        hardware["accelerator"],
        hardware["gpus_per_node"],
        hardware["nodes"],
    )


@pytest.mark.parametrize(
    ("arguments", "built"),
    [
        (("--accelerator", "2x 5090"), ("llama-3.1-70b", "fp8", "rtx-5090", 2, 1)),
        (("--accelerator", "2x8 h200"), ("llama-3.1-70b", "fp8", "h200-sxm", 8, 2)),
        (("--model", "405b q4"), ("llama-3.1-405b", "gguf-q4_k_m", "rtx-pro-6000-server", 4, 1)),
        (("--model", "llama-3.1 70b q4", "--weights", "FP8"), ("llama-3.1-70b", "fp8", "rtx-pro-6000-server", 4, 1)),
        (("--weights", "q8"), ("llama-3.1-70b", "gguf-q8_0", "rtx-pro-6000-server", 4, 1)),
        (("405b", "fp8", "on", "8", "h200"), ("llama-3.1-405b", "fp8", "h200-sxm", 8, 1)),
        (("405b fp8 on 16 h200",), ("llama-3.1-405b", "fp8", "h200-sxm", 8, 2)),
    ],
)
def test_words_on_the_command_line(run: Run, arguments: tuple[str, ...], built: tuple[str, str, str, int, int]) -> None:
    assert _built(run("report", *arguments, "--format", "json")) == built


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--model", "70b q4"), "'70b' may be llama-3.1-70b, llama-3.3-70b, "),
        (("--model", "8b"), "may be llama-3.1-8b, "),
        (("--accelerator", "a6000x"), "nearest: rtx-a6000"),
        (("--accelerator", "2x blackwell"), "'blackwell' may be "),
        (("--accelerator", "2x 4090", "--gpus", "4"), "'2x 4090' says 2 and --gpus says 4; say one"),
        (("--accelerator", "2x8 h200", "--nodes", "4"), "says 2 and --nodes says 4; say one"),
        (("--accelerator", "401x h200"), "401 is too many"),
        (("70b", "on", "8", "h100"), "'70b' may be "),
    ],
)
def test_what_may_be_several_things_is_not_taken(run: Run, arguments: tuple[str, ...], words: str) -> None:
    ran = run("report", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err


def test_what_custom_takes_of_several_is_said(run: Run) -> None:
    assert "'h100' is taken as h100-sxm; also: h100-pcie, h100-nvl" in run("report", "--accelerator", "8 h100").err
    for name in ("h100-sxm", "NVIDIA H100 80GB HBM3", "8x NVIDIA H200"):
        assert run("report", "--accelerator", name).err == ""


def test_a_model_that_another_stands_in_for_is_said(run: Run) -> None:
    told = "glm-4.7 is sized as glm-4.6, whose architecture it has"
    assert told in run("report", "--model", "glm-4.7", "--accelerator", "4x h200-sxm").err
    for own in ("glm-4.6", "zai-org/GLM-4.6", "meta-llama/Llama-3.1-70B-Instruct"):
        assert "is sized as" not in run("report", "--model", own, "--accelerator", "8x h200-sxm").err


def test_a_file_of_such_a_name_stays_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["report", "70b", "on", "h100"]
    assert shorthand.spelled_out(words, ("report",)) == ["report", "--model", "70b", "--accelerator", "h100"]
    assert shorthand.spelled_out(["report", "70b on h100"], ("report",))[1:3] == ["--model", "70b"]
    (tmp_path / "on").write_text("")
    assert shorthand.spelled_out(words, ("report",)) == words
    os.unlink("on")
    for others in (["models", "on"], ["report", "on", "h100"], ["report", "--title", "a on b"], []):
        assert shorthand.spelled_out(others, ("report",)) == others


def test_cards_that_no_box_holds_together_are_so_many_boxes(run: Run) -> None:
    for words in ("2x gb10", "2 dgx spark", "2x1 gb10"):
        hardware = json.loads(run("report", "gpt-oss-120b on", words, "--format", "json").out)["hardware"]
        assert (hardware["gpus_per_node"], hardware["nodes"], hardware["accelerator"]) == (1, 2, "gb10")
    assert run("report", "gpt-oss-120b on 2x2 gb10").code == 2
    assert run("report", "gpt-oss-120b", "on", "gb10", "--gpus", "2").code == 2


def test_a_card_of_which_a_box_takes_fewer_brings_that_many(run: Run) -> None:
    hardware = json.loads(run("report", "--accelerator", "gb10", "--format", "json").out)["hardware"]
    assert hardware["gpus_per_node"] == 1


@pytest.mark.parametrize(
    ("words", "told", "meant"),
    [
        (("report", "70b", "fp8", "4", "h100"), "70b fp8 4 h100", "70b fp8 on 4 h100"),
        (("report", "70b fp8 4 h100"), "70b fp8 4 h100", "70b fp8 on 4 h100"),
        (("70b", "q4", "2x8", "a100"), "70b q4 2x8 a100", "70b q4 on 2x8 a100"),
        (("recommend", "llama", "4", "8", "h100", "--max-gpus", "8"), "llama 4 8 h100", "llama 4 on 8 h100"),
        (("parts", "405b", "for", "20", "8", "h100"), "405b for 20 8 h100", "405b for 20 on 8 h100"),
        (("report", "llama"), "llama", "llama on 8 h100"),
        (("report", "70b", "q4", "nope"), "70b q4 nope", "70b q4 on 2x 4090"),
    ],
)
def test_words_of_a_build_that_lack_on_are_answered_once_with_it(
    run: Run, words: tuple[str, ...], told: str, meant: str
) -> None:
    ran = run(*words)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert ran.err.startswith(f"sizeup: {told}: no such file; a build in words is MODEL on CARDS, such as: {meant} (")


def test_what_no_model_is_called_stays_a_file_that_is_missing(run: Run) -> None:
    for words in (("report", "none.toml"), ("report", "llama.toml"), ("report", "examples/70b.toml")):
        assert run(*words).err == f"sizeup: {words[1]}: no such file\n"


@pytest.mark.parametrize(
    ("words", "accelerator"),
    [
        ("1x a100-40", "a100-sxm4-40gb"),
        ("a100 40 pcie", "a100-pcie-40gb"),
        ("2x 4090 48", "rtx-4090-48gb"),
        ("m3 ultra 512", "apple-m3-ultra-512gb"),
        ("m3-ultra-512", "apple-m3-ultra-512gb"),
        ("m4 max 64", "apple-m4-max-64gb"),
        ("h20 141", "h20-141gb"),
        ("v100 16", "v100-sxm2-16gb"),
        ("h100 94", "h100-nvl"),
        ("strix halo 64", "strix-halo-64gb"),
        ("4060 ti 8", "rtx-4060-ti-8gb"),
        ("4060 ti 8gb", "rtx-4060-ti-8gb"),
        ("16 x V100", "v100-sxm2-32gb"),
        ("a100 x 40", "a100-sxm4-80gb"),
    ],
)
def test_a_bare_number_behind_a_card_is_its_memory_and_no_count(words: str, accelerator: str) -> None:
    _, query = cards(words)
    assert shorthand.card_ids(query) == (accelerator,)
    assert shorthand.unread(query, accelerator) == ()


def test_that_memory_is_sized(run: Run) -> None:
    for arguments in (("qwen3-32b on 1x a100-40",), ("--model", "qwen3-32b", "--accelerator", "1x a100-40")):
        hardware = json.loads(run("report", *arguments, "--concurrency", "1", "--format", "json").out)["hardware"]
        assert (hardware["accelerator"], hardware["gpus_per_node"]) == ("a100-sxm4-40gb", 1)


@pytest.mark.parametrize(
    ("words", "left"),
    [("1x 5090 banana", "banana"), ("2x 3090 nvlink", "nvlink"), ("4090 32", "32"), ("h100 banana nvl", "banana")],
)
def test_a_word_behind_the_card_that_says_nothing_is_refused_by_name(run: Run, words: str, left: str) -> None:
    for arguments in (("qwen3-8b on", words), ("--accelerator", words)):
        ran = run("report", *arguments)
        assert (ran.code, ran.out) == (2, "")
        assert f"is read, and not {left!r}" in ran.err


@pytest.mark.parametrize(
    "name",
    [
        "NVIDIA H100 80GB HBM3",
        "NVIDIA A100-SXM4-80GB",
        "AMD Instinct MI300X VF",
        "MSI GeForce RTX 3090 Gaming X Trio",
        "DGX Spark",
    ],
)
def test_names_of_drivers_and_shops_have_no_unread_words(name: str) -> None:
    assert shorthand.unread(name, shorthand.card_ids(name)[0]) == ()


@pytest.mark.parametrize("card", catalog.load().facts.accelerators, ids=lambda card: card.id)
def test_no_word_of_a_card_s_own_names_is_unread(card: Accelerator) -> None:
    for name in (card.id, card.name, f"{card.vendor} {card.name}"):
        found = shorthand.card_ids(name)
        assert len(found) != 1 or shorthand.unread(name, found[0]) == (), name


def test_an_engine_and_users_behind_the_cards_are_the_session_s(run: Run) -> None:
    options = ("--format", "json")
    said = run("report", "qwen3-8b on 1x 5090 llama.cpp for 4", *options).out
    asked = ("report", "qwen3-8b on 1x 5090", "--concurrency", "4", *options)
    assert said == run(*asked, "--set", "runtime.engine=llama.cpp").out
    assert said != run(*asked).out
