"""What drafts tokens ahead of a model in speculative decoding: its weights beside the model's, and its own KV cache.

MTP layers are the checkpoint's (DeepSeek-V3, arXiv 2412.19437, section 2.2). An EAGLE-3 head is one decoder layer over
three of the model's hidden states (arXiv 2503.01840, section 3). A DFlash drafter is a few dense layers that denoise a
block at once (arXiv 2602.06036). n-grams are looked up and weigh nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from engine.figures.records import dataclass
from engine.layout.sharding import attention_ranks, expert_split, shard_tensor
from engine.model.architecture import Architecture, Cache, Tensor
from engine.scenario import Layout, Model, Runtime, Scenario, Speculation

AHEAD: Final[dict[Speculation, int]] = {"mtp": 1, "eagle": 3, "dflash": 15, "dflash2": 7, "dspark": 5, "ngram": 5}
"""Tokens drafted where nobody said how many: one MTP layer's own step (vllm/config/speculative.py), three in the starts
that EAGLE-3's and vLLM's pages show, a block of 16 or of eight less its first, the dspark_block_size of
DeepSeek-V4-Flash-0731, and the five of vLLM's page on n-grams."""
ACCEPTED: Final[dict[Speculation, float]] = {
    "mtp": 0.83,
    "eagle": 0.7,
    "dflash": 0.8,
    "dflash2": 0.8,
    "dspark": 0.8,
    "ngram": 0.5,
}
"""Share of drafted tokens that are kept, each given the one before, where nobody said it: MTP of 0.75 to 0.92, 0.83 in
the mean, in vLLM's recipe of Qwen3.8 27B, EAGLE-3's 4 to 5 tokens a step of seven drafted on chat (arXiv 2503.01840, table 1), DFlash's
about five of a block of 16 (arXiv 2602.06036), taken for DSpark too; n-grams hang on how much of the prompt comes back."""
DSPARK_LAYERS: Final = 3
"""Layers of the drafter that DeepSeek-V4's checkpoints of summer 2026 carry in the place of one MTP layer: mixtures like the model's
own, which see the last window of it alone (vllm-project/vllm, pull request 41834; antirez/ds4, issue 468)."""
EAGLE_VOCABULARY: Final = 32000
"""Entries of the reduced vocabulary that EAGLE-3 heads are published with (SafeAILab/EAGLE)."""
EAGLE_STATES: Final = 3
"""Hidden states of the model that an EAGLE-3 head reads: low, middle and high (arXiv 2503.01840, section 3.1)."""
BLOCKS: Final[tuple[Speculation, ...]] = ("dflash", "dflash2")
"""Drafters of a whole block at once, whose layers form groups of their own."""
DFLASH_LAYERS: Final = 5
DFLASH_LAYERS_SPARSE: Final = 8
"""Layers of the first DFlash drafters: of dense models and of mixtures of experts (z-lab on Hugging Face, to spring 2026)."""
DFLASH_HEADS: Final = 32
DFLASH_KV_HEADS: Final = 8
DFLASH_KV_HEADS_NARROW: Final = 4
DFLASH_HEAD_DIM: Final = 128
DFLASH_WIDTH: Final = 3
DFLASH_WIDTH_GEMMA: Final = 2
DFLASH_WIDTH_SECOND: Final = 4
"""Their attention, and their feed-forward over the hidden size. With these the 0.86, 0.94, 2.94 and 3.85 GB (DFlash2
of Qwen3.8 27B, its selector in the feed-forward) of four checkpoints come out within 5 %."""
DFLASH_NARROW: Final = 2048
"""Hidden size of the mixtures with 3B active parameters: their drafters have fewer KV heads and see everything."""
DFLASH_WINDOW: Final = 2048
DFLASH_WINDOW_SPARSE: Final = 4096
"""Tokens that all layers but the last see in drafters of hybrids of 2026 (Qwen3.6 27B and Gemma 4; Qwen3.5 122B), and in all of
DFlash2: starts of a 27B of 16.01 and 11.15 GiB of KV hold 2,017, 1,405 and 1,418 blocks of five layers, of which a request
takes what windows of 2,048 and nine states of each layer do."""
ASSISTANT_WIDTH: Final = 1024
ASSISTANT_LAYERS: Final = 4
"""Gemma 4's assistants: layers of queries alone over the model's own KV, under a tied table of this width
(vllm-project/vllm pull request 41745)."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A drafter: tensors beside the model's, what each of its layers keeps of every token, and how many of the model's hidden
    states it reads."""

    tensors: tuple[Tensor, ...] = ()
    caches: tuple[Cache, ...] = ()
    states: int = 0


