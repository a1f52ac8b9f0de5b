"""What trainers that score whole episodes are told of one."""

from __future__ import annotations

from srenv.conversation import Conversation


def term_totals(conversation: Conversation) -> dict[str, float]:
    """Returns the weighted reward of every term, summed over the turns."""
    turns = conversation.episode.turns
    return {
        name: sum(turn.rewards[name] for turn in turns)
        for name in conversation.rules.reward.weights
    }


def episode_metrics(conversation: Conversation) -> dict[str, float]:
    """Returns what is averaged over episodes; ``graded`` is 0 if an attempt was undecided."""
    episode = conversation.episode
    turns = episode.turns
    return {
        "correct_first": float(bool(turns) and turns[0].correct is True),
        "correct_final": float(bool(turns) and turns[-1].correct is True),
        "declared": float(episode.ending == "declared"),
        "turns": float(len(turns)),
        "graded": float(episode.graded),
    }
