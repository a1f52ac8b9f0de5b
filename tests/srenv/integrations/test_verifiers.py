"""verifiers' API v1: the taskset, and `vf-eval` against a local server."""

import itertools
import json

import pytest

import srenv
from srenv.episode import Episode

pytest.importorskip("verifiers.v1", reason="needs the extra verifiers")

import verifiers
from verifiers.v1 import load_taskset

from srenv.integrations.verifiers import SelfCorrectConfig
from tests.support.chat_server import chat_server
from tests.support.verifiers import answer, run_command

COMMAND = "vf-eval" if verifiers.__version__ >= "0.4" else "eval"


def taskset(**options):
    return load_taskset(SelfCorrectConfig(id="srenv-verifiers", **options))


def test_tasks_open_as_the_protocol_says_and_hide_the_answer():
    tasks = taskset(problems="synthetic:root", protocol="intrinsic")
    source = srenv.load_problems("synthetic:root", "eval")
    for index, task in enumerate(itertools.islice(tasks, 3)):
        problem = source.problem(index)
        opening = srenv.protocol.PROTOCOLS["intrinsic"].opening(problem)
        assert task.data.prompt == opening[-1]["content"]
        assert task.data.problem["answer"] == problem.answer
        assert task.data.id == problem.id


def test_an_endless_source_is_an_endless_taskset(tmp_path):
    assert not taskset().bounded
    path = tmp_path / "problems.jsonl"
    path.write_text(json.dumps({"id": "1", "problem": "2+2?", "answer": "4", "source": "test"}))
    finite = taskset(problems=f"jsonl:{path}")
    assert finite.bounded
    assert [task.data.id for task in finite] == ["1"]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"reward": "nonsense"}, "unknown reward"), ({"problems": "linear"}, "scheme:target")],
)
def test_a_wrong_option_is_refused_when_the_taskset_is_loaded(options, message):
    with pytest.raises(ValueError, match=message):
        taskset(**options)


@pytest.mark.slow
def test_vf_eval_plays_the_rules_against_a_server(tmp_path):
    with chat_server(answer) as server:
        run_command(
            COMMAND, "srenv-verifiers", "-n", "2", "-m", "served", "--client.base-url", server.url,
            "--no-push", "--no-rich", "--env.taskset.max-attempts", "3",
            folder=tmp_path,
        )  # fmt: skip
    (path,) = tmp_path.glob("outputs/*/traces.jsonl")
    records = [json.loads(line) for line in path.read_text().splitlines()]
    traces = [trace for record in records for trace in record.get("traces", [record])]
    assert len(traces) == 2
    source = srenv.load_problems("synthetic:linear", "eval")
    for trace in traces:
        episode = Episode.from_json(trace["info"]["episode"])
        rules = srenv.Rules(srenv.Protocol(), 3, srenv.make_reward())
        local = srenv.Conversation(source.find(episode.problem.id), rules)
        while not local.ended:
            local.step(answer(local.episode.messages))
        assert episode == local.episode
        assert episode.ending == "declared"
        total = sum(reward["score"] * reward["weight"] for reward in trace["rewards"].values())
        assert total == pytest.approx(local.episode.reward)
        assert trace["metrics"]["turns"] == 2
        assert trace["metrics"]["correct_first"] == float(local.episode.turns[0].correct)
        messages = [message for message in local.episode.messages if message["role"] == "user"]
        assert any(
            [m["content"] for m in body["messages"] if m["role"] == "user"]
            == [m["content"] for m in messages]
            for body in server.bodies
        )
    assert len(server.bodies) == 4
