"""A toy domain and a source of its problems: all that knows about reversed words."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

from srenv.domains import Domain, Extracted, register_domain
from srenv.episode import Problem
from srenv.problems import register_source
from srenv.problems.source import Drawn, EndlessSource, SourceSpec

SOURCE = "test_words:all"


class ReversedWords(Domain):
    """Words to be written backwards; the answer is in square brackets, upper or lower case."""

    name = "test_reversed_words"
    answer_form = "in square brackets"

    def extract(self, text: str) -> Extracted:
        matches = list(re.finditer(r"\[([^\[\]]*)\]", text))
        if not matches:
            return Extracted(None, len(text), None)
        return Extracted(matches[-1][1].strip() or None, matches[-1].end())

    def write(self, answer: str) -> str:
        return f"[{answer}]"

    def perturb(self, problem: Problem, others: Sequence[str]) -> Iterator[tuple[str, str]]:
        yield "doubled", problem.answer * 2
        yield "last letter missing", problem.answer[:-1]

    def same(self, first: str, second: str) -> bool:
        return first.casefold() == second.casefold()


register_domain(ReversedWords())


def draw(seed: int) -> Drawn:
    word = "".join(random.Random(seed).choices("abcdefgh", k=6))
    return Drawn(f"Write {word} backwards.", word[::-1], domain="test_reversed_words")


def words(spec: SourceSpec) -> EndlessSource:
    return EndlessSource(spec.text, spec.split, "words", draw)


register_source("test_words", words)
