"""The fields a person can enter: label, unit, range, help, stepping, and how each changes the Scenario. Pure."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal, get_args

from catalog import Catalog, build_scenario, default_inter_link, default_intra_link
from catalog.errors import UnknownId
from engine.errors import ScenarioError
from engine.formats import FORMATS, KV_FORMATS
from engine.hardware import Accelerator
from engine.mixed import weakest
from engine.scenario import (
    KINDS,
    BaseFormat,
    ComputeDtype,
    Hardware,
    LayoutChoice,
    LoraTargets,
    Loss,
    Money,
    Offload,
    Optimizer,
    PipelineSchedule,
    Precision,
    Recompute,
    Runtime,
    Scenario,
    ServingEngine,
    Sharding,
    ShardingGroup,
    Software,
    TrainingFramework,
    Workload,
)
from engine.sizing import Sizing
from tui import numbers
from tui.numbers import NumberError
from tui.store import value_of, with_value

FieldKind = Literal["number", "choice", "picker", "text"]
StepRule = Literal["double", "one", "hundredth", "half", "five", "tenth"]
UNSET = "unset"  # stands for None among the values of a choice


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """One input. `key` is the dotted session key.

    optional: None is a value, shown as the word `empty` ("auto", "none"). choices: (value, label) pairs; for a
    picker the catalog gives them. applies: for which scenarios the field is shown.
    """

    key: str
    label: str
    section: str
    kind: FieldKind
    help: str
    unit: str = ""
    low: float = 1
    high: float = math.inf
    whole: bool = True
    empty: str = ""
    choices: tuple[tuple[Any, str], ...] = ()
    step: StepRule = "double"
    applies: Callable[[Scenario], bool] = lambda scenario: True

    @property
    def optional(self) -> bool:
        """Whether the field may be left empty."""
        return bool(self.empty)

    def default(self) -> Any:
        """The value of a new session; UNSET when the field has none of its own."""
        section, _, name = self.key.partition(".")
        record = _DEFAULTS.get(section)
        return getattr(record, name) if record is not None else _MODEL_DEFAULTS.get(self.key, UNSET)


_DEFAULTS: dict[str, Any] = {
    "workload": Workload(),
    "layout": LayoutChoice(),
    "runtime": Runtime(),
    "money": Money(),
}
_MODEL_DEFAULTS: dict[str, Any] = {
    "model.kv_cache": "bf16",
    "model.mtp": False,
    "hardware.nodes": 1,
    "hardware.second_accelerator": None,
    "title": "",
    "notes": "",
}


class InvalidEntry(ValueError):
    """Text that the field cannot take; the message says why and what is allowed."""


def _inference(scenario: Scenario) -> bool:
    return scenario.workload.is_inference


def _serve(scenario: Scenario) -> bool:
    return scenario.workload.kind == "serve"


def _training(scenario: Scenario) -> bool:
    return not scenario.workload.is_inference


def _adapters(scenario: Scenario) -> bool:
    return scenario.workload.kind in ("lora", "qlora")


def _qlora(scenario: Scenario) -> bool:
    return scenario.workload.kind == "qlora"


def _pipelined(scenario: Scenario) -> bool:
    return _training(scenario) and scenario.layout.pp != 1 and scenario.hardware.gpus > 1


def _plain(literal: Any) -> tuple[tuple[Any, str], ...]:
    return tuple((value, value) for value in get_args(literal))


_YES_NO: tuple[tuple[Any, str], ...] = ((True, "yes"), (False, "no"))
_KIND_WORDS = {
    "serve": "serve: interactive",
    "batch": "batch: offline inference",
    "lora": "lora: adapters",
    "qlora": "qlora: adapters on 4-bit",
    "full-finetune": "full fine-tune",
    "pretrain": "pretrain from scratch",
}
MODEL, HARDWARE, WORKLOAD, LAYOUT, RUNTIME = "MODEL", "HARDWARE", "WORKLOAD", "LAYOUT", "RUNTIME"
DETAIL = "TRAINING IN DETAIL"
MONEY, SESSION = "MONEY AND LIMITS", "SESSION"

FIELDS: tuple[Field, ...] = (
    Field("model.id", "Model", MODEL, "picker", "The model to run. Enter opens the list; type to filter it."),
    Field(
        "model.weights",
        "Weights",
        MODEL,
        "choice",
        "Format of the weights. Fewer bits take less memory; FP8 and FP4 also compute faster where the card can.",
        choices=tuple((f.id, f.id) for f in FORMATS.values() if not f.training_only),
    ),
    Field(
        "model.kv_cache",
        "KV cache",
        MODEL,
        "choice",
        "Format of the KV cache. FP8 doubles the tokens that fit.",
        choices=tuple((f.id, f.id) for f in KV_FORMATS.values()),
        applies=_inference,
    ),
    Field(
        "model.mtp",
        "MTP layers",
        MODEL,
        "choice",
        "Load the layers that predict several tokens at once: their weights take memory too.",
        choices=_YES_NO,
        applies=lambda scenario: bool(scenario.model.architecture.mtp),
    ),
    Field("hardware.accelerator", "GPU", HARDWARE, "picker", "The accelerator. Enter opens the list."),
    Field(
        "hardware.gpus_per_node",
        "GPUs per node",
        HARDWARE,
        "number",
        "Accelerators in one box.",
        low=1,
        high=576,
    ),
    Field(
        "hardware.second_accelerator",
        "Second GPU",
        HARDWARE,
        "picker",
        "Another kind of card in the same node; every rank then counts as the poorer one. Delete removes it.",
        empty="none",
        applies=lambda scenario: scenario.hardware.gpus_per_node > 1,
    ),
    Field(
        "hardware.second_gpus",
        "Of the second",
        HARDWARE,
        "number",
        "How many of the node's GPUs are of the second kind.",
        unit="GPUs",
        high=575,
        step="one",
        applies=lambda scenario: bool(scenario.hardware.mixed),
    ),
    Field("hardware.nodes", "Nodes", HARDWARE, "number", "Boxes.", low=1, high=16384, step="one"),
    Field(
        "hardware.intra_link",
        "Link in node",
        HARDWARE,
        "picker",
        "What joins the GPUs inside a node. Enter opens the list.",
    ),
    Field(
        "hardware.inter_link",
        "Link of nodes",
        HARDWARE,
        "picker",
        "What joins the nodes; counts from two nodes on. Enter opens the list.",
    ),
    Field(
        "hardware.platform",
        "Platform",
        HARDWARE,
        "picker",
        "A server or cloud instance to place it on; sets GPUs and links. Optional.",
        empty="any",
    ),
    Field(
        "workload.kind",
        "Kind",
        WORKLOAD,
        "choice",
        "What the build must do. The fields below follow it.",
        choices=tuple((kind, _KIND_WORDS[kind]) for kind in KINDS),
    ),
    Field(
        "workload.concurrency",
        "Users at once",
        WORKLOAD,
        "number",
        "Requests in flight at the same time.",
        unit="users",
        high=10_000_000,
        applies=_inference,
    ),
    Field(
        "workload.input_tokens",
        "Prompt",
        WORKLOAD,
        "number",
        "Length of one prompt, with its history and documents.",
        unit="tokens",
        high=1e9,
        applies=_inference,
    ),
    Field(
        "workload.output_tokens",
        "Answer",
        WORKLOAD,
        "number",
        "Length of one answer, reasoning included.",
        unit="tokens",
        high=1e9,
        applies=_inference,
    ),
    Field(
        "workload.ttft_target_s",
        "First token in",
        WORKLOAD,
        "number",
        "Target: longest wait for the first token. Leave empty for none.",
        unit="s",
        low=0.001,
        high=86400,
        whole=False,
        empty="no target",
        step="half",
        applies=_serve,
    ),
    Field(
        "workload.tokens_per_s_user_target",
        "Speed per user",
        WORKLOAD,
        "number",
        "Target: tokens a second that each user sees. Leave empty for none.",
        unit="tok/s",
        low=0.01,
        high=100_000,
        whole=False,
        empty="no target",
        step="five",
        applies=_serve,
    ),
    Field(
        "workload.requests_per_s",
        "Requests",
        WORKLOAD,
        "number",
        "Target: requests that arrive each second, in all. Leave empty for none.",
        unit="per s",
        low=0.0001,
        high=1e7,
        whole=False,
        empty="no target",
        step="half",
        applies=_inference,
    ),
    Field(
        "workload.requests",
        "Requests in all",
        WORKLOAD,
        "number",
        "A finite run whose users all start at once. Leave empty for a steady state.",
        high=1e12,
        empty="steady",
        applies=lambda scenario: scenario.workload.kind == "batch" or scenario.workload.requests is not None,
    ),
    Field(
        "workload.sequence_length",
        "Sequence",
        WORKLOAD,
        "number",
        "Tokens of one training sequence.",
        unit="tokens",
        high=1e8,
        applies=_training,
    ),
    Field(
        "workload.micro_batch",
        "Micro-batch",
        WORKLOAD,
        "number",
        "Sequences that one GPU works on at a time.",
        unit="sequences",
        high=65536,
        applies=_training,
    ),
    Field(
        "workload.global_batch_tokens",
        "Global batch",
        WORKLOAD,
        "number",
        "Tokens of one optimizer step, over all GPUs.",
        unit="tokens",
        high=1e12,
        applies=_training,
    ),
    Field(
        "workload.total_tokens",
        "Whole run",
        WORKLOAD,
        "number",
        "Tokens to train on in all. 1.5T and 300M are understood.",
        unit="tokens",
        high=1e18,
        applies=_training,
    ),
    Field(
        "workload.lora_rank",
        "LoRA rank",
        WORKLOAD,
        "number",
        "Rank of the adapters.",
        high=65536,
        applies=_adapters,
    ),
    Field(
        "workload.lora_targets",
        "LoRA on",
        WORKLOAD,
        "choice",
        "Which matrices get adapters.",
        choices=_plain(LoraTargets),
        applies=_adapters,
    ),
    Field(
        "workload.base_format",
        "Base weights",
        WORKLOAD,
        "choice",
        "4-bit format of the frozen base.",
        choices=_plain(BaseFormat),
        applies=_qlora,
    ),
    Field(
        "workload.optimizer",
        "Optimizer",
        WORKLOAD,
        "choice",
        "AdamW in fp32 keeps 8 bytes a parameter, 8-bit AdamW 2.",
        choices=_plain(Optimizer),
        applies=_training,
    ),
    Field(
        "workload.master_weights",
        "Master weights",
        WORKLOAD,
        "choice",
        "An fp32 copy of the trained weights.",
        choices=_YES_NO,
        applies=_training,
    ),
    Field(
        "workload.sharding",
        "Sharding",
        WORKLOAD,
        "choice",
        "zero3 spreads weights, gradients and optimizer over the GPUs; ddp repeats them on each.",
        choices=_plain(Sharding),
        applies=_training,
    ),
    Field(
        "workload.recompute",
        "Recompute",
        WORKLOAD,
        "choice",
        "Activations recomputed in the backward pass: less memory, up to a third more time.",
        choices=_plain(Recompute),
        applies=_training,
    ),
    Field(
        "workload.loss",
        "Loss",
        WORKLOAD,
        "choice",
        "How logits and loss are computed; eager keeps several copies of vocabulary x tokens.",
        choices=_plain(Loss),
        applies=_training,
    ),
    Field(
        "workload.offload",
        "Offload",
        WORKLOAD,
        "choice",
        "State kept in host memory, at the cost of speed.",
        choices=_plain(Offload),
        applies=_training,
    ),
    Field(
        "workload.framework",
        "Framework",
        WORKLOAD,
        "choice",
        "Training framework; they differ in what they keep gathered.",
        choices=_plain(TrainingFramework),
        applies=_training,
    ),
    Field(
        "workload.software",
        "Software",
        WORKLOAD,
        "choice",
        "tuned: fused kernels; standard: a usual framework; eager: plain PyTorch.",
        choices=_plain(Software),
        applies=_training,
    ),
    Field(
        "workload.gradient_accumulation",
        "Accumulation",
        WORKLOAD,
        "number",
        "Micro-batches before one optimizer step. Empty follows from the global batch.",
        unit="steps",
        high=1e6,
        empty="auto",
        applies=_training,
    ),
    Field("layout.tp", "TP", LAYOUT, "number", "Tensor parallel: each layer split over so many GPUs.", empty="auto"),
    Field(
        "layout.pp",
        "PP",
        LAYOUT,
        "number",
        "Pipeline parallel: the layers split into so many stages.",
        empty="auto",
    ),
    Field(
        "layout.dp",
        "DP",
        LAYOUT,
        "number",
        "Data parallel: so many copies, each with its own share of the load.",
        empty="auto",
    ),
    Field(
        "layout.ep",
        "EP",
        LAYOUT,
        "number",
        "Expert parallel: whole experts spread over so many GPUs.",
        empty="auto",
        applies=lambda scenario: scenario.model.architecture.experts > 0,
    ),
    Field(
        "layout.dp_attention",
        "DP attention",
        LAYOUT,
        "choice",
        "Each GPU keeps the KV cache of its own users; saves memory for MLA models.",
        choices=((None, "auto"), *_YES_NO),
        applies=lambda scenario: scenario.workload.is_inference and scenario.model.architecture.experts > 0,
    ),
    Field(
        "workload.compute_dtype",
        "Multiply in",
        DETAIL,
        "choice",
        "Number format of the matrix products; what is kept in memory stays as it is.",
        choices=_plain(ComputeDtype),
        applies=_training,
    ),
    Field(
        "workload.lora_precision",
        "Adapters in",
        DETAIL,
        "choice",
        "Number format of the adapters. Auto is what the framework does: PEFT fp32, Megatron bf16.",
        choices=_plain(Precision),
        applies=_adapters,
    ),
    Field(
        "workload.gradient_precision",
        "Gradients in",
        DETAIL,
        "choice",
        "Number format of the gradients. Auto is what the framework does.",
        choices=_plain(Precision),
        applies=_training,
    ),
    Field(
        "workload.residual_precision",
        "Residuals in",
        DETAIL,
        "choice",
        "Number format of the stream between layers: fp32 after PEFT's prepare_model_for_kbit_training.",
        choices=_plain(Precision),
        applies=_training,
    ),
    Field(
        "workload.flash_attention",
        "Flash attention",
        DETAIL,
        "choice",
        "Without it the scores of sequence x sequence are kept.",
        choices=_YES_NO,
        applies=_training,
    ),
    Field(
        "workload.compile",
        "torch.compile",
        DETAIL,
        "choice",
        "Fuses small kernels.",
        choices=_YES_NO,
        applies=_training,
    ),
    Field(
        "workload.packing",
        "Packing",
        DETAIL,
        "choice",
        "Short samples put together to full sequences, so that no token is padding.",
        choices=_YES_NO,
        applies=_training,
    ),
    Field(
        "workload.trainable_embeddings",
        "Embeddings too",
        DETAIL,
        "choice",
        "Train the embedding and the head beside the adapters.",
        choices=_YES_NO,
        applies=_adapters,
    ),
    Field(
        "workload.sharding_group",
        "Shard over",
        DETAIL,
        "choice",
        "all: every GPU; node: inside a node, and a copy in each.",
        choices=_plain(ShardingGroup),
        applies=_training,
    ),
    Field(
        "workload.context_parallel",
        "CP",
        DETAIL,
        "number",
        "Context parallel: data-parallel GPUs that share one sequence.",
        high=4096,
        applies=_training,
    ),
    Field(
        "workload.pipeline_schedule",
        "Schedule",
        DETAIL,
        "choice",
        "Of the pipeline; interleaved has smaller bubbles and more messages.",
        choices=_plain(PipelineSchedule),
        applies=_pipelined,
    ),
    Field(
        "workload.virtual_stages",
        "Virtual stages",
        DETAIL,
        "number",
        "Chunks of layers on each GPU of an interleaved pipeline.",
        high=64,
        empty="auto",
        applies=lambda scenario: _pipelined(scenario) and scenario.workload.pipeline_schedule == "interleaved",
    ),
    Field(
        "workload.overlap",
        "Overlap",
        DETAIL,
        "number",
        "Share of the communication inside a node that hides behind computing. Empty takes the fitted range.",
        low=0,
        high=1,
        whole=False,
        empty="fitted",
        step="hundredth",
        applies=_training,
    ),
    Field(
        "workload.activation_offload",
        "Offload activ.",
        DETAIL,
        "choice",
        "Activation checkpoints kept in host memory.",
        choices=_YES_NO,
        applies=_training,
    ),
    Field(
        "workload.optimizer_fused",
        "Fused optimizer",
        DETAIL,
        "choice",
        "One kernel for the optimizer step; without it, it needs a copy of the weights for a moment.",
        choices=_YES_NO,
        applies=_training,
    ),
    Field(
        "workload.optimizer_in_backward",
        "Step per layer",
        DETAIL,
        "choice",
        "Each layer is updated inside the backward pass: no gradients are kept, nothing can be accumulated.",
        choices=_YES_NO,
        applies=_training,
    ),
    Field(
        "runtime.engine",
        "Engine",
        RUNTIME,
        "choice",
        "Serving engine whose memory rules apply.",
        choices=_plain(ServingEngine),
        applies=_inference,
    ),
    Field(
        "runtime.memory_utilization",
        "Utilization",
        RUNTIME,
        "number",
        "Share of the card that the engine may fill. Empty takes its default.",
        low=0.05,
        high=1,
        whole=False,
        empty="auto",
        step="hundredth",
        applies=_inference,
    ),
    Field(
        "runtime.max_model_len",
        "Max length",
        RUNTIME,
        "number",
        "Longest sequence the engine is started for. Empty takes what the load needs.",
        unit="tokens",
        high=1e9,
        empty="auto",
        applies=_inference,
    ),
    Field(
        "runtime.max_num_seqs",
        "Max sequences",
        RUNTIME,
        "number",
        "Most sequences in one step. Empty takes the engine's default.",
        high=1e6,
        empty="auto",
        applies=_inference,
    ),
    Field(
        "runtime.max_num_batched_tokens",
        "Tokens per step",
        RUNTIME,
        "number",
        "Most tokens in one step; prompts are chunked to it. Empty takes the engine's default.",
        unit="tokens",
        high=1e9,
        empty="auto",
        applies=_inference,
    ),
    Field(
        "runtime.cuda_graphs",
        "CUDA graphs",
        RUNTIME,
        "choice",
        "Recorded launches: faster small batches, some memory.",
        choices=_YES_NO,
        applies=_inference,
    ),
    Field(
        "runtime.block_size",
        "Block size",
        RUNTIME,
        "number",
        "Tokens of one block of the KV cache; a sequence takes whole blocks.",
        unit="tokens",
        high=1024,
        applies=_inference,
    ),
    Field(
        "runtime.admission_wait_steps",
        "Prompts wait",
        RUNTIME,
        "number",
        "Decode steps for which the engine gathers new prompts before it reads them.",
        unit="steps",
        low=0,
        high=10_000,
        step="one",
        applies=_inference,
    ),
    Field(
        "workload.deadline_days",
        "Deadline",
        MONEY,
        "number",
        "Days the run may take. Leave empty for none.",
        unit="days",
        low=0.001,
        high=100_000,
        whole=False,
        empty="none",
        step="one",
        applies=_training,
    ),
    Field(
        "workload.budget_usd",
        "Budget",
        MONEY,
        "number",
        "Most you would spend. Leave empty for none.",
        unit="$",
        low=1,
        high=1e12,
        whole=False,
        empty="none",
        step="tenth",
    ),
    Field(
        "money.gpu_price_usd",
        "GPU price",
        MONEY,
        "number",
        "Your price for one card; beats the catalog's.",
        unit="$",
        low=0,
        high=1e9,
        whole=False,
        empty="catalog",
        step="tenth",
    ),
    Field(
        "money.host_price_usd",
        "Host price",
        MONEY,
        "number",
        "Your price for one node without cards.",
        unit="$",
        low=0,
        high=1e9,
        whole=False,
        empty="catalog",
        step="tenth",
    ),
    Field(
        "money.network_price_usd",
        "Network price",
        MONEY,
        "number",
        "Your price for one node's network cards, cables and share of the switches.",
        unit="$",
        low=0,
        high=1e9,
        whole=False,
        empty="catalog",
        step="tenth",
        applies=lambda scenario: scenario.hardware.nodes > 1,
    ),
    Field(
        "money.usd_per_gpu_hour",
        "Rent",
        MONEY,
        "number",
        "Your price for one GPU-hour; beats the catalog's.",
        unit="$/h",
        low=0,
        high=1e6,
        whole=False,
        empty="catalog",
        step="tenth",
    ),
    Field(
        "money.electricity_usd_per_kwh",
        "Electricity",
        MONEY,
        "number",
        "Your price of electricity.",
        unit="$/kWh",
        low=0,
        high=100,
        whole=False,
        empty="catalog",
        step="hundredth",
    ),
    Field("title", "Title", SESSION, "text", "What this build is for; stands in reports.", empty="untitled"),
    Field("notes", "Notes", SESSION, "text", "Anything worth keeping with the session.", empty="none"),
)
BY_KEY: dict[str, Field] = {field.key: field for field in FIELDS}
_SECOND = ("hardware.second_accelerator", "hardware.second_gpus")  # keys of a session; a Scenario holds them as `mixed`


def shown(scenario: Scenario) -> list[Field]:
    """The fields that apply to a scenario, in order."""
    return [field for field in FIELDS if field.applies(scenario)]


def current(scenario: Scenario, field: Field) -> Any:
    """The field's value; for records of the catalog their id."""
    if field.key in ("hardware.accelerator", *_SECOND) and scenario.hardware.mixed:
        (first, _), (second, count) = scenario.hardware.mixed
        return {"hardware.accelerator": first.id, "hardware.second_accelerator": second.id}.get(field.key, count)
    if field.key in _SECOND:
        return None
    value = value_of(scenario, field.key)
    return getattr(value, "id", value)


