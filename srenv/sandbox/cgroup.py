"""Control groups: a limit on the memory of a program's processes together.

Resource limits hold for each process by itself. If this process may create control groups (as root,
outside of most containers), every host gets one; elsewhere there is none.
"""

from __future__ import annotations

import itertools
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_ROOT = Path("/sys/fs/cgroup")
_HOST_MB = 64
"""MiB for the host itself, in addition to what its program may use."""
_numbers = itertools.count()


class Files(NamedTuple):
    """The files of a group in one version of the kernel's interface.

    Attributes:
        limits: Each takes a number of bytes; the later ones, of swap, need not exist.
        kills: Has a line ``oom_kill NUMBER``.
    """

    limits: tuple[str, ...]
    kills: str


V1 = Files(("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"), "memory.oom_control")
V2 = Files(("memory.max", "memory.swap.max"), "memory.events")


def find_parent(root: Path = _ROOT, own: str | None = None) -> tuple[Path, Files] | None:
    """Returns the group to create others in, which has at least the limits of this process.

    In version 1 that is this process's own group. In version 2 a group with processes can have no
    groups with limits inside, so it is the group around it.

    Args:
        root: The file system of groups.
        own: The groups of this process, as in ``/proc/self/cgroup``.
    """
    for line in (own or Path("/proc/self/cgroup").read_text()).splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return root / "memory" / path.lstrip("/"), V1
        if not controllers:
            around = (root / path.lstrip("/")).parent if path != "/" else root
            given = around / "cgroup.subtree_control"
            if given.exists() and "memory" in given.read_text().split():
                return around, V2
    return None


class ControlGroup:
    """A group for one host.

    Args:
        folder: The group's folder, which is created.
        files: The names of its files.

    Raises:
        OSError: This process may not create groups.
    """

    def __init__(self, folder: Path, files: Files) -> None:
        self.folder, self._files, self._bytes = folder, files, 1 << 62
        folder.mkdir()
        try:
            self.limit(1024)
            self._kills = (folder / files.kills).open("rb", buffering=0)
        except OSError:
            folder.rmdir()
            raise

    def entering(self, command: list[str]) -> list[str]:
        """Returns a command that enters the group and then becomes another command."""
        enter = 'echo $$ > "$0" && exec "$@"'
        return ["/bin/sh", "-c", enter, str(self.folder / "cgroup.procs"), *command]

    def limit(self, memory_mb: int) -> None:
        """Sets the MiB that the program of the host may use from now on."""
        limit = (memory_mb + _HOST_MB) << 20
        if limit == self._bytes:
            return
        names = [name for name in self._files.limits if (self.folder / name).exists()]
        # In version 1, memory and swap together may never be limited to less than memory alone.
        for name in names if limit < self._bytes else reversed(names):
            swap_alone = name == "memory.swap.max"
            (self.folder / name).write_text("0" if swap_alone else str(limit))
        self._bytes = limit

    @property
    def kills(self) -> int:
        """How many processes the kernel has killed because the group was out of memory."""
        lines = os.pread(self._kills.fileno(), 4096, 0).splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(b"oom_kill "))

    def forget(self) -> None:
        """Leaves the group to the process that this one was forked from."""
        self._kills.close()

    def remove(self, seconds: float = 2.0) -> None:
        """Removes the group, whose processes have been killed and may need a moment to end."""
        self._kills.close()
        end = time.monotonic() + seconds
        while True:
            with suppress(OSError):
                self.folder.rmdir()
            if not self.folder.exists() or time.monotonic() > end:
                return
            time.sleep(0.01)


def make_group() -> ControlGroup | None:
    """Returns a group for a host; None if this process may not create any."""
    try:
        if parent := find_parent():
            folder, files = parent
            remove_left(folder)
            return ControlGroup(folder / f"srenv-{os.getpid()}-{next(_numbers)}", files)
    except OSError:
        pass
    return None


def remove_left(folder: Path) -> None:
    """Removes the groups of processes that ended without doing so."""
    for group in folder.glob("srenv-*-*"):
        if not Path("/proc", group.name.split("-")[1]).exists():
            with suppress(OSError):  # something still runs there
                group.rmdir()
