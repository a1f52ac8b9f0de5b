"""What the documentation shows is true."""

import dataclasses
import doctest
import importlib.util
import json
import os
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


def pages_with(content):
    """Returns the pages whose text matches a pattern."""
    pattern = re.compile(content, re.MULTILINE)
    return [page for page in PAGES if pattern.search(page.read_text(encoding="utf-8"))]


NEED_THE_SANDBOX = ("SelfCorrectCode-v0.md", "sandbox.md")
"""Pages whose examples run programs in the sandbox."""


@pytest.mark.parametrize("page", pages_with("^>>> "), ids=name_of)
def test_sessions_hold(page):
    if page.name in NEED_THE_SANDBOX:
        real_sandbox()
    sessions = "\n".join(block for block in blocks(page, "python") if block.startswith(">>>"))
    test = doctest.DocTestParser().get_doctest(sessions, {}, page.name, str(page), 0)
    assert test.examples
    assert doctest.DocTestRunner().run(test).failed == 0


RUN = """
import json, sys

for block in json.load(sys.stdin):
    exec(compile(block, block.splitlines()[0], "exec"), {"__name__": "__main__"})
"""
"""Runs blocks one after the other, each in a namespace of its own."""


@pytest.mark.parametrize("page", pages_with("^```python\n(?!>>>)"), ids=name_of)
def test_python_blocks_run(page, tmp_path):
    if page.name in NEED_THE_SANDBOX:
        real_sandbox()
    own = [block for block in blocks(page, "python") if not block.startswith(">>>")]
    result = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps(own),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert result.returncode == 0, result.stderr


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
    """Yields the words after `srenv` of every command that a page shows, in a block or inline."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in blocks(page, "bash") for line in _lines(block)]
    shown = [words for line in lines for words in re.findall(COMMAND, line)]
    shown += re.findall(
        r"`(?:python -m )?srenv ([a-z][^`\n]*)`",
        re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE),
    )
    for words in shown:
        name, *rest = shlex.split(words, comments=True)
        placeholder = name == "train" and (not rest or rest[0].isupper() or ":" in rest[0])
        if not placeholder and not name.startswith("--"):
            yield [name, *rest]


COMMAND = r"(?:^|&& |-m |=\S+ )srenv (.*?)(?=&&|$)"


def _lines(block):
    return block.replace("\\\n", " ").splitlines()


@pytest.mark.parametrize("page", pages_with(r"python3? \S+\.py|python3? -m "), ids=name_of)
def test_scripts_that_pages_run_exist(page):
    text = page.read_text(encoding="utf-8")
    for script in re.findall(r"python3? ((?:\w+/)+\w+\.py)", text):
        assert (ROOT / script).exists(), script
    for module in re.findall(r"python3? -m ((?:srenv|agents)[.\w]*)", text):
        assert importlib.util.find_spec(module), module


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
        known |= {f"no-{name}" for name in known} | {"help"}
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


def test_the_page_on_the_command_line_lists_every_command():
    text = (ROOT / "docs" / "command_line.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `srenv (\w+)", text, re.MULTILINE) == list(COMMANDS)


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_bytes()) <= 8192


def test_the_citation_names_the_version_of_the_package():
    import srenv

    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {srenv.__version__}\n" in citation
