r"""What is said about an answer next to the answer itself: conditions, and other forms of it.

`n = 3k, k \in \mathbb{Z}` is `n = 3k` with a condition; `\frac72 (= 3.5)` is `\frac72` with another
form, which has to agree with it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

LENGTH_LIMIT = 600
"""Longer answers are taken as they are."""


class Statement(NamedTuple):
    """An answer, and what is said about it.

    Attributes:
        main: The answer.
        forms: Other forms of it; a rounded one begins with an approximation sign.
        condition: What it holds for, or what its letters mean.
    """

    main: str
    forms: tuple[str, ...] = ()
    condition: str = ""


_QUICK = re.compile(
    r"\)$|,|\\forall|(?<![A-Za-z])(?:where|for|with|approx\w*|when|given|provided|as|over)(?![A-Za-z])"
)
_ROUNDED = re.compile(
    r"(?<!\\)(?:or |is |,)? ?(?:approximately|approx\.?|roughly|about) ?(?=[-\d.])"
)
# A rounded value with a decimal comma: `\approx 1,302`; thousands are hardly ever rounded so.
_DECIMAL_COMMA = re.compile(r"(\\approx ?-?[0-9]{1,2}),([0-9]+)(?=\)?$)")
_FORM = re.compile(
    r"(?P<main>.*[^ (]) ?\((?P<sign>=|\\approx|i\.e\.,?|or|that is,?|exactly|also|约|≈)? ?"
    r"(?P<form>[^()]+|.*\(.*\).*)\)"
)
_DOMAIN = r"\\in ?(?:\\mathbb|\\mathbf|\\[RZNQC](?![a-z])|\\\{|[\[(]|[RZNQC](?![a-z]))"
_RELATED = r"(?:\\in|\\ne|\\ge|\\le|\\neq|[<>=])"
_LETTER = r"\\?[A-Za-z]+(?:_\{?\w\}?)?"
_WORDS = r"(?:where|with|for|when|given|provided(?: that)?)(?![A-Za-z]) ?"
_ABOUT = (
    r"(?:(?:all|any|every|each|some|arbitrary|an?)(?![A-Za-z])"
    rf"|[^,]*(?:{_RELATED}|(?<![A-Za-z])(?:real|integer|constant|positive)))"
)
_AND = r"(?:[,;] ?(?:and )?| and )"
_LETTERS = rf"{_LETTER}(?: ?, ?{_LETTER})*"
# In this order: `for all x`, `\forall x`, `(k \in Z)`, `(n > 1)`, `, k \in Z`, `, C is a constant`.
_CONDITION = re.compile(
    rf"(?:(?:[,;] ?(?:and )?| (?:and )?|(?<![A-Za-z])){_WORDS}{_ABOUT}.*"
    r"|[,;]? ?\\forall.*"
    rf"|(?<=[^(]) ?\({_LETTER} ?\\in.*\)"
    rf"|(?<=[^A-Za-z(]) ?\({_LETTERS} ?{_RELATED}.*\)"
    rf"|{_AND}{_LETTERS} ?{_DOMAIN}.*"
    rf"|{_AND}{_LETTER} (?:is|being|are) (?:an? )?"
    r"(?:arbitrary|real|integer|any|constant|positive).*)$"
)
_RESTRICTED = re.compile(rf",(?: ?and)? ?(?P<letter>{_LETTER}) ?\\?(?:ne|ge|le|neq|[<>]).*$")
_SECOND = re.compile(r"(?<![A-Za-z])(?:for|when|where|and -?[0-9])(?![A-Za-z])")
_LEADING = re.compile(r"\\forall[^,:]{1,60}[,:] ?|for (?:all|any|every)[^,:]{1,60}[,:] ?")
_SPLIT_RESULT = re.compile(r"(?<![A-Za-z])(?:otherwise|else|if|unless|or)(?![A-Za-z])")


def split_remarks(text: str) -> Statement:
    """Returns a normalized answer apart from what is said about it."""
    if len(text) > LENGTH_LIMIT or not _QUICK.search(text):
        return Statement(text)
    text = _LEADING.sub("", text, count=1) if _LEADING.match(text) else text
    text = _ROUNDED.sub(r"\\approx ", text)
    main, condition = _without_condition(_DECIMAL_COMMA.sub(r"\1.\2", text))
    match = _FORM.fullmatch(main)
    if match is None or not _is_remark(match["sign"], match["form"]):
        return Statement(main, (), condition)
    form = match["form"].strip()
    if _is_aside(form):
        return Statement(match["main"], (), condition)
    sign = "\\approx " if match["sign"] in ("\\approx", "约", "≈") else ""
    return Statement(match["main"], (sign + form,), condition)


def _is_remark(sign: str | None, form: str) -> bool:
    """Whether brackets hold a remark: they follow a sign, or hold a word or an approximation."""
    return bool(sign) or form.startswith(("\\approx", "=")) or is_word(form) or _is_aside(form)


def is_word(form: str) -> bool:
    """Whether a remark is words and no mathematics."""
    return re.fullmatch(r"[A-Za-z][a-z]{2,}(?:[ -][a-z]+)*", form) is not None


_ASIDES = frozenset(
    [
        "only",
        "minimum",
        "maximum",
        "min",
        "max",
        "proved",
        "checked",
        "exactly",
        "exact",
        "simplified",
        "final",
        "verified",
        "answer",
    ]
)


def _is_aside(form: str) -> bool:
    return form.casefold() in _ASIDES or form.startswith(("where ", "满足", "其中", "при "))


def _without_condition(text: str) -> tuple[str, str]:
    match = _CONDITION.search(text)
    if match is None:
        match = _RESTRICTED.search(text)
        if match is None or not _restricts(text[: match.start()], match["letter"]):
            return text, ""
    main, condition = text[: match.start()].rstrip(" ,;"), match.group()
    if re.search(r"[<>]|\\(?:ge|le)(?![A-Za-z])", main) and re.search("[ZNQ]", condition):
        return text, ""  # the integers of an interval
    if not main or _SPLIT_RESULT.search(condition) or _SECOND.search(condition, 4):
        return text, ""
    return main, condition.lstrip(" ,;")


def _restricts(main: str, letter: str) -> bool:
    """Whether a condition on a letter restricts what is said before, rather than adding to it."""
    value = main.rpartition("=")[2]
    if re.search(r"[<>,]|\\(?:ne|ge|le|in)(?![A-Za-z])", main):
        return False
    return re.search(rf"(?<![A-Za-z\\]){re.escape(letter)}(?![A-Za-z])", value) is not None


def declared_letters(condition: str) -> frozenset[str]:
    r"""Returns the letters that a condition declares: `k \in \mathbb{Z}`, `C is a constant`."""
    match = re.search(
        rf"({_LETTER}(?: ?, ?{_LETTER})*) ?(?:\\in|(?:is|are|being)(?![a-z]))|constant ({_LETTER})"
        rf"|any ({_LETTER})(?![a-z])|\\forall ?({_LETTER})",
        condition,
    )
    if match is None:
        return frozenset()
    letters = next(group for group in match.groups() if group)
    return frozenset(part.strip().lstrip("\\") for part in letters.split(","))
