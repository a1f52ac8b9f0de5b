"""Word problems: stories whose solution uses every number, in sentences that are whole."""

from __future__ import annotations

import random
import re

import pytest

from srenv.problems import load_problems
from srenv.problems.families.words import (
    ARITHMETIC,
    STORIES,
    Story,
    cast,
    fill,
    outcome,
    read_result,
    solve,
    write_step,
)


def lines_of(steps: list[list[object]]) -> list[str]:
    """Returns the whole solution."""
    lines: list[str] = []
    while (line := solve(steps, lines)) is not None:
        lines.append(line)
    return lines


@pytest.mark.parametrize("story", ARITHMETIC + STORIES, ids=lambda story: story.texts[0][:40])
def test_every_wording_gives_the_numbers_that_the_solution_uses(story: Story) -> None:
    operands = {o for _, calculation in story.steps for o in calculation.split()[::2]}
    used = {operand for operand in operands if operand.isalpha()}
    for text in story.texts:
        named = set(re.findall(r"\{(\w+)\}", text))
        assert named & set("abcd") == used == set(story.numbers), text
    # Every result but the last is used by a later step.
    references = {operand for operand in operands if operand[0] == "#"}
    assert references == {f"#{k}" for k in range(1, len(story.steps))}


@pytest.mark.parametrize("story", ARITHMETIC + STORIES, ids=lambda story: story.texts[0][:40])
def test_numbers_of_a_story_are_found_quickly(story: Story) -> None:
    rng = random.Random(0)
    tries = 2000
    draws = [{n: rng.randint(*span) for n, span in story.numbers.items()} for _ in range(tries)]
    names = cast(rng)
    assert sum(outcome(fill(story, numbers, names)) is not None for numbers in draws) > tries // 50


def test_problems_of_each_length_are_equally_frequent() -> None:
    problems = load_problems("synthetic:words").take(900)
    counts = [sum(len(p.data["steps"]) == length for p in problems) for length in (1, 2, 3)]
    assert sum(counts) == 900
    assert min(counts) > 240


def test_problems_of_one_step_stay_in_the_multiplication_table() -> None:
    operations = set()
    for problem in load_problems("synthetic:words").take(900):
        if len(problem.data["steps"]) == 1:
            ((_, left, sign, right),) = problem.data["steps"]
            numbers = sorted((left, right, int(problem.answer)))
            assert numbers[-1] < 200
            if sign in "*/":  # a product and its two factors
                assert numbers[0] * numbers[1] == numbers[2]
                assert numbers[1] <= 12
            operations.add(sign)
    assert operations == {"+", "-", "*", "/"}


def test_solutions_end_in_the_gold_answer() -> None:
    for problem in load_problems("synthetic:words", "eval").take(300):
        lines = lines_of(problem.data["steps"])
        assert lines[-1] == f"The answer is \\boxed{{{problem.answer}}}."
        for line in lines[:-1]:
            ((expression, result),) = re.findall(r"(\d+ [-+*/] \d+) = (\d+)", line)
            assert eval(expression) == int(result) >= 2
        assert "{" not in problem.prompt


def test_a_wrong_line_is_taken_at_its_word() -> None:
    steps = [["{} in all.", 9, "-", 3], ["Each gets {}.", "#1", "/", 3]]
    assert solve(steps, ["9 - 3 = 9 in all."]) == "Each gets 9 / 3 = 3."
    assert solve(steps, ["9 - 3 = 5 in all."]) is None  # 5 / 3 is no whole number
    assert solve(steps, ["what"]) is solve(steps, ["what", "what"]) is None
    assert solve(steps, [*lines_of(steps), "more"]) is None
    assert write_step(["{}", 5, "/", 0], []) is None


def test_results_are_read_from_calculations() -> None:
    assert read_result("That is 12 * 4 = 48 dollars.") == 48
    assert read_result("5 - 9 = -4.") == -4
    assert read_result("about 48") is read_result("1 + 1 = " + "9" * 50) is None


@pytest.mark.parametrize(("steps", "counts"), [("1", {1}), ("1-2", {1, 2}), ("2-3", {2, 3})])
def test_the_number_of_steps_can_be_chosen(steps: str, counts: set[int]) -> None:
    problems = load_problems(f"synthetic:words?steps={steps}", "eval").take(60)
    assert {len(problem.data["steps"]) for problem in problems} == counts


def test_steps_that_no_story_has_are_refused() -> None:
    with pytest.raises(ValueError, match="steps are a number from 1 to 3"):
        load_problems("synthetic:words?steps=4")
