"""Tasks of reasoning-gym."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from srenv.episode import Problem
from srenv.problems import grade, load_problems
from tests.support.python import run_python


@pytest.fixture(autouse=True)
def _installed() -> None:
    pytest.importorskip("reasoning_gym")


@pytest.mark.parametrize("task", ["chain_sum", "gcd", "countdown", "n_queens"])
def test_gold_is_right_and_another_wrong(task: str) -> None:
    for problem in load_problems(f"rg:{task}").take(5):
        assert grade(problem, problem.answer).correct is True
        assert grade(problem, problem.answer + "1").correct is False
        assert json.loads(json.dumps(problem.data)) == problem.data


def test_partial_credit_is_wrong() -> None:
    problem = load_problems("rg:chain_sum").problem(0)
    assert grade(problem, f"it is {problem.answer}").correct is False


def test_splits_share_no_prompt() -> None:
    train, evaluation = (
        {load_problems("rg:gcd", split).problem(i).prompt for i in range(400)}
        for split in ("train", "eval")
    )
    assert not train & evaluation
    assert len(train) > 390  # neighbouring seeds must not overlap


def test_found_by_id_in_another_process() -> None:
    problem = load_problems("rg:chain_sum", "eval").problem(9)
    code = (
        "from srenv.problems import load_problems, grade\n"
        f"print(load_problems('rg:chain_sum', 'eval').find({problem.id!r}).prompt)"
    )
    assert run_python(code, PYTHONHASHSEED="7").strip() == problem.prompt


def test_options_of_a_task() -> None:
    source = load_problems("rg:chain_sum?min_terms=5&max_terms=5&allow_negation=false")
    problem = source.problem(0)
    assert len(re.findall(r"\d+", problem.prompt)) == 5
    assert problem.data["options"]["allow_negation"] is False
    with pytest.raises(ValueError, match="refuses these options"):
        load_problems("rg:chain_sum?min_terms=9&max_terms=3")
    with pytest.raises(ValueError, match="Did you mean 'min_terms'"):
        load_problems("rg:chain_sum?min_term=5")


def test_unknown_task_is_refused() -> None:
    with pytest.raises(ValueError, match="Did you mean 'chain_sum'"):
        load_problems("rg:chain_sums")
    with pytest.raises(ValueError, match="not supported: it is a mixture"):
        load_problems("rg:composite")


@pytest.mark.parametrize("task", ["countdown", "n_queens", "spiral_matrix", "coin_flip"])
@pytest.mark.parametrize(
    "answer",
    ["__import__('pathlib').Path('{marker}').touch()", "9**9**9**9", "9 ** 9 ** 9 ** 9",
     "1e999999999", "[0 for a in range(10**9)]", "(" * 10**6],
)  # fmt: skip
def test_hostile_text_is_not_run(task: str, answer: str, tmp_path: Path) -> None:
    problem = load_problems(f"rg:{task}").problem(1)
    marker = tmp_path / "ran"
    start = time.perf_counter()
    assert grade(problem, answer.replace("{marker}", str(marker))).correct is not True
    assert time.perf_counter() - start < 1
    assert not marker.exists()


def test_problem_of_another_version_is_undecided() -> None:
    problem = load_problems("rg:gcd").problem(0)
    data = {**problem.data, "seed": problem.data["seed"] + 1}
    moved = Problem(problem.id, problem.prompt, problem.answer, "rg:gcd", problem.checker, data)
    assert grade(moved, problem.answer).correct is None
