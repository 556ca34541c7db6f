"""Metrics, request log, spans and the inspector: readers of finished requests."""
