"""What the environment costs: ratios against Gymnasium's own vector environment, and absolutes.

    python benchmarks/environment.py                   # about two minutes, writes the table
    python benchmarks/environment.py --peer PYTHON     # also run GEM or verifiers, whichever
                                                       # that interpreter has installed

Times are CPU seconds of this process and its children, the best of several runs, so that a busy
machine disturbs them little. "Turn" is one call of `step` for one environment, with an integer
answer that is parsed, graded and rewarded; resets are part of the loop. Turns are all different.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
from targets import Row, page

import srenv
from srenv.envs.spaces import UnicodeText

RESULTS = Path(__file__).parent / "results" / "environment.md"
PROBLEMS = 2000
RUNS = 15


def main() -> None:
    """Measures and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", action="append", default=[], metavar="PYTHON")
    parser.add_argument("--million", type=int, default=1_000_000, help="steps of the memory test")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = _write_problems(Path(folder))
        rows = [*_ratios(source), *_rates(source, arguments.peer), *_small_things(source)]
        rows += _memory(source, arguments.million)
    text = _table(rows)
    print(text)
    RESULTS.write_text(text, encoding="utf-8")
    print(f"wrote {RESULTS}")


def _write_problems(folder: Path) -> str:
    rng = random.Random(0)
    path = folder / "integers.jsonl"
    rows = [
        {
            "problem": f"A shop has {rng.randint(10, 99)} boxes of {rng.randint(10, 99)} pens. "
            f"It sells {rng.randint(10, 999)}. How many pens are left?",
            "answer": str(rng.randint(1, 9999)),
        }
        for _ in range(PROBLEMS)
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return f"jsonl:{path}"


def _turns(count: int, length: int, seed: int) -> list[str]:
    """Different turns of about `length` characters; one in four declares itself correct."""
    rng = random.Random(seed)
    words = ["so", "we", "get", "then", "the", "sum", "of", "both", "is", "thus", "therefore"]
    turns = []
    for _ in range(count):
        text = f"There are {rng.randint(1, 999)} of them, less {rng.randint(1, 99)}."
        while len(text) < length:
            text += f" {rng.choice(words)} {rng.choice(words)} {rng.randint(1, 99)}"
        verdict = rng.choice(["correct", "wrong", "wrong", "wrong"])
        text += f"\n\\boxed{{{rng.randint(1, 9999)}}}\nI have checked it.\n[VERIFY] {verdict}"
        turns.append(text)
    return turns


def _best(run: Callable[[], None], runs: int = RUNS) -> float:
    """CPU seconds of the fastest of several runs."""
    best = float("inf")
    for _ in range(runs):
        gc.collect()
        began = time.process_time()
        run()
        best = min(best, time.process_time() - began)
    return best


def _per_turn(envs: Any, batches: list[tuple[str, ...]]) -> float:
    """Microseconds of CPU per turn."""

    def run() -> None:
        for batch in batches:
            envs.step(batch)

    envs.reset(seed=0)
    return _best(run) / (len(batches) * envs.num_envs) * 1e6


def _pair(source: str, n: int, length: int) -> tuple[float, float]:
    """Microseconds per turn of SyncVectorEnv and of the native environment."""
    steps = max(12, 6_000 // n)
    turns = _turns(n * steps, length, seed=n)
    batches = [tuple(turns[k * n : (k + 1) * n]) for k in range(steps)]
    sync = gym.make_vec("SelfCorrectMath-v0", n, vectorization_mode="sync", problems=source)
    native = gym.make_vec("SelfCorrectMath-v0", n, problems=source)
    return _per_turn(sync, batches), _per_turn(native, batches)


def _ratios(source: str) -> Iterator[Row]:
    """The native environment against `SyncVectorEnv`, integer answers graded."""
    for n, length in ((1, 60), (8, 60), (64, 60), (64, 3000), (1024, 60)):
        sync, native = _pair(source, n, length)
        yield Row(
            f"{n} envs, {length}-character turns: SyncVectorEnv / native",
            f"{sync:.1f} / {native:.1f} µs a turn = {sync / native:.1f}x",
            ">= 1x",
            sync / native >= 1,
        )


def _graded(source: str) -> float:
    """Graded turns per CPU-second of 1024 environments."""
    return 1e6 / _pair(source, 1024, 60)[1]


def _rates(source: str, peers: list[str]) -> Iterator[Row]:
    """Graded turns per CPU-second, and how many times those of peers, measured right after."""
    rate = _graded(source)
    yield Row("graded turns per CPU-second, 1024 envs", f"{rate:,.0f}", ">= 100,000", rate >= 1e5)
    turns = _turns(1024 * 6, 60, seed=1)
    batches = [tuple(turns[k * 1024 : (k + 1) * 1024]) for k in range(6)]
    endless = gym.make_vec("SelfCorrectMath-v0", 1024, problems="synthetic:linear")
    yield Row(
        "the same on synthetic:linear, problems drawn in the loop",
        f"{1e6 / _per_turn(endless, batches):,.0f}",
    )
    for name, peer in _peers(peers):
        target = 100 if name.startswith("GEM") else 50
        yield Row(
            f"srenv / {name}, graded turns per CPU-second",
            f"{rate:,.0f} / {peer:,.0f} = {rate / peer:,.0f}x",
            f">= {target}x",
            rate / peer >= target,
        )


def _small_things(source: str) -> Iterator[Row]:
    space, text = UnicodeText(32_768), "x" * 10_000
    seconds = _best(lambda: [space.contains(text) for _ in range(100_000)] and None) / 100_000
    yield Row(
        "contains, 10,000 ASCII characters", f"{seconds * 1e6:.2f} µs", "<= 1 µs", seconds <= 1e-6
    )
    foreign = "π" * 10_000
    seconds = _best(lambda: [space.contains(foreign) for _ in range(1000)] and None) / 1000
    yield Row("contains, 10,000 Greek characters", f"{seconds * 1e6:.1f} µs")
    seconds = _best(lambda: [space.sample() for _ in range(10_000)] and None) / 10_000
    yield Row("a sample of the action space", f"{seconds * 1e6:.1f} µs")

    def construct() -> None:
        gym.make_vec("SelfCorrectMath-v0", 1024, problems=source).reset(seed=0)

    yield Row("make_vec and reset(seed) of 1024 environments", f"{_best(construct) * 1e3:.0f} ms")


def _memory(source: str, steps: int) -> Iterator[Row]:
    """Resident memory after a tenth of the steps and after all of them."""
    n = 256
    turns = _turns(n * 40, 60, seed=2)
    batches = [tuple(turns[k * n : (k + 1) * n]) for k in range(40)]
    envs = gym.make_vec("SelfCorrectMath-v0", n, problems=source)
    envs.reset(seed=0)
    early = 0.0
    for k in range(steps // n):
        envs.step(batches[k % len(batches)])
        if k == steps // n // 10:
            early = _resident()
    late = _resident()
    yield Row(
        f"resident memory after {steps // 10:,} and after {steps:,} steps, {n} envs",
        f"{early:.1f} and {late:.1f} MiB",
        "flat: < 1 MiB more",
        late - early < 1,
    )


def _resident() -> float:
    gc.collect()
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# Runs in the peer's own interpreter; prints CPU seconds per graded turn by peer.
_PEER_SCRIPT = r"""
import json, logging, resource, sys, time, warnings
warnings.simplefilter("ignore"); logging.disable(logging.CRITICAL)
rows = json.load(sys.stdin)

def cpu():
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)

def rate(step):
    for row in rows[:20]: step(row)
    began, done = cpu(), 0
    while cpu() - began < 3:
        for row in rows[:100]: step(row)
        done += min(100, len(rows))
    return done / (cpu() - began)

found = {}
try:
    from datasets import Dataset
    from gem.envs.math_env import MathEnv
    data = Dataset.from_list([{"problem": "p", "answer": gold} for gold, _ in rows])
    env = MathEnv(dataset=data, eval=True, use_mp=False)
    env.reset()
    def gem_step(row):
        env.answer = row[0]; env.step(row[1])
    found["GEM MathEnv.step, in process"] = rate(gem_step)
except ImportError: pass
try:
    from verifiers.v1.utils.score import verify_boxed_math_answer
    found["verifiers verify_boxed_math_answer, grading alone"] = rate(
        lambda row: verify_boxed_math_answer(row[1], row[0]))
except ImportError: pass
print(json.dumps(found))
"""


def _peers(pythons: list[str]) -> Iterator[tuple[str, float]]:
    """Graded turns per CPU-second of the peers that the interpreters have installed."""
    golds = [str(random.Random(k).randint(1, 9999)) for k in range(200)]
    rows = list(zip(golds, _turns(200, 60, seed=3), strict=True))
    for python in pythons or [sys.executable]:
        run = subprocess.run(
            [python, "-c", _PEER_SCRIPT],
            input=json.dumps(rows),
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            print(f"{python}: {run.stderr[-500:]}", file=sys.stderr)
            continue
        yield from json.loads(run.stdout.splitlines()[-1]).items()


def _table(rows: list[Row]) -> str:
    how = (
        "Written by `python benchmarks/environment.py`; its docstring says how.\n"
        f"Python {platform.python_version()}, Gymnasium {gym.__version__}, srenv "
        f"{srenv.__version__}, {os.cpu_count()} shared CPU cores."
    )
    return page("What the environment costs", how, rows)


if __name__ == "__main__":
    main()
