"""Compares quantities: values with units."""

from __future__ import annotations

from fractions import Fraction

from srenv.verifier.reading.units import measure


def scale_between(gold: str, answer: str) -> Fraction | bool | None:
    """Returns how many units of the gold answer one unit of the answer is.

    Args:
        gold: Unit of the gold answer.
        answer: Unit of the answer.

    Returns:
        The scale; False if they measure different things; None if one of them is not known.
    """
    first, second = measure(gold), measure(answer)
    if first is None or second is None:
        return None
    return second.size / first.size if first.dimension == second.dimension else False


def compare_quantities(
    gold: Fraction, gold_unit: str, answer: Fraction, answer_unit: str
) -> bool | None:
    """Compares two quantities in different units; None if a unit is not known."""
    scale = scale_between(gold_unit, answer_unit)
    return gold == answer * scale if isinstance(scale, Fraction) else scale
