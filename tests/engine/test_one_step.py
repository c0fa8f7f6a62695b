"""A quantity that is shown more than once is one quantity: over models, cards and layouts."""

from __future__ import annotations

from typing import Any

import pytest

from engine.size import size
from engine.sizing import Sizing
from tests.engine.builds import build


def trained(model: str = "llama-3.1-8b", **change: Any) -> Sizing:
    """A full fine-tune on one node of H100, changed."""
    options: dict[str, Any] = {"kind": "full-finetune", "sequence_length": 4096, "micro_batch": 1, **change}
    shape = {key: options.pop(key, default) for key, default in (("accelerator", "h100-sxm"), ("nodes", 1))}
    per_node = options.pop("gpus_per_node", 8)
    return size(build(model, "bf16", shape["accelerator"], per_node, shape["nodes"], **options))


@pytest.mark.parametrize("card", ["h100-sxm", "rtx-4090", "mi300x"])
@pytest.mark.parametrize("kind", ["lora", "full-finetune"])
def test_a_run_has_one_cost(card: str, kind: str) -> None:
    found = trained(accelerator=card, kind=kind)
    assert found.training is not None
    assert found.training.cost_usd == found.cost.run_usd
    if found.cost.rent_usd_per_hour is not None:
        each = found.cost.rent_usd_per_hour / found.scenario.hardware.gpus
        assert found.training.cost_usd == pytest.approx(each * found.training.gpu_hours)
