"""How fast a build trains: tokens a second, MFU, days and efficiency of a run, from the step that it repeats.

The step stands in `engine.training.step`; what failures and checkpoints leave of the time in `engine.training.goodput`.
"""

from __future__ import annotations

from engine.figures.kept import keep
from engine.figures.units import HOURS_PER_DAY, SECONDS_PER_DAY, TERA
from engine.model.architecture import Architecture
from engine.money.prices import run_usd
from engine.parts.hardware import Accelerator
from engine.scenario import Hardware, Layout, Scenario, Workload
from engine.scenario.frameworks import software_of
from engine.sizing import Interval, Memory, Training
from engine.training.batch import asked_tokens
from engine.training.body import body
from engine.training.flops import training_flops_per_token
from engine.training.goodput import goodput
from engine.training.own import model_name, narrowed
from engine.training.rates import FITTED, rates
from engine.training.step import Step, step

OVERLAP_RANGE = (0.0, 0.86)
"""In-node overlap that the measured runs of tests/reference/training_perf.jsonl imply, from worst to best."""


def interval_group(architecture: Architecture, workload: Workload) -> str:
    """Which spread of errors an estimate carries: mixtures of experts, adapters, offload, or plain dense training."""
    if workload.offload != "none":
        return "offload"
    if workload.trains != "full":
        return "adapters"
    return "experts" if architecture.experts else "dense"


def training_speed(scenario: Scenario, layout: Layout, memory: Memory, made: Step | None = None) -> Training:
    """Speed, length and efficiency of a training run on the scenario's build in one layout.

    days and gpu_hours count failures and checkpoints (goodput); tokens/s and MFU are of an undisturbed step. MFU
    counts the FLOPs of `training_flops_per_token`, causal attention by the pairs it scores, against the dense data
    sheet rate of the compute dtype. The interval is an 80 % one, from the errors on sources that the constants had not seen.
    made: the layout's step, where it is known already.
    """
    hardware, workload = scenario.hardware, scenario.workload
    architecture = scenario.model.architecture
    made = made or step(architecture, hardware, workload, layout, model=model_name(scenario))
    gpus = layout.gpus
    per_gpu = made.tokens_per_s / gpus
    alone = single_gpu_tokens_per_s(architecture, hardware, workload)
    if made.own is not None:  # a step is moved as a whole: what links keep of it is not
        alone = alone / made.own
    keep = goodput(hardware, body(architecture, workload.sequence_length).parameters)
    days = workload.run_tokens / made.tokens_per_s / keep / SECONDS_PER_DAY
    gpu_hours = days * HOURS_PER_DAY * hardware.gpus
    r = rates(hardware.accelerator, workload.compute_dtype, software_of(workload))  # MFU is of the data sheet's peak
    spread = FITTED.intervals[interval_group(architecture, workload)]
    low, high = narrowed(spread, "train_tokens_per_s", scenario, layout)
    model_flops = training_flops_per_token(architecture, workload)
    efficiency = efficiency_of(per_gpu, alone)
    worst, best = (made.tokens / made.total(x, x, x)[0] / gpus for x in OVERLAP_RANGE)
    return Training(
        step_s=made.seconds,
        tokens_per_s_gpu=per_gpu,
        tokens_per_s_total=made.tokens_per_s,
        mfu=per_gpu * model_flops / r.peak,
        days=days,
        gpu_hours=gpu_hours,
        peak_bytes=memory.peak_bytes,
        efficiency=efficiency,
        interval=Interval(per_gpu * low, per_gpu * high),
        flops_per_token=model_flops,
        achieved_tflops=per_gpu * model_flops / TERA,
        compute_s=made.compute_s,
        communication_s=made.communication_s,
        exposed_communication_s=made.exposed_s,
        bubble_share=made.bubble_s / made.seconds,
        cost_usd=run_usd(scenario, gpu_hours),
        meets_deadline=None if workload.deadline_days is None else days <= workload.deadline_days,
        goodput=keep,
        tp_communication_s=made.longer(made.tp_each_s * made.micro_batches),
        ep_communication_s=made.longer(made.ep_each_s * made.micro_batches),
        pp_communication_s=made.longer(made.pp_each_s * made.micro_batches),
        dp_communication_s=made.longer(made.dp_s),
        optimizer_s=made.longer(made.tail_s - made.rollout_s),
        generation_s=made.longer(made.rollout_s),
        micro_batches=made.micro_batches,
        one_gpu_tokens_per_s=alone,
        overlap_range=Interval(worst, best),
        serial_share=serial_share(efficiency, gpus),
        step_tokens=made.tokens,
        asked_step_tokens=asked_tokens(workload, layout.dp),
    )


def least_days(scenario: Scenario, gpus: int) -> float:
    """Days that a run takes on so many GPUs of the scenario's kind at their data sheet's rate: none is faster."""
    workload = scenario.workload
    r = rates(scenario.hardware.working, workload.compute_dtype, software_of(workload))
    flops = workload.run_tokens * training_flops_per_token(scenario.model.architecture, workload)
    return flops / (r.peak * gpus) / SECONDS_PER_DAY


def efficiency_of(tokens_per_s_gpu: float, alone_tokens_per_s: float) -> float:
    """Per-GPU efficiency: tokens a second of each GPU over those of one of the kind with memory enough, at most 1.

    The baseline is `single_gpu_tokens_per_s`: the same workload, micro-batch and global batch on one GPU, no
    collectives. Whoever shows an efficiency of training shows this.
    """
    return min(1.0, tokens_per_s_gpu / alone_tokens_per_s)


def serial_share(efficiency: float, gpus: int) -> float:
    """Amdahl's serial share: speed-up = 1 / (s + (1 - s) / n) solved for s, where speed-up = efficiency * n.

    1 where more GPUs are no faster than one.
    """
    if gpus <= 1 or efficiency <= 0:
        return 0.0
    return min(1.0, max(0.0, (1.0 / efficiency - 1.0) / (gpus - 1)))


ONE_GPU = Layout()
_alone: dict[tuple[int, int, str], tuple[Workload, Accelerator, float]] = {}


def single_gpu_tokens_per_s(architecture: Architecture, hardware: Hardware, workload: Workload) -> float:
    """Tokens a second of one GPU of the kind with memory enough for everything: the baseline of efficiency."""
    accelerator = hardware.accelerator
    key = (id(workload), id(accelerator), architecture.digest)
    known = _alone.get(key)
    # kept beside the figure, so that their identities stay taken
    if known is not None and known[0] is workload and known[1] is accelerator:
        return known[2]
    speed = step(architecture, hardware, workload, ONE_GPU).tokens_per_s
    return keep(_alone, key, (workload, accelerator, speed), 256)[2]
