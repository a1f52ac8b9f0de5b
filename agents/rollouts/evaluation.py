"""Episodes for measurements: one per problem, or votes of several, resumable."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from agents.engines.base import Engine, Sampling
from agents.rollouts.environments import Tool, environment_factory
from agents.rollouts.play import play_episodes
from agents.rollouts.player import Player
from agents.rollouts.speakers import ModelSpeaker
from agents.runs.progress import console
from srenv.episode import Episode, Problem
from srenv.metrics import Outcomes, summarize
from srenv.parsing import MAX_TURN_CHARS
from srenv.problems.grading import refuses_wrong

PROBED = 20
"""Number of problems whose gold answers are tried before a model is loaded."""

LOST = 0.1
"""Share of turns cut off or malformed above which a warning is printed."""


def play_problems(
    engine: Engine,
    problems: Sequence[Problem],
    sampling: Sampling,
    title: str,
    *,
    max_attempts: int = 4,
    protocol: str = "default",
    seed: int = 0,
    log: Path | None = None,
    tool: Tool = "none",
    max_turn_chars: int = MAX_TURN_CHARS,
) -> list[Episode]:
    """Plays one episode per problem under a progress bar and returns the episodes in order.

    Args:
        engine: Generates the turns.
        problems: One per episode.
        sampling: How turns are drawn.
        title: Label of the progress bar.
        max_attempts: Attempts per episode.
        protocol: How the model is asked.
        seed: Seeds the samples.
        log: File to which every finished episode is appended; episodes that are in it already are
            not played again.
        tool: What the model may call inside a turn.
        max_turn_chars: Only this many characters at the end of a turn are read and kept.

    Raises:
        RuntimeError: Episodes could not be played; the finished ones are in the log.
    """
    make_env = environment_factory(max_attempts, protocol, tool, max_turn_chars=max_turn_chars)
    players = [
        Player(make_env(), problem, engine.chat, key, seed) for key, problem in enumerate(problems)
    ]
    speaker = ModelSpeaker(engine, dataclasses.replace(sampling, seed=seed))
    try:
        return play_episodes(players, speaker, title, seed=seed, log=log)
    finally:
        for player in players:
            player.env.close()


def play_votes(
    engine: Engine,
    problems: Sequence[Problem],
    votes: int,
    sampling: Sampling,
    title: str,
    *,
    protocol: str = "default",
    seed: int = 0,
    log: Path | None = None,
    max_turn_chars: int = MAX_TURN_CHARS,
) -> list[Episode]:
    """Plays `votes` single-attempt episodes of each problem, grouped by problem."""
    return play_problems(
        engine,
        repeated(problems, votes),
        sampling,
        title,
        max_attempts=1,
        protocol=protocol,
        seed=seed,
        log=log,
        max_turn_chars=max_turn_chars,
    )


def repeated(problems: Sequence[Problem], samples: int) -> list[Problem]:
    """Returns each problem as often as it is sampled, one problem after the other."""
    return [problem for problem in problems for _ in range(samples)]


def complete(episodes: Sequence[Episode]) -> list[Episode]:
    """Returns the episodes that were played to their end, from which demonstrations are made."""
    return [episode for episode in episodes if episode.ending != "failed"]


def vote_groups(episodes: Sequence[Episode], votes: int) -> Outcomes:
    """Returns the outcomes of majority voting over the episodes of `play_votes`."""
    return Outcomes.of_votes(episodes[i : i + votes] for i in range(0, len(episodes), votes))


def equal_votes(tokens: float, tokens_per_attempt: float) -> int:
    """Returns how many votes cost at least `tokens` generated tokens per problem.

    One, if tokens were not counted or no problem could be graded.
    """
    if not (math.isfinite(tokens) and tokens_per_attempt > 0):
        return 1
    return max(1, math.ceil(tokens / tokens_per_attempt))


def tokens_per_problem(outcomes: Outcomes) -> float:
    """Returns the mean number of generated tokens, nan if it is not known."""
    return float(outcomes.tokens.mean()) if len(outcomes.tokens) else math.nan


def warn_of_unreadable(problems: Sequence[Problem]) -> None:
    """Prints how many of the first gold answers cannot be read, if any, before work starts."""
    first = problems[:PROBED]
    unreadable = [problem for problem in first if not refuses_wrong(problem)]
    if unreadable:
        example = unreadable[0]
        console.print(
            f"{len(unreadable)} of the first {len(first)} gold answers of {example.source} cannot "
            f"be read, such as {example.answer[:60]!r}: answers to them cannot be graded and do "
            "not count. 'srenv validate SOURCE' shows all",
            style="yellow",
            markup=False,
        )


def warn_of_lost_turns(outcomes: Outcomes, max_new_tokens: int, format_known: bool = True) -> None:
    """Prints if more than a tenth of the turns are cut off or malformed, with what to change.

    Args:
        outcomes: What was played.
        max_new_tokens: The limit on the length of a turn.
        format_known: Whether the model could know the format; if not, malformed turns are expected.
    """
    rates = summarize(outcomes)
    if not format_known:
        rates.pop("malformed_rate", None)
    for message in lost_turns(rates, f"--max-new-tokens (now {max_new_tokens})"):
        console.print(message, style="yellow", markup=False)


def lost_turns(rates: Mapping[str, float], option: str) -> list[str]:
    """Returns what to change if more than a tenth of the turns are cut off or malformed.

    Args:
        rates: ``truncation_rate`` and ``malformed_rate``, if they are known.
        option: The option that limits the length of a turn.
    """
    truncated, malformed = (rates.get(f"{n}_rate", 0.0) for n in ("truncation", "malformed"))
    messages = []
    if truncated > LOST:
        messages.append(f"{truncated:.0%} of the turns are cut off by {option}: raise it")
    if malformed > max(LOST, truncated):
        messages.append(
            f"{malformed:.0%} of the turns are malformed, without an answer or a verdict that can "
            "be read: choose a --protocol that the model follows, or train it for this one (if it "
            "was, by a longer warm-up: more demonstrations, --sft.epochs)"
        )
    return messages


def warn_of_nothing_graded(outcomes: Outcomes) -> bool:
    """Prints that no problem could be graded, if that is so; returns whether it is."""
    nothing = len(outcomes.final) == 0
    if nothing:
        console.print(
            f"none of {outcomes.undecided} problems could be graded: every one has an attempt that "
            "the verifier cannot decide, so no metric is defined",
            style="yellow",
        )
    return nothing
