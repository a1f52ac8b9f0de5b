r"""Math: answers in ``\boxed{}``, graded by the rules of `srenv.verifier`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from srenv.domains.base import Domain, Extracted
from srenv.episode import AnswerSource, Problem
from srenv.thoughts import hide_thoughts
from srenv.verifier import verify, verify_batch
from srenv.verifier.grade import Grade
from srenv.verifier.reading.extract import EXTRACT_LIMIT, extract_box_span, find_answer


class Math(Domain):
    r"""Problems with one final answer, a number, a formula or a set.

    Example:
        >>> MATH.extract("2*3=6, so \\boxed{6}. Check: 6/3=2.")
        Extracted(answer='6', split=19, source='form')
        >>> MATH.same("1/2", "0.5")
        True
    """

    name = "math"
    answer_form = "in \\boxed{}"

    def extract(self, text: str) -> Extracted:
        r"""Returns the last ``\boxed{}`` or, without one, the answer that is given in words.

        What follows a box belongs to the check, and so does the same box again: the attempt ends
        where its answer is first given and no longer changed.
        """
        # Fast path for the common attempt: its last box is plain, and nothing else in the text
        # could be or hide a box. Single characters are found many times faster than words.
        start = text.rfind("\\boxed{", -EXTRACT_LIMIT)
        if (
            start >= 0
            and text.find("\\", start + 1) < 0
            and (text.find("\\", 0, start) < 0 or _only_box(text, start))
            and hide_thoughts(text) is text
        ):
            end = text.find("}", start)
            inside = text[start + 7 : end]
            if end >= 0 and "{" not in inside:
                return Extracted(inside.strip() or None, end + 1)
        box = extract_box_span(text)
        if box is not None:
            return Extracted(box[2].strip() or None, _first_given(text, *box[:2]))
        found = find_answer(text)
        if found is None:
            return Extracted(None, len(text), None)
        return Extracted(found.answer, len(text), _SOURCES[found.source])

    def write(self, answer: str) -> str:
        r"""Returns the answer in ``\boxed{}``."""
        return f"\\boxed{{{answer}}}"

    def perturb(self, problem: Problem, others: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yields another number, changed digits, the other sign, no answer, and two guesses."""
        gold = problem.answer
        integer = gold.removeprefix("-").isdecimal() and len(gold) < 100
        yield "another number", str(int(gold) + 1) if integer else "-987654321"
        digits = [match.start() for match in re.finditer("[0-9]", gold)]
        for name, places in (("first digit", digits[:1]), ("last digit", digits[-1:])):
            for place in places:
                digit = "1" if gold[place] == "0" else str(int(gold[place]) % 9 + 1)
                yield name, gold[:place] + digit + gold[place + 1 :]
        if re.match(r"\$?[1-9]", gold):
            yield "sign", "$-" + gold[1:] if gold[0] == "$" else "-" + gold
        yield "no answer", ""
        other = next((other for other in others if other.strip() != gold.strip()), None)
        if problem.checker is None and other is not None:
            yield "two guesses", f"{gold} or {other}"
            yield "another answer", other

    def same(self, first: str, second: str) -> bool:
        """Returns whether the verifier calls the answers equal."""
        return first == second or verify(first, second).correct is True

    def grade_batch(self, problems: Sequence[Problem], answers: Sequence[str]) -> list[Grade]:
        """Grades by the verifier, in one call."""
        return verify_batch(
            [(problem.answer, answer) for problem, answer in zip(problems, answers, strict=True)]
        )

    def reduce(self, solution: str) -> str:
        r"""Returns what follows the last ``####``, or the content of the last box, or all of it."""
        if "####" in solution:
            return after_hashes(solution)
        boxed = "\\boxed" in solution or "\\fbox" in solution
        return inside_box(solution) if boxed else solution


MATH = Math()

_SOURCES: dict[str, AnswerSource] = {"box": "form", "marker": "marked", "closing": "stated"}
"""How an answer is given, by what the verifier found it by."""


def after_hashes(solution: str) -> str:
    """Returns what follows the last ``####``, as in GSM8K.

    Raises:
        ValueError: There is nothing after one.
    """
    _, mark, answer = solution.rpartition("####")
    if not mark or not answer.strip():
        raise ValueError("the solution has no '#### ANSWER'")
    return answer.strip()


def inside_box(solution: str) -> str:
    r"""Returns the content of the last closed ``\boxed{}``, as in MATH.

    Raises:
        ValueError: There is no such box, or it is empty.
    """
    box = extract_box_span(solution)
    if box is None or not box[2].strip():
        raise ValueError("the solution has no closed \\boxed{ANSWER}")
    return box[2].strip()


def _first_given(text: str, start: int, end: int) -> int:
    """Returns where the first of the boxes ends that repeat the last one, at `start` to `end`."""
    box, first, least = text[start:end], start, max(0, len(text) - EXTRACT_LIMIT)
    while (earlier := text.rfind("\\boxed", least, first)) >= 0 and text.startswith(box, earlier):
        first = earlier
    return first + len(box)


def _only_box(text: str, start: int) -> bool:
    """Returns whether commands before the box at `start` neither are a box nor escape it."""
    return text[start - 1] != "\\" and text.find("ox", 0, start) < 0  # \\Boxed, too
