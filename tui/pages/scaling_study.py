"""What a build becomes with more or fewer GPUs: worked out beside the sizing, once the edits rest. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import TYPE_CHECKING

from engine.figures.errors import ScenarioError
from engine.figures.records import dataclass
from engine.scenario import Scenario

if TYPE_CHECKING:
    from engine.decide.corpus import CorpusCurve
    from engine.decide.prospects import Prospects
    from engine.decide.serving_scaling import ServingShape


def _question(scenario: Scenario) -> Scenario:
    return dataclasses.replace(scenario, title="", notes="")


@dataclass(slots=True)
class ScalingStudy:
    """The curve, the choice and the smallest build of a training run, or the shapes that serve and a corpus against GPUs.

    asked: what the findings belong to; None before the first. Findings of an earlier build stay until the next are
    there, so that a page does not jump.
    """

    asked: Scenario | None = None
    prospects: Prospects | None = None
    shapes: tuple[ServingShape, ...] = ()
    corpus: CorpusCurve | None = None

    def stale(self, scenario: Scenario) -> bool:
        """Whether the findings belong to another build than this."""
        return self.asked != _question(scenario)

    def steps(self, scenario: Scenario) -> Generator[None]:
        """Work it out; what was found before stands until the end."""
        if scenario.workload.is_inference:
            from engine.decide.plan import plan
            from engine.decide.serving_scaling import serving_scaling

            shapes: list[ServingShape] = []
            try:
                for shape in serving_scaling(scenario, plan(scenario).layout):
                    shapes.append(shape)
                    yield
            except ScenarioError:  # the layout in use has no answer: the page says why already
                shapes = []
            corpus = None
            if scenario.workload.corpus_tokens is not None:
                from engine.decide.corpus import corpus_curve

                try:
                    corpus = corpus_curve(scenario)
                except ScenarioError:  # likewise
                    corpus = None
            self.shapes, self.corpus = tuple(shapes), corpus
        else:
            from engine.decide.prospects import prospects

            yield
            try:
                self.prospects = prospects(scenario)
            except ScenarioError:
                self.prospects = None
        self.asked = _question(scenario)
