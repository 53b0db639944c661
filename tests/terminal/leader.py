"""A stand-in for a shell: leads the session of one program, and outlives it.

The kernel resets a terminal's modes when the leader of its session ends, which would hide what a program left
behind. So this process leads, puts the program in the foreground as a job of its own, and reports on a pipe.

Arguments: descriptor for the reports, signals to ignore in the program (comma list of numbers), the program's argv.
Reports, one a line: ``pid N``, ``stopped N``, ``continued 0``, ``exit CODE`` (-N for death by signal N).
"""

import contextlib
import os
import signal
import sys


def main() -> None:
    report, ignored, argv = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpgrp())
        for number in (signal.SIGTTOU, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        for number in filter(None, ignored.split(",")):
            signal.signal(int(number), signal.SIG_IGN)
        os.close(report)
        with open("/proc/self/environ", "rb") as given:  # as it was before Python put its own LC_CTYPE there
            env = dict(entry.split(b"=", 1) for entry in given.read().split(b"\0") if b"=" in entry)
        os.execvpe(argv[0], argv, env)
    os.write(report, b"pid %d\n" % child)
    while True:
        _, status = os.waitpid(child, os.WUNTRACED | os.WCONTINUED)
        if os.WIFSTOPPED(status):
            os.write(report, b"stopped %d\n" % os.WSTOPSIG(status))
        elif os.WIFCONTINUED(status):
            os.write(report, b"continued 0\n")
        else:
            break
    os.write(report, b"exit %d\n" % os.waitstatus_to_exitcode(status))
    with contextlib.suppress(OSError):  # the terminal may be gone
        os.write(1, b"\x1b]9999;ended\x07")
    signal.pause()


main()
