"""SCoRe: two stages of policy gradient, held to the base model."""

import json

import gymnasium as gym
import pytest

import srenv
from agents.recipes import score
from agents.recipes.base import BASE, MAJORITY, REVISED
from agents.recipes.score import FirstAttempts, ScoreConfig
from agents.training.policy_gradient import PolicyGradientConfig
from srenv.commands.compare import CompareConfig, compare
from srenv.episode import read_episodes
from tests.support.recipes import SHORT

PG = {
    "steps": 2,
    "problems_per_step": 2,
    "group_size": 4,
    "micro_batch": 8,
    "max_new_tokens": 10,
    "scale_roles": False,
    "kl": 0.01,
}


def short_config(untrained, folder, **changes):
    return ScoreConfig(
        model=untrained,
        output=folder,
        stage1=PolicyGradientConfig(**PG, first_kl=0.1, adaptive_first_kl=True),
        stage2=PolicyGradientConfig(**PG),
        **SHORT | changes,
    )


@pytest.fixture(scope="module")
def finished_run(untrained, tmp_path_factory):
    """The rows and the folder of a run of two rounds."""
    folder = tmp_path_factory.mktemp("score") / "run"
    return score.train(short_config(untrained, folder, offline=0.5, rounds=2)), folder


@pytest.mark.slow
def test_each_round_adds_a_row_per_stage(finished_run):
    rows, folder = finished_run
    assert list(rows) == [
        BASE, REVISED, MAJORITY,
        "after stage I_1", "after stage II_1", "after stage I_2", "after stage II_2",
    ]  # fmt: skip
    assert json.loads((folder / "summary.json").read_text())["result"] == "after stage II_2"


@pytest.mark.slow
def test_every_episode_is_revised(finished_run):
    _, folder = finished_run
    episodes = list(read_episodes(folder / "episodes_stage2_2.jsonl"))
    assert [len(episode.turns) for episode in episodes] == [2] * 6


@pytest.mark.slow
def test_a_share_of_the_problems_gets_first_attempts_of_the_base_model(finished_run):
    _, folder = finished_run
    attempts = json.loads((folder / "offline_attempts_1" / "attempts.json").read_text())
    assert len(attempts) == 1


@pytest.mark.slow
def test_rows_of_a_run_can_be_compared(finished_run):
    _, folder = finished_run
    differences = compare(CompareConfig(f"{folder}:{BASE}", str(folder)))
    assert differences["turns"].value == 1.0


def test_every_stage_is_held_to_the_base_model(untrained, tmp_path, monkeypatch):
    calls = []

    def learn(model, output, problems, make_env, config, **rest):
        weights = make_env().unwrapped.reward.weights
        calls.append((str(model), weights, config.steps, config.first_kl, str(rest["reference"])))
        (output / "final").mkdir()
        return output / "final"

    monkeypatch.setattr("agents.recipes.base.train_policy", learn)
    monkeypatch.setattr(score.Score, "evaluate_base", lambda self: None)
    monkeypatch.setattr(
        score.Score,
        "evaluate",
        lambda self, title, *rest, **named: self.rows.update({title: None}),
    )
    monkeypatch.setattr(score.Score, "majority", lambda *rest: None)
    monkeypatch.setattr(score.Score, "report", lambda self, result: {"result": result})
    config = short_config(untrained, tmp_path / "run", alpha=5.0)
    assert score.train(config) == {"result": "after stage II"}
    first, second = calls
    assert first == (untrained, {"revision": 1.0}, 2, 0.1, untrained)
    assert second[0] == str(tmp_path / "run" / "stage1" / "final")
    assert second[1:] == ({"correctness": 1.0, "progress": 5.0}, 2, 0.0, untrained)


@pytest.mark.parametrize("changes", [{"rounds": 3}, {"rounds": 0}])
def test_rounds_that_do_not_divide_the_steps_are_refused(untrained, tmp_path, changes):
    with pytest.raises(ValueError, match="rounds do not divide"):
        score.train(short_config(untrained, tmp_path, **changes))


def test_an_offline_share_above_1_is_refused(untrained, tmp_path):
    with pytest.raises(ValueError, match="share between"):
        score.train(short_config(untrained, tmp_path, offline=1.5))


PROBLEM, OTHER = srenv.load_problems("synthetic:linear").take(2)


@pytest.fixture
def env():
    """An environment that knows a first attempt at `PROBLEM`."""
    plain = gym.make("srenv:SelfCorrectMath-v0", protocol="intrinsic", max_attempts=2)
    return FirstAttempts(plain, {PROBLEM.id: "\\boxed{77}"})


def test_a_known_first_attempt_is_played_at_reset(env):
    observation, info = env.reset(options={"problem": PROBLEM})
    assert "77" in observation
    assert (info["turn"], info["answer"]) == (1, "77")


def test_a_revision_of_a_known_first_attempt_ends_the_episode(env):
    env.reset(options={"problem": PROBLEM})
    _, _, terminated, truncated, info = env.step(f"\\boxed{{{PROBLEM.answer}}}")
    assert terminated or truncated
    assert info["correct"]


def test_other_problems_begin_without_a_turn(env):
    env.reset(options={"problem": PROBLEM})
    _, info = env.reset(options={"problem": OTHER})
    assert info["turn"] == 0
