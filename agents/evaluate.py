"""How well a model corrects itself: play problems, write episodes and metrics."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

import srenv
from agents.engines import Sampling
from agents.engines.backend import EngineOptions
from agents.engines.registry import EngineName, choose, make_engine
from agents.models.chat import History, chat_options
from agents.models.paths import TINY
from agents.rollouts.environments import Tool, environment_factory
from agents.rollouts.evaluation import (
    play_problems,
    play_votes,
    repeated,
    vote_groups,
    warn_of_lost_turns,
    warn_of_nothing_graded,
    warn_of_unreadable,
)
from agents.runs.progress import console
from agents.runs.run import Run, check_folder, show_view_command
from agents.runs.tables import print_table
from srenv.domains import find_domain
from srenv.episode import write_episodes
from srenv.json_files import to_json, write_json
from srenv.metrics import Metrics, Outcomes, measure
from srenv.metrics.tables import metrics_from_json, metrics_to_json
from srenv.parsing import MAX_TURN_CHARS
from srenv.records import read_json


@dataclass(frozen=True)
class EvaluateConfig:
    """Play problems with a model and measure how well it corrects itself."""

    model: str = TINY
    """Folder or hub id of any transformers model, tiny or tiny_programs (the bundled ones), or
    smollm2 (srenv[smollm2]); with a server, the model's name there (not needed when it serves only
    one)."""
    engine: EngineName = "auto"
    """What generates. auto: a server if --base-url is given, vllm if it is installed and there is a
    GPU, transformers otherwise."""
    base_url: str | None = None
    """Address of an OpenAI-compatible server, such as http://localhost:8000/v1; its key is read
    from OPENAI_API_KEY."""
    tokenizer: str | None = None
    """Tokenizer of a served model, when the server does not say where the model came from."""
    patience: float = 300.0
    """Seconds for which a server that does not answer is asked again."""
    problems: str = "synthetic:linear"
    """Source of the problems: synthetic:..., jsonl:..., hf:..., rg:... or humaneval."""
    split: Literal["train", "eval"] = "eval"
    """Split of a generated source."""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 500
    """Number of problems; of a finite source at most all."""
    output: Path = Path("runs/evaluate")
    """Folder for metrics.json and episodes.jsonl."""
    resume: bool = False
    """Resume the evaluation in the folder; finished episodes are not played again."""
    samples: int = 1
    """Episodes per problem, for the mean over them and for pass@k; more than one need a
    --temperature above 0."""
    max_attempts: int = 4
    """Attempts per episode."""
    protocol: str = "default"
    """How the model is asked: default, yes_no, intrinsic, code, code_public (shows what the
    examples in the prompt say of a program, a help), or module:attribute."""
    history: History = "all"
    """What the model sees of its earlier turns: all, or what follows their thoughts (final)."""
    chat_template_kwargs: str = "{}"
    """What the model's chat template is told, as JSON, such as '{"enable_thinking": false}'."""
    tool: Tool = "none"
    """A tool that the model may call inside a turn: none, calculator or python."""
    temperature: float = 0.0
    """0 is greedy."""
    top_p: float = 1.0
    """Nucleus sampling."""
    max_new_tokens: int = 512
    """Greatest length of one turn."""
    max_turn_chars: int = MAX_TURN_CHARS
    """Characters at the end of a turn that are read and kept."""
    votes: int = 0
    """Also measure majority voting over this many single attempts, drawn at temperature 1."""
    batch_size: int = 256
    """Turns generated at once; with a server, requests on their way at once."""
    seed: int = 0
    """Chooses the problems and the samples."""


def evaluate(config: EvaluateConfig) -> dict[str, Metrics]:
    """Runs an evaluation and writes its files; returns the metrics by row.

    Raises:
        FileExistsError: The output folder holds another evaluation.
        FileNotFoundError: There is no such model.
        ValueError: The problems, the protocol or the sampling are not what they should be.
    """
    if config.n < 1:
        raise ValueError(f"-n is {config.n}: an evaluation needs at least one problem")
    if config.batch_size < 1 or config.votes < 0:
        raise ValueError(
            f"an evaluation needs batch_size >= 1 and votes >= 0, got {config.batch_size} and "
            f"{config.votes}"
        )
    if config.samples < 1 or (config.samples > 1 and config.temperature == 0):
        raise ValueError(
            f"--samples is {config.samples} and --temperature {config.temperature:g}: several "
            "samples need a temperature above 0, and one is the least"
        )
    sampling = Sampling(config.temperature, config.top_p, config.max_new_tokens)
    done = config.output / "metrics.json"
    if done.exists():
        return _show_again(done, config)
    check_folder(config.output, _recorded(config), config.resume)
    source = srenv.load_problems(config.problems, config.split)
    n = config.n if source.size is None else min(config.n, source.size)
    if n < config.n:
        console.print(f"{config.problems} has {n} problems; evaluating all of them")
    problems = source.take(n, config.seed)
    for name in {problem.domain for problem in problems}:
        find_domain(name).prepare()
    warn_of_unreadable(problems)
    # Refuses an unknown protocol or tool before a model is loaded.
    environment_factory(
        config.max_attempts, config.protocol, config.tool, max_turn_chars=config.max_turn_chars
    )().close()
    options = EngineOptions(
        model=config.model,
        batch_size=config.batch_size,
        base_url=config.base_url,
        tokenizer=config.tokenizer,
        patience=config.patience,
        chat=chat_options(config.history, config.chat_template_kwargs),
    )
    with closing(make_engine(config.engine, options)) as engine:
        Run(config.output, _recorded(config), config.resume)
        logs = [config.output / f"{name}.partial.jsonl" for name in ("episodes", "votes")]
        episodes = play_problems(
            engine,
            repeated(problems, config.samples),
            sampling,
            "evaluate",
            max_attempts=config.max_attempts,
            protocol=config.protocol,
            seed=config.seed,
            log=logs[0],
            tool=config.tool,
            max_turn_chars=config.max_turn_chars,
        )
        write_episodes(config.output / "episodes.jsonl", episodes)
        model = choose(config.engine, config.base_url).model_name(engine, options)
        outcomes = Outcomes.of_samples(episodes)
        warn_of_nothing_graded(outcomes)
        warn_of_lost_turns(outcomes, config.max_new_tokens)
        rows = {Path(model).name: measure(outcomes)}
        if config.votes:
            sampling = Sampling(1.0, config.top_p, config.max_new_tokens)
            name = f"maj@{config.votes}"
            ballots = play_votes(
                engine,
                problems,
                config.votes,
                sampling,
                name,
                protocol=config.protocol,
                seed=config.seed,
                log=logs[1],
                max_turn_chars=config.max_turn_chars,
            )
            write_episodes(config.output / "episodes_votes.jsonl", ballots)
            rows[name] = measure(vote_groups(ballots, config.votes))
    _write(config, rows, model)
    for log in logs:
        log.unlink(missing_ok=True)
    return rows


def _recorded(config: EvaluateConfig) -> EvaluateConfig:
    # A server may have moved, and may be waited for longer, when its evaluation resumes.
    return dataclasses.replace(config, base_url=None, patience=0.0)


def _show_again(path: Path, config: EvaluateConfig) -> dict[str, Metrics]:
    """The rows of an evaluation that is finished, if that is the one that is meant."""
    if not config.resume:
        raise FileExistsError(
            f"{config.output} holds a finished evaluation; add --resume to see its table again, "
            "or name another folder with --output"
        )
    check_folder(config.output, _recorded(config), config.resume)
    record = read_json(path, dict[str, dict[str, Any]])
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
    show_view_command(config.output)
