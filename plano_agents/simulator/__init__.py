"""Offline models on real wire formats.

A deterministic agent behind OpenAI's chat completions and Anthropic's messages, with prompt-cache accounting, latency
and faults. It knows nothing of this package's router: it judges the wire independently. Start with ``app.create_app``.
"""
