"""``rg:chain_sum``: tasks of the reasoning-gym package as endless sources."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from typing import Any

from srenv.episode import Problem
from srenv.problems.source import Drawn, EndlessSource, SourceSpec
from srenv.registry import lookup
from srenv.verifier.grade import Grade

_RUNS_TEXT = "its scorer runs the answer as Python code"
_UNSTABLE = "the same seed draws different problems in different processes"
REFUSED = {
    "codeio": _UNSTABLE,
    "composite": "it is a mixture; name one task",
    "intermediate_integration": _RUNS_TEXT,
    "isomorphic_strings": _UNSTABLE,
    "knight_swap": _UNSTABLE,
    "list_functions": _UNSTABLE,
    "polynomial_multiplication": _UNSTABLE,
    "puzzle24": "its scorer accepts numbers that were not given",
    "ransom_note": _UNSTABLE,
    "simple_integration": _RUNS_TEXT,
    "word_ladder": _UNSTABLE,
}
"""Tasks that cannot keep the promises of a source, as of reasoning-gym 0.1.25, and why."""

MAX_LENGTH = 5000
_LONG_EXPONENT = re.compile(r"[eE][+-]?[0-9_]{4,}")  # Fraction("1e999999999") never ends
_PLAIN = re.compile(r"[A-Z0-9\s._-]*")
_ARITHMETIC = re.compile(r"(?:(?<![0-9])[0-9]{1,6}(?![0-9])|[-+/() ]|\*(?!\*)){0,200}")
GUARDS = {
    "binary_matrix": _PLAIN,
    "n_queens": _PLAIN,
    "spiral_matrix": _PLAIN,
    "string_insertion": _PLAIN,
    "countdown": _ARITHMETIC,
}
"""Scorers that pass the answer to `eval` see only texts that cannot call or blow up."""


def reasoning_gym_source(spec: SourceSpec) -> EndlessSource:
    """Returns a task as a source; options in the query are fields of the task's config.

    Raises:
        ImportError: reasoning-gym is not installed.
        ValueError: There is no such task or option.
    """
    task = spec.target
    try:
        from reasoning_gym.factory import DATASETS
    except ImportError as error:
        message = f'{spec.text!r} needs reasoning-gym: pip install "srenv[reasoning-gym]"'
        raise ImportError(message) from error
    lookup("reasoning-gym task", task, DATASETS)
    if task in REFUSED:
        raise ValueError(f"reasoning-gym task {task!r} is not supported: {REFUSED[task]}")
    fields = set(DATASETS[task][1].__dataclass_fields__) - {"seed", "size"}
    options = {name: _value(text) for name, text in spec.read_options(*fields).items()}
    written = json.dumps(options)
    try:
        _entry(task, written, 0)
    except Exception as error:  # assertions of the task's config, mostly
        raise ValueError(f"{spec.text!r}: the task refuses these options: {error!r}") from error

    return EndlessSource(spec.text, spec.split, task, functools.partial(_draw, task, written))


def _draw(task: str, options: str, seed: int) -> Drawn:
    seed %= 2**31  # some tasks seed numpy, which takes no more
    _, entry = _entry(task, options, seed)
    data = {"task": task, "options": json.loads(options), "seed": seed}
    answer = entry["answer"] or ""  # None where there are many right answers
    return Drawn(entry["question"], answer, "reasoning_gym", data)


def check_reasoning_gym(problem: Problem, answer: str) -> Grade:
    """Grades by the task's own scorer; only its full score is right.

    The entry is drawn again from its seed, because many entries do not survive JSON.
    """
    data = problem.data
    if data["task"] in REFUSED:  # a file may name a task whose scorer runs text
        return Grade(None, "reasoning_gym_refused")
    guard = GUARDS.get(data["task"])
    if len(answer) > MAX_LENGTH or _LONG_EXPONENT.search(answer):
        return Grade(False, "reasoning_gym_too_large")
    if guard is not None and not guard.fullmatch(answer):
        return Grade(False, "reasoning_gym_syntax")
    dataset, entry = _entry(data["task"], json.dumps(data["options"]), data["seed"])
    if entry["question"] != problem.prompt:  # another version of reasoning-gym drew it
        return Grade(None, "reasoning_gym_version")
    return Grade(dataset.score_answer(answer, entry) >= 1.0, "reasoning_gym")


@functools.lru_cache(maxsize=32)  # some tasks' datasets are megabytes
def _entry(task: str, options: str, seed: int) -> tuple[Any, Mapping[str, Any]]:
    """Draws one entry from its own seed: a dataset's items use seed + index, which overlap."""
    import reasoning_gym

    dataset = reasoning_gym.create_dataset(task, size=1, seed=seed, **json.loads(options))
    return dataset, dataset[0]


def _value(text: str) -> Any:
    """Reads an option as JSON (`3`, `true`, `[1, 2]`), or as plain text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
