"""The model's own judgment of its steps as a reward term."""

from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

import srenv
from agents.engines import Sampling
from agents.recipes.process import recipe as process
from agents.recipes.process.recipe import ProcessConfig
from agents.recipes.process.reward import judged_steps, steps_of
from agents.recipes.process.search import written
from agents.rollouts.player import Rollout
from agents.training.credit import reward_array
from agents.training.judged_rewards import JudgedTerm, add_judged_rewards, judged_terms
from agents.training.policy_gradient import PolicyGradientConfig, SelfCorrectTrainer, grpo_config
from srenv.rewards import make_reward
from tests.support.engines import load_chat
from tests.support.steps import EQUATION, LAST, ONE, StepEngine

WRONG_ONE, WRONG_LAST = "365-43=332", "\\boxed{45}"
RIGHT = {ONE, LAST}


def judge_of(untrained, prefers=lambda a, b: a in RIGHT):
    return StepEngine(load_chat(untrained), [], prefers)


def group():
    """Three attempts at one problem: right, wrong in its second step, wrong from the first."""
    return [
        written(EQUATION, steps)
        for steps in ([ONE, LAST], [ONE, WRONG_LAST], [WRONG_ONE, WRONG_LAST])
    ]


def test_a_step_is_paid_for_how_it_fares_among_its_rivals(untrained):
    engine = judge_of(untrained)
    # First steps: one pair, won and lost. Second steps have rivals after the same first step alone.
    assert judged_steps(engine, group(), 40) == [1.0, 0.0, -0.5]
    assert engine.judged == 4  # two pairs, each in both orders


def test_with_three_rivals_the_lead_is_a_share(untrained):
    order = ["a", "b", "c"]
    engine = judge_of(untrained, lambda a, b: order.index(a) < order.index(b))
    episodes = [written(EQUATION, [step]) for step in (order[1], order[0], order[0], order[2])]
    assert judged_steps(engine, episodes, 40) == [0.0, 1.0, 1.0, -1.0]


def test_what_cannot_be_told_pays_nothing(untrained):
    for prefers in (lambda a, b: True, lambda a, b: False):
        assert judged_steps(judge_of(untrained, prefers), group(), 40) == [0.0] * 3
    other = srenv.Problem("q", "?", "1", "test")
    apart = [written(EQUATION, [ONE]), written(other, [WRONG_ONE]), written(EQUATION, [])]
    engine = judge_of(untrained)
    assert judged_steps(engine, apart, 40) == [0.0] * 3
    assert engine.judged == 0
    assert len(steps_of(written(EQUATION, ["x"] * 99).final)) == 20


def test_judged_rewards_are_added_to_those_of_other_terms(untrained):
    spec = "correctness=1,judged_steps=0.5"
    terms = judged_terms(lambda: gym.make("srenv:SelfCorrectMath-v0", reward=spec))
    episodes = group()
    records = [Rollout(e, [], rewards=[(float(e.final.correct), 0.0)]) for e in episodes]
    for episode in episodes:
        episode.final.rewards = make_reward(spec).by_term(episode.turns)
        assert episode.final.rewards["judged_steps"] == 0.0
    episodes[2].final.correct = None  # undecided attempts get no reward
    tokens = add_judged_rewards(terms, judge_of(untrained), records, 40)
    assert tokens == 2 * (len(load_chat(untrained).encode("because\n[[A]]")) + 1)
    assert [e.final.rewards["judged_steps"] for e in episodes] == [0.25, -0.25, 0.0]
    array, _ = reward_array([record.rewards for record in records])
    assert np.allclose(array[:2, 0], [[1.25, 0.0], [-0.25, 0.0]])


def test_other_rewards_ask_no_model(untrained):
    engine = judge_of(untrained)
    records = [Rollout(e, [], rewards=[(0.0, 0.0)]) for e in group()]
    terms = judged_terms(lambda: gym.make("srenv:SelfCorrectMath-v0"))
    assert add_judged_rewards(terms, engine, records, 40) == engine.judged == 0


def _length(engine, episodes, max_new_tokens):
    """Rewards the length of the text, after asking the model something."""
    engine.generate([engine.chat.encode("?")], Sampling(0.0, max_new_tokens=3))
    return [float(len(episode.final.text)) for episode in episodes]


LENGTH = JudgedTerm("length", "attempt", lambda turns: 0.0, judge=_length)


def test_the_trainer_adds_judged_rewards_before_credit_is_assigned(untrained, tmp_path):
    spec = "correctness=1,tests.agents.recipes.process.test_reward:LENGTH=0.5"
    config = PolicyGradientConfig(
        steps=1, problems_per_step=2, group_size=2, micro_batch=4, max_new_tokens=6,
        scale_roles=False, estimator="tests.agents.recipes.process.test_reward:keep",
    )  # fmt: skip
    problems = srenv.load_problems("synthetic:linear", "train").take(2)
    seen = []
    trainer = SelfCorrectTrainer(
        untrained,
        problems,
        lambda: gym.make("srenv:SelfCorrectMath-v0", max_attempts=1, reward=spec),
        config,
        grpo_config(config, tmp_path, seed=0),
        on_episodes=lambda episodes, step: seen.extend(episodes),
    )
    trainer.train()
    lengths = [len(e.final.text) for e in seen]
    assert [e.final.rewards["length"] for e in seen] == [0.5 * n for n in lengths]
    assert np.allclose(KEPT.pop()[:, 0, 0], [e.reward for e in seen])
    log = trainer.state.log_history[0]
    assert log["reward_term/length"] == pytest.approx(0.5 * np.mean(lengths))
    written_tokens = sum(e.final.tokens for e in seen)
    assert written_tokens < log["generated_tokens"] <= written_tokens + 3


KEPT = []


def keep(rewards, played, groups):
    KEPT.append(rewards.copy())
    return rewards


def test_the_process_recipe_trains_m1_with_it_when_asked(tmp_path, monkeypatch):
    calls, measured = [], []
    stubs = {
        "collect": lambda self, *rest: Path("data"),
        "imitate": lambda self, name, *rest: Path(name),
        "evaluate": lambda self, *rest, **named: None,
        "measure": lambda self, title, model: measured.append((title, str(model))),
        "measure_judge": lambda self, title, model: None,
        "reinforce": lambda self, *rest: calls.append(rest) or Path("paid"),
        "majority": lambda self, result: None,
        "report": lambda self, result: result,
    }
    for name, stub in stubs.items():
        monkeypatch.setattr(process.Process, name, stub)
    config = ProcessConfig(output=tmp_path / "off", iterations=0, report_to="none")
    assert process.train(config) == "M1"
    assert (calls, measured) == ([], [("M1", "m1")])
    pg = replace(config.pg, steps=2)
    assert process.train(replace(config, output=tmp_path / "on", pg=pg)) == "M1"
    assert measured[1:] == [("M1", "m1"), ("M1-PG", "paid")]
    ((_, model, problems, make_env, used),) = calls
    assert (str(model), used, len(problems)) == ("m1", pg, 2 * pg.problems_per_step)
    env = make_env().unwrapped
    assert env.reward.weights == {"correctness": 1.0, "judged_steps": 0.5}
    assert env.max_attempts == 1
