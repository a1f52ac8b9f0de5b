"""``srenv validate``: sources that hold, and failures that it finds."""

import json

import pytest

from srenv.commands.main import main
from srenv.commands.validate import ValidateConfig, validate
from srenv.episode import Problem
from srenv.problems import FAMILIES, ListSource, register_checker, register_source
from srenv.verifier import Grade


def write_problems(path, answers):
    rows = [{"problem": f"{n}?", "answer": answer} for n, answer in enumerate(answers)]
    path.write_text("\n".join(map(json.dumps, rows)))
    return f"jsonl:{path}"


@pytest.mark.parametrize("family", FAMILIES)
def test_every_synthetic_family_holds(family):
    result = validate(ValidateConfig(f"synthetic:{family}", n=40))
    assert result.problems == 40
    assert result.tried["gold"] == result.tried["attempt"] == 40
    assert result.failures == []


def test_all_problems_of_a_file_are_validated(tmp_path, capsys):
    main(["validate", write_problems(tmp_path / "problems.jsonl", ["1/2", "x^2", "(3, 4)"])])
    assert "3 problems: holds" in capsys.readouterr().out


def test_a_gold_answer_that_cannot_be_read_is_a_failure(tmp_path, capsys):
    with pytest.raises(SystemExit) as failure:
        main(["validate", write_problems(tmp_path / "problems.jsonl", ["$$"])])
    assert failure.value.code == 1
    assert "no_gold" in capsys.readouterr().out


def test_a_checker_that_accepts_everything_is_found_out(capsys):
    register_checker("test_yes", lambda problem, answer: Grade(True, "yes"))
    problems = [Problem(str(n), "?", "12", "test_lax:x", checker="test_yes") for n in range(3)]
    register_source("test_lax", lambda spec: ListSource(spec.text, spec.split, problems))
    with pytest.raises(SystemExit) as failure:
        main(["validate", "test_lax:x", "--show", "1"])
    assert failure.value.code == 1
    printed = capsys.readouterr().out
    assert "last digit" in printed
    assert "raise --show" in printed


def test_a_malformed_source_is_refused():
    with pytest.raises(SystemExit, match="is not 'scheme:target'"):
        main(["validate", "nonsense"])
