"""The graders that `verifier.py` compares, each as (gold, answer) -> accepted.

Run as a script it is one grader's process: it reads JSON lines from standard input and answers each
with one line. Peers are imported inside their functions: only what is asked for is loaded.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

Grader = Callable[[str, str], bool | None]
"""Whether the answer is accepted; None where the grader says that it cannot decide."""


def _boxed(answer: str) -> str:
    """Returns an answer as a response that ends in a box; a response stays as it is."""
    return answer if "\\boxed" in answer or "\n" in answer else rf"\boxed{{{answer}}}"


def srenv() -> Grader:
    """Ours."""
    from srenv.verifier import verify
    from srenv.verifier.symbolic import screen

    screen.compare_symbolically("x+1", "1+x")  # starts a worker
    return lambda gold, answer: verify(gold, answer).correct


def math_verify() -> Grader:
    """math-verify as it is meant to be used: bare LaTeX in a box, limits of its own."""
    from math_verify import parse, verify

    return lambda gold, answer: verify(parse(_boxed(gold)), parse(_boxed(answer)))


def trl() -> Grader:
    """The accuracy reward of TRL, a batch of one."""
    from trl.rewards import accuracy_reward

    def grade(gold: str, answer: str) -> bool | None:
        chat = [{"role": "assistant", "content": _boxed(answer)}]
        reward = accuracy_reward([chat], [gold if "$" in gold else f"${gold}$"])[0]
        return None if reward is None else reward == 1.0

    return grade


def verifiers() -> Grader:
    """The boxed-answer score of verifiers."""
    from verifiers.v1.utils.score import verify_boxed_math_answer

    return lambda gold, answer: bool(verify_boxed_math_answer(_boxed(answer), gold))


def gem() -> Grader:
    """The grader behind the math environments of GEM."""
    from gem.utils.math_grader import boxed_reward_fn

    return lambda gold, answer: boxed_reward_fn(_boxed(answer), gold, fast=False)[1] == 1.0


GRADERS: dict[str, Callable[[], Grader]] = {
    "srenv": srenv,
    "math-verify": math_verify,
    "TRL": trl,
    "verifiers": verifiers,
    "GEM": gem,
}


def cpu_seconds() -> float:
    """Returns the processor time of this process and of all its children, living or not."""
    total = time.process_time() + sum(os.times()[2:4])
    return total + sum(_cpu_of(pid) for pid in _descendants(os.getpid()))


def _descendants(pid: int) -> list[int]:
    children: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += map(int, (task / "children").read_text().split())
    return children + [inner for child in children for inner in _descendants(child)]


def _cpu_of(pid: int) -> float:
    with contextlib.suppress(OSError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def serve(name: str) -> None:
    """Answers ``[[gold, answer], ...]`` by ``{"cpu", "seconds", "accepted"}``, line by line."""
    replies = os.fdopen(os.dup(1), "w")
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)  # peers print
        os.dup2(nowhere.fileno(), 2)
    logging.disable(logging.CRITICAL)
    try:
        grader = GRADERS[name]()
        grader("1+x", "x+1")  # what is loaded at the first use is not measured
    except ImportError as error:
        replies.write(json.dumps({"missing": str(error)}) + "\n")
        return
    replies.write(json.dumps({"ready": name}) + "\n")
    replies.flush()
    for line in sys.stdin:
        accepted, seconds = [], []
        before = cpu_seconds()
        for gold, answer in json.loads(line):
            began = time.perf_counter()
            try:
                verdict: bool | str | None = grader(gold, answer)
            except Exception as error:  # what a peer raises is a result
                verdict = type(error).__name__
            seconds.append(time.perf_counter() - began)
            accepted.append(verdict)
        reply = {"cpu": cpu_seconds() - before, "seconds": seconds, "accepted": accepted}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    serve(sys.argv[1])
