"""The scores of an episode in Inspect: the columns of its table of samples."""

from __future__ import annotations

import math
from collections.abc import Mapping

from inspect_ai.log import EvalMetric, EvalScore
from inspect_ai.scorer import CORRECT, INCORRECT, NOANSWER, Score
from inspect_ai.viewer import (
    SampleScoreView,
    ScoreColorScale,
    TaskSamplesColumn,
    TaskSamplesView,
    ViewerConfig,
)

from srenv.episode import Episode, Turn
from srenv.metrics import Metrics

CONFIDENT = 0.9
"""A wrong answer with a confidence of at least this is tagged."""

GRADES: Mapping[bool | None, str] = {True: CORRECT, False: INCORRECT, None: NOANSWER}

SCORES = ("first", "final", "change", "verdict", "confidence", "turns")
"""The scores in the order of the columns."""

METRICS: Mapping[str, tuple[str, ...]] = {
    "final": ("accuracy_final", "delta", "delta_ic", "delta_ci", "fix_rate", "break_rate"),
    "first": ("accuracy_t1",),
    "verdict": ("verdict_tpr", "verdict_tnr", "verdict_balanced", "malformed_rate"),
    "confidence": ("brier_token", "ece_token", "brier_stated", "ece_stated"),
    "turns": ("turns", "tokens"),
    "change": ("n", "undecided", "failed"),
}
"""The metrics of `srenv.metrics` by the score that they summarize."""

COLORS = {
    "change": {"I → C": "good", "C → I": "bad", "C → C": "info", "I → I": "warn"},
    "verdict": {
        "accepts C": "good",
        "rejects I": "good",
        "accepts I": "bad",
        "rejects C": "bad",
        "none": "muted",
    },
    "confidence": ScoreColorScale(palette="neutral", min=0.0, max=1.0),
}
"""The colors of the scores that are neither right nor wrong."""


def score_episode(episode: Episode) -> dict[str, Score]:
    """Returns the scores of an episode.

    * ``first``, ``final``: the grade of the first and of the last attempt, C, I or N (undecided);
    * ``change``: the grades of the first and the last attempt;
    * ``verdict``: whether the last verdict accepts or rejects the attempt, and the attempt's grade;
    * ``confidence``: probability that the last attempt is right, by the tokens of the verdict or
      else as stated; not scored without a verdict;
    * ``turns``: how many attempts there are.
    """
    if not episode.turns:
        failed = Score(value=NOANSWER, explanation=episode.failure or "no turn was played")
        return {"final": failed, "first": failed, "turns": Score(value=0)}
    first, final = episode.turns[0], episode.final
    said = "none" if final.verdict is None else final.verdict
    return {  # the table shows the answer of the first entry
        "final": _grade_score(final),
        "first": _grade_score(first),
        "change": Score(
            value=f"{GRADES[first.correct]} → {GRADES[final.correct]}", explanation=change(episode)
        ),
        "verdict": Score(
            value=_short(final), answer=said, explanation=final.malformed or judgment(final)
        ),
        "confidence": _confidence_score(final),
        "turns": Score(value=len(episode.turns), answer=episode.ending),
    }


def change(episode: Episode) -> str:
    """Returns what the attempts after the first did, such as ``"wrong to right"``."""
    first, final = episode.turns[0].correct, episode.final.correct
    if first is None or final is None:
        return "undecided"
    if first == final:
        return "stays right" if final else "stays wrong"
    return "wrong to right" if final else "right to wrong"


def judgment(turn: Turn) -> str:
    """Returns what a turn's verdict says and whether it is true, such as ``"accepts wrong"``."""
    if turn.verdict is None or turn.malformed:
        return "none"
    if turn.correct is None:
        return "undecided"
    verb = "accepts" if turn.verdict == "correct" else "rejects"
    return f"{verb} {'right' if turn.correct else 'wrong'}"


def confidence(turn: Turn) -> float | None:
    """Returns the probability that a turn is right by the model, None without a verdict."""
    return turn.stated_confidence if turn.token_confidence is None else turn.token_confidence


def tags(episode: Episode) -> list[str]:
    """Returns what is to be noticed about an episode, any of its turns included."""
    if not episode.turns:
        return ["failed"]
    found = {change(episode): None}
    for turn in episode.turns:
        found[judgment(turn)] = None
        if turn.correct is False and (confidence(turn) or 0.0) >= CONFIDENT:
            found["confident and wrong"] = None
        if turn.malformed:
            found["malformed"] = None
        if turn.truncated:
            found["cut off"] = None
    if episode.ending == "failed":
        found["failed"] = None
    found.pop("none", None)
    return list(found)


def summarize(metrics: Metrics, scorer: str = "") -> list[EvalScore]:
    """Returns the metrics of a row by the score that they belong to; undefined ones are left out.

    Args:
        metrics: What `srenv.metrics.measure` returned.
        scorer: Name of the scorer; by default that of the score.
    """
    scores = []
    for name, keys in METRICS.items():
        values = {
            key: EvalMetric(
                name=key,
                value=metrics[key].value,
                metadata={"low": metrics[key].low, "high": metrics[key].high},
            )
            for key in keys
            if key in metrics and not math.isnan(metrics[key].value)
        }
        if values:
            scores.append(EvalScore(name=name, scorer=scorer or name, metrics=values))
    return scores


def viewer(trust: bool, scorer: str = "") -> ViewerConfig:
    """Returns how Inspect's viewer shows these scores.

    Args:
        trust: Whether it renders what models wrote as Markdown and math.
        scorer: The scorer that gives all of them; by default each has its own.
    """
    columns = [TaskSamplesColumn(id=name) for name in ("sampleId", "input")]
    columns += [TaskSamplesColumn.score(scorer or name, name) for name in SCORES]
    columns += [TaskSamplesColumn(id=name) for name in ("target", "answer")]
    unseen = ("sampleStatus", "tokens", "duration")
    columns += [TaskSamplesColumn(id=name, visible=False) for name in unseen]
    return ViewerConfig(
        trust_content=trust,
        sample_score_view=SampleScoreView(default="chips"),
        task_samples_view=TaskSamplesView(
            name="Self-correction",
            columns=columns,
            multiline=False,
            score_color_scales=COLORS,
            color_scales_enabled=True,
        ),
    )


def _short(turn: Turn) -> str:
    """Returns what a turn's verdict does with which grade, as short as a column is wide."""
    if turn.verdict is None or turn.malformed:
        return "none"
    return f"{'accepts' if turn.verdict == 'correct' else 'rejects'} {GRADES[turn.correct]}"


def _grade_score(turn: Turn) -> Score:
    return Score(value=GRADES[turn.correct], answer=turn.answer, explanation=turn.reason or None)


def _confidence_score(turn: Turn) -> Score:
    value = confidence(turn)
    return Score.unscored() if value is None else Score(value=round(value, 3))
