"""`Outcomes`: what counts as the answer of an episode, and votes over answers."""

from dataclasses import replace

import pytest

from srenv.domains.math import MATH
from srenv.metrics import Outcomes, majority, summarize
from tests.support.episodes import made_episode as episode
from tests.support.episodes import made_turn as turn

HALF, SAME, OTHER = (
    turn(correct, answer=answer)
    for answer, correct in (("\\frac12", True), ("0.5", True), ("3", False))
)


def test_equal_answers_vote_together():
    assert majority([OTHER, HALF, SAME], MATH)


def test_a_tie_goes_to_the_answer_given_first():
    assert not majority([OTHER, HALF], MATH)
    assert majority([HALF, OTHER], MATH)


def test_turns_without_an_answer_do_not_vote():
    none = turn(False, answer=None)
    assert not majority([none], MATH)
    assert majority([none, none, HALF], MATH)


@pytest.fixture
def votes():
    return Outcomes.of_votes([[episode(HALF), episode(OTHER), episode(SAME)]])


def test_the_first_attempt_of_a_vote_is_the_mean_over_its_samples(votes):
    assert votes.by_turn[0, 0] == pytest.approx(2 / 3)


def test_the_final_answer_of_a_vote_is_the_majority(votes):
    assert votes.final.tolist() == [1.0]


def test_a_vote_costs_the_tokens_of_all_its_samples(votes):
    assert votes.tokens.tolist() == [15.0]


def test_a_vote_with_an_ungraded_sample_is_left_out():
    outcomes = Outcomes.of_votes([[episode(HALF), episode(turn(None))]])
    assert (len(outcomes.final), outcomes.undecided) == (0, 1)


def test_turn_votes_take_the_majority_so_far():
    outcomes = Outcomes.of_turn_votes([episode(HALF, OTHER, OTHER)])
    assert outcomes.by_turn.tolist() == [[1.0, 1.0, 0.0]]


def test_an_oracle_stops_at_the_first_right_attempt():
    outcomes = Outcomes.of_any_turn([episode(OTHER, HALF, OTHER)])
    assert outcomes.final.tolist() == [1.0]
    assert outcomes.turns.tolist() == [2.0]


def test_pooled_runs_count_as_one():
    short, long = Outcomes.of([episode(HALF)]), Outcomes.of([episode(OTHER, HALF)])
    outcomes = Outcomes.pooled([short, long])
    assert outcomes.by_turn.tolist() == [[1.0, 1.0], [0.0, 1.0]]


# --- answers that are not in the form that was asked for ---------------------------------------

FORMED, MARKED = replace(HALF, answer_source="form"), replace(HALF, answer_source="marked")


def test_answers_out_of_form_are_counted():
    outcomes = Outcomes.of([episode(FORMED, MARKED, turn(False, answer=None)), episode(FORMED)])
    assert outcomes.out_of_form.tolist() == [1.0, 0.0]
    assert summarize(outcomes)["out_of_form_rate"] == 0.25


def test_samples_of_a_vote_out_of_form_are_counted():
    outcomes = Outcomes.of_votes([[episode(FORMED), episode(MARKED), episode(MARKED)]])
    assert outcomes.out_of_form.tolist() == [2.0]


def test_files_that_do_not_say_how_answers_are_given_have_no_such_rate():
    outcomes = Outcomes.pooled([Outcomes.of([episode(FORMED)]), Outcomes.of([episode(HALF)])])
    assert "out_of_form_rate" not in summarize(outcomes)
