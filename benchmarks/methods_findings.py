"""Hypotheses about the methods, most of them from the papers, and what `methods.py` measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agents.recipes.base import BASE, MAJORITY, REVISED
from agents.recipes.self_rewarding.recipe import WARM
from srenv.commands.readings import find_reading
from srenv.metrics import Estimate, Outcomes, difference, measure
from srenv.metrics.tables import interval

OWN_IDEA = "–"
"""In place of a paper, for hypotheses that no paper has tested."""

Runs = Mapping[str, Sequence[Path]]
"""Finished runs by method, one folder per seed."""


@dataclass(frozen=True)
class Row:
    """A row of a method's table; its result by default."""

    method: str
    title: str = ""


@dataclass(frozen=True)
class Finding:
    """A hypothesis about one row, or about the difference of two.

    Attributes:
        text: The hypothesis.
        row: The row that it is about.
        metric: The metric, a key of `srenv.metrics.measure`.
        above: The value, in points, that it has to exceed; `below` likewise. By its whole interval
            if `surely`, else by the estimate.
        over: A row whose value is subtracted, paired by problem.
        paper: What a paper reports of it; `OWN_IDEA` if none does.
    """

    text: str
    row: Row
    metric: str
    above: float | None = None
    below: float | None = None
    surely: bool = True
    over: Row | None = None
    paper: str = OWN_IDEA

    def estimate(self, runs: Runs) -> Estimate:
        """What was measured."""
        outcomes = pooled(self.row, runs)
        if self.over is None:
            return measure(outcomes)[self.metric]
        return difference(outcomes, pooled(self.over, runs))[self.metric]

    def holds(self, estimate: Estimate) -> bool:
        """Whether the measured value agrees."""
        low, high = (100 * x for x in (estimate.low, estimate.high))
        if not self.surely:
            low = high = 100 * estimate.value
        return (self.above is None or low > self.above) and (
            self.below is None or high < self.below
        )


SCORE, RISE, OWN, PROCESS = Row("score"), Row("rise"), Row("self_rewarding"), "process"
HACKED, HONEST = Row("final_bonus"), Row("final_bonus_local")

FINDINGS = (
    Finding(
        "being told to revise does not help", Row("prompting", REVISED), "delta", below=1,
        paper="-11.2 (Kumar, table 1), -14.0 (Xiong, table 3)",
    ),
    Finding(
        "Self-Refine hardly helps", Row("prompting"), "delta", below=8,
        paper="-1.0 (Kumar, table 2)",
    ),
    Finding(
        "STaR corrects little", Row("star"), "delta", below=3, surely=False,
        paper="-14.2 (Kumar, table 1)",
    ),
    Finding(
        "STaR+ corrects more than STaR", Row("star_plus"), "delta", above=0, over=Row("star"),
        paper="0.4 over -14.2 (Kumar, table 1)",
    ),
    Finding(
        "SCoRe corrects", SCORE, "delta", above=0,
        paper="4.4 (Kumar, table 2)",
    ),
    Finding(
        "SCoRe gains at least 4", SCORE, "delta", above=4, surely=False,
        paper="4.4 (Kumar, table 2)",
    ),
    Finding(
        "SCoRe corrects more than direct RL", SCORE, "delta", above=0, over=Row("direct_rl"),
        paper="direct RL collapses (Kumar, section 4)",
    ),
    Finding(
        "SCoRe corrects more than STaR", SCORE, "delta", above=0, over=Row("star"),
        paper="4.4 over -14.2 (Kumar)",
    ),
    Finding(
        "SCoRe corrects more than Pair-SFT", SCORE, "delta", above=0, over=Row("pair_sft"),
        paper="4.4 over 1.8 (Kumar)",
    ),
    Finding(
        "SCoRe needs stage I", SCORE, "delta", above=0, over=Row("score_no_stage1"),
        paper="4.4 over 2.2 (Kumar, table 4)",
    ),
    Finding(
        "SCoRe needs the bonus", SCORE, "delta", above=0, over=Row("score_no_bonus"),
        paper="4.4 over 2.6 (Kumar, table 4)",
    ),
    Finding(
        "RISE: a vote over five turns beats the first turn", RISE, "delta", above=0,
        paper="2.7 (Qu, table 2)",
    ),
    Finding("RISE: the same with sampled turns", Row("rise_sampled"), "delta", above=0),
    Finding(
        "RISE: the vote beats the base's vote", RISE, "accuracy_final", above=0,
        over=Row("rise", "base, m1@t5"),
    ),
    Finding(
        "RISE: all turns teach more than right ones", RISE, "accuracy_final", above=0,
        over=Row("rise_success"),
    ),
    Finding(
        "self-rewarding gains at least 8", OWN, "delta", above=8, surely=False,
        paper="4.4 to 5.8 (Xiong, table 3)",
    ),
    Finding(
        "policy gradient corrects more than the warm-up", OWN, "delta", above=0,
        over=Row("self_rewarding", WARM),
        paper="5.8 (DPO) and 4.4 (PPO) over 4.6 (Xiong, table 3)",
    ),
    Finding(
        "policy gradient ends above the warm-up", OWN, "accuracy_final", above=0,
        over=Row("self_rewarding", WARM),
        paper="78.6 (DPO) and 80.2 (PPO) over 77.2 (Xiong, table 3)",
    ),
    Finding(
        "self-rewarding ends 5 above Self-Refine", OWN, "accuracy_final", above=5, surely=False,
        over=Row("prompting"),
    ),
    Finding(
        "self-rewarding beats maj@k of the base at equal tokens", OWN, "accuracy_final", above=0,
        over=Row("self_rewarding", MAJORITY),
    ),
    Finding(
        "self-rewarding breaks right answers on at most 1% of the problems", OWN, "delta_ci",
        below=1, surely=False,
    ),
    Finding(
        "its verdicts have a balanced accuracy of 85%", OWN, "verdict_balanced", above=85,
        surely=False,
    ),
    Finding(
        "its verdicts are better calibrated than after the warm-up (Brier)", OWN, "brier_token",
        below=0, over=Row("self_rewarding", WARM),
    ),
    Finding(
        "its first attempts lose at most 2", OWN, "accuracy_t1", above=-2, surely=False,
        over=Row("self_rewarding", BASE),
    ),
    Finding(
        "self-rewarding beats an external verifier", OWN, "accuracy_final", above=0,
        over=Row("external_verifier"),
        paper="27.9 over 26.2 (Xiong, table 5)",
    ),
    Finding(
        "step-wise DPO improves on M1", Row(PROCESS, "M2"), "accuracy_final", above=0,
        over=Row(PROCESS, "M1"),
    ),
    Finding(
        "a second round gains again", Row(PROCESS, "M3"), "accuracy_final", above=0,
        over=Row(PROCESS, "M2"),
        paper="3.8 in three rounds (Zhang, table 1)",
    ),
    Finding(
        "DPO beats imitating the preferred steps", Row(PROCESS, "M2"), "accuracy_final", above=0,
        over=Row("process_imitation", "M2"),
    ),
    Finding(
        "the final bonus is gamed under episode-wide credit: first attempts get worse", HACKED,
        "accuracy_t1", below=0, over=Row("final_bonus", WARM),
    ),
    Finding(
        "under turn-local credit they do not get worse", HONEST, "accuracy_t1", above=-2,
        surely=False, over=Row("final_bonus_local", WARM),
    ),
)  # fmt: skip
"""The hypotheses: what papers report of the methods and their baselines, and our own."""


