"""Session files: the same Scenario back, the same bytes again, one clear message for anything else."""

from __future__ import annotations

import dataclasses
import math
import os
import re
import stat
import time
import tomllib
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import catalog
from catalog.schema import keys_of
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.scenario import KINDS, Kind, LayoutChoice, Money, Runtime, Scenario, Workload
from engine.scenario.fields import BY_KEY, Field
from tui.files import session, session_tables
from tui.files.session_tables import SessionError

EXAMPLES = sorted((Path(__file__).parent.parent.parent / "examples").glob("*.toml"))
KNOWN = catalog.load()
BASE = catalog.build_scenario("llama-3.1-8b", "fp8", "h100-sxm", 8, 1, title="A build")
MINIMAL = """\
schema = 1
[model]
id = "llama-3.1-8b"
[hardware]
accelerator = "h100-sxm"
"""


def test_there_are_three_examples() -> None:
    assert [path.stem for path in EXAMPLES] == [
        "70b-fp8-one-node",
        "deepseek-v3-two-nodes",
        "full-finetune-70b",
    ]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_loads_sizes_and_is_written_byte_for_byte(path: Path) -> None:
    scenario = session.load(path)
    assert session.dump(scenario) == path.read_text()
    assert size(scenario).scenario == scenario


def test_the_design_s_file_is_read() -> None:
    text = """\
schema = 1
title = "70B chat for support"
notes = ""
[model]
id = "llama-3.1-70b"            # or: config = "path/to/config.json", relative to this file
weights = "fp8"
kv_cache = "bf16"
[hardware]
accelerator = "rtx-pro-6000-server"
gpus_per_node = 8
nodes = 1
intra_link = "pcie5-switch"
inter_link = "ib-hdr"
[workload]
kind = "serve"
concurrency = 32
input_tokens = 7000
output_tokens = 1000
ttft_target_s = 2.0             # targets are optional
tokens_per_s_user_target = 20.0
requests_per_s = 3.0
[layout]                        # a key that is absent is chosen automatically
tp = 8
pp = 1
[runtime]                       # optional; the defaults are vLLM's
memory_utilization = 0.90
max_num_batched_tokens = 8192
max_num_seqs = 256
max_model_len = 8192
cuda_graphs = true
"""
    scenario = session.parse(text)
    assert scenario.workload.ttft_target_s == 2.0
    assert scenario.layout == LayoutChoice(tp=8, pp=1)
    assert scenario.runtime.memory_utilization == 0.9
    written = session.dump(scenario)
    assert session.parse(written) == scenario
    assert session.dump(session.parse(written)) == written


def test_what_is_absent_is_the_default() -> None:
    scenario = session.parse(MINIMAL)
    assert scenario.workload == Workload()
    assert scenario.hardware.gpus == 1
    assert scenario.hardware.intra_link.id == "nvlink-4"
    assert scenario.money == Money()


def test_keys_come_in_a_human_order_and_defaults_stay_out() -> None:
    text = session.dump(BASE)
    assert [line for line in text.splitlines() if line.startswith("[")] == ["[model]", "[hardware]", "[workload]"]
    assert list(tomllib.loads(text)["workload"]) == ["kind", "concurrency", "input_tokens", "output_tokens"]
    trained = dataclasses.replace(BASE, workload=Workload(kind="qlora", global_batch_tokens=1 << 20))
    assert list(tomllib.loads(session.dump(trained))["workload"])[:4] == [
        "kind",
        "sequence_length",
        "micro_batch",
        "global_batch_tokens",
    ]
    assert "concurrency" not in session.dump(trained)
    assert "base_format" in session.dump(trained)


def test_the_other_kind_s_entries_are_not_lost() -> None:
    scenario = dataclasses.replace(BASE, workload=Workload(kind="serve", sequence_length=123))
    assert session.parse(session.dump(scenario)) == scenario


