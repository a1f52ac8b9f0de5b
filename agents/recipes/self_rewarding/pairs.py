"""Preferences between conversations that begin with the same first attempt.

The data of multi-turn DPO (Xiong et al. 2025, sections 3.2 and 5.6). A first attempt is sampled and
held fixed; several conversations continue it, each with the model's own verdict, what the
environment says to that, and a revision. They share the problem and the attempt, so two of them
differ in nothing but what self-correction has to decide, and the one whose final answer is right is
preferred. What is compared are the model's own tokens after the attempt: neither the attempt nor
the environment's messages have a part in it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from agents.engines import Engine, Sampling
from agents.models.roles import ATTEMPT
from agents.rollouts.play import play_episodes
from agents.rollouts.player import EnvFactory, Player, Rollout
from agents.rollouts.speakers import ModelSpeaker
from agents.training.dpo import Preference
from srenv.episode import Episode, Problem, Verdict
from srenv.json_files import write_jsonl
from srenv.protocol import Protocol
from srenv.records import make_record, read_jsonl

PairSet = Literal["D1", "D2", "D3"]


class Course(NamedTuple):
    """The outcome of a conversation: first attempt, verdict, final answer.

    Attributes:
        first: Whether the first attempt is right.
        verdict: What the model says of it.
        final: Whether the final answer is right.
    """

    first: bool
    verdict: Verdict
    final: bool


SETS: dict[PairSet, tuple[tuple[Course, Course], ...]] = {
    # Having called its attempt wrong, the model fixes it (chosen) or fails to (rejected).
    "D1": ((Course(False, "wrong", True), Course(False, "wrong", False)),),
    # Having called a right attempt wrong, the model keeps it (chosen) or spoils it (rejected).
    "D2": ((Course(True, "wrong", True), Course(True, "wrong", False)),),
    # The right verdict, if it leads to a right answer (chosen), or the wrong one (rejected).
    "D3": (
        (Course(False, "wrong", True), Course(False, "correct", False)),
        (Course(True, "correct", True), Course(True, "wrong", False)),
    ),
}
"""Better and worse course by set.

Together these are all pairs of a right and a wrong final answer. A wrong attempt that is doubted in
vain is not compared with one that is accepted: both end wrong, and which is better is unclear.
"""


@dataclass(frozen=True)
class TrajectoryConfig:
    """How conversations are sampled and paired; the paper's values in brackets."""

    problems: int = 1000
    """Fresh training problems per iteration, one first attempt each [20,000]."""
    responses: int = 8
    """Conversations that continue each first attempt [8]."""
    sets: tuple[PairSet, ...] = ("D1", "D2", "D3")
    """Pairs to learn from. D1: a wrong attempt, doubted, is fixed or not. D2: a right one,
    doubted, is kept or spoiled. D3: the right verdict, if it ends well, or the wrong one
    [all for MATH; D1 D2 do as well for GSM8K]."""
    temperature: float = 1.0
    """Sampling temperature [1.0]."""
    max_new_tokens: int = 96
    """Greatest length of one turn [4096]."""


@dataclass(frozen=True)
class FirstAttempt:
    """A first attempt without its verdict.

    Attributes:
        problem: What was asked.
        ids: Its token ids, exactly as sampled.
    """

    problem: Problem
    ids: list[int]


@dataclass(frozen=True)
class Pair:
    """Two conversations from one first attempt, as ids.

    Attributes:
        kind: The set that it belongs to.
        problem: Id of the problem.
        preference: What is learned.
    """

    kind: PairSet
    problem: str
    preference: Preference