def drafted_by(model: Model, runtime: Runtime) -> Speculation | None:
    """Who drafts: as entered; else the MTP layers where they are loaded; else nobody."""
    return runtime.speculative or ("mtp" if model.mtp else None)


def drafted_ahead(model: Model, runtime: Runtime) -> int:
    """Tokens that are drafted in a step; 0 where nobody drafts."""
    method = drafted_by(model, runtime)
    if method is None:
        return 0
    return runtime.speculative_tokens or AHEAD[method]


def drafts_kept(model: Model, runtime: Runtime) -> float:
    """Share of drafted tokens that the model keeps, each given the one before it; 0 where nobody drafts."""
    method = drafted_by(model, runtime)
    if method is None:
        return 0.0
    return ACCEPTED[method] if runtime.speculative_accepted is None else runtime.speculative_accepted


def drafting(model: Model, runtime: Runtime) -> tuple[Speculation | None, int, float]:
    """(who drafts, how many tokens ahead, the share of them that is kept)."""
    return drafted_by(model, runtime), drafted_ahead(model, runtime), drafts_kept(model, runtime)


def tokens_a_step(ahead: int, kept: float) -> float:
    """Tokens that a step gives on average: its own, and of those drafted ahead the ones before the first that is refused.

    1 + a + a^2 + ... (Leviathan et al. 2023, arXiv 2211.17192, equation 1).
    """
    given = each = 1.0
    for _ in range(ahead):
        each *= kept
        given += each
    return given


def sixteen_bit_bytes(tensors: tuple[Tensor, ...], layout: Layout) -> int:
    """Bytes on one rank of tensors that are kept in 16 bits."""
    ranks, experts, total = attention_ranks(layout), expert_split(layout), 0
    for tensor in tensors:
        piece = shard_tensor(tensor, layout.tp, ranks, experts)
        total += 2 * piece.copies * piece.rows * piece.cols
    return total


def vocabulary_copies(arch: Architecture, method: Speculation | None, layout: Layout) -> int:
    """Bytes on one rank of the embedding and the head that a drafter of the checkpoint builds for itself, in 16 bits, until it is
    given the model's."""
    if method != "mtp" or not arch.mtp:
        return 0
    return sixteen_bit_bytes(tuple(one for one in arch.embedding + arch.head if one.is_matrix), layout)


def draft_s(scenario: Scenario, layout: Layout, weight_rate: float, pass_s: float) -> float:
    """Seconds of drafting for one step: the drafter's weights and its head are streamed once a token, by DFlash once a block.

    Its launches are those of as many layers of the model. weight_rate: bytes a second; pass_s: launches of a whole pass.
    """
    model, runtime = scenario.model, scenario.runtime
    method, layers = drafted_by(model, runtime), len(model.architecture.layers)
    draft = draft_of(model.architecture, method)
    if not draft.tensors:
        return 0.0
    own = draft.tensors + (model.architecture.head if method in ("mtp", "dspark", *BLOCKS) else ())
    passes = 1 if method in (*BLOCKS, "dspark") else drafted_ahead(model, runtime)
    return passes * (sixteen_bit_bytes(own, layout) / weight_rate + max(1, len(draft.caches)) / layers * pass_s)


@lru_cache(maxsize=128)
def draft_of(arch: Architecture, method: Speculation | None) -> Draft:
    """The drafter of a model by its method; an empty one where nothing is loaded for it."""
    if method == "mtp":
        return _assistant(arch) if arch.model_type.startswith("gemma4") else _prediction_layers(arch)
    if method == "dspark":
        return _dspark(arch)
    if method == "eagle":
        return _eagle(arch)
    if method in BLOCKS:
        return _dflash(arch, method == "dflash2")
    return Draft()


def _prediction_layers(arch: Architecture) -> Draft:
    """The checkpoint's layers, each with the cache of the model's last layer that attends."""
    count = sum(1 for tensor in arch.mtp if tensor.name == "mtp.projection") or 1
    kept: tuple[Cache, ...] = ()
    for layer, _ in reversed(arch.layer_runs()):
        kept = tuple(cache for cache in layer.caches if cache.kind != "recurrent")
        if kept:
            break
    return Draft(arch.mtp, kept * count if arch.mtp else ())


def layers_ahead(arch: Architecture, method: Speculation | None) -> int:
    """Layers of the checkpoint that draft, each as the one that predicts ahead: their weights are in the checkpoint's format."""
    if not arch.mtp or method not in ("mtp", "dspark"):
        return 0
    return DSPARK_LAYERS if method == "dspark" else 1


