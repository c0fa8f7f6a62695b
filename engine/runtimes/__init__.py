"""Serving engines and training frameworks: what each does unless it is told otherwise, one entry each.

A serving engine is added with a file here, a word in `engine.runtimes.engine.ServingEngine` and a line below; a training
framework with an entry and a word in `engine.runtimes.frameworks`.
"""

from __future__ import annotations

from typing import Final

from engine.runtimes.engine import Engine, ServingEngine
from engine.runtimes.llama_cpp import LLAMA_CPP
from engine.runtimes.mlx import MLX
from engine.runtimes.sglang import SGLANG
from engine.runtimes.trtllm import TRTLLM
from engine.runtimes.vllm import EARLIER, VLLM

ENGINES: Final[dict[ServingEngine, Engine]] = {one.id: one for one in (VLLM, EARLIER, SGLANG, TRTLLM, LLAMA_CPP, MLX)}
