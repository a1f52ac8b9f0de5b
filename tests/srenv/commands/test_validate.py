"""`srenv validate`: what it finds, prints, and exits with."""

from __future__ import annotations

import json

import pytest

from srenv.commands import main as cli
from srenv.commands.validate import ValidateConfig, validate
from srenv.episode import Problem
from srenv.problems import FAMILIES, ListSource, register_checker, register_source
from srenv.verifier import Grade


@pytest.mark.parametrize("family", FAMILIES)
def test_synthetic_family_holds(family: str) -> None:
    result = validate(ValidateConfig(f"synthetic:{family}", n=40))
    assert result.problems == 40
    assert result.tried["gold"] == result.tried["attempt"] == 40
    assert result.failures == []


def test_file_is_validated_whole(tmp_path, capsys) -> None:
    path = tmp_path / "problems.jsonl"
    rows = [{"problem": f"{n}?", "answer": a} for n, a in enumerate(["1/2", "x^2", "(3, 4)"])]
    path.write_text("\n".join(map(json.dumps, rows)))
    cli.main(["validate", f"jsonl:{path}"])
    assert "3 problems: holds" in capsys.readouterr().out


def test_unreadable_gold_answer_is_a_failure(tmp_path, capsys) -> None:
    path = tmp_path / "problems.jsonl"
    path.write_text(json.dumps({"problem": "?", "answer": "$$"}))
    with pytest.raises(SystemExit) as failure:
        cli.main(["validate", f"jsonl:{path}"])
    assert failure.value.code == 1
    assert "no_gold" in capsys.readouterr().out


def test_checker_that_accepts_everything_fails(capsys) -> None:
    register_checker("test_yes", lambda problem, answer: Grade(True, "yes"))
    problems = [Problem(str(n), "?", "12", "test_lax:x", checker="test_yes") for n in range(3)]
    register_source("test_lax", lambda spec: ListSource(spec.text, spec.split, problems))
    with pytest.raises(SystemExit) as failure:
        cli.main(["validate", "test_lax:x", "--show", "1"])
    assert failure.value.code == 1
    printed = capsys.readouterr().out
    assert "last digit" in printed
    assert "raise --show" in printed


def test_unknown_source_is_explained() -> None:
    with pytest.raises(SystemExit, match="is not 'scheme:target'"):
        cli.main(["validate", "nonsense"])


def test_n_is_the_number_of_problems(capsys) -> None:
    cli.main(["validate", "synthetic:root", "-n", "3"])
    assert "3 problems: holds" in capsys.readouterr().out
