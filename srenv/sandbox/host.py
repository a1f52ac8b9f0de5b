"""What runs inside the sandbox: one file, standard library only, which knows no secret.

A host isolates itself once, then forks for every job. The fork gets processes and files of its own,
gives up all capabilities, and only then reads from its own channel what it is to do, so a host has
never read a program or a test that the next fork could find in its memory. The roles of a fork:

* ``serve``: executes a program and answers calls of one of its functions,
* ``test``: executes the tests of one task after the other, whose `candidate` calls a program that
  another host runs,
* ``main``: executes a whole program with given standard streams.

Values travel as JSON with tags for the types that JSON does not have. Nothing is ever unpickled,
and what arrives is built of exact built-in types, so that no method of a program travels with it.
"""

from __future__ import annotations

import bisect
import builtins
import copy
import ctypes
import functools
import gc
import heapq
import itertools
import json
import math
import operator
import os
import random
import re
import resource
import select
import signal
import site
import socket
import string
import struct
import sys
import time
import traceback
import types
from collections import deque
from collections.abc import ItemsView, KeysView, ValuesView
from typing import Any, NoReturn

LOADED = (bisect, copy, functools, heapq, itertools, operator, random, re, string)
"""What many programs import; they find it loaded."""

MAX_DEPTH = 60
MAX_ITEMS = 200_000
MAX_CALLS = 20_000
"""Calls of a function in one run of its tests."""
HEADER = struct.Struct(">I")
START = struct.Struct("<cdqqq")
END = struct.Struct("<cd")
STATUS = struct.Struct("<i")
"""Messages of a host: ``S`` and limits (seconds, bytes of memory, processes, bytes of files);
``E`` and seconds, which is answered by the exit status."""
MAX_USED = 100 << 10
"""KiB of memory that a process of tests may have used to be used again."""
MAX_MESSAGE = 1 << 30
"""Bytes of a job, which comes from srenv."""
OUT_OF_MEMORY = 77
CONTROL, OWN_NAMESPACE = 3, 4
"""Descriptors of a host: those of a job that it is passed have higher numbers."""
CHANNEL = 3
"""Descriptor that a job is told what to do by."""

_LIBC = ctypes.CDLL(None, use_errno=True)
_NEWUSER, _NEWPID, _NEWNS, _NEWIPC = 0x10000000, 0x20000000, 0x00020000, 0x08000000
_PRIVATE, _READ_ONLY, _NOSUID, _NODEV, _NO_ATIME = 0x40000 | 0x4000, 1, 2, 4, 0x400
_DETACH, _COARSE = 2, 5
_PDEATHSIG, _DUMPABLE, _SECCOMP, _CAPBSET_DROP, _NO_NEW_PRIVS = 1, 4, 22, 24, 38
_FILTER = 2
_CAPABILITIES_3, _NO_CAPABILITIES = struct.pack("Ii", 0x20080522, 0), bytes(24)
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
        number = int.__index__(value)
        return number if -(2**63) < number < 2**63 else {"i": hex(number)}
    if isinstance(value, float):
        return float.__float__(value)
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
    for tag, kind in _TAGS:
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


_TAGS: tuple[tuple[str, Any], ...] = (
    ("l", list), ("t", tuple), ("e", set), ("z", frozenset), ("l", deque),
)  # fmt: skip
_KINDS: dict[str, Any] = {"l": list, "t": tuple, "e": set, "z": frozenset, "n": iter}


def _odd(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)


def decode(data: Any, budget: Budget, depth: int = 0) -> Any:
    """Returns the value that `encode` was given, of exact built-in types.

    Raises:
        ValueError: It is not what `encode` returns.
    """
    budget.spend(depth)
    if data is None or type(data) in (bool, str, int, float):
        return data
    if type(data) is not dict or len(data) != 1:
        raise ValueError("not a value")
    ((tag, body),) = data.items()
    if tag in ("i", "s", "b"):
        if type(body) is not str or (tag == "i" and len(body) > 200_000):
            raise ValueError("not a value")
        if tag == "i":
            return int(body, 16)
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
    if tag not in _KINDS:
        raise ValueError("not a value")
    return _KINDS[tag](items)


# Messages


def send(channel: int, body: bytes) -> None:
    """Sends one message."""
    left = memoryview(HEADER.pack(len(body)) + body)
    while left:
        left = left[os.write(channel, left) :]


def receive(channel: int, limit: int) -> bytes:
    """Receives one message.

    Raises:
        EOFError: The other side is gone.
        ValueError: The message is longer than `limit`.
    """
    (length,) = HEADER.unpack(_exactly(channel, HEADER.size))
    if length > limit:
        raise ValueError("the message is too long")
    return _exactly(channel, length)


