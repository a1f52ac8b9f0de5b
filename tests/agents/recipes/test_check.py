"""What cannot work is refused before anything is done, and leaves nothing behind."""

import pytest

from agents.evaluate import EvaluateConfig, evaluate
from agents.recipes import score
from agents.recipes.score import ScoreConfig
from agents.recipes.self_rewarding import recipe as self_rewarding
from agents.recipes.self_rewarding.recipe import SelfRewardingConfig
from agents.training.dpo import PreferenceConfig
from agents.training.policy_gradient import PolicyGradientConfig
from agents.training.sft import SftConfig


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reward": "nope"}, "unknown reward 'nope'"),
        ({"pg": PolicyGradientConfig(estimator="nope")}, "unknown estimator 'nope'"),
        ({"pg": PolicyGradientConfig(estimator="no_such_module:f")}, "no_such_module"),
        ({"eval_n": 0}, "at least one problem"),
        ({"model": "/no/such/folder"}, "no folder /no/such/folder"),
        ({"engine": "vlm"}, "unknown engine 'vlm'. Did you mean 'vllm'"),
        ({"engine": "server"}, "--engine server needs --base-url"),
        ({"engine": "transformers", "base_url": "http://x/v1"}, "are for --engine server"),
        ({"pg": PolicyGradientConfig(engine="vlm")}, "unknown engine 'vlm'"),
        ({"problems": "jsonl:/no/such.jsonl"}, "no file /no/such.jsonl"),
        ({"eval_problems": "synthetic:factor", "eval_n": 9000}, "about 1.*9000 were asked for"),
        ({"max_new_tokens": 0}, "max_new_tokens >= 1"),
        ({"sft": SftConfig(batch_size=0)}, "sft needs batch_size >= 1"),
        ({"dpo": PreferenceConfig(batch_size=0), "stage2": "dpo"}, "dpo needs batch_size >= 1"),
        ({"pg": PolicyGradientConfig(micro_batch=5)}, "128 is not a multiple of micro_batch = 5"),
        ({"pg": PolicyGradientConfig(group_size=1)}, "group_size >= 2"),
        ({"pg": PolicyGradientConfig(steps=-3)}, "pg.steps is -3"),
        ({"pg": PolicyGradientConfig(first_kl=0.1)}, "set kl above 0 too"),
        ({"pg": PolicyGradientConfig(temperature=0.0)}, "temperature above 0, not to 0.0"),
    ],
)
def test_a_recipe_refuses_at_once(tmp_path, changes, message):
    output = tmp_path / "run"
    options = {"report_to": "none", "output": output, **changes}
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        self_rewarding.train(SelfRewardingConfig(**options))
    assert not output.exists()


def test_packages_that_are_missing_are_named_at_once(tmp_path, monkeypatch):
    output = tmp_path / "run"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install \"srenv\[trackio\]\""):
        score.train(ScoreConfig(output=output, report_to="trackio"))
    monkeypatch.undo()
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    config = SelfRewardingConfig(output=output, report_to="none", sft=SftConfig(lora_rank=4))
    with pytest.raises(ImportError, match=r"srenv\[lora\]"):
        self_rewarding.train(config)
    assert not output.exists()


def test_an_engine_whose_package_is_missing_is_refused_at_once(tmp_path, monkeypatch):
    output = tmp_path / "run"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"--engine vllm.*pip install \"srenv\[vllm\]\""):
        score.train(ScoreConfig(output=output, report_to="none", engine="vllm"))
    assert not output.exists()


def test_a_finished_evaluation_is_shown_again_when_asked(untrained, tmp_path):
    options = {"model": untrained, "n": 2, "max_new_tokens": 4, "output": tmp_path / "e"}
    rows = evaluate(EvaluateConfig(**options))
    with pytest.raises(FileExistsError, match="--resume"):
        evaluate(EvaluateConfig(**options))
    again = evaluate(EvaluateConfig(**options, resume=True))
    assert again.keys() == rows.keys()
    (name,) = rows
    assert again[name]["accuracy_final"] == rows[name]["accuracy_final"]
    with pytest.raises(ValueError, match="other settings for n"):
        evaluate(EvaluateConfig(**{**options, "n": 3}, resume=True))
    with pytest.raises(ValueError, match="at least one"):
        evaluate(EvaluateConfig(**{**options, "n": 0}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 0}, "batch_size >= 1"),
        ({"votes": -1}, "votes >= 0"),
        ({"temperature": -1.0}, "temperature >= 0"),
        ({"problems": "synthetic:factor", "n": 9000}, "9000 were asked for"),
    ],
)
def test_an_evaluation_refuses_before_a_model_is_loaded(tmp_path, monkeypatch, changes, message):
    monkeypatch.setattr("agents.evaluate.make_engine", None)
    with pytest.raises(ValueError, match=message):
        evaluate(EvaluateConfig(**{"output": tmp_path / "e", **changes}))
    assert not (tmp_path / "e").exists()
