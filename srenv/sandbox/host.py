"""What runs inside the sandbox: one file, standard library only, which knows no secret.

A host waits for jobs and forks for each. Every job gets namespaces of its own, so that it cannot
see, signal or outlive anything else, gives up all capabilities, and takes one of three roles:

* ``serve``: executes a program and answers calls of its functions,
* ``test``: executes tests, whose `candidate` sends calls to the parent,
* ``main``: executes a whole program with given standard streams.

Values travel as JSON with tags for the types that JSON does not have. Nothing is ever unpickled,
and what arrives is built of exact built-in types, so that no method of a program travels with it.
"""

from __future__ import annotations

import builtins
import ctypes
import json
import math
import os
import resource
import select
import signal
import socket
import struct
import sys
import types
from collections import deque
from collections.abc import ItemsView, KeysView, ValuesView
from typing import Any

MAX_DEPTH = 60
MAX_ITEMS = 200_000
CALL, REPLY, VERDICT = b"C", b"R", b"V"
HEADER = struct.Struct(">cI")

_LIBC = ctypes.CDLL(None, use_errno=True)
_NEWUSER, _NEWPID, _NEWNS, _NEWIPC = 0x10000000, 0x20000000, 0x00020000, 0x08000000
_PRIVATE, _NOSUID, _NODEV = 0x40000 | 0x4000, 2, 4
_DUMPABLE, _CAPBSET_DROP, _NO_NEW_PRIVS, _PDEATHSIG = 4, 24, 38, 1
_NOBODY = 65534
_MAX_FILES = 1 << 20


# Values


class Unsendable(TypeError):
    """A value that is no plain data."""


class Budget:
    """Counts the items of one message, so that no value is without end."""

    def __init__(self) -> None:
        self.left = MAX_ITEMS

    def spend(self, depth: int) -> None:
        """Counts one item.

        Raises:
            Unsendable: There are too many, or they are nested too deeply.
        """
        self.left -= 1
        if self.left < 0 or depth > MAX_DEPTH:
            raise Unsendable("the value is too large or nested too deeply")


def encode(value: Any, budget: Budget, depth: int = 0) -> Any:
    """Returns `value` as what JSON can hold.

    Raises:
        Unsendable: It is no plain data.
    """
    budget.spend(depth)
    if value is None or value is True or value is False:
        return value
    if isinstance(value, int):
        return {"i": hex(int.__index__(value))}
    if isinstance(value, float):
        return {"f": float.hex(value)}
    if isinstance(value, str):
        text = str.__str__(value)
        budget.left -= len(text) // 8
        return {"s": text.encode("utf-8", "surrogatepass").hex()} if _odd(text) else text
    if isinstance(value, complex):
        return {"c": [float.hex(value.real), float.hex(value.imag)]}
    if isinstance(value, (bytes, bytearray)):
        budget.left -= len(value) // 8
        return {"b": bytes(value).hex()}
    if isinstance(value, dict):
        pairs = [
            [encode(k, budget, depth + 1), encode(v, budget, depth + 1)]
            for k, v in dict.items(value)
        ]
        return {"d": pairs}
    tags: tuple[tuple[str, Any], ...] = (
        ("l", list), ("t", tuple), ("e", set), ("z", frozenset), ("l", deque),
    )  # fmt: skip
    for tag, kind in tags:
        if isinstance(value, kind):
            return {tag: [encode(item, budget, depth + 1) for item in kind.__iter__(value)]}
    if isinstance(value, range):
        return {"r": [hex(value.start), hex(value.stop), hex(value.step)]}
    if hasattr(type(value), "__next__"):
        iterator: Any = value
        return {"n": [encode(item, budget, depth + 1) for item in iterator]}
    if isinstance(value, (KeysView, ValuesView, ItemsView)):
        views: Any = value
        return {"l": [encode(item, budget, depth + 1) for item in views]}
    raise Unsendable(f"a value of type {type(value).__name__} cannot leave the sandbox")


def _odd(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)