def values_of(hint: Any, field: Field) -> st.SearchStrategy[Any]:
    """Any value that a field of this type can hold in a file: its whole range, ends included."""
    options = [option for option in get_args(hint) if option is not type(None)] or [hint]
    if all(isinstance(option, str) for option in options):
        return st.sampled_from(options)
    strategies: list[st.SearchStrategy[Any]] = []
    for option in options:
        if option is bool:
            strategies.append(st.booleans())
        elif option is int:
            strategies.append(st.integers(math.ceil(field.low), math.floor(field.high)))
        elif option is float:
            strategies.append(st.floats(field.low, field.high))
            strategies.append(st.integers(math.ceil(field.low), math.floor(field.high)))
        else:
            strategies.append(st.sampled_from(get_args(option)))
    return st.one_of(strategies)


def records(record: type) -> st.SearchStrategy[Any]:
    hints = get_type_hints(record)
    table = next(name for name, known in session_tables.TABLES.items() if known is record)
    fields = {
        field.name: st.just(field.default) | values_of(hints[field.name], BY_KEY[f"{table}.{field.name}"])
        for field in dataclasses.fields(record)
        if field.name in keys_of(record)
    }
    return st.builds(record, **fields)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
SCENARIOS = st.builds(
    lambda workload, layout, runtime, money, title, notes: dataclasses.replace(
        BASE, workload=workload, layout=layout, runtime=runtime, money=money, title=title, notes=notes
    ),
    records(Workload),
    records(LayoutChoice),
    records(Runtime),
    records(Money),
    TEXT,
    TEXT,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SCENARIOS)
def test_any_scenario_comes_back_and_is_written_the_same(scenario: Scenario) -> None:
    text = session.dump(scenario)
    again = session.parse(text)
    assert again == scenario
    assert session.dump(again) == text


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200) | st.sampled_from(["[" * 5000, "a=" + "[" * 3000, "x = " + "9" * 5000]))
def test_any_text_is_a_scenario_or_one_line(text: str) -> None:
    with pytest.raises(SessionError) as caught:
        session.parse(text)
    assert "\n" not in str(caught.value)


def test_a_node_of_two_kinds_of_card_round_trips(tmp_path: Path) -> None:
    scenario = catalog.build_scenario(
        "llama-3.1-8b", "bf16", "rtx-5090", 4, second_accelerator="rtx-4090", second_gpus=1
    )
    path = tmp_path / "mixed.toml"
    session.save(scenario, path)
    text = path.read_text()
    assert 'accelerator = "rtx-5090"' in text
    assert 'second_accelerator = "rtx-4090"' in text
    assert "second_gpus = 1" in text
    assert session.load(path) == scenario
    assert not session.drift(path)


@pytest.mark.parametrize("nodes", [1, 2, 300])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_round_trips(kind: Kind, nodes: int) -> None:
    hardware = dataclasses.replace(BASE.hardware, nodes=nodes)
    scenario = dataclasses.replace(BASE, hardware=hardware, workload=Workload(kind=kind))
    written = session.dump(scenario)
    assert session.parse(written) == scenario
    assert "usual_batch_tokens" not in written  # a build's own, found again where the file is read


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        'quo"te',
        "back\\slash",
        "tab\there",
        "bell\a esc\x1b[31m",
        "line\nbreak\n",
        "cr\r\nlf",
        "π 模型 🚀",
        '"""',
        "'''",
        " x ",
    ],
)
def test_title_and_notes_may_hold_any_text(text: str) -> None:
    scenario = dataclasses.replace(BASE, title=text, notes=text)
    written = session.dump(scenario)
    assert session.parse(written) == scenario
    assert session.dump(session.parse(written)) == written


