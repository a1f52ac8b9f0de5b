"""``--sandbox none --i-trust-this-code``: programs without a sandbox, for the whole command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

HELP = (
    "Programs run in a sandbox; `--sandbox none --i-trust-this-code` runs them without one, with "
    "all your rights."
)
"""What the help of a command with these options says below its description."""


def split_arguments(program: str, arguments: Sequence[str]) -> tuple[bool, list[str]]:
    """Returns whether programs run without a sandbox, and the other arguments.

    Raises:
        SystemExit: Only one of the two options is there.
    """
    parser = argparse.ArgumentParser(prog=program, add_help=False, allow_abbrev=False)
    parser.add_argument("--sandbox", choices=["bubblewrap", "none"], default="bubblewrap")
    parser.add_argument("--i-trust-this-code", action="store_true")
    options, others = parser.parse_known_args(arguments)
    bare = options.sandbox == "none"
    if bare and not options.i_trust_this_code:
        raise SystemExit(
            f"{program}: --sandbox none runs a model's programs with all your rights, and lets "
            "those that cheat pass; if you want that, add --i-trust-this-code"
        )
    if options.i_trust_this_code and not bare:
        raise SystemExit(
            f"{program}: --i-trust-this-code is for --sandbox none; programs in the sandbox need "
            "no trust, so leave it out"
        )
    return bare, others


@contextmanager
def without_sandbox(bare: bool) -> Iterator[None]:
    """Runs programs without a sandbox inside of the block, if `bare`, and says so."""
    if not bare:
        yield
        return
    from srenv.sandbox import use_runner
    from srenv.sandbox.others import TrustingRunner

    print("srenv: programs run without a sandbox, with all your rights", file=sys.stderr)
    use_runner(TrustingRunner(trusted=True))
    try:
        yield
    finally:
        use_runner(None)
