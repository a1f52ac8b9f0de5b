"""Held-out problems are neither trained on nor in the table."""

import json

import pytest

import srenv
from agents.recipes.baselines import plain_rl
from agents.recipes.baselines.plain_rl import PlainRlConfig
from agents.recipes.held_out import evaluation_problems, held_out_problems, take_without
from agents.recipes.score import ScoreConfig
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
    assert result["best_step"] in (1, 2)
    resources = json.loads((config.output / "summary.json").read_text())["resources"][stage]
    assert set(resources) == {
        "seconds", "peak_memory_gb", "generated_per_second", "trained_per_second",
    }  # fmt: skip
    assert all(value > 0 for value in resources.values())
