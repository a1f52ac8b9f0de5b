"""Teaching a judge of steps, and measuring it, by questions of which the first step is right.

Zhang et al. 2025 (arXiv 2503.03746), section 3.2; their questions come from a reward model and
their judgments from a larger one, these from an exact solver.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agents.engines import Engine
from agents.models.chat import ChatFormat
from agents.recipes.process.search import (
    JUDGING,
    Question,
    StepSearch,
    context_ids,
    judge,
    step_ids,
)
from agents.recipes.process.solvers import Solver
from agents.training.dpo import Preference
from agents.training.sft import Demonstration, whole_turns
from srenv.conversation import Conversation, Rules
from srenv.episode import Problem
from srenv.json_files import write_json
from srenv.records import read_json


def questions_from(
    solver: Solver,
    problems: Sequence[Problem],
    contexts: Sequence[Sequence[str]],
    proposed: Sequence[Sequence[str]],
) -> list[Question]:
    """Returns one question for every problem with a wrong next step among the proposals."""
    questions = []
    for problem, context, steps in zip(problems, contexts, proposed, strict=True):
        right = solver.next_step(problem, context)
        wrong = next((step for step in steps if step != right), None)
        if right and wrong:
            questions.append(Question(problem, tuple(context), right, wrong))
    return questions


def judgments(solver: Solver, question: Question) -> list[Demonstration]:
    """What a judge should say of a right and a wrong step, in both orders."""
    right, wrong = question.first, question.second
    rules = Rules(JUDGING, 1)
    demonstrations = []
    for first, second, letter in ((right, wrong, "A"), (wrong, right, "B")):
        variant = Question(question.problem, question.steps, first, second)
        problem = Problem(f"judge/{variant.problem.id}/{letter}", variant.text(), letter, "judge")
        conversation = Conversation(problem, rules)
        conversation.step(solver.judgment(question.problem, question.steps, first, right))
        demonstrations.append(Demonstration(conversation.episode, whole_turns(0), "judging"))
    return demonstrations


def write_questions(path: Path, questions: Sequence[Question]) -> None:
    """Writes questions to a file."""
    write_json(path, [[q.problem.id, q.steps, q.first, q.second] for q in questions])


def read_questions(path: Path, find: Callable[[str], Problem]) -> list[Question]:
    """Reads questions, with the problems that `find` knows by id."""
    stored = read_json(path, list[list[Any]])
    return [
        Question(find(problem), tuple(steps), right, wrong)
        for problem, steps, right, wrong in stored
    ]


def measure_judge(
    engine: Engine, questions: Sequence[Question], max_new_tokens: int
) -> dict[str, Any]:
    """Asks every question in both orders.

    Returns:
        How many pairs there were, the share of right judgments, the share of pairs that were
        judged alike in both orders, and the number of right judgments of each pair (0 to 2).
    """
    swapped = [Question(q.problem, q.steps, q.second, q.first) for q in questions]
    in_order = judge(engine, questions, max_new_tokens)
    turned = judge(engine, swapped, max_new_tokens)
    right = [(a is True) + (b is False) for a, b in zip(in_order, turned, strict=True)]
    alike = [None not in both and both[0] != both[1] for both in zip(in_order, turned, strict=True)]
    return {
        "pairs": len(questions),
        "accuracy": sum(right) / (2 * len(questions)),
        "consistent": sum(alike) / len(questions),
        "right": right,
    }


def write_preferences(
    path: Path, problems: Sequence[Problem], searches: Sequence[StepSearch]
) -> int:
    """Writes the preferences of one search per problem; returns how many there are."""
    pairs = [
        [problem.id, pair.context, pair.best, pair.worst]
        for problem, search in zip(problems, searches, strict=True)
        for pair in search.pairs
        if pair is not None
    ]
    write_json(path, pairs)
    return len(pairs)


def read_preferences(
    path: Path, chat: ChatFormat, find: Callable[[str], Problem]
) -> list[Preference]:
    """Reads preferences in a model's tokens, with the problems that `find` knows by id."""
    return [
        Preference(
            context_ids(chat, find(problem), context), step_ids(chat, best), step_ids(chat, worst)
        )
        for problem, context, best, worst in read_json(path, list[list[Any]])
    ]
