"""The engine that a build was sized for, as a container starts it: what compose, k8s, lws and slurm share."""

from __future__ import annotations

from engine.figures.records import dataclass
from tui.shell.exports import llama_server, sglang, trtllm, vllm
from tui.shell.exports.build import Build
from tui.shell.exports.cards import Host, host, maker
from tui.shell.exports.text import words

NAMES = {
    "vllm": "vllm",
    "vllm-earlier": "vllm",
    "sglang": "sglang",
    "trtllm": "trtllm",
    "llama.cpp": "llama.cpp",
    "mlx": "mlx",
}


@dataclass(frozen=True, slots=True)
class Start:
    """How one server of a build is started in a container. word: the engine's name as a label."""

    engine: str
    command: list[str]
    host: Host
    checked: str
    notes: tuple[str, ...]

    @property
    def word(self) -> str:
        """The engine's name as Kubernetes takes it."""
        return self.engine.replace(".", "-")


def start(build: Build, executor: str = "ray") -> Start:
    """The command and host of one server on one node."""
    engine = NAMES[build.runtime.engine]
    module = {"vllm": vllm, "sglang": sglang, "trtllm": trtllm, "llama.cpp": llama_server}[engine]
    flags = vllm.arguments(build, executor) if module is vllm else module.arguments(build)
    notes = list(module.notes(build))
    begin = module.start(build)
    if module is trtllm and trtllm.options(build):
        notes.append(f"put the options file of `--to trtllm-serve` in the container as {trtllm.OPTIONS_FILE}")
    if module is llama_server:
        begin = ["/app/llama-server", *begin[1:]]
        notes.append("mount the folder of the GGUF file into the container")
    found = host(build.scenario.hardware.accelerator, engine)
    return Start(engine, [*begin, *words(flags)], found, module.CHECKED, (*notes, *found.notes))


def runs_in_a_container(build: Build) -> bool:
    """Whether there is an image of the engine for these cards."""
    engine, kind = NAMES[build.runtime.engine], maker(build.scenario.hardware.accelerator)
    return (engine, kind) in {
        *(("vllm", kind) for kind in ("nvidia", "amd", "arc", "gaudi")),
        *(("sglang", kind) for kind in ("nvidia", "amd")),
        ("trtllm", "nvidia"),
        *(("llama.cpp", kind) for kind in ("nvidia", "amd", "arc")),
    }