def decode(data: Any, budget: Budget, depth: int = 0) -> Any:
    """Returns the value that `encode` was given, of exact built-in types.

    Raises:
        ValueError: It is not what `encode` returns.
    """
    budget.spend(depth)
    if data is None or data is True or data is False or type(data) is str:
        return data
    if type(data) is not dict or len(data) != 1:
        raise ValueError("not a value")
    ((tag, body),) = data.items()
    if tag in ("i", "f", "s", "b"):
        if type(body) is not str or (tag == "i" and len(body) > 200_000):
            raise ValueError("not a value")
        if tag == "i":
            return int(body, 16)
        if tag == "f":
            return float.fromhex(body)
        raw = bytes.fromhex(body)
        return raw if tag == "b" else raw.decode("utf-8", "surrogatepass")
    if type(body) is not list:
        raise ValueError("not a value")
    if tag == "c":
        real, imaginary = body
        return complex(float.fromhex(real), float.fromhex(imaginary))
    if tag == "r":
        return range(*(int(number, 16) for number in body))
    if tag == "d":
        return {
            decode(key, budget, depth + 1): decode(value, budget, depth + 1) for key, value in body
        }
    items = [decode(item, budget, depth + 1) for item in body]
    kinds: dict[str, Any] = {"l": list, "t": tuple, "e": set, "z": frozenset, "n": iter}
    if tag not in kinds:
        raise ValueError("not a value")
    return kinds[tag](items)


# Messages


def send(channel: socket.socket, kind: bytes, body: bytes) -> None:
    """Sends one message."""
    channel.sendall(HEADER.pack(kind, len(body)) + body)


def receive(channel: socket.socket, limit: int) -> tuple[bytes, bytes]:
    """Receives one message.

    Raises:
        EOFError: The other side is gone.
        ValueError: The message is longer than `limit`.
    """
    kind, length = HEADER.unpack(_exactly(channel, HEADER.size))
    if length > limit:
        raise ValueError("the message is too long")
    return kind, _exactly(channel, length)


def _exactly(channel: socket.socket, count: int) -> bytes:
    parts = []
    while count:
        part = channel.recv(min(count, 1 << 16))
        if not part:
            raise EOFError("the other side is gone")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


# Roles


def serve(channel: socket.socket, job: dict[str, Any]) -> None:
    """Executes a program, and answers calls of its functions until the parent ends it."""
    module = types.ModuleType("solution")
    module.__dict__["__builtins__"] = builtins
    sys.modules["solution"] = module
    try:
        exec(compile(_source(job), "solution.py", "exec"), module.__dict__)
        function = module.__dict__.get(job["entry_point"])
        if not callable(function):
            raise NameError(f"the program defines no function {job['entry_point']}")
    except BaseException as error:
        send(channel, REPLY, _failure(error))
        return
    send(channel, REPLY, b'{"ready": true}')
    while True:
        _, body = receive(channel, job["limit"])
        arguments, keywords = decode(json.loads(body), Budget())
        try:
            value = function(*arguments, **keywords)
            budget = Budget()
            reply = {"value": encode(value, budget)}
            if job["in_place"]:
                reply["arguments"] = encode([*arguments, *keywords.values()], budget)
            answer = json.dumps(reply).encode()
            if len(answer) > job["limit"]:
                raise Unsendable("the value is too large")
        except BaseException as error:
            answer = _failure(error)
        send(channel, REPLY, answer)


def _source(job: dict[str, Any]) -> str:
    program: str = job["program"]
    return program[1:] if program.startswith("\ufeff") else program


def _failure(error: BaseException) -> bytes:
    name = type(error).__name__
    try:
        text = str(error)[:300]
    except BaseException:
        text = ""
    kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
    return json.dumps({"error": kinds, "name": name[:100], "text": text}).encode()


class Candidate:
    """Stands for the program's function in the tests: calls go to the parent."""

    def __init__(self, channel: socket.socket, job: dict[str, Any]) -> None:
        self._channel, self._limit, self._in_place = channel, job["limit"], job["in_place"]
        self.__name__ = job["entry_point"]

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Returns what the program's function returns, or raises what it raises."""
        message = json.dumps(encode((arguments, keywords), Budget())).encode()
        send(self._channel, CALL, message)
        _, body = receive(self._channel, self._limit)
        reply = json.loads(body)
        if "error" in reply:
            raise _exception(reply)
        budget = Budget()
        value = decode(reply["value"], budget)
        if self._in_place:
            given = [*arguments, *keywords.values()]
            for before, now in zip(given, decode(reply["arguments"], budget), strict=True):
                _update(before, now)
        return value


