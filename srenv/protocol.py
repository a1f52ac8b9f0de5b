"""The turn format as data: what the model is told, and how its reply is read."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, NamedTuple

from srenv.episode import Message, Verdict
from srenv.verifier.reading.extract import extract, extract_box_span

Stop = Literal["verdict", "never", "oracle"]
VerdictForm = Literal["marker", "question", "none"]
Feedback = Literal["neutral", "constant", "oracle", "verdict"]
Marker = Literal["last_line", "once"]
Unreadable = Literal["retry", "stop", "correct"]

MAX_TURN_CHARS = 32_768
"""Longer turns are cut before they are parsed, so that parsing time is bounded."""


class _Form(NamedTuple):
    """How a verdict is written, and the patterns that find it; all run in linear time.

    Attributes:
        marker: What stands before the verdict's word.
        words: The words for correct and for wrong.
        line: The whole line; its groups are the word and the confidence.
        usual: A plain box, then whatever, then the verdict's line.
        box: A verdict that was put into a box.
    """

    marker: str
    words: dict[Verdict, str]
    line: re.Pattern[str]
    usual: re.Pattern[str]
    box: re.Pattern[str]


@lru_cache(maxsize=64)
def _make_form(marker: str, right: str, wrong: str) -> _Form:
    cue, word = re.escape(marker), f"{right}|{wrong}"
    line = rf"{cue} ({word})(?: \((0(?:\.\d{{1,6}})?|1(?:\.0{{1,6}})?|\.\d{{1,6}})\))?\.?"
    return _Form(
        marker,
        {"correct": right, "wrong": wrong},
        re.compile(line),
        re.compile(rf"\\boxed\{{([^{{}}\\]*)\}}[^\\<]*\n{line}\s*\Z"),
        re.compile(rf"\\boxed\{{(?:\\text\{{)?({cue} (?:{word}))\.?\}}?\}}"),
    )


_MARKED = _make_form("[VERIFY]", "correct", "wrong")


class ParsedTurn(NamedTuple):
    """One turn, taken apart.

    Attributes:
        answer: The final answer as written, or None when there is none.
        verdict: The model's word on its attempt, or None when absent or ambiguous.
        confidence: Stated confidence in the verdict, in [0, 1], or None when not stated.
        split: Character offset where the attempt ends and the verdict segment begins.
        malformed: Why the turn breaks the format (``"no_answer"``, ``"no_verdict"``), or ``""``.
    """

    answer: str | None
    verdict: Verdict | None
    confidence: float | None
    split: int
    malformed: str


@dataclass(frozen=True, slots=True)
class Protocol:
    r"""The wording of the conversation and the choices in which published systems differ.

    By default only the last non-empty line of a turn can be its verdict, so a marker that stands
    in the problem or in the reasoning never counts. A line that holds two markers is no verdict.

    Attributes:
        instruction: Added to the problem in the first message; describes the turn format.
        retry: The neutral request to try again. It is silent about correctness.
        reveal: The request that says the attempt was wrong (``feedback`` other than neutral).
        praise: The request after a right attempt under ``feedback="oracle"``, and after a verdict
            of correct under ``feedback="verdict"``.
        stop: Who ends the episode: the model's own ``"verdict"``, ``"never"`` (attempts run out),
            or the ``"oracle"`` (first right answer; for baselines, it leaks correctness).
        verdict: How the verdict is given: by a ``"marker"`` line, as the answer to a
            ``"question"`` that the model asks itself (the line is the question and ``Yes.`` or
            ``No.``; Xiong et al., two-turn format), or ``"none"`` at all.
        feedback: What follows an attempt: the ``"neutral"`` retry, a ``"constant"`` claim that it
            was wrong (RISE), what the model's own ``"verdict"`` says of it (Xiong et al.,
            two-turn format), or the ``"oracle"`` truth (for baselines, it leaks correctness).
        marker: Where the verdict's marker counts: on the ``"last_line"``, or anywhere as long as
            it stands in the turn ``"once"`` (the scripts of Xiong et al.).
        unreadable: What an attempt without a readable verdict leads to: another try
            (``"retry"``), the end with this answer (``"stop"``; Xiong et al., two-turn format),
            or the same as a verdict of correct (``"correct"``; S2R).
        question: What the model asks itself under ``verdict="question"``; one line.

    Example:
        >>> turn = Protocol().parse("2*3=6, so \\boxed{6}\n6/3=2\n[VERIFY] correct (0.9)")
        >>> turn.answer, turn.verdict, turn.confidence
        ('6', 'correct', 0.9)
    """

    instruction: str = (
        "Solve the problem and give the answer in \\boxed{}. Then check your answer, and end with "
        "one line that says [VERIFY] correct or [VERIFY] wrong."
    )
    retry: str = (
        "There might be an error in the solution above. Go through it again, correct it where "
        "needed, and reply in the same form."
    )
    reveal: str = (
        "The solution above is wrong. Find the error, correct it, and give the answer in \\boxed{}."
    )
    praise: str = "The solution above is right. Confirm it and give the same answer in \\boxed{}."
    stop: Stop = "verdict"
    verdict: VerdictForm = "marker"
    feedback: Feedback = "neutral"
    marker: Marker = "last_line"
    unreadable: Unreadable = "retry"
    question: str = "Is my most recent final answer correct (Yes or No)?"

    def __post_init__(self) -> None:
        if not self.question.strip() or len(self.question.strip().splitlines()) > 1:
            raise ValueError(f"the question must be one line of text, got {self.question!r}")

    def opening(self, problem: str) -> list[Message]:
        """Returns the messages that start a conversation about `problem`."""
        return [{"role": "user", "content": f"{problem}\n{self.instruction}"}]

    def follow_up(self, correct: bool | None, verdict: Verdict | None = None) -> Message:
        """Returns the message after a turn that did not end the episode.

        `correct` is looked at under ``feedback="oracle"`` alone, and `verdict`, the model's own,
        under ``feedback="verdict"``; without a readable one the request is the neutral one.
        """
        own = self.feedback == "verdict"
        content = self.reveal
        if self.feedback == "neutral" or (own and verdict is None):
            content = self.retry
        elif (self.feedback == "oracle" and correct) or (own and verdict == "correct"):
            content = self.praise
        return {"role": "user", "content": content}

    def word(self, verdict: Verdict) -> str:
        """Returns the word that gives a verdict: ``correct`` or ``wrong``, ``Yes`` or ``No``."""
        return (self._form or _MARKED).words[verdict]

    def phrase(self, text: str) -> str:
        r"""Rewrites a turn that ends in a ``[VERIFY]`` line so that it says the same here.

        Other turns are returned as they are, and so is every turn of a protocol without verdicts.

        Example:
            >>> PROTOCOLS["yes_no"].phrase("\\boxed{6}\n[VERIFY] wrong (0.9)").splitlines()[-1]
            'Is my most recent final answer correct (Yes or No)? No (0.9).'
        """
        form = self._form
        start, match = _verdict_on_last_line(text, _MARKED)
        if form is None or form is _MARKED or match is None:
            return text
        stated = f" ({match[2]})" if match[2] else ""
        word = self.word("correct" if match[1] == "correct" else "wrong")
        return f"{text[:start]}{form.marker} {word}{stated}."

    @property
    def _form(self) -> _Form | None:
        if self.verdict == "question":
            return _make_form(self.question.strip(), "Yes", "No")
        return _MARKED if self.verdict == "marker" else None

    def parse(self, text: str) -> ParsedTurn:
        """Takes a turn apart; never raises, in time linear in the (bounded) text."""
        text = text[:MAX_TURN_CHARS]
        form = self._form
        last_line = self.marker == "last_line"
        if form and last_line and (usual := _usual(text, form)):
            return usual
        body_end = len(text)
        verdict: Verdict | None = None
        confidence: float | None = None
        if form:
            find = _verdict_on_last_line if last_line else _only_verdict
            start, match = find(text, form)
            if match:
                verdict = "correct" if match[1] == form.words["correct"] else "wrong"
                confidence = float(match[2]) if match[2] else None
                body_end = start
        body = text[:body_end]
        answer = extract(body)
        span = extract_box_span(body)
        if form and self.unreadable == "correct" and answer is not None:
            verdict = verdict or "correct"
        malformed = ""
        if answer is None:
            malformed = "no_answer"
        elif form and verdict is None:
            malformed = "no_verdict"
        return ParsedTurn(answer, verdict, confidence, span[1] if span else body_end, malformed)


def _usual(text: str, form: _Form) -> ParsedTurn | None:
    """Takes the usual turn apart at a glance: one plain box, then the verdict's line.

    None where the whole text has to be read: another box, braces or commands in it, marked
    thinking, an escaped command.
    """
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    # Single characters are found many times faster than words.
    if text.find("\\", 0, start) >= 0 and text.find("box", 0, start) >= 0:
        return None
    if text.find("<", 0, start) >= 0 and text.find("think>", 0, start) >= 0:
        return None
    match = form.usual.match(text, start)
    if match is None or text[start - 1 : start] == "\\":
        return None
    answer, word, stated = match.groups()
    answer = answer.strip()
    if not answer:
        return None
    verdict: Verdict = "correct" if word == form.words["correct"] else "wrong"
    confidence = float(stated) if stated else None
    return ParsedTurn(answer, verdict, confidence, match.end(1) + 1, "")


def _verdict_on_last_line(text: str, form: _Form) -> tuple[int, re.Match[str] | None]:
    """Returns where the last non-empty line starts, and the verdict that it is."""
    start, line = _last_line(text)
    return start, form.line.fullmatch(form.box.sub(r"\1", line))


def _only_verdict(text: str, form: _Form) -> tuple[int, re.Match[str] | None]:
    """Returns where the text's only marker starts, and the verdict there; none of several."""
    start = text.find(form.marker)
    if text.count(form.marker) != 1:
        return len(text), None
    match = form.line.match(text, start)
    for wrapper in ("\\boxed{\\text{", "\\boxed{"):
        if text.endswith(wrapper, 0, start):
            return start - len(wrapper), match
    return start, match


