"""Programs in fenced blocks, in the forms that models write."""

from __future__ import annotations

import time

import pytest

from srenv.domains.fences import fenced, find_program, is_code

F = "```"
DOCSTRING = f"def f():\n    '''\n    {F}\n    a\n    {F}\n    '''"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"{F}python\nx = 1\n{F}\nIt is 1.", "x = 1"),
        (f"{F}\nx = 1\n{F}", "x = 1"),
        (f"{F}py\nx = 1\n{F}", "x = 1"),
        (f"{F}python3\nx = 1\n{F}", "x = 1"),
        (f"{F} Python \nx = 1\n{F}  ", "x = 1"),
        (f'{F}python title="a.py"\nx = 1\n{F}', "x = 1"),
        (f"{F}{{.python}}\nx = 1\n{F}", "x = 1"),
        ("~~~\nx = 1\n~~~", "x = 1"),
        (f"~~~python\n{F}\n~~~", F),
        (f"a\r\n{F}py\r\nx = 1\r\ny = 2\r\n{F}\r\n", "x = 1\ny = 2"),
        (f"1. So\n   {F}python\n   if x:\n     y\n   {F}\n", "if x:\n  y"),
        (f"{F}python\nx = 1\n{F}\n{F}python\nx = 2\n{F}\n", "x = 2"),
        (f"{F}python\nx = 1\n{F}\n{F}python\nx = 2\n", "x = 1"),
        (f"{F}python\nx = 1\n{F}python\nx = 2\n{F}\n", "x = 2"),
        (f"{F}`python\ns = '''\n{F}\n'''\n{F}`", f"s = '''\n{F}\n'''"),
        (f"{F}python\n{DOCSTRING}\n{F}", DOCSTRING),
        (f"{F}`markdown\n{F}python\nx = 1\n{F}\n{F}`\n", "x = 1"),
        (f"{F}python\nx = 1\n{F}\nIt prints\n{F}\n6\n{F}\n", "x = 1"),
        (f"{F}python\nx = 1\n{F}\n{F}\nx = 6\n{F}\n", "x = 6"),
        (f"{F}python\nx = 1\n{F}\n{F}json\n[6]\n{F}\n", "x = 1"),
        (f"{F}python\nx = 1\n{F}\n{F}pycon\n>>> x\n1\n{F}", "x = 1"),
        (f"{F}python\n    return x\n{F}", "    return x"),
        (f"{F}python\n{F}", ""),
        (f"{F}x = 1{F}", None),
        (f"{F}python\nx = 1", None),
        (f"{F}text\nx = 1\n{F}", None),
        ("x = 1", None),
    ],
)
def test_the_last_complete_python_block_is_the_program(text: str, code: str | None) -> None:
    program = find_program(text)
    assert (program and program.code) == code
    if program is not None:
        assert text[: program.end].rstrip().endswith(("```", "~~~"))


@pytest.mark.parametrize("code", ["x = 1", f"s = '''\n{F}\n'''", f"# {F}{F}", DOCSTRING])
def test_a_fenced_program_is_found_again(code: str) -> None:
    program = find_program(f"So:\n{fenced(code)}\nDone.")
    assert program is not None
    assert program.code == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("def f(x):", True),
        ("\n    return x\n", True),
        ("from a.b import c", True),
        ("xs[0] += 1", True),
        ("print(3)", True),
        ("for example, this is prose", False),
        ("The answer is 5.", False),
        ("if we add them, we get 5.", False),
        ("", False),
    ],
)
def test_code_is_told_from_prose(text: str, code: bool) -> None:
    assert is_code(text) is code


@pytest.mark.parametrize(
    "text",
    [
        "`" * 32_000,
        f"{F}\n" * 8_000,
        f"{F}python\n" * 4_000,
        f"{F}\na\na\n{F}\n" * 3_000,
        f"{F}{' ' * 32_000}x`",
        f"{F}\n{' ' * 32_000}`",
        "a.b[ " * 6_000,
    ],
    ids=["ticks", "fences", "openings", "blocks", "tag", "closing", "words"],
)
def test_hostile_text_is_read_fast(text: str) -> None:
    began = time.process_time()
    find_program(text)
    is_code(text)
    assert time.process_time() - began < 1.0
