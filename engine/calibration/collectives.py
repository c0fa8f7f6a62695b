"""Constants of `engine.links.collectives`. Written by `python -m tests.calibration collectives`; not by hand.

Fitted to tests/reference/collectives.jsonl and the measured figures of catalog/data/links.toml.
CLASSES, per class of link: base_us and hop_us, latency of the low-latency protocol and of each of its steps;
mid_us, bulk_us and bulk_hop_us, what the other two protocols take longer to start; wire, ring bandwidth as share
of the one-way peak; low and mid, the bandwidths of the first two protocols as share of wire; switch and
switch_low, how much in-switch reduction gains. RING_SHARE: what is left of the two-GPU rate on a shared PCIe
tree. KERNELS: an engine's own all-reduce; call_us is what it adds to NCCL where it falls back to it.
KERNEL_CLASS: their latency against NVLink 4. LATENCY_SCALE: latency of a generation against its family.
SHARED: see the script. INTERVALS: observed over predicted time by place and size, tenth and ninetieth percent of rows
whose source the fit had not seen, votes as in the fit; INTERVAL: of all places. NEW_INTERVALS: the same where the fit had
seen nothing of the kind (class of link and generation of cards), one vote a kind. MEASURED_LINKS: links that a row
or fact was measured on; MEASURED_KINDS: kinds; FITTED_CLASSES: classes whose bandwidth a row moved. ASSUMED: constants that no row moved from
where they start.
"""

from __future__ import annotations

CLASSES: dict[str, dict[str, float]] = {
    "nvlink-3": {
        "base_us": 7.2,
        "hop_us": 1.576,
        "mid_us": 5.236,
        "bulk_us": 26.44,
        "bulk_hop_us": 1.01,
        "low": 0.2778,
        "mid": 0.4808,
        "wire": 0.7457,
    },
    "nvlink-4": {
        "base_us": 4.775,
        "hop_us": 0.9803,
        "mid_us": 5.446,
        "bulk_us": 27.31,
        "bulk_hop_us": 1.03,
        "low": 0.3208,
        "mid": 0.5656,
        "wire": 0.8135,
        "switch": 1.262,
        "switch_low": 1.554,
    },
    "nvlink-5": {
        "base_us": 7.302,
        "hop_us": 1.442,
        "mid_us": 4.938,
        "bulk_us": 26.41,
        "bulk_hop_us": 1.02,
        "low": 0.3245,
        "mid": 0.5769,
        "wire": 0.7521,
        "switch": 1.105,
        "switch_low": 1.568,
    },
    "nvlink-bridge": {
        "base_us": 4.95,
        "hop_us": 0.8,
        "mid_us": 5.05,
        "bulk_us": 14.57,
        "bulk_hop_us": 1.0,
        "low": 0.312,
        "mid": 0.5827,
        "wire": 0.5288,
    },
    "xgmi": {
        "base_us": 5.0,
        "hop_us": 0.8,
        "mid_us": 6.0,
        "bulk_us": 25.74,
        "bulk_hop_us": 1.01,
        "low": 0.3,
        "mid": 0.6302,
        "wire": 0.7414,
    },
    "scale-up": {
        "base_us": 8.0,
        "hop_us": 1.5,
        "mid_us": 6.0,
        "bulk_us": 25.0,
        "bulk_hop_us": 1.0,
        "low": 0.3,
        "mid": 0.6,
        "wire": 0.75,
    },
    "pcie-switch": {
        "base_us": 3.399,
        "hop_us": 1.335,
        "mid_us": 2.97,
        "bulk_us": 11.88,
        "bulk_hop_us": 0.9901,
        "low": 0.4202,
        "mid": 0.66,
        "wire": 0.74,
    },
    "pcie-root": {
        "base_us": 3.399,
        "hop_us": 1.545,
        "mid_us": 3.12,
        "bulk_us": 11.0,
        "bulk_hop_us": 0.9803,
        "low": 0.4916,
        "mid": 0.6309,
        "wire": 0.5924,
    },
    "pcie-cross": {
        "base_us": 3.57,
        "hop_us": 1.248,
        "mid_us": 2.885,
        "bulk_us": 11.77,
        "bulk_hop_us": 0.9901,
        "low": 0.5305,
        "mid": 0.84,
        "wire": 0.6021,
    },
    "pcie-host": {
        "base_us": 3.5,
        "hop_us": 2.411,
        "mid_us": 7.769,
        "bulk_us": 30.3,
        "bulk_hop_us": 2.02,
        "low": 0.35,
        "mid": 0.5882,
        "wire": 1.111,
    },
    "infiniband": {
        "base_us": 8.238,
        "hop_us": 4.119,
        "mid_us": 14.85,
        "bulk_us": 40.0,
        "bulk_hop_us": 10.0,
        "low": 0.35,
        "mid": 0.6,
        "wire": 0.9782,
    },
    "roce": {
        "base_us": 16.53,
        "hop_us": 5.817,
        "mid_us": 15.15,
        "bulk_us": 40.0,
        "bulk_hop_us": 10.0,
        "low": 0.3182,
        "mid": 0.606,
        "wire": 0.8713,
    },
    "roce-untuned": {
        "base_us": 11.65,
        "hop_us": 4.904,
        "mid_us": 15.0,
        "bulk_us": 40.8,
        "bulk_hop_us": 10.1,
        "low": 0.364,
        "mid": 0.6283,
        "wire": 0.3825,
    },
    "efa": {
        "base_us": 35.64,
        "hop_us": 15.45,
        "mid_us": 20.2,
        "bulk_us": 60.0,
        "bulk_hop_us": 20.0,
        "low": 0.3399,
        "mid": 0.5673,
        "wire": 0.874,
    },
    "tcp": {
        "base_us": 14.28,
        "hop_us": 18.91,
        "mid_us": 29.7,
        "bulk_us": 59.41,
        "bulk_hop_us": 20.0,
        "low": 0.5236,
        "mid": 0.7353,
        "wire": 0.945,
    },
    "tcpx": {
        "base_us": 43.7,
        "hop_us": 14.85,
        "mid_us": 24.75,
        "bulk_us": 49.5,
        "bulk_hop_us": 15.0,
        "low": 0.35,
        "mid": 0.6178,
        "wire": 0.9425,
    },
    "fabric": {
        "base_us": 12.69,
        "hop_us": 8.546,
        "mid_us": 20.8,
        "bulk_us": 43.2,
        "bulk_hop_us": 10.4,
        "low": 0.3365,
        "mid": 0.55,
        "wire": 0.7933,
    },
}

