"""Answers that are words and not mathematics: names, choices, dates, times, numerals of a base."""

from __future__ import annotations

import re
from fractions import Fraction

from srenv.verifier.grade import Decision
from srenv.verifier.reading.normalize import WRAPPER

_LONG_WORD = re.compile(r"[A-Za-z]{3}|^no$")
_WORDS = re.compile(r"\(?[A-Za-z][A-Za-z ,.'’-]*\)?")
_FORMULA_WORDS = re.compile(r"^(?:sqrt|sin|cos|tan|log|exp|infinity|inf|pi)(?![A-Za-z]{2})")
_CHOICE = re.compile(
    r"(?:(?:option|choice|answer)(?: |(?=\()))?[(\[]?([A-J])[)\].:]?", re.IGNORECASE
)
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))? ?(?:([ap])\.?m\.?)?", re.IGNORECASE)
_HOUR = re.compile(r"([0-9]{1,2}) ?([ap])\.?m\.?", re.IGNORECASE)
_RATIO = re.compile(r"([0-9]+(?:\.[0-9]+)?)(?:(?: to |:)([0-9]+(?:\.[0-9]+)?))+")
_REMAINDER = re.compile(r"([0-9]+) ?(?:R|r|remainder) ?([0-9]+)")
_RESIDUE = re.compile(
    r"(?:(?P<name>[A-Za-z]) ?\\equiv ?)?(?P<value>-?[0-9]{1,40})\\pmod\{(?P<modulus>[0-9]{1,40})\}"
)
_NUMERAL = re.compile(r"\(?([0-9A-Z]+)\)? ?_ ?(?:\{ ?([0-9]+|[a-z]+) ?\}|([0-9]+))")
_IN_BASE = re.compile(r",? ?\(?(?:in )?base ([0-9]+|[a-z]+)\)?$")
_BASES = {
    name: str(base)
    for base, name in enumerate(
        [
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
        ],
        start=2,
    )
} | {"sixteen": "16"}
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DATE = re.compile(
    r"(?:(?P<d1>[0-9]{1,2})(?:st|nd|rd|th)? (?:of )?)?(?P<month>[A-Za-z]{3,9})\.?"
    r"(?: ?(?P<d2>[0-9]{1,2})(?:st|nd|rd|th)?)?(?:,? ?(?P<year>[0-9]{4}))?"
)
_EMPTY = frozenset(["emptyset", "theemptyset", "nosolution", "nosolutions", "nullset", "empty"])


def compare_words(written: tuple[str, str], normal: tuple[str, str]) -> Decision | None:
    """Compares two answers as words.

    Args:
        written: The gold answer and the answer, as written.
        normal: The same, normalized.

    Returns:
        The decision; None where the gold answer is no word.
    """
    gold, answer = normal
    if _is_clock(gold) or _is_clock(answer):
        return _time(gold) == _time(answer), "time"
    for name, reader in _READERS:
        first, second = reader(gold), reader(answer)
        if first is not None and second is not None:
            return (_proportional(first, second) if name == "ratio" else first == second), name
        if first is not None and name not in ("ratio", "residue"):
            return False, name
    lists = _labeled(gold), _labeled(answer)
    if lists[0] and lists[1]:
        return sorted(lists[0]) == sorted(lists[1]), "list"
    several = _letters(gold), _letters(answer)
    if several[0] and several[1] and max(map(len, several)) > 1 and _marks(gold, answer):
        return several[0] == several[1], "choice"
    letters = _CHOICE.fullmatch(gold), _CHOICE.fullmatch(answer)
    if letters[0] and letters[1] and not (len(gold) == len(answer) == 1):
        return letters[0][1].casefold() == letters[1][1].casefold(), "text"
    words = is_words(written[0], gold)
    if words or is_words(written[1], answer):
        first_key, second_key = as_words(gold), as_words(answer)
        if first_key == second_key:
            return True, "text"
        if first_key in _EMPTY and second_key in _EMPTY:
            return True, "text"
        if words and first_key not in _SETS:
            return False, "text"
    return None


_SETS = _EMPTY | {"allrealnumbers", "allreals", "realnumbers", "infinity"}


# Letters of choices: `A, C`, `ACD`, `B and D`.
_LETTERS = re.compile(r"[A-H](?:(?:,| and |, and |;)? ?[A-H])*")
_OPTION = re.compile(
    r"(?:(?i:option|choice|answer)(?: |(?=\()))?"
    r"(?:\((?P<a>[A-Ha-h])\)\.? ?|(?P<b>[A-H])(?:[).、]|:(?=[A-Z]?[a-z ]+[a-z]{2})) ?|"
    r"(?P<c>[A-H])(?= ?\())(?P<text>.+)"
)
_LABELED = re.compile(r"([0-9][0-9.,]*) ?([A-Za-z][a-z]+(?: [a-z]+)?)(?:, and |, ?| and |; ?|$)")


def choice_letter(text: str) -> str | None:
    """Returns the letter of a choice that is given alone: `C`, `(C)`, `Option C`."""
    match = _CHOICE.fullmatch(text)
    return match[1].upper() if match else None


