"""Constants of `engine.links.collectives`. Written by scripts/calibrate_collectives.py --write; not by hand.

Fitted to tests/reference/collectives.jsonl and the measured figures of catalog/data/links.toml.
CLASSES, per class of link: base_us and hop_us, latency of the low-latency protocol and of each of its steps;
mid_us, bulk_us and bulk_hop_us, what the other two protocols take longer to start; wire, ring bandwidth as share
of the one-way peak; low and mid, the bandwidths of the first two protocols as share of wire; switch and
switch_low, how much in-switch reduction gains. RING_SHARE: what is left of the two-GPU rate on a shared PCIe
tree. KERNELS: an engine's own all-reduce; call_us is what it adds to NCCL where it falls back to it.
KERNEL_CLASS: their latency against NVLink 4. LATENCY_SCALE: latency of a generation against its family.
SHARED: see the script. INTERVAL: observed over predicted time, tenth and ninetieth percent of rows whose series
(one run of a benchmark) the fit had not seen. MEASURED_LINKS: links that a row or fact was measured on; FITTED_CLASSES: classes with
any such link.
"""

from __future__ import annotations

CLASSES: dict[str, dict[str, float]] = {
    "nvlink-3": {
        "base_us": 8.911,
        "hop_us": 0.9848,
        "mid_us": 4.875,
        "bulk_us": 30.48,
        "bulk_hop_us": 0.9901,
        "low": 0.2827,
        "mid": 0.4195,
        "wire": 0.6278,
    },
    "nvlink-4": {
        "base_us": 4.95,
        "hop_us": 0.8991,
        "mid_us": 6.24,
        "bulk_us": 26.74,
        "bulk_hop_us": 0.9915,
        "low": 0.375,
        "mid": 0.6121,
        "wire": 0.7521,
        "switch": 1.339,
        "switch_low": 1.496,
    },
    "nvlink-5": {
        "base_us": 7.957,
        "hop_us": 1.337,
        "mid_us": 6.35,
        "bulk_us": 38.68,
        "bulk_hop_us": 1.116,
        "low": 0.3636,
        "mid": 0.5941,
        "wire": 0.7822,
        "switch": 1.063,
        "switch_low": 1.257,
    },
    "nvlink-bridge": {
        "base_us": 4.208,
        "hop_us": 0.8,
        "mid_us": 6.5,
        "bulk_us": 10.68,
        "bulk_hop_us": 0.9455,
        "low": 0.3781,
        "mid": 0.6,
        "wire": 0.5,
    },
    "xgmi": {
        "base_us": 8.0,
        "hop_us": 1.5,
        "mid_us": 6.0,
        "bulk_us": 25.0,
        "bulk_hop_us": 1.0,
        "low": 0.3,
        "mid": 0.6,
        "wire": 0.72,
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
        "base_us": 3.659,
        "hop_us": 1.3,
        "mid_us": 3.0,
        "bulk_us": 10.89,
        "bulk_hop_us": 0.8902,
        "low": 0.6666,
        "mid": 0.6,
        "wire": 0.74,
    },
    "pcie-root": {
        "base_us": 3.059,
        "hop_us": 1.667,
        "mid_us": 3.0,
        "bulk_us": 9.268,
        "bulk_hop_us": 0.9819,
        "low": 0.55,
        "mid": 0.6,
        "wire": 0.604,
    },
    "pcie-cross": {
        "base_us": 4.106,
        "hop_us": 1.033,
        "mid_us": 3.004,
        "bulk_us": 10.77,
        "bulk_hop_us": 0.9639,
        "low": 0.5777,
        "mid": 0.8484,
        "wire": 0.5962,
    },
    "pcie-host": {
        "base_us": 3.5,
        "hop_us": 3.5,
        "mid_us": 8.0,
        "bulk_us": 30.0,
        "bulk_hop_us": 2.0,
        "low": 0.35,
        "mid": 0.6,
        "wire": 1.111,
    },
    "infiniband": {
        "base_us": 8.546,
        "hop_us": 4.273,
        "mid_us": 16.85,
        "bulk_us": 43.56,
        "bulk_hop_us": 10.1,
        "low": 0.35,
        "mid": 0.8911,
        "wire": 0.9782,
    },
    "roce": {
        "base_us": 27.0,
        "hop_us": 3.333,
        "mid_us": 10.89,
        "bulk_us": 34.67,
        "bulk_hop_us": 9.52,
        "low": 0.267,
        "mid": 0.9519,
        "wire": 0.8403,
    },
    "roce-untuned": {
        "base_us": 8.238,
        "hop_us": 3.333,
        "mid_us": 15.0,
        "bulk_us": 44.62,
        "bulk_hop_us": 10.5,
        "low": 0.5998,
        "mid": 0.6,
        "wire": 0.3861,
    },
    "efa": {
        "base_us": 31.16,
        "hop_us": 18.0,
        "mid_us": 20.0,
        "bulk_us": 58.27,
        "bulk_hop_us": 19.42,
        "low": 0.3024,
        "mid": 0.5297,
        "wire": 0.9,
    },
    "tcp": {
        "base_us": 11.23,
        "hop_us": 14.57,
        "mid_us": 28.56,
        "bulk_us": 51.19,
        "bulk_hop_us": 18.88,
        "low": 0.476,
        "mid": 0.77,
        "wire": 0.9555,
    },
    "fabric": {
        "base_us": 12.12,
        "hop_us": 8.08,
        "mid_us": 23.27,
        "bulk_us": 34.97,
        "bulk_hop_us": 9.549,
        "low": 0.35,
        "mid": 0.4752,
        "wire": 0.909,
    },
}

