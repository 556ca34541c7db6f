"""The job that the agent knows: choosing a database, with the tools for it."""
