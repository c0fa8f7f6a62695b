"""A layout that is chosen is one that the named framework has; what it has not is said."""

from __future__ import annotations

from typing import Any

import pytest

from engine.decide.advice import advice
from engine.decide.plan import plan
from engine.decide.size import size
from engine.decide.suggestions import advised
from engine.figures.sentences import text_of
from engine.layout.candidates import candidate_layouts
from engine.runtimes.frameworks import FRAMEWORKS, STAND_INS
from engine.scenario import LayoutChoice, Scenario
from engine.scenario.change import change
from engine.scenario.frameworks import loss_of, software_of, splits_of
from tests.engine.builds import build

WHOLE = ("deepspeed", "fsdp1", "hf-trainer", "llama-factory", "unsloth")


@pytest.mark.parametrize("framework", WHOLE)
def test_no_weight_is_split_by_a_framework_that_only_shards(framework: str) -> None:
    scenario = build("qwen2.5-32b", "bf16", "h100-sxm", 8, kind="full-finetune", framework=framework)
    assert {(one.tp, one.pp, one.ep) for one in candidate_layouts(scenario)} == {(1, 1, 1)}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_packed_base_is_never_split(framework: str) -> None:
    scenario = build("llama-3.1-70b", "bf16", "h100-sxm", 8, kind="qlora", framework=framework)
    assert {(one.tp, one.pp) for one in candidate_layouts(scenario)} == {(1, 1)}


def test_adapters_are_split_by_megatron_alone() -> None:
    scenario = build("llama-3.1-8b", "bf16", "h100-sxm", 8, kind="lora")
    split = {name for name in FRAMEWORKS if splits_of(change(scenario, {"workload.framework": name}).workload)}
    assert split == {"megatron", "nemo"}


def test_every_weight_of_the_usual_frameworks_is_split_as_they_do() -> None:
    scenario = build("llama-3.1-70b", "bf16", "h100-sxm", 8, kind="full-finetune")
    for name in ("fsdp2", "torchtitan", "megatron", "nemo"):
        widest = max(one.tp for one in candidate_layouts(change(scenario, {"workload.framework": name})))
        assert widest == 8


@pytest.mark.parametrize("framework", [*FRAMEWORKS, *STAND_INS])
def test_the_answer_names_the_framework_first(framework: str) -> None:
    runs = build("llama-3.2-1b", "bf16", "h100-sxm", 2, kind="full-finetune", framework=framework)
    over = build("llama-3.1-70b", "bf16", "rtx-4090", 1, kind="full-finetune", framework=framework)
    late = change(runs, {"workload.deadline_days": 0.001})
    called = FRAMEWORKS[framework].name if framework in FRAMEWORKS else STAND_INS[framework].label
    for scenario, status in ((runs, "runs"), (over, "does-not-fit"), (late, "misses")):
        found = size(scenario).answer
        assert found.status == status
        assert f"under {called}" in text_of(found.why).partition(",")[0], framework


def test_a_longest_name_leaves_the_answer_whole_on_80_columns() -> None:
    longest = max(FRAMEWORKS.values(), key=lambda one: len(one.name))
    over = build("llama-3.1-8b", "bf16", "h200-sxm", 1, kind="full-finetune", framework=longest.id, micro_batch=8)
    assert len(text_of(size(over).answer.why)) <= 80 - len("  DOES NOT FIT   ")


@pytest.mark.parametrize("name", STAND_INS)
def test_a_framework_without_an_entry_is_sized_as_the_one_it_trains_by_and_told(name: str) -> None:
    other = STAND_INS[name]
    scenario = build("qwen3-8b", "bf16", "l40s", 4, kind="lora", framework=name)
    known = change(scenario, {"workload.framework": other.by, "workload.sharding": scenario.workload.sharding})
    made, twin = size(scenario), size(known)
    assert (made.layout, made.memory.peak_bytes, made.training) == (twin.layout, twin.memory.peak_bytes, twin.training)
    (notice,) = [one for one in made.warnings if one.id == "framework-stands-in"]
    assert f"{other.label} is sized as {FRAMEWORKS[other.by].name}" in text_of(notice.message)
    assert not [one for one in twin.warnings if one.id == "framework-stands-in"]


