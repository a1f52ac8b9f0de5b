"""``srenv play``: a person takes the model's place."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import gymnasium as gym
import tyro
from rich.console import Console

from srenv.conversation import Conversation
from srenv.domains import find_domain
from srenv.envs.rendering import printable
from srenv.wrappers.common import core

HELP = (
    "Write your solution; an empty line ends it. A line with a bare answer is enough: it is "
    "written in the required form for you. Then say whether you are right: c (correct) or w "
    "(wrong), with a confidence if you like: c 0.8. Ctrl-D leaves."
)

_VERDICT = re.compile(r"(c|w|correct|wrong)(?:\s+\(?(0?\.\d{1,6}|0|1(?:\.0*)?)\)?)?", re.IGNORECASE)


@dataclass
class PlayConfig:
    """Play the environment yourself, as the model would."""

    problems: str = "synthetic:linear"
    """Source of the problems (see `srenv.load_problems`)."""
    split: Literal["train", "eval"] = "train"
    """Split of the source."""
    max_attempts: int = 4
    """Attempts per problem."""
    reward: str = "default"
    """Reward preset, or "term=weight,..."."""
    protocol: str = "default"
    """Turn format by name, or "module:attribute"."""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 3
    """Number of problems."""
    seed: int | None = None
    """Seed of the problems; by default, new ones every time."""


def play(config: PlayConfig, ask: Callable[[str], str] = input) -> None:
    """Plays episodes in the terminal until they are done or the person leaves.

    Args:
        config: What to play.
        ask: Reads one line after a prompt; raises EOFError or KeyboardInterrupt to leave.
    """
    console = Console(highlight=False)
    env = gym.make(
        "srenv:SelfCorrectMath-v0",
        problems=config.problems,
        split=config.split,
        max_attempts=config.max_attempts,
        reward=config.reward,
        protocol=config.protocol,
        render_mode="human",
    )
    console.print(HELP, style="dim")
    total, finished, right = 0.0, 0, 0
    try:
        for number in range(config.n):
            env.reset(seed=config.seed if number == 0 else None)
            ended = False
            while not ended:
                _, reward, terminated, truncated, _ = env.step(_turn(core(env).conversation, ask))
                total += float(reward)
                ended = terminated or truncated
            episode = core(env).episode
            finished += 1
            right += episode.final.correct is True
            console.print(f"gold answer: {printable(episode.problem.answer)}\n")
    except (EOFError, KeyboardInterrupt):
        console.print()
    finally:
        env.close()
    console.print(f"{right} of {finished} right, {total:+.2f} in all", style="bold")


def _turn(conversation: Conversation, ask: Callable[[str], str]) -> str:
    """Asks for one turn and writes it in the form of the problem's domain and of the protocol."""
    problem, protocol = conversation.problem, conversation.rules.protocol
    lines: list[str] = []
    while not lines or lines[-1].strip():
        line = ask("> " if not lines else "… ")
        if not lines and not line.strip():
            continue
        lines.append(line)
    text = "\n".join(lines).strip()
    if protocol.parse(text, problem).answer is None:
        attempt = find_domain(problem.domain).write(lines[-2].strip())
        text = f"{text}\n{attempt}" if len(lines) > 2 else attempt
    if protocol.verdict == "none" or protocol.parse(text, problem).verdict is not None:
        return text
    while True:
        match = _VERDICT.fullmatch(ask("right? c/w [confidence]: ").strip())
        if match:
            word = "correct" if match[1].lower().startswith("c") else "wrong"
            stated = f" ({match[2]})" if match[2] else ""
            return protocol.phrase(f"{text}\n[VERIFY] {word}{stated}")
