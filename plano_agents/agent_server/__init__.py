"""The agent server: any LangGraph graph over HTTP."""

from plano_agents.extras import check_installed

check_installed("The agent server", "server", "fastapi", "langgraph")
