"""Problems from JSON Lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from srenv.episode import Problem
from srenv.problems import grade, load_problems
from srenv.problems.records import SkippedRows


def write(path: Path, *rows: object) -> str:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines), encoding="utf-8")
    return f"jsonl:{path}"


def test_rows_become_problems(tmp_path: Path) -> None:
    source = load_problems(
        write(
            tmp_path / "algebra.jsonl",
            {"id": "a", "problem": "1+1?", "answer": "2", "source": "book", "level": 5},
            "",
            {"problem": "½+½?", "answer": 1},
            '{"question": "7/10 as a decimal?", "solution": 0.70}',
            {"prompt": "2*3?", "answer": "2*3=6\n#### 6"},
            {"problem": "2*4?", "answer": r"so $\boxed{\frac{16}{2}}$."},
        )
    )
    assert source.size == 5
    assert source.find("a") == Problem("a", "1+1?", "2", "book")
    second = Problem("algebra/3", "½+½?", "1", "algebra.jsonl")
    assert source.problem(1) == second == source.find("algebra/3")
    assert [source.problem(i).answer for i in (2, 3, 4)] == ["0.70", "6", r"\frac{16}{2}"]


def test_columns_are_named_in_the_query(tmp_path: Path) -> None:
    row = {"text": "1+1?", "gold": "2", "key": 7, "answer": "no", "book": "b"}
    path = write(tmp_path / "x.jsonl", row)
    query = "?problem=text&answer=gold&id=key&source=book"
    assert load_problems(path + query).problem(0) == Problem("7", "1+1?", "2", "b")


def test_same_name_in_another_folder_is_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for answer in "12":
        folder = tmp_path / answer
        folder.mkdir()
        write(folder / "x.jsonl", {"problem": "?", "answer": answer})
        monkeypatch.chdir(folder)
        source = load_problems("jsonl:x.jsonl")
        assert source.problem(0).answer == answer
        assert source.name == "jsonl:x.jsonl"
        assert load_problems("jsonl:x.jsonl") is source


BAD_LINES = [
        ('{"problem": "?", "answer": ', "not JSON.*write one JSON object a line"),
        ("[" * 100_000, "not JSON"),
        ('["?", "2"]', "a JSON list, not an object"),
        ('{"text": "?", "answer": "2"}', "no column 'problem' or 'question' or 'prompt'.*"
         r"found 'text', 'answer'.*'\?problem=COLUMN'"),
        ('{"problem": "?", "gold": "2"}', "no column 'answer' or 'solution'.*found 'problem'"),
        ('{"problem": "?", "answer": "  "}', "column 'answer' is empty; fill it in"),
        ('{"problem": "?", "answer": null}', "column 'answer' is null; write it as text"),
        ('{"problem": "?", "answer": {"a": 2}}', "column 'answer' is dict"),
        ('{"problem": "?", "answer": []}', "column 'answer' is an empty list"),
        ('{"problem": "?", "answer": ["2", "3"]}', "lists 2 answers; say whether .*any.*all"),
        ('{"prompt": [{"role": "system", "content": "?"}], "answer": 2}', "'prompt' is list"),
        ('{"problem": "?", "answer": true}', "column 'answer' is bool"),
        ('{"problem": "?", "answer": "####"}', "the solution has no '#### ANSWER'"),
        ('{"problem": "?", "answer": "\\\\boxed{2"}', "has no closed"),
        ('{"id": "1", "problem": "?", "answer": "2"}', "id '1' is in line 1 already"),
        ('{"problem": "' + "?" * 10**6 + '", "answer": "2"}', "longer than 1 MB"),
]  # fmt: skip
FIRST = {"id": "1", "problem": "1+1?", "answer": "2"}
LAST = {"problem": "2+2?", "answer": "4"}


@pytest.mark.parametrize(("line", "message"), BAD_LINES)
def test_a_strict_source_names_the_bad_line(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path / "bad.jsonl", FIRST, line, LAST)
    with pytest.raises(ValueError, match=f"(?s)bad.jsonl, line 2: .*{message}"):
        load_problems(f"{path}?strict=1")


@pytest.mark.parametrize(("line", "message"), BAD_LINES)
def test_a_bad_line_is_skipped_with_a_warning(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path / "bad.jsonl", FIRST, line, LAST)
    with pytest.warns(SkippedRows, match=f"(?s)1 of 3 rows .*bad.jsonl, line 2: .*{message}"):
        source = load_problems(path)
    assert [source.problem(i).answer for i in range(2)] == ["2", "4"]
    assert source.size == 2


def test_the_first_ten_bad_lines_are_shown(tmp_path: Path) -> None:
    with pytest.warns(SkippedRows, match="13 of 14 rows") as warned:
        load_problems(write(tmp_path / "bad.jsonl", FIRST, *["{"] * 13))
    text = str(warned[0].message)
    assert text.count("not JSON") == 10
    assert text.endswith("and 3 more")


def test_a_file_without_any_problem_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"(?s)none of 2 rows can be read.*line 1.*line 2"):
        load_problems(write(tmp_path / "bad.jsonl", "{", "{"))


def test_strict_is_0_or_1(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", FIRST)
    assert load_problems(f"{path}?strict=0").size == 1
    with pytest.raises(ValueError, match="unknown strict 'yes'"):
        load_problems(f"{path}?strict=yes")


# --- nested columns, messages and lists -----------------------------------------------------------


def test_a_column_may_be_a_path_into_objects(tmp_path: Path) -> None:
    row = {
        "prompt": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "1+1?"},
            {"role": "assistant", "content": "3"},
            {"role": "user", "content": "No: 1+1?"},
        ],
        "reward_model": {"ground_truth": "2", "style": "rule"},
        "extra_info": {"index": 7},
    }
    path = write(tmp_path / "x.jsonl", row)
    query = "?answer=reward_model.ground_truth&id=extra_info.index&problem=prompt"
    assert load_problems(path + query).problem(0) == Problem("7", "No: 1+1?", "2", "x.jsonl")


def test_a_column_with_a_point_in_its_name_is_that_column(tmp_path: Path) -> None:
    row = {"problem": "?", "a.b": "1", "a": {"b": "2"}}
    source = load_problems(write(tmp_path / "x.jsonl", row) + "?answer=a.b")
    assert source.problem(0).answer == "1"


@pytest.mark.parametrize("path", ["a.c", "a.b.c", "a.b.", ".a", "c.b"])
def test_a_path_that_leads_nowhere_is_no_column(tmp_path: Path, path: str) -> None:
    row = {"problem": "?", "a": {"b": "2"}}
    with pytest.raises(ValueError, match=f"no column '{path}' for the answer"):
        load_problems(write(tmp_path / "x.jsonl", row) + f"?answer={path}")


@pytest.mark.parametrize("answer", [["2"], [2], '["2"]', ["2", "2"], ["#### 2"]])
def test_a_list_of_one_answer_is_that_answer(tmp_path: Path, answer: object) -> None:
    source = load_problems(write(tmp_path / "x.jsonl", {"problem": "?", "answer": answer}))
    assert (source.problem(0).answer, source.problem(0).checker) == ("2", None)


@pytest.mark.parametrize("answer", ["[2, 3]", '["2', "[2, 3)", "[[1, 2]]"])
def test_an_answer_that_looks_like_a_list_is_left_alone(tmp_path: Path, answer: str) -> None:
    source = load_problems(write(tmp_path / "x.jsonl", {"problem": "?", "answer": answer}))
    assert source.problem(0).answer == answer


def test_several_answers_are_alternatives_or_one_list(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", {"problem": "?", "answer": ["2", "3"]})
    both = load_problems(f"{path}?several=all").problem(0)
    assert (both.answer, both.checker) == ("2, 3", None)
    either = load_problems(f"{path}?several=any").problem(0)
    grades = {
        text: (grade(both, text).correct, grade(either, text).correct)
        for text in ("2", "3", "3, 2", "5")
    }
    assert grades == {
        "2": (False, True),
        "3": (False, True),
        "3, 2": (True, False),
        "5": (False, False),
    }
    with pytest.raises(ValueError, match="unknown several 'some'"):
        load_problems(f"{path}?several=some")


def test_bad_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.jsonl; relative paths start"):
        load_problems(f"jsonl:{tmp_path}/none.jsonl")
    with pytest.raises(ValueError, match=r"x\.jsonl is empty; it needs one JSON object"):
        load_problems(write(tmp_path / "x.jsonl", "", " "))
    (tmp_path / "latin.jsonl").write_bytes('{"problem": "é"}'.encode("latin-1"))
    with pytest.raises(ValueError, match=r"latin\.jsonl, line 1: not UTF-8"):
        load_problems(f"jsonl:{tmp_path}/latin.jsonl")


def test_named_columns_must_be_there(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", {"problem": "?", "answer": "2"})
    for query in ("?answer=gold", "?id=key", "?source=book"):
        with pytest.raises(ValueError, match="line 1: no column"):
            load_problems(path + query)
    with pytest.raises(ValueError, match=r"unknown extract 'bxed'\. Did you mean 'boxed'"):
        load_problems(path + "?extract=bxed")
    with pytest.raises(ValueError, match="no '#### ANSWER'"):
        load_problems(path + "?extract=hash")


def test_rows_are_of_the_domain_that_the_query_names(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", {"problem": "?", "answer": "2", "domain": "algebra"})
    assert load_problems(path).problem(0).domain == "math"
    assert load_problems(path + "?domain=math").problem(0).domain == "math"
    with pytest.raises(ValueError, match=r"unknown domain 'mats'\. Did you mean 'math'"):
        load_problems(path + "?domain=mats")
    with pytest.raises(ValueError, match="unknown domain 'this:s'"):
        load_problems(path + "?domain=this:s")
