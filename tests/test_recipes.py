"""Every recipe, from one end to the other in a few steps, on an untrained model."""

import json
import subprocess
import sys

import gymnasium as gym
import pytest

import srenv
from agents.recipes import score
from agents.recipes.base import BASE, MAJORITY, REVISED
from agents.recipes.score import FirstAttempts, ScoreConfig
from agents.trainer import PolicyGradientConfig
from srenv.compare import CompareConfig, compare, find_row
from srenv.episode import read_episodes

FEW = {
    "steps": 2,
    "problems_per_step": 2,
    "group_size": 4,
    "micro_batch": 8,
    "max_new_tokens": 10,
    "scale_roles": False,
    "kl": 0.01,
}
COMMON = {"eval_n": 6, "max_new_tokens": 8, "report_to": "none"}


def short_score(untrained, folder, **changes):
    return ScoreConfig(
        model=untrained,
        output=folder,
        stage1=PolicyGradientConfig(**FEW, first_kl=0.1, adaptive_first_kl=True),
        stage2=PolicyGradientConfig(**FEW),
        **COMMON | changes,
    )


@pytest.mark.slow
def test_score_runs_through_and_its_rows_can_be_compared(untrained, tmp_path):
    metrics = score.train(short_score(untrained, tmp_path / "run", offline=0.5, rounds=2))
    assert list(metrics) == [
        BASE, REVISED, MAJORITY,
        "after stage I_1", "after stage II_1", "after stage I_2", "after stage II_2",
    ]  # fmt: skip
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["result"] == "after stage II_2"
    # Always revise: every episode of the result has two turns, and no verdict is asked for.
    played = list(read_episodes(tmp_path / "run" / "episodes_stage2_2.jsonl"))
    assert [len(e.turns) for e in played] == [2] * 6
    attempts = json.loads((tmp_path / "run" / "offline_attempts_1" / "attempts.json").read_text())
    assert len(attempts) == 1
    gained = compare(CompareConfig(f"{tmp_path / 'run'}:{BASE}", str(tmp_path / "run")))
    assert gained["turns"].value == 1.0


def test_score_holds_every_stage_to_the_base_model(untrained, tmp_path, monkeypatch):
    calls = []

    def learn(model, output, problems, make_env, reward, config, seed, *rest):
        calls.append((str(model), reward.weights, config.steps, config.first_kl, str(rest[-1])))
        return output / "final"

    monkeypatch.setattr("agents.recipes.base.train_policy", learn)
    monkeypatch.setattr(
        score.Score,
        "evaluate",
        lambda self, title, *rest, **named: self.rows.update({title: None}),
    )
    monkeypatch.setattr(score.Score, "majority", lambda *rest: None)
    monkeypatch.setattr(score.Score, "report", lambda self, result: {"result": result})
    config = short_score(untrained, tmp_path / "run", alpha=5.0)
    assert score.train(config) == {"result": "after stage II"}
    first, second = calls
    assert first == (untrained, {"revision": 1.0}, 2, 0.1, untrained)
    assert second[0] == str(tmp_path / "run" / "stage1" / "final")
    assert second[1:] == ({"correctness": 1.0, "progress": 5.0}, 2, 0.0, untrained)


@pytest.mark.parametrize("changes", [{"rounds": 3}, {"rounds": 0}, {"offline": 1.5}])
def test_score_refuses_what_it_cannot_do(untrained, tmp_path, changes):
    with pytest.raises(ValueError, match=r"rounds do not divide|share between"):
        score.train(short_score(untrained, tmp_path, **changes))


def test_a_known_first_attempt_is_played_at_reset():
    problem, other = srenv.load_problems("synthetic:linear").take(2)
    env = FirstAttempts(
        gym.make("srenv:SelfCorrectMath-v0", protocol="intrinsic", max_attempts=2),
        {problem.id: "\\boxed{77}"},
    )
    observation, info = env.reset(options={"problem": problem})
    assert "77" in observation
    assert (info["turn"], info["answer"]) == (1, "77")
    _, _, terminated, truncated, info = env.step(f"\\boxed{{{problem.answer}}}")
    assert terminated or truncated
    assert info["correct"]
    _, info = env.reset(options={"problem": other})
    assert info["turn"] == 0


def test_runs_on_other_problems_cannot_be_paired(tmp_path):
    def write(name, ids):
        problems = [srenv.Problem(i, "?", "1", "test") for i in ids]
        episodes = []
        for problem in problems:
            conversation = srenv.conversation.Conversation(
                problem, srenv.Protocol(), srenv.make_reward(), 1
            )
            conversation.step("\\boxed{1}\n[VERIFY] correct")
            episodes.append(conversation.episode)
        return str(srenv.episode.write_episodes(tmp_path / name, episodes))

    one, two = write("a.jsonl", "abc"), write("b.jsonl", "abd")
    with pytest.raises(ValueError, match="same problems"):
        compare(CompareConfig(one, two))
    same = compare(CompareConfig(one, one, output=tmp_path / "out.json"))
    assert same["accuracy_final"].value == 0.0
    assert json.loads((tmp_path / "out.json").read_text())["accuracy_final"]["high"] == 0.0
    with pytest.raises(FileNotFoundError, match=r"episodes\.jsonl"):
        find_row(str(tmp_path / "nowhere"))


@pytest.mark.parametrize("recipe", ["self_rewarding", "score"])
def test_every_recipe_has_a_command(recipe):
    command = [sys.executable, "-m", "srenv.cli", "train", recipe, "--help"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "--model" in result.stdout
