"""Domains by name: registered ones, and nothing that data could have imported."""

import sys

import pytest

import srenv
from srenv.domains import DOMAINS, Domain, Extracted, find_domain, register_domain
from srenv.problems import grade


class Echo(Domain):
    """Answers are whole texts."""

    name = "test_echo"
    answer_form = "alone"

    def extract(self, text):
        return Extracted(text.strip() or None, len(text))

    def write(self, answer):
        return answer

    def perturb(self, problem, others):
        yield "longer", problem.answer + "!"


@pytest.fixture
def echo(monkeypatch):
    monkeypatch.setattr("srenv.domains.DOMAINS", dict(DOMAINS))
    return Echo()


def test_a_domain_is_imported_when_it_is_first_named():
    from srenv.domains.math import MATH

    assert find_domain("math") is MATH


def test_a_registered_domain_is_found(echo):
    register_domain(echo)
    assert find_domain("test_echo") is echo


def test_by_default_equal_answers_are_right(echo):
    register_domain(echo)
    problem = srenv.Problem("p", "Say yes.", "yes", "s", domain="test_echo")
    assert (grade(problem, "yes").correct, grade(problem, "no").correct) == (True, False)
    assert echo.reduce("yes #### no") == "yes #### no"


def test_names_of_domains_are_never_imported():
    assert "this" not in sys.modules
    for name in ("this:s", "mats", "srenv.domains.math:MATH"):
        with pytest.raises(ValueError, match=r"unknown domain .* Known: .*math"):
            find_domain(name)
    assert "this" not in sys.modules


def test_a_batch_is_graded_domain_by_domain_in_order(echo):
    register_domain(echo)
    sums = srenv.Problem("m", "1/2+1/2?", "1", "s")
    say = srenv.Problem("e", "Say 1.", "1", "s", domain="test_echo")
    grades = srenv.problems.grade_batch([sums, say, sums, say], ["1.0", "1.0", None, "1"])
    assert [g.correct for g in grades] == [True, False, False, True]
    assert [g.reason for g in grades][1:3] == ["test_echo", "no_answer"]
