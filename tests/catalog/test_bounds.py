"""Every boundary has limits: on sizes, depths, lengths and ranges, and each says which."""

from __future__ import annotations

import io
import os
import resource
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import catalog
from catalog import boundary
from catalog.bounded import DEEPEST, NoFile, Unreadable, Unusable, WrongFile, read_file, toml_of
from catalog.errors import CatalogError, UnknownId
from catalog.gguf import LARGEST_HEADER, read_gguf
from catalog.hardware import DATA, FILES, SECTIONS, HardwareTables, RawEntry, _completed, raw_entries
from catalog.hf_config import read_architecture
from catalog.ids import matches, nearest
from catalog.models import INDEX, Indexed
from catalog.schema import read_shipped

SHIPPED = [(name, raw) for name in FILES for raw in raw_entries(DATA / name, read_shipped(DATA / name), SECTIONS)]


# What ships with the program ---------------------------------------------------------------------------------------


def test_what_ships_with_the_program_keeps_the_limits() -> None:
    for name, raw in SHIPPED:
        boundary.entry(SECTIONS[raw.section], _completed(raw.section, raw.values), name, raw.entry_id)
    for raw in raw_entries(INDEX, read_shipped(INDEX), ("model",)):
        boundary.entry(Indexed, raw.values, raw.file, raw.entry_id)


def test_a_shipped_config_keeps_the_limits() -> None:
    from catalog.bounded import json_of

    for entry in catalog.load().models:
        data = json_of(entry.config.read_text(encoding="utf-8"))
        assert boundary.published_config(data, entry.id) == data


def test_start_up_does_not_pay_for_pydantic() -> None:
    code = (
        "import sys; from tui import cli; cli.main(['report', '--format', 'json']); cli.main(['models', 'qwen']);"
        "print({'pydantic', 'pydantic_core'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stderr.splitlines()[-1] == "set()"


# Files ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/random", "/dev/null"])
def test_a_device_is_no_file_to_read(path: str) -> None:
    with pytest.raises(Unusable, match="not a regular file"):
        read_file(Path(path), 2**20)
    with pytest.raises(CatalogError, match="not a regular file"):
        read_architecture(path)


def test_a_pipe_without_a_writer_is_refused_at_once(tmp_path: Path) -> None:
    for name in ("a.json", "a.gguf"):
        os.mkfifo(tmp_path / name)
    before = time.perf_counter()
    for read, name in ((read_architecture, "a.json"), (read_gguf, "a.gguf")):
        with pytest.raises(CatalogError, match="not a regular file"):
            read(tmp_path / name)
    assert time.perf_counter() - before < 30


def test_a_file_that_says_it_is_empty_is_not_read_without_end(tmp_path: Path) -> None:
    assert read_file(Path("/proc/self/status"), 2**20)
    with pytest.raises(WrongFile, match="too large for a file; allowed: up to 0 KiB"):
        read_file(Path("/proc/self/status"), 10)


def test_a_file_without_an_end_is_read_up_to_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a file of the system may be, which says that it has 0 bytes."""
    (tmp_path / "endless").touch()
    asked: list[int] = []

    class Endless(io.RawIOBase):
        def __init__(self, handle: int, _mode: str) -> None:
            super().__init__()
            self.handle = handle

        def close(self) -> None:
            if not self.closed:
                os.close(self.handle)
            super().close()

        def read(self, size: int = -1) -> bytes:
            asked.append(size)
            return b"x" * size

    monkeypatch.setattr(os, "fdopen", Endless)
    with pytest.raises(WrongFile, match="too large"):
        read_file(tmp_path / "endless", 1000)
    assert asked == [1001]


def test_only_regular_files_within_the_limit_are_read(tmp_path: Path) -> None:
    (tmp_path / "fits").write_bytes(b"x" * 2000)
    assert read_file(tmp_path / "fits", 2000) == b"x" * 2000
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "sparse").open("wb") as stream:
        stream.truncate(2**40)
    for path in (tmp_path / "pipe", tmp_path / "sparse", tmp_path, Path("/dev/zero")):
        with pytest.raises(WrongFile):
            read_file(path, 2**20)
    with pytest.raises(WrongFile, match="it is too large for a list; allowed: up to 1 KiB"):
        read_file(tmp_path / "fits", 1999, "list")
    for path in (tmp_path / "none", tmp_path / "fits" / "below"):
        with pytest.raises(NoFile):
            read_file(path, 2**20)
    for name in ("nul\0", "x" * 300):
        with pytest.raises(Unreadable):
            read_file(tmp_path / name, 2**20)


def test_what_is_put_in_the_place_of_a_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at a name and the opening of it, somebody makes it a pipe."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"x")
    real_open = os.open
    monkeypatch.setattr(os, "open", lambda path, flags: real_open(tmp_path / "pipe", flags))
    with pytest.raises(WrongFile, match="not a regular file"):
        read_file(tmp_path / "file", 10)


# TOML -----------------------------------------------------------------------------------------------------------------

DEEP = {
    "dots": "a." * 20_000 + "a = 1",
    "quoted dots": '"a" . ' * 20_000 + "a = 1",
    "header": "[" + "a." * 20_000 + "a]",
    "inline": "x = {" + "a." * 3_000 + "a = 1}",
    "brackets": "x = " + "[" * 50_000,
    "braces": "x = " + "{a = " * 20_000,
    "after a comment": '# "\n' + "a." * 20_000 + "a = 1",
    "after a string": 's = "\\""\n' + "a." * 20_000 + "a = 1",
    "after long strings": 's = \'\'\'\n\'x\' """\'\'\'\nt = """a\\"""""\n' + "a." * 20_000 + "a = 1",
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_depth_is_refused_before_it_is_paid_for(text: str) -> None:
    before = time.process_time()
    with pytest.raises(Unusable, match=rf"nested too deeply; allowed: {DEEPEST} levels"):
        toml_of(text)
    assert time.process_time() - before < 1


def test_text_with_many_dots_is_no_depth() -> None:
    dots = "a.b." * 100
    text = f'n = """{dots}[[[["""\nm = \'{dots}\'\n# {dots}\nv = [1.5, 2.5, {{a.b = "{dots}"}}]\n'
    assert toml_of(text)["n"].startswith(dots)


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000], ids=["large", "negative"])
def test_a_number_of_thousands_of_digits_is_no_crash(number: str) -> None:
    with pytest.raises(Unusable, match="too long"):
        toml_of(f"x = {number}")


