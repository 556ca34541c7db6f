"""Routing: the model for a request that no pin decides."""
