"""How well a model corrects itself: play problems, write episodes and metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import gymnasium as gym
import torch
import tyro

import srenv
from agents.engines import Engine, Sampling, TransformersEngine
from agents.files import to_json, write_json
from agents.progress import console, progress_bar
from agents.report import metrics_to_json, terminal_table
from agents.rollout import rollout
from agents.tiny import TINY
from srenv.episode import Episode, Problem, read_episodes, write_episodes
from srenv.metrics import Metrics, Outcomes, measure, outcomes, vote_outcomes


@dataclass(frozen=True)
class EvaluateConfig:
    """Play problems with a model and measure how well it corrects itself."""

    model: str = TINY
    """Folder or hub id of any transformers model, or tiny, the bundled one."""
    problems: str = "synthetic:linear"
    """Where problems come from: synthetic:..., jsonl:..., hf:... or rg:..."""
    split: Literal["train", "eval"] = "eval"
    """Split of a generated source."""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 500
    """Number of problems; of a finite source at most all."""
    output: Path = Path("runs/evaluate")
    """Folder for metrics.json and episodes.jsonl."""
    max_attempts: int = 4
    """Attempts per problem."""
    protocol: str = "default"
    """How the model is asked: default, intrinsic, or module:attribute."""
    temperature: float = 0.0
    """0 is greedy."""
    top_p: float = 1.0
    """Nucleus sampling."""
    max_new_tokens: int = 512
    """Greatest length of one turn."""
    votes: int = 0
    """Also measure majority voting over this many single attempts, drawn at temperature 1."""
    batch_size: int = 256
    """Turns generated at once."""
    seed: int = 0
    """Chooses the problems and the samples."""


def play(
    engine: Engine,
    problems: Sequence[Problem],
    sampling: Sampling,
    description: str,
    max_attempts: int = 4,
    protocol: str = "default",
    seed: int = 0,
) -> list[Episode]:
    """Plays one episode per problem under a progress bar."""
    torch.manual_seed(seed)

    def make_env() -> gym.Env[str, str]:
        return gym.make("srenv:SelfCorrectMath-v0", max_attempts=max_attempts, protocol=protocol)

    with progress_bar(description, len(problems)) as bar:
        played = rollout(make_env, engine, problems, sampling, lambda _: bar.advance())
    return [record.episode for record in played]


def vote(
    engine: Engine,
    problems: Sequence[Problem],
    votes: int,
    sampling: Sampling,
    description: str,
    protocol: str = "default",
    seed: int = 0,
) -> list[Episode]:
    """Plays `votes` single-attempt episodes of each problem, grouped by problem."""
    repeated = [problem for problem in problems for _ in range(votes)]
    return play(engine, repeated, sampling, description, 1, protocol, seed)


def vote_groups(episodes: Sequence[Episode], votes: int) -> Outcomes:
    """Outcomes of majority voting over the episodes of `vote`."""
    return vote_outcomes(episodes[i : i + votes] for i in range(0, len(episodes), votes))


def evaluate(config: EvaluateConfig) -> dict[str, Metrics]:
    """Runs an evaluation and writes its files; returns the metrics by row.

    Raises:
        FileExistsError: The output folder holds another evaluation.
        ValueError: The problems or the sampling are not what they should be.
    """
    if (config.output / "metrics.json").exists():
        raise FileExistsError(
            f"{config.output} holds an evaluation already; name another folder with --output"
        )
    source = srenv.load_problems(config.problems, config.split)
    n = config.n if source.size is None else min(config.n, source.size)
    if n < config.n:
        console.print(f"{config.problems} has {n} problems; evaluating all of them")
    problems = source.take(n, config.seed)
    engine = TransformersEngine.load(config.model, config.batch_size)
    sampling = Sampling(config.temperature, config.top_p, config.max_new_tokens)
    episodes = play(
        engine,
        problems,
        sampling,
        "evaluate",
        config.max_attempts,
        config.protocol,
        config.seed,
    )
    write_episodes(config.output / "episodes.jsonl", episodes)
    rows = {Path(config.model).name: measure(outcomes(episodes))}
    if config.votes:
        sampling = Sampling(1.0, config.top_p, config.max_new_tokens)
        name = f"maj@{config.votes}"
        ballots = vote(engine, problems, config.votes, sampling, name, config.protocol, config.seed)
        write_episodes(config.output / "episodes_votes.jsonl", ballots)
        rows[name] = measure(vote_groups(ballots, config.votes))
    _write(config, rows)
    return rows


def _write(config: EvaluateConfig, rows: dict[str, Metrics]) -> None:
    record = {
        "config": to_json(config),
        "rows": {name: metrics_to_json(metrics) for name, metrics in rows.items()},
    }
    path = write_json(config.output / "metrics.json", record)
    console.print(terminal_table(rows, f"{config.model} on {config.problems}"))
    console.print(f"wrote {path} and {config.output / 'episodes.jsonl'}")


def equal_votes(engine_tokens: float, tokens_per_attempt: float) -> int:
    """How many votes cost at least `engine_tokens` generated tokens per problem."""
    return max(1, math.ceil(engine_tokens / tokens_per_attempt))


def load_outcomes(path: Path, votes: int = 0) -> Outcomes:
    """Reads an episode file back as outcomes; with `votes`, as groups of that many."""
    episodes = list(read_episodes(path))
    return vote_groups(episodes, votes) if votes else outcomes(episodes)