# Names ----------------------------------------------------------------------------------------------------------------


def test_what_is_like_a_long_word_is_found_at_once() -> None:
    known = {model.id: model.name for model in catalog.load().models}
    before = time.process_time()
    assert len(nearest("llama-" * 10_000, known, names=known)) == 3
    matches("a" * 10**6, "llama")
    assert time.process_time() - before < 2
    with pytest.raises(UnknownId) as caught:
        catalog.load().model("llama-" * 10_000)
    assert len(str(caught.value)) < 500


# Entries of a person --------------------------------------------------------------------------------------------------

CARD = {"id": "x", "memory_gb_marketed": 80.0, "bandwidth_gb_s": 2000.0}
REFUSED: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("accelerator", CARD | {"price_usd": -1.0}, "price_usd: -1.0 is not accepted; allowed: 0 or more"),
    ("accelerator", CARD | {"price_usd": 1e308}, "price_usd: 1e+308 is not accepted; allowed: up to 1,000,000,000"),
    ("accelerator", CARD | {"tdp_w": float("inf")}, "tdp_w: inf is not accepted; allowed: a finite number"),
    ("accelerator", CARD | {"bandwidth_gb_s": 0}, "bandwidth_gb_s: 0 is not accepted; allowed: above 0"),
    ("accelerator", CARD | {"memory_mib_reported": 10**400}, "memory_mib_reported: a number of more than 38 digits"),
    ("accelerator", CARD | {"name": "a\nb"}, "name: 'a\\nb' is not accepted; allowed: printable characters"),
    ("accelerator", CARD | {"name": "x" * 300}, "allowed: printable characters, up to 200"),
    ("accelerator", CARD | {"id": "-rf"}, "no dash first"),
    ("accelerator", CARD | {"notes": "x" * 10_000}, "allowed: up to 4,000 characters"),
    ("accelerator", CARD | {"derived": ["x"] * 1000}, "allowed: up to 256 values"),
    ("accelerator", CARD | {"max_gpus_per_node": 0}, "allowed: 1 or more"),
    ("rental", {"id": "x", "accelerator": "l4", "usd_per_hour": -1, "as_of": "2026"}, "usd_per_hour: -1 is not"),
    ("platform", {"id": "x", "accelerator": "l4", "gpus": 10**9}, "gpus: 1000000000 is not accepted; allowed: up to"),
)


