"""Demonstrations made by hand, for imitation."""

from srenv.conversation import Conversation, Rules
from srenv.episode import Problem
from srenv.protocol import PROTOCOLS
from srenv.rewards import make_reward


def made_demonstration(turns, targets, kind="test", weight=1.0, index=0):
    """Returns a demonstration of an episode with these turns."""
    from agents.training.sft import Demonstration

    problem = Problem(str(index), f"Solve 2x+{index}={6 + index} for x.", "3", "test")
    conversation = Conversation(
        problem, Rules(PROTOCOLS["default"], len(turns), make_reward("correctness=1"))
    )
    for turn in turns:
        conversation.step(turn)
    return Demonstration(conversation.episode, frozenset(targets), kind, weight)


def learned_text(demonstration, chat):
    """Returns the text under the labels, in order."""
    from agents.models.chat import IGNORE
    from agents.training.sft import tokenize

    (row,) = tokenize(demonstration, chat)
    assert len(row["input_ids"]) == len(row["labels"])
    assert all(
        label in (IGNORE, i) for i, label in zip(row["input_ids"], row["labels"], strict=True)
    )
    return chat.tokenizer.decode([label for label in row["labels"] if label != IGNORE])
