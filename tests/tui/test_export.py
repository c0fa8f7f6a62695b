"""What `sizeup export` writes carries the layout that was sized, for the links in use."""

from __future__ import annotations

import pytest

import catalog
from engine.decide.size import size
from engine.scenario import LayoutChoice
from engine.sizing import Sizing
from tests.engine.builds import build
from tui.shell.export import CannotExport, Target, export


def sized(**fields: object) -> Sizing:
    """A sizing from build fields."""
    return size(build(**fields))  # type: ignore[arg-type] # mixed keyword values, checked by build


def test_vllm_gets_the_layout_and_the_load() -> None:
    sizing = sized(concurrency=32)
    text = export(sizing, "vllm", "meta-llama/Llama-3.1-70B-Instruct")
    assert f"--tensor-parallel-size {sizing.layout.tp}" in text
    assert ("--data-parallel-size" in text) == (sizing.layout.dp > 1)
    assert "--max-model-len 8000" in text
    assert "--quantization fp8" in text
    assert sizing.verdict.headline in text
    assert not text.rstrip().endswith("\\")


def test_a_replica_over_two_nodes_starts_ray_and_sets_nccl() -> None:
    sizing = sized(model="deepseek-v3", accelerator="h100-sxm", nodes=2, layout=LayoutChoice(8, 2, 1))
    text = export(sizing, "vllm", "deepseek-ai/DeepSeek-V3")
    assert "--pipeline-parallel-size 2" in text
    assert "ray start --head" in text
    assert "export NCCL_IB_DISABLE=0" in text
    assert "--quantization" not in text, "the checkpoint is FP8 itself"


def test_the_environment_is_set_before_ray_takes_it() -> None:
    sizing = sized(model="deepseek-v3", accelerator="h100-sxm", nodes=2, layout=LayoutChoice(8, 2, 1))
    text = export(sizing, "vllm", "deepseek-ai/DeepSeek-V3")
    assert text.index("export NCCL_IB_DISABLE") < text.index("ray start --head")


def test_replicas_on_other_nodes_are_servers_of_their_own() -> None:
    sizing = sized(accelerator="h100-sxm", nodes=2, layout=LayoutChoice(4, 1, 4))
    vllm, lws = export(sizing, "vllm", "x/y"), export(sizing, "lws", "x/y")
    assert "# 2 servers of this, each on its own node" in vllm
    assert "--data-parallel-size 2 " in vllm
    assert "ray" not in vllm
    assert "  replicas: 2\n" in lws
    assert '"--data-parallel-size", "2", ' in lws
    assert 'nvidia.com/gpu: "8"' in lws


def test_attention_replicas_over_nodes_share_one_server() -> None:
    layout = LayoutChoice(1, 1, 16, 16, dp_attention=True)
    sizing = sized(model="deepseek-v3", accelerator="h100-sxm", nodes=2, layout=layout)
    for target in ("vllm", "lws"):
        text = export(sizing, target, "deepseek-ai/DeepSeek-V3")
        text = text.replace('", "', " ")
        for flag in ("--data-parallel-size 16", "--data-parallel-size-local 8", "--data-parallel-backend ray"):
            assert flag in text, target
        assert "--distributed-executor-backend" not in text
    nim = export(sizing, "nim", "deepseek-ai/DeepSeek-V3")
    assert "NIM_TENSOR_PARALLEL_SIZE=8" in nim
    assert "NIM_PIPELINE_PARALLEL_SIZE=2" in nim


def test_nim_replicas_of_one_node_have_their_own_cards_and_ports() -> None:
    text = export(sized(accelerator="h100-sxm", layout=LayoutChoice(4, 1, 2)), "nim", "meta-llama/Llama-3.1-70B")
    assert "device=0,1,2,3" in text
    assert "device=4,5,6,7" in text
    assert "NIM_SERVER_PORT=8001" in text
    assert "nvcr.io/nim/meta/llama-3.1-70b:latest" in text


def test_nim_runs_a_leader_and_a_worker() -> None:
    sizing = sized(model="deepseek-r1", accelerator="h100-sxm", nodes=2, layout=LayoutChoice(8, 2, 1))
    text = export(sizing, "nim", "deepseek-ai/DeepSeek-R1")
    assert text.count("docker run") == 2
    assert "NIM_NUM_COMPUTE_NODES=2" in text
    assert "NIM_NODE_RANK=0" in text
    assert "NIM_NODE_RANK=1" in text
    assert "NIM_PIPELINE_PARALLEL_SIZE=2" in text


def test_a_leader_worker_set_has_one_group_a_replica() -> None:
    sizing = sized(model="deepseek-v3", accelerator="h100-sxm", nodes=4, layout=LayoutChoice(8, 2, 2))
    text = export(sizing, "lws", "deepseek-ai/DeepSeek-V3")
    assert "  replicas: 2\n" in text
    assert "    size: 2\n" in text
    assert 'nvidia.com/gpu: "8"' in text
    assert "kind: Service" in text


def test_cards_without_peer_access_disable_it() -> None:
    assert "NCCL_P2P_DISABLE=1" in export(sized(accelerator="rtx-5090"), "nccl", "")
    assert "NCCL_P2P_DISABLE" not in export(sized(accelerator="h100-sxm"), "nccl", "")


def test_torchrun_gets_nodes_processes_and_accumulation() -> None:
    sizing = sized(kind="full-finetune", weights="bf16", nodes=2, micro_batch=1, global_batch_tokens=524288)
    text = export(sizing, "torchrun", "meta-llama/Llama-3.1-70B")
    assert "--nnodes 2" in text
    assert "--nproc-per-node 8" in text
    per_step = 4096 * sizing.layout.dp
    assert f"--gradient-accumulation {round(524288 / per_step)}" in text


@pytest.mark.parametrize(("target", "kind"), [("torchrun", "serve"), ("vllm", "lora"), ("lws", "pretrain")])
def test_a_target_that_cannot_run_it_says_what_can(target: Target, kind: str) -> None:
    weights = "fp8" if kind == "serve" else "bf16"
    with pytest.raises(CannotExport, match="use "):
        export(sized(kind=kind, weights=weights), target, "x/y")


def test_every_model_of_the_catalog_has_a_name_to_serve() -> None:
    assert [entry.id for entry in catalog.load().models if not entry.hf_id] == []
