r"""Marks of a final answer: "The answer is", `####`, `<answer>`, and their like in other languages.

`LANGUAGES` is the only place that knows words of a language. To add one, add a row: nouns that name
the answer, and what joins them to it. A colon always does, and so does the end of a heading's line.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import NamedTuple


class Language(NamedTuple):
    """How a language announces an answer.

    Attributes:
        nouns: What names the answer, as regular expressions.
        joints: What joins such a noun to the answer, apart from a colon.
    """

    nouns: tuple[str, ...]
    joints: tuple[str, ...] = ()


LANGUAGES = {
    "English": Language(
        (r"\b(?:answer|solution set|correct (?:option|choice|result)|final (?:result|value))s?\b",),
        (r"(?:is|are|was|would be|should be|will be|must be|equals)\b", "="),
    ),
    "Chinese": Language(
        (
            "【答案】",
            "答案",
            "正确选项",
            "故选项?",
            "应选",
            "故填",
            "因此选",
            "所以选",
            r"(?<![不若])选",
        ),
        ("应?该?[是为选]", "】", r"(?<=】)", r"(?=[A-H](?![A-Za-z]))", r"(?=[$\d])"),
    ),
    "Russian": Language((r"\bответ(?:ом)?\b",), ("равен", "является", "будет", "—", "–", "-")),
    "Spanish": Language((r"\brespuesta(?: final| correcta)?\b",), (r"(?:es|será)\b",)),
    "French": Language((r"\bréponse(?: finale| correcte)?\b",), (r"est\b",)),
    "German": Language(
        (r"\b(?:antwort|endergebnis|ergebnis)\b", r"\blösung\b"), (r"(?:ist|lautet)\b",)
    ),
    "Portuguese": Language((r"\bresposta(?: final| correta)?\b",), (r"é\b",)),
    "Italian": Language((r"\brisposta(?: finale| corretta)?\b",), (r"è\b",)),
    "Dutch": Language((r"\b(?:eind)?antwoord\b",), (r"is\b",)),
    "Polish": Language((r"\bodpowiedź\b", r"\bodpowiedz\b"), (r"(?:to|brzmi|wynosi)\b",)),
    "Czech": Language((r"\bodpověď\b",), (r"je\b",)),
    "Ukrainian": Language((r"\bвідповідь\b",), ("—", "–")),
    "Romanian": Language((r"\brăspuns(?:ul)?\b", r"\braspuns(?:ul)?\b"), (r"este\b",)),
    "Swedish, Danish, Norwegian": Language((r"\bsvar(?:et)?\b",), (r"(?:är|er)\b",)),
    "Turkish": Language((r"\bcevap\b", r"\byanıt\b")),
    "Vietnamese": Language((r"\bđáp (?:án|số)\b", r"\bcâu trả lời\b"), (r"là\b",)),
    "Indonesian": Language((r"\bjawaban(?:nya)?\b",), (r"adalah\b",)),
    "Japanese": Language(("答え", "解答", "正解"), ("は",)),
    "Korean": Language(("정답", "답"), ("은", "는")),
    "Arabic": Language(("الجواب", "الإجابة"), ("هو", "هي")),
    "Hindi": Language(("उत्तर",), ("है",)),
    "Hebrew": Language(("תשובה",), ("היא",)),
    "Greek": Language((r"\bαπάντηση\b",), (r"είναι\b",)),
}

# Every repetition is bounded, so that a megabyte of anything is searched in linear time.
_ASIDE = r"(?: ?[(（][^()（）\n]{1,40}[)）])?"
_ABOUT = r"(?: (?:to|of|for)\b[^.:\n$\\]{1,80}?)?"
_EMPHASIS = r"[ \t*_】]{0,8}"
_END_OF_LINE = r"(?<=[*_#】])(?=[ \t]{0,8}\n)"
_HEADING_DRESS = r"[#*_ \t]{0,12}"


@functools.cache  # at first use: compiling both takes a quarter of the time of `import srenv`
def _announcement(ascii_only: bool) -> re.Pattern[str]:
    patterns = []
    for nouns, joints in LANGUAGES.values():
        names = "|".join(filter(str.isascii, nouns) if ascii_only else nouns)
        if not names:
            continue
        between = "|".join([*joints, "[:：]", r"\.(?=[*_])", _END_OF_LINE])
        patterns.append(rf"(?:{names}){_ASIDE}{_ABOUT}{_EMPHASIS}(?:{between})")
        patterns.append(rf"^{_HEADING_DRESS}(?:\w{{1,20}} )?(?:{names})[*_ \t.:：]{{0,8}}$")
    return re.compile("|".join(patterns), re.IGNORECASE | re.MULTILINE)


_HASHES = re.compile(r"####[ \t]{0,8}")
_TAG = re.compile(r"<(?:final_?)?answer>", re.IGNORECASE)
_END_TAG = re.compile(r"</(?:final_?)?answer>", re.IGNORECASE)
# `#### Reflections` and `#### 2. Solve for x` are headings of a section.
_HEADING = re.compile(r"(?:\d+[.)：:] |[*_]{0,4}[^\W\d_]{2})")


class Marker(NamedTuple):
    """One mark of an answer.

    Attributes:
        start: Where it begins.
        end: Where the answer begins.
        stop: Where the answer ends at the latest.
    """

    start: int
    end: int
    stop: int


def find_markers(text: str) -> list[Marker]:
    """Returns the marks of a text, in order; one that is part of another is left out."""
    markers = sorted([*_tags(text), *_hashes(text), *_announcements(text)])
    return [m for n, m in enumerate(markers) if not n or m.end > markers[n - 1].end]


def has_marker(text: str) -> bool:
    """Whether a text marks an answer at all."""
    if _HASHES.search(text) or _TAG.search(text):
        return True
    # Most bare answers are one run of characters: nothing in them can announce anything.
    one_run = text.isascii() and not (" " in text or ":" in text or "\n" in text)
    return not one_run and _announcement(text.isascii()).search(text) is not None


def _announcements(text: str) -> Iterator[Marker]:
    for match in _announcement(text.isascii()).finditer(text):
        yield Marker(match.start(), match.end(), len(text))


def _hashes(text: str) -> Iterator[Marker]:
    for match in _HASHES.finditer(text):
        if text[match.end() : match.end() + 1] == "#":
            continue
        stop = text.find("\n", match.end())
        stop = len(text) if stop < 0 else stop
        heads_a_section = _HEADING.match(text, match.end()) and text[stop:].strip()
        if text[match.end() : stop].strip() and not heads_a_section:
            yield Marker(match.start(), match.end(), stop)


def _tags(text: str) -> Iterator[Marker]:
    for match in _TAG.finditer(text):
        end = _END_TAG.search(text, match.end())
        yield Marker(match.start(), match.end(), end.start() if end else len(text))
