"""Episodes -> the numbers of the papers, each with a confidence interval.

Names and denominators follow the self-correction literature: accuracies and transitions are
shares of all problems (Kumar et al. 2024, section 3), verdict rates are conditional on the truth
(Xiong et al. 2025, table 4). ``p_ci`` and ``p_ic``: of the right and of the wrong first attempts
with a verdict of wrong, the share whose final answer is wrong and right (table 8). Calibration is
that of RLCR (Damani et al. 2025). Problems with an attempt that the verifier could not decide are
left out and counted in ``undecided``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from srenv.episode import Episode, Turn
from srenv.verifier import verify

Array = NDArray[np.float64]

ECE_BINS = 10
PROPORTIONS = ("accuracy_t1", "accuracy_final", "delta_ic", "delta_ci")
"""Shares of independent problems: Wilson intervals, which stay honest at 0 and 1."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % confidence interval; nan where it is not defined."""

    value: float
    low: float
    high: float


Metrics = dict[str, Estimate]


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


def measure(data: Outcomes, resamples: int = 1000, seed: int = 0) -> Metrics:
    """Computes every metric with a 95 % interval.

    Shares of problems get Wilson intervals; everything else the percentiles of a bootstrap over
    problems (turns of one episode are not independent of each other).
    """
    n = len(data.final)
    if n == 0:
        return {
            "n": Estimate(0, 0, 0),
            "undecided": Estimate(data.undecided, data.undecided, data.undecided),
        }
    value = _weighted(data, np.ones((1, n)))
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float64)
    spread = _weighted(data, draws)
    metrics = {"n": Estimate(n, n, n)}
    metrics["undecided"] = Estimate(data.undecided, data.undecided, data.undecided)
    for name, (point,) in value.items():
        finite = spread[name][np.isfinite(spread[name])]
        if name in PROPORTIONS:
            low, high = wilson(float(point), n)
        elif len(finite):
            low, high = (float(q) for q in np.percentile(finite, [2.5, 97.5]))
        else:
            low = high = math.nan
        metrics[name] = Estimate(float(point), low, high)
    return metrics


def difference(after: Outcomes, before: Outcomes, resamples: int = 1000, seed: int = 0) -> Metrics:
    """Every metric of `after` minus that of `before`, with paired-bootstrap intervals.

    Both must hold the same problems in the same order; resampling problems keeps the pairs.

    Raises:
        ValueError: The two hold different numbers of problems.
    """
    n = len(after.final)
    if n != len(before.final) or n == 0:
        raise ValueError(f"cannot pair {n} problems with {len(before.final)}")
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float64)
    weights = np.concatenate([np.ones((1, n)), draws])
    ours, theirs = _weighted(after, weights), _weighted(before, weights)
    metrics = {}
    for name in ours.keys() & theirs.keys():
        gap = ours[name] - theirs[name]
        spread = gap[1:][np.isfinite(gap[1:])]
        low, high = np.percentile(spread, [2.5, 97.5]) if len(spread) else (math.nan, math.nan)
        metrics[name] = Estimate(float(gap[0]), float(low), float(high))
    return metrics


def summarise(data: Outcomes) -> dict[str, float]:
    """Computes every metric that is defined for `data`, without intervals."""
    if len(data.final) == 0:
        return {}
    values = _weighted(data, np.ones((1, len(data.final))))
    return {name: float(v[0]) for name, v in values.items() if np.isfinite(v[0])}


def _weighted(data: Outcomes, weights: Array) -> dict[str, Array]:
    """All metrics at once under (R, N) weights on the problems: R values each."""
    first, final = data.by_turn[:, 0], data.final
    total = weights.sum(axis=1)
    verdict_weights = weights[:, data.owner]

    def per_problem(values: Array) -> Array:
        return np.asarray((weights @ values) / total)

    def where(condition: Array, values: Array) -> Array:
        return _ratio(verdict_weights @ (condition * values), verdict_weights @ condition)

    once, end = (data.turn == 1).astype(np.float64), final[data.owner]
    into, out_of = per_problem((1 - first) * final), per_problem(first * (1 - final))
    metrics = {
        "accuracy_t1": per_problem(first),
        "accuracy_final": per_problem(final),
        "delta": per_problem(final - first),
        "delta_ic": into,
        "delta_ci": out_of,
        "fix_rate": _ratio(into, 1 - per_problem(first)),
        "break_rate": _ratio(out_of, per_problem(first)),
        "p_ci": where(once * data.truth * (1 - data.says), 1 - end),
        "p_ic": where(once * (1 - data.truth) * (1 - data.says), end),
        "verdict_tpr": where(data.truth, data.says),
        "verdict_tnr": where(1 - data.truth, 1 - data.says),
        "malformed_rate": _ratio(weights @ data.malformed, weights @ data.turns),
        "turns": per_problem(data.turns),
        "tokens": per_problem(data.tokens),
    }
    for kind, confidence in (("token", data.token), ("stated", data.stated)):
        known = np.isfinite(confidence)
        args = confidence[known], data.truth[known], verdict_weights[:, known]
        metrics[f"brier_{kind}"] = brier_score(*args)
        metrics[f"ece_{kind}"] = calibration_error(*args)
    for turn in range(data.by_turn.shape[1]):
        here = (data.turn == turn + 1).astype(np.float64)
        metrics[f"accuracy_by_turn/{turn + 1}"] = per_problem(data.by_turn[:, turn])
        metrics[f"verdict_tpr_by_turn/{turn + 1}"] = where(here * data.truth, data.says)
        metrics[f"verdict_tnr_by_turn/{turn + 1}"] = where(here * (1 - data.truth), 1 - data.says)
    return metrics


def brier_score(confidence: Array, truth: Array, weights: Array) -> Array:
    """Mean of ``(q - c)^2`` under each row of `weights`."""
    return _ratio(weights @ (confidence - truth) ** 2, weights.sum(axis=1))


def calibration_error(confidence: Array, truth: Array, weights: Array) -> Array:
    """ECE: 10 equal bins on [0, 1], bin share times |mean confidence - accuracy|, summed."""
    bins = np.minimum((confidence * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    gap = np.zeros(len(weights))
    for index in range(ECE_BINS):
        inside = bins == index
        gap += np.abs(weights[:, inside] @ (confidence[inside] - truth[inside]))
    return _ratio(gap, weights.sum(axis=1))


def wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """95 % Wilson score interval of a share of `n` independent trials."""
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def _ratio(numerator: Array, denominator: Array) -> Array:
    undefined = np.full(len(numerator), math.nan)
    return np.asarray(np.divide(numerator, denominator, out=undefined, where=denominator > 0))


def _tokens(episode: Episode) -> float:
    counts = [turn.tokens for turn in episode.turns]
    return math.nan if None in counts else float(sum(c for c in counts if c is not None))
