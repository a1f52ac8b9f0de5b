"""Episodes as logs that Inspect reads."""

import json

import pytest

pytest.importorskip("inspect_ai", reason="needs srenv[inspect]")

from inspect_ai.log import read_eval_log, read_eval_log_sample_summaries, write_eval_log

from srenv.conversation import Conversation, Rules
from srenv.episode import Episode, Problem
from srenv.inspect.logs import write_log
from srenv.metrics import Reading
from srenv.protocol import CONFIDENCE, PROTOCOLS
from tests.support.episodes import made_turn


def played(name, *turns, answer="4", protocol=CONFIDENCE):
    problem = Problem(name, "2+2?", answer, "synthetic:linear")
    conversation = Conversation(problem, Rules(protocol, max_attempts=4))
    for text in turns:
        conversation.step(text)
    return conversation.episode


CORRECTED = played(
    "a/1",
    "<think>\nIs it 5?\n</think>\n\n\\boxed{5}\n[VERIFY] wrong (0.9)",
    "\\boxed{4}\n[VERIFY] correct (0.8)",
)


@pytest.fixture
def write(tmp_path):
    """Returns a function that writes episodes as a log and reads it with Inspect."""

    def write(*episodes, reading="final", **config):
        path = tmp_path / "episodes.jsonl"
        path.write_text("".join(json.dumps(e.to_json()) + "\n" for e in episodes))
        log = write_log(tmp_path / "logs", "after: all", Reading(path, reading), config)
        return read_eval_log(log)

    return write


def test_a_log_holds_the_conversation_and_its_thoughts_apart(write):
    (sample,) = write(CORRECTED).samples
    assert [message.role for message in sample.messages] == ["user", "assistant"] * 2
    reasoning, text = sample.messages[1].content
    assert reasoning.reasoning == "Is it 5?"
    assert text.text == "\\boxed{5}\n[VERIFY] wrong (0.9)"
    assert sample.messages[3].text == CORRECTED.turns[1].text


def test_a_sample_has_a_record_of_every_turn(write):
    (sample,) = write(CORRECTED).samples
    assert sample.metadata["tags"] == ["wrong to right", "rejects wrong", "accepts right"]
    first, second = sample.metadata["turn 1"], sample.metadata["turn 2"]
    assert first["verdict against truth"] == "rejects wrong"
    assert first["confidence in being right"] == pytest.approx(0.1)
    assert (first["answer"], first["correct"]) == ("5", False)
    assert second["rewards"] == CORRECTED.turns[1].rewards
    assert "text" not in first


def test_a_log_says_what_was_run_and_its_metrics(write):
    log = write(CORRECTED, model="/home/me/tiny", protocol="default", output="/home/me/runs")
    assert (log.eval.task, log.eval.model) == ("after: all", "tiny")
    assert log.eval.task_args["protocol"] == "default"
    assert "/home/me" not in log.eval.model_dump_json()
    scores = {score.name: score.metrics for score in log.results.scores}
    assert scores["first"]["accuracy_t1"].value == 0.0
    assert scores["final"]["accuracy_final"].value == 1.0


def test_samples_of_one_problem_are_epochs(write):
    log = write(CORRECTED, played("b", "\\boxed{4}"), CORRECTED, reading="samples")
    assert {(s.id, s.epoch) for s in log.samples} == {("a/1", 1), ("a/1", 2), ("b", 1)}
    assert (log.eval.config.epochs, log.eval.dataset.samples) == (2, 2)


def test_the_file_is_what_inspect_writes_itself(write, tmp_path):
    log = write(CORRECTED, played("b", "\\boxed{5}"), played("c", "no answer"))
    again = tmp_path / "again.eval"
    write_eval_log(log, again)
    ours, theirs = log.location, str(again)
    # As JSON, where NaN equals NaN.
    assert read_eval_log(ours).model_dump_json() == read_eval_log(theirs).model_dump_json()
    ours, theirs = (
        {summary.id: summary.model_dump_json() for summary in read_eval_log_sample_summaries(path)}
        for path in (ours, theirs)
    )
    assert ours == theirs


def test_a_failed_episode_is_an_error(write):
    problem = Problem("p", "2+2?", "4", "test")
    failed = Episode(problem, [], [made_turn(True, "correct")], "failed", "too long")
    (sample,) = write(failed).samples
    assert sample.error.message == "too long"


def test_hostile_texts_are_shown_as_they_are(write, tmp_path):
    text = "</script><img src=x>\ud800 \\boxed{4}\n[VERIFY] correct"
    log = write(played("../../etc", text, protocol=PROTOCOLS["default"]), model="<b>")
    (sample,) = log.samples
    assert sample.messages[1].text == text.replace("\ud800", "?")
    assert log.eval.viewer.trust_content is False
    assert sorted(path.name for path in tmp_path.iterdir()) == ["episodes.jsonl", "logs"]


def test_a_file_without_episodes_is_refused(write):
    with pytest.raises(ValueError, match="no episodes"):
        write()
