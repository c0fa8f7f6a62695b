"""Settings of a serving engine, as entered."""

from __future__ import annotations

from typing import Literal

from engine.figures.records import dataclass
from engine.runtimes import ENGINES
from engine.runtimes.engine import Engine, ServingEngine

Speculation = Literal["mtp", "eagle", "dflash", "dflash2", "dspark", "ngram"]
AttentionBackend = Literal["flash2", "flash3", "flashinfer", "triton", "trtllm"]
StateType = Literal["fp32", "bf16"]


@dataclass(frozen=True, slots=True)
class Runtime:
    """Engine settings; None takes the engine's default for that accelerator and workload."""

    engine: ServingEngine = "vllm"
    memory_utilization: float | None = None
    max_num_batched_tokens: int | None = None
    max_num_seqs: int | None = None
    max_model_len: int | None = None
    cuda_graphs: bool = True
    block_size: int = 16
    admission_wait_steps: int = 0  # decode steps for which the engine gathers new prompts before it reads them
    prefix_caching: bool = True  # a recurrent model then keeps the state of the last whole block of each sequence too
    text_only: bool = False  # vLLM: towers of pictures and sound are not loaded
    attention_backend: AttentionBackend | None = None  # kernels of attention; None: the engine's own
    speculative: Speculation | None = None  # who drafts; None: the MTP layers where they are loaded, else nobody
    speculative_tokens: int | None = None  # tokens drafted ahead; None: `engine.serving.draft.AHEAD`
    speculative_accepted: float | None = None  # share of drafted tokens that are kept, each on the one before it
    max_loras: int | None = None  # adapters that share a batch; None: none
    max_lora_rank: int = 16
    n_cpu_moe: int | None = None  # llama.cpp: first layers whose routed experts stay in host memory; None: none
    n_gpu_layers: int | None = None  # llama.cpp: last layers that are on cards at all; None: all
    cpu_offload_gb: float | None = None  # vLLM, SGLang: GiB of weights a GPU in host memory; None: none
    kt_gpu_experts: int | None = None  # SGLang with KTransformers: experts of each layer on cards; None: all
    host_gb_s: float | None = None  # what the CPU reads weights at; None: engine.serving.host.HOST_GB_S
    host_ram_gib: float | None = None  # memory of the host of each node; None: not said
    host_reserve_gib: float | None = None  # unified memory: what the host holds; None: the default from logs

    kv_cache_gib: float | None = None  # vLLM: of KV cache a GPU, whatever a profiled pass leaves; None: that
    state_dtype: StateType | None = None  # of recurrent states; None: as the config or the engine has it
    state_slots: int | None = None  # SGLang: sequences whose recurrent states are kept; None: a share of the pool
    skip_mm_profiling: bool = False  # vLLM: the profiled pass encodes no picture

    @property
    def rules(self) -> Engine:
        """What the engine does whatever it is told."""
        return ENGINES[self.engine]
