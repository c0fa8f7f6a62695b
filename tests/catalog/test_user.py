"""A person's own catalog entries: merged over the built-in ones, marked, and never able to stop the program."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

import catalog
from catalog.loading import reload
from tui.shell import listing

CARD = """
[[accelerator]]
id = "moonshot-1"
memory_mib_reported = 49152
bandwidth_gb_s = 1000
tflops_bf16_dense = 200
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a person's catalog files."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    made = tmp_path / "sizeup" / "catalog"
    made.mkdir(parents=True)
    return made


def test_without_files_nothing_is_different(folder: Path) -> None:
    known = reload()
    assert not known.problems
    assert {entry.origin for entry in known.models} == {"built-in"}


def test_an_unknown_card_writes_the_entry_to_fill_in(folder: Path) -> None:
    with pytest.raises(catalog.UnknownId) as caught:
        reload().accelerator("RTX 9999 Ti")
    told = str(caught.value)
    assert "sizeup/catalog/cards.toml" in told
    entry = told[told.index("accelerator = [") :]
    for key, value in (
        ("memory_mib_reported", 32768),
        ("bandwidth_gb_s", 1500),
        ("tflops_bf16_dense", 300),
        ("tdp_w", 400),
    ):
        entry = entry.replace(f"{key} = ?", f"{key} = {value}")
    (folder / "cards.toml").write_text(entry)
    card = reload().accelerator("rtx-9999-ti")
    assert (card.memory_bytes, card.tflops_bf16_dense) == (32 * 2**30, 300)


def test_a_new_card_needs_only_its_figures(folder: Path) -> None:
    (folder / "cards.toml").write_text(CARD)
    card = reload().accelerator("moonshot-1")
    assert card.origin == "user"
    assert card.name == "moonshot-1"
    assert card.memory_bytes == 49152 * 2**20
    assert card.source == f"entered in {folder / 'cards.toml'}"
    scenario = catalog.build_scenario("llama-3.1-8b", "bf16", "moonshot-1", 2)
    assert scenario.hardware.intra_link.scope == "intra-node"


@pytest.mark.parametrize("what", ["accelerators", "links", "platforms"])
def test_an_entry_listed_as_toml_is_the_entry_whole(folder: Path, what: str) -> None:
    before = getattr(reload().facts, what)
    (folder / "copied.toml").write_text(listing.render(what, "", "toml"))
    known = reload()
    assert not known.problems
    listed = {entry.id: entry for entry in getattr(known.facts, what)}
    assert listed
    for entry in before:
        if what != "links" or entry.scope != "host":
            assert replace(listed[entry.id], origin="built-in") == entry


def test_a_word_that_is_an_id_lists_that_entry_alone() -> None:
    alone = tomllib.loads(listing.render("accelerators", "rtx-3090", "toml"))["accelerator"]
    assert [entry["id"] for entry in alone] == ["rtx-3090"]
    assert {"release_date", "unverified", "gpu_link", "source"} <= set(alone[0])
    assert len(tomllib.loads(listing.render("accelerators", "3090", "toml"))["accelerator"]) == 2
    assert listing.render("links", "no such link", "toml") == ""


def test_a_known_id_changes_only_the_keys_it_names(folder: Path) -> None:
    built_in = reload().accelerator("h100-sxm")
    (folder / "prices.toml").write_text(
        '[[accelerator]]\nid = "h100-sxm"\nprice_usd = 21000\nprice_as_of = "2026-11"\n'
    )
    known = reload()
    changed = known.accelerator("h100-sxm")
    assert changed.origin == "user"
    assert (changed.price_usd, changed.price_as_of) == (21000, "2026-11")
    assert changed.bandwidth_gb_s == built_in.bandwidth_gb_s
    assert "prices.toml" in changed.source
    assert len(known.facts.accelerators) == len({card.id for card in known.facts.accelerators})
    assert [card.id for card in known.facts.accelerators][:3] == ["rtx-3090", "rtx-4090", "rtx-5090"]


def test_links_platforms_and_prices(folder: Path) -> None:
    (folder / "site.toml").write_text(
        """
schema = 1
[[link]]
id = "our-ib"
scope = "inter-node"
family = "infiniband"
peak_gb_s_unidir = 25
[[platform]]
id = "our-box"
accelerator = "l40s"
gpus = 4
inter_link = "our-ib"
[[rental]]
id = "our-deal"
accelerator = "h100-sxm"
usd_per_hour = 15.2
gpus = 8
as_of = "2026-11-01"
[[purchase]]
id = "our-quote"
accelerator = "h100-sxm"
usd = 190000
as_of = "2026-11-01"
"""
    )
    known = reload()
    assert not known.problems
    assert known.link("our-ib").origin == "user"
    assert known.platform("our-box").inter_link == "our-ib"
    deal = next(rental for rental in known.facts.rentals if rental.id == "our-deal")
    assert deal.usd_per_gpu_hour == pytest.approx(1.9)
    assert any(purchase.id == "our-quote" for purchase in known.facts.purchases)


