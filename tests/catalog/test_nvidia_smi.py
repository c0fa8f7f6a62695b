"""nvidia-smi's CSV and the accelerators it names."""

from __future__ import annotations

import pytest

import catalog
from catalog.nvidia_smi import DetectedGpu, DetectError, grouped, identify, parse
from catalog.other_smi import parse_other

CARDS = catalog.load().facts.accelerators
FULL = """\
name, memory.total [MiB], power.limit [W], pcie.link.gen.max, pcie.link.width.max, compute_cap, driver_version
NVIDIA H100 80GB HBM3, 81559 MiB, 700.00 W, 5, 16, 9.0, 550.54.15
NVIDIA H100 80GB HBM3, 81559 MiB, 700.00 W, 5, 16, 9.0, 550.54.15
"""


def test_units_in_head_and_cells() -> None:
    first = parse(FULL)[0]
    assert first == DetectedGpu("NVIDIA H100 80GB HBM3", 81559, 700.0, 5, 16, "9.0", "550.54.15")
    assert parse("name, memory.total [MiB]\nTesla T4, 15360\n") == [DetectedGpu("Tesla T4", 15360)]


def test_what_the_driver_does_not_know_is_none() -> None:
    text = "name, memory.total [MiB], power.limit [W], compute_cap\nNVIDIA GB10, [N/A], [Not Supported], [N/A]\n"
    assert parse(text) == [DetectedGpu("NVIDIA GB10", None)]


@pytest.mark.parametrize(
    "text", ["", "no devices were found\n", "name, memory.total [MiB]\nonly one cell\n", "a,b\n1,2\n"]
)
def test_other_output_is_refused(text: str) -> None:
    with pytest.raises(DetectError):
        parse(text)


