"""Programs: answers in fenced blocks, graded by hidden tests that run in a sandbox.

`Problem.data` says what a program is tested with. A task for a function holds:

* ``entry_point``: the name of the function;
* ``tests``: code that defines ``check(candidate)``, in HumanEval's form;
* ``in_place`` (optional): true if the function is to change its arguments;
* ``header`` (optional): imports and functions that the prompt gives, which programs may leave out;
* ``signature`` (optional): what a function's body alone completes;
* ``examples`` (optional): calls and their results, ``[["f(3)", "12"]]``, that the prompt shows.

A task with input and output holds ``cases`` and, optionally, ``examples``: pairs of standard input
and expected output.
"""

from __future__ import annotations

import io
import re
import textwrap
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from srenv.domains.base import Domain, Extracted
from srenv.domains.fences import fenced, find_program, is_code
from srenv.episode import Problem
from srenv.sandbox import Cases, FunctionTests, Job, Limits, Tests, default_runner
from srenv.thoughts import hide_thoughts
from srenv.verifier.grade import Grade

SHOWN_EXAMPLES = 5
"""Number of visible examples that are run between attempts."""
SHOWN_CHARS = 200
"""Characters of an output that are shown."""

_FUTURE = re.compile(r"^from[ \t]+__future__[ \t]+import[ \t].*$", re.MULTILINE)
_LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER}


