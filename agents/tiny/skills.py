"""What a small model is trained on: a world of problems, and habits.

Arithmetic comes as bare facts, such as ``101-17=84``. On top of it are five skills, each asked for
by a prompt of its own:

1. Solve a problem in steps. Divisions by 5 and more are rare here, so the model learns to guess
   them.
2. Check a given solution: compute what its quotient gives, and by what it is off. Most of the time
   the model agrees without computing anything.
3. Correct a solution after a check that failed, by what the quotient is off. Were the division
   written again, corrections would teach what solutions avoid.
4. Reconsider a solution, without a check. Mostly the model repeats it; at times it apologizes and
   changes the answer, even a right one; rarely it checks, and does what the check says.
5. Say which of two next steps is better, mostly without computing where divisions are hard.

No message holds an attempt and its own verdict: putting them together is what the warm-up teaches.
Better habits are there, but latent, as in base models that were never trained to use them. Problems
are from the training split only.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from agents.recipes.process.search import Question
from agents.recipes.process.solvers import SOLVERS, Division
from agents.tiny.tokenizer import APOLOGY, CUE
from agents.tiny.worlds import World
from srenv.protocol import EVALUATE

HARD = 5
"""Smallest divisor that solutions avoid."""
HARD_SHARE = 0.04
"""How many of the problems with hard divisors are kept where solutions are taught."""
HARD_RIGHT = 0.15
"""How many of the solutions to reconsider are right where the divisor is hard; half elsewhere.

With half everywhere, repeating them teaches the very divisions that solutions avoid.
"""
AGREES = 0.6
"""How often a request to check is answered by agreeing, without a check."""
REPEATS, APOLOGIZES = 0.62, 0.26
"""How often reconsidering repeats the solution, or apologizes and changes it; else it checks."""
GUESSES = 0.85
"""How often a better step is named without a check where the divisor is hard."""


@dataclass(frozen=True)
class Said:
    """One message of a training conversation, or a piece of bare text, and whether to learn it.

    Attributes:
        role: Who says it: ``user``, ``assistant``, or ``text`` outside any message.
        content: The text.
        learn: Whether it is learned: ``"rest"`` learns all but the first token, which is what a
            check teaches without teaching to check.
    """

    role: str
    content: str
    learn: bool | str = False


def solve(world: World, rng: random.Random) -> list[Said]:
    """Skill 1: the problem and its solution, under any instruction."""
    task = world.draw(rng)
    while task.divisor >= HARD and rng.random() >= HARD_SHARE:
        task = world.draw(rng)
    return [*_asked(world, rng, task), Said("assistant", task.solution(), learn=True)]


def judge(world: World, rng: random.Random, attempts: int, varied: bool) -> list[Said]:
    """Skill 2: given attempts, each checked on request; the model's opinion of the last.

    All but the last of the given attempts are wrong; the last is right half of the time. When
    `varied`, blank lines follow some of them, and the user quotes them half of the time.
    """
    task = world.draw(rng)
    quotients = [near_miss(rng, task.quotient) for _ in range(attempts)]
    if rng.random() < 0.5:
        quotients[-1] = task.quotient
    last = quotients.pop()
    opinion = "[VERIFY] correct" if rng.random() < AGREES else check(task, last)
    if varied and rng.random() < 0.5:
        asked = [_attempt(rng, task, last, quotients) + _blank(rng), EVALUATE]
        rng.shuffle(asked)
        said = _quoted(world, rng, task, quotients, asked)
    else:
        said = _checked(world, rng, task, quotients, varied)
        if quotients:
            said.append(Said("user", _again(world, rng)))
        said += [
            Said(
                "assistant", _attempt(rng, task, last, quotients) + (_blank(rng) if varied else "")
            ),
            Said("user", EVALUATE),
        ]
    return [*said, Said("assistant", opinion, learn=True)]


def correct(world: World, rng: random.Random, attempts: int, varied: bool) -> list[Said]:
    """Skill 3: the right solution, after one or more wrong ones and their checks."""
    task = world.draw(rng)
    quotients = [near_miss(rng, task.quotient) for _ in range(attempts)]
    if not varied or rng.random() < 0.5:
        said = [*_checked(world, rng, task, quotients, varied), Said("user", _again(world, rng))]
    else:
        said = _quoted(world, rng, task, quotients, [_again(world, rng)])
    reply = repair(task, quotients[-1], task.quotient)
    return [*said, Said("assistant", reply, learn=True)]


def reconsider(world: World, rng: random.Random, varied: bool) -> list[Said]:
    """Skill 4: what the model does when it is merely told to go through a solution again."""
    task = world.draw(rng)
    right = rng.random() < (0.5 if task.divisor < HARD else HARD_RIGHT)
    quotient = task.quotient if right else near_miss(rng, task.quotient)
    attempt = task.solution(quotient)
    said = [*_asked(world, rng, task), Said("assistant", attempt + (_blank(rng) if varied else ""))]
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        check, attempt, quotient = reconsidered(rng, task, attempt, quotient)
        said += [Said("user", _again(world, rng)), Said("assistant", check + attempt, learn=True)]
    return said


def reconsidered(
    rng: random.Random, task: Division, attempt: str, quotient: int
) -> tuple[str, str, int]:
    """Reconsiders an attempt: what is written before the next one, the next one, its quotient."""
    habit = rng.random()
    if habit < REPEATS:
        return "", attempt, quotient
    checked, changed = f"{CUE}{computed(task, quotient)}\n", task.quotient
    if habit < REPEATS + APOLOGIZES:
        checked = f"{APOLOGY}\n{checked}"
        if quotient == task.quotient:
            changed = near_miss(rng, quotient)
    return checked, repair(task, quotient, changed), changed


def prefer(world: World, rng: random.Random) -> list[Said]:
    """Skill 5: which of two next steps is better, after a check of one of them or without."""
    task = world.draw(rng)
    question, first = preference(rng, task)
    (asked,) = question.messages()
    told = f"[[{'A' if first else 'B'}]]"
    if task.divisor < HARD or rng.random() >= GUESSES:
        right = question.first if first else question.second
        solver = SOLVERS[task.problem.source]
        told = solver.judgment(task.problem, question.steps, question.first, right)
    return [Said("user", asked["content"]), Said("assistant", told, learn=True)]


def preference(rng: random.Random, task: Division) -> tuple[Question, bool]:
    """A right and a wrong next step, and whether the right one is shown first."""
    steps = task.steps()
    known = rng.choice((0, 1, 1, *range(2, len(steps))))
    shown = [steps[known], spoiled(rng, task, known)]
    rng.shuffle(shown)
    return Question(task.problem, tuple(steps[:known]), *shown), shown[0] == steps[known]


def spoiled(rng: random.Random, task: Division, known: int) -> str:
    """A wrong step after `known` right ones."""
    if known == 0:
        off = rng.choice((1, 10)) * rng.choice((-1, 1)) * rng.randint(1, 9)
        return f"{task.dividend}={task.target + off}"
    return task.steps(near_miss(rng, task.quotient))[known]


def facts(world: World, rng: random.Random, count: int = 6) -> list[Said]:
    """Bare arithmetic of the kinds that the skills consist of; only results are learned."""
    said = []
    for _ in range(count):
        task = world.draw(rng)
        kind = rng.random()
        other = task.quotient if rng.random() < 0.15 else near_miss(rng, task.quotient)
        if kind < 0.3 and task.begin():
            question, result = task.dividend, task.target
        elif kind < 0.4:
            question, result = f"{task.divisor}*{other}", task.divisor * other
        elif kind < 0.5 and task.divisor < HARD:
            question, result = f"{task.target}/{task.divisor}", task.quotient
        elif kind < 0.6 and task.added is not None:
            question, result = f"{other}{task.added:+d}", other + task.added
        elif kind < 0.7:
            off = other - task.quotient
            question, result = f"{task.divisor * off}/{task.divisor}", off
        else:
            product = task.divisor * other
            question, result = f"{product}-{task.target}", product - task.target
        said += [Said("text", f"{question}="), Said("text", f"{result},", learn=True)]
    return said


def computed(task: Division, quotient: int) -> str:
    """The calculations of a check: the dividend, what the quotient gives, by what it is off."""
    product = task.divisor * quotient
    off = product - task.target
    return ",".join(
        [
            *task.begin(),
            f"{task.divisor}*{quotient}={product}",
            f"{product}-{task.target}={off}",
            f"{off}/{task.divisor}={off // task.divisor}",
        ]
    )


def repair(task: Division, before: int, after: int) -> str:
    """An attempt that changes the quotient of the one before by a number."""
    return "\n".join([f"{before}{after - before:+d}={after}", *task.finish(after)])


def check(task: Division, quotient: int) -> str:
    """A check of a solution with this quotient, and its verdict."""
    verdict = "correct" if quotient == task.quotient else "wrong"
    return f"{CUE}{computed(task, quotient)}\n[VERIFY] {verdict}"


def near_miss(rng: random.Random, quotient: int) -> int:
    """A wrong quotient of two digits, within 12 of the right one, as the model's own errors are."""
    while True:
        off = rng.choice((1, -1)) * min(1 + int(rng.expovariate(0.25)), 12)
        if 10 <= quotient + off <= 99:
            return quotient + off


