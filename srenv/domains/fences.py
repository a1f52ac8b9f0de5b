"""Fenced blocks of Markdown: finds the program in a turn."""

from __future__ import annotations

import re
from typing import NamedTuple

_FENCE = re.compile(r"`{3,}|~{3,}")
_PYTHON = re.compile(r"\{?\s*\.?(?:python|py)[0-9.]*\b(?!-).*", re.IGNORECASE)
_DOCUMENT = re.compile(r"\{?\s*\.?(?:markdown|md)\b.*", re.IGNORECASE)
_CODE = re.compile(
    r"[ \t]*(?:"
    r"(?:async[ ]+)?def[ ]+\w+[ ]*\(|class[ ]+\w+[ ]*[:(]|@\w"
    r"|import[ ]+\w|from[ ]+[\w.]+[ ]+import\b"
    r"|(?:for|while|if|with)\b.*:[ \t]*(?:#.*)?$|(?:try|else):|return\b|(?:pass|raise|yield)\b"
    r"|[A-Za-z_][\w.\[\],]*[ ]*(?:[-+*/%|&^]|//|\*\*|>>|<<)?=(?!=)|[A-Za-z_][\w.]*\()"
)
MAX_LINE = 200
"""Only this many characters of a line are read to say whether it is Python."""


class Program(NamedTuple):
    """A program in a text.

    Attributes:
        code: The program, without the fence and its indentation; empty for an empty block.
        end: Character of the text after the block.
    """

    code: str
    end: int


class _Opening(NamedTuple):
    line: int
    indent: int
    fence: str
    python: bool
    tagged: bool


def find_program(text: str) -> Program | None:
    r"""Returns the last complete block that is fenced as Python or without a language.

    Fences are those of CommonMark: three or more backticks or tildes, closed by as many or more
    of the same. A tag (``py``, ``python3``, ``Python``) is optional, and the fence may be indented.
    Blocks of other languages do not count, and neither does a block without a tag that shows no
    code after one with a tag, as it shows what the program prints. Linear in the text.

    Example:
        >>> find_program("So:\n~~~py\nx = 1\n~~~\nIt is one.")
        Program(code='x = 1', end=19)
        >>> find_program("```python\nx = 1")  # not complete
    """
    lines = text.split("\n")
    last: tuple[_Opening, int] | None = None
    opening: _Opening | None = None
    for number, line in enumerate(lines):
        unindented = line.lstrip(" \t")
        match = _FENCE.match(unindented)
        if match is None:
            continue
        indent, fence = len(line) - len(unindented), match[0]
        tag = unindented[len(fence) :].strip()
        if "`" in tag and fence[0] == "`":  # code in a line of prose
            continue
        inside = opening is not None and (
            fence[0] != opening.fence[0]
            or len(fence) < len(opening.fence)
            or indent > opening.indent + 3
        )
        if inside:
            continue
        if opening is not None and not tag:
            shown = last is None or opening.tagged or _shows_code(lines, opening, number)
            if opening.python and shown:
                last = opening, number
            opening = None
        elif opening is None or _PYTHON.fullmatch(tag):  # a block that was never closed is dropped
            python = not tag or _PYTHON.fullmatch(tag) is not None
            if python or not _DOCUMENT.fullmatch(tag):
                opening = _Opening(number, indent, fence, python, bool(tag))
    if last is None:
        return None
    start, stop = last
    code = "\n".join(_unindent(line, start.indent) for line in lines[start.line + 1 : stop])
    end = sum(len(line) + 1 for line in lines[:stop]) + len(lines[stop])
    return Program(code.strip("\n").rstrip(), end)


def is_code(text: str) -> bool:
    """Returns whether the first line that is not blank is Python, as in a program without fence."""
    line = next((line for line in text.split("\n") if line.strip()), "")
    return _CODE.match(line[:MAX_LINE]) is not None


def fenced(code: str) -> str:
    """Returns a program as a block, in a fence that is longer than any in it."""
    runs = [len(run) for run in re.findall("`{3,}", code)]
    fence = "`" * (max(runs) + 1 if runs else 3)
    return f"{fence}python\n{code}\n{fence}"


def _shows_code(lines: list[str], opening: _Opening, stop: int) -> bool:
    """Returns whether a line of a block is Python."""
    inside = range(opening.line + 1, stop)
    return any(_CODE.match(lines[number][:MAX_LINE]) for number in inside)


def _unindent(line: str, count: int) -> str:
    line = line.rstrip("\r")
    return line[min(count, len(line) - len(line.lstrip(" \t"))) :]