def _exactly(channel: int, count: int) -> bytes:
    parts = []
    while count:
        part = os.read(channel, min(count, 1 << 16))
        if not part:
            raise EOFError("the other side is gone")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


# Roles


def serve(job: dict[str, Any]) -> None:
    """Executes a program, and answers calls of its function until the tests end."""
    space = _module("solution")
    try:
        exec(compile(_source(job), "solution.py", "exec"), space)
        function = space.get(job["entry_point"])
        if not callable(function):
            raise NameError(f"the program defines no function {job['entry_point']}")
    except BaseException as error:
        send(CHANNEL, _failure(error))
        return
    send(CHANNEL, b'{"ready": true}')
    while True:
        arguments, keywords = decode(json.loads(receive(CHANNEL, 64 * job["limit"])), Budget())
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
        send(CHANNEL, answer)


def _module(name: str) -> dict[str, Any]:
    """Returns the names of a new module, which can be imported."""
    module = sys.modules[name] = types.ModuleType(name)
    module.__dict__["__builtins__"] = builtins
    return module.__dict__


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
    """The program's function in the tests, whose calls travel to the program.

    A program that does not keep to the order of calls and replies ends its tests: no code of the
    tests can take that for anything else.
    """

    def __init__(self, program: int, task: dict[str, Any]) -> None:
        self._program, self._limit, self._in_place = program, task["limit"], task["in_place"]
        self._calls = 0
        self._poll = select.poll()
        self._poll.register(program, select.POLLIN)
        self.out_of_memory = False
        self.__name__ = task["entry_point"]

    def wait(self) -> None:
        """Waits until the program is loaded."""
        try:
            receive(self._program, 0)  # sent before the program is read
        except (EOFError, OSError, ValueError):
            _end_tests(None, "sandbox", "the program's process did not start")
        reply = self._receive()
        if "error" in reply:
            memory = isinstance(_exception(reply), MemoryError)
            _end_tests(False, "memory" if memory else "error", _words(reply))

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Returns what the program's function returns, or raises what it raises."""
        message = json.dumps(encode((arguments, keywords), Budget())).encode()
        self._calls += 1
        if self._calls > MAX_CALLS:
            _end_tests(False, "time", f"more than {MAX_CALLS} calls")
        if self._poll.poll(0):
            _end_tests(False, "error", "the program ended, or answered what it was not asked")
        try:
            send(self._program, message)
        except OSError:
            _end_tests(False, "error", "the program ended")
        reply = self._receive()
        if "error" in reply:
            error = _exception(reply)
            self.out_of_memory |= isinstance(error, MemoryError)
            raise error
        try:
            budget = Budget()
            value = decode(reply["value"], budget)
            after = decode(reply["arguments"], budget) if self._in_place else []
        except Exception:  # whatever may be wrong with data that a program made
            _end_tests(False, "error", "the program's answer is no value")
        for before, now in zip([*arguments, *keywords.values()], after, strict=False):
            _update(before, now)
        return value

    def _receive(self) -> dict[str, Any]:
        try:
            # An encoded value has a few more characters than the limit on it.
            reply = json.loads(receive(self._program, 2 * self._limit))
        except (EOFError, OSError):
            _end_tests(False, "error", "the program ended")
        except Exception:
            _end_tests(False, "output", "the program's answer is too long, or no JSON")
        if not isinstance(reply, dict):
            _end_tests(False, "error", "the program's answer is no answer")
        return reply


def _words(reply: dict[str, Any]) -> str:
    return f"{reply.get('name')}: {reply.get('text')}"


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
    return RuntimeError(_words(reply))


def _update(before: Any, now: Any) -> None:
    """Makes a mutable argument what it is after the call, as tests may look at it."""
    if type(before) is not type(now):
        return
    if isinstance(before, list):
        before[:] = now
    elif isinstance(before, (dict, set)):
        before.clear()
        before.update(now)


def test() -> None:
    """Executes the tests of one task after the other, each with a program of its own."""
    channel, loaded = socket.socket(fileno=CHANNEL), set(sys.modules)
    while True:
        header, descriptors, _, _ = socket.recv_fds(channel, HEADER.size, 1)
        if not header:
            return
        (length,) = HEADER.unpack(header)
        send(CHANNEL, _tested(descriptors[0], json.loads(_exactly(CHANNEL, length))))
        os.close(descriptors[0])
        for name in set(sys.modules) - loaded:
            del sys.modules[name]