def _dspark(arch: Architecture) -> Draft:
    """DeepSeek-V4's: layers like its MTP layer, windows without a compressed history."""
    window = next((one for layer, _ in arch.layer_runs() for one in layer.caches if one.kind == "sliding"), None)
    return Draft(arch.mtp * DSPARK_LAYERS, (window,) * DSPARK_LAYERS if window else (), DSPARK_LAYERS)


def _layer(
    arch: Architecture, name: str, read: int, heads: int, kv_heads: int, head_dim: int, inner: int
) -> list[Tensor]:
    """One dense decoder layer of a drafter. read: features that its attention reads."""
    hidden, queries, keys = arch.hidden_size, heads * head_dim, kv_heads * head_dim
    return [
        Tensor(f"{name}.q_proj", "attention", queries, read, shard="column", units=heads),
        Tensor(f"{name}.k_proj", "attention", keys, read, shard="kv", units=kv_heads),
        Tensor(f"{name}.v_proj", "attention", keys, read, shard="kv", units=kv_heads),
        Tensor(f"{name}.o_proj", "attention", hidden, queries, shard="row", units=heads),
        Tensor(f"{name}.gate_proj", "mlp", inner, hidden, shard="column"),
        Tensor(f"{name}.up_proj", "mlp", inner, hidden, shard="column"),
        Tensor(f"{name}.down_proj", "mlp", hidden, inner, shard="row"),
    ]


def _eagle(arch: Architecture) -> Draft:
    hidden, head_dim = arch.hidden_size, arch.head_dim or arch.hidden_size // max(1, arch.heads)
    kv_heads = arch.kv_heads or arch.heads
    inner = arch.intermediate_size or DFLASH_WIDTH * hidden
    tensors = [
        Tensor("eagle.fc", "other", hidden, EAGLE_STATES * hidden),
        *_layer(arch, "eagle", 2 * hidden, arch.heads, kv_heads, head_dim, inner),
        Tensor("eagle.lm_head", "lm_head", EAGLE_VOCABULARY, hidden, shard="vocab"),
    ]
    cache = Cache("full", kv_heads=kv_heads, k_width=head_dim, v_width=head_dim)
    return Draft(tuple(tensors), (cache,), EAGLE_STATES)


def _dflash(arch: Architecture, second: bool) -> Draft:
    """Drafters as published: full attention in all layers at first, later windows in all but the last, in DFlash2 in all."""
    hidden, head = arch.hidden_size, DFLASH_HEAD_DIM
    gemma = arch.model_type.startswith("gemma4")
    kept = {cache.kind for layer, _ in arch.layer_runs() for cache in layer.caches}
    narrow = bool(arch.experts) and hidden <= DFLASH_NARROW and not second
    windows = second or gemma or ("recurrent" in kept and not narrow)
    heads = arch.heads * arch.head_dim // head if gemma else DFLASH_HEADS
    kv_heads = DFLASH_KV_HEADS_NARROW if narrow else DFLASH_KV_HEADS
    layers = DFLASH_LAYERS_SPARSE if arch.experts else DFLASH_LAYERS
    window = DFLASH_WINDOW
    if windows:
        layers = DFLASH_LAYERS
        if arch.experts and not (gemma or second):
            layers, window = DFLASH_LAYERS + 1, DFLASH_WINDOW_SPARSE
    states = layers + 1 if gemma else layers
    width = DFLASH_WIDTH_GEMMA if gemma else DFLASH_WIDTH
    inner = (DFLASH_WIDTH_SECOND if second else width) * hidden
    tensors = [
        Tensor("dflash.fc", "other", hidden, states * hidden),
        *_layer(arch, "dflash", hidden, heads, kv_heads, head, inner) * layers,
    ]
    whole = Cache("full", kv_heads=kv_heads, k_width=head, v_width=head)
    short = Cache("sliding", kv_heads=kv_heads, k_width=head, v_width=head, window=window)
    caches = (short,) * (layers - 1) + (short if second else whole,) if windows else (whole,) * layers
    return Draft(tuple(tensors), caches, states)


def _assistant(arch: Architecture) -> Draft:
    """Gemma 4's: a table of its own; its queries read the model's KV, so that it keeps none."""
    table = Tensor("assistant.embed_tokens", "embedding", arch.vocab_size, ASSISTANT_WIDTH, shard="vocab")
    inner = Tensor("assistant.layers", "mlp", 4 * ASSISTANT_WIDTH, 3 * ASSISTANT_WIDTH)
    project = Tensor("assistant.projection", "other", 2 * ASSISTANT_WIDTH, arch.hidden_size)
    return Draft((table, *(inner,) * ASSISTANT_LAYERS, project))
