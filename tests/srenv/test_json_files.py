"""The atomic writers of JSON and JSON Lines."""

import dataclasses
import json
from pathlib import Path

import pytest

from srenv.json_files import to_json, write_json, write_jsonl


def test_each_record_is_a_line_in_a_new_folder(tmp_path):
    path = write_jsonl(tmp_path / "new" / "file.jsonl", [{"text": "½\n"}, {"text": "é"}])
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["½\n", "é"]
    assert "é" in lines[1]


def test_a_file_is_kept_as_it_was_if_a_record_fails(tmp_path):
    path = write_jsonl(tmp_path / "file.jsonl", [{"a": 1}])

    def records():
        yield {"a": 2}
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        write_jsonl(path, records())
    assert path.read_text() == '{"a": 1}\n'


def test_a_json_file_is_replaced_complete(tmp_path):
    path = write_json(tmp_path / "new" / "file.json", {"a": 1})
    assert write_json(path, {"b": "½"}) == path
    assert json.loads(path.read_text(encoding="utf-8")) == {"b": "½"}
    assert list(path.parent.iterdir()) == [path]


@dataclasses.dataclass
class Config:
    steps: int
    output: Path


def test_a_config_becomes_plain_values():
    assert to_json(Config(3, Path("runs/a"))) == {"steps": 3, "output": "runs/a"}
