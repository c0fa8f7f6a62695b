"""The collective set: rows of nccl-tests and engine all-reduce benchmarks against `engine.links.collectives`.

A row names its link in its own words (`pcie4_l40s`, `ib_8xndr400_h100`, `nvlink4_h100_engine`). Rules read the words:
the family and generation, how many network cards of which rate, whether an engine's kernel ran. A name that no rule
reads is a row set aside.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import catalog
from catalog.names import resolve_accelerator
from engine.links.collectives import Kernel, Op, collective_s, slot_gb_s
from engine.links.evidence import LARGE_BYTES, SMALL_BYTES, generation_of, interval
from engine.parts.hardware import Accelerator, Link
from tests.accuracy.harness import Case, Evaluation, Row, each_row
from tests.accuracy.rows import UNSTATED

# by the letters of the name alone: all_reduce_perf, ncclAllReduce and all-reduce are one
OPS: dict[str, Op] = {
    "allreduce": "all_reduce",
    "allgather": "all_gather",
    "reducescatter": "reduce_scatter",
    "alltoall": "all_to_all",
    "sendrecv": "send_recv",
    "p2p": "send_recv",
}
# Spellings of a link's name, brought to the ones that the rules read.
SPELLINGS = (
    (r"pci(?:e|-express|_express)?[ _-]*(?:gen)?[ _-]*(\d)(?:\.0)?", r"pcie\1"),
    (r"infinity[ _-]fabric", "infinityfabric"),
    (r"nvlink[ _-](\d)", r"nvlink\1"),
    (r"^nvswitch", "nvlink"),
    (r"quantum-2", "ib_ndr"),
    (r"spectrum-x", "roce"),
    (r"^(\d+)g(?:be|b?e?)?(?= ethernet|$)(?: ethernet)?", r"eth_\1g"),
    (r"[ /]+", "_"),
)

HOST_TIMED_S = 20e-6
"""What a blocking benchmark from Python adds to each collective: the same 8x B200 all-reduce takes 27 us in nccl-tests
and 48 us in all_reduce_bench.py at 32 KiB, and 20 us more at every size up to 1 MiB."""

UNSTATED_NIC_GBIT = 100
"""Rate of a network card that a row does not name."""

GEFORCE = re.compile(r"(?:rtx|geforce)?[ -]?(?:30[789]0|40[789]0|50[789]0)(?!\w*ada)")
IB_BY_GBIT = {100: "ib-edr", 200: "ib-hdr", 400: "ib-ndr", 800: "ib-xdr"}
ROCE_BY_GBIT = {100: "roce-100", 200: "roce-200", 400: "roce-400", 800: "roce-800"}
TCP_BY_GBIT = {1: "eth-1-tcp", 10: "eth-10-tcp", 25: "eth-25-tcp", 100: "eth-100-tcp"}
EFA_BY_WORD = (
    ("b300", "efa-v4-b300"),
    ("b200", "efa-v4-b200"),
    ("p6", "efa-v4-b200"),
    ("h200", "efa-v3"),
    ("p5en", "efa-v3"),
    ("h100", "efa-v2"),
    ("p5", "efa-v2"),
    ("a100", "efa-v1"),
    ("p4", "efa-v1"),
)


class UnknownLink(ValueError):
    """A row whose link no rule reads."""


@dataclass(frozen=True, slots=True)
class Call:
    """A row as arguments of `collective_s`."""

    op: Op
    payload_bytes: float
    ranks: int
    ranks_per_node: int
    intra: Link
    inter: Link | None
    kernel: Kernel
    peer_access: bool
    nics_per_node: int | None
    added_s: float
    slot_gb_s: float | None = None
    groups_per_node: int = 1
    generation: str = ""

    def seconds(self) -> float:
        """The model's time for this row."""
        return self.added_s + collective_s(
            self.op,
            self.payload_bytes,
            self.ranks,
            self.ranks_per_node,
            self.intra,
            self.inter,
            kernel=self.kernel,
            peer_access=self.peer_access,
            nics_per_node=self.nics_per_node,
            slot_gb_s=self.slot_gb_s,
            groups_per_node=self.groups_per_node,
        )