class Code(Domain):
    r"""Tasks whose answer is a Python program.

    Example:
        >>> CODE.extract("So:\n```python\nprint(6)\n```\nIt prints 6.")
        Extracted(answer='print(6)', split=26, source='form')
        >>> CODE.same("x = 1  # one", "x=1")
        True
    """

    name = "code"
    answer_form = "as one Python program in a fenced block, ```python"
    trials = 3

    def extract(self, text: str) -> Extracted:
        """Returns the last complete fenced program or, if all of the text is code, the text."""
        spoken = hide_thoughts(text)
        program = find_program(spoken)
        if program is not None:
            return Extracted(program.code or None, program.end)
        if "```" not in spoken and "~~~" not in spoken and is_code(spoken):
            return Extracted(spoken.strip(), len(text), "stated")
        return Extracted(None, len(text), None)

    def write(self, answer: str) -> str:
        """Returns the program in a fenced block."""
        return fenced(answer)

    def perturb(self, problem: Problem, others: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yields an empty program, one that ends early, one that is no Python, and others' answers.

        A task that accepts the first tests nothing.
        """
        name = problem.data.get("entry_point")
        yield "pass", "pass" if name is None else f"def {name}(*values, **named):\n    pass"
        yield "exit", "import os\n\nos._exit(0)"
        yield "no Python", "def ("
        yield "no answer", ""
        if others:
            yield "another answer", others[0]

    def same(self, first: str, second: str) -> bool:
        """Returns whether two programs are equal except for comments and layout."""
        return first == second or _tokens(first) == _tokens(second)

    def prepare(self) -> None:
        """Starts the sandbox.

        Raises:
            SandboxUnavailable: Programs cannot be run here; the message says why and what to do.
        """
        default_runner()

    def grade_batch(self, problems: Sequence[Problem], answers: Sequence[str]) -> list[Grade]:
        """Runs the programs on the hidden tests, all in one call of the sandbox.

        A sandbox that fails, and a problem without tests, leave a program undecided; one over its
        limits is wrong, with the limit as the reason.

        Raises:
            SandboxUnavailable: Programs cannot be run here.
        """
        grades = [Grade(None, "no_tests")] * len(problems)
        jobs: dict[int, Job] = {}
        for place, (problem, answer) in enumerate(zip(problems, answers, strict=True)):
            tests = tests_of(problem.data, problem.source)
            if tests is not None:
                jobs[place] = Job(complete(problem.data, answer), tests)
        outcomes = default_runner().grade(list(jobs.values())) if jobs else []
        for place, outcome in zip(jobs, outcomes, strict=True):
            grades[place] = Grade(outcome.passed, outcome.reason)
        return grades

    def run_examples(self, problem: Problem, answer: str) -> str:
        """Runs a program on the visible examples and returns a line on each."""
        examples = _pairs(problem.data.get("examples"))[:SHOWN_EXAMPLES]
        return "\n".join(_line(problem.data, answer, *example) for example in examples)

    def reduce(self, solution: str) -> str:
        """Returns the program in a solution: that of its last block, or all of it."""
        program = find_program(solution)
        return solution if program is None else program.code


CODE = Code()


def tests_of(data: Mapping[str, Any], source: str) -> Tests | None:
    """Returns the hidden tests in the data of a problem from a source; None if there are none."""
    name, tests = data.get("entry_point"), data.get("tests")
    if isinstance(name, str) and name.isidentifier() and isinstance(tests, str):
        return FunctionTests(name, tests, data.get("in_place") is True, task_set=source)
    cases = _pairs(data.get("cases"))
    return Cases(tuple(cases)) if cases else None


def complete(data: Mapping[str, Any], program: str) -> str:
    r"""Returns a program with what the prompt gives: its imports, and its signature for a body.

    Example:
        >>> data = {"entry_point": "f", "header": "import math\n", "signature": "def f(x):\n"}
        >>> print(complete(data, "return math.floor(x)"))
        import math
        def f(x):
            return math.floor(x)
    """
    name, header, signature = data.get("entry_point"), data.get("header"), data.get("signature")
    header = header if isinstance(header, str) else ""
    level = textwrap.dedent(program)
    if not isinstance(name, str):
        return level
    if _defines(level, name):
        program = level
    elif isinstance(signature, str):
        program = f"{signature.rstrip()}\n{_indented(program)}"
    if not header:
        return program
    future = _FUTURE.findall(program)  # these come first in a file
    return "\n".join([*future, header.rstrip(), _FUTURE.sub("", program)])


def _defines(program: str, name: str) -> bool:
    """Returns whether a program defines or imports a name at its top level."""
    define = rf"(?:async[ \t]+)?(?:def|class)[ \t]+{name}\b|{name}[ \t]*(?::[^=\n]*)?=(?!=)"
    imports = rf"(?:from[ \t][^\n]*|import[ \t][^\n]*)\b{name}\b"
    return re.search(rf"^(?:{define}|{imports})", program, re.MULTILINE) is not None


def _indented(body: str) -> str:
    """Returns the body of a function, indented, whether or not its first line lost its indent."""
    lines = [line for line in body.split("\n") if line.strip()]
    if not lines or lines[0][0] in " \t":
        return body
    rest = [len(line) - len(line.lstrip(" \t")) for line in lines[1:]]
    least = min(rest, default=0)
    opens = lines[0].rstrip().endswith(":")
    if least and not (opens and rest[0] == least):  # only the first line lost it
        return " " * least + body.lstrip("\n")
    return textwrap.indent(body, "    ")


def _line(data: Mapping[str, Any], answer: str, given: str, expected: str) -> str:
    """Returns what a program makes of one visible example, as a line of text."""
    program = complete(data, answer)
    if "entry_point" in data:
        label = given
        scope = "scope = {'__name__': 'program'}"
        run = f"exec(compile({program!r}, 'program', 'exec'), scope)"
        program = f"{scope}\n{run}\nprint('\\n' + repr(eval({given!r}, scope)))"
        execution = default_runner().execute(program, "", Limits())
        output = execution.output.rstrip().rpartition("\n")[2]
    else:
        label = f"input {_short(given)!r}"
        execution = default_runner().execute(program, given, Limits())
        output = execution.output
    if execution.reason != "passed":
        error = execution.error.strip().rpartition("\n")[2]
        return f"{label}: no result, {_short(error) or execution.reason}"
    right = _plain(output) == _plain(expected)
    verdict = "as expected" if right else f"expected {_short(expected)}"
    return f"{label}: {_short(output)}, {verdict}"


def _plain(output: str) -> str:
    """Returns an output without trailing space, and with one kind of quotes."""
    lines = [line.rstrip() for line in output.replace('"', "'").strip().split("\n")]
    return "\n".join(lines)


def _short(text: str) -> str:
    text = text.strip()
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}..."


def _pairs(rows: Any) -> list[tuple[str, str]]:
    """Returns the pairs of texts in a value from data; none if it holds anything else."""
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        return []
    pairs = [tuple(row) for row in rows if isinstance(row, Sequence) and not isinstance(row, str)]
    texts = [row for row in pairs if len(row) == 2 and all(isinstance(text, str) for text in row)]
    return texts if len(texts) == len(rows) else []


def _tokens(program: str) -> list[tuple[int, str]]:
    """Returns the tokens of a program without comments, blank lines and widths of indents."""
    tokens = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(program).readline):
            if token.type not in _LAYOUT:
                text = "" if token.type in (tokenize.INDENT, tokenize.NEWLINE) else token.string
                tokens.append((token.type, text))
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError):
        return [(0, line.rstrip()) for line in program.split("\n") if line.strip()]
    return tokens
