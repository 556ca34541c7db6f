"""The parts that the router's and the agent server's traces share: attribute names, GenAI messages, the exporter.

OpenTelemetry is an extra (``otel``), and is loaded where tracing is on: only ``export`` imports it.
"""
