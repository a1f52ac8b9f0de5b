"""One episode as tokens: what the engine read and wrote, and what the environment added."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym

from agents.engines.base import Generation, Request
from agents.models.chat import ChatFormat
from agents.models.roles import ATTEMPT, ENVIRONMENT, VERDICT
from agents.rollouts.chat_view import ChatView
from agents.rollouts.play import Spoken
from srenv.envs.env import SelfCorrectEnv
from srenv.episode import Episode, Problem, Segment, Turn
from srenv.problems.seeding import hashed_seed

EnvFactory = Callable[[], "gym.Env[Any, str]"]
"""Makes an environment with text in and text, or chat messages, out."""

ROUNDING = 1e-9
"""A returned reward that differs less from the sum of its parts is that sum."""


@dataclass(frozen=True, slots=True)
class Row:
    """Tokens that were read and written one after the other, as one row of training.

    Attributes:
        prompt_ids: Ids of the messages that the row begins with.
        ids: Ids after them; see `Rollout` for these and the next.
        logprobs: One for each of `ids`.
        turns: One for each of `ids`.
        roles: One for each of `ids`.
    """

    prompt_ids: list[int]
    ids: list[int]
    logprobs: list[float]
    turns: list[int]
    roles: list[int]


@dataclass(slots=True)
class Rollout:
    """An episode with the tokens it was played in.

    The concatenation of `prompt_ids` and `ids` is exactly what the engine read and wrote. If what
    it had read was rewritten between two turns, these are of the last row, and `earlier` has the
    others. T is the number of turns, those that the environment played at its reset included.

    Attributes:
        episode: What happened. An environment that is not srenv's gets a record of its texts and
            rewards.
        prompt_ids: Ids of the opening messages.
        ids: Ids after the opening: sampled turns and, between them, environment messages.
        logprobs: Log-probability of each of `ids` when it was sampled; 0 for the environment's.
        turns: 1-based turn that each of `ids` belongs to; 0 for the environment's.
        roles: ATTEMPT, VERDICT or ENVIRONMENT (see `agents.models.roles`) for each of `ids`.
        rewards: T pairs: the part of the returned reward for the attempt, and for the verdict. A
            turn that was cut off has no token of a verdict, and its attempt gets both.
        graded: T flags: whether the attempt could be graded; others are not trained on.
        key: The caller's name for the episode.
        error: Why the episode could not be played to its end, or ``""``.
        earlier: The rows before the last.
    """

    episode: Episode
    prompt_ids: list[int]
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    roles: list[int] = field(default_factory=list)
    rewards: list[tuple[float, float]] = field(default_factory=list)
    graded: list[bool] = field(default_factory=list)
    key: int = 0
    error: str = ""
    earlier: list[Row] = field(default_factory=list)

    @property
    def rows(self) -> list[Row]:
        """All rows, in the order they were played."""
        return [*self.earlier, self._row()]

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

    def continue_with(self, context: list[int]) -> None:
        """Adds what the engine reads next; a new row, if it does not continue what it has read."""
        known = self.context
        if context[: len(known)] == known:
            self.append_environment(context[len(known) :])
            return
        self.earlier.append(self._row())
        self.prompt_ids, self.ids, self.logprobs, self.turns, self.roles = context, [], [], [], []

    def _row(self) -> Row:
        return Row(self.prompt_ids, self.ids, self.logprobs, self.turns, self.roles)

    def append_environment(self, ids: Sequence[int]) -> None:
        """Adds ids that the environment wrote."""
        self.append(ids, [0.0] * len(ids), 0, [ENVIRONMENT] * len(ids))

    def verdict_written(self, turn: int) -> bool:
        """Whether any token of this turn is the verdict's, or the end token in its place."""
        pairs = zip(self.turns, self.roles, strict=True)
        return any(role == VERDICT for number, role in pairs if number == turn)

    def add_reward(self, name: str, segment: Segment, value: float) -> None:
        """Adds a reward to the last turn, under the name of its term."""
        attempt, verdict = self.rewards[-1]
        is_attempt = segment == "attempt"
        self.rewards[-1] = (attempt + value * is_attempt, verdict + value * (not is_attempt))
        self.episode.final.rewards[name] = self.episode.final.rewards.get(name, 0.0) + value


@dataclass(slots=True)
class _Piece:
    """A message of a turn: the character of the turn's text it starts at, and its tokens.

    `continuation` are the ids of what a tool put below it; empty for the last message.
    """

    start: int
    generation: Generation
    continuation: list[int]


