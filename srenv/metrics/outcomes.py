"""Episodes as arrays: what was right after each turn, and what the verdicts said."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srenv.domains import Domain, find_domain
from srenv.episode import Episode, Turn

Array = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Outcomes of episodes as arrays: N episodes, at most T turns, M readable verdicts.

    Attributes:
        problem: (N,) number of the episode's problem, counted from 0 in the order of appearance;
            different for every episode unless problems have several samples.
        by_turn: (N, T) correctness after each turn; a stopped episode keeps its last value.
        final: (N,) correctness of the final answer.
        turns: (N,) number of turns (or of samples, for a vote).
        tokens: (N,) generated tokens; nan if the engine did not count them.
        malformed: (N,) number of malformed turns.
        out_of_form: (N,) number of turns whose answer is not in the form that was asked for; nan
            if the episodes do not say how answers are given.
        lengths: (N, T) generated tokens of each turn; nan if they were not counted, and after the
            end of an episode.
        truncated: (N, T) 1 if the limit on tokens ended the turn; nan as for `lengths`.
        owner: (M,) row of the episode that a verdict belongs to.
        turn: (M,) turn of the verdict, counted from 1.
        says: (M,) 1 if the verdict is "correct".
        truth: (M,) 1 if the attempt is right.
        token: (M,) probability of being right by the verdict's tokens; nan if unknown.
        stated: (M,) probability of being right as stated in the text.
        undecided: Number of episodes left out because the verifier could not decide.
        failed: Number of episodes that could not be played on; those that failed in their first
            turn are left out, the others keep their last answer.
    """

    problem: Counts
    by_turn: Array
    final: Array
    turns: Array
    tokens: Array
    malformed: Array
    out_of_form: Array
    lengths: Array
    truncated: Array
    owner: Counts
    turn: Counts
    says: Array
    truth: Array
    token: Array
    stated: Array
    undecided: int
    failed: int

    @property
    def samples(self) -> Counts:
        """(P,) number of episodes of each problem."""
        return np.bincount(self.problem)

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
            problem=np.arange(len(graded)),
            by_turn=by_turn,
            final=by_turn[:, -1],
            turns=np.array([float(len(episode.turns)) for episode in graded]),
            tokens=np.array([_tokens(episode) for episode in graded]),
            malformed=np.array([float(sum(bool(t.malformed) for t in e.turns)) for e in graded]),
            out_of_form=np.array([_out_of_form(episode) for episode in graded]),
            lengths=_turn_table([[t.tokens for t in e.turns] for e in graded], horizon),
            truncated=_turn_table([[t.truncated for t in e.turns] for e in graded], horizon),
            owner=columns[0].astype(np.int64),
            turn=columns[1].astype(np.int64),
            says=columns[2],
            truth=columns[3],
            token=columns[4],
            stated=columns[5],
            undecided=sum(not episode.graded for episode in every),
            failed=sum(episode.ending == "failed" for episode in every),
        )

    @classmethod
    def of_samples(cls, episodes: Iterable[Episode]) -> Outcomes:
        """Returns the outcomes of several episodes per problem, which belong together."""
        every = list(episodes)
        numbers: dict[str, int] = {}
        for episode in _graded(every):
            numbers.setdefault(episode.problem.id, len(numbers))
        problem = np.array([numbers[e.problem.id] for e in _graded(every)], dtype=np.int64)
        return replace(cls.of(every), problem=problem)

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
        graded = [group for group in every if len(_graded(group)) == len(group)]
        by_turn = np.zeros((len(graded), 2))
        for row, group in enumerate(graded):
            domain = find_domain(group[0].problem.domain)
            by_turn[row, 0] = np.mean([episode.final.correct is True for episode in group])
            by_turn[row, 1] = float(majority([episode.final for episode in group], domain))
        empty = np.zeros(0)
        return cls(
            problem=np.arange(len(graded)),
            by_turn=by_turn,
            final=by_turn[:, 1],
            turns=np.array([float(len(group)) for group in graded]),
            tokens=np.array([sum(_tokens(e) for e in group) for group in graded]),
            malformed=np.array([float(sum(bool(e.final.malformed) for e in g)) for g in graded]),
            out_of_form=np.array([sum(_out_of_form(e) for e in group) for group in graded]),
            lengths=np.full_like(by_turn, math.nan),
            truncated=np.full_like(by_turn, math.nan),
            owner=empty.astype(np.int64),
            turn=empty.astype(np.int64),
            says=empty,
            truth=empty,
            token=empty,
            stated=empty,
            undecided=sum(not all(episode.graded for episode in group) for group in every),
            failed=sum(episode.ending == "failed" for group in every for episode in group),
        )

    @classmethod
    def pooled(cls, parts: Sequence[Outcomes]) -> Outcomes:
        """Returns the outcomes of several runs as those of one, run after run."""
        horizon = max(part.by_turn.shape[1] for part in parts)
        offsets = np.cumsum([0, *(len(part.final) for part in parts)])
        problems = np.cumsum([0, *(len(part.samples) for part in parts)])

        def widened(name: str, **pad: Any) -> Array:
            tables = [getattr(part, name) for part in parts]
            return np.concatenate(
                [np.pad(t, ((0, 0), (0, horizon - t.shape[1])), **pad) for t in tables]
            )

        names = (
            "final", "turns", "tokens", "malformed", "out_of_form", "turn", "says", "truth",
            "token", "stated",
        )  # fmt: skip
        return cls(
            problem=np.concatenate([p.problem + o for p, o in zip(parts, problems, strict=False)]),
            by_turn=widened("by_turn", mode="edge"),
            lengths=widened("lengths", constant_values=math.nan),
            truncated=widened("truncated", constant_values=math.nan),
            owner=np.concatenate([p.owner + o for p, o in zip(parts, offsets, strict=False)]),
            undecided=sum(part.undecided for part in parts),
            failed=sum(part.failed for part in parts),
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


def _turn_table(rows: Sequence[Sequence[float | None]], horizon: int) -> Array:
    """Returns values by episode and turn, nan for None and after the end of an episode."""
    table = np.full((len(rows), horizon), math.nan)
    for row, values in zip(table, rows, strict=True):
        row[: len(values)] = [math.nan if value is None else value for value in values]
    return table


def _out_of_form(episode: Episode) -> float:
    answered = [turn.answer_source for turn in episode.turns if turn.answer is not None]
    return math.nan if None in answered else float(sum(source != "form" for source in answered))


def _tokens(episode: Episode) -> float:
    counts = [turn.tokens for turn in episode.turns]
    return math.nan if None in counts else float(sum(c for c in counts if c is not None))
