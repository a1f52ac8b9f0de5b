"""Reward terms and how they add up: each has a name, a weight, and the segment that it rewards.

A term looks at the turns so far and returns the reward of the newest one. Terms are chosen by name
and weight, from Python or the command line::

    make_reward("default")
    make_reward("correctness=1,agreement=0.5")
    make_reward({"improvement": 1.0, "brier": 0.5})
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from srenv.episode import Segment, Turn
from srenv.registry import lookup_or_import, resolve

TermFunction = Callable[[Sequence[Turn]], float]


@dataclass(frozen=True, slots=True)
class Term:
    """One reward term.

    Attributes:
        name: Its name in a reward.
        segment: The part of the turn that it rewards.
        rule: Returns the reward of the newest of the turns so far, weight not included.
    """

    name: str
    segment: Segment
    rule: TermFunction


def _level(turns: Sequence[Turn]) -> float:
    """Returns the correctness of the newest turn that was graded; 0 before the first."""
    for turn in reversed(turns):
        if turn.correct is not None:
            return float(turn.correct)
    return 0.0


def correctness(turns: Sequence[Turn]) -> float:
    """``r_t``: 1 for a right attempt, 0 for a wrong one, at every turn."""
    return float(turns[-1].correct is True)


def improvement(turns: Sequence[Turn]) -> float:
    """``r_t - r_{t-1}`` with ``r_0 = 0``: the sum over an episode is its final correctness."""
    newest = turns[-1].correct
    return 0.0 if newest is None else float(newest) - _level(turns[:-1])


def progress(turns: Sequence[Turn]) -> float:
    """``r_t - r_{t-1}`` from the second turn on; weight it by SCoRe's alpha (Kumar et al., 5.2)."""
    return improvement(turns) if len(turns) > 1 else 0.0


def revision(turns: Sequence[Turn]) -> float:
    """``r_t`` from the second turn on, nothing for the first (SCoRe's stage I)."""
    return correctness(turns) if len(turns) > 1 else 0.0


def final_bonus(turns: Sequence[Turn]) -> float:
    """1 for a right final answer, 1.5 for one after a wrong first attempt, as a telescoping sum.

    A reward that failed: under episode-wide credit the policy learns to fail its first attempt
    (Xiong et al., section 5.6). It is here to be studied.
    """

    def level(history: Sequence[Turn]) -> float:
        return _level(history) * (1.0 if history and turns[0].correct else 1.5)

    return level(turns) - level(turns[:-1])


def agreement(turns: Sequence[Turn]) -> float:
    """1 when the verdict agrees with the grade, else 0 (PAG's verifier reward)."""
    turn = turns[-1]
    return float(turn.verdict is not None and (turn.verdict == "correct") == turn.correct)


def brier(turns: Sequence[Turn]) -> float:
    """``-(q - c)^2`` with `q` the stated probability that the attempt is right (RLCR's bonus).

    It lies in [-1, 0] and its expectation is greatest when `q` is the true probability.
    """
    stated = turns[-1].stated_confidence
    return 0.0 if stated is None else -((stated - float(turns[-1].correct is True)) ** 2)


def turn_cost(turns: Sequence[Turn]) -> float:
    """-1 for every turn after the first."""
    return -1.0 if len(turns) > 1 else 0.0


def answer_format(turns: Sequence[Turn]) -> float:
    """-1 for a turn without a final answer."""
    return -float(turns[-1].malformed == "no_answer")


def verdict_format(turns: Sequence[Turn]) -> float:
    """-1 for a turn without a readable verdict."""
    return -float(turns[-1].malformed == "no_verdict")


_ATTEMPT: tuple[TermFunction, ...] = (
    correctness,
    improvement,
    progress,
    revision,
    final_bonus,
    turn_cost,
    answer_format,
)
_VERDICT: tuple[TermFunction, ...] = (agreement, brier, verdict_format)
TERMS: dict[str, Term | str] = {
    **{rule.__name__: Term(rule.__name__, "attempt", rule) for rule in _ATTEMPT},
    **{rule.__name__: Term(rule.__name__, "verdict", rule) for rule in _VERDICT},
}
"""Terms by name; a ``module:attribute`` is imported when a reward names it."""

