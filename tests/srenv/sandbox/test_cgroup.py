"""Control groups: found where they can be made, and a limit on all processes of a program."""

import subprocess
from pathlib import Path

import pytest

from srenv.sandbox import FunctionTests, Job, Limits
from srenv.sandbox.bubblewrap import BubblewrapRunner
from srenv.sandbox.cgroup import V1, V2, ControlGroup, find_parent, make_group, remove_left
from tests.support.sandbox import runner_or_skip

TOGETHER = """
import os, time

def f():
    children = []
    for _ in range(4):
        if not (pid := os.fork()):
            block = bytearray(os.urandom(1 << 20) * {mb})
            time.sleep(1)
            os._exit(0)
        children.append(pid)
    return [os.waitpid(pid, 0)[1] for pid in children]
"""


@pytest.fixture
def group():
    made = make_group()
    if made is None:
        pytest.skip("this process may not create control groups")
    yield made
    made.remove()


def grade(mb: int, limit: int):
    code = "def check(candidate): assert candidate() == [0, 0, 0, 0]"
    program, limits = TOGETHER.format(mb=mb), Limits(seconds=8.0, memory_mb=limit)
    runner = runner_or_skip(lambda: BubblewrapRunner(1))
    try:
        return runner.grade([Job(program, FunctionTests("f", code), limits)])[0]
    finally:
        runner.close()


def test_processes_of_a_program_have_one_limit_on_their_memory(group):
    outcome = grade(mb=20, limit=256)
    assert (outcome.passed, outcome.reason) == (True, "passed")
    # Less than the limit for each of four processes, and more for all of them.
    outcome = grade(mb=120, limit=256)
    assert (outcome.passed, outcome.reason) == (False, "memory")


def test_a_group_takes_limits_up_and_down_and_is_removed(group):
    limits = []
    for megabytes in (512, 256, 1024):
        group.limit(megabytes)
        name = next(n for n in group._files.limits if (group.folder / n).exists())
        limits.append(int((group.folder / name).read_text()) >> 20)
    assert limits == [512 + 64, 256 + 64, 1024 + 64]
    assert group.kills == 0
    group.remove()
    assert not group.folder.exists()


@pytest.mark.parametrize(
    ("own", "given", "expected"),
    [
        ("4:memory:/jobs/7\n0::/jobs/7", None, ("memory/jobs/7", V1)),
        ("5:cpu,memory:/\n", None, ("memory", V1)),
        ("0::/user/session\n", "cpu memory pids", ("user", V2)),
        ("0::/user/session\n", "cpu", None),
        ("0::/\n", "memory", (".", V2)),
        ("3:cpu:/\n", None, None),
    ],
)
def test_the_parent_of_groups_is_found_in_both_versions(tmp_path, own, given, expected):
    if given:
        around = tmp_path / expected[0] if expected else tmp_path / "user"
        around.mkdir(exist_ok=True)
        (around / "cgroup.subtree_control").write_text(given)
    found = find_parent(tmp_path, own)
    assert found == (expected and (tmp_path / expected[0], expected[1]))


def test_a_folder_that_is_no_group_is_refused_and_left_as_it_was(tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(FileNotFoundError):
        ControlGroup(tmp_path / "none" / "no" / "folder", V2)
    assert list((tmp_path / "none").iterdir()) == []


def test_groups_of_processes_that_are_gone_are_removed(tmp_path):
    for pid in (1, 2**22 + 1):  # the first process, and one with a number that no process has
        (tmp_path / f"srenv-{pid}-0").mkdir()
    remove_left(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["srenv-1-0"]


def test_the_command_of_a_group_enters_it_first(tmp_path):
    (tmp_path / "memory.max").touch()
    group = object.__new__(ControlGroup)
    group.folder = Path(tmp_path)
    done = subprocess.run(group.entering(["echo", "ran"]), capture_output=True, text=True)
    assert done.stdout == "ran\n"
    assert (tmp_path / "cgroup.procs").read_text().strip().isdigit()
