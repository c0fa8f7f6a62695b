"""The one source of truth: what a person asked. Frozen; an edit makes a new one."""

from __future__ import annotations

from dataclasses import field, replace
from typing import Final, Literal, get_args

from engine.figures.records import NamedTuple, dataclass
from engine.figures.sentences import Sentence
from engine.figures.units import SECONDS_PER_DAY
from engine.model.architecture import Architecture
from engine.parts.hardware import Accelerator, Facts, Link, Platform
from engine.parts.own import Measurement
from engine.parts.power_limit import limited
from engine.runtimes.frameworks import AnyFramework, AttentionKernel, Loss, Optimizer, Sharding, Software, entry_of
from engine.scenario.runtime import AttentionBackend as AttentionBackend
from engine.scenario.runtime import Runtime as Runtime
from engine.scenario.runtime import Speculation as Speculation

Kind = Literal["serve", "batch", "embed", "lora", "qlora", "full-finetune", "pretrain", "dpo", "reward", "grpo", "ppo"]
Tuning = Literal["full", "lora", "qlora"]
Preference = Literal["dpo", "ipo", "kto", "orpo", "simpo"]
ReferenceModel = Literal["auto", "resident", "none"]
Rollout = Literal["colocated", "apart"]
Recompute = Literal["none", "selective", "full"]
RecomputeModules = Literal[
    "framework",
    "core_attn",
    "layernorm",
    "mlp",
    "moe",
    "moe_act",
    "mla_up_proj",
    "mlp+moe",
    "layernorm+moe",
    "layernorm+moe_act",
    "mla_up_proj+mlp",
    "mla_up_proj+moe",
    "mla_up_proj+moe_act",
    "layernorm+mla_up_proj+moe_act",
]
Offload = Literal["none", "optimizer", "parameters"]
BaseFormat = Literal["nf4", "nf4-double", "gptq", "int8"]
LoraTargets = Literal[
    "attention",
    "attention-qv",
    "mlp",
    "all-linear",
    "attention-qkv-mlp",
    "attention-qvo-mlp",
    "all-linear-and-head",
    "all-linear-and-experts",
]
Precision = Literal["auto", "bf16", "fp32"]
CachedBy = Literal["each", "everyone"]
Statistic = Literal["mean", "p50", "p95", "p99"]
"""What of all requests a target speaks of: their mean, or what so many of 100 stay below."""
PipelineSchedule = Literal["1f1b", "interleaved"]
ComputeDtype = Literal["bf16", "fp8", "nvfp4"]
NARROW_BYTES: Final[dict[ComputeDtype, float]] = {"fp8": 1.0, "nvfp4": 0.5625}
"""Bytes of an element of a product's input in fewer than 16 bits, NVFP4 with its scales: 4 + 8 / 16 bits."""
ShardingGroup = Literal["all", "node"]

KINDS: tuple[Kind, ...] = get_args(Kind)
INFERENCE_KINDS: frozenset[Kind] = frozenset({"serve", "batch", "embed"})
TUNED_KINDS: tuple[Kind, ...] = ("dpo", "reward", "grpo", "ppo")
"""Training by preferences or rewards, of every weight or of adapters."""
ROLLOUT_KINDS: tuple[Kind, ...] = ("grpo", "ppo")
"""Training on what the model itself answers in every step."""


@dataclass(frozen=True, slots=True)
class Model:
    """The chosen model. weights and kv_cache name formats of `engine.model.formats`.

    config: path as written in the session when the model is not from the catalog.
    """

    id: str
    name: str
    family: str
    architecture: Architecture
    weights: str = "bf16"
    kv_cache: str = "bf16"
    config: str = ""
    mtp: bool = False  # whether the multi-token-prediction layers are loaded


@dataclass(frozen=True, slots=True)
class Hardware:
    """The chosen build: nodes x gpus_per_node of one accelerator and the links that join them.

    power_limit_w: what each card may draw, as `nvidia-smi -pl` sets it; None: what its board does.
    mixed: where a node holds two kinds of card, each with its count; accelerator is then `engine.parts.mixed.weakest` of them,
    since every rank of a group is only as good as the poorest.
    """

    accelerator: Accelerator
    gpus_per_node: int
    nodes: int
    intra_link: Link
    inter_link: Link
    platform: Platform | None = None
    mixed: tuple[tuple[Accelerator, int], ...] = ()
    power_limit_w: float | None = None

    @property
    def working(self) -> Accelerator:
        """The card as it computes, reads and draws under its power limit."""
        return self.accelerator if self.power_limit_w is None else limited(self.accelerator, self.power_limit_w)

    @property
    def gpus(self) -> int:
        """GPUs over all nodes."""
        return self.gpus_per_node * self.nodes


