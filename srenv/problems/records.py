"""Turns rows of a file or a data set into problems, with errors that say what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from srenv.domains import DOMAINS, find_domain
from srenv.domains.maths import after_hashes, inside_box
from srenv.episode import Problem
from srenv.problems.source import SourceSpec
from srenv.registry import unknown

COLUMN_OPTIONS = ("problem", "answer", "id", "source", "extract", "domain")
_EXTRACT = {"hash": after_hashes, "boxed": inside_box}


@dataclass(frozen=True, slots=True)
class Columns:
    r"""The columns of a table: names to try in turn, and how a solution gives the gold answer.

    Attributes:
        problem: Columns for the prompt.
        answer: Columns for the gold answer.
        id: Column for the id; None leaves it to the caller of `problem_of`.
        source: Column for the source, likewise.
        extract: How a worked solution is reduced to its final answer: ``"hash"`` takes what
            follows the last ``####``, ``"boxed"`` the last ``\boxed{}``, ``"auto"`` what the
            domain takes (`Domain.reduce`).
        domain: Domain of all rows. A column could not name it: data sets use such names for
            anything.
    """

    problem: tuple[str, ...] = ("problem", "question", "prompt")
    answer: tuple[str, ...] = ("answer", "solution")
    id: str | None = None
    source: str | None = None
    extract: str = "auto"
    domain: str = "maths"

    @classmethod
    def read(cls, options: Mapping[str, str], spec: SourceSpec) -> Columns:
        """Returns the columns that the options of a source name.

        Raises:
            ValueError: The domain or the way to extract is unknown.
        """
        extract, domain = options.get("extract", "auto"), options.get("domain", "maths")
        known = {"extract": (extract, ("auto", *_EXTRACT)), "domain": (domain, DOMAINS)}
        for option, (name, names) in known.items():
            if name not in names:
                raise ValueError(f"source {spec.text!r}: {unknown(option, name, names)}")
        return cls(
            problem=(options["problem"],) if "problem" in options else cls().problem,
            answer=(options["answer"],) if "answer" in options else cls().answer,
            id=options.get("id"),
            source=options.get("source"),
            extract=extract,
            domain=domain,
        )


def problem_of(
    row: Mapping[str, Any], columns: Columns, where: str, id: Any, source: Any
) -> Problem:
    """Returns the problem in a row.

    Args:
        row: The row: column names and values. Columns that are not named are ignored.
        columns: The columns.
        where: The place of the row, for messages, such as `"train.jsonl, line 3"`.
        id: The id, unless `columns` names a column for it.
        source: The source, likewise.

    Raises:
        ValueError: A column is missing or holds no text; the message says where and what to do.
    """
    prompt = _column(row, columns.problem, "problem", where)
    solution = _column(row, columns.answer, "answer", where)
    answer = _final_answer(solution, columns, where)
    if columns.id:
        id = _column(row, (columns.id,), "id", where)
    if columns.source:
        source = _column(row, (columns.source,), "source", where)
    return Problem(
        id=_text(id, "id", where),
        prompt=prompt,
        answer=answer,
        source=_text(source, "source", where),
        domain=columns.domain,
    )


def _column(row: Mapping[str, Any], names: tuple[str, ...], role: str, where: str) -> str:
    """Returns the text in the first of the named columns that the row has."""
    for name in names:
        if name in row:
            return _text(row[name], name, where)
    expected, present = " or ".join(map(repr, names)), ", ".join(map(repr, row)) or "none"
    raise ValueError(
        f"{where}: no column {expected} for the {role}; found {present}. "
        f"Rename it, or name it in the source: '?{role}=COLUMN'"
    )


def _text(value: Any, name: str, where: str) -> str:
    """Returns a value as text, or refuses what is neither text nor a number."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        kind = "null" if value is None else type(value).__name__
        raise ValueError(f"{where}: column {name!r} is {kind}; write it as text")
    text = str(value).strip()
    if not text:
        raise ValueError(f"{where}: column {name!r} is empty; fill it in or remove the row")
    return text


def _final_answer(solution: str, columns: Columns, where: str) -> str:
    """Returns the final answer of a worked solution."""
    reduce = _EXTRACT.get(columns.extract) or find_domain(columns.domain).reduce
    try:
        return reduce(solution)
    except ValueError as error:
        message = f"{where}: {error}; fix it, or name another column or 'extract'"
        raise ValueError(message) from error
