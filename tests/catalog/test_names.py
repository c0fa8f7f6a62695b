"""Published names and the catalog models that they mean."""

from __future__ import annotations

import pytest

import catalog
from catalog.names import resolve_accelerator, resolve_name


@pytest.mark.parametrize(
    ("name", "model_id"),
    [
        ("Llama-3.3-70B-Instruct-FP8-dynamic", "llama-3.3-70b"),
        ("RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic", "llama-3.3-70b"),
        ("meta-llama/Meta-Llama-3-8B-Instruct", "llama-3-8b"),
        ("Llama 3 70B", "llama-3-70b"),
        ("llama3.1-70b", "llama-3.1-70b"),
        ("Llama-3.1-8B-Instruct-quantized.w4a16", "llama-3.1-8b"),
        ("Llama-3.2-3B-Instruct Q8_0 GGUF", "llama-3.2-3b"),
        ("nvidia/DeepSeek-R1-FP4", "deepseek-r1"),
        ("DeepSeek-R1-0528 (FP8)", "deepseek-r1"),
        ("DeepSeek-R1-Distill-Llama-70B", "llama-3.3-70b"),
        ("DeepSeek-R1-Distill-Qwen-14B", "qwen2.5-14b"),
        ("Qwen/Qwen3-32B-AWQ", "qwen3-32b"),
        ("Qwen3-235B-A22B-Instruct-2507-FP8", "qwen3-235b-a22b"),
        ("Qwen2.5-72B-Instruct-GPTQ-Int4", "qwen2.5-72b"),
        ("neuralmagic/Mixtral-8x7B-Instruct-v0.1-AutoFP8", "mixtral-8x7b"),
        ("NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4 (hybrid Mamba2)", "nemotron-3-nano-30b-a3b"),
        ("gemma-3-27b-it-qat", "gemma-3-27b"),
        ("openai/gpt-oss-120b", "gpt-oss-120b"),
        ("MiniMax-M2.5", "minimax-m2.7"),
        ("moonshotai/Kimi-K2-Thinking", "kimi-k2.5"),
        ("nvidia/Kimi-K2-Thinking-NVFP4", "kimi-k2.5"),
        ("moonshotai/Kimi-K2-Instruct-0905", "kimi-k2"),
        ("Qwen/Qwen3.8-27B-FP8", "qwen3.5-27b"),
        ("QwQ-32B", "qwen2.5-32b"),
        ("meta-llama/Meta-Llama-3.1-70B-Instruct-FP8", "llama-3.1-70b"),
        ("unsloth/Qwen3-14B-unsloth-bnb-4bit", "qwen3-14b"),
        ("unsloth/Llama-3.3-70B-Instruct-bnb-4bit", "llama-3.3-70b"),
        ("nvidia/DeepSeek-R1-0528-NVFP4-v2", "deepseek-r1"),
        ("deepseek-ai/DeepSeek-V3.1-Terminus", "deepseek-v3"),
        ("deepseek-ai/DeepSeek-V2-Lite", "deepseek-v2-lite"),
        ("Intel/Qwen3-Next-80B-A3B-Instruct-int4-mixed-AutoRound", "qwen3-next-80b-a3b"),
        ("bartowski/Meta-Llama-3.1-70B-Instruct-GGUF:Q4_K_M", "llama-3.1-70b"),
        ("llama3.1:70b-instruct-q4_K_M", "llama-3.1-70b"),
        ("deepseek-r1:70b", "llama-3.3-70b"),
        ("allenai/Llama-3.1-Tulu-3-70B", "llama-3.1-70b"),
        ("dolphin-2.9-llama3-8b", "llama-3-8b"),
        ("Qwen/Qwen1.5-72B-Chat", "qwen-72b"),
        ("ai21labs/AI21-Jamba-1.5-Mini", "jamba-mini-1.5"),
        ("Qwen/Qwen3-Embedding-8B", "qwen3-embedding-8b"),
        ("Qwen/Qwen3-Reranker-0.6B", "qwen3-reranker-0.6b"),
        ("intfloat/e5-mistral-7b-instruct", "e5-mistral-7b"),
        ("BAAI/bge-m3", "bge-m3"),
        ("Qwen/Qwen3.5-0.8B", "qwen3.5-0.8b"),
        ("Qwen/Qwen3-VL-2B-Thinking", "qwen3-vl-2b"),
        ("meta-llama/Llama-3.2-90B-Vision-Instruct", "llama-3.2-90b-vision"),
        ("nvidia/NVIDIA-Nemotron-Nano-9B-v2-FP8", "nemotron-nano-9b-v2"),
        ("unsloth/granite-4.0-h-tiny-GGUF:Q4_K_M", "granite-4.0-h-tiny"),
        ("allenai/Olmo-3-32B-Think", "olmo-3-32b"),
        ("rednote-hilab/dots.llm1.inst", "dots.llm1"),
        ("unsloth/Devstral-2-123B-Instruct-2512-GGUF:Q4_K_M", "devstral-2-123b"),
        ("mistralai/Mistral-Large-3-675B-Instruct-2512-NVFP4", "mistral-large-3-675b"),
        ("baidu/ERNIE-4.5-300B-A47B-Base-PT", "ernie-4.5-300b-a47b"),
        ("mixedbread-ai/mxbai-embed-large-v1", "bge-large-en-v1.5"),
    ],
)
def test_a_published_name_resolves(name: str, model_id: str) -> None:
    assert resolve_name(name) == model_id


