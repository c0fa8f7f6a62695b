"""NCCL's (and RCCL's) environment for the links of a build."""

from __future__ import annotations

from engine.parts.hardware import Link
from engine.sizing import Sizing

RDMA = ("infiniband", "roce", "efa")
INTERFACE = "NCCL_SOCKET_IFNAME"
NAMES_ARE_YOURS = "interface names (ib0, eth0) are this host's own: see `ip -br link`"


def settings(sizing: Sizing) -> dict[str, str]:
    """The environment by variable name, for the links in use."""
    hardware = sizing.scenario.hardware
    found: dict[str, str] = {"NCCL_DEBUG": "WARN"}
    if not hardware.intra_link.peer_access:
        found["NCCL_P2P_DISABLE"] = "1"
    if hardware.nodes > 1:
        found |= _between(hardware.inter_link)
    return found


def _between(link: Link) -> dict[str, str]:
    if link.family == "infiniband":
        return {"NCCL_IB_DISABLE": "0", INTERFACE: "ib0"}
    if link.family == "roce":
        # GID 3 is RoCE v2 over IPv4 on most hosts; traffic class 106 is the one that switch guides give lossless queues.
        return {"NCCL_IB_DISABLE": "0", "NCCL_IB_GID_INDEX": "3", "NCCL_IB_TC": "106", INTERFACE: "eth0"}
    if link.family == "efa":
        return {"FI_PROVIDER": "efa", INTERFACE: "eth0"}
    return {"NCCL_IB_DISABLE": "1", INTERFACE: "eth0"}


def exports(sizing: Sizing) -> list[str]:
    """The same as lines of a shell."""
    return [f"export {name}={value}" for name, value in settings(sizing).items()]
