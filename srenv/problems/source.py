"""Sources of problems: numbered collections, finite or endless."""

from __future__ import annotations

import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from srenv.episode import Problem
from srenv.problems.seeding import Split, hashed_rng, hashed_seed, split_of
from srenv.registry import unknown

UNTARGETED = ("humaneval",)
"""Sources that are one data set, named without a colon and a target."""


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """A parsed source string, ``scheme:target?option=value&...``, and a split.

    Attributes:
        text: The string as it was given.
        scheme: The text before the first colon.
        target: The text between the first colon and the question mark.
        options: The query, decoded; hashable, so that loaded sources can be cached.
        split: The split to serve.
    """

    text: str
    scheme: str
    target: str
    options: tuple[tuple[str, str], ...]
    split: Split

    @classmethod
    def parse(cls, text: str, split: Split) -> SourceSpec:
        """Parses a source string.

        Raises:
            ValueError: The string or the split is malformed.
        """
        if split not in ("train", "eval"):
            raise ValueError(f"split must be 'train' or 'eval', not {split!r}")
        body, _, query = text.partition("?")
        scheme, colon, target = body.partition(":")
        if not (scheme and colon and target) and body not in UNTARGETED:
            forms = "'synthetic:linear', 'jsonl:problems.jsonl' or 'hf:openai/gsm8k'"
            raise ValueError(f"source {text!r} is not 'scheme:target', such as {forms}")
        try:
            options = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
        except ValueError as error:
            message = f"source {text!r}: options are written '?name=value&name=value' ({error})"
            raise ValueError(message) from error
        return cls(text, scheme, target, tuple(options), split)

    def read_options(self, *allowed: str) -> dict[str, str]:
        """Returns the options as a dictionary.

        Raises:
            ValueError: An option is not among `allowed`.
        """
        for name, _ in self.options:
            if name not in allowed:
                raise ValueError(f"source {self.text!r}: {unknown('option', name, allowed)}")
        return dict(self.options)

    def read_steps(self, most: int) -> tuple[int, int]:
        """Returns the option ``steps``, ``2`` or ``1-3``, as its two ends; by default ``1-3``.

        Args:
            most: Its greatest value, a digit.

        Raises:
            ValueError: It is not such a range.
        """
        text = dict(self.options).get("steps", "1-3")
        match = re.fullmatch("([0-9])(?:-([0-9]))?", text)
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= low <= high <= most:
            raise ValueError(
                f"source {self.text!r}: steps are a number from 1 to {most} or a range, '1-3'"
            )
        return low, high