def text_of(scenario: Scenario, field: Field) -> str:
    """The value as the form shows it while nobody types."""
    value = current(scenario, field)
    if field.key == "model.id" and scenario.model.config:
        return scenario.model.config
    if field.choices:
        return next((label for choice, label in field.choices if choice == value), str(value))
    if value is None or value == "":
        return field.empty
    return numbers.typed(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def auto_value(sizing: Sizing | None, field: Field) -> Any:
    """What a field that was left open came to in a Sizing: a number, a word or a yes; None where it does not say so."""
    if sizing is None:
        return None
    section, _, name = field.key.partition(".")
    return getattr(sizing.layout if section == "layout" else sizing.resolved, name, None)


def chosen_by_auto(sizing: Sizing | None, field: Field) -> str:
    """The same in words, for the form; empty where the Sizing does not say so."""
    value = auto_value(sizing, field)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, str):
        return value or ""
    if field.key.startswith("money."):
        return f"${value:,.2f}" if value < 1000 else f"${value:,.0f}" if value < 100_000 else f"${value / 1000:,.0f}k"
    return numbers.typed(round(value, 3))


def is_auto(scenario: Scenario, field: Field) -> bool:
    """Whether the field is left to be filled in."""
    return current(scenario, field) in (None, "auto")


def range_words(field: Field) -> str:
    """What the field accepts, in words."""
    if field.kind != "number":
        return ""
    low = numbers.typed(field.low)
    words = f"from {low}" if math.isinf(field.high) else f"{low} to {numbers.typed(field.high)}"
    return f"{words}, or empty" if field.optional else words


