"""Trains the embedded router; README.md tells how."""
