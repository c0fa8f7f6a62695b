"""What GPUs this machine has: runs nvidia-smi, or reads what it printed elsewhere."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import subprocess
import time
from pathlib import Path

import catalog
from catalog.host_text import narrow, parse_memory, slot_link, slot_of
from catalog.loading import own_card
from catalog.machine_text import bridge_of, bridged, link_of, machine_of, parse_topology
from catalog.nvidia_smi import (
    ESSENTIAL_FIELDS,
    FIELDS,
    DetectedGroup,
    DetectError,
    command,
    grouped,
    is_a_part,
    limit_of,
    parse,
)
from engine.figures.records import dataclass
from engine.figures.text import LONGEST_NAME, clipped, harmless, printable, says_nothing
from tui.files.session import read_bytes
from tui.files.session_tables import SessionError
from tui.shell.blocks import json_line
from tui.shell.listing import aligned

__all__ = ["DetectError", "machine", "render"]

TIMEOUT_S = 20.0  # a driver that takes longer to answer hangs
_SILENT = f"nvidia-smi did not answer within {TIMEOUT_S:.0f} s"
SAVED = "what nvidia-smi, rocm-smi, amd-smi, xpu-smi, neuron-ls or lspci -vv printed, saved on another machine"
MOST_BYTES = 2**20  # of an answer: a machine of 72 GPUs is told in some 6 kB


@dataclass(frozen=True, slots=True)
class Seen:
    """What a machine says: equal GPUs together, the most numerous first; the link of those, and GiB of the host's memory, where told."""

    groups: tuple[DetectedGroup, ...]
    link: str | None = None
    memory_gib: float | None = None


def machine(source: str | None = None) -> Seen:
    """The GPUs of this machine, or of the saved output in `source`. Raises DetectError."""
    text = _saved(source) if source else _asked()
    try:
        gpus = machine_of(text).gpus or parse(text)
        if not gpus:
            raise DetectError("no GPUs are listed")
    except DetectError as problem:
        if not source:
            raise
        where = clipped(printable(source), LONGEST_NAME)
        told = says_nothing(text) or f"{problem}; what can be read: {SAVED}"
        raise DetectError(f"{where}: {told}") from None
    groups = grouped(gpus, catalog.load().facts.accelerators)
    topology = parse_topology(text)
    first = next((group for group in groups if group.accelerator is not None), None)
    link = None
    if first is not None and first.accelerator is not None and len(gpus) > 1:
        if topology is not None:
            link = link_of(topology, first.accelerator, first.gpu)
        elif bridged(text, first.accelerator):
            link = bridge_of(first.accelerator)
        elif first.accelerator.default_intra_link.startswith("pcie") and narrow(first.gpu, first.accelerator):
            slot = slot_link(slot_of(first.gpu, first.accelerator))
            link = slot if first.accelerator.peer_access else "pcie-no-p2p"
    return Seen(tuple(groups), link, parse_memory(text))


def _saved(source: str) -> str:
    try:
        return read_bytes(Path(os.path.expanduser(source)), MOST_BYTES, "saved answer").decode("utf-8", "replace")
    except SessionError as problem:
        raise DetectError(str(problem)) from None


_OTHERS = (("rocm-smi", "--showproductname", "--showmeminfo", "vram"), ("xpu-smi", "discovery"), ("neuron-ls",))
_TOPOLOGY = ("nvidia-smi", "topo", "-m")
_MEMINFO = Path("/proc/meminfo")


def _asked() -> str:
    """What the tools of this machine print: a host may hold cards of two makers. nvidia-smi's failure counts where no other is."""
    told, trouble = [], None
    for line in _OTHERS:
        if shutil.which(line[0]):
            try:
                told.append(_run(line))
            except DetectError:  # a driver without its cards: the other maker's may be there
                continue
    try:
        told.append(_asked_of_nvidia())
    except DetectError as problem:
        trouble = problem
    if not told and trouble is not None:
        raise trouble
    if trouble is None and told[-1].count("\n") > 2:
        with contextlib.suppress(DetectError):  # an old driver: the link is then the card's usual one
            told.append(_run(_TOPOLOGY))
    with contextlib.suppress(OSError):  # no Linux: the host's memory is not told
        told.append(_MEMINFO.read_text(encoding="ascii", errors="replace")[:MOST_BYTES])
    return "\n".join(told)


def _asked_of_nvidia() -> str:
    """The driver's answer; an old driver, which does not know every field, is asked for the essential ones."""
    try:
        return _run(command(FIELDS))
    except DetectError as problem:
        if "not a valid field" not in str(problem).casefold():
            raise
    return _run(command(ESSENTIAL_FIELDS))


