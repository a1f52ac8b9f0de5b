"""`synthetic:programs`: seeded, disjoint, exact."""

from __future__ import annotations

import operator
from itertools import pairwise

import pytest

from srenv.problems import grade_batch, load_problems
from srenv.problems.families.programs import KINDS, Step, make_task
from srenv.testing import check_source
from tests.support.sandbox import real_sandbox

ADD = Step("add 3", "x = x + 3", lambda x: x + 3)
DOUBLE = Step("double it", "x = x * 2", lambda x: x * 2)
NOTHING = Step("do nothing", "x = x", lambda x: x)


def count_steps(answer: str) -> int:
    lines = [line.strip() for line in answer.split("\n")]
    return sum(line.startswith(("x = ", "if ")) and "input()" not in line for line in lines) - sum(
        line.startswith("if ") for line in lines
    )


def test_examples_are_in_the_prompt_and_hidden_tests_are_not() -> None:
    task = make_task([ADD, DOUBLE], lists=False, prints=False)
    assert task is not None
    assert task.prompt.startswith("Write a function f(x) of an integer: add 3, then double it.\nf(")
    assert task.answer == "def f(x):\n    x = x + 3\n    x = x * 2\n    return x"
    assert task.data is not None
    for call, result in task.data["examples"]:
        assert f"{call} = {result}" in task.prompt
        value = int(call[2:-1])
        assert int(result) == (value + 3) * 2
        assert f"candidate({value})" not in task.data["tests"]
    assert task.data["tests"].count("assert") == 10


def test_a_step_that_changes_nothing_makes_no_task() -> None:
    assert make_task([ADD, NOTHING], lists=False, prints=False) is None
    zero = Step("multiply by 0", "x = x * 0", lambda x: x * 0)
    assert make_task([zero], lists=False, prints=True) is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("steps", "counts"), [("1", {1}), ("2-3", {2, 3})])
def test_difficulty_is_the_number_of_steps(kind: str, steps: str, counts: set[int]) -> None:
    problems = load_problems(f"synthetic:programs?kind={kind}&steps={steps}").take(30)
    assert {count_steps(problem.answer) for problem in problems} == counts
    assert {"cases" in problem.data for problem in problems} == {kind == "print"}


@pytest.mark.parametrize("options", ["kind=number&steps=1", "kind=inferred&steps=1"])
def test_splits_share_no_task(options: str) -> None:
    train, test = (
        {p.answer for p in load_problems(f"synthetic:programs?{options}", split).take(n)}
        for split, n in (("train", 140), ("eval", 20))
    )
    assert not train & test


def test_problems_are_the_same_in_every_process() -> None:
    problem = load_problems("synthetic:programs").problem(7)
    assert problem == load_problems("synthetic:programs").find("programs/train/7")
    assert problem.id == "programs/train/7"


def test_an_inferred_number_is_left_out_and_follows_from_each_example() -> None:
    for problem in load_problems("synthetic:programs?kind=inferred&steps=1-3").take(60):
        steps = [tuple(line.split()[-2:]) for line in problem.answer.split("\n")[1:-1]]
        (sign, number), *rest = steps
        verb = "multiply by" if sign == "*" else "add"
        assert f"an integer: {verb} some number" in problem.prompt
        for call, result in problem.data["examples"]:
            assert f"{call} = {result}" in problem.prompt
            value = int(call[2:-1])
            tried = {n: calculated(value, [(sign, str(n)), *rest]) for n in range(10, 100)}
            assert [n for n, found in tried.items() if found == int(result)] == [int(number)]


def calculated(value: int, steps: list[tuple[str, ...]]) -> int:
    """What steps, each a sign and a number, make of a value."""
    for sign, number in steps:
        value = {"*": operator.mul, "+": operator.add, "-": operator.sub}[sign](value, int(number))
    return value


def test_multiplications_and_additions_take_turns() -> None:
    problems = load_problems("synthetic:programs?kind=inferred&steps=4").take(30)
    signs = [[line.split()[3] for line in p.answer.split("\n")[1:-1]] for p in problems]
    assert all((a == "*") != (b == "*") for row in signs for a, b in pairwise(row))
    assert {row[0] for row in signs} == {"*", "+"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("synthetic:programs?steps=0", "steps are a number"),
        ("synthetic:programs?steps=3-1", "steps are a number"),
        ("synthetic:programs?steps=x", "steps are a number"),
        ("synthetic:programs?kind=lists", "Did you mean 'list'"),
        ("synthetic:programs?size=3", "unknown option"),
    ],
)
def test_unknown_options_are_refused(source: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_problems(source)


def test_reference_solutions_agree_with_the_tests() -> None:
    real_sandbox()
    problems = load_problems("synthetic:programs?steps=1-4").take(60)
    grades = grade_batch(problems, [problem.answer for problem in problems])
    assert {graded.reason for graded in grades} == {"passed"}
    check_source("synthetic:programs")
    check_source("synthetic:programs?kind=inferred")
