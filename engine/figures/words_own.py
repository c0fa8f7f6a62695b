"""Names of what a person states of cards and loads beside the plain: own measurements, prefixes; fields of records."""

from typing import Final

OWN: Final[dict[str, tuple[str, str]]] = {
    "Waits.queue_s": ("wait in a queue", "s"),
    "Waits.started_s": ("wait at a run's start", "s"),
    "Waits.again_s": ("wait for those of the same pass", "s"),
    "Waits.queued": ("share of prompts that queue", ""),
    "Waits.kept": ("share of users who keep in step", ""),
    "Load.share_s": ("a prompt beside others", "s"),
    "Load.place_s": ("wait for a place", "s"),
    "Hardware.power_limit_w": ("power limit of a card", "W"),
    "Workload.cached_share": ("share of the prompt that is cached", ""),
    "OwnFactors.first": ("factor of your measurements on a first token", ""),
    "OwnFactors.token": ("factor of your measurements on a token", ""),
    "OwnFactors.total": ("factor of your measurements on tokens a second", ""),
    "OwnShares.one": ("factor of your measurements on one GPU", ""),
    "OwnShares.data": ("factor of your measurements of data shared alone", ""),
    "OwnShares.tensor": ("factor of your measurements of tensors shared", ""),
    "OwnShares.pipeline": ("factor of your measurements of pipelines", ""),
    "Step.own": ("how much longer your measurements make a step", ""),
    "RankCost.own": ("factor of your measurements on a peak", ""),
    "Times.ttft_s": ("first token", "s"),
    "Times.served_s": ("first token of a request that is being served", "s"),
    "Times.token_s": ("time per token", "s"),
    "Times.cycle_s": ("a whole request", "s"),
    "Residual.factor": ("ratio to expect of your measurements", ""),
    "Residual.left": ("scatter that your measurements leave", ""),
    "Scatter.build": ("scatter between builds", ""),
    "Scatter.model": ("scatter between models on a build", ""),
    "Scatter.run": ("scatter between runs of a model", ""),
}
