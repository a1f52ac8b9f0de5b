"""Conversations for people: plain text for logs, colors for a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from srenv.episode import Episode, Turn

WIDTH = 88

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_ENDINGS = {
    "declared": "declared correct",
    "exhausted": "attempts used up",
    "single": "its only attempt",
    "oracle": "stopped by the oracle",
    "unreadable": "no readable verdict",
    "terminated": "ended by a wrapper",
    "truncated": "cut short by a wrapper",
    "failed": "could not be played on",
    "running": "",
}


def printable(text: str) -> str:
    """Makes control characters visible: a model's text must not steer the reader's terminal."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def heading(episode: Episode) -> Group:
    """The problem, as the model reads it."""
    return Group(
        Rule(printable(episode.problem.id), style="bold", align="left"),
        _indented(next(m["content"] for m in episode.messages if m["role"] == "user")),
    )


def turn_block(turns: Sequence[Turn], reply: str | None) -> Group:
    """Returns the newest of `turns`, its rewards, and what the environment says next."""
    turn = turns[-1]
    parts: list[RenderableType] = [
        Rule(f"attempt {len(turns)}", style="cyan", align="left"),
        _indented(turn.text),
        _judged(turn),
    ]
    if reply is not None:
        parts += [Rule("environment", style="dim", align="left"), _indented(reply, "dim")]
    return Group(*parts)


def ending_line(episode: Episode) -> Text:
    """Returns a line with the end of the episode and its reward."""
    right = {True: ("right", "green"), False: ("wrong", "red"), None: ("undecided", "yellow")}
    word, style = right[episode.final.correct]
    line = Text(f"{_ENDINGS[episode.ending]}: ", style="bold")
    line.append(word, style=f"bold {style}")
    return line.append(f", {episode.reward:+.2f} in all", style="bold")


def ansi(episode: Episode) -> str:
    """The whole episode as plain text of 88 columns, without escape codes."""
    console = Console(width=WIDTH, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(heading(episode))
        replies = [m["content"] for m in episode.messages[2:] if m["role"] == "user"]
        for number in range(len(episode.turns)):
            reply = replies[number] if number < len(replies) else None
            console.print(turn_block(episode.turns[: number + 1], reply))
        if episode.turns and episode.ending != "running":
            console.print(ending_line(episode))
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def show_step(episode: Episode) -> None:
    """Prints what is new in an episode, in colors if the terminal has them."""
    console = Console(highlight=False)
    if not episode.turns:
        console.print(heading(episode))
        return
    running = episode.ending == "running"
    console.print(turn_block(episode.turns, episode.messages[-1]["content"] if running else None))
    if not running:
        console.print(ending_line(episode))


def _indented(text: str, style: str = "") -> Padding:
    return Padding(Text(printable(text), style=style), (0, 0, 0, 2))


def _judged(turn: Turn) -> Text:
    marks = {True: ("✓ right", "green"), False: ("✗ wrong", "red"), None: ("? undecided", "yellow")}
    mark, style = marks[turn.correct]
    line = Text("  ").append(mark, style=style)
    if turn.malformed:
        line.append(f"  {turn.malformed.replace('_', ' ')}", style="yellow")
    elif turn.verdict is not None:
        agrees = turn.correct is not None and (turn.verdict == "correct") == turn.correct
        line.append(f"  says {turn.verdict}", style="green" if agrees else "red")
        if turn.confidence is not None:
            line.append(f" ({turn.confidence:g})")
    rewards = {name: value for name, value in turn.rewards.items() if value}
    line.append(f"  {sum(rewards.values()):+.2f}", style="bold")
    if rewards:
        terms = ", ".join(f"{name} {value:+.2f}" for name, value in rewards.items())
        line.append(f"  ({terms})", style="dim")
    return line
