"""The environment of NCCL or RCCL, after a look at how the host's cards and ports are joined.

Source: NCCL's environment variables, nccl-tests, `nvidia-smi topo`, `rocm-smi`.
"""

from __future__ import annotations

from engine.figures.text import printable
from tui.shell.exports import fabric
from tui.shell.exports.build import Build
from tui.shell.exports.cards import maker

CHECKED = "NCCL 2.28 and RCCL 2.27, environment variables of their documentation"


def write(build: Build) -> str:
    """Commands that look, then the environment."""
    hardware = build.scenario.hardware
    several = hardware.nodes > 1
    links = hardware.intra_link.name + (f" inside, {hardware.inter_link.name} between" if several else "")
    amd = maker(hardware.accelerator) == "amd"
    notes = [f"sized for {printable(links)}"]
    if several:
        notes.append(fabric.NAMES_ARE_YOURS)
    lines = [*build.head(CHECKED, *notes, loads=False), "", "# first: do the cards see each other as sized?"]
    lines.append("rocm-smi --showtopo" if amd else "nvidia-smi topo -m")
    if several and hardware.inter_link.family in ("infiniband", "roce"):
        lines.append("ibv_devinfo")
    if several and hardware.inter_link.family == "efa":
        lines.append("fi_info -p efa")
    tests = "rccl-tests" if amd else "nccl-tests"
    lines += [
        "",
        *fabric.exports(build.sizing),
        "",
        f"# then the speed of a node, with {tests}: all_reduce_perf -b 8 -e 1G -f 2 -g {build.in_node}",
    ]
    return "\n".join(lines) + "\n"
