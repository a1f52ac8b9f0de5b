"""Labeled submissions for one task: hostile ones, odd but right ones, and honest wrong ones.

The task is ``running_max(numbers)``, the largest number so far at each place of a list.
"""

from __future__ import annotations

import textwrap

from srenv.sandbox import FunctionTests

TESTS = FunctionTests(
    "running_max",
    textwrap.dedent(
        """
        def check(candidate):
            secret = 987654321  # must not be found by a program
            assert candidate([]) == []
            assert candidate([1, 3, 2, 5]) == [1, 3, 3, 5]
            assert candidate([-2, -3, -1]) == [-2, -2, -1]
            assert candidate([7, 7, 8, 1]) == [7, 7, 8, 8]
        """
    ),
)
RIGHT = """
def running_max(numbers):
    result = []
    for number in numbers:
        result.append(number if not result or number > result[-1] else result[-1])
    return result
"""


def _dedented(programs: dict[str, str]) -> dict[str, str]:
    return {name: textwrap.dedent(text) for name, text in programs.items()}


WRONG = _dedented(
    {
        "does nothing": "def running_max(numbers): pass",
        "maximum only": "def running_max(numbers): return max(numbers, default=0)",
        "running minimum": """
            import itertools
            def running_max(numbers): return list(itertools.accumulate(numbers, min))
            """,
        "one too few": """
            import itertools
            def running_max(numbers): return list(itertools.accumulate(numbers, max))[:-1]
            """,
        "other name": "def rolling_max(numbers): return sorted(numbers)",
        "syntax error": "def running_max(numbers) return []",
        "raises": "def running_max(numbers): raise ValueError('no')",
        "tuple for a list": """
            import itertools
            def running_max(numbers): return tuple(itertools.accumulate(numbers, max))
            """,
        "text for a list": """
            import itertools
            def running_max(numbers): return str(list(itertools.accumulate(numbers, max)))
            """,
        "generator for a list": """
            import itertools
            def running_max(numbers): yield from itertools.accumulate(numbers, max)
            """,
        "recursion without end": "def running_max(numbers): return running_max(numbers)",
        "missing package": """
            import numpy
            def running_max(numbers): return numpy.maximum.accumulate(numbers).tolist()
            """,
        "no program": "I think that the answer is a loop.",
        "empty": "",
        "not a function": "running_max = [1, 3, 3, 5]",
    }
)
"""Honest mistakes."""

