"""Checks for your own problem sources, rewards, protocols and environments.

Every ``check_...`` function raises an AssertionError that says what is wrong, or returns nothing.
`lint_reward` returns what a policy could exploit. In a test suite::

    from srenv.testing import check_source, lint_reward

    def test_my_source():
        check_source("my_package.problems:source")

    def test_my_reward():
        assert lint_reward({"my_package.rewards:TERM": 1.0}) == []
"""

from srenv.testing.checks import check_protocol, check_reward, check_source
from srenv.testing.conformance import check_environment, check_vector_parity
from srenv.testing.lint import Finding, lint_reward

__all__ = [
    "Finding",
    "check_environment",
    "check_protocol",
    "check_reward",
    "check_source",
    "check_vector_parity",
    "lint_reward",
]
