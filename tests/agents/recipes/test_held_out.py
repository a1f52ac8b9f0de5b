"""Held-out problems are not in the table, and problems of neither are trained on."""

import json
from dataclasses import replace

import pytest

import srenv
from agents.recipes.baselines import plain_rl
from agents.recipes.baselines.plain_rl import PlainRl, PlainRlConfig
from agents.recipes.baselines.prompting import PromptingConfig
from agents.recipes.check import check_options
from agents.recipes.held_out import (
    evaluation_problems,
    held_out_problems,
    take_without,
    unseen_problems,
)
from agents.recipes.score import ScoreConfig
from agents.runs.run import Run
from agents.runs.tracking import Tracker
from agents.training.policy_gradient import PolicyGradientConfig
from tests.support.recipes import SHORT

PG = PolicyGradientConfig(
    steps=2,
    problems_per_step=2,
    group_size=4,
    micro_batch=8,
    max_new_tokens=6,
    eval_every=1,
    eval_problems=5,
)


def prompts(problems):
    return {problem.prompt for problem in problems}


@pytest.fixture
def file(tmp_path):
    """A finite source of 40 problems, the same for training and evaluation."""
    path = tmp_path / "problems.jsonl"
    rows = [{"problem": f"{i} + 1?", "answer": str(i + 1)} for i in range(40)]
    path.write_text("\n".join(map(json.dumps, rows)))
    return f"jsonl:{path}"


def test_without_evaluation_during_training_nothing_is_held_out():
    assert held_out_problems(ScoreConfig()) == []


@pytest.mark.parametrize("endless", [True, False])
def test_held_out_problems_are_not_in_the_table(file, endless):
    config = PlainRlConfig(problems="synthetic:factor" if endless else file, pg=PG, eval_n=20)
    held_out = held_out_problems(config)
    assert len(prompts(held_out)) == 5
    assert not prompts(held_out) & prompts(evaluation_problems(config))


def test_no_problem_of_any_row_is_trained_on(file):
    config = PlainRlConfig(problems=file, transfer=file, pg=PG, eval_n=20, seed=3)
    source, unseen = srenv.load_problems(file, "train"), unseen_problems(config)
    measured = prompts([*evaluation_problems(config), *held_out_problems(config)])
    assert len(measured) == 25
    assert prompts(take_without(source, 60, 0, unseen)) == prompts(source.take(40)) - measured


def test_problems_of_the_transfer_rows_are_neither_held_out_nor_trained_on(file, tmp_path):
    path = tmp_path / "transfer.jsonl"
    path.write_text(json.dumps({"problem": "7 + 1?", "answer": "8"}))
    config = PlainRlConfig(
        problems=file, eval_problems="synthetic:linear", transfer=f"jsonl:{path}",
        pg=replace(PG, eval_problems=38),
    )  # fmt: skip
    assert "7 + 1?" not in prompts(held_out_problems(config))
    assert "7 + 1?" in prompts(unseen_problems(config))


def test_the_recipe_trains_on_what_is_not_in_its_table(file, tmp_path):
    config = PlainRlConfig(problems=file, output=tmp_path, **{**SHORT, "eval_n": 30})
    recipe = PlainRl(config, Run(tmp_path, config, resume=False), Tracker("none", tmp_path, "", {}))
    assert len(prompts(recipe.training_sample(50, seed=0))) == 10
    assert not prompts(recipe.training_sample(50, seed=0)) & prompts(recipe.eval_problems)


@pytest.mark.parametrize("endless", [True, False])
def test_training_takes_other_problems_in_as_many_passes_as_needed(file, endless):
    source = srenv.load_problems("synthetic:factor" if endless else file, "train")
    held_out = source.take(10, seed=3)
    problems = take_without(source, 100, 0, held_out)
    assert len(problems) == 100
    assert not prompts(problems) & prompts(held_out)


def test_training_without_held_out_problems_takes_what_it_always_took():
    source = srenv.load_problems("synthetic:linear", "train")
    assert take_without(source, 20, 4, []) == source.take_passes(20, 4)


def test_a_source_that_is_the_table_is_refused_before_anything_is_written(file, tmp_path):
    config = PlainRlConfig(problems=file, output=tmp_path / "run", **{**SHORT, "eval_n": 40})
    with pytest.raises(ValueError, match=r"--eval-problems, or lower --eval-n"):
        plain_rl.train(config)
    assert not config.output.exists()


def test_options_of_a_recipe_that_does_not_train_may_name_a_source_that_is_the_table(file):
    options = PromptingConfig(problems=file, **{**SHORT, "eval_n": 40})
    check_options(options, trains=False)
    with pytest.raises(ValueError, match="no problems to train on"):
        check_options(options, trains=True)


def test_a_source_that_is_too_small_is_refused_before_anything_is_written(file, tmp_path):
    config = PlainRlConfig(problems=file, pg=PG, output=tmp_path / "run", **{**SHORT, "eval_n": 36})
    with pytest.raises(ValueError, match="too few problems to hold out 5"):
        plain_rl.train(config)
    assert not config.output.exists()


@pytest.mark.slow
def test_a_run_leaves_the_curve_the_best_step_and_its_speed(untrained, tmp_path):
    config = PlainRlConfig(model=untrained, pg=PG, output=tmp_path / "run", **SHORT)
    plain_rl.train(config)
    (figure,) = config.output.glob("figures/held_out_*.png")
    stage = figure.stem.removeprefix("held_out_")
    result = json.loads((config.output / stage / "done.json").read_text())
    assert result["best_step"] in (0, 1, 2)
    resources = json.loads((config.output / "summary.json").read_text())["resources"][stage]
    assert set(resources) == {
        "seconds", "peak_memory_gb", "generated_per_second", "trained_per_second",
    }  # fmt: skip
    assert all(value > 0 for value in resources.values())
