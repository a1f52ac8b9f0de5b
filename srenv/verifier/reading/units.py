r"""Units of measurement: which words and symbols are units, and how large they are."""

from __future__ import annotations

import functools
import re
from fractions import Fraction
from typing import NamedTuple


class Measure(NamedTuple):
    """What a unit measures.

    Attributes:
        dimension: The base units with their powers, such as ``(("m", 1), ("s", -2))``.
        size: How many of these base units it is.
    """

    dimension: tuple[tuple[str, int], ...]
    size: Fraction


def _of(size: str | int, **powers: int) -> Measure:
    return Measure(tuple(sorted(powers.items())), Fraction(size))


# Symbols that take the prefixes below.
_METRIC = {
    **{"m": _of(1, m=1), "g": _of(1, g=1), "s": _of(1, s=1), "L": _of("1/1000", m=3)},
    **{"l": _of("1/1000", m=3), "N": _of(1000, g=1, m=1, s=-2), "J": _of(1000, g=1, m=2, s=-2)},
    **{"W": _of(1000, g=1, m=2, s=-3), "Pa": _of(1000, g=1, m=-1, s=-2), "Hz": _of(1, s=-1)},
    **{"A": _of(1, A=1), "V": _of(1000, g=1, m=2, s=-3, A=-1), "C": _of(1, A=1, s=1)},
    **{"F": _of("1/1000", g=-1, m=-2, s=4, A=2), "T": _of(1000, g=1, s=-2, A=-1)},
    **{"ohm": _of(1000, g=1, m=2, s=-3, A=-2), "mol": _of(1, mol=1), "K": _of(1, K=1)},
    **{"eV": _of(1, eV=1), "Wb": _of(1000, g=1, m=2, s=-2, A=-1), "B": _of(1, byte=1)},
    **{"cal": _of("4184", g=1, m=2, s=-2)},
}
_PREFIXES = {
    **{"k": Fraction(10**3), "M": Fraction(10**6), "G": Fraction(10**9), "c": Fraction(1, 100)},
    **{"d": Fraction(1, 10), "m": Fraction(1, 1000), "u": Fraction(1, 10**6)},
    **{"n": Fraction(1, 10**9), "p": Fraction(1, 10**12), "T": Fraction(10**12)},
}
_OTHERS = {
    **{"minute": _of(60, s=1), "hour": _of(3600, s=1), "day": _of(86400, s=1)},
    **{"week": _of(604800, s=1), "year": _of(1, year=1), "month": _of("1/12", year=1)},
    **{"mile": _of("1609.344", m=1), "yard": _of("0.9144", m=1), "foot": _of("0.3048", m=1)},
    **{"inch": _of("0.0254", m=1), "pound": _of("453.59237", g=1), "ton": _of(10**6, g=1)},
    **{"ounce": _of("28.349523125", g=1), "hectare": _of(10**4, m=2)},
    **{
        "dollar": _of(1, dollar=1),
        "cent": _of("1/100", dollar=1),
        "mph": _of("0.44704", m=1, s=-1),
    },
    **{"euro": _of(1, euro=1), "rupee": _of(1, rupee=1), "yuan": _of(1, yuan=1)},
    **{"pound sterling": _of(1, sterling=1), "ruble": _of(1, ruble=1), "yen": _of(1, yen=1)},
    **{"%": _of(1, percent=1), r"^{\circ}": _of(1, degree=1), "celsius": _of(1, celsius=1)},
    **{"fahrenheit": _of(1, fahrenheit=1), "radian": _of(1, radian=1)},
}
# Other names of a unit, in the singular.
_WORDS = {
    **{"h": "hour", "hr": "hour", "min": "minute", "sec": "s", "second": "s", "d": "day"},
    **{"meter": "m", "metre": "m", "kilometer": "km", "kilometre": "km", "centimeter": "cm"},
    **{"centimetre": "cm", "millimeter": "mm", "millimetre": "mm", "gram": "g", "kilogram": "kg"},
    **{"milligram": "mg", "liter": "L", "litre": "L", "milliliter": "mL", "millilitre": "mL"},
    **{"ft": "foot", "feet": "foot", "in": "inch", "inche": "inch", "yd": "yard", "mi": "mile"},
    **{"lb": "pound", "lbs": "pound", "oz": "ounce", "ha": "hectare", "t": "ton", "tonne": "ton"},
    **{"newton": "N", "joule": "J", "watt": "W", "volt": "V", "ampere": "A", "amp": "A"},
    **{"ohm": "ohm", "hertz": "Hz", "pascal": "Pa", "kelvin": "K", "mole": "mol", "tesla": "T"},
    **{"coulomb": "C", "farad": "F", "byte": "B", "calorie": "cal", "buck": "dollar"},
    **{"usd": "dollar", "$": "dollar", r"\$": "dollar", "rad": "radian", "degree": r"^{\circ}"},
    **{"deg": r"^{\circ}", "percent": "%", "pct": "%", r"\%": "%", "kph": "km/hour", "yr": "year"},
    **{"公里": "km", "千米": "km", "米": "m", "分米": "dm", "厘米": "cm", "毫米": "mm"},
    **{"平方米": "m^2", "平方厘米": "cm^2", "平方分米": "dm^2", "平方千米": "km^2"},
    **{"立方米": "m^3", "立方厘米": "cm^3", "立方分米": "dm^3", "升": "L", "毫升": "mL"},
    **{"克": "g", "千克": "kg", "公斤": "kg", "吨": "ton", "秒": "s", "分钟": "minute"},
    **{"小时": "hour", "天": "day", "周": "week", "年": "year", "月": "month", "度": r"^{\circ}"},
    **{"元": "yuan", "日元": "yen", "美元": "dollar", "см": "cm", "м": "m", "км": "km", "мм": "mm"},
    **{"кг": "kg", "г": "g", "ч": "hour", "мин": "minute", "с": "s", "л": "L", "руб": "ruble"},
    **{"рублей": "ruble", "градусов": r"^{\circ}"},
}
_POWERS = {"square": 2, "sq": 2, "cubic": 3, "cu": 3, "squared": 2, "cubed": 3}
_FACTOR = re.compile(
    r"(?P<over>/|per(?![A-Za-z]))|(?P<name>[A-Za-z]+|[^\W\d_]+|\\?[%$]|\^\{\\circ\})"
    r"(?:\^?\{?(?P<power>-?[0-9])\}?)?|(?P<space>[ *.~]|\\[,;:! ]|\\cdot(?![A-Za-z]))"
)
_UNIT_LIMIT = 60
# Shorter words are products of variables, as far as this module knows.
_SHORT_UNITS = frozenset(
    [
        "cm",
        "mm",
        "km",
        "kg",
        "mg",
        "ml",
        "ft",
        "in",
        "lb",
        "lbs",
        "oz",
        "yd",
        "hr",
        "hrs",
        "mi",
        "gb",
        "mb",
        "kb",
        "cl",
        "dl",
        "ha",
        "min",
        "sec",
        "pm",
        "am",
    ]
)
# Words behind a number that change it, or say that it is not the answer.
_NOT_UNITS = re.compile(
    r"(?<![a-z])(?:or|and|to|between|not|about|around|approximately|roughly|more|less|least|most|"
    r"than|either|mod|choose|hundred|thousand|million|billion|trillion|dozen|half|halves|pi|sqrt|sin|cos|"
    r"tan|log|ln|exp|infinity|inf|factorial|squared|cubed|times|plus|minus|divided|over|maybe|"
    r"possibly|probably|perhaps|if|is|are|was|but|nor|except|with|without|versus|percentage|am|"
    r"pm|base|remainder|of the|thirds?|quarters?|fourths?|fifths?|sixths?|tenths?|"
    r"hundredths?|thousandths?|unless|otherwise|when|given|provided|assuming|though|however|also|"
    r"neither|never|only|any|all|some|none|i|you|think|guess|suppose|maybe|could|should|would|may|"
    r"might|must|can|cannot|will|instead|because|so|then|else|as|like|wrong|incorrect|false)(?![a-z])"
)