def test_a_layout_that_the_one_in_its_place_has_not_is_told_by_both_names() -> None:
    scenario = build("qwen3-8b", "bf16", "l40s", 4, layout=LayoutChoice(tp=4), kind="full-finetune", framework="verl")
    (notice,) = [one for one in size(scenario).warnings if one.id == "framework-layout"]
    assert "verl (as FSDP1) has no tensor parallelism" in text_of(notice.message)


def test_a_pinned_split_that_the_framework_has_not_is_sized_and_told() -> None:
    scenario = build(
        "llama-3.1-8b", "bf16", "h100-sxm", 8, layout=LayoutChoice(tp=8), kind="full-finetune", framework="deepspeed"
    )
    sizing = size(scenario)
    assert sizing.layout.tp == 8
    (notice,) = [one for one in sizing.warnings if one.id == "framework-layout"]
    assert "DeepSpeed has no tensor parallelism" in text_of(notice.message)


def test_a_sharding_that_the_framework_has_not_is_told() -> None:
    scenario = build("llama-3.1-8b", "bf16", "h100-sxm", 8, kind="lora", framework="unsloth", sharding="zero3")
    assert "framework-sharding" in {one.id for one in size(scenario).warnings}


def test_loss_and_kernels_are_the_frameworks_unless_entered() -> None:
    work = build("llama-3.1-8b", "bf16", "h100-sxm", 1, kind="lora", framework="unsloth").workload
    assert (loss_of(work), software_of(work)) == ("fused", "tuned")
    entered = build("llama-3.1-8b", "bf16", "h100-sxm", 1, kind="lora", framework="unsloth", loss="eager").workload
    assert loss_of(entered) == "eager"


def test_training_past_the_context_is_sized_and_told() -> None:
    scenario = build("qwen3-32b", "bf16", "h200-sxm", 8, kind="full-finetune", sequence_length=65536)
    sizing = size(scenario)
    assert sizing.training is not None
    assert "past-context" in {one.id for one in sizing.warnings}


def test_a_framework_that_splits_is_offered_where_sharding_is_not_enough() -> None:
    from engine.decide.advice import advice

    scenario = build(
        "qwen2.5-32b", "bf16", "h100-sxm", 8, kind="full-finetune", framework="fsdp1", sequence_length=20000,
        global_batch_tokens=160000, gradient_accumulation=1,
    )  # fmt: skip
    changes = [dict(cure.changes) for cure in advice(scenario).found]
    assert any("workload.framework" in one for one in changes)


def long(**work: Any) -> Scenario:
    return build(
        "llama-3.1-8b", "bf16", "h100-sxm", 8, kind="full-finetune", sequence_length=1 << 20,
        global_batch_tokens=1 << 20, context_parallel=8, activation_offload=True, loss="chunked", **work,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["dpo", "grpo", "ppo", "reward"])
def test_no_framework_is_offered_that_knows_no_preferences_or_rewards(kind: str) -> None:
    scenario = build("llama-3.1-8b", "bf16", "l40s", 4, kind=kind, framework="verl", micro_batch=2)
    offered = [dict(cure.changes).get("workload.framework") for cure in advice(scenario).found]
    assert set(offered) <= {None, "nemo"}


def test_a_million_tokens_keep_hopper_near_what_attention_kernels_reach() -> None:
    # 364 s were measured for an 8B of 36 layers and 32 heads of 128 (TRL, context parallel 8), which is 0.5 of the peak
    run = size(long()).training
    assert run is not None
    assert 0.3 < run.achieved_tflops / 989.5 < 0.6
    older = size(long(attention_kernel="flash2")).training
    assert older is not None
    assert 1.8 < older.step_s / run.step_s < 3.2


def test_newer_attention_kernels_are_no_slower_and_gain_more_the_longer_the_sequence() -> None:
    gains = []
    for length in (4096, 32768, 262144):
        new, old = (
            size(
                change(
                    long(attention_kernel=kernel),
                    {"workload.sequence_length": length, "workload.global_batch_tokens": length},
                )
            ).training
            for kernel in ("flash3", "flash2")
        )  # fmt: skip
        assert new is not None
        assert old is not None
        gains.append(old.step_s / new.step_s)
    assert 1.0 <= gains[0] < gains[1] < gains[2]