RING_SHARE: dict[str, dict[str, float]] = {
    "pcie-cross": {
        "at_4": 0.2723,
        "at_8": 0.104,
    },
    "pcie-host": {
        "at_4": 1.0,
        "at_8": 0.8444,
    },
}

KERNELS: dict[str, dict[str, float]] = {
    "vllm": {
        "base_us": 3.848,
        "hop_us": 0.2651,
        "wire": 0.6376,
        "cap_gb_s": 242.0,
        "call_us": 1.56,
    },
    "trtllm": {
        "base_us": 2.8,
        "hop_us": 0.1508,
        "wire": 0.4248,
        "cap_gb_s": 500.0,
        "call_us": 1.5,
    },
    "mscclpp": {
        "base_us": 2.262,
        "hop_us": 0.45,
        "wire": 0.6992,
        "cap_gb_s": 500.0,
        "call_us": 1.5,
    },
    "one-shot": {
        "base_us": 5.0,
        "hop_us": 0.3501,
        "wire": 0.52,
        "cap_gb_s": 220.0,
        "call_us": 1.5,
    },
    "vllm-pcie": {
        "base_us": 4.0,
        "hop_us": 0.4,
        "wire": 0.5,
        "cap_gb_s": 220.0,
        "call_us": 1.322,
    },
    "trtllm-pcie": {
        "base_us": 4.0,
        "hop_us": 0.4,
        "wire": 0.5,
        "cap_gb_s": 220.0,
        "call_us": 1.142,
    },
}

KERNEL_CLASS: dict[str, float] = {
    "nvlink-3": 1.262,
    "nvlink-4": 1.0,
    "nvlink-5": 1.669,
}

LATENCY_SCALE: dict[str, float] = {
    "efa-v1": 2.101,
    "efa-v4": 2.727,
}

SHARED: dict[str, float] = {
    "send_fill": 0.1872,
    "socket_gb_s": 5.0,
    "two_shot": 1.2,
    "root_gb_s": 23.27,
    "driver_gain": 1.469,
}

INTERVAL: tuple[float, float] = (0.79, 1.49)

INTERVALS: dict[str, tuple[float, float]] = {
    "kernel large": (0.77, 1.71),
    "kernel middle": (0.68, 1.33),
    "kernel small": (0.70, 1.27),
    "network large": (0.85, 1.37),
    "network middle": (0.78, 5.31),
    "network small": (0.43, 1.57),
    "nvlink large": (0.92, 1.26),
    "nvlink middle": (0.83, 1.48),
    "nvlink small": (0.82, 1.67),
    "pcie large": (0.89, 1.15),
    "pcie middle": (0.62, 1.35),
    "pcie small": (0.75, 1.70),
}

NEW_INTERVALS: dict[str, tuple[float, float]] = {
    "all": (0.78, 1.49),
    "kernel large": (0.70, 1.71),
    "kernel middle": (0.68, 1.48),
    "kernel small": (0.70, 1.37),
    "network large": (0.82, 1.37),
    "network middle": (0.77, 5.31),
    "network small": (0.43, 1.57),
    "nvlink large": (0.92, 1.55),
    "nvlink middle": (0.83, 1.73),
    "nvlink small": (0.82, 2.58),
    "pcie large": (0.79, 1.38),
    "pcie middle": (0.58, 1.35),
    "pcie small": (0.72, 1.70),
}

