"""Scenarios from ids, with the links that such hardware usually has."""

from __future__ import annotations

from catalog.loading import Catalog, load
from engine.architecture import Architecture
from engine.hardware import Accelerator, Link, Platform
from engine.mixed import weakest
from engine.scenario import Hardware, LayoutChoice, Model, Money, Runtime, Scenario, Workload

# What cards talk over when their bridge or switch does not join as many as the node holds, by PCIe generation.
PCIE_BY_GENERATION = {3: "pcie3-x16", 4: "pcie4-x16", 5: "pcie5-root", 6: "pcie6-x16"}
DEFAULT_INTRA_LINK = "pcie4-x16"
DEFAULT_INTER_LINK = "roce-100"


def default_intra_link(accelerator: Accelerator, gpus_per_node: int = 1, catalog: Catalog | None = None) -> Link:
    """The link that joins `gpus_per_node` of this accelerator in one node, unless somebody chose another."""
    known = catalog or load()
    if accelerator.default_intra_link:
        link = known.link(accelerator.default_intra_link)
        if link.max_gpus is None or gpus_per_node <= link.max_gpus:
            return link
    if not accelerator.peer_access:
        return known.link("pcie-no-p2p")
    return known.link(PCIE_BY_GENERATION.get(accelerator.pcie_gen or 0, DEFAULT_INTRA_LINK))


def default_inter_link(accelerator: Accelerator, catalog: Catalog | None = None) -> Link:
    """The link between nodes of this accelerator, unless somebody chose another."""
    return (catalog or load()).link(accelerator.default_inter_link or DEFAULT_INTER_LINK)


def _intra_link(accelerator: Accelerator, gpus_per_node: int, platform: Platform | None, known: Catalog) -> Link:
    """The platform's own link, the one between its islands where that one does not reach, or the usual one."""
    for name in (platform.intra_link, platform.intra_link_cross) if platform is not None else ():
        if name:
            link = known.link(name)
            if link.max_gpus is None or gpus_per_node <= link.max_gpus:
                return link
    return default_intra_link(accelerator, gpus_per_node, known)


def build_scenario(
    model_id: str,
    weights: str = "",
    accelerator_id: str = "h100-sxm",
    gpus_per_node: int = 1,
    nodes: int = 1,
    *,
    kv_cache: str = "bf16",
    intra_link: str = "",
    inter_link: str = "",
    platform: str = "",
    second_accelerator: str = "",
    second_gpus: int = 0,
    architecture: Architecture | None = None,
    config: str = "",
    name: str = "",
    mtp: bool = False,
    workload: Workload | None = None,
    layout: LayoutChoice | None = None,
    runtime: Runtime | None = None,
    money: Money | None = None,
    title: str = "",
    notes: str = "",
    catalog: Catalog | None = None,
) -> Scenario:
    """A Scenario from catalog ids; links that are not named are the platform's, or the accelerator's usual ones.

    weights: a weight format; empty takes the one that the checkpoint is published in. architecture: of a model
    that is not in the catalog, with `config` as the session names its file and `name` to show. second_accelerator: of
    the gpus_per_node of each node, second_gpus are of this kind; the build then counts as the poorer card throughout.
    Raises UnknownId for an id that the catalog does not have, CatalogError for a config.json that cannot be read.
    """
    known = catalog or load()
    if architecture is None:
        entry = known.model(model_id)
        architecture, name, family = entry.architecture, entry.name, entry.family
    else:
        name, family = name or model_id or "own model", "own"
    accelerator = known.accelerator(accelerator_id)
    mixed: tuple[tuple[Accelerator, int], ...] = ()
    if second_gpus and second_accelerator and second_accelerator != accelerator_id:
        mixed = ((accelerator, gpus_per_node - second_gpus), (known.accelerator(second_accelerator), second_gpus))
        accelerator = weakest(mixed)
    place = known.platform(platform) if platform else None
    intra = known.link(intra_link) if intra_link else _intra_link(accelerator, gpus_per_node, place, known)
    if inter_link or (place is not None and place.inter_link):
        inter = known.link(inter_link or (place.inter_link if place is not None else ""))
    else:
        inter = default_inter_link(accelerator, known)
    return Scenario(
        model=Model(
            id=model_id,
            name=name,
            family=family,
            architecture=architecture,
            weights=weights or architecture.checkpoint_format,
            kv_cache=kv_cache,
            config=config,
            mtp=mtp,
        ),
        hardware=Hardware(
            accelerator=accelerator,
            gpus_per_node=gpus_per_node,
            nodes=nodes,
            intra_link=intra,
            inter_link=inter,
            platform=place,
            mixed=mixed,
        ),
        workload=workload or Workload(),
        layout=layout or LayoutChoice(),
        runtime=runtime or Runtime(),
        money=money or Money(),
        title=title,
        notes=notes,
        facts=known.facts,
    )
