"""Rows of a file or a dataset into problems: which column is what, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from srenv.episode import Problem
from srenv.problems.source import SourceSpec
from srenv.registry import unknown

COLUMN_OPTIONS = ("problem", "answer", "id", "source", "extract")


@dataclass(frozen=True, slots=True)
class Columns:
    r"""Which columns hold what: names to try in turn, and how to reduce a worked solution.

    Attributes:
        problem: Columns for the prompt.
        answer: Columns for the gold answer.
        id: Column for the id; None leaves it to the caller of `problem_of`.
        source: Column for the source, likewise.
        extract: `"hash"` takes what follows the last `####`, `"boxed"` the last `\boxed{}`,
            `"auto"` whichever is there, and else the whole text.
    """

    problem: tuple[str, ...] = ("problem", "question", "prompt")
    answer: tuple[str, ...] = ("answer", "solution")
    id: str | None = None
    source: str | None = None
    extract: str = "auto"

    @classmethod
    def read(cls, options: Mapping[str, str], spec: SourceSpec) -> Columns:
        """Read the columns from the options of a source."""
        extract = options.get("extract", "auto")
        if extract not in ("auto", "hash", "boxed"):
            known = ("auto", "hash", "boxed")
            raise ValueError(f"source {spec.text!r}: {unknown('extract', extract, known)}")
        return cls(
            problem=(options["problem"],) if "problem" in options else cls().problem,
            answer=(options["answer"],) if "answer" in options else cls().answer,
            id=options.get("id"),
            source=options.get("source"),
            extract=extract,
        )


def problem_of(
    row: Mapping[str, Any], columns: Columns, where: str, id: Any, source: Any
) -> Problem:
    """Turn a row into a problem.

    Args:
        row: The row: column names and values. Other columns than the named are ignored.
        columns: Which columns hold what.
        where: The place of the row, for messages, such as `"train.jsonl, line 3"`.
        id: The id, unless `columns` names a column for it.
        source: The source, likewise.

    Raises:
        ValueError: If a column is missing or holds no text, saying where and what to do.
    """
    prompt = _column(row, columns.problem, "problem", where)
    solution = _column(row, columns.answer, "answer", where)
    answer = _final_answer(solution, columns.extract, where)
    if columns.id:
        id = _column(row, (columns.id,), "id", where)
    if columns.source:
        source = _column(row, (columns.source,), "source", where)
    return Problem(_text(id, "id", where), prompt, answer, _text(source, "source", where))


def _column(row: Mapping[str, Any], names: tuple[str, ...], role: str, where: str) -> str:
    """Return the text in the first of the named columns that the row has."""
    for name in names:
        if name in row:
            return _text(row[name], name, where)
    wanted, found = " or ".join(map(repr, names)), ", ".join(map(repr, row)) or "none"
    raise ValueError(
        f"{where}: no column {wanted} for the {role}; found {found}. "
        f"Rename it, or name it in the source: '?{role}=COLUMN'"
    )


def _text(value: Any, name: str, where: str) -> str:
    """Return a value as text, or refuse what is no text or number."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        kind = "null" if value is None else type(value).__name__
        raise ValueError(f"{where}: column {name!r} is {kind}; write it as text")
    text = str(value).strip()
    if not text:
        raise ValueError(f"{where}: column {name!r} is empty; fill it in or remove the row")
    return text


def _final_answer(solution: str, extract: str, where: str) -> str:
    """Reduce a worked solution to its final answer."""
    if extract == "hash" or (extract == "auto" and "####" in solution):
        _, mark, answer = solution.rpartition("####")
        answer, wanted = (answer if mark else ""), "'#### ANSWER'"
    elif extract == "boxed" or (extract == "auto" and "\\boxed" in solution):
        from srenv.verifier.reading.extract import extract_box_span

        span = extract_box_span(solution)
        answer, wanted = (span[2] if span else ""), "closed \\boxed{ANSWER}"
    else:
        return solution
    if not answer.strip():
        raise ValueError(
            f"{where}: the solution has no {wanted}; mend it, or name another column or 'extract'"
        )
    return answer.strip()