ASSUMED: frozenset[str] = frozenset(
    {
        "CLASSES.efa.bulk_hop_us",
        "CLASSES.efa.bulk_us",
        "CLASSES.infiniband.bulk_hop_us",
        "CLASSES.infiniband.bulk_us",
        "CLASSES.infiniband.low",
        "CLASSES.infiniband.mid",
        "CLASSES.nvlink-bridge.bulk_hop_us",
        "CLASSES.nvlink-bridge.hop_us",
        "CLASSES.pcie-host.base_us",
        "CLASSES.pcie-host.low",
        "CLASSES.pcie-switch.wire",
        "CLASSES.roce-untuned.mid_us",
        "CLASSES.roce.bulk_hop_us",
        "CLASSES.roce.bulk_us",
        "CLASSES.scale-up.base_us",
        "CLASSES.scale-up.bulk_hop_us",
        "CLASSES.scale-up.bulk_us",
        "CLASSES.scale-up.hop_us",
        "CLASSES.scale-up.low",
        "CLASSES.scale-up.mid",
        "CLASSES.scale-up.mid_us",
        "CLASSES.scale-up.wire",
        "CLASSES.tcp.bulk_hop_us",
        "CLASSES.tcpx.bulk_hop_us",
        "CLASSES.tcpx.low",
        "CLASSES.xgmi.base_us",
        "CLASSES.xgmi.hop_us",
        "CLASSES.xgmi.low",
        "CLASSES.xgmi.mid_us",
        "KERNELS.mscclpp.call_us",
        "KERNELS.mscclpp.cap_gb_s",
        "KERNELS.one-shot.base_us",
        "KERNELS.one-shot.call_us",
        "KERNELS.one-shot.cap_gb_s",
        "KERNELS.trtllm-pcie.base_us",
        "KERNELS.trtllm-pcie.cap_gb_s",
        "KERNELS.trtllm-pcie.hop_us",
        "KERNELS.trtllm-pcie.wire",
        "KERNELS.trtllm.base_us",
        "KERNELS.trtllm.call_us",
        "KERNELS.trtllm.cap_gb_s",
        "KERNELS.vllm-pcie.base_us",
        "KERNELS.vllm-pcie.cap_gb_s",
        "KERNELS.vllm-pcie.hop_us",
        "KERNELS.vllm-pcie.wire",
        "SHARED.socket_gb_s",
    }
)

MEASURED_LINKS: frozenset[str] = frozenset(
    {
        "efa-v1",
        "efa-v2",
        "efa-v3",
        "efa-v4-b200",
        "eth-100-tcp",
        "eth-25-tcp",
        "gcp-tcpxo",
        "ib-hdr",
        "ib-ndr",
        "nvlink-3",
        "nvlink-4",
        "nvlink-4-bridge",
        "nvlink-4-bridge-4way",
        "nvlink-5",
        "nvlink-5-nvl72",
        "pcie-no-p2p",
        "pcie3-x16",
        "pcie4-cross-socket",
        "pcie4-x16",
        "pcie5-root",
        "pcie5-switch",
        "roce-100",
        "roce-100-untuned",
        "roce-200",
        "roce-400",
        "slingshot-11",
        "xgmi-mi300x",
        "xgmi-mi300x-virtual",
        "xgmi-mi355x",
    }
)

MEASURED_KINDS: frozenset[str] = frozenset(
    {
        "efa Ampere",
        "efa Blackwell",
        "efa Hopper",
        "fabric Hopper",
        "infiniband Ampere",
        "infiniband Hopper",
        "nvlink-3 Ampere",
        "nvlink-4 Hopper",
        "nvlink-5 Blackwell",
        "nvlink-bridge Ampere",
        "nvlink-bridge Hopper",
        "pcie-cross Ada",
        "pcie-driver Ada",
        "pcie-driver Blackwell",
        "pcie-host Ada",
        "pcie-host Blackwell",
        "pcie-root Ampere",
        "pcie-root Blackwell",
        "pcie-root CDNA",
        "pcie-root Volta",
        "pcie-switch Blackwell",
        "roce Ampere",
        "roce Blackwell",
        "roce CDNA3",
        "roce Hopper",
        "roce-untuned Ada",
        "roce-untuned Ampere",
        "tcp Ampere",
        "tcp Volta",
        "tcpx Hopper",
        "xgmi CDNA3",
        "xgmi CDNA4",
    }
)

FITTED_CLASSES: frozenset[str] = frozenset(
    {
        "efa",
        "fabric",
        "infiniband",
        "nvlink-3",
        "nvlink-4",
        "nvlink-5",
        "nvlink-bridge",
        "pcie-cross",
        "pcie-host",
        "pcie-root",
        "roce",
        "roce-untuned",
        "tcp",
        "tcpx",
        "xgmi",
    }
)