def _run(line: tuple[str, ...]) -> str:
    try:
        with subprocess.Popen(
            line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, bufsize=0
        ) as tool:
            try:
                answer, complaint = _answer(tool)
            finally:
                if tool.poll() is None:
                    tool.kill()
    except FileNotFoundError:
        raise DetectError(
            "nvidia-smi is not on this machine; where it is, save its output and read it here: "
            f"{' '.join(command(ESSENTIAL_FIELDS))} > gpus.csv, then sizeup detect --from gpus.csv"
        ) from None
    except OSError as problem:
        raise DetectError(f"nvidia-smi cannot be run: {problem.strerror}") from None
    text = answer.decode("utf-8", "replace")
    if tool.returncode != 0:
        told = clipped(printable(" ".join((text + complaint.decode("utf-8", "replace")).split())), 200)
        raise DetectError(f"nvidia-smi failed: {told or f'exit code {tool.returncode}'}")
    return text


def _answer(tool: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """What a tool prints and what it complains of, waited for no longer than TIMEOUT_S, kept no more than MOST_BYTES of."""
    end = time.monotonic() + TIMEOUT_S
    told: dict[object, bytearray] = {tool.stdout: bytearray(), tool.stderr: bytearray()}
    with selectors.DefaultSelector() as selector:
        for stream in (tool.stdout, tool.stderr):
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, end - time.monotonic()))
            if not ready:
                raise DetectError(_SILENT)
            for key, _ in ready:
                part = os.read(key.fd, 2**16)
                told[key.fileobj] += part
                if not part:
                    selector.unregister(key.fileobj)
            if sum(map(len, told.values())) > MOST_BYTES:
                raise DetectError(f"nvidia-smi prints without end; allowed: up to {MOST_BYTES // 2**20} MiB")
    try:
        tool.wait(max(0.0, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise DetectError(_SILENT) from None
    return bytes(told[tool.stdout]), bytes(told[tool.stderr])


_ABSENT = "not in the catalog"


def render(seen: Seen, form: str) -> str:
    """The groups in columns with a command line to size them, or as JSON objects, one a line."""
    groups = seen.groups
    if form == "json":
        return "".join(
            json_line(
                {
                    "name": group.gpu.name,
                    "count": group.count,
                    "memory_mib": group.gpu.memory_mib,
                    "accelerator": group.accelerator.id if group.accelerator else None,
                    "power_limit_w": group.gpu.power_limit_w,
                    "pcie_gen": group.gpu.pcie_gen,
                    "pcie_lanes": group.gpu.pcie_lanes,
                    "driver": group.gpu.driver or None,
                    "intra_link": seen.link,
                    "host_memory_gib": seen.memory_gib,
                }
            )
            for group in groups
        )
    rows = [("GPUs", "name", "MiB", "slot", "accelerator")]
    for group in groups:
        memory = f"{group.gpu.memory_mib:,}" if group.gpu.memory_mib is not None else "-"
        known = group.accelerator.id if group.accelerator else "a part of a card" if is_a_part(group.gpu) else _ABSENT
        gen, lanes = group.gpu.pcie_gen, group.gpu.pcie_lanes
        slot = f"PCIe {gen} x{lanes}" if gen is not None and lanes is not None else "-"
        rows.append((str(group.count), printable(group.gpu.name), memory, slot, known))
    lines = aligned(rows, (False, True, False, True, True))
    if seen.memory_gib is not None:
        lines += ["", f"Host memory: {seen.memory_gib:,.0f} GiB."]
    known_groups = [(group.accelerator.id, group.count) for group in groups if group.accelerator is not None]
    if known_groups:
        (accelerator_id, count), others = known_groups[0], known_groups[1:]
        line = f"sizeup --accelerator {accelerator_id} --gpus {count + sum(number for _, number in others[:1])}"
        if seen.link is not None:
            line += f" --intra-link {seen.link}"
        unified = any(group.accelerator.unified_memory for group in groups if group.accelerator is not None)
        if seen.memory_gib is not None and not unified:
            line += f" --set runtime.host_ram_gib={seen.memory_gib:.0f}"
        if others:
            line += f" --set hardware.second_accelerator={others[0][0]} --set hardware.second_gpus={others[0][1]}"
        lines += ["", line]
        first = next(group for group in groups if group.accelerator is not None)
        limit = limit_of(first.gpu, first.accelerator) if first.accelerator is not None else None
        if limit is not None:
            lines[-1] += f" --set hardware.power_limit_w={limit:g}"
    for group in groups:
        if group.accelerator is None and is_a_part(group.gpu):
            lines += [
                "",
                f"{printable(group.gpu.name)}: how much of the card's bandwidth and arithmetic a part has is not known.",
            ]
        elif group.accelerator is None:
            entry = own_card(group.gpu.name, group.gpu.memory_mib).removeprefix("or ")
            lines += ["", f"{printable(group.gpu.name)} is {_ABSENT}: {entry}"]
    if len(known_groups) > 2:
        rest = ", ".join(f"{number} x {name}" for name, number in known_groups[2:])
        lines += ["", f"Two kinds of card at most are sized together: left out {rest}."]
    if len(groups) > 1:
        lines += ["", "Mixed GPUs: the slowest and smallest sets the pace of what they do together."]
    return harmless("\n".join(lines) + "\n")