def default_words(field: Field) -> str:
    """The default in words; empty when the field has none."""
    value = field.default()
    if value == UNSET or value == "":
        return ""
    if value is None and field.optional:
        return field.empty
    if field.choices:
        return next((label for choice, label in field.choices if choice == value), "")
    return numbers.typed(value)


def is_default(scenario: Scenario, field: Field) -> bool:
    """Whether the value is the one of a new session (False for fields that have no default)."""
    default = field.default()
    return bool(default != UNSET and current(scenario, field) == default)


def _reader(field: Field) -> Callable[[str], float]:
    if field.whole:
        return numbers.whole
    return _READERS.get(field.key, numbers.decimal)


_READERS: dict[str, Callable[[str], float]] = {
    "workload.ttft_target_s": numbers.seconds,
    "workload.deadline_days": numbers.days,
    "runtime.memory_utilization": numbers.share,
    "workload.overlap": numbers.share,
}


def parse(field: Field, text: str) -> Any:
    """The value that typed text means. Raises InvalidEntry."""
    text = text.strip()
    if field.kind == "text":
        return text
    if field.optional and (not text or text.casefold() in (field.empty, "auto", "none", "-")):
        return None
    if not text:
        raise InvalidEntry(f"a number is needed: {range_words(field)}")
    try:
        value = _reader(field)(text)
    except NumberError as error:
        raise InvalidEntry(str(error)) from None
    if not field.low <= value <= field.high:
        raise InvalidEntry(f"{text} is out of range; allowed: {range_words(field)}")
    return value


