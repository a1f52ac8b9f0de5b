"""verifiers' first API: `load_environment`, and `vf-eval` against a local server."""

import json

import pytest

import srenv
from srenv.episode import Episode

pytest.importorskip("verifiers.legacy", reason="needs the extra verifiers, before 0.4")

import verifiers as vf

from tests.support.chat_server import chat_server
from tests.support.verifiers import answer, run_command


def test_the_environment_is_found_by_its_name():
    env = vf.load_environment("srenv-verifiers", problems="synthetic:root", n=3, seed=1)
    rows = env.get_dataset()
    problems = srenv.load_problems("synthetic:root", "eval").take(3, 1)
    assert [row["answer"] for row in rows] == [problem.answer for problem in problems]
    assert rows[0]["prompt"][-1]["content"] == srenv.Protocol().opening(problems[0])[-1]["content"]


def test_a_source_with_fewer_problems_gives_all_of_them(tmp_path):
    path = tmp_path / "problems.jsonl"
    path.write_text(json.dumps({"id": "1", "problem": "2+2?", "answer": "4", "source": "test"}))
    assert len(vf.load_environment("srenv-verifiers", problems=f"jsonl:{path}").get_dataset()) == 1


@pytest.mark.slow
def test_vf_eval_plays_the_rules_against_a_server(tmp_path):
    options = json.dumps({"max_attempts": 3, "n": 2})
    with chat_server(answer) as server:
        run_command(
            "vf-eval", "srenv-verifiers", "-n", "2", "-r", "1", "-m", "served",
            "--api-base-url", server.url, "--env-args", options, "--state-columns", "episode",
            "--disable-tui", "-s",
            folder=tmp_path,
        )  # fmt: skip
    (path,) = tmp_path.glob("outputs/**/results.jsonl")
    results = [json.loads(line) for line in path.read_text().splitlines()]
    problems = srenv.load_problems("synthetic:linear", "eval").take(2)
    assert {result["episode"]["problem"]["id"] for result in results} == {p.id for p in problems}
    for result in results:
        episode = Episode.from_json(result["episode"])
        local = srenv.Conversation(
            episode.problem, srenv.Rules(srenv.Protocol(), 3, srenv.make_reward())
        )
        while not local.ended:
            local.step(answer(local.episode.messages))
        assert episode == local.episode
        assert result["reward"] == pytest.approx(local.episode.reward)
        assert result["correct_final"] == float(local.episode.final.correct)
    assert len(server.bodies) == 4