def _exception(reply: dict[str, Any]) -> Exception:
    """Returns the exception of the program, as the built-in one that it is or derives from."""
    kinds = reply["error"] if type(reply["error"]) is list else []
    for name in kinds:
        kind = getattr(builtins, name, None) if type(name) is str else None
        if isinstance(kind, type) and issubclass(kind, Exception) and kind is not Exception:
            try:
                return kind(str(reply.get("text", "")))
            except TypeError:  # such as UnicodeDecodeError, which wants more
                break
    return RuntimeError(f"{reply.get('name')}: {reply.get('text')}")


def _update(before: Any, now: Any) -> None:
    """Makes a mutable argument what it is after the call, as tests may look at it."""
    if type(before) is not type(now):
        return
    if isinstance(before, list):
        before[:] = now
    elif isinstance(before, (dict, set)):
        before.clear()
        before.update(now)


def test(channel: socket.socket, job: dict[str, Any]) -> None:
    """Executes tests and sends the verdict: None if the tests have no `check` or exit."""
    candidate = Candidate(channel, job)
    space: dict[str, Any] = {"__name__": "tests", "math": math}
    passed: bool | None = None
    text = ""
    try:
        exec(compile(job["code"], "tests.py", "exec"), space)
        check = space["check"]
        space[job["entry_point"]] = candidate  # some tests call the function by its name
        passed = False
        check(candidate)
        passed = True
    except BaseException as error:
        if not isinstance(error, Exception):
            passed = None
        text = f"{type(error).__name__}: {str(error)[:300]}"
    verdict = {"passed": passed, "text": text}
    send(channel, VERDICT, json.dumps(verdict).encode())


def run_main(job: dict[str, Any]) -> int:
    """Executes a whole program; returns its exit status."""
    space: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins}
    try:
        exec(compile(_source(job), "main.py", "exec"), space)
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except MemoryError:
        status = 77
    except BaseException:
        import traceback

        traceback.print_exc()
        status = 1
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        status = status or 1
    return status & 0xFF


# Isolation


def isolate(limits: dict[str, Any]) -> int:
    """Moves this process into namespaces of its own; returns the pid of the first one there.

    The caller becomes the parent of that process and does nothing but wait for it. In the new
    process, 0 is returned: there, other processes are invisible, files are read-only but for a
    small private /tmp, and no capability is left.

    Raises:
        OSError: The kernel refuses.
    """
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
        uid = gid = _NOBODY
    _check(_LIBC.prctl(_DUMPABLE, 1, 0, 0, 0), "dumpable")
    _check(_LIBC.unshare(_NEWUSER | _NEWPID | _NEWNS | _NEWIPC), "unshare")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    pid = os.fork()
    if pid:
        return pid
    _LIBC.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _check(_LIBC.mount(None, b"/", None, _PRIVATE, None), "mount private")
    _tmpfs("/tmp", limits["file_bytes"], 0o777)
    _tmpfs("/dev/shm", limits["file_bytes"], 0o777)
    _tmpfs("/proc", 4096, 0o555)
    os.chdir("/tmp")
    _limit(limits)
    _drop_capabilities()
    return 0


def _tmpfs(path: str, size: int, mode: int) -> None:
    options = f"size={max(size, 4096)},nr_inodes=256,mode={mode:o}".encode()
    result = _LIBC.mount(b"tmpfs", path.encode(), b"tmpfs", _NOSUID | _NODEV, options)
    _check(result, f"mount {path}")


