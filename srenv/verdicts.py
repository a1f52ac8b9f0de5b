"""Verdicts: how a protocol has them written, and how models write them.

A verdict is read strictly, in exactly the form that was asked for, or leniently, as a person would
read it. Models that were not trained on the form write ``**[VERIFY] correct**``, ``[Verify]:
incorrect`` or ``[VERIFY] correct (90%)``. Two markers on a line are never a verdict.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple

from srenv.episode import Verdict

Marker = Literal["last_line", "once"]

_LIMIT = 200
"""A line with more characters from the marker on says more than a verdict, leniently read."""

_SYNONYMS: dict[str, tuple[str, ...]] = {
    "correct": ("correct", "right", "true", "is correct", "is right"),
    "wrong": (
        "wrong", "incorrect", "false", "not correct", "not right", "is wrong", "is incorrect",
        "is not correct",
    ),
    "Yes": ("yes",),
    "No": ("no",),
}  # fmt: skip
"""The words that mean a word, in lower case."""

_END_MARK = re.compile(r"<[|\uff5c/]?[A-Za-z_\u2581|\uff5c]{1,40}>")
_DECORATION = (
    " \t\r\n\f\v\u00a0\u3000*_`~#$-=\"'\u201c\u201d|\u2705\u274c\u2713\u2714\u2717\u2718\ufe0f"
)
"""What may be around a verdict, and on lines below it."""
_SENTENCE_ENDS = ".!?:;)}]"
"""What may be in front of a verdict on its line: the end of a sentence or of a formula."""
_LAYOUT = re.compile(
    r"\\[A-Za-z]+\s?\{?|\\[][()]|</?[A-Za-z]{1,6}>|[*_`~$}\"\u201c\u201d]|"
    r"[\u2705\u274c\u2713\u2714\u2717\u2718]\ufe0f?"
)
"""Markdown, HTML, LaTeX and check marks around and between the words."""
_REMARK_BEGINS = tuple(".,;:!(-\u2013\u2014")
_REMARK = re.compile(r"[^\w]{0,4}\w[^\s]*\s+\w")
"""At least two words: a number that cannot be a confidence is no remark."""
_SECOND_THOUGHT = re.compile(
    r"\b(?:correct|incorrect|right|wrong|true|false|yes|no|not|or|but|unless|if|maybe|perhaps|"
    r"unsure|however|though|although|except)\b|n[\u2019']t\b|[?\[\]]",
    re.IGNORECASE,
)
"""What makes a remark behind a verdict more than a reason for it."""
_SUBJECT = r"(?:(?:the|my|this)(?: final| last)? (?:answer|solution|attempt|result) )?"
_NUMBER = r"(0(?:\.\d{1,6})?|1(?:\.0{1,6})?|\.\d{1,6}|\d{1,2}(?:\.\d{1,4})? ?%|100 ?%)"
_CONFIDENCE = (
    r"(?:[\s,;:.(\[-]*(?:with )?(?:an? )?(?:my )?(?:confidence|probability|certainty)?"
    rf"(?: score| level)?(?: of| is)?\s?[:=]?\s?{_NUMBER}"
    r"(?: (?:confidence|confident|probability|certainty|sure|certain))?[)\]]?)?"
)


class VerdictLine(NamedTuple):
    """How a verdict is written, and the patterns that find it; all run in linear time.

    Attributes:
        marker: The text before the verdict's word.
        words: The words for correct and for wrong.
        plain: The verdict of each line without a confidence.
        line: The whole line; its groups are the word and the confidence.
        box: A verdict in a box. Models that were trained on math put it there in any domain.
        cue: The marker in any case.
        lenient: The line without its layout, from the marker on, as models write it; its groups
            are those of `line`.
        readings: What the words mean, in lower case.
    """

    marker: str
    words: dict[Verdict, str]
    plain: dict[str, Verdict]
    line: re.Pattern[str]
    box: re.Pattern[str]
    cue: re.Pattern[str]
    lenient: re.Pattern[str]
    readings: dict[str, Verdict]


@lru_cache(maxsize=64)
def verdict_line(marker: str, right: str, wrong: str) -> VerdictLine:
    """Returns the form ``marker right`` or ``marker wrong``, with or without a confidence."""
    cue, word = re.escape(marker), f"{right}|{wrong}"
    readings: dict[str, Verdict] = dict.fromkeys(_SYNONYMS.get(right, (right.lower(),)), "correct")
    readings |= dict.fromkeys(_SYNONYMS.get(wrong, (wrong.lower(),)), "wrong")
    said = "|".join(map(re.escape, readings))
    name = marker[1:-1] if marker[0] + marker[-1] == "[]" else ""
    words = re.escape(_LAYOUT.sub("", name or marker).strip())
    lenient = rf"[\[(<]{{0,2}}\s?{words}\s?[])>]{{0,2}}" if name else words
    lenient += (
        rf"[\s:=.\u2013\u2014>-]*[\[(<]?\s?{_SUBJECT}({said})\s?[])>]{{0,2}}[.!]?{_CONFIDENCE}"
    )
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
        cue=re.compile(rf"\[\s?{words}\b" if name else cue, re.IGNORECASE),
        lenient=re.compile(rf"{lenient}[])]?[.!]?", re.IGNORECASE),
        readings=readings,
    )


MARKED = verdict_line("[VERIFY]", "correct", "wrong")


def find_verdict(
    text: str, form: VerdictLine, marker: Marker = "last_line", strict: bool = True
) -> tuple[Verdict | None, float | None, int]:
    """Returns the verdict of a turn, its stated confidence, and where it begins.

    A line that holds two markers is no verdict. Without one, it begins at the end of the text.

    Args:
        text: The turn.
        form: How the verdict is written.
        marker: Where it counts; ``"once"`` is always read strictly.
        strict: Whether it must have exactly that form.
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
    if match is None and not strict and marker == "last_line":
        return _lenient_verdict(text, form)
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


