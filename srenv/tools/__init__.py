"""Tools that a model may call inside an attempt: exact and bounded, without `eval`."""

from srenv.tools.algebra import transform
from srenv.tools.arithmetic import calculate
from srenv.tools.expression import ExpressionError

__all__ = ["ExpressionError", "calculate", "transform"]
