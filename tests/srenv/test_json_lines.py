"""The atomic writer of JSON Lines."""

import json

import pytest

from srenv.json_lines import write_jsonl


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