_STEPS: dict[StepRule, float] = {"one": 1, "hundredth": 0.01, "half": 0.5, "five": 5}


def stepped(scenario: Scenario, sizing: Sizing | None, field: Field, up: bool) -> Any:
    """The next value up or down: powers of two for counts, the next choice for choices, or the same at an end."""
    value = current(scenario, field)
    if field.choices:
        values = [choice for choice, _ in field.choices]
        at = values.index(value) if value in values else 0
        return values[max(0, min(len(values) - 1, at + (-1 if up else 1)))]
    if field.kind != "number":
        return value
    if value is None:
        value = auto_value(sizing, field)
        if value is None:
            value = _FIRST.get(field.key)
            return value if value is not None else field.low if not math.isinf(field.high) else 1
    if field.step == "double":
        power = math.log2(max(value, 1))
        new = 2.0 ** (math.floor(power + 1e-9) + 1) if up else 2.0 ** (math.ceil(power - 1e-9) - 1)
        if not up and value <= 1:
            new = value
    elif field.step == "tenth":
        new = _nice(value, up)
    else:
        size = _STEPS[field.step]
        count = value / size
        new = (math.floor(count + 1e-6) + 1) * size if up else (math.ceil(count - 1e-6) - 1) * size
        new = round(new, 6)
    most = scenario.hardware.gpus_per_node - 1 if field.key == "hardware.second_gpus" else field.high
    new = min(max(field.low, most), max(field.low, new))
    return int(new) if field.whole else new


