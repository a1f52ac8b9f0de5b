"""The filter of system calls that every program runs under.

It refuses what no program needs and where the kernel's holes have been: namespaces and mounts,
sockets other than Unix sockets, the keyring, memory and files without a name, other processes'
memory, tracing, io_uring, BPF, and whatever is newer than this list. The filter is a program of the
kernel's packet filter (seccomp(2)), in two parts: that of a host, which its jobs inherit, and what
jobs add, since a host makes namespaces.
"""

from __future__ import annotations

import errno
import struct
from typing import NamedTuple

from srenv.sandbox.jobs import SandboxUnavailable


class Machine(NamedTuple):
    """What differs between machines: the number of their kind, and those of system calls."""

    audit: int
    clone: int
    socket: int
    socketpair: int
    isolating: tuple[int, ...]
    refused: tuple[int, ...]


_X86_64 = """
pivot_root 155 chroot 161 swapon 167 swapoff 168
quotactl 179 name_to_handle_at 303 open_by_handle_at 304 fanotify_init 300 fanotify_mark 301
add_key 248 request_key 249 keyctl 250 memfd_create 319 ptrace 101 process_vm_readv 310
process_vm_writev 311 kcmp 312 bpf 321 perf_event_open 298 userfaultfd 323 seccomp 317
shmget 29 shmat 30 shmctl 31 shmdt 67 semget 64 semop 65 semctl 66 semtimedop 220 msgget 68
msgsnd 69 msgrcv 70 msgctl 71 mq_open 240 mq_unlink 241
mbind 237 set_mempolicy 238 get_mempolicy 239 migrate_pages 256 move_pages 279
acct 163 reboot 169 sethostname 170 setdomainname 171 settimeofday 164 clock_settime 227
adjtimex 159 clock_adjtime 305 init_module 175 delete_module 176 finit_module 313 kexec_load 246
kexec_file_load 320 syslog 103 personality 135 vhangup 153 lookup_dcookie 212 nfsservctl 180
iopl 172 ioperm 173 modify_ldt 154 uselib 134 _sysctl 156 sysfs 139 ustat 136
"""
_AARCH64 = """
pivot_root 41 chroot 51 swapon 224 swapoff 225
quotactl 60 name_to_handle_at 264 open_by_handle_at 265 fanotify_init 262 fanotify_mark 263
add_key 217 request_key 218 keyctl 219 memfd_create 279 ptrace 117 process_vm_readv 270
process_vm_writev 271 kcmp 272 bpf 280 perf_event_open 241 userfaultfd 282 seccomp 277
shmget 194 shmat 196 shmctl 195 shmdt 197 semget 190 semop 193 semctl 191 semtimedop 192 msgget 186
msgsnd 189 msgrcv 188 msgctl 187 mq_open 180 mq_unlink 181
mbind 235 set_mempolicy 237 get_mempolicy 236 migrate_pages 238 move_pages 239
acct 89 reboot 142 sethostname 161 setdomainname 162 settimeofday 170 clock_settime 112
adjtimex 171 clock_adjtime 266 init_module 105 delete_module 106 finit_module 273 kexec_load 104
kexec_file_load 294 syslog 116 personality 92 vhangup 58 lookup_dcookie 18 nfsservctl 42
"""
_COMMON = """
io_uring_setup 425 io_uring_enter 426 io_uring_register 427 open_tree 428 move_mount 429 fsopen 430
fsconfig 431 fsmount 432 fspick 433 pidfd_getfd 438 process_madvise 440 mount_setattr 442
quotactl_fd 443 memfd_secret 447 process_mrelease 448 set_mempolicy_home_node 450
"""
"""System calls that have the same number on all machines."""
_CLONE3, _FIRST_UNKNOWN = 435, 451
_NEW_NAMESPACES = 0x7E020000
"""Flags of ``clone``."""
_UNIX = 1


def _numbers(*tables: str) -> tuple[int, ...]:
    return tuple(int(word) for table in tables for word in table.split() if word.isdigit())


MACHINES = {
    "x86_64": Machine(
        0xC000003E,
        clone=56,
        socket=41,
        socketpair=53,
        isolating=_numbers("unshare 272 setns 308 mount 165 umount2 166"),
        refused=_numbers(_X86_64, _COMMON),
    ),
    "aarch64": Machine(
        0xC00000B7,
        clone=220,
        socket=198,
        socketpair=199,
        isolating=_numbers("unshare 97 setns 268 mount 40 umount2 39"),
        refused=_numbers(_AARCH64, _COMMON),
    ),
}

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _AUDIT, _ARGUMENT = 0, 4, 16
"""Places in what a filter looks at: call, machine, low half of the first argument."""
_KILL, _ERROR, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000


def filters(machine: str) -> tuple[bytes, bytes]:
    """Returns the filter of a host and the one that its jobs add.

    Args:
        machine: As `platform.machine` names it.

    Raises:
        SandboxUnavailable: Its system calls are not known.
    """
    if machine not in MACHINES:
        raise SandboxUnavailable(
            f"the sandbox does not know the system calls of {machine}, only those of "
            f"{' and '.join(MACHINES)}"
        )
    known = MACHINES[machine]
    host = [
        _step(_LOAD, _AUDIT),
        _step(_EQUAL, known.audit, yes=1),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
        # C libraries fall back to older calls if they hear that one does not exist.
        *_refuse(_AT_LEAST, _FIRST_UNKNOWN, errno.ENOSYS),
        *_refuse(_EQUAL, _CLONE3, errno.ENOSYS),
        *(step for number in known.refused for step in _refuse(_EQUAL, number, errno.EPERM)),
        _step(_EQUAL, known.socket, yes=1),
        _step(_EQUAL, known.socketpair, no=3),
        _step(_LOAD, _ARGUMENT),
        _step(_EQUAL, _UNIX, yes=1),
        _step(_RETURN, _ERROR | errno.EACCES),
        _step(_RETURN, _ALLOW),
    ]
    job = [
        _step(_LOAD, _NUMBER),
        *(step for number in known.isolating for step in _refuse(_EQUAL, number, errno.EPERM)),
        _step(_EQUAL, known.clone, no=3),
        _step(_LOAD, _ARGUMENT),
        *_refuse(_ANY_BIT, _NEW_NAMESPACES, errno.EPERM),
        _step(_RETURN, _ALLOW),
    ]
    return b"".join(host), b"".join(job)


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    """One instruction; `yes` and `no` are the numbers of instructions to skip."""
    return struct.pack("=HBBI", code, yes, no, value)


def _refuse(test: int, value: int, error: int) -> list[bytes]:
    return [_step(test, value, no=1), _step(_RETURN, _ERROR | error)]
