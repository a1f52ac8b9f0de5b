"""An OpenEnv server of the environment, in a thread of this process."""

import socket
import threading
import time
from contextlib import contextmanager


@contextmanager
def openenv_server(make_env, sessions=256):
    """Serves on a free port until the end of the block; gives the address."""
    import uvicorn

    from srenv.integrations.openenv import make_app

    listener = socket.create_server(("127.0.0.1", 0))
    app = make_app(make_env, sessions)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="websockets-sansio"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
