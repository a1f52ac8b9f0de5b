"""Problems from a Hugging Face dataset."""

from __future__ import annotations

from pathlib import Path

import pytest

from srenv.episode import Problem
from srenv.problems import load_problems
from srenv.problems.records import SkippedRows


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset like GSM8K in a local folder."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "gsm"
    folder.mkdir()
    for split, first in (("train", 1), ("test", 100)):
        rows = [
            {"question": f"{i}+{i}?", "answer": f"<<{i}+{i}={2 * i}>>\n#### {2 * i}", "n": i}
            for i in range(first, first + 3)
        ]
        datasets.Dataset.from_list(rows).to_parquet(folder / f"{split}.parquet")
    return folder


def test_splits_of_a_dataset(folder: Path) -> None:
    train, evaluation = (load_problems(f"hf:{folder}", split) for split in ("train", "eval"))
    assert [train.problem(i).answer for i in range(3)] == ["2", "4", "6"]
    assert evaluation.find("test/1") == Problem("test/1", "101+101?", "202", f"hf:{folder}")
    both = load_problems(f"hf:{folder}?split=test&problem=n&answer=n&id=n")
    assert both.find("100").answer == "100"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("?answer=final", "row 0: no column 'final'.*found 'question', 'answer', 'n'"),
        ("?split=dev", "has no split dev; found"),
        ("?extract=boxed", r"row 0: the solution has no closed \\boxed"),
        ("?colour=red", "unknown option 'colour'"),
        ("?config=other", "could not load"),
    ],
)
def test_bad_query_is_explained(folder: Path, query: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_problems(f"hf:{folder}{query}")


def test_missing_dataset_is_explained(folder: Path) -> None:
    with pytest.raises(ValueError, match="could not load 'hf:"):
        load_problems(f"hf:{folder}/nothing")


def test_rows_that_cannot_be_read_are_skipped(folder: Path, tmp_path: Path) -> None:
    import datasets

    folder = tmp_path / "messages"
    folder.mkdir()

    rows = [
        {"prompt": [{"role": "user", "content": "1+1?"}], "gold": {"answers": ["2"]}, "key": "a"},
        {"prompt": [{"role": "user", "content": "2+2?"}], "gold": {"answers": []}, "key": "b"},
        {"prompt": [{"role": "user", "content": "3+3?"}], "gold": {"answers": ["6"]}, "key": "a"},
    ]
    datasets.Dataset.from_list(rows).to_parquet(folder / "train.parquet")
    name = f"hf:{folder}?problem=prompt&answer=gold.answers&id=key&split=train"
    with pytest.warns(SkippedRows, match=r"(?s)2 of 3 rows.*row 1.*empty list.*'a' is in row 0"):
        source = load_problems(name)
    assert source.find("a") == Problem("a", "1+1?", "2", name)
    assert source.size == 1
    with pytest.raises(ValueError, match=r"row 1: column 'gold\.answers' is an empty list"):
        load_problems(f"{name}&strict=1")
