"""Becomes another program, which the kernel kills when its parent dies (Linux).

`python -I -S tether.py PARENT_PID PROGRAM ARGUMENTS…`. It is a program of its own because a
function run between fork and exec may deadlock in a process that has threads. Must import nothing
but the standard library: it starts once per child. Elsewhere than on Linux it only becomes the
program; the next start then ends what a killed supervisor left (cli.processes).
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    """Ask for the parent's death signal, then become the program."""
    parent, program = int(argv[0]), argv[1:]
    if sys.platform == "linux":
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    # The parent may have died before the request; then nobody would ever send the signal.
    if os.getppid() != parent:
        sys.exit("the supervisor is gone")
    os.execvp(program[0], program)  # noqa: S606 - the supervisor's own argument list


if __name__ == "__main__":
    main(sys.argv[1:])
