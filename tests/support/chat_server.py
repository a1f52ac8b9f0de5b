"""An OpenAI-compatible chat server in this process, without a model."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ChatServer:
    """Answers every chat with what a function says of it, streamed if that is asked for.

    Args:
        answer: From the list of messages to the text of the next one.

    Attributes:
        bodies: The requests for chats so far.
        url: The address, with ``/v1``.
    """

    def __init__(self, answer):
        self.bodies = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                self.send(json.dumps({"object": "list", "data": [{"id": "served"}]}))

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                fake.bodies.append(body)
                text = answer(body["messages"])
                if body.get("stream"):
                    self.send(stream(text), "text/event-stream")
                else:
                    self.send(json.dumps(completion("chat.completion", "message", text)))

            def send(self, text, kind="application/json"):
                data = text.encode()
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


def completion(kind, part, text):
    """Returns a response of the API, or a piece of a streamed one, with one choice."""
    return {
        "id": "1",
        "object": kind,
        "created": 0,
        "model": "served",
        "choices": [
            {
                "index": 0,
                part: {"role": "assistant", "content": text},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


def stream(text):
    """Returns a streamed response in one piece."""
    piece = json.dumps(completion("chat.completion.chunk", "delta", text))
    return f"data: {piece}\n\ndata: [DONE]\n\n"


@contextmanager
def chat_server(answer):
    """Serves until the end of the block."""
    server = ChatServer(answer)
    try:
        yield server
    finally:
        server.server.shutdown()
        server.server.server_close()
