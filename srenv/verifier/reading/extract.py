r"""Finds the final answer in a turn.

One answer is taken: the content of the last closed ``\boxed{...}``, else what follows the last
answer phrase ("The answer is ..."), else what follows the last ``####``. Text inside
``<think>...</think>`` is never the answer. Every scan is a single pass, so that a megabyte of
braces costs no more than the reading of it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

EXTRACT_LIMIT = 65_536
"""Only this many characters at the end of a turn are searched for an answer."""

_THINK, _END_THINK = "<think>", "</think>"
# An escaped character is a token of its own, so that `\{` neither opens nor closes anything.
_BRACES = re.compile(r"\\(?:boxed|fbox)[ \t]*\{|\\.|[{}]", re.DOTALL)
_PHRASE = re.compile(r"answer[ \t*]*(?:\bis\b|:)[ \t:*]*", re.IGNORECASE)
_CLOSING = re.compile(r"(?<![.\\])(?<!\\right)(?:\*{2}\.?|\.\*{0,2})$")
_NEXT_SENTENCE = re.compile(r"\.\s+(?=[A-Z<])")

_TURN = re.compile(r"\n|\\boxed|\\fbox|####|</?think>|answer(?:\s+is\b|\**\s?:)", re.IGNORECASE)
_FORMULA = re.compile(
    r"(?<![\\$])\$\$(?P<a>[^$]+)\$\$|(?<![\\$])\$(?P<b>(?:[^$\\]|\\.)+)\$(?!\$)"
    r"|\\\((?P<c>.+?)\\\)|\\\[(?P<d>.+?)\\\]",
    re.DOTALL,
)
_PROSE = re.compile(r"[A-Za-z' ,:.\n]*[A-Za-z]{4,}[A-Za-z' ,:.\n]*")
_DOUBT = re.compile(
    r"\b(?:not|n't|no|or|either|maybe|perhaps|possibly|probably|about|around|between|approximately|"
    r"if|unless|except|wrong|false|incorrect|least|most|more|less|than|guess)\b|n't",
    re.IGNORECASE,
)
_FORMULA_LIMIT = 4_000


def looks_like_turn(text: str) -> bool:
    """Whether a text is a turn to search for an answer, rather than an answer."""
    return _TURN.search(text) is not None


def only_formula(text: str) -> str | None:
    r"""Returns the only formula in a sentence without doubt, `Hence $x \ge 5$.`, or None."""
    if len(text) > _FORMULA_LIMIT or not ("$" in text or "\\(" in text or "\\[" in text):
        return None
    found = list(_FORMULA.finditer(text))
    if len(found) != 1:
        return None
    before, after = text[: found[0].start()], text[found[0].end() :]
    around = f"{before} {after}"
    if not _PROSE.fullmatch(around) or _DOUBT.search(around) or not before.strip():
        return None
    return next(part for part in found[0].groups() if part is not None).strip() or None


def extract(text: str) -> str | None:
    r"""Returns the final answer of a turn, or None where there is none.

    Args:
        text: A turn of a model: reasoning, then an answer.

    Returns:
        The answer without its box or phrase. An empty last box is no answer; an unclosed box is
        passed over in favour of the closed one before it.
    """
    visible = _hide_thinking(text)
    box = _last_box(visible)
    if box is not None:
        _, inside, end = box.innermost
        return visible[inside:end].strip() or None
    tail = visible[-EXTRACT_LIMIT:]
    phrases = list(_PHRASE.finditer(tail))
    if phrases:
        return _first_line(tail[phrases[-1].end() :])
    _, marker, after = tail.rpartition("####")
    return _first_line(after) if marker else None


def extract_box_span(text: str) -> tuple[int, int, str] | None:
    r"""Locates the last closed ``\boxed{...}`` or ``\fbox{...}`` of a turn.

    Args:
        text: A turn of a model.

    Returns:
        The position of the backslash, the position after the closing brace, and the text between
        the braces; None where no box is closed. Of nested boxes the outer one is meant.
    """
    visible = _hide_thinking(text)
    box = _last_box(visible)
    if box is None:
        return None
    start, inside, end = box.outermost
    return start, end + 1, visible[inside:end]


class _Box(NamedTuple):
    """The last closed box as (start of the command, start of the content, end of the content)."""

    outermost: tuple[int, int, int]
    innermost: tuple[int, int, int]  # the same, unless the box holds a box and nothing else


def _last_box(visible: str) -> _Box | None:
    """Matches all braces in one pass and keep the box that closed last."""
    if "box" not in visible:
        return None
    found: _Box | None = None
    open_braces: list[tuple[int, int] | None] = []  # where a box began, or None for a plain brace
    for token in _BRACES.finditer(visible, max(0, len(visible) - EXTRACT_LIMIT)):
        if token.group() == "}":
            begun = open_braces.pop() if open_braces else None
            if begun is not None:
                box = (*begun, token.start())
                filled = found is not None and _fills(visible, box, found.outermost)
                found = _Box(box, found.innermost if found is not None and filled else box)
        elif token.group() == "{":
            open_braces.append(None)
        elif len(token.group()) > 2:  # a box; the rest are escaped characters
            open_braces.append(token.span())
    return found


def _fills(visible: str, outer: tuple[int, int, int], inner: tuple[int, int, int]) -> bool:
    """Whether one box is all that stands in the other."""
    if inner[0] < outer[1]:
        return False
    return not (visible[outer[1] : inner[0]] + visible[inner[2] + 1 : outer[2]]).strip()


def _hide_thinking(text: str) -> str:
    """Blanks out the thinking, keeping every position.

    A lone ``</think>`` ends thinking that the prompt began; a lone ``<think>`` never ends.
    """
    if "think>" not in text:
        return text
    pieces: list[str] = []
    hidden = at = 0  # text[:hidden] is thinking; pieces hold text[hidden:at]
    while (end := text.find(_END_THINK, at)) >= 0:
        start = text.find(_THINK, at, end)
        stop = end + len(_END_THINK)
        if start < 0:
            pieces.clear()
            hidden = stop
        else:
            pieces += text[at:start], " " * (stop - start)
        at = stop
    start = text.find(_THINK, at)
    if start < 0:
        start = len(text)
    return "".join([" " * hidden, *pieces, text[at:start], " " * (len(text) - start)])


def _first_line(text: str) -> str | None:
    """Returns the first sentence of the first non-empty line, without its closing marks."""
    line = text.lstrip().split("\n", 1)[0]
    sentence = _NEXT_SENTENCE.split(line, maxsplit=1)[0]
    # "Final Answer: The largest n is **34**."
    answer = sentence.rpartition(" is ")[2].strip()
    return _CLOSING.sub("", answer) or None
