r"""The last box of a turn: `\boxed{...}`, `\fbox{...}`, `\boxed 5`, or several joined into a list.

All braces are matched in one pass, so that a megabyte of them costs no more than reading it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# An escaped character is a token of its own, so that `\{` neither opens nor closes anything. A
# doubled backslash before a box is one that was escaped once too often.
_TOKENS = re.compile(
    r"(?P<box>\\{1,2}(?:[bB]oxed|fbox|framebox)[ \t]{0,8})"
    r"(?:\{|(?P<bare>-?[0-9](?:[0-9.,]*[0-9])?|[A-Za-z](?![A-Za-z])"
    r"|\\frac[ {]?[0-9]+}?[ {]?[0-9]+}?)"
    r"|(?P<none>))|\\.|[{}]",
    re.DOTALL,
)
# What may separate the boxes of a list: a comma or a word, with labels and dollar signs.
_JOINT = re.compile(
    r"(?:[\s$.]|\\[()\[\],;: ]|\\q?quad|\\text\{|\}|(?P<sign>[,;，、；])|"
    r""
    r"(?P<word>\b(?:and|or|y|e|et|und|oder|ou|o)\b|и|или|[和或及与])|(?P<label>\(?\b[a-z0-9]{1,3}[).])|"
    r"[A-Za-z](?:_\{?\w\}?)?\s*=)*"
)
_OR = re.compile(r"\b(?:or|oder|ou|o)\b|или|或")
_JOINT_LIMIT = 60
_DEPTH_LIMIT = 3


class Box(NamedTuple):
    """One box.

    Attributes:
        start: Position of its command.
        inside: Position of its content.
        stop: Position behind its content.
        end: Position behind the box.
    """

    start: int
    inside: int
    stop: int
    end: int


class Boxes(NamedTuple):
    """The boxes that hold the final answer.

    Attributes:
        start: Position of the first one's command.
        end: Position behind the last one.
        content: What they hold; of several, a list.
        final: False if the text ends in a box that was opened and never closed.
    """

    start: int
    end: int
    content: str
    final: bool = True


def last_boxes(text: str, depth: int = 0) -> Boxes | None:
    """Returns the last box, with those that it is joined to by a comma or a word, or None."""
    if "box" not in text and "Box" not in text:
        return None
    closed, unclosed = _match_braces(text)
    if not closed:
        return Boxes(unclosed, len(text), "", final=False) if unclosed >= 0 else None
    if unclosed >= closed[-1].end:
        return Boxes(unclosed, len(text), "", final=False)
    group = [closed[-1]]
    joints: list[str] = []
    for box in reversed(closed[:-1]):
        between = text[box.end : group[0].start] if box.end <= group[0].start else "nested"
        if not _joins(between):
            break
        group.insert(0, box)
        joints.append(between)
    contents = list(dict.fromkeys(_content(text, box, depth) for box in group))
    # Choices stay choices: they are hedges, unless they are forms of one value.
    joint = r" \text{ or } " if any(map(_OR.search, joints)) else ", "
    return Boxes(group[0].start, group[-1].end, joint.join(contents))


def _match_braces(text: str) -> tuple[list[Box], int]:
    """Returns the outermost closed boxes near the end, and the start of an unclosed one or -1."""
    closed: list[Box] = []
    open_braces: list[tuple[int, int] | None] = []  # where a box began, or None for a plain brace
    for token in _TOKENS.finditer(text):
        if token["box"] is None:
            if token.group() == "{":
                open_braces.append(None)
            elif token.group() == "}":
                begun = open_braces.pop() if open_braces else None
                if begun is not None:
                    box = Box(*begun, token.start(), token.end())
                    while closed and closed[-1].start > box.start:
                        closed.pop()  # it holds that one
                    closed.append(box)
        elif token["bare"] is not None:
            closed.append(Box(token.start(), token.start("bare"), token.end(), token.end()))
        elif token["none"] is None:
            open_braces.append((token.start(), token.end()))
    unclosed = next((begun[0] for begun in reversed(open_braces) if begun), -1)
    return closed, unclosed


def _joins(between: str) -> bool:
    """Whether the text between two boxes makes them a list."""
    if len(between) > _JOINT_LIMIT:
        return False
    match = _JOINT.fullmatch(between)
    return match is not None and any(match.groups())


def _content(text: str, box: Box, depth: int) -> str:
    """Returns what a box holds; if that is another box and nothing else, what that one holds."""
    content = text[box.inside : box.stop].strip()
    if text.startswith("\\\\", box.start):
        content = content.replace("\\\\", "\\")
    if depth < _DEPTH_LIMIT and content.startswith("\\") and "box" in content[:12]:
        inner = last_boxes(content, depth + 1)
        if inner and (inner.start, inner.end) == (0, len(content)):
            return inner.content
    return content
