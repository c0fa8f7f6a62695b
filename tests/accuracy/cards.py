"""Cards that rows name and the catalog does not sell: data sheets (NVIDIA, AMD, TechPowerUp), fp32-accumulate rates."""

from __future__ import annotations

from engine.parts.hardware import Accelerator


def _card(
    card_id: str,
    name: str,
    architecture: str,
    capability: str,
    memory: tuple[float, int, str],
    bandwidth_gb_s: float,
    sixteen: float,
    tdp_w: float,
    pcie: tuple[int, int],
    *,
    fp8: float | None = None,
    fp4: float | None = None,
    int8: float | None = None,
    vendor: str = "NVIDIA",
    workstation: bool = False,
) -> Accelerator:
    """A PCIe card. memory: GB as sold, MiB as reported, kind; pcie: generation and lanes; rates dense, in tera."""
    peer = workstation or vendor != "NVIDIA"
    return Accelerator(
        id=card_id,
        name=name,
        vendor=vendor,
        architecture=architecture,
        segment="workstation" if workstation else "consumer",
        form_factor="PCIe card",
        memory_gb_marketed=memory[0],
        memory_mib_reported=memory[1],
        bandwidth_gb_s=bandwidth_gb_s,
        tflops_bf16_dense=None if capability == "7.5" else sixteen,
        tflops_fp16_dense=sixteen,
        tflops_fp8_dense=fp8,
        tflops_fp4_dense=fp4,
        tops_int8_dense=int8,
        supports_bf16=capability != "7.5",
        supports_fp8=fp8 is not None,
        supports_fp4=fp4 is not None or "Blackwell" in architecture,
        tdp_w=tdp_w,
        pcie_gen=pcie[0],
        pcie_lanes=pcie[1],
        compute_capability=capability,
        peer_access=peer,
        default_intra_link="pcie4-x16" if peer else "pcie-no-p2p",
        memory_type=memory[2],
    )


_ADA, _GA, _BW = "Ada Lovelace AD", "Ampere GA", "Blackwell GB"
CARDS = (
    _card("rtx-2080-ti", "GeForce RTX 2080 Ti", "Turing TU102", "7.5", (11, 11264, "GDDR6"), 616.0, 53.8, 250, (3, 16)),
    _card(
        "rtx-3060", "GeForce RTX 3060", f"{_GA}106", "8.6", (12, 12288, "GDDR6"), 360.0, 25.5, 170, (4, 16), int8=102.0
    ),
    _card(
        "rtx-3080", "GeForce RTX 3080", f"{_GA}102", "8.6", (10, 10240, "GDDR6X"), 760.3, 59.5, 320, (4, 16), int8=238.0
    ),
    _card(
        "rtx-3080-ti",
        "GeForce RTX 3080 Ti",
        f"{_GA}102",
        "8.6",
        (12, 12288, "GDDR6X"),
        912.4,
        68.2,
        350,
        (4, 16),
        int8=273.0,
    ),
    _card(
        "rtx-4070", "GeForce RTX 4070", f"{_ADA}104", "8.9", (12, 12282, "GDDR6X"), 504.2, 58.3, 200, (4, 16), fp8=116.6
    ),
    _card(
        "rtx-4070-ti",
        "GeForce RTX 4070 Ti",
        f"{_ADA}104",
        "8.9",
        (12, 12282, "GDDR6X"),
        504.2,
        80.2,
        285,
        (4, 16),
        fp8=160.4,
    ),
    _card(
        "rtx-4060-ti",
        "GeForce RTX 4060 Ti 16 GB",
        f"{_ADA}106",
        "8.9",
        (16, 16380, "GDDR6"),
        288.0,
        44.1,
        165,
        (4, 8),
        fp8=88.2,
    ),
    _card(
        "rtx-4080", "GeForce RTX 4080", f"{_ADA}103", "8.9", (16, 16376, "GDDR6X"), 716.8, 97.5, 320, (4, 16), fp8=195.0
    ),
    _card(
        "rtx-5060-ti",
        "GeForce RTX 5060 Ti 16 GB",
        f"{_BW}206",
        "12.0",
        (16, 16311, "GDDR7"),
        448.0,
        47.4,
        180,
        (5, 8),
        fp8=94.8,
    ),
    _card(
        "rtx-5070-ti",
        "GeForce RTX 5070 Ti",
        f"{_BW}203",
        "12.0",
        (16, 16303, "GDDR7"),
        896.0,
        87.9,
        300,
        (5, 16),
        fp8=175.8,
        fp4=703.0,
    ),
    _card(
        "rtx-5080",
        "GeForce RTX 5080",
        f"{_BW}203",
        "12.0",
        (16, 16303, "GDDR7"),
        960.0,
        112.6,
        360,
        (5, 16),
        fp8=225.1,
        fp4=900.4,
    ),
    _card(
        "rtx-a5000", "RTX A5000", f"{_GA}102", "8.6", (24, 24564, "GDDR6"), 768.0, 111.1, 230, (4, 16), workstation=True
    ),
    _card(
        "l20",
        "L20",
        f"{_ADA}102",
        "8.9",
        (48, 46068, "GDDR6 ECC"),
        864.0,
        119.5,
        275,
        (4, 16),
        fp8=239.0,
        int8=239.0,
        workstation=True,
    ),
    _card(
        "rx-7900-xtx",
        "Radeon RX 7900 XTX",
        "RDNA3 Navi 31",
        "",
        (24, 24560, "GDDR6"),
        960.0,
        122.8,
        355,
        (4, 16),
        vendor="AMD",
    ),
)
EXTRA_CARDS = {card.id: card for card in CARDS}
