"""Constants of a person's own calibration. Written by `python -m tests.calibration own --write`; not by hand.

SCATTER, by figure: standard deviations of the logarithm of measured over predicted, from one person's build to the next, from
one model to the next on it, from one run of a model to the next. NARROWS: power of what is left of them by which an interval
narrows, the largest at which it holds as many of the runs that were held out as the catalog's own, or nine in ten. SOURCES: those of
tests/reference with several runs on one card and engine, each of which plays one person.
"""

from typing import Final

SCATTER: Final[dict[str, tuple[float, float, float]]] = {
    "inter_token": (0.0298, 0.179, 0.119),
    "ttft": (0.0607, 0.364, 0.243),
    "tokens_per_s": (0.075, 0.113, 0.15),
    "train_tokens_per_s": (0.0182, 0.145, 0.0726),
    "train_peak": (0.00692, 0.0138, 0.0138),
}
NARROWS: Final[dict[str, float]] = {"serving": 0.5, "train_tokens_per_s": 0.65, "train_peak": 1}
SOURCES: Final = 169
