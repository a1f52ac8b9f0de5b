r"""Finds the final answer in a turn.

The first of these that a turn has counts, read from its end (`find_answer`):

1. its last ``\boxed{...}``, or the list of boxes that are joined there by commas and words;
2. what follows its last mark of an answer, such as "The answer is", ``####`` or ``<answer>``;
3. what its closing sentence or formula states without doubt.

`extract` leaves out the third: for it, a turn that marks no answer has none.

Text inside ``<think>...</think>`` is never the answer. Only the last `EXTRACT_LIMIT` characters are
searched, in linear time: a long turn keeps its end, where its answer is.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from srenv.thoughts import hide_thoughts
from srenv.verifier.reading.boxes import last_boxes
from srenv.verifier.reading.closing import FORMULA, closing_answer, content, formulas, strip_trailer
from srenv.verifier.reading.markers import Marker, find_markers, has_marker

EXTRACT_LIMIT = 65_536
"""Only this many characters at the end of a turn are searched for an answer."""

_WINDOWS = (2_000, 16_000, EXTRACT_LIMIT)
"""Ends of a turn that are searched for a mark one after another, the shortest first."""

_TURN = re.compile(r"\n|\\[bB]oxed|\\f(?:rame)?box|####|</?(?:think|(?:final_?)?answer)>|<\|")
_CONCLUSION_LIMIT = 400
_CONCLUSION = re.compile(
    r"(?:so|thus|therefore|hence|finally|in total|altogether|consequently)\b|"
    r"[A-Z][a-z']+ [^\n]{0,200}\b(?:is|are|was|were|has|have|had|equals|(?:make|earn|cost|total|"
    r"need|pay|take|give)(?:s|ed)?|made|paid|took|gave|got|gets) |"
    r"[A-Z][^.]*[.!?] +[A-Z][^.]*[.!?] |[^\x00-\x7f]{2}.*[0-9$\\]",
    re.IGNORECASE,
)
_PROSE = re.compile(r"[A-Za-z' ,:.\n]*[A-Za-z]{4,}[A-Za-z' ,:.\n]*")
_DOUBT = re.compile(
    r"\b(?:not|n't|no|or|either|maybe|perhaps|possibly|probably|about|around|between|approximately|"
    r"if|unless|except|wrong|false|incorrect|least|most|more|less|than|guess)\b|n't",
    re.IGNORECASE,
)
_FORMULA_LIMIT = 4_000
_CHOICE = re.compile(r"\(?[A-H]\)?[.]?")
_RETRACTED = re.compile(
    r"\b(?:wait|re-?check|re-?examin\w+|actually|correction|oops|let me (?:re\w+|check|verify))\b",
    re.IGNORECASE,
)
# `8 coffee mugs in the lounge`: what is counted, in more words than a unit has
_COUNTED = re.compile(
    r"((?:\\?[$£€])?[0-9][0-9,.]*(?: (?:hundred|thousand|million|billion))?) "
    r"(?!times |more |less |fewer |percent |of |plus |minus |squared |"
    r"cubed |factorial |divided |over |mod )[A-Za-z][A-Za-z'-]*"
    r"(?: (?!and |or )[A-Za-z0-9'-]+){2,}"
)
# `7, since 3 + 4 = 7`
_REASON = re.compile(r"(?<=[0-9$)}\]%])(?:, (?:since|because|as|which)|,? because|,? since)\b.*$")
_ADVERB = re.compile(
    r"(?:therefore|thus|then|hence|simply|just|indeed|clearly|equal to|given by|as follows)[,:]? +",
    re.IGNORECASE,
)
_WRAPPINGS = (("**", "**"), ("`", "`"), ('"', '"'), ("“", "”"), ("__", "__"), ("「", "」"))
_CLOSING = re.compile(r"(?<![.\\])(?<!\\right)(?:\*{2}\.?|\.\*{0,2})$")
_FENCE = re.compile(r"```\w{0,20}\n\s*")
_NEXT_SENTENCE = re.compile(r"[.!]\*{0,2}\s+(?=[A-ZА-Я<\[])|[。！]|\s+<|\.(?=\s*</)")


class Extracted(NamedTuple):
    """The answer of a turn.

    Attributes:
        answer: The answer, without its box or mark.
        source: ``box``, ``marker`` or ``closing``: its place in the list above.
    """

    answer: str
    source: str


def looks_like_turn(text: str) -> bool:
    """Whether a text is a turn to search for an answer, rather than an answer."""
    return _TURN.search(text) is not None or has_marker(text[-_WINDOWS[1] :])


def is_conclusion(text: str) -> bool:
    """Whether one line is a sentence that states an answer, as in `Thus x = 3.`."""
    return _CONCLUSION.match(text[:_CONCLUSION_LIMIT]) is not None


def only_formula(text: str) -> str | None:
    r"""Returns the only formula in a sentence without doubt, `Hence $x \ge 5$.`, or None."""
    if len(text) > _FORMULA_LIMIT or not ("$" in text or "\\(" in text or "\\[" in text):
        return None
    matches = formulas(text)
    if len(matches) != 1:
        return None
    before, after = text[: matches[0].start()], text[matches[0].end() :]
    around = f"{before} {after}"
    if not _PROSE.fullmatch(around) or _DOUBT.search(around) or not before.strip():
        return None
    return content(matches[0]) or None


def extract(text: str) -> str | None:
    r"""Returns the final answer that a turn marks as such, or None if there is none.

    Args:
        text: A turn of a model: reasoning, then an answer.

    Returns:
        The answer without its box or mark. An empty last box is no answer, nor is a box that is
        still open at the end of the turn.
    """
    extracted = find_answer(text, closing=False)
    return extracted.answer if extracted else None


def find_answer(text: str, closing: bool = True) -> Extracted | None:
    """Returns the final answer of a turn and its source, or None.

    Args:
        text: A turn of a model.
        closing: Whether the closing words of a turn that marks no answer may state it.
    """
    visible = strip_trailer(_visible_end(text)[1])
    boxes = last_boxes(visible)
    if boxes is not None:
        letter = _choice_behind(visible, boxes.end if boxes.final else boxes.start)
        if letter is not None:
            return Extracted(letter, "marker")
        return Extracted(boxes.content, "box") if boxes.final and boxes.content else None
    marked = _marked_answer(visible)
    if marked is not None:
        return Extracted(marked, "marker") if marked else None
    stated = closing_answer(visible) if closing else None
    return Extracted(stated, "closing") if stated else None


def extract_box_span(text: str) -> tuple[int, int, str] | None:
    r"""Locates the box that `extract` takes its answer from.

    Args:
        text: A turn.

    Returns:
        Start and end of ``\boxed{...}`` in `text`, and what is inside, or None; of several that
        are joined into a list, from the start of the first to the end of the last.
    """
    offset, visible = _visible_end(text)
    boxes = last_boxes(visible)
    if boxes is None or not boxes.final:
        return None
    return offset + boxes.start, offset + boxes.end, boxes.content


# --- what is visible ---------------------------------------------------------------------------


def _visible_end(text: str) -> tuple[int, str]:
    """Returns the end of a turn with its thoughts blanked out, and where that end begins."""
    offset = max(0, len(text) - EXTRACT_LIMIT)
    return offset, hide_thoughts(text)[offset:]


# --- what follows a mark -----------------------------------------------------------------------


def _marked_answer(text: str) -> str | None:
    """Returns what follows the last mark: empty if nothing does, None if there is no mark."""
    for length in _WINDOWS:
        end = text[-length:]
        markers = find_markers(end)
        if markers:
            return _behind(end, markers[-1])
        if length >= len(text):
            break
    return None


def _choice_behind(text: str, start: int) -> str | None:
    """Returns a choice letter that is marked as the answer behind the last box."""
    markers = find_markers(text[start:][-_WINDOWS[0] :])
    if not markers:
        return None
    answer = _behind(text[start:][-_WINDOWS[0] :], markers[-1])
    return answer if answer and _CHOICE.fullmatch(answer.strip("$")) else None


def _behind(text: str, marker: Marker) -> str | None:
    """Returns the answer behind a mark, or None if what is said later takes it back."""
    rest = text[marker.end : marker.stop].strip().lstrip(":： \t*")
    rest = rest.lstrip("#").lstrip() if rest.startswith("####") else rest
    line = _first_piece(rest)
    later = rest[len(_NEXT_SENTENCE.split(line, maxsplit=1)[0]) :]
    retracted = _RETRACTED.search(later)
    if retracted and any(char.isdigit() for char in later[retracted.end() :]):
        return closing_answer(text) or ""
    if _is_prose(_NEXT_SENTENCE.split(line, maxsplit=1)[0]) and later.strip(" ."):
        return closing_answer(text) or _clean(line)
    return _clean(line)


def _is_prose(line: str) -> bool:
    """Whether a line explains rather than answers."""
    words = FORMULA.sub(" ", line)
    return len(words.split()) > 7 or sum(char > "\u3000" for char in words) > 8


def _first_piece(text: str) -> str:
    """Returns the first formula, if a text begins with one of several lines, or its first line."""
    fence = _FENCE.match(text)
    if fence is not None:
        text = text[fence.end() :]
    formula = next(iter(formulas(text[:_FORMULA_LIMIT])), None)
    if formula is not None and not formula.start() and "\n" in formula.group():
        return formula.group()
    return text.split("\n", 1)[0]


def _clean(line: str) -> str:
    """Returns the first sentence of a line, without its closing marks."""
    sentence = _NEXT_SENTENCE.split(line, maxsplit=1)[0]
    # "Final Answer: The largest n is **34**."
    answer = sentence.rpartition(" is ")[2].strip()
    answer = _CLOSING.sub("", answer)
    answer = _REASON.sub("", _ADVERB.sub("", answer, count=1))
    counted = _COUNTED.fullmatch(answer)
    if counted is not None and not _DOUBT.search(answer):
        answer = counted[1]
    for opening, closing in _WRAPPINGS:
        if answer.startswith(opening) and answer.endswith(closing) and len(answer) > len(opening):
            answer = answer[len(opening) : -len(closing)].strip()
    return answer
