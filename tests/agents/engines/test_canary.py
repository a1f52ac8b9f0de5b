"""The warning about stale weights; `disagreement` itself is tested with the doctor and vLLM."""

import warnings

import pytest

from agents.engines.canary import TOLERANCE, warn_if_stale

GAP = "sampling/sampling_logp_difference/mean"


def test_a_gap_above_the_tolerance_warns():
    with pytest.warns(UserWarning, match="weights are probably stale"):
        warn_if_stale({GAP: [0.0, 2 * TOLERANCE]})


@pytest.mark.parametrize("metrics", [{}, {GAP: []}, {GAP: [2 * TOLERANCE, TOLERANCE / 2]}])
def test_the_latest_gap_alone_decides(metrics):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_stale(metrics)