def test_a_chunked_loss_holds_one_chunk_and_a_tiled_feed_forward_one_tile() -> None:
    peaks = [size(long(**work)).memory.peak_bytes for work in ({"tiled_mlp": True}, {})]
    assert peaks[0] < 0.8 * peaks[1]
    whole = size(change(long(), {"workload.loss": "chunked-16bit"})).memory.peak_bytes
    assert size(long()).memory.peak_bytes <= whole


def gain(framework: str) -> float:
    scenario = build("llama-3.1-8b", "bf16", "h100-sxm", 8, kind="pretrain", framework=framework, software="tuned")
    eight = size(change(scenario, {"workload.compute_dtype": "fp8"})).training
    sixteen = size(scenario).training
    assert eight is not None
    assert sixteen is not None
    return eight.tokens_per_s_gpu / sixteen.tokens_per_s_gpu


def test_eight_bits_gain_more_where_casts_are_fused() -> None:
    # torchtitan's own runs of an 8B on 8x H100: 1.10 to 1.25
    assert 1.05 < gain("torchtitan") < 1.3 < gain("nemo") < 1.7


def test_deepspeed_gathers_ahead_of_what_it_offloads() -> None:
    # a billion parameters live at once (stage3_max_live_parameters), where FSDP holds a layer
    peaks = {}
    for name in ("deepspeed", "fsdp2"):
        scenario = build(
            "qwen2.5-7b", "bf16", "h100-sxm", 8, kind="full-finetune", framework=name, offload="parameters", loss="fused",
            sequence_length=2048,
        )  # fmt: skip
        peaks[name] = size(scenario).memory.peak_bytes
    assert 1.5e9 < peaks["deepspeed"] - peaks["fsdp2"] < 6e9


def test_experts_that_go_one_by_one_are_told_of_where_they_are_gathered_so() -> None:
    def told(framework: str, sharding: str = "zero3", model: str = "qwen3-30b-a3b") -> bool:
        sizing = size(
            build(model, "bf16", "h100-sxm", 8, 2, kind="full-finetune", framework=framework, sharding=sharding)
        )
        return "experts-in-turn" in {one.id for one in sizing.warnings}

    assert all(told(name) for name in ("deepspeed", "hf-trainer", "llama-factory"))
    assert not told("megatron", "zero1")
    assert not told("torchtitan")
    assert not told("deepspeed", model="qwen3-8b")


def test_internevo_steps_everything_that_it_holds_at_once() -> None:
    allocated = []
    for name in ("deepspeed", "internevo"):
        scenario = build(
            "llama-3.1-8b", "bf16", "h200-sxm", 2, kind="pretrain", framework=name, sharding="zero3",
            sequence_length=2048, loss="fused", software="standard",
        )  # fmt: skip
        detail = size(scenario).memory.training
        assert detail is not None
        allocated.append(detail.allocated_bytes)
    # flat gradients in 16 bits and in fp32 of 4.015 billion elements, where DeepSpeed takes one billion at a time
    assert allocated[1] - allocated[0] == pytest.approx(3.015e9 * 6, rel=0.001)


def test_a_sharding_that_nobody_entered_is_the_frameworks_own() -> None:
    scenario = build("llama-3.3-70b", "bf16", "a100-sxm4-80gb", 4, kind="lora")
    usual = {name: change(scenario, {"workload.framework": name}).workload.sharding for name in FRAMEWORKS}
    assert usual["unsloth"] == "ddp"
    assert usual["megatron"] == usual["nemo"] == usual["internevo"] == "zero1"
    assert usual["deepspeed"] == usual["axolotl"] == usual["torchtune"] == "zero3"
    assert all(usual[name] in FRAMEWORKS[name].shardings for name in FRAMEWORKS)
    back = change(change(scenario, {"workload.framework": "unsloth"}), {"workload.framework": "axolotl"})
    assert back.workload.sharding == "zero3"
    kept = change(scenario, {"workload.sharding": "zero2"})
    assert change(kept, {"workload.framework": "deepspeed"}).workload.sharding == "zero2"
    assert change(kept, {"workload.framework": "unsloth"}).workload.sharding == "ddp"
    named = {"workload.framework": "unsloth", "workload.sharding": "zero3"}
    assert change(scenario, named).workload.sharding == "zero3"


