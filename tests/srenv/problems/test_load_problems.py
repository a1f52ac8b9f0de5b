"""Source strings: what they load, and what is wrong with those that load nothing."""

from __future__ import annotations

import sys

import pytest

from srenv.episode import Problem
from srenv.problems import ListSource, ProblemSource, SourceSpec, load_problems, register_source
from tests.support.python import run_python


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "syntetic:linear",
            "unknown source 'syntetic'. Did you mean 'synthetic'.*hf, humaneval, jsonl",
        ),
        ("synthetic:linaer", "Did you mean 'linear'.*Known: .*mixed"),
        ("synthetic:linear?a=1", "unknown option 'a'"),
        ("synthetic:linear?a", "options are written"),
        ("synthetic", "not 'scheme:target'"),
        ("synthetic:", "not 'scheme:target'"),
        ("json:nothing", "module 'json' has no 'nothing'"),
    ],
)
def test_malformed_source_string(source: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_problems(source)


def test_unknown_split() -> None:
    with pytest.raises(ValueError, match="'train' or 'eval', not 'test'"):
        load_problems("synthetic:linear", "test")  # type: ignore[arg-type]


def test_a_source_is_loaded_once() -> None:
    assert load_problems("synthetic:linear") is load_problems("synthetic:linear", "train")
    assert load_problems("synthetic:linear", "eval") is not load_problems("synthetic:linear")


@pytest.mark.parametrize("source", ["own:3", f"{__name__}:own_source?n=3"])
def test_own_source_by_registration_or_attribute(source: str) -> None:
    register_source("own", own_source)
    assert load_problems(source).size == 3
    assert load_problems(source).problem(2).answer == "4"


def own_source(spec: SourceSpec) -> ProblemSource:
    count = int(spec.read_options("n").get("n", spec.target if spec.target.isdigit() else "0"))
    problems = [Problem(str(i), f"{i}+{i}?", str(2 * i), spec.text) for i in range(count)]
    return ListSource(spec.text, spec.split, problems)


def test_import_is_light() -> None:
    heavy = "datasets torch sympy math_verify reasoning_gym transformers"
    code = f"import sys, srenv.problems; print([m for m in '{heavy}'.split() if m in sys.modules])"
    assert run_python(code).strip() == "[]"


@pytest.mark.parametrize(
    ("source", "module", "extra"),
    [("hf:x/y", "datasets", "hub"), ("rg:chain_sum", "reasoning_gym", "reasoning-gym")],
)
def test_missing_package_names_the_extra(
    source: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    register_source("own", own_source)  # forgets the sources that were loaded before
    with pytest.raises(ImportError, match=rf'pip install "srenv\[{extra}\]"'):
        load_problems(source)
