"""A page that says how well a model knows when it is wrong, and fixes it.

The text is Markdown, from which the HTML page is made; the figure is drawn with matplotlib.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import srenv
from srenv.metrics import (
    Metrics,
    Outcomes,
    final_confidence,
    measure,
    reliability,
    risk_coverage,
)
from srenv.metrics.tables import cell

FIGURE = "card.png"
"""Name of the figure, next to the page."""

KINDS = {"token": "probability of the verdict's tokens", "stated": "confidence stated in the text"}
"""The kinds of confidence, and what the page calls them."""

BY_ATTEMPT = {
    "accuracy_by_turn": "right after it, %",
    "verdict_tpr_by_turn": "right attempts accepted, %",
    "verdict_tnr_by_turn": "wrong attempts rejected, %",
}

OPTIONS = (
    "problems", "eval_problems", "split", "n", "eval_n", "samples", "protocol", "max_attempts",
    "temperature", "top_p", "max_new_tokens", "history", "tool", "seed",
)  # fmt: skip
"""The options of a run that the page repeats, if they are known."""

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;margin:1rem 0}"
    "td,th{border-bottom:1px solid #ddd;padding:.3rem .8rem;text-align:left}"
    "img{max-width:100%}code{background:#f4f4f4;padding:.1rem .3rem}"
)


@dataclass(frozen=True)
class Card:
    """What the page is about.

    Attributes:
        model: Name of the model.
        row: Title of the row of a run, or ``""``.
        outcomes: What it did.
        options: How that was measured, as far as it is known.
        metrics: Every metric with its interval.
    """

    model: str
    row: str
    outcomes: Outcomes
    options: Mapping[str, Any]
    metrics: Metrics = field(init=False)

    def __post_init__(self) -> None:
        if not len(self.outcomes.final):
            raise ValueError("none of the episodes could be graded, so there is nothing to say")
        object.__setattr__(self, "metrics", measure(self.outcomes))

    @property
    def kind(self) -> str:
        """The confidence that the page is about: that of the tokens, if the engine gave it."""
        return "token" if np.isfinite(self.outcomes.token).any() else "stated"

    def percent(self, name: str) -> str:
        """Returns a share in percent with its interval."""
        shown = cell(self.metrics.get(name), 100, 1)
        return shown.replace(" [", "% [") if "[" in shown else f"{shown}%"

    def number(self, name: str) -> str:
        """Returns a number with its interval."""
        return cell(self.metrics.get(name), 1, 3)

    def known(self, name: str) -> bool:
        """Returns whether a metric is defined."""
        estimate = self.metrics.get(name)
        return estimate is not None and not math.isnan(estimate.value)


def markdown(card: Card) -> str:
    """Returns the page as Markdown; it shows the figure `FIGURE`."""
    title = escape(f"{card.model}, {card.row}" if card.row else card.model)
    parts = [
        f"# How well {title} corrects itself",
        *summary(card),
        f"![Reliability, and risk against coverage]({FIGURE})",
        _figure_text(card),
        "## Numbers",
        _table(card),
        "## By attempt",
        _attempts(card),
        "## How it was measured",
        _method(card),
    ]
    return "\n\n".join(parts) + "\n"


def summary(card: Card) -> list[str]:
    """Returns the findings, one paragraph each."""
    parts = [
        f"**First attempts.** {card.percent('accuracy_t1')} of the first attempts are right, and "
        f"{card.percent('accuracy_final')} of the final answers."
    ]
    if card.known("fix_rate"):
        parts.append(
            "**Does it fix its mistakes?** Of the problems whose first attempt is wrong, "
            f"{card.percent('fix_rate')} end right."
        )
    if card.known("break_rate"):
        parts.append(
            "**Does it break what was right?** Of the problems whose first attempt is right, "
            f"{card.percent('break_rate')} end wrong."
        )
    if not len(card.outcomes.says):
        return [*parts, "**Does it know when it is wrong?** It gave no verdicts on its attempts."]
    knows = [
        f"it rejects {card.percent('verdict_tnr')} of its wrong attempts"
        if card.known("verdict_tnr")
        else "it had no wrong attempt to reject",
        f"accepts {card.percent('verdict_tpr')} of its right ones"
        if card.known("verdict_tpr")
        else "had no right one to accept",
    ]
    risk = risk_coverage(final_confidence(card.outcomes, card.kind), card.outcomes.final)
    half, every = risk[(len(risk) - 1) // 2], risk[-1]
    return [
        *parts,
        f"**Does it know when it is wrong?** By its verdicts, {knows[0]} and {knows[1]}.",
        f"**Does its confidence mean anything?** By the {KINDS[card.kind]}, the calibration error "
        f"is {card.number(f'ece_{card.kind}')} and the Brier score "
        f"{card.number(f'brier_{card.kind}')} (0 is best for both). Of the half of its answers "
        f"that it is most confident of, {100 * half:.1f}% are wrong; of all answers, "
        f"{100 * every:.1f}%.",
    ]


def html(text: str, title: str, figure: bytes) -> str:
    """Returns a page of Markdown as HTML in one file; HTML in the text is shown, not obeyed.

    Args:
        text: The Markdown.
        title: Title of the window.
        figure: The figure, a PNG.
    """
    from markdown_it import MarkdownIt
    from markdown_it.common.utils import escapeHtml

    data = f"data:image/png;base64,{base64.b64encode(figure).decode()}"
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    body = body.replace(f'src="{FIGURE}"', f'src="{data}"')
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f"<title>{escapeHtml(title)}</title>\n<style>{STYLE}</style>\n{body}</html>\n"
    )


def draw(path: Path, outcomes: Outcomes) -> Path:
    """Draws the reliability of the verdicts and the risk at every coverage, and saves them."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
    left.plot([0, 1], [0, 1], color="gray", linestyle="--", linewidth=1, label="calibrated")
    errors = np.sort(1 - outcomes.final)
    steps = np.arange(1, len(errors) + 1)
    right.plot(
        steps / len(errors), np.cumsum(errors) / steps, color="gray", linestyle="--", linewidth=1,
        label="best possible",
    )  # fmt: skip
    for index, (kind, label) in enumerate(KINDS.items()):
        confidence = getattr(outcomes, kind)
        if not np.isfinite(confidence).any():
            continue
        curve = reliability(confidence, outcomes.truth)
        left.plot(curve.confidence, curve.accuracy, linewidth=1, color=f"C{index}", label=label)
        left.scatter(
            curve.confidence, curve.accuracy, s=20 + 180 * curve.share, color=f"C{index}", alpha=0.6
        )
        risk = risk_coverage(final_confidence(outcomes, kind), outcomes.final)
        right.plot(steps / len(risk), risk, color=f"C{index}", label=label)
    left.set(xlabel="confidence that the attempt is right", ylabel="share that is right")
    left.set(title="Reliability", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    right.set(xlabel="coverage: share answered, most confident first", ylabel="risk: share wrong")
    right.set(title="Risk and coverage", xlim=(0, 1.03), ylim=(-0.03, 1.03))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(loc="upper left", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path


def escape(text: object) -> str:
    """Returns text that Markdown shows as it is, on one line."""
    shown = " ".join(str(text).split())
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#+!|~$&" else c for c in shown)


def _table(card: Card) -> str:
    rows = {
        "First attempt right (Acc@t1)": card.percent("accuracy_t1"),
        "Final answer right": card.percent("accuracy_final"),
        "Wrong to right, of all problems (Δ i→c)": card.percent("delta_ic"),
        "Right to wrong, of all problems (Δ c→i)": card.percent("delta_ci"),
        "Right attempts accepted (TPR)": card.percent("verdict_tpr"),
        "Wrong attempts rejected (TNR)": card.percent("verdict_tnr"),
    }
    for kind, label in KINDS.items():
        if card.known(f"ece_{kind}"):
            rows[f"Calibration error (ECE), {label}"] = card.number(f"ece_{kind}")
            rows[f"Brier score, {label}"] = card.number(f"brier_{kind}")
            risk = risk_coverage(final_confidence(card.outcomes, kind), card.outcomes.final)
            rows[f"Area under the risk-coverage curve, {label}"] = f"{risk.mean():.3f}"
    rows["Malformed turns"] = card.percent("malformed_rate")
    rows["Attempts per problem"] = cell(card.metrics["turns"], 1, 2)
    rows["Problems"] = f"{len(card.outcomes.samples)}"
    rows["Undecided by the verifier, left out"] = f"{card.outcomes.undecided}"
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join(["| | |", "|---|---|", *lines])


def _attempts(card: Card) -> str:
    count = card.outcomes.by_turn.shape[1]
    lines = [f"| attempt | {' | '.join(BY_ATTEMPT.values())} |", "|---" * 4 + "|"]
    for turn in range(1, count + 1):
        cells = [cell(card.metrics.get(f"{name}/{turn}"), 100, 1) for name in BY_ATTEMPT]
        lines.append(f"| {turn} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n\nAn episode that has ended keeps its answer."


def _figure_text(card: Card) -> str:
    text = (
        "Left: how often attempts are right, by the confidence in them; on the dashed line, "
        "confidence is what it says. Right: the share of wrong answers if only the most confident "
        "ones are given; the dashed line is a model that knows all of its mistakes."
    )
    if len(card.outcomes.says):
        return text
    return f"{text} Without verdicts there is no confidence to show."


def _method(card: Card) -> str:
    options = {name: card.options[name] for name in OPTIONS if name in card.options}
    lines = [f"- {name.replace('_', '-')}: {escape(value)}" for name, value in options.items()]
    return "\n".join(
        [
            "Intervals in brackets are 95%. Answers are graded by rules, not by a model. A "
            "verdict is the model's own word on its attempt. Confidence is the probability that "
            "the attempt is right.",
            "",
            *lines,
            f"- srenv: {srenv.__version__}",
        ]
    )
