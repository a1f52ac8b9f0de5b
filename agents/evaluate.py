"""How well a model corrects itself: play problems, write episodes and metrics."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro

import srenv
from agents.engines import Engine, Sampling
from agents.engines.registry import EngineName, make_engine
from agents.engines.server import ServerEngine
from agents.models.paths import TINY
from agents.rollouts.environments import Tool, environment_factory
from agents.rollouts.episode_log import EpisodeLog
from agents.rollouts.rollout import Rollout, rollout
from agents.runs.json_files import to_json, write_json
from agents.runs.progress import console, progress_bar
from agents.runs.run import Run
from agents.runs.tables import metrics_from_json, metrics_to_json, print_table
from srenv.episode import Episode, Problem, read_episodes, write_episodes
from srenv.metrics import Metrics, Outcomes, measure, outcomes, vote_outcomes
from srenv.problems.seeding import hashed_seed


@dataclass(frozen=True)
class EvaluateConfig:
    """Play problems with a model and measure how well it corrects itself."""

    model: str = TINY
    """Folder or hub id of any transformers model, or tiny, the bundled one; with a server, the
    model's name there (not needed when it serves only one)."""
    engine: EngineName = "auto"
    """What generates. auto: a server if --base-url is given, vllm on a GPU where it is installed,
    transformers otherwise."""
    base_url: str | None = None
    """Address of an OpenAI-compatible server, such as http://localhost:8000/v1; its key is read
    from OPENAI_API_KEY."""
    tokenizer: str | None = None
    """Tokenizer of a served model, when the server does not say where the model came from."""
    patience: float = 300.0
    """Seconds for which a server that does not answer is asked again."""
    problems: str = "synthetic:linear"
    """Where problems come from: synthetic:..., jsonl:..., hf:... or rg:..."""
    split: Literal["train", "eval"] = "eval"
    """Split of a generated source."""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 500
    """Number of problems; of a finite source at most all."""
    output: Path = Path("runs/evaluate")
    """Folder for metrics.json and episodes.jsonl."""
    resume: bool = False
    """Go on with the evaluation in the folder; finished episodes are not played again."""
    max_attempts: int = 4
    """Attempts per problem."""
    protocol: str = "default"
    """How the model is asked: default, yes_no, intrinsic, or module:attribute."""
    tool: Tool = "none"
    """A tool that the model may call inside a turn: none or calculator."""
    temperature: float = 0.0
    """0 is greedy."""
    top_p: float = 1.0
    """Nucleus sampling."""
    max_new_tokens: int = 512
    """Greatest length of one turn."""
    votes: int = 0
    """Also measure majority voting over this many single attempts, drawn at temperature 1."""
    batch_size: int = 256
    """Turns generated at once; with a server, requests on their way at once."""
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
    log: Path | None = None,
    tool: Tool = "none",
) -> list[Episode]:
    """Plays one episode per problem under a progress bar.

    Args:
        engine: Generates the turns.
        problems: One per episode.
        sampling: How turns are drawn.
        description: Stands beside the bar.
        max_attempts: Attempts per episode.
        protocol: How the model is asked.
        seed: Seeds the samples.
        log: Every finished episode is appended to this file, and those that stand in it already
            are not played again.
        tool: What the model may call inside a turn.

    Raises:
        RuntimeError: Episodes could not be played; the finished ones are in the log.
    """
    make_env = environment_factory(max_attempts, protocol, tool)
    with EpisodeLog(log) if log else nullcontext() as file:
        done = file.done if file else {}
        left = [key for key in range(len(problems)) if key not in done]
        # Samples of a continued run must not repeat those of the run before it.
        torch.manual_seed(hashed_seed(seed, len(done)) % 2**63 if done else seed)

        with progress_bar(description, len(problems)) as bar:
            bar.advance(len(done))

            def finish(record: Rollout) -> None:
                if file and not record.error:
                    file.add(record.key, record.episode)
                bar.advance()

            played = rollout(
                make_env,
                engine,
                [problems[key] for key in left],
                dataclasses.replace(sampling, seed=seed),
                finish,
                keys=left,
                seed=seed,
            )
    failed = [record for record in played if record.error]
    if failed:
        kept = f"; the others are kept in {log}: add --resume to play the rest" if log else ""
        raise RuntimeError(
            f"{len(failed)} of {len(problems)} episodes failed, the first with "
            f"{failed[0].error}{kept}"
        )
    episodes = {**done, **{record.key: record.episode for record in played}}
    return [episodes[key] for key in range(len(problems))]


