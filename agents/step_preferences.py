"""Preferences between steps that a search came to, kept as text and learned as tokens."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from agents.chat import ChatFormat
from agents.files import write_json
from agents.preference import Preference
from agents.steps import StepSearch
from agents.stepwise import context_ids, step_ids
from srenv.episode import Problem


def write_preferences(
    path: Path, problems: Sequence[Problem], searches: Sequence[StepSearch]
) -> int:
    """Writes the preferences of one search per problem; returns how many there are."""
    pairs = [
        [problem.id, pair.context, pair.best, pair.worst]
        for problem, search in zip(problems, searches, strict=True)
        for pair in search.pairs
        if pair is not None
    ]
    write_json(path, pairs)
    return len(pairs)


def read_preferences(
    path: Path, chat: ChatFormat, find: Callable[[str], Problem]
) -> list[Preference]:
    """Reads preferences in a model's tokens, with the problems that `find` knows by id."""
    return [
        Preference(
            context_ids(chat, find(problem), context), step_ids(chat, best), step_ids(chat, worst)
        )
        for problem, context, best, worst in json.loads(path.read_text(encoding="utf-8"))
    ]
