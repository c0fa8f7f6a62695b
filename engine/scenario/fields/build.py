"""Fields of the model, the hardware and the layout."""

from __future__ import annotations

from engine.model.formats import FORMATS, KV_FORMATS
from engine.scenario.fields.field import LONGEST_PATH, SERVING, YES_NO, Field

MODEL = "MODEL"
HARDWARE = "HARDWARE"
LAYOUT = "LAYOUT"
MAX_GPUS_PER_NODE = 72
"""An NVL72 rack is one NVLink domain; nothing that is sold joins more."""
MAX_NODES = 4096
MOST_RANKS = MAX_GPUS_PER_NODE * MAX_NODES

MODEL_FIELDS: tuple[Field, ...] = (
    Field("model.id", "Model", MODEL, "id", "The model to run. Enter opens the list; type to filter it."),
    Field(
        "model.config",
        "Model file",
        MODEL,
        "id",
        "A config.json or .gguf of one's own, in place of a model of the catalog.",
        longest=LONGEST_PATH,
        empty="none",
    ),
    Field(
        "model.weights",
        "Weights",
        MODEL,
        "choice",
        "Format of the weights. Fewer bits take less memory; FP8 and FP4 also compute faster where the card can.",
        follows=True,
        choices=tuple((f.id, f.id) for f in FORMATS.values() if not f.training_only),
        accepted=tuple(f.id for f in FORMATS.values() if f.training_only),
    ),
    Field(
        "model.kv_cache",
        "KV cache",
        MODEL,
        "choice",
        "Format of the KV cache. FP8 doubles the tokens that fit.",
        choices=tuple((f.id, f.id) for f in KV_FORMATS.values()),
        kinds=SERVING,
    ),
    Field(
        "model.mtp",
        "MTP layers",
        MODEL,
        "choice",
        "Load the layers that predict several tokens at once: their weights take memory too.",
        choices=YES_NO,
    ),
)
HARDWARE_FIELDS: tuple[Field, ...] = (
    Field("hardware.accelerator", "GPU", HARDWARE, "id", "The accelerator. Enter opens the list."),
    Field(
        "hardware.gpus_per_node",
        "GPUs per node",
        HARDWARE,
        "number",
        "Accelerators in one box.",
        high=MAX_GPUS_PER_NODE,
    ),
    Field(
        "hardware.second_accelerator",
        "Second GPU",
        HARDWARE,
        "id",
        "Another kind of card in the same node; every rank then counts as the poorer one. Delete removes it.",
        empty="none",
    ),
    Field(
        "hardware.second_gpus",
        "Of the second",
        HARDWARE,
        "number",
        "How many of the node's GPUs are of the second kind.",
        unit="GPUs",
        high=MAX_GPUS_PER_NODE - 1,
        follows=True,
        step="one",
    ),
    Field(
        "hardware.power_limit_w",
        "Power limit",
        HARDWARE,
        "number",
        "What each card may draw, as nvidia-smi -pl sets it. Empty: what its board is rated for.",
        unit="W",
        low=25,
        high=10_000,
        whole=False,
        empty="the board's",
        step="tenth",
    ),
    Field("hardware.nodes", "Nodes", HARDWARE, "number", "Boxes.", high=MAX_NODES, step="one"),
    Field(
        "hardware.intra_link",
        "Link in node",
        HARDWARE,
        "id",
        "What joins the GPUs inside a node. Enter opens the list.",
        follows=True,
    ),
    Field(
        "hardware.inter_link",
        "Link of nodes",
        HARDWARE,
        "id",
        "What joins the nodes; counts from two nodes on. Enter opens the list.",
        follows=True,
    ),
    Field(
        "hardware.platform",
        "Platform",
        HARDWARE,
        "id",
        "A server or cloud instance to place it on; sets GPUs and links. Optional.",
        empty="any",
    ),
)
LAYOUT_FIELDS: tuple[Field, ...] = (
    Field(
        "layout.tp",
        "TP",
        LAYOUT,
        "number",
        "Tensor parallel: each layer split over so many GPUs.",
        empty="auto",
        high=MOST_RANKS,
    ),
    Field(
        "layout.pp",
        "PP",
        LAYOUT,
        "number",
        "Pipeline parallel: the layers split into so many stages.",
        empty="auto",
        high=MOST_RANKS,
    ),
    Field(
        "layout.dp",
        "DP",
        LAYOUT,
        "number",
        "Data parallel: so many copies, each with its own share of the load.",
        high=MOST_RANKS,
        empty="auto",
    ),
    Field(
        "layout.ep",
        "EP",
        LAYOUT,
        "number",
        "Expert parallel: whole experts spread over so many GPUs.",
        empty="auto",
        high=MOST_RANKS,
    ),
    Field(
        "layout.dp_attention",
        "DP attention",
        LAYOUT,
        "choice",
        "Each GPU keeps the KV cache of its own users; saves memory for MLA models.",
        choices=((None, "auto"), *YES_NO),
        kinds=SERVING,
    ),
    Field(
        "layout.dcp",
        "DCP",
        LAYOUT,
        "number",
        "Decode context parallel: so many TP ranks share the tokens of a KV cache that each would hold whole.",
        high=MOST_RANKS,
        empty="none",
        kinds=SERVING,
    ),
)
