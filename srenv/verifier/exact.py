r"""Compare answers exactly, without SymPy: as text, and as rational numbers.

`normalise` takes the dressing off an answer (dollar signs, spacing, ``\text{}``, ``\dfrac``).
`decide` then settles what can be settled by exact arithmetic or as plain words, which is nearly
all of everyday traffic, and leaves the rest to `srenv.verifier.symbolic`. Nothing is rounded:
values are `fractions.Fraction`, and lengths are bounded before a number is built.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

DIGIT_LIMIT = 4_000
"""Longest run of digits that is read as a number (Python itself stops at 4300)."""

EXPONENT_LIMIT = 1_000
"""Largest power of ten that scientific notation may ask for."""

FULL_DECIMAL = 12
"""A decimal with this many significant digits may stand for a fraction that never ends."""

Decision = tuple[bool | None, str]
"""Whether the answer is right (None: undecided), and the rule that said so."""

# --- normalised text ---------------------------------------------------------------------------

_UNICODE = str.maketrans(
    {
        **dict.fromkeys("−–—‐‑﹣－", "-"),
        **{chr(0xFF10 + d): str(d) for d in range(10)},
        **dict.fromkeys("\u00a0\u2009\u202f\u2002\u2003\u3000", " "),
        **{c: rf"^{{{d}}}" for d, c in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
        **{"½": r"\frac{1}{2}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}", "⅓": r"\frac{1}{3}"},
        **{"⅔": r"\frac{2}{3}", "π": r"\pi ", "∞": r"\infty ", "°": r"^{\circ}", "±": r"\pm "},
        **{"×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "÷": "/", "∪": r"\cup "},
        **{"≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "∈": r"\in ", "≈": r"\approx "},
        **{"α": r"\alpha ", "β": r"\beta ", "θ": r"\theta ", "，": ",", "％": "%", "＋": "+"},
        **{"∅": r"\emptyset ", "ℝ": r"\mathbb{R}"},
    }
)
_ROOT_SIGN = re.compile(r"√\s*([0-9]+|[a-z])")
# Bold letters are vectors, for which `\times` does not commute: they keep their dress.
_WRAPPERS = (
    r"text|textbf|textit|textrm|textnormal|mathrm|mathit|mbox|operatorname|mathbf(?!\s*\{[a-z]\})"
)
_WRAPPED = re.compile(rf"\\(?:{_WRAPPERS})\s*\{{([^{{}}]*)\}}")
_SPACING = re.compile(r"\$|\\[()\[\],;: ]|~|\\(?:quad|qquad)(?![A-Za-z])")
_STYLE = re.compile(
    r"\\!|\\color\{\w+\}|"
    r"\\(?:left|right|[bB]ig+[lr]?|displaystyle|textstyle|limits|large|Large|small)(?![A-Za-z])"
)
_DEGREES = re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![A-Za-z]))")
_SYNONYMS = (
    (re.compile(r"\\[dtc](frac|binom)(?![A-Za-z])"), r"\\\1"),
    (re.compile(r"\\varnothing(?![A-Za-z])"), r"\\emptyset"),
    (re.compile(r"\\le(?:q|qslant)(?![A-Za-z])"), r"\\le"),
    (re.compile(r"\\ge(?:q|qslant)(?![A-Za-z])"), r"\\ge"),
    (re.compile(r"\\neq(?![A-Za-z])"), r"\\ne"),
    (re.compile(r"\\colon(?![A-Za-z])"), ":"),
)
_FULL_LINE_BREAK = "\\\\"
# A space matters between letters and digits (`5 520`, `no solution`, `\frac{1}{2} mile`).
_IDLE_SPACE = re.compile(r"(?<![A-Za-z0-9}]) | (?![A-Za-z0-9])")


def normalise(answer: str) -> str:
    """Return an answer without its dressing; answers with equal results are the same answer."""
    text = _ROOT_SIGN.sub(r"\\sqrt{\1}", answer).translate(_UNICODE)
    # Line breaks of a matrix are set aside, so that `\\[` is not read as `\[`.
    rows = text.replace(r"\$", "\uffff").split(_FULL_LINE_BREAK)
    text = _FULL_LINE_BREAK.join(_SPACING.sub(" ", _STYLE.sub("", row)) for row in rows)
    text = text.replace("{,}", ",").replace("\uffff", r"\$")
    text = _DEGREES.sub(r"^{\\circ}", _WRAPPED.sub(r" \1 ", text))
    for pattern, name in _SYNONYMS:
        text = pattern.sub(name, text)
    text = _IDLE_SPACE.sub("", " ".join(text.split()))
    text = _full_stop(_full_stop(text).removeprefix("**").removesuffix("**").strip())
    while _is_group(text):
        text = text[1:-1].strip()
    return text


def _full_stop(text: str) -> str:
    """Take off the full stop of a sentence, but no ellipsis."""
    return text if text.endswith("..") else text.removesuffix(".")


def _is_group(text: str) -> bool:
    """Whether one pair of braces encloses the whole text."""
    return text[:1] == "{" and text.find("}") == len(text) - 1


# --- numbers -----------------------------------------------------------------------------------

_INTEGER = r"[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,3}(?: [0-9]{3})+|[0-9]+"
_DECIMAL = re.compile(rf"({_INTEGER})?(?:\.([0-9]*))?")
_TEN_POWER = re.compile(r"(?:[eE]|(?:\\times|\\cdot|\*)\s*10\^)\{?([+-]?[0-9]{1,9})\}?$")
_FRACTION = re.compile(
    r"(?P<whole>[0-9]+)?\s*\\frac\s*(?:\{(?P<n>[^{}]+)\}|(?P<n1>[0-9]))\s*"
    r"(?:\{(?P<d>[^{}]+)\}|(?P<d1>[0-9]))"
)
_SLASHED = re.compile(r"(?:(?P<whole>[0-9]+) )?(?P<n>[^/ ]+)/(?P<d>[^/ ]+)")
_UNIT = re.compile(
    r"(?<=[0-9}.])(?:\s*(?P<sign>\\%|%|\^\{\\circ\})|"
    r"\s+(?P<word>[A-Za-z][A-Za-z ./]*(?:\^\{?[23]\}?)?))$"
)
# Shorter words are products of variables, as far as this module knows.
_SHORT_UNITS = ("cm", "mm", "km", "kg", "mg", "ml", "ft", "in", "lb", "oz", "yd", "hr", "mi")
# Words behind a number that change it, or say that it is not the answer.
_NOT_UNITS = re.compile(
    r"(?<![a-z])(?:or|and|to|between|not|about|around|approximately|more|less|least|most|than|"
    r"either|mod|choose|hundred|thousand|million|billion|trillion|dozen|half|pi|sqrt|sin|cos|tan|"
    r"log|ln|exp|infinity|inf|factorial|squared|cubed|times|plus|minus|divided|over)(?![a-z])"
)
_UNIT_NAMES = {"percent": "%", r"\%": "%", "degree": r"^{\circ}", "$": "dollar", r"\$": "dollar"}


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
    r"""Read a normalised answer as one rational number with at most one unit.

    Args:
        text: A result of `normalise`, such as ``-1,080``, ``2\frac{1}{3}``, ``1.5e-7``,
            ``\$3.50``, ``28\%`` or ``12 apples``.

    Returns:
        The number; None where the text is anything else, or too long to be worth reading.
    """
    sign, body = _split_sign(text)
    unit = ""
    if body.startswith(r"\$"):
        unit, body = "dollar", body[2:].lstrip()
    found = _UNIT.search(body[-80:])
    if found is not None:
        named = _unit_name(found["sign"] or found["word"])
        if named is None or (unit and named != unit):
            return None
        unit, body = named, body[: len(body) - len(found.group())]
    number = _parse_value(body)
    if number is None:
        return None
    value = sign * number.value / (100 if unit == "%" else 1)
    return Number(value, unit, number.decimals, number.digits)


def _split_sign(text: str) -> tuple[int, str]:
    if text[:1] in ("+", "-"):
        return (-1 if text[0] == "-" else 1), text[1:].lstrip()
    return 1, text


def _unit_name(word: str) -> str | None:
    """Return the canonical name of a unit, or None for words that are no unit."""
    if not word[0].isalpha():
        return _UNIT_NAMES.get(word, word)
    word = word.lower()
    first = re.split(r"[ ./^]", word, maxsplit=1)[0]
    if _NOT_UNITS.search(word) or (len(first) < 3 and first not in _SHORT_UNITS):
        return None
    name = re.sub(r"[ .{}]", "", word).removesuffix("s")
    return _UNIT_NAMES.get(name, name)


def _parse_value(text: str) -> Number | None:
    """Read an unsigned number without a unit."""
    match = _FRACTION.fullmatch(text) or _SLASHED.fullmatch(text)
    if match is None:
        return _parse_decimal(text)
    parts = match.groupdict()
    top, bottom = parts["n"] or parts["n1"], parts["d"] or parts["d1"]
    sign, top = _split_sign(top)
    numerator, denominator = _parse_decimal(top), _parse_decimal(bottom)
    if numerator is None or denominator is None or not denominator.value:
        return None
    value = sign * numerator.value / denominator.value
    if parts["whole"] is None:
        return Number(value)
    if not 0 < value < 1 or len(parts["whole"]) > DIGIT_LIMIT:
        return None  # `2\frac{7}{3}` is a product or a slip, not a mixed number
    return Number(int(parts["whole"]) + value)


def _parse_decimal(text: str) -> Number | None:
    """Read an integer, a finite decimal, or one of them times a power of ten."""
    if len(text) > DIGIT_LIMIT:
        return None
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


def _same(gold: Number, answer: Number) -> Decision:
    """Compare two numbers exactly."""
    if gold.unit != answer.unit and gold.unit and answer.unit:
        return None, "unit"  # `5 m` and `500 cm`: out of reach of this module
    equal = gold.value == answer.value or _rounds_to(gold, answer) or _rounds_to(answer, gold)
    if "%" in (gold.unit, answer.unit):
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
    if decimal.decimals is None or fraction.decimals is not None or decimal.digits < FULL_DECIMAL:
        return False
    ulp = Fraction(10) ** -decimal.decimals / (100 if decimal.unit == "%" else 1)
    return abs(decimal.value - fraction.value) * 2 <= ulp


# --- deciding ----------------------------------------------------------------------------------

_NAMED = re.compile(
    r"(?P<name>\\?[A-Za-z]+(?:_\{?\w{1,8}\}?)?(?:\(-?\w{1,3}\))?|\([A-Za-z](?:,[A-Za-z])+\))\s*"
    r"(?:=|\\in(?![A-Za-z]))\s*"
)
_LONG_WORD = re.compile(r"[A-Za-z]{3}|^no$")
_WORDS = re.compile(r"\(?[A-Za-z][A-Za-z ,.'-]*\)?")
_PLAIN = re.compile(r"[0-9]+(?::[0-9]+)+(?: ?[AaPp]\.?[Mm]\.?)?|[0-9A-Z]+_\{?[0-9]+\}?")
_EQUATION = re.compile(r"(?<![<>])=|\\in(?![A-Za-z])")
_SPACED_LIST = re.compile(r"[0-9]\s*,\s+[0-9]")  # `1, 200` is a list, `1,200` a number
_WRAPPER_IN = re.compile(rf"\\(?:{_WRAPPERS})\s*\{{")
_HEDGE = re.compile(
    r",|;|\\(?:pm|mp|ge|le|ne|approx|in|cup|sim|lt|gt)(?![A-Za-z])|[<>]|"
    r"(?<![A-Za-z])(?:or|and|to|between|either|not|about|approximately)(?![A-Za-z])"
)


def unname(gold: str, answer: str) -> tuple[str, str]:
    """Take off the names that answers are given, as in ``x = 5``.

    Names are dropped where both sides bear the same one, or where only one side is an equation;
    two different names, or an equation proper, stay as they are.
    """
    mine, yours = _NAMED.match(gold), _NAMED.match(answer)
    if mine and yours:
        if mine["name"] != yours["name"]:
            return gold, answer
        return _named_value(gold, mine), _named_value(answer, yours)
    if mine and not _EQUATION.search(answer):
        return _named_value(gold, mine), answer
    if yours and not _EQUATION.search(gold):
        return gold, _named_value(answer, yours)
    return gold, answer


def _named_value(text: str, name: re.Match[str]) -> str:
    """Return what is named; a chain that computes a number (`x = 2 + 3 = 5`) ends in it."""
    value = re.sub(rf"(?:,| ?or ){re.escape(name[0])}", ",", text[name.end() :])
    if "=" not in value:
        return value
    return text if "," in value or " " in value else value.rpartition("=")[2]


def _is_words(written: str, normal: str) -> bool:
    r"""Whether an answer is words and not mathematics: `\text{A}`, `no solution`, but not `xy`."""
    if _WORDS.fullmatch(normal) is None:
        return False
    return _WRAPPER_IN.search(written) is not None or _LONG_WORD.search(normal) is not None


def decide(gold: str, answer: str) -> Decision | None:
    """Compare two answers by exact rules.

    Args:
        gold: The gold answer, as written but without a box.
        answer: The answer to check, likewise.

    Returns:
        The decision and its rule; None where no exact rule applies.
    """
    left, right = normalise(gold), normalise(answer)
    if not left:
        return None, "no_gold"
    if not right:
        return False, "no_answer"
    if left == right:
        return True, "text"
    words = _is_words(answer, right)
    if _is_words(gold, left) or _PLAIN.fullmatch(left) or _PLAIN.fullmatch(right):
        return _as_words(left) == _as_words(right), "text"
    if words and _as_words(left) == _as_words(right):
        return True, "text"
    left, right = unname(left, right)
    if bool(_EQUATION.search(left)) != bool(_EQUATION.search(right)):
        return False, "equation"
    wanted = None if _SPACED_LIST.search(gold) else parse_number(left)
    given = None if _SPACED_LIST.search(answer) else parse_number(right)
    if wanted is None:
        return None
    if given is not None:
        return _same(wanted, given)
    if _HEDGE.search(right):
        return False, "hedged"
    return (False, "unparsable_answer") if words else None


def _as_words(text: str) -> str:
    """Return plain text without case, spacing, or the brackets of a choice letter."""
    return re.sub(r"[\s{}.]|^\(|\)$", "", text).casefold()
