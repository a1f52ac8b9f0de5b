"""Problems from JSON Lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from srenv.episode import Problem
from srenv.problems import load_problems


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


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"problem": "?", "answer": ', "not JSON.*write one JSON object a line"),
        ("[" * 100_000, "not JSON"),
        ('["?", "2"]', "a JSON list, not an object"),
        ('{"text": "?", "answer": "2"}', "no column 'problem' or 'question' or 'prompt'.*"
         r"found 'text', 'answer'.*'\?problem=COLUMN'"),
        ('{"problem": "?", "gold": "2"}', "no column 'answer' or 'solution'.*found 'problem'"),
        ('{"problem": "?", "answer": "  "}', "column 'answer' is empty; fill it in"),
        ('{"problem": "?", "answer": null}', "column 'answer' is null; write it as text"),
        ('{"problem": "?", "answer": [2]}', "column 'answer' is list"),
        ('{"problem": "?", "answer": true}', "column 'answer' is bool"),
        ('{"problem": "?", "answer": "####"}', "the solution has no '#### ANSWER'"),
        ('{"problem": "?", "answer": "\\\\boxed{2"}', "has no closed"),
        ('{"id": "1", "problem": "?", "answer": "2"}', "id '1' is in line 1 already"),
        ('{"problem": "' + "?" * 10**6 + '", "answer": "2"}', "longer than 1 MB"),
    ],
)  # fmt: skip
def test_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    first = {"id": "1", "problem": "1+1?", "answer": "2"}
    with pytest.raises(ValueError, match=f"(?s)bad.jsonl, line 2: .*{message}"):
        load_problems(write(tmp_path / "bad.jsonl", first, line))


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
    assert load_problems(path).problem(0).domain == "maths"
    assert load_problems(path + "?domain=maths").problem(0).domain == "maths"
    with pytest.raises(ValueError, match=r"unknown domain 'mats'\. Did you mean 'maths'"):
        load_problems(path + "?domain=mats")
    with pytest.raises(ValueError, match="unknown domain 'this:s'"):
        load_problems(path + "?domain=this:s")
