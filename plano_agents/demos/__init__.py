"""Agents to try the package with."""