def _tested(program: int, task: dict[str, Any]) -> bytes:
    """Executes tests; their verdict is None if they have no `check`, or exit."""
    candidate = Candidate(program, task)
    space: dict[str, Any] = {"__name__": "tests", "math": math}
    passed: bool | None = None
    text = ""
    try:
        code = compile(task["code"], "tests.py", "exec")  # while the program starts
        candidate.wait()
        exec(code, space)
        check = space["check"]
        space[task["entry_point"]] = candidate  # some tests call the function by its name
        passed = False
        check(candidate)
        passed = True
    except BaseException as error:
        if not isinstance(error, Exception):
            passed = None
        text = f"{type(error).__name__}: {str(error)[:300]}"
    if passed is None:
        _end_tests(None, "sandbox", f"the tests ended early: {text}")
    wrong = "memory" if candidate.out_of_memory else "failed"
    # Tests that leave threads or a lot of memory behind are the last of this process.
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    last = len(sys._current_frames()) > 1 or used > MAX_USED
    return _verdict(passed, "passed" if passed else wrong, text, last)


def _end_tests(passed: bool | None, reason: str, text: str) -> NoReturn:
    """Gives the verdict, and ends this process."""
    send(CHANNEL, _verdict(passed, reason, text, last=True))
    os._exit(0)


def _verdict(passed: bool | None, reason: str, text: str, last: bool) -> bytes:
    fields = {"passed": passed, "reason": reason, "text": text[:1000], "last": last}
    return json.dumps(fields).encode()


def run_main(job: dict[str, Any]) -> int:
    """Executes a whole program; returns its exit status."""
    try:
        exec(compile(_source(job), "main.py", "exec"), _module("__main__"))
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except MemoryError:
        status = OUT_OF_MEMORY
    except BaseException:
        traceback.print_exc()
        status = 1
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        status = status or 1
    return status & 0xFF


def run_job(descriptors: list[int]) -> int:
    """Reads what to do, and does it; returns the exit status.

    Args:
        descriptors: The channel and, of a whole program, its standard streams.
    """
    os.dup2(descriptors[0], CHANNEL)
    for number, descriptor in enumerate(descriptors[1:]):
        os.dup2(descriptor, number)
    os.closerange(CHANNEL + 1, _MAX_FILES)
    send(CHANNEL, b"")  # where an error would be
    job = json.loads(receive(CHANNEL, MAX_MESSAGE))
    if job["role"] == "main":
        os.close(CHANNEL)
        return run_main(job)
    try:
        test() if job["role"] == "test" else serve(job)
    except (EOFError, OSError, ValueError):
        return 1
    return 0


# Isolation


