"""What makes a task a task: its answers, and how they are asked for, found, graded and compared."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from srenv.episode import AnswerSource, Problem
from srenv.verifier.grade import Grade


class Extracted(NamedTuple):
    """The final answer of an attempt.

    Attributes:
        answer: The answer as written, or None when there is none.
        split: Character offset after which the model no longer solves the problem but checks its
            answer; the length of the text if it never does.
        source: How the answer is given.
    """

    answer: str | None
    split: int
    source: AnswerSource | None = "form"


class Domain(ABC):
    r"""A kind of task, such as math. Protocols, rewards, environments and recipes know no task.

    A domain holds no state. It is named in `Problem.domain` and found by
    `srenv.domains.find_domain`. Texts come from a model: every method is total on them, and takes
    time linear in their length or bounded by limits of its own.

    Attributes:
        name: Its name in `srenv.domains.DOMAINS`.
        answer_form: How a final answer is written, as a phrase that completes "give the answer
            ...", such as ``"in \\boxed{}"``.
        trials: How often `srenv validate` grades a gold answer: more than once if grading runs
            something, which may be flaky.
    """

    name: str
    answer_form: str
    trials: int = 1

    @abstractmethod
    def extract(self, text: str) -> Extracted:
        """Returns the final answer of an attempt, and where the attempt ends.

        Whether an answer counts that is not in the domain's form is up to the protocol
        (`srenv.protocol.Protocol.answer`): a domain says how it is given.

        Args:
            text: A turn without its verdict; its end if it is longer than the environment's limit.

        Returns:
            The answer, where the attempt ends, and how the answer is given.
        """

    @abstractmethod
    def write(self, answer: str) -> str:
        """Returns the shortest attempt that states `answer`: `extract` finds it again."""

    @abstractmethod
    def perturb(self, problem: Problem, others: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yields wrong answers to a problem, each after the name of what was done.

        `srenv validate` expects each to be refused. The first one is well formed: it serves where
        one wrong answer is needed.

        Args:
            problem: The problem.
            others: Gold answers of other problems that are wrong here.
        """

    def same(self, first: str, second: str) -> bool:
        """Returns whether two answers count as one in a vote; by default, if they are equal."""
        return first == second

    def prepare(self) -> None:
        """Gets ready to grade; by default there is nothing to do.

        Raises:
            Exception: Grading needs something that is not there, such as a sandbox.
        """
        return

    def run_examples(self, problem: Problem, answer: str) -> str:
        """Returns what the examples that a prompt shows say of an answer; by default nothing.

        The text becomes part of an observation (`srenv.protocol.Protocol.feedback`), so it may
        come from what the model has seen, and never from hidden tests.
        """
        return ""

    def grade_batch(self, problems: Sequence[Problem], answers: Sequence[str]) -> list[Grade]:
        """Grades answers to problems without a checker of their own, in order.

        By default an answer is right if it is the `same` as the gold one.

        Args:
            problems: One per answer.
            answers: The answers as extracted.
        """
        pairs = zip(problems, answers, strict=True)
        return [Grade(self.same(problem.answer, answer), self.name) for problem, answer in pairs]

    def reduce(self, solution: str) -> str:
        """Returns the gold answer in a solution as data sets write it; by default, all of it.

        Raises:
            ValueError: The solution has no final answer; the message says what is missing.
        """
        return solution
