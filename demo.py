"""The same agent loop twice, without and with model affinity: `uv run demo.py`."""

import signal

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until there is something to stop, it ends without a word

from plano_agents.cli.demo import demo_command

if __name__ == "__main__":
    demo_command()
