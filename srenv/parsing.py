"""Parsing of turns: the domain finds the answer, and what is here finds the verdict."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple

from srenv.domains import Domain
from srenv.episode import AnswerSource, Verdict
from srenv.thoughts import hide_thoughts

Marker = Literal["last_line", "once"]

MAX_TURN_CHARS = 32_768
"""By default only this many characters at the end of a turn are parsed and kept: the answer and
the verdict are there, and the time is bounded."""

ACCEPTED: dict[AnswerSource, tuple[AnswerSource, ...]] = {
    "form": ("form",),
    "marked": ("form", "marked"),
    "stated": ("form", "marked", "stated"),
}
"""What counts as an answer, by the option `srenv.protocol.Protocol.answer`."""


class VerdictLine(NamedTuple):
    """How a verdict is written, and the patterns that find it; all run in linear time.

    Attributes:
        marker: The text before the verdict's word.
        words: The words for correct and for wrong.
        plain: The verdict of each line without a confidence.
        line: The whole line; its groups are the word and the confidence.
        box: A verdict in a box. Models that were trained on maths put it there in any domain.
    """

    marker: str
    words: dict[Verdict, str]
    plain: dict[str, Verdict]
    line: re.Pattern[str]
    box: re.Pattern[str]


@lru_cache(maxsize=64)
def verdict_line(marker: str, right: str, wrong: str) -> VerdictLine:
    """Returns the form ``marker right`` or ``marker wrong``, with or without a confidence."""
    cue, word = re.escape(marker), f"{right}|{wrong}"
    line = rf"{cue} ({word})(?: \((0(?:\.\d{{1,6}})?|1(?:\.0{{1,6}})?|\.\d{{1,6}})\))?\.?"
    return VerdictLine(
        marker=marker,
        words={"correct": right, "wrong": wrong},
        plain={
            f"{marker} {right}": "correct",
            f"{marker} {right}.": "correct",
            f"{marker} {wrong}": "wrong",
            f"{marker} {wrong}.": "wrong",
        },
        line=re.compile(line),
        box=re.compile(rf"\\boxed\{{(?:\\text\{{)?({cue} (?:{word}))\.?\}}?\}}"),
    )


MARKED = verdict_line("[VERIFY]", "correct", "wrong")


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
    """
    begin = max(0, len(text) - max_chars)
    text = hide_thoughts(text)[begin:]
    verdict: Verdict | None = None
    confidence: float | None = None
    start = len(text)
    if form is not None:
        verdict, confidence, start = find_verdict(text, form, marker)
    answer, split, source = domain.extract(text[:start])
    malformed = ""
    if answer is None or source not in ACCEPTED[accepted]:
        answer = source = None
        malformed = "no_answer"
    elif form is not None and verdict is None:
        verdict = default
        malformed = "" if verdict else "no_verdict"
    return ParsedTurn(answer, verdict, confidence, begin + split, malformed, source)


def find_verdict(
    text: str, form: VerdictLine, marker: Marker = "last_line"
) -> tuple[Verdict | None, float | None, int]:
    """Returns the verdict of a turn, its stated confidence, and where it begins.

    A line that holds two markers is no verdict. Without one, it begins at the end of the text.
    """
    if marker == "last_line":
        start = text.rfind("\n") + 1
        line = text[start:]
        verdict = form.plain.get(line)
        if verdict is not None:  # fast path: most turns end like this
            return verdict, None, start
        match = form.line.fullmatch(line)
        if match is None:
            start, match = verdict_on_last_line(text, form)
    else:
        start, match = _only_verdict(text, form)
    if match is None:
        return None, None, len(text)
    word, stated = match.groups()
    verdict = "correct" if word == form.words["correct"] else "wrong"
    return verdict, float(stated) if stated else None, start


def verdict_on_last_line(text: str, form: VerdictLine) -> tuple[int, re.Match[str] | None]:
    """Returns where the last non-empty line starts, and its match if it is a verdict."""
    end = len(text.rstrip())
    start = text.rfind("\n", 0, end) + 1
    line = text[start:end].strip()
    return start, form.line.fullmatch(form.box.sub(r"\1", line))


def _only_verdict(text: str, form: VerdictLine) -> tuple[int, re.Match[str] | None]:
    """Returns where the text's only marker starts, and the verdict there; none of several."""
    start = text.find(form.marker)
    if text.count(form.marker) != 1:
        return len(text), None
    match = form.line.match(text, start)
    for wrapper in ("\\boxed{\\text{", "\\boxed{"):
        if text.endswith(wrapper, 0, start):
            return start - len(wrapper), match
    return start, match
