"""The server engine against a small server in this process, with and without token ids."""

import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import gymnasium as gym
import pytest
from transformers import AutoTokenizer

import srenv
from agents.engines import Request, Sampling
from agents.engines.server import ServerEngine, ServerError, ServerOptions
from agents.evaluate import EvaluateConfig, evaluate
from agents.rollouts.episode_log import EpisodeLog
from agents.rollouts.rollout import rollout

PROBLEMS = srenv.load_problems("synthetic:linear", "eval").take(6)
RETRY = srenv.Protocol().retry


def make_env():
    return gym.make("srenv:SelfCorrectMath-v0", max_attempts=3)


def reply(prompt):
    """A wrong first attempt, and a second one that declares itself correct."""
    return f"\\boxed{{{prompt.count(RETRY)}}}\n[VERIFY] " + (
        "correct" if RETRY in prompt else "wrong"
    )


class FakeServer:
    """Answers on a port of its own until it is stopped; may be started again on the same port.

    Args:
        tokenizer: Folder of the model's tokenizer.
        exact: Whether it returns token ids, as vLLM does.
        faults: Consumed one per request: a status, or "drop" to hang up.
        name: The model's name.
    """

    def __init__(self, tokenizer, exact=True, faults=(), name="served"):
        self.folder, self.exact, self.faults = tokenizer, exact, list(faults)
        self.name = name
        self.tokenizer = AutoTokenizer.from_pretrained(tokenizer)
        self.bodies = []
        self.lock = threading.Lock()
        self.port = 0
        self.on_request = lambda: None
        self.start()

    def start(self):
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                self.send({"data": [{"id": fake.name, "root": fake.folder}]})

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                probe = body["max_tokens"] == 1
                with fake.lock:
                    fault = fake.faults.pop(0) if fake.faults and not probe else None
                    if not probe:
                        fake.bodies.append(body)
                        fake.on_request()
                if fault == "drop":
                    self.close_connection = True
                elif fault:
                    self.send({"error": "no"}, fault)
                else:
                    self.send(fake.answer(self.path, body))

            def send(self, record, status=200):
                data = json.dumps(record).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, path, body):
        if path.endswith("/chat/completions"):
            text = reply("\n".join(message["content"] for message in body["messages"]))
            usage = {"completion_tokens": 7}
            return {"choices": [{"message": {"content": text}}], "usage": usage}
        if not self.exact:
            return {"choices": [{"text": "?"}]}
        prompt = body["prompt"]
        prompt = self.tokenizer(prompt)["input_ids"] if isinstance(prompt, str) else prompt
        ids = self.tokenizer(reply(self.tokenizer.decode(prompt)))["input_ids"]
        ids = [*ids, self.tokenizer.eos_token_id][: body["max_tokens"]]
        logprobs = {"token_logprobs": [-0.1] * len(ids)}
        choice = {"token_ids": ids, "prompt_token_ids": prompt, "logprobs": logprobs}
        return {"choices": [choice]}

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"


@pytest.fixture
def serve(untrained):
    started = []

    def start(**options):
        started.append(FakeServer(untrained, **options))
        return started[-1]

    yield start
    for server in started:
        server.stop()


def test_ids_go_in_and_the_ids_that_come_back_are_kept(serve):
    server = serve()
    engine = ServerEngine(ServerOptions(server.url))
    assert engine.exact
    assert engine.model == "served"
    records = rollout(make_env, engine, PROBLEMS, Sampling(1.0, 1.0, 40, seed=5))
    assert [record.episode.ending for record in records] == ["declared"] * 6
    prompts = [tuple(body["prompt"]) for body in server.bodies]
    for record in records:
        first = len(record.prompt_ids)
        second = first + max(i for i, turn in enumerate(record.turns) if turn == 0) + 1
        assert tuple(record.prompt_ids) in prompts
        assert tuple(record.context[:second]) in prompts
        assert {x for x, t in zip(record.logprobs, record.turns, strict=True) if t} == {-0.1}
    seeds = [body["seed"] for body in server.bodies]
    assert len(set(seeds)) == 12
    assert {body["temperature"] for body in server.bodies} == {1.0}


