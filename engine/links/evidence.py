"""What the times of collectives rest on: measured or not, and how far from them unseen measurements lie."""

from __future__ import annotations

from engine.calibration import collectives as fit
from engine.figures.kinds import FigureKind
from engine.links.collectives import Kernel, class_in_use, link_class
from engine.parts.hardware import Link

SMALL_BYTES, LARGE_BYTES = 2**16, 2**22
"""Payloads up to which a collective counts as small, and above which as large."""


def evidence_kind(link: Link) -> FigureKind:
    """Where a link's times come from: measured on it, fitted on links of its class, or from its data sheet."""
    if link.own_curves or link.id in fit.MEASURED_LINKS:
        return "measured"
    return "fitted" if link_class(link) in fit.FITTED_CLASSES else "data sheet"


def interval_key(
    payload_bytes: float, intra: Link, inter: Link | None, kernel: Kernel = "nccl", peer_access: bool = True
) -> str:
    """Place and size of a collective, the key of its interval."""
    size = "small" if payload_bytes <= SMALL_BYTES else "middle" if payload_bytes <= LARGE_BYTES else "large"
    if inter is not None:
        return f"network {size}"
    if not kernel.startswith("nccl"):
        return f"kernel {size}"
    return f"{class_in_use(intra, peer_access).partition('-')[0]} {size}"


def interval(
    payload_bytes: float, intra: Link, inter: Link | None, kernel: Kernel = "nccl", peer_access: bool = True
) -> tuple[float, float]:
    """Times that 80 % of measured collectives of the kind lie between, as shares of the priced one.

    By place (kernels of engines, NVLink, PCIe, mesh, network) and size: up to 64 KiB, up to 4 MiB, above. From sources
    that the fit had not seen, each with one vote; engine.calibration.collectives.INTERVALS.
    """
    return fit.INTERVALS.get(interval_key(payload_bytes, intra, inter, kernel, peer_access), fit.INTERVAL)
