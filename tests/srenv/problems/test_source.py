"""Problems taken from finite and endless sources."""

from __future__ import annotations

import pytest

from srenv.episode import Problem
from srenv.problems import ListSource, load_problems


@pytest.mark.parametrize("family", ["factor", "linear"])
def test_taken_problems_are_distinct_seeded_and_nested(family: str) -> None:
    source = load_problems(f"synthetic:{family}", "eval")
    many = source.take(300, seed=1)
    assert len({problem.prompt for problem in many}) == 300
    assert source.take(10, seed=1) == many[:10]
    assert source.take(10, seed=2) != many[:10]


def test_taking_more_than_an_endless_family_has() -> None:
    with pytest.raises(ValueError, match=r"about 1[67]\d\d distinct problems in its eval"):
        load_problems("synthetic:factor", "eval").take(5000)


def test_taking_more_than_a_finite_source_has() -> None:
    problems = [Problem(str(i), f"{i}+1?", str(i + 1), "list") for i in range(3)]
    source = ListSource("list", "train", problems)
    assert sorted(problem.id for problem in source.take(3, seed=7)) == ["0", "1", "2"]
    with pytest.raises(ValueError, match="has 3 problems; 4 were asked for"):
        source.take(4)
    with pytest.raises(IndexError, match="0 to 2"):
        source.problem(3)
    with pytest.raises(KeyError, match="no problem with id '9'"):
        source.find("9")
