"""One episode as tokens: what the engine read and wrote, and what the environment added."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import gymnasium as gym

from agents.engines.base import Generation, Request
from agents.models.chat import ENVIRONMENT, ChatFormat
from srenv.envs.env import SelfCorrectEnv
from srenv.episode import Episode, Problem, Turn
from srenv.problems.seeding import hashed_seed
from srenv.wrappers import CalculatorTool

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
        roles: ATTEMPT, VERDICT or ENVIRONMENT (see `agents.models.chat`) for each of `ids`.
        key: The caller's name for the episode.
        error: Why the episode could not be played to its end, or ``""``.
    """

    episode: Episode
    prompt_ids: list[int]
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    roles: list[int] = field(default_factory=list)
    key: int = 0
    error: str = ""

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

    def append_environment(self, ids: Sequence[int]) -> None:
        """Adds ids that the environment wrote."""
        self.append(ids, [0.0] * len(ids), 0, [ENVIRONMENT] * len(ids))


@dataclass(slots=True)
class _Piece:
    """A part of a turn: sampled tokens and the character of the turn's text they start at.

    `result` are the ids of the tool's answer below it; empty for the last piece.
    """

    start: int
    generation: Generation
    result: list[int]


class Player:
    """Plays one episode: gives the engine's messages to the environment and keeps the tokens.

    Args:
        env: An environment whose unwrapped class is a `SelfCorrectEnv`.
        problem: What is asked.
        chat: The engine's chat format.
        key: Names the episode.
        seed: Seeds the environment, together with `key`.
    """

    def __init__(
        self,
        env: gym.Env[str, str],
        problem: Problem,
        chat: ChatFormat,
        key: int = 0,
        seed: int | None = None,
    ) -> None:
        self.env, self.chat = env, chat
        core = env.unwrapped
        if not isinstance(core, SelfCorrectEnv):
            raise TypeError(f"rollouts need a SelfCorrectEnv, got {type(core).__name__}")
        self.protocol = core.protocol
        own = None if seed is None else hashed_seed("rollout", seed, key) % 2**31
        env.reset(seed=own, options={"problem": problem})
        episode = core.episode
        self.record = Rollout(episode, chat.opening(episode.messages), key=key)
        self._tool = find_tool(env)
        if self._tool and not chat.exact:
            raise ValueError("tools need an engine with token ids; this one gives text alone")
        self._pieces: list[_Piece] = []

    @property
    def ended(self) -> bool:
        """Whether the episode is over."""
        return self.record.episode.ending != "running"

    def request(self) -> Request:
        """What the engine has to continue next."""
        record = self.record
        unfinished = [i for piece in self._pieces for i in (*self._kept(piece)[0], *piece.result)]
        return Request(record.key, record.context + unfinished, record.episode.messages)

    def play(self, generation: Generation) -> None:
        """Steps the environment with one generated message and writes its tokens down."""
        episode = self.record.episode
        played = len(episode.turns)
        start = len(self._tool.draft) if self._tool else 0
        text = self.chat.turn_text(generation.ids)
        self.env.step(text)
        piece = _Piece(start, generation, [])
        self._pieces.append(piece)
        if len(episode.turns) == played and self._tool:
            piece.result = self.chat.encode(_result_text(self._tool.draft, start, text))
        else:
            self._finish_turn()

    def _finish_turn(self) -> None:
        record, episode = self.record, self.record.episode
        turn, pieces, self._pieces = episode.turns[-1], self._pieces, []
        last = pieces[-1]
        turn.tokens = sum(piece.generation.count for piece in pieces)
        word = self.protocol.word(turn.verdict) if turn.verdict else ""
        turn.verdict_probability = verdict_probability(
            turn, last.generation, self.chat, last.start, word
        )
        for piece in pieces:
            ids, logprobs = (
                self._kept(piece)
                if piece is not last
                else (
                    last.generation.ids,
                    last.generation.logprobs,
                )
            )
            roles = self.chat.roles(ids, max(turn.split - piece.start, 0))
            record.append(ids, logprobs, len(episode.turns), roles)
            record.append_environment(piece.result)
        if not self.ended:
            ids = last.generation.ids
            closed = bool(ids) and ids[-1] in self.chat.stop_ids
            record.append_environment(self.chat.follow_up(episode.messages[-1], closed))

    def _kept(self, piece: _Piece) -> tuple[list[int], list[float]]:
        """The ids of a call without the stop id: the assistant's message stays open."""
        ids = piece.generation.ids
        end = len(ids) - (bool(ids) and ids[-1] in self.chat.stop_ids)
        return ids[:end], piece.generation.logprobs[:end]


def _result_text(draft: str, start: int, text: str) -> str:
    """What the tool put below `text`, which begins at `start`; white space is not doubled."""
    added = draft[start + len(text.rstrip()) :]
    return added[1:] if "\n" in text[len(text.rstrip()) :] else added


def find_tool(env: gym.Env[str, str]) -> CalculatorTool | None:
    """The calculator among an environment's wrappers, if there is one."""
    while isinstance(env, gym.Wrapper):
        if isinstance(env, CalculatorTool):
            return env
        env = env.env
    return None


def verdict_probability(
    turn: Turn, generation: Generation, chat: ChatFormat, start: int = 0, word: str = ""
) -> float | None:
    """Probability of the tokens that spell the verdict's word.

    Args:
        turn: The turn.
        generation: The last message of the turn, which holds the verdict.
        chat: The engine's chat format.
        start: The character of the turn's text that `generation` starts at.
        word: How the protocol spells the verdict; by default ``correct`` or ``wrong``.

    Returns:
        None without a verdict that stands in the text, and from engines that give no
        log-probabilities.
    """
    word = word or turn.verdict or ""
    found = turn.text.rfind(word, turn.split)
    if turn.verdict is None or found < 0:
        return None
    at = found - start
    first = max(chat.token_at(generation.ids, at + 1) - 1, 0)
    last = chat.token_at(generation.ids, at + len(word))
    total = sum(generation.logprobs[first:last])
    return None if math.isnan(total) else math.exp(min(0.0, total))
