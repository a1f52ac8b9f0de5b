"""`check_environment` on environments with other parts than the default ones."""

from srenv.testing import check_environment


def test_an_environment_with_a_users_own_source_and_another_reward_conforms():
    check_environment(problems="tests.srenv.testing.test_checks:sound", reward="per_turn")


def test_an_environment_in_which_the_model_is_asked_yes_or_no_conforms():
    check_environment(protocol="yes_no")