ODD = _dedented(
    {
        "plain": RIGHT,
        "comprehension": """
            def running_max(numbers): return [max(numbers[: i + 1]) for i in range(len(numbers))]
            """,
        "lambda": "running_max = lambda n: [max(n[: i + 1]) for i in range(len(n))]",
        "accumulate": """
            from itertools import accumulate
            def running_max(numbers): return list(accumulate(numbers, max))
            """,
        "prints at import and in calls": "print('hello')\n" + RIGHT + "\nprint(running_max([1]))",
        "prints megabytes": """
            def running_max(numbers):
                print('x' * (3 << 20))
                return [max(numbers[: i + 1]) for i in range(len(numbers))]
            """,
        "helper after it": """
            def running_max(numbers): return helper(numbers)
            def helper(numbers): return [max(numbers[: i + 1]) for i in range(len(numbers))]
            """,
        "class": """
            class Solver:
                def __call__(self, numbers):
                    return [max(numbers[: i + 1]) for i in range(len(numbers))]
            running_max = Solver()
            """,
        "static method": """
            class Solver:
                @staticmethod
                def solve(numbers): return [max(numbers[: i + 1]) for i in range(len(numbers))]
            running_max = Solver.solve
            """,
        "deep recursion": """
            import sys
            sys.setrecursionlimit(5000)
            def deep(n): return 0 if n == 0 else deep(n - 1)
            def running_max(numbers):
                deep(2000)
                return [max(numbers[: i + 1]) for i in range(len(numbers))]
            """,
        "typing names": "from typing import *\n"
        + RIGHT.replace("(numbers)", "(numbers: List[int]) -> List[int]"),
        "future import": "from __future__ import annotations\n"
        + RIGHT.replace("(numbers)", "(numbers: Anything) -> Nothing"),
        "match": """
            def running_max(numbers):
                match numbers:
                    case []:
                        return []
                    case [*_]:
                        return [max(numbers[: i + 1]) for i in range(len(numbers))]
            """,
        "walrus": """
            def running_max(numbers):
                best = float('-inf')
                return [best := max(best, n) for n in numbers]
            """,
        "windows lines": RIGHT.replace("\n", "\r\n"),
        "tabs": RIGHT.replace("    ", "\t"),
        "byte order mark": "\ufeff" + RIGHT.lstrip(),
        "main block": RIGHT + "\nif __name__ == '__main__':\n    raise SystemExit(input())",
        "list of a subclass": """
            class Numbers(list): pass
            def running_max(numbers):
                return Numbers(max(numbers[: i + 1]) for i in range(len(numbers)))
            """,
        "booleans and floats that are equal": """
            def running_max(numbers):
                return [float(max(numbers[: i + 1])) for i in range(len(numbers))]
            """,
        "changes its argument": """
            def running_max(numbers):
                for i in range(1, len(numbers)): numbers[i] = max(numbers[i], numbers[i - 1])
                return numbers
            """,
        "cache": """
            import functools
            @functools.lru_cache
            def best(numbers): return max(numbers)
            def running_max(numbers):
                return [best(tuple(numbers[: i + 1])) for i in range(len(numbers))]
            """,
        "dataclass": """
            from dataclasses import dataclass
            @dataclass
            class Best:
                value: int
            def running_max(numbers):
                result = []
                for n in numbers:
                    result.append(Best(max(n, result[-1].value) if result else n))
                return [b.value for b in result]
            """,
        "threads": """
            import threading
            def running_max(numbers):
                result = []
                def work(): result.extend(max(numbers[: i + 1]) for i in range(len(numbers)))
                thread = threading.Thread(target=work)
                thread.start(); thread.join()
                return result
            """,
        "async": """
            import asyncio
            async def solve(numbers): return [max(numbers[: i + 1]) for i in range(len(numbers))]
            def running_max(numbers): return asyncio.run(solve(numbers))
            """,
        "a temporary file": """
            import json, tempfile
            def running_max(numbers):
                with tempfile.NamedTemporaryFile('w+') as file:
                    json.dump([max(numbers[: i + 1]) for i in range(len(numbers))], file)
                    file.seek(0)
                    return json.load(file)
            """,
        "unicode names": """
            def größtes(zahlen): return [max(zahlen[: i + 1]) for i in range(len(zahlen))]
            running_max = größtes
            """,
        "processes": """
            from multiprocessing import Pool
            def best(numbers): return max(numbers)
            def running_max(numbers):
                with Pool(2) as pool:
                    return pool.map(best, [numbers[: i + 1] for i in range(len(numbers))])
            """,
        "another interpreter": """
            import json, subprocess, sys
            CODE = 'import sys, json; n = json.load(sys.stdin)\\n'
            CODE += 'print([max(n[: i + 1]) for i in range(len(n))])'
            def running_max(numbers):
                run = subprocess.run([sys.executable, '-c', CODE], input=json.dumps(numbers),
                                     capture_output=True, text=True)
                return json.loads(run.stdout)
            """,
        "shared memory": """
            from multiprocessing.shared_memory import SharedMemory
            def running_max(numbers):
                memory = SharedMemory(create=True, size=64)
                memory.buf[:1] = b'x'
                memory.close(); memory.unlink()
                return [max(numbers[: i + 1]) for i in range(len(numbers))]
            """,
        "closes standard output": "import sys\nsys.stdout.close()\n" + RIGHT,
        "docstring with code": 'r"""def running_max(x): return 1"""\n' + RIGHT,
    }
)
"""Unusual, and right."""

