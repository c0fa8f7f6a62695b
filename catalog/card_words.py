"""Which words of an accelerator's name say nothing of it."""

from __future__ import annotations

import re
from typing import Final

from catalog.loading import load
from catalog.names import ACCELERATORS, accelerator_words, resolve_accelerator, same_memory

_SAID_OF_ANY: Final = {
    "nvidia", "amd", "intel", "apple", "google", "aws", "amazon", "huawei", "ascend", "habana", "corporation", "inc", "geforce",
    "radeon", "tesla", "quadro", "instinct", "rtx", "gtx", "rx", "gpu", "gpus", "card", "cards", "graphics", "generation",
    "edition", "founders", "fe", "accelerator", "accelerators", "module", "tensor", "core", "tm", "r", "oam", "sxm", "sxm2",
    "sxm3", "sxm4", "sxm5", "sxm6", "pcie", "pci", "gen3", "gen4", "gen5", "hbm", "hbm2", "hbm2e", "hbm3", "hbm3e", "gddr5",
    "gddr6", "gddr6x", "gddr7", "lpddr5", "lpddr5x", "vram", "memory", "ram", "unified", "gb", "gib", "g", "with", "of", "the",
    "a", "each", "hgx", "dgx", "node", "nodes", "box", "boxes", "server", "servers", "chip", "chips", "vf", "soc", "ryzen",
    "jetson", "agx", "rev", "a1", "se", "ad102", "ga102", "gb202", "pro",
}  # fmt: skip
"""Words beside a card's name that makers, drivers and people put to any."""
_SHOPS: Final = {
    "asus", "msi", "gigabyte", "zotac", "evga", "palit", "pny", "gainward", "sapphire", "xfx", "powercolor", "inno3d", "galax",
    "kfa2", "colorful", "asrock", "sparkle", "acer", "maxsun", "manli", "leadtek", "supermicro", "dell", "hpe", "lenovo", "yeston",
}  # fmt: skip
"""Makers of boards, whose names go on with words of their own."""


def unread_words(text: str, accelerator_id: str) -> tuple[str, ...]:
    """Words of a name that say nothing of the accelerator that it means: no part of the card's own names, of how makers and
    drivers call it, and without which it means the same. A shop's name, which tells the board's maker, has any words."""
    card = load().accelerator(accelerator_id)
    words = accelerator_words(text).split()
    if not _SHOPS.isdisjoint(words):
        return ()
    rules = " ".join(pattern for pattern, ids in ACCELERATORS if accelerator_id in ids.split())
    own = " ".join(
        (
            card.id,
            card.name,
            card.label,
            card.vendor,
            card.architecture,
            card.segment,
            card.form_factor,
            card.memory_type,
        )
    )
    read = {*accelerator_words(own).split(), *own.casefold().split(), *re.findall(r"[a-z0-9]+", rules), *_SAID_OF_ANY}
    sizes = (card.memory_gb_marketed, card.memory_bytes / 2**30)
    left = []
    for place, word in enumerate(words):
        size = re.fullmatch(r"(\d{1,3})(?:gi?b?)?", word)
        if word in read or (size and any(same_memory(float(size[1]), one) for one in sizes)):
            continue
        if resolve_accelerator(" ".join((*words[:place], *words[place + 1 :]))) == accelerator_id:
            left.append(word)
    return tuple(left)
