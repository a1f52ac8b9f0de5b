"""Curves of confidence: how often a confidence is right, and what answering less would save."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from srenv.metrics.measure import ECE_BINS
from srenv.metrics.outcomes import Array, Outcomes


@dataclass(frozen=True, slots=True)
class Reliability:
    """A reliability curve: B bins of confidence that are not empty, from low to high.

    Attributes:
        confidence: (B,) mean confidence in the bin.
        accuracy: (B,) share of the bin that is right.
        share: (B,) share of all that is in the bin.
    """

    confidence: Array
    accuracy: Array
    share: Array


def reliability(confidence: Array, truth: Array) -> Reliability:
    """Returns the reliability curve over the bins of the ECE; confidences of nan are left out.

    Args:
        confidence: (M,) probability of being right, by the model.
        truth: (M,) 1 if it is right.
    """
    known = np.isfinite(confidence)
    confidence, truth = confidence[known], truth[known]
    bins = np.minimum((confidence * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    members = [bins == index for index in np.unique(bins)]
    return Reliability(
        np.array([confidence[inside].mean() for inside in members]),
        np.array([truth[inside].mean() for inside in members]),
        np.array([inside.mean() for inside in members]),
    )


def risk_coverage(confidence: Array, truth: Array) -> Array:
    """Returns the risk at every coverage (El-Yaniv and Wiener 2010, section 2).

    Entry k is the share of wrong answers among the k + 1 most confident of N. Answers of equal
    confidence are in no order: each counts as wrong as they are on average. Those without a
    confidence are the least confident.

    Args:
        confidence: (N,) probability of being right, by the model; nan if unknown.
        truth: (N,) 1 if the answer is right.
    """
    ranked = np.where(np.isfinite(confidence), confidence, -math.inf)
    _, group, count = np.unique(-ranked, return_inverse=True, return_counts=True)
    mean = np.bincount(group, 1 - truth) / count
    return np.asarray(np.cumsum(np.repeat(mean, count)) / np.arange(1, len(truth) + 1))


def final_confidence(outcomes: Outcomes, kind: str) -> Array:
    """Returns the confidence in the last attempt of every episode; nan without a readable verdict.

    Args:
        outcomes: What was played.
        kind: ``"token"`` or ``"stated"``; see `Outcomes`.
    """
    confidence = np.full(len(outcomes.final), math.nan)
    last = outcomes.turn == outcomes.turns[outcomes.owner]
    confidence[outcomes.owner[last]] = getattr(outcomes, kind)[last]
    return confidence
