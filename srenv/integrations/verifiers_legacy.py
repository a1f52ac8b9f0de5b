"""verifiers before 0.4 (its first API): ``vf-eval srenv-verifiers`` and `vf.load_environment`.

Every reply of the model is a turn of a `Conversation`; the reward is the sum over the episode.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from functools import partial
from typing import Any, Literal

import verifiers as vf
from datasets import Dataset

from srenv.conversation import Conversation, Rules
from srenv.envs.env import make_protocol
from srenv.episode import Problem
from srenv.integrations.scores import episode_metrics, term_totals
from srenv.problems import load_problems
from srenv.protocol import Protocol
from srenv.records import make_record
from srenv.rewards import make_reward


class SelfCorrectEnv(vf.MultiTurnEnv):  # type: ignore[misc]
    """Plays episodes: the rules answer the model's turns.

    Args:
        rules: Protocol, number of attempts, and reward.
        **options: Those of `vf.MultiTurnEnv`.
    """

    def __init__(self, rules: Rules, **options: Any) -> None:
        super().__init__(rubric=make_rubric(rules), **options)
        self.rules = rules

    async def setup_state(self, state: vf.State) -> vf.State:
        """Starts the conversation that the rollout plays."""
        problem = make_record(Problem, state["info"]["problem"])
        state["conversation"] = Conversation(problem, self.rules)
        return state

    async def env_response(self, messages: vf.Messages, state: vf.State, **_: Any) -> vf.Messages:
        """Plays the newest reply; returns the request for another attempt, if there is one."""
        conversation: Conversation = state["conversation"]
        await asyncio.to_thread(conversation.step, messages[-1].content or "")
        state["episode"] = conversation.episode.to_json()  # for --state-columns episode
        if conversation.ended:
            state["final_env_response"] = []  # ends the rollout
            return []
        return [vf.UserMessage(content=conversation.episode.messages[-1]["content"])]


def make_rubric(rules: Rules) -> vf.Rubric:
    """Returns the scores of a rollout: each reward term with its weight, and the metrics."""
    names = list(rules.reward.weights)
    terms = [_named(name, partial(_term, name)) for name in names]
    rubric = vf.Rubric(funcs=terms, weights=[1.0] * len(terms))
    for name in ("correct_first", "correct_final", "declared", "turns", "graded"):
        rubric.add_metric(_named(name, partial(_metric, name)))
    return rubric


def make_dataset(problems: list[Problem], protocol: Protocol) -> Dataset:
    """Returns problems as verifiers' rows: the opening messages, and the problem as ``info``."""
    rows = [
        {
            "prompt": protocol.opening(problem),
            "answer": problem.answer,
            "info": json.dumps({"problem": dataclasses.asdict(problem)}),
        }
        for problem in problems
    ]
    return Dataset.from_list(rows)


def load_environment(
    problems: str = "synthetic:linear",
    split: Literal["train", "eval"] = "eval",
    n: int = 1000,
    seed: int = 0,
    max_attempts: int = 4,
    reward: str = "default",
    protocol: str = "default",
    **options: Any,
) -> SelfCorrectEnv:
    """Returns the environment on `n` problems, or all if the source has fewer.

    Args:
        problems: Where problems come from (see `srenv.load_problems`).
        split: Split of the source.
        n: Number of problems.
        seed: Chooses them.
        max_attempts: Attempts per problem.
        reward: Reward preset, or "term=weight,...".
        protocol: Turn format by name, or "module:attribute".
        **options: Those of `vf.MultiTurnEnv`.
    """
    source = load_problems(problems, split)
    rules = Rules(make_protocol(protocol), max_attempts, make_reward(reward))
    chosen = source.take(min(n, source.size or n), seed)
    return SelfCorrectEnv(rules, dataset=make_dataset(chosen, rules.protocol), **options)


def _named(name: str, function: Any) -> Any:
    """Returns a function under the name that verifiers logs it by."""

    async def score(state: vf.State) -> float:
        return float(function(state["conversation"]))

    score.__name__ = name
    return score


def _term(name: str, conversation: Conversation) -> float:
    return term_totals(conversation)[name]


def _metric(name: str, conversation: Conversation) -> float:
    return episode_metrics(conversation)[name]
