"""A card under a power limit: laws on sizings of which only the limit differs, and the limit by every door."""

from __future__ import annotations

from pathlib import Path

import pytest

import catalog
from catalog.nvidia_smi import grouped, limit_of, parse
from engine.decide.opened.build import Build
from engine.decide.plan import plan
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.figures.opening import leaves
from engine.parts.power_limit import compute_share, left_share, stream_share
from engine.scenario import Scenario
from engine.scenario.change import change, value_of
from engine.sizing import Serving, Sizing
from tests.engine.builds import build
from tui.files import session
from tui.paste.reading import read
from tui.shell.detect import Seen, render
from tui.shell.exports import export

WATTS = (350.0, 300.0, 250.0, 200.0, 150.0, 110.0)


def chat(watts: float | None = None, model: str = "llama-3.1-8b") -> Scenario:
    """Four users of a small model on one RTX 3090 of 350 W."""
    work = {"concurrency": 4, "input_tokens": 4000, "output_tokens": 400}
    return change(build(model, "bf16", "rtx-3090", 1, 1, None, **work), {"hardware.power_limit_w": watts})


def speed(sizing: Sizing) -> Serving:
    """The serving figures of a sizing."""
    assert sizing.serving is not None
    return sizing.serving


def test_the_rule_is_what_it_was_read_off() -> None:
    # a sweep of RTX 3090: prompts and tokens against those at 350 W
    for watts, prompts, tokens in (
        (300, 0.94, 0.99),
        (250, 0.85, 0.97),
        (200, 0.60, 0.94),
        (150, 0.26, 0.86),
        (100, 0.14, 0.17),
    ):
        left = left_share(watts, 350)
        assert compute_share(left) == pytest.approx(prompts, abs=0.08)
        assert stream_share(left) == pytest.approx(tokens, abs=0.07)
    assert (compute_share(left_share(350, 350)), stream_share(left_share(350, 350))) == (1.0, 1.0)


def test_no_limit_is_that_of_the_board() -> None:
    free = size(chat())
    for watts in (350.0, 450.0):
        held = size(chat(watts))
        assert (held.serving, held.memory, held.power, held.cost) == (free.serving, free.memory, free.power, free.cost)


def test_prompts_slow_down_before_tokens_do() -> None:
    found = [speed(size(chat(watts))) for watts in WATTS]
    firsts, users, rates = (
        [getattr(one, name) for one in found]
        for name in ("ttft_s", "single_stream_tokens_per_s", "prefill_tokens_per_s")
    )
    assert firsts == sorted(firsts)
    assert rates == sorted(rates, reverse=True)
    assert users == sorted(users, reverse=True)
    # at 250 of 350 W prompts lose a sixth, tokens of one user next to nothing
    assert 0.8 < rates[2] / rates[0] < 0.9
    assert users[2] / users[0] > 0.99
    assert found[2].kv_stream_s == found[0].kv_stream_s


def test_what_it_draws_and_what_that_costs_follow() -> None:
    free, held = size(chat()), size(chat(200.0))
    assert free.power.gpu_w == 350.0
    assert held.power.gpu_w == 200.0
    assert free.power.node_w is not None
    assert held.power.node_w is not None
    # ATX supplies give 0.9 of what they draw
    assert free.power.node_w - held.power.node_w == pytest.approx(150 / 0.9)
    assert held.cost.electricity_usd_per_month is not None
    assert free.cost.electricity_usd_per_month is not None
    assert held.cost.electricity_usd_per_month < free.cost.electricity_usd_per_month
    assert held.cost.buy_usd == free.cost.buy_usd


def test_a_training_step_takes_longer_and_its_mfu_is_of_the_data_sheet() -> None:
    def run(watts: float | None) -> Sizing:
        return size(
            change(
                build("llama-3.1-8b", "bf16", "a100-sxm4-80gb", 8, 1, None, kind="lora"),
                {"hardware.power_limit_w": watts},
            )
        )

    free, held = run(None), run(250.0)
    assert free.training is not None
    assert held.training is not None
    assert held.training.step_s > 1.1 * free.training.step_s
    assert held.training.mfu < free.training.mfu
    assert held.training.peak_tflops == pytest.approx(free.training.peak_tflops)


def test_figures_open_to_the_limit() -> None:
    scenario = chat(220.0)
    sizing, opened = size(scenario), Build(plan(scenario))
    for figure, value in (("serving.ttft_s", speed(sizing).ttft_s), ("power.total_w", sizing.power.total_w)):
        number = opened.number(figure)
        assert number.value == value
        assert "power limit of a card" in {one.label for one in leaves(number)}


def test_a_limit_belongs_to_its_card() -> None:
    held = chat(220.0)
    assert value_of(change(held, {"hardware.accelerator": "rtx-4090"}), "hardware.power_limit_w") is None
    both = change(held, {"hardware.accelerator": "rtx-4090", "hardware.power_limit_w": 300})
    assert value_of(both, "hardware.power_limit_w") == 300.0
    assert value_of(change(held, {"workload.concurrency": 8}), "hardware.power_limit_w") == 220.0
    card = next(one for one in catalog.load().facts.accelerators if one.power_limit_min_w)
    assert card.power_limit_min_w is not None
    low = change(
        build("llama-3.1-8b", "bf16", card.id, 1, 1, None), {"hardware.power_limit_w": card.power_limit_min_w - 1}
    )
    with pytest.raises(ScenarioError, match="or more"):
        size(low)


CSV = "name, memory.total [MiB], power.limit [W]\nNVIDIA GeForce RTX 3090, 24576 MiB, {} W\n"


def test_the_driver_tells_it(tmp_path: Path) -> None:
    for watts, found in ((220.0, 220.0), (350.0, None)):
        text = CSV.format(f"{watts:.2f}")
        (group,) = grouped(parse(text), catalog.load().facts.accelerators)
        assert group.accelerator is not None
        assert limit_of(group.gpu, group.accelerator) == found
        assert ("power_limit_w=220" in render(Seen((group,)), "text")) is (found is not None)
        assert read(text).value("hardware.power_limit_w") == found


def test_a_session_and_a_script_keep_it(tmp_path: Path) -> None:
    scenario = chat(220.0)
    path = tmp_path / "held.toml"
    session.save(scenario, path)
    assert "power_limit_w = 220.0" in path.read_text()
    assert session.load(path).hardware.power_limit_w == 220.0
    text = export(size(scenario), "vllm")
    assert "nvidia-smi -pl 220" in text
    assert "nvidia-smi" not in export(size(chat()), "vllm")
    script = "sudo nvidia-smi -pl 220\nvllm serve meta-llama/Llama-3.1-8B-Instruct\n"
    assert read(script).value("hardware.power_limit_w") == 220.0