class Player:
    """Plays one episode: gives the engine's messages to the environment and keeps the tokens.

    The prompt is built from what `reset` and `step` return as observation, the reward is the
    returned one, and the episode ends when it is terminated or truncated, so that wrappers change
    what is played and trained. `info` may say more, as that of `srenv`'s environments does:

    * ``reward_verdict`` and ``reward_attempt``: how the reward splits between the turn's segments;
      what wrappers add goes to the attempt, and so does everything if there is no such split;
    * ``verdict_start``: the character of the whole turn where the verdict's segment begins;
      without it the turn is one segment;
    * ``graded``: False for a turn that must not be trained on;
    * ``continuation``: text that a tool has put below the message; the turn is not complete, and
      the next message continues it.

    Args:
        env: Any environment with text in and text, or chat messages, out.
        start: What the episode starts from: a problem, given to `reset` as the option
            ``"problem"``, or a seed.
        chat: The engine's chat format.
        key: Names the episode.
        seed: Together with `key`, seeds an environment that starts from a problem.
        prefix: Ids of the first turn that are given; the engine continues them.
    """

    def __init__(
        self,
        env: gym.Env[Any, str],
        start: Problem | int,
        chat: ChatFormat,
        key: int = 0,
        seed: int | None = None,
        prefix: Sequence[int] = (),
    ) -> None:
        self.env, self.chat, self.key = env, chat, key
        if isinstance(start, Problem):
            derived = None if seed is None else hashed_seed("rollout", seed, key) % 2**31
            observation, info = env.reset(seed=derived, options={"problem": start})
        else:
            observation, info = env.reset(seed=start)
        self.view = ChatView(observation)
        self._core = env.unwrapped if isinstance(env.unwrapped, SelfCorrectEnv) else None
        episode = self._core.episode if self._core else _new_episode(env, start, self.view)
        self.record = Rollout(episode, chat.opening(self.view.messages), key=key)
        if episode.turns:  # the environment has played a turn by itself
            self.record.rewards = [(0.0, 0.0)] * (len(episode.turns) - 1)
            self.record.rewards.append(_split_reward(_reward_in(info), info))
            self.record.graded = [turn.correct is not None for turn in episode.turns]
        self.prefix = list(prefix)
        self.record.append(self.prefix, [0.0] * len(self.prefix), 1, [ATTEMPT] * len(self.prefix))
        self.ended = episode.ending != "running"
        self._pieces: list[_Piece] = []
        self._text = ""

    @property
    def episode(self) -> Episode:
        """The record of the episode."""
        return self.record.episode

    def request(self) -> Request:
        """What the engine has to continue next."""
        unfinished = [i for p in self._pieces for i in (*self._open(p)[0], *p.continuation)]
        return Request(self.key, self.record.context + unfinished, self.view.messages)

    def hear(self, spoken: Spoken) -> None:
        """Steps the environment with one generated message and writes its tokens down.

        Raises:
            ValueError: A tool was called, and the engine gives text alone.
        """
        generation = spoken.generation
        assert generation is not None, "token rollouts are spoken by an engine"
        own = text = self.chat.text(generation.ids)
        if not self._pieces:
            text = self.chat.turn_text([*self.prefix, *generation.ids])
        observation, reward, terminated, truncated, info = self.env.step(text)
        piece = _Piece(len(self._text) + len(text) - len(own), generation, [])
        self._pieces.append(piece)
        continuation = info.get("continuation", "")
        self._text += text + continuation
        if continuation and not (terminated or truncated):
            if not self.chat.exact:
                raise ValueError("tools need an engine with token ids; this one gives text alone")
            piece.continuation = self.chat.encode(continuation)
            return
        self.ended = bool(terminated or truncated)
        self._finish_turn(float(reward), info)
        self.episode.final.truncated = spoken.truncated
        if self.ended and self.episode.ending == "running":
            self.episode.ending = "truncated" if truncated else "terminated"
        if not self.ended:
            self._observe(observation, generation.ids)
        self._text, self.prefix = "", []

    def _observe(self, observation: Any, ids: Sequence[int]) -> None:
        """Takes what the environment shows after a turn whose last message has these ids."""
        added = self.view.update(self._text, observation)
        if added is None or (added and self.chat.options.history == "final"):
            self.record.continue_with(self.chat.opening(self.view.messages))
        elif added:
            self.record.append_environment(self.chat.follow_up(added, ids))
        if self._core is None and added is None:
            self.episode.messages = list(self.view.messages)
        elif self._core is None:
            self.episode.messages += added or []

    def _finish_turn(self, reward: float, info: dict[str, Any]) -> None:
        """Records the turn that the newest message completes."""
        record, episode = self.record, self.episode
        pieces, self._pieces = self._pieces, []
        rewards = _split_reward(reward, info)
        record.rewards.append(rewards)
        record.graded.append(bool(info.get("graded", True)))
        if self._core is None:
            episode.turns.append(_text_turn(self._text, reward))
            episode.messages.append({"role": "assistant", "content": self._text})
        turn, last = episode.turns[-1], pieces[-1]
        if abs(extra := sum(rewards) - turn.reward) > ROUNDING:
            turn.rewards["wrappers"] = extra
        turn.tokens = len(self.prefix) + sum(piece.generation.count for piece in pieces)
        if self._core and turn.verdict:
            word = self._core.protocol.word(turn.verdict)
            turn.verdict_probability = verdict_probability(
                turn, last.generation, self.chat, last.start, word
            )
        for piece in pieces:
            ids, logprobs = last.generation.ids, last.generation.logprobs
            if piece is not last:
                ids, logprobs = self._open(piece)
            record.append(ids, logprobs, len(episode.turns), self._roles(piece, ids, info))
            record.append_environment(piece.continuation)
        if not record.verdict_written(len(episode.turns)):
            record.rewards[-1] = (sum(rewards), 0.0)  # cut off: the attempt went on for too long

    def _roles(self, piece: _Piece, ids: list[int], info: dict[str, Any]) -> list[int]:
        """The segment of each id of a message."""
        if "verdict_start" not in info:
            return [ATTEMPT] * len(ids)
        return self.chat.roles(ids, max(info["verdict_start"] - piece.start, 0))

    def _open(self, piece: _Piece) -> tuple[list[int], list[float]]:
        """The ids of a call without the stop id: the assistant's message stays open."""
        ids = piece.generation.ids
        end = len(ids) - (bool(ids) and ids[-1] in self.chat.stop_ids)
        return ids[:end], piece.generation.logprobs[:end]


