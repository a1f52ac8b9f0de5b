"""Parsing of turns: the domain finds the answer, and what is here finds the verdict."""

from __future__ import annotations

from typing import NamedTuple

from srenv.domains import Domain
from srenv.episode import AnswerSource, Verdict
from srenv.thoughts import hide_thoughts
from srenv.verdicts import Marker, VerdictLine, find_verdict

MAX_TURN_CHARS = 32_768
"""By default only this many characters at the end of a turn are parsed and kept: the answer and
the verdict are there, and the time is bounded."""

ACCEPTED: dict[AnswerSource, tuple[AnswerSource, ...]] = {
    "form": ("form",),
    "marked": ("form", "marked"),
    "stated": ("form", "marked", "stated"),
}
"""What counts as an answer, by the option `srenv.protocol.Protocol.answer`."""


class ParsedTurn(NamedTuple):
    """The parts of one turn.

    Attributes:
        answer: The final answer as written, or None when there is none.
        verdict: The model's word on its attempt, or None when absent or ambiguous.
        confidence: Stated confidence in the verdict, in [0, 1], or None when not stated.
        split: Character offset in the whole turn where the attempt ends and the verdict segment
            begins.
        malformed: Why the turn breaks the format (``"no_answer"``, ``"no_verdict"``), or ``""``.
        answer_source: How the answer is given, or None when there is none.
    """

    answer: str | None
    verdict: Verdict | None
    confidence: float | None
    split: int
    malformed: str
    answer_source: AnswerSource | None


def parse_turn(
    text: str,
    domain: Domain,
    form: VerdictLine | None,
    marker: Marker = "last_line",
    default: Verdict | None = None,
    accepted: AnswerSource = "marked",
    max_chars: int = MAX_TURN_CHARS,
    strict: bool = False,
) -> ParsedTurn:
    """Parses a turn; never raises, in linear time.

    Nothing that is said in a thought counts, and a thought that was cut off has no end.

    Args:
        text: The turn.
        domain: Finds the answer in what comes before the verdict.
        form: How the verdict is written; None if there is none to find.
        marker: Where the verdict counts; see `srenv.protocol.Protocol`.
        default: Verdict of an attempt with an answer whose own verdict cannot be read.
        accepted: What counts as an answer; a key of `ACCEPTED`.
        max_chars: Only this many characters at the end of the turn are parsed.
        strict: Whether a verdict must have exactly its form.
    """
    begin = max(0, len(text) - max_chars)
    text = hide_thoughts(text)[begin:]
    verdict: Verdict | None = None
    confidence: float | None = None
    start = len(text)
    if form is not None:
        verdict, confidence, start = find_verdict(text, form, marker, strict)
    answer, split, source = domain.extract(text[:start])
    malformed = ""
    if answer is None or source not in ACCEPTED[accepted]:
        answer = source = None
        malformed = "no_answer"
    elif form is not None and verdict is None:
        verdict = default
        malformed = "" if verdict else "no_verdict"
    return ParsedTurn(answer, verdict, confidence, begin + split, malformed, source)
