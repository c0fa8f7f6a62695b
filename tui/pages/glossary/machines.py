"""Words of layouts, links and hardware."""

from __future__ import annotations

from typing import Final

from engine.figures.units import percent
from engine.sizing import FINE_FROM
from tui.pages.glossary.term import Term

LAYOUTS: Final = (
    Term(
        "TP",
        "Tensor parallel: every layer is split over so many GPUs, which exchange results twice a layer. Needs the fastest links.",
        "Shoeybi et al. 2019, Megatron-LM (arXiv 1909.08053)",
        ("tensor parallel", "tensor parallelism"),
        ("layout.tp",),
    ),
    Term(
        "PP",
        "Pipeline parallel: the layers are cut into so many stages, one after another. Sends little; a stage waits for the one before.",
        "Huang et al. 2018, GPipe (arXiv 1811.06965)",
        ("pipeline parallel", "pipeline parallelism", "stage", "stages"),
        ("layout.pp",),
    ),
    Term(
        "DP",
        "Data parallel: so many copies, each with its own share of the users or of the batch. Copies that serve exchange nothing.",
        "Li et al. 2020, PyTorch Distributed (arXiv 2006.15704)",
        ("data parallel", "data parallelism"),
        ("layout.dp",),
    ),
    Term(
        "EP",
        "Expert parallel: whole experts of a MoE are spread over so many GPUs, and each token is sent to those that it is routed to.",
        "Lepikhin et al. 2020, GShard (arXiv 2006.16668)",
        ("expert parallel", "expert parallelism"),
        ("layout.ep",),
    ),
    Term(
        "DP attention",
        "Each GPU keeps the KV cache of its own users, while the experts are shared: an MLA cache need not be held on every TP rank.",
        "SGLang and vLLM documentation, data-parallel attention",
        (),
        ("layout.dp_attention",),
    ),
    Term(
        "DCP",
        "Decode context parallel: so many TP ranks share the tokens of a KV cache that each would otherwise hold whole.",
        "vLLM documentation, context parallel deployment",
        ("decode context parallel",),
        ("layout.dcp",),
    ),
    Term(
        "CP",
        "Context parallel: GPUs that share one long sequence in training, each with a part of its tokens.",
        "Liu et al. 2023, Ring Attention (arXiv 2310.01889)",
        ("context parallel", "sequence parallel"),
        ("workload.context_parallel",),
    ),
    Term(
        "PP bubble",
        "Time in which stages of a pipeline stand idle, at its beginning and end; more micro-batches make its share smaller.",
        "Narayanan et al. 2021 (arXiv 2104.04473)",
        ("bubble", "pipeline bubble"),
        ("training.bubble_s",),
    ),
    Term(
        "rank",
        "One GPU's place in the layout. Ranks may hold different amounts; the fullest one decides whether the build fits.",
        "docs/memory.md",
        ("ranks", "worst rank"),
    ),
    Term(
        "layout",
        "How a model is spread over the GPUs: TP, PP, DP and EP. Left at auto, the best of those that the engine has is chosen.",
        "docs/architecture.md; the reason stands beside it",
    ),
)
LINKS: Final = (
    Term(
        "NVLink",
        "NVIDIA's links between GPUs of one box or rack, many times PCIe. Vendors print both directions together; here it is one.",
        "catalog/data/links.toml, each link with its source",
        ("NVSwitch", "SXM"),
    ),
    Term(
        "PCIe",
        "The slots of a host. GPUs under one switch talk at the slot's speed, over the root of a CPU they share its bandwidth.",
        "catalog/data/links.toml",
        ("PCI Express", "slot"),
    ),
    Term(
        "P2P",
        "Peer to peer: a GPU writes into another's memory directly. GeForce cards of today cannot: all goes through the host.",
        "NVIDIA's drivers; docs/fabric.md",
        ("peer to peer", "peer access"),
    ),
    Term(
        "InfiniBand",
        "A network between boxes with RDMA: HDR is 200 Gb/s, NDR 400 Gb/s a port. RoCE is the same over Ethernet.",
        "catalog/data/links.toml",
        ("HDR", "NDR", "RoCE", "RDMA", "IB"),
    ),
    Term(
        "fabric",
        "All that joins the GPUs: links in the box, and the network between boxes.",
        "docs/fabric.md",
    ),
    Term(
        "fabric cliff",
        f"The drop from a link in the box to one between boxes: the page draws what each leaves of the speed; fine is from {percent(FINE_FROM)}.",
        "docs/fabric.md",
        ("cliff",),
    ),
    Term(
        "collective",
        "GPUs exchanging data together: all-reduce (TP, DP), all-to-all (EP), all-gather and reduce-scatter (FSDP).",
        "docs/fabric.md; nccl-tests' measurements",
        ("collectives", "all-reduce", "all-to-all", "all-gather"),
        ("serving.communication_share", "serving.communication_s"),
    ),
    Term(
        "exposed",
        "Time in links that nothing hides: communication that runs beside computing is hidden and takes no time of its own.",
        "docs/training-speed.md",
        ("overlap", "hidden"),
        ("training.exposed_communication_s", "training.hidden_communication_s", "workload.overlap"),
    ),
)
HARDWARE: Final = (
    Term(
        "GiB",
        "2^30 bytes, as drivers report memory; GB is 10^9, as vendors print it. An 80 GB card reports 79.6 GiB.",
        "IEC 80000-13",
        ("GB",),
    ),
    Term(
        "HBM",
        "The memory on the card. Its bandwidth bounds writing tokens, since every token reads all weights in use once.",
        "data sheets in catalog/data/accelerators.toml",
        ("VRAM", "memory bandwidth"),
        ("hardware.accelerator",),
    ),
    Term(
        "TFLOPS",
        "10^12 floating-point operations a second; vendors print twice as many for sparse matrices, here they are dense.",
        "data sheets",
        ("TFLOP/s", "FLOPS"),
    ),
    Term(
        "node",
        "One box: the GPUs of a host, joined by the link in the node.",
        "docs/architecture.md",
        ("box",),
        ("hardware.nodes",),
    ),
    Term(
        "TDP",
        "The watts that a card may draw for long; hosts, supplies and cooling come on top.",
        "data sheets; docs/power.md",
        ("watts",),
    ),
    Term(
        "PUE",
        "What the building draws for each watt of the machines: 1.0 would be no cooling at all.",
        "ISO/IEC 30134-2",
        (),
        ("money.pue",),
    ),
    Term(
        "unified memory",
        "GPU and host share one memory, so that what the host keeps is taken from the model.",
        "docs/memory.md",
    ),
)
