"""The API reference has every public name, and knows which modules are internal."""

import importlib.util
import sys

import pytest

from tests.support.python import ROOT


@pytest.fixture(scope="module")
def reference():
    name = "docs_reference"
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "reference.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_module_is_on_a_page_or_internal(reference):
    pages = reference.pages()
    for package in reference.PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            name = name.removesuffix(".__init__")
            internal = name.startswith(reference.INTERNAL) or name.endswith("__main__")
            assert internal != (name in reference.modules()), name
            if not internal:
                assert f"::: {name}\n" in pages[reference.modules()[name].page]


def test_internal_modules_exist(reference):
    for name in reference.INTERNAL:
        place = ROOT.joinpath(*name.split("."))
        assert place.is_dir() or place.with_suffix(".py").exists(), name


def test_what_packages_export_leads_to_a_name_of_the_reference(reference):
    names = set(reference.public_names())
    exports = [(m, name) for m in reference.modules().values() for name in m.exported]
    assert len(exports) > 60
    for module, name in exports:
        assert reference.origin(module, name) in names, f"{module.name}.{name} has no docstring"
