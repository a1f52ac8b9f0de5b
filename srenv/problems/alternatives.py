"""The checker ``alternatives``: any of several gold answers is right."""

from __future__ import annotations

from dataclasses import replace

from srenv.domains import find_domain
from srenv.episode import Problem
from srenv.verifier.grade import Grade


def check_alternatives(problem: Problem, answer: str) -> Grade:
    """Grades by each gold answer in ``problem.data["answers"]``: one that accepts is enough.

    An answer that none accepts and one cannot decide is undecided.

    Raises:
        TypeError: The data does not hold a list of texts.
    """
    answers = problem.data["answers"]
    if not isinstance(answers, list) or not all(isinstance(gold, str) for gold in answers):
        raise TypeError("data['answers'] must be a list of texts")
    golds = [replace(problem, answer=gold) for gold in answers]
    grades = find_domain(problem.domain).grade_batch(golds, [answer] * len(golds))
    order = (True, None, False)
    return min(grades, key=lambda grade: order.index(grade.correct))