_FIRST: dict[str, float] = {
    "workload.ttft_target_s": 2.0,
    "workload.tokens_per_s_user_target": 20.0,
    "workload.requests_per_s": 1.0,
    "workload.requests": 1024,
    "workload.overlap": 0.5,
    "workload.gradient_accumulation": 1,
    "workload.deadline_days": 7.0,
    "workload.budget_usd": 100_000.0,
    "money.gpu_price_usd": 10_000.0,
    "money.host_price_usd": 10_000.0,
    "money.network_price_usd": 5_000.0,
    "money.usd_per_gpu_hour": 2.0,
    "money.electricity_usd_per_kwh": 0.15,
    "workload.virtual_stages": 2,
    "runtime.max_model_len": 8192,
    "runtime.max_num_seqs": 256,
    "runtime.max_num_batched_tokens": 8192,
}


def _nice(value: float, up: bool) -> float:
    """The next price up or down in steps of about a tenth, with two figures."""
    if value <= 0:
        return 1.0 if up else 0.0
    size = 10.0 ** (math.floor(math.log10(value)) - 1)
    size *= 5 if value / size >= 50 else 2 if value / size >= 20 else 1
    count = value / size
    return round((math.floor(count + 1e-6) + 1 if up else math.ceil(count - 1e-6) - 1) * size, 6)


