"""`srenv validate`: what it finds, prints, and exits with."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest

from srenv.commands import main as cli
from srenv.commands.validate import ValidateConfig, validate
from srenv.episode import Problem
from srenv.problems import FAMILIES, ListSource, register_checker, register_source
from srenv.sandbox import Job, Outcome
from srenv.verifier import Grade
from tests.support.programs import DOUBLE, use_canned
from tests.support.sandbox import real_sandbox


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


def test_flaky_and_failing_programs_are_found(monkeypatch, capsys) -> None:
    problems = [replace(DOUBLE, id=name, answer=name) for name in ("flaky", "failing", "fine")]
    register_source("test_flaky", lambda spec: ListSource(spec.text, spec.split, problems))
    trials = itertools.count()

    def decide(job: Job) -> Outcome:
        name = job.program.strip().rpartition(" ")[2]
        passed = name == "fine" or (name == "flaky" and next(trials) % 2 == 0)
        return Outcome(passed, "passed" if passed else "time")

    use_canned(monkeypatch, decide)
    with pytest.raises(SystemExit):
        cli.main(["validate", "test_flaky:x"])
    printed = capsys.readouterr().out
    assert "flaky: gold 'flaky' (gold 'flaky', flaky)" in printed
    assert "failing: gold 'failing' (gold 'failing', time)" in printed
    assert "fine: gold" not in printed


def test_programs_hold_in_the_sandbox() -> None:
    real_sandbox()
    result = validate(ValidateConfig("synthetic:programs", n=10))
    assert result.tried["gold"] == result.tried["exit"] == 10
    assert result.failures == []
