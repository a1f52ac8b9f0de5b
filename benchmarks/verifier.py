r"""The verifier and other graders on the same pairs: how right, how fast, how safe.

    python benchmarks/verifier.py --data ../shared/data

Every grader runs in a process of its own, on the same pairs in the same order, one after another
in each round, so that a busy machine is busy for all. Speed is pairs per second of processor time,
children counted. Peers that are not installed are left out; `--python NAME=PATH` runs one with
another interpreter. The tables go to benchmarks/results/verifier.md and into docs/verifier.md.

    python benchmarks/verifier.py --check

compares the speed of srenv and math-verify on generated pairs and fails below the floor.
"""

from __future__ import annotations

import json
import random
import select
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tyro
from graders import GRADERS

Pair = tuple[str, str]

FLOORS = {"integers": 40.0, "closed forms": 10.0, "mixed": 10.0}
"""How many times as fast as math-verify srenv must be. Measured are several times as much."""

HERE = Path(__file__).parent
MARKS = ("<!-- benchmark -->", "<!-- /benchmark -->")


@dataclass(frozen=True)
class Config:
    """The benchmark's options."""

    data: Path | None = None
    """Folder with the labeled pairs and hostile inputs; without it, speed alone is measured."""
    graders: tuple[str, ...] = tuple(GRADERS)
    """Which graders."""
    python: tuple[str, ...] = ()
    """Interpreters of peers that need an environment of their own, as NAME=PATH."""
    count: int = 400
    """Generated pairs of each kind; srenv gets fifty times as many."""
    rounds: int = 3
    """Rounds over the generated pairs, of which the median counts."""
    stride: int = 1
    """Take every n-th development pair and hostile input."""
    patience: float = 5.0
    """Seconds after which a grader is killed over a hostile input."""
    check: bool = False
    """Only measure the ratio to math-verify, and fail below the floor."""
    output: Path = HERE / "results" / "verifier.md"
    """File of the result."""
    docs: Path = HERE.parent / "docs" / "verifier.md"
    """The page that holds them between two marks."""


# --- pairs -------------------------------------------------------------------------------------


def integers(count: int, seed: int) -> list[Pair]:
    """Pairs of integers, half of them equal."""
    draw = random.Random(f"integers {seed}")
    golds = [draw.randint(-(10**6), 10**6) for _ in range(count)]
    return [(str(g), str(g if n % 2 else g + draw.randint(1, 99))) for n, g in enumerate(golds)]


def closed_forms(count: int, seed: int) -> list[Pair]:
    """Closed-form numbers in LaTeX that never repeat, half of them equal in another form."""
    draw = random.Random(f"closed forms {seed}")
    return [_closed_form(draw, equal=n % 2 == 0) for n in range(count)]


def _closed_form(draw: random.Random, equal: bool) -> Pair:
    a, b, c = (draw.randint(2, 999) for _ in range(3))
    d = a if equal else a + 1
    return draw.choice(
        [
            (
                rf"\frac{{{a}+\sqrt{{{b}}}}}{{{c}}}",
                rf"\frac{{{d}}}{{{c}}}+\frac{{\sqrt{{{b}}}}}{{{c}}}",
            ),
            (rf"\frac{{{a}\pi}}{{{b}}}", rf"\frac{{{d}}}{{{b}}}\pi"),
            (rf"{a}\sqrt{{{b}}}", rf"\sqrt{{{d * d * b}}}"),
            (rf"\frac{{{a}}}{{\sqrt{{{b}}}}}", rf"\frac{{{d}\sqrt{{{b}}}}}{{{b}}}"),
            (rf"\ln {a * b}", rf"\ln {d}+\ln {b}"),
            (rf"{a}-{b}\sqrt{{{c}}}", rf"-{b}\sqrt{{{c}}}+{d}"),
        ]
    )