def pooled(row: Row, runs: Runs) -> Outcomes:
    """The outcomes of a row over all seeds."""
    suffix = f":{row.title}" if row.title else ""
    return Outcomes.pooled([find_reading(f"{run}{suffix}").outcomes() for run in runs[row.method]])


def claims(runs: Runs) -> list[str]:
    """A table of the findings whose methods have run: what was measured, and whether it holds.

    The intervals are over problems; the column of seeds shows how much training runs differ.
    """
    found = [
        (finding.text, finding.paper, limit(finding), measured, finding.holds(measured[-1]))
        for finding in FINDINGS
        if finding.row.method in runs and (finding.over is None or finding.over.method in runs)
        for measured in [by_seed(finding.estimate, runs)]
    ]
    if PROCESS in runs:
        gains = by_seed(lambda part: judged(part[PROCESS], "m1", "base"), runs)
        reported = "92.8 over 57.2 (Zhang, table 3)"
        text, holds = "teaching improves the judge of steps", gains[-1].low > 0
        found.append((text, reported, "interval > 0", gains, holds))
    published = [holds for _, paper, *_, holds in found if paper != OWN_IDEA]
    lines = [
        f"| {text} | {paper} | {bound} | {interval(pooled, 100)} "
        f"| {', '.join(f'{100 * one.value:.1f}' for one in seeds)} | {'yes' if holds else 'NO'} |"
        for text, paper, bound, (*seeds, pooled), holds in found
    ]
    return [
        f"{sum(holds for *_, holds in found)} of {len(found)} hypotheses hold here, "
        f"{sum(published)} of the {len(published)} that a paper has a result for; differences in "
        "points. Intervals are over problems, not over training runs.",
        "",
        "| hypothesis | in the paper | limit | measured here | per seed | holds |",
        "|---|---|---|---|---|---|",
        *lines,
    ]


def by_seed(estimate: Callable[[Runs], Estimate], runs: Runs) -> list[Estimate]:
    """An estimate of every seed by itself, and last of all of them together."""
    seeds = zip(*runs.values(), strict=True)
    parts = [{name: [run] for name, run in zip(runs, row, strict=True)} for row in seeds]
    return [estimate(part) for part in (*parts, runs)]


def limit(finding: Finding) -> str:
    """What a finding asks for, such as ``interval > 0``."""
    sign, bound = (">", finding.above) if finding.above is not None else ("<", finding.below)
    return f"{'interval ' if finding.surely else ''}{sign} {bound:g}"


def judged(folders: Sequence[Path], after: str, before: str) -> Estimate:
    """How much more of the held-out pairs one model judges rightly than another did."""

    def shares(who: str) -> NDArray[np.float64]:
        files = [folder / f"evaluate_{who}_judge" / "done.json" for folder in folders]
        right = [count for file in files for count in json.loads(file.read_text())["right"]]
        return np.array(right) / 2  # of both orders

    gains = shares(after) - shares(before)
    reach = 1.96 * gains.std(ddof=1) / np.sqrt(len(gains))
    return Estimate(gains.mean(), gains.mean() - reach, gains.mean() + reach)