def vote(
    engine: Engine,
    problems: Sequence[Problem],
    votes: int,
    sampling: Sampling,
    description: str,
    protocol: str = "default",
    seed: int = 0,
    log: Path | None = None,
) -> list[Episode]:
    """Plays `votes` single-attempt episodes of each problem, grouped by problem."""
    repeated = [problem for problem in problems for _ in range(votes)]
    return play(engine, repeated, sampling, description, 1, protocol, seed, log)


def vote_groups(episodes: Sequence[Episode], votes: int) -> Outcomes:
    """Outcomes of majority voting over the episodes of `vote`."""
    return vote_outcomes(episodes[i : i + votes] for i in range(0, len(episodes), votes))


def evaluate(config: EvaluateConfig) -> dict[str, Metrics]:
    """Runs an evaluation and writes its files; returns the metrics by row.

    Raises:
        FileExistsError: The output folder holds another evaluation.
        FileNotFoundError: There is no such model.
        ValueError: The problems, the protocol or the sampling are not what they should be.
    """
    if config.n < 1:
        raise ValueError(f"-n is {config.n}: an evaluation needs at least one problem")
    done = config.output / "metrics.json"
    if done.exists():
        return _show_again(done, config)
    source = srenv.load_problems(config.problems, config.split)
    n = config.n if source.size is None else min(config.n, source.size)
    if n < config.n:
        console.print(f"{config.problems} has {n} problems; evaluating all of them")
    problems = source.take(n, config.seed)
    # Refuses an unknown protocol or tool before a model is loaded.
    environment_factory(config.max_attempts, config.protocol, config.tool)().close()
    engine = make_engine(
        config.engine,
        config.model,
        config.batch_size,
        config.base_url,
        config.tokenizer,
        config.patience,
    )
    _open_run(config)
    sampling = Sampling(config.temperature, config.top_p, config.max_new_tokens)
    logs = [config.output / f"{name}.partial.jsonl" for name in ("episodes", "votes")]
    episodes = play(
        engine,
        problems,
        sampling,
        "evaluate",
        config.max_attempts,
        config.protocol,
        config.seed,
        logs[0],
        config.tool,
    )
    write_episodes(config.output / "episodes.jsonl", episodes)
    model = engine.model if isinstance(engine, ServerEngine) else config.model
    rows = {Path(model).name: measure(outcomes(episodes))}
    if config.votes:
        sampling = Sampling(1.0, config.top_p, config.max_new_tokens)
        name = f"maj@{config.votes}"
        ballots = vote(
            engine,
            problems,
            config.votes,
            sampling,
            name,
            config.protocol,
            config.seed,
            logs[1],
        )
        write_episodes(config.output / "episodes_votes.jsonl", ballots)
        rows[name] = measure(vote_groups(ballots, config.votes))
    _write(config, rows, model)
    for log in logs:
        log.unlink(missing_ok=True)
    return rows


def _open_run(config: EvaluateConfig) -> None:
    # A server may have moved, and may be waited for longer, when its evaluation goes on.
    Run(config.output, dataclasses.replace(config, base_url=None, patience=0.0), config.resume)


def _show_again(path: Path, config: EvaluateConfig) -> dict[str, Metrics]:
    """The rows of an evaluation that is finished, if that is the one that is meant."""
    if not config.resume:
        raise FileExistsError(
            f"{config.output} holds a finished evaluation; add --resume to see its table again, "
            "or name another folder with --output"
        )
    _open_run(config)
    record = json.loads(path.read_text(encoding="utf-8"))
    rows = {name: metrics_from_json(row) for name, row in record["rows"].items()}
    print_table(console, rows, f"{record['config']['model']} on {config.problems}")
    return rows


def _write(config: EvaluateConfig, rows: dict[str, Metrics], model: str) -> None:
    record = {
        "config": {**to_json(config), "model": model},
        "rows": {name: metrics_to_json(metrics) for name, metrics in rows.items()},
    }
    path = write_json(config.output / "metrics.json", record)
    print_table(console, rows, f"{model} on {config.problems}")
    console.print(f"wrote {path} and {config.output / 'episodes.jsonl'}")


def equal_votes(engine_tokens: float, tokens_per_attempt: float) -> int:
    """How many votes cost at least `engine_tokens` generated tokens per problem."""
    return max(1, math.ceil(engine_tokens / tokens_per_attempt))


def load_outcomes(path: Path, votes: int = 0) -> Outcomes:
    """Reads an episode file back as outcomes; with `votes`, as groups of that many."""
    episodes = list(read_episodes(path))
    return vote_groups(episodes, votes) if votes else outcomes(episodes)
