"""Episodes as arrays: what was right after each turn, and what the verdicts said."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from srenv.episode import Episode, Turn
from srenv.verifier import verify

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What happened, as arrays: N problems, at most T turns, M readable verdicts.

    Attributes:
        by_turn: (N, T) correctness after each turn; a stopped episode keeps its last value.
        final: (N,) correctness of the final answer.
        turns: (N,) number of turns (or of samples, for a vote).
        tokens: (N,) generated tokens; nan where the engine did not say.
        malformed: (N,) number of malformed turns.
        owner: (M,) row of the problem that a verdict belongs to.
        turn: (M,) turn of the verdict, counted from 1.
        says: (M,) 1 where the verdict is "correct".
        truth: (M,) 1 where the attempt is right.
        token: (M,) probability of being right by the verdict's tokens; nan where unknown.
        stated: (M,) probability of being right as stated in the text.
        undecided: Number of problems left out.
    """

    by_turn: Array
    final: Array
    turns: Array
    tokens: Array
    malformed: Array
    owner: NDArray[np.int64]
    turn: NDArray[np.int64]
    says: Array
    truth: Array
    token: Array
    stated: Array
    undecided: int


def outcomes(episodes: Iterable[Episode]) -> Outcomes:
    """Lays finished episodes out as arrays."""
    every = list(episodes)
    graded = [episode for episode in every if episode.graded and episode.turns]
    horizon = max((len(episode.turns) for episode in graded), default=1)
    by_turn = np.zeros((len(graded), horizon))
    verdicts: list[tuple[float, ...]] = []
    for row, episode in enumerate(graded):
        for index, turn in enumerate(episode.turns):
            by_turn[row, index:] = float(turn.correct is True)
            if turn.verdict is not None and not turn.malformed:
                token, stated = turn.token_confidence, turn.stated_confidence
                verdicts.append(
                    (
                        row,
                        index + 1,
                        float(turn.verdict == "correct"),
                        float(turn.correct is True),
                        math.nan if token is None else token,
                        math.nan if stated is None else stated,
                    )
                )
    columns = np.array(verdicts, dtype=np.float64).reshape(-1, 6).T
    return Outcomes(
        by_turn=by_turn,
        final=by_turn[:, -1],
        turns=np.array([float(len(episode.turns)) for episode in graded]),
        tokens=np.array([_tokens(episode) for episode in graded]),
        malformed=np.array([float(sum(bool(t.malformed) for t in e.turns)) for e in graded]),
        owner=columns[0].astype(np.int64),
        turn=columns[1].astype(np.int64),
        says=columns[2],
        truth=columns[3],
        token=columns[4],
        stated=columns[5],
        undecided=len(every) - len(graded),
    )


def turn_votes(episodes: Iterable[Episode]) -> Outcomes:
    """Lays out m1@tj: after each turn, the majority over all answers so far is the answer (RISE).

    Accuracy@t1 is that of the first attempt; verdicts stay as they are.
    """
    graded = [episode for episode in episodes if episode.graded and episode.turns]
    data = outcomes(graded)
    by_turn = np.zeros_like(data.by_turn)
    for row, episode in enumerate(graded):
        for index in range(by_turn.shape[1]):
            by_turn[row, index] = float(majority_turn(episode.turns[: index + 1]))
    return replace(data, by_turn=by_turn, final=by_turn[:, -1])


def any_turn(episodes: Iterable[Episode]) -> Outcomes:
    """Lays out p1@tj: whether one of the first j attempts is right, as an oracle would stop (RISE).

    Turns and tokens are counted up to the first right attempt.
    """
    stopped = []
    for episode in episodes:
        right = (i for i, turn in enumerate(episode.turns) if turn.correct)
        stopped.append(replace(episode, turns=episode.turns[: next(right, len(episode.turns)) + 1]))
    return outcomes(stopped)


def vote_outcomes(groups: Iterable[Sequence[Episode]]) -> Outcomes:
    """Lays out maj@k: each group holds k single-attempt episodes of one problem.

    Accuracy@t1 is then the mean over the k samples, the final answer is the majority's.
    """
    decided, every = [], list(groups)
    for group in every:
        if all(episode.graded for episode in group):
            decided.append((group, majority(group)))
    empty = np.zeros(0)
    return Outcomes(
        by_turn=np.array(
            [[np.mean([e.final.correct is True for e in g]), m] for g, m in decided]
        ).reshape(-1, 2),
        final=np.array([float(m) for _, m in decided]),
        turns=np.array([float(len(g)) for g, _ in decided]),
        tokens=np.array([sum(_tokens(e) for e in g) for g, _ in decided]),
        malformed=np.array([float(sum(bool(e.final.malformed) for e in g)) for g, _ in decided]),
        owner=empty.astype(np.int64),
        turn=empty.astype(np.int64),
        says=empty,
        truth=empty,
        token=empty,
        stated=empty,
        undecided=len(every) - len(decided),
    )


def majority(group: Sequence[Episode]) -> bool:
    """Whether the most frequent final answer is right; ties go to the answer given first.

    Answers that the verifier calls equal count as one.
    """
    return majority_turn([episode.final for episode in group])


def majority_turn(turns: Sequence[Turn]) -> bool:
    """Whether the most frequent answer of `turns` is right; see `majority`."""
    votes: dict[str, int] = {}
    right: dict[str, bool] = {}
    for turn in turns:
        answer = turn.answer
        if answer is None:
            continue
        same = next((a for a in votes if a == answer or verify(a, answer).correct), answer)
        votes[same] = votes.get(same, 0) + 1
        right.setdefault(same, turn.correct is True)
    return right[max(votes, key=lambda answer: votes[answer])] if votes else False


def pool(parts: Sequence[Outcomes]) -> Outcomes:
    """Puts the outcomes of several runs into one, their problems one run after the other."""
    horizon = max(part.by_turn.shape[1] for part in parts)
    offsets = np.cumsum([0, *(len(part.final) for part in parts)])
    together = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in (
            "final",
            "turns",
            "tokens",
            "malformed",
            "turn",
            "says",
            "truth",
            "token",
            "stated",
        )
    }
    return Outcomes(
        by_turn=np.concatenate(
            [
                np.pad(p.by_turn, ((0, 0), (0, horizon - p.by_turn.shape[1])), mode="edge")
                for p in parts
            ]
        ),
        owner=np.concatenate([p.owner + o for p, o in zip(parts, offsets, strict=False)]),
        undecided=sum(part.undecided for part in parts),
        **together,
    )


def _tokens(episode: Episode) -> float:
    counts = [turn.tokens for turn in episode.turns]
    return math.nan if None in counts else float(sum(c for c in counts if c is not None))