class ProblemSource(ABC):
    """A numbered collection of problems, finite or endless.

    Problem `i` is the same problem in every process; a source holds no position and no
    random state, so that any number of environments can share one.

    Attributes:
        name: The source string.
        split: `"train"` or `"eval"`.
        size: Number of problems; None if endless.
    """

    def __init__(self, name: str, split: Split, size: int | None) -> None:
        self.name = name
        self.split = split
        self.size = size

    def __deepcopy__(self, memo: dict[int, Any]) -> ProblemSource:
        # Nothing in a source changes: a copied environment shares it.
        return self

    @abstractmethod
    def problem(self, index: int) -> Problem:
        """Returns problem number `index`.

        Raises:
            IndexError: There is no such problem.
        """

    @abstractmethod
    def find(self, problem_id: str) -> Problem:
        """Returns the problem with this id.

        Raises:
            KeyError: This source has no such problem.
        """

    def take(self, n: int, seed: int = 0) -> list[Problem]:
        """Returns `n` distinct problems in a seeded order; fewer are a prefix of more.

        Raises:
            ValueError: The source does not have that many; see `take_passes`.
        """
        problems = self._distinct(n, seed)
        if len(problems) < n:
            count = f"{len(problems)} problems"
            if self.size is None:
                count = f"about {len(problems)} distinct problems in its {self.split} split"
            raise ValueError(f"{self.name} has {count}; {n} were asked for")
        return problems

    def take_passes(self, n: int, seed: int = 0) -> list[Problem]:
        """Returns `n` problems to train on, in several passes over a source that has fewer.

        The first pass is what `take` returns. Each later one has an order of its own and repeats
        the problems, ids included.
        """
        problems = self._distinct(n, seed)
        first, number = list(problems), 1
        while len(problems) < n:
            order = list(first)
            hashed_rng("pass", self.name, self.split, seed, number).shuffle(order)
            problems += order[: n - len(problems)]
            number += 1
        return problems

    def _distinct(self, n: int, seed: int) -> list[Problem]:
        """Returns `n` distinct problems, or as many as the source has."""
        rng = hashed_rng("take", self.name, self.split, seed)
        if self.size is not None:
            order = list(range(self.size))
            rng.shuffle(order)
            return [self.problem(index) for index in order[:n]]
        taken: dict[str, Problem] = {}  # by prompt: small families repeat theirs
        repeats = 0
        while len(taken) < n:
            problem = self.problem(rng.randrange(10**9))
            repeats = repeats + 1 if problem.prompt in taken else 0
            taken.setdefault(problem.prompt, problem)
            if repeats > 1000 + 10 * len(taken):  # the last of n is drawn once in n, on average
                break
        return list(taken.values())

    def _check_index(self, index: int) -> int:
        """Returns the index as an int, or raises an IndexError that says what is allowed."""
        index = operator.index(index)
        if index < 0 or (self.size is not None and index >= self.size):
            allowed = "0 or more" if self.size is None else f"0 to {self.size - 1}"
            raise IndexError(f"{self.name} has no problem {index}: indices are {allowed}")
        return index


class ListSource(ProblemSource):
    """A finite source: problems in a list, with distinct ids."""

    def __init__(self, name: str, split: Split, problems: Sequence[Problem]) -> None:
        super().__init__(name, split, len(problems))
        self._problems = problems
        self._by_id = {problem.id: problem for problem in problems}

    def problem(self, index: int) -> Problem:
        """Returns problem number `index`, in the order of the list."""
        return self._problems[self._check_index(index)]

    def find(self, problem_id: str) -> Problem:
        """Returns the problem with this id."""
        if problem_id not in self._by_id:
            raise KeyError(f"{self.name} has no problem with id {problem_id!r}")
        return self._by_id[problem_id]


class Drawn(NamedTuple):
    """The fields of a problem that an endless source draws from a seed; see `Problem`."""

    prompt: str
    answer: str
    checker: str | None = None
    data: dict[str, Any] | None = None
    domain: str = "math"


class EndlessSource(ProblemSource):
    """An endless source: problem `i` is drawn from a hash of (family, split, i).

    Draws are repeated until the prompt falls into the right split, so no prompt is ever in
    both. Ids are `family/split/index` and are all that is needed to draw a problem again.
    """

    def __init__(self, name: str, split: Split, family: str, draw: Callable[[int], Drawn]) -> None:
        super().__init__(name, split, None)
        self._family = family
        self._draw = draw

    def problem(self, index: int) -> Problem:
        """Draws problem number `index`."""
        index = self._check_index(index)
        for attempt in range(400):
            drawn = self._draw(hashed_seed(self._family, self.split, index, attempt))
            if split_of(drawn.prompt) == self.split:
                problem_id = f"{self._family}/{self.split}/{index}"
                return Problem(
                    problem_id,
                    drawn.prompt,
                    drawn.answer,
                    self.name,
                    drawn.checker,
                    drawn.data or {},
                    drawn.domain,
                )
        raise ValueError(f"{self.name} draws too few different prompts for a {self.split} split")

    def find(self, problem_id: str) -> Problem:
        """Draws the problem that the id describes."""
        prefix = f"{self._family}/{self.split}/"
        index = problem_id.removeprefix(prefix)
        if index == problem_id or not re.fullmatch("[0-9]{1,20}", index):
            raise KeyError(f"{self.name}: ids are {prefix}INDEX, not {problem_id!r}")
        return self.problem(int(index))
