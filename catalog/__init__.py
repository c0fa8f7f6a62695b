"""Facts as data: models, accelerators, links, platforms and prices, a person's own among them.

`load()` gives the merged catalog; `build_scenario()` a Scenario from ids. Wrong ids raise UnknownId, wrong
built-in files CatalogError; a wrong file of the person is only noted in `Catalog.problems`.
"""

from catalog.errors import CatalogError, UnknownId
from catalog.loading import Catalog, load
from catalog.models import ModelEntry
from catalog.scenarios import build_scenario, default_inter_link, default_intra_link

__all__ = [
    "Catalog",
    "CatalogError",
    "ModelEntry",
    "UnknownId",
    "build_scenario",
    "default_inter_link",
    "default_intra_link",
    "load",
]