def test_copies_of_a_base_that_one_card_does_not_hold_are_told_who_shards() -> None:
    scenario = change(
        build("llama-3.3-70b", "bf16", "a100-sxm4-80gb", 4, kind="lora", sequence_length=2048),
        {"workload.framework": "unsloth"},
    )
    assert not plan(scenario).fits
    told = [text_of(cure.headline) for cure in advice(scenario).found if cure.kind == "framework"]
    assert told
    assert told[0].startswith("Axolotl in the place of Unsloth, since it shards over GPUs")


@pytest.mark.parametrize(("kind", "named"), [("dpo", "NeMo RL on its Megatron backend"), ("lora", "NeMo")])
def test_who_splits_layers_is_named_by_the_program_that_trains_the_kind(kind: str, named: str) -> None:
    tuning: dict[str, Any] = {"tuning": "lora"} if kind == "dpo" else {}
    scenario = build("llama-3.1-70b", "bf16", "h100-sxm", 2, kind=kind, sequence_length=2048, **tuning)
    told = [
        text_of(cure.headline)
        for cure in advice(change(scenario, {"workload.framework": "trl"})).found
        if cure.kind == "framework"
    ]
    assert told
    assert told[0].startswith(f"{named} in the place of TRL")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_nothing_is_offered_that_the_framework_has_not(framework: str) -> None:
    entry = FRAMEWORKS[framework]
    for kind, gpus in (("full-finetune", 1), ("full-finetune", 4), ("qlora", 1), ("qlora", 2), ("lora", 4)):
        entered = build("llama-3.1-70b", "bf16", "rtx-4090", gpus, kind=kind, sequence_length=2048)
        for offered in advised(plan(change(entered, {"workload.framework": framework}))).memory.suggestions:
            for key, value in offered.changes:
                assert key != "workload.sharding" or value in entry.shardings
                assert key != "workload.offload" or value in entry.offloads
                assert key != "workload.optimizer" or value in (entry.optimizers or (value,))


def test_an_optimizer_that_the_framework_has_not_is_told() -> None:
    entered = build("llama-3.1-8b", "bf16", "h100-sxm", 8, kind="full-finetune", optimizer="adamw-8bit")
    for name, told in (
        ("megatron", True),
        ("internevo", True),
        ("torchtitan", True),
        ("fsdp2", False),
        ("axolotl", False),
    ):
        sizing = size(change(entered, {"workload.framework": name}))
        found = [one for one in sizing.warnings if one.id == "framework-optimizer"]
        assert bool(found) == told, name
        if found:
            assert "it steps by adamw" in text_of(found[0].message)


def test_nobody_is_sent_to_a_framework_without_the_optimizer_that_was_entered() -> None:
    keys = {"workload.framework": "deepspeed", "workload.sharding": "zero3", "workload.optimizer": "adamw-paged-8bit"}
    entered = build("llama-3.1-8b", "bf16", "l40s", 4, kind="lora", sequence_length=65536, micro_batch=2)
    for change_to in (keys, keys | {"workload.optimizer": "adamw"}):
        offered = [cure for cure in advice(change(entered, change_to)).found if cure.kind == "framework"]
        assert (
            all("NeMo" not in text_of(cure.headline) for cure in offered) or change_to["workload.optimizer"] == "adamw"
        )


@pytest.mark.parametrize(("ram_gib", "told"), [(512, True), (4096, False), (None, False)])
def test_a_run_that_keeps_more_on_the_host_than_it_has_is_told(ram_gib: float | None, told: bool) -> None:
    entered = build(
        "llama-3.1-70b", "bf16", "h100-sxm", 8, kind="full-finetune", framework="deepspeed", offload="optimizer"
    )
    sizing = size(change(entered, {"runtime.host_ram_gib": ram_gib}))
    # two states and a master copy of 70.6B parameters in fp32 are 789 GiB, and gradients beside them
    assert sizing.memory.host_bytes > 789 * 2**30
    assert ("host-offload-short" in {one.id for one in sizing.warnings}) == told
    assert ("a node has 512 GiB" in text_of(sizing.answer.why)) == told


