"""Plays episodes: an engine on one side, Gymnasium environments on the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import gymnasium as gym

from agents.chat import ENVIRONMENT, ChatFormat
from agents.engines import Engine, Generation, Sampling
from srenv.env import SelfCorrectEnv
from srenv.episode import Episode, Problem, Turn

EnvFactory = Callable[[], "gym.Env[str, str]"]


@dataclass(slots=True)
class Rollout:
    """An episode with the tokens it was played in.

    The concatenation of `prompt_ids` and `ids` is exactly what the engine read and wrote.

    Attributes:
        episode: What happened.
        prompt_ids: Ids of the opening messages.
        ids: Ids after the opening: sampled turns and, between them, environment messages.
        logprobs: Log-probability of each of `ids` when it was sampled; 0 for the environment's.
        turns: 1-based turn that each of `ids` belongs to; 0 for the environment's.
        roles: ATTEMPT, VERDICT or ENVIRONMENT (see `agents.chat`) for each of `ids`.
    """

    episode: Episode
    prompt_ids: list[int]
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    roles: list[int] = field(default_factory=list)

    @property
    def context(self) -> list[int]:
        """Everything the engine reads before the next turn."""
        return self.prompt_ids + self.ids

    def append(
        self, ids: Sequence[int], logprobs: Sequence[float], turn: int, roles: Sequence[int]
    ) -> None:
        """Adds ids to the record."""
        self.ids += ids
        self.logprobs += logprobs
        self.turns += [turn] * len(ids)
        self.roles += roles


def rollout(
    make_env: EnvFactory,
    engine: Engine,
    problems: Sequence[Problem],
    sampling: Sampling,
    on_finish: Callable[[Rollout], None] | None = None,
) -> list[Rollout]:
    """Plays one episode per problem, all side by side, and returns them in order.

    Args:
        make_env: Makes an environment whose unwrapped class is a `SelfCorrectEnv`.
        engine: Generates the turns.
        problems: One per episode; repeat a problem for a group.
        sampling: How turns are drawn.
        on_finish: Called with every episode as it ends, for progress bars.
    """
    envs = [make_env() for _ in problems]
    rollouts: list[Rollout] = []
    for env, problem in zip(envs, problems, strict=True):
        env.reset(options={"problem": problem})
        episode = _core(env).episode
        rollouts.append(Rollout(episode, engine.chat.opening(episode.messages)))
    live = list(range(len(problems)))
    while live:
        generations = engine.generate([rollouts[i].context for i in live], sampling)
        for index, generation in zip(live, generations, strict=True):
            _play(envs[index], rollouts[index], generation, engine.chat)
        for index in live:
            if rollouts[index].episode.ending != "running":
                envs[index].close()
                if on_finish:
                    on_finish(rollouts[index])
        live = [index for index in live if rollouts[index].episode.ending == "running"]
    return rollouts


def _play(
    env: gym.Env[str, str], record: Rollout, generation: Generation, chat: ChatFormat
) -> None:
    """Steps the environment with one generated turn and writes its tokens down."""
    episode = record.episode
    env.step(chat.turn_text(generation.ids))
    turn = episode.turns[-1]
    turn.tokens = len(generation.ids)
    turn.verdict_probability = verdict_probability(turn, generation, chat)
    record.append(
        generation.ids,
        generation.logprobs,
        len(episode.turns),
        chat.roles(generation.ids, turn.split),
    )
    if episode.ending == "running":
        closed = bool(generation.ids) and generation.ids[-1] in chat.stop_ids
        tail = chat.follow_up(episode.messages[-1], closed)
        record.append(tail, [0.0] * len(tail), 0, [ENVIRONMENT] * len(tail))


def verdict_probability(turn: Turn, generation: Generation, chat: ChatFormat) -> float | None:
    """Probability of the tokens that spell the verdict's word; None without a verdict."""
    if turn.verdict is None:
        return None
    start = turn.text.rfind(turn.verdict)
    first = max(chat.token_at(generation.ids, start + 1) - 1, 0)
    last = chat.token_at(generation.ids, start + len(turn.verdict))
    return math.exp(min(0.0, sum(generation.logprobs[first:last])))


def _core(env: gym.Env[str, str]) -> SelfCorrectEnv:
    core = env.unwrapped
    if not isinstance(core, SelfCorrectEnv):
        raise TypeError(f"rollouts need a SelfCorrectEnv, got {type(core).__name__}")
    return core