def _link(link_id: str) -> Link:
    return catalog.load().link(link_id)


def _closest(rates: dict[int, str], gbit: int) -> Link:
    """The link of the nearest rate at or above; its figures are scaled to the rate asked."""
    nearest = min(rates, key=lambda rate: (abs(rate - gbit), -rate))
    link = _link(rates[nearest])
    if nearest == gbit:
        return link
    achieved = link.achieved_gb_s_unidir
    return replace(
        link,
        id=f"{link.id}-at-{gbit}",
        peak_gb_s_unidir=gbit / 8,
        achieved_gb_s_unidir=achieved * gbit / nearest if achieved else None,
    )


def _stated_gb_s(row: Row) -> float | None:
    """A rate that the row states for its own link, such as `A40 same node (4GB/s)`."""
    found = re.search(r"\((\d+(?:\.\d+)?) ?GB/s\)", str(row.get("link") or ""))
    return float(found.group(1)) if found else None


def op_of(row: Row) -> Op | None:
    """The operation of a row; None for one that the engine does not time."""
    letters = re.sub(r"[^a-z0-9]", "", str(row["op"]).lower())
    return OPS.get(letters.removeprefix("nccl").removesuffix("perf"))


def name_of(row: Row) -> str:
    """The interconnect of a row, spelled as the rules read it; empty when it is not stated."""
    name = str(row["interconnect"] or "").strip().lower()
    if name in UNSTATED or name == "sxm":
        return ""
    for pattern, spelled in SPELLINGS:
        name = re.sub(pattern, spelled, name)
    return name


def _usual_link(row: Row) -> tuple[Link, bool]:
    """What such cards talk over in a node, for a row that does not say. Raises UnknownLink."""
    accelerator_id = resolve_accelerator(str(row.get("gpu") or ""))
    if accelerator_id is None or int(row.get("nodes") or 1) > 1:
        raise UnknownLink("the interconnect is not stated")
    accelerator = catalog.load().accelerator(accelerator_id)
    return catalog.default_intra_link(accelerator, int(row.get("n_gpus") or 1)), accelerator.peer_access


def in_box_link(row: Row) -> tuple[Link, bool] | None:
    """The in-node link that the row's interconnect names, and whether peer access works; None for a network."""
    name = name_of(row)
    if not name:
        return _usual_link(row)
    link_text = str(row.get("link") or "").lower()
    gpu = str(row.get("gpu") or "").lower()
    head = name.split("_")[0]
    if head.startswith(("nvlbridge", "nvbridge")) or "bridge" in name or "pairs_" in name or "pairwise" in name:
        # Turing boards bridge at 50 GB/s one way, Ampere boards of 48 GB and less at 56, A100 and H100 boards at 300
        small = any(word in gpu for word in ("2080", "titan", "quadro", "3090", "a6000", "a40", "a10", "a5000"))
        small = small and "a100" not in gpu
        if any(word in gpu for word in ("2080", "titan-rtx", "quadro")):
            return _link("nvlink-2-bridge" if re.search("2080-?ti|titan|[68]000", gpu) else "nvlink-2-bridge-x8"), True
        if "h200" in gpu:
            return _link("nvlink-4-bridge-4way"), True
        return _link("nvlink-3-bridge" if small else "nvlink-4-bridge"), True
    rack = any(word in f"{name} {gpu}" for word in ("gb200", "gb300", "nvl72", "mnnvl"))
    if rack and not _beyond_rack(row, name, link_text):
        return _link("nvlink-5-nvl72"), True
    if head.startswith("nvl") and not rack:
        generation = re.search(r"nvlink-?(\d)", head)
        number = generation.group(1) if generation else _nvlink_generation(gpu)
        if number is None:
            raise UnknownLink(f"NVLink generation of {name}")
        return _link(f"nvlink-{number}"), True
    if head.startswith(("xgmi", "infinityfabric")) or head == "if":
        part = "mi355x" if "35" in name + gpu else "mi250x" if "250" in name + gpu else "mi300x"
        # under a hypervisor the cards are virtual functions
        virtual = part == "mi300x" and re.search(r"\bvf\b|virtual function", link_text)
        return _link("xgmi-mi300x-virtual" if virtual else f"xgmi-{part}"), True
    if "gaudi" in name and int(row.get("nodes") or 1) == 1:
        return _link(
            "gaudi-3-roce" if "gaudi3" in f"{name} {gpu}".replace("-", "").replace(" ", "") else "gaudi-2-roce"
        ), True
    if head.startswith("ici"):
        for version in ("v7x", "v6e", "v5p", "v5e"):
            if version in f"{name} {gpu}":
                return _link(f"ici-{version}"), True
    if head.startswith("pcie"):
        return _pcie(row, name, link_text, gpu)
    return None


