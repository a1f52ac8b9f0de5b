"""Two processes through gloo do what one does with the same global batch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from agents.training.policy_gradient import PolicyGradientConfig, grpo_config

HERE = Path(__file__).parent
pytestmark = pytest.mark.slow


def weights(launcher, kind, model, output):
    output.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[2])}
    command = [*launcher, str(HERE / "two_processes.py"), kind, model, str(output)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr[-3000:]
    return dict(AutoModelForCausalLM.from_pretrained(output / "final").named_parameters())


def evaluations(output):
    """The metrics of the held-out problems, of which two processes play three and two."""
    state = json.loads((output / "checkpoint-3" / "trainer_state.json").read_text())
    return [entry for entry in state["log_history"] if "eval_score" in entry]


@pytest.mark.parametrize(("kind", "tolerance"), [("policy", 1e-4), ("imitation", 1e-2)])
def test_two_processes_make_the_update_of_one(kind, tolerance, untrained, tmp_path):
    """The difference of the two updates, relative to the update; Adam (SFT) magnifies rounding."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    one = weights([sys.executable], kind, untrained, tmp_path / "one")
    two = weights(torchrun, kind, untrained, tmp_path / "two")
    start = dict(AutoModelForCausalLM.from_pretrained(untrained).named_parameters())
    update = torch.cat([(one[n] - start[n]).flatten() for n in one])
    difference = torch.cat([(two[n] - one[n]).flatten() for n in one])
    assert update.norm() > 1e-3
    assert difference.norm() / update.norm() < tolerance
    if kind == "policy":
        assert evaluations(tmp_path / "one") == evaluations(tmp_path / "two") != []


def test_the_global_batch_is_shared_out(monkeypatch, tmp_path):
    config = PolicyGradientConfig(problems_per_step=4, group_size=4, micro_batch=4)
    one = grpo_config(config, tmp_path, 0)
    monkeypatch.setattr("agents.training.policy_gradient.process_count", lambda: 2)
    two = grpo_config(config, tmp_path, 0)
    assert (one.per_device_train_batch_size, one.gradient_accumulation_steps) == (4, 4)
    assert (two.per_device_train_batch_size, two.gradient_accumulation_steps) == (4, 2)
    monkeypatch.setattr("agents.training.policy_gradient.process_count", lambda: 3)
    with pytest.raises(ValueError, match="3 processes"):
        grpo_config(config, tmp_path, 0)


def test_the_page_on_scaling_has_the_table_that_its_script_prints():
    root = HERE.parents[2]
    result = subprocess.run(
        [sys.executable, str(root / "docs" / "scaling.py")], capture_output=True, text=True
    )
    assert result.stdout.strip() in (root / "docs" / "scaling.md").read_text()


@pytest.mark.parametrize("name", ["one_gpu", "node_8gpu", "nodes_4x8gpu"])
def test_accelerate_reads_the_configurations(name):
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(HERE.parents[2] / "configs" / f"{name}.yaml"))
    assert config.num_processes == {"one_gpu": 1, "node_8gpu": 8, "nodes_4x8gpu": 32}[name]


def test_a_spread_model_does_not_generate_at_its_own_pace():
    from types import SimpleNamespace

    from agents.engines.transformers import refuse_spread_models

    plugin = SimpleNamespace(zero_stage=3)
    for state in (
        SimpleNamespace(distributed_type="FSDP", deepspeed_plugin=None),
        SimpleNamespace(distributed_type="DEEPSPEED", deepspeed_plugin=plugin),
    ):
        with pytest.raises(ValueError, match="--engine vllm"):
            refuse_spread_models(state)
    refuse_spread_models(SimpleNamespace(distributed_type="MULTI_GPU", deepspeed_plugin=None))
