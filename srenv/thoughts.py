"""Thoughts: the part of a turn in which a model talks to itself, by the marks of its template."""

from __future__ import annotations

import re

THOUGHTS: dict[str, str] = {
    "<think>": "</think>",
    "<|channel|>analysis<|message|>": "<|end|>",
    "<|channel|>commentary<|message|>": "<|end|>",
    "<|channel>thought": "<channel|>",
    " to=self<|message|>": "<|eom|>",
    "<|START_THINKING|>": "<|END_THINKING|>",
    "[THINK]": "[/THINK]",
}
"""How a thought ends, by how it begins: most open models; GPT-OSS (harmony), whose channels other
than the final one are not for the user; Gemma 4; Muse; Command A; Magistral."""

_LONE = frozenset(THOUGHTS.values()) - {"<|end|>", "<|eom|>"}
"""Ends that mean a thought even if nothing began it: the prompt did, and is not in the text."""

_HEADERS = (
    "<|start|>assistant<|channel|>final<|message|>",
    "<|channel|>final<|message|>",
    "<|start|>assistant to=user<|message|>",
    " to=user<|message|>",
)
"""What precedes the message to the user, next to its thoughts."""

_MARK = re.compile("|".join(map(re.escape, [*_HEADERS, *THOUGHTS, *sorted({*THOUGHTS.values()})])))

MARKS = frozenset(
    re.findall(r"<[^<>]+>|\[/?THINK\]", " ".join([*_HEADERS, *THOUGHTS, *THOUGHTS.values()]))
)
"""The marks one by one. Those of them that are special tokens belong to the text of a turn."""


def hide_thoughts(text: str) -> str:
    """Returns the text with its thoughts blanked out, at the same length; in linear time.

    A lone end closes a thought that the prompt began; a lone beginning never ends.

    Example:
        >>> hide_thoughts("<think>4?</think>5")
        '                 5'
        >>> hide_thoughts("5 <think>or 4").rstrip()
        '5'
    """
    if not _may_think(text):
        return text
    parts = _parts(text)
    if len(parts) == 1:
        return text
    return "".join(part if said else " " * len(part) for said, part in parts)


def split_thoughts(text: str) -> tuple[str, str]:
    r"""Returns the thoughts of a turn and what it says, both without marks; in linear time.

    Example:
        >>> split_thoughts("<think>\n4?\n</think>\n\n5")
        ('4?', '5')
        >>> split_thoughts("5")
        ('', '5')
    """
    if not _may_think(text):
        return "", text
    parts = _parts(text)
    if len(parts) == 1:
        return "", text
    thoughts = (_MARK.sub("", part).strip() for said, part in parts if not said)
    speech = (part.strip() for said, part in parts if said)
    return "\n\n".join(filter(None, thoughts)), "\n\n".join(filter(None, speech))


def _may_think(text: str) -> bool:
    return "<" in text or "THINK]" in text


def _parts(text: str) -> list[tuple[bool, str]]:
    """Returns consecutive parts of the text, each with whether it is said: no thought, no mark."""
    parts: list[tuple[bool, str]] = []  # text[:hidden] is hidden; the parts are text[hidden:at]
    hidden = at = 0
    end = ""
    for match in _MARK.finditer(text):
        mark = match[0]
        if end and mark != end:
            continue
        if end:
            parts.append((False, text[at : match.end()]))
            end = ""
        elif mark in _LONE:
            parts.clear()
            hidden = match.end()
        else:
            parts += (True, text[at : match.start()]), (False, mark)
            end = THOUGHTS.get(mark, "")
        at = match.end()
    if hidden:
        parts.insert(0, (False, text[:hidden]))
    return [*parts, (not end, text[at:])]


def open_thought(text: str) -> str:
    r"""Returns the end of the text from where a thought begins that does not end, or ``""``.

    Example:
        >>> open_thought("<|assistant|><think>\n")
        '<think>\n'
    """
    start, end = len(text), ""
    for match in _MARK.finditer(text):
        if not end and match[0] in THOUGHTS:
            start, end = match.start(), THOUGHTS[match[0]]
        elif match[0] == end:
            start, end = len(text), ""
    return text[start:]


def without_thoughts(text: str) -> str:
    r"""Returns what follows the thoughts of a turn; nothing of a turn that was cut off in one.

    Example:
        >>> without_thoughts("<think>\n4?\n</think>\n\n5")
        '5'
    """
    visible = hide_thoughts(text)
    return text if visible is text else visible.strip()
