"""Words of serving, training and money."""

from __future__ import annotations

from typing import Final

from engine.decide import answer
from engine.money.disks import CHECKPOINT_BYTES_PER_PARAMETER
from tui.pages.glossary.term import Term

SERVING: Final = (
    Term(
        "prefill",
        "Reading the prompt: all its tokens are computed at once, which computing bounds. Ends with the first token.",
        "docs/serving-speed.md",
        ("prompt reading",),
        ("serving.prefill_tokens_per_s",),
    ),
    Term(
        "decode",
        "Writing the answer: one token a step for every user, bounded by reading the weights and the KV cache.",
        "docs/serving-speed.md",
        ("decode step",),
        ("serving.inter_token_s",),
    ),
    Term(
        "TTFT",
        f"Time to first token: from sending the prompt to the first word of the answer. Over {answer.SLOW_TTFT_S:g} s people think of something else.",
        "MLPerf Inference; Nielsen 1993 for the limit",
        ("first token", "time to first token"),
        ("serving.ttft_s", "workload.ttft_target_s"),
    ),
    Term(
        "p95",
        "What 95 of 100 requests stay below; p50 is the median, p99 leaves one of 100. Of a speed: what 95 of 100 get at least.",
        "docs/serving-speed.md; Kingman 1961 for queues under load",
        ("p50", "p99", "percentile"),
        (
            "workload.ttft_target_at",
            "workload.tokens_per_s_user_target_at",
            "serving.ttft_p95_s",
            "serving.ttft_p99_s",
            "serving.inter_token_p95_s",
            "serving.inter_token_p99_s",
        ),
    ),
    Term(
        "per token",
        "Time between two tokens of one user's answer (ITL, TPOT); one over it is the speed a user reads at.",
        "MLPerf Inference",
        ("TPOT", "ITL", "inter-token"),
        ("serving.inter_token_s", "serving.tokens_per_s_user", "workload.tokens_per_s_user_target"),
    ),
    Term(
        "throughput",
        "Tokens a second of all users together: it grows with users, while each one's speed falls.",
        "docs/serving-speed.md",
        ("tok/s", "all users"),
        ("serving.tokens_per_s_total",),
    ),
    Term(
        "concurrency",
        "Users whose requests run at the same moment; not those who have an account or a page open.",
        "docs/serving-speed.md",
        ("users at once",),
        ("workload.concurrency",),
    ),
    Term(
        "continuous batching",
        "Requests join and leave the running batch at every step, and none waits for the longest.",
        "Yu et al. 2022, Orca (OSDI)",
        ("batching",),
        ("runtime.max_num_seqs",),
    ),
    Term(
        "chunked prefill",
        "Long prompts are read in pieces beside the decoding of others, so that these stutter less.",
        "Agrawal et al. 2023, Sarathi (arXiv 2308.16369)",
        ("max_num_batched_tokens",),
        ("runtime.max_num_batched_tokens",),
    ),
    Term(
        "prefix caching",
        "KV of a beginning that several prompts share is kept, and only the rest is read.",
        "vLLM documentation, automatic prefix caching",
        ("prefix cache",),
        ("runtime.prefix_caching", "workload.cached_share", "workload.cached_by"),
    ),
    Term(
        "speculative decoding",
        "A small drafter guesses some tokens and the model checks them in one step: faster for few users, the same words.",
        "Leviathan et al. 2022 (arXiv 2211.17192)",
        ("speculative", "drafter", "draft", "EAGLE"),
        ("runtime.speculative", "runtime.speculative_tokens", "runtime.speculative_accepted"),
    ),
    Term(
        "bound by",
        "What the step spends most time on: reading weights, reading KV, computing, links or overhead.",
        "Williams et al. 2009, Roofline",
        ("limited by",),
    ),
    Term(
        "batch",
        "Offline work: many prompts and nobody waiting, so that only the total speed and the date count.",
        "docs/serving-speed.md",
        ("offline", "corpus"),
        ("serving.offline_tokens_per_s",),
    ),
)
TRAINING: Final = (
    Term(
        "LoRA",
        "Fine-tuning that trains small adapters beside frozen weights: no gradients and optimizer states for the rest.",
        "Hu et al. 2021 (arXiv 2106.09685)",
        ("adapter", "adapters"),
        ("workload.lora_rank",),
    ),
    Term(
        "QLoRA",
        "LoRA over weights kept in four bits (NF4), which are unpacked as they are used.",
        "Dettmers et al. 2023 (arXiv 2305.14314)",
    ),
    Term(
        "full fine-tune",
        "Every weight is trained: weights, gradients and optimizer states, about 16 bytes a parameter with AdamW.",
        "Rajbhandari et al. 2019 (arXiv 1910.02054)",
        ("full-finetune", "fine-tune"),
    ),
    Term("pretrain", "Training from scratch on a whole corpus.", "docs/training-speed.md"),
    Term(
        "DPO",
        "Training on pairs of better and worse answers; ORPO, KTO and reward models are relatives.",
        "Rafailov et al. 2023 (arXiv 2305.18290)",
        ("ORPO", "KTO", "reward"),
    ),
    Term(
        "GRPO",
        "Reinforcement learning: the model writes answers, which are scored, and learns from them. PPO has a critic besides.",
        "Shao et al. 2024 (arXiv 2402.03300)",
        ("PPO",),
    ),
    Term(
        "ZeRO-1",
        "Optimizer states are sharded over the data-parallel GPUs; weights and gradients are whole on each.",
        "Rajbhandari et al. 2019 (arXiv 1910.02054)",
        ("zero1", "ZeRO 1", "ZeRO"),
        ("workload.sharding",),
    ),
    Term(
        "ZeRO-2",
        "Optimizer states and gradients are sharded; weights are whole on each GPU.",
        "Rajbhandari et al. 2019 (arXiv 1910.02054)",
        ("zero2", "ZeRO 2"),
    ),
    Term(
        "ZeRO-3",
        "Weights too are sharded, and gathered layer by layer when needed: least memory, most traffic.",
        "Rajbhandari et al. 2019 (arXiv 1910.02054)",
        ("zero3", "ZeRO 3"),
    ),
    Term(
        "FSDP",
        "PyTorch's fully sharded data parallel: ZeRO-3, or its gentler stages, in PyTorch itself.",
        "Zhao et al. 2023 (arXiv 2304.11277)",
        ("hybrid FSDP",),
    ),
    Term(
        "DDP",
        "Every GPU holds everything and gradients are summed each step: fastest where it fits.",
        "Li et al. 2020 (arXiv 2006.15704)",
    ),
    Term(
        "MFU",
        "Model FLOPs utilization: the operations that the model needs, as a share of what the cards could do.",
        "Chowdhery et al. 2022, PaLM (arXiv 2204.02311)",
        (),
        ("training.mfu", "training.achieved_tflops"),
    ),
    Term(
        "recompute",
        "Activations are dropped and computed again in the backward pass: full saves most and costs about a third more time.",
        "Chen et al. 2016 (arXiv 1604.06174)",
        ("gradient checkpointing", "activation checkpointing", "selective"),
        ("workload.recompute",),
    ),
    Term(
        "checkpoint",
        f"A saved state of training to go on from; with AdamW about {CHECKPOINT_BYTES_PER_PARAMETER} bytes a parameter on disk.",
        "engine/money/disks.py",
        ("checkpoints",),
    ),
    Term(
        "optimizer states",
        "What the optimizer keeps for each weight: AdamW two numbers and a master copy, 12 bytes in full precision.",
        "Kingma and Ba 2014 (arXiv 1412.6980)",
        ("optimizer", "AdamW", "master weights"),
        ("workload.optimizer", "workload.master_weights"),
    ),
    Term(
        "micro-batch",
        "Sequences that a GPU computes at once; gradients of several are added up before a step.",
        "docs/training-memory.md",
        ("gradient accumulation", "micro batch", "global batch"),
        ("workload.micro_batch", "workload.gradient_accumulation", "workload.global_batch_tokens"),
    ),
    Term(
        "goodput",
        "The share of the time that a run makes progress: failures, restarts and checkpoints take the rest.",
        "Llama 3 (arXiv 2407.21783), failures a GPU-hour",
        ("failures",),
    ),
    Term(
        "GPU-hours",
        "GPUs times hours: what renting is counted in.",
        "docs/money.md",
        ("GPU hours",),
        ("training.gpu_hours", "serving.gpu_hours"),
    ),
)
MONEY: Final = (
    Term(
        "break-even",
        "After so many months, or runs, buying has cost less than renting the same GPUs.",
        "docs/money.md",
        ("pays after", "rent or buy"),
        ("cost.break_even_months",),
    ),
    Term(
        "spot",
        "Rented GPUs that may be taken away at any time, for less; reserved ones are paid for all hours, for less too.",
        "catalog/data/prices.toml",
        ("reserved",),
    ),
    Term(
        "$/M tokens",
        "What a million tokens cost here at the load entered, to set beside an API's price.",
        "docs/money.md",
        ("usd per million",),
    ),
)
