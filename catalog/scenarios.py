"""Scenarios from ids, with the links that such hardware usually has."""

from __future__ import annotations

from catalog.loading import Catalog, load
from engine.figures.text import printable
from engine.model.architecture import Architecture
from engine.parts.hardware import Accelerator, Link
from engine.scenario import Hardware, LayoutChoice, Model, Money, Runtime, Scenario, Workload
from engine.scenario.change import change, usual_inter_link, usual_intra_link
from engine.scenario.fields import Value


def default_intra_link(accelerator: Accelerator, gpus_per_node: int = 1, catalog: Catalog | None = None) -> Link:
    """The link that joins `gpus_per_node` of this accelerator in one node, unless somebody chose another."""
    return usual_intra_link(accelerator, gpus_per_node, None, catalog or load())


def default_inter_link(accelerator: Accelerator, catalog: Catalog | None = None) -> Link:
    """The link between nodes of this accelerator, unless somebody chose another."""
    return usual_inter_link(accelerator, None, catalog or load())


def build_scenario(
    model_id: str,
    weights: str = "",
    accelerator_id: str = "h100-sxm",
    gpus_per_node: int = 1,
    nodes: int = 1,
    *,
    kv_cache: str = "",
    intra_link: str = "",
    inter_link: str = "",
    platform: str = "",
    second_accelerator: str = "",
    second_gpus: int = 0,
    power_limit_w: float | None = None,
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

    weights, kv_cache: formats; empty takes what the checkpoint is published in, and the cache that it has scales for. architecture: of a model
    that is not in the catalog, with `config` as the session names its file and `name` to show. second_accelerator: of
    the gpus_per_node of each node, second_gpus are of this kind; the build then counts as the poorer card throughout.
    power_limit_w: what each card may draw.
    Raises UnknownId for an id that the catalog does not have, CatalogError for a config.json that cannot be read,
    ScenarioError for a second kind of card that leaves no room for the first.
    """
    known = catalog or load()
    if architecture is None:
        entry = known.model(model_id)
        architecture, name, family = entry.architecture, entry.name, entry.family
    else:
        name, family = printable(name or model_id) or "own model", "own"  # a folder may have any name
    accelerator = known.accelerator(accelerator_id)
    places: dict[str, Value] = {}
    for key, wanted, find in (
        ("hardware.platform", platform, known.platform),
        ("hardware.intra_link", intra_link, known.link),
        ("hardware.inter_link", inter_link, known.link),
        ("hardware.second_accelerator", second_accelerator if second_gpus else "", known.accelerator),
    ):
        if wanted:
            places[key] = find(wanted).id
    if "hardware.second_accelerator" in places:
        places["hardware.second_gpus"] = second_gpus
    scenario = Scenario(
        model=Model(
            id=model_id,
            name=name,
            family=family,
            architecture=architecture,
            weights=weights or architecture.checkpoint_format,
            kv_cache=kv_cache or architecture.cache_format,
            config=config,
            mtp=mtp,
        ),
        hardware=Hardware(
            accelerator=accelerator,
            gpus_per_node=gpus_per_node,
            nodes=nodes,
            intra_link=default_intra_link(accelerator, gpus_per_node, known),
            inter_link=default_inter_link(accelerator, known),
            power_limit_w=power_limit_w,
        ),
        workload=workload or Workload(kind="embed" if architecture.embeds else "serve"),
        layout=layout or LayoutChoice(),
        runtime=runtime or Runtime(),
        money=money or Money(),
        title=title,
        notes=notes,
        facts=known.facts,
    )
    if not places:
        return scenario
    # what is entered beats what a platform would bring
    places |= {"hardware.accelerator": accelerator_id, "hardware.gpus_per_node": gpus_per_node}
    return change(scenario, places, known)