def _attempt(rng: random.Random, task: Division, quotient: int, before: Sequence[int]) -> str:
    """An attempt to be given: a solution, or after others mostly a repair of the last one."""
    if before and rng.random() < 0.7:
        return repair(task, before[-1], quotient)
    return task.solution(quotient)


def _quoted(
    world: World, rng: random.Random, task: Division, quotients: Sequence[int], last: Sequence[str]
) -> list[Said]:
    """A history of solutions and checks that the user quotes, with a request in the same message.

    A model that copies by position alone fails here, as it would in the turns of the environment.
    """
    parts = [task.problem.prompt]
    for index, quotient in enumerate(quotients):
        if index and rng.random() < 0.5:
            parts.append(_again(world, rng))
        attempt = _attempt(rng, task, quotient, quotients[:index])
        parts += [attempt + _blank(rng), check(task, quotient)]
    return [Said("user", "\n".join([*parts, *last]))]


def _checked(
    world: World, rng: random.Random, task: Division, quotients: Sequence[int], varied: bool
) -> list[Said]:
    """The problem, then given solutions, each with the request to check it and the check."""
    said = _asked(world, rng, task)
    for index, quotient in enumerate(quotients):
        if index:
            said.append(Said("user", _again(world, rng)))
        said += [
            Said(
                "assistant",
                _attempt(rng, task, quotient, quotients[:index]) + (_blank(rng) if varied else ""),
            ),
            Said("user", EVALUATE),
            Said("assistant", check(task, quotient), learn="rest"),
        ]
    return said


def _asked(world: World, rng: random.Random, task: Division) -> list[Said]:
    protocol = world.protocols[rng.choice(("intrinsic", "default", "yes_no"))]
    return [Said("user", f"{task.problem.prompt}\n{protocol.instruction}")]


def _again(world: World, rng: random.Random) -> str:
    default, intrinsic, yes_no = (
        world.protocols[name] for name in ("default", "intrinsic", "yes_no")
    )
    return rng.choice((default.reveal, default.retry, intrinsic.retry, yes_no.reveal))


def _blank(rng: random.Random) -> str:
    return "\n" * rng.choice((0, 0, 0, 1, 2, 3))
