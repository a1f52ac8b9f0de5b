"""The server engine against a small server in this process, with and without token ids."""

import subprocess
import sys
import threading
import time

import gymnasium as gym
import pytest

import srenv
from agents.engines import Request, Sampling
from agents.engines.server import ServerEngine, ServerError, ServerOptions, TextChat
from agents.evaluate import EvaluateConfig, evaluate
from agents.rollouts.episode_log import EpisodeLog
from agents.rollouts.rollout import rollout
from tests.support.server import fake_servers

PROBLEMS = srenv.load_problems("synthetic:linear", "eval").take(6)


def make_env():
    return gym.make("srenv:SelfCorrectMath-v0", max_attempts=3)


@pytest.fixture
def serve(untrained):
    with fake_servers(untrained) as start:
        yield start


def test_the_only_model_of_a_server_is_taken(serve):
    engine = ServerEngine(ServerOptions(serve().url))
    assert engine.exact
    assert engine.model == "served"


def test_sampled_ids_and_log_probs_are_kept(serve):
    server = serve()
    engine = ServerEngine(ServerOptions(server.url))
    records = rollout(make_env, engine, PROBLEMS, Sampling(1.0, 1.0, 40, seed=5))
    assert [record.episode.ending for record in records] == ["declared"] * 6
    prompts = [tuple(body["prompt"]) for body in server.bodies]
    for record in records:
        first = len(record.prompt_ids)
        second = first + max(i for i, turn in enumerate(record.turns) if turn == 0) + 1
        assert tuple(record.prompt_ids) in prompts
        assert tuple(record.context[:second]) in prompts
        assert {x for x, t in zip(record.logprobs, record.turns, strict=True) if t} == {-0.1}


def test_each_request_has_its_own_seed_and_the_temperature(serve):
    server = serve()
    engine = ServerEngine(ServerOptions(server.url))
    rollout(make_env, engine, PROBLEMS, Sampling(1.0, 1.0, 40, seed=5))
    seeds = [body["seed"] for body in server.bodies]
    assert len(set(seeds)) == 12
    assert {body["temperature"] for body in server.bodies} == {1.0}


def test_stop_ids_of_the_caller_are_sent_with_those_of_the_model(serve):
    server = serve()
    engine = ServerEngine(ServerOptions(server.url))
    engine.generate([[5]], Sampling(stop_ids=engine.chat.line_ends))
    assert set(server.bodies[-1]["stop_token_ids"]) == engine.chat.line_ends | engine.chat.stop_ids


def test_a_server_without_ids_is_called_with_messages(serve):
    server = serve(exact=False)
    engine = ServerEngine(ServerOptions(server.url))
    (record,) = rollout(make_env, engine, PROBLEMS[:1], Sampling(0.0, 1.0, 40))
    assert [m["role"] for m in server.bodies[-1]["messages"]] == ["user", "assistant", "user"]
    assert [turn.tokens for turn in record.episode.turns] == [7, 7]
    assert [turn.verdict_probability for turn in record.episode.turns] == [None, None]
    assert [turn.verdict for turn in record.episode.turns] == ["wrong", "correct"]


def test_a_server_without_ids_refuses_them(serve):
    engine = ServerEngine(ServerOptions(serve(exact=False).url))
    assert not engine.exact
    with pytest.raises(ServerError, match="text only"):
        engine.generate([[1]], Sampling())


def test_a_busy_server_is_asked_again_whether_it_returns_ids(serve):
    server = serve(probe_faults=["drop", 503])
    assert ServerEngine(ServerOptions(server.url)).exact
    assert not server.probe_faults


@pytest.mark.parametrize("status", [400, 404])
def test_a_server_that_refuses_to_return_ids_returns_text(serve, status):
    assert not ServerEngine(ServerOptions(serve(probe_faults=[status]).url)).exact


@pytest.mark.parametrize(
    ("faults", "message"),
    [([503] * 9, "gave no answer in 0 s; last: status 503"), ([501], "status 501")],
)
def test_a_server_that_fails_is_not_taken_for_one_that_returns_text(serve, faults, message):
    options = ServerOptions(serve(probe_faults=faults).url, patience=0.4)
    with pytest.raises(ServerError, match=message):
        ServerEngine(options)


def test_requests_are_repeated_after_drops_and_while_the_server_is_busy(serve):
    server = serve(faults=["drop", 503, 429, "drop"])
    engine = ServerEngine(ServerOptions(server.url, patience=20))
    records = rollout(make_env, engine, PROBLEMS[:2], Sampling(0.0, 1.0, 40))
    assert [record.error for record in records] == ["", ""]
    assert len(server.bodies) == 2 * 2 + 4


def test_a_refused_request_fails_one_episode_without_a_second_try(serve):
    server = serve(faults=[400])
    engine = ServerEngine(ServerOptions(server.url, concurrency=1))
    records = rollout(make_env, engine, PROBLEMS[:3], Sampling(0.0, 1.0, 40))
    assert sum("status 400" in record.error for record in records) == 1
    assert len(server.bodies) == 1 + 2 * 2


def test_requests_are_repeated_no_longer_than_patience(serve):
    server = serve()
    engine = ServerEngine(ServerOptions(server.url, patience=0.6))
    server.stop()
    with pytest.raises(RuntimeError, match="gave no answer in 1 s"):
        rollout(make_env, engine, PROBLEMS[:2], Sampling(0.0, 1.0, 40))
    server.start()