def _last_line(text: str) -> tuple[int, str]:
    """Returns the last non-empty line, stripped, and the offset where it starts."""
    end = len(text.rstrip())
    start = text.rfind("\n", 0, end) + 1
    return start, text[start:end].strip()


EVALUATE = "Check the answer above, and end with one line: [VERIFY] correct or [VERIFY] wrong."
"""Asks for a self-evaluation alone, where the parts of a turn are sampled one by one."""

PROTOCOLS: dict[str, Protocol] = {
    "default": Protocol(),
    # Intrinsic self-correction: always revise, no verdict (papers: Xiong et al., app. B).
    "intrinsic": Protocol(
        instruction="Solve the problem and give the answer in \\boxed{}.",
        retry=(
            "There might be an error in the solution above. Correct it where needed, and give the "
            "answer in \\boxed{}."
        ),
        stop="never",
        verdict="none",
    ),
}
PROTOCOLS |= {
    # RISE: every attempt is followed by the claim that it was wrong, whatever it was.
    "rise": replace(PROTOCOLS["intrinsic"], feedback="constant"),
    # Told the truth by the verifier, and stopped by it (baselines, and RISE with an oracle).
    "gold": replace(PROTOCOLS["intrinsic"], feedback="constant", stop="oracle"),
    # The two-turn chat of Xiong et al.: the model asks itself, and is told what it answered. The
    # request after Yes is not met, as Yes ends the episode; stop="never" asks for a confirmation.
    "yes_no": Protocol(
        instruction=(
            "Solve the problem and give the answer in \\boxed{}. Then check your answer, and end "
            "with one line that asks: Is my most recent final answer correct (Yes or No)? Answer "
            "it there with Yes. or No."
        ),
        reveal=(
            "You have judged your last answer to be wrong. Find the mistake, which may lie in how "
            "the problem was read, correct it, and reply in the same form."
        ),
        praise=(
            "You have judged your last answer to be right. Confirm it without changes, and reply "
            "in the same form."
        ),
        verdict="question",
        feedback="verdict",
        unreadable="stop",
    ),
}
"""Protocols by name; `gym.make` takes a name, a dict of fields, or ``module:attribute``."""

# Not in PROTOCOLS, whose sentences are tokens of the bundled model.
CONFIDENCE = Protocol(
    instruction=(
        "Solve the problem and give the answer in \\boxed{}. Then check your answer, and end with "
        "one line that says [VERIFY] correct or [VERIFY] wrong, followed in parentheses by the "
        "probability, from 0 to 1, that this verdict is true: [VERIFY] correct (0.8)."
    )
)
"""Asks for a stated confidence (RLCR): ``--protocol srenv.protocol:CONFIDENCE``."""