RING_SHARE: dict[str, dict[str, float]] = {
    "pcie-root": {
        "at_4": 0.6121,
        "at_8": 0.6121,
    },
    "pcie-cross": {
        "at_4": 0.275,
        "at_8": 0.09901,
    },
    "pcie-host": {
        "at_4": 0.6,
        "at_8": 0.48,
    },
}

KERNELS: dict[str, dict[str, float]] = {
    "vllm": {
        "base_us": 3.663,
        "hop_us": 0.3481,
        "wire": 0.6611,
        "cap_gb_s": 196.1,
        "call_us": 1.56,
    },
    "trtllm": {
        "base_us": 2.719,
        "hop_us": 0.1725,
        "wire": 0.3852,
        "cap_gb_s": 500.0,
        "call_us": 1.5,
    },
    "one-shot": {
        "base_us": 5.0,
        "hop_us": 0.363,
        "wire": 0.5446,
        "cap_gb_s": 220.0,
        "call_us": 1.5,
    },
    "vllm-pcie": {
        "base_us": 4.0,
        "hop_us": 0.4,
        "wire": 0.5,
        "cap_gb_s": 220.0,
        "call_us": 1.529,
    },
    "trtllm-pcie": {
        "base_us": 4.0,
        "hop_us": 0.4,
        "wire": 0.5,
        "cap_gb_s": 220.0,
        "call_us": 1.224,
    },
}

KERNEL_CLASS: dict[str, float] = {
    "nvlink-3": 1.322,
    "nvlink-4": 1.0,
    "nvlink-5": 1.719,
}

LATENCY_SCALE: dict[str, float] = {
    "efa-v1": 2.178,
    "efa-v4": 3.0,
}

SHARED: dict[str, float] = {
    "send_fill": 0.1424,
    "socket_gb_s": 5.0,
    "two_shot": 0.9917,
}

INTERVAL: tuple[float, float] = (0.81, 1.27)

MEASURED_LINKS: frozenset[str] = frozenset(
    {
        "efa-v1",
        "efa-v2",
        "efa-v4-b200",
        "eth-100-tcp",
        "eth-25-tcp",
        "gcp-tcpxo",
        "ib-hdr",
        "ib-ndr",
        "nvlink-3",
        "nvlink-4",
        "nvlink-4-bridge",
        "nvlink-5",
        "nvlink-5-nvl72",
        "pcie-no-p2p",
        "pcie4-cross-socket",
        "pcie5-root",
        "pcie5-switch",
        "roce-100",
        "roce-200",
        "roce-400",
        "xgmi-mi300x",
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
        "pcie-switch",
        "roce",
        "roce-untuned",
        "tcp",
        "xgmi",
    }
)
