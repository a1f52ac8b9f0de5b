"""Pairs, and a pool with a running worker, for the tests of the verifier."""

from __future__ import annotations

import random
import subprocess
import sys

FOR_A_WORKER = [(rf"\mathbb{{N}}+{n}", rf"{n}+\mathbb{{N}}") for n in range(50)]
"""What math-verify reads and the parser in this process does not: it takes a worker."""

SLOW = ("5", "(a+b+c+d+e+f)^{60}")
"""A pair that no worker compares in time."""


def run_python(code: str, *arguments: str) -> str:
    """Runs Python code in a process of its own and returns what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def mixed_pairs(count: int) -> list[tuple[str, str]]:
    """Pairs of all kinds, hardly any of them twice."""
    generator = random.Random(7)
    pairs = []
    for n in range(count):
        a, b, c = (generator.randint(2, 60) for _ in range(3))
        d = a if n % 2 else a + 1
        pairs.append(
            [
                (str(a * b), str(d * b)),
                (rf"\frac{{{a}}}{{{b}}}", f"{d}/{b}"),
                (rf"{a}\sqrt{{{b}}}", rf"\sqrt{{{d * d * b}}}"),
                (rf"\frac{{{a}\pi}}{{{c}}}", rf"\frac{{{d}}}{{{c}}}\pi"),
                (f"x^2+{a}x", f"x(x+{d})"),
                (f"({a},{b})", f"({d}, {b})"),
                (f"x > {a}", rf"({d}, \infty)"),
                (rf"\{{{a},{b},{c}\}}", rf"\{{{c},{b},{d}\}}"),
                (f"{a} + {b}i", f"{b}i+{d}"),
                (rf"\log_{{{a}}} {b + 1}", rf"\frac{{\ln {b + 1}}}{{\ln {d}}}"),
            ][n % 10]
        )
    return pairs
