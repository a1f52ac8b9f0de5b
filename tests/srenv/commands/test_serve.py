"""``srenv serve``: what it refuses, and a server in a process of its own."""

import socket
import subprocess
import sys
import time

import pytest

from srenv.commands.serve import ServeConfig, serve


def test_a_protocol_must_be_chosen():
    with pytest.raises(ValueError, match="--openenv"):
        serve(ServeConfig())


def test_the_extra_is_named_if_openenv_is_missing(monkeypatch):
    monkeypatch.delitem(sys.modules, "srenv.integrations.openenv", raising=False)
    monkeypatch.setitem(sys.modules, "openenv.core", None)
    with pytest.raises(ImportError, match=r"srenv\[openenv\]"):
        serve(ServeConfig(openenv=True))


def test_a_wrong_option_is_refused_before_anything_is_served():
    pytest.importorskip("openenv", reason="needs the extra openenv")
    with pytest.raises(ValueError, match="unknown reward"):
        serve(ServeConfig(openenv=True, reward="nonsense"))


def test_clients_play_with_the_options_of_the_command():
    pytest.importorskip("openenv", reason="needs the extra openenv")
    from srenv.integrations.openenv import SelfCorrectClient, TurnAction

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "srenv", "serve", "--openenv", "--port", str(port)]
    command += ["--max-attempts", "2", "--protocol", "intrinsic", "--problems", "synthetic:root"]
    with subprocess.Popen(command) as process:
        try:
            client = SelfCorrectClient(base_url=f"http://127.0.0.1:{port}").sync()
            for _ in range(300):
                assert process.poll() is None
                try:
                    client.connect()
                    break
                except ConnectionError:
                    time.sleep(0.2)
            with client:
                result = client.reset(seed=0)
                assert result.observation.metadata["problem_id"].startswith("root/")
                assert "[VERIFY]" not in result.observation.messages[0]["content"]
                assert not client.step(TurnAction(text="\\boxed{1}")).done
                assert client.step(TurnAction(text="\\boxed{1}")).observation.truncated
        finally:
            process.terminate()
