"""The registered environments: `SelfCorrectMathEnv` on one source of problems each."""

from __future__ import annotations

from srenv.envs.env import SelfCorrectEnv


class GSM8KEnv(SelfCorrectEnv):
    """Grade-school word problems with integer answers.

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


class MATH500Env(SelfCorrectEnv):
    r"""Competition problems with answers in LaTeX.

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


class LinearEnv(SelfCorrectEnv):
    """Linear equations in one unknown.

    ## Description
    Found by two inverse operations, checked by substitution: easy to check, and hard to find at
    sight. The bundled model was made for this family.

    ## Problems
    ``synthetic:linear``: endless, the prompts of ``"train"`` and ``"eval"`` disjoint.

    >>> import gymnasium as gym, srenv
    >>> observation, _ = gym.make("SelfCorrectLinear-v0").reset(seed=0)
    >>> print(observation.splitlines()[0])
    User: Solve 6x-20=94 for x.

    ## Version History
    * v0: Initial version.
    """


class SystemEnv(SelfCorrectEnv):
    """Two linear equations in two unknowns.

    ## Description
    Found by elimination, checked by substitution. The answer is a pair.

    ## Problems
    ``synthetic:system``: endless, the prompts of ``"train"`` and ``"eval"`` disjoint.

    >>> import gymnasium as gym, srenv
    >>> observation, _ = gym.make("SelfCorrectSystem-v0").reset(seed=0)
    >>> print(observation.splitlines()[0])
    User: Solve 9x+7y=107 and -4x+9y=13. Answer with the pair (x, y).

    ## Version History
    * v0: Initial version.
    """


class FactorEnv(SelfCorrectEnv):
    """The smaller prime factor of a product of two primes.

    ## Description
    Found by trial, checked by one division: the widest gap between finding and checking.

    ## Problems
    ``synthetic:factor``: drawn without end from about 13,000 products, the prompts of ``"train"``
    and ``"eval"`` disjoint.

    >>> import gymnasium as gym, srenv
    >>> observation, _ = gym.make("SelfCorrectFactor-v0").reset(seed=0)
    >>> print(observation.splitlines()[0])
    User: Find the smaller prime factor of 595591.

    ## Version History
    * v0: Initial version.
    """


class RootEnv(SelfCorrectEnv):
    """Integer square and cube roots.

    ## Description
    Found by search, checked by multiplying out.

    ## Problems
    ``synthetic:root``: endless, the prompts of ``"train"`` and ``"eval"`` disjoint.

    >>> import gymnasium as gym, srenv
    >>> observation, _ = gym.make("SelfCorrectRoot-v0").reset(seed=0)
    >>> print(observation.splitlines()[0])
    User: Find the largest integer r with r^3 <= 536471.

    ## Version History
    * v0: Initial version.
    """


class ModInvEnv(SelfCorrectEnv):
    """Inverses modulo a prime.

    ## Description
    Found by Euclid's algorithm, checked by one product.

    ## Problems
    ``synthetic:modinv``: drawn without end from about 75,000 pairs, the prompts of ``"train"`` and
    ``"eval"`` disjoint.

    >>> import gymnasium as gym, srenv
    >>> observation, _ = gym.make("SelfCorrectModInv-v0").reset(seed=0)
    >>> print(observation.splitlines()[0])
    User: Find the integer x from 1 to 408 with 72x = 1 modulo 409.

    ## Version History
    * v0: Initial version.
    """


class CountdownEnv(SelfCorrectEnv):
    """Reach a target from given numbers.

    ## Description
    Found by search, checked by evaluating. Many expressions are right: a checker of its own
    evaluates the answer, every given number used at most once, and never runs it as code.

    ## Problems
    ``synthetic:countdown``: endless, the prompts of ``"train"`` and ``"eval"`` disjoint.

    >>> import gymnasium as gym, srenv
    >>> observation, _ = gym.make("SelfCorrectCountdown-v0").reset(seed=0)
    >>> print(observation.splitlines()[0])
    User: Use each of 3, 5, 23, 9 at most once with + - * and parentheses to make 85.

    ## Version History
    * v0: Initial version.
    """


class MixedEnv(SelfCorrectEnv):
    """All synthetic families in equal parts.

    ## Description
    Every episode draws a family, then a problem of it. ``info["problem_id"]`` begins with the
    family's name.

    ## Problems
    ``synthetic:mixed``: endless, the prompts of ``"train"`` and ``"eval"`` disjoint.

    >>> import gymnasium as gym, srenv
    >>> observation, _ = gym.make("SelfCorrectMixed-v0").reset(seed=0)
    >>> print(observation.splitlines()[0])
    User: Find the largest integer r with r^3 <= 536471.

    ## Version History
    * v0: Initial version.
    """