@pytest.mark.parametrize(
    "name",
    [
        "",
        "GPT-181B",
        "70B",
        "bert-large",
        "Llama-5-70B",
        "unstated (SM120 host)",
        "Llama-3.1-Minitron-4B-Width-Base",
        "Llama-3.1-Nemotron-Ultra-253B-v1",
        "yuhuili/EAGLE-LLaMA3-Instruct-8B",
        "moonshotai/Kimi-K2.7",
        "zai-org/GLM-5.3",
        "MiniMaxAI/MiniMax-M3",
        "google/gemma-3n-E4B-it",
        "Qwen1.5-32B-Chat",
    ],
)
def test_an_unknown_name_is_not_guessed(name: str) -> None:
    assert resolve_name(name) is None


def test_every_model_answers_to_its_own_names() -> None:
    for model in catalog.load().models:
        assert resolve_name(model.id) == model.id
        resolved = resolve_name(model.hf_id)
        assert resolved is not None, model.hf_id
        same = catalog.load().model(resolved).architecture
        assert same.layers == model.architecture.layers, (model.hf_id, resolved)


@pytest.mark.parametrize(
    ("name", "accelerator_id"),
    [
        ("NVIDIA H100 80GB HBM3", "h100-sxm"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("H100 NVL", "h100-nvl"),
        ("8xH100-80G", "h100-sxm"),
        ("H100x8", "h100-sxm"),
        ("h100_sxm", "h100-sxm"),
        ("A100-SXM4-80GB", "a100-sxm4-80gb"),
        ("NVIDIA A100-SXM4-40GB", "a100-sxm4-40gb"),
        ("NVIDIA A100 80GB PCIe", "a100-pcie-80gb"),
        ("A100-PCIE-40GB", "a100-pcie-40gb"),
        ("A100", "a100-sxm4-80gb"),
        ("Tesla V100-SXM2-32GB", "v100-sxm2-32gb"),
        ("RTX 6000 Ada", "rtx-6000-ada"),
        ("NVIDIA RTX 6000 Ada Generation", "rtx-6000-ada"),
        ("RTX A6000", "rtx-a6000"),
        ("RTX4090", "rtx-4090"),
        ("2x RTX 3090", "rtx-3090"),
        ("NVIDIA GeForce RTX 3090 Ti", "rtx-3090-ti"),
        ("RTX 5080", "rtx-5080"),
        ("RTX 4090 48GB", "rtx-4090-48gb"),
        ("Quadro RTX 8000", "quadro-rtx-8000"),
        ("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", "rtx-pro-6000-max-q"),
        ("RTX PRO 6000 WS", "rtx-pro-6000-workstation"),
        ("RTX-PRO-6000-SE", "rtx-pro-6000-server"),
        ("RTX PRO 5000 72GB", "rtx-pro-5000-72gb"),
        ("GB200 NVL72", "gb200"),
        ("B200 192GB", "b200-sxm"),
        ("NVIDIA GH200 480GB", "gh200-96gb"),
        ("AMD Instinct MI300X", "mi300x"),
        ("MI300X_192GB", "mi300x"),
        ("Intel Gaudi3", "gaudi-3"),
        ("DGX Spark", "gb10"),
        ("TPU v5e", "tpu-v5e"),
        ("Quadro RTX 6000", "quadro-rtx-6000"),
        ("Quadro RTX 5000", "quadro-rtx-5000"),
        ("NVIDIA RTX PRO 4000 Blackwell", "rtx-pro-4000"),
        ("NVIDIA RTX 4000 SFF Ada Generation", "rtx-4000-sff-ada"),
        ("NVIDIA RTX 4000 Ada Generation", "rtx-4000-ada"),
        ("ZOTAC GAMING GeForce RTX 5070 Ti SOLID", "rtx-5070-ti"),
        ("Sapphire Nitro+ RX 7900 XTX", "rx-7900-xtx"),
        ("XFX Speedster MERC310 Radeon RX 7900XTX", "rx-7900-xtx"),
        ("ASUS TUF Gaming GeForce RTX 4070 Ti SUPER 16G OC", "rtx-4070-ti-super"),
        ("AMD Radeon RX 9070", "rx-9070"),
        ("Intel(R) Arc(TM) B570 Graphics", "arc-b570"),
        ("Strix Halo 64GB", "strix-halo-64gb"),
        ("910B", "ascend-910b"),
        ("Ascend 910B3", "ascend-910b"),
        ("A800", "a800-sxm4-80gb"),
        ("H800", "h800-sxm"),
        ("L20", "l20"),
        ("NVIDIA GeForce GTX 1080 Ti", "gtx-1080-ti"),
        ("1080 Ti", "gtx-1080-ti"),
        ("gtx1070", "gtx-1070"),
        ("NVIDIA TITAN Xp", "titan-xp"),
        ("Vega 20 [Radeon VII]", "radeon-vii"),
        ("Intel(R) Data Center GPU Max 1550", "intel-max-1550"),
        ("Max 1100", "intel-max-1100"),
        ("Intel(R) Data Center GPU Flex 170", "intel-flex-170"),
        ("trn1.32xlarge", "trainium"),
        ("AWS Trainium2", "trainium2"),
        ("trn2u.48xlarge", "trainium2"),
        ("Trainium3", "trainium3"),
        ("inf2.48xlarge", "inferentia2"),
    ],
)
def test_a_card_by_any_of_its_names(name: str, accelerator_id: str) -> None:
    assert resolve_accelerator(name) == accelerator_id


@pytest.mark.parametrize(
    "name",
    ["", "SM120 PCIe", "Quadro RTX 9000", "Quadro RTX 3000", "RTX 4090 Laptop GPU", "RTX 4090 36GB", "V100-64GB", "RTX 3090/4090",
     "B200 or H200", "NVIDIA A100-SXM4-80GB MIG 1g.10gb", "H200 64GB", "RTX 5085",
     "NVIDIA GeForce RTX 5090 D v2", "Navi 31 [Radeon RX 7900 XT/7900 XTX/7900 GRE/7900M] (rev c8)", "Sparkle Arc Pro B60 Dual 48GB",
     "NVIDIA GeForce GTX 1080 with Max-Q Design", "GTX 1060 6GB", "Flex 140", "inf1.xlarge", "TITAN X", "RTX 4080 SUPER 32G", "NVIDIA A16-8Q", "GRID A100D-40C", "Palit GeForce RTX 4090 GamingPro Laptop"],
)  # fmt: skip
def test_an_unlike_card_is_not_guessed(name: str) -> None:
    assert resolve_accelerator(name) is None


def test_every_card_answers_to_its_id_and_its_name() -> None:
    for accelerator in catalog.load().facts.accelerators:
        assert resolve_accelerator(accelerator.id) == accelerator.id
        assert resolve_accelerator(accelerator.name) in (accelerator.id, None), accelerator.name
