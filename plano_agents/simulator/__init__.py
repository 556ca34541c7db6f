"""Offline models that speak the real wire formats."""
