"""What the times of collectives rest on: measured or not, and how far from them unseen measurements lie."""

from __future__ import annotations

from engine.calibration import collectives as fit
from engine.figures.kinds import FigureKind
from engine.links.collectives import Kernel, class_in_use, link_class
from engine.parts.hardware import Accelerator, Link

SMALL_BYTES, LARGE_BYTES = 2**16, 2**22
"""Payloads up to which a collective counts as small, and above which as large."""


def evidence_kind(link: Link) -> FigureKind:
    """Where a link's times come from: measured on it, fitted on links of its class, or from its data sheet."""
    if link.own_curves or link.id in fit.MEASURED_LINKS:
        return "measured"
    return "fitted" if link_class(link) in fit.FITTED_CLASSES else "data sheet"


def generation_of(card: Accelerator) -> str:
    """The generation of a card, by which collectives were measured: Ampere, Hopper, CDNA3; empty where nobody states it."""
    return card.architecture.partition(" ")[0]


def kind_of(intra: Link, inter: Link | None, peer_access: bool, generation: str) -> str:
    """The kind of a collective: the class of the link that binds it, and the generation of the cards that it joins."""
    return f"{class_in_use(intra, peer_access) if inter is None else link_class(inter)} {generation}"


def nobody_measured(intra: Link, inter: Link | None, peer_access: bool, generation: str) -> str:
    """What nobody measured of collectives between such cards over such links, in words; empty where somebody did."""
    link = inter or intra
    if evidence_kind(link) != "measured":
        return link.name
    if link.own_curves or kind_of(intra, inter, peer_access, generation) in fit.MEASURED_KINDS:
        return ""
    return f"{link.name} between {generation or 'such'} cards"


def why_wide(intra: Link, inter: Link | None, card: Accelerator) -> str:
    """Why the interval of such collectives is wider than that of measured ones, a sentence; empty where it is not."""
    found = nobody_measured(intra, inter, card.peer_access, generation_of(card))
    return f"The interval of a collective is wider: nobody measured {found}." if found else ""


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
    payload_bytes: float,
    intra: Link,
    inter: Link | None,
    kernel: Kernel = "nccl",
    peer_access: bool = True,
    generation: str = "",
) -> tuple[float, float]:
    """Times that 80 % of measured collectives of the kind lie between, as shares of the priced one.

    By place (kernels of engines, NVLink, PCIe, mesh, network) and size: up to 64 KiB, up to 4 MiB, above. From sources
    that the fit had not seen, each with one vote; engine.calibration.collectives.INTERVALS. generation: of the cards
    (`generation_of`). Where nobody measured the link, or its class between such cards, the interval is that of kinds of
    which the fit had seen nothing: NEW_INTERVALS, one vote a kind.
    """
    place = interval_key(payload_bytes, intra, inter, kernel, peer_access)
    if nobody_measured(intra, inter, peer_access, generation):
        return fit.NEW_INTERVALS.get(place, fit.NEW_INTERVALS["all"])
    return fit.INTERVALS.get(place, fit.INTERVAL)
