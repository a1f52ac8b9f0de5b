"""A run's stages: done once, resumed after a failure, shared by several processes."""

import json
from dataclasses import dataclass

import pytest

from agents.runs.run import Run, changed_options


@dataclass
class Config:
    seed: int = 0
    resume: bool = False


def test_a_stage_is_done_once(tmp_path):
    todo = []
    for _ in range(2):
        stage = Run(tmp_path, Config(), resume=True).stage("think")
        todo.append(stage.todo)
        if stage.todo:
            stage.finish(answer=42)
        assert stage.result["answer"] == 42
    assert todo == [True, False]


def test_a_stage_that_fails_is_still_to_do(tmp_path):
    run = Run(tmp_path, Config(), resume=False)
    assert run.stage("think").todo  # and nothing is finished
    stage = run.stage("think")
    assert stage.todo
    stage.finish(answer=1)
    assert run.stage("think").result["answer"] == 1


def test_the_result_of_an_unfinished_stage_is_an_error(tmp_path):
    stage = Run(tmp_path, Config(), resume=False).stage("think")
    with pytest.raises(RuntimeError, match="think was left before"):
        _ = stage.result


def test_tokens_are_summed_over_the_stages(tmp_path):
    run = Run(tmp_path, Config(), resume=False)
    run.stage("sample").finish(generated=5)
    run.stage("train", everywhere=True).finish(generated=1, trained=7)
    assert run.spent == {"generated": 6, "trained": 7}
    resumed = Run(tmp_path, Config(), resume=True)
    assert resumed.spent == {"generated": 0, "trained": 0}
    resumed.stage("sample")
    assert resumed.spent["generated"] == 5


def test_another_process_waits_for_the_result_of_the_main_one(monkeypatch, tmp_path):
    main = Run(tmp_path, Config(), resume=False)
    main.stage("sample").finish(by="main")
    monkeypatch.setattr("agents.runs.run.is_main", lambda: False)
    other = Run(tmp_path, Config(), resume=False)  # neither refuses nor writes
    assert not other.stage("sample").todo
    assert other.stage("sample").result["by"] == "main"


def test_another_process_joins_in_work_that_is_done_everywhere(monkeypatch, tmp_path):
    monkeypatch.setattr("agents.runs.run.is_main", lambda: False)
    other = Run(tmp_path, Config(), resume=False).stage("train", everywhere=True)
    assert other.todo
    other.finish(by="other")
    assert not (tmp_path / "train" / "done.json").exists()
    monkeypatch.setattr("agents.runs.run.is_main", lambda: True)
    Run(tmp_path, Config(), resume=False).stage("train", everywhere=True).finish(by="main")
    assert other.result["by"] == "main"


def test_a_folder_with_a_run_is_resumed_only_when_asked_to(tmp_path):
    Run(tmp_path, Config(), resume=False)
    with pytest.raises(FileExistsError, match="add --resume"):
        Run(tmp_path, Config(), resume=False)
    with pytest.raises(ValueError, match="other settings for seed"):
        Run(tmp_path, Config(seed=1), resume=True)


def test_options_of_a_stage_are_compared_one_by_one():
    before = {"seed": 0, "pg": {"steps": 3, "kl": 0.1}}
    assert changed_options(before, {"seed": 0, "pg": {"steps": 4, "kl": 0.1}}) == ["pg.steps"]
    newer = {"seed": 0, "pg": {"steps": 3, "kl": 0.1, "eval_every": 0}, "max_turn_chars": 9}
    assert changed_options(before, newer) == []


def test_an_option_newer_than_the_run_has_its_default(tmp_path):
    Run(tmp_path, Config(), resume=False)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"resume": False}))
    Run(tmp_path, Config(), resume=True)
