"""Text of models and data files is never executed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from srenv.verifier import verify
from srenv.verifier.symbolic import pool

PAYLOADS = [
    "__import__('os').system('touch {}')",
    "open('{}','w').write('x')",
    "sympify(\"__import__('os').system('touch {}')\")",
    "2*\\pi*(__import__('os').system('touch {}')+1)",
    "f\"{{open('{}','w').write('x')}}\"",
    "[x for x in [open('{}','w')]]",
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_text_is_never_executed(
    payload: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = payload.format(tmp_path / "canary")
    for gold, answer in (("5", rf"\boxed{{{text}}}"), ("2\\pi", text), (text, "x+1")):
        assert verify(gold, answer).correct is not True
        pool.ask_worker(gold, text)  # past the refusals
    assert not list(tmp_path.iterdir())


def test_parse_expr_is_never_reached(data_file) -> None:
    """No text reaches `parse_expr`, the evaluating parser of SymPy, whatever it is.

    The comparison runs here on all kinds of text, with every door to `eval`, `exec` and `compile`
    of strings watched: math-verify's plain-expression path, and `sympify` behind its LaTeX path.
    """
    data = [json.loads(line) for line in data_file("verify_dev.jsonl").read_text().splitlines()]
    texts = [row["gold"] for row in data[::40]] + [row["prediction"][:200] for row in data[::40]]
    texts += [payload.format("canary") for payload in PAYLOADS]
    texts += ["5", "1.5", "2*sqrt(3)", "x**2", "1,000", "007", "1e5", "pi", "Integer(5)", "None"]
    code = r"""
import json, runpy, sys
worker = runpy.run_path(sys.argv[1])
compare = worker["load_comparer"]()
import math_verify.parser, latex2sympy2_extended.latex2sympy2, sympy, sympy.parsing.sympy_parser
replaced = sympy.parsing.sympy_parser.parse_expr
for module in (math_verify.parser, latex2sympy2_extended.latex2sympy2, sympy, sympy.parsing):
    assert module.parse_expr is replaced, module
assert replaced.__name__ == "numeral"
reached = []
math_verify.parser.extract_expr = lambda *a: reached.append(a)
def audit(event, args):
    if event == "compile" and not worker["is_library_code"](*args):
        reached.append(args)
sys.addaudithook(audit)
for text in json.load(sys.stdin):
    compare("x+1", text)
    compare(text, "x+1")
print(len(reached))
"""
    script = str(Path(pool.__file__).with_name("worker.py"))
    done = subprocess.run(
        [sys.executable, "-c", code, script],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "0"), done.stderr[-2000:]


def test_the_package_evaluates_no_text() -> None:
    import ast

    names = {"eval", "exec", "compile", "sympify", "parse_expr", "loads_pickle", "__import__"}
    folder = Path(pool.__file__).parents[1]
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in names, path
            if isinstance(node, ast.Import | ast.ImportFrom):
                modules = [a.name for a in node.names] + [getattr(node, "module", "") or ""]
                assert not {"pickle", "marshal", "shelve"} & set(modules), path
