"""Formulas that no tool may work out, or take long to refuse."""

HOSTILE_FORMULAS = [
    "9^9^9^9",
    "10^10^10",
    "(" * 999,
    "1/0",
    "0^-1",
    "__import__('os').system('true')",
    "factorial(10000)",
    "9" * 500,
    "1+" * 400,
    "",
    " ",
    "1.2.3",
    "2^(1/3)",
    "x" * 2000,
    "lcm(" + ",".join(str(10**50 + k) for k in range(15)) + ")",
]
