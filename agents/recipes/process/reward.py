"""The model's own judgment of its steps as a reward term."""

from __future__ import annotations

from collections.abc import Sequence

from agents.engines import Engine
from agents.recipes.process.search import compare
from agents.training.judged_rewards import JudgedTerm
from srenv.episode import Episode, Problem, Turn

MAX_STEPS = 20
"""Steps of one attempt that are judged; the paper's greatest number."""


def judged_steps(engine: Engine, episodes: Sequence[Episode], max_new_tokens: int) -> list[float]:
    """How the steps of each last attempt fare in pairs, in the eyes of the model that wrote them.

    The rivals of a step are the other steps that attempts at the same problem took after the same
    steps. Each pair is judged in both orders, as in the step search of Zhang et al. 2025 (section
    3.3); judgments that contradict each other cancel.

    Args:
        engine: Judges, greedily.
        episodes: Those of a group share a problem.
        max_new_tokens: Greatest length of a judgment.

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


JUDGED_STEPS = JudgedTerm("judged_steps", "attempt", _nothing_yet, judge=judged_steps)
