"""Wire formats, without any IO: server-sent events, OpenAI chat, Anthropic messages, and translation."""
