"""Runs the real program and notes which modules are loaded when its first real frame goes to the terminal.

Arguments: the file for the list, a text that only the real frame holds, then the program's own arguments.
"""

import sys
from pathlib import Path

from immunos_tui.terminal.output import TerminalOutput


def main() -> int:
    listing, wanted, arguments = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    flush = TerminalOutput.flush

    def noting(self: TerminalOutput) -> None:
        if not listing.exists() and any(wanted in part for part in self._parts):
            listing.write_text("\n".join(sorted(sys.modules)))
        flush(self)

    TerminalOutput.flush = noting
    from immunos_tui.__main__ import main as program

    return program(arguments)


if __name__ == "__main__":
    sys.exit(main())
