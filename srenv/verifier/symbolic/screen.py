r"""Compares answers with math-verify, in a process that can be killed, behind limits that hold.

math-verify and SymPy may take forever on a few characters, and their own limit is an alarm signal
that only the main thread can use. So `refuse` turns away what is large or foreign before anything
is parsed, and `pool` does the rest in processes that any thread may kill. The calling
process imports neither math-verify nor SymPy.
"""

from __future__ import annotations

import re

from srenv.verifier.grade import Decision
from srenv.verifier.symbolic import pool

LENGTH_LIMIT = 1_000
DEPTH_LIMIT = 12
DIGIT_LIMIT = 60
POWER_LIMIT = 24
BAR_LIMIT = 8
EXPONENT_LIMIT = 5_000

# --- what is worth parsing ---------------------------------------------------------------------

# Commands that math-verify reads as what they mean. It drops or confuses others, and would take
# `\overrightarrow{AB}` for `\overrightarrow{BA}`; integrals, sums and limits it would evaluate.
_COMMANDS = """
    frac sqrt pi infty cup times cdot div pm mp ln log lg exp sin cos tan cot sec csc arcsin
    arccos arctan sinh cosh tanh le ge lt gt in binom lfloor rfloor lceil rceil lvert rvert vert
    begin end mathbb emptyset setminus gcd lcm min max circ imath
    alpha beta gamma delta epsilon varepsilon zeta eta theta kappa lambda mu nu xi rho sigma tau
    phi varphi chi psi omega Gamma Delta Theta Lambda Sigma Phi Psi Omega
"""
_KNOWN = frozenset(_COMMANDS.split())
_COMMAND = re.compile(r"\\([A-Za-z]+|.)", re.DOTALL)
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{(?:[pbvB]?matrix|array)\}(?:\{[lcr|]*\})?")
_WORD = re.compile(
    r"(?<![\\A-Za-z])(?!(?:and|sqrt|sin|cos|tan|log|exp|theta)(?![A-Za-z]))[A-Za-z]{3,}"
)
_DIGITS = re.compile(rf"[0-9]{{{DIGIT_LIMIT},}}")
_EXPONENT = re.compile(r"\^\s*\{?\s*[-+]?\s*([0-9]+)")
_TOWER = re.compile(r"\^\s*\{[^{}]*\^\s*\{?[^{}]*\^")
_FACTORIAL = re.compile(r"[0-9]{4,}\s*!|[)}!]\s*!")


def refuse(latex: str) -> str | None:
    """Says why an answer is not worth parsing.

    Args:
        latex: A result of `srenv.verifier.reading.normalize.normalize`.

    Returns:
        ``"too_large"``, ``"unparsable"``, or None for an answer that may be parsed.
    """
    if len(latex) > LENGTH_LIMIT or _DIGITS.search(latex) or latex.count("^") > POWER_LIMIT:
        return "too_large"
    if any(len(e) > 4 or int(e) > EXPONENT_LIMIT for e in _EXPONENT.findall(latex)):
        return "too_large"
    if latex.count("|") > BAR_LIMIT or latex.count("!") > BAR_LIMIT:
        return "too_large"
    if _TOWER.search(latex) or _FACTORIAL.search(latex):
        return "too_large"
    depth = deepest = 0
    for char in latex.replace(r"\{", "(").replace(r"\}", ")"):
        depth += (char in "{([") - (char in "})]")
        deepest = max(deepest, depth)
    if deepest > DEPTH_LIMIT:
        return "too_large"
    bare = _ENVIRONMENT.sub("", latex)
    known = all(c in _KNOWN or c in r"\{}%|" for c in _COMMAND.findall(bare))
    readable = known and not _WORD.search(bare) and not re.search(r"[?#@$`'\"]|[^\x20-\x7e]", bare)
    balanced = latex.count("{") == latex.count("}")
    return None if readable and balanced and latex else "unparsable"


def compare_symbolically(gold: str, answer: str) -> Decision:
    """Compares two normalized answers symbolically; never raises, and returns in bounded time.

    Args:
        gold: The gold answer.
        answer: The answer to check.

    Returns:
        The decision and its rule. A time-out or a dead worker leaves the answer undecided, under
        a reason in `PASSING`.
    """
    for text, name in ((gold, "gold"), (answer, "answer")):
        reason = refuse(text)
        if reason == "too_large":
            return None, reason
        if reason is not None:
            return (None if name == "gold" else False), f"unparsable_{name}"
    if gold != answer and gold.casefold() == answer.casefold():
        return False, "symbolic"  # math-verify takes `x` for `X`
    return pool.ask_worker(gold, answer)


PASSING = frozenset({"timeout", "crashed", "unavailable"})
"""Reasons that say something about this moment and not about the answers: never cached."""
