"""The agent server: any LangGraph graph over HTTP."""
