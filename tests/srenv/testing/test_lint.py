"""`lint_reward`: rewards that can be gamed, and those that cannot."""

import pytest

from srenv.testing import lint_reward


@pytest.mark.parametrize("options", [{}, {"max_attempts": 2, "skills": [0.2, 0.8]}])
def test_the_default_reward_cannot_be_gamed(options):
    assert lint_reward("default", **options) == []


@pytest.mark.parametrize(
    ("reward", "kinds"),
    [
        # SCoRe's bonus for a repair, alpha = 10: fail first, then repair.
        ("score", {"sandbagging"}),
        # Every right attempt is rewarded: ask for more of them.
        ("per_turn", {"loitering"}),
        # Only the verdict is rewarded: be wrong for sure, and say so.
        ("agreement=1", {"sandbagging"}),
        # Nothing depends on the verdict.
        ("answer_format=1", {"constant_verdict"}),
        ("correctness=1", {"loitering"}),
    ],
)
def test_a_reward_that_can_be_gamed_is_found_out(reward, kinds):
    findings = lint_reward(reward)
    assert kinds <= {finding.kind for finding in findings}
    for finding in findings:
        assert finding.profit >= -1e-9
        assert "turn 1" in finding.policy


def test_the_profit_of_sandbagging_is_that_of_a_hand_computed_toy():
    # Two attempts, a perfect check, skill 1/2, reward = final correctness + 3 per repair.
    # Honest, stopping at a passed check: 1/2 + 1/2 * 1/2 * (1 + 3) = 1.5.
    # Failing first: 1/2 * (1 + 3) = 2.
    reward = {"improvement": 1.0, "progress": 3.0}
    findings = lint_reward(reward, max_attempts=2, skills=[0.5], check=1.0)
    profits = [finding.profit for finding in findings if finding.kind == "sandbagging"]
    assert profits == [pytest.approx(0.5)]


@pytest.mark.parametrize("options", [{"max_attempts": 9}, {"check": 0.5}, {"skills": [1.0]}])
def test_arguments_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="must"):
        lint_reward(**options)