def test_closing_a_session_does_not_wait_for_its_requests(serve):
    server = serve()
    server.on_request = lambda: time.sleep(0.3)
    engine = ServerEngine(ServerOptions(server.url))
    session = engine.session(Sampling(0.0, 1.0, 40))
    for key in range(20):
        session.submit(Request(key, [5, 6, 7]))
    start = time.monotonic()
    session.close()
    assert time.monotonic() - start < 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (lambda url: ServerOptions("http://127.0.0.1:9/v1"), "no server answers"),
        (lambda url: ServerOptions("nonsense"), "no server answers"),
        (lambda url: ServerOptions(url, model="other"), "it serves served"),
    ],
)
def test_a_wrong_address_or_model_is_refused_by_name(serve, options, message):
    with pytest.raises(ServerError, match=message):
        ServerEngine(options(serve().url))


def test_a_tokenizer_with_other_ids_is_refused(serve):
    server = serve()
    answer = server.answer

    def shifted(path, body):
        record = answer(path, body)
        record["choices"][0]["prompt_token_ids"] = [1, 2, 3]
        return record

    server.answer = shifted
    with pytest.raises(ServerError, match="--tokenizer"):
        ServerEngine(ServerOptions(server.url))


def test_every_episode_is_played_once_if_the_server_restarts(serve, tmp_path):
    server = serve()
    count = []

    def die_once():
        count.append(1)
        if len(count) == 7:

            def restart():
                server.stop()
                time.sleep(1.0)
                server.start()

            threading.Thread(target=restart).start()

    server.on_request = die_once
    config = EvaluateConfig(
        n=20,
        output=tmp_path / "out",
        base_url=server.url,
        batch_size=4,
        max_new_tokens=40,
        max_attempts=3,
    )
    rows = evaluate(config)
    episodes = list(srenv.read_episodes(tmp_path / "out" / "episodes.jsonl"))
    expected = srenv.load_problems("synthetic:linear", "eval").take(20)
    assert [e.problem.id for e in episodes] == [p.id for p in expected]
    assert {len(e.turns) for e in episodes} == {2}
    assert rows["served"]["n"].value == 20
    assert len(count) > 20


def test_a_killed_evaluation_resumes_with_its_finished_episodes(serve, tmp_path):
    server = serve()
    server.on_request = lambda: time.sleep(0.05)  # under the server's lock: one after the other
    output = tmp_path / "out"
    command = [sys.executable, "-m", "srenv", "evaluate", "--engine=server"]
    command += [f"--base-url={server.url}", "--model=served", "--n=30", f"--output={output}"]
    command += ["--max-new-tokens=40", "--max-attempts=2", "--batch-size=4"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    partial = output / "episodes.partial.jsonl"
    while not (partial.exists() and partial.read_bytes().count(b"\n") >= 3):
        time.sleep(0.02)
        assert process.poll() is None
    process.kill()
    process.wait()
    with partial.open("ab") as file:
        file.write(b'{"key": 29, "epis')  # the line that the kill cut short
    finished = len(EpisodeLog(partial).done)
    assert 3 <= finished < 30
    refusal = subprocess.run(command, capture_output=True, text=True)
    assert refusal.returncode != 0
    assert "--resume" in refusal.stderr
    time.sleep(0.5)  # requests of the killed process that the server still works on
    server.bodies.clear()
    result = subprocess.run([*command, "--resume"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "token-exact" in result.stdout
    assert len(server.bodies) == 2 * (30 - finished)
    episodes = list(srenv.read_episodes(output / "episodes.jsonl"))
    expected = srenv.load_problems("synthetic:linear", "eval").take(30)
    assert [e.problem.id for e in episodes] == [p.id for p in expected]
    assert not partial.exists()


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": "\\boxed{3}", "reasoning_content": "4?"}, "<think>4?</think>\\boxed{3}"),
        ({"content": None, "reasoning_content": "\\boxed{4}?"}, "<think>\\boxed{4}?"),
        ({"content": "", "reasoning": "\\boxed{4}?"}, "<think>\\boxed{4}?"),
        ({"content": "\\boxed{3}"}, "\\boxed{3}"),
    ],
)
def test_a_thought_that_is_sent_apart_is_part_of_the_text(serve, message, text):
    engine = ServerEngine(ServerOptions(serve(exact=False).url))
    generation = engine.read({"choices": [{"message": message}]}, Sampling())
    assert engine.chat.turn_text(generation.ids) == text


@pytest.mark.parametrize(("used", "count"), [(1, 1), (9, 9), (10, 5), (0, 5), (-3, 5)])
def test_a_number_of_tokens_that_cannot_be_is_not_counted(serve, used, count):
    engine = ServerEngine(ServerOptions(serve(exact=False).url))
    answer = {"choices": [{"message": {"content": "hello"}}], "usage": {"completion_tokens": used}}
    assert engine.read(answer, Sampling(max_new_tokens=9)).count == count


def test_text_of_a_server_whose_template_opens_a_thought_begins_in_it():
    chat = TextChat(opened="<think>\n")
    assert chat.turn_text(chat.encode("\\boxed{4} hmm")) == "<think>\n\\boxed{4} hmm"
    assert chat.turn_text(chat.encode("<think>4</think>3")) == "<think>4</think>3"
