"""The registered environments: one class, and the problems and the page of each id."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A registered environment.

    Attributes:
        problems: Its source of problems; empty for the default of the class.
        page: The string that is its page in the documentation, as ``module:attribute``: a summary
            line, then sections in Markdown. Empty if it is the docstring of the class.
        protocol: Its protocol; empty for the default of the class.
        entry_point: The class, as a string so that specs are JSON.
        vector_entry_point: The class of its vector environment.
    """

    problems: str
    page: str
    protocol: str = ""
    entry_point: str = "srenv.envs.env:SelfCorrectMathEnv"
    vector_entry_point: str = "srenv.envs.vector:SelfCorrectMathVectorEnv"


GSM8K = """Grade-school word problems with integer answers.

## Description
GSM8K (Cobbe et al. 2021, arXiv 2110.14168): word problems that take two to eight steps of
elementary arithmetic. The gold answer is the number after ``####``.

## Problems
``hf:openai/gsm8k?config=main``: 7,473 problems in split ``"train"`` and 1,319 in ``"eval"``,
the dataset's test split. Needs ``pip install "srenv[hub]"`` and, the first time, a network;
without one, say ``problems="jsonl:path/to/gsm8k.jsonl"``.

## Version History
* v0: Initial version.
"""

MATH500 = """Competition problems with answers in LaTeX.

## Description
MATH-500, the subset of MATH (Hendrycks et al. 2021, arXiv 2103.03874) that Lightman et al.
(2023, arXiv 2305.20050) held out for evaluation: algebra, geometry, number theory, counting,
precalculus. Answers are fractions, intervals, expressions; the verifier compares them
symbolically.

## Problems
``hf:HuggingFaceH4/MATH-500?split=test``: the same 500 problems in both splits. They are for
evaluation. Needs ``pip install "srenv[hub]"`` and, the first time, a network; without one, say
``problems="jsonl:path/to/math500.jsonl"``.

## Version History
* v0: Initial version.
"""


def _family(name: str) -> Entry:
    return Entry(f"synthetic:{name}", f"srenv.problems.families.{name}:__doc__")


ENVIRONMENTS: dict[str, Entry] = {
    "SelfCorrectMath-v0": Entry("", ""),
    "SelfCorrectGSM8K-v0": Entry("hf:openai/gsm8k?config=main", f"{__name__}:GSM8K"),
    "SelfCorrectMATH500-v0": Entry("hf:HuggingFaceH4/MATH-500?split=test", f"{__name__}:MATH500"),
    "SelfCorrectLinear-v0": _family("linear"),
    "SelfCorrectSystem-v0": _family("system"),
    "SelfCorrectFactor-v0": _family("factor"),
    "SelfCorrectRoot-v0": _family("root"),
    "SelfCorrectModInv-v0": _family("modinv"),
    "SelfCorrectCountdown-v0": _family("countdown"),
    "SelfCorrectArithmetic-v0": _family("arithmetic"),
    "SelfCorrectWords-v0": _family("words"),
    "SelfCorrectMixed-v0": _family("mixed"),
    "SelfCorrectCode-v0": Entry(
        problems="synthetic:programs",
        page="",
        protocol="code",
        entry_point="srenv.envs.env:SelfCorrectCodeEnv",
    ),
}
"""Environments by id."""
