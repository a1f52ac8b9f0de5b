"""The API reference: which modules are public, what they define, and the page of each.

There is a page for `srenv`, for `agents`, and for every package directly in them. It holds the
modules of the package and of the packages inside it. Modules are parsed, never imported.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("srenv", "agents")
INTERNAL = (
    "srenv.sandbox.host",
    "srenv.tools.worker",
    "srenv.verifier.decide",
    "srenv.verifier.reading",
    "srenv.verifier.rules",
    "srenv.verifier.symbolic",
    "srenv.verifier.values",
    "agents.tiny",
)
"""Modules, and packages with what is in them, that are no interface: how answers are read and
compared, what runs inside other processes, and the script that made the bundled model."""


@dataclass(frozen=True)
class Module:
    """One module, as its source says.

    Attributes:
        name: Its name, dots included.
        path: Its file.
    """

    name: str
    path: Path

    @cached_property
    def tree(self) -> ast.Module:
        """Returns the parsed source."""
        return ast.parse(self.path.read_text(encoding="utf-8"))

    @cached_property
    def exported(self) -> list[str]:
        """Returns the names in ``__all__``; empty without one."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                return list(ast.literal_eval(node.value))
        return []

    @cached_property
    def defined(self) -> list[str]:
        """Returns the public names that the module defines: functions, classes, values."""
        names = []
        for node, following in zip(self.tree.body, [*self.tree.body[1:], None], strict=True):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.append(node.name)
            elif isinstance(node, ast.Assign | ast.AnnAssign) and _is_text(following):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                names += [target.id] if isinstance(target, ast.Name) else []
        return [name for name in names if not name.startswith("_")]

    @cached_property
    def imported(self) -> dict[str, str]:
        """Returns where each name comes from that ``from module import name`` brings in."""
        return {
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in self.tree.body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }

    @property
    def page(self) -> str:
        """Returns the name of the module's page."""
        package, *rest = self.name.split(".")
        folder = (ROOT / package / rest[0]).is_dir() if rest else False
        return f"{package}.{rest[0]}" if folder else package


def _is_text(node: ast.stmt | None) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


@cache
def modules() -> dict[str, Module]:
    """Returns the public modules by name."""
    return {module.name: module for module in _modules() if _is_public(module.name)}


def _modules() -> Iterator[Module]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield Module(".".join(parts).removesuffix(".__init__"), path)


def _is_public(name: str) -> bool:
    private = any(part.startswith("_") for part in name.split("."))
    return not private and not any(f"{name}.".startswith(f"{inner}.") for inner in INTERNAL)


def documented(module: Module) -> list[str]:
    """Returns what the reference documents in a module: what it defines, or takes from within."""
    adopted = [
        name
        for name in module.exported
        if not _is_public(module.imported.get(name, module.name).rpartition(".")[0])
    ]
    return [*module.defined, *adopted]


def public_names() -> list[str]:
    """Returns every name that the reference documents, with its module."""
    return [f"{module.name}.{name}" for module in modules().values() for name in documented(module)]


def origin(module: Module, name: str) -> str:
    """Returns the full name of what a package exports, where it is defined."""
    known = modules()
    while name not in module.defined and name in module.imported:
        source, _, name = module.imported[name].rpartition(".")
        if source not in known:
            break
        module = known[source]
    return f"{module.name}.{name}"


def pages() -> dict[str, str]:
    """Returns the text of every page by its name."""
    members: dict[str, list[Module]] = {}
    for module in modules().values():
        members.setdefault(module.page, []).append(module)
    texts = {name: _page(name, inside) for name, inside in members.items()}
    rows = [f"| [{name}]({name}.md) | {_summary(modules()[name])} |" for name in texts]
    index = ["# API reference", "", "| package | what it holds |", "|---|---|", *rows, ""]
    return {"README": "\n".join(index), **texts}


def _page(name: str, inside: list[Module]) -> str:
    parts = [f"# {name}"]
    for module in inside:
        parts.append(f"::: {module.name}")
        members = "".join(f"\n        - {member}" for member in documented(module)) or " []"
        parts[-1] += f"\n    options:\n      members:{members}"
        if module.exported:
            places = {name: origin(module, name) for name in module.exported}
            rows = [f"| [`{name}`][{place}] | `{place}` |" for name, place in places.items()]
            parts.append("\n".join([f"| `{module.name}` exports | it is |", "|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _summary(module: Module) -> str:
    return (ast.get_docstring(module.tree) or "").partition("\n\n")[0].replace("\n", " ")
