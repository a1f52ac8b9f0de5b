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
from srenv.envs.env import SelfCorrectEnv, SelfCorrectMathEnv, observe
from srenv.envs.info import Info, info_of, stack_infos
from srenv.episode import Episode, Problem
from srenv.problems import grade_batch

BoolArray = NDArray[np.bool_]
Observations = tuple[str, ...]
Step = tuple[Observations, NDArray[np.float64], BoolArray, BoolArray, dict[str, Any]]


class SelfCorrectMathVectorEnv(VectorEnv[Observations, Sequence[str], NDArray[Any]]):
    r"""`SelfCorrectMath-v0` in batches, value for value what `SyncVectorEnv` returns.

    `gym.make_vec("srenv:SelfCorrectMath-v0", num_envs=64)` makes one. All answers of a step are
    graded in one call (`srenv.problems.grade_batch`), and the arrays of `info` are built once.

    ## Autoreset
    ``autoreset_mode`` is one of Gymnasium's three. ``SAME_STEP`` fits language models best:
    under ``NEXT_STEP`` the turn after the end of an episode is generated and thrown away.

    ## Reset options
    As for one environment, `problem` and `problem_id`; a list has one entry per environment (None
    lets that one draw). `group_size=k` gives every k neighbors the same problem: lists then have
    one entry per group, and without a list the first of a group draws for all. `reset_mask`, a
    bool array of shape (num_envs,), limits the reset to some environments.

    ## Slow conversations
    `step_subset` plays the environments whose turns are ready and leaves the others as they are.

    Args:
        num_envs: Number of environments.
        autoreset_mode: A member of `gymnasium.vector.AutoresetMode`, or its value.
        max_episode_steps: Turns after which every episode is truncated; None and -1 set no limit.
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
        places = _read_mask(options.pop("reset_mask", None), count)
        seeds = _read_seeds(seed, count)
        size = _read_group_size(options.pop("group_size", 1), count)
        named = _read_problems(options, self.envs, size)
        infos: list[Info | None] = [None] * count
        shared: dict[int, Problem] = {}
        for place in places:
            if seeds[place] is not None:
                gym.Env.reset(self.envs[place], seed=seeds[place])
            problem = named[place] or shared.get(place // size)
            infos[place] = self._start(place, problem)
            shared.setdefault(place // size, self.envs[place].conversation.problem)
        self._ended = {}
        return tuple(self._observations), stack_infos(infos)

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
        slots = self._playing(places)
        conversations = [self.envs[places[slot]].conversation for slot in slots]
        # Nothing has changed up to here, and nothing does before all answers are graded.
        parsed = [c.read(texts[slot]) for c, slot in zip(conversations, slots, strict=True)]
        problems = [conversation.problem for conversation in conversations]
        grades = grade_batch(problems, [turn.answer for turn in parsed])
        count = len(places)
        rewards, terminated, truncated = [0.0] * count, [False] * count, [False] * count
        infos: list[Info | None] = [None] * count
        self._ended = {}
        for slot, conversation, turn, grade in zip(
            slots, conversations, parsed, grades, strict=True
        ):
            place = places[slot]
            rewards[slot] = conversation.settle(texts[slot], turn, grade).reward
            infos[slot] = info_of(conversation)
            self._observations[place] = observe(conversation)
            if self.render_mode == "human":
                self.envs[place].show()
            ending = conversation.episode.ending
            capped = len(conversation.episode.turns) == self._limit
            terminated[slot] = ending not in ("running", "exhausted")
            truncated[slot] = ending == "exhausted" or capped
            if ending == "running" and capped:
                conversation.episode.ending = "truncated"
            if ending != "running" or capped:
                self._over[place] = True
                self._ended[place] = conversation
        stacked = self._autoreset(places, infos)
        observations = tuple([self._observations[place] for place in places])
        flags = np.array(terminated), np.array(truncated)
        return observations, np.array(rewards), *flags, stacked

    def _playing(self, places: Sequence[int]) -> list[int]:
        """Returns the slots of `places` that play a turn; the others start an episode instead."""
        slots = [slot for slot, place in enumerate(places) if not self._over[place]]
        if len(slots) < len(places) and self.autoreset_mode is not AutoresetMode.NEXT_STEP:
            raise ResetNeeded(
                f"the episodes of environments {[p for p in places if self._over[p]]} are over: "
                "call reset(options={'reset_mask': mask}) before the next step"
            )
        return slots

    def _autoreset(self, places: Sequence[int], infos: list[Info | None]) -> dict[str, Any]:
        """Starts the episodes that the autoreset mode wants started, and stacks the infos."""
        if self.autoreset_mode is not AutoresetMode.SAME_STEP:
            for slot, place in enumerate(places):
                if infos[slot] is None:  # NEXT_STEP: its episode ended one step ago
                    infos[slot] = self._start(place)
            return stack_infos(infos)
        over = [slot for slot, place in enumerate(places) if place in self._ended]
        if not over:
            return stack_infos(infos)
        mask = np.zeros(len(places), np.bool_)
        mask[over] = True
        final_obs = np.full(len(places), None, object)
        final_infos: list[Info | None] = [None] * len(places)
        for slot in over:
            final_obs[slot] = self._observations[places[slot]]
            final_infos[slot], infos[slot] = infos[slot], self._start(places[slot])
        return stack_infos(infos) | {
            "final_obs": final_obs,
            "_final_obs": mask,
            "final_info": stack_infos(final_infos),
            "_final_info": mask.copy(),
        }

    def _start(self, place: int, problem: Problem | None = None) -> Info:
        """Starts an episode in one environment."""
        conversation = self.envs[place].start(problem)
        self._observations[place] = observe(conversation)
        self._over[place] = False
        return info_of(conversation)

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
        values = [getattr(env, name) for env in self.envs]
        return tuple(value(*args, **kwargs) if callable(value) else value for value in values)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Reads an attribute of every environment."""
        return self.call(name)

    def set_attr(self, name: str, values: Any) -> None:
        """Sets an attribute of every environment: a list or tuple gives one value each.

        `max_attempts`, `source`, `reward`, `protocol` and `max_turn_chars` count from the next
        reset on.

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


def _read_mask(mask: Any, count: int) -> list[int]:
    """Which of `count` environments are reset: those of a bool array, or all."""
    if mask is None:
        return list(range(count))
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        kind = mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__
        raise TypeError(f"reset_mask must be a numpy array of bool, got {kind}")
    if mask.shape != (count,) or not mask.any():
        raise ValueError(
            f"reset_mask must have shape ({count},) and at least one True, got {mask.tolist()}"
        )
    return [int(place) for place in np.flatnonzero(mask)]


def _read_seeds(seed: int | Sequence[int | None] | None, count: int) -> Sequence[int | None]:
    """One seed per environment, or None if it keeps the generator it has."""
    if seed is None:
        return [None] * count
    if isinstance(seed, int):
        return [seed + place for place in range(count)]
    if len(seed) != count:
        raise ValueError(f"{count} environments need as many seeds, got {len(seed)}")
    return seed


def _read_group_size(size: Any, count: int) -> int:
    """How many neighbours share a problem."""
    neighbours = operator.index(size)
    if neighbours < 1 or count % neighbours:
        raise ValueError(f"group_size must divide {count} environments, got {neighbours}")
    return neighbours


def _read_problems(
    options: Mapping[str, Any], envs: Sequence[SelfCorrectEnv], size: int
) -> list[Problem | None]:
    """The problem that the options name for each environment; one per group of `size`."""
    lists = {name: o for name, o in options.items() if isinstance(o, (list, tuple))}
    groups = len(envs) // size
    for name, values in lists.items():
        if len(values) != groups:
            raise ValueError(
                f"option {name!r} needs {groups} entries, one per "
                f"{'group' if size > 1 else 'environment'}, got {len(values)}"
            )
    problems: list[Problem | None] = []
    for group in range(groups):
        own = {name: o[group] if name in lists else o for name, o in options.items()}
        named = {name: o for name, o in own.items() if o is not None}
        problems += [envs[group * size].named_problem(named)] * size
    return problems
