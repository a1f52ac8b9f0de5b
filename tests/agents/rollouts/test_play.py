"""The loop that plays games: order, failures, interruptions, and resumption from a log."""

from dataclasses import dataclass, field

import pytest

import srenv
from agents.rollouts.play import play, play_episodes
from agents.rollouts.speakers import Rounds
from srenv.episode import Episode


@dataclass
class Counting:
    """A game that ends when it has heard its key, and fails on the word "fail"."""

    key: int
    heard: list[str] = field(default_factory=list)

    @property
    def ended(self):
        return len(self.heard) >= self.key

    @property
    def episode(self):
        problem = srenv.Problem(str(self.key), "?", "1", "test")
        return Episode(problem, [{"role": "user", "content": "?"}], [], "single")

    def hear(self, spoken):
        if spoken == "fail":
            raise OSError("gone")
        self.heard.append(spoken)


class Scripted(Rounds):
    """Says the same word to all, notes its rounds, and fails for the keys that it is told."""

    def __init__(self, word="word", failing=()):
        super().__init__(self.say)
        self.word, self.failing, self.rounds, self.closed = word, failing, [], 0

    def say(self, games):
        self.rounds.append([game.key for game in games])
        return [ValueError("no") if game.key in self.failing else self.word for game in games]

    def close(self):
        self.closed += 1
        super().close()


def test_rounds_hold_all_live_games_in_the_order_of_their_keys():
    speaker = Scripted()
    games = [Counting(key) for key in (3, 1, 2)]
    assert play(games, speaker) == {}
    assert speaker.rounds == [[1, 2, 3], [2, 3], [3]]
    assert [len(game.heard) for game in games] == [3, 1, 2]
    assert speaker.closed == 1


def test_games_that_have_ended_are_not_played():
    speaker = Scripted()
    assert play([Counting(0)], speaker) == {}
    assert speaker.rounds == []


def test_a_game_whose_turn_cannot_be_said_fails_alone():
    games = [Counting(1), Counting(2)]
    finished = []
    failures = play(
        games, Scripted(failing=[1]), lambda game, error: finished.append((game.key, bool(error)))
    )
    assert {key: str(error) for key, error in failures.items()} == {1: "no"}
    assert finished == [(1, True), (2, False)]
    assert games[1].ended


def test_a_game_that_raises_fails_alone():
    class Fragile(Counting):
        def hear(self, spoken):
            super().hear("fail" if self.key == 2 else spoken)

    failures = play([Fragile(1), Fragile(2)], Scripted())
    assert {key: str(error) for key, error in failures.items()} == {2: "gone"}


def test_an_interruption_closes_the_speaker():
    def interrupt(game, error):
        raise KeyboardInterrupt

    speaker = Scripted()
    with pytest.raises(KeyboardInterrupt):
        play([Counting(1), Counting(2)], speaker, interrupt)
    assert speaker.closed == 1


def test_episodes_are_returned_in_the_order_of_the_games():
    episodes = play_episodes([Counting(3), Counting(1)], Scripted(), "")
    assert [episode.problem.id for episode in episodes] == ["3", "1"]


def test_failures_are_raised_when_the_others_are_done(tmp_path):
    log = tmp_path / "log.jsonl"
    games = [Counting(1), Counting(2)]
    with pytest.raises(RuntimeError, match=r"1 of 2 episodes failed.*ValueError: no.*--resume"):
        play_episodes(games, Scripted(failing=[1]), "", log=log)
    assert games[1].ended
    assert log.read_text().count("\n") == 1


def test_episodes_in_the_log_are_not_played_again(tmp_path):
    log = tmp_path / "log.jsonl"
    with pytest.raises(RuntimeError):
        play_episodes([Counting(1), Counting(2)], Scripted(failing=[1]), "", log=log)
    speaker = Scripted()
    episodes = play_episodes([Counting(1), Counting(2)], speaker, "", log=log)
    assert speaker.rounds == [[1]]
    assert [episode.problem.id for episode in episodes] == ["1", "2"]


def test_samples_of_a_resumed_run_differ_from_those_before(tmp_path):
    import torch

    def first_draw(log):
        draws = []

        class Drawing(Scripted):
            def say(self, games):
                draws.append(torch.rand(1).item())
                return super().say(games)

        play_episodes([Counting(1), Counting(2)], Drawing(), "", seed=3, log=log)
        return draws[0]

    log = tmp_path / "log.jsonl"
    with pytest.raises(RuntimeError):
        play_episodes([Counting(1), Counting(2)], Scripted(failing=[2]), "", seed=3, log=log)
    fresh = first_draw(tmp_path / "other.jsonl")
    assert fresh == first_draw(None)
    assert fresh != first_draw(log)