def mixed(count: int, seed: int) -> list[Pair]:
    """Pairs of many kinds, as sampling from a model produces them."""
    draw = random.Random(f"mixed {seed}")
    pairs = []
    for n in range(count):
        a, b, c = (draw.randint(2, 99) for _ in range(3))
        d = a if n % 2 else a + 1
        kinds = [
            (str(a), f"{d}"),
            (rf"\frac{{{a}}}{{{b}}}", f"{d}/{b}"),
            (f"({a}, {b})", rf"\left({d},{b}\right)"),
            (rf"\{{{a},{b},{c}\}}", rf"\{{{c},{b},{d}\}}"),
            (f"x^2+{a}x+{b}", f"{b}+{d}x+x^2"),
            (f"(x+{a})(x+{b})", f"x^2+{d + b}x+{d * b}"),
            (rf"(-\infty, {a})", f"x < {d}"),
            (f"{a}+{b}i", f"{b}i+{d}"),
        ]
        pairs += [draw.choice(kinds), _closed_form(draw, equal=n % 2 == 0)]
    return pairs[:count]


SETS: dict[str, tuple[str, Callable[[dict[str, Any]], bool]]] = {
    "generated": ("verify_dev.jsonl", lambda row: True),
    "wild": ("verify_wild_dev.jsonl", lambda row: True),
    "real outputs with a box": ("verify_real_dev.jsonl", lambda row: row["boxed"]),
    "real outputs without a box": ("verify_real_dev.jsonl", lambda row: not row["boxed"]),
}
"""Labeled pairs by name: their file, and which of its rows."""

KINDS = {"integers": integers, "closed forms": closed_forms, "mixed": mixed}


def load(path: Path) -> list[dict[str, Any]]:
    """Reads a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def text(value: Any) -> str:
    """Returns a hostile input, which may be given as parts to repeat."""
    return value if isinstance(value, str) else "".join(p * times for p, times in value["parts"])


# --- one grader --------------------------------------------------------------------------------


class Process:
    """A grader in a process of its own, that may be killed."""

    def __init__(self, name: str, interpreter: str) -> None:
        self.name, self.interpreter = name, interpreter
        self.start()

    def start(self) -> None:
        """Starts it and wait until it is ready."""
        self.process = subprocess.Popen(
            [self.interpreter, str(HERE / "graders.py"), self.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        reply = self._read(300)
        self.missing = "missing" in reply if reply else True

    def ask(self, pairs: Sequence[Pair], patience: float = 3600) -> dict[str, Any] | None:
        """Grades pairs; None where it took too long or died, after which it is started again."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(pairs) + "\n")
        self.process.stdin.flush()
        reply = self._read(patience)
        if reply is None:
            self.process.kill()
            self.process.wait()
            self.start()
        return reply

    def _read(self, patience: float) -> dict[str, Any] | None:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], patience)
        line = self.process.stdout.readline() if ready else ""
        return json.loads(line) if line else None

    def end(self) -> None:
        """Ends it."""
        self.process.kill()
        self.process.wait()


@dataclass
class Result:
    """What was measured of one grader."""

    rates: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    sets: dict[str, dict[str, float]] = field(default_factory=dict)
    families: dict[str, dict[str, tuple[float, float, int]]] = field(default_factory=dict)
    hostile: dict[str, float] = field(default_factory=dict)


def measure_speed(process: Process, result: Result, count: int, round_: int) -> None:
    """Adds the pairs per processor second on the generated pairs."""
    factor = 50 if process.name == "srenv" else 1
    for kind, make in KINDS.items():
        pairs = make(count * factor, round_)
        reply = process.ask(pairs)
        if reply is not None:
            result.rates[kind].append(len(pairs) / max(reply["cpu"], 1e-9))


def measure_pairs(process: Process, result: Result, name: str, rows: list[dict[str, Any]]) -> None:
    """Grades labeled pairs, family by family, and adds the shares and times of the set."""
    by_family = defaultdict(list)
    for row in rows:
        by_family[row.get("family", name)].append(row)
    grades: list[tuple[bool, Any]] = []
    seconds: list[float] = []
    cpu = 0.0
    result.families[name] = {}
    for family, members in by_family.items():
        reply = process.ask([(row["gold"], row["prediction"]) for row in members])
        if reply is None:
            raise RuntimeError(f"{process.name} died on the pairs of {name}")
        labeled = list(
            zip((row["expected_equal"] for row in members), reply["accepted"], strict=True)
        )
        grades += labeled
        seconds += reply["seconds"]
        cpu += reply["cpu"]
        right = sum((grade is True) == equal for equal, grade in labeled) / len(members)
        result.families[name][family] = (reply["cpu"] / len(members), right, len(members))
    seconds.sort()
    equal_grades = [grade for equal, grade in grades if equal]
    unequal_grades = [grade for equal, grade in grades if not equal]
    result.sets[name] = {
        "pairs": len(grades),
        "right": sum((grade is True) == equal for equal, grade in grades) / len(grades),
        "false accepts": _share(unequal_grades, lambda grade: grade is True),
        "refused": _share(equal_grades, lambda grade: grade is not True),
        "refused as undecided": _share(equal_grades, lambda grade: grade is None),
        "wrong left undecided": _share(unequal_grades, lambda grade: grade is None),
        "rate": len(grades) / cpu,
        "p50": statistics.median(seconds),
        "p99": seconds[int(0.99 * (len(seconds) - 1))],
        "max": seconds[-1],
    }


