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


# --- passes ---------------------------------------------------------------------------------------


def finite(size: int) -> ListSource:
    problems = [Problem(str(i), f"{i}+1?", str(i + 1), "list") for i in range(size)]
    return ListSource("list", "train", problems)


def test_a_finite_source_is_passed_over_as_often_as_needed() -> None:
    source = finite(5)
    ids = [problem.id for problem in source.take_passes(13, seed=3)]
    passes = [ids[:5], ids[5:10], ids[10:]]
    assert [len(set(part)) for part in passes] == [5, 5, 3]
    assert passes[0] != passes[1]
    assert ids[:5] == [problem.id for problem in source.take(5, seed=3)]
    assert ids[:8] == [problem.id for problem in source.take_passes(8, seed=3)]


def test_passes_are_seeded() -> None:
    source = finite(20)
    assert source.take_passes(50, seed=1) == source.take_passes(50, seed=1)
    assert source.take_passes(50, seed=1)[20:] != source.take_passes(50, seed=2)[20:]


def test_a_single_pass_is_what_take_returns() -> None:
    source = load_problems("synthetic:linear", "train")
    assert source.take_passes(30, seed=4) == source.take(30, seed=4)


def test_an_endless_source_with_few_problems_is_passed_over_too() -> None:
    problems = load_problems("synthetic:factor", "eval").take_passes(4000)
    distinct = len({problem.prompt for problem in problems})
    assert 1600 < distinct < 1800
    assert len({problem.prompt for problem in problems[:distinct]}) == distinct
