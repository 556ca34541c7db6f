"""Runs a Python program that ends when the one that started it does, however that one ends.

``python -m plano_agents.demos.tethered -m MODULE …`` or ``… FILE …``, as the interpreter takes them. Who starts it
holds the other end of its standard input and writes nothing into it: the system closes that end with the process, by
whatever signal it went.
"""

import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Sequence

from plano_agents.demos.child import STOP_SECONDS


def main(arguments: Sequence[str]) -> None:
    """Run a program.

    Args:
        arguments: What would follow the interpreter on its command line.
    """
    threading.Thread(target=_end_with_input, daemon=True).start()
    if arguments[0] == "-m":
        sys.argv = list(arguments[1:])
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(arguments)
        runpy.run_path(arguments[0], run_name="__main__")


def _end_with_input() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    # A program that does not stop in time is ended: nobody is left who could.
    time.sleep(STOP_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