def _share(grades: Sequence[Any], predicate: Callable[[Any], bool]) -> float:
    return sum(map(predicate, grades)) / len(grades)


def measure_hostile(
    process: Process, result: Result, rows: list[dict[str, Any]], patience: float
) -> None:
    """Grades the hostile inputs one by one."""
    count: dict[str, float] = dict.fromkeys(("safe", "killed", "wrong", "raised", "slow"), 0.0)
    longest = 0.0
    for row in rows:
        began = time.perf_counter()
        reply = process.ask([(text(row["gold"]), text(row["prediction"]))], patience)
        if reply is None:
            count["killed"] += 1
            longest = max(longest, min(time.perf_counter() - began, patience))
            continue
        verdict, seconds = reply["accepted"][0], reply["seconds"][0]
        longest = max(longest, seconds)
        wrong = (row["safe_expectation"] == "reject" and verdict is True) or (
            row["safe_expectation"] == "accept" and verdict is not True
        )
        count["wrong"] += wrong
        count["raised"] += isinstance(verdict, str)
        count["slow"] += seconds > 0.5
        count["safe"] += not wrong and not isinstance(verdict, str) and seconds <= 0.5
    result.hostile = {**count, "inputs": len(rows), "longest": longest}


# --- tables ------------------------------------------------------------------------------------


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a Markdown table with numbers to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def report(results: dict[str, Result], config: Config) -> str:
    """Returns the tables."""
    parts = []
    for name in SETS:
        measured = {grader: r.sets[name] for grader, r in results.items() if name in r.sets}
        if measured:
            parts += [_title(name, measured), _pairs_table(measured)]
    rows = [
        [name, *(f"{statistics.median(result.rates[kind]):,.0f}" for kind in KINDS)]
        for name, result in results.items()
    ]
    parts += [
        "Generated pairs per CPU-second, children counted:",
        table(["grader", *KINDS], rows),
    ]
    if any(result.hostile for result in results.values()):
        rows = []
        for name, result in results.items():
            hostile = result.hostile
            counts = [f"{hostile[key]:.0f}" for key in _HOSTILE]
            rows.append([name, f"{hostile['inputs']:.0f}", *counts, f"{hostile['longest']:.2f}"])
        killed = f"killed after {config.patience:g} s"
        head = ["grader", "hostile inputs", "safe within 0.5 s", "wrong verdict", "exception"]
        parts.append(table([*head, "over 0.5 s", killed, "longest s"], rows))
    parts += _family_lines(results)
    return "\n\n".join(parts) + "\n"


_SHARES = ("right", "false accepts", "refused", "refused as undecided", "wrong left undecided")
_HOSTILE = ("safe", "wrong", "raised", "slow", "killed")


def _title(name: str, measured: dict[str, dict[str, float]]) -> str:
    pairs = next(iter(measured.values()))["pairs"]
    return f"{name[0].upper()}{name[1:]}, {pairs:,} pairs:"


def _pairs_table(measured: dict[str, dict[str, float]]) -> str:
    rows = []
    for grader, numbers in measured.items():
        shares = [f"{100 * numbers[key]:.2f}" for key in _SHARES]
        times = [f"{1000 * numbers[key]:.2f}" for key in ("p50", "p99", "max")]
        rows.append([grader, *shares, f"{numbers['rate']:,.0f}", *times])
    head = ["grader", *(f"{key} %" for key in _SHARES), "pairs / CPU-s", "p50 ms", "p99 ms"]
    return table([*head, "max ms"], rows)


