r"""Reads everyday numbers without a parser: integers, decimals, fractions, percentages, units.

Nothing is rounded: values are `fractions.Fraction`, and lengths are bounded before a number is
built.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from srenv.verifier.grade import Decision
from srenv.verifier.reading.units import measure, unit_name
from srenv.verifier.rules.quantities import compare_quantities

DIGIT_LIMIT = 4_000
"""Longest run of digits that is read as a number (Python itself stops at 4300)."""

EXPONENT_LIMIT = 1_000
"""Largest power of ten that scientific notation may ask for."""

FULL_DECIMAL = 12
"""A decimal with this many significant digits may be the rounding of a number that never ends."""

_INTEGER = r"[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,3}(?: [0-9]{3})+|[0-9]+"
_DECIMAL = re.compile(rf"({_INTEGER})?(?:\.([0-9]*))?")
_TEN_POWER = re.compile(
    r"(?:(?<=[0-9.])[eE]|(?:\\times|\\cdot|\*|(?<=[0-9])\s*x)\s*10\^)\{?([+-]?[0-9]{1,9})\}?$"
)
_FRACTION = re.compile(
    r"(?P<whole>[0-9]+)?\s*\\frac\s*(?:\{(?P<n>[^{}]+)\}|(?P<n1>[0-9]))\s*"
    r"(?:\{(?P<d>[^{}]+)\}|(?P<d1>[0-9]))"
)
_SLASHED = re.compile(r"(?:(?P<whole>[0-9]+) )?(?P<n>[^/ ]+)/(?P<d>[^/ ]+)")
_UNIT = re.compile(
    r"(?<=[0-9}.])(?:\s*(?P<sign>\\%|%|\^\{\\circ\}(?: ?[CF])?|(?:mm|cm|m|km|ft|in)\^\{?[23]\}?|"
    r"[^\W\d_a-zA-Z]{1,8})|\s*\\unit\{(?P<upright>[^{}]+)\}|\s*(?P<omega>\\Omega)|"
    r"\s+(?P<symbol>[NVJWmsghLAKTCF]|Hz|Pa)|"
    r"\s+(?P<word>[A-Za-z][A-Za-z ./*]*(?:\^?\{?-?[0-9]\}?)?(?:/[A-Za-z]+(?:\^\{?[0-9]\}?)?)?))$"
)
_MULTIPLIERS = {
    **{"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9},
    **{"trillion": 10**12, "dozen": 12, "万": 10**4, "亿": 10**8},
}
_MULTIPLIED = re.compile(
    rf"(?P<number>[0-9][0-9.,]*)\s*(?P<times>{'|'.join(_MULTIPLIERS)})\b(?P<rest>.*)"
)
# `5 hours 30 minutes`, `6 ft and 2 in`
_PART = r"[0-9]+(?:\.[0-9]+)? ?(?:\\unit\{[^{}]+\}|[A-Za-z]+\.?|[^\W\d_]{1,4})"
_COMPOUND = re.compile(rf"{_PART}(?:,? ?(?:and )?{_PART})+")
_PARTS = re.compile(
    r"(?P<number>[0-9]+(?:\.[0-9]+)?) ?(?:\\unit\{(?P<upright>[^{}]+)\}|(?P<word>[^\W\d_]+))"
)


_ONES = [
    "zero",
    "one",
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
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


@dataclass(frozen=True, slots=True)
class Number:
    """A rational number as it was written.

    Attributes:
        value: The exact value; a percentage is a hundredth of its figure.
        unit: Name of the unit, ``"%"`` for a percentage, empty where none was written.
        decimals: Digits behind the point; None for integers and fractions.
        digits: Significant digits, where `decimals` says that it is a decimal.
    """

    value: Fraction
    unit: str = ""
    decimals: int | None = None
    digits: int = 0


def parse_number(text: str) -> Number | None:
    r"""Reads a normalized answer as one rational number with at most one unit.

    Args:
        text: A result of `normalize`, such as ``-1,080``, ``2\frac{1}{3}``, ``1.5e-7``,
            ``\$3.50``, ``28\%`` or ``12 apples``.

    Returns:
        The number; None where the text is anything else, or too long to be worth reading.
    """
    if text[:1].isalpha() and len(text) < 14 and text.replace("-", "").isalpha():
        word = number_of_word(text)
        return None if word is None else Number(Fraction(word))
    sign, body = _split_sign(text)
    unit = ""
    for mark, name in _CURRENCIES:
        if body.startswith(mark):
            unit, body = name, body[len(mark) :].lstrip()
            if sign == 1:
                sign, body = _split_sign(body)
    multiplied = _MULTIPLIED.fullmatch(body)
    if multiplied is not None:
        body = f"{multiplied['number']}{multiplied['rest']}"
        sign *= _MULTIPLIERS[multiplied["times"]]
    match = _UNIT.search(body[-80:])
    if match is not None:
        parts = match.groupdict()
        upright: str | None = parts["upright"] or parts["symbol"] or (parts["omega"] and "ohm")
        plain = unit_name(upright or parts["sign"] or parts["word"])
        named = plain or upright
        if named is None:
            return _sum_of_parts(text)
        if unit and measure(named) != measure(unit):
            return None
        unit, body = named, body[: len(body) - len(match.group())]
    number = _parse_value(body)
    if number is None and match is not None:
        return _sum_of_parts(text)
    if number is None:
        return None
    value = sign * number.value / (100 if unit == "%" else 1)
    return Number(value, unit, number.decimals, number.digits)


def _sum_of_parts(text: str) -> Number | None:
    """Reads a quantity in parts of one dimension, `5 hours 30 minutes`, in the smallest of them."""
    if len(text) > 80 or _COMPOUND.fullmatch(text) is None:
        return None
    parts = [(Fraction(m["number"]), m["upright"] or m["word"]) for m in _PARTS.finditer(text)]
    measures = [measure(unit) for _, unit in parts]
    known = [m for m in measures if m is not None]
    if len(known) < len(parts) or len({m.dimension for m in known}) > 1:
        return None
    if [m.size for m in known] != sorted({m.size for m in known}, reverse=True):
        return None
    total = sum((n * m.size for (n, _), m in zip(parts, known, strict=True)), Fraction(0))
    return Number(total / known[-1].size, parts[-1][1])


_CURRENCIES = (
    (r"\$", "dollar"),
    ("¥", "yuan"),
    ("￥", "yuan"),
    ("£", "pound sterling"),
    (r"\pounds", "pound sterling"),
    ("€", "euro"),
    (r"\euro", "euro"),
    ("₹", "rupee"),
    ("Rs.", "rupee"),
    ("Rs ", "rupee"),
)


def _split_sign(text: str) -> tuple[int, str]:
    if text[:1] in ("+", "-"):
        return (-1 if text[0] == "-" else 1), text[1:].lstrip()
    return 1, text


def _parse_value(text: str) -> Number | None:
    """Reads an unsigned number without a unit."""
    match = None
    if "/" in text or "\\frac" in text:
        match = _FRACTION.fullmatch(text) or _SLASHED.fullmatch(text)
    if match is None:
        return _parse_decimal(text)
    parts = match.groupdict()
    top, bottom = parts["n"] or parts["n1"], parts["d"] or parts["d1"]
    top_sign, top = _split_sign(top.removeprefix("{").removesuffix("}"))
    bottom_sign, bottom = _split_sign(bottom.removeprefix("{").removesuffix("}"))
    numerator, denominator = _parse_decimal(top), _parse_decimal(bottom)
    if numerator is None or denominator is None or not denominator.value:
        return None
    value = top_sign * bottom_sign * numerator.value / denominator.value
    if parts["whole"] is None:
        return Number(value)
    if not 0 < value < 1 or len(parts["whole"]) > DIGIT_LIMIT:
        return None  # `2\frac{7}{3}` is a product or a slip, not a mixed number
    return Number(int(parts["whole"]) + value)


def _parse_decimal(text: str) -> Number | None:
    """Reads an integer, a finite decimal, or one of them times a power of ten."""
    if len(text) > DIGIT_LIMIT:
        return None
    if text.isdigit() and text.isascii():
        return Number(Fraction(int(text)))
    power = 0
    scientific = _TEN_POWER.search(text)
    if scientific is not None:
        power, text = int(scientific[1]), text[: scientific.start()].rstrip()
    match = _DECIMAL.fullmatch(text)
    if match is None or abs(power) > EXPONENT_LIMIT:
        return None
    whole, fraction = re.sub("[, ]", "", match[1] or ""), match[2] or ""
    if not whole + fraction:
        return None
    value = Fraction(int(whole + fraction)) * Fraction(10) ** (power - len(fraction))
    decimals = len(fraction) - power if fraction else None
    return Number(value, "", decimals, len((whole + fraction).lstrip("0")))


def compare_numbers(gold: Number, answer: Number) -> Decision:
    """Compares two numbers exactly."""
    if (
        gold.unit != answer.unit
        and gold.unit
        and answer.unit
        and "%" not in (gold.unit, answer.unit)
    ):
        same = compare_quantities(gold.value, gold.unit, answer.value, answer.unit)
        return same, "unit"
    equal = gold.value == answer.value or _rounds_to(gold, answer) or _rounds_to(answer, gold)
    if "%" in (gold.unit, answer.unit):
        if gold.unit and answer.unit and gold.unit != answer.unit:
            return None, "unit"
        signed, bare = (gold, answer) if gold.unit else (answer, gold)
        # A dropped sign is a slip of notation (`28` for `28\%`), a shifted point is not.
        dropped = not bare.unit and abs(bare.value) > 1 and bare.value == 100 * signed.value
        return equal or dropped, "percent"
    if gold.decimals is not None or answer.decimals is not None:
        return equal, "decimal"
    integers = gold.value.denominator == 1 == answer.value.denominator
    return equal, "integer" if integers else "rational"


def _rounds_to(decimal: Number, fraction: Number) -> bool:
    """Whether a full-length decimal is the rounding of a fraction."""
    if decimal.decimals is None or fraction.decimals is not None:
        return False
    ulp = Fraction(10) ** -decimal.decimals / (100 if decimal.unit == "%" else 1)
    return decimal.digits >= FULL_DECIMAL and rounds(decimal.value, fraction.value, ulp)


def rounds(decimal: Fraction, value: Fraction, ulp: Fraction) -> bool:
    """Whether a decimal is `value` rounded to units of `ulp`, to nearest or towards zero."""
    cut = (abs(value) // ulp) * ulp == abs(decimal) and decimal * value > 0
    return cut or abs(decimal - value) * 2 <= ulp


def number_of_word(text: str) -> int | None:
    """Returns the number that a word names, up to a hundred: `twelve`, `forty-two`."""
    word = text.casefold().strip(" .")
    if word in _ONES:
        return _ONES.index(word)
    ten, _, one = word.replace(" ", "-").partition("-")
    if ten not in _TENS or one not in ("", *_ONES[1:10]):
        return 100 if word in ("hundred", "a hundred", "one hundred") else None
    return 20 + 10 * _TENS.index(ten) + (_ONES.index(one) if one else 0)
