"""A module that data must not import: its name is put wherever data may hold one."""

import sys

import pytest

NAME = "srenv_test_canary"
SOURCE = """
from srenv.problems import register_checker
from srenv.verifier import Grade

def check(problem, answer):
    return Grade(True, "canary")

register_checker("canary", check)
"""


@pytest.fixture
def canary(tmp_path, monkeypatch):
    """Puts the module on the path; returns ``module:attribute``."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / f"{NAME}.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(folder)
    sys.modules.pop(NAME, None)
    monkeypatch.setattr("srenv.problems.grading.CHECKERS", checkers())
    yield f"{NAME}:check"
    sys.modules.pop(NAME, None)


def checkers():
    from srenv.problems.grading import CHECKERS

    return dict(CHECKERS)


def imported() -> bool:
    """Returns whether the module has been imported."""
    return NAME in sys.modules