def _reward_in(info: dict[str, Any]) -> float:
    return float(info.get("reward_attempt", 0.0)) + float(info.get("reward_verdict", 0.0))


def _split_reward(reward: float, info: dict[str, Any]) -> tuple[float, float]:
    """Splits a returned reward between attempt and verdict; what wrappers add is the attempt's."""
    attempt, verdict = (float(info.get(f"reward_{s}", 0.0)) for s in ("attempt", "verdict"))
    extra = reward - (attempt + verdict)
    return attempt + (extra if abs(extra) > ROUNDING else 0.0), verdict


def _new_episode(env: gym.Env[Any, str], start: Problem | int, view: ChatView) -> Episode:
    """The record of an episode in an environment that keeps none."""
    name = env.spec.id if env.spec else type(env.unwrapped).__name__
    if not isinstance(start, Problem):
        start = Problem(f"{name}/{start}", view.messages[-1]["content"], "", name)
    return Episode(start, list(view.messages))


def _text_turn(text: str, reward: float) -> Turn:
    """A turn that nothing but its reward is known of."""
    return Turn(
        text, answer=None, verdict=None, confidence=None, split=len(text), malformed="",
        correct=None, reason="", rewards={"reward": reward},
    )  # fmt: skip


def verdict_probability(
    turn: Turn, generation: Generation, chat: ChatFormat, start: int = 0, word: str = ""
) -> float | None:
    """Returns the probability of the tokens that spell the verdict's word.

    Args:
        turn: The turn.
        generation: The last message of the turn, which holds the verdict.
        chat: The engine's chat format.
        start: The character of the turn, as the model wrote it, that `generation` starts at.
        word: How the protocol spells the verdict; by default ``correct`` or ``wrong``.

    Returns:
        None without a verdict in the text, and from engines that give no log-probabilities.
    """
    word = word or turn.verdict or ""
    place = turn.text.rfind(word, turn.split)
    if turn.verdict is None or place < 0:
        return None
    at = turn.cut + place - start
    first = max(chat.token_at(generation.ids, at + 1) - 1, 0)
    last = chat.token_at(generation.ids, at + len(word))
    total = sum(generation.logprobs[first:last])
    return None if math.isnan(total) else math.exp(min(0.0, total))
