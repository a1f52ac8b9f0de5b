"""Turns rows of a file or a data set into problems, with errors that say what is wrong.

A column is named by its name, or by a path into nested objects: ``reward_model.ground_truth``. A
prompt may be text or chat messages, of which the last user message is the problem. An answer may be
text, a number, or a list: a list of one is that one, and what several mean is an option.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from srenv.domains import DOMAINS, find_domain
from srenv.domains.math import after_hashes, inside_box
from srenv.episode import Problem
from srenv.problems.programs import PROMPTS, SOLUTIONS, read_program
from srenv.problems.source import SourceSpec
from srenv.registry import unknown

COLUMN_OPTIONS = (
    "problem", "answer", "id", "source", "extract", "domain", "several", "strict",
)  # fmt: skip
"""Options of a source string that say how rows are read; see `Columns`."""
SHOWN = 10
"""Number of rows that could not be read whose reasons are shown."""

_EXTRACT = {"hash": after_hashes, "boxed": inside_box}

Several = Literal["", "any", "all"]


class SkippedRows(UserWarning):
    """A data set has rows that cannot be read; the others are served."""


@dataclass(frozen=True, slots=True)
class Columns:
    r"""The columns of a table: names to try in turn, and how a solution gives the gold answer.

    Attributes:
        problem: Columns for the prompt, as names or paths.
        answer: Columns for the gold answer.
        id: Column for the id; None leaves it to the caller of `problem_of`.
        source: Column for the source, likewise.
        extract: How a worked solution is reduced to its final answer: ``"hash"`` takes what
            follows the last ``####``, ``"boxed"`` the last ``\boxed{}``, ``"auto"`` what the
            domain takes (`Domain.reduce`).
        domain: Domain of all rows. A column could not name it: data sets use such names for
            anything.
        several: What a list of several answers means: ``"any"`` of them is right by itself, or
            ``"all"`` of them are asked for. By default such a row cannot be read, as data sets
            mean one or the other.
        strict: Whether one row that cannot be read refuses the data set.
    """

    problem: tuple[str, ...] = ("problem", "question", "prompt")
    answer: tuple[str, ...] = ("answer", "solution")
    id: str | None = None
    source: str | None = None
    extract: str = "auto"
    domain: str = "math"
    several: Several = ""
    strict: bool = False

    @classmethod
    def read(cls, options: Mapping[str, str], spec: SourceSpec) -> Columns:
        """Returns the columns that the options of a source name.

        Raises:
            ValueError: The domain, the way to extract, or another choice is unknown.
        """
        extract, domain = options.get("extract", "auto"), options.get("domain", "math")
        several, strict = options.get("several", ""), options.get("strict", "0")
        known: dict[str, tuple[str, Iterable[str]]] = {
            "extract": (extract, ("auto", *_EXTRACT)),
            "domain": (domain, DOMAINS),
            "several": (several, ("", "any", "all")),
            "strict": (strict, ("0", "1")),
        }
        for option, (name, names) in known.items():
            if name not in names:
                raise ValueError(f"source {spec.text!r}: {unknown(option, name, names)}")
        named = cls(problem=PROMPTS, answer=SOLUTIONS) if domain == "code" else cls()
        return cls(
            problem=(options["problem"],) if "problem" in options else named.problem,
            answer=(options["answer"],) if "answer" in options else named.answer,
            id=options.get("id"),
            source=options.get("source"),
            extract=extract,
            domain=domain,
            several=several,  # type: ignore[arg-type]
            strict=strict == "1",
        )


def readable(
    rows: Iterable[tuple[str, Problem | ValueError]], name: str, strict: bool
) -> list[Problem]:
    """Returns the problems in rows; warns of rows that cannot be read.

    Args:
        rows: Place of each row, such as ``"line 3"``, and the problem in it or why it cannot be
            read.
        name: The data set, for messages.
        strict: Whether one row that cannot be read refuses the data set.

    Raises:
        ValueError: No row can be read, or one cannot and `strict` is set.
    """
    problems: list[Problem] = []
    places: dict[str, str] = {}
    count, reasons = 0, list[str]()
    for place, row in rows:
        if isinstance(row, Problem):
            if row.id not in places:
                places[row.id] = place
                problems.append(row)
                continue
            repeated = f"id {row.id!r} is in {places[row.id]} already; ids must be distinct"
            row = ValueError(f"{name}, {place}: {repeated}")
        if strict:
            raise row
        count += 1
        if len(reasons) < SHOWN:
            reasons.append(str(row))
    if not count:
        return problems
    shown = "\n  ".join(reasons) + (f"\n  and {count - SHOWN} more" if count > SHOWN else "")
    if not problems:
        raise ValueError(f"{name}: none of {count} rows can be read:\n  {shown}")
    warnings.warn(
        f"{name}: {count} of {count + len(problems)} rows cannot be read and are skipped "
        f"('strict=1' refuses them):\n  {shown}",
        SkippedRows,
        stacklevel=2,
    )
    return problems


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
    if columns.domain == "code":
        return _program(row, columns, where, id, source)
    name, value = _column(row, columns.problem, "problem", where)
    prompt = _text(_last_request(value), name, where)
    name, value = _column(row, columns.answer, "answer", where)
    solutions = [_text(answer, name, where) for answer in _listed(value)]
    answers = list(dict.fromkeys(_final_answer(text, columns, where) for text in solutions))
    if len(answers) > 1 and not columns.several:
        raise ValueError(
            f"{where}: column {name!r} lists {len(answers)} answers; say whether '?several=any' "
            "of them is right by itself, or '?several=all' of them are asked for"
        )
    if not answers:
        raise ValueError(f"{where}: column {name!r} is an empty list")
    alternatives = len(answers) > 1 and columns.several == "any"
    if columns.id:
        id = _column(row, (columns.id,), "id", where)[1]
    if columns.source:
        source = _column(row, (columns.source,), "source", where)[1]
    return Problem(
        id=_text(id, columns.id or "id", where),
        prompt=prompt,
        answer=answers[0] if alternatives else ", ".join(answers),
        source=_text(source, columns.source or "source", where),
        checker="alternatives" if alternatives else None,
        data={"answers": answers} if alternatives else {},
        domain=columns.domain,
    )


def _program(row: Mapping[str, Any], columns: Columns, where: str, id: Any, source: Any) -> Problem:
    """Returns the program task in a row; its own id is often in the column ``task_id``."""
    drawn = read_program(row, where, columns.problem, columns.answer)
    id = row.get(columns.id or "task_id", id)
    source = row.get(columns.source, source) if columns.source else source
    return Problem(
        id=_text(id, columns.id or "id", where),
        prompt=drawn.prompt,
        answer=drawn.answer,
        source=_text(source, columns.source or "source", where),
        data=drawn.data or {},
        domain=drawn.domain,
    )


def _column(
    row: Mapping[str, Any], names: tuple[str, ...], role: str, where: str
) -> tuple[str, Any]:
    """Returns the first of the named columns that the row has, and its value."""
    for name in names:
        try:
            return name, row[name] if name in row else _nested(row, name)
        except KeyError:
            continue
    expected, present = " or ".join(map(repr, names)), ", ".join(map(repr, row)) or "none"
    raise ValueError(
        f"{where}: no column {expected} for the {role}; found {present}. "
        f"Rename it, or name it in the source: '?{role}=COLUMN'"
    )


def _nested(row: Mapping[str, Any], path: str) -> Any:
    """Returns the value at a path through nested objects, ``reward_model.ground_truth``.

    Raises:
        KeyError: There is no such value.
    """
    value: Any = row
    for name in path.split("."):
        if not isinstance(value, Mapping):
            raise KeyError(path)
        value = value[name]
    return value


def _last_request(value: Any) -> Any:
    """Returns the content of the last user message, if a prompt is chat messages."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return value
    requests = [
        message.get("content")
        for message in value
        if isinstance(message, Mapping) and message.get("role") == "user"
    ]
    return requests[-1] if requests else value


def _listed(value: Any) -> Sequence[Any]:
    """Returns the answers in a column: those of a list, of a list in JSON, or the only one."""
    if isinstance(value, str) and value.lstrip().startswith('["'):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return [value]
    return value if isinstance(value, Sequence) and not isinstance(value, str) else [value]


def _text(value: Any, name: str, where: str) -> str:
    """Returns a value as text, or refuses what is neither text nor a number."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        kind = "null" if value is None else type(value).__name__
        raise ValueError(f"{where}: column {name!r} is {kind}; write it as text")
    text = str(value).strip()
    if not text:
        raise ValueError(f"{where}: column {name!r} is empty; fill it in or remove the row")
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError(f"{where}: column {name!r} has lone surrogates, which are no characters")
    return text


def _final_answer(solution: str, columns: Columns, where: str) -> str:
    """Returns the final answer of a worked solution."""
    reduce = _EXTRACT.get(columns.extract) or find_domain(columns.domain).reduce
    try:
        return reduce(solution)
    except ValueError as error:
        message = f"{where}: {error}; fix it, or name another column or 'extract'"
        raise ValueError(message) from error
