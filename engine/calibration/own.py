"""Constants of a person's own calibration. Written by `python -m tests.calibration own --write`; not by hand.

SCATTER, by figure: standard deviations of the logarithm of measured over predicted, from one person's build to the next, from
one model to the next on it, from one run of a model to the next. NARROWED: power of what is left of them by which an interval
narrows, the largest at which it holds as many of the runs that were held out as the catalog's own. SOURCES: those of
tests/reference with several runs on one card and engine, each of which plays one person.
"""

from typing import Final

SCATTER: Final[dict[str, tuple[float, float, float]]] = {
    "inter_token": (0.0624, 0.187, 0.125),
    "ttft": (0.224, 0.168, 0.224),
    "tokens_per_s": (0.109, 0.146, 0.146),
}
NARROWED: Final = 0.3
SOURCES: Final = 94
