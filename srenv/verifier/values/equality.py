"""Decides whether two expressions are equal, by their values.

Rational values are compared exactly. Everything else is evaluated to many digits, constants once
and functions at random points, and a difference is looked at with two precisions:

* a difference that stays is a disproof, and a sure one: its size is far above any rounding error;
* a difference that vanishes with the precision is taken for zero. The precision grows with the
  amount of information in both expressions (the bits of their numbers, and the sizes of all values
  on the way), so that expressions short enough to be read cannot come that close by accident.
"""

from __future__ import annotations

import functools
import os
import random
import threading
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Literal

from srenv.verifier.reading.nodes import Node, count, literal, names, operations
from srenv.verifier.reading.tokens import TooLargeError, TooSlowError
from srenv.verifier.values.exact import NotRationalError, UndefinedError, exact, start_clock
from srenv.verifier.values.numeric import Evaluator

FIRST_BITS = 128
"""Precision of the disproof."""

MOST_BITS = 24_000
"""Precision beyond which a comparison is left undecided."""

WORK_LIMIT = 2_000_000
"""Bound on bits of precision times nodes times points, which keeps a comparison within 0.2 s."""

POINTS = 10
"""Points at which two functions must agree."""

DEEP_POINTS = 3
"""Points at which they must agree to a precision that grows with their size."""

Point = dict[str, Fraction]
"""A value for each variable."""

Comparison = Literal["equal", "unequal", "undecided", "undefined", "too_large", "timeout"]

lock = threading.RLock()  # mpmath's precision and its caches belong to the whole process


def _renew_lock() -> None:
    global lock
    lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


@functools.lru_cache(maxsize=1)
def _context() -> Any:
    import mpmath  # type: ignore[import-untyped]  # not needed by most answers, and not free to import

    context = mpmath.ctx_mp.MPContext()
    start_clock()  # the import is not the work of the pair that happens to need it first
    return context


def rational(node: Node) -> Fraction | None:
    """Returns the exact value of a rational expression, or None for another one.

    Raises:
        TooLargeError: The value is too large to be written down.
        UndefinedError: The expression has no value.
    """
    try:
        return exact(node)
    except NotRationalError:
        return None


def compare_values(left: Node, right: Node) -> Comparison:
    """Decides whether two expressions are equal; symmetric in its arguments.

    Returns:
        ``undefined`` where one has no finite value, ``undecided`` where they are equal on a part of
        their domains only, ``too_large`` and ``timeout`` where a limit was met.
    """
    if left == right:
        return _compare_with_itself(left)
    try:
        if not names(left) and not names(right):
            first, second = rational(left), rational(right)
            if first is not None and second is not None:
                return "equal" if first == second else "unequal"
        with lock:
            return _by_value(left, right)
    except UndefinedError:
        return "undefined"
    except TooSlowError:
        return "timeout"
    except (TooLargeError, OverflowError, MemoryError, RecursionError):
        return "too_large"


def _compare_with_itself(node: Node) -> Comparison:
    """An expression equals itself, unless it has no value: 0/0 equals nothing."""
    if names(node):
        return "equal"
    try:
        if rational(node) is None:
            with lock:
                _evaluate(node)
        return "equal"
    except UndefinedError:
        return "undefined"
    except TooLargeError:
        return "equal"


def _by_value(left: Node, right: Node) -> Comparison:
    if "log" in operations(left) | operations(right):
        # `\log` is the natural logarithm to some and the decimal one to others.
        outcomes = {_compare_at_base(left, right, decimal_log) for decimal_log in (False, True)}
        return outcomes.pop() if len(outcomes) == 1 else "undecided"
    return _compare_at_base(left, right, False)


def _compare_at_base(left: Node, right: Node, decimal_log: bool) -> Comparison:
    variables = sorted(names(left) | names(right))
    if not variables:
        return _at_point(left, right, {}, decimal_log, count(left) + count(right))[0]
    return _as_functions(left, right, variables, decimal_log)


# --- at one point ------------------------------------------------------------------------------