def test_a_model_of_ones_own_lies_beside_its_index(folder: Path) -> None:
    source = catalog.load().model("llama-3.1-8b").config
    (folder / "ours").mkdir()
    (folder / "ours" / "config.json").write_text(source.read_text())
    (folder / "models.toml").write_text('[[model]]\nid = "our-8b"\nconfig = "ours/config.json"\nfamily = "Ours"\n')
    known = reload()
    entry = known.model("our-8b")
    assert (entry.origin, entry.name, entry.family) == ("user", "our-8b", "Ours")
    assert entry.architecture == known.model("llama-3.1-8b").architecture


def test_a_built_in_model_can_be_renamed(folder: Path) -> None:
    (folder / "models.toml").write_text('[[model]]\nid = "llama-3.1-8b"\nname = "our base model"\n')
    known = reload()
    assert not known.problems
    assert known.model("llama-3.1-8b").name == "our base model"
    assert known.model("llama-3.1-8b").architecture.layers


def test_the_example_of_the_documentation_loads(folder: Path) -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "catalog.md").read_text(encoding="utf-8")
    (folder / "own.toml").write_text(page.partition("```toml\n")[2].partition("```")[0])
    known = reload()
    assert not known.problems
    assert known.accelerator("h100-sxm").price_usd == 24500
    scenario = catalog.build_scenario("llama-3.1-8b", "fp8", "our-card", 4, 2)
    assert scenario.hardware.inter_link.origin == "user"


BAD = [
    ("[[accelerator]\n", "", "not TOML"),
    ('[[accelerator]]\nid = "x"\nbandwith_gb_s = 1\n', "x: bandwith_gb_s", "nearest known one is bandwidth_gb_s"),
    ('[[accelerator]]\nid = "x"\nbandwidth_gb_s = 1000\n', "x: memory_gb_marketed", "required"),
    ('[[accelerator]]\nid = "h100-sxm"\ntdp_w = "hot"\n', "h100-sxm: tdp_w", "a number"),
    ('[[rental]]\nid = "x"\naccelerator = "h1000"\nusd_per_hour = 1\nas_of = "2026"\n', "x: accelerator", "h100-"),
    ('[[platform]]\nid = "x"\naccelerator = "l4"\ngpus = 1\nintra_link = "wire"\n', "x: intra_link", "no link"),
    ('[[model]]\nid = "x"\nconfig = "nowhere.json"\n', "x: config", "no file"),
    ('[[model]]\nid = "x"\n', "x: config", "required"),
    ("schema = 7\n", "schema", "7 is not accepted"),
    ("[accelerator]\nid = 'x'\n", "accelerator", "must be written as [[accelerator]]"),
]


@pytest.mark.parametrize(("content", "where", "words"), BAD, ids=[where or words for _, where, words in BAD])
def test_a_bad_file_is_told_of_and_left_out(folder: Path, content: str, where: str, words: str) -> None:
    bad = folder / "bad.toml"
    bad.write_text(content)
    (folder / "good.toml").write_text(CARD)
    known = reload()
    assert len(known.problems) == 1
    assert str(bad) in known.problems[0]
    assert where in known.problems[0]
    assert words in known.problems[0]
    assert known.accelerator("moonshot-1")
    assert known.accelerator("h100-sxm").tdp_w == 700
    with pytest.raises(catalog.UnknownId):
        known.accelerator("x")


def test_a_wrong_reference_takes_back_what_an_entry_changed(folder: Path) -> None:
    (folder / "a.toml").write_text('[[accelerator]]\nid = "h100-sxm"\ndefault_intra_link = "warp"\ntdp_w = 1\n')
    known = reload()
    assert "no link 'warp'" in known.problems[0]
    assert known.accelerator("h100-sxm").tdp_w == 700
    assert known.accelerator("h100-sxm").origin == "built-in"


def test_binary_and_unreadable_files(folder: Path) -> None:
    (folder / "binary.toml").write_bytes(b"\x00\xff" * 100)
    (folder / "folder.toml").mkdir()
    problems = reload().problems
    assert len(problems) == 2
    assert "binary.toml" in problems[0]
    assert "folder.toml" in problems[1]


def test_a_broken_config_fails_only_when_it_is_used(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (folder / "models.toml").write_text('[[model]]\nid = "half"\nconfig = "config.json"\n')
    known = reload()
    assert not known.problems
    with pytest.raises(catalog.CatalogError, match=r"config\.json"):
        _ = known.model("half").architecture


def test_marks_nesting_and_repeats_in_a_file(folder: Path) -> None:
    (folder / "a.toml").write_text("\ufeff" + CARD, encoding="utf-8")
    (folder / "b.toml").write_text("x = " + "[" * 50_000)
    (folder / "c.toml").write_text(CARD.replace("moonshot-1", "twin") + CARD.replace("moonshot-1", "twin"))
    known = reload()
    assert known.accelerator("moonshot-1").origin == "user"
    assert known.accelerator("twin").origin == "user"
    assert [problem.partition(str(folder))[2] for problem in known.problems] == [
        "/b.toml:1: nested too deeply; allowed: 16 levels",
        "/c.toml, twin: id: a second [[accelerator]] of this id in one file",
    ]
