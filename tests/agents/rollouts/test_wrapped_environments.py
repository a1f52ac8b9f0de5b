"""What wrappers change is what the model reads, what is rewarded, and what is trained."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import TimeLimit
from transformers import AutoTokenizer

import srenv
from agents.engines import Sampling
from agents.models.chat import ChatFormat
from agents.models.roles import ATTEMPT, ENVIRONMENT
from agents.rollouts.rollout import rollout
from agents.training.policy_gradient import (
    PolicyGradientConfig,
    SelfCorrectTrainer,
    grpo_config,
    learnable,
    trained_rows,
)
from srenv.wrappers import ChatObservation
from tests.support import ScriptedEngine

PROBLEM = srenv.Problem("p", "2+2?", "4", "test")
WRONG, RIGHT = "\\boxed{5}\n[VERIFY] wrong", "\\boxed{4}\n[VERIFY] correct"
SAMPLING = Sampling()
HINT = "Think of the units. "


def make_env(**options):
    return gym.make("srenv:SelfCorrectMath-v0", max_attempts=3, **options)


def make_chat_env():
    return ChatObservation(make_env())


@pytest.fixture(scope="module")
def chat(untrained):
    return ChatFormat(AutoTokenizer.from_pretrained(untrained))


def play(chat, make, *lines, starts=(PROBLEM,)):
    engine = ScriptedEngine(chat, [list(lines) for _ in starts])
    records = rollout(make, engine, list(starts), SAMPLING)
    return records[0], [chat.tokenizer.decode(prompt) for prompt in engine.prompts]


class Bonus(gym.RewardWrapper):
    def reward(self, reward):
        return float(reward) + 100


class Hint(gym.ObservationWrapper):
    """Prefixes a sentence to the transcript, or to the first message of a chat."""

    def observation(self, observation):
        if isinstance(observation, str):
            return HINT + observation
        first, *rest = observation
        return ({**first, "content": HINT + first["content"]}, *rest)


class UpperTool(gym.Wrapper):
    """A tool of a user's own: answers a message that ends in UPPER? in capitals."""

    def reset(self, **options):
        self.draft = ""
        return super().reset(**options)

    def step(self, action):
        text, self.draft = self.draft + action, ""
        if not action.endswith("UPPER?"):
            return self.env.step(text)
        continuation = f"\n{action.removesuffix(' UPPER?').upper()}\n"
        self.draft = text + continuation
        return self.observed, 0.0, False, False, {"continuation": continuation}

    observed = ()


class Forgetful(gym.ObservationWrapper):
    """Shows the last message alone."""

    def observation(self, observation):
        return observation[-1:]


def test_the_returned_reward_is_the_reward(chat):
    plain, _ = play(chat, make_env, WRONG, RIGHT)
    record, _ = play(chat, lambda: Bonus(make_env()), WRONG, RIGHT)
    for (attempt, verdict), (before, same) in zip(record.rewards, plain.rewards, strict=True):
        assert (attempt, verdict) == (before + 100, same)
    assert record.episode.reward == plain.episode.reward + 200
    assert record.episode.final.rewards["wrappers"] == 100
    assert "wrappers" not in plain.episode.final.rewards


@pytest.mark.parametrize("make", [make_env, make_chat_env])
def test_the_prompt_is_the_observation(chat, make):
    plain, before = play(chat, make, WRONG, RIGHT)
    record, prompts = play(chat, lambda: Hint(make()), WRONG, RIGHT)
    assert all(prompt.count(HINT) == 1 for prompt in prompts)
    assert [prompt.replace(HINT, "").replace("User: ", "") for prompt in prompts] == before
    assert record.ids == plain.ids
    assert record.context[: len(record.prompt_ids)] == record.prompt_ids


@pytest.mark.parametrize("make", [make_env, make_chat_env])
def test_text_and_chat_observations_give_the_same_ids(chat, make):
    record, _ = play(chat, make, WRONG, RIGHT)
    expected = chat.opening(srenv.Protocol().opening(PROBLEM))
    assert record.prompt_ids == expected
    text = chat.tokenizer.decode(record.ids)
    assert (
        text == f"{WRONG}<|end|><|user|>{srenv.Protocol().retry}<|end|><|assistant|>{RIGHT}<|end|>"
    )


def test_an_outer_limit_ends_the_episode(chat):
    record, prompts = play(chat, lambda: TimeLimit(make_env(), 1), WRONG, RIGHT)
    assert len(prompts) == len(record.episode.turns) == 1
    assert record.episode.ending == "truncated"
    assert ENVIRONMENT not in record.roles