def test_a_caller_may_end_messages_sooner(serve):
    server = serve()
    engine = ServerEngine(ServerOptions(server.url))
    engine.generate([[5]], Sampling(stop_ids=engine.chat.line_ends))
    assert set(server.bodies[-1]["stop_token_ids"]) == engine.chat.line_ends | engine.chat.stop_ids


def test_a_server_without_ids_gives_text_and_says_so(serve):
    server = serve(exact=False)
    engine = ServerEngine(ServerOptions(server.url))
    assert not engine.exact
    (record,) = rollout(make_env, engine, PROBLEMS[:1], Sampling(0.0, 1.0, 40))
    assert [m["role"] for m in server.bodies[-1]["messages"]] == ["user", "assistant", "user"]
    assert [turn.tokens for turn in record.episode.turns] == [7, 7]
    assert [turn.verdict_probability for turn in record.episode.turns] == [None, None]
    assert [turn.verdict for turn in record.episode.turns] == ["wrong", "correct"]
    with pytest.raises(ServerError, match="text only"):
        engine.generate([[1]], Sampling())


def test_dropped_connections_and_busy_servers_are_tried_again(serve):
    server = serve(faults=["drop", 503, 429, "drop"])
    engine = ServerEngine(ServerOptions(server.url, patience=20))
    records = rollout(make_env, engine, PROBLEMS[:2], Sampling(0.0, 1.0, 40))
    assert [record.error for record in records] == ["", ""]
    assert len(server.bodies) == 2 * 2 + 4


def test_a_refusal_is_one_episodes_error_and_is_not_repeated(serve):
    server = serve(faults=[400])
    engine = ServerEngine(ServerOptions(server.url, concurrency=1))
    records = rollout(make_env, engine, PROBLEMS[:3], Sampling(0.0, 1.0, 40))
    assert sum("status 400" in record.error for record in records) == 1
    assert len(server.bodies) == 1 + 2 * 2


def test_patience_ends(serve):
    server = serve()
    engine = ServerEngine(ServerOptions(server.url, patience=0.6))
    server.stop()
    with pytest.raises(RuntimeError, match="gave no answer in 1 s"):
        rollout(make_env, engine, PROBLEMS[:2], Sampling(0.0, 1.0, 40))
    server.start()


def test_cancelled_requests_are_not_waited_for(serve):
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
def test_a_wrong_address_or_model_is_named(serve, options, message):
    with pytest.raises(ServerError, match=message):
        ServerEngine(options(serve().url))


def test_another_tokenizer_is_found_out(serve, tmp_path):
    server = serve()
    answer = server.answer

    def shifted(path, body):
        record = answer(path, body)
        record["choices"][0]["prompt_token_ids"] = [1, 2, 3]
        return record

    server.answer = shifted
    with pytest.raises(ServerError, match="--tokenizer"):
        ServerEngine(ServerOptions(server.url))


def test_a_server_killed_and_restarted_loses_and_doubles_no_episode(serve, tmp_path):
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


def test_an_evaluation_goes_on_where_it_was_killed(serve, tmp_path, untrained):
    """The process is killed; what it had finished is kept, the rest is played."""
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
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode != 0
    assert "--resume" in again.stderr
    time.sleep(0.5)  # requests of the killed process that the server still works on
    server.bodies.clear()
    done = subprocess.run([*command, "--resume"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "token-exact" in done.stdout
    assert len(server.bodies) == 2 * (30 - finished)
    episodes = list(srenv.read_episodes(output / "episodes.jsonl"))
    expected = srenv.load_problems("synthetic:linear", "eval").take(30)
    assert [e.problem.id for e in episodes] == [p.id for p in expected]
    assert not partial.exists()


def test_a_damaged_log_is_refused(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"key": 1}\n')
    with pytest.raises(ValueError, match="line 1"):
        EpisodeLog(path)
