"""What machines say of themselves: cards of any tool, slots, NVLink, host memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from catalog.host_text import parse_memory
from tui.cli import main
from tui.paste import reading

QUERY_GPU = """GPU 00000000:{bus}:00.0
    Product Name                          : {name}
    GPU Link Info
        PCIe Generation
            Max                           : 5
            Current                       : 1
            Device Max                    : 5
            Host Max                      : {host}
        Link Width
            Max                           : 16x
            Current                       : {lanes}x
    FB Memory Usage
        Total                             : {mib} MiB
    GPU Power Readings
        Current Power Limit               : 300.00 W
"""
MEMINFO = "MemTotal:       527951784 kB\nMemFree:        400000000 kB\n"
LSPCI = """41:00.0 3D controller: NVIDIA Corporation AD102GL [L40S] (rev a1)
\tSubsystem: NVIDIA Corporation Device 1851
\t\tLnkCap:\tPort #0, Speed 16GT/s, Width x16, ASPM L1
\t\tLnkSta:\tSpeed 2.5GT/s (downgraded), Width x{lanes} (downgraded)
"""
AMD = "GPU: {n}\n    ASIC:\n        MARKET_NAME: AMD Instinct MI300X\n    VRAM:\n        TYPE: HBM\n        SIZE: 196288 MB\n"
ROCM = "GPU[{n}]\t\t: Card Series: \t\t{name}\nGPU[{n}]\t\t: VRAM Total Memory (B): {size}\n"
XPU = (
    "| Device ID | Device Information |\n| {n} | Device Name: Intel(R) Arc(TM) Pro B60 Graphics |\n"
    "|   | Memory Physical Size: 24480.00 MiB |\n"
)
NEURON = (
    "+--------+--------+----------+--------+---------------+--------------+\n"
    "| NEURON | NEURON |  NEURON  | NEURON |   CONNECTED   |     PCI      |\n"
    "| DEVICE | CORES  | CORE IDS | MEMORY |    DEVICES    |     BDF      |\n"
    "+--------+--------+----------+--------+---------------+--------------+\n"
)
NEURON_DEVICE = "| {n}      | {cores}      | 0-3      | {gb} GB  | 12, 3, 4, 1   | 0000:cc:00.0 |\n"
LINKS = "GPU {n}: {name} (UUID: GPU-{n})\n\t Link 0: {first}\n\t Link 1: {first}\n"
L4 = "name, memory.total [MiB]\nNVIDIA L4, 23034 MiB\nNVIDIA L4, 23034 MiB\n"


def query(name: str, mib: int, host: int = 5, lanes: int = 16, gpus: int = 2) -> str:
    cards = "".join(QUERY_GPU.format(bus=f"0{n}", name=name, mib=mib, host=host, lanes=lanes) for n in range(gpus))
    return f"Driver Version                            : 570.86\n{cards}"


def detected(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    saved = tmp_path / "said.txt"
    saved.write_text(text)
    assert main(["detect", "--from", str(saved), "--format", "json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    ("text", "card", "count"),
    [
        (query("NVIDIA RTX PRO 6000 Blackwell Server Edition", 97887, gpus=4), "rtx-pro-6000-server", 4),
        ("".join(AMD.format(n=n) for n in range(8)), "mi300x", 8),
        (json.dumps({f"card{n}": {"Card Series": "AMD Instinct MI300X OAM", "VRAM Total Memory (B)": "206141652992"}
                     for n in range(2)}), "mi300x", 2),
        ("".join(XPU.format(n=n) for n in range(2)), "arc-pro-b60", 2),
        ("|   0  HL-225              N/A  | 0000:33:00.0     N/A |                   0  |\n"
         "| N/A   29C   N/A  103W /  600W |    768MiB / 98304MiB |     0%           N/A |\n", "gaudi-2", 1),
        (NEURON + "".join(NEURON_DEVICE.format(n=n, cores=8, gb=96) for n in range(16)), "trainium2", 16),
        ("instance-type: inf2.24xlarge\n" + NEURON + "".join(NEURON_DEVICE.format(n=n, cores=2, gb=32) for n in range(6)),
         "inferentia2", 6),
        (NEURON + NEURON_DEVICE.format(n=0, cores=2, gb=32), None, 1),  # Trainium's, or Inferentia2's
        (ROCM.format(n=0, name="Radeon VII", size=17163091968), "radeon-vii", 1),
    ],
)  # fmt: skip
def test_every_tool_s_cards_are_read(
    text: str, card: str | None, count: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (group,) = detected(text, tmp_path, capsys)
    assert (group["accelerator"], group["count"]) == (card, count)


def test_a_host_of_two_makers_is_read_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = L4 + "\n" + ROCM.format(n=0, name="AMD Radeon AI PRO R9700", size=34208743424) + MEMINFO
    groups = detected(text, tmp_path, capsys)
    assert [(group["accelerator"], group["count"]) for group in groups] == [("l4", 2), ("radeon-ai-pro-r9700", 1)]
    assert groups[0]["host_memory_gib"] == pytest.approx(503.5, abs=0.1)
    scenario = reading.scenario_of(reading.read(text), {})
    assert [(card.id, count) for card, count in scenario.hardware.mixed] == [("l4", 2), ("radeon-ai-pro-r9700", 1)]


@pytest.mark.parametrize(
    ("text", "link"),
    [
        (query("NVIDIA RTX PRO 6000 Blackwell Server Edition", 97887), None),
        (query("NVIDIA RTX PRO 6000 Blackwell Server Edition", 97887, lanes=8), "pcie5-x8"),
        (query("NVIDIA RTX PRO 6000 Blackwell Server Edition", 97887, host=4), "pcie4-x16"),
        (query("NVIDIA RTX PRO 6000 Blackwell Server Edition", 97887, host=4, lanes=8), "pcie3-x16"),
        (query("NVIDIA GeForce RTX 5090", 32607, lanes=8), "pcie-no-p2p"),
        (LSPCI.format(lanes=8) * 2, "pcie3-x16"),
        (LSPCI.format(lanes=16) * 2, None),
        ("".join(LINKS.format(n=n, name="NVIDIA GeForce RTX 3090", first="14.062 GB/s") for n in range(2)), "nvlink-3-bridge"),
        ("".join(LINKS.format(n=n, name="NVIDIA GeForce RTX 2080 Ti", first="25.781 GB/s") for n in range(2)), "nvlink-2-bridge"),
        ("".join(LINKS.format(n=n, name="NVIDIA GeForce RTX 2080", first="25.781 GB/s") for n in range(2)), "nvlink-2-bridge-x8"),
        ("".join(LINKS.format(n=n, name="NVIDIA GeForce RTX 3090", first="<inactive>") for n in range(2)), None),
        ("".join(LINKS.format(n=n, name="NVIDIA H100 80GB HBM3", first="26.562 GB/s") for n in range(2)), None),
        ("".join(AMD.format(n=n) for n in range(2)) + "       GPU0   GPU1\nGPU0   0   XGMI\nGPU1   XGMI   0\n", None),
    ],
)  # fmt: skip
def test_slots_and_nvlink_say_the_link(
    text: str, link: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (group,) = detected(text, tmp_path, capsys)
    assert group["intra_link"] == link
    said = reading.read(text).value("hardware.intra_link")
    assert said == link


@pytest.mark.parametrize(
    ("text", "gib"),
    [
        (MEMINFO, 503.5),
        ("               total        used        free\nMem:       527951784    23   400\n", 503.5),
        ("              total  used  free\nMem:           503Gi  23Gi  400Gi\n", 503.0),
        ("              total  used  free\nMem:           1.5Ti  23Gi  400Gi\n", 1536.0),
        ("              total  used  free\nMem:          515577  23    400\n", 503.5),
        ("              total  used  free\nMem:             503  23    400\n", 503.0),
        ("hw.memsize: 137438953472\n", 128.0),
        ("nothing of memory\n", None),
    ],
)
def test_host_memory_in_every_tool_s_units(text: str, gib: float | None) -> None:
    found = parse_memory(text)
    assert found == (None if gib is None else pytest.approx(gib, abs=0.1))


def test_weights_that_stay_on_the_host_must_fit_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build = ["report", "--model", "gpt-oss-120b", "--weights", "gguf-mxfp4", "--accelerator", "rtx-3090", "--gpus", "1",
             "--concurrency", "1", "--set", "runtime.engine=llama.cpp", "--set", "runtime.n_cpu_moe=36", "--format", "json"]  # fmt: skip
    ids = {}
    for ram in (32, 128):
        main([*build, "--set", f"runtime.host_ram_gib={ram}"])
        ids[ram] = capsys.readouterr().out
    assert "of weights stay in host memory" in ids[32]
    assert "of weights stay in host memory" not in ids[128]


def test_memory_that_card_and_host_share_is_no_host_memory_of_its_own() -> None:
    found = reading.read("name, memory.total [MiB]\nNVIDIA GB10, [N/A]\n" + MEMINFO)
    assert found.value("hardware.accelerator") == "gb10"
    assert found.value("runtime.host_ram_gib") is None