_FORMAT = {"answer_format": 0.5, "verdict_format": 1.0}
PRESETS: dict[str, dict[str, float]] = {
    # Telescoping correctness, a bounded calibration bonus, a small price for each extra turn:
    # neither a failed first attempt nor a constant verdict is profitable (test_rewards.py proves it
    # on a toy). A missing verdict costs more than the worst one.
    "default": {"improvement": 1.0, "brier": 0.5, "turn_cost": 0.05, **_FORMAT},
    # Every attempt for itself, every verdict for itself (S2R's process level).
    "per_turn": {"correctness": 1.0, "agreement": 1.0, **_FORMAT},
    # PAG's whole reward: a revision is also rewarded for what it changes, alpha = 1.
    "pag": {"correctness": 1.0, "agreement": 1.0, "progress": 1.0, **_FORMAT},
    # SCoRe's stage II: both attempts rewarded, the second with the shaping bonus, alpha = 10.
    "score": {"correctness": 1.0, "progress": 10.0},
    # SCoRe's stage I: the second attempt alone.
    "score_stage1": {"revision": 1.0},
    # RLCR: correctness plus the calibration bonus, per turn. `srenv.protocol:CONFIDENCE` asks for
    # the confidence that it rewards.
    "rlcr": {"correctness": 1.0, "brier": 1.0, **_FORMAT},
}

RewardSpec = str | Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Reward:
    """A weighted sum of terms.

    Attributes:
        terms: The terms with their weights.

    Example:
        >>> make_reward("correctness=1,brier=0.5").weights
        {'correctness': 1.0, 'brier': 0.5}
    """

    terms: tuple[tuple[Term, float], ...]

    @property
    def weights(self) -> dict[str, float]:
        """Weight by name of term."""
        return {term.name: weight for term, weight in self.terms}

    def by_term(self, turns: Sequence[Turn]) -> dict[str, float]:
        """Returns the rewards of the newest of `turns` by term, weights included.

        They are zero for an attempt that could not be graded.
        """
        if turns[-1].correct is None:
            return {term.name: 0.0 for term, _ in self.terms}
        return {term.name: weight * term.rule(turns) for term, weight in self.terms}

    def by_segment(self, rewards: Mapping[str, float]) -> dict[Segment, float]:
        """Returns the sums of rewards `by_term` per segment."""
        attempt = verdict = 0.0
        for term, _ in self.terms:
            if term.segment == "attempt":
                attempt += rewards[term.name]
            else:
                verdict += rewards[term.name]
        return {"attempt": attempt, "verdict": verdict}


def register_term(name: str, segment: Segment, rule: TermFunction) -> None:
    """Registers `rule` as a reward term under `name`."""
    TERMS[name] = Term(name, segment, rule)


def make_reward(spec: RewardSpec = "default") -> Reward:
    """Builds a reward from a preset's name, ``"term=weight,..."``, or a mapping.

    Raises:
        ValueError: A preset or term is unknown, or a weight is not a number.
    """
    weights = _parse(spec) if isinstance(spec, str) else dict(spec)
    return Reward(tuple((_term(name), float(weight)) for name, weight in weights.items()))


def _term(name: str) -> Term:
    # A user's own term is named "module:attribute" and imported where the environment is made.
    own = name not in TERMS and ":" in name
    term = lookup_or_import("reward term", name, {}) if own else resolve("reward term", name, TERMS)
    if not isinstance(term, Term):
        raise ValueError(f"reward term {name!r} is a {type(term).__name__}, not a srenv Term")
    return term


def _parse(spec: str) -> dict[str, float]:
    if spec in PRESETS:
        return PRESETS[spec]
    if "=" not in spec:
        raise ValueError(
            f"unknown reward {spec!r}; use one of {', '.join(PRESETS)}, or 'term=weight,...'"
        )
    weights = {}
    for item in spec.split(","):
        name, _, weight = item.partition("=")
        try:
            weights[name.strip()] = float(weight)
        except ValueError:
            raise ValueError(f"reward {spec!r}: the weight in {item!r} is not a number") from None
    return weights
