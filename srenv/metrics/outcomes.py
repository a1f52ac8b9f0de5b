"""Episodes as arrays: what was right after each turn, and what the verdicts said."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from srenv.domains import Domain, find_domain
from srenv.episode import Episode, Turn

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Outcomes of episodes as arrays: N problems, at most T turns, M readable verdicts.

    Attributes:
        by_turn: (N, T) correctness after each turn; a stopped episode keeps its last value.
        final: (N,) correctness of the final answer.
        turns: (N,) number of turns (or of samples, for a vote).
        tokens: (N,) generated tokens; nan if the engine did not count them.
        malformed: (N,) number of malformed turns.
        out_of_form: (N,) number of turns whose answer is not in the form that was asked for; nan
            if the episodes do not say how answers are given.
        owner: (M,) row of the problem that a verdict belongs to.
        turn: (M,) turn of the verdict, counted from 1.
        says: (M,) 1 if the verdict is "correct".
        truth: (M,) 1 if the attempt is right.
        token: (M,) probability of being right by the verdict's tokens; nan if unknown.
        stated: (M,) probability of being right as stated in the text.
        undecided: Number of problems left out.
    """

    by_turn: Array
    final: Array
    turns: Array
    tokens: Array
    malformed: Array
    out_of_form: Array
    owner: NDArray[np.int64]
    turn: NDArray[np.int64]
    says: Array
    truth: Array
    token: Array
    stated: Array
    undecided: int

    @classmethod
    def of(cls, episodes: Iterable[Episode]) -> Outcomes:
        """Returns the outcomes of finished episodes, whose last answer is the final one."""
        every = list(episodes)
        graded = _graded(every)
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
        return cls(
            by_turn=by_turn,
            final=by_turn[:, -1],
            turns=np.array([float(len(episode.turns)) for episode in graded]),
            tokens=np.array([_tokens(episode) for episode in graded]),
            malformed=np.array([float(sum(bool(t.malformed) for t in e.turns)) for e in graded]),
            out_of_form=np.array([_out_of_form(episode) for episode in graded]),
            owner=columns[0].astype(np.int64),
            turn=columns[1].astype(np.int64),
            says=columns[2],
            truth=columns[3],
            token=columns[4],
            stated=columns[5],
            undecided=len(every) - len(graded),
        )

    @classmethod
    def of_turn_votes(cls, episodes: Iterable[Episode]) -> Outcomes:
        """Returns m1@tj: after each turn, the majority of all answers so far is the answer (RISE).

        Accuracy@t1 is that of the first attempt; verdicts stay as they are.
        """
        graded = _graded(episodes)
        outcomes = cls.of(graded)
        by_turn = np.zeros_like(outcomes.by_turn)
        for row, episode in enumerate(graded):
            domain = find_domain(episode.problem.domain)
            for index in range(by_turn.shape[1]):
                by_turn[row, index] = float(majority(episode.turns[: index + 1], domain))
        return replace(outcomes, by_turn=by_turn, final=by_turn[:, -1])

    @classmethod
    def of_any_turn(cls, episodes: Iterable[Episode]) -> Outcomes:
        """Returns p1@tj: whether one of the first j attempts is right, as an oracle stops (RISE).

        Turns and tokens are counted up to the first right attempt.
        """
        stopped = []
        for episode in episodes:
            right = (i for i, turn in enumerate(episode.turns) if turn.correct)
            end = next(right, len(episode.turns)) + 1
            stopped.append(replace(episode, turns=episode.turns[:end]))
        return cls.of(stopped)

    @classmethod
    def of_votes(cls, groups: Iterable[Sequence[Episode]]) -> Outcomes:
        """Returns maj@k, a vote in each group of k single-attempt episodes of one problem.

        Accuracy@t1 is then the mean over the k samples, the final answer is the majority's.
        """
        every = list(groups)
        graded = [group for group in every if all(episode.graded for episode in group)]
        by_turn = np.zeros((len(graded), 2))
        for row, group in enumerate(graded):
            domain = find_domain(group[0].problem.domain)
            by_turn[row, 0] = np.mean([episode.final.correct is True for episode in group])
            by_turn[row, 1] = float(majority([episode.final for episode in group], domain))
        empty = np.zeros(0)
        return cls(
            by_turn=by_turn,
            final=by_turn[:, 1],
            turns=np.array([float(len(group)) for group in graded]),
            tokens=np.array([sum(_tokens(e) for e in group) for group in graded]),
            malformed=np.array([float(sum(bool(e.final.malformed) for e in g)) for g in graded]),
            out_of_form=np.array([sum(_out_of_form(e) for e in group) for group in graded]),
            owner=empty.astype(np.int64),
            turn=empty.astype(np.int64),
            says=empty,
            truth=empty,
            token=empty,
            stated=empty,
            undecided=len(every) - len(graded),
        )

    @classmethod
    def pooled(cls, parts: Sequence[Outcomes]) -> Outcomes:
        """Returns the outcomes of several runs as those of one, run after run."""
        horizon = max(part.by_turn.shape[1] for part in parts)
        offsets = np.cumsum([0, *(len(part.final) for part in parts)])
        names = (
            "final", "turns", "tokens", "malformed", "out_of_form", "turn", "says", "truth",
            "token", "stated",
        )  # fmt: skip
        return cls(
            by_turn=np.concatenate(
                [
                    np.pad(p.by_turn, ((0, 0), (0, horizon - p.by_turn.shape[1])), mode="edge")
                    for p in parts
                ]
            ),
            owner=np.concatenate([p.owner + o for p, o in zip(parts, offsets, strict=False)]),
            undecided=sum(part.undecided for part in parts),
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names},
        )


def majority(turns: Sequence[Turn], domain: Domain) -> bool:
    """Returns whether the most frequent answer is right; ties go to the answer given first.

    Answers that are the same in the domain count as one; turns without an answer do not vote.
    """
    votes: dict[str, int] = {}
    right: dict[str, bool] = {}
    for turn in turns:
        answer = turn.answer
        if answer is None:
            continue
        candidate = next((a for a in votes if domain.same(a, answer)), answer)
        votes[candidate] = votes.get(candidate, 0) + 1
        right.setdefault(candidate, turn.correct is True)
    return right[max(votes, key=lambda answer: votes[answer])] if votes else False


def _graded(episodes: Iterable[Episode]) -> list[Episode]:
    return [episode for episode in episodes if episode.graded and episode.turns]


def _out_of_form(episode: Episode) -> float:
    answered = [turn.answer_source for turn in episode.turns if turn.answer is not None]
    return math.nan if None in answered else float(sum(source != "form" for source in answered))


def _tokens(episode: Episode) -> float:
    counts = [turn.tokens for turn in episode.turns]
    return math.nan if None in counts else float(sum(c for c in counts if c is not None))