# (what stands in the file, the key, words of the message)
BAD: list[tuple[str, str, str]] = [
    ("schema = 1\n[model", "", "not TOML"),
    ("schema = 1\nschema = 1\n", "", "not TOML"),
    ("", "schema", "this key is required; allowed: schema = 1"),
    (MINIMAL.replace("schema = 1", "schema = 2"), "schema", "written by a newer sizeup (schema 2)"),
    (MINIMAL.replace("schema = 1", "schema = 0"), "schema", "0 is not accepted"),
    (MINIMAL.replace("schema = 1", "schema = true"), "schema", "true is not accepted"),
    (MINIMAL.replace("schema = 1", 'schema = "1"'), "schema", "'1' is not accepted"),
    ("schema = 1\n[model]\nid='llama-3.1-8b'\n", "hardware", "the [hardware] table is missing"),
    ("schema = 1\n[hardware]\naccelerator='l4'\n", "model", "the [model] table is missing"),
    ("schema = 1\nmodel = 5\n[hardware]\naccelerator='l4'\n", "model", "a table, written [model]"),
    (MINIMAL + "[workloads]\n", "workloads", "the nearest known one is workload"),
    (MINIMAL + "[workload]\nconcurency = 3\n", "workload.concurency", "the nearest known one is workload.concurrency"),
    (MINIMAL + "[workload]\ntp = 3\n", "workload.tp", "tp belongs in [layout]"),
    (
        MINIMAL + "[workload]\nconcurrency = '3'\n",
        "workload.concurrency",
        "'3' is not accepted; allowed: a whole number",
    ),
    (MINIMAL + "[workload]\nconcurrency = 3.5\n", "workload.concurrency", "a whole number"),
    (MINIMAL + "[workload]\nconcurrency = true\n", "workload.concurrency", "a whole number"),
    (MINIMAL + "[workload]\nconcurrency = [3]\n", "workload.concurrency", "a whole number"),
    (MINIMAL + "[workload]\nconcurrency = 9223372036854775808\n", "workload.concurrency", "too large"),
    (MINIMAL + "[workload]\nttft_target_s = 'soon'\n", "workload.ttft_target_s", "a number"),
    (MINIMAL + "[workload]\nttft_target_s = nan\n", "workload.ttft_target_s", "a finite number"),
    (MINIMAL + "[workload]\nttft_target_s = 2024-01-01\n", "workload.ttft_target_s", "a number"),
    (MINIMAL + "[workload]\nkind = 'srve'\n", "workload.kind", "(nearest: serve); allowed: serve, batch"),
    (MINIMAL + "[workload]\noptimizer = 'adam'\n", "workload.optimizer", "nearest: adamw"),
    (MINIMAL + "[money]\nregion = 'europa'\n", "money.region", "(nearest: europe); allowed: north-america, europe"),
    (MINIMAL + "[money]\nregion = 3\n", "money.region", "allowed: north-america, europe"),
    (MINIMAL + "[money]\npue = 0.5\n", "money.pue", "allowed: 1 to 5"),
    (MINIMAL + "[runtime]\ncuda_graphs = 1\n", "runtime.cuda_graphs", "true or false"),
    (MINIMAL + "[layout]\ntp = 'auto'\n", "layout.tp", "a whole number"),
    (MINIMAL + "[money]\ngpu_price_usd = '1'\n", "money.gpu_price_usd", "a number"),
    (MINIMAL.replace("llama-3.1-8b", "llama-3.1-8"), "model.id", "nearest: llama-3.1-8b"),
    (MINIMAL.replace('id = "llama-3.1-8b"', "id = 5"), "model.id", "text in quotes"),
    (MINIMAL.replace('id = "llama-3.1-8b"', ""), "model.id", "a catalog id, or config ="),
    (MINIMAL.replace("h100-sxm", "h100"), "hardware.accelerator", "nearest: h100-"),
    (MINIMAL.replace('accelerator = "h100-sxm"', ""), "hardware.accelerator", "this key is required"),
    (MINIMAL + 'intra_link = "nvlink-44"\n', "hardware.intra_link", "nearest: nvlink-4"),
    (MINIMAL + 'inter_link = "ib"\n', "hardware.inter_link", "nearest: "),
    (MINIMAL + 'platform = "dgx"\n', "hardware.platform", "nearest: dgx-"),
    (MINIMAL + 'second_accelerator = "l4"\nsecond_gpus = 9\n', "hardware.second_gpus", "allowed: "),
    (MINIMAL + "second_gpus = 1\n", "hardware.second_gpus", "needs second_accelerator"),
    (MINIMAL + 'second_accelerator = "l44"\nsecond_gpus = 1\n', "hardware.second_accelerator", "nearest: l4"),
    (MINIMAL.replace("[hardware]", 'weights = "fp9"\n[hardware]'), "model.weights", "nearest: fp8"),
    (MINIMAL.replace("[hardware]", 'kv_cache = "fp9"\n[hardware]'), "model.kv_cache", "nearest: "),
    (MINIMAL.replace("[hardware]", 'config = "no.json"\n[hardware]'), "model.config", "no.json"),
    ("title = 5\n" + MINIMAL, "title", "text in quotes"),
    (
        MINIMAL + "[catalog]\nbandwidth_gb_s = 0\n",
        "catalog.bandwidth_gb_s",
        "0 is not accepted; allowed: a number above",
    ),
    (
        MINIMAL + "[catalog]\nbandwith_gb_s = 1\n",
        "catalog.bandwith_gb_s",
        "nearest known one is catalog.bandwidth_gb_s",
    ),
    (MINIMAL + "[money]\nprice_usd = 1\n", "money.price_usd", "nearest known one is money.gpu_price_usd"),
    ("notes = ['a']\n" + MINIMAL, "notes", "text in quotes"),
]


