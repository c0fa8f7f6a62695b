"""What one GPU does a second in training: products by dtype, attention, streams of memory and host, by class and software tier.

The constants are `engine.calibration.training_speed`, fitted by `python -m tests.calibration training_speed`.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.calibration import training_speed as fit
from engine.figures.records import dataclass
from engine.figures.units import GB, TERA
from engine.parts.hardware import Accelerator
from engine.runtimes.frameworks import Software
from engine.training.peak import sixteen_bit_tflops


@dataclass(frozen=True, slots=True, eq=False)
class Constants:
    """The fitted constants, looked up by dotted name; compared by identity so that caches can key on them."""

    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]

    def __getitem__(self, name: str) -> float:
        return self.values[name]


FITTED = Constants(fit.CONSTANTS, fit.INTERVALS)


@dataclass(frozen=True, slots=True)
class Tier:
    """The constants of one software tier, resolved once; names as in engine.calibration.training_speed."""

    elementwise: float
    loss_bytes: float
    launch_s: float
    overlap_tp: float
    overlap_dp: float
    overlap_ep: float
    overlap_pp: float
    narrow_width: float
    few_tokens: float
    misaligned: float
    odd_head: float
    selective: float
    unfused_attention: float
    quantize: float
    moe_matmul: float
    moe_tokens_half: float
    moe_overhead_s: float
    moe_permute: float
    lora: float
    dequantize: float
    optimizer_passes: float
    offload_optimizer: float
    offload_exposed: float
    spread: float


def _tier(software: Software, c: Constants) -> Tier:
    return Tier(
        elementwise=c["elementwise.scale"] * c[f"elementwise.{software}"],
        loss_bytes=c[f"loss.{software}"],
        launch_s=c[f"launch.{software}"],
        overlap_tp=c[f"overlap.tp.{software}"],
        overlap_dp=c[f"overlap.dp.{software}"],
        overlap_ep=c[f"overlap.ep.{software}"],
        overlap_pp=c["overlap.pp"],
        narrow_width=c["narrow_width"],
        few_tokens=c["few_tokens"],
        misaligned=c["misaligned"],
        odd_head=c["odd_head"],
        selective=c["recompute.selective"],
        unfused_attention=c["unfused_attention"],
        quantize=c["quantize"],
        moe_matmul=c["moe.matmul"],
        moe_tokens_half=c["moe.tokens_half"],
        moe_overhead_s=c["moe.overhead"],
        # what routing moves is fused no better than the rest
        moe_permute=c["moe.permute"] * c[f"elementwise.{software}"],
        lora=c["lora.elementwise"],
        dequantize=c["dequantize"],
        optimizer_passes=c["optimizer.passes"],
        offload_optimizer=c["offload.optimizer"],
        offload_exposed=c["offload.exposed"],
        spread=c["spread"],
    )


@dataclass(frozen=True, slots=True)
class Rates:
    """What one GPU does a second for one dtype and software tier.

    matrix: FLOP/s of products in the compute dtype, matrix_16bit of those that stay 16-bit (head), attention: of
    attention kernels on short sequences, attention_long: of their newest generation on endless ones; memory and host: bytes/s of its memory and of its link to the host; peak: the data sheet's
    dense FLOP/s in the dtype, which MFU is counted against. tier: constants of the software tier.
    """

    family: str
    dtype: str
    matrix: float
    matrix_16bit: float
    attention: float
    attention_long: float
    memory: float
    host: float
    peak: float
    tier: Tier


# Sustained matrix rate over the data sheet's, where nobody measured the part: MAMF sweeps of
# stas00/ml-engineering (compute/accelerator), as carried by measured_tflops_* in the catalog, give 0.75 to 0.9.
UNMEASURED_MATRIX_SHARE = 0.85
# Streams reach this share of peak memory bandwidth: babelstream-class figures of the parts lie at 0.85 to 0.93.
MEMORY_SHARE = 0.85
HOST_SHARE = 0.85
SLOT_LANES = 16
PCIE_GB_S_PER_LANE = {3: 0.985, 4: 1.969, 5: 3.938, 6: 7.563}


def gpu_family(accelerator: Accelerator) -> str:
    """The class of a GPU by its kernels: ampere, hopper, blackwell, volta, gddr (graphics memory) or other."""
    capability = accelerator.compute_capability.replace("sm_", "")
    name = accelerator.architecture.lower()
    if accelerator.vendor.lower() != "nvidia":
        return "other"
    if capability.startswith("7") or "volta" in name or "turing" in name:
        return "volta"
    if capability == "8.0" or "ga100" in name:
        return "ampere"
    if capability.startswith("9") or "hopper" in name:
        return "hopper"
    if capability.startswith(("8.6", "8.9", "12")) or accelerator.memory_type.upper().startswith("GDDR"):
        return "gddr"
    if capability.startswith("10") or "blackwell" in name or "rubin" in name:
        return "blackwell"
    return "gddr"


def generation(accelerator: Accelerator) -> str:
    """Whose TFLOP/s a watt a card with graphics memory has: blackwell, or ada with all before it, which meet no limit."""
    return "blackwell" if accelerator.compute_capability.replace("sm_", "").startswith("12") else "ada"


def forget_rates() -> None:
    """Drop the cached rates, for a calibration that tries many constants."""
    _rates.clear()


_rates: dict[tuple[int, str, str, int], tuple[Accelerator, Constants, Rates]] = {}


def rates(accelerator: Accelerator, compute_dtype: str, software: Software, constants: Constants = FITTED) -> Rates:
    """Rates of one GPU. A dtype that it has no matrix units for runs at its 16-bit rate."""
    key = (id(accelerator), compute_dtype, software, id(constants))
    known = _rates.get(key)
    if known is not None:
        return known[2]
    family = gpu_family(accelerator)
    c = constants
    sixteen = sixteen_bit_tflops(accelerator)
    best = accelerator.measured_tflops_bf16 or sixteen * UNMEASURED_MATRIX_SHARE
    tier = c[f"tier.{software}"]
    base = best * c[f"matmul.{family}.bf16"]
    watts = accelerator.tdp_w if family == "gddr" else None
    if watts:
        base = _capped(base, watts * c[f"watt.{generation(accelerator)}.bf16"])
    dtype, peak, matrix = "bf16", sixteen, base
    eight, four = accelerator.tflops_fp8_dense, accelerator.tflops_fp4_dense
    if compute_dtype == "nvfp4" and not (accelerator.supports_fp4 and four):
        compute_dtype = "fp8"
    if compute_dtype == "fp8" and accelerator.supports_fp8 and eight:
        dtype, peak = "fp8", eight
        # what keeps a part from its 16-bit peak (clocks, power, kernels) keeps it from the 8-bit one as well
        matrix = (accelerator.measured_tflops_fp8 or eight * best / sixteen) * c[f"matmul.{family}.fp8"]
    elif compute_dtype == "nvfp4" and four:
        dtype, peak = "nvfp4", four
        matrix = four * UNMEASURED_MATRIX_SHARE * c["matmul.blackwell.nvfp4"]
    if watts and dtype != "bf16":
        matrix = _capped(matrix, watts * c[f"watt.{generation(accelerator)}.fp8"])
    # A fitted share above 1 stands for cards that boost past their data sheet's clock; none computes past its peak.
    sixteen_rate = min(base * tier, sixteen) * TERA
    matrix = min(matrix * tier, peak) * TERA
    short = c[f"attention.{family}"]
    lanes = (accelerator.pcie_lanes or SLOT_LANES) * PCIE_GB_S_PER_LANE.get(accelerator.pcie_gen or 4, 1.969)
    made = Rates(
        family=family,
        dtype=dtype,
        matrix=matrix,
        matrix_16bit=sixteen_rate,
        attention=min(base * tier * short, sixteen) * TERA,
        attention_long=min(base * tier * max(short, c[f"attention_long.{family}"]), sixteen) * TERA,
        memory=accelerator.bandwidth_gb_s * MEMORY_SHARE * GB,
        host=(accelerator.cpu_link_gb_s_unidir or lanes) * HOST_SHARE * GB,
        peak=peak * TERA,
        tier=_tier(software, constants),
    )
    _rates[key] = (accelerator, constants, made)
    return made


def _capped(rate: float, limit: float) -> float:
    """A rate under a power limit: the two meet smoothly, since a card throttles before it is at its limit."""
    return float((rate**-POWER_SHARPNESS + limit**-POWER_SHARPNESS) ** (-1 / POWER_SHARPNESS))


POWER_SHARPNESS = 4
