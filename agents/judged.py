"""Reward terms that only a model can work out, and one of them: its own judgement of its steps.

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
from agents.meter import MeteredEngine
from agents.stepwise import compare
from srenv.episode import Episode, Problem, Turn
from srenv.rewards import TERMS, Reward, Term

MAX_STEPS = 20
"""Steps of one attempt that are judged; the paper's greatest number."""

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


def judged_steps(engine: Engine, episodes: Sequence[Episode], max_new_tokens: int) -> list[float]:
    """How the steps of each last attempt fare in pairs, in the eyes of the model that wrote them.

    The rivals of a step are the other steps that attempts at the same problem took after the same
    steps. Each pair is judged in both orders, as in the step search of Zhang et al. 2025 (section
    3.3); judgements that contradict each other cancel.

    Args:
        engine: Judges, greedily.
        episodes: Those of a group share a problem.
        max_new_tokens: Greatest length of a judgement.

    Returns:
        Mean over an attempt's steps of ``(wins - losses) / rivals``, in [-1, 1]; a step without
        rivals counts 0, and so does an attempt without steps.
    """
    solutions = [steps_of(episode.final) for episode in episodes]
    places: dict[tuple[str, tuple[str, ...]], tuple[Problem, dict[str, float]]] = {}
    for episode, steps in zip(episodes, solutions, strict=True):
        for i, step in enumerate(steps):
            key = episode.problem.id, tuple(steps[:i])
            places.setdefault(key, (episode.problem, {}))[1][step] = 0.0
    contested = {key: place for key, place in places.items() if len(place[1]) > 1}
    wins = compare(
        engine,
        [problem for problem, _ in contested.values()],
        [context for _, context in contested],
        [list(steps) for _, steps in contested.values()],
        max_new_tokens,
    )
    for (_, rivals), won in zip(contested.values(), wins, strict=True):
        lead = (won.sum(axis=1, dtype=int) - won.sum(axis=0, dtype=int)) / (len(rivals) - 1)
        rivals.update(zip(rivals, lead.tolist(), strict=True))
    return [
        sum(places[episode.problem.id, tuple(steps[:i])][1][step] for i, step in enumerate(steps))
        / max(len(steps), 1)
        for episode, steps in zip(episodes, solutions, strict=True)
    ]


def steps_of(turn: Turn) -> list[str]:
    """The steps of an attempt, a line each."""
    lines = (line.strip() for line in turn.text.splitlines())
    return [line for line in lines if line][:MAX_STEPS]


def _nothing_yet(turns: Sequence[Turn]) -> float:
    return 0.0


TERMS["judged_steps"] = JudgedTerm(
    "judged_steps", "attempt", _nothing_yet, by_outcome=True, judge=judged_steps
)
