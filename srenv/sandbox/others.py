"""Other runners: a remote service, and this machine without isolation for code that is trusted."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from srenv.sandbox.jobs import (
    Execution,
    FunctionTests,
    Job,
    Limits,
    Outcome,
    grade_cases,
    outcome_of,
)

_DONE = "@@srenv passed@@"


class TrustingRunner:
    """Runs programs as this user, with a time limit and nothing else.

    For programs that you trust as you trust your own. One that does not want to be graded can pass
    without solving anything, and can do whatever you can do.

    Args:
        trusted: Must be True; there is no default, so that nobody runs it by accident.

    Raises:
        ValueError: It is not.
    """

    def __init__(self, *, trusted: bool) -> None:
        if not trusted:
            raise ValueError("without a sandbox, programs run with all your rights")

    def grade(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Grades programs one after the other."""
        return [_graded(self, job) for job in jobs]

    def execute(self, program: str, stdin: str, limits: Limits) -> Execution:
        """Runs a program once with some standard input."""
        try:
            finished = subprocess.run(
                [sys.executable, "-I", "-c", program],
                input=stdin,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=limits.seconds,
            )
        except subprocess.TimeoutExpired:
            return Execution("", "", "time")
        except (OSError, ValueError) as error:
            return Execution("", str(error), "sandbox")
        output, errors = finished.stdout, finished.stderr
        if len(output) + len(errors) > limits.output_bytes:
            return Execution(output[: limits.output_bytes], "", "output")
        return Execution(output, errors, "error" if finished.returncode else "passed")

    def close(self) -> None:
        """Does nothing: no process stays."""


class HttpRunner:
    """Runs programs at a service that speaks SandboxFusion's ``POST /run_code``.

    The service isolates programs from its machine, not tests from programs: there, both share a
    process. Use it for input and output, or where programs have no reason to cheat.

    Args:
        url: Address of the service, such as ``http://localhost:8080``.
        workers: Requests at a time.
    """

    def __init__(self, url: str, workers: int = 8) -> None:
        self.url, self.workers = url.rstrip("/"), workers

    def grade(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Grades programs, several at a time."""
        with ThreadPoolExecutor(self.workers) as pool:
            return list(pool.map(lambda job: _graded(self, job), jobs))

    def execute(self, program: str, stdin: str, limits: Limits) -> Execution:
        """Runs a program once with some standard input."""
        body = {
            "code": program,
            "language": "python",
            "stdin": stdin,
            "run_timeout": limits.seconds,
            "memory_limit_MB": limits.memory_mb,
        }
        request = Request(
            f"{self.url}/run_code",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urlopen(request, timeout=limits.seconds + 30) as response:
                reply: Any = json.loads(response.read(4 * limits.output_bytes))
            result = reply["run_result"]
            output, errors = str(result["stdout"] or ""), str(result["stderr"] or "")
        except (URLError, OSError, ValueError, KeyError, TypeError) as error:
            return Execution("", f"{self.url}: {error}", "sandbox")
        if result.get("status") == "TimeLimitExceeded":
            return Execution(output, errors, "time")
        if reply.get("status") == "SandboxError":
            return Execution(output, str(reply.get("message")), "sandbox")
        if len(output) > limits.output_bytes:
            return Execution(output[: limits.output_bytes], "", "output")
        return Execution(output, errors, "error" if result.get("return_code") else "passed")

    def close(self) -> None:
        """Does nothing: there are no processes here."""


def _graded(runner: TrustingRunner | HttpRunner, job: Job) -> Outcome:
    """Grades by running a whole program, with the tests behind it if it is a function."""
    if isinstance(job.tests, FunctionTests):
        execution = runner.execute(_with_tests(job.program, job.tests), "", job.limits)
        if execution.reason == "passed" and not execution.output.endswith(f"{_DONE}\n"):
            return Outcome(False, "error", "the program ended before its tests did")
        return outcome_of(execution)
    return grade_cases(lambda stdin: runner.execute(job.program, stdin, job.limits), job.tests)


def _with_tests(program: str, tests: FunctionTests) -> str:
    return "\n".join(
        [
            program,
            "",
            textwrap.dedent(tests.code),
            f"check({tests.entry_point})",
            f"print({_DONE!r})",
        ]
    )