def first_attempts(
    engine: Engine, problems: Sequence[Problem], protocol: Protocol, sampling: Sampling
) -> list[FirstAttempt]:
    """Samples one first attempt at each problem and cuts it at the start of the verdict's segment.

    Attempts without an answer are left out.
    """
    chat = engine.chat
    prompts = [chat.opening(protocol.opening(problem)) for problem in problems]
    attempts = []
    for problem, generation in zip(problems, engine.generate(prompts, sampling), strict=True):
        parsed = protocol.parse(chat.turn_text(generation.ids), problem)
        if parsed.answer is not None:
            end = chat.token_at(generation.ids, parsed.split - len(chat.opened))
            attempts.append(FirstAttempt(problem, generation.ids[:end]))
    return attempts


def play_on(
    engine: Engine,
    attempts: Sequence[FirstAttempt],
    make_env: EnvFactory,
    count: int,
    sampling: Sampling,
    title: str,
) -> list[list[Rollout]]:
    """Continues `count` conversations from each first attempt.

    Args:
        engine: Generates the rest of the first turn, and the turns after it.
        attempts: How the conversations begin.
        make_env: Makes the environment that they are played in.
        count: Conversations per attempt.
        sampling: How turns are drawn.
        title: Label of the progress bar.

    Returns:
        The conversations of each attempt, whose ids begin with the attempt's.
    """
    beginnings = [attempt for attempt in attempts for _ in range(count)]
    players = [
        Player(make_env(), attempt.problem, engine.chat, key, prefix=attempt.ids)
        for key, attempt in enumerate(beginnings)
    ]
    play_episodes(players, ModelSpeaker(engine, sampling), title)
    records = [player.record for player in players]
    return [records[i * count : (i + 1) * count] for i in range(len(attempts))]


def course(episode: Episode) -> Course | None:
    """Returns the outcome of a conversation; None if it was not decided."""
    if episode.ending == "failed" or not episode.graded:
        return None
    first = episode.turns[0]
    if first.verdict is None:
        return None
    return Course(first.correct is True, first.verdict, episode.final.correct is True)


def make_pairs(
    attempt: FirstAttempt, records: Sequence[Rollout], sets: Iterable[PairSet], rng: random.Random
) -> list[Pair]:
    """Pairs conversations that continue one attempt; at most one pair of each kind.

    Conversations that amend the attempt before their first verdict are left out, and so are
    malformed ones as the better of two.
    """
    by_course: dict[Course, list[Rollout]] = {}
    for record in records:
        outcome = course(record.episode)
        first_turn = record.roles[: record.turns.count(1)]
        amended = ATTEMPT in first_turn[len(attempt.ids) :]
        if outcome is not None and not amended:
            by_course.setdefault(outcome, []).append(record)
    pairs = []
    for kind in sets:
        for better, worse in SETS[kind]:
            chosen = [
                record
                for record in by_course.get(better, [])
                if not any(turn.malformed for turn in record.episode.turns)
            ]
            rejected = by_course.get(worse, [])
            if chosen and rejected:
                preference = compare(attempt, rng.choice(chosen), rng.choice(rejected))
                pairs.append(Pair(kind, attempt.problem.id, preference))
    return pairs


def compare(attempt: FirstAttempt, better: Rollout, worse: Rollout) -> Preference:
    """The preference for one conversation over another; both begin with `attempt`."""
    known = len(attempt.ids)
    own = [[int(turn > 0) for turn in record.turns[known:]] for record in (better, worse)]
    return Preference(
        better.prompt_ids + attempt.ids, better.ids[known:], worse.ids[known:], own[0], own[1]
    )


def write_pairs(path: Path, pairs: Iterable[Pair]) -> None:
    """Writes pairs as JSON Lines; the file appears whole or not at all."""
    write_jsonl(path, map(asdict, pairs))


def read_pairs(path: Path) -> list[Pair]:
    """Reads what `write_pairs` wrote.

    Raises:
        ValueError: A line is not a pair; the message names file and line.
    """
    return list(read_jsonl(path, _pair))


def _pair(record: Any) -> Pair:
    """Builds a pair from a line of a file."""
    preference = make_record(Preference, record["preference"])
    return make_record(Pair, {**record, "preference": preference})
