"""A model behind an OpenAI-compatible server that needs nothing but the standard library."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

from srenv.conversation import Conversation, Rules
from srenv.episode import Episode, Problem
from srenv.problems.seeding import sampling_seed
from srenv.protocol import PROTOCOLS
from srenv.rewards import make_reward

NAME = "stub"
TOKENS = 7


def say(messages, seed) -> str:
    """Returns the model's next turn: some answer and some verdict, by the chat and the seed."""
    rng = Random(json.dumps([[[m["role"], m["content"]] for m in messages], seed]))
    verdict = rng.choice(["correct", "wrong", "wrong", "correct (0.8)", "maybe"])
    return f"Let me see.\n\\boxed{{{rng.randint(1, 9)}}}\n[VERIFY] {verdict}"


def expected_episodes(
    problems: list[Problem], *, samples=1, max_attempts=3, protocol="default", seed=None
) -> list[Episode]:
    """Returns the episodes that anyone must get who plays with this model.

    Args:
        problems: The problems.
        samples: Episodes per problem.
        max_attempts: Attempts per episode.
        protocol: How the model is asked.
        seed: That of the evaluation; None if requests have none.
    """
    rules = Rules(PROTOCOLS[protocol], max_attempts, make_reward("default"))
    episodes = []
    for key, problem in enumerate(p for p in problems for _ in range(samples)):
        conversation = Conversation(problem, rules)
        episode = conversation.episode
        length = len(episode.messages[0]["content"])
        while not conversation.ended:
            request = None if seed is None else sampling_seed(seed, key, length)
            turn = conversation.step(say(episode.messages, request))
            turn.tokens, turn.truncated = TOKENS, False
            if not conversation.ended:
                length += len(turn.text) + len(episode.messages[-1]["content"]) + 4
        episodes.append(episode)
    return episodes


@contextmanager
def stub_server(speak=say) -> Iterator[str]:
    """Runs the server; gives its address.

    Args:
        speak: (messages, seed) -> the text of the answer, or the whole message.
    """

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format, *arguments):
            pass

        def do_GET(self):
            self.send({"data": [{"id": NAME}]})

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            said = speak(body["messages"], body.get("seed"))
            message = said if isinstance(said, dict) else {"content": said}
            self.send(
                {
                    "id": "1",
                    "object": "chat.completion",
                    "created": 0,
                    "model": NAME,
                    "choices": [
                        {
                            "index": 0,
                            "message": {"role": "assistant", **message},
                            "finish_reason": "stop",
                        }
                    ],
                    "usage": {
                        "prompt_tokens": 1,
                        "completion_tokens": TOKENS,
                        "total_tokens": TOKENS + 1,
                    },
                }
            )

        def send(self, record):
            data = json.dumps(record).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
