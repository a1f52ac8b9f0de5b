"""TRL's own trainer: what its batches are made of, against the episodes that were played."""

import gymnasium as gym
import pytest
import torch

import srenv
from agents.integrations.trl import episode_reward, prompts_for
from agents.rollouts.environments import environment_factory
from agents.training.judged_rewards import JudgedTerm
from srenv.wrappers import ChatObservation
from tests.support.trl import GROUP, make_trainer, train

PROBLEMS = srenv.load_problems("synthetic:linear", "train").take(4)


class LengthReward(gym.RewardWrapper):
    """Rewards that differ from episode to episode even if nothing is solved."""

    def step(self, action):
        observation, _, *rest = self.env.step(action)
        return observation, float(len(action)), *rest


def make_env():
    return LengthReward(environment_factory(2, protocol="intrinsic")())


def test_batches_hold_the_episodes_token_by_token(untrained, tmp_path):
    records, batch = train(make_trainer(untrained, tmp_path, PROBLEMS, make_env))
    assert len(records) == 2 * GROUP
    for row, record in enumerate(records):
        own = batch["completion_mask"][row].bool()
        prompt = batch["prompt_ids"][row][batch["prompt_mask"][row].bool()]
        assert prompt.tolist() == record.prompt_ids
        assert batch["completion_ids"][row][own].tolist() == record.ids
        mask = batch["tool_mask"][row][own].tolist()
        assert mask == [int(turn > 0) for turn in record.turns]
        assert 0 in mask
        assert len(record.episode.turns) == 2
        logprobs = batch["sampling_per_token_logps"][row][own]
        assert torch.allclose(logprobs, torch.tensor(record.logprobs))


def test_an_episode_has_one_advantage_from_its_whole_reward(untrained, tmp_path):
    records, batch = train(make_trainer(untrained, tmp_path, PROBLEMS, make_env))
    totals = [sum(len(turn.text) for turn in record.episode.turns) for record in records]
    rewards = torch.tensor(totals, dtype=torch.float).view(-1, GROUP)
    assert (rewards.std(1) > 0).all()
    expected = (rewards - rewards.mean(1, keepdim=True)) / (rewards.std(1, keepdim=True) + 1e-4)
    assert batch["advantages"].shape == (2 * GROUP,)
    assert torch.allclose(batch["advantages"], expected.flatten(), atol=1e-4)


def test_the_episodes_of_a_group_are_about_one_problem(untrained, tmp_path):
    records, _ = train(make_trainer(untrained, tmp_path, PROBLEMS, make_env))
    ids = [record.episode.problem.id for record in records]
    assert ids[:GROUP] == ids[:1] * GROUP
    assert ids[GROUP:] == ids[GROUP : GROUP + 1] * GROUP
    assert ids[0] != ids[-1]


class Fragile(gym.Env):
    """A text environment that breaks in every other episode, and rewards the others."""

    observation_space = action_space = gym.spaces.Text(1000)
    made = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        Fragile.made += 1
        self.breaks = Fragile.made % 2 == 0
        return f"Say {seed}.", {}

    def step(self, action):
        if self.breaks:
            raise RuntimeError("broken")
        return "", float(len(action)), True, False, {}


def test_a_failed_episode_is_left_out(untrained, tmp_path):
    records, batch = train(make_trainer(untrained, tmp_path, range(100, 104), Fragile))
    failed = torch.tensor([bool(record.error) for record in records])
    assert failed.sum() == GROUP
    assert (batch["advantages"][failed] == 0).all()
    assert (batch["completion_mask"] * batch["tool_mask"])[failed].sum() == 0
    rewards = torch.tensor([sum(map(sum, record.rewards)) for record in records])
    alive = rewards[~failed].view(2, GROUP // 2)
    expected = (alive - alive.mean(1, keepdim=True)).sign().flatten()
    assert torch.equal(batch["advantages"][~failed].sign(), expected)


JUDGED = JudgedTerm(
    name="judged",
    segment="attempt",
    rule=lambda turns: 0.0,
    judge=lambda engine, episodes, limit: [float(len(e.final.text)) for e in episodes],
)


def test_terms_that_a_model_computes_are_part_of_the_reward(untrained, tmp_path):
    make_judged_env = environment_factory(1, reward=f"{__name__}:JUDGED=2")
    records, _ = train(make_trainer(untrained, tmp_path, PROBLEMS, make_judged_env))
    for record in records:
        assert episode_reward([record]) == [2 * len(record.episode.final.text)]


def test_prompts_name_the_start(untrained):
    assert prompts_for([7, 9])["prompt"] == ["0: 7", "1: 9"]
    assert prompts_for(PROBLEMS)[1]["prompt"] == f"1: {PROBLEMS[1].prompt}"


class Forgetful(gym.ObservationWrapper):
    """Shows the last message alone."""

    def observation(self, observation):
        return observation[-1:]


def make_forgetful_env():
    return Forgetful(ChatObservation(gym.make("srenv:SelfCorrectMath-v0", max_attempts=2)))


def test_an_environment_that_rewrites_what_was_read_is_refused(untrained, tmp_path):
    trainer = make_trainer(untrained, tmp_path, PROBLEMS, make_forgetful_env)
    with pytest.raises(ValueError, match="TRL takes one row"):
        trainer.train()


@pytest.mark.parametrize("option", [{"top_p": 0.9}, {"generation_kwargs": {"typical_p": 0.5}}])
def test_sampling_from_a_part_of_the_distribution_is_refused(untrained, tmp_path, option):
    trainer = make_trainer(untrained, tmp_path, PROBLEMS, make_env, **option)
    with pytest.raises(ValueError, match=next(iter(option))):
        trainer.train()


def test_the_chat_template_gets_the_options_of_the_trainer(untrained, tmp_path):
    trainer = make_trainer(
        untrained, tmp_path, PROBLEMS, make_env, chat_template_kwargs={"enable_thinking": False}
    )
    tokenizer = trainer.processing_class
    tokenizer.chat_template = "{% if enable_thinking is false %}7 7{% endif %}" + (
        tokenizer.chat_template
    )
    records, _ = train(trainer)
    start = tokenizer("7 7", add_special_tokens=False)["input_ids"]
    assert all(record.prompt_ids[: len(start)] == start for record in records)
