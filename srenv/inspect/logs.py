"""Episodes as logs of Inspect, one log per row of a run."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar, cast
from zipfile import ZIP_DEFLATED, ZipFile

from inspect_ai.log import (
    EvalConfig,
    EvalDataset,
    EvalError,
    EvalLog,
    EvalResults,
    EvalSample,
    EvalSampleSummary,
    EvalSpec,
    EvalStats,
    write_eval_log,
)
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    ContentReasoning,
    ContentText,
)
from pydantic import ConfigDict, TypeAdapter

from srenv.episode import Episode, Message, Turn, read_episodes
from srenv.inspect.scores import confidence, judgment, score_episode, summarize, tags, viewer
from srenv.metrics import READINGS, Reading, measure
from srenv.registry import lookup
from srenv.thoughts import split_thoughts

HERE = ("model", "output", "base_url", "resume")
"""Options that say where a run was made, and do not go into a log, which may be shared."""

T = TypeVar("T")


def write_log(
    folder: Path,
    title: str,
    reading: Reading,
    config: Mapping[str, Any],
    *,
    number: int = 1,
    trust: bool = False,
) -> Path:
    """Writes the episodes of a row as a log; one of the same number and title is replaced.

    Args:
        folder: Where logs go.
        title: Title of the row.
        reading: Its episodes.
        config: Options that they were made with, as far as they are known.
        number: Number of the row, which orders the logs.
        trust: Whether the viewer renders what models wrote as Markdown and math.

    Returns:
        The file.

    Raises:
        ValueError: A line of the file is not an episode, or there is none.
    """
    episodes = list(read_episodes(reading.episodes))
    if not episodes:
        raise ValueError(f"{reading.episodes} has no episodes")
    metrics = measure(lookup("reading", reading.reading, READINGS)(episodes))
    created = datetime.fromtimestamp(reading.episodes.stat().st_mtime, timezone.utc).isoformat()
    numbers = list(epochs(episodes))
    sources = {episode.problem.source: None for episode in episodes}
    log = EvalLog(
        status="success",
        eval=EvalSpec(
            created=created,
            task=title,
            dataset=EvalDataset(name=clean(", ".join(sources)), samples=numbers.count(1)),
            model=Path(str(config.get("model") or "unknown")).name,
            config=EvalConfig(epochs=max(numbers)),
            task_args={key: value for key, value in config.items() if key not in HERE},
            viewer=viewer(trust),
        ),
        results=EvalResults(
            total_samples=len(episodes), completed_samples=len(episodes), scores=summarize(metrics)
        ),
        stats=EvalStats(started_at=created, completed_at=created),
    )
    folder.mkdir(parents=True, exist_ok=True)
    samples = (make_sample(*numbered) for numbered in zip(episodes, numbers, strict=True))
    return write_samples(folder / f"{number:02}_{slug(title)}.eval", log, samples)


def write_samples(path: Path, log: EvalLog, samples: Iterable[EvalSample]) -> Path:
    """Writes a log and its samples as `write_eval_log` does, in time linear in the samples.

    The function of Inspect compares every sample with all before it, which takes minutes for ten
    thousand. Here it writes the header, and Inspect's models write the samples.
    """
    summaries = []
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for sample in samples:
            name = f"samples/{sample.id}_epoch_{sample.epoch}.json"
            archive.writestr(name, sample.model_dump_json(exclude_none=True))
            summaries.append(sample.summary())
        constants = ConfigDict(ser_json_inf_nan="constants")  # as the models themselves have it
        adapter = TypeAdapter(list[EvalSampleSummary], config=constants)
        archive.writestr("summaries.json", adapter.dump_json(summaries, exclude_none=True))
    write_eval_log(log, path, header_only=True)
    return path


def epochs(episodes: Iterable[Episode]) -> Iterator[int]:
    """Yields the number of each episode among those of its problem, from 1."""
    seen: Counter[str] = Counter()
    for episode in episodes:
        seen[episode.problem.id] += 1
        yield seen[episode.problem.id]


def make_sample(episode: Episode, epoch: int = 1) -> EvalSample:
    """Returns an episode as a sample: its conversation, its scores, and a record of every turn.

    Args:
        episode: The episode.
        epoch: Number of the sample among those of the problem, from 1.
    """
    problem = episode.problem
    metadata: dict[str, Any] = {"tags": tags(episode), "ending": episode.ending}
    metadata |= {f"turn {n}": turn_record(turn) for n, turn in enumerate(episode.turns, start=1)}
    metadata |= {"source": problem.source, "domain": problem.domain}
    error = None
    if episode.ending == "failed":
        error = EvalError(message=clean(episode.failure), traceback="", traceback_ansi="")
    return EvalSample(
        id=clean(problem.id),
        epoch=epoch,
        input=clean(problem.prompt),
        target=clean(problem.answer),
        messages=[chat_message(n, message) for n, message in enumerate(clean(episode.messages))],
        scores=score_episode(episode),
        metadata=clean(metadata),
        error=error,
        turn_count=len(episode.turns),
    )


def turn_record(turn: Turn) -> dict[str, Any]:
    """Returns what is known of a turn besides its text, the most telling first."""
    known = {
        "verdict against truth": judgment(turn),
        "confidence in being right": confidence(turn),
        **{
            field.name: getattr(turn, field.name)
            for field in dataclasses.fields(turn)
            if field.name != "text"
        },
    }
    return {name: value for name, value in known.items() if value not in (None, "", {})}


def chat_message(number: int, message: Message) -> ChatMessage:
    """Returns a message as Inspect has it; thoughts become reasoning, which the viewer folds."""
    name, role, content = str(number), message["role"], message["content"]
    if role == "system":
        return ChatMessageSystem(id=name, content=content)
    if role != "assistant":
        return ChatMessageUser(id=name, content=content)
    thoughts, speech = split_thoughts(content)
    if not thoughts:
        return ChatMessageAssistant(id=name, content=speech)
    parts = [ContentReasoning(reasoning=thoughts), ContentText(text=speech)]
    return ChatMessageAssistant(id=name, content=parts)


def clean(value: T) -> T:
    """Returns plain values without lone surrogates, which JSON may hold and UTF-8 cannot."""
    result: Any = value
    if isinstance(value, str):
        result = value if value.isascii() else value.encode("utf-8", "replace").decode()
    elif isinstance(value, dict):
        result = {clean(key): clean(item) for key, item in value.items()}
    elif isinstance(value, list):
        result = [clean(item) for item in value]
    return cast(T, result)


def slug(title: str) -> str:
    """Returns a title as the name of a file."""
    return re.sub(r"[^\w.@-]+", "_", title).strip("._")[:100] or "episodes"