def test_states_of_adapters_shrink_before_they_leave_the_card() -> None:
    entered = plan(build("llama-3.1-70b", "bf16", "h100-sxm", 1, kind="qlora", lora_rank=192, sequence_length=2048))
    assert not entered.fits
    fields = [one.field for one in advised(entered).memory.suggestions]
    assert fields.index("workload.optimizer") < fields.index("workload.offload")


def test_adapters_pass_by_experts_that_are_no_linear_modules() -> None:
    """Rank 8 over attention's four projections of gpt-oss 20B is 3,981,312 parameters, as its trainers print."""
    scenario = build("gpt-oss-20b", "bf16", "h100-sxm", 1, kind="lora", lora_rank=8)
    sizing = size(scenario)
    assert sizing.memory.training is not None
    assert sizing.memory.training.trainable_parameters == 3_981_312
    (notice,) = [one for one in sizing.warnings if one.id == "experts-unadapted"]
    assert "gpt-oss 20B" in text_of(notice.message)
    wider = size(change(scenario, {"workload.lora_targets": "all-linear-and-experts"}))
    assert wider.memory.training is not None
    assert wider.memory.training.trainable_parameters > 25 * 3_981_312
    assert "experts-unadapted" not in {one.id for one in wider.warnings}


def test_a_packed_120b_with_adapters_takes_one_card_of_80_gb() -> None:
    """Its makers of kernels say 65 GB; with adapters on all 128 experts of a layer it was 80 GiB."""
    scenario = build("gpt-oss-120b", "bf16", "h100-sxm", 1, kind="qlora", sequence_length=2048)
    found = plan(change(scenario, {"workload.framework": "unsloth"}))
    assert found.fits
    assert found.memory.peak_bytes == pytest.approx(65e9, rel=0.1)


def test_gradients_go_where_the_states_of_deepspeed_are() -> None:
    """ZeRO-Offload trains 13B on one V100 of 32 GB (arXiv 2101.06840): 26 GB of weights and next to nothing else."""
    for sharding in ("zero2", "zero3"):
        scenario = build(
            "llama-2-13b",
            "bf16",
            "v100-sxm2-32gb",
            1,
            kind="full-finetune",
            framework="deepspeed",
            sharding=sharding,
            offload="optimizer",
            sequence_length=1024,
        )
        found = plan(scenario).memory
        assert found.fits
        assert found.peak_bytes > 26e9
        assert found.host_bytes >= 14 * 13e9
    other = plan(change(scenario, {"workload.framework": "fsdp2"})).memory
    assert not other.fits


@pytest.mark.parametrize(("ram_gib", "offered"), [(None, True), (512, True), (64, False)])
def test_one_small_card_trains_an_8b_whole_where_its_host_holds_the_state(ram_gib: float | None, offered: bool) -> None:
    entered = build("llama-3.1-8b", "bf16", "rtx-4090", 1, kind="full-finetune", framework="hf-trainer")
    found = advice(change(entered, {"runtime.host_ram_gib": ram_gib})).found
    changes = [dict(cure.changes) for cure in found if cure.kind == "training" and cure.scenario.hardware.gpus == 1]
    # 16 bytes of 8.0B parameters are 120 GiB
    assert ({"workload.offload": "parameters"} in changes) == offered


@pytest.mark.parametrize(("framework", "offered"), [("deepspeed", True), ("hf-trainer", True), ("unsloth", False)])
def test_long_sequences_are_spread_over_the_cards_that_are_there(framework: str, offered: bool) -> None:
    entered = build("llama-3.1-8b", "bf16", "h100-sxm", 8, kind="full-finetune", sequence_length=131_072, micro_batch=1)
    found = advice(change(entered, {"workload.framework": framework})).found
    spread = [dict(cure.changes).get("workload.context_parallel") for cure in found if not cure.asks_less]
    assert bool([one for one in spread if one]) == offered


def test_adapters_are_offered_with_what_makes_them_fit() -> None:
    entered = build("llama-3.1-8b", "bf16", "rtx-4090", 1, kind="dpo", framework="trl")
    less = [dict(cure.changes) for cure in advice(entered).found if cure.asks_less]
    assert less == [{"workload.tuning": "lora", "workload.loss": "fused"}]