def _beyond_rack(row: Row, name: str, link_text: str) -> bool:
    network = re.search(r"(?:^|_)(?:ib|roce|efa)|[nx]dr", name) or "rack" in link_text.replace("nvl72 rack", "")
    return int(row.get("n_gpus") or 0) > 72 or bool(network)


def _nvlink_generation(gpu: str) -> str | None:
    for word, number in (
        ("v100", "2"),
        ("a100", "3"),
        ("a800", "3"),
        ("h100", "4"),
        ("h200", "4"),
        ("h800", "4"),
        ("h20", "4"),
        ("b200", "5"),
        ("b300", "5"),
        ("gb200", "5"),
    ):
        if word in gpu:
            return number
    return None


def _pcie_generation(gpu: str) -> int:
    """That of the card where a row does not say; 4 for a card that nobody knows."""
    accelerator_id = resolve_accelerator(gpu)
    return (catalog.load().accelerator(accelerator_id).pcie_gen if accelerator_id else None) or 4


def _pcie(row: Row, name: str, link_text: str, gpu: str) -> tuple[Link, bool]:
    generation = re.search(r"pcie(\d)", name)
    number = int(generation.group(1)) if generation else _pcie_generation(gpu)
    peer = not GEFORCE.search(gpu + " " + name.replace("_", " "))
    text = f"{name} {link_text}"
    if "x8" in re.split(r"[_ ]", text) or "b60" in gpu:
        link = _link("pcie5-x8")
    elif "cross-socket" in text or "dual-socket" in text:
        link = _link("pcie4-cross-socket") if number == 4 else _link("pcie5-root")
    elif "switch" in text or name.endswith("_oneshot"):
        link = _link("pcie5-switch")
    else:
        link = _link({3: "pcie3-x16", 4: "pcie4-x16", 6: "pcie6-x16"}.get(number, "pcie5-root"))
    staged = any(word in text for word in ("p2p off", "no p2p", "nop2p", "no_p2p"))
    patched = not staged and ("_p2p" in name or "p2p driver" in text or "patched" in text)
    if staged or not (peer or patched):
        link, peer = _link("pcie-no-p2p"), False
    stated = _stated_gb_s(row)
    if stated:
        link = replace(link, id=f"{link.id}-at-{stated:g}", achieved_gb_s_unidir=stated)
    return link, peer


def _home(row: Row) -> tuple[Link, bool]:
    """The in-node link of a multi-node row, from its GPU."""
    gpu = str(row.get("gpu") or "").lower()
    number = _nvlink_generation(gpu)
    if re.search(r"connectx-8|cx-?8", str(row.get("link") or "").lower()):
        return _link("pcie5-switch"), True  # the card brings a PCIe switch, which GPUs of its boxes hang on
    if "pcie" in gpu:
        return _link("pcie5-root" if number and int(number) > 3 else "pcie4-x16"), True
    if "gb200" in gpu or "gb300" in gpu:
        return _link("nvlink-5-nvl72"), True
    if number:
        return _link(f"nvlink-{number}"), True
    if "mi3" in gpu or "mi2" in gpu:
        return _link("xgmi-mi300x"), True
    if "l40" in gpu or "a40" in gpu or "a6000" in gpu:
        return _link("pcie4-x16"), True
    if "6000" in gpu:
        return _link("pcie5-root"), True
    if GEFORCE.search(gpu):
        return _link("pcie-no-p2p"), False
    # racks of eight that nobody describes further are NVLink nodes
    return _link("nvlink-3"), True