@pytest.mark.parametrize(("text", "key", "words"), BAD, ids=[f"{key}: {words[:30]}" for _, key, words in BAD])
def test_a_bad_file_gives_one_line_with_file_key_and_what_is_allowed(
    tmp_path: Path, text: str, key: str, words: str
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(SessionError) as caught:
        session.load(path)
    message = str(caught.value)
    assert caught.value.key == key
    assert message.startswith(str(path))
    assert words in message
    assert "\n" not in message


def test_the_line_is_told(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(MINIMAL + '\n[workload]\nkind = "serve"\nconcurrency = "3"\n')
    with pytest.raises(SessionError, match=r"bad\.toml:9: workload\.concurrency"):
        session.load(path)
    path.write_text(MINIMAL + "x = = 1\n")
    with pytest.raises(SessionError, match=r"bad\.toml:6: not TOML"):
        session.load(path)
    path.write_bytes(MINIMAL.encode() + b"# \xff\n")
    with pytest.raises(SessionError, match=r"bad\.toml:6: not UTF-8 text"):
        session.load(path)


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("schema", 1),
        ("notes", 2),
        ("model.id", 7),
        ("model", 6),
        ("model.weights", 6),
        ("layout.tp", 9),
        ("money.x", 0),
    ],
)
def test_where_a_key_stands(key: str, line: int) -> None:
    text = 'schema = 1\nnotes = """\n[model]\nid = 5\n"""\n[model]\nid = "x"\n[ layout ]\ntp=3\n'
    assert session_tables.line_of(text, key) == line


