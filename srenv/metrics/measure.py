"""Episodes -> the numbers of the papers, each with a confidence interval.

Names and denominators follow the self-correction literature: accuracies and transitions are
shares of all problems (Kumar et al. 2024, section 3), verdict rates are conditional on the truth
(Xiong et al. 2025, table 4). ``p_ci`` and ``p_ic``: of the right and of the wrong first attempts
with a verdict of wrong, the share whose final answer is wrong and right (table 8). Calibration is
that of RLCR (Damani et al. 2025). Problems with an attempt that the verifier could not decide are
left out and counted in ``undecided``. ``out_of_form_rate`` is the share of turns whose answer was
accepted although it is not in the form that was asked for. ``truncation_rate`` is the share of
turns that the limit on tokens ended.

A problem may have several samples (`Outcomes.of_samples`). Every metric is then the mean over
problems of the mean over their samples, ``pass@k`` is the unbiased estimate of Chen et al. 2021
(arXiv 2107.03374, equation 1), and intervals resample problems with all of their samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from srenv.metrics.outcomes import Array, Counts, Outcomes

ECE_BINS = 10
"""Bins of equal width for the expected calibration error."""
PROPORTIONS = ("accuracy_t1", "accuracy_final", "delta_ic", "delta_ci")
"""Shares of independent problems: Wilson intervals, which stay honest at 0 and 1."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95% confidence interval; nan where it is not defined."""

    value: float
    low: float
    high: float


Metrics = dict[str, Estimate]
"""Every metric of one row by its name."""

LENGTHS = ("mean", "p95", "max")
"""Lengths of turns: ``length_mean_by_turn/1`` and so on, in tokens."""


def measure(data: Outcomes, resamples: int = 1000, seed: int = 0) -> Metrics:
    """Computes every metric with a 95% interval.

    Shares of problems with one sample get Wilson intervals; everything else the percentiles of a
    bootstrap over problems (turns and samples of one problem are not independent of each other).
    """
    n = len(data.samples)
    counts = {"n": n, "undecided": data.undecided, "failed": data.failed}
    if len(data.final) > n:
        counts["samples"] = int(data.samples.max())
    metrics = {name: Estimate(count, count, count) for name, count in counts.items()}
    if n == 0:
        return metrics
    value = _weighted(data, np.ones((1, n)))
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float64)
    spread = _weighted(data, draws)
    for name, (point,) in value.items():
        finite = spread[name][np.isfinite(spread[name])]
        if name in PROPORTIONS and len(data.final) == n:
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
        ValueError: The two hold different numbers of problems, or none that could be graded.
    """
    n = len(after.samples)
    if n == 0 == len(before.samples):
        raise ValueError("none of the problems could be graded, so there is nothing to compare")
    if n != len(before.samples):
        raise ValueError(f"cannot pair {n} problems with {len(before.samples)}")
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float64)
    weights = np.concatenate([np.ones((1, n)), draws])
    values_after, values_before = _weighted(after, weights), _weighted(before, weights)
    metrics = {}
    for name in values_after.keys() & values_before.keys():
        gap = values_after[name] - values_before[name]
        spread = gap[1:][np.isfinite(gap[1:])]
        low, high = np.percentile(spread, [2.5, 97.5]) if len(spread) else (math.nan, math.nan)
        metrics[name] = Estimate(float(gap[0]), float(low), float(high))
    return metrics


def summarize(data: Outcomes) -> dict[str, float]:
    """Computes every metric that is defined for `data`, without intervals."""
    if len(data.final) == 0:
        return {}
    values = _weighted(data, np.ones((1, len(data.samples))))
    return {name: float(v[0]) for name, v in values.items() if np.isfinite(v[0])}


def _weighted(data: Outcomes, problem_weights: Array) -> dict[str, Array]:
    """All metrics at once under (R, P) weights on the problems: R values each."""
    weights = (problem_weights / data.samples)[:, data.problem]
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
        "verdict_balanced": (where(data.truth, data.says) + where(1 - data.truth, 1 - data.says))
        / 2,
        "malformed_rate": _ratio(weights @ data.malformed, weights @ data.turns),
        "out_of_form_rate": _ratio(weights @ data.out_of_form, weights @ data.turns),
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
    return metrics | _lengths(data, weights) | _pass_at(data, problem_weights)


def _lengths(data: Outcomes, weights: Array) -> dict[str, Array]:
    """Lengths and truncation rates of turns, under (R, N) weights on the episodes."""
    known = np.isfinite(data.truncated)
    cut_off = np.where(known, data.truncated, 0.0)
    metrics = {
        "truncation_rate": _ratio(weights @ cut_off.sum(axis=1), weights @ known.sum(axis=1))
    }
    for turn in range(data.lengths.shape[1]):
        counted = np.isfinite(data.lengths[:, turn])
        lengths = turn_lengths(data.lengths[counted, turn], weights[:, counted])
        metrics |= {f"length_{n}_by_turn/{turn + 1}": v for n, v in lengths.items()}
        metrics[f"truncation_rate_by_turn/{turn + 1}"] = _ratio(
            weights @ cut_off[:, turn], weights @ known[:, turn]
        )
    return metrics


def turn_lengths(lengths: Array, weights: Array) -> dict[str, Array]:
    """Mean, 95th percentile and maximum of lengths under each row of `weights`, nan if all are 0.

    Args:
        lengths: (N,) lengths.
        weights: (R, N) weights.
    """
    order = np.argsort(lengths)
    lengths, weights = lengths[order], weights[:, order]
    total = weights.sum(axis=1)
    if not len(lengths):
        return {name: np.full(len(total), math.nan) for name in LENGTHS}
    p95 = (np.cumsum(weights, axis=1) >= 0.95 * total[:, None]).argmax(axis=1)
    last = len(lengths) - 1 - (weights[:, ::-1] > 0).argmax(axis=1)
    values = (_ratio(weights @ lengths, total), lengths[p95], lengths[last])
    return {name: np.where(total > 0, v, math.nan) for name, v in zip(LENGTHS, values, strict=True)}


def _pass_at(data: Outcomes, weights: Array) -> dict[str, Array]:
    """pass@k for powers of two and the number of samples, under (R, P) weights on the problems."""
    samples, most = data.samples, int(data.samples.max())
    if most == 1:
        return {}
    right = np.bincount(data.problem, data.final).astype(np.int64)
    metrics = {}
    for k in sorted({2**i for i in range(most.bit_length())} | {most}):
        enough = samples >= k
        estimates = pass_at_k(right[enough], samples[enough], k)
        metrics[f"pass@{k}"] = _ratio(weights[:, enough] @ estimates, weights @ enough)
    return metrics


def pass_at_k(right: Counts, samples: Counts, k: int) -> Array:
    """Returns the unbiased estimate of the chance that one of `k` samples is right, by problem.

    That is ``1 - C(n - c, k) / C(n, k)`` for c right ones of n samples (Chen et al. 2021,
    equation 1).

    Args:
        right: (P,) number of right samples.
        samples: (P,) number of samples, at least `k`.
        k: Number of samples that are drawn.
    """
    pairs = zip(right.tolist(), samples.tolist(), strict=True)
    return np.array([1 - math.comb(n - c, k) / math.comb(n, k) for c, n in pairs])


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
    """95% Wilson score interval of a share of `n` independent trials."""
    center = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, center - half), min(1.0, center + half)


def _ratio(numerator: Array, denominator: Array) -> Array:
    undefined = np.full(len(numerator), math.nan)
    return np.asarray(np.divide(numerator, denominator, out=undefined, where=denominator > 0))
