"""`vf-eval` measures a model in srenv's environment; this process serves the model to it.

python examples/verifiers_eval.py
python examples/verifiers_eval.py --model Qwen/Qwen2.5-0.5B-Instruct --max-new-tokens 512
"""

import json
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import tyro

from agents.engines import Sampling, TransformersEngine
from agents.models.paths import TINY


def make_server(engine: TransformersEngine, sampling: Sampling) -> HTTPServer:
    """Returns a server that streams each message of a chat in one piece."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            (turn,) = engine.generate([engine.chat.opening(body["messages"])], sampling)
            delta = {"role": "assistant", "content": engine.chat.turn_text(turn.ids)}
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "local"}
            chunk["choices"] = [{"index": 0, "delta": delta, "finish_reason": "stop"}]
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode())

    return HTTPServer(("127.0.0.1", 0), Handler)


def main(model: str = TINY, problems: int = 4, max_new_tokens: int = 64) -> None:
    """Plays episodes and prints verifiers' records of them.

    Args:
        model: Folder or hub id; the bundled model by default.
        problems: Number of problems.
        max_new_tokens: Greatest length of a turn.
    """
    if not shutil.which("vf-eval"):
        raise SystemExit("vf-eval is missing: pip install -e '.[verifiers]', see docs/trainers.md")
    server = make_server(TransformersEngine.load(model), Sampling(max_new_tokens=max_new_tokens))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    command = ["vf-eval", "srenv-verifiers", "-n", str(problems), "-m", "local", "--no-push"]
    command += ["--client.base-url", url, "--no-rich", "--env.taskset.max-attempts", "2"]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    tyro.cli(main)
