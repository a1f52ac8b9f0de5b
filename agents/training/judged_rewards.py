"""Reward terms computed by a model after the episode.

A term of `srenv.rewards` looks at the turns alone and rewards them while they are played. A judged
term returns 0 then: once the episodes of a training step are over, the trainer has the policy judge
them all together, and the rewards are added before credit is assigned. Otherwise it is a term like
any other, with a name, a weight and a segment: `--reward correctness=1,judged_steps=0.5` asks for
it. It rewards whole turns, because credit is assigned to those.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agents.engines import Engine
from agents.engines.metered import MeteredEngine
from agents.rollouts.player import EnvFactory, Rollout
from srenv.episode import Episode
from srenv.rewards import Reward, Term

Judge = Callable[[Engine, Sequence[Episode], int], Sequence[float]]
"""(engine, episodes, greatest length of a judgment) -> reward of the last turn of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedTerm(Term):
    """A term that is worked out by a model after the episodes have been played.

    Attributes:
        judge: Works it out for many episodes at once, weight not included.
    """

    judge: Judge


def judged_terms(make_env: EnvFactory) -> list[tuple[JudgedTerm, float]]:
    """Returns the judged terms of an environment's reward, with their weights."""
    env = make_env()
    reward = getattr(env.unwrapped, "reward", None)
    env.close()
    if not isinstance(reward, Reward):
        return []
    return [(term, weight) for term, weight in reward.terms if isinstance(term, JudgedTerm)]


def add_judged_rewards(
    terms: Sequence[tuple[JudgedTerm, float]],
    engine: Engine,
    records: Sequence[Rollout],
    max_new_tokens: int,
) -> int:
    """Adds judged terms to the rewards of the last turns.

    Failed episodes and attempts that the verifier could not decide get nothing, as from other
    terms.

    Returns:
        Number of tokens that the judge generated.
    """
    meter = MeteredEngine(engine)
    graded = [r for r in records if not r.error and r.episode.turns and r.episode.graded]
    for term, weight in terms if graded else []:
        values = term.judge(meter, [record.episode for record in graded], max_new_tokens)
        for record, value in zip(graded, values, strict=True):
            record.add_reward(term.name, term.segment, weight * value)
    return meter.generated