def test_files_that_are_none(tmp_path: Path) -> None:
    def message(path: Path) -> str:
        with pytest.raises(SessionError) as caught:
            session.load(path)
        return str(caught.value)

    assert "no such file" in message(tmp_path / "none.toml")
    assert "a directory" in message(tmp_path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(bytes(range(256)))
    assert "a binary file" in message(binary)
    big = tmp_path / "big.toml"
    with big.open("wb") as stream:
        stream.truncate(50 * 2**20)
    assert "50 MiB is too large for a session file; allowed: up to 1 MiB" in message(big)
    pipe = tmp_path / "pipe.toml"
    os.mkfifo(pipe)
    assert "not a regular file" in message(pipe)
    assert "cannot be read" in message(tmp_path / "nul\0.toml")
    loop = tmp_path / "loop.toml"
    loop.symlink_to(loop)
    assert str(loop) in message(loop)
    inside = tmp_path / "file"
    inside.write_text("x")
    assert str(inside) in message(inside / "below.toml")
    assert "\x1b" not in message(tmp_path / "\x1b[31m.toml")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "closed.toml"
    path.write_text(MINIMAL)
    path.chmod(0)
    with pytest.raises(SessionError, match="no permission to read"):
        session.load(path)
    path.chmod(0o444)
    with pytest.raises(SessionError, match="no permission to write"):
        session.save(BASE, path)


def test_what_the_system_forbids_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "closed.toml"
    path.write_text("old")

    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(SessionError, match="no permission to write it"):
        session.save(BASE, path)
    monkeypatch.undo()
    monkeypatch.setattr(os, "open", forbidden)
    with pytest.raises(SessionError, match="no permission to write in this folder"):
        session.save(BASE, path)
    monkeypatch.undo()
    monkeypatch.setattr(os, "open", forbidden)
    with pytest.raises(SessionError, match="no permission to read it"):
        session.load(path)
    monkeypatch.undo()
    assert path.read_text() == "old"


def test_a_long_name_can_be_saved(tmp_path: Path) -> None:
    path = tmp_path / ("模" * 80 + ".toml")
    session.save(BASE, path)
    assert session.load(path) == BASE


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())
    assert session.load(path) == session.parse(MINIMAL)


