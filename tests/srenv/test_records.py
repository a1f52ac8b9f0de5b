"""Values from files, checked against type hints."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from srenv.records import conforms, make_record, read_json


@dataclass
class Thing:
    name: str
    count: int | None = None
    shares: list[float] = field(default_factory=list)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("a", str), (1, int), (1, float), (1.5, float), (True, bool), (None, str | None),
        ([1, 2], list[int]), ({"a": [1]}, dict[str, list[int]]), ({"a": 1}, Mapping[str, Any]),
        ("x", Literal["x", "y"]), (["anything"], Any),
    ],
)  # fmt: skip
def test_a_value_conforms_to_its_type(value, hint):
    assert conforms(value, hint)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (1, str), (True, int), (False, float), (1.5, int), (1, bool), (None, str),
        ("1", int | None),
        ([1, "2"], list[int]), ({"a": 1}, list[int]), ({"a": "1"}, dict[str, int]), ([], dict),
        ("z", Literal["x", "y"]), (["x"], Literal["x", "y"]),
    ],
)  # fmt: skip
def test_a_value_of_another_type_does_not(value, hint):
    assert not conforms(value, hint)


def test_a_record_is_built_from_its_fields():
    assert make_record(Thing, {"name": "a", "shares": [1, 0.5]}) == Thing("a", None, [1, 0.5])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "a thing is an object, not list"),
        ({"name": None}, "field 'name' of a thing is null"),
        ({"name": "a", "count": "b"}, "field 'count' of a thing is str: 'b'"),
        ({"count": 1}, "missing 1 required"),
        ({"name": "a", "more": 1}, "unexpected keyword argument 'more'"),
    ],
)
def test_a_record_that_does_not_fit_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        make_record(Thing, values)


def test_a_file_holds_what_was_written_there(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"a": 1}')
    assert read_json(path, dict[str, int]) == {"a": 1}
    with pytest.raises(ValueError, match="does not hold what was written there"):
        read_json(path, list[int])
    path.write_text("{")
    with pytest.raises(ValueError, match=r"x\.json: not JSON"):
        read_json(path, dict[str, int])
