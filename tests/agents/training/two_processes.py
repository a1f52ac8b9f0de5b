"""Run by `test_distributed.py` in one process or in two: a few steps, then the weights."""

import sys
from pathlib import Path

import gymnasium as gym
import numpy as np

import srenv
from agents.engines import Generation
from agents.engines.backend import Backend, TrainerLink
from agents.models.chat import ChatFormat
from agents.training.policy_gradient import PolicyGradientConfig, SelfCorrectTrainer, grpo_config
from agents.training.sft import Demonstration, SftConfig, fine_tune
from srenv.problems.seeding import hashed_rng

PROBLEMS = srenv.load_problems("synthetic:linear", "train").take(8)


def make_env():
    return gym.make("srenv:SelfCorrectMath-v0", max_attempts=2)


class Fixed:
    """Says what follows from the prompt alone, so that any split of the batch has the episodes."""

    def __init__(self, trainer):
        self.chat = ChatFormat(trainer.processing_class)

    def generate(self, prompts, sampling):
        return [self._say(prompt) for prompt in prompts]

    def _say(self, prompt):
        rng = hashed_rng("say", *prompt)
        text = f"\\boxed{{{rng.randint(0, 99)}}}\n[VERIFY] {rng.choice(('wrong', 'correct'))}"
        ids = [*self.chat.encode(text), self.chat.tokenizer.eos_token_id]
        return Generation(ids, [-0.1] * len(ids))


FIXED = Backend("fixed", load=Fixed, trainer=TrainerLink(Fixed, lambda base_url, memory: {}))


def by_position(rewards, played, groups):
    """Differs by episode, turn and segment: a row on the wrong process would show."""
    return np.sin(np.arange(rewards.size, dtype=float).reshape(rewards.shape) + 1)


def policy(model, output):
    config = PolicyGradientConfig(
        steps=3,
        problems_per_step=2,
        group_size=4,
        micro_batch=2,
        max_new_tokens=10,
        estimator="two_processes:by_position",
        scale_roles=False,
        learning_rate=0.1,
        eval_every=3,
        engine="two_processes:FIXED",
    )
    args = grpo_config(config, output, seed=0)
    args.optim = "sgd"  # Adam magnifies rounding errors
    trainer = SelfCorrectTrainer(model, PROBLEMS, make_env, config, args, held_out=PROBLEMS[:5])
    trainer.train()
    trainer.save_model(str(output / "final"))
    return output / "final"


def imitation(model, output):
    demonstrations = []
    for number, problem in enumerate(PROBLEMS):
        env = gym.make("srenv:SelfCorrectMath-v0", max_attempts=1)
        env.reset(seed=0, options={"problem": problem})
        env.step("so " * number + f"\\boxed{{{problem.answer}}}\n[VERIFY] correct")
        targets = frozenset({(0, "attempt"), (0, "verdict")})
        demonstrations.append(Demonstration(env.unwrapped.episode, targets, "test"))
    config = SftConfig(epochs=2, batch_size=4, learning_rate=1e-3, save_every=100)
    return fine_tune(model, output, demonstrations, config)


if __name__ == "__main__":
    kind, model, output = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    {"policy": policy, "imitation": imitation}[kind](model, output)
