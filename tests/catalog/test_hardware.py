"""The shipped hardware facts: complete, sourced, dated, and refused with file, entry and key when wrong."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import catalog
from catalog.errors import CatalogError
from catalog.hardware import DATA, FILES, SECTIONS, HardwareTables, RawEntry, raw_entries, read_built_in
from catalog.schema import read_toml

TABLES = read_built_in()
FACTS = TABLES.facts()
DATE = re.compile(r"20\d\d(-[01]\d(-[0-3]\d)?)?")


def raw(section: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for name in FILES:
        found += tomllib.loads((DATA / name).read_text(encoding="utf-8")).get(section, [])
    return found


def test_everything_collected_is_there() -> None:
    assert len(FACTS.accelerators) >= 57
    assert len(FACTS.links) + len(FACTS.host_links) >= 46
    assert len(FACTS.platforms) >= 84
    assert len(FACTS.rentals) >= 115
    assert len(FACTS.purchases) >= 9
    assert len(FACTS.api_prices) >= 32
    assert len(FACTS.rules) >= 40


@pytest.mark.parametrize("section", SECTIONS)
def test_every_entry_has_a_source(section: str) -> None:
    entries = raw(section)
    assert entries
    for entry in entries:
        assert str(entry.get("source", "")).strip(), entry.get("id")


@pytest.mark.parametrize("section", ["rental", "purchase", "api"])
def test_every_price_has_a_date(section: str) -> None:
    for entry in raw(section):
        assert DATE.fullmatch(str(entry["as_of"])), entry


def test_every_price_of_a_card_has_a_date_and_a_note() -> None:
    for accelerator in FACTS.accelerators:
        if accelerator.price_usd is not None:
            assert DATE.fullmatch(accelerator.price_as_of), accelerator.id
            assert accelerator.price_note, accelerator.id


def test_every_price_among_the_rules_has_a_date() -> None:
    for rule in FACTS.rules:
        if "USD" in rule.unit:
            assert DATE.fullmatch(rule.as_of), rule.id


def test_every_rule_with_a_figure_has_a_unit() -> None:
    for rule in FACTS.rules:
        if rule.value is not None or rule.value_range is not None or rule.values:
            assert rule.unit, rule.id


def test_every_reference_resolves() -> None:
    wrong = [
        f"{section} {identity}: {TABLES.dangling_of(section, identity)}"
        for section, records in TABLES.records.items()
        for identity in records
        if TABLES.dangling_of(section, identity)
    ]
    assert not wrong


def test_an_api_price_names_a_model_of_the_catalog_or_none() -> None:
    known = catalog.load()
    named = [price.model_id for price in FACTS.api_prices if price.model_id]
    assert len(named) >= 17
    for model_id in named:
        assert known.model(model_id)


def test_every_accelerator_has_links_that_fit_their_place() -> None:
    known = catalog.load()
    for accelerator in known.facts.accelerators:
        for gpus in (1, 2, 4, 8):
            link = catalog.default_intra_link(accelerator, gpus)
            assert link.scope == "intra-node"
            assert link.max_gpus is None or gpus <= link.max_gpus, (accelerator.id, gpus)
        assert catalog.default_inter_link(accelerator).scope == "inter-node"


def test_a_card_without_peer_access_goes_through_host_memory() -> None:
    known = catalog.load()
    for name in ("rtx-4090", "rtx-5090"):
        accelerator = known.accelerator(name)
        assert not accelerator.peer_access
        link = catalog.default_intra_link(accelerator, 8)
        assert link.id == "pcie-no-p2p"
        assert not link.peer_access


def test_keys_of_figures_name_their_unit() -> None:
    unitless = {
        "gpus", "nodes", "nics", "vcpus", "as_of_exact", "unified_memory", "peer_access", "max_gpus", "supports_bf16",
        "supports_fp8", "supports_fp4", "pcie_switches", "nics_per_node", "nvls_from_gpus", "pcie_lanes_per_gpu", "value",
        "uncertainty", "max_gpus_per_node", "measured_tflops_bf16", "measured_tflops_fp8", "with_host", "rack_units",
    }  # fmt: skip
    named = re.compile(r"usd|gb|gib|mib|gbit|tflops|tops|_w\b|_w_|_us\b|_us_|_ns\b|pcie_gen|pcie_lanes|cpu_")
    for section in SECTIONS:
        for entry in raw(section):
            for key, value in entry.items():
                if isinstance(value, int | float) and key not in unitless:
                    assert named.search(key), f"{section} {entry.get('id')}: {key}"


def test_figures_are_plausible_and_like_with_like() -> None:
    for accelerator in FACTS.accelerators:
        marketed = accelerator.memory_gb_marketed * 1e9
        assert 0.85 < accelerator.memory_bytes / marketed < 1.09, accelerator.id
        assert 100 < accelerator.bandwidth_gb_s < 30_000, accelerator.id
        bf16, fp8, fp4 = (
            accelerator.tflops_bf16_dense,
            accelerator.tflops_fp8_dense,
            accelerator.tflops_fp4_dense,
        )
        if bf16 and fp8:
            assert bf16 <= fp8 <= 4.5 * bf16, accelerator.id
        if fp8 and fp4:
            assert fp8 < fp4 <= 4 * fp8, accelerator.id
        if accelerator.measured_tflops_bf16 and bf16:
            assert accelerator.measured_tflops_bf16 < bf16, accelerator.id
        assert not (accelerator.supports_fp4 and not accelerator.supports_fp8), accelerator.id
    for link in (*FACTS.links, *FACTS.host_links):
        if link.peak_gb_s_bidir is not None:
            assert link.peak_gb_s_bidir == pytest.approx(2 * link.peak_gb_s_unidir), link.id
        if link.achieved_gb_s_unidir is not None:
            assert link.achieved_gb_s_unidir <= link.peak_gb_s_unidir, link.id
        if link.line_gbit_s is not None:
            assert link.peak_gb_s_unidir == pytest.approx(link.line_gbit_s / 8), link.id


def test_the_figures_that_a_build_hangs_on() -> None:
    known = catalog.load()
    h100 = known.accelerator("h100-sxm")
    assert (h100.memory_mib_reported, h100.bandwidth_gb_s, h100.tflops_bf16_dense) == (81559, 3350.0, 989.5)
    assert known.link("nvlink-4").peak_gb_s_unidir == 450
    assert known.link("ib-ndr").peak_gb_s_unidir == 50
    assert known.accelerator("rtx-pro-6000-server").default_intra_link == "pcie5-switch"
    efa = known.link("efa-v2")
    assert efa.nics_per_node is not None
    assert efa.peak_gb_s_unidir * efa.nics_per_node == 400
    assert known.accelerator("mi250x").memory_mib_reported == 65520  # one of two dies


def test_short_names_are_unique() -> None:
    names = [accelerator.short_name for accelerator in FACTS.accelerators if accelerator.short_name]
    assert len(names) == len(set(names))


def entry(section: str, **values: object) -> RawEntry:
    return RawEntry(section, str(values.get("id", "")), "own.toml", values)


LINK = {"id": "x", "name": "X", "scope": "inter-node", "family": "tcp", "peak_gb_s_unidir": 1.0, "source": "me"}


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        ({"latency": 3}, "latency", "unknown key; the nearest known one is latency_us"),
        ({"peak_gb_s_unidir": "fast"}, "peak_gb_s_unidir", "'fast' is not accepted; allowed: a number"),
        ({"peak_gb_s_unidir": True}, "peak_gb_s_unidir", "allowed: a number"),
        ({"peak_gb_s_unidir": 0}, "peak_gb_s_unidir", "allowed: above 0"),
        ({"peak_gb_s_unidir": float("inf")}, "peak_gb_s_unidir", "finite"),
        ({"latency_us": -1}, "latency_us", "0 or more"),
        ({"scope": "planet"}, "scope", "allowed: 'intra-node', 'inter-node' or 'host'"),
        ({"max_gpus": 2.5}, "max_gpus", "a whole number"),
        ({"name": 5}, "name", "text in quotes"),
        ({"latency_us_range": 5}, "latency_us_range", "a list"),
        ({"origin": "user"}, "origin", "unknown key"),
    ],
)
def test_a_wrong_entry_names_file_entry_and_key(changes: dict[str, object], key: str, words: str) -> None:
    with pytest.raises(CatalogError) as caught:
        HardwareTables().add(entry("link", **(LINK | changes)))
    assert str(caught.value).startswith(f"own.toml, x: {key}: ")
    assert words in str(caught.value)


def test_a_missing_key_and_a_second_entry_are_refused() -> None:
    tables = HardwareTables()
    with pytest.raises(CatalogError, match=r"own\.toml, x: name: this key is required"):
        tables.add(entry("link", **{key: value for key, value in LINK.items() if key != "name"}))
    tables.add(entry("link", **LINK))
    with pytest.raises(CatalogError, match="a second"):
        tables.add(entry("link", **LINK))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[[link]\n", "not TOML"),
        (b"\xff\xfe", "not UTF-8"),
        (b"schema = 2\n", "schema: 2 is not accepted; allowed: 1"),
        (b"[[lnk]]\nid = 'x'\n", "the nearest known one is [[link]]"),
        (b"link = 5\n", "must be written as [[link]]"),
        (b"[[link]]\nname = 'x'\n", "number 1: id: this key is required"),
    ],
)
def test_a_wrong_file_names_itself(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(content)
    with pytest.raises(CatalogError) as caught:
        list(raw_entries(path, read_toml(path), SECTIONS))
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


def test_a_file_that_is_not_there_and_one_too_large(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no such file"):
        read_toml(tmp_path / "none.toml")
    big = tmp_path / "big.toml"
    with big.open("wb") as stream:
        stream.truncate(50 * 2**20)
    with pytest.raises(CatalogError, match="too large for a catalog file"):
        read_toml(big)