def changed(scenario: Scenario, field: Field, value: Any, catalog: Catalog) -> Scenario:
    """The Scenario with the field set. Records follow their ids, and what depends on them follows too.

    A new accelerator or platform brings its own links; a new model its published format where the old one had
    its own. Raises UnknownId for an id that the catalog does not have, ScenarioError for a node without a first card.
    """
    key = field.key
    if key == "model.id":
        return _with_model(scenario, value, catalog)
    hardware = scenario.hardware
    if key == "hardware.accelerator":
        card = catalog.accelerator(value)
        hardware = _with_cards(hardware, card, hardware.mixed[1] if hardware.mixed else None, catalog)
    elif key in _SECOND:
        hardware = _with_second(hardware, key, value, catalog)
    elif key == "hardware.gpus_per_node":
        usual = default_intra_link(hardware.accelerator, hardware.gpus_per_node, catalog)
        link = hardware.intra_link
        if link == usual:
            link = default_intra_link(hardware.accelerator, value, catalog)
        platform = hardware.platform if hardware.platform and hardware.platform.gpus == value else None
        hardware = dataclasses.replace(hardware, gpus_per_node=value, intra_link=link, platform=platform)
        if hardware.mixed:
            (first, _), (second, count) = hardware.mixed
            if value > count:
                hardware = dataclasses.replace(hardware, mixed=((first, value - count), (second, count)))
            else:  # the cards of the second kind no longer leave room for the first
                hardware = dataclasses.replace(hardware, accelerator=first, mixed=())
    elif key == "hardware.intra_link":
        hardware = dataclasses.replace(hardware, intra_link=catalog.link(value))
    elif key == "hardware.inter_link":
        hardware = dataclasses.replace(hardware, inter_link=catalog.link(value))
    elif key == "hardware.platform":
        return dataclasses.replace(scenario, hardware=_on_platform(scenario, value, catalog))
    else:
        return with_value(scenario, key, value)
    return dataclasses.replace(scenario, hardware=hardware)


