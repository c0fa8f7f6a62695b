"""Constants of the collective model, per class of link. Written by scripts/calibrate_collectives.py."""

from __future__ import annotations

CLASSES: dict[str, dict[str, float]] = {}
for _n, _v in {
    "nvlink-3": (6.5, 1.0, 4.0, 20.0, 1.0, 0.3, 0.6, 0.78),
    "nvlink-4": (4.2, 0.8, 8.0, 25.0, 2.0, 0.3, 0.6, 0.80),
    "nvlink-5": (7.8, 1.25, 8.0, 25.0, 2.0, 0.3, 0.6, 0.76),
    "nvlink-bridge": (5.0, 0.8, 4.0, 14.0, 1.0, 0.3, 0.6, 0.65),
    "xgmi": (10.0, 1.2, 6.0, 25.0, 1.0, 0.3, 0.6, 0.72),
    "scale-up": (10.0, 1.5, 6.0, 25.0, 1.0, 0.3, 0.6, 0.75),
    "pcie-switch": (3.0, 1.5, 3.0, 12.0, 1.0, 0.3, 0.6, 0.74),
    "pcie-root": (3.0, 1.5, 3.0, 12.0, 1.0, 0.5, 0.7, 0.61),
    "pcie-cross": (3.0, 1.5, 3.0, 12.0, 1.0, 0.5, 0.7, 0.64),
    "pcie-host": (5.0, 7.0, 8.0, 30.0, 2.0, 0.35, 0.6, 1.1),
    "infiniband": (8.0, 4.0, 15.0, 40.0, 10.0, 0.3, 0.6, 0.95),
    "roce": (10.0, 5.0, 15.0, 40.0, 10.0, 0.3, 0.6, 0.80),
    "roce-untuned": (10.0, 5.0, 15.0, 40.0, 10.0, 0.3, 0.6, 0.45),
    "efa": (30.0, 15.0, 20.0, 60.0, 20.0, 0.3, 0.6, 0.90),
    "tcp": (15.0, 30.0, 40.0, 60.0, 20.0, 0.3, 0.6, 0.92),
    "fabric": (12.0, 8.0, 20.0, 40.0, 10.0, 0.3, 0.6, 0.90),
}.items():
    CLASSES[_n] = dict(zip(("base_us", "hop_us", "mid_us", "bulk_us", "bulk_hop_us", "low", "mid", "wire"), _v))
    CLASSES[_n].update(switch=1.25, switch_low=1.5)
SWITCH_FROM_GPUS = 5
SEND_FILL = 0.2
SOCKET_GB_S = 5.0
RING_SHARE: dict[str, tuple[float, float]] = {
    "pcie-root": (0.60, 0.60),
    "pcie-cross": (0.29, 0.10),
    "pcie-host": (1.0, 0.8),
}
KERNELS: dict[str, dict[str, float]] = {
    "vllm": {"base_us": 3.7, "hop_us": 0.4, "wire": 0.45, "call_us": 1.0},
    "trtllm": {"base_us": 2.6, "hop_us": 0.25, "wire": 0.45, "call_us": 1.0},
    "one-shot": {"base_us": 5.0, "hop_us": 0.4, "wire": 0.5, "call_us": 1.0},
    "vllm-pcie": {"base_us": 4.0, "hop_us": 0.4, "wire": 0.5, "call_us": 1.5},
    "trtllm-pcie": {"base_us": 4.0, "hop_us": 0.4, "wire": 0.5, "call_us": 1.5},
}
KERNEL_CLASS: dict[str, float] = {"nvlink-3": 1.1, "nvlink-5": 1.5}
TWO_SHOT_ALPHA = 2.0
ENGINE_LATENCY_FACTOR = 3.0
ENGINE_BANDWIDTH_FACTOR = 1.1
MEASURED_LINKS: frozenset[str] = frozenset({"nvlink-3", "nvlink-4", "nvlink-5"})
FITTED_CLASSES: frozenset[str] = frozenset(CLASSES) - {"fabric", "scale-up"}
