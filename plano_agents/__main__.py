"""The program ``plano-agents``, and ``python -m plano_agents``."""

import gc
import signal

NEW_OBJECTS = 100_000
"""After how many new objects the garbage collector looks at them: loading makes fewer, and leaves no garbage."""


def main() -> None:
    """Run the command line.

    Loading it takes a moment; Ctrl-C by then ends the process, without a traceback of imports.
    """
    gc.set_threshold(NEW_OBJECTS)
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    from plano_agents.cli.main import main as run  # noqa: PLC0415 - what takes the moment

    signal.signal(signal.SIGINT, before)
    run()


if __name__ == "__main__":
    main()
