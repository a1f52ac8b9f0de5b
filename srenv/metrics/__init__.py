"""Metrics of self-correction, from episodes to tables with confidence intervals.

`Outcomes` holds episodes as arrays, `measure` turns those into numbers, and `READINGS` names the
ways to read a file of episodes.
"""

from srenv.metrics.curves import Reliability, final_confidence, reliability, risk_coverage
from srenv.metrics.measure import (
    ECE_BINS,
    Estimate,
    Metrics,
    brier_score,
    calibration_error,
    difference,
    measure,
    pass_at_k,
    summarize,
    wilson,
)
from srenv.metrics.outcomes import Outcomes, majority
from srenv.metrics.readings import READINGS, Reading

__all__ = [
    "ECE_BINS",
    "READINGS",
    "Estimate",
    "Metrics",
    "Outcomes",
    "Reading",
    "Reliability",
    "brier_score",
    "calibration_error",
    "difference",
    "final_confidence",
    "majority",
    "measure",
    "pass_at_k",
    "reliability",
    "risk_coverage",
    "summarize",
    "wilson",
]
