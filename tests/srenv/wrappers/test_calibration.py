"""`CalibrationStatistics`: how well verdicts agree with the grades."""

import pytest

from srenv.wrappers import CalibrationStatistics
from tests.support.environments import make_env, play, reset, turn


def test_the_last_step_reports_the_calibration_of_the_episode():
    env = CalibrationStatistics(make_env())
    reset(env)
    *_, info = play(env, [turn(4, "wrong (0.6)"), turn(5, "correct")])
    assert info["calibration"] == {
        "verdicts": 2,
        "agreement": 0.0,
        "brier": pytest.approx((0.6**2 + 1) / 2),
        "final_correct": False,
    }


def test_steps_before_the_last_report_nothing():
    env = CalibrationStatistics(make_env())
    reset(env)
    *_, info = env.step(turn(4, "wrong"))
    assert "calibration" not in info


def test_unreadable_verdicts_are_not_counted():
    env = CalibrationStatistics(make_env())
    reset(env)
    *_, info = play(env, ["x", turn(4, "correct (0.8)")])
    assert info["calibration"]["verdicts"] == 1
    assert info["calibration"]["brier"] == pytest.approx(0.2**2)


def test_the_summary_pools_the_verdicts_of_recent_episodes():
    env = CalibrationStatistics(make_env())
    for turns in ([turn(4, "correct (0.8)")], [turn(4, "wrong (0.6)"), turn(5, "correct")]):
        reset(env)
        play(env, turns)
    summary = env.summary()
    # Of the two verdicts on right attempts one says correct.
    assert summary["verdict_tpr"] == 0.5
    assert summary["brier_stated"] == pytest.approx((0.2**2 + 0.6**2 + 1) / 3)


def test_the_summary_forgets_episodes_beyond_the_buffer():
    env = CalibrationStatistics(make_env(), buffer_length=1)
    for answer in (5, 4):
        reset(env)
        play(env, [turn(answer, "correct")])
    assert env.summary()["accuracy_final"] == 1.0