def _limit(limits: dict[str, Any]) -> None:
    memory, seconds = limits["memory_mb"] << 20, math.ceil(limits["seconds"]) + 1
    for name, value in (
        ("AS", memory), ("CPU", seconds), ("NPROC", limits["processes"]),
        ("FSIZE", limits["file_bytes"]), ("NOFILE", 64), ("CORE", 0), ("MEMLOCK", 0),
        ("MSGQUEUE", 0),
    ):  # fmt: skip
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def _drop_capabilities() -> None:
    for capability in range(64):
        if _LIBC.prctl(_CAPBSET_DROP, capability, 0, 0, 0):
            break
    header = struct.pack("Ii", 0x20080522, 0)
    _check(_LIBC.capset(header, struct.pack("6I", *[0] * 6)), "capset")
    _check(_LIBC.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
    _check(_LIBC.prctl(_DUMPABLE, 0, 0, 0, 0), "dumpable")


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


# The host


def run_job(descriptors: list[int], job: dict[str, Any]) -> int:
    """Runs a job in this process, which is the first of its namespaces; returns its status."""
    null = os.open("/dev/null", os.O_RDWR)
    streams = descriptors[:3] if job["role"] == "main" else [null, null, null]
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    channel = None
    if job["role"] != "main":
        channel = socket.socket(fileno=os.dup2(descriptors[0], 3))
    os.closerange(4 if channel else 3, _MAX_FILES)
    opened: list[Any] = [
        open(number, mode, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
        for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    ]
    sys.stdin, sys.stdout, sys.stderr = opened
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]
    sys.argv = ["main.py"]
    if channel is None:
        return run_main(job)
    try:
        {"serve": serve, "test": test}[job["role"]](channel, job)
    except (EOFError, OSError, ValueError):
        return 1
    return 0


def start(descriptors: list[int], job: dict[str, Any]) -> tuple[int, int]:
    """Forks for a job.

    Returns:
        The pid of the process that waits for it, and a descriptor (pidfd) of the first one inside.

    Raises:
        OSError: It did not begin.
    """
    read, write = os.pipe()
    gate, opener = os.pipe()
    waiter = os.fork()
    if waiter == 0:
        status = 99
        try:
            os.close(read)
            os.close(opener)
            pid = isolate(job["limits"])
            if pid == 0:
                os.close(write)
                os._exit(run_job(descriptors, job))
            os.write(write, str(pid).encode())
            # The pid must not be free again before the host has its descriptor.
            os.read(gate, 1)
            os.closerange(0, _MAX_FILES)
            _, result = os.waitpid(pid, 0)
            status = os.waitstatus_to_exitcode(result) & 0xFF
        except BaseException as error:
            os.write(write, f"error {error}".encode()[:300])
        finally:
            os._exit(status)
    os.close(write)
    os.close(gate)
    told = os.read(read, 300).decode()
    try:
        if not told.isdigit():
            os.waitpid(waiter, 0)
            raise OSError(told or "the job ended before it began")
        return waiter, os.pidfd_open(int(told))
    finally:
        for descriptor in (*descriptors, read, opener):
            os.close(descriptor)


def host(control: socket.socket) -> None:
    """Serves the parent: starts jobs, and ends them."""
    _check(_LIBC.prctl(_DUMPABLE, 0, 0, 0, 0), "dumpable")
    jobs: dict[int, int] = {}
    try:
        answer_all(control, jobs)
    finally:  # the first process of the sandbox lives as long as any other does
        for first in jobs.values():
            signal.pidfd_send_signal(first, signal.SIGKILL)


def answer_all(control: socket.socket, jobs: dict[int, int]) -> None:
    """Answers the parent until it is gone; `jobs` holds the pidfd of every job by its number."""
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, HEADER.size, 4)
        if not data:
            return
        kind, length = HEADER.unpack(data)
        message = json.loads(_exactly(control, length))
        if kind == b"S":
            try:
                waiter, pid = start(descriptors, message)
                jobs[waiter] = pid
                reply: dict[str, Any] = {"job": waiter}
            except OSError as error:
                reply = {"error": str(error)}
        else:
            waiter = message["job"]
            reply = {"status": _end(waiter, jobs.pop(waiter), message["seconds"])}
        send(control, b"A", json.dumps(reply).encode())


def _end(waiter: int, first: int, seconds: float) -> int:
    """Waits a while for a job, then kills it with all that it started; returns its status."""
    waiting = os.pidfd_open(waiter)
    try:
        poll = select.poll()
        poll.register(waiting, select.POLLIN)
        if not poll.poll(1000 * seconds):
            signal.pidfd_send_signal(first, signal.SIGKILL)  # the kernel kills all in its namespace
        _, result = os.waitpid(waiter, 0)
    except ProcessLookupError:  # it has just ended
        _, result = os.waitpid(waiter, 0)
    finally:
        os.close(waiting)
        os.close(first)
    return os.waitstatus_to_exitcode(result)


if __name__ == "__main__":
    host(socket.socket(fileno=int(sys.argv[1])))