def _family_lines(results: dict[str, Result]) -> list[str]:
    """Compares srenv with math-verify over the families of pairs."""
    ours = results["srenv"].families if "srenv" in results else {}
    peer = results["math-verify"].families if "math-verify" in results else {}
    lines = []
    if "generated" in ours and "generated" in peer:
        theirs = peer["generated"]
        ratios = {f: v[0] / theirs[f][0] for f, v in ours["generated"].items() if theirs[f][0]}
        worst = max(ratios, key=lambda family: ratios[family])
        lines.append(
            f"Over the {len(ratios)} families of the generated pairs, srenv takes between "
            f"{min(ratios.values()):.4f} and {ratios[worst]:.2f} times the time of math-verify "
            f"(most on `{worst}`)."
        )
    if "wild" in ours and "wild" in peer:
        large = {family: v for family, v in ours["wild"].items() if v[2] >= 5}
        better = sum(v[1] > peer["wild"][family][1] for family, v in large.items())
        behind = [family for family, v in large.items() if v[1] < peer["wild"][family][1]]
        lines.append(
            f"Of the {len(large)} families of wild pairs with five pairs or more, srenv is right "
            f"more often than math-verify in {better}, as often in "
            f"{len(large) - better - len(behind)}, less often in {len(behind)}."
        )
    return lines


def insert(page: Path, tables: str) -> None:
    """Puts the tables between the marks of a page."""
    before, mark, rest = page.read_text(encoding="utf-8").partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not (mark and end):
        raise ValueError(f"{page} has no {MARKS[0]} ... {MARKS[1]}")
    page.write_text(f"{before}{mark}\n{tables}{end}{after}", encoding="utf-8")


# --- running -----------------------------------------------------------------------------------


def ratios(count: int, rounds: int) -> dict[str, float]:
    """Returns how many times as fast as math-verify srenv is, by kind: the median of the rounds.

    Each round is a ratio of processor times of both on the same kind, one after the other.
    """
    found: dict[str, list[float]] = defaultdict(list)
    processes = {name: Process(name, sys.executable) for name in ("srenv", "math-verify")}
    try:
        for round_ in range(rounds):
            results = {name: Result() for name in processes}
            for name, process in processes.items():
                measure_speed(process, results[name], count, round_)
            for kind in KINDS:
                rates = [results[name].rates[kind][0] for name in processes]
                found[kind].append(rates[0] / rates[1])
    finally:
        for process in processes.values():
            process.end()
    return {kind: statistics.median(values) for kind, values in found.items()}


def check(config: Config) -> None:
    """Exits with status 1 below the floor."""
    measured = ratios(min(config.count, 120), config.rounds)
    for kind, ratio in measured.items():
        print(f"{kind}: {ratio:.0f} times as fast as math-verify (floor {FLOORS[kind]:.0f})")
    if any(ratio < FLOORS[kind] for kind, ratio in measured.items()):
        sys.exit("the verifier is too slow")


def main(config: Config) -> None:
    """Runs the benchmark."""
    if config.check:
        check(config)
        return
    interpreters = dict(item.split("=", 1) for item in config.python)
    results: dict[str, Result] = {}
    processes = {}
    for name in config.graders:
        process = Process(name, interpreters.get(name, sys.executable))
        if process.missing:
            print(f"{name}: not installed, left out")
            continue
        processes[name], results[name] = process, Result()
    for round_ in range(config.rounds):
        for name, process in processes.items():
            print(f"round {round_ + 1} of {config.rounds}: {name}", flush=True)
            measure_speed(process, results[name], config.count, round_)
    if config.data is not None:
        sets = {
            name: [row for row in load(config.data / file) if belongs(row)][:: config.stride]
            for name, (file, belongs) in SETS.items()
            if (config.data / file).exists()
        }
        hostile = load(config.data / "hostile_dev.jsonl")[:: config.stride]
        for name, process in processes.items():
            for pairs, rows in sets.items():
                print(f"{pairs}: {name}", flush=True)
                measure_pairs(process, results[name], pairs, rows)
            print(f"hostile inputs: {name}", flush=True)
            measure_hostile(process, results[name], hostile, config.patience)
    for process in processes.values():
        process.end()
    tables = report(results, config)
    print(tables)
    config.output.parent.mkdir(parents=True, exist_ok=True)
    config.output.write_text("# The verifier and other graders\n\n" + tables, encoding="utf-8")
    if config.docs.exists():
        insert(config.docs, tables)


if __name__ == "__main__":
    main(tyro.cli(Config))
