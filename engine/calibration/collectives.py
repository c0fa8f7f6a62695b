"""Constants of the collective model, per class of link. Written by scripts/calibrate_collectives.py."""

from __future__ import annotations

# class -> constant -> value; see engine.collectives.LinkClass for the meaning of each
CLASSES: dict[str, dict[str, float]] = {
    "nvlink-3": {
        "base_us": 6.5,
        "hop_us": 1.4,
        "mid_us": 4.0,
        "bulk_us": 20.0,
        "low": 0.3,
        "mid": 0.6,
        "wire": 0.78,
        "switch": 1.0,
    },
    "nvlink-4": {
        "base_us": 4.2,
        "hop_us": 0.8,
        "mid_us": 3.0,
        "bulk_us": 16.0,
        "low": 0.3,
        "mid": 0.6,
        "wire": 0.80,
        "switch": 1.25,
    },
    "nvlink-5": {
        "base_us": 7.8,
        "hop_us": 1.25,
        "mid_us": 5.0,
        "bulk_us": 25.0,
        "low": 0.3,
        "mid": 0.6,
        "wire": 0.76,
        "switch": 1.2,
    },
    "nvlink-bridge": {
        "base_us": 6.0,
        "hop_us": 0.8,
        "mid_us": 3.0,
        "bulk_us": 14.0,
        "low": 0.3,
        "mid": 0.6,
        "wire": 0.65,
        "switch": 1.0,
    },
    "xgmi": {
        "base_us": 10.0,
        "hop_us": 1.2,
        "mid_us": 6.0,
        "bulk_us": 25.0,
        "low": 0.3,
        "mid": 0.6,
        "wire": 0.72,
        "switch": 1.0,
    },
    "pcie-switch": {
        "base_us": 5.0,
        "hop_us": 1.2,
        "mid_us": 3.0,
        "bulk_us": 12.0,
        "low": 0.3,
        "mid": 0.6,
        "wire": 0.72,
        "switch": 1.0,
    },
    "pcie-root": {
        "base_us": 5.0,
        "hop_us": 1.0,
        "mid_us": 3.0,
        "bulk_us": 12.0,
        "low": 0.35,
        "mid": 0.6,
        "wire": 0.61,
        "switch": 1.0,
    },
    "pcie-cross": {
        "base_us": 5.0,
        "hop_us": 1.1,
        "mid_us": 3.0,
        "bulk_us": 12.0,
        "low": 0.45,
        "mid": 0.6,
        "wire": 0.64,
        "switch": 1.0,
    },
    "pcie-host": {
        "base_us": 14.0,
        "hop_us": 7.0,
        "mid_us": 8.0,
        "bulk_us": 30.0,
        "low": 0.35,
        "mid": 0.6,
        "wire": 0.30,
        "switch": 1.0,
    },
    "infiniband": {
        "base_us": 18.0,
        "hop_us": 6.0,
        "mid_us": 15.0,
        "bulk_us": 60.0,
        "low": 0.3,
        "mid": 0.6,
        "wire": 0.94,
        "switch": 1.0,
    },
    "roce": {
        "base_us": 20.0,
        "hop_us": 8.0,
        "mid_us": 15.0,
        "bulk_us": 70.0,
        "low": 0.25,
        "mid": 0.6,
        "wire": 0.85,
        "switch": 1.0,
    },
    "efa": {
        "base_us": 50.0,
        "hop_us": 15.0,
        "mid_us": 20.0,
        "bulk_us": 100.0,
        "low": 0.3,
        "mid": 0.6,
        "wire": 0.80,
        "switch": 1.0,
    },
    "tcp": {
        "base_us": 30.0,
        "hop_us": 30.0,
        "mid_us": 40.0,
        "bulk_us": 150.0,
        "low": 0.3,
        "mid": 0.6,
        "wire": 0.45,
        "switch": 1.0,
    },
    "fabric": {
        "base_us": 25.0,
        "hop_us": 10.0,
        "mid_us": 20.0,
        "bulk_us": 80.0,
        "low": 0.3,
        "mid": 0.6,
        "wire": 0.80,
        "switch": 1.0,
    },
}

# share of the two-GPU ring rate that is left at 4 and at 8 GPUs, where it falls
RING_SHARE: dict[str, tuple[float, float]] = {
    "pcie-switch": (1.0, 1.0),
    "pcie-root": (0.60, 0.60),
    "pcie-cross": (0.29, 0.15),
    "pcie-host": (0.9, 0.8),
}

# one-shot and two-shot kernels of serving engines
CUSTOM: dict[str, float] = {"base_us": 3.0, "hop_us": 0.45, "wire": 0.45, "pcie_base_us": 5.0, "pcie_hop_us": 0.4}

# what a collective costs inside a running engine, over its benchmark: latency and bandwidth part
ENGINE_LATENCY_FACTOR = 3.0
ENGINE_BANDWIDTH_FACTOR = 1.1

MEASURED_LINKS: frozenset[str] = frozenset({"nvlink-3", "nvlink-4", "nvlink-5"})
FITTED_CLASSES: frozenset[str] = frozenset(CLASSES) - {"fabric"}
