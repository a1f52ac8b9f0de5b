"""What the documentation shows is true."""

import dataclasses
import doctest
import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from srenv.commands.main import COMMANDS
from srenv.registry import config_of, lookup_or_import
from tests.support.sandbox import real_sandbox

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "agents/**/*.md", "benchmarks/**/*.md")
    for path in ROOT.glob(pattern)
)


def blocks(page, language):
    """Returns the code blocks of a page in one language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def name_of(page):
    return str(page.relative_to(ROOT))


def modules_with_examples():
    """Every module whose source has a doctest; it is imported only when its test runs."""
    for package in ("srenv", "agents"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if ">>>" in path.read_text(encoding="utf-8"):
                name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                yield name.removesuffix(".__init__")


RUN_PROGRAMS = ("srenv.envs.env", "srenv.wrappers.tool")
"""Modules whose examples run programs in the sandbox."""


@pytest.mark.parametrize("module", modules_with_examples())
def test_docstring_examples_hold(module):
    if module in RUN_PROGRAMS:
        real_sandbox()
    result = doctest.testmod(importlib.import_module(module))
    assert result.failed == 0
    assert result.attempted > 0


def test_environment_pages_are_those_of_the_docstrings():
    run = [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"]
    result = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_readme_sessions_hold():
    assert doctest.testfile(str(ROOT / "README.md"), module_relative=False).failed == 0


@pytest.mark.parametrize("page", ["README.md", "docs/tools.md"])
def test_python_blocks_run(page):
    for block in blocks(page, "python"):
        if ">>>" not in block:
            subprocess.run([sys.executable, "-c", block], check=True, timeout=60)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_files_that_contributing_names_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    names = re.findall(r"`((?:srenv|agents|tests|docs|benchmarks|\.ci)/[\w./]+)`", text)
    assert len(names) > 10
    for name in (name for name in names if "NAME" not in name):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize(
    "example",
    [
        ("quickstart.py",),
        ("custom_algorithm.py", "--steps=2", "--batch=8"),
        ("any_text_env.py", "--steps=1"),
        ("evaluate_real_problems.py", "--max-new-tokens=40"),
        ("trl_grpo.py", "--steps=1"),
    ],
    ids=lambda example: example[0],
)
def test_examples_run(example, tmp_path):
    name, *options = example
    result = subprocess.run(
        [sys.executable, str(ROOT / "examples" / name), *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert result.returncode == 0, result.stderr


def commands(page):
    """Yields the words after `srenv` of every command that a page shows."""
    for block in blocks(page, "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            for words in re.findall(r"(?:^|&& |-m |=\S+ )srenv (.*?)(?=&&|$)", line):
                yield shlex.split(words, comments=True)


def option_names(config, prefix=""):
    """Yields the long options that a configuration makes, such as ``pg.learning-rate``."""
    for item in dataclasses.fields(config):
        name = f"{prefix}{item.name.rstrip('_').replace('_', '-')}"
        yield name
        default = item.default_factory() if callable(item.default_factory) else item.default
        if dataclasses.is_dataclass(default):
            yield from option_names(default, f"{name}.")


def config_for(words):
    """Returns the configuration of a command, and the words after its name."""
    name, *rest = words
    if name != "train":
        return config_of(name, lookup_or_import("command", COMMANDS[name].function, {})), rest
    from agents.recipes import find_recipe

    return find_recipe(rest[0])[1], rest[1:]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(True for _ in commands(page))], ids=name_of
)
def test_commands_and_their_options_exist(page, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    for words in commands(page):
        config, rest = config_for(words)
        known = {*option_names(config)}
        known |= {"config"} if COMMANDS[words[0]].config_file else set()
        known |= {"preset"} if words[0] == "train" else set()
        known |= {f"no-{name}" for name in known}
        used = {word[2:].partition("=")[0] for word in rest if word.startswith("--")}
        assert used <= known, words


def test_options_in_the_text_of_the_readme_exist():
    from agents.recipes import RECIPES

    programs = [[name] for name in COMMANDS if name != "train"]
    programs += [["train", recipe] for recipe in RECIPES]
    known = {
        "help",
        "config",
        "preset",
        *(name for words in programs for name in option_names(config_for(words)[0])),
    }
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"(?<![\w-])--([a-z][a-z.-]+)", text)) <= known


def test_the_citation_names_the_version_of_the_package():
    import srenv

    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {srenv.__version__}\n" in citation
