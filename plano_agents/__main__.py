"""``python -m plano_agents``: the command line, where its script is not on the path."""

from plano_agents.cli import main

main()