@pytest.mark.parametrize(("section", "values", "words"), REFUSED, ids=[words[:40] for _, _, words in REFUSED])
def test_an_entry_beyond_a_limit_is_refused(section: str, values: dict[str, Any], words: str) -> None:
    tables = HardwareTables()
    with pytest.raises(CatalogError) as caught:
        tables.add(RawEntry(section, str(values["id"]), "own.toml", values), user=True)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


def test_damage_of_a_persons_catalog_is_told_and_the_rest_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "sizeup" / "catalog"
    folder.mkdir(parents=True)
    (folder / "digits.toml").write_text(f"[[accelerator]]\nid = 'x'\nbandwidth_gb_s = {'9' * 5000}\n")
    os.mkfifo(folder / "pipe.toml")
    (folder / "deep.toml").write_text("a." * 5000 + "a = 1")
    (folder / "ok.toml").write_text('[[accelerator]]\nid = "mine"\nmemory_gb_marketed = 80\nbandwidth_gb_s = 2000\n')
    known = catalog.load()
    assert known.accelerator("mine").memory_gb_marketed == 80
    assert len(known.problems) == 3
    assert all(len(problem) < 500 and problem.isprintable() for problem in known.problems)


# config.json and GGUF -------------------------------------------------------------------------------------------------

CONFIGS = {
    "deep": ('{"a": ' * 100 + "1" + "}" * 100, "nested too deeply; allowed: 16 levels"),
    "wide": ('{"a": [' + "1," * 900_000 + "1]}", "more than 500,000 values"),
    "digits": ('{"hidden_size": ' + "9" * 5000 + "}", "a number that is too long"),
    "bits": ('{"hidden_size": ' + "9" * 30 + "}", "more than 63 bits"),
    "key": ('{"' + "a" * 10**6 + '": 1}', "a key of more than 2,000 characters"),
}


@pytest.mark.parametrize(("text", "words"), CONFIGS.values(), ids=CONFIGS)
def test_a_config_beyond_a_limit_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(CatalogError, match=words) as caught:
        read_architecture(path)
    assert len(str(caught.value)) < 500


def _string(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def _sparse(path: Path, head: bytes) -> Path:
    """A header whose rest is zeros that take no place on the disk."""
    with path.open("wb") as stream:
        stream.write(head)
        stream.truncate(8 << 30)
    return path


def test_a_sparse_gguf_takes_no_memory(tmp_path: Path) -> None:
    start = b"GGUF" + struct.pack("<IQQ", 3, 0, 4000)
    arrays = start + b"".join(
        _string(b"k%d" % number) + struct.pack("<IIQ", 9, 12, 1 << 20) + bytes(8 << 20) for number in range(2)
    )
    strings = start + _string(b"tokens") + struct.pack("<IIQ", 9, 8, 1 << 21)
    long = start + b"".join(_string(b"k") + struct.pack("<IQ", 8, 1 << 22) + bytes(1 << 22) for _ in range(2))
    parts = b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + _string(b"split.count") + struct.pack("<IQ", 10, 2**63 - 1)
    tensors = b"GGUF" + struct.pack("<IQQ", 3, 2**17, 0)
    most = b"GGUF" + struct.pack("<IQQ", 3, 2**60, 2**60)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number, head in enumerate((arrays, strings, long, parts, tensors, most)):
        with pytest.raises(CatalogError) as caught:
            read_gguf(_sparse(tmp_path / f"{number}.gguf", head))
        assert len(str(caught.value)) < 500
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 3 * LARGEST_HEADER
