"""Reward terms computed by a model after the episode.

A term of `srenv.rewards` looks at the turns alone and pays while they are played. A judged term
pays nothing then: once the episodes of a training step are over, the trainer has the policy judge
them all together, and the pay is entered before credit is formed. In all else it is a term as any
other, with a name, a weight and a segment: `--reward correctness=1,judged_steps=0.5` asks for it.
It pays a whole turn, because that is what credit is formed for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agents.engines import Engine
from agents.engines.metered import MeteredEngine
from srenv.episode import Episode
from srenv.rewards import Reward, Term

Judge = Callable[[Engine, Sequence[Episode], int], Sequence[float]]
"""(engine, episodes, greatest length of a judgement) -> what the last turn of each earns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedTerm(Term):
    """A term that is worked out by a model after the episodes have been played.

    Attributes:
        judge: Works it out for many episodes at once, weight not included.
    """

    judge: Judge


def pay_judged(
    reward: Reward, engine: Engine, episodes: Sequence[Episode], max_new_tokens: int
) -> int:
    """Enters what the judged terms of `reward` pay; returns how many tokens that took.

    Attempts that the verifier could not decide are paid nothing, as by other terms.
    """
    meter = MeteredEngine(engine)
    played = [episode for episode in episodes if episode.turns and episode.graded]
    for term, weight in reward.terms:
        if isinstance(term, JudgedTerm) and played:
            values = term.judge(meter, played, max_new_tokens)
            for episode, value in zip(played, values, strict=True):
                episode.final.rewards[term.name] = weight * value
    return meter.generated
