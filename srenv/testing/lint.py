"""A reward linter: searches for policies that gain by gaming a reward."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from srenv.episode import Turn, Verdict
from srenv.rewards import Reward, RewardSpec, make_reward

Kind = Literal["sandbagging", "loitering", "constant_verdict"]
Says = Verdict | None

TOLERANCE = 1e-9
_SAYS: tuple[Says, ...] = ("correct", "wrong", None)


@dataclass(frozen=True, slots=True)
class Move:
    """What a policy does in one turn of the toy problem.

    Attributes:
        tries: Whether the policy tries to be right; if not, the attempt is wrong for certain.
        passed: The verdict when the check passes; None is an unreadable one.
        failed: The verdict when the check fails.
    """

    tries: bool
    passed: Says
    failed: Says

    def __str__(self) -> str:
        verdicts = (
            f"always says {self.passed or 'nothing'}"
            if self.passed == self.failed
            else f"says {self.passed or 'nothing'} if the check passes, "
            f"else {self.failed or 'nothing'}"
        )
        return f"{'tries' if self.tries else 'fails on purpose'}, {verdicts}"


Policy = tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """A way to game a reward.

    Attributes:
        kind: ``"sandbagging"``: failing on purpose gains. ``"loitering"``: continuing after a
            passed check gains. ``"constant_verdict"``: a verdict that ignores the check is worth
            as much as one that follows it.
        profit: Expected reward beyond the best honest policy; may be 0 for constant verdicts,
            which must be worth less.
        skill: Probability of a right attempt at which this was found.
        policy: What the policy does, turn by turn.
    """

    kind: Kind
    profit: float
    skill: float
    policy: str


def lint_reward(
    reward: RewardSpec = "default",
    max_attempts: int = 3,
    skills: Sequence[float] = (0.3, 0.5, 0.7),
    check: float = 0.95,
) -> list[Finding]:
    """Searches all deterministic policies of a toy problem for ways to game a reward.

    In the toy problem, every attempt is right with probability `skill`, independently (or wrong on
    purpose), and a check of it is true with probability `check`. In every turn, a policy chooses
    whether to try, and its verdict after a passed and after a failed check. The episode ends as
    under the default protocol. Expected returns are exact and undiscounted.

    Args:
        reward: The reward.
        max_attempts: Number of attempts, 2 or 3.
        skills: Probabilities of a right attempt to try.
        check: Accuracy of the check, above one half.

    Returns:
        The worst case of each kind; empty for a sound reward.

    Raises:
        ValueError: An argument is out of range.

    Example:
        >>> lint_reward("default")
        []
        >>> {finding.kind for finding in lint_reward("score")} >= {"sandbagging"}
        True
    """
    if max_attempts not in (2, 3) or not 0.5 < check <= 1:
        raise ValueError(
            f"max_attempts must be 2 or 3 and check above 0.5: {max_attempts}, {check}"
        )
    if not all(0 < skill < 1 for skill in skills):
        raise ValueError(f"skills must lie between 0 and 1, got {list(skills)}")
    returns = _Returns(make_reward(reward), max_attempts)
    policies = [tuple(moves) for moves in _policies(max_attempts)]
    worst: dict[Kind, Finding] = {}
    for skill in skills:
        values = {policy: returns.expected(policy, skill, check) for policy in policies}
        for finding in _vices(values, skill):
            if finding.kind not in worst or worst[finding.kind].profit < finding.profit:
                worst[finding.kind] = finding
    return list(worst.values())


def _policies(length: int) -> Iterator[tuple[Move, ...]]:
    moves = [Move(*parts) for parts in itertools.product((True, False), _SAYS, _SAYS)]
    return itertools.product(moves, repeat=length)


def _vices(values: dict[Policy, float], skill: float) -> Iterator[Finding]:
    def tries(policy: Policy) -> bool:
        return all(move.tries for move in policy)

    def stops(policy: Policy) -> bool:
        return tries(policy) and all(move.passed == "correct" for move in policy[:-1])

    def loiters(policy: Policy) -> bool:
        return tries(policy) and not stops(policy)

    def follows(policy: Policy) -> bool:
        return tries(policy) and all((m.passed, m.failed) == ("correct", "wrong") for m in policy)

    def constant(policy: Policy) -> bool:
        same = {(move.passed, move.failed) for move in policy}
        return tries(policy) and same in ({("correct",) * 2}, {("wrong",) * 2})

    def best(condition: Callable[[Policy], bool]) -> tuple[float, Policy]:
        return max(((v, p) for p, v in values.items() if condition(p)), key=lambda pair: pair[0])

    def finding(kind: Kind, vice: tuple[float, Policy], virtue: tuple[float, Policy]) -> Finding:
        turns = "; ".join(f"turn {i}: {move}" for i, move in enumerate(vice[1], start=1))
        return Finding(kind, vice[0] - virtue[0], skill, turns)

    findings = (
        (finding("sandbagging", best(lambda policy: not tries(policy)), best(tries)), TOLERANCE),
        (finding("loitering", best(loiters), best(stops)), TOLERANCE),
        (finding("constant_verdict", best(constant), best(follows)), -TOLERANCE),
    )
    yield from (candidate for candidate, threshold in findings if candidate.profit > threshold)


class _Returns:
    """Expected returns of policies on the toy problem."""

    def __init__(self, reward: Reward, max_attempts: int) -> None:
        self._reward = reward
        self._max = max_attempts
        self._known: dict[tuple[tuple[bool, Says], ...], float] = {}

    def expected(self, policy: Policy, skill: float, check: float) -> float:
        return self._from((), policy, skill, check)

    def _from(
        self, history: tuple[tuple[bool, Says], ...], policy: Policy, skill: float, check: float
    ) -> float:
        move = policy[len(history)]
        value = 0.0
        for right, chance in ((True, skill), (False, 1 - skill)) if move.tries else ((False, 1.0),):
            for says, truth in ((move.passed, right), (move.failed, not right)):
                odds = chance * (check if truth else 1 - check)
                if not odds:
                    continue
                now = (*history, (right, says))
                value += odds * self._reward_of(now)
                if says != "correct" and len(now) < self._max:
                    value += odds * self._from(now, policy, skill, check)
        return value

    def _reward_of(self, history: tuple[tuple[bool, Says], ...]) -> float:
        if history not in self._known:
            turns = [_turn(right, says) for right, says in history]
            self._known[history] = float(sum(self._reward.by_term(turns).values()))
        return self._known[history]


def _turn(right: bool, says: Says) -> Turn:
    answer = "4" if right else "5"
    text = f"2+2 is \\boxed{{{answer}}}"
    malformed = "" if says else "no_verdict"
    spoken = f"{text}\n[VERIFY] {says}" if says else text
    return Turn(spoken, answer, says, None, len(text), malformed, right, "testing")
