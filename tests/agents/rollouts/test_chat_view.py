"""Observations as a chat that grows."""

import pytest

from agents.rollouts.chat_view import ChatView

USER = {"role": "user", "content": "2+2?"}
TURN = {"role": "assistant", "content": "5"}
RETRY = {"role": "user", "content": "Again."}


def test_messages_are_the_chat():
    view = ChatView((USER,))
    assert view.update("5", (USER, TURN, RETRY)) == [RETRY]
    assert view.messages == [USER, TURN, RETRY]


def test_a_transcript_is_read_as_messages():
    view = ChatView("User: 2+2?")
    assert view.messages == [USER]
    assert view.update("5", "User: 2+2?\n\nAssistant: 5\n\nUser: Again.") == [RETRY]
    assert view.messages == [USER, TURN, RETRY]


def test_a_label_inside_a_turn_does_not_end_it():
    view = ChatView("User: 2+2?")
    turn = "5\n\nUser: no"
    assert view.update(turn, f"User: 2+2?\n\nAssistant: {turn}\n\nUser: Again.") == [RETRY]


def test_other_text_is_the_next_message():
    view = ChatView("2+2?")
    assert view.update("5", "Again.") == [RETRY]
    assert view.messages == [USER, TURN, RETRY]


def test_an_observation_without_a_reply_adds_nothing():
    assert ChatView((USER,)).update("5", (USER, TURN)) == []
    assert ChatView("User: 2+2?").update("5", "User: 2+2?\n\nAssistant: 5") == []


@pytest.mark.parametrize("observation", [(RETRY, TURN), (USER, USER, RETRY), (USER,)])
def test_changed_and_lost_messages_are_told_from_new_ones(observation):
    view = ChatView((USER,))
    assert view.update("5", observation) is None
    assert view.messages == list(observation)


@pytest.mark.parametrize("observation", [3, [1], [{"role": "user"}]])
def test_observations_of_another_kind_are_refused(observation):
    with pytest.raises(TypeError, match="text or of chat messages"):
        ChatView(observation)