@functools.lru_cache(maxsize=2048)
def measure(unit: str) -> Measure | None:
    r"""Returns what a unit measures, such as ``m/s^2`` or ``square feet``, or None for other words.

    Args:
        unit: Symbols and words, with powers, products and one or more slashes.
    """
    if len(unit) > _UNIT_LIMIT:
        return None
    powers: dict[str, int] = {}
    size, sign, waiting, at = Fraction(1), 1, 1, 0
    last: Measure | None = None
    while at < len(unit):
        match = _FACTOR.match(unit, at)
        if match is None:
            return None
        at = match.end()
        if match["over"]:
            sign = -1
        name = match["name"]
        if name is None:
            continue
        power = int(match["power"] or 1) * sign
        if name.lower() in _POWERS:
            if name.lower()[-1] != "d":  # `square feet`
                waiting = _POWERS[name.lower()]
                continue
            if last is None:
                return None
            base, power = last, sign * (_POWERS[name.lower()] - 1)  # `feet squared`
        else:
            known = _base(name)
            if known is None:
                return None
            base, power, waiting = known, power * waiting, 1
        last = base
        size *= base.size**power
        for dimension, exponent in base.dimension:
            powers[dimension] = powers.get(dimension, 0) + exponent * power
    if last is None or abs(size.numerator).bit_length() > 400:
        return None
    return Measure(tuple(sorted((d, p) for d, p in powers.items() if p)), size)


