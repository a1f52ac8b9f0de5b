"""A small OpenAI-compatible server in this process, with and without token ids."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from transformers import AutoTokenizer

import srenv

RETRY = srenv.Protocol().retry


def answer_to(prompt):
    """Returns a wrong first attempt, and a second one that declares itself correct."""
    return f"\\boxed{{{prompt.count(RETRY)}}}\n[VERIFY] " + (
        "correct" if RETRY in prompt else "wrong"
    )


class FakeServer:
    """Answers on a port of its own until it is stopped; may be started again on the same port.

    Args:
        tokenizer: Folder of the model's tokenizer.
        exact: Whether it returns token ids, as vLLM does.
        faults: Consumed one per request: a status, "drop" to hang up, or "long" to refuse a
            prompt for its length.
        probe_faults: The same for the requests that ask whether it returns token ids.
        name: The model's name.
        context: The greatest length of a conversation, in tokens.
    """

    def __init__(
        self, tokenizer, exact=True, faults=(), probe_faults=(), name="served", context=None
    ):
        self.folder, self.exact = tokenizer, exact
        self.faults, self.probe_faults = list(faults), list(probe_faults)
        self.name, self.context = name, context
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
                model = {"id": fake.name, "root": fake.folder, "max_model_len": fake.context}
                self.send({"data": [model]})

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                probe = body["max_tokens"] == 1
                with fake.lock:
                    faults = fake.probe_faults if probe else fake.faults
                    fault = faults.pop(0) if faults else None
                    if not probe:
                        fake.bodies.append(body)
                        fake.on_request()
                if fault == "drop":
                    self.close_connection = True
                elif fault == "long":
                    self.send({"error": "maximum context length is 9 tokens"}, 400)
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
            text = answer_to("\n".join(message["content"] for message in body["messages"]))
            usage = {"completion_tokens": 7}
            return {"choices": [{"message": {"content": text}}], "usage": usage}
        if not self.exact:
            return {"choices": [{"text": "?"}]}
        prompt = body["prompt"]
        prompt = self.tokenizer(prompt)["input_ids"] if isinstance(prompt, str) else prompt
        ids = self.tokenizer(answer_to(self.tokenizer.decode(prompt)))["input_ids"]
        ids = [*ids, self.tokenizer.eos_token_id][: body["max_tokens"]]
        logprobs = {"token_logprobs": [-0.1] * len(ids)}
        choice = {"token_ids": ids, "prompt_token_ids": prompt, "logprobs": logprobs}
        return {"choices": [choice]}

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"


@contextmanager
def fake_servers(tokenizer, **defaults) -> Iterator[Callable[..., FakeServer]]:
    """Gives a function that starts servers, which are stopped at the end of the block."""
    servers = []

    def start(**options):
        servers.append(FakeServer(tokenizer, **{**defaults, **options}))
        return servers[-1]

    try:
        yield start
    finally:
        for server in servers:
            server.stop()