def network_link(row: Row) -> tuple[Link, int | None]:
    """The link between nodes that the row names and the cards a node has of it (None: the link's own number)."""
    name = name_of(row)
    text = f"{name} {str(row.get('link') or '').lower()} {str(row.get('gpu') or '').lower()}"
    cards, gbit = _cards(name, str(row.get("link") or ""))
    head = name.split("_")[0]
    if head.startswith("efa"):
        for word, link_id in EFA_BY_WORD:
            if word in text:
                return _link(link_id), None
        raise UnknownLink(f"EFA generation of {name}")
    if "tcpxo" in head or "fastrak" in head:
        return _link("gcp-tcpxo"), None
    if "tcpx" in head:
        return _link("gcp-tcpx"), None
    if re.match(r"ib\d*$|infiniband|edr|hdr|ndr|xdr", head) or "infiniband" in text or re.search(r"_ib(?:_|$)", name):
        named = next((rate for rate, link_id in IB_BY_GBIT.items() if link_id[3:] in text), None)
        return _closest(IB_BY_GBIT, named or gbit or 200), cards
    if head.startswith(("roce", "gib")) or "roce" in text:
        adapters = re.search(r"(\d+) mlx5", text)
        if adapters and "connectx-8" in text:
            cards, gbit = cards or int(adapters.group(1)), gbit or 400
        link = _closest(ROCE_BY_GBIT, gbit or UNSTATED_NIC_GBIT)
        if any(word in text for word in ("sr-iov", "untuned", "no gdr", "without gpudirect")):
            # virtual functions and host copies: GPUDirect RDMA is not in the path
            link = replace(link, id=f"{link.id}-untuned")
        return link, cards
    if head.startswith(("tcp", "eth", "socket", "ipoib")):
        return _closest(TCP_BY_GBIT, gbit or 25), cards or 1
    if head.startswith("slingshot"):
        return _link("slingshot-11"), cards
    if head in ("fabric", "vidur") or "internode" in name:
        node_gb_s = re.search(r"(\d+)gbs?_node", name)
        if node_gb_s:
            return _link("roce-100"), max(1, round(float(node_gb_s.group(1)) / 12.5))
        return _link("roce-100"), cards
    raise UnknownLink(f"no rule reads the interconnect {name}")


def _cards(name: str, link: str) -> tuple[int | None, int | None]:
    """(network cards of a node, Gbit/s of one) from words such as `8xndr400`, `4x200`, `200g`, `4 rails 400Gb`."""
    for text in (name, link.lower()):
        found = re.search(r"(\d+)x(?:edr|hdr|ndr|xdr|cx\d?)?-?(\d{2,3})", text)
        if found:
            return int(found.group(1)), int(found.group(2))
    rails = re.search(r"(\d+) ?rails? (\d+)gb", link.lower()) or re.search(r"(\d+)rail", name)
    if rails:
        rate = re.search(r"(\d+)gb", link.lower())
        return int(rails.group(1)), int(rate.group(1)) if rate else None
    for text in (name, link.lower()):
        found = re.search(r"(?<!\d)(\d{1,3}) ?gb?(?:e|it|b|\b|_|/)", text + " ")
        if found and "gbs" not in text:
            return 1, int(found.group(1))
    return None, None


