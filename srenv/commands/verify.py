"""Grades one answer, and explains the grade."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated

import tyro
from rich.console import Console
from rich.text import Text

from srenv.verifier import Grade, explain
from srenv.verifier.trace import Step

EXIT_STATUS = {True: 0, False: 1, None: 2}
"""Exit status by grade: 0 right, 1 wrong, 2 undecided."""

_WORDS = {True: ("right", "green"), False: ("wrong", "red"), None: ("undecided", "yellow")}


@dataclass(frozen=True, slots=True)
class VerifyConfig:
    """Grade an answer against a gold answer. Exit status: 0 right, 1 wrong, 2 undecided."""

    gold: Annotated[str, tyro.conf.Positional]
    """The gold answer."""
    answer: Annotated[str, tyro.conf.Positional]
    """An answer, or a whole turn; "-" reads it from standard input."""
    explain: bool = False
    """Also print what was extracted, how both sides were read, and the rules that were tried."""


def verify(config: VerifyConfig) -> None:
    """Prints the grade of an answer.

    Raises:
        SystemExit: The answer is wrong (1) or undecided (2).
    """
    answer = sys.stdin.read() if config.answer == "-" else config.answer
    grade, steps = explain(config.gold, answer)
    console = Console(highlight=False)
    if config.explain:
        print_steps(console, steps)
    print_grade(console, grade)
    if grade.correct is not True:
        sys.exit(EXIT_STATUS[grade.correct])


def print_grade(console: Console, grade: Grade) -> None:
    """Prints the grade and the rule that decided."""
    word, color = _WORDS[grade.correct]
    console.print(Text.assemble((word, f"bold {color}"), f" (rule: {grade.reason})"))


def print_steps(console: Console, steps: list[Step]) -> None:
    """Prints the steps of a decision, one a line."""
    width = max((len(step.name) for step in steps), default=0)
    for name, detail in steps:
        console.print(Text.assemble((f"{name:{width}}", "cyan"), f"  {detail}"))