class SystemCalls(ctypes.Structure):
    """A filter of system calls, as the kernel wants it; in its text form, hexadecimal digits."""

    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]

    def __init__(self, text: str) -> None:
        code = bytes.fromhex(text)
        super().__init__(len(code) // 8, code)

    def install(self) -> None:
        """Makes the kernel apply it to this process and those that it forks."""
        result = _LIBC.prctl(_SECCOMP, _FILTER, ctypes.byref(self), 0, 0)
        _check(result, "filter of system calls")


def isolate(limits: tuple[float, int, int, int], calls: SystemCalls) -> None:
    """Limits this process, the first of its namespace, and takes its rights.

    Args:
        limits: Seconds, bytes of memory, processes, and bytes of files.
        calls: The filter of system calls.

    Raises:
        OSError: The kernel refuses.
    """
    seconds, memory, processes, size = limits
    os.chdir("/tmp")
    for name, value in (
        ("AS", memory), ("CPU", math.ceil(seconds) + 1), ("NPROC", processes + 1),
        ("FSIZE", size), ("NOFILE", 64), ("CORE", 0), ("MEMLOCK", 0), ("MSGQUEUE", 0),
    ):  # fmt: skip
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
    _check(_LIBC.capset(_CAPABILITIES_3, _NO_CAPABILITIES), "capset")
    _check(_LIBC.prctl(_DUMPABLE, 0, 0, 0, 0), "dumpable")
    calls.install()


def _unshare(namespaces: int) -> None:
    _check(_LIBC.unshare(namespaces), "unshare")


def _mount(kind: bytes, path: bytes, options: str, flags: int = 0) -> None:
    result = _LIBC.mount(kind, path, kind, flags | _NOSUID | _NODEV, options.encode())
    _check(result, f"mount {path.decode()}")


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


# The host


class Scratch:
    """The file system /tmp of jobs, which the next job gets only if no job has touched it.

    Making one for every job, in a namespace of its own, would cost a job of a small program a
    quarter more.
    """

    def __init__(self) -> None:
        self._size, self._made = 0, 0

    def prepare(self, size: int) -> None:
        """Makes it, unless there is one.

        Args:
            size: Bytes that fit into it.

        Raises:
            OSError: The kernel refuses.
        """
        size = max(size, 4096)
        if size == self._size:
            return
        self._remove()
        _mount(b"tmpfs", b"/tmp", f"size={size},nr_inodes=256,mode=777", _NO_ATIME)
        self._made = os.stat("/tmp").st_ctime_ns
        # Whatever a job changes in it sets this time, which nobody can choose. The kernel's clock
        # for it is a coarse one: a change must not come within the same tick.
        time.sleep(2 * time.clock_getres(_COARSE))
        self._size = size

    def release(self) -> None:
        """Removes it after a job that has touched it.

        Raises:
            OSError: The kernel refuses.
        """
        if self._size and os.stat("/tmp").st_ctime_ns != self._made:
            self._remove()

    def _remove(self) -> None:
        if self._size:
            _check(_LIBC.umount2(b"/tmp", _DETACH), "unmount /tmp")
            self._size = 0


def settle() -> None:
    """Moves to namespaces of the host's own, in which it has the rights to make those of jobs.

    The caller continues as the first process there; the one that it was waits for it.

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
    _unshare(_NEWUSER | _NEWPID | _NEWNS | _NEWIPC)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    if pid := os.fork():
        os.close(CONTROL)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 0xFF)
    _LIBC.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _check(_LIBC.mount(None, b"/", None, _PRIVATE, None), "mount private")
    # Read-only, as nothing that one job writes may be there for the next.
    _mount(b"tmpfs", b"/proc", "size=4096,mode=555", _READ_ONLY)
    for capability in range(64):
        if _LIBC.prctl(_CAPBSET_DROP, capability, 0, 0, 0):
            break
    _check(_LIBC.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
    _check(_LIBC.prctl(_DUMPABLE, 0, 0, 0, 0), "dumpable")
    os.dup2(os.pidfd_open(os.getpid()), OWN_NAMESPACE)


def start(descriptors: list[int], limits: tuple[float, int, int, int], calls: SystemCalls) -> int:
    """Forks for a job; returns its pid.

    Raises:
        OSError: The kernel refuses.
    """
    _unshare(_NEWPID)
    try:
        if pid := os.fork():
            return pid
        status = 1
        try:
            try:
                isolate(limits, calls)
            except OSError as error:
                send(descriptors[0], str(error).encode())
                raise
            status = run_job(descriptors)
        finally:
            os._exit(status)
    finally:
        _check(_LIBC.setns(OWN_NAMESPACE, _NEWPID), "setns")


def end(pid: int, seconds: float) -> int:
    """Waits a while for a job, then kills it with all that it started; returns its status."""
    if seconds:
        waiting = os.pidfd_open(pid)
        poll = select.poll()
        poll.register(waiting, select.POLLIN)
        poll.register(CONTROL, 0)  # only for its end
        poll.poll(1000 * seconds)
        os.close(waiting)
    os.kill(pid, signal.SIGKILL)  # the kernel kills all in its namespace
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def warm_up() -> None:
    """Does what jobs do, so that they find it done, and copy fewer of the pages that they share."""
    assert _LIBC.capset  # looked up
    source = (
        "from typing import List\n\ndef f(x: List[int]) -> str:\n    return sorted(x), [str(x)]"
    )
    for _ in range(20):
        space = {"__name__": "warm"}
        exec(compile(source, "warm.py", "exec"), space)
        value = space["f"]([2, 1])  # type: ignore[operator]
        answer = json.dumps({"value": encode((value, {"a": 1.5}, {True, None}), Budget())})
        decode(json.loads(answer)["value"], Budget())
    gc.collect()
    gc.freeze()  # a collection in a job then leaves these objects alone


def host(control: socket.socket, calls: SystemCalls) -> None:
    """Serves its parent, one job at a time, until that is gone."""
    scratch, pid, problem = Scratch(), 0, ""
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, START.size, 4)
        if not message:
            return  # and as the first process of its namespace it takes all others with it
        if message[:1] == b"S":
            limits = START.unpack(message)[1:]
            try:
                scratch.prepare(limits[-1])
                pid = start(descriptors, limits, calls)
            except OSError as error:
                pid, problem = 0, str(error)
            for descriptor in descriptors:
                os.close(descriptor)
        elif pid:
            control.send(STATUS.pack(end(pid, END.unpack(message)[1])))
            scratch.release()
        else:
            control.send(STATUS.pack(-1) + problem.encode())


def main(control: str, calls: str, calls_of_jobs: str) -> None:
    """Runs a host.

    Args:
        control: Number of the descriptor that its parent talks to it by.
        calls: The filter of system calls.
        calls_of_jobs: What jobs add to it.
    """
    os.dup2(int(control), CONTROL)
    os.closerange(CONTROL + 1, _MAX_FILES)
    settle()
    SystemCalls(calls).install()
    for number in (1, 2):
        os.dup2(0, number)  # nothing that one job prints may be there for the next
    site.setquit()
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    sys.argv = ["main.py"]
    warm_up()
    host(socket.socket(fileno=CONTROL), SystemCalls(calls_of_jobs))


if __name__ == "__main__":
    main(*sys.argv[1:])
