"""Rewards per turn and segment -> advantages per turn and segment -> advantages per token.

Pure functions on arrays. N episodes, T turns (the longest episode's), two segments: attempts at
index 0, verdicts at index 1. The policy chooses its last turn, so the reward-to-go is formed
first, with zeros for turns that were not played, and one baseline per turn and segment is taken
over *all* episodes of the group. Normalizing per turn over the survivors instead would erase the
gradient of "try again".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.models.roles import ATTEMPT, VERDICT
from srenv.registry import lookup_or_import

Array = NDArray[np.float64]
Played = NDArray[np.bool_]
Groups = NDArray[np.int64]
Estimator = Callable[[Array, Played, Groups], Array]
"""(rewards (N, T, 2), played (N, T), groups (N,)) -> advantages (N, T, 2).

`played` tells the turns that were played, `groups` numbers the problems: episodes of one problem
share a number."""


def reward_array(rewards: Sequence[Sequence[tuple[float, float]]]) -> tuple[Array, Played]:
    """Lays the rewards of N episodes out, zero for turns that were not played.

    Args:
        rewards: For each episode, the rewards of attempt and verdict by turn.

    Returns:
        The rewards (N, T, 2), and which turns were played (N, T).
    """
    lengths = np.array([len(turns) for turns in rewards])
    array = np.zeros((len(rewards), max(1, lengths.max(initial=0)), 2))
    for row, turns in enumerate(rewards):
        if turns:
            array[row, : len(turns)] = turns
    return array, np.arange(array.shape[1]) < lengths[:, None]


def comparable(groups: Groups, complete: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Returns which episodes have an advantage: those that are complete, if their group has more.

    An episode that failed has no reward, and a zero in its place would lower the baseline.

    Args:
        groups: (N,), the numbers of the problems.
        complete: (N,), which episodes were played to their end.
    """
    counts = np.bincount(groups[complete], minlength=groups.max(initial=0) + 1)
    return complete & (counts[groups] > 1)


def reward_to_go(rewards: Array, discount: float = 0.0) -> Array:
    """What follows from each segment: its own reward, then later turns at `discount` a turn.

    With discount 0 a turn answers for itself alone (SCoRe, PAG). A verdict's reward never flows
    into the attempt before it, or failing in a predictable way would be profitable.

    Args:
        rewards: (N, T, 2).
        discount: Weight of the next turn's total against this one's, in [0, 1].
    """
    returns = np.array(rewards, dtype=np.float64)
    later = np.zeros(len(rewards))
    for turn in reversed(range(rewards.shape[1])):
        returns[:, turn] += discount * later[:, None]
        later = rewards[:, turn].sum(axis=1) + discount * later
    return returns


def reinforce(returns: Array, groups: Groups) -> Array:
    """Returns minus the batch mean per turn and segment (Williams 1992, with a baseline)."""
    del groups
    advantages: Array = returns - returns.mean(axis=0, keepdims=True)
    return advantages


def rloo(returns: Array, groups: Groups) -> Array:
    """Returns minus the mean of the *other* episodes of the group (Ahmadian et al. 2024)."""
    advantages = np.empty_like(returns)
    for group in np.unique(groups):
        rows = groups == group
        size = int(rows.sum())
        if size < 2:
            raise ValueError("a leave-one-out baseline needs at least 2 episodes of each problem")
        mean = returns[rows].mean(axis=0, keepdims=True)
        advantages[rows] = (returns[rows] - mean) * size / (size - 1)
    return advantages


def grpo(returns: Array, groups: Groups, epsilon: float = 1e-4) -> Array:
    """Returns minus the group's mean, over the group's deviation (Shao et al. 2024)."""
    advantages = np.empty_like(returns)
    for group in np.unique(groups):
        rows = groups == group
        block = returns[rows]
        advantages[rows] = (block - block.mean(axis=0)) / (block.std(axis=0) + epsilon)
    return advantages