def _lenient_verdict(text: str, form: VerdictLine) -> tuple[Verdict | None, float | None, int]:
    """Reads the verdict at the end of a turn as a person would."""
    end = _content_end(text)
    near = list(form.cue.finditer(text, max(0, end - _LIMIT), end))
    at = near[-1].start() if near else text.rfind("\n", 0, end) + 1
    start = text.rfind("\n", 0, at) + 1
    before = text[start:at].rstrip(_DECORATION)
    if not _LAYOUT.sub("", before).strip(_DECORATION + ">[("):
        before = ""
    body = _LAYOUT.sub("", text[at:end]).strip(" \t>#-") if end - at <= _LIMIT else ""
    match = form.lenient.fullmatch(body) or _with_remark(body, form)
    twice = len(form.cue.findall(text, start, end)) > 1
    if match is None or twice or (before and before[-1] not in _SENTENCE_ENDS):
        return None, None, len(text)
    word, stated = match.groups()
    confidence = None
    if stated:
        confidence = float(stated.rstrip("% ")) / (100 if stated.endswith("%") else 1)
    return form.readings[word.lower()], confidence, start + len(before)


def _with_remark(body: str, form: VerdictLine) -> re.Match[str] | None:
    """Returns the verdict that a line begins with, if a remark follows that does not touch it."""
    match = form.lenient.match(body)
    if match is None:
        return None
    remark = body[match.end() :].lstrip()
    opened = body[match.end() - 1] in ".!" or remark[:1] in _REMARK_BEGINS
    said = _REMARK.match(remark) is not None and _SECOND_THOUGHT.search(remark) is None
    return match if opened and said else None


def _content_end(text: str) -> int:
    """Returns the length of the text without decoration and end marks behind its last words."""
    end = len(text)
    while end:
        if text[end - 1] in _DECORATION:
            end -= 1
            continue
        mark = text.rfind("<", max(0, end - 44), end)
        if text[end - 1] != ">" or mark < 0 or not _END_MARK.fullmatch(text, mark, end):
            break
        end = mark
    return end
