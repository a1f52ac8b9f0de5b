"""The layers of `agents`: no import goes up, read from the syntax trees of all files."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = [
    {"models", "runs"},
    {"engines"},
    {"rollouts"},
    {"training"},
    {"recipes"},
    {"evaluate", "doctor", "integrations", "tiny"},
]
"""The packages and modules of `agents`, from the lowest to the highest."""

HEIGHT = {part: height for height, layer in enumerate(LAYERS) for part in layer}
LAZY = re.compile(r"(agents(?:\.\w+)+):\w+")
"""An entry of a table that names an object of `agents`, to be imported when it is asked for."""


def imported_modules(source: str, package: str) -> set[str]:
    """Every module that a file imports or names lazily, at any depth of its functions."""
    modules = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: -node.level + 1 or None] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            modules |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Constant) and (
            name := LAZY.fullmatch(node.value) if isinstance(node.value, str) else None
        ):
            modules.add(name[1])
    return modules


def edges() -> set[tuple[str, str]]:
    """(importing part, imported part), by the first name below `agents`."""
    pairs = set()
    for path in sorted((ROOT / "agents").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[1] == "__init__":
            continue
        for module in imported_modules(path.read_text(), ".".join(parts[:-1])):
            names = module.split(".")
            if names[0] == "agents" and len(names) > 1 and names[1] != parts[1]:
                pairs.add((parts[1], names[1]))
    return pairs


def test_every_part_of_agents_has_a_layer():
    parts = {
        path.stem
        for path in (ROOT / "agents").iterdir()
        if path.suffix == ".py" or list(path.glob("*.py"))
    }
    assert parts - {"__init__"} == set(HEIGHT)


def test_imports_go_down():
    assert {(a, b) for a, b in edges() if HEIGHT[a] <= HEIGHT[b]} == set()


def test_packages_do_not_import_each_other_in_a_circle():
    graph = {part: {b for a, b in edges() if a == part} for part in HEIGHT}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(str(error))


def test_at_most_six_modules_lie_flat_in_agents():
    assert len(list((ROOT / "agents").glob("*.py"))) <= 6


def test_only_the_commands_of_srenv_import_agents():
    importers = {
        path.relative_to(ROOT / "srenv").parts[0]
        for path in (ROOT / "srenv").rglob("*.py")
        for module in imported_modules(path.read_text(), "srenv")
        if module.split(".")[0] == "agents"
    }
    assert importers <= {"commands"}


@pytest.mark.parametrize(
    ("line", "module"),
    [
        ("import agents.evaluate", "agents.evaluate"),
        ("from agents import evaluate", "agents.evaluate"),
        ("from ..evaluate import play", "agents.evaluate"),
        ("def late():\n    from agents.evaluate import play", "agents.evaluate"),
        ('TABLE = {"name": "agents.evaluate:play"}', "agents.evaluate"),
    ],
)
def test_every_way_to_import_is_read(line, module):
    assert module in imported_modules(line, "agents.engines")