USUAL_TOKENS_A_GPU = 8192
LEAST_USUAL_BATCH, LARGEST_USUAL_BATCH = 1 << 19, 1 << 24
"""Tokens of a step where nobody entered how many: 8,192 a GPU, from half a million to 16 million. Published runs: 0.5 million
for a 125M and 3.2 for GPT-3 (Brown et al. 2020, arXiv 2005.14165, table 2.1), 2.3 on 384 GPUs (Falcon 40B, arXiv 2311.16867),
4.2 on 384 (BLOOM, arXiv 2211.05100), 4 for every Llama 2 (arXiv 2307.09288), 16 on 16,384 (Llama 3 405B, arXiv 2407.21783)."""


def usual_batch(gpus: int) -> int:
    """Tokens of a step on so many GPUs where nobody entered a batch: USUAL_TOKENS_A_GPU each, in a power of two."""
    asked = 1 << (gpus * USUAL_TOKENS_A_GPU - 1).bit_length()
    return min(LARGEST_USUAL_BATCH, max(LEAST_USUAL_BATCH, asked))


RUN_TOKENS = 1_000_000_000
"""What a training run is trained on where nobody entered how much, tokens."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What the build must carry. Serving and training fields live side by side; `kind` says which count.

    Targets are None when nobody set one.
    """

    kind: Kind = "serve"
    # serving
    concurrency: int = 32
    input_tokens: int = 7000
    output_tokens: int = 1000
    ttft_target_s: float | None = None
    tokens_per_s_user_target: float | None = None
    ttft_target_at: Statistic = "mean"
    tokens_per_s_user_target_at: Statistic = "mean"
    requests_per_s: float | None = None
    requests: int | None = None  # a finite run whose users all start at once; None: a steady state
    output_spread: float | None = None  # standard deviation of the answers' lengths over their mean; None: all alike
    cached_share: float | None = None  # of a prompt, what a prefix cache holds already; None: nothing
    cached_by: CachedBy = (
        "each"  # whose that part is: of each user's own history, or one beginning that everyone shares
    )
    # training
    sequence_length: int = 4096
    micro_batch: int = 1
    global_batch_tokens: int | None = None  # None: usual_batch of the build
    total_tokens: int | None = None  # of a training run, None: RUN_TOKENS; of a batch its corpus, None: no end
    dataset_tokens: int | None = None  # what a run goes through `epochs` times, where total_tokens is open
    epochs: int = 1
    optimizer: Optimizer = "adamw"
    optimizer_fused: bool = True
    optimizer_in_backward: bool = False
    master_weights: bool = True
    recompute: Recompute = "full"
    sharding: Sharding = "zero3"
    framework: AnyFramework = "fsdp2"
    lora_rank: int = 16
    lora_targets: LoraTargets = "all-linear"
    trainable_embeddings: bool = False
    base_format: BaseFormat = "nf4-double"
    loss: Loss = "auto"  # as the framework has it, see engine.runtimes.frameworks
    gradient_accumulation: int | None = None  # None: from global_batch_tokens
    offload: Offload = "none"
    software: Software = "auto"  # likewise
    packing: bool = True
    # preferences and rewards
    tuning: Tuning = "full"  # what of the model learns
    preference: Preference = "dpo"  # the loss over pairs; orpo and simpo compare with no reference
    reference_model: ReferenceModel = "auto"  # a frozen copy to compare with; adapters switched off are one
    group_size: int = 8  # answers to one prompt
    response_tokens: int | None = None  # of a sequence, those that the model answers; None: half
    rollout: Rollout = "colocated"  # where answers are generated: on the trainer's GPUs, or on others like them
    rollout_share: float = 0.5  # of each card, the engine's while it generates
    rollout_sleeps: bool = True  # whether the engine gives its memory back while the trainer steps
    # precision and kernels of training; "auto" is what the framework does with the method
    lora_precision: Precision = "auto"  # PEFT keeps adapters in fp32; torchtune, litgpt and Megatron in bf16
    base_precision: Precision = "auto"  # of a frozen base that is not quantized: 16 bits, or the fp32 that FSDP shards
    gradient_precision: Precision = "auto"
    residual_precision: Precision = "auto"  # fp32 after PEFT's prepare_model_for_kbit_training upcast
    flash_attention: bool = True
    attention_kernel: AttentionKernel = "auto"  # as the framework has it
    tiled_mlp: bool = False  # feed-forwards a tile of the sequence at a time, computed again in the backward pass
    compile: bool = False
    context_parallel: int = 1  # of the dp ranks, how many share one sequence
    pipeline_schedule: PipelineSchedule = "1f1b"
    recompute_modules: RecomputeModules = "framework"  # under "selective": the framework's own set, or parts of a layer
    activation_offload: bool = False  # checkpoints kept in host memory
    compute_dtype: ComputeDtype = "bf16"  # of the matrix products; storage is `weights` and `master_weights`
    sharding_group: ShardingGroup = "all"  # "node": ZeRO shards inside a node and replicates across (hybrid)
    virtual_stages: int | None = None  # chunks of layers a pipeline rank holds when interleaved; None: 2
    overlap: float | None = None  # share of in-node communication hidden; None: the model's range
    # limits
    deadline_days: float | None = None
    budget_usd: float | None = None
    usual_batch_tokens: int = field(default=LEAST_USUAL_BATCH, metadata={"own": True})
    """Of the build that a Scenario puts it on: no key of a file."""

    @property
    def is_inference(self) -> bool:
        """Whether this is serving or offline inference."""
        return self.kind in INFERENCE_KINDS

    @property
    def trains(self) -> Tuning:
        """What learns: every weight, adapters, or adapters over a packed base."""
        if self.kind == "lora" or self.kind == "qlora":
            return self.kind
        return self.tuning if self.kind in TUNED_KINDS else "full"

    @property
    def rolls_out(self) -> bool:
        """Whether every step begins with answers of the model itself."""
        return self.kind in ROLLOUT_KINDS

    @property
    def sample_sequences(self) -> int:
        """Sequences of one sample: two where one is preferred and one rejected."""
        return 2 if self.kind == "reward" or (self.kind == "dpo" and self.preference != "kto") else 1

    @property
    def micro_tokens(self) -> int:
        """Tokens of one micro-batch: a sample is a pair where pairs are compared."""
        return self.micro_batch * self.sequence_length * self.sample_sequences

    @property
    def compares(self) -> bool:
        """Whether a step asks a reference what it thinks of each token: DPO and its kin, GRPO, PPO."""
        if self.reference_model == "none" or self.kind not in TUNED_KINDS or self.kind == "reward":
            return False
        return self.kind != "dpo" or self.preference not in ("orpo", "simpo")

    @property
    def frozen_models(self) -> int:
        """Whole frozen models beside the trained one: a reference (adapters switched off are one), PPO's reward model."""
        own = self.trains != "full" and self.reference_model == "auto"
        return (1 if self.compares and not own else 0) + (1 if self.kind == "ppo" else 0)

    @property
    def copied_bytes(self) -> float:
        """Bytes that a trained weight takes beside its 16-bit self for products in fewer bits: one quantized, and its transpose."""
        bits = NARROW_BYTES.get(self.compute_dtype)
        return 2.0 * bits if bits is not None and entry_of(self.framework).copies_8bit else 0.0

    @property
    def trained_models(self) -> int:
        """Models that learn: PPO trains its value model as well."""
        return 2 if self.kind == "ppo" else 1

    @property
    def scoring_passes(self) -> int:
        """Forward passes without a backward: of the reference, of the reward model, and of answers before the first update."""
        return (1 if self.compares else 0) + (1 if self.kind == "ppo" else 0) + (1 if self.rolls_out else 0)

    @property
    def scores_only(self) -> bool:
        """Whether the model puts out a score in the place of its vocabulary."""
        return self.kind == "reward"

    @property
    def engine_share(self) -> float:
        """Of each of the trainer's cards, what an engine takes that generates on them."""
        return self.rollout_share if self.rolls_out and self.rollout == "colocated" else 0.0

    @property
    def rolled_tokens(self) -> int:
        """Of a sequence those that the model answers, where it does."""
        half = max(1, self.sequence_length // 2)
        return half if self.response_tokens is None else min(self.response_tokens, self.sequence_length)

    @property
    def tokens_per_request(self) -> int:
        """Prompt and answer together, tokens."""
        return self.input_tokens + self.answer_tokens

    @property
    def cached_tokens(self) -> int:
        """Whole tokens of a prompt that a prefix cache holds, as far as the engine keeps one; the last one is always read."""
        if self.cached_share is None or self.embeds:
            return 0
        return min(int(self.cached_share * self.input_tokens), self.input_tokens - 1)

    @property
    def embeds(self) -> bool:
        """Whether texts are read and nothing is written: embedders and rerankers."""
        return self.kind == "embed"

    @property
    def answer_tokens(self) -> int:
        """Tokens that are written for a request; an embedder writes none."""
        return 0 if self.embeds else self.output_tokens

    @property
    def counted_tokens(self) -> int:
        """Tokens of a request that a speed counts: those of its answer, and those that an embedder reads."""
        return self.input_tokens if self.embeds else self.output_tokens

    @property
    def run_tokens(self) -> int:
        """Tokens of a run: as entered, else those of its dataset in every epoch, else RUN_TOKENS."""
        if self.total_tokens is None and self.dataset_tokens is not None:
            return self.dataset_tokens * self.epochs
        return RUN_TOKENS if self.total_tokens is None else self.total_tokens

    @property
    def batch_tokens(self) -> int:
        """Tokens of a step that are asked for: as entered, else those usual on the build."""
        return self.usual_batch_tokens if self.global_batch_tokens is None else self.global_batch_tokens

    @property
    def corpus_tokens(self) -> int | None:
        """Tokens that a batch goes through, prompts and answers together; None without an end, and of other kinds."""
        return self.total_tokens if self.kind == "batch" else None

    @property
    def corpus_requests(self) -> float | None:
        """Requests that the corpus is: its tokens over those of a prompt and an answer; None likewise."""
        tokens = self.corpus_tokens
        return None if tokens is None else tokens / self.tokens_per_request

    @property
    def rate_asked(self) -> float | None:
        """Requests a second that are asked for: as entered, or as a corpus takes to be done by its deadline."""
        requests = self.corpus_requests
        if requests is None or self.deadline_days is None:
            return self.requests_per_s
        return max(requests / (self.deadline_days * SECONDS_PER_DAY), self.requests_per_s or 0.0)

    @property
    def is_run(self) -> bool:
        """Whether the work has an end, and so days and a rent: training, and a batch with a corpus."""
        return not self.is_inference or self.corpus_tokens is not None


@dataclass(frozen=True, slots=True)
class LayoutChoice:
    """What the person pinned; None is chosen automatically."""

    tp: int | None = None
    pp: int | None = None
    dp: int | None = None
    ep: int | None = None
    dp_attention: bool | None = None
    dcp: int | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """A complete layout: tp x pp x dp GPUs. ep: ranks that whole experts are spread over (1: none).

    dcp: of the tp ranks, how many share the tokens of a KV cache that each would hold whole (decode context parallel).
    reason: why it is this one.
    """

    tp: int = 1
    pp: int = 1
    dp: int = 1
    ep: int = 1
    dp_attention: bool = False
    reason: Sentence = ()
    dcp: int = 1

    @property
    def gpus(self) -> int:
        """GPUs the layout uses."""
        return self.tp * self.pp * self.dp


Region = Literal["north-america", "europe", "asia", "oceania", "south-america", "africa"]


@dataclass(frozen=True, slots=True)
class Money:
    """Prices that a person entered, which beat the catalog's, and how the build is used. None: the catalog's, or not counted.

    capital_percent_per_year: interest on the purchase. resale_percent: of its price after 36 months. engineer_share: of a
    full-time engineer that one node takes.
    """

    gpu_price_usd: float | None = None
    host_price_usd: float | None = None
    network_price_usd: float | None = None  # of a node: its cards, cables and share of the switches
    usd_per_gpu_hour: float | None = None
    electricity_usd_per_kwh: float | None = None
    # the site: its region decides the mains and, where no price is entered, that of electricity
    region: Region | None = None
    pue: float | None = None  # power of the whole facility over that of the machines
    rack_kw: float | None = None  # what a rack may draw; None: one three-phase feed
    # use
    hours_per_day: float | None = None  # None: all of them
    days_per_month: float | None = None
    runs_per_month: float | None = None  # of a training run; None: a single run
    growth_percent_per_month: float | None = None
    # what owning costs beside the purchase
    capital_percent_per_year: float | None = None
    resale_percent: float | None = None
    support_percent_per_year: float | None = None
    storage_tb: float | None = None
    engineer_share: float | None = None
    engineer_usd_per_year: float | None = None


class Site(NamedTuple):
    """What is bought, what its owner entered about money, and the prices: whatever runs on it, it costs and draws the
    same. A key to keep bills by."""

    hardware: Hardware
    money: Money
    facts: Facts


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that decides a sizing. `facts` is what the catalog knew when it was built.

    measured: what the person measured of this build, to stand beside what is predicted; it decides nothing.
    """

    model: Model
    hardware: Hardware
    workload: Workload = field(default_factory=Workload)
    layout: LayoutChoice = field(default_factory=LayoutChoice)
    runtime: Runtime = field(default_factory=Runtime)
    money: Money = field(default_factory=Money)
    title: str = ""
    notes: str = ""
    measured: tuple[Measurement, ...] = ()
    facts: Facts = field(default_factory=Facts, repr=False, compare=False)

    def __post_init__(self) -> None:
        """What is usual on a build is known to its workload."""
        if self.workload.global_batch_tokens is None and self.workload.usual_batch_tokens != (
            usual := usual_batch(self.hardware.gpus)
        ):
            object.__setattr__(self, "workload", replace(self.workload, usual_batch_tokens=usual))

    @property
    def format_held(self) -> str:
        """The format of the weights while the work is done: as served, the frozen base of a QLoRA, else what is trained in."""
        if self.workload.is_inference:
            return self.model.weights
        return self.workload.base_format if self.workload.kind == "qlora" else self.workload.compute_dtype

    @property
    def site(self) -> Site:
        """The build with its money and prices, without what runs on it."""
        return Site(self.hardware, self.money, self.facts)
