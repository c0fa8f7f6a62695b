"""What one GPU of each kind of pipeline stage holds under a serving engine before any load: weights, buffers, room for KV."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from engine.calibration import serving_memory as fitted
from engine.figures.records import NamedTuple, dataclass
from engine.figures.units import GIB
from engine.layout.sharding import (
    attention_ranks,
    expert_split,
    shard_tensor,
    stage_kinds,
    stage_range,
    stage_weights,
)
from engine.model.architecture import Architecture, Tensor
from engine.parts.hardware import Accelerator
from engine.runtimes import ENGINES
from engine.runtimes.engine import ServingEngine
from engine.scenario import Layout, Runtime, Scenario, Speculation
from engine.serving.buffers import (
    Tile,
    activation_bytes,
    compute_buffer_bytes,
    engine_extra_bytes,
    expert_tile,
    graph_bytes,
    non_torch_bytes,
    packed_bytes,
    plain_latent,
    unified_bytes,
)
from engine.serving.draft import (
    BLOCKS,
    draft_of,
    drafted_ahead,
    drafted_by,
    layers_ahead,
    sixteen_bit_bytes,
    vocabulary_copies,
)
from engine.serving.host import first_on_gpu, host_weights
from engine.serving.kv_pool import BLOCK_ALIGNMENT, Beside, KvPool, kv_pool, state_bytes, states_held
from engine.serving.settings import (
    EngineSettings,
    host_reserve_bytes,
    is_gaudi,
    resolved_settings,
    stored_weights,
    visible_bytes,
)


@dataclass(frozen=True, slots=True)
class _Stage:
    """Pipeline stages that hold the same. first: number from 1."""

    first: int
    stages: int
    weights: int
    layers: int
    pool: KvPool
    last: bool
    host: int = 0


NO_CACHE = KvPool(1, (), True)
"""The cache of an embedder: a pass reads whole texts and keeps nothing of them."""


@lru_cache(maxsize=1024)
def _stages(
    arch: Architecture,
    weights: str,
    kv: str,
    layout: Layout,
    predicting: int,
    engine: ServingEngine,
    block: int,
    tile: Tile,
    vendor: str,
    plain: bool,
    beside: Beside,
    drafter: tuple[Tensor, ...],
    adapters: tuple[int, int],
    runtime: Runtime,
    embeds: bool,
) -> tuple[_Stage, ...]:
    rules = ENGINES[engine]
    ranks = 1 if rules.rows_keep_kv else attention_ranks(layout)
    found: list[_Stage] = []
    kinds: tuple[int, ...] = ()
    for stage in range(layout.pp):
        before, kinds = kinds, stage_kinds(arch, weights, layout.pp, stage)
        if kinds == before and 1 < stage < layout.pp - 1:  # neither an embedding nor a head tells them apart
            found[-1] = replace(found[-1], stages=found[-1].stages + 1)
            continue
        held = stage_weights(arch, weights, layout, stage, predicting > 0)
        if rules.embedding_on_host:
            # the input table is the host's unless the head reads it too
            away = (0 if arch.tied else held.parts.get("embedding", 0)) + held.parts.get("table", 0)
            loaded = held.total_bytes - away
        else:
            loaded = held.total_bytes
            if rules.buffers is None:
                loaded += engine_extra_bytes(arch, weights, layout, held.layers, tile)
        if arch.table_on_host and not rules.embedding_on_host:
            loaded -= held.parts.get("table", 0)
        if rules.towers_apart or (runtime.text_only and rules.whole_items):
            loaded -= held.parts.get("vision", 0) + held.parts.get("audio", 0)
        if vendor == "AMD" and rules.pads_rocm:
            loaded = int(loaded * fitted.ROCM_WEIGHTS)
        if vendor == "INTEL" and weights == "nvfp4-fp8":
            # the FP8 of recurrent mixers is unpacked to 16 bits: 24.9 GiB of a 20.42 GiB file on Arc Pro B70
            loaded += held.parts.get("recurrent", 0)
        if rules.budget == "static":
            loaded += int(fitted.SGLANG_LOAD_GIB * GIB)
        if stage == layout.pp - 1:
            loaded += sixteen_bit_bytes(drafter, layout)
            if predicting > 1:
                one = held.total_bytes - stage_weights(arch, weights, layout, stage).total_bytes
                loaded += (predicting - 1) * one
        loaded += adapter_bytes(arch, layout, stage, *adapters, rules.expert_adapters)
        if embeds:
            loaded -= held.parts.get("lm_head", 0)  # what is read is pooled, never told in words
        host = host_weights(arch, weights, layout, stage, runtime).total
        aside = held.parts.get("table", 0) if arch.table_on_host else 0
        entry = _Stage(
            stage + 1,
            1,
            loaded - host,
            held.layers,
            NO_CACHE if embeds else kv_pool(arch, kv, ranks, layout.pp, stage, engine, block, plain, beside),
            stage == layout.pp - 1,
            host + aside,
        )
        if found:
            last = found[-1]
            if replace(entry, first=last.first, stages=last.stages) == last:
                found[-1] = replace(last, stages=last.stages + 1)
                continue
        found.append(entry)
    return tuple(found)


ADAPTED = ("attention", "mlp", "shared_expert", "recurrent")
"""Parts of a model whose matrices an adapter may touch: vLLM has a slot for each, whatever the adapters touch."""


def adapter_bytes(arch: Architecture, layout: Layout, stage: int, slots: int, rank: int, experts: bool = False) -> int:
    """Bytes of the slots for LoRA adapters on one rank of a stage: both factors of each matrix in 16 bits.

    One factor is whole on every rank, the other is split as its matrix is (vllm/lora/layers, without fully_sharded_loras).
    experts: whether each routed expert on the rank has them too (vllm/lora/layers/fused_moe.py).
    """
    if not slots:
        return 0
    parts = (*ADAPTED, "routed_expert") if experts else ADAPTED
    sides, split = 0, expert_split(layout)
    for index in stage_range(len(arch.layers), layout.pp, stage):
        for tensor in arch.layers[index].tensors:
            if tensor.part in parts and tensor.is_matrix:
                piece = shard_tensor(tensor, layout.tp, layout.tp, split)
                sides += (piece.rows + piece.cols) * piece.copies
    return 2 * slots * rank * sides


def _label(stage: _Stage, pp: int, gpus: int) -> str:
    if pp == 1:
        return f"all {gpus} GPUs" if gpus > 1 else "the GPU"
    if stage.stages == 1:
        return f"stage {stage.first}"
    return f"stages {stage.first}-{stage.first + stage.stages - 1}"


@dataclass(frozen=True, slots=True)
class Rank:
    """What one GPU of some equal stages holds before any load. room: left for KV, negative when over. stage: the first of
    them, from 1."""

    label: str
    stage: int
    gpus: int
    weights: int
    activation: int
    runtime: int
    usable: int
    room: int
    layers: int
    longest: int  # tokens of the longest single sequence that fits
    pool: KvPool
    host: int = 0  # weights that stay in host memory

    @property
    def kv_room(self) -> int:
        """Bytes that the KV cache gets."""
        return max(0, self.room)


class Loaded(NamedTuple):
    """An engine with its weights loaded and nothing asked of it: one rank of each kind of stage, and its settings as of
    `settings_of`."""

    ranks: tuple[Rank, ...]
    settings: EngineSettings


GAUDI_GRAPH_SHARE = 0.1
"""Of the memory that Gaudi's KV cache may take, what HPU graphs keep (VLLM_GRAPH_RESERVED_MEM of vllm-gaudi)."""
XPU_BLOCK_ALIGNMENT = 64
"""Tokens that blocks with a state in them are a multiple of on Intel GPUs: starts of vLLM on Arc B70 print 832."""


