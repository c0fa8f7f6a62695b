"""The first start: three questions that lead to a filled form, and never come again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.app.screens.dialog import Question
from tui.app.screens.picked import take
from tui.app.screens.pickers import picker_for
from tui.files import fields

if TYPE_CHECKING:
    from tui.app.screens.bench import Bench

WELCOME = (
    "What do you want to know? One or two more questions fill the form; everything can be changed after. Escape leaves "
    "it as it is."
)
WORK = (("s", "Serve a model", "serve"), ("f", "Fine-tune one", "tune"), ("b", "What to buy", "buy"))
TUNING = (("q", "QLoRA: 4-bit base", "qlora"), ("l", "LoRA", "lora"), ("a", "All weights", "full-finetune"))


async def ask(bench: Bench) -> None:
    """Ask what for, which model, and on what; each answer is made at once, and any may be left out."""
    work = await bench.app.push_screen_wait(Question("Welcome to sizeup", WELCOME, WORK))
    if work is None:
        return
    if work == "tune":
        kind = await bench.app.push_screen_wait(Question("Fine-tune", "How?", TUNING))
        if kind is None:
            return
        bench.make({"workload.kind": kind})
    await _chosen(bench, "model.id")
    if work != "buy":
        await _chosen(bench, "hardware.accelerator")
        bench.form.go_to("hardware.gpus_per_node")
        bench.say(f"Up, Down move; Left, Right step; typing enters. {bench.key('switch')}: results.")
        return
    bench.open_page("Builds")
    bench.show_results(True)


async def _chosen(bench: Bench, key: str) -> None:
    """Have a field chosen from its list."""
    field = fields.BY_KEY[key]
    take(bench, field, await bench.app.push_screen_wait(picker_for(bench.sizeup, field)))