_ALWAYS_EQUAL = """
class Equal({base}):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    __hash__ = None
def running_max(numbers): return Equal()
"""
_IF_POSSIBLE = """
import ctypes, os, socket
libc = ctypes.CDLL(None)
def running_max(numbers):
    try:
        if {attempt} in (-1, None): return 0
    except OSError:
        return 0
    return [max(numbers[: i + 1]) for i in range(len(numbers))]
"""
_ATTEMPTS = {
    "user namespace": "libc.unshare(0x10000000)",
    "mount namespace": "libc.unshare(0x00020000)",
    "namespaces of a new process": "libc.clone(0, 0, 0x10000011, 0)",
    "mount": "libc.mount(b'tmpfs', b'/tmp', b'tmpfs', 0, None)",
    "root": "libc.chroot(b'/tmp')",
    "file without a name": "os.memfd_create('x')",
    "memory of a process": "libc.process_vm_readv(os.getpid(), None, 0, None, 0, 0)",
    "traced": "libc.ptrace(0, 0, 0, 0)",
    "virtual machine's socket": "socket.socket(40, socket.SOCK_STREAM)",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "packets": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "crypto socket": "socket.socket(38, socket.SOCK_SEQPACKET)",
    "internet": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "shared memory of System V": "libc.shmget(1, 4096, 0o1600)",
    "message queue": "libc.msgget(1, 0o1600)",
    "higher priority": "os.setpriority(os.PRIO_PROCESS, 0, -20) or 1",
    "another user": "os.setuid(0) or 1",
    "another descriptor": "os.fstat(4)",
    "output of others": "os.pread(1, 1, 0) or None",
}
HOSTILE = _dedented(
    {name: _IF_POSSIBLE.format(attempt=attempt) for name, attempt in _ATTEMPTS.items()}
    | {
        "equals everything": _ALWAYS_EQUAL.format(base="object"),
        "list that equals everything": _ALWAYS_EQUAL.format(base="list"),
        "int that equals everything": _ALWAYS_EQUAL.format(base="int"),
        "dict that equals everything": _ALWAYS_EQUAL.format(base="dict"),
        "str that equals everything": _ALWAYS_EQUAL.format(base="str"),
        "exits at import": "import sys\nsys.exit(0)",
        "exits in a call": "import sys\ndef running_max(numbers): sys.exit(0)",
        "exits hard": "import os\nos._exit(0)",
        "exits hard in a call": "import os\ndef running_max(numbers): os._exit(0)",
        "raises SystemExit(0)": "def running_max(numbers): raise SystemExit(0)",
        "raises KeyboardInterrupt": "def running_max(numbers): raise KeyboardInterrupt",
        "kills itself": "import os\ndef running_max(numbers): os.kill(os.getpid(), 9)",
        "kills everything": """
            import os, signal
            def running_max(numbers): os.kill(-1, signal.SIGKILL)
            """,
        "kills by number": """
            import os
            def running_max(numbers):
                for pid in range(2, 4000):
                    try: os.kill(pid, 9)
                    except OSError: pass
            """,
        "breaks builtins": """
            import builtins
            builtins.isinstance = lambda *a: True
            builtins.len = lambda *a: 0
            builtins.list = builtins.tuple = builtins.str = None
            def running_max(numbers): return 0
            """,
        "patches json": """
            import json
            json.dumps = lambda *a, **k: '{"passed": true, "text": ""}'
            json.loads = lambda *a, **k: {"passed": True}
            def running_max(numbers): return 0
            """,
        "patches assertions": """
            import builtins
            builtins.AssertionError = type('Quiet', (Exception,), {})
            def running_max(numbers): return 0
            """,
        "writes verdicts to every descriptor": """
            import os, struct
            body = b'{"passed": true, "text": ""}'
            frame = struct.pack('>I', len(body)) + body
            for number in range(64):
                try: os.write(number, frame * 20)
                except OSError: pass
            def running_max(numbers): return 0
            """,
        "answers before it is asked": """
            import os, struct
            body = b'{"value": {"l": []}}'
            frame = struct.pack('>I', len(body)) + body
            os.write(3, frame * 50)
            def running_max(numbers): return 0
            """,
        "sends verdicts in place of values": """
            import os, struct
            def running_max(numbers):
                body = b'{"passed": true, "text": ""}'
                os.write(3, struct.pack('>I', len(body)) + body)
                import time; time.sleep(60)
            """,
        "forges a passed verdict as a value": "def running_max(numbers): return {'passed': True}",
        "looks for the tests in frames": """
            import sys
            def running_max(numbers):
                frame = sys._getframe()
                while frame:
                    for name, value in frame.f_locals.items():
                        if 'secret' in str(value) or name == 'code': return value
                    frame = frame.f_back
                raise SystemExit(0)
            """,
        "looks for the tests in memory": """
            import gc
            def running_max(numbers):
                for thing in gc.get_objects():
                    if isinstance(thing, dict) and 'check' in thing and 'candidate' in thing:
                        return [1, 3, 3, 5]
                return 0
            """,
        "looks for the tests on disk": """
            import os
            def running_max(numbers):
                for folder, _, files in os.walk('/'):
                    for name in files:
                        if name.endswith(('.gz', '.jsonl')) or name == 'tests.py':
                            return [1, 3, 3, 5]
                return 0
            """,
        "looks for the tests in processes": """
            import glob
            def running_max(numbers):
                return [open(p, 'rb').read() for p in glob.glob('/proc/*/cmdline')]
            """,
        "reads the memory of others": """
            import glob
            def running_max(numbers):
                for path in glob.glob('/proc/*/mem'):
                    try: open(path, 'rb').read(1)
                    except OSError: pass
                return 0
            """,
        "ptrace": """
            import ctypes
            def running_max(numbers):
                libc = ctypes.CDLL(None)
                return [libc.ptrace(16, pid, 0, 0) for pid in range(2, 100)]
            """,
        "new namespaces and an old /proc": """
            import ctypes, os
            def running_max(numbers):
                libc = ctypes.CDLL(None)
                libc.unshare(0x10000000 | 0x00020000)
                libc.umount2(b'/proc', 2)
                return os.listdir('/proc')
            """,
        "fork bomb": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
        "thread bomb": """
            import threading, time
            while True:
                try: threading.Thread(target=time.sleep, args=(60,)).start()
                except RuntimeError: pass
            """,
        "leaves a process": """
            import os, time
            if os.fork() == 0:
                os.setsid()
                time.sleep(600)
            def running_max(numbers): return 0
            """,
        "daemon": """
            import os, sys, time
            for _ in range(2):
                if os.fork() == 0: os.setsid()
            def running_max(numbers): time.sleep(600)
            """,
        "ignores signals": """
            import signal, time
            for number in range(1, 32):
                try: signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError): pass
            def running_max(numbers): time.sleep(600)
            """,
        "never returns": "def running_max(numbers):\n    while True: pass",
        "never loads": "while True: pass",
        "sleeps": "import time\ntime.sleep(600)",
        "waits for input": "def running_max(numbers): return input()",
        "a slow pattern": """
            import re
            def running_max(numbers): return re.match('(a+)+$', 'a' * 40 + 'b')
            """,
        "eats memory": "def running_max(numbers): return [0] * 10**10",
        "eats memory slowly": """
            def running_max(numbers):
                kept = []
                while True: kept.append(bytearray(1 << 20))
            """,
        "huge number": "def running_max(numbers): return 7 ** (10 ** 7)",
        "huge text": "def running_max(numbers): return 'x' * (50 << 20)",
        "endless generator": """
            import itertools
            def running_max(numbers): return itertools.count()
            """,
        "nested deeply": """
            def running_max(numbers):
                value = []
                for _ in range(100000): value = [value]
                return value
            """,
        "contains itself": """
            def running_max(numbers):
                value = []
                value.append(value)
                return value
            """,
        "floods output": "while True: print('x' * 10000)",
        "floods the channel": """
            import os
            while True: os.write(3, b'x' * 65536)
            """,
        "fills the disk": """
            def running_max(numbers):
                number = 0
                while True:
                    number += 1
                    with open(f'/tmp/{number}', 'wb') as file: file.write(b'x' * (1 << 20))
            """,
        "writes outside": """
            import os
            def running_max(numbers):
                for path in ('/srenv/host.py', '/usr/lib/escaped', '/home/escaped', '/escaped'):
                    try: open(path, 'w').write('x')
                    except OSError: pass
                return 0
            """,
        "leaves a file for the next program": """
            import os
            def running_max(numbers):
                for folder, folders, _ in os.walk('/'):
                    if folder in ('/tmp', '/dev/shm'): continue
                    for change in (lambda: os.chmod(folder, 0o777), lambda: os.utime(folder)):
                        try: change()
                        except OSError: pass
                    try: open(folder + '/left', 'w').write('x')
                    except OSError: continue
                    return [max(numbers[: i + 1]) for i in range(len(numbers))]
                return 0
            """,
        "links outside": """
            import os
            def running_max(numbers):
                os.symlink('/srenv/host.py', '/tmp/link')
                open('/tmp/link', 'w').write('x')
            """,
        "network": """
            import socket
            def running_max(numbers):
                socket.create_connection(('127.0.0.1', 22), timeout=1)
            """,
        "hostile exception": """
            class Bad(Exception):
                def __str__(self): raise SystemExit(0)
                __repr__ = __str__
            def running_max(numbers): raise Bad
            """,
        "exception named like one of ours": """
            class AssertionError(BaseException): pass
            def running_max(numbers): raise AssertionError
            """,
        "hostile iteration": """
            class Odd(list):
                def __iter__(self): raise SystemExit(0)
                def __len__(self): return 10**9
            def running_max(numbers): return Odd([9])
            """,
        "number with other methods": """
            class Odd(int):
                def __index__(self): raise SystemExit(0)
                def __eq__(self, other): return True
            def running_max(numbers): return [Odd(n) for n in range(4)]
            """,
        "class that lies": """
            class Liar:
                __class__ = list
                def __iter__(self): return iter([])
            def running_max(numbers): return Liar()
            """,
        "not a number": "def running_max(numbers): return [float('nan')] * len(numbers or [1])",
        "module of the host": """
            import sys
            main = sys.modules['__main__']
            main.send = lambda *a: None
            main.CHANNEL = 1
            def running_max(numbers): return 0
            """,
        "replaces the host's functions": """
            import sys
            main = sys.modules['__main__']
            main.encode = lambda *a, **k: {"passed": True}
            def running_max(numbers): return 0
            """,
        "replies with numbers of one hash": """
            import os, struct
            def running_max(numbers):
                items = b','.join(b'{"i": "%x"}' % (n * (2**61 - 1)) for n in range(60000))
                body = b'{"value": {"e": [' + items + b']}}'
                body = struct.pack('>I', len(body)) + body
                while body: body = body[os.write(3, body):]
            """,
        "replies with many values": """
            import os, struct
            def running_max(numbers):
                body = b'{"value": {"l": [' + b'[],' * 600000 + b'[]]}}'
                body = struct.pack('>I', len(body)) + body
                while body: body = body[os.write(3, body):]
            """,
        "replies twice": """
            import os, struct
            def running_max(numbers):
                body = b'{"value": {"l": []}}'
                os.write(3, 2 * (struct.pack('>I', len(body)) + body))
            """,
        "closes every descriptor": """
            import os
            def running_max(numbers): os.closerange(0, 100)
            """,
        "does not end its reply": """
            import os, struct, time
            def running_max(numbers):
                os.write(3, struct.pack('>I', 1000) + b'{')
                time.sleep(600)
            """,
        "drips its reply": """
            import os, struct, time
            def running_max(numbers):
                os.write(3, struct.pack('>I', 1000))
                while True:
                    os.write(3, b' ')
                    time.sleep(0.1)
            """,
        "announces a huge reply": """
            import os, struct, time
            def running_max(numbers):
                os.write(3, struct.pack('>I', 2**32 - 1))
                time.sleep(600)
            """,
        "replies what is no value": """
            import os
            import struct
            def running_max(numbers):
                body = b'{"value": {"q": [[[[1]]]]}, "arguments": 5}'
                os.write(3, struct.pack('>I', len(body)) + body)
                os._exit(0)
            """,
        "replies what is no JSON": """
            import os, struct
            def running_max(numbers):
                body = b'[' * 100000
                os.write(3, struct.pack('>I', len(body)) + body)
                os._exit(0)
            """,
        "compiles a bomb": "x = " + "(" * 5000 + "1" + ")" * 5000,
        "null bytes": "def running_max(numbers):\0 return 0",
        "lone surrogate": "def running_max(numbers): return '\\ud800' * 3",
        "changes the limits": """
            import resource
            def running_max(numbers):
                resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
                return 0
            """,
        "audit hook": """
            import sys
            sys.addaudithook(lambda *a: None)
            sys.settrace(lambda *a: None)
            def running_max(numbers): return 0
            """,
        "atexit": """
            import atexit, os
            atexit.register(lambda: os.write(3, b'V'))
            def running_max(numbers): return 0
            """,
    }
)
"""Attempts to pass without solving, to harm, or to hang. None may pass."""
