"""Self-correction as a task of Inspect: a solver, a scorer and its metrics.

The same problems, seed, protocol and model give the same episodes as ``srenv evaluate --engine
server``: the problems are drawn alike, the conversation has the same rules, and requests have the
same messages, limits and seeds.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from typing import Any

from anyio import to_thread
from inspect_ai import Epochs, Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import (
    ContentReasoning,
    ContentText,
    GenerateConfig,
    ModelOutput,
)
from inspect_ai.scorer import (
    Metric,
    SampleScore,
    Score,
    Scorer,
    Target,
    metric,
    scorer,
)
from inspect_ai.solver import Generate, Solver, TaskState, solver

from srenv.conversation import Conversation, Rules
from srenv.domains import find_domain
from srenv.envs.env import make_protocol
from srenv.episode import Episode, Problem
from srenv.inspect.logs import chat_message
from srenv.inspect.scores import METRICS, score_episode, tags, viewer
from srenv.inspect.suites import draw_problems, find_suite
from srenv.metrics import Outcomes, summarize
from srenv.problems import Split
from srenv.problems.seeding import sampling_seed
from srenv.records import make_record
from srenv.rewards import make_reward

EPISODE = "srenv:episode"
"""The key of the episode so far in a sample's store."""


@task
def self_correct(
    problems: str | list[str] = "small",
    n: int = 100,
    split: Split = "eval",
    protocol: str = "",
    max_attempts: int = 4,
    samples: int = 1,
    temperature: float = 0.0,
    top_p: float = 1.0,
    max_new_tokens: int = 512,
    seed: int = 0,
    data: str | None = None,
) -> Task:
    """Measures how well a model corrects itself.

    Args:
        problems: A suite (math, code, planning, small), a problem source, or several sources.
        n: Problems of each source; of a finite one at most all.
        split: Split of a generated source.
        protocol: How the model is asked; by default as the suite says.
        max_attempts: Attempts per episode.
        samples: Episodes per problem; more than one need a temperature above 0.
        temperature: 0 is greedy. Above 0, every request has a seed of its own.
        top_p: Nucleus sampling.
        max_new_tokens: Greatest length of one turn.
        seed: Chooses the problems and the samples.
        data: Folder with gsm8k_test.jsonl and math500.jsonl, for the suite math without a download.

    Raises:
        ValueError: The problems, the protocol or the sampling are not what they should be.
    """
    if samples < 1 or (samples > 1 and temperature == 0):
        raise ValueError(
            f"samples is {samples} and temperature {temperature:g}: several samples need a "
            "temperature above 0, and one is the least"
        )
    suite = find_suite(problems, data)
    drawn = draw_problems(suite, split, n, seed)
    for name in {problem.domain for problem in drawn}:
        find_domain(name).prepare()
    return Task(
        dataset=MemoryDataset(make_samples(drawn), name=", ".join(suite.sources)),
        solver=play_protocol(
            protocol=protocol or suite.protocol,
            max_attempts=max_attempts,
            samples=samples,
            seed=seed if temperature > 0 else None,
        ),
        scorer=self_correction(),
        epochs=Epochs(samples),
        config=GenerateConfig(temperature=temperature, top_p=top_p, max_tokens=max_new_tokens),
        viewer=viewer(trust=False, scorer="self_correction"),
    )


def make_samples(problems: list[Problem]) -> list[Sample]:
    """Returns problems as samples; ids that several sources share are made distinct."""
    ids = Counter(problem.id for problem in problems)
    return [
        Sample(
            id=problem.id if ids[problem.id] == 1 else f"{problem.source} {problem.id}",
            input=problem.prompt,
            target=problem.answer,
            metadata={"problem": dataclasses.asdict(problem), "number": number},
        )
        for number, problem in enumerate(problems)
    ]


@solver
def play_protocol(
    protocol: str = "default", max_attempts: int = 4, samples: int = 1, seed: int | None = None
) -> Solver:
    """Plays the conversation that `srenv` plays, with Inspect's model.

    Args:
        protocol: How the model is asked.
        max_attempts: Attempts per episode.
        samples: Episodes per problem.
        seed: Seeds the samples; None sends no seeds.

    Raises:
        ValueError: There is no such protocol.
    """
    rules = Rules(make_protocol(protocol), max_attempts, make_reward("default"))

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        problem = make_record(Problem, state.metadata["problem"])
        conversation = Conversation(problem, rules)
        episode = conversation.episode
        state.messages = [chat_message(n, m) for n, m in enumerate(episode.messages)]
        key = state.metadata["number"] * samples + state.epoch - 1
        length = len("\n\n".join(message["content"] for message in episode.messages))
        while not conversation.ended:
            state.store.set(EPISODE, episode.to_json())
            options: Any = {} if seed is None else {"seed": sampling_seed(seed, key, length)}
            state = await generate(state, tool_calls="none", **options)
            text = turn_text(state.output)
            if state.output.stop_reason == "model_length" and not text:
                episode.ending, episode.failure = "failed", "the prompt does not fit the context"
                break
            # Grading may take a while: it parses, calculates, or runs a program.
            turn = await to_thread.run_sync(conversation.step, text)
            turn.tokens = state.output.usage.output_tokens if state.output.usage else None
            turn.truncated = state.output.stop_reason in ("max_tokens", "model_length")
            if not conversation.ended:
                reply = episode.messages[-1]
                state.messages.append(chat_message(len(state.messages), reply))
                length += len(text) + len(f"\n\n{reply['content']}\n\n")
        state.store.set(EPISODE, episode.to_json())
        return state

    return solve


def turn_text(output: ModelOutput) -> str:
    """Returns what the model wrote, its reasoning included as a thought."""
    if output.empty:
        return ""
    content = output.message.content
    if isinstance(content, str):
        return content
    parts = [part for part in content if isinstance(part, (ContentReasoning, ContentText))]
    return "".join(part.text for part in parts)


@metric(scores="unreduced")
def self_correction_metrics() -> Metric:
    """Returns the metrics of `srenv.metrics` over all episodes, samples grouped by problem."""

    def compute(scores: list[SampleScore]) -> dict[str, float]:
        episodes = [Episode.from_json(score.score.metadata["episode"]) for score in scores]
        values = summarize(Outcomes.of_samples(episodes))
        return {key: values[key] for keys in METRICS.values() for key in keys if key in values}

    return compute


@scorer(metrics=[self_correction_metrics()])
def self_correction() -> Scorer:
    """Scores the episode that `play_protocol` played; see `srenv.inspect.scores`."""

    async def score(state: TaskState, target: Target) -> Score:
        episode = Episode.from_json(state.store.get(EPISODE))
        scores = score_episode(episode)
        values = {
            name: None if isinstance(s.value, float) and math.isnan(s.value) else s.value
            for name, s in scores.items()
        }
        return Score(
            value=values,
            answer=scores["final"].answer,
            explanation=scores["final"].explanation,
            metadata={"tags": tags(episode), "episode": episode.to_json()},
        )

    return score