@pytest.mark.parametrize(
    ("name", "mib", "expected"),
    [
        ("NVIDIA H100 80GB HBM3", 81559, "h100-sxm"),
        ("NVIDIA H100 PCIe", 81559, "h100-pcie"),
        ("NVIDIA H100 NVL", 95830, "h100-nvl"),
        ("NVIDIA H200", 143771, "h200-sxm"),
        ("NVIDIA H200 NVL", 143771, "h200-nvl"),
        ("NVIDIA H20", 97871, "h20"),
        ("NVIDIA GH200 480GB", 97871, "gh200-96gb"),
        ("NVIDIA A100-SXM4-80GB", 81920, "a100-sxm4-80gb"),
        ("NVIDIA A100-SXM4-40GB", 40960, "a100-sxm4-40gb"),
        ("NVIDIA A100-PCIE-40GB", 40960, "a100-pcie-40gb"),
        ("NVIDIA A100 80GB PCIe", 81920, "a100-pcie-80gb"),
        ("Tesla T4", 15360, "t4"),
        ("Tesla V100-SXM2-32GB", 32768, "v100-sxm2-32gb"),
        ("NVIDIA L4", 23034, "l4"),
        ("NVIDIA L40", 46068, "l40"),
        ("NVIDIA L40S", 46068, "l40s"),
        ("NVIDIA L40S", 49140, "l40s"),
        ("NVIDIA A10", 23028, "a10"),
        ("NVIDIA A10G", 23028, "a10g"),
        ("NVIDIA A40", 46068, "a40"),
        ("NVIDIA RTX A6000", 49140, "rtx-a6000"),
        ("NVIDIA RTX A6000", 46068, "rtx-a6000"),
        ("NVIDIA RTX 6000 Ada Generation", 49140, "rtx-6000-ada"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", 97887, "rtx-pro-6000-server"),
        ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", 97887, "rtx-pro-6000-workstation"),
        ("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", 97887, "rtx-pro-6000-max-q"),
        ("NVIDIA RTX PRO 5000 Blackwell", 48935, "rtx-pro-5000"),
        ("NVIDIA GeForce RTX 3090", 24576, "rtx-3090"),
        ("NVIDIA GeForce RTX 4090", 24564, "rtx-4090"),
        ("NVIDIA GeForce RTX 5090", 32607, "rtx-5090"),
        ("NVIDIA B200", 183359, "b200-sxm"),
        ("NVIDIA B300 SXM6 AC", 275040, "b300-sxm"),
        ("NVIDIA GB200", 189471, "gb200"),
        ("NVIDIA GB10", None, "gb10"),
        ("NVIDIA GeForce RTX 4070 Ti", 12282, "rtx-4070-ti"),
        ("Quadro RTX 6000", 24576, "quadro-rtx-6000"),
        ("NVIDIA TITAN RTX", 24576, "titan-rtx"),
        ("NVIDIA TITAN V", 12066, "titan-v"),
        ("NVIDIA TITAN RTX", 12288, None),
        ("NVIDIA GeForce GTX 1080 Ti", 11178, "gtx-1080-ti"),
        ("NVIDIA GeForce GTX 1080 with Max-Q Design", 8119, None),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", 9856, None),
    ],
)
def test_names_of_the_driver(name: str, mib: int | None, expected: str | None) -> None:
    found = identify(DetectedGpu(name, mib), CARDS)
    assert (found.id if found else None) == expected


def test_the_power_limit_tells_cards_of_one_name_apart() -> None:
    found = identify(DetectedGpu("NVIDIA H100", 81559, power_limit_w=350.0), CARDS)
    assert found is not None
    assert found.id == "h100-pcie"


def test_equal_cards_are_counted_together_and_the_most_come_first() -> None:
    gpus = [DetectedGpu("Tesla T4", 15360), DetectedGpu("NVIDIA L4", 23034), DetectedGpu("NVIDIA L4", 23034)]
    groups = grouped(gpus, CARDS)
    assert [(group.count, group.accelerator.id if group.accelerator else "") for group in groups] == [
        (2, "l4"),
        (1, "t4"),
    ]


def test_a_name_s_own_memory_counts_where_the_driver_says_none() -> None:
    known = catalog.load().facts.accelerators
    found = identify(DetectedGpu("NVIDIA A100-SXM4-80GB", None), known)
    assert found is not None
    assert found.id == "a100-sxm4-80gb"


def test_output_without_a_head_and_the_list_of_cards() -> None:
    assert parse("NVIDIA L4, 23034 MiB\nNVIDIA L4, 23034\n") == [DetectedGpu("NVIDIA L4", 23034)] * 2
    text = "GPU 0: NVIDIA L4 (UUID: GPU-1)\n  MIG 1g.10gb Device 0: (UUID: MIG-1)\nGPU 1: NVIDIA L4 (UUID: GPU-2)\n"
    assert parse(text) == [DetectedGpu("NVIDIA L4", None)] * 2


def test_the_text_of_other_makers_is_read() -> None:
    rocm = "".join(
        f"GPU[{gpu}]\t\t: Card Series: \t\tAMD Instinct MI300X OAM\nGPU[{gpu}]\t\t: Card Model: \t\t0x74a1\n"
        f"GPU[{gpu}]\t\t: VRAM Total Memory (B): 206141652992\n"
        for gpu in range(4)
    )
    (group,) = grouped(parse_other(rocm), CARDS)
    assert group.accelerator is not None
    assert (group.accelerator.id, group.count) == ("mi300x", 4)
    xpu = "| Device ID | Device Information |\n| 0         | Device Name: Intel(R) Arc(TM) Pro B60 Graphics |\n"
    (group,) = grouped(parse_other(xpu), CARDS)
    assert group.accelerator is not None
    assert group.accelerator.id == "arc-pro-b60"
    assert parse_other(FULL) == []


@pytest.mark.parametrize(
    ("name", "mib"),
    [
        ("NVIDIA A100-SXM4-80GB MIG 3g.40gb", 40192),
        ("NVIDIA A40-24Q", 24576),
        ("GRID A100D-40C", 40960),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", 16376),
    ],
)
def test_a_part_of_a_card_and_a_laptops_chip_are_not_the_card(name: str, mib: int) -> None:
    assert identify(DetectedGpu(name, mib), CARDS) is None


def test_a_driver_that_does_not_answer_is_said() -> None:
    with pytest.raises(DetectError, match="the driver does not answer"):
        parse("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n")


def test_an_unknown_card_is_answered_with_its_entry() -> None:
    from tui.shell.detect import Seen, render

    seen = Seen(tuple(grouped([DetectedGpu("NVIDIA GeForce GTX 1660", 6144)], CARDS)))
    assert 'id = "nvidia-geforce-gtx-1660", memory_mib_reported = 6144' in render(seen, "text")
