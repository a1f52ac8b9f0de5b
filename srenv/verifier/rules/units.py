"""Units behind a number: which words are units, and which quantities are the same."""

from __future__ import annotations

import re
from fractions import Fraction

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
    r"than|either|mod|choose|hundred|thousand|million|billion|trillion|dozen|half|pi|sqrt|sin|cos|"
    r"tan|log|ln|exp|infinity|inf|factorial|squared|cubed|times|plus|minus|divided|over|maybe|"
    r"possibly|probably|perhaps|if|is|are|was|but|nor|except|with|without|versus|percentage|am|"
    r"pm|base|remainder|of the|solutions|thirds?|quarters?|fourths?|fifths?|sixths?|tenths?|"
    r"hundredths?|thousandths?|unless|otherwise|when|given|provided|assuming|though|however|also|"
    r"neither|never|only|any|all|some|none|i|you|think|guess|suppose|maybe|could|should|would|may|"
    r"might|must|can|cannot|will|instead|because|so|then|else|as|like|wrong|incorrect|false)(?![a-z])"
)
_NAMES = {
    **{"%": "%", r"\%": "%", "percent": "%", "per cent": "%", "pct": "%"},
    **{"$": "dollar", r"\$": "dollar", "usd": "dollar", "buck": "dollar"},
    **{"degrees": r"^{\circ}", "degree": r"^{\circ}", "deg": r"^{\circ}"},
    **{r"^{\circ} C": "celsius", r"^{\circ}C": "celsius", "degreescelsius": "celsius"},
    **{r"^{\circ} F": "fahrenheit", r"^{\circ}F": "fahrenheit", "degreesfahrenheit": "fahrenheit"},
    **{"mile per hour": "mph", "mileperhour": "mph", "milesperhour": "mph", "miles/hour": "mph"},
    **{"sq": "square", "feet": "foot", "ft": "foot", "inches": "inch", "in": "inch"},
    **{"metre": "meter", "m": "meter", "km": "kilometer", "cm": "centimeter", "mm": "millimeter"},
    **{"kilometre": "kilometer", "centimetre": "centimeter", "millimetre": "millimeter"},
    **{"litre": "liter", "l": "liter", "ml": "milliliter", "millilitre": "milliliter"},
    **{"g": "gram", "kg": "kilogram", "mg": "milligram", "lb": "pound", "oz": "ounce"},
    **{"yd": "yard", "mi": "mile", "hr": "hour", "min": "minute", "sec": "second", "s": "second"},
}
_SIZES: dict[str, tuple[str, Fraction]] = {
    **{"kilometer": ("m", Fraction(1000)), "meter": ("m", Fraction(1))},
    **{"centimeter": ("m", Fraction(1, 100)), "millimeter": ("m", Fraction(1, 1000))},
    **{"mile": ("m", Fraction("1609.344")), "yard": ("m", Fraction("0.9144"))},
    **{"foot": ("m", Fraction("0.3048")), "inch": ("m", Fraction("0.0254"))},
    **{"kilogram": ("g", Fraction(1000)), "gram": ("g", Fraction(1))},
    **{"milligram": ("g", Fraction(1, 1000)), "pound": ("g", Fraction("453.59237"))},
    **{"ounce": ("g", Fraction("28.349523125"))},
    **{"liter": ("l", Fraction(1)), "milliliter": ("l", Fraction(1, 1000))},
    **{"second": ("s", Fraction(1)), "minute": ("s", Fraction(60)), "hour": ("s", Fraction(3600))},
    **{"day": ("s", Fraction(86400)), "week": ("s", Fraction(604800))},
    **{"dollar": ("$", Fraction(1)), "cent": ("$", Fraction(1, 100))},
    **{"%": ("%", Fraction(1)), r"^{\circ}": ("°", Fraction(1))},
}


def unit_name(written: str) -> str | None:
    """Returns the canonical name of a unit, or None for words that are no unit."""
    if written in _NAMES:
        return _NAMES[written]
    if not written[0].isalpha():
        return written
    word = written.lower()
    first = re.split(r"[ ./^]", word, maxsplit=1)[0]
    if _NOT_UNITS.search(word) or (len(first) < 3 and first not in _SHORT_UNITS):
        return None
    if len(word.split()) > 4:
        return None  # a sentence
    name = re.sub(r"[ .{}]", "", word)
    name = _NAMES.get(name, name)
    name = name.removesuffix("s") if not name.endswith("ss") else name
    return _NAMES.get(name, name)


def compare_quantities(gold: Fraction, unit: str, answer: Fraction, other: str) -> bool | None:
    """Compares two quantities in different units; None where the units are not known."""
    first, second = _SIZES.get(unit), _SIZES.get(other)
    if first is None or second is None:
        return None
    return first[0] == second[0] and gold * first[1] == answer * second[1]
