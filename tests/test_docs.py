"""What the documentation shows is true."""

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def modules_with_examples():
    """Every module whose source has a doctest; it is imported only when its test runs."""
    for package in ("srenv", "agents"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if ">>>" in path.read_text(encoding="utf-8"):
                name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                yield name.removesuffix(".__init__")


@pytest.mark.parametrize("module", modules_with_examples())
def test_docstring_examples(module):
    result = doctest.testmod(importlib.import_module(module))
    assert result.failed == 0
    assert result.attempted > 0


def test_environment_pages_are_those_of_the_docstrings():
    run = [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"]
    result = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_readme_sessions():
    assert doctest.testfile(str(ROOT / "README.md"), module_relative=False).failed == 0


def test_readme_python_blocks_run():
    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        if ">>>" not in block:
            subprocess.run([sys.executable, "-c", block], check=True, timeout=60)


def test_the_page_on_tools_runs():
    page = (ROOT / "docs" / "tools.md").read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        subprocess.run([sys.executable, "-c", block], check=True, timeout=60)


def test_readme_files_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


@pytest.mark.parametrize(
    "example",
    [
        ("quickstart.py",),
        ("custom_algorithm.py", "--steps=2", "--batch=8"),
        ("evaluate_real_problems.py", "--max-new-tokens=40"),
    ],
    ids=lambda example: example[0],
)
def test_examples_run_as_they_stand(example, tmp_path):
    name, *options = example
    result = subprocess.run(
        [sys.executable, str(ROOT / "examples" / name), *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert result.returncode == 0, result.stderr


def test_readme_options_exist():
    from agents.evaluate import EvaluateConfig
    from agents.recipes.self_rewarding.recipe import SelfRewardingConfig

    def names(config, prefix=""):
        import dataclasses

        for item in dataclasses.fields(config):
            value = getattr(config, item.name)
            name = f"{prefix}{item.name.replace('_', '-')}"
            yield name
            if dataclasses.is_dataclass(value):
                yield from names(value, f"{name}.")

    known = {*names(EvaluateConfig()), *names(SelfRewardingConfig()), "help", "version"}
    known |= {"tensor-parallel-size", "data-parallel-size"}  # vLLM's
    used = set(re.findall(r"(?<![\w-])--([a-z][a-z.-]+)", README))
    assert used - known == set()