def _with_cards(
    hardware: Hardware, first: Accelerator, second: tuple[Accelerator, int] | None, catalog: Catalog
) -> Hardware:
    """Nodes of one kind of card, or of two, with the links that are usual for them."""
    mixed: tuple[tuple[Accelerator, int], ...] = ()
    card = first
    if second is not None and second[0].id != first.id:
        mixed = ((first, hardware.gpus_per_node - second[1]), second)
        card = weakest(mixed)
    return dataclasses.replace(
        hardware,
        accelerator=card,
        intra_link=default_intra_link(card, hardware.gpus_per_node, catalog),
        inter_link=default_inter_link(card, catalog),
        platform=None,
        mixed=mixed,
    )


def _with_second(hardware: Hardware, key: str, value: Any, catalog: Catalog) -> Hardware:
    """The second kind of card, half of the node at first, or its number. Raises ScenarioError."""
    first = hardware.mixed[0][0] if hardware.mixed else hardware.accelerator
    count = hardware.mixed[1][1] if hardware.mixed else max(1, hardware.gpus_per_node // 2)
    if key == "hardware.second_accelerator":
        second = (catalog.accelerator(value), count) if value is not None else None
        return _with_cards(hardware, first, second, catalog)
    if not hardware.mixed:
        return hardware
    left = hardware.gpus_per_node - value
    if left < 1:  # not left to the engine: a session of it could not be read again
        raise ScenarioError(
            key, f"{value} of {hardware.gpus_per_node} GPUs a node", f"1 to {hardware.gpus_per_node - 1}"
        )
    mixed = ((first, left), (hardware.mixed[1][0], value))
    return dataclasses.replace(hardware, accelerator=weakest(mixed), mixed=mixed)


def _with_model(scenario: Scenario, model_id: str, catalog: Catalog) -> Scenario:
    entry = catalog.model(model_id)
    architecture = entry.architecture
    old = scenario.model
    weights = old.weights
    if weights == old.architecture.checkpoint_format or architecture.checkpoint_format == "mxfp4":
        weights = architecture.checkpoint_format
    elif weights == "mxfp4":
        weights = "bf16"
    model = dataclasses.replace(
        old,
        id=entry.id,
        name=entry.name,
        family=entry.family,
        architecture=architecture,
        weights=weights,
        config="",
    )
    return dataclasses.replace(scenario, model=model)


def _on_platform(scenario: Scenario, platform_id: str | None, catalog: Catalog) -> Any:
    hardware = scenario.hardware
    if platform_id is None:
        return dataclasses.replace(hardware, platform=None)
    platform = catalog.platform(platform_id)
    card = catalog.accelerator(platform.accelerator) if platform.accelerator else hardware.accelerator
    gpus = platform.gpus or hardware.gpus_per_node

    def link(link_id: str, fallback: Any) -> Any:
        try:
            return catalog.link(link_id) if link_id else fallback
        except UnknownId:
            return fallback

    return dataclasses.replace(
        hardware,
        accelerator=card,
        gpus_per_node=gpus,
        intra_link=link(platform.intra_link, default_intra_link(card, gpus, catalog)),
        inter_link=link(platform.inter_link, default_inter_link(card, catalog)),
        platform=platform,
        mixed=(),
    )


def new_scenario(catalog: Catalog) -> Scenario:
    """What a new session starts with."""
    return build_scenario("llama-3.1-70b", "fp8", "rtx-pro-6000-server", 4, catalog=catalog)
