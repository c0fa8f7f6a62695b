"""Fields of training by preferences and rewards: what learns, what it is compared with, where answers come from."""

from __future__ import annotations

from engine.scenario import ROLLOUT_KINDS, TUNED_KINDS, Preference, ReferenceModel, Rollout, Tuning
from engine.scenario.fields.field import YES_NO, Field, plain

REWARDS = "PREFERENCES AND REWARDS"

REWARD_FIELDS: tuple[Field, ...] = (
    Field(
        "workload.tuning",
        "Learns",
        REWARDS,
        "choice",
        "full: every weight; lora: adapters; qlora: adapters over a packed base.",
        choices=plain(Tuning),
        kinds=TUNED_KINDS,
    ),
    Field(
        "workload.preference",
        "Loss over pairs",
        REWARDS,
        "choice",
        "ORPO and SimPO compare with no reference; KTO takes single answers.",
        choices=plain(Preference),
        kinds=("dpo",),
    ),
    Field(
        "workload.reference_model",
        "Reference",
        REWARDS,
        "choice",
        "A frozen copy to compare with. Auto: one where the loss asks it and every weight learns; adapters switched off are one.",
        choices=plain(ReferenceModel),
        kinds=("dpo", *ROLLOUT_KINDS),
    ),
    Field(
        "workload.group_size",
        "Answers a prompt",
        REWARDS,
        "number",
        "Answers that are sampled for one prompt and compared.",
        high=65536,
        kinds=("grpo",),
    ),
    Field(
        "workload.response_tokens",
        "Answer of it",
        REWARDS,
        "number",
        "Of a sequence, the tokens that the model answers. Empty is half.",
        unit="tokens",
        high=1e8,
        empty="half",
        kinds=ROLLOUT_KINDS,
    ),
    Field(
        "workload.rollout",
        "Engine",
        REWARDS,
        "choice",
        "Where answers are generated: colocated on the trainer's GPUs, or apart on as many others like them.",
        choices=plain(Rollout),
        kinds=ROLLOUT_KINDS,
    ),
    Field(
        "workload.rollout_share",
        "Engine's share",
        REWARDS,
        "number",
        "Share of each card that the engine takes while it generates: weights once more, and KV.",
        low=0.01,
        high=1,
        whole=False,
        step="hundredth",
        kinds=ROLLOUT_KINDS,
    ),
    Field(
        "workload.rollout_sleeps",
        "Engine sleeps",
        REWARDS,
        "choice",
        "Whether a colocated engine gives its memory back while the trainer steps.",
        choices=YES_NO,
        kinds=ROLLOUT_KINDS,
    ),
)
