"""Metrics of self-correction, from episodes to tables with confidence intervals.

`outcomes` lays episodes out as arrays, `measure` turns those into numbers, and `readings` names
the ways to read a file of episodes.
"""

from srenv.metrics.measure import (
    ECE_BINS,
    Estimate,
    Metrics,
    brier_score,
    calibration_error,
    difference,
    measure,
    summarise,
    wilson,
)
from srenv.metrics.outcomes import (
    Outcomes,
    any_turn,
    majority,
    majority_turn,
    outcomes,
    pool,
    turn_votes,
    vote_outcomes,
)
from srenv.metrics.readings import READINGS, Reading

__all__ = [
    "ECE_BINS",
    "READINGS",
    "Estimate",
    "Metrics",
    "Outcomes",
    "Reading",
    "any_turn",
    "brier_score",
    "calibration_error",
    "difference",
    "majority",
    "majority_turn",
    "measure",
    "outcomes",
    "pool",
    "summarise",
    "turn_votes",
    "vote_outcomes",
    "wilson",
]