STATE_ELEMENT = {"fp32": 4, "bf16": 2}
"""Bytes of an element of a recurrent state by what it is kept in (vLLM --mamba-ssm-cache-dtype, SGLang --mamba-ssm-dtype)."""


def _beside(
    arch: Architecture, drafts: Speculation | None, ahead: int, card: Accelerator, layout: Layout, runtime: Runtime
) -> Beside:
    rules = runtime.rules
    alignment = XPU_BLOCK_ALIGNMENT if card.vendor.upper() == "INTEL" else BLOCK_ALIGNMENT
    states = states_held(runtime.engine, runtime.prefix_caching, ahead)
    return Beside(
        draft_of(arch, drafts).caches,
        states,
        layout.dcp,
        alignment,
        first_on_gpu(arch, runtime),
        ahead,
        # a DFlash drafter's layers are padded among themselves: a start prints 2 and 6 padding layers beside eight
        drafts in BLOCKS,
        # Triton's kernels write them; those of TPUs are not Triton's
        rules.head_scales and card.vendor.upper() != "GOOGLE",
        STATE_ELEMENT.get(runtime.state_dtype or "", 0),
        rules.state_slots and runtime.state_slots is not None,
    )


def beside_of(scenario: Scenario, layout: Layout) -> Beside:
    """What the KV pool of a scenario holds beside the model's own layers."""
    model, runtime = scenario.model, scenario.runtime
    drafts, ahead = drafted_by(model, runtime), drafted_ahead(model, runtime)
    return _beside(model.architecture, drafts, ahead, scenario.hardware.accelerator, layout, runtime)