def split_option(text: str) -> tuple[str, str] | None:
    r"""Returns the letter and the text of a choice, as in `(A) 5` and `E. A polygenic score`."""
    match = _OPTION.fullmatch(text)
    if match is None or not match["text"].strip(" ()"):
        return None
    return (match["a"] or match["b"] or match["c"]).upper(), match["text"].strip()


def _letters(text: str) -> frozenset[str]:
    """Returns the letters of several choices; none may occur twice."""
    if _LETTERS.fullmatch(text.strip("()")) is None:
        return frozenset()
    letters = re.findall("[A-H]", re.sub("and", "", text))
    return frozenset(letters) if len(set(letters)) == len(letters) else frozenset()


def _marks(gold: str, answer: str) -> bool:
    """Whether letters are choices and not factors: one side separates them."""
    return any(mark in side for side in (gold, answer) for mark in (",", "and", ";"))


def _labeled(text: str) -> list[tuple[str, str]]:
    """Returns numbers and what they count, as in `15 chickens and 10 rabbits`."""
    parts = list(_LABELED.finditer(text)) if len(text) < 200 else []
    if len(parts) < 2 or "".join(part.group() for part in parts) != text:
        return []
    return [(m[1].rstrip(",").replace(",", ""), m[2].casefold().removesuffix("s")) for m in parts]


def _proportional(first: tuple[str, ...], second: tuple[str, ...]) -> bool | None:
    if len(first) != len(second):
        return False
    if max(map(len, first + second)) > 12:
        return True if first == second else None
    a, b = [Fraction(p) for p in first], [Fraction(p) for p in second]
    scaled = (
        a[0] != 0 and b[0] != 0 and all(x * b[0] == y * a[0] for x, y in zip(a, b, strict=True))
    )
    if scaled and first != second and any(len(parts[1]) == 2 for parts in (first, second)):
        return None  # `6:30` and `1:5`: the same ratio, but not the same time
    return scaled or first == second


def is_words(written: str, normal: str) -> bool:
    r"""Whether an answer is words and not mathematics: `\text{A}`, `no solution`, but not `xy`."""
    if _WORDS.fullmatch(normal) is None or _FORMULA_WORDS.match(normal):
        return False
    return WRAPPER.search(written) is not None or _LONG_WORD.search(normal) is not None


def as_words(text: str) -> str:
    """Returns plain text without case, spacing, articles, or the brackets of a choice letter."""
    text = re.sub(r"^(?:the|an|a) (?=[a-z]{2})", "", text.casefold())
    return re.sub(r"[\s{}.\\]|^\(|\)$", "", text)


def _is_clock(text: str) -> bool:
    """Whether a text can only be a time of day: `10:20` may as well be a ratio, `9:00` may not."""
    match = _TIME.fullmatch(text)
    if match is None:
        return _HOUR.fullmatch(text) is not None
    hour, minute, second, half = match.groups()
    return bool(half or second or hour[0] == "0" or minute[0] == "0")


def _time(text: str) -> tuple[str, ...] | None:
    match = _TIME.fullmatch(text)
    if match is not None:
        hour, minute, second, half = match.groups()
        return hour.lstrip("0"), minute, second or "", (half or "").lower()
    match = _HOUR.fullmatch(text)
    return (match[1].lstrip("0"), "00", "", match[2].lower()) if match else None


def _ratio(text: str) -> tuple[str, ...] | None:
    if _RATIO.fullmatch(text) is None:
        return None
    return tuple(re.split(" to |:", text))


def _numeral(text: str) -> tuple[str, ...] | None:
    match = _NUMERAL.fullmatch(_IN_BASE.sub(r"_{\1}", text))
    if match is None:
        return None
    base = match[2] or match[3]
    base = _BASES.get(base, base)
    if not base.isdigit() or len(base) > 2 or not 2 <= int(base) <= 36:
        return None
    digits = match[1]
    if any(int(d, 36) >= int(base) for d in digits):
        return None  # `x_1` in capitals, or a slip
    return digits.lstrip("0"), base


def _date(text: str) -> tuple[str, ...] | None:
    match = _DATE.fullmatch(text)
    if (
        match is None
        or match["month"][:3].lower() not in _MONTHS
        or not (match["d1"] or match["d2"])
    ):
        return None
    day = (match["d1"] or match["d2"]).lstrip("0")
    return match["month"][:3].lower(), day, match["year"] or ""


def _residue(text: str) -> tuple[str, ...] | None:
    match = _RESIDUE.fullmatch(text)
    if match is None or not int(match["modulus"]) > 0:
        return None
    modulus = int(match["modulus"])
    return match["name"] or "", str(int(match["value"]) % modulus), str(modulus)


def _remainder(text: str) -> tuple[str, ...] | None:
    match = _REMAINDER.fullmatch(text)
    return (match[1].lstrip("0"), match[2].lstrip("0")) if match else None


_READERS = (
    ("base", _numeral),
    ("residue", _residue),
    ("ratio", _ratio),
    ("date", _date),
    ("remainder", _remainder),
)
