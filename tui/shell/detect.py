"""What GPUs this machine has: runs nvidia-smi, or reads what it printed elsewhere."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from pathlib import Path

import catalog
from catalog.machine_text import parse_lspci, parse_table
from catalog.nvidia_smi import (
    ESSENTIAL_FIELDS,
    FIELDS,
    DetectedGroup,
    DetectError,
    command,
    grouped,
    parse,
)
from catalog.other_smi import parse_other
from engine.figures.text import clipped, harmless, printable
from tui.files.session import read_bytes
from tui.files.session_tables import SessionError
from tui.shell.blocks import json_line
from tui.shell.listing import aligned

__all__ = ["DetectError", "machine", "render"]

TIMEOUT_S = 20.0  # a driver that takes longer to answer hangs
_SILENT = f"nvidia-smi did not answer within {TIMEOUT_S:.0f} s"
MOST_BYTES = 2**20  # of an answer: a machine of 72 GPUs is told in some 6 kB


def machine(source: str | None = None) -> list[DetectedGroup]:
    """The GPUs of this machine, or of the saved output in `source`. Raises DetectError."""
    text = _saved(source) if source else _asked()
    gpus = parse_other(text) or parse_table(text) or parse_lspci(text)[0] or parse(text)
    if not gpus:
        raise DetectError("no GPUs are listed")
    return grouped(gpus, catalog.load().facts.accelerators)


def _saved(source: str) -> str:
    try:
        return read_bytes(Path(os.path.expanduser(source)), MOST_BYTES, "saved answer").decode("utf-8", "replace")
    except SessionError as problem:
        raise DetectError(str(problem)) from None


def _asked() -> str:
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


def render(groups: list[DetectedGroup], form: str) -> str:
    """The groups in columns with a command line to size them, or as JSON objects, one a line."""
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
                }
            )
            for group in groups
        )
    rows = [("GPUs", "name", "MiB", "accelerator")]
    for group in groups:
        memory = f"{group.gpu.memory_mib:,}" if group.gpu.memory_mib is not None else "-"
        known = group.accelerator.id if group.accelerator else "not in the catalog"
        rows.append((str(group.count), printable(group.gpu.name), memory, known))
    lines = aligned(rows, (False, True, False, True))
    known_groups = [(group.accelerator.id, group.count) for group in groups if group.accelerator is not None]
    if known_groups:
        (accelerator_id, count), others = known_groups[0], known_groups[1:]
        line = f"sizeup --accelerator {accelerator_id} --gpus {count + sum(number for _, number in others[:1])}"
        if others:
            line += f" --set hardware.second_accelerator={others[0][0]} --set hardware.second_gpus={others[0][1]}"
        lines += ["", line]
    if len(known_groups) > 2:
        rest = ", ".join(f"{number} x {name}" for name, number in known_groups[2:])
        lines += ["", f"Two kinds of card at most are sized together: left out {rest}."]
    if len(groups) > 1:
        lines += ["", "Mixed GPUs: the slowest and smallest sets the pace of what they do together."]
    return harmless("\n".join(lines) + "\n")