@lru_cache(maxsize=1024)  # a search around thousands of GPUs comes back to hundreds of layouts at each step
def _ranks(
    arch: Architecture,
    weights: str,
    kv: str,
    drafts: Speculation | None,
    ahead: int,
    card: Accelerator,
    nvlink: bool,
    layout: Layout,
    runtime: Runtime,
    embeds: bool = False,
) -> Loaded:
    """One rank of each kind of stage. No load is among the arguments: an edit of the load finds them here."""
    settings = resolved_settings(runtime, card, layout, arch)
    visible, rules = visible_bytes(card), settings.rules
    plain = plain_latent(card, settings.engine)
    predicting = layers_ahead(arch, drafts)
    stages = _stages(
        arch,
        weights,
        kv,
        layout,
        predicting,
        settings.engine,
        settings.block_size,
        expert_tile(card, rules.marlin),
        card.vendor.upper(),
        plain,
        _beside(arch, drafts, ahead, card, layout, runtime),
        () if predicting else draft_of(arch, drafts).tensors,
        (runtime.max_loras or 0, runtime.max_lora_rank),
        runtime,
        embeds,
    )
    non_torch = non_torch_bytes(card, layout, settings.engine, nvlink)
    if not settings.kv_cache_bytes:  # what they stand for is seen in what a profiled pass leaves
        non_torch += unified_bytes(arch, card, layout, settings.engine)
    if rules.packs:
        non_torch += packed_bytes(arch, card)
    ranks: list[Rank] = []
    for stage in stages:
        last = stage.last and not embeds
        activation = activation_bytes(arch, layout, settings, last, bool(ahead), draft_of(arch, drafts).states)
        graphs = graph_bytes(stage.layers, settings)
        runtime_bytes = non_torch + graphs
        if rules.buffers is not None:
            beside = 1 + rules.buffers.draft if draft_of(arch, drafts).tensors else 1
            activation = int(beside * compute_buffer_bytes(arch, settings, rules.buffers))
            runtime_bytes = int(rules.buffers.context_gib * GIB)
        if is_gaudi(card) or rules.budget == "what is left":
            # The share is of what the loaded and profiled model leaves; on Gaudi a tenth of that is kept for HPU graphs.
            left = visible - stage.weights - activation - non_torch
            share = max(0, left) * settings.utilization
            kept = GAUDI_GRAPH_SHARE if is_gaudi(card) else 0.0
            room = int(share * (1 - kept)) if left > 0 else left
            runtime_bytes = non_torch + (int(share * kept) if kept else min(graphs, max(0, left) - int(share)))
            usable = stage.weights + activation + runtime_bytes + max(0, room)
        elif rules.budget == "static":
            # The static fraction holds weights and KV; everything else lives in the rest of the card.
            free = visible - host_reserve_bytes(card, runtime) - non_torch
            budget = int(free * settings.utilization)
            spare = free - budget
            activation = min(activation, max(0, spare - graphs))
            usable = budget + non_torch + graphs + activation
            # a state for each token drafted, that one may be taken back, for as many sequences as may run
            running = (runtime.max_num_seqs or rules.drafted_sequences) if ahead else 0
            kept = STATE_ELEMENT.get(runtime.state_dtype or "", 0)
            each = state_bytes(arch, attention_ranks(layout), layout.pp, stage.first - 1, settings.engine, kept)
            slots = (runtime.state_slots or 0) if rules.state_slots else 0
            states = min(max(0, budget - stage.weights), (running * (ahead + 1) + slots) * each)
            runtime_bytes += states
            room = budget - stage.weights - states
            if rules.copied_vocabulary and stage.last:
                copies = vocabulary_copies(arch, drafts, layout)
                room, usable = room - copies, usable - min(copies, max(0, room))
        elif rules.budget == "share, graphs after":
            # Graphs are captured after the KV cache took its share: they come out of what utilization leaves.
            budget = int(visible * settings.utilization)
            usable = budget + min(graphs, visible - budget)
            room = budget - stage.weights - activation - non_torch
        else:
            usable = int(visible * settings.utilization)
            if rules.budget == "what is free":
                # it takes what is free, and the host has its part of a shared memory already
                usable = min(usable, visible - host_reserve_bytes(card, runtime))
            room = usable - stage.weights - activation - runtime_bytes
        if settings.kv_cache_bytes:
            # what a profiled pass leaves is not looked at: so much is taken, whatever the share, where the card has it
            usable = visible - host_reserve_bytes(card, runtime)
            room = usable - stage.weights - activation - runtime_bytes - settings.kv_cache_bytes
            if room >= 0:
                room, usable = settings.kv_cache_bytes, usable - room
        ranks.append(
            Rank(
                label=_label(stage, layout.pp, layout.gpus),
                stage=stage.first,
                gpus=layout.tp * layout.dp * stage.stages,
                weights=stage.weights,
                activation=activation,
                runtime=runtime_bytes,
                usable=usable,
                room=room,
                layers=stage.layers,
                longest=stage.pool.longest(max(0, room), arch.max_position, settings.max_num_batched_tokens),
                pool=stage.pool,
                host=stage.host,
            )
        )
    found = _apart(ranks, layout) if rules.rows_keep_kv and layout.tp > 1 else tuple(ranks)
    return Loaded(found, settings)


def _apart(ranks: list[Rank], layout: Layout) -> tuple[Rank, ...]:
    """Ranks of a model that is split by rows, of which one holds the whole KV cache and the others hold weights alone."""
    found: list[Rank] = []
    for rank in ranks:
        keepers = rank.gpus // layout.tp
        rest = "the others" if layout.pp == 1 else f"others of {rank.label}"
        first = "the first GPU" if layout.pp == 1 else f"first of {rank.label}"
        found.append(replace(rank, label=first, gpus=keepers))
        found.append(replace(rank, label=rest, gpus=rank.gpus - keepers, pool=NO_CACHE))
    return tuple(found)


def loaded(scenario: Scenario, layout: Layout) -> Loaded:
    """An engine of a scenario with its weights loaded. layout: without its reason."""
    model, hardware = scenario.model, scenario.hardware
    nvlink = hardware.intra_link.family in ("nvlink", "xgmi")
    return _ranks(
        model.architecture,
        stored_weights(model, scenario.runtime),
        model.kv_cache,
        drafted_by(model, scenario.runtime),
        drafted_ahead(model, scenario.runtime),
        hardware.accelerator,
        nvlink,
        layout,
        scenario.runtime,
        scenario.workload.embeds,
    )