def test_a_tool_is_any_wrapper_that_continues_a_message(chat):
    record, prompts = play(
        chat, lambda: UpperTool(make_chat_env()), "units: abc UPPER?", f"so {RIGHT}"
    )
    assert prompts[1].endswith("units: abc UPPER?\nUNITS: ABC\n")
    assert record.episode.final.text == f"units: abc UPPER?\nUNITS: ABC\nso {RIGHT}"
    environment = [i for i, r in zip(record.ids, record.roles, strict=True) if r == ENVIRONMENT]
    assert chat.tokenizer.decode(environment) == "\nUNITS: ABC\n"
    assert learnable(record) == [int(role != ENVIRONMENT) for role in record.roles]


def test_a_turn_after_a_chat_that_was_rewritten_is_a_row_of_its_own(chat):
    record, prompts = play(chat, lambda: Forgetful(make_chat_env()), WRONG, RIGHT)
    first, second = record.rows
    assert [chat.tokenizer.decode(row.prompt_ids) for row in record.rows] == prompts
    assert [chat.text(row.ids) for row in record.rows] == [WRONG, RIGHT]
    assert [set(row.turns) for row in (first, second)] == [{1}, {2}]
    assert [index for index, _ in trained_rows([record])] == [0, 0]
    assert learnable(record, first) == [1] * len(first.ids)


class Countdown(gym.Env):
    """Counts down from the seed; each reply is worth its length."""

    observation_space = action_space = gym.spaces.Text(1000)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.left = seed
        return f"{self.left} left", {}

    def step(self, action):
        self.left -= 1
        return f"{self.left} left", float(len(action)), self.left == 0, False, {}


def test_any_text_environment_is_played_one_segment_per_turn(chat):
    record, prompts = play(chat, Countdown, "ab", "abcd", starts=[2])
    assert [prompt.count("left") for prompt in prompts] == [1, 2]
    assert record.rewards == [(2.0, 0.0), (4.0, 0.0)]
    assert set(record.roles) == {ATTEMPT, ENVIRONMENT}
    assert record.episode.problem.id == "Countdown/2"
    assert [m["content"] for m in record.episode.messages] == ["2 left", "ab", "1 left", "abcd"]
    assert (record.episode.reward, record.episode.ending) == (6.0, "terminated")
    assert learnable(record) == [int(turn > 0) for turn in record.turns]


def test_observations_of_another_kind_are_refused(chat):
    class Numbers(Countdown):
        def reset(self, **options):
            return 3, {}

    with pytest.raises(TypeError, match="text or of chat messages"):
        play(chat, Numbers, "x", starts=[1])


REWARDS = []


def keep(rewards, played, groups):
    """An estimator that shows what it was given."""
    REWARDS.append((rewards.copy(), played.copy(), groups.copy()))
    return rewards


def train(untrained, tmp_path, make, starts):
    """Trains a step; returns the rewards, the turns played and the groups that it was given."""
    config = PolicyGradientConfig(
        steps=1, problems_per_step=2, group_size=2, micro_batch=4, max_new_tokens=6,
        scale_roles=False, estimator=f"{__name__}:keep",
    )  # fmt: skip
    trainer = SelfCorrectTrainer(
        untrained, starts, make, config, grpo_config(config, tmp_path, seed=0)
    )
    batches = []
    score = trainer._generate_and_score_completions
    trainer._generate_and_score_completions = lambda inputs: (
        batches.append(score(inputs)) or batches[-1]
    )
    REWARDS.clear()
    trainer.train()
    return *REWARDS.pop(), batches[0], trainer.state.log_history[0]


PROBLEMS = srenv.load_problems("synthetic:linear", "train").take(4)


def test_what_wrappers_add_is_trained(untrained, tmp_path):
    rewards, played, *_, log = train(untrained, tmp_path, lambda: Bonus(make_env()), PROBLEMS)
    assert (rewards[played][:, 0] > 90).all()
    assert (rewards[played][:, 1] <= 0).all()
    assert log["reward_term/wrappers"] == pytest.approx(100 * played.sum(axis=1).mean())


def test_what_wrappers_show_and_cut_is_trained(untrained, tmp_path):
    _, played, _, batch, _ = train(
        untrained, tmp_path, lambda: TimeLimit(Hint(make_env()), 1), PROBLEMS
    )
    assert played.shape[1] == 1
    tokenizer = AutoTokenizer.from_pretrained(untrained)
    assert all(HINT in tokenizer.decode(ids) for ids in batch["prompt_ids"])


def test_any_text_environment_is_trained(untrained, tmp_path):
    rewards, played, groups, batch, log = train(untrained, tmp_path, Countdown, [1, 2])
    assert sorted(played.sum(axis=1)) == [1, 1, 2, 2]
    assert len(np.unique(groups)) == 2
    assert (rewards[..., 1] == 0).all()
    assert set(batch["advantages"][batch["tool_mask"].bool()].tolist()) <= set(rewards[..., 0].flat)
    assert log["reward_term/reward"] == pytest.approx(rewards.sum() / 4)