def _base(name: str) -> Measure | None:
    """Returns what one symbol or word measures."""
    if name in _METRIC:
        return _METRIC[name]
    if len(name) > 1 and name[0] in _PREFIXES and name[1:] in _METRIC:
        unit = _METRIC[name[1:]]
        return Measure(unit.dimension, unit.size * _PREFIXES[name[0]])
    word = name.lower()
    for form in (word, word.removesuffix("s")):
        if form in _OTHERS:
            return _OTHERS[form]
        if form in _WORDS:
            return measure(_WORDS[form])
    return None


def unit_symbols(content: str, power: str) -> str | None:
    """Returns the unit that is set upright behind a number, or None for other upright text."""
    unit = re.sub(r"\s+", " ", content.replace("\\cdot", "*").replace("~", " ")).strip() + power
    if re.search(r"\\(?![,;:! ])", unit) or measure(unit) is None:
        return None
    return re.sub(r"\\[,;:! ]", " ", unit).replace("{", "").replace("}", "")


def unit_name(written: str) -> str | None:
    """Returns the name of a unit or of what is counted, or None for words that are neither."""
    written = written.strip()
    if not written[0].isascii():
        return written if len(written) < 9 and not re.search(r"[\s\d]", written) else None
    if written[0] in "%\\^$":
        return _NAMES.get(written, written)
    word = written.lower()
    if word in _NAMES:
        return _NAMES[word]
    first = re.split(r"[ ./^*]", word, maxsplit=1)[0]
    compound = "/" in written or re.fullmatch(r"(?:[cdkm]?m|ft|in)\^\{?[23]\}?", written)
    if len(first) < 3 and first not in _SHORT_UNITS and not (compound and measure(written)):
        return None
    if measure(written) is not None:
        single = written if written in _METRIC else word.removesuffix("s")
        return _WORDS.get(single, _WORDS.get(word, written))
    if _NOT_UNITS.search(word):
        return None
    if len(word.split()) > 4:
        return None  # a sentence
    name = re.sub(r"[ .{}]", "", word)
    return name.removesuffix("s") if not name.endswith("ss") else name


_NAMES = {
    **{"%": "%", r"\%": "%", "percent": "%", "per cent": "%", "pct": "%"},
    **{"$": "dollar", r"\$": "dollar", "usd": "dollar", "degrees celsius": "celsius"},
    **{r"^{\circ} C": "celsius", r"^{\circ}C": "celsius", "degrees fahrenheit": "fahrenheit"},
    **{r"^{\circ} F": "fahrenheit", r"^{\circ}F": "fahrenheit", "miles per hour": "mph"},
    **{"mile per hour": "mph"},
}
