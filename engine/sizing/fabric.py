"""What each link leaves of a workload's speed, and the per-GPU efficiency of each shape of build."""

from __future__ import annotations

from typing import Literal

from engine.figures.kinds import FigureKind
from engine.figures.records import NamedTuple
from engine.figures.sentences import Sentence

FINE_FROM = 0.85
"""Of the best link's speed: what costs at most 15 %, as the articles accept (`engine.decide.fabric.OPTIMAL_FROM`)."""
FabricWord = Literal["in-box", "optimal", "viable", "painful", "unusable"]
FabricQuality = Literal["fine", "viable", "painful", "unusable"]


class FabricRow(NamedTuple):
    """This workload's traffic over one link. A named tuple: each sizing makes a row for every link of the catalog.

    seconds: time in collectives per generated token (serving) or per step (training).
    """

    link: str
    name: str
    scope: Literal["intra-node", "inter-node"]
    bandwidth_gb_s: float  # one way
    bandwidth_note: str  # "900 GB/s both ways" where a vendor prints that
    latency_us: float | None  # the link's own, of one transfer; None where nobody states it
    startup_us: float  # of the smallest message through the collectives library, fitted where measured
    seconds: float
    prefill_seconds: float
    share: float
    relative_speed: float  # 1.0 is the fastest link of the table
    word: FabricWord
    kind: FigureKind
    in_use: Literal["", "intra", "inter"] = ""
    relative_speed_pp: float | None = None  # the same with PP across this link
    relative_speed_dp: float | None = None  # the same with DP across this link
    relative_speed_tp: float | None = None  # the same with TP across this link
    word_tp: FabricWord | None = None
    word_pp: FabricWord | None = None
    word_dp: FabricWord | None = None
    assumed: str = ""  # set where another layout is priced, since this one sends nothing, or more memory than there is

    @property
    def place(self) -> str:
        """Where the link is: `in the box` or `between boxes`."""
        return "in the box" if self.scope == "intra-node" else "between boxes"

    @property
    def quality(self) -> FabricQuality:
        """What the link leaves of the speed, wherever it is: `fine`, `viable`, `painful` or `unusable`."""
        return _quality(self.word, self.relative_speed)

    @property
    def quality_tp(self) -> FabricQuality | None:
        """The same with TP across this link."""
        return _of_dimension(self.word_tp, self.relative_speed_tp)

    @property
    def quality_pp(self) -> FabricQuality | None:
        """The same with PP across this link."""
        return _of_dimension(self.word_pp, self.relative_speed_pp)

    @property
    def quality_dp(self) -> FabricQuality | None:
        """The same with DP across this link."""
        return _of_dimension(self.word_dp, self.relative_speed_dp)


def _quality(word: FabricWord, relative_speed: float) -> FabricQuality:
    """The quality alone of a word that also says where the link is."""
    if word == "in-box":
        return "fine" if relative_speed >= FINE_FROM else "viable"
    return "fine" if word == "optimal" else word


def _of_dimension(word: FabricWord | None, relative_speed: float | None) -> FabricQuality | None:
    return None if word is None or relative_speed is None else _quality(word, relative_speed)


class ScalingRow(NamedTuple):
    """Per-GPU efficiency of one shape of build. A named tuple, as `FabricRow` is.

    Training: a GPU's speed against one GPU that is imagined to hold everything. Serving: a GPU's output tokens a second
    under the shape's best load against those of the shape that has most; tokens_per_s_gpu, tokens_per_s_total and users
    are that best load (`Serving`: inside the latency targets, else all that run at once), None for training. The rows of
    serving are worked out when they are read (`engine.decide.serving_scaling.serving_rows`): a `Sizing` for the screen has none.
    """

    configuration: str
    gpus: int
    parallelism: str
    fabric: str
    efficiency: float
    source: str
    below_floor: bool = False
    better: Sentence = ()  # below the floor: the better shape and its efficiency
    article_efficiency: float | None = None
    fits: bool = True  # whether weights, gradients and optimizer states alone fit the card; whether the engine starts
    nodes: int = 1
    in_use: bool = False  # the person's own shape
    tokens_per_s_gpu: float | None = None
    tokens_per_s_total: float | None = None
    users: int | None = None
