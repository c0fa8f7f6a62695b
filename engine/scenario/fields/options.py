"""Options of engines by the names that their commands have, for a person who writes one as a key of a session."""

from __future__ import annotations

from typing import Final

WRITTEN: Final = {
    **dict.fromkeys(("tensor_parallel_size", "tp_size", "tensor_parallel"), "layout.tp"),
    **dict.fromkeys(("pipeline_parallel_size", "pp_size", "pipeline_parallel"), "layout.pp"),
    **dict.fromkeys(("data_parallel_size", "dp_size"), "layout.dp"),
    **dict.fromkeys(("expert_parallel_size", "ep_size", "enable_expert_parallel"), "layout.ep"),
    **dict.fromkeys(("decode_context_parallel_size", "dcp_size"), "layout.dcp"),
    **dict.fromkeys(("enable_dp_attention", "enable_attention_dp"), "layout.dp_attention"),
    **dict.fromkeys(
        (
            "gpu_memory_utilization",
            "mem_fraction_static",
            "kv_cache_free_gpu_memory_fraction",
            "free_gpu_memory_fraction",
        ),
        "runtime.memory_utilization",
    ),
    **dict.fromkeys(("context_length", "ctx_size", "n_ctx", "num_ctx", "max_seq_len"), "runtime.max_model_len"),
    **dict.fromkeys(("max_running_requests", "max_batch_size", "parallel", "n_parallel"), "runtime.max_num_seqs"),
    **dict.fromkeys(
        ("chunked_prefill_size", "ubatch_size", "n_ubatch", "max_num_tokens"), "runtime.max_num_batched_tokens"
    ),
    **dict.fromkeys(("kv_cache_dtype", "cache_type_k", "cache_type_v"), "model.kv_cache"),
    **dict.fromkeys(("quantization", "dtype"), "model.weights"),
    **dict.fromkeys(("enforce_eager", "disable_cuda_graph", "cuda_graph"), "runtime.cuda_graphs"),
    **dict.fromkeys(("enable_prefix_caching", "disable_radix_cache"), "runtime.prefix_caching"),
    **dict.fromkeys(("language_model_only", "limit_mm_per_prompt"), "runtime.text_only"),
    **dict.fromkeys(("speculative_config", "speculative_algorithm", "spec_type", "draft_model"), "runtime.speculative"),
    **dict.fromkeys(
        ("num_speculative_tokens", "speculative_num_steps", "draft_max", "spec_draft_n_max"),
        "runtime.speculative_tokens",
    ),
    **dict.fromkeys(("max_loras_per_batch", "enable_lora"), "runtime.max_loras"),
    **dict.fromkeys(("ngl", "gpu_layers"), "runtime.n_gpu_layers"),
    **dict.fromkeys(("cpu_moe", "ncmoe", "override_tensor"), "runtime.n_cpu_moe"),
    **dict.fromkeys(("page_size",), "runtime.block_size"),
    **dict.fromkeys(("kv_cache_memory_bytes",), "runtime.kv_cache_gib"),
    **dict.fromkeys(("mamba_ssm_cache_dtype", "mamba_ssm_dtype"), "runtime.state_dtype"),
    **dict.fromkeys(("max_mamba_cache_size",), "runtime.state_slots"),
    **dict.fromkeys(("kt_num_gpu_experts",), "runtime.kt_gpu_experts"),
}
"""The key of a session that says what an option of an engine says."""

_NOT_MODELLED = """
swap_space kv_offloading_size kv_offloading_backend kv_transfer_config num_gpu_blocks_override
mm_encoder_tp_mode mm_processor_cache_gb mm_processor_kwargs compilation_config optimization_level
max_cudagraph_capture_size cudagraph_capture_sizes cuda_graph_max_bs cuda_graph_bs enable_torch_compile async_scheduling
enable_chunked_prefill max_num_partial_prefills long_prefill_token_threshold scheduling_policy schedule_policy
schedule_conservativeness enable_eplb num_redundant_experts eplb_config enable_dbo dbo_decode_token_threshold
enable_two_batch_overlap enable_mixed_chunk all2all_backend moe_backend moe_runner_backend moe_a2a_backend deepep_mode
prefill_context_parallel_size mamba_cache_mode mamba_cache_dtype mamba_full_memory_ratio
swa_full_tokens_ratio calculate_kv_scales kv_sharing_fast_prefill disable_custom_all_reduce
enable_hierarchical_cache hicache_ratio hicache_size disaggregation_mode enable_memory_saver enable_sleep_mode
kt_method kt_cpuinfer kt_weight_path kt_threadpool_count cpu_offload_params offload_group_size
tensor_split main_gpu split_mode fit_target no_kv_offload kv_unified cache_ram cache_reuse context_shift swa_full
flash_attn no_mmap mlock numa threads threads_batch batch_size defrag_thold rope_scaling rope_scale yarn_orig_ctx
op_offload no_op_offload no_mmproj_offload poll prio
"""
NOT_MODELLED: Final = frozenset(_NOT_MODELLED.split())
"""Options that people know and nothing here is sized by."""


def _name(key: str) -> str:
    return key.rpartition(".")[2].lstrip("-").replace("-", "_").casefold()


def not_modelled(key: str) -> bool:
    """Whether a key or a flag is an option that people know and nothing here is sized by."""
    return _name(key) in NOT_MODELLED


def told(key: str) -> str:
    """What is said of a key that is an option of an engine; empty of another."""
    written = WRITTEN.get(_name(key))
    if written:
        return f"not a key here; {written} says it"
    return "not modelled: nothing is sized by it" if not_modelled(key) else ""
