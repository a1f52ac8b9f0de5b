"""Exact solvers: solutions step by step, and what a judge should say of a step."""

import pytest

import srenv
from agents.recipes.process.search import written
from agents.recipes.process.solvers import SOLVERS, division_result, division_step
from tests.support.steps import EQUATION, LAST, ONE, TWO

SOLVER = SOLVERS["synthetic:linear"]


@pytest.mark.parametrize("source", SOLVERS)
def test_solutions_are_right(source):
    for problem in srenv.load_problems(source, "train").take(100):
        steps = SOLVERS[source].solution(problem)
        assert 2 <= len(steps) <= 4
        assert written(problem, steps).final.correct


def test_solutions_of_linear_have_three_steps():
    for problem in srenv.load_problems("synthetic:linear", "train").take(50):
        steps = SOLVER.solution(problem)
        assert len(steps) == 3
        assert written(problem, steps).final.correct
    assert SOLVER.solution(EQUATION) == [ONE, TWO, LAST]


def test_next_step_takes_earlier_steps_at_their_word():
    assert division_step(EQUATION, ["365-43=329"]) == "329/7=47"
    assert division_step(EQUATION, ["365-43=323"]) is None
    assert division_step(EQUATION, ["what"]) is None
    assert division_step(EQUATION, [ONE, "322/7=45"]) == "\\boxed{45}"
    assert division_step(EQUATION, [ONE, "what"]) is None
    assert division_step(EQUATION, [ONE, TWO, LAST]) is None
    assert [division_result(step) for step in (ONE, TWO, LAST, "-5+53=48")] == [322, 46, 46, 48]


def test_arithmetic_has_a_fourth_step():
    solver = SOLVERS["synthetic:arithmetic"]
    data = {"p": 396, "q": -66, "d": 5, "r": 68}
    problem = srenv.Problem("p", "Compute (396-66)/5+68.", "134", "test", data=data)
    steps = ["396-66=330", "330/5=66", "66+68=134", "\\boxed{134}"]
    assert solver.solution(problem) == steps
    assert division_step(problem, ["396-66=330", "330/5=60"]) == "60+68=128"
    assert solver.judgment(problem, steps[:1], "330/5=60", steps[1]) == (
        "[A] 5*60=300\n300-330=-30\n[[B]]"
    )
    assert solver.judgment(problem, steps[:2], "66+68=124", steps[2]) == (
        "[A] 66+68=134\n124-134=-10\n[[B]]"
    )


def test_result_of_a_step_is_read_from_the_whole_step():
    assert division_result("322/7") is division_result("so 322/7=46") is None


def test_judgment_checks_the_first_step_and_names_the_better():
    def judged(steps, first, right):
        return SOLVER.judgment(EQUATION, steps, first, right)

    assert judged([], "365-43=332", ONE) == "[A] 365-43=322\n332-322=10\n[[B]]"
    assert judged([ONE, TWO], LAST, LAST) == "[A] \\boxed{46}\n46-46=0\n[[A]]"
    assert judged([ONE], "322/7=45", TWO) == "[A] 7*45=315\n315-322=-7\n[[B]]"
    # A check that does not tell is left out: a wrong dividend with the right quotient, no step.
    assert judged([ONE], "320/7=46", TWO) == judged([ONE], "seven", TWO) == f"{TWO}\n[[B]]"


def test_words_are_judged_by_the_calculation():
    solver = SOLVERS["synthetic:words"]
    plan = [["There are {} pens.", 3, "*", 4], ["{} are left.", "#1", "-", 5]]
    problem = srenv.Problem("w", "", "7", "test", data={"steps": plan})
    right, wrong = "There are 3 * 4 = 12 pens.", "There are 3 * 4 = 13 pens."
    assert solver.judgment(problem, [], wrong, right) == f"[A] {right}\n13-12=1\n[[B]]"
    assert solver.judgment(problem, [], right, right) == f"[A] {right}\n12-12=0\n[[A]]"
    # After a wrong step, what follows from it is right.
    assert solver.next_step(problem, [wrong]) == "13 - 5 = 8 are left."
    last = "The answer is \\boxed{7}."
    steps = [right, "12 - 5 = 7 are left."]
    assert solver.judgment(problem, steps, "\\boxed{8}", last) == f"[A] {last}\n8-7=1\n[[B]]"
    assert solver.judgment(problem, steps, "no answer", last) == f"{last}\n[[B]]"