def test_a_config_of_ones_own_lies_relative_to_the_session(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    config = tmp_path / "ours" / "config.json"
    config.write_text(KNOWN.model("llama-3.1-8b").config.read_text())
    path = tmp_path / "own.toml"
    path.write_text(MINIMAL.replace('id = "llama-3.1-8b"', 'config = "ours/config.json"'))
    scenario = session.load(path)
    assert scenario.model.architecture == KNOWN.model("llama-3.1-8b").architecture
    assert scenario.model.name == "ours"
    assert session.save(scenario, path, path) == scenario
    assert session.load(path) == scenario
    # saved elsewhere, the path still leads to the same file
    (tmp_path / "elsewhere").mkdir()
    other = tmp_path / "elsewhere" / "own.toml"
    moved = session.save(scenario, other, path)
    assert moved.model.config == "../ours/config.json"
    assert session.load(other) == moved
    assert session.load(other).model.architecture == scenario.model.architecture


def test_an_anchored_session_can_lie_anywhere(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(KNOWN.model("llama-3.1-8b").config.read_text())
    path = tmp_path / "own.toml"
    path.write_text(MINIMAL.replace('id = "llama-3.1-8b"', 'config = "config.json"'))
    scenario = session.anchored(session.load(path), path)
    assert scenario.model.config == str(tmp_path / "config.json")
    (tmp_path / "state").mkdir()
    kept = tmp_path / "state" / "kept.toml"
    session.save(scenario, kept)
    assert session.load(kept) == scenario
    assert session.anchored(BASE, None) is BASE


def test_a_broken_config_is_told_by_its_key(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    path = tmp_path / "own.toml"
    path.write_text(MINIMAL.replace('id = "llama-3.1-8b"', 'config = "config.json"'))
    with pytest.raises(SessionError, match=r"own\.toml:3: model\.config: .*not JSON"):
        session.load(path)


# Saving


def test_saving_replaces_the_whole_file_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("old")
    path.chmod(0o640)
    session.save(BASE, path)
    assert path.read_text() == session.dump(BASE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [item.name for item in tmp_path.iterdir()] == ["mine.toml"]


def test_a_new_file_has_the_mode_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        session.save(BASE, tmp_path / "new.toml")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.toml").stat().st_mode) == 0o640


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "mine.toml"
    target.write_text("old")
    link = tmp_path / "mine.toml"
    link.symlink_to(target)
    session.save(BASE, link)
    assert link.is_symlink()
    assert session.load(target) == BASE


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_saving_twice_writes_the_same_bytes(tmp_path: Path, path: Path) -> None:
    copy = tmp_path / "mine.toml"
    session.save(session.load(path), copy)
    first = copy.read_bytes()
    assert session.load(copy) == session.load(path)
    session.save(session.load(copy), copy)
    assert copy.read_bytes() == first


# Catalog figures of the day


CLUSTER = EXAMPLES[1]


def test_a_new_file_keeps_the_catalog_figures_that_decide_and_an_old_one_stays_as_it_was(tmp_path: Path) -> None:
    scenario = session.load(CLUSTER)
    new, old = tmp_path / "new.toml", tmp_path / "old.toml"
    old.write_bytes(CLUSTER.read_bytes())
    session.save(scenario, new)
    session.save(scenario, old)
    assert old.read_bytes() == CLUSTER.read_bytes()
    kept = tomllib.loads(new.read_text())["catalog"]
    card = KNOWN.accelerator("h100-sxm")
    assert kept["as_of"] == KNOWN.facts.as_of
    assert kept["bandwidth_gb_s"] == card.bandwidth_gb_s
    assert kept["inter_link_gb_s"] == KNOWN.link("ib-ndr").peak_gb_s_unidir
    assert session.drift(new) == session.drift(old) == ()
    assert session.as_saved(new) == scenario


def edited(text: str, **figures: float) -> str:
    """A session's text with figures of its [catalog] table replaced."""
    lines = text.splitlines()
    for key, value in figures.items():
        place = next(number for number, line in enumerate(lines) if line.startswith(f"{key} = "))
        lines[place] = f"{key} = {value}"
    return "\n".join(lines) + "\n"


def test_what_the_catalog_says_otherwise_now_is_told_with_both_values(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    session.save(session.load(CLUSTER), path)
    rental = tomllib.loads(path.read_text())["catalog"]["usd_per_gpu_hour"]
    text = edited(path.read_text(), usd_per_gpu_hour=rental + 1, memory_mib_reported=70000, inter_link_gb_s=25.0)
    drifts = session.drift(text)
    assert [drift.key for drift in drifts] == ["memory_mib_reported", "usd_per_gpu_hour", "inter_link_gb_s"]
    assert drifts[1].words == (
        f"saved when H100 SXM rental was ${rental + 1:,.2f} a GPU-hour; now ${rental:,.2f} a GPU-hour"
    )
    then, now = size(session.as_saved(text)), size(session.parse(text))
    assert now.scenario == session.load(CLUSTER)
    assert then.memory.worst.total_bytes == 70000 * 2**20
    assert then.cost.rent_usd_per_hour == pytest.approx((rental + 1) * 16)
    assert now.cost.rent_usd_per_hour == pytest.approx(rental * 16)
    in_use = {row.link: row.bandwidth_gb_s for row in then.fabric if row.in_use}
    assert in_use["ib-ndr"] == 25.0
    path.write_text(text)
    session.save(session.load(path), path)
    assert session.drift(path) == ()


def test_figures_of_what_is_no_longer_used_tell_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    session.save(session.load(CLUSTER), path)
    text = edited(path.read_text(), bandwidth_gb_s=1.0, price_usd=1.0, inter_link_gb_s=1.0)
    head, mark, table = text.partition("[catalog]")
    other = head.replace('"h100-sxm"', '"h200-sxm"').replace('"ib-ndr"', '"ib-hdr"') + mark + table
    assert session.drift(other) == ()
    priced = head + "[money]\ngpu_price_usd = 9.0\n" + mark + table
    assert [drift.key for drift in session.drift(priced)] == ["bandwidth_gb_s", "inter_link_gb_s"]


def test_a_person_s_own_prices_are_not_kept_as_the_catalog_s(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    own = Money(gpu_price_usd=1.0, usd_per_gpu_hour=1.0)
    session.save(dataclasses.replace(session.load(CLUSTER), money=own), path)
    assert not {"price_usd", "usd_per_gpu_hour"} & set(tomllib.loads(path.read_text())["catalog"])


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(SessionError, match=r"mine\.toml: cannot be written: No space left on device"):
        session.save(BASE, path)
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["mine.toml"]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="a directory"):
        session.save(BASE, tmp_path)
    with pytest.raises(SessionError, match="folder does not exist"):
        session.save(BASE, tmp_path / "no" / "where.toml")
    (tmp_path / "file").write_text("")
    with pytest.raises(SessionError, match="file"):
        session.save(BASE, tmp_path / "file" / "below.toml")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(SessionError, match="not a regular file"):
        session.save(BASE, pipe)


def test_values_that_do_not_go_together_load_and_fail_in_sizing() -> None:
    scenario = session.parse(MINIMAL + "[workload]\ninput_tokens = 900_000_000\n")
    with pytest.raises(ScenarioError) as caught:
        size(scenario)
    assert caught.value.field == "workload.input_tokens"


RANGED = [field for field in BY_KEY.values() if field.kind == "number"]


@pytest.mark.parametrize("field", RANGED, ids=[field.key for field in RANGED])
def test_a_number_out_of_its_one_range_is_refused_with_its_line(field: Field) -> None:
    """The ranges of the form, of changes and of sessions are the same table's."""
    for value, word in ((field.low - 1, "too (few|little)"), (field.high * 2 + 1, "too (many|much)")):
        text = re.sub(rf"(?m)^{field.name} = .*\n", "", MINIMAL)
        written = int(value) if field.whole else float(value)
        entry = f"{field.name} = {written!r}\n"
        if f"[{field.table}]\n" in text:
            text = text.replace(f"[{field.table}]\n", f"[{field.table}]\n{entry}")
        else:
            text += f"[{field.table}]\n{entry}"
        with pytest.raises(SessionError, match=word) as caught:
            session.parse(text)
        assert caught.value.key == field.key
        assert text.splitlines()[caught.value.line - 1] == entry.strip()
        assert field.range_words in str(caught.value)
        with pytest.raises(ScenarioError, match=word):
            field.checked(written)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (f"title = '{'x' * 501}'", "title"),
        (f"notes = '{'x' * 50_001}'", "notes"),
        (f"{'k' * 50_000} = 1", "unknown key"),
        (f"{'.'.join('a' * 20_000)} = 1", "nested too deeply"),
    ],
    ids=["title", "notes", "key", "depth"],
)
def test_lengths_and_depth_are_limited_at_once(entry: str, says: str) -> None:
    started = time.process_time()
    with pytest.raises(SessionError, match=says) as caught:
        session.parse(MINIMAL.replace("schema = 1\n", f"schema = 1\n{entry}\n", 1))
    assert len(str(caught.value)) < 500
    assert time.process_time() - started < 2


@pytest.mark.parametrize("key", ["id", "accelerator", "intra_link", "platform"])
def test_an_id_of_any_length_is_refused_at_once(key: str) -> None:
    table = "model" if key == "id" else "hardware"
    text = re.sub(rf"(?m)^{key} = .*\n", "", MINIMAL)
    text = text.replace(f"[{table}]\n", f'[{table}]\n{key} = "{"h100-" * 10_000}"\n')
    started = time.process_time()
    with pytest.raises(SessionError, match=key) as caught:
        session.parse(text)
    assert len(str(caught.value)) < 500
    assert time.process_time() - started < 2


def test_a_sharding_that_a_file_leaves_out_is_its_frameworks_own(tmp_path: Path) -> None:
    file = tmp_path / "build.toml"
    lines = (
        'schema = 1\n[model]\nid = "llama-3.1-8b"\n[hardware]\naccelerator = "h100-sxm"\n[workload]\nkind = "lora"\n'
    )
    for framework, sharding in (("unsloth", "ddp"), ("megatron", "zero1"), ("deepspeed", "zero3")):
        file.write_text(f'{lines}framework = "{framework}"\n')
        assert session.load(file).workload.sharding == sharding
    file.write_text(f'{lines}framework = "megatron"\nsharding = "zero3"\n')
    assert session.load(file).workload.sharding == "zero3"