def s2r(rewards: Array, played: Played, groups: Groups, discount: float = 0.0) -> Array:
    """Returns minus the mean over the batch of all actions with the same past (Ma et al. 2025).

    The process-level baseline of S2R (arXiv 2502.12853): attempts and verdicts are actions, and
    the past of an action is the rewards of all actions before it in its episode. With the preset
    ``per_turn`` a verdict is thus compared with verdicts on attempts that are as right, after as
    many turns that went alike.
    """
    del groups
    returns = reward_to_go(rewards, discount)
    alike: dict[tuple[float, ...], list[tuple[int, int, int]]] = {}
    for row, length in enumerate(played.sum(axis=1)):
        past: tuple[float, ...] = ()
        for turn in range(length):
            for segment in range(rewards.shape[2]):
                alike.setdefault(past, []).append((row, turn, segment))
                past += (round(float(rewards[row, turn, segment]), 6),)
    advantages = np.zeros_like(returns)
    for places in alike.values():
        index = tuple(np.array(places).T)
        advantages[index] = returns[index] - returns[index].mean()
    return advantages


def _estimate(
    rewards: Array,
    played: Played,
    groups: Groups,
    *,
    baseline: Callable[[Array, Groups], Array],
    discount: float,
) -> Array:
    del played
    return baseline(reward_to_go(rewards, discount), groups)


ESTIMATORS: dict[str, Callable[..., Array]] = {
    "reinforce": partial(_estimate, baseline=reinforce),
    "rloo": partial(_estimate, baseline=rloo),
    "grpo": partial(_estimate, baseline=grpo),
    "s2r": s2r,
}
"""Built-in estimators by name; each also takes the discount of later turns."""


def make_estimator(name: str, discount: float = 0.0) -> Estimator:
    """Returns the estimator called `name`, or the user's own at ``module:function``.

    Raises:
        ValueError: Unknown name.
    """
    estimator: Any = lookup_or_import("estimator", name, ESTIMATORS)
    discounted: Estimator = (
        partial(estimator, discount=discount) if name in ESTIMATORS else estimator
    )
    return discounted


def scale_by_role(advantages: Array, played: Played, epsilon: float = 1e-6) -> Array:
    """Divides attempts and verdicts by their own spread over the batch (PAG's role-wise scale).

    Args:
        advantages: (N, T, 2).
        played: (N, T), which turns were played; the others do not count.
        epsilon: Keeps a spread of zero harmless.
    """
    spread = np.sqrt((advantages[played] ** 2).mean(axis=0))
    scaled: Array = advantages / (spread + epsilon)
    return scaled


def token_advantages(advantages: Array, turns: Sequence[int], roles: Sequence[int]) -> list[float]:
    """Spreads one episode's (T, 2) advantages over its tokens; the environment's get 0.

    Args:
        advantages: (T, 2), one episode.
        turns: 1-based turn of each token, 0 for the environment's.
        roles: Role of each token (see `agents.models.roles`).
    """
    column = {ATTEMPT: 0, VERDICT: 1}
    return [
        float(advantages[turn - 1, column[role]]) if turn else 0.0
        for turn, role in zip(turns, roles, strict=True)
    ]


def regression_weight(reward: float, temperature: float) -> float:
    """``exp(r / tau)``: how much a turn counts in reward-weighted regression (Qu et al. 2024)."""
    return math.exp(reward / temperature)


def balanced_weight(
    advantages: Array, log_ratios: Array, floor: float, ceiling: float = 10.0
) -> float:
    """Weight at which a penalty is as large as what it competes with (SCoRe's adaptive beta2).

    Args:
        advantages: Any shape, of the second attempts' tokens.
        log_ratios: Any shape, ``log pi - log pi_ref`` of the first attempts' tokens.
        floor: The least weight.
        ceiling: The greatest weight, as a multiple of `floor`; at the start of training the
            policy is the reference and the balance would be infinite.

    Returns:
        The ratio of their root mean squares, within the bounds.
    """
    push, pull = (
        float(np.sqrt(np.mean(x**2))) if x.size else 0.0 for x in (advantages, log_ratios)
    )
    return float(np.clip(push / pull if pull else math.inf, floor, floor * ceiling))
