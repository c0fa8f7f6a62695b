"""What each maker's cards ask of a container host: the device plugin's resource, docker's options, the image."""

from __future__ import annotations

from typing import Literal

from engine.figures.records import dataclass
from engine.parts.hardware import Accelerator

Maker = Literal["nvidia", "amd", "gaudi", "arc", "apple", "tpu", "other"]
VLLM = "0.25.1"
SGLANG = "0.5.9"
TRTLLM = "1.2.1"
# Sources: k8s-device-plugin of NVIDIA and AMD; Intel's device plugins for Kubernetes; Habana's device plugin;
# vLLM's installation pages for CUDA, ROCm, XPU and Gaudi; SGLang's and TensorRT-LLM's; llama.cpp docs/docker.md.
_RESOURCES: dict[Maker, str] = {
    "nvidia": "nvidia.com/gpu",
    "amd": "amd.com/gpu",
    "gaudi": "habana.ai/gaudi",
    "arc": "gpu.intel.com/xe",
}
_IMAGES: dict[tuple[str, Maker], str] = {
    ("vllm", "nvidia"): f"vllm/vllm-openai:v{VLLM}",
    ("vllm", "amd"): f"vllm/vllm-openai-rocm:v{VLLM}",
    ("vllm", "arc"): "intel/vllm:0.21.0-xpu",
    ("vllm", "gaudi"): "your-registry/vllm-gaudi:your-tag",
    ("sglang", "nvidia"): f"lmsysorg/sglang:v{SGLANG}",
    ("sglang", "amd"): "your-registry/sglang-rocm:your-tag",
    ("trtllm", "nvidia"): f"nvcr.io/nvidia/tensorrt-llm/release:{TRTLLM}",
    ("llama.cpp", "nvidia"): "ghcr.io/ggml-org/llama.cpp:server-cuda",
    ("llama.cpp", "amd"): "ghcr.io/ggml-org/llama.cpp:server-rocm",
    ("llama.cpp", "arc"): "ghcr.io/ggml-org/llama.cpp:server-intel",
}


@dataclass(frozen=True, slots=True)
class Host:
    """How containers get at the cards. resource: of Kubernetes. image: of the engine. notes: what to see to first."""

    maker: Maker
    resource: str
    image: str
    notes: tuple[str, ...] = ()


def maker(card: Accelerator) -> Maker:
    """Whose software runs the card."""
    vendor = card.vendor.lower()
    if vendor == "intel":
        return "gaudi" if "gaudi" in card.architecture.lower() else "arc"
    return {"nvidia": "nvidia", "amd": "amd", "apple": "apple", "google": "tpu"}.get(vendor, "other")  # type: ignore[return-value] # of a person's own catalog: any


def host(card: Accelerator, engine: str) -> Host:
    """What a container of that engine asks for on this card."""
    kind = maker(card)
    image = _IMAGES[engine, kind]
    notes = []
    if image.startswith("your-registry"):
        notes.append(
            f"nobody publishes this engine for {card.label} under a lasting name: build it, and name your image"
        )
    return Host(kind, _RESOURCES[kind], image, tuple(notes))
