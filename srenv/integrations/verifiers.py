"""verifiers (API v1): a taskset of problems, and the environment that plays them.

    vf-eval srenv-verifiers -n 20 --env.taskset.problems synthetic:linear -m NAME \
        --client.base-url http://localhost:8000/v1

The rules are played in the process of the evaluation: every reply of the model is a turn of a
`Conversation`. A trace gets each reward term as one number, the sum over its turns, and the
episode as ``info["episode"]``.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any, Literal

import verifiers.v1 as vf

from srenv.conversation import Conversation, Rules
from srenv.envs.env import make_protocol
from srenv.episode import Problem
from srenv.integrations.scores import episode_metrics, term_totals
from srenv.problems import load_problems
from srenv.records import make_record
from srenv.rewards import make_reward


class SelfCorrectConfig(vf.TasksetConfig):  # type: ignore[misc]
    """Options of the taskset, ``--env.taskset.NAME`` on the command line."""

    problems: str = "synthetic:linear"
    """Source of the problems (see `srenv.load_problems`)."""
    split: Literal["train", "eval"] = "eval"
    """Split of the source."""
    max_attempts: int = 4
    """Attempts per problem."""
    reward: str = "default"
    """Reward preset, or "term=weight,..."."""
    protocol: str = "default"
    """Turn format by name, or "module:attribute"."""

    def rules(self) -> Rules:
        """Returns the rules that the options describe.

        Raises:
            ValueError: An option is wrong.
        """
        return Rules(make_protocol(self.protocol), self.max_attempts, make_reward(self.reward))


class SelfCorrectData(vf.TaskData):  # type: ignore[misc]
    """A problem as verifiers' wire data; the model reads its prompt alone."""

    problem: dict[str, Any]
    """The fields of a `Problem`."""


class SelfCorrectTask(vf.Task[SelfCorrectData]):  # type: ignore[misc]
    """A problem to solve; the environment scores it."""


class SelfCorrectTaskset(vf.Taskset[SelfCorrectTask, SelfCorrectConfig]):  # type: ignore[misc]
    """The problems of a source in their order; endless if the source is."""

    def __init__(self, config: SelfCorrectConfig) -> None:
        super().__init__(config)
        self.source, self.rules = load_problems(config.problems, config.split), config.rules()
        self.INFINITE = self.source.size is None

    def load(self) -> Iterator[SelfCorrectTask]:
        """Yields the tasks, each opened by what the protocol says."""
        size, protocol = self.source.size, self.rules.protocol
        for index in itertools.count() if size is None else range(size):
            problem = self.source.problem(index)
            data = SelfCorrectData(
                id=problem.id,
                name=problem.id,
                prompt=protocol.opening(problem)[-1]["content"],
                system_prompt=protocol.system or None,
                problem=dataclasses.asdict(problem),
            )
            yield SelfCorrectTask(data, self.config.task)


class SelfCorrectEnvConfig(vf.EnvConfig):  # type: ignore[misc]
    """Options of the environment."""

    player: vf.AgentConfig = vf.AgentConfig(harness={"id": "null"}, runtime=vf.SubprocessConfig())
    """The model that solves: a chat without tools, in a process of this machine."""


class SelfCorrectEnv(vf.Env[SelfCorrectEnvConfig]):  # type: ignore[misc]
    """Plays an episode: the rules are the user of the model's chat."""

    async def run(self, task: SelfCorrectTask, agents: vf.Agents) -> None:
        """Plays a task to its end and scores its trace.

        Args:
            task: The task.
            agents: The agents of the run, of which `player` solves.
        """
        problem = make_record(Problem, task.data.problem)
        conversation = Conversation(problem, self.taskset.rules)
        async with agents.player.interaction(task) as interaction:
            segment = await interaction.turn()
            while not segment.terminated:
                await asyncio.to_thread(conversation.step, segment.last_reply)
                if conversation.ended:
                    break
                request = conversation.episode.messages[-1]["content"]
                segment = await interaction.turn(request)
            score(interaction.trace, conversation)


def score(trace: vf.Trace, conversation: Conversation) -> None:
    """Writes an episode and its scores into a trace."""
    for name, value in term_totals(conversation).items():
        trace.record_reward(name, value)
    trace.record_metrics(episode_metrics(conversation))
    trace.info["episode"] = conversation.episode.to_json()
