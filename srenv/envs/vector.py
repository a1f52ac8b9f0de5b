"""Many conversations at once: one Python loop, one call to the verifier, arrays at the end."""

from __future__ import annotations

import copy
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from srenv.conversation import Conversation
from srenv.envs.env import MAX_OBSERVATION_CHARS, SelfCorrectEnv, SelfCorrectMathEnv
from srenv.envs.vector_infos import Rows
from srenv.envs.vector_options import read_group_size, read_mask, read_problems, read_seeds
from srenv.episode import Episode, Problem
from srenv.problems import grade_batch

BoolArray = NDArray[np.bool_]
Observations = tuple[str, ...]
Step = tuple[Observations, NDArray[np.float64], BoolArray, BoolArray, dict[str, Any]]


class SelfCorrectMathVectorEnv(VectorEnv[Observations, Sequence[str], NDArray[Any]]):
    r"""`SelfCorrectMath-v0` in batches, value for value what `SyncVectorEnv` returns.

    `gym.make_vec("srenv:SelfCorrectMath-v0", num_envs=64)` makes one. All answers of a step are
    checked in one call (`srenv.problems.grade_batch`), and the arrays of `info` are built once.

    ## Autoreset
    ``autoreset_mode`` is one of Gymnasium's three. ``SAME_STEP`` fits language models best:
    under ``NEXT_STEP`` the turn after the end of an episode is generated and thrown away.

    ## Reset options
    As for one environment, `problem` and `problem_id`, where a list gives one per environment
    (None lets that one draw). `group_size=k` gives each k neighbours the same problem: lists then
    hold one entry per group, and without a list the first of a group draws for all.
    `reset_mask`, a bool array of shape (num_envs,), resets some environments alone.

    ## Slow conversations
    `step_subset` plays the environments whose turns are ready and leaves the others as they are.

    Args:
        num_envs: Number of environments.
        autoreset_mode: A member of `gymnasium.vector.AutoresetMode`, or its value.
        max_episode_steps: Truncates every episode after so many turns; None and -1 never do.
        disable_env_checker: Accepted because training scripts pass it; changes nothing.
        kwargs: The arguments of the environment (`srenv.envs.env.SelfCorrectMathEnv`).

    Attributes:
        envs: The environments. They share source, protocol, reward and spaces.

    Example:
        >>> import gymnasium as gym
        >>> envs = gym.make_vec("srenv:SelfCorrectMath-v0", 4, autoreset_mode="SameStep")
        >>> _, info = envs.reset(seed=0, options={"group_size": 2})
        >>> info["problem_id"][0] == info["problem_id"][1] != info["problem_id"][2]
        True
        >>> _, rewards, *_ = envs.unwrapped.step_subset([3], ["\\boxed{1}\n[VERIFY] wrong"])
        >>> rewards.shape
        (1,)
    """

    metadata: dict[str, Any] = {
        **SelfCorrectEnv.metadata,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        *,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
        disable_env_checker: bool | None = None,
        **kwargs: Any,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, got {num_envs}")
        if max_episode_steps is not None and max_episode_steps < 1 and max_episode_steps != -1:
            raise ValueError(f"max_episode_steps must be positive, got {max_episode_steps}")
        self.num_envs = num_envs
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**type(self).metadata, "autoreset_mode": self.autoreset_mode}
        self._limit = None if max_episode_steps == -1 else max_episode_steps
        first = SelfCorrectMathEnv(**kwargs)
        # A bare environment holds nothing of its own before its first reset.
        self.envs: list[SelfCorrectEnv] = [copy.copy(first) for _ in range(num_envs)]
        self.render_mode = first.render_mode
        self.single_observation_space = first.observation_space
        self.single_action_space = first.action_space
        self.observation_space = batch_space(first.observation_space, num_envs)
        self.action_space = batch_space(first.action_space, num_envs)
        self._ended: dict[int, Conversation] = {}
        self._observations = [""] * num_envs
        self._over = [False] * num_envs

    # --- reset and step ----------------------------------------------------------------------

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> tuple[Observations, dict[str, Any]]:
        """Starts episodes in all environments, or in those that `reset_mask` names.

        Args:
            seed: An int seeds environment i with ``seed + i``; a sequence gives one each.
            options: See the class.

        Returns:
            The observations of all environments, and infos of those that were reset.

        Raises:
            ValueError: Seeds, mask or lists of the wrong length, or an unknown option.
            TypeError: A mask that is no array of bool.
            KeyError: The source has no problem of a given id.
        """
        options, count = dict(options or {}), self.num_envs
        chosen = read_mask(options.pop("reset_mask", None), count)
        seeds = read_seeds(seed, count)
        size = read_group_size(options.pop("group_size", 1), count)
        given = read_problems(options, self.envs, size)
        drawn: dict[int, Problem] = {}
        rows = Rows(self.num_envs)
        for place in chosen:
            env = self.envs[place]
            if seeds[place] is not None:
                gym.Env.reset(env, seed=seeds[place])
            index, group = env.draw(), place // size
            problem = given[place] or drawn.get(group)
            if problem is None:
                problem = drawn[group] = env.source.problem(index)
            self._begin(place, problem, rows, place)
        self._ended = {}
        return tuple(self._observations), rows.infos()

    def step(self, actions: Sequence[str]) -> Step:
        """Plays one turn in every environment.

        Returns:
            Observations, rewards (float64), terminations and truncations (bool), each of length
            num_envs, and infos.

        Raises:
            InvalidAction: A bare string, anything but strings, or the wrong number of them.
            ResetNeeded: Before the first reset, or after an end under ``DISABLED``.
        """
        return self._play(range(self.num_envs), actions)

    def step_subset(self, indices: Sequence[int], actions: Sequence[str]) -> Step:
        """Plays one turn in some environments; the others stay as they are.

        Args:
            indices: Which environments, without repetition.
            actions: One turn for each of them.

        Returns:
            As `step`, but every array has one entry per index, in the order of `indices`.

        Raises:
            IndexError: There is no such environment.
            ValueError: An index is repeated, or there is none.
            InvalidAction: As `step`.
            ResetNeeded: As `step`.
        """
        places = [operator.index(index) for index in indices]
        if not places:
            raise ValueError("step_subset needs at least one environment")
        if any(not 0 <= place < self.num_envs for place in places):
            raise IndexError(f"indices must be from 0 to {self.num_envs - 1}, got {places}")
        if len(set(places)) < len(places):
            raise ValueError(f"an environment can play one turn a step, got indices {places}")
        return self._play(places, actions)

    def _play(self, places: Sequence[int], actions: Iterable[str]) -> Step:
        texts = _texts(actions, len(places))
        playing, conversations = self._ready(places)
        # Nothing has changed up to here, and nothing does before all answers are judged.
        parsed = [c.read(texts[slot]) for c, slot in zip(conversations, playing, strict=True)]
        problems = [conversation.problem for conversation in conversations]
        grades = grade_batch(problems, [turn.answer for turn in parsed])
        count = len(places)
        rewards, terminated, truncated = [0.0] * count, [False] * count, [False] * count
        rows = Rows(count)
        observations, limit = self._observations, self._limit
        self._ended = {}
        for slot, conversation, turn, grade in zip(
            playing, conversations, parsed, grades, strict=True
        ):
            place = places[slot]
            outcome = conversation.settle(texts[slot], turn, grade)
            ending, capped = outcome.ending, outcome.turn == limit
            rewards[slot] = outcome.reward
            rows.ids[slot] = conversation.problem.id
            rows.answers[slot] = turn.answer or ""
            rows.reports[slot] = outcome.report
            observations[place] = conversation.transcript[-MAX_OBSERVATION_CHARS:]
            if ending != "running" or capped:
                terminated[slot] = ending not in ("running", "exhausted")
                truncated[slot] = ending == "exhausted" or capped
                self._over[place] = True
                self._ended[place] = conversation
        if self.render_mode == "human":
            for slot in playing:
                self.envs[places[slot]].show()
        infos = self._renewed(places, rows)
        return (
            tuple([observations[place] for place in places]),
            np.array(rewards),
            np.array(terminated),
            np.array(truncated),
            infos,
        )

    def _ready(self, places: Sequence[int]) -> tuple[list[int], list[Conversation]]:
        """Which of the places play a turn, and their conversations; the others begin anew."""
        playing = [slot for slot, place in enumerate(places) if not self._over[place]]
        if len(playing) < len(places) and self.autoreset_mode is not AutoresetMode.NEXT_STEP:
            raise ResetNeeded(
                f"the episodes of environments {[p for p in places if self._over[p]]} are over: "
                "call reset(options={'reset_mask': mask}) before the next step"
            )
        return playing, [self.envs[places[slot]].running() for slot in playing]

    def _renewed(self, places: Sequence[int], rows: Rows) -> dict[str, Any]:
        """Starts the episodes that the autoreset mode wants started, and lays out the infos."""
        if self.autoreset_mode is not AutoresetMode.SAME_STEP:
            for slot, report in enumerate(rows.reports):
                if report is None:  # NEXT_STEP: its episode ended one step ago
                    self._renew(places[slot], rows, slot)
            return rows.infos()
        over = [slot for slot, place in enumerate(places) if place in self._ended]
        if not over:
            return rows.infos()
        mask = np.zeros(len(places), np.bool_)
        mask[over] = True
        final_obs = np.full(len(places), None, object)
        finals = Rows(len(places))
        for slot in over:
            final_obs[slot] = self._observations[places[slot]]
            finals.copy(rows, slot)
            self._renew(places[slot], rows, slot)
        return rows.infos() | {
            "final_obs": final_obs,
            "_final_obs": mask,
            "final_info": finals.infos(),
            "_final_info": mask.copy(),
        }

    def _renew(self, place: int, rows: Rows, slot: int) -> None:
        """Starts the next episode of one environment."""
        env = self.envs[place]
        self._begin(place, env.source.problem(env.draw()), rows, slot)

    def _begin(self, place: int, problem: Problem, rows: Rows, slot: int) -> None:
        conversation = self.envs[place].begin(problem)
        self._observations[place] = conversation.transcript[-MAX_OBSERVATION_CHARS:]
        self._over[place] = False
        rows.ids[slot], rows.answers[slot] = problem.id, ""
        rows.reports[slot] = conversation.outcome.report

    @property
    def ended(self) -> dict[int, Episode]:
        """The episodes that ended in the newest step, by environment, autoreset or not."""
        return {place: conversation.episode for place, conversation in self._ended.items()}

    # --- attributes of the environments --------------------------------------------------------

    @property  # type: ignore[misc]  # as in Gymnasium's own vector environments
    def np_random(self) -> Any:
        """The generators of the environments."""
        return self.get_attr("np_random")

    @property
    def np_random_seed(self) -> Any:
        """The seeds of the environments."""
        return self.get_attr("np_random_seed")

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Calls a method of every environment, or reads an attribute."""
        found = [getattr(env, name) for env in self.envs]
        return tuple(value(*args, **kwargs) if callable(value) else value for value in found)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Reads an attribute of every environment."""
        return self.call(name)

    def set_attr(self, name: str, values: Any) -> None:
        """Sets an attribute of every environment: a list or tuple gives one value each.

        `max_attempts`, `source`, `reward` and `protocol` count from the next reset on.

        Raises:
            ValueError: The list has the wrong length.
        """
        if not isinstance(values, (list, tuple)):
            values = [values] * self.num_envs
        if len(values) != self.num_envs:
            raise ValueError(f"{self.num_envs} environments need as many values, got {len(values)}")
        for env, value in zip(self.envs, values, strict=True):
            setattr(env, name, value)

    def render(self) -> tuple[Any, ...]:
        """Returns the frame of every environment."""
        return tuple(env.render() for env in self.envs)

    def close_extras(self, **kwargs: Any) -> None:
        """Closes the environments."""
        for env in self.envs:
            env.close()


def _texts(actions: Iterable[str], count: int) -> list[str]:
    """The actions as a list of as many strings as are needed."""
    if isinstance(actions, str):
        raise InvalidAction(
            f"actions must be a sequence of {count} turns, got one bare str, "
            "whose characters would be taken for turns"
        )
    texts = list(actions)
    if len(texts) != count:
        raise InvalidAction(f"{count} environments need as many turns, got {len(texts)}")
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise InvalidAction(f"a turn is a str, got {type(text).__name__} at {place}")
    return texts
