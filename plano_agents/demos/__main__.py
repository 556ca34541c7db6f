"""``python -m plano_agents.demos``: what ``./start_agents.sh`` runs."""

import signal

if __name__ == "__main__":
    # Until there is something to stop, Ctrl-C ends it without a word.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    from plano_agents.demos.start import main

    main(prog_name="./start_agents.sh")
