"""What the bundled model is trained on from nothing: arithmetic, and four skills on top of it.

Arithmetic comes as bare facts, such as ``101-17=84``. The skills are each asked for by a prompt:

1. Answer a linear equation at sight.
2. Judge a given answer: compute what the equation asks for and what the answer gives, compare.
3. Answer again after a failed check.
4. Judge which of two next steps of a solution is better.

The skills are kept apart: never does an attempt come with its own verdict in one message. Putting
them together is what the warm-up teaches. Problems are the training split's alone.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agents.recipes.process.search import Question
from agents.recipes.process.solvers import SOLVERS, linear_result
from agents.tiny.tokenizer import CUE
from srenv.domains import find_domain
from srenv.episode import Problem
from srenv.problems import load_problems
from srenv.protocol import EVALUATE, PROTOCOLS

_TEACHER = SOLVERS["synthetic:linear"]
_TRAIN = load_problems("synthetic:linear", "train")
_DEFAULT, _INTRINSIC, _YES_NO = (
    PROTOCOLS[name].worded(find_domain("maths")) for name in ("default", "intrinsic", "yes_no")
)


@dataclass(frozen=True)
class Said:
    """One message of a training conversation, or a piece of bare text, and whether to learn it."""

    role: str
    content: str
    learn: bool = False


def _draw(rng: random.Random) -> Problem:
    """A problem for training; every third time one of the shapes that the source seldom has.

    Without these the model checks `c-b` badly where `b` has one digit or `c` is negative, and
    then refuses right answers.
    """
    seldom = rng.random() < 1 / 3
    while True:
        problem = _TRAIN.problem(rng.getrandbits(40))
        if not seldom or abs(problem.data["b"]) < 10 or problem.data["c"] < 0:
            return problem


def at_sight(rng: random.Random) -> list[Said]:
    """Skill 1: the problem and its answer, under any instruction."""
    problem = _draw(rng)
    return [*_asked(rng, problem), Said("assistant", _boxed(problem.answer), learn=True)]


def judge(rng: random.Random, attempts: int, varied: bool) -> list[Said]:
    """Skill 2: given attempts, each checked on request.

    All but the last of the given attempts are wrong; the last one is right half of the time. When
    `varied`, blank lines follow some of them, and the user quotes them half of the time.
    """
    problem = _draw(rng)
    x = int(problem.answer)
    answers = [near_miss(rng, x) for _ in range(attempts)]
    if rng.random() < 0.5:
        answers[-1] = x
    if not varied or rng.random() < 0.5:
        return _checked(rng, problem, answers, varied, learn=True)
    last = [_boxed(answers[-1]) + _blank(rng), EVALUATE]
    rng.shuffle(last)
    said = _quoted(rng, problem, answers[:-1], last)
    return [*said, Said("assistant", check(problem.data, answers[-1]), learn=True)]


def revise(rng: random.Random, attempts: int, varied: bool) -> list[Said]:
    """Skill 3: the right answer, after one or more wrong ones and their checks."""
    problem = _draw(rng)
    x = int(problem.answer)
    answers = [near_miss(rng, x) for _ in range(attempts)]
    if not varied or rng.random() < 0.5:
        said = [*_checked(rng, problem, answers, varied), Said("user", _again(rng))]
    else:
        said = _quoted(rng, problem, answers, [_again(rng)])
    return [*said, Said("assistant", _boxed(x), learn=True)]


def prefer(rng: random.Random) -> list[Said]:
    """Skill 4: which of two next steps is better: the right one, and how far A is from it."""
    question, first = preference(rng, _draw(rng))
    right = question.first if first else question.second
    (asked,) = question.messages()
    told = [right, f"[[{'A' if first else 'B'}]]"]
    found, due = linear_result(question.first), linear_result(right)
    if found is not None and due is not None and (found == due) == first:
        told.insert(1, f"{found}-{due}={found - due}")
    return [Said("user", asked["content"]), Said("assistant", "\n".join(told), learn=True)]


def preference(rng: random.Random, problem: Problem) -> tuple[Question, bool]:
    """A right and a wrong next step, and whether the right one stands first."""
    steps = _TEACHER.solution(problem)
    known = rng.choice((0, 0, 1, 1, 2))
    right = steps[known]
    shown = [right, spoiled(rng, problem, known)]
    rng.shuffle(shown)
    return Question(problem, tuple(steps[:known]), *shown), shown[0] == right


def spoiled(rng: random.Random, problem: Problem, known: int) -> str:
    """A wrong step after `known` right ones."""
    a, b, c = (problem.data[name] for name in "abc")
    x = int(problem.answer)
    wrong = near_miss(rng, x)
    if known == 0:
        off = rng.choice((1, 10)) * rng.choice((-1, 1)) * rng.randint(1, 9)
        return f"{c}{-b:+d}={c - b + off}"
    if known == 1:
        return f"{a}*{wrong}={a * (wrong if rng.random() < 0.8 else x)}"
    return _boxed(wrong)


def _quoted(
    rng: random.Random, problem: Problem, answers: Sequence[int], last: Sequence[str]
) -> list[Said]:
    """A history of answers and checks that the user quotes, with a request in the same message.

    A model that copies by position alone fails here, as it would in the turns of the environment.
    """
    parts = [problem.prompt]
    for index, answer in enumerate(answers):
        if index and rng.random() < 0.5:
            parts.append(_again(rng))
        parts += [_boxed(answer) + _blank(rng), check(problem.data, answer)]
    return [Said("user", "\n".join([*parts, *last]))]


def _blank(rng: random.Random) -> str:
    return "\n" * rng.choice((0, 0, 0, 1, 2, 3))


def _asked(rng: random.Random, problem: Problem) -> list[Said]:
    protocol = rng.choice((_INTRINSIC, _DEFAULT, _YES_NO))
    return [Said("user", f"{problem.prompt}\n{protocol.instruction}")]


def _again(rng: random.Random) -> str:
    return rng.choice((_DEFAULT.reveal, _DEFAULT.retry, _INTRINSIC.retry, _YES_NO.reveal))


def _boxed(answer: int | str) -> str:
    return f"\\boxed{{{answer}}}"


def _checked(
    rng: random.Random,
    problem: Problem,
    answers: Sequence[int],
    varied: bool,
    learn: bool = False,
) -> list[Said]:
    """The problem, then given answers, each with the request to check it and the check."""
    said = _asked(rng, problem)
    for index, answer in enumerate(answers):
        if index:
            said.append(Said("user", _again(rng)))
        said += [
            Said("assistant", _boxed(answer) + (_blank(rng) if varied else "")),
            Said("user", EVALUATE),
            Said("assistant", check(problem.data, answer), learn),
        ]
    return said


def facts(rng: random.Random, count: int = 6) -> list[Said]:
    """Bare arithmetic of the kinds that the skills consist of; only results are learned."""
    said = []
    for _ in range(count):
        problem = _draw(rng)
        a, b, c = (problem.data[name] for name in "abc")
        x = int(problem.answer)
        kind = rng.random()
        if kind < 0.5:
            question, result = f"{c}{-b:+d}=", c - b
        elif kind < 0.6:
            question, result = f"{a}*{x}=", a * x
        elif kind < 0.7:
            question, result = f"{a * x}/{a}=", x
        else:
            other = x if rng.random() < 0.15 else near_miss(rng, x)
            question, result = f"{a * other}-{a * x}=", a * (other - x)
        said += [Said("text", question), Said("text", f"{result},", learn=True)]
    return said


def check(equation: Mapping[str, int], answer: int) -> str:
    """The check of one answer: what ax must be, what it is, the difference, the verdict."""
    a, b, c = (equation[name] for name in "abc")
    target, product = c - b, a * answer
    verdict = "correct" if product == target else "wrong"
    return (
        f"{CUE}{c}{-b:+d}={target},{a}*{answer}={product},{product}-{target}={product - target}\n"
        f"[VERIFY] {verdict}"
    )


def near_miss(rng: random.Random, x: int) -> int:
    """A wrong two-digit answer, mostly near the right one, as the model's own errors are."""
    while True:
        kind = rng.random()
        if kind < 0.75:
            wrong = x + rng.choice((1, -1)) * min(1 + int(rng.expovariate(0.25)), 30)
        elif kind < 0.85:
            wrong = int(str(x)[::-1])
        else:
            wrong = rng.randint(10, 99)
        if wrong != x and 10 <= wrong <= 99:
            return wrong
