"""Every number of the answer's four lines opens to its working, those of a change to the changed build's."""

from __future__ import annotations

import re
from dataclasses import replace

from catalog import build_scenario
from engine.decide.answer import holds
from engine.figures.sentences import Sentence, text_of
from engine.scenario import LayoutChoice, Scenario, Workload
from tests.tui.builds import BUILDS, CHAT
from tests.tui.driver import app_of, running
from tests.tui.figures import opens, shown_by
from tests.tui.test_overview import ASKED
from tui.app.widgets.canvas import Canvas

RUN = Workload(kind="full-finetune", sequence_length=4096, total_tokens=500_000_000)
ANSWERED: dict[str, Scenario] = {
    **{name: make() for name, make in {**BUILDS, **ASKED}.items()},
    "over budget": build_scenario(
        "qwen3-32b", "bf16", "h100-sxm", 8, workload=replace(CHAT, budget_usd=60_000.0, ttft_target_s=1.0)
    ),
    "corpus": build_scenario(
        "llama-3.1-70b",
        "fp8",
        "l40s",
        8,
        workload=Workload(
            kind="batch", input_tokens=2000, output_tokens=500, total_tokens=10_000_000_000, deadline_days=9.0
        ),
    ),
    "late": build_scenario("llama-3.1-8b", "bf16", "rtx-4090", 2, workload=replace(RUN, deadline_days=1.0)),
    "many replicas": build_scenario("llama-3.1-70b", "fp8", "rtx-4090", 8, workload=replace(CHAT, requests_per_s=20.0)),
    "pinned": build_scenario("llama-3.1-70b", "bf16", "rtx-5090", 8, workload=CHAT, layout=LayoutChoice(tp=2)),
    "a fleet": build_scenario("deepseek-r1", "fp8", "gb200", 72, 8, workload=replace(CHAT, concurrency=5000)),
}
NAMES = r"[TPDE]P \d+|\d+ of 5|Builds \(8\)|[\w.]*[A-Za-z][\w.-]*"
"""What has digits and is no figure: the step of the verdict, and names such as 70B or H100."""


def opened(sentence: Sentence) -> str:
    """A sentence as a line shows it, a # for each figure that opens."""
    return "".join(part if isinstance(part, str) else "#" if part.figure else part.text for part in sentence)


async def test_every_number_of_the_banner_opens() -> None:
    async with running(app_of(BUILDS["new"]()), 160, 36) as app:
        for name, scenario in ANSWERED.items():
            app.app.store.edit(scenario)
            await app.settle()
            sizing, studies = app.app.store.sizing, app.app.studies
            assert sizing is not None
            advice = studies.counsel.of(sizing.scenario)
            assert advice is not None
            named = [*(text_of(cure.what) for cure in advice.known), opened(sizing.answer.rung)]
            seen = 0
            for row in app.app.screen.query_one("#verdict", Canvas).lines:
                plain = ""
                for span in row:
                    if span.action.startswith("figure:"):
                        figure = span.action.removeprefix("figure:")
                        assert shown_by(span.text, opens(sizing, studies, figure)[0]), (name, span)
                        seen += 1
                        plain += "#"
                    else:
                        plain += span.text
                for words in sorted(named, key=len, reverse=True):
                    plain = plain.replace(words, "")
                assert not re.search(r"\d", re.sub(NAMES, "", plain)), (name, plain)
            assert seen >= 3 + (advice.first is not None) + bool(holds(sizing.verdict.flips)), name
