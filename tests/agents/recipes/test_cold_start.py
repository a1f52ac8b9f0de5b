"""Cold start: worked solutions first, and the model after them is the base of every row."""

import json

import pytest

from agents.recipes import base
from agents.recipes.base import MAJORITY, REVISED, TAUGHT, UNTAUGHT
from agents.recipes.baselines import plain_rl
from agents.recipes.baselines.plain_rl import PlainRlConfig
from agents.recipes.baselines.prompting import PromptingConfig
from agents.recipes.baselines.prompting import train as prompt
from agents.recipes.cold_start import read_solutions
from agents.recipes.held_out import evaluation_problems
from agents.training.sft import SftConfig, read_demonstrations
from tests.support.demonstrations import learned_text
from tests.support.recipes import FEW_STEPS, SHORT

GSM8K = {"problem": "2 boxes of 3?", "solution": "He has 2*3=<<2*3=6>>6.\n#### 6"}
MATH = {"problem": "$1/2+1/2$", "solution": "It is $\\boxed{1}$."}
COLD = SftConfig(epochs=1, batch_size=4)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "solutions.jsonl"
    path.write_text("\n".join(map(json.dumps, [GSM8K, MATH])))
    return path


def test_solutions_of_a_file_end_in_the_form_that_is_asked_for(file):
    by_prompt = {d.episode.problem.prompt: d.episode for d in read_solutions(file, 2, seed=0)}
    gsm8k, math = by_prompt[GSM8K["problem"]], by_prompt[MATH["problem"]]
    assert gsm8k.final.text == "He has 2*3=6.\nThe answer is \\boxed{6}."
    assert math.final.text == MATH["solution"]
    assert gsm8k.final.correct
    assert math.final.correct
    assert read_solutions(file, 1, 0, {MATH["problem"]})[0].episode.problem == gsm8k.problem


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"problem": "1+1?", "solution": "It is 2."}, "line 3: the solution gives no answer"),
        ({"question": "1+1?"}, "line 3: it needs the keys 'problem' and 'solution'"),
        ([], "line 3: it needs the keys"),
    ],
)
def test_a_row_without_a_solution_is_refused(file, row, message):
    with file.open("a") as lines:
        lines.write("\n" + json.dumps(row))
    with pytest.raises(ValueError, match=message):
        read_solutions(file, 1, seed=0)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"cold_start": -1}, ValueError, "--cold-start is -1"),
        ({"cold_start_file": "solutions.jsonl"}, ValueError, "--cold-start is 0"),
        ({"cold_start": 3, "cold_start_file": "solutions.jsonl"}, ValueError, "has 2 worked"),
        ({"cold_start": 3, "cold_start_file": "none.jsonl"}, FileNotFoundError, "no such file"),
        ({"cold_start": 3, "problems": "synthetic:factor"}, ValueError, "exact solver of"),
        ({"cold_start": 3, "cold_sft": SftConfig(batch_size=0)}, ValueError, "cold_sft needs"),
    ],
)
def test_options_are_refused_before_work(options, error, message, untrained, file, tmp_path):
    if "cold_start_file" in options:
        options["cold_start_file"] = file.with_name(options["cold_start_file"])
    config = PromptingConfig(model=untrained, output=tmp_path / "run", **SHORT, **options)
    with pytest.raises(error, match=message):
        prompt(config)
    assert not (tmp_path / "run").exists()


def test_solutions_of_a_file_are_learned_whole(chat, file):
    (demonstration,) = read_solutions(file, 1, seed=0)
    text = learned_text(demonstration, chat)
    assert text.startswith(demonstration.episode.final.text)
    assert text.endswith(chat.tokenizer.eos_token)


@pytest.mark.slow
def test_every_later_row_starts_from_the_model_after_the_cold_start(
    untrained, tmp_path, monkeypatch
):
    starts, train_policy = [], base.train_policy

    def spy(model, *args, **options):
        starts.append(str(model))
        return train_policy(model, *args, **options)

    monkeypatch.setattr(base, "train_policy", spy)
    config = PlainRlConfig(
        model=untrained, output=tmp_path, cold_start=8, cold_sft=COLD, pg=FEW_STEPS, **SHORT
    )
    rows = plain_rl.train(config)
    assert list(rows) == [UNTAUGHT, TAUGHT, REVISED, MAJORITY, "after RL"]
    assert starts == [str(tmp_path / "cold_start" / "final")]
    demonstrations = read_demonstrations(tmp_path / "cold_start_data" / "demonstrations.jsonl")
    assert len(demonstrations) == 3 * 8
    done = json.loads((tmp_path / "cold_start_data" / "done.json").read_text())
    assert done["demonstrations"] == {"accepted": 8, "attempt": 8, "corrected": 8}
    taught = {d.episode.problem.prompt for d in demonstrations}
    assert not taught & {problem.prompt for problem in evaluation_problems(config)}
    votes = json.loads((tmp_path / "evaluate_majority" / "done.json").read_text())["votes"]
    assert votes >= 1
    done = tmp_path / "cold_start" / "done.json"
    before = done.stat().st_mtime_ns
    resumed = plain_rl.train(PlainRlConfig(**{**vars(config), "resume": True}))
    assert list(resumed) == list(rows)
    assert done.stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_file_is_learned_from(untrained, file, tmp_path):
    config = PromptingConfig(
        model=untrained, output=tmp_path / "run", cold_start=2, cold_start_file=file,
        cold_sft=COLD, **SHORT,
    )  # fmt: skip
    rows = prompt(config)
    assert list(rows)[:3] == [UNTAUGHT, TAUGHT, REVISED]
    path = tmp_path / "run" / "cold_start_data" / "demonstrations.jsonl"
    assert {d.episode.problem.prompt for d in read_demonstrations(path)} == {
        GSM8K["problem"],
        MATH["problem"],
    }