def _at_point(
    left: Node,
    right: Node,
    point: Point,
    decimal_log: bool,
    work: int,
    deep: bool = True,
) -> tuple[Comparison, bool, bool]:
    """Compares two values; also say which of them are real."""
    mp = _context()
    gap, scale, height, reals = _difference(mp, left, right, point, decimal_log, FIRST_BITS)
    if gap and gap * 2 ** (FIRST_BITS // 2) > scale:
        return ("unequal", *reals)
    if not deep:
        return ("equal", *reals)
    bits = FIRST_BITS * 2 + 3 * height
    if bits > MOST_BITS or bits * work > WORK_LIMIT:
        raise TooLargeError
    gap, scale, _, reals = _difference(mp, left, right, point, decimal_log, bits)
    if not gap or mp.mag(gap) <= mp.mag(scale) - 3 * bits // 4:
        return ("equal", *reals)
    if mp.mag(gap) > mp.mag(scale) - bits // 2:
        return ("unequal", *reals)
    return ("undecided", *reals)


def _difference(
    mp: Any, left: Node, right: Node, point: Point, decimal_log: bool, bits: int
) -> tuple[Any, Any, int, tuple[bool, bool]]:
    mp.prec = bits
    values = {name: mp.mpf(v.numerator) / v.denominator for name, v in point.items()}
    evaluator = Evaluator(mp, values, decimal_log)
    first, second = evaluator.value(left), evaluator.value(right)
    small = evaluator.scale * mp.mpf(2) ** (-bits // 2)
    reals = tuple(not isinstance(v, mp.mpc) or abs(v.imag) <= small for v in (first, second))
    return abs(first - second), evaluator.scale, evaluator.height, (reals[0], reals[1])


def sketch(node: Node) -> complex | None:
    """Returns a rough value, at a fixed point where there are variables, or None."""
    try:
        with lock:
            mp = _context()
            mp.prec = FIRST_BITS
            point = {n: mp.mpf(_spread(n)) for n in names(node)}
            return complex(Evaluator(mp, point).value(node))
    except (UndefinedError, TooLargeError, OverflowError):
        return None


def _spread(name: str) -> float:
    return 1 + random.Random(name).random()


def magnitude(node: Node) -> Any:
    """Returns a constant to `FIRST_BITS` bits, for ordering; None where it is not real.

    Raises:
        UndefinedError: The expression has no value, or is no constant.
        TooLargeError: The value is too large.
    """
    if names(node):
        raise UndefinedError
    with lock:
        value = _evaluate(node)
        return None if value.imag else value.real


def _evaluate(node: Node) -> Any:
    mp = _context()
    mp.prec = FIRST_BITS
    return Evaluator(mp, {}).value(node)


def as_fraction(value: Any) -> Fraction:
    """Returns a real number of `magnitude` as a fraction."""
    sign, mantissa, exponent, _ = value._mpf_
    return (-1 if sign else 1) * Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def decimal_exponent(value: Any) -> int:
    """Returns the power of ten of the leading digit of a real number."""
    size = abs(as_fraction(value))
    exponent = len(str(size.numerator)) - len(str(size.denominator))
    return exponent if size >= Fraction(10) ** exponent else exponent - 1


# --- at many points ----------------------------------------------------------------------------


def _as_functions(left: Node, right: Node, variables: list[str], decimal_log: bool) -> Comparison:
    r"""Compares two functions of real variables, which are equal where both are real.

    If they differ at points with a negative variable only (`\sqrt{x^2}` and `x`), or one has a
    larger domain (`\ln|x|` and `\ln x`), the answer depends on what the variables are.
    """
    complex_valued = "i" in operations(left) | operations(right)
    work = (count(left) + count(right)) * POINTS
    agreed = whole = doubts = 0
    for point, positive in _points(left, right, variables):
        integers = _whole(point)
        if integers and agreed >= POINTS:
            break
        try:
            deep = agreed < DEEP_POINTS or integers
            outcome, *reals = _at_point(left, right, point, decimal_log, work, deep)
        except (UndefinedError, OverflowError):
            continue
        except TooSlowError:
            raise
        except TooLargeError:
            if agreed or doubts:
                continue
            raise
        if outcome == "undecided":
            return outcome
        if not any(reals) and not complex_valued and not integers:
            continue
        if outcome == "equal":
            agreed += not integers
            whole += integers
        elif all(reals) or complex_valued or integers:
            if positive or not _branches(left, right):
                return "unequal"
            doubts += 1
        else:
            doubts += 1
    if agreed < 3:  # sequences such as (-1)^n, which are real at integers only
        return "equal" if whole >= 3 else "unequal" if doubts else "undecided"
    return "undecided" if doubts else "equal"


def _points(left: Node, right: Node, variables: list[str]) -> Iterator[tuple[Point, bool]]:
    """Yields points, the same for any order, and whether all their coordinates are positive."""
    scales = sorted({s for s in _constants(left) | _constants(right) if 9 < s < 10**6})[-3:]
    # A negative pair of ends gives negative values, another one either sign.
    ranges = [(1, 3), (-3, -1), (0, 1), (-9, 9), (4, 9), (-1, 0), (-9, -4), (-1, 1), (20, 60)]
    ranges += [(-60, -20), (-60, 60)]
    for scale in scales:
        ranges += [(scale, 4 * scale), (-4 * scale, -scale), (0, scale), (-scale, 0)]
    generator = random.Random(" ".join(variables))
    if (operations(left) | operations(right)) & {"factorial", "binom", "gcd", "lcm"}:
        ranges = []
    for low, high in ranges + ranges[:6]:
        values = [
            Fraction(low) + Fraction(generator.getrandbits(40) | 1, 1 << 40) * (high - low)
            for _ in variables
        ]
        yield dict(zip(variables, values, strict=True)), low >= 0
    for top in (4, 5, 6, 7, 8, 9, 10, 12):  # sequences, factorials, (-1)^n
        values = [Fraction(generator.randint(1, top)) for _ in variables]
        yield dict(zip(variables, values, strict=True)), True


def _constants(node: Node) -> set[int]:
    if node.op == "number":
        return {int(abs(literal(node)))}
    return set().union(*map(_constants, node.args)) if node.args else set()


def _whole(point: Point) -> bool:
    return all(value.denominator == 1 for value in point.values())


def _branches(left: Node, right: Node) -> bool:
    """Whether roots or logarithms make the sign of a variable a matter of convention."""
    used = operations(left) | operations(right)
    return bool(used & {"root", "ln", "log"}) or any(map(_odd_power, (left, right)))


def _odd_power(node: Node) -> bool:
    if node.op == "power" and node.args[1].op != "number":
        return True
    return any(map(_odd_power, node.args))
