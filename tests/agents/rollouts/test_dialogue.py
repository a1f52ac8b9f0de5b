"""Dialogues: conversations as text, with a limit of turns and a window."""

import srenv
from agents.engines import Sampling
from agents.rollouts.dialogue import Dialogue
from agents.rollouts.play import Spoken, play
from agents.rollouts.speakers import ModelSpeaker, propose
from srenv.protocol import PROTOCOLS
from tests.support import ScriptedEngine

PROBLEM = srenv.Problem("p", "2+2?", "4", "test")


def dialogue(chat, **options):
    conversation = srenv.Conversation(PROBLEM, srenv.Rules(PROTOCOLS["rise"], 4))
    return Dialogue(conversation, chat, 0, **options)


def answers(*values):
    return [[f"\\boxed{{{value}}}" for value in values]]


def test_a_dialogue_stops_after_its_turns(chat):
    game = dialogue(chat, turns=2)
    play([game], ModelSpeaker(ScriptedEngine(chat, answers(1, 2, 3)), Sampling()))
    assert [turn.answer for turn in game.episode.turns] == ["1", "2"]
    assert game.ended
    assert not game.conversation.ended


def test_a_dialogue_ends_with_its_conversation(chat):
    game = dialogue(chat, turns=9)
    play([game], ModelSpeaker(ScriptedEngine(chat, answers(1, 2, 3, 4)), Sampling()))
    assert game.episode.ending == "exhausted"


def test_the_model_reads_the_attempts_in_its_window(chat):
    engine = ScriptedEngine(chat, answers(1, 2, 3))
    play([dialogue(chat, turns=3, window=1)], ModelSpeaker(engine, Sampling()))
    last = chat.tokenizer.decode(engine.prompts[-1])
    assert "boxed{2}" in last
    assert "boxed{1}" not in last
    assert "2+2?" in last


def test_tokens_are_counted(chat):
    game = dialogue(chat, turns=1)
    play([game], ModelSpeaker(ScriptedEngine(chat, answers(1)), Sampling()))
    assert game.episode.final.tokens == len(chat.tokenizer("\\boxed{1}")["input_ids"]) + 1


def test_a_speaker_may_say_how_its_turn_is_read(chat):
    game = dialogue(chat)
    parsed = srenv.Protocol().parse("\\boxed{4}\n[VERIFY] wrong", PROBLEM)
    game.hear(Spoken("anything", 3, parsed=parsed, verdict_probability=0.5))
    turn = game.episode.final
    assert (turn.text, turn.answer, turn.correct, turn.verdict) == ("anything", "4", True, "wrong")
    assert (turn.tokens, turn.verdict_probability) == (3, 0.5)


def test_proposed_turns_are_graded_and_not_played(chat):
    game = dialogue(chat)
    engine = ScriptedEngine(chat, [["\\boxed{4}"], ["\\boxed{5}"]])
    ((right, wrong),) = propose(engine, [game.conversation], Sampling(), 2)
    assert (right.correct, wrong.correct) == (True, False)
    assert game.episode.turns == []