def _sharing(row: Row, within: int) -> tuple[int, int | None]:
    """(Groups of a node that speak at once, its network cards) where a row says that cards are shared: one group, unsaid."""
    found = re.search(
        r"(\d+) (?:\w+ )*?(?:nic|ainic)\b.*? per node shared by (\d+) gpus", str(row.get("link") or "").lower()
    )
    return (int(found.group(2)) // within, int(found.group(1))) if found else (1, None)


def _kernel(row: Row) -> Kernel:
    name = name_of(row)
    lib = str(row.get("lib") or "").lower()
    if "one-shot" in lib or name.endswith("_oneshot"):
        return "one-shot"
    if "trt" in lib:
        return "trtllm"
    if "algo=tree" in lib:
        return "nccl-tree"
    if "mscclpp" in name and int(row.get("nodes") or 1) == 1:
        return "mscclpp"
    if name.endswith("_engine") or "vllm" in lib or "sglang" in lib or "custom ar" in lib:
        return "vllm"
    notes = str(row.get("notes") or "").lower()
    if "max busbw quoted" in notes or "nchannels" in notes or "p2p_level" in str(row.get("link") or "").lower():
        # the best of a tuning session; more channels lift what a PCIe tree loses (link fact: 22 to 38 GB/s)
        return "nccl-tuned"
    return "nccl-ring" if name.endswith("_ring") and "ring" in lib and row["nodes"] == 1 else "nccl"


def _card(row: Row) -> Accelerator | None:
    """The row's card; None for one that nobody knows."""
    accelerator_id = resolve_accelerator(str(row.get("gpu") or ""))
    return catalog.load().accelerator(accelerator_id) if accelerator_id else None


def call_of(row: Row) -> Call:
    """The row as a call. Raises UnknownLink."""
    op = op_of(row)
    if op is None:
        raise UnknownLink(f"operation {row['op']}")
    if not row.get("n_gpus") or not row.get("bytes"):
        raise UnknownLink("GPUs or bytes not stated")
    ranks, nodes = int(row["n_gpus"]), int(row.get("nodes") or 1)
    inside = in_box_link(row)
    notes = f"{row.get('notes') or ''} {row.get('source') or ''}".lower()
    blocking = "blocking" in notes or ("ml-engineering" in notes and int(row["bytes"]) < 2**32)
    inter: Link | None = None
    cards: int | None = None
    if inside is not None:
        within = ranks
        intra, peer = inside
    else:
        within = max(1, min(int(row.get("gpus_per_node") or ranks // nodes), -(-ranks // nodes)))
        intra, peer = _home(row)
        inter, cards = network_link(row)
    groups, shared = _sharing(row, within) if inter is not None else (1, None)
    card = _card(row)
    return Call(
        op=op,
        payload_bytes=float(row["bytes"]),
        ranks=ranks,
        ranks_per_node=within,
        intra=intra,
        inter=inter,
        kernel=_kernel(row),
        peer_access=peer,
        nics_per_node=shared or cards,
        groups_per_node=groups,
        added_s=HOST_TIMED_S if blocking else 0.0,
        slot_gb_s=slot_gb_s(card) if card else None,
        generation=generation_of(card) if card else "",
    )


def source_of(row: Row) -> str:
    """Who measured it, for the tables: repository and file of the source."""
    source = row.get("source")
    if isinstance(source, dict):
        path = str(source.get("path") or "").split("/")
        if not source.get("repo"):
            return str(source.get("url"))
        return f"{source.get('repo')} {'/'.join(path[-4:-1]) if len(path) > 3 else '/'.join(path)}"
    return str(source)


def evaluate(rows: list[Row]) -> Evaluation:
    """Every row's time against the model's, in microseconds."""
    return each_row(rows, _compare)


def _compare(row_id: str, row: Row, found: Evaluation) -> None:
    observed = row.get("time_us")
    if not observed:
        found.aside(row_id, "no time in the row")
        return
    try:
        call = call_of(row)
    except (UnknownLink, catalog.UnknownId) as error:
        found.aside(row_id, str(error))
        return
    payload, predicted = call.payload_bytes, call.seconds() * 1e6
    size = "up to 64 KiB" if payload <= SMALL_BYTES else "up to 4 MiB" if payload <= LARGE_BYTES else "above 4 MiB"
    low, high = interval(payload, call.intra, call.inter, call.kernel, call.peer_access, call.generation)
    found.cases.append(
        Case(
            row_id=row_id,
            metric="time_us",
            observed=float(observed),
            predicted=predicted,
            interval=(predicted * low, predicted * high),
            groups={
                "link": str(row["interconnect"]),
                "gpu": str(row.get("gpu")),
                "op": call.op,
                "gpus": f"{call.ranks:3d}",
                "size": size,
                "source": source_of(row),
            },
        )
    )
